"""What was decided and found -> the rows as they are written: labels, values, pseudonyms, each under its name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import ibis
import numpy as np
import pandas as pd

from equitydata.records.deidentifying.combining import Combined, kept_people
from equitydata.records.deidentifying.levels import Level
from equitydata.records.deidentifying.plan import DATE, GROUPED, PSEUDONYM, Asked
from equitydata.records.deidentifying.search import Solution
from equitydata.records.deidentifying.shown import Shown, is_whole, value_table
from equitydata.records.deidentifying.staging import EPOCH, NUMBER, KeptColumn, Staged, is_moved
from equitydata.records.engine import Engine
from equitydata.records.identifiers import kinds_by_header
from equitydata.service import Service

PERSON_NUMBER, PERSON_WRITTEN = "__person", "person_pseudonym"

Make = Callable[[Any], Any]


@dataclass(frozen=True)
class Output:
    """One written column: its name, the column that it comes from, and what was done to it."""

    written: str
    column: str
    action: str
    sensitive: bool = False
    kept: KeptColumn | None = None


def put_together(
    staged: Staged,
    combined: Combined,
    solution: Solution,
    shown: Sequence[Shown],
    service: Service,
    asked: Asked,
) -> tuple[Any, tuple[Output, ...]]:
    """The rows of the people who stay, each column as it is written; `__person` beside them, for the last look."""
    engine = staged.engine
    outputs = _outputs(staged, combined, solution, service)
    who = staged.people
    if not solution.kept.all():
        who = who.semi_join(kept_people(combined, solution, engine), "person")
    rows = staged.rows.inner_join(who, "person")
    makes: dict[str, Make] = {}
    for number, (attribute, place) in enumerate(zip(combined.attributes, solution.node, strict=True)):
        level = attribute.levels[place]
        if not level.none:
            rows, makes[level.written] = _with_labels(rows, f"q_{attribute.name}", level, number, engine)
    for each in shown:
        moved = is_moved(each.column, asked)
        rows, makes[each.column.staged] = _with_values(rows, each, engine, moved=moved)
    chosen: dict[str, Any] = {}
    for output in outputs:
        if output.kept is not None:
            chosen[output.written] = makes[output.kept.staged](rows)
        elif output.action == GROUPED:
            chosen[output.written] = makes[output.written](rows)
        elif output.column in staged.further:
            chosen[output.written] = rows[staged.further[output.column]]
        else:
            chosen[output.written] = rows["pseudonym"]
    return engine.stage(rows.select(**{PERSON_NUMBER: rows["person"]}, **chosen), "shared"), outputs


def _with_labels(rows: Any, number: str, level: Level, place: int, engine: Engine) -> tuple[Any, Make]:
    key, label = f"__q{place}", f"__label{place}"
    words = [level.labels[group] for group in level.fold]
    frame = pd.DataFrame({key: np.arange(len(level.fold), dtype="int32"), label: words})
    labels = engine.lookup(frame, "labels")
    return rows.left_join(labels, rows[number] == labels[key]), lambda table: table[label]


def _with_values(rows: Any, shown: Shown, engine: Engine, *, moved: bool) -> tuple[Any, Make]:
    staged = shown.column.staged
    if moved:
        return rows, lambda table: _as_day(table[staged] + table["offset"])
    raw, written = f"{staged}__raw", f"{staged}__written"
    values = value_table(shown, engine).select(
        **{raw: lambda t: t["__raw"], written: lambda t: t["__written"]}
    )
    joined = rows.left_join(values, rows[staged] == values[raw])
    if shown.column.kind == DATE:
        return joined, lambda table: _as_day(table[written])
    if shown.column.kind == NUMBER and is_whole(shown):
        return joined, lambda table: table[written].cast("int64")
    return joined, lambda table: table[written]


def _as_day(number: Any) -> Any:
    return (ibis.date(EPOCH.date()) + (number - 1).as_interval("D")).cast("date")


# ---------------------------------------------------------------- names


def _outputs(staged: Staged, combined: Combined, solution: Solution, service: Service) -> tuple[Output, ...]:
    """The written columns, in the order of the columns that they come from, each under a name of its own."""
    outputs: list[Output] = []
    kept = {each.column: each for each in staged.kept}
    for each in staged.plan.columns:
        if each.action == GROUPED:
            for attribute, place in zip(combined.attributes, solution.node, strict=True):
                level = attribute.levels[place]
                if attribute.column == each.column and not level.none:
                    outputs.append(Output(level.written, each.column, GROUPED))
        elif each.action == PSEUDONYM:
            person = each.column == service.extract.person
            name = PERSON_WRITTEN if person else _pseudonym_name(each.column, len(outputs))
            outputs.append(Output(name, each.column, PSEUDONYM))
        elif each.column in kept:
            column = kept[each.column]
            outputs.append(Output(column.written, each.column, each.action, each.sensitive, column))
    return _named_apart(outputs)


def _pseudonym_name(column: str, number: int) -> str:
    """A name that does not look like that of an identifier."""
    name = f"{column}_pseudonym"
    return f"pseudonym_{number}" if kinds_by_header(name) else name


def _named_apart(outputs: Sequence[Output]) -> tuple[Output, ...]:
    """Groups and pseudonyms have fixed names; another column of the same name gets a number."""
    fixed = (GROUPED, PSEUDONYM)
    taken = {each.written.casefold() for each in outputs if each.action in fixed}
    found = []
    for each in outputs:
        name, number = each.written, 2
        while each.action not in fixed and name.casefold() in taken:
            name, number = f"{each.written}_{number}", number + 1
        taken.add(name.casefold())
        found.append(replace(each, written=name))
    return tuple(found)
