"""Sentences and recorded text as they are written: small counts in words, and texts of few records kept back."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pandas as pd

from equitydata.release.naming_outcomes import SHARE
from equitydata.release.rounding import round_count
from equitydata.release.smallness import small_rows
from equitydata.rulebook import DisclosureRule
from equitydata.tables import TableSpec

FEW = "[values held by few records]"


def release_words(words: str, rule: DisclosureRule, *, of: str = "records") -> str:
    """A sentence whose counts obey the rule: "(12 records)" is rounded, "(3 records)" is "few".

    of : what the sentence counts, records or people.
    """

    def shown(count: re.Match[str]) -> str:
        rounded = round_count(int(count[1].replace(",", "")), rule)
        return f"few {of}" if rounded is None else f"{rounded:,} {of}"

    return _COUNTED[of].sub(shown, words) if rule.hide_up_to else words


_COUNTED = {
    "records": re.compile(r"\b(\d[\d,]*) records?\b"),
    "people": re.compile(r"(?<![\d.])(\d[\d,]*) (?:people|person)\b"),
}


def released_words(frame: pd.DataFrame, spec: TableSpec, rule: DisclosureRule) -> pd.DataFrame:
    """A table without counts, whose sentences may count people."""
    if spec.name != "population_checks" or frame.empty:
        return frame.copy()
    return frame.assign(finding=[release_words(str(words), rule, of="people") for words in frame["finding"]])


# A group of fewer people in which everyone is alike tells of each of them.
SMALL_GROUP = 20


def whole_groups(tables: Mapping[str, pd.DataFrame]) -> tuple[str, ...]:
    """A warning where nobody or everybody of a small group that is shown has an outcome; empty where there is none.

    tables : as they are written.
    """
    found: dict[str, int] = {}
    for name in ("outcomes", "trends"):
        frame = tables.get(name)
        if frame is None or frame.empty:
            continue
        met, of = pd.to_numeric(frame["numerator"]), pd.to_numeric(frame["denominator"])
        alike = (frame["statistic"] == SHARE) & (of > 0) & (of < SMALL_GROUP) & ((met == 0) | (met == of))
        for label, number in frame.loc[alike, "measure_label"].value_counts(sort=False).items():
            found[str(label)] = found.get(str(label), 0) + int(number)
    if not found:
        return ()
    measures = ", ".join(found)
    return (
        f"In {sum(found.values()):,} rows nobody, or everybody, of a group of fewer than {SMALL_GROUP} has the outcome "
        f"({measures}): that tells it of each of them. Look before you share.",
    )


def keep_back_text(frame: pd.DataFrame, spec: TableSpec, rule: DisclosureRule) -> pd.DataFrame:
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
