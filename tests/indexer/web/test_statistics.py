"""Statistics for case-file evaluation: each figure against a home whose numbers are counted by hand."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from config.settings import load
from indexer.figures.evaluation import evaluated, interval_said
from indexer.figures.statistics import FIGURES, Row, Statistics, as_csv
from indexer.figures.statistics_drawn import drawings, drawn
from pipeline.acts.excusing import Excuses
from pipeline.acts.linking import Linking
from pipeline.acts.restricting import Restricting
from pipeline.case_numbers import comparable
from pipeline.edges.audit import NewEvent
from pipeline.edges.database import knowledge, registers
from pipeline.errors import BadInput
from pipeline.records import Activity, Case, ClockOffset, Custodian, Device, Facts
from pipeline.timing.lateness import late_upload
from tests.flows.keeping import REVIEWER, filmed, link
from tests.homes import make_home
from tests.indexer.archive import decided
from tests.indexer.web.asking import ROLES, Asking, person
from workers.bootstrap import Home, build_home
from workers.cli import run

CASE, OTHER = "平商务罚字〔2026〕第3号", "平商务罚字〔2026〕第4号"
TEN = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)  # ten o'clock in the bureau
MINUTE = timedelta(minutes=1)
FROM, TO = date(2026, 3, 1), date(2026, 3, 31)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """Two units, three devices, two cases in March 2026, and one recording of April."""
    folder = tmp_path_factory.mktemp("statistics")
    settings = load(folder / "home", {})
    make_home(settings)
    home = build_home(settings)
    fill(home, folder)
    yield home
    home.close()


def fill(home: Home, folder: Path) -> None:
    with home.catalog.transaction() as connection:
        for one in (
            Device(code="ZF-1", unit="市场科"),
            Device(code="ZF-2", unit="经济科"),
            Device(code="=ZF-3", unit="经济科"),
            Custodian(code="P1", name="王强", unit="市场科"),
            Custodian(code="P2", name="李四", unit="经济科"),
            Case(numbers=((CASE, None),)),
            Case(numbers=((OTHER, None),)),
            # 20 minutes to be recorded throughout: 5 of them are not, and nobody says why.
            Activity(
                code="A1",
                case=CASE,
                step="查封",
                people=("王强", "赵六"),
                place="城关镇",
                from_at=TEN,
                to_at=TEN + 20 * MINUTE,
            ),
            # Nothing was recorded; one officer, no place.
            Activity(
                code="A2", case=OTHER, step="询问", people=("李四",), from_at=TEN + 60 * MINUTE, to_at=TEN + 70 * MINUTE
            ),
            # Nothing was recorded either, and a reason is stated.
            Activity(
                code="A3",
                case=OTHER,
                step="听证",
                people=("李四", "王强"),
                place="会议室",
                from_at=TEN + 120 * MINUTE,
                to_at=TEN + 150 * MINUTE,
            ),
            # Left to the situation; and one of another month.
            Activity(
                code="A4",
                case=CASE,
                step="现场检查",
                people=("王强", "赵六"),
                place="城关镇",
                from_at=TEN,
                to_at=TEN + MINUTE,
            ),
            Activity(
                code="A5",
                case=CASE,
                step="查封",
                from_at=TEN + timedelta(days=40),
                to_at=TEN + timedelta(days=40, minutes=5),
            ),
            ClockOffset(
                device="ZF-1", at=TEN - timedelta(days=60), offset_s=500.0, uncertainty_s=1.0, how="measured", by="赵"
            ),
            ClockOffset(device="ZF-1", at=TEN, offset_s=-125.0, uncertainty_s=1.0, how="measured", by="赵"),
            ClockOffset(device="ZF-1", at=TEN + timedelta(days=1), offset_s=2.0, uncertainty_s=0.5, how="set", by="赵"),
        ):
            registers.put(connection, one)
    Excuses(home.catalog, home.audit).give("李法制", OTHER, "当事人要求不公开", activity="A3")
    one, two = filmed(home, folder / "one", ("a.jpg", TEN, 300.0), ("b.jpg", TEN + 10 * MINUTE, 600.0),
                      register__device="ZF-1", register__officer=["王强"])  # fmt: skip
    [three] = filmed(home, folder / "two", ("c.jpg", TEN + timedelta(days=2), 60.0), register__device="ZF-2")
    [four] = filmed(home, folder / "three", ("d.jpg", TEN + timedelta(days=3), 60.0), register__device="=ZF-3")
    [five] = filmed(home, folder / "four", ("e.jpg", TEN + timedelta(days=4), 60.0))
    filmed(home, folder / "five", ("f.jpg", TEN + timedelta(days=40), 60.0), register__device="ZF-2")
    for original in (one, two):
        link(home, original, CASE)
    Linking(home.catalog, home.audit).confirm("李法制", one, CASE, "已看")
    late = late_upload(decided(TEN), TEN + timedelta(days=2), 24.0)
    assert late is not None
    tell(home, three, "light-probe", Facts(caveats=(replace(late, finder="timestamps/1"),)))
    saved = replace(decided(TEN + timedelta(days=4)), method="saved_only:mtime", uncertainty_s=90.0)
    tell(home, five, "light-timestamps", Facts(time=saved))
    Restricting(home.catalog, home.audit).place(
        REVIEWER, "商业秘密", kind="trade_secret", original=four, units=("法制科",)
    )


def tell(home: Home, original: str, turn: str, facts: Facts) -> None:
    with home.catalog.transaction() as connection:
        [seq] = home.audit.record(connection, [NewEvent(type="test", actor="tester", original=original)])
        knowledge.record(connection, original, turn, facts, seq)


def found(home: Home, *, from_on: date = FROM, to_on: date = TO, hidden: frozenset[str] = frozenset()) -> Statistics:
    """As an auditor finds it, who sees all."""
    return evaluated(
        home.catalog, home.audit, home.settings.home, from_on=from_on, to_on=to_on, zone="Asia/Shanghai",
        deadline_h=24.0, seen=list, hidden=hidden,
    )  # fmt: skip


def row(statistics: Statistics, by: Any, name: str | None) -> Row:
    [one] = [one for one in statistics.by(by) if one.name == name]
    return one


def told(one: Row, *names: str) -> list[Any]:
    return [getattr(one.figures, name) for name in names]


def test_recordings_of_the_days_are_counted_by_lateness_and_link(home: Home) -> None:
    statistics = found(home)
    names = ("films", "on_time", "late", "undated", "confirmed", "proposed", "unlinked")
    assert told(row(statistics, "all", None), *names) == [5, 3, 1, 1, 1, 1, 3]
    assert told(row(statistics, "device", "ZF-1"), *names) == [2, 2, 0, 0, 1, 1, 0]
    assert told(row(statistics, "device", "ZF-2"), *names) == [1, 0, 1, 0, 0, 0, 1]
    assert told(row(statistics, "unit", "经济科"), *names) == [2, 1, 1, 0, 0, 0, 2]
    assert told(row(statistics, "unit", None), *names) == [1, 0, 0, 1, 0, 0, 1]
    assert told(row(found(home, from_on=date(2026, 4, 1), to_on=date(2026, 4, 30)), "all", None), "films") == [1]


def test_what_a_recording_or_an_activity_lacks_is_counted_by_element(home: Home) -> None:
    statistics = found(home)
    every = row(statistics, "all", None).figures
    assert every.lacks == {"devices": 1, "carriers": 3, "clocks": 1, "transcripts": 0, "digests": 0}
    assert (every.lacking, every.acts, every.acts_lacking) == (3, 4, 1)
    assert every.act_lacks == {"officers": 1, "times": 0, "places": 1}
    assert told(row(statistics, "unit", "经济科"), "acts", "acts_lacking") == [2, 1]
    assert told(row(statistics, "device", "ZF-1"), "lacking", "acts") == [0, 0]


def test_gaps_without_a_reason_count_for_the_device_before_them_and_for_the_unit_of_the_people(home: Home) -> None:
    statistics = found(home)
    names = ("duties", "kept", "excused", "required_s", "shown_s", "gaps", "gap_s")
    assert told(row(statistics, "all", None), *names) == [3, 1, 1, 3600.0, 900.0, 2, 900.0]
    assert told(row(statistics, "unit", "市场科"), *names) == [1, 0, 0, 1200.0, 900.0, 1, 300.0]
    assert told(row(statistics, "unit", "经济科"), *names) == [2, 1, 1, 2400.0, 0.0, 1, 600.0]
    assert told(row(statistics, "device", "ZF-1"), *names) == [1, 0, 0, 0.0, 900.0, 1, 300.0]
    assert told(row(statistics, "device", None), "gaps", "gap_s") == [1, 600.0]


def test_clocks_tell_the_largest_and_the_last_offset_of_the_days_and_who_was_never_measured(home: Home) -> None:
    statistics = found(home)
    names = ("devices", "unmeasured", "measured", "worst_s", "offset_s", "offset_uncertainty_s")
    assert told(row(statistics, "device", "ZF-1"), *names) == [1, 0, 2, -125.0, 2.0, 0.5]
    assert told(row(statistics, "all", None), *names) == [3, 2, 2, -125.0, 2.0, 0.5]
    assert told(row(statistics, "unit", "经济科"), *names) == [2, 2, 0, None, None, None]


def test_a_hidden_case_and_an_original_that_one_may_not_know_of_are_not_counted(home: Home) -> None:
    assert told(row(found(home, hidden=frozenset({comparable(OTHER)})), "all", None), "acts", "duties") == [2, 1]
    administrator = person(home, "administrator")
    data = json.loads(administrator.page("/api/statistics?from=2026-03-01&to=2026-03-31"))
    assert data["rows"][0]["films"] == 4
    assert "=ZF-3" not in {one["name"] for one in data["rows"]}


@pytest.fixture(scope="module")
def auditor(home: Home) -> Asking:
    return person(home, "auditor", "王审计")


def test_the_page_shows_each_figure_with_its_rule_its_picture_and_its_table(home: Home, auditor: Asking) -> None:
    page = auditor.page("/statistics?from=2026-03-01&to=2026-03-31&by=device")
    for name, words in FIGURES.items():
        assert words.what[0] in page
        assert f'<title id="figure-{name}-title">{words.title[0]} · 2026-03-01 – 2026-03-31</title>' in page
    assert page.count('role="img"') == page.count("<svg") == len(FIGURES)
    assert "及时率 75.0%" in page
    assert "−2 分 5 秒" in page
    assert " style=" not in page
    entry = json.loads(home.catalog.events_of_type(["view.statistics"])[-1])
    assert entry["facts"] == {"from": "2026-03-01", "to": "2026-03-31", "as": "page"}
    for wrong in ("?from=gestern", "?from=2026-04-01&to=2026-03-01", "?to=0001-01-01"):
        assert 'role="alert"' in auditor.page(f"/statistics{wrong}", 400)
        auditor.page(f"/api/statistics{wrong}", 400)
    auditor.page("/statistics/nothing.svg", 400)


def test_pictures_are_whole_svg_with_every_bar_in_words(home: Home, auditor: Asking) -> None:
    statistics = found(home)
    for lang in ("zh", "en"):
        for name, picture in drawings(statistics, lang):
            root = ElementTree.fromstring(picture)
            desc = root.findtext("{http://www.w3.org/2000/svg}desc") or ""
            assert "ZF-1" in desc or "unit" in name, name
            # Each kind of a bar has a drawing of its own beside its colour.
            assert len(root.findall(".//{http://www.w3.org/2000/svg}pattern")) >= 1
    answer = auditor.client.get("/statistics/gaps.svg?from=2026-03-01&to=2026-03-31&by=unit")
    assert answer.headers["content-type"] == "image/svg+xml"
    assert "1 处，5 分" in answer.text


def test_a_picture_of_very_many_rows_shows_the_worst_and_says_how_many_are_left_out(home: Home) -> None:
    statistics = found(home)
    [one] = [one for one in statistics.by("device") if one.name == "ZF-1"]
    many = tuple(
        replace(one, name=f"D{n:02}", figures=replace(one.figures, gap_s=float(n), gaps=1)) for n in range(1, 31)
    )
    picture = drawn(replace(statistics, rows=many), "gaps", "device", "en")
    assert "6 more are in the table" in picture
    assert "D06:" not in picture
    assert "D07:" in picture


def test_the_table_opens_in_a_spreadsheet_and_no_cell_is_a_formula(home: Home, auditor: Asking) -> None:
    data = as_csv(found(home), "Asia/Shanghai", "zh")
    assert data.startswith(b"\xef\xbb\xbf")
    heading, every, *rest = csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""))
    assert heading[:6] == ["统计口径", "名称", "单位", "自", "至", "音像记录"]
    assert every[:7] == ["全部", "全部", "", "2026-03-01", "2026-03-31", "5", "3"]
    assert {len(one) for one in rest} == {len(heading)}
    assert "'=ZF-3" in {one[1] for one in rest}
    assert dict(zip(heading, every, strict=True))["最大偏差（秒）"] == "-125.0"
    answer = auditor.client.get("/api/statistics.csv?from=2026-03-01&to=2026-03-31")
    assert answer.content == data
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"


def test_statistics_are_for_auditors_and_administrators(home: Home) -> None:
    for role in ROLES:
        asking = person(home, role, f"另{role}")
        for path in ("/statistics", "/api/statistics.csv", "/statistics/gaps.svg", "/api/statistics"):
            asking.page(path, 200 if role in ("auditor", "administrator") else 404)


def test_the_command_prints_rows_and_writes_table_and_pictures(
    home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = ["--home", str(home.settings.home), "statistics", "--from", "2026-03-01", "--to", "2026-03-31"]
    assert run([*base, "--json", "--by", "unit", "--csv", str(tmp_path / "a.csv"), "--pictures", str(tmp_path)]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    # Whoever sits at the keyboard is an administrator, who is not told of what is restricted.
    assert [(one["name"], one["films"]) for one in rows] == [("市场科", 2), ("经济科", 1), (None, 1)]
    assert (tmp_path / "a.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    assert len(list(tmp_path.glob("*.svg"))) == 2 * len(FIGURES)
    assert run([*base[:-1], "2025-01-01"]) == 2


def test_the_last_ninety_days_are_meant_where_no_day_is_said() -> None:
    today = date(2026, 11, 23)
    assert interval_said(None, "", today) == (date(2026, 8, 26), today)
    assert interval_said("2026-11-01", None, today) == (date(2026, 11, 1), today)
    with pytest.raises(BadInput):
        interval_said("2026-11-24", None, today)
