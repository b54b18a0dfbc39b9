"""Delimited text -> Arrow batches of text columns, and a ledger of every line that was not used.

Each block is read in three steps: numpy finds its records and what is wrong with them, the damaged ones are
cut out, and Arrow parses the rest, which by then is known to be rectangular. So the count of lines does not
hang on how forgiving a parser is, and it is checked against the parser block by block.
"""

from __future__ import annotations

import os
import re
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as arrow_csv

from equitydata.errors import EquityDataError, InputError
from equitydata.records.ledger import BLANK_LINE, FOOTER_LINE, LINES_SHOWN, REPEATED_HEADER, Ledger
from equitydata.records.preflight import TextLayout
from equitydata.records.text_records import CR, LF, QUOTE, Mask, TextRecords, find_records
from equitydata.records.text_stream import count_lines, utf8_blocks

# A quoted field that runs on for longer than this was never closed.
MAX_RECORD_BYTES = 64 * 1024**2

OPEN_QUOTE = "a quote is opened and not closed on its line"
UNCLOSED_QUOTE = "a quote is opened and never closed"
TEXT_AFTER_QUOTE = "text follows a closing quote"
NUL_BYTE = "the line holds a NUL byte"

_BLANKS_LOOKED_FOR = 20
_END_OF_FILE_MARK = 26  # Ctrl-Z, which old programs write at the end of a file


def text_schema(columns: Sequence[str]) -> pa.Schema:
    """Every column as text."""
    return pa.schema([(column, pa.string()) for column in columns])


def read_batches(
    path: Path, layout: TextLayout, *, columns: Sequence[str], ledger: Ledger
) -> Iterator[pa.RecordBatch]:
    """Yield the used rows of a file as batches of text; an empty field is null.

    columns : those wanted, in the order wanted. ledger : filled while the batches are drawn.
    Raises InputError for damage that cannot be told apart line by line.
    """
    workers = min(4, os.cpu_count() or 1)
    waiting: deque[Future[pa.Table]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        for block, rows, line in _clean_blocks(path, layout, ledger):
            waiting.append(pool.submit(_parse, block, rows, line, layout, columns))
            if len(waiting) > workers:
                yield from waiting.popleft().result().to_batches()
        while waiting:
            yield from waiting.popleft().result().to_batches()
    ledger.check(ended=True)


def _parse(block: bytes, rows: int, line: int, layout: TextLayout, columns: Sequence[str]) -> pa.Table:
    try:
        table = arrow_csv.read_csv(
            pa.py_buffer(block),
            read_options=arrow_csv.ReadOptions(
                use_threads=False, block_size=len(block) + 1, column_names=layout.columns
            ),
            parse_options=arrow_csv.ParseOptions(delimiter=layout.delimiter, newlines_in_values=True),
            convert_options=arrow_csv.ConvertOptions(
                check_utf8=False,
                column_types=text_schema(layout.columns),
                include_columns=list(columns),
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=True,
            ),
        )
    except pa.ArrowInvalid:
        # Arrow's message repeats the line.
        table = None
    if table is None or table.num_rows != rows:
        raise EquityDataError(
            f"The lines from {line:,} on cannot be parsed as they were counted.",
            where=layout.name,
            mend="Please report this. Opening it in a spreadsheet program and saving it again may help.",
        )
    return table


# ---------------------------------------------------------------- blocks of whole records


def _clean_blocks(path: Path, layout: TextLayout, ledger: Ledger) -> Iterator[tuple[bytes, int, int]]:
    """Yield (bytes of good records, how many, line of the first) block by block."""
    for block, records in _whole_records(path, layout, ledger):
        good = _judge(block, records, layout, ledger)
        used = int(np.count_nonzero(good))
        ledger.rows_used += used
        ledger.stray_quotes += records.stray_quotes
        ledger.check(ended=False)
        if used:
            yield _cut(block, records, good), used, int(records.line[0])


def _whole_records(path: Path, layout: TextLayout, ledger: Ledger) -> Iterator[tuple[bytes, TextRecords]]:
    """Yield blocks that begin at a record, with their records; what is left over begins the next block."""
    carried, line, to_skip = b"", layout.data_line, layout.data_offset
    for block in utf8_blocks(path, layout.encoding, bom_bytes=layout.bom_bytes, checked=True):
        carried += block[to_skip:]
        to_skip -= min(to_skip, len(block))
        # A CR at the very end may be half of a CR LF: it waits for the next block.
        known = carried[:-1] if carried.endswith(b"\r") else carried
        records = find_records(known, delimiter=layout.delimiter, first_line=line)
        if len(records):
            yield known, records
            carried = carried[records.consumed :]
            line = int(records.line[-1] + records.lines[-1])
        elif len(carried) > MAX_RECORD_BYTES:
            raise InputError(
                f"Line {line:,} runs on for more than {MAX_RECORD_BYTES // 1024**2} MB.",
                where=layout.name,
                mend="A quote was probably opened there and never closed. Export the file again.",
            )
    if carried:
        last = carried if carried.endswith((b"\n", b"\r")) else carried + b"\n"
        records = find_records(last, delimiter=layout.delimiter, first_line=line)
        if len(records):
            yield last, records
            line = int(records.line[-1] + records.lines[-1])
        left = count_lines(last[records.consumed :])
        ledger.reject(UNCLOSED_QUOTE, left, range(line, line + min(left, LINES_SHOWN)))


def _cut(block: bytes, records: TextRecords, good: Mask) -> bytes:
    """The bytes of the good records alone."""
    if good.all():
        return block[: records.consumed]
    keep = np.repeat(good, records.end - records.start)
    return np.frombuffer(block, np.uint8)[: records.consumed][keep].tobytes()


# ---------------------------------------------------------------- what is wrong with a record


def _judge(block: bytes, records: TextRecords, layout: TextLayout, ledger: Ledger) -> Mask:
    """Which records are used; each other one is entered in the ledger under the first reason that holds.

    A record of the wrong width that runs over several lines comes from a quote that was not closed: each of
    its lines was probably a row, so each is counted.
    """
    width = len(layout.columns)
    wrong_width = records.fields != width
    reasons = {
        FOOTER_LINE: _on_lines(records, layout.footer_lines),
        BLANK_LINE: _blank(block, records, layout),
        REPEATED_HEADER: _repeats_header(block, records, layout),
        NUL_BYTE: _holds(block, b"\x00", records),
        TEXT_AFTER_QUOTE: records.unfinished_quote & ~wrong_width,
        OPEN_QUOTE: wrong_width & (records.lines > 1),
    }
    good = np.ones(len(records), np.bool_)
    for reason, holds in reasons.items():
        found = holds & good
        rows = records.lines[found] if reason == OPEN_QUOTE else found
        ledger.reject(reason, int(rows.sum()), records.line[found][:LINES_SHOWN])
        good &= ~found
    ragged = wrong_width & good
    for fields in np.unique(records.fields[ragged]):
        found = ragged & (records.fields == fields)
        reason = f"line has {fields} field{'s' if fields > 1 else ''}, the header has {width}"
        ledger.reject(reason, int(found.sum()), records.line[found][:LINES_SHOWN])
    return good & ~ragged


def _on_lines(records: TextRecords, lines: Sequence[int]) -> Mask:
    """Records that begin on one of a few lines."""
    found = np.zeros(len(records), np.bool_)
    at = np.searchsorted(records.line, lines)
    at = at[at < len(records)]
    found[at] = np.isin(records.line[at], lines)
    return found


def _blank(block: bytes, records: TextRecords, layout: TextLayout) -> Mask:
    """Records without a character that says anything: white space, delimiters and quotes only."""
    # White space apart, a record that says nothing is at most delimiters and empty pairs of quotes.
    short = records.end - records.start <= 3 * len(layout.columns) + _BLANKS_LOOKED_FOR
    if not short.any():
        return short
    says_something = np.ones(256, np.uint8)
    says_something[[LF, CR, QUOTE, ord(" "), ord("\t"), ord(layout.delimiter), _END_OF_FILE_MARK]] = 0
    content = np.frombuffer(block, np.uint8)[: records.consumed]
    return np.maximum.reduceat(says_something[content], records.start) == 0


def _repeats_header(block: bytes, records: TextRecords, layout: TextLayout) -> Mask:
    """Records that are the header once more, as where files were put together end to end."""
    header = layout.header_text.encode()
    found = np.zeros(len(records), np.bool_)
    if not header or header not in block:
        return found
    at = np.array([match.start() for match in re.finditer(re.escape(header), block)])
    owner = np.searchsorted(records.end, at, side="right")
    at, owner = at[owner < len(records)], owner[owner < len(records)]
    content, end = np.frombuffer(block, np.uint8), records.end[owner]
    line_end = end - at - len(header)
    whole = (line_end == 1) | ((line_end == 2) & (content[end - 2] == CR))
    found[owner[whole & (records.start[owner] == at)]] = True
    return found


def _holds(block: bytes, byte: bytes, records: TextRecords) -> Mask:
    """Records that hold a byte."""
    found = np.zeros(len(records), np.bool_)
    if byte in block:
        at = np.flatnonzero(np.frombuffer(block, np.uint8)[: records.consumed] == byte[0])
        found[np.searchsorted(records.end, at, side="right")] = True
    return found
