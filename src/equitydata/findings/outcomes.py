"""Comparisons -> findings on outcomes: who is listed, in which words, and what adjustment does to them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import pandas as pd

from equitydata.comparison.adjusting import held_equal
from equitydata.findings.nesting import DIRECTIONS, Place, Seen, Told, by_family, explain_small, wider
from equitydata.findings.words import (
    BENEFIT,
    HARM,
    Row,
    Tables,
    by_place_of,
    crude_rest,
    finding_rules,
    group_name,
    harm_of,
    joined,
    listed_by_flag,
    lower_first,
    mark,
    named,
    number,
    numbers,
    place_of,
    rows_of,
    side_of_one,
    stratum_of,
    text,
    told_words,
    who,
    words,
    words_if_any,
)
from equitydata.rulebook import Rulebook
from equitydata.service import Measure
from equitydata.stats.judgement.flags import (
    DIFFERENT_SMALL,
    INSUFFICIENT_DATA,
    UNCERTAIN,
)
from equitydata.strata import CROSS


def outcome_findings(tables: Tables, measures: Mapping[str, Measure], rulebook: Rulebook) -> list[Row]:
    """Groups against the rest: what is flagged, what is clear but small, what could not be told."""
    every = tables["comparisons"]
    every = every[every["comparator"] == "rest"]
    crude = every[every["adjustment"] == "crude"]
    other = by_place_of(every[every["adjustment"] != "crude"], "measure")
    robust = tables["unknowns"]
    robustness = {
        place_of(row, "measure"): text(row["robustness"])
        for row in rows_of(robust[robust["of"] == "outcome"])
    }
    by_place = {place_of(row, "measure"): row for row in rows_of(crude)}
    seen = {place: _seen_outcome(row, measures) for place, row in by_place.items()}
    listed = listed_by_flag(seen.values(), rulebook)
    found = []
    for place, told in {**listed, **_weaker(seen)}.items():
        row, stratum = by_place[place], seen[place]
        measure, kind = measures.get(stratum.key), _outcome_class(stratum)
        found.append(
            {
                **stratum_of(row),
                "about": "outcome",
                "class": kind,
                "measure": stratum.key,
                "measure_label": text(row["measure_label"]),
                "comparator": words("rest", label=lower_first(text(row["label"]))),
                "flag": stratum.flag,
                "harm": stratum.harm,
                **{name: number(row[name]) for name in NUMBERS},
                "statistic": text(row["statistic"]),
                "robustness": robustness.get(place, ""),
                **adjustment_of(row, other.get(place, [])),
                "finding": _outcome_words(row, stratum, measure, told, robustness.get(place, "")),
                "look": _look(kind, measure.kind if measure else "outcome"),
            }
        )
    return [*found, *_hidden_by_age(every, seen, measures, robustness)]


def _hidden_by_age(
    every: pd.DataFrame,
    seen: Mapping[Place, Seen],
    measures: Mapping[str, Measure],
    robustness: Mapping[Place, str],
) -> list[Row]:
    """Groups flagged to their harm only when age and sex are held equal: the plain comparison hides it.

    Not of crossings, and not where a wider or narrower group shows it already, plainly or held equal too.
    """
    adjusted = every[(every["adjustment"] == "adjusted") & (every["harm"] == HARM)]
    adjusted = adjusted[~adjusted["characteristic"].str.contains(CROSS, regex=False)]
    flagged = by_family(each for each in seen.values() if each.flag in DIRECTIONS)
    found = []
    for row in rows_of(adjusted.sort_values("people", ascending=False, kind="stable")):
        place = place_of(row, "measure")
        direction = side_of_one(number(row["ratio"]))
        family = flagged.setdefault(place[:2], [])
        here = replace(seen[place], flag=text(row["flag"]), harm=HARM)
        # What is clear but small without the model is told as such, and not as hidden.
        if seen[place].flag in (*DIRECTIONS, DIFFERENT_SMALL) or any(
            _says_no_more(here, other) for other in family
        ):
            continue
        family.append(here)
        measure = measures.get(place[0])
        age, sex = held_equal(row["characteristic"])
        held = HELD[age, sex]
        equal = f"once {held} {'are' if age and sex else 'is'} held equal"
        found.append(
            {
                **stratum_of(row),
                "about": "outcome",
                "class": "outcome_hidden",
                "measure": place[0],
                "measure_label": text(row["measure_label"]),
                "comparator": words("rest", label=lower_first(text(row["label"]))),
                "flag": text(row["flag"]),
                "harm": HARM,
                **{name: number(row[name]) for name in NUMBERS},
                "statistic": f"adjusted {row['statistic']}",
                "robustness": robustness.get(place, ""),
                "adjustment": words("adjustment", "hidden", held=held),
                "left": ("now_clear",),
                "finding": joined(
                    [
                        f"{title_words(row, direction, measure)}, {equal}.",
                        words("hidden"),
                        words_if_any("harm", HARM),
                        words_if_any("robustness", robustness.get(place, "")),
                        _counted_words(measure),
                        words("prompt"),
                    ]
                ),
                "look": _look("outcome", measure.kind if measure else "outcome"),
            }
        )
    return found


HELD = {(True, True): "age and sex", (True, False): "age", (False, True): "sex", (False, False): ""}
LIMITED = ("difference", "difference_lower", "difference_upper", "ratio", "ratio_lower", "ratio_upper")
NUMBERS = (
    "people",
    "numerator",
    "denominator",
    "value",
    "comparator_value",
    *LIMITED,
    "detectable_low",
    "detectable_high",
)


def _seen_outcome(row: Row, measures: Mapping[str, Measure]) -> Seen:
    """A comparison as `explain` reads it. Sums of values stand for counts where the measure is a mean.

    Harm of what is small or uncertain follows from the side of the ratio, since its flag has no direction.
    """
    value, base = number(row["value"]), number(row["denominator"])
    counted = number(row["numerator"])
    total = counted if not math.isnan(counted) else value * base
    if row["statistic"] == "quantile":
        total = math.nan
    rest = (number(row["comparator_value"]), number(row["comparator_denominator"]))
    ratio, flag, harm = number(row["ratio"]), text(row["flag"]), text(row["harm"])
    if flag in (DIFFERENT_SMALL, UNCERTAIN) and not harm:
        harm = harm_of(measures.get(text(row["measure"])), side_of_one(ratio))
    return Seen(
        key=text(row["measure"]),
        characteristic=text(row["characteristic"]),
        level=text(row["level"]),
        category=text(row["category"]),
        flag=flag,
        harm=harm,
        people=number(row["people"]) if not math.isnan(number(row["people"])) else 0.0,
        ratio=ratio,
        observed=total,
        expected=number(row["comparator_value"]) * base,
        same=mark(value, base),
        rest=mark(*rest),
    )


def _weaker(seen: Mapping[Place, Seen]) -> dict[Place, Told]:
    """Different but small, and large but uncertain: not of crossings nor to an advantage, and once for one group.

    A group whose wider or narrower group is flagged or listed already, the same way, adds nothing.
    """
    rules = finding_rules()
    limits, levels = rules["could_not_tell"], rules["levels"]
    small = explain_small(
        seen.values(),
        flag=DIFFERENT_SMALL,
        preferred=tuple(levels["same_people_preferred"]),
        part=levels["part_left"],
    )
    large = [
        place
        for place, each in seen.items()
        if each.flag == UNCERTAIN
        and CROSS not in each.characteristic
        and each.characteristic not in limits["not_of"]
        and (each.ratio <= limits["low"] or each.ratio >= limits["high"])
    ]
    taken = by_family(each for each in seen.values() if each.flag in DIRECTIONS)
    found: dict[Place, Told] = {}
    for several, keep_relatives in ((small, True), ({place: Told() for place in large}, False)):
        listed: list[Seen] = []
        # The wider group first: its parts then add nothing.
        for place in sorted(several, key=lambda p: (seen[p].harm != HARM, -seen[p].people, p)):
            each = seen[place]
            family = taken.setdefault(place[:2], [])
            if each.harm != BENEFIT and not any(_says_no_more(each, other) for other in family):
                found[place] = several[place]
                (listed if keep_relatives else family).append(each)
        for each in listed:
            taken[(each.key, each.characteristic)].append(each)
    return found


def _says_no_more(each: Seen, other: Seen) -> bool:
    """True where the other is of the same people, a wider or a narrower group, or the group's own rest.

    Both are of one measure and characteristic.
    """
    if each.rest and each.rest == other.same:
        return True
    if each.direction != other.direction:
        return False
    same = bool(each.same) and each.same == other.same
    return (
        same
        or other.group in wider(each.characteristic, each.level, each.category)
        or each.group in wider(other.characteristic, other.level, other.category)
    )


def _outcome_class(seen: Seen) -> str:
    if seen.flag in DIRECTIONS:
        return {HARM: "outcome_harm", BENEFIT: "outcome_benefit"}.get(seen.harm, "outcome")
    kind = "different_small" if seen.flag == DIFFERENT_SMALL else "could_not_tell"
    return f"{kind}_harm" if seen.harm == HARM else kind


def _outcome_words(row: Row, seen: Seen, measure: Measure | None, told: Told, robustness: str) -> str:
    sentences = [
        f"{title_words(row, seen.direction, measure)}.",
        words_if_any("flag", seen.flag),
        "" if seen.flag == UNCERTAIN else words_if_any("harm", seen.harm),
        *told_words(told),
        words_if_any("robustness", robustness),
        _counted_words(measure),
        words("prompt"),
    ]
    return joined(sentences)


def title_words(row: Mapping[str, Any], direction: int, measure: Measure | None) -> str:
    """A comparison as a title: "Bangladeshi people: HbA1c within target less often than everyone else"."""
    quantile = (
        "median" if measure is None or measure.quantile in (None, 0.5) else f"{measure.quantile:g} quantile"
    )
    how = finding_rules()["words"]["statistic"].get(text(row["statistic"]).removeprefix("adjusted "), {})
    phrase = how.get("high" if direction > 0 else "low", "")
    phrase = phrase.format(comparator=words("everyone_else"), quantile=quantile)
    return f"{who(row)}: {text(row['measure_label'])} {phrase}".rstrip()


def _counted_words(measure: Measure | None) -> str:
    if measure is None:
        return ""
    if measure.statistic in ("mean", "quantile"):
        contacts = measure.counts == "contacts" and measure.statistic == "mean"
        return words("counted", "values" if contacts else "each_person")
    return words("counted", measure.counts)


def _look(kind: str, measure_kind: str = "outcome") -> str:
    looks: Mapping[str, str] = finding_rules()["look"]
    for start, name in (
        ("different_small", "different_small"),
        ("could_not_tell", "could_not_tell"),
        ("outcome", measure_kind),
        ("place", "place"),
        ("change", "change"),
    ):
        if kind.startswith(start):
            return looks[name]
    return looks[kind]


# ---------------------------------------------------------------- adjustment


def adjustment_of(crude: Row, others: Iterable[Row], *, way: str = "") -> Row:
    """What becomes of a difference when age and sex are taken into account: `adjustment` in words, `left` as keys.

    crude, others : rows with ratio and difference, each with limits. way : how the others were worked out, where
    their column `adjustment` does not say it. A characteristic is not held equal for itself.
    """
    age, sex = held_equal(crude["characteristic"])
    held = HELD[age, sex]
    said, keys = [], []
    for row in sorted(others, key=lambda row: text(row["adjustment"]), reverse=True):
        key = _left(crude, row)
        if key and held:
            keys.append(key)
            how = words("adjustment", way or text(row["adjustment"]), held=held)
            said.append(f"{how} {words('adjustment', key)}.")
    if not held:
        return {"adjustment": "", "left": ()}
    none = words("adjustment", "none", held=held.capitalize())
    return {"adjustment": " ".join(said) or f"{none}.", "left": tuple(keys or ["none"])}


def _scale(crude: Row, other: Row) -> str:
    """Ratios are compared on the log scale; where one is 0, infinite or missing, the differences are."""
    usable = all(0 < number(row["ratio"]) < math.inf for row in (crude, other))
    return "ratio" if usable else "difference"


def _effect(row: Row, scale: str) -> tuple[float, float, float]:
    """Effect and limits with 0 for none."""
    values = [number(row[f"{scale}{end}"]) for end in ("", "_lower", "_upper")]
    if scale == "ratio":
        values = [
            math.log(value) if value > 0 else (-math.inf if value == 0 else math.nan) for value in values
        ]
    return values[0], values[1], values[2]


def _left(crude: Row, other: Row) -> str:
    """Name of what is left of a difference in another estimate; '' where it has none."""
    rules = finding_rules()["words"]["adjustment"]
    scale = _scale(crude, other)
    before, low, high = _effect(crude, scale)
    after, other_low, other_high = _effect(other, scale)
    was_clear, is_clear = low > 0 or high < 0, other_low > 0 or other_high < 0
    left = after / before if before else math.nan
    if math.isnan(left):
        return ""
    if left < 0 and (is_clear or left <= -rules["gone_below"]):
        return "reversed"
    if not is_clear:
        return "gone" if left < rules["gone_below"] else ("unclear" if was_clear else "still_unclear")
    if not was_clear:
        return "now_clear"
    if left < rules["smaller_below"]:
        return "smaller"
    return "larger" if left > rules["larger_above"] else "same"


# ---------------------------------------------------------------- not enough data


def not_enough_findings(tables: Tables) -> list[Row]:
    """Groups that could not be judged: one row per characteristic, with what could have been seen in the largest."""
    crude = crude_rest(tables["comparisons"])
    short = crude[(crude["flag"] == INSUFFICIENT_DATA) & (numbers(crude["people"]) > 0)]
    rows = []
    for name, frame in short.groupby("characteristic", sort=False):
        ordered = frame.assign(_people=numbers(frame["people"])).sort_values(
            "_people", ascending=False, kind="stable"
        )
        first = rows_of(ordered)[0]
        groups = named(list(dict.fromkeys(group_name(row) for row in rows_of(frame))))
        labels = named(list(dict.fromkeys(frame["measure_label"].map(text))))
        said = words("not_enough_data", "finding", label=text(first["label"]), groups=groups)
        rows.append(
            {
                "characteristic": str(name),
                "label": text(first["label"]),
                "level": text(first["level"]),
                "category": "",
                "about": "outcome",
                "class": "not_enough_data",
                "comparator": words("rest", label=lower_first(text(first["label"]))),
                "flag": INSUFFICIENT_DATA,
                "people": number(first["people"]),
                "detectable_low": number(first["detectable_low"]),
                "detectable_high": number(first["detectable_high"]),
                "finding": joined(
                    [
                        f"{said}.",
                        words("not_enough_data", "measures", measures=labels),
                        words("not_enough_data", "seen"),
                    ]
                ),
                "look": finding_rules()["look"]["not_enough_data"],
            }
        )
    return rows
