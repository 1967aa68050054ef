"""The web application: pages and the API under them, for persons who have signed in. It loads no media library.

A page is a file in `pages/` that exports ROUTES. Every route needs an open session but those of modules that say
`OPEN`; what a person may not do or know of is answered 404, as if it did not exist. Nothing is fetched from elsewhere:
the LAN has no internet, and the content policy allows none.
"""

from __future__ import annotations

import importlib
import pkgutil
import secrets
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final
from urllib.parse import quote, urlsplit

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from indexer.web import pages, words
from indexer.web.desk import House, Visit
from indexer.web.limits import Buckets, kind_of
from indexer.web.visits import COOKIE, NobodyHere, PasswordFirst, inside, visit_of
from pipeline.errors import BadInput, CasereelError, NotAllowed, TryAgain

HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "media-src 'self' blob:; connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
}
_SAFE: Final = frozenset(("GET", "HEAD", "OPTIONS"))


def create_app(house: House) -> FastAPI:
    """The application for one home."""
    app = FastAPI(title="Casereel", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.house = house
    for module in modules():
        guards = [Depends(same_origin)] if getattr(module, "OPEN", False) else [Depends(same_origin), Depends(inside)]
        app.include_router(module.ROUTES, dependencies=guards)
    app.mount("/static", StaticFiles(directory=words.HERE / "static"))
    app.state.buckets = {kind: Buckets(per_min) for kind, per_min in house.rates.items()}
    app.middleware("http")(_not_too_often)
    app.middleware("http")(_with_headers)
    for error, answer in (
        (NobodyHere, _to_the_form), (PasswordFirst, _to_the_password), (CasereelError, _in_words),
        (HTTPException, _plain), (RequestValidationError, _unreadable), (Exception, _fault),
    ):  # fmt: skip
        app.add_exception_handler(error, answer)  # type: ignore[arg-type]
    return app


def modules() -> list[Any]:
    """The pages, in the order of their names; sign-in and health are open to everybody."""
    names = sorted(name for _, name, _ in pkgutil.iter_modules(pages.__path__))
    return [importlib.import_module(f"{pages.__name__}.{name}") for name in names]


class Turned(CasereelError):
    """What asks for a change does not come from our own pages: 403."""


async def same_origin(request: Request) -> None:
    """What changes something comes from our own pages, with the session's own sign; else 403.

    Source: OWASP Cross-Site Request Forgery Prevention: synchronizer token, and the Origin and Sec-Fetch-Site headers.
    """
    if request.method in _SAFE:
        return
    origin = request.headers.get("origin")
    foreign = origin is not None and urlsplit(origin).netloc != request.headers.get("host")
    if foreign or request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise Turned("This came from another site", zh="请求来自其他网站")
    visit = await _in_thread(visit_of, request)
    if visit.signed is None:
        return
    sign = request.headers.get("x-csrf-token") or ""
    if not sign and request.headers.get("content-type", "").startswith(
        ("application/x-www-form-urlencoded", "multipart/form-data")
    ):
        sign = str((await request.form()).get("csrf", ""))
    if not secrets.compare_digest(sign.encode(), visit.signed.session.csrf.encode()):
        raise Turned("The form is too old: load the page again", zh="表单已过期：请重新打开页面")


async def _in_thread(act: Callable[..., Any], *arguments: Any) -> Any:
    from starlette.concurrency import run_in_threadpool

    return await run_in_threadpool(act, *arguments)


async def _with_headers(request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
    response = await answer(request)
    for name, value in HEADERS.items():
        # Bytes of exhibits come with a stricter policy of their own.
        response.headers.setdefault(name, value)
    return response


async def _not_too_often(request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
    kind = kind_of(request.method, request.url.path)
    buckets: Buckets | None = request.app.state.buckets.get(kind)
    if buckets is None:
        return await answer(request)
    address = request.client.host if request.client else ""
    # Before anybody has signed in an address is all that is known; after that several persons may share one.
    who = address if kind == "sign_in" else request.cookies.get(COOKIE, address)
    wait_s = buckets.wait_s(who[:200])
    if not wait_s:
        return await answer(request)
    refused = await _said(
        request, 429, f"Too many requests: go on in {wait_s} s", f"请求过于频繁：请在 {wait_s} 秒后继续"
    )
    refused.headers["Retry-After"] = str(wait_s)
    return refused


def is_api(request: Request) -> bool:
    """Whether a program asks, and is answered in JSON."""
    return request.url.path.startswith("/api/")


async def _to_the_form(request: Request, _: NobodyHere) -> Response:
    if is_api(request) or request.url.path.startswith("/media/"):
        return JSONResponse({"error": "sign in first", "zh": "请先登录"}, status_code=401)
    to = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse(f"/sign-in?next={quote(to)}" if to != "/" else "/sign-in", status_code=303)


async def _to_the_password(request: Request, _: PasswordFirst) -> Response:
    if is_api(request):
        return JSONResponse({"error": "change the password first", "zh": "请先修改密码"}, status_code=403)
    return RedirectResponse("/password", status_code=303)


async def _in_words(request: Request, error: CasereelError) -> Response:
    match error:
        case Turned():
            status = 403
        case NotAllowed():
            status = 404
        case BadInput():
            status = 400
        case TryAgain():
            status = 503
        case _:
            status = 500
    return await _said(request, status, error.sentence, error.zh)


async def _plain(request: Request, error: HTTPException) -> Response:
    return await _said(request, error.status_code, str(error.detail), "")


async def _unreadable(request: Request, error: RequestValidationError) -> Response:
    where = "; ".join(".".join(map(str, one["loc"])) for one in error.errors())
    return await _said(request, 422, f"This cannot be read: {where}", f"无法读取：{where}")


async def _fault(request: Request, _: Exception) -> Response:
    return await _said(
        request, 500, "Something went wrong here; the operators' log has it", "系统出错，运维日志中有记录"
    )


async def _said(request: Request, status: int, sentence: str, zh: str) -> Response:
    if status == 404:
        sentence, zh = "There is nothing here", "此处没有内容"
    if is_api(request) or request.url.path.startswith("/media/"):
        return JSONResponse({"error": sentence, "zh": zh}, status_code=status)
    visit: Visit = await _in_thread(visit_of, request)
    said = zh if visit.lang == "zh" and zh else sentence
    page: Response = await _in_thread(partial(visit.page, "fault.html", status, said=said))
    return page
