"""Holds, classes and disposals at the command line: two persons, refusals in two languages, exit codes, fields."""

from __future__ import annotations

import functools
import json
import shutil
import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from config.settings import SHIPPED, load
from tests.conftest import QUICK
from tests.flows.keeping import CASE, YEAR, SetClock, take
from workers import bootstrap, cli

WRONG_USE, NOT_FIT, FORBIDDEN = 2, 3, 5
ROLES = """
[access.roles]
"赵管理" = "operator"
"李法制" = "reviewer"
"王审计" = "auditor"
"周录入" = "clerk"
"""
GIVEN = ("赵管理", "李法制", "王审计", "周录入", "无名", "没有.jpg", "不是案号")
HOLD = ["hold", "original", "case", "kind", "reason", "by", "role", "from", "release_asked_by", "released_by",
        "released_at"]  # fmt: skip
DISPOSAL = ["disposal", "class", "original", "state", "reason", "until_at", "rules", "proposed_by", "proposed_at",
            "approved_by", "approved_at", "ended_at", "ended_why"]  # fmt: skip
STANDING = ["original", "name", "until", "class", "may_go", "why", "why_zh", "rules"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with two originals and four persons, to be copied."""
    folder = tmp_path_factory.mktemp("made")
    settings = load(folder / "home", QUICK)
    bootstrap.make_home(settings)
    file = settings.home / "casereel.toml"
    file.write_text((file.read_text(encoding="utf-8") if file.exists() else "") + ROLES, encoding="utf-8")
    home = bootstrap.build_home(load(folder / "home", QUICK))
    take(home, folder / "card", "a.jpg", "b.jpg")
    home.close()
    return folder


class Desk:
    """The command line at this home, by a clock that the test sets. said_zh: a refusal, asked for in Chinese."""

    def __init__(self, home: Path, clock: SetClock, capsys: pytest.CaptureFixture[str]) -> None:
        self.home, self.clock, self._capsys = home, clock, capsys
        self.said = self.said_zh = ""

    def __call__(self, *arguments: str, code: int = 0) -> list[dict[str, Any]]:
        """The objects that the command printed with --json; what it said beside them is in `said`."""
        out = self.text(*arguments, "--json", code=code)
        return [json.loads(line) for line in out.splitlines()]

    def text(self, *arguments: str, code: int = 0) -> str:
        """What the command printed for a person."""
        out, self.said = self._run(code, *arguments)
        if code > 1:  # it changed nothing, and is asked for once more
            _, self.said_zh = self._run(code, *arguments, "--lang", "zh")
        return out

    def _run(self, code: int, *arguments: str) -> tuple[str, str]:
        self._capsys.readouterr()
        found = cli.run(["--home", str(self.home), *arguments])
        out, said = self._capsys.readouterr()
        assert found == code, said
        return out, said

    @property
    def told_both(self) -> bool:
        """Whether the refusal is told in the language asked for and in no other, beside the names given to it."""
        return not has_chinese(self.said) and has_chinese(self.said_zh)

    def original(self, name: str) -> str:
        return str(self("show", name)[0]["original"])

    def approved(self, name: str = "a.jpg") -> str:
        """A disposal that two persons agreed on, cooled."""
        self("retention", "classify", name, "--class", "floor", "--reason", "鉴定", "--as", "李法制")
        self.clock.pass_(YEAR)
        [proposed] = self("dispose", "propose", name, "--reason", "期满", "--as", "赵管理", "--yes")
        self("dispose", "approve", proposed["disposal"], "--as", "李法制")
        self.clock.pass_(timedelta(hours=72))
        return str(proposed["disposal"])


@pytest.fixture
def desk(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Desk:
    for name, value in QUICK.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("CASEREEL_LANG", "en")
    shutil.copytree(made / "home", tmp_path / "home")
    clock = SetClock()
    monkeypatch.setattr(bootstrap, "build_retention", functools.partial(bootstrap.build_retention, read=clock))
    return Desk(tmp_path / "home", clock, capsys)


def has_chinese(said: str) -> bool:
    for given in GIVEN:
        said = said.replace(given, "")
    return any("\u4e00" <= char <= "\u9fff" for char in said)


def test_a_disposal_from_the_proposal_to_the_certificate(desk: Desk) -> None:
    desk("retention", "classify", "a.jpg", "--class", "floor", "--reason", "鉴定", "--as", "李法制")
    desk.clock.pass_(YEAR)
    [shown] = desk("dispose", "propose", "a.jpg", "--reason", "期满", "--as", "赵管理")
    assert (shown["may_go"], shown["why"]) == (True, "")
    assert "--yes" in desk.said
    assert desk("dispose", "list") == []
    [proposed] = desk("dispose", "propose", "a.jpg", "--reason", "期满", "--as", "赵管理", "--yes")
    assert list(proposed) == DISPOSAL
    assert (proposed["state"], proposed["proposed_by"]) == ("proposed", "赵管理")
    key = proposed["disposal"]
    [approved] = desk("dispose", "approve", key, "--as", "李法制")
    assert (approved["state"], approved["approved_by"]) == ("approved", "李法制")
    [waits] = desk("dispose", "run")
    assert (waits["ended"], waits["name"]) == ("waits", "a.jpg")
    assert [one["disposal"] for one in desk("dispose", "list")] == [key]
    desk("dispose", "certificate", key, code=WRONG_USE)
    assert desk.told_both
    desk.clock.pass_(timedelta(hours=72))
    [done] = desk("dispose", "run")
    assert list(done) == [*DISPOSAL, "name", "ended", "why"]
    assert (done["ended"], done["state"]) == ("done", "done")
    assert desk("dispose", "list") == []
    assert [one["state"] for one in desk("dispose", "list", "--all")] == ["done"]
    [certificate] = desk("dispose", "certificate", key)
    assert [one["by"] for one in certificate["approvals"]] == ["赵管理", "李法制"]
    page = desk.text("dispose", "certificate", key)
    assert all(word in page for word in ("销毁凭证", "Certificate of disposal", certificate["sha256"]))


@pytest.mark.parametrize(
    ("person", "said"),
    [
        ("赵管理", "may not approve_disposal"),
        ("周录入", "may not approve_disposal"),
        ("无名", "has no role"),
    ],
)
def test_who_may_not_approve_is_refused_and_the_log_says_so(desk: Desk, person: str, said: str) -> None:
    desk("retention", "classify", "a.jpg", "--class", "floor", "--reason", "鉴定", "--as", "李法制")
    desk.clock.pass_(YEAR)
    [proposed] = desk("dispose", "propose", "a.jpg", "--reason", "期满", "--as", "赵管理", "--yes")
    desk("dispose", "approve", proposed["disposal"], "--as", person, code=FORBIDDEN)
    assert said in desk.said
    assert desk.told_both
    assert [one["state"] for one in desk("dispose", "list")] == ["proposed"]
    lines = "".join(path.read_text(encoding="utf-8") for path in (desk.home / "log").rglob("*.jsonl"))
    assert '"access.refused"' in lines


def test_one_person_cannot_do_both_steps(desk: Desk) -> None:
    desk("retention", "classify", "a.jpg", "--class", "floor", "--reason", "鉴定", "--as", "李法制")
    desk.clock.pass_(YEAR)
    [proposed] = desk("dispose", "propose", "a.jpg", "--reason", "期满", "--as", "李法制", "--yes")
    desk("dispose", "approve", proposed["disposal"], "--as", "李法制", code=FORBIDDEN)
    assert "two persons" in desk.said
    assert "须由两人进行" in desk.said_zh
    [cancelled] = desk("dispose", "cancel", proposed["disposal"], "--reason", "改由他人", "--as", "王审计")
    assert (cancelled["state"], cancelled["ended_why"]) == ("cancelled", "改由他人")
    desk("dispose", "approve", proposed["disposal"], "--as", "王审计", code=WRONG_USE)
    assert desk.told_both


def test_what_must_be_kept_is_shown_with_the_reason_and_not_proposed(desk: Desk) -> None:
    [shown] = desk("dispose", "propose", "a.jpg", "--reason", "期满", "--as", "赵管理", code=1)
    assert shown["may_go"] is False
    desk("dispose", "propose", "a.jpg", "--reason", "期满", "--as", "赵管理", "--yes", code=FORBIDDEN)
    assert "must be kept" in desk.said
    assert "必须继续保管" in desk.said_zh
    desk("dispose", "propose", "没有.jpg", "--reason", "期满", "--as", "赵管理", "--yes", code=WRONG_USE)
    assert desk.told_both
    desk("dispose", "propose", "a.jpg", "--as", "赵管理", code=WRONG_USE)  # no reason


def test_a_hold_stops_a_disposal_and_takes_two_to_release(desk: Desk) -> None:
    original = desk.original("a.jpg")
    desk.approved()
    [placed] = desk("hold", "place", "a.jpg", "--kind", "litigation", "--reason", "一审应诉", "--as", "王审计")
    assert list(placed) == ["hold", "original", "case", "kind", "too_late"]
    assert (placed["original"], placed["too_late"]) == (original, [])
    [stopped] = desk("dispose", "run", code=1)
    assert (stopped["ended"], stopped["state"]) == ("stopped", "stopped")
    assert "litigation" in stopped["why"]
    [held] = desk("hold", "list")
    assert list(held) == HOLD
    assert (held["by"], held["role"], held["reason"], held["released_at"]) == ("王审计", "auditor", "一审应诉", None)
    key = placed["hold"]
    [asked] = desk("hold", "release", key, "--reason", "判决生效", "--as", "王审计")
    assert (asked["released"], asked["asked_by"]) == (False, "王审计")
    desk("hold", "release", key, "--reason", "判决生效", "--as", "王审计", code=FORBIDDEN)
    assert desk.told_both
    desk("hold", "release", key, "--reason", "判决生效", "--as", "赵管理", code=FORBIDDEN)
    assert desk.told_both
    [released] = desk("hold", "release", key, "--reason", "判决生效", "--as", "李法制")
    assert (released["released"], released["released_by"]) == (True, "李法制")
    desk("hold", "release", key, "--reason", "判决生效", "--as", "李法制", code=WRONG_USE)
    assert desk.told_both
    assert desk("hold", "list") == []
    assert [one["released_by"] for one in desk("hold", "list", "--all")] == ["李法制"]


def test_a_hold_on_a_case_and_what_cannot_be_held(desk: Desk) -> None:
    [placed] = desk("hold", "place", "--case", CASE, "--reason", "信访", "--kind", "petition", "--as", "李法制")
    assert (placed["original"], placed["case"]) == (None, CASE)
    for wrong in ([], ["a.jpg", "--case", CASE], ["--case", "不是案号"], ["没有.jpg"]):
        desk("hold", "place", *wrong, "--reason", "信访", "--as", "李法制", code=WRONG_USE)
        assert desk.told_both, (desk.said, desk.said_zh)
    desk("hold", "place", "a.jpg", "--reason", " ", "--as", "李法制", code=WRONG_USE)
    assert desk.told_both
    desk("hold", "place", "a.jpg", "--reason", "信访", "--as", "赵管理", code=FORBIDDEN)
    assert desk.told_both
    desk("hold", "release", "01NOTHING", "--reason", "办结", "--as", "李法制", code=WRONG_USE)
    assert desk.told_both


def test_classes_are_decided_shown_and_reopened(desk: Desk) -> None:
    before = desk("retention", "show")
    assert len(before) == 2
    assert all(list(one) == STANDING and not one["may_go"] for one in before)
    assert before[0]["why"][0] == "no retention class has been decided for it"
    assert before[0]["why_zh"][0] == "尚未确定保管类别"
    [decided] = desk("retention", "classify", "a.jpg", "--class", "permanent", "--reason", "重大", "--as", "李法制")
    assert list(decided) == ["decision", "original", "case", "class", "from", "rules"]
    [shown] = desk("retention", "show", "a.jpg")
    assert (shown["class"], shown["until"], shown["why"]) == ("permanent", None, ["it is kept for ever"])
    [of_case] = desk("retention", "classify", "--case", CASE, "--class", "decision", "--from", "2021-12-01",
                     "--reason", "结案", "--as", "李法制")  # fmt: skip
    assert (of_case["case"], of_case["from"]) == (CASE, "2021-12-01")
    [reopened] = desk("retention", "reopen", "a.jpg", "--reason", "再审", "--as", "李法制")
    assert reopened["original"] == desk.original("a.jpg")
    assert "no retention class" in desk("retention", "show", "a.jpg")[0]["why"][0]
    for code, wrong in (
        (WRONG_USE, ["reopen", "a.jpg", "--reason", "再审", "--as", "李法制"]),
        (WRONG_USE, ["classify", "--case", CASE, "--class", "decision", "--reason", "结案", "--as", "李法制"]),
        (FORBIDDEN, ["classify", "a.jpg", "--class", "nothing", "--reason", "鉴定", "--as", "李法制"]),
        (FORBIDDEN, ["classify", "a.jpg", "--class", "floor", "--reason", "鉴定", "--as", "赵管理"]),
    ):
        desk("retention", *wrong, code=code)
        assert desk.told_both, (desk.said, desk.said_zh)


def test_the_worklist_and_a_dry_run_change_nothing(desk: Desk, tmp_path: Path) -> None:
    assert desk("retention", "worklist") == []
    desk.clock.pass_(timedelta(days=170))
    listed = desk("retention", "worklist")
    assert [list(one) for one in listed] == [[*STANDING, "floor"]] * 2
    desk("retention", "classify", "a.jpg", "--class", "permanent", "--reason", "重大", "--as", "李法制")
    desk.clock.pass_(6 * YEAR)
    rules = (SHIPPED / "retention.toml").read_text(encoding="utf-8")
    other = tmp_path / "new.toml"
    other.write_text(rules.replace("months = 0  ", "months = 60  "), encoding="utf-8")
    [found] = desk("retention", "dry-run", str(other))
    assert list(found) == [*STANDING, "until_now", "may_go_now"]
    assert (found["may_go"], found["may_go_now"], found["until_now"]) == (True, False, None)
    assert desk("retention", "show", "a.jpg")[0]["may_go"] is False
    for bad in (rules.replace("cooling_h = 72", "cooling_h = 1"), "version = ", "version = '1'\n"):
        other.write_text(bad, encoding="utf-8")
        desk("retention", "dry-run", str(other), code=WRONG_USE)
        assert desk.told_both, (desk.said, desk.said_zh)


def test_a_clock_that_jumped_releases_nothing_until_it_is_confirmed_and_cooled(desk: Desk) -> None:
    desk.approved()
    desk.clock.set(timedelta(days=1))
    desk("dispose", "run", code=NOT_FIT)
    assert desk.told_both
    assert "confirm-clock" in desk.said
    desk("retention", "confirm-clock", "--reason", "已核对", "--as", "赵管理", code=FORBIDDEN)
    assert desk.told_both
    [confirmed] = desk("retention", "confirm-clock", "--reason", "已核对", "--as", "王审计")
    assert (list(confirmed), confirmed["doubt"]) == (["clock", "doubt"], False)
    assert [one["ended"] for one in desk("dispose", "run")] == ["waits"]


def test_what_a_person_reads_is_in_the_language_asked_for(desk: Desk) -> None:
    key = desk.approved()
    placed = desk("hold", "place", "b.jpg", "--kind", "petition", "--reason", "R", "--as", "王审计")[0]["hold"]
    said = {
        lang: [
            desk.text("hold", "list", "--lang", lang).replace("王审计", "").replace("b.jpg", ""),
            desk.text("dispose", "list", "--lang", lang).replace("期满", "").replace("a.jpg", ""),
            desk.text("retention", "show", "a.jpg", "--lang", lang).replace("a.jpg", ""),
        ]
        for lang in ("zh", "en")
    }
    assert "信访" in said["zh"][0]
    assert "已批准" in said["zh"][1]
    assert "可以提出处置" in said["zh"][2]
    assert not [one for one in said["en"] if any("\u4e00" <= char <= "\u9fff" for char in one)]
    assert placed in said["en"][0]
    assert key in said["en"][1]
    assert "已处置" in desk.text("dispose", "run", "--lang", "zh")


def test_a_disposed_file_that_is_handed_in_again_is_explained(desk: Desk, made: Path, tmp_path: Path) -> None:
    key = desk.approved()
    assert [one["ended"] for one in desk("dispose", "run")] == ["done"]
    again = tmp_path / "再交" / "a.jpg"
    again.parent.mkdir()
    shutil.copy(made / "card" / "a.jpg", again)
    for path in (again, made / "card" / "a.jpg"):
        [line] = desk("ingest", str(path), code=1)
        assert (line["status"], line["original"]) == ("rejected", None)
        assert not has_chinese(line["reason"])
        for lang, word, whom in (("zh", "处置", "法制部门"), ("en", "disposed of", "legal office")):
            [told] = desk("explain", str(path), "--lang", lang)
            assert word in told["why"]
            assert whom in told["do"]
    assert desk("hold", "place", "a.jpg", "--reason", "立案", "--as", "李法制", code=WRONG_USE) == []
    assert desk.told_both
    [shown] = desk("show", "a.jpg")
    assert shown["tombstone"]["disposal"] == key
    assert [one["type"] for one in shown["events"]].count("arrival.rejected") == 2


def test_the_command_itself_ends_with_these_codes(
    made: Path, tmp_path: Path, casereel: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    shutil.copytree(made / "home", tmp_path / "home")
    refused = casereel("hold", "place", "a.jpg", "--reason", "信访", "--as", "赵管理")
    assert (refused.returncode, refused.stdout) == (FORBIDDEN, "")
    assert not has_chinese(refused.stderr)
    assert casereel("hold", "place", "--reason", "信访", "--as", "李法制").returncode == WRONG_USE
