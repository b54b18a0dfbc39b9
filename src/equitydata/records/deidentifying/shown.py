"""Which values of a kept column may be written: those that enough people have, and amounts joined until enough do.

A text that fewer than k people have never leaves the engine; its cells are left blank. Amounts are joined with their
neighbours until k people share them, and their mean stands for them (univariate microaggregation: Domingo-Ferrer J and
Mateo-Sanz JM 2002, IEEE Transactions on Knowledge and Data Engineering 14:189).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from equitydata.records.deidentifying.staging import DATE, NUMBER, KeptColumn
from equitydata.records.engine import Engine

MOST_DECIMALS = 6


@dataclass(frozen=True)
class Shown:
    """What is written of one column.

    values : raw, written and number (from 1; values written alike share one), one row per value that may be written.
    filled, written : cells of the rows with a value, and of these the ones that are written.
    joined : values that were joined with a neighbour.
    """

    column: KeptColumn
    values: pd.DataFrame
    filled: int
    written: int
    joined: int = 0

    @property
    def share(self) -> float:
        """Share of the filled cells that are written; 1 where none is filled."""
        return self.written / self.filled if self.filled else 1.0

    def same_as(self, other: Shown) -> bool:
        """Whether the same values are written in the same way."""
        return self.values[["raw", "written"]].equals(other.values[["raw", "written"]])


def shown_values(
    rows: Any, columns: Sequence[KeptColumn], k: int, engine: Engine, *, exact: Callable[[KeptColumn], bool]
) -> list[Shown]:
    """The values of each column that may be written.

    rows : of the people who stay. k : people that a value needs. exact : whether every value of a column is written:
    dates that are moved person by person tell no true day.
    """
    if not columns:
        return []
    filled = engine.to_frame(rows.aggregate(**{each.staged: rows[each.staged].count() for each in columns}))
    found = []
    for each in columns:
        cells = int(filled[each.staged].iloc[0])
        values = rows.select("person", value=rows[each.staged]).filter(lambda t: t["value"].notnull())
        if each.kind == NUMBER:
            found.append(_amounts(values, each, k, cells, engine))
        else:
            found.append(_values(values, each, 0 if exact(each) else k, cells, engine))
    return found


def _values(values: Any, column: KeptColumn, k: int, filled: int, engine: Engine) -> Shown:
    counted = values.group_by("value").agg(records=values.count(), people=values["person"].nunique())
    found = engine.to_frame(counted.filter(counted["people"] >= k).order_by("value"))
    frame = pd.DataFrame(
        {"raw": found["value"], "written": found["value"], "number": np.arange(1, len(found) + 1)}
    )
    return Shown(column, frame, filled, int(found["records"].sum()))


def _amounts(values: Any, column: KeptColumn, k: int, filled: int, engine: Engine) -> Shown:
    counted = values.group_by("value").agg(records=values.count(), people=values["person"].nunique())
    # Each person once, at their smallest amount: these counts add up to people where amounts are joined.
    firsts = values.group_by("person").agg(value=values["value"].min())
    once = firsts.group_by(first=firsts["value"]).agg(once=firsts.count())
    joined = counted.left_join(once, counted["value"] == once["first"])
    found = engine.to_frame(joined.select("value", "records", "people", "once").order_by("value"))
    found = found.assign(once=found["once"].fillna(0).astype("int64"))
    people = int(found["once"].sum())
    if people < k:
        nothing = pd.DataFrame({"raw": [], "written": [], "number": []}).astype({"number": "int64"})
        return Shown(column, nothing, filled, 0)
    group = _joined_until(found["people"].to_numpy(), found["once"].to_numpy(), k)
    sums = (found["value"] * found["records"]).groupby(group).sum()
    means = sums / found["records"].groupby(group).sum()
    written = means.round(_decimals(found["value"].to_numpy())).to_numpy()[group]
    several = pd.Series(group).map(pd.Series(group).value_counts()).to_numpy() > 1
    written = np.where(several, written, found["value"].to_numpy())
    _, number = np.unique(written, return_inverse=True)
    frame = pd.DataFrame({"raw": found["value"], "written": written, "number": number.reshape(-1) + 1})
    return Shown(column, frame, filled, filled, joined=int(several.sum()))


def _joined_until(people: NDArray[np.int64], once: NDArray[np.int64], k: int) -> NDArray[np.int64]:
    """Group of each value, from the smallest up: a group is closed when at least k people are surely in it.

    people : who have the value at all. once : each person at one value. What is left at the end joins the last group.
    """
    group, number, sure, most = np.zeros(len(people), dtype=np.int64), 0, 0, 0
    for place in range(len(people)):
        group[place] = number
        sure, most = sure + int(once[place]), max(most, int(people[place]))
        if max(sure, most) >= k:
            number, sure, most = number + 1, 0, 0
    if number and group[-1] == number:
        group[group == number] = number - 1
    return group


def _decimals(values: NDArray[np.float64]) -> int:
    """Decimals that the values have."""
    for decimals in range(MOST_DECIMALS):
        if np.array_equal(np.round(values, decimals), values):
            return decimals
    return MOST_DECIMALS


def is_whole(shown: Shown) -> bool:
    """Whether every amount that is written is a whole number."""
    written = shown.values["written"].to_numpy(dtype=float)
    return bool(np.array_equal(np.round(written), written)) and bool(np.all(np.abs(written) < 2**53))


def value_table(shown: Shown, engine: Engine) -> Any:
    """The values that may be written, as the engine looks them up: __raw, __written and __number."""
    kind = {NUMBER: "float64", DATE: "int32"}.get(shown.column.kind, "string")
    frame = shown.values.astype({"raw": kind, "written": kind, "number": "int32"})
    return engine.lookup(frame.rename(columns=lambda name: f"__{name}"), "values")
