"""Figures, flags and attestations -> every criterion met, not met or not assessed -> tiers -> what lifts them.

Domain notes, section 10. Not assessed never counts as met. A measured criterion that could not be measured
may be attested, and is then marked as resting on attestation; where it was measured, the measure decides.
"""

from __future__ import annotations

import datetime
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd

from equitydata.completeness import NOT_RECORDED
from equitydata.figures import PLACES
from equitydata.model import TIERS, Tier
from equitydata.rulebook import CriterionCheck, Rulebook, characteristics, criterion_checks
from equitydata.service import Attestation
from equitydata.stats.intervals import wilson
from equitydata.tables import AREAS_TABLE, CRITERIA_TABLE, STEPS_TO_LIFT_TABLE, shape, with_shares

MET, NOT_MET, NOT_ASSESSED, NOT_APPLICABLE = "met", "not met", "not assessed", "not applicable"
DATA_AREAS = ("QUAN", "QUAL", "ANAL")
NOTHING_MEASURED = "Nothing measured"
NUMBERS = ("numerator", "denominator", "value", "lower", "upper")
READINGS = {False: "known", True: "known_or_declined"}
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


@dataclass(frozen=True)
class Evidence:
    """What a criterion's decision rests on, beside its figure."""

    outcome: str
    rests_on: str = ""
    figure: Mapping[str, Any] = field(default_factory=dict)
    threshold: Any = None
    evidence: str = ""
    owner: str = ""
    date: datetime.date | None = None
    link: str = ""
    review: datetime.date | None = None
    reason: str = ""


@dataclass(frozen=True)
class Measured:
    """All that the measured criteria are decided from.

    figures : shape FIGURES_TABLE. flags : shape FLAGS_TABLE.
    residual : the residual share against the Census, None where the area or the ethnicity is unknown.
    identifiers : what the identifier scan found: chosen (quasi-identifiers are named), columns, smallest.
    not_relevant : protected characteristics that cannot matter to the service.
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
    as_of: datetime.date,
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
    as_of: datetime.date,
) -> pd.DataFrame:
    """Every criterion with its outcome and evidence. Shape: CRITERIA_TABLE.

    declined : True where a declined answer counts as collected.
    """
    checks = criterion_checks()
    rows = []
    for row in _records(criteria):
        identity = row["criterion_id"]
        found = Evidence(NOT_ASSESSED, reason=_unasked(row))
        if identity in checks:
            found = _measure(checks[identity], measured, rulebook, declined=declined)
        if found.outcome == NOT_ASSESSED and identity in attestations:
            found = _attested(attestations[identity], rulebook, as_of=as_of)
        rows.append({**row, **_flat(found)})
    table = pd.DataFrame(rows)
    numbers = {name: pd.to_numeric(table[name]).astype("float64") for name in NUMBERS}
    return shape(table.assign(**numbers, outcome_other_reading=table["outcome"]), CRITERIA_TABLE)


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(key): value for key, value in row.items()} for row in frame.to_dict("records")]


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


def _attested(attestation: Attestation, rulebook: Rulebook, *, as_of: datetime.date) -> Evidence:
    """What an attestation decides; one that is out of date decides nothing, that it does not apply included."""
    shown: dict[str, Any] = {
        "evidence": attestation.evidence,
        "owner": attestation.owner,
        "date": attestation.date,
        "link": attestation.link,
        "review": attestation.review,
    }
    if attestation.date > as_of:
        return Evidence(NOT_ASSESSED, **shown, reason="The attestation is dated after the day of the rating.")
    months = rulebook.value("attestation_lapse_months")
    if pd.Timestamp(attestation.date) + pd.DateOffset(months=months) < pd.Timestamp(as_of):
        reason = f"The attestation is older than {months} months and has lapsed."
        return Evidence(NOT_ASSESSED, **shown, reason=reason)
    if attestation.not_applicable:
        return Evidence(NOT_APPLICABLE, "attested", **shown)
    reason = "" if attestation.met else "Attested as not met."
    return Evidence(MET if attestation.met else NOT_MET, "attested", **shown, reason=reason)


def _measure(
    check: CriterionCheck, measured: Measured | None, rulebook: Rulebook, *, declined: bool
) -> Evidence:
    if check.check == "later":
        reason = f"It is computed from {check.needs}, which this version does not make yet."
        return Evidence(NOT_ASSESSED, reason=reason)
    if measured is None:
        return Evidence(NOT_ASSESSED, reason="No extract was audited.")
    decide: dict[str, Callable[[], Evidence]] = {
        "share": lambda: _share(check, measured.figures, rulebook, declined=declined),
        "points": lambda: _points(check, measured.figures, rulebook),
        "every": lambda: _every(check, measured, rulebook),
        "any": lambda: _any(check, measured, rulebook),
        "no_flag": lambda: _no_flag(check, measured, rulebook),
        "identifiers": lambda: _identifiers(measured.identifiers, rulebook),
    }
    return decide[check.check]()


def _figure(figures: pd.DataFrame, name: str) -> dict[str, Any]:
    return _records(figures[figures["figure"] == name])[0]


def decisive_share(numerator: float, denominator: float, rulebook: Rulebook) -> float:
    """The share that is held against a threshold.

    numerator, denominator : counts, the denominator above 0.
    Returns a fraction: the point value, or the lower Wilson limit where the extract is a sample.
    """
    if not rulebook.value("sample"):
        return numerator / denominator
    lower, _ = wilson([numerator], [denominator], confidence=rulebook.value("confidence"))
    return float(lower[0])


def _passes(value: float, threshold: float, compare: str) -> bool:
    return value > threshold if compare == "more_than" else value >= threshold


def _judge(figure: Mapping[str, Any], check: CriterionCheck, rulebook: Rulebook, words: str = "") -> Evidence:
    threshold = rulebook.value(check.threshold)
    if not figure["measured"]:
        return Evidence(NOT_ASSESSED, threshold=threshold, reason=str(figure["reason"]))
    if not _enough(figure, rulebook):
        return Evidence(NOT_ASSESSED, "", figure, threshold, reason=_too_few(figure, rulebook))
    share = decisive_share(figure["numerator"], figure["denominator"], rulebook)
    evidence = words or str(figure["label"])
    if rulebook.value("sample"):
        evidence += " (lower limit, as the extract is a sample)"
    if check.threshold == "majority_threshold":
        evidence += _beside(share, rulebook)
    met = _passes(share, threshold, check.compare)
    return Evidence(MET if met else NOT_MET, "measured", figure, threshold, evidence=evidence)


def _enough(figure: Mapping[str, Any], rulebook: Rulebook) -> bool:
    return bool(figure["denominator"] >= max(1, rulebook.value("minimum_people")))


def _too_few(figure: Mapping[str, Any], rulebook: Rulebook) -> str:
    return f"Too few to judge: fewer than {rulebook.value('minimum_people')} {figure['unit']}."


def _beside(share: float, rulebook: Rulebook) -> str:
    """The other level: "more than half" is a choice, so it is shown beside the 95% of the core fields."""
    level = rulebook.value("completeness_threshold")
    return f"; {'also at' if share >= level else 'below'} {round(level * 100, 6):g}%"


def _share(check: CriterionCheck, figures: pd.DataFrame, rulebook: Rulebook, *, declined: bool) -> Evidence:
    joint = bool(check.joint_figure and rulebook.value("joint"))
    name = check.joint_figure if joint else check.figure
    figure = _figure(figures, name.replace("{declined}", READINGS[declined]))
    words = str(figure["label"]) + ("; the joint share decides" if joint else "")
    return _judge(figure, check, rulebook, words)


def _points(check: CriterionCheck, figures: pd.DataFrame, rulebook: Rulebook) -> Evidence:
    figure = _figure(figures, check.figure)
    if figure["measured"] and figure["unit"] == PLACES:
        wanted = rulebook.value(check.threshold)
        met = figure["numerator"] >= wanted
        return Evidence(MET if met else NOT_MET, "measured", figure, wanted, evidence=str(figure["label"]))
    repeat = CriterionCheck(check.criterion_id, "share", threshold="point_of_care_share", lift=check.lift)
    return _judge(figure, repeat, rulebook)


def _field(figure: Mapping[str, Any]) -> str:
    """Label of the characteristic that a figure such as sex_known is about."""
    return characteristics()[str(figure["figure"]).removesuffix("_known")].label


def _shares(
    figures: Sequence[Mapping[str, Any]], rulebook: Rulebook
) -> list[tuple[float, Mapping[str, Any]]]:
    """Decisive share and figure of each field, lowest first; those with too few people are left out."""
    enough = [figure for figure in figures if _enough(figure, rulebook)]
    shares = [(decisive_share(each["numerator"], each["denominator"], rulebook), each) for each in enough]
    return sorted(shares, key=lambda pair: pair[0])


def _family(check: CriterionCheck, measured: Measured) -> tuple[list[dict[str, Any]], list[str]]:
    """Figures of the mapped fields of a family, and labels of those that are relevant but not mapped."""
    irrelevant = [f"{name}_known" for name in measured.not_relevant]
    family = measured.figures[measured.figures["family"] == check.family]
    rows = _records(family[~family["figure"].isin(irrelevant)])
    return [row for row in rows if row["measured"]], [_field(row) for row in rows if not row["measured"]]


def _every(check: CriterionCheck, measured: Measured, rulebook: Rulebook) -> Evidence:
    """The worst of the mapped fields decides; a field that is not mapped must be said to be irrelevant."""
    mapped, absent = _family(check, measured)
    threshold = rulebook.value(check.threshold)
    if not mapped:
        return Evidence(NOT_ASSESSED, threshold=threshold, reason="None of these characteristics is mapped.")
    shares = _shares(mapped, rulebook)
    if not shares:
        return _judge(mapped[0], check, rulebook)
    left_out = [_field(each) for each in mapped if not _enough(each, rulebook)]
    words = f"Worst of {len(shares)} fields: {_field(shares[0][1])}"
    words += f"; too few people to judge: {', '.join(left_out)}" if left_out else ""
    judged = _judge(shares[0][1], check, rulebook, words)
    if judged.outcome == NOT_MET:
        short = [_field(each) for share, each in shares if not _passes(share, threshold, check.compare)]
        return replace(judged, reason=f"Too often not known: {', '.join(short)}.")
    if absent:
        reason = f"Not mapped: {', '.join(absent)}. Map them, or name them under [service] not_relevant."
        return replace(judged, outcome=NOT_ASSESSED, rests_on="", reason=reason)
    return judged


def _any(check: CriterionCheck, measured: Measured, rulebook: Rulebook) -> Evidence:
    """The best of the mapped fields decides."""
    mapped, absent = _family(check, measured)
    if not mapped:
        threshold = rulebook.value(check.threshold)
        return Evidence(
            NOT_ASSESSED, threshold=threshold, reason=f"None of these is mapped: {', '.join(absent)}."
        )
    shares = _shares(mapped, rulebook)
    return _judge(shares[-1][1] if shares else mapped[0], check, rulebook)


def _no_flag(check: CriterionCheck, measured: Measured, rulebook: Rulebook) -> Evidence:
    if measured.residual is None:
        reason = "It needs the ethnicity of patients and the [service] area to compare with the Census."
        return Evidence(NOT_ASSESSED, reason=reason)
    use = dict(measured.residual)
    counts = pd.DataFrame({"numerator": [use["numerator"]], "denominator": [use["denominator"]]})
    figure = {
        **_records(with_shares(counts, confidence=rulebook.value("confidence")))[0],
        "figure": check.figure,
        "unit": "people",
    }
    limit = use["resident_share"] * rulebook.value("residual_ratio")
    if not _enough(figure, rulebook):
        return Evidence(NOT_ASSESSED, "", figure, limit, reason=_too_few(figure, rulebook))
    raised = (measured.flags["flag"] == check.flag).any()
    evidence = f"Share in 'any other' categories; {use['resident_share']:.1%} of residents"
    return Evidence(NOT_MET if raised else MET, "measured", figure, limit, evidence=evidence)


def _identifiers(found: Mapping[str, Any], rulebook: Rulebook) -> Evidence:
    """Direct identifiers left in the shared columns, and the smallest group over the quasi-identifiers."""
    wanted = rulebook.value("identifier_k")
    if not found.get("chosen"):
        words = "; ".join(found.get("columns", ())) or "none"
        reason = (
            f"No [sharing] quasi_identifiers are named. Columns that look like direct identifiers: {words}."
        )
        return Evidence(NOT_ASSESSED, threshold=wanted, reason=reason)
    if found["columns"]:
        reason = f"Columns that look like direct identifiers: {'; '.join(found['columns'])}."
        return Evidence(NOT_MET, "measured", threshold=wanted, evidence="Identifier scan", reason=reason)
    evidence = "No direct identifier found; smallest group over the quasi-identifiers"
    if found["smallest"] >= wanted:
        return Evidence(MET, "measured", threshold=wanted, evidence=f"{evidence} is {wanted} people or more")
    reason = "Some people stand in groups that are too small."
    return Evidence(
        NOT_MET, "measured", threshold=wanted, evidence=f"{evidence} is below {wanted}", reason=reason
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
        measured_outcome = measured["outcome"].where(measured["rests_on"] == "measured", NOT_ASSESSED)
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
                and not (core.loc[reached, "rests_on"] == "measured").any(),
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
    table: pd.DataFrame,
    areas: pd.DataFrame,
    needs: pd.DataFrame,
    joint: pd.DataFrame | None,
    rulebook: Rulebook,
) -> pd.DataFrame:
    """What stands between the data domain and its next tier, in order of work. Shape: STEPS_TO_LIFT_TABLE.

    table : shape CRITERIA_TABLE. areas : shape AREAS_TABLE. needs : shape NEEDS_TABLE.
    joint : people by the statuses of ethnicity and language.
    Measured criteria that are not met come first (people to reach are named), then those not assessed.
    The words of a row make one sentence: "<needed> more <unit> need <what>, <places>. <action>".
    """
    rows = [_step(row, needs, joint, rulebook) for row in _decided_once(_behind(table, areas))]
    steps = pd.DataFrame(rows, columns=[*STEPS_TO_LIFT_TABLE.columns])
    needed = pd.to_numeric(steps["needed"]).astype("float64")
    rank = steps["outcome"].map({NOT_MET: 0, NOT_ASSESSED: 1})
    steps = steps.assign(needed=needed, rank=rank).sort_values(["rank", "needed"], kind="stable")
    return shape(steps.assign(order=range(1, len(steps) + 1)), STEPS_TO_LIFT_TABLE)


def _behind(table: pd.DataFrame, areas: pd.DataFrame) -> list[dict[str, Any]]:
    """Core criteria that keep the lowest data areas from their next tier."""
    data = areas[areas["data_domain"].astype(bool)]
    ranks = data["tier"].map({tier: rank for rank, tier in enumerate(TIERS)})
    lowest = int(ranks.min())
    return _records(
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
    row: Mapping[str, Any], needs: pd.DataFrame, joint: pd.DataFrame | None, rulebook: Rulebook
) -> dict[str, Any]:
    check = criterion_checks().get(str(row["criterion_id"]).split(", ")[0])
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
    if check is None or row["outcome"] != NOT_MET or row["rests_on"] != "measured" or not row["unit"]:
        return step
    needed = shortfall(row, check.compare, rulebook)
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
        label = _field(row)
        words = f"{words} for {label[0].lower()}{label[1:]}"
    elif check.check == "points" and row["unit"] != PLACES:
        words = "an ethnicity and a language that are recorded on two different days"
    if figure.endswith(READINGS[True]):
        words = words.replace("a known", "a known or declined")
    return words


def _action(row: Mapping[str, Any], joint: pd.DataFrame | None) -> str:
    figure = str(row["figure"])
    which = _which(joint, figure) if figure.startswith("joint_") else str(row["reason"])
    return f"{which} {ACTIONS.get(figure, ASK)}".strip()


def shortfall(row: Mapping[str, Any], compare: str, rulebook: Rulebook) -> int | None:
    """How many more must meet a criterion for it to pass: the fewest that do, less those that do so already.

    row : numerator, denominator, threshold and unit, as in CRITERIA_TABLE. compare : at_least or more_than.
    None where it would not pass even if all of them did, as in a small sample.
    """
    numerator, denominator, threshold = int(row["numerator"]), int(row["denominator"]), row["threshold"]
    if row["unit"] == PLACES:
        return max(0, int(threshold) - numerator)

    def passes(met: int) -> bool:
        return _passes(decisive_share(met, denominator, rulebook), threshold, compare)

    if not passes(denominator):
        return None
    return max(0, bisect_left(range(denominator + 1), True, key=passes) - numerator)


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
