"""The sample's planted disparities: each is found with its size, and nothing is flagged that was not planted.

What a group would show if nothing but the plan were at work is worked out from the planted chance of every contact: it
goes through the same run as a further measure, a mean. A flag whose group is planted to be like the rest would be
one of luck.
"""

import importlib
import sys
import tomllib
from functools import cache

import numpy as np
import pandas as pd
import pytest

import equitydata as eq
from equitydata.representation.own_tables import add_table
from test_sample_data import SAMPLE

LETTERS_OF_CENSUS = {
    "A": "White British", "B": "White Irish", "C": "White other", "D": "Mixed White/Black Caribbean",
    "E": "Mixed White/Black African", "F": "Mixed White/Asian", "G": "Mixed other", "H": "Indian", "J": "Pakistani",
    "K": "Bangladeshi", "L": "Asian other", "M": "Black Caribbean", "N": "Black African", "P": "Black other",
    "R": "Chinese", "S": "Any other",
}  # fmt: skip
CHANCES = {
    "did_not_attend": "did_not_attend_chance",
    "hba1c_controlled": "hba1c_controlled_chance",
    "retinal_screening_done": "retinal_screening_done_chance",
}


@cache
def script():
    """The script that makes the sample, and its plan."""
    sys.path.insert(0, str(SAMPLE))
    try:
        return importlib.import_module("plan"), importlib.import_module("make_sample")
    finally:
        sys.path.remove(str(SAMPLE))


def planned_contacts():
    """The text of every clean contact with what was planted for it."""
    plan, make = script()
    people = make.make_people()
    contacts = make.make_contacts(people)
    text = make.write_out(contacts)
    chances = {column: contacts[column].astype(str) for column in CHANCES.values()}
    not_english = make.belongs(contacts, "main language not English")
    added = plan.WAIT_ADDED["main language not English"]
    chances["wait_planned"] = (plan.WAIT_MEAN + added * not_english).astype(str)
    return text.assign(**chances)


def planned_measures(measures):
    """For each measure the mean of its planted chance, over the same contacts or people."""
    found = {}
    for name, measure in measures.items():
        column = CHANCES.get(name, "wait_planned")
        planned = {
            key: measure[key]
            for key in ("label", "kind", "counts", "polarity", "denominator")
            if key in measure
        }
        if name == "wait_days":
            planned["denominator"] = {"column": "wait_days", "missing": False}
        found[f"planned_{name}"] = {**planned, "value": column}
    return found


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sample")
    content = tomllib.loads((SAMPLE / "service.toml").read_text(encoding="utf-8"))
    content["measures"] |= planned_measures(content["measures"])
    content["analysis"] = {"trend": "none"}
    plan, _ = script()
    residents = [
        ("E09000025", LETTERS_OF_CENSUS[letter], sex, count / 2)
        for letter, count in plan.CENSUS_2021.items()
        for sex in ("Male", "Female")
    ]
    table = pd.DataFrame(residents, columns=["area_code", "category", "sex", "count"])
    table["count"] = table["count"].map(lambda each: int(each + 0.5))
    table.to_csv(folder / "by_sex.csv", index=False)
    add_table(
        folder / "by_sex.csv", characteristic="ethnicity", folder=folder / "reference", name="ethnic_group_by_sex",
        date="2021-03-21", source="Census 2021, TS021, halved by sex as the sample's plan does",
    )  # fmt: skip
    return eq.analyse(eq.make_service(content, folder=folder), planned_contacts())


@cache
def planted():
    plan, _ = script()
    return {name: outcome["added"] for name, outcome in plan.OUTCOMES.items()}


def rows(result, measure, characteristic, level, category, adjustment="crude"):
    table = result.comparisons
    here = table[(table["measure"] == measure) & (table["characteristic"] == characteristic)]
    here = here[(here["level"] == level) & (here["category"] == category) & (here["comparator"] == "rest")]
    return here[here["adjustment"] == adjustment].iloc[0]


FOUND = [
    ("did_not_attend", "ethnicity", "detailed", "Black Caribbean", "ethnicity M", "harm"),
    ("did_not_attend", "deprivation", "core20", "Core20 (deciles 1 and 2)", "IMD deciles 1-2", "harm"),
    ("hba1c_controlled", "ethnicity", "detailed", "Bangladeshi", "ethnicity K", "harm"),
    ("hba1c_controlled", "ethnicity", "detailed", "Pakistani", "ethnicity J", "harm"),
    ("retinal_screening_done", "ethnicity", "detailed", "Black African", "ethnicity N", "harm"),
    (
        "retinal_screening_done",
        "deprivation",
        "core20",
        "Core20 (deciles 1 and 2)",
        "IMD deciles 1-2",
        "harm",
    ),
]


@pytest.mark.parametrize(("measure", "characteristic", "level", "category", "plant", "harm"), FOUND)
def test_a_planted_disparity_is_evident_with_its_size(
    result, measure, characteristic, level, category, plant, harm
):
    size = planted()[measure][plant]
    crude = rows(result, measure, characteristic, level, category)
    assert crude["evidence"], "it is evident after adjusting for how many groups were looked at"
    assert np.sign(crude["difference"]) == np.sign(size)
    adjusted = rows(result, measure, characteristic, level, category, "adjusted")
    # The rest holds other planted groups, so what is expected of the difference is that of the planted chances.
    expected = rows(result, f"planned_{measure}", characteristic, level, category, "adjusted")["difference"]
    assert abs(expected - size) < 0.02
    assert adjusted["difference_lower"] < expected < adjusted["difference_upper"]
    found = crude["flag"].startswith("disproportionate")
    assert found == (not 0.8 < crude["ratio"] < 1.25)
    if found:
        assert crude["harm"] == harm


def test_the_planted_wait_is_found_with_its_size(result):
    crude = rows(result, "wait_days", "language", "english", "Other than English")
    assert (crude["flag"], crude["harm"]) == ("disproportionate_high", "harm")
    assert crude["difference_lower"] < 8 < crude["difference_upper"] + 0.5


def test_planted_representation_is_found_with_its_size(result):
    plan, _ = script()
    table = result.representation
    here = table[(table["of"] == "users") & (table["area_kind"] == "local")]
    crossed = here[here["characteristic"] == "ethnicity x sex"].set_index("category")
    weights = {
        (letter, sex): plan.CENSUS_2021[letter] * plan.SEEN_MORE_OR_LESS.get((letter, sex), 1.0)
        for letter in plan.CENSUS_2021
        for sex in "12"
    }
    whole = sum(weights.values()) / (2 * sum(plan.CENSUS_2021.values()))
    for (letter, sex), times in plan.SEEN_MORE_OR_LESS.items():
        row = crossed.loc[f"{LETTERS_OF_CENSUS[letter]} × {'Male' if sex == '1' else 'Female'}"]
        assert row["flag"] == ("disproportionate_low" if times < 1 else "disproportionate_high")
        # A tenth of the width is left for people whose recorded group is not their own.
        slack = (row["ratio_upper"] - row["ratio_lower"]) / 2
        assert row["ratio_lower"] - slack < times / whole < row["ratio_upper"] + slack
    others = crossed[crossed["flag"].str.startswith("disproportionate")].index
    assert {name.split(" × ")[0] for name in others} == {"Bangladeshi", "Indian"}


def test_no_outcome_is_flagged_where_nothing_was_planted(result):
    table = result.comparisons
    crude = table[(table["comparator"] == "rest") & (table["adjustment"] == "crude")]
    keys = ["characteristic", "level", "category"]
    planned = crude[crude["measure"].str.startswith("planned_")]
    planned = planned.assign(measure=planned["measure"].str.removeprefix("planned_"))
    joined = crude.merge(
        planned[["measure", *keys, "ratio"]], on=["measure", *keys], suffixes=("", "_planned")
    )
    flagged = joined[joined["flag"].str.startswith("disproportionate")]
    assert len(flagged) >= 20
    high = flagged["flag"] == "disproportionate_high"
    side = np.where(high, 1, -1) * np.log(flagged["ratio_planned"])
    assert flagged[side < np.log(1.05)][["measure", *keys, "ratio", "ratio_planned", "p_adjusted"]].empty, (
        flagged[side < np.log(1.05)][
            ["measure", *keys, "people", "ratio", "ratio_planned", "p_adjusted"]
        ].to_string()
    )
