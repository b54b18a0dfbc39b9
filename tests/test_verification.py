"""Verification: points of care, repeat recordings, agreement and self-report, and the figures made of them."""

import pandas as pd
import pytest

from equitydata.figures import figures_table
from equitydata.rulebook import load_rulebook
from equitydata.tables import SPECS
from equitydata.verification import (
    COPIED,
    MOST_SWAPS,
    UNCOMPARED,
    agreeing,
    agreement_rows,
    agreement_table,
    observed_rows,
    points_table,
    repeat_rows,
    source_rows,
    swap_rows,
    verification_table,
)
from tables_helper import table

RULES = load_rulebook()
LABELS = {"ethnicity": "Ethnic group", "language": "Main or preferred language"}

# Category numbers of a field: 0 is none; "Asian (broad)" is a group that was recorded without detail.
CATEGORIES = ["", "Indian", "Bangladeshi", "Asian (broad)", "Roma", "Of our own"]
GROUPS = ["", "Asian", "Asian", "Asian", "White", ""]


def bits(*categories):
    """The bit mask of categories by name."""
    return sum(1 << CATEGORIES.index(name) for name in categories)


def masks(*sets):
    return pd.Series([bits(*names) for names in sets])


# ---------------------------------------------------------------- agreement of masks


@pytest.mark.parametrize(
    ("recorded", "in_detail", "by_group"),
    [
        (["Indian"], True, True),
        (["Indian", "Bangladeshi"], False, True),
        (["Indian", "Asian (broad)"], False, True),
        (["Asian (broad)"], True, True),
        (["Indian", "Roma"], False, False),
        (["Asian (broad)", "Roma"], False, False),
        (["Indian", "Bangladeshi", "Roma"], False, False),
        (["Of our own"], True, True),
        (["Of our own", "Roma"], False, False),
        ([], False, False),
    ],
)
def test_recordings_agree_in_detail_and_by_group(recorded, in_detail, by_group):
    detailed, grouped = agreeing(masks(recorded), GROUPS)
    assert (bool(detailed[0]), bool(grouped[0])) == (in_detail, by_group)


def test_agreement_in_detail_is_agreement_by_group_for_every_mask():
    every = pd.Series(range(0, 2 ** len(GROUPS), 2), index=range(100, 100 + 2 ** (len(GROUPS) - 1)))
    detailed, grouped = agreeing(every, GROUPS)
    assert (grouped | ~detailed).all()
    assert detailed.index.equals(every.index) and grouped.index.equals(every.index)


def test_two_categories_without_a_group_do_not_agree():
    detailed, grouped = agreeing(pd.Series([0b110]), ["", "", ""])
    assert not detailed[0] and not grouped[0]


# ---------------------------------------------------------------- repeats


def repeats():
    """People by contacts, recordings (2 stands for two and more), independence, category and mask."""
    frame = table("""
        contacts | recordings | points | moments | category | met                | people
        1        | 1          | false  | false   | 1        | Indian             | 500
        2        | 0          | false  | false   | 0        |                    | 100
        2        | 1          | false  | false   | 1        | Indian             |  80
        2        | 2          | false  | false   | 1        | Indian             |  40
        2        | 2          | true   | false   | 1        | Indian             |  30
        2        | 2          | false  | true    | 2        | Bangladeshi        |  20
        2        | 2          | true   | true    | 1        | Indian             | 200
        2        | 2          | true   | true    | 2        | Indian+Bangladeshi |  60
        2        | 2          | true   | true    | 4        | Indian+Roma        |  25
        2        | 2          | true   | true    | 0        | Indian+Roma        |   5
    """)
    met = frame.pop("met").str.split("+")
    return frame.assign(mask=[bits(*filter(None, names)) for names in met])


def counts(found):
    return {row.measure: (row.numerator, row.denominator) for row in found.itertuples()}


def test_an_independent_recording_is_of_another_day_and_another_point_of_care():
    found = repeat_rows(repeats(), groups=GROUPS, can_tell=True, several_points=True)
    assert counts(found) == {
        "repeated": (380, 560),
        "independent": (290, 560),
        "agree_detailed": (200, 290),
        "agree_group": (260, 290),
    }
    assert set(found["note"]) == {"People seen twice or more.", ""}


def test_with_one_point_of_care_another_day_is_enough_and_the_note_says_so():
    found = repeat_rows(repeats(), groups=GROUPS, can_tell=True, several_points=False)
    assert counts(found)["independent"] == (310, 560)
    assert counts(found)["agree_detailed"] == (220, 310)
    assert found["note"][1] == "One point of care: judged on repeat contacts on different days."


def test_copies_that_cannot_be_told_from_new_recordings_are_named_in_the_note():
    several, one = (
        repeat_rows(repeats(), groups=GROUPS, can_tell=False, several_points=several)
        for several in (True, False)
    )
    assert several["note"][1] == COPIED
    assert one["note"][1].startswith("One point of care") and one["note"][1].endswith(COPIED)


def test_a_field_of_too_many_categories_is_not_compared_and_says_so():
    found = repeat_rows(repeats().assign(mask=0), groups=GROUPS, can_tell=True, several_points=True)
    assert counts(found)["agree_group"] == (0, 0) and counts(found)["independent"] == (290, 560)
    assert list(found["note"][2:]) == [UNCOMPARED, UNCOMPARED]


def test_where_nobody_was_recorded_twice_nothing_is_said_of_too_many_categories():
    once = repeats()[:3]
    found = repeat_rows(once, groups=GROUPS, can_tell=True, several_points=True)
    assert counts(found)["agree_group"] == (0, 0) and list(found["note"][2:]) == ["", ""]


def test_verification_has_shares_with_limits_and_none_of_nobody():
    rows = pd.DataFrame(
        {
            "measure": ["repeated", "agree_group"],
            "numerator": [380, 0],
            "denominator": [760, 0],
            "note": "",
            "unit": "people",
        }
    )
    found = verification_table({"ethnicity": rows, "language": rows.head(0)}, LABELS, RULES)
    assert list(found["label"]) == ["Ethnic group", "Ethnic group"]
    assert found["value"][0] == 0.5 and found["lower"][0] < 0.5 < found["upper"][0]
    assert found.loc[1, ["value", "lower", "upper"]].isna().all()


def test_nothing_verified_is_an_empty_table_of_the_right_shape():
    found = verification_table({}, LABELS, RULES)
    assert found.empty and list(found.columns) == list(SPECS["verification"].columns)


# ---------------------------------------------------------------- agreement by group


def test_agreement_is_given_by_the_group_of_the_chosen_value():
    found = agreement_rows(repeats(), name="ethnicity", groups=GROUPS, several_points=True)
    shown = {(row.level, row.group): (row.numerator, row.denominator) for row in found.itertuples()}
    assert shown == {
        ("detailed", "Asian"): (200, 260),
        ("detailed", "White"): (0, 25),
        ("detailed", "Not known"): (0, 5),
        ("group", "Asian"): (260, 260),
        ("group", "White"): (0, 25),
        ("group", "Not known"): (0, 5),
    }


def test_a_value_of_ones_own_list_is_known_and_stands_among_the_other():
    own = repeats().tail(1).assign(category=CATEGORIES.index("Of our own"), mask=bits("Of our own"))
    found = agreement_rows(own, name="ethnicity", groups=GROUPS, several_points=True)
    assert set(found["group"]) == {"Other"} and list(found["numerator"]) == [5, 5]


def test_where_nobody_was_recorded_twice_there_is_no_agreement_to_show():
    found = agreement_rows(repeats()[:3], name="ethnicity", groups=GROUPS, several_points=True)
    assert found.empty
    assert agreement_table([found], LABELS, RULES).empty


def test_with_one_point_of_care_agreement_rests_on_other_days():
    found = agreement_rows(repeats(), name="ethnicity", groups=GROUPS, several_points=False)
    asian = found[(found["level"] == "detailed") & (found["group"] == "Asian")]
    assert (asian["numerator"].item(), asian["denominator"].item()) == (220, 280)


def agreement(level="group", **counts):
    rows = [("ethnicity", level, group, *pair) for group, pair in counts.items()]
    frame = pd.DataFrame(rows, columns=["characteristic", "level", "group", "numerator", "denominator"])
    found = agreement_table([frame], LABELS, RULES)
    return list(found.loc[found["flagged"], "group"])


def test_a_group_is_flagged_where_its_whole_interval_lies_below_the_floor():
    # The floor is 90%: 860 of 1,000 has limits up to 88.0%, 88 of 100 up to 93.0%.
    assert agreement(Asian=(860, 1000), Black=(88, 100), White=(950, 1000)) == ["Asian"]


def test_a_group_is_not_flagged_in_detail_nor_on_too_few_people():
    assert agreement("detailed", Asian=(860, 1000)) == []
    assert agreement(Asian=(0, 24)) == []
    assert agreement(Asian=(0, 25)) == ["Asian"]


# ---------------------------------------------------------------- swaps


def test_pairs_are_counted_where_two_categories_and_no_third_were_met():
    frame = pd.DataFrame(
        {
            "mask": masks(
                ["Indian"],
                ["Indian", "Roma"],
                ["Indian", "Bangladeshi"],
                ["Indian", "Bangladeshi", "Roma"],
                [],
            ),
            "people": [900, 12, 30, 7, 50],
        }
    )
    more = frame.iloc[[1]].assign(people=20)
    found = swap_rows(pd.concat([frame, more]), name="ethnicity", label="Ethnic group", categories=CATEGORIES)
    assert [tuple(row) for row in found[["first", "second", "people"]].to_numpy()] == [
        ("Indian", "Roma", 32),
        ("Indian", "Bangladeshi", 30),
    ]


def test_only_the_most_frequent_pairs_are_kept():
    names = [str(number) for number in range(12)]
    pairs = [(1 << low) + (1 << high) for low in range(12) for high in range(low)]
    frame = pd.DataFrame({"mask": pairs, "people": range(1, len(pairs) + 1)})
    found = swap_rows(frame, name="language", label="Language", categories=names)
    assert len(found) == MOST_SWAPS and list(found["people"]) == list(range(66, 66 - MOST_SWAPS, -1))


def test_where_nothing_swaps_the_table_is_empty():
    frame = pd.DataFrame({"mask": masks(["Indian"]), "people": [5]})
    found = swap_rows(frame, name="ethnicity", label="Ethnic group", categories=CATEGORIES)
    assert found.empty and list(found.columns) == list(SPECS["swaps"].columns)


# ---------------------------------------------------------------- who gave the value


def test_known_values_are_split_by_who_gave_them():
    sources = table("""
        source         | records
        not recorded   | 10
        another source | 20
        proxy          |  5
        self-reported  | 65
    """)
    assert counts(source_rows(sources, 100, all_self=None)) == {
        "self_reported": (65, 100),
        "proxy": (5, 100),
        "other_source": (20, 100),
        "no_source": (10, 100),
    }


@pytest.mark.parametrize(("all_self", "own", "other"), [(True, 100, 0), (False, 0, 100)])
def test_the_service_file_may_say_who_gave_every_value(all_self, own, other):
    found = source_rows(None, 100, all_self=all_self)
    assert counts(found)["self_reported"] == (own, 100) and counts(found)["other_source"] == (other, 100)
    assert set(found["note"]) == {"The service file says who gave every value of this column."}


def test_without_a_source_nothing_is_claimed():
    assert source_rows(None, 100, all_self=None).empty


# ---------------------------------------------------------------- observed


def test_the_observers_group_is_compared_with_the_persons_own():
    observed = table("""
        category    | observed    | records
        Indian      | Bangladeshi | 40
        Indian      | Roma        | 10
        Roma        | Roma        | 30
        Of our own  | Of our own  |  4
                    | Roma        | 15
        Indian      |             |  5
    """)
    group_of = {"Indian": "Asian", "Bangladeshi": "Asian", "Roma": "White"}
    shown, row = observed_rows(observed, name="ethnicity", label="Ethnic group", group_of=group_of)
    cells = {(each.own, each.observed): each.records for each in shown.itertuples()}
    assert cells == {
        ("Asian", "Asian"): 40,
        ("Asian", "White"): 10,
        ("White", "White"): 30,
        ("Of our own", "Of our own"): 4,
        ("Not known", "White"): 15,
        ("Asian", "Not known"): 5,
    }
    assert counts(row) == {"observed_agrees": (74, 84)}


def test_an_observed_category_without_a_group_is_among_the_other():
    observed = pd.DataFrame({"category": ["Morse"], "observed": ["Morse"], "records": [3]})
    shown, _ = observed_rows(observed, name="language", label="Language", group_of={"Morse": ""})
    assert (shown["own"].item(), shown["observed"].item()) == ("Other", "Other")


# ---------------------------------------------------------------- points of care


def points(*rows, places=("Not recorded", "Ward", "Clinic", "Home")):
    frame = pd.DataFrame(rows, columns=["number", "people", "ethnicity|known", "language|known"])
    return points_table(frame, places, LABELS, RULES)


def test_a_point_of_care_is_filled_where_half_of_its_people_have_a_value_there():
    found = points((0, 100, 90, 90), (1, 100, 50, 49), (2, 10, 10, 10))
    filled = {(row.characteristic, row.point_of_care): bool(row.filled) for row in found.itertuples()}
    assert filled == {
        ("ethnicity", "Not recorded"): False,
        ("ethnicity", "Ward"): True,
        ("ethnicity", "Clinic"): True,
        ("language", "Not recorded"): False,
        ("language", "Ward"): False,
        ("language", "Clinic"): True,
    }


def test_without_a_core_field_there_are_no_points_of_care():
    found = points_table(pd.DataFrame(columns=["number", "people"]), ["Not recorded"], LABELS, RULES)
    assert found.empty and list(found.columns) == list(SPECS["points_of_care"].columns)


# ---------------------------------------------------------------- figures

COMPLETENESS = table("""
    characteristic | measure           | unit    | numerator | denominator
    joint          | known             | people  |  870      | 1000
    joint          | known_or_declined | people  |  900      | 1000
    ethnicity      | known             | people  |  920      | 1000
    ethnicity      | known             | records | 2000      | 3000
    ethnicity      | known_or_declined | people  |  960      | 1000
    ethnicity      | detailed          | people  |  900      | 1000
    language       | known             | people  |  910      | 1000
    language       | known_or_declined | people  |  930      | 1000
    sex            | known             | people  |  990      | 1000
""")
CODES = table("""
    characteristic | value | records | status  | code_list
    ethnicity      | A     | 900     | known   | nhs-ethnic-category-2001
    ethnicity      | Z     |  60     | declined | nhs-ethnic-category-2001
    ethnicity      | Roma  |  20     | known   | census-2021-ethnic-group
    ethnicity      | ??    |  20     | invalid |
    ethnicity      |       |  50     | missing |
    language       | en    | 880     | known   | nhs-language
    language       | engl  |  20     | known   |
    sex            | 1     | 999     | known   | person-stated-gender
""")
PEOPLE = table("""
    characteristic | category | people | self_reported
    ethnicity      | Indian   | 920    | 800
    language       | English  | 910    | 860
    sex            | Female   | 990    | 400
    religion       | Sikh     | 500    | 300
    age            | 30       | 999    |   0
""")


def figures(**changes):
    """Every figure as name -> row; changes replace what they are made from."""
    given = {
        "completeness": COMPLETENESS,
        "categories": PEOPLE,
        "codes": CODES,
        "verification": pd.DataFrame(columns=["measure", "numerator", "denominator"]),
        "points": points((1, 100, 90, 90), (2, 50, 40, 10), (0, 9, 9, 9)),
        "code_lists": {"ethnicity": ["nhs-ethnic-category-2001"]},
        "with_source": ["ethnicity", "language", "religion"],
        "mapped": ["ethnicity", "language", "sex", "religion", "age"],
        "rulebook": RULES,
    }
    found = figures_table(**{**given, **changes})
    return found.set_index("figure")


def pair(found, name):
    assert found.loc[name, "measured"], found.loc[name, "reason"]
    return found.loc[name, "numerator"], found.loc[name, "denominator"], found.loc[name, "unit"]


def test_core_figures_are_of_people_under_both_readings():
    found = figures()
    assert pair(found, "joint_known") == (870, 1000, "people")
    assert pair(found, "ethnicity_known_or_declined") == (960, 1000, "people")
    assert found.loc["joint_known", "value"] == 0.87


def test_a_core_field_that_is_not_mapped_is_a_row_with_its_reason():
    found = figures(completeness=COMPLETENESS[COMPLETENESS["characteristic"] == "ethnicity"])
    assert pair(found, "ethnicity_known") == (920, 1000, "people")
    for name in ("language_known", "joint_known"):
        assert not found.loc[name, "measured"] and pd.isna(found.loc[name, "value"])
        assert found.loc[name, "reason"] == "The service file maps no language."


def test_the_other_fields_serve_their_family_and_say_where_they_are_not_mapped():
    found = figures()
    assert pair(found, "sex_known") == (990, 1000, "people")
    assert (
        found.loc["sex_known", "family"] == "protected"
        and found.loc["geography_known", "family"] == "geography"
    )
    assert found.loc["geography_known", "reason"] == "Not mapped in the service file."
    assert "birth_date_known" not in found.index


def test_points_of_care_are_counted_for_the_field_that_has_fewer():
    # Ethnicity is filled at both points, language at the ward alone; a blank is no point of care.
    assert pair(figures(), "points_of_care_filled") == (1, 2, "points of care")


REPEATS = table("""
    measure     | numerator | denominator
    repeated    | 400       | 500
    independent | 300       | 500
    independent | 200       | 500
""")


def test_one_point_of_care_is_judged_on_repeat_contacts_of_the_worse_field():
    found = figures(points=points((1, 100, 90, 90), (0, 9, 9, 9)), verification=REPEATS)
    assert pair(found, "points_of_care_filled") == (200, 500, "people")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"points": points().head(0)}, "Ethnicity and language are not both mapped."),
        (
            {"points": points((1, 100, 90, 90)), "verification": REPEATS.assign(denominator=0, numerator=0)},
            "Nobody was seen twice, and there is one point of care.",
        ),
    ],
)
def test_points_of_care_that_cannot_be_measured_say_why(changes, reason):
    assert figures(**changes).loc["points_of_care_filled", "reason"] == reason


def test_self_report_is_of_known_values_one_of_each_field_and_person():
    assert pair(figures(), "core_self_reported") == (1660, 1830, "known values")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"with_source": ["ethnicity"]}, "The language has no source column"),
        ({"with_source": ["ethnicity"], "mapped": ["ethnicity"]}, "The language is not mapped"),
    ],
)
def test_self_report_of_a_core_field_without_a_source_is_left_to_attestation(changes, why):
    found = figures(**changes).loc["core_self_reported"]
    assert not found["measured"] and found["reason"].startswith(why) and "attested" in found["reason"]


def test_an_other_field_without_a_source_counts_as_not_self_reported():
    # Sex has no source column, so its 990 values count below the line alone; nobody reports an age here.
    assert pair(figures(), "other_self_reported") == (300, 1490, "known values")
    assert not figures(with_source=["ethnicity", "language"]).loc["other_self_reported", "measured"]


def test_values_are_valid_in_the_one_list_of_each_field_that_holds_most():
    # Ethnicity: 960 of 1,000 in the 2001 list; language: 880 of 900; a blank is not recorded.
    assert pair(figures(), "core_valid") == (1840, 1900, "recorded values")


def test_a_field_of_which_no_value_is_in_a_list_has_no_valid_value():
    ours = CODES.assign(code_list="")
    assert pair(figures(codes=ours), "core_valid") == (0, 1900, "recorded values")
    assert not figures(mapped=["sex"]).loc["core_valid", "measured"]


def test_detailed_values_count_where_an_ons_list_stands_behind_them():
    assert pair(figures(), "ethnicity_detailed") == (900, 920, "people")
    assert "2001" in figures().loc["ethnicity_detailed", "label"]
    five = figures(code_lists={"ethnicity": ["hes-ethnicity-1995"]})
    assert pair(five, "ethnicity_detailed") == (0, 920, "people")


def test_with_the_strict_rule_only_the_latest_census_list_counts():
    strict = load_rulebook({"latest_census_only": True})
    assert pair(figures(rulebook=strict), "ethnicity_detailed") == (0, 920, "people")
    latest = figures(rulebook=strict, code_lists={"ethnicity": ["census-2021-ethnic-group"]})
    assert pair(latest, "ethnicity_detailed") == (900, 920, "people")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"completeness": COMPLETENESS[COMPLETENESS["characteristic"] == "sex"]}, "maps no ethnicity"),
        ({"code_lists": {}}, "No value matches a code list."),
        ({"code_lists": {"ethnicity": ["our_own"]}}, "your own list"),
    ],
)
def test_detail_that_cannot_be_measured_says_why(changes, reason):
    found = figures(**changes).loc["ethnicity_detailed"]
    assert not found["measured"] and reason in found["reason"]
