"""Marks of charts of outcomes: a group's ratio with limits, its flag as shape and word, and numbers beside it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import pandas as pd

from equitydata.findings.words import Row, group_name, number, rows_of, text, who
from equitydata.plots.chart import short
from equitydata.plots.style import COLOURS, SMALL, WIDTH
from equitydata.strata import CROSS
from equitydata.tables import HIDDEN
from equitydata.written import HARM_WORDS, HIDDEN_CELL, UNAVAILABLE_CELL, figure, flag_words
from equitydata.written import ratio as ratio_form

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from equitydata.plots.chart import Canvas
    from equitydata.result import EquityResult

Align: TypeAlias = Literal["left", "center", "right"]
KEYS = ["measure", "characteristic", "level", "category"]
HIGH, LOW, SMALL_FLAG = "disproportionate_high", "disproportionate_low", "different_small"
UNJUDGED = "insufficient_data"
MOST, MOST_MARKS = 30, 300  # rows of a chart, marks of a spine chart
LABEL, LONG_LABEL, TABLE_LABEL = 30, 38, 60  # letters of a label beside a row, and in a table
WIDEST = 8.0  # ratio, or its reciprocal, at which the axis ends
TICKS, WIDE_TICKS = (0.5, 0.67, 0.8, 1.0, 1.25, 1.5, 2.0), (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
# Inches: a row, a heading, the words above the rows, the axis below them, between columns, at the edges.
ROW, HEADING, ABOVE, BELOW, GAP, EDGE = 0.23, 0.28, 0.52, 0.66, 0.14, 0.05
LETTER, BOLD_LETTER = 0.0765, 0.088  # inches of an average letter at SMALL
NOT_FLAGGED, FURTHEST = "no group flagged", "Flagged, furthest"


# ---------------------------------------------------------------- rows of the tables


def table_of(result: EquityResult, name: str) -> pd.DataFrame:
    """A table with the column `hidden`, false for true counts; without rows where the result has no such table."""
    frame = result.table(name) if name in result.tables else pd.DataFrame()
    return frame if HIDDEN in frame else frame.assign(**{HIDDEN: False})


def cell(row: Row, column: str, form: Callable[[Any], str]) -> str:
    """A number as it is written; [c] where the row is hidden, [x] where there is none."""
    value = number(row[column])
    return HIDDEN_CELL if row[HIDDEN] else UNAVAILABLE_CELL if math.isnan(value) else form(value)


def inches(words: Iterable[str]) -> float:
    """The room that the longest of some words needs at the small size."""
    return LETTER * max(map(len, words), default=0)


def span_of(row: Row, name: str) -> str:
    """The limits of a ratio, "1.47 to 1.81"."""
    lower, upper = (cell(row, f"{name}_{side}", ratio_form) for side in ("lower", "upper"))
    return (
        lower
        if lower == upper == HIDDEN_CELL or lower == upper == UNAVAILABLE_CELL
        else f"{lower} to {upper}"
    )


def value_of(row: Row, column: str = "value") -> str:
    """A value of a row as its statistic is read."""
    return cell(row, column, partial(figure, statistic=text(row["statistic"])))


def flag_of(row: Row) -> str:
    """The flag of a row in short words."""
    if row[HIDDEN]:
        return HIDDEN_CELL
    return flag_words(text(row["flag"]), similar=row["similar"] is True, harm=text(row["harm"]))


def people_of(row: Row) -> str:
    """Who the group is, within a sentence, short and harmless."""
    words = short(who(row), 44)
    return f"p{words[1:]}" if words.startswith("People ") else words


def group_of(row: Row, limit: int = LABEL) -> str:
    """The group of a row as a label begins with it."""
    words = short(group_name(row), limit)
    return words if words == short(text(row["category"]), limit) else f"{words[:1].upper()}{words[1:]}"


def groups_of(rows: Sequence[Row]) -> list[str]:
    """Labels of rows, longer where short ones could not be told apart."""
    names = [group_of(row) for row in rows]
    return names if len(set(names)) == len(names) else [group_of(row, LONG_LABEL) for row in rows]


def distance_of(row: Row, column: str = "ratio") -> float:
    """How far a ratio lies from 1, alike above and below; 0 where there is none."""
    value = number(row[column])
    if math.isnan(value):
        return 0.0
    return abs(math.log(value)) if 0 < value < math.inf else math.inf


def flagged_as(rows: Iterable[Row], *flags: str) -> list[Row]:
    """Rows that are shown and carry one of some flags."""
    return [row for row in rows if not row[HIDDEN] and text(row["flag"]) in flags]


def furthest_of(rows: Sequence[Row]) -> Row | None:
    """Of the flagged rows the one furthest from 1; one to the disadvantage of the group before any other."""
    flagged = flagged_as(rows, HIGH, LOW)
    harmed = [row for row in flagged if text(row["harm"]) == "harm"]
    return max(harmed or flagged, key=distance_of, default=None)


def crude_rows(frame: pd.DataFrame, comparator: str) -> pd.DataFrame:
    """Rows against one comparator, before any adjustment."""
    return frame[(frame["comparator"] == comparator) & (frame["adjustment"] == "crude")]


def main_level(frame: pd.DataFrame, characteristic: str | None, level: str | None) -> pd.DataFrame:
    """Rows of one level of each characteristic, the first that it has; crossings only where they are asked for."""
    names = frame["characteristic"].astype(str)
    part = frame[names == characteristic if characteristic else ~names.str.contains(CROSS, regex=False)]
    first = part.groupby("characteristic", sort=False)["level"].transform("first")
    return part[part["level"] == (level or first)]


def higher_is(frame: pd.DataFrame) -> str:
    """harm or benefit: what a higher value is for the group, told by a flagged row; '' where none tells."""
    for row in rows_of(frame[frame["flag"].isin([HIGH, LOW]) & frame["harm"].isin(list(HARM_WORDS))]):
        harm = text(row["harm"])
        return harm if row["flag"] == HIGH else "benefit" if harm == "harm" else "harm"
    return ""


# ---------------------------------------------------------------- marks


@dataclass(frozen=True)
class Look:
    """How a group is marked: shape, colour, size, filled or hollow."""

    shape: str
    colour: str
    filled: bool = True
    size: float = 6.5


HELD = Look("s", COLOURS["ink"], filled=False, size=4)
PLAIN = Look("o", COLOURS["grey"], filled=False, size=5.5)
FAINT = Look("D", COLOURS["grey"], filled=False, size=3.5)


def look_of(row: Row) -> Look:
    """Flagged rows by shape and colour; plum only where it is to the disadvantage of the group."""
    flag = text(row["flag"])
    if flag in (HIGH, LOW):
        colour = COLOURS["plum" if text(row["harm"]) == "harm" else "blue"]
        return Look("^" if flag == HIGH else "v", colour)
    if flag == SMALL_FLAG:
        return Look("D", COLOURS["blue"], size=5.5)
    return Look("o", COLOURS["grey"], filled=flag != UNJUDGED)


def state_of(row: Row) -> str:
    """The flag in a word or two, for the column beside the marks."""
    flag = text(row["flag"])
    if row[HIDDEN]:
        return "Hidden"
    if number(row["people"]) == 0:
        return "Nobody counted"
    if flag == SMALL_FLAG:
        return f"{'Higher' if number(row['ratio']) > 1 else 'Lower'}, but small"
    if flag == "no_evidence":
        return "Similar" if row["similar"] is True else "No evidence"
    return {HIGH: "Higher", LOW: "Lower", UNJUDGED: "Not enough data", "uncertain": "Uncertain"}.get(
        flag, "–"
    )


@dataclass(frozen=True)
class Pen:
    """Marks and lines of one look, drawn together: a picture of many marks stays small.

    axes : x is the logarithm of a ratio, y inches downward. ends : of the axis, as ratios. Beyond them an arrowhead.
    """

    axes: Axes
    ends: tuple[float, float]
    marks: dict[Look, list[tuple[float, float]]] = field(default_factory=dict)
    lines: dict[tuple[str, float], list[tuple[float, float]]] = field(default_factory=dict)

    def mark(self, ratio: float, y: float, look: Look) -> None:
        """One ratio; nothing where there is none."""
        if not math.isnan(ratio):
            inside = min(max(ratio, self.ends[0]), self.ends[1])
            shape = look.shape if inside == ratio else "<" if ratio < inside else ">"
            self.marks.setdefault(replace(look, shape=shape), []).append((math.log(inside), y))

    def line(self, lower: float, upper: float, y: float, colour: str, thick: float) -> None:
        """Limits of a ratio, with an arrowhead where they go on; nothing where there are none."""
        low, high = self.ends
        if lower > high or upper < low or math.isnan(lower) or math.isnan(upper):
            return
        path = self.lines.setdefault((colour, thick), [])
        path += [(math.log(max(lower, low)), y), (math.log(min(upper, high)), y), (math.nan, math.nan)]
        for beyond in (lower, upper):
            if not low <= beyond <= high:
                self.mark(beyond, y, Look("|", colour, size=4))

    def put(self) -> None:
        """Draw all that was gathered."""
        for (colour, thick), path in self.lines.items():
            xs, ys = zip(*path, strict=True)
            self.axes.plot(xs, ys, color=colour, linewidth=thick, zorder=2, solid_capstyle="butt")
        for look, points in self.marks.items():
            xs, ys = zip(*points, strict=True)
            self.axes.plot(
                xs,
                ys,
                look.shape,
                color=look.colour,
                markerfacecolor=look.colour if look.filled else COLOURS["paper"],
                markersize=look.size,
                markeredgewidth=1.1,
                clip_on=False,
                zorder=4 if look.filled else 3,
            )


def ends_of(values: Iterable[float]) -> tuple[float, float]:
    """Ends of an axis of ratios that shows most of some values, and 1 with room on both sides."""
    given = [value for value in values if 0 < value < math.inf]
    low = max(min([0.76, *given]) / 1.06, 1 / WIDEST)
    high = min(max([1.32, *given]) * 1.06, WIDEST)
    return low, high


def ratio_axes(
    canvas: Canvas, deep: float, ends: tuple[float, float], *, left: float, right: float
) -> tuple[Axes, float]:
    """Axes of ratios on a log scale with inches of words on each side, y in inches; and their width in inches."""
    height = deep + ABOVE + BELOW
    axes: Axes = canvas.subplots()
    canvas.subplots_adjust(
        left=left / WIDTH, right=1 - right / WIDTH, top=1 - ABOVE / height, bottom=BELOW / height
    )
    wide = ends[1] / ends[0] > 4
    shown = [tick for tick in (WIDE_TICKS if wide else TICKS) if ends[0] <= tick <= ends[1]]
    axes.set(xlim=tuple(map(math.log, ends)), ylim=(deep, 0), yticks=[])
    axes.set_xticks([math.log(tick) for tick in shown], [f"{tick:g}" for tick in shown])
    return axes, WIDTH - left - right


def name_sides(axes: Axes, higher: str) -> None:
    """What lies left and right of 1, and which of them is to the disadvantage, below the axis."""
    sides: tuple[tuple[float, Align, str, bool], ...] = (
        (0.0, "left", "← Lower", higher == "benefit"),
        (1.0, "right", "Higher →", higher == "harm"),
    )
    for x, align, words, harm in sides:
        # A line each: several lines in one text are aligned by the metrics of another font.
        for place, line in enumerate([words, HARM_WORDS["harm"]] if harm else [words]):
            axes.annotate(
                line,
                (x, 0),
                (0, -19 - 13 * place),
                xycoords="axes fraction",
                textcoords="offset points",
                ha=align,
                va="top",
                size=SMALL,
                color=COLOURS["plum" if harm else "ink"],
            )


def write(axes: Axes, x: float, y: float, words: str, *, align: Align = "left", bold: bool = False) -> None:
    """Words at a fraction of the width of the axes and a height on their own scale."""
    axes.text(
        x,
        y,
        words,
        transform=axes.get_yaxis_transform(),
        ha=align,
        va="center",
        size=SMALL,
        weight="bold" if bold else "normal",
    )


def blocks_of(rows: Sequence[Row], key: str) -> list[list[Row]]:
    """Rows that stand under one heading."""
    return [list(block) for _, block in groupby(rows, key=lambda row: text(row[key]))]


def depth_of(rows: Sequence[Row], key: str = "characteristic") -> float:
    """Inches that rows and their headings need."""
    return ROW * len(rows) + HEADING * len(blocks_of(rows, key))


@dataclass(frozen=True)
class Columns:
    """Where the columns of words stand, as fractions of the axes: label from the left, value to the right, state."""

    label: float
    value: float
    state: float


def most_important(rows: list[Row]) -> list[Row]:
    """All rows, or of many the flagged ones and those of most people; in the order given."""
    if len(rows) <= MOST:
        return rows
    chosen = sorted(range(len(rows)), key=lambda place: _importance(rows[place]))[:MOST]
    return [rows[place] for place in sorted(chosen)]


def _importance(row: Row) -> tuple[int, float]:
    """Small for what must be shown: flagged and far from the rest, then clear but small, then many people."""
    if flagged_as([row], HIGH, LOW):
        return 0, -distance_of(row)
    people = number(row["people"])
    return 1 if flagged_as([row], SMALL_FLAG) else 2, 0.0 if math.isnan(people) else -people
