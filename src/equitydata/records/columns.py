"""Columns of an extract as expressions: their text, their distinct values, and conditions on them."""

from __future__ import annotations

from typing import Any

import ibis
import pandas as pd

from equitydata.records.engine import Engine
from equitydata.service import Condition, Service

# A date column of text is cut to its first characters before it is listed, so that a column of timestamps
# gives hundreds of distinct days and not millions of distinct seconds. Eleven hold "01-Apr-2025"; a month in
# words may need eighteen ("30 September 2025").
DATE_TEXT_LENGTH = 11
WORDY_DATE_TEXT_LENGTH = 18


def mapped_columns(service: Service, *, outcomes: bool = True) -> dict[str, str]:
    """Every column that a service file names -> the key that names it. outcomes : those of measures too."""
    extract, columns = service.extract, {}
    for key in ("person", "date", "record", "point_of_care", "site"):
        columns[getattr(extract, key)] = f"[extract] {key}"
    for number, condition in enumerate(extract.exclude, start=1):
        columns |= dict.fromkeys(condition.columns, f"[extract] exclude, condition {number}")
    for name, settings in service.characteristics.items():
        where = f"[characteristics.{name}]"
        columns[settings.column] = f"{where} column"
        columns[settings.recorded] = f"{where} recorded"
        columns[settings.observed] = f"{where} observed"
        columns[settings.source.column if settings.source else None] = f"{where} source"
        columns |= dict.fromkeys(settings.applies.columns if settings.applies else (), f"{where} applies")
    for name, measure in service.measures.items() if outcomes else ():
        columns |= {column: f"[measures.{name}]" for column in measure.columns if column not in columns}
    columns.pop(None, None)
    return columns


def as_text(table: Any, column: str) -> Any:
    """A column as text, by which it is looked up."""
    values = table[column]
    return values if values.type().is_string() else values.cast("string")


def distinct(engine: Engine, table: Any, key: Any) -> pd.DataFrame:
    """Distinct values of an expression: columns value and records; nulls are left out."""
    counted = table.mutate(value=key).group_by("value").agg(records=lambda t: t.count())
    return engine.to_frame(counted.filter(counted.value.notnull()).order_by("value"))


def date_key(table: Any, column: str) -> Any:
    """The text of a date column by which it is listed: the day, without the time."""
    values = table[column]
    if values.type().is_timestamp() or values.type().is_date():
        return values.cast("date").cast("string")
    text = as_text(table, column)
    # The month in letters begins at the third or fourth character: "1 April 2025", "01-Apr-2025".
    wordy = (text.substr(2, 1) > "@") | (text.substr(3, 1) > "@")
    return ibis.ifelse(wordy, text.substr(0, WORDY_DATE_TEXT_LENGTH), text.substr(0, DATE_TEXT_LENGTH))


# The first character that is not blank; text that is empty or begins with a blank sorts before it.
FIRST_VISIBLE = "!"


def is_blank(text: Any) -> Any:
    """Whether text is blank: only what sorts among the blanks is trimmed, as trimming every value is slow."""
    return ibis.ifelse(text < FIRST_VISIBLE, text.strip() == "", False)


def _number_text(column: Any) -> Any:
    """A floating number as its text, whole ones without a point: a column with blanks may hold 5 as 5.0."""
    whole = column == column.floor()
    text = ibis.ifelse(whole, column.cast("int64").cast("string"), column.cast("string"))
    return ibis.ifelse(column.isnan(), ibis.null("string"), text)


def meets(table: Any, condition: Condition) -> Any:
    """Boolean value: which rows meet a condition of one column.

    A null never does, unless missing = true is asked. Days apart are read by `measuring`, which knows dates.
    """
    name = str(condition.column)
    column = table[name]
    text = (_number_text(column) if column.type().is_floating() else as_text(table, name)).strip().lower()
    blank = text.isnull() | (text == "")
    parts = []
    if condition.missing is not None:
        parts.append(blank if condition.missing else ~blank)
    if condition.in_ is not None:
        parts.append(text.isin([value.strip().lower() for value in condition.in_]))
    if condition.not_in is not None:
        parts.append(~text.isin([value.strip().lower() for value in condition.not_in]) | blank)
    if condition.equals is not None:
        parts.append(text == condition.equals.strip().lower())
    low, high = condition.between or (None, None)
    limits = ((condition.at_least, condition.at_most), (low, high))
    if any(limit is not None for pair in limits for limit in pair):
        number = column if column.type().is_numeric() else text.try_cast("float64")
        for least, most in limits:
            parts += [] if least is None else [number >= least]
            parts += [] if most is None else [number <= most]
    met = parts[0]
    for part in parts[1:]:
        met = met & part
    return met.fill_null(False)
