"""rating.json: one shape, described, the same in the schema, the models and the file."""

import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
from pydantic import BaseModel, ValidationError

import equitydata.rating as rating_module
from equitydata.rating import Rating, make_rating, rating_schema
from equitydata.release.released import release
from equitydata.report.folder import write_report
from report_sample import sample_result, without_extract

SCHEMA = Path(rating_module.__file__).parent / "templates" / "rating.schema.json"
MODELS = [
    each for each in vars(rating_module).values() if isinstance(each, type) and issubclass(each, BaseModel)
]


def rated(**labels) -> Rating:
    return make_rating(release(sample_result(**labels)))


def headline(rating: Rating, characteristic: str, reading: str):
    return next(
        each for each in rating.headline if (each.characteristic, each.reading) == (characteristic, reading)
    )


def test_the_committed_schema_is_the_one_of_the_models():
    assert json.loads(SCHEMA.read_text(encoding="utf-8")) == rating_schema()


def test_the_schema_is_a_valid_schema():
    jsonschema.Draft202012Validator.check_schema(rating_schema())


@pytest.mark.parametrize("result", [sample_result(), without_extract()], ids=["with extract", "without"])
def test_the_written_file_validates_with_the_committed_schema(result, tmp_path):
    paths = write_report(result, tmp_path / "report")
    content = json.loads(paths.rating.read_text(encoding="utf-8"))
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.validate(content, schema, format_checker=jsonschema.FormatChecker())


def test_the_written_file_is_read_back_as_the_same_rating(tmp_path):
    paths = write_report(sample_result(), tmp_path / "report")
    assert Rating.model_validate_json(paths.rating.read_bytes()) == rated()


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_field_is_described(model):
    assert all(field.description for field in model.model_fields.values())


def test_a_field_that_nobody_described_is_refused():
    content = rated().model_dump(mode="json") | {"surprise": 1}
    with pytest.raises(ValidationError):
        Rating.model_validate(content)


def test_a_rating_cannot_be_changed():
    with pytest.raises(ValidationError):
        rated().matrix_tier = "Advanced"


def test_every_criterion_and_area_of_the_matrix_is_there():
    result = sample_result()
    rating = make_rating(release(result))
    assert [each.criterion_id for each in rating.criteria] == list(result.maturity.criteria["criterion_id"])
    assert [each.area for each in rating.areas] == list(result.maturity.areas["area"])
    assert len(rating.criteria) == 111 and len(rating.areas) == 10


def test_a_measured_criterion_shows_its_number_as_released():
    # True counts: 1,742 of 2,000 people with both known.
    criterion = next(each for each in rated().criteria if each.criterion_id == "S-QUAN-F1")
    assert (criterion.numerator, criterion.denominator, criterion.value) == (1740, 2000, 0.87)
    assert (criterion.outcome, criterion.rests_on, criterion.threshold) == ("not met", "measured", 0.95)


def test_an_attested_criterion_shows_its_evidence_owner_and_day():
    criterion = next(each for each in rated().criteria if each.criterion_id == "S-QUAN-F8")
    assert (criterion.outcome, criterion.rests_on) == ("met", "attested")
    assert (criterion.evidence, criterion.owner) == ("Leaflet, version 3", "Service manager")
    assert criterion.date is not None and criterion.date.isoformat() == "2026-01-12"


def test_a_hidden_criterion_keeps_its_outcome_and_loses_its_numbers():
    # 1,996 of 2,000 people have a known sex, so the 4 without one are few enough to hide the row.
    criterion = next(each for each in rated().criteria if each.criterion_id == "S-QUAN-I1")
    assert criterion.hidden and criterion.figure == "sex_known"
    assert (criterion.numerator, criterion.denominator, criterion.value, criterion.lower) == (None,) * 4
    assert criterion.outcome == "not assessed"


def test_the_headline_has_both_readings_and_says_which_is_in_force():
    rating = rated()
    assert len(rating.headline) == 6
    assert headline(rating, "joint", "known").value == 0.87
    assert headline(rating, "joint", "known_or_declined").value == 0.9
    assert {each.reading for each in rating.headline if each.in_force} == {"known"}


def test_counting_declined_answers_puts_the_other_reading_in_force():
    rating = rated(rules={"count_declined": True})
    assert {each.reading for each in rating.headline if each.in_force} == {"known_or_declined"}
    assert rating.data_domain.declined_counts


def test_a_rating_without_an_extract_says_so_and_shows_no_share():
    rating = make_rating(release(without_extract()))
    assert all(each.value is None and not each.measured and each.reason for each in rating.headline)
    assert rating.intake.rows_read == 0


def test_the_core_criteria_of_the_data_domain_add_up():
    result = sample_result()
    rating = make_rating(release(result))
    data = result.maturity.areas.loc[result.maturity.areas["data_domain"], "area"]
    criteria = result.maturity.criteria
    core = criteria[criteria["area"].isin(data) & (criteria["required"] == "core")]
    assert sum(rating.data_domain.core_criteria.model_dump().values()) == len(core)
    assert rating.data_domain.core_criteria.met_attested == 1  # S-QUAN-F8


def test_few_people_are_hidden_in_about():
    assert rated(people=7).about.people is None
    assert rated(people=8).about.people == 10


def test_rows_read_are_rows_used_and_rejected():
    intake = rated().intake
    assert intake.rows_read == intake.rows_used + intake.rows_rejected == 6012
    assert sum(each.rows for each in intake.rejections) == intake.rows_rejected == 12


def test_only_changed_choices_are_listed():
    assert rated().changed_choices == ()
    (changed,) = rated(rules={"completeness_threshold": 0.9}).changed_choices
    assert (changed.name, changed.value, changed.default) == ("completeness_threshold", 0.9, 0.95)


def test_a_list_of_band_ends_is_kept_as_a_list():
    (changed,) = rated(rules={"contact_bands": [1, 2]}).changed_choices
    assert changed.value == (1, 2)


def test_the_joint_step_names_both_criteria():
    first = rated().next_steps[0]
    assert first.criterion_ids == ("S-QUAN-F1", "S-QUAN-F2")
    assert (first.needed, first.unit) == (160, "people")  # 95% of 2,000 is 1,900; 158 more, to the nearest 5


def test_the_disclosure_rule_and_the_rows_it_hid_are_stated():
    disclosure = rated().disclosure
    assert (disclosure.rule, disclosure.hide_up_to, disclosure.round_to) == ("nhs", 7, 5)
    assert disclosure.hidden_rows["categories"] > 0


def test_hostile_labels_are_shown_and_cut():
    rating = rated(name="\u202eevil\x00" + "x" * 40_000)
    assert rating.about.name.startswith("[U+202E]evil[U+0000]x")
    assert rating.about.name.endswith("… [cut]") and len(rating.about.name) < 230


# ---------------------------------------------------------------- the equity analysis


def test_measures_findings_comparisons_representation_and_runs_are_told():
    rating = rated()
    assert [(each.measure, each.value) for each in rating.measures] == [
        ("did_not_attend", 0.16),
        ("wait", 23.5),
    ]
    (first,) = rating.findings  # a hidden finding is left out: it would say that its group was flagged
    assert (first.category, first.people, first.ratio, first.look) == (
        "Bangladeshi",
        610,
        1.88,
        "Ask how reminders reach them.",
    )
    (flagged,) = rating.comparisons
    assert (flagged.category, flagged.numerator, flagged.denominator) == ("Bangladeshi", 335, 1520)
    assert {each.area for each in rating.representation} == {"Newham", "England"}
    assert [(each.date.isoformat(), each.people) for each in rating.runs] == [("2025-04-02", 1905)]


def test_an_audit_alone_has_no_measures():
    rating = rated(equity=False)
    assert (rating.measures, rating.findings, rating.comparisons, rating.representation) == ((), (), (), ())


def test_a_rating_of_before_the_equity_analysis_can_still_be_read():
    content = rated().model_dump(mode="json")
    for name in ("measures", "findings", "comparisons", "representation", "runs"):
        del content[name]
    del content["data_domain"]["core_criteria"]["met_shown"]
    assert Rating.model_validate(content).measures == ()


def test_a_limit_without_end_is_null():
    result = sample_result()
    comparisons = result.tables["comparisons"].assign(ratio_upper=float("inf"))
    rating = make_rating(release(replace(result, tables={**result.tables, "comparisons": comparisons})))
    assert rating.comparisons[0].ratio_upper is None and rating.comparisons[0].ratio is not None
