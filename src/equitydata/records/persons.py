"""Coded records -> people: one value per person for each characteristic, in one pass.

Each record's value becomes one whole number in which the more telling record is the larger: its status first,
then whether the person said it, its date, and the priority of its source; the category stands last. So the best
record of a person is a plain maximum, and a second maximum with the category reversed shows whether another
category stands equally high (a conflict). No window function, no sort, and the same on every engine.

Domain notes, section 6, give the rule: most recent known, self-reported first, then residual override; a
conflict left on the same date and source is not known.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import ibis
import numpy as np
import pandas as pd

from equitydata import codelists
from equitydata.errors import ConfigError
from equitydata.records.coded import CodedRecords
from equitydata.records.fields import KNOWN_RANK, MOST_BITS, SELF_REPORTED, STATUS_RANKS, CodedField
from equitydata.records.lookups import smallest_type
from equitydata.rulebook import Rulebook

# An estimate of what an engine holds for one person and field while it gathers them, from the widths of the sums
# and the key; and how much of its memory that may take.
BYTES_A_PERSON = 110
BYTES_A_FIELD = 10
SHARE_OF_MEMORY = 0.75
PLACES = ("point_of_care", "site")
NOT_KNOWN_RANK = STATUS_RANKS.index("not_known")
NOT_APPLICABLE_RANK = STATUS_RANKS.index("not_applicable")


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
    """

    coded: CodedRecords
    table: Any
    has_mask: frozenset[str]
    has_points: bool

    def flag(self, name: str) -> Any:
        """A column of true and false; false throughout where no rule sets it."""
        return self.table[name] if name in self.table.columns else ibis.literal(False)


def resolve_people(coded: CodedRecords, rulebook: Rulebook) -> People:
    """One value per person for each characteristic, by the rule in force.

    Raises ConfigError where a rule needs what the extract does not have.
    """
    _check_rule(coded, rulebook)
    masked = {
        name
        for name, field in coded.fields.items()
        if (field.characteristic.core or field.characteristic.residual_override) and field.width <= MOST_BITS
    }
    has_points = len(coded.places["point_of_care"]) <= MOST_BITS
    parts = _parts_of_people(coded)
    staged = []
    for number in range(parts):
        part = None if parts == 1 else (number, parts)
        best = _best_records(coded, masked, has_points, rulebook, part)
        decoded = _decoded(best, coded, masked, rulebook)
        staged.append(coded.engine.stage(decoded.drop("person"), f"people_{number}"))
    people = staged[0] if parts == 1 else ibis.union(*staged)
    return People(coded, people, frozenset(masked), has_points)


def _parts_of_people(coded: CodedRecords) -> int:
    """In how many parts the people are resolved, so that a part's sums stay in memory.

    An engine gathers the sums of a person anew in each block of records before it joins them, so what it
    holds at a time grows with the records.
    """
    if not coded.has_person:
        return 1
    held = coded.intake.rows_used * (BYTES_A_PERSON + BYTES_A_FIELD * len(coded.fields))
    return max(1, math.ceil(held / (SHARE_OF_MEMORY * coded.engine.memory)))


def _best_records(
    coded: CodedRecords,
    masked: set[str],
    has_points: bool,
    rulebook: Rulebook,
    part: tuple[int, int] | None,
) -> Any:
    """One row per person: the best record of each field, and what verification needs, as whole numbers."""
    table = coded.view(_columns(coded, masked), person=True, part=part)
    aggregates: dict[str, Any] = {"records": table.count(), "latest": _latest(table, coded)}
    if has_points:
        aggregates["seen_mask"] = table["point_of_care_bit"].bit_or()
    for name, field in coded.fields.items():
        aggregates |= _aggregates(table, field, rulebook, name in masked, has_points)
    best = table.group_by("person").agg(**aggregates)
    if rulebook.value("person_rule") == "most_frequent_known":
        best = _with_modes(best, coded, rulebook, part)
    return best


def _columns(coded: CodedRecords, masked: set[str]) -> list[str]:
    columns = ["day", "point_of_care", "point_of_care_bit", "site"]
    for name, field in coded.fields.items():
        columns += [f"{name}_best", *(c for c in (f"{name}_source", f"{name}_day") if coded.has(c))]
        if not field.characteristic.multiple:
            columns.append(f"{name}_reverse")
        if name in masked:
            columns.append(f"{name}_bit")
        if field.characteristic.core:
            columns.append(f"{name}_is_known")
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


def _latest(table: Any, coded: CodedRecords) -> Any:
    """Day, point of care and site of the latest contact as one number; the larger place where two share a day."""
    points, sites = (len(coded.places[place]) for place in PLACES)
    kind = smallest_type(points * sites * coded.days)
    day, point, site = (table[name].cast(kind) for name in ("day", *PLACES))
    whole = day * ibis.literal(points, kind) + point
    return (whole * ibis.literal(sites, kind) + site).cast(kind).max()


def _latest_parts(latest: Any, coded: CodedRecords) -> dict[str, Any]:
    points, sites = (len(coded.places[place]) for place in PLACES)
    whole = latest // sites
    return {
        "day": (whole // points).cast("int32"),
        "point_of_care": (whole % points).cast("int32"),
        "site": (latest % sites).cast("int32"),
    }


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
    moment = _moment(table, field).cast(kind)
    detail = moment * number(field.priorities) if field.priorities > 1 else moment
    if f"{name}_source" in table.columns and field.priorities > 1:
        priority = table[f"{name}_source"].cast(kind) % number(field.priorities)
        by_source = rulebook.value("person_rule") == "source_priority"
        detail = priority * number(field.days) + moment if by_source else detail + priority
    if self_first and field.selves > 1:
        order = order + _own(table, field).cast(kind) * number(field.tail)
    return (order + detail * number(field.width)).cast(kind)


def _own(table: Any, field: CodedField) -> Any:
    """1 where the value came from the person, else 0."""
    if f"{field.name}_source" in table.columns:
        return (table[f"{field.name}_source"] >= SELF_REPORTED * field.priorities).cast("int16")
    return ibis.literal(int(field.settings.self_reported is True), "int16")


def _moment(table: Any, field: CodedField) -> Any:
    """The day a value was recorded where the extract has it, else the day of the contact."""
    recorded = f"{field.name}_day"
    if recorded not in table.columns:
        return table["day"]
    return ibis.ifelse(table[recorded] > 0, table[recorded], table["day"])


def _aggregates(
    table: Any, field: CodedField, rulebook: Rulebook, masked: bool, has_points: bool
) -> dict[str, Any]:
    name = field.name
    self_first = rulebook.value("self_reported_first")
    found = {f"{name}__best": _order(table, field, rulebook, self_first=self_first).max()}
    if not field.characteristic.multiple:
        found[f"{name}__reverse"] = _order(table, field, rulebook, self_first=self_first, reverse=True).max()
    if field.has_source and self_first:
        found[f"{name}__recent"] = _order(table, field, rulebook, self_first=False).max()
    if field.selves > 1 and not self_first:
        order = _order(table, field, rulebook, self_first=False).cast("int64")
        found[f"{name}__own"] = (order * 2 + _own(table, field)).max()
    if masked:
        found[f"{name}__mask"] = table[f"{name}_bit"].bit_or()
    if field.characteristic.core:
        found |= _recordings(table, field, has_points)
    return found


def _recordings(table: Any, field: CodedField, has_points: bool) -> dict[str, Any]:
    """How often, when and where a person has a known value.

    A record without one contributes 0 by multiplication, which is quicker than to filter each sum. The first
    moment is kept as the days left after it, so that it is a maximum too.
    """
    name, one = field.name, table[f"{field.name}_is_known"]
    moment, kind = _moment(table, field), smallest_type(field.days)
    left = ibis.literal(field.days, kind) - moment
    found = {
        f"{name}__known": table.count(where=one == 1),
        f"{name}__last_moment": (one * moment).cast(kind).max(),
        f"{name}__days_left": (one * left).cast(kind).max(),
    }
    if has_points:
        bit = table["point_of_care_bit"]
        found[f"{name}__seen"] = (one * bit).cast(bit.type()).bit_or()
    else:
        found[f"{name}__first_point"] = table["point_of_care"].min(where=one == 1)
        found[f"{name}__last_point"] = table["point_of_care"].max(where=one == 1)
    return found


def _with_modes(best: Any, coded: CodedRecords, rulebook: Rulebook, part: tuple[int, int] | None) -> Any:
    """For `most_frequent_known`: replace each field's best record by that of its most frequent category."""
    for name, field in coded.fields.items():
        extra = [c for c in (f"{name}_source", f"{name}_day") if coded.has(c)]
        table = coded.view([name, f"{name}_best", "day", *extra], person=True, part=part)
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


def _decoded(table: Any, coded: CodedRecords, masked: set[str], rulebook: Rulebook) -> Any:
    chosen = {name: table[name] for name in ("person", "records", "seen_mask") if name in table.columns}
    chosen |= _latest_parts(table["latest"], coded)
    for name, field in coded.fields.items():
        override = None
        if field.characteristic.residual_override and name in masked and rulebook.value("residual_override"):
            table, override = _override(table, coded, field)
        chosen |= _decoded_field(table, field, override, name in masked)
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


def _decoded_field(table: Any, field: CodedField, override: Any, masked: bool) -> dict[str, Any]:
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
    if override is not None:
        found[f"{name}_overridden"] = override.notnull() & (conflict | (override != category))
        category = ibis.ifelse(override.notnull(), override, category)
        conflict = conflict & override.isnull()
    found[f"{name}_rank"] = ibis.ifelse(conflict, NOT_KNOWN_RANK, rank).cast("int8")
    found[f"{name}_category"] = ibis.ifelse(conflict, 0, category).cast("int16")
    if f"{name}__reverse" in table.columns:
        found[f"{name}_conflict"] = conflict
    if field.selves > 1:
        own = table[f"{name}__own"] if f"{name}__own" in table.columns else best // field.tail
        found[f"{name}_self"] = known & ~conflict & (own % 2 == 1)
    if f"{name}__recent" in table.columns:
        recent = table[f"{name}__recent"]
        found[f"{name}_self_first"] = known & ((recent % width).cast("int32") != (best % width).cast("int32"))
    if field.characteristic.core:
        found[f"{name}_known"] = table[f"{name}__known"]
        if f"{name}__seen" in table.columns:
            found[f"{name}_seen_mask"] = table[f"{name}__seen"]
        found[f"{name}_points"] = _several_points(table, name)
        first = field.days - table[f"{name}__days_left"]
        found[f"{name}_moments"] = (table[f"{name}__known"] > 0) & (table[f"{name}__last_moment"] != first)
    if masked:
        found[f"{name}_mask"] = table[f"{name}__mask"]
    return found


def _several_points(table: Any, name: str) -> Any:
    """Whether two or more points of care hold a value."""
    if f"{name}__seen" not in table.columns:
        return (table[f"{name}__first_point"] != table[f"{name}__last_point"]).fill_null(False)
    # Something is left when the lowest bit is taken away.
    mask = table[f"{name}__seen"]
    return (mask & (mask - 1)) != 0


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
