"""Who signs in to the pages."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from indexer.naming import NAMES, named
from workers.cli import app_of, times

if TYPE_CHECKING:
    from indexer.persons.accounts import Accounts
    from workers.bootstrap import Home


@click.group(short_help="Who signs in to the pages, in which role and unit.")
def account() -> None:
    """Accounts of the pages. Each change is an event; passwords are told once.

    Example: casereel account add 谢敏 --role reviewer --unit 法制科
    """


@account.command("list", short_help="All accounts.")
def list_() -> None:
    """Lists the accounts.

    Example: casereel account list
    """
    app = app_of()
    with _accounts() as (built, accounts):
        zone = built.settings.time.zone
        for one in accounts.listed():
            data: dict[str, Any] = {
                "name": one.name, "role": one.role, "unit": one.unit, "must_change": one.must_change,
                "locked_until": times(one.locked_until_at, zone), "closed_at": times(one.closed_at, zone),
                "subject": one.subject,
            }  # fmt: skip
            state = app.in_words("已关闭", "closed") if one.closed_at else ""
            if one.subject:
                state += app.in_words("  统一身份认证", "  by the sign-in service")
            app.emit(data, f"{one.name}  {named(app.lang, 'role', one.role)}  {one.unit or '-'}  {state}".rstrip())


@account.command(short_help="Add an account; its one-time password is printed once.")
@click.argument("name")
@click.option("--role", type=click.Choice(list(NAMES["role"])), required=True, help="What the person may do.")
@click.option("--unit", default="", help="The person's unit; restrictions name units.")
def add(name: str, role: str, unit: str) -> None:
    """Adds an account.

    Example: casereel account add 谢敏 --role reviewer --unit 法制科
    """
    with _accounts() as (built, accounts):
        made, password = accounts.add(built.actor, name, role, unit or None)
        _tell_password(made.name, password)


@account.command(short_help="Change an account's role and unit.")
@click.argument("name")
@click.option("--role", type=click.Choice(list(NAMES["role"])), required=True, help="What the person may do.")
@click.option("--unit", default="", help="The person's unit; restrictions name units.")
def change(name: str, role: str, unit: str) -> None:
    """Changes role and unit; open sessions of the account end.

    Example: casereel account change 谢敏 --role auditor
    """
    with _accounts() as (built, accounts):
        changed = accounts.change(built.actor, name, role, unit or None)
        app_of().emit({"name": changed.name, "role": changed.role, "unit": changed.unit}, changed.name)


@account.command(short_help="A new one-time password; undoes a lock and opens a closed account again.")
@click.argument("name")
def password(name: str) -> None:
    """Prints a new one-time password; the old one holds no more.

    Example: casereel account password 谢敏
    """
    with _accounts() as (built, accounts):
        _tell_password(name, accounts.renew_password(built.actor, name))


@account.command(short_help="Close an account.")
@click.argument("name")
def close(name: str) -> None:
    """Nobody signs in by this account any more; its sessions end.

    Example: casereel account close 谢敏
    """
    with _accounts() as (built, accounts):
        closed = accounts.close(built.actor, name)
        app_of().emit(
            {"name": closed.name, "closed_at": times(closed.closed_at, built.settings.time.zone)}, closed.name
        )


@contextmanager
def _accounts() -> Iterator[tuple[Home, Accounts]]:
    """The home and its accounts. Raises NotAllowed where this person may not manage them."""
    from indexer.access import require
    from workers.bootstrap import build_accounts, home

    with home(app_of().settings) as built:
        require(built.reviewer, "manage_people")
        yield built, build_accounts(built)


def _tell_password(name: str, password: str) -> None:
    app = app_of()
    app.emit({"name": name, "password": password}, app.in_words(
        f"{name} 的一次性密码：{password}\n仅显示这一次；首次登录须修改",
        f"One-time password of {name}: {password}\nIt is shown once, and must be changed at the first sign-in",
    ))  # fmt: skip


COMMAND = account
