"""Completeness: statuses and counts -> shares, by measure and group, from counts drawn by hand."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equitydata import codelists
from equitydata.completeness import (
    JOINT,
    JOINT_LABEL,
    MEASURES,
    NOT_RECORDED,
    UNITS,
    band,
    band_labels,
    breakdown_table,
    category_table,
    completeness_table,
    detail_counts,
    fold,
    needs_table,
    status_table,
)
from equitydata.model import STATUSES
from equitydata.rulebook import load_rulebook
from equitydata.tables import SPECS
from tables_helper import analysed, table

RULES = load_rulebook()
LABELS = {"ethnicity": "Ethnic group", "language": "Main or preferred language", "age": "Age"}
NO_DETAIL = pd.DataFrame(columns=["characteristic", "measure", "numerator"])


def statuses(characteristic="ethnicity", **people):
    """Statuses of one characteristic; records are three for each person, carried back four."""
    counts = [people.get(status, 0) for status in STATUSES]
    frame = pd.DataFrame({"characteristic": characteristic, "status": STATUSES, "people": counts})
    return frame.assign(records=3 * frame["people"], records_carried_back=4 * frame["people"])


def measured(frame, *, joint=None, detail=NO_DETAIL, rules=RULES):
    return completeness_table(frame, joint, detail, LABELS, rules)


def pick(found, measure, *, characteristic="ethnicity", unit="people"):
    here = found[
        (found["characteristic"] == characteristic) & (found["measure"] == measure) & (found["unit"] == unit)
    ]
    assert len(here) == 1
    return here.iloc[0]


# ---------------------------------------------------------------- measures


def test_declined_is_asked_but_not_known():
    found = measured(statuses(known=80, declined=15, missing=5))
    shares = {name: pick(found, name)["value"] for name in MEASURES}
    assert shares == {
        "populated": 0.95,
        "valid": 0.95,
        "asked": 0.95,
        "known_or_declined": 0.95,
        "known": 0.80,
    }


@pytest.mark.parametrize(
    ("status", "counted"),
    [
        ("known", {"populated", "valid", "asked", "known_or_declined", "known"}),
        ("unsure", {"populated", "valid", "asked"}),
        ("declined", {"populated", "valid", "asked", "known_or_declined"}),
        ("not_known", {"populated", "valid"}),
        ("invalid", {"populated"}),
        ("missing", set()),
    ],
)
def test_each_status_counts_towards_the_measures_of_the_domain_notes(status, counted):
    found = measured(statuses(**{status: 10}))
    assert {name for name in MEASURES if pick(found, name)["numerator"] == 10} == counted
    assert {name for name in MEASURES if pick(found, name)["numerator"] == 0} == set(MEASURES) - counted


def test_values_that_do_not_apply_leave_numerator_and_denominator():
    found = pick(measured(statuses(known=30, missing=10, not_applicable=60)), "known")
    assert (found["numerator"], found["denominator"], found["value"]) == (30, 40, 0.75)


def test_an_item_that_applies_to_nobody_has_no_share_and_not_nought():
    found = pick(measured(statuses(not_applicable=60)), "known")
    assert found["denominator"] == 0
    assert found[["value", "lower", "upper"]].isna().all()


def test_every_measure_is_given_over_people_and_over_records():
    found = measured(statuses(known=80, missing=20))
    assert {unit: pick(found, "known", unit=unit)["numerator"] for unit in UNITS} == {
        "people": 80,
        "records": 240,
        "records_carried_back": 320,
    }


def test_joint_counts_only_people_with_both():
    joint = table("""
        first          | second         | people
        known          | known          | 700
        known          | missing        | 100
        declined       | known          |  60
        declined       | declined       |  40
        missing        | known          |  80
        known          | not_applicable |  15
        not_applicable | known          |   5
    """)
    found = measured(statuses(known=815, missing=185), joint=joint)
    known, answered = (
        pick(found, measure, characteristic=JOINT) for measure in ("known", "known_or_declined")
    )
    assert (known["numerator"], known["denominator"]) == (700, 980)
    assert (answered["numerator"], answered["denominator"]) == (800, 980)
    assert known["label"] == JOINT_LABEL
    assert set(found.loc[found["characteristic"] == JOINT, "measure"]) == {"known", "known_or_declined"}


def test_without_both_core_fields_there_is_no_joint_row():
    assert JOINT not in set(measured(statuses(known=10))["characteristic"])


def test_rows_stand_in_the_order_in_which_people_read_them():
    both = pd.concat([statuses("language", known=5), statuses("ethnicity", known=5)])
    detail = table("""
        characteristic | measure  | numerator
        ethnicity      | detailed | 4
        ethnicity      | specific | 3
    """)
    joint = pd.DataFrame({"first": ["known"], "second": ["known"], "people": [5]})
    found = measured(both, joint=joint, detail=detail)
    assert list(found["characteristic"].unique()) == [JOINT, "ethnicity", "language"]
    ethnicity = found[(found["characteristic"] == "ethnicity") & (found["unit"] == "people")]
    assert list(ethnicity["measure"]) == [*MEASURES, "detailed", "specific"]
    assert list(ethnicity["denominator"]) == [5] * 7
    assert list(found.loc[found["measure"] == "known", "unit"].unique()) == [
        "people",
        "records",
        "records_carried_back",
    ]
    assert list(found.columns) == list(SPECS["completeness"].columns)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 10_000), min_size=len(STATUSES), max_size=len(STATUSES)))
def test_each_measure_lies_inside_the_one_before_it(counts):
    found = measured(statuses(**dict(zip(STATUSES, counts, strict=True))))
    inside = ["populated", "valid", "asked", "known_or_declined", "known"]
    numerators = [pick(found, name)["numerator"] for name in inside]
    assert numerators == sorted(numerators, reverse=True)
    everyone = pick(found, "known")["denominator"]
    assert everyone == sum(counts) - counts[STATUSES.index("not_applicable")]
    assert numerators[0] <= everyone


def test_the_interval_follows_the_confidence_in_force():
    narrow, wide = (
        pick(measured(statuses(known=80, missing=20), rules=load_rulebook({"confidence": level})), "known")
        for level in (0.9, 0.99)
    )
    assert wide["lower"] < narrow["lower"] < 0.8 < narrow["upper"] < wide["upper"]


def test_statuses_carry_the_words_that_people_read():
    found = status_table(statuses(known=3), LABELS)
    assert set(found["label"]) == {"Ethnic group"}
    assert list(found["people"]) == [3, 0, 0, 0, 0, 0, 0]


# ---------------------------------------------------------------- detail


def test_a_broad_group_is_known_but_not_detailed_and_a_residual_one_not_specific():
    found = detail_counts(
        table("""
            characteristic | category                | people
            ethnicity      | Bangladeshi             | 50
            ethnicity      | Any other               | 20
            ethnicity      | White (broad)           | 10
            ethnicity      | Sylheti, as we write it |  5
        """)
    )
    assert found.set_index("measure")["numerator"].to_dict() == {"detailed": 75, "specific": 55}


# ---------------------------------------------------------------- by group


def groups(by="site", unit="people", name="ethnicity", **counts):
    """Known and applicable of one characteristic by group, as (known, applicable)."""
    frame = pd.DataFrame(
        {
            "group": list(counts),
            "order": range(1, len(counts) + 1),
            f"{name}|known": [known for known, _ in counts.values()],
            f"{name}|applicable": [applicable for _, applicable in counts.values()],
        }
    )
    return breakdown_table({(by, unit): frame}, {**LABELS, name: LABELS.get(name, name)}, RULES)


def flagged(found):
    return list(found.loc[found["flagged"], "group"])


def test_a_group_ten_points_below_the_whole_is_flagged():
    # The whole is 0.85; in floating point 0.85 - 0.75 falls short of 0.1.
    found = groups(North=(950, 1000), South=(750, 1000))
    assert list(found["value"]) == [0.95, 0.75]
    assert flagged(found) == ["South"]


def test_a_group_less_than_ten_points_below_is_not_flagged():
    assert flagged(groups(North=(949, 1000), South=(751, 1000))) == []


def test_a_group_above_the_whole_is_not_flagged():
    assert flagged(groups(North=(1000, 1000), South=(900, 1000))) == []


def test_a_low_share_that_chance_could_explain_is_not_flagged():
    # Of all, 90.2% are known: 20 of 25 is 80%, with limits up to 91.1%; 80 of 100 as well, up to 86.7%.
    assert flagged(groups(North=(905, 1000), South=(20, 25))) == []
    assert flagged(groups(North=(920, 1000), South=(80, 100))) == ["South"]


def test_fewer_people_than_the_rule_are_not_judged():
    assert flagged(groups(North=(990, 1000), South=(2, 24))) == []
    assert flagged(groups(North=(990, 1000), South=(2, 25))) == ["South"]


@pytest.mark.parametrize(
    ("by", "name"),
    [
        ("age_band", "age"),
        ("age_band", "birth_date"),
        ("sex", "sex"),
        ("deprivation", "deprivation"),
        ("deprivation", "geography"),
        ("deprivation", "postcode"),
    ],
)
def test_a_characteristic_is_not_flagged_within_its_own_dimension(by, name):
    counts = {"One": (1000, 1000), "Two": (100, 1000)}
    assert flagged(groups(by, name=name, **counts)) == []
    assert flagged(groups("site", name=name, **counts)) == ["Two"]


def test_another_characteristic_is_flagged_within_that_dimension():
    assert flagged(groups("age_band", name="ethnicity", young=(1000, 1000), old=(500, 1000))) == ["old"]
    assert flagged(groups("sex", name="age", Female=(1000, 1000), Male=(500, 1000))) == ["Male"]


def test_those_whose_group_is_not_recorded_are_shown_and_not_flagged():
    found = groups(**{"North": (950, 1000), NOT_RECORDED: (100, 1000)})
    assert flagged(found) == []
    assert list(found["group"]) == ["North", NOT_RECORDED]


def test_each_dimension_and_unit_has_a_whole_of_its_own():
    frame = pd.DataFrame(
        {"group": ["a", "b"], "order": [1, 2], "ethnicity|known": [90, 50], "ethnicity|applicable": 100}
    )
    records = frame.assign(**{"ethnicity|known": [50, 50]})
    found = breakdown_table({("site", "people"): frame, ("site", "records"): records}, LABELS, RULES)
    assert [(row.group, row.unit) for row in found[found["flagged"]].itertuples()] == [("b", "people")]


def test_a_group_to_which_nothing_applies_has_no_share_and_no_flag():
    found = groups(North=(950, 1000), South=(0, 0))
    assert found["value"].isna().tolist() == [False, True]
    assert flagged(found) == []


def test_joint_is_named_in_the_breakdown():
    assert set(groups(name=JOINT, North=(5, 10))["label"]) == {JOINT_LABEL}


def test_no_dimension_gives_an_empty_table_of_the_right_shape():
    empty = pd.DataFrame(columns=["group", "order"])
    for counts in ({}, {("site", "people"): empty}):
        found = breakdown_table(counts, LABELS, RULES)
        assert found.empty and list(found.columns) == list(SPECS["breakdown"].columns)


def test_no_age_is_flagged_by_its_own_band_in_a_whole_run():
    found = analysed().breakdown
    own = found[(found["characteristic"] == "age") & (found["by"] == "age_band")]
    assert len(own) > 1 and not own["flagged"].any()


# ---------------------------------------------------------------- folding


def test_staged_numbers_are_folded_to_groups_and_nobody_is_lost():
    counts = table("""
        number | people
        0      |  4
        1      | 10
        2      | 20
        3      | 30
        4      |  1
    """)
    names = pd.Series(["", "B", "A", "A", "C"])
    found = fold(counts, names, order=["B", "A"])
    assert found.to_dict("list") == {
        "group": ["B", "A", "C", NOT_RECORDED],
        "people": [10, 50, 1, 4],
        "order": [1, 2, 3, 4],
    }
    assert list(fold(counts, names)["group"]) == ["A", "B", "C", NOT_RECORDED]
    assert list(fold(counts, names.replace("", None))["group"]) == ["A", "B", "C", NOT_RECORDED]


def test_bands_are_named_by_their_ends_and_hold_them():
    assert band_labels([0, 1, 5]) == ["0", "1 to 4", "5 and over"]
    assert band_labels([1], unit=" contacts") == ["1 and over contacts"]
    found = band(pd.Series(["0", "1", "4", "5", "101", "-1", "", "x"]), [0, 1, 5])
    assert list(found[:5]) == ["0", "1 to 4", "1 to 4", "5 and over", "5 and over"]
    assert found[5:].isna().all()


# ---------------------------------------------------------------- categories


def categories(name, lists, **people):
    frame = pd.DataFrame({"characteristic": name, "category": list(people), "people": list(people.values())})
    return category_table(frame, {name: lists}, {name: name}, RULES)


def level(found, wanted="detailed"):
    return found[found["level"] == wanted].set_index("category")


def test_a_category_that_the_list_cannot_hold_is_not_nought():
    found = level(categories("ethnicity", ["nhs-ethnic-category-2001"], Indian=60, Bangladeshi=40))
    assert set(found.index[~found["collected"]]) == {"Roma", "White Gypsy/Traveller", "Arab"}
    assert found.loc["Roma", ["numerator", "value", "lower", "upper"]].isna().all()


def test_a_category_that_the_list_holds_and_nobody_has_is_nought():
    found = level(categories("ethnicity", ["nhs-ethnic-category-2001"], Indian=60, Bangladeshi=40))
    assert found.loc["Chinese", ["collected", "numerator", "denominator", "value"]].tolist() == [
        True,
        0,
        100,
        0.0,
    ]
    assert found.loc["Indian", "value"] == 0.6


def test_a_category_that_someone_has_is_collected_whatever_the_list():
    found = level(categories("ethnicity", ["nhs-ethnic-category-2001"], Roma=3, Indian=60))
    assert found.loc["Roma", ["collected", "numerator"]].tolist() == [True, 3]


def test_a_broad_category_is_shown_only_where_someone_has_it():
    without = level(categories("ethnicity", ["nhs-ethnic-category-2001"], Indian=60))
    having = level(categories("ethnicity", ["nhs-ethnic-category-2001"], Indian=60, **{"White (broad)": 5}))
    assert "White (broad)" not in without.index and having.loc["White (broad)", "numerator"] == 5


def test_a_category_of_ones_own_stands_after_those_of_the_list():
    found = level(categories("ethnicity", ["nhs-ethnic-category-2001"], Zulu=2, Indian=60))
    assert found.index[-1] == "Zulu" and found.loc["Zulu", "order"] == len(found)
    assert found["order"].is_monotonic_increasing


@pytest.mark.parametrize("lists", [["imd-2025"], ["imd2019"], ["imd-decile"]])
def test_a_decile_that_nobody_lives_in_is_collected_and_nought(lists):
    deciles = {str(decile): 10 * decile for decile in range(1, 9)}
    found = level(categories("deprivation", lists, **deciles))
    assert list(found.index) == [str(decile) for decile in range(1, 11)]
    assert found["collected"].all()
    assert found.loc[["9", "10"], "numerator"].tolist() == [0, 0]


@pytest.mark.parametrize("lists", [["our_own_list"], ["nhs-ethnic-category-2001", "our_own_list"]])
def test_what_a_list_of_ones_own_can_hold_is_not_known_so_nothing_is_called_uncollected(lists):
    found = level(categories("ethnicity", lists, Indian=60))
    assert found["collected"].all() and found.loc["Roma", "numerator"] == 0


def test_without_a_list_categories_are_shown_as_they_are_met():
    found = level(categories("ethnicity", [], Indian=60, Bangladeshi=40))
    assert list(found.index) == ["Indian", "Bangladeshi"]
    assert found["collected"].all()


def test_a_language_list_is_shown_as_far_as_it_is_met():
    found = level(categories("language", ["nhs-language"], English=60, Bengali=40))
    assert list(found.index) == ["English", "Bengali"]


def test_ages_and_areas_have_no_list_of_categories():
    ages = level(categories("age", ["hes-age-under-one"], **{"0": 4, "30": 9}))
    assert list(ages.index) == ["0", "30"] and ages["collected"].all()


def test_groups_add_up_their_categories_and_an_unlisted_one_stands_for_itself():
    found = categories("ethnicity", [], Indian=60, Bangladeshi=40, Roma=5, Zulu=2)
    by_name = level(found, "group")
    listed = codelists.categories("ethnicity").set_index("category")["group"]
    assert by_name["numerator"].to_dict() == {listed["Indian"]: 100, listed["Roma"]: 5, "Zulu": 2}
    assert set(by_name["denominator"]) == {107}


def test_a_category_without_a_group_is_among_the_other(monkeypatch):
    listed = table("""
        category | order | detail   | residual | group
        Morse    | 1     | detailed | 0        |
        Bengali  | 2     | detailed | 0        | South Asian
    """)
    monkeypatch.setattr(codelists, "categories", lambda name: listed)
    found = level(categories("language", [], Morse=1, Bengali=2), "group")
    assert found["numerator"].to_dict() == {"Other": 1, "South Asian": 2}


def test_no_known_value_gives_an_empty_table_of_the_right_shape():
    empty = pd.DataFrame(columns=["characteristic", "category", "people"])
    found = category_table(empty, {}, {}, RULES)
    assert found.empty and list(found.columns) == list(SPECS["categories"].columns)


def test_deciles_looked_up_from_the_area_are_all_collected_in_a_whole_run():
    found = analysed().categories
    deciles = found[(found["characteristic"] == "deprivation") & (found["level"] == "detailed")]
    assert len(deciles) == 10 and deciles["collected"].all() and (deciles["numerator"] == 0).any()


# ---------------------------------------------------------------- needs


def test_people_without_a_value_are_counted_by_site_the_most_first():
    by_site = pd.DataFrame(
        {"group": ["North", "South"], "order": [1, 2], "joint|known": [90, 40], "joint|applicable": [100, 80]}
    )
    found = needs_table(by_site, LABELS)
    assert found.to_dict("list") == {
        "characteristic": [JOINT, JOINT],
        "label": [JOINT_LABEL, JOINT_LABEL],
        "site": ["South", "North"],
        "people": [40, 10],
    }


@pytest.mark.parametrize("by_site", [None, pd.DataFrame()])
def test_without_sites_nobody_is_listed(by_site):
    found = needs_table(by_site, LABELS)
    assert found.empty and list(found.columns) == list(SPECS["needs"].columns)
