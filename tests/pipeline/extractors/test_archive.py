"""What a ZIP holds, whatever its names are and however it lies."""

from __future__ import annotations

import shutil
import stat
import struct
import subprocess
import zipfile
import zlib
from pathlib import Path
from typing import Any

import pytest

from pipeline.edges.caged.archives import entries_of
from pipeline.errors import Unreadable
from pipeline.extractors.archive import extract


def stored(entries: list[tuple[bytes, int, bytes, bytes]]) -> bytes:
    """A ZIP of stored entries by hand (APPNOTE 4.3): raw name, flags, content, extra field of the directory."""
    body, directory = b"", b""
    for name, flags, content, extra in entries:
        crc, at = zlib.crc32(content), len(body)
        body += struct.pack("<IHHHHHIIIHH", 0x04034B50, 20, flags, 0, 0, 0x21, crc, len(content), len(content),
                            len(name), 0) + name + content  # fmt: skip
        directory += struct.pack("<IHHHHHHIIIHHHHHII", 0x02014B50, 20, 20, flags, 0, 0, 0x21, crc, len(content),
                                 len(content), len(name), len(extra), 0, 0, 0, 0, at) + name + extra  # fmt: skip
    end = struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, len(entries), len(entries), len(directory), len(body), 0)
    return body + directory + end


@pytest.mark.parametrize(
    ("raw", "flags", "name", "codec"),
    [
        ("现场/录像.mp4".encode("gb18030"), 0, "现场/录像.mp4", "gb18030"),
        ("现场/录像.mp4".encode(), 0x800, "现场/录像.mp4", "utf-8 flag"),
        ("现场.mp4".encode(), 0, "现场.mp4", "utf-8"),
        (b"plain\\a.jpg", 0, "plain/a.jpg", "ascii"),
        (b"caf\x82.jpg", 0, "caf\u00e9.jpg", "cp437"),
    ],
    ids=["gbk", "flag", "utf-8 without flag", "backslash", "cp437"],
)
def test_a_name_is_decoded_as_whoever_wrote_it_meant(
    tmp_path: Path, raw: bytes, flags: int, name: str, codec: str
) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(stored([(raw, flags, b"x", b"")]))
    [(_, entry)] = entries_of(str(path))
    assert (entry.name, entry.codec) == (name, codec)


def test_info_zips_unicode_path_wins_over_guessing(tmp_path: Path) -> None:
    raw, real = b"????.mp4", "现场.mp4".encode()
    extra = struct.pack("<HHBI", 0x7075, 5 + len(real), 1, zlib.crc32(raw)) + real
    path = tmp_path / "a.zip"
    path.write_bytes(stored([(raw, 0, b"x", extra)]))
    [(_, entry)] = entries_of(str(path))
    assert (entry.name, entry.codec) == ("现场.mp4", "unicode path")


def values(path: Path) -> dict[str, Any]:
    return {name: value for name, _, value in extract(str(path))["properties"]}


def codes(path: Path) -> set[str]:
    return {code for code, _, _ in extract(str(path))["caveats"]}


def test_a_plain_archive_is_listed_with_sizes_and_no_alarm(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("DCIM/a.jpg", b"x" * 50)
        archive.writestr("DCIM/inner.zip", b"PK")
        archive.mkdir("DCIM/empty")
    found = values(path)
    assert (found["archive.entries"], found["archive.size_bytes"], found["archive.nested"]) == (2, 52, 1)
    assert [row[:2] for row in found["archive.listing"]] == [["DCIM/a.jpg", 50], ["DCIM/inner.zip", 2]]
    assert codes(path) == {"archive"}


def test_links_and_names_that_lead_elsewhere_are_suspicious(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    link = zipfile.ZipInfo("link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(link, "/etc/passwd")
        for name in ("../up.jpg", "/abs.jpg", "C:/win.jpg", "a/../../b.jpg", "ok.jpg"):
            archive.writestr(name, b"x")
    assert values(path)["archive.suspicious"] == 5
    assert codes(path) == {"archive", "archive_suspicious"}


def test_a_thousandfold_entry_is_flagged(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(20 << 20))
    assert values(path)["archive.ratio"] > 900
    assert "archive_ratio" in codes(path)


@pytest.mark.skipif(shutil.which("zip") is None, reason="zip is not installed")
def test_an_encrypted_archive_is_named_so(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("secret")
    subprocess.run(["zip", "-q", "-P", "x", "a.zip", "a.txt"], cwd=tmp_path, check=True)
    assert values(tmp_path / "a.zip")["archive.encrypted"] == 1
    assert "archive_encrypted" in codes(tmp_path / "a.zip")


def test_the_encryption_flag_is_enough(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(stored([(b"a.mp4", 0x1, b"x", b"")]))
    [(_, entry)] = entries_of(str(path))
    assert (entry.encrypted, entry.why_not) == (True, "it is encrypted")


def test_a_truncated_archive_is_unreadable_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(stored([(b"a.mp4", 0, b"x" * 1000, b"")])[:-30])
    with pytest.raises(Unreadable, match="cut off"):
        extract(str(path))


def test_other_archives_are_kept_and_called_not_listed(tmp_path: Path) -> None:
    path = tmp_path / "a.7z"
    path.write_bytes(b"7z\xbc\xaf\x27\x1c" + bytes(100))
    assert codes(path) == {"archive_not_listed"}
