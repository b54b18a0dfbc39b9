"""Dates as people and programs write them -> dates, with what was assumed said beside each one.

Works on distinct values, a few thousand at most of a file, and never guesses in silence: the column `form`
says how each value was read, and `date_notes` puts that into words.
"""

from __future__ import annotations

import csv
import re
from datetime import date
from functools import cache
from importlib.resources import files

import numpy as np
import pandas as pd

from equitydata.model import Status

FIRST_YEAR, LAST_YEAR = 1800, 2100
# Excel counts days from here, for every date after February 1900.
EXCEL_EPOCH = pd.Timestamp("1899-12-30")
# Serials of five digits are 1927 to 2173; shorter ones could be years, and count only beside others.
EXCEL_FIRST, EXCEL_LAST, EXCEL_FIRST_OF_FIVE = 61, 73_415, 10_000
LOOKS_LIKE_A_YEAR = (1900, 2100)

YEAR_FIRST = "year, month, day"
DAY_FIRST = "day, month, year"
DAY_ASSUMED = "day, month, year (assumed)"
MONTH_FIRST = "month, day, year"
MONTH_ASSUMED = "month, day, year (assumed)"
DAY_FIRST_MIXED = "day, month, year (both orders occur)"
MONTH_FIRST_MIXED = "month, day, year (both orders occur)"
MONTH_NAME = "month by name"
EIGHT_DIGITS = "day, month, year in eight digits"
EXCEL_SERIAL = "Excel serial number"
FILLER = "filler"
TWO_DIGIT_YEAR = "two-digit year"

_TIME = (
    r"(?:(?:T|\s+|:)(?:\d{1,2}(?:[:.]?\d{2}){0,2}(?:[.,]\d+)?)?\s*(?:[ap]\.?m\.?)?"
    r"\s*(?:Z|UTC|GMT|BST|[+-]\d{2}(?::?\d{2})?)?)?"
)
_WEEKDAY = r"(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*[.,]?\s+)?"
_MONTHS = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
_MONTH = (
    r"(?P<name>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|"
    r"sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
)
_PATTERNS = {
    YEAR_FIRST: rf"(?P<year>\d{{4}})[-/. ](?P<month>\d{{1,2}})[-/. ](?P<day>\d{{1,2}}){_TIME}",
    "compact": r"(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})(?:T?\d{4}(?:\d{2})?Z?)?",
    "numbers": rf"(?P<first>\d{{1,2}})[-/. ](?P<second>\d{{1,2}})[-/. ](?P<year>\d{{4}}|\d{{2}}){_TIME}",
    MONTH_NAME: (
        rf"{_WEEKDAY}(?P<day>\d{{1,2}})(?:st|nd|rd|th)?(?:\s+of)?[-/., ]*{_MONTH}\.?[-/., ]*"
        rf"(?P<year>\d{{4}}|\d{{2}}){_TIME}"
    ),
    "name first": (
        rf"{_WEEKDAY}{_MONTH}\.?[-/., ]*(?P<day>\d{{1,2}})(?:st|nd|rd|th)?,?[-/. ]+(?P<year>\d{{4}}){_TIME}"
    ),
    EXCEL_SERIAL: r"(?P<serial>\d{2,5})(?:\.\d*)?",
}


def parse_dates(values: pd.Series, *, day_first: bool = True) -> pd.DataFrame:
    """Read a column's distinct values as dates; times of day and offsets are dropped as written.

    values : text, dates or numbers, shape (n,). day_first : 03/04/2025 is in April, unless the column shows
        otherwise (a second number above 12 and no first one).
    Returns one row a value, with the index of `values`: value (as text), date (datetime64[ns], null unless
    known), status (known, missing, not_known for fillers such as 1900-01-01, or invalid), and form (how the
    value was read; empty unless known or a filler).
    """
    text = _as_text(values)
    found = _components(text, day_first=day_first)
    iso = _iso(found)
    fillers = _fillers()
    word = text.fillna("").str.casefold()
    status = pd.Series(Status.INVALID.value, index=text.index, dtype=object)
    days = pd.Series(
        pd.to_datetime(iso.where(_in_range(found)), format="%Y-%m-%d", errors="coerce"), index=text.index
    ).astype("datetime64[ns]")
    status[days.notna()] = Status.KNOWN.value
    status[text.isna() | (word == "")] = Status.MISSING.value
    for key in (word, iso):
        filler = key.map(fillers)
        status = filler.where(filler.notna(), status)
    known = status == Status.KNOWN
    form = found["form"].where(known, "").mask(iso.isin(list(fillers)), FILLER)
    return pd.DataFrame(
        {"value": text, "date": days.where(known), "status": status.astype(object), "form": form},
        index=values.index,
    )


def date_notes(parsed: pd.DataFrame) -> tuple[str, ...]:
    """What a reader should know of how dates were read, in words; counts are of distinct values.

    parsed : what `parse_dates` gives.
    """
    forms = parsed["form"].value_counts()

    def times(*names: str) -> int:
        return int(sum(count for form, count in forms.items() if any(name in str(form) for name in names)))

    notes = []
    if times(DAY_ASSUMED):
        notes.append("no value tells whether the day or the month comes first: read day first")
    if times(MONTH_ASSUMED):
        notes.append("no value tells whether the day or the month comes first: read month first, as asked")
    if times(DAY_FIRST_MIXED, MONTH_FIRST_MIXED):
        order = "day" if times(DAY_FIRST_MIXED) else "month"
        notes.append(
            f"some values have the day first and some the month: read {order} first, check the source"
        )
    elif times(MONTH_FIRST) and not times(MONTH_ASSUMED):
        notes.append("dates are written month first, as values with a second number above 12 show")
    if times(TWO_DIGIT_YEAR):
        notes.append(f"{times(TWO_DIGIT_YEAR)} value(s) have a year of two digits, read as not in the future")
    if times(EXCEL_SERIAL):
        notes.append(f"{times(EXCEL_SERIAL)} value(s) are Excel serial numbers")
    if times(FILLER):
        notes.append(f"{times(FILLER)} filler date(s) such as 1900-01-01 count as not known")
    invalid = int((parsed["status"] == Status.INVALID).sum())
    if invalid:
        notes.append(f"{invalid} value(s) are no date")
    return tuple(notes)


@cache
def _fillers() -> dict[str, str]:
    """Filler date or word -> status."""
    text = (files("equitydata.rules") / "filler_dates.csv").read_text(encoding="utf-8")
    return {row["value"]: row["status"] for row in csv.DictReader(text.splitlines())}


def _as_text(values: pd.Series) -> pd.Series:
    if pd.api.types.is_datetime64_any_dtype(values.dtype):
        return values.dt.strftime("%Y-%m-%d").astype("string")
    text = values.astype("string").str.strip()
    # A column of whole numbers with gaps comes as floats: 20250401.0
    return text.str.replace(r"^(\d+)\.0+$", r"\1", regex=True)


# ---------------------------------------------------------------- reading


def _components(text: pd.Series, *, day_first: bool) -> pd.DataFrame:
    """year, month, day (floats, null where nothing fits) and form, one row a value."""
    found = pd.DataFrame({"year": np.nan, "month": np.nan, "day": np.nan, "form": ""}, index=text.index)
    for form, pattern in _PATTERNS.items():
        left = found.index[found["form"].eq("").to_numpy() & text.notna().to_numpy()]
        if not len(left):
            break
        parts = text.loc[left].str.extract(rf"^{pattern}$", flags=re.IGNORECASE | re.ASCII)
        parts = parts[parts.iloc[:, 0].notna()]
        if len(parts):
            read = _READERS[form](parts, day_first)
            found.loc[read.index] = read
    return found


def _read_year_first(parts: pd.DataFrame, day_first: bool) -> pd.DataFrame:
    return _numbers(parts[["year", "month", "day"]]).assign(form=YEAR_FIRST)


def _read_compact(parts: pd.DataFrame, day_first: bool) -> pd.DataFrame:
    """Eight digits: year first if that is a date, else day first. No string is both from 1800 to 2100."""
    read = _read_year_first(parts, day_first)
    digits = parts["year"] + parts["month"] + parts["day"]
    other = _numbers(
        pd.DataFrame({"year": digits.str[4:8], "month": digits.str[2:4], "day": digits.str[:2]})
    ).assign(form=EIGHT_DIGITS)
    return read.where(_is_date(read) | ~_is_date(other), other)


def _read_numbers(parts: pd.DataFrame, day_first: bool) -> pd.DataFrame:
    """Two numbers and a year: the column itself says which comes first, where it can."""
    numbers = _numbers(parts[["first", "second"]])
    first_is_day = bool((numbers["first"] > 12).any())
    second_is_day = bool((numbers["second"] > 12).any())
    by_day = day_first if first_is_day == second_is_day else first_is_day
    if first_is_day and second_is_day:
        form = DAY_FIRST_MIXED if by_day else MONTH_FIRST_MIXED
    elif first_is_day or second_is_day:
        form = DAY_FIRST if by_day else MONTH_FIRST
    else:
        form = DAY_ASSUMED if by_day else MONTH_ASSUMED
    day, month = ("first", "second") if by_day else ("second", "first")
    years, short = _years(parts["year"])
    read = pd.DataFrame({"year": years, "month": numbers[month], "day": numbers[day], "form": form})
    read["form"] = read["form"].where(~short, f"{form}, {TWO_DIGIT_YEAR}")
    return read


def _read_month_name(parts: pd.DataFrame, day_first: bool) -> pd.DataFrame:
    months = {name: number for number, name in enumerate(_MONTHS.split("|"), start=1)}
    years, short = _years(parts["year"])
    month = parts["name"].str[:3].str.casefold().map(months).astype(float)
    read = pd.DataFrame({"year": years, "month": month, "day": _number(parts["day"]), "form": MONTH_NAME})
    read["form"] = read["form"].where(~short, f"{MONTH_NAME}, {TWO_DIGIT_YEAR}")
    return read


def _read_serial(parts: pd.DataFrame, day_first: bool) -> pd.DataFrame:
    serial = _number(parts["serial"])
    plausible = serial.between(EXCEL_FIRST_OF_FIVE, EXCEL_LAST)
    like_a_year = serial.between(*LOOKS_LIKE_A_YEAR)
    if plausible[~like_a_year].mean() >= 0.5:
        plausible = serial.between(EXCEL_FIRST, EXCEL_LAST) & ~like_a_year
    days = EXCEL_EPOCH + pd.to_timedelta(serial[plausible], unit="D")
    return pd.DataFrame(
        {
            "year": days.dt.year.astype(float),
            "month": days.dt.month.astype(float),
            "day": days.dt.day.astype(float),
            "form": EXCEL_SERIAL,
        },
        index=days.index,
    )


_READERS = {
    YEAR_FIRST: _read_year_first,
    "compact": _read_compact,
    "numbers": _read_numbers,
    MONTH_NAME: _read_month_name,
    "name first": _read_month_name,
    EXCEL_SERIAL: _read_serial,
}


def _number(text: pd.Series) -> pd.Series:
    return pd.to_numeric(text).astype(float)


def _numbers(parts: pd.DataFrame) -> pd.DataFrame:
    return parts.apply(_number)


def _years(text: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Years in full, and which had two digits: those are the latest that is not in the future."""
    years = _number(text)
    short = text.str.len() == 2
    this_century = date.today().year // 100 * 100
    full = years + this_century
    full = full.where(full <= date.today().year, full - 100)
    return full.where(short, years), short


def _is_date(found: pd.DataFrame) -> pd.Series:
    days = pd.to_datetime(_iso(found).where(_in_range(found)), format="%Y-%m-%d", errors="coerce")
    return pd.Series(days, index=found.index).notna()


def _in_range(found: pd.DataFrame) -> pd.Series:
    return found["year"].between(FIRST_YEAR, LAST_YEAR)


def _iso(found: pd.DataFrame) -> pd.Series:
    """The date as ISO text, valid or not; null where nothing was read."""
    read = found["year"].notna()
    whole = found.loc[read, ["year", "month", "day"]].astype(int).astype("string")
    text = whole["year"].str.zfill(4) + "-" + whole["month"].str.zfill(2) + "-" + whole["day"].str.zfill(2)
    return text.reindex(found.index)
