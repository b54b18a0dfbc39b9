"""Inequality over time as pictures: the gap of each group to the rest, first and last."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from equitydata.plots.changes import (
    Slack,
    half_step,
    slacks,
    unknown_groups,
)
from equitydata.plots.chart import Chart, Charts, chart_name, short
from equitydata.plots.lines import (
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
from equitydata.plots.words import extract_source, listed, population
from equitydata.strata import ALL
from equitydata.tables import HIDDEN
from equitydata.written import (
    gap,
    ratio,
)

if TYPE_CHECKING:
    from equitydata.result import EquityResult

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
    frame = first_levels(frame[(frame["characteristic"] != ALL) & ~unknown_groups(result, frame)])
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
    slack = slacks(result)
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
    rounded = ", and rounded counts are allowed for" if half_step(result) > 0.5 else ""
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
