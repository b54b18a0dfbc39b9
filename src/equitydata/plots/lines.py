"""Charts with a row for each group or characteristic: rows of the result, their words, and the layout.

Labels to the left, one or two panels on one height, words to the right, and headings that part what is clear from what
is not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pandas as pd

from equitydata.errors import ConfigError
from equitydata.plots.chart import short
from equitydata.plots.style import COLOURS, SMALL, WIDTH
from equitydata.strata import CROSS
from equitydata.tables import HIDDEN, SPECS, empty
from equitydata.written import (
    HIDDEN_CELL,
    UNAVAILABLE_CELL,
    gap,
    mark,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from equitydata.plots.chart import Canvas
    from equitydata.result import EquityResult

Row = Mapping[str, Any]

ROWS_DRAWN = 30
ROW, UNDER, HEADING, HEAD_ROOM, TICKS = 0.27, 0.17, 0.32, 0.3, 0.36  # inches
LABELS_WIDE, PANELS_APART, EDGE = 2.55, 0.22, 0.12  # inches
RATIO_TICKS = (0.1, 0.2, 0.25, 0.5, 0.67, 0.8, 0.9, 1, 1.1, 1.25, 1.5, 2, 4, 5, 10)
FARTHEST = 16.0  # a ratio beyond this, or beyond one over it, is drawn at the edge with an arrow


# ---------------------------------------------------------------- rows of a result


def table_of(result: EquityResult, name: str) -> pd.DataFrame:
    """A table of the result with `hidden`; empty where the run did not make it."""
    frame = result.table(name) if name in result.tables else empty(SPECS[name])
    if HIDDEN not in frame:
        frame = frame.assign(**{HIDDEN: False})
    return frame.assign(**{HIDDEN: frame[HIDDEN].astype(bool)})


def rows_of(frame: pd.DataFrame) -> tuple[Row, ...]:
    """The rows of a table, each a mapping of its columns."""
    return tuple({str(name): value for name, value in row.items()} for row in frame.to_dict("records"))


def number_of(row: Row, name: str) -> float:
    """A number of a row; NaN where it is hidden or missing."""
    value: Any = row.get(name)
    absent = bool(row.get(HIDDEN, False)) or value is None or value is pd.NA
    return math.nan if absent else float(value)


def by_measure(frame: pd.DataFrame, measure: str | None) -> list[pd.DataFrame]:
    """The rows of each measure, or of the one that is named. Raises ConfigError for a name that has no rows."""
    names = list(dict.fromkeys(frame["measure"].astype(str)))
    if measure is not None and names and measure not in names:
        raise ConfigError(
            f"No measure named '{short(measure)}' here.", mend=f"Available: {', '.join(map(short, names))}."
        )
    return [frame[frame["measure"] == name] for name in names if measure in (None, name)]


def first_levels(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows of the first level of each characteristic, crossings left out: nobody is then in two rows of one."""
    single = frame[~frame["characteristic"].astype(str).str.contains(CROSS, regex=False)]
    first = single.drop_duplicates("characteristic").set_index("characteristic")["level"]
    return single[single["level"] == single["characteristic"].map(first)]


def statistics_of(result: EquityResult) -> dict[str, str]:
    """Measure -> share, rate, population_rate, mean or quantile, from the tables that say it."""
    found: dict[str, str] = {}
    for name in ("known_or_not", "trends", "outcomes"):
        frame = table_of(result, name)
        found |= dict(zip(frame["measure"].astype(str), frame["statistic"].astype(str), strict=True))
    return found


def confidence(result: EquityResult) -> str:
    """Confidence of the limits: "95%"."""
    return mark(float(result.choices["confidence"].value))


def group_label(row: Row, limit: int = 36) -> str:
    """A group with its characteristic: "Bangladeshi (ethnicity)", "Decile 2 (deprivation)"; a long group is cut."""
    of = short(str(row["characteristic"]).replace("_", " "), limit * 2 // 5)
    return f"{group_name(row, limit - len(of) - 3)} ({of})"


def group_words(row: Row) -> str:
    """A group with its characteristic as a table says it: "Decile 2 (Deprivation (IMD decile))"."""
    return f"{group_name(row, 60)} ({short(row['label'], 40)})"


def group_name(row: Row, limit: int = 34) -> str:
    """A group alone, as it stands in a sentence where the characteristic is plain or of no matter."""
    words = named(str(row["level"]), str(row["category"]))
    return short(words[:1].upper() + words[1:], limit)


def named(level: str, category: str) -> str:
    """A category that says what it is: a mere number has its level before it, as in "decile 2"."""
    return f"{level} {category}" if category.isdigit() else category


def inside(label: str) -> str:
    """A label inside a sentence: "Ethnic group" is "ethnic group", "HbA1c" stays."""
    first = label.split(" ")[0]
    return label[:1].lower() + label[1:] if first[1:].islower() else label


# ---------------------------------------------------------------- numbers as words


def finite(value: Any) -> bool:
    """A number that can be drawn."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def cell(value: Any, hidden: bool, form: Callable[[Any], str]) -> str:
    """A number in its form, [c] where the rule hides it, [x] where there is none, "no limit" where it is endless."""
    if hidden:
        return HIDDEN_CELL
    if value is None or value is pd.NA or value != value:
        return UNAVAILABLE_CELL
    return form(value) if finite(value) else "no limit"


def between(lower: Any, upper: Any, hidden: bool, form: Callable[[Any], str]) -> str:
    """Limits: "0.80 to 1.20"; one symbol where there are none."""
    ends = [cell(end, hidden, form) for end in (lower, upper)]
    return ends[0] if ends[0] == ends[1] and ends[0].startswith("[") else " to ".join(ends)


def bare_gap(statistic: str) -> Callable[[Any], str]:
    """The form of a difference without its unit: "+1.8"."""
    return lambda value: gap(value, statistic).partition(" ")[0]


def gap_between(lower: Any, upper: Any, hidden: bool, statistic: str) -> str:
    """Limits of a difference, the unit said once: "+0.4 to +5.7 points"."""
    written = between(lower, upper, hidden, bare_gap(statistic))
    unit = gap(0.0, statistic).partition(" ")[2]
    return written if written.startswith("[") or not unit else f"{written} {unit}"


def axis_gap(statistic: str) -> Callable[[float], str]:
    """A difference as an axis says it: "+5" for 0.05 of a share."""
    scale = {"share": 100, "population_rate": 1000}.get(statistic, 1)
    return lambda value: f"{round(value * scale, 6):+g}" if value else "0"


def axis_ratio(value: float) -> str:
    """A ratio as an axis says it."""
    return f"{value:g}"


def unit_words(statistic: str) -> str:
    """The unit of a difference, for a heading: ", points"."""
    return {"share": ", points", "population_rate": ", per 1,000"}.get(statistic, "")


# ---------------------------------------------------------------- layout: a row for each group


@dataclass(frozen=True)
class Span:
    """What a panel shows of one row. Ends that are endless, or beyond the panel, become arrows; NaN is not drawn.

    value : the mark. lower, upper : thin line. inner : thick part of it. before : hollow mark, joined to the value.
    chance : small upright stroke.
    """

    value: float
    lower: float = math.nan
    upper: float = math.nan
    inner: tuple[float, float] = (math.nan, math.nan)
    before: float = math.nan
    chance: float = math.nan

    @property
    def ends(self) -> tuple[float, ...]:
        """Every place that the panel must hold."""
        return (self.value, self.lower, self.upper, *self.inner, self.before, self.chance)


@dataclass(frozen=True)
class Line:
    """One row of a chart. spans : one a panel; a symbol where nothing can be drawn. under : small second line."""

    label: str
    spans: tuple[Span | str, ...]
    words: str = ""
    under: str = ""


@dataclass(frozen=True)
class Part:
    """Rows under one heading. strong : what the title speaks of. of : how many rows there are, those not drawn too."""

    heading: str
    lines: tuple[Line, ...]
    strong: bool = False
    of: int = 0

    @property
    def words(self) -> str:
        """The heading, with how many rows are drawn where these are not all."""
        return (
            f"{self.heading} ({len(self.lines)} of {self.of})" if self.of > len(self.lines) else self.heading
        )


@dataclass(frozen=True)
class Panel:
    """One column of marks. equal : where groups are alike, 0 or 1. form : of the numbers at the axis."""

    heading: str
    equal: float
    form: Callable[[float], str]

    @property
    def log(self) -> bool:
        """Ratios stand on a logarithmic axis, so that half and double lie equally far off."""
        return self.equal == 1


def most_of(parts: Sequence[Part], most: int = ROWS_DRAWN) -> tuple[Part, ...]:
    """The parts that have rows, cut to so many rows together: first parts first, at least three rows of each."""
    parts = [part for part in parts if part.lines]
    kept, left = [], most
    for place, part in enumerate(parts):
        later = sum(min(3, len(other.lines)) for other in parts[place + 1 :])
        lines = part.lines[: max(left - later, 3)]
        left -= len(lines)
        kept.append(replace(part, lines=lines, of=len(part.lines)))
    return tuple(kept)


def height_of(parts: Sequence[Part]) -> float:
    """Inches of a chart of these rows."""
    return HEAD_ROOM + TICKS + sum(HEADING + sum(map(_tall, part.lines)) for part in parts)


def _tall(line: Line) -> float:
    return ROW + (UNDER if line.under else 0)


def draw_lines(
    canvas: Canvas,
    parts: Sequence[Part],
    panels: Sequence[Panel],
    *,
    words: str = "",
    wide: float = 0.0,
    key: str = "",
) -> None:
    """Draw the rows. words : heading of what stands to the right, `wide` inches. key : of the marks, at the foot."""
    height = height_of(parts)
    axes: list[Axes] = list(canvas.subplots(1, len(panels), squeeze=False)[0])
    room = (WIDTH - LABELS_WIDE - wide - EDGE) / len(panels)
    canvas.subplots_adjust(
        left=LABELS_WIDE / WIDTH,
        right=1 - (wide + EDGE) / WIDTH,
        top=1 - HEAD_ROOM / height,
        bottom=TICKS / height,
        wspace=PANELS_APART / (room - PANELS_APART),
    )
    body = height - HEAD_ROOM - TICKS
    for place, (ax, panel) in enumerate(zip(axes, panels, strict=True)):
        _set_scale(ax, panel, [line.spans[place] for part in parts for line in part.lines])
        ax.set(ylim=(body, 0), yticks=[])
        ax.set_title(panel.heading, size=SMALL, pad=7)
    for part, line, down in _places(parts):
        if line is None:
            _write(axes[0], down, part.words, weight="bold", color=COLOURS["blue"])
        else:
            _write_line(axes, line, down, strong=part.strong)
    for place, ax in enumerate(axes):
        for strong in (True, False):
            spans = [
                (down, line.spans[place])
                for part, line, down in _places(parts)
                if line is not None and part.strong == strong
            ]
            _draw_spans(ax, [(down, span) for down, span in spans if isinstance(span, Span)], strong=strong)
    _write(axes[0], body + TICKS / 2, key, size=SMALL - 1)
    _write_right(axes[-1], -HEAD_ROOM * 0.45, words, weight="bold")


def _places(parts: Sequence[Part]) -> Iterator[tuple[Part, Line | None, float]]:
    """Each heading (no line) and each row, with the inches from the top to its middle."""
    down = 0.0
    for part in parts:
        yield part, None, down + HEADING * 0.6
        down += HEADING
        for line in part.lines:
            yield part, line, down + ROW / 2
            down += _tall(line)


def _write(ax: Axes, down: float, words: str, *, size: float = SMALL, **look: Any) -> None:
    """Words at the left edge of the chart, so many inches below the top of the panels."""
    _beside(ax, (0, down), -LABELS_WIDE * 72 + 4, words, size=size, **look)


def _write_right(ax: Axes, down: float, words: str, **look: Any) -> None:
    """Words to the right of the last panel."""
    _beside(ax, (1, down), 8, words, size=SMALL, **look)


def _beside(ax: Axes, at: tuple[float, float], points: float, words: str, **look: Any) -> None:
    if words:
        ax.annotate(
            words,
            at,
            (points, 0),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            va="center",
            annotation_clip=False,
            **look,
        )


def _write_line(axes: Sequence[Axes], line: Line, down: float, *, strong: bool) -> None:
    _write(axes[0], down, line.label, weight="bold" if strong else "normal")
    if line.under:
        _write(axes[0], down + UNDER, line.under, size=SMALL - 1)
    _write_right(axes[-1], down, line.words)
    for ax, span in zip(axes, line.spans, strict=True):
        if isinstance(span, str):
            _beside(ax, (0, down), 6, span, size=SMALL)


def _set_scale(ax: Axes, panel: Panel, spans: Sequence[Span | str]) -> None:
    """An axis that holds every end, and the value of no difference; ratios logarithmic."""
    ends = [end for span in spans if isinstance(span, Span) for end in span.ends if finite(end)]
    if panel.log:
        within = [min(max(end, 1 / FARTHEST), FARTHEST) for end in ends]
        low, high = min([0.8, *within]) / 1.08, max([1.25, *within]) * 1.08
        ax.set_xscale("log")
        ticks = _ratio_ticks(low, high)
    else:
        low, high = min([0.0, *ends]), max([0.0, *ends])
        room = (high - low or 1.0) * 0.07
        low, high = low - room, high + room
        ticks = _even_ticks(low, high)
    ax.set_xlim(low, high)
    ax.set_xticks(ticks, [panel.form(tick) for tick in ticks])
    ax.minorticks_off()
    ax.grid(axis="x")
    ax.axvline(panel.equal, color=COLOURS["ink"], linewidth=1.2, zorder=1)


def _ratio_ticks(low: float, high: float) -> list[float]:
    """1 and at most two ticks to each side, well apart."""
    apart = math.log(high / low) / 6.5
    ticks = [1.0]
    for side in (sorted(RATIO_TICKS), sorted(RATIO_TICKS, reverse=True)):
        last = 1.0
        for tick in side:
            onward = tick > 1 if side[0] < 1 else tick < 1
            if onward and low < tick < high and abs(math.log(tick / last)) >= apart:
                ticks.append(tick)
                last = tick
    return sorted(ticks)


def _even_ticks(low: float, high: float) -> list[float]:
    from matplotlib.ticker import MaxNLocator

    return [float(f"{tick:.6g}") for tick in MaxNLocator(4).tick_values(low, high) if low <= tick <= high]


def _draw_spans(ax: Axes, rows: Sequence[tuple[float, Span]], *, strong: bool) -> None:
    """Marks of the rows of one part: all of a kind in one go, which keeps the picture small."""
    colour = COLOURS["blue"] if strong else COLOURS["grey"]
    edge = {"markeredgecolor": COLOURS["ink"], "markeredgewidth": 1.0}
    _draw_bars(
        ax, [(down, span.lower, span.upper) for down, span in rows], color=colour, linewidth=1.4, zorder=2
    )
    joined = [(down, span.before, span.value) for down, span in rows]
    _draw_bars(ax, joined, color=COLOURS["grey"], linewidth=3.5, zorder=2)
    thick = [(down, *span.inner) for down, span in rows]
    _draw_bars(ax, thick, color=colour, linewidth=6, solid_capstyle="butt", zorder=3)
    _draw_arrows(ax, rows, colour)
    _draw_marks(
        ax, [(d, s.before) for d, s in rows], "o", color=COLOURS["paper"], markersize=6.5, zorder=4, **edge
    )
    chances = [(down, span.chance) for down, span in rows]
    _draw_marks(ax, chances, "|", color=COLOURS["plum"], markersize=11, markeredgewidth=2, zorder=5)
    shape = "D" if any(finite(end) for _, span in rows for end in span.inner) else "o"
    _draw_marks(ax, [(d, s.value) for d, s in rows], shape, color=colour, markersize=6.5, zorder=6, **edge)


def _inside_panel(ax: Axes, value: float) -> float:
    low, high = ax.get_xlim()
    return min(max(value, low), high)


def _draw_bars(ax: Axes, bars: Sequence[tuple[float, float, float]], **look: Any) -> None:
    """Bars (inches down, from, to) as one line with gaps; endless ones reach the edge, and NaN is left out."""
    drawn = [bar for bar in bars if not math.isnan(bar[1] + bar[2])]
    x = [
        end for _, one, other in drawn for end in (_inside_panel(ax, one), _inside_panel(ax, other), math.nan)
    ]
    if drawn:
        ax.plot(x, [down for down, *_ in drawn for _ in range(3)], **look)


def _draw_arrows(ax: Axes, rows: Sequence[tuple[float, Span]], colour: str) -> None:
    """Arrows where limits go on beyond the panel."""
    low, high = ax.get_xlim()
    for at, shape in ((low, "<"), (high, ">")):
        beyond = [
            down
            for down, span in rows
            if not math.isnan(span.lower + span.upper)
            and (span.lower <= low if at == low else span.upper >= high)
        ]
        if beyond:
            x = [at] * len(beyond)
            ax.plot(x, beyond, shape, color=colour, markersize=5, clip_on=False, zorder=3)


def _draw_marks(ax: Axes, marks: Sequence[tuple[float, float]], shape: str, **look: Any) -> None:
    drawn = [(down, value) for down, value in marks if not math.isnan(value)]
    if drawn:
        x = [_inside_panel(ax, value) for _, value in drawn]
        ax.plot(x, [down for down, _ in drawn], shape, **look)
