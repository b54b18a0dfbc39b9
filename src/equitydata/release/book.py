"""The counts of a release, each once: who shows it, and which of them add up.

One count of people may stand in many rows: in outcomes, comparisons, categories, findings. Each count has a name,
made by `naming` from what it counts; rows that name the same count with the same value show one *cell*. A *sum* says
that some counts make another. A sum that leaves somebody over gets a cell for them, so that it says what is true and
known all the same: the parts are no more than the whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

Numbers: TypeAlias = NDArray[np.float64]
Places: TypeAlias = NDArray[np.intp]
Flags: TypeAlias = NDArray[np.bool_]


@dataclass(frozen=True)
class Counts:
    """Every count of a release.

    names : what each cell counts, shape (cells,). values : the true counts.
    sensitive : counts people or records; what a sum leaves over does not matter by itself.
    exact : written as it is, for it tells of nobody (rows read).
    sums : (sums, cells); each row of it times the values is 0.
    cell, row : the published numbers: which cell stands in which row of the release.
    implied : of each published number, whether it is not written but follows to be nobody or no small number: what is
    left over in a row that is shown.
    """

    names: NDArray[np.object_]
    values: Numbers
    sensitive: Flags
    exact: Flags
    sums: csr_matrix
    cell: Places
    row: Places
    implied: Flags


@dataclass
class Book:
    """Gathers the counts of a release table by table."""

    _names: list[NDArray[np.object_]] = field(default_factory=list)
    _values: list[Numbers] = field(default_factory=list)
    _rows: list[Places] = field(default_factory=list)
    _implied: list[Flags] = field(default_factory=list)
    _sums: list[tuple[str, tuple[str, ...], str]] = field(default_factory=list)
    _exact: dict[str, float] = field(default_factory=dict)

    def show(self, names: pd.Series, values: pd.Series, rows: Places, *, implied: bool = False) -> None:
        """Numbers that a table shows: their names, true values and rows in the release; missing ones are none.

        implied : they are not written, but a row that is shown says that none of them is small.
        """
        numbers = pd.to_numeric(values, errors="coerce").to_numpy(dtype=float)
        # Person-time and the like count nobody.
        there = np.isfinite(numbers) & (numbers == np.floor(numbers)) & (numbers >= 0)
        self._names.append(names.to_numpy(dtype=object)[there])
        self._values.append(numbers[there])
        self._rows.append(rows[there])
        self._implied.append(np.full(int(there.sum()), implied))

    def part(
        self, names: pd.Series, of: pd.Series, values: pd.Series, wholes: pd.Series, rows: Places
    ) -> None:
        """Counts that are part of others in the same row, and who is left over of each: who does not meet a measure.

        names, of : names of the parts and their wholes. values, wholes : their counts. rows : rows in the release.
        """
        rest = pd.to_numeric(wholes, errors="coerce") - pd.to_numeric(values, errors="coerce")
        there = ((rest >= 0) & (rest == np.floor(rest))).to_numpy(dtype=bool)
        kept = "not " + names[there]
        self.show(kept, rest[there], rows[there], implied=True)
        pairs = dict(zip(kept, zip(of[there], names[there], strict=True), strict=True))
        self._sums += [(whole, (part, other), "") for other, (whole, part) in pairs.items()]

    def sum(self, whole: str, parts: Iterable[str], *, left: str = "") -> None:
        """A count that others make, or that they are some of.

        left : name of what they leave over, where another sum needs it.
        """
        self._sums.append((whole, tuple(parts), left))

    def exactly(self, name: str, value: float) -> None:
        """A count that is written as it is."""
        self._exact[name] = float(value)

    def counts(self) -> Counts:
        """All counts, one cell for each name and value."""
        nowhere = [np.full(len(self._exact), -1)] if self._exact else []
        names = np.concatenate([*self._names, np.array([*self._exact], dtype=object)])
        values = np.concatenate([*self._values, np.array([*self._exact.values()], dtype=float)])
        rows = np.concatenate([np.empty(0), *self._rows, *nowhere]).astype(np.intp)
        shown = pd.DataFrame({"name": names, "value": values})
        number = shown.groupby(["name", "value"], sort=False).ngroup().to_numpy(dtype=np.intp)
        first = np.unique(number, return_index=True)[1]
        cells = _Cells([*names[first]], [*values[first]])
        sums = [cells.equation(*each) for each in dict.fromkeys(self._sums)]
        implied = np.concatenate([*self._implied, np.zeros(len(self._exact), dtype=bool)]).astype(bool)
        on_paper = rows >= 0
        # A number that is written somewhere in its row is not implied there.
        published = (
            pd.DataFrame({"cell": number, "row": rows, "implied": implied})[on_paper]
            .groupby(["cell", "row"], sort=True)["implied"]
            .all()
        )
        exact = np.zeros(len(cells.names), dtype=bool)
        exact[[cells.found[name][0] for name in self._exact if name in cells.found]] = True
        return Counts(
            names=np.array(cells.names, dtype=object),
            values=np.array(cells.values, dtype=float),
            sensitive=np.array(cells.sensitive, dtype=bool) & ~exact,
            exact=exact,
            sums=_matrix([each for each in sums if each], len(cells.names)),
            cell=published.index.get_level_values("cell").to_numpy(dtype=np.intp),
            row=published.index.get_level_values("row").to_numpy(dtype=np.intp),
            implied=published.to_numpy(dtype=bool),
        )


class _Cells:
    """Cells by name; sums add cells for what has no row."""

    def __init__(self, names: list[str], values: list[float]) -> None:
        self.names, self.values = names, values
        self.sensitive = [True] * len(names)
        self.found: dict[str, list[int]] = {}
        for place, name in enumerate(names):
            self.found.setdefault(name, []).append(place)

    def equation(self, whole: str, parts: Sequence[str], left_name: str) -> dict[int, int]:
        """Cell -> its weight in a sum that is 0 of the true counts; empty where the parts overlap or none is there."""
        places = [self.found[name][0] for name in parts if name in self.found]
        if not places or (left_name and whole not in self.found):
            return {}
        together = sum(self.values[place] for place in places)
        total = self._whole(whole, together)
        left = self.values[total] - together
        if left < 0 or total in places:
            return {}
        if left > 0 or left_name:
            places.append(self._add(left_name or f"left of {whole}", left, sensitive=False))
        weights = {total: 1}
        for place in places:
            weights[place] = weights.get(place, 0) - 1
        return weights

    def _whole(self, name: str, together: float) -> int:
        known = self.found.get(name, [])
        for place in known:
            if self.values[place] == together:
                return place
        return known[0] if known else self._add(name, together, sensitive=True)

    def _add(self, name: str, value: float, *, sensitive: bool) -> int:
        self.names.append(name)
        self.values.append(value)
        self.sensitive.append(sensitive)
        self.found.setdefault(name, []).append(len(self.names) - 1)
        return len(self.names) - 1


def _matrix(sums: Sequence[dict[int, int]], cells: int) -> csr_matrix:
    from scipy.sparse import csr_matrix

    lengths = [len(each) for each in sums]
    return csr_matrix(
        (
            np.array([weight for each in sums for weight in each.values()], dtype=float),
            np.array([place for each in sums for place in each], dtype=np.intp),
            np.concatenate([[0], np.cumsum(lengths)]).astype(np.intp),
        ),
        shape=(len(sums), cells),
    )
