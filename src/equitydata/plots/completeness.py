"""Completeness as pictures: how values fall away from all people to usable ones, where, and over time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from equitydata.completeness import JOINT
from equitydata.plots.chart import Chart, Charts, chart_name, short
from equitydata.plots.style import COLOURS, SMALL
from equitydata.plots.words import extract_source, listed, population
from equitydata.result import EquityResult
from equitydata.written import HIDDEN_CELL, count, mark, percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from equitydata.plots.chart import Canvas

CORE = ("ethnicity", "language")
# Each step lies inside the one before it.
STEPS = {
    "populated": "Something is recorded",
    "valid": "It is a valid code",
    "asked": "The person was asked",
    "known": "The answer is known",
    "detailed": "It is detailed",
    "specific": "And no “other” group",
}
BAR, ROOM = 0.36, 0.75  # inches for a bar, and for what stands around the bars of a panel


def fall(result: EquityResult, *characteristics: str) -> Charts:
    """From all people to those with a usable value: a chart for ethnicity and one for language, or for those named.

    result : released or not. Empty where nothing was counted.
    """
    frame = result.table("completeness") if "completeness" in result.tables else pd.DataFrame()
    if frame.empty:
        return Charts()
    people = frame[(frame["unit"] == result.about.counted) | (frame["unit"] == "people")]
    names = characteristics or [name for name in CORE if (people["characteristic"] == name).any()]
    return Charts(_fall(result, people[people["characteristic"] == name]) for name in names)


def _fall(result: EquityResult, rows: pd.DataFrame) -> Chart:
    label = str(rows["label"].iloc[0])
    steps = (
        rows[rows["measure"].isin(list(STEPS))].set_index("measure").reindex(list(STEPS)).dropna(how="all")
    )
    needed = float(result.choices["completeness_threshold"].value)
    known = steps["value"].get("known")
    words = [STEPS[str(name)] for name in steps.index]
    said = percent(known, needed) if known == known and known is not None else HIDDEN_CELL
    far = (
        ""
        if said == HIDDEN_CELL
        else f", {'at or above' if known >= needed else 'below'} the {mark(needed)} mark"
    )
    shares = [
        _said(value, bool(hidden)) for value, hidden in zip(steps["value"], steps["hidden"], strict=True)
    ]
    table = pd.DataFrame(
        {
            "Step": words,
            "People": [
                _counted(value, bool(hid))
                for value, hid in zip(steps["numerator"], steps["hidden"], strict=True)
            ],
            "Of": [
                _counted(value, bool(hid))
                for value, hid in zip(steps["denominator"], steps["hidden"], strict=True)
            ],
            "Share": shares,
        }
    )
    return Chart(
        name=chart_name("fall", str(rows["characteristic"].iloc[0])),
        title=f"{label}: known for {said} of people{far}",
        subtitle=f"Share of people whose value passes each step; {population(result)}",
        source=extract_source(result),
        alternative=f"Bars, one for each step: {'; '.join(f'{word} {share}' for word, share in zip(words, shares, strict=True))}.",
        table=table,
        csv="completeness",
        height=BAR * len(steps) + ROOM,
        draw=lambda canvas: _draw_fall(canvas, words, steps["value"].tolist(), shares, needed),
    )


def _draw_fall(
    canvas: Canvas, words: Sequence[str], values: Sequence[float], shares: Sequence[str], needed: float
) -> None:
    axes: Axes = canvas.subplots()
    canvas.subplots_adjust(left=0.27, right=0.9, top=0.99 - 0.3 / (BAR * len(words) + ROOM), bottom=0.02)
    places = range(len(words))
    colours = [COLOURS["blue"] if word == STEPS["known"] else COLOURS["teal"] for word in words]
    axes.barh(places, [0 if value != value else value for value in values], color=colours, height=0.7)
    for place, share in enumerate(shares):
        axes.text(1.02, place, share, va="center", size=SMALL, weight="bold")
    axes.set(xlim=(0, 1), ylim=(len(words) - 0.5, -0.5), yticks=list(places), yticklabels=[*words], xticks=[])
    axes.spines["bottom"].set_visible(False)
    axes.axvline(needed, color=COLOURS["plum"], linewidth=1.5)
    axes.text(
        needed, -0.6, f"{mark(needed)} mark", ha="right", va="bottom", size=SMALL, color=COLOURS["plum"]
    )


def _said(value: float, hidden: bool) -> str:
    return HIDDEN_CELL if hidden else percent(value)


def _counted(value: float, hidden: bool) -> str:
    return HIDDEN_CELL if hidden else count(value)
