"""Result -> a result fit to share: the last step before anything is written.

Counts are hidden whole: a row whose count is small, or whose complement is, loses every count and all that
was worked out from it, and says so in its column `hidden`. The other counts are rounded, and shares and limits
are worked out again from what is shown. A table is covered by its specification in `tables`. Numbers of places
(points of care) are neither people nor records and stay as they are.

What is protected. No count of 1 to the rule's limit is written, nor a share, limit or flag that rests on one.
Where the rows of a characteristic add up to a total that is shown (`statuses`, `categories`), no hidden count
stands alone, nor beside others so small that their sum is below the limit: the next smallest is hidden too.

What is not yet protected. Tables overlap, and no search over all of them is made for a hidden count that
others give away. The measures of `completeness` are nested in each other and in `statuses`, groups hold
categories, the groups of a dimension add up to the whole, and recorded values (`codes`) add up to the records
of a status; the difference of two rounded counts then gives a hidden one up to rounding, and the rows read and
used are written exactly. Outcomes, tiers and the words of flags and steps rest on true counts; a threshold that
is met or missed by a hair says on which side of it a rounded share lies. `none` hides and rounds nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from equitydata.figures import PLACES
from equitydata.result import HIDDEN, MATURITY_TABLES, EquityResult
from equitydata.rulebook import DisclosureRule, disclosure_rule
from equitydata.tables import SPECS, TableSpec, with_shares

FEW = "[values held by few records]"
# Table -> the columns that its rows add up within, and the counts that add up there.
ADDS_UP: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "statuses": (("characteristic",), ("people", "records", "records_carried_back")),
    "categories": (("characteristic", "level"), ("numerator",)),
}


def release(result: EquityResult, rule: str | None = None) -> EquityResult:
    """A result whose every count obeys a small-number rule.

    rule : name of a rule of rules/disclosure.toml; the service's choice when left out.
    A released result is given back unchanged. Raises ConfigError for an unknown rule.
    """
    if result.disclosure:
        return result
    chosen = disclosure_rule(rule or result.choices["disclosure"].value)
    confidence = float(result.choices["confidence"].value)

    def released(name: str, frame: pd.DataFrame) -> pd.DataFrame:
        return release_table(frame, SPECS[name], chosen, confidence=confidence)

    tables = {name: released(name, frame) for name, frame in result.tables.items()}
    own = {name: released(name, getattr(result.maturity, name)) for name in MATURITY_TABLES}
    every = {**tables, **own}
    return replace(
        result,
        about=replace(result.about, people=round_count(result.about.people, chosen)),
        tables=tables,
        maturity=replace(
            result.maturity, criteria=own["criteria"], areas=own["areas"], next_steps=own["next_steps"]
        ),
        notes=tuple(release_words(note, chosen) for note in result.notes),
        disclosure=chosen.name,
        hidden_cells={name: int(frame[HIDDEN].sum()) for name, frame in every.items() if HIDDEN in frame},
    )


def release_table(
    frame: pd.DataFrame, spec: TableSpec, rule: DisclosureRule, *, confidence: float
) -> pd.DataFrame:
    """One table under a rule: hidden rows blanked whole, other counts rounded, shares worked out again.

    frame : of true counts, shape as the specification says. Never changed.
    Returns the columns of the specification, and `hidden` where the table holds counts.
    """
    if not spec.counts:
        return frame.copy()
    if spec.text:
        frame = _keep_back_text(frame, spec, rule)
    hidden, places = hidden_rows(frame, spec, rule), _counts_places(frame)
    shown = frame.copy()
    for column in spec.counts:
        numbers = pd.to_numeric(shown[column], errors="coerce").astype("float64")
        shown[column] = round_counts(numbers, rule).where(~places, numbers).where(~hidden)
    for share in spec.shares:
        shown = with_shares(shown, confidence=confidence, share=share)
    for column in spec.derived:
        shown[column] = shown[column].astype("object").where(~hidden, None)
    return shown.assign(**{HIDDEN: hidden})


def hidden_rows(frame: pd.DataFrame, spec: TableSpec, rule: DisclosureRule) -> pd.Series:
    """Which rows are hidden: the small ones, and those without which a small one could be worked out."""
    hidden = small_rows(frame, spec, rule)
    keys, columns = ADDS_UP.get(spec.name, ((), ()))
    for column in columns:
        counts = pd.to_numeric(frame[column], errors="coerce").fillna(0)
        for _, rows in frame.groupby(list(keys), sort=False):
            hidden.loc[rows.index] = _not_alone(counts.loc[rows.index], hidden.loc[rows.index], rule)
    return hidden


def _not_alone(counts: pd.Series, hidden: pd.Series, rule: DisclosureRule) -> pd.Series:
    """Hidden rows of one sum, with the next smallest counts while what is hidden could be worked out.

    What is hidden together is the total less what is shown: known up to rounding. One row alone would be told
    by it, and so would several whose sum is small.
    """
    while (hidden & (counts > 0)).any():
        kept_back, shown = counts[hidden & (counts > 0)], counts[~hidden & (counts > 0)]
        if shown.empty or (len(kept_back) > 1 and kept_back.sum() > rule.hide_up_to):
            break
        hidden = hidden | (hidden.index == shown.idxmin())
    return hidden


def release_words(words: str, rule: DisclosureRule) -> str:
    """A sentence whose counts of records obey the rule: "(12 records)" is rounded, "(3 records)" is "few"."""

    def shown(count: re.Match[str]) -> str:
        rounded = round_count(int(count[1].replace(",", "")), rule)
        return "few records" if rounded is None else f"{rounded:,} records"

    return _COUNTED_RECORDS.sub(shown, words) if rule.hide_up_to else words


_COUNTED_RECORDS = re.compile(r"\b(\d[\d,]*) records?\b")


def small_rows(frame: pd.DataFrame, spec: TableSpec, rule: DisclosureRule) -> pd.Series:
    """Which rows hold a small count of people or records, or a small complement of one within its whole."""
    hidden = pd.Series(False, index=frame.index)
    columns = [pd.to_numeric(frame[column], errors="coerce") for column in spec.counts]
    for share in spec.shares:
        numerator = pd.to_numeric(frame[share.numerator], errors="coerce")
        columns.append(pd.to_numeric(frame[share.denominator], errors="coerce") - numerator)
    for values in columns:
        hidden |= ((values > 0) & (values <= rule.hide_up_to)).fillna(False)
    return hidden & ~_counts_places(frame)


def _counts_places(frame: pd.DataFrame) -> pd.Series:
    """Which rows count places, which may be told."""
    return frame["unit"] == PLACES if "unit" in frame else pd.Series(False, index=frame.index)


def round_counts(values: pd.Series, rule: DisclosureRule) -> pd.Series:
    """Counts to the nearest multiple of the rule's base, halves up; missing stays missing."""
    numbers = pd.to_numeric(values, errors="coerce").astype("float64").to_numpy()
    return pd.Series(np.floor(numbers / rule.round_to + 0.5) * rule.round_to, index=values.index)


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
