"""How the home stands, in the text form of Prometheus. Pure: from what `status` tells and the counters of jobs.

Figures alone: no name of an original, a person or a case.
Source: Prometheus text exposition format 0.0.4.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
Sample = tuple[Mapping[str, str], float]


def text(data: Mapping[str, Any], counters: Mapping[str, Mapping[str, float]]) -> str:
    """Every metric with its help and type. counters: as `workload.counters` gives them."""
    return "".join(line for metric in _metrics(data, counters) for line in _lines(*metric))


def _metrics(
    data: Mapping[str, Any], counters: Mapping[str, Mapping[str, float]]
) -> Iterator[tuple[str, str, str, Sequence[Sample]]]:
    def of_stages(name: str) -> list[Sample]:
        return [({"stage": stage}, by[name]) for stage, by in sorted(counters.items()) if name in by]

    totals = [({"stage": stage, "state": state}, by[state]) for stage, by in sorted(counters.items())
              for state in ("waiting", "running", "done", "failed", "cancelled") if state in by]  # fmt: skip
    # Jobs are tried again, so that these may fall: gauges by Prometheus' rules, under the names that peers use.
    yield "task_total", "Jobs by stage and state.", "gauge", totals
    yield "task_error_total", "Jobs that failed and were not tried again.", "gauge", of_stages("failed")
    yield "task_success_timestamp", "When the last job ended well, seconds since 1970.", "gauge", of_stages("success_s")
    yield "task_error_timestamp", "When the last job failed, seconds since 1970.", "gauge", of_stages("error_s")
    lanes = [({"type": one["lane"], "stage": one["stage"]}, one) for one in data["queues"]]
    yield "queue_length", "Jobs that wait.", "gauge", [(labels, one["waiting"]) for labels, one in lanes]
    oldest = [(labels, one["oldest_s"]) for labels, one in lanes if one["oldest_s"] is not None]
    yield "queue_oldest_seconds", "For how long the oldest job waits.", "gauge", oldest
    took = [(labels, one["typical_s"]) for labels, one in lanes if one["typical_s"] is not None]
    yield "task_duration_seconds", "The median of the last jobs of stages with open work.", "gauge", took
    yield "workers", "Processes that show life.", "gauge", [
        ({"role": "work"}, len(data["workers"])), ({"role": "patrol"}, len(data["patrols"])),
    ]  # fmt: skip
    roots = [(str(number), one) for number, one in enumerate(data["watchers"])]
    yield "watcher_up", "Whether the watched folder is well.", "gauge", [({"root": n}, one["ok"]) for n, one in roots]
    yield "watcher_scan_age_seconds", "Since the last full look.", "gauge", [
        ({"root": n}, one["scanned_s_ago"]) for n, one in roots if one.get("scanned_s_ago") is not None
    ]  # fmt: skip
    yield "storage_mount_type", "The file system of the watched folder.", "gauge", [
        ({"root": n, "type": one.get("mount") or ""}, 1) for n, one in roots
    ]  # fmt: skip
    states = [({"state": state}, count) for state, count in sorted(data["states"].items())]
    yield "originals", "Originals by state.", "gauge", states
    vault = data["vault"]
    yield "storage_free_bytes", "Free on the vault's disk.", "gauge", [({}, vault["free_bytes"])]
    left: list[Sample] = [] if vault["hours_left"] is None else [({}, vault["hours_left"])]
    yield "storage_hours_left", "Hours of intake left at the recent rate.", "gauge", left
    yield (
        "index_behind",
        "Originals that the index does not hold as they are.",
        "gauge",
        [({}, data["index"]["behind"])],
    )
    yield "fixity_overdue", "Originals that were not read again in time.", "gauge", [({}, data["fixity"]["overdue"])]
    yield "incidents", "Originals whose bytes do not hold.", "gauge", [({}, len(data["incidents"]))]
    copy = data["backup"]
    ages: list[Sample] = [] if copy is None else [({}, copy["age_h"] * 3600)]
    yield "backup_age_seconds", "Since the last backup; absent where there is none.", "gauge", ages
    log = data["log"]
    yield "log_entries", "Entries of the audit log.", "counter", [({}, log["entries"])]
    witnessed: list[Sample] = [({}, log["second_party"]["up_to"])]
    yield "log_witnessed_entries", "Entries that a second party stands for.", "gauge", witnessed


def _lines(name: str, told: str, kind: str, samples: Sequence[Sample]) -> Iterator[str]:
    if not samples:
        return
    yield f"# HELP casereel_{name} {told}\n# TYPE casereel_{name} {kind}\n"
    for labels, value in samples:
        said = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
        yield f"casereel_{name}{{{said}}} {float(value):.15g}\n" if said else f"casereel_{name} {float(value):.15g}\n"


def _escaped(label: str) -> str:
    return label.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
