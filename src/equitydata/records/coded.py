"""Records -> coded records: every mapped column joined with its code list.

The raw text of a column is read once to list its distinct values; these few hundred values are coded in
pandas (`coding`), sent back as a small table, and joined. What comes out are small whole numbers: no later
step looks at text again. The join itself is cheap, as engines do it once for each distinct value of a block,
so nothing is copied: each count asks `CodedRecords.view` for the columns that it needs.

A coded value is `rank * width + category`, where rank is the place of its status in `STATUS_RANKS` and
category is 0 unless the value is known. So one number carries both, and a maximum over a person's records
prefers what says most.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from functools import partial
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
from equitydata.records.lookups import Frame, Lookup, coded_name, look_up, make_lookup, smallest_type
from equitydata.rulebook import Characteristic, characteristic
from equitydata.service import CharacteristicSettings, Condition, Service, SourceSettings

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
# Categories are gathered as bits of one 64-bit number; more do not fit.
MOST_BITS = 62
EPOCH = pd.Timestamp("1900-01-01")
# A date column of text is cut to its first characters before it is listed, so that a column of timestamps
# gives hundreds of distinct days and not millions of distinct seconds. Eleven hold "01-Apr-2025".
DATE_TEXT_LENGTH = 11


@dataclass(frozen=True)
class CodedField:
    """One characteristic as it is staged.

    kind : of the column it was read from: an area code gives deprivation too.
    values : one row per distinct raw value: value_id, value, status, category, detail, code_list,
        matched_by, suggestion (the code audit).
    categories : category labels by their number; 0 is no category.
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
            f"{name}_bit": 0,
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


@dataclass(frozen=True)
class CodedRecords:
    """The usable records of one extract, and what their coded numbers mean.

    base : ibis table of the records that are used, as they came.
    lookups : name -> how its coded columns are found. For each field `<f>` (value), `<f>_raw` (number of the
        recorded value), `<f>_best` and `<f>_reverse` (see `persons`), `<f>_is_known` (1 or 0), `<f>_bit` (the
        category as a bit, 0 unless known); where mapped `<f>_source`, `<f>_day`, `<f>_observed`; and day,
        point_of_care and site, the places with their `_bit`.
    first_day, days : day 1, and how many numbers a day may take; day 0 is 'no date'.
    places : labels by number for point_of_care and site; number 0 is 'Not recorded'.
    complete : no row was rejected since the values were listed, so their counts still hold.
    """

    engine: Engine
    base: Any
    person: Any
    lookups: Mapping[str, Lookup]
    fields: Mapping[str, CodedField]
    places: Mapping[str, tuple[str, ...]]
    intake: Intake
    first_day: pd.Timestamp
    days: int
    has_person: bool
    reference_date: date | None
    complete: bool
    notes: tuple[str, ...] = ()

    def has(self, column: str) -> bool:
        """True when the extract gives that coded column."""
        return any(column in lookup.columns for lookup in self.lookups.values())

    def view(
        self, columns: Iterable[str], *, person: bool = False, part: tuple[int, int] | None = None
    ) -> Any:
        """The used records with the coded columns asked for; one that is not mapped is 0 throughout.

        person : add the person identifier, to group by.
        part : (number, parts) for the records of one part of the people, told by a hash of the identifier.
        """
        wanted = list(dict.fromkeys(columns))
        base = self.base
        if part is not None:
            # Not the modulus of the hash: a join downstream hashes too, and would meet one residue only.
            base = base.filter(((self.person(base).hash() >> 20) & 0xFFFF) % part[1] == part[0])
        joined = look_up(base, self.lookups, wanted)
        chosen: dict[str, Any] = {"person": self.person(joined)} if person else {}
        for name in wanted:
            chosen[name] = joined[coded_name(name)] if self.has(name) else _unmapped(name)
        for each in self.fields.values():
            applies = each.settings.applies
            for name, number in each.not_applicable.items():
                if applies is not None and name in chosen:
                    chosen[name] = ibis.ifelse(meets(joined, applies), chosen[name], number)
        return joined.select(**chosen)


def _unmapped(column: str) -> Any:
    """What a coded column holds where the extract has none: everyone is at place 0, whose bit is 1."""
    return ibis.literal(int(column in ("point_of_care_bit", "site_bit")), "int16")


def code_records(extract: Extract, service: Service, engine: Engine) -> CodedRecords:
    """Code every mapped column, and reject what cannot be used.

    Raises InputError for a column that the extract does not have.
    """
    _check_columns(extract, service)
    if service.extract.duplicates == "drop":
        extract = drop_duplicates(extract)
    dates = _parsed_dates(extract, service, engine)
    reference_date = _reference_date(service, dates.get("day"))
    first_day, days = _span(dates)
    coded = _code_fields(extract, service, engine, reference_date, days)
    places = {
        "point_of_care": _code_place(
            extract, engine, service.extract.point_of_care or service.extract.site, "point_of_care"
        ),
        "site": _code_place(extract, engine, service.extract.site, "site"),
    }
    frames = _day_frames(dates, first_day)
    for each in coded.values():
        frames.update(each.frames)
    frames |= {name: place.frame for name, place in places.items() if place.frame is not None}
    # Files are read as dictionaries; what is held elsewhere may not be.
    dictionaries = extract.kind in ("parquet", "text", "excel")
    lookups = {
        name: make_lookup(name, frame, engine, dictionaries=dictionaries) for name, frame in frames.items()
    }
    listed = extract.intake.rows_used
    extract = _reject(extract, service, lookups, coded, first_day)
    return CodedRecords(
        engine=engine,
        base=extract.table,
        person=_person_key(extract, service, engine),
        lookups=lookups,
        fields={name: each.field for name, each in coded.items()},
        places={name: place.labels for name, place in places.items()},
        intake=extract.intake,
        first_day=first_day,
        days=days,
        has_person=service.extract.person is not None,
        reference_date=reference_date,
        complete=extract.intake.rows_used == listed,
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


def as_text(table: Any, column: str) -> Any:
    """A column as text, by which it is looked up."""
    values = table[column]
    return values if values.type().is_string() else values.cast("string")


def distinct(engine: Engine, table: Any, key: Any) -> pd.DataFrame:
    """Distinct values of an expression: columns value and records; nulls are left out."""
    counted = table.mutate(value=key).group_by("value").agg(records=lambda t: t.count())
    return engine.to_frame(counted.filter(counted.value.notnull()).order_by("value"))


# ---------------------------------------------------------------- characteristics


@dataclass(frozen=True)
class _Coded:
    field: CodedField
    frames: Mapping[str, Frame]


def _code_fields(
    extract: Extract, service: Service, engine: Engine, reference_date: date | None, days: int
) -> dict[str, _Coded]:
    coded: dict[str, _Coded] = {}
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
) -> _Coded:
    known = values.table.loc[values.table["status"] == Status.KNOWN, "category"]
    categories = ("", *sorted(set(known.astype(str)) - {""}, key=_natural))
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
    )
    frames[name] = _value_frame(coded_field, key)
    return _Coded(coded_field, frames)


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
        }
    )
    if width <= MOST_BITS:
        frame[f"{name}_bit"] = (2 ** category.clip(upper=MOST_BITS)).where(known, 0)
    return Frame(key, frame, {f"{name}_reverse": width - 1})


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


def date_key(table: Any, column: str) -> Any:
    """The text of a date column by which it is listed: the day, without the time."""
    values = table[column]
    if values.type().is_string():
        return values.substr(0, DATE_TEXT_LENGTH)
    if values.type().is_timestamp() or values.type().is_date():
        return values.cast("date").cast("string")
    return values.cast("string").substr(0, DATE_TEXT_LENGTH)


def _parsed_dates(extract: Extract, service: Service, engine: Engine) -> dict[str, tuple[str, pd.DataFrame]]:
    """Name of the coded column -> (column, its distinct dates) for the contact date and each recorded date."""
    wanted = {"day": service.extract.date}
    wanted |= {f"{n}_day": s.recorded for n, s in service.characteristics.items()}
    found = {}
    for name, column in wanted.items():
        if column is not None:
            raw = distinct(engine, extract.table, date_key(extract.table, column))
            found[name] = (column, parse_dates(raw["value"], day_first=service.extract.day_first))
    return found


def _reference_date(service: Service, contact_dates: tuple[str, pd.DataFrame] | None) -> date | None:
    """The day on which ages are reckoned: the end of the period, else the last contact."""
    if service.service.period.to is not None:
        return service.service.period.to
    if contact_dates is None:
        return None
    last = contact_dates[1]["date"].max()
    return None if pd.isna(last) else last.date()


def _span(dates: Mapping[str, tuple[str, pd.DataFrame]]) -> tuple[pd.Timestamp, int]:
    """First day of any date, and how many numbers days need (0 is 'no date')."""
    found = [frame["date"].dropna() for _, frame in dates.values()]
    found = [days for days in found if len(days)]
    if not found:
        return EPOCH, 1
    first = min(days.min() for days in found)
    last = max(days.max() for days in found)
    return first, (last - first).days + 2


def _day_frames(dates: Mapping[str, tuple[str, pd.DataFrame]], first_day: pd.Timestamp) -> dict[str, Frame]:
    frames = {}
    for name, (column, parsed) in dates.items():
        number = ((parsed["date"] - first_day).dt.days + 1).fillna(0).astype("int64")
        frames[name] = Frame(
            partial(date_key, column=column), pd.DataFrame({"raw": parsed["value"], name: number})
        )
    return frames


@dataclass(frozen=True)
class _Place:
    labels: tuple[str, ...]
    frame: Frame | None


def _code_place(extract: Extract, engine: Engine, column: str | None, name: str) -> _Place:
    """Places by number: spellings that differ in case or spaces are one place, named as most often written."""
    if column is None:
        return _Place(("Not recorded",), None)
    key = partial(as_text, column=column)
    raw = distinct(engine, extract.table, key(extract.table))
    words = raw["value"].astype("string").str.strip().str.casefold()
    blank = words.isin(codelists.missing_words("place")["text"]) | (words == "")
    named = raw.assign(words=words)[~blank].sort_values("records", ascending=False, kind="stable")
    labels = named.groupby("words", sort=True)["value"].first().str.strip()
    numbers = {word: number for number, word in enumerate(labels.index, start=1)}
    number = words.map(numbers).where(~blank, 0).fillna(0).astype("int64")
    frame = pd.DataFrame({"raw": raw["value"], name: number})
    if len(labels) < MOST_BITS:
        frame[f"{name}_bit"] = 2**number
    return _Place(("Not recorded", *labels), Frame(key, frame, {f"{name}_bit": 1}))


# ---------------------------------------------------------------- joining and rejecting


def _reject(
    extract: Extract,
    service: Service,
    lookups: Mapping[str, Lookup],
    coded: Mapping[str, _Coded],
    first_day: pd.Timestamp,
) -> Extract:
    """The extract without the rows that cannot be used.

    Where no row falls under a reason, the table is left as it is, so that later passes filter nothing.
    """
    period = service.service.period
    asked = {"day": bool(period.from_ or period.to), "age": service.service.ages is not None}
    needed = [name for name, wanted in asked.items() if wanted and name in lookups]
    columns = list(extract.table.columns)
    table = look_up(extract.table, lookups, needed)
    reasons = _rejections(table, needed, service, coded, first_day)
    rejected = reject_rows(replace(extract, table=table), reasons)
    clean = rejected.intake.rows_rejected == extract.intake.rows_rejected
    kept = extract.table if clean else rejected.table.select(*columns)
    return replace(rejected, table=kept)


# The first character that is not blank; text that is empty or begins with a blank sorts before it.
FIRST_VISIBLE = "!"


def _is_blank(text: Any) -> Any:
    """Whether text is blank: only what sorts among the blanks is trimmed, as trimming every value is slow."""
    return ibis.ifelse(text < FIRST_VISIBLE, text.strip() == "", False)


def _person_key(extract: Extract, service: Service, engine: Engine) -> Callable[[Any], Any]:
    """The person to group by; identifiers are trimmed where any of them is padded."""
    column = service.extract.person
    if column is None:
        return lambda table: ibis.row_number()
    person = extract.table[column]
    if not person.type().is_string():
        return lambda table: table[column]
    padded = (person < FIRST_VISIBLE) | person.endswith(" ") | person.endswith("\t")
    found = engine.to_frame(extract.table.aggregate(padded=padded.any()))["padded"].iloc[0]
    return (
        (lambda table: table[column].strip())
        if found is True or found == 1
        else (lambda table: table[column])
    )


def _rejections(
    table: Any,
    joined: Iterable[str],
    service: Service,
    coded: Mapping[str, _Coded],
    first_day: pd.Timestamp,
) -> dict[str, Any]:
    """Reason -> condition; a row counts once, under the first reason that holds."""
    reasons: dict[str, Any] = {}
    for number, condition in enumerate(service.extract.exclude, start=1):
        reasons[f"left out by [extract] exclude, condition {number} ('{condition.column}')"] = meets(
            table, condition
        )
    if service.extract.person is not None:
        person = table[service.extract.person]
        blank = _is_blank(person) if person.type().is_string() else ibis.literal(False)
        reasons["no person identifier"] = person.isnull() | blank
    period = service.service.period
    if "day" in joined:
        reasons["no readable contact date"] = table[coded_name("day")] == 0
        low = 1 if period.from_ is None else (pd.Timestamp(period.from_) - first_day).days + 1
        high = 2**30 if period.to is None else (pd.Timestamp(period.to) - first_day).days + 1
        reasons["outside the period"] = (table[coded_name("day")] < low) | (table[coded_name("day")] > high)
    if "age" in joined and service.service.ages is not None:
        outside = _categories_outside(coded["age"].field, service.service.ages)
        if outside:
            width = coded["age"].field.width
            packed = [KNOWN_RANK * width + number for number in outside]
            reasons["outside the eligible ages"] = table[coded_name("age")].isin(packed)
    return reasons


def _categories_outside(age: CodedField, ages: tuple[int, int]) -> list[int]:
    years = pd.to_numeric(pd.Series(age.categories), errors="coerce")
    return [int(number) for number in years.index[(years < ages[0]) | (years > ages[1])]]


def meets(table: Any, condition: Condition) -> Any:
    """Boolean value: which rows meet a condition; a null never does, unless missing = true is asked."""
    column = table[condition.column]
    text = as_text(table, condition.column).strip().lower()
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
