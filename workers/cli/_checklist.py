"""The checklist of a case: worked out, printed, signed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from workers.cli import SOME_FAILED, App, app_of, times
from workers.cli._persons import allowed

if TYPE_CHECKING:
    from indexer.checklist import Checked, Checklist
    from pipeline.signing import Signature
    from workers.bootstrap import Home


def tell(number: str, sign: bool, by: str | None, reason: str) -> int:
    """Prints the list, and signs it where asked; the exit code. Raises BadInput, NotAllowed."""
    from indexer.case_file import case_file, keys_of
    from indexer.checklist import FACTS, checklist_of, list_rules_of, state_of
    from indexer.contradictions import contradictions_of
    from indexer.coverage import coverage_of, steps_of
    from pipeline.signing import Signatures
    from workers.bootstrap import home
    from workers.cli.case import looks_at

    app = app_of()
    with home(app.settings) as built:
        zone, steps = built.settings.time.zone, steps_of(built.settings.home)
        rules = list_rules_of(built.settings.home)
        looks_at(built, number, "checklist")
        file = case_file(built.catalog, built.audit, number, zone=zone, facts=FACTS, seen=built.seen)
        duties = [
            coverage_of(one, file.shown, steps, file.excuses, file.seams) for one in file.activities if one.from_at
        ]
        found = checklist_of(file, duties, contradictions_of(file, steps, zone), rules, steps)
        state = state_of(file, found, duties, steps)
        signed = Signatures(built.catalog, built.audit)
        if sign:
            _sign(built, signed, file.case.numbers[0][0], by, reason, found, state)
        last = next(reversed(signed.of(keys_of(file.case))), None)
        data = {
            "case": file.case.numbers[0][0], "type": found.type.name, "type_zh": found.type.zh, "rules": found.version,
            "lacking": found.lacking, "items": [_item(one) for one in found.checked],
            "signed": _signed(last, state, zone),
        }  # fmt: skip
        app.emit(data, lambda: _page(app, data))
    return SOME_FAILED if found.lacking else 0


def _sign(
    built: Home, signed: Any, case: str, by: str | None, reason: str, found: Checklist, state: dict[str, Any]
) -> None:
    from indexer.checklist import digest_of
    from pipeline.errors import BadInput

    if not by:
        raise BadInput("Say who signs: --by NAME", zh="请用 --by 写明签字人")
    person = allowed(built, by, "sign_checklist")
    if found.lacking and not reason.strip():
        raise BadInput(
            f"{found.lacking} things are missing: say with --reason why it is signed all the same",
            zh=f"尚缺 {found.lacking} 项：如仍要签字，请用 --reason 说明理由", found=found.lacking,
        )  # fmt: skip
    signed.sign(person, case, digest_of(state), state, reason.strip())


def _item(one: Checked) -> dict[str, Any]:
    item = one.item
    return {
        "item": item.name, "art": item.art, "zh": item.zh, "en": item.en, "must": item.must, "there": one.there,
        "found": one.found, "missing": [text for text, _ in one.missing],
        "missing_zh": [text for _, text in one.missing], "source": item.source,
    }  # fmt: skip


def _signed(one: Signature | None, state: dict[str, Any], zone: str) -> dict[str, Any] | None:
    """The last signature, and whether the case is still as it was signed."""
    from indexer.checklist import changes_between, digest_of

    if one is None:
        return None
    changes = changes_between(one.state, state)
    return {
        "by": one.by, "role": one.role, "at": times(one.at, zone), "digest": one.digest, "entry": one.seq,
        "reason": one.reason, "holds": one.digest == digest_of(state), "changes": [text for text, _ in changes],
        "changes_zh": [text for _, text in changes],
    }  # fmt: skip


def _page(app: App, data: dict[str, Any]) -> str:
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
    return "\n".join(lines)
