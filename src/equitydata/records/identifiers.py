"""Columns that look like direct identifiers, by their name and by what their values look like.

The engine looks at the values and hands out numbers; only names of columns, kinds and shares leave this module.
"""

from __future__ import annotations

import csv
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

import pandas as pd

from equitydata.identifier_patterns import (
    ADDRESS,
    BIRTH_DATE,
    EMAIL,
    LOCAL_NUMBER,
    NAME,
    NHS_NUMBER,
    PHONE,
    POSTCODE,
)
from equitydata.model import Intake
from equitydata.records.extract import FIRST_ROWS, Extract
from equitydata.records.identifier_content import can_match, content_facts, people_facts

SAMPLED_VALUES = 10_000
# Larger extracts are thinned to about half as many rows.
THIN_ABOVE_ROWS = 200_000

BY_HEADER, BY_CONTENT, BY_BOTH = "by header", "by content", "by header and content"


@dataclass(frozen=True)
class HeaderWord:
    """A phrase in a column name that points to a kind of identifier, unless another word stands beside it."""

    phrase: str
    kind: str
    exact: bool
    unless: tuple[str, ...]


def scan_identifiers(
    extract: Extract, *, person: str | None = None, record: str | None = None
) -> pd.DataFrame:
    """Look through every column for direct identifiers, at most SAMPLED_VALUES distinct values of each.

    person, record : columns that tell people and records apart, where they are known. They are no local number for
        what they hold (only for their name), and other numbers are held against how many people there are; without
        `person` against how many records.
    Columns that the analysis does not read are looked at in the first FIRST_ROWS rows, which are then let go.
    Returns one row a column and kind: column, kind, evidence (by header, by content, or both), and share of
    the sampled values that look like one (null where none does). Empty where none. An engine that
    knows no regular expressions is judged by the names of its columns alone.
    """
    shares, beside = _shares_by_content(extract, person=person, record=record), extract.beside
    unread = [] if beside is None else [column for column in beside.columns if column not in extract.columns]
    if unread:
        looked_at = beside.select(*unread, *({person} & set(extract.columns)))
        first = replace(extract, table=looked_at, intake=Intake(rows_read=FIRST_ROWS))
        shares = _shares_by_content(first, person=person, record=record) | shares
        extract.engine.drop(beside)
    found = []
    for column in extract.columns if beside is None else beside.columns:
        named, seen = kinds_by_header(column), shares.get(column, {})
        for kind in [*named, *(kind for kind in seen if kind not in named)]:
            share, enough = seen.get(kind, (None, False))
            if kind in named or enough:
                evidence = BY_BOTH if kind in named and enough else BY_HEADER if kind in named else BY_CONTENT
                found.append((column, kind, evidence, share))
    frame = pd.DataFrame(found, columns=["column", "kind", "evidence", "share"])
    return frame.astype({"share": "float64"})


@cache
def content_rules() -> Mapping[str, Mapping[str, Any]]:
    """When the values of a column count as identifiers, by kind; see the head of rules/identifiers.toml."""
    text = (files("equitydata.rules") / "identifiers.toml").read_text(encoding="utf-8")
    return MappingProxyType(tomllib.loads(text))


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

Shares = dict[str, tuple[float, bool]]


def _shares_by_content(extract: Extract, *, person: str | None, record: str | None) -> dict[str, Shares]:
    """Column -> kind -> share of its sampled values that look like one (above 0), and whether that is enough."""
    engine = extract.engine
    if not can_match(engine):
        return {}
    table, columns = extract.table, list(extract.columns)
    # Numbers stand for names, which may be any text.
    text = table.select(**{f"c{number}": table[name].cast("string") for number, name in enumerate(columns)})
    sample = _thinned(extract, text, first=[f"c{columns.index(person)}"] if person in columns else [])
    facts = content_facts(engine, sample, list(text.columns), SAMPLED_VALUES)
    people = None
    if person in columns and columns.index(person) in facts.index:
        people = float(facts["distinct"].to_dict()[columns.index(person)])
    found = {columns[number]: _judge(seen, people) for number, seen in _rows(facts).items()}
    numbers = _local_numbers(extract, sample, facts, found, person=person, record=record)
    if sample is not text:
        engine.drop(sample)
    for column, share in numbers.items():
        found[column][LOCAL_NUMBER] = (share, True)
    return found


def _rows(facts: pd.DataFrame) -> dict[int, dict[str, float]]:
    """Each row as a dictionary, by the number of its column."""
    table = facts.astype("float64")
    return {
        int(number): dict(zip(table.columns, row, strict=True))
        for number, row in zip(table.index, table.to_numpy().tolist(), strict=True)
    }


def _thinned(extract: Extract, text: Any, *, first: Sequence[str]) -> Any:
    """Some of the rows of a large extract, the same ones on every run: those whose value in one column hashes well.

    The column must tell rows apart, as an identifier does; where none does, all rows are used. first : tried before
    the others, as all records of a person then stay together.
    """
    rows, engine = extract.intake.rows_used, extract.engine
    if rows <= THIN_ABOVE_ROWS or not engine.is_duckdb:
        return text
    one_in = rows // (THIN_ABOVE_ROWS // 2)
    for column in (*first, *text.columns):
        # A column of few values would keep far too many rows or none, so the rows are taken up to a limit.
        chosen = text.filter(text[column].hash() % one_in == 0).limit(THIN_ABOVE_ROWS + 1)
        sample = engine.stage(chosen, "identifier_sample")
        if THIN_ABOVE_ROWS // 4 <= engine.count(sample) <= THIN_ABOVE_ROWS:
            return sample
        engine.drop(sample)
    return text


def _judge(seen: Mapping[str, float], people: float | None) -> Shares:
    """The kinds that one column's values point to, from the numbers that `content_facts` gives of it."""
    rules, values = content_rules(), seen["values"]
    shares: Shares = {}

    def judge(kind: str, count: float, enough: bool) -> None:
        if count:
            shares[kind] = (count / values, enough)

    for kind, name in ((POSTCODE, "postcode"), (EMAIL, "email")):
        judge(kind, seen[name], seen[name] >= rules[kind]["share"] * values)
    # A single number is right by chance too often.
    if seen["nhs"] > 1 or values == 1:
        judge(NHS_NUMBER, seen["nhs"], seen["nhs"] >= rules[NHS_NUMBER]["share"] * values)
    unzeroed = seen["phone_short"] >= rules["phone without its 0"]["share"] * values
    phones = seen["phone"] + (seen["phone_short"] if unzeroed else 0)
    judge(PHONE, phones, unzeroed or phones >= rules[PHONE]["share"] * values)
    born, span = rules[BIRTH_DATE], seen["year_to"] - seen["year_from"]
    if seen["day"] > 1 and span > born["span_years"]:
        judge(BIRTH_DATE, seen["day"], seen["day"] >= born["share"] * values)
    names, enough = _names(seen, people)
    judge(NAME, names, enough)
    lives = rules[ADDRESS]
    judge(
        ADDRESS, seen["address"], seen["address"] >= lives["share"] * values and _spread(seen, people, lives)
    )
    order = (NHS_NUMBER, POSTCODE, EMAIL, PHONE, BIRTH_DATE, NAME, ADDRESS)
    return {kind: shares[kind] for kind in order if kind in shares}


def _names(seen: Mapping[str, float], people: float | None) -> tuple[float, bool]:
    """How many values are written as names, and whether they are most likely names of people."""
    full, single, values = content_rules()[NAME], content_rules()["one name"], seen["values"]
    if seen["name_shaped"] >= full["share"] * values and _spread(seen, people, full):
        evident = (
            seen["name_listed"] >= full["listed"] * values
            or seen["name_titled"] >= full["titled"] * values
            or seen["name_comma"] >= full["comma"] * values
        )
        own = seen["distinct"] >= full["spread_of_people"] * _people_with(seen, people)
        return seen["name_shaped"], evident or (own and seen["name_shaped"] >= full["spread"] * values)
    records = seen["looked_at_records"]
    alone = (
        seen["one_word"] >= single["share"] * values
        and seen["named_records"] >= single["listed"] * records
        and seen["distinct"] >= single["fewest"]
    )
    return (seen["one_word"], True) if alone else (0, False)


def _people_with(seen: Mapping[str, float], people: float | None) -> float:
    """At most how many people hold a value of the column: of all of them, one a record."""
    return seen["filled"] if people is None else min(people, seen["filled"])


def _spread(seen: Mapping[str, float], people: float | None, rule: Mapping[str, float]) -> bool:
    """Whether there are enough values, and enough of them for each person (or, where unknown, for each record)."""
    least = (
        rule["of_records"] * seen["filled"]
        if people is None
        else rule["of_people"] * _people_with(seen, people)
    )
    return bool(seen["distinct"] >= max(rule["fewest"], least))


def _local_numbers(
    extract: Extract,
    sample: Any,
    facts: pd.DataFrame,
    found: Mapping[str, Shares],
    *,
    person: str | None,
    record: str | None,
) -> dict[str, float]:
    """Column -> share of its values that have the form of a number, for those that go with one person or record."""
    columns, rule, known = list(extract.columns), content_rules()[LOCAL_NUMBER], person in extract.columns
    candidates = {
        number: seen
        for number, seen in _rows(facts).items()
        if columns[number] not in (person, record)
        and seen["distinct"] >= rule["fewest" if known else "fewest_alone"]
        and seen["number_short"] >= rule["share"] * seen["values"]
        and seen["known_code"] <= rule["known_code"] * seen["values"]
        and not _is_other(columns[number], found)
    }
    numbers = {}
    for number, seen in candidates.items():
        amounts = (
            seen["digits_only"] > seen["values"] / 2
            and seen["length_from"] != seen["length_to"]
            and seen["length_from"] < rule["sure_length"]
        )
        own = seen["distinct"] >= rule["of_records"] * seen["filled"]
        if own and seen["number_shaped"] >= rule["share"] * seen["values"] and not amounts:
            numbers[columns[number]] = seen["number_shaped"] / seen["values"]
    rest = [number for number in candidates if columns[number] not in numbers]
    if rest and known:
        person_column = f"c{columns.index(str(person))}"
        held = people_facts(extract.engine, sample, [f"c{number}" for number in rest], person_column)
        alike = held["of_one_person"] >= rule["one_person"] * held["distinct"]
        many = (held["distinct"] / held["people"]).between(rule["of_people"], 1 / rule["of_people"])
        repeated = held["records"] >= rule["repeats"] * held["people"]
        for place in held.index[alike & many & repeated]:
            seen = candidates[rest[int(str(place))]]
            numbers[columns[rest[int(str(place))]]] = seen["number_short"] / seen["values"]
    return numbers


def _is_other(column: str, found: Mapping[str, Shares]) -> bool:
    """Whether a column is another kind of identifier already, by its name or by its values."""
    named = set(kinds_by_header(column)) - {LOCAL_NUMBER}
    return bool(named) or any(enough for _, enough in found[column].values())
