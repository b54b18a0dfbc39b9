"""How surely is each value recorded? Points of care, repeat recordings, agreement, self-report.

Domain notes, section 7. A value that is merely copied from contact to contact is no independent recording;
where the extract has neither a recorded date nor a source, the table says that this cannot be told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from equitydata.rulebook import Rulebook
from equitydata.tables import (
    AGREEMENT_TABLE,
    OBSERVED_TABLE,
    POINTS_TABLE,
    SWAPS_TABLE,
    VERIFICATION_TABLE,
    shape,
    with_shares,
)

NOT_KNOWN_LABEL = "Not known"
NO_GROUP_LABEL = "Other"
MOST_SWAPS = 15
COPIED = (
    "The extract has neither a recorded date nor a source for this field, so copies of one recording cannot "
    "be told from new ones."
)
UNCOMPARED = "The field has too many categories for its recordings to be compared."


def points_table(
    counts: pd.DataFrame, places: Sequence[str], labels: Mapping[str, str], rulebook: Rulebook
) -> pd.DataFrame:
    """Points of care and how many of their people have a value there. Shape: POINTS_TABLE."""
    names = [column.removesuffix("|known") for column in counts.columns if column.endswith("|known")]
    frames = [
        pd.DataFrame(
            {
                "characteristic": name,
                "label": labels[name],
                "point_of_care": counts["number"].map(dict(enumerate(places))),
                "numerator": counts[f"{name}|known"],
                "denominator": counts["people"],
            }
        )
        for name in names
    ]
    if not frames:
        return shape(pd.DataFrame(columns=list(POINTS_TABLE.columns)), POINTS_TABLE)
    table = with_shares(pd.concat(frames, ignore_index=True), confidence=rulebook.value("confidence"))
    # A blank in the point-of-care column is not a point of care.
    named = table["point_of_care"] != places[0]
    return shape(
        table.assign(filled=(table["value"] >= rulebook.value("point_of_care_share")) & named), POINTS_TABLE
    )


def repeat_rows(
    repeats: pd.DataFrame, *, groups: Sequence[str], can_tell: bool, several_points: bool
) -> pd.DataFrame:
    """Repeat and independent recordings, and their agreement, of one field.

    repeats : as counted by `count_repeats`.
    groups : the group of each category number.
    can_tell : the extract has a recorded date or a source.
    several_points : the extract has two or more points of care; else repeat contacts are judged.
    Returns measure, numerator, denominator, note.
    """
    people = repeats["people"]
    seen_again = repeats["contacts"] == 2
    recorded_again = repeats["recordings"] == 2
    independent = recorded_again & repeats["moments"]
    note = ""
    if several_points:
        independent &= repeats["points"]
    else:
        note = "One point of care: judged on repeat contacts on different days. "
    note = (note + ("" if can_tell else COPIED)).strip()
    detailed, grouped = agreeing(repeats["mask"], groups)
    compared = independent & (repeats["mask"] != 0)
    # A person with two known recordings has a mask, unless masks were not kept at all.
    agreement_note = note if people[compared].sum() or not people[independent].sum() else UNCOMPARED
    rows = [
        ("repeated", people[recorded_again].sum(), people[seen_again].sum(), "People seen twice or more."),
        ("independent", people[independent].sum(), people[seen_again].sum(), note),
        ("agree_detailed", people[compared & detailed].sum(), people[compared].sum(), agreement_note),
        ("agree_group", people[compared & grouped].sum(), people[compared].sum(), agreement_note),
    ]
    return pd.DataFrame(rows, columns=["measure", "numerator", "denominator", "note"]).assign(unit="people")


def agreeing(masks: pd.Series, groups: Sequence[str]) -> tuple[pd.Series, pd.Series]:
    """Whether the categories of each bit mask are one category, and one group.

    masks : bit n is set where the category of number n was recorded.
    groups : the group of each category number; a category without one ("") agrees with itself alone.
    A broad category agrees with any category of its group at group level only.
    """
    bits = _bits(masks, len(groups))
    detailed = bits.sum(axis=1) == 1
    names = np.array([group or f"category {number}" for number, group in enumerate(groups)], dtype=object)
    in_group = np.stack([bits[:, names == name].any(axis=1) for name in sorted(set(names))])
    return pd.Series(detailed, index=masks.index), pd.Series(in_group.sum(axis=0) == 1, index=masks.index)


def _bits(masks: pd.Series, width: int) -> np.ndarray:
    numbers = masks.to_numpy(dtype="int64")[:, None]
    return ((numbers >> np.arange(width)) & 1).astype(bool)


def source_rows(sources: pd.DataFrame | None, known: int, *, all_self: bool | None) -> pd.DataFrame:
    """Who gave the known values of one field. Returns measure, numerator, denominator, note, unit.

    sources : records by source kind; None where the extract has no source column.
    known : records with a known value.
    all_self : what the service file says of every value of the column, if anything.
    """
    if sources is None and all_self is None:
        return pd.DataFrame(columns=["measure", "numerator", "denominator", "note", "unit"])
    if sources is None:
        note = "The service file says who gave every value of this column."
        counts = {"self-reported": known if all_self else 0, "proxy": 0}
        counts["another source"], counts["not recorded"] = (0 if all_self else known), 0
    else:
        note = ""
        counts = dict(zip(sources["source"], sources["records"], strict=True))
    names = {
        "self_reported": "self-reported",
        "proxy": "proxy",
        "other_source": "another source",
        "no_source": "not recorded",
    }
    rows = [(measure, counts[kind], known, note, "records") for measure, kind in names.items()]
    return pd.DataFrame(rows, columns=["measure", "numerator", "denominator", "note", "unit"])


def verification_table(
    rows: Mapping[str, pd.DataFrame], labels: Mapping[str, str], rulebook: Rulebook
) -> pd.DataFrame:
    """All verification measures of all fields. Shape: VERIFICATION_TABLE."""
    frames = [
        frame.assign(characteristic=name, label=labels[name]) for name, frame in rows.items() if len(frame)
    ]
    if not frames:
        return shape(pd.DataFrame(columns=list(VERIFICATION_TABLE.columns)), VERIFICATION_TABLE)
    table = pd.concat(frames, ignore_index=True)
    return shape(with_shares(table, confidence=rulebook.value("confidence")), VERIFICATION_TABLE)


def agreement_rows(
    repeats: pd.DataFrame, *, name: str, groups: Sequence[str], several_points: bool
) -> pd.DataFrame:
    """Agreement by the group of the person's chosen value.

    repeats, groups, several_points : as in `repeat_rows`. Category number 0 is no known value.
    Returns characteristic, level, group, numerator, denominator.
    """
    independent = (repeats["recordings"] == 2) & repeats["moments"] & (repeats["mask"] != 0)
    if several_points:
        independent &= repeats["points"]
    here = repeats[independent]
    if here.empty:
        return pd.DataFrame(columns=["characteristic", "level", "group", "numerator", "denominator"])
    detailed, grouped = agreeing(here["mask"], groups)
    labels = [NOT_KNOWN_LABEL, *(group or NO_GROUP_LABEL for group in groups[1:])]
    own = here["category"].map(dict(enumerate(labels)))
    frames = []
    for level, agrees in (("detailed", detailed), ("group", grouped)):
        agreed = here["people"].where(agrees, 0)
        counts = pd.DataFrame({"group": own, "numerator": agreed, "denominator": here["people"]})
        frames.append(counts.groupby("group", sort=True).sum().reset_index().assign(level=level))
    return pd.concat(frames, ignore_index=True).assign(characteristic=name)


def agreement_table(
    frames: Sequence[pd.DataFrame], labels: Mapping[str, str], rulebook: Rulebook
) -> pd.DataFrame:
    """Agreement by group. Shape: AGREEMENT_TABLE.

    A group is flagged at group level where its agreement lies below the floor with its whole interval.
    """
    filled = [frame for frame in frames if len(frame)]
    if not filled:
        return shape(pd.DataFrame(columns=list(AGREEMENT_TABLE.columns)), AGREEMENT_TABLE)
    table = with_shares(pd.concat(filled, ignore_index=True), confidence=rulebook.value("confidence"))
    low = (table["level"] == "group") & (table["upper"] < rulebook.value("agreement_floor"))
    enough = table["denominator"] >= rulebook.value("minimum_people")
    table = table.assign(label=table["characteristic"].map(labels), flagged=low & enough)
    return shape(table, AGREEMENT_TABLE)


def swap_rows(repeats: pd.DataFrame, *, name: str, label: str, categories: Sequence[str]) -> pd.DataFrame:
    """Pairs of categories that the same people were recorded with. Shape: SWAPS_TABLE."""
    bits = _bits(repeats["mask"], len(categories))
    pairs = bits.sum(axis=1) == 2
    if not pairs.any():
        return shape(pd.DataFrame(columns=list(SWAPS_TABLE.columns)), SWAPS_TABLE)
    places = np.nonzero(bits[pairs])[1].reshape(-1, 2)
    names = np.array(categories, dtype=object)
    people = repeats.loc[pairs, "people"].to_numpy()
    frame = pd.DataFrame({"first": names[places[:, 0]], "second": names[places[:, 1]], "people": people})
    counted = frame.groupby(["first", "second"], sort=True)["people"].sum().reset_index()
    counted = counted.sort_values("people", ascending=False, kind="stable").head(MOST_SWAPS)
    return shape(counted.assign(characteristic=name, label=label), SWAPS_TABLE)


def observed_rows(
    observed: pd.DataFrame, *, name: str, label: str, group_of: Mapping[str, str]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The person's own group against the observer's, and their agreement.

    observed : records by own category and observed category.
    group_of : group of each category.
    Returns the table (shape OBSERVED_TABLE) and verification rows (observed_agrees).
    """
    groups = pd.DataFrame(
        {
            "own": _group_labels(observed["category"], group_of),
            "observed": _group_labels(observed["observed"], group_of),
            "records": observed["records"],
        }
    )
    table = groups.groupby(["own", "observed"], sort=True)["records"].sum().reset_index()
    both = table[(table["own"] != NOT_KNOWN_LABEL) & (table["observed"] != NOT_KNOWN_LABEL)]
    agrees = both.loc[both["own"] == both["observed"], "records"].sum()
    note = "The observer's value is compared and never stands in for the person's own."
    row = pd.DataFrame(
        [("observed_agrees", agrees, both["records"].sum(), note, "records")],
        columns=["measure", "numerator", "denominator", "note", "unit"],
    )
    return shape(table.assign(characteristic=name, label=label), OBSERVED_TABLE), row


def _group_labels(categories: pd.Series, group_of: Mapping[str, str]) -> pd.Series:
    """The group of each category; itself where no list names it, as in the table of categories."""
    labels = {name: group_of.get(name, name) or NO_GROUP_LABEL for name in categories.unique()}
    return categories.map(labels | {"": NOT_KNOWN_LABEL})
