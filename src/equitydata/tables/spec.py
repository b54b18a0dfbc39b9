"""What a table is: its rows, its columns, and which of them are counts of people or records.

`release` reads the counts and shares named here, so a table is protected by being described.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from equitydata.errors import EquityDataError
from equitydata.stats.one_group.proportions import wilson

# Column of a released table: true where the small-number rule hides the row's counts.
HIDDEN = "hidden"


@dataclass(frozen=True)
class Share:
    """A share worked out from two counts of the same row.

    only : (column, value) where only some rows hold a share of two counts; the others keep their figures.
    design_effect : column by which both counts are divided for the limits, where people have several events.
    """

    value: str = "value"
    numerator: str = "numerator"
    denominator: str = "denominator"
    lower: str = "lower"
    upper: str = "upper"
    only: tuple[str, str] | None = None
    design_effect: str | None = None


@dataclass(frozen=True)
class TableSpec:
    """One table.

    row : what one row is.
    columns : column -> its meaning and unit, in order.
    counts : columns that count people or records.
    shares : shares worked out from counts; hidden with them.
    derived : further columns that would give a hidden count away.
    estimates : columns worked out from counts, hidden with them and rounded to a few digits where shown.
    text : columns that may hold recorded text, kept back where few records hold it.
    """

    name: str
    title: str
    row: str
    columns: Mapping[str, str]
    counts: tuple[str, ...] = ()
    shares: tuple[Share, ...] = ()
    derived: tuple[str, ...] = ()
    estimates: tuple[str, ...] = ()
    text: tuple[str, ...] = field(default=())


SHARE_COLUMNS = {
    "numerator": "people or records that meet it",
    "denominator": "people or records to whom it applies",
    "value": "numerator / denominator, fraction",
    "lower": "lower Wilson limit, fraction",
    "upper": "upper Wilson limit, fraction",
}


def shape(frame: pd.DataFrame, spec: TableSpec) -> pd.DataFrame:
    """A frame with exactly the columns of its specification, in order, rows numbered from 0.

    Raises EquityDataError where a column is missing: a fault of ours, not of the data.
    """
    absent = [column for column in spec.columns if column not in frame.columns]
    if absent:
        raise EquityDataError(f"Table '{spec.name}' lacks the column '{absent[0]}'.")
    return frame[list(spec.columns)].reset_index(drop=True)


def empty(spec: TableSpec) -> pd.DataFrame:
    """A table without rows."""
    return pd.DataFrame(columns=list(spec.columns))


def with_shares(frame: pd.DataFrame, *, confidence: float, share: Share | None = None) -> pd.DataFrame:
    """The frame with value, lower and upper worked out from its two counts.

    A denominator of 0 or a missing count gives missing, never 0. Rows that hold no share keep what they hold.
    """
    share = share or Share()
    numerator = pd.to_numeric(frame[share.numerator], errors="coerce").to_numpy(dtype=float)
    denominator = pd.to_numeric(frame[share.denominator], errors="coerce").to_numpy(dtype=float)
    effect = np.ones(len(frame))
    if share.design_effect is not None:
        effect = pd.to_numeric(frame[share.design_effect], errors="coerce").fillna(1).to_numpy(dtype=float)
    here = np.ones(len(frame), dtype=bool)
    if share.only is not None:
        here = (frame[share.only[0]] == share.only[1]).to_numpy(dtype=bool)
    lower, upper = wilson(
        np.where(here, numerator, np.nan) / effect,
        np.where(here, denominator, np.nan) / effect,
        confidence=confidence,
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        value = np.where(denominator > 0, numerator / denominator, np.nan)
    found = {share.value: value, share.lower: lower, share.upper: upper}
    if share.only is not None:
        kept = {name: pd.to_numeric(frame[name], errors="coerce").to_numpy(dtype=float) for name in found}
        found = {name: np.where(here, values, kept[name]) for name, values in found.items()}
    return frame.assign(**found)


def plain(value: Any) -> Any:
    """A cell as JSON can hold it: a missing number is null, a whole number is whole."""
    if value is None or value is pd.NA:
        return None
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float):
        if value != value:  # NaN
            return None
        return int(value) if value.is_integer() and abs(value) < 2**53 else value
    return value
