"""What trends and gaps share: whose row it is, and what the rounding of counts may have moved."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from equitydata.plots.lines import (
    Row,
    finite,
    number_of,
    rows_of,
    table_of,
)
from equitydata.rulebook import disclosure_rule
from equitydata.trends import NO_CODE, UNKNOWN_GROUP

if TYPE_CHECKING:
    from equitydata.result import EquityResult

STRATUM = ["measure", "characteristic", "level", "category"]


@dataclass(frozen=True)
class Slack:
    """How far the rounding of counts may have moved a change, and the logarithm of a ratio of two values."""

    gap: float = 0.0
    log_ratio: float = 0.0


def slacks(result: EquityResult) -> Callable[[Row], Slack]:
    """A row of `changes` -> its slack; none where counts are true, or the value is a mean.

    A small-number rule rounds numerator and denominator, and the changes rest on those: what only the rounding of a few
    people may have moved is not called clear.
    """
    half = half_step(result)
    shares = table_of(result, "trends")
    shares = shares[shares["statistic"] != "mean"]
    by_period = {(*key_of(row), str(row["period"])): row for row in rows_of(shares)} if half > 0.5 else {}

    def slack(change: Row) -> Slack:
        gap_room = log_room = 0.0
        for end in ("first", "last"):
            row = by_period.get((*key_of(change), str(change[f"{end}_period"])), {})
            value, size = number_of(row, "value"), number_of(row, "denominator")
            if finite(value) and size > 0:
                room = half * (1 + value) / size
                gap_room += room
                log_room += room / value if value > 0 else math.inf
        return Slack(gap_room, log_room)

    return slack


def half_step(result: EquityResult) -> float:
    """How far the rule in force rounds a count at most; 0.5 or less where it does not."""
    return disclosure_rule(result.disclosure).round_to / 2 if result.disclosure else 0.0


def key_of(row: Row) -> tuple[str, ...]:
    """Measure, characteristic, level and category of a row."""
    return tuple(str(row[name]) for name in STRATUM)


def unknown_groups(result: EquityResult, frame: pd.DataFrame) -> pd.Series:
    """Rows of people of unknown group, and of categories that nobody was asked for: they are held against no rest.

    Said by the status in `outcomes`, and where that is not there by the note.
    """
    outcomes = table_of(result, "outcomes")
    others = {key_of(row) for row in rows_of(outcomes[outcomes["status"] != "known"])}
    keys = frame[STRATUM].astype(str).itertuples(index=False, name=None)
    by_status = pd.Series([key in others for key in keys], index=frame.index, dtype=bool)
    notes = frame["note"].fillna("").astype(str)
    return (
        by_status | notes.str.contains(NO_CODE, regex=False) | notes.str.contains(UNKNOWN_GROUP, regex=False)
    )
