"""How far apart groups lie, as pictures: one figure for all groups of each characteristic, with limits."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

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
    height_of,
    inside,
    most_of,
    named,
    number_of,
    rows_of,
    statistics_of,
    table_of,
    unit_words,
)
from equitydata.plots.words import extract_source, listed, population
from equitydata.release.summaries import WITHHELD
from equitydata.written import (
    HIDDEN_CELL,
    UNAVAILABLE_CELL,
    gap,
    ratio,
)

if TYPE_CHECKING:
    from equitydata.result import EquityResult

CLEAR, UNCLEAR, WITHOUT = "Further apart than chance", "Not clearly beyond chance", "Not shown"
CHANCE_KEY = "Upright stroke: by chance alone"
RANKED = re.compile(r"rank 0 is (.*), rank 1 is (.*)", re.DOTALL)
SUMMARY_PAIRS = (("SII", "RII"), ("D", "R"))


def inequality(result: EquityResult, measure: str | None = None) -> Charts:
    """A chart for each measure: one figure for all groups of each characteristic, absolute and relative, with limits.

    measure : one by name; all when left out. Ordered groups have the slope and the relative index, others the
    difference and the ratio of two groups. Characteristics whose groups lie further apart than chance come first.
    """
    frame = first_levels(table_of(result, "inequality"))
    statistics = statistics_of(result)
    charts = (_inequality(result, rows, statistics) for rows in by_measure(frame, measure))
    return Charts(chart for chart in charts if chart is not None)


@dataclass(frozen=True)
class _Pair:
    """The absolute and the relative summary of one characteristic, rows of the table; {} where there is none."""

    absolute: Row
    relative: Row

    @property
    def either(self) -> Row:
        return self.absolute or self.relative

    @property
    def shown(self) -> bool:
        return any(finite(row.get("value")) for row in (self.absolute, self.relative))

    @property
    def clear(self) -> bool:
        """The limits leave out equality, and what chance alone would give, absolutely and relatively."""
        told = [_beyond(row, equal) for row, equal in ((self.absolute, 0.0), (self.relative, 1.0)) if row]
        return self.shown and all(told)


def _beyond(row: Row, equal: float) -> bool:
    """The limits leave out equality; a summary that chance alone keeps from it must pass what chance gives."""
    lower, upper, chance = (number_of(row, name) for name in ("lower", "upper", "under_equality"))
    return lower > max(equal, chance) if finite(chance) else lower > equal or upper < equal


def _inequality(result: EquityResult, rows: pd.DataFrame, statistics: Mapping[str, str]) -> Chart | None:
    pairs = [_pair(here) for _, here in rows.groupby("characteristic", sort=False)]
    pairs = [pair for pair in pairs if pair.either]
    if not pairs:
        return None
    name, label = (str(rows[key].iloc[0]) for key in ("measure", "measure_label"))
    statistic = statistics.get(name, "")
    parts = most_of(_inequality_parts(pairs))
    panels = (
        Panel(f"Difference{unit_words(statistic)}", 0, axis_gap(statistic)),
        Panel("Ratio", 1, axis_ratio),
    )
    return Chart(
        name=chart_name("inequality", name),
        title=f"{short(label, 48)}: {_inequality_message(pairs)}",
        subtitle=(
            f"Two groups, or the slope over ordered ones, with {confidence(result)} limits; {population(result)}"
        ),
        source=extract_source(result),
        alternative=_inequality_told(pairs, statistic),
        table=pd.DataFrame([_inequality_row(pair, statistic) for pair in pairs]),
        csv="inequality",
        height=height_of(parts),
        draw=lambda canvas: draw_lines(canvas, parts, panels, key=CHANCE_KEY),
    )


def _pair(rows: pd.DataFrame) -> _Pair:
    """The first pair of summaries that has a value; where none has one, the first that is listed."""
    by_name = {str(row["summary"]): row for row in rows_of(rows)}
    found = [_Pair(by_name.get(one, {}), by_name.get(other, {})) for one, other in SUMMARY_PAIRS]
    listed_pairs = [pair for pair in found if pair.either]
    return next((pair for pair in listed_pairs if pair.shown), listed_pairs[0] if listed_pairs else found[0])


def _inequality_parts(pairs: Sequence[_Pair]) -> list[Part]:
    clear = [pair for pair in pairs if pair.clear]
    unclear = [pair for pair in pairs if pair.shown and not pair.clear]
    rest = [pair for pair in pairs if not pair.shown]
    return [
        Part(heading, tuple(map(_inequality_line, chosen)), strong=heading == CLEAR)
        for heading, chosen in ((CLEAR, clear), (UNCLEAR, unclear), (WITHOUT, rest))
    ]


def _inequality_line(pair: _Pair) -> Line:
    spans = tuple(_summary_span(row) for row in (pair.absolute, pair.relative))
    return Line(
        short(pair.either["label"], 30), spans, under=_compared(pair.either, 38) if pair.shown else ""
    )


def _compared(row: Row, limit: int) -> str:
    """The groups compared, or the ends of the slope."""
    words = str(row["compared"] or "–")
    ends = RANKED.fullmatch(words)
    if ends:
        first, last = (named(str(row["level"]), end) for end in ends.groups())
        words = f"Slope from {first} to {last}"
    return short(words, limit)


def _summary_span(row: Row) -> Span | str:
    if not row or not finite(row["value"]):
        return HIDDEN_CELL if _withheld(row) else UNAVAILABLE_CELL
    value, lower, upper, chance = (
        number_of(row, name) for name in ("value", "lower", "upper", "under_equality")
    )
    return Span(value, lower, upper, chance=chance)


def _withheld(row: Row) -> bool:
    return bool(row) and WITHHELD in str(row["note"])


def _inequality_message(pairs: Sequence[_Pair]) -> str:
    shown = [pair for pair in pairs if pair.shown]
    clear = [inside(short(pair.either["label"], 30)) for pair in shown if pair.clear]
    if not shown:
        return f"how far groups lie apart is {_why_not(pairs)}"
    if not clear:
        return f"no characteristic has groups clearly further apart than chance (of {len(shown)})"
    return (
        f"groups further apart than chance by {listed(clear)} ({len(clear)} of {len(shown)} characteristics)"
    )


def _why_not(pairs: Sequence[_Pair]) -> str:
    withheld = any(_withheld(row) for pair in pairs for row in (pair.absolute, pair.relative))
    return "withheld by the small-number rule" if withheld else "not known: not enough data"


def _inequality_told(pairs: Sequence[_Pair], statistic: str) -> str:
    shown = [pair for pair in pairs if pair.shown]
    clear = [_said(pair, statistic) for pair in shown if pair.clear]
    first = (
        f"{len(clear)} of {len(shown)} characteristics have groups further apart than chance alone would give"
    )
    clearly = (
        f": {'; '.join(clear[:3])}{f'; and {len(clear) - 3} more' if len(clear) > 3 else ''}" if clear else ""
    )
    absent = len(pairs) - len(shown)
    without = f" {absent} more cannot be shown." if absent else ""
    return (
        f"Two panels, differences and ratios, a row for each characteristic. {first}{clearly}.{without} "
        "Where this is not clear, a single group may still differ from the rest."
    )


def _said(pair: _Pair, statistic: str) -> str:
    row = _inequality_row(pair, statistic)
    return (
        f"{row['Characteristic']} ({row['Compared']}): difference {row['Difference']}, ratio {row['Ratio']}"
    )


def _inequality_row(pair: _Pair, statistic: str) -> dict[str, str]:
    either = pair.either
    reading = CLEAR if pair.clear else UNCLEAR if pair.shown else WITHOUT
    return {
        "Characteristic": short(either["label"], 60),
        "Compared": _compared(either, 90) if pair.shown else HIDDEN_CELL if _withheld(either) else "–",
        "Difference": _summary_cell(pair.absolute, "value", lambda value: gap(value, statistic)),
        "Its limits": gap_between(*_ends(pair.absolute), _withheld(pair.absolute), statistic),
        "By chance alone": _chance_cell(pair.absolute, lambda value: gap(value, statistic)),
        "Ratio": _summary_cell(pair.relative, "value", ratio),
        "Limits of the ratio": between(*_ends(pair.relative), _withheld(pair.relative), ratio),
        "Ratio by chance alone": _chance_cell(pair.relative, ratio),
        "Summary": " and ".join(str(row["summary_label"]) for row in (pair.absolute, pair.relative) if row),
        "Reading": reading,
    }


def _ends(row: Row) -> tuple[Any, Any]:
    return row.get("lower"), row.get("upper")


def _summary_cell(row: Row, name: str, form: Callable[[Any], str]) -> str:
    return cell(row.get(name), _withheld(row), form)


def _chance_cell(row: Row, form: Callable[[Any], str]) -> str:
    """What chance alone would give; a dash where that is equality itself."""
    written = _summary_cell(row, "under_equality", form)
    return "–" if written == UNAVAILABLE_CELL and finite(row.get("value")) else written
