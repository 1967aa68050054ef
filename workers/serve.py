"""The web server: pages and the API under them."""

from __future__ import annotations

import contextlib
import logging
import threading

import uvicorn

from indexer.figures.evaluation import Kept, evaluated, interval_said
from indexer.figures.numbering import Numbering
from indexer.web.app import create_app
from indexer.web.desk import House
from pipeline.edges.work import workload
from pipeline.errors import CasereelError
from pipeline.rules import name_profiles
from pipeline.timing.claiming import zone_of
from workers.bootstrap import Home, build_accounts, build_exporter, build_finder, build_oidc, build_packages
from workers.cli.status import standing
from workers.matching import Matching

logger = logging.getLogger(__name__)


def serve(home: Home, stop: threading.Event, host: str, port: int) -> None:
    """Serves until told to stop."""
    matching = Matching(home)
    house = house_of(home, matching)
    app = create_app(house)
    server = uvicorn.Server(uvicorn.Config(app, host=host, port=port, log_level="warning", access_log=False))
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    threading.Thread(target=_look, args=(home, house), daemon=True).start()
    threading.Thread(target=_tell_cut_off, args=(home,), daemon=True).start()
    while not stop.wait(0.2) and thread.is_alive():
        pass
    server.should_exit = True
    thread.join(timeout=5)
    matching.close()


def _tell_cut_off(home: Home) -> None:
    """Packages that died with the process before this one are told of before anybody looks for them."""
    try:
        build_exporter(home).clear()
    except CasereelError as error:
        logger.warning("packages that were cut off are not cleared away yet: %s", error)


def _look(home: Home, house: House) -> None:
    """What takes seconds with many originals when it is first asked for was looked at before anybody asks: missing
    numbers, and the statistics of this year, of which the page shows the last days first."""
    numbering: Numbering = house.parts.setdefault("numbering", Numbering())
    kept: Kept = house.parts.setdefault("evaluation", Kept())
    time, today = home.settings.time, home.catalog.now().astimezone(zone_of(home.settings)).date()
    from_on, to_on = interval_said("", "", today)
    from_on = min(from_on, today.replace(month=1, day=1))
    # Whoever asks is told what is wrong; one of both does not keep the other from being looked at.
    with contextlib.suppress(CasereelError):
        numbering.holes(home.catalog, name_profiles(home.settings.home))
    with contextlib.suppress(CasereelError):
        evaluated(
            home.catalog, home.audit, home.settings.home, from_on=from_on, to_on=to_on, zone=time.zone,
            deadline_h=time.upload_deadline_h, seen=lambda ids: ids, hidden=(), kept=kept,
        )  # fmt: skip


def house_of(home: Home, matching: Matching | None = None) -> House:
    """What the pages have at hand."""
    web, counters = home.settings.web, workload.Counters()
    return House(
        accounts=build_accounts(home), oidc=build_oidc(home), finder=build_finder(home), desk_of=home.of,
        standing=lambda: standing(home),
        rates={"sign_in": web.sign_ins_min, "upload": web.uploads_min, "export": web.exports_min, "ask": web.asks_min},
        counters=lambda: counters.of(home.catalog),
        packages=build_packages(home), match=(matching or Matching(home)).ask,
    )  # fmt: skip
