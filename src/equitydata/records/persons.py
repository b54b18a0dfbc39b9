"""Coded records -> people: one value per person for each characteristic.

`gathering` tells in one pass what each person's records say together. Where they leave no choice, that is the
value. The others, few in most services, are looked at once more: each of their records becomes one whole
number in which the more telling record is the larger: its status first, then whether the person said it, its
date, and the priority of its source; the category stands last. So the best record of a person is a plain
maximum, and a second maximum with the category reversed shows whether another category stands equally high (a
conflict). No window function, no sort, and the same on every engine.

Domain notes, section 6, give the rule: most recent known, self-reported first, then residual override; a
conflict left on the same date and source is not known.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import ibis
import numpy as np
import pandas as pd

from equitydata import codelists
from equitydata.errors import ConfigError
from equitydata.records.coded import CodedRecords
from equitydata.records.fields import KNOWN_RANK, STATUS_RANKS, CodedField
from equitydata.records.gathering import (
    Layout,
    differing,
    gather,
    gathered_columns,
    keeps_categories,
    lay_out,
    moment,
    own,
    settled,
)
from equitydata.records.measuring import LARGEST_COUNT, Measuring
from equitydata.rulebook import Rulebook

# What an engine may hold for one person and field while it gathers them, on the safe side: the second look, where most
# people need one, is the wider of the two. And how much of its memory that may take.
BYTES_A_PERSON = 110
BYTES_A_FIELD = 10
SHARE_OF_MEMORY = 0.75
NOT_KNOWN_RANK = STATUS_RANKS.index("not_known")
NOT_APPLICABLE_RANK = STATUS_RANKS.index("not_applicable")

# Coded columns, by name, of the records that are looked at.
Records = Callable[[Iterable[str]], Any]


@dataclass(frozen=True)
class People:
    """One row per person, as small whole numbers; no identifier is left.

    table : ibis table with records, and day, point_of_care and site of the latest contact. For each field
        `<f>_rank` and `<f>_category`, and where the rule can tell `<f>_conflict`, `<f>_overridden`,
        `<f>_self_first` (the self-reported rule changed the value) and `<f>_self` (the value is their own).
        Core fields add `<f>_known` (records with a known value), `<f>_points` and `<f>_moments` (two or more
        points of care, or dates, hold a value), `<f>_mask` (known categories met, as bits) and, where points
        of care fit into bits, `seen_mask` and `<f>_seen_mask` (seen at, and with a known value there).
    has_mask : fields with `<f>_mask`. has_points : points of care are kept as bits.
    measuring : how the sums of the measures, which the table holds too, are read.
    """

    coded: CodedRecords
    table: Any
    has_mask: frozenset[str]
    has_points: bool
    measuring: Measuring

    def flag(self, name: str) -> Any:
        """A column of true and false; false throughout where no rule sets it."""
        return self.table[name] if name in self.table.columns else ibis.literal(False)


def resolve_people(coded: CodedRecords, rulebook: Rulebook) -> People:
    """One value per person for each characteristic, by the rule in force.

    Raises ConfigError where a rule needs what the extract does not have.
    """
    _check_rule(coded, rulebook)
    layout = lay_out(coded)
    measuring = coded.measuring
    tables = _resolve_parts(coded, layout, rulebook, measuring)
    if tables is None:
        # Someone has more records than the bits of a period can count: begin anew with a word for each.
        measuring = measuring.one_slot_a_word()
        tables = _resolve_parts(coded, layout, rulebook, measuring) or []
    return People(
        coded,
        ibis.union(*tables),
        frozenset(name for name, field in coded.fields.items() if keeps_categories(field)),
        "seen" in layout.slots,
        measuring,
    )


def _resolve_parts(
    coded: CodedRecords, layout: Layout, rulebook: Rulebook, measuring: Measuring
) -> list[Any] | None:
    """The tables of all parts of the people; None where `measuring` has too few bits."""
    parts = _parts_of_people(coded)
    tables: list[Any] = []
    for number in range(parts):
        part = None if parts == 1 else (number, parts)
        resolved = _resolve_part(coded, layout, rulebook, part, measuring)
        if resolved is None:
            return None
        tables += resolved
    return tables


def _resolve_part(
    coded: CodedRecords,
    layout: Layout,
    rulebook: Rulebook,
    part: tuple[int, int] | None,
    measuring: Measuring,
) -> list[Any] | None:
    """The people whose records leave no choice, and those whose records were looked at once more.

    None where a person has more records than `measuring` has bits for.
    """
    gathered = gather(coded, layout, part, measuring)
    differs = differing(gathered, coded, layout, self_first=rulebook.value("self_reported_first"))
    values = gathered_columns(gathered, coded, layout) | _settled(gathered, coded, layout, rulebook)
    if measuring.measures:
        values |= {name: gathered[name] for name in measuring.gathered_names}
    staged = gathered.select(person=gathered["person"], **values, **differs)
    people = coded.engine.stage(_with_ages(staged, coded), "people")
    any_differs = ibis.or_(*(people[name] for name in differs))
    agreed = people.filter(~any_differs).select(*values)
    fields, most = _fields_to_look_at(people, coded)
    if measuring.measures and measuring.splits and measuring.slots_a_word > 1 and most > LARGEST_COUNT:
        coded.engine.drop(people)
        return None
    if not fields:
        return [agreed]
    looked_at = _look_again(people.filter(any_differs), fields, coded, rulebook, part)
    return [agreed, coded.engine.stage(looked_at.select(*values), "people_looked_at")]


def _fields_to_look_at(people: Any, coded: CodedRecords) -> tuple[list[CodedField], int]:
    """The fields in which the records of anyone leave a choice, and the most records that anyone has."""
    differs = {f"differs_{name}": people[f"{name}_differs"].any() for name in coded.fields}
    found = coded.engine.to_frame(people.aggregate(most=people["records"].max(), **differs))
    most = found["most"].fillna(0).iloc[0]
    fields = [
        field for name, field in coded.fields.items() if bool(found[f"differs_{name}"].fillna(False).iloc[0])
    ]
    return fields, int(most)


def _look_again(
    others: Any,
    fields: list[CodedField],
    coded: CodedRecords,
    rulebook: Rulebook,
    part: tuple[int, int] | None,
) -> Any:
    """The people whose records differ, with the value that the rule chooses in each of these fields."""

    def records(columns: Iterable[str]) -> Any:
        return coded.view(columns, person=True, part=part).semi_join(others, "person")

    best = _best_records(records, fields, coded, rulebook)
    chosen = _with_pairs(others.inner_join(best, "person"), fields, coded, rulebook)
    values: dict[str, Any] = {}
    for field in fields:
        values |= _chosen(chosen, field)
    return _with_ages(chosen.mutate(**values), coded)


def _settled(table: Any, coded: CodedRecords, layout: Layout, rulebook: Rulebook) -> dict[str, Any]:
    """The values that need no rule, and that no step of a rule changed them."""
    values = settled(table, coded, layout)
    for field in coded.fields.values():
        values |= dict.fromkeys(_steps(field, rulebook), ibis.literal(False))
    return values


def _steps(field: CodedField, rulebook: Rulebook) -> list[str]:
    """Columns that tell which steps of the rule changed a person's value."""
    name, steps = field.name, []
    if not field.characteristic.multiple:
        steps.append(f"{name}_conflict")
    if _overrides(field, rulebook):
        steps.append(f"{name}_overridden")
    if field.has_source and rulebook.value("self_reported_first"):
        steps.append(f"{name}_self_first")
    return steps


def _overrides(field: CodedField, rulebook: Rulebook) -> bool:
    asked = field.characteristic.residual_override and keeps_categories(field)
    return bool(asked and rulebook.value("residual_override") and len(_override_pairs(field)))


def _parts_of_people(coded: CodedRecords) -> int:
    """In how many parts the people are resolved, so that a part's sums stay in memory.

    An engine gathers the sums of a person anew in each block of records before it joins them, so what it
    holds at a time grows with the records.
    """
    if not coded.has_person:
        return 1
    held = coded.intake.rows_used * (BYTES_A_PERSON + BYTES_A_FIELD * len(coded.fields))
    return max(1, math.ceil(held / (SHARE_OF_MEMORY * coded.engine.memory)))


def _best_records(records: Records, fields: list[CodedField], coded: CodedRecords, rulebook: Rulebook) -> Any:
    """One row per person: the best record of each field as a whole number."""
    table = records(_columns(fields, coded))
    aggregates: dict[str, Any] = {}
    for field in fields:
        aggregates |= _aggregates(table, field, rulebook)
    best = table.group_by("person").agg(**aggregates)
    if rulebook.value("person_rule") == "most_frequent_known":
        best = _with_modes(best, records, fields, coded, rulebook)
    return best


def _columns(fields: list[CodedField], coded: CodedRecords) -> list[str]:
    columns = ["day"]
    for field in fields:
        name = field.name
        columns += [f"{name}_best", *(c for c in (f"{name}_source", f"{name}_day") if coded.has(c))]
        if not field.characteristic.multiple:
            columns.append(f"{name}_reverse")
    return columns


def _check_rule(coded: CodedRecords, rulebook: Rulebook) -> None:
    for field in coded.fields.values():
        source = field.settings.source
        ordered = source is not None and source.priority
        if rulebook.value("person_rule") == "source_priority" and field.characteristic.core and not ordered:
            raise ConfigError(
                "person_rule = 'source_priority' needs the sources in order.",
                where=f"[characteristics.{field.name}] source",
                mend='Add priority = ["GP", "INPATIENT"], best first.',
            )


def category_groups(field: CodedField) -> list[str]:
    """The group of each category of a field, '' where it has none; the category itself where none is listed."""
    table = codelists.categories(field.characteristic.name)
    if "group" not in table.columns:
        return list(field.categories)
    lookup = dict(zip(table["category"], table["group"].fillna(""), strict=True))
    return ["" if not name else lookup.get(name, "") for name in field.categories]


# ---------------------------------------------------------------- per person


def _order(
    table: Any, field: CodedField, rulebook: Rulebook, *, self_first: bool, reverse: bool = False
) -> Any:
    """The whole number by which a person's records of one field are ordered.

    Date and source also order the records without a known value among each other; that changes nothing, as
    their category is 0. No sum passes the end of the type: it was chosen to hold the largest.
    """
    name, kind = field.name, field.order_type

    def number(value: int) -> Any:
        return ibis.literal(value, kind)

    order = table[f"{name}_reverse" if reverse else f"{name}_best"].cast(kind)
    when = moment(table, field).cast(kind)
    detail = when * number(field.priorities) if field.priorities > 1 else when
    if f"{name}_source" in table.columns and field.priorities > 1:
        priority = table[f"{name}_source"].cast(kind) % number(field.priorities)
        by_source = rulebook.value("person_rule") == "source_priority"
        detail = priority * number(field.days) + when if by_source else detail + priority
    if self_first and field.selves > 1:
        order = order + own(table, field).cast(kind) * number(field.tail)
    return (order + detail * number(field.width)).cast(kind)


def _aggregates(table: Any, field: CodedField, rulebook: Rulebook) -> dict[str, Any]:
    name = field.name
    self_first = rulebook.value("self_reported_first")
    found = {f"{name}__best": _order(table, field, rulebook, self_first=self_first).max()}
    if not field.characteristic.multiple:
        found[f"{name}__reverse"] = _order(table, field, rulebook, self_first=self_first, reverse=True).max()
    if field.has_source and self_first:
        found[f"{name}__recent"] = _order(table, field, rulebook, self_first=False).max()
    if field.selves > 1 and not self_first:
        order = _order(table, field, rulebook, self_first=False).cast("int64")
        found[f"{name}__own"] = (order * 2 + own(table, field)).max()
    return found


def _with_modes(
    best: Any, records: Records, fields: list[CodedField], coded: CodedRecords, rulebook: Rulebook
) -> Any:
    """For `most_frequent_known`: replace each field's best record by that of its most frequent category."""
    for field in fields:
        name = field.name
        extra = [c for c in (f"{name}_source", f"{name}_day") if coded.has(c)]
        table = records([name, f"{name}_best", "day", *extra])
        order = _order(table, field, rulebook, self_first=rulebook.value("self_reported_first")).cast("int64")
        known = table[name] >= KNOWN_RANK * field.width
        counted = (
            table.mutate(order_=order)
            .filter(known)
            .group_by(["person", name])
            .agg(times=lambda t: t.count(), latest=lambda t: t.order_.max())
        )
        top = len(STATUS_RANKS) * field.step
        mode = counted.group_by(mode_person=counted["person"]).agg(
            mode_=(counted.times * top + counted.latest).max() % top
        )
        best = best.left_join(mode, best["person"] == mode["mode_person"])
        chosen = ibis.ifelse(best["mode_"].isnull(), best[f"{name}__best"].cast("int64"), best["mode_"])
        updates = {f"{name}__best": chosen}
        if f"{name}__reverse" in best.columns:
            # Frequency decides, and recency between equally frequent ones: no conflict is left.
            number = chosen % field.width
            updates[f"{name}__reverse"] = chosen - number + (field.width - 1 - number)
        best = best.mutate(**updates).drop("mode_", "mode_person")
    return best


# ---------------------------------------------------------------- decoding


def _with_pairs(table: Any, fields: list[CodedField], coded: CodedRecords, rulebook: Rulebook) -> Any:
    """Join the category that replaces a residual one, as `<f>__instead`, for the pairs where the rule applies."""
    for field in fields:
        name = field.name
        if not _overrides(field, rulebook):
            continue
        right = coded.engine.lookup(
            _override_pairs(field).rename(columns={"mask": f"{name}__pair", "category": f"{name}__instead"}),
            f"override_{name}",
        )
        table = table.left_join(right, table[f"{name}_mask"] == right[f"{name}__pair"])
    return table


def _override_pairs(field: CodedField) -> pd.DataFrame:
    """mask of two known categories -> the category that stands, where one of them is a residual.

    'Any other ethnic group' gives way to any other category; a residual of one parent gives way to a
    specific category of the same parent (domain notes, section 6).
    """
    table = codelists.categories(field.characteristic.name).set_index("category")
    numbers = {name: number for number, name in enumerate(field.categories) if name in table.index}
    group, detail = table["group"].astype(str).to_dict(), table["detail"].astype(str).to_dict()
    residual = [name for name in numbers if str(table.loc[name, "residual"]) == "1"]
    widest = [name for name in residual if group[name] == "Other"]
    rows: dict[int, int] = {}
    for name in residual:
        for other in numbers:
            if other == name or detail[other] == "broad":
                continue
            same_parent = group[other] == group[name] and other not in residual
            if name in widest or same_parent:
                rows[(1 << numbers[name]) | (1 << numbers[other])] = numbers[other]
    return pd.DataFrame(
        {"mask": list(rows), "category": np.array(list(rows.values()), dtype="int32")}
    ).astype({"mask": "int64"})


def _chosen(table: Any, field: CodedField) -> dict[str, Any]:
    """Status, category and steps of one field, from its best record."""
    name, width = field.name, field.width
    best = table[f"{name}__best"]
    rank = (best // field.step).cast("int32")
    known = rank == KNOWN_RANK
    category = ibis.ifelse(known, (best % width).cast("int32"), 0)
    conflict = ibis.literal(False)
    if f"{name}__reverse" in table.columns:
        reverse = width - 1 - (table[f"{name}__reverse"] % width)
        conflict = known & (reverse != category)
    found: dict[str, Any] = {}
    if f"{name}__instead" in table.columns:
        instead = table[f"{name}__instead"]
        found[f"{name}_overridden"] = instead.notnull() & (conflict | (instead != category))
        category = ibis.ifelse(instead.notnull(), instead, category)
        conflict = conflict & instead.isnull()
    found[f"{name}_rank"] = ibis.ifelse(conflict, NOT_KNOWN_RANK, rank).cast("int8")
    found[f"{name}_category"] = ibis.ifelse(conflict, 0, category).cast("int16")
    if f"{name}__reverse" in table.columns:
        found[f"{name}_conflict"] = conflict
    if field.selves > 1:
        own_word = table[f"{name}__own"] if f"{name}__own" in table.columns else best // field.tail
        found[f"{name}_self"] = known & ~conflict & (own_word % 2 == 1)
    if f"{name}__recent" in table.columns:
        recent = table[f"{name}__recent"]
        found[f"{name}_self_first"] = known & ((recent % width).cast("int32") != (best % width).cast("int32"))
    return found


def _with_ages(table: Any, coded: CodedRecords) -> Any:
    """People below the age from which an item applies are not applicable to it."""
    if "age" not in coded.fields:
        return table
    years = pd.to_numeric(pd.Series(coded.fields["age"].categories), errors="coerce")
    updates = {}
    for name, field in coded.fields.items():
        if not field.characteristic.from_age:
            continue
        young = [int(number) for number in years.index[years < field.characteristic.from_age]]
        if young:
            below = table["age_category"].isin(young)
            updates[f"{name}_rank"] = ibis.ifelse(below, NOT_APPLICABLE_RANK, table[f"{name}_rank"]).cast(
                "int8"
            )
            updates[f"{name}_category"] = ibis.ifelse(below, 0, table[f"{name}_category"]).cast("int16")
            if f"{name}_self" in table.columns:
                updates[f"{name}_self"] = table[f"{name}_self"] & ~below
    return table.mutate(**updates) if updates else table
