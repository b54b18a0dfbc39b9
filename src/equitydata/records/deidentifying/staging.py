"""Coded records -> two staged tables: people with their quasi-identifiers as numbers, and rows with what is kept.

A quasi-identifier is one for each person: the most recent known value, the person's own word first where the extract
says who gave it. After this step nobody looks at an identifier again; people are numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import ibis
import numpy as np
import pandas as pd

from equitydata.errors import ConfigError
from equitydata.records.coded import CodedRecords
from equitydata.records.columns import as_text, date_key, distinct, meets
from equitydata.records.dates import parse_dates
from equitydata.records.deidentifying.choices import load_choices
from equitydata.records.deidentifying.keys import Key
from equitydata.records.deidentifying.levels import NOT_KNOWN
from equitydata.records.deidentifying.opening import squeezed
from equitydata.records.deidentifying.plan import DATE, DROPPED, PSEUDONYM, VALUES, Asked, ColumnPlan, Plan
from equitydata.records.deidentifying.pseudonyms import beside_key, offset_days, pseudonym
from equitydata.records.engine import Engine
from equitydata.records.fields import KNOWN_RANK, SELF_REPORTED, CodedField
from equitydata.records.lookups import Frame, Lookup, coded_name, look_up, make_lookup
from equitydata.records.places import POSTCODE
from equitydata.rulebook import characteristics
from equitydata.service import Service

TEXT, NUMBER = "text", "number"
DISTRICT = "postcode"
# Days are counted from here as 1; 0 is no date.
EPOCH = pd.Timestamp("1800-01-01")
ENOUGH_DATES, ENOUGH_NUMBERS = 0.8, 0.95
LONGEST_VALUE = 200
_NUMBER = r"^[+-]?[0-9]{1,15}(\.[0-9]+)?$"
_DATE = r"^[0-9]{1,4}[-/. ]([0-9]{1,2}|[A-Za-z]{3,9})[-/. ][0-9]{1,4}"
_PERIODS = {"month": "M", "quarter": "Q", "year": "Y"}


@dataclass(frozen=True)
class KeptColumn:
    """A column that stays beside the groups.

    staged : its name in the staged rows. kind : text, number or date (days from EPOCH). sensitive : every group must
    hold several of its values.
    """

    column: str
    staged: str
    kind: str
    written: str
    sensitive: bool


@dataclass(frozen=True)
class Staged:
    """What is left of the records.

    people : number, pseudonym and offset where there are, and `q_<name>`, the number of each quasi-identifier's value.
    rows : number of the person, the kept columns, and pseudonyms of further columns.
    values : quasi-identifier -> its recorded values by number, "" first for 'not known'.
    further : column -> its pseudonyms in the rows.
    """

    engine: Engine
    people: Any
    rows: Any
    values: Mapping[str, tuple[str, ...]]
    kept: tuple[KeptColumn, ...]
    further: Mapping[str, str]
    plan: Plan


# ---------------------------------------------------------------- staging


def stage_records(
    coded: CodedRecords, service: Service, plan: Plan, asked: Asked, key: Key, *, self_first: bool
) -> Staged:
    """Bring the used records into the two tables that the rest works on."""
    engine, base = coded.engine, coded.base
    plan, kinds = _kinds_of_values(base, plan, engine)
    lookups = dict(coded.lookups)
    dated = [column for column, kind in kinds.items() if kind == DATE]
    for number, column in enumerate(dated):
        lookups[f"date_{number}"] = _date_lookup(
            base, column, f"date_{number}", engine, asked, day_first=service.extract.day_first
        )
    values = {name: coded.fields[name].categories for name in plan.grouped if name != DISTRICT}
    if DISTRICT in plan.grouped:
        lookups[DISTRICT], values[DISTRICT] = _district_lookup(base, plan.grouped[DISTRICT], engine)
    joined = look_up(base, lookups, _wanted(coded, plan, dated))
    orders = {name: _order(joined, name, coded, values, self_first) for name in plan.grouped}
    kept, columns = _kept_columns(joined, coded, plan, kinds, dated)
    further = {
        each.column: f"x{number}"
        for number, each in enumerate(plan.of(PSEUDONYM))
        if each.column != service.extract.person
    }
    columns |= {staged: as_text(joined, column).strip().nullif("") for column, staged in further.items()}
    people, rows = _stage(joined, coded, orders, columns, values, key, asked)
    rows = _with_pseudonyms(rows, tuple(further.values()), key, engine)
    return Staged(engine, people, rows, values, kept, further, plan)


def _stage(
    joined: Any,
    coded: CodedRecords,
    orders: Mapping[str, Any],
    columns: Mapping[str, Any],
    values: Mapping[str, tuple[str, ...]],
    key: Key,
    asked: Asked,
) -> tuple[Any, Any]:
    engine = coded.engine
    numbers = {f"q_{name}": f"o_{name}" for name in orders}

    def settled(table: Any) -> dict[str, Any]:
        return {q: (table[o] % len(values[q.removeprefix("q_")])).cast("int32") for q, o in numbers.items()}

    if not coded.has_person:
        one = joined.select(person=_numbered(), **{f"o_{n}": order for n, order in orders.items()}, **columns)
        rows = engine.stage(one.select(person=one["person"], **settled(one), **_same(one, columns)), "rows")
        return rows.select("person", *numbers), rows.select("person", *columns)
    grouped = joined.group_by(key=coded.person(joined)).agg(
        records=joined.count(), **{f"o_{name}": order.max() for name, order in orders.items()}
    )
    beside, pads = beside_key(grouped, key, engine)
    text = beside["key"].cast("string")
    further = {"pseudonym": pseudonym(beside, text)}
    if asked.dates == "offset":
        further["offset"] = offset_days(beside, text)
    chosen = beside.select(key=beside["key"], person=_numbered(), **further, **settled(beside))
    people = engine.stage(chosen, "people")
    engine.drop(pads)
    raw = joined.select(key=coded.person(joined), **columns)
    pairs = people.select("key", "person")
    rows = engine.stage(raw.inner_join(pairs, "key").select("person", *columns), "rows")
    slim = engine.stage(people.drop("key"), "people")
    engine.drop(people)
    return slim, rows


def _numbered() -> Any:
    """Rows numbered from 0, in no order that means anything."""
    return ibis.row_number().over(ibis.window())


def _same(table: Any, columns: Mapping[str, Any]) -> dict[str, Any]:
    return {name: table[name] for name in columns}


def _with_pseudonyms(rows: Any, names: tuple[str, ...], key: Key, engine: Engine) -> Any:
    """Rows with further columns replaced by their pseudonyms: each distinct value is hashed once."""
    for name in names:
        values = rows.select(value=rows[name]).filter(lambda t: t["value"].notnull()).distinct()
        beside, pads = beside_key(values, key, engine)
        hashed = engine.stage(
            beside.select(__raw=beside["value"], __pseudonym=pseudonym(beside, beside["value"])), "pseudonyms"
        )
        engine.drop(pads)
        joined = rows.left_join(hashed, rows[name] == hashed["__raw"])
        others = [column for column in rows.columns if column != name]
        fresh = engine.stage(joined.select(*others, **{name: joined["__pseudonym"]}), "rows")
        engine.drop(rows)
        engine.drop(hashed)
        rows = fresh
    return rows


def _wanted(coded: CodedRecords, plan: Plan, dated: list[str]) -> list[str]:
    """The coded columns that are looked at."""
    names = [f"date_{number}" for number in range(len(dated))]
    for name in plan.grouped:
        names += [DISTRICT] if name == DISTRICT else [f"{name}_best", f"{name}_day", f"{name}_source"]
    names += [each.characteristic for each in plan.of(VALUES) if each.characteristic]
    return [*names, "day"]


def _coded(joined: Any, column: str) -> Any:
    """A coded column as a whole number; 0 throughout where the extract has none."""
    name = coded_name(column)
    return joined[name].cast("int64") if name in joined.columns else ibis.literal(0, "int64")


def _order(
    joined: Any, name: str, coded: CodedRecords, values: Mapping[str, tuple[str, ...]], self_first: bool
) -> Any:
    """The whole number by which a person's records of one quasi-identifier are ordered; its remainder is the value.

    What is known goes before what is not, then the person's own word, then the later day, then the larger number.
    """
    day = _coded(joined, "day")
    if name == DISTRICT:
        value, width = _coded(joined, DISTRICT), len(values[DISTRICT])
        return ibis.ifelse(value > 0, coded.days, 0) * width + day * width + value
    field = coded.fields[name]
    best = _where_it_applies(joined, field, _coded(joined, f"{name}_best"), f"{name}_best")
    recorded = _coded(joined, f"{name}_day")
    moment = ibis.ifelse(recorded > 0, recorded, day)
    order = best + moment * (field.priorities * field.width)
    if self_first and field.has_source:
        own = _coded(joined, f"{name}_source") >= SELF_REPORTED * field.priorities
        order = order + own.cast("int64") * field.tail
    return order


def _where_it_applies(joined: Any, field: CodedField, number: Any, column: str) -> Any:
    applies = field.settings.applies
    if applies is None:
        return number
    return ibis.ifelse(meets(joined, applies), number, field.not_applicable[column])


# ---------------------------------------------------------------- columns that stay


def _kept_columns(
    joined: Any, coded: CodedRecords, plan: Plan, kinds: Mapping[str, str], dated: list[str]
) -> tuple[tuple[KeptColumn, ...], dict[str, Any]]:
    kept: list[KeptColumn] = []
    columns: dict[str, Any] = {}
    for each in (*plan.of(DATE), *plan.of(VALUES)):
        staged, kind = f"v{len(kept)}", kinds[each.column]
        written = each.characteristic or each.column
        kept.append(KeptColumn(each.column, staged, kind, written, each.sensitive))
        if each.characteristic:
            columns[staged] = _category(joined, coded.fields[each.characteristic])
        elif kind == DATE:
            day = _coded(joined, f"date_{dated.index(each.column)}").cast("int32")
            columns[staged] = day.nullif(0)
        else:
            columns[staged] = _value(joined, each.column, kind)
    return tuple(kept), columns


def _category(joined: Any, field: CodedField) -> Any:
    """The category of one record in words."""
    packed = _where_it_applies(joined, field, _coded(joined, field.name), field.name)
    number = packed - KNOWN_RANK * field.width
    labels = [NOT_KNOWN, *field.categories[1:]]
    cases = ((number == place, label) for place, label in enumerate(labels) if place)
    return ibis.cases(*cases, else_=NOT_KNOWN) if len(labels) > 1 else ibis.literal(NOT_KNOWN)


def _value(table: Any, column: str, kind: str) -> Any:
    """A recorded value: a number, or a text without blanks around it and control characters in it."""
    values = table[column]
    if kind == NUMBER:
        if values.type().is_numeric():
            number = values.cast("float64")
            return ibis.ifelse(number.isnan(), ibis.null("float64"), number)
        text = values.strip()
        return ibis.ifelse(text.re_search(_NUMBER), text, ibis.null("string")).try_cast("float64")
    if values.type().is_floating():
        whole = values == values.floor()
        text = ibis.ifelse(whole, values.cast("int64").cast("string"), values.cast("string"))
        return ibis.ifelse(values.isnan(), ibis.null("string"), text)
    return as_text(table, column).re_replace(r"[\x00-\x1f\x7f]+", " ").strip().nullif("")


def _kinds_of_values(base: Any, plan: Plan, engine: Engine) -> tuple[Plan, dict[str, str]]:
    """What each kept column holds: text, number or date. Free text leaves the plan."""
    kinds = {each.column: DATE for each in plan.of(DATE)}
    for each in plan.of(VALUES):
        kind = TEXT if each.characteristic else _kind_of(base, each.column, engine)
        if kind == "prose":
            _refuse_prose(each)
            plan = plan.with_column(replace(each, action=DROPPED, why="free text"))
        else:
            kinds[each.column] = kind
            if kind == DATE:
                plan = plan.with_column(replace(each, action=DATE))
    return plan, kinds


def _refuse_prose(each: ColumnPlan) -> None:
    if each.why.startswith("named under"):
        raise ConfigError(
            f"'{each.column}' holds free text, which no rule can make safe.",
            where=f"[sharing] {each.why.removeprefix('named under ')}",
            mend="Take it out of the list, and read it through by hand if it is needed.",
        )


def _kind_of(base: Any, column: str, engine: Engine) -> str:
    """Told from the distinct values, which stay in the engine."""
    choices, kind = load_choices(), base[column].type()
    if kind.is_timestamp() or kind.is_date():
        return DATE
    text = as_text(base, column).strip()
    values = base.select(value=text).filter(lambda t: t["value"].notnull() & (t["value"] != "")).distinct()
    value = values["value"]
    blanks = value.length() - value.replace(" ", "").length()
    wordy = (blanks >= choices.value("prose_words") - 1) | (value.length() > LONGEST_VALUE)
    found = engine.to_frame(
        values.aggregate(
            values=values.count(),
            numbers=values.count(where=value.re_search(_NUMBER)),
            dates=values.count(where=value.re_search(_DATE)),
            wordy=values.count(where=wordy),
        )
    ).iloc[0]
    several = max(int(found["values"]), 1)
    if found["dates"] >= ENOUGH_DATES * several and found["values"]:
        return DATE
    if found["values"] > choices.value("number_values"):
        if kind.is_numeric() or found["numbers"] >= ENOUGH_NUMBERS * several:
            return NUMBER
        if found["wordy"] > choices.value("prose_share") * several:
            return "prose"
    return TEXT


# ---------------------------------------------------------------- look-ups


def _date_lookup(
    base: Any, column: str, name: str, engine: Engine, asked: Asked, *, day_first: bool
) -> Lookup:
    """Each recorded day as its number from EPOCH: the first of its period, or the day itself where dates are moved."""
    key: Callable[[Any], Any] = partial(date_key, column=column)
    raw = distinct(engine, base, key(base))
    days = parse_dates(raw["value"], day_first=day_first)["date"].reset_index(drop=True)
    if asked.dates in _PERIODS:
        days = days.dt.to_period(_PERIODS[asked.dates]).dt.start_time
    number = ((days - EPOCH).dt.days + 1).fillna(0).astype("int64")
    frame = pd.DataFrame({"raw": raw["value"].to_numpy(), name: number.to_numpy()})
    return make_lookup(name, Frame(key, frame), engine, dictionaries=False)


def _district_lookup(base: Any, column: str, engine: Engine) -> tuple[Lookup, tuple[str, ...]]:
    """The first half of each postcode, by number; the second half is never looked up."""
    key: Callable[[Any], Any] = partial(_outward, column=column)
    raw = distinct(engine, base, key(base))
    frame = pd.DataFrame({"raw": raw["value"], DISTRICT: np.arange(1, len(raw) + 1)})
    return make_lookup(DISTRICT, Frame(key, frame), engine, dictionaries=False), ("", *raw["value"])


def _outward(table: Any, column: str) -> Any:
    text = squeezed(table, column)
    usable = text.re_search(f"^(?:{POSTCODE})$") & ~text.startswith("ZZ99") & (text != "GIR0AA")
    half = ibis.ifelse(text.length() >= 5, text.substr(0, text.length() - 3), text)
    return ibis.ifelse(usable, half, ibis.null("string"))


def is_moved(column: KeptColumn, asked: Asked) -> bool:
    """Whether a column holds days that are moved person by person."""
    return column.kind == DATE and asked.dates == "offset"


def label_of(name: str) -> str:
    """What people call a quasi-identifier."""
    return "Postcode" if name == DISTRICT else characteristics()[name].label
