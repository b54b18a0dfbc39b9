"""The register of listening: read strictly, held against the local population, and never a way out for a name."""

import datetime
from pathlib import Path

import nhs_number
import pandas as pd
import pytest

import equitydata as eq
from equitydata import reference
from equitydata.errors import ConfigError
from equitydata.identifier_patterns import WITHHELD, identifiers_in
from equitydata.listening.register import canonical, listening_rules, methods
from equitydata.listening.tables import (
    NO_REGISTER,
    Register,
    listening_gaps_table,
    listening_table,
    read_register,
    register_evidence,
    scan_register,
    service_register,
    themes_for,
    themes_table,
)
from equitydata.rulebook import load_rulebook
from equitydata.shown import MET, NOT_ASSESSED, NOT_MET, Shown
from equitydata.tables import LISTENING_GAPS_TABLE, LISTENING_TABLE, SPECS, THEMES_TABLE, empty
from tables_helper import table

SAMPLE = Path(__file__).parents[1] / "sample_data" / "qualitative.toml"
DAY = datetime.date(2026, 4, 1)
RULES = load_rulebook()

TOML = """
[ways.survey]
label = "Yearly survey"
method = "survey"
groups = { ethnicity = ["Bangladeshi", "African"] }
languages = ["English", "Bengali"]
formats = ["easy read"]
co_designed = true
tested = false
rounds = [2025-10-13, 2024-10-14]
people = 120
owner = "Patient experience lead"

[[heard]]
theme = "Letters only in English"
measure = "did_not_attend"
characteristic = "ethnicity"
category = "bangladeshi"
words = "Letters come in English only."
way = "survey"
date = 2025-10-13
used_for = "Calls in Bengali"

[reviewed]
date = 2026-01-15
owner = "Information governance lead"
"""

CSV = (
    "entry,name,label,method,groups,languages,formats,co_designed,tested,rounds,people,owner,"
    "theme,measure,characteristic,category,words,way,date,used_for\n"
    "way,survey,Yearly survey,survey,ethnicity: Bangladeshi | African,English; Bengali,easy read,yes,no,"
    "13/10/2025; 2024-10-14,120,Patient experience lead,,,,,,,,\n"
    "heard,,,,,,,,,,,,Letters only in English,did_not_attend,ethnicity,bangladeshi,"
    '"Letters come in English only.",survey,13/10/2025,Calls in Bengali\n'
    "reviewed,,,,,,,,,,,Information governance lead,,,,,,,2026-01-15,\n"
)


def register(folder: Path, text: str = TOML, name: str = "qualitative.toml", **options: object) -> Register:
    (folder / name).write_text(text, encoding="utf-8")
    return read_register(folder / name, **options)


def way(**changes: object) -> dict[str, object]:
    """A way of listening that meets every check, with changes."""
    return {
        "label": "Survey",
        "method": "survey",
        "groups": {"ethnicity": ("Bangladeshi",)},
        "languages": ("English", "Bengali"),
        "formats": ("easy read",),
        "co_designed": True,
        "tested": True,
        "rounds": (datetime.date(2024, 10, 14), datetime.date(2025, 10, 13)),
        "owner": "Patient experience lead",
    } | changes


def heard(**changes: object) -> dict[str, object]:
    return {
        "theme": "Letters",
        "words": "Letters come in English only.",
        "way": "a",
        "date": datetime.date(2025, 10, 13),
        "measure": "did_not_attend",
        "characteristic": "ethnicity",
        "category": "Bangladeshi",
        "used_for": "Calls",
    } | changes


def made(*ways: dict[str, object], said: tuple[dict[str, object], ...] = (), **more: object) -> Register:
    names = "abcdefgh"
    return Register(
        ways=dict(zip(names, ways, strict=False)), heard=said, file="qualitative.toml", **more
    )  # fmt: skip


RESIDENTS = table("""
    characteristic | level    | category      | residents | residents_share
    ethnicity      | detailed | Bangladeshi   | 300       | 0.300
    ethnicity      | detailed | Indian        | 200       | 0.200
    ethnicity      | detailed | Black African | 150       | 0.150
    ethnicity      | detailed | White British | 340       | 0.340
    ethnicity      | detailed | Roma          | 5         | 0.005
    ethnicity      | detailed | Arab          | 5         | 0.005
    ethnicity      | groups   | Asian         | 500       | 0.500
    ethnicity      | groups   | White         | 345       | 0.345
""")


def gaps_of(found: Register, residents: pd.DataFrame = RESIDENTS, day: datetime.date = DAY) -> pd.DataFrame:
    return listening_gaps_table(found, residents, day, RULES).set_index(["level", "category"])


# ---------------------------------------------------------------- reading


def test_toml_and_csv_give_the_same_register(tmp_path):
    toml = register(tmp_path)
    text = register(tmp_path, CSV, "qualitative.csv")
    assert toml.ways == text.ways
    assert toml.heard == text.heard
    assert toml.reviewed == text.reviewed
    assert (toml.file, text.file) == ("qualitative.toml", "qualitative.csv")


def test_groups_are_read_by_any_of_their_names_and_rounds_are_in_order(tmp_path):
    found = register(tmp_path).ways["survey"]
    assert found.groups == {"ethnicity": ("Bangladeshi", "Black African")}
    assert found.rounds == (datetime.date(2024, 10, 14), datetime.date(2025, 10, 13))
    assert register(tmp_path).heard[0].category == "Bangladeshi"


@pytest.mark.parametrize(
    ("name", "word", "meant"),
    [
        ("ethnicity", "Asian", "Asian"),
        ("ethnicity", "Any other Asian background", "Asian other"),
        ("language", "Other than English", "Other than English"),
        ("deprivation", "Quintile 1", "Quintile 1"),
        ("disability", "disabled", "Disabled"),
        ("carer", "yes", "Yes"),
        ("geography", "Beckton", "Beckton"),
    ],
)
def test_a_group_of_any_level_has_one_name(name, word, meant):
    assert canonical(name, word, "here") == meant


@pytest.mark.parametrize(
    ("old", "new", "where", "mend"),
    [
        ('label = "Yearly survey"', 'lable = "Yearly survey"', "line 3, lable", "Did you mean 'label'?"),
        ('method = "survey"', 'method = "surveys"', "line 4, method", "Did you mean 'survey'?"),
        ('"Bangladeshi", "African"', '"Bangladehsi"', "line 5, groups", "Did you mean 'Bangladeshi'?"),
        ("{ ethnicity =", "{ ethnicty =", "line 5, groups", "Did you mean 'ethnicity'?"),
        ('"English", "Bengali"', '"Bengalli"', "line 6, languages", "Did you mean 'Bengali'?"),
        (
            'formats = ["easy read"]',
            'formats = ["easy reed"]',
            "line 7, formats",
            "Did you mean 'easy read'?",
        ),
        ("people = 120", "people = -1", "line 11, people", None),
        ('way = "survey"', 'way = "survy"', "line 20, way", "Did you mean 'survey'?"),
        ("date = 2025-10-13", 'date = "soon"', "line 21, date", None),
        ('category = "bangladeshi"', 'category = ""', "line 14", None),
        ('theme = "Letters only in English"\n', "", "line 14", None),
        ("[reviewed]", "[reviewd]", "line 24", "Did you mean 'reviewed'?"),
        ('measure = "did_not_attend"', 'measure = "did_not_attnd"', "line 16, measure", "'did_not_attend'?"),
    ],
)
def test_what_does_not_hold_is_named_with_line_and_nearest(tmp_path, old, new, where, mend):
    assert old in TOML
    with pytest.raises(ConfigError) as error:
        register(tmp_path, TOML.replace(old, new, 1), measures=["did_not_attend"])
    assert error.value.where.startswith(f"qualitative.toml, {where}")
    if mend:
        assert mend in error.value.mend


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ('["easy read"]', '"easy read"', "line 7, formats: A list is wanted"),
        ('{ ethnicity = ["Bangladeshi", "African"] }', '["Bangladeshi"]', "line 5, groups: A table of keys"),
        ("co_designed = true", 'co_designed = "perhaps"', "line 8, co_designed: Yes or no"),
        ("people = 120", "people = 1.5", "line 11, people: A whole number"),
        ('label = "Yearly survey"', 'label = " "', "line 3, label: The text is empty"),
        ('label = "Yearly survey"', "label = true", "line 3, label: Text is wanted"),
        ("[reviewed]", "[[reviewed]]", "qualitative.toml: A table of keys is wanted"),
    ],
)
def test_a_value_of_the_wrong_kind_is_told_in_words(tmp_path, old, new, what):
    assert old in TOML
    with pytest.raises(ConfigError) as error:
        register(tmp_path, TOML.replace(old, new, 1))
    assert what in str(error.value)


def test_deciles_may_be_written_as_numbers(tmp_path):
    text = TOML.replace('ethnicity = ["Bangladeshi", "African"]', "deprivation = [1, 2]")
    assert register(tmp_path, text).ways["survey"].groups == {"deprivation": ("1", "2")}


def test_a_damaged_toml_names_its_line(tmp_path):
    with pytest.raises(ConfigError, match=r"qualitative\.toml, line 3"):
        register(tmp_path, TOML.replace('"Yearly survey"', '"Yearly survey'))


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ("entry,name", "entry,nmae", "line 1"),
        ("heard,,", "herd,,", "line 3"),
        ("heard,,", "heard,x,", "line 3"),
        ("ethnicity: Bangladeshi | African", "Bangladeshi", "line 2, groups"),
        ("easy read", "easy reed", "line 2, formats"),
        ("13/10/2025; 2024", "31/02/2025; 2024", "line 2, rounds"),
        (",yes,no,", ",perhaps,no,", "line 2, co_designed"),
        ("reviewed,,", "reviewed,,,,,,,,,,,,,,,,,,,,,,", "line 4"),
    ],
)
def test_a_csv_names_the_line_too(tmp_path, old, new, where):
    assert old in CSV
    with pytest.raises(ConfigError) as error:
        register(tmp_path, CSV.replace(old, new, 1), "qualitative.csv")
    assert error.value.where.startswith(f"qualitative.csv, {where}")


def test_a_csv_cell_may_run_over_lines(tmp_path):
    text = CSV.replace("Letters come in English only.", "Letters come\nin English only.")
    wrong = text + "herd,,,,,,,,,,,,,,,,,,,\n"
    assert register(tmp_path, text, "qualitative.csv").heard[0].words == "Letters come\nin English only."
    with pytest.raises(ConfigError, match="line 6"):
        register(tmp_path, wrong, "qualitative.csv")


def test_an_error_does_not_repeat_what_may_identify_someone(tmp_path):
    text = TOML.replace('"Bangladeshi", "African"', '"Mrs Example"')
    with pytest.raises(ConfigError) as error:
        register(tmp_path, text)
    assert "Example" not in str(error.value)


def test_the_register_stands_beside_the_service_file(tmp_path):
    (tmp_path / "service.toml").write_text('[service]\nname = "A"\n', encoding="utf-8")
    service = eq.load_service(tmp_path / "service.toml")
    assert service_register(service) is NO_REGISTER
    (tmp_path / "qualitative.csv").write_text("entry\n", encoding="utf-8")
    assert service_register(service).is_given
    (tmp_path / "qualitative.toml").write_text("", encoding="utf-8")
    with pytest.raises(ConfigError, match="two registers"):
        service_register(service)


def test_a_named_register_must_be_there_and_know_the_measures(tmp_path):
    (tmp_path / "ways.toml").write_text(TOML, encoding="utf-8")
    content = {"listening": {"path": "ways.tml"}}
    with pytest.raises(ConfigError, match=r"Did you mean 'ways\.toml'"):
        service_register(eq.make_service(content, folder=tmp_path))
    content = {"listening": {"path": "ways.toml"}}
    with pytest.raises(ConfigError, match="No measure named 'did_not_attend'"):
        service_register(eq.make_service(content, folder=tmp_path))


def test_every_check_of_the_rules_serves_criteria_of_both_matrices():
    known = set(reference.criteria()["criterion_id"])
    for check in listening_rules()["checks"].values():
        assert set(check["criteria"]) <= known
        assert {each[0] for each in check["criteria"]} == {"S", "O"}
    assert set(methods()) >= {"survey", "focus_group", "other"}


# ---------------------------------------------------------------- identifiers

# Of the range that is kept for tests.
GOOD_NUMBER = "9990000018"
assert nhs_number.is_valid(GOOD_NUMBER)
WRONG_NUMBER = GOOD_NUMBER[:-1] + str((int(GOOD_NUMBER[-1]) + 1) % 10)


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        (f"number {GOOD_NUMBER} was read out", ("NHS number",)),
        (f"({GOOD_NUMBER[:3]} {GOOD_NUMBER[3:6]}-{GOOD_NUMBER[6:]})", ("NHS number",)),
        ("lives at e6 2rp", ("postcode",)),
        ("write to a.b@example.org, please", ("e-mail",)),
        ("ring 020 7946 0123", ("phone",)),
        ("ring +44 (0)7700 900123", ("phone",)),
        ("born on 3 May 1961", ("date of birth",)),
        ("DOB 03/05/61", ("date of birth",)),
        ("since 12.07.1948", ("date of birth",)),
        ("Mrs Example was not called", ("name",)),
        ("Dr. J. Example said so", ("name",)),
        ("my name is Example", ("name",)),
        ("waits at 12 Invented Street", ("address",)),
        ("Mrs Example, born 3 May 1961, \uff25\uff16 \uff12RP", ("postcode", "date of birth", "name")),
    ],
)
def test_each_kind_of_identifier_is_seen_in_a_sentence(text, kinds):
    assert identifiers_in(text) == kinds


@pytest.mark.parametrize(
    "text",
    [
        "",
        f"number {WRONG_NUMBER} of the list",
        "on 01.02.2025 10.30 in room 12",
        "the session of 11 June 2025 and that of 2025-11-19",
        "born in Bangladesh, and now 61",
        "LSOA E01003478 and ward E05013904",
        "Miss appointments when letters are late",
        "HbA1c of 58 mmol/mol, 1 in 10 people",
        "Two buses to the screening site, and no appointment after work.",
        "Doctors and nurses listen; the team at the north site less so",
        "service plan 2026/27, page 1234567890123",
    ],
)
def test_ordinary_sentences_are_left_alone(text):
    assert identifiers_in(text) == ()


def test_a_finding_names_file_entry_and_field_and_never_the_text(tmp_path):
    text = TOML.replace("Letters come in English only.", "Mrs Canary lives at E6 2RP.")
    found = scan_register(register(tmp_path, text))
    assert found.to_dict("records") == [
        {"file": "qualitative.toml", "entry": "heard 1, line 14", "field": "words", "kind": "postcode"},
        {"file": "qualitative.toml", "entry": "heard 1, line 14", "field": "words", "kind": "name"},
    ]
    assert "Canary" not in found.to_csv()


def test_no_text_that_may_identify_someone_reaches_a_table_or_the_evidence(tmp_path):
    text = (
        TOML.replace("[ways.survey]", "[ways.mrs_canary]")
        .replace('way = "survey"', 'way = "mrs_canary"')
        .replace("Yearly survey", "Talk with Mrs Canary")
        .replace('"Patient experience lead"', '"Dr Canary"')
        .replace("Letters only in English", "What Mrs Canary said")
        .replace("Calls in Bengali", "Mrs Canary was called")
        .replace("Information governance lead", "Mr Canary")
    )
    found = register(tmp_path, text)
    gaps = listening_gaps_table(found, RESIDENTS, DAY, RULES)
    frames = [listening_table(found), themes_table(found), gaps, scan_register(found)]
    assert not any("canary" in frame.to_csv().casefold() for frame in frames)
    assert "canary" not in str(dict(register_evidence(found, gaps, DAY, RULES))).casefold()
    assert themes_table(found).iloc[0][["theme", "heard", "category", "used_for"]].tolist() == [
        WITHHELD, WITHHELD, "Bangladeshi", "",
    ]  # fmt: skip


# ---------------------------------------------------------------- tables


def test_the_table_of_ways_says_what_is_not_said(tmp_path):
    rows = listening_table(made(way(), way(co_designed=None, tested=False, rounds=(), people=5, groups={})))
    assert list(rows.columns) == list(LISTENING_TABLE.columns)
    assert rows["co_designed"].tolist() == ["yes", "not said"]
    assert rows["tested"].tolist() == ["yes", "no"]
    assert rows["last"].tolist() == ["2025-10-13", ""]
    assert rows["rounds"].tolist() == [2, 0]
    assert rows["people"].isna().tolist() == [True, False]
    assert rows["groups"].tolist() == ["Ethnic group: Bangladeshi", ""]


def test_the_same_theme_of_the_same_group_is_one_row(tmp_path):
    later = datetime.date(2026, 1, 9)
    found = themes_table(
        made(
            way(),
            way(label="Panel"),
            said=(
                heard(),
                heard(
                    theme="letters", words="Again in English.", way="b", date=later, measure="", used_for=""
                ),
                heard(category="Indian"),
                heard(characteristic="all", category="", theme="Kind staff"),
            ),
        )
    )
    assert list(found.columns) == list(THEMES_TABLE.columns)
    first = found.iloc[0]
    assert (first["theme"], first["category"], first["times"]) == ("Letters", "Bangladeshi", 2)
    assert first["heard"] == "Letters come in English only. / Again in English."
    assert (first["ways"], first["measure"]) == ("Survey; Panel", "did_not_attend")
    assert (first["date"], first["used_for"]) == ("2026-01-09", "Calls")
    assert found["times"].sum() == 4
    assert found.loc[found["theme"] == "Kind staff", "characteristic"].tolist() == ["all"]


def test_a_register_without_entries_gives_empty_tables():
    assert listening_table(NO_REGISTER).empty
    assert themes_table(NO_REGISTER).empty
    assert list(themes_table(NO_REGISTER).columns) == list(THEMES_TABLE.columns)
    assert scan_register(NO_REGISTER).empty
    assert themes_for(themes_table(NO_REGISTER), "ethnicity", "Bangladeshi").empty


def test_themes_of_a_group_are_those_of_its_parts_and_wholes():
    found = themes_table(
        made(
            way(),
            said=(
                heard(theme="A", category="Bangladeshi"),
                heard(theme="B", category="Asian", measure=""),
                heard(theme="C", category="Indian", measure="wait_days"),
                heard(theme="D", characteristic="sex", category="Female", measure=""),
                heard(theme="E", characteristic="all", category=""),
            ),
        )
    )
    assert set(themes_for(found, "ethnicity", "Bangladeshi")["theme"]) == {"A", "B"}
    assert set(themes_for(found, "ethnicity", "Asian")["theme"]) == {"A", "B", "C"}
    assert set(themes_for(found, "ethnicity x sex", "Bangladeshi × Female")["theme"]) == {"A", "B", "D"}
    by_measure = themes_for(found, "ethnicity", "Indian", measure="wait_days")
    assert by_measure["theme"].tolist() == ["C", "B"]


# ---------------------------------------------------------------- gaps


def test_groups_that_nobody_has_listened_to_are_named():
    gaps = gaps_of(made(way()))
    assert gaps["gap"].to_dict() == {
        ("detailed", "Bangladeshi"): "",
        ("detailed", "Indian"): "nobody",
        ("detailed", "Black African"): "nobody",
        ("detailed", "White British"): "nobody",
        ("groups", "Asian"): "",
        ("groups", "White"): "nobody",
    }
    assert gaps.loc[("detailed", "Bangladeshi"), ["ways", "last"]].tolist() == ["Survey", "2025-10-13"]
    assert gaps.loc[("detailed", "Indian"), ["ways", "last"]].tolist() == ["", ""]


def test_a_broad_group_covers_its_detailed_ones():
    gaps = gaps_of(made(way(groups={"ethnicity": ("Asian",)})))
    assert gaps.loc["detailed", "gap"].to_dict() == {
        "Bangladeshi": "", "Indian": "", "Black African": "nobody", "White British": "nobody",
    }  # fmt: skip


def test_small_groups_are_shown_when_someone_has_listened_to_them():
    gaps = gaps_of(made(way(groups={"ethnicity": ("Roma",)})))
    assert ("detailed", "Roma") in gaps.index
    assert ("detailed", "Arab") not in gaps.index


@pytest.mark.parametrize(
    ("last", "gap"),
    [
        (datetime.date(2024, 4, 1), ""),
        (datetime.date(2024, 3, 31), "not for a while"),
        (datetime.date(2026, 4, 2), "nobody"),
    ],
)
def test_listening_goes_out_of_date_to_the_day_and_a_plan_is_not_yet_listening(last, gap):
    gaps = gaps_of(made(way(rounds=(last,))))
    assert gaps.loc[("detailed", "Bangladeshi"), "gap"] == gap


def test_a_group_that_is_heard_has_been_listened_to():
    gaps = gaps_of(made(way(groups={}), said=(heard(category="Indian"),)))
    assert gaps.loc[("detailed", "Indian"), ["gap", "last"]].tolist() == ["", "2025-10-13"]
    assert gaps.loc[("detailed", "Bangladeshi"), "gap"] == "nobody"


def test_ages_meet_where_their_bands_overlap():
    residents = table("""
        characteristic | level | category    | residents | residents_share
        age            | band  | 45-54       | 100       | 0.25
        age            | band  | 55-64       | 100       | 0.25
        age            | band  | 65-74       | 100       | 0.25
        age            | band  | 75 and over | 100       | 0.25
    """)
    gaps = gaps_of(made(way(groups={"age": ("60-74", "85+")})), residents)
    assert gaps["gap"].tolist() == ["nobody", "", "", ""]


def test_without_residents_there_are_no_gaps_and_without_a_register_all_are():
    assert listening_gaps_table(made(way()), RESIDENTS.head(0), DAY, RULES).empty
    assert set(gaps_of(NO_REGISTER)["gap"]) == {"nobody"}


# ---------------------------------------------------------------- evidence


def shown(found: Register, level: str = "service", gaps: pd.DataFrame | None = None) -> dict[str, Shown]:
    gaps = listening_gaps_table(found, RESIDENTS, DAY, RULES) if gaps is None else gaps
    return dict(register_evidence(found, gaps, DAY, RULES, level))


def outcome(found: Register, criterion: str) -> str:
    return shown(found)[criterion].outcome


FULL = made(
    way(),
    way(method="interview"),
    said=(heard(),),
    reviewed={"date": datetime.date(2026, 1, 15), "owner": "Governance lead"},
)


def test_a_full_register_shows_all_that_a_register_can_show():
    found = shown(FULL)
    assert {each.outcome for each in found.values()} == {MET}
    assert set(found) == {
        "S-QUAL-F2", "S-QUAL-F3", "S-QUAL-I2", "S-QUAL-I3", "S-QUAL-I4", "S-QUAL-I5", "S-QUAL-I6",
        "S-QUAL-I7", "S-QUAL-A2", "S-QUAL-A4", "S-COPR-I2",
    }  # fmt: skip
    organisation = shown(FULL, "organisation")
    assert {key.replace("O-", "S-"): each for key, each in organisation.items()} == found


def test_the_rule_is_told_with_the_values_in_force():
    found = register_evidence(FULL, gaps_of(FULL).reset_index(), DAY, load_rulebook({"listening_months": 36}))
    assert "in the last 36 months" in found["S-QUAL-I3"].reason
    assert found["S-QUAL-I4"].reason.startswith("At least 50% of the current ways")
    assert not any("{" in each.reason for each in found.values())


def test_without_a_register_nothing_is_assessed():
    assert {each.outcome for each in shown(NO_REGISTER).values()} == {NOT_ASSESSED}
    assert all("no register" in each.reason for each in shown(NO_REGISTER).values())


def test_an_empty_register_is_never_met():
    assert {each.outcome for each in shown(Register(file="qualitative.toml")).values()} == {NOT_ASSESSED}


@pytest.mark.parametrize(
    ("changes", "criterion", "expected"),
    [
        ({"owner": ""}, "S-QUAL-F2", NOT_MET),
        ({"groups": {}}, "S-QUAL-F2", NOT_MET),
        ({"groups": {}, "communities": ("Carers' café",)}, "S-QUAL-F2", MET),
        ({"rounds": ()}, "S-QUAL-F2", NOT_MET),
        ({"languages": ("English",)}, "S-QUAL-I2", NOT_MET),
        ({"formats": ("paper", "online")}, "S-QUAL-I2", NOT_MET),
        ({"languages": (), "formats": ()}, "S-QUAL-I2", NOT_ASSESSED),
        ({"co_designed": False}, "S-QUAL-I4", NOT_MET),
        ({"co_designed": None}, "S-QUAL-I4", NOT_ASSESSED),
        ({"tested": False}, "S-QUAL-I5", NOT_MET),
        ({"method": "complaints"}, "S-QUAL-I5", NOT_ASSESSED),
        ({"rounds": (datetime.date(2025, 10, 13),)}, "S-QUAL-I6", NOT_MET),
        ({"rounds": (datetime.date(2024, 4, 12), datetime.date(2025, 10, 13))}, "S-QUAL-I6", NOT_MET),
        ({"rounds": (datetime.date(2024, 4, 13), datetime.date(2025, 10, 13))}, "S-QUAL-I6", MET),
        ({"co_designed": False}, "S-QUAL-I6", NOT_MET),
        ({"method": "interview"}, "S-QUAL-I6", NOT_MET),
        ({}, "S-QUAL-I7", NOT_MET),
        ({"method": "story"}, "S-QUAL-I7", MET),
        ({"method": "story", "rounds": (datetime.date(2023, 1, 1),)}, "S-QUAL-I7", NOT_MET),
    ],
)
def test_each_check_of_a_way_turns_on_what_it_lacks(changes, criterion, expected):
    assert outcome(made(way(**changes)), criterion) == expected


def test_half_of_the_current_ways_is_enough():
    one_of_two = made(way(), way(co_designed=False))
    one_of_three = made(way(), way(co_designed=False), way(co_designed=None))
    old = made(way(), way(co_designed=False), way(co_designed=False, rounds=(datetime.date(2020, 1, 1),)))
    assert outcome(one_of_two, "S-QUAL-I4") == MET
    assert outcome(one_of_three, "S-QUAL-I4") == NOT_MET
    assert outcome(old, "S-QUAL-I4") == MET


@pytest.mark.parametrize(
    ("said", "picture", "used"),
    [
        ((), NOT_ASSESSED, NOT_ASSESSED),
        ((heard(measure=""),), NOT_MET, MET),
        ((heard(characteristic="all", category=""),), NOT_MET, MET),
        ((heard(used_for=""),), MET, NOT_MET),
        ((heard(used_for=""), heard()), MET, MET),
        ((heard(date=datetime.date(2023, 1, 1)),), NOT_MET, NOT_MET),
    ],
)
def test_what_was_heard_builds_a_picture_and_is_used(said, picture, used):
    found = made(way(), said=said)
    assert (outcome(found, "S-QUAL-I3"), outcome(found, "S-QUAL-A2")) == (picture, used)


def test_gaps_need_residents_and_the_evidence_counts_them():
    found = shown(made(way()))["S-QUAL-F3"]
    assert (found.outcome, found.date) == (MET, DAY)
    assert found.evidence == (
        "6 groups of the local population looked for: 4 that nobody has listened to, 0 not for a while"
    )
    without = shown(made(way()), gaps=empty(LISTENING_GAPS_TABLE))["S-QUAL-F3"]
    assert without.outcome == NOT_ASSESSED


def test_a_clean_scan_counts_once_someone_has_read_the_texts():
    read = {"date": datetime.date(2025, 11, 1), "owner": "Governance lead"}
    assert outcome(made(way()), "S-QUAL-A4") == NOT_ASSESSED
    assert outcome(made(way(), reviewed=read), "S-QUAL-A4") == MET
    assert outcome(made(way(), said=(heard(),), reviewed=read), "S-QUAL-A4") == MET
    newer = heard(date=datetime.date(2025, 12, 1))
    assert outcome(made(way(), said=(newer,), reviewed=read), "S-QUAL-A4") == NOT_ASSESSED
    named = shown(made(way(label="Talk with Mrs Example"), reviewed=read))["S-QUAL-A4"]
    assert named.outcome == NOT_MET
    assert "way 1, label (name)" in named.reason
    assert "Example" not in named.reason + named.evidence


def test_the_largest_local_languages_that_are_not_offered_are_named():
    residents = table("""
        characteristic | level    | category | residents | residents_share
        language       | detailed | English  | 600       | 0.60
        language       | detailed | Romanian | 200       | 0.20
        language       | detailed | Bengali  | 150       | 0.15
        language       | detailed | Polish   | 50        | 0.05
    """)
    gaps = listening_gaps_table(made(way()), residents, DAY, RULES)
    evidence = shown(made(way()), gaps=gaps)["S-QUAL-I2"].evidence
    assert evidence.endswith("largest local languages not offered: Romanian, Polish")


# ---------------------------------------------------------------- the sample


def test_the_sample_register_is_clean_and_shows_what_it_is_meant_to_show():
    content = eq.load_service(SAMPLE.parent / "service.toml")
    found = read_register(SAMPLE, measures=content.measures)
    assert scan_register(found).empty
    outcomes = {key: each.outcome for key, each in shown(found).items()}
    assert outcomes == {
        "S-QUAL-F2": NOT_MET,  # complaints reach no group that is known
        "S-QUAL-F3": MET, "S-QUAL-I2": MET, "S-COPR-I2": MET, "S-QUAL-I3": MET, "S-QUAL-I4": MET,
        "S-QUAL-I5": MET, "S-QUAL-I6": MET, "S-QUAL-I7": MET, "S-QUAL-A2": MET, "S-QUAL-A4": MET,
    }  # fmt: skip
    gaps = gaps_of(found)
    assert gaps.loc[("detailed", "White British"), "gap"] == ""
    assert gaps.loc[("groups", "Asian"), "ways"].count(";") == 1


def test_tables_of_listening_are_known_to_the_release():
    assert {"listening", "listening_gaps", "themes", "runs"} <= set(SPECS)
    assert LISTENING_TABLE.counts == ("people",)
