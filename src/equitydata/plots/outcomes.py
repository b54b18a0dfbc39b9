"""Each group against the rest as a forest plot: ratios with limits, crude and standardised, for each measure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from equitydata.findings.words import Row, number, rows_of, text
from equitydata.plots.chart import Chart, Charts, chart_name, short
from equitydata.plots.marks import (
    ABOVE,
    BELOW,
    EDGE,
    GAP,
    HEADING,
    HELD,
    HIGH,
    KEYS,
    LOW,
    NOT_FLAGGED,
    ROW,
    SMALL_FLAG,
    TABLE_LABEL,
    UNJUDGED,
    Columns,
    Pen,
    blocks_of,
    cell,
    crude_rows,
    depth_of,
    distance_of,
    ends_of,
    flag_of,
    flagged_as,
    furthest_of,
    group_of,
    groups_of,
    higher_is,
    inches,
    look_of,
    main_level,
    most_important,
    name_sides,
    people_of,
    ratio_axes,
    span_of,
    state_of,
    table_of,
    value_of,
    write,
)
from equitydata.plots.style import COLOURS, STEPS
from equitydata.plots.words import extract_source, listed, population
from equitydata.tables import HIDDEN
from equitydata.written import HIDDEN_CELL, count, mark
from equitydata.written import ratio as ratio_form

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from equitydata.plots.chart import Canvas
    from equitydata.result import EquityResult


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
    rows = main_level(_with_standardised(frame), characteristic, level)
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
    return crude_rows(frame, "rest").merge(held, on=KEYS, how="left", validate="one_to_one")


def _forest(result: EquityResult, rows: list[Row], higher: str, characteristic: str) -> Chart:
    measure = short(text(rows[0]["measure_label"]), 60)
    drawn = most_important(rows)
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
        height=depth_of(drawn) + ABOVE + BELOW,
        draw=lambda canvas: _draw_forest(canvas, drawn, higher, (band[0], band[1])),
    )


def _forest_message(rows: Sequence[Row]) -> str:
    """The finding in words: who is furthest from the rest and how many are flagged; no more than flags allow."""
    furthest = furthest_of(rows)
    if furthest is not None:
        side = "above" if furthest["flag"] == HIGH else "below"
        said = f"{people_of(furthest)} (ratio {cell(furthest, 'ratio', ratio_form)})"
        return f"{len(flagged_as(rows, HIGH, LOW))} of {len(rows)} groups flagged; furthest {side} the rest: {said}"
    if all(row[HIDDEN] for row in rows):
        return f"every group is hidden ({HIDDEN_CELL})"
    small = len(flagged_as(rows, SMALL_FLAG))
    if small:
        return f"{small} of {len(rows)} groups clearly different from the rest, none by enough to be flagged"
    if not flagged_as(rows, "no_evidence", "uncertain"):
        return "not enough data to compare any group"
    unjudged = len(flagged_as(rows, UNJUDGED))
    few = f"; not enough data for {unjudged} of {len(rows)}" if unjudged else ""
    return f"no group clearly different from the rest{few}"


def _forest_words(rows: Sequence[Row], drawn: Sequence[Row], measure: str, confidence: str) -> str:
    """What the picture shows, for who does not see it."""
    parts = [
        f"Forest plot of {measure}: the ratio of {len(drawn)} groups to the rest, with {confidence} limits."
    ]
    for flag, words in ((HIGH, "Disproportionately high"), (LOW, "Disproportionately low")):
        found = sorted(flagged_as(rows, flag), key=distance_of, reverse=True)
        if found:
            parts.append(f"{words}: {listed([_said(row) for row in found])}.")
    if not flagged_as(rows, HIGH, LOW):
        parts.append(f"{NOT_FLAGGED.capitalize()}.")
    unjudged, hidden = len(flagged_as(drawn, UNJUDGED)), sum(bool(row[HIDDEN]) for row in drawn)
    for words, many in (("Not enough data", unjudged), (f"Hidden {HIDDEN_CELL}", hidden)):
        if many:
            parts.append(f"{words}: {many} of the groups drawn.")
    return " ".join(parts)


def _said(row: Row) -> str:
    values = f"{value_of(row)} against {value_of(row, 'comparator_value')}"
    return f"{people_of(row)} (ratio {cell(row, 'ratio', ratio_form)}, {span_of(row, 'ratio')}; {values})"


def _forest_table(rows: Sequence[Row]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "Group": [f"{short(text(row['label']))}: {group_of(row, TABLE_LABEL)}" for row in rows],
            "People": [cell(row, "people", count) for row in rows],
            "Value": [value_of(row) for row in rows],
            "The rest": [value_of(row, "comparator_value") for row in rows],
            "Ratio": [cell(row, "ratio", ratio_form) for row in rows],
            "Limits": [span_of(row, "ratio") for row in rows],
            "Ratio at equal age and sex": [cell(row, "held", ratio_form) for row in rows],
            "Its limits": [span_of(row, "held") for row in rows],
            "Flag": [flag_of(row) for row in rows],
        }
    )


def _draw_forest(canvas: Canvas, rows: Sequence[Row], higher: str, band: tuple[float, float]) -> None:
    names = groups_of(rows)
    left = EDGE + inches(names) + GAP
    value, state = (
        inches(["Values", *map(value_of, rows)]) + GAP,
        inches(["Flag", *map(state_of, rows)]) + GAP,
    )
    judged = [row for row in rows if not flagged_as([row], UNJUDGED)]
    ends = ends_of(number(row[f"ratio{side}"]) for row in judged for side in ("_lower", "", "_upper"))
    axes, wide = ratio_axes(canvas, depth_of(rows), ends, left=left, right=value + state + EDGE)
    columns = Columns((EDGE - left) / wide, 1 + value / wide, 1 + (value + GAP) / wide)
    axes.axvspan(math.log(band[0]), math.log(band[1]), color=STEPS[0], zorder=0)
    axes.axvline(0, color=COLOURS["ink"], linewidth=1.2, zorder=1)
    name_sides(axes, higher)
    _forest_head(axes, columns, band, held=any(not math.isnan(number(row["held"])) for row in rows))
    pen, y, name = Pen(axes, ends), 0.0, iter(names)
    for block in blocks_of(rows, "characteristic"):
        write(axes, columns.label, y + HEADING - 0.11, short(text(block[0]["label"])), bold=True)
        y += HEADING
        for row in block:
            write(axes, columns.label, y + ROW / 2, next(name))
            _draw_row(pen, columns, row, y + ROW / 2)
            y += ROW
    pen.put()


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
    write(pen.axes, columns.value, y, value_of(row), align="right")
    write(pen.axes, columns.state, y, state_of(row), bold=bool(flagged_as([row], HIGH, LOW)))
    if row[HIDDEN]:
        return
    look = look_of(row)
    pen.line(number(row["ratio_lower"]), number(row["ratio_upper"]), y - 0.03, look.colour, 1.8)
    pen.mark(number(row["ratio"]), y - 0.03, look)
    pen.line(number(row["held_lower"]), number(row["held_upper"]), y + 0.07, COLOURS["grey"], 0.8)
    pen.mark(number(row["held"]), y + 0.07, HELD)
