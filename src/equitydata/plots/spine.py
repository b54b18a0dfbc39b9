"""All measures at once: a spine chart of each group's ratio to the whole."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pandas as pd

from equitydata.findings.words import Row, number, rows_of, text
from equitydata.plots.chart import Chart, Charts, chart_name, short
from equitydata.plots.marks import (
    ABOVE,
    BELOW,
    BOLD_LETTER,
    EDGE,
    FAINT,
    FURTHEST,
    GAP,
    HEADING,
    HIGH,
    KEYS,
    LABEL,
    LOW,
    MOST,
    MOST_MARKS,
    NOT_FLAGGED,
    PLAIN,
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
    group_of,
    inches,
    look_of,
    main_level,
    most_important,
    name_sides,
    people_of,
    ratio_axes,
    table_of,
    value_of,
    write,
)
from equitydata.plots.style import COLOURS, SMALL
from equitydata.plots.words import extract_source, listed, population
from equitydata.strata import ALL
from equitydata.tables import HIDDEN
from equitydata.written import HIDDEN_CELL, UNAVAILABLE_CELL
from equitydata.written import ratio as ratio_form

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from equitydata.plots.chart import Canvas
    from equitydata.result import EquityResult


def spine(result: EquityResult) -> Charts:
    """All measures at once: a row for each measure and characteristic, a mark for each group's ratio to the whole.

    Groups of the first level of each characteristic, crossings left out; of more than 30 rows those with flagged groups
    and the widest differences. Empty where nothing was compared with the whole.
    """
    frame = table_of(result, "comparisons")
    rows = [] if frame.empty else rows_of(main_level(_against_whole(frame), None, None))
    return Charts([_spine(result, rows)] if rows else [])


def _against_whole(frame: pd.DataFrame) -> pd.DataFrame:
    """Crude rows against the whole, with the flags of the same groups, which rest on the comparison with the rest."""
    judged = ["flag", "similar", "harm"]
    flags = crude_rows(frame, "rest")[[*KEYS, *judged]]
    whole = crude_rows(frame, "overall").drop(columns=judged)
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
        height=depth_of(_firsts(drawn), "measure") + ABOVE + BELOW,
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
    return [most_important(ribs[place]) for place in sorted(chosen)]


def _narrowness(rib: Sequence[Row]) -> tuple[bool, float]:
    flagged = flagged_as(rib, HIGH, LOW)
    judged = flagged or [row for row in rib if not row[HIDDEN] and not flagged_as([row], UNJUDGED)]
    return not flagged, -max(map(distance_of, judged), default=0.0)


def _extreme(rows: Sequence[Row]) -> Row | None:
    """The flagged group furthest from the whole, on either side."""
    return max(flagged_as(rows, HIGH, LOW), key=distance_of, default=None)


def _whole(result: EquityResult) -> dict[str, str]:
    """The value of each measure over everyone."""
    frame = table_of(result, "outcomes")
    rows = [] if frame.empty else rows_of(frame[frame["characteristic"] == ALL])
    return {text(row["measure"]): value_of(row) for row in rows}


def _spine_message(ribs: Sequence[Sequence[Row]]) -> str:
    flagged = sum(bool(flagged_as(rib, HIGH, LOW)) for rib in ribs)
    extreme = _extreme([row for rib in ribs for row in rib])
    if all(row[HIDDEN] for rib in ribs for row in rib):
        return f"Every group is hidden ({HIDDEN_CELL})"
    if extreme is None:
        judged = any(flagged_as(rib, "no_evidence", "uncertain", SMALL_FLAG) for rib in ribs)
        return "No group is flagged on any measure" if judged else "Not enough data to compare any group"
    values = f"{value_of(extreme)} against {value_of(extreme, 'comparator_value')}"
    return f"Flagged groups in {flagged} of {len(ribs)} rows; furthest from the whole: {_named(extreme)} ({values})"


def _named(row: Row) -> str:
    """A measure and a group of it."""
    return f"{short(text(row['measure_label']), 60)}, {people_of(row)}"


def _spine_words(ribs: Sequence[Sequence[Row]], drawn: Sequence[Sequence[Row]]) -> str:
    """What the picture shows, for who does not see it."""
    extremes = sorted(filter(None, map(_extreme, ribs)), key=distance_of, reverse=True)
    said = [f"{_named(row)} (ratio {cell(row, 'ratio', ratio_form)}, {value_of(row)})" for row in extremes]
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
                f"{short(text(row['measure_label']))}, {short(text(row['label']))}: {group_of(row, TABLE_LABEL)}"
                for row in rows
            ],
            "Value": [value_of(row) for row in rows],
            "The whole": [value_of(row, "comparator_value") for row in rows],
            "Ratio to the whole": [cell(row, "ratio", ratio_form) for row in rows],
            "Flag": [flag_of(row) for row in rows],
        }
    )


def _draw_spine(canvas: Canvas, ribs: Sequence[list[Row]], whole: Mapping[str, str]) -> None:
    firsts = _firsts(ribs)
    left = EDGE + inches(map(_rib_label, ribs)) + GAP
    right = inches([f"{FURTHEST}  ", *map(_rib_extreme, ribs)]) + GAP + EDGE
    judged = [row for rib in ribs for row in rib if not flagged_as([row], UNJUDGED)]
    ends = ends_of(number(row["ratio"]) for row in judged)
    axes, wide = ratio_axes(canvas, depth_of(firsts, "measure"), ends, left=left, right=right)
    columns = Columns((EDGE - left) / wide, 1.0, 1 + GAP / wide)
    name_sides(axes, "")
    _spine_head(axes, columns)
    middle = -math.log(ends[0]) / math.log(ends[1] / ends[0]) * wide
    letters = int((left + middle - 0.45) / BOLD_LETTER)
    pen, y, place = Pen(axes, ends), 0.0, iter(ribs)
    for block in blocks_of(firsts, "measure"):
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
        more = len(flagged_as(rib, HIGH, LOW)) - 1
        return f"{short(group_of(extreme), 18)}, {value_of(extreme)}{f', {more} more' if more else ''}"
    if all(row[HIDDEN] for row in rib):
        return f"hidden {HIDDEN_CELL}"
    return "none flagged" if len(flagged_as(rib, UNJUDGED)) < len(rib) else "not enough data"


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
            flagged = bool(flagged_as([row], HIGH, LOW))
            pen.mark(
                number(row["ratio"]),
                y,
                look_of(row) if flagged else FAINT if flagged_as([row], UNJUDGED) else PLAIN,
            )
