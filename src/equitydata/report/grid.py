"""Tables of a page from rows: which cells, how each is written, and nothing that a template would have to work out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import pandas as pd

from equitydata.tables import HIDDEN
from equitydata.written import HIDDEN_CELL, UNAVAILABLE_CELL

Row: TypeAlias = Mapping[str, Any]
# What a cell says, or what it says and a smaller line below it.
Cell: TypeAlias = str | tuple[str, str]

NOTHING = "–"


@dataclass(frozen=True)
class Column:
    """A column of a table. words : its head. form : row -> cell. number : set to the right."""

    words: str
    form: Callable[[Row], Cell]
    number: bool = False


@dataclass(frozen=True)
class Grid:
    """A table of a page with every cell written.

    name : id of the caption, unique in the page. rows : as many cells as there are columns; the first names the row.
    total : rows that there are, of which the page may show fewer. file : table that holds all of them.
    """

    name: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    total: int
    file: str = ""

    @property
    def left_out(self) -> int:
        """Rows that the page does not show."""
        return self.total - len(self.rows)


def make_grid(
    name: str,
    caption: str,
    rows: Iterable[Row],
    columns: Sequence[Column],
    *,
    most: int = 50,
    file: str = "",
) -> Grid:
    """Rows -> a table of a page. A cell without words reads "–"; rows beyond `most` are counted and left out.

    A column that is not available in any row shown is left out, but for the first.
    """
    every = list(rows)
    cells = [[column.form(row) or NOTHING for column in columns] for row in every[:most]]
    kept = [place for place in range(len(columns)) if not place or any(_says(row[place]) for row in cells)]
    return Grid(
        name,
        caption,
        tuple(columns[place] for place in kept),
        tuple(tuple(row[place] for place in kept) for row in cells),
        len(every),
        file,
    )


def _says(cell: Cell) -> bool:
    return (cell if isinstance(cell, str) else cell[0]) not in (UNAVAILABLE_CELL, NOTHING)


def symbols(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows whose empty cells say why: [c] hidden by the small-number rule, [x] not available."""
    return [_symbols(row) for row in frame.to_dict("records")]


def _symbols(row: Mapping[Any, Any]) -> dict[str, Any]:
    nothing = HIDDEN_CELL if row.get(HIDDEN) is True else UNAVAILABLE_CELL
    return {
        str(key): nothing if cell is None or cell is pd.NA or cell != cell else cell
        for key, cell in row.items()
    }
