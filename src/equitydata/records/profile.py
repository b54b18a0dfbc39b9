"""An extract's columns as a service file would name them: guessed from names and values, and said to be guessed.

Only `init` and the reading of a bare file use this. Nothing leaves here but column names, code-list names,
shares, and values that many records share.
"""

from __future__ import annotations

import datetime
import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from equitydata import reference
from equitydata.records.coding import (
    code_ages,
    code_areas,
    code_deciles,
    code_own_words,
    code_postcodes,
    code_values,
)
from equitydata.records.columns import date_key, distinct
from equitydata.records.counting import IDENTIFYING_KINDS
from equitydata.records.dates import parse_dates
from equitydata.records.engine import Engine
from equitydata.records.extract import Extract, count_duplicates
from equitydata.records.identifiers import kinds_by_header
from equitydata.rulebook import RULES_FOLDER, Characteristic, characteristics

# A column counts as a characteristic where this share of its values can be read.
ENOUGH = 0.5
# A coded column has few distinct values; a free-text column has many.
MOST_DISTINCT = 3000
# Values are named to the analyst only where so many records share them.
FEWEST_RECORDS = 8
MOST_UNMATCHED = 12
# Words of column names that tell nothing of what the column holds.
GENERIC_WORDS = {"code", "date", "of", "status", "group", "category", "patient", "person"}
CODED_KINDS = ("coded", "flag")
# The area that a service serves is only guessed where so many of its records live there.
MOST_LIVE = 0.25
# A column with more records to each value, on average, tells kinds of people apart and not people.
MOST_RECORDS_EACH = 200
# Kinds of direct identifiers that nobody should group people by.
NAMES_OF_PEOPLE = frozenset({"name", "address", "postcode", "phone", "e-mail", "date of birth"})


@dataclass(frozen=True)
class GuessedField:
    """One characteristic as guessed: its column, the list that fits, and what no list knows.

    share : of the filled values that could be read, fraction. unmatched : (value, records, nearest label).
    named_self_reported : the name of the column says that the person said it.
    """

    name: str
    column: str
    code_list: str
    share: float
    source: str = ""
    self_reported: tuple[str, ...] = ()
    proxy: tuple[str, ...] = ()
    recorded: str = ""
    observed: str = ""
    named_self_reported: bool = False
    unmatched: tuple[tuple[str, int, str], ...] = ()


@dataclass(frozen=True)
class Guess:
    """What an extract seems to be."""

    person: str = ""
    record: str = ""
    date: str = ""
    point_of_care: str = ""
    site: str = ""
    first: datetime.date | None = None
    last: datetime.date | None = None
    duplicates: int = 0
    area: str = ""
    area_name: str = ""
    area_share: float = 0.0
    fields: tuple[GuessedField, ...] = ()


def guess_columns(extract: Extract, engine: Engine) -> Guess:
    """What each column seems to be.

    Names decide, and values confirm: a column whose values cannot be read is left out unless its name is a
    plain match, so that the analyst sees it and maps its words.
    """
    hints = column_hints()
    taken: set[str] = set()
    found: dict[str, str] = {}
    fields = _fields(extract, engine, hints, taken)
    confirms = {"record": _is_unique, "date": _holds_dates, "person": _tells_people_apart}
    for role in ("person", "record", "date", "site", "point_of_care"):
        free = [column for column in extract.columns if column not in taken and fit(column, hints[role])]
        if role in confirms:
            free = [column for column in free if confirms[role](extract, engine, column)]
        column = _best_column(free, hints[role])
        if column:
            found[role] = column
            taken.add(column)
    first, last = _first_and_last(extract, engine, found.get("date"))
    area, name, share = _main_area(extract, engine, fields)
    return Guess(
        **found,
        first=first,
        last=last,
        duplicates=count_duplicates(extract),
        area=area,
        area_name=name,
        area_share=share,
        fields=tuple(fields),
    )


def column_hints() -> dict[str, tuple[str, ...]]:
    """Role -> phrases of column names that point to it."""
    with (RULES_FOLDER / "column_hints.toml").open("rb") as file:
        return {role: tuple(entry["hints"]) for role, entry in tomllib.load(file).items()}


def words(name: str) -> str:
    """A column name as plain words: "preferredLanguage_code" -> "preferred language code"."""
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    return " ".join(re.findall(r"[a-z0-9]+", parted.casefold()))


def fit(name: str, hints: Sequence[str]) -> float:
    """How well a column name fits the hints: 0 not at all; a whole match beats a part, a longer phrase a shorter."""
    plain = f" {words(name)} "
    best = 0.0
    for hint in hints:
        if plain.strip() == hint:
            return 100 + len(hint)
        if f" {hint} " in plain:
            best = max(best, 10 * len(hint.split()) + len(hint) / len(plain))
    return best


def _best_column(columns: Sequence[str], hints: Sequence[str]) -> str:
    scores = {column: fit(column, hints) for column in columns}
    column = max(scores, key=lambda name: scores[name], default="")
    return column if column and scores[column] > 0 else ""


def _tells_people_apart(extract: Extract, engine: Engine, column: str) -> bool:
    """Whether a column may hold numbers or pseudonyms: no names or addresses, and enough of them."""
    if set(kinds_by_header(column)) & NAMES_OF_PEOPLE:
        return False
    rows, values = _rows_and_values(extract, engine, column)
    return values > 1 and rows <= MOST_RECORDS_EACH * values


def _is_unique(extract: Extract, engine: Engine, column: str) -> bool:
    """Whether no two rows share a value of the column."""
    rows, values = _rows_and_values(extract, engine, column)
    return rows == values


def _rows_and_values(extract: Extract, engine: Engine, column: str) -> tuple[int, int]:
    counted = extract.table.aggregate(rows=extract.table.count(), values=extract.table[column].nunique())
    found = engine.to_frame(counted).iloc[0]
    return int(found["rows"]), int(found["values"])


# ---------------------------------------------------------------- characteristics


def _fields(
    extract: Extract, engine: Engine, hints: dict[str, tuple[str, ...]], taken: set[str]
) -> list[GuessedField]:
    fields = []
    beside = [c for c in extract.columns if fit(c, hints["source"]) or fit(c, hints["recorded"])]
    for kind in characteristics().values():
        candidates = {c: fit(c, kind.hints) for c in extract.columns if c not in taken and c not in beside}
        ordered = sorted((c for c in candidates if candidates[c] > 0), key=lambda c: -candidates[c])
        seen_by_others = [c for c in ordered if fit(c, hints["observed"])]
        ordered = [c for c in ordered if c not in seen_by_others]
        for column in ordered[:3]:
            guessed = _try(extract, engine, kind, column, plain_match=candidates[column] >= 100)
            if guessed is None:
                continue
            taken.add(column)
            guessed = _with_company(guessed, extract, engine, kind, beside, seen_by_others, hints)
            taken.update({guessed.source, guessed.recorded, guessed.observed} - {""})
            fields.append(guessed)
            break
    has_birth_date = any(field.name == "birth_date" for field in fields)
    return [field for field in fields if not (has_birth_date and field.name == "age")]


def _try(
    extract: Extract, engine: Engine, kind: Characteristic, column: str, *, plain_match: bool
) -> GuessedField | None:
    key = (
        date_key(extract.table, column) if kind.kind == "birth_date" else extract.table[column].cast("string")
    )
    raw = distinct(engine, extract.table, key)
    free_text = kind.kind in ("coded", "flag", "decile", "own") and len(raw) > MOST_DISTINCT
    # Any column could be of the extract's own words: only its name tells.
    if raw.empty or free_text or (kind.kind == "own" and not plain_match):
        return None
    if kind.kind == "birth_date":
        share = _date_share(raw)
        return GuessedField(kind.name, column, "", share) if share >= ENOUGH else None
    coders: dict[str, Any] = {
        "age": lambda: code_ages(raw),
        "area": lambda: code_areas(raw, reference.lsoa_lookup()),
        "postcode": lambda: code_postcodes(raw),
        "decile": lambda: code_deciles(raw),
        "own": lambda: code_own_words(raw, kind.name),
    }
    coded = coders[kind.kind]() if kind.kind in coders else code_values(raw, kind.name)
    table = coded.table[coded.table["status"] != "missing"]
    records = table["records"].sum()
    share = float(table.loc[table["status"] != "invalid", "records"].sum() / records) if records else 0.0
    if share < ENOUGH and not plain_match:
        return None
    known = table.loc[table["status"] == "known", "records"].sum()
    if kind.kind in ("flag", "area", "decile") and not known:
        return None
    lists = dict(coded.code_lists)
    named = (table["status"] == "invalid") & (table["records"] >= FEWEST_RECORDS)
    unmatched = table[named & (kind.kind not in IDENTIFYING_KINDS)]
    unmatched = unmatched.sort_values("records", ascending=False, kind="stable").head(MOST_UNMATCHED)
    return GuessedField(
        name=kind.name,
        column=column,
        code_list=next(iter(lists)) if len(lists) == 1 and kind.kind in CODED_KINDS else "",
        share=share,
        unmatched=tuple(
            (str(value), int(count), str(near or ""))
            for value, count, near in zip(
                unmatched["value"], unmatched["records"], unmatched["suggestion"].fillna(""), strict=True
            )
        ),
    )


def _with_company(
    guessed: GuessedField,
    extract: Extract,
    engine: Engine,
    kind: Characteristic,
    beside: list[str],
    seen_by_others: list[str],
    hints: dict[str, tuple[str, ...]],
) -> GuessedField:
    """The columns that stand beside a characteristic: source, recorded date, an observer's view."""
    own = set(words(guessed.column).split()) - GENERIC_WORDS | {kind.name}
    near = [c for c in beside if own & set(words(c).split()) or fit(c, kind.hints)]
    source = _best_column(near, hints["source"])
    dated = [
        c for c in near if c != source and fit(c, hints["recorded"]) and _holds_dates(extract, engine, c)
    ]
    recorded = _best_column(dated, hints["recorded"])
    self_reported: tuple[str, ...] = ()
    proxy: tuple[str, ...] = ()
    if source:
        counted = distinct(engine, extract.table, extract.table[source].cast("string"))
        values = [str(value) for value in counted.loc[counted["records"] >= FEWEST_RECORDS, "value"]]
        self_reported = tuple(value for value in values if words(value) in hints["self_reported"])
        proxy = tuple(value for value in values if words(value) in hints["proxy"])
    return GuessedField(
        **{
            **vars(guessed),
            "source": source,
            "self_reported": self_reported,
            "proxy": proxy,
            "recorded": recorded,
            "observed": seen_by_others[0] if seen_by_others else "",
            "named_self_reported": fit(guessed.column, hints["named_self_reported"]) > 0,
        }
    )


# ---------------------------------------------------------------- dates and area


def _holds_dates(extract: Extract, engine: Engine, column: str) -> bool:
    return _date_share(distinct(engine, extract.table, date_key(extract.table, column))) >= ENOUGH


def _date_share(raw: pd.DataFrame) -> float:
    """Share of the filled values that can be read as dates."""
    if raw.empty:
        return 0.0
    readable = parse_dates(raw["value"])["date"].notna().to_numpy()
    return float(raw.loc[readable, "records"].sum() / raw["records"].sum())


def _first_and_last(
    extract: Extract, engine: Engine, column: str | None
) -> tuple[datetime.date | None, datetime.date | None]:
    if not column:
        return None, None
    raw = distinct(engine, extract.table, date_key(extract.table, column))
    if raw.empty:
        return None, None
    days = parse_dates(raw["value"])["date"].dropna()
    return (days.min().date(), days.max().date()) if len(days) else (None, None)


def _main_area(extract: Extract, engine: Engine, fields: Sequence[GuessedField]) -> tuple[str, str, float]:
    """The local authority where most people live, where the extract has area codes."""
    column = next((field.column for field in fields if field.name == "geography"), None)
    if column is None:
        return "", "", 0.0
    raw = distinct(engine, extract.table, extract.table[column].cast("string"))
    lookup = reference.lsoa_lookup().set_index("lsoa_code")["ltla22_code"]
    authority = raw["value"].astype("string").str.strip().str.upper().map(lookup)
    counts: pd.Series = raw["records"].groupby(authority).sum().sort_values(ascending=False)
    if counts.empty:
        return "", "", 0.0
    code, share = str(counts.index[0]), float(counts.iloc[0] / counts.sum())
    return (code, reference.find_area(code).name, share) if share >= MOST_LIVE else ("", "", 0.0)
