"""The clerk's screen: what was handed in is told whatever the way in, and a file in pieces comes in whole, once."""

from __future__ import annotations

import html
import io
import re
import time
import zlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import pypdfium2 as pdfium
import pytest
from PIL import Image

from pipeline.acts.restricting import Restricting
from pipeline.case_numbers import comparable
from pipeline.edges.audit import NewEvent
from pipeline.edges.database import drops, knowledge
from pipeline.edges.database.drops import Drop
from pipeline.records import CaseLink, Caveat, Facts, Person
from pipeline.timing.history import History, _by_order, _out_of_order
from pipeline.timing.history import Neighbour as Stood
from tests.flows.keeping import CASE, REVIEWER, filmed, link, take
from tests.indexer.web.asking import Asking, person
from workers.bootstrap import Home
from workers.patrol import look_after_uploads


def picture(colour: str = "red") -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (640, 480), colour).save(stream, "JPEG")
    return stream.getvalue()


class Sending:
    """A page that sends a file in pieces."""

    def __init__(self, clerk: Asking, data: bytes, name: str = "现场.jpg", **said: Any) -> None:
        self.clerk, self.data, self.sign = clerk, data, {"X-CSRF-Token": clerk.sign()}
        self.wanted = {"name": name, "size": len(data), "modified_ms": 1_700_000_000_000, **said}
        self.begun = self.begin()

    def begin(self) -> dict[str, Any]:
        answer = self.clerk.client.post("/api/uploads", json=self.wanted, headers=self.sign)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    @property
    def path(self) -> str:
        return f"/api/uploads/{self.begun['id']}"

    def put(self, first: int, last: int, *, piece: bytes | None = None, crc32: int | None = None) -> Any:
        piece = self.data[first:last] if piece is None else piece
        crc32 = zlib.crc32(piece) if crc32 is None else crc32
        headers = {"Upload-Offset": str(first), "Upload-Checksum": str(crc32), **self.sign}
        return self.clerk.client.patch(self.path, content=piece, headers=headers)

    def finish(self) -> Any:
        return self.clerk.client.post(f"{self.path}/finish", headers=self.sign)

    def offset(self) -> int:
        return int(self.clerk.client.head(self.path).headers["upload-offset"])


@pytest.fixture
def clerk(sqlite_home: Home) -> Asking:
    return person(sqlite_home, "clerk", "陈登记")


def test_a_file_in_pieces_comes_into_custody_whole_with_what_was_said_of_it(sqlite_home: Home, clerk: Asking) -> None:
    data = picture()
    sending = Sending(clerk, data, folder="AJ2021-0042/正面", case="AJ2021-0042", officer="王执法")
    assert sending.put(0, 1000).json() == {"offset": 1000}
    assert sending.finish().json()["offset"] == 1000
    assert sending.put(1000, len(data)).json() == {"offset": len(data)}
    told = sending.finish().json()
    assert (told["state"], told["status"]) == ("safe", "accepted")
    [arrival] = sqlite_home.catalog.arrivals()
    assert (arrival.source, arrival.folder, arrival.name) == ("upload:陈登记", "AJ2021-0042/正面", "现场.jpg")
    assert (arrival.stated.case, arrival.stated.officer) == ("AJ2021-0042", "王执法")
    assert arrival.mtime_ns == 1_700_000_000 * 10**9
    with sqlite_home.vault.opened(told["sha256"]) as path:
        assert path.read_bytes() == data
    assert not list((sqlite_home.settings.home / "uploads" / "open").glob("*/files"))


def test_what_was_lost_on_the_way_is_sent_again_and_nothing_twice(sqlite_home: Home, clerk: Asking) -> None:
    data = picture("blue")
    sending = Sending(clerk, data)
    sending.put(0, 500)
    assert sending.put(0, 500).json()["offset"] == 500  # the answer to the first was lost
    assert sending.put(700, 900).status_code == 409
    assert sending.put(500, 900, crc32=1).status_code == 400
    assert sending.offset() == 500
    again = Sending(clerk, data)  # the page was loaded again, and the same file chosen
    assert (again.begun["id"], again.begun["offset"]) == (sending.begun["id"], 500)
    assert again.begun["tail_crc32"] == zlib.crc32(data[:500])
    again.put(500, len(data))
    assert again.put(len(data), len(data) + 1, piece=b"x").status_code == 400
    first, second = again.finish().json(), again.finish().json()
    assert first == second
    assert Sending(clerk, data).begun["state"] == "safe"
    assert len(sqlite_home.catalog.arrivals()) == 1


def test_one_who_took_it_and_died_before_telling_takes_nothing_twice(
    sqlite_home: Home, clerk: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = picture("green")
    sending = Sending(clerk, data)
    sending.put(0, len(data))
    with monkeypatch.context() as patched:
        patched.setattr("pipeline.edges.host.disk.write_whole", lambda *_: (_ for _ in ()).throw(OSError("died")))
        assert sending.finish().status_code == 500
    assert sending.finish().json()["original"] == sqlite_home.catalog.arrivals()[0].original
    assert len(sqlite_home.catalog.arrivals()) == 1


def test_the_patrol_takes_whole_ones_and_clears_those_nobody_goes_on_with(sqlite_home: Home, clerk: Asking) -> None:
    data = picture("black")
    whole, half = Sending(clerk, data, "a.jpg"), Sending(clerk, data + b"more", "b.jpg")
    whole.put(0, len(data))
    half.put(0, 100)
    assert look_after_uploads(sqlite_home) == {"uploads_taken": 0, "uploads_abandoned": 0}
    later = time.time() + sqlite_home.settings.web.upload_keep_h * 3600 + 1
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("pipeline.edges.storage.uploads.time.time", lambda: later)
        assert look_after_uploads(sqlite_home) == {"uploads_taken": 1, "uploads_abandoned": 1}
    assert [one.name for one in sqlite_home.catalog.arrivals()] == ["a.jpg"]
    assert half.clerk.client.head(half.path).status_code == 400
    [event] = sqlite_home.catalog.events_of_type(["upload.abandoned"])
    assert "b.jpg" in event


def test_no_name_leads_out_of_its_folder_and_nobody_reaches_the_uploads_of_others(
    sqlite_home: Home, clerk: Asking
) -> None:
    sign = {"X-CSRF-Token": clerk.sign()}
    for name, folder in (("../x", ""), ("x", "../.."), ("..", ""), ("a\0b", ""), ("x", "a//b"), ("x" * 256, "")):
        wanted = {"name": name, "folder": folder, "size": 1}
        assert clerk.client.post("/api/uploads", json=wanted, headers=sign).status_code in (400, 422), (name, folder)
    sending = Sending(clerk, picture())
    other = person(sqlite_home, "clerk", "他人")
    headers = {"X-CSRF-Token": other.sign(), "Upload-Offset": "0", "Upload-Checksum": "0"}
    for method, path in (("GET", ""), ("PATCH", ""), ("POST", "/finish"), ("DELETE", "")):
        assert other.client.request(method, sending.path + path, headers=headers).status_code == 400, method
    assert other.client.get("/api/uploads").json() == {"uploads": []}
    assert person(sqlite_home, "operator").client.get("/api/uploads").status_code == 404


def test_a_disk_without_room_says_so_before_anything_is_sent(clerk: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "pipeline.edges.storage.uploads.shutil.disk_usage", lambda _: SimpleNamespace(total=9000, free=1000)
    )
    wanted = {"name": "长.mp4", "size": 600}
    answer = clerk.client.post("/api/uploads", json=wanted, headers={"X-CSRF-Token": clerk.sign()})
    assert answer.status_code == 503
    assert "空间不足" in answer.json()["zh"]


def test_the_sentence_counts_what_is_safe_and_what_needs_a_hand(sqlite_home: Home, clerk: Asking) -> None:
    inbox = sqlite_home.settings.inbox
    [first] = take(sqlite_home, inbox, "现场.jpg")
    (inbox / "b.jpg").write_bytes((inbox / "现场.jpg").read_bytes())
    link, shown = "link640103199001011234.jpg", "link640103********1234.jpg"
    (inbox / link).symlink_to(inbox / "b.jpg")
    for name in ("b.jpg", link):
        sqlite_home.take_in(inbox / name, inbox, "inbox")
    page = clerk.page("/hand-in")
    for place in ("/hand-in", "/hand-in/receipt", "/api/hand-in"):
        told = clerk.page(place)
        assert (shown in told, link in told) == (True, False), place
    assert "收到 3 个文件，" in page
    assert "2 个已安全入库" in page
    assert "1 个需要您处理" in page
    assert "它是链接、快捷方式或设备，不是文件" in page
    assert f'href="/originals/{first}"' in page
    assert "重复，没有问题：相同内容已于" in page
    looks = sqlite_home.catalog.events_of_type(["view.arrivals"])
    clerk.page("/hand-in")
    assert sqlite_home.catalog.events_of_type(["view.arrivals"]) == looks
    told = clerk.client.get("/api/hand-in").json()
    assert (told["received"], told["safe"], told["needs"], told["unlinked"]) == (3, 2, 1, 2)
    assert told["arrivals"][0]["twin"]["name"] == "现场.jpg"
    assert [one["name"] for one in clerk.client.get("/api/hand-in?only=duplicate").json()["arrivals"]] == ["b.jpg"]
    [key] = re.findall(r'name="key" value="([^"]+)"', page)
    assert clerk.send("/hand-in/retry", key=key).headers["location"] == "/hand-in?done=refused"
    (inbox / link).unlink()
    (inbox / link).write_bytes(picture())
    assert clerk.send("/hand-in/retry", key=key).headers["location"] == "/hand-in?done=taken"
    assert clerk.client.get("/api/hand-in").json()["needs"] == 0


def test_a_refused_upload_is_told_in_plain_words_and_tried_once_more(sqlite_home: Home, clerk: Asking) -> None:
    sending = Sending(clerk, picture())
    sending.put(0, len(sending.data))
    [sent] = (sqlite_home.settings.home / "uploads").glob("open/*/files/现场.jpg")
    aside = sent.rename(sqlite_home.settings.home / "现场.jpg")
    sent.symlink_to(aside)
    told = sending.finish().json()
    assert (told["state"], told["why_zh"]) == ("refused", "它是链接、快捷方式或设备，不是文件")
    assert told["do_zh"] in clerk.page("/hand-in")
    upload = told["id"]
    assert clerk.send("/hand-in/again", upload=upload).headers["location"] == "/hand-in?done=refused"
    sent.unlink()
    aside.rename(sent)
    assert clerk.send("/hand-in/again", upload=upload).headers["location"] == "/hand-in?done=taken"
    assert [one.name for one in sqlite_home.catalog.arrivals()] == ["现场.jpg"]


def test_who_suspects_a_state_secret_need_not_look_at_it_first(sqlite_home: Home, clerk: Asking) -> None:
    [original] = take(sqlite_home, sqlite_home.settings.inbox, "现场.jpg")
    page = clerk.page(f"/originals/{original}")
    assert "为何查看" in page
    assert f'action="/originals/{original}/isolation"' in page
    done = clerk.send(f"/originals/{original}/isolation")
    assert done.status_code == 200
    assert original in done.text  # to be written on paper, once
    assert original not in clerk.page("/isolated")
    clerk.page(f"/originals/{original}", 404)


def test_every_page_of_who_hands_in_has_a_place_to_do_so(sqlite_home: Home, clerk: Asking) -> None:
    for path in ("/hand-in", "/search", "/cases", "/isolated", "/hand-in/receipt"):
        assert 'class="here scripted"' in clerk.page(path)
    assert 'class="here scripted"' not in person(sqlite_home, "auditor").page("/search")


def test_pages_of_the_list_follow_one_another_without_what_is_restricted(sqlite_home: Home, clerk: Asking) -> None:
    folder = sqlite_home.settings.inbox / "AJ2021-0042"
    ids = take(sqlite_home, folder, *(f"{one}.jpg" for one in range(5)))
    Restricting(sqlite_home.catalog, sqlite_home.audit).place(
        REVIEWER, "商业秘密", kind="trade_secret", original=ids[2], units=("法制科",)
    )
    seen, after = [], ""
    while after is not None:
        told = clerk.client.get("/api/hand-in", params={"limit": 2, "before": after}).json()
        assert told["received"] == told["unlinked"] == 4
        seen += [one["original"] for one in told["arrivals"]]
        after = told["after"]
    assert seen == [ids[4], ids[3], ids[1], ids[0]]
    assert ids[2] not in clerk.page("/hand-in?days=0")
    assert clerk.client.get("/api/hand-in?q=4.jp").json()["arrivals"][0]["original"] == ids[4]


def test_a_clerk_links_and_a_reviewer_confirms(sqlite_home: Home, clerk: Asking) -> None:
    one, two = take(sqlite_home, sqlite_home.settings.inbox, "a.jpg", "b.jpg")
    link(sqlite_home, two)
    page = clerk.page("/hand-in")
    assert "建议关联案件" in page
    assert 'value="confirm"' not in page
    assert "✓ 属于该案</button>" in page  # as one who knows: linked, with their name
    said = {"original": [one], "case": "AJ2021-0042", "reason": "移交时说明", "back": "/hand-in"}
    done = clerk.send("/hand-in/links", **said).headers["location"]
    assert "已记入与案件的关联" in clerk.page(done)
    assert clerk.send("/hand-in/links", **{**said, "original": []}).status_code == 400
    assert clerk.send("/hand-in/links", original=two, case=CASE, act="confirm").status_code == 404
    assert person(sqlite_home, "reviewer").send("/hand-in/links", original=two, case=CASE, act="confirm").is_redirect
    links = [known.links[0] for known in sqlite_home.catalog.known_of_many([one, two])]
    assert [(one.case, one.status, one.by) for one in links] == [
        ("AJ-2021-0042", "confirmed", "陈登记"), (CASE, "confirmed", "某reviewer"),
    ]  # fmt: skip
    page = clerk.page("/hand-in")
    assert '<option value="AJ-2021-0042">' in page
    assert 'data-pick="AJ-2021-0042"' in page
    assert "属于案件 AJ-2021-0042" in page


def test_the_rules_of_every_folder_can_be_read(clerk: Asking, sqlite_home: Home) -> None:
    page = clerk.page("/hand-in/rules")
    settings = sqlite_home.settings
    for word in (str(settings.inbox), str(settings.home / "receipts"), "Thumbs.db", ".crdownload", "0.3 秒"):
        assert word in page


def test_a_receipt_lists_a_folder_s_day_and_comes_on_paper(sqlite_home: Home, clerk: Asking) -> None:
    inbox = sqlite_home.settings.inbox
    for name, colour in (("一号箱/现场.jpg", "red"), ("二号箱/别处.jpg", "blue")):
        (inbox / name).parent.mkdir()
        (inbox / name).write_bytes(picture(colour))
    (inbox / "一号箱" / "link.jpg").symlink_to(inbox)
    first, *_ = [
        str(sqlite_home.take_in(inbox / name, inbox, "inbox").original)
        for name in ("一号箱/现场.jpg", "二号箱/别处.jpg", "一号箱/link.jpg")
    ]
    receipts = re.findall(r'href="(/hand-in/receipt\?way[^"]+)"', clerk.page("/hand-in"))
    [address] = [html.unescape(one) for one in receipts if quote("一号箱") in one]
    page, sha256 = clerk.page(address), sqlite_home.catalog.known_of(first).original.sha256
    for word in (first, sha256, "一号箱/现场.jpg", "一号箱/link.jpg", "收件文件夹", "设备、执法人员"):
        assert word in page
    assert "别处.jpg" not in page
    answer = clerk.client.get(address.replace("/receipt?", "/receipt.pdf?"))
    assert answer.headers["content-type"] == "application/pdf"
    with pdfium.PdfDocument(answer.content) as pdf:
        text = "".join(pdf[0].get_textpage().get_text_bounded().split())
    assert "现场.jpg" in text
    assert sha256 in text
    assert clerk.client.get("/hand-in/receipt?day=x").status_code == 400


def test_missing_numbers_stand_between_their_neighbours_and_hidden_ones_are_no_hole(
    sqlite_home: Home, clerk: Asking, tmp_path: Path
) -> None:
    at = datetime(2026, 8, 3, 1, tzinfo=UTC)
    names = [f"GX0100{number}.MP4" for number in (12, 13, 15)]
    ids = filmed(sqlite_home, tmp_path, *((name, at + timedelta(hours=n), 60.0) for n, name in enumerate(names)))
    odd = Caveat(code="mtime_in_future", text="ahead", text_zh="超前", finder="test/1")
    with sqlite_home.catalog.transaction() as connection:
        [seq] = sqlite_home.audit.record(connection, [NewEvent(type="stage.x", actor="test", original=ids[1])])
        knowledge.record(connection, ids[1], "test", Facts(caveats=(odd,)), seq)
    page = clerk.page("/hand-in/checks?days=0")
    assert "文件日期晚于收到的时间" in page
    assert "时钟卡" in page
    assert "⚠ 14<" in page
    assert "⚠ 13<" not in page
    assert "GX010015.MP4" in page
    Restricting(sqlite_home.catalog, sqlite_home.audit).place(
        REVIEWER, "商业秘密", kind="trade_secret", original=ids[1], units=("法制科",)
    )
    page = clerk.page("/hand-in/checks?days=0")
    assert "没有缺号" in page
    assert "没有时钟疑问" in page
    assert "GX0100" not in page


def test_what_is_said_of_a_file_names_no_other_that_one_may_not_know_of(
    sqlite_home: Home, clerk: Asking, tmp_path: Path
) -> None:
    at = datetime(2026, 8, 3, 1, tzinfo=UTC)
    names = ["GX010012.MP4", "秘密约谈.MP4", "GX010015.MP4"]
    ids = filmed(sqlite_home, tmp_path, *((name, at + timedelta(hours=n), 60.0) for n, name in enumerate(names)))
    secret, beside = names[1], "GX010012.MP4 与 秘密约谈.MP4 同属一次记录"
    history = History(
        before=Stood(original=ids[1], name=secret, number=13, start_at=at, end_at=at, uncertainty_s=1.0), after=None
    )
    caveats = (
        _out_of_order(history), _by_order(history),
        Caveat(code="not_on_list", text=f"The list {secret}.txt does not name it", text_zh=f"清单 {secret}.txt 中没有"),
        Caveat(code="late_upload", text="It was handed in late", text_zh="逾期入库"),
        Caveat(code="missing_member", text=f"beside {ids[1]}", text_zh=f"在 {ids[1]} 旁"),
    )  # fmt: skip
    found = Facts(
        caveats=tuple(replace(one, finder="test/1") for one in caveats),
        links=(CaseLink(case=CASE, case_key=comparable(CASE), method="neighbour", score=0.8, why=beside, why_zh=beside,
                        finder="test/1"),),
    )  # fmt: skip
    with sqlite_home.catalog.transaction() as connection:
        [seq] = sqlite_home.audit.record(connection, [NewEvent(type="stage.x", actor="test", original=ids[2])])
        knowledge.record(connection, ids[2], "test", found, seq)
        drops.add_drop(connection, Drop(
            id="D1", source="inbox", folder="AJ", name="list.txt", kind="sha256", manifest=None, listed=3,
            stated_at=sqlite_home.catalog.now(), state="wrong",
            told={"missing": 1, "wrong": 1, "missing_names": ["a.mp4"], "wrong_names": [f"sub/{secret}"]},
        ))  # fmt: skip
    reviewer = person(sqlite_home, "reviewer", "谢敏")
    pages = {
        "/hand-in?days=0": clerk, "/hand-in/checks?days=0": clerk, f"/api/hand-in?q={names[2]}": clerk,
        f"/api/originals/{ids[2]}": reviewer, f"/cases/{quote(CASE)}": reviewer,
    }  # fmt: skip
    for path, who in pages.items():
        assert secret in who.page(path), path
    with sqlite_home.isolating() as isolating:
        isolating.report(Person(name="李四", role="reviewer"), ids[1])
    for path, who in pages.items():
        page = who.page(path)
        assert not any(one in page for one in ("秘密约谈", ids[1], "09:00", "01:00:00Z")), path
    page = clerk.page("/hand-in?days=0")
    for said in (
        "文件序号与判定的时间不符",
        "仅能按文件序号推断",
        "随附清单中没有该文件",
        "逾期入库",
        "本次记录缺少分段",
        "a.mp4",
    ):
        assert said in page, said
    assert "文件序号与判定的时间不符" in clerk.page("/hand-in/checks?days=0")
    # Who may know of all of it reads it as it is.
    assert sqlite_home.catalog.known_of(ids[2]).caveats[0].text.count(secret) == 1
