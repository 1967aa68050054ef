"""Whose request it is: what routes depend on."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import Depends, Request

from indexer.web import words
from indexer.web.desk import House, Visit

COOKIE: Final = "casereel"
LANGUAGE: Final = "casereel-lang"
# What is answered before a one-time password is changed.
_BEFORE_CHANGE: Final = ("/password", "/sign-out", "/language")


class NobodyHere(Exception):
    """Nobody has signed in: pages send to the form, the API says 401."""


class PasswordFirst(Exception):
    """The one-time password is to be changed before anything else is answered."""


def visit_of(request: Request) -> Visit:
    """The request with who makes it, looked up once."""
    found: Visit | None = getattr(request.state, "visit", None)
    if found is None:
        house: House = request.app.state.house
        signed = house.accounts.signed_in(request.cookies.get(COOKIE, ""))
        lang = words.language_of(request.cookies.get(LANGUAGE), request.headers.get("accept-language", ""))
        found = request.state.visit = Visit(request=request, house=house, signed=signed, lang=lang)
    return found


def inside(request: Request) -> Visit:
    """The visit of a person who has signed in, with a password of their own."""
    visit = visit_of(request)
    if visit.signed is None:
        raise NobodyHere
    if visit.signed.must_change and request.url.path not in _BEFORE_CHANGE:
        raise PasswordFirst
    return visit


AnyVisit = Annotated[Visit, Depends(visit_of)]
Inside = Annotated[Visit, Depends(inside)]
