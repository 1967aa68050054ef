"""Recomputes digests and checks the audit log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from pipeline.errors import TryAgain
from workers.cli import CUSTODY_BROKEN, app_of

if TYPE_CHECKING:
    from pipeline.edges.log.log_check import LogReport
    from workers.bootstrap import Home


# Of each sort so many are named in the log; all of them are printed.
TOLD = 20


@click.command(short_help="Recompute digests and check the audit log.")
@click.argument("id", nargs=-1)
def verify(id: tuple[str, ...]) -> int:
    """Recomputes the digest of every original, or of those named, and all of the audit log.

    Of the log: the chain, every row of the catalog, the keys, every signed head and the tree under it, and what
    others signed. The head is signed where all of it holds.

    Example: casereel verify --json
    """
    from pipeline.custody.inspection import inspect
    from workers.bootstrap import home
    from workers.cli.status import second_party
    from workers.keeping import build_fixity

    app = app_of()
    with home(app.settings) as built:
        fixity = build_fixity(built)
        known = built.catalog.digests()
        wanted = dict(known)
        if id:
            chosen = {built.find_original(one) for one in id}
            wanted = {sha256: one for sha256, one in known.items() if one in chosen}
        sizes = built.catalog.size_of(list(wanted.values()))
        with app.progress(sizes, app.in_words("核验", "verifying")) as moved:
            seen = inspect(built.vault, built.catalog, fixity, wanted, everything=not id, moved=moved)
        broken, missing = (
            [{"original": wanted[one], "sha256": one, "faults": found} for one, found in faults.items()]
            for faults in (seen.broken, seen.missing)
        )
        log = built.check_log()
        unsigned, signed_heads = _sign(built, log)
        data: dict[str, Any] = {
            "checked": len(wanted), "broken": broken, "missing": missing, "strays": list(seen.strays),
            "unrecorded": list(seen.unrecorded),
            "audit": {
                "ok": not log.faults, "entries": log.entries, "head": log.head, "signed_heads": signed_heads,
                "faults": list(log.faults), "remarks": [*log.remarks, *unsigned],
                "second_party": second_party(built),
            },
        }  # fmt: skip
        facts: dict[str, Any] = {
            "checked": len(wanted),
            "broken": len(broken),
            "missing": len(missing),
            "log_faults": len(log.faults),
        }
        facts |= {"strays": len(seen.strays), "unrecorded": len(seen.unrecorded), "everything": not id}
        facts |= {"strays_told": [one[:200] for one in seen.strays[:TOLD]], "unrecorded_told": seen.unrecorded[:TOLD]}
        bad = bool(not seen.holds or log.faults)
        if not log.faults:
            fixity.record_all(
                {wanted[one]: [*seen.broken.get(one, ()), *seen.missing.get(one, ())] for one in wanted},
                {original: sha256 for sha256, original in wanted.items()},
            )
            built.tell("verify", outcome="failed" if bad else "done", facts=facts)
        lines = [
            app.in_words(
                f"核验 {len(wanted)} 个原始文件：损坏 {len(broken)}，缺失 {len(missing)}",
                f"{len(wanted)} originals checked: {len(broken)} broken, {len(missing)} missing",
            ),
            app.in_words(
                f"日志 {log.entries} 条：{'完好' if not log.faults else '不符'}；签名 {signed_heads} 个",
                f"audit log, {log.entries} entries: {'whole' if not log.faults else 'BROKEN'}; "
                f"{signed_heads} signed heads hold",
            ),
            app.in_words(data["audit"]["second_party"]["zh"], data["audit"]["second_party"]["en"]),
            *data["audit"]["remarks"],
        ]
        lines += [fault for one in broken + missing for fault in one["faults"]] + list(seen.strays) + list(log.faults)
        app.emit(data, "\n".join(lines))
        return CUSTODY_BROKEN if bad else 0


def _sign(built: Home, log: LogReport) -> tuple[list[str], int]:
    """(why the head was not signed, how many signed heads hold). A log that does not hold is not signed for."""
    if log.faults:
        return [], log.signed_heads
    before = built.checkpoints.sizes()
    try:
        built.checkpoints.sign_head()
    except TryAgain as error:
        return [error.sentence], log.signed_heads
    return [], log.signed_heads + len(built.checkpoints.sizes()) - len(before)


COMMAND = verify
