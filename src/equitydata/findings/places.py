"""Places, changes and completeness -> findings."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.stats import norm

from equitydata.completeness import JOINT
from equitydata.findings.nesting import wider
from equitydata.findings.words import (
    HARM,
    Row,
    Tables,
    crude_rest,
    finding_rules,
    harm_of,
    joined,
    lower_first,
    named,
    number,
    numbers,
    place_of,
    rows_of,
    stratum_of,
    text,
    who,
    words,
    words_if_any,
)
from equitydata.rulebook import Rulebook, characteristics
from equitydata.service import Measure
from equitydata.stats.many_groups import adjust
from equitydata.strata import ALL

# Dimension of the completeness breakdown -> the characteristic that its groups are of.
DIMENSIONS: Mapping[str, str] = {"age_band": "age"}


def place_findings(tables: Tables, measures: Mapping[str, Measure]) -> list[Row]:
    """Places beyond the outer limits of the funnel."""
    found = []
    outer = tables["places"][tables["places"]["position"].isin(finding_rules()["place"]["listed"])]
    for row in rows_of(outer):
        measure = measures.get(text(row["measure"]))
        direction = 1 if text(row["position"]) == "much higher" else -1
        harm = harm_of(measure, direction)
        allowed = text(row["position_overdispersed"])
        judged = allowed not in ("", "not assessed")
        holds = not judged or allowed in finding_rules()["place"]["listed"]
        kind = ("place_harm" if harm == HARM else "place") if holds else "could_not_tell"
        value, average = number(row["value"]), number(row["average"])
        title = words("place", "high" if direction > 0 else "low", measure=text(row["measure_label"]))
        said = [
            f"{text(row['place'])}: {title}.",
            words_if_any("harm", harm).replace("group", "people seen there"),
        ]
        if judged:
            said.append(words("place", "overdispersed" if holds else "not_overdispersed"))
        found.append(
            {
                "about": "place",
                "class": kind,
                "measure": text(row["measure"]),
                "measure_label": text(row["measure_label"]),
                "characteristic": text(row["by"]),
                "label": text(row["by"]).replace("_", " ").capitalize(),
                "level": "",
                "category": text(row["place"]),
                "comparator": "the average of all places",
                "flag": text(row["position"]),
                "harm": harm,
                "people": number(row["people"]),
                "statistic": text(row["statistic"]),
                "numerator": number(row["numerator"]),
                "denominator": number(row["denominator"]),
                "value": value,
                "comparator_value": average,
                "difference": value - average,
                "ratio": value / average if average > 0 else math.nan,
                "adjustment": words("place", "mix"),
                "finding": joined([*said, words("prompt")]),
                "look": finding_rules()["look"]["place"],
            }
        )
    return found


def change_findings(tables: Tables, measures: Mapping[str, Measure], rulebook: Rulebook) -> list[Row]:
    """Gaps that moved, and whole measures that did: clear after adjusting for the groups looked at, and large."""
    changes = tables["changes"]
    if changes.empty:
        return []
    known = {place_of(row, "measure") for row in rows_of(crude_rest(tables["comparisons"]))}
    whole = changes["characteristic"] == ALL
    places = pd.Series([place_of(row, "measure") in known for row in rows_of(changes)], index=changes.index)
    confidence = float(rulebook.value("confidence"))
    found = []
    for frame, what, ratio in (
        (changes[whole], "change", "relative_change"),
        (changes[~whole & places], "gap_change", "ratio_change"),
    ):
        for row in rows_of(frame[_moved(frame, what, ratio, confidence)]):
            found.append(_change(row, what, ratio, measures.get(text(row["measure"]))))
    return _once_per_group(found)


def _moved(frame: pd.DataFrame, what: str, ratio: str, confidence: float) -> pd.Series:
    rules = finding_rules()["change"]
    value, low, high = (numbers(frame[f"{what}{end}"]) for end in ("", "_lower", "_upper"))
    # Limits need not be symmetric: the one towards no change tells how sure the change is.
    half = np.where(value > 0, value - low, high - value)
    with np.errstate(invalid="ignore", divide="ignore"):
        z = np.abs(value) / half * norm.ppf(0.5 + confidence / 2)
    p = np.where(np.isnan(z), np.nan, 2 * norm.sf(z))
    family = frame.groupby(["measure", "characteristic"], sort=False).ngroup().to_numpy(dtype=int)
    evident = adjust(p, method="bh", family=family).adjusted < rules["alpha"]
    ratios = numbers(frame[ratio])
    with np.errstate(invalid="ignore", divide="ignore"):
        # A hundredth of a millionth: 1.25 from 0.5 / 0.4 is not quite 1.25 in a computer.
        large = np.isnan(ratios) | (np.abs(np.log(ratios)) >= math.log(rules["smallest"]) - 1e-8)
    return pd.Series(evident & large, index=frame.index)


def _change(row: Row, what: str, ratio: str, measure: Measure | None) -> Row:
    first, last = text(row["first_period"]), text(row["last_period"])
    before = number(row["first" if what == "change" else "gap_first"])
    after = number(row["last" if what == "change" else "gap_last"])
    moved = harm_of(measure, int(np.sign(number(row[what]))))
    if what == "change":
        flag, harm, comparator = (
            ("rose" if after > before else "fell"),
            moved,
            words("change", "comparator_all", first=first),
        )
    else:
        comparator = words("change", "comparator_gap", first=first)
        flag = "turned" if before * after < 0 else ("widened" if abs(after) > abs(before) else "narrowed")
        worse_off = harm_of(measure, int(np.sign(after if moved == HARM else before))) == HARM
        harm = moved if worse_off else ""
    title = words("change", flag, measure=text(row["measure_label"]), first=first, last=last)
    said = [f"{who(row)}: {title}."]
    if row["opposite"] is True or text(row["opposite"]) == "True":
        said.append(words("change", "opposite"))
    return {
        **stratum_of(row),
        "about": "change",
        "class": "change_harm" if harm == HARM else "change",
        "measure": text(row["measure"]),
        "measure_label": text(row["measure_label"]),
        "comparator": comparator,
        "flag": flag,
        "harm": harm,
        "people": number(row["people"]),
        "value": after,
        "comparator_value": before,
        **{f"difference{end}": number(row[f"{what}{end}"]) for end in ("", "_lower", "_upper")},
        **{f"ratio{end}": number(row[f"{ratio}{end}"]) for end in ("", "_lower", "_upper")},
        "finding": joined([*said, words("prompt")]),
        "look": finding_rules()["look"]["change"],
    }


def _once_per_group(rows: list[Row]) -> list[Row]:
    """Of a group and the wider ones that hold it, the wider one; two halves of a whole, the one with harm."""
    kept: list[Row] = []
    for row in sorted(rows, key=lambda row: (row["harm"] != HARM, -row["people"], row["category"])):
        alike = [
            each
            for each in kept
            if (each["measure"], each["characteristic"]) == (row["measure"], row["characteristic"])
        ]
        holders = wider(row["characteristic"], row["level"], row["category"])
        parts = [wider(each["characteristic"], each["level"], each["category"]) for each in alike]
        group = (row["level"], row["category"])
        if not (
            any((each["level"], each["category"]) in holders for each in alike)
            or any(group in held for held in parts)
            or any(math.isclose(each["difference"], -row["difference"], abs_tol=1e-9) for each in alike)
        ):
            kept.append(row)
    return kept


# ---------------------------------------------------------------- completeness


def completeness_findings(tables: Tables) -> list[Row]:
    """Groups of whom things are known less often: one finding per group, naming what."""
    breakdown = tables["breakdown"]
    flagged = breakdown[breakdown["flagged"].isin([True])]
    here = tables["completeness"]
    whole = {
        (text(row["characteristic"]), text(row["unit"])): number(row["value"])
        for row in rows_of(here[here["measure"] == "known"])
    }
    found = []
    for (by, group), frame in flagged.groupby(["by", "group"], sort=False):
        # People rather than records, and ethnicity and language together before either.
        order = frame.assign(
            first=frame["unit"].ne("people"),
            gap=[
                number(row["value"]) - whole.get((text(row["characteristic"]), text(row["unit"])), math.nan)
                for row in rows_of(frame)
            ],
            joint=frame["characteristic"].ne(JOINT),
        ).sort_values(["first", "joint", "gap"], kind="stable")
        row = rows_of(order)[0]
        value, all_ = (
            number(row["value"]),
            whole.get((text(row["characteristic"]), text(row["unit"])), math.nan),
        )
        name = DIMENSIONS.get(str(by), str(by))
        label = (
            characteristics()[name].label
            if name in characteristics()
            else name.replace("_", " ").capitalize()
        )
        stratum = {"characteristic": name, "label": label, "level": "", "category": str(group)}
        fields = list(dict.fromkeys(lower_first(text(each["label"])) for each in rows_of(order)))
        known = words("completeness", "finding", who=who(stratum), fields=named(fields))
        base = number(row["denominator"])
        found.append(
            {
                **stratum,
                "about": "completeness",
                "class": "completeness",
                "measure": "",
                "measure_label": f"{text(row['label'])} known",
                "comparator": words("completeness", "comparator"),
                "flag": "flagged",
                "harm": "",
                "people": base if row["unit"] == "people" else math.nan,
                "statistic": "share",
                "numerator": number(row["numerator"]),
                "denominator": base,
                "value": value,
                "comparator_value": all_,
                "difference": value - all_,
                "ratio": value / all_ if all_ > 0 else math.nan,
                "finding": joined([f"{known}.", words("completeness", "why")]),
                "look": finding_rules()["look"]["completeness"],
            }
        )
    return found
