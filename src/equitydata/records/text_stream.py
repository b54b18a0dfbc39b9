"""Bytes of a text file -> its text as UTF-8, block by block: never the whole file at once."""

from __future__ import annotations

import codecs
import gzip
import hashlib
import re
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

import numpy as np

from equitydata.errors import ConfigError, InputError

BLOCK_BYTES = 16 * 1024**2
TAIL_BYTES = 64 * 1024
GZIP_MAGIC = b"\x1f\x8b"

# The order matters: the mark of UTF-32 little-endian begins with that of UTF-16.
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_MULTI_BYTE = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")


@dataclass(frozen=True)
class TextSurvey:
    """What one pass over a text file finds.

    size, sha256 : bytes and hash of the file as it lies there, compressed or not.
    encoding, bom_bytes : how its text is held, and the length of its byte order mark.
    lines : physical lines, a last one without a line end included.
    ends_whole : False when the last line has no line end.
    tail : the last TAIL_BYTES of the text, as UTF-8.
    """

    size: int
    sha256: str
    encoding: str
    bom_bytes: int
    lines: int
    ends_whole: bool
    tail: bytes
    notes: tuple[str, ...] = ()


class BadByteError(Exception):
    """A byte that the encoding does not have; `is_end` where the file ends in the middle of a letter."""

    def __init__(self, offset: int, *, is_end: bool) -> None:
        super().__init__(offset)
        self.offset, self.is_end = offset, is_end


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn what can go wrong while reading bytes into an InputError."""
    try:
        yield
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise InputError(
            "The gzip file is damaged or cut short.", where=path.name, mend="Copy or export it again."
        ) from None
    except OSError as error:
        raise InputError(
            f"The file cannot be read ({error.strerror or type(error).__name__}).",
            where=path.name,
            mend="Check that it exists, is not open in another program, and that you may read it.",
        ) from None


def sha256_of(path: Path) -> str:
    """SHA-256 of a file as it lies there, in hexadecimal."""
    with readable(path), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_gzip(path: Path) -> bool:
    """True for a file that begins as gzip does."""
    with readable(path), path.open("rb") as file:
        return file.read(2) == GZIP_MAGIC


def head_of(path: Path, size: int) -> bytes:
    """The first bytes of a text file, unpacked if it is gzip."""
    with readable(path), _open(path) as file:
        return _read_full(file, size)


def _open(path: Path) -> IO[bytes]:
    return gzip.open(path, "rb") if is_gzip(path) else path.open("rb", buffering=0)  # type: ignore[return-value]


def _read_full(file: IO[bytes], size: int) -> bytes:
    """Read `size` bytes unless the file ends first: an unbuffered read may give fewer."""
    parts = []
    while size > 0 and (part := file.read(size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def raw_blocks(path: Path, *, skip: int = 0) -> Iterator[tuple[bytes, bool]]:
    """Yield (block, is the last) from byte `skip` on; an empty file gives one empty block."""
    with readable(path), _open(path) as file:
        _read_full(file, skip)
        block = _read_full(file, BLOCK_BYTES)
        while True:
            following = _read_full(file, BLOCK_BYTES) if block else b""
            yield block, not following
            if not following:
                return
            block = following


def utf8_blocks(path: Path, encoding: str, *, bom_bytes: int = 0, checked: bool = False) -> Iterator[bytes]:
    """Yield the text of a file as blocks of UTF-8, without its byte order mark.

    checked : UTF-8 that was surveyed before is passed on as it is.
    Raises BadByteError at the first byte that the encoding does not have.
    """
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    is_utf8 = codecs.lookup(encoding).name == "utf-8"
    ascii_is_same = _holds_ascii(encoding)
    position = bom_bytes
    for raw, last in raw_blocks(path, skip=bom_bytes):
        pending = len(decoder.getstate()[0])
        if (is_utf8 and checked) or (ascii_is_same and not pending and raw.isascii()):
            yield raw
        else:
            try:
                text = decoder.decode(raw, last)
            except UnicodeDecodeError as error:
                is_end = last and error.end - pending >= len(raw) and "end" in error.reason
                raise BadByteError(position + error.start - pending, is_end=is_end) from None
            yield raw if is_utf8 else text.encode("utf-8")
        position += len(raw)


def _holds_ascii(encoding: str) -> bool:
    """True where a byte below 128 means what it means in ASCII (UTF-8, cp1252, latin-1 ...)."""
    ascii_bytes = bytes(range(128))
    return ascii_bytes.decode(encoding, errors="replace") == ascii_bytes.decode("ascii")


def count_lines(block: bytes, *, after_carriage_return: bool = False) -> int:
    """Line ends in a block: LF, CR LF or CR alone, each once, however blocks are cut."""
    lines = block.count(b"\n")
    if b"\r" in block:
        lines += block.count(b"\r") - block.count(b"\r\n")
    return lines - (after_carriage_return and block[:1] == b"\n")


# ---------------------------------------------------------------- survey


def survey_text(path: Path, *, encoding: str | None = None) -> TextSurvey:
    """Read a text file once: its encoding, hash, number of lines and last lines.

    The encoding is the one given, else that of the byte order mark, else UTF-16 by its pattern of NULs, else
    UTF-8 if all of it is, else Windows-1252 with a note.
    Raises InputError with the byte offset where none fits.
    """
    found, bom_bytes = _marked_encoding(path)
    if encoding is not None:
        return _survey_as(path, _known_encoding(encoding), bom_bytes)
    if found is not None:
        return _survey_as(path, found, bom_bytes)
    try:
        return _survey(path, "utf-8", 0)
    except BadByteError as error:
        return _survey_as_windows(path, first_bad=error.offset, is_end=error.is_end)


def _known_encoding(encoding: str) -> str:
    try:
        b"".decode(encoding)
        name = codecs.lookup(encoding).name
    except LookupError:
        raise ConfigError(
            f"'{encoding}' is not an encoding.", mend="Try utf-8, cp1252, utf-16-le or iso8859-1."
        ) from None
    return {"utf-8-sig": "utf-8", "utf-16": "utf-16-le", "utf-32": "utf-32-le"}.get(name, name)


def _marked_encoding(path: Path) -> tuple[str | None, int]:
    head = head_of(path, TAIL_BYTES)
    for mark, encoding in _BYTE_ORDER_MARKS:
        if head.startswith(mark):
            return encoding, len(mark)
    return _utf16_by_pattern(head), 0


def _utf16_by_pattern(head: bytes) -> str | None:
    """UTF-16 without a mark: Latin text has a NUL in nearly every second byte, on one side only."""
    pairs = np.frombuffer(head[: len(head) // 2 * 2], np.uint8).reshape(-1, 2)
    if len(pairs) < 2:
        return None
    first, second = (pairs == 0).mean(axis=0)
    if second > 0.4 and first < 0.1:
        return "utf-16-le"
    if first > 0.4 and second < 0.1:
        return "utf-16-be"
    return None


def _survey_as(path: Path, encoding: str, bom_bytes: int) -> TextSurvey:
    try:
        return _survey(path, encoding, bom_bytes)
    except BadByteError as error:
        raise InputError(
            f"The file is not {encoding}: byte {error.offset:,} does not fit.",
            where=path.name,
            mend="Name the right encoding, for example encoding = 'cp1252', or export it again as UTF-8.",
        ) from None


def _survey_as_windows(path: Path, *, first_bad: int, is_end: bool) -> TextSurvey:
    if is_end or _is_mostly_utf8(path):
        raise InputError(
            f"The file is UTF-8 but for byte {first_bad:,}{_line_of(path, first_bad)}: it is damaged, "
            "cut short, or was put together from files of different encodings.",
            where=path.name,
            mend="Export it again as UTF-8, or name an encoding yourself, for example encoding = 'cp1252'.",
        )
    try:
        survey = _survey(path, "cp1252", 0)
    except BadByteError as error:
        raise InputError(
            f"The file is neither UTF-8 (byte {first_bad:,}) nor Windows-1252 (byte {error.offset:,}).",
            where=path.name,
            mend="Name its encoding, for example encoding = 'iso8859-1', or export it again as UTF-8.",
        ) from None
    note = f"not UTF-8 (first at byte {first_bad:,}): read as Windows-1252"
    return replace(survey, notes=(note,))


def _is_mostly_utf8(path: Path) -> bool:
    """True when at least as many letters are UTF-8 as are not: Windows-1252 would turn these into noise."""
    letters = stray = 0
    for block, _ in raw_blocks(path):
        if block.isascii():
            continue
        found = _MULTI_BYTE.findall(block)
        letters += len(found)
        high = int(np.count_nonzero(np.frombuffer(block, np.uint8) >= 0x80))
        stray += high - sum(map(len, found))
    return letters > 0 and letters >= stray


def _line_of(path: Path, offset: int) -> str:
    lines, position = 1, 0
    for block, _ in raw_blocks(path):
        lines += count_lines(block[: max(0, offset - position)])
        position += len(block)
        if position > offset:
            break
    return f" (line {lines:,})"


def _survey(path: Path, encoding: str, bom_bytes: int) -> TextSurvey:
    lines, tail = 0, b""
    with ThreadPoolExecutor(1) as pool:
        digest = pool.submit(sha256_of, path)
        for block in utf8_blocks(path, encoding, bom_bytes=bom_bytes):
            lines += count_lines(block, after_carriage_return=tail[-1:] == b"\r")
            tail = (tail + block)[-TAIL_BYTES:] if len(block) < TAIL_BYTES else block[-TAIL_BYTES:]
    ends_whole = tail[-1:] in (b"", b"\n", b"\r")
    return TextSurvey(
        size=path.stat().st_size,
        sha256=digest.result(),
        encoding=encoding,
        bom_bytes=bom_bytes,
        lines=lines + (not ends_whole),
        ends_whole=ends_whole,
        tail=tail,
    )
