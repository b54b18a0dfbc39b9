"""The figures that criteria rest on: completeness and verification -> one row per figure.

A figure that cannot be measured is a row with its reason, never a gap and never 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from equitydata import codelists
from equitydata.completeness import JOINT, NOT_RECORDED
from equitydata.rulebook import Rulebook, characteristics
from equitydata.tables import FIGURES_TABLE, shape, with_shares

CORE = ("ethnicity", "language")
# Units beside people: a value of one field of one person, a cell of one record, and a place.
KNOWN_VALUES, RECORDED_VALUES, PLACES = "known values", "recorded values", "points of care"
_COLUMNS = ["figure", "label", "family", "unit", "numerator", "denominator", "measured", "reason"]


def figures_table(
    *,
    completeness: pd.DataFrame,
    categories: pd.DataFrame,
    codes: pd.DataFrame,
    verification: pd.DataFrame,
    points: pd.DataFrame,
    code_lists: Mapping[str, Sequence[str]],
    with_source: Sequence[str],
    mapped: Sequence[str],
    rulebook: Rulebook,
) -> pd.DataFrame:
    """Every figure. Shape: FIGURES_TABLE.

    code_lists : lists met in each characteristic, the most used first.
    with_source : characteristics whose values have a known source.
    mapped : characteristics of the extract.
    """
    rows = [
        *_core_known(completeness),
        *_other_known(completeness, mapped),
        _points_filled(points, verification),
        _core_self_reported(categories, with_source, mapped),
        _other_self_reported(categories, with_source, mapped),
        _core_valid(codes, mapped),
        _detailed(completeness, code_lists.get("ethnicity", ()), rulebook),
    ]
    table = pd.DataFrame(rows, columns=_COLUMNS)
    return shape(with_shares(table, confidence=rulebook.value("confidence")), FIGURES_TABLE)


def _measured(
    figure: str, label: str, unit: str, numerator: float, denominator: float, family: str = ""
) -> tuple:
    return (figure, label, family, unit, numerator, denominator, True, "")


def _unmeasured(figure: str, label: str, reason: str, family: str = "") -> tuple:
    return (figure, label, family, "", None, None, False, reason)


def _pick(completeness: pd.DataFrame, characteristic: str, measure: str) -> tuple[int, int] | None:
    found = completeness[
        (completeness["characteristic"] == characteristic)
        & (completeness["measure"] == measure)
        & (completeness["unit"] == "people")
    ]
    if found.empty:
        return None
    return int(found["numerator"].iloc[0]), int(found["denominator"].iloc[0])


def _core_known(completeness: pd.DataFrame) -> list[tuple]:
    rows = []
    labels = {"ethnicity": "ethnicity", "language": "language", JOINT: "ethnicity and language"}
    for name, words in labels.items():
        for measure, reading in (("known", "known"), ("known_or_declined", "known or declined")):
            figure, label = f"{name}_{measure}", f"People with {words} {reading}"
            counts = _pick(completeness, name, measure)
            if counts is None:
                absent = [core for core in CORE if _pick(completeness, core, "known") is None]
                reason = f"The service file maps no {' and no '.join(absent)}."
                rows.append(_unmeasured(figure, label, reason))
            else:
                rows.append(_measured(figure, label, "people", *counts))
    return rows


def _other_known(completeness: pd.DataFrame, mapped: Sequence[str]) -> list[tuple]:
    rows = []
    for name, kind in characteristics().items():
        if kind.core or name == "birth_date":
            continue
        counts = _pick(completeness, name, "known") if name in mapped else None
        label = f"People with a known value of: {kind.label}"
        if counts is None:
            rows.append(_unmeasured(f"{name}_known", label, "Not mapped in the service file.", kind.family))
        else:
            rows.append(_measured(f"{name}_known", label, "people", *counts, family=kind.family))
    return rows


def _points_filled(points: pd.DataFrame, verification: pd.DataFrame) -> tuple:
    """Points of care where the field can be checked, of the core field that has fewer.

    Where there is one point of care, repeat contacts are judged. A blank is no point of care.
    """
    label = "Points of care where at least half of the people seen have a value"
    if points.empty or set(points["characteristic"]) != set(CORE):
        return _unmeasured("points_of_care_filled", label, "Ethnicity and language are not both mapped.")
    named = points[points["point_of_care"] != NOT_RECORDED]
    every = named["point_of_care"].nunique()
    if every >= 2:
        filled = named.groupby("characteristic")["filled"].sum().min()
        return _measured("points_of_care_filled", label, PLACES, int(filled), every)
    repeats = verification[verification["measure"] == "independent"]
    repeats = repeats.assign(share=repeats["numerator"] / repeats["denominator"])
    label = "One point of care: people seen twice or more whose value was recorded on two days"
    if repeats["denominator"].sum() == 0:
        reason = "Nobody was seen twice, and there is one point of care."
        return _unmeasured("points_of_care_filled", label, reason)
    worst = repeats.sort_values("share").iloc[0]
    counts = int(worst["numerator"]), int(worst["denominator"])
    return _measured("points_of_care_filled", label, "people", *counts)


def _core_self_reported(categories: pd.DataFrame, with_source: Sequence[str], mapped: Sequence[str]) -> tuple:
    label = "Known ethnicity and language values that came from the person"
    absent = [name for name in CORE if name not in with_source]
    if absent:
        why = "is not mapped" if absent[0] not in mapped else "has no source column"
        reason = f"The {absent[0]} {why}, so it cannot be measured; it can be attested."
        return _unmeasured("core_self_reported", label, reason)
    here = categories[categories["characteristic"].isin(CORE)]
    counts = here["self_reported"].sum(), here["people"].sum()
    return _measured("core_self_reported", label, KNOWN_VALUES, *counts)


def _other_self_reported(
    categories: pd.DataFrame, with_source: Sequence[str], mapped: Sequence[str]
) -> tuple:
    label = "Known values of the other fields that came from the person"
    kinds = {name: kind for name, kind in characteristics().items() if name in mapped}
    wanted = [name for name, kind in kinds.items() if kind.self_reportable and not kind.core]
    if not set(wanted) & set(with_source):
        return _unmeasured(
            "other_self_reported", label, "No other field has a source column, so it can only be attested."
        )
    here = categories[categories["characteristic"].isin(wanted)]
    # A field without a source cannot be shown to be self-reported: its values count as not.
    own = here.loc[here["characteristic"].isin(with_source), "self_reported"].sum()
    return _measured("other_self_reported", label, KNOWN_VALUES, own, here["people"].sum())


def _core_valid(codes: pd.DataFrame, mapped: Sequence[str]) -> tuple:
    label = "Recorded ethnicity and language values that are valid in one named list each"
    wanted = [name for name in CORE if name in mapped]
    if not wanted:
        return _unmeasured("core_valid", label, "Neither ethnicity nor language is mapped.")
    valid = recorded = 0
    for name in wanted:
        here = codes[(codes["characteristic"] == name) & (codes["status"] != "missing")]
        recorded += int(here["records"].sum())
        in_list = here[(here["code_list"] != "") & (here["status"] != "invalid")]
        valid += int(in_list.groupby("code_list")["records"].sum().max()) if len(in_list) else 0
    return _measured("core_valid", label, RECORDED_VALUES, valid, recorded)


def _detailed(completeness: pd.DataFrame, lists: Sequence[str], rulebook: Rulebook) -> tuple:
    label = "People with a known ethnicity who have a detailed one"
    detailed, known = _pick(completeness, "ethnicity", "detailed"), _pick(completeness, "ethnicity", "known")
    if detailed is None or known is None:
        return _unmeasured("ethnicity_detailed", label, "The service file maps no ethnicity.")
    if not lists:
        return _unmeasured("ethnicity_detailed", label, "No value matches a code list.")
    entry = codelists.catalogue().set_index("code_list")
    if lists[0] not in entry.index:
        reason = "The values are coded by your own list; say by attestation whether it follows the Census."
        return _unmeasured("ethnicity_detailed", label, reason)
    row = entry.loc[lists[0]]
    suits = str(row["ons"]) == "yes" and (
        not rulebook.value("latest_census_only") or str(row["year"]) == "2021"
    )
    words = f"{label} ({row['title']}, {row['year']})"
    return _measured("ethnicity_detailed", words, "people", detailed[0] if suits else 0, known[0])
