"""Maturity: figures, flags and attestations -> outcomes -> tiers -> next steps, from figures made by hand."""

from datetime import date
from fractions import Fraction

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equitydata import reference
from equitydata.errors import ConfigError
from equitydata.maturity.analysed import summarise_analysis
from equitydata.maturity.criteria import Measured, decisive_share
from equitydata.maturity.next_steps import shortfall, worst_places
from equitydata.maturity.tiers import DATA_AREAS, area_tier, measured_tier, overall_tier, rate_maturity
from equitydata.model import TIERS
from equitydata.rulebook import characteristics, criterion_checks, load_rulebook
from equitydata.service import Attestation, make_service
from equitydata.shown import Shown
from equitydata.stats.one_group.proportions import wilson
from equitydata.tables import (
    COMPARISONS_TABLE,
    NEEDS_TABLE,
    OUTCOMES_TABLE,
    REPRESENTATION_TABLE,
    SPECS,
    empty,
    shape,
    with_shares,
)
from tables_helper import analysed, table

TODAY = date(2026, 4, 1)
WORKING, FUNDAMENTAL, INTERMEDIATE, ADVANCED = TIERS
CORE = {
    "joint": "ethnicity and language",
    "ethnicity": "ethnicity",
    "language": "language",
}
SINGLE = {
    "points_of_care_filled": "points of care",
    "core_self_reported": "known values",
    "other_self_reported": "known values",
    "core_valid": "recorded values",
    "ethnicity_detailed": "people",
}


def figures(**changes):
    """Every figure at 1,000 of 1,000 (four of four points of care); changes give counts, or None for not measured.

    A third element is the unit.
    """
    rows = [
        (f"{name}_{reading}", f"People with {words} {reading}", "", "people")
        for name, words in CORE.items()
        for reading in ("known", "known_or_declined")
    ]
    rows += [(name, name.replace("_", " "), "", unit) for name, unit in SINGLE.items()]
    rows += [
        (f"{name}_known", f"People with a known value of: {kind.label}", kind.family, "people")
        for name, kind in characteristics().items()
        if not kind.core and name != "birth_date"
    ]
    table = pd.DataFrame(rows, columns=["figure", "label", "family", "unit"])
    assert set(changes) <= set(table["figure"])
    whole = {"points_of_care_filled": (4, 4)}
    cells = [changes.get(name, whole.get(name, (1000, 1000))) or (None, None, "") for name in table["figure"]]
    table["numerator"], table["denominator"] = [cell[0] for cell in cells], [cell[1] for cell in cells]
    table["unit"] = [
        cell[2] if len(cell) == 3 else unit for cell, unit in zip(cells, table["unit"], strict=True)
    ]
    table["measured"] = table["numerator"].notna()
    table["reason"] = table["measured"].map({True: "", False: "Not mapped in the service file."})
    return with_shares(table, confidence=0.95)


def attested(*, met=True, on=date(2026, 1, 12), **more):
    return Attestation(met=met, evidence="Leaflet, version 3", owner="Service manager", date=on, **more)


def attest_all(level="service", *, required=("core",), without=()):
    """Attestations of every criterion that is to be attested."""
    matrix = reference.criteria(level)
    wanted = matrix[(matrix["evidence_type"] == "attested") & matrix["required"].isin(required)]
    return {name: attested() for name in wanted["criterion_id"] if name not in without}


NOT_RAISED = {"numerator": 80.0, "denominator": 1000.0, "resident_share": 0.1, "ratio": 0.8}
CLEAN = {"chosen": True, "columns": [], "smallest": 8}
NO_FLAG = pd.DataFrame({"flag": []})


def rate(
    changes=None,
    *,
    level="service",
    attestations=None,
    rules=None,
    needs=None,
    joint=None,
    as_of=TODAY,
    flags=NO_FLAG,
    residual=NOT_RAISED,
    identifiers=CLEAN,
    not_relevant=(),
    audited=True,
    **more,
):
    measured = Measured(
        figures=figures(**(changes or {})),
        flags=flags,
        residual=residual,
        identifiers=identifiers,
        not_relevant=not_relevant,
        **more,
    )
    return rate_maturity(
        reference.criteria(level),
        measured if audited else None,
        attestations or {},
        level=level,
        needs=empty(NEEDS_TABLE) if needs is None else needs,
        joint=joint,
        rulebook=load_rulebook(rules),
        as_of=as_of,
    )


def criterion(maturity, identity):
    return maturity.criteria.set_index("criterion_id").loc[identity]


def outcome(maturity, identity):
    return criterion(maturity, identity)["outcome"]


def tier(maturity, code, column="tier"):
    return maturity.areas.set_index("area_code").loc[code, column]


# ---------------------------------------------------------------- the rule files and the matrix agree


@pytest.mark.parametrize("level", ["service", "organisation"])
def test_every_criterion_that_is_not_attested_says_how_it_is_decided(level):
    matrix = reference.criteria(level)
    letter = level[0].upper()
    checked = {name for name, check in criterion_checks().items() if check.check != "workforce"}
    assert set(matrix.loc[matrix["evidence_type"] != "attested", "criterion_id"]) == {
        name for name in checked if name.startswith(letter)
    }
    workforce = {name for name in set(criterion_checks()) - checked if name.startswith(letter)}
    assert workforce == {f"{letter}-WDIV-F1"}


def test_a_criterion_of_an_organisation_is_decided_as_one_of_a_service_with_the_same_subject():
    wording = reference.criteria("service").set_index("criterion_id")["area"]
    own = reference.criteria("organisation").set_index("criterion_id")["area"]
    pairs = {name: check.same_as for name, check in criterion_checks().items() if check.same_as}
    assert {name: own[name] for name in pairs} == {name: wording[same] for name, same in pairs.items()}
    assert len(set(pairs.values())) == len(pairs)


def test_every_figure_and_rule_that_a_check_names_exists():
    names = set(analysed().table("figures")["figure"])
    rules = load_rulebook()
    for check in criterion_checks().values():
        if check.check in ("share", "points"):
            wanted = {name.replace("{declined}", "known") for name in (check.figure, check.joint_figure)}
            assert wanted - {""} <= names
        if check.threshold:
            assert rules.value(check.threshold)


# ---------------------------------------------------------------- the 95% rule


@pytest.mark.parametrize(
    ("known", "decided"), [(9496, "not met"), (9499, "not met"), (9500, "met"), (9501, "met")]
)
def test_the_share_is_held_against_95_per_cent_unrounded(known, decided):
    found = rate({"joint_known": (known, 10_000)})
    assert outcome(found, "S-QUAN-F1") == outcome(found, "S-QUAN-F2") == decided
    assert criterion(found, "S-QUAN-F1")["rests_on"] == "measured"


def test_fewer_people_than_25_are_too_few_to_judge():
    few = criterion(rate({"joint_known": (24, 24)}), "S-QUAN-F1")
    assert (few["outcome"], few["rests_on"]) == ("not assessed", "")
    assert few["reason"] == "Too few to judge: fewer than 25 people."
    assert outcome(rate({"joint_known": (25, 25)}), "S-QUAN-F1") == "met"


def test_nobody_at_all_is_too_few_whatever_the_rule():
    assert outcome(rate({"joint_known": (0, 0)}, rules={"minimum_people": 0}), "S-QUAN-F1") == "not assessed"


def test_both_are_judged_jointly_and_the_evidence_says_so():
    found = rate({"joint_known": (940, 1000), "ethnicity_known": (960, 1000), "language_known": (970, 1000)})
    assert outcome(found, "S-QUAN-F1") == outcome(found, "S-QUAN-F2") == "not met"
    assert criterion(found, "S-QUAN-F2")["evidence"].endswith("the joint share decides")


def test_with_the_joint_rule_off_each_field_stands_for_itself():
    counts = {"joint_known": (930, 1000), "ethnicity_known": (960, 1000), "language_known": (940, 1000)}
    found = rate(counts, rules={"joint": False})
    assert (outcome(found, "S-QUAN-F1"), outcome(found, "S-QUAN-F2")) == ("met", "not met")
    assert criterion(found, "S-QUAN-F2")["figure"] == "language_known"
    assert "joint" not in criterion(found, "S-QUAN-F2")["evidence"]


def test_a_sample_is_judged_by_its_lower_limit():
    counts = {"joint_known": (960, 1000)}
    whole, sample = rate(counts), rate(counts, rules={"sample": True})
    assert (outcome(whole, "S-QUAN-F1"), outcome(sample, "S-QUAN-F1")) == ("met", "not met")
    assert criterion(sample, "S-QUAN-F1")["lower"] < 0.95 < criterion(sample, "S-QUAN-F1")["value"]
    assert "lower limit" in criterion(sample, "S-QUAN-F1")["evidence"]
    assert "lower limit" not in criterion(whole, "S-QUAN-F1")["evidence"]
    assert outcome(rate({"joint_known": (9600, 10_000)}, rules={"sample": True}), "S-QUAN-F1") == "met"


def test_declined_answers_are_read_both_ways():
    counts = {"joint_known": (940, 1000), "joint_known_or_declined": (960, 1000)}
    strict, lenient = rate(counts), rate(counts, rules={"count_declined": True})
    columns = ["outcome", "outcome_other_reading", "figure"]
    assert criterion(strict, "S-QUAN-F1")[columns].tolist() == ["not met", "met", "joint_known"]
    assert criterion(lenient, "S-QUAN-F1")[columns].tolist() == ["met", "not met", "joint_known_or_declined"]


def test_a_figure_that_could_not_be_measured_is_not_assessed_with_its_reason():
    found = criterion(rate({"joint_known": None}), "S-QUAN-F1")
    assert (found["outcome"], found["reason"]) == ("not assessed", "Not mapped in the service file.")
    assert found["threshold"] == 0.95 and pd.isna(found["numerator"])


# ---------------------------------------------------------------- points of care


@pytest.mark.parametrize(("filled", "decided"), [(1, "not met"), (2, "met"), (5, "met")])
def test_two_points_of_care_are_needed_and_their_number_is_not_a_share(filled, decided):
    found = criterion(rate({"points_of_care_filled": (filled, 5)}), "S-QUAN-F3")
    assert (found["outcome"], found["numerator"], found["threshold"]) == (decided, filled, 2)


@pytest.mark.parametrize(
    ("counts", "decided"), [((50, 100), "met"), ((49, 100), "not met"), ((24, 24), "not assessed")]
)
def test_one_point_of_care_is_judged_by_the_share_recorded_again(counts, decided):
    found = criterion(rate({"points_of_care_filled": (*counts, "people")}), "S-QUAN-F3")
    assert (found["outcome"], found["threshold"]) == (decided, 0.5)


def test_points_of_care_that_are_not_measured_are_not_assessed():
    assert outcome(rate({"points_of_care_filled": None}), "S-QUAN-F3") == "not assessed"


# ---------------------------------------------------------------- the other fields

PROTECTED = [
    name for name, kind in characteristics().items() if kind.family == "protected" and name != "birth_date"
]


@pytest.mark.parametrize(
    ("known", "decided", "beside"),
    [
        (500, "not met", "; below 95%"),
        (501, "met", "; below 95%"),
        (949, "met", "; below 95%"),
        (950, "met", "; also at 95%"),
    ],
)
def test_more_than_half_decides_and_95_per_cent_is_shown_beside_it(known, decided, beside):
    found = rate({"mental_illness_known": (known, 1000), "sex_known": (known, 1000)})
    for identity in ("S-QUAN-I1", "S-QUAN-I3"):
        assert outcome(found, identity) == decided
        assert criterion(found, identity)["evidence"].endswith(beside)


def test_the_other_level_is_the_one_in_force_and_stands_beside_the_majority_rule_alone():
    found = rate({"other_self_reported": (600, 1000)}, rules={"completeness_threshold": 0.975})
    assert criterion(found, "S-QUAN-I2")["evidence"].endswith("; also at 97.5%")
    for identity in ("S-QUAN-F1", "S-QUAN-F4", "S-QUAN-I6"):
        assert "also at" not in criterion(found, identity)["evidence"]


def test_the_worst_protected_field_decides_and_all_that_fall_short_are_named():
    found = criterion(rate({"religion_known": (400, 1000), "disability_known": (300, 1000)}), "S-QUAN-I1")
    assert (found["outcome"], found["figure"]) == ("not met", "disability_known")
    assert found["evidence"] == f"Worst of {len(PROTECTED)} fields: Disability; below 95%"
    assert found["reason"] == "Too often not known: Disability, Religion or belief."


def test_a_protected_field_that_is_not_mapped_leaves_the_criterion_open():
    found = criterion(rate({"pregnancy_known": None}), "S-QUAN-I1")
    assert (found["outcome"], found["rests_on"]) == ("not assessed", "")
    assert found["reason"].startswith("Not mapped: Pregnancy or maternity.")
    worse = rate({"pregnancy_known": None, "sex_known": (100, 1000)})
    assert outcome(worse, "S-QUAN-I1") == "not met"


def test_a_field_that_cannot_matter_is_left_out():
    absent = {"pregnancy_known": None, "religion_known": (1, 1000)}
    assert outcome(rate(absent, not_relevant=("pregnancy", "religion")), "S-QUAN-I1") == "met"


def test_without_any_protected_field_nothing_is_assessed():
    found = criterion(rate({f"{name}_known": None for name in PROTECTED}), "S-QUAN-I1")
    assert (found["outcome"], found["reason"]) == ("not assessed", "None of these characteristics is mapped.")


def test_a_field_that_applies_to_few_people_is_left_out_and_named():
    found = criterion(rate({"pregnancy_known": (0, 24)}), "S-QUAN-I1")
    assert found["outcome"] == "met"
    assert "too few people to judge: Pregnancy or maternity" in found["evidence"]
    every = rate({f"{name}_known": (20, 20) for name in PROTECTED})
    assert "Too few to judge" in criterion(every, "S-QUAN-I1")["reason"]


def test_the_best_field_of_a_family_decides():
    found = criterion(rate({"geography_known": (100, 1000), "postcode_known": (900, 1000)}), "S-QUAN-I2")
    assert (found["outcome"], found["figure"]) == ("met", "postcode_known")
    low = criterion(rate({"geography_known": (100, 1000), "postcode_known": (200, 1000)}), "S-QUAN-I2")
    assert (low["outcome"], low["figure"]) == ("not met", "postcode_known")


def test_the_best_field_is_one_with_enough_people():
    found = criterion(rate({"geography_known": (600, 1000), "postcode_known": (10, 10)}), "S-QUAN-I2")
    assert (found["outcome"], found["figure"]) == ("met", "geography_known")
    few = rate({"geography_known": (10, 10), "postcode_known": (10, 10)})
    assert "Too few to judge" in criterion(few, "S-QUAN-I2")["reason"]


def test_a_family_of_which_nothing_is_mapped_names_what_would_serve():
    found = criterion(rate({"geography_known": None, "postcode_known": None}), "S-QUAN-I2")
    assert found["outcome"] == "not assessed"
    assert found["reason"] == "None of these is mapped: Area of residence (LSOA), Postcode of residence."


# ---------------------------------------------------------------- flags, identifiers


def test_local_fit_is_met_unless_the_flag_is_raised():
    raised = pd.DataFrame({"flag": ["residual over-use"]})
    assert outcome(rate(), "S-QUAN-F6") == "met"
    found = criterion(rate(flags=raised), "S-QUAN-F6")
    assert (found["outcome"], found["value"], found["threshold"]) == ("not met", 0.08, pytest.approx(0.15))


def test_local_fit_is_not_assessed_without_an_area_or_on_few_people():
    assert "area" in criterion(rate(residual=None), "S-QUAN-F6")["reason"]
    few = {**NOT_RAISED, "numerator": 2.0, "denominator": 20.0}
    assert criterion(rate(residual=few), "S-QUAN-F6")["reason"] == "Too few to judge: fewer than 25 people."


@pytest.mark.parametrize(
    ("identifiers", "decided", "words"),
    [
        ({}, "not assessed", "none."),
        ({"chosen": False, "columns": ["nhs_no (NHS number)"]}, "not assessed", "nhs_no (NHS number)"),
        (
            {"chosen": True, "columns": ["nhs_no (NHS number)"], "smallest": 99},
            "not met",
            "nhs_no (NHS number)",
        ),
        ({"chosen": True, "columns": [], "smallest": 7}, "not met", "too small"),
        ({"chosen": True, "columns": [], "smallest": 8}, "met", ""),
    ],
)
def test_identifiers_are_removed_where_none_is_left_and_no_group_is_small(identifiers, decided, words):
    found = criterion(rate(identifiers=identifiers), "S-QUAN-A4")
    assert found["outcome"] == decided and words in found["reason"]


def test_without_an_extract_measured_criteria_are_not_assessed():
    found = rate(audited=False)
    assert criterion(found, "S-QUAN-F1")["reason"] == "No extract was audited."
    assert set(found.criteria["outcome"]) == {"not assessed"}
    assert (found.tier, found.tier_measured) == (WORKING, "Nothing measured")


# ---------------------------------------------------------------- outcomes by group


def measures(**kinds):
    """Measures of a service file: name -> kind."""
    given = {
        name: {
            "label": name.replace("_", " ").capitalize(),
            "kind": kind,
            "numerator": {"column": "x", "equals": "1"},
            "polarity": "adverse",
        }
        for name, kind in kinds.items()
    }
    return make_service({"measures": given}).measures


def filled(spec, frame, **rest):
    """A frame of some columns as a whole table; the others hold what is given, or nothing."""
    return shape(frame.assign(**rest).reindex(columns=list(spec.columns)), spec)


OUTCOMES = table("""
    measure | characteristic | level    | category    | status   | people | value
    missed  | all            | all      | Everyone    | known    | 1000   | 0.2
    missed  | ethnicity      | groups   | Asian       | known    | 400    | 0.3
    missed  | ethnicity      | groups   | White       | known    | 500    | 0.1
    missed  | ethnicity      | groups   | Declined    | declined | 100    | 0.4
    missed  | sex            | detailed | Female      | known    | 600    | 0.2
    missed  | sex            | detailed | Male        | known    | 400    | 0.2
    missed  | deprivation    | decile   | 1           | known    | 700    | 0.2
    missed  | deprivation    | decile   | 10          | known    | 300    | 0.2
    missed  | migrant_status | detailed | UK resident | known    | 1000   | 0.2
    missed  | migrant_status | detailed | Overseas    | known    | 0      |
    missed  | ethnicity x sex | groups x detailed | Asian × Female | known | 200 | 0.2
    missed  | ethnicity x sex | groups x detailed | Asian × Male   | known | 200 | 0.2
""")
COMPARED = table("""
    characteristic | level    | category | adjustment   | ratio | ratio_lower | ratio_upper | information | flag
    ethnicity      | groups   | Asian    | crude        | 2.5   | 2.0         | 3.0   | true  | disproportionate_high
    ethnicity      | groups   | White    | crude        | 0.4   | 0.3         | 0.5   | true  | disproportionate_low
    ethnicity      | groups   | Asian    | standardised | 2.4   | 1.9         | 3.1   | false |
    sex            | detailed | Female   | crude        | 1.0   |             |       | false | insufficient_data
""").assign(
    measure="missed", comparator="rest", comparator_category="Everyone else", statistic="share", value=0.2
)
RESIDENTS = table("""
    characteristic | level    | category | area_kind | area   | reference          | share | residents | residents_share
    ethnicity      | groups   | Asian    | local     | Newham | Census 2021, TS021 | 0.44  | 150000    | 0.42
    ethnicity      | groups   | White    | local     | Newham | Census 2021, TS021 | 0.56  | 210000    | 0.58
    ethnicity      | groups   | Asian    | region    | London | Census 2021, TS021 | 0.44  | 1800000   | 0.21
    ethnicity      | groups   | White    | region    | London | Census 2021, TS021 | 0.56  | 6900000   | 0.79
    sex            | detailed | Female   | local     | Newham | Census 2021, TS009 | 0.6   | 180000    | 0.5
    sex            | detailed | Male     | local     | Newham | Census 2021, TS009 | 0.4   | 180000    | 0.5
""").assign(of="users", status="known")
LABEL = {name: kind.label for name, kind in characteristics().items()}


def analysis(outcomes=OUTCOMES, compared=COMPARED, residents=RESIDENTS, *, given=None):
    """What an analysis of these tables holds, of measures missed (access) and others given."""

    def labelled(frame):
        return frame.assign(label=frame["characteristic"].map(LABEL), measure_label="Missed")

    return summarise_analysis(
        {
            "outcomes": filled(OUTCOMES_TABLE, labelled(outcomes)),
            "comparisons": filled(COMPARISONS_TABLE, labelled(compared)),
            "representation": filled(REPRESENTATION_TABLE, labelled(residents)),
        },
        measures(missed="access") if given is None else given,
    )


def with_measure(name, rows=OUTCOMES):
    return pd.concat([OUTCOMES, rows.assign(measure=name)], ignore_index=True)


def test_one_outcome_by_ethnicity_is_met_by_one_of_kind_safety_quality_or_access():
    found = criterion(rate(analysed=analysis()), "S-ANAL-F4")
    assert (found["outcome"], found["rests_on"], found["threshold"]) == ("met", "measured", 1)
    assert found["evidence"] == "1 outcome by group: Missed, by Ethnic group"


@pytest.mark.parametrize(
    ("kind", "decided"),
    [
        ("safety", "met"),
        ("quality", "met"),
        ("access", "met"),
        ("experience", "not met"),
        ("uptake", "not met"),
    ],
)
def test_other_kinds_of_measure_do_not_serve_for_ethnicity_but_do_for_the_families(kind, decided):
    found = rate(analysed=analysis(given=measures(missed=kind)))
    assert outcome(found, "S-ANAL-F4") == decided
    assert outcome(found, "S-ANAL-I3") == "met"
    if decided == "not met":
        reason = "None: add a measure of kind access, quality or safety to the service file."
        assert criterion(found, "S-ANAL-F4")["reason"] == reason


def test_more_than_one_outcome_takes_two_measures():
    one = criterion(rate(analysed=analysis()), "S-ANAL-I2")
    assert (one["outcome"], one["threshold"]) == ("not met", 2)
    assert one["reason"] == (
        "Fewer than 2: add another measure of kind access, quality or safety to the service file."
    )
    both = analysis(with_measure("waited"), given=measures(missed="access", waited="quality"))
    assert outcome(rate(analysed=both), "S-ANAL-I2") == "met"
    other = analysis(with_measure("waited"), given=measures(missed="access", waited="experience"))
    assert outcome(rate(analysed=other), "S-ANAL-I2") == "not met"


@pytest.mark.parametrize(
    ("change", "decided"),
    [
        ({}, "met"),
        # One group with people is no breakdown, nor is one of people whose group is not known.
        ({"people": {"White": 0}}, "not met"),
        ({"value": {"White": None}}, "not met"),
        ({"status": {"White": "missing"}}, "not met"),
        ({"status": {"White": "not collected"}}, "not met"),
    ],
)
def test_a_breakdown_needs_two_known_groups_with_people_and_an_estimate(change, decided):
    outcomes = OUTCOMES.copy()
    for column, cells in change.items():
        for category, value in cells.items():
            outcomes.loc[outcomes["category"] == category, column] = value
    found = criterion(rate(analysed=analysis(outcomes)), "S-ANAL-F4")
    assert found["outcome"] == decided
    if decided == "not met":
        assert found["reason"] == "No outcome has an estimate for two or more known groups of: Ethnic group."


def test_families_are_met_not_met_or_open_as_the_analysis_shows():
    found = rate({"mental_illness_known": None}, analysed=analysis())
    wanted = {"I3": "met", "I4": "met", "I5": "not assessed", "I6": "not met", "I7": "met"}
    assert {name: outcome(found, f"S-ANAL-{name}") for name in wanted} == wanted
    assert criterion(found, "S-ANAL-I3")["evidence"] == "Outcomes by group: Missed, by Sex"
    # Deprivation is of the area of residence.
    assert criterion(found, "S-ANAL-I4")["evidence"].endswith("by Deprivation (IMD decile)")
    assert criterion(found, "S-ANAL-I5")["reason"] == "Not mapped: Mental illness. Map it and run again."
    assert "Resident or migrant status" in criterion(found, "S-ANAL-I6")["reason"]


def test_a_characteristic_that_is_mapped_but_left_out_of_the_analysis_is_not_met():
    found = criterion(rate(analysed=analysis()), "S-ANAL-I5")
    assert found["outcome"] == "not met"
    assert found["reason"] == (
        "Mapped, but outcomes are not stratified by: Mental illness. Add it to [analysis] characteristics."
    )


def test_with_fewer_families_asked_for_the_rest_do_not_apply_once_enough_are_done():
    asked = {number: rate(analysed=analysis(), rules={"families_required": number}) for number in (3, 4)}
    # Three are done: protected, geography and social.
    for name in ("S-ANAL-I5", "S-ANAL-I6"):
        assert outcome(asked[3], name) == "not applicable"
        assert criterion(asked[3], name)["evidence"].startswith("3 of 5 families are done and 3 asked for")
        assert outcome(asked[4], name) == "not met"
    with pytest.raises(ConfigError, match="families_required"):
        load_rulebook({"families_required": 6})


def test_without_measures_no_outcome_is_assessed_and_the_mend_is_told():
    none = rate(analysed=summarise_analysis({}, {}))
    audit = rate()
    for identity in ("S-ANAL-F4", "S-ANAL-I2", "S-ANAL-I3", "S-ANAL-A1"):
        assert outcome(none, identity) == outcome(audit, identity) == "not assessed"
        assert criterion(none, identity)["reason"].startswith("No measure is defined. Add a measure")
        assert criterion(audit, identity)["reason"].startswith("This run analysed no outcome. Add a measure")
    assert "of kind access, quality or safety ([measures.NAME])" in criterion(none, "S-ANAL-F4")["reason"]
    attested_instead = rate(attestations={"S-ANAL-F4": attested()})
    assert criterion(attested_instead, "S-ANAL-F4")["rests_on"] == "attested"


def test_the_comparison_with_residents_names_groups_areas_and_source():
    found = criterion(rate(analysed=analysis()), "S-ANAL-F6")
    assert (found["outcome"], found["evidence"]) == (
        "met",
        "Ethnic group, 2 groups, against residents of Newham (local) and London (region). "
        "Source: Census 2021, TS021",
    )


@pytest.mark.parametrize("column", ["reference", "area", "residents", "residents_share", "share"])
def test_a_comparison_without_source_area_or_figures_is_none(column):
    lacking = (
        RESIDENTS.assign(**{column: None})
        if column not in ("reference", "area")
        else RESIDENTS.assign(**{column: ""})
    )
    found = criterion(rate(analysed=analysis(residents=lacking)), "S-ANAL-F6")
    assert found["outcome"] == "not assessed" and "[service] area" in found["reason"]


def test_a_comparison_by_other_characteristics_is_not_one_by_ethnicity():
    found = criterion(
        rate(analysed=analysis(residents=RESIDENTS[RESIDENTS["characteristic"] == "sex"])), "S-ANAL-F6"
    )
    assert (found["outcome"], found["reason"]) == (
        "not met",
        "Residents were compared by Sex, and not by Ethnic group.",
    )
    cases = analysis(residents=RESIDENTS.assign(of="missed"))
    assert outcome(rate(analysed=cases), "S-ANAL-F6") == "not assessed"


# ---------------------------------------------------------------- rigour, profile


def test_a_rigorous_analysis_has_every_step_and_tells_each():
    found = criterion(rate(analysed=analysis()), "S-ANAL-A1")
    assert found["outcome"] == "met"
    assert [step.split(":")[0] for step in found["evidence"].split("; ")] == [
        "Intervals",
        "Comparator",
        "Small numbers",
        "People of unknown group",
        "Adjustment for age and sex",
    ]


def changed(frame, category, **cells):
    out = frame.astype(dict.fromkeys(cells, "object"))
    for name, value in cells.items():
        out.loc[(out["category"] == category) & (out.get("adjustment", "crude") == "crude"), name] = value
    return out


@pytest.mark.parametrize(
    ("given", "lacking"),
    [
        (
            {"compared": changed(COMPARED, "Asian", ratio_upper=None)},
            "Intervals: none for some groups of Ethnic",
        ),
        (
            {"compared": changed(COMPARED, "White", comparator_category="")},
            "Comparator: not named for Ethnic group",
        ),
        (
            {"compared": changed(COMPARED, "Female", flag="uncertain")},
            "Small numbers: groups with too few people",
        ),
        (
            {"outcomes": OUTCOMES[OUTCOMES["category"] != "Declined"]},
            "People of unknown group: not all are shown for Ethnic group.",
        ),
        (
            {"outcomes": OUTCOMES[OUTCOMES["characteristic"] != "all"]},
            "not all are shown for Ethnic group and Sex",
        ),
        (
            {"compared": COMPARED[COMPARED["adjustment"] == "crude"]},
            "Adjustment for age and sex: neither made nor its absence explained for Missed.",
        ),
    ],
)
def test_a_step_that_was_not_taken_is_named(given, lacking):
    found = criterion(rate(analysed=analysis(**given)), "S-ANAL-A1")
    assert found["outcome"] == "not met"
    assert found["reason"].startswith("Lacking: ") and lacking in found["reason"]
    assert found["reason"].count(":") == 2 and found["evidence"].count("; ") == 3


@pytest.mark.parametrize("where", ["outcomes", "comparisons", "quantile"])
def test_a_reason_stands_for_the_adjustment_that_was_not_made(where):
    crude = COMPARED[COMPARED["adjustment"] == "crude"]
    told = "not standardised: no age is known"
    given = {
        "outcomes": {"outcomes": OUTCOMES.assign(note=told), "compared": crude},
        "comparisons": {
            "compared": pd.concat(
                [crude, crude.assign(adjustment="adjusted", ratio=None, note=told)], ignore_index=True
            )
        },
        "quantile": {"compared": crude.assign(statistic="quantile")},
    }[where]
    found = criterion(rate(analysed=analysis(**given)), "S-ANAL-A1")
    assert found["outcome"] == "met"
    assert found["evidence"].endswith("Adjustment for age and sex: with its reason left out for Missed")


def test_a_note_on_empty_groups_alone_is_no_reason():
    crude = COMPARED[COMPARED["adjustment"] == "crude"]
    silent = crude.assign(adjustment="adjusted", ratio=None, note=["nobody counted", "", ""])
    found = criterion(rate(analysed=analysis(compared=pd.concat([crude, silent]))), "S-ANAL-A1")
    assert found["outcome"] == "not met" and "neither made nor its absence explained" in found["reason"]


def test_without_two_groups_to_compare_rigour_is_not_assessed():
    found = criterion(rate(analysed=analysis(compared=COMPARED.head(0))), "S-ANAL-A1")
    assert found["outcome"] == "not assessed" and "No group could be held against another" in found["reason"]
    few = analysis(compared=COMPARED.assign(information=False, flag="insufficient_data"))
    assert "no group has enough people" in criterion(rate(analysed=few), "S-ANAL-A1")["reason"]


def test_a_profile_that_was_built_meets_its_criterion_and_one_that_was_not_leaves_it_open():
    assert outcome(rate(profile=True), "S-ANAL-A2") == outcome(
        rate(profile=True, level="organisation"), "O-ANAL-A1"
    )
    assert outcome(rate(profile=True), "S-ANAL-A2") == "met"
    assert outcome(rate(), "S-ANAL-A2") == "not assessed"


# ---------------------------------------------------------------- the log of runs, the register, the workforce


def shown(decided="met", **more):
    return Shown(
        **{
            "outcome": decided,
            "evidence": "Two runs, the last on 2026-03-02",
            "date": date(2026, 3, 2),
            "reason": "Two runs within 12 months are regular.",
            **more,
        }
    )


def test_what_the_log_of_runs_shows_decides_before_an_attestation():
    given = {"S-ANAL-F3": attested(met=False)}
    found = criterion(rate(shown={"S-ANAL-F3": shown()}, attestations=given), "S-ANAL-F3")
    assert found[["outcome", "rests_on", "date", "reason"]].tolist() == ["met", "run log", "2026-03-02", ""]
    assert found["evidence"] == "Two runs, the last on 2026-03-02. Two runs within 12 months are regular"
    low = criterion(
        rate(shown={"S-ANAL-F3": shown("not met")}, attestations={"S-ANAL-F3": attested()}), "S-ANAL-F3"
    )
    assert low[["outcome", "rests_on", "reason"]].tolist() == [
        "not met",
        "run log",
        "Two runs within 12 months are regular.",
    ]


def test_what_shows_nothing_leaves_it_to_an_attestation_and_keeps_its_reason():
    nothing = {"S-ANAL-F3": shown("not assessed", reason="There is one run so far.")}
    assert criterion(rate(shown=nothing), "S-ANAL-F3")[["outcome", "rests_on", "reason"]].tolist() == [
        "not assessed",
        "",
        "There is one run so far.",
    ]
    found = criterion(rate(shown=nothing, attestations={"S-ANAL-F3": attested()}), "S-ANAL-F3")
    assert found[["outcome", "rests_on"]].tolist() == ["met", "attested"]


def test_what_was_measured_goes_before_what_is_shown():
    found = criterion(rate({"core_valid": (1, 1000)}, shown={"S-QUAN-F5": shown()}), "S-QUAN-F5")
    assert found[["outcome", "rests_on"]].tolist() == ["not met", "measured"]
    built = rate(shown={"S-ANAL-A2": shown()})
    assert criterion(built, "S-ANAL-A2")[["outcome", "rests_on"]].tolist() == ["met", "run log"]


def test_the_register_decides_attested_criteria_and_names_itself():
    found = rate(shown={"S-QUAL-F3": shown(owner="Patient experience lead"), "S-QUAL-A4": shown()})
    assert criterion(found, "S-QUAL-F3")[["outcome", "rests_on", "owner"]].tolist() == [
        "met",
        "register",
        "Patient experience lead",
    ]
    assert criterion(found, "S-QUAL-A4")["rests_on"] == "register"


def test_a_tier_that_the_log_or_the_register_shows_does_not_rest_on_attestation():
    given = attest_all()
    register = {"S-QUAL-A4": shown(), "S-QUAL-F1": shown()}
    found = rate(attestations=given, shown=register)
    assert tier(found, "QUAL") == ADVANCED and not tier(found, "QUAL", "rests_on_attestation")
    assert tier(found, "QUAL", "tier_measured") == ADVANCED
    assert tier(rate(attestations=given), "QUAL", "rests_on_attestation")


def test_what_takes_a_log_says_so_without_one():
    for identity in ("S-QUAN-A2", "S-ANAL-F3", "S-ACCT-A1", "S-ACCT-A2", "S-QUAL-A4"):
        found = criterion(rate(), identity)
        assert found["outcome"] == "not assessed" and found["reason"].startswith("It takes ")


@pytest.mark.parametrize(("level", "identity"), [("service", "S-WDIV-F1"), ("organisation", "O-WDIV-F1")])
def test_an_extract_of_staff_shows_that_the_workforce_was_assessed(level, identity):
    found = rate(level=level, analysed=analysis(), counted="staff")
    row = criterion(found, identity)
    assert row[["outcome", "rests_on"]].tolist() == ["met", "measured"]
    assert row["evidence"].startswith("Staff compared: Ethnic group, 2 groups, against residents of Newham")
    assert outcome(rate(level=level, analysed=analysis()), identity) == "not assessed"
    nobody = rate(level=level, analysed=analysis(residents=RESIDENTS.head(0)), counted="staff")
    assert "not compared with residents" in criterion(nobody, identity)["reason"]


def test_an_extract_of_staff_decides_nothing_about_patients():
    found = rate(analysed=analysis(), counted="staff", profile=True)
    decided = found.criteria[found.criteria["outcome"] != "not assessed"]
    assert decided["criterion_id"].tolist() == ["S-WDIV-F1"]
    assert criterion(found, "S-QUAN-F1")["reason"].startswith("The extract holds staff")
    given = rate(attestations={"S-QUAN-F4": attested()}, counted="staff")
    assert criterion(given, "S-QUAN-F4")["rests_on"] == "attested"


# ---------------------------------------------------------------- an organisation's own extract


def test_an_organisation_is_measured_on_its_own_extract_as_a_service_is():
    changes = {"joint_known": (940, 1000), "religion_known": (100, 1000)}
    more = {"analysed": analysis(), "profile": True, "shown": {"S-ANAL-F3": shown(), "O-ANAL-F4": shown()}}
    one, all_ = rate(changes, **more), rate(changes, level="organisation", **more)
    pairs = {name: check.same_as for name, check in criterion_checks().items() if check.same_as}
    columns = ["outcome", "rests_on", "figure", "evidence", "reason"]
    for name, same in pairs.items():
        if name.split("-")[1] != "WDIV":
            assert criterion(all_, name)[columns].tolist() == criterion(one, same)[columns].tolist()
    assert outcome(all_, "O-QUAN-F3") == "not met" and outcome(all_, "O-ANAL-F4") == "met"


def test_the_next_steps_of_an_organisation_name_people_too():
    found = sentences(rate({"joint_known": (920, 1000)}, level="organisation", needs=NEEDS, joint=JOINT))
    assert found["O-QUAN-F3, O-QUAN-F4"].startswith(
        "30 more people need both a known ethnicity and a known language"
    )


# ---------------------------------------------------------------- attestations


def attest(identity="S-QUAN-F8", *, as_of=TODAY, rules=None, **given):
    return criterion(rate(attestations={identity: attested(**given)}, as_of=as_of, rules=rules), identity)


def test_an_attestation_decides_with_its_evidence_owner_and_dates():
    found = attest(link="S:/equity/leaflet.pdf", review=date(2027, 1, 12))
    assert found[
        ["outcome", "rests_on", "evidence", "owner", "date", "link", "review", "reason"]
    ].tolist() == [
        "met",
        "attested",
        "Leaflet, version 3",
        "Service manager",
        "2026-01-12",
        "S:/equity/leaflet.pdf",
        "2027-01-12",
        "",
    ]


def test_an_attestation_may_say_that_it_is_not_met():
    found = attest(met=False)
    assert (found["outcome"], found["rests_on"], found["reason"]) == (
        "not met",
        "attested",
        "Attested as not met.",
    )


def test_an_attestation_may_say_that_it_does_not_apply():
    assert attest(not_applicable=True)[["outcome", "rests_on"]].tolist() == ["not applicable", "attested"]


def test_without_an_attestation_the_reason_says_what_it_takes():
    matrix = reference.criteria("service").set_index("criterion_id")
    found = criterion(rate(), "S-QUAN-F8")
    assert found["outcome"] == "not assessed"
    assert found["reason"] == f"No attestation. What it takes: {matrix.loc['S-QUAN-F8', 'how_measured']}."


@pytest.mark.parametrize(
    ("on", "as_of", "decided"),
    [
        (date(2024, 4, 1), date(2026, 4, 1), "met"),
        (date(2024, 4, 1), date(2026, 4, 2), "not assessed"),
        # Two years with a leap day in them are 731 days, and no longer than two years.
        (date(2023, 3, 1), date(2025, 3, 1), "met"),
        (date(2023, 3, 1), date(2025, 3, 2), "not assessed"),
        (date(2024, 2, 29), date(2026, 2, 28), "met"),
    ],
)
@pytest.mark.parametrize("not_applicable", [False, True])
def test_an_attestation_lapses_after_24_months(on, as_of, decided, not_applicable):
    found = attest(on=on, as_of=as_of, not_applicable=not_applicable)
    assert found["outcome"] == ("not applicable" if decided == "met" and not_applicable else decided)
    assert ("lapsed" in found["reason"]) == (decided == "not assessed")
    assert found["date"] == on.isoformat()


def test_the_months_are_a_rule():
    assert attest(on=date(2025, 10, 1), rules={"attestation_lapse_months": 6})["outcome"] == "met"
    found = attest(on=date(2025, 9, 30), rules={"attestation_lapse_months": 6})
    assert found["reason"] == "The attestation is older than 6 months and has lapsed."


@pytest.mark.parametrize("not_applicable", [False, True])
def test_an_attestation_of_a_day_to_come_decides_nothing(not_applicable):
    assert attest(on=TODAY)["outcome"] == "met"
    found = attest(on=date(2026, 4, 2), not_applicable=not_applicable)
    assert found["outcome"] == "not assessed" and "after the day of the rating" in found["reason"]


def test_a_measured_criterion_may_be_attested_where_it_could_not_be_measured():
    given = {"S-QUAN-F4": attested()}
    found = criterion(rate({"core_self_reported": None}, attestations=given), "S-QUAN-F4")
    assert found[["outcome", "rests_on"]].tolist() == ["met", "attested"]


@pytest.mark.parametrize("given", [attested(met=False), attested(not_applicable=True)])
def test_where_it_was_measured_the_measure_decides(given):
    found = criterion(rate(attestations={"S-QUAN-F4": given}), "S-QUAN-F4")
    assert found[["outcome", "rests_on"]].tolist() == ["met", "measured"]
    low = criterion(
        rate({"core_self_reported": (1, 1000)}, attestations={"S-QUAN-F4": attested()}), "S-QUAN-F4"
    )
    assert low[["outcome", "rests_on"]].tolist() == ["not met", "measured"]


# ---------------------------------------------------------------- tiers


def test_a_tier_is_reached_when_it_and_all_lower_ones_are_met():
    tiers = pd.Series(["Fundamental", "Intermediate", "Advanced"])

    def reached(*found):
        return area_tier(tiers, pd.Series(found))

    assert reached("met", "met", "met") == ADVANCED
    assert reached("met", "met", "not met") == INTERMEDIATE
    assert reached("met", "not assessed", "met") == FUNDAMENTAL
    assert reached("not met", "met", "met") == WORKING


def test_every_criterion_of_a_tier_counts():
    tiers = pd.Series(["Fundamental"] * 3)
    assert area_tier(tiers, pd.Series(["met", "met", "not assessed"])) == WORKING
    assert area_tier(tiers, pd.Series(["met", "met", "met"])) == FUNDAMENTAL


def test_a_tier_of_which_nothing_applies_is_not_reached():
    assert area_tier(pd.Series(["Intermediate"]), pd.Series(["met"])) == WORKING
    assert area_tier(pd.Series([], dtype="object"), pd.Series([], dtype="object")) == WORKING


def test_the_measured_tier_leaves_out_tiers_that_hold_nothing_to_measure():
    nothing = pd.Series([], dtype="object")
    assert measured_tier(nothing, nothing) == "Nothing measured"
    assert measured_tier(pd.Series(["Fundamental"]), pd.Series(["not assessed"])) == "Nothing measured"
    assert measured_tier(pd.Series(["Advanced"]), pd.Series(["met"])) == ADVANCED
    assert measured_tier(pd.Series(["Fundamental", "Advanced"]), pd.Series(["not met", "met"])) == WORKING
    assert (
        measured_tier(pd.Series(["Fundamental", "Intermediate"]), pd.Series(["met", "not assessed"]))
        == FUNDAMENTAL
    )


def test_all_core_criteria_met_reach_the_tier_whatever_the_examples():
    given = attest_all()
    found = rate(attestations=given)
    examples = found.criteria[found.criteria["required"] != "core"]
    assert "not assessed" in set(examples["outcome"])
    assert tier(found, "QUAL") == INTERMEDIATE  # S-QUAL-A4 is computed from a scan that is not made yet
    assert tier(found, "CONV") == ADVANCED


@pytest.mark.parametrize("required", ["example", "optional"])
def test_an_example_or_optional_criterion_that_is_not_met_does_not_block(required):
    matrix = reference.criteria("service")
    extra = matrix[(matrix["required"] == required) & matrix["area"].str.contains("data")]
    assert len(extra)
    raised = pd.DataFrame({"flag": ["residual over-use"]})
    given = attest_all() | {name: attested(met=False) for name in extra["criterion_id"]}
    with_them, without = rate(attestations=given, flags=raised), rate(attestations=attest_all(), flags=raised)
    assert "not met" in set(
        with_them.criteria.set_index("criterion_id").loc[extra["criterion_id"], "outcome"]
    )
    pd.testing.assert_series_equal(with_them.areas["tier"], without.areas["tier"])


def test_one_core_criterion_of_a_lower_tier_blocks_all_higher_ones():
    given = attest_all(without=["S-CONV-F1"])
    assert tier(rate(attestations=given), "CONV") == WORKING
    given["S-CONV-F1"] = attested(not_applicable=True)
    # The only Fundamental criterion of the area does not apply, so nothing shows that tier.
    assert tier(rate(attestations=given), "CONV") == WORKING


def test_a_criterion_that_does_not_apply_is_left_out_of_the_question():
    given = attest_all(without=["S-CONV-I1"])
    assert tier(rate(attestations=given), "CONV") == FUNDAMENTAL
    given["S-CONV-I1"] = attested(not_applicable=True)
    assert tier(rate(attestations=given), "CONV") == ADVANCED


def test_areas_count_their_criteria_by_outcome():
    found = rate({"core_valid": (1, 1000)}, attestations={"S-QUAN-F8": attested()})
    row = found.areas.set_index("area_code").loc["QUAN"]
    frame = found.criteria[found.criteria["area"] == row["area"]]
    counted = frame["outcome"].value_counts()
    assert row[["met", "not_met", "not_assessed"]].tolist() == [counted["met"], 1, counted["not assessed"]]
    assert row["criteria"] == len(frame) == counted.sum()
    assert found.areas.loc[found.areas["data_domain"], "area_code"].tolist() == list(DATA_AREAS)


def test_a_tier_rests_on_attestation_where_none_of_its_criteria_was_measured():
    found = rate(attestations=attest_all())
    rests = found.areas.set_index("area_code")["rests_on_attestation"]
    assert rests["CONV"] and rests["QUAL"] and not rests["QUAN"]
    assert not rate().areas["rests_on_attestation"].any()


def test_a_measure_of_a_tier_beyond_the_one_reached_does_not_carry_it():
    # The one measured criterion left is Advanced; Fundamental rests on documents alone.
    given = attest_all() | {name: attested() for name in criterion_checks()}
    found = rate(None, attestations=given, audited=False)
    assert tier(found, "QUAN", "rests_on_attestation")
    nothing = dict.fromkeys(figures()["figure"])
    nothing_but_advanced = rate(
        nothing, attestations=given | {"S-QUAN-I7": attested(met=False)}, residual=None
    )
    assert criterion(nothing_but_advanced, "S-QUAN-A4")["rests_on"] == "measured"
    assert tier(nothing_but_advanced, "QUAN") == FUNDAMENTAL
    assert tier(nothing_but_advanced, "QUAN", "rests_on_attestation")


def test_the_tier_from_measures_alone_says_how_far_the_data_would_carry():
    given = attest_all()
    found = rate({"religion_known": (1, 1000)}, attestations=given)
    assert tier(found, "QUAN", "tier_measured") == FUNDAMENTAL
    assert tier(found, "QUAL", "tier_measured") == "Nothing measured"
    # Areas in which nothing was measured are left out of it.
    assert found.tier_measured == FUNDAMENTAL
    # A measured criterion that was attested counts as not assessed there.
    attested_instead = rate({"core_self_reported": None}, attestations=given | {"S-QUAN-F4": attested()})
    assert tier(attested_instead, "QUAN") == INTERMEDIATE
    assert tier(attested_instead, "QUAN", "tier_measured") == WORKING


def test_the_tier_under_the_other_reading_of_declined_answers():
    counts = {"joint_known": (940, 1000), "joint_known_or_declined": (960, 1000), "religion_known": (1, 1000)}
    found = rate(counts, attestations=attest_all())
    assert (tier(found, "QUAN"), tier(found, "QUAN", "tier_other_reading")) == (WORKING, FUNDAMENTAL)
    assert found.tier_other_reading == WORKING  # outcomes by group are not made yet


@pytest.mark.parametrize(
    ("rule", "tiers", "wanted"),
    [
        ("lowest", [ADVANCED, FUNDAMENTAL, INTERMEDIATE], FUNDAMENTAL),
        ("median", [ADVANCED, FUNDAMENTAL, INTERMEDIATE], INTERMEDIATE),
        ("median", [WORKING, WORKING, ADVANCED], WORKING),
        ("median", [FUNDAMENTAL, INTERMEDIATE], FUNDAMENTAL),
        ("profile", [ADVANCED, ADVANCED], "Profile only"),
        ("lowest", [ADVANCED, "Nothing measured"], ADVANCED),
        ("lowest", ["Nothing measured", "Nothing measured"], "Nothing measured"),
        ("median", [ADVANCED, ADVANCED, "Nothing measured"], ADVANCED),
        ("lowest", [], WORKING),
    ],
)
def test_one_tier_is_made_of_several_by_the_rule(rule, tiers, wanted):
    assert overall_tier(pd.Series(tiers, dtype="object"), load_rulebook({"tier_rule": rule})) == wanted


def test_the_domain_is_rated_on_its_three_areas_and_the_matrix_on_all_ten():
    data = [name for name in attest_all() if name.split("-")[1] in DATA_AREAS]
    later = {name: attested() for name in criterion_checks()}
    found = rate(attestations={**{name: attested() for name in data}, **later})
    assert found.areas.loc[found.areas["data_domain"], "tier"].tolist() == [ADVANCED] * 3
    assert (found.tier, found.matrix_tier) == (ADVANCED, WORKING)


# ---------------------------------------------------------------- the organisation


def test_every_organisation_criterion_is_rated_and_names_what_is_missing():
    found = rate(level="organisation", audited=False)
    assert len(found.criteria) == len(reference.criteria("organisation")) == 117
    assert set(found.criteria["outcome"]) == {"not assessed"} and (found.criteria["reason"] != "").all()
    reason = "No extract was audited, and no services were combined."
    assert criterion(found, "O-QUAN-F3")["reason"] == reason
    assert (found.tier, len(found.areas)) == (WORKING, 10)


def test_an_organisation_that_attests_everything_reaches_the_highest_tier():
    matrix = reference.criteria("organisation")
    found = rate(
        level="organisation",
        audited=False,
        attestations={name: attested() for name in matrix["criterion_id"]},
    )
    assert (found.tier, found.matrix_tier, found.tier_measured) == (ADVANCED, ADVANCED, "Nothing measured")
    assert found.areas["rests_on_attestation"].all() and found.next_steps.empty


# ---------------------------------------------------------------- how many more

THRESHOLDS = [0.5, 0.9, 0.95, 0.975, 1.0, 0.333333333333, 0.1]


def missing(numerator, denominator, threshold, compare="at_least", *, unit="people", **rules):
    row = {"numerator": numerator, "denominator": denominator, "threshold": threshold, "unit": unit}
    return shortfall(row, compare, load_rulebook(rules))


@pytest.mark.parametrize(
    ("counts", "threshold", "compare", "wanted"),
    [
        ((10_782, 12_000), 0.95, "at_least", 618),
        ((949, 1000), 0.95, "at_least", 1),
        ((950, 1000), 0.95, "at_least", 0),
        ((18, 20), 0.95, "at_least", 1),
        ((19, 21), 0.95, "at_least", 1),
        ((500, 1000), 0.5, "more_than", 1),
        ((501, 1000), 0.5, "more_than", 0),
        ((0, 25), 0.5, "more_than", 13),
        ((7, 1000), 1.0, "more_than", None),
    ],
)
def test_the_shortfall_at_the_boundary(counts, threshold, compare, wanted):
    assert missing(*counts, threshold, compare) == wanted


@given(data=st.data(), denominator=st.integers(1, 3_000_000), threshold=st.sampled_from(THRESHOLDS))
@settings(max_examples=200, deadline=None)
def test_the_shortfall_is_the_fewest_that_pass_exactly(data, denominator, threshold):
    compare = data.draw(st.sampled_from(["at_least", "more_than"]))
    near = int(threshold * denominator)
    numerator = data.draw(st.integers(max(0, near - 3), min(denominator, near + 3)))
    level = Fraction(str(threshold))
    exact = -(-denominator * level.numerator // level.denominator)
    if compare == "more_than":
        exact = denominator * level.numerator // level.denominator + 1
    found = missing(numerator, denominator, threshold, compare)
    assert found == (None if exact > denominator else max(0, exact - numerator))


@given(data=st.data(), denominator=st.integers(25, 5000), threshold=st.sampled_from(THRESHOLDS))
@settings(max_examples=100, deadline=None)
def test_the_shortfall_of_a_sample_is_the_fewest_whose_lower_limit_passes(data, denominator, threshold):
    numerator = data.draw(st.integers(0, denominator))
    found = missing(numerator, denominator, threshold, sample=True)
    lower, _ = wilson(range(denominator + 1), [denominator] * (denominator + 1))
    enough = [met for met, limit in enumerate(lower) if limit >= threshold]
    assert found == (max(0, enough[0] - numerator) if enough else None)


def test_points_of_care_are_missing_up_to_the_number_wanted():
    assert missing(1, 5, 2, unit="points of care") == 1
    assert missing(3, 5, 2, unit="points of care") == 0


def test_the_decisive_share_is_the_point_value_or_the_lower_limit():
    assert decisive_share(19, 20, load_rulebook()) == 0.95
    narrow, wide = (
        decisive_share(19, 20, load_rulebook({"sample": True, "confidence": level})) for level in (0.9, 0.99)
    )
    assert wide < narrow < 0.95


# ---------------------------------------------------------------- next steps

NEEDS = table("""
    characteristic | label | site         | people
    joint          | Both  | North        | 30
    joint          | Both  | South        | 20
    joint          | Both  | Not recorded | 25
    joint          | Both  | East         |  5
    ethnicity      | Ethnic group | North | 7
    religion       | Religion or belief | West | 500
""")
JOINT = table("""
    first          | second         | people
    known          | known          | 920
    known          | missing        |  50
    declined       | known          |  20
    declined       | missing        |  10
    not_applicable | missing        | 500
""")


def sentences(maturity):
    """Each step with a number as the page and the command line compose it."""
    steps = maturity.next_steps
    return {
        row.criterion_id: f"{row.needed:,.0f} more {row.unit} need {row.what}"
        + (f", {row.places}" if row.places else "")
        + f". {row.action}"
        for row in steps[steps["needed"].notna()].itertuples()
    }


def test_criteria_that_the_joint_share_decides_are_one_step_that_reads_as_a_sentence():
    found = rate({"joint_known": (920, 1000)}, needs=NEEDS, joint=JOINT, attestations=attest_all())
    assert sentences(found) == {
        "S-QUAN-F1, S-QUAN-F2": "30 more people need both a known ethnicity and a known language, most of them at "
        "North and South. It is more often the language that is lacking. Ask at the next contact and record the "
        "answer."
    }


def test_with_the_joint_rule_off_each_field_is_a_step_of_its_own():
    counts = {"ethnicity_known": (949, 1000), "language_known": (900, 1000)}
    found = sentences(rate(counts, needs=NEEDS, rules={"joint": False}))
    assert found == {
        "S-QUAN-F1": "1 more people need a known ethnicity, most of them at North. Ask at the next contact and "
        "record the answer.",
        "S-QUAN-F2": "50 more people need a known language. Ask at the next contact and record the answer.",
    }


def test_where_declined_answers_count_the_words_say_so():
    counts = {"joint_known_or_declined": (920, 1000)}
    found = sentences(rate(counts, joint=JOINT, rules={"count_declined": True}))
    assert found["S-QUAN-F1, S-QUAN-F2"].startswith(
        "30 more people need both a known or declined ethnicity and a known or declined language. "
        "It is more often the language that is lacking."
    )
    equal = pd.DataFrame({"first": ["known", "missing"], "second": ["missing", "known"], "people": [4, 4]})
    found = sentences(rate(counts, joint=equal, rules={"count_declined": True}))
    assert "Ethnicity and language are lacking equally often." in found["S-QUAN-F1, S-QUAN-F2"]


LOW_FUNDAMENTAL = {
    "points_of_care_filled": (1, 5),
    "core_self_reported": (800, 2000),
    "core_valid": (1800, 2000),
    "ethnicity_detailed": (500, 1000),
}
LOW_INTERMEDIATE = {
    "religion_known": (400, 1000),
    "disability_known": (450, 1000),
    "geography_known": (100, 1000),
    "postcode_known": (200, 1000),
    "mental_illness_known": (300, 1000),
    "migrant_status_known": (400, 1000),
    "country_of_birth_known": None,
    "other_self_reported": (1000, 3000),
    **{f"{name}_known": (350, 1000) for name in ("employment", "accommodation", "carer", "deprivation")},
}


def test_each_fundamental_step_reads_as_a_sentence():
    assert sentences(rate(LOW_FUNDAMENTAL)) == {
        "S-QUAN-F3": "1 more points of care need a known ethnicity and language for at least half of the people "
        "seen there. Ask or confirm both wherever people are seen.",
        "S-QUAN-F5": "100 more recorded values need a valid code of one named list. Map local words to the list in "
        "the service file, or mend the codes where they are recorded.",
        "S-QUAN-F7": "450 more people need a detailed rather than a broad ethnic group. Offer the detailed list "
        "wherever the question is asked.",
        "S-QUAN-F4": "1,100 more known values need to come from the person themselves. Ask the person, and record "
        "that the answer is their own.",
    }


def test_each_intermediate_step_reads_as_a_sentence_and_names_its_field():
    given = attest_all() | {name: attested() for name in criterion_checks() if name.startswith("S-ANAL")}
    found = sentences(rate(LOW_INTERMEDIATE, attestations=given, needs=NEEDS))
    ask = "Ask at the next contact and record the answer."
    assert found == {
        "S-QUAN-I1": "101 more people need a known value for religion or belief, most of them at West. Too often "
        f"not known: Religion or belief, Disability. {ask}",
        "S-QUAN-I2": f"301 more people need a known value for postcode of residence. {ask}",
        "S-QUAN-I3": f"201 more people need a recorded yes or no for mental illness. {ask}",
        "S-QUAN-I4": f"101 more people need a known value for resident or migrant status. {ask}",
        "S-QUAN-I5": f"151 more people need a known value for deprivation (IMD decile). {ask}",
        "S-QUAN-I6": "501 more known values need to come from the person themselves. Ask the person, and record "
        "that the answer is their own.",
    }


def test_with_one_point_of_care_people_need_two_recordings():
    found = sentences(rate({"points_of_care_filled": (40, 100, "people")}))
    assert found["S-QUAN-F3"].startswith(
        "10 more people need an ethnicity and a language that are recorded on two different days."
    )


def test_a_step_without_a_number_says_what_the_criterion_asks_and_why_it_is_open():
    given = attest_all(without=["S-QUAN-F9"]) | {"S-QUAN-F8": attested(met=False)}
    found = rate(attestations=given).next_steps.set_index("criterion_id")
    matrix = reference.criteria("service").set_index("criterion_id")["criterion"]
    assert found.loc["S-QUAN-F8", "action"] == f"{matrix['S-QUAN-F8']} Attested as not met."
    assert found.loc["S-QUAN-F9", "action"].startswith(
        f"{matrix['S-QUAN-F9']} No attestation. What it takes: "
    )
    assert set(found["what"]) == {""} and found["needed"].isna().all()


def test_a_measured_criterion_attested_as_not_met_has_no_number():
    given = {"S-QUAN-F4": attested(met=False)}
    found = rate({"core_self_reported": None}, attestations=given).next_steps.set_index("criterion_id")
    assert found.loc["S-QUAN-F4", "outcome"] == "not met"
    assert pd.isna(found.loc["S-QUAN-F4", "needed"]) and found.loc["S-QUAN-F4", "what"] == ""
    assert found.loc["S-QUAN-F4", "action"].endswith("Attested as not met.")


def test_identifiers_that_are_left_are_a_step_without_a_number():
    given = {name: attested() for name in reference.criteria("service")["criterion_id"]}
    found = rate(attestations=given, identifiers={**CLEAN, "columns": ["nhs_no (NHS number)"]}).next_steps
    assert found["criterion_id"].tolist() == ["S-QUAN-A4"]
    assert found["action"].item().endswith("Columns that look like direct identifiers: nhs_no (NHS number).")


def test_a_sample_that_is_too_small_to_show_it_says_so():
    found = rate({"joint_known": (30, 30)}, rules={"sample": True}).next_steps.set_index("criterion_id")
    step = found.loc["S-QUAN-F1, S-QUAN-F2"]
    assert pd.isna(step["needed"]) and "The sample is too small to show it" in step["action"]


def test_what_is_not_met_comes_first_the_fewest_first_then_what_is_not_assessed():
    found = rate(LOW_FUNDAMENTAL).next_steps
    assert found["order"].tolist() == list(range(1, len(found) + 1))
    assert found["criterion_id"].tolist()[:4] == ["S-QUAN-F3", "S-QUAN-F5", "S-QUAN-F7", "S-QUAN-F4"]
    assert found["outcome"].tolist() == ["not met"] * 4 + ["not assessed"] * (len(found) - 4)


def test_steps_are_of_the_lowest_data_areas_and_their_next_tier():
    found = rate(attestations=attest_all()).next_steps
    # Quantitative data is beyond Fundamental; analysis is not, for want of outcomes by group.
    assert set(found["area"]) == {"Analysing the data"} and set(found["tier"]) == {FUNDAMENTAL}


def test_only_core_criteria_are_steps():
    raised = pd.DataFrame({"flag": ["residual over-use"]})
    found = rate(flags=raised)
    assert outcome(found, "S-QUAN-F6") == "not met"
    assert "S-QUAN-F6" not in set(found.next_steps["criterion_id"])


def test_at_the_highest_tier_there_is_no_next_step():
    given = {name: attested() for name in reference.criteria("service")["criterion_id"]}
    found = rate(attestations=given)
    assert found.tier == ADVANCED and found.next_steps.empty
    assert list(found.next_steps.columns) == list(SPECS["next_steps"].columns)


@pytest.mark.parametrize(
    ("people", "words"),
    [
        ({"North": 60, "South": 30, "East": 10}, "most of them at North and South"),
        ({"North": 25, "South": 25, "East": 25, "West": 25}, "most of them at North and South"),
        ({"North": 25, "South": 24, "East": 24, "West": 26, "Hub": 24}, "most often at West and North"),
        ({"North": 60, "South": 0}, "most of them at North"),
        ({"Not recorded": 90, "North": 10}, "most often at North"),
        ({"Not recorded": 90}, ""),
        ({"North": 0}, ""),
        ({}, ""),
    ],
)
def test_the_two_places_with_most_people_are_named(people, words):
    needs = pd.DataFrame({"characteristic": "joint", "site": list(people), "people": list(people.values())})
    assert worst_places(needs, "joint") == words
    assert worst_places(needs, "language") == ""


# ---------------------------------------------------------------- shapes and warnings


@pytest.mark.filterwarnings("error")
def test_rating_raises_no_warning():
    for level, audited in (("service", True), ("service", False), ("organisation", False)):
        found = rate(
            LOW_FUNDAMENTAL if audited else None, level=level, audited=audited, needs=NEEDS, joint=JOINT
        )
        for name in ("criteria", "areas", "next_steps"):
            assert list(getattr(found, name).columns) == list(SPECS[name].columns)


def test_a_rule_that_does_not_exist_is_refused():
    with pytest.raises(ConfigError, match="tier_rule"):
        rate(rules={"tier_rules": "lowest"})
