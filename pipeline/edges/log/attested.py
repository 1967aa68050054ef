"""Which signed heads a second party stands for: a witness by its cosignature, a timestamp server by its token.

For an entry of the log the earliest such head says the most: from then on nobody could change it unseen, whoever holds
the bureau's key. What does not hold is no attestation here; `verify` names it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pipeline.custody import notes
from pipeline.custody.tree import verify_consistency
from pipeline.edges.log import countersigning, tokens
from pipeline.edges.log.checkpoints import Checkpoint, Checkpoints
from pipeline.edges.log.countersigning import TIMESTAMP, Countersignature
from pipeline.errors import BadInput, CustodyBroken


@dataclass(frozen=True)
class Stamp:
    """A timestamp server's answer as it came, and when it says that it saw the head."""

    response: bytes
    at: datetime


@dataclass(frozen=True)
class Attested:
    """A signed head, and who beside this machine signed for it."""

    checkpoint: Checkpoint
    cosigned: tuple[Countersignature, ...]
    stamp: Stamp | None

    @property
    def size(self) -> int:
        """How many entries it is over."""
        return self.checkpoint.size

    @property
    def parties(self) -> frozenset[str]:
        """The witnesses' ids, and `timestamp`."""
        return frozenset({one.key.id.hex() for one in self.cosigned} | ({TIMESTAMP} if self.stamp else set()))

    @property
    def cosigned_note(self) -> str:
        """The head with the witnesses' lines behind the log's own."""
        return notes.with_signatures(self.checkpoint.parsed, [one.line for one in self.cosigned]).whole


class SecondParties:
    """What second parties signed of one log. told: what its events tell of; roots: what timestamps must lead to."""

    def __init__(self, checkpoints: Checkpoints, told: Sequence[Countersignature], roots: Path | None) -> None:
        self._checkpoints = checkpoints
        self._known = countersigning.known_keys(checkpoints.log, told)
        self._roots = roots
        self._looked: dict[int, Attested | None] = {}

    def heads_over(self, numbers: Iterable[int]) -> list[Attested]:
        """For each of these entries, the earliest head over it that each second party stands for; fewest entries first.

        Raises CustodyBroken where such a head is not the beginning of this log: then one of both was rewritten.
        """
        latest = self._checkpoints.latest()
        signed = countersigning.sizes(self._checkpoints.log)
        if self._roots is None:
            signed.pop(TIMESTAMP, None)  # nothing says whose tokens are to be believed
        chosen: dict[int, Attested] = {}
        for number in sorted(set(numbers)):
            for who, sizes in signed.items():
                for size in sizes[bisect_left(sizes, number) :]:
                    found = self._at(size, latest)
                    if found is not None and who in found.parties:
                        chosen[size] = found
                        break
        return [chosen[size] for size in sorted(chosen)]

    def _at(self, size: int, latest: Checkpoint | None) -> Attested | None:
        if size not in self._looked:
            self._looked[size] = self._look(size, latest)
        return self._looked[size]

    def _look(self, size: int, latest: Checkpoint | None) -> Attested | None:
        if latest is None or size > latest.size:
            return None
        try:
            checkpoint = self._checkpoints.at(size)
        except CustodyBroken:
            return None
        cosigned = countersigning.given_for(self._checkpoints.log, size, checkpoint.parsed, self._known)
        found = Attested(checkpoint, tuple(cosigned), self._stamp(checkpoint))
        if not found.parties:
            return None
        path = self._checkpoints.consistency(size)
        if not verify_consistency(size, checkpoint.root, latest.size, latest.root, path):
            raise CustodyBroken(
                f"A second party signed for a head over {size} entries that is not the beginning of this log: keep the "
                "disk as it is and run `casereel verify`",
                zh=f"第二方为前 {size} 条签过名的签名头不是本日志的开头：请保持磁盘原样并运行 casereel verify",
                path=str(checkpoint.path),
            )
        return found

    def _stamp(self, checkpoint: Checkpoint) -> Stamp | None:
        path = checkpoint.path.with_name(checkpoint.path.name + tokens.SUFFIX)
        if self._roots is None or not path.exists():
            return None
        response = path.read_bytes()
        try:
            return Stamp(response, tokens.time_of(response, checkpoint.note.encode(), self._roots))
        except (ValueError, BadInput):
            return None
