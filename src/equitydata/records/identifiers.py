"""Columns that look like direct identifiers, by their name and by a sample of their values.

Only names of columns, kinds and shares leave this module: never a value.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import nhs_number
import pandas as pd

from equitydata.identifier_patterns import (
    BIRTH_DATE,
    EMAIL,
    EMAIL_PATTERN,
    NHS_NUMBER,
    PHONE,
    PHONE_PATTERN,
    POSTCODE,
    POSTCODE_PATTERN,
    TEN_DIGITS,
)
from equitydata.model import Status
from equitydata.records.dates import EXCEL_SERIAL, parse_dates
from equitydata.records.extract import Extract

SAMPLED_VALUES = 10_000
# Larger extracts are thinned to about half as many rows.
THIN_ABOVE_ROWS = 200_000

BY_HEADER, BY_CONTENT, BY_BOTH = "by header", "by content", "by header and content"

# Share of the sampled values that must look like one. One ten-digit number in eleven passes the check
# digit by chance, so NHS numbers must be most of a column; a free-text column may hold some e-mail addresses.
ENOUGH = {NHS_NUMBER: 0.6, POSTCODE: 0.3, EMAIL: 0.05, PHONE: 0.3, BIRTH_DATE: 0.8}
# Dates of birth reach over a lifetime, dates of contact do not.
BIRTH_DATES_SPAN_YEARS = 25


@dataclass(frozen=True)
class HeaderWord:
    """A phrase in a column name that points to a kind of identifier, unless another word stands beside it."""

    phrase: str
    kind: str
    exact: bool
    unless: tuple[str, ...]


def scan_identifiers(extract: Extract) -> pd.DataFrame:
    """Look through every column for direct identifiers, at most SAMPLED_VALUES distinct values of each.

    Returns one row a column and kind: column, kind, evidence (by header, by content, or both), and share of
    the sampled values that look like one (null for kinds that only a name can show). Empty where none.
    """
    found = []
    for column, values in _samples(extract):
        named = kinds_by_header(column)
        shares = _shares(values)
        for kind in [*named, *(kind for kind in shares if kind not in named)]:
            by_content = shares.get(kind, 0.0) >= ENOUGH.get(kind, 2.0)
            if kind in named or by_content:
                evidence = (
                    BY_BOTH if kind in named and by_content else BY_HEADER if kind in named else BY_CONTENT
                )
                found.append((column, kind, evidence, shares.get(kind)))
    frame = pd.DataFrame(found, columns=["column", "kind", "evidence", "share"])
    return frame.astype({"share": "float64"})


# ---------------------------------------------------------------- by header


@cache
def _header_words() -> tuple[HeaderWord, ...]:
    text = (files("equitydata.rules") / "identifier_words.csv").read_text(encoding="utf-8")
    return tuple(
        HeaderWord(
            phrase=row["phrase"],
            kind=row["kind"],
            exact=row["match"] == "exact",
            unless=tuple(filter(None, (row["unless"] or "").split("|"))),
        )
        for row in csv.DictReader(text.splitlines())
    )


def header_tokens(column: str) -> str:
    """A column name as lower-case words with single spaces: 'NHSNumber_1' is 'nhs number 1'."""
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", column)
    apart = re.sub(r"(?<=[A-Za-z])(?=\d)", " ", apart)
    return " ".join(re.findall(r"[a-z0-9]+", apart.casefold()))


def kinds_by_header(column: str) -> list[str]:
    """Kinds of identifier that a column name points to, each once."""
    words = f" {header_tokens(column)} "
    kinds: list[str] = []
    for word in _header_words():
        held = words == f" {word.phrase} " if word.exact else f" {word.phrase} " in words
        if held and word.kind not in kinds and not any(f" {other} " in words for other in word.unless):
            kinds.append(word.kind)
    return kinds


# ---------------------------------------------------------------- by content


def _samples(extract: Extract) -> Iterator[tuple[str, pd.Series]]:
    """(column, sample of its distinct values as text, blanks left out)."""
    table, columns = extract.table, extract.columns
    text = table.select(**{f"c{n}": table[name].cast("string") for n, name in enumerate(columns)})
    thinned = _thinned(extract, text)
    for number, column in enumerate(columns):
        yield column, _sample(extract, thinned, f"c{number}")
    if thinned is not text:
        extract.engine.drop(thinned)


def _thinned(extract: Extract, text: Any) -> Any:
    """Some of the rows of a large extract, the same ones on every run: those whose value in one column hashes well.

    The column must tell rows apart, as an identifier does; where none does, all rows are used.
    """
    rows, engine = extract.intake.rows_used, extract.engine
    if rows <= THIN_ABOVE_ROWS or not engine.is_duckdb:
        return text
    one_in = rows // (THIN_ABOVE_ROWS // 2)
    for column in text.columns:
        # A column of few values would keep far too many rows or none, so the rows are taken up to a limit.
        chosen = text.filter(text[column].hash() % one_in == 0).limit(THIN_ABOVE_ROWS + 1)
        sample = engine.stage(chosen, "identifier_sample")
        if THIN_ABOVE_ROWS // 4 <= engine.count(sample) <= THIN_ABOVE_ROWS:
            return sample
        engine.drop(sample)
    return text


def _sample(extract: Extract, table: Any, column: str) -> pd.Series:
    values = table.select(value=table[column])
    distinct = values.filter(values["value"].notnull()).distinct()
    order = distinct["value"].hash() if extract.engine.is_duckdb else distinct["value"]
    return _filled(extract.engine.to_frame(distinct.order_by(order).limit(SAMPLED_VALUES))["value"])


def _filled(values: pd.Series) -> pd.Series:
    values = values.astype("string").str.strip()
    return values[values.notna() & (values != "")].reset_index(drop=True)


def _shares(values: pd.Series) -> dict[str, float]:
    """Kind -> share of the values that look like one."""
    if values.empty:
        return {}
    tests: dict[str, Callable[[pd.Series], float]] = {
        NHS_NUMBER: _nhs_numbers,
        POSTCODE: lambda each: float(each.str.upper().str.fullmatch(POSTCODE_PATTERN).mean()),
        EMAIL: lambda each: float(each.str.contains(rf"(?:^|[\s<,;:(]){EMAIL_PATTERN}", regex=True).mean()),
        PHONE: lambda each: float(
            each.str.replace(r"[\s().-]", "", regex=True).str.fullmatch(PHONE_PATTERN).mean()
        ),
        BIRTH_DATE: _birth_dates,
    }
    shares = {kind: test(values) for kind, test in tests.items()}
    return {kind: share for kind, share in shares.items() if share > 0}


def _nhs_numbers(values: pd.Series) -> float:
    """Share with a right check digit; at least two, for a single one is right by chance too often."""
    candidates = values[values.str.fullmatch(TEN_DIGITS).astype(bool)]
    valid = int(candidates.map(nhs_number.is_valid).sum()) if len(candidates) else 0
    return valid / len(values) if valid > 1 or len(values) == 1 else 0.0


def _birth_dates(values: pd.Series) -> float:
    """Share that are dates, if they reach over more years than a service's own dates do."""
    # Ranks and amounts can pass for serial numbers, so these prove nothing.
    written = values[
        values.str.contains(r"^.{1,12}[-/. ]|\d{8}|[A-Za-z]{3}", regex=True) & values.str.len().ge(6)
    ]
    if len(written) < ENOUGH[BIRTH_DATE] * len(values):
        return 0.0
    parsed = parse_dates(written)
    days = parsed.loc[(parsed["status"] == Status.KNOWN) & (parsed["form"] != EXCEL_SERIAL), "date"]
    if len(days) < 2:
        return 0.0
    years = days.dt.year
    span = years.quantile(0.95) - years.quantile(0.05)
    return len(days) / len(values) if span > BIRTH_DATES_SPAN_YEARS else 0.0
