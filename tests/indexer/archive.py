"""A catalog in memory, and originals with what is known of them, for tests of the index's side."""

from __future__ import annotations

import hashlib
import threading
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from pipeline import case_numbers
from pipeline.errors import BadInput
from pipeline.records import (
    Arrival,
    CaseLink,
    Caveat,
    DecidedTime,
    Kind,
    Known,
    Original,
    Property,
    Restriction,
    Stated,
)

TAKEN_AT = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


def link(case: str, status: str = "confirmed", **more: str) -> CaseLink:
    return CaseLink(
        case=case,
        case_key=case_numbers.key_of(case) or case,
        method="folder",
        score=0.9,
        why=more.pop("why", ""),
        status=status,  # type: ignore[arg-type]
        **more,  # type: ignore[arg-type]
    )


def decided(start_at: datetime, length_s: float = 60.0, uncertainty_s: float = 1.0) -> DecidedTime:
    return DecidedTime(
        start_at=start_at,
        end_at=start_at + timedelta(seconds=length_s),
        uncertainty_s=uncertainty_s,
        method="claim",
        why="",
        zone_known=True,
        source="exif",
    )


def known(
    identifier: str,
    *,
    name: str = "",
    folder: str = "",
    kind: Kind = "video",
    parent: str | None = None,
    state: str = "searchable",
    time: DecidedTime | None = None,
    links: Iterable[CaseLink] = (),
    stated: Stated | None = None,
    caveats: Iterable[Caveat] = (),
    sidecars: Iterable[Known] = (),
    restrictions: Iterable[Restriction] = (),
    **properties: object,
) -> Known:
    """An original; properties with `__` for the dot: sidecar__officer="李建国"."""
    sha256 = hashlib.sha256(identifier.encode()).hexdigest()
    name = name or f"{identifier}.mp4"
    original = Original(
        id=identifier,
        sha256=sha256,
        sm3=None,
        size_bytes=1,
        kind=kind,
        format="mp4",
        name=name,
        state=state,
        accepted_at=TAKEN_AT,
        parent=parent,
    )
    arrival = Arrival(
        id=f"a-{identifier}",
        original=identifier,
        path=f"/inbox/{folder}/{name}",
        folder=folder,
        name=name,
        name_raw=name.encode(),
        source="inbox",
        status="accepted",
        reason=None,
        size_bytes=1,
        mtime_ns=0,
        taken_at=TAKEN_AT,
        stated=stated or Stated(),
    )
    facts = {key.replace("__", "."): value for key, value in properties.items()}
    return Known(
        original=original,
        arrivals=(arrival,),
        properties={key: Property(name=key, found=str(value), value=value) for key, value in facts.items()},
        time=time,
        links=tuple(links),
        caveats=tuple(caveats),
        sidecars=tuple(sidecars),
        restrictions=tuple(restrictions),
    )


class Archive:
    """A catalog in memory: what the follower and the search ask of the real one."""

    def __init__(self, knowns: Iterable[Known] = ()) -> None:
        self._lock = threading.Lock()
        self._knowns: dict[str, Known] = {}
        self._changed: dict[str, int] = {}
        self._sidecars: dict[str, set[str]] = defaultdict(set)
        self._head = 0
        self.asked: list[str] = []
        self.put(*knowns)

    def put(self, *knowns: Known) -> None:
        with self._lock:
            for one in knowns:
                self._head += 1
                self._knowns[one.original.id] = one
                self._changed[one.original.id] = self._head
                if one.original.parent:
                    self._sidecars[one.original.parent].add(one.original.id)

    def lose(self, count: int) -> None:
        """Goes back as if restored from a backup: the last changes were never made."""
        with self._lock:
            self._head -= count
            for identifier in [name for name, seq in self._changed.items() if seq > self._head]:
                del self._changed[identifier]
                del self._knowns[identifier]

    def head(self) -> int:
        with self._lock:
            return max(self._changed.values(), default=0)

    def counts(self) -> dict[str, int]:
        with self._lock:
            return dict(Counter(one.original.state for one in self._knowns.values()))

    def changed_after(self, seq: int, limit: int) -> list[tuple[int, str]]:
        with self._lock:
            return sorted((changed, name) for name, changed in self._changed.items() if changed > seq)[:limit]

    def count_changed_after(self, seq: int) -> int:
        return len(self.changed_after(seq, 1_000_000))

    def known_of_many(self, ids: Sequence[str], **_: bool) -> list[Known]:
        with self._lock:
            missing = [name for name in ids if name not in self._knowns]
            if missing:
                raise BadInput(f"There is no original {missing[0]}")
            self.asked += ids
            return [self._whole(self._knowns[name]) for name in ids]

    def restrictions_on(self, ids: Sequence[str]) -> dict[str, tuple[Restriction, ...]]:
        with self._lock:
            return {one: found for one in ids if one in self._knowns and (found := self._knowns[one].restrictions)}

    def _whole(self, one: Known) -> Known:
        sidecars = [self._knowns[name] for name in sorted(self._sidecars[one.original.id]) if name in self._knowns]
        return replace(one, sidecars=tuple(sidecars)) if sidecars else one
