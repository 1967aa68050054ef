"""What persons decide of an original: links to cases, a correction of its time; in a transaction of the caller's."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any, Final

import sqlalchemy as sa
from ulid import ULID

from pipeline.edges.database import registers
from pipeline.edges.database import tables as t
from pipeline.edges.database.rows import record_of
from pipeline.errors import BadInput
from pipeline.records import CaseLink, TimeCorrection

# The finder of links that a person decided.
DECIDED: Final = "person"


def require_linkable(connection: sa.Connection, original_id: str) -> None:
    """Returns where a person may decide about its links. Raises BadInput for a sidecar, and for what is gone."""
    _require_own(connection, original_id, "link that one", "请关联该录像")


def require_correctable(connection: sa.Connection, original_id: str) -> None:
    """Returns where a person may correct its time. Raises BadInput for a sidecar, and for what is gone."""
    _require_own(connection, original_id, "correct its time there", "请更正该录像的时间")


def _require_own(connection: sa.Connection, original_id: str, do: str, do_zh: str) -> None:
    row = connection.execute(
        sa.select(t.original.c.parent, t.original.c.state).where(t.original.c.id == original_id)
    ).one_or_none()
    if row is None or row.state == "disposed":
        raise BadInput(f"There is no original {original_id}", zh=f"没有编号为 {original_id} 的原件", found=original_id)
    if row.parent is not None:
        raise BadInput(f"It belongs to the recording {row.parent}: {do}",
                       zh=f"它是录像 {row.parent} 的附属文件，{do_zh}", found=original_id)  # fmt: skip


def link_to(connection: sa.Connection, original_id: str, case_key: str) -> CaseLink | None:
    """The original's link to the case with this number, under whichever of the case's numbers it stands."""
    its = (t.case_link.c.original == original_id, t.case_link.c.case == registers.case_with(case_key))
    query = sa.select(t.case_link).where(*its)
    # Several may stand there since two numbers turned out to be one case: a person's word first, then the surest.
    order = (t.case_link.c.by.is_(None), t.case_link.c.score.desc(), t.case_link.c.id)
    row = connection.execute(query.order_by(*order)).first()
    return None if row is None else link_of(row)


def put_link(connection: sa.Connection, original_id: str, link: CaseLink, seq: int) -> None:
    """The link is as a person decided; those under other numbers of the same case go with it."""
    _record_link(connection, original_id, replace(link, finder=DECIDED))
    its = (t.case_link.c.original == original_id, t.case_link.c.case == registers.case_with(link.case_key))
    connection.execute(sa.delete(t.case_link).where(*its, t.case_link.c.case_key != link.case_key))
    connection.execute(sa.update(t.original).where(t.original.c.id == original_id).values(changed_seq=seq))


def put_correction(connection: sa.Connection, original_id: str, said: TimeCorrection | None) -> None:
    """What a person says of its time is this, or nothing any more."""
    of = t.time_correction
    connection.execute(sa.delete(of).where(of.c.original == original_id))
    if said is not None:
        connection.execute(sa.insert(of), {"original": original_id, **asdict(said)})


def _record_link(connection: sa.Connection, original_id: str, link: CaseLink) -> None:
    its = (t.case_link.c.original == original_id, t.case_link.c.case_key == link.case_key)
    row = connection.execute(sa.select(t.case_link).where(*its)).one_or_none()
    lay_link(connection, original_id, link, registers.case_of(connection, link.case_key, link.case), row)


def lay_link(connection: sa.Connection, original_id: str, link: CaseLink, case: str, row: Any) -> None:
    """The link stands; row: what stood there before, None where nothing did."""
    if row is not None and row.by is not None and link.by is None:
        return
    values = link_row(original_id, link, case)
    if row is None:
        connection.execute(sa.insert(t.case_link).values(**values))
        return
    del values["id"]
    if any(getattr(row, name) != value for name, value in values.items()):
        connection.execute(sa.update(t.case_link).where(t.case_link.c.id == row.id).values(**values))


def link_row(original_id: str, link: CaseLink, case: str) -> dict[str, Any]:
    """The row of a new link to this case, `case` being its identifier."""
    values = {k: v for k, v in asdict(link).items() if k != "case"}
    return {**values, "id": str(ULID()), "original": original_id, "printed": link.case, "case": case}


def link_of(row: Any) -> CaseLink:
    """The link of a row of its table."""
    return record_of(CaseLink, row, case=row.printed)
