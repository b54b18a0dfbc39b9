"""Text -> coded whole numbers, in the engine: a small table joined, or two constant lists.

Both give the same numbers. DuckDB reads columns of few values as a dictionary and works out a function of
constants and one such column once for each entry, so two lists cost next to nothing there, where a join
touches every record. Every other engine, and every longer table, gets the join.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import ibis
import ibis.expr.datatypes as dt
import pandas as pd

from equitydata.records.engine import Engine

# Longer lists are searched from the front too often where a column is no dictionary after all.
MOST_LISTED = 400


@dataclass(frozen=True)
class Frame:
    """Coded columns before they are sent to the engine: raw text and its whole numbers.

    key : expression of a table's text. frame : raw, and a column of whole numbers for each coded column.
    blanks : number of a null, where it is not 0.
    """

    key: Callable[[Any], Any]
    frame: pd.DataFrame
    blanks: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Lookup:
    """Coded columns of one column of the extract.

    table : ibis table of raw and the coded columns; None where constant lists serve.
    finds_nulls : constant lists may hold null as one of the texts.
    columns : coded column -> its number where the text is null. kinds : its whole-number type.
    """

    key: Callable[[Any], Any]
    table: Any
    frame: pd.DataFrame
    columns: Mapping[str, int]
    kinds: Mapping[str, str]
    finds_nulls: bool = False


def make_lookup(name: str, frame: Frame, engine: Engine, *, dictionaries: bool) -> Lookup:
    """A lookup ready to use. dictionaries : the engine reads the extract's columns as dictionaries."""
    columns = [column for column in frame.frame.columns if column != "raw"]
    kinds = {column: smallest_type(frame.frame[column].max()) for column in columns}
    small = frame.frame.astype({"raw": "string", **kinds})
    listed = dictionaries and engine.is_duckdb and 0 < len(small) <= MOST_LISTED
    return Lookup(
        key=frame.key,
        table=None if listed else engine.lookup(small, f"lookup_{name}"),
        frame=small,
        columns={column: frame.blanks.get(column, 0) for column in columns},
        kinds=kinds,
        finds_nulls=listed and engine.finds_nulls,
    )


def smallest_type(largest: float) -> str:
    """The smallest whole-number type that every engine has and that holds 0 to `largest`."""
    if not largest >= 2**15:  # an empty column has no largest
        return "int16"
    return "int32" if largest < 2**31 else "int64"


def coded_name(column: str) -> str:
    """The name of a coded column while it stands beside the columns of the extract."""
    return f"__coded_{column}"


def look_up(table: Any, lookups: Mapping[str, Lookup], columns: Iterable[str]) -> Any:
    """The table with the coded columns asked for, under names of their own (`coded_name`)."""
    wanted = set(columns)
    used = {name: lookup for name, lookup in lookups.items() if wanted & set(lookup.columns)}
    if not used:
        return table
    keys = {f"__key_{name}": lookup.key(table) for name, lookup in used.items()}
    joined = table.mutate(**keys)
    found: dict[str, Callable[[Any], Any]] = {}
    for name, lookup in used.items():
        here = [column for column in lookup.columns if column in wanted]
        if lookup.table is None:
            found |= {column: _listed(joined[f"__key_{name}"], lookup, column) for column in here}
            continue
        right = lookup.table.select(
            **{f"__raw_{name}": lookup.table["raw"]}, **{f"__number_{c}": lookup.table[c] for c in here}
        )
        joined = joined.left_join(right, joined[f"__key_{name}"] == right[f"__raw_{name}"])
        found |= {column: _filled(f"__number_{column}", lookup, column) for column in here}
    return joined.mutate(**{coded_name(column): make(joined) for column, make in found.items()})


def _filled(number: str, lookup: Lookup, column: str) -> Callable[[Any], Any]:
    blank = ibis.literal(lookup.columns[column], lookup.kinds[column])
    return lambda joined: joined[number].fill_null(blank)


def _listed(key: Any, lookup: Lookup, column: str) -> Callable[[Any], Any]:
    """The number at the place of the text in a list of constants."""
    name, kind = key.get_name(), lookup.kinds[column]
    texts, numbers = lookup.frame["raw"].tolist(), lookup.frame[column].tolist()
    if lookup.finds_nulls:
        # As one text more, a null keeps the work at once an entry of the dictionary; filled behind, it would not.
        texts, numbers = [*texts, None], [*numbers, lookup.columns[column]]
    listed = ibis.literal(texts, dt.Array(dt.string))
    # Cast as one constant, so that the numbers are not widened row by row.
    constants = ibis.literal(numbers, dt.Array(dt.int64)).cast(dt.Array(dt.dtype(kind)))
    blank = ibis.literal(lookup.columns[column], kind)

    def find(joined: Any) -> Any:
        found = _list_extract(kind)(constants, _list_position(listed, joined[name]))
        return found if lookup.finds_nulls else found.fill_null(blank)

    return find


@ibis.udf.scalar.builtin(name="list_position", signature=((dt.Array(dt.string), dt.string), dt.int32))
def _list_position(texts, text):  # type: ignore[no-untyped-def]
    """DuckDB's own function: the place of a text in a list, from 1; null where it is not there."""


@cache
def _list_extract(kind: str) -> Any:
    number = dt.dtype(kind)

    @ibis.udf.scalar.builtin(name="list_extract", signature=((dt.Array(number), dt.int32), number))
    def list_extract(numbers, place):  # type: ignore[no-untyped-def]
        """DuckDB's own function: the number at a place of a list."""

    return list_extract
