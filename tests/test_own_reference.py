"""A table of the analyst's own: read from each layout, checked by line and column, and used first."""

import pandas as pd
import pytest

import equitydata as eq
from equitydata import reference
from equitydata.representation.own_tables import add_table
from equitydata.representation.populations import OLDEST, own_tables, places, population

NEWHAM, HACKNEY = "E09000025", "E09000012"

TIDY = """area_code,ethnic group,age,sex,count
E09000025,Asian,0-17,Female,"21,000"
E09000025,Asian,0-17,Male,22000
E09000025,Asian,18+,Female,50000
E09000025,Asian,18+,Male,55000
E09000025,White,0-17,Female,11000
E09000025,White,0-17,Male,11500
E09000025,White,18+,Female,42000
E09000025,White,18+,Male,43000
"""

CUSTOM = """Lower tier local authorities Code,Lower tier local authorities,Ethnic group (6 categories) Code,\
Ethnic group (6 categories),Age (2 categories) Code,Age (2 categories),Sex (2 categories) Code,\
Sex (2 categories),Observation
E09000025,Newham,-8,Does not apply,1,Aged 15 years and under,1,Female,0
E09000025,Newham,1,"Asian, Asian British or Asian Welsh",1,Aged 15 years and under,1,Female,19000
E09000025,Newham,1,"Asian, Asian British or Asian Welsh",2,Aged 16 years and over,1,Female,52000
E09000025,Newham,4,White,1,Aged 15 years and under,1,Female,10000
E09000025,Newham,4,White,2,Aged 16 years and over,1,Female,43000
E09000025,Newham,1,"Asian, Asian British or Asian Welsh",1,Aged 15 years and under,2,Male,19500
E09000025,Newham,1,"Asian, Asian British or Asian Welsh",2,Aged 16 years and over,2,Male,57000
E09000025,Newham,4,White,1,Aged 15 years and under,2,Male,10100
E09000025,Newham,4,White,2,Aged 16 years and over,2,Male,44000
"""

NOMIS = """"TS030 - Religion"
"ONS Crown Copyright Reserved [from Nomis on 3 March 2026]"

"Population","All usual residents"
"Units","Persons"
"Date","2021"

"local authority: district / unitary","mnemonic","Total: All usual residents",\
"No religion","Christian","Muslim","Not answered"
"Newham","E09000025","351038","50791","123741","153572","22934"
"Hackney","E09000012","259147","94000","79500","34500","51147"

"In order to protect against disclosure of personal information, records have been swapped."
"""

BLOCKS = """"Ethnic group by age by sex"
"ONS Crown Copyright Reserved [from Nomis on 3 March 2026]"

"Population","All usual residents"
"Date","2021"
"Age","Aged 0 to 15"
"Sex","Female"

"Area","mnemonic","Asian","White"
"Newham","E09000025","100","50"

"Age","Aged 16 and over"
"Sex","Female"

"Area","mnemonic","Asian","White"
"Newham","E09000025","300","250"
"""

CATEGORIES = "area_code,category,count\n"
SAID = {"date": "2021-03-21", "source": "Census 2021"}


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "reference"


def written(tmp_path, text, name="table.csv"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def added(tmp_path, text, characteristic="ethnicity", **more):
    return add_table(
        written(tmp_path, text), characteristic=characteristic, folder=tmp_path / "reference", **more
    )


def counts(table, *keys):
    return table.groupby(list(keys))["count"].sum().to_dict()


# ---- layouts


def test_a_tidy_table_by_age_and_sex(tmp_path):
    found = added(tmp_path, TIDY, **SAID)
    assert (found.layout, found.level, found.file.name) == ("tidy", "groups", "table.csv")
    assert set(found.table["age_from"]) == {0, 18} and set(found.table["age_to"]) == {17, OLDEST}
    assert counts(found.table, "category", "sex") == {
        ("Asian", "Female"): 71000, ("Asian", "Male"): 77000, ("White", "Female"): 53000, ("White", "Male"): 54500,
    }  # fmt: skip


def test_a_custom_dataset_of_the_census(tmp_path):
    found = added(tmp_path, CUSTOM, **SAID)
    assert (found.layout, found.level) == ("custom", "groups")
    assert counts(found.table, "category", "age_from")["Asian", 16] == 52000 + 57000
    assert found.table["count"].sum() == 19000 + 52000 + 10000 + 43000 + 19500 + 57000 + 10100 + 44000


def test_a_nomis_download_says_its_own_title_date_and_source(tmp_path):
    found = added(tmp_path, NOMIS, characteristic="religion")
    assert (found.layout, found.title, found.reference_date) == ("wide", "TS030 - Religion", "2021")
    assert counts(found.table[found.table["area_code"].eq(NEWHAM)], "category") == {
        "No religion": 50791, "Christian": 123741, "Muslim": 153572,
    }  # fmt: skip
    assert any("did not answer" in note for note in found.notes)


def test_blocks_of_a_nomis_download_carry_their_age_and_sex(tmp_path):
    found = added(tmp_path, BLOCKS)
    assert counts(found.table, "category", "age_from", "sex") == {
        ("Asian", 0, "Female"): 100, ("Asian", 16, "Female"): 300,
        ("White", 0, "Female"): 50, ("White", 16, "Female"): 250,
    }  # fmt: skip


def test_percentages_are_left_out(tmp_path):
    text = "Title\nfrom Nomis\n\nDate,2021\n\nArea,mnemonic,Asian,Asian %,White,White %\n"
    text += "Newham,E09000025,60,60.0,40,40.0\n"
    found = added(tmp_path, text, source="Nomis")
    assert counts(found.table, "category") == {"Asian": 60, "White": 40}
    assert any("Percentages" in note for note in found.notes)


def test_names_of_areas_and_codes_of_other_years_are_read(tmp_path):
    text = "area,category,count\nNewham,Asian,10\nNewham,White,20\nHackney,Asian,5\nHackney,White,6\n"
    assert set(added(tmp_path, text, **SAID).table["area_code"]) == {NEWHAM, HACKNEY}


def test_semicolons_and_a_western_code_page_are_read(tmp_path):
    path = tmp_path / "table.csv"
    path.write_bytes(
        "area_code;category;age;count\nE09000025;Asian;0–17;10\nE09000025;White;0–17;5\n".encode("cp1252")
    )
    found = add_table(path, characteristic="ethnicity", folder=tmp_path / "reference", **SAID)
    assert counts(found.table, "category", "age_to") == {("Asian", 17): 10, ("White", 17): 5}


# ---- categories


@pytest.mark.parametrize("area", ["E09000025", "E07000130"])
def test_the_labels_of_our_own_census_table_come_back_as_our_categories(tmp_path, area):
    """The whole topic table, headings and total included, is read as its 19 groups."""
    census = reference.population("ethnic_group", area, leaves=False)
    text = census.assign(area_code=area)[["area_code", "category", "count"]].to_csv(index=False)
    found = added(tmp_path, text, **SAID)
    service = eq.make_service({"service": {"area": [area]}})
    ours = population(
        "ethnicity", "detailed", places(service)[0], categories=dict.fromkeys(found.table["category"], True)
    )
    assert found.level == "detailed" and len(found.table) == 19
    assert counts(found.table, "category") == ours.residents
    assert any("headings" in note for note in found.notes)


@pytest.mark.parametrize(
    ("topic", "characteristic", "level"),
    [
        ("sexual_orientation", "sexual_orientation", "detailed"),
        ("religion", "religion", "detailed"),
        ("country_of_birth", "country_of_birth", "detailed"),
        ("unpaid_care", "carer", "detailed"),
        ("english_proficiency", "language", "english"),
    ],
)
def test_leaves_of_other_topics_are_understood(tmp_path, topic, characteristic, level):
    census = reference.population(topic, NEWHAM)
    text = census.assign(area_code=NEWHAM)[["area_code", "category", "count"]].to_csv(index=False)
    found = added(tmp_path, text, characteristic=characteristic, **SAID)
    silent = census["category"].str.contains("Not answered")
    assert found.level == level
    assert found.table["count"].sum() == census.loc[~silent, "count"].sum()


def test_languages_of_the_topic_table_are_put_in_their_groups(tmp_path):
    lines = ["South Asian language: Urdu,30", "South Asian language: Panjabi,20", "French,7", "Arabic,5",
             '"English (English or Welsh in Wales)",900']  # fmt: skip
    text = "area_code,category,count\n" + "".join(f"E09000025,{line}\n" for line in lines)
    found = added(
        tmp_path, text, characteristic="language", base="All usual residents aged 3 years and over", **SAID
    )
    assert counts(found.table, "category")["South Asian languages"] == 50
    assert found.level == "groups"
    assert own_tables(tmp_path / "reference")[0].from_age == 3


def test_people_by_small_area_become_people_by_decile(tmp_path):
    lookup = reference.lsoa_lookup()
    here = lookup[lookup["ltla22_code"].eq(NEWHAM) & lookup["vintage"].isin(["2021", "both"])]
    people = {code: 1000 + number for number, code in enumerate(here["lsoa_code"])}
    text = "area_code,count\n" + "".join(f"{code},{count}\n" for code, count in people.items())
    found = added(tmp_path, text, characteristic="deprivation", date="2022", source="Small area estimates")
    decile = dict(zip(here["lsoa_code"], here["imd2025_decile"], strict=True))
    assert set(found.table["area_code"]) == {NEWHAM}
    assert counts(found.table, "category")["2"] == sum(n for code, n in people.items() if decile[code] == 2)
    service = eq.make_service({"service": {"area": ["Newham"]}})
    used = population(
        "deprivation", "quintile", places(service)[0], own=own_tables(tmp_path / "reference"),
        categories={f"Quintile {number}": True for number in range(1, 6)},
    )  # fmt: skip
    assert not used.shares_only and not used.approximate
    assert used.total == sum(people.values())


def test_an_authority_with_some_of_its_small_areas_is_refused(tmp_path):
    with pytest.raises(eq.InputError, match="all its small areas"):
        added(tmp_path, "area_code,count\nE01003478,1500\n", characteristic="deprivation", **SAID)


# ---- use


def test_what_was_added_is_found_and_used_by_the_comparison(tmp_path, folder):
    added(tmp_path, TIDY, name="groups_by_age", title="Ethnic group by age by sex", **SAID)
    tables = own_tables(folder)
    assert [(table.name, table.title, table.reference_date) for table in tables] == [
        ("groups_by_age", "Ethnic group by age by sex", "2021-03-21")
    ]
    service = eq.make_service({"service": {"area": ["Newham"], "ages": [18, 120]}})
    found = population(
        "ethnicity", "groups", places(service)[0], own=tables, ages=(18, 120),
        categories={"Asian": True, "White": True},
    )  # fmt: skip
    assert found.own and found.exact
    assert found.residents == {"Asian": 105000, "White": 85000}


def test_a_name_is_taken_once_unless_it_is_replaced(tmp_path, folder):
    added(tmp_path, TIDY, name="mine", **SAID)
    with pytest.raises(eq.ConfigError, match="already"):
        added(tmp_path, TIDY, name="mine", **SAID)
    added(tmp_path, TIDY.replace("55000", "56000"), name="mine", replace=True, **SAID)
    added(tmp_path, NOMIS, characteristic="religion", name="other")
    tables = {table.name: table for table in own_tables(folder)}
    assert set(tables) == {"mine", "other"}
    assert counts(tables["mine"].frame, "category")["Asian"] == 149000


def test_what_is_written_reads_back_as_it_was(tmp_path, folder):
    found = added(tmp_path, CUSTOM, **SAID)
    back = own_tables(folder)[0].frame
    pd.testing.assert_frame_equal(
        back.astype({"count": float}), found.table.astype({"count": float}), check_dtype=False
    )


# ---- what does not hold


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (CATEGORIES + "E09000025,Asian,10\nE09000025,White,c\n", r"line 3.*Column 'count' holds no count"),
        (CATEGORIES + "E09000025,Asian,10\nE09000025,White,-4\n", r"line 3.*no count"),
        (CATEGORIES + "E09000025,Asian,10\nE09000025,Klingon,4\n", r"line 3, column 'count'.*no category"),
        (CATEGORIES + "E05000001,Asian,10\nE05000001,White,5\n", r"line 2.*a small area"),
        (CATEGORIES + "S12000033,Asian,10\nS12000033,White,5\n", r"line 2.*no area"),
        (CATEGORIES + "E09000025,Asian,10\nE09000025,Asian,5\nE09000025,White,5\n", r"line 3.*twice"),
        ("area_code,category,age,count\nE09000025,Asian,young,10\nE09000025,White,old,5\n", r"line 2.*no age"),
        ("area_code,category,age,count\nE09000025,Asian,0-17,10\nE09000025,White,16-24,5\n", r"line 3.*same ages"),
        ("area_code,category,sex,count\nE09000025,Asian,blue,10\nE09000025,White,red,5\n", r"line 2.*no sex"),
        ("area_code,count\nE09000025,10\n", r"line 1.*no column 'category'"),
        (CATEGORIES + "E09000025,Total,10\n", r"besides a total"),
        (CATEGORIES + "E09000025,Total,100\nE09000025,Asian,10\nE09000025,White,20\n", r"less than the total"),
        (CATEGORIES + "E09000025,Total,100\nE09000025,Asian,90\nE09000025,White,90\n", r"more than the total"),
        ("Some words\nand more\n", r"No table of residents"),
        ("", r"empty"),
    ],
)  # fmt: skip
def test_a_table_that_does_not_hold_is_refused_with_its_place(tmp_path, rows, message):
    with pytest.raises(eq.InputError, match=f"(?s){message}"):
        added(tmp_path, rows, **SAID)
    assert not (tmp_path / "reference").exists()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"source": "Census"}, "does not say its date"),
        ({"date": "2021"}, "does not say its source"),
        ({"date": "March 2021", "source": "Census"}, "no year and no day"),
        ({"name": "../elsewhere", **SAID}, "no name of a table"),
    ],
)
def test_a_table_needs_its_date_source_and_a_plain_name(tmp_path, more, message):
    with pytest.raises(eq.ConfigError, match=message):
        added(tmp_path, TIDY, **more)


def test_an_unknown_characteristic_has_the_nearest(tmp_path):
    with pytest.raises(eq.ConfigError, match="ethnicity"):
        added(tmp_path, TIDY, characteristic="ethnicty", **SAID)


def test_a_file_that_is_not_there_and_a_workbook_are_told_apart(tmp_path):
    with pytest.raises(eq.InputError, match="could not be opened"):
        add_table(tmp_path / "none.csv", characteristic="ethnicity", folder=tmp_path, **SAID)
    (tmp_path / "book.csv").write_bytes(b"PK\x03\x04rest")
    with pytest.raises(eq.InputError, match="workbook"):
        add_table(tmp_path / "book.csv", characteristic="ethnicity", folder=tmp_path, **SAID)
