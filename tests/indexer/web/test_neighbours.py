"""What stands beside a hidden original is open, and says much of it: who may not know of it reads no word of that.

A restricted recording and one of a restricted case lie between free ones of the same device, so that linkers, clocks,
recordings, lists, persons and packages name them beside those. Every page, answer and table is then asked for.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import pypdfium2 as pdfium
import pytest

from config.settings import load
from indexer.access import Reviewer
from indexer.casework.review import review_of, rules_in, sign
from indexer.export import Asked
from indexer.persons.masking import masked
from indexer.persons.unnamed import SAID
from pipeline.acts.annotating import Annotating
from pipeline.acts.correcting import Correcting
from pipeline.acts.excusing import Excuses
from pipeline.acts.linking import Linking
from pipeline.acts.restricting import Restricting
from pipeline.acts.signing import Signatures
from pipeline.case_numbers import comparable
from pipeline.edges.audit import NewEvent
from pipeline.edges.database import drops, knowledge, registers
from pipeline.edges.database.drops import Drop
from pipeline.records import (
    Activity,
    Case,
    CaseLink,
    Caveat,
    ClockOffset,
    Custodian,
    Device,
    Facts,
    Party,
    Person,
    Relative,
    TimeCorrection,
)
from pipeline.stages import link as linking_stage
from tests.flows.keeping import REVIEWER, filmed, take
from tests.indexer.web.asking import person
from tests.indexer.web.filled import addresses, narrowed
from workers import cli
from workers.bootstrap import Home, build_context, build_home, make_home

OPEN, SHUT = "平商务罚字〔2026〕第3号", "平商务罚字〔2026〕第9177号"
TEN = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
INSIDER = Reviewer("李法制", "reviewer", "法制科")
# Each stands in what is hidden and nowhere else, neither in a digest nor in an identifier.
WORDS = ("鹿鸣密录", "青石埠", "9177号", "2026-9177", "QSB-")
LIMITED = ("clerk", "reviewer", "operator", "administrator")


class World:
    """free: three recordings and a photo of OPEN; hidden: two between them, and a photo of a case of their own."""

    def __init__(self, home: Home, folder: Path) -> None:
        self.home, self.folder = home, folder
        names = ("甲0001.mp4", "鹿鸣密录0002.mp4", "乙0003.mp4", "青石埠0004.mp4", "丙0005.mp4")
        originals = []
        self._register()
        for number, name in enumerate(names):
            originals += filmed(
                home, folder / "card", (name, TEN + number * MINUTE, 60.0), register__device="ZF-1",
                register__officer=["周承办"], file_name__sequence=f"{number + 1:04}", file_name__profile="ga_t",
                container__duration_s=60.0,
            )  # fmt: skip
        first, secret, second, shut, third = originals
        [photo, sealed] = take(home, folder / "card", "门头.jpg", "青石埠门头.jpg")
        self.free, self.hidden = (first, second, third, photo), (secret, shut, sealed)
        digests = [home.catalog.known_of(one).original.sha256 for one in self.hidden]
        self.tells = (*self.hidden, *digests, *WORDS)
        linking = Linking(home.catalog, home.audit)
        for one, case in ((first, OPEN), (secret, OPEN), (third, OPEN), (photo, OPEN), (shut, SHUT), (sealed, SHUT)):
            linking.link("李法制", one, case, "现场")
        self._speak(first, second, photo, secret, shut)
        self._sign_and_ask()
        self._restrict(secret)
        self._look_anew()

    def _register(self) -> None:
        cases = (
            Case(numbers=((OPEN, None),), title="平码头案", decision_due_on="2026-12-01",
                 parties=(Party(name="平码商行"),)),
            Case(numbers=((SHUT, None), ("QSB-9177", None)), title="青石埠专案", decision_due_on="2026-11-01",
                 parties=(Party(name="青石埠商行", identifier="91-QSB-7"),)),
        )  # fmt: skip
        acts = (
            Activity(code="A1", case=OPEN, step="现场检查", people=("周承办", "吴协办"), place="平码头",
                     from_at=TEN, to_at=TEN + 30 * MINUTE),
            Activity(code="QSB-1", case=SHUT, step="查封", people=("吴协办",), place="青石埠仓",
                     from_at=TEN, to_at=TEN + 30 * MINUTE),
        )  # fmt: skip
        people = (
            Custodian(code="P1", name="周承办", unit="市场科"),
            Custodian(code="P2", name="吴协办", unit="市场科"),
        )
        with self.home.catalog.transaction() as connection:
            for one in (Device(code="ZF-1", unit="市场科"), *people, *cases, *acts):
                registers.put(connection, one)

    def _tell(self, original: str, turn: str, facts: Facts) -> None:
        with self.home.catalog.transaction() as connection:
            event = NewEvent(type="test", actor="tester", original=original)
            [seq] = self.home.audit.record(connection, [event])
            knowledge.record(connection, original, turn, facts, seq)

    def _speak(self, first: str, second: str, photo: str, secret: str, shut: str) -> None:
        """What linkers, clocks, lists and persons say of what is free."""
        home, hint = self.home, f"与 鹿鸣密录0002.mp4（{secret}）、{shut} 和 {SHUT} 有关"
        beside = Relative(original=secret, name="鹿鸣密录0002.mp4", relation="shares a part", offset_s=1.0,
                          own_offset_s=2.0, length_s=20.0, score=0.9)  # fmt: skip
        caveats = tuple(Caveat(code=code, text=hint, text_zh=hint, finder="test/1") for code in SAID)
        proposed = CaseLink(case=OPEN, case_key=comparable(OPEN), method="same_source", score=0.7, why=hint,
                            why_zh=hint, finder="same_source/2")  # fmt: skip
        known = home.catalog.known_of(second)
        assert known.time is not None
        time = replace(known.time, method="utc+clock", why=hint, why_zh=hint, losers=(("sequence", hint, hint),))
        self._tell(second, "test", Facts(caveats=caveats, links=(proposed,), relatives=(beside,), time=time))
        with home.catalog.transaction() as connection:
            registers.put(connection, ClockOffset(device="ZF-1", at=TEN, offset_s=3.0, uncertainty_s=0.5, how="filmed",
                                                  by=f"{secret}, card 3, 鹿鸣密录"))  # fmt: skip
            drops.add_drop(connection, Drop(
                id="D1", source="inbox", folder="card", name="list.txt", kind="sha256", manifest=photo, listed=4,
                stated_at=home.catalog.now(), state="wrong",
                told={"missing": 2, "missing_names": ["丁.mp4", "鹿鸣密录0002.mp4"], "wrong": 1,
                      "wrong_names": [f"{SHUT}/a.mp4"]},
            ))  # fmt: skip
        said = TimeCorrection(start_at=TEN, end_at=TEN + MINUTE, uncertainty_s=1.0, reason=hint, by="李法制")
        Correcting(home.catalog, home.audit).correct(first, said)
        Annotating(home.catalog, home.audit, home.vault).keep(
            "李法制", home.catalog.known_of(first), "note", 1.0, text=hint, shared=True
        )
        Excuses(home.catalog, home.audit).give("李法制", OPEN, hint, activity="A1")

    def _sign_and_ask(self) -> None:
        """By somebody who sees all of it, after looking at all of it."""
        home = self.home
        review = review_of(home.catalog, home.audit, rules_in(home.settings.home), OPEN, zone="Asia/Shanghai")
        signer = Person(name=INSIDER.name, role="reviewer")
        watched = dict.fromkeys((*self.free, *self.hidden), 5.0)
        sign(Signatures(home.catalog, home.audit), signer, review, reason="并见 鹿鸣密录0002.mp4", watched=watched)
        approvals = home.approvals()
        approvals.request(INSIDER, OPEN, "与 鹿鸣密录0002 一并移送", with_proposed=True)
        approvals.request(INSIDER, SHUT, "移送", with_proposed=True)
        for one in (self.free[0], self.hidden[0]):
            approvals.request_original(INSIDER, one, "复议")

    def _restrict(self, secret: str) -> None:
        home = self.home
        placed = Restricting(home.catalog, home.audit)
        placed.place(REVIEWER, "青石埠", kind="work_secret", original=secret, units=("法制科",))
        placed.place(REVIEWER, "青石埠", kind="work_secret", case=SHUT, units=("法制科",))

    def _look_anew(self) -> None:
        """The linkers' own words, recordings' names with them."""
        context, scratch = build_context(self.home)
        for one in self.free:
            known = self.home.catalog.known_of(one)
            self._tell(one, "light-link", linking_stage.run(known, context))
            # What lies beside a case is proposed for it, and with that hidden until somebody who may says no.
            for link in self.home.catalog.known_of(one).links:
                if link.case_key == comparable(SHUT):
                    Linking(self.home.catalog, self.home.audit).refuse("李法制", one, SHUT, "不属于该案")
        scratch.close()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("neighbours")
    settings = load(folder / "home", {})
    make_home(settings)
    home = build_home(settings)
    yield World(home, folder)
    home.close()


def sought() -> list[str]:
    """What somebody would ask who has heard a word."""
    words = ("密录", "鹿鸣", "青石", "有关", "与", "goes")
    where = ("/search?q=", "/api/search?group=true&q=", "/api/suggest?q=", "/cases?q=", "/hand-in?days=0&q=")
    return [f"{at}{word}" for at in where for word in words]


def told(world: World, said: str, path: str) -> list[str]:
    """What of the hidden stands there and was not asked for."""
    found = {
        form for one in world.tells for form in (one, masked(one), quote(one), json.dumps(one)[1:-1]) if form in said
    }
    return sorted(one for one in found if one not in path)


def test_no_page_names_what_stands_beside(world: World) -> None:
    found = {}
    for role in LIMITED:
        asking = person(world.home, role, unit="他科")
        for one in world.free:
            looked = asking.send(f"/originals/{one}/looks", purpose="核对")
            assert looked.status_code == (404 if role == "operator" else 303), (role, one)
        asked = [
            *(path for one in world.free for path in addresses(one, OPEN)),
            *narrowed(world.free[0], world.free[1], OPEN),
            *sought(),
        ]
        for path in dict.fromkeys(asked):
            answer = asking.client.get(path, follow_redirects=False)
            assert answer.status_code < 500, (role, path, answer.text[:500])
            said = f"{answer.headers}\n{answer.text}"
            if answer.headers.get("content-type", "").startswith("application/pdf"):
                said += text_of(answer.content)
            # Operators see what work there is of everything, by its number, and nothing else of it.
            known = world.hidden if path.startswith("/jobs?") else ()
            if names := [one for one in told(world, said, path) if one not in known]:
                found[role, path] = names
    assert not found, "\n".join(f"{one}: {its}" for one, its in found.items())


def text_of(pdf: bytes) -> str:
    with pdfium.PdfDocument(pdf) as document:
        return "\n".join(page.get_textpage().get_text_bounded() for page in document)


def test_what_is_sought_by_a_hidden_word_finds_what_a_word_of_nothing_finds(world: World) -> None:
    asking = person(world.home, "reviewer", "沈审核", unit="他科")
    nothing = "没有这个词"
    for at in ("/api/search?q={}", "/api/search/over-time?q={}", "/api/suggest?q={}", "/api/cases?q={}",
               "/api/hand-in?q={}", "/cases?q={}"):  # fmt: skip
        for word in (*world.tells, "鹿鸣", "密录0002", "青石"):
            both = [asking.client.get(at.format(one)).text.replace(one, "Z").replace(quote(one), "Z")
                    for one in (word, nothing)]  # fmt: skip
            assert both[0] == both[1], (at, word)


def test_a_package_for_a_reader_of_less_names_nothing_hidden(world: World) -> None:
    reader = Reviewer("沈复核", "reviewer", "他科")
    made = world.home.exporter().make(
        reader, Asked(case=OPEN, to=world.folder / "out", purpose="复议", with_proposed=True, with_proxies=True)
    )
    found = {}
    for path in (one for one in made.bag.rglob("*") if one.is_file()):
        data = path.read_bytes()
        said = text_of(data) if path.suffix == ".pdf" else data.decode("utf-8", "replace")
        if path.suffix == ".json":
            said = json.dumps(json.loads(said), ensure_ascii=False)
        if names := told(world, f"{path.name}\n{said}", ""):
            found[path.name] = names
    assert made.files == len(world.free)
    assert not found, "\n".join(f"{one}: {its}" for one, its in found.items())


# Reviewers may not.
FORBIDDEN = ("statistics",)
COMMANDS = (
    "search", "search 鹿鸣", "suggest", "suggest 青", "case list", "case show OPEN", "case coverage OPEN",
    "case checklist OPEN", "case proposals", "recording list", "recording show FREE", "device list",
    "device findings --holes", "device findings --late", "device names", "device calibrate ZF-1", "show FREE",
    "explain FREE", "export list", "hold list", "retention show", "retention worklist", "dispose list", "restrict list",
    "saved alerts", "saved list", "statistics", "jobs list", "status",
)  # fmt: skip


def test_no_command_names_what_stands_beside(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """Asked by somebody whom the settings name at this keyboard."""
    home, found = world.home.settings.home, {}
    (home / "casereel.toml").write_text(
        '[access]\nperson = "陈科员"\n[access.roles]\n"陈科员" = "reviewer"\n[access.units]\n"陈科员" = "他科"\n',
        encoding="utf-8",
    )
    for command in COMMANDS:
        for free in world.free[:3] if "FREE" in command else world.free[:1]:
            words = [{"OPEN": OPEN, "FREE": free}.get(one, one) for one in command.split()]
            for more in ([], ["--json"]):
                code = cli.run(["--home", str(home), *more, *words])
                said = "".join(capsys.readouterr())
                assert code in (0, 1) or (code == 5 and command in FORBIDDEN), (command, code, said)
                # As on the page of jobs: what work there is of everything, and nothing else of it.
                known = world.hidden if command == "jobs list" else ()
                if names := [one for one in told(world, said, command) if one not in known]:
                    found[command, *more] = names
    (home / "casereel.toml").unlink()
    assert not found, "\n".join(f"{one}: {its}" for one, its in found.items())
