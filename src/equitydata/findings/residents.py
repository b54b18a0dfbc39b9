"""Representation -> findings: groups that are a smaller or larger part of those seen than of residents."""

from __future__ import annotations

import math

from equitydata.findings.nesting import Seen, Told
from equitydata.findings.outcomes import LIMITED, adjustment_of
from equitydata.findings.words import (
    Row,
    Tables,
    by_place_of,
    crude_rest,
    finding_rules,
    group_of,
    joined,
    listed_by_flag,
    lower_first,
    mark,
    named,
    number,
    place_of,
    rows_of,
    stratum_of,
    text,
    told_words,
    who,
    words,
    words_if_any,
)
from equitydata.rulebook import Rulebook
from equitydata.stats.judgement.flags import (
    DISPROPORTIONATE_HIGH,
)
from equitydata.strata import USERS


def representation_findings(tables: Tables, rulebook: Rulebook) -> list[Row]:
    """Users, cases and grades of staff against residents: of the local area where there is one."""
    every = tables["representation"]
    every = every[every["status"] == "known"]
    kinds = [kind for kind in ("local", "region", "nation") if (every["area_kind"] == kind).any()]
    if not kinds:
        return []
    here = every[every["area_kind"] == kinds[0]]
    by_place = {place_of(row, "of"): row for row in rows_of(here)}
    listed = listed_by_flag([_seen_representation(row) for row in by_place.values()], rulebook)
    flags = {
        (text(row["measure"]), *group_of(row)): text(row["flag"])
        for row in rows_of(crude_rest(tables["comparisons"]))
    }
    elsewhere = by_place_of(every[every["area_kind"] != kinds[0]], "of")
    found = []
    for place, told in listed.items():
        row = by_place[place]
        flag, of = text(row["flag"]), text(row["of"])
        cases = of != USERS and not _is_grade(of)
        if cases and flag in (
            flags.get((of, *group_of(row))),
            text(by_place.get((USERS, *place[1:]), {}).get("flag")),
        ):
            continue
        areas = [text(r["area"]) for r in elsewhere.get(place, []) if text(r["flag"]) == flag]
        # The gap of a representation is its difference.
        gaps = {name: number(row[name.replace("difference", "gap")]) for name in LIMITED}
        kind = f"representation_{_side(flag)}"
        found.append(
            {
                **stratum_of(row),
                "about": "representation",
                "class": _class(text(row["characteristic"]), kind, cases=cases),
                "measure": of if cases else "",
                "measure_label": text(row["of_label"]),
                "comparator": words("representation", "comparator", area=text(row["area"])),
                "flag": flag,
                "harm": "",
                "people": number(row["numerator"]),
                "statistic": "share",
                "numerator": number(row["numerator"]),
                "denominator": number(row["denominator"]),
                "value": number(row["share"]),
                "comparator_value": number(row["residents_share"]),
                **gaps,
                "robustness": text(row["robustness"]),
                **adjustment_of({**row, **gaps}, [_standardised(row)], way="residents"),
                "finding": _representation_words(row, told, areas),
                "look": finding_rules()["look"][kind],
            }
        )
    return found


def _class(characteristic: str, kind: str, *, cases: bool) -> str:
    """Ages and cases rank apart: need follows age, and cases mix who is seen with what happens to them."""
    if characteristic in finding_rules()["representation"]["follows_age"]:
        return "representation_age"
    return "cases" if cases else kind


def _is_grade(of: str) -> bool:
    """True for a stratum of a workforce, for example "grade: Band 7"."""
    return ": " in of


def _side(flag: str) -> str:
    return "high" if flag == DISPROPORTIONATE_HIGH else "low"


def _seen_representation(row: Row) -> Seen:
    people, expected = number(row["numerator"]), number(row["denominator"]) * number(row["residents_share"])
    return Seen(
        key=text(row["of"]),
        characteristic=text(row["characteristic"]),
        level=text(row["level"]),
        category=text(row["category"]),
        flag=text(row["flag"]),
        harm="",
        people=people if not math.isnan(people) else 0.0,
        ratio=number(row["ratio"]),
        observed=people,
        expected=expected,
        same=mark(people, number(row["residents"])),
        rest=mark(
            number(row["denominator"]) - people, number(row["residents_total"]) - number(row["residents"])
        ),
    )


def _standardised(row: Row) -> Row:
    """The row with its standardised ratio in place of the crude one; it has no standardised difference."""
    ratios = {f"ratio{end}": row[f"standardised_ratio{end}"] for end in ("", "_lower", "_upper")}
    gaps = {f"difference{end}": math.nan for end in ("", "_lower", "_upper")}
    return {**row, **gaps, **ratios, "adjustment": ""}


def _representation_words(row: Row, told: Told, areas: list[str]) -> str:
    of, side = text(row["of"]), _side(text(row["flag"]))
    kind = "users" if of == USERS else ("grade" if _is_grade(of) else "cases")
    label = text(row["of_label"]) if kind == "cases" else lower_first(text(row["of_label"]))
    staff = label.startswith("staff")
    title = words("representation", f"{kind}_{side}", of=label, area=text(row["area"]))
    sentences = [f"{who(row)}: {title}.", *told_words(told)]
    if areas:
        sentences.append(words("representation", "wider", areas=named(list(dict.fromkeys(areas)))))
    sentences.append(words_if_any("robustness", text(row["robustness"])))
    return joined(
        [*sentences, words("representation", "mirror_staff" if staff else "mirror"), words("prompt")]
    )
