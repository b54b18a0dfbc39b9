"""Mapped columns -> coded fields: what each distinct value of a column means, as whole numbers.

The distinct values of a column, a few hundred, are listed by the engine, coded in pandas (`coding`), and made
ready to be looked up (`lookups`). A coded value is `rank * width + category`, where rank is the place of its
status in `STATUS_RANKS` and category is 0 unless the value is known: one number carries both, and a maximum
over a person's records prefers what says most.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from equitydata import codelists, reference
from equitydata.model import Status
from equitydata.records.coding import (
    CodedValues,
    code_ages,
    code_areas,
    code_deciles,
    code_own_words,
    code_postcodes,
    code_values,
    normalise,
)
from equitydata.records.columns import as_text, date_key, distinct
from equitydata.records.dates import date_notes, parse_dates
from equitydata.records.engine import Engine
from equitydata.records.extract import Extract
from equitydata.records.lookups import Frame, smallest_type
from equitydata.rulebook import Characteristic, characteristic
from equitydata.service import CharacteristicSettings, Service, SourceSettings

# Lowest first: where a person has no known value, the status that says most stands for them.
STATUS_RANKS: tuple[str, ...] = (
    Status.MISSING,
    Status.INVALID,
    Status.NOT_KNOWN,
    Status.NOT_APPLICABLE,
    Status.UNSURE,
    Status.DECLINED,
    Status.KNOWN,
)
KNOWN_RANK = STATUS_RANKS.index(Status.KNOWN)

SOURCE_KINDS = ("not recorded", "another source", "proxy", "self-reported")
SELF_REPORTED = SOURCE_KINDS.index("self-reported")
# What is gathered as bits stands in words of so many, which every engine holds as a 64-bit number with a sign.
WORD_BITS = 62
# A field's bits: every status but 'known', whose categories have a bit each behind them.
STATUS_BITS = KNOWN_RANK
EPOCH = pd.Timestamp("1900-01-01")


@dataclass(frozen=True)
class CodedField:
    """One characteristic as it is staged.

    kind : of the column it was read from: an area code gives deprivation too.
    values : one row per distinct raw value: value_id, value, status, category, detail, code_list,
        matched_by, suggestion (the code audit).
    categories : category labels by their number; 0 is no category.
    shown : finest category -> what tables of completeness call it, where people are stratified more finely.
    """

    name: str
    characteristic: Characteristic
    kind: str
    settings: CharacteristicSettings
    values: pd.DataFrame
    categories: tuple[str, ...]
    code_lists: Mapping[str, int] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    priorities: int = 1
    observed: tuple[str, ...] = ()
    days: int = 1
    shown: Mapping[str, str] = field(default_factory=dict)

    @property
    def width(self) -> int:
        """How many numbers one status takes: the categories and 'no category'."""
        return len(self.categories)

    @property
    def tail(self) -> int:
        """How many numbers stand behind status and self-report where records are ordered: date, source, category."""
        return self.days * self.priorities * self.width

    @property
    def selves(self) -> int:
        """2 where some values came from the person and others may not have; 1 where that cannot be told."""
        return 2 if self.has_source or self.settings.self_reported is True else 1

    @property
    def step(self) -> int:
        """How far apart two statuses stand where records are ordered."""
        return self.selves * self.tail

    @property
    def not_applicable(self) -> dict[str, int]:
        """Coded columns of the field -> their number where the item does not apply."""
        rank, name = STATUS_RANKS.index(Status.NOT_APPLICABLE), self.name
        best = rank * self.step
        return {
            name: rank * self.width,
            f"{name}_best": best,
            f"{name}_reverse": best + self.width - 1,
            f"{name}_turned": rank * self.width + self.width - 1,
            f"{name}_bits": 2**rank,
            f"{name}_is_known": 0,
        }

    @property
    def order_type(self) -> str:
        """The smallest whole-number type in which a person's records can be ordered."""
        return smallest_type(len(STATUS_RANKS) * self.step)

    @property
    def has_source(self) -> bool:
        """True when the extract says who gave each value."""
        return self.settings.source is not None


# ---------------------------------------------------------------- characteristics


@dataclass(frozen=True)
class CodedColumns:
    """A field with the columns that are looked up for it."""

    field: CodedField
    frames: Mapping[str, Frame]


def code_fields(
    extract: Extract, service: Service, engine: Engine, reference_date: date | None, days: int
) -> dict[str, CodedColumns]:
    """Every mapped characteristic, coded; an area code gives deprivation too.

    days : how many numbers a day may take, for the order of a person's records.
    """
    coded: dict[str, CodedColumns] = {}
    for name, settings in service.characteristics.items():
        # Both spellings of age give one characteristic; a birth date is the surer of the two.
        if name == "age" and "birth_date" in service.characteristics:
            continue
        kind = characteristic(name)
        key = _field_key(settings.column, kind)
        raw = distinct(engine, extract.table, key(extract.table))
        for wanted in _characteristics_of(name, service):
            known_as = characteristic(wanted)
            values = _code(raw, known_as, kind, settings, service, reference_date)
            coded[wanted] = _as_field(wanted, known_as, kind, settings, values, key, extract, engine, days)
    return coded


def _characteristics_of(name: str, service: Service) -> tuple[str, ...]:
    """An area code gives deprivation too, unless the extract has its own decile."""
    if name == "birth_date":
        return ("age",)
    if name == "geography" and "deprivation" not in service.characteristics:
        return ("geography", "deprivation")
    return (name,)


def _field_key(column: str, kind: Characteristic) -> Callable[[Any], Any]:
    return partial(date_key if kind.kind == "birth_date" else as_text, column=column)


def _code(
    raw: pd.DataFrame,
    wanted: Characteristic,
    given: Characteristic,
    settings: CharacteristicSettings,
    service: Service,
    reference_date: date | None,
) -> CodedValues:
    """Code the distinct values of one column as one characteristic."""
    coders: dict[str, Callable[[], CodedValues]] = {
        "age": lambda: code_ages(raw),
        "birth_date": lambda: _code_birth_dates(raw, reference_date, day_first=service.extract.day_first),
        "area": lambda: code_areas(raw, reference.lsoa_lookup(), as_decile=wanted.kind == "decile"),
        "postcode": lambda: code_postcodes(raw),
        "decile": lambda: code_deciles(raw),
        "own": lambda: code_own_words(raw, wanted.name, extra_missing=settings.missing),
    }
    coder = coders.get(given.kind)
    if coder is not None:
        return coder()
    return code_values(
        raw,
        wanted.name,
        code_list=_code_list(settings, wanted.name, service),
        local_map=_local_map(settings, service),
        extra_missing=settings.missing,
    )


def _code_list(settings: CharacteristicSettings, name: str, service: Service) -> Any:
    if settings.code_file is None:
        return settings.code_list
    return codelists.read_opencodelists(
        service.folder / settings.code_file,
        characteristic=name,
        grouping_column=settings.code_file_grouping,
        grouping=settings.code_list,
    )


def _local_map(settings: CharacteristicSettings, service: Service) -> dict[str, str]:
    local = dict(settings.map)
    if settings.map_file:
        frame = codelists.read_local_map(service.folder / settings.map_file)
        local = {**dict(zip(frame["value"], frame["category"], strict=True)), **local}
    return local


def _code_birth_dates(raw: pd.DataFrame, reference_date: date | None, *, day_first: bool) -> CodedValues:
    """Age in whole years on the reference date, from dates of birth."""
    parsed = parse_dates(raw["value"], day_first=day_first)
    on = pd.Timestamp(reference_date or date.today())
    birthday_to_come = (parsed["date"].dt.month > on.month) | (
        (parsed["date"].dt.month == on.month) & (parsed["date"].dt.day > on.day)
    )
    years = on.year - parsed["date"].dt.year - birthday_to_come.astype("Int64")
    ages = code_ages(raw.assign(value=years.astype("Int64").astype("string").fillna("")))
    status = pd.Series(parsed["status"].to_numpy()).where(
        parsed["date"].isna().to_numpy(), ages.table["status"]
    )
    table = ages.table.assign(
        value=raw["value"].to_numpy(),
        status=status.to_numpy(),
        category=ages.table["category"].where(status == Status.KNOWN, "").to_numpy(),
    )
    return replace(ages, table=table)


def _as_field(
    name: str,
    kind: Characteristic,
    given: Characteristic,
    settings: CharacteristicSettings,
    values: CodedValues,
    key: Callable[[Any], Any],
    extract: Extract,
    engine: Engine,
    days: int,
) -> CodedColumns:
    known = values.table[values.table["status"] == Status.KNOWN]
    finest = known[_finest(known)].astype(str)
    categories = ("", *sorted(set(finest) - {""}, key=_natural))
    table = values.table.assign(value_id=np.arange(1, len(values.table) + 1))
    frames: dict[str, Frame] = {}
    priorities = 1
    if settings.source is not None:
        frames[f"{name}_source"], priorities = _source_frame(
            extract, engine, settings.source, f"{name}_source"
        )
    observed: tuple[str, ...] = ()
    if settings.observed is not None:
        frames[f"{name}_observed"], observed = _observed_frame(extract, engine, settings.observed, name)
    coded_field = CodedField(
        name=name,
        characteristic=kind,
        kind=given.kind,
        settings=settings,
        values=table,
        categories=categories,
        code_lists=dict(values.code_lists),
        warnings=tuple(f"{kind.label}: {warning}" for warning in values.warnings),
        priorities=priorities,
        observed=observed,
        days=days,
        shown=dict(zip(finest, known["category"], strict=True)) if "finest" in known else {},
    )
    frames[name] = _value_frame(coded_field, key)
    return CodedColumns(coded_field, frames)


def _value_frame(coded_field: CodedField, key: Callable[[Any], Any]) -> Frame:
    """What each distinct value contributes: all that later passes would otherwise work out row by row."""
    name, width, step = coded_field.name, coded_field.width, coded_field.step
    packed = _packed(coded_field.values, coded_field.categories)
    rank, category = packed // width, packed % width
    known = rank == KNOWN_RANK
    frame = pd.DataFrame(
        {
            "raw": coded_field.values["value"],
            name: packed,
            f"{name}_raw": coded_field.values["value_id"],
            f"{name}_is_known": known.astype("int64"),
            f"{name}_best": rank * step + category,
            f"{name}_reverse": rank * step + (width - 1 - category),
            f"{name}_turned": rank * width + (width - 1 - category),
        }
    )
    blanks = {f"{name}_reverse": width - 1, f"{name}_turned": width - 1}
    if STATUS_BITS + width <= WORD_BITS:
        frame[f"{name}_bits"] = 2 ** (rank + category)
        blanks[f"{name}_bits"] = 1
    return Frame(key, frame, blanks)


def _packed(table: pd.DataFrame, categories: tuple[str, ...]) -> pd.Series:
    ranks = table["status"].map({str(status): rank for rank, status in enumerate(STATUS_RANKS)})
    numbers = table[_finest(table)].map({label: number for number, label in enumerate(categories)})
    numbers = numbers.where(table["status"] == Status.KNOWN, 0).fillna(0)
    return (ranks * len(categories) + numbers).astype("int64")


def _finest(table: pd.DataFrame) -> str:
    """The column by which people are told apart: areas more finely than tables of completeness show them."""
    return "finest" if "finest" in table else "category"


def _natural(label: str) -> tuple[int, float, str]:
    """Sort key: numbers by size, words by letter."""
    try:
        return (0, float(label), label)
    except ValueError:
        return (1, 0.0, label)


def _source_frame(extract: Extract, engine: Engine, source: SourceSettings, column: str) -> tuple[Frame, int]:
    """Who gave a value: kind * priorities + priority, the better source the larger."""
    key = partial(as_text, column=source.column)
    raw = distinct(engine, extract.table, key(extract.table))
    words = normalise(raw["value"])
    kinds = pd.Series(1, index=raw.index)
    kinds[words == ""] = 0
    kinds[words.isin(normalise(pd.Series(source.proxy, dtype="string")))] = 2
    kinds[words.isin(normalise(pd.Series(source.self_reported, dtype="string")))] = SELF_REPORTED
    ordered = list(normalise(pd.Series(source.priority, dtype="string")))
    priorities = len(ordered) + 1
    places = {word: priorities - 1 - place for place, word in enumerate(ordered)}
    priority = pd.to_numeric(words.map(places)).fillna(0).astype("int64")
    number = kinds.astype("int64") * priorities + priority
    return Frame(key, pd.DataFrame({"raw": raw["value"], column: number})), priorities


def _observed_frame(
    extract: Extract, engine: Engine, column: str, name: str
) -> tuple[Frame, tuple[str, ...]]:
    key = partial(as_text, column=column)
    raw = distinct(engine, extract.table, key(extract.table))
    values = code_values(raw, name).table
    categories = ("", *sorted(set(values.loc[values["status"] == Status.KNOWN, "category"])))
    frame = pd.DataFrame({"raw": values["value"], f"{name}_observed": _packed(values, categories)})
    return Frame(key, frame), categories


# ---------------------------------------------------------------- dates and places


def parsed_dates(extract: Extract, service: Service, engine: Engine) -> dict[str, tuple[str, pd.DataFrame]]:
    """Name of the coded column -> (column, its distinct dates) for the contact date and each recorded date."""
    wanted = {"day": service.extract.date}
    wanted |= {f"{n}_day": s.recorded for n, s in service.characteristics.items()}
    found = {}
    for name, column in wanted.items():
        if column is not None:
            raw = distinct(engine, extract.table, date_key(extract.table, column))
            parsed = parse_dates(raw["value"], day_first=service.extract.day_first)
            # The text as it stands in the extract, which is what is looked up.
            found[name] = (column, parsed.assign(value=raw["value"].to_numpy()))
    return found


def notes_on_dates(dates: Mapping[str, tuple[str, pd.DataFrame]]) -> list[str]:
    """What a reader should know of how the dates of each column were read."""
    return [
        f"Dates of '{column}': {note}." for column, parsed in dates.values() for note in date_notes(parsed)
    ]


def find_reference_date(service: Service, contact_dates: tuple[str, pd.DataFrame] | None) -> date | None:
    """The day on which ages are reckoned: the end of the period, else the last contact."""
    if service.service.period.to is not None:
        return service.service.period.to
    if contact_dates is None:
        return None
    last = contact_dates[1]["date"].max()
    return None if pd.isna(last) else last.date()


def find_span(dates: Mapping[str, tuple[str, pd.DataFrame]]) -> tuple[pd.Timestamp, int]:
    """First day of any date, and how many numbers days need (0 is 'no date')."""
    found = [frame["date"].dropna() for _, frame in dates.values()]
    found = [days for days in found if len(days)]
    if not found:
        return EPOCH, 1
    first = min(days.min() for days in found)
    last = max(days.max() for days in found)
    return first, (last - first).days + 2


def day_frames(dates: Mapping[str, tuple[str, pd.DataFrame]], first_day: pd.Timestamp) -> dict[str, Frame]:
    """The days of contact and recorded dates, counted from the first day as 1; 0 where there is no date."""
    frames = {}
    for name, (column, parsed) in dates.items():
        number = ((parsed["date"] - first_day).dt.days + 1).fillna(0).astype("int64")
        frames[name] = Frame(
            partial(date_key, column=column), pd.DataFrame({"raw": parsed["value"], name: number})
        )
    return frames


@dataclass(frozen=True)
class CodedPlace:
    """Places by number; number 0 is not recorded. frame : None where no column is mapped."""

    labels: tuple[str, ...]
    frame: Frame | None


def code_place(extract: Extract, engine: Engine, column: str | None, name: str) -> CodedPlace:
    """Places by number: spellings that differ in case or spaces are one place, named as most often written."""
    if column is None:
        return CodedPlace(("Not recorded",), None)
    key = partial(as_text, column=column)
    raw = distinct(engine, extract.table, key(extract.table))
    words = raw["value"].astype("string").str.strip().str.casefold()
    blank = words.isin(codelists.missing_words("place")["text"]) | (words == "")
    named = raw.assign(words=words)[~blank].sort_values("records", ascending=False, kind="stable")
    labels = named.groupby("words", sort=True)["value"].first().str.strip()
    numbers = {word: number for number, word in enumerate(labels.index, start=1)}
    number = words.map(numbers).where(~blank, 0).fillna(0).astype("int64")
    frame = pd.DataFrame({"raw": raw["value"], name: number})
    if len(labels) < WORD_BITS:
        frame[f"{name}_bit"] = 2**number
    return CodedPlace(("Not recorded", *labels), Frame(key, frame, {f"{name}_bit": 1}))
