"""What a person decides about an original and a case: it belongs, it does not, the proposal is right.

Each is an event with its reason, and the latest word stands: no linker changes it. A refusal is remembered, so what was
refused is not proposed again. The link keeps how it was first found.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any, Final

from pipeline.case_numbers import comparable, parse
from pipeline.edges.audit import AuditLog, NewEvent
from pipeline.edges.catalog import Catalog
from pipeline.edges.database import decisions
from pipeline.errors import BadInput
from pipeline.records import CaseLink

METHOD: Final = "person"


class Linking:
    """The links of one home, as people decide them."""

    def __init__(self, catalog: Catalog, audit: AuditLog) -> None:
        self._catalog, self._audit = catalog, audit

    def link(
        self, person: str, original: str, case: str, reason: str, *, activity: str | None = None,
        from_s: float | None = None, to_s: float | None = None,
    ) -> CaseLink:  # fmt: skip
        """The original, or from_s..to_s of it, belongs to the case. Raises BadInput for a range that is none."""
        if from_s is not None and to_s is not None and to_s <= from_s:
            raise BadInput(f"The range ends at {to_s} s, before it begins", zh=f"时间范围的终点 {to_s} 秒早于起点")
        numbers = parse(case)
        if len(numbers) > 1:
            raise BadInput(
                f"'{case}' holds {len(numbers)} case numbers; name one", zh=f"“{case}”中有多个案号，请写一个"
            )
        printed = numbers[0].printed if numbers else case.strip()
        said = CaseLink(
            case=printed, case_key=comparable(printed), method=METHOD, score=1.0, why=_said(reason), status="confirmed",
            activity=activity, from_s=from_s, to_s=to_s, by=person,
        )  # fmt: skip
        return self._decide("link.made", person, original, case, reason, lambda _: said)

    def confirm(self, person: str, original: str, case: str, reason: str) -> CaseLink:
        """The proposal is right. Raises BadInput where there is none."""
        return self._decide(
            "link.confirmed", person, original, case, reason, _with("confirmed", person, original, case)
        )

    def refuse(self, person: str, original: str, case: str, reason: str) -> CaseLink:
        """The original does not belong to the case. Raises BadInput where nothing says that it does."""
        change = _with("refused", person, original, case)
        return self._decide("link.refused", person, original, case, reason, change)

    def _decide(
        self, event: str, person: str, original: str, case: str, reason: str,
        change: Callable[[CaseLink | None], CaseLink],
    ) -> CaseLink:  # fmt: skip
        _said(reason)
        with self._audit.alone(self._catalog) as connection:
            decisions.require_linkable(connection, original)
            link = change(decisions.link_to(connection, original, comparable(case)))
            facts = {"link": asdict(link), "reason": reason.strip()}
            [seq] = self._audit.record(connection, [NewEvent(type=event, actor=person, original=original, facts=facts)])
            decisions.put_link(connection, original, link, seq)
        self._audit.make_durable(seq)
        return link


def _with(status: Any, person: str, original: str, case: str) -> Callable[[CaseLink | None], CaseLink]:
    def changed(link: CaseLink | None) -> CaseLink:
        if link is None:
            raise BadInput(f"{original} is not linked to {case}, nor proposed for it",
                           zh=f"该原件与 {case} 没有关联，也没有关联建议", found=original)  # fmt: skip
        return replace(link, status=status, by=person)

    return changed


def _said(reason: str) -> str:
    if not reason.strip():
        raise BadInput("Give a reason", zh="请说明理由")
    return reason.strip()
