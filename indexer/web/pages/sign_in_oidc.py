"""Signing in by the bureau's own service; where none is set, there is nothing here."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter
from fastapi.responses import Response

from indexer.persons.oidc import BACK, HOLDS, LEFT, OidcSignIns
from indexer.web.desk import Visit, own_path
from indexer.web.visits import COOKIE, AnyVisit
from pipeline.errors import NotAllowed, TryAgain

OPEN = True
ROUTES = APIRouter(include_in_schema=False)
BEGUN: Final = "casereel-oidc"
_WHERE: Final = "/sign-in/oidc"


@ROUTES.get(_WHERE)
def begin(visit: AnyVisit, next: str = "/") -> Response:
    """Sends the browser to the service. A link and no form, for the policy of our forms lets them go nowhere else."""
    signs = _signs(visit)
    next = own_path(next[:2000])
    if visit.signed is not None:
        return visit.go(next)
    try:
        to, browser = signs.begin(str(visit.request.base_url), next)
    except TryAgain as refused:
        return visit.page("sign_in.html", status=503, next=next, said=visit.words_of(refused), name="")
    response = visit.go(to)
    # Lax: the browser comes back from another site, and must bring it.
    response.set_cookie(
        BEGUN, browser, max_age=int(HOLDS.total_seconds()), path=_WHERE, httponly=True, samesite="lax",
        secure=visit.request.url.scheme == "https",
    )  # fmt: skip
    return response


@ROUTES.get(BACK)
def back(visit: AnyVisit) -> Response:
    """A session begins, or the form says why not; who comes back from signing out there gets the form."""
    signs, answer = _signs(visit), dict(visit.request.query_params)
    # Some services say more of themselves (iss, session_state).
    if answer.get("state") == LEFT and "code" not in answer:
        return visit.go("/sign-in")
    try:
        token, next = signs.finish(answer, visit.request.cookies.get(BEGUN, ""))
    except (NotAllowed, TryAgain) as refused:
        status = 503 if isinstance(refused, TryAgain) else 403
        # In the other language it would be answered anew, and this answer of the service is used up.
        said = visit.words_of(refused)
        response: Response = visit.page("sign_in.html", status, next="/", said=said, name="", back="/sign-in")
    else:
        # A page of ours that goes on, and no redirect: that would still count as coming from the service, and the
        # session's cookie is not sent with what comes from elsewhere.
        response = visit.page("sign_in_on.html", next=next)
        secure = visit.request.url.scheme == "https"
        response.set_cookie(COOKIE, token, httponly=True, samesite="strict", secure=secure)
    response.delete_cookie(BEGUN, path=_WHERE)
    return response


def _signs(visit: Visit) -> OidcSignIns:
    if visit.house.oidc is None:
        raise NotAllowed("No sign-in service is set", zh="未设置统一身份认证")
    return visit.house.oidc
