"""Groups of few people are put together before the analysis: with whom, under which name, and what follows from it."""

import random
from dataclasses import replace
from datetime import date, timedelta
from functools import cache
from itertools import pairwise

import pandas as pd
import pytest

import equitydata as eq
from equitydata import codelists, reference
from equitydata.completeness import category_notes, category_table, merged_categories
from equitydata.records.outcomes import PAIR_SUMS, SUMS, USERS, OutcomeCounts
from equitydata.release.offers import merging_offers
from equitydata.release.smallness import first_hidden
from equitydata.representation.populations import places, population
from equitydata.representation.table import residents_table
from equitydata.rulebook import disclosure_rule, load_rulebook
from equitydata.sparse import (
    LONGEST_NAME,
    Grouping,
    SparseRule,
    listed_groupings,
    merge_sparse,
    parents_shown,
    parts_told,
    shown_as,
    sparse_rule,
)
from equitydata.strata import stratify

RULE = SparseRule(few=7, joined=0.1, neighbour=0.5)
MERGE = {"sparse_categories": "merge"}
FIRST = date(2025, 4, 1)


def merged(name, rule=RULE, level="category", **people):
    """What is put together among the people of a listed characteristic, by name."""
    people = {key.replace("_", " "): number for key, number in people.items()}
    found = merge_sparse(list(listed_groupings(name, people).values()), pd.Series(people, dtype=float), rule)
    return {each.name: each.parts for each in found[level]}


def merged_bands(order, numbers, rule=RULE, **settings):
    grouping = Grouping("band", dict(zip(order, order, strict=True)), tuple(order), ordered=True, **settings)
    found = merge_sparse([grouping], pd.Series(dict(zip(order, numbers, strict=True)), dtype=float), rule)
    return {each.name: each.parts for each in found["band"]}


# ---------------------------------------------------------------- who goes with whom


def test_sparse_groups_of_one_parent_go_together():
    found = merged(
        "ethnicity", White_British=500, White_Irish=5, Roma=6, Chinese=7, Indian=300, Black_African=90
    )
    assert found == {"White Irish or Roma": ("White Irish", "Roma")}, (
        "Chinese has no small sibling, Indian is large"
    )


def test_more_than_two_are_named_by_their_parent():
    found = merged("ethnicity", White_British=500, White_Irish=5, Roma=6, White_other=2, Indian=300)
    assert found == {"Three White groups together": ("White Irish", "Roma", "White other")}


def test_where_they_are_still_few_the_next_smallest_sibling_joins():
    found = merged("ethnicity", White_British=500, White_Irish=2, Roma=3, White_other=40, Indian=300)
    assert found == {"Three White groups together": ("White Irish", "Roma", "White other")}


def test_no_large_group_is_given_up_for_a_handful_of_people():
    people = {"White_British": 500, "White_Irish": 2, "Indian": 300}
    assert merged("ethnicity", **people) == {}
    assert merged("ethnicity", rule=replace(RULE, joined=1.0), **people) == {
        "White British or White Irish": ("White British", "White Irish")
    }


def test_a_group_of_nobody_stays_as_it_is():
    found = merged("ethnicity", White_British=500, White_Irish=5, Roma=6, White_other=0, Indian=300)
    assert found == {"White Irish or Roma": ("White Irish", "Roma")}


def test_a_group_that_its_parent_does_not_save_goes_where_the_parent_goes():
    people = {"White_British": 500, "Indian": 300, "Mixed_other": 30, "Mixed_White/Asian": 40, "Arab": 3}
    assert merged("ethnicity", level="group", **people) == {"Mixed or Other": ("Mixed", "Other")}
    assert merged("ethnicity", **people) == {"Mixed other or Arab": ("Mixed other", "Arab")}


def test_a_sparse_group_without_a_roll_up_goes_with_the_other_sparse_ones():
    found = merged("religion", Christian=500, Muslim=200, Jain=3, Pagan=2, Zoroastrian=4, Sikh=90)
    assert found == {"Smaller groups together": ("Jain", "Pagan", "Zoroastrian")}


def test_people_known_no_closer_are_not_put_with_those_known_closely():
    people = {"White_British": 500, "White_Irish": 30, "White_(broad)": 3, "Indian": 300, "Chinese": 4}
    assert merged("ethnicity", **people) == {}
    assert merged("ethnicity", **{**people, "Roma": 5}) == {"White Irish or Roma": ("White Irish", "Roma")}


def test_no_level_is_left_with_one_group_alone():
    assert merged("sex", rule=replace(RULE, joined=1.0), Male=90, Female=5) == {}
    assert merged_bands(["0 to 17", "18 and over"], [5, 90]) == {}
    assert merged("ethnicity", rule=replace(RULE, joined=1.0), Indian=5, Pakistani=90) == {}


def test_a_rare_sex_is_not_put_with_half_of_the_people():
    assert merged("sex", Male=400, Female=420, Indeterminate=4) == {}


def test_a_group_that_others_are_held_against_stays_itself():
    people = {"White_British": 500, "White_Irish": 5, "Roma": 6, "White_other": 40}
    kept = merged("ethnicity", rule=replace(RULE, keep=frozenset({"White Irish"})), **people)
    assert kept == {"Roma or White other": ("Roma", "White other")}


@pytest.mark.parametrize(("rule", "few"), [("nhs", 7), ("under-5", 4), ("threshold-10", 9), ("none", None)])
def test_how_few_is_said_by_the_small_number_rule(rule, few):
    found = sparse_rule(load_rulebook({**MERGE, "disclosure": rule}))
    assert (found and found.few) == few


def test_by_default_nothing_is_put_together():
    assert sparse_rule(load_rulebook()) is None


# ---------------------------------------------------------------- ordered levels


BANDS = ["0", "1 to 4", "5 to 17", "18 to 64", "65 to 74", "75 to 84", "85 and over"]


def test_bands_go_with_the_smaller_neighbour_and_make_a_longer_band():
    assert merged_bands(BANDS, [3, 9, 60, 500, 200, 60, 4]) == {
        "0 to 4": ("0", "1 to 4"),
        "75 and over": ("75 to 84", "85 and over"),
    }


def test_a_band_between_of_nobody_goes_with_them():
    assert merged_bands(BANDS, [0, 9, 60, 500, 200, 0, 4]) == {
        "65 and over": ("65 to 74", "75 to 84", "85 and over")
    }


def test_bands_go_on_until_they_are_large_enough():
    assert merged_bands(BANDS, [1, 2, 9, 200, 300, 3, 2]) == {
        "0 to 17": ("0", "1 to 4", "5 to 17"),
        "75 and over": ("75 to 84", "85 and over"),
    }, "the older ones are still few, and their neighbour holds most of the people"
    assert merged_bands(BANDS, [0, 0, 90, 200, 60, 3, 2]) == {
        "65 and over": ("65 to 74", "75 to 84", "85 and over")
    }


def test_bands_of_other_words_are_named_by_their_ends():
    order = ["Children", "Young adults", "Adults", "Older people"]
    assert merged_bands(order, [2, 9, 300, 50]) == {"Children or Young adults": ("Children", "Young adults")}
    assert merged_bands(order, [2, 3, 9, 500]) == {
        "Children to Adults": ("Children", "Young adults", "Adults")
    }


def test_deciles_go_together_within_their_fifth_and_then_beyond_it():
    deciles = {str(number): 50.0 for number in range(1, 11)} | {"7": 3.0, "9": 2.0, "10": 3.0}
    found = merge_sparse(list(listed_groupings("deprivation", deciles).values()), pd.Series(deciles), RULE)
    assert {each.name: each.parts for each in found["category"]} == {
        "Deciles 7 to 10": ("7", "8", "9", "10"),
    }
    assert {each.name: each.parts for each in found["group"]} == {
        "Quintiles 4 and 5": ("Quintile 4", "Quintile 5")
    }
    assert found["core20"] == ()


# ---------------------------------------------------------------- names


@pytest.mark.parametrize(
    ("name", "known", "parts"),
    [
        ("Arab or Any other", ("Arab", "Any other", "Chinese"), ("Arab", "Any other")),
        ("Bisexual with Gay or lesbian", ("Bisexual", "Gay or lesbian"), ("Bisexual", "Gay or lesbian")),
        ("Gay or lesbian", ("Gay or lesbian", "Bisexual"), ()),
        ("75 and over", BANDS, ("75 to 84", "85 and over")),
        ("0 to 4", BANDS, ("0", "1 to 4")),
        ("Deciles 9 and 10", ("8", "9", "10"), ("9", "10")),
        ("Three White groups together", ("White Irish", "Roma"), ()),
    ],
)
def test_a_name_tells_its_parts(name, known, parts):
    assert parts_told(name, known) == parts


def some_people(name, chance):
    """People by the categories of a list, many of them sparse."""
    size = [0, 0, 1, 3, 6, 8, 20, 200]
    categories = list(
        listed_groupings(name, codelists.categories(name)["category"].head(120))["category"].order
    )
    return pd.Series({each: float(chance.choice(size)) for each in categories})


LISTED = (
    "ethnicity",
    "religion",
    "disability",
    "country_of_birth",
    "accommodation",
    "deprivation",
    "language",
)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", LISTED)
def test_laws_of_merging(name, seed):
    people = some_people(name, random.Random(f"{name} {seed}"))
    groupings = listed_groupings(name, people.index)
    found = merge_sparse(list(groupings.values()), people, RULE)
    shown = {
        column: pd.Series(each.fold).map(lambda group, at=column: shown_as(found[at]).get(group, group))
        for column, each in groupings.items()
    }
    for column, each in groupings.items():
        before = people.groupby(pd.Series(each.fold)).sum()
        after = people.groupby(shown[column]).sum()
        assert after.sum() == before.sum(), "everyone is in one group"
        parts = [part for one in found[column] for part in one.parts]
        assert len(parts) == len(set(parts)), "no group is in two"
        names = [one.name for one in found[column]]
        assert len(set(names)) == len(names) and not set(names) & set(each.order)
        assert all(1 < len(one.name) <= LONGEST_NAME and len(one.parts) > 1 for one in found[column])
        assert (after > 0).sum() >= min(2, (before > 0).sum())
        if not each.ordered:
            assert all(before[list(one.parts)].sum() > RULE.few for one in found[column])
            assert all(before[part] > 0 for part in parts)
        else:
            at = {group: place for place, group in enumerate(each.order)}
            spans = [[at[part] for part in one.parts] for one in found[column]]
            assert all(span == list(range(span[0], span[-1] + 1)) for span in spans), "neighbours"
    chain = sorted(groupings, key=lambda column: len(groupings[column].order))
    for coarse, fine in pairwise(chain):
        held = pd.DataFrame({"fine": groupings[fine].fold, "coarse": groupings[coarse].fold})
        if held.groupby("fine")["coarse"].nunique().max() == 1:
            whole = pd.DataFrame({"fine": shown[fine], "coarse": shown[coarse]}).drop_duplicates()
            assert not whole["fine"].duplicated().any(), "what is merged holds no part of a group"
            parents = held.drop_duplicates("fine").set_index("fine")["coarse"].to_dict()
            told = parents_shown(whole["fine"], whole["coarse"], parents)
            truth = whole.set_index("fine")["coarse"].to_dict()
            assert told.items() <= truth.items(), "names tell no wrong parent"
            assert len(told) >= 0.9 * len(truth)


def test_names_tell_the_parents_of_the_five_groups():
    parents = dict(zip(*codelists.categories("ethnicity")[["category", "group"]].to_numpy().T, strict=True))
    fine = ["Indian", "Three White groups together", "Mixed other or Arab", "White British", "Unknown tongue"]
    assert parents_shown(fine, ["Asian", "White", "Mixed or Other", "Black"], parents) == {
        "Indian": "Asian",
        "Three White groups together": "White",
        "Mixed other or Arab": "Mixed or Other",
        "White British": "White",
    }
    assert parents_shown(["Arab", "Indian"], ["Asian", "Smaller groups together"], parents) == {
        "Arab": "Smaller groups together",
        "Indian": "Asian",
    }


# ---------------------------------------------------------------- the table of categories


def categories(rules=MERGE, lists=("nhs-ethnic-category-2001",), name="ethnicity", **people):
    frame = pd.DataFrame({"characteristic": name, "category": list(people), "people": list(people.values())})
    return category_table(frame, {name: list(lists)}, {name: name.capitalize()}, load_rulebook(rules))


def test_the_table_of_categories_adds_the_parts_up_where_the_first_stood():
    people = {"White British": 500, "White Irish": 5, "White other": 6, "Indian": 300}
    hide, merge = categories({}, **people), categories(**people)
    at = merge[merge["level"] == "detailed"].set_index("category")
    assert at.loc["White Irish or White other", "numerator"] == 11
    assert at.loc["White Irish or White other", "order"] == at.loc["White British", "order"] + 1
    assert not {"White Irish", "White other"} & set(at.index)
    assert at["collected"]["White Irish or White other"] and not at["collected"]["Roma"]
    assert merge.groupby("level")["numerator"].sum().equals(hide.groupby("level")["numerator"].sum())
    assert list(at["order"]) == list(range(1, len(at) + 1))


def test_ages_go_together_within_their_band():
    ages = {str(age): number for age, number in [(70, 40), (71, 3), (72, 2), (74, 30), (75, 4), (80, 5)]}
    found = categories(name="age", lists=(), **ages)
    at = found[found["level"] == "detailed"].set_index("category")["numerator"]
    assert at.to_dict() == {"70": 40, "71 to 74": 35, "75 to 80": 9}


def test_notes_name_the_parts_that_a_name_does_not_tell():
    people = {
        "White British": 500,
        "White Irish": 5,
        "White other": 6,
        "Roma": 1,
        "Chinese": 4,
        "Pakistani": 9,
    }
    frame = pd.DataFrame(
        {"characteristic": "ethnicity", "category": list(people), "people": list(people.values())}
    )
    notes = category_notes(frame, {}, {"ethnicity": "Ethnic group"}, load_rulebook(MERGE))
    assert notes == (
        "Groups of few people are shown together with others of their broader group "
        '([rules] sparse_categories = "merge").',
        "Ethnic group, detailed groups: Three White groups together are White Irish, Roma and White other.",
    )
    assert category_notes(frame, {}, {"ethnicity": "Ethnic group"}, load_rulebook()) == ()


def test_a_group_of_reference_is_kept_in_the_table_of_categories():
    frame = pd.DataFrame({"category": ["White British", "White Irish", "Roma"], "people": [90, 5, 6]})
    frame = frame.assign(characteristic="ethnicity")
    assert merged_categories(frame, {}, load_rulebook(MERGE))
    assert merged_categories(frame, {}, load_rulebook(MERGE), keep={"ethnicity": "Roma"}) == {}


# ---------------------------------------------------------------- strata


def strata(people, *, keep=None, rules=MERGE, **lists):
    """Strata of users alone: (characteristic, category) -> people."""
    rows = [
        {
            "measure": USERS,
            "characteristic": name,
            "status": "known",
            "category": category,
            "people": float(number),
        }
        for (name, category), number in people.items()
    ]
    cells = pd.DataFrame(rows).assign(characteristic_2="", category_2="", age_from=-1, sex="")
    cells = cells.assign(**dict.fromkeys(SUMS, cells["people"]))
    empty = cells.iloc[:0]
    counts = OutcomeCounts(
        cells=cells,
        values=empty.assign(value=0.0),
        periods=empty.assign(period="", order=0),
        pairs=empty.assign(**dict.fromkeys(PAIR_SUMS, 0.0)),
        places=empty,
    )
    labels = {name: name.capitalize() for name in dict.fromkeys(cells["characteristic"])}
    return stratify(counts, labels=labels, code_lists=lists, rulebook=load_rulebook(rules), keep=keep)


def at_level(found, characteristic, level):
    here = found.strata[(found.strata["characteristic"] == characteristic) & (found.strata["level"] == level)]
    return here[here["people"] > 0].set_index("category")["people"].to_dict()


def ethnic(**people):
    return {("ethnicity", name.replace("_", " ")): number for name, number in people.items()}


def test_strata_take_the_merged_group_where_its_first_part_stood():
    people = ethnic(White_British=500, White_Irish=5, White_other=6, Indian=300)
    found = strata(people, ethnicity=["nhs-ethnic-category-2001"])
    detailed = found.strata[found.strata["level"] == "detailed"].set_index("category")
    order = list(detailed.sort_values("order").index)
    assert order.index("White Irish or White other") == order.index("White British") + 1
    assert detailed.loc["White Irish or White other", ["status", "people"]].tolist() == ["known", 11.0]
    assert detailed.loc["Roma", "status"] == "not collected" and detailed.loc["Chinese", "people"] == 0
    parts = ("White Irish", "White other")
    assert found.parts_of("ethnicity", "detailed", "White Irish or White other") == parts
    assert found.parts_of("ethnicity", "detailed", "Indian") == ("Indian",)
    assert found.parts_of("ethnicity x sex", "detailed x detailed", "White Irish or White other × Male") == (
        "White Irish × Male",
        "White other × Male",
    )


def test_a_reference_group_is_kept():
    people = ethnic(White_British=500, White_Irish=5, White_other=6, Indian=300)
    assert at_level(strata(people), "ethnicity", "detailed").keys() == {
        "White British", "White Irish or White other", "Indian",
    }  # fmt: skip
    kept = at_level(strata(people, keep={"ethnicity": "White other"}), "ethnicity", "detailed")
    assert kept == {"White British": 500, "White Irish": 5, "White other": 6, "Indian": 300}


def test_strata_and_the_table_of_categories_agree_by_every_roll_up():
    for name in (
        "accommodation",
        "disability",
        "country_of_birth",
        "language",
        "employment",
        "migrant_status",
    ):
        people = some_people(name, random.Random(name))
        people = people[people > 0]
        found = strata({(name, category): number for category, number in people.items()})
        frame = people.rename_axis("category").rename("people").reset_index().assign(characteristic=name)
        table = category_table(frame, {}, {name: name}, load_rulebook(MERGE))
        for level, other in {"detailed": "detailed", "groups": "group"}.items():
            ours = at_level(found, name, level)
            here = table[(table["level"] == other) & (table["numerator"] > 0)]
            if ours and not (name == "language" and level == "detailed"):
                assert ours == here.set_index("category")["numerator"].to_dict(), (name, level)


def test_small_areas_go_together_within_the_area_around_them():
    areas = reference.read_table("lsoa21_msoa21_ward24_ltla24_icb24").drop_duplicates("lsoa21_code")
    inside = areas[areas["msoa21_name"].isin(["Newham 032", "Newham 033"])]
    names = inside.groupby("msoa21_name", sort=True)["lsoa21_code"].apply(list)
    numbers = [dict.fromkeys(names.iloc[0], 3), dict.fromkeys(names.iloc[1], 40)]
    people = {("geography", code): number for each in numbers for code, number in each.items()}
    found = at_level(strata(people), "geography", "lsoa")
    word = {4: "Four", 5: "Five", 6: "Six", 7: "Seven"}[len(names.iloc[0])]
    assert found.pop(f"{word} areas together (Newham 032)") == 3 * len(names.iloc[0])
    assert found == numbers[1]


def test_the_extracts_own_words_of_few_people_stay_behind_their_words():
    posts = {("grade", "Band 5"): 80, ("grade", "Band 6"): 60, ("grade", "Band 7"): 9, ("grade", "Chair"): 1}
    found = strata(posts, rules={**MERGE, "sparse_joined_share": 0.1})
    assert found.notes[1:] == () and "Chair" not in " ".join(found.notes)
    assert at_level(found, "grade", "detailed") == {
        "Band 5": 80,
        "Band 6": 60,
        "Band 7 or Others (few people each)": 10,
    }


# ---------------------------------------------------------------- residents


def test_who_lives_there_does_not_turn_on_how_few_of_them_are_seen():
    people = ethnic(
        White_British=500, White_Irish=5, White_other=6, Indian=300, Bangladeshi=200, Black_African=90
    )
    service = eq.make_service({"service": {"name": "x", "area": ["E09000025"]}})
    lists = {"ethnicity": ["nhs-ethnic-category-2001"]}
    found = strata(people, **lists)
    together, apart = (
        residents_table(found, service, lists, apart=each).set_index(["level", "category"])["residents"]
        for each in (False, True)
    )
    alone = residents_table(strata(people, rules={}, **lists), service, lists)
    assert apart.to_dict() == alone.set_index(["level", "category"])["residents"].to_dict()
    both = together["detailed", "White Irish or White other"]
    assert both == apart["detailed", "White Irish"] + apart["detailed", "White other"] > 0


def newham():
    return places(eq.make_service({"service": {"name": "x", "area": ["E09000025"]}}))[0]


def test_residents_of_a_merged_group_are_the_sum_of_its_parts():
    others = ["Indian", "Bangladeshi", "White British", "White other", "Black African"]
    names = dict.fromkeys([*others, "Chinese", "Asian other"], True)
    apart = population("ethnicity", "detailed", newham(), categories=names)
    both = {"Chinese or Asian other": ("Chinese", "Asian other")}
    shown = dict.fromkeys([*others, *both], True)
    found = population("ethnicity", "detailed", newham(), categories=shown, merged=both)
    assert (
        found.residents["Chinese or Asian other"]
        == apart.residents["Chinese"] + apart.residents["Asian other"]
    )
    assert found.total == apart.total and found.apart == {}
    assert not {"Chinese", "Asian other"} & {*found.residents, *found.left_out}


def test_residents_by_age_of_a_longer_band_are_those_of_its_bands():
    bands = ["18 to 64", "65 to 74", "75 to 84", "85 and over"]
    apart = population("age", "band", newham(), categories=dict.fromkeys(bands, True), ages=(18, 120))
    longer = {"75 and over": ("75 to 84", "85 and over")}
    shown = dict.fromkeys(["18 to 64", "65 to 74", "75 and over"], True)
    found = population("age", "band", newham(), categories=shown, merged=longer, ages=(18, 120))
    assert found.residents["75 and over"] == sum(apart.residents[band] for band in longer["75 and over"])
    assert found.total == apart.total
    assert set(found.by_age_sex["category"]) == set(shown)


RELIGIONS = [
    "No religion",
    "Christian",
    "Buddhist",
    "Hindu",
    "Jewish",
    "Muslim",
    "Sikh",
    "Other religion",
    "Jain",
    "Pagan",
]


@pytest.mark.parametrize(
    ("parts", "residents", "within", "apart"),
    [
        (("Buddhist", "Jewish"), ["Buddhist", "Jewish"], None, set()),
        (("Buddhist", "Other religion", "Jain"), ["Buddhist", "Other religion"], None, set()),
        (("Jain", "Pagan"), None, "Other religion", set()),
        (("Buddhist", "Jain"), None, None, {"both", "Other religion", "Pagan"}),
    ],
)
def test_a_merged_group_is_held_against_residents_only_where_all_of_it_is_counted(
    parts, residents, within, apart
):
    alone = population("religion", "detailed", newham(), categories=dict.fromkeys(RELIGIONS, True))
    shown = dict.fromkeys([*(name for name in RELIGIONS if name not in parts), "both"], True)
    found = population("religion", "detailed", newham(), categories=shown, merged={"both": parts})
    assert set(found.apart) == apart
    assert found.combined.get("both") == within
    if residents:
        assert found.residents["both"] == sum(alone.residents[name] for name in residents)
        assert found.total == alone.total
    else:
        assert "both" not in found.residents
    assert found.total == sum(found.residents.values())


def test_a_part_that_residents_are_not_counted_of_keeps_its_group_apart():
    names = ["English (English or Welsh in Wales)", "East Asian languages or French", "Portuguese"]
    merged_one = {names[1]: ("East Asian languages", "French")}
    found = population(
        "language", "groups", newham(), categories=dict.fromkeys(names, True), merged=merged_one
    )
    assert found.apart == {
        names[1]: "residents are not counted for all of this merged group (East Asian languages)"
    }


# ---------------------------------------------------------------- a whole run

ETHNIC = {
    "A": (150, "White British", "White"), "B": (3, "White Irish", "White"), "C": (6, "White other", "White"),
    "D": (2, "Mixed White/Black Caribbean", "Mixed"), "F": (4, "Mixed White/Asian", "Mixed"),
    "G": (5, "Mixed other", "Mixed"), "H": (60, "Indian", "Asian"), "K": (70, "Bangladeshi", "Asian"),
    "R": (3, "Chinese", "Asian"), "L": (14, "Asian other", "Asian"), "N": (40, "Black African", "Black"),
    "M": (20, "Black Caribbean", "Black"), "P": (0, "Black other", "Black"), "S": (9, "Any other", "Other"),
    "Z": (9, "", ""), None: (12, "", ""),
}  # fmt: skip
TOGETHER = {
    "White Irish": "White Irish or White other",
    "White other": "White Irish or White other",
    "Mixed White/Black Caribbean": "Three Mixed groups together",
    "Mixed White/Asian": "Three Mixed groups together",
    "Mixed other": "Three Mixed groups together",
    "Chinese": "Chinese or Asian other",
    "Asian other": "Chinese or Asian other",
}
AGES = {20: 120, 30: 130, 40: 100, 60: 40, 80: 12, 90: 5}


@cache
def extract():
    """Contacts of made-up people, of whom some groups have few."""
    chance = random.Random(19)
    ethnic = [code for code, (number, *_) in ETHNIC.items() for _ in range(number)]
    ages = [age for age, number in AGES.items() for _ in range(number)][: len(ethnic)]
    chance.shuffle(ages)
    rows = []
    for number, (code, age) in enumerate(zip(ethnic, ages, strict=True)):
        sex = chance.choice("12")
        rows += [
            {
                "person": f"P{number:03d}",
                "date": (FIRST + timedelta(days=chance.randrange(365))).isoformat(),
                "ethnic": code,
                "sex": sex,
                "age": age,
                "attendance": chance.choice(["5", "5", "3"]),
            }
            for _ in range(chance.randrange(2, 6))
        ]
    return pd.DataFrame(rows)


@cache
def run(how):
    service = eq.make_service(
        {
            "service": {
                "name": "Clinic",
                "area": ["E09000025"],
                "period": {"from": FIRST, "to": date(2026, 3, 31)},
            },
            "extract": {"person": "person", "date": "date", "day_first": False},
            "characteristics": {
                "ethnicity": {"column": "ethnic", "code_list": "nhs-ethnic-category-2001"},
                "sex": {"column": "sex", "code_list": "person-stated-gender"},
                "age": {"column": "age"},
            },
            "measures": {
                "missed": {
                    "label": "Did not attend",
                    "kind": "access",
                    "polarity": "adverse",
                    "denominator": {"column": "attendance", "in": ["5", "3"]},
                    "numerator": {"column": "attendance", "equals": "3"},
                }
            },
            "analysis": {"crossings": ["ethnicity x sex"]},
            "rules": {"sparse_categories": how},
        }
    )
    return eq.analyse(service, extract(), as_of=date(2026, 4, 1))


def plain_counts(group):
    """People, contacts that count and contacts missed by group, from the rows as they are."""
    rows = extract()
    rows = rows[rows["ethnic"].isin([code for code, (*_, parent) in ETHNIC.items() if parent])]
    rows = rows.assign(group=[group(ETHNIC[code]) for code in rows["ethnic"]])
    by = rows.groupby("group")
    return pd.DataFrame(
        {
            "people": by["person"].nunique(),
            "denominator": by.size(),
            "numerator": by["attendance"].agg(lambda column: (column == "3").sum()),
        }
    )


def outcomes(how, characteristic="ethnicity", level="detailed"):
    found = run(how).tables["outcomes"]
    here = (found["characteristic"] == characteristic) & (found["level"] == level)
    return found[here & (found["status"] == "known")].set_index("category")


def test_outcomes_of_merged_groups_are_the_plain_count():
    expected = plain_counts(lambda entry: TOGETHER.get(entry[1], entry[1]))
    found = outcomes("merge")
    found = found[found["people"] > 0]
    assert set(found.index) == set(expected.index)
    for column in expected:
        assert found[column].to_dict() == expected[column].to_dict(), column
    five = outcomes("merge", level="groups")
    assert five.loc["Other", "people"] == 9 and five["people"].sum() == expected["people"].sum()


@pytest.mark.parametrize("table", ["outcomes", "trends"])
def test_nobody_is_lost_or_counted_twice(table):
    count = ["people", "numerator", "denominator"]
    keys = ["measure", "characteristic", "level", *(["period"] if table == "trends" else [])]
    sums = [run(how).tables[table].groupby(keys)[count].sum() for how in ("hide", "merge")]
    pd.testing.assert_frame_equal(*sums)


def test_fewer_rows_are_hidden_where_groups_are_merged():
    nhs = disclosure_rule("nhs")
    hidden = {
        how: {name: int(rows.sum()) for name, rows in first_hidden(run(how).tables, nhs).items()}
        for how in ("hide", "merge")
    }
    for table in ("categories", "outcomes", "trends", "representation", "comparisons"):
        assert hidden["merge"][table] < hidden["hide"][table], table
    assert hidden["merge"]["categories"] == 0 < hidden["hide"]["categories"]


def test_both_tables_of_groups_show_the_same():
    found = run("merge")
    users = found.tables["representation"]
    users = users[(users["of"] == "users") & (users["area_kind"] == "local") & (users["status"] == "known")]
    table = found.tables["categories"]
    for level, other in {"detailed": "detailed", "groups": "group"}.items():
        ours = users[(users["characteristic"] == "ethnicity") & (users["level"] == level)]
        theirs = table[(table["characteristic"] == "ethnicity") & (table["level"] == other)]
        ours = ours[ours["numerator"] > 0].set_index("category")["numerator"]
        theirs = theirs[theirs["numerator"] > 0].set_index("category")["numerator"]
        assert ours.to_dict() == theirs.to_dict()


def test_residents_of_merged_groups_are_added_up():
    def users(how):
        found = run(how).tables["representation"]
        return found[
            (found["of"] == "users")
            & (found["area_kind"] == "local")
            & (found["characteristic"] == "ethnicity")
            & (found["level"] == "detailed")
        ].set_index("category")

    apart, together = users("hide"), users("merge")
    for name in dict.fromkeys(TOGETHER.values()):
        parts = [part for part, into in TOGETHER.items() if into == name]
        assert together.loc[name, "residents"] == apart.loc[parts, "residents"].sum() > 0
        assert together.loc[name, "numerator"] == apart.loc[parts, "numerator"].sum()
        assert together.loc[name, "residents_share"] == pytest.approx(
            apart.loc[parts, "residents_share"].sum()
        )
    assert together.loc["Indian", "ratio"] == pytest.approx(apart.loc["Indian", "ratio"])


def test_crossings_comparisons_and_bands_take_the_merged_groups():
    cells = outcomes("merge", "ethnicity x sex", "detailed x detailed")
    assert {"Three Mixed groups together × Male", "Three Mixed groups together × Female"} <= set(cells.index)
    whole = cells.loc[
        ["Three Mixed groups together × Male", "Three Mixed groups together × Female"], "people"
    ]
    assert whole.sum() == 11
    bands = outcomes("merge", "age", "band")
    assert bands.index[-1] == "75 and over"
    assert bands.loc["75 and over", "people"] == sum(AGES[age] for age in (80, 90))
    compared = run("merge").tables["comparisons"]
    largest = compared[
        (compared["comparator"] == "largest") & (compared["category"] == "Three Mixed groups together")
    ]
    assert list(largest["comparator_category"]) == ["White British"]


def test_a_merged_group_has_a_profile():
    found = run("merge").profile(ethnicity="three mixed groups together", sex="Female")
    assert found.stratum["ethnicity"] == "Three Mixed groups together"
    assert len(found.table("measures")) == 3 and len(found.table("who"))
    assert "Three Mixed groups together" in found.to_markdown()


def test_the_notes_tell_the_parts_and_the_result_comes_back_from_json():
    found = run("merge")
    assert (
        "Ethnic group, detailed groups: Three Mixed groups together are Mixed White/Asian, "
        "Mixed White/Black Caribbean and Mixed other." in found.notes
    )
    again = eq.EquityResult.from_json(found.to_json())
    assert again.tables["outcomes"]["category"].tolist() == found.tables["outcomes"]["category"].tolist()


# ---------------------------------------------------------------- what is offered


def offers(how="hide", rule="nhs"):
    found, chosen = run(how), disclosure_rule(rule)
    hidden = first_hidden(found.tables, chosen)
    return merging_offers(found.tables, hidden, rule=chosen, choices=found.choices)


def test_merging_is_offered_where_it_would_show_hidden_groups():
    assert offers() == (
        "Ethnic group: 6 of the detailed groups are hidden as small (Chinese, Mixed White/Asian, "
        "Mixed White/Black Caribbean, Mixed other, White Irish, White other). "
        'With [rules] sparse_categories = "merge" they are shown together with others of their broader group.',
        "Age: 1 of the age bands is hidden as small (85 and over). "
        'With [rules] sparse_categories = "merge" it is shown together with others of its broader group.',
    )


def test_nothing_is_offered_where_groups_are_merged_or_nothing_is_hidden():
    assert offers("merge") == () == offers("hide", "none")
