"""Every count of an audit, gathered in one place and folded to months, bands and labels.

After this nothing asks the engine for more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from equitydata import completeness
from equitydata.records import counting
from equitydata.records.coded import CodedRecords
from equitydata.records.persons import People
from equitydata.rulebook import Rulebook
from equitydata.service import Service


@dataclass(frozen=True)
class Counts:
    """Every count of a run: small frames, no record among them."""

    statuses: pd.DataFrame
    categories: pd.DataFrame
    codes: pd.DataFrame
    joint: pd.DataFrame | None
    breakdown: Mapping[tuple[str, str], pd.DataFrame]
    points: pd.DataFrame
    repeats: Mapping[str, pd.DataFrame]
    sources: Mapping[str, pd.DataFrame | None]
    extras: Mapping[str, Any]
    people: int


def count_all(people: People, rulebook: Rulebook) -> Counts:
    """Every count of an audit, from the people and the coded records."""
    coded = people.coded
    pair = counting.core_pair(coded)
    core = [field.name for field in counting.core_fields(coded)]
    breakdown = _breakdown(people, rulebook)
    codes = counting.count_codes(coded)
    values = counting.count_values(people)
    statuses = counting.count_statuses(people, values, codes)
    return Counts(
        statuses=statuses,
        categories=counting.count_categories(people, values),
        codes=codes,
        joint=counting.count_joint(people, *pair) if pair else None,
        breakdown=breakdown,
        points=counting.count_points_of_care(people) if core else pd.DataFrame(columns=["number", "people"]),
        repeats={name: counting.count_repeats(people, name) for name in core},
        sources={
            name: counting.count_sources(coded, name) for name, f in coded.fields.items() if f.has_source
        },
        extras={
            "steps": counting.count_steps(people),
            "places": {name: counting.count_place_categories(coded, name, "site") for name in core},
            "observed": {
                name: counting.count_observed(coded, name) for name, f in coded.fields.items() if f.observed
            },
            "stale": _stale(coded, rulebook),
        },
        people=_people(statuses, breakdown),
    )


def _people(statuses: pd.DataFrame, breakdown: Mapping[tuple[str, str], pd.DataFrame]) -> int:
    by_contacts = breakdown.get(("contacts", "people"))
    return int(by_contacts["people"].sum()) if by_contacts is not None and len(by_contacts) else 0


def _breakdown(people: People, rulebook: Rulebook) -> dict[tuple[str, str], pd.DataFrame]:
    """(dimension, unit) -> counts by group, folded from the staged numbers."""
    coded, found = people.coded, {}
    for name, dimension in (("age", "age_band"), ("sex", "sex"), ("deprivation", "deprivation")):
        if name in coded.fields:
            frame = counting.count_known_people(people, f"{name}_category")
            labels = frame["number"].map(dict(enumerate(coded.fields[name].categories)))
            groups, order = _group_names(dimension, labels, rulebook)
            found[dimension, "people"] = completeness.fold(frame, groups, order)
    for place in ("point_of_care", "site"):
        if len(coded.places[place]) > 1:
            names = dict(enumerate(coded.places[place]))
            for unit, frame in _people_and_records(people, place):
                found[place, unit] = completeness.fold(frame, frame["number"].map(names))
    if coded.days > 1:
        for unit, frame in _people_and_records(people, "day"):
            found["month", unit] = completeness.fold(frame, _months(frame["number"], coded))
    contacts = counting.count_known_people(people, "records")
    bands = rulebook.value("contact_bands")
    found["contacts", "people"] = completeness.fold(
        contacts, completeness.band(contacts["number"], bands), completeness.band_labels(bands)
    )
    return found


def _people_and_records(people: People, by: str) -> list[tuple[str, pd.DataFrame]]:
    """Counts over people, and over records where a core field is mapped: only those are told over records."""
    found = [("people", counting.count_known_people(people, by))]
    if counting.core_fields(people.coded):
        found.append(("records", counting.count_known_records(people.coded, by)))
    return found


def _group_names(dimension: str, labels: pd.Series, rulebook: Rulebook) -> tuple[pd.Series, list[str] | None]:
    if dimension == "age_band":
        bands = rulebook.value("age_bands")
        banded = completeness.band(labels, bands)
        # Ages that came as bands keep their own words.
        groups = banded.where(banded.notna(), labels)
        own = sorted(set(labels[banded.isna() & (labels != "")]))
        return groups, [*completeness.band_labels(bands), *own]
    if dimension == "deprivation":
        quintile = (pd.to_numeric(labels, errors="coerce") + 1) // 2
        names = {1: "1 (most deprived fifth)", 2: "2", 3: "3", 4: "4", 5: "5 (least deprived fifth)"}
        return quintile.map(names), list(names.values())
    return labels, None


def _months(days: pd.Series, coded: CodedRecords) -> pd.Series:
    dates = coded.first_day + pd.to_timedelta(days - 1, unit="D")
    return dates.dt.strftime("%Y-%m").where(days > 0)


def _stale(coded: CodedRecords, rulebook: Rulebook) -> dict[str, tuple[int, int]]:
    if coded.reference_date is None:
        return {}
    before = pd.Timestamp(coded.reference_date) - pd.DateOffset(years=rulebook.value("stale_years"))
    dated = [name for name, field in coded.fields.items() if coded.has(f"{name}_day")]
    return {name: counting.count_stale(coded, name, before) for name in dated}


def smallest_group(people: People, service: Service, rulebook: Rulebook) -> tuple[int, int] | None:
    """Smallest group over the service file's quasi-identifiers, and people in too small ones; None without any."""
    names = service.sharing.quasi_identifiers if service.sharing else ()
    names = tuple("age" if name == "birth_date" else name for name in names)
    if not names:
        return None
    return counting.count_small_groups(people, names, rulebook.value("identifier_k"))
