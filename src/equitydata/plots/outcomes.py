"""Outcomes as pictures: each group against the rest (forest), and all measures at once (spine)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import pandas as pd

from equitydata.findings.words import Row, group_name, number, rows_of, text, who
from equitydata.plots.chart import Chart, Charts, chart_name, short
from equitydata.plots.style import COLOURS, SMALL, STEPS, WIDTH
from equitydata.plots.words import extract_source, listed, population
from equitydata.result import EquityResult
from equitydata.strata import ALL, CROSS
from equitydata.tables import HIDDEN
from equitydata.written import HARM_WORDS, HIDDEN_CELL, UNAVAILABLE_CELL, count, figure, flag_words, mark
from equitydata.written import ratio as ratio_form

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from equitydata.plots.chart import Canvas

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


def _span_of(row: Row, name: str) -> str:
    """The limits of a ratio, "1.47 to 1.81"."""
    lower, upper = (cell(row, f"{name}_{side}", ratio_form) for side in ("lower", "upper"))
    return (
        lower
        if lower == upper == HIDDEN_CELL or lower == upper == UNAVAILABLE_CELL
        else f"{lower} to {upper}"
    )


def _value(row: Row, column: str = "value") -> str:
    return cell(row, column, partial(figure, statistic=text(row["statistic"])))


def _flag(row: Row) -> str:
    if row[HIDDEN]:
        return HIDDEN_CELL
    return flag_words(text(row["flag"]), similar=row["similar"] is True, harm=text(row["harm"]))


def _people(row: Row) -> str:
    """Who the group is, within a sentence, short and harmless."""
    words = short(who(row), 44)
    return f"p{words[1:]}" if words.startswith("People ") else words


def _group(row: Row, limit: int = LABEL) -> str:
    words = short(group_name(row), limit)
    return words if words == short(text(row["category"]), limit) else f"{words[:1].upper()}{words[1:]}"


def _groups(rows: Sequence[Row]) -> list[str]:
    """Labels of rows, longer where short ones could not be told apart."""
    names = [_group(row) for row in rows]
    return names if len(set(names)) == len(names) else [_group(row, LONG_LABEL) for row in rows]


def _distance(row: Row, column: str = "ratio") -> float:
    """How far a ratio lies from 1, alike above and below; 0 where there is none."""
    value = number(row[column])
    if math.isnan(value):
        return 0.0
    return abs(math.log(value)) if 0 < value < math.inf else math.inf


def _is(rows: Iterable[Row], *flags: str) -> list[Row]:
    return [row for row in rows if not row[HIDDEN] and text(row["flag"]) in flags]


def _furthest(rows: Sequence[Row]) -> Row | None:
    """Of the flagged rows the one furthest from 1; one to the disadvantage of the group before any other."""
    flagged = _is(rows, HIGH, LOW)
    harmed = [row for row in flagged if text(row["harm"]) == "harm"]
    return max(harmed or flagged, key=_distance, default=None)


def _crude(frame: pd.DataFrame, comparator: str) -> pd.DataFrame:
    return frame[(frame["comparator"] == comparator) & (frame["adjustment"] == "crude")]


def _main_level(frame: pd.DataFrame, characteristic: str | None, level: str | None) -> pd.DataFrame:
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


def _look(row: Row) -> Look:
    """Flagged rows by shape and colour; plum only where it is to the disadvantage of the group."""
    flag = text(row["flag"])
    if flag in (HIGH, LOW):
        colour = COLOURS["plum" if text(row["harm"]) == "harm" else "blue"]
        return Look("^" if flag == HIGH else "v", colour)
    if flag == SMALL_FLAG:
        return Look("D", COLOURS["blue"], size=5.5)
    return Look("o", COLOURS["grey"], filled=flag != UNJUDGED)


def _state(row: Row) -> str:
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


def _ends(values: Iterable[float]) -> tuple[float, float]:
    """Ends of an axis of ratios that shows most of some values, and 1 with room on both sides."""
    given = [value for value in values if 0 < value < math.inf]
    low = max(min([0.76, *given]) / 1.06, 1 / WIDEST)
    high = min(max([1.32, *given]) * 1.06, WIDEST)
    return low, high


def _ratio_axes(
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


def _sides(axes: Axes, higher: str) -> None:
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


# ---------------------------------------------------------------- forest


def forest(
    result: EquityResult,
    measure: str | None = None,
    characteristic: str | None = None,
    level: str | None = None,
) -> Charts:
    """Each group against the rest: ratios with limits, a chart for each measure.

    measure : name of one; else all. characteristic : name of one, also of a crossing ("ethnicity x sex"); else all but
    crossings, each at its first level. level : of that characteristic. Of more than 30 groups the flagged and the
    largest are drawn. Empty where nothing was compared.
    """
    frame = table_of(result, "comparisons")
    if frame.empty:
        return Charts()
    rows = _main_level(_with_standardised(frame), characteristic, level)
    names = [name for name in rows["measure"].unique() if measure in (None, name)]
    return Charts(
        _forest(
            result,
            rows_of(rows[rows["measure"] == name]),
            higher_is(frame[frame["measure"] == name]),
            characteristic or "",
        )
        for name in names
    )


def _with_standardised(frame: pd.DataFrame) -> pd.DataFrame:
    """Crude rows against the rest; `held`, `held_lower` and `held_upper` are the ratio at equal age and sex."""
    rest = frame[(frame["comparator"] == "rest") & (frame["adjustment"] == "standardised")]
    names = {"ratio": "held", "ratio_lower": "held_lower", "ratio_upper": "held_upper"}
    held = rest[~rest[HIDDEN].astype(bool)][[*KEYS, *names]].rename(columns=names)
    return _crude(frame, "rest").merge(held, on=KEYS, how="left", validate="one_to_one")


def _forest(result: EquityResult, rows: list[Row], higher: str, characteristic: str) -> Chart:
    measure = short(text(rows[0]["measure_label"]), 60)
    drawn = _most_important(rows)
    confidence = mark(float(result.choices["confidence"].value))
    some = f"; flagged and largest {len(drawn)} of {len(rows)} groups, the others in comparisons.csv"
    scope = some if len(drawn) < len(rows) else ""
    band = tuple(float(result.choices[f"flag_band_{side}"].value) for side in ("low", "high"))
    return Chart(
        name=chart_name("forest", text(rows[0]["measure"]), characteristic),
        title=f"{measure}: {_forest_message(rows)}",
        subtitle=f"Ratio to the rest with {confidence} limits{scope}; {population(result)}",
        source=extract_source(result),
        alternative=_forest_words(rows, drawn, measure, confidence),
        table=_forest_table(drawn),
        csv="comparisons",
        height=_deep(drawn) + ABOVE + BELOW,
        draw=lambda canvas: _draw_forest(canvas, drawn, higher, (band[0], band[1])),
    )


def _most_important(rows: list[Row]) -> list[Row]:
    """All rows, or of many the flagged ones and those of most people; in the order given."""
    if len(rows) <= MOST:
        return rows
    chosen = sorted(range(len(rows)), key=lambda place: _importance(rows[place]))[:MOST]
    return [rows[place] for place in sorted(chosen)]


def _importance(row: Row) -> tuple[int, float]:
    """Small for what must be shown: flagged and far from the rest, then clear but small, then many people."""
    if _is([row], HIGH, LOW):
        return 0, -_distance(row)
    people = number(row["people"])
    return 1 if _is([row], SMALL_FLAG) else 2, 0.0 if math.isnan(people) else -people


def _forest_message(rows: Sequence[Row]) -> str:
    """The finding in words: who is furthest from the rest and how many are flagged; no more than flags allow."""
    furthest = _furthest(rows)
    if furthest is not None:
        side = "above" if furthest["flag"] == HIGH else "below"
        said = f"{_people(furthest)} (ratio {cell(furthest, 'ratio', ratio_form)})"
        return f"{len(_is(rows, HIGH, LOW))} of {len(rows)} groups flagged; furthest {side} the rest: {said}"
    if all(row[HIDDEN] for row in rows):
        return f"every group is hidden ({HIDDEN_CELL})"
    small = len(_is(rows, SMALL_FLAG))
    if small:
        return f"{small} of {len(rows)} groups clearly different from the rest, none by enough to be flagged"
    if not _is(rows, "no_evidence", "uncertain"):
        return "not enough data to compare any group"
    unjudged = len(_is(rows, UNJUDGED))
    few = f"; not enough data for {unjudged} of {len(rows)}" if unjudged else ""
    return f"no group clearly different from the rest{few}"


def _forest_words(rows: Sequence[Row], drawn: Sequence[Row], measure: str, confidence: str) -> str:
    """What the picture shows, for who does not see it."""
    parts = [
        f"Forest plot of {measure}: the ratio of {len(drawn)} groups to the rest, with {confidence} limits."
    ]
    for flag, words in ((HIGH, "Disproportionately high"), (LOW, "Disproportionately low")):
        found = sorted(_is(rows, flag), key=_distance, reverse=True)
        if found:
            parts.append(f"{words}: {listed([_said(row) for row in found])}.")
    if not _is(rows, HIGH, LOW):
        parts.append(f"{NOT_FLAGGED.capitalize()}.")
    unjudged, hidden = len(_is(drawn, UNJUDGED)), sum(bool(row[HIDDEN]) for row in drawn)
    for words, many in (("Not enough data", unjudged), (f"Hidden {HIDDEN_CELL}", hidden)):
        if many:
            parts.append(f"{words}: {many} of the groups drawn.")
    return " ".join(parts)


def _said(row: Row) -> str:
    values = f"{_value(row)} against {_value(row, 'comparator_value')}"
    return f"{_people(row)} (ratio {cell(row, 'ratio', ratio_form)}, {_span_of(row, 'ratio')}; {values})"


def _forest_table(rows: Sequence[Row]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "Group": [f"{short(text(row['label']))}: {_group(row, TABLE_LABEL)}" for row in rows],
            "People": [cell(row, "people", count) for row in rows],
            "Value": [_value(row) for row in rows],
            "The rest": [_value(row, "comparator_value") for row in rows],
            "Ratio": [cell(row, "ratio", ratio_form) for row in rows],
            "Limits": [_span_of(row, "ratio") for row in rows],
            "Ratio at equal age and sex": [cell(row, "held", ratio_form) for row in rows],
            "Its limits": [_span_of(row, "held") for row in rows],
            "Flag": [_flag(row) for row in rows],
        }
    )


def _blocks(rows: Sequence[Row], key: str) -> list[list[Row]]:
    """Rows that stand under one heading."""
    return [list(block) for _, block in groupby(rows, key=lambda row: text(row[key]))]


def _deep(rows: Sequence[Row], key: str = "characteristic") -> float:
    """Inches that rows and their headings need."""
    return ROW * len(rows) + HEADING * len(_blocks(rows, key))


def _draw_forest(canvas: Canvas, rows: Sequence[Row], higher: str, band: tuple[float, float]) -> None:
    names = _groups(rows)
    left = EDGE + inches(names) + GAP
    value, state = inches(["Values", *map(_value, rows)]) + GAP, inches(["Flag", *map(_state, rows)]) + GAP
    judged = [row for row in rows if not _is([row], UNJUDGED)]
    ends = _ends(number(row[f"ratio{side}"]) for row in judged for side in ("_lower", "", "_upper"))
    axes, wide = _ratio_axes(canvas, _deep(rows), ends, left=left, right=value + state + EDGE)
    columns = Columns((EDGE - left) / wide, 1 + value / wide, 1 + (value + GAP) / wide)
    axes.axvspan(math.log(band[0]), math.log(band[1]), color=STEPS[0], zorder=0)
    axes.axvline(0, color=COLOURS["ink"], linewidth=1.2, zorder=1)
    _sides(axes, higher)
    _forest_head(axes, columns, band, held=any(not math.isnan(number(row["held"])) for row in rows))
    pen, y, name = Pen(axes, ends), 0.0, iter(names)
    for block in _blocks(rows, "characteristic"):
        write(axes, columns.label, y + HEADING - 0.11, short(text(block[0]["label"])), bold=True)
        y += HEADING
        for row in block:
            write(axes, columns.label, y + ROW / 2, next(name))
            _draw_row(pen, columns, row, y + ROW / 2)
            y += ROW
    pen.put()


@dataclass(frozen=True)
class Columns:
    """Where the columns of words stand, as fractions of the axes: label from the left, value to the right, state."""

    label: float
    value: float
    state: float


def _forest_head(axes: Axes, columns: Columns, band: tuple[float, float], *, held: bool) -> None:
    """Heads of the columns, and what shading and hollow marks are."""
    write(axes, columns.value, -0.11, "Value", align="right", bold=True)
    write(axes, columns.state, -0.11, "Flag", bold=True)
    write(axes, 0.5, -0.11, "Ratio to the rest", align="center", bold=True)
    hollow = "Filled: as recorded; small hollow square: at equal age and sex. " if held else ""
    words = f"{hollow}Shaded ({band[0]:g} to {band[1]:g}): too small to flag."
    write(axes, columns.label, -0.37, words)


def _draw_row(pen: Pen, columns: Columns, row: Row, y: float) -> None:
    """A group: value and flag, the crude ratio with limits, and a little lower the one at equal age and sex."""
    write(pen.axes, columns.value, y, _value(row), align="right")
    write(pen.axes, columns.state, y, _state(row), bold=bool(_is([row], HIGH, LOW)))
    if row[HIDDEN]:
        return
    look = _look(row)
    pen.line(number(row["ratio_lower"]), number(row["ratio_upper"]), y - 0.03, look.colour, 1.8)
    pen.mark(number(row["ratio"]), y - 0.03, look)
    pen.line(number(row["held_lower"]), number(row["held_upper"]), y + 0.07, COLOURS["grey"], 0.8)
    pen.mark(number(row["held"]), y + 0.07, HELD)


# ---------------------------------------------------------------- spine


def spine(result: EquityResult) -> Charts:
    """All measures at once: a row for each measure and characteristic, a mark for each group's ratio to the whole.

    Groups of the first level of each characteristic, crossings left out; of more than 30 rows those with flagged groups
    and the widest differences. Empty where nothing was compared with the whole.
    """
    frame = table_of(result, "comparisons")
    rows = [] if frame.empty else rows_of(_main_level(_against_whole(frame), None, None))
    return Charts([_spine(result, rows)] if rows else [])


def _against_whole(frame: pd.DataFrame) -> pd.DataFrame:
    """Crude rows against the whole, with the flags of the same groups, which rest on the comparison with the rest."""
    judged = ["flag", "similar", "harm"]
    flags = _crude(frame, "rest")[[*KEYS, *judged]]
    whole = _crude(frame, "overall").drop(columns=judged)
    return whole.merge(flags, on=KEYS, how="left", validate="one_to_one")


def _spine(result: EquityResult, rows: list[Row]) -> Chart:
    ribs = _ribs(rows)
    drawn = _widest(ribs)
    whole = _whole(result)
    return Chart(
        name=chart_name("spine"),
        title=_spine_message(ribs),
        subtitle=f"Ratio of each group to the whole, by measure and characteristic{_left_out(ribs, drawn)}; "
        f"{population(result)}",
        source=extract_source(result),
        alternative=_spine_words(ribs, drawn),
        table=_spine_table([row for rib in drawn for row in rib]),
        csv="comparisons",
        height=_deep(_firsts(drawn), "measure") + ABOVE + BELOW,
        draw=lambda canvas: _draw_spine(canvas, drawn, whole),
    )


def _left_out(ribs: Sequence[Sequence[Row]], drawn: Sequence[Sequence[Row]]) -> str:
    """What of the rows and groups is not drawn."""
    many = "; at most 30 groups a row" if any(len(rib) > MOST for rib in ribs) else ""
    return f"; widest {len(drawn)} of {len(ribs)} rows{many}" if len(drawn) < len(ribs) else many


def _ribs(rows: Sequence[Row]) -> list[list[Row]]:
    """The groups of each measure and characteristic, in the order given."""
    found: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        found.setdefault((text(row["measure"]), text(row["characteristic"])), []).append(row)
    return list(found.values())


def _firsts(ribs: Sequence[Sequence[Row]]) -> list[Row]:
    """The first group of each row: it names measure and characteristic."""
    return [rib[0] for rib in ribs]


def _widest(ribs: Sequence[list[Row]]) -> list[list[Row]]:
    """All rows, or of many those with flagged groups and the widest differences; in the order given.

    Of a row with many groups the flagged and the largest.
    """
    chosen = sorted(range(len(ribs)), key=lambda place: _narrowness(ribs[place]))[:MOST]
    while len(chosen) > 1 and sum(min(len(ribs[place]), MOST) for place in chosen) > MOST_MARKS:
        chosen.pop()
    return [_most_important(ribs[place]) for place in sorted(chosen)]


def _narrowness(rib: Sequence[Row]) -> tuple[bool, float]:
    flagged = _is(rib, HIGH, LOW)
    judged = flagged or [row for row in rib if not row[HIDDEN] and not _is([row], UNJUDGED)]
    return not flagged, -max(map(_distance, judged), default=0.0)


def _extreme(rows: Sequence[Row]) -> Row | None:
    """The flagged group furthest from the whole, on either side."""
    return max(_is(rows, HIGH, LOW), key=_distance, default=None)


def _whole(result: EquityResult) -> dict[str, str]:
    """The value of each measure over everyone."""
    frame = table_of(result, "outcomes")
    rows = [] if frame.empty else rows_of(frame[frame["characteristic"] == ALL])
    return {text(row["measure"]): _value(row) for row in rows}


def _spine_message(ribs: Sequence[Sequence[Row]]) -> str:
    flagged = sum(bool(_is(rib, HIGH, LOW)) for rib in ribs)
    extreme = _extreme([row for rib in ribs for row in rib])
    if all(row[HIDDEN] for rib in ribs for row in rib):
        return f"Every group is hidden ({HIDDEN_CELL})"
    if extreme is None:
        judged = any(_is(rib, "no_evidence", "uncertain", SMALL_FLAG) for rib in ribs)
        return "No group is flagged on any measure" if judged else "Not enough data to compare any group"
    values = f"{_value(extreme)} against {_value(extreme, 'comparator_value')}"
    return f"Flagged groups in {flagged} of {len(ribs)} rows; furthest from the whole: {_named(extreme)} ({values})"


def _named(row: Row) -> str:
    """A measure and a group of it."""
    return f"{short(text(row['measure_label']), 60)}, {_people(row)}"


def _spine_words(ribs: Sequence[Sequence[Row]], drawn: Sequence[Sequence[Row]]) -> str:
    """What the picture shows, for who does not see it."""
    extremes = sorted(filter(None, map(_extreme, ribs)), key=_distance, reverse=True)
    said = [f"{_named(row)} (ratio {cell(row, 'ratio', ratio_form)}, {_value(row)})" for row in extremes]
    named = (
        f"Flagged and furthest from the whole: {listed(said)}." if said else f"{NOT_FLAGGED.capitalize()}."
    )
    hidden = sum(bool(row[HIDDEN]) for rib in drawn for row in rib)
    left = f" Hidden {HIDDEN_CELL}: {hidden} of the groups drawn." if hidden else ""
    return (
        f"Spine chart of {len(drawn)} rows, one for each measure and characteristic: the value of the whole is the "
        f"line in the middle, each group's ratio to it a mark. {named}{left}"
    )


def _spine_table(rows: Sequence[Row]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "Group": [
                f"{short(text(row['measure_label']))}, {short(text(row['label']))}: {_group(row, TABLE_LABEL)}"
                for row in rows
            ],
            "Value": [_value(row) for row in rows],
            "The whole": [_value(row, "comparator_value") for row in rows],
            "Ratio to the whole": [cell(row, "ratio", ratio_form) for row in rows],
            "Flag": [_flag(row) for row in rows],
        }
    )


def _draw_spine(canvas: Canvas, ribs: Sequence[list[Row]], whole: Mapping[str, str]) -> None:
    firsts = _firsts(ribs)
    left = EDGE + inches(map(_rib_label, ribs)) + GAP
    right = inches([f"{FURTHEST}  ", *map(_rib_extreme, ribs)]) + GAP + EDGE
    judged = [row for rib in ribs for row in rib if not _is([row], UNJUDGED)]
    ends = _ends(number(row["ratio"]) for row in judged)
    axes, wide = _ratio_axes(canvas, _deep(firsts, "measure"), ends, left=left, right=right)
    columns = Columns((EDGE - left) / wide, 1.0, 1 + GAP / wide)
    _sides(axes, "")
    _spine_head(axes, columns)
    middle = -math.log(ends[0]) / math.log(ends[1] / ends[0]) * wide
    letters = int((left + middle - 0.45) / BOLD_LETTER)
    pen, y, place = Pen(axes, ends), 0.0, iter(ribs)
    for block in _blocks(firsts, "measure"):
        head = y + HEADING - 0.11
        write(axes, columns.label, head, short(text(block[0]["measure_label"]), letters), bold=True)
        said = whole.get(text(block[0]["measure"]), UNAVAILABLE_CELL)
        write(axes, middle / wide, head, said, align="center", bold=True)
        y += HEADING
        axes.plot([0, 0], [y, y + ROW * len(block)], color=COLOURS["ink"], linewidth=1.6, zorder=1)
        for _ in block:
            _draw_rib(pen, columns, next(place), y + ROW / 2)
            y += ROW
    pen.put()


def _rib_label(rib: Sequence[Row]) -> str:
    """The characteristic of a row, and how many of its groups are hidden."""
    hidden = sum(bool(row[HIDDEN]) for row in rib)
    return short(text(rib[0]["label"]), LABEL) + (f", {hidden} {HIDDEN_CELL}" if hidden else "")


def _rib_extreme(rib: Sequence[Row]) -> str:
    """The flagged group furthest from the whole with its value, and how many more are flagged."""
    extreme = _extreme(rib)
    if extreme is not None:
        more = len(_is(rib, HIGH, LOW)) - 1
        return f"{short(_group(extreme), 18)}, {_value(extreme)}{f', {more} more' if more else ''}"
    if all(row[HIDDEN] for row in rib):
        return f"hidden {HIDDEN_CELL}"
    return "none flagged" if len(_is(rib, UNJUDGED)) < len(rib) else "not enough data"


def _spine_head(axes: Axes, columns: Columns) -> None:
    write(axes, columns.state, -0.11, FURTHEST, bold=True)
    axes.text(0, -0.11, "Everyone", ha="center", va="center", size=SMALL, weight="bold")
    words = "▲ ▼ flagged (plum: to the group’s disadvantage)   ○ not flagged   ◇ small: not enough data"
    write(axes, columns.label, -0.37, words)


def _draw_rib(pen: Pen, columns: Columns, rib: Sequence[Row], y: float) -> None:
    """A measure and characteristic: its words, a mark for each group, flagged ones filled and on top."""
    write(pen.axes, columns.label, y, _rib_label(rib))
    write(pen.axes, columns.state, y, _rib_extreme(rib), bold=_extreme(rib) is not None)
    pen.line(*pen.ends, y, COLOURS["line"], 0.8)
    for row in rib:
        if not row[HIDDEN]:
            flagged = bool(_is([row], HIGH, LOW))
            pen.mark(
                number(row["ratio"]), y, _look(row) if flagged else FAINT if _is([row], UNJUDGED) else PLAIN
            )
