"""People and coded records -> small tables of counts: the only group-bys.

Every count is additive and conditional (a sum over blanks is never null). Dimensions are counted by the
number that is staged (a day, a year of age, a place) and folded to months, bands and labels by the callers,
so nothing but whole numbers is looked at here.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd

from equitydata.records.coded import KNOWN_RANK, SOURCE_KINDS, STATUS_RANKS, CodedField, CodedRecords
from equitydata.records.persons import NOT_APPLICABLE_RANK, People

DECLINED_RANK = STATUS_RANKS.index("declined")
JOINT = "joint"


def count_statuses(people: People) -> pd.DataFrame:
    """Statuses of every characteristic, over people and over records.

    Returns one row per characteristic and status: characteristic, status, people, records, and
    records_carried_back (records of the people whose chosen value has that status).
    """
    coded = people.coded
    by_person, by_record = {}, {}
    for name, field in coded.fields.items():
        for rank, status in enumerate(STATUS_RANKS):
            here = people.table[f"{name}_rank"] == rank
            by_person[f"{name}|{status}|people"] = here.sum()
            by_person[f"{name}|{status}|records_carried_back"] = people.table["records"].sum(where=here)
            value = coded.table[name]
            low, high = rank * field.width, (rank + 1) * field.width
            by_record[f"{name}|{status}|records"] = ((value >= low) & (value < high)).sum()
    engine = coded.engine
    counts = pd.concat(
        [engine.to_frame(people.table.aggregate(**by_person)).T, engine.to_frame(coded.table.aggregate(**by_record)).T]
    )[0]
    counts = counts.fillna(0).astype("int64")
    keys = counts.index.str.split("|", expand=True)
    counts.index = pd.MultiIndex.from_tuples(list(keys), names=["characteristic", "status", "unit"])
    table = counts.unstack("unit").reset_index()
    order = {name: number for number, name in enumerate(coded.fields)}
    ranks = {status: -rank for rank, status in enumerate(STATUS_RANKS)}
    table = table.sort_values(
        ["characteristic", "status"], key=lambda column: column.map(order if column.name == "characteristic" else ranks)
    )
    columns = ["characteristic", "status", "people", "records", "records_carried_back"]
    return table[columns].rename_axis(columns=None).reset_index(drop=True)


def count_categories(people: People) -> pd.DataFrame:
    """People and self-reported people in each category met.

    Returns characteristic, category, people, self_reported, overridden.
    """
    frames = []
    for name, field in people.coded.fields.items():
        table = people.table.filter(people.table[f"{name}_rank"] == KNOWN_RANK)
        counted = table.group_by(number=table[f"{name}_category"]).agg(
            people=table.count(),
            self_reported=table[f"{name}_self"].sum(),
            overridden=table[f"{name}_overridden"].sum(),
        )
        frame = people.coded.engine.to_frame(counted.order_by("number"))
        frame.insert(0, "characteristic", name)
        frame.insert(1, "category", frame.pop("number").map(dict(enumerate(field.categories))))
        frames.append(frame)
    return _stacked(frames, ["characteristic", "category", "people", "self_reported", "overridden"])


def count_codes(coded: CodedRecords) -> pd.DataFrame:
    """The code audit: every distinct recorded value with its records, as coded.

    Returns characteristic, value, records, status, category, detail, code_list, matched_by, suggestion.
    The values are as recorded: this table never leaves without `release`.
    """
    frames = []
    for name, field in coded.fields.items():
        counted = coded.table.group_by(value_id=coded.table[f"{name}_raw"]).agg(records=coded.table.count())
        counts = coded.engine.to_frame(counted).set_index("value_id")["records"]
        audit = field.values.drop(columns="records")
        audit = audit.assign(records=audit["value_id"].map(counts).fillna(0).astype("int64"))
        blank = int(counts.get(0, 0))
        if blank:
            empty = {"value": "", "status": "missing", "records": blank, "matched_by": "missing word"}
            audit = pd.concat([audit, pd.DataFrame([empty])], ignore_index=True)
        audit.insert(0, "characteristic", name)
        frames.append(audit[audit["records"] > 0].sort_values("records", ascending=False, kind="stable"))
    columns = ["characteristic", "value", "records", "status", "category", "detail", "code_list", "matched_by", "suggestion"]
    table = _stacked(frames, columns)
    text = [column for column in columns if column != "records"]
    return table.assign(**{column: table[column].fillna("") for column in text})


def count_joint(people: People, first: str, second: str) -> pd.DataFrame:
    """People by the statuses of two characteristics together: columns first, second (statuses), people."""
    table = people.table
    counted = table.group_by(first=table[f"{first}_rank"], second=table[f"{second}_rank"]).agg(people=table.count())
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
    """Records with a known value of each characteristic as recorded, by day, point_of_care or site.

    Returns number, records, and for each characteristic `<f>|known` and `<f>|applicable`.
    """
    table, counts = coded.table, {"records": coded.table.count()}
    for name, field in coded.fields.items():
        value, width = table[name], field.width
        counts[f"{name}|known"] = (value >= KNOWN_RANK * width).sum()
        low, high = NOT_APPLICABLE_RANK * width, (NOT_APPLICABLE_RANK + 1) * width
        counts[f"{name}|applicable"] = ((value < low) | (value >= high)).sum()
    grouped = table.group_by(number=table[by]).agg(**counts)
    return coded.engine.to_frame(grouped.order_by("number"))


def count_points_of_care(coded: CodedRecords) -> pd.DataFrame:
    """People seen at each point of care, and how many of them have a known value recorded there.

    Returns number, people and `<f>|known` for each core field; people seen at two points count at both.
    """
    table = coded.table
    core = [name for name, field in coded.fields.items() if field.characteristic.core]
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
    field, table = coded.fields[name], coded.table
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
    field, table = coded.fields[name], coded.table
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
    field, table = coded.fields[name], coded.table
    known = table.filter((table[name] >= KNOWN_RANK * field.width) & (table[f"{name}_day"] > 0))
    limit = (before - coded.first_day).days + 1
    frame = coded.engine.to_frame(
        known.aggregate(dated=known.count(), stale=(known[f"{name}_day"] < limit).sum())
    )
    return int(frame["stale"].fillna(0).iloc[0]), int(frame["dated"].iloc[0])


def count_place_categories(coded: CodedRecords, name: str, place: str) -> pd.DataFrame:
    """Records of one field by place, status and category: columns place, status, category, records."""
    field, table = coded.fields[name], coded.table
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

    Returns characteristic, step, people.
    """
    counts = {}
    for name in people.coded.fields:
        for step in ("self_first", "overridden", "conflict"):
            column = f"{name}_{step}"
            if column in people.table.columns:
                counts[f"{name}|{step}"] = people.table[column].sum()
    if not counts:
        return pd.DataFrame(columns=["characteristic", "step", "people"])
    values = people.coded.engine.to_frame(people.table.aggregate(**counts)).iloc[0].fillna(0).astype("int64")
    keys = [key.split("|") for key in values.index]
    return pd.DataFrame(
        {"characteristic": [k[0] for k in keys], "step": [k[1] for k in keys], "people": values.to_numpy()}
    )


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
    """The two fields of the joint rule where both are mapped."""
    core = [name for name, field in coded.fields.items() if field.characteristic.core]
    return (core[0], core[1]) if len(core) == 2 else None


def core_fields(coded: CodedRecords) -> tuple[CodedField, ...]:
    """The core fields that are mapped: ethnicity, language, both or neither."""
    return tuple(field for field in coded.fields.values() if field.characteristic.core)


def _stacked(frames: list[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    filled = [frame for frame in frames if len(frame)]
    return pd.concat(filled, ignore_index=True)[columns] if filled else pd.DataFrame(columns=columns)
