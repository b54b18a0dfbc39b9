"""What stands between the data domain and its next tier, and how many people it takes."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from equitydata.completeness import NOT_RECORDED
from equitydata.figures import PLACES
from equitydata.maturity.criteria import (
    NOT_ASSESSED,
    NOT_MET,
    READINGS,
    SERVICES,
    as_rows,
    decisive_share,
    field_of,
    passes,
)
from equitydata.model import TIERS
from equitydata.rulebook import CriterionCheck, Rulebook, criterion_checks
from equitydata.tables import STEPS_TO_LIFT_TABLE, shape

ASK = "Ask at the next contact and record the answer."
ASK_THE_PERSON = "Ask the person, and record that the answer is their own."
# Figure -> what to do, where it is not to ask.
ACTIONS: Mapping[str, str] = {
    "points_of_care_filled": "Ask or confirm both wherever people are seen.",
    "core_self_reported": ASK_THE_PERSON,
    "other_self_reported": ASK_THE_PERSON,
    "core_valid": "Map local words to the list in the service file, or mend the codes where they are recorded.",
    "ethnicity_detailed": "Offer the detailed list wherever the question is asked.",
}


def next_steps(
    table: pd.DataFrame,
    areas: pd.DataFrame,
    needs: pd.DataFrame,
    joint: pd.DataFrame | None,
    rulebook: Rulebook,
    *,
    needed: Mapping[str, int] | None = None,
) -> pd.DataFrame:
    """What stands between the data domain and its next tier, in order of work. Shape: STEPS_TO_LIFT_TABLE.

    table : shape CRITERIA_TABLE. areas : shape AREAS_TABLE. needs : shape NEEDS_TABLE.
    joint : people by the statuses of ethnicity and language.
    needed : criterion id -> how many more must meet what an organisation's services decide.
    Criteria that are not met come first (people to reach are named), then those not assessed that a run, the log
    of runs or the register can show, then those that are attested.
    The words of a row make one sentence: "<needed> more <unit> need <what>, <places>. <action>".
    """
    behind = _decided_once(_behind(table, areas))
    rows = [_step(row, needs, joint, rulebook, needed or {}) for row in behind]
    steps = pd.DataFrame(rows, columns=[*STEPS_TO_LIFT_TABLE.columns])
    numbers = pd.to_numeric(steps["needed"]).astype("float64")
    rank = pd.Series([_rank(row) for row in behind], dtype="int64")
    steps = steps.assign(needed=numbers, rank=rank).sort_values(["rank", "needed"], kind="stable")
    return shape(steps.assign(order=range(1, len(steps) + 1)), STEPS_TO_LIFT_TABLE)


def _rank(row: Mapping[str, Any]) -> int:
    """Not met, then what the next run can show, then what is to be attested."""
    if row["outcome"] == NOT_MET:
        return 0
    return 2 if row["evidence_type"] == "attested" else 1


def _behind(table: pd.DataFrame, areas: pd.DataFrame) -> list[dict[str, Any]]:
    """Core criteria that keep the lowest data areas from their next tier."""
    data = areas[areas["data_domain"].astype(bool)]
    ranks = data["tier"].map({tier: rank for rank, tier in enumerate(TIERS)})
    lowest = int(ranks.min())
    return as_rows(
        table[
            table["area"].isin(data.loc[ranks == lowest, "area"])
            & table["tier"].isin(TIERS[1 : lowest + 2])
            & (table["required"] == "core")
            & table["outcome"].isin([NOT_MET, NOT_ASSESSED])
        ]
    )


def _decided_once(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The same rows; criteria that one joint figure keeps from being met become one row with all their ids."""
    merged: dict[str, dict[str, Any]] = {}
    for row in rows:
        joint = row["outcome"] == NOT_MET and str(row["figure"]).startswith("joint_")
        key = row["figure"] if joint else row["criterion_id"]
        if key in merged:
            merged[key]["criterion_id"] += f", {row['criterion_id']}"
        else:
            merged[key] = dict(row)
    return list(merged.values())


def _step(
    row: Mapping[str, Any],
    needs: pd.DataFrame,
    joint: pd.DataFrame | None,
    rulebook: Rulebook,
    needed_by: Mapping[str, int],
) -> dict[str, Any]:
    first = str(row["criterion_id"]).split(", ")[0]
    check = criterion_checks().get(first)
    step: dict[str, Any] = {
        "order": 0,
        "criterion_id": row["criterion_id"],
        "area": row["area"],
        "tier": row["tier"],
        "outcome": row["outcome"],
        "needed": None,
        "unit": "",
        "what": "",
        "places": "",
        "action": f"{row['criterion']} {row['reason']}".strip(),
    }
    if check is None or row["outcome"] != NOT_MET or not row["unit"]:
        return step
    if row["rests_on"] == SERVICES:
        if first not in needed_by:
            return step
        needed: int | None = needed_by[first]
    elif row["rests_on"] == "measured":
        needed = shortfall(row, check.compare, rulebook)
    else:
        return step
    if needed is None:
        too_small = "The sample is too small to show it, even if all of it were known."
        return step | {"action": f"{row['criterion']} {too_small}"}
    return step | {
        "needed": needed,
        "unit": row["unit"],
        "what": _what(row, check),
        "places": worst_places(needs, _lacking(str(row["figure"]))),
        "action": _action(row, joint),
    }


def _what(row: Mapping[str, Any], check: CriterionCheck) -> str:
    """What each of those needed lacks, to be read after "more people need"."""
    figure, words = str(row["figure"]), check.lift
    if figure.startswith("joint_"):
        words = "both a known ethnicity and a known language"
    elif check.check in ("every", "any"):
        label = field_of(row)
        words = f"{words} for {label[0].lower()}{label[1:]}"
    elif check.check == "points" and row["unit"] != PLACES:
        words = "an ethnicity and a language that are recorded on two different days"
    if figure.endswith(READINGS[True]):
        words = words.replace("a known", "a known or declined")
    return words


def _action(row: Mapping[str, Any], joint: pd.DataFrame | None) -> str:
    figure = str(row["figure"])
    told = row["rests_on"] == SERVICES or not figure.startswith("joint_")
    which = str(row["reason"]) if told else _which(joint, figure)
    return f"{which} {ACTIONS.get(figure, ASK)}".strip()


def shortfall(row: Mapping[str, Any], compare: str, rulebook: Rulebook) -> int | None:
    """How many more must meet a criterion for it to pass: the fewest that do, less those that do so already.

    row : numerator, denominator, threshold and unit, as in CRITERIA_TABLE. compare : at_least or more_than.
    None where it would not pass even if all of them did, as in a small sample.
    """
    numerator, denominator, threshold = int(row["numerator"]), int(row["denominator"]), row["threshold"]
    if row["unit"] == PLACES:
        return max(0, int(threshold) - numerator)

    def enough(met: int) -> bool:
        return passes(decisive_share(met, denominator, rulebook), threshold, compare)

    if not enough(denominator):
        return None
    return max(0, bisect_left(range(denominator + 1), True, key=enough) - numerator)


def _lacking(figure: str) -> str:
    for reading in ("_known_or_declined", "_known"):
        if figure.endswith(reading):
            return figure.removesuffix(reading)
    return ""


def worst_places(needs: pd.DataFrame, name: str) -> str:
    """The two places with most people who lack a value, in words; "most of them" where they hold half or more.

    needs : shape NEEDS_TABLE. name : a characteristic, or joint. People whose place is not recorded are among
    the whole but name no place.
    """
    here = needs[needs["characteristic"] == name]
    named = here[(here["site"] != NOT_RECORDED) & (here["people"] > 0)]
    if named.empty:
        return ""
    top = named.sort_values("people", ascending=False, kind="stable").head(2)
    most = "most of them" if 2 * top["people"].sum() >= here["people"].sum() else "most often"
    return f"{most} at {' and '.join(top['site'].astype(str))}"


def _which(joint: pd.DataFrame | None, figure: str) -> str:
    """Which of the two is lacking more often, in words."""
    if joint is None:
        return ""
    counted = ["known", "declined"] if figure.endswith(READINGS[True]) else ["known"]
    applies = (joint["first"] != "not_applicable") & (joint["second"] != "not_applicable")
    joint = joint[applies]
    has_first, has_second = joint["first"].isin(counted), joint["second"].isin(counted)
    first, second = (int(joint.loc[lacking, "people"].sum()) for lacking in (~has_first, ~has_second))
    if first == second:
        return "Ethnicity and language are lacking equally often."
    return f"It is more often the {'ethnicity' if first > second else 'language'} that is lacking."
