"""Accounts, for administrators: who may sign in, in which role and unit."""

from __future__ import annotations

from typing import Annotated, get_args

from fastapi import APIRouter, Form
from fastapi.responses import Response

from indexer.access import Role
from indexer.web.desk import Visit
from indexer.web.visits import Inside
from pipeline.errors import BadInput

ROUTES = APIRouter(include_in_schema=False)
Field = Annotated[str, Form(max_length=200)]


@ROUTES.get("/people")
def page(visit: Inside) -> Response:
    """The list, and a form for a new account."""
    return _page(visit)


@ROUTES.post("/people")
def act(visit: Inside, name: Field = "", role: Field = "clerk", unit: Field = "", act: Field = "add") -> Response:
    """Adds an account, changes its role and unit, gives it a new one-time password, or closes it."""
    visit.require("manage_people")
    accounts, by, password = visit.house.accounts, visit.person.name, ""
    try:
        match act:
            case "add":
                _, password = accounts.add(by, name, role, unit or None)
            case "change":
                accounts.change(by, name, role, unit or None)
            case "renew":
                password = accounts.renew_password(by, name)
            case "open":
                accounts.open_again(by, name)
            case "close":
                if name == by:
                    raise BadInput("Nobody closes their own account", zh="不能关闭自己的账户")
                accounts.close(by, name)
            case _:
                raise BadInput("This is not done here", zh="没有此操作")
    except BadInput as error:
        return _page(visit, said=visit.words_of(error))
    return _page(visit, told=name, password=password)


def _page(visit: Visit, *, said: str = "", told: str = "", password: str = "") -> Response:
    visit.require("manage_people")
    return visit.page(
        "people.html", status=400 if said else 200, accounts=visit.house.accounts.listed(), roles=get_args(Role),
        said=said, told=told, password=password,
    )  # fmt: skip
