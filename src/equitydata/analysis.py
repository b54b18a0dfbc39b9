"""The run, top to bottom: an extract and its service file -> an EquityResult.

Someone who reads only `analyse` knows what the package does.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

from equitydata import reference
from equitydata.audit import audit_tables, residual_share
from equitydata.completeness import category_notes
from equitydata.counts import Counts, count_all, smallest_group
from equitydata.equity import equity_tables
from equitydata.errors import ConfigError
from equitydata.history import damaged_lines, log_of, read_runs, run_evidence, run_of, with_run
from equitydata.listening import listening_table, register_evidence, service_register, themes_table
from equitydata.maturity.analysed import summarise_analysis
from equitydata.maturity.criteria import Measured
from equitydata.maturity.tiers import rate_maturity
from equitydata.model import AboutService, Intake
from equitydata.records.coded import CodedRecords, code_records
from equitydata.records.columns import mapped_columns
from equitydata.records.engine import open_engine
from equitydata.records.extract import Extract, open_extract
from equitydata.records.identifiers import scan_identifiers
from equitydata.records.outcomes import cell_ends, count_outcomes, count_place_outcomes
from equitydata.records.persons import People, resolve_people
from equitydata.result import MATURITY_TABLES, EquityResult
from equitydata.service import Service
from equitydata.sharing.evidence import SharedEvidence, shared_evidence
from equitydata.shown import Shown
from equitydata.strata import Strata, crossings_of, stratified, stratify
from equitydata.tables import IDENTIFIERS_TABLE, NEEDS_TABLE, SPECS, empty, shape

Progress = Callable[[str], None]


def silent(_: str) -> None:
    """The progress of a run that nobody watches."""


def analyse(
    service: Service,
    extract: Any = None,
    *,
    as_of: date | None = None,
    outcomes: bool = True,
    memory_limit: str | None = None,
    progress: Progress = silent,
) -> EquityResult:
    """Audit an extract, stratify its outcomes, compare its users with residents, and rate the service.

    service : as `load_service` or `make_service` give it.
    extract : a path, data frame or table in place of the one that the service file names. Never changed.
    as_of : the day of the rating; today (or SOURCE_DATE_EPOCH) when left out.
    outcomes : False for the audit of completeness and verification alone.
    memory_limit : for the engine, such as "4GB".
    progress : called with a line of words at each step.
    Returns true counts; whatever is written passes through `release` first.
    Raises InputError where the extract cannot be read rightly, ConfigError where the service file does not hold.
    """
    counted = _counted(
        service, extract, measured=outcomes, stratify_=outcomes, memory_limit=memory_limit, progress=progress
    )
    return _rated(service, counted, as_of or run_date(), progress)


def check(
    service: Service,
    extract: Any = None,
    *,
    memory_limit: str | None = None,
    progress: Progress = silent,
) -> EquityResult:
    """The audit of an extract, with every measure and crossing of the service file tried but not counted by group.

    What `analyse` would stop at is found here in a part of the time. Arguments and errors as of `analyse`.
    """
    counted = _counted(
        service, extract, measured=True, stratify_=False, memory_limit=memory_limit, progress=progress
    )
    return _rated(service, counted, run_date(), progress)


@dataclass(frozen=True)
class _Counted:
    """All that is known of an extract once the engine is closed."""

    coded: CodedRecords
    counts: Counts
    identifiers: pd.DataFrame
    smallest: tuple[int, int] | None
    strata: Strata | None
    notes: tuple[str, ...]


def _counted(
    service: Service,
    extract: Any,
    *,
    measured: bool,
    stratify_: bool,
    memory_limit: str | None,
    progress: Progress,
) -> _Counted:
    """Read, code, choose one value per person, and count. measured : measures are tried. stratify_ : and counted."""
    rulebook = service.rulebook
    with open_engine(memory_limit=memory_limit) as engine:
        progress("Reading the extract")
        opened = _open(service, extract, engine, outcomes=measured)
        identifiers = scan_identifiers(opened, person=service.extract.person, record=service.extract.record)
        progress("Coding the values")
        coded = code_records(opened, service, opened.engine, outcomes=measured)
        places, notes = count_place_outcomes(coded, service)
        progress("Choosing one value per person")
        people = resolve_people(coded, rulebook)
        progress("Counting")
        counts = count_all(people, rulebook)
        smallest = smallest_group(people, service, rulebook)
        names = stratified(service, coded.fields) if measured else []
        crossings = crossings_of(service, names, counts.people) if measured else []
        strata = _strata(people, places, names, crossings, service) if stratify_ else None
    return _Counted(coded, counts, identifiers, smallest, strata, tuple(notes))


def _rated(service: Service, counted: _Counted, as_of: date, progress: Progress) -> EquityResult:
    """Every table from the counts, and the rating of every criterion."""
    areas = reference.resolve_areas(service.service.area) if service.service.area else ()
    rulebook, coded, strata = service.rulebook, counted.coded, counted.strata
    area_codes = tuple(area.code for area in areas)
    keep = service.analysis.reference
    tables = audit_tables(counted.counts, coded, area_codes, rulebook, keep=keep) | {
        "identifiers": shape(counted.identifiers, IDENTIFIERS_TABLE)
    }
    about = _about(service, areas, counted.counts.people, as_of, has_person=coded.has_person)
    shown: Mapping[str, Shown] = {}
    notes: tuple[str, ...] = counted.notes
    if strata is not None:
        tables |= equity_tables(strata, service, _code_lists(coded), tables, as_of=as_of, progress=progress)
        shown = _shown(tables, about, service, as_of)
        notes = (*notes, *strata.notes, *damaged_lines(log_of(service)))
    labels = {name: field.characteristic.label for name, field in coded.fields.items()}
    merging = category_notes(counted.counts.categories, _code_lists(coded), labels, rulebook, keep=keep)
    notes = tuple(dict.fromkeys((*notes, *merging)))
    tables = {
        name: tables.get(name, empty(spec)) for name, spec in SPECS.items() if name not in MATURITY_TABLES
    }
    progress("Rating every criterion")
    measured = Measured(
        figures=tables["figures"],
        flags=tables["flags"],
        residual=residual_share(counted.counts.categories, coded, area_codes, rulebook),
        identifiers=_identifiers(counted.identifiers, counted.smallest, service),
        not_relevant=service.service.not_relevant,
        analysed=None if strata is None else summarise_analysis(tables, service.measures),
        profile=strata is not None and bool(service.measures),
        shown=shown,
        counted=service.service.counted,
    )
    maturity = rate_maturity(
        reference.criteria(service.service.level),
        measured,
        service.attestations,
        level=service.service.level,
        needs=tables["needs"],
        joint=counted.counts.joint,
        rulebook=rulebook,
        as_of=as_of,
    )
    return EquityResult(
        about=about,
        tables=tables,
        maturity=maturity,
        intake=coded.intake,
        choices=rulebook.choices,
        notes=(*coded.notes, *_notes(coded, service), *notes),
    )


def _strata(
    people: People,
    places: pd.DataFrame,
    names: list[str],
    crossings: list[tuple[str, str]],
    service: Service,
) -> Strata:
    """Every group that outcomes are stratified by, counted once and folded to its levels."""
    coded = people.coded
    counts = count_outcomes(
        people,
        places,
        characteristics=names,
        crossings=crossings,
        trend_by=service.analysis.trend_by,
        age_ends=cell_ends(service.rulebook.value("age_bands")),
    )
    return stratify(
        counts,
        labels={name: coded.fields[name].characteristic.label for name in names},
        code_lists=_code_lists(coded),
        rulebook=service.rulebook,
        keep=service.analysis.reference,
    )


def _code_lists(coded: CodedRecords) -> dict[str, list[str]]:
    """The code lists met in each characteristic, the most used first."""
    most_first = {name: Counter(field.code_lists).most_common() for name, field in coded.fields.items()}
    return {name: [each for each, _ in lists] for name, lists in most_first.items()}


def _shown(
    tables: Mapping[str, pd.DataFrame], about: AboutService, service: Service, as_of: date
) -> Mapping[str, Shown]:
    """What the log of runs, with this run in it, and the register of listening show of each criterion."""
    level = service.service.level
    this_run = run_of(tables, about, date=as_of, profile=bool(service.measures))
    runs = with_run(tables["runs"], this_run)
    register = service_register(service)
    return {
        **run_evidence(runs, as_of, service.rulebook, level),
        **register_evidence(register, tables["listening_gaps"], as_of, service.rulebook, level),
    }


def rate(service: Service, *, as_of: date | None = None) -> EquityResult:
    """Rate a service without an extract: from its attestations, its log of runs and its register of listening.

    Measured criteria are not assessed, and say so.
    """
    as_of = as_of or run_date()
    areas = reference.resolve_areas(service.service.area) if service.service.area else ()
    level, register = service.service.level, service_register(service)
    tables = {name: empty(spec) for name, spec in SPECS.items() if name not in MATURITY_TABLES}
    tables |= {
        "runs": read_runs(log_of(service), service=service.service.name),
        "listening": listening_table(register),
        "themes": themes_table(register),
    }
    maturity = rate_maturity(
        reference.criteria(level),
        None,
        service.attestations,
        level=level,
        needs=empty(NEEDS_TABLE),
        joint=None,
        rulebook=service.rulebook,
        as_of=as_of,
        shown={
            **run_evidence(tables["runs"], as_of, service.rulebook, level),
            **register_evidence(register, tables["listening_gaps"], as_of, service.rulebook, level),
        },
    )
    return EquityResult(
        about=_about(service, areas, 0, as_of, has_person=True),
        tables=tables,
        maturity=maturity,
        intake=Intake(rows_read=0),
        choices=service.rulebook.choices,
        notes=damaged_lines(log_of(service)),
    )


def run_date() -> date:
    """Today, or the day of SOURCE_DATE_EPOCH where it is set, so that a run can be repeated to the byte."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    return datetime.fromtimestamp(int(epoch), tz=UTC).date() if epoch else datetime.now(tz=UTC).date()


# ---------------------------------------------------------------- reading


def _open(service: Service, given: Any, engine: Any, *, outcomes: bool) -> Extract:
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
        # Exact copies and a file to be shared are looked at in every column; else only the mapped ones are read.
        columns=None
        if settings.duplicates == "drop" or service.sharing
        else mapped_columns(service, outcomes=outcomes),
    )


def _paths(service: Service) -> Any:
    path = service.extract.path
    if path is None:
        raise ConfigError(
            "The service file names no extract.",
            where="[extract]",
            mend='Add path = "contacts.csv", or pass one.',
        )
    if isinstance(path, str):
        return str(service.folder / path)
    return [str(service.folder / each) for each in path]


# ---------------------------------------------------------------- about


def _identifiers(found: pd.DataFrame, smallest: tuple[int, int] | None, service: Service) -> dict[str, Any]:
    dropped = service.sharing.dropped if service.sharing else ()
    here = found[~found["column"].isin(dropped)]
    columns = [f"{column} ({kind})" for column, kind in zip(here["column"], here["kind"], strict=True)]
    return {
        "chosen": smallest is not None,
        "columns": columns,
        "smallest": smallest[0] if smallest else None,
        "deidentified": _deidentified(service),
    }


def _deidentified(service: Service) -> SharedEvidence | None:
    """What the manifest of the shared file shows; None where the service file names none."""
    if service.sharing is None or service.sharing.deidentified is None:
        return None
    wanted = service.rulebook.value("identifier_k")
    return shared_evidence(service.folder / service.sharing.deidentified, k=wanted)


def _about(
    service: Service, areas: tuple[reference.Area, ...], people: int, as_of: date, *, has_person: bool
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
        people=people,
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
