"""A small result made by hand, one of everything that a report shows; no engine and no record behind it."""

from dataclasses import replace
from datetime import date

import pandas as pd

from equitydata import reference
from equitydata.criteria import Measured
from equitydata.maturity import rate_maturity
from equitydata.model import Intake, Rejection, SourceFile
from equitydata.result import AboutService, EquityResult
from equitydata.service import make_service
from equitydata.tables import SPECS, shape, with_shares

LABELS = {
    "ethnicity": "Ethnic group",
    "language": "Main or preferred language",
    "sex": "Sex",
    "joint": "Ethnicity and language together",
}


def framed(name: str, rows: list[dict]) -> pd.DataFrame:
    """Rows -> a table of the specification of that name, labels and shares filled in."""
    spec = SPECS[name]
    frame = pd.DataFrame([{"label": LABELS.get(row.get("characteristic", "")), **row} for row in rows])
    frame = frame.reindex(columns=list(spec.columns))
    for share in spec.shares:
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
) -> EquityResult:
    """A result of true counts.

    name, site, value, file : labels that a test may make hostile. sites : site -> (known, people).
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
    }
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
