"""Findings: tables drawn by hand -> which are listed, in which order, in which words."""

# ruff: noqa: E501 (a table drawn as text is as wide as its columns)

import math
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equitydata.findings.nesting import _holders, levels_of, wider
from equitydata.findings.ranking import finding_scores, findings_table
from equitydata.findings.words import finding_rules, lower_first, named, who
from equitydata.tables import FINDINGS_TABLE, SPECS, empty
from findings_helper import MEASURES, RULES, comparisons, filled
from tables_helper import table


def find(**tables):
    return findings_table(tables, MEASURES, RULES)


def listed(found, about="outcome"):
    """Category of each finding about something, in order."""
    return list(found.loc[found["about"] == about, "category"])


def one(found, category):
    here = found[found["category"] == category]
    assert len(here) == 1, list(found["category"])
    return here.iloc[0]


def crude(text, **more):
    return comparisons(table(text), **more)


TWO_FLAGS = """
    measure | characteristic | level    | category        | numerator | denominator | flag                  | harm
    dna     | ethnicity      | detailed | Bangladeshi     | 300       | 1000        | disproportionate_high | harm
    dna     | ethnicity      | detailed | Black Caribbean | 100       | 1000        | disproportionate_low  | benefit
    dna     | ethnicity      | detailed | White British   | 800       | 4000        | no_evidence           |
"""


# ---------------------------------------------------------------- shape and empty tables


def test_without_any_table_there_is_no_finding_and_the_table_has_its_columns():
    found = find()
    assert len(found) == 0
    assert list(found.columns) == list(FINDINGS_TABLE.columns)


def test_empty_tables_give_no_finding():
    assert find(**{name: empty(spec) for name, spec in SPECS.items()}).empty


def test_groups_without_evidence_are_no_findings():
    found = find(comparisons=crude(TWO_FLAGS).assign(flag="no_evidence"))
    assert found.empty


def test_a_flagged_group_is_a_finding_with_its_numbers_from_the_comparison():
    frame = crude(TWO_FLAGS)
    row, source = one(find(comparisons=frame), "Bangladeshi"), frame.iloc[0]
    for column in ("people", "numerator", "denominator", "value", "comparator_value", "ratio", "ratio_lower"):
        assert row[column] == source[column]
    assert (row["value"], row["ratio"]) == (0.3, pytest.approx(0.3 / (900 / 5000)))
    assert (row["flag"], row["harm"], row["about"]) == ("disproportionate_high", "harm", "outcome")
    assert row["comparator"] == "everyone else whose ethnic group is known"


def test_harm_comes_before_benefit_and_both_before_what_could_not_be_told():
    frame = pd.concat(
        [
            crude(TWO_FLAGS),
            crude("""
                measure | characteristic | level    | category | numerator | denominator | flag      | harm
                dna     | sex            | detailed | Female   | 9         | 100         | uncertain |
                dna     | sex            | detailed | Male     | 60        | 300         | uncertain |
            """),
        ],
        ignore_index=True,
    )
    found = find(comparisons=frame)
    assert listed(found) == ["Bangladeshi", "Black Caribbean", "Male"]
    assert list(found["order"]) == [1, 2, 3]


def test_of_two_uncertain_halves_the_one_that_would_be_harmed_is_listed():
    found = find(
        comparisons=crude("""
            measure | characteristic | level    | category | numerator | denominator | flag
            dna     | sex            | detailed | Female   | 10        | 100         | uncertain
            dna     | sex            | detailed | Male     | 20        | 100         | uncertain
        """)
    )
    row = one(found, "Male")
    assert listed(found) == ["Male"]
    assert row["harm"] == "harm"
    assert "could not tell it from chance" in row["finding"]
    assert "disadvantage" not in row["finding"]


def test_an_uncertain_ratio_near_the_band_is_not_listed():
    found = find(
        comparisons=crude("""
            measure | characteristic | level    | category | numerator | denominator | flag
            dna     | sex            | detailed | Female   | 20        | 100         | uncertain
            dna     | sex            | detailed | Male     | 26        | 100         | uncertain
        """)
    )
    assert found.empty


# ---------------------------------------------------------------- words


def test_titles_read_as_sentences():
    frame = crude("""
        measure | characteristic | level    | category    | numerator | denominator | flag                 | harm
        hba1c   | ethnicity      | detailed | Bangladeshi | 300       | 1000        | disproportionate_low | harm
        hba1c   | ethnicity      | detailed | Indian      | 600       | 1000        | no_evidence          |
    """)
    row = one(find(comparisons=frame), "Bangladeshi")
    assert row["finding"].startswith(
        "Bangladeshi people: HbA1c within target less often than everyone else. "
        "This is to the disadvantage of the group."
    )
    assert "Each person is counted once." in row["finding"]
    assert row["finding"].endswith("A prompt to look, not proof.")
    assert row["look"] == finding_rules()["look"]["outcome"]


def test_contacts_are_said_to_be_counted_and_the_look_follows_the_kind_of_measure():
    row = one(find(comparisons=crude(TWO_FLAGS)), "Bangladeshi")
    assert "Contacts are counted" in row["finding"]
    assert row["look"] == finding_rules()["look"]["access"]


def test_a_mean_is_more_on_average():
    frame = crude("""
        measure | characteristic | level    | category | numerator | denominator | flag                  | harm
        wait    | sex            | detailed | Female   | 3000      | 100         | disproportionate_high | harm
        wait    | sex            | detailed | Male     | 2000      | 100         | disproportionate_low  | benefit
    """).assign(statistic="mean", numerator=math.nan, comparator_numerator=math.nan)
    found = find(comparisons=frame)
    assert listed(found) == ["Female"]  # the other is its mirror
    assert found.iloc[0]["finding"].startswith(
        "Female people: Days waited more on average than everyone else."
    )


def test_words_hold_no_number_and_no_accusation():
    """Whatever is found, the sentences of flagged groups hold no digit, and never say bias or discrimination."""
    found = find(comparisons=crude(TWO_FLAGS))
    for column in ("finding", "look", "adjustment", "comparator"):
        for words in found[column]:
            assert not re.search(r"\d", words.replace("HbA1c", "")), words
            assert not re.search(r"bias|discriminat|unfair", words.replace("unfairness", ""), re.IGNORECASE)


def test_no_word_of_the_rule_file_accuses():
    def every(node):
        if isinstance(node, dict):
            for each in node.values():
                yield from every(each)
        elif isinstance(node, str):
            yield node
        elif isinstance(node, list):
            yield from (each for each in node if isinstance(each, str))

    said = " ".join([*every(dict(finding_rules()["words"])), *every(dict(finding_rules()["look"]))])
    assert not re.search(r"\bbias|discriminat|prejudic|racis", said, re.IGNORECASE)


@pytest.mark.parametrize(
    ("characteristic", "level", "category", "words"),
    [
        ("ethnicity", "detailed", "Bangladeshi", "Bangladeshi people"),
        ("language", "english", "Other than English", "People whose main language is other than English"),
        ("age", "band", "18 to 34", "People aged 18 to 34"),
        ("ethnicity x sex", "detailed x detailed", "Bangladeshi × Female", "Bangladeshi × Female people"),
        ("marital_status", "detailed", "Widowed", "People recorded as widowed"),
        ("carer", "detailed", "Yes", "People with unpaid carer recorded as yes"),
        ("deprivation", "decile", "1", "People in deprivation decile 1"),
        ("all", "all", "Everyone", "Everyone"),
    ],
)
def test_a_group_is_named_as_people_read_it(characteristic, level, category, words):
    label = "Unpaid carer"
    assert (
        who({"characteristic": characteristic, "level": level, "category": category, "label": label}) == words
    )


def test_names_are_joined_and_cut():
    assert named([]) == ""
    assert named(["A"]) == "A"
    assert named(["A", "B"]) == "A and B"
    assert named(["A", "B", "C"]) == "A, B and C"
    assert named(list("ABCDEFGH")) == "A, B, C, D, E, F and 2 more"


def test_abbreviations_keep_their_capitals():
    assert [lower_first(each) for each in ("Ethnic group", "IMD decile", "")] == [
        "ethnic group",
        "IMD decile",
        "",
    ]


# ---------------------------------------------------------------- levels


def test_groups_hold_their_detailed_groups_and_fifths_their_deciles():
    assert ("groups", "Asian") in wider("ethnicity", "detailed", "Bangladeshi")
    assert wider("ethnicity", "groups", "Asian") == frozenset()
    assert wider("deprivation", "decile", "1") == {
        ("quintile", "Quintile 1"),
        ("core20", "Core20 (deciles 1 and 2)"),
    }
    assert ("core20", "Deciles 3 to 10") in wider("deprivation", "quintile", "Quintile 4")


def test_small_areas_are_held_by_the_areas_around_them():
    held = wider("geography", "lsoa", "E01003633")
    assert {level for level, _ in held} == {"msoa", "ward", "authority"}
    assert ("authority", "Newham") in held
    assert all(name.endswith(", Newham") for level, name in held if level == "ward")


def test_two_levels_with_the_same_people_hold_each_other_once():
    """Any other is the only group of Other: the later level holds the earlier one, and not the other way round."""
    for characteristic in ("ethnicity", "deprivation", "language", "accommodation", "disability"):
        for level in levels_of(characteristic):
            for category in {name for one, name in _holders(characteristic) if one == level}:
                held = wider(characteristic, level, category)
                assert all((level, category) not in wider(characteristic, *group) for group in held)


def test_a_crossing_is_held_by_the_wider_groups_of_its_parts():
    held = wider("ethnicity x sex", "detailed x detailed", "Bangladeshi × Female")
    assert held == {("groups x detailed", "Asian × Female")}
    assert levels_of("ethnicity x sex") == ("detailed x detailed", "groups x detailed")


def test_an_unknown_name_is_held_by_nothing():
    assert wider("ethnicity", "detailed", "No such group") == frozenset()
    assert wider("no_such_characteristic", "detailed", "A") == frozenset()
    assert wider("marital_status", "detailed", "Widowed") == frozenset()


ASIAN = """
    characteristic | level    | category        | numerator | denominator | flag                  | harm
    ethnicity      | detailed | Bangladeshi     | {b}       | 1000        | {bf}                  | harm
    ethnicity      | detailed | Indian          | {i}       | 1000        | {if_}                 | harm
    ethnicity      | detailed | Pakistani       | {p}       | 1000        | {pf}                  | harm
    ethnicity      | detailed | White British   | 700       | 7000        | no_evidence           |
    ethnicity      | groups   | Asian           | {a}       | 3000        | disproportionate_high | harm
    ethnicity      | groups   | White           | 700       | 7000        | no_evidence           |
"""
UP = "disproportionate_high"


def asian(b, i, p, flags):
    bf, if_, pf = flags
    return crude(ASIAN.format(b=b, i=i, p=p, a=b + i + p, bf=bf, if_=if_, pf=pf))


def test_a_wider_group_driven_by_one_part_is_named_with_that_part():
    found = find(comparisons=asian(300, 100, 100, (UP, "no_evidence", "no_evidence")))
    assert listed(found) == ["Bangladeshi"]
    assert "It drives the wider group Asian." in found.iloc[0]["finding"]


def test_a_wider_group_all_of_whose_parts_are_flagged_is_listed_once():
    found = find(comparisons=asian(300, 250, 280, (UP, UP, UP)))
    assert listed(found) == ["Asian"]
    assert "Bangladeshi, Indian and Pakistani" in found.iloc[0]["finding"]


def test_a_wider_group_whose_other_parts_lean_the_same_way_is_listed_with_the_clearest():
    found = find(comparisons=asian(300, 160, 150, (UP, "uncertain", "uncertain")))
    assert listed(found) == ["Asian"]
    assert "Clearest of its parts: Bangladeshi." in found.iloc[0]["finding"]


def test_a_wider_group_none_of_whose_parts_is_flagged_is_listed():
    found = find(comparisons=asian(150, 150, 150, ("uncertain",) * 3))
    assert listed(found) == ["Asian"]


def test_parts_that_could_not_be_judged_do_not_hide_what_the_whole_says():
    found = find(comparisons=asian(300, 250, 10, (UP, UP, "insufficient_data")))
    assert listed(found)[0] == "Asian"
    assert "could be judged: Bangladeshi and Indian" in found.iloc[0]["finding"]


def test_parts_the_other_way_are_findings_of_their_own():
    frame = asian(400, 400, 20, (UP, UP, "disproportionate_low"))
    frame.loc[frame["category"] == "Pakistani", "harm"] = "benefit"
    found = find(comparisons=frame)
    assert sorted(listed(found)) == ["Bangladeshi", "Indian", "Pakistani"]


def test_the_same_people_under_two_names_are_one_finding_under_the_preferred_name():
    found = find(
        comparisons=crude("""
            characteristic | level    | category                 | numerator | denominator | flag                  | harm
            deprivation    | quintile | Quintile 1               | 300       | 1000        | disproportionate_high | harm
            deprivation    | quintile | Quintile 2               | 100       | 1000        | no_evidence           |
            deprivation    | core20   | Core20 (deciles 1 and 2) | 300       | 1000        | disproportionate_high | harm
            deprivation    | core20   | Deciles 3 to 10          | 100       | 1000        | disproportionate_low  | benefit
        """)
    )
    assert listed(found) == ["Core20 (deciles 1 and 2)"]
    assert "The same people are Quintile 1." in found.iloc[0]["finding"]


def test_two_deciles_that_are_both_flagged_are_one_finding():
    found = find(
        comparisons=crude("""
            characteristic | level    | category                 | numerator | denominator | flag                  | harm
            deprivation    | decile   | 1                        | 300       | 1000        | disproportionate_high | harm
            deprivation    | decile   | 2                        | 280       | 1000        | disproportionate_high | harm
            deprivation    | decile   | 5                        | 100       | 1000        | no_evidence           |
            deprivation    | quintile | Quintile 1               | 580       | 2000        | disproportionate_high | harm
            deprivation    | quintile | Quintile 3               | 100       | 1000        | disproportionate_low  | benefit
            deprivation    | core20   | Core20 (deciles 1 and 2) | 580       | 2000        | disproportionate_high | harm
            deprivation    | core20   | Deciles 3 to 10          | 100       | 1000        | disproportionate_low  | benefit
        """)
    )
    assert listed(found) == ["Core20 (deciles 1 and 2)"]


def test_different_but_small_is_listed_once_and_says_so():
    found = find(
        comparisons=crude("""
            characteristic | level    | category      | numerator | denominator | flag
            ethnicity      | detailed | Bangladeshi   | 2300      | 10000       | different_small
            ethnicity      | detailed | White British | 2000      | 10000       | different_small
            ethnicity      | groups   | Asian         | 2300      | 10000       | different_small
            ethnicity      | groups   | White         | 2000      | 10000       | different_small
        """)
    )
    assert len(found) == 1
    row = found.iloc[0]
    assert row["category"] in ("Bangladeshi", "Asian")
    assert (row["harm"], row["flag"]) == ("harm", "different_small")
    assert "clear, but small" in row["finding"]


def test_a_small_difference_is_told_of_the_part_that_drives_it():
    found = find(
        comparisons=crude("""
            measure | characteristic | level    | category      | numerator | denominator | flag
            hba1c   | ethnicity      | detailed | Bangladeshi   | 4500      | 10000       | different_small
            hba1c   | ethnicity      | detailed | Indian        | 5600      | 10000       | no_evidence
            hba1c   | ethnicity      | detailed | White British | 11200     | 20000       | no_evidence
            hba1c   | ethnicity      | groups   | Asian         | 10100     | 20000       | different_small
            hba1c   | ethnicity      | groups   | White         | 11200     | 20000       | different_small
        """)
    )
    assert listed(found) == ["Bangladeshi"]
    assert "It drives the wider group Asian." in found.iloc[0]["finding"]


def test_what_is_small_or_uncertain_and_to_an_advantage_is_not_listed():
    found = find(
        comparisons=crude("""
            measure | characteristic | level    | category    | numerator | denominator | flag
            hba1c   | ethnicity      | detailed | Bangladeshi | 650       | 1000        | different_small
            hba1c   | ethnicity      | detailed | Indian      | 90        | 100         | uncertain
            hba1c   | ethnicity      | detailed | Chinese     | 5000      | 10000       | no_evidence
        """)
    )
    assert found.empty


# ---------------------------------------------------------------- crossings

PARTS = """
    characteristic  | level               | category             | numerator | denominator | flag   | harm
    ethnicity       | detailed            | Bangladeshi          | {b}       | 1000        | {bf}   | harm
    ethnicity       | detailed            | White British        | 700       | 7000        | no_evidence |
    sex             | detailed            | Female               | 450       | 4000        | no_evidence |
    sex             | detailed            | Male                 | 450       | 4000        | no_evidence |
    ethnicity x sex | detailed x detailed | Bangladeshi × Female | {bw}      | 500         | disproportionate_high | harm
    ethnicity x sex | detailed x detailed | Bangladeshi × Male   | 50        | 500         | no_evidence |
    ethnicity x sex | detailed x detailed | White British × Female | 350     | 3500        | no_evidence |
    ethnicity x sex | detailed x detailed | White British × Male | 350       | 3500        | no_evidence |
"""


def test_a_crossing_is_listed_where_neither_part_shows_it():
    found = find(comparisons=crude(PARTS.format(b=140, bf="uncertain", bw=100)))
    row = one(found, "Bangladeshi × Female")
    assert "Neither part alone shows it." in row["finding"]


def test_a_crossing_that_says_no_more_than_its_part_is_named_with_the_part():
    found = find(comparisons=crude(PARTS.format(b=200, bf=UP, bw=110)))
    assert listed(found) == ["Bangladeshi"]
    assert "crossed with another characteristic: Bangladeshi × Female" in found.iloc[0]["finding"]


def test_a_crossing_that_goes_clearly_beyond_its_part_is_listed_beside_it():
    found = find(comparisons=crude(PARTS.format(b=200, bf=UP, bw=150)))
    assert sorted(listed(found)) == ["Bangladeshi", "Bangladeshi × Female"]
    assert "clearly beyond" in one(found, "Bangladeshi × Female")["finding"]


# ---------------------------------------------------------------- adjustment and robustness


@pytest.mark.parametrize(
    ("ratio", "lower", "upper", "words"),
    [
        (1.70, 1.5, 1.9, "the difference remains and is clear"),
        (1.30, 1.1, 1.5, "the difference is smaller but still clear"),
        (2.50, 2.1, 2.9, "the difference is larger and clear"),
        (1.40, 0.9, 2.1, "the difference points the same way but is no longer clear"),
        (1.05, 0.9, 1.2, "hardly any difference is left"),
        (0.70, 0.6, 0.8, "the difference turns round"),
    ],
)
def test_what_adjustment_does_is_said(ratio, lower, upper, words):
    frame = crude(TWO_FLAGS)
    other = frame.iloc[[0]].assign(
        adjustment="standardised", ratio=ratio, ratio_lower=lower, ratio_upper=upper
    )
    row = one(find(comparisons=pd.concat([frame, other], ignore_index=True)), "Bangladeshi")
    assert row["adjustment"] == f"At the structure of the whole service by age and sex {words}."


def test_without_an_adjusted_row_it_says_that_none_could_be_made():
    found = find(comparisons=crude(TWO_FLAGS))
    assert set(found["adjustment"]) == {"Age and sex could not be taken into account."}


@pytest.mark.parametrize(
    ("characteristic", "first", "second", "words"),
    [
        ("sex", "Female", "Male", "Age could not be taken into account."),
        ("age", "18 to 34", "35 to 64", "Sex could not be taken into account."),
        ("age x sex", "18 to 34 × Female", "18 to 34 × Male", ""),
    ],
)
def test_a_characteristic_is_not_held_equal_for_itself(characteristic, first, second, words):
    frame = crude(f"""
        characteristic   | level    | category | numerator | denominator | flag                  | harm
        {characteristic} | detailed | {first}  | 300       | 1000        | disproportionate_high | harm
        {characteristic} | detailed | {second} | 100       | 1000        | no_evidence           |
    """)
    assert one(find(comparisons=frame), first)["adjustment"] == words


def test_a_difference_that_age_and_sex_explain_ranks_below_one_that_they_do_not():
    frame = crude("""
        characteristic | level    | category        | numerator | denominator | flag                  | harm
        ethnicity      | detailed | Bangladeshi     | 310       | 1000        | disproportionate_high | harm
        ethnicity      | detailed | Black Caribbean | 300       | 1000        | disproportionate_high | harm
        ethnicity      | detailed | White British   | 400       | 4000        | no_evidence           |
    """)
    limits = {"ratio_lower": 0.9, "ratio_upper": 1.2}
    gone = frame.iloc[[0]].assign(adjustment="standardised", ratio=1.02, **limits)
    kept = frame.iloc[[1]].assign(adjustment="standardised")
    assert listed(find(comparisons=frame)) == ["Bangladeshi", "Black Caribbean"]
    found = find(comparisons=pd.concat([frame, gone, kept], ignore_index=True))
    assert listed(found) == ["Black Caribbean", "Bangladeshi"]


def test_withheld_adjustments_are_as_none():
    frame = crude(TWO_FLAGS)
    gaps = dict.fromkeys(("ratio", "ratio_lower", "ratio_upper", "difference"), math.nan)
    other = frame.iloc[[0]].assign(adjustment="adjusted", **gaps)
    row = one(find(comparisons=pd.concat([frame, other], ignore_index=True)), "Bangladeshi")
    assert row["adjustment"] == "Age and sex could not be taken into account."


def test_fragile_findings_say_so_and_rank_after_firm_ones():
    frame = crude("""
        characteristic | level    | category        | numerator | denominator | flag                  | harm
        ethnicity      | detailed | Bangladeshi     | 300       | 1000        | disproportionate_high | harm
        ethnicity      | detailed | Black Caribbean | 300       | 1000        | disproportionate_high | harm
        ethnicity      | detailed | White British   | 400       | 4000        | no_evidence           |
    """)
    unknowns = filled(
        "unknowns",
        table("""
            of      | measure | characteristic | level    | category        | robustness
            outcome | dna     | ethnicity      | detailed | Bangladeshi     | fragile
            outcome | dna     | ethnicity      | detailed | Black Caribbean | firm
        """),
    )
    found = find(comparisons=frame, unknowns=unknowns)
    assert listed(found) == ["Black Caribbean", "Bangladeshi"]
    assert list(found["robustness"]) == ["firm", "fragile"]
    assert "Fragile" in found.iloc[1]["finding"]


# ---------------------------------------------------------------- rank


def test_the_score_is_what_the_rule_file_says():
    """Worked out by hand: 0.8 x 0.9 x (2 ln 1.5 + ln 2 + 0.5 log10(1 + 0.1 x 990))."""
    frame = pd.DataFrame(
        {
            "ratio": [2.0],
            "ratio_lower": [1.5],
            "ratio_upper": [2.6],
            "difference": [0.1],
            "people": [990.0],
            "statistic": ["share"],
            "robustness": ["turns at a bound"],
            "left": [("same", "smaller")],
        }
    )
    expected = 0.8 * 0.9 * (2 * math.log(1.5) + math.log(2) + 0.5 * math.log10(100))
    assert finding_scores(frame)[0] == pytest.approx(expected)


@settings(max_examples=50, deadline=None)
@given(
    ratio=st.floats(1.01, 3.9),
    people=st.integers(1, 10**6),
    gap=st.floats(0.001, 0.5),
)
def test_more_people_a_larger_ratio_and_a_surer_limit_each_rank_higher(ratio, people, gap):
    base = {
        "ratio": ratio,
        "ratio_lower": 1.0,
        "ratio_upper": ratio * 2,
        "difference": gap,
        "people": float(people),
        "statistic": "share",
        "robustness": "firm",
        "left": (),
    }
    frame = pd.DataFrame(
        [
            base,
            {**base, "people": people * 10.0},
            {**base, "ratio": ratio * 1.02},
            {**base, "ratio_lower": 1.005},
        ]
    )
    first, *others = finding_scores(frame)
    assert all(other > first for other in others)


def test_missing_and_endless_ratios_have_a_score_that_can_be_ranked():
    frame = pd.DataFrame(
        {
            "ratio": [math.nan, math.inf, 0.0],
            "ratio_lower": [math.nan] * 3,
            "ratio_upper": [math.nan] * 3,
            "difference": [math.nan] * 3,
            "people": [math.nan, 100.0, 100.0],
            "statistic": "share",
            "robustness": "",
            "left": [(), ("gone",), ("none",)],
        }
    )
    assert np.isfinite(finding_scores(frame)).all()


# ---------------------------------------------------------------- representation


def representation(text):
    frame = table(text)
    given = {"of": "users", "of_label": "Service users", "status": "known", "label": "Ethnic group"}
    given |= {"area_kind": "local", "area": "Newham", "denominator": 10000.0, "residents_total": 100000.0}
    frame = frame.assign(**{key: value for key, value in given.items() if key not in frame})
    share, local = frame["numerator"] / frame["denominator"], frame["residents"] / frame["residents_total"]
    return filled(
        "representation",
        frame.assign(
            share=share,
            residents_share=local,
            ratio=share / local,
            ratio_lower=share / local * 0.9,
            ratio_upper=share / local * 1.1,
            gap=share - local,
        ),
    )


def test_a_group_seen_less_than_it_lives_there_is_a_finding_without_harm():
    found = find(
        representation=representation("""
            characteristic | level    | category    | numerator | residents | flag
            ethnicity      | detailed | Bangladeshi | 800       | 16000     | disproportionate_low
            ethnicity      | detailed | Indian      | 2000      | 16000     | disproportionate_high
            ethnicity      | detailed | Chinese     | 300       | 3000      | no_evidence
        """)
    )
    assert listed(found, "representation") == ["Bangladeshi", "Indian"]
    row = found.iloc[0]
    assert row["finding"].startswith(
        "Bangladeshi people: a smaller part of service users than of the residents of Newham."
    )
    assert (row["harm"], row["people"], row["difference"]) == ("", 800, pytest.approx(0.08 - 0.16))
    assert "need not mirror" in row["finding"]


def test_ages_and_what_follows_age_rank_below_other_groups_against_residents():
    found = find(
        representation=representation("""
            characteristic | level    | category    | numerator | residents | flag
            age            | band     | 18 to 34    | 200       | 30000     | disproportionate_low
            ethnicity      | detailed | Bangladeshi | 1400      | 18000     | disproportionate_low
        """)
    )
    assert listed(found, "representation") == ["Bangladeshi", "18 to 34"]


def test_what_is_left_at_the_residents_ages_is_said():
    frame = representation("""
        characteristic | level    | category    | numerator | residents | flag
        ethnicity      | detailed | Bangladeshi | 800       | 16000     | disproportionate_low
    """)
    frame = frame.assign(standardised_ratio=0.95, standardised_ratio_lower=0.9, standardised_ratio_upper=1.02)
    row = find(representation=frame).iloc[0]
    assert row["adjustment"] == (
        "At the structure of the residents by age and sex hardly any difference is left."
    )


def test_wider_areas_are_named_with_the_local_one_and_make_no_finding_of_their_own():
    found = find(
        representation=representation("""
            characteristic | level    | category    | area_kind | area    | numerator | residents | flag
            ethnicity      | detailed | Bangladeshi | local     | Newham  | 800       | 16000     | disproportionate_low
            ethnicity      | detailed | Bangladeshi | region    | London  | 800       | 16000     | disproportionate_low
            ethnicity      | detailed | Bangladeshi | nation    | England | 800       | 1000      | disproportionate_high
            ethnicity      | detailed | Indian      | nation    | England | 800       | 1000      | disproportionate_high
        """)
    )
    assert listed(found, "representation") == ["Bangladeshi"]
    assert "The same holds against London." in found.iloc[0]["finding"]


def test_cases_are_listed_only_where_users_and_outcome_do_not_say_it():
    rows = """
        of    | characteristic | level    | category    | numerator | residents | flag
        users | ethnicity      | detailed | Bangladeshi | 1600      | 16000     | no_evidence
        dna   | ethnicity      | detailed | Bangladeshi | 3000      | 16000     | disproportionate_high
        users | ethnicity      | detailed | Indian      | 3000      | 16000     | disproportionate_high
        dna   | ethnicity      | detailed | Indian      | 3000      | 16000     | disproportionate_high
    """
    both = find(representation=representation(rows).assign(of_label="Did not attend"))
    assert sorted(zip(both["measure"], both["category"], strict=True)) == [
        ("", "Indian"),
        ("dna", "Bangladeshi"),
    ]
    frame = crude("""
        characteristic | level    | category    | numerator | denominator | flag                  | harm
        ethnicity      | detailed | Bangladeshi | 300       | 1000        | disproportionate_high | harm
        ethnicity      | detailed | Indian      | 100       | 1000        | no_evidence           |
    """)
    with_outcome = find(representation=representation(rows), comparisons=frame)
    assert list(with_outcome.loc[with_outcome["measure"] == "dna", "about"]) == ["outcome"]


def test_a_grade_of_staff_is_compared_with_residents_in_its_own_words():
    found = find(
        representation=representation("""
            of            | of_label      | characteristic | level    | category    | numerator | residents | flag
            grade: Band 7 | Staff, grade: Band 7 | ethnicity      | detailed | Bangladeshi | 800       | 16000     | disproportionate_low
        """)
    )
    assert (
        "a smaller part of staff, grade: Band 7 than of the residents of Newham" in found.iloc[0]["finding"]
    )


# ---------------------------------------------------------------- places, changes, completeness

PLACES = """
    measure | measure_label  | by   | place | statistic | people | numerator | denominator | value | average | position    | position_overdispersed
    dna     | Did not attend | site | North | share     | 500    | 200       | 500         | 0.4   | 0.2     | much higher | {north}
    dna     | Did not attend | site | South | share     | 500    | 50        | 500         | 0.1   | 0.2     | lower       | not different
"""


def test_a_place_beyond_the_outer_limits_is_a_finding():
    found = find(places=filled("places", table(PLACES.format(north="much higher"))))
    assert listed(found, "place") == ["North"]
    row = found.iloc[0]
    assert (row["harm"], row["difference"], row["ratio"]) == ("harm", pytest.approx(0.2), pytest.approx(2))
    assert row["finding"].startswith("North: Did not attend more than the average of all places.")
    assert "stands out also" in row["finding"]


def test_a_place_that_differences_between_places_explain_counts_as_one_that_could_not_be_told():
    places = filled("places", table(PLACES.format(north="higher")))
    found = find(places=places, comparisons=crude(TWO_FLAGS))
    assert list(found["category"]) == ["Bangladeshi", "Black Caribbean", "North"]
    assert "no longer stands out" in found.iloc[2]["finding"]


CHANGES = """
    measure | measure_label  | characteristic | label        | level    | category    | first_period | last_period | people | gap_first | gap_last | gap_change | gap_change_lower | gap_change_upper | ratio_change | opposite
    dna     | Did not attend | ethnicity      | Ethnic group | detailed | Bangladeshi | 2025 Q2      | 2026 Q1     | 900    | 0.02      | 0.12     | 0.10       | {low}            | {high}           | 1.6          | false
    dna     | Did not attend | ethnicity      | Ethnic group | detailed | Indian      | 2025 Q2      | 2026 Q1     | 900    | 0.00      | 0.01     | 0.01       | -0.04            | 0.06             | 1.05         | false
"""
KNOWN_TWO = """
    characteristic | level    | category    | numerator | denominator | flag
    ethnicity      | detailed | Bangladeshi | 100       | 1000        | no_evidence
    ethnicity      | detailed | Indian      | 100       | 1000        | no_evidence
"""


def test_a_gap_that_clearly_widened_to_the_harm_of_a_group_is_a_finding():
    changes = filled("changes", table(CHANGES.format(low=0.06, high=0.14)))
    found = find(changes=changes, comparisons=crude(KNOWN_TWO))
    assert listed(found, "change") == ["Bangladeshi"]
    row = found.iloc[0]
    assert (row["flag"], row["harm"]) == ("widened", "harm")
    assert "the gap to everyone else widened from 2025 Q2 to 2026 Q1" in row["finding"]
    assert row["comparator"] == "the gap in 2025 Q2"


def test_a_change_that_is_clear_only_before_allowing_for_the_other_groups_is_none():
    """z = 0.10 / (0.095 / 1.96) = 2.06, p = 0.039; of two groups adjusted to 0.078."""
    changes = filled("changes", table(CHANGES.format(low=0.005, high=0.195)))
    assert find(changes=changes, comparisons=crude(KNOWN_TWO)).empty


def test_changes_of_people_of_unknown_group_are_no_findings():
    changes = filled("changes", table(CHANGES.format(low=0.06, high=0.14)))
    assert find(changes=changes.assign(category="Declined"), comparisons=crude(KNOWN_TWO)).empty


BREAKDOWN = """
    characteristic | label                           | by      | group        | order | unit    | numerator | denominator | value | flagged
    joint          | Ethnicity and language together | site    | Custom House | 1     | people  | 60        | 100         | 0.6   | true
    ethnicity      | Ethnic group                    | site    | Custom House | 1     | people  | 70        | 100         | 0.7   | true
    ethnicity      | Ethnic group                    | site    | Custom House | 1     | records | 300       | 500         | 0.6   | true
    language       | Main or preferred language      | sex     | Male         | 1     | people  | 500       | 1000        | 0.5   | true
    language       | Main or preferred language      | sex     | Female       | 2     | people  | 900       | 1000        | 0.9   | false
"""
WHOLE = """
    characteristic | measure | unit   | numerator | denominator | value
    joint          | known   | people | 1800      | 2000        | 0.9
    ethnicity      | known   | people | 1900      | 2000        | 0.95
    language       | known   | people | 1400      | 2000        | 0.7
"""


def test_a_group_recorded_less_well_is_one_finding_that_names_what_is_less_known():
    found = find(
        breakdown=filled("breakdown", table(BREAKDOWN)), completeness=filled("completeness", table(WHOLE))
    )
    assert sorted(listed(found, "completeness")) == ["Custom House", "Male"]
    row = one(found, "Custom House")
    assert row["finding"].startswith(
        "Custom House: ethnicity and language together and ethnic group known less often than in the whole service."
    )
    assert (row["value"], row["comparator_value"], row["people"]) == (0.6, 0.9, 100)
    assert one(found, "Male")["characteristic"] == "sex"


# ---------------------------------------------------------------- listening and not enough data


def themes(text):
    return filled("themes", table(text))


THEMES = """
    theme     | measure | characteristic | category    | heard                       | ways | times | date | used_for
    Transport | dna     | ethnicity      | Bangladeshi | Two buses to the clinic     | 1    | 3     |      |
    Language  |         | ethnicity      | Asian       | Letters come in English     | 1    | 2     |      |
    Trust     |         | ethnicity      | Indian      | Nobody explained the test   | 1    | 1     |      |
    Parking   |         | all            |             | Parking costs too much      | 1    | 9     |      |
"""


def test_what_was_heard_from_a_group_or_a_wider_one_stands_beside_its_numbers():
    found = find(comparisons=crude(TWO_FLAGS), themes=themes(THEMES))
    assert one(found[found["about"] == "outcome"], "Bangladeshi")["heard"] == (
        "Transport: Two buses to the clinic; Language: Letters come in English"
    )
    assert one(found, "Black Caribbean")["heard"] == ""


def test_what_was_heard_where_figures_show_nothing_is_a_finding_of_its_own():
    found = find(comparisons=crude(TWO_FLAGS), themes=themes(THEMES))
    rows = found[found["about"] == "listening"]
    assert list(rows["category"]) == ["Indian"]
    assert rows.iloc[0]["finding"] == (
        "Indian people: people say 'Trust'. No figure of this service bears on it."
    )


def test_a_theme_on_another_measure_is_not_joined():
    found = find(
        comparisons=crude(TWO_FLAGS),
        themes=themes("""
            theme | measure | characteristic | category    | heard | ways | times
            Food  | hba1c   | ethnicity      | Bangladeshi | Diets | 1    | 1
        """),
    )
    assert one(found[found["about"] == "outcome"], "Bangladeshi")["heard"] == ""
    assert len(found[found["about"] == "listening"]) == 1


def test_groups_that_nobody_has_listened_to_are_one_finding_per_characteristic():
    gaps = filled(
        "listening_gaps",
        table("""
            characteristic | label        | level    | category | gap
            ethnicity      | Ethnic group | detailed | Chinese  | nobody
            ethnicity      | Ethnic group | detailed | Roma     | nobody
            ethnicity      | Ethnic group | detailed | Indian   |
        """),
    )
    found = find(listening_gaps=gaps)
    assert list(found["finding"]) == ["Ethnic group: no way of listening has reached: Chinese and Roma."]


def test_where_no_group_was_reached_they_are_not_named_one_by_one_and_the_whole_is_no_group():
    gaps = filled(
        "listening_gaps",
        table("""
            characteristic | label       | level    | category   | gap
            all            | Everyone    | all      | Everyone   | nobody
            deprivation    | Deprivation | decile   | 1          | nobody
            deprivation    | Deprivation | decile   | 2          | nobody
            deprivation    | Deprivation | quintile | Quintile 1 | nobody
        """),
    )
    assert list(find(listening_gaps=gaps)["finding"]) == [
        "Deprivation: no way of listening has reached: every group of the local population."
    ]


def test_groups_that_could_not_be_judged_are_named_last_with_what_could_have_been_seen():
    frame = crude("""
        characteristic | level    | category        | numerator | denominator | flag
        ethnicity      | detailed | Bangladeshi     | 300       | 1000        | disproportionate_high
        ethnicity      | detailed | Chinese         | 3         | 20          | insufficient_data
        ethnicity      | detailed | Roma            | 1         | 4           | insufficient_data
        ethnicity      | detailed | Arab            | 0         | 0           | insufficient_data
        ethnicity      | detailed | White British   | 800       | 8000        | no_evidence
    """).assign(
        detectable_low=[math.nan, 0.2, 0.01, math.nan, math.nan],
        detectable_high=[math.nan, 2.4, 5, math.nan, math.nan],
    )
    found = find(comparisons=frame)
    last = found.iloc[-1]
    assert last["flag"] == "insufficient_data"
    assert "Chinese and Roma" in last["finding"]
    assert "Arab" not in last["finding"]
    assert (last["people"], last["detectable_low"], last["detectable_high"]) == (20, 0.2, 2.4)


def test_findings_do_not_depend_on_the_order_of_the_rows():
    frame = pd.concat([asian(300, 160, 150, (UP, "uncertain", "uncertain")), crude(TWO_FLAGS, measure="dna")])
    frame = frame.drop_duplicates(["measure", "characteristic", "level", "category"])
    first = find(comparisons=frame.reset_index(drop=True))
    for seed in range(5):
        again = find(comparisons=frame.sample(frac=1, random_state=seed).reset_index(drop=True))
        assert list(again["category"]) == list(first["category"])


# ---------------------------------------------------------------- hidden by age


def test_what_age_hides_is_a_finding_of_its_own_and_says_so():
    plain = crude(TWO_FLAGS).assign(flag="no_evidence", harm="")
    adjusted = plain.assign(
        adjustment="adjusted", ratio=[1.4, 1.0, 0.9], ratio_lower=[1.2, 0.9, 0.8], ratio_upper=[1.6, 1.1, 1.0],
        flag=["disproportionate_high", "no_evidence", "no_evidence"], harm=["harm", "", ""],
    )  # fmt: skip
    row = one(find(comparisons=pd.concat([plain, adjusted], ignore_index=True)), "Bangladeshi")
    assert (row["flag"], row["harm"], row["statistic"]) == ("disproportionate_high", "harm", "adjusted share")
    assert row["ratio"] == 1.4
    assert "once age and sex are held equal" in row["finding"]
    assert "The plain comparison does not show it" in row["finding"]
    assert "not proof" in row["finding"]


def test_what_is_flagged_plainly_is_told_once_though_the_model_flags_it_too():
    plain = crude(TWO_FLAGS)
    found = find(comparisons=pd.concat([plain, plain.assign(adjustment="adjusted")], ignore_index=True))
    assert list(found["category"]).count("Bangladeshi") == 1
    assert "held equal" not in one(found, "Bangladeshi")["finding"]


def test_what_is_clear_but_small_without_the_model_is_not_called_hidden():
    plain = crude(TWO_FLAGS).assign(flag=["different_small", "no_evidence", "no_evidence"], harm="")
    adjusted = plain.assign(
        adjustment="adjusted",
        flag=["disproportionate_high", "no_evidence", "no_evidence"],
        harm=["harm", "", ""],
    )
    found = find(comparisons=pd.concat([plain, adjusted], ignore_index=True))
    assert list(found["category"]).count("Bangladeshi") == 1
    assert "held equal" not in one(found, "Bangladeshi")["finding"]
