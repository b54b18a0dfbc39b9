"""The run, top to bottom: an extract and its service file -> an EquityResult.

Someone who reads only `analyse` knows what the package does.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

from equitydata import codelists, completeness, quality, reference, verification
from equitydata.errors import ConfigError
from equitydata.figures import figures_table
from equitydata.maturity import Measured, rate_maturity
from equitydata.model import Intake
from equitydata.records import counting
from equitydata.records.coded import CodedRecords, code_records, mapped_columns
from equitydata.records.engine import open_engine
from equitydata.records.extract import Extract, open_extract
from equitydata.records.identifiers import scan_identifiers
from equitydata.records.persons import People, category_groups, resolve_people
from equitydata.residents import english_share, residents_by_ethnicity
from equitydata.result import AboutService, EquityResult
from equitydata.rulebook import Rulebook
from equitydata.service import Service
from equitydata.tables import IDENTIFIERS_TABLE, NEEDS_TABLE, SPECS, empty, shape

Progress = Callable[[str], None]


def silent(_: str) -> None:
    """The progress of a run that nobody watches."""


def analyse(
    service: Service,
    extract: Any = None,
    *,
    as_of: date | None = None,
    memory_limit: str | None = None,
    progress: Progress = silent,
) -> EquityResult:
    """Audit an extract, and rate the service.

    service : as `load_service` or `make_service` give it.
    extract : a path, data frame or table in place of the one that the service file names. Never changed.
    as_of : the day of the rating; today (or SOURCE_DATE_EPOCH) when left out.
    memory_limit : for the engine, such as "4GB".
    progress : called with a line of words at each step.
    Returns true counts; whatever is written passes through `release` first.
    Raises InputError where the extract cannot be read rightly, ConfigError where the service file does not hold.
    """
    as_of = as_of or run_date()
    areas = reference.resolve_areas(service.service.area) if service.service.area else ()
    rulebook = service.rulebook
    with open_engine(memory_limit=memory_limit) as engine:
        progress("Reading the extract")
        opened = _open(service, extract, engine)
        identifiers = scan_identifiers(opened)
        progress("Coding the values")
        coded = code_records(opened, service, opened.engine)
        progress("Choosing one value per person")
        people = resolve_people(coded, rulebook)
        progress("Counting")
        counted = _count(people, service, rulebook)
        smallest = _smallest_group(people, service, rulebook)
    progress("Rating every criterion")
    area_codes = tuple(area.code for area in areas)
    tables = _tables(counted, coded, area_codes, rulebook) | {"identifiers": shape(identifiers, IDENTIFIERS_TABLE)}
    residual = _residual(tables["categories"], coded, area_codes, rulebook)
    measured = Measured(
        figures=tables["figures"],
        flags=tables["flags"],
        residual=residual,
        identifiers=_identifiers(identifiers, smallest, service),
        not_relevant=service.service.not_relevant,
    )
    maturity = rate_maturity(
        reference.criteria(service.service.level),
        measured if service.service.level == "service" else None,
        service.attestations,
        level=service.service.level,
        needs=tables["needs"],
        joint=counted.joint,
        rulebook=rulebook,
        as_of=as_of,
    )
    return EquityResult(
        about=_about(service, areas, counted, as_of, has_person=coded.has_person),
        tables=tables,
        maturity=maturity,
        intake=coded.intake,
        choices=rulebook.choices,
        notes=(*coded.notes, *_notes(coded, service)),
    )


def rate(service: Service, *, as_of: date | None = None) -> EquityResult:
    """Rate a service from its attestations alone, without an extract.

    Measured criteria are not assessed, and say so.
    """
    as_of = as_of or run_date()
    areas = reference.resolve_areas(service.service.area) if service.service.area else ()
    maturity = rate_maturity(
        reference.criteria(service.service.level),
        None,
        service.attestations,
        level=service.service.level,
        needs=empty(NEEDS_TABLE),
        joint=None,
        rulebook=service.rulebook,
        as_of=as_of,
    )
    nothing = _Counted(*([None] * 9), people=0)  # type: ignore[arg-type]
    return EquityResult(
        about=_about(service, areas, nothing, as_of, has_person=True),
        tables={name: empty(spec) for name, spec in SPECS.items() if not hasattr(maturity, name)},
        maturity=maturity,
        intake=Intake(rows_read=0),
        choices=service.rulebook.choices,
    )


def run_date() -> date:
    """Today, or the day of SOURCE_DATE_EPOCH where it is set, so that a run can be repeated to the byte."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    return datetime.fromtimestamp(int(epoch), tz=UTC).date() if epoch else datetime.now(tz=UTC).date()


# ---------------------------------------------------------------- reading


def _open(service: Service, given: Any, engine: Any) -> Extract:
    settings = service.extract
    source = given
    if source is None:
        source = settings.url or _paths(service)
    elif isinstance(source, (str, Path)) and settings.table is None:
        source = str(source)
    return open_extract(
        source,
        engine=engine,
        encoding=settings.encoding,
        delimiter=settings.delimiter,
        header_row=settings.header_row,
        sheet=settings.sheet,
        table=settings.table,
        on_bad_rows=settings.bad_rows,
        # Exact copies are told by every column; else only the mapped ones are read.
        columns=None if settings.duplicates == "drop" else tuple(mapped_columns(service)),
    )


def _paths(service: Service) -> Any:
    path = service.extract.path
    if path is None:
        raise ConfigError(
            "The service file names no extract.", where="[extract]", mend='Add path = "contacts.csv", or pass one.'
        )
    if isinstance(path, str):
        return str(service.folder / path)
    return [str(service.folder / each) for each in path]


# ---------------------------------------------------------------- counting


@dataclass(frozen=True)
class _Counted:
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


def _count(people: People, service: Service, rulebook: Rulebook) -> _Counted:
    coded = people.coded
    pair = counting.core_pair(coded)
    core = [field.name for field in counting.core_fields(coded)]
    breakdown = _breakdown(people, rulebook)
    codes = counting.count_codes(coded)
    statuses = counting.count_statuses(people, codes)
    return _Counted(
        statuses=statuses,
        categories=counting.count_categories(people),
        codes=codes,
        joint=counting.count_joint(people, *pair) if pair else None,
        breakdown=breakdown,
        points=counting.count_points_of_care(people) if core else pd.DataFrame(columns=["number", "people"]),
        repeats={name: counting.count_repeats(people, name) for name in core},
        sources={name: counting.count_sources(coded, name) for name, f in coded.fields.items() if f.has_source},
        extras={
            "steps": counting.count_steps(people),
            "places": {name: counting.count_place_categories(coded, name, "site") for name in core},
            "observed": {name: counting.count_observed(coded, name) for name, f in coded.fields.items() if f.observed},
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
            labels = dict(enumerate(coded.places[place]))
            for unit, frame in (
                ("people", counting.count_known_people(people, place)),
                ("records", counting.count_known_records(coded, place)),
            ):
                found[place, unit] = completeness.fold(frame, frame["number"].map(labels))
    if coded.days > 1:
        for unit, frame in (
            ("people", counting.count_known_people(people, "day")),
            ("records", counting.count_known_records(coded, "day")),
        ):
            found["month", unit] = completeness.fold(frame, _months(frame["number"], coded))
    contacts = counting.count_known_people(people, "records")
    bands = rulebook.value("contact_bands")
    found["contacts", "people"] = completeness.fold(
        contacts, completeness.band(contacts["number"], bands), completeness.band_labels(bands)
    )
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


def _smallest_group(people: People, service: Service, rulebook: Rulebook) -> tuple[int, int] | None:
    names = service.sharing.quasi_identifiers if service.sharing else ()
    names = tuple("age" if name == "birth_date" else name for name in names)
    if not names:
        return None
    return counting.count_small_groups(people, names, rulebook.value("identifier_k"))


# ---------------------------------------------------------------- tables


def _tables(
    counted: _Counted, coded: CodedRecords, area_codes: tuple[str, ...], rulebook: Rulebook
) -> dict[str, pd.DataFrame]:
    labels = {name: field.characteristic.label for name, field in coded.fields.items()}
    statuses = completeness.status_table(counted.statuses, labels)
    complete = completeness.completeness_table(
        statuses, counted.joint, completeness.detail_counts(counted.categories), labels, rulebook
    )
    breakdown = completeness.breakdown_table(counted.breakdown, labels, rulebook)
    codes = shape(counted.codes, SPECS["codes"])
    lists = _lists(codes)
    categories = completeness.category_table(counted.categories, lists, labels, rulebook)
    points = verification.points_table(counted.points, coded.places["point_of_care"], labels, rulebook)
    verified = _verification(counted, coded, labels, rulebook)
    needs = completeness.needs_table(counted.breakdown.get(("site", "people")), labels)
    sources = [name for name, f in coded.fields.items() if f.has_source or f.settings.self_reported is not None]
    figures = figures_table(
        completeness=complete,
        categories=counted.categories,
        codes=codes,
        verification=verified["verification"],
        points=points,
        code_lists=lists,
        with_source=sources,
        mapped=list(coded.fields),
        rulebook=rulebook,
    )
    flags = _flags(counted, coded, categories, codes, breakdown, verified["agreement"], area_codes, statuses, rulebook)
    return {
        "completeness": complete,
        "statuses": statuses,
        "breakdown": breakdown,
        "needs": needs,
        "categories": categories,
        "codes": codes,
        "steps": _steps(counted, labels),
        "points_of_care": points,
        **verified,
        "flags": flags,
        "figures": figures,
    }


def _lists(codes: pd.DataFrame) -> dict[str, list[str]]:
    """Lists met in each characteristic, the most used first."""
    known = codes[(codes["code_list"] != "") & (codes["status"] == "known")]
    counts = known.groupby(["characteristic", "code_list"])["records"].sum().sort_values(ascending=False)
    lists: dict[str, list[str]] = {}
    for name, code_list in counts.index:
        lists.setdefault(str(name), []).append(str(code_list))
    return lists


def _steps(counted: _Counted, labels: Mapping[str, str]) -> pd.DataFrame:
    meanings = {
        "carry_back": "Records without a known value whose person has one in another record",
        "self_first": "People whose value changed because a self-reported one goes first",
        "overridden": "People whose 'any other' category gave way to a specific one",
        "conflict": "People whose best values contradict each other on the same day and source: not known",
    }
    statuses = counted.statuses[counted.statuses["status"] == "known"]
    carried = pd.DataFrame(
        {
            "characteristic": statuses["characteristic"],
            "step": "carry_back",
            "changed": statuses["records_carried_back"] - statuses["records"],
            "unit": "records",
        }
    )
    steps = counted.extras["steps"].rename(columns={"people": "changed"}).assign(unit="people")
    table = pd.concat([frame for frame in (carried, steps) if len(frame)], ignore_index=True)
    table = table.assign(label=table["characteristic"].map(labels), meaning=table["step"].map(meanings))
    order = {name: number for number, name in enumerate(labels)}
    table = table.sort_values("characteristic", key=lambda names: names.map(order), kind="stable")
    return shape(table, SPECS["steps"])


def _verification(
    counted: _Counted, coded: CodedRecords, labels: Mapping[str, str], rulebook: Rulebook
) -> dict[str, pd.DataFrame]:
    several = len(coded.places["point_of_care"]) > 2
    rows: dict[str, list[pd.DataFrame]] = {name: [] for name in coded.fields}
    agreements, swaps, seen = [], [], []
    for name, repeats in counted.repeats.items():
        field = coded.fields[name]
        groups = category_groups(field)
        can_tell = field.has_source or field.settings.recorded is not None
        rows[name].append(verification.repeat_rows(repeats, groups=groups, can_tell=can_tell, several_points=several))
        agreements.append(verification.agreement_rows(repeats, name=name, groups=groups, several_points=several))
        swaps.append(verification.swap_rows(repeats, name=name, label=labels[name], categories=field.categories))
    for name, field in coded.fields.items():
        known = counted.statuses.loc[
            (counted.statuses["characteristic"] == name) & (counted.statuses["status"] == "known"), "records"
        ].sum()
        sources = counted.sources.get(name)
        rows[name].append(verification.source_rows(sources, int(known), all_self=field.settings.self_reported))
    for name, observed in counted.extras["observed"].items():
        table, row = verification.observed_rows(
            observed, name=name, label=labels[name], group_of=_group_lookup(coded.fields[name].characteristic.name)
        )
        seen.append(table)
        rows[name].append(row)
    joined = {name: pd.concat([f for f in frames if len(f)], ignore_index=True) for name, frames in rows.items() if any(map(len, frames))}
    filled_swaps, filled_seen = [f for f in swaps if len(f)], [f for f in seen if len(f)]
    return {
        "verification": verification.verification_table(joined, labels, rulebook),
        "agreement": verification.agreement_table(agreements, labels, rulebook),
        "swaps": pd.concat(filled_swaps, ignore_index=True) if filled_swaps else empty(SPECS["swaps"]),
        "observed": pd.concat(filled_seen, ignore_index=True) if filled_seen else empty(SPECS["observed"]),
    }


def _group_lookup(name: str) -> dict[str, str]:
    listed = codelists.categories(name)
    column = "group" if "group" in listed.columns else "category"
    return dict(zip(listed["category"], listed[column].fillna(""), strict=True))


# ---------------------------------------------------------------- flags and the local population


def _detailed_people(categories: pd.DataFrame) -> pd.Series:
    here = categories[(categories["characteristic"] == "ethnicity") & (categories["level"] == "detailed")]
    return here.set_index("category")["numerator"].dropna().astype(float)


def _scheme(coded: CodedRecords) -> str:
    """The scheme in which the ethnicity list in use and the Census can be compared."""
    lists = coded.fields["ethnicity"].code_lists if "ethnicity" in coded.fields else {}
    schemes = codelists.catalogue().set_index("code_list")["scheme"]
    used = max(lists, key=lambda name: lists[name]) if lists else ""
    scheme = str(schemes.get(used, ""))
    return scheme if scheme in codelists.SCHEMES else "census_2011" if scheme else "nhs_2001"


def _residual(
    categories: pd.DataFrame, coded: CodedRecords, area_codes: tuple[str, ...], rulebook: Rulebook
) -> dict[str, float] | None:
    people = _detailed_people(categories)
    if not area_codes or people.empty:
        return None
    return quality.residual_use(people, residents_by_ethnicity(area_codes), _scheme(coded), rulebook)


def _flags(
    counted: _Counted,
    coded: CodedRecords,
    categories: pd.DataFrame,
    codes: pd.DataFrame,
    breakdown: pd.DataFrame,
    agreement: pd.DataFrame,
    area_codes: tuple[str, ...],
    statuses: pd.DataFrame,
    rulebook: Rulebook,
) -> pd.DataFrame:
    labels = {name: field.characteristic.label for name, field in coded.fields.items()}
    labels[completeness.JOINT] = completeness.JOINT_LABEL
    people, residents = _detailed_people(categories), residents_by_ethnicity(area_codes)
    english = english_share(area_codes)
    shares = {}
    rows = []
    if len(people) and len(residents):
        scheme = _scheme(coded)
        folded = quality.fold_counts(residents, scheme)
        shares["ethnicity"] = folded / folded.sum()
        rows.append(quality.residual_flag(quality.residual_use(people, residents, scheme, rulebook), rulebook))
        rows.append(quality.mixed_flag(people, residents, rulebook))
    if "language" in coded.fields:
        if english is not None:
            shares["language"] = pd.Series({"English": english})
        spoken = counted.categories[counted.categories["characteristic"] == "language"].set_index("category")["people"]
        rows.append(quality.english_flag(float(spoken.get("English", 0)), float(spoken.sum()), english, rulebook))
    rows += [
        quality.declined_flags(statuses, counted.extras["places"], rulebook),
        quality.single_value_flags(counted.extras["places"], shares, rulebook),
        quality.mixed_lists_flags(codes),
        *(quality.stale_flag(name, *found, rulebook) for name, found in counted.extras["stale"].items()),
        quality.gap_flags(breakdown),
        quality.agreement_flags(agreement, rulebook.value("agreement_floor")),
    ]
    return quality.flags_table(rows, labels, rulebook)


def _identifiers(found: pd.DataFrame, smallest: tuple[int, int] | None, service: Service) -> dict[str, Any]:
    dropped = service.sharing.dropped if service.sharing else ()
    here = found[~found["column"].isin(dropped)]
    columns = [f"{column} ({kind})" for column, kind in zip(here["column"], here["kind"], strict=True)]
    return {"chosen": smallest is not None, "columns": columns, "smallest": smallest[0] if smallest else None}


# ---------------------------------------------------------------- about


def _about(
    service: Service, areas: tuple[reference.Area, ...], counted: _Counted, as_of: date, *, has_person: bool
) -> AboutService:
    period = service.service.period
    return AboutService(
        name=service.service.name,
        level=service.service.level,
        areas=tuple(area.name for area in areas),
        area_codes=tuple(area.code for area in areas),
        ages=service.service.ages,
        period_from=period.from_,
        period_to=period.to,
        as_of=as_of,
        people=counted.people,
        counted="people" if has_person else "records",
        version=version("equitydata"),
    )


def _notes(coded: CodedRecords, service: Service) -> list[str]:
    notes = []
    if not coded.has_person:
        notes.append("No person column is mapped: every record is counted as one person.")
    for name, field in coded.fields.items():
        if field.characteristic.kind == "flag" and set(field.categories) == {"", "Yes"}:
            notes.append(
                f"{field.characteristic.label} is only ever set to yes: it shows presence, not completeness."
            )
        if name == "deprivation" and "deprivation" not in service.characteristics:
            notes.append("Deprivation comes from the area of residence (LSOA).")
    return notes
