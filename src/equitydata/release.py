"""Result -> a result fit to share: the last step before anything is written.

Counts are hidden whole: a row whose count is small, or whose complement is, loses every count and all that
was worked out from it, and says so in its column `hidden`. The other counts are rounded, and shares and limits
are worked out again from what is shown. A table is covered by its specification in `tables`.

Statistics and tiers were decided on the true counts. What this step does not yet do is search all tables
together for a hidden count that could be worked out from others; `docs/disclosure.md` says what that means.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from equitydata.result import HIDDEN, MATURITY_TABLES, EquityResult
from equitydata.rulebook import DisclosureRule, disclosure_rule
from equitydata.tables import SPECS, TableSpec, with_shares

FEW = "[values held by few records]"


def release(result: EquityResult, rule: str | None = None) -> EquityResult:
    """A result whose every count obeys a small-number rule.

    rule : name of a rule of rules/disclosure.toml; the service's choice when left out.
    A released result is given back unchanged. Raises ConfigError for an unknown rule.
    """
    if result.disclosure:
        return result
    chosen = disclosure_rule(rule or result.choices["disclosure"].value)
    confidence = float(result.choices["confidence"].value)
    tables = {
        name: release_table(frame, SPECS[name], chosen, confidence=confidence) for name, frame in result.tables.items()
    }
    frames = {
        name: release_table(getattr(result.maturity, name), SPECS[name], chosen, confidence=confidence)
        for name in MATURITY_TABLES
    }
    hidden = {name: int(frame[HIDDEN].sum()) for name, frame in {**tables, **frames}.items() if HIDDEN in frame}
    return replace(
        result,
        about=replace(result.about, people=round_count(result.about.people, chosen)),
        tables=tables,
        maturity=replace(result.maturity, **frames),
        disclosure=chosen.name,
        hidden_cells=hidden,
    )


def release_table(
    frame: pd.DataFrame, spec: TableSpec, rule: DisclosureRule, *, confidence: float
) -> pd.DataFrame:
    """One table under a rule: hidden rows blanked whole, other counts rounded, shares worked out again.

    Returns the columns of the specification, and `hidden` where the table holds counts.
    """
    if not spec.counts:
        return frame.copy()
    if spec.text:
        frame = _keep_back_text(frame, spec, rule)
    hidden = small_rows(frame, spec, rule)
    shown = frame.copy()
    for column in spec.counts:
        shown[column] = round_counts(shown[column], rule).where(~hidden)
    for share in spec.shares:
        shown = with_shares(shown, confidence=confidence, share=share)
    for column in spec.derived:
        shown[column] = shown[column].astype("object").where(~hidden, None)
    return shown.assign(**{HIDDEN: hidden})


def small_rows(frame: pd.DataFrame, spec: TableSpec, rule: DisclosureRule) -> pd.Series:
    """Which rows hold a small count, or a small complement of one within its denominator."""
    hidden = pd.Series(False, index=frame.index)
    columns = [pd.to_numeric(frame[column], errors="coerce") for column in spec.counts]
    for share in spec.shares:
        numerator = pd.to_numeric(frame[share.numerator], errors="coerce")
        columns.append(pd.to_numeric(frame[share.denominator], errors="coerce") - numerator)
    for values in columns:
        hidden |= ((values > 0) & (values <= rule.hide_up_to)).fillna(False)
    return hidden


def round_counts(values: pd.Series, rule: DisclosureRule) -> pd.Series:
    """Counts to the nearest multiple of the rule's base, halves up; missing stays missing."""
    numbers = pd.to_numeric(values, errors="coerce").astype("float64")
    return np.floor(numbers / rule.round_to + 0.5) * rule.round_to


def round_count(value: int | None, rule: DisclosureRule) -> int | None:
    """One count as `round_counts` gives it; None for a small one, which is hidden."""
    if value is None or 0 < value <= rule.hide_up_to:
        return None
    return int(np.floor(value / rule.round_to + 0.5) * rule.round_to)


def _keep_back_text(frame: pd.DataFrame, spec: TableSpec, rule: DisclosureRule) -> pd.DataFrame:
    """Recorded text held by few records becomes one row per status: text could name a person."""
    count = spec.counts[0]
    few = small_rows(frame, spec, rule)
    if not few.any():
        return frame
    keys = ["characteristic", "status"]
    sums = frame[few].groupby(keys, sort=False)[count].sum().reset_index()
    blank = {column: "" for column in spec.columns if column not in (*keys, count)}
    merged = sums.assign(**{**blank, spec.text[0]: FEW})
    return pd.concat([frame[~few], merged[list(spec.columns)]], ignore_index=True)
