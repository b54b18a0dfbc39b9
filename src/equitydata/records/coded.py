"""Records -> coded records: every mapped column joined with its code list.

The raw text of a column is read once to list its distinct values; these few hundred values are coded in
pandas (`coding`), sent back as a small table, and joined. What comes out are small whole numbers: no later
step looks at text again. The join itself is cheap, as engines do it once for each distinct value of a block,
so nothing is copied: each count asks `CodedRecords.view` for the columns that it needs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import ibis
import pandas as pd

from equitydata.errors import InputError, nearest
from equitydata.model import Intake
from equitydata.records.columns import FIRST_VISIBLE, is_blank, mapped_columns, meets
from equitydata.records.engine import Engine
from equitydata.records.extract import Extract, drop_duplicates, reject_rows
from equitydata.records.fields import (
    KNOWN_RANK,
    CodedColumns,
    CodedField,
    code_fields,
    code_place,
    day_frames,
    find_reference_date,
    find_span,
    notes_on_dates,
    parsed_dates,
)
from equitydata.records.lookups import Lookup, coded_name, look_up, make_lookup
from equitydata.records.measuring import (
    Measuring,
    check_measures,
    measure_days,
    plan_periods,
    unit_frame,
)
from equitydata.service import Service

ROWS_FOR_LISTS = 1_000_000


@dataclass(frozen=True)
class CodedRecords:
    """The usable records of one extract, and what their coded numbers mean.

    base : ibis table of the records that are used, as they came.
    lookups : name -> how its coded columns are found. For each field `<f>` (value), `<f>_raw` (number of the
        recorded value), `<f>_is_known` (1 or 0), `<f>_bits` and `<f>_turned` (see `gathering`), `<f>_best` and
        `<f>_reverse` (see `persons`); where mapped `<f>_source`, `<f>_day`, `<f>_observed`; and day,
        point_of_care and site, the places with their `_bit`.
    first_day, days : day 1, and how many numbers a day may take; day 0 is 'no date'.
    places : labels by number for point_of_care and site; number 0 is 'Not recorded'.
    complete : no row was rejected since the values were listed, so their counts still hold.
    measuring : how the measures are worked out; without any where outcomes are not asked for.
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
    measuring: Measuring
    notes: tuple[str, ...] = ()

    def has(self, column: str) -> bool:
        """True when the extract gives that coded column."""
        return any(column in lookup.columns for lookup in self.lookups.values())

    def view(
        self,
        columns: Iterable[str],
        *,
        person: bool = False,
        part: tuple[int, int] | None = None,
        measured: Measuring | None = None,
    ) -> Any:
        """The used records with the coded columns asked for; one that is not mapped is 0 throughout.

        person : add the person identifier, to group by.
        part : (number, parts) for the records of one part of the people, told by a hash of the identifier.
        measured : add what each record adds to the measures, and the columns that this needs.
        """
        needed = () if measured is None else measured.columns
        wanted = list(dict.fromkeys([*columns, *needed]))
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
        if measured is not None:
            chosen |= measured.record_columns(joined, lambda name: chosen[name])
        return joined.select(**chosen)


def _unmapped(column: str) -> Any:
    """What a coded column holds where the extract has none: everyone is at place 0, whose bit is 1."""
    return ibis.literal(int(column in ("point_of_care_bit", "site_bit")), "int16")


def code_records(
    extract: Extract, service: Service, engine: Engine, *, outcomes: bool = True
) -> CodedRecords:
    """Code every mapped column, and reject what cannot be used.

    outcomes : False where the measures of the service are left alone.
    Raises InputError for a column that the extract does not have.
    """
    _check_columns(extract, service)
    if outcomes:
        check_measures(extract, service)
    if service.extract.duplicates == "drop":
        extract = drop_duplicates(extract)
    dates = parsed_dates(extract, service, engine)
    if outcomes:
        dates |= measure_days(extract, service, engine)
    reference_date = find_reference_date(service, dates.get("day"))
    first_day, days = find_span(dates)
    coded = code_fields(extract, service, engine, reference_date, days)
    places = {
        "point_of_care": code_place(
            extract, engine, service.extract.point_of_care or service.extract.site, "point_of_care"
        ),
        "site": code_place(extract, engine, service.extract.site, "site"),
    }
    frames = day_frames(dates, first_day)
    measuring = _measuring(service, dates, first_day, outcomes=outcomes)
    if measuring.splits:
        frames["slot"] = unit_frame(measuring, frames["day"], first_day, service.analysis.trend)
    for each in coded.values():
        frames.update(each.frames)
    frames |= {name: place.frame for name, place in places.items() if place.frame is not None}
    # Files are read as dictionaries; what is held elsewhere may not be. A long list takes longer to write down
    # for the engine than a join of few rows takes.
    dictionaries = extract.kind in ("parquet", "text") and extract.intake.rows_used >= ROWS_FOR_LISTS
    lookups = {
        name: make_lookup(name, frame, engine, dictionaries=dictionaries) for name, frame in frames.items()
    }
    listed = extract.intake.rows_used
    extract = _reject(extract, service, lookups, coded, first_day)
    if extract.intake.rows_used == 0:
        raise _nothing_used(extract.intake)
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
        measuring=measuring,
        notes=(*notes_on_dates(dates), *(note for each in coded.values() for note in each.field.warnings)),
    )


def _measuring(
    service: Service,
    dates: Mapping[str, tuple[str, pd.DataFrame]],
    first_day: pd.Timestamp,
    *,
    outcomes: bool,
) -> Measuring:
    if not outcomes:
        return Measuring({}, plan_periods(service, None), first_day)
    day = dates["day"][1] if "day" in dates else None
    return Measuring(dict(service.measures), plan_periods(service, day), first_day)


def _nothing_used(intake: Intake) -> InputError:
    reasons = "; ".join(f"{rejection.rows:,} {rejection.reason}" for rejection in intake.rejections)
    return InputError(
        f"None of the {intake.rows_read:,} rows can be used: {reasons}.",
        mend="Look at [extract] and [service] period and ages in the service file.",
    )


def _check_columns(extract: Extract, service: Service) -> None:
    for column, where in mapped_columns(service, outcomes=False).items():
        if column not in extract.columns:
            raise InputError(
                f"The extract has no column '{column}'.", where=where, mend=nearest(column, extract.columns)
            )


# ---------------------------------------------------------------- joining and rejecting


def _reject(
    extract: Extract,
    service: Service,
    lookups: Mapping[str, Lookup],
    coded: Mapping[str, CodedColumns],
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
    coded: Mapping[str, CodedColumns],
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
        blank = is_blank(person) if person.type().is_string() else ibis.literal(False)
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
