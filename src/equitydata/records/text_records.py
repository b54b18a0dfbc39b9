"""The structure of delimited text: where each record begins and how many fields it has.

Arrays in, arrays out; nothing here knows a file. The grammar is RFC 4180 with three line ends (LF, CR LF and
CR): a quote opens a field only at its very start, a doubled quote inside is one quote, and a quote that
stands in the middle of an unquoted field is text.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

LF, CR, QUOTE = 10, 13, 34

Mask = npt.NDArray[np.bool_]
Positions = npt.NDArray[np.int64]

# What one quote does to the reader, as a function from state to state.
# States: 0 outside quotes, 1 inside, 2 just closed (a quote straight after it opens again).
# Kinds of quote: at the start of a field; straight after another quote; anywhere else.
_AT_START, _AFTER_QUOTE, _ELSEWHERE = (1, 2, 1), (0, 2, 1), (0, 2, 0)
_ZERO = np.zeros(1, np.int64)


@dataclass(frozen=True)
class TextRecords:
    """The complete records of one block, in order; every array has one entry a record.

    start, end : byte positions, the line end included.
    line, lines : number of its first physical line, and how many lines it runs over.
    fields : number of fields.
    unfinished_quote : text follows a closing quote.
    consumed : bytes up to the end of the last record; what follows belongs to the next block.
    stray_quotes : quotes that were taken as text.
    """

    start: Positions
    end: Positions
    line: Positions
    lines: Positions
    fields: Positions
    unfinished_quote: Mask
    consumed: int
    stray_quotes: int

    def __len__(self) -> int:
        return len(self.start)


def find_records(block: bytes, *, delimiter: str, first_line: int) -> TextRecords:
    """Split a block of UTF-8 into records.

    block : begins at the start of a record and does not end between CR and LF.
    delimiter : one ASCII character. first_line : physical line number of the first byte.
    """
    content = np.frombuffer(block, np.uint8)
    line_ends = _line_ends(content, block)
    if QUOTE in block:
        ends_line, separates, stray, junk = _outside_quotes(content, line_ends, delimiter)
    else:
        separates = np.flatnonzero(line_ends | (content == ord(delimiter)))
        ends_line, stray, junk = line_ends[separates], 0, separates[:0]
    last_fields = np.flatnonzero(ends_line)
    end = separates[last_fields] + 1
    start = np.concatenate((_ZERO, end))[:-1]
    lines = np.ones(len(end), np.int64) if QUOTE not in block else _lines_of(line_ends, end)
    bad = np.zeros(len(end), np.bool_)
    owners = np.searchsorted(end, junk, side="right")
    bad[owners[owners < len(end)]] = True
    return TextRecords(
        start=start,
        end=end,
        line=first_line + np.cumsum(lines) - lines,
        lines=lines,
        fields=np.diff(last_fields, prepend=-1),
        unfinished_quote=bad,
        consumed=int(end[-1]) if len(end) else 0,
        stray_quotes=stray,
    )


def _line_ends(content: npt.NDArray[np.uint8], block: bytes) -> Mask:
    """True at the last byte of each line end."""
    ends = content == LF
    if b"\r" in block and block.count(b"\r") != block.count(b"\r\n"):
        lone = content == CR
        lone[:-1] &= content[1:] != LF
        ends |= lone
    return ends


def _lines_of(line_ends: Mask, end: Positions) -> Positions:
    """Number of physical lines that each record runs over."""
    last = np.searchsorted(np.flatnonzero(line_ends), end)
    return np.diff(last, prepend=0).astype(np.int64)


# ---------------------------------------------------------------- quotes


def _outside_quotes(
    content: npt.NDArray[np.uint8], line_ends: Mask, delimiter: str
) -> tuple[Mask, Positions, int, Positions]:
    """The separators that stand outside quotes.

    Returns which of them end a record, where they are, how many quotes are mere text, and which closing
    quotes neither a separator nor a second quote follows. All work is on the few bytes that matter.
    """
    marks = line_ends | (content == ord(delimiter)) | (content == QUOTE)
    at = np.flatnonzero(marks)
    is_quote = content[at] == QUOTE
    quotes = at[is_quote]
    toggling, closing, stray = _read_quotes(marks, quotes)
    inside = np.bitwise_xor.accumulate(_spread(toggling, is_quote)).view(np.bool_)
    separates = at[~is_quote & ~inside]
    return line_ends[separates], separates, stray, _junk_after(content, marks, quotes[closing])


def _spread(toggling: Mask, is_quote: Mask) -> npt.NDArray[np.uint8]:
    toggles = np.zeros(len(is_quote), np.uint8)
    toggles[is_quote] = toggling
    return toggles


def _read_quotes(marks: Mask, quotes: Positions) -> tuple[Mask, Mask, int]:
    """For each quote, whether it opens or closes a field, and whether it closes; and how many are text."""
    after_quote = np.diff(quotes, prepend=-2) == 1
    at_start = marks[quotes - 1] & ~after_quote
    at_start[:1] |= quotes[:1] == 0
    if np.all(at_start[::2] | after_quote[::2]):
        # Nearly always: every odd quote opens or re-opens a field, every even one closes it.
        return np.ones(len(quotes), np.bool_), np.arange(len(quotes)) % 2 == 1, 0
    states = _states_after(at_start, after_quote)
    previous = np.concatenate((states[:1] * 0, states[:-1]))
    toggling = (states == 1) != (previous == 1)
    return toggling, toggling & (states != 1), int(np.count_nonzero(~toggling))


def _junk_after(content: npt.NDArray[np.uint8], marks: Mask, closing: Positions) -> Positions:
    """Closing quotes that neither a delimiter, a line end nor a second quote follows."""
    following = np.minimum(closing + 1, len(content) - 1)
    fine = marks[following] | (content[following] == CR) | (closing + 1 == len(content))
    return closing[~fine]


def _states_after(at_start: Mask, after_quote: Mask) -> npt.NDArray[np.uint8]:
    """State after each quote, beginning outside quotes.

    Each quote is a function on three states; a running composition of functions is a prefix scan, so the
    answer takes log2(n) array steps (Hillis and Steele 1986, Comm ACM 29:1170-1183).
    """
    kinds = np.where(
        at_start, _encode(_AT_START), np.where(after_quote, _encode(_AFTER_QUOTE), _encode(_ELSEWHERE))
    )
    functions = kinds.astype(np.uint8)
    step = 1
    while step < len(functions):
        combined = functions.copy()
        combined[step:] = _COMPOSED[functions[:-step], functions[step:]]
        functions = combined
        step *= 2
    return functions % 3


def _encode(function: tuple[int, int, int]) -> int:
    """A function on three states as a number: its value at 0 is the lowest digit to base 3."""
    return function[0] + 3 * function[1] + 9 * function[2]


def _decode(number: int) -> tuple[int, int, int]:
    return number % 3, number // 3 % 3, number // 9


# _COMPOSED[first, second] is "first, then second".
_COMPOSED = np.array(
    [
        [_encode(tuple(_decode(second)[state] for state in _decode(first))) for second in range(27)]  # type: ignore[arg-type]
        for first in range(27)
    ],
    np.uint8,
)
