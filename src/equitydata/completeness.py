"""How well is each characteristic recorded? Counts -> shares, by status, measure and group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from equitydata import codelists
from equitydata.model import Status
from equitydata.rulebook import Rulebook, characteristics, stratum_levels
from equitydata.sparse import (
    Grouping,
    Merged,
    SparseRule,
    listed_groupings,
    merge_sparse,
    merging_notes,
    shown_as,
    sparse_rule,
)
from equitydata.tables import (
    BREAKDOWN_TABLE,
    CATEGORIES_TABLE,
    COMPLETENESS_TABLE,
    NEEDS_TABLE,
    STATUSES_TABLE,
    shape,
    with_shares,
)

JOINT = "joint"
JOINT_LABEL = "Ethnicity and language together"
NOT_RECORDED = "Not recorded"
# A longer list of categories (several thousand languages) is shown as far as it is met.
MOST_LISTED = 100
FEW = "Others (few people each)"
UNITS = ("people", "records", "records_carried_back")
# Dimension -> the characteristics that it is made from. Who has an age band has an age: within its own dimension
# a characteristic is known for everyone of a named group and for nobody of "Not recorded", which shows nothing.
OWN_DIMENSION: Mapping[str, tuple[str, ...]] = {
    "age_band": ("age", "birth_date"),
    "sex": ("sex",),
    "deprivation": ("deprivation", "geography", "postcode"),
}
# Level of the table of categories -> the level of the strata that has the same groups.
LEVEL_OF_STRATA: Mapping[str, str] = {"detailed": "detailed", "group": "groups"}
# Kinds whose categories are listed in advance; the others (ages, areas) are shown as they are met.
LISTED_KINDS = ("coded", "flag", "decile")

# Domain notes, section 5.1: which statuses each measure counts.
MEASURES: Mapping[str, tuple[str, ...]] = {
    "populated": (Status.KNOWN, Status.UNSURE, Status.DECLINED, Status.NOT_KNOWN, Status.INVALID),
    "valid": (Status.KNOWN, Status.UNSURE, Status.DECLINED, Status.NOT_KNOWN),
    "asked": (Status.KNOWN, Status.UNSURE, Status.DECLINED),
    "known_or_declined": (Status.KNOWN, Status.DECLINED),
    "known": (Status.KNOWN,),
}


def status_table(statuses: pd.DataFrame, labels: Mapping[str, str]) -> pd.DataFrame:
    """The statuses of every characteristic, with labels. Shape: STATUSES_TABLE."""
    return shape(statuses.assign(label=statuses["characteristic"].map(labels)), STATUSES_TABLE)


def completeness_table(
    statuses: pd.DataFrame,
    joint: pd.DataFrame | None,
    detail: pd.DataFrame,
    labels: Mapping[str, str],
    rulebook: Rulebook,
) -> pd.DataFrame:
    """Every measure of domain notes 5.1, over people and records. Shape: COMPLETENESS_TABLE.

    statuses : as counted by `count_statuses`.
    joint : people by the statuses of ethnicity and language together, or None where one is not mapped.
    detail : people by characteristic, measure (detailed, specific), as given by `detail_counts`.
    Values that do not apply to the person leave numerator and denominator.
    """
    applicable = statuses[statuses["status"] != Status.NOT_APPLICABLE]
    denominators = applicable.groupby("characteristic", sort=False)[list(UNITS)].sum()
    frames = []
    for measure, counted in MEASURES.items():
        met = applicable[applicable["status"].isin(counted)]
        numerators = met.groupby("characteristic")[list(UNITS)].sum()
        numerators = numerators.reindex(denominators.index, fill_value=0)
        frames.append(_long(numerators, denominators).assign(measure=measure))
    everyone = denominators["people"].rename("denominator").reset_index()
    frames.append(detail.assign(unit="people").merge(everyone, on="characteristic", validate="many_to_one"))
    if joint is not None:
        frames.append(_joint_measures(joint))
    table = pd.concat([frame for frame in frames if len(frame)], ignore_index=True)
    order = {name: number for number, name in enumerate((JOINT, *labels))}
    rank = {name: number for number, name in enumerate((*MEASURES, "detailed", "specific"))}
    table = table.assign(label=table["characteristic"].map({**labels, JOINT: JOINT_LABEL}))
    table = table.sort_values(
        ["characteristic", "measure", "unit"],
        key=lambda column: column.map({**order, **rank, **{unit: n for n, unit in enumerate(UNITS)}}),
        kind="stable",
    )
    return shape(with_shares(table, confidence=rulebook.value("confidence")), COMPLETENESS_TABLE)


def _long(numerators: pd.DataFrame, denominators: pd.DataFrame) -> pd.DataFrame:
    """One row per characteristic and unit: characteristic, unit, numerator, denominator."""
    parts = {"numerator": numerators, "denominator": denominators}
    melted = [
        wide.rename_axis("characteristic")
        .reset_index()
        .melt("characteristic", var_name="unit", value_name=name)
        for name, wide in parts.items()
    ]
    return melted[0].merge(melted[1], on=["characteristic", "unit"], validate="one_to_one")


def _joint_measures(joint: pd.DataFrame) -> pd.DataFrame:
    applies = (joint["first"] != Status.NOT_APPLICABLE) & (joint["second"] != Status.NOT_APPLICABLE)
    here = joint[applies]
    rows = []
    for measure in ("known", "known_or_declined"):
        counted = MEASURES[measure]
        both = here["first"].isin(counted) & here["second"].isin(counted)
        rows.append((JOINT, measure, "people", here.loc[both, "people"].sum(), here["people"].sum()))
    return pd.DataFrame(rows, columns=["characteristic", "measure", "unit", "numerator", "denominator"])


def detail_counts(categories: pd.DataFrame) -> pd.DataFrame:
    """People known at a detailed level, and at a detailed and specific one, per characteristic.

    categories : as counted by `count_categories`.
    Returns characteristic, measure, numerator. A category that no list names is taken as detailed.
    """
    rows = []
    for name, frame in categories.groupby("characteristic", sort=False):
        listed = codelists.categories(str(name))
        broad = listed.loc[listed["detail"] == "broad", "category"]
        residual = listed.loc[listed["residual"] == 1, "category"]
        detailed = frame["people"].where(~frame["category"].isin(broad), 0)
        specific = detailed.where(~frame["category"].isin(residual), 0)
        rows += [(name, "detailed", detailed.sum()), (name, "specific", specific.sum())]
    return pd.DataFrame(rows, columns=["characteristic", "measure", "numerator"])


# ---------------------------------------------------------------- by group


def breakdown_table(
    counts: Mapping[tuple[str, str], pd.DataFrame], labels: Mapping[str, str], rulebook: Rulebook
) -> pd.DataFrame:
    """Known share of every characteristic by group. Shape: BREAKDOWN_TABLE.

    counts : (dimension, unit) -> frame of group, order, and `<characteristic>|known` and `|applicable`.
    A group is flagged where its share lies so far below the whole and its interval lies below the whole too.
    "Not recorded" is no group that anyone can act on, and a characteristic says nothing within its own
    dimension (`OWN_DIMENSION`): neither is flagged.
    """
    frames = [_melt(frame).assign(by=by, unit=unit) for (by, unit), frame in counts.items() if len(frame)]
    if not frames:
        return shape(pd.DataFrame(columns=list(BREAKDOWN_TABLE.columns)), BREAKDOWN_TABLE)
    table = with_shares(pd.concat(frames, ignore_index=True), confidence=rulebook.value("confidence"))
    sums = table.groupby(["characteristic", "by", "unit"])[["numerator", "denominator"]].transform("sum")
    whole = sums["numerator"] / sums["denominator"].where(sums["denominator"] > 0)
    # 0.8 - 0.9 misses 0.1 by a rounding error of 1e-17.
    gap = (whole - table["value"]).round(9)
    enough = table["denominator"] >= rulebook.value("minimum_people")
    flagged = (gap >= rulebook.value("gap_flag")) & (table["upper"] < whole) & enough & _can_be_flagged(table)
    table = table.assign(label=table["characteristic"].map({**labels, JOINT: JOINT_LABEL}), flagged=flagged)
    return shape(table, BREAKDOWN_TABLE)


def _can_be_flagged(table: pd.DataFrame) -> pd.Series:
    own = pd.Series(False, index=table.index)
    for dimension, names in OWN_DIMENSION.items():
        own |= (table["by"] == dimension) & table["characteristic"].isin(names)
    return ~own & (table["group"] != NOT_RECORDED)


def _melt(frame: pd.DataFrame) -> pd.DataFrame:
    """Wide counts -> one row per group and characteristic."""
    keys = ["group", "order"]
    names = [column.removesuffix("|known") for column in frame.columns if column.endswith("|known")]
    parts = [
        frame[keys].assign(
            characteristic=name,
            numerator=frame[f"{name}|known"].to_numpy(),
            denominator=frame[f"{name}|applicable"].to_numpy(),
        )
        for name in names
    ]
    return pd.concat(parts, ignore_index=True)


def fold(frame: pd.DataFrame, groups: pd.Series, order: Sequence[str] | None = None) -> pd.DataFrame:
    """Counts by a staged number -> counts by group.

    groups : the group of each row of the frame. order : groups in order; those that it does not name follow by
    name, and "Not recorded" comes last, so that nobody is left out.
    """
    names = groups.astype("object").where(groups.notna() & (groups != ""), NOT_RECORDED)
    folded = frame.drop(columns="number").groupby(names.to_numpy(), sort=True).sum()
    met = set(names) - {NOT_RECORDED}
    first = [name for name in order or () if name in met]
    last = [NOT_RECORDED] if NOT_RECORDED in set(names) else []
    folded = folded.loc[[*first, *sorted(met - set(first)), *last]].rename_axis("group").reset_index()
    return folded.assign(order=np.arange(1, len(folded) + 1))


def band_labels(lower_ends: Sequence[int], *, unit: str = "") -> list[str]:
    """Labels of bands from their lower ends: [0, 1, 5] -> "0", "1 to 4", "5 and over"."""
    ends = list(lower_ends)
    labels = []
    for low, high in zip(ends, [*ends[1:], None], strict=True):
        if high is None:
            labels.append(f"{low} and over")
        elif high == low + 1:
            labels.append(f"{low}")
        else:
            labels.append(f"{low} to {high - 1}")
    return [f"{label}{unit}" for label in labels]


def band(numbers: pd.Series, lower_ends: Sequence[int]) -> pd.Series:
    """The band of each number, by label; missing where the number is missing or below the first band."""
    values = pd.to_numeric(numbers, errors="coerce")
    cut = pd.cut(values, [*lower_ends, np.inf], right=False, labels=band_labels(lower_ends))
    return pd.Series(cut.astype("object"), index=numbers.index)


# ---------------------------------------------------------------- categories


def category_table(
    categories: pd.DataFrame,
    code_lists: Mapping[str, Sequence[str]],
    labels: Mapping[str, str],
    rulebook: Rulebook,
    *,
    keep: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """People in each category and group. Shape: CATEGORIES_TABLE.

    categories : as counted by `count_categories`.
    code_lists : names of the lists met in each characteristic.
    Categories that no code list in use names are shown as not collected, without a count. A category that
    the list names and nobody has is shown with 0. What a list outside the catalogue can hold (a service's own,
    an index of deprivation) is not known here, so every category counts as collected.
    Groups of few people are shown as one where the rules say so; keep : as of `merged_categories`.
    """
    merged = merged_categories(categories, code_lists, rulebook, keep=keep)
    frames = []
    for name, frame in categories.groupby("characteristic", sort=False):
        people = _people_of(str(name), frame, rulebook)
        frames += _category_levels(str(name), people, code_lists.get(str(name), ()), merged)
    if not frames:
        return shape(pd.DataFrame(columns=list(CATEGORIES_TABLE.columns)), CATEGORIES_TABLE)
    table = pd.concat(frames, ignore_index=True)
    table = table.assign(label=table["characteristic"].map(labels))
    return shape(with_shares(table, confidence=rulebook.value("confidence")), CATEGORIES_TABLE)


def few_together(people: pd.Series, least: float) -> dict[str, str]:
    """Category -> itself, or FEW for the extract's own words that fewer people share: a post could name who holds it.

    people : people by category.
    """
    return {str(name): str(name) if number >= least else FEW for name, number in people.items()}


def merged_categories(
    categories: pd.DataFrame,
    code_lists: Mapping[str, Sequence[str]],
    rulebook: Rulebook,
    *,
    keep: Mapping[str, str] | None = None,
) -> dict[tuple[str, str], tuple[Merged, ...]]:
    """(characteristic, level) -> groups of few people that the table of categories shows as one; none by default.

    categories, code_lists : as `category_table` takes them. keep : characteristic -> group that stays as it is.
    The groups are those of the strata, which follow the same roll-ups.
    """
    found: dict[tuple[str, str], tuple[Merged, ...]] = {}
    for each, frame in categories.groupby("characteristic", sort=False):
        name = str(each)
        rule = sparse_rule(rulebook, keep=[keep[name]] if keep and name in keep else [])
        if rule is None:
            continue
        people = _people_of(name, frame, rulebook)
        detailed, _ = _unmerged_levels(name, people, code_lists.get(name, ()))
        found |= _put_together(name, detailed, people, rule, rulebook)
    return {at: groups for at, groups in found.items() if groups}


def category_notes(
    categories: pd.DataFrame,
    code_lists: Mapping[str, Sequence[str]],
    labels: Mapping[str, str],
    rulebook: Rulebook,
    *,
    keep: Mapping[str, str] | None = None,
) -> tuple[str, ...]:
    """What the table of categories shows as one, in words; arguments as of `category_table`, names and no counts."""
    merged = merged_categories(categories, code_lists, rulebook, keep=keep)
    called = {
        (name, level): str(stratum_levels(name).get(LEVEL_OF_STRATA[level], {}).get("label", ""))
        for name, level in merged
    }
    return merging_notes(merged, labels, called)


def _put_together(
    name: str, detailed: pd.DataFrame, people: pd.Series, rule: SparseRule, rulebook: Rulebook
) -> dict[tuple[str, str], tuple[Merged, ...]]:
    kind = _kind_of(name)
    if kind in LISTED_KINDS:
        made = merge_sparse(list(listed_groupings(name, detailed["category"]).values()), people, rule)
        return {(name, "detailed"): made["category"], (name, "group"): made.get("group", made["category"])}
    names = [str(each) for each in people.index]
    if kind == "age":
        groupings = _ages(names, rulebook.value("age_bands"))
    else:
        itself, things = dict(zip(names, names, strict=True)), "areas" if kind == "area" else "groups"
        groupings = [Grouping("detailed", itself, tuple(sorted(names)), things=things)]
    made = merge_sparse(groupings, people, rule)
    return {(name, level): made["detailed"] for level in ("detailed", "group")}


def _ages(ages: Sequence[str], ends: Sequence[int]) -> list[Grouping]:
    """Ages in years by themselves and in their bands; ages that came as bands stand for themselves."""
    years = pd.to_numeric(pd.Series(ages, dtype="object"), errors="coerce")
    order = tuple(ages[place] for place in np.argsort(years.fillna(np.inf).to_numpy(), kind="stable"))
    bands = dict(zip(ages, band(years, ends), strict=True))
    fold = {age: bands[age] if isinstance(bands[age], str) else age for age in order}
    itself = {age: age for age in order}
    return [
        Grouping("detailed", itself, order, ordered=True),
        Grouping("band", fold, tuple(dict.fromkeys(fold.values())), ordered=True),
    ]


def _kind_of(name: str) -> str:
    return characteristics()[name].kind if name in characteristics() else "coded"


def _people_of(name: str, frame: pd.DataFrame, rulebook: Rulebook) -> pd.Series:
    """People by category; the extract's own words that few people share are one."""
    people = frame.set_index("category")["people"]
    if _kind_of(name) == "own":
        together = few_together(people, rulebook.value("identifier_k"))
        people = people.groupby(people.index.map(together), sort=False).sum()
    return people


def _unmerged_levels(name: str, people: pd.Series, lists: Sequence[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Categories and groups with their people."""
    listed = codelists.categories(name)
    whole = _kind_of(name) in LISTED_KINDS and bool(lists) and len(listed) <= MOST_LISTED
    detailed = _listed_categories(listed, people, lists) if whole else _met_categories(people)
    groups = people.groupby(_groups(people.index, listed), sort=False).sum()
    return detailed, _met_categories(groups)


def _category_levels(
    name: str,
    people: pd.Series,
    lists: Sequence[str],
    merged: Mapping[tuple[str, str], Sequence[Merged]],
) -> list[pd.DataFrame]:
    detailed, groups = _unmerged_levels(name, people, lists)
    levels = {
        level: _as_merged(table, merged.get((name, level), ()))
        for level, table in {"detailed": detailed, "group": groups}.items()
    }
    return [
        table.assign(
            characteristic=name,
            level=level,
            denominator=int(people.sum()),
            order=np.arange(1, len(table) + 1),
        )
        for level, table in levels.items()
    ]


def _as_merged(table: pd.DataFrame, merged: Sequence[Merged]) -> pd.DataFrame:
    """The table with groups of few people as one, which stands where the first of them stood."""
    if not merged:
        return table
    names = shown_as(merged)
    together = table.assign(category=[names.get(each, each) for each in table["category"]])
    sums = {
        "collected": ("collected", "any"),
        "numerator": ("numerator", lambda people: people.sum(min_count=1)),
    }
    return together.groupby("category", sort=False).agg(**sums).reset_index()


def _met_categories(people: pd.Series) -> pd.DataFrame:
    return pd.DataFrame({"category": people.index, "collected": True, "numerator": people.to_numpy()})


def _listed_categories(listed: pd.DataFrame, people: pd.Series, lists: Sequence[str]) -> pd.DataFrame:
    """Every category of the list in its order, then those met that it does not name."""
    names = [*listed["category"], *sorted(set(people.index) - set(listed["category"]))]
    table = pd.DataFrame({"category": names})
    unlisted = set(lists) - set(codelists.catalogue()["code_list"])
    collected = set(names) if unlisted else codelists.collected_by(lists) | set(people.index)
    table["collected"] = table["category"].isin(collected)
    # A broad category is no gap of the list: it is shown only where someone has it.
    broad = set(listed.loc[listed["detail"] == "broad", "category"])
    table = table[~table["category"].isin(broad - set(people.index))]
    counts = pd.to_numeric(table["category"].map(people)).fillna(0)
    return table.assign(numerator=counts.where(table["collected"]))


def _groups(names: pd.Index, listed: pd.DataFrame) -> pd.Series:
    """The group of each category: itself where no list names it, "Other" where the list gives it none."""
    lookup = dict(zip(listed["category"], listed["group"], strict=True))
    return pd.Series([lookup.get(name, name) or "Other" for name in names], index=names)


# ---------------------------------------------------------------- who still needs a value


def needs_table(by_site: pd.DataFrame | None, labels: Mapping[str, str]) -> pd.DataFrame:
    """People without a known value by the site of their latest contact. Shape: NEEDS_TABLE."""
    if by_site is None or by_site.empty:
        return shape(pd.DataFrame(columns=list(NEEDS_TABLE.columns)), NEEDS_TABLE)
    melted = _melt(by_site)
    table = pd.DataFrame(
        {
            "characteristic": melted["characteristic"],
            "label": melted["characteristic"].map({**labels, JOINT: JOINT_LABEL}),
            "site": melted["group"],
            "people": melted["denominator"] - melted["numerator"],
        }
    )
    table = table.sort_values(["characteristic", "people"], ascending=[True, False], kind="stable")
    return shape(table, NEEDS_TABLE)
