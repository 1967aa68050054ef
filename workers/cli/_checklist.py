"""The checklist of a case: worked out, printed, signed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from workers.cli import SOME_FAILED, App, app_of
from workers.cli._cases import looks_at
from workers.cli._persons import allowed

if TYPE_CHECKING:
    from indexer.casework.review import Review
    from workers.bootstrap import Home


def tell(number: str, sign: bool, by: str | None, reason: str, opinion: str) -> int:
    """Prints the list, and signs it where asked; the exit code. Raises BadInput, NotAllowed."""
    from indexer.casework import case_json
    from indexer.casework.review import review_of, rules_in
    from workers.bootstrap import home

    app = app_of()
    with home(app.settings) as built:
        zone, rules = built.settings.time.zone, rules_in(built.settings.home)
        looks_at(built, number, "checklist")

        def read() -> Review:
            return review_of(
                built.catalog, built.audit, rules, number, zone=zone, sight=built.sight(),
                seen_by=lambda one: lambda ids: built.seen_by(one.by, one.role, ids),
            )  # fmt: skip

        review = read()
        if sign:
            _sign(built, review, by, reason, opinion)
            review = read()
        data = case_json.checklist(review)
        app.emit(data, lambda: _page(app, data))
    return SOME_FAILED if review.checklist.lacking else 0


def _sign(built: Home, review: Review, by: str | None, reason: str, opinion: str) -> None:
    from indexer.casework.review import sign
    from pipeline.acts.signing import Signatures
    from pipeline.errors import BadInput
    from workers.bootstrap import build_accounts

    if not by:
        raise BadInput("Say who signs: --by NAME", zh="请用 --by 写明签字人")
    person = allowed(built, by, "sign_checklist")
    accounts = build_accounts(built)
    sign(
        Signatures(built.catalog, built.audit), person, review, opinion=opinion, reason=reason,
        watched=accounts.watched(person.name), stretches=accounts.stretches(person.name),
    )  # fmt: skip


def _page(app: App, data: dict[str, Any]) -> str:
    from indexer.casework.review import UNSEEN

    lines = [f"{data['case']}  {app.in_words(data['type_zh'], data['type'])}"]
    for one in data["items"]:
        mark = "✓" if one["there"] else "✗" if one["must"] else "!"
        lines.append(f"{mark} {app.in_words(one['zh'], one['en'])}")
        lines += [f"    {said}" for said in (one["missing_zh"] if app.lang == "zh" else one["missing"])]
    lines.append(app.in_words(f"缺 {data['lacking']} 项", f"{data['lacking']} missing"))
    if one := data["signed"]:
        who = f"{one['by']} {one['at'][:19]} {one['digest'][:12]}"
        if one["holds"]:
            lines.append(app.in_words(f"已签字：{who}", f"signed: {who}"))
        else:
            lines.append(app.in_words(f"签字后有变动，须重新审核：{who}", f"changed since it was signed: {who}"))
            lines += [f"    {said}" for said in (one["changes_zh"] if app.lang == "zh" else one["changes"])]
        if one["remark"]:
            lines.append(f"    {app.in_words(one['remark_zh'], one['remark'])}")
        if one["unseen"]:
            names = ", ".join(other["name"] for other in one["unseen"])
            zh, en = (said.format(count=len(one["unseen"])) for said in (UNSEEN[1], UNSEEN[0]))
            lines.append(f"    {app.in_words(f'{zh}：{names}', f'{en}: {names}')}")
    return "\n".join(lines)
