"""An extract -> a staged table fit to share, top to bottom: plan, code, stage, search, put together, look again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from equitydata.errors import DisclosureError
from equitydata.model import Intake
from equitydata.records.coded import code_records
from equitydata.records.deidentifying.combining import Combined, combine
from equitydata.records.deidentifying.keys import Key
from equitydata.records.deidentifying.levels import Attribute, Codes, Level
from equitydata.records.deidentifying.opening import held_here, narrowed, with_areas
from equitydata.records.deidentifying.output import PERSON_NUMBER, Output, put_together
from equitydata.records.deidentifying.plan import (
    DATE,
    DROPPED,
    GROUPED,
    PSEUDONYM,
    Asked,
    ColumnPlan,
    Plan,
    plan_columns,
)
from equitydata.records.deidentifying.search import Solution, level_losses
from equitydata.records.deidentifying.shown import Shown
from equitydata.records.deidentifying.solving import solve
from equitydata.records.deidentifying.staging import NUMBER, stage_records
from equitydata.records.engine import Engine
from equitydata.records.extract import Extract
from equitydata.records.identifiers import BY_HEADER, scan_identifiers
from equitydata.service import DaysApart, Service


@dataclass(frozen=True)
class Grouped:
    """One quasi-identifier as it was written.

    level : the chosen one. lost : share of its information that is no longer there, a fraction. finest : people by
    recorded value. before, after : people by written group, among all and among those who stay.
    """

    attribute: Attribute
    level: Level
    lost: float
    finest: Codes
    before: Codes
    after: Codes


@dataclass(frozen=True)
class SharedTable:
    """A table fit to share, staged in the engine, and what was done to make it.

    table : ibis table of the written columns and no others, which lives in `engine`. plan : what became of each column.
    grouped, shown : quasi-identifiers and further columns as they were written. solution : how the levels were found.
    people_before, people_after : who were in it and who stay; records where nobody is told apart (has_person).
    smallest : people in the smallest group. groups : how many there are. least_values : sensitive column -> the fewest
    values in a group.
    """

    table: Any
    engine: Engine
    plan: Plan
    intake: Intake
    rows: int
    has_person: bool
    people_before: int
    people_after: int
    grouped: tuple[Grouped, ...]
    shown: tuple[Shown, ...]
    solution: Solution
    smallest: int
    groups: int
    least_values: Mapping[str, int]
    notes: tuple[str, ...]


def deidentify_records(
    extract: Extract,
    service: Service,
    asked: Asked,
    key: Key,
    engine: Engine,
    *,
    progress: Callable[[str], None],
) -> SharedTable:
    """The table that may be shared.

    engine : the run's own; an extract that lives in another kind of database is brought there.
    Raises InputError and ConfigError for what does not hold, DisclosureError where the groups cannot be made large
    enough within what may be left out.
    """
    extract = held_here(extract, engine)
    engine = extract.engine
    progress("Looking for identifiers")
    scanned = scan_identifiers(extract, person=service.extract.person, record=service.extract.record)
    plan = plan_columns(extract.columns, service, asked, scanned)
    extract, service = with_areas(extract, service, asked)
    progress("Coding the values")
    coded = code_records(extract, narrowed(service, plan), engine, outcomes=False)
    progress("Making pseudonyms")
    self_first = bool(service.rulebook.value("self_reported_first"))
    staged = stage_records(coded, service, plan, asked, key, self_first=self_first)
    staged, combined = combine(staged, service)
    progress("Looking for the levels that lose least")
    staged, solution, shown = solve(staged, combined, asked)
    progress("Putting the rows together")
    table, outputs = put_together(staged, combined, solution, shown, service, asked)
    held = _look_again(table, outputs, asked, engine)
    return SharedTable(
        table=table.select(*(each.written for each in outputs)),
        engine=engine,
        plan=_told(staged.plan, outputs, combined, solution, shown, asked),
        intake=coded.intake,
        rows=engine.count(table),
        has_person=coded.has_person,
        people_before=combined.combinations.total,
        people_after=combined.combinations.total - solution.suppressed,
        grouped=_grouped(combined, solution),
        shown=tuple(shown),
        solution=solution,
        smallest=held.smallest,
        groups=held.groups,
        least_values=held.least_values,
        notes=(*coded.notes, *_notes(service, asked)),
    )


# ---------------------------------------------------------------- the last look


@dataclass(frozen=True)
class _Held:
    """What the finished table holds, counted anew."""

    smallest: int
    groups: int
    least_values: Mapping[str, int]


def _look_again(table: Any, outputs: Sequence[Output], asked: Asked, engine: Engine) -> _Held:
    """Sizes of groups, values of sensitive columns and identifiers of the table as it will be written.

    Raises DisclosureError where it does not hold what was asked, whatever led there.
    """
    groups = [each.written for each in outputs if each.action == GROUPED]
    sensitive = [each.written for each in outputs if each.sensitive]
    measures = {"people": table[PERSON_NUMBER].nunique()}
    # A blank is a value of its own.
    measures |= {
        f"l{n}": table[name].cast("string").fill_null("").nunique() for n, name in enumerate(sensitive)
    }
    counted = table.group_by(*groups).agg(**measures) if groups else table.aggregate(**measures)
    least = {name: counted[name].min() for name in measures}
    found = engine.to_frame(counted.aggregate(groups=counted.count(), **least)).iloc[0]
    smallest = 0 if pd.isna(found["people"]) else int(found["people"])
    values = {name: int(found[f"l{n}"]) for n, name in enumerate(sensitive)} if smallest else {}
    if smallest < asked.k or any(number < asked.l for number in values.values()):
        raise DisclosureError("The groups of the finished table are not as asked; nothing was written.")
    _refuse_identifiers(table, outputs, engine)
    return _Held(smallest, int(found["groups"]), values)


def _refuse_identifiers(table: Any, outputs: Sequence[Output], engine: Engine) -> None:
    """The scan of what was made. Dates are no longer of a true day, and groups no longer of one person."""
    looked_at = [each.written for each in outputs if each.action not in (DATE, GROUPED, PSEUDONYM)]
    if not looked_at:
        return
    shown = table.select(PERSON_NUMBER, *looked_at)
    made = Extract(shown, Intake(rows_read=engine.count(table)), "frame", engine)
    found = scan_identifiers(made, person=PERSON_NUMBER)
    for row in found[(found["evidence"] != BY_HEADER) & found["column"].isin(looked_at)].itertuples():
        raise DisclosureError(
            f"What would be written of '{row.column}' looks like a direct identifier: {row.kind}.",
            mend="Name it under [sharing] dropped or pseudonymise.",
        )


# ---------------------------------------------------------------- what is told


def _grouped(combined: Combined, solution: Solution) -> tuple[Grouped, ...]:
    given, found = combined.combinations, []
    for number, (attribute, place) in enumerate(zip(combined.attributes, solution.node, strict=True)):
        codes, level = given.codes[:, number], attribute.levels[place]
        folded, stay = level.fold[codes], given.people * solution.kept
        finest = np.bincount(codes, weights=given.people, minlength=len(attribute.values))
        before, after = (
            np.bincount(folded, weights=people, minlength=len(level.labels)).astype(np.int64)
            for people in (given.people, stay)
        )
        lost = 1 - (1 - attribute.begun) * (1 - level_losses(attribute, finest)[place])
        found.append(Grouped(attribute, level, lost, finest.astype(np.int64), before, after))
    return tuple(found)


def _told(
    plan: Plan,
    outputs: Sequence[Output],
    combined: Combined,
    solution: Solution,
    shown: Sequence[Shown],
    asked: Asked,
) -> Plan:
    """The plan with the names of the written columns and what was done, in words."""
    pairs = zip(combined.attributes, solution.node, strict=True)
    levels = [(attribute.column, attribute.levels[place]) for attribute, place in pairs]
    by_column = {each.column.column: each for each in shown}
    for each in plan.columns:
        written = tuple(output.written for output in outputs if output.column == each.column)
        here = [level for column, level in levels if column == each.column]
        how = _how(each, here, by_column.get(each.column), asked)
        plan = plan.with_column(replace(each, written=written, how=how))
    return plan


def _how(each: ColumnPlan, levels: Sequence[Level], shown: Shown | None, asked: Asked) -> str:
    if each.action == DROPPED:
        return "left out"
    if each.action == PSEUDONYM:
        return "keyed pseudonym"
    if each.action == GROUPED:
        return "; ".join(level.label for level in levels)
    if each.action == DATE:
        return (
            "moved by days of the person's own"
            if asked.dates == "offset"
            else f"first day of the {asked.dates}"
        )
    if shown is None or (shown.share == 1 and not shown.joined):
        return "as it was"
    if shown.column.kind == NUMBER:
        return f"amounts joined until {asked.k} people share them"
    return f"blank where fewer than {asked.k} people have it"


def _notes(service: Service, asked: Asked) -> list[str]:
    notes = []
    if service.extract.person is None:
        notes.append("No column tells people apart, so groups are counted over records and not over people.")
    if not asked.named:
        taken = ", ".join(asked.quasi_identifiers) or "none"
        notes.append(f"The service file names no quasi_identifiers; taken: {taken}.")
    if not asked.sensitive:
        notes.append("No column is named as sensitive, so no variety of values was asked for.")
    if asked.dates != "offset" and _days_apart(service):
        notes.append('A measure takes the days between two dates; only dates = "offset" keeps them.')
    return notes


def _days_apart(service: Service) -> bool:
    measures = service.measures.values()
    conditions = (each for measure in measures for each in (*measure.denominator, *measure.numerator))
    return any(each.days is not None for each in conditions) or any(
        isinstance(measure.value, DaysApart) for measure in measures
    )
