"""Outcomes by period as pictures.

A line is drawn between periods that are shown and never through a hidden one. Risen and fallen are said only where the
limits of the change leave out no change.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

import pandas as pd

from equitydata.plots.changes import (
    STRATUM,
    Slack,
    key_of,
    slacks,
    unknown_groups,
)
from equitydata.plots.chart import Chart, Charts, chart_name, short
from equitydata.plots.lines import (
    Row,
    between,
    by_measure,
    cell,
    confidence,
    finite,
    first_levels,
    group_label,
    group_name,
    group_words,
    number_of,
    rows_of,
    table_of,
)
from equitydata.plots.style import COLOURS, SMALL, WIDTH
from equitydata.plots.words import extract_source, listed, population
from equitydata.strata import ALL
from equitydata.tables import HIDDEN
from equitydata.written import (
    FLAGGED,
    HIDDEN_CELL,
    count,
    figure,
    mark,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from equitydata.plots.chart import Canvas
    from equitydata.result import EquityResult

GROUPS_DRAWN, PERIODS_DRAWN, LABEL_LIMIT = 3, 24, 31
# Everyone, and up to three groups: each with a colour and a mark of its own.
LOOKS = ((COLOURS["ink"], "o"), (COLOURS["blue"], "s"), (COLOURS["orange"], "^"), (COLOURS["teal"], "D"))
# What is said of a value; a rate or a mean says by its label what it is of.
KINDS = {"share": "Share of {unit}", "rate": "Rate", "mean": "Mean"}
FLATTENED = 4.0  # lines as far above 0 as four times the height that they fill
EVERYONE = "Everyone"
UP, DOWN, SAME, UNJUDGED = "risen", "fallen", "no clear change", "not enough data to judge"
# Inches: the plot with its axis, a row of symbols below it, and what stands around it.
PLOT, STRIP, BOTTOM, TOP, LEFT, LABELS_WIDE, LABELS_APART = 3.2, 0.19, 0.34, 0.14, 0.66, 2.7, 0.19
HEADING, EDGE = 0.6, 0.15
EDGED: Mapping[str, Any] = {"markeredgecolor": COLOURS["ink"], "markeredgewidth": 0.8}
TANGLED, PERIODS_NAMED = 8, 6


def trend(result: EquityResult, measure: str | None = None, characteristic: str | None = None) -> Charts:
    """A chart for each measure: its value by period for everyone and for at most three groups.

    measure : one by name; all when left out. characteristic : whose groups, flagged and large ones first; when left
    out, the groups flagged against the rest, of all characteristics. A measure of one period has no chart.
    """
    frame = table_of(result, "trends")
    charts = (_trend(result, rows, characteristic) for rows in by_measure(frame, measure))
    return Charts(chart for chart in charts if chart is not None)


@dataclass(frozen=True)
class _Series:
    """One line of a trend: a row for each period in order, and its row of `changes`, {} where there is none.

    label : beside the line. words : the same in full, for the table. name : the group alone, for the title.
    slack : how far rounding may have moved the change.
    """

    label: str
    words: str
    name: str
    rows: tuple[Row, ...]
    change: Row
    slack: Slack

    @property
    def values(self) -> list[float]:
        return [number_of(row, "value") for row in self.rows]

    @property
    def way(self) -> str:
        """Risen or fallen where the limits of the change say so."""
        lower, upper = (number_of(self.change, f"change_{end}") for end in ("lower", "upper"))
        if not finite(lower) or not finite(upper):
            return HIDDEN_CELL if self.change.get(HIDDEN, False) else UNJUDGED
        return UP if lower > self.slack.gap else DOWN if upper < -self.slack.gap else SAME


def _trend(result: EquityResult, rows: pd.DataFrame, characteristic: str | None) -> Chart | None:
    periods = list(dict.fromkeys(rows.sort_values("order", kind="stable")["period"].astype(str)))
    drawn = periods[-PERIODS_DRAWN:]
    series = _series(result, rows[rows["period"].isin(drawn)], characteristic)
    if len(drawn) < 2 or not series:
        return None
    name, label, statistic = (str(rows[key].iloc[0]) for key in ("measure", "measure_label", "statistic"))
    cut = f", the latest {len(drawn)} of {len(periods)}" if len(periods) > len(drawn) else ""
    return Chart(
        name=chart_name("trend", name, characteristic or ""),
        title=f"{short(label, 48)}: {_trend_message(series, statistic)}",
        subtitle=(
            f"{_kind(result, name, statistic)} by period{cut}, {confidence(result)} limits{_from_words(series)}; "
            f"{population(result)}"
        ),
        source=extract_source(result),
        alternative=_trend_told(series, statistic, drawn),
        table=pd.DataFrame([_trend_row(one, row, statistic) for one in series for row in one.rows]),
        csv="trends",
        height=PLOT + STRIP * len(_stripped(series)),
        draw=lambda canvas: _draw_trend(canvas, series, drawn, statistic),
    )


def _series(result: EquityResult, rows: pd.DataFrame, characteristic: str | None) -> tuple[_Series, ...]:
    """Everyone, then the groups chosen."""
    changes = {key_of(row): row for row in rows_of(table_of(result, "changes"))}
    slack = slacks(result)
    everyone = rows_of(rows[rows["characteristic"] == ALL].head(1))
    by_group = rows.sort_values("order", kind="stable").groupby(STRATUM, sort=False)
    series = []
    for key in [*map(key_of, everyone), *_chosen(result, rows, characteristic)]:
        change = changes.get(key, {})
        series.append(_one(rows_of(by_group.get_group(key)), change, slack(change) if change else Slack()))
    return tuple(series)


def _one(rows: tuple[Row, ...], change: Row, slack: Slack) -> _Series:
    if rows[0]["characteristic"] == ALL:
        return _Series(EVERYONE, EVERYONE, EVERYONE, rows, change, slack)
    label, words, name = group_label(rows[0], LABEL_LIMIT), group_words(rows[0]), group_name(rows[0], 26)
    return _Series(label, words, name, rows, change, slack)


def _chosen(result: EquityResult, rows: pd.DataFrame, characteristic: str | None) -> list[tuple[str, ...]]:
    """Groups to draw: clear flags before small differences before others, and large groups before small ones."""
    names = rows["characteristic"].astype(str)
    wanted = names != ALL if characteristic is None else names == characteristic
    groups = first_levels(rows[wanted & ~unknown_groups(result, rows)])
    flags = _flags(result)
    most = groups.assign(people=pd.to_numeric(groups["people"], errors="coerce").fillna(0.0))
    people = most.groupby(STRATUM, sort=False)["people"].max()
    keys = [tuple(map(str, key)) for key in people.index]
    ranked = sorted(
        zip(keys, people, strict=True), key=lambda each: (flags.get(each[0], 2), -each[1])
    )  # stable: groups alike stay in their declared order
    return [key for key, _ in ranked if characteristic is not None or key in flags][:GROUPS_DRAWN]


def _flags(result: EquityResult) -> dict[tuple[str, ...], int]:
    """Groups flagged against the rest: 0 where they lie outside the band, 1 where they differ a little."""
    frame = table_of(result, "comparisons")
    here = frame[(frame["comparator"] == "rest") & (frame["adjustment"] == "crude") & ~frame[HIDDEN]]
    flagged = here[here["flag"].isin(FLAGGED)]
    return {key_of(row): int(row["flag"] == FLAGGED[-1]) for row in rows_of(flagged)}


def _kind(result: EquityResult, measure: str, statistic: str) -> str:
    outcomes = table_of(result, "outcomes")
    units = outcomes.loc[outcomes["measure"] == measure, "unit"].astype(str)
    return KINDS.get(statistic, "Value").format(unit=units.iloc[0] if len(units) else "people")


def _trend_message(series: Sequence[_Series], statistic: str) -> str:
    """What the limits of the changes allow to say, of everyone and then of the groups."""
    words = [_moved_words(series[0], statistic)]
    for way in (UP, DOWN):
        groups = [one.name for one in series[1:] if one.way == way]
        words += [f"{way} for {listed(groups)}"] if groups else []
    if len(series) > 1 and len(words) == 1 and {one.way for one in series[1:]} == {SAME}:
        words.append(
            "nor for the groups drawn" if series[0].way == SAME else "no clear change for the groups drawn"
        )
    return "; ".join(words)


def _moved_words(one: _Series, statistic: str) -> str:
    who = "" if one.name == EVERYONE else f" for {one.name}"
    if one.way == HIDDEN_CELL:
        return f"the change{who} is hidden by the small-number rule"
    if one.way == UNJUDGED:
        return f"{UNJUDGED} the change{who}"
    (first, at_first), (last, at_last) = ((_value(row, statistic), row["period"]) for row in _ends(one))
    if one.way == SAME:
        return f"{SAME}{who} ({first} in {at_first}, {last} in {at_last})"
    return f"{one.way}{who} from {first} in {at_first} to {last} in {at_last}"


def _ends(one: _Series) -> tuple[Row, Row]:
    """The rows of the first and the last period of the change."""
    by_period = {str(row["period"]): row for row in one.rows}
    first, last = (by_period.get(str(one.change.get(f"{end}_period"))) for end in ("first", "last"))
    return first or one.rows[0], last or one.rows[-1]


def _value(row: Row, statistic: str) -> str:
    return cell(row["value"], bool(row[HIDDEN]), lambda value: figure(value, statistic))


def _trend_told(series: Sequence[_Series], statistic: str, periods: Sequence[str]) -> str:
    lines = "; ".join(
        f"{one.words} from {_value(one.rows[0], statistic)} to {_value(one.rows[-1], statistic)} "
        f"({HIDDEN_CELL if one.way == HIDDEN_CELL else one.way})"
        for one in series
    )
    gaps = sum(not finite(value) for one in series for value in one.values)
    broken = f" Lines break where a value is hidden or missing: {gaps} of the points." if gaps else ""
    return f"Lines over {len(periods)} periods, {periods[0]} to {periods[-1]}: {lines}.{broken}"


def _trend_row(one: _Series, row: Row, statistic: str) -> dict[str, str]:
    hidden = bool(row[HIDDEN])
    return {
        "Group and period": f"{one.words}, {short(row['period'])}",
        "People": cell(row["people"], hidden, count),
        "Value": _value(row, statistic),
        "Limits": between(row["lower"], row["upper"], hidden, lambda value: figure(value, statistic)),
    }


def _stripped(series: Sequence[_Series]) -> list[_Series]:
    """Lines with a period that has no value: each has a row of symbols below the plot."""
    return [one for one in series if not all(map(finite, one.values))]


def _draw_trend(canvas: Canvas, series: Sequence[_Series], periods: Sequence[str], statistic: str) -> None:
    """All lines in one plot, or where they would be a tangle, each group with everyone in a plot of its own."""
    if _tangled(series, len(periods)):
        _draw_plots(canvas, series, periods, statistic)
    else:
        _draw_plot(canvas, series, periods, statistic)


def _tangled(series: Sequence[_Series], periods: int) -> bool:
    return periods > TANGLED and len(series) > 1 and series[0].name == EVERYONE


def _draw_plot(canvas: Canvas, series: Sequence[_Series], periods: Sequence[str], statistic: str) -> None:
    stripped = _stripped(series)
    height = PLOT + STRIP * len(stripped)
    axes: Axes = canvas.subplots()
    canvas.subplots_adjust(
        left=LEFT / WIDTH,
        right=1 - LABELS_WIDE / WIDTH,
        top=1 - TOP / height,
        bottom=(BOTTOM + STRIP * len(stripped)) / height,
    )
    places = _prepare(axes, series, periods, statistic)
    step = math.ceil(len(periods) / PERIODS_NAMED)
    named = [place for place in range(len(periods)) if (len(periods) - 1 - place) % step == 0]
    axes.set_xticks(named, [short(periods[place], 12) for place in named])
    for number, one in enumerate(series):
        _draw_series(
            axes, one, places, LOOKS[number], aside=(number - len(series) / 2) * 0.07 if number else 0.0
        )
    _label_ends(axes, series, places, PLOT - BOTTOM - TOP)
    for down, one in enumerate(stripped):
        inches = -BOTTOM - STRIP * (down + 0.5)
        _draw_symbols(axes, one, places, inches)
        _beside_plot(axes, one.label, inches)


def _draw_plots(canvas: Canvas, series: Sequence[_Series], periods: Sequence[str], statistic: str) -> None:
    everyone, groups = series[0], series[1:]
    strips = max(len(_stripped([everyone, one])) for one in groups)
    height = PLOT + STRIP * len(_stripped(series))
    plots: list[Axes] = list(canvas.subplots(1, len(groups), squeeze=False)[0])
    canvas.subplots_adjust(
        left=LEFT / WIDTH,
        right=1 - EDGE / WIDTH,
        top=1 - HEADING / height,
        bottom=(BOTTOM + STRIP * strips) / height,
        wspace=0.1,
    )
    tall = height - HEADING - BOTTOM - STRIP * strips
    for number, (axes, one) in enumerate(zip(plots, groups, strict=True), start=1):
        places = _prepare(axes, series, periods, statistic)
        axes.set_xticks([0, len(periods) - 1], [short(periods[end], 12) for end in (0, -1)])
        first, last = axes.get_xticklabels()
        first.set_horizontalalignment("left")
        last.set_horizontalalignment("right")
        for drawn, look in ((everyone, LOOKS[0]), (one, LOOKS[number])):
            _draw_series(axes, drawn, places, look, size=4.0)
        _head_plot(axes, 0.42 / tall, LOOKS[number], short(one.name, 22), weight="bold")
        _head_plot(axes, 0.2 / tall, LOOKS[0], f"and {EVERYONE.lower()}")
        axes.tick_params(labelleft=number == 1)
        for down, missing in enumerate(_stripped([one, everyone])):
            _draw_symbols(axes, missing, places, -BOTTOM - STRIP * (down + 0.5), together=True)


def _prepare(
    axes: Axes, series: Sequence[_Series], periods: Sequence[str], statistic: str
) -> dict[str, float]:
    """The axes of a plot; returns the place of each period."""
    _value_axis(axes, series, statistic)
    room = 0.3 if len(periods) <= TANGLED else 0.7
    axes.set_xlim(-room, len(periods) - 1 + room)
    return {period: float(place) for place, period in enumerate(periods)}


def _head_plot(axes: Axes, up: float, look: tuple[str, str], words: str, **letters: Any) -> None:
    """A mark and whose it is, above a plot; up : share of its height."""
    _draw_key(axes, 0.03, 1 + up, look)
    axes.text(0.08, 1 + up, words, transform=axes.transAxes, va="center", size=SMALL, **letters)


def _draw_key(axes: Axes, across: float, up: float, look: tuple[str, str]) -> None:
    colour, shape = look
    axes.plot(across, up, shape, color=colour, transform=axes.transAxes, clip_on=False, **EDGED)


def _bottom_and_top(series: Sequence[_Series]) -> tuple[float, float]:
    """What the axis of values holds: from 0, unless the lines lie so high that they would be flattened."""
    names = ("value", "lower", "upper")
    found = [number_of(row, name) for one in series for row in one.rows for name in names]
    found = [number for number in found if finite(number)]
    low, high = min(found, default=0.0), max(found, default=1.0)
    flattened = low > FLATTENED * (high - low)
    bottom = low - (high - low) * 0.15 if flattened else min(low, 0.0)
    return bottom, high + (high - bottom or 1.0) * 0.06


def _from_words(series: Sequence[_Series]) -> str:
    return "" if _bottom_and_top(series)[0] <= 0 else " (the axis does not begin at 0)"


def _value_axis(axes: Axes, series: Sequence[_Series], statistic: str) -> None:
    from matplotlib.ticker import MaxNLocator

    bottom, top = _bottom_and_top(series)
    ticks = [tick for tick in MaxNLocator(5).tick_values(bottom, top) if bottom <= tick <= top]
    words = [mark(tick) if statistic == "share" else f"{round(tick, 6):,g}" for tick in ticks]
    axes.set_ylim(bottom, top)
    axes.set_yticks(
        ticks, words if any(map(finite, chain(*(one.values for one in series)))) else [""] * len(ticks)
    )
    axes.grid(axis="y")


def _draw_series(
    axes: Axes,
    one: _Series,
    places: Mapping[str, float],
    look: tuple[str, str],
    *,
    aside: float = 0.0,
    size: float = 6.0,
) -> None:
    """A line with its limits: a band for everyone, a stroke at each value of a group. aside : so that strokes part."""
    colour, shape = look
    everyone = one.name == EVERYONE
    x = [places[str(row["period"])] + aside for row in one.rows]
    lower, upper = ([number_of(row, end) for row in one.rows] for end in ("lower", "upper"))
    if everyone:
        # The edges carry the limits; the shade between them is too light to.
        axes.fill_between(
            x, lower, upper, facecolor=COLOURS["line"], edgecolor=COLOURS["grey"], linewidth=0.8
        )
    strokes = [not everyone or alone for alone in _alone(one.values)]
    for place, low, high, wanted in zip(x, lower, upper, strokes, strict=True):
        if wanted and finite(low) and finite(high):
            axes.plot([place, place], [low, high], color=colour, linewidth=1.1)
    wide = 2.6 if everyone else 2.0
    axes.plot(x, one.values, color=colour, marker=shape, linewidth=wide, markersize=size, **EDGED)


def _alone(values: Sequence[float]) -> list[bool]:
    """Values without a neighbour: a band would not show there."""
    padded = [math.nan, *values, math.nan]
    return [
        finite(here) and not finite(before) and not finite(after)
        for before, here, after in zip(padded, padded[1:], padded[2:], strict=False)
    ]


def _label_ends(axes: Axes, series: Sequence[_Series], places: Mapping[str, float], tall: float) -> None:
    """The name of each line at its last value, with its mark; moved apart where they would overlap."""
    low, high = axes.get_ylim()
    ends = {}
    for number, one in enumerate(series):
        shown = [
            (places[str(row["period"])], value)
            for row, value in zip(one.rows, one.values, strict=True)
            if finite(value)
        ]
        if shown:
            ends[number] = shown[-1]
    order = sorted(ends, key=lambda number: ends[number][1])
    heights = apart([(ends[number][1] - low) / (high - low) for number in order], LABELS_APART / tall)
    edge = max(places.values()) + 0.3
    for number, up in zip(order, heights, strict=True):
        x, value = ends[number]
        at = low + up * (high - low)
        axes.plot(
            [x, edge, edge * 1.03],
            [value, at, at],
            color=LOOKS[number][0],
            linewidth=0.8,
            linestyle=":",
            clip_on=False,
        )
        axes.annotate(
            series[number].label,
            (1, up),
            (17, 0),
            xycoords="axes fraction",
            textcoords="offset points",
            va="center",
            size=SMALL,
            weight="bold" if number == 0 else "normal",
            annotation_clip=False,
        )
        _draw_key(axes, 1.02, up, LOOKS[number])


def apart(heights: Sequence[float], least: float) -> list[float]:
    """Rising heights from 0 to 1, moved so that each lies at least so far above the one before, and none above 1."""
    moved: list[float] = []
    for height in heights:
        moved.append(max(height, moved[-1] + least) if moved else height)
    top = 1.0
    for place in reversed(range(len(moved))):
        moved[place] = min(moved[place], top)
        top = moved[place] - least
    return moved


def _draw_symbols(
    axes: Axes, one: _Series, places: Mapping[str, float], inches: float, *, together: bool = False
) -> None:
    """A row below the plot: a symbol at each period without a value; together : neighbours share theirs."""
    runs_of: list[tuple[list[float], list[str]]] = []
    before = False
    for row, value in zip(one.rows, one.values, strict=True):
        if not finite(value):
            if not (together and before):
                runs_of.append(([], []))
            runs_of[-1][0].append(places[str(row["period"])])
            runs_of[-1][1].append(cell(row["value"], bool(row[HIDDEN]), str))
        before = not finite(value)
    for where, symbols in runs_of:
        axes.annotate(
            " ".join(dict.fromkeys(symbols)),
            (sum(where) / len(where), 0),
            (0, inches * 72),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            ha="center",
            va="center",
            size=SMALL - 1,
            annotation_clip=False,
        )


def _beside_plot(axes: Axes, words: str, inches: float) -> None:
    """Whose row of symbols it is, to the right of the plot."""
    axes.annotate(
        words,
        (1, 0),
        (17, inches * 72),
        xycoords="axes fraction",
        textcoords="offset points",
        va="center",
        size=SMALL - 1,
        annotation_clip=False,
    )
