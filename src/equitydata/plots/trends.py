"""Change over time as pictures: outcomes by period, the gap of each group to the rest, and progress over runs.

A line is drawn between periods that are shown and never through a hidden one. Risen and fallen are said only where the
limits of the change leave out no change.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import chain
from typing import TYPE_CHECKING, Any

import pandas as pd

from equitydata.model import TIERS
from equitydata.plots.chart import Chart, Charts, chart_name, short
from equitydata.plots.inequality import (
    Line,
    Panel,
    Part,
    Row,
    Span,
    axis_gap,
    axis_ratio,
    between,
    by_measure,
    cell,
    confidence,
    draw_lines,
    finite,
    first_levels,
    gap_between,
    group_label,
    group_name,
    group_words,
    height_of,
    most_of,
    number_of,
    rows_of,
    statistics_of,
    table_of,
    unit_words,
)
from equitydata.plots.style import COLOURS, SMALL, WIDTH
from equitydata.plots.words import extract_source, listed, population
from equitydata.result import EquityResult
from equitydata.rulebook import disclosure_rule
from equitydata.strata import ALL
from equitydata.tables import HIDDEN
from equitydata.trends import NO_CODE, UNKNOWN_GROUP
from equitydata.written import FLAGGED, HIDDEN_CELL, count, day, figure, gap, mark, percent, ratio

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from equitydata.plots.chart import Canvas

STRATUM = ["measure", "characteristic", "level", "category"]
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


# ---------------------------------------------------------------- outcomes by period


def trend(result: EquityResult, measure: str | None = None, characteristic: str | None = None) -> Charts:
    """A chart for each measure: its value by period for everyone and for at most three groups.

    measure : one by name; all when left out. characteristic : whose groups, flagged and large ones first; when left
    out, the groups flagged against the rest, of all characteristics. A measure of one period has no chart.
    """
    frame = table_of(result, "trends")
    charts = (_trend(result, rows, characteristic) for rows in by_measure(frame, measure))
    return Charts(chart for chart in charts if chart is not None)


@dataclass(frozen=True)
class Slack:
    """How far the rounding of counts may have moved a change, and the logarithm of a ratio of two values."""

    gap: float = 0.0
    log_ratio: float = 0.0


def _slacks(result: EquityResult) -> Callable[[Row], Slack]:
    """A row of `changes` -> its slack; none where counts are true, or the value is a mean.

    A small-number rule rounds numerator and denominator, and the changes rest on those: what only the rounding of a few
    people may have moved is not called clear.
    """
    half = _half_step(result)
    shares = table_of(result, "trends")
    shares = shares[shares["statistic"] != "mean"]
    by_period = {(*_key(row), str(row["period"])): row for row in rows_of(shares)} if half > 0.5 else {}

    def slack(change: Row) -> Slack:
        gap_room = log_room = 0.0
        for end in ("first", "last"):
            row = by_period.get((*_key(change), str(change[f"{end}_period"])), {})
            value, size = number_of(row, "value"), number_of(row, "denominator")
            if finite(value) and size > 0:
                room = half * (1 + value) / size
                gap_room += room
                log_room += room / value if value > 0 else math.inf
        return Slack(gap_room, log_room)

    return slack


def _half_step(result: EquityResult) -> float:
    """How far the rule in force rounds a count at most; 0.5 or less where it does not."""
    return disclosure_rule(result.disclosure).round_to / 2 if result.disclosure else 0.0


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


def _key(row: Row) -> tuple[str, ...]:
    return tuple(str(row[name]) for name in STRATUM)


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
    changes = {_key(row): row for row in rows_of(table_of(result, "changes"))}
    slack = _slacks(result)
    everyone = rows_of(rows[rows["characteristic"] == ALL].head(1))
    by_group = rows.sort_values("order", kind="stable").groupby(STRATUM, sort=False)
    series = []
    for key in [*map(_key, everyone), *_chosen(result, rows, characteristic)]:
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
    groups = first_levels(rows[wanted & ~_unknown_groups(result, rows)])
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
    return {_key(row): int(row["flag"] == FLAGGED[-1]) for row in rows_of(flagged)}


def _unknown_groups(result: EquityResult, frame: pd.DataFrame) -> pd.Series:
    """Rows of people of unknown group, and of categories that nobody was asked for: they are held against no rest.

    Said by the status in `outcomes`, and where that is not there by the note.
    """
    outcomes = table_of(result, "outcomes")
    others = {_key(row) for row in rows_of(outcomes[outcomes["status"] != "known"])}
    keys = frame[STRATUM].astype(str).itertuples(index=False, name=None)
    by_status = pd.Series([key in others for key in keys], index=frame.index, dtype=bool)
    notes = frame["note"].fillna("").astype(str)
    return (
        by_status | notes.str.contains(NO_CODE, regex=False) | notes.str.contains(UNKNOWN_GROUP, regex=False)
    )


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
        axes.fill_between(x, lower, upper, color=COLOURS["line"], alpha=0.55, linewidth=0)
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


# ---------------------------------------------------------------- the gap to the rest, first and last


MOVED, UNMOVED, TOO_FEW, NOT_SHOWN = (
    "Clearly moved",
    "No clear change",
    "Not enough data",
    "Hidden, small numbers",
)
WAYS_WIDE = 1.3  # inches for the words to the right
GAPS_DRAWN = 22
GAPS_KEY = "Ring: first. Dot: last, with limits"


def gaps(result: EquityResult, measure: str | None = None) -> Charts:
    """A chart for each measure: each group's gap to the rest in the first and the last period, absolute and as a ratio.

    measure : one by name; all when left out. Groups whose gap clearly moved come first, then the widest gaps. Of each
    characteristic the first level; people of unknown group have no gap.
    """
    frame = table_of(result, "changes")
    frame = first_levels(frame[(frame["characteristic"] != ALL) & ~_unknown_groups(result, frame)])
    statistics = statistics_of(result)
    charts = (_gaps(result, rows, statistics) for rows in by_measure(frame, measure))
    return Charts(chart for chart in charts if chart is not None)


@dataclass(frozen=True)
class _Gap:
    """The gap of one group: a row of `changes`, and how far rounding may have moved it."""

    row: Row
    slack: Slack

    @property
    def label(self) -> str:
        return group_label(self.row)

    @property
    def hidden(self) -> bool:
        return bool(self.row[HIDDEN])

    @property
    def judged(self) -> bool:
        """There are limits of the change of the gap."""
        return finite(number_of(self.row, "gap_change_lower")) and finite(
            number_of(self.row, "gap_change_upper")
        )

    @property
    def absolute(self) -> int:
        """1 where the limits of the change of the gap lie above 0, -1 below, 0 where they hold it."""
        lower, upper = (number_of(self.row, f"gap_change_{end}") for end in ("lower", "upper"))
        return int(lower > self.slack.gap) - int(upper < -self.slack.gap)

    @property
    def relative(self) -> int:
        """The same of the ratio: its limits against 1."""
        lower, upper = (number_of(self.row, f"ratio_change_{end}") for end in ("lower", "upper"))
        factor = math.exp(self.slack.log_ratio)
        return int(lower > factor) - int(upper < 1 / factor)

    @property
    def direction(self) -> int:
        return self.absolute or self.relative

    @property
    def opposite(self) -> bool:
        return not self.hidden and self.row["opposite"] is not None and bool(self.row["opposite"])

    @property
    def words(self) -> str:
        """What moved, for the right of the row."""
        way = {1: "up", -1: "down", 0: ""}[self.direction]
        which = (
            ""
            if not way or self.absolute == self.relative
            else ", gap only"
            if self.absolute
            else ", ratio only"
        )
        return "; ".join(filter(None, [f"{way}{which}", "opposite ways" if self.opposite else ""]))


def _gaps(result: EquityResult, rows: pd.DataFrame, statistics: Mapping[str, str]) -> Chart | None:
    slack = _slacks(result)
    found = [_Gap(row, slack(row)) for row in rows_of(rows)]
    if not found or not any(each.judged or each.hidden for each in found):
        return None
    name, label, first, last = (
        str(rows[key].iloc[0]) for key in ("measure", "measure_label", "first_period", "last_period")
    )
    statistic = statistics.get(name, "")
    kinds = _gap_kinds(found)
    parts = most_of(
        [Part(words, tuple(map(_gap_line, each)), strong=words == MOVED) for words, each in kinds.items()],
        GAPS_DRAWN,
    )
    panels = (
        Panel(f"Gap to the rest{unit_words(statistic)}", 0, axis_gap(statistic)),
        Panel("Ratio to the rest", 1, axis_ratio),
    )
    return Chart(
        name=chart_name("gaps", name),
        title=f"{short(label, 48)}: {_gaps_message(kinds)}",
        subtitle=(
            f"Gap to the rest in {short(first, 12)} and {short(last, 12)}, {confidence(result)} limits of the change "
            f"({_by_chance(result)}); {population(result)}"
        ),
        source=extract_source(result),
        alternative=_gaps_told(kinds, statistic),
        table=pd.DataFrame([_gap_row(each, words, statistic) for words, each in _drawn(kinds, parts)]),
        csv="changes",
        height=height_of(parts),
        draw=lambda canvas: draw_lines(canvas, parts, panels, wide=WAYS_WIDE, key=GAPS_KEY),
    )


def _by_chance(result: EquityResult) -> str:
    """How many groups limits of this confidence let seem to move that do not; and what rounding has to do with it."""
    one_in = round(1 / (1 - float(result.choices["confidence"].value)))
    rounded = ", and rounded counts are allowed for" if _half_step(result) > 0.5 else ""
    return f"about 1 in {one_in} seems to move by chance{rounded}"


def _gap_kinds(found: Sequence[_Gap]) -> dict[str, list[_Gap]]:
    """Groups by what can be said of them; those whose gap clearly moved first, and within, the largest first."""
    judged = [each for each in found if each.judged]
    return {
        MOVED: sorted((each for each in judged if each.direction), key=_size("gap_change")),
        UNMOVED: sorted(
            (each for each in judged if not each.direction),
            key=lambda each: (not each.opposite, _size("gap_last")(each)),
        ),
        TOO_FEW: [each for each in found if not each.judged and not each.hidden],
        NOT_SHOWN: [each for each in found if each.hidden],
    }


def _size(name: str) -> Callable[[_Gap], float]:
    return lambda each: -abs(number_of(each.row, name))


def _drawn(kinds: Mapping[str, Sequence[_Gap]], parts: Sequence[Part]) -> Iterator[tuple[str, _Gap]]:
    """The groups that are drawn, with the heading they stand under."""
    for part in parts:
        for each in kinds[part.heading][: len(part.lines)]:
            yield part.heading, each


def _gap_line(each: _Gap) -> Line:
    """Limits are those of the change, laid from the first value: where they miss its ring the gap has clearly moved."""
    row = each.row
    first, last, low, high = (
        number_of(row, f"gap_{end}") for end in ("first", "last", "change_lower", "change_upper")
    )
    absolute = Span(last, first + low, first + high, before=first)
    first, last, low, high = (
        number_of(row, f"ratio_{end}") for end in ("first", "last", "change_lower", "change_upper")
    )
    relative = Span(last, first * low, first * high, before=first)
    symbol = cell(row["gap_last"], each.hidden, str)
    spans = tuple(
        span if finite(span.value) else symbol if symbol.startswith("[") else "[x]"
        for span in (absolute, relative)
    )
    return Line(each.label, spans, words=each.words)


def _gaps_message(kinds: Mapping[str, Sequence[_Gap]]) -> str:
    moved, judged = kinds[MOVED], len(kinds[MOVED]) + len(kinds[UNMOVED])
    if not judged:
        return "gaps to the rest over time are hidden by the small-number rule"
    if not moved:
        return f"no gap to the rest has clearly moved ({judged} group{'' if judged == 1 else 's'})"
    words = [
        f"{way} for {listed([group_name(each.row, 26) for each in moved if each.direction == sign], 2)}"
        for sign, way in ((1, "up"), (-1, "down"))
        if any(each.direction == sign for each in moved)
    ]
    return f"{len(moved)} of {judged} gaps to the rest clearly moved, {' and '.join(words)}"


def _gaps_told(kinds: Mapping[str, Sequence[_Gap]], statistic: str) -> str:
    rows = [(each, _gap_row(each, MOVED, statistic)) for each in kinds[MOVED][:3]]
    moved = "; ".join(
        f"{each.label} gap from {row['Gap, first']} to {row['Gap, last']}, "
        f"ratio from {row['Ratio, first']} to {row['Ratio, last']}"
        for each, row in rows
    )
    opposite = [each.label for each in (*kinds[MOVED], *kinds[UNMOVED]) if each.opposite]
    said = [
        "Two panels, the gap and the ratio to the rest, a row for each group, from the first period to the last.",
        f"Clearly moved: {moved}." if moved else "No gap clearly moved.",
        f"Gap and ratio moved in opposite ways for {listed(opposite)}." if opposite else "",
        f"{_groups(kinds[NOT_SHOWN])} hidden." if kinds[NOT_SHOWN] else "",
        f"{_groups(kinds[TOO_FEW])} without enough data." if kinds[TOO_FEW] else "",
    ]
    return " ".join(filter(None, said))


def _groups(some: Sequence[_Gap]) -> str:
    return f"{len(some)} group{'' if len(some) == 1 else 's'}"


def _gap_row(each: _Gap, reading: str, statistic: str) -> dict[str, str]:
    row = each.row

    def gaps_of(name: str) -> str:
        return cell(row[name], each.hidden, lambda value: gap(value, statistic))

    def ratios_of(name: str) -> str:
        return cell(row[name], each.hidden, ratio)

    return {
        "Group": group_words(row),
        "Gap, first": gaps_of("gap_first"),
        "Gap, last": gaps_of("gap_last"),
        "Change": gaps_of("gap_change"),
        "Limits of the change": gap_between(
            row["gap_change_lower"], row["gap_change_upper"], each.hidden, statistic
        ),
        "Ratio, first": ratios_of("ratio_first"),
        "Ratio, last": ratios_of("ratio_last"),
        "Ratio of ratios": ratios_of("ratio_change"),
        "Its limits": between(row["ratio_change_lower"], row["ratio_change_upper"], each.hidden, ratio),
        "Reading": "; ".join(filter(None, [reading, each.words])),
    }


# ---------------------------------------------------------------- progress over runs


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
