"""Texts -> keyed pseudonyms, in the engine: HMAC-SHA256 (FIPS 198-1) put together from its plain hash.

The key stands in a small table beside the records, so that it is in no SQL text that an engine may keep or repeat.
"""

from __future__ import annotations

from typing import Any

import ibis
import ibis.expr.datatypes as dt
import pyarrow as pa

from equitydata.records.deidentifying.choices import load_choices
from equitydata.records.deidentifying.keys import Key
from equitydata.records.engine import Engine

_INNER, _OUTER = "__key_inner", "__key_outer"
# What is hashed for the days that a person's dates are moved by, so that they tell nothing of the pseudonym.
OFFSET_OF = "date offset:"
# So many hexadecimal digits are a whole number that every engine holds exactly.
_DIGITS_OF_A_NUMBER = 13


@ibis.udf.scalar.builtin(name="sha256", signature=((dt.binary,), dt.string))
def _sha256(content):  # type: ignore[no-untyped-def]
    """DuckDB's own function: the hash in hexadecimal digits."""


@ibis.udf.scalar.builtin(name="unhex", signature=((dt.string,), dt.binary))
def _unhex(digits):  # type: ignore[no-untyped-def]
    """DuckDB's own function: hexadecimal digits as bytes."""


@ibis.udf.scalar.builtin(name="hex", signature=((dt.string,), dt.string))
def _hex(text):  # type: ignore[no-untyped-def]
    """DuckDB's own function: the bytes of a text (UTF-8) in hexadecimal digits."""


@ibis.udf.scalar.builtin(name="left", signature=((dt.string, dt.int64), dt.string))
def _first(text, characters):  # type: ignore[no-untyped-def]
    """DuckDB's own function: the first characters of a text."""


def beside_key(table: Any, key: Key, engine: Engine) -> tuple[Any, Any]:
    """The table with the key's two blocks beside each row, and the small table they come from, to be dropped."""
    pads = key.pads()
    digits = [pa.array([pads[name][0].as_py().hex()]) for name in ("inner", "outer")]
    small = engine.lookup(pa.Table.from_arrays(digits, names=[_INNER, _OUTER]), "pads")
    return table.cross_join(small), small


def pseudonym(table: Any, text: Any) -> Any:
    """The pseudonym of a text, of a table that stands beside its key; null stays null."""
    return _first(_hmac(table, text), load_choices().value("pseudonym_digits"))


def offset_days(table: Any, text: Any) -> Any:
    """Days that a person's dates are moved by: from -most to most, never 0."""
    most = load_choices().value("offset_days")
    digits = _first(_hmac(table, ibis.literal(OFFSET_OF) + text), _DIGITS_OF_A_NUMBER)
    number = (ibis.literal("0x") + digits).cast("int64") % (2 * most)
    return ibis.ifelse(number < most, number - most, number - most + 1).cast("int32")


def _hmac(table: Any, text: Any) -> Any:
    inner = _sha256(_unhex(table[_INNER] + _hex(text)))
    return _sha256(_unhex(table[_OUTER] + inner))
