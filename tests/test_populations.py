"""Residents in the categories of the records: every figure against a plain sum of the same table."""

import csv
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import equitydata as eq
from equitydata import codelists, reference
from equitydata.representation.populations import (
    OLDEST,
    NoPopulation,
    OwnTable,
    Place,
    Population,
    age_span,
    everyone_of,
    fit_margins,
    own_tables,
    places,
    population,
    population_rules,
)
from equitydata.rulebook import stratum_levels

NEWHAM, HACKNEY = "E09000025", "E09000012"
DETAILED = list(codelists.categories("ethnicity").query("detail == 'detailed'")["category"])


def place(*areas, kind="local", ages=None):
    service = eq.make_service({"service": {"area": list(areas), **({"ages": ages} if ages else {})}})
    return next(each for each in places(service) if each.kind == kind)


def collected(*lists, names=DETAILED):
    have = codelists.collected_by(lists)
    return {name: name in have for name in names}


def all_collected(*names):
    return dict.fromkeys(names, True)


def cells(topic, *areas):
    """Counts by code of the category, added up row by row."""
    found = Counter()
    for row in reference.read_table(topic).to_dict("records"):
        if row["area_code"] in areas:
            found[str(row["category_code"])] += row["count"]
    return found


def single_years(*areas):
    """Residents by (age, sex) of the mid-2022 estimate."""
    found = Counter()
    for row in reference.read_table("population_mid2022_single_year").to_dict("records"):
        if row["area_code"] in areas:
            found[int(row["category_code"]), row["category_2"]] += row["count"]
    return found


# ---- places


def test_region_and_nation_follow_from_the_area():
    found = places(eq.make_service({"service": {"area": ["Newham"]}}))
    assert [(each.kind, each.name, each.codes) for each in found] == [
        ("local", "Newham", (NEWHAM,)),
        ("region", "London", ("E12000007",)),
        ("nation", "England", ("E92000001",)),
    ]


def test_authorities_of_two_regions_have_both_regions():
    found = places(eq.make_service({"service": {"area": ["Newham", "Leicester"]}}))
    assert found[0].name == "Newham and Leicester"
    assert (found[1].name, found[1].codes) == ("London and East Midlands", ("E12000007", "E12000004"))


def test_wales_has_no_regions_and_two_nations_are_england_and_wales():
    cardiff = places(eq.make_service({"service": {"area": ["Cardiff"]}}))
    assert [(each.kind, each.name) for each in cardiff] == [("local", "Cardiff"), ("nation", "Wales")]
    both = places(eq.make_service({"service": {"area": ["Cardiff", "Newham"]}}))
    assert [(each.kind, each.codes) for each in both][-1] == ("nation", ("K04000001",))


def test_an_area_that_is_a_nation_is_not_compared_with_itself_again():
    assert [each.kind for each in places(eq.make_service({"service": {"area": ["England"]}}))] == ["local"]


def test_without_an_area_there_are_no_places():
    assert places(eq.make_service({})) == ()


# ---- the rules


def test_every_rule_is_of_a_level_that_people_are_stratified_by():
    for characteristic, level in population_rules():
        levels = stratum_levels(characteristic) or {"detailed": {}}
        assert level in levels, (characteristic, level)


def test_the_names_of_groups_are_those_of_the_levels():
    for (characteristic, level), rule in population_rules().items():
        names = stratum_levels(characteristic).get(level, {}).get("names")
        if rule.rollup and names:
            assert {str(key): words for key, words in names.items()} == dict(rule.names), (
                characteristic,
                level,
            )


def test_every_category_of_a_rule_is_a_category_of_the_characteristic():
    for (characteristic, level), rule in population_rules().items():
        listed = codelists.categories(characteristic)
        column = stratum_levels(characteristic).get(level, {}).get("column", "category")
        known = set(listed[column].astype(str).replace(dict(rule.names)))
        assert set(rule.cells) <= known, (characteristic, level)
        assert (
            set(rule.combined) | set(rule.combined.values()) <= set(listed["category"]) or not rule.combined
        )


def test_every_rule_says_why_and_from_where():
    assert all(rule.reason and rule.source for rule in population_rules().values())


# ---- ethnic group


def test_the_census_list_is_compared_group_by_group():
    found = population(
        "ethnicity", "detailed", place("Newham"), categories=collected("census-2021-ethnic-group")
    )
    code = codelists.categories("ethnicity").set_index("category")["census_2021_code"]
    counts = cells("ethnic_group", NEWHAM)
    assert found.residents == {name: counts[str(code[name])] for name in DETAILED}
    assert found.total == sum(found.residents.values())
    assert (found.folded, found.folded_people, found.left_out) == ({}, 0.0, ())


def test_residents_are_folded_to_the_2001_list_and_how_many_is_told():
    found = population(
        "ethnicity", "detailed", place("Newham"), categories=collected("nhs-ethnic-category-2001")
    )
    counts = cells("ethnic_group", NEWHAM)
    assert found.folded == {
        "Roma": "White other", "White Gypsy/Traveller": "White other", "Arab": "Any other",
    }  # fmt: skip
    assert found.residents["White other"] == counts["15"] + counts["16"] + counts["17"]
    assert found.residents["Any other"] == counts["18"] + counts["19"]
    assert found.folded_people == counts["15"] + counts["16"] + counts["18"]
    assert len(found.residents) == 16


def test_the_2011_list_folds_roma_alone():
    found = population(
        "ethnicity", "detailed", place("Newham"), categories=collected("census-2011-ethnic-group")
    )
    assert found.folded == {"Roma": "White other"}
    assert len(found.residents) == 18


def test_several_authorities_are_summed():
    groups = all_collected("Asian", "Black", "Mixed", "White", "Other")
    one, two, both = (
        population("ethnicity", "groups", place(*areas), categories=groups)
        for areas in (["Newham"], ["Hackney"], ["Newham", "Hackney"])
    )
    assert both.residents == {name: one.residents[name] + two.residents[name] for name in groups}


def test_ethnic_groups_are_not_cut_to_ages_and_say_so():
    found = population(
        "ethnicity",
        "detailed",
        place("Newham"),
        categories=collected("census-2021-ethnic-group"),
        ages=(18, 120),
    )
    assert (found.span, found.exact) == ((0, OLDEST), False)


def test_groups_by_age_are_counted_where_they_are_held():
    found = population(
        "ethnicity", "groups", Place("nation", "England and Wales", ("K04000001",)),
        categories=all_collected("Asian", "Black", "Mixed", "White", "Other"),
    )  # fmt: skip
    assert not found.estimated
    rows = [
        row for row in reference.read_table("ethnic_group_by_age").to_dict("records")
        if row["category_code"] == "ts0210008" and row["category_2_code"] == "20-24"
    ]  # fmt: skip
    here = found.by_age_sex.query("category == 'Black' and age_from == 20")
    assert here["residents"].tolist() == [rows[0]["count"]]


def test_elsewhere_groups_by_age_are_fitted_to_the_groups_and_ages_of_the_place():
    found = population(
        "ethnicity",
        "groups",
        place("Newham"),
        categories=all_collected("Asian", "Black", "Mixed", "White", "Other"),
    )
    assert found.estimated
    fitted = found.by_age_sex
    for name, people in found.residents.items():
        assert fitted.loc[fitted["category"].eq(name), "residents"].sum() == pytest.approx(people)
    ages = cells("age", NEWHAM)
    of_twenties = sum(ages[str(age)] for age in range(20, 25))
    # The two tables are perturbed apart, so their totals differ by a few people.
    assert fitted.loc[fitted["age_from"].eq(20), "residents"].sum() == pytest.approx(of_twenties, rel=1e-4)


def test_fitting_keeps_the_odds_ratios_of_the_seed():
    seed = np.array([[10.0, 20.0, 5.0], [4.0, 30.0, 6.0]])
    fitted = fit_margins(seed, rows=np.array([100.0, 50.0]), columns=np.array([30.0, 90.0, 30.0]))
    assert fitted.sum(axis=1) == pytest.approx([100, 50])
    assert fitted.sum(axis=0) == pytest.approx([30, 90, 30])
    for a, b in ((0, 1), (1, 2)):
        of_seed = seed[0, a] * seed[1, b] / (seed[0, b] * seed[1, a])
        assert fitted[0, a] * fitted[1, b] / (fitted[0, b] * fitted[1, a]) == pytest.approx(of_seed)


def test_fitting_leaves_a_zero_and_needs_no_people():
    fitted = fit_margins(
        np.array([[0.0, 2.0], [3.0, 4.0]]), rows=np.array([5.0, 10.0]), columns=np.array([6.0, 9.0])
    )
    assert fitted[0, 0] == 0
    assert fit_margins(np.ones((2, 2)), rows=np.zeros(2), columns=np.zeros(2)).sum() == 0


# ---- age and sex


def test_sex_is_cut_to_the_eligible_ages_by_single_years():
    found = population(
        "sex", "detailed", place("Newham"), categories=all_collected("Male", "Female"), ages=(18, 64)
    )
    years = single_years(NEWHAM)
    expected = {
        sex: sum(count for (age, of), count in years.items() if of == sex and 18 <= age <= 64)
        for sex in ("Male", "Female")
    }
    assert found.residents == expected
    assert (found.span, found.exact, found.date) == ((18, 64), True, "2022-06-30")


def test_age_bands_are_cut_and_the_last_is_open():
    bands = all_collected("16 to 17", "18 to 24", "25 to 84", "85 and over")
    found = population("age", "band", place("Newham"), categories=bands, ages=(18, 120))
    years = single_years(NEWHAM)
    assert found.residents == {
        "18 to 24": sum(count for (age, _), count in years.items() if 18 <= age <= 24),
        "25 to 84": sum(count for (age, _), count in years.items() if 25 <= age <= 84),
        "85 and over": sum(count for (age, _), count in years.items() if age >= 85),
    }


def test_bands_of_the_extracts_own_are_read():
    bands = all_collected("under 10", "10-17", "18-24", "25-34", "over 34")
    found = population("age", "band", place("Newham"), categories=bands)
    years = single_years(NEWHAM)
    assert found.residents["under 10"] == sum(count for (age, _), count in years.items() if age < 10)
    assert found.residents["over 34"] == sum(count for (age, _), count in years.items() if age >= 35)
    assert found.total == sum(years.values())


def test_residents_of_ages_that_nobody_came_from_stay_in_the_total():
    found = population(
        "age", "band", place("Newham"), categories=all_collected("18 to 24", "25 to 34"), ages=(18, 120)
    )
    assert found.total == sum(count for (age, _), count in single_years(NEWHAM).items() if age >= 18)
    assert found.left_out


def test_age_by_sex_is_a_crossing_that_is_held():
    pairs = all_collected(
        "18 to 24 × Female", "25 and over × Female", "18 to 24 × Male", "25 and over × Male"
    )
    found = population("age x sex", "band x detailed", place("Newham"), categories=pairs, ages=(18, 120))
    years = single_years(NEWHAM)
    young_women = sum(years[age, "Female"] for age in range(18, 25))
    assert found.residents["18 to 24 × Female"] == young_women
    turned = {" × ".join(reversed(name.split(" × "))): True for name in pairs}
    other = population("sex x age", "detailed x band", place("Newham"), categories=turned, ages=(18, 120))
    assert other.residents["Female × 18 to 24"] == young_women


def test_an_authority_that_was_joined_since_has_the_census_instead():
    found = population(
        "sex", "detailed", place("Carlisle"), categories=all_collected("Male", "Female"), ages=(18, 120)
    )
    counts = cells("sex", "E07000028")
    assert found.residents == {"Male": counts["male"], "Female": counts["female"]}
    assert (found.date, found.exact) == ("2021-03-21", False)
    whole = population(
        "sex", "detailed", place("Cumberland"), categories=all_collected("Male", "Female"), ages=(18, 120)
    )
    assert (whole.date, whole.exact) == ("2022-06-30", True)


def test_everyone_is_all_residents_of_the_eligible_ages():
    people, words = everyone_of(place("Newham"), (18, 120))
    assert people == sum(count for (age, _), count in single_years(NEWHAM).items() if age >= 18)
    assert "mid-2022" in words


@pytest.mark.parametrize(
    ("label", "span"),
    [
        ("18 to 24", (18, 24)), ("18-24", (18, 24)), ("18–24", (18, 24)), ("Aged 16 to 24 years", (16, 24)),
        ("85 and over", (85, OLDEST)), ("85+", (85, OLDEST)), ("Aged 85 years and over", (85, OLDEST)),
        ("over 34", (35, OLDEST)), ("under 10", (0, 9)), ("Aged 4 years and under", (0, 4)),
        ("Aged under 1 year", (0, 0)), ("7", (7, 7)), ("Aged 7 years", (7, 7)), ("24 to 18", None), ("All ages", None),
        ("", None), ("Age: Aged 10 to 14 years", (10, 14)),
    ],
)  # fmt: skip
def test_ages_are_read_from_words(label, span):
    assert age_span(label) == span


# ---- the other characteristics


def test_language_is_of_people_aged_three_and_over_and_keeps_everyone_in_the_total():
    names = list(dict.fromkeys(codelists.categories("language")["group"]))
    found = population("language", "groups", place("Newham"), categories=all_collected(*names))
    counts = cells("main_language", NEWHAM)
    assert found.residents["Portuguese"] == counts["ts0240015"]
    assert found.total == counts["ts0290001"]
    assert found.span[0] == 3
    assert "South Asian languages" not in found.residents


def test_english_or_not():
    found = population(
        "language", "english", place("Newham"), categories=all_collected("English", "Other than English")
    )
    counts = cells("english_proficiency", NEWHAM)
    assert found.residents == {"English": counts["ts0290002"], "Other than English": counts["ts0290003"]}


def test_residents_who_did_not_answer_are_left_out_and_counted():
    names = all_collected("Christian", "Muslim", "Hindu", "Sikh", "Buddhist", "Jewish", "Jain", "Pagan",
                          "Other religion", "No religion")  # fmt: skip
    found = population("religion", "detailed", place("Newham"), categories=names)
    counts = cells("religion", NEWHAM)
    assert found.unanswered == counts["ts0300010"]
    assert found.total == counts["ts0300001"] - counts["ts0300010"]
    assert found.combined == {"Jain": "Other religion", "Pagan": "Other religion"}


@pytest.mark.parametrize("kind", ["local", "region", "nation"])
def test_disabled_or_not_is_held_everywhere(kind):
    found = population(
        "disability",
        "groups",
        place("Newham", kind=kind),
        categories=all_collected("Disabled", "Not disabled"),
    )
    assert isinstance(found, Population)
    assert found.left_out == ()
    counts = cells("disability", *found.place.codes)
    assert found.total == counts["ts0380001"]


def test_employment_adds_up_to_everyone_over_sixteen():
    listed = codelists.categories("employment")["category"]
    found = population("employment", "detailed", place("Newham"), categories=all_collected(*listed))
    assert found.total == cells("economic_activity", NEWHAM)["ts0660001"]


def test_a_table_of_london_alone_has_england_and_wales_for_the_nation_and_nothing_elsewhere():
    names = all_collected("Single", "Married or civil partner", "Separated",
                          "Divorced or civil partnership dissolved", "Widowed or surviving civil partner")  # fmt: skip
    nation = population("marital_status", "detailed", place("Newham", kind="nation"), categories=names)
    assert nation.place.name == "England and Wales"
    none = population("marital_status", "detailed", place("Leicester"), categories=names)
    assert isinstance(none, NoPopulation)
    assert "33 London boroughs" in none.reason


def test_households_are_not_people():
    found = population("accommodation", "detailed", place("Newham"), categories=all_collected("Tenant"))
    assert isinstance(found, NoPopulation)
    assert "household" in found.reason


def test_a_gender_identity_list_without_same_as_at_birth_cannot_be_compared():
    nhs = all_collected("Male (including trans man)", "Female (including trans woman)", "Non-binary",
                        "Other gender identity")  # fmt: skip
    assert isinstance(
        population("gender_identity", "detailed", place("Newham"), categories=nhs), NoPopulation
    )
    census = all_collected("Same as sex registered at birth", "Different from sex registered at birth")
    found = population("gender_identity", "detailed", place("Newham"), categories=census)
    assert found.approximate


def test_small_areas_stand_in_for_people_by_decile_and_are_no_people():
    lookup = reference.lsoa_lookup()
    here = lookup[lookup["ltla22_code"].eq(NEWHAM)]
    deciles = [str(number) for number in range(1, 11)]
    new = population("deprivation", "decile", place("Newham"), categories=all_collected(*deciles))
    assert new.shares_only
    assert new.residents["2"] == here["imd2025_decile"].eq(2).sum()
    old = population(
        "deprivation", "decile", place("Newham"), categories=all_collected(*deciles), code_lists=["imd-2019"]
    )
    assert old.residents["2"] == (here["imd2019_decile"].eq(2)).sum()
    core = population(
        "deprivation", "core20", place("Newham"),
        categories=all_collected("Core20 (deciles 1 and 2)", "Deciles 3 to 10"),
    )  # fmt: skip
    assert core.residents["Core20 (deciles 1 and 2)"] == here["imd2025_decile"].le(2).sum()


def test_deciles_of_england_and_wales_are_never_put_together():
    deciles = all_collected(*(str(number) for number in range(1, 11)))
    both = population("deprivation", "decile", place("Newham", "Cardiff"), categories=deciles)
    assert isinstance(both, NoPopulation) and "not comparable" in both.reason
    cardiff = population("deprivation", "decile", place("Cardiff"), categories=deciles)
    lookup = reference.lsoa_lookup()
    assert (
        cardiff.residents["1"]
        == (lookup["ltla22_code"].eq("W06000015") & lookup["wimd2019_decile"].eq(1)).sum()
    )


def test_what_no_table_counts_is_said():
    found = population("migrant_status", "detailed", place("Newham"), categories=all_collected("Refugee"))
    assert isinstance(found, NoPopulation)
    crossed = population(
        "ethnicity x sex", "groups x detailed", place("Newham"), categories=all_collected("Asian × Male")
    )
    assert isinstance(crossed, NoPopulation)
    unlike = population(
        "ethnicity x deprivation",
        "groups x core20",
        place("Newham"),
        categories=all_collected("Asian × Core20"),
    )
    assert isinstance(unlike, NoPopulation)


# ---- the analyst's own tables


def own(frame, *, characteristic="ethnicity", level="groups", from_age=0):
    return OwnTable(
        name="own", characteristic=characteristic, level=level, title="Ethnic group by age by sex",
        reference_date="2021-03-21", from_age=from_age, source="Census 2021", frame=pd.DataFrame(frame),
    )  # fmt: skip


def by_age_and_sex(area=NEWHAM):
    rows = []
    for group, people in (("Asian", 10), ("White", 30)):
        for low, high in ((0, 17), (18, 64), (65, OLDEST)):
            for sex, more in (("Female", 1), ("Male", 2)):
                rows.append({"area_code": area, "category": group, "age_from": low, "age_to": high, "sex": sex,
                             "count": float(people * more + low)})  # fmt: skip
    return rows


def test_an_own_table_goes_first_and_is_cut_to_the_eligible_ages():
    rows = by_age_and_sex()
    found = population(
        "ethnicity",
        "groups",
        place("Newham"),
        categories=all_collected("Asian", "White"),
        ages=(18, 120),
        own=[own(rows)],
    )
    assert found.own
    assert found.exact
    for group in ("Asian", "White"):
        expected = sum(row["count"] for row in rows if row["category"] == group and row["age_from"] >= 18)
        assert found.residents[group] == expected
    assert set(found.by_age_sex["sex"]) == {"Female", "Male"}


def test_an_own_table_by_sex_serves_the_crossing():
    rows = by_age_and_sex()
    pairs = all_collected("Asian × Female", "Asian × Male", "White × Female", "White × Male")
    found = population(
        "ethnicity x sex", "groups x detailed", place("Newham"), categories=pairs, own=[own(rows)]
    )
    expected = sum(row["count"] for row in rows if row["category"] == "White" and row["sex"] == "Male")
    assert found.residents["White × Male"] == expected


def test_own_tables_of_age_and_sex_are_used():
    rows = [{**row, "category": ""} for row in by_age_and_sex() if row["category"] == "Asian"]
    sexes = population("sex", "detailed", place("Newham"), categories=all_collected("Female", "Male"), ages=(18, 120),
                       own=[own(rows, characteristic="sex", level="detailed")])  # fmt: skip
    assert sexes.residents == {
        sex: sum(row["count"] for row in rows if row["sex"] == sex and row["age_from"] >= 18)
        for sex in ("Female", "Male")
    }
    bands = population("age", "band", place("Newham"), categories=all_collected("18 to 64", "65 and over"),
                       own=[own(rows, characteristic="age", level="band")])  # fmt: skip
    assert bands.residents["65 and over"] == sum(row["count"] for row in rows if row["age_from"] == 65)


def test_a_detailed_own_table_is_folded_to_the_list_in_use():
    rows = [
        {"area_code": NEWHAM, "category": name, "age_from": -1, "age_to": -1, "sex": "", "count": 10.0}
        for name in DETAILED
    ]
    found = population("ethnicity", "detailed", place("Newham"), categories=collected("nhs-ethnic-category-2001"),
                       own=[own(rows, level="detailed")])  # fmt: skip
    assert found.residents["White other"] == 30
    assert found.folded_people == 30


def test_a_detailed_own_table_is_rolled_up():
    rows = [
        {
            "area_code": NEWHAM,
            "category": name,
            "age_from": -1,
            "age_to": -1,
            "sex": "",
            "count": float(number),
        }
        for number, name in enumerate(DETAILED, start=1)
    ]
    found = population(
        "ethnicity", "groups", place("Newham"),
        categories=all_collected("Asian", "Black", "Mixed", "White", "Other"), own=[own(rows, level="detailed")],
    )  # fmt: skip
    parent = codelists.categories("ethnicity").set_index("category")["group"]
    assert found.residents["Black"] == sum(row["count"] for row in rows if parent[row["category"]] == "Black")


def test_an_own_table_of_another_area_is_not_used():
    rows = by_age_and_sex(area=HACKNEY)
    found = population(
        "ethnicity", "groups", place("Newham"), categories=all_collected("Asian", "White"), own=[own(rows)]
    )
    assert not found.own


def test_a_band_that_lies_across_the_eligible_age_stays_whole_and_is_told():
    rows = [
        {"area_code": NEWHAM, "category": group, "age_from": low, "age_to": high, "sex": "", "count": 5.0}
        for group in ("Asian", "White") for low, high in ((0, 15), (16, 24), (25, OLDEST))
    ]  # fmt: skip
    found = population(
        "ethnicity",
        "groups",
        place("Newham"),
        categories=all_collected("Asian", "White"),
        ages=(18, 120),
        own=[own(rows)],
    )
    assert (found.span, found.exact) == ((16, OLDEST), False)
    assert found.total == 20


def test_there_are_no_own_tables_without_a_folder(tmp_path: Path):
    assert own_tables(tmp_path / "reference") == ()


def test_a_changed_own_table_is_refused_by_line(tmp_path: Path):
    with (tmp_path / "own_tables.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["name", "characteristic", "level", "title", "reference_date", "population_base",
                         "from_age", "source", "licence", "notes", "file"])  # fmt: skip
        writer.writerow(
            ["mine", "ethnicity", "groups", "Mine", "2021", "", "0", "Census", "", "", "mine.csv"]
        )
    (tmp_path / "mine.csv").write_text(
        "area_code,category,age_from,age_to,sex,count\nE09000025,Asian,-1,-1,,many\n"
    )
    with pytest.raises(eq.InputError, match=r"mine\.csv, line 2"):
        own_tables(tmp_path)
