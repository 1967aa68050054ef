"""What every time source and every linker must hold to: pure, unshaken by nonsense, and explained by a rule."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.settings import load
from pipeline.kinds import kinds_in
from pipeline.records import Known, Stated
from pipeline.rules import timestamp_rules
from pipeline.stage import Linker, TimeSource
from tests.pipeline.linkers.conftest import make_known as known_to_link
from tests.pipeline.time_sources.conftest import make_known as known_to_time

SOURCES: tuple[TimeSource, ...] = kinds_in("pipeline.time_sources", "TIME_SOURCE")
LINKERS: tuple[Linker, ...] = kinds_in("pipeline.linkers", "LINKER")

NONSENSE = (
    "",
    " ",
    "\0",
    "0000:00:00 00:00:00",
    "9999:12:31 23:59:60",
    "0001:01:01 00:00:00+14:00",
    "2021:08:03 10:10:10",
    "２０２１-０８-０３",
    "２０２１-０８-０３T١٠:١٠:١٠",
    "-1",
    "1e400",
    "\udcb2\udce2\udcca\udcd4",
    "平商务罚字〔2021〕第" + "9" * 500 + "号",
    "〔" * 300,
    "20210803101010" * 20,
    "99999999999999_99999999999999",
    "mmexport1999999999999.jpg",
    "NVR_ch1_main_99999999999999_20230619064228.dav",
    "0/0 1/0 -1/1",
    "💾" * 50,
)
PROPERTIES = (
    *timestamp_rules().sources,
    "exif.SubSecTimeOriginal", "exif.OffsetTimeOriginal", "exif.GPSDateStamp", "exif.GPSTimeStamp",
    "bext.OriginationDate", "bext.OriginationTime", "container.date", "device.make", "device.model",
    "sidecar.start", "sidecar.end", "xmp.GPSTimeStamp", "sidecar.case",
)  # fmt: skip


def originals(seed: int) -> Iterator[Known]:
    chance = random.Random(seed)
    for _ in range(60):
        found = {name: chance.choice(NONSENSE) for name in PROPERTIES if chance.random() < 0.7}
        name, folder = chance.choice(NONSENSE), chance.choice(NONSENSE)
        mtimes_ns = (chance.choice([0, -1, 1, 10**18, 10**30]),)
        raw = name.encode("utf-8", "surrogateescape")
        formats = chance.choice(["mp4", "avi", "matroska", "mp3", "unknown"])
        sidecar = known_to_time({"sidecar.start": chance.choice(NONSENSE), "sidecar.case": chance.choice(NONSENSE)})
        yield known_to_time(
            found, name=name, folder=folder, name_raw=raw, mtimes_ns=mtimes_ns, format_name=formats, sidecars=(sidecar,)
        )


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
@pytest.mark.parametrize("seed", range(5))
def test_a_time_source_is_pure_and_unshaken(source: TimeSource, seed: int, tmp_path: Path) -> None:
    settings = load(tmp_path, {})
    for known in originals(seed):
        claims = list(source.claims(known, settings))
        assert claims == list(source.claims(known, settings))
        for claim in claims:
            assert claim.source in timestamp_rules().sources or claim.source.startswith("file_name.")
            assert claim.at is None or claim.at.utcoffset() is not None
            assert claim.at is not None or (claim.trust == 0 and claim.note) or claim.source == "mtime"
            assert claim.found


@pytest.mark.parametrize("linker", LINKERS, ids=lambda linker: linker.name)
@pytest.mark.parametrize("said", NONSENSE)
def test_a_linker_is_pure_and_unshaken(linker: Linker, said: str) -> None:
    name = said.encode("utf-8", "replace").decode()
    known = known_to_link(name, folder=said.replace("\udcb2", "x"), stated=Stated(case=name), sidecar_case=name)
    links = list(linker.propose(known))
    assert links == list(linker.propose(known))
    for link in links:
        assert link.case
        assert link.case_key
        assert link.why.endswith(".")
        assert link.why_zh.endswith("。")
        assert link.why_zh != link.why
        assert 0 < link.score <= 1
        assert link.status == ("confirmed" if linker.name == "stated" else "proposed")
