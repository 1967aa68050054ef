"""What a case must have before its decision is taken, what of it is there, and what is missing, in words. Pure.

`checklist.toml` says what is asked of which type of case. A signed list is a state with its digest; what changed since
is told in words. Not covered: what only eyes and ears can tell (whether a badge was shown, rights were read).
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any, Final, Literal, get_args

from config.settings import SHIPPED
from indexer.casework.case_file import CaseFile
from indexer.casework.contradictions import Contradiction
from indexer.coverage import Covered, Steps, stamp_of
from pipeline.errors import BadInput
from pipeline.records import Activity, Case

NAME: Final = "checklist.toml"
Art = Literal["step", "written", "recordings", "element"]
# What the checks of elements ask of originals, beside what a case file holds.
FACTS: Final = ("register.device", "register.officer", "sidecar.officer")
_TEXTS: Final = frozenset({"srt", "vtt", "text", "txt", "ass", "lrc"})


@dataclass(frozen=True, kw_only=True)
class Item:
    """One thing that is asked. of: types of cases, empty for all; when: asked only where there is such a step."""

    name: str
    art: Art
    zh: str
    en: str
    source: str
    of: tuple[str, ...] = ()
    when: str | None = None
    words: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    check: str = ""
    must: bool = True
    source_zh: str = ""


@dataclass(frozen=True, kw_only=True)
class CaseType:
    """A type of case. words: what its numbers or title hold."""

    name: str
    words: tuple[str, ...]
    zh: str
    en: str


@dataclass(frozen=True, kw_only=True)
class ListRules:
    """All of one `checklist.toml`."""

    version: str
    uncertainty_s: float
    officers: int
    types: tuple[CaseType, ...]
    items: tuple[Item, ...]

    def type_of(self, case: Case) -> CaseType:
        """The type of the case; the last of the file where no word fits."""
        said = " ".join([case.title, *(f"{number} {kind or ''}" for number, kind in case.numbers)])
        return next((one for one in self.types if any(word in said for word in one.words)), self.types[-1])


@dataclass(frozen=True, kw_only=True)
class Checked:
    """An item as it stands. found: originals or activities that speak for it; missing: what lacks, en and zh."""

    item: Item
    there: bool
    found: tuple[str, ...] = ()
    missing: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Checklist:
    """The list of one case. lacking: how many items that must be there are not."""

    type: CaseType
    version: str
    checked: tuple[Checked, ...]

    @property
    def lacking(self) -> int:
        return sum(not one.there and one.item.must for one in self.checked)


def list_rules_of(home: Path) -> ListRules:
    """The rules in force in this home. Raises BadInput where its own file cannot be used."""
    own = home / NAME
    path = own if own.exists() else SHIPPED / NAME
    return _read(path, stamp_of(path))


@lru_cache(maxsize=4)
def _read(path: Path, stamp: tuple[int, int]) -> ListRules:
    """stamp: of the file as it is now, so that one that was changed is read anew."""
    del stamp
    try:
        said = tomllib.loads(path.read_text(encoding="utf-8-sig"))
        items = tuple(Item(**_tuples(one)) for one in said["item"])
        types = tuple(CaseType(**_tuples(one)) for one in said["type"])
        limits = said["limits"]
        rules = ListRules(version=str(said["version"]), uncertainty_s=float(limits["uncertainty_s"]),
                          officers=int(limits["officers"]), types=types, items=items)  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{path} cannot be used: {error}", zh=f"{path} 不可用：{error}", path=str(path)) from error
    wrong = [
        one.name for one in items if one.art not in get_args(Art) or (one.art == "element") != (one.check in CHECKS)
    ]
    wrong += [one.name for one in items if set(one.of) - {kind.name for kind in types}]
    if wrong or not types:
        raise BadInput(f"{path}: {', '.join(wrong) or 'type'} is not as its head says",
                       zh=f"{path}：{'、'.join(wrong) or 'type'} 的写法有误", path=str(path), found=wrong)  # fmt: skip
    return rules


def _tuples(table: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in table.items()}


def checklist_of(
    file: CaseFile, duties: Sequence[Covered], contradictions: Sequence[Contradiction], rules: ListRules, steps: Steps
) -> Checklist:
    """What is asked of this case, and how each stands."""
    kind = rules.type_of(file.case)
    present = {steps.of(one.step).name for one in file.activities}
    asked = [
        one for one in rules.items
        if (not one.of or kind.name in one.of) and (one.when is None or one.when in present)
    ]  # fmt: skip
    given = _Given(file, duties, contradictions, rules, steps)
    return Checklist(type=kind, version=rules.version, checked=tuple(given.checked(one) for one in asked))


class _Given:
    """What is known of the case, asked item by item."""

    def __init__(
        self, file: CaseFile, duties: Sequence[Covered], contradictions: Sequence[Contradiction], rules: ListRules,
        steps: Steps,
    ) -> None:  # fmt: skip
        self.file, self.duties, self.contradictions = file, duties, contradictions
        self.rules, self.steps = rules, steps
        papers = {found for one in rules.items if one.art == "written" for found in self._papers(one)}
        self.films = [
            one for one in file.linked if one.kind in ("video", "audio", "photo") and one.original not in papers
        ]

    def checked(self, item: Item) -> Checked:
        """How the item stands."""
        match item.art:
            case "step":
                return self._step(item)
            case "written":
                return self._written(item)
            case "recordings":
                missing = tuple(_of_duty(one) for one in self.duties if not one.fulfilled)
                missing += tuple(_untimed(one) for one in self._whole() if one.from_at is None)
                return Checked(item=item, there=not missing, missing=missing,
                               found=tuple(one.activity.code for one in self.duties if one.fulfilled))  # fmt: skip
        missing = tuple(CHECKS[item.check](self))
        return Checked(item=item, there=not missing, missing=missing)

    def _whole(self) -> list[Activity]:
        """Activities of which something must be recorded."""
        return [one for one in self.file.activities if self.steps.of(one.step).required != "some"]

    def _step(self, item: Item) -> Checked:
        found = tuple(one.code for one in self.file.activities if self.steps.of(one.step).name in item.steps)
        missing = () if found else ((f"No activity of this kind is registered: {item.en}", f"未登记：{item.zh}"),)
        return Checked(item=item, there=bool(found), found=found, missing=missing)

    def _papers(self, item: Item) -> tuple[str, ...]:
        """What may be the written record: a document or a picture of one, called so."""
        says = {one.original: one.kind for one in self.file.written}
        return tuple(
            one.original for one in self.file.linked
            if one.kind in ("document", "photo")
            and any(word in text for word in item.words for text in (one.name, says.get(one.original, "")))
        )  # fmt: skip

    def _written(self, item: Item) -> Checked:
        found = self._papers(item)
        missing = () if found else ((f"Nothing of this name is linked: {item.en}", f"案卷中没有：{item.zh}"),)
        return Checked(item=item, there=bool(found), found=found, missing=missing)


def _of_duty(one: Covered) -> tuple[str, str]:
    lacks_s = sum(gap.length_s for gap in one.gaps if gap.kind not in ("file_split", "pause_explained"))
    return (
        f"{one.activity.step} ({one.activity.code}): {one.share:.1%} recorded, {lacks_s:.0f} s lack without a reason",
        f"{one.activity.step}（{one.activity.code}）：已记录 {one.share:.1%}，{lacks_s:.0f} 秒缺失且未说明原因",
    )


def _untimed(one: Activity) -> tuple[str, str]:
    return (f"{one.step} ({one.code}) has no times: what had to be recorded of it is not known",
            f"{one.step}（{one.code}）未登记时间，无法核对应记录的内容")  # fmt: skip


Lacks = Iterator[tuple[str, str]]


def _parties(given: _Given) -> Lacks:
    if not given.file.case.parties:
        yield "No party is registered", "未登记当事人"


def _officers(given: _Given) -> Lacks:
    for one in given.file.activities:
        if len(one.people) < given.rules.officers:
            names = "、".join(one.people) or "-"
            yield (f"{one.step} ({one.code}) names {len(one.people)} officer(s): {names}",
                   f"{one.step}（{one.code}）只登记了 {len(one.people)} 名执法人员：{names}")  # fmt: skip


def _times(given: _Given) -> Lacks:
    for one in given.file.activities:
        if one.from_at is None or one.to_at is None:
            yield f"{one.step} ({one.code}) lacks its beginning or end", f"{one.step}（{one.code}）缺少开始或结束时间"


def _places(given: _Given) -> Lacks:
    for one in given.file.activities:
        if not one.place:
            yield f"{one.step} ({one.code}) lacks its place", f"{one.step}（{one.code}）缺少地点"


def has_device(facts: Mapping[str, Any]) -> bool:
    """Whether it is known which registered device made it."""
    return bool(facts.get("register.device"))


def has_maker(facts: Mapping[str, Any]) -> bool:
    """Whether it is known who made it."""
    return any(facts.get(name) for name in FACTS if name.endswith(".officer"))


def is_in_writing(name: str, beside: Iterable[str], documents: Iterable[str]) -> bool:
    """Whether the words of this recording are in writing. beside: formats of its sidecars; documents: their names."""
    stem = PurePosixPath(name).stem
    return bool(_TEXTS & set(beside)) or any(stem in one for one in documents)


def _devices(given: _Given) -> Lacks:
    for one in given.films:
        if not has_device(given.file.facts.get(one.original, {})):
            yield f"{one.name}: no registered device", f"{one.name}：未能确定登记的设备"


def _carriers(given: _Given) -> Lacks:
    for one in given.films:
        if not has_maker(given.file.facts.get(one.original, {})):
            yield f"{one.name}: nobody is known to have made it", f"{one.name}：制作人不明"


def _clocks(given: _Given) -> Lacks:
    timed = {one.original: one for one in given.file.shown}
    for one in given.films:
        shown = timed.get(one.original)
        if one.kind != "photo" and shown is None:
            yield f"{one.name}: no time is known", f"{one.name}：时间不明"
        elif shown is not None and shown.uncertainty_s > given.rules.uncertainty_s:
            yield (f"{one.name}: its time is unsure by {shown.uncertainty_s:.0f} s",
                   f"{one.name}：时间误差达 {shown.uncertainty_s:.0f} 秒")  # fmt: skip


def _links(given: _Given) -> Lacks:
    for one in given.file.linked:
        if one.status == "proposed":
            yield f"{one.name} is only proposed for the case", f"{one.name} 仅为关联建议，尚未确认"


def _members(given: _Given) -> Lacks:
    for one in given.file.recordings:
        for seam in one.seams:
            if seam.kind in ("missing", "clock_step", "unknown"):
                yield seam.why, seam.why_zh
        yield from ((said.text, said.text_zh) for said in one.remarks)


def _digests(given: _Given) -> Lacks:
    for one in given.file.linked:
        if one.original in given.file.broken:
            yield f"{one.name}: an incident is open", f"{one.name}：存在未处理的完整性事件"


def _transcripts(given: _Given) -> Lacks:
    written = [one.name for one in given.file.linked if one.kind == "document"]
    for one in given.films:
        if one.kind == "audio" and not is_in_writing(one.name, given.file.beside.get(one.original, ()), written):
            yield f"{one.name}: its words are not in writing", f"{one.name}：没有文字记录"


def _contradictions(given: _Given) -> Lacks:
    return ((one.text, one.text_zh) for one in given.contradictions)


CHECKS: Final[Mapping[str, Callable[[_Given], Lacks]]] = {
    "parties": _parties, "officers": _officers, "times": _times, "places": _places, "devices": _devices,
    "carriers": _carriers, "clocks": _clocks, "links": _links, "members": _members, "digests": _digests,
    "transcripts": _transcripts, "contradictions": _contradictions,
}  # fmt: skip


# -- signing


def state_of(file: CaseFile, checklist: Checklist, duties: Sequence[Covered], steps: Steps) -> dict[str, Any]:
    """What a signature freezes, as plain JSON data: originals by digest, activities, reasons, coverage, the list."""
    return {
        "rules": {"checklist": checklist.version, "steps": steps.version}, "type": checklist.type.name,
        "originals": {one.sha256: f"{one.status} {_range_of(one.from_s, one.to_s)}".strip() for one in file.linked},
        "names": {one.sha256: one.name for one in file.linked},
        "activities": {one.code: _told(one) for one in file.activities},
        "reasons": sorted(one.id for one in file.excuses),
        "covered": {one.activity.code: [round(one.covered_s, 3), round(one.sure_s, 3)] for one in duties},
        "items": {one.item.name: one.there for one in checklist.checked},
    }  # fmt: skip


def digest_of(state: Mapping[str, Any]) -> str:
    """The SHA-256 of the state as sorted JSON without spaces."""
    text = json.dumps(state, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def changes_between(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What changed since a state was signed, in English and Chinese; nothing where both are the same."""
    names = {**before["names"], **after["names"]}
    return [
        *_changed(before["originals"], after["originals"], lambda one: str(names.get(one, one)), "", ""),
        *_changed(before["activities"], after["activities"], str, "activity ", "执法活动 "),
        *_changed(before["covered"], after["covered"], str, "coverage of ", "覆盖情况 "),
        *_changed(dict.fromkeys(before["reasons"], 1), dict.fromkeys(after["reasons"], 1), str, "reason ", "说明 "),
        *_changed(before["items"], after["items"], str, "item ", "清单项 "),
        *_changed(before["rules"], after["rules"], str, "rules ", "规则 "),
    ]


def _changed(
    before: Mapping[str, Any], after: Mapping[str, Any], name: Callable[[str], str], word: str, word_zh: str
) -> Iterator[tuple[str, str]]:
    for one in sorted(before.keys() | after.keys()):
        was, now = before.get(one), after.get(one)
        if one not in before:
            yield f"{word}{name(one)} came", f"新增{word_zh}{name(one)}"
        elif one not in after:
            yield f"{word}{name(one)} is gone", f"减少{word_zh}{name(one)}"
        elif was != now:
            yield f"{word}{name(one)}: {was} became {now}", f"{word_zh}{name(one)}：由 {was} 变为 {now}"


def _told(one: Activity) -> str:
    span = [at.isoformat() if at else "" for at in (one.from_at, one.to_at)]
    return " | ".join([one.step, *span, one.place or "", "、".join(one.people)])


def _range_of(from_s: float | None, to_s: float | None) -> str:
    return "" if from_s is None and to_s is None else f"{from_s or 0:g}-{'' if to_s is None else f'{to_s:g}'} s"
