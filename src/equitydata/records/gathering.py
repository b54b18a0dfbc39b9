"""Coded records -> what each person's records say together, in one pass.

Most people say the same of themselves at every contact. So the pass keeps, for each field, which statuses and
categories were met, as bits of a few words that all fields share: a person costs tens of bytes, where the best
record of every field, with its date, would cost hundreds. Whoever has one known category of a field needs no
rule to choose it; `persons` looks at the dates of those with two.

Bits are gathered by `bit_or` and counts by adding up: no sort, no window, and the same on every engine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import ibis

from equitydata.records.coded import CodedRecords
from equitydata.records.fields import (
    KNOWN_RANK,
    SELF_REPORTED,
    STATUS_BITS,
    WORD_BITS,
    CodedField,
)
from equitydata.records.lookups import smallest_type
from equitydata.records.measuring import Measuring

# A field of more categories costs less as its largest and smallest than as bits.
MOST_CATEGORIES_AS_BITS = 26
PLACES = ("point_of_care", "site")
OWN, OTHER = 1, 2


@dataclass(frozen=True)
class Slot:
    """Where the bits of one thing stand: in which word, from which bit, how many."""

    word: int
    shift: int
    bits: int

    def read(self, table: Any) -> Any:
        """The bits, from the lowest on."""
        return (table[f"word_{self.word}"] >> self.shift) & ((1 << self.bits) - 1)


@dataclass(frozen=True)
class Layout:
    """The slots of a run. Fields without one are gathered as their largest and smallest category.

    slots : '<f>' the statuses and categories met, '<f>_own' who said the known values, 'seen' and '<f>_seen'
        the points of care, and those with a known value.
    """

    slots: Mapping[str, Slot]

    @property
    def words(self) -> int:
        """How many words the slots take."""
        return 1 + max((slot.word for slot in self.slots.values()), default=-1)


def lay_out(coded: CodedRecords) -> Layout:
    """Place everything that is gathered as bits, the widest first, each in the first word that has room."""
    points = len(coded.places["point_of_care"])
    widths: dict[str, int] = {}
    if points <= WORD_BITS:
        widths["seen"] = points
    for name, field in coded.fields.items():
        if keeps_categories(field) or field.width <= MOST_CATEGORIES_AS_BITS:
            widths[name] = STATUS_BITS + field.width
        if field.has_source:
            widths[f"{name}_own"] = 2
        if field.characteristic.core and "seen" in widths:
            widths[f"{name}_seen"] = points
    slots: dict[str, Slot] = {}
    filled: list[int] = []
    for name in sorted(widths, key=lambda each: -widths[each]):
        bits = widths[name]
        word = next((w for w, used in enumerate(filled) if used + bits <= WORD_BITS), len(filled))
        if word == len(filled):
            filled.append(0)
        slots[name] = Slot(word, filled[word], bits)
        filled[word] += bits
    return Layout(slots)


def keeps_categories(field: CodedField) -> bool:
    """Whether all known categories that a person ever had are kept, for agreement and the residual override."""
    asked = field.characteristic.core or field.characteristic.residual_override
    return bool(asked) and STATUS_BITS + field.width <= WORD_BITS


def gather(
    coded: CodedRecords, layout: Layout, part: tuple[int, int] | None, measuring: Measuring | None = None
) -> Any:
    """One row per person, with the sums of their records: person, records, latest, the words, and more by field.

    measuring : adds the sums of the measures.
    """
    measured = measuring if measuring is not None and measuring.measures else None
    table = coded.view(_columns(coded, layout), person=True, part=part, measured=measured)
    aggregates: dict[str, Any] = {"records": table.count(), "latest": _latest(table, coded)}
    parts: dict[int, list[Any]] = {}
    for name, slot in layout.slots.items():
        bits = _bits(table, coded, name)
        parts.setdefault(slot.word, []).append(bits << slot.shift if slot.shift else bits)
    for word, expressions in sorted(parts.items()):
        whole = expressions[0]
        for expression in expressions[1:]:
            whole = whole | expression
        aggregates[f"word_{word}"] = whole.bit_or()
    for name, field in coded.fields.items():
        if name not in layout.slots:
            aggregates |= {f"{name}__high": table[name].max(), f"{name}__low": table[f"{name}_turned"].max()}
        if field.characteristic.core:
            aggregates |= _recordings(table, field, "seen" in layout.slots)
    if measured is not None:
        aggregates |= measured.gathered(table)
    return table.group_by("person").agg(**aggregates)


def _columns(coded: CodedRecords, layout: Layout) -> list[str]:
    columns = ["day", "point_of_care", "site"]
    if "seen" in layout.slots:
        columns.append("point_of_care_bit")
    for name, field in coded.fields.items():
        columns += [f"{name}_bits"] if name in layout.slots else [name, f"{name}_turned"]
        if f"{name}_own" in layout.slots:
            columns.append(f"{name}_source")
        if field.characteristic.core:
            columns += [f"{name}_day"] if coded.has(f"{name}_day") else []
        if field.characteristic.core or field.has_source:
            columns.append(f"{name}_is_known")
    return columns


def _bits(table: Any, coded: CodedRecords, slot: str) -> Any:
    """The bits that one record adds to a slot. A record without a known value adds 0 by multiplication."""
    if slot in coded.fields:
        return table[f"{slot}_bits"].cast("int64")
    if slot == "seen":
        return table["point_of_care_bit"].cast("int64")
    name, _, what = slot.rpartition("_")
    known = table[f"{name}_is_known"].cast("int64")
    if what == "seen":
        return known * table["point_of_care_bit"]
    return known * ibis.ifelse(own(table, coded.fields[name]) == 1, OWN, OTHER)


def own(table: Any, field: CodedField) -> Any:
    """1 where the value came from the person, else 0."""
    if f"{field.name}_source" in table.columns:
        return (table[f"{field.name}_source"] >= SELF_REPORTED * field.priorities).cast("int16")
    return ibis.literal(int(field.settings.self_reported is True), "int16")


def moment(table: Any, field: CodedField) -> Any:
    """The day a value was recorded where the extract has it, else the day of the contact."""
    recorded = f"{field.name}_day"
    if recorded not in table.columns:
        return table["day"]
    return ibis.ifelse(table[recorded] > 0, table[recorded], table["day"])


def _latest(table: Any, coded: CodedRecords) -> Any:
    """Day, point of care and site of the latest contact as one number; the larger place where two share a day."""
    points, sites = (len(coded.places[place]) for place in PLACES)
    kind = smallest_type(points * sites * coded.days)
    day, point, site = (table[name].cast(kind) for name in ("day", *PLACES))
    whole = day * ibis.literal(points, kind) + point
    return (whole * ibis.literal(sites, kind) + site).cast(kind).max()


def _recordings(table: Any, field: CodedField, has_points: bool) -> dict[str, Any]:
    """How often, when and where a person has a known value.

    The first moment is kept as the days left after it, so that it is a maximum too.
    """
    name, known = field.name, table[f"{field.name}_is_known"]
    when, kind = moment(table, field), smallest_type(field.days)
    left = ibis.literal(field.days, kind) - when
    found = {
        f"{name}__known": table.count(where=known == 1),
        f"{name}__last_moment": (known * when).cast(kind).max(),
        f"{name}__days_left": (known * left).cast(kind).max(),
    }
    if not has_points:
        found[f"{name}__first_point"] = table["point_of_care"].min(where=known == 1)
        found[f"{name}__last_point"] = table["point_of_care"].max(where=known == 1)
    return found


# ---------------------------------------------------------------- what was gathered


def gathered_columns(table: Any, coded: CodedRecords, layout: Layout) -> dict[str, Any]:
    """What needs no rule to choose it: records, latest contact, and how often, where and when a field is known."""
    found: dict[str, Any] = {"records": table["records"], **_latest_parts(table["latest"], coded)}
    if "seen" in layout.slots:
        found["seen_mask"] = layout.slots["seen"].read(table)
    for name, field in coded.fields.items():
        if keeps_categories(field):
            found[f"{name}_mask"] = layout.slots[name].read(table) >> STATUS_BITS
        if not field.characteristic.core:
            continue
        found[f"{name}_known"] = table[f"{name}__known"]
        if "seen" in layout.slots:
            seen = layout.slots[f"{name}_seen"].read(table)
            found[f"{name}_seen_mask"] = seen
            found[f"{name}_points"] = more_than_one_bit(seen)
        else:
            first, last = table[f"{name}__first_point"], table[f"{name}__last_point"]
            found[f"{name}_points"] = (first != last).fill_null(False)
        first_moment = field.days - table[f"{name}__days_left"]
        found[f"{name}_moments"] = (table[f"{name}__known"] > 0) & (
            table[f"{name}__last_moment"] != first_moment
        )
    return found


def _latest_parts(latest: Any, coded: CodedRecords) -> dict[str, Any]:
    points, sites = (len(coded.places[place]) for place in PLACES)
    whole = latest // sites
    return {
        "day": (whole // points).cast("int32"),
        "point_of_care": (whole % points).cast("int32"),
        "site": (latest % sites).cast("int32"),
    }


def settled(table: Any, coded: CodedRecords, layout: Layout) -> dict[str, Any]:
    """Status, category and own word of each field, as they are for people who have one known category of it."""
    found: dict[str, Any] = {}
    for name, field in coded.fields.items():
        if name in layout.slots:
            # The categories stand behind the statuses, so the highest bit tells what says most.
            highest = _highest_bit(layout.slots[name].read(table))
            rank = ibis.least(highest, KNOWN_RANK)
            category = ibis.greatest(highest - STATUS_BITS, 0)
        else:
            rank = table[f"{name}__high"] // field.width
            category = ibis.ifelse(rank == KNOWN_RANK, table[f"{name}__high"] % field.width, 0)
        found[f"{name}_rank"], found[f"{name}_category"] = rank.cast("int8"), category.cast("int16")
        if field.selves > 1:
            found[f"{name}_self"] = (rank == KNOWN_RANK) & _ever_own(table, field, layout)
    return found


def _ever_own(table: Any, field: CodedField, layout: Layout) -> Any:
    slot = layout.slots.get(f"{field.name}_own")
    return ibis.literal(True) if slot is None else (slot.read(table) & OWN) > 0


def differing(table: Any, coded: CodedRecords, layout: Layout, *, self_first: bool) -> dict[str, Any]:
    """For each field, `<f>_differs`: a person's records name two known categories, or two who said it.

    Who said it leaves no choice where the person's own word goes first.
    """
    return {
        f"{name}_differs": _several(table, field, layout) | _two_said(table, field, layout, self_first)
        for name, field in coded.fields.items()
    }


def _several(table: Any, field: CodedField, layout: Layout) -> Any:
    name, width = field.name, field.width
    if name in layout.slots:
        return more_than_one_bit(layout.slots[name].read(table) >> STATUS_BITS)
    high, low = table[f"{name}__high"], table[f"{name}__low"]
    return (high // width == KNOWN_RANK) & (high % width != width - 1 - low % width)


def _two_said(table: Any, field: CodedField, layout: Layout, self_first: bool) -> Any:
    slot = layout.slots.get(f"{field.name}_own")
    if slot is None or self_first:
        return ibis.literal(False)
    return slot.read(table) == (OWN | OTHER)


def more_than_one_bit(bits: Any) -> Any:
    """Something is left when the lowest bit is taken away."""
    return (bits & (bits - 1)) != 0


def _highest_bit(bits: Any) -> Any:
    """Place of the highest bit, 0 for none. The hundredth keeps a rounded logarithm from falling below."""
    return ((bits | 1).log2() + 0.01).floor().cast("int16")
