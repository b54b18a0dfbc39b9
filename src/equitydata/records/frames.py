"""A table in memory (pandas, polars, pyarrow) -> Arrow, never changing what was passed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from equitydata.errors import InputError
from equitydata.records.preflight import clean_names


def is_list_of_paths(source: Any) -> bool:
    """True for a list or tuple of nothing but paths."""
    return isinstance(source, list | tuple) and all(isinstance(each, str | Path) for each in source)


def to_arrow(source: Any) -> tuple[pa.Table, list[str]]:
    """A table in memory as Arrow, and notes; a pandas index is left out.

    Raises InputError for anything else, and for columns in levels or named twice.
    """
    notes: list[str] = []
    if isinstance(source, pd.DataFrame):
        table, notes = _from_pandas(source)
    elif type(source).__module__.partition(".")[0] == "polars":
        table = _from_polars(source)
    elif isinstance(source, pa.Table):
        table = source
    elif isinstance(source, pa.RecordBatch):
        table = pa.Table.from_batches([source])
    elif isinstance(source, pa.RecordBatchReader):
        table = source.read_all()
    else:
        raise InputError(
            f"An extract cannot be read from a {type(source).__name__}.",
            mend="Pass a path, a list of paths, a pandas, polars or pyarrow table, an Ibis table, "
            "or a database address.",
        )
    _refuse_repeated(table.column_names)
    if not table.num_columns:
        raise InputError("The table has no columns.", mend="Pass the table of records.")
    names, renamed = clean_names(table.column_names)
    plain = [_plain(column) for column in table.columns]
    return pa.Table.from_arrays(plain, names=list(names)), [*notes, *renamed]


def _refuse_repeated(names: Iterable[Any]) -> None:
    repeated = sorted(str(name) for name, times in Counter(names).items() if times > 1)
    if repeated:
        raise InputError(
            f"The table has the column '{repeated[0]}' more than once.", mend="Give each column its own name."
        )


def _from_polars(source: Any) -> pa.Table:
    if hasattr(source, "collect"):
        source = source.collect()
    if not hasattr(source, "to_arrow") or not hasattr(source, "columns"):
        raise InputError("A polars table is needed here.", mend="Pass a DataFrame or a LazyFrame.")
    return source.to_arrow()


def _from_pandas(frame: pd.DataFrame) -> tuple[pa.Table, list[str]]:
    if isinstance(frame.columns, pd.MultiIndex):
        raise InputError(
            "The columns of the table have several levels.",
            mend="Flatten them, for example frame.columns = ['_'.join(name) for name in frame.columns].",
        )
    _refuse_repeated(frame.columns)
    columns, notes = [], []
    for number, name in enumerate(frame.columns):
        series = frame.iloc[:, number]
        try:
            array = pa.array(series, from_pandas=True)
            if isinstance(array.type, pa.ExtensionType):
                raise pa.ArrowNotImplementedError
        except (pa.ArrowException, TypeError, ValueError, OverflowError):
            # Arrow's message repeats a value: mixed kinds are read as text instead, and said so.
            array = _as_text(series, str(name))
            notes.append(f"'{name}' holds values of different kinds: read as text")
        columns.append(array)
    return pa.table(columns, names=[str(name) for name in frame.columns]), notes


def _as_text(series: pd.Series, name: str) -> pa.Array:
    try:
        return pa.array(series.astype("string"), pa.string(), from_pandas=True)
    except Exception:
        raise InputError(
            f"The column '{name}' cannot be read.", mend="Turn it into text, numbers or dates first."
        ) from None


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The same values in a type that every engine knows."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _plain(column.cast(kind.value_type))
    if pa.types.is_null(kind) or kind == pa.string_view():
        return column.cast(pa.string())
    if pa.types.is_float16(kind):
        return column.cast(pa.float32())
    if pa.types.is_timestamp(kind) and kind.tz is not None:
        # The day that the clock on the wall showed, and not that of Greenwich.
        return pc.local_timestamp(column)
    return column
