"""How the home stands, in the text form of Prometheus. Pure: from what `status` tells and the counters of jobs.

Figures alone: no name of an original, a person or a case. What may fall is a gauge, and only what never falls while its
labels stay is a counter or a histogram: each worker counts how long its own jobs ran, since it began.
Sources: Prometheus text exposition format 0.0.4; its practices on naming (base units, `_total` of counters alone).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from pipeline.edges.work.living import TOOK_S

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
Sample = tuple[Mapping[str, str], float]


def text(data: Mapping[str, Any], counters: Mapping[str, Mapping[str, float]]) -> str:
    """Every metric with its help and type. counters: as `workload.Counters` gives them."""
    plain = (line for metric in _metrics(data, counters) for line in _lines(*metric))
    return "".join((*plain, *_durations(data["workers"])))


def _durations(workers: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """For how long jobs ran, as a histogram: cumulative, the last bucket all of them."""
    name, rows = (
        "casereel_task_duration_seconds",
        [(one["worker"], took) for one in workers for took in one.get("took", ())],
    )
    if not rows:
        return
    yield f"# HELP {name} For how long jobs ran, by how they ended; each worker counts since it began.\n"
    yield f"# TYPE {name} histogram\n"
    for worker, took in rows:
        labels = {"stage": took["stage"], "state": took["state"], "worker": worker}
        for most_s, count in zip((*TOOK_S, None), (*took["within"], took["count"]), strict=True):
            yield f"{name}_bucket{_labelled({**labels, 'le': '+Inf' if most_s is None else f'{most_s:g}'})} {count}\n"
        yield f"{name}_sum{_labelled(labels)} {took['sum_s']:.15g}\n"
        yield f"{name}_count{_labelled(labels)} {took['count']}\n"


def _metrics(
    data: Mapping[str, Any], counters: Mapping[str, Mapping[str, float]]
) -> Iterator[tuple[str, str, str, Sequence[Sample]]]:
    def of_stages(name: str) -> list[Sample]:
        return [({"stage": stage}, by[name]) for stage, by in sorted(counters.items()) if name in by]

    states = [({"stage": stage, "state": state}, by[state]) for stage, by in sorted(counters.items())
              for state in ("waiting", "running", "done", "failed", "cancelled") if state in by]  # fmt: skip
    yield "tasks", "Jobs by stage and state; one that was done twice is one.", "gauge", states
    ended = "seconds since 1970"
    yield "task_success_timestamp_seconds", f"When the last job ended well, {ended}.", "gauge", of_stages("success_s")
    yield "task_error_timestamp_seconds", f"When the last job failed, {ended}.", "gauge", of_stages("error_s")
    lanes = [({"type": one["lane"], "stage": one["stage"]}, one) for one in data["queues"]]
    yield "queue_length", "Jobs that wait.", "gauge", [(labels, one["waiting"]) for labels, one in lanes]
    oldest = [(labels, one["oldest_s"]) for labels, one in lanes if one["oldest_s"] is not None]
    yield "queue_oldest_seconds", "For how long the oldest job waits.", "gauge", oldest
    took = [(labels, one["typical_s"]) for labels, one in lanes if one["typical_s"] is not None]
    yield "task_median_seconds", "The median of the last jobs of stages with open work.", "gauge", took
    yield "workers", "Processes that show life.", "gauge", [
        ({"role": "work"}, len(data["workers"])), ({"role": "patrol"}, len(data["patrols"])),
    ]  # fmt: skip
    roots = [(str(number), one) for number, one in enumerate(data["watchers"])]
    yield "watcher_up", "Whether the watched folder is well.", "gauge", [({"root": n}, one["ok"]) for n, one in roots]
    for name, field, told in (
        ("scan_age_seconds", "scanned_s_ago", "Since the last full look."),
        ("event_age_seconds", "event_s_ago", "Since the last event that was heard."),
        ("canary_age_seconds", "canary_s_ago", "Since the canary file was heard."),
        ("inotify_watches", "watches", "Folders that the system tells of."),
        ("inotify_watches_max", "watches_max", "Folders that the system can tell of, for all of its user."),
        ("waiting_files", "waiting", "Files that are seen and not yet taken in."),
    ):
        said: list[Sample] = [({"root": n}, one[field]) for n, one in roots if one.get(field) is not None]
        yield f"watcher_{name}", told, "gauge", said
    yield "watcher_mount_info", "The file system of the watched folder.", "gauge", [
        ({"root": n, "type": one.get("mount") or ""}, 1) for n, one in roots
    ]  # fmt: skip
    held = [({"state": state}, count) for state, count in sorted(data["states"].items())]
    yield "originals", "Originals by state.", "gauge", held
    vault = data["vault"]
    yield "storage_free_bytes", "Free on the vault's disk.", "gauge", [({}, vault["free_bytes"])]
    left: list[Sample] = [] if vault["hours_left"] is None else [({}, vault["hours_left"] * 3600)]
    yield "storage_left_seconds", "For so long there is room for intake at the recent rate.", "gauge", left
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
    yield "log_entries_total", "Entries of the audit log.", "counter", [({}, log["entries"])]
    witnessed: list[Sample] = [({}, log["second_party"]["up_to"])]
    yield "log_witnessed_entries", "Entries that a second party stands for.", "gauge", witnessed


def _lines(name: str, told: str, kind: str, samples: Sequence[Sample]) -> Iterator[str]:
    if not samples:
        return
    yield f"# HELP casereel_{name} {told}\n# TYPE casereel_{name} {kind}\n"
    for labels, value in samples:
        yield f"casereel_{name}{_labelled(labels)} {float(value):.15g}\n"


def _labelled(labels: Mapping[str, str]) -> str:
    said = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
    return f"{{{said}}}" if said else ""


def _escaped(label: str) -> str:
    return label.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
