"""Tables of the analysis -> a ranked list of findings in plain words. A prompt to look, not proof.

What becomes a finding, in which order and in which words is decided in `rules/findings.toml`, with reasons.
The words hold no number that rests on people: numbers stand in columns, where the small-number rule reaches them.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from equitydata.findings.heard import heard_findings, heard_words, themes_of, unheard_findings
from equitydata.findings.outcomes import NUMBERS, not_enough_findings, outcome_findings
from equitydata.findings.places import change_findings, completeness_findings, place_findings
from equitydata.findings.residents import representation_findings
from equitydata.findings.words import (
    Row,
    Tables,
    finding_rules,
    numbers,
    rows_of,
)
from equitydata.rulebook import Rulebook
from equitydata.service import Measure
from equitydata.tables import (
    BREAKDOWN_TABLE,
    CHANGES_TABLE,
    COMPARISONS_TABLE,
    COMPLETENESS_TABLE,
    FINDINGS_TABLE,
    LISTENING_GAPS_TABLE,
    PLACES_TABLE,
    REPRESENTATION_TABLE,
    THEMES_TABLE,
    UNKNOWNS_TABLE,
    empty,
    shape,
)

_READ = (
    BREAKDOWN_TABLE,
    CHANGES_TABLE,
    COMPARISONS_TABLE,
    COMPLETENESS_TABLE,
    LISTENING_GAPS_TABLE,
    PLACES_TABLE,
    REPRESENTATION_TABLE,
    THEMES_TABLE,
    UNKNOWNS_TABLE,
)


def findings_table(
    tables: Mapping[str, pd.DataFrame], measures: Mapping[str, Measure], rulebook: Rulebook
) -> pd.DataFrame:
    """Every finding, the most pressing first. Shape: FINDINGS_TABLE, one row per finding.

    tables : name -> table of true counts, as the analysis made them; those that are absent add nothing. Read are
        comparisons, unknowns, representation, places, changes, breakdown, completeness, themes, listening_gaps.
    measures : of the service file; a measure that it does not hold is worded without its unit.
    A flagged group is a prompt to look and proves neither unfairness nor a cause; the words say so.
    """
    given: Tables = {spec.name: tables.get(spec.name, empty(spec)) for spec in _READ}
    rows = [
        *outcome_findings(given, measures, rulebook),
        *representation_findings(given, rulebook),
        *place_findings(given, measures),
        *change_findings(given, measures, rulebook),
        *completeness_findings(given),
        *not_enough_findings(given),
    ]
    rows += [*heard_findings(given, measures, rows), *unheard_findings(given)]
    return _ranked(rows, given)


# ---------------------------------------------------------------- rank


def _ranked(rows: list[Row], tables: Tables) -> pd.DataFrame:
    """Rows in the order of their classes and scores, with what was heard of the same group."""
    if not rows:
        return empty(FINDINGS_TABLE)
    columns = [*FINDINGS_TABLE.columns, "class", "left"]
    frame = pd.DataFrame(rows).reindex(columns=columns)
    numeric = list(NUMBERS)
    frame[numeric] = frame[numeric].apply(pd.to_numeric, errors="coerce")
    texts = [column for column in columns if column not in numeric]
    frame[texts] = frame[texts].astype("object").where(frame[texts].notna(), "")
    frame["heard"] = [heard_words(themes_of(tables["themes"], row)) for row in rows_of(frame)]
    order = {name: place for place, name in enumerate(finding_rules()["classes"]["order"])}
    frame = frame.assign(rank=frame["class"].map(order), score=finding_scores(frame))
    frame = frame.sort_values(
        ["rank", "score", "measure", "characteristic", "category"],
        ascending=[True, False, True, True, True],
        kind="stable",
    )
    return shape(frame.assign(order=np.arange(1, len(frame) + 1)), FINDINGS_TABLE)


def finding_scores(frame: pd.DataFrame) -> np.ndarray:
    """How pressing each row is within its class: certainty, size, people affected and robustness.

    frame : columns of FINDINGS_TABLE, and `left`: what is left of each with age and sex, as keys.
    Returns shape (rows,); larger is more pressing. See rules/findings.toml.
    """
    rules = finding_rules()["score"]
    ratio, low, high, gap, people = (
        numbers(frame[name]) for name in ("ratio", "ratio_lower", "ratio_upper", "difference", "people")
    )
    most = rules["most_size"]
    with np.errstate(invalid="ignore", divide="ignore"):
        size = np.minimum(np.abs(np.log(ratio)), most)
        sure = np.where(low > 1, np.log(low), np.where(high < 1, -np.log(high), 0.0))
        lost = 1 - np.minimum(ratio, 1 / ratio)
        excess = people * np.where(frame["statistic"] == "share", np.abs(gap), lost)
    size, sure, excess = (np.nan_to_num(values, nan=0.0, posinf=most) for values in (size, sure, excess))
    robust = (
        frame["robustness"].map(rules["robustness"]).fillna(rules["robustness"]["none"]).to_numpy(dtype=float)
    )
    weights = rules["left"]
    left = [min((weights[key] for key in keys), default=weights["none"]) for keys in frame["left"]]
    amount = (
        rules["certainty"] * np.minimum(sure, most)
        + rules["size"] * size
        + rules["people"] * np.log10(1 + np.maximum(excess, 0))
    )
    return np.asarray(robust * np.asarray(left) * amount)
