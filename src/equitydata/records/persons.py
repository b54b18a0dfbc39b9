"""Coded records -> people: one value per person for each characteristic, in one pass.

Each record's value becomes one whole number in which the more telling record is the larger: its status first,
then whether the person said it, its date, and the priority of its source; the category stands last. So the best
record of a person is a plain maximum, and a second maximum with the category reversed shows whether another
category stands equally high (a conflict). No window function, no sort, and the same on every engine.

Domain notes, section 6, give the rule: most recent known, self-reported first, then residual override; a
conflict left on the same date and source is not known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import ibis
import numpy as np
import pandas as pd

from equitydata import codelists
from equitydata.errors import ConfigError
from equitydata.records.coded import (
    KNOWN_RANK,
    SELF_REPORTED,
    STATUS_RANKS,
    CodedField,
    CodedRecords,
)
from equitydata.rulebook import Rulebook

# A person's known categories are gathered as bits of one 64-bit number; more categories do not fit.
MOST_BITS = 62
NOT_KNOWN_RANK = STATUS_RANKS.index("not_known")
NOT_APPLICABLE_RANK = STATUS_RANKS.index("not_applicable")


@dataclass(frozen=True)
class People:
    """One row per person, as small whole numbers; no identifier is left.

    table : ibis table with records, day, point_of_care, site (of the latest contact) and for each field
        `<f>_rank`, `<f>_category`, `<f>_known` (records with a known value), `<f>_conflict`, `<f>_overridden`,
        `<f>_self_first` (the self-reported rule changed the value), `<f>_self` (the value is the person's own).
        Core fields add `<f>_points` and `<f>_moments` (two or more points of care, or dates, hold a value),
        and `<f>_mask` and `<f>_groups` (known categories and groups met, as bits).
    """

    coded: CodedRecords
    table: Any
    groups: Mapping[str, tuple[str, ...]]
    has_mask: frozenset[str]


@dataclass(frozen=True)
class _Packing:
    """How one field's records are ordered by one whole number."""

    field: CodedField
    days: int
    source_before_date: bool

    @property
    def tail(self) -> int:
        """How many numbers stand behind status and self-report: date, priority and category."""
        return self.days * self.field.priorities * self.field.width

    @property
    def kind(self) -> str:
        """The smallest whole-number type that holds every record."""
        return "int32" if 2 * len(STATUS_RANKS) * self.tail < 2**31 else "int64"


def resolve_people(coded: CodedRecords, rulebook: Rulebook) -> People:
    """One value per person for each characteristic, by the rule in force.

    Raises ConfigError where a rule needs what the extract does not have.
    """
    packings = {name: _packing(field, coded, rulebook) for name, field in coded.fields.items()}
    masked = {
        name
        for name, field in coded.fields.items()
        if (field.characteristic.core or field.characteristic.residual_override) and field.width <= MOST_BITS
    }
    groups = {name: _groups(coded.fields[name]) for name in masked}
    aggregates: dict[str, Any] = {"records": coded.table.count(), **_latest(coded)}
    for name, packing in packings.items():
        aggregates |= _aggregates(coded, packing, rulebook, name in masked, groups.get(name, ()))
    best = coded.engine.stage(coded.table.group_by("person").agg(**aggregates), "best_records")
    table = _with_modes(best, coded, packings, rulebook)
    table = _decoded(table, coded, packings, masked, rulebook)
    people = coded.engine.stage(table.drop("person"), "people")
    coded.engine.drop("best_records")
    return People(coded, people, groups, frozenset(masked))


def _packing(field: CodedField, coded: CodedRecords, rulebook: Rulebook) -> _Packing:
    by_source = rulebook.value("person_rule") == "source_priority"
    if by_source and field.characteristic.core and not (field.settings.source and field.settings.source.priority):
        raise ConfigError(
            "person_rule = 'source_priority' needs the sources in order.",
            where=f"[characteristics.{field.name}] source",
            mend='Add priority = ["GP", "INPATIENT"], best first.',
        )
    return _Packing(field, coded.days, by_source)


def _groups(field: CodedField) -> tuple[str, ...]:
    """The groups (five ethnic groups, language groups) that a field's categories belong to; '' first."""
    names = category_groups(field)
    return ("", *sorted(set(names) - {""}))


def category_groups(field: CodedField) -> list[str]:
    """The group of each category of a field, '' where it has none; the category itself where none is listed."""
    table = codelists.categories(field.characteristic.name)
    if "group" not in table.columns:
        return list(field.categories)
    lookup = dict(zip(table["category"], table["group"].fillna(""), strict=True))
    return ["" if not name else lookup.get(name, "") for name in field.categories]


# ---------------------------------------------------------------- per person


def _latest(coded: CodedRecords) -> dict[str, Any]:
    """Day, and place of the latest contact: the larger number of the place where two share a day."""
    table, day = coded.table, coded.table["day"].cast("int64")
    found: dict[str, Any] = {"day": table["day"].max()}
    for place in ("point_of_care", "site"):
        found[place] = (day * len(coded.places[place]) + table[place]).max() % len(coded.places[place])
    return found


def _parts(coded: CodedRecords, field: CodedField) -> tuple[Any, Any, Any, Any]:
    """Value, category, self-reported flag and day of each record of one field."""
    table, name = coded.table, field.name
    value = table[name]
    known = value >= KNOWN_RANK * field.width
    day = table["day"]
    if f"{name}_day" in table.columns:
        day = ibis.ifelse(table[f"{name}_day"] > 0, table[f"{name}_day"], day)
    if f"{name}_source" in table.columns:
        own = (table[f"{name}_source"] >= SELF_REPORTED * field.priorities).cast("int32")
    else:
        own = ibis.literal(int(field.settings.self_reported is True), "int32")
    return value, known, own, day


def _order(coded: CodedRecords, packing: _Packing, *, self_first: bool, reverse: bool = False) -> Any:
    """The whole number by which a person's records of one field are ordered."""
    field, table, width = packing.field, coded.table, packing.field.width
    value, known, own, day = _parts(coded, field)
    value, day = value.cast(packing.kind), day.cast(packing.kind)
    priority = ibis.literal(0, packing.kind)
    if f"{field.name}_source" in table.columns and field.priorities > 1:
        priority = (table[f"{field.name}_source"] % field.priorities).cast(packing.kind)
    if packing.source_before_date:
        detail = priority * packing.days + day
    else:
        detail = day * field.priorities + priority
    category = value - KNOWN_RANK * width
    if reverse:
        category = width - 1 - category
    head = ibis.literal(KNOWN_RANK * 2 * packing.tail, packing.kind)
    if self_first:
        head = head + own.cast(packing.kind) * packing.tail
    return ibis.ifelse(known, head + detail * width + category, value * (2 * packing.tail // width))


def _aggregates(
    coded: CodedRecords, packing: _Packing, rulebook: Rulebook, masked: bool, groups: tuple[str, ...]
) -> dict[str, Any]:
    field, name = packing.field, packing.field.name
    value, known, own, day = _parts(coded, field)
    self_first = rulebook.value("self_reported_first")
    found = {
        f"{name}__best": _order(coded, packing, self_first=self_first).max(),
        f"{name}__known": known.sum().cast("int32"),
    }
    if not field.characteristic.multiple:
        found[f"{name}__reverse"] = _order(coded, packing, self_first=self_first, reverse=True).max()
    if field.has_source and self_first:
        found[f"{name}__recent"] = _order(coded, packing, self_first=False).max()
    category = value - KNOWN_RANK * field.width
    if masked:
        found[f"{name}__mask"] = ibis.ifelse(known, _bit(category), 0).bit_or()
    if field.characteristic.core:
        point = coded.table["point_of_care"]
        found |= {
            f"{name}__first_point": point.min(where=known),
            f"{name}__last_point": point.max(where=known),
            f"{name}__first_moment": day.min(where=known),
            f"{name}__last_moment": day.max(where=known),
        }
    return found


def _bit(number: Any) -> Any:
    return ibis.literal(1, "int64") << number.cast("int64")


def _with_modes(best: Any, coded: CodedRecords, packings: Mapping[str, _Packing], rulebook: Rulebook) -> Any:
    """For `most_frequent_known`: replace each field's best record by that of its most frequent category."""
    if rulebook.value("person_rule") != "most_frequent_known":
        return best
    for name, packing in packings.items():
        known = coded.table[name] >= KNOWN_RANK * packing.field.width
        ordered = coded.table.mutate(
            order_=_order(coded, packing, self_first=rulebook.value("self_reported_first")).cast("int64")
        )
        counted = ordered.filter(known).group_by(["person", name]).agg(
            times=lambda t: t.count(), latest=lambda t: t.order_.max()
        )
        top = 2 * len(STATUS_RANKS) * packing.tail
        mode = counted.group_by("person").agg(mode_=(counted.times * top + counted.latest).max() % top)
        mode = mode.rename(mode_person="person")
        best = best.left_join(mode, best["person"] == mode["mode_person"])
        chosen = ibis.ifelse(best["mode_"].isnull(), best[f"{name}__best"].cast("int64"), best["mode_"])
        updates = {f"{name}__best": chosen}
        if f"{name}__reverse" in best.columns:
            # Frequency decides, and recency between equally frequent ones: no conflict is left.
            width = packing.field.width
            number = chosen % width
            updates[f"{name}__reverse"] = chosen - number + (width - 1 - number)
        best = best.mutate(**updates).drop("mode_", "mode_person")
    return best


# ---------------------------------------------------------------- decoding


def _decoded(
    table: Any, coded: CodedRecords, packings: Mapping[str, _Packing], masked: set[str], rulebook: Rulebook
) -> Any:
    chosen: dict[str, Any] = {name: table[name] for name in ("person", "records", "day", "point_of_care", "site")}
    for name, packing in packings.items():
        override = None
        if packing.field.characteristic.residual_override and name in masked and rulebook.value("residual_override"):
            table, override = _override(table, coded, packing.field)
        chosen |= _decoded_field(table, packing, override, name in masked)
    decoded = table.select(**chosen)
    return _with_ages(decoded, coded)


def _override(table: Any, coded: CodedRecords, field: CodedField) -> tuple[Any, Any]:
    """Join the category that replaces a residual one, for the pairs where the rule applies."""
    pairs = _override_pairs(field)
    if pairs.empty:
        return table, None
    right = coded.engine.lookup(
        pairs.rename(columns={"mask": f"{field.name}__pair", "category": f"{field.name}__instead"}),
        f"override_{field.name}",
    )
    joined = table.left_join(right, table[f"{field.name}__mask"] == right[f"{field.name}__pair"])
    return joined, joined[f"{field.name}__instead"]


def _override_pairs(field: CodedField) -> pd.DataFrame:
    """mask of two known categories -> the category that stands, where one of them is a residual.

    'Any other ethnic group' gives way to any other category; a residual of one parent gives way to a
    specific category of the same parent (domain notes, section 6).
    """
    table = codelists.categories(field.characteristic.name).set_index("category")
    numbers = {name: number for number, name in enumerate(field.categories) if name in table.index}
    residual = [name for name in numbers if str(table.loc[name, "residual"]) == "1"]
    widest = [name for name in residual if table.loc[name, "group"] == "Other"]
    rows: dict[int, int] = {}
    for name in residual:
        for other in numbers:
            if other == name or str(table.loc[other, "detail"]) == "broad":
                continue
            same_parent = table.loc[other, "group"] == table.loc[name, "group"] and other not in residual
            if name in widest or same_parent:
                rows[(1 << numbers[name]) | (1 << numbers[other])] = numbers[other]
    return pd.DataFrame({"mask": list(rows), "category": np.array(list(rows.values()), dtype="int32")}).astype(
        {"mask": "int64"}
    )


def _decoded_field(table: Any, packing: _Packing, override: Any, masked: bool) -> dict[str, Any]:
    field, name, width = packing.field, packing.field.name, packing.field.width
    best = table[f"{name}__best"]
    head = (best / packing.tail).floor().cast("int32")
    rank = (head / 2).floor().cast("int32")
    known = rank == KNOWN_RANK
    category = ibis.ifelse(known, (best % width).cast("int32"), 0)
    conflict = ibis.literal(False)
    if f"{name}__reverse" in table.columns:
        reverse = width - 1 - (table[f"{name}__reverse"] % width)
        conflict = known & (reverse != category)
    overridden = ibis.literal(False)
    if override is not None:
        overridden = override.notnull() & (conflict | (override != category))
        category = ibis.ifelse(override.notnull(), override, category)
        conflict = conflict & override.isnull()
    found = {
        f"{name}_rank": ibis.ifelse(conflict, NOT_KNOWN_RANK, rank).cast("int16"),
        f"{name}_category": ibis.ifelse(conflict, 0, category).cast("int16"),
        f"{name}_known": table[f"{name}__known"],
        f"{name}_conflict": conflict,
        f"{name}_overridden": overridden,
        f"{name}_self": known & ~conflict & (head % 2 == 1),
    }
    if f"{name}__recent" in table.columns:
        recent = table[f"{name}__recent"]
        found[f"{name}_self_first"] = known & ((recent % width).cast("int32") != (best % width).cast("int32"))
    if field.characteristic.core:
        found[f"{name}_points"] = _differ(table, name, "point")
        found[f"{name}_moments"] = _differ(table, name, "moment")
    if masked:
        found[f"{name}_mask"] = table[f"{name}__mask"]
    return found


def _differ(table: Any, name: str, what: str) -> Any:
    first, last = table[f"{name}__first_{what}"], table[f"{name}__last_{what}"]
    return (first != last).fill_null(False)


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
            updates[f"{name}_rank"] = ibis.ifelse(below, NOT_APPLICABLE_RANK, table[f"{name}_rank"]).cast("int16")
            updates[f"{name}_category"] = ibis.ifelse(below, 0, table[f"{name}_category"]).cast("int16")
            updates[f"{name}_self"] = table[f"{name}_self"] & ~below
            updates[f"{name}_known"] = ibis.ifelse(below, 0, table[f"{name}_known"]).cast("int32")
    return table.mutate(**updates) if updates else table
