"""Statistics for case-file evaluation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from workers.cli import App, app_of

if TYPE_CHECKING:
    from indexer.figures.statistics import By, Statistics
    from indexer.naming import Lang


@click.command(short_help="Count what case-file evaluation asks: late, unlinked, lacking, gaps, clocks.")
@click.option("--from", "from_", metavar="DAY", help="From this day, 2026-08-03; 90 days before the last by default.")
@click.option("--to", metavar="DAY", help="To this day, counted in; today by default.")
@click.option("--by", type=click.Choice(["all", "unit", "device"]), help="These rows only.")
@click.option("--csv", "csv_", type=click.Path(path_type=Path, dir_okay=False), help="Write the table to this file.")
@click.option("--pictures", type=click.Path(path_type=Path, file_okay=False), help="Write the SVG pictures here.")
def statistics(from_: str | None, to: str | None, by: By | None, csv_: Path | None, pictures: Path | None) -> None:
    """Counts recordings of the days given, in all, by unit and by device; the page of this name says what each means.

    Example: casereel statistics --from 2026-07-01 --to 2026-09-30 --csv 2026-q3.csv
    """
    from indexer.access import require
    from indexer.figures.evaluation import evaluated, interval_said
    from indexer.figures.statistics import as_csv, as_data
    from indexer.figures.statistics_drawn import drawings
    from pipeline.timing.claiming import zone_of
    from workers.bootstrap import home

    app = app_of()
    with home(app.settings) as built:
        require(built.reviewer, "read_statistics")
        time = built.settings.time
        from_on, to_on = interval_said(from_, to, built.catalog.now().astimezone(zone_of(built.settings)).date())
        form = "csv" if csv_ else "svg" if pictures else "text"
        built.tell("view.statistics", facts={"from": f"{from_on}", "to": f"{to_on}", "as": form})
        found = evaluated(
            built.catalog, built.audit, built.settings.home, from_on=from_on, to_on=to_on, zone=time.zone,
            deadline_h=time.upload_deadline_h, seen=built.seen, hidden=built.hidden_cases(),
        )  # fmt: skip
        lang: Lang = "zh" if app.lang == "zh" else "en"
        if csv_:
            csv_.write_bytes(as_csv(found, time.zone, lang))
        if pictures:
            pictures.mkdir(parents=True, exist_ok=True)
            for name, picture in drawings(found, lang):
                (pictures / name).write_text(picture, encoding="utf-8")
        for row in found.rows:
            if by in (None, row.by):
                data = as_data(found, row, time.zone)
                app.emit(data, _line(app, found, data))
    for path in filter(None, (csv_, pictures)):
        app.note(app.in_words(f"已写入 {path}", f"written: {path}"))


def _line(app: App, found: Statistics, data: dict[str, object]) -> str:
    sorts = {"all": ("全部", "all"), "unit": ("单位", "unit"), "device": ("设备", "device")}
    zh, en = sorts[str(data["by"])]
    name = data["name"] or ("" if data["by"] == "all" else app.in_words("不明", "unknown"))
    late = app.in_words("；逾期 {late}", "; {late} late") if found.deadline_h else ""
    worst = "-" if data["worst_s"] is None else f"{data['worst_s']:+} s"
    text = app.in_words(
        "{films} 份" + late + "；未关联 {unlinked}；缺要素 {lacking}；未说明缺口 {gaps} 处 {gap_s} 秒；时钟最大偏差 ",
        "{films} recordings"
        + late
        + "; {unlinked} unlinked; {lacking} lacking elements; {gaps} gaps without a reason, "
        "{gap_s} s; largest clock offset ",
    )
    return f"{app.in_words(zh, en)} {name}: {text.format(**data)}{worst}"


COMMAND = statistics
