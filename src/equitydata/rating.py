"""rating.json: what the maturity rating says, for other programs.

The models below are its one description; `templates/rating.schema.json` is made from them. Counts and
shares are those of a released result: null where hidden, and `hidden` says so.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import pandas as pd
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter

from equitydata.maturity.criteria import MET, NOT_APPLICABLE, NOT_ASSESSED, NOT_MET
from equitydata.report.writing import guarded_columns
from equitydata.result import EquityResult
from equitydata.rulebook import disclosure_rule
from equitydata.tables import HIDDEN, SPECS, plain
from equitydata.written import SENTENCE_LIMIT, visible

SCHEMA_ID = "equitydata/rating/1.0"
HEADLINES: tuple[Literal["joint", "ethnicity", "language"], ...] = ("joint", "ethnicity", "language")
READINGS: tuple[Literal["known", "known_or_declined"], ...] = ("known", "known_or_declined")

Label = Annotated[str, AfterValidator(visible)]
Sentence = Annotated[str, AfterValidator(lambda text: visible(text, SENTENCE_LIMIT))]
# Six decimals: the same to the byte wherever the last binary digit falls.
Fraction = Annotated[float, Field(ge=0, le=1), AfterValidator(lambda value: round(value, 6))]
Number = Annotated[float, AfterValidator(lambda value: round(value, 6))]
Count = Annotated[int, Field(ge=0)]
Outcome = Literal["met", "not met", "not assessed", "not applicable"]
TierName = Literal[
    "Working towards Fundamental",
    "Fundamental",
    "Intermediate",
    "Advanced",
    "Nothing measured",
    "Profile only",
]
Statistic = Literal["share", "rate", "population_rate", "mean", "quantile"]
Setting = bool | int | float | Label | tuple[int, ...]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RatedService(_Model):
    """Whose data it is, for whom and for when."""

    name: Label = Field(description="Name of the service.")
    level: Literal["service", "organisation"] = Field(description="Which maturity matrix was used.")
    areas: tuple[Label, ...] = Field(description="Names of the areas it serves.")
    area_codes: tuple[Label, ...] = Field(description="GSS codes of these areas, in the same order.")
    ages: tuple[int, int] | None = Field(description="Youngest and oldest eligible age; null where not set.")
    period_from: datetime.date | None = Field(description="First day of the analysis; null where not set.")
    period_to: datetime.date | None = Field(description="Last day of the analysis; null where not set.")
    as_of: datetime.date = Field(description="Day of the rating, against which attestations lapse.")
    people: Count | None = Field(description="People counted, rounded by the rule; null where hidden.")
    counted: Literal["people", "records"] = Field(description="What one of `people` is.")


class RestsOn(_Model):
    """Core criteria of the three data areas, by outcome and by what decided them."""

    met_measured: Count = Field(description="Met by a measure of the extract.")
    met_attested: Count = Field(description="Met by an attestation.")
    met_shown: Count = Field(
        0, description="Met by the log of runs, the register of listening or the ratings of services."
    )
    not_met: Count = Field(description="Not met.")
    not_assessed: Count = Field(description="Not assessed; never counts as met.")
    not_applicable: Count = Field(description="Attested as not applicable; left out of the question.")


class DataDomain(_Model):
    """The tier of the data domain, and how sure it is."""

    tier: TierName = Field(description="Tier with measures and attestations.")
    tier_rule: Literal["lowest", "median", "profile"] = Field(description="How area tiers give one tier.")
    tier_measured_only: TierName = Field(description="Tier from measured criteria alone.")
    tier_other_reading: TierName = Field(description="Tier with declined answers read the other way.")
    declined_counts: bool = Field(description="true where `tier` counts a declined answer as collected.")
    attested_areas: tuple[Label, ...] = Field(
        description="Data areas whose tier rests on attestations alone."
    )
    core_criteria: RestsOn = Field(description="What the data domain rests on.")


class AreaRating(_Model):
    """One area of the matrix."""

    area_code: Label = Field(description="Four letters, as in the criterion ids.")
    area: Label = Field(description="Name of the area.")
    step: Label = Field(description="Step of the route map.")
    data_domain: bool = Field(description="true for the three data areas.")
    tier: TierName = Field(description="Tier with measures and attestations.")
    tier_measured_only: TierName = Field(description="Tier from measured criteria alone.")
    tier_other_reading: TierName = Field(description="Tier with declined answers read the other way.")
    met: Count = Field(description="Criteria met.")
    not_met: Count = Field(description="Criteria not met.")
    not_assessed: Count = Field(description="Criteria not assessed.")
    criteria: Count = Field(description="Criteria in all, with those that are not applicable.")
    rests_on_attestation: bool = Field(description="true where the tier rests on attestations alone.")


class CriterionRating(_Model):
    """One criterion of the matrix, its outcome and the evidence for it."""

    criterion_id: Label = Field(description="Level, area, tier and number: S-QUAN-F1.")
    area: Label = Field(description="Area of the matrix.")
    tier: Label = Field(description="Tier it belongs to.")
    criterion: Sentence = Field(description="Wording.")
    required: Literal["core", "example", "optional"] = Field(description="Only core blocks the tier.")
    evidence_type: Literal["attested", "measured", "computed"] = Field(
        description="What is meant to decide it."
    )
    outcome: Outcome = Field(description="Decided on true counts, before rounding.")
    outcome_other_reading: Outcome = Field(
        description="The outcome with declined answers read the other way."
    )
    rests_on: Literal["", "measured", "run log", "register", "services", "attested"] = Field(
        description="What decided it; empty where nothing did."
    )
    figure: Label = Field(description="Name of the figure it rests on; empty where none.")
    numerator: Count | None = Field(description="Who meets it; null where hidden or not measured.")
    denominator: Count | None = Field(description="To whom it applies; null where hidden or not measured.")
    unit: Label = Field(description="What is counted: people, records, values, points of care.")
    value: Fraction | None = Field(description="numerator / denominator as shown; null where hidden.")
    lower: Fraction | None = Field(description="Lower Wilson limit of the value.")
    upper: Fraction | None = Field(description="Upper Wilson limit of the value.")
    threshold: Number | None = Field(description="What it is held against: a fraction, or a count of units.")
    evidence: Sentence = Field(description="Title of the document, or how the figure was made.")
    owner: Label = Field(description="Role that answers for an attestation.")
    date: datetime.date | None = Field(description="Day of the evidence.")
    review: datetime.date | None = Field(description="Day the evidence is to be reviewed.")
    link: Label = Field(description="Where the evidence is kept.")
    reason: Sentence = Field(description="Why it is not met or not assessed.")
    hidden: bool = Field(description="true where the small-number rule hides its counts and share.")


class NextStep(_Model):
    """What stands in the way of the next tier of the data domain, in order of work."""

    order: Count = Field(description="Order of work, from 1.")
    criterion_ids: tuple[Label, ...] = Field(description="Criteria that it would lift.")
    area: Label = Field(description="Area of the matrix.")
    tier: Label = Field(description="Tier that it blocks.")
    outcome: Outcome = Field(description="not met or not assessed.")
    needed: Count | None = Field(description="How many would have to change; null where hidden or not known.")
    unit: Label = Field(description="Unit of needed.")
    what: Sentence = Field(description="What each of them needs.")
    places: Sentence = Field(description="Where they are.")
    action: Sentence = Field(description="What to do, in words.")
    hidden: bool = Field(description="true where the small-number rule hides `needed`.")


class HeadlineShare(_Model):
    """A share of the people that the 95% rule turns on."""

    characteristic: Literal["joint", "ethnicity", "language"] = Field(
        description="joint: ethnicity and language, both of the same person."
    )
    reading: Literal["known", "known_or_declined"] = Field(description="Whether a declined answer counts.")
    in_force: bool = Field(description="true for the reading that the tier uses.")
    measured: bool = Field(description="false: it could not be measured, and `reason` says why.")
    reason: Sentence = Field(description="Why it could not be measured.")
    unit: Label = Field(description="What is counted.")
    numerator: Count | None = Field(description="Who meets it; null where hidden or not measured.")
    denominator: Count | None = Field(description="To whom it applies; null where hidden or not measured.")
    value: Fraction | None = Field(description="numerator / denominator as shown; null where hidden.")
    lower: Fraction | None = Field(description="Lower Wilson limit of the value.")
    upper: Fraction | None = Field(description="Upper Wilson limit of the value.")
    hidden: bool = Field(description="true where the small-number rule hides it.")


class MeasureRating(_Model):
    """A measure, for everyone whom it concerns."""

    measure: Label = Field(description="Name in the service file.")
    measure_label: Label = Field(description="Name that people read.")
    statistic: Statistic = Field(description="What its value is.")
    unit: Label = Field(description="What is counted: people or contacts.")
    people: Count | None = Field(description="People among the denominator; null where hidden.")
    numerator: Number | None = Field(
        description="People or contacts that met it; null for means and quantiles."
    )
    denominator: Number | None = Field(description="People, contacts, person-time, residents or values.")
    value: Number | None = Field(description="Fraction, events per person-time, mean or quantile.")
    lower: Number | None = Field(description="Lower limit of the value.")
    upper: Number | None = Field(description="Upper limit of the value.")
    hidden: bool = Field(description="true where the small-number rule hides it.")


class _Compared(_Model):
    """A group beside whom it is held against."""

    characteristic: Label = Field(description="Characteristic; 'ethnicity x sex' for a crossing.")
    label: Label = Field(description="Characteristic as people read it.")
    level: Label = Field(description="Level of its groups.")
    category: Label = Field(description="The group.")
    people: Count | None = Field(description="People of the group; null where hidden.")
    value: Number | None = Field(description="Of the group.")
    comparator_value: Number | None = Field(description="Of the comparator.")
    difference: Number | None = Field(description="value less comparator_value.")
    difference_lower: Number | None = Field(description="Its lower limit.")
    difference_upper: Number | None = Field(description="Its upper limit.")
    ratio: Number | None = Field(description="value over comparator_value.")
    ratio_lower: Number | None = Field(description="Its lower limit.")
    ratio_upper: Number | None = Field(description="Its upper limit.")
    flag: Label = Field(description="State of the flag: a prompt to look, not proof; empty where hidden.")
    hidden: bool = Field(description="true where the small-number rule hides it.")


class FindingRating(_Compared):
    """A finding: a prompt to look, not proof of unfairness or cause."""

    order: Count = Field(description="Rank, from 1.")
    about: Label = Field(description="outcome, representation, place, change, completeness or listening.")
    measure: Label = Field(description="Name of the measure; empty where it is of none.")
    measure_label: Label = Field(description="Measure as people read it.")
    comparator: Label = Field(description="Against whom.")
    statistic: Label = Field(description="What the value is; empty where there is none.")
    harm: Label = Field(description="harm, benefit or empty.")
    robustness: Label = Field(description="firm, turns at a bound, fragile or empty.")
    adjustment: Sentence = Field(description="What happens to it when age and sex are taken into account.")
    finding: Sentence = Field(description="The finding in plain words; empty where hidden.")
    heard: Sentence = Field(description="Themes heard from the same group.")
    look: Sentence = Field(description="Suggested next look.")


class ComparisonRating(_Compared):
    """A group that is flagged against the rest, before adjustment."""

    measure: Label = Field(description="Name of the measure.")
    measure_label: Label = Field(description="Measure as people read it.")
    statistic: Statistic = Field(description="What the value is.")
    harm: Label = Field(description="harm, benefit or empty.")
    numerator: Number | None = Field(description="People or contacts of the group that met it.")
    denominator: Number | None = Field(description="People, contacts, person-time or values of the group.")
    p_adjusted: Number | None = Field(description="p-value, adjusted for the groups of its family.")


class RepresentedGroup(_Model):
    """A group of users against residents."""

    area_kind: Label = Field(description="local, region or nation.")
    area: Label = Field(description="Name of the area.")
    reference: Sentence = Field(description="Table of residents, with its date.")
    characteristic: Label = Field(description="Characteristic.")
    level: Label = Field(description="Level of its groups.")
    category: Label = Field(description="The group.")
    numerator: Count | None = Field(description="Users of the group; null where hidden.")
    denominator: Count | None = Field(description="Users whose group is known; null where hidden.")
    share: Fraction | None = Field(description="numerator / denominator.")
    residents_share: Fraction | None = Field(description="The group's share of residents.")
    ratio: Number | None = Field(description="share / residents_share.")
    ratio_lower: Number | None = Field(description="Its lower limit.")
    ratio_upper: Number | None = Field(description="Its upper limit.")
    flag: Label = Field(description="State of the flag: a prompt to look, not proof; empty where hidden.")
    hidden: bool = Field(description="true where the small-number rule hides it.")


class RunRating(_Model):
    """An earlier run, as the log of runs keeps it."""

    date: datetime.date = Field(description="Day of the run.")
    version: Label = Field(description="Version of equitydata.")
    tier: Label = Field(description="Tier of the data domain.")
    people: Count | None = Field(description="People analysed, rounded; null where hidden.")
    joint_known: Fraction | None = Field(description="Share of people with known ethnicity and language.")
    compared: bool = Field(description="Users were compared with residents.")
    audience: Label = Field(description="Whom the report was for.")


class RejectedRows(_Model):
    """Rows of the input that were not used, for one reason."""

    reason: Sentence = Field(description="Why.")
    rows: Count = Field(description="How many.")


class IntakeSummary(_Model):
    """Rows in = rows used + rows rejected, always."""

    rows_read: Count = Field(description="Rows of the input.")
    rows_used: Count = Field(description="Rows that every count rests on.")
    rows_rejected: Count = Field(description="Rows not used, for any reason.")
    rejections: tuple[RejectedRows, ...] = Field(description="Rows not used, by reason.")


class ChangedChoice(_Model):
    """A rule that the service set to another value than the default."""

    name: Label = Field(description="Key under [rules] of the service file.")
    label: Sentence = Field(description="What it decides.")
    value: Setting = Field(description="Value in force.")
    default: Setting = Field(description="Default.")
    reason: Sentence = Field(description="Reason of the default.")
    source: Sentence = Field(description="Source of the default.")


class Disclosure(_Model):
    """The small-number rule that everything here has passed."""

    rule: Label = Field(description="Name of the rule; none means true counts, not to be shared.")
    label: Sentence = Field(description="What it does.")
    hide_up_to: Count = Field(description="Counts from 1 to this are hidden.")
    round_to: Count = Field(description="Other counts are rounded to a multiple of this.")
    source: Sentence = Field(description="Whose rule it is.")
    hidden_rows: dict[str, Count] = Field(description="Rows hidden, by table.")
    hidden_to_guard_others: dict[str, Count] = Field(
        description="Of these, rows hidden so that no other hidden count can be worked out, by table."
    )


class Rating(_Model):
    """The maturity rating of one service, with the evidence for every criterion."""

    schema_version: Literal["1.0"] = Field(description="Version of this shape.")
    tool: Literal["equitydata"] = Field(description="What made it.")
    tool_version: Label = Field(description="Version of what made it.")
    about: RatedService = Field(description="Whose data it is.")
    data_domain: DataDomain = Field(description="The tier of the data domain.")
    matrix_tier: TierName = Field(description="Tier of the whole matrix, by the same rule.")
    areas: tuple[AreaRating, ...] = Field(description="Every area of the matrix.")
    headline: tuple[HeadlineShare, ...] = Field(
        description="The shares of the 95% rule, under both readings."
    )
    next_steps: tuple[NextStep, ...] = Field(description="What would lift the tier, in order of work.")
    criteria: tuple[CriterionRating, ...] = Field(description="Every criterion.")
    measures: tuple[MeasureRating, ...] = Field((), description="Every measure, for everyone.")
    findings: tuple[FindingRating, ...] = Field((), description="Findings, the most pressing first.")
    comparisons: tuple[ComparisonRating, ...] = Field(
        (), description="Groups that are flagged against the rest, of all levels and crossings."
    )
    representation: tuple[RepresentedGroup, ...] = Field(
        (), description="Users against residents, every area, at the first level of each characteristic."
    )
    runs: tuple[RunRating, ...] = Field((), description="Earlier runs of this service, the oldest first.")
    intake: IntakeSummary = Field(description="Rows read, used and rejected.")
    changed_choices: tuple[ChangedChoice, ...] = Field(description="Rules that differ from their default.")
    disclosure: Disclosure = Field(description="The small-number rule.")


def rating_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of rating.json."""
    schema = Rating.model_json_schema(mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": SCHEMA_ID, **schema}


def make_rating(result: EquityResult) -> Rating:
    """The rating of a released result."""
    maturity = result.maturity
    return Rating(
        schema_version="1.0",
        tool="equitydata",
        tool_version=result.about.version,
        about=RatedService(**{name: getattr(result.about, name) for name in RatedService.model_fields}),
        data_domain=_data_domain(result),
        matrix_tier=_tier(maturity.matrix_tier),
        areas=tuple(AreaRating(**_area(row)) for row in _rows(maturity.areas, "areas")),
        headline=_headline(result),
        next_steps=tuple(NextStep(**_next_step(row)) for row in _rows(maturity.next_steps, "next_steps")),
        criteria=tuple(CriterionRating(**_criterion(row)) for row in _rows(maturity.criteria, "criteria")),
        **_equity(result),
        intake=_intake(result),
        changed_choices=tuple(
            ChangedChoice(**{name: getattr(choice, name) for name in ChangedChoice.model_fields})
            for choice in result.choices.values()
            if choice.changed
        ),
        disclosure=_disclosure(result),
    )


def _rows(frame: pd.DataFrame, name: str) -> list[dict[str, Any]]:
    """Rows of a released table as plain values; what a hidden row must not show is None."""
    guarded = set(guarded_columns(SPECS[name]))
    rows = []
    for row in frame.to_dict("records"):
        hidden = bool(row.pop(HIDDEN, False))
        shown = {str(key): None if hidden and key in guarded else _bare(value) for key, value in row.items()}
        rows.append({**shown, "hidden": hidden})
    return rows


def _bare(value: Any) -> Any:
    """A cell without the trimmings of numpy and enumerations; JSON has no infinity, so a limit without end is None."""
    if isinstance(value, str):
        return str(value)
    found = plain(value)
    return None if isinstance(found, float) and math.isinf(found) else found


def _tier(name: str) -> TierName:
    """A tier by its plain name; anything that is no tier is refused."""
    return TypeAdapter(TierName).validate_python(str(name))


def _area(row: Mapping[str, Any]) -> dict[str, Any]:
    renamed = {**row, "tier_measured_only": row["tier_measured"]}
    return {name: renamed[name] for name in AreaRating.model_fields}


def _criterion(row: Mapping[str, Any]) -> dict[str, Any]:
    dates = {name: row[name] or None for name in ("date", "review")}
    texts = {
        name: row[name] or ""
        for name in ("figure", "unit", "evidence", "owner", "link", "reason", "rests_on")
    }
    return {**row, **texts, **dates}


def _next_step(row: Mapping[str, Any]) -> dict[str, Any]:
    ids = tuple(str(row["criterion_id"]).split(", "))
    return {name: row.get(name, ids) for name in NextStep.model_fields}


def _data_domain(result: EquityResult) -> DataDomain:
    maturity, areas = result.maturity, result.maturity.areas
    data = areas[areas["data_domain"].astype(bool)]
    criteria = maturity.criteria
    core = criteria[criteria["area"].isin(data["area"]) & (criteria["required"] == "core")]
    met = core[core["outcome"] == MET]
    counts = core["outcome"].value_counts()
    return DataDomain(
        tier=_tier(maturity.tier),
        tier_rule=result.choices["tier_rule"].value,
        tier_measured_only=_tier(maturity.tier_measured),
        tier_other_reading=_tier(maturity.tier_other_reading),
        declined_counts=bool(result.choices["count_declined"].value),
        attested_areas=tuple(data.loc[data["rests_on_attestation"].astype(bool), "area"]),
        core_criteria=RestsOn(
            met_measured=int((met["rests_on"] == "measured").sum()),
            met_attested=int((met["rests_on"] == "attested").sum()),
            met_shown=int((~met["rests_on"].isin(["measured", "attested"])).sum()),
            not_met=int(counts.get(NOT_MET, 0)),
            not_assessed=int(counts.get(NOT_ASSESSED, 0)),
            not_applicable=int(counts.get(NOT_APPLICABLE, 0)),
        ),
    )


def _headline(result: EquityResult) -> tuple[HeadlineShare, ...]:
    figures = {row["figure"]: row for row in _rows(result.tables["figures"], "figures")}
    in_force = READINGS[bool(result.choices["count_declined"].value)]
    shares = []
    for name in HEADLINES:
        for reading in READINGS:
            row = figures.get(f"{name}_{reading}", {})
            facts = {key: row.get(key) for key in ("numerator", "denominator", "value", "lower", "upper")}
            shares.append(
                HeadlineShare(
                    characteristic=name,
                    reading=reading,
                    in_force=reading == in_force,
                    measured=bool(row.get("measured", False)),
                    reason=row.get("reason") or ("" if row else "No extract was audited."),
                    unit=row.get("unit") or "",
                    hidden=row.get("hidden", False),
                    **facts,
                )
            )
    return tuple(shares)


FLAGGED = ("disproportionate_high", "disproportionate_low", "different_small")


def _equity(result: EquityResult) -> dict[str, Any]:
    """What the equity analysis found, from its released tables; empty where it was not made."""
    rows = {
        name: _rows_of(result, name)
        for name in ("outcomes", "findings", "comparisons", "representation", "runs")
    }
    flagged = [
        row
        for row in rows["comparisons"]
        if row["comparator"] == "rest" and row["adjustment"] == "crude" and row["flag"] in FLAGGED
    ]
    users = [row for row in rows["representation"] if row["of"] == "users" and row["status"] == "known"]
    first: dict[str, str] = {}
    for row in users:
        first.setdefault(row["characteristic"], row["level"])
    kept = [
        row
        for row in users
        if " x " not in row["characteristic"] and first[row["characteristic"]] == row["level"]
    ]
    return {
        "measures": _models(
            MeasureRating, [row for row in rows["outcomes"] if row["characteristic"] == "all"]
        ),
        "findings": _models(FindingRating, rows["findings"]),
        "comparisons": _models(ComparisonRating, flagged),
        "representation": _models(RepresentedGroup, kept),
        "runs": _models(RunRating, rows["runs"]),
    }


def _rows_of(result: EquityResult, name: str) -> list[dict[str, Any]]:
    return _rows(result.tables[name], name) if name in result.tables else []


def _models(model: type[_Model], rows: list[dict[str, Any]]) -> tuple[Any, ...]:
    """Rows as models: text that is missing or hidden is empty, a number stays null."""
    texts = {name for name, field in model.model_fields.items() if field.annotation is str}
    return tuple(
        model(**{name: row[name] or "" if name in texts else row[name] for name in model.model_fields})
        for row in rows
    )


def _intake(result: EquityResult) -> IntakeSummary:
    intake = result.intake
    return IntakeSummary(
        rows_read=intake.rows_read,
        rows_used=intake.rows_used,
        rows_rejected=intake.rows_rejected,
        rejections=tuple(RejectedRows(reason=each.reason, rows=each.rows) for each in intake.rejections),
    )


def _disclosure(result: EquityResult) -> Disclosure:
    rule = disclosure_rule(result.disclosure)
    return Disclosure(
        rule=rule.name,
        label=rule.label,
        hide_up_to=rule.hide_up_to,
        round_to=rule.round_to,
        source=rule.source,
        hidden_rows=dict(result.hidden_cells),
        hidden_to_guard_others=dict(result.hidden_besides),
    )
