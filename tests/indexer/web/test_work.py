"""The operators' pages: health in sentences with the fix, failures by reason, one job with its commands, metrics."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from indexer.figures import health, metrics
from indexer.web.app import create_app
from pipeline.acts.restricting import Restricting
from pipeline.edges.log.keys import keys_folder
from pipeline.edges.work.living import TOOK_S
from pipeline.edges.work.workload import gist
from tests.flows.keeping import REVIEWER, take
from tests.indexer.web.asking import ROLES, nobody, person
from workers.bootstrap import Home, build_jobs
from workers.cli import run
from workers.cli.status import standing
from workers.serve import house_of


def fail(home: Home, original: str, reason: str, stage: str = "probe", detail: str | None = None) -> str:
    """This job failed for this reason."""
    jobs = build_jobs(home)
    claim = jobs.begin(original, "light", stage)
    assert claim is not None
    with home.catalog.transaction() as connection:
        jobs.finish(connection, claim, "failed", reason=reason, detail=detail)
    jobs.close()
    return claim.job


def well() -> dict[str, Any]:
    """What `status` tells of a home where nothing is to be done."""
    watcher = {
        "path": "/in", "mode": "events", "mount": "ext4", "waiting": 0, "ok": True, "alarm": "", "alarm_zh": "",
        "event_s_ago": 3.0, "scanned_s_ago": 40.0, "canary_s_ago": 9.0, "watches": 12, "watches_max": 8192,
    }  # fmt: skip
    process = {"worker": "pc-1", "host": "pc", "seen_s_ago": 2.0, "running": 1}
    return {
        "incidents": [], "watchers": [watcher], "workers": [process], "patrols": [dict(process)], "queues": [],
        "failures": [], "backup": {"age_h": 2.0, "target": "/copy"},
        "vault": {"free_bytes": 9 << 40, "reserve_bytes": 1 << 30, "hours_left": 9000.0},
        "index": {"documents": 5, "behind": 0, "fault": None, "building": None, "wanted": "t", "backend": "t"},
        "fixity": {"checked": 5, "overdue": 0, "oldest_days": 1.0},
        "verified": {"age_h": 3.0, "outcome": "done", "checked": 5, "broken": 0, "missing": 0, "log_faults": 0},
        "log": {"entries": 9, "second_party": {"up_to": 9, "trouble": None, "zh": "第二方", "en": "a second party"}},
    }  # fmt: skip


QUEUE = {"lane": "light", "stage": "probe", "waiting": 3, "running": 0, "failed": 0, "typical_s": 1.0}
ILL: dict[str, tuple[Callable[[dict[str, Any]], Any], str, str]] = {
    "nobody watches": (lambda d: d.update(watchers=[]), "watcher", "alarm"),
    "a watcher alarms": (lambda d: d["watchers"][0].update(ok=False, alarm="offline"), "watcher", "alarm"),
    "the canary is silent": (lambda d: d["watchers"][0].update(canary_s_ago=4000.0), "watcher", "notice"),
    "inotify is nearly used up": (lambda d: d["watchers"][0].update(watches=8000), "watcher", "notice"),
    "no worker": (lambda d: d.update(workers=[]), "worker", "alarm"),
    "a silent worker": (lambda d: d["workers"][0].update(seen_s_ago=70.0), "worker", "notice"),
    "no patrol": (lambda d: d.update(patrols=[]), "patrol", "alarm"),
    "a patrol in trouble": (lambda d: d["patrols"][0].update(trouble="no key"), "patrol", "alarm"),
    "light work waits": (lambda d: d.update(queues=[{**QUEUE, "oldest_s": 3600.0}]), "queue", "notice"),
    "a day of intake left": (lambda d: d["vault"].update(hours_left=20.0), "vault", "alarm"),
    "a week of intake left": (lambda d: d["vault"].update(hours_left=170.0), "vault", "notice"),
    "no room": (lambda d: d["vault"].update(free_bytes=1), "vault", "alarm"),
    "no backup": (lambda d: d.update(backup=None), "backup", "alarm"),
    "an old backup": (lambda d: d["backup"].update(age_h=48.0), "backup", "notice"),
    "a damaged index": (lambda d: d["index"].update(fault="torn", behind=5), "index", "alarm"),
    "fixity overdue": (lambda d: d["fixity"].update(overdue=2), "fixity", "notice"),
    "never compared": (lambda d: d.update(verified=None), "verified", "notice"),
    "a comparison that failed": (lambda d: d["verified"].update(outcome="failed", broken=1), "verified", "alarm"),
    "no key to sign with": (lambda d: d["log"].update(key={"en": "gone", "zh": "不在"}), "log", "alarm"),
    "no SM2 key": (lambda d: d["log"].update(sm2_key={"en": "gone", "zh": "不在"}), "log", "alarm"),
    "no second party": (lambda d: d["log"]["second_party"].update(up_to=0), "log", "notice"),
}  # fmt: skip


def test_where_all_is_well_nothing_is_to_be_done() -> None:
    found = health.sentences(well())
    assert {one.level for one in found} == {"well"}
    assert not any(one.fix or one.fix_zh for one in found)
    said = " ".join(one.en for one in found)
    assert "ext4" in said
    assert "last event 3 s ago" in said
    assert "inotify 12 / 8192" in said
    assert "9,000 hours" in said


@pytest.mark.parametrize("name", ILL)
def test_each_ill_is_one_sentence_with_its_fix_in_both_languages(name: str) -> None:
    change, about, level = ILL[name]
    data = well()
    change(data)
    [ill] = [one for one in health.sentences(data) if one.level != "well"]
    assert (ill.about, ill.level) == (about, level)
    assert all((ill.en, ill.zh, ill.fix, ill.fix_zh))
    assert health.sentences(data)[0] == ill


def test_work_that_takes_hours_by_right_is_not_late() -> None:
    data: Mapping[str, Any] = {**well(), "queues": [{**QUEUE, "lane": "heavy", "oldest_s": 3600.0}]}
    assert {one.level for one in health.sentences(data)} == {"well"}


def test_a_reason_is_told_without_what_names_one_file() -> None:
    said = "OSError: '/vault/ab/现场 张三.mp4' of 01KAMZ5V2W0123456789ABCDEF, frame 18233: moov atom not found"
    assert gist(said) == "OSError: … of …, frame …: moov atom not found"


def test_figures_follow_the_conventions_of_prometheus() -> None:
    data = well()
    data["workers"][0]["took"] = [
        {
            "stage": "probe",
            "state": "done",
            "count": 5,
            "sum_s": 7.5,
            "within": [1, 1, 2, 4, *([4] * (len(TOOK_S) - 4))],
        }
    ]
    data |= {"states": {"ready": 5}, "queues": [{**QUEUE, "oldest_s": 9.0}]}
    said = metrics.text(data, {"probe": {"done": 5, "failed": 1, "success_s": 1.0, "error_s": 2.0}})
    kinds = dict(re.findall(r"^# TYPE (\w+) (\w+)$", said, re.MULTILINE))
    assert kinds["casereel_task_duration_seconds"] == "histogram"
    assert {name for name, kind in kinds.items() if name.endswith("_total")} == {
        name for name, kind in kinds.items() if kind == "counter"
    }
    assert set(re.findall(r"^# HELP (\w+) \S", said, re.MULTILINE)) == set(kinds)
    samples = re.findall(r"^(\w+)(?:\{[^}]*\})? \S+$", said, re.MULTILINE)
    assert {re.sub("(?<=duration_seconds)_(bucket|sum|count)$", "", name) for name in samples} == set(kinds)
    labels = 'stage="probe",state="done",worker="pc-1"'
    found = re.findall(rf'duration_seconds_bucket\{{{labels},le="([^"]+)"\}} (\d+)', said)
    assert [float(limit) for limit, _ in found] == [*TOOK_S, float("inf")]
    counts = [int(count) for _, count in found]
    assert counts == sorted(counts)
    assert counts[-1] == 5
    assert f"duration_seconds_sum{{{labels}}} 7.5\n" in said
    assert f"duration_seconds_count{{{labels}}} 5\n" in said


def test_the_command_line_says_the_sentences_of_the_page(sqlite_home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    sqlite_home.checkpoints.sign_head()
    [key] = keys_folder(sqlite_home.settings).glob("ed25519-*.pem")
    key.unlink()
    asked = ["--home", str(sqlite_home.settings.home), "status"]
    assert run([*asked, "--lang", "zh"]) == 0
    said = capsys.readouterr().out
    page = person(sqlite_home, "operator").page("/work")
    assert run([*asked, "--json"]) == 0
    sentences = json.loads(capsys.readouterr().out)["health"]
    assert len(sentences) >= 8
    assert any(str(key) in one["zh"] and "audit.keys" in one["fix_zh"] for one in sentences)
    # What is free on this disk changes meanwhile, and so does the length of the log.
    for one in (one for one in sentences if one["about"] != "vault"):
        sentence = one["zh"].partition("条：")[2] or one["zh"]
        assert sentence in said
        assert html.escape(sentence) in page
        assert one["fix_zh"] in said


def test_failures_are_grouped_by_reason_and_a_group_is_tried_again_at_once(sqlite_home: Home, tmp_path: Path) -> None:
    one, two, other = take(sqlite_home, tmp_path / "card", "a.jpg", "b.jpg", "c.jpg")
    for original in (one, two):
        fail(sqlite_home, original, f"RuntimeError: {original} is too odd")
    fail(sqlite_home, other, "RuntimeError: something else")
    operator = person(sqlite_home, "operator")
    data = standing(sqlite_home)
    assert [(group["reason"], group["count"]) for group in data["failures"]] == [
        ("RuntimeError: … is too odd", 2), ("RuntimeError: something else", 1),
    ]  # fmt: skip
    page = operator.page("/work")
    assert "RuntimeError: … is too odd" in page
    assert "3 项失败，共 2 种原因" in page
    answer = operator.send("/jobs/retry", stage="probe", reason="RuntimeError: … is too odd")
    assert "2 项任务重新等待" in operator.page(answer.headers["location"])
    assert [group["count"] for group in standing(sqlite_home)["failures"]] == [1]
    told = [json.loads(line) for line in sqlite_home.catalog.events_of_type(["job.retry"])]
    assert {(event["actor"], event["original"]) for event in told} == {(operator.name, one), (operator.name, two)}


def test_cancelling_stops_one_step_and_leaves_the_others(sqlite_home: Home, tmp_path: Path) -> None:
    [original] = take(sqlite_home, tmp_path / "card", "a.jpg")
    operator = person(sqlite_home, "operator")
    assert operator.send("/jobs/cancel", job=f"{original}-heavy-derive").status_code == 303
    states = {one.job: one.state for one in build_jobs(sqlite_home).listed(original=original)}
    assert states.pop(f"{original}-heavy-derive") == "cancelled"
    assert set(states.values()) == {"waiting"}
    sign = {"X-CSRF-Token": operator.sign()}
    again = operator.client.post(f"/api/jobs/{original}-heavy-derive/retry", headers=sign)
    assert (again.status_code, again.json()["state"]) == (200, "waiting")
    assert operator.client.post(f"/api/jobs/{original}-heavy-derive/retry", headers=sign).status_code == 400


def test_a_job_shows_its_commands_and_what_happened_and_no_content(sqlite_home: Home, tmp_path: Path) -> None:
    [original] = take(sqlite_home, tmp_path / "card", "拆除现场.jpg")
    job = fail(sqlite_home, original, "RuntimeError: it fell", detail="$ ffmpeg -i x\nexit 1\nmoov atom not found")
    operator = person(sqlite_home, "operator")
    page = operator.page(f"/jobs/{job}")
    assert "moov atom not found" in page
    assert "拆除现场.jpg" in page
    assert "/media/" not in page
    assert "拆除现场" not in operator.page("/jobs?state=failed") + operator.page("/work")
    for path in ("/work", "/jobs?state=failed", f"/jobs/{job}"):
        assert '<a href="/work" aria-current="page">' in operator.page(path), path
    operator.page("/jobs/nothing", 404)
    Restricting(sqlite_home.catalog, sqlite_home.audit).place(
        REVIEWER, "商业秘密", kind="trade_secret", original=original, units=("法制科",)
    )
    page = operator.page(f"/jobs/{job}")
    assert "拆除现场" not in page
    assert "moov atom" not in page


def test_figures_are_for_this_machine_and_for_operators(sqlite_home: Home, tmp_path: Path) -> None:
    [original] = take(sqlite_home, tmp_path / "card", "拆除现场.jpg")
    fail(sqlite_home, original, "RuntimeError: it fell")
    here = TestClient(create_app(house_of(sqlite_home)), client=("127.0.0.1", 5))
    answer = here.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert 'casereel_tasks{stage="probe",state="failed"} 1\n' in answer.text
    assert 'casereel_queue_length{type="heavy",stage="derive"} 1\n' in answer.text
    assert "casereel_storage_free_bytes " in answer.text
    assert original not in answer.text
    assert here.get("/metrics", headers={"X-Forwarded-For": "10.0.0.9"}).status_code == 404
    assert nobody(sqlite_home).get("/metrics").status_code == 404
    for role in ROLES:
        person(sqlite_home, role).page("/metrics", 200 if role in ("operator", "administrator") else 404)
