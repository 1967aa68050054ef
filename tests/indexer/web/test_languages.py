"""Every page as every role in both languages: nothing is said in the other one but what people and devices wrote."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Final
from urllib.parse import quote

import pytest

from config.settings import load
from pipeline.advance import renew
from pipeline.custody.accession import Candidate
from pipeline.edges.database import registers
from pipeline.records import Activity, Case, ClockOffset, Custodian, Device, LedgerEntry, Party
from pipeline.stages import link, timestamps
from tests.flows.keeping import filmed
from tests.indexer.web.asking import ROLES, Asking, person
from tests.indexer.web.test_matrix import path_for, routes
from workers.bootstrap import Home, build_accession, build_context, build_follower, build_home, build_jobs, make_home

CASE = "平商务罚字〔2021〕第3号"
TEN = datetime(2021, 8, 3, 2, 0, tzinfo=UTC)
# What people and devices wrote, and what is called so in every language.
GIVEN: Final = (
    CASE, "违法排污案", "鑫源建材", "城关镇", "查封扣押", "王执法", "管理", "甲科", "现场", "拒收", "某", "复查",
    "中文", "English",
)  # fmt: skip
ENGLISH: Final = re.compile(r"(?<![\w/.:=-])[A-Za-z][a-z']+(?: [A-Za-z][a-z']+){2,}")
CHINESE: Final = re.compile("[一-鿿]{2,}")
NOT_READ: Final = ("code", "pre", "script", "style", "kbd")


class Read(HTMLParser):
    """What a page gives to be read, its attributes that are shown or spoken too."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._left_out = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._left_out += tag in NOT_READ
        for name, value in attrs:
            if value and (name in ("title", "aria-label", "placeholder", "alt") or name.startswith("data-")):
                self.texts.append(value)

    def handle_endtag(self, tag: str) -> None:
        self._left_out -= tag in NOT_READ

    def handle_data(self, data: str) -> None:
        if not self._left_out and data.strip():
            self.texts.append(" ".join(data.split()))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A case with a duty, recordings that were timed and linked by the stages, one refused file."""
    folder = tmp_path_factory.mktemp("languages")
    settings = load(folder / "home", {})
    make_home(settings)
    made = build_home(settings)
    with made.catalog.transaction() as connection:
        for one in (
            Case(numbers=((CASE, None),), title="违法排污案", parties=(Party(name="鑫源建材"),),
                 decision_due_on="2021-09-20"),
            Activity(code="A1", case=CASE, step="查封扣押", people=("王执法",), place="城关镇", from_at=TEN,
                     to_at=TEN + timedelta(minutes=40)),
            Device(code="DSJ-1", aliases=("HA1234567",), unit="甲科"), Custodian(code="W1", name="王执法", unit="甲科"),
            LedgerEntry(device="DSJ-1", custodian="W1", from_at=TEN - timedelta(hours=2)),
            ClockOffset(device="DSJ-1", at=TEN, offset_s=31.0, uncertainty_s=1.0, how="measured", by="王执法"),
        ):  # fmt: skip
            registers.put(connection, one)
    films = [(f"DSJ_HA1234567_000123_20210803{at}_000{n}.jpg", TEN, 600.0) for n, at in enumerate(("100500", "101500"))]
    originals = filmed(made, folder / CASE, *films, ("现场.jpg", TEN, 0.0))
    jobs = build_jobs(made)
    context, _ = build_context(made)
    for stage in (timestamps.STAGE, link.STAGE):
        renew(stage, originals, context, jobs)
    (folder / "拒收.mp4").symlink_to(folder / "nowhere")
    build_accession(made, jobs).take([Candidate(path=folder / "拒收.mp4", root=folder, source="inbox")])
    context.tools.close()
    jobs.close()
    build_follower(made).follow()
    yield made
    made.close()


def pages(home: Home, asking: Asking) -> Iterator[tuple[str, list[str]]]:
    """Every page that this person is given, with its texts."""
    known = home.catalog.known_of_many(sorted(home.catalog.digests().values()))
    paths = [
        path_for(route, one.original.id, quote(CASE))
        for _, route in routes()
        if "GET" in route.methods and not route.path.startswith(("/api", "/media", "/metrics"))
        for one in (known if route.path == "/originals/{original}" else known[:1])
    ]
    for path in (
        *dict.fromkeys(paths),
        "/log?show=all",
        "/hand-in?days=0",
        "/nowhere",
        "/log?since=x",
        "/search?sort=x",
    ):
        answer = asking.client.get(path, follow_redirects=False)
        if looks := re.search(r'action="(/originals/\w+/looks)"', answer.text):
            asking.send(looks[1], purpose="复查")
            answer = asking.client.get(path, follow_redirects=False)
        if answer.headers.get("content-type", "").startswith("text/html"):
            reading = Read()
            reading.feed(answer.text)
            yield path, reading.texts


@pytest.mark.parametrize(("lang", "other"), [("zh", ENGLISH), ("en", CHINESE)])
def test_no_page_says_anything_in_the_other_language(home: Home, lang: str, other: re.Pattern[str]) -> None:
    said, count = dict[str, str](), 0
    for role in ROLES:
        asking = person(home, role, f"某{role}{lang}")
        asking.client.cookies.set("casereel-lang", lang)
        for path, texts in pages(home, asking):
            count += 1
            for text in texts:
                left = re.sub("|".join(map(re.escape, GIVEN)), "", text)
                if other.search(left):
                    said.setdefault(text[:300], f"{role} {path}")
    assert count > 40
    assert not said, "\n".join(f"{where}: {text}" for text, where in said.items())
