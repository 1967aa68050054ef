"""Who has which case before it is decided: taken, assigned and given back; the purpose it gives to looks, and to none
but the looks of whoever has it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from config.settings import load
from indexer.access import Reviewer
from pipeline.acts.linking import Linking
from pipeline.acts.restricting import Restricting
from pipeline.case_numbers import comparable
from pipeline.edges.database import registers
from pipeline.edges.database.dump import dump
from pipeline.errors import BadInput, NotAllowed
from pipeline.records import Case
from tests.flows.keeping import REVIEWER, link, take
from tests.indexer.web.asking import Asking, person
from workers import cli
from workers.bootstrap import Home, build_accounts, build_home, make_home

CASE, OTHER, SECRET = (f"平商务罚字〔2026〕第{number}号" for number in (3, 4, 9))
INTERNAL = "AJ2026-0003"
AT = f"/cases/{quote(CASE)}"


class Office:
    """A case with a confirmed and a proposed original, another case, a restricted one; each with one original."""

    def __init__(self, home: Home, folder: Path) -> None:
        self.home = home
        self.confirmed, self.proposed, self.other, self.secret = take(
            home, folder / "card", "甲.jpg", "乙.jpg", "丙.jpg", "丁.jpg"
        )
        with home.catalog.transaction() as connection:
            registers.put(connection, Case(numbers=((CASE, None), (INTERNAL, "internal"))))
        for original, case in ((self.proposed, CASE), (self.other, OTHER), (self.secret, SECRET)):
            link(home, original, case)
        Linking(home.catalog, home.audit).link("李法制", self.confirmed, CASE, "已看")
        Restricting(home.catalog, home.audit).place(
            REVIEWER, "配方", kind="trade_secret", case=SECRET, units=("法制科",)
        )
        self.reviewer, self.colleague = (person(home, "reviewer", name, "他科") for name in ("谢敏", "钱进"))
        self.insider = person(home, "reviewer", "孙密", "法制科")
        self.administrator = person(home, "administrator", "周管", "法制科")
        self.clerk, self.auditor = person(home, "clerk", "吴登", "他科"), person(home, "auditor", "郑审", "他科")


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    folder = tmp_path_factory.mktemp("office")
    settings = load(folder / "home", {})
    make_home(settings)
    home = build_home(settings)
    yield Office(home, folder)
    home.close()


def told(home: Home, type: str, actor: str = "") -> list[dict[str, Any]]:
    found = (json.loads(line) for line in home.catalog.events_of_type([type]))
    return [one["facts"] for one in found if actor in ("", one["actor"])]


def act(asking: Asking, act: str, *, at: str = AT, **fields: str) -> int:
    return int(asking.send(f"{at}/assignment", act=act, **fields).status_code)


def is_asked(asking: Asking, original: str) -> bool:
    return 'name="keep"' in asking.page(f"/originals/{original}")


def test_looks_of_whoever_has_the_case_have_its_purpose_and_all_others_are_asked(office: Office) -> None:
    home, reviewer = office.home, office.reviewer
    assert all(is_asked(reviewer, one) for one in (office.confirmed, office.proposed, office.other))
    page = reviewer.page(AT)
    button = re.search(r'name="purpose" value="([^"]+)"', page)
    assert button is not None
    assert "领取案件" in page
    assert act(reviewer, "assign") == 303
    page = reviewer.page(AT)
    assert "退回案件" in page
    assert 'name="purpose"' not in page
    given = {"purpose": button[1], "by_assignment": True, "case": CASE}
    assert told(home, "view.case", "谢敏")[-1] == {**given, "case": CASE, "page": "case"}
    assert not any(is_asked(reviewer, one) for one in (office.confirmed, office.proposed))
    assert told(home, "view.original", "谢敏") == [given, given]
    # Of a picture that is kept, and of all else.
    sign = {"X-CSRF-Token": reviewer.sign()}
    kept = reviewer.client.post(
        f"/api/originals/{office.confirmed}/snapshots", json={"at_s": 0, "shown": "copy"}, headers=sign
    )
    assert kept.status_code == 200
    assert told(home, "view.snapshot")[-1]["purpose"] == button[1]
    assert is_asked(reviewer, office.other)
    others = (office.colleague, office.administrator, office.clerk, office.auditor)
    assert all(is_asked(one, office.confirmed) for one in others)
    assert all("by_assignment" not in facts for one in others for facts in told(home, "view.case", one.name))
    # What was said for all of the session stands beside what the assignment says, and counts for the rest alone.
    again = person(home, "reviewer", "冯又")
    act(office.administrator, "assign", reviewer="冯又")
    again.send("/purpose", purpose="核对入库情况", back="/search")
    assert not any(is_asked(again, one) for one in (office.confirmed, office.other))
    assert told(home, "view.original", "冯又") == [{**given, "said": "核对入库情况"}, {"purpose": "核对入库情况"}]
    log = office.auditor.page("/log?show=looks")
    assert "由指派填写" in log
    assert "本次登录所填事由：核对入库情况" in log
    # In whose hands it no more is, is asked for what this session has not looked at yet.
    assert 'name="purpose"' in reviewer.page(AT)
    assert act(office.administrator, "withdraw") == 303
    assert told(home, "case.unassigned")[-1]["person"] == "冯又"


def test_a_reviewer_takes_what_nobody_has_and_an_administrator_assigns_to_reviewers(office: Office) -> None:
    home, reviewer, colleague, administrator = office.home, office.reviewer, office.colleague, office.administrator
    begun = len(told(home, "case.assigned"))
    assert act(reviewer, "assign", reviewer="钱进") == 404
    assert act(office.clerk, "assign") == act(office.auditor, "assign") == act(office.clerk, "withdraw") == 404
    assert act(reviewer, "withdraw") == 400
    # A number of the case is as good as another.
    assert act(reviewer, "assign", at=f"/cases/{INTERNAL}") == 303
    assert act(reviewer, "assign") == 400
    refused = colleague.send(f"{AT}/assignment", act="assign")
    assert (refused.status_code, "此案已由 谢敏 审核" in refused.text) == (400, True)
    assert act(colleague, "withdraw") == 400
    assert act(colleague, "withdraw", reviewer="谢敏") == 404
    assert act(administrator, "assign", reviewer="吴登") == 400
    assert act(administrator, "assign", reviewer="无此人") == 400
    assert act(administrator, "assign", reviewer="钱进") == 303
    assert [(one["person"], one["by"], one["case"]) for one in told(home, "case.assigned")[begun:]] == [
        ("谢敏", "谢敏", CASE), ("钱进", "周管", CASE),
    ]  # fmt: skip
    assert told(home, "case.unassigned")[-1]["person"] == "谢敏"
    assert [one["person"] for one in json.loads(office.clerk.page(f"/api{AT}"))["assigned"]] == ["钱进"]
    assert "钱进" in office.clerk.page(AT)
    assert act(colleague, "withdraw") == 303
    assert json.loads(office.clerk.page(f"/api{AT}"))["assigned"] == []


def test_an_assignment_opens_nothing_and_is_told_to_nobody_who_may_not_know_of_the_case(office: Office) -> None:
    home, at = office.home, f"/cases/{quote(SECRET)}"
    # An administrator knows of it where the restriction names their unit; outside it, reviewers are not to be had.
    assert act(office.reviewer, "assign", at=at) == 404
    begun = len(told(home, "case.assigned"))
    assert act(office.administrator, "assign", at=at, reviewer="谢敏") == 400
    assert len(told(home, "case.assigned")) == begun
    offered = re.search(r'<select name="reviewer".*?</select>', office.administrator.page(at))
    assert offered is not None
    assert re.findall(r"<option[^>]*>([^<]+)", offered[0]) == ["孙密"]
    assert act(office.administrator, "assign", at=at, reviewer="孙密") == 303
    assert not is_asked(office.insider, office.secret)
    assert told(home, "view.original", "孙密")[-1]["by_assignment"]
    for path in (at, f"/api{at}", f"/originals/{office.secret}"):
        office.reviewer.page(path, 404)
    # What is restricted afterwards is gone for whoever had it, and the log keeps silent for whoever may not know.
    [assignment] = home.assigning().of({told(home, "case.assigned")[-1]["case_key"]})
    Restricting(home.catalog, home.audit).place(REVIEWER, "隐私", kind="personal_privacy", case=SECRET, units=("纪检",))
    office.insider.page(at, 404)
    assert not told(home, "view.case", "孙密")[-1].get("by_assignment")
    entries = json.loads(office.administrator.page("/api/log?type=case.assigned"))["entries"]
    assert [one["facts"] for one in entries if not one["facts"]]
    assert assignment.id not in json.dumps(entries)


def test_the_command_line_assigns_and_shows_it(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    def run(*arguments: str) -> tuple[int, Any]:
        capsys.readouterr()
        code = cli.run(["--home", str(office.home.settings.home), "--json", *arguments])
        return code, [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    code, [made] = run("case", "assign", INTERNAL, "谢敏")
    assert (code, made["case"], made["person"], made["withdrawn"]) == (0, CASE, "谢敏", False)
    _, [shown] = run("case", "show", CASE)
    assert [one["person"] for one in shown["assigned"]] == ["谢敏"]
    assert run("case", "assign", CASE, "吴登")[0] != 0
    assert run("case", "assign", CASE, "谢敏", "--withdraw", "--as", "钱进")[0] != 0
    code, [ended] = run("case", "assign", CASE, "谢敏", "--withdraw", "--as", "谢敏")
    assert (code, ended["withdrawn"]) == (0, True)
    assert run("case", "show", CASE)[1][0]["assigned"] == []


def test_assignments_come_back_from_the_log(home: Home, by_log_alone: Callable[[Home], Home]) -> None:
    accounts = build_accounts(home)
    for name, role in (("谢敏", "reviewer"), ("钱进", "reviewer"), ("吴登", "clerk")):
        accounts.add("管理", name, role)
    one, other = Case(numbers=((CASE, None),)), Case(numbers=((OTHER, None),))
    with home.catalog.transaction() as connection:
        for case in (one, other):
            registers.put(connection, case)
    xie, chief, assigning = Reviewer("谢敏", "reviewer"), Reviewer("周管", "administrator"), home.assigning()
    assigning.assign(xie, one, "")
    assigning.assign(chief, one, "钱进")
    assigning.assign(xie, other, "谢敏")
    with pytest.raises(BadInput, match="has this case"):
        assigning.assign(xie, one, "谢敏")
    with pytest.raises(NotAllowed):
        assigning.withdraw(xie, one, "钱进")
    with pytest.raises(BadInput, match="no reviewer"):
        assigning.assign(chief, one, "吴登")
    # Two numbers that turn out to be one matter bring both assignments with them, and none is lost.
    with home.catalog.transaction() as connection:
        registers.put(connection, Case(numbers=((CASE, None), (OTHER, None))))
    for number in (CASE, OTHER):
        assert [one.person for one in assigning.of({comparable(number)})] == ["钱进", "谢敏"]
    assert assigning.gives_purpose(Reviewer("谢敏", "clerk"), {comparable(CASE)}) is None
    before = dump(home.catalog)["assignments"]
    assert [(one["person"], one["ended_by"]) for one in before] == [("谢敏", "周管"), ("钱进", None), ("谢敏", None)]
    rebuilt = by_log_alone(home)
    assert dump(rebuilt.catalog)["assignments"] == before
    assert [one.person for one in rebuilt.assigning().of({comparable(CASE)})] == ["钱进"]
    rebuilt.close()
