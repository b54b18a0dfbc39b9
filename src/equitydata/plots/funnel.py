"""Places as pictures: each against the average of all, with limits that chance alone would keep to."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from types import MappingProxyType
from typing import TYPE_CHECKING

import pandas as pd

from equitydata.findings.words import Row, number, rows_of, text
from equitydata.places import NOT_ASSESSED
from equitydata.plots.chart import Chart, Charts, chart_name, short
from equitydata.plots.marks import BOLD_LETTER, Columns, Look, cell, higher_is, inches, table_of, write
from equitydata.plots.style import COLOURS, SMALL, STEPS, WIDTH
from equitydata.plots.words import extract_source, listed, population
from equitydata.tables import HIDDEN
from equitydata.written import HIDDEN_CELL, UNAVAILABLE_CELL, count, figure
from equitydata.written import number as number_form

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from equitydata.plots.chart import Canvas
    from equitydata.result import EquityResult

# Kind of place -> one of them, several of them.
KINDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {"site": ("site", "sites"), "point_of_care": ("point of care", "points of care")}
)
LIMITS = ("lower_998", "lower_95", "upper_95", "upper_998")
HIGHER, LOWER = ("higher", "much higher"), ("lower", "much lower")
MUCH = ("much higher", "much lower")
FEWEST = 5  # assessed places of a funnel
MOST, MOST_ROWS, MOST_NAMED, ALWAYS_NAMED = 150, 30, 8, 2
# Inches: the funnel, a row of the dot plot, and what stands around them.
DEEP, ROW, ABOVE, BELOW, GAP, EDGE, AXIS = 3.3, 0.3, 0.42, 0.62, 0.14, 0.05, 0.68
ROUNDED = 0.02  # of the average: what rounding may move a limit by
PLACE = 30  # letters of a name beside a row
MARK = 0.16  # inches that a mark takes
LINE_ROOM = 0.19  # inches from one label to the next


def funnel(result: EquityResult, measure: str | None = None) -> Charts:
    """Places against their average with 95% and 99.8% limits: a chart for each measure and kind of place.

    measure : name of one; else all. A funnel where at least 5 places were assessed, else a row for each place. The
    limits are those of the table, drawn as curves only where they narrow with every larger place. Kinds with fewer than
    2 places that have a value or are hidden are left out.
    """
    frame = table_of(result, "places")
    if frame.empty:
        return Charts()
    parts = [rows_of(part) for _, part in frame.groupby(["measure", "by"], sort=False)]
    wanted = [rows for rows in parts if measure in (None, rows[0]["measure"])]
    return Charts(_chart(result, rows) for rows in wanted if len(_told(rows)) > 1)


def _told(rows: Sequence[Row]) -> list[Row]:
    """Places that have a value or a hidden one; the others had nobody."""
    return [row for row in rows if row[HIDDEN] or not math.isnan(number(row["value"]))]


@dataclass(frozen=True)
class Places:
    """The places of one measure and kind, as they are drawn.

    rows : of the table. kind : "site"; kinds : "sites". unit : what is counted. higher : harm, benefit or ''.
    """

    rows: list[Row]
    kind: str
    kinds: str
    unit: str
    higher: str

    @property
    def assessed(self) -> list[Row]:
        """Those held against the average."""
        return [
            row for row in self.rows if not row[HIDDEN] and text(row["position"]) not in ("", NOT_ASSESSED)
        ]

    @property
    def outside(self) -> list[Row]:
        """Those outside the limits, the furthest first."""
        found = [row for row in self.assessed if text(row["position"]) in (*HIGHER, *LOWER)]
        return sorted(found, key=_depth)

    @property
    def drawn(self) -> list[Row]:
        """All, or of many those outside the limits and the largest, in the order of the table."""
        outside = {text(row["place"]) for row in self.outside}
        ranked = sorted(
            range(len(self.rows)),
            key=lambda at: (text(self.rows[at]["place"]) not in outside, -_size(self.rows[at])),
        )
        return [self.rows[at] for at in sorted(ranked[: MOST if self.as_funnel else MOST_ROWS])]

    @property
    def shown(self) -> list[Row]:
        """Those drawn that have a place in a funnel: a value and a size."""
        sized = (row for row in self.drawn if not row[HIDDEN] and _size(row) > 0)
        return [row for row in sized if math.isfinite(number(row["value"]))]

    @property
    def as_funnel(self) -> bool:
        """Enough places for a funnel."""
        return len(self.assessed) >= FEWEST

    def value(self, row: Row, column: str = "value") -> str:
        """A value as it is written."""
        return cell(row, column, partial(figure, statistic=text(row["statistic"])))

    @property
    def average(self) -> str:
        """The average as it is written, of the first place that shows it."""
        shown = [row for row in self.rows if not row[HIDDEN]]
        return self.value(shown[0], "average") if shown else HIDDEN_CELL

    def look(self, row: Row) -> Look:
        """Outside the outer limits a triangle, outside the inner ones a diamond; plum on the side of harm."""
        position = text(row["position"])
        if position not in (*HIGHER, *LOWER):
            return Look("o", COLOURS["grey"], filled=position != NOT_ASSESSED)
        harm = self.higher == ("harm" if position in HIGHER else "benefit")
        shape = "D" if position not in MUCH else "^" if position in HIGHER else "v"
        return Look(shape, COLOURS["plum" if harm else "blue"])


def _depth(row: Row) -> tuple[bool, float]:
    """Small for a place far outside: beyond the outer limits first, then by its distance in widths of the limits."""
    value, average = number(row["value"]), number(row["average"])
    limit = number(row["upper_95" if value > average else "lower_95"])
    width = abs(limit - average)
    return text(row["position"]) not in MUCH, -abs(value - average) / width if width > 0 else -math.inf


def _size(row: Row) -> float:
    size = number(row["denominator"])
    return 0.0 if math.isnan(size) else size


# ---------------------------------------------------------------- words


def _chart(result: EquityResult, rows: list[Row]) -> Chart:
    measure, by = text(rows[0]["measure"]), text(rows[0]["by"])
    kind, kinds = KINDS.get(by, (short(by), short(by)))
    places = Places(rows, kind, kinds, _unit(result, measure), _higher(result, measure))
    label, drawn = short(text(rows[0]["measure_label"]), 60), places.drawn
    some = (
        f"; {len(drawn)} of {len(rows)} {kinds}, the others in places.csv" if len(drawn) < len(rows) else ""
    )
    draw = _draw_funnel if places.as_funnel else _draw_rows
    return Chart(
        name=chart_name("funnel", measure, by),
        title=f"{label} by {kind}: {_message(places)}",
        subtitle=f"{_limits_words(places)}{some}; {population(result)}",
        source=extract_source(result),
        alternative=_alternative(places, label),
        table=_table(places),
        csv="places",
        height=DEEP if places.as_funnel else ROW * len(drawn) + ABOVE + BELOW,
        draw=lambda canvas: draw(canvas, places),
    )


def _unit(result: EquityResult, measure: str) -> str:
    """What the denominator counts: people or contacts."""
    frame = table_of(result, "outcomes")
    found = [] if frame.empty else frame.loc[frame["measure"] == measure, "unit"].dropna().tolist()
    return text(found[0]) if found else "people or contacts"


def _higher(result: EquityResult, measure: str) -> str:
    frame = table_of(result, "comparisons")
    return "" if frame.empty else higher_is(frame[frame["measure"] == measure])


def _limits_words(places: Places) -> str:
    if not places.assessed:
        why = next((text(row["note"]) for row in _told(places.rows) if text(row["note"])), "")
        return f"Value of each {places.kind}, without limits{f' ({short(why, 90)})' if why else ''}"
    return (
        f"Limits of 95% and 99.8% around the average; by chance 1 {places.kind} in 20 lies outside the first"
    )


def _message(places: Places) -> str:
    """The finding in words; no more than the limits allow."""
    assessed, outside = len(places.assessed), places.outside
    if not assessed:
        hidden = all(row[HIDDEN] for row in _told(places.rows))
        return (
            f"every {places.kind} is hidden ({HIDDEN_CELL})"
            if hidden
            else f"no {places.kind} could be assessed"
        )
    much = [row for row in outside if text(row["position"]) in MUCH]
    if not outside:
        return f"none of {assessed} {places.kinds} outside the 95% limits"
    beyond = "99.8% limits" if much else "95% limits, none outside 99.8%"
    return f"{len(much or outside)} of {assessed} {places.kinds} outside the {beyond}: {_said(places, outside[0])}"


def _said(places: Places, row: Row) -> str:
    """A place outside the limits: "Clinic higher (57.6% against 54.4%)"."""
    against = f"{places.value(row)} against {places.value(row, 'average')}"
    return f"{short(text(row['place']), 30)} {text(row['position'])} ({against})"


def _alternative(places: Places, label: str) -> str:
    """What the picture shows, for who does not see it."""
    what = "Funnel plot" if places.as_funnel else "Dot plot"
    parts = [
        f"{what} of {label} by {places.kind}: {len(places.assessed)} {places.kinds} assessed, average {places.average}."
    ]
    if places.outside:
        parts.append(f"Outside the limits: {listed([_said(places, row) for row in places.outside])}.")
    milder = [row for row in places.outside if text(row["position_overdispersed"]) == "not different"]
    if milder:
        names = listed([short(text(row["place"]), 30) for row in milder])
        parts.append(f"Not outside once limits allow for differences between places: {names}.")
    return " ".join([*parts, *_absent(places)])


def _absent(places: Places) -> list[str]:
    """The places without a mark, and why."""
    hidden = [row for row in places.rows if row[HIDDEN]]
    nobody = [row for row in places.rows if not row[HIDDEN] and math.isnan(number(row["value"]))]
    return [
        f"{words}: {listed([short(text(row['place']), 24) for row in rows])}."
        for words, rows in ((f"Hidden {HIDDEN_CELL}", hidden), ("Nobody counted", nobody))
        if rows
    ]


def _table(places: Places) -> pd.DataFrame:
    rows = places.drawn
    return pd.DataFrame(
        {
            places.kind.capitalize(): [short(text(row["place"]), 60) for row in rows],
            places.unit.capitalize(): [cell(row, "denominator", count) for row in rows],
            "Value": [places.value(row) for row in rows],
            "Average": [places.value(row, "average") for row in rows],
            "95% limits": [_span(places, row, "95") for row in rows],
            "99.8% limits": [_span(places, row, "998") for row in rows],
            "Position": [_position(row, "position") for row in rows],
            "Allowing for differences between places": [
                _position(row, "position_overdispersed") for row in rows
            ],
        }
    )


def _span(places: Places, row: Row, limits: str) -> str:
    lower, upper = (places.value(row, f"{side}_{limits}") for side in ("lower", "upper"))
    return lower if lower == upper and lower in (HIDDEN_CELL, UNAVAILABLE_CELL) else f"{lower} to {upper}"


def _position(row: Row, column: str) -> str:
    return HIDDEN_CELL if row[HIDDEN] else text(row[column]).capitalize() or UNAVAILABLE_CELL


# ---------------------------------------------------------------- the funnel


def _draw_funnel(canvas: Canvas, places: Places) -> None:
    rows = places.shown
    notes = _absent(places)
    below = BELOW + LINE_ROOM * len(notes)
    average = f"average {places.average}"
    right = inches([average]) + GAP
    axes: Axes = canvas.subplots()
    canvas.subplots_adjust(
        left=AXIS / WIDTH, right=1 - right / WIDTH, top=1 - ABOVE / DEEP, bottom=below / DEEP
    )
    _scale(axes, rows, places)
    if _narrows(rows):
        _curves(axes, rows)
    else:
        _limits_of_each(axes, [(_size(row), row) for row in rows], upright=True)
    axes.axhline(number(rows[0]["average"]), color=COLOURS["ink"], linewidth=1.2)
    _name_limits(axes, rows, average, DEEP - ABOVE - below)
    for row in rows:
        _point(axes, _size(row), number(row["value"]), places.look(row))
    if not _name_outside(axes, places, WIDTH - right - AXIS, DEEP - ABOVE - below):
        axes.set_xlabel(f"{axes.get_xlabel()} (not all outside are named: see the table)")
    for place, note in enumerate(notes):
        canvas.text(EDGE / WIDTH, (0.06 + LINE_ROOM * place) / DEEP, note, size=SMALL)
    _head(canvas, places, DEEP)


def _head(canvas: Canvas, places: Places, height: float) -> None:
    """What the height of a mark is, and which way is to the disadvantage, above the picture."""
    words = "▲ ▼ outside 99.8%   ◆ outside 95%   ● inside   ○ not assessed"
    canvas.text(EDGE / WIDTH, 1 - 0.12 / height, words, va="center", size=SMALL)
    if places.higher:
        way = "higher" if places.higher == "harm" else "lower"
        said = f"{way}: to people’s disadvantage"
        canvas.text(
            1 - EDGE / WIDTH,
            1 - 0.12 / height,
            said,
            ha="right",
            va="center",
            size=SMALL,
            color=COLOURS["plum"],
        )


def _scale(axes: Axes, rows: Sequence[Row], places: Places) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    values = [number(row[name]) for row in rows for name in ("value", "average", *LIMITS)]
    known = [value for value in values if math.isfinite(value)]
    room = (max(known) - min(known)) * 0.06 or 0.01
    least, largest = min(map(_size, rows)), max(map(_size, rows))
    start = 0 if least < largest / 4 else least - (largest - least) * 0.08
    axes.set(xlim=(start, largest + (largest - start) * 0.02), ylim=(min(known) - room, max(known) + room))
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.yaxis.set_major_formatter(FuncFormatter(_tick(rows[0])))
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.set_xlabel(f"{places.unit.capitalize()} of each {places.kind}")
    axes.grid(axis="y")


def _tick(row: Row) -> Callable[[float, float], str]:
    """How a value stands beside its tick."""
    if text(row["statistic"]) == "share":
        return lambda value, _: f"{round(value * 100, 6):g}%"
    return lambda value, _: number_form(value)


def _narrows(rows: Sequence[Row]) -> bool:
    """Whether limits belong to the size of a place alone, so that a curve through them is honest.

    Those of shares and rates narrow with each larger place; those of means rest on the spread of each place's people.
    """
    if text(rows[0]["statistic"]) == "mean":
        return False
    ordered = sorted((row for row in rows if math.isfinite(number(row["upper_95"]))), key=_size)
    return all(
        number(after["upper_95"]) <= number(before["upper_95"]) + ROUNDED * abs(number(before["average"]))
        and number(after["lower_95"]) >= number(before["lower_95"]) - ROUNDED * abs(number(before["average"]))
        for before, after in pairwise(ordered)
    )


def _curves(axes: Axes, rows: Sequence[Row]) -> None:
    """Limits as curves through those of the places: between two of them straight in 1 / root of size, as chance is."""
    import numpy as np

    known = sorted((row for row in rows if math.isfinite(number(row["upper_95"]))), key=_size, reverse=True)
    spread = np.array([_size(row) ** -0.5 for row in known])
    grid = np.linspace(spread[0], spread[-1], 60)
    for name in LIMITS:
        curve = np.interp(grid, spread, [number(row[name]) for row in known])
        outer = name.endswith("998")
        axes.plot(
            grid**-2.0, curve, color=COLOURS["blue"], linewidth=1.4, linestyle="-" if outer else (0, (4, 3))
        )


def _limits_of_each(axes: Axes, spots: Sequence[tuple[float, Row]], *, upright: bool) -> None:
    """Limits of each place as bars around the average: 95% wide, 99.8% thin. spots : where along the other axis."""
    draw = axes.vlines if upright else axes.hlines
    # The bar twice: its light inside needs a darker edge to be seen on white.
    grey = COLOURS["grey"]
    for limits, colour, thick in (("998", grey, 1.4), ("95", grey, 9.0), ("95", STEPS[0], 7.2)):
        ends = [(spot, number(row[f"lower_{limits}"]), number(row[f"upper_{limits}"])) for spot, row in spots]
        known = [each for each in ends if all(map(math.isfinite, each))]
        if known:
            where, lower, upper = zip(*known, strict=True)
            draw(where, lower, upper, colors=colour, linewidths=thick, zorder=1)


def _name_limits(axes: Axes, rows: Sequence[Row], average: str, deep: float) -> None:
    """Names of the lines at their right end."""
    last = max(rows, key=_size)
    names = ("99.8%", "95%", average, "95%", "99.8%")
    values = [number(last[name]) for name in ("lower_998", "lower_95", "average", "upper_95", "upper_998")]
    known = [(value, name) for value, name in zip(values, names, strict=True) if math.isfinite(value)]
    low, high = axes.get_ylim()
    for at, (_, name) in zip(
        _apart([value for value, _ in known], (high - low) * LINE_ROOM / deep), known, strict=True
    ):
        axes.annotate(
            name,
            (1, at),
            (5, 0),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            va="center",
            size=SMALL,
        )


def _apart(values: Sequence[float], least: float) -> list[float]:
    """Rising values moved apart until each lies at least so far from the next, about where they were."""
    moved = list(values)
    for place in range(len(moved) // 2 + 1, len(moved)):
        moved[place] = max(moved[place], moved[place - 1] + least)
    for place in range(len(moved) // 2 - 1, -1, -1):
        moved[place] = min(moved[place], moved[place + 1] - least)
    return moved


def _point(axes: Axes, x: float, y: float, look: Look) -> None:
    fill = look.colour if look.filled else COLOURS["paper"]
    axes.plot([x], [y], look.shape, color=look.colour, markerfacecolor=fill, clip_on=False, zorder=4)


@dataclass(frozen=True)
class Box:
    """A part of the picture that is taken, in inches from its lower left corner."""

    left: float
    low: float
    wide: float
    high: float

    def meets(self, other: Box) -> bool:
        """Whether two boxes lie on each other."""
        across = self.left < other.left + other.wide and other.left < self.left + self.wide
        return across and self.low < other.low + other.high and other.low < self.low + self.high


def _name_outside(axes: Axes, places: Places, wide: float, deep: float) -> bool:
    """Names beside the places outside the limits, the furthest first, where there is room; whether all are named."""
    (start, end), (low, high) = axes.get_xlim(), axes.get_ylim()

    def spot(row: Row) -> tuple[float, float]:
        across, up = (_size(row) - start) / (end - start), (number(row["value"]) - low) / (high - low)
        return across * wide, up * deep

    marks = [Box(x - MARK / 2, y - MARK / 2, MARK, MARK) for x, y in map(spot, places.shown)]
    names: list[Box] = []
    for place, row in enumerate(places.outside):
        name = f"{short(text(row['place']), 24)} {places.value(row)}"
        away = 1 if text(row["position"]) in HIGHER else -1
        box = _free(name, spot(row), away, [*marks, *names], wide, deep)
        if box is None and place < ALWAYS_NAMED:
            box = _free(name, spot(row), away, names, wide, deep)
        if box is not None and len(names) < MOST_NAMED:
            names.append(box)
            _name(axes, name, (_size(row), number(row["value"])), box, spot(row))
    return len(names) == len(places.outside)


def _free(
    name: str, spot: tuple[float, float], away: int, taken: Sequence[Box], wide: float, deep: float
) -> Box | None:
    """Room for a name to the right or left of a mark, level with it or a little farther from the average.

    away : 1 upward, -1 downward.
    """
    x, y = spot
    long = BOLD_LETTER * len(name)
    for lines in (0.0, 0.8, 1.6):
        for left in (x + 0.6 * MARK, x - 0.6 * MARK - long):
            box = Box(left, y + (away * lines - 0.5) * LINE_ROOM, long, LINE_ROOM)
            inside = left >= 0 and left + long <= wide and -LINE_ROOM / 2 <= box.low <= deep
            if inside and not any(map(box.meets, taken)):
                return box
    return None


def _name(axes: Axes, name: str, point: tuple[float, float], box: Box, spot: tuple[float, float]) -> None:
    rightward = box.left > spot[0]
    axes.annotate(
        name,
        point,
        (7 if rightward else -7, (box.low + box.high / 2 - spot[1]) * 72),
        textcoords="offset points",
        ha="left" if rightward else "right",
        va="center",
        size=SMALL,
        weight="bold",
        bbox={"facecolor": COLOURS["paper"], "edgecolor": "none", "pad": 0.5},
        zorder=3.5,
    )


# ---------------------------------------------------------------- a row for each place


def _draw_rows(canvas: Canvas, places: Places) -> None:
    """Few places: a row for each, its value on its limits."""
    rows = places.drawn
    height = ROW * len(rows) + ABOVE + BELOW
    left = EDGE + inches(short(text(row["place"]), PLACE) for row in rows) + GAP
    value, state = inches(map(places.value, rows)) + GAP, inches(map(_state, rows)) + GAP
    wide = WIDTH - left - value - state - EDGE
    axes: Axes = canvas.subplots()
    canvas.subplots_adjust(
        left=left / WIDTH, right=(left + wide) / WIDTH, top=1 - ABOVE / height, bottom=BELOW / height
    )
    _row_scale(axes, rows)
    _limits_of_each(axes, list(enumerate(rows)), upright=False)
    columns = Columns((EDGE - left) / wide, 1 + value / wide, 1 + (value + GAP) / wide)
    for place, row in enumerate(rows):
        _draw_row(axes, columns, places, row, place)
    bars = "Bar: 95% limits, thin line: 99.8%, upright" if places.assessed else "Upright"
    axes.set_xlabel(f"{bars} line: average of all {places.kinds}, {places.average}")
    _head(canvas, places, height)


def _draw_row(axes: Axes, columns: Columns, places: Places, row: Row, y: float) -> None:
    """A place: its words, and a mark where it has a value."""
    write(axes, columns.label, y, short(text(row["place"]), PLACE))
    write(axes, columns.value, y, places.value(row), align="right")
    write(axes, columns.state, y, _state(row), bold=text(row["position"]) in (*HIGHER, *LOWER))
    if not row[HIDDEN] and math.isfinite(number(row["value"])):
        _point(axes, number(row["value"]), y, places.look(row))


def _state(row: Row) -> str:
    return "Hidden" if row[HIDDEN] else _position(row, "position")


def _row_scale(axes: Axes, rows: Sequence[Row]) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    values = [number(row[name]) for row in rows for name in ("value", "average", *LIMITS)]
    known = [value for value in values if math.isfinite(value)]
    axes.set(ylim=(len(rows) - 0.5, -0.5), yticks=[])
    if not known:
        axes.set_xticks([])
        return
    room = (max(known) - min(known)) * 0.06 or 0.01
    axes.set_xlim(min(known) - room, max(known) + room)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_major_formatter(FuncFormatter(_tick(rows[0])))
    average = [number(row["average"]) for row in rows if math.isfinite(number(row["average"]))]
    if average:
        axes.axvline(average[0], color=COLOURS["ink"], linewidth=1.2, zorder=2)
