"""How well is each characteristic recorded? Counts -> shares, by status, measure and group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from equitydata import codelists
from equitydata.model import Status
from equitydata.rulebook import Rulebook
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
UNITS = ("people", "records", "records_carried_back")

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
        numerators = applicable[applicable["status"].isin(counted)].groupby("characteristic")[list(UNITS)].sum()
        numerators = numerators.reindex(denominators.index, fill_value=0)
        frames.append(_long(numerators, denominators).assign(measure=measure))
    frames.append(detail.assign(unit="people").merge(denominators["people"].rename("denominator"), on="characteristic"))
    if joint is not None:
        frames.append(_joint_measures(joint))
    table = pd.concat(frames, ignore_index=True)
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
    stacked = numerators.stack().rename("numerator").to_frame()
    stacked["denominator"] = denominators.stack()
    stacked.index.names = ["characteristic", "unit"]
    return stacked.reset_index()


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
    Returns characteristic, measure, numerator; only for characteristics whose categories have levels.
    """
    rows = []
    for name, frame in categories.groupby("characteristic", sort=False):
        listed = codelists.categories(str(name))
        if "detail" not in listed.columns:
            continue
        by_name = listed.set_index("category")
        detail = frame["category"].map(by_name["detail"]).fillna("detailed")
        residual = frame["category"].map(by_name["residual"].astype(str)).fillna("0")
        detailed = frame["people"].where(detail != "broad", 0)
        specific = detailed.where(residual != "1", 0)
        rows += [(name, "detailed", detailed.sum()), (name, "specific", specific.sum())]
    return pd.DataFrame(rows, columns=["characteristic", "measure", "numerator"])


# ---------------------------------------------------------------- by group


def breakdown_table(
    counts: Mapping[tuple[str, str], pd.DataFrame], labels: Mapping[str, str], rulebook: Rulebook
) -> pd.DataFrame:
    """Known share of every characteristic by group. Shape: BREAKDOWN_TABLE.

    counts : (dimension, unit) -> frame of group, order, and `<characteristic>|known` and `|applicable`.
    A group is flagged where its share lies so far below the whole and its interval lies below the whole too.
    """
    frames = [_melt(frame).assign(by=by, unit=unit) for (by, unit), frame in counts.items() if len(frame)]
    if not frames:
        return shape(pd.DataFrame(columns=list(BREAKDOWN_TABLE.columns)), BREAKDOWN_TABLE)
    table = with_shares(pd.concat(frames, ignore_index=True), confidence=rulebook.value("confidence"))
    sums = table.groupby(["characteristic", "by", "unit"])[["numerator", "denominator"]].transform("sum")
    whole = sums["numerator"] / sums["denominator"].where(sums["denominator"] > 0)
    gap = table["value"] - whole
    enough = table["denominator"] >= rulebook.value("minimum_people")
    flagged = (gap <= -rulebook.value("gap_flag")) & (table["upper"] < whole) & enough
    table = table.assign(
        label=table["characteristic"].map({**labels, JOINT: JOINT_LABEL}), flagged=flagged.fillna(False)
    )
    return shape(table, BREAKDOWN_TABLE)


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

    groups : the group of each row of the frame. order : groups in order; sorted by name when left out.
    """
    names = groups.fillna(NOT_RECORDED).replace("", NOT_RECORDED)
    folded = frame.drop(columns="number").groupby(names.to_numpy(), sort=True).sum()
    wanted = [name for name in (order if order is not None else sorted(set(names) - {NOT_RECORDED})) if name in folded.index]
    wanted += [NOT_RECORDED] * (NOT_RECORDED in folded.index and NOT_RECORDED not in wanted)
    folded = folded.loc[wanted].rename_axis("group").reset_index()
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
) -> pd.DataFrame:
    """People in each category and group. Shape: CATEGORIES_TABLE.

    Categories that no code list in use names are shown as not collected, without a count. A category that
    the list names and nobody has is shown with 0.
    """
    frames = []
    for name, frame in categories.groupby("characteristic", sort=False):
        frames += _category_levels(str(name), frame, code_lists.get(str(name), ()))
    if not frames:
        return shape(pd.DataFrame(columns=list(CATEGORIES_TABLE.columns)), CATEGORIES_TABLE)
    table = pd.concat(frames, ignore_index=True)
    table = table.assign(label=table["characteristic"].map(labels))
    return shape(with_shares(table, confidence=rulebook.value("confidence")), CATEGORIES_TABLE)


def _category_levels(name: str, frame: pd.DataFrame, lists: Sequence[str]) -> list[pd.DataFrame]:
    known = int(frame["people"].sum())
    people = frame.set_index("category")["people"]
    listed = codelists.categories(name)
    level: dict[str, Any] = {"characteristic": name, "denominator": known}
    whole = "detail" in listed.columns and bool(lists) and len(listed) <= MOST_LISTED
    if whole:
        order = [*listed["category"], *sorted(set(people.index) - set(listed["category"]))]
        collected = set(codelists.collected_by(lists)) | set(people.index)
        detailed = pd.DataFrame({"category": order})
        detailed["collected"] = detailed["category"].isin(collected)
        # A broad category is no gap of the list: it is shown only where someone has it.
        broad = set(listed.loc[listed["detail"] == "broad", "category"])
        detailed = detailed[~detailed["category"].isin(broad - set(people.index))]
        counts = detailed["category"].map(people).fillna(0)
        detailed["numerator"] = counts.where(detailed["collected"])
    else:
        detailed = frame[["category"]].assign(collected=True, numerator=frame["people"].to_numpy())
    detailed = detailed.assign(level="detailed", order=np.arange(1, len(detailed) + 1), **level)
    if "group" not in listed.columns:
        return [detailed]
    groups = people.groupby(_groups(people.index, listed)).sum()
    grouped = pd.DataFrame({"category": groups.index, "numerator": groups.to_numpy(), "collected": True})
    return [detailed, grouped.assign(level="group", order=np.arange(1, len(grouped) + 1), **level)]


def _groups(names: pd.Index, listed: pd.DataFrame) -> pd.Series:
    lookup = listed.set_index("category")["group"]
    found = pd.Series(names, index=names).map(lookup)
    return found.fillna(pd.Series(names, index=names)).replace("", "Other")


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
