"""One sheet of a workbook -> Arrow batches of text columns, with the same ledger as a CSV."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from equitydata.errors import InputError
from equitydata.records.ledger import BLANK_LINE, FOOTER_LINE, LINES_SHOWN, Ledger
from equitydata.records.preflight import FOOTER_SEARCH_LINES, Header, Row, find_footer, find_header
from equitydata.records.preflight_excel import open_sheet

SAMPLE_ROWS = 200
BATCH_ROWS = 50_000
# Excel keeps 15 significant digits: a longer number has lost its last ones before we see it.
MAX_EXACT = 1e15


@dataclass(frozen=True)
class SheetLayout:
    """Where the table stands in a sheet. header : as for text, with rows for lines."""

    name: str
    sheet: str
    header: Header
    _content: Any

    @property
    def columns(self) -> tuple[str, ...]:
        """Cleaned, unique column names."""
        return self.header.columns

    @property
    def notes(self) -> tuple[str, ...]:
        """What was worked out or looks odd."""
        return self.header.notes


def read_sheet_layout(path: Path, *, sheet: str | None = None, header_row: int | None = None) -> SheetLayout:
    """Open one sheet and find its header. Raises InputError for what cannot be read rightly."""
    name, content = open_sheet(path, sheet)
    rows = [_as_row(number, cells) for number, cells in _numbered(content, 0, SAMPLE_ROWS)]
    if not any(row.filled for row in rows):
        raise InputError(f"The sheet '{name}' is empty.", where=path.name, mend="Name another sheet.")
    header = find_header(rows, name=f"{path.name}, sheet '{name}'", header_row=header_row, is_sheet=True)
    return SheetLayout(path.name, name, header, content)


def _numbered(content: Any, start: int, stop: int | None) -> Iterator[tuple[int, list[Any]]]:
    rows = content.iter_rows() if content.start is not None else iter(())
    return itertools.islice(enumerate(rows, start=1), start, stop)


def _as_row(number: int, cells: Sequence[Any]) -> Row:
    return Row(number, number, tuple(cell_text(cell) or "" for cell in cells))


def read_sheet_batches(
    layout: SheetLayout, *, columns: Sequence[str], ledger: Ledger
) -> Iterator[pa.RecordBatch]:
    """Yield the used rows of a sheet as batches of text; an empty cell is null."""
    rows = _numbered(layout._content, layout.header.first_data_line - 1, None)
    width = len(layout.columns)
    for part, is_last in _parts(rows):
        frame = pd.DataFrame([cells[:width] for _, cells in part], dtype=object)
        frame = frame.apply(lambda column: column.map(cell_text).astype("string"))
        lines = pd.Series([number for number, _ in part])
        footer = _footer(part, width) if is_last else ()
        good = _judge(frame, lines, footer, ledger)
        ledger.rows_used += int(good.sum())
        chosen = {column: frame[layout.columns.index(column)][good] for column in columns}
        arrays = {name: pa.array(values, pa.string(), from_pandas=True) for name, values in chosen.items()}
        yield from pa.table(arrays).combine_chunks().to_batches()
    ledger.check(ended=True)


def _parts(rows: Iterator[tuple[int, list[Any]]]) -> Iterator[tuple[list[tuple[int, list[Any]]], bool]]:
    """Parts of BATCH_ROWS rows; the last one is long enough to hold the footer."""
    part = list(itertools.islice(rows, BATCH_ROWS))
    while part:
        following = list(itertools.islice(rows, BATCH_ROWS))
        if len(following) < FOOTER_SEARCH_LINES:
            yield part + following, True
            return
        yield part, False
        part = following


def _footer(part: Sequence[tuple[int, list[Any]]], width: int) -> tuple[int, ...]:
    return find_footer([_as_row(*each) for each in part[-FOOTER_SEARCH_LINES:]], width=width)


def _judge(frame: pd.DataFrame, lines: pd.Series, footer: Sequence[int], ledger: Ledger) -> pd.Series:
    is_footer = lines.isin(footer)
    says_nothing = frame.apply(lambda column: column.str.strip().fillna("").eq(""))
    blank = says_nothing.all(axis=1) & ~is_footer
    ledger.reject(FOOTER_LINE, int(is_footer.sum()), lines[is_footer][:LINES_SHOWN])
    ledger.reject(BLANK_LINE, int(blank.sum()), lines[blank][:LINES_SHOWN])
    return ~is_footer & ~blank


def cell_text(cell: Any) -> str | None:
    """A cell as text, as a CSV export would hold it; None where it is empty.

    Whole numbers have no decimal point, dates and times are ISO 8601.
    """
    if isinstance(cell, str):
        return cell or None
    if isinstance(cell, bool):
        return str(cell).upper()
    if isinstance(cell, float):
        return f"{cell:.0f}" if cell.is_integer() and abs(cell) < MAX_EXACT else repr(cell)
    if isinstance(cell, dt.datetime):
        return cell.date().isoformat() if cell.time() == dt.time() else cell.isoformat(sep=" ")
    if isinstance(cell, dt.date | dt.time):
        return cell.isoformat()
    return None if cell is None else str(cell)
