"""Lists of what a drop is to hold, as the tools that make them write them."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest

from pipeline.custody.manifests import Entry, kind_of, parse

DONE = (".done", "_DONE", "完成.txt")
EMPTY_MD5 = "d41d8cd98f00b204e9800998ecf8427e"  # RFC 1321
EMPTY_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"  # FIPS 180-4


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("SHA256SUMS", "sums"), ("a.mp4.sha256", "sums"), ("md5sum.txt", "sums"), ("card.MD5", "sums"),
        ("manifest.csv", "csv"), ("清单.csv", "csv"), ("manifest-sha256.txt", "bagit"), ("_DONE", "done"),
        ("完成.txt", "done"), (".done", "done"), ("a.mp4", None), ("笔录.csv", None), ("tagmanifest-sha256.txt", None),
    ],
)  # fmt: skip
def test_lists_are_known_by_their_names(name: str, kind: str | None) -> None:
    assert kind_of(name, DONE) == kind


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="coreutils is not installed")
def test_what_coreutils_writes_is_read_odd_names_too(tmp_path: Path) -> None:
    names = ["现场 1.mp4", "line\nbreak.jpg", "back\\slash.jpg", "plain.wav"]
    for name in names:
        (tmp_path / name).write_bytes(name.encode())
    for program, algorithm in (("sha256sum", "sha256"), ("md5sum", "md5"), ("sha1sum", "sha1")):
        for tag in ([], ["--tag"]):
            made = subprocess.run([program, *tag, *names], cwd=tmp_path, capture_output=True, check=True)
            entries = {one.name: one for one in parse("sums", "x", made.stdout).entries}
            for name in ("现场 1.mp4", "plain.wav"):
                assert entries[name] == Entry(name, algorithm, hashlib.new(algorithm, name.encode()).hexdigest())
            if not tag:
                assert "line\nbreak.jpg" in entries


def test_a_bagit_manifest_is_read_with_its_escapes() -> None:
    """RFC 8493, 2.1.3: CR, LF and % are percent-encoded."""
    listed = parse("bagit", "manifest-sha256.txt", f"{EMPTY_SHA256}  data/50%25 \u5b8c.txt\n".encode())
    assert listed.entries == (Entry("data/50% 完.txt", "sha256", EMPTY_SHA256),)


@pytest.mark.parametrize("codec", ["utf-8-sig", "gb18030"])
def test_a_table_from_a_chinese_office_program_is_read(codec: str) -> None:
    table = f'序号,文件名,文件大小,MD5校验值\r\n1,视频\\a.mp4,0,{EMPTY_MD5.upper()}\r\n2,b.mp4,"1,024",\r\n'
    listed = parse("csv", "清单.csv", table.encode(codec))
    assert listed.entries == (Entry("视频/a.mp4", "md5", EMPTY_MD5, 0), Entry("b.mp4", "", "", 1024))


def test_a_name_that_leads_out_of_the_folder_is_no_entry() -> None:
    lines = [f"{EMPTY_MD5}  {name}" for name in ("../x.mp4", "/etc/passwd", "C:\\x.mp4", "a/../../x", "ok.mp4")]
    listed = parse("sums", "md5sum.txt", "\n".join(lines).encode())
    assert [one.name for one in listed.entries] == ["ok.mp4"]
    assert listed.unread == 4


def test_lines_that_cannot_be_read_are_counted_and_the_first_is_kept() -> None:
    listed = parse("sums", "SHA256SUMS", b"# made by hand\nnot a digest  a.mp4\n\xff\xfe\n")
    assert (listed.entries, listed.unread, listed.first_unread) == ((), 2, "not a digest  a.mp4")


def test_a_marker_names_files_or_nothing() -> None:
    assert [one.name for one in parse("done", "完成.txt", "a.mp4\r\n子/b.jpg\r\n".encode()).entries] == [
        "a.mp4",
        "子/b.jpg",
    ]
    assert parse("done", "完成.txt", "已全部复制完毕。\n".encode()).entries == ()
    assert parse("done", "_DONE", b"").entries == ()


def test_names_are_compared_composed() -> None:
    [entry] = parse("sums", "x", f"{EMPTY_MD5}  e\u0301.jpg".encode()).entries
    assert entry.name == "\u00e9.jpg"
