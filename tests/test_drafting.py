"""The first service file: what is guessed from names and values, what is left to the analyst, and that it loads."""

import tomllib
from datetime import date, timedelta

import pandas as pd
import pytest

import equitydata as eq
from equitydata.drafting import commented, draft_service, quoted
from equitydata.records.profile import fit, words

ROWS = 40
ETHNIC = ["A", "C", "H", "K", "N", "Z", "99", ""]


def clinic(**columns):
    """Forty contacts of twenty people, as a clinic might export them; columns may be added, replaced or left out."""
    first = date(2025, 4, 7)
    frame = {
        "Patient_ID": [f"P{n % 20:03d}" for n in range(ROWS)],
        "Contact_ID": [f"C{n:04d}" for n in range(ROWS)],
        "Contact_Date": [(first + timedelta(days=7 * n)).strftime("%d/%m/%Y") for n in range(ROWS)],
        "Site": [f"Clinic {n % 3}" for n in range(ROWS)],
        "Setting": ["Clinic" if n % 2 else "Telephone" for n in range(ROWS)],
        "Ethnic_Category": [ETHNIC[n % 8] for n in range(ROWS)],
        "Ethnicity_Source": ["PATIENT" if n % 4 else "CARER" for n in range(ROWS)],
        "Ethnicity_Recorded_Date": [(first - timedelta(days=n)).isoformat() for n in range(ROWS)],
        "Preferred_Language": ["en" if n % 3 else "bn" for n in range(ROWS)],
        "Gender": ["1" if n % 2 else "2" for n in range(ROWS)],
        "DOB": [f"{1 + n % 28:02d}/03/{1940 + n}" for n in range(ROWS)],
        "Comment": [f"free text {n}" for n in range(ROWS)],
    }
    return pd.DataFrame({name: column for name, column in (frame | columns).items() if column is not None})


def draft(frame, **options):
    text = draft_service(frame, **options)
    return text, tomllib.loads(text)


@pytest.fixture(scope="module")
def drafted():
    return draft(clinic(), name="Clinic", path="contacts.csv")


# ---------------------------------------------------------------- what is found


def test_the_columns_that_say_who_when_and_where_are_found(drafted):
    extract = drafted[1]["extract"]
    assert {key: extract[key] for key in ("person", "date", "record", "site", "point_of_care")} == {
        "person": "Patient_ID",
        "date": "Contact_Date",
        "record": "Contact_ID",
        "site": "Site",
        "point_of_care": "Setting",
    }
    assert extract["path"] == "contacts.csv"


def test_each_characteristic_is_found_with_the_list_that_fits(drafted):
    found = drafted[1]["characteristics"]
    assert {name: (each["column"], each.get("code_list")) for name, each in found.items()} == {
        "ethnicity": ("Ethnic_Category", "nhs-ethnic-category-2001"),
        "language": ("Preferred_Language", "nhs-language"),
        "sex": ("Gender", "person-stated-gender"),
        "birth_date": ("DOB", None),
    }


def test_the_columns_that_say_who_gave_a_value_and_when_stand_beside_it(drafted):
    ethnicity = drafted[1]["characteristics"]["ethnicity"]
    assert ethnicity["source"] == {
        "column": "Ethnicity_Source",
        "self_reported": ["PATIENT"],
        "proxy": ["CARER"],
    }
    assert ethnicity["recorded"] == "Ethnicity_Recorded_Date"
    assert "source" not in drafted[1]["characteristics"]["language"]


def test_every_guess_says_so(drafted):
    for line in drafted[0].splitlines():
        if line.startswith(
            ("person =", "date =", "record =", "site =", "point_of_care =", "source =", "recorded =")
        ):
            assert "# GUESS" in line, line


def test_what_is_not_used_is_named_and_what_cannot_be_guessed_is_shown_as_a_comment(drafted):
    text, content = drafted
    assert "# Columns that are not used:\n# Comment\n" in text
    assert "free text" not in text
    assert "# ages = [18, 120]" in text
    assert "ages" not in content["service"] and "area" not in content["service"]


def test_the_months_of_the_dates_are_offered_as_the_period(drafted):
    assert "# period = { from = 2025-04-01, to = 2026-01-31 }" in drafted[0]


def test_the_draft_loads_and_analyses_the_same_frame(drafted):
    extract = {key: value for key, value in drafted[1]["extract"].items() if key != "path"}
    result = eq.analyse(eq.make_service({**drafted[1], "extract": extract}), clinic())
    assert result.about.people == 20
    assert result.figure("ethnicity_known")["measured"]


def test_an_observers_column_is_compared_and_never_stands_in_for_the_persons_own():
    own, seen = ["White - Irish"] * ROWS, ["White"] * ROWS
    frame = clinic(
        Ethnic_Category=None,
        Ethnicity_Source=None,
        Ethnicity_Recorded_Date=None,
        **{"Officer-defined ethnicity": seen, "Self-defined ethnicity": own},
    )
    text, content = draft(frame)
    ethnicity = content["characteristics"]["ethnicity"]
    assert (ethnicity["column"], ethnicity["observed"]) == (
        "Self-defined ethnicity",
        "Officer-defined ethnicity",
    )
    # What the name promises is for the analyst to confirm, since a criterion rests on it.
    assert "self_reported" not in ethnicity
    assert "# self_reported = true   # GUESS: the column's name says that the person said it" in text


def test_a_column_of_flags_is_not_taken_for_the_day_of_recording():
    flags = ["Y" if n % 2 else "N" for n in range(ROWS)]
    _, content = draft(clinic(Ethnicity_Recorded_Date=None, Ethnicity_Recorded=flags))
    assert "recorded" not in content["characteristics"]["ethnicity"]


def test_words_about_dates_are_no_date_of_contact():
    _, content = draft(clinic(Contact_Date=None, Reason_For_Date=["moved"] * ROWS))
    assert "date" not in content["extract"]


def test_people_are_not_told_apart_by_their_names():
    names = [f"Person {n % 20}" for n in range(ROWS)]
    _, content = draft(clinic(Patient_ID=None, Patient_Name=names))
    assert "person" not in content["extract"]


def test_a_column_of_kinds_of_people_does_not_tell_people_apart():
    frame = pd.DataFrame({"Person": ["adult", "child"] * 250, "Ethnicity": ["A"] * 500})
    assert "person" not in draft(frame)[1]["extract"]


def test_the_sex_assigned_at_birth_is_the_persons_own_column():
    sexes = ["1" if n % 2 else "2" for n in range(ROWS)]
    _, content = draft(clinic(Gender=None, Sex_Assigned_At_Birth=sexes))
    assert content["characteristics"]["sex"]["column"] == "Sex_Assigned_At_Birth"


# ---------------------------------------------------------------- values


@pytest.mark.parametrize(("held", "listed"), [(8, True), (7, False)])
def test_a_value_that_no_list_knows_is_named_only_where_eight_records_hold_it(held, listed):
    values = ["A"] * (ROWS - held) + ["ZZCANARY"] * held
    text, _ = draft(clinic(Ethnic_Category=values))
    assert ("ZZCANARY" in text) is listed
    if listed:
        assert f'# "ZZCANARY" = ""   # {held} records' in text


def test_a_column_that_is_named_plainly_is_kept_though_no_list_knows_its_words():
    values = ["Blue" if n % 2 else "Green" for n in range(ROWS)]
    text, content = draft(clinic(Ethnic_Category=None, Ethnicity=values))
    assert content["characteristics"]["ethnicity"]["column"] == "Ethnicity"
    assert "GUESS: 0.0% of the filled values can be read" in text
    lines = text.splitlines()
    start = lines.index("# [characteristics.ethnicity.map]")
    assert [line.split("   #")[0] for line in lines[start + 1 : start + 3]] == [
        '# "Blue" = ""',
        '# "Green" = ""',
    ]


def test_the_listed_values_become_a_map_when_uncommented():
    values = ["Blue" if n % 2 else "Green" for n in range(ROWS)]
    text, _ = draft(clinic(Ethnic_Category=None, Ethnicity=values))
    for value, meaning in (("Blue", "Indian"), ("Green", "declined")):
        text = text.replace(f'# "{value}" = ""', f'"{value}" = "{meaning}"')
    text = text.replace("# [characteristics.ethnicity.map]", "[characteristics.ethnicity.map]")
    result = eq.analyse(eq.make_service(tomllib.loads(text)), clinic(Ethnic_Category=None, Ethnicity=values))
    table = result.statuses
    records = table[table["characteristic"] == "ethnicity"].set_index("status")["records"]
    assert (records["known"], records["declined"]) == (20, 20)


def test_no_value_of_an_identifying_column_is_ever_named():
    postcodes = ["ZZ1 9ZZCANARY"] * ROWS
    text, _ = draft(clinic(Postcode=postcodes, DOB=["ZZCANARY"] * ROWS))
    assert "ZZCANARY" not in text


# ---------------------------------------------------------------- duplicates


def test_copies_are_dropped_where_people_are_told_apart():
    frame = pd.concat([clinic(), clinic().head(3)], ignore_index=True)
    text, content = draft(frame)
    assert content["extract"]["duplicates"] == "drop"
    assert "3 rows are exact copies of another" in text


def test_copies_are_kept_where_they_may_be_different_people():
    frame = clinic(Patient_ID=None, Contact_ID=None)
    text, content = draft(pd.concat([frame, frame.head(1)], ignore_index=True))
    assert content["extract"]["duplicates"] == "keep"
    assert "1 row is an exact copy of another; without a person column they may be real" in text


def test_without_copies_all_rows_are_kept(drafted):
    assert drafted[1]["extract"]["duplicates"] == "keep"


# ---------------------------------------------------------------- whatever columns are called

HOSTILE = [
    'ethnic "category"',
    "ethnic\\category",
    "ethnic\ncategory",
    "ethnic category]\n[rules]\njoint = false",
    "ethnic category # x",
    "ethnic\u202ecategory",
    "ethnic\U000e0041category",
    "'ethnic' = \"category\"",
    "[ethnic.category]",
    "ethnic\x00category",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_any_column_name_gives_a_service_file_that_names_it(name):
    _, content = draft(pd.DataFrame({name: ["A"] * 9, "patient id": range(9)}), name=name, path=name)
    assert set(content) == {"service", "extract", "characteristics"}
    assert content["service"]["name"] == name
    assert content["extract"]["path"] == name
    assert content["extract"]["person"] == "patient id"
    # Control characters are cleaned out of a name when the table is read; the words stay.
    assert words(content["characteristics"]["ethnicity"]["column"]) == words(name)
    eq.make_service(content)


def test_columns_of_any_name_are_found_again_when_the_frame_is_analysed():
    strange = {
        'ethnic "category"': ETHNIC * 5,
        "preferred\nlanguage": ["en"] * ROWS,
        "sex]\n[rules": ["1"] * ROWS,
    }
    dropped = dict.fromkeys(("Ethnic_Category", "Preferred_Language", "Gender", "Ethnicity_Source"))
    frame = clinic(**dropped, **strange)
    _, content = draft(frame)
    assert {"ethnicity", "language", "sex"} <= set(content["characteristics"])
    result = eq.analyse(eq.make_service(content), frame)
    assert result.figure("language_known")["numerator"] == 20


def test_any_name_of_an_unused_column_stays_inside_its_comment():
    hidden = {name.replace("ethnic", "colour").replace("category", "shade"): ["x"] * 9 for name in HOSTILE}
    text, content = draft(pd.DataFrame({"patient id": range(9), **hidden}))
    assert set(content) == {"service", "extract"}
    block = text[text.index("# Columns that are not used:") :].split("\n\n")[0]
    assert all(line.startswith("#") for line in block.splitlines())
    assert block.count("colour") == len(HOSTILE)


@pytest.mark.parametrize(
    "value", ['say "no"', "back\\slash", "two\nlines", "tab\t", "\U000e0041", "é", "[x]", ""]
)
def test_quoted_text_is_read_back_by_a_toml_reader(value):
    assert tomllib.loads(f"key = {quoted(value)}\n# {commented(value)}\n")["key"] == value


def test_many_columns_are_named_up_to_a_limit():
    text, _ = draft(
        pd.DataFrame({"patient id": range(9), **{f"extra_{n:03d}": ["x"] * 9 for n in range(150)}})
    )
    assert "extra_000" in text and "extra_149" not in text
    assert "and 90 more" in text


# ---------------------------------------------------------------- where the extract is


@pytest.mark.parametrize(
    ("path", "title"),
    [
        ("data/clinic_contacts.csv", "clinic contacts"),
        ("diabetic_data.csv.gz", "diabetic data"),
        ("Summer 2025.xlsx", "Summer 2025"),
        ("", "Unnamed service"),
    ],
)
def test_the_service_is_named_after_its_file(path, title):
    assert draft(pd.DataFrame({"patient id": range(9)}), path=path)[1]["service"]["name"] == title


def test_a_database_address_is_never_written_down(tmp_path):
    import duckdb

    file = tmp_path / "clinic.duckdb"
    frame = clinic()
    with duckdb.connect(str(file)) as connection:
        connection.execute("CREATE TABLE contacts AS SELECT * FROM frame")
    text, content = draft(f"duckdb:///{file}", table="contacts")
    assert "clinic.duckdb" not in text
    assert content["extract"]["table"] == "contacts"
    assert '# url = "..."' in text
    assert len(frame) == ROWS


def test_the_local_authority_is_guessed_where_most_records_live():
    text, content = draft(clinic(LSOA_2021=["E01003558"] * 30 + ["E01000001"] * 10))
    assert content["service"]["area"] == ["E09000025"]
    assert "GUESS: Newham, where 75% of the records with an area code live" in text


# ---------------------------------------------------------------- how names are read


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("preferredLanguage_code", "preferred language code"),
        ("PSEUDO_HESID", "pseudo hesid"),
        ("Self-defined ethnicity", "self defined ethnicity"),
        ("", ""),
    ],
)
def test_a_column_name_is_read_as_words(name, plain):
    assert words(name) == plain


def test_a_whole_match_fits_better_than_a_part_and_a_longer_phrase_than_a_shorter():
    hints = ("ethnicity", "self defined ethnicity")
    assert fit("ethnicity", hints) > fit("officer ethnicity", hints) > 0
    assert fit("self-defined ethnicity code", hints) > fit("the ethnicity code", hints)
    assert fit("city", hints) == 0
