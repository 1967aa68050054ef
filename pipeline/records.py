"""The nouns: what the pipeline takes in, finds out and makes.

Every instant is an aware datetime in UTC (`_at`); the text it was read from is kept beside it. `sha256` is
lower-case hex. A record is a value: nothing here touches a disk or a clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

Kind = Literal["video", "audio", "photo", "document", "sidecar", "other"]
Lane = Literal["light", "heavy"]


@dataclass(frozen=True)
class Words:
    """A sentence, or a part of one, in English and Chinese.

    Where it is stored or handed out as plain data the Chinese stands beside the English under the same name with
    `_zh`; errors carry it as `zh`. Empty Chinese: the row is older than its Chinese, and the English is shown.
    """

    en: str
    zh: str


def worded(one: object, name: str, lang: str) -> str:
    """The sentence that stands under this name (`why`, `text`), in Chinese for `zh` where it has one, else English."""
    chinese = getattr(one, f"{name}_zh", "") if lang == "zh" else ""
    return str(chinese or getattr(one, name))


@dataclass(frozen=True, kw_only=True)
class Original:
    """Bytes in custody under their digest.

    kind: what reviewers call it; format: what the bytes are (`jpeg`, `mov`, `wav`, ...), by content.
    name: the name it first arrived under, decoded for reading. parent: the original a sidecar belongs to.
    """

    id: str
    sha256: str
    sm3: str | None
    size_bytes: int
    kind: Kind
    format: str
    name: str
    state: str
    accepted_at: datetime
    parent: str | None = None


@dataclass(frozen=True, kw_only=True)
class Stated:
    """What the clerk said when handing a file over; a person's word, not a guess."""

    case: str | None = None
    activity: str | None = None
    device: str | None = None
    officer: str | None = None


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """One path that settled and was taken in.

    name_raw: the file name's bytes as the file system gave them; path: the whole path, decoded for reading.
    folder: the path below the watched root (or the ingested tree), without the name, decoded, `/` between parts.
    source: which root it came from (`inbox`, `ingest:/media/card`). mtime_at: as the file system told it.
    """

    id: str
    original: str | None
    path: str
    folder: str
    name: str
    name_raw: bytes
    source: str
    status: Literal["accepted", "duplicate", "rejected"]
    reason: str | None
    size_bytes: int
    mtime_ns: int
    taken_at: datetime
    stated: Stated = field(default_factory=Stated)


@dataclass(frozen=True, kw_only=True)
class Property:
    """One fact read from the bytes.

    name: dotted, `group.fact` (`video.width`, `exif.DateTimeOriginal`); found: the text as it stood in the
    file; value: the same as a number, string, boolean or list, None when it could not be understood.
    finder: `extractor/version`.
    """

    name: str
    found: str
    value: Any
    finder: str = ""


@dataclass(frozen=True, kw_only=True)
class TimeClaim:
    """What one source says about when this was recorded.

    at: the instant, or for a claim without a zone the instant under the zone the rule assumed.
    zone_known: whether the source itself said its zone. offset_min: that zone, minutes east of UTC.
    marks: which moment the source means; `saved` and `exported` are never the time of recording.
    precision_s: the step of the source's clock as written (1.0 for whole seconds, 60.0 for minutes).
    trust: 0 (never decides) to 100, from `timestamps.toml`.
    """

    source: str
    found: str
    at: datetime | None
    end_at: datetime | None = None
    zone_known: bool
    offset_min: int | None
    marks: Literal["start", "end", "saved", "exported", "unknown"]
    precision_s: float
    trust: int
    note: str = ""
    finder: str = ""


@dataclass(frozen=True, kw_only=True)
class DecidedTime:
    """The chosen claim as an interval, how sure it is and why.

    uncertainty_s: half the width of what cannot be excluded. losers: (source, reason, reason in Chinese) of every other
    claim. by_rules: where a person corrected it, what the rules decide, as plain data (`start_at`, `end_at`,
    `uncertainty_s`, `method`, `why`, `why_zh`, `source`); empty where they decide nothing.
    """

    start_at: datetime
    end_at: datetime
    uncertainty_s: float
    method: str
    why: str
    zone_known: bool
    source: str
    losers: tuple[tuple[str, str, str], ...] = ()
    finder: str = ""
    by_rules: Mapping[str, Any] | None = None
    why_zh: str = ""


@dataclass(frozen=True, kw_only=True)
class TimeCorrection:
    """What a person says of when it was recorded, beside what the rules decide. end_at: None for start and length."""

    start_at: datetime
    end_at: datetime | None
    uncertainty_s: float
    reason: str
    by: str


@dataclass(frozen=True, kw_only=True)
class CaseLink:
    """Why an original (or from_s..to_s of it) belongs to a case; proposed until a person says yes or no.

    case: the number in its printed form; case_key: the same, normalised for comparing.
    """

    case: str
    case_key: str
    method: str
    score: float
    why: str
    status: Literal["proposed", "confirmed", "refused"] = "proposed"
    activity: str | None = None
    from_s: float | None = None
    to_s: float | None = None
    by: str | None = None
    finder: str = ""
    why_zh: str = ""


@dataclass(frozen=True, kw_only=True)
class Caveat:
    """What a reviewer must bear in mind. code: stable, for grouping; text: plain words (Chinese / English)."""

    code: str
    text: str
    text_zh: str = ""
    finder: str = ""


@dataclass(frozen=True, kw_only=True)
class MadeFile:
    """A derivative that a deriver left in its scratch folder; the vault moves it to its place.

    role: `proxy`, `poster`, `sprites`, `sprites_map`, `waveform`, `view`, `page`. tool: name and version.
    parameters: what the tool was told, and what was decided and why.
    """

    role: str
    path: Path
    mime: str
    tool: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    finder: str = ""


@dataclass(frozen=True, kw_only=True)
class Derivative:
    """Made from an original: never the exhibit, and may be deleted and made again."""

    id: str
    original: str
    role: str
    mime: str
    path: str
    sha256: str
    size_bytes: int
    tool: str
    parameters: Mapping[str, Any]
    finder: str


@dataclass(frozen=True, kw_only=True)
class Fingerprint:
    """Perceptual marks with their positions: they suggest likeness and never prove sameness.

    method: the fingerprinter's name; version: of its algorithm; data: its own packed form.
    """

    method: str
    version: int
    data: bytes
    finder: str = ""


# The last one: by the sound alone, of recordings with pictures. It may be the same occasion, or music that was playing.
Relation = Literal["same recording", "part of the other", "shares a part", "same picture", "same sound"]


@dataclass(frozen=True, kw_only=True)
class Relative:
    """Another original that shows or sounds the same; both stay what they are.

    offset_s: in the other, where the shared stretch begins; own_offset_s: in this one. links: the other's.
    """

    original: str
    name: str
    relation: Relation
    offset_s: float
    own_offset_s: float
    length_s: float
    score: float
    links: tuple[CaseLink, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Neighbour:
    """Another file of the same logical recording, with what lies between.

    distance: how many files away, below 0 before this one. flaws: seams between that are more than a switch of files.
    why: of the seam next to this file, in words. links: the other's.
    """

    original: str
    name: str
    distance: int
    flaws: int
    why: str
    why_zh: str = ""
    links: tuple[CaseLink, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Beside:
    """What lies around a file in its logical recording.

    recording: the identifier of that recording, '' where it is of this file alone. missing: what is told to be missing
    next to it, in English and Chinese. stale: neighbours that still carry a caveat of a file missing next to them, or
    another identifier of the recording.
    """

    recording: str = ""
    neighbours: tuple[Neighbour, ...] = ()
    missing: tuple[tuple[str, str], ...] = ()
    stale: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Facts:
    """All that one stage found out about one original; recorded whole or not at all.

    state: the state the original moves to, None to stay. parent: the original this sidecar belongs to.
    is_retimed: what was found bears on when it was recorded. offsets: what it tells of its device's clock.
    again: other originals whose links this may change.
    """

    properties: tuple[Property, ...] = ()
    time_claims: tuple[TimeClaim, ...] = ()
    time: DecidedTime | None = None
    links: tuple[CaseLink, ...] = ()
    caveats: tuple[Caveat, ...] = ()
    made: tuple[MadeFile, ...] = ()
    fingerprints: tuple[Fingerprint, ...] = ()
    relatives: tuple[Relative, ...] = ()
    parent: str | None = None
    state: str | None = None
    is_retimed: bool = False
    offsets: tuple[ClockOffset, ...] = ()
    again: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Known:
    """An original with all that is known of it so far; what a stage is given.

    properties: by name; of several finders the last recorded wins. sidecars: the originals attached to this one.
    relatives: as recorded, from both sides and without links; the stage that links looks anew, with their links.
    around, neighbours: filled in by that stage. filed: filled in for finding it.
    restrictions: those in force on it, on what belongs to the same recording, and on their cases.
    """

    original: Original
    arrivals: tuple[Arrival, ...] = ()
    properties: Mapping[str, Property] = field(default_factory=dict)
    time_claims: tuple[TimeClaim, ...] = ()
    time: DecidedTime | None = None
    correction: TimeCorrection | None = None
    links: tuple[CaseLink, ...] = ()
    caveats: tuple[Caveat, ...] = ()
    derivatives: tuple[Derivative, ...] = ()
    fingerprints: tuple[Fingerprint, ...] = ()
    sidecars: tuple[Known, ...] = ()
    relatives: tuple[Relative, ...] = ()
    around: Around | None = None
    neighbours: tuple[Neighbour, ...] = ()
    filed: Filed | None = None
    restrictions: tuple[Restriction, ...] = ()

    def value(self, name: str, default: Any = None) -> Any:
        """The understood value of a property, or default where it is absent or was not understood."""
        found = self.properties.get(name)
        return default if found is None or found.value is None else found.value


DeviceArt = Literal["body_worn", "camera", "recorder", "cctv", "drone", "vehicle", "phone", "other"]


@dataclass(frozen=True, kw_only=True)
class Device:
    """A recording device of the register.

    code: the bureau's own number of it; aliases: what else files and docks call it; zone: of its clock, where it is
    not the bureau's. place, review_41: of a fixed camera, and what its review under art. 41 (行政处罚法) found.
    """

    code: str
    name: str = ""
    art: DeviceArt = "other"
    serial: str | None = None
    aliases: tuple[str, ...] = ()
    unit: str | None = None
    zone: str | None = None
    place: str | None = None
    review_41: str | None = None


@dataclass(frozen=True, kw_only=True)
class Custodian:
    """A person who carries devices. code: of the enforcement credential; aliases: short numbers that devices hold."""

    code: str
    name: str
    unit: str | None = None
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class LedgerEntry:
    """Who carried which device from when to when, by their codes. to_at: None where it was not given back yet."""

    device: str
    custodian: str
    from_at: datetime
    to_at: datetime | None = None
    note: str | None = None


@dataclass(frozen=True, kw_only=True)
class ClockOffset:
    """What a device's clock showed less the true time, at that moment. device: by its code; at: true.

    how: `measured` by a person; `filmed`: it recorded a true clock; `compared`: a device whose time is known recorded
    the same moment; `gps`: its own positions tell the time; `set`: its clock was set right then, and offset_s is what
    was left.
    """

    device: str
    at: datetime
    offset_s: float
    uncertainty_s: float
    how: Literal["measured", "filmed", "compared", "gps", "set"]
    by: str


@dataclass(frozen=True, kw_only=True)
class Party:
    """Whom a case concerns. identifier: of a firm or a person, as the register has it."""

    name: str
    identifier: str | None = None


@dataclass(frozen=True, kw_only=True)
class Case:
    """A matter with its many numbers. numbers: (as printed, kind: `立案`, `决定书`, ... or None), the first its own.

    opened_on, decision_due_on: days, `2026-11-22`.
    """

    numbers: tuple[tuple[str, str | None], ...]
    title: str = ""
    opened_on: str | None = None
    decision_due_on: str | None = None
    parties: tuple[Party, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Activity:
    """An enforcement step with place, people and times. case: a number of its case, None before the case is filed."""

    code: str
    step: str
    case: str | None = None
    place: str | None = None
    people: tuple[str, ...] = ()
    from_at: datetime | None = None
    to_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Carried:
    """Who carried the device while the recording was made. whole: for all of its interval, its uncertainty included."""

    person: Custodian
    entry: LedgerEntry
    whole: bool


@dataclass(frozen=True, kw_only=True)
class Happened:
    """An activity near the recording in time. shared_s: of the decided interval; within: surely all of it.

    distance_m: from its place to where the recording was made, where both are known; moved: to the nearest of where it
    went meanwhile. place_words: what of the names
    of its place the recording, its folder or its device carries.
    """

    activity: Activity
    shared_s: float
    within: bool
    distance_m: float | None = None
    moved: bool = False
    place_words: str = ""


@dataclass(frozen=True, kw_only=True)
class Named:
    """A party whose name or number was found with the recording. where: in what; text: as found.

    how: the whole `name`, its `short` form, or its `identifier`. cases: a number of each case of this party.
    """

    party: Party
    how: Literal["name", "short", "identifier"]
    where: str
    text: str
    cases: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Card:
    """A clock card or a case slate that this home made. number: the four letters that its codes carry."""

    number: str
    kind: Literal["clock", "slate"]
    made_at: datetime
    by: str


@dataclass(frozen=True, kw_only=True)
class Around:
    """What the registers say of one original.

    device_why: by what its device was told; offsets: what was measured of that device's clock; officer: whom the file
    itself names. named: parties found in its names and texts. told: keys of the cases that something names outright, or
    a person confirmed; filled in by the stage that links. sealed: texts of the codes seen in it that this home's
    own cards show; cards: those, by number.
    """

    device: Device | None = None
    device_why: Words = Words("", "")
    offsets: tuple[ClockOffset, ...] = ()
    officer: Custodian | None = None
    carried: tuple[Carried, ...] = ()
    happened: tuple[Happened, ...] = ()
    named: tuple[Named, ...] = ()
    told: frozenset[str] = frozenset()
    sealed: frozenset[str] = frozenset()
    cards: Mapping[str, Card] = field(default_factory=dict)


Registered = Device | Custodian | LedgerEntry | ClockOffset | Case | Activity


@dataclass(frozen=True, kw_only=True)
class Filed:
    """What registers and decisions say of an original, through the links that nobody refused.

    retention: the classes decided for it and its cases; is_held: whether a hold is on it or one of its cases.
    """

    cases: tuple[Case, ...] = ()
    activities: tuple[Activity, ...] = ()
    device: Device | None = None
    retention: tuple[str, ...] = ()
    is_held: bool = False


@dataclass(frozen=True, kw_only=True)
class SavedSearch:
    """A question that a person asks again and again, and is told of new originals that answer it.

    text, filters: as they were typed; times in words, like 昨天, are read anew each time. ended_at: when given up.
    """

    id: str
    owner: str
    name: str
    text: str
    filters: Mapping[str, Any]
    purpose: str
    saved_at: datetime
    ended_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Alert:
    """An original taken in after a search was saved, and found by it. seen_at: when its owner was shown it."""

    search: str
    original: str
    raised_at: datetime
    seen_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Annotation:
    """What a person keeps of an instant of an original, or of a stretch of it; never changed, only withdrawn.

    at_s, to_s: seconds from its first picture; to_s None for an instant. pts, to_pts: of the pictures then shown, as
    the original holds them, in units of pts_unit seconds (`1/90000`); None for sound. corrected_at, uncertainty_s: when
    that was by what was decided when it was written. shared: everybody who sees the original sees it.
    beside, offset_s: of a `nudge`, another original, and so many seconds to add to this one's clock beside it.
    """

    id: str
    original: str
    sha256: str
    kind: Literal["bookmark", "note", "nudge"]
    at_s: float
    to_s: float | None
    pts: int | None
    to_pts: int | None
    pts_unit: str | None
    corrected_at: datetime | None
    uncertainty_s: float | None
    text: str
    shared: bool
    by: str
    made_at: datetime
    beside: str | None = None
    offset_s: float | None = None
    withdrawn_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Person:
    """Who does a deed, and in which role."""

    name: str
    role: str


@dataclass(frozen=True, kw_only=True)
class Hold:
    """Keeps an original, or all originals of a case, from disposal until two persons released it.

    Exactly one of original and case_key is given. kind: `hold`, or the proceeding that asks for it.
    """

    id: str
    original: str | None
    case_key: str | None
    printed: str | None
    kind: Literal["hold", "review", "litigation", "petition"]
    reason: str
    by: str
    role: str
    from_at: datetime
    release_asked_by: str | None = None
    release_asked_at: datetime | None = None
    release_reason: str | None = None
    released_by: str | None = None
    released_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Restriction:
    """Only some may see an original with its sidecars, or all originals of a case: `indexer/access.py` says who.

    Exactly one of original and case_key is given. kind: what is protected; `isolated` is placed by nobody, lets nobody
    in, and stands for what `isolations.py` keeps. units, persons: who may see it besides the person who placed it.
    """

    id: str
    original: str | None
    case_key: str | None
    printed: str | None
    kind: Literal["work_secret", "trade_secret", "personal_privacy", "isolated"]
    units: tuple[str, ...]
    persons: tuple[str, ...]
    reason: str
    by: str
    role: str
    from_at: datetime
    lifted_by: str | None = None
    lifted_why: str | None = None
    lifted_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Retained:
    """A person decided under which class an original, or a closed case, is kept.

    from_on: the day the period is counted from (`2026-11-22`); None is the day of taking in. rules: version and
    digest of the rules that were in force. ended_at: when another decision, or reopening the case, took its place.
    """

    id: str
    original: str | None
    case_key: str | None
    printed: str | None
    code: str
    from_on: str | None
    reason: str
    by: str
    role: str
    rules: str
    decided_at: datetime
    ended_at: datetime | None = None
    ended_by: str | None = None
    ended_why: str | None = None


@dataclass(frozen=True, kw_only=True)
class Disposal:
    """The way of an original out of custody. certificate: who, what, why and under which rule, once it is done."""

    id: str
    original: str
    state: str
    reason: str
    code: str
    until_at: datetime
    rules: str
    proposed_by: str
    proposed_role: str
    proposed_at: datetime
    approved_by: str | None = None
    approved_role: str | None = None
    approved_at: datetime | None = None
    begun_at: datetime | None = None
    ended_at: datetime | None = None
    ended_by: str | None = None
    ended_why: str | None = None
    certificate: Mapping[str, Any] | None = None
