"""The service file: what it accepts, and how it says what is wrong."""

import json

import pytest

from equitydata.errors import ConfigError
from equitydata.rulebook import characteristics, criterion_checks, load_rulebook
from equitydata.service import load_service, make_service, service_schema

GOOD = """
[service]
name = "Clinic"
area = ["E09000025"]

[extract]
path = "contacts.csv"
person = "id"

[characteristics.ethnicity]
column = "ethnic"
"""


def write(tmp_path, text):
    path = tmp_path / "service.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_good_file_is_read(tmp_path):
    service = load_service(write(tmp_path, GOOD))
    assert service.service.name == "Clinic"
    assert service.characteristics["ethnicity"].column == "ethnic"
    assert service.folder == tmp_path


@pytest.mark.parametrize(
    ("change", "says", "line"),
    [
        (("person =", "persn ="), "Did you mean 'person'?", 8),
        (("[characteristics.ethnicity]", "[characteristics.ethnicty]"), "Did you mean 'ethnicity'?", 10),
        (('column = "ethnic"', 'colum = "ethnic"'), "Did you mean 'column'?", 11),
        (("[extract]", "[extrakt]"), "Did you mean 'extract'?", 6),
        (('name = "Clinic"', "name = Clinic"), "Not valid TOML", 3),
        (('name = "Clinic"', "name = 7"), "service.name", 3),
    ],
)
def test_a_fault_is_told_with_its_line_and_the_mend(tmp_path, change, says, line):
    with pytest.raises(ConfigError) as caught:
        load_service(write(tmp_path, GOOD.replace(*change)))
    assert says in str(caught.value)
    assert f"line {line}" in str(caught.value)


def test_an_unknown_rule_names_the_nearest(tmp_path):
    with pytest.raises(ConfigError, match="Did you mean 'count_declined'"):
        load_service(write(tmp_path, GOOD + "\n[rules]\ncount_decline = true\n"))


@pytest.mark.parametrize("value", ["1.4", '"much"', "true"])
def test_a_share_must_be_a_fraction(tmp_path, value):
    with pytest.raises(ConfigError):
        load_service(write(tmp_path, GOOD + f"\n[rules]\ncompleteness_threshold = {value}\n"))


def test_an_unknown_criterion_cannot_be_attested(tmp_path):
    bad = '\n[attestations]\nS-QUAN-F88 = { met = true, evidence = "x", owner = "y", date = 2026-01-01 }\n'
    with pytest.raises(ConfigError, match="Did you mean 'S-QUAN-F8'"):
        load_service(write(tmp_path, GOOD + bad))


def test_attestations_may_stand_in_a_file_beside(tmp_path):
    beside = 'S-QUAN-F8 = { met = true, evidence = "x", owner = "y", date = 2026-01-01 }'
    (tmp_path / "attestations.toml").write_text(f"[attestations]\n{beside}\n")
    assert load_service(write(tmp_path, GOOD)).attestations["S-QUAN-F8"].met
    with pytest.raises(ConfigError, match="two files"):
        load_service(write(tmp_path, GOOD + f"\n[attestations]\n{beside}\n"))


def test_a_missing_file_names_the_nearest(tmp_path):
    write(tmp_path, GOOD)
    with pytest.raises(ConfigError, match=r"Did you mean 'service\.toml'"):
        load_service(tmp_path / "servce.toml")


def test_a_condition_needs_a_test():
    with pytest.raises(ConfigError, match="a condition needs one of"):
        make_service({"extract": {"exclude": [{"column": "a"}]}})


def test_a_message_never_repeats_the_value_that_was_given():
    with pytest.raises(ConfigError) as caught:
        make_service({"service": {"area": 9434765919}})
    assert "9434765919" not in str(caught.value)


def test_the_schema_describes_every_key():
    schema = json.loads(json.dumps(service_schema()))
    for definition in schema["$defs"].values():
        for key, entry in definition.get("properties", {}).items():
            assert entry.get("description"), key


def test_every_choice_has_a_reason_and_a_source():
    for choice in load_rulebook().choices.values():
        assert choice.reason and choice.source and choice.label and not choice.changed


def test_every_characteristic_names_lists_that_exist():
    from equitydata import codelists

    known = set(codelists.catalogue()["code_list"])
    for kind in characteristics().values():
        assert set(kind.code_lists) <= known, kind.name


def test_every_measured_criterion_has_its_check():
    from equitydata.reference import criteria

    table = criteria()
    wanted = set(table.loc[table["evidence_type"] != "attested", "criterion_id"])
    # The register of listening and a workforce extract show some criteria that may also be attested.
    assert wanted <= set(criterion_checks()) <= set(table["criterion_id"])
