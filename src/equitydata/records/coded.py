"""Records -> coded records: every mapped column joined with its code list, once.

The raw text of a column is read once to list its distinct values; these few hundred values are coded in
pandas (`coding`), sent back as a small table, and joined. What is staged afterwards are small whole numbers:
no later step looks at text again.

A staged value is `rank * width + category`, where rank is the place of its status in `STATUS_RANKS` and
category is 0 unless the value is known. So one number carries both, and a maximum over a person's records
prefers what says most.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import ibis
import numpy as np
import pandas as pd

from equitydata import codelists, reference
from equitydata.errors import InputError, nearest
from equitydata.model import Intake, Status
from equitydata.records.coding import (
    CodedValues,
    code_ages,
    code_areas,
    code_deciles,
    code_postcodes,
    code_values,
    normalise,
)
from equitydata.records.dates import parse_dates
from equitydata.records.engine import Engine
from equitydata.records.extract import Extract, drop_duplicates, reject_rows
from equitydata.rulebook import Characteristic, characteristic
from equitydata.service import CharacteristicSettings, Condition, Service

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
APPLICABLE_RANKS = [rank for rank, status in enumerate(STATUS_RANKS) if status != Status.NOT_APPLICABLE]

SOURCE_KINDS = ("not recorded", "another source", "proxy", "self-reported")
SELF_REPORTED = SOURCE_KINDS.index("self-reported")
EPOCH = pd.Timestamp("1900-01-01")
# A date column of text is cut to its first characters before it is listed, so that a column of timestamps
# gives hundreds of distinct days and not millions of distinct seconds. Eleven hold "01-Apr-2025".
DATE_TEXT_LENGTH = 11


@dataclass(frozen=True)
class CodedField:
    """One characteristic as it is staged.

    values : one row per distinct raw value: value_id, value, status, category, detail, code_list,
        matched_by, suggestion (the code audit).
    categories : category labels by their number; 0 is no category.
    """

    name: str
    characteristic: Characteristic
    settings: CharacteristicSettings
    values: pd.DataFrame
    categories: tuple[str, ...]
    code_lists: Mapping[str, int] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    priorities: int = 1
    observed: tuple[str, ...] = ()

    @property
    def width(self) -> int:
        """How many numbers one status takes: the categories and 'no category'."""
        return len(self.categories)

    @property
    def has_source(self) -> bool:
        """True when the extract says who gave each value."""
        return self.settings.source is not None


@dataclass(frozen=True)
class CodedRecords:
    """The staged records of one extract, and what their numbers mean.

    table : ibis table with person, day, point_of_care, site and, for each field, `<name>` (value),
        `<name>_raw`, and where mapped `<name>_source`, `<name>_day`, `<name>_stale`, `<name>_observed`.
    days : number of days from `first_day` that `day` may hold; day 0 is 'no date'.
    places : labels by number for point_of_care and site; number 0 is 'Not recorded'.
    """

    engine: Engine
    table: Any
    fields: Mapping[str, CodedField]
    places: Mapping[str, tuple[str, ...]]
    intake: Intake
    first_day: pd.Timestamp
    days: int
    has_person: bool
    reference_date: date | None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Lookup:
    """A coded column: distinct raw text joined to a few whole numbers."""

    key: Any
    frame: pd.DataFrame
    blank: Mapping[str, int]


def code_records(extract: Extract, service: Service, engine: Engine) -> CodedRecords:
    """Reject what cannot be used, code every mapped column, and stage the result.

    Raises InputError for a column that the extract does not have.
    """
    _check_columns(extract, service)
    if service.extract.duplicates == "drop":
        extract = drop_duplicates(extract)
    dates = _date_lookups(extract, service, engine)
    reference_date = _reference_date(service, dates.get("day"))
    coded = _code_fields(extract, service, engine, reference_date)
    places = {
        "point_of_care": _code_place(extract, engine, service.extract.point_of_care or service.extract.site),
        "site": _code_place(extract, engine, service.extract.site),
    }
    first_day, days = _span(dates)
    lookups = _all_lookups(dates, coded, places, first_day)
    joined, columns = _join(extract.table, lookups, engine)
    extract = replace(extract, table=joined)
    extract = reject_rows(extract, _rejections(joined, columns, service, coded, first_day))
    table = engine.stage(_selected(extract.table, columns, service, coded), "coded_records")
    return CodedRecords(
        engine=engine,
        table=table,
        fields={name: each.field for name, each in coded.items()},
        places={name: place.labels for name, place in places.items()},
        intake=extract.intake,
        first_day=first_day,
        days=days,
        has_person=service.extract.person is not None,
        reference_date=reference_date,
        notes=tuple(note for each in coded.values() for note in each.field.warnings),
    )


# ---------------------------------------------------------------- columns


def mapped_columns(service: Service) -> dict[str, str]:
    """Every column that a service file names -> the key that names it."""
    extract, columns = service.extract, {}
    for key in ("person", "date", "record", "point_of_care", "site"):
        columns[getattr(extract, key)] = f"[extract] {key}"
    for number, condition in enumerate(extract.exclude, start=1):
        columns[condition.column] = f"[extract] exclude, condition {number}"
    for name, settings in service.characteristics.items():
        where = f"[characteristics.{name}]"
        columns[settings.column] = f"{where} column"
        columns[settings.recorded] = f"{where} recorded"
        columns[settings.observed] = f"{where} observed"
        columns[settings.source.column if settings.source else None] = f"{where} source"
        columns[settings.applies.column if settings.applies else None] = f"{where} applies"
    columns.pop(None, None)
    return columns


def _check_columns(extract: Extract, service: Service) -> None:
    for column, where in mapped_columns(service).items():
        if column not in extract.columns:
            raise InputError(
                f"The extract has no column '{column}'.", where=where, mend=nearest(column, extract.columns)
            )


def _text(table: Any, column: str) -> Any:
    values = table[column]
    return values if values.type().is_string() else values.cast("string")


def _distinct(engine: Engine, table: Any, key: Any) -> pd.DataFrame:
    """Distinct values of an expression with their records; nulls are left out."""
    counted = table.mutate(value=key).group_by("value").agg(records=lambda t: t.count())
    return engine.to_frame(counted.filter(counted.value.notnull()).order_by("value"))


# ---------------------------------------------------------------- characteristics


@dataclass(frozen=True)
class _Coded:
    field: CodedField
    lookups: tuple[tuple[str, _Lookup], ...]


def _code_fields(
    extract: Extract, service: Service, engine: Engine, reference_date: date | None
) -> dict[str, _Coded]:
    coded: dict[str, _Coded] = {}
    for name, settings in service.characteristics.items():
        # Both spellings of age give one characteristic; a birth date is the surer of the two.
        if name == "age" and "birth_date" in service.characteristics:
            continue
        kind = characteristic(name)
        key = _field_key(extract.table, settings.column, kind)
        raw = _distinct(engine, extract.table, key)
        for wanted in _characteristics_of(name, service):
            known_as = characteristic(wanted)
            values = _code(raw, known_as, kind, settings, service, reference_date)
            coded[wanted] = _as_field(wanted, known_as, settings, values, key, extract, service, engine)
    return coded


def _characteristics_of(name: str, service: Service) -> tuple[str, ...]:
    """An area code gives deprivation too, unless the extract has its own decile."""
    if name == "birth_date":
        return ("age",)
    if name == "geography" and "deprivation" not in service.characteristics:
        return ("geography", "deprivation")
    return (name,)


def _field_key(table: Any, column: str, kind: Characteristic) -> Any:
    if kind.kind == "birth_date":
        return _date_key(table, column)
    return _text(table, column)


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
    status = pd.Series(parsed["status"].to_numpy()).where(parsed["date"].isna().to_numpy(), ages.table["status"])
    table = ages.table.assign(
        value=raw["value"].to_numpy(),
        status=status.to_numpy(),
        category=ages.table["category"].where(status == Status.KNOWN, "").to_numpy(),
    )
    return replace(ages, table=table)


def _as_field(
    name: str,
    kind: Characteristic,
    settings: CharacteristicSettings,
    values: CodedValues,
    key: Any,
    extract: Extract,
    service: Service,
    engine: Engine,
) -> _Coded:
    known = values.table.loc[values.table["status"] == Status.KNOWN, "category"]
    categories = ("", *sorted(set(known.astype(str)) - {""}, key=_natural))
    table = values.table.assign(value_id=np.arange(1, len(values.table) + 1))
    width = len(categories)
    frame = pd.DataFrame(
        {"raw": table["value"], name: _packed(table, categories), f"{name}_raw": table["value_id"]}
    )
    lookups = [(name, _Lookup(key, frame, {name: 0, f"{name}_raw": 0}))]
    priorities = 1
    if settings.source is not None:
        source, priorities = _source_lookup(extract, engine, settings, name)
        lookups.append((f"{name}_source", source))
    observed: tuple[str, ...] = ()
    if settings.observed is not None:
        seen, observed = _observed_lookup(extract, engine, settings, name)
        lookups.append((f"{name}_observed", seen))
    coded_field = CodedField(
        name=name,
        characteristic=kind,
        settings=settings,
        values=table,
        categories=categories,
        code_lists=dict(values.code_lists),
        warnings=tuple(f"{kind.label}: {warning}" for warning in values.warnings),
        priorities=priorities,
        observed=observed,
    )
    assert width == coded_field.width
    return _Coded(coded_field, tuple(lookups))


def _packed(table: pd.DataFrame, categories: tuple[str, ...]) -> pd.Series:
    ranks = table["status"].map({str(status): rank for rank, status in enumerate(STATUS_RANKS)})
    numbers = table["category"].map({label: number for number, label in enumerate(categories)})
    numbers = numbers.where(table["status"] == Status.KNOWN, 0).fillna(0)
    return (ranks * len(categories) + numbers).astype("int64")


def _natural(label: str) -> tuple[int, float, str]:
    """Sort key: numbers by size, words by letter."""
    try:
        return (0, float(label), label)
    except ValueError:
        return (1, 0.0, label)


def _source_lookup(
    extract: Extract, engine: Engine, settings: CharacteristicSettings, name: str
) -> tuple[_Lookup, int]:
    source = settings.source
    assert source is not None
    key = _text(extract.table, source.column)
    raw = _distinct(engine, extract.table, key)
    words = normalise(raw["value"])
    kinds = pd.Series(1, index=raw.index)
    kinds[words == ""] = 0
    kinds[words.isin(normalise(pd.Series(source.proxy, dtype="string")))] = 2
    kinds[words.isin(normalise(pd.Series(source.self_reported, dtype="string")))] = SELF_REPORTED
    ordered = list(normalise(pd.Series(source.priority, dtype="string")))
    priorities = len(ordered) + 1
    places = {word: priorities - 1 - place for place, word in enumerate(ordered)}
    priority = words.map(places).fillna(0)
    column = f"{name}_source"
    frame = pd.DataFrame({"raw": raw["value"], column: (kinds * priorities + priority).astype("int64")})
    return _Lookup(key, frame, {column: 0}), priorities


def _observed_lookup(
    extract: Extract, engine: Engine, settings: CharacteristicSettings, name: str
) -> tuple[_Lookup, tuple[str, ...]]:
    assert settings.observed is not None
    key = _text(extract.table, settings.observed)
    raw = _distinct(engine, extract.table, key)
    values = code_values(raw, name).table
    categories = ("", *sorted(set(values.loc[values["status"] == Status.KNOWN, "category"])))
    column = f"{name}_observed"
    frame = pd.DataFrame({"raw": values["value"], column: _packed(values, categories)})
    return _Lookup(key, frame, {column: 0}), categories


# ---------------------------------------------------------------- dates and places


def _date_key(table: Any, column: str) -> Any:
    values = table[column]
    if values.type().is_string():
        return values.substr(0, DATE_TEXT_LENGTH)
    if values.type().is_timestamp() or values.type().is_date():
        return values.cast("date").cast("string")
    return values.cast("string").substr(0, DATE_TEXT_LENGTH)


def _date_lookups(extract: Extract, service: Service, engine: Engine) -> dict[str, tuple[Any, pd.DataFrame]]:
    """Name of the staged column -> (key, distinct dates) for the contact date and each recorded date."""
    wanted = {"day": service.extract.date}
    wanted |= {f"{n}_day": s.recorded for n, s in service.characteristics.items()}
    found = {}
    for name, column in wanted.items():
        if column is None:
            continue
        key = _date_key(extract.table, column)
        raw = _distinct(engine, extract.table, key)
        parsed = parse_dates(raw["value"], day_first=service.extract.day_first)
        found[name] = (key, parsed.assign(records=raw["records"].to_numpy()))
    return found


def _reference_date(service: Service, contact_dates: tuple[Any, pd.DataFrame] | None) -> date | None:
    """The day on which ages are reckoned: the end of the period, else the last contact."""
    if service.service.period.to is not None:
        return service.service.period.to
    if contact_dates is None:
        return None
    last = contact_dates[1]["date"].max()
    return None if pd.isna(last) else last.date()


def _span(dates: Mapping[str, tuple[Any, pd.DataFrame]]) -> tuple[pd.Timestamp, int]:
    """First day of any date, and how many numbers days need (0 is 'no date')."""
    found = [frame["date"].dropna() for _, frame in dates.values()]
    found = [days for days in found if len(days)]
    if not found:
        return EPOCH, 1
    first = min(days.min() for days in found)
    last = max(days.max() for days in found)
    return first, (last - first).days + 2


@dataclass(frozen=True)
class _Place:
    labels: tuple[str, ...]
    lookup: _Lookup | None


def _code_place(extract: Extract, engine: Engine, column: str | None) -> _Place:
    """Places by number: spellings that differ in case or spaces are one place, named as most often written."""
    if column is None:
        return _Place(("Not recorded",), None)
    key = _text(extract.table, column)
    raw = _distinct(engine, extract.table, key)
    words = raw["value"].astype("string").str.strip().str.casefold()
    blank = words.isin(codelists.missing_words("place")["text"]) | (words == "")
    named = raw.assign(words=words)[~blank].sort_values("records", ascending=False, kind="stable")
    labels = named.groupby("words", sort=True)["value"].first().str.strip()
    numbers = {word: number for number, word in enumerate(labels.index, start=1)}
    ids = words.map(numbers).where(~blank, 0).fillna(0).astype("int64")
    frame = pd.DataFrame({"raw": raw["value"], "place": ids})
    return _Place(("Not recorded", *labels), _Lookup(key, frame, {"place": 0}))


def _all_lookups(
    dates: Mapping[str, tuple[Any, pd.DataFrame]],
    coded: Mapping[str, _Coded],
    places: Mapping[str, _Place],
    first_day: pd.Timestamp,
) -> dict[str, _Lookup]:
    lookups: dict[str, _Lookup] = {}
    for name, (key, frame) in dates.items():
        days = (frame["date"] - first_day).dt.days + 1
        column = pd.DataFrame({"raw": frame["value"], name: days.fillna(0).astype("int64")})
        lookups[name] = _Lookup(key, column, {name: 0})
    for each in coded.values():
        lookups.update(each.lookups)
    for name, place in places.items():
        if place.lookup is not None:
            frame = place.lookup.frame.rename(columns={"place": name})
            lookups[name] = _Lookup(place.lookup.key, frame, {name: 0})
    return lookups


# ---------------------------------------------------------------- joining and rejecting


def _join(table: Any, lookups: Mapping[str, _Lookup], engine: Engine) -> tuple[Any, list[str]]:
    """Left-join every lookup; a value that is null in the extract takes the lookup's blank numbers."""
    keyed = table.mutate(**{f"__key_{name}": lookup.key for name, lookup in lookups.items()})
    columns: list[str] = []
    for name, lookup in lookups.items():
        small = lookup.frame.astype({column: _smallest(lookup.frame[column]) for column in lookup.blank})
        small = small.rename(columns={"raw": f"__raw_{name}"})
        right = engine.lookup(small, f"lookup_{name}")
        keyed = keyed.left_join(right, keyed[f"__key_{name}"] == right[f"__raw_{name}"])
        keyed = keyed.mutate(**{column: keyed[column].fill_null(blank) for column, blank in lookup.blank.items()})
        keyed = keyed.drop(f"__raw_{name}")
        columns.extend(lookup.blank)
    return keyed.drop(*[f"__key_{name}" for name in lookups]), columns


def _smallest(numbers: pd.Series) -> str:
    largest = int(numbers.max()) if len(numbers) else 0
    return "int16" if largest < 2**15 else "int32" if largest < 2**31 else "int64"


def _rejections(
    table: Any, columns: list[str], service: Service, coded: Mapping[str, _Coded], first_day: pd.Timestamp
) -> dict[str, Any]:
    """Reason -> condition; a row counts once, under the first reason that holds."""
    reasons: dict[str, Any] = {}
    for number, condition in enumerate(service.extract.exclude, start=1):
        reasons[f"left out by [extract] exclude, condition {number} ('{condition.column}')"] = meets(
            table, condition
        )
    if service.extract.person is not None:
        person = _text(table, service.extract.person)
        reasons["no person identifier"] = person.isnull() | (person.strip() == "")
    period = service.service.period
    if "day" in columns and (period.from_ or period.to):
        reasons["no readable contact date"] = table["day"] == 0
        low = 1 if period.from_ is None else (pd.Timestamp(period.from_) - first_day).days + 1
        high = 2**30 if period.to is None else (pd.Timestamp(period.to) - first_day).days + 1
        reasons["outside the period"] = (table["day"] < low) | (table["day"] > high)
    if service.service.ages is not None and "age" in coded:
        outside = _categories_outside(coded["age"].field, service.service.ages)
        if outside:
            width = coded["age"].field.width
            packed = [KNOWN_RANK * width + number for number in outside]
            reasons["outside the eligible ages"] = table["age"].isin(packed)
    return reasons


def _categories_outside(age: CodedField, ages: tuple[int, int]) -> list[int]:
    years = pd.to_numeric(pd.Series(age.categories), errors="coerce")
    return [int(number) for number in years.index[(years < ages[0]) | (years > ages[1])]]


def meets(table: Any, condition: Condition) -> Any:
    """Boolean value: which rows meet a condition; a null never does, unless missing = true is asked."""
    column = table[condition.column]
    text = _text(table, condition.column).strip().lower()
    blank = column.isnull() | (text == "")
    parts = []
    if condition.missing is not None:
        parts.append(blank if condition.missing else ~blank)
    if condition.in_ is not None:
        parts.append(text.isin([value.strip().lower() for value in condition.in_]))
    if condition.not_in is not None:
        parts.append(~text.isin([value.strip().lower() for value in condition.not_in]) | blank)
    if condition.equals is not None:
        parts.append(text == condition.equals.strip().lower())
    if condition.at_least is not None or condition.at_most is not None:
        number = column if column.type().is_numeric() else text.try_cast("float64")
        if condition.at_least is not None:
            parts.append(number >= condition.at_least)
        if condition.at_most is not None:
            parts.append(number <= condition.at_most)
    met = parts[0]
    for part in parts[1:]:
        met = met & part
    return met.fill_null(False)


def _selected(table: Any, columns: list[str], service: Service, coded: Mapping[str, _Coded]) -> Any:
    """The columns that are staged: whole numbers, and the person only to group by."""
    person = table[service.extract.person] if service.extract.person else ibis.row_number()
    if service.extract.person and person.type().is_string():
        person = person.strip()
    chosen: dict[str, Any] = {"person": person}
    for name in ("day", "point_of_care", "site"):
        chosen[name] = table[name] if name in columns else ibis.literal(0, "int16")
    for name, each in coded.items():
        applies = each.field.settings.applies
        for column in (c for c in columns if c == name or c.startswith(f"{name}_") and c in _field_columns(name)):
            chosen[column] = table[column]
        if applies is not None:
            not_applicable = STATUS_RANKS.index(Status.NOT_APPLICABLE) * each.field.width
            chosen[name] = ibis.ifelse(meets(table, applies), table[name], not_applicable)
    return table.select(**chosen)


def _field_columns(name: str) -> set[str]:
    return {f"{name}{suffix}" for suffix in ("", "_raw", "_source", "_day", "_observed")}
