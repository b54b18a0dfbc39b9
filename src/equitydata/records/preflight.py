"""Bytes -> layout: what kind of file it is, and how its text is laid out, before any row is read.

A file is known by its content and not by its name. Nothing is guessed in silence: whatever had to be worked
out is a note, and what cannot be told is refused.
"""

from __future__ import annotations

import codecs
import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path

import numpy as np

from equitydata.errors import ConfigError, InputError
from equitydata.identifier_patterns import is_identifier
from equitydata.records.text_stream import (
    GZIP_MAGIC,
    TextSurvey,
    head_of,
    is_gzip,
    readable,
    survey_text,
    utf8_blocks,
)

DELIMITERS = (",", ";", "\t", "|")
DELIMITER_NAMES = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}
SAMPLE_BYTES = 64 * 1024
LARGEST_SAMPLE_BYTES = 4 * 1024**2
HEADER_SEARCH_LINES = 20
FOOTER_SEARCH_LINES = 20
NAME_LENGTH = 200

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+\Z")
_SEPARATOR_LINE = re.compile(r"sep=([\x21-\x7e\t])\s*\Z", re.IGNORECASE)
_LOOKS_LIKE_DATA = re.compile(r"[\d\s.,:/+-]*\d[\d\s.,:/+-]*(?:[TZtz][\d:.Zz+]*)?\Z")
_RULE = re.compile(r"[-=]{2,}\Z")
_INVISIBLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00a0\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u2064\u2066-\u2069\ufeff\\s]+"
)


@dataclass(frozen=True)
class TextLayout:
    """How a text file is laid out.

    delimiter, quote : one character each. encoding : a Python codec name, without the byte order mark.
    header_line : physical line of the header, from 1. columns : cleaned, unique names.
    preamble_lines, footer_lines : numbers of the lines above and below the table that are no records.
    notes : what was worked out or looks odd, in words; never a value.
    size, sha256, lines : of the file; its bytes, hash and physical lines.
    data_line, data_offset : first line below the header, and where it begins in the text as UTF-8.
    header_text : the header line itself, to know it again further down.
    """

    name: str
    encoding: str
    has_bom: bool
    delimiter: str
    quote: str
    header_line: int
    columns: tuple[str, ...]
    preamble_lines: tuple[int, ...]
    footer_lines: tuple[int, ...]
    notes: tuple[str, ...]
    size: int
    sha256: str
    lines: int
    data_line: int
    data_offset: int
    bom_bytes: int = 0
    header_text: str = field(default="", repr=False)


@dataclass(frozen=True)
class Row:
    """One row of a sample: its first and last physical line, and its cells."""

    line: int
    last_line: int
    cells: tuple[str, ...]

    @property
    def filled(self) -> int:
        """Cells that are not blank."""
        return sum(bool(cell.strip()) for cell in self.cells)


@dataclass(frozen=True)
class Header:
    """A header row and what stands around it. first_data_line is the line below it."""

    line: int
    first_data_line: int
    columns: tuple[str, ...]
    preamble_lines: tuple[int, ...]
    notes: tuple[str, ...]


# ---------------------------------------------------------------- kinds of file


@cache
def _signatures() -> tuple[dict[str, str], ...]:
    text = (files("equitydata.rules") / "file_signatures.csv").read_text(encoding="utf-8")
    return tuple(csv.DictReader(text.splitlines()))


def file_kind(path: Path) -> str:
    """Kind of a file by its first bytes: "text", "xlsx" or "parquet"; gzip counts as the text inside.

    Raises InputError for anything else, saying what it is and what to do; such a file is not opened further.
    """
    for signature in _signatures():
        if signature["kind"] == "suffix" and signature["bytes_hex"] == path.suffix.lower():
            raise _refused(path, signature)
    with readable(path), path.open("rb") as file:
        raw = file.read(SAMPLE_BYTES)
    if not raw:
        raise InputError("The file is empty.", where=path.name, mend="Export it again.")
    head = head_of(path, SAMPLE_BYTES) if raw.startswith(GZIP_MAGIC) else raw
    kind = _kind_by_bytes(path, head)
    if is_gzip(path) and kind != "text":
        raise InputError(f"A gzip file with {kind} inside.", where=path.name, mend="Unpack it first.")
    return kind


def _kind_by_bytes(path: Path, head: bytes) -> str:
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    for signature in _signatures():
        kind = signature["kind"]
        if kind == "suffix":
            continue
        content = start if kind == "start" else head[int(signature["offset"]) :]
        if not content.startswith(bytes.fromhex(signature["bytes_hex"])):
            continue
        if kind in ("xlsx", "parquet"):
            return kind
        raise _refused(path, signature)
    if _is_binary(head):
        raise InputError(
            "This is not text: it is binary data of an unknown kind.",
            where=path.name,
            mend="Save the data as CSV, .xlsx or Parquet.",
        )
    return "text"


def _refused(path: Path, signature: dict[str, str]) -> InputError:
    what = f"This is {signature['what']}, which cannot be read."
    return InputError(what, where=path.name, mend=signature["mend"])


def _is_binary(head: bytes) -> bool:
    """True when more than one byte in 200 is a control character that no text has.

    NULs are looked at by place: every second byte is UTF-16, now and then one is a damaged line.
    """
    if head.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return False
    content = np.frombuffer(head, np.uint8)
    text_controls = np.isin(content, (9, 10, 11, 12, 13, 26))
    controls = (content < 32) & ~text_controls
    nuls = content == 0
    pairs = nuls[: len(nuls) // 2 * 2].reshape(-1, 2).mean(axis=0) if len(nuls) > 1 else np.zeros(2)
    if pairs.max() > 0.4 and pairs.min() < 0.1:
        return False
    return bool((controls & ~nuls).mean() > 0.005 or nuls.mean() > 0.1)


# ---------------------------------------------------------------- text layout


def read_layout(
    path: Path, *, encoding: str | None = None, delimiter: str | None = None, header_row: int | None = None
) -> TextLayout:
    """Work out how a text file is laid out; the file is streamed once and never held whole.

    header_row : physical line of the header, from 1, where it is known.
    Raises InputError for a file that is empty, not text, of no readable encoding, or without a header.
    """
    if delimiter is not None:
        _check_delimiter(delimiter)
    survey = survey_text(path, encoding=encoding)
    lines, whole = _sample(path, survey)
    if not any(line.strip() for line in lines):
        raise InputError("The file is empty.", where=path.name, mend="Export it again.")
    skip, announced = _separator_line(lines)
    delimiter = delimiter or announced or _find_delimiter(lines[skip:], whole=whole, name=path.name)
    rows = _rows(lines, delimiter, whole=whole, skip=skip)
    header = find_header(rows, name=path.name, header_row=header_row)
    above = "".join(lines[: header.first_data_line - 1])
    header_text = "".join(lines[header.line - 1 : header.first_data_line - 1]).rstrip("\r\n")
    tail = survey.tail.decode("utf-8", errors="replace")
    return TextLayout(
        name=path.name,
        encoding=survey.encoding,
        has_bom=bool(survey.bom_bytes),
        delimiter=delimiter,
        quote='"',
        header_line=header.line,
        columns=header.columns,
        preamble_lines=header.preamble_lines,
        footer_lines=_footer_lines(tail, survey.lines, delimiter, header),
        notes=(*survey.notes, *_layout_notes(survey, delimiter), *header.notes),
        size=survey.size,
        sha256=survey.sha256,
        lines=survey.lines,
        data_line=header.first_data_line,
        data_offset=len(above.encode()),
        bom_bytes=survey.bom_bytes,
        header_text=header_text,
    )


def _check_delimiter(delimiter: str) -> None:
    if len(delimiter) != 1 or not delimiter.isascii() or delimiter in '"\r\n\x00':
        raise ConfigError(
            "A delimiter is one plain character.", mend="Use one of , ; | or a tab, written '\\t'."
        )


def _layout_notes(survey: TextSurvey, delimiter: str) -> list[str]:
    notes = []
    if survey.encoding.startswith("utf-16"):
        notes.append("UTF-16 text")
    if delimiter != ",":
        notes.append(
            f"columns are set apart by a {DELIMITER_NAMES.get(delimiter, 'character of your choice')}"
        )
    if not survey.ends_whole:
        notes.append("the last line has no line end: check that the file is whole")
    return notes


def _sample(path: Path, survey: TextSurvey) -> tuple[list[str], bool]:
    """The first lines of a file, and whether that is all of it.

    64 KB, and more only where that does not hold two lines.
    """
    wanted, held, whole = SAMPLE_BYTES, b"", True
    for block in utf8_blocks(path, survey.encoding, bom_bytes=survey.bom_bytes, checked=True):
        held += block
        while len(held) > wanted and _whole_lines(held[:wanted]) < 2 and wanted < LARGEST_SAMPLE_BYTES:
            wanted *= 4
        if len(held) > wanted:
            held, whole = held[:wanted], False
            break
    lines = _LINE.findall(held.decode("utf-8", errors="ignore"))
    return (lines if whole or len(lines) < 2 else lines[:-1]), whole


def _whole_lines(text: bytes) -> int:
    return max(text.count(b"\n"), text.count(b"\r"))


def _separator_line(lines: Sequence[str]) -> tuple[int, str | None]:
    """Spreadsheet programs may announce the delimiter on the first line, as sep=; ."""
    found = _SEPARATOR_LINE.match(lines[0]) if lines else None
    return (1, found[1]) if found else (0, None)


def _rows(lines: Sequence[str], delimiter: str, *, whole: bool, skip: int = 0) -> list[Row]:
    """Rows of a sample; one that the end of the sample may have cut is left out."""
    reader = csv.reader(lines[skip:], delimiter=delimiter)
    rows: list[Row] = []
    previous = skip
    while True:
        try:
            cells = next(reader, None)
        except csv.Error:
            # A cell longer than the csv module reads: the rows before it will do.
            return rows
        if cells is None:
            return rows if whole or len(rows) < 2 else rows[:-1]
        rows.append(Row(previous + 1, reader.line_num + skip, tuple(cells)))
        previous = reader.line_num + skip


def _find_delimiter(lines: Sequence[str], *, whole: bool, name: str) -> str:
    """The delimiter that gives most rows the same number of fields; more fields win a tie."""
    scores = {}
    for delimiter in DELIMITERS:
        widths = [len(row.cells) for row in _rows(lines, delimiter, whole=whole) if row.filled]
        width, share = _usual(widths)
        if width > 1:
            scores[delimiter] = (share, width)
    if not scores:
        raise InputError(
            "Only one column was found: no comma, semicolon, tab or pipe sets columns apart.",
            where=name,
            mend="Name the delimiter, or check that this is the extract.",
        )
    return max(scores, key=lambda delimiter: scores[delimiter])


def _usual(widths: Sequence[int]) -> tuple[int, float]:
    """The most frequent width, the larger on a tie, and its share."""
    counts = Counter(widths)
    if not counts:
        return 0, 0.0
    width = max(counts, key=lambda each: (counts[each], each))
    return width, counts[width] / len(widths)


# ---------------------------------------------------------------- header


def find_header(
    rows: Sequence[Row], *, name: str, header_row: int | None = None, is_sheet: bool = False
) -> Header:
    """The header among the first rows: as wide as the table, and mostly filled.

    header_row : its line where it is known; then it is taken as it is.
    is_sheet : rows of a worksheet are all as wide as the sheet, so filled cells are looked at instead.
    Raises InputError where there is none, or where it looks like a record.
    """
    if header_row is not None:
        header = _row_at(rows, header_row, name)
        width = _filled_width(header) if is_sheet else len(header.cells)
    else:
        header, width = _search_sheet_header(rows, name) if is_sheet else _search_header(rows, name)
        _refuse_data_as_header(header, [row for row in rows if row.line > header.last_line], name)
    cells = header.cells[:width] + ("",) * (width - len(header.cells))
    columns, notes = clean_names(cells)
    below = [row for row in rows if row.line > header.last_line]
    rule = bool(below) and below[0].filled > 0 and all(_RULE.match(cell) for cell in below[0].cells[:width])
    preamble = tuple(row.line for row in rows if row.line < header.line and row.filled)
    if preamble:
        notes.append(f"{len(preamble)} line(s) above the header, on line {header.line}, were passed over")
    if is_sheet and any(_filled_width(row) > width for row in below):
        notes.append("cells to the right of the last column name were left out")
    if rule:
        notes.append(f"line {below[0].line} is a ruled line and was passed over")
    return Header(
        line=header.line,
        first_data_line=(below[0].last_line if rule else header.last_line) + 1,
        columns=columns,
        preamble_lines=preamble,
        notes=(*notes, *_value_notes(below, columns)),
    )


def _filled_width(row: Row) -> int:
    """Number of cells up to the last filled one."""
    return max((place for place, cell in enumerate(row.cells, start=1) if cell.strip()), default=0)


def _search_sheet_header(rows: Sequence[Row], name: str) -> tuple[Row, int]:
    most = max((row.filled for row in rows), default=0)
    for row in rows:
        if row.line <= HEADER_SEARCH_LINES and row.filled >= max(1, -(-most // 2)):
            return row, _filled_width(row)
    raise InputError(
        f"No header row was found in the first {HEADER_SEARCH_LINES} rows.",
        where=name,
        mend="Name the row that the header is on with header_row.",
    )


def _row_at(rows: Sequence[Row], line: int, name: str) -> Row:
    for row in rows:
        if row.line == line and row.filled:
            return row
    raise InputError(
        f"Line {line} is not a header row.",
        where=name,
        mend="header_row counts lines from 1 and must be one of the first lines of the file.",
    )


def _search_header(rows: Sequence[Row], name: str) -> tuple[Row, int]:
    filled = [row for row in rows if row.filled]
    width, share = _usual([len(row.cells) for row in filled])
    if share < 0.5:
        # So many damaged lines that they cannot say how wide the table is: its first full line does.
        full = [row for row in filled if row.filled == len(row.cells) > 1]
        width = len((full or filled)[0].cells)
    for number, row in enumerate(filled):
        if row.line > HEADER_SEARCH_LINES:
            break
        if len(row.cells) == width and row.filled >= max(min(2, width), -(-width // 2)):
            return row, width
        if len(row.cells) == width - 1 == row.filled > 1:
            # One name too few: names and values would be paired wrongly, unless the extra field is blank.
            if _all_end_blank(filled[number + 1 :], width):
                return row, width
            raise _no_header(row, width, name)
    raise _no_header(filled[0], width, name)


def _no_header(found: Row, width: int, name: str) -> InputError:
    return InputError(
        f"No header row was found: line {found.line} has {len(found.cells)} field(s), most have {width}.",
        where=name,
        mend="Name the line that the header is on with header_row, or mend the header.",
    )


def _all_end_blank(rows: Sequence[Row], width: int) -> bool:
    """True where every row has one field more than the header and leaves it blank."""
    return bool(rows) and all(len(row.cells) == width and not row.cells[-1].strip() for row in rows)


def _refuse_data_as_header(header: Row, below: Sequence[Row], name: str) -> None:
    """A record that stands where the names should would give its values out as names of columns."""
    names = _plain_cells(header)
    records = [cells for cells in map(_plain_cells, below) if cells != names]
    seen = [{cells[place] for cells in records if place < len(cells)} for place in range(len(names))]
    filled = {place: cell for place, cell in enumerate(names) if cell}
    like_data = sum(
        bool(_LOOKS_LIKE_DATA.match(cell)) or is_identifier(cell) or cell in seen[place]
        for place, cell in filled.items()
    )
    telling = sum(map(is_identifier, filled.values()))
    if like_data * 2 >= len(filled) or telling > 1:
        raise InputError(
            f"Line {header.line} looks like a record and not like a header: {like_data} of its {len(filled)} "
            "names are numbers, dates, personal details or values that stand below.",
            where=name,
            mend=f"Put a line of column names above the records, or set header_row = {header.line}.",
        )


def _plain_cells(row: Row) -> list[str]:
    return [cell.strip().casefold() for cell in row.cells]


def clean_names(raw: Sequence[str]) -> tuple[tuple[str, ...], list[str]]:
    """Column names without invisible characters, each once; and notes on those that were changed.

    Names that differ in capitals alone count as the same, as they do in SQL. A name that is a phone number or the
    like stands over no column that anyone named, and is left out.
    """
    notes: list[str] = []
    names: list[str] = []
    taken: set[str] = set()
    for number, original in enumerate(raw, start=1):
        name = _INVISIBLE.sub(" ", str(original)).strip()[:NAME_LENGTH]
        if not name:
            name = f"column_{number}"
            notes.append(f"column {number} has no name: called {name}")
        elif is_identifier(name):
            name = f"column_{number}"
            notes.append(f"column {number} has a name that could tell who someone is: called {name}")
        elif name.casefold() in taken:
            repeated, name = name, _unused(name, taken)
            notes.append(f"column {number} repeats the name '{repeated}': called {name}")
        name = _unused(name, taken) if name.casefold() in taken else name
        taken.add(name.casefold())
        names.append(name)
    return tuple(names), notes


def _unused(name: str, taken: set[str]) -> str:
    number = 2
    while f"{name}_{number}".casefold() in taken:
        number += 1
    return f"{name}_{number}"


def _value_notes(rows: Sequence[Row], columns: Sequence[str]) -> list[str]:
    """Columns whose values carry marks of a spreadsheet program, which are kept as they are."""
    notes = []
    for number, column in enumerate(columns):
        values = [row.cells[number] for row in rows if number < len(row.cells) and row.cells[number].strip()]
        marks = {
            "an apostrophe in front": sum(value.startswith("'") for value in values),
            "an equals sign in front": sum(value.startswith("=") for value in values),
            "a tab around them": sum(value != value.strip("\t") for value in values),
            "a non-breaking space": sum("\u00a0" in value for value in values),
        }
        notes += [
            f"values of '{column}' have {mark}; they are kept as they are"
            for mark, times in marks.items()
            if values and times * 2 >= len(values)
        ]
    return notes


# ---------------------------------------------------------------- footer


@cache
def _footer_words(match: str) -> tuple[str, ...]:
    text = (files("equitydata.rules") / "footer_words.csv").read_text(encoding="utf-8")
    return tuple(row["text"] for row in csv.DictReader(text.splitlines()) if row["match"] == match)


def _footer_lines(tail: str, lines: int, delimiter: str, header: Header) -> tuple[int, ...]:
    found = _LINE.findall(tail)[-FOOTER_SEARCH_LINES:]
    first = lines - len(found) + 1
    rows = [
        Row(first + number, first + number, tuple(next(csv.reader([line], delimiter=delimiter), ())))
        for number, line in enumerate(found)
        if first + number >= header.first_data_line
    ]
    return find_footer(rows, width=len(header.columns))


def find_footer(rows: Sequence[Row], *, width: int) -> tuple[int, ...]:
    """Lines at the end of a table that are a total or a note and no record; rows are its last rows."""
    found: list[int] = []
    for number in range(len(rows) - 1, -1, -1):
        row = rows[number]
        if not row.filled:
            continue
        set_apart = number > 0 and not rows[number - 1].filled
        if not _is_footer(row, width=width, set_apart=set_apart):
            break
        found.append(row.line)
    return tuple(sorted(found))


def _is_footer(row: Row, *, width: int, set_apart: bool) -> bool:
    """A total row, a note in one cell, or one cell set apart from the table by a blank line."""
    first = next(cell for cell in row.cells if cell.strip()).strip().casefold()
    total = first in _footer_words("exact")
    note = first.startswith(_footer_words("prefix")) or any(
        text in first for text in _footer_words("contains")
    )
    if total:
        return True
    if row.filled == 1 and width > 1:
        return note or (set_apart and len(row.cells) == 1)
    return note and len(row.cells) != width
