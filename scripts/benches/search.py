"""How long thousands of generated originals take to index and to search, hits and snippets included.

Absolute figures of one machine; the ratio to the raw engine underneath comes with the search issue.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import indexer.backends
from indexer.access import Reviewer
from indexer.follower import Follower
from indexer.search import Filters, search
from pipeline.kinds import kinds_in
from pipeline.records import Known, Stated
from tests.indexer.archive import Archive, decided, known, link

NAMES = [backend.name for backend in kinds_in(indexer.backends.__name__, "BACKEND")]
# Whoosh's own index is measured where it is comfortable within minutes.
COUNTS = {"tantivy": 10_000, "whoosh": 2_000}
NOW = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
_SURNAMES, _GIVEN = "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦尤许", "伟芳娜敏静丽强磊洋艳勇军杰娟涛超明霞平刚"
_TRADES = ("食品", "商贸", "餐饮", "物流", "建筑", "口腔", "油品", "广告", "建材", "酒店")
_SPEECH = "检查人员出示证件告知权利当事人陈述申辩现场查验仓库货架冷柜油罐阀门铅封标签日期单据台账门头招牌车辆"


def _original(number: int, chance: Random) -> Known:
    name = chance.choice(_SURNAMES) + "".join(chance.choices(_GIVEN, k=2))
    company = "".join(chance.choices(_SPEECH, k=3)) + chance.choice(_TRADES) + "有限公司"
    case = f"平商务罚字〔{chance.randint(2019, 2025)}〕第{chance.randint(1, 400)}号"
    start = datetime(2019, 1, 1, tzinfo=UTC) + timedelta(minutes=chance.randint(0, 3_000_000))
    speech = "，".join("".join(chance.choices(_SPEECH, k=chance.randint(4, 14))) for _ in range(50))
    return known(
        f"o{number:06}",
        name=f"DSJ-A7-{chance.randint(4000, 4060):06}_{start:%Y%m%d_%H%M%S}.mp4",
        folder=f"{case} {company}",
        stated=Stated(officer=name, device=f"DSJ-A7-{chance.randint(4000, 4060):06}"),
        links=[link(case)],
        time=decided(start, chance.randint(5, 1800)),
        sidecar__note=speech,
    )


def measure() -> Iterator[dict[str, Any]]:
    """Rows `backend`, `documents`, `class`, `p50_ms`, `p95_ms`; classes `build` and `one change` beside the queries."""
    for backend in NAMES:
        with tempfile.TemporaryDirectory() as folder:
            yield from _measured(backend, Path(folder))


def _measured(backend: str, folder: Path) -> Iterator[dict[str, Any]]:
    chance, count = Random(7), COUNTS[backend]
    catalog = Archive(_original(number, chance) for number in range(count))
    follower = Follower(catalog, folder / "index", backend)
    begun, cpu = time.perf_counter(), time.process_time()
    follower.follow()
    build_s, build_cpu_s = time.perf_counter() - begun, time.process_time() - cpu
    texts = [catalog.known_of_many([f"o{chance.randrange(count):06}"])[0] for _ in range(60)]
    queries = {
        "company": [one.arrivals[0].folder.split(" ")[1] for one in texts],
        "two characters": ["".join(chance.choices(_SPEECH, k=2)) for _ in range(60)],
        "case": [one.links[0].case for one in texts],
        "device and word": [f"{one.arrivals[0].stated.device} 油罐" for one in texts],
        "month and word": [f"2023-{chance.randint(1, 12):02} 铅封" for _ in range(60)],
        "not": [f"仓库 -{one.arrivals[0].stated.officer}" for one in texts],
    }

    def ask(text: str) -> None:
        search(
            Reviewer("t", "reviewer"),
            text,
            Filters(),
            follower=follower,
            catalog=catalog,
            zone="Asia/Shanghai",
            now=NOW,
        )

    def change(number: int) -> None:
        catalog.put(_original(number, chance))
        follower.follow()

    ask("x")
    state = follower.state()
    base = {"backend": backend, "documents": state["documents"]}
    yield {
        **base,
        "class": "build",
        "wall_s": round(build_s, 1),
        "cpu_s": round(build_cpu_s, 1),
        "bytes": state["bytes"],
    }
    for name, asked in queries.items():
        yield {**base, "class": name, **_told(ask, asked)}
    yield {**base, "class": "one change", **_told(change, range(20))}


def _told(act: Callable[..., None], values: Iterable[Any]) -> dict[str, float]:
    took_ms = []
    for value in values:
        begun = time.perf_counter()
        act(value)
        took_ms.append((time.perf_counter() - begun) * 1000)
    return {"p50_ms": round(statistics.median(took_ms), 1), "p95_ms": round(statistics.quantiles(took_ms, n=20)[-1], 1)}
