"""A workforce extract: staff by grade and level of post against the residents, and what the criteria read from it."""

import random

import pandas as pd
import pytest

import equitydata as eq
from equitydata.records.coding import code_own_words
from tables_helper import table

GRADES = {"Band 3": 160, "Band 5": 140, "Band 7": 90, "Band 9": 4}


def staff_frame():
    """Half of Band 3 and a tenth of Band 7 are Bangladeshi; Band 9 has four people."""
    chance = random.Random(20210321)
    share = {"Band 3": 0.5, "Band 5": 0.3, "Band 7": 0.1, "Band 9": 0.0}
    rows = []
    for grade, people in GRADES.items():
        for number in range(people):
            bangladeshi = number < share[grade] * people
            rows.append(
                {
                    "staff_id": f"{grade}-{number}",
                    "ethnic": "K" if bangladeshi else chance.choice(["A", "H", "N"]),
                    "sex": chance.choice(["1", "2"]),
                    "grade": grade if number % 5 else f" {grade.upper()} ",
                }
            )
    return pd.DataFrame(rows)


@pytest.fixture(scope="module")
def workforce():
    service = eq.make_service(
        {
            "service": {"name": "Staff of a service", "counted": "staff", "area": ["Newham"]},
            "extract": {"person": "staff_id"},
            "characteristics": {
                "ethnicity": {"column": "ethnic", "code_list": "nhs-ethnic-category-2001"},
                "sex": {"column": "sex", "code_list": "person-stated-gender"},
                "grade": {"column": "grade"},
            },
        }
    )
    return eq.analyse(service, staff_frame())


def test_own_words_are_categories_and_spellings_of_one_word_are_one():
    coded = code_own_words(
        table("""
            value    | records
            Band 7   | 9
            BAND 7   | 2
            band  7  | 1
            Unknown  | 3
            Director | 1
        """),
        "grade",
    )
    found = coded.table.set_index("value")
    assert set(found.loc[["Band 7", "BAND 7"], "category"]) == {"Band 7"}
    assert (found.loc["Director", "status"], found.loc["Unknown", "status"]) == ("known", "not_known")
    assert found["records"].sum() == 16


def test_each_grade_is_held_against_the_residents(workforce):
    rows = workforce.representation
    here = rows[(rows["area_kind"] == "local") & (rows["category"] == "Bangladeshi")].set_index("of")
    assert {"users", "grade: Band 3", "grade: Band 5", "grade: Band 7"} <= set(here.index)
    assert here.loc["grade: Band 3", "numerator"] == 80
    assert here.loc["grade: Band 3", "share"] == pytest.approx(0.5)
    assert here.loc["grade: Band 7", "numerator"] == 9
    assert here.loc["grade: Band 3", "ratio"] == pytest.approx(5 * here.loc["grade: Band 7", "ratio"])
    assert here.loc["grade: Band 3", "flag"] == "disproportionate_high"


def test_a_grade_that_few_people_hold_is_not_named(workforce):
    for name in ("representation", "categories", "outcomes"):
        text = workforce.table(name).to_csv()
        assert "Band 9" not in text, name
    people = workforce.categories
    few = people[(people["characteristic"] == "grade") & (people["category"] == "Others (few people each)")]
    assert few["numerator"].max() == 4


def test_staff_are_the_workforce_assessment_and_no_patients(workforce):
    criteria = workforce.maturity.criteria.set_index("criterion_id")
    assert criteria.loc["S-WDIV-F1", "outcome"] == "met"
    assert criteria.loc["S-QUAN-F1", "outcome"] == "not assessed"
