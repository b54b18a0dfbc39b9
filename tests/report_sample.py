"""A small result made by hand, one of everything that a report shows; no engine and no record behind it."""

from dataclasses import replace
from datetime import date

import pandas as pd

from equitydata import reference
from equitydata.maturity.criteria import Measured
from equitydata.maturity.tiers import rate_maturity
from equitydata.model import Intake, Rejection, SourceFile
from equitydata.result import AboutService, EquityResult
from equitydata.service import make_service
from equitydata.tables import EQUITY_TABLES, SPECS, empty, shape, with_shares

LABELS = {
    "ethnicity": "Ethnic group",
    "language": "Main or preferred language",
    "sex": "Sex",
    "joint": "Ethnicity and language together",
    "all": "Everyone",
}


def framed(name: str, rows: list[dict]) -> pd.DataFrame:
    """Rows -> a table of the specification of that name, labels and shares filled in."""
    spec = SPECS[name]
    frame = pd.DataFrame([{"label": LABELS.get(row.get("characteristic", "")), **row} for row in rows])
    frame = frame.reindex(columns=list(spec.columns))
    for share in spec.shares:
        if share.lower in spec.columns:
            frame = with_shares(frame, confidence=0.95, share=share)
    return shape(frame, spec)


def completeness() -> pd.DataFrame:
    people = {
        "ethnicity": {
            "populated": 1900,
            "valid": 1880,
            "asked": 1870,
            "known_or_declined": 1865,
            "known": 1803,
        },
        "language": {
            "populated": 1850,
            "valid": 1820,
            "asked": 1816,
            "known_or_declined": 1815,
            "known": 1812,
        },
        # 4 people have no sex recorded: the complement of the share is small, and so hidden.
        "sex": {"populated": 1996, "valid": 1996, "asked": 1996, "known_or_declined": 1996, "known": 1996},
        "joint": {"known_or_declined": 1800, "known": 1742},
    }
    rows = [
        {"characteristic": name, "measure": measure, "unit": "people", "numerator": n, "denominator": 2000}
        for name, measures in people.items()
        for measure, n in measures.items()
    ]
    rows += [
        {**row, "unit": unit, "numerator": 3 * row["numerator"], "denominator": 6000}
        for row in rows
        if row["characteristic"] != "joint"
        for unit in ("records", "records_carried_back")
    ]
    detail = {"characteristic": "ethnicity", "unit": "people", "denominator": 2000}
    rows += [
        {**detail, "measure": "detailed", "numerator": 1700},
        {**detail, "measure": "specific", "numerator": 1500},
    ]
    return framed("completeness", rows)


def statuses() -> pd.DataFrame:
    people = {
        "ethnicity": {
            "known": 1803,
            "unsure": 5,
            "declined": 62,
            "not_known": 10,
            "not_applicable": 0,
            "invalid": 20,
            "missing": 100,
        },
        "language": {
            "known": 1812,
            "unsure": 1,
            "declined": 3,
            "not_known": 4,
            "not_applicable": 0,
            "invalid": 30,
            "missing": 150,
        },
        "sex": {
            "known": 1996,
            "unsure": 0,
            "declined": 0,
            "not_known": 0,
            "not_applicable": 0,
            "invalid": 0,
            "missing": 4,
        },
    }
    rows = [
        {
            "characteristic": name,
            "status": status,
            "people": n,
            "records": 3 * n,
            "records_carried_back": 3 * n,
        }
        for name, each in people.items()
        for status, n in each.items()
    ]
    return framed("statuses", rows)


def breakdown(sites: dict[str, tuple[int, int]]) -> pd.DataFrame:
    rows = [
        {
            "characteristic": name,
            "by": by,
            "group": group,
            "order": order,
            "unit": "people",
            "numerator": known,
            "denominator": people,
            "flagged": known / people < 0.8,
        }
        for name in ("joint", "ethnicity", "language", "sex")
        for by, groups in {
            "site": sites,
            "sex": {"Female": (900, 1000), "Male": (842, 993), "Not recorded": (0, 7)},
        }.items()
        for order, (group, (known, people)) in enumerate(groups.items(), start=1)
    ]
    return framed("breakdown", rows)


def figures() -> pd.DataFrame:
    measured = {
        "joint_known": 1742,
        "joint_known_or_declined": 1800,
        "ethnicity_known": 1803,
        "ethnicity_known_or_declined": 1865,
        "language_known": 1812,
        "language_known_or_declined": 1815,
        "core_self_reported": 1500,
        "core_valid": 1990,
        "ethnicity_detailed": 1990,
        "sex_known": 1996,
    }
    family = {"sex_known": "protected"}
    rows = [
        {
            "figure": name,
            "label": f"People: {name.replace('_', ' ')}",
            "family": family.get(name, ""),
            "unit": "people",
            "numerator": n,
            "denominator": 2000,
            "measured": True,
            "reason": "",
        }
        for name, n in measured.items()
    ]
    rows.append(
        {
            "figure": "points_of_care_filled",
            "label": "Points of care that hold the field",
            "family": "",
            "unit": "points of care",
            "numerator": 20,
            "denominator": 30,
            "measured": True,
            "reason": "",
        }
    )
    absent = {
        "religion_known": "protected",
        "geography_known": "geography",
        "mental_illness_known": "mental_illness",
        "migrant_status_known": "migrant_status",
        "employment_known": "social",
        "other_self_reported": "",
    }
    rows += [
        {
            "figure": name,
            "label": f"People with a known value of: {name.split('_')[0].capitalize()}",
            "family": family,
            "unit": "",
            "numerator": None,
            "denominator": None,
            "measured": False,
            "reason": "Not mapped in the service file.",
        }
        for name, family in absent.items()
    ]
    return framed("figures", rows)


def categories() -> pd.DataFrame:
    ethnic = {
        "Bangladeshi": 610,
        "Indian": 400,
        "African": 3,
        "Roma": None,
        "English, Welsh, Scottish, Northern Irish or British": 790,
    }
    rows = [
        {
            "characteristic": "ethnicity",
            "level": "detailed",
            "category": name,
            "order": order,
            "collected": n is not None,
            "numerator": n,
            "denominator": 1803,
        }
        for order, (name, n) in enumerate(ethnic.items(), start=1)
    ]
    rows.append(
        {
            "characteristic": "sex",
            "level": "detailed",
            "category": "Female",
            "order": 1,
            "collected": True,
            "numerator": 1003,
            "denominator": 1996,
        }
    )
    return framed("categories", rows)


def codes(value: str, *, held_by_few: bool) -> pd.DataFrame:
    columns = ["value", "records", "status", "category", "detail", "code_list", "matched_by", "suggestion"]
    cells = [
        ("K", 1830, "known", "Bangladeshi", "detailed", "nhs-ethnic-category-2001", "code", ""),
        ("Z", 186, "declined", "", "", "nhs-ethnic-category-2001", "code", ""),
        (value, 48, "invalid", "", "", "", "none", "Bangladeshi"),
        ("", 300, "missing", "", "", "", "missing word", ""),
    ]
    if held_by_few:
        cells.append(("told us in confidence", 2, "invalid", "", "", "", "none", ""))
    rows = [{"characteristic": "ethnicity", **dict(zip(columns, row, strict=True))} for row in cells]
    return framed("codes", rows)


def smaller_tables(site: str) -> dict[str, pd.DataFrame]:
    own = {"characteristic": "ethnicity"}
    flag = {
        "flag": "low completeness in a group",
        "place": site,
        "numerator": 200,
        "denominator": 300,
        "compared_with": "the whole service",
        "finding": f"The known share is far below the whole in site {site}.",
        "why": "Missing values are not random.",
    }
    return {
        "points_of_care": framed(
            "points_of_care",
            [
                {**own, "point_of_care": "Clinic", "numerator": 1200, "denominator": 1300, "filled": True},
                {**own, "point_of_care": "Telephone", "numerator": 2, "denominator": 40, "filled": False},
            ],
        ),
        "verification": framed(
            "verification",
            [
                {
                    **own,
                    "measure": "repeated",
                    "unit": "people",
                    "numerator": 800,
                    "denominator": 1200,
                    "note": "People seen twice or more.",
                },
                {
                    **own,
                    "measure": "self_reported",
                    "unit": "records",
                    "numerator": 4500,
                    "denominator": 5400,
                    "note": "",
                },
            ],
        ),
        "agreement": framed(
            "agreement",
            [
                {
                    **own,
                    "level": "group",
                    "group": "Mixed",
                    "numerator": 30,
                    "denominator": 50,
                    "flagged": True,
                },
                {
                    **own,
                    "level": "group",
                    "group": "Asian",
                    "numerator": 395,
                    "denominator": 400,
                    "flagged": False,
                },
            ],
        ),
        "swaps": framed("swaps", [{**own, "first": "Bangladeshi", "second": "Other Asian", "people": 25}]),
        "observed": framed(
            "observed",
            [
                {**own, "own": "Asian", "observed": "Asian", "records": 90},
                {**own, "own": "Asian", "observed": "Black", "records": 4},
            ],
        ),
        "steps": framed(
            "steps",
            [
                {
                    **own,
                    "step": "carry_back",
                    "meaning": "Records whose person has a value elsewhere",
                    "changed": 260,
                    "unit": "records",
                },
                {
                    **own,
                    "step": "conflict",
                    "meaning": "People whose best values contradict each other",
                    "changed": 0,
                    "unit": "people",
                },
            ],
        ),
        "flags": framed("flags", [{**own, **flag}]),
        "needs": framed(
            "needs",
            [
                {"characteristic": "joint", "site": site, "people": 100},
                {"characteristic": "joint", "site": "Stratford", "people": 5},
            ],
        ),
        "identifiers": framed(
            "identifiers",
            [{"column": "nhs_no", "kind": "NHS number", "evidence": "by its content", "share": 0.98}],
        ),
    }


GROUPS = {
    # category: people, contacts, not attended, residents
    "Bangladeshi": (608, 1520, 335, 40_000),
    "Indian": (401, 980, 118, 36_000),
    "Chinese": (14, 38, 3, 4_000),
    "Black African": (163, 402, 71, 28_000),
    "White British": (617, 1603, 162, 62_000),
}
UNKNOWN = {"Declined": ("declined", 62, 170, 31), "Missing": ("missing", 135, 287, 80)}
STRATUM = {"characteristic": "ethnicity", "level": "detailed"}


def equity_tables(measure: str) -> dict[str, pd.DataFrame]:
    """Every table of the equity analysis, for a share of contacts and a mean; people of unknown group are there.

    measure : label of the share, that a test may make hostile.
    """
    share = {"measure": "did_not_attend", "measure_label": measure, "statistic": "share", "unit": "contacts"}
    mean = {"measure": "wait", "measure_label": "Days waited", "statistic": "mean", "unit": "contacts"}
    contacts = sum(each[1] for each in GROUPS.values()) + sum(each[2] for each in UNKNOWN.values())
    missed = sum(each[2] for each in GROUPS.values()) + sum(each[3] for each in UNKNOWN.values())
    whole = {
        "characteristic": "all",
        "label": "Everyone",
        "level": "all",
        "category": "Everyone",
        "status": "known",
    }
    outcomes = [{**share, **whole, "people": 2000, "numerator": missed, "denominator": contacts, "order": 0}]
    comparisons, trends = [], []
    known, known_missed = (sum(each[place] for each in GROUPS.values()) for place in (1, 2))
    for order, (name, (people, of, met, _)) in enumerate(GROUPS.items(), start=1):
        row = {**share, **STRATUM, "category": name, "people": people, "numerator": met, "denominator": of}
        outcomes.append({**row, "status": "known", "order": order, "standardised": met / of, "note": ""})
        rest = {"comparator_numerator": known_missed - met, "comparator_denominator": known - of}
        value, other = met / of, (known_missed - met) / (known - of)
        against = {
            **row,
            **rest,
            "comparator": "rest",
            "comparator_category": "Everyone else",
            "value": value,
            "comparator_value": other,
            "difference": value - other,
            "difference_lower": value - other - 0.03,
            "difference_upper": value - other + 0.03,
            "ratio": value / other,
            "ratio_lower": value / other * 0.9,
            "ratio_upper": value / other * 1.1,
            "p_adjusted": 0.0001,
            "flag": "disproportionate_high" if name == "Bangladeshi" else "no_evidence",
            "harm": "harm" if name == "Bangladeshi" else "",
            "similar": name == "Black African",
            "disagrees": name == "Indian",
            "note": "",
        }
        comparisons += [
            {**against, "adjustment": "crude"},
            {**against, "adjustment": "standardised", "flag": ""},
        ]
    for status, (name, *numbers) in UNKNOWN.items():
        people, of, met = numbers
        outcomes.append(
            {**share, **STRATUM, "category": status, "status": name, "order": 90, "people": people}
            | {"numerator": met, "denominator": of, "note": ""}
        )
    outcomes.append({**share, **STRATUM, "category": "Roma", "status": "not collected", "order": 20})
    outcomes.append(
        {**mean, **whole, "people": 1950, "denominator": 4100, "value": 23.456, "lower": 21.2, "upper": 25.7}
    )
    for order, period in enumerate(("2025 Q2", "2025 Q3"), start=1):
        part = {"people": 1500, "numerator": missed // 2, "denominator": contacts // 2}
        trends.append({**share, **whole, "period": period, "order": order, **part})
    bangladeshi = {**share, **STRATUM, "category": "Bangladeshi", "people": 608}
    return {
        "outcomes": framed("outcomes", outcomes),
        "comparisons": framed("comparisons", comparisons),
        "trends": framed("trends", trends),
        **_summaries(share, bangladeshi),
        **_places(share),
        **_people(bangladeshi),
        **_listening(),
    }


def _summaries(share: dict, bangladeshi: dict) -> dict[str, pd.DataFrame]:
    return {
        "tests": framed(
            "tests",
            [
                {
                    **share,
                    **STRATUM,
                    "test": "Pearson chi-square",
                    "groups": 5,
                    "statistic_value": 151.234,
                    "df": 4,
                }
                | {"p": 1e-20, "effect": "Cramér’s V", "effect_size": 0.18765, "note": ""}
            ],
        ),
        "inequality": framed(
            "inequality",
            [
                {
                    **share,
                    **STRATUM,
                    "summary": name,
                    "summary_label": words,
                    "scale": "absolute",
                    "value": 0.123456,
                }
                | {"lower": 0.1, "upper": 0.15, "compared": compared, "groups": 5, "left_out": 2, "note": ""}
                for name, words, compared in (
                    ("D", "Largest difference", "Bangladeshi less Chinese"),
                    ("BGV", "Between-group variance", ""),
                )
            ],
        ),
        "unknowns": framed(
            "unknowns",
            [
                {
                    **bangladeshi,
                    "of": "outcome",
                    "unknown": 197,
                    "ratio": 2.05,
                    "ratio_none": 2.01,
                    "ratio_all": 1.71,
                }
                | {
                    "ratio_pro_rata": 2.04,
                    "lowest": 1.1,
                    "highest": 2.3,
                    "robustness": "turns at a bound",
                    "note": "",
                }
            ],
        ),
        "known_or_not": framed(
            "known_or_not",
            [
                {
                    **share,
                    "characteristic": "ethnicity",
                    "people": 1803,
                    "unknown": 197,
                    "known_value": 0.15167,
                }
                | {
                    "unknown_value": 0.24289,
                    "ratio": 1.6,
                    "ratio_lower": 1.3,
                    "ratio_upper": 1.9,
                    "p": 0.0004,
                }
                | {"note": "Groups are compared without people of whom more did not attend."}
            ],
        ),
        "changes": framed(
            "changes",
            [
                {
                    **bangladeshi,
                    "first_period": "2025 Q2",
                    "last_period": "2025 Q3",
                    "first": 0.2,
                    "last": 0.24,
                }
                | {
                    "change": 0.04,
                    "change_lower": 0.01,
                    "change_upper": 0.07,
                    "gap_first": 0.09,
                    "gap_last": 0.13,
                }
                | {
                    "gap_change": 0.04,
                    "gap_change_lower": 0.01,
                    "gap_change_upper": 0.07,
                    "ratio_change": 1.2,
                }
                | {"opposite": False, "note": ""}
            ],
        ),
    }


def _places(share: dict) -> dict[str, pd.DataFrame]:
    sites = {"Stratford": (900, 2000, 280, "lower"), "Custom House": (700, 1400, 290, "much higher")}
    sites |= {"East Ham": (400, 1600, 230, "not different")}
    return {
        "places": framed(
            "places",
            [
                {**share, "by": "site", "place": name, "people": people, "numerator": met, "denominator": of}
                | {
                    "value": met / of,
                    "average": 0.16,
                    "lower_998": 0.13,
                    "upper_998": 0.19,
                    "position": position,
                }
                | {"places": 3, "position_overdispersed": "not different", "note": ""}
                for name, (people, of, met, position) in sites.items()
            ],
        )
    }


def _people(bangladeshi: dict) -> dict[str, pd.DataFrame]:
    residents, everyone = sum(each[3] for each in GROUPS.values()), sum(each[0] for each in GROUPS.values())
    rows = []
    for area, kind in (("Newham", "local"), ("England", "nation")):
        for order, (name, (people, _, _, live)) in enumerate(GROUPS.items(), start=1):
            share, theirs = people / everyone, live / residents
            rows.append(
                {
                    **STRATUM,
                    "of": "users",
                    "of_label": "Users",
                    "category": name,
                    "order": order,
                    "status": "known",
                }
                | {
                    "area_kind": kind,
                    "area": area,
                    "reference": "Ethnic group, 2021-03-21",
                    "numerator": people,
                }
                | {"denominator": everyone, "unknown": 197, "share_of_all": people / (everyone + 197)}
                | {
                    "residents": live,
                    "residents_total": residents,
                    "residents_share": theirs,
                    "ratio": share / theirs,
                }
                | {
                    "ratio_lower": share / theirs * 0.9,
                    "ratio_upper": share / theirs * 1.1,
                    "gap": share - theirs,
                }
                | {
                    "gap_people": people - everyone * theirs,
                    "rate": 1000 * people / live,
                    "p_adjusted": 0.001,
                }
                | {"flag": "disproportionate_low" if name == "Black African" else "no_evidence", "note": ""}
                | {"robustness": "firm" if name == "Black African" else ""}
            )
    finding = {**bangladeshi, "order": 1, "about": "outcome", "comparator": "everyone else", "harm": "harm"}
    finding |= {
        "flag": "disproportionate_high",
        "numerator": 335,
        "denominator": 1520,
        "value": 0.2204,
        "comparator_value": 0.117,
    }
    finding |= {"difference": 0.103, "difference_lower": 0.08, "difference_upper": 0.13, "ratio": 1.88}
    finding |= {
        "ratio_lower": 1.63,
        "ratio_upper": 2.18,
        "robustness": "firm",
        "heard": "Text messages in English only",
    }
    finding |= {
        "finding": "Bangladeshi people did not attend more often than everyone else.",
        "look": "Ask how reminders reach them.",
    }
    finding |= {"adjustment": "It stays when age and sex are taken into account."}
    few = {**finding, **{"order": 2, "category": "Chinese", "people": 14, "numerator": 3, "denominator": 38}}
    return {
        "representation": framed("representation", rows),
        "population_checks": framed(
            "population_checks",
            [
                {"of": "users", "characteristic": "ethnicity", "area_kind": "local", "check": check}
                | {"severity": severity, "finding": finding}
                for check, severity, finding in (
                    ("year of the census", "note", "Residents are of 2021, users of 2025."),
                    ("users above residents", "passed", "No group has more users than residents."),
                    ("area", "warning", "3 people live outside the area."),
                )
            ],
        ),
        "findings": framed("findings", [finding, few]),
    }


def _listening() -> dict[str, pd.DataFrame]:
    return {
        "listening": framed(
            "listening",
            [
                {
                    "name": name,
                    "label": label,
                    "method": "survey",
                    "groups": "all",
                    "languages": "English, Bengali",
                }
                | {
                    "formats": "large print",
                    "co_designed": "yes",
                    "tested": "yes",
                    "first": "2025-05-01",
                    "last": "2025-06-01",
                }
                | {
                    "rounds": 1,
                    "people": people,
                    "used_for": "Reminders were changed",
                    "owner": "Patient experience lead",
                }
                for name, label, people in (
                    ("survey", "Yearly survey", 212),
                    ("visit", "Visit to a centre", 6),
                )
            ],
        ),
        "listening_gaps": framed(
            "listening_gaps",
            [
                {
                    **STRATUM,
                    "category": "Roma",
                    "residents": 4000,
                    "residents_share": 0.023,
                    "ways": "",
                    "last": "",
                    "gap": "nobody",
                }
            ],
        ),
        "themes": framed(
            "themes",
            [
                {
                    "theme": "Reminders",
                    "measure": "did_not_attend",
                    "characteristic": "ethnicity",
                    "category": "Bangladeshi",
                }
                | {
                    "heard": "Text messages come in English only",
                    "ways": "survey",
                    "times": 3,
                    "date": "2025-06-01",
                    "used_for": "",
                }
            ],
        ),
        "runs": framed(
            "runs",
            [
                {
                    "date": "2025-04-02",
                    "version": "0.1.0",
                    "service": "Clinic",
                    "period_from": "2024-04-01",
                    "period_to": "2025-03-31",
                }
                | {
                    "measures": 2,
                    "characteristics": "ethnicity",
                    "compared": True,
                    "profile": True,
                    "report": True,
                    "audience": "Board",
                }
                | {"tier": "Working towards Fundamental", "people": 1903, "joint_known": 0.8123}
            ],
        ),
    }


ATTESTATIONS = {
    "S-QUAN-F8": {
        "met": True,
        "evidence": "Leaflet, version 3",
        "owner": "Service manager",
        "date": date(2026, 1, 12),
    },
    "S-QUAL-F3": {
        "met": False,
        "evidence": "Review of methods",
        "owner": "Patient experience lead",
        "date": date(2025, 7, 21),
    },
    "S-WDIV-F1": {
        "met": True,
        "not_applicable": True,
        "evidence": "A team of two",
        "owner": "Service manager",
        "date": date(2025, 7, 21),
    },
}


def sample_result(
    *,
    name="Community clinic (made up)",
    site="Custom House",
    value="Bangla",
    sites=None,
    rules=None,
    file="contacts.csv",
    held_by_few=False,
    people=2000,
    measure="Did not attend",
    equity=True,
) -> EquityResult:
    """A result of true counts.

    name, site, value, file, measure : labels that a test may make hostile. sites : site -> (known, people).
    equity : False for an audit alone, whose tables of outcomes are empty.
    held_by_few : a recorded value that two records hold is among the codes.
    """
    service = make_service({"service": {"name": name}, "attestations": ATTESTATIONS, "rules": rules or {}})
    sites = sites or {site: (200, 300), "Stratford": (1100, 1200), "East Ham": (4, 500)}
    tables = {
        "completeness": completeness(),
        "statuses": statuses(),
        "breakdown": breakdown(sites),
        "categories": categories(),
        "codes": codes(value, held_by_few=held_by_few),
        "figures": figures(),
        **smaller_tables(site),
        **equity_tables(measure),
        "services": empty(SPECS["services"]),
    }
    if not equity:
        tables |= {spec.name: empty(spec) for spec in EQUITY_TABLES}
    measured = Measured(
        figures=tables["figures"], flags=tables["flags"], residual=None, identifiers={}, not_relevant=()
    )
    maturity = rate_maturity(
        reference.criteria("service"),
        measured,
        service.attestations,
        level="service",
        needs=tables["needs"],
        joint=None,
        rulebook=service.rulebook,
        as_of=date(2026, 4, 1),
    )
    return EquityResult(
        about=AboutService(
            name=name,
            level="service",
            areas=("Newham",),
            area_codes=("E09000025",),
            ages=(18, 120),
            period_from=date(2025, 4, 1),
            period_to=date(2026, 3, 31),
            as_of=date(2026, 4, 1),
            people=people,
            counted="people",
            version="0.1.0",
        ),
        tables=tables,
        maturity=maturity,
        intake=Intake(
            rows_read=6012,
            rejections=(
                Rejection("Test patient", 9, (17, 230)),
                Rejection("Wrong number of columns", 3, (4001,)),
            ),
            files=(
                SourceFile(
                    name=file, bytes=480_000, sha256="0" * 64, encoding="utf-8", delimiter=",", header_line=3
                ),
            ),
            notes=("Two title lines stand above the header.",),
        ),
        choices=service.rulebook.choices,
        notes=("Deprivation comes from the area of residence (LSOA).",),
    )


def without_extract(name="Community clinic (made up)") -> EquityResult:
    """A rating from attestations alone: every table of counts is empty."""
    whole = sample_result(name=name)
    service = make_service({"service": {"name": name}, "attestations": ATTESTATIONS})
    maturity = rate_maturity(
        reference.criteria("service"),
        None,
        service.attestations,
        level="service",
        needs=whole.tables["needs"].head(0),
        joint=None,
        rulebook=service.rulebook,
        as_of=date(2026, 4, 1),
    )
    empty = {each: pd.DataFrame(columns=list(SPECS[each].columns)) for each in whole.tables}
    about = replace(whole.about, people=0)
    return replace(whole, about=about, tables=empty, maturity=maturity, intake=Intake(rows_read=0), notes=())
