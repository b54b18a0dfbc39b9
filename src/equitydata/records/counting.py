"""People and coded records -> small tables of counts: the only group-bys.

Every count is additive and conditional (a sum over blanks is never null). Dimensions are counted by the
number that is staged (a day, a year of age, a place) and folded to months, bands and labels by the callers,
so nothing but whole numbers is looked at here.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import ibis
import pandas as pd

from equitydata.records.coded import CodedRecords
from equitydata.records.fields import KNOWN_RANK, SOURCE_KINDS, STATUS_RANKS, CodedField
from equitydata.records.persons import NOT_APPLICABLE_RANK, People
from equitydata.rulebook import characteristics

DECLINED_RANK = STATUS_RANKS.index("declined")
JOINT = "joint"
# Values of these kinds are never listed, however many records share one.
IDENTIFYING_KINDS = ("birth_date", "postcode", "area")
_AUDIT = [
    "characteristic",
    "value",
    "records",
    "status",
    "category",
    "detail",
    "code_list",
    "matched_by",
    "suggestion",
]
NOT_LISTED = "[values of an identifying field are not listed]"


def count_values(people: People) -> pd.DataFrame:
    """People by the value that was chosen for them, for every characteristic in one query.

    Returns characteristic, rank (of the status), number (of the category), people, records (of these people),
    self_reported, overridden.
    """
    counted = []
    for name in people.coded.fields:
        table = people.table.mutate(
            self_=people.flag(f"{name}_self"), overridden_=people.flag(f"{name}_overridden")
        )
        rows = table.group_by(rank=table[f"{name}_rank"], number=table[f"{name}_category"]).agg(
            people=table.count(),
            records=table["records"].sum(),
            self_reported=table["self_"].sum(),
            overridden=table["overridden_"].sum(),
        )
        counted.append(rows.mutate(characteristic=ibis.literal(name)))
    frame = people.coded.engine.to_frame(ibis.union(*counted).order_by("characteristic", "rank", "number"))
    sums = dict.fromkeys(("people", "records", "self_reported", "overridden"), "int64")
    return frame.fillna(dict.fromkeys(sums, 0)).astype(sums)


def count_statuses(people: People, values: pd.DataFrame, codes: pd.DataFrame) -> pd.DataFrame:
    """Statuses of every characteristic, over people and over records.

    values : as `count_values` gives them. codes : the code audit, as `count_codes` gives it; its statuses are
    those of the records as recorded.
    Returns one row per characteristic and status: characteristic, status, people, records, and
    records_carried_back (records of the people whose chosen value has that status).
    """
    rows = []
    recorded = codes.groupby(["characteristic", "status"])["records"].sum().to_dict()
    chosen = values.groupby(["characteristic", "rank"])[["people", "records"]].sum()
    for name, field in people.coded.fields.items():
        if field.settings.applies is not None:
            recorded |= _recorded_statuses(people.coded, field)
        by_rank = chosen.loc[name].reindex(range(len(STATUS_RANKS)), fill_value=0)
        for rank in reversed(range(len(STATUS_RANKS))):
            status = str(STATUS_RANKS[rank])
            found = by_rank.loc[rank]
            rows.append((name, status, found["people"], recorded.get((name, status), 0), found["records"]))
    return pd.DataFrame(
        rows, columns=["characteristic", "status", "people", "records", "records_carried_back"]
    )


def _recorded_statuses(coded: CodedRecords, field: CodedField) -> dict[tuple[str, str], int]:
    """Records by status of a field that does not apply to every row: its audit of values cannot tell."""
    table = coded.view([field.name])
    counted = table.group_by(value=table[field.name]).agg(records=table.count())
    frame = coded.engine.to_frame(counted)
    ranks = (frame["value"] // field.width).map(lambda rank: str(STATUS_RANKS[rank]))
    counts = frame["records"].groupby(ranks).sum()
    return {(field.name, str(status)): int(counts.get(str(status), 0)) for status in STATUS_RANKS}


def count_categories(people: People, values: pd.DataFrame) -> pd.DataFrame:
    """People and self-reported people in each category met; values as `count_values` gives them.

    Returns characteristic, category, people, self_reported, overridden.
    """
    frames = []
    for name, field in people.coded.fields.items():
        frame = values[(values["characteristic"] == name) & (values["rank"] == KNOWN_RANK)]
        categories = frame["number"].map(dict(enumerate(field.categories)))
        frame = frame.assign(
            category=categories.map(lambda label, shown=field.shown: shown.get(label, label))
        )
        if field.shown:
            frame = frame.groupby(["characteristic", "category"], sort=False).sum().reset_index()
        frames.append(frame)
    return _stacked(frames, ["characteristic", "category", "people", "self_reported", "overridden"])


def count_codes(coded: CodedRecords) -> pd.DataFrame:
    """The code audit: every distinct recorded value with its records, as coded.

    Returns characteristic, value, records, status, category, detail, code_list, matched_by, suggestion.
    The values are as recorded: this table never leaves without `release`. Values of an identifying field are
    not listed at all.
    """
    frames, recorded = [], _value_counts(coded)
    for name, field in coded.fields.items():
        counts = recorded[name]
        audit = field.values.assign(
            characteristic=name, records=field.values["value_id"].map(counts).fillna(0).astype("int64")
        )
        blank = {"characteristic": name, "status": "missing", "records": int(counts.get(0, 0))}
        audit = pd.concat(
            [audit[_AUDIT], pd.DataFrame([{**dict.fromkeys(_AUDIT, ""), **blank}])], ignore_index=True
        )
        audit = audit.fillna({column: "" for column in _AUDIT if column != "records"})
        if field.kind in IDENTIFYING_KINDS:
            audit = audit.assign(value=NOT_LISTED, suggestion="")
            keys = [column for column in _AUDIT if column != "records"]
            audit = audit.groupby(keys, sort=False)["records"].sum().reset_index()
        frames.append(audit[audit["records"] > 0].sort_values("records", ascending=False, kind="stable"))
    return _stacked(frames, _AUDIT)


def _value_counts(coded: CodedRecords) -> dict[str, pd.Series]:
    """Field -> records by the number of the recorded value; 0 is blank."""
    if coded.complete:
        listed = {name: field.values.set_index("value_id")["records"] for name, field in coded.fields.items()}
        used = coded.intake.rows_used
        return {name: pd.concat([n, pd.Series({0: used - int(n.sum())})]) for name, n in listed.items()}
    # The rows that are used are picked once; then each field is counted on its own.
    table = coded.engine.stage(coded.view([f"{name}_raw" for name in coded.fields]), "recorded_values")
    counts = {}
    for name in coded.fields:
        counted = table.group_by(value_id=table[f"{name}_raw"]).agg(records=table.count())
        counts[name] = coded.engine.to_frame(counted).set_index("value_id")["records"]
    coded.engine.drop(table)
    return counts


def count_joint(people: People, first: str, second: str) -> pd.DataFrame:
    """People by the statuses of two characteristics together: columns first, second (statuses), people."""
    table = people.table
    counted = table.group_by(first=table[f"{first}_rank"], second=table[f"{second}_rank"]).agg(
        people=table.count()
    )
    frame = people.coded.engine.to_frame(counted.order_by("first", "second"))
    ranks = dict(enumerate(STATUS_RANKS))
    return frame.assign(first=frame["first"].map(ranks), second=frame["second"].map(ranks))


def count_known_people(people: People, by: str) -> pd.DataFrame:
    """People with a known value of each characteristic, by one staged number of the people table.

    by : day, records, point_of_care, site or `<field>_category`.
    Returns number, people, and for each characteristic `<f>|known`, `<f>|declined`, `<f>|applicable`; where both
    core fields are mapped, `joint|known`, `joint|declined` (known or declined, both) and `joint|applicable`.
    """
    table, counts = people.table, {"people": people.table.count()}
    for name in people.coded.fields:
        rank = table[f"{name}_rank"]
        counts[f"{name}|known"] = (rank == KNOWN_RANK).sum()
        counts[f"{name}|applicable"] = (rank != NOT_APPLICABLE_RANK).sum()
        if people.coded.fields[name].characteristic.core:
            counts[f"{name}|declined"] = (rank == DECLINED_RANK).sum()
    both = core_pair(people.coded)
    if both:
        first, second = (table[f"{name}_rank"] for name in both)
        answered = (first >= DECLINED_RANK) & (second >= DECLINED_RANK)
        counts[f"{JOINT}|known"] = ((first == KNOWN_RANK) & (second == KNOWN_RANK)).sum()
        counts[f"{JOINT}|answered"] = answered.sum()
        counts[f"{JOINT}|applicable"] = (
            (first != NOT_APPLICABLE_RANK) & (second != NOT_APPLICABLE_RANK)
        ).sum()
    grouped = table.group_by(number=table[by]).agg(**counts)
    return people.coded.engine.to_frame(grouped.order_by("number"))


def count_known_records(coded: CodedRecords, by: str) -> pd.DataFrame:
    """Records with a known value of each core field as recorded, by day, point_of_care or site.

    Returns number, records, and for each core field `<f>|known` and `<f>|applicable`.
    """
    core = core_fields(coded)
    table = coded.view([by, *(field.name for field in core)])
    counts = {"records": table.count()}
    for field in core:
        value, width = table[field.name], field.width
        counts[f"{field.name}|known"] = (value >= KNOWN_RANK * width).sum()
        low, high = NOT_APPLICABLE_RANK * width, (NOT_APPLICABLE_RANK + 1) * width
        counts[f"{field.name}|applicable"] = ((value < low) | (value >= high)).sum()
    grouped = table.group_by(number=table[by]).agg(**counts)
    return coded.engine.to_frame(grouped.order_by("number"))


def count_points_of_care(people: People) -> pd.DataFrame:
    """People seen at each point of care, and how many of them have a known value recorded there.

    Returns number, people and `<f>|known` for each core field; people seen at two points count at both.
    """
    core = [field.name for field in core_fields(people.coded)]
    if people.has_points:
        return _points_from_bits(people, core)
    return _points_from_pairs(people.coded, core)


def _points_from_bits(people: People, core: list[str]) -> pd.DataFrame:
    table, counts = people.table, {}
    points = range(len(people.coded.places["point_of_care"]))
    columns = {"people": "seen_mask", **{f"{name}|known": f"{name}_seen_mask" for name in core}}
    for point in points:
        for what, mask in columns.items():
            counts[f"{point} {what}"] = ((table[mask] & (1 << point)) != 0).sum()
    wide = people.coded.engine.to_frame(table.aggregate(**counts)).iloc[0].fillna(0).astype("int64")
    rows = [{"number": point, **{what: wide[f"{point} {what}"] for what in columns}} for point in points]
    frame = pd.DataFrame(rows)
    return frame[frame["people"] > 0].reset_index(drop=True)


def _points_from_pairs(coded: CodedRecords, core: list[str]) -> pd.DataFrame:
    """The same where points of care are too many for bits: each person and point once."""
    table = coded.view([*core, "point_of_care"], person=True)
    flags = {name: (table[name] >= KNOWN_RANK * coded.fields[name].width).max() for name in core}
    pairs = table.group_by(["person", "point_of_care"]).agg(**flags)
    counts: dict[str, Any] = {f"{name}|known": pairs[name].sum() for name in core}
    grouped = pairs.group_by(number=pairs["point_of_care"]).agg(people=pairs.count(), **counts)
    return coded.engine.to_frame(grouped.order_by("number"))


def count_repeats(people: People, name: str) -> pd.DataFrame:
    """How often one core field was recorded, and which categories were met, as bits.

    Returns contacts (1 or 2 for two and more), recordings (0, 1, 2 or more), independent (different day and
    different point of care), category (number), mask (known categories met, 0 where not kept), people.
    """
    table = people.table
    keys = {
        "contacts": _at_most_two(table["records"]),
        "recordings": _at_most_two(table[f"{name}_known"]),
        "points": table[f"{name}_points"],
        "moments": table[f"{name}_moments"],
        "category": table[f"{name}_category"],
    }
    if name in people.has_mask:
        keys["mask"] = table[f"{name}_mask"]
    frame = people.coded.engine.to_frame(table.group_by(**keys).agg(people=table.count()).order_by(*keys))
    return frame if "mask" in frame else frame.assign(mask=0)


def _at_most_two(number: Any) -> Any:
    return (number > 1).ifelse(2, number).cast("int32")


def count_sources(coded: CodedRecords, name: str) -> pd.DataFrame:
    """Records with a known value of one field by who gave it: columns source, records."""
    field, table = coded.fields[name], coded.view([name, f"{name}_source"])
    known = table.filter(table[name] >= KNOWN_RANK * field.width)
    counted = known.group_by(number=known[f"{name}_source"]).agg(records=known.count())
    frame = coded.engine.to_frame(counted)
    kinds = (frame["number"] // field.priorities).map(dict(enumerate(SOURCE_KINDS)))
    records = frame.groupby(kinds)["records"].sum()
    return records.reindex(SOURCE_KINDS, fill_value=0).rename_axis("source").reset_index()


def count_observed(coded: CodedRecords, name: str) -> pd.DataFrame:
    """Records by the person's own category and the observer's: columns category, observed, records.

    Either may be '' where it is not known.
    """
    field, table = coded.fields[name], coded.view([name, f"{name}_observed"])
    pairs = table.group_by(own=table[name], seen=table[f"{name}_observed"]).agg(records=table.count())
    frame = coded.engine.to_frame(pairs)
    category = _known_category(frame["own"], field.categories)
    observed = _known_category(frame["seen"], field.observed)
    return (
        frame.assign(category=category, observed=observed)
        .groupby(["category", "observed"], sort=True)["records"]
        .sum()
        .reset_index()
    )


def _known_category(packed: pd.Series, categories: tuple[str, ...]) -> pd.Series:
    numbers = packed - KNOWN_RANK * len(categories)
    return numbers.where(numbers >= 0, 0).map(dict(enumerate(categories)))


def count_stale(coded: CodedRecords, name: str, before: pd.Timestamp) -> tuple[int, int]:
    """Records of one field with a known value recorded before a day, and all with a known recorded date."""
    field, table = coded.fields[name], coded.view([name, f"{name}_day"])
    known = table.filter((table[name] >= KNOWN_RANK * field.width) & (table[f"{name}_day"] > 0))
    limit = (before - coded.first_day).days + 1
    frame = coded.engine.to_frame(
        known.aggregate(dated=known.count(), stale=(known[f"{name}_day"] < limit).sum())
    )
    return int(frame["stale"].fillna(0).iloc[0]), int(frame["dated"].iloc[0])


def count_place_categories(coded: CodedRecords, name: str, place: str) -> pd.DataFrame:
    """Records of one field by place, status and category: columns place, status, category, records."""
    field, table = coded.fields[name], coded.view([name, place])
    counted = table.group_by(place=table[place], value=table[name]).agg(records=table.count())
    frame = coded.engine.to_frame(counted)
    return pd.DataFrame(
        {
            "place": frame["place"].map(dict(enumerate(coded.places[place]))),
            "status": (frame["value"] // field.width).map(dict(enumerate(STATUS_RANKS))),
            "category": _known_category(frame["value"], field.categories),
            "records": frame["records"],
        }
    )


def count_steps(people: People) -> pd.DataFrame:
    """How many values each step of the person rule changed.

    Returns characteristic, step, changed, unit. carry_back counts the records without a known value whose
    person has one; it is told for the core fields, whose known records are kept.
    """
    counts, table = {}, people.table
    for name, field in people.coded.fields.items():
        if field.characteristic.core:
            carried = (table["records"] - table[f"{name}_known"]).sum(
                where=table[f"{name}_rank"] == KNOWN_RANK
            )
            counts[f"{name}|carry_back|records"] = carried
        for step in ("self_first", "overridden", "conflict"):
            if f"{name}_{step}" in table.columns:
                counts[f"{name}|{step}|people"] = table[f"{name}_{step}"].sum()
    if not counts:
        return pd.DataFrame(columns=["characteristic", "step", "changed", "unit"])
    values = people.coded.engine.to_frame(table.aggregate(**counts)).iloc[0].fillna(0).astype("int64")
    keys = [key.split("|") for key in values.index]
    frame = pd.DataFrame(keys, columns=["characteristic", "step", "unit"])
    return frame.assign(changed=values.to_numpy())


def count_small_groups(people: People, names: Iterable[str], at_least: int) -> tuple[int, int]:
    """Smallest group over the chosen characteristics, and people in groups below a size."""
    keys = {f"key_{name}": people.table[f"{name}_category"] for name in names}
    grouped = people.table.group_by(**keys).agg(people=people.table.count())
    frame = people.coded.engine.to_frame(
        grouped.aggregate(
            smallest=grouped["people"].min(), below=grouped["people"].sum(where=grouped["people"] < at_least)
        )
    ).fillna(0)
    return int(frame["smallest"].iloc[0]), int(frame["below"].iloc[0])


def core_pair(coded: CodedRecords) -> tuple[str, str] | None:
    """The two fields of the joint rule, ethnicity first, where both are mapped."""
    core = [name for name, kind in characteristics().items() if kind.core and name in coded.fields]
    return (core[0], core[1]) if len(core) == 2 else None


def core_fields(coded: CodedRecords) -> tuple[CodedField, ...]:
    """The core fields that are mapped: ethnicity, language, both or neither."""
    return tuple(field for field in coded.fields.values() if field.characteristic.core)


def _stacked(frames: list[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    filled = [frame for frame in frames if len(frame)]
    return pd.concat(filled, ignore_index=True)[columns] if filled else pd.DataFrame(columns=columns)
