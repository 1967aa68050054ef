"""The player: what it is given, what of the original it may show, and that each instant is cited as it was."""

from __future__ import annotations

import html
import json
import random
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import pytest
from PIL import Image, ImageDraw

from indexer.web.showing import as_vtt, clock
from pipeline.acts.linking import Linking
from pipeline.acts.restricting import Restricting
from tests.conftest import QUICK
from tests.flows.keeping import REVIEWER, link
from tests.homes import make_home
from tests.indexer.web.asking import Asking, person
from workers import cli
from workers.bootstrap import Home, build_home

# Each picture is as bright as its number says, so that a browser's own pixels tell which one is shown.
FIRST, SECOND = "DSJ_HA1234567_000123_20210803150000_0001.mp4", "DSJ_HA7654321_000321_20210803150002_0001.mp4"
PHOTO = "IMG_20210803_150001.jpg"
STEP, PICTURES = 8, 24


def scene(seed: int) -> Image.Image:
    """A picture with shapes of its own, as photos have them."""
    chance, image = random.Random(seed), Image.new("RGB", (640, 480), "white")
    draw = ImageDraw.Draw(image)
    for _ in range(40):
        x, y, side = chance.randrange(640), chance.randrange(480), chance.randrange(20, 200)
        draw.ellipse((x, y, x + side, y + side // 2), fill=tuple(chance.randrange(256) for _ in range(3)))
    return image


def counted(path: Path, *, rate: int, length_s: int, taken: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    command = [
        imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-f", "lavfi", "-i", f"color=gray:s=160x90:r={rate}",
        "-f", "lavfi", "-i", f"sine=f={100 + rate}:b=4", "-t", str(length_s),
        "-vf", f"geq=lum='20+{STEP}*mod(N,{PICTURES})':cb=128:cr=128", "-c:v", "libx264", "-preset", "ultrafast",
        "-pix_fmt", "yuv420p", "-g", "10", "-c:a", "aac", "-metadata", f"creation_time={taken}",
        "-movflags", "+faststart", str(path),
    ]  # fmt: skip
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return path


@pytest.fixture(scope="module")
def filmed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A home with two recordings that overlap, all work on them done."""
    from config.settings import load

    folder = tmp_path_factory.mktemp("player")
    counted(folder / "card" / FIRST, rate=10, length_s=8, taken="2021-08-03T07:00:00Z")
    counted(folder / "card" / SECOND, rate=15, length_s=7, taken="2021-08-03T07:00:02Z")
    subtitles = "1\n00:00:01,000 --> 00:00:02,500\n请出示<b>营业执照</b>\n"
    (folder / "card" / SECOND).with_suffix(".srt").write_text(subtitles, encoding="utf-8")
    scene(3).save(folder / "card" / PHOTO, quality=90)
    settings = load(folder / "home", QUICK)
    make_home(settings)
    assert cli.run(["--home", str(settings.home), "--quiet", "ingest", str(folder / "card"), "--wait"]) == 0
    built = build_home(settings)
    yield built
    built.close()


@pytest.fixture(scope="module")
def first(filmed: Home) -> str:
    return filmed.find_original(FIRST)


@pytest.fixture(scope="module")
def second(filmed: Home) -> str:
    return filmed.find_original(SECOND)


@pytest.fixture(scope="module")
def reviewer(filmed: Home) -> Asking:
    asking = person(filmed, "reviewer", "谢敏")
    assert asking.send("/purpose", purpose="决定前审核", back="/search").status_code == 303
    return asking


@pytest.fixture(scope="module")
def looking(reviewer: Asking, first: str, second: str) -> Asking:
    """The reviewer, with a look at both."""
    for one in (first, second):
        reviewer.page(f"/originals/{one}")
    return reviewer


def test_a_player_is_given_its_clock_and_its_files_after_a_look_alone(
    filmed: Home, looking: Asking, first: str
) -> None:
    given = looking.client.get(f"/api/originals/{first}/player").json()
    assert (given["start_ms"], given["offset_min"]) == (1627974000000.0, 480)
    assert given["sha256"] == filmed.catalog.known_of(first).original.sha256
    for name in ("proxy", "frame_times", "waveform", "scenes", "loudness", "sprites_map", "own"):
        assert looking.client.get(given[name], headers={"Range": "bytes=0-3"}).status_code == 206, name
    assert list(given["sheets"]) == ["sprites-1.jpg"]
    other = person(filmed, "reviewer", "未看")
    for path in (f"/api/originals/{first}/player", f"/api/originals/{first}/captions", given["own"], given["proxy"]):
        other.page(path, 404)


def test_the_original_is_shown_to_who_may_have_it_as_one_event_a_look(
    filmed: Home, looking: Asking, first: str
) -> None:
    address = f"/media/{first}/bytes/shown"
    held = filmed.catalog.known_of(first).original
    answer = looking.client.get(address)
    assert (answer.headers["content-type"], len(answer.content)) == ("video/mp4", held.size_bytes)
    assert "sandbox" in answer.headers["content-security-policy"] or answer.headers["x-content-type-options"]
    part = looking.client.get(address, headers={"Range": "bytes=4-7"})
    assert (part.status_code, part.content) == (206, b"ftyp")
    told = [json.loads(line) for line in filmed.catalog.events_of_type(["view.original_bytes"])]
    assert [(one["actor"], one["original"], one["facts"]["purpose"]) for one in told] == [("谢敏", first, "决定前审核")]
    auditor = person(filmed, "auditor", "审计甲")
    auditor.send("/purpose", purpose="抽查", back="/search")
    assert 'data-player="' in auditor.page(f"/originals/{first}")
    auditor.page(address, 404)
    assert auditor.client.get(f"/api/originals/{first}/player").json()["own"] is None


def test_what_a_sidecar_writes_as_spoken_is_the_captions(looking: Asking, first: str, second: str) -> None:
    said = looking.client.get(f"/api/originals/{second}/captions")
    assert said.headers["content-type"].startswith("text/vtt")
    assert "00:00:01.000 --> 00:00:02.500\n请出示营业执照" in said.text
    assert "<track" in looking.page(f"/originals/{second}")
    assert "<track" not in looking.page(f"/originals/{first}")


def test_words_that_were_said_stand_once_in_a_hit_beside_their_second(looking: Asking) -> None:
    page = looking.page("/search?q=营业执照")
    assert page.count('class="moment"') == 1
    assert 'class="snippet"' not in page


def test_captions_hold_no_tags_and_no_blank_lines() -> None:
    assert as_vtt([(1.0, 1.0, "a <i>b\n\nc")]) == "WEBVTT\n\n00:00:01.000 --> 00:00:01.001\na &lt;i&gt;b\nc\n"
    assert [clock(one) for one in (0, 59.9996, 3723.04, -0.5)] == [
        "00:00:00.000", "00:01:00.000", "01:02:03.040", "-00:00:00.500",
    ]  # fmt: skip


def test_a_note_cites_digest_picture_and_corrected_time_found_here(filmed: Home, looking: Asking, first: str) -> None:
    address, headers = f"/api/originals/{first}/notes", {"X-CSRF-Token": looking.sign()}
    # Picture 31 begins at 3.1 s and lasts for a tenth of a second.
    told = looking.client.post(
        address, json={"kind": "note", "at_s": 3.17, "to_s": 5.0, "text": " 拒不开门 "}, headers=headers
    )
    assert told.status_code == 201
    note = told.json()
    sha256 = filmed.catalog.known_of(first).original.sha256
    assert (note["at_s"], note["pts"], note["to_pts"]) == (3.1, "00:00:03.100", "00:00:05.000")
    assert note["text"] == "拒不开门"
    assert note["citation"].startswith(
        f"SHA-256 {sha256}，PTS 00:00:03.100 – 00:00:05.000，校正时间 "
        "2021-08-03 15:00:03.100 +08:00 – 2021-08-03 15:00:05.000 +08:00 ±"
    )
    for wrong in (
        {"kind": "note", "at_s": 1}, {"kind": "bookmark", "at_s": 2, "to_s": 1}, {"kind": "nudge", "at_s": 1},
        {"kind": "bookmark", "at_s": 1, "beside": first, "offset_s": 1},
    ):  # fmt: skip
        assert looking.client.post(address, json=wrong, headers=headers).status_code == 400, wrong
    assert looking.client.delete(f"{address}/{note['id']}", headers=headers).status_code == 200
    assert looking.client.get(address).json() == []
    types = ("annotation.made", "annotation.withdrawn")
    assert [json.loads(line)["type"] for line in filmed.catalog.events_of_type(types)] == list(types)


def test_a_note_is_one_s_own_until_it_is_shared_and_only_its_writer_withdraws_it(
    filmed: Home, looking: Asking, first: str
) -> None:
    address, headers = f"/api/originals/{first}/notes", {"X-CSRF-Token": looking.sign()}
    for text, shared in (("我的", False), ("大家的", True)):
        body = {"kind": "note", "at_s": 1, "text": text, "shared": shared}
        assert looking.client.post(address, json=body, headers=headers).status_code == 201
    other = person(filmed, "auditor", "审计乙")
    other.page(address, 404)
    other.send(f"/originals/{first}/looks", purpose="抽查")
    [seen] = json.loads(other.page(address))
    assert (seen["text"], seen["mine"], seen["by"]) == ("大家的", False, "谢敏")
    theirs = {"X-CSRF-Token": other.sign()}
    assert other.client.delete(f"{address}/{seen['id']}", headers=theirs).status_code == 404
    assert other.client.post(address, json={"kind": "bookmark", "at_s": 1}, headers=theirs).status_code == 404
    clerk = person(filmed, "clerk", "陈登记")
    clerk.send(f"/originals/{first}/looks", purpose="核对")
    answer = clerk.client.delete(f"{address}/{seen['id']}", headers={"X-CSRF-Token": clerk.sign()})
    assert (answer.status_code, answer.json()["zh"]) == (400, "您没有此标注")
    assert len(looking.client.get(address).json()) == 2


def test_a_picture_taken_is_an_event_before_it_is_a_file(filmed: Home, looking: Asking, first: str) -> None:
    address, headers = f"/api/originals/{first}/snapshots", {"X-CSRF-Token": looking.sign()}
    told = looking.client.post(address, json={"at_s": 2.55, "shown": "copy"}, headers=headers).json()
    sha256 = filmed.catalog.known_of(first).original.sha256
    assert told["lines"][0] == f"SHA-256 {sha256}"
    assert told["lines"][1].startswith("PTS 00:00:02.500 · 校正时间 2021-08-03 15:00:02.500 +08:00 ±")
    assert told["name"] == f"{sha256[:12]}-000002.500.png"
    [event] = [json.loads(line) for line in filmed.catalog.events_of_type(["view.snapshot"])]
    assert (event["original"], event["facts"]["at_s"], event["facts"]["shown"]) == (first, 2.5, "copy")
    other = person(filmed, "auditor", "审计丙")
    other.send(f"/originals/{first}/looks", purpose="抽查")
    theirs = {"X-CSRF-Token": other.sign()}
    assert other.client.post(address, json={"at_s": 1, "shown": "copy"}, headers=theirs).status_code == 404


def test_recordings_stand_side_by_side_by_corrected_clocks_with_the_last_nudge(
    looking: Asking, first: str, second: str
) -> None:
    together = f"/originals/together?of={first}&of={second}"

    def nudges() -> list[float]:
        given = re.search(r'data-cameras="([^"]+)"', looking.page(together))
        assert given is not None
        cameras = json.loads(html.unescape(given[1]))
        assert [one["start_ms"] for one in cameras] == [1627974000000.0, 1627974002000.0]
        return [one["nudge_s"] for one in cameras]

    assert nudges() == [0.0, 0.0]
    headers = {"X-CSRF-Token": looking.sign()}
    for of, beside, offset_s in ((second, first, 0.4), (first, second, 0.3)):
        body = {"kind": "nudge", "at_s": 1, "beside": beside, "offset_s": offset_s, "shared": True}
        assert looking.client.post(f"/api/originals/{of}/notes", json=body, headers=headers).status_code == 201
        # What one's clock is late, the other's is early.
        assert nudges() == ([0.0, 0.4] if of == second else [0.0, -0.3])


def test_recordings_side_by_side_ask_for_a_purpose_and_each_is_a_look(filmed: Home, first: str, second: str) -> None:
    other = person(filmed, "reviewer", "周审核")
    together = f"/originals/together?of={first}&of={second}"
    assert "为何查看" in other.page(together)
    sent = other.send("/originals/together/looks", of=[first, second], purpose="复核", t="1.5")
    assert sent.headers["location"] == f"{together}&t=1.5"
    other.page(together)
    looks = [json.loads(line) for line in filmed.catalog.events_of_type(["view.original"])]
    assert {one["original"] for one in looks if one["actor"] == "周审核"} == {first, second}
    other.page(f"/originals/together?of={first}&of=01ARZ3NDEKTSV4RRFFQ69G5FAV", 404)
    other.page("/originals/together?" + "&".join([f"of={first}"] * 5), 422)
    person(filmed, "operator", "运维乙").page(together, 404)


def test_what_was_recorded_meanwhile_is_of_the_same_case_and_seen(
    filmed: Home, looking: Asking, first: str, second: str
) -> None:
    address = f"/api/originals/{first}/meanwhile"
    assert looking.client.get(address).json() == []
    for one in (first, second):
        link(filmed, one)
    [found] = looking.client.get(address).json()
    assert (found["original"], found["start"]) == (second, "2021-08-03 15:00:02.000 +08:00")
    assert second in looking.page(f"/originals/together?of={first}")
    restricting = Restricting(filmed.catalog, filmed.audit)
    placed = restricting.place(REVIEWER, "商业秘密", kind="trade_secret", original=second, units=("他科",))
    assert looking.client.get(address).json() == []
    restricting.lift(REVIEWER, placed.id, "试毕")


def test_a_photo_is_traced_to_its_original_and_nothing_of_it_is_kept(
    filmed: Home, reviewer: Asking, tmp_path: Path
) -> None:
    def asked(path: Path, asking: Asking = reviewer) -> Any:
        with path.open("rb") as stream:
            sign = {"X-CSRF-Token": asking.sign()}
            return asking.client.post("/api/match", files={"file": (path.name, stream)}, headers=sign)

    passed_on, stranger, text = tmp_path / "passed on.jpg", tmp_path / "stranger.jpg", tmp_path / "a.txt"
    scene(3).resize((400, 300)).save(passed_on, quality=60)
    scene(4).save(stranger)
    text.write_text("no picture", encoding="utf-8")
    [row] = asked(passed_on).json()["rows"]
    known = filmed.catalog.known_of(filmed.find_original(PHOTO))
    assert (row["original"], row["by"], row["name"]) == (known.original.id, "photo", PHOTO)
    assert asked(stranger).json() == {"rows": [], "not_asked": []}
    assert asked(text).status_code == 400
    assert asked(passed_on, person(filmed, "clerk", "登记乙")).status_code == 404
    Restricting(filmed.catalog, filmed.audit).place(
        REVIEWER, "商业秘密", kind="trade_secret", original=known.original.id, units=("他科",)
    )
    assert asked(passed_on).json()["rows"] == []
    events = [json.loads(line) for line in filmed.catalog.events_of_type(["match"])]
    assert [one["facts"]["hits"] for one in events] == [[known.original.id], [], []]
    assert list((filmed.settings.home / "scratch").glob("asked-*")) == []


def test_recordings_side_by_side_ask_unless_each_is_of_a_case_that_the_person_has(
    filmed: Home, first: str, second: str
) -> None:
    case = "平商务罚字〔2021〕第7号"
    other, together = person(filmed, "reviewer", "吴审核"), f"/originals/together?of={first}&of={second}"
    Linking(filmed.catalog, filmed.audit).link("李法制", first, case, "已看")
    other.send(f"/cases/{case}/assignment", act="assign")
    assert "为何查看" in other.page(together)
    Linking(filmed.catalog, filmed.audit).link("李法制", second, case, "已看")
    assert "data-cameras" in other.page(together)
    looks = [json.loads(line) for line in filmed.catalog.events_of_type(["view.original"])]
    mine = [one for one in looks if one["actor"] == "吴审核"]
    assert {one["original"] for one in mine} == {first, second}
    assert all(one["facts"]["by_assignment"] for one in mine)
