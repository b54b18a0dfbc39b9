"""Sheets -> the bytes of an accessible .xlsx: one marked-up table a sheet, wrapped text, and text that runs nothing."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from xlsxwriter import Workbook
    from xlsxwriter.format import Format
    from xlsxwriter.worksheet import Worksheet

# Widths in characters, heights in points.
NARROW, WIDE, COVER_WIDTH, WIDEST_PRINT = 11, 50, 75, 200
LETTERS_OF_A_DIGIT = 1.1
COVER = "Cover"
LINE, MOST_HEIGHT = 16, 400
TITLE_LINE, SUBTITLE_HEIGHT = 24, 32
A4 = 9
INK, LINK = "#0B0C0C", "#12436D"
_TO_THE_RIGHT = {"align": "right", "indent": 1}  # with room before text that follows


@dataclass(frozen=True)
class Column:
    """One column of a sheet's table.

    cells : text and numbers, from the first row down. form : how numbers are shown; "" for a column of text.
    distinct : the different cells, for widths and symbols. links : each cell leads to the sheet that it names.
    """

    heading: str
    cells: list[str | float]
    form: str
    distinct: frozenset[str | float] = field(repr=False)
    links: bool = False

    @cached_property
    def width(self) -> int:
        """Characters that hold most cells, and the longest word of the heading without a break."""
        texts = (len(each) + 2 for each in self.distinct if isinstance(each, str))
        words = max(map(len, self.heading.split()))
        return min(max(NARROW, words + 2, *texts), WIDE)


@dataclass(frozen=True)
class Sheet:
    """One sheet: its title in A1, lines below it, and one table of at least one row."""

    name: str
    title: str
    lines: tuple[str, ...]
    columns: tuple[Column, ...]

    @property
    def rows(self) -> int:
        """Rows of the table below its headings."""
        return len(self.columns[0].cells)


def spreadsheet_bytes(
    cover: Sequence[tuple[str, tuple[str, ...]]],
    sheets: Sequence[Sheet],
    *,
    stamp: str,
    properties: Mapping[str, Any],
) -> bytes:
    """A workbook of a cover and sheets as .xlsx; the same arguments give the same bytes.

    cover : headings with the lines below each. stamp : stands on every sheet where it is not empty.
    properties : of the document, with the day it was made.
    """
    import xlsxwriter

    target = io.BytesIO()
    options = {
        "in_memory": True,  # rows are never written to a temporary file
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
        "default_format_properties": {"font_name": "Arial", "font_size": 12, "font_color": INK},
    }
    with xlsxwriter.Workbook(target, options) as book:
        book.set_properties(properties)
        pen = _Pen(book)
        pen.write_cover(cover, stamp)
        for sheet in sheets:
            pen.write_sheet(sheet, stamp)
    return target.getvalue()


class _Pen:
    """Writes sheets into a workbook, each form of a cell made once."""

    def __init__(self, book: Workbook) -> None:
        self._book = book
        self._made: dict[str, Format] = {}
        self._forms = {
            "title": {"bold": True, "font_size": 16},
            "cover title": {"bold": True, "font_size": 16, "text_wrap": True, "valign": "top"},
            "stamp": {"bold": True},
            "line": {},
            "cover": {"text_wrap": True, "valign": "top"},
            "subtitle": {"bold": True, "font_size": 14, "valign": "bottom"},
            "heading": {"bold": True, "text_wrap": True, "valign": "top", "bottom": 1},
            "number heading": {
                "bold": True,
                "text_wrap": True,
                "valign": "top",
                "bottom": 1,
                **_TO_THE_RIGHT,
            },
            # The prefix keeps text as text when a cell is opened for editing: "=1+1" does not come alive.
            "text": {"text_wrap": True, "valign": "top", "quote_prefix": True},
            "link": {"font_color": LINK, "underline": 1, "valign": "top"},
        }

    def _form(self, name: str) -> Format:
        """A form by its name, or of numbers by how they are shown."""
        if name not in self._made:
            number = {"num_format": name, "valign": "top", **_TO_THE_RIGHT}
            self._made[name] = self._book.add_format(self._forms.get(name, number))
        return self._made[name]

    def write_cover(self, cover: Sequence[tuple[str, tuple[str, ...]]], stamp: str) -> None:
        page = self._book.add_worksheet(COVER)
        page.hide_gridlines(2)
        page.set_paper(A4)
        page.set_column(0, 0, COVER_WIDTH)
        stamped = [(stamp, "subtitle")] if stamp else []
        (title, about), *parts = cover
        lines = [(title, "cover title"), *stamped, *((line, "cover") for line in about)]
        for subtitle, below in parts:
            lines += [(subtitle, "subtitle"), *((line, "cover") for line in below)]
        for row, (line, form) in enumerate(lines):
            page.set_row(row, _cover_height(line, form))
            page.write_string(row, 0, line, self._form(form))

    def write_sheet(self, sheet: Sheet, stamp: str) -> None:
        page = self._book.add_worksheet(sheet.name)
        above = [(sheet.title, "title"), (stamp, "stamp"), *((line, "line") for line in sheet.lines)]
        for top, (line, form) in enumerate(each for each in above if each[0]):
            page.write_string(top, 0, line, self._form(form))
        self._write_table(page, sheet, top + 1)
        _lay_out_print(page, sheet, top + 1)

    def _write_table(self, page: Worksheet, sheet: Sheet, top: int) -> None:
        headings = []
        for place, column in enumerate(sheet.columns):
            page.set_column(place, place, column.width, self._form(column.form or "text"))
            self._write_cells(page, column, place, top + 1)
            form = self._form("number heading" if column.form else "heading")
            headings.append({"header": column.heading, "header_format": form})
        for row, lines in enumerate(_lines_of_rows(sheet), start=top):
            if lines > 1:
                page.set_row(row, _height(lines))
        page.add_table(
            *(top, 0, top + sheet.rows, len(sheet.columns) - 1),
            {
                "name": f"{sheet.name.lower()}_table",
                "columns": headings,
                "autofilter": False,
                "style": None,
            },
        )

    def _write_cells(self, page: Worksheet, column: Column, place: int, top: int) -> None:
        # No form is given with a cell, so that it takes the form of its column.
        for row, cell in enumerate(column.cells, start=top):
            if column.links:
                page.write_url(row, place, f"internal:'{cell}'!A1", self._form("link"), str(cell))
            elif isinstance(cell, str):
                page.write_string(row, place, cell)
            else:
                page.write_number(row, place, cell)


def _lay_out_print(page: Worksheet, sheet: Sheet, top: int) -> None:
    """On A4 across, headings on every page; all columns side by side where they can then be read."""
    page.set_landscape()
    page.set_paper(A4)
    page.repeat_rows(top)
    if sum(column.width for column in sheet.columns) <= WIDEST_PRINT:
        page.fit_to_pages(1, 0)


def _lines_of_rows(sheet: Sheet) -> list[int]:
    """Lines that each row needs, the headings first: not every program makes room for text that wraps."""
    needed = np.ones(sheet.rows + 1, dtype=int)
    for column in sheet.columns:
        needed[0] = max(needed[0], _lines(column.heading, column.width))
        lines: dict[str | float, int] = {
            cell: _lines(cell, column.width) for cell in column.distinct if isinstance(cell, str)
        }
        if max(lines.values(), default=1) > 1:
            needed[1:] = np.maximum(needed[1:], [lines.get(cell, 1) for cell in column.cells])
    return [int(lines) for lines in needed]


def _lines(text: str, width: int) -> int:
    """Lines that a text takes in a column: a width is counted in digits, and most letters are narrower."""
    room = int(width * LETTERS_OF_A_DIGIT)
    return 1 if len(text) <= room else len(textwrap.wrap(text, room))


def _cover_height(line: str, form: str) -> int:
    if form == "subtitle":
        return SUBTITLE_HEIGHT  # with room above it: there are no empty rows
    if form == "cover title":
        return _lines(line, COVER_WIDTH * LINE // TITLE_LINE) * TITLE_LINE
    return _height(_lines(line, COVER_WIDTH))


def _height(lines: int) -> int:
    return min(lines * LINE, MOST_HEIGHT)
