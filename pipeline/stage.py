"""What a stage and each kind of part looks like, and the parts a stage may use."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from config.settings import Settings
from pipeline.records import (
    Around,
    Beside,
    CaseLink,
    Facts,
    Fingerprint,
    Known,
    Lane,
    Original,
    Relative,
    TimeClaim,
)
from pipeline.timing.history import History

if TYPE_CHECKING:
    from pipeline.edges.audit import AuditLog
    from pipeline.edges.caged.media import Branch, Decoded, Sink, Writing
    from pipeline.edges.catalog import Catalog
    from pipeline.edges.tools import Tools
    from pipeline.edges.vault import Vault


class Index(Protocol):
    """What the pipeline asks of the index: that it has followed the catalog at least this far."""

    def follow(self) -> int:
        """The catalog's change sequence that searches now see; the index was brought up to date first."""


@dataclass(frozen=True)
class Context:
    """The parts a stage may use; built in `workers/bootstrap.py` and passed.

    scratch: a folder of this process's own for files on their way, on the derivatives' file system.
    still_wanted: raises Superseded when the job was cancelled or taken over; asked during long work.
    progress: is told the share of the work that is done, 0.0 to 1.0.
    relatives: other originals that show the same, by the marks recorded so far.
    around: what the registers say of an original. neighbours: other files of the same recording, as far as recorded.
    history: what other recordings of its device say of its time.
    """

    settings: Settings
    vault: Vault
    catalog: Catalog
    audit: AuditLog
    tools: Tools
    index: Index
    scratch: Path
    still_wanted: Callable[[], None] = lambda: None
    progress: Callable[[float], None] = lambda _: None
    relatives: Callable[[Known], Sequence[Relative]] = lambda _: ()
    around: Callable[[Known], Around] = lambda _: Around()
    neighbours: Callable[[Known], Beside] = lambda _: Beside()
    history: Callable[[Known, Around], History] = lambda _, __: History()


@dataclass(frozen=True)
class Stage:
    """One step of the way. version goes up when the same bytes would now give other facts.

    run: takes what is known and returns facts; it records nothing and queues nothing.
    """

    name: str
    version: int
    run: Callable[[Known, Context], Facts]


@dataclass(frozen=True)
class Turn:
    """A stage at its place in the order; light turns never wait behind heavy ones."""

    lane: Lane
    stage: Stage

    @property
    def name(self) -> str:
        return f"{self.lane}-{self.stage.name}"


@dataclass(frozen=True)
class Extractor:
    """A way of reading properties.

    reads: whether it applies. extract: runs in the cage with the path of the original; returns plain JSON
    data: {"properties": [[name, found, value], ...], "caveats": [[code, text, text_zh], ...]}.
    Raises Unreadable (as {"unreadable": reason}) where the bytes are not what they should be.
    """

    name: str
    version: int
    reads: Callable[[Original], bool]
    extract: Callable[[str], dict[str, Any]]


@dataclass(frozen=True)
class TimeSource:
    """A source of time claims. claims: pure; trust comes from `timestamps.toml` by the claim's source."""

    name: str
    version: int
    claims: Callable[[Known, Settings], Iterable[TimeClaim]]


@dataclass(frozen=True)
class Linker:
    """A reason to link. propose: pure; what it returns are proposals unless a person's word is the source.

    zh: what Chinese sentences call it. names_case: what it goes by names the case itself; such are asked first, and the
    others may see what they told.
    """

    name: str
    version: int
    zh: str
    propose: Callable[[Known], Iterable[CaseLink]]
    names_case: bool = False


class Listener(ABC):
    """Takes in one decode of one recording, beside all others who listen to it."""

    def heard(self) -> Sequence[tuple[Branch, Sink]]:
        """The branches it wants, each with what takes the items as they come, from a thread of its own."""
        return ()

    def writings(self) -> Sequence[Writing]:
        """The files that the decoding program writes for it."""
        return ()

    @abstractmethod
    def end(self, decoded: Decoded) -> Facts:
        """What came of it. Raises Unreadable where too little came; it is then given a decode of its own."""


@dataclass(frozen=True)
class Trial:
    """Which try this is: the first is one decode for all, each later one a decode for this part alone.

    why: what was wrong the last time; '' at first.
    """

    number: int = 0
    why: str = ""


@dataclass(frozen=True)
class Deriver:
    """Makes derivatives of an original into the scratch folder it is given.

    roles: what it makes. wants: whether it applies. Exactly one is given of derive: (source, known, scratch, context)
    -> what was made and found, for what it reads by itself, and listen: (known, scratch, context, trial) -> who listens
    to the decode of a recording. Both raise Unreadable where the source cannot be shown. tries: how often it may
    listen.
    """

    name: str
    version: int
    roles: tuple[str, ...]
    wants: Callable[[Known], bool]
    derive: Callable[[Path, Known, Path, Context], Facts] | None = None
    listen: Callable[[Known, Path, Context, Trial], Listener] | None = None
    tries: int = 2


@dataclass(frozen=True)
class Fingerprinter:
    """Takes perceptual marks. Exactly one is given of fingerprint: (source, known, context) -> marks, and listen:
    (known, context) -> who listens to the decode of a recording, and ends with one fingerprint.

    Where there are none to take, it is a fingerprint without marks.
    """

    name: str
    version: int
    wants: Callable[[Known], bool]
    fingerprint: Callable[[Path, Known, Context], Fingerprint] | None = None
    listen: Callable[[Known, Context], Listener] | None = None
