"""Quality flags: each fires just outside its threshold and not just inside, on counts made by hand."""

import pandas as pd
import pytest

from equitydata import reference
from equitydata.completeness import JOINT, NOT_RECORDED
from equitydata.errors import ConfigError
from equitydata.quality import (
    agreement_flags,
    declined_flags,
    english_flag,
    flags_table,
    fold_counts,
    gap_flags,
    mixed_flag,
    mixed_lists_flags,
    residual_flag,
    residual_use,
    single_value_flags,
    stale_flag,
)
from equitydata.representation.residents import ENGLISH_CELL, english_share, residents_by_ethnicity
from equitydata.rulebook import load_rulebook
from equitydata.tables import SPECS
from tables_helper import table

RULES = load_rulebook()
LABELS = {"ethnicity": "Ethnic group", "language": "Main or preferred language", JOINT: "Both"}
# Residents in made-up numbers: 10 in 100 in "any other" categories, 4 in 100 in Mixed groups.
RESIDENTS = pd.Series(
    {"White British": 5000, "Indian": 3600, "White other": 800, "Any other": 200, "Mixed White/Asian": 400}
)


def fired(found):
    """Flag and place of each row."""
    return [(row.flag, row.place) for row in found.itertuples()]


# ---------------------------------------------------------------- residual categories


def use(residual, people=10_000):
    return residual_use(
        pd.Series({"White other": residual, "Indian": people - residual}), RESIDENTS, "census_2021", RULES
    )


def test_the_residual_share_is_held_against_that_of_residents():
    assert use(1500) == {"numerator": 1500, "denominator": 10_000, "resident_share": 0.1, "ratio": 1.5}


def test_residual_over_use_is_flagged_above_the_ratio():
    assert residual_flag(use(1500), RULES).empty
    assert fired(residual_flag(use(1501), RULES)) == [("residual over-use", "")]


def test_residual_over_use_that_chance_could_explain_is_not_flagged():
    # 8 of 50 is 16%, but its lower limit is 8.3%; 32 of 200 is 16% too, from 11.6%.
    assert residual_flag(use(8, 50), RULES).empty
    assert len(residual_flag(use(32, 200), RULES)) == 1


def test_residual_over_use_of_very_few_people_is_not_flagged():
    assert residual_flag(use(24, 24), RULES).empty
    assert len(residual_flag(use(25, 25), RULES)) == 1


def test_the_census_is_folded_to_the_scheme_of_the_list_in_use():
    people = pd.Series({"Any other": 300, "Indian": 700})
    residents = pd.Series({"Any other": 100, "Arab": 100, "Roma": 50, "Indian": 750})
    latest = residual_use(people, residents, "census_2021", RULES)
    older = residual_use(people, residents, "nhs_2001", RULES)
    # The 2001 list has neither Arab nor Roma: they are "any other" and "White other" there.
    assert (latest["resident_share"], latest["ratio"]) == (0.1, pytest.approx(3.0))
    assert (older["resident_share"], older["ratio"]) == (0.25, pytest.approx(1.2))
    assert len(residual_flag(latest, RULES)) == 1 and residual_flag(older, RULES).empty


def test_folding_keeps_every_person():
    folded = fold_counts(RESIDENTS, "five_groups")
    assert folded.sum() == RESIDENTS.sum()
    assert folded.to_dict() == {"Asian": 3600, "Mixed": 400, "Other": 200, "White": 5800}


@pytest.mark.parametrize(
    ("people", "residents"),
    [
        (pd.Series(dtype=float), RESIDENTS),
        (pd.Series({"Indian": 10}), pd.Series(dtype=float)),
        (pd.Series({"Indian": 10}), pd.Series({"Indian": 10})),
    ],
)
def test_without_people_or_residents_to_compare_there_is_no_residual_share(people, residents):
    assert residual_use(people, residents, "census_2021", RULES) is None
    assert residual_flag(None, RULES).empty


# ---------------------------------------------------------------- mixed groups


def mixed(number, people=10_000):
    return mixed_flag(pd.Series({"Mixed White/Asian": number, "Indian": people - number}), RESIDENTS, RULES)


def test_a_mixed_under_count_is_flagged_below_the_ratio():
    # 4% of residents; 0.67 of it is 2.68%.
    assert mixed(268).empty
    assert fired(mixed(267)) == [("mixed under-count", "")]


def test_a_mixed_under_count_that_chance_could_explain_is_not_flagged():
    # 2 of 100 has limits up to 7.0%, 4 of 200 up to 5.0%, 8 of 400 up to 3.9%.
    assert mixed(2, 100).empty and mixed(4, 200).empty
    assert len(mixed(8, 400)) == 1


def test_very_few_people_raise_no_mixed_flag():
    residents = pd.Series({"Mixed White/Asian": 90, "Indian": 10})
    assert mixed_flag(pd.Series({"Indian": 24}), residents, RULES).empty
    assert len(mixed_flag(pd.Series({"Indian": 25}), residents, RULES)) == 1


def test_the_mixed_share_is_the_same_in_the_scheme_of_2001():
    people = pd.Series({"Mixed White/Asian": 30, "Chinese": 500, "Arab": 300, "Roma": 170})
    for scheme in ("five_groups", "five_groups_2001"):
        assert fold_counts(people, scheme)["Mixed"] == 30
        assert fold_counts(RESIDENTS, scheme)["Mixed"] == 400


@pytest.mark.parametrize(
    ("people", "residents"),
    [
        (pd.Series(dtype=float), RESIDENTS),
        (pd.Series({"Indian": 100}), pd.Series(dtype=float)),
        (pd.Series({"Indian": 100}), pd.Series({"Indian": 100})),
    ],
)
def test_without_mixed_residents_nothing_is_held_against_them(people, residents):
    assert mixed_flag(people, residents, RULES).empty


# ---------------------------------------------------------------- declined


def statuses(declined, people=1000):
    return pd.DataFrame(
        {
            "characteristic": "ethnicity",
            "status": ["known", "declined", "not_applicable"],
            "people": [people - declined, declined, 5000],
        }
    )


def at_places(**places):
    """Records of places as (declined, all)."""
    rows = [
        (place, status, number)
        for place, (declined, everyone) in places.items()
        for status, number in (
            ("declined", declined),
            ("known", everyone - declined),
            ("not_applicable", 400),
        )
        if number
    ]
    frame = pd.DataFrame(rows, columns=["place", "status", "records"])
    return {"ethnicity": frame.assign(category="")}


QUIET = at_places(North=(1, 100), South=(1, 100))


def test_declined_is_flagged_over_the_whole_above_five_per_cent():
    assert declined_flags(statuses(50), QUIET, RULES).empty
    found = declined_flags(statuses(51), QUIET, RULES)
    assert fired(found) == [("declined as default", "")]
    assert (found["numerator"].item(), found["denominator"].item()) == (51, 1000)
    assert found["finding"].item() == "The share of declined answers is high."


def test_declined_of_very_few_people_is_not_flagged():
    assert declined_flags(statuses(24, 24), QUIET, RULES).empty
    assert len(declined_flags(statuses(25, 25), QUIET, RULES)) == 1


def test_declined_is_flagged_at_a_site_above_a_fifth():
    assert declined_flags(statuses(0), at_places(North=(20, 100), South=(0, 100)), RULES).empty
    found = declined_flags(statuses(0), at_places(North=(21, 100), South=(0, 100)), RULES)
    assert fired(found) == [("declined as default", "North")]
    assert (found["numerator"].item(), found["denominator"].item()) == (21, 100)
    assert found["finding"].item() == "The share of declined answers is high at North."


def test_declined_at_a_site_of_few_records_is_not_flagged():
    assert declined_flags(statuses(0), at_places(North=(24, 24), South=(0, 100)), RULES).empty
    assert len(declined_flags(statuses(0), at_places(North=(25, 25), South=(0, 100)), RULES)) == 1


def test_records_without_a_site_are_a_place_only_beside_others():
    one = declined_flags(statuses(0), at_places(**{NOT_RECORDED: (50, 100)}), RULES)
    assert one.empty
    two = declined_flags(statuses(0), at_places(**{NOT_RECORDED: (50, 100), "North": (0, 100)}), RULES)
    assert two["finding"].item() == "The share of declined answers is high where no site is recorded."


# ---------------------------------------------------------------- one value


def single(place="North", category="English", **counts):
    known = pd.DataFrame(
        {
            "place": place,
            "status": "known",
            "category": list(counts),
            "records": list(counts.values()),
        }
    )
    blank = pd.DataFrame({"place": [place], "status": ["missing"], "category": [""], "records": [900]})
    return single_value_flags(
        {"language": pd.concat([known, blank])},
        {"language": pd.Series({"English": 0.6, "Welsh": 0.99})},
        RULES,
    )


def test_one_value_at_a_site_is_flagged_above_98_per_cent_of_known_values():
    assert single(English=980, Bengali=20).empty
    found = single(English=981, Bengali=19)
    assert fired(found) == [("single-value default", "North")]
    assert (found["numerator"].item(), found["denominator"].item()) == (981, 1000)
    assert found["finding"].item() == "Nearly every value at North is English."
    assert found["compared_with"].item() == "60.0% of residents"


def test_one_value_is_not_flagged_where_the_census_has_as_much_or_does_not_know_it():
    assert single(Welsh=990, English=10).empty
    assert len(single(Welsh=991, English=9)) == 1
    assert single(Bengali=1000).empty


def test_one_value_of_few_records_is_not_flagged():
    assert single(English=24).empty
    assert len(single(English=25)) == 1


def test_one_value_where_no_site_is_recorded_is_said_in_words():
    found = single(NOT_RECORDED, English=100)
    assert found["finding"].item() == "Nearly every value where no site is recorded is English."


def test_a_field_that_the_census_does_not_have_raises_nothing():
    counted = pd.DataFrame(
        {"place": ["North"], "status": ["known"], "category": ["English"], "records": [100]}
    )
    assert single_value_flags({"language": counted}, {}, RULES).empty


# ---------------------------------------------------------------- English, stale, lists


def test_english_is_flagged_more_than_ten_points_above_the_census():
    # In floating point 0.7 + 0.1 falls short of 0.8.
    assert english_flag(800, 1000, 0.7, RULES).empty
    assert fired(english_flag(801, 1000, 0.7, RULES)) == [("English by default", "")]


def test_english_is_not_judged_without_a_census_share_or_on_few_people():
    assert english_flag(900, 1000, None, RULES).empty
    assert english_flag(0, 0, 0.5, RULES).empty
    assert english_flag(24, 24, 0.5, RULES).empty
    assert len(english_flag(25, 25, 0.5, RULES)) == 1


def test_stale_values_are_flagged_from_a_quarter():
    assert stale_flag("ethnicity", 249, 1000, RULES).empty
    found = stale_flag("ethnicity", 250, 1000, RULES)
    assert fired(found) == [("stale values", "")]
    assert found["compared_with"].item() == "25% or more" and "5 years" in found["finding"].item()


def test_stale_values_of_few_records_are_not_flagged():
    assert stale_flag("ethnicity", 0, 0, RULES).empty
    assert stale_flag("ethnicity", 24, 24, RULES).empty
    assert len(stale_flag("ethnicity", 25, 25, RULES)) == 1


def test_two_code_lists_in_one_field_are_flagged():
    codes = table("""
        characteristic | records | status  | code_list
        ethnicity      | 900     | known   | nhs-ethnic-category-2001
        ethnicity      | 100     | known   | census-2021-ethnic-group
        ethnicity      |  50     | known   |
        ethnicity      |  50     | invalid | somewhere-else
        language       | 900     | known   | nhs-language
        language       | 100     | declined | iso-639-3
    """)
    found = mixed_lists_flags(codes)
    assert list(found["characteristic"]) == ["ethnicity"]
    assert (found["numerator"].item(), found["denominator"].item()) == (100, 1000)
    assert "nhs-ethnic-category-2001, census-2021-ethnic-group" in found["finding"].item()


# ---------------------------------------------------------------- groups


def test_groups_that_the_breakdown_flags_are_named_once_for_people():
    breakdown = table("""
        characteristic | by       | group | unit    | numerator | denominator | flagged
        ethnicity      | site     | South | people  | 70        | 100         | true
        ethnicity      | site     | South | records | 150       | 300         | true
        ethnicity      | site     | North | people  | 95        | 100         | false
        joint          | age_band | 18 to 24 | people | 50      | 100         | true
    """)
    found = gap_flags(breakdown)
    assert fired(found) == [
        ("low completeness in a group", "South"),
        ("low completeness in a group", "18 to 24"),
    ]
    assert found["finding"][1] == "The known share is far below the whole in age band 18 to 24."


def test_groups_that_disagree_often_are_named_with_the_floor():
    agreement = table("""
        characteristic | level | group | numerator | denominator | flagged
        ethnicity      | group | Mixed | 30        | 50          | true
        ethnicity      | group | White | 99        | 100         | false
    """)
    found = agreement_flags(agreement, 0.925)
    assert fired(found) == [("low agreement", "Mixed")]
    assert found["compared_with"].item() == "92.5%"


# ---------------------------------------------------------------- the table


def test_all_flags_stand_in_one_table_with_limits():
    rows = [
        stale_flag("ethnicity", 250, 1000, RULES),
        stale_flag("language", 0, 1000, RULES),
        english_flag(900, 1000, 0.7, RULES),
    ]
    found = flags_table(rows, LABELS, RULES)
    assert list(found.columns) == list(SPECS["flags"].columns)
    assert list(found["label"]) == ["Ethnic group", "Main or preferred language"]
    assert list(found["value"]) == [0.25, 0.9]
    assert (found["lower"] < found["value"]).all() and (found["value"] < found["upper"]).all()


def test_no_flag_is_an_empty_table_of_the_right_shape():
    found = flags_table([stale_flag("ethnicity", 0, 10, RULES)], LABELS, RULES)
    assert found.empty and list(found.columns) == list(SPECS["flags"].columns)


# ---------------------------------------------------------------- residents


def test_residents_stand_in_the_categories_that_records_are_coded_to():
    found = residents_by_ethnicity(["E09000025"])
    census = reference.population("ethnic_group", ["E09000025"])
    assert found.index.notna().all() and found.index.is_unique
    assert found.sum() == census["count"].sum()
    assert {"Bangladeshi", "Roma", "White British", "Any other"} <= set(found.index)


def test_residents_of_two_areas_add_up():
    both = residents_by_ethnicity(["E09000025", "E09000030"])
    each = [residents_by_ethnicity([area]) for area in ("E09000025", "E09000030")]
    assert both["Bangladeshi"] == sum(one["Bangladeshi"] for one in each)


def test_without_an_area_there_are_no_residents():
    assert residents_by_ethnicity([]).empty
    assert english_share([]) is None


def test_english_is_a_share_of_residents_aged_three_and_over():
    census = reference.population("english_proficiency", ["E09000025"], leaves=True)
    english = census.loc[census["category_code"] == ENGLISH_CELL, "count"].item()
    assert english_share(["E09000025"]) == english / census["count"].sum()
    assert 0.5 < english_share(["E09000025"]) < 0.8


def test_an_area_without_figures_has_no_english_share(monkeypatch):
    def none(*_, **__):
        raise ConfigError("No figures for this area.")

    monkeypatch.setattr(reference, "population", none)
    assert english_share(["E09000025"]) is None
