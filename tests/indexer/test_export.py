"""What a package holds, what it names as missing, and who may have it."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import bagit
import pytest
import sqlalchemy as sa

from config.settings import Settings
from indexer.access import Reviewer
from indexer.export import Asked, Exporter
from indexer.exporting import printed
from indexer.exporting.package import verify
from pipeline.edges.database import exports, tables
from pipeline.errors import BadInput, CustodyBroken, NotAllowed
from pipeline.records import Caveat, DecidedTime, TimeClaim
from tests.homes import make_home
from tests.indexer.packages import CASE, CLERK, SECOND, link, make, take, with_photos
from tests.samples import making
from workers.bootstrap import Home, build_exporter, build_home
from workers.rebuild import rebuild_catalog

AT = datetime(2021, 8, 3, 2, 10, 10, tzinfo=UTC)
TIME = DecidedTime(
    start_at=AT, end_at=AT + timedelta(seconds=60), uncertainty_s=2.0, method="stated_zone",
    why="its own clock said so", zone_known=False, source="exif.DateTimeOriginal", finder="timestamps/1",
)  # fmt: skip
CLAIM = TimeClaim(
    source="exif.DateTimeOriginal", found="2021:08:03 10:10:10", at=AT, zone_known=False, offset_min=480, marks="start",
    precision_s=1.0, trust=80, finder="exif/1",
)  # fmt: skip


@pytest.fixture(autouse=True)
def quick_paper(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Packages of this file carry no real PDF, whose font takes a second to read; test_report.py looks at it."""
    if "casereel" not in request.fixturenames:
        monkeypatch.setattr(printed, "as_pdf", lambda *_: b"%PDF-1.4\n")


def rows_of(bag: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO((bag / "data/list.csv").read_text("utf-8-sig"), newline="")))


def test_a_package_holds_the_originals_byte_by_byte_and_other_programs_say_it_is_whole(
    home: Home, tmp_path: Path
) -> None:
    originals = with_photos(home, tmp_path / "card")
    before = {path: path.read_bytes() for path in home.vault.root.rglob("*") if path.is_file()}
    made = make(home, tmp_path / "out")

    assert (made.files, made.missing, made.broken) == (2, (), False)
    held = sorted((made.bag / "data").glob("0*"))
    assert [hashlib.sha256(one.read_bytes()).hexdigest() for one in held] == [
        home.catalog.known_of(one).original.sha256 for one in originals
    ]
    bagit.Bag(str(made.bag)).validate()
    for name in ("manifest-sha256.txt", "tagmanifest-sha256.txt"):
        subprocess.run(["sha256sum", "--strict", "-c", name], cwd=made.bag, check=True, capture_output=True)
    assert verify.check(str(made.bag), made.key).faults == []
    assert [path.name for path in (tmp_path / "out").iterdir()] == [made.bag.name]
    assert {path: path.read_bytes() for path in home.vault.root.rglob("*") if path.is_file()} == before


def test_the_record_in_the_package_is_the_vaults_byte_by_byte(sqlite_home: Home, tmp_path: Path) -> None:
    [original] = with_photos(sqlite_home, tmp_path / "card", 1)
    sha256 = sqlite_home.catalog.known_of(original).original.sha256
    made = make(sqlite_home, tmp_path / "out")
    with sqlite_home.vault.opened(sha256) as path:
        assert (made.bag / "data/records/0001.json").read_bytes() == (path.parent / "record.json").read_bytes()


def test_facts_that_came_later_are_in_the_package(sqlite_home: Home, tmp_path: Path) -> None:
    [original] = with_photos(sqlite_home, tmp_path / "card", 1)
    sha256 = sqlite_home.catalog.known_of(original).original.sha256
    sqlite_home.vault.add_version(sha256, {"correction.json": b'{"place": "\\u4e1c"}'}, message="corrected", actor="a")
    made = make(sqlite_home, tmp_path / "out")
    [later] = json.loads((made.bag / "data/records/0001.later.json").read_text())
    assert (later["name"], later["facts"]) == ("correction.json", {"place": "东"})
    assert verify.check(str(made.bag)).whole


def test_the_list_tells_time_with_uncertainty_and_reason_and_caveats(sqlite_home: Home, tmp_path: Path) -> None:
    [original] = with_photos(sqlite_home, tmp_path / "card", 1, officer="010203")
    caveat = Caveat(code="clock", text="its clock may be wrong", text_zh="其时钟可能不准", finder="timestamps/1")
    link(sqlite_home, original, time=TIME, time_claims=(CLAIM,), caveats=(caveat,))
    made = make(sqlite_home, tmp_path / "out")
    [row] = rows_of(made.bag)
    assert row["制作时间"] == "2021-08-03 10:10:10+08:00 – 2021-08-03 10:11:10+08:00"
    assert row["时间误差"] == "±2 s；时区为推定"
    assert row["时间依据"] == "its own clock said so"
    assert row["备注"] == "其时钟可能不准"
    assert (row["原始文件名"], row["制作人（记录人）"]) == ("现场0.jpg", "010203")
    assert row["完整性校验值 SHA-256"] == hashlib.sha256((tmp_path / "card/现场0.jpg").read_bytes()).hexdigest()
    facts = json.loads((made.bag / "data/records/0001.facts.json").read_text())
    assert [claim["found"] for claim in facts["time_claims"]] == ["2021:08:03 10:10:10"]


HOSTILE = (
    "=cmd|' x'!A1.jpg", "+1.jpg", "-x%d.jpg", "@a.jpg", "\u202egpj.exe.jpg", "a\r\n=b.jpg", "con.jpg", "a. ", "%.jpg",
)  # fmt: skip


def test_hostile_names_are_told_and_neither_run_nor_used(sqlite_home: Home, tmp_path: Path) -> None:
    (tmp_path / "card").mkdir()
    paths = [
        making.photo(tmp_path / "made.jpg", number).rename(tmp_path / "card" / name)
        for number, name in enumerate(HOSTILE)
    ]
    for original in take(sqlite_home, paths):
        link(sqlite_home, original)
    made = make(sqlite_home, tmp_path / "out")
    rows = rows_of(made.bag)
    held = sorted(path.name for path in (made.bag / "data").glob("0*"))
    assert len(rows) == len(held) == len(HOSTILE)
    assert all(32 < ord(letter) < 127 and letter not in '%\\/:*?"<>|' for name in held for letter in name)
    assert not [row for row in rows if row["原始文件名"].startswith(("=", "+", "-", "@", "\t", "\r"))]
    assert not [row for row in rows if set("\u202e\r\n") & set(row["原始文件名"])]
    assert "\u202e" not in (made.bag / "data/report.html").read_text("utf-8")
    bagit.Bag(str(made.bag)).validate()
    assert verify.check(str(made.bag)).whole


def test_a_sidecar_follows_its_recording(sqlite_home: Home, tmp_path: Path) -> None:
    (tmp_path / "card").mkdir()
    photo = making.photo(tmp_path / "card" / "DJI_0001.jpg", 1)
    beside = tmp_path / "card" / "DJI_0001.xmp"
    beside.write_text("<x:xmpmeta xmlns:x='adobe:ns:meta/'/>")
    recording, sidecar = take(sqlite_home, [photo, beside])
    link(sqlite_home, recording)
    with sqlite_home.catalog.transaction() as connection:
        connection.execute(sa.update(tables.original).where(tables.original.c.id == sidecar).values(parent=recording))
    made = make(sqlite_home, tmp_path / "out")
    rows = rows_of(made.bag)
    assert [row["包内文件"] for row in rows] == ["data/0001_DJI_0001.jpg", "data/0002_DJI_0001.xmp"]
    assert "0001 号文件的随附文件" in rows[1]["备注"]
    assert verify.check(str(made.bag)).whole


# -- what is missing


def test_proposed_links_are_left_out_and_named_unless_asked_for(sqlite_home: Home, tmp_path: Path) -> None:
    first, second = with_photos(sqlite_home, tmp_path / "card")
    link(sqlite_home, second, "proposed")
    made = make(sqlite_home, tmp_path / "out")
    assert [(one.what, one.original) for one in made.missing] == [("proposed", second)]
    assert [row["原始文件名"] for row in rows_of(made.bag)] == ["现场0.jpg"]
    assert "现场1.jpg: 与本案的关联尚未经人确认" in (made.bag / "data/report.html").read_text("utf-8")

    made = make(sqlite_home, tmp_path / "more", with_proposed=True)
    assert [row["与案件的关联"][:4] for row in rows_of(made.bag)] == ["已确认:", "系统建议"]
    assert made.missing == ()
    assert first != second


def test_refused_links_are_neither_exported_nor_missing(sqlite_home: Home, tmp_path: Path) -> None:
    _, second = with_photos(sqlite_home, tmp_path / "card")
    link(sqlite_home, second, "refused")
    made = make(sqlite_home, tmp_path / "out")
    assert (made.files, made.missing) == (1, ())


def test_a_changed_original_is_left_out_named_and_makes_the_export_broken(sqlite_home: Home, tmp_path: Path) -> None:
    first, second = with_photos(sqlite_home, tmp_path / "card")
    sha256 = sqlite_home.catalog.known_of(first).original.sha256
    with sqlite_home.vault.opened(sha256) as path:
        path.chmod(0o640)
        path.write_bytes(path.read_bytes()[:-1] + b"\0")
    made = make(sqlite_home, tmp_path / "out")
    assert [(one.what, one.original, one.sha256) for one in made.missing] == [("broken", first, sha256)]
    assert made.broken
    assert [row["完整性校验值 SHA-256"] for row in rows_of(made.bag)] == [
        sqlite_home.catalog.known_of(second).original.sha256
    ]
    assert verify.check(str(made.bag)).whole


def test_a_lost_original_is_named_as_gone(sqlite_home: Home, tmp_path: Path) -> None:
    first, _ = with_photos(sqlite_home, tmp_path / "card")
    with sqlite_home.vault.opened(sqlite_home.catalog.known_of(first).original.sha256) as path:
        shutil.rmtree(path.parents[2])
    made = make(sqlite_home, tmp_path / "out")
    assert [(one.what, one.original) for one in made.missing] == [("gone", first)]
    assert made.broken


def test_nothing_is_written_where_every_original_is_broken(sqlite_home: Home, tmp_path: Path) -> None:
    [only] = with_photos(sqlite_home, tmp_path / "card", 1)
    with sqlite_home.vault.opened(sqlite_home.catalog.known_of(only).original.sha256) as path:
        path.chmod(0o640)
        path.write_bytes(b"x")
    with pytest.raises(CustodyBroken):
        make(sqlite_home, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []
    assert [one.state for one in exports.listed(sqlite_home.catalog)] == ["failed"]


def test_a_disposed_original_is_named_with_its_reason(sqlite_home: Home, tmp_path: Path) -> None:
    first, _ = with_photos(sqlite_home, tmp_path / "card")
    sha256 = sqlite_home.catalog.known_of(first).original.sha256
    sqlite_home.vault.purge(sha256, {"reason": "期满", "size_bytes": 1})
    made = make(sqlite_home, tmp_path / "out")
    assert [(one.what, one.original, one.detail) for one in made.missing] == [("disposed", first, "期满")]
    assert not made.broken


def test_what_is_still_being_read_and_what_was_rejected_is_named(sqlite_home: Home, tmp_path: Path) -> None:
    first, _ = with_photos(sqlite_home, tmp_path / "card")
    with sqlite_home.catalog.transaction() as connection:
        connection.execute(sa.update(tables.job).where(tables.job.c.original == first).values(state="waiting"))
        row = connection.execute(sa.select(tables.arrival).limit(1)).mappings().one()
        rejected = {**row, "id": "0" * 26, "original": None, "status": "rejected", "reason": "a link", "place_key": "x"}
        connection.execute(sa.insert(tables.arrival).values(**rejected))
    made = make(sqlite_home, tmp_path / "out")
    assert sorted((one.what, one.detail) for one in made.missing) == [("in_progress", ""), ("rejected", "a link")]


def test_an_unknown_case_and_one_with_only_proposals_are_refused_with_what_to_do(
    sqlite_home: Home, tmp_path: Path
) -> None:
    [only] = with_photos(sqlite_home, tmp_path / "card", 1)
    link(sqlite_home, only, "proposed")
    with pytest.raises(BadInput, match="--with-proposed"):
        make(sqlite_home, tmp_path / "out")
    with pytest.raises(BadInput, match="casereel search"):
        build_exporter(sqlite_home).make(CLERK, Asked(case="平商务罚字〔1999〕第1号", to=tmp_path / "out", purpose="x"))
    with pytest.raises(BadInput, match="--purpose"):
        build_exporter(sqlite_home).make(CLERK, Asked(case=CASE, to=tmp_path / "out", purpose=" ", with_proposed=True))
    assert list((tmp_path / "out").iterdir()) == []


def test_the_folder_is_made_but_a_disk_that_is_not_there_is_not_made_up(sqlite_home: Home, tmp_path: Path) -> None:
    [only] = with_photos(sqlite_home, tmp_path / "card", 1)
    link(sqlite_home, only, "confirmed")
    exporter = build_exporter(sqlite_home)
    with pytest.raises(BadInput, match="is the disk connected"):
        exporter.make(CLERK, Asked(case=CASE, to=tmp_path / "stick" / "out", purpose="x"))
    made = exporter.make(CLERK, Asked(case=CASE, to=tmp_path / "out", purpose="x"))
    assert made.bag.parent == tmp_path / "out"


def test_a_shortened_number_that_means_two_cases_is_asked_back(sqlite_home: Home, tmp_path: Path) -> None:
    first, second = with_photos(sqlite_home, tmp_path / "card")
    link(sqlite_home, second, case="安商务罚字〔2021〕第3号", key="安商务罚-2021-3")
    exporter = build_exporter(sqlite_home)
    (tmp_path / "out").mkdir()
    with pytest.raises(BadInput, match="several cases"):
        exporter.make(CLERK, Asked(case="商务罚字〔2021〕第3号", to=tmp_path / "out", purpose="x"))
    assert first


def test_viewing_copies_come_only_when_asked_for_and_say_what_they_are(sqlite_home: Home, tmp_path: Path) -> None:
    [original] = with_photos(sqlite_home, tmp_path / "card", 1)
    made = make(sqlite_home, tmp_path / "without")
    assert not (made.bag / "data/viewing_copies").exists()
    sha256 = sqlite_home.catalog.known_of(original).original.sha256
    copy = making.photo(tmp_path / "view.webp.jpg", 5)
    path, digest, size = sqlite_home.vault.keep_derivative(sha256, "view", copy)
    with sqlite_home.catalog.transaction() as connection:
        connection.execute(
            sa.insert(tables.derivative).values(
                id="0" * 26, original=original, turn="heavy-derive", role="view", mime="image/jpeg", path=path,
                sha256=digest, size_bytes=size, tool="test", parameters={}, finder="view/1",
            )
        )  # fmt: skip
    made = make(sqlite_home, tmp_path / "with", with_proxies=True)
    assert (made.bag / "data/viewing_copies/0001_view_not_the_original.jpg").is_file()
    assert "不是原始文件" in (made.bag / "data/report.html").read_text("utf-8")
    assert verify.check(str(made.bag)).whole
    (sqlite_home.vault.derived_root / path).unlink()
    made = make(sqlite_home, tmp_path / "lost", with_proxies=True)
    assert [one.what for one in made.missing] == ["no_proxy"]


# -- approval, receipt, and what the log makes of them


@pytest.fixture
def strict(make_settings: Callable[..., Settings]) -> Home:
    """A home where exports need a second person's approval."""
    settings = make_settings(export_approval="true")
    make_home(settings)
    return build_home(settings)


def test_without_a_second_persons_approval_nothing_goes_out_where_the_setting_is_on(
    strict: Home, tmp_path: Path
) -> None:
    with_photos(strict, tmp_path / "card")
    exporter = build_exporter(strict)
    with pytest.raises(NotAllowed, match="export request"):
        make(strict, tmp_path / "out")
    asked = exporter.request(CLERK, CASE, "行政复议答复")
    with pytest.raises(NotAllowed, match="export request"):
        make(strict, tmp_path / "out")
    with pytest.raises(NotAllowed, match="another person"):
        exporter.decide(CLERK, asked.id, approve=True)
    exporter.decide(SECOND, asked.id, approve=True, reason="已核对")
    made = make(strict, tmp_path / "out")
    assert made.export == asked.id
    assert "李四" in (made.bag / "data/report.html").read_text("utf-8")
    with pytest.raises(NotAllowed):  # an approval is used once
        make(strict, tmp_path / "out")
    with pytest.raises(NotAllowed, match="finished"):
        make(strict, tmp_path / "out", request=asked.id)
    strict.close()


def test_who_recorded_it_cannot_approve_its_export(strict: Home, tmp_path: Path) -> None:
    with_photos(strict, tmp_path / "card", officer="李四")
    exporter = build_exporter(strict)
    asked = exporter.request(CLERK, CASE, "行政复议答复")
    with pytest.raises(NotAllowed, match="recorded"):
        exporter.decide(SECOND, asked.id, approve=True)
    assert exporter.decide(Reviewer("王五", "reviewer"), asked.id, approve=True).state == "approved"
    strict.close()


def test_an_approval_is_for_just_the_originals_that_were_shown(strict: Home, tmp_path: Path) -> None:
    with_photos(strict, tmp_path / "card")
    exporter = build_exporter(strict)
    asked = exporter.request(CLERK, CASE, "行政复议答复")
    exporter.decide(SECOND, asked.id, approve=True)
    [more] = take(strict, [making.photo(tmp_path / "card" / "more.jpg", 9)])
    link(strict, more)
    with pytest.raises(NotAllowed, match="ask again"):
        make(strict, tmp_path / "out", request=asked.id)
    assert list((tmp_path / "out").iterdir()) == []
    strict.close()


def test_a_refused_request_is_not_fulfilled_and_not_decided_twice(strict: Home, tmp_path: Path) -> None:
    with_photos(strict, tmp_path / "card")
    exporter = build_exporter(strict)
    asked = exporter.request(CLERK, CASE, "行政复议答复")
    exporter.decide(SECOND, asked.id, approve=False, reason="用途不明")
    with pytest.raises(NotAllowed, match="refused"):
        make(strict, tmp_path / "out", request=asked.id)
    with pytest.raises(BadInput, match="refused"):
        exporter.decide(SECOND, asked.id, approve=True)
    strict.close()


def test_others_than_reviewers_neither_export_nor_approve(sqlite_home: Home, tmp_path: Path) -> None:
    with_photos(sqlite_home, tmp_path / "card", 1)
    exporter = build_exporter(sqlite_home)
    asked = exporter.request(CLERK, CASE, "行政复议答复")
    for role in ("clerk", "operator", "auditor"):
        all_is_refused(exporter, Reviewer("x", role), asked.id, tmp_path)  # type: ignore[arg-type]


def all_is_refused(exporter: Exporter, other: Reviewer, asked: str, tmp_path: Path) -> None:
    with pytest.raises(NotAllowed):
        exporter.make(other, Asked(case=CASE, to=tmp_path, purpose="x"))
    with pytest.raises(NotAllowed):
        exporter.request(other, CASE, "x")
    with pytest.raises(NotAllowed):
        exporter.decide(other, asked, approve=True)
    with pytest.raises(NotAllowed):
        exporter.receive(other, tmp_path, "x")


def test_the_hand_over_is_recorded_for_the_sealed_package_only(sqlite_home: Home, tmp_path: Path) -> None:
    with_photos(sqlite_home, tmp_path / "card", 1)
    made = make(sqlite_home, tmp_path / "out")
    exporter = build_exporter(sqlite_home)
    given = exporter.receive(CLERK, made.bag, "区司法局")
    assert (given.received_by, given.state) == ("区司法局", "finished")
    manifest = made.bag / "manifest-sha256.txt"
    manifest.chmod(0o640)
    manifest.write_bytes(manifest.read_bytes().replace(b"a", b"b", 1))
    with pytest.raises(CustodyBroken):
        exporter.receive(CLERK, made.bag, "区司法局")
    with pytest.raises(BadInput, match="export list"):
        exporter.receive(CLERK, tmp_path / "export-none", "区司法局")


def test_every_step_is_an_event_and_the_log_alone_gives_the_rows_back(sqlite_home: Home, tmp_path: Path) -> None:
    [original] = with_photos(sqlite_home, tmp_path / "card", 1)
    exporter = build_exporter(sqlite_home)
    asked = exporter.request(CLERK, CASE, "行政复议答复")
    exporter.decide(SECOND, asked.id, approve=True)
    made = make(sqlite_home, tmp_path / "out", request=asked.id)
    exporter.receive(CLERK, made.bag, "区司法局")
    make(sqlite_home, tmp_path / "out")
    types = [
        event["type"]
        for event in map(json.loads, sqlite_home.audit.lines())
        if event["type"].startswith("export.") and event["facts"]["export"] == asked.id
    ]
    assert types == [
        "export.requested", "export.approved", "export.begun", "export.copied", "export.sealed", "export.finished",
        "export.received",
    ]  # fmt: skip
    assert any("export.copied" in line for line in sqlite_home.catalog.events_of(original))
    before = exports.listed(sqlite_home.catalog)
    settings = sqlite_home.settings
    sqlite_home.close()
    rebuild_catalog(settings)
    rebuilt = build_home(settings)
    assert exports.listed(rebuilt.catalog) == before
    rebuilt.close()


def test_the_zip_holds_the_package_uncompressed_and_whole(sqlite_home: Home, tmp_path: Path) -> None:
    with_photos(sqlite_home, tmp_path / "card")
    made = make(sqlite_home, tmp_path / "out", as_zip=True)
    assert made.archive == made.bag.with_name(f"{made.bag.name}.zip")
    with zipfile.ZipFile(made.archive) as archive:
        assert {one.compress_type for one in archive.infolist()} == {zipfile.ZIP_STORED}
        archive.extractall(tmp_path / "unpacked")
    assert verify.check(str(tmp_path / "unpacked" / made.bag.name), made.key).faults == []


# -- the command


def test_the_command_prints_what_the_contract_names(
    sqlite_home: Home, tmp_path: Path, casereel: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    with_photos(sqlite_home, tmp_path / "card")
    out = tmp_path / "out"
    out.mkdir()
    ended = casereel("export", "平商务罚字(2021)3号", "--to", out, "--purpose", "复议", "--json")
    assert ended.returncode == 0, ended.stderr
    said = json.loads(ended.stdout)
    assert (said["files"], said["missing"]) == (2, [])
    assert said["bytes"] == sum(path.stat().st_size for path in (tmp_path / "card").iterdir())
    assert said["second_party"] == {"attested": 0, "heads": []}
    checked = casereel("export", "check", said["bag"], "--key", said["key"], "--json")
    assert (checked.returncode, json.loads(checked.stdout)["whole"]) == (0, True)
    assert json.loads(checked.stdout)["second_party"] == []
    other = casereel("export", "check", said["bag"], "--key", "0" * 64, "--json")
    assert (other.returncode, json.loads(other.stdout)["faults"]) == (4, [{"fault": "other_key", "file": said["key"]}])


@pytest.mark.parametrize(("fault", "code"), [("missing", 1), ("broken", 4), ("no_purpose", 2), ("approval", 5)])
def test_exit_codes(
    sqlite_home: Home, tmp_path: Path, casereel: Callable[..., subprocess.CompletedProcess[str]], fault: str, code: int
) -> None:
    first, second = with_photos(sqlite_home, tmp_path / "card")
    if fault == "missing":
        link(sqlite_home, second, "proposed")
    if fault == "broken":
        with sqlite_home.vault.opened(sqlite_home.catalog.known_of(first).original.sha256) as path:
            path.chmod(0o640)
            path.write_bytes(b"x")
    (tmp_path / "out").mkdir()
    ended = casereel(
        "export", CASE, "--to", tmp_path / "out", "--purpose", " " if fault == "no_purpose" else "复议",
        environ={"CASEREEL_EXPORT_APPROVAL": "true"} if fault == "approval" else {},
    )  # fmt: skip
    assert ended.returncode == code, ended.stderr
    assert bool(list((tmp_path / "out").iterdir())) == (fault in ("missing", "broken"))


def test_english_readers_get_an_english_list(sqlite_home: Home, tmp_path: Path) -> None:
    with_photos(sqlite_home, tmp_path / "card", 1)
    made = make(sqlite_home, tmp_path / "out", lang="en")
    assert (made.bag / "data/list.csv").read_text("utf-8-sig").startswith("No.,real name,")
    assert verify.check(str(made.bag)).whole
