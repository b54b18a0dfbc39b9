"""Users against residents: every figure against a plain count and a second formula."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

import equitydata as eq
from equitydata import codelists, reference
from equitydata.records.outcomes import cell_ends
from equitydata.representation.table import (
    representation_table,
    representation_unknowns,
    residents_table,
)
from equitydata.rulebook import load_rulebook
from equitydata.strata import Strata
from equitydata.tables import POPULATION_CHECKS_TABLE, REPRESENTATION_TABLE

NEWHAM = "E09000025"
RULES = load_rulebook()
ENDS = cell_ends(RULES.value("age_bands"))
WORDS = {"declined": "Declined", "missing": "Missing", "not_applicable": "Does not apply"}
GROUPS = {"Asian": 500, "Black": 300, "Mixed": 60, "White": 300, "Other": 100}
CENSUS = {"Asian": 148187, "Black": 61302, "Mixed": 16419, "White": 107947, "Other": 17175}  # Newham, TS021


def stratum(characteristic, level, category, people, *, status="known", cases=None, measure="users", order=1,
            label=None):  # fmt: skip
    return {"measure": measure, "characteristic": characteristic, "label": label or characteristic.capitalize(),
            "level": level, "ordered": False, "category": category, "order": order, "status": status,
            "people": float(people), "cases": float(people if cases is None else cases)}  # fmt: skip


def strata_of(rows, cells=()):
    """Strata whose sums are those of people counted once each."""
    frame = pd.DataFrame(rows)
    split = pd.DataFrame(
        list(cells),
        columns=["measure", "characteristic", "level", "category", "status", "age_from", "sex", "people"],
    )
    for each in (frame, split):
        if "cases" not in each:
            each["cases"] = each["people"]
        for name in ("n", "nn"):
            each[name] = each["people"]
        for name in ("x", "nx", "xx"):
            each[name] = each["cases"]
    blank = pd.DataFrame()
    return Strata(frame, split, blank, blank, blank, blank, labels={})


def by_group(people=GROUPS, *, unknown=0, **more):
    rows = [stratum("ethnicity", "groups", name, count, order=at, **more)
            for at, (name, count) in enumerate(people.items())]  # fmt: skip
    return [*rows, stratum("ethnicity", "groups", "Declined", unknown, status="declined", order=9, **more)]


def service(**more):
    about = {"area": ["Newham"], **more.pop("about", {})}
    return eq.make_service({"service": about, **more})


def compared(rows, cells=(), *, made=None, lists=None):
    return representation_table(strata_of(rows, cells), made or service(), lists or {}, RULES)


def local(table, **named):
    here = table[table["area_kind"].eq("local")]
    for column, wanted in named.items():
        here = here[here[column].eq(wanted)]
    return here


def only(table, **named):
    here = local(table, **named)
    assert len(here) == 1
    return here.iloc[0]


# ---- one group, by hand


def test_share_ratio_gap_and_rate_are_those_of_a_plain_count():
    row = only(compared(by_group(unknown=40)).table, category="Black")
    total, residents = sum(GROUPS.values()), sum(CENSUS.values())
    share, of_residents = 300 / total, CENSUS["Black"] / residents
    assert (row["numerator"], row["denominator"], row["unknown"]) == (300, total, 40)
    assert (row["residents"], row["residents_total"]) == (CENSUS["Black"], residents)
    assert row["share"] == pytest.approx(share)
    assert row["ratio"] == pytest.approx(share / of_residents)
    assert row["gap"] == pytest.approx(share - of_residents)
    assert row["gap_people"] == pytest.approx(300 - total * of_residents)
    assert row["rate"] == pytest.approx(1000 * 300 / CENSUS["Black"])
    assert row["share_of_all"] == pytest.approx(300 / (total + 40))


def test_limits_are_wilsons_and_the_test_is_exact():
    row = only(compared(by_group()).table, category="Black")
    total, pi = sum(GROUPS.values()), CENSUS["Black"] / sum(CENSUS.values())
    low, high = proportion_confint(300, total, method="wilson")
    assert (row["share_lower"], row["share_upper"]) == pytest.approx((low, high))
    assert (row["ratio_lower"], row["ratio_upper"]) == pytest.approx((low / pi, high / pi))
    assert (row["gap_lower"], row["gap_upper"]) == pytest.approx((low - pi, high - pi))
    tails = stats.binom.cdf(300, total, pi), stats.binom.sf(299, total, pi)
    assert row["p"] == pytest.approx(2 * min(tails))


def test_p_values_are_adjusted_over_the_groups_of_the_characteristic_and_area():
    here = local(compared(by_group()).table, status="known")
    assert here["p_adjusted"].to_numpy() == pytest.approx(multipletests(here["p"], method="fdr_bh")[1])


def test_one_family_over_the_report_is_an_option():
    rows = by_group() + [
        stratum("sex", "detailed", name, people) for name, people in (("Male", 500), ("Female", 560))
    ]
    here = local(compared(rows, made=service(analysis={"family": "report"})).table, status="known")
    assert here["p_adjusted"].to_numpy() == pytest.approx(multipletests(here["p"], method="fdr_bh")[1])


def test_flags_say_which_groups_are_over_and_under_represented():
    here = local(compared(by_group()).table, status="known").set_index("category")
    assert here["flag"].to_dict() == {
        "Asian": "no_evidence",
        "Black": "disproportionate_high",
        "Mixed": "no_evidence",
        "White": "disproportionate_low",
        "Other": "disproportionate_high",
    }
    assert here.loc["Asian", "similar"]


def test_a_service_that_mirrors_its_residents_has_no_flag():
    people = {name: round(count / 100) for name, count in CENSUS.items()}
    here = local(compared(by_group(people)).table, status="known")
    assert set(here["flag"]) == {"no_evidence"}
    assert here["ratio"].to_numpy() == pytest.approx(1, abs=0.01)


def test_a_group_that_nobody_came_from_is_a_finding_and_not_too_small_to_judge():
    row = only(compared(by_group({**GROUPS, "Black": 0})).table, category="Black")
    assert (row["numerator"], row["ratio"], row["flag"]) == (0, 0, "disproportionate_low")
    assert row["gap_people"] < -100


def test_few_people_are_not_judged_and_the_note_says_what_is_short():
    people = {"Asian": 12, "Black": 1, "Mixed": 1, "White": 3, "Other": 0}
    here = local(compared(by_group(people)).table, status="known")
    assert set(here["flag"]) == {"insufficient_data"}
    assert here["note"].str.contains("not judged").all()
    assert here["p_adjusted"].isna().all()


def test_residents_of_region_and_nation_are_compared_too():
    table = compared(by_group()).table
    assert table.groupby("area_kind")["area"].first().to_dict() == {
        "local": "Newham", "region": "London", "nation": "England",
    }  # fmt: skip
    london = {row["category_code"]: row["count"] for row in reference.population("ethnic_group", "E12000007",
              leaves=False).to_dict("records")}  # fmt: skip
    black = table[table["area_kind"].eq("region") & table["category"].eq("Black")].iloc[0]
    assert black["residents"] == london["ts0210008"]


def test_users_drawn_from_the_residents_seldom_raise_a_flag():
    """Two hundred services whose users are a random draw of the residents: at most about one in twenty has a flag."""
    chance = np.random.default_rng(20210321)
    shares = np.array(list(CENSUS.values())) / sum(CENSUS.values())
    definition = {
        "label": "Draw",
        "kind": "access",
        "polarity": "neutral",
        "numerator": {"column": "a", "in": ["b"]},
    }
    rows, measures = by_group(), {}
    for number in range(200):
        measures[f"draw_{number}"] = definition
        people = dict(zip(CENSUS, chance.multinomial(600, shares), strict=True))
        rows += [
            stratum("ethnicity", "groups", name, count, measure=f"draw_{number}")
            for name, count in people.items()
        ]
    table = local(compared(rows, made=service(measures=measures)).table)
    drawn = table[table["of"].ne("users")]
    evident = drawn.groupby("of")["evidence"].any()
    flagged = drawn.groupby("of")["flag"].agg(lambda flags: flags.str.startswith("disproportionate").any())
    assert len(flagged) == 200
    assert 0.005 <= evident.mean() <= 0.08  # adjusted evidence is neither idle nor loose
    assert flagged.mean() <= 0.05


# ---- rows without a comparison


def test_people_of_unknown_group_stay_in_a_row_of_their_own():
    row = only(compared(by_group(unknown=40)).table, status="declined")
    assert row["numerator"] == 40
    assert row["share_of_all"] == pytest.approx(40 / (sum(GROUPS.values()) + 40))
    assert math.isnan(row["ratio"])
    assert row["flag"] == ""
    assert "unknown group" in row["note"]


def test_people_to_whom_the_item_does_not_apply_are_no_part_of_everyone():
    rows = [*by_group(), stratum("ethnicity", "groups", "Does not apply", 70, status="not_applicable")]
    table = compared(rows).table
    assert only(table, category="Black")["share_of_all"] == pytest.approx(300 / sum(GROUPS.values()))
    assert math.isnan(only(table, status="not_applicable")["share_of_all"])


def detailed(counts):
    have = codelists.collected_by(["nhs-ethnic-category-2001"])
    names = codelists.categories("ethnicity").query("detail == 'detailed'")["category"]
    return [
        stratum("ethnicity", "detailed", name, counts.get(name, 30) if name in have else np.nan,
                status="known" if name in have else "not collected", order=at)
        for at, name in enumerate(names)
    ]  # fmt: skip


def test_categories_that_the_list_lacks_stay_and_say_where_their_residents_are():
    table = compared(detailed({}), lists={"ethnicity": ["nhs-ethnic-category-2001"]}).table
    roma = only(table, category="Roma")
    assert roma["status"] == "not collected"
    assert math.isnan(roma["numerator"]) and math.isnan(roma["ratio"])
    assert "White other" in roma["note"]
    assert only(table, category="White other")["residents"] == 51394 + 2342 + 353


def test_the_folded_residents_are_told_in_the_checks():
    checks = compared(detailed({}), lists={"ethnicity": ["nhs-ethnic-category-2001"]}).checks
    row = local(checks, check="same code list").iloc[0]
    assert row["severity"] == "note"
    assert "Roma in White other" in row["finding"]
    assert "1.8%" in row["finding"]  # (2342 + 353 + 3534) / 351030


def test_a_category_without_residents_is_left_out_of_the_denominator():
    rows = [stratum("sex", "detailed", name, people)
            for name, people in (("Male", 500), ("Female", 600), ("Indeterminate", 10))]  # fmt: skip
    result = compared(rows)
    assert only(result.table, category="Female")["denominator"] == 1100
    row = only(result.table, category="Indeterminate")
    assert row["numerator"] == 10 and math.isnan(row["share"])
    assert "Indeterminate" in local(result.checks, check="categories on both sides").iloc[0]["finding"]


def test_a_group_that_the_census_counts_within_another_is_added_to_it():
    people = {"Christian": 400, "Muslim": 380, "No religion": 150, "Hindu": 60, "Sikh": 20, "Buddhist": 9, "Jewish": 2,
              "Jain": 4, "Pagan": 3, "Other religion": 5}  # fmt: skip
    table = compared([stratum("religion", "detailed", name, count) for name, count in people.items()]).table
    assert only(table, category="Other religion")["numerator"] == 4 + 3 + 5
    jain = only(table, category="Jain")
    assert jain["numerator"] == 4 and math.isnan(jain["ratio"])
    assert "Other religion" in jain["note"]
    assert only(table, category="Muslim")["denominator"] == sum(people.values())
    assert (
        only(table, category="Muslim")["residents_total"] == 351038 - 22934
    )  # without those who did not answer


def test_small_areas_in_place_of_people_give_shares_and_no_rate_or_flag():
    rows = [stratum("deprivation", "decile", str(number), 100) for number in range(1, 11)]
    row = only(compared(rows).table, category="2")
    assert row["residents_share"] == pytest.approx(74 / 185)
    # No small area of Newham is in the ninth decile: its people live elsewhere and are left out.
    assert row["ratio"] == pytest.approx((100 / 900) / (74 / 185))
    assert math.isnan(row["residents"]) and math.isnan(row["rate"]) and math.isnan(row["p"])
    assert row["flag"] == ""
    assert "small areas" in row["note"]


# ---- several outcomes


def test_people_with_the_outcome_are_compared_as_users_are():
    measures = {
        "missed": {"label": "Did not attend", "kind": "access", "polarity": "adverse",
                   "numerator": {"column": "outcome", "in": ["DNA"]}},
        "wait": {"label": "Wait", "kind": "access", "polarity": "adverse", "value": "days"},
    }  # fmt: skip
    cases = {"Asian": 100, "Black": 90, "Mixed": 20, "White": 60, "Other": 30}
    rows = by_group()
    rows += [
        stratum("ethnicity", "groups", name, GROUPS[name], cases=cases[name], measure="missed")
        for name in cases
    ]
    rows += [stratum("ethnicity", "groups", name, GROUPS[name], measure="wait") for name in cases]
    table = compared(rows, made=service(measures=measures)).table
    assert set(table["of"]) == {"users", "missed"}
    row = only(table, of="missed", category="Black")
    assert (row["of_label"], row["numerator"], row["denominator"]) == ("Did not attend", 90, 300)


def test_each_grade_of_a_workforce_is_compared_by_itself():
    rows = by_group()
    for grade, people in (("Band 5", {"Asian": 90, "White": 60}), ("Band 8", {"Asian": 12, "White": 70})):
        rows += [stratum("ethnicity x grade", "groups x detailed", f"{name} × {grade}", people.get(name, 5),
                         label="Ethnic group × grade") for name in GROUPS]  # fmt: skip
    rows += [stratum("ethnicity x grade", "groups x detailed", "Declined", 8, status="declined",
                     label="Ethnic group × grade")]  # fmt: skip
    result = compared(rows, made=service(about={"counted": "staff"}))
    assert list(dict.fromkeys(result.table["of"])) == ["users", "grade: Band 5", "grade: Band 8"]
    assert only(result.table, of="users", category="White")["of_label"] == "Staff"
    row = only(result.table, of="grade: Band 8", category="White")
    assert (row["numerator"], row["denominator"], row["characteristic"], row["level"]) == (
        70, 12 + 70 + 15, "ethnicity", "groups",
    )  # fmt: skip
    assert row["flag"] == "disproportionate_high"
    assert row["label"] == "Ethnic group"


# ---- ages


def ethnicity_cells(rows):
    return [
        ("users", "ethnicity", "groups", name, "known", age, sex, people) for name, age, sex, people in rows
    ]


def test_users_are_cut_to_the_ages_of_the_residents():
    rows = [stratum("sex", "detailed", name, people) for name, people in (("Male", 500), ("Female", 600))]
    cells = [("users", "sex", "detailed", "Male", "known", 10, "Male", 80),
             ("users", "sex", "detailed", "Male", "known", 40, "Male", 400),
             ("users", "sex", "detailed", "Male", "known", -1, "Male", 20),
             ("users", "sex", "detailed", "Female", "known", 40, "Female", 600)]  # fmt: skip
    result = compared(rows, cells, made=service(about={"ages": [18, 120]}))
    male = only(result.table, category="Male")
    assert male["numerator"] == 420  # those of unknown age stay
    assert local(result.checks, check="same ages").iloc[0]["severity"] == "passed"


def test_users_are_not_cut_where_a_band_lies_across_and_the_check_says_so():
    rows = [stratum("language", "english", name, people)
            for name, people in (("English", 500), ("Other than English", 300))]  # fmt: skip
    cells = [("users", "language", "english", "English", "known", 1, "Male", 50),
             ("users", "language", "english", "English", "known", 40, "Male", 450)]  # fmt: skip
    result = compared(rows, cells)
    assert only(result.table, category="English")["numerator"] == 500
    check = local(result.checks, check="same ages").iloc[0]
    assert check["severity"] == "note" and "aged 3 and over" in check["finding"]


def test_adults_need_no_cutting_to_a_table_of_people_over_three():
    rows = [stratum("language", "english", name, people)
            for name, people in (("English", 500), ("Other than English", 300))]  # fmt: skip
    cells = [("users", "language", "english", "English", "known", 40, "Male", 500)]
    check = local(compared(rows, cells).checks, check="same ages").iloc[0]
    assert check["severity"] == "passed"


def test_residents_who_cannot_be_cut_are_a_warning():
    check = local(
        compared(by_group(), made=service(about={"ages": [18, 120]})).checks, check="same ages"
    ).iloc[0]
    assert check["severity"] == "warning"
    assert "not cut to the eligible ages" in check["finding"]


def test_ages_that_came_as_bands_are_not_cut_by_their_lower_ends():
    rows = [stratum("sex", "detailed", name, people) for name, people in (("Male", 500), ("Female", 600))]
    rows += [stratum("age", "band", name, 550) for name in ("10-17", "over 17")]
    cells = [("users", "sex", "detailed", "Male", "known", 10, "Male", 80)]
    result = compared(rows, cells, made=service(about={"ages": [18, 120]}))
    assert only(result.table, category="Male")["numerator"] == 500


def newham_by_age_and_sex():
    table = reference.crossed_population("population_mid2022_single_year", NEWHAM)
    return {(int(row["category_code"]), row["category_2"]): row["count"] for row in table.to_dict("records")}


def test_a_ratio_is_standardised_by_the_ages_of_the_residents():
    people = [("Male", 18, 30), ("Male", 40, 200), ("Male", 70, 90), ("Female", 18, 60), ("Female", 40, 150),
              ("Female", 70, 200)]  # fmt: skip
    rows = [
        stratum("sex", "detailed", sex, sum(n for s, _, n in people if s == sex))
        for sex in ("Male", "Female")
    ]
    cells = [("users", "sex", "detailed", sex, "known", age, sex, n) for sex, age, n in people]
    row = only(compared(rows, cells, made=service(about={"ages": [18, 120]})).table, category="Female")

    living = newham_by_age_and_sex()
    expected = 0.0
    for at, low in enumerate(ENDS):
        high = ENDS[at + 1] if at + 1 < len(ENDS) else 999
        in_band = {sex: sum(n for (age, s), n in living.items() if s == sex and low <= age < high and age >= 18)
                   for sex in ("Male", "Female")}  # fmt: skip
        used = sum(n for _, age, n in people if age == low)
        if used:
            expected += used * in_band["Female"] / (in_band["Female"] + in_band["Male"])
    assert row["standardised_ratio"] == pytest.approx(410 / expected)
    assert row["standardised_ratio"] != pytest.approx(row["ratio"], rel=0.001)


def test_when_use_depends_on_age_alone_the_standardised_ratio_is_one():
    """Users drawn at rates by age from the fitted residents: crude ratios differ, standardised ones do not."""
    from equitydata.representation.populations import places, population

    place = places(service())[0]
    living = population("ethnicity", "groups", place, categories=dict.fromkeys(GROUPS, True)).by_age_sex
    at_age = {age: (0.001 if age < 40 else 0.01) for age in living["age_from"]}
    cells = [(row["category"], row["age_from"], "Male", row["residents"] * at_age[row["age_from"]])
             for row in living.to_dict("records")]  # fmt: skip
    people = {name: sum(n for group, _, _, n in cells if group == name) for name in GROUPS}
    here = local(compared(by_group(people), ethnicity_cells(cells)).table, status="known")
    assert here["standardised_ratio"].to_numpy() == pytest.approx(1)
    assert here["ratio"].max() > 1.1
    assert here["note"].str.contains("fitted").all()


def test_a_ratio_that_age_explains_says_so():
    from equitydata.representation.populations import places, population

    living = population(
        "ethnicity", "groups", places(service())[0], categories=dict.fromkeys(GROUPS, True)
    ).by_age_sex
    rate = {age: 0.0005 if age < 50 else 0.1 for age in living["age_from"]}
    cells = [(row["category"], row["age_from"], "Male", round(row["residents"] * rate[row["age_from"]]))
             for row in living.to_dict("records")]  # fmt: skip
    people = {name: sum(n for group, _, _, n in cells if group == name) for name in GROUPS}
    row = only(compared(by_group(people), ethnicity_cells(cells)).table, category="Mixed")
    assert row["flag"] == "disproportionate_low"
    assert "see the standardised ratio" in row["note"]


# ---- unknowns


def test_a_finding_that_the_unknown_could_undo_is_not_firm():
    firm = only(compared(by_group()).table, category="Black")
    assert firm["robustness"] == "firm"
    many = only(compared(by_group(unknown=1500)).table, category="Black")
    assert many["flag"] == "disproportionate_high"
    assert many["robustness"] in ("fragile", "turns at a bound")
    none = only(compared(by_group()).table, category="Asian")
    assert none["robustness"] == ""


def test_the_bounds_are_those_of_all_and_none_of_the_unknown():
    table = compared(by_group(unknown=400)).table
    row = representation_unknowns(table, RULES).set_index("category").loc["White"]
    total, pi = sum(GROUPS.values()) + 400, CENSUS["White"] / sum(CENSUS.values())
    assert row["ratio_none"] == pytest.approx(300 / total / pi)
    assert row["ratio_all"] == pytest.approx(700 / total / pi)
    assert row["of"] == "representation"


def test_no_comparison_has_no_bounds():
    assert representation_unknowns(representation_table(strata_of(by_group()), eq.make_service({}), {}, RULES).table,
                                   RULES).empty  # fmt: skip


# ---- checks


def test_every_comparison_of_users_has_every_check():
    checks = compared(by_group()).checks
    assert local(checks)["check"].tolist() == [
        "users within residents", "large enough", "group stated", "same ages", "categories on both sides",
        "date of residents", "same code list", "same area", "counts of people",
    ]  # fmt: skip
    assert set(checks["severity"]) <= {"passed", "note", "warning", "strong warning"}


def test_what_is_of_the_residents_alone_is_checked_once():
    measures = {"missed": {"label": "Did not attend", "kind": "access", "polarity": "adverse",
                           "numerator": {"column": "outcome", "in": ["DNA"]}}}  # fmt: skip
    rows = by_group() + [stratum("ethnicity", "groups", name, 50, measure="missed") for name in GROUPS]
    checks = local(compared(rows, made=service(measures=measures)).checks)
    assert checks.groupby("of")["check"].nunique().to_dict() == {"users": 9, "missed": 4}


@pytest.mark.parametrize(
    ("unknown", "severity"), [(0, "passed"), (60, "passed"), (90, "warning"), (200, "strong warning")]
)
def test_people_whose_group_is_not_stated_are_a_warning_over_a_twentieth(unknown, severity):
    check = local(compared(by_group(unknown=unknown)).checks, check="group stated").iloc[0]
    assert check["severity"] == severity


def test_more_users_than_residents_is_a_warning_with_the_group():
    check = local(compared(by_group({**GROUPS, "Mixed": 20000})).checks, check="users within residents").iloc[
        0
    ]
    assert check["severity"] == "warning" and "Mixed" in check["finding"]


@pytest.mark.parametrize(
    ("end", "severity"), [("2021-06-30", "passed"), ("2026-03-31", "note"), ("2029-03-31", "warning")]
)
def test_a_census_far_from_the_data_is_told(end, severity):
    made = service(about={"period": {"to": end}})
    assert (
        local(compared(by_group(), made=made).checks, check="date of residents").iloc[0]["severity"]
        == severity
    )


def test_fewer_than_a_hundred_people_are_a_warning():
    people = {"Asian": 20, "Black": 10, "Mixed": 2, "White": 30, "Other": 5}
    assert local(compared(by_group(people)).checks, check="large enough").iloc[0]["severity"] == "warning"


def test_two_code_lists_in_one_field_are_a_warning():
    lists = {"ethnicity": ["nhs-ethnic-category-2001", "census-2021-ethnic-group"]}
    assert (
        local(compared(detailed({}), lists=lists).checks, check="same code list").iloc[0]["severity"]
        == "warning"
    )


def test_users_who_live_elsewhere_are_told_where_residence_is_mapped():
    rows = by_group() + [stratum("geography", "authority", name, people)
                         for name, people in (("Newham", 850), ("Hackney", 150))]  # fmt: skip
    check = local(compared(rows).checks, check="same area", characteristic="ethnicity").iloc[0]
    assert check["severity"] == "warning" and "15%" in check["finding"]


def test_authorities_are_compared_where_several_are_served():
    rows = [stratum("geography", "authority", name, people)
            for name, people in (("Newham", 600), ("Hackney", 300), ("Camden", 50))]  # fmt: skip
    made = service(about={"area": ["Newham", "Hackney"], "ages": [18, 120]})
    result = compared(rows, made=made)
    newham = only(result.table, category="Newham")
    assert newham["residents"] == sum(n for (age, _), n in newham_by_age_and_sex().items() if age >= 18)
    assert newham["denominator"] == 900  # people from elsewhere are left out
    assert local(result.checks, check="same area").iloc[0]["severity"] == "note"
    assert compared(rows).table.empty  # of one authority there is nothing to compare


def test_no_strata_are_no_rows():
    whole = [{**stratum("all", "all", "Everyone", 100)}]
    result = compared(whole)
    assert result.table.empty and result.checks.empty


def test_characteristics_without_residents_have_a_row_in_the_checks_alone():
    rows = [*by_group(), stratum("migrant_status", "detailed", "Refugee", 40)]
    result = compared(rows)
    assert "migrant_status" not in set(result.table["characteristic"])
    assert local(result.checks, characteristic="migrant_status")["check"].tolist() == ["residents held"]


def test_without_an_area_nothing_is_compared_and_that_is_said():
    result = representation_table(strata_of(by_group()), eq.make_service({}), {}, RULES)
    assert result.table.empty and list(result.table.columns) == list(REPRESENTATION_TABLE.columns)
    assert result.checks["severity"].tolist() == ["warning"]


def test_everybody_unknown_is_no_comparison_and_no_error():
    result = compared(by_group(dict.fromkeys(GROUPS, 0), unknown=300))
    known = local(result.table, status="known")
    assert known["ratio"].isna().all()
    assert set(known["flag"]) == {"insufficient_data"}
    assert local(result.checks, check="group stated").iloc[0]["severity"] == "strong warning"


def test_the_columns_are_those_of_the_specifications():
    result = compared(by_group())
    assert list(result.table.columns) == list(REPRESENTATION_TABLE.columns)
    assert list(result.checks.columns) == list(POPULATION_CHECKS_TABLE.columns)


# ---- residents for other tables


def test_residents_by_stratum_with_everyone_first():
    made = service(about={"ages": [18, 120]})
    rows = by_group() + [stratum("sex", "detailed", name, 500) for name in ("Male", "Female")]
    found = residents_table(strata_of(rows), made, {})
    adults = sum(n for (age, _), n in newham_by_age_and_sex().items() if age >= 18)
    first = found.iloc[0]
    assert (first["characteristic"], first["category"], first["residents"]) == ("all", "Everyone", adults)
    assert found[found["characteristic"].eq("sex")]["residents"].sum() == adults
    groups = found[found["characteristic"].eq("ethnicity")].set_index("category")["residents"]
    assert groups.to_dict() == CENSUS


def test_small_areas_are_no_residents():
    rows = [stratum("deprivation", "decile", str(number), 100) for number in range(1, 11)]
    found = residents_table(strata_of(rows), service(), {}).query("characteristic == 'deprivation'")
    assert found["residents"].isna().all()
    assert found["residents_share"].sum() == pytest.approx(1)
