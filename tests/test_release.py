"""Release: what is hidden, what is rounded, and what neither the tables nor their sums may give away."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equitydata.errors import ConfigError, DisclosureError
from equitydata.model import Intake
from equitydata.release import release, release_tables
from equitydata.release.places import FEW_PLACES
from equitydata.release.rounding import round_count, round_counts, significant
from equitydata.release.smallness import first_hidden
from equitydata.release.words import FEW, release_words
from equitydata.report.writing import share_columns
from equitydata.result import MATURITY_TABLES
from equitydata.rulebook import DisclosureRule, disclosure_rule, disclosure_rules
from equitydata.stats.one_group.counts import count_limits
from equitydata.tables import HIDDEN, SPECS, with_shares
from tables_helper import analysed, released_as, table

NHS = disclosure_rule("nhs")
RULES = list(disclosure_rules().values())
STRICT = [rule for rule in RULES if rule.hide_up_to]
COUNTED = [spec for spec in SPECS.values() if spec.counts]
every_rule = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
strict_rule = pytest.mark.parametrize("rule", STRICT, ids=lambda rule: rule.name)


def framed(name, frame):
    """A table of that name with the columns of its specification; shares filled in."""
    spec = SPECS[name]
    frame = frame.reindex(columns=list(spec.columns))
    for share in spec.shares:
        if share.lower in spec.columns:
            frame = with_shares(frame, confidence=0.95, share=share)
    return frame


def released(name, text, rule=NHS, **more):
    frame = table(text) if isinstance(text, str) else text
    return release_tables({name: framed(name, frame.assign(**more))}, rule).tables[name]


def shares(*pairs, **more):
    """Completeness rows of (numerator, denominator)."""
    frame = pd.DataFrame(pairs, columns=["numerator", "denominator"]).assign(unit="people", **more)
    return released("completeness", frame)


def shown(frame, *columns):
    """Rows of numbers as whole numbers, with None where hidden."""
    return [
        tuple(None if pd.isna(cell) else int(cell) for cell in row)
        for row in frame[list(columns)].to_numpy(float)
    ]


# ---------------------------------------------------------------- one row


def test_a_small_count_hides_all_that_rests_on_it():
    found = shares((7, 900), (8, 900))
    assert found[HIDDEN].tolist() == [True, False]
    numbers = ["numerator", "denominator", "value", "lower", "upper"]
    assert found.loc[0, numbers].isna().all()
    assert found.loc[1, numbers].notna().all()


def test_a_small_complement_hides_the_row_too():
    found = shares((993, 1000), (992, 1000))
    assert found[HIDDEN].tolist() == [True, False]
    assert shown(found, "numerator", "denominator") == [(None, None), (990, 1000)]


def test_a_small_whole_hides_its_parts_the_zero_included():
    assert shares((0, 6), (6, 6))[HIDDEN].all()


def test_zero_stays_zero_and_everyone_stays_everyone():
    found = shares((0, 900), (900, 900))
    assert shown(found, "numerator", "denominator") == [(0, 900), (900, 900)]
    assert found["value"].tolist() == [0.0, 1.0] and not found[HIDDEN].any()


def test_shares_and_limits_are_worked_out_from_what_is_shown():
    found = shares((333, 1001))
    assert shown(found, "numerator", "denominator") == [(335, 1000)]
    assert found["value"].item() == 0.335
    of_true_counts = with_shares(pd.DataFrame({"numerator": [333], "denominator": [1001]}), confidence=0.95)
    of_shown_counts = with_shares(pd.DataFrame({"numerator": [335], "denominator": [1000]}), confidence=0.95)
    for limit in ("lower", "upper"):
        assert found[limit].item() == of_shown_counts[limit].item() != of_true_counts[limit].item()


def test_what_was_worked_out_from_a_hidden_count_is_hidden_with_it():
    found = released(
        "breakdown",
        """
        group | numerator | denominator | flagged
        North | 5         | 900         | true
        South | 50        | 900         | true
        East  | 450       | 900         | false
        """,
    )
    assert found["flagged"].tolist() == [None, True, False]


def test_a_missing_count_is_neither_hidden_nor_nought():
    found = released(
        "categories",
        """
        characteristic | level    | category | collected | numerator | denominator
        ethnicity      | detailed | Indian   | true      | 900       | 900
        ethnicity      | detailed | Roma     | false     |           | 900
        """,
    )
    assert found[HIDDEN].tolist() == [False, False]
    assert shown(found, "numerator") == [(900,), (None,)]


def test_tables_without_counts_pass_unchanged():
    identifiers = analysed().table("identifiers")
    areas = analysed().maturity.areas
    for name, frame in (("identifiers", identifiers), ("areas", areas)):
        found = release_tables({name: frame}, NHS).tables[name]
        pd.testing.assert_frame_equal(found, frame)
        assert found is not frame and HIDDEN not in found


# ---------------------------------------------------------------- rounding


def test_halves_are_rounded_up():
    tens = DisclosureRule("tens", "", hide_up_to=4, round_to=10, source="")
    counts = pd.Series([0, 5, 14, 15, 24, 25, 26])
    assert round_counts(counts, tens).tolist() == [0, 10, 10, 20, 20, 30, 30]
    assert [round_count(number, tens) for number in (0, 4, 5, 15, None)] == [0, None, 10, 20, None]


@pytest.mark.parametrize(("count", "wanted"), [(8, 10), (12, 10), (13, 15), (17, 15), (18, 20)])
def test_counts_are_rounded_to_the_nearest_five(count, wanted):
    assert round_counts(pd.Series([count, None]), NHS).tolist()[0] == wanted
    assert round_count(count, NHS) == wanted


@pytest.mark.parametrize(
    ("name", "hidden", "first_shown"),
    [("nhs", 7, 10), ("under-5", 4, 5), ("threshold-10", 9, 10), ("none", 0, 1)],
)
def test_each_rule_hides_up_to_its_limit(name, hidden, first_shown):
    rule = disclosure_rule(name)
    counts = pd.DataFrame({"people": range(13), "site": "North"})
    found = released("needs", counts, rule)
    assert found.loc[found[HIDDEN], "people"].isna().all()
    assert found.index[found[HIDDEN]].tolist() == list(range(1, hidden + 1))
    assert found["people"][hidden + 1] == first_shown and found["people"][0] == 0


@pytest.mark.parametrize("spec", COUNTED, ids=lambda spec: spec.name)
@given(data=st.data())
@settings(max_examples=4, deadline=None)
def test_no_released_count_is_small_or_unrounded_and_hidden_rows_are_blank(spec, data):
    rule = data.draw(st.sampled_from(STRICT))
    size = data.draw(st.integers(1, 4))
    numbers = st.integers(0, 40) | st.integers(0, 100_000)
    frame = pd.DataFrame(dict.fromkeys(spec.columns, "a"), index=range(size))
    if "statistic" in frame:
        frame["statistic"] = "share"
    for column in spec.counts:
        frame[column] = data.draw(st.lists(numbers, min_size=size, max_size=size))
    for share in spec.shares:
        frame[share.denominator] = frame[share.denominator] + frame[share.numerator]
    found = release_tables({spec.name: frame}, rule).tables[spec.name]
    for column in spec.counts:
        kept = found.loc[~found[HIDDEN], column].dropna()
        assert written_under(kept, rule)
    guarded = [*spec.counts, *spec.derived, *spec.estimates, *share_columns(spec)]
    assert found.loc[found[HIDDEN], guarded].isna().all(axis=None)
    if not spec.text and spec.name != "findings":
        assert len(found) == len(frame)
        for share in spec.shares:
            complement = frame[share.denominator] - frame[share.numerator]
            small = complement.between(1, rule.hide_up_to) | frame[share.numerator].between(
                1, rule.hide_up_to
            )
            assert found.loc[small, HIDDEN].all() or rule.midpoint


# ---------------------------------------------------------------- places


@pytest.mark.parametrize("name", ["figures", "criteria"])
def test_a_number_of_points_of_care_is_neither_hidden_nor_rounded(name):
    found = released(
        name,
        """
        unit           | numerator | denominator
        points of care | 2         | 5
        people         | 2         | 5
        known values   | 2         | 800
        points of care | 11        | 13
        """,
    )
    assert found[HIDDEN].tolist() == [False, True, True, False]
    assert shown(found, "numerator", "denominator") == [(2, 5), (None, None), (None, None), (11, 13)]
    assert found["value"].tolist()[0] == 0.4


def test_a_point_of_care_that_is_still_needed_is_told():
    found = released(
        "next_steps",
        """
        criterion_id | unit           | needed
        S-QUAN-F3    | points of care | 1
        S-QUAN-F1    | people         | 1
        S-QUAN-F8    |                |
        """,
    )
    assert shown(found, "needed") == [(1,), (None,), (None,)]
    assert found[HIDDEN].tolist() == [False, True, False]


# ---------------------------------------------------------------- sums

# A rule that hides and does not round: what is hidden alone in a sum is what the others leave.
EXACT = disclosure_rule("hide-7-round-1")


def statuses(*people, characteristic="ethnicity"):
    names = ["known", "declined", "unsure", "not_known", "invalid", "missing"][: len(people)]
    frame = pd.DataFrame({"characteristic": characteristic, "status": names, "people": people})
    return frame.assign(records=frame["people"] * 100, records_carried_back=frame["people"] * 100)


def hidden_people(frame, rule=EXACT, **more):
    found = release_tables(
        {"statuses": framed("statuses", frame)}, rule, people=int(frame["people"].sum()), **more
    )
    return sorted(frame.loc[found.tables["statuses"][HIDDEN].to_numpy(), "people"])


def test_a_hidden_count_that_the_others_would_leave_takes_another_with_it():
    # 982 people in all: with the rest shown, the 5 would be what is left.
    assert hidden_people(statuses(900, 5, 62, 15, 0), audit=False) == [5]
    assert hidden_people(statuses(900, 5, 62, 15, 11)) == [5, 11]
    # The least that can go: nobody knows any more that it is nobody.
    assert hidden_people(statuses(900, 5, 62, 15, 0)) == [0, 5]


def test_hidden_counts_whose_sum_leaves_them_too_little_room_take_another_with_them():
    # 2 and 1 make 3: each is 1 or 2.
    assert hidden_people(statuses(900, 2, 62, 1, 15), audit=False) == [1, 2]
    assert hidden_people(statuses(900, 2, 62, 1, 15)) == [1, 2, 15]
    # 3 and 5 make 8: each may be 1 to 7.
    assert hidden_people(statuses(900, 3, 62, 5, 15)) == [3, 5]


def test_rounding_guards_a_lone_count_and_nothing_more_is_hidden():
    assert hidden_people(statuses(900, 5, 62, 15, 0), NHS) == [5]


def test_where_rounding_fits_too_well_the_audit_hides_more():
    # 900 and 7 of 907: 905 is shown for 903 to 907, 900 for 898 to 902; with people known exactly, 7 would be told.
    frame = statuses(898, 7)
    assert hidden_people(frame, NHS, audit=False) == [7]
    rows = 905 * 100
    found = release_tables(
        {"statuses": framed("statuses", frame.assign(records=[89800, 700]))},
        NHS,
        people=905,
        intake=Intake(rows, (), ()),
    )
    assert found.tables["statuses"][HIDDEN].tolist()[1]
    assert found.first["statuses"] == 1


def test_where_nothing_is_small_nothing_more_is_hidden():
    assert hidden_people(statuses(900, 8, 62, 15, 0)) == []


def test_each_characteristic_is_a_sum_of_its_own():
    both = pd.concat(
        [statuses(900, 5, 77), statuses(800, 91, 91, characteristic="language")], ignore_index=True
    )
    found = release_tables({"statuses": framed("statuses", both)}, EXACT, people=982)
    assert sorted(both.loc[found.tables["statuses"][HIDDEN].to_numpy(), "people"]) == [5, 77]


def test_records_are_protected_as_people_are():
    # In the records one of two hidden rows holds nothing, so the other would be what the records used leave.
    frame = pd.DataFrame(
        {
            "characteristic": "ethnicity",
            "status": ["known", "declined", "unsure", "missing"],
            "people": [800, 4, 6, 90],
            "records": [2000, 6, 0, 300],
            "records_carried_back": [2000, 60, 70, 176],
        }
    )
    intake = Intake(2306, (), ())
    found = release_tables(
        {"statuses": framed("statuses", frame)}, EXACT, people=900, intake=intake, audit=False
    )
    assert found.tables["statuses"][HIDDEN].tolist() == [False, True, True, False]
    # Who guesses that 6 and 0 are hidden together knows no more than 0 to 6: that is room enough.
    found = release_tables({"statuses": framed("statuses", frame)}, EXACT, people=900, intake=intake)
    assert found.tables["statuses"][HIDDEN].tolist() == [False, True, True, False]


def test_a_release_that_cannot_be_made_safe_is_refused_with_the_tables_that_clash():
    # All records are one status but three, and the number of records used is always told.
    frame = pd.DataFrame(
        {"characteristic": "sex", "status": ["known", "missing"], "people": [40, 30], "records": [0, 3],
         "records_carried_back": [2, 1]}
    )  # fmt: skip
    with pytest.raises(DisclosureError) as error:
        release_tables({"statuses": framed("statuses", frame)}, EXACT, people=70, intake=Intake(3, (), ()))
    assert "statuses" in str(error.value) and "merge sparse categories" in str(error.value)
    assert "3" not in str(error.value).split("small counts")[0].replace("3 small", "")


def test_what_is_hidden_at_each_step_is_told():
    frame = statuses(900, 5, 62, 15, 0)
    found = release_tables({"statuses": framed("statuses", frame)}, EXACT, people=982)
    assert (found.first["statuses"], found.second["statuses"]) == (1, 1)


# ---------------------------------------------------------------- recorded text


def codes(*rows):
    frame = pd.DataFrame(rows, columns=["characteristic", "value", "records", "status", "suggestion"])
    return released("codes", frame.assign(category="x", code_list="y", matched_by="z", detail="d"))


def test_text_that_few_records_hold_is_kept_back_and_its_records_counted_together():
    found = codes(
        ("ethnicity", "A", 900, "known", ""),
        ("ethnicity", "told us in confidence", 7, "invalid", "Sikh"),
        ("ethnicity", "mother of P. Example", 6, "invalid", ""),
        ("ethnicity", "??", 8, "invalid", ""),
        ("language", "said at 14 High Street", 9 - 4, "invalid", ""),
    )
    assert found["value"].tolist() == ["A", "??", FEW, FEW]
    assert shown(found, "records") == [(900,), (10,), (15,), (None,)]
    assert found[HIDDEN].tolist() == [False, False, False, True]
    assert found["suggestion"].tolist() == ["", "", "", ""]
    assert found.loc[2, ["characteristic", "status", "category", "code_list", "matched_by"]].tolist() == [
        "ethnicity",
        "invalid",
        "",
        "",
        "",
    ]


def test_text_is_merged_within_a_status_alone():
    found = codes(("ethnicity", "a", 5, "invalid", ""), ("ethnicity", "b", 5, "known", ""))
    assert found["status"].tolist() == ["invalid", "known"] and found[HIDDEN].all()


def test_text_that_many_records_hold_is_shown():
    found = codes(("ethnicity", "A", 900, "known", ""), ("ethnicity", "??", 8, "invalid", "Any other"))
    assert found["value"].tolist() == ["A", "??"] and found["suggestion"].tolist() == ["", "Any other"]


# ---------------------------------------------------------------- a whole result


def written_under(numbers, rule):
    """Whether numbers could have been written under a rule."""
    if rule.midpoint:
        return ((numbers == 0) | (numbers % rule.round_to == rule.round_to / 2)).all()
    return ((numbers == 0) | (numbers > rule.hide_up_to)).all() and (numbers % rule.round_to == 0).all()


def frames(result):
    return {name: result.table(name) for name in (*result.tables, *MATURITY_TABLES)}


@strict_rule
def test_no_table_of_a_result_holds_a_small_or_unrounded_count(rule):
    found = released_as(rule.name)
    some = 0
    for name, frame in frames(found).items():
        spec = SPECS[name]
        people = (
            ~frame["unit"].eq("points of care") if "unit" in frame else pd.Series(True, index=frame.index)
        )
        for column in spec.counts:
            kept = pd.to_numeric(frame.loc[people, column]).dropna()
            some += len(kept)
            assert written_under(kept, rule)
        if spec.counts:
            if name != "findings":  # hidden ones are left out
                assert found.hidden_cells[name] == frame[HIDDEN].sum()
            assert frame.loc[frame[HIDDEN], list(spec.counts)].isna().all(axis=None)
    assert some > 500 and (sum(found.hidden_cells.values()) > 20 or rule.midpoint)


@strict_rule
def test_rows_are_hidden_and_never_dropped(rule):
    true, found = frames(analysed()), frames(released_as(rule.name))
    apart = ("codes", "findings")
    lengths, shown = ({n: len(f) for n, f in every.items() if n not in apart} for every in (true, found))
    assert lengths == shown


@strict_rule
def test_hidden_findings_are_left_out_as_they_would_name_a_flagged_group(rule):
    true, found = analysed().findings, released_as(rule.name)
    kept = found.findings
    assert len(kept) == len(true) - found.hidden_cells["findings"]
    assert list(kept["order"]) == list(range(1, len(kept) + 1))
    assert not kept[HIDDEN].any()


def test_digits_tell_no_count():
    """p-values stand in steps, and limits that rest on few events have two digits."""
    found = released_as("nhs")
    p = pd.concat([found.comparisons["p"], found.representation["p"], found.table("tests")["p"]]).dropna()
    assert len(p) > 20
    assert set(p) <= {0.001, 0.01, 0.05, 0.1, 0.2, 0.5, 1.0}
    true = pd.concat([analysed().comparisons["p"]]).reset_index(drop=True)
    both = pd.DataFrame({"true": true, "shown": found.comparisons["p"]}).dropna()
    assert (both["shown"] >= both["true"] - 1e-12).all()
    rows = found.comparisons.query("adjustment == 'standardised'").dropna(subset="ratio_lower")
    few = rows[(rows["numerator"] < 100) & (rows["ratio_lower"] > 0)]
    assert all(float(f"{value:.2g}") == value for value in few["ratio_lower"])


def test_rates_and_their_limits_are_those_of_the_shown_people():
    found = released_as("nhs").representation
    rows = found[found["rate"].notna() & (found["residents"] > 0)]
    assert len(rows) > 5
    assert np.allclose(rows["rate"], 1000 * rows["numerator"] / rows["residents"], rtol=0.006)
    lower, upper = count_limits(rows["numerator"].to_numpy())
    assert np.allclose(rows["rate_upper"], 1000 * upper / rows["residents"], rtol=0.06)
    assert np.allclose(rows["rate_lower"], 1000 * lower / rows["residents"], rtol=0.06)


def test_without_a_rule_nothing_is_hidden_or_rounded():
    true, found = analysed(), released_as("none")
    assert found.disclosure == "none" and set(found.hidden_cells.values()) == {0}
    for name, frame in frames(found).items():
        plain = frame.drop(columns=HIDDEN, errors="ignore")
        pd.testing.assert_frame_equal(plain, true.table(name), check_dtype=False)
    assert found.about == true.about


@every_rule
def test_a_released_result_is_released_once(rule):
    once = released_as(rule.name)
    assert release(once) is once
    assert release(once, "nhs") is once


def test_the_rule_of_the_service_holds_where_none_is_named():
    assert released_as().disclosure == "nhs"
    choices = {**analysed().choices, "disclosure": replace(analysed().choices["disclosure"], value="none")}
    assert release(replace(analysed(), choices=choices)).disclosure == "none"


def test_a_rule_that_does_not_exist_is_refused_with_the_nearest():
    with pytest.raises(ConfigError, match="under-5"):
        released_as("under5")


def test_the_number_of_people_is_rounded_and_a_small_one_hidden():
    def people(number):
        return release_tables({}, NHS, people=number).people

    assert [people(number) for number in (0, 3, 7, 8, 1002, None)] == [0, None, None, 10, 1000, None]


def test_outcomes_and_tiers_rest_on_true_counts():
    true, found = analysed().maturity, released_as("threshold-10").maturity
    for name in ("level", "tier", "tier_measured", "tier_other_reading", "matrix_tier"):
        assert getattr(found, name) == getattr(true, name)
    pd.testing.assert_series_equal(found.criteria["outcome"], true.criteria["outcome"])
    pd.testing.assert_frame_equal(found.areas, true.areas)


def test_the_true_result_is_never_changed():
    before = analysed().to_json()
    release(analysed(), "threshold-10")
    assert analysed().to_json() == before and analysed().disclosure == ""


@pytest.mark.filterwarnings("error::FutureWarning", "error::DeprecationWarning:equitydata")
def test_releasing_raises_no_warning():
    release(analysed())


def test_counts_in_notes_obey_the_rule():
    rule = disclosure_rule("nhs")
    assert release_words("A retired code in 3 records.", rule) == "A retired code in few records."
    assert release_words("From lists: a (33,592 records), b (1 record).", rule) == (
        "From lists: a (33,590 records), b (few records)."
    )
    assert release_words("In 3 records.", disclosure_rule("none")) == "In 3 records."


# ---------------------------------------------------------------- the tables of the equity analysis


def strata(text, **more):
    """Outcomes drawn as text: measure attended, a share of contacts unless the text says otherwise."""
    frame = table(text)
    given = {
        "measure": "attended",
        "level": "detailed",
        "status": "known",
        "statistic": "share",
        "unit": "contacts",
        **more,
    }
    frame = frame.assign(**{name: value for name, value in given.items() if name not in frame})
    if "people" not in frame:
        frame = frame.assign(people=frame["denominator"])
    return framed("outcomes", frame)


def linked(rule=NHS, **tables):
    """Names of the hidden rows of each table."""
    found = release_tables(tables, rule).tables
    return {name: _hidden_names(tables[name], frame) for name, frame in found.items()}


def _hidden_names(true, released):
    if len(released) < len(true):  # hidden findings are left out
        return [name for name in true["category"] if name not in set(released["category"])]
    return true.loc[released[HIDDEN].to_numpy(), "category"].tolist()


ETHNIC = """
    characteristic | level    | category          | status  | numerator | denominator
    all            | all      | Everyone          | known   | 488       | 2000
    ethnicity      | detailed | Bangladeshi       | known   | 150       | 600
    ethnicity      | detailed | Chinese           | known   | 3         | 40
    ethnicity      | detailed | Indian            | known   | 60        | 400
    ethnicity      | detailed | African           | known   | 30        | 120
    ethnicity      | detailed | Caribbean         | known   | 45        | 140
    ethnicity      | detailed | Missing           | missing | 200       | 700
    ethnicity      | groups   | Asian             | known   | 213       | 1040
    ethnicity      | groups   | Black             | known   | 75        | 260
    ethnicity      | groups   | Missing           | missing | 200       | 700
"""


def test_a_lone_group_is_guarded_by_rounding_and_else_by_another():
    assert linked(outcomes=strata(ETHNIC)) == {"outcomes": ["Chinese"]}
    hidden = linked(EXACT, outcomes=strata(ETHNIC))["outcomes"]
    assert hidden[0] == "Chinese" and len(hidden) == 2


def test_a_share_with_few_who_did_not_meet_it_is_hidden_and_no_large_group_with_it():
    # 997 of 1,000 attended: 3 did not, and 60 and 90 of the others. What is left of 155 is 5, give or take 6.
    found = linked(
        outcomes=strata("""
            characteristic | category | numerator | denominator
            all            | Everyone | 2847      | 3000
            sex            | Female   | 997       | 1000
            sex            | Male     | 940       | 1000
            sex            | Other    | 910       | 1000
        """)
    )
    assert found == {"outcomes": ["Female"]}


def test_events_per_person_time_have_no_complement():
    found = linked(
        outcomes=strata(
            """
            characteristic | category | people | numerator | denominator
            all            | Everyone | 300    | 60        | 127
            sex            | Female   | 150    | 30        | 35
            sex            | Male     | 150    | 30        | 92
            """,
            statistic="rate",
        )
    )
    assert found == {"outcomes": []}


def test_a_few_of_unknown_group_leave_the_groups_where_rounding_guards_them():
    # The 5 people without a sex are what the shown numbers leave of 2,000, up to 2 for each of three numbers.
    text = """
        characteristic | category | status  | numerator | denominator
        all            | Everyone | known   | 500       | 2000
        sex            | Female   | known   | 250       | 1000
        sex            | Male     | known   | 249       | 995
        sex            | Missing  | missing | 1         | 5
    """
    assert linked(outcomes=strata(text)) == {"outcomes": ["Missing"]}


def test_where_nothing_is_rounded_a_few_of_unknown_group_take_the_groups_with_them():
    # A rule that hides and does not round: the 5 would be what is left of 2,000.
    text = """
        characteristic | category | status  | numerator | denominator
        all            | Everyone | known   | 500       | 2000
        sex            | Female   | known   | 250       | 1000
        sex            | Male     | known   | 249       | 995
        sex            | Missing  | missing | 1         | 5
    """
    hidden = linked(EXACT, outcomes=strata(text))["outcomes"]
    assert "Missing" in hidden and {"Female", "Male"} & set(hidden)


def test_a_hidden_parent_is_not_the_sum_of_shown_children():
    # Black is hidden to guard the small White group; with both its children shown it would be their sum.
    parents = """
            characteristic | level    | category    | numerator | denominator
            all            | all      | Everyone    | 1380      | 5210
            ethnicity      | detailed | Bangladeshi | 900       | 3600
            ethnicity      | detailed | Indian      | 400       | 1340
            ethnicity      | detailed | Black African   | 30    | 120
            ethnicity      | detailed | Black Caribbean | 45    | 140
            ethnicity      | groups   | Asian       | 1300      | 4940
            ethnicity      | groups   | Black       | 75        | 260
            ethnicity      | groups   | White       | 5         | 10
        """
    found = linked(outcomes=strata(parents))
    assert "White" in found["outcomes"]
    exact = linked(EXACT, outcomes=strata(parents))["outcomes"]
    assert "White" in exact and len(exact) > 1
    if "Black" in exact:
        assert {"Black African", "Black Caribbean"} & set(exact)


def test_a_lone_cell_of_a_crossing_is_hidden_with_its_partner_where_the_margin_would_tell_it():
    text = """
        characteristic  | level               | category             | numerator | denominator
        all             | all                 | Everyone             | 300       | 1000
        ethnicity       | detailed            | Indian               | 105       | 400
        ethnicity       | detailed            | Irish                | 195       | 600
        ethnicity x sex | detailed x detailed | Indian × Female      | 100       | 200
        ethnicity x sex | detailed x detailed | Indian × Male        | 5         | 200
        ethnicity x sex | detailed x detailed | Irish × Female       | 95        | 300
        ethnicity x sex | detailed x detailed | Irish × Male         | 100       | 300
    """
    assert set(linked(EXACT, outcomes=strata(text))["outcomes"]) >= {"Indian × Male", "Indian × Female"}


def test_what_is_worked_out_from_a_hidden_group_is_hidden_with_it():
    outcomes = strata(ETHNIC)
    keys = outcomes[(outcomes["characteristic"] == "ethnicity") & (outcomes["status"] == "known")]
    big = {"people": 500, "numerator": 100, "denominator": 500}
    comparisons = framed(
        "comparisons",
        keys.assign(
            **big,
            comparator="rest",
            comparator_category="Everyone else",
            comparator_numerator=300,
            comparator_denominator=1500,
            adjustment="crude",
        ),
    )
    against = comparisons.assign(comparator="reference", comparator_category="Chinese")
    changes = framed("changes", keys.assign(first_period="2025 Q1", last_period="2025 Q4"))
    unknowns = framed("unknowns", keys.assign(of="outcome", people=500, unknown=700))
    findings = framed("findings", keys.assign(about="outcome", **big))
    found = linked(
        outcomes=outcomes,
        comparisons=pd.concat([comparisons, against], ignore_index=True),
        changes=changes,
        unknowns=unknowns,
        findings=findings,
    )
    for name in ("changes", "unknowns", "findings"):
        assert found[name] == ["Chinese"], name
    # Against the hidden reference group every detailed group loses its row; against the rest only the hidden one does.
    detailed = ["Bangladeshi", "Chinese", "Indian", "African", "Caribbean"]
    assert found["comparisons"] == ["Chinese", *detailed]


def test_a_comparison_with_a_small_rest_is_hidden_for_every_comparator():
    keys = table("""
        category | comparator | comparator_numerator
        A        | rest       | 4
        A        | overall    | 300
        B        | rest       | 200
        B        | overall    | 300
    """).assign(
        measure="attended",
        characteristic="sex",
        level="detailed",
        statistic="share",
        adjustment="crude",
        people=900,
        numerator=100,
        denominator=900,
        comparator_denominator=1000,
    )
    assert linked(comparisons=framed("comparisons", keys)) == {"comparisons": ["A", "A"]}


def test_periods_of_a_hidden_group_are_hidden_and_a_change_goes_with_its_ends():
    outcomes = strata(ETHNIC)
    groups = outcomes[(outcomes["level"] == "detailed") & (outcomes["status"] == "known")]
    rows = [
        {
            **row,
            "period": period,
            "order": order,
            **{name: row[name] // 3 for name in SPECS["outcomes"].counts},
        }
        for order, period in enumerate(["Q1", "Q2", "Q3"], start=1)
        for row in groups.to_dict("records")
    ]
    trends = framed("trends", pd.DataFrame(rows))
    early = (trends["category"] == "Indian") & (trends["period"] == "Q1")
    trends.loc[early, "numerator"] = 2
    trends.loc[(trends["category"] == "Indian") & (trends["period"] == "Q2"), "numerator"] = 38
    changes = framed("changes", groups.assign(first_period="Q1", last_period="Q3", people=500))
    found = linked(outcomes=outcomes, trends=trends, changes=changes)
    assert found["trends"].count("Chinese") == 3
    assert found["trends"].count("Indian") == 1 and found["trends"].count("Bangladeshi") == 0
    assert found["changes"] == ["Chinese", "Indian"]


def representation(**more):
    frame = table("""
        category    | area_kind | numerator | denominator
        Bangladeshi | local     | 600       | 1000
        Indian      | local     | 350       | 1000
        Chinese     | local     | 5         | 1000
        African     | local     | 45        | 1000
        Bangladeshi | nation    | 600       | 1000
        Indian      | nation    | 350       | 1000
        Chinese     | nation    | 5         | 1000
        African     | nation    | 45        | 1000
    """).assign(of="users", characteristic="ethnicity", level="detailed", status="known", unknown=900)
    frame = frame.assign(
        area=frame["area_kind"],
        residents=10_000,
        residents_share=0.25,
        note="",
        share_of_all=frame["numerator"] / 1900,
        ratio=frame["numerator"] / 1000 / 0.25,
        ratio_lower=0.9,
        gap=frame["numerator"] / 1000 - 0.25,
        gap_people=frame["numerator"] - 250.0,
    )
    return framed("representation", frame.assign(**more))


def test_the_same_people_are_hidden_against_every_area_and_among_the_categories():
    categories = framed(
        "categories",
        pd.DataFrame(
            {
                "characteristic": "ethnicity",
                "level": "detailed",
                "category": ["Bangladeshi", "Indian", "Chinese", "African", "Arab"],
                "numerator": [600, 350, 5, 45, 12],
                "denominator": 1012,
            }
        ),
    )
    found = linked(representation=representation(), categories=categories)
    assert found["representation"] == ["Chinese"] * 2
    assert found["categories"] == ["Chinese"]
    exact = linked(EXACT, representation=representation(), categories=categories)
    assert all("Chinese" in names for names in exact.values())


def test_few_of_unknown_group_are_withheld_and_the_groups_stay():
    true = representation(unknown=4, numerator=[600, 350, 30, 20] * 2)
    shown = release_tables({"representation": true}, NHS).tables["representation"]
    assert not shown[HIDDEN].any() and shown["unknown"].isna().all() and shown["share_of_all"].isna().all()
    assert shown["note"].str.contains("small and not shown").all()
    assert shown["numerator"].tolist()[:2] == [600, 350]


def test_representation_is_worked_out_again_from_what_is_shown():
    true = representation(numerator=[602, 353, 25, 20] * 2)
    shown = release_tables({"representation": true}, NHS).tables["representation"].iloc[0]
    assert (shown["numerator"], shown["denominator"]) == (600, 1000)
    assert (shown["share"], shown["ratio"], shown["gap"], shown["gap_people"]) == (0.6, 2.4, 0.35, 350)


def test_estimates_keep_three_digits_and_hidden_ones_go():
    outcomes = strata(ETHNIC).assign(standardised=0.123456, design_effect=1.23456)
    shown = release_tables({"outcomes": outcomes}, NHS).tables["outcomes"]
    assert set(shown.loc[~shown[HIDDEN], "standardised"]) == {0.123}
    assert set(shown.loc[~shown[HIDDEN], "design_effect"]) == {1.23}
    estimates = list(SPECS["outcomes"].estimates)
    assert shown[HIDDEN].sum() == 1 and shown.loc[shown[HIDDEN], estimates].isna().all(axis=None)


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (0.123456, 0.123),
        (-1234.5, -1230),
        (0, 0),
        (1e-12, 1e-12),
        (99.96, 100),
        (np.nan, np.nan),
        (np.inf, np.inf),
    ],
)
def test_three_significant_digits(value, wanted):
    assert significant(pd.Series([value])).tolist() == pytest.approx([wanted], nan_ok=True, rel=1e-15)


def test_rates_and_ratios_are_worked_out_from_what_is_shown_and_adjusted_ones_are_not():
    frame = table("""
        category | adjustment | statistic | people | numerator | denominator | comparator_numerator
        A        | crude      | rate      | 900    | 101       | 1001        | 199
        A        | adjusted   | rate      | 900    | 101       | 1001        | 199
        A        | crude      | mean      | 900    |           | 900         |
    """).assign(
        comparator_denominator=4001,
        measure="falls",
        characteristic="sex",
        level="detailed",
        comparator="rest",
        value=101 / 1001,
        comparator_value=199 / 4001,
        difference=101 / 1001 - 199 / 4001,
        ratio=(101 / 1001) / (199 / 4001),
        ratio_lower=1.5,
        ratio_upper=2.5,
    )
    shown = release_tables({"comparisons": framed("comparisons", frame)}, NHS).tables["comparisons"]
    crude, adjusted, mean = shown.to_dict("records")
    assert (crude["value"], crude["comparator_value"], crude["ratio"]) == (0.1, 0.05, 2.0)
    assert crude["ratio_lower"] == pytest.approx(1.5 * 2 / ((101 / 1001) / (199 / 4001)), abs=0.005)
    assert (adjusted["value"], adjusted["ratio"], adjusted["ratio_lower"]) == (0.101, 2.03, 1.5)
    assert (mean["value"], mean["ratio"]) == (0.101, 2.03)


def test_a_summary_of_a_level_with_a_hidden_group_is_withheld_and_the_others_rounded():
    summaries = framed(
        "inequality",
        pd.DataFrame(
            {
                "measure": "attended",
                "characteristic": "ethnicity",
                "level": ["detailed", "detailed", "groups"],
                "summary": ["D", "MLD", "D"],
                "compared": ["Bangladeshi less Chinese", "every group", "Asian less Black"],
                "value": 0.123456,
                "lower": 0.1,
                "upper": 0.2,
                "note": "",
            }
        ),
    )
    shown = release_tables({"outcomes": strata(ETHNIC), "inequality": summaries}, NHS).tables["inequality"]
    assert shown["value"].tolist() == pytest.approx([np.nan, np.nan, 0.123], nan_ok=True)
    assert shown["note"].str.startswith("Withheld").tolist() == [True, True, False]


def test_a_summary_of_which_fewer_than_two_groups_are_shown_is_withheld():
    outcomes = strata("""
        characteristic | category | numerator | denominator
        all            | Everyone | 105       | 400
        sex            | Female   | 5         | 200
        sex            | Male     | 100       | 200
    """)
    tests = framed(
        "tests",
        pd.DataFrame({"measure": "attended", "characteristic": "sex", "level": "detailed", "p": [0.04]}),
    )
    shown = release_tables({"outcomes": outcomes, "tests": tests}, NHS).tables["tests"]
    assert shown["p"].isna().all() and shown["note"].str.startswith("Withheld").all()


def test_an_outcome_of_few_of_unknown_group_is_hidden_though_they_are_many():
    outcomes = strata(ETHNIC)
    outcomes.loc[outcomes["category"] == "Missing", "numerator"] = 3
    whole = framed(
        "known_or_not",
        pd.DataFrame(
            {"measure": "attended", "characteristic": ["ethnicity", "sex"], "people": 1300, "unknown": 700}
        ),
    )
    found = first_hidden({"outcomes": outcomes, "known_or_not": whole}, NHS)
    assert found["known_or_not"].tolist() == [True, False]


def test_people_in_the_words_of_a_check_obey_the_rule():
    assert release_words("3 people live elsewhere, 1,003 people here.", NHS, of="people") == (
        "few people live elsewhere, 1,005 people here."
    )


@given(
    counts=st.lists(st.tuples(st.integers(0, 60), st.integers(0, 400)), min_size=2, max_size=7),
    rule=st.sampled_from([each for each in STRICT if not each.midpoint]),
)
@settings(max_examples=25, deadline=None)
def test_no_lone_hidden_group_can_be_worked_out_from_any_column(counts, rule):
    rows = [("sex", f"group {number}", met, met + rest) for number, (met, rest) in enumerate(counts)]
    rows.append(("all", "Everyone", sum(met for met, _ in counts), sum(sum(each) for each in counts)))
    frame = pd.DataFrame(rows, columns=["characteristic", "category", "numerator", "denominator"])
    outcomes = framed(
        "outcomes",
        frame.assign(
            measure="m",
            level="l",
            status="known",
            statistic="share",
            unit="people",
            people=frame["denominator"],
        ),
    )
    hidden = release_tables({"outcomes": outcomes}, rule).tables["outcomes"][HIDDEN].to_numpy()
    met, of = (outcomes[name].to_numpy(float) for name in ("numerator", "denominator"))
    base = rule.round_to
    for values in (met, of, of - met):
        groups, lost = values[:-1], hidden[:-1] & (values[:-1] > 0)
        assert not ((groups > 0) & (groups <= rule.hide_up_to) & ~hidden[:-1]).any()
        told = groups[~lost & (groups > 0)]
        if lost.sum() != 1 or hidden[-1] or not len(told):
            continue
        # What someone with the table can say of the one that is missing: each number is up to 2 off.
        here = [value for value in range(1, 2 + int(groups[lost].item()) + 50) if value <= rule.hide_up_to]
        shown_sum = sum(base * ((int(value) + base // 2) // base) for value in told)
        whole = base * ((int(values[-1]) + base // 2) // base)
        slack = (base // 2) * (len(told) + 1)
        possible = [value for value in here if abs(whole - shown_sum - value) <= slack]
        assert groups[lost].item() > rule.hide_up_to or len(possible) >= 4


def test_places_of_few_records_have_no_name():
    shares_by_site = pd.DataFrame(
        {
            "characteristic": "ethnicity",
            "by": ["site", "site", "sex"],
            "group": ["North", "12 Rose Lane", "Female"],
            "unit": "records",
            "numerator": [400, 1, 3],
            "denominator": [500, 1, 4],
        }
    )
    steps = pd.DataFrame(
        {"unit": "people", "needed": [40], "places": ["most of them at 12 Rose Lane and North"]}
    )
    needs = pd.DataFrame(
        {"characteristic": "ethnicity", "site": ["North", "12 Rose Lane"], "people": [90, 1]}
    )
    tables = {"breakdown": shares_by_site, "next_steps": steps, "needs": needs}
    found = release_tables({name: framed(name, frame) for name, frame in tables.items()}, NHS)
    assert found.tables["breakdown"]["group"].tolist() == ["North", FEW_PLACES, "Female"]
    assert found.tables["needs"]["site"].tolist() == ["North", FEW_PLACES]
    assert found.tables["next_steps"]["places"].tolist() == [f"most of them at {FEW_PLACES} and North"]
    assert not any("Rose" in name for name in found.numbers)
