"""Findings and profiles of the synthetic sample: what was planted is said, and nothing small leaves with a release."""

import json
import re
from datetime import date
from functools import cache

import pytest

import equitydata as eq
from equitydata.findings.nesting import wider
from equitydata.profiles import make_community_profile, make_profile
from equitydata.reference import sample_folder
from equitydata.release.released import release
from equitydata.rulebook import disclosure_rule

NOT_TOLD = "the sample is not in this copy"


@cache
def sample():
    folder = sample_folder()
    if not (folder / "contacts.csv").is_file():
        pytest.skip(f"NOT TESTED: {NOT_TOLD}")
    return eq.analyse(eq.load_service(folder / "service.toml"), as_of=date(2026, 4, 1))


@cache
def released():
    return release(sample())


def rows(**wanted):
    found = sample().table("findings")
    for column, value in wanted.items():
        found = found[found[column] == value]
    return found


@pytest.mark.parametrize(
    ("measure", "characteristic", "category", "low", "high"),
    [
        # planted: 9 points of about 56%, 7 of about 73%, 6 of about 73%, 5 of about 12%, 8 days of about 18
        ("hba1c_controlled", "ethnicity", "Bangladeshi", 0.76, 0.90),
        ("retinal_screening_done", "ethnicity", "Black African", 0.84, 0.94),
        ("retinal_screening_done", "deprivation", "Core20 (deciles 1 and 2)", 0.87, 0.95),
        ("did_not_attend", "deprivation", "Core20 (deciles 1 and 2)", 1.25, 1.60),
        ("wait_days", "language", "Other than English", 1.35, 1.50),
    ],
)
def test_planted_differences_are_findings_with_their_size_and_as_harm(
    measure, characteristic, category, low, high
):
    found = rows(measure=measure, characteristic=characteristic, category=category, about="outcome")
    assert len(found) == 1
    row = found.iloc[0]
    assert low < row["ratio"] < high
    assert row["harm"] == "harm"
    assert "remains and is clear" in row["adjustment"]


def test_planted_shares_of_users_are_findings_against_residents():
    of = {
        row["category"]: row
        for row in rows(about="representation", characteristic="ethnicity").to_dict("records")
    }
    assert of["Bangladeshi"]["ratio"] == pytest.approx(0.74, abs=0.05)  # women 0.55 times, men as others
    assert of["Indian"]["ratio"] == pytest.approx(1.3, abs=0.1)
    assert set(of) == {"Bangladeshi", "Indian"}


def test_one_group_is_one_finding_for_a_measure():
    """No group stands beside a wider group that holds it, under the same measure and the same flag."""
    outcomes = rows(about="outcome")
    outcomes = outcomes[outcomes["category"] != ""]
    keys = {
        (row["measure"], row["characteristic"], row["level"], row["category"]): row["flag"]
        for row in outcomes.to_dict("records")
    }
    for (measure, characteristic, level, category), flag in keys.items():
        for held in wider(characteristic, level, category):
            assert keys.get((measure, characteristic, *held)) != flag


def test_sites_with_less_recorded_are_findings():
    found = rows(about="completeness")
    assert {"Site 7 Custom House", "Site 8 Telephone hub"} <= set(found["category"])


def test_every_flagged_group_is_listed_or_named_by_a_relative():
    """What is left out is named with what is listed: in its words, or as the rest of one."""
    frame = sample().table("comparisons")
    flagged = frame[
        (frame["comparator"] == "rest")
        & (frame["adjustment"] == "crude")
        & frame["flag"].astype(str).str.startswith("disproportionate")
    ]
    found = rows(about="outcome")
    words = {measure: " ".join(here["finding"]) for measure, here in found.groupby("measure")}
    listed = set(zip(found["measure"], found["characteristic"], found["category"], strict=True))
    for row in flagged.to_dict("records"):
        name = f"{row['level']} {row['category']}" if row["category"].isdigit() else row["category"]
        mirrored = any(
            row["value"] == pytest.approx(other["comparator_value"])
            and (other["measure"], other["characteristic"], other["category"]) in listed
            for other in flagged[flagged["measure"] == row["measure"]].to_dict("records")
        )
        known = (row["measure"], row["characteristic"], row["category"]) in listed or name in words[
            row["measure"]
        ]
        several = re.search(r"and \d+ more", words[row["measure"]])
        assert known or mirrored or several, (row["measure"], row["characteristic"], row["category"])


def test_findings_are_in_the_order_of_their_classes():
    found = sample().table("findings")
    assert list(found["order"]) == list(range(1, len(found) + 1))
    outcomes = found[
        found["flag"].astype(str).str.startswith("disproportionate") & (found["about"] == "outcome")
    ]
    harm = outcomes.loc[outcomes["harm"] == "harm", "order"].max()
    assert harm < outcomes.loc[outcomes["harm"] == "benefit", "order"].min()


# ---------------------------------------------------------------- profiles


def test_the_profile_of_bangladeshi_women_has_its_crossing_and_says_what_it_cannot():
    found = make_profile(sample(), ethnicity="Bangladeshi", sex="Female")
    measures = found.table("measures")
    assert list(measures["group"].unique()) == ["Bangladeshi × Female", "Bangladeshi", "Female"]
    women = measures[measures["group"] == "Bangladeshi × Female"].set_index("measure")
    assert women.loc["hba1c_controlled", "ratio"] == pytest.approx(0.84, abs=0.08)
    assert found.cannot_say
    assert not measures["hidden"].any()


@pytest.mark.parametrize(
    "group", [{"ethnicity": "Roma"}, {"deprivation": "1"}, {"age": "85 and over"}, {"sex": "Indeterminate"}]
)
def test_every_kind_of_group_has_a_profile(group):
    found = make_profile(sample(), **group)
    assert found.to_markdown()
    json.loads(found.to_json(), parse_constant=lambda name: pytest.fail(f"{name} in JSON"))


def test_a_released_profile_shows_no_small_count():
    limit = disclosure_rule(released().disclosure).hide_up_to
    for group in (
        {"sex": "Indeterminate"},
        {"religion": "Jewish"},
        {"ethnicity": "White Irish", "sex": "Female"},
    ):
        found = make_profile(released(), **group)
        for frame in found.tables.values():
            for column in ("people", "numerator", "denominator"):
                if column in frame:
                    shown = frame.loc[~frame["hidden"].astype(bool), column].astype(float).dropna()
                    assert not ((shown > 0) & (shown <= limit)).any()


def test_a_hidden_row_of_a_released_profile_reads_hidden():
    found = make_profile(released(), sex="Indeterminate")
    hidden = found.table("measures")["hidden"]
    assert hidden.any()
    assert "hidden" in found.to_markdown()
    assert any("Hidden is not none" in each for each in found.cannot_say)


@pytest.mark.parametrize("which", [sample, released])
def test_the_community_profile_has_all_its_parts(which):
    found = make_community_profile(which())
    for name in ("age_sex", "groups", "completeness", "measures", "flagged", "trends", "findings", "themes"):
        assert len(found.table(name)), name
    assert len(found.table("findings")) == 20
    assert found._repr_html_().count("<table>") >= 8
