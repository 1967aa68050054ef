"""Who does a deed that takes a role, as the command line knows it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from pipeline.errors import BadInput
from workers.cli import app_of

if TYPE_CHECKING:
    from pipeline.custody.disposal import Retention
    from pipeline.records import Person
    from workers.bootstrap import Home

as_person: Callable[[Any], Any] = click.option(
    "--as", "as_", metavar="PERSON", help="Who does this; the setting access.person where it is left out."
)
because: Callable[[Any], Any] = click.option("--reason", required=True, help="Why; it stands in the log for ever.")


def require_one(id: str | None, case: str | None) -> None:
    """Raises BadInput where not either an original or a case is named."""
    if (id is None) == (case is None):
        raise BadInput("Name one original or one case", zh="请指明一份原件或一个案件")


@contextmanager
def retention_of_home() -> Iterator[tuple[Home, Retention]]:
    """The home's parts and its retention while the block runs."""
    from workers.bootstrap import build_retention, home

    with home(app_of().settings) as built:
        yield built, build_retention(built)


def original_of(built: Home, as_: str | None, said: str) -> str:
    """The identifier of the original that this person means and may know of. Raises BadInput."""
    from indexer.persons.sight import Sight

    return built.catalog.find_original(said, Sight(built.catalog, built.reviewer_named(as_)).seen)


def allowed(built: Home, as_: str | None, action: str) -> Person:
    """The person, who may do this. Raises NotAllowed; the refusal is an event too."""
    from indexer.access import person_of, require
    from pipeline.errors import NotAllowed
    from pipeline.records import Person

    name = (as_ or built.actor).strip()
    try:
        found = person_of(name, *built.roles_and_units())
        require(found, action)
    except NotAllowed as error:
        built.tell("access.refused", outcome="refused", facts={"person": name, "action": action})
        raise error
    return Person(name=found.name, role=found.role)
