"""How the home stands and what the pipeline does, for operators: sentences first, each with what to do.

Work, no content: originals are called by their identifiers. The name of one stands where somebody must ask for it, and
only where the operator may know of it.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Form, Query
from fastapi.responses import Response

from indexer.figures import health
from indexer.persons.masking import masked
from indexer.web.desk import Desk, Visit
from indexer.web.visits import Inside
from pipeline.acts.operating import Operating, Verb
from pipeline.edges.jobs import JobRow, Jobs
from pipeline.edges.work import workload
from pipeline.errors import BadInput, NotAllowed
from pipeline.states import JOB_STATES

ROUTES = APIRouter(tags=["work"])
LISTED: Final = 200
# Each is a transaction of its own; a request that takes longer than a person waits is no help.
AT_ONCE: Final = 300
Field = Annotated[str, Form(max_length=500)]


@ROUTES.get("/work", include_in_schema=False)
def page(visit: Inside, said: Annotated[str, Query(max_length=200)] = "") -> Response:
    """The page. said: how many jobs of how many were acted on, as the forms of this page come back."""
    visit.require("manage_work")
    data = _standing(visit)
    running = _jobs(visit).listed(state="running", limit=LISTED)
    return visit.page("work.html", data=data, sentences=data["health"], running=running, told=_told(visit, said))


@ROUTES.get("/jobs", include_in_schema=False)
def jobs_page(
    visit: Inside, state: Annotated[str, Query(max_length=20)] = "failed",
    stage: Annotated[str, Query(max_length=40)] = "", reason: Annotated[str, Query(max_length=400)] = "",
    said: Annotated[str, Query(max_length=200)] = "",
) -> Response:  # fmt: skip
    """The jobs of one state, or of one group of failures."""
    visit.require("manage_work")
    rows = _listed(visit, state, stage, reason)
    return visit.page(
        "jobs.html", rows=rows, state=state, stage=stage, reason=reason, states=JOB_STATES, told=_told(visit, said),
        most=LISTED,
    )  # fmt: skip


@ROUTES.get("/jobs/{job}", include_in_schema=False)
def job_page(visit: Inside, job: str, said: Annotated[str, Query(max_length=200)] = "") -> Response:
    """One job with everything that was noted of it."""
    visit.require("manage_work")
    return visit.page("job.html", told=_told(visit, said), **_detail(visit, job))


@ROUTES.post("/jobs/retry", include_in_schema=False)
def retry(visit: Inside, job: Field = "", stage: Field = "", reason: Field = "", back: Field = "/work") -> Response:
    """Tries the job again, or every one of the group."""
    return _act(visit, "retry", [job] if job else _of_group(visit, stage, reason), back)


@ROUTES.post("/jobs/cancel", include_in_schema=False)
def cancel(visit: Inside, job: Field, back: Field = "/work") -> Response:
    """Stops this step alone; the original stays in custody, and its other steps go on."""
    return _act(visit, "cancel", [job], back)


@ROUTES.get("/api/status")
def status(visit: Inside) -> Response:
    """As `status --json` prints it, and `health`: the sentences with what to do."""
    visit.require("manage_work")
    return as_json(_standing(visit))


@ROUTES.get("/api/jobs")
def api_jobs(
    visit: Inside, state: Annotated[str, Query(max_length=20)] = "failed",
    stage: Annotated[str, Query(max_length=40)] = "", reason: Annotated[str, Query(max_length=400)] = "",
) -> Response:  # fmt: skip
    """Jobs in this state, as `jobs list --json` gives them, without names of originals."""
    visit.require("manage_work")
    return as_json([_plain_job(one) for one in _listed(visit, state, stage, reason)])


@ROUTES.get("/api/jobs/{job}")
def api_job(visit: Inside, job: str) -> Response:
    """One job: versions, commands, attempts and times."""
    visit.require("manage_work")
    found = _detail(visit, job)
    return as_json({**_plain_job(found["one"]), **{name: found[name] for name in ("detail", "made", "history")}})


@ROUTES.post("/api/jobs/{job}/{verb}")
def api_act(visit: Inside, job: str, verb: Verb) -> Response:
    """Tries a failed or cancelled job again, or cancels one that waits or runs."""
    visit.require("manage_work")
    done, refused = _operating(visit.desk).act(visit.person.name, verb, [job])
    if refused:
        raise refused[0]
    return as_json({"job": done[0], "state": _jobs(visit).show(done[0]).state})


def _standing(visit: Visit) -> dict[str, Any]:
    """As `status` tells it to this operator."""
    return health.told(visit.house.standing(), visit.desk.seen)


def _listed(visit: Visit, state: str, stage: str, reason: str) -> list[JobRow]:
    if state not in JOB_STATES:
        raise BadInput(
            f"A job is {', '.join(JOB_STATES)}, not '{state}'",
            zh=f"任务状态应为 {'、'.join(JOB_STATES)} 之一，不能是“{state}”",
            found=state,
        )
    wanted = _of_group(visit, stage, reason)[:LISTED] if reason else None
    rows = _jobs(visit).listed(state=state, jobs=wanted, limit=LISTED)
    return [one for one in rows if not stage or one.stage == stage]


def _of_group(visit: Visit, stage: str, reason: str) -> list[str]:
    """The failed jobs of this stage whose reason comes to this."""
    visit.require("manage_work")
    groups = workload.failures(visit.desk.catalog)
    return [job for one in groups if (one.stage, one.reason) == (stage, reason) for job in one.jobs]


def _detail(visit: Visit, job: str) -> dict[str, Any]:
    """The job; of an original that the operator may not know of, only what it does and how long it took."""
    try:
        one = _jobs(visit).show(job)
    except BadInput as error:
        raise NotAllowed("No such job") from error
    desk = visit.desk
    is_seen = bool(desk.seen([one.original]))
    known = desk.catalog.known_of(one.original)
    turn = f"{one.lane}-{one.stage}"
    made = [
        {"role": made.role, "tool": made.tool, "parameters": dict(made.parameters), "sha256": made.sha256,
         "size": made.size_bytes}
        for made in known.derivatives if one.stage == made.finder.partition("/")[0] and is_seen
    ]  # fmt: skip
    happened = workload.happened_to(desk.catalog, one.original, job)
    history = [
        {"at": event["at"], "what": event["type"], "by": event["actor"],
         "reason": event["facts"].get("reason", "") if is_seen else workload.gist(event["facts"].get("reason", "")),
         "version": event["facts"].get("version")}
        for event in happened
    ]  # fmt: skip
    return {
        "one": one, "turn": turn, "name": masked(one.name) if is_seen else "", "kind": known.original.kind,
        "sha256": known.original.sha256 if is_seen else "",
        "detail": one.detail if is_seen else None, "made": made, "history": history,
        "reason": one.reason if is_seen else workload.gist(one.reason),
    }  # fmt: skip


def _act(visit: Visit, verb: Verb, jobs: list[str], back: str) -> Response:
    visit.require("manage_work")
    done, refused = _operating(visit.desk).act(visit.person.name, verb, jobs[:AT_ONCE])
    left = len(jobs) - len(jobs[:AT_ONCE])
    at = back if back.startswith(("/work", "/jobs")) else "/work"
    return visit.go(f"{at}{'&' if '?' in at else '?'}said={verb}-{len(done)}-{len(refused)}-{left}")


def _told(visit: Visit, said: str) -> str:
    """What the last deed came to; empty where there was none."""
    verb, *counts = said.split("-")
    if verb not in ("retry", "cancel") or len(counts) != 3 or not all(one.isdigit() for one in counts):
        return ""
    done, refused, left = (int(one) for one in counts)
    text = visit.say("{count} jobs wait anew.", count=done) if verb == "retry" else visit.say(
        "{count} jobs were cancelled.", count=done
    )  # fmt: skip
    if refused:
        text += " " + visit.say("{count} had gone on meanwhile.", count=refused)
    if left:
        text += " " + visit.say("{count} of the group are left: do it once more.", count=left)
    return text


def _jobs(visit: Visit) -> Jobs:
    return Jobs(visit.desk.catalog, visit.desk.settings.work)


def _operating(desk: Desk) -> Operating:
    return Operating(desk.catalog, desk.audit, desk.settings.work)


def _plain_job(one: JobRow) -> dict[str, Any]:
    kept = ("job", "original", "stage", "lane", "state", "attempts", "waiting_s", "running_s", "progress", "worker",
            "deaths", "stage_version")  # fmt: skip
    return {**{name: getattr(one, name) for name in kept}, "reason": workload.gist(one.reason)}


def as_json(data: Any) -> Response:
    """The data as an answer, times as RFC 3339."""
    return Response(json.dumps(data, ensure_ascii=False, default=_plain), media_type="application/json")


def _plain(value: Any) -> str:
    """Times as RFC 3339, as the command line prints them."""
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    raise TypeError(f"{type(value).__name__} is no plain data")
