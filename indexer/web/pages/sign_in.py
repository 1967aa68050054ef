"""Signing in and out, the language, one's own password."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Form
from fastapi.responses import Response

from indexer.web.desk import Visit, own_path
from indexer.web.visits import COOKIE, LANGUAGE, AnyVisit
from pipeline.errors import BadInput, NotAllowed

OPEN = True
ROUTES = APIRouter(include_in_schema=False)
Field = Annotated[str, Form(max_length=1024)]
_YEAR_S = 365 * 86400


@ROUTES.get("/sign-in")
def form(visit: AnyVisit, next: str = "/", left: str = "") -> Response:
    """The form; whoever is signed in already goes on. left: `service` after a session by the sign-in service."""
    if visit.signed is not None:
        return visit.go(own_path(next))
    is_open_there = left == "service" and visit.house.oidc is not None
    return visit.page("sign_in.html", next=own_path(next), said="", name="", is_open_there=is_open_there)


@ROUTES.post("/sign-in")
def sign_in(visit: AnyVisit, name: Field = "", password: Field = "", next: Field = "/") -> Response:
    """A session begins, or the form comes back with what was wrong."""
    try:
        _, token = visit.house.accounts.sign_in(name, password)
    except NotAllowed as refused:
        said = visit.words_of(refused)
        return visit.page("sign_in.html", status=403, next=own_path(next), said=said, name=name)
    response = visit.go(own_path(next))
    secure = visit.request.url.scheme == "https"
    response.set_cookie(COOKIE, token, httponly=True, samesite="strict", secure=secure)
    return response


@ROUTES.post("/sign-out")
def sign_out(visit: AnyVisit) -> Response:
    """The session is over; who came by the sign-in service goes on to end theirs there, or is told that it is not."""
    response = visit.go("/sign-in")
    if visit.signed is not None:
        visit.house.accounts.sign_out(visit.signed)
        if visit.signed.from_outside:
            response = _leave(visit)
    response.delete_cookie(COOKIE)
    return response


def _leave(visit: Visit) -> Response:
    left, signs = "/sign-in?left=service", visit.house.oidc
    there = signs and signs.leave(visit.request.cookies.get(COOKIE, ""), str(visit.request.base_url))
    if not there:
        return visit.go(left)
    # A page of ours that goes on, and no redirect: the policy of our forms lets them go nowhere else.
    return replace(visit, signed=None).page("sign_out_on.html", there=there, back=left)


@ROUTES.post("/language")
def language(visit: AnyVisit, lang: Field = "zh", back: Field = "/") -> Response:
    """The pages are in this language from now on, in this browser."""
    response = visit.go(own_path(back))
    response.set_cookie(LANGUAGE, "en" if lang == "en" else "zh", max_age=_YEAR_S, samesite="strict")
    return response


@ROUTES.get("/password")
def password_form(visit: AnyVisit) -> Response:
    """The form for one's own password."""
    return visit.page("password.html", said="") if visit.signed else visit.go("/sign-in")


@ROUTES.post("/password")
def change_password(visit: AnyVisit, old: Field = "", new: Field = "", again: Field = "") -> Response:
    """The password is changed, or the form comes back with what was wrong."""
    try:
        if new != again:
            raise BadInput("The two new passwords differ", zh="两次输入的新密码不一致")
        visit.house.accounts.change_password(visit.here, old, new)
    except BadInput as error:
        return visit.page("password.html", status=400, said=visit.words_of(error))
    return visit.go("/")
