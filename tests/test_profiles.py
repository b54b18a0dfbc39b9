"""Profiles: one population across every table, what cannot be said of it, and the profile of the whole service."""

# ruff: noqa: E501 (a table drawn as text is as wide as its columns)

import dataclasses
import json
import math
import re
from functools import cache
from html.parser import HTMLParser

import pandas as pd
import pytest

import equitydata as eq
from equitydata.errors import ConfigError
from equitydata.profiles import SHOWN, Profile, cell_words, make_community_profile, make_profile
from equitydata.service import make_service
from equitydata.tables import SPECS, empty
from findings_helper import comparisons, filled
from tables_helper import table

OUTCOMES = """
    measure | measure_label       | characteristic  | label              | level               | category             | order | status        | statistic | unit   | people | numerator | denominator | value | lower | upper
    dna     | Did not attend      | all             | Everyone           | all                 | Everyone             | 1     | known         | share     | contacts | 9000 | 1400      | 9000        | 0.1556 | 0.14 | 0.17
    dna     | Did not attend      | ethnicity       | Ethnic group       | detailed            | Bangladeshi          | 1     | known         | share     | contacts | 1000 | 300       | 1000        | 0.3   | 0.27  | 0.33
    dna     | Did not attend      | ethnicity       | Ethnic group       | detailed            | White British        | 2     | known         | share     | contacts | 7000 | 700       | 7000        | 0.1   | 0.09  | 0.11
    dna     | Did not attend      | ethnicity       | Ethnic group       | detailed            | Roma                 | 3     | not collected | share     | contacts |      |           |             |       |       |
    dna     | Did not attend      | ethnicity       | Ethnic group       | detailed            | Declined             | 4     | declined      | share     | contacts | 1000 | 400       | 1000        | 0.4   | 0.37  | 0.43
    dna     | Did not attend      | ethnicity       | Ethnic group       | groups              | Asian                | 1     | known         | share     | contacts | 1000 | 300       | 1000        | 0.3   | 0.27  | 0.33
    dna     | Did not attend      | sex             | Sex                | detailed            | Female               | 1     | known         | share     | contacts | 5000 | 700       | 5000        | 0.14  | 0.13  | 0.15
    dna     | Did not attend      | sex             | Sex                | detailed            | Male                 | 2     | known         | share     | contacts | 4000 | 700       | 4000        | 0.175 | 0.16  | 0.19
    dna     | Did not attend      | ethnicity x sex | Ethnic group x Sex | detailed x detailed | Bangladeshi × Female | 1     | known         | share     | contacts | 500  | 175       | 500         | 0.35  | 0.31  | 0.39
    hba1c   | HbA1c within target | all             | Everyone           | all                 | Everyone             | 1     | known         | share     | people | 3000   | 1500      | 3000        | 0.5   | 0.48  | 0.52
    hba1c   | HbA1c within target | ethnicity       | Ethnic group       | detailed            | Bangladeshi          | 1     | known         | share     | people | 12     | 3         | 12          | 0.25  | 0.08  | 0.53
"""
COMPARED = """
    measure | characteristic  | level               | category             | numerator | denominator | flag                  | harm | similar
    dna     | ethnicity       | detailed            | Bangladeshi          | 300       | 1000        | disproportionate_high | harm | false
    dna     | ethnicity       | detailed            | White British        | 700       | 7000        | disproportionate_low  | benefit | false
    dna     | sex             | detailed            | Female               | 700       | 5000        | no_evidence           |      | false
    dna     | sex             | detailed            | Male                 | 700       | 4000        | no_evidence           |      | true
    dna     | ethnicity x sex | detailed x detailed | Bangladeshi × Female | 175       | 500         | disproportionate_high | harm | false
    hba1c   | ethnicity       | detailed            | Bangladeshi          | 3         | 12          | insufficient_data     |      | false
    hba1c   | ethnicity       | detailed            | White British        | 1000      | 2000        | no_evidence           |      | true
"""
REPRESENTATION = """
    of    | of_label      | characteristic | label        | level    | category     | order | status | area_kind | area   | numerator | denominator | share | residents | residents_total | residents_share | ratio | flag
    users | Service users | ethnicity      | Ethnic group | detailed | Bangladeshi  | 1     | known  | local     | Newham | 800       | 8000        | 0.1   | 40000     | 250000          | 0.16            | 0.625 | disproportionate_low
    users | Service users | ethnicity      | Ethnic group | detailed | Bangladeshi  | 1     | known  | nation    | England | 800      | 8000        | 0.1   | 600000    | 60000000        | 0.01            | 10    | disproportionate_high
    users | Service users | ethnicity      | Ethnic group | detailed | Roma         | 2     | not collected | local | Newham |          | 8000        |       | 1000      | 250000          | 0.004           |       |
    users | Service users | age            | Age          | band     | 18 to 34     | 1     | known  | local     | Newham | 2000      | 8000        | 0.25  | 80000     | 250000          | 0.32            | 0.78  | disproportionate_low
    dna   | Did not attend | ethnicity     | Ethnic group | detailed | Bangladeshi  | 1     | known  | local     | Newham | 300       | 1400        | 0.2   | 40000     | 250000          | 0.16            | 1.3   | disproportionate_high
"""
BREAKDOWN = """
    characteristic | label                       | by  | group  | order | unit    | numerator | denominator | value | flagged
    language       | Main or preferred language  | sex | Female | 1     | people  | 4000      | 5000        | 0.8   | true
    language       | Main or preferred language  | sex | Female | 1     | records | 8000      | 9000        | 0.9   | false
    language       | Main or preferred language  | sex | Male   | 2     | people  | 3900      | 4000        | 0.975 | false
"""
COMPLETE = """
    characteristic | label                           | measure | unit   | numerator | denominator | value
    ethnicity      | Ethnic group                    | known   | people | 8000      | 10000       | 0.8
    joint          | Ethnicity and language together | known   | people | 7000      | 10000       | 0.7
    sex            | Sex                             | known   | people | 10000     | 10000       | 1.0
"""
UNKNOWNS = """
    of      | measure | characteristic | level    | category    | robustness
    outcome | dna     | ethnicity      | detailed | Bangladeshi | fragile
"""
THEMES = """
    theme     | measure | characteristic | category    | heard                   | ways | times | date       | used_for
    Transport | dna     | ethnicity      | Bangladeshi | Two buses to the clinic | 1    | 3     | 2025-10-01 |
    Letters   |         | ethnicity      | Asian       | Letters come in English | 1    | 2     | 2025-10-01 |
    Parking   |         | all            |             | Parking costs too much  | 1    | 9     | 2025-10-01 |
"""


@cache
def result():
    service = make_service(
        {"service": {"name": "Clinic | <b>North</b>", "area": ["E09000025"], "ages": [18, 120]}}
    )
    bare = eq.rate(service)
    tables = {
        **{
            name: empty(spec)
            for name, spec in SPECS.items()
            if name not in ("criteria", "areas", "next_steps")
        },
        "outcomes": filled("outcomes", table(OUTCOMES)),
        "comparisons": comparisons(table(COMPARED)),
        "representation": filled("representation", table(REPRESENTATION)),
        "breakdown": filled("breakdown", table(BREAKDOWN)),
        "completeness": filled("completeness", table(COMPLETE)),
        "unknowns": filled("unknowns", table(UNKNOWNS)),
        "themes": filled("themes", table(THEMES)),
    }
    return dataclasses.replace(bare, tables=tables)


def with_tables(**tables):
    return dataclasses.replace(result(), tables={**result().tables, **tables})


def hide(name, here, *, spec=None):
    """The table as a release would leave it: the rows blanked and marked."""
    frame = result().table(name).assign(hidden=False)
    spec = SPECS[name]
    rows = here(frame)
    blank = [*spec.counts, *spec.estimates, *(c for s in spec.shares for c in (s.value, s.lower, s.upper))]
    for column in dict.fromkeys(column for column in blank if column in frame):
        frame[column] = frame[column].where(~rows, math.nan)
    for column in spec.derived:
        frame[column] = frame[column].astype("object").where(~rows, None)
    return frame.assign(hidden=rows)


# ---------------------------------------------------------------- one group


def test_a_profile_of_one_group_brings_its_rows_of_every_table():
    found = make_profile(result(), ethnicity="Bangladeshi")
    assert found.title == "Ethnic group: Bangladeshi"
    assert dict(found.stratum) == {"ethnicity": "Bangladeshi"}
    assert list(found.table("who")["area"]) == ["Newham", "England"]
    assert list(found.table("measures")["measure"]) == ["dna", "hba1c"]
    assert list(found.table("themes")["theme"]) == [
        "Transport",
        "Letters",
    ]  # the second was said by Asian people
    assert set(found.tables) <= set(SHOWN)


def test_each_measure_stands_beside_the_rest_with_ratio_flag_and_robustness():
    row = make_profile(result(), ethnicity="Bangladeshi").table("measures").iloc[0]
    assert (row["value"], row["comparator_value"]) == (0.3, 0.1)
    assert row["ratio"] == pytest.approx(3)
    assert (row["flag"], row["harm"], row["robustness"]) == ("disproportionate_high", "harm", "fragile")


def test_the_standardised_and_adjusted_ratios_stand_beside_the_crude_one():
    frame = result().table("comparisons")
    more = [
        frame.iloc[[0]].assign(adjustment="standardised", ratio=2.5),
        frame.iloc[[0]].assign(adjustment="adjusted", ratio=2.2),
    ]
    changed = with_tables(comparisons=pd.concat([frame, *more], ignore_index=True))
    row = make_profile(changed, ethnicity="Bangladeshi").table("measures").iloc[0]
    assert (row["ratio"], row["standardised_ratio"], row["adjusted_ratio"]) == (pytest.approx(3), 2.5, 2.2)


@pytest.mark.parametrize("spelt", ["bangladeshi", " BANGLADESHI ", "Bangladeshi"])
def test_letter_case_is_free(spelt):
    assert dict(make_profile(result(), ethnicity=spelt).stratum) == {"ethnicity": "Bangladeshi"}


def test_completeness_is_of_the_people_of_the_group():
    found = make_profile(result(), sex="Female").table("completeness")
    assert list(found["value"]) == [0.8]


# ---------------------------------------------------------------- two groups


@pytest.mark.parametrize(
    "groups", [{"ethnicity": "Bangladeshi", "sex": "Female"}, {"sex": "female", "ethnicity": "bangladeshi"}]
)
def test_a_crossing_is_found_in_either_order_and_its_parts_stand_below(groups):
    found = make_profile(result(), **groups)
    measures = found.table("measures")
    assert measures["group"].iloc[0] == "Bangladeshi × Female"
    assert set(measures["group"]) == {"Bangladeshi × Female", "Bangladeshi", "Female"}
    assert not any("were not crossed" in each for each in found.cannot_say)


def test_a_crossing_that_was_not_counted_says_how_to_ask_for_it():
    found = make_profile(result(), ethnicity="White British", sex="Male")
    assert 'crossings = ["ethnicity x sex"]' in found.cannot_say[0]
    assert set(found.table("measures")["group"]) == {"White British", "Male"}
    assert "HbA1c within target (Male): not counted for this group." in found.cannot_say


# ---------------------------------------------------------------- errors


def test_an_unknown_category_is_met_with_the_nearest():
    with pytest.raises(ConfigError, match="Did you mean 'Bangladeshi'"):
        make_profile(result(), ethnicity="Bangladeshy")


def test_an_unknown_characteristic_is_met_with_the_nearest():
    with pytest.raises(ConfigError, match="Did you mean 'ethnicity'"):
        make_profile(result(), ethnicty="Bangladeshi")


@pytest.mark.parametrize("groups", [{}, {"ethnicity": "Bangladeshi", "sex": "Female", "age": "18 to 34"}])
def test_none_or_three_groups_are_refused(groups):
    with pytest.raises(ConfigError, match="one group"):
        make_profile(result(), **groups)


def test_people_of_unknown_group_are_no_population():
    with pytest.raises(ConfigError, match="no category"):
        make_profile(result(), ethnicity="Declined")


def test_a_table_that_a_profile_does_not_have_is_met_with_the_nearest():
    with pytest.raises(ConfigError, match="measures"):
        make_profile(result(), sex="Female").table("measure")


# ---------------------------------------------------------------- what cannot be said


def test_what_cannot_be_said_of_a_group_is_said():
    said = make_profile(result(), ethnicity="Bangladeshi").cannot_say
    assert "HbA1c within target: too few people or events to compare this group." in said
    assert "Ethnic group is not known of 20.0% of the people; any of them could belong to this group." in said
    assert any(each.startswith("Did not attend: what is found would turn") for each in said)
    assert any("completeness is counted by age" in each for each in said)
    assert any("it is not followed" in each for each in said)


def test_no_evidence_is_not_said_to_be_likeness_unless_the_interval_lies_inside_the_band():
    assert any(
        "no evidence of a difference" in each for each in make_profile(result(), sex="Female").cannot_say
    )
    assert not any(
        "no evidence of a difference" in each for each in make_profile(result(), sex="Male").cannot_say
    )


def test_a_category_that_the_list_does_not_collect_is_no_count_of_none():
    found = make_profile(result(), ethnicity="Roma")
    assert any("does not collect Roma" in each for each in found.cannot_say)
    assert found.table("measures")["people"].isna().all()
    assert " 0 " not in found.to_markdown()


def test_without_residents_measures_or_a_register_that_is_said():
    bare = with_tables(
        outcomes=empty(SPECS["outcomes"]),
        comparisons=empty(SPECS["comparisons"]),
        themes=empty(SPECS["themes"]),
        representation=result().table("representation").query("characteristic == 'ethnicity'"),
    )
    said = make_profile(bare, ethnicity="Bangladeshi").cannot_say
    assert "No measure is defined in the service file, so nothing can be said of outcomes." in said
    assert any("no register of listening" in each for each in said)
    without = with_tables(representation=empty(SPECS["representation"]))
    assert any("no table of residents" in each for each in make_profile(without, sex="Female").cannot_say)


def test_a_group_that_nobody_listened_to_is_said():
    gaps = filled(
        "listening_gaps",
        table("""
            characteristic | label        | level    | category    | gap
            ethnicity      | Ethnic group | detailed | Bangladeshi | nobody
        """),
    )
    said = make_profile(with_tables(listening_gaps=gaps), ethnicity="Bangladeshi").cannot_say
    assert any("has reached them (Bangladeshi: nobody)" in each for each in said)


# ---------------------------------------------------------------- released results


def test_hidden_rows_are_hidden_and_never_0():
    changed = with_tables(
        outcomes=hide("outcomes", lambda f: (f["measure"] == "hba1c") & (f["category"] == "Bangladeshi")),
        comparisons=hide("comparisons", lambda f: f["measure"] == "hba1c"),
        representation=hide("representation", lambda f: f["area"] == "England"),
    )
    released = dataclasses.replace(changed, disclosure="nhs")
    found = make_profile(released, ethnicity="Bangladeshi")
    row = found.table("measures").set_index("measure").loc["hba1c"]
    assert row["hidden"]
    assert math.isnan(row["people"])
    assert "HbA1c within target: hidden by the small-number rule. Hidden is not none." in found.cannot_say
    assert any(each.startswith("How many are seen, against England: hidden") for each in found.cannot_say)
    line = next(each for each in found.to_markdown().splitlines() if "HbA1c" in each and each.startswith("|"))
    assert "hidden" in line
    assert not re.search(r"\b0(\.0+)?%?\b", line)
    assert found.disclosure == "nhs"
    assert any("nhs" in each for each in found.notes)


def test_a_share_of_unknown_that_is_hidden_is_not_given():
    changed = with_tables(completeness=hide("completeness", lambda f: f["characteristic"] == "ethnicity"))
    said = make_profile(changed, ethnicity="Bangladeshi").cannot_say
    assert any("how many is hidden" in each for each in said)


# ---------------------------------------------------------------- forms


class Tags(HTMLParser):
    """Opened and closed tags, and the text between."""

    def __init__(self):
        super().__init__()
        self.open, self.words, self.names = [], [], set()

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        self.names.add(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


@pytest.mark.parametrize(
    "found",
    [lambda: make_profile(result(), ethnicity="Bangladeshi"), lambda: make_community_profile(result())],
)
def test_html_is_well_formed_and_names_of_services_are_text(found):
    tags = Tags()
    tags.feed(found()._repr_html_())
    assert not tags.open
    assert "b" not in tags.names
    assert any("<b>North</b>" in words for words in tags.words)


def test_json_holds_everything_and_no_number_that_is_none():
    found = make_profile(result(), ethnicity="Bangladeshi")
    back = json.loads(found.to_json(), parse_constant=lambda name: pytest.fail(f"{name} in JSON"))
    assert back["stratum"] == {"ethnicity": "Bangladeshi"}
    assert back["tables"]["measures"][0]["value"] == 0.3
    assert back["tables"]["measures"][0]["standardised_ratio"] is None
    assert back["cannot_say"] == list(found.cannot_say)


def test_text_shows_shares_in_per_cent_and_a_bar_in_a_name_breaks_no_table():
    found = make_profile(result(), ethnicity="Bangladeshi").to_markdown()
    assert "| 30.0% |" in found
    for block in found.split("\n\n"):
        if block.startswith("|"):
            assert len({len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}) == 1


@pytest.mark.parametrize(
    ("row", "column", "words"),
    [
        ({"value": 0.1234, "statistic": "share", "hidden": False}, "value", "12.3%"),
        ({"value": 18.26, "statistic": "mean", "hidden": False}, "value", "18.3"),
        ({"value": math.nan, "statistic": "mean", "hidden": True}, "value", "hidden"),
        ({"value": math.nan, "statistic": "mean", "hidden": False}, "value", "–"),
        ({"people": 12345.0, "hidden": False}, "people", "12,345"),
        ({"people": 0.0, "hidden": False}, "people", "0"),
        ({"flag": "different_small", "hidden": False}, "flag", "different small"),
        ({"flag": None, "hidden": True}, "flag", "hidden"),
        ({"ratio": 1.239, "hidden": False}, "ratio", "1.24"),
    ],
)
def test_a_cell_reads_as_people_read_it(row, column, words):
    assert cell_words(row, column) == words


def test_a_profile_cannot_be_changed():
    found = make_profile(result(), sex="Female")
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.title = "other"
    copy = found.table("measures")
    copy.loc[0, "value"] = 9
    assert found.table("measures").loc[0, "value"] != 9


# ---------------------------------------------------------------- the whole service


def test_the_community_profile_brings_who_is_seen_outcomes_findings_and_what_cannot_be_said():
    found = make_community_profile(result())
    assert isinstance(found, Profile)
    assert list(found.table("age_sex")["category"]) == ["18 to 34"]
    assert set(found.table("groups")["area"]) == {"Newham"}
    assert found.table("completeness")["characteristic"].iloc[0] == "joint"
    assert list(found.table("measures")["measure"]) == ["dna", "hba1c"]
    assert set(found.table("flagged")["category"]) == {"Bangladeshi", "White British", "Bangladeshi × Female"}
    assert len(found.table("themes")) == 3
    assert any("does not collect Roma" in each for each in found.cannot_say)
    assert "serves Newham, ages 18 to 120" in found.service
    assert any("prompt to look" in each for each in found.notes)


def test_the_community_profile_of_attestations_alone_says_what_is_absent():
    bare = eq.rate(make_service({"service": {"name": "Clinic"}}))
    said = make_community_profile(bare).cannot_say
    assert any("Who lives here" in each for each in said)
    assert any("No measure is defined" in each for each in said)
    assert any("no register of listening" in each for each in said)
