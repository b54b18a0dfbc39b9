"""What one row of each table is, what its columns mean, and which of them are counts of people or records.

`release` reads the counts and shares named here, so a table is protected by being described.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from equitydata.errors import EquityDataError
from equitydata.stats.one_group.proportions import wilson


@dataclass(frozen=True)
class Share:
    """A share worked out from two counts of the same row."""

    value: str = "value"
    numerator: str = "numerator"
    denominator: str = "denominator"
    lower: str = "lower"
    upper: str = "upper"


@dataclass(frozen=True)
class TableSpec:
    """One table.

    row : what one row is.
    columns : column -> its meaning and unit, in order.
    counts : columns that count people or records.
    shares : shares worked out from counts; hidden with them.
    derived : further columns that would give a hidden count away.
    text : columns that may hold recorded text, kept back where few records hold it.
    """

    name: str
    title: str
    row: str
    columns: Mapping[str, str]
    counts: tuple[str, ...] = ()
    shares: tuple[Share, ...] = ()
    derived: tuple[str, ...] = ()
    text: tuple[str, ...] = field(default=())


_SHARE_COLUMNS = {
    "numerator": "people or records that meet it",
    "denominator": "people or records to whom it applies",
    "value": "numerator / denominator, fraction",
    "lower": "lower Wilson limit, fraction",
    "upper": "upper Wilson limit, fraction",
}

STATUSES_TABLE = TableSpec(
    "statuses",
    "Status of every value",
    "characteristic and status",
    {
        "characteristic": "name of the characteristic",
        "label": "characteristic as people read it",
        "status": "one of the seven statuses",
        "people": "people whose chosen value has the status",
        "records": "records as recorded",
        "records_carried_back": "records of the people whose chosen value has the status",
    },
    counts=("people", "records", "records_carried_back"),
)
COMPLETENESS_TABLE = TableSpec(
    "completeness",
    "Completeness",
    "characteristic, measure and unit",
    {
        "characteristic": "name, or joint for ethnicity and language together",
        "label": "characteristic as people read it",
        "measure": "populated, valid, asked, known, known_or_declined, detailed or specific",
        "unit": "people, records or records_carried_back",
        **_SHARE_COLUMNS,
    },
    counts=("numerator", "denominator"),
    shares=(Share(),),
)
BREAKDOWN_TABLE = TableSpec(
    "breakdown",
    "Completeness by group",
    "characteristic, dimension and group",
    {
        "characteristic": "name, or joint",
        "label": "characteristic as people read it",
        "by": "age_band, sex, deprivation, point_of_care, site, month or contacts",
        "group": "the group; Not recorded is a group",
        "order": "place of the group within the dimension",
        "unit": "people or records",
        **_SHARE_COLUMNS,
        "flagged": "true where the value is so far below the whole that the rules flag it",
    },
    counts=("numerator", "denominator"),
    shares=(Share(),),
    derived=("flagged",),
)
CATEGORIES_TABLE = TableSpec(
    "categories",
    "People in each category",
    "characteristic, level and category",
    {
        "characteristic": "name",
        "label": "characteristic as people read it",
        "level": "detailed or group",
        "category": "category",
        "order": "place within the level",
        "collected": "false: no code of the list in use names it, so a 0 would be untrue",
        "numerator": "people; missing where the category is not collected",
        "denominator": "people with a known value",
        "value": "share of the people with a known value, fraction",
        "lower": "lower Wilson limit, fraction",
        "upper": "upper Wilson limit, fraction",
    },
    counts=("numerator", "denominator"),
    shares=(Share(),),
)
CODES_TABLE = TableSpec(
    "codes",
    "Recorded values and how they were read",
    "characteristic and recorded value",
    {
        "characteristic": "name",
        "value": "value as recorded; empty is blank",
        "records": "records that hold it",
        "status": "status given",
        "category": "category given, where known",
        "detail": "detailed or broad",
        "code_list": "list that names it",
        "matched_by": "local map, code, label, synonym, missing word or none",
        "suggestion": "nearest label, where the value is in no list",
    },
    counts=("records",),
    text=("value", "suggestion"),
)
POINTS_TABLE = TableSpec(
    "points_of_care",
    "Points of care that hold the field",
    "characteristic and point of care",
    {
        "characteristic": "name",
        "label": "characteristic as people read it",
        "point_of_care": "point of care",
        "numerator": "people with a known value recorded there",
        "denominator": "people seen there; people seen at two points count at both",
        "value": "share, fraction",
        "lower": "lower Wilson limit, fraction",
        "upper": "upper Wilson limit, fraction",
        "filled": "true where the share reaches the rule",
    },
    counts=("numerator", "denominator"),
    shares=(Share(),),
    derived=("filled",),
)
VERIFICATION_TABLE = TableSpec(
    "verification",
    "Verification",
    "characteristic and measure",
    {
        "characteristic": "name",
        "label": "characteristic as people read it",
        "measure": "repeated, independent, agree_detailed, agree_group, self_reported, proxy, ...",
        "unit": "people or records",
        **_SHARE_COLUMNS,
        "note": "what the number can and cannot say",
    },
    counts=("numerator", "denominator"),
    shares=(Share(),),
)
AGREEMENT_TABLE = TableSpec(
    "agreement",
    "Agreement between recordings, by group",
    "characteristic, level and group",
    {
        "characteristic": "name",
        "label": "characteristic as people read it",
        "level": "detailed or group: the level at which recordings are compared",
        "group": "group of the person's chosen value",
        **_SHARE_COLUMNS,
        "flagged": "true where agreement is below the rule's floor",
    },
    counts=("numerator", "denominator"),
    shares=(Share(),),
    derived=("flagged",),
)
SWAPS_TABLE = TableSpec(
    "swaps",
    "Pairs of categories that swap most",
    "characteristic and pair of categories",
    {
        "characteristic": "name",
        "label": "characteristic as people read it",
        "first": "one category",
        "second": "the other category",
        "people": "people with recordings of both and no third",
    },
    counts=("people",),
)
OBSERVED_TABLE = TableSpec(
    "observed",
    "The person's own value against the observer's",
    "characteristic, own group and observed group",
    {
        "characteristic": "name",
        "label": "characteristic as people read it",
        "own": "group of the person's own value; Not known is a row",
        "observed": "group that an observer recorded",
        "records": "records",
    },
    counts=("records",),
)
STEPS_TABLE = TableSpec(
    "steps",
    "What each step of the person rule changed",
    "characteristic and step",
    {
        "characteristic": "name",
        "label": "characteristic as people read it",
        "step": "carry_back, self_first, overridden or conflict",
        "meaning": "what the step does",
        "changed": "values changed",
        "unit": "people or records",
    },
    counts=("changed",),
)
FLAGS_TABLE = TableSpec(
    "flags",
    "Quality flags",
    "flag",
    {
        "flag": "name of the rule",
        "characteristic": "name",
        "label": "characteristic as people read it",
        "place": "site or group it is about; empty for the whole",
        "numerator": "people or records",
        "denominator": "people or records",
        "value": "share, fraction",
        "lower": "lower Wilson limit",
        "upper": "upper Wilson limit",
        "compared_with": "the rule's threshold or the Census's share",
        "finding": "what was found, in words",
        "why": "why it matters",
    },
    counts=("numerator", "denominator"),
    shares=(Share(),),
)
FIGURES_TABLE = TableSpec(
    "figures",
    "Figures that criteria rest on",
    "figure",
    {
        "figure": "name",
        "label": "what it is, in words",
        "family": "criterion family it serves",
        "unit": "people, records or points of care",
        **_SHARE_COLUMNS,
        "measured": "false: it could not be measured",
        "reason": "why it could not be measured",
    },
    counts=("numerator", "denominator"),
    shares=(Share(),),
)
CRITERIA_TABLE = TableSpec(
    "criteria",
    "Every criterion",
    "criterion",
    {
        "criterion_id": "level, area, tier and number",
        "area": "area of the matrix",
        "tier": "tier it belongs to",
        "criterion": "wording",
        "required": "core blocks the tier; example and optional do not",
        "evidence_type": "attested, measured or computed",
        "outcome": "met, not met or not assessed",
        "rests_on": "measured, attested, or empty",
        "outcome_other_reading": "the outcome with declined answers read the other way",
        "figure": "figure it rests on",
        "numerator": "people or records",
        "denominator": "people or records",
        "value": "share, fraction",
        "lower": "lower Wilson limit",
        "upper": "upper Wilson limit",
        "threshold": "what it is held against",
        "unit": "of the counts",
        "evidence": "document, or how the figure was made",
        "owner": "role that answers for an attestation",
        "date": "day of the evidence",
        "link": "where the evidence is kept",
        "review": "day it is to be reviewed",
        "reason": "why it is not met or not assessed",
    },
    counts=("numerator", "denominator"),
    shares=(Share(),),
)
AREAS_TABLE = TableSpec(
    "areas",
    "Tier of each area",
    "area of the matrix",
    {
        "area_code": "four letters",
        "area": "area",
        "step": "step of the route map",
        "data_domain": "true for the three data areas",
        "tier": "tier with measures and attestations",
        "tier_measured": "tier with measures only; attested criteria that are met are left out of the question",
        "tier_other_reading": "tier with declined answers read the other way",
        "met": "criteria met",
        "not_met": "criteria not met",
        "not_assessed": "criteria not assessed",
        "criteria": "criteria in all",
        "rests_on_attestation": "true where the tier rests on attestations alone",
    },
)
STEPS_TO_LIFT_TABLE = TableSpec(
    "next_steps",
    "What would lift the tier",
    "criterion in the way of the next tier",
    {
        "order": "order of work",
        "criterion_id": "criterion",
        "area": "area",
        "tier": "tier it blocks",
        "outcome": "not met or not assessed",
        "needed": "people (or other units) who would have to change",
        "unit": "unit of needed",
        "what": "what each of them needs",
        "places": "where they are",
        "action": "what to do, in words, without numbers",
    },
    counts=("needed",),
)
NEEDS_TABLE = TableSpec(
    "needs",
    "People without a known value, by the site of their latest contact",
    "characteristic and site",
    {
        "characteristic": "name, or joint",
        "label": "characteristic as people read it",
        "site": "site of the latest contact",
        "people": "people without a known value",
    },
    counts=("people",),
)
IDENTIFIERS_TABLE = TableSpec(
    "identifiers",
    "Columns that look like direct identifiers",
    "column and kind",
    {
        "column": "name of the column",
        "kind": "kind of identifier",
        "evidence": "by its name or by its content",
        "share": "share of sampled values that look like one, fraction",
    },
)

SPECS: Mapping[str, TableSpec] = {
    spec.name: spec
    for spec in (
        STATUSES_TABLE,
        COMPLETENESS_TABLE,
        BREAKDOWN_TABLE,
        CATEGORIES_TABLE,
        CODES_TABLE,
        POINTS_TABLE,
        VERIFICATION_TABLE,
        AGREEMENT_TABLE,
        SWAPS_TABLE,
        OBSERVED_TABLE,
        STEPS_TABLE,
        FLAGS_TABLE,
        FIGURES_TABLE,
        CRITERIA_TABLE,
        AREAS_TABLE,
        STEPS_TO_LIFT_TABLE,
        NEEDS_TABLE,
        IDENTIFIERS_TABLE,
    )
}


def shape(frame: pd.DataFrame, spec: TableSpec) -> pd.DataFrame:
    """A frame with exactly the columns of its specification, in order, rows numbered from 0.

    Raises EquityDataError where a column is missing: a fault of ours, not of the data.
    """
    absent = [column for column in spec.columns if column not in frame.columns]
    if absent:
        raise EquityDataError(f"Table '{spec.name}' lacks the column '{absent[0]}'.")
    return frame[list(spec.columns)].reset_index(drop=True)


def empty(spec: TableSpec) -> pd.DataFrame:
    """A table without rows."""
    return pd.DataFrame(columns=list(spec.columns))


def with_shares(frame: pd.DataFrame, *, confidence: float, share: Share | None = None) -> pd.DataFrame:
    """The frame with value, lower and upper worked out from its two counts.

    A denominator of 0 or a missing count gives missing, never 0.
    """
    share = share or Share()
    numerator = pd.to_numeric(frame[share.numerator], errors="coerce").to_numpy(dtype=float)
    denominator = pd.to_numeric(frame[share.denominator], errors="coerce").to_numpy(dtype=float)
    lower, upper = wilson(numerator, denominator, confidence=confidence)
    with np.errstate(invalid="ignore", divide="ignore"):
        value = np.where(denominator > 0, numerator / denominator, np.nan)
    return frame.assign(**{share.value: value, share.lower: lower, share.upper: upper})
