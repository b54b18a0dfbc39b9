"""Figures, flags and attestations -> every criterion met, not met or not assessed -> tiers -> what would lift them.

Domain notes, section 10. Not assessed never counts as met. A measured criterion that could not be measured
may be attested, and is then marked as resting on attestation; where it was measured, the measure decides.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import pandas as pd

from equitydata.model import TIERS, Tier
from equitydata.rulebook import CriterionCheck, Rulebook, characteristics, criterion_checks
from equitydata.service import Attestation
from equitydata.tables import AREAS_TABLE, CRITERIA_TABLE, STEPS_TO_LIFT_TABLE, shape

MET, NOT_MET, NOT_ASSESSED, NOT_APPLICABLE = "met", "not met", "not assessed", "not applicable"
DATA_AREAS = ("QUAN", "QUAL", "ANAL")
NOTHING_MEASURED = "Nothing measured"
READINGS = {False: "known", True: "known_or_declined"}
STEPS_SHOWN = 3
DAYS_A_MONTH = 365.25 / 12


@dataclass(frozen=True)
class Evidence:
    """What a criterion's decision rests on, beside its figure."""

    outcome: str
    rests_on: str = ""
    figure: Mapping[str, Any] = field(default_factory=dict)
    threshold: Any = None
    evidence: str = ""
    owner: str = ""
    date: date | None = None
    link: str = ""
    review: date | None = None
    reason: str = ""


@dataclass(frozen=True)
class Measured:
    """All that the measured criteria are decided from.

    figures : shape FIGURES_TABLE. flags : shape FLAGS_TABLE. residual : the residual share against the Census,
    None where the area or the ethnicity is unknown. identifiers : what the identifier scan found.
    """

    figures: pd.DataFrame
    flags: pd.DataFrame
    residual: Mapping[str, float] | None
    identifiers: Mapping[str, Any]
    not_relevant: Sequence[str]


@dataclass(frozen=True)
class Maturity:
    """The maturity of a service: tables of criteria, areas and next steps, and the tier of the data domain.

    tier : the tier of the data domain (the lowest of its three areas, unless the rules say otherwise).
    tier_measured : the same from measured criteria alone.
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
    as_of: date,
) -> Maturity:
    """Rate every criterion, area and the data domain.

    criteria : the matrix of one level. measured : None for a rating from attestations alone.
    needs : people without a known value by site. joint : people by both statuses.
    as_of : the day against which attestations lapse.
    """
    chosen = bool(rulebook.value("count_declined"))
    table = criteria_table(criteria, measured, attestations, rulebook, declined=chosen, as_of=as_of)
    other = criteria_table(criteria, measured, attestations, rulebook, declined=not chosen, as_of=as_of)
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
        next_steps=next_steps(table, areas, needs, joint, rulebook),
    )


# ---------------------------------------------------------------- criteria


def criteria_table(
    criteria: pd.DataFrame,
    measured: Measured | None,
    attestations: Mapping[str, Attestation],
    rulebook: Rulebook,
    *,
    declined: bool,
    as_of: date,
) -> pd.DataFrame:
    """Every criterion with its outcome and evidence. Shape: CRITERIA_TABLE.

    declined : True where a declined answer counts as collected.
    """
    checks = criterion_checks()
    rows = []
    for row in criteria.to_dict("records"):
        identity = row["criterion_id"]
        found = Evidence(NOT_ASSESSED, reason=_unasked(row))
        if identity in checks:
            found = _measure(checks[identity], measured, rulebook, declined=declined)
        if found.outcome == NOT_ASSESSED and identity in attestations:
            found = _attested(attestations[identity], rulebook, as_of=as_of)
        rows.append({**row, **_flat(found)})
    table = pd.DataFrame(rows).fillna({"required": "core"})
    table["outcome_other_reading"] = table["outcome"]
    return shape(table, CRITERIA_TABLE)


def _unasked(row: Mapping[str, Any]) -> str:
    if row["evidence_type"] == "attested":
        return "No attestation. What it takes: " + str(row["how_measured"]) + "."
    return "An organisation's effect criteria roll up from its services; until then they can be attested."


def _flat(found: Evidence) -> dict[str, Any]:
    figure = found.figure
    return {
        "outcome": found.outcome,
        "rests_on": found.rests_on,
        "figure": figure.get("figure", ""),
        "numerator": figure.get("numerator"),
        "denominator": figure.get("denominator"),
        "value": figure.get("value"),
        "lower": figure.get("lower"),
        "upper": figure.get("upper"),
        "unit": figure.get("unit", ""),
        "threshold": found.threshold,
        "evidence": found.evidence,
        "owner": found.owner,
        "date": found.date.isoformat() if found.date else "",
        "link": found.link,
        "review": found.review.isoformat() if found.review else "",
        "reason": found.reason,
    }


def _attested(attestation: Attestation, rulebook: Rulebook, *, as_of: date) -> Evidence:
    shown: dict[str, Any] = {
        "evidence": attestation.evidence,
        "owner": attestation.owner,
        "date": attestation.date,
        "link": attestation.link,
        "review": attestation.review,
    }
    if attestation.not_applicable:
        return Evidence(NOT_APPLICABLE, "attested", **shown)
    if attestation.date > as_of:
        return Evidence(NOT_ASSESSED, **shown, reason="The attestation is dated after the day of the rating.")
    months = rulebook.value("attestation_lapse_months")
    if (as_of - attestation.date).days > months * DAYS_A_MONTH:
        return Evidence(NOT_ASSESSED, **shown, reason=f"The attestation is older than {months} months and has lapsed.")
    reason = "" if attestation.met else "Attested as not met."
    return Evidence(MET if attestation.met else NOT_MET, "attested", **shown, reason=reason)


def _measure(
    check: CriterionCheck, measured: Measured | None, rulebook: Rulebook, *, declined: bool
) -> Evidence:
    if check.check == "later":
        return Evidence(NOT_ASSESSED, reason=f"It is computed from {check.needs}, which this version does not make yet.")
    if measured is None:
        return Evidence(NOT_ASSESSED, reason="No extract was audited.")
    decide: dict[str, Callable[[], Evidence]] = {
        "share": lambda: _share(check, measured.figures, rulebook, declined=declined),
        "points": lambda: _points(check, measured.figures, rulebook),
        "every": lambda: _every(check, measured, rulebook),
        "any": lambda: _any(check, measured.figures, rulebook),
        "no_flag": lambda: _no_flag(check, measured, rulebook),
        "identifiers": lambda: _identifiers(measured.identifiers, rulebook),
    }
    return decide[check.check]()


def _figure(figures: pd.DataFrame, name: str) -> dict[str, Any]:
    return figures.loc[figures["figure"] == name].iloc[0].to_dict()


def _passes(value: float, threshold: float, compare: str) -> bool:
    return value > threshold if compare == "more_than" else value >= threshold


def _judge(figure: Mapping[str, Any], check: CriterionCheck, rulebook: Rulebook, words: str = "") -> Evidence:
    threshold = rulebook.value(check.threshold)
    if not figure["measured"]:
        return Evidence(NOT_ASSESSED, threshold=threshold, reason=str(figure["reason"]))
    fewest = rulebook.value("minimum_people")
    if not figure["denominator"] >= fewest:
        reason = f"Too few to judge: fewer than {fewest} {figure['unit']}."
        return Evidence(NOT_ASSESSED, "", figure, threshold, reason=reason)
    sample = rulebook.value("sample")
    value = figure["lower"] if sample else figure["numerator"] / figure["denominator"]
    met = _passes(value, threshold, check.compare)
    evidence = words or str(figure["label"]) + (" (lower limit, as the extract is a sample)" if sample else "")
    return Evidence(MET if met else NOT_MET, "measured", figure, threshold, evidence=evidence)


def _share(check: CriterionCheck, figures: pd.DataFrame, rulebook: Rulebook, *, declined: bool) -> Evidence:
    joint = bool(check.joint_figure and rulebook.value("joint"))
    name = (check.joint_figure if joint else check.figure).replace("{declined}", READINGS[declined])
    single = check.figure.replace("{declined}", READINGS[declined])
    figure = _figure(figures, name)
    words = str(figure["label"]) + ("; the joint share decides" if joint and name != single else "")
    return _judge(figure, check, rulebook, words)


def _points(check: CriterionCheck, figures: pd.DataFrame, rulebook: Rulebook) -> Evidence:
    figure = _figure(figures, check.figure)
    if figure["measured"] and figure["unit"] == "points of care":
        wanted = rulebook.value(check.threshold)
        met = figure["numerator"] >= wanted
        return Evidence(MET if met else NOT_MET, "measured", figure, wanted, evidence=str(figure["label"]))
    repeat = CriterionCheck(check.criterion_id, "share", threshold="point_of_care_share", lift=check.lift)
    return _judge(figure, repeat, rulebook)


def _family(figures: pd.DataFrame, family: str) -> pd.DataFrame:
    return figures[figures["family"] == family]


def _every(check: CriterionCheck, measured: Measured, rulebook: Rulebook) -> Evidence:
    """The worst of the mapped fields decides; a field that is not mapped must be said to be irrelevant."""
    labels = {f"{name}_known": kind.label for name, kind in characteristics().items()}
    irrelevant = {f"{name}_known" for name in measured.not_relevant}
    family = _family(measured.figures, check.family)
    family = family[~family["figure"].isin(irrelevant)]
    mapped = family[family["measured"].astype(bool)]
    absent = [labels[name] for name in family.loc[~family["measured"].astype(bool), "figure"]]
    threshold = rulebook.value(check.threshold)
    if mapped.empty:
        return Evidence(NOT_ASSESSED, threshold=threshold, reason="None of these characteristics is mapped.")
    worst = mapped.sort_values("value", kind="stable").iloc[0].to_dict()
    judged = _judge(worst, check, rulebook, f"Worst of {len(mapped)} fields: {labels[worst['figure']]}")
    if judged.outcome == MET and absent:
        reason = f"Not mapped: {', '.join(absent)}. Map them, or name them under [service] not_relevant."
        return Evidence(NOT_ASSESSED, "", worst, threshold, judged.evidence, reason=reason)
    return judged


def _any(check: CriterionCheck, figures: pd.DataFrame, rulebook: Rulebook) -> Evidence:
    family = _family(figures, check.family)
    mapped = family[family["measured"].astype(bool)]
    threshold = rulebook.value(check.threshold)
    if mapped.empty:
        names = ", ".join(str(label).removeprefix("People with a known value of: ") for label in family["label"])
        return Evidence(NOT_ASSESSED, threshold=threshold, reason=f"None of these is mapped: {names}.")
    best = mapped.sort_values("value", ascending=False, kind="stable").iloc[0].to_dict()
    return _judge(best, check, rulebook)


def _no_flag(check: CriterionCheck, measured: Measured, rulebook: Rulebook) -> Evidence:
    if measured.residual is None:
        reason = "It needs the ethnicity of patients and the [service] area to compare with the Census."
        return Evidence(NOT_ASSESSED, reason=reason)
    use = dict(measured.residual)
    figure = {**use, "figure": check.figure, "unit": "people", "value": use["numerator"] / use["denominator"]}
    raised = (measured.flags["flag"] == check.flag).any()
    evidence = f"Share in 'any other' categories; {use['resident_share']:.1%} of residents"
    limit = use["resident_share"] * rulebook.value("residual_ratio")
    return Evidence(NOT_MET if raised else MET, "measured", figure, limit, evidence=evidence)


def _identifiers(found: Mapping[str, Any], rulebook: Rulebook) -> Evidence:
    """Direct identifiers left in the shared columns, and the smallest group over the quasi-identifiers."""
    wanted = rulebook.value("identifier_k")
    if not found.get("chosen"):
        words = "; ".join(found.get("columns", ())) or "none"
        reason = f"No [sharing] quasi_identifiers are named. Columns that look like direct identifiers: {words}."
        return Evidence(NOT_ASSESSED, threshold=wanted, reason=reason)
    if found["columns"]:
        reason = f"Columns that look like direct identifiers: {'; '.join(found['columns'])}."
        return Evidence(NOT_MET, "measured", threshold=wanted, evidence="Identifier scan", reason=reason)
    evidence = "No direct identifier found; smallest group over the quasi-identifiers"
    if found["smallest"] >= wanted:
        return Evidence(MET, "measured", threshold=wanted, evidence=f"{evidence} is {wanted} people or more")
    reason = "Some people stand in groups that are too small."
    return Evidence(NOT_MET, "measured", threshold=wanted, evidence=f"{evidence} is below {wanted}", reason=reason)


# ---------------------------------------------------------------- tiers


def area_table(table: pd.DataFrame, criteria: pd.DataFrame) -> pd.DataFrame:
    """Tier of each area, cumulative over its core criteria. Shape: AREAS_TABLE."""
    steps = criteria.drop_duplicates("area").set_index("area")["step"]
    rows = []
    for area, frame in table.groupby("area", sort=False):
        core = frame[(frame["required"] == "core") & (frame["outcome"] != NOT_APPLICABLE)]
        measured = core[core["evidence_type"] != "attested"]
        measured_outcome = measured["outcome"].where(measured["rests_on"] == "measured", NOT_ASSESSED)
        code = str(frame["criterion_id"].iloc[0]).split("-")[1]
        tier = area_tier(core["tier"], core["outcome"])
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
                "rests_on_attestation": tier != Tier.WORKING_TOWARDS and not (core["rests_on"] == "measured").any(),
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
    """The tier that measured criteria alone support; attested criteria are left out of the question."""
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
    """One tier from several: the lowest, the median (rounded down), or none with `profile`."""
    rule = rulebook.value("tier_rule")
    if rule == "profile":
        return "Profile only"
    ranks = sorted(TIERS.index(tier) if tier in TIERS else -1 for tier in tiers)
    if not ranks:
        return Tier.WORKING_TOWARDS
    rank = ranks[0] if rule == "lowest" else ranks[(len(ranks) - 1) // 2]
    return NOTHING_MEASURED if rank < 0 else TIERS[rank]


# ---------------------------------------------------------------- what would lift the tier


def next_steps(
    table: pd.DataFrame, areas: pd.DataFrame, needs: pd.DataFrame, joint: pd.DataFrame | None, rulebook: Rulebook
) -> pd.DataFrame:
    """What stands between the data domain and its next tier, in order of work. Shape: STEPS_TO_LIFT_TABLE.

    Measured criteria that are not met come first (people to reach are named), then those not assessed.
    """
    data = areas[areas["data_domain"]]
    ranks = data["tier"].map({tier: rank for rank, tier in enumerate(TIERS)})
    lowest = int(ranks.min()) if len(ranks) else 0
    if lowest + 1 >= len(TIERS):
        return shape(pd.DataFrame(columns=list(STEPS_TO_LIFT_TABLE.columns)), STEPS_TO_LIFT_TABLE)
    wanted = TIERS[1 : lowest + 2]
    behind = table[
        table["area"].isin(data.loc[ranks == lowest, "area"])
        & table["tier"].isin(wanted)
        & (table["required"] == "core")
        & table["outcome"].isin([NOT_MET, NOT_ASSESSED])
    ]
    rows = [_step(row, needs, joint, rulebook) for row in behind.to_dict("records")]
    steps = pd.DataFrame(rows, columns=[*STEPS_TO_LIFT_TABLE.columns])
    if steps.empty:
        return shape(steps, STEPS_TO_LIFT_TABLE)
    steps = _merge_joint(steps)
    order = steps["outcome"].map({NOT_MET: 0, NOT_ASSESSED: 1})
    steps = steps.assign(rank=order, few=steps["needed"].fillna(math.inf))
    steps = steps.sort_values(["rank", "few"], kind="stable")
    return shape(steps.assign(order=range(1, len(steps) + 1)), STEPS_TO_LIFT_TABLE)


def _step(row: Mapping[str, Any], needs: pd.DataFrame, joint: pd.DataFrame | None, rulebook: Rulebook) -> dict[str, Any]:
    check = criterion_checks().get(row["criterion_id"])
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
        "action": "",
    }
    if row["outcome"] == NOT_ASSESSED or check is None:
        step["action"] = f"{row['criterion']} {row['reason']}".strip()
        return step
    step["needed"] = shortfall(row["numerator"], row["denominator"], row["threshold"], check.compare, row["unit"])
    step["unit"], step["what"] = row["unit"], check.lift
    name = _lacking(str(row["figure"]))
    step["places"] = worst_places(needs, name)
    step["action"] = f"{row['evidence']}." + (f" {_which(joint)}" if name == "joint" else "")
    return step


def shortfall(numerator: Any, denominator: Any, threshold: Any, compare: str, unit: str) -> int | None:
    """How many more of the denominator must meet it for the criterion to pass; None where that is unknown."""
    if any(value is None or pd.isna(value) for value in (numerator, denominator, threshold)):
        return None
    if unit == "points of care":
        return max(0, int(threshold - numerator))
    # The product of a decimal share and a count can miss a whole number by a rounding error of 1e-12.
    wanted = round(threshold * denominator, 9)
    more = math.floor(wanted) + 1 if compare == "more_than" else math.ceil(wanted)
    return max(0, more - int(numerator))


def _lacking(figure: str) -> str:
    for reading in ("_known_or_declined", "_known"):
        if figure.endswith(reading):
            return figure.removesuffix(reading)
    return ""


def worst_places(needs: pd.DataFrame, name: str) -> str:
    """The two places with most people who lack a value, where they hold at least half of them."""
    here = needs[needs["characteristic"] == name]
    if here.empty or not here["people"].sum():
        return ""
    top = here.sort_values("people", ascending=False, kind="stable").head(2)
    share = top["people"].sum() / here["people"].sum()
    return f"{'most of them' if share >= 0.5 else 'most often'} at {' and '.join(top['site'].astype(str))}"


def _which(joint: pd.DataFrame | None) -> str:
    """Which of the two is lacking more often, in words."""
    if joint is None:
        return ""
    first = joint.loc[(joint["first"] != "known") & (joint["second"] == "known"), "people"].sum()
    second = joint.loc[(joint["first"] == "known") & (joint["second"] != "known"), "people"].sum()
    if first == second:
        return "Ethnicity and language are lacking equally often."
    return f"It is more often the {'ethnicity' if first > second else 'language'} that is lacking."


def _merge_joint(steps: pd.DataFrame) -> pd.DataFrame:
    """Criteria that the same joint figure decides are one step."""
    pair = steps[steps["criterion_id"].isin(["S-QUAN-F1", "S-QUAN-F2"]) & (steps["outcome"] == NOT_MET)]
    if len(pair) < 2 or pair["needed"].nunique() != 1 or not pair["action"].str.contains("joint").all():
        return steps
    merged = pair.iloc[0].to_dict()
    merged["criterion_id"] = ", ".join(pair["criterion_id"])
    merged["what"] = "both a known ethnicity and a known language"
    return pd.concat([pd.DataFrame([merged]), steps.drop(index=pair.index)], ignore_index=True)
