"""Progress over the log of runs as pictures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import pandas as pd

from equitydata.model import TIERS
from equitydata.plots.chart import Chart, Charts, chart_name, short
from equitydata.plots.lines import (
    Row,
    cell,
    finite,
    number_of,
    rows_of,
    table_of,
)
from equitydata.plots.style import COLOURS, SMALL, WIDTH
from equitydata.tables import HIDDEN
from equitydata.written import (
    count,
    day,
    mark,
    percent,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from equitydata.plots.chart import Canvas
    from equitydata.result import EquityResult

RUNS_DRAWN = 24
# Inches: the plot of the share, that of the tiers, and what stands around them.
SHARES, TIERS_TALL, APART = 1.9, 1.15, 0.4
RUNS_TOP, RUNS_BOTTOM, RUNS_LEFT, RUNS_RIGHT = 0.2, 0.34, 2.25, 0.75
DAY_WIDE = 1.05  # inches that a day takes below the axis
WORKED_OUT = "Known ethnicity and language"


def runs(result: EquityResult) -> Charts:
    """Progress over the log of runs: share of people with known ethnicity and language, and tier, run by run.

    A chart for each service of the log that ran on two days or more; of several runs of a day the last counts.
    """
    frame = table_of(result, "runs").drop_duplicates(["service", "date"], keep="last")
    services = [here for _, here in frame.groupby("service", sort=False) if len(here) > 1]
    return Charts(_runs(result, here, number) for number, here in enumerate(services))


@dataclass(frozen=True)
class _Run:
    """One run of the log."""

    row: Row

    @property
    def date(self) -> date:
        return date.fromisoformat(str(self.row["date"]))

    @property
    def tier(self) -> str:
        return short(self.row["tier"] or "", 40)

    @property
    def share(self) -> float:
        return number_of(self.row, "joint_known")

    def said(self, needed: float) -> str:
        return cell(self.row["joint_known"], bool(self.row[HIDDEN]), lambda value: percent(value, needed))


def _runs(result: EquityResult, rows: pd.DataFrame, number: int) -> Chart:
    every = [_Run(row) for row in rows_of(rows.sort_values("date", kind="stable"))]
    drawn = every[-RUNS_DRAWN:]
    needed = float(result.choices["completeness_threshold"].value)
    service = short(rows["service"].iloc[0], 60)
    cut = f", the latest {len(drawn)} of {len(every)}" if len(every) > len(drawn) else ""
    return Chart(
        name=chart_name("runs", str(number + 1) if number else ""),
        title=_runs_message(drawn, needed),
        subtitle=f"Share of people, and tier of the data domain, by run{cut}; the axis does not begin at 0; {service}",
        source=f"log of runs of {service}",
        alternative=_runs_told(drawn, needed),
        table=pd.DataFrame([_run_row(run, needed) for run in drawn]),
        csv="runs",
        height=RUNS_TOP + SHARES + APART + TIERS_TALL + RUNS_BOTTOM,
        draw=lambda canvas: _draw_runs(canvas, drawn, needed),
    )


def _runs_message(drawn: Sequence[_Run], needed: float) -> str:
    first, last = drawn[0], drawn[-1]
    against = ""
    if finite(last.share):
        against = f", {'at or above' if last.share >= needed else 'below'} the {mark(needed)} mark"
    known = f"{WORKED_OUT}: {first.said(needed)} at first, {last.said(needed)} at the latest run{against}"
    return "; ".join(filter(None, [known, _tier_words(first.tier, last.tier)]))


def _tier_words(first: str, last: str) -> str:
    if first not in TIERS or last not in TIERS:
        return ""
    way = TIERS.index(last) - TIERS.index(first)
    return f"tier {'up' if way > 0 else 'down'} from {first} to {last}" if way else f"tier {last} as before"


def _runs_told(drawn: Sequence[_Run], needed: float) -> str:
    lines = "; ".join(
        f"{day(run.date)} {run.said(needed)}, {run.tier or 'no tier'}" for run in (drawn[0], drawn[-1])
    )
    return f"{len(drawn)} runs. A line for the share, above a line for the tier. First and latest: {lines}."


def _run_row(run: _Run, needed: float) -> dict[str, str]:
    return {
        "Run": day(run.date),
        "People": cell(run.row["people"], bool(run.row[HIDDEN]), count),
        WORKED_OUT: run.said(needed),
        "Tier of the data domain": run.tier or "[x]",
    }


def _draw_runs(canvas: Canvas, drawn: Sequence[_Run], needed: float) -> None:
    height = RUNS_TOP + SHARES + APART + TIERS_TALL + RUNS_BOTTOM
    above, below = canvas.subplots(2, 1, sharex=True, height_ratios=(SHARES, TIERS_TALL))
    canvas.subplots_adjust(
        left=RUNS_LEFT / WIDTH,
        right=1 - RUNS_RIGHT / WIDTH,
        top=1 - RUNS_TOP / height,
        bottom=RUNS_BOTTOM / height,
        hspace=APART * 2 / (SHARES + TIERS_TALL),
    )
    x = [run.date.toordinal() for run in drawn]
    room = (x[-1] - x[0]) * 0.04
    _draw_shares(above, drawn, x, needed)
    _draw_tiers(below, drawn, x)
    named_days = _days_with_room(x, (WIDTH - RUNS_LEFT - RUNS_RIGHT) / 1.08)
    below.set_xlim(x[0] - room, x[-1] + room)
    below.set_xticks([x[place] for place in named_days], [day(drawn[place].date) for place in named_days])
    above.tick_params(labelbottom=False)


def _draw_shares(axes: Axes, drawn: Sequence[_Run], x: Sequence[int], needed: float) -> None:
    values = [run.share for run in drawn]
    low = min([needed, *filter(finite, values)])
    axes.set_ylim(max(math.floor(low * 10 - 0.5) / 10, 0.0), 1.02)
    axes.set_yticks(
        ticks := [tick / 10 for tick in range(11) if tick / 10 >= axes.get_ylim()[0]], list(map(mark, ticks))
    )
    axes.grid(axis="y")
    axes.axhline(needed, color=COLOURS["plum"], linewidth=1.5)
    axes.annotate(
        f"{mark(needed)} mark",
        (1, needed),
        (4, 0),
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
        va="center",
        size=SMALL,
        color=COLOURS["plum"],
        annotation_clip=False,
    )
    axes.set_title(WORKED_OUT, size=SMALL, pad=4)
    axes.plot(x, values, "o-", color=COLOURS["blue"])
    labelled = set(range(len(drawn))) if len(drawn) <= 6 else {0, len(drawn) - 1}
    for place, (run, value) in enumerate(zip(drawn, values, strict=True)):
        at = value if finite(value) else axes.get_ylim()[0]
        if place in labelled or not finite(value):
            words, above = run.said(needed), (0, -13 if finite(value) else 6)
            axes.annotate(
                words, (x[place], at), above, textcoords="offset points", ha="center", va="center", size=SMALL
            )


def _draw_tiers(axes: Axes, drawn: Sequence[_Run], x: Sequence[int]) -> None:
    places = [float(TIERS.index(run.tier)) if run.tier in TIERS else math.nan for run in drawn]
    axes.set_ylim(-0.5, len(TIERS) - 0.5)
    axes.set_yticks(range(len(TIERS)), TIERS)
    axes.grid(axis="y")
    axes.set_title("Tier of the data domain", size=SMALL, pad=4)
    axes.plot(x, places, "s-", color=COLOURS["blue"], drawstyle="steps-post")


def _days_with_room(x: Sequence[int], wide: float) -> list[int]:
    """Which days are named below the axis: the latest and the first, then those that still have room."""
    apart_days = DAY_WIDE / wide * (x[-1] - x[0])
    named_days: list[int] = []
    for place in (len(x) - 1, 0, *range(len(x) - 2, 0, -1)):
        if all(abs(x[place] - x[other]) >= apart_days for other in named_days):
            named_days.append(place)
    return sorted(named_days)
