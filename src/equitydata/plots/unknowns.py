"""People of unknown group as pictures: what they could do to each finding, and whether their outcome differs.

Nothing here says which group they belong to. A finding that could turn is still the best estimate of those known.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from equitydata.comparison.unknowns import AT_A_BOUND, DIFFERENT, FEW_UNKNOWN, FIRM, FRAGILE
from equitydata.comparison.unknowns import NOT_SHOWN as NO_SIGN
from equitydata.plots.chart import Chart, Charts, chart_name, short
from equitydata.plots.lines import (
    Line,
    Panel,
    Part,
    Row,
    Span,
    axis_ratio,
    between,
    by_measure,
    cell,
    confidence,
    draw_lines,
    finite,
    first_levels,
    group_label,
    group_name,
    group_words,
    height_of,
    inside,
    most_of,
    number_of,
    rows_of,
    table_of,
)
from equitydata.plots.words import extract_source, listed, population
from equitydata.strata import USERS
from equitydata.tables import HIDDEN
from equitydata.written import HIDDEN_CELL, UNAVAILABLE_CELL, count, figure, percent, ratio

if TYPE_CHECKING:
    from equitydata.result import EquityResult

COULD_TURN, HOLDS, NOT_SHOWN = "Could turn", "Holds for any share", "Hidden, small numbers"
TURNS_WIDE = 2.05  # inches for the words to the right
KEY = "Thick: none to all. Thin: extremes"
DIFFER, ALIKE, UNJUDGED = "Clearly different", "No clear difference", "Not enough data"
JUDGED = {FEW_UNKNOWN: UNJUDGED, DIFFERENT: DIFFER, NO_SIGN: ALIKE}
VALUES_WIDE = 1.75


# ---------------------------------------------------------------- what the unknown could do


def unknowns(result: EquityResult, measure: str | None = None) -> Charts:
    """A chart for each measure, and for users against residents: how far the unknown could move each finding.

    measure : one by name, "users" for users against residents; all when left out. A finding is a ratio whose limits
    leave out 1. Those that could turn come first. Of each characteristic the first level, without crossings.
    """
    frame = table_of(result, "unknowns")
    wanted = (frame["of"] == "outcome") | (frame["measure"] == USERS)
    charts = (_unknowns(result, rows) for rows in by_measure(frame[wanted], measure))
    return Charts(chart for chart in charts if chart is not None)


def _unknowns(result: EquityResult, rows: pd.DataFrame) -> Chart | None:
    kinds = _kinds(rows_of(first_levels(rows)))
    if not any(kinds.values()):
        return None
    parts = most_of(
        [Part(words, tuple(map(_line, each)), strong=words == COULD_TURN) for words, each in kinds.items()]
    )
    name, label = (str(rows[key].iloc[0]) for key in ("measure", "measure_label"))
    users = name == USERS
    whom = "residents" if users else "the rest"
    panels = (Panel(f"Ratio to {whom}", 1, axis_ratio),)
    return Chart(
        name=chart_name("unknowns", name),
        title=f"{'Who is served' if users else short(label, 48)}: {_message(kinds)}",
        subtitle=(
            f"Ratio to {whom}: of those known (mark), and if people of unknown group belonged to it; "
            f"{population(result)}"
        ),
        source=extract_source(result),
        alternative=_told(kinds),
        table=pd.DataFrame(
            [_row(row, part.heading) for part in parts for row in kinds[part.heading][: len(part.lines)]]
        ),
        csv="unknowns",
        height=height_of(parts),
        draw=lambda canvas: draw_lines(
            canvas, parts, panels, words="Of the unknown, turns at", wide=TURNS_WIDE, key=KEY
        ),
    )


def _kinds(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Findings by what the unknown could do to them: those that turn most easily first."""
    shown = [row for row in rows if not row[HIDDEN]]
    turning = [row for row in shown if row["robustness"] in (FRAGILE, AT_A_BOUND)]
    return {
        COULD_TURN: sorted(turning, key=lambda row: row["robustness"] != FRAGILE),
        HOLDS: [row for row in shown if row["robustness"] == FIRM],
        NOT_SHOWN: [row for row in rows if row[HIDDEN]],
    }


def _line(row: Row) -> Line:
    if row[HIDDEN] or not finite(number_of(row, "ratio")):
        symbol = HIDDEN_CELL if row[HIDDEN] else UNAVAILABLE_CELL
        return Line(group_label(row), (symbol,))
    value, none, everyone, lowest, highest = (
        number_of(row, name) for name in ("ratio", "ratio_none", "ratio_all", "lowest", "highest")
    )
    return Line(group_label(row), (Span(value, lowest, highest, inner=(none, everyone)),), words=_turns(row))


def _turns(row: Row) -> str:
    """Which share of the unknown turns the finding, as the group would have to have it."""
    if row["robustness"] == FRAGILE:
        return "its share of the known"
    ends = [
        f"{cell(row[name], False, percent)} or {way}"
        for name, way in (("turns_at_most", "less"), ("turns_at_least", "more"))
        if finite(number_of(row, name))
    ]
    if row["robustness"] == AT_A_BOUND:
        return "; ".join(ends)
    return "an extreme alone" if _at_extreme(row) else ""


def _at_extreme(row: Row) -> bool:
    """A finding that holds for any share, yet not if the group had only people with the outcome, or only without."""
    return row["robustness"] == FIRM and number_of(row, "lowest") <= 1 <= number_of(row, "highest")


def _message(kinds: Mapping[str, Sequence[Row]]) -> str:
    turning, judged = kinds[COULD_TURN], len(kinds[COULD_TURN]) + len(kinds[HOLDS])
    if not judged:
        return "what people of unknown group could do is hidden by the small-number rule"
    of = f"{len(turning) or 'none'} of {judged} finding{'' if judged == 1 else 's'}"
    if not turning:
        return f"{of} would turn, whichever share of the unknown is of the group"
    return f"{of} could turn on people of unknown group: {listed([group_name(row, 26) for row in turning])}"


def _told(kinds: Mapping[str, Sequence[Row]]) -> str:
    turning = "; ".join(
        f"{group_label(row)} {cell(row['ratio'], False, ratio)}, with none of the unknown "
        f"{cell(row['ratio_none'], False, ratio)}, with all {cell(row['ratio_all'], False, ratio)}"
        for row in kinds[COULD_TURN][:3]
    )
    extreme = sum(map(_at_extreme, kinds[HOLDS]))
    said = [
        "A row for each finding: a bar from its ratio with none of the unknown in the group to that with all of them, "
        "a line from the lowest to the highest ratio that any of them could give, and a mark at that of those known.",
        f"Could turn: {turning}." if turning else "No finding could turn.",
        f"Findings that hold for any share of the unknown: {len(kinds[HOLDS])}.",
        f"Of these, {extreme} would turn if only people with the outcome, or only people without, were of the group."
        if extreme
        else "",
        f"Hidden rows: {len(kinds[NOT_SHOWN])}." if kinds[NOT_SHOWN] else "",
    ]
    return " ".join(filter(None, said))


def _row(row: Row, reading: str) -> dict[str, str]:
    hidden = bool(row[HIDDEN])

    def ratios(name: str) -> str:
        return cell(row[name], hidden, ratio)

    return {
        "Group": group_words(row),
        "People": cell(row["people"], hidden, count),
        "Unknown": cell(row["unknown"], hidden, count),
        "Ratio of those known": ratios("ratio"),
        "With none of the unknown": ratios("ratio_none"),
        "With all of them": ratios("ratio_all"),
        "Lowest": ratios("lowest"),
        "Highest": ratios("highest"),
        "Of the unknown, turns at": HIDDEN_CELL if hidden else _turns(row) or "–",
        "Reading": reading,
    }


# ---------------------------------------------------------------- known or not


def known_or_not(result: EquityResult, measure: str | None = None) -> Charts:
    """A chart for each measure: people whose group is known against people whose group is not, by characteristic.

    measure : one by name; all when left out. Where they clearly differ, those known do not stand for everyone.
    """
    charts = (_known_or_not(result, rows) for rows in by_measure(table_of(result, "known_or_not"), measure))
    return Charts(chart for chart in charts if chart is not None)


@dataclass(frozen=True)
class _Known:
    """One row of `known_or_not`."""

    row: Row

    @property
    def hidden(self) -> bool:
        return bool(self.row[HIDDEN])

    @property
    def kind(self) -> str:
        """What the analysis said of it, on true counts; where it said nothing, what the limits say."""
        if self.hidden:
            return NOT_SHOWN
        note = str(self.row["note"] or "")
        said = [kind for words, kind in JUDGED.items() if words in note]
        lower, upper = (number_of(self.row, f"ratio_{end}") for end in ("lower", "upper"))
        if said or math.isnan(lower + upper):
            return said[0] if said else UNJUDGED
        return DIFFER if lower > 1 or upper < 1 else ALIKE

    def value(self, name: str) -> str:
        statistic = str(self.row["statistic"])
        return cell(self.row[name], self.hidden, lambda value: figure(value, statistic))

    @property
    def line(self) -> Line:
        value, lower, upper = (number_of(self.row, name) for name in ("ratio", "ratio_lower", "ratio_upper"))
        span = (
            Span(value, lower, upper) if finite(value) else HIDDEN_CELL if self.hidden else UNAVAILABLE_CELL
        )
        words = "" if self.hidden else f"{self.value('known_value')}, {self.value('unknown_value')}"
        return Line(short(self.row["label"], 34), (span,), words=words)


def _known_or_not(result: EquityResult, rows: pd.DataFrame) -> Chart | None:
    found = [_Known(row) for row in rows_of(rows)]
    kinds = {
        kind: [each for each in found if each.kind == kind] for kind in (DIFFER, ALIKE, UNJUDGED, NOT_SHOWN)
    }
    parts = most_of(
        [Part(kind, tuple(each.line for each in some), strong=kind == DIFFER) for kind, some in kinds.items()]
    )
    name, label = (str(rows[key].iloc[0]) for key in ("measure", "measure_label"))
    panels = (Panel("Known over not known", 1, axis_ratio),)
    return Chart(
        name=chart_name("known-or-not", name),
        title=f"{short(label, 48)}: {_known_message(kinds)}",
        subtitle=(
            f"People whose group is known against people whose group is not, ratio with {confidence(result)} limits; "
            f"{population(result)}"
        ),
        source=extract_source(result),
        alternative=_known_told(kinds),
        table=pd.DataFrame([_known_row(each) for some in kinds.values() for each in some]),
        csv="known_or_not",
        height=height_of(parts),
        draw=lambda canvas: draw_lines(canvas, parts, panels, words="Known, not known", wide=VALUES_WIDE),
    )


def _known_message(kinds: Mapping[str, Sequence[_Known]]) -> str:
    judged = len(kinds[DIFFER]) + len(kinds[ALIKE])
    if not judged:
        why = "hidden by the small-number rule" if kinds[NOT_SHOWN] else "not known"
        return f"whether people of unknown group differ is {why}"
    if not kinds[DIFFER]:
        return f"no sign that people of unknown group differ, by {judged} characteristic{'' if judged == 1 else 's'}"
    names = listed([inside(short(each.row["label"], 30)) for each in kinds[DIFFER]])
    return f"people differ by whether their {names} is known"


def _known_told(kinds: Mapping[str, Sequence[_Known]]) -> str:
    clear = "; ".join(
        f"{short(each.row['label'], 40)}: {each.value('known_value')} where known, "
        f"{each.value('unknown_value')} where not"
        for each in kinds[DIFFER][:3]
    )
    rest = f"No clear difference by {len(kinds[ALIKE])} others, which does not show that they are alike."
    return " ".join(
        filter(
            None,
            [
                "A row for each characteristic: the ratio of people whose group is known to people whose group is not.",
                f"Clearly different: {clear}." if clear else "",
                rest if kinds[ALIKE] else "",
            ],
        )
    )


def _known_row(each: _Known) -> dict[str, str]:
    row = each.row
    return {
        "Characteristic": short(row["label"], 60),
        "People, known": cell(row["people"], each.hidden, count),
        "People, not known": cell(row["unknown"], each.hidden, count),
        "Value, known": each.value("known_value"),
        "Value, not known": each.value("unknown_value"),
        "Ratio": cell(row["ratio"], each.hidden, ratio),
        "Limits": between(row["ratio_lower"], row["ratio_upper"], each.hidden, ratio),
        "Reading": each.kind,
    }
