"""A case as the command line finds it, and the look at it that is logged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.cli import app_of

if TYPE_CHECKING:
    from pipeline.records import Case
    from workers.bootstrap import Home


def looks_at(built: Home, number: str, page: str) -> None:
    """The look at a case is an event before anything of it is shown. Raises NotAllowed, BadInput as for no case."""
    from indexer.access import require
    from indexer.casework.assigning import purpose_of
    from pipeline.case_numbers import comparable

    require(built.reviewer, "view")
    is_seen = built.is_case_seen(number)
    its = built.assigning().gives_purpose(built.reviewer, {comparable(number)}) if is_seen else None
    why = purpose_of(its, app_of().lang) if its else {}
    built.tell("view.case", facts={**why, "case": number, "page": page})
    if not is_seen:
        required_case(number, [])


def required_case(number: str, found: list[Case]) -> Case:
    """The case that was found. Raises BadInput where none was."""
    from pipeline.errors import BadInput

    if not found:
        raise BadInput(f"No case has the number {number}", zh=f"没有案号为 {number} 的案件", found=number)
    return found[0]
