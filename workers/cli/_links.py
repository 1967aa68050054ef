"""What `link`, `unlink` and `confirm` share: many originals, one case, a reason."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from workers.cli import SOME_FAILED, app_of
from workers.cli._persons import allowed

if TYPE_CHECKING:
    from pipeline.acts.linking import Linking
    from pipeline.records import CaseLink

WORDS = {"confirmed": ("已关联", "linked"), "refused": ("已排除", "refused"), "proposed": ("建议", "proposed")}


def decide(
    ids: tuple[str, ...], action: str, as_: str | None, deed: Callable[[Linking, str, str], CaseLink]
) -> int:  # fmt: skip
    """Does the deed (linking, person, original) for each original and prints its link; the exit code.

    What shows the same footage as one of them is linked anew: its proposals may be others now.
    """
    from pipeline.acts.linking import Linking
    from pipeline.errors import BadInput
    from pipeline.neighbours import Neighbours
    from workers.bootstrap import build_follower, home
    from workers.cli._registers import looked_at_anew

    app, failed = app_of(), 0
    with home(app.settings) as built:
        # Who sits at this machine's own command line is its administrator.
        person = allowed(built, as_, action).name if as_ else built.actor
        linking = Linking(built.catalog, built.audit)
        done: list[str] = []
        for said in ids:
            try:
                original = built.find_original(said)
                link = deed(linking, person, original)
            except BadInput as error:
                if len(ids) == 1:
                    raise
                failed += 1
                app.note(f"{said}: {app.in_words(error.zh or error.sentence, error.sentence)}")
                continue
            done.append(original)
            data = {
                "original": original, "case": link.case, "method": link.method, "score": link.score,
                "status": link.status, "why": link.why, "why_zh": link.why_zh, "by": link.by, "activity": link.activity,
                "from_s": link.from_s, "to_s": link.to_s,
            }  # fmt: skip
            app.emit(data, f"{original}  {link.case}  {app.in_words(*WORDS[link.status])}")
        relatives = {one.original for known in built.catalog.known_of_many(done) for one in known.relatives}
        relatives |= Neighbours(built.catalog).among(done)
        looked_at_anew(app, built, sorted(relatives - set(done)), times_too=False)
        build_follower(built).follow()
    return SOME_FAILED if failed else 0
