"""The pipeline's work, for operators."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, Final

import click

from indexer.naming import named
from workers.cli import SOME_FAILED, App, app_of

if TYPE_CHECKING:
    from pipeline.acts.operating import Verb
    from pipeline.edges.jobs import JobRow
    from workers.bootstrap import Home

STATES: Final = ("failed", "running", "waiting", "cancelled", "done")


@click.group(short_help="The pipeline's work: list, show, retry, cancel.")
def jobs() -> None:
    """Looks at the pipeline's work, tries failed work again, stops what should not run.

    Example: casereel jobs list --state failed
    """


@contextmanager
def _opened() -> Iterator[tuple[Any, Any]]:
    from workers.bootstrap import build_jobs, home

    with home(app_of().settings) as built:
        found = build_jobs(built)
        try:
            yield built, found
        finally:
            found.close()


def _as_seen(built: Home, rows: Sequence[JobRow]) -> list[JobRow]:
    """Jobs of originals that the person may not know of, only with what they do and how it stands."""
    from pipeline.edges.work.workload import gist

    unseen = built.hidden_originals()
    return [
        replace(one, name="", detail=None, reason=one.reason and gist(one.reason)) if one.original in unseen else one
        for one in rows
    ]  # fmt: skip


@jobs.command("list", short_help="List jobs; failed ones first.")
@click.option("--state", type=click.Choice(STATES), help="In this state.")
@click.option("--original", help="Of this original.")
@click.option("--all", "all_", is_flag=True, help="Also those that are done.")
@click.option("--by-reason", is_flag=True, help="Count by reason.")
@click.option("--limit", type=int, default=1000, show_default=True)
def list_(state: str | None, original: str | None, all_: bool, by_reason: bool, limit: int) -> None:
    """Lists jobs: those that failed first, then running and waiting ones.

    Example: casereel jobs list --by-reason
    """
    app = app_of()
    with _opened() as (built, work):
        wanted = built.find_original(original) if original else None
        if by_reason:
            states = [state] if state else [one for one in STATES if all_ or wanted or one != "done"]
            _count(app, [one for each in states for one in work.listed(state=each, original=wanted, limit=None)])
            return
        rows = _as_seen(built, [
            one for one in work.listed(state=state, original=wanted, limit=limit)
            if all_ or state or wanted or one.state != "done"
        ])  # fmt: skip
        for one in rows:
            data = {k: v for k, v in asdict(one).items() if k != "detail"}
            share = "" if one.progress is None else f"{one.progress:.0%}"
            how = named(app.lang, "job", one.state)
            app.emit(data, f"{one.job:45} {how:9} {share:4} {one.attempts:3} {one.reason or ''}  {one.name}")


def _count(app: App, rows: Sequence[JobRow]) -> None:
    """So many of each stage and state for the same reason, whatever file it names, the most first."""
    from pipeline.edges.work.workload import gist

    counted = Counter((one.stage, one.state, gist(one.reason) or None) for one in rows)
    for (stage, state, reason), count in counted.most_common():
        words = f"{named(app.lang, 'stage', stage)} {named(app.lang, 'job', state)}"
        app.emit(
            {"stage": stage, "state": state, "reason": reason, "count": count},
            f"{count:5} × {words}" + (f": {reason}" if reason else ""),
        )


@jobs.command(short_help="Show one job with its trace.")
@click.argument("job")
def show(job: str) -> None:
    """Shows one job, with what went wrong in full.

    Example: casereel jobs show 01KAMZ5V2W-heavy-derive
    """
    app = app_of()
    with _opened() as (built, work):
        [one] = _as_seen(built, [work.show(job)])
        app.emit(asdict(one), "\n".join(f"{name}: {value}" for name, value in asdict(one).items()))


def _each(names: tuple[str, ...], verb: Verb) -> int:
    from pipeline.acts.operating import Operating

    app = app_of()
    with _opened() as (built, work):
        done, refused = Operating(built.catalog, built.audit, app.settings.work).act(built.actor, verb, names)
        for name in done:
            state = work.show(name).state
            app.emit({"job": name, "state": state}, f"{name}  {named(app.lang, 'job', state)}")
    for error in refused:
        app.note(app.in_words(error.zh or error.sentence, error.sentence))
    return SOME_FAILED if refused else 0


@jobs.command(short_help="Try failed or cancelled jobs again.")
@click.argument("job", nargs=-1)
@click.option("--reason", help="All failed jobs whose reason holds these words.")
def retry(job: tuple[str, ...], reason: str | None) -> int:
    """Tries the named jobs again, or every failed one with this reason.

    Example: casereel jobs retry --reason "too full"
    """
    if reason is not None:
        from pipeline.edges.work.workload import gist

        with _opened() as (_, work):
            failed = work.listed(state="failed", limit=None)
            job += tuple(one.job for one in failed if reason in (one.reason or "") or reason in gist(one.reason))
    return _each(job, "retry")


@jobs.command(short_help="Stop waiting or running jobs.")
@click.argument("job", nargs=-1, required=True)
def cancel(job: tuple[str, ...]) -> int:
    """Stops the named jobs; their media programs end within seconds. The originals are not touched.

    Example: casereel jobs cancel 01KAMZ5V2W-heavy-derive
    """
    return _each(job, "cancel")


COMMAND = jobs
