"""Figures, flags and attestations -> every criterion met, not met or not assessed, with its evidence.

Domain notes, section 10. Not assessed never counts as met. What was measured decides; where it was not, what
the log of runs or the register of listening shows; where neither does, an attestation. Each criterion says on
which of them it rests.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd

from equitydata.figures import PLACES
from equitydata.maturity.analysed import Analysed, Breakdown, family_of, in_words, named
from equitydata.rulebook import CriterionCheck, Rulebook, characteristics, criterion_checks
from equitydata.service import Attestation
from equitydata.sharing.evidence import FAILS, HOLDS, SharedEvidence
from equitydata.shown import Shown
from equitydata.stats.one_group.proportions import wilson
from equitydata.tables import CRITERIA_TABLE, shape, with_shares

MET, NOT_MET, NOT_ASSESSED, NOT_APPLICABLE = "met", "not met", "not assessed", "not applicable"
NUMBERS = ("numerator", "denominator", "value", "lower", "upper")
RUN_LOG, REGISTER, SERVICES = "run log", "register", "services"
# All that a criterion can rest on beside an attestation.
RESTS_ON_RECORDS = ("measured", RUN_LOG, REGISTER, SERVICES)
# Areas whose criteria the register of listening shows, where the rules name no other place.
REGISTER_AREAS = ("QUAL", "COPR")
READINGS = {False: "known", True: "known_or_declined"}


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
    identifiers : what the identifier scan found: chosen (quasi-identifiers are named), columns, smallest; and
        deidentified, what the manifest of the shared file shows (None where none is named).
    not_relevant : protected characteristics that cannot matter to the service.
    analysed : what the analysis of outcomes holds; None where the run audits completeness alone.
    profile : a community health profile was built in this run.
    shown : criterion id -> what the log of runs or the register of listening shows.
    counted : patients or staff. Staff decide the workforce criterion and no other.
    """

    figures: pd.DataFrame
    flags: pd.DataFrame
    residual: Mapping[str, float] | None
    identifiers: Mapping[str, Any]
    not_relevant: Sequence[str]
    analysed: Analysed | None = None
    profile: bool = False
    shown: Mapping[str, Shown] = field(default_factory=dict)
    counted: str = "patients"


def criteria_table(
    criteria: pd.DataFrame,
    measured: Measured | None,
    attestations: Mapping[str, Attestation],
    rulebook: Rulebook,
    *,
    declined: bool,
    as_of: datetime.date,
    rolled_up: Mapping[str, Evidence] | None = None,
    shown: Mapping[str, Shown] | None = None,
) -> pd.DataFrame:
    """Every criterion with its outcome and evidence. Shape: CRITERIA_TABLE.

    declined : True where a declined answer counts as collected.
    rolled_up : criterion id -> what an organisation's services decide; it goes before its own extract.
    shown : what the log of runs or the register shows, where there is no extract.
    """
    checks = criterion_checks()
    shown = {**(shown or {}), **(measured.shown if measured else {})}
    rows = []
    for row in as_rows(criteria):
        identity = row["criterion_id"]
        found = Evidence(NOT_ASSESSED)
        if identity in (rolled_up or {}):
            found = (rolled_up or {})[identity]
        elif identity in checks:
            found = _measure(checks[identity], measured, rulebook, declined=declined)
        if found.outcome == NOT_ASSESSED and identity in shown:
            found = _shown(identity, shown[identity], checks.get(identity))
        if found.outcome == NOT_ASSESSED and identity in attestations:
            found = _attested(attestations[identity], rulebook, as_of=as_of)
        if found.outcome == NOT_ASSESSED and not found.reason:
            found = replace(found, reason=f"No attestation. What it takes: {row['how_measured']}.")
        rows.append({**row, **_flat(found)})
    table = pd.DataFrame(rows)
    numbers = {name: pd.to_numeric(table[name]).astype("float64") for name in NUMBERS}
    return shape(table.assign(**numbers, outcome_other_reading=table["outcome"]), CRITERIA_TABLE)


def as_rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a small table as mappings of column to value."""
    return [{str(key): value for key, value in row.items()} for row in frame.to_dict("records")]


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


def _shown(identity: str, shown: Shown, check: CriterionCheck | None) -> Evidence:
    """What the log of runs or the register shows; where it shows nothing, its reason is kept."""
    if shown.outcome == NOT_ASSESSED:
        return Evidence(NOT_ASSESSED, evidence=shown.evidence, reason=shown.reason)
    source = check.rests_on if check else ""
    source = source or (REGISTER if identity.split("-")[1] in REGISTER_AREAS else RUN_LOG)
    met = shown.outcome == MET
    evidence = ". ".join(each.rstrip(".") for each in (shown.evidence, shown.reason if met else "") if each)
    return Evidence(
        shown.outcome,
        source,
        evidence=evidence,
        owner=shown.owner,
        date=shown.date,
        reason="" if met else shown.reason,
    )


def _measure(
    check: CriterionCheck, measured: Measured | None, rulebook: Rulebook, *, declined: bool
) -> Evidence:
    if check.check == "shown":
        return Evidence(NOT_ASSESSED, reason=f"It takes {check.needs}.")
    if check.check == "workforce":
        return _workforce(measured)
    if measured is None:
        combined = ", and no services were combined" if check.same_as else ""
        return Evidence(NOT_ASSESSED, reason=f"No extract was audited{combined}.")
    if measured.counted == "staff":
        reason = "The extract holds staff; it takes an extract of patients."
        return Evidence(NOT_ASSESSED, reason=reason)
    decide: dict[str, Callable[[], Evidence]] = {
        "share": lambda: _share(check, measured.figures, rulebook, declined=declined),
        "points": lambda: _points(check, measured.figures, rulebook),
        "every": lambda: _every(check, measured, rulebook),
        "any": lambda: _any(check, measured, rulebook),
        "no_flag": lambda: _no_flag(check, measured, rulebook),
        "identifiers": lambda: _identifiers(measured.identifiers, rulebook),
        "outcomes": lambda: _outcomes(check, measured),
        "family": lambda: _outcomes_by_family(check, measured, rulebook),
        "residents": lambda: _residents(check, measured),
        "rigour": lambda: _rigour(measured.analysed),
        "profile": lambda: _profile(measured),
    }
    return decide[check.check]()


def _figure(figures: pd.DataFrame, name: str) -> dict[str, Any]:
    return as_rows(figures[figures["figure"] == name])[0]


def decisive_share(numerator: float, denominator: float, rulebook: Rulebook) -> float:
    """The share that is held against a threshold.

    numerator, denominator : counts, the denominator above 0.
    Returns a fraction: the point value, or the lower Wilson limit where the extract is a sample.
    """
    if not rulebook.value("sample"):
        return numerator / denominator
    lower, _ = wilson([numerator], [denominator], confidence=rulebook.value("confidence"))
    return float(lower[0])


def passes(value: float, threshold: float, compare: str) -> bool:
    """Whether a share passes its threshold, unrounded. compare : at_least or more_than."""
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
    met = passes(share, threshold, check.compare)
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


def field_of(figure: Mapping[str, Any]) -> str:
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
    rows = as_rows(family[~family["figure"].isin(irrelevant)])
    return [row for row in rows if row["measured"]], [field_of(row) for row in rows if not row["measured"]]


def _every(check: CriterionCheck, measured: Measured, rulebook: Rulebook) -> Evidence:
    """The worst of the mapped fields decides; a field that is not mapped must be said to be irrelevant."""
    mapped, absent = _family(check, measured)
    threshold = rulebook.value(check.threshold)
    if not mapped:
        return Evidence(NOT_ASSESSED, threshold=threshold, reason="None of these characteristics is mapped.")
    shares = _shares(mapped, rulebook)
    if not shares:
        return _judge(mapped[0], check, rulebook)
    left_out = [field_of(each) for each in mapped if not _enough(each, rulebook)]
    words = f"Worst of {len(shares)} fields: {field_of(shares[0][1])}"
    words += f"; too few people to judge: {', '.join(left_out)}" if left_out else ""
    judged = _judge(shares[0][1], check, rulebook, words)
    if judged.outcome == NOT_MET:
        short = [field_of(each) for share, each in shares if not passes(share, threshold, check.compare)]
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
        **as_rows(with_shares(counts, confidence=rulebook.value("confidence")))[0],
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
    """Direct identifiers left in the shared columns, and the smallest group over the quasi-identifiers.

    Where the service file names the manifest of a de-identified file, that file is what is shared, and decides.
    """
    wanted = rulebook.value("identifier_k")
    if found.get("deidentified") is not None:
        return _deidentified(found["deidentified"], wanted)
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


def _deidentified(shown: SharedEvidence, wanted: int) -> Evidence:
    """What the manifest of the shared file shows."""
    outcome = {HOLDS: MET, FAILS: NOT_MET}.get(shown.outcome, NOT_ASSESSED)
    rests_on = "" if outcome == NOT_ASSESSED else "measured"
    evidence = shown.words or ("De-identified file" if rests_on else "")
    return Evidence(
        outcome, rests_on, threshold=wanted, evidence=evidence, date=shown.date, reason=shown.reason
    )


# ---------------------------------------------------------------- the analysis of outcomes


def _serves(check: CriterionCheck, characteristic: str) -> bool:
    return family_of(characteristic) == check.family or characteristic in check.also


def _nothing_analysed(analysed: Analysed | None, kinds: Sequence[str]) -> str:
    """Why no outcome was analysed, with its mend; '' where some was."""
    if analysed is not None and analysed.measures:
        return ""
    which = f" of kind {', '.join(kinds[:-1])} or {kinds[-1]}" if kinds else ""
    found = "No measure is defined." if analysed else "This run analysed no outcome."
    return f"{found} Add a measure{which} ([measures.NAME]) to the service file and run `equitydata analyse`."


def _fields(check: CriterionCheck) -> list[str]:
    """Characteristics that serve a check, in the order people expect to read them."""
    return [name for name in characteristics() if name != "birth_date" and _serves(check, name)]


def _in_words(breakdowns: Sequence[Breakdown]) -> str:
    """Outcomes and the characteristics that they are broken down by."""
    outcomes = named(each.measure_label for each in breakdowns)
    return f"{outcomes}, by {named(each.label for each in breakdowns)}"


def _not_broken_down(check: CriterionCheck, measured: Measured, analysed: Analysed) -> Evidence:
    """No outcome has a completed breakdown by the characteristics of a check: why, and what to do.

    Not mapped: it could not be measured, and may be attested. Mapped: the analysis shows that there is none.
    """
    labels = {name: characteristics()[name].label for name in _fields(check)}
    tried = [name for name in labels if name in analysed.stratified]
    if tried:
        fields = named(labels[name] for name in tried)
        reason = f"No outcome has an estimate for two or more known groups of: {fields}."
        return Evidence(NOT_MET, "measured", evidence="Outcomes by group", reason=reason)
    figures = measured.figures
    known = figures.loc[figures["measured"].astype(bool), "figure"].tolist()
    mapped = [labels[name] for name in labels if f"{name}_known" in known]
    if mapped:
        reason = f"Mapped, but outcomes are not stratified by: {named(mapped)}. Add it to [analysis] characteristics."
        return Evidence(NOT_MET, "measured", evidence="Outcomes by group", reason=reason)
    mend = "it" if len(labels) == 1 else "one of them"
    reason = f"Not mapped: {', '.join(labels.values())}. Map {mend} and run again."
    return Evidence(NOT_ASSESSED, reason=reason)


def _outcomes(check: CriterionCheck, measured: Measured) -> Evidence:
    """Enough outcomes of the kinds asked for have a completed breakdown by a family."""
    analysed, wanted = measured.analysed, check.wanted
    nothing = _nothing_analysed(analysed, check.kinds)
    if nothing or analysed is None:
        return Evidence(NOT_ASSESSED, threshold=wanted, reason=nothing)
    serving = [
        each
        for each in analysed.breakdowns
        if _serves(check, each.characteristic) and (not check.kinds or each.kind in check.kinds)
    ]
    found = len({each.measure for each in serving})
    evidence = f"{found} outcome{'s' if found != 1 else ''} by group"
    evidence += f": {_in_words(serving)}" if serving else ""
    if found >= wanted:
        return Evidence(MET, "measured", threshold=wanted, evidence=evidence)
    kinds = f"{', '.join(check.kinds[:-1])} or {check.kinds[-1]}"
    more = f"another measure of kind {kinds}" if found else f"a measure of kind {kinds}"
    if not found and set(analysed.kinds) & set(check.kinds):
        return replace(_not_broken_down(check, measured, analysed), threshold=wanted)
    reason = (
        f"Fewer than {wanted}: add {more} to the service file."
        if found
        else f"None: add {more} to the service file."
    )
    return Evidence(NOT_MET, "measured", threshold=wanted, evidence=evidence, reason=reason)


def _outcomes_by_family(check: CriterionCheck, measured: Measured, rulebook: Rulebook) -> Evidence:
    """One outcome has a completed breakdown by a family; what is left over where fewer families are asked for."""
    analysed, wanted = measured.analysed, int(rulebook.value(check.threshold))
    nothing = _nothing_analysed(analysed, ())
    if nothing or analysed is None:
        return Evidence(NOT_ASSESSED, reason=nothing)
    serving = [each for each in analysed.breakdowns if _serves(check, each.characteristic)]
    if serving:
        return Evidence(MET, "measured", evidence=f"Outcomes by group: {_in_words(serving)}")
    families = {each.family: each for each in criterion_checks().values() if each.check == check.check}
    done = [
        name
        for name, each in families.items()
        if any(_serves(each, breakdown.characteristic) for breakdown in analysed.breakdowns)
    ]
    if len(done) >= wanted:
        evidence = (
            f"{len(done)} of {len(families)} families are done and {wanted} asked for (`{check.threshold}`)"
        )
        return Evidence(NOT_APPLICABLE, "measured", evidence=evidence)
    return _not_broken_down(check, measured, analysed)


def _compared_in_words(measured: Measured, fields: Sequence[str]) -> str:
    """The comparison with residents at its most detailed level, its areas and sources; '' where none was made."""
    made = [
        each
        for each in (measured.analysed.compared if measured.analysed else ())
        if each.characteristic in fields
    ]
    if not made:
        return ""
    best = max(made, key=lambda each: each.groups)
    beside = [each for each in made if (each.characteristic, each.level) == (best.characteristic, best.level)]
    areas = named(f"{each.area} ({each.area_kind})" for each in beside)
    return (
        f"{best.label}, {best.groups} groups, against residents of {areas}. "
        f"Source: {named(each.reference for each in beside)}"
    )


def _residents(check: CriterionCheck, measured: Measured) -> Evidence:
    """People of the extract were held against residents by a family, with area, source and date."""
    words = _compared_in_words(measured, _fields(check))
    if words:
        return Evidence(MET, "measured", evidence=words)
    fields = named(characteristics()[name].label for name in _fields(check))
    if measured.analysed is None:
        return Evidence(
            NOT_ASSESSED, reason="This run compared nobody with residents: run `equitydata analyse`."
        )
    others = named(each.label for each in measured.analysed.compared)
    if others:
        reason = f"Residents were compared by {others}, and not by {fields}."
        return Evidence(NOT_MET, "measured", evidence="Users against residents", reason=reason)
    reason = (
        f"It takes the [service] area, {fields} mapped, and a table of residents: give them and run again."
    )
    return Evidence(NOT_ASSESSED, reason=reason)


def _rigour(analysed: Analysed | None) -> Evidence:
    """Every step of a rigorous analysis was taken; those that were not are named."""
    nothing = _nothing_analysed(analysed, ())
    if nothing or analysed is None:
        return Evidence(NOT_ASSESSED, reason=nothing)
    if not analysed.rigour:
        return Evidence(
            NOT_ASSESSED,
            reason="No group could be held against another: map characteristics with two or more groups.",
        )
    taken = [step for step in analysed.rigour if step.taken]
    lacking = [step for step in analysed.rigour if not step.taken]
    evidence = in_words(taken)
    if not lacking:
        return Evidence(MET, "measured", evidence=evidence)
    return Evidence(NOT_MET, "measured", evidence=evidence, reason=f"Lacking: {in_words(lacking)}.")


def _profile(measured: Measured) -> Evidence:
    if measured.profile:
        return Evidence(MET, "measured", evidence="Community health profile built in this run")
    return Evidence(
        NOT_ASSESSED, reason="No profile was built in this run: run `equitydata analyse` with an area."
    )


def _workforce(measured: Measured | None) -> Evidence:
    """An extract of staff shows that the assessment was made; one of patients decides nothing."""
    if measured is None or measured.counted != "staff":
        return Evidence(NOT_ASSESSED)
    words = _compared_in_words(measured, list(characteristics()))
    if not words:
        reason = (
            "The extract holds staff, but they were not compared with residents: give the [service] area."
        )
        return Evidence(NOT_ASSESSED, reason=reason)
    return Evidence(MET, "measured", evidence=f"Staff compared: {words}")
