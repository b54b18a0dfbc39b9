"""A workbook is looked over as a zip archive before anything parses it.

Some tiny workbooks unfold to gigabytes, and some make a reader end the whole process: an archive that
expands too far, a document type definition, one cell in the last corner of the sheet.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from equitydata.errors import InputError, nearest
from equitydata.records.text_stream import readable

MAX_EXPANDED_BYTES = 1024**3
MAX_RATIO = 200
RATIO_COUNTS_ABOVE = 50 * 1024**2
MAX_PARTS = 10_000
MAX_SHEET_CELLS = 60_000_000
LAST_ROW = 1_048_576
LAST_COLUMN = 16_384

_CHUNK = 4 * 1024**2
# Longer than any cell reference or keyword that is searched for, so that none is lost between two chunks.
_OVERLAP = 256
_SAVE_AGAIN = "Open it in a spreadsheet program and save it again as .xlsx, or export the sheet as CSV."

_DOCTYPE = re.compile(rb"<!(?:DOCTYPE|ENTITY)", re.IGNORECASE)
# Attribute r of a row or cell as every spreadsheet program writes it, and as XML would also allow it.
_WIDE = re.compile(rb' r="([A-Za-z]{2,})[0-9]')
_TALL = re.compile(rb' r="[A-Za-z]*([0-9]{5,})"')
_WIDE_ANYHOW = re.compile(rb"""\sr\s*=\s*["']\s*([A-Za-z]{2,})[0-9]""")
_TALL_ANYHOW = re.compile(rb"""\sr\s*=\s*["']\s*[A-Za-z]*([0-9]{5,})""")
_UNUSUAL = (b"r='", b"r =", b"r= ", b"\tr=", b"\nr=", b"\rr=", b"r\t", b"r\n=", b'r="&')


@contextmanager
def _whole_archive(path: Path) -> Iterator[None]:
    try:
        yield
    except (zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, EOFError, NotImplementedError, ValueError):
        raise _refusal(path, "The workbook is damaged or cut short.") from None
    except RuntimeError:
        raise _refusal(path, "The workbook is password-protected.") from None


def _refusal(path: Path, what: str, mend: str = _SAVE_AGAIN) -> InputError:
    return InputError(what, where=path.name, mend=mend)


def check_workbook(path: Path) -> None:
    """Raise InputError for a workbook that is damaged, hostile, or too large to be one."""
    with readable(path), _whole_archive(path), zipfile.ZipFile(path) as archive:
        parts = archive.infolist()
        _check_parts(path, parts)
        for part in parts:
            _check_content(path, archive, part)


def _check_parts(path: Path, parts: list[zipfile.ZipInfo]) -> None:
    names = [part.filename for part in parts]
    if "xl/workbook.xml" not in names:
        other = "an .xlsb workbook" if "xl/workbook.bin" in names else "a zip archive and no .xlsx workbook"
        raise _refusal(path, f"This is {other}.", "Unpack it, or save the table in it as .xlsx or CSV.")
    if len(parts) > MAX_PARTS or len(set(names)) < len(names):
        raise _refusal(path, "The workbook has too many parts, or one part twice.")
    expanded = sum(part.file_size for part in parts)
    if expanded > MAX_EXPANDED_BYTES:
        raise _refusal(path, f"The workbook unpacks to more than {MAX_EXPANDED_BYTES // 1024**3} GB.")
    packed = max(1, sum(part.compress_size for part in parts))
    if expanded > RATIO_COUNTS_ABOVE and expanded / packed > MAX_RATIO:
        raise _refusal(path, f"The workbook unpacks to {expanded // packed} times its size.")


def _check_content(path: Path, archive: zipfile.ZipFile, part: zipfile.ZipInfo) -> None:
    """Look for a document type definition and for the last cell; zipfile itself checks sizes and sums."""
    rows, columns, kept = 1, 26, b""
    with archive.open(part) as stream:
        while chunk := stream.read(_CHUNK):
            text = kept + chunk
            if not kept and text.startswith((b"\xff\xfe", b"\xfe\xff", b"<\x00", b"\x00<")):
                raise _refusal(path, "A part of the workbook is not UTF-8.")
            if _DOCTYPE.search(text):
                raise _refusal(
                    path, "The workbook holds a document type definition, which no workbook needs."
                )
            rows, columns = _extent(text, rows, columns)
            kept = text[-_OVERLAP:]
    if rows > LAST_ROW or columns > LAST_COLUMN or rows * columns > MAX_SHEET_CELLS:
        raise _refusal(
            path,
            f"A sheet reaches to row {rows:,} and column {columns:,}: too far for a table.",
            "Delete the empty rows and columns beyond the table and save the workbook again.",
        )


def _extent(text: bytes, rows: int, columns: int) -> tuple[int, int]:
    unusual = any(form in text for form in _UNUSUAL)
    wide, tall = (_WIDE_ANYHOW, _TALL_ANYHOW) if unusual else (_WIDE, _TALL)
    letters = set(wide.findall(text))
    columns = max([columns, *(_column_number(each) for each in letters)])
    # Only sheets that are very wide need their rows looked at below the last row that a sheet can have.
    pattern = tall if columns * LAST_ROW > MAX_SHEET_CELLS else _beyond(tall)
    found = pattern.findall(text)
    return max([rows, *map(int, found)]) if found else rows, columns


def _beyond(tall: re.Pattern[bytes]) -> re.Pattern[bytes]:
    """The same pattern, for numbers of seven digits and more."""
    return re.compile(tall.pattern.replace(b"{5,}", b"{7,}"))


def _column_number(letters: bytes) -> int:
    number = 0
    for letter in letters.upper()[:8]:
        number = number * 26 + letter - 64
    return number


# ---------------------------------------------------------------- sheets


def open_sheet(path: Path, sheet: str | None) -> tuple[str, Any]:
    """(name, calamine sheet) of the one named, or of the only visible one. The workbook is checked first.

    Raises InputError for an unknown name, and where there is more than one visible sheet and no name.
    """
    check_workbook(path)
    import python_calamine  # here, so that no workbook reaches it unchecked

    with _calamine(path):
        workbook = python_calamine.CalamineWorkbook.from_path(path)
        kinds, seen = python_calamine.SheetTypeEnum, python_calamine.SheetVisibleEnum
        tables = [each for each in workbook.sheets_metadata if each.typ == kinds.WorkSheet]
        names = [str(each.name) for each in tables]
        visible = [str(each.name) for each in tables if each.visible == seen.Visible]
    name = _choose_sheet(path, names, visible, sheet)
    with _calamine(path):
        return name, workbook.get_sheet_by_name(name)


@contextmanager
def _calamine(path: Path) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        # calamine has many kinds of error, one of them a panic outside Exception; they may repeat a cell.
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        raise _refusal(path, "The workbook is damaged.") from None


def _choose_sheet(path: Path, names: list[str], visible: list[str], sheet: str | None) -> str:
    if sheet is not None:
        if sheet not in names:
            raise _refusal(path, f"The workbook has no sheet '{sheet}'.", nearest(sheet, names))
        return sheet
    if len(visible) != 1:
        listed = ", ".join(f"'{name}'" for name in visible) or "none"
        raise _refusal(
            path, f"The workbook has {len(visible)} visible sheets: {listed}.", "Name one with sheet."
        )
    return visible[0]
