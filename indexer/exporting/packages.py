"""Packages that persons take in their browser: written beside the pages, one at a time, kept for days, then gone.

    approved -> waits -> copying -> packing -> ready: a ZIP below the home's `packages/` -> gone after `KEPT_H` hours

What makes them is `export.py`, with the same checks and events as the command. What an isolated original went into is
neither given nor removed: the secrecy office says what becomes of every copy.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, Literal

from indexer.access import Reviewer
from indexer.export import PAYLOAD_ROOM, Asked, Exporter
from pipeline.edges.catalog import Catalog
from pipeline.edges.database import exports, isolations
from pipeline.edges.database.exports import Export
from pipeline.edges.host import disk
from pipeline.edges.storage.bag import TAG_MANIFEST, pack, unpacked
from pipeline.errors import CasereelError, NotAllowed, TryAgain
from pipeline.records import Words

# A long weekend; whoever comes later asks anew.
KEPT_H: Final = 80.0
NOTHING: Final = Words("", "")


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How a package stands. done_bytes, of_bytes: what was copied and packed, each byte twice; why: it failed."""

    state: Literal["waits", "copying", "packing", "ready", "failed"]
    done_bytes: int = 0
    of_bytes: int = 0
    why: Words = NOTHING

    @property
    def is_under_way(self) -> bool:
        return self.state in ("waits", "copying", "packing")


class Packages:
    """The packages of one home, made by this process. reserve_share: of the disk, which they leave free."""

    def __init__(self, folder: Path, reserve_share: float) -> None:
        self._folder, self._reserve_share = folder, reserve_share
        self._told: dict[str, Standing] = {}
        self._lock, self._turn = threading.Lock(), threading.Lock()

    def begin(self, exporter: Exporter, reviewer: Reviewer, asked: Export, lang: str) -> None:
        """The package is on its way, and `standing` says how far. Raises TryAgain where the disk has no room for it."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        with self._lock:
            now = self.standing(asked)
            if now is not None and (now.is_under_way or now.state == "ready"):
                return
            self._require_room(asked)
            self._told[asked.id] = Standing(state="waits", of_bytes=2 * asked.size_bytes)
        given = (exporter, reviewer, asked, lang)
        threading.Thread(target=self._make, args=given, name=f"package-{asked.id}", daemon=True).start()

    def standing(self, asked: Export) -> Standing | None:
        """How far it is; None where nobody has begun it, or it is gone again."""
        with contextlib.suppress(FileNotFoundError):
            return Standing(state="ready", done_bytes=self._zip(asked).stat().st_size)
        told = self._told.get(asked.id)
        return None if told is None or told.state == "ready" else told

    def is_cut_off(self, asked: Export) -> bool:
        """Whether it was written whole and only its packing is missing: it can be begun again."""
        return asked.state == "finished" and (self._bag(asked) / TAG_MANIFEST).is_file()

    def until(self, asked: Export) -> datetime | None:
        """When it is removed."""
        return asked.ended_at and asked.ended_at + timedelta(hours=KEPT_H)

    def given(self, exporter: Exporter, reviewer: Reviewer, asked: Export) -> tuple[Path, os.stat_result]:
        """The ZIP and how it lies there, for who asked for it, while its approval holds and the case holds just what
        was approved.

        Raises NotAllowed.
        """
        path = self._zip(asked)
        is_its = asked.asked_by == reviewer.name and asked.state == "finished" and exporter.is_in_time(asked)
        if not is_its or asked.ended_at is None or not path.is_file():
            raise _none_such()
        if not exporter.holds_still(reviewer, asked):
            raise NotAllowed(
                f"What {asked.decided_by} approved is not what the case holds now: ask again",
                zh=f"{asked.decided_by} 批准的内容与案卷现状不符：请重新申请", expected=asked.selection,
            )  # fmt: skip
        try:
            return path, path.stat()
        except FileNotFoundError as error:  # removed meanwhile
            raise _none_such() from error

    def remove(self, catalog: Catalog, asked: Export) -> None:
        """It is gone from this machine. Raises NotAllowed where what is isolated went into it."""
        went_in = exports.copied(catalog, asked.id)
        with catalog.snapshot() as connection:
            if isolations.among(connection, went_in):
                raise NotAllowed("Nothing of it is removed", zh="其中任何内容均不得清除")
        shutil.rmtree(self._place(asked.id), ignore_errors=True)
        self._told.pop(asked.id, None)

    def clear(self, catalog: Catalog) -> int:
        """Packages whose time is over are gone; how many."""
        gone = 0
        for place in sorted(self._folder.iterdir()) if self._folder.is_dir() else ():
            asked = exports.found(catalog, place.name)
            if asked is None or asked.state in ("writing", "sealed", "approved"):
                continue
            until = self.until(asked)
            if until is not None and catalog.now() < until:
                continue
            with contextlib.suppress(NotAllowed):
                self.remove(catalog, asked)
                gone += 1
        return gone

    def _make(self, exporter: Exporter, reviewer: Reviewer, asked: Export, lang: str) -> None:
        ended = Standing(state="failed", why=Words("the server's own log says why", "原因见服务器日志"))
        try:
            with self._turn:
                self._write(exporter, reviewer, asked, lang)
            ended = Standing(state="ready")
        except CasereelError as error:
            ended = Standing(state="failed", why=Words(error.sentence, error.zh or error.sentence))
        finally:
            self._told[asked.id] = ended

    def _write(self, exporter: Exporter, reviewer: Reviewer, asked: Export, lang: str) -> None:
        # What died with an earlier process is told of first: it may lie there whole, or be approved once more.
        exporter.clear()
        asked = exporter.seen(reviewer, asked.id)
        bag, moved = self._bag(asked), self._counting(asked)
        try:
            self._require_room(asked)
        except TryAgain as error:
            raise TryAgain(
                f"While it waited the disk filled up: remove packages that were taken, then begin it anew. {error}",
                zh=f"排队期间空间变得不足：请先清除已取走的封存包，再重新生成。{error.zh}", **error.fields,
            ) from error  # fmt: skip
        if not self.is_cut_off(asked):
            self._say(asked, "copying")
            # `make` makes one folder and no more.
            self._place(asked.id).parent.mkdir(exist_ok=True)
            exporter.make(
                reviewer,
                Asked(case=asked.printed, to=bag.parent, purpose=asked.purpose, request=asked.id, lang=lang),
                moved,
            )
        self._say(asked, "packing")
        # A process that died while it packed left its half; no other packs it now.
        unpacked(self._zip(asked))
        pack(bag, self._zip(asked), moved)
        shutil.rmtree(bag, ignore_errors=True)

    def _require_room(self, asked: Export) -> None:
        """Room for the folder and its ZIP; where the folder lies there whole already, for the ZIP alone."""
        copies = 1 if self.is_cut_off(asked) else 2
        disk.require_room(self._folder, copies * asked.size_bytes + PAYLOAD_ROOM, self._reserve_share)

    def _counting(self, asked: Export) -> Callable[[int], None]:
        def moved(count: int) -> None:
            told = self._told[asked.id]
            self._told[asked.id] = replace(told, done_bytes=min(told.done_bytes + count, told.of_bytes))

        return moved

    def _say(self, asked: Export, state: Literal["copying", "packing"]) -> None:
        self._told[asked.id] = replace(self._told[asked.id], state=state)

    def _place(self, identifier: str) -> Path:
        return self._folder / identifier

    def _bag(self, asked: Export) -> Path:
        return self._place(asked.id) / f"export-{asked.id}"

    def _zip(self, asked: Export) -> Path:
        return self._place(asked.id) / f"export-{asked.id}.zip"


def _none_such() -> NotAllowed:
    return NotAllowed("There is no such package", zh="没有此封存包")
