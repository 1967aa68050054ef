"""Copying out on the pages: the request, the word of another unit, the file for who asked; and four separate rights."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
import sqlalchemy as sa

from indexer.access import ACTIONS, Reviewer
from indexer.export import Asked
from indexer.exporting import packages, printed
from indexer.exporting.package import verify
from pipeline.edges import failpoint
from pipeline.edges.database import exports, registers, tables
from pipeline.errors import NotAllowed
from pipeline.records import Device, Person
from tests.flows.running import ROOT, wait_until
from tests.indexer.packages import CASE, link, with_photos
from tests.indexer.web.asking import OWN, Asking, person
from workers.bootstrap import Home, build_exporter, build_follower, build_packages


@pytest.fixture
def original(sqlite_home: Home, tmp_path: Path) -> str:
    with sqlite_home.catalog.transaction() as connection:
        registers.put(connection, Device(code="ZF-1", unit="市场科"))
    [identifier] = with_photos(sqlite_home, tmp_path / "card", 1, device="ZF-1")
    build_follower(sqlite_home).follow()
    return identifier


def looks(asking: Asking, original: str) -> None:
    assert asking.send(f"/originals/{original}/looks", purpose="核对", keep="1").status_code == 303


def requests(asking: Asking) -> list[dict[str, str]]:
    return list(asking.client.get("/api/exports").json())


def test_the_file_of_an_original_takes_the_word_of_another_unit(sqlite_home: Home, original: str) -> None:
    market = person(sqlite_home, "reviewer", "王五", "市场科")
    same = person(sqlite_home, "reviewer", "钱七", "市场科")
    legal = person(sqlite_home, "reviewer", "李四", "法制科")
    file = f"/media/{original}/bytes/original"
    looks(market, original)
    market.page(file, 404)
    assert f"/exports?original={original}" in market.page(f"/originals/{original}")
    assert market.send("/exports", original=original, purpose=" ").status_code == 400
    assert market.send("/exports", original=original, purpose="当事人申请查阅").status_code == 303
    [request] = requests(legal)
    decision = f"/exports/{request['export']}/decision"

    for refused, why in ((market, "他人审批"), (same, "其他科室")):
        assert why in refused.page("/exports")
        answer = refused.send(decision, act="approve")
        assert (answer.status_code, why in answer.text) == (400, True)
    assert "摄录科室：市场科" in legal.page("/exports")
    assert legal.send(decision, act="refuse").status_code == 400  # without a reason
    assert legal.send(decision, act="approve", reason="已核对").status_code == 303

    answer = market.client.get(file, headers={"Range": "bytes=0-1"})
    assert (answer.status_code, answer.content) == (206, b"\xff\xd8")
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers["content-security-policy"].startswith("sandbox")
    assert file in market.page(f"/originals/{original}")
    looks(legal, original)
    legal.page(file, 404)  # it was approved for who asked
    told = [json.loads(line) for line in sqlite_home.catalog.events_of_type(
        ["export.requested", "export.approved", "view.downloaded"])]  # fmt: skip
    assert [(one["type"], one["actor"], one["original"]) for one in told] == [
        ("export.requested", "王五", original), ("export.approved", "李四", original),
        ("view.downloaded", "王五", original),
    ]  # fmt: skip
    assert told[2]["facts"] == {"purpose": "当事人申请查阅", "export": request["export"]}


def test_a_package_of_a_case_is_asked_for_and_its_command_told(sqlite_home: Home, original: str) -> None:
    assert original
    market, legal = person(sqlite_home, "reviewer", "王五"), person(sqlite_home, "reviewer", "李四", "法制科")
    assert market.send("/exports", case="没有此案", purpose="复议").status_code == 400
    assert market.send("/exports", case=CASE, purpose="行政复议答复").status_code == 303
    [request] = requests(legal)
    assert (request["case"], request["files"], request["state"]) == (CASE, 1, "requested")
    assert legal.send(f"/exports/{request['export']}/decision", act="approve").status_code == 303
    assert f"--request {request['export']}" in market.page("/exports")
    assert "--request" not in legal.page("/exports")
    legal.page("/exports/01ARZ3NDEKTSV4RRFFQ69G5FAV/decision", 405)
    assert legal.send("/exports/01ARZ3NDEKTSV4RRFFQ69G5FAV/decision", act="approve").status_code == 404


def unlinked(home: Home) -> None:
    """The catalog knows of no link any more."""
    with home.catalog.transaction() as connection:
        connection.execute(sa.delete(tables.case_link))


def begun(asking: Asking, export: str) -> dict[str, object]:
    """How the package stands once it is made."""
    assert asking.send(f"/exports/{export}/package").status_code == 303
    told: dict[str, object] = {"state": "waits"}
    while told["state"] in ("waits", "copying", "packing"):
        told = asking.client.get(f"/api/exports/{export}/package").json()
        time.sleep(0.02)
    return told


def test_an_approved_package_comes_into_the_browser_of_who_asked_and_nobody_else_s(
    sqlite_home: Home, original: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(printed, "as_pdf", lambda *_: b"%PDF-1.4\n")
    market, legal = person(sqlite_home, "reviewer", "王五"), person(sqlite_home, "reviewer", "李四", "法制科")
    link(sqlite_home, original, "proposed")
    assert market.send("/exports", case=CASE, purpose="行政复议答复", with_proposed="1").status_code == 303
    [request] = requests(legal)
    export = request["export"]
    place, file = f"/exports/{export}/package", f"/exports/{export}/package.zip"
    assert market.send(place).status_code == 404  # nobody has approved it
    assert legal.send(f"/exports/{export}/decision", act="approve").status_code == 303
    assert legal.send(place).status_code == 404  # it was approved for who asked
    assert f'action="{place}"' in market.page("/exports")
    market.page(file, 404)

    whole = shutil.disk_usage(tmp_path)
    with monkeypatch.context() as patch:
        # Room for it when it is begun; when its turn comes, for the folder and not for the ZIP too.
        less = whole._replace(free=packages.PAYLOAD_ROOM + int(request["bytes"]))
        seen = iter([whole])
        patch.setattr(shutil, "disk_usage", lambda _: next(seen, less))
        failed = begun(market, export)
    assert (failed["state"], "排队期间" in str(failed["why_zh"])) == ("failed", True)
    assert str(failed["why_zh"]) in market.page("/exports")

    assert begun(market, export)["state"] == "ready"
    assert file in market.page("/exports")
    assert file not in legal.page("/exports")
    legal.page(file, 404)
    whole = market.client.get(file)
    assert whole.headers["content-disposition"] == f'attachment; filename="export-{export}.zip"'
    assert market.client.get(file, headers={"Range": "bytes=0-3"}).content == whole.content[:4] == b"PK\x03\x04"
    with zipfile.ZipFile(io.BytesIO(whole.content)) as archive:
        archive.extractall(tmp_path / "out")
    assert verify.check(str(tmp_path / "out" / f"export-{export}")).whole
    told = [json.loads(line) for line in sqlite_home.catalog.events_of_type(["export.downloaded"])]
    assert [(one["actor"], one["facts"]["export"], one["facts"]["range"]) for one in told] == [
        ("王五", export, ""), ("王五", export, "bytes=0-3"),
    ]  # fmt: skip

    with sqlite_home.isolating() as isolating:
        isolating.report(Person(name="李四", role="reviewer"), original)
    assert market.client.get(file).status_code == 409
    monkeypatch.setattr(packages, "KEPT_H", 0.0)
    kept = sqlite_home.settings.home / "packages" / export
    for leaves in (lambda: None, lambda: link(sqlite_home, original, "refused"), lambda: unlinked(sqlite_home)):
        leaves()  # what went in stays in the package, whatever becomes of its link
        assert market.send(f"{place}/removal").status_code == 404
        assert build_packages(sqlite_home).clear(sqlite_home.catalog) == 0  # nothing isolated is removed
        assert (kept / f"export-{export}.zip").is_file()


def test_packages_are_gone_when_their_time_is_over_and_when_who_asked_says_so(
    sqlite_home: Home, original: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert original
    monkeypatch.setattr(printed, "as_pdf", lambda *_: b"%PDF-1.4\n")
    market, legal = person(sqlite_home, "reviewer", "王五"), person(sqlite_home, "reviewer", "李四", "法制科")
    kept = sqlite_home.settings.home / "packages"
    for removes in (
        lambda export: market.send(f"/exports/{export}/package/removal").status_code == 303,
        lambda _: build_packages(sqlite_home).clear(sqlite_home.catalog) == 1,
    ):
        assert market.send("/exports", case=CASE, purpose="复议").status_code == 303
        export = requests(legal)[0]["export"]
        assert legal.send(f"/exports/{export}/decision", act="approve").status_code == 303
        assert begun(market, export)["state"] == "ready"
        assert build_packages(sqlite_home).clear(sqlite_home.catalog) == 0
        with monkeypatch.context() as patch:
            patch.setattr(packages, "KEPT_H", 0.0)
            assert removes(export)
        assert list(kept.iterdir()) == []
        market.page(f"/exports/{export}/package.zip", 404)


def test_looking_keeping_a_picture_and_taking_the_file_are_three_rights_beside_exporting(
    sqlite_home: Home, original: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asking = person(sqlite_home, "reviewer")
    looks(asking, original)
    deeds = {
        "view_original": lambda: asking.client.get(f"/media/{original}/bytes/shown").status_code,
        "copy": lambda: asking.client.post(
            f"/api/originals/{original}/snapshots", json={"at_s": 0, "shown": "copy"},
            headers={"X-CSRF-Token": asking.sign()}).status_code,
        "download": lambda: asking.send("/exports", original=original, purpose="核对").status_code,
        "export": lambda: asking.send("/exports", case=CASE, purpose="核对").status_code,
    }  # fmt: skip
    for lacking in deeds:
        with monkeypatch.context() as patch:
            patch.setitem(ACTIONS, lacking, frozenset())
            answered = {right for right, deed in deeds.items() if deed() == 404}
        assert answered == {lacking}
    types = [json.loads(line)["type"] for line in sqlite_home.audit.lines()]
    assert {"view.original", "view.original_bytes", "view.snapshot", "export.requested"} <= set(types)


DIES = """
import os, sys, threading
from pathlib import Path
from config.settings import load
from indexer.exporting import printed
from workers.bootstrap import build_home
from workers.serve import serve
printed.as_pdf = lambda *_: b"%PDF-1.4\\n"
serve(build_home(load(Path(sys.argv[1]), {})), threading.Event(), "127.0.0.1", int(sys.argv[2]))
"""


@contextlib.contextmanager
def dying(home: Home, step: str, name: str) -> Iterator[tuple[subprocess.Popen[bytes], Asking]]:
    """A web process of the home that is killed when it comes to this step, and a person who has signed in there."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    child = subprocess.Popen(
        [sys.executable, "-c", DIES, str(home.settings.home), str(port)], cwd=ROOT,
        env={**os.environ, "CASEREEL_FAILPOINT": step, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    try:
        with httpx2.Client(
            base_url=f"http://127.0.0.1:{port}", headers={"Accept-Language": "zh"}, timeout=60
        ) as client:
            wait_until(lambda: child.poll() is not None or answers(client), 60, "it serves")
            client.post("/sign-in", data={"name": name, "password": OWN})
            yield child, Asking(client, name)  # type: ignore[arg-type]
    finally:
        child.kill()
        child.wait(60)


def answers(client: httpx2.Client) -> bool:
    with contextlib.suppress(httpx2.TransportError):
        return bool(client.get("/healthz").status_code == 200)
    return False


def approved(market: Asking, legal: Asking) -> str:
    """A request of the one for the case, approved by the other."""
    assert market.send("/exports", case=CASE, purpose="行政复议答复").status_code == 303
    export = requests(legal)[0]["export"]
    assert legal.send(f"/exports/{export}/decision", act="approve").status_code == 303
    return export


def test_a_package_whose_writer_died_is_written_again_under_the_same_approval(
    sqlite_home: Home, original: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert original
    monkeypatch.setattr(printed, "as_pdf", lambda *_: b"%PDF-1.4\n")
    market, legal = person(sqlite_home, "reviewer", "王五"), person(sqlite_home, "reviewer", "李四", "法制科")
    export = approved(market, legal)
    place, file = f"/exports/{export}/package", f"/exports/{export}/package.zip"
    words = ("批准仍然有效", "已封存完成")
    said: tuple[bool, ...] = (False, False)
    for step, then in (("export.sealed", (True, False)), ("export.zipped", (False, True))):
        with dying(sqlite_home, step, "王五") as (child, asking):
            # It says by itself what became of the package when the one before it died.
            wait_until(
                lambda asking=asking: f'action="{place}"' in asking.page("/exports"), 60, "it may be written again"
            )
            page = asking.page("/exports")
            assert tuple(word in page for word in words) == said, step
            with contextlib.suppress(httpx2.TransportError):  # it may die before it has answered
                assert asking.send(place).status_code == 303, step
            assert child.wait(60) == -signal.SIGKILL, step
        market.page(file, 404)  # nothing half is served, whatever the row says
        said = then
    page = market.page("/exports")
    assert tuple(word in page for word in words) == said
    # Its folder lies there whole: room for the ZIP is all that it needs, and that is asked for first.
    room, of_it = (
        packages.PAYLOAD_ROOM + int(requests(legal)[0]["bytes"]),
        shutil.disk_usage(tmp_path)._replace(total=0),
    )
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _: of_it._replace(free=room - 1))
        answer = market.send(place)
        assert (answer.status_code, "空间不足" in answer.text) == (503, True)
        patch.setattr(shutil, "disk_usage", lambda _: of_it._replace(free=room))
        assert begun(market, export)["state"] == "ready"
    assert f'action="{place}"' not in market.page("/exports")
    with zipfile.ZipFile(io.BytesIO(market.client.get(file).content)) as archive:
        archive.extractall(tmp_path / "out")
    assert verify.check(str(tmp_path / "out" / f"export-{export}")).whole
    types = ["export.approved", "export.begun", "export.sealed", "export.failed", "export.finished"]
    told = [json.loads(line) for line in sqlite_home.catalog.events_of_type(types)]
    assert [(one["type"].removeprefix("export."), one["facts"].get("approval_stands")) for one in told] == [
        ("approved", None), ("begun", None), ("sealed", None), ("failed", True), ("begun", None), ("sealed", None),
        ("finished", None),
    ]  # fmt: skip
    # The log alone gives the row back.
    row = exports.found(sqlite_home.catalog, export)
    with sqlite_home.catalog.transaction() as connection:
        connection.execute(sa.delete(tables.export))
        for line in sqlite_home.catalog.events_of_type(exports.TYPES):
            exports.apply(connection, json.loads(line))
    assert exports.found(sqlite_home.catalog, export) == row


def test_what_somebody_may_have_taken_takes_another_approval(
    sqlite_home: Home, original: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert original
    monkeypatch.setattr(printed, "as_pdf", lambda *_: b"%PDF-1.4\n")
    market, legal = person(sqlite_home, "reviewer", "王五"), person(sqlite_home, "reviewer", "李四", "法制科")
    asked = Asked(case=CASE, to=tmp_path / "disk", purpose="x", request=approved(market, legal))
    exporter, its = build_exporter(sqlite_home), Reviewer(name="王五", role="reviewer")

    def cut(place: str) -> None:
        if place == "export.renamed":
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(failpoint, "at", cut)
        with pytest.raises(KeyboardInterrupt):
            exporter.make(its, asked)
    # It lay there whole under its name, and is not there any more.
    (asked.to / f"export-{asked.request}").rename(tmp_path / "taken")
    assert exporter.clear() == [asked.request]
    assert requests(legal)[0]["state"] == "failed"
    with pytest.raises(NotAllowed, match="is not approved"):
        exporter.make(its, asked)
