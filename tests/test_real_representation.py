"""Stop and search in Leicestershire against the Census 2021: every rate and ratio against a count of the same files.

The public files are never copied. The records are counted here with the csv module and loops; the residents are added
up from the census file that lies beside them, not from the package's own tables.
"""

import csv
from collections import Counter
from functools import cache
from pathlib import Path

import pandas as pd
import pytest

import equitydata as eq
from equitydata.representation.table import representation_table
from equitydata.rulebook import load_rulebook
from equitydata.strata import Strata

DATA = Path(__file__).parents[1].parent / "shared" / "real-data" / "police-stop-search"
RECORDS, CENSUS = "leicestershire_2020-04_2021-03.csv", "census2021_ethnic_group_by_ltla21.csv"
FORCES = "lad2016_to_police_force_lookup.csv"
PEOPLE_SEARCHED = ("Person search", "Person and Vehicle search")
# Label of the police -> our category, labels of the census file that it holds (Roma is new in 2021).
LABELS = {
    "White - English/Welsh/Scottish/Northern Irish/British": (
        "White British",
        ["English, Welsh, Scottish, Northern Irish or British"],
    ),
    "White - Irish": ("White Irish", ["White: Irish"]),
    "White - Gypsy or Irish Traveller": ("White Gypsy/Traveller", ["Gypsy or Irish Traveller"]),
    "White - Any other White background": ("White other", ["White: Other White", "White: Roma"]),
    "Mixed/Multiple ethnic groups - White and Black Caribbean": (
        "Mixed White/Black Caribbean",
        ["White and Black Caribbean"],
    ),
    "Mixed/Multiple ethnic groups - White and Black African": (
        "Mixed White/Black African",
        ["White and Black African"],
    ),
    "Mixed/Multiple ethnic groups - White and Asian": ("Mixed White/Asian", ["White and Asian"]),
    "Mixed/Multiple ethnic groups - Any other Mixed/Multiple ethnic background": (
        "Mixed other",
        ["Other Mixed or Multiple ethnic groups"],
    ),
    "Asian/Asian British - Indian": ("Indian", ["Indian"]),
    "Asian/Asian British - Pakistani": ("Pakistani", ["Pakistani"]),
    "Asian/Asian British - Bangladeshi": ("Bangladeshi", ["Bangladeshi"]),
    "Asian/Asian British - Chinese": ("Chinese", ["Chinese"]),
    "Asian/Asian British - Any other Asian background": ("Asian other", ["Other Asian"]),
    "Black/African/Caribbean/Black British - African": ("Black African", ["or African: African"]),
    "Black/African/Caribbean/Black British - Caribbean": ("Black Caribbean", ["or African: Caribbean"]),
    "Black/African/Caribbean/Black British - Any other Black/African/Caribbean background": (
        "Black other",
        ["Other Black"],
    ),
    "Other ethnic group - Arab": ("Arab", ["Arab"]),
    "Other ethnic group - Any other ethnic group": ("Any other", ["Any other ethnic group"]),
}
NOT_STATED = "Other ethnic group - Not stated"


def source_file(name):
    path = DATA / name
    if not path.is_file():
        pytest.skip(f"NOT TESTED: the public file {name} is not on this machine ({DATA})")
    return path


def rows(name):
    with source_file(name).open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


@cache
def searched():
    """Searches of a person by what the person said of their ethnic group; '' where they did not."""
    found = Counter()
    for row in rows(RECORDS):
        if row["Type"] in PEOPLE_SEARCHED:
            said = row["Self-defined ethnicity"]
            found["" if said in ("", NOT_STATED) else LABELS[said][0]] += 1
    return found


@cache
def authorities():
    return tuple(row["LAD16CD"] for row in rows(FORCES) if row["PFA16NM"] == "Leicestershire")


@cache
def residents():
    """Residents of the force's area by our category, from the census file beside the records."""
    found = Counter()
    names = {f"{end} (number)": ours for ours, ends in LABELS.values() for end in ends}
    for row in rows(CENSUS):
        label = " ".join(row["ethnic_group"].split())
        if row["ltla21_code"] in authorities() and label.endswith("(number)"):
            fitting = {ours for end, ours in names.items() if label.endswith((f": {end}", end))}
            # "White and Asian" also ends "Mixed ...: White and Asian"; no label fits two groups.
            assert len(fitting) == 1, (label, fitting)
            found[fitting.pop()] += int(float(row["value"]))
    return found


def plain_figures():
    """Rate per 1,000 residents and ratio of shares, by category."""
    people, living = searched(), residents()
    known = sum(count for name, count in people.items() if name)
    everyone = sum(living.values())
    return {
        name: (1000 * people[name] / living[name], (people[name] / known) / (living[name] / everyone))
        for name in living
    }


def service():
    return {
        "service": {
            "name": "Stop and search",
            "area": list(authorities()),
            "period": {"from": "2020-04-01", "to": "2021-03-31"},
        },
        "extract": {"date": "Date"},
        "characteristics": {
            "ethnicity": {"column": "Self-defined ethnicity", "code_list": "self-defined-ethnicity-18-plus-1"}
        },
        "measures": {
            "searched": {
                "label": "Stop and search",
                "kind": "quality",
                "counts": "contacts",
                "per_residents": True,
                "numerator": {"column": "Type", "in": list(PEOPLE_SEARCHED)},
                "polarity": "adverse",
            }
        },
    }


def test_the_census_files_hold_the_same_residents():
    assert sum(residents().values()) == sum(
        int(float(row["value"])) for row in rows(CENSUS)
        if row["ltla21_code"] in authorities() and row["ethnic_group"].endswith("(number)")
    )  # fmt: skip
    assert len(authorities()) == 9


def test_rates_and_ratios_equal_an_independent_count():
    counted = searched()
    frame = pd.DataFrame(
        [
            {"characteristic": "ethnicity", "label": "Ethnic group", "level": "detailed", "ordered": False,
             "category": ours, "order": order, "status": "known", "people": float(counted[ours])}
            for order, (ours, _) in enumerate(LABELS.values())
        ]
        + [
            {"characteristic": "ethnicity", "label": "Ethnic group", "level": "detailed", "ordered": False,
             "category": "Declined", "order": 99, "status": "declined", "people": float(counted[""])},
            {"characteristic": "ethnicity", "label": "Ethnic group", "level": "detailed", "ordered": False,
             "category": "Roma", "order": 98, "status": "not collected", "people": float("nan")},
        ]
    )  # fmt: skip
    frame = frame.assign(
        measure="users", **dict.fromkeys(("cases", "n", "x", "nn", "nx", "xx"), frame["people"])
    )
    columns = [
        "measure",
        "characteristic",
        "level",
        "category",
        "status",
        "age_from",
        "sex",
        "people",
        "cases",
    ]
    blank = pd.DataFrame()
    strata = Strata(frame, pd.DataFrame(columns=columns), blank, blank, blank, blank, labels={})
    found = representation_table(
        strata,
        eq.make_service(service()),
        {"ethnicity": ["self-defined-ethnicity-18-plus-1"]},
        load_rulebook(),
    )
    local = found.table[found.table["area_kind"].eq("local")].set_index("category")
    living = residents()
    for name, (rate, ratio) in plain_figures().items():
        assert local.loc[name, "residents"] == living[name], name
        assert local.loc[name, "rate"] == pytest.approx(rate), name
        assert local.loc[name, "ratio"] == pytest.approx(ratio), name
    assert local.loc["Declined", "numerator"] == counted[""] == 1021
    assert local.loc["Black other", "flag"] == "disproportionate_high"
    checks = found.checks[found.checks["area_kind"].eq("local")].set_index("check")
    assert checks.loc["group stated", "severity"] == "strong warning"  # 18% not stated
    assert "Roma in White other" in checks.loc["same code list", "finding"]
    assert checks.loc["date of residents", "severity"] == "passed"


def test_the_whole_run_says_the_same():
    source_file(RECORDS)
    content = service()
    content["extract"]["path"] = str(source_file(RECORDS))
    result = eq.analyse(eq.make_service(content))
    represented = result.tables["representation"]
    users = represented[
        represented["of"].eq("users")
        & represented["area_kind"].eq("local")
        & represented["level"].eq("detailed")
    ].set_index("category")
    outcomes = result.tables["outcomes"]
    rates = outcomes[outcomes["measure"].eq("searched") & outcomes["level"].eq("detailed")].set_index(
        "category"
    )
    for name, (rate, ratio) in plain_figures().items():
        assert users.loc[name, "ratio"] == pytest.approx(ratio), name
        assert users.loc[name, "rate"] == pytest.approx(rate), name
        assert 1000 * rates.loc[name, "value"] == pytest.approx(rate), name
