"""What the values of a column look like, worked out in the engine: counts, shares and years leave it, no value does.

Each column is looked at through a sample of its distinct values. Patterns of shape are matched there, check
digits are worked out there, and one row of numbers a column is fetched.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any

import ibis
import ibis.expr.operations as ops
import pandas as pd

from equitydata import identifier_patterns as patterns
from equitydata.records.engine import Engine

# So many columns go into one question, for a question of hundreds is slow to plan.
COLUMNS_AT_ONCE = 64
# Longer text is free text: only e-mail addresses, streets and postcodes are looked for in it.
LONGEST_SHORT_TEXT = 128
LONGEST_TEXT = 400
NO_BREAK_SPACE = "\u00a0"
FIRST_YEAR, LAST_YEAR = 1850, 2100
ENDS = (0.05, 0.95)
# Numbers of one length are numbers given out, not counts or amounts.
ENDS_OF_LENGTH = (0.1, 0.9)
# A number of a person or record has letters, too, but is no sentence.
MOST_DIGITS, MOST_LETTERS = 24, 6
_NEEDED = (ops.RegexSearch, ops.RegexReplace, ops.RegexExtract, ops.StringAscii, ops.Quantile)


def can_match(engine: Engine) -> bool:
    """Whether the engine knows regular expressions and quantiles, which the look at values needs."""
    return all(engine.connection.has_operation(operation) for operation in _NEEDED)


def content_facts(engine: Engine, sample: Any, columns: Sequence[str], most: int) -> pd.DataFrame:
    """What the values of each column look like, as numbers.

    sample : Ibis table of text columns, one row a record. most : distinct values looked at in each column.
    Returns one row a column that holds anything, by its number in `columns`: filled (records with a value),
    distinct (values), values (those looked at), then counts of these by what they look like (nhs, postcode,
    email ...), year_from and year_to of dates, length_from and length_to of text without blanks and hyphens,
    named_records and looked_at_records.
    """
    parts = [
        engine.to_frame(
            _facts(engine, sample, columns, range(first, min(first + COLUMNS_AT_ONCE, len(columns))), most)
        )
        for first in range(0, len(columns), COLUMNS_AT_ONCE)
    ]
    return pd.concat(parts, ignore_index=True).set_index("column").sort_index()


def people_facts(engine: Engine, sample: Any, columns: Sequence[str], person: str) -> pd.DataFrame:
    """How the values of some columns go with people.

    Returns one row a column, by its number in `columns`: distinct (values), of_one_person (values that only one
    person has), people (who have a value) and records (that hold one).
    """
    parts = []
    for number, column in enumerate(columns):
        filled = sample.filter(sample[column].notnull() & sample[person].notnull())
        held = filled.group_by(value=filled[column]).agg(people=filled[person].nunique())
        counted = held.agg(distinct=held.count(), of_one_person=(held["people"] == 1).sum())
        people = filled.agg(people=filled[person].nunique(), records=filled.count())
        parts.append(counted.cross_join(people).mutate(column=ibis.literal(number, "int64")))
    return engine.to_frame(_stacked(parts)).set_index("column").sort_index()


def _stacked(parts: Sequence[Any]) -> Any:
    return parts[0] if len(parts) == 1 else ibis.union(*parts, distinct=False)


def _facts(engine: Engine, sample: Any, columns: Sequence[str], numbers: Sequence[int], most: int) -> Any:
    counted = _stacked([_counted(sample, columns[number], number) for number in numbers])
    seen = _seen(_plain(_some(engine, counted, most)))
    counts = {name: seen[name].sum() for name in _PATTERNS}
    return seen.group_by("column").agg(
        filled=seen["filled"].max(),
        distinct=seen["distinct"].max(),
        values=seen.count(),
        looked_at_records=seen["records"].sum(),
        named_records=ibis.ifelse(seen["one_named"], seen["records"], 0).sum(),
        year_from=seen["year"].quantile(ENDS[0]),
        year_to=seen["year"].quantile(ENDS[1]),
        length_from=seen["token"].length().quantile(ENDS_OF_LENGTH[0]),
        length_to=seen["token"].length().quantile(ENDS_OF_LENGTH[1]),
        **counts,
    )


def _counted(sample: Any, column: str, number: int) -> Any:
    """The distinct values of one column, each with its records."""
    counted = sample.group_by(value=sample[column]).agg(records=lambda rows: rows.count())
    return counted.select(column=ibis.literal(number, "int64"), value="value", records="records")


def _some(engine: Engine, counted: Any, most: int) -> Any:
    """At most about so many of the distinct values of each column, the same ones on every run; none that is blank."""
    text = counted["value"].replace(NO_BREAK_SPACE, " ").strip()
    filled = counted.mutate(value=text)
    filled = filled.filter(filled["value"].notnull() & (filled["value"] != ""))
    of_column = ibis.window(group_by="column")
    filled = filled.mutate(
        distinct=filled["records"].count().over(of_column), filled=filled["records"].sum().over(of_column)
    )
    if engine.is_duckdb:
        one_in = (filled["distinct"] - 1) // most + 1
        return filled.filter((filled["distinct"] <= most) | ((filled["value"] + "#").hash() % one_in == 0))
    ranked = ibis.window(group_by="column", order_by="value")
    return filled.mutate(place=ibis.row_number().over(ranked)).filter(lambda rows: rows["place"] < most)


def _plain(values: Any) -> Any:
    """Text in lower case; numbers that came as 20250401.0 without their point; bare of what separates digits."""
    text = values["value"].lower()
    whole = text.re_extract(r"^([0-9]+)\.0+$", 1)
    text = ibis.ifelse(whole != "", whole, text)
    short = text.length() <= LONGEST_SHORT_TEXT
    values = values.mutate(
        text=text.substr(0, LONGEST_TEXT),
        short=ibis.ifelse(short, text, ""),
    )
    return values.mutate(
        bare=values["short"].re_replace(r"[\s().-]", ""), token=values["short"].re_replace(r"[\s_/-]", "")
    )


# ---------------------------------------------------------------- what one value looks like

_PATTERNS = (
    "nhs",
    "postcode",
    "email",
    "phone",
    "phone_short",
    "day",
    "address",
    "name_shaped",
    "name_listed",
    "name_titled",
    "name_comma",
    "one_word",
    "number_shaped",
    "number_short",
    "known_code",
    "digits_only",
)


def _seen(values: Any) -> Any:
    """Which patterns each value fits, as booleans, and the year of a day."""
    text, short, bare = values["text"], values["short"], values["bare"]
    listed = text.re_search(_name_pattern("given", "family"))
    several = short.re_search(patterns.SEVERAL_WORDS)
    comma = short.re_search(patterns.FAMILY_NAME_FIRST)
    person = ~short.re_search(patterns.NO_PERSON)
    titled = short.re_search(patterns.TITLED)
    shaped = (several | comma | titled) & person
    one_word = short.re_search(patterns.ONE_WORD)
    day, year = _day(short)
    return values.mutate(
        nhs=_nhs_number(bare),
        postcode=short.re_search(patterns.POSTCODE_ALONE),
        email=text.re_search(patterns.EMAIL_WITHIN),
        phone=bare.re_search(patterns.PHONE_ALONE),
        phone_short=bare.re_search(patterns.PHONE_WITHOUT_ITS_ZERO),
        day=day,
        year=year,
        address=text.re_search(patterns.STREET_WITH_NUMBER) | text.re_search(patterns.POSTCODE_AFTER_WORDS),
        name_shaped=shaped,
        name_listed=shaped & listed,
        name_titled=titled & person,
        name_comma=comma & person,
        one_word=one_word,
        one_named=one_word & listed,
        number_shaped=_number_shaped(short, values["token"], fewest_digits=6) & ~day,
        number_short=_number_shaped(short, values["token"], fewest_digits=5) & ~day,
        known_code=short.re_search(patterns.KNOWN_CODE),
        digits_only=values["token"].re_search("^[0-9]+$"),
    )


@cache
def _name_pattern(*parts: str) -> str:
    text = (files("equitydata.rules") / "common_names.csv").read_text(encoding="utf-8")
    names = sorted(
        re.escape(row["name"]) for row in csv.DictReader(text.splitlines()) if row["part"] in parts
    )
    return rf"(?:^|[^a-z])(?:{'|'.join(names)})(?:$|[^a-z])"


def _nhs_number(bare: Any) -> Any:
    """Ten digits of which the last is right: ten times the first, nine times the second ... is divisible by 11."""
    digits = bare.re_extract(patterns.NHS_DIGITS, 1)
    each = [digits.substr(place, 1).ascii_str() - ord("0") for place in range(10)]
    weighted = each[9]
    for place in range(9):
        weighted = weighted + each[place] * (10 - place)
    scottish = digits.between(*patterns.SCOTTISH_NUMBERS)
    begins_well = ~scottish | digits.re_search(patterns.BEGINS_WITH_A_DAY)
    return ibis.ifelse(digits != "", begins_well & (weighted % 11 == 0), False)


def _day(text: Any) -> tuple[Any, Any]:
    """Whether it is written as a day, and its year as a number (null where it is none)."""
    this_year = date.today().year
    written = text.re_search(patterns.DAY_WRITTEN)
    year = ibis.coalesce(
        *(
            text.re_extract(pattern, 1).nullif("")
            for pattern in (
                patterns.YEAR_BEFORE,
                patterns.YEAR_APART,
                patterns.YEAR_AFTER,
                patterns.YEAR_SHORT,
            )
        )
    )
    number = ibis.ifelse(written, year, ibis.null("string")).cast("int64")
    century = this_year // 100 * 100
    full = ibis.cases(
        (number >= 100, number),
        (number + century <= this_year, number + century),
        else_=number + century - 100,
    )
    day = (written & full.between(FIRST_YEAR, LAST_YEAR)).fill_null(False)
    return day, ibis.ifelse(day, full, ibis.null("int64"))


def _number_shaped(short: Any, token: Any, *, fewest_digits: int) -> Any:
    """So many digits, or two fewer beside letters; or a long key."""
    digits = token.re_replace("[^0-9]", "").length()
    letters = token.re_replace("[^a-z]", "").length()
    whole = digits + letters == token.length()
    least = ibis.ifelse(letters == 0, fewest_digits, fewest_digits - 2)
    plain = whole & (digits >= least) & (digits <= MOST_DIGITS) & (letters <= MOST_LETTERS)
    long_key = token.re_search(patterns.LONG_KEY) & (digits >= 2) & (letters >= 2)
    return plain | long_key | short.re_search(patterns.UUID)
