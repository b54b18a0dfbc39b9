"""Criteria -> the tier of each area, of the data domain, and what would lift it.

Domain notes, section 10.3: tiers are cumulative over core criteria; the data domain's is the lowest of its
three areas unless the rules say otherwise.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from equitydata.maturity.criteria import (
    MET,
    NOT_APPLICABLE,
    NOT_ASSESSED,
    NOT_MET,
    RESTS_ON_RECORDS,
    Evidence,
    Measured,
    criteria_table,
)
from equitydata.maturity.next_steps import next_steps
from equitydata.model import TIERS, Tier
from equitydata.rulebook import Rulebook
from equitydata.service import Attestation
from equitydata.shown import Shown
from equitydata.tables import AREAS_TABLE, shape

DATA_AREAS = ("QUAN", "QUAL", "ANAL")
NOTHING_MEASURED = "Nothing measured"


@dataclass(frozen=True)
class Maturity:
    """The maturity of a service: tables of criteria, areas and next steps, and the tier of the data domain.

    tier : the tier of the data domain (the lowest of its three areas, unless the rules say otherwise).
    tier_measured : the same without attestations: from measures, the log of runs and the register alone.
    tier_other_reading : the same with declined answers read the other way.
    """

    level: str
    tier: str
    tier_measured: str
    tier_other_reading: str
    matrix_tier: str
    criteria: pd.DataFrame
    areas: pd.DataFrame
    next_steps: pd.DataFrame


def rate_maturity(
    criteria: pd.DataFrame,
    measured: Measured | None,
    attestations: Mapping[str, Attestation],
    *,
    level: str,
    needs: pd.DataFrame,
    joint: pd.DataFrame | None,
    rulebook: Rulebook,
    as_of: datetime.date,
    rolled_up: Mapping[bool, Mapping[str, Evidence]] | None = None,
    needed: Mapping[str, int] | None = None,
    shown: Mapping[str, Shown] | None = None,
) -> Maturity:
    """Rate every criterion, area and the data domain.

    criteria : the matrix of one level. measured : None for a rating from attestations alone.
    needs : people without a known value by site. joint : people by both statuses.
    as_of : the day against which attestations lapse.
    rolled_up : for an organisation, what its services decide: whether declined answers count -> criterion id ->
        evidence. needed : criterion id -> how many more must meet it in these services.
    shown : what the log of runs or the register shows, where there is no extract to measure.
    """
    chosen = bool(rulebook.value("count_declined"))

    def rated(*, declined: bool) -> pd.DataFrame:
        return criteria_table(
            criteria,
            measured,
            attestations,
            rulebook,
            declined=declined,
            as_of=as_of,
            rolled_up=(rolled_up or {}).get(declined),
            shown=shown,
        )

    table, other = rated(declined=chosen), rated(declined=not chosen)
    table = table.assign(outcome_other_reading=other["outcome"])
    areas = area_table(table, criteria)
    data = areas[areas["data_domain"]]
    tier = overall_tier(data["tier"], rulebook)
    return Maturity(
        level=level,
        tier=tier,
        tier_measured=overall_tier(data["tier_measured"], rulebook),
        tier_other_reading=overall_tier(data["tier_other_reading"], rulebook),
        matrix_tier=overall_tier(areas["tier"], rulebook),
        criteria=table,
        areas=areas,
        next_steps=next_steps(table, areas, needs, joint, rulebook, needed=needed),
    )


# ---------------------------------------------------------------- tiers


def area_table(table: pd.DataFrame, criteria: pd.DataFrame) -> pd.DataFrame:
    """Tier of each area, cumulative over its core criteria. Shape: AREAS_TABLE.

    table : shape CRITERIA_TABLE. criteria : the matrix, for the step that an area belongs to.
    A criterion that does not apply is left out of the question; a tier of which none applies is not reached,
    as nothing shows it.
    """
    steps = criteria.drop_duplicates("area").set_index("area")["step"]
    rows = []
    for area, frame in table.groupby("area", sort=False):
        core = frame[(frame["required"] == "core") & (frame["outcome"] != NOT_APPLICABLE)]
        measured = core[core["evidence_type"] != "attested"]
        measured_outcome = measured["outcome"].where(
            measured["rests_on"].isin(RESTS_ON_RECORDS), NOT_ASSESSED
        )
        code = str(frame["criterion_id"].iloc[0]).split("-")[1]
        tier = area_tier(core["tier"], core["outcome"])
        reached = core["tier"].isin(TIERS[1 : TIERS.index(tier) + 1])
        rows.append(
            {
                "area_code": code,
                "area": area,
                "step": steps[area],
                "data_domain": code in DATA_AREAS,
                "tier": tier,
                "tier_measured": measured_tier(measured["tier"], measured_outcome),
                "tier_other_reading": area_tier(core["tier"], core["outcome_other_reading"]),
                "met": int((frame["outcome"] == MET).sum()),
                "not_met": int((frame["outcome"] == NOT_MET).sum()),
                "not_assessed": int((frame["outcome"] == NOT_ASSESSED).sum()),
                "criteria": len(frame),
                "rests_on_attestation": bool(reached.any())
                and not core.loc[reached, "rests_on"].isin(RESTS_ON_RECORDS).any(),
            }
        )
    return shape(pd.DataFrame(rows), AREAS_TABLE)


def area_tier(tiers: pd.Series, outcomes: pd.Series) -> str:
    """The highest tier whose core criteria, and those of all lower tiers, are all met."""
    reached: str = Tier.WORKING_TOWARDS
    for tier in TIERS[1:]:
        here = outcomes[tiers == tier]
        if here.empty or not (here == MET).all():
            break
        reached = tier
    return reached


def measured_tier(tiers: pd.Series, outcomes: pd.Series) -> str:
    """The tier that is reached without attestations; attested criteria are left out of the question."""
    if outcomes.empty or (outcomes == NOT_ASSESSED).all():
        return NOTHING_MEASURED
    reached: str = Tier.WORKING_TOWARDS
    for tier in TIERS[1:]:
        here = outcomes[tiers == tier]
        if not here.empty and not (here == MET).all():
            break
        if not here.empty:
            reached = tier
    return reached


def overall_tier(tiers: pd.Series, rulebook: Rulebook) -> str:
    """One tier from several: the lowest, the median (rounded down), or none with `profile`.

    An area in which nothing was measured is left out of the tier from measures alone.
    """
    rule = rulebook.value("tier_rule")
    if rule == "profile":
        return "Profile only"
    ranks = sorted(TIERS.index(tier) for tier in tiers if tier != NOTHING_MEASURED)
    if not ranks:
        return NOTHING_MEASURED if len(tiers) else Tier.WORKING_TOWARDS
    return TIERS[ranks[0] if rule == "lowest" else ranks[(len(ranks) - 1) // 2]]
