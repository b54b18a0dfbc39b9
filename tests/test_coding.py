"""Distinct raw values -> category and status."""

import math
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equitydata import codelists
from equitydata.codelists import CodeList
from equitydata.errors import ConfigError
from equitydata.model import STATUSES
from equitydata.records.coding import (
    CodedValues,
    code_ages,
    code_areas,
    code_deciles,
    code_postcodes,
    code_values,
    detect_code_list,
    normalise,
)
from equitydata.rulebook import characteristics

SHARED = Path(__file__).parents[2] / "shared"
NHS = "nhs-ethnic-category-2001"
POLICE = "self-defined-ethnicity-18-plus-1"


def values(*texts: object, **counted: int) -> pd.DataFrame:
    """One record of each text; or texts with their records."""
    if counted:
        return pd.DataFrame({"value": list(counted), "records": list(counted.values())})
    return pd.DataFrame({"value": pd.Series(list(texts), dtype="object"), "records": 1})


def answers(coded: CodedValues) -> dict[object, str]:
    """Value -> category where it is known, else status."""
    table = coded.table
    shown = table["category"].where(table["status"] == "known", table["status"])
    return dict(zip(table["value"], shown, strict=True))


def records_by(coded: CodedValues, column: str) -> dict[str, int]:
    return coded.table.groupby(column)["records"].sum().to_dict()


def counted(file: str, column: str) -> pd.DataFrame:
    path = SHARED / "real-data" / file
    if not path.is_file():
        pytest.skip(f"REAL DATA NOT RUN: {file} is not beside the repository")
    table = pd.read_csv(path, dtype=str, keep_default_na=False, usecols=[column])
    found = table[column].value_counts()
    return pd.DataFrame({"value": found.index, "records": found.to_numpy()})


# ---------------------------------------------------------------- keys


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("  White - British\t", "white british"),
        ("WHITE–BRITISH", "white british"),
        ("\u00a0Asian/Asian British:  Indian\u200b", "asian asian british indian"),
        ("'A", "a"),
        ('="01"', "01"),
        ("1.0", "1"),
        ("01", "01"),
        ("-8", "-8"),
        ("White & Asian", "white and asian"),
        ("Baha'i", "bahai"),
        ("Bokmål", "bokmal"),
        ("- -", "-"),
        ("???", "?"),
        ("&", "&"),
        ("   ", ""),
        (None, ""),
        (float("nan"), ""),
        (2.0, "2"),
        (7, "7"),
    ],
)
def test_spellings_of_one_thing_share_a_key(written: object, key: str) -> None:
    assert normalise(pd.Series([written], dtype="object")).iloc[0] == key


def test_normalising_keeps_the_index_and_the_input() -> None:
    raw = pd.Series([" A ", None], index=["x", "y"], dtype="object")
    assert normalise(raw).to_dict() == {"x": "a", "y": ""}
    assert raw.iloc[0] == " A "


@given(st.text(max_size=30))
def test_a_key_is_its_own_key(text: str) -> None:
    once = normalise(pd.Series([text]))
    assert normalise(once).iloc[0] == once.iloc[0]


# ---------------------------------------------------------------- exactly one status, whatever comes

SOME_VALUES = st.sampled_from(
    [
        "A",
        "a1",
        "99",
        "Z",
        "0",
        "8",
        "W1",
        "NS",
        "White",
        "BAME",
        "en",
        "Sylheti",
        "q1",
        "-",
        "NULL",
        "None",
        "1.0",
    ]
)
ANY_VALUES = st.lists(st.one_of(st.text(max_size=12), SOME_VALUES, st.none()), unique=True, max_size=12)


@settings(deadline=None, max_examples=40)
@given(
    raw=ANY_VALUES,
    name=st.sampled_from(["ethnicity", "language", "sex", "religion", "disability"]),
    seed=st.integers(1, 99),
)
def test_every_value_has_exactly_one_status_and_records_add_up(raw: list, name: str, seed: int) -> None:
    given_values = pd.DataFrame(
        {"value": pd.Series(raw, dtype="object"), "records": range(seed, seed + len(raw))}
    )
    table = code_values(given_values, name).table
    assert len(table) == len(raw)
    assert table["status"].isin(STATUSES).all()
    assert table["records"].sum() == given_values["records"].sum()
    assert (table["category"].ne("") == table["status"].eq("known")).all()
    assert (table["detail"].ne("") == table["status"].eq("known")).all()
    blank = [value is None or not str(value).strip() for value in raw]
    assert table.loc[blank, "status"].eq("missing").all()


@settings(deadline=None, max_examples=25)
@given(raw=ANY_VALUES)
def test_ages_places_and_deciles_have_exactly_one_status_too(raw: list) -> None:
    given_values = pd.DataFrame({"value": pd.Series(raw, dtype="object"), "records": 1})
    for coded in (code_ages(given_values), code_postcodes(given_values), code_deciles(given_values)):
        assert coded.table["status"].isin(STATUSES).all()
        assert coded.table["records"].sum() == len(raw)
        assert (coded.table["category"].ne("") == coded.table["status"].eq("known")).all()


@pytest.mark.parametrize("name", list(characteristics()))
def test_no_values_give_an_empty_table(name: str) -> None:
    coded = code_values(values(), name)
    assert coded.table.empty
    assert math.isnan(coded.matched_share)


@pytest.mark.parametrize(
    ("name", "code_list"),
    [(each.name, code_list) for each in characteristics().values() for code_list in each.code_lists],
)
def test_every_code_and_label_of_a_list_finds_its_own_row(name: str, code_list: str) -> None:
    codes = codelists.load(code_list).codes.drop_duplicates("code" if code_list == "iso-639-3" else "label")
    codes = codes.head(400)
    for column in ("code", "label"):
        # A language named by three letters ("Ari") may be the code of another: then the code holds.
        short = normalise(codes["label"]).str.len().le(3) & (column == "label")
        rows = codes[codes[column].ne("") & ~short]
        table = code_values(
            pd.DataFrame({"value": rows[column].to_numpy(), "records": 1}), name, code_list=code_list
        ).table
        assert list(table["status"]) == list(rows["status"]), column
        assert list(table["category"]) == list(rows["category"]), column


def test_one_spelling_never_leads_to_two_categories_of_a_characteristic() -> None:
    for name in set(characteristics()) - {"language"}:
        spelt = codelists.spellings(name)
        keys = normalise(spelt["text"])
        clashes = spelt.groupby(keys)["category"].nunique()
        # "Other - Chinese" is a 2001 label; "Other/Chinese", a heading of tables, cannot be told from it.
        assert set(clashes.index[clashes > 1]) <= {"other chinese"}, name


# ---------------------------------------------------------------- ethnicity


@pytest.mark.parametrize(
    ("written", "category"),
    [
        ("White - English/Welsh/Scottish/Northern Irish/British", "White British"),
        ("White: English, Welsh, Scottish, Northern Irish or British", "White British"),
        ("british", "White British"),
        (
            "Black/African/Caribbean/Black British - Any other Black/African/Caribbean background",
            "Black other",
        ),
        ("Asian/Asian British - Any other Asian background", "Asian other"),
        ("Mixed/Multiple ethnic groups - White and Black Caribbean", "Mixed White/Black Caribbean"),
        ("Mixed/Multiple ethnic groups - Any other Mixed/Multiple ethnic background", "Mixed other"),
        ("Mixed White/Asian", "Mixed White/Asian"),
        ("Other ethnic group - Any other ethnic group", "Any other"),
        ("Other Ethnic Groups - Chinese", "Chinese"),
        ("Asian or Asian British: Chinese", "Chinese"),
        ("White - Gypsy or Irish Traveller", "White Gypsy/Traveller"),
        ("White: Roma", "Roma"),
        ("Gypsy/Roma", "White (broad)"),
        ("Asian", "Asian (broad)"),
        ("Black or Black British", "Black (broad)"),
        ("Black/African/Caribbean/Black British", "Black (broad)"),
        ("Chinese or other ethnic group", "Chinese or Other (broad)"),
        ("Other ethnic group - Not stated", "declined"),
        ("Not stated", "declined"),
        ("Prefer not to say", "declined"),
        ("Unknown", "not_known"),
        ("U", "not_known"),
        ("Not Recorded", "not_known"),
        ("NULL", "not_known"),
        ("BAME", "invalid"),
        ("non-white", "invalid"),
        ("All", "invalid"),
        ("Mixed and other", "invalid"),
    ],
)
def test_labels_of_ethnicity(written: str, category: str) -> None:
    assert answers(code_values(values(written), "ethnicity")) == {written: category}


def test_a_broad_label_is_known_but_not_detailed() -> None:
    table = code_values(values("Asian", "Indian"), "ethnicity").table
    assert list(table["status"]) == ["known", "known"]
    assert list(table["detail"]) == ["broad", "detailed"]


def test_declined_is_asked_but_not_known() -> None:
    coded = code_values(values("A", "Z", "99", "X", "9", ""), "ethnicity")
    assert list(coded.table["status"]) == [
        "known",
        "declined",
        "not_known",
        "not_known",
        "not_known",
        "missing",
    ]
    assert coded.warnings == ("A withdrawn or retired code in 1 record.",)


def test_lower_case_padded_and_decorated_codes_match() -> None:
    coded = code_values(values("a", "B ", "'C", "\u00a0Z\t", "99.0"), "ethnicity")
    assert list(coded.table["category"]) == ["White British", "White Irish", "White other", "", ""]
    assert list(coded.table["status"])[-2:] == ["declined", "not_known"]


def test_the_second_character_of_the_national_code_is_local() -> None:
    named = code_values(values("A1", "CN", "Z9", "99"), "ethnicity", code_list=NHS)
    assert answers(named) == {"A1": "White British", "CN": "White other", "Z9": "declined", "99": "not_known"}
    assert set(named.table["code_list"]) == {NHS}


def test_a_two_letter_word_is_not_cut_to_a_national_letter() -> None:
    words = code_values(values("NK", "NS", "NO", "ZZ"), "ethnicity", code_list=NHS)
    assert list(words.table["status"]) == ["not_known", "declined", "invalid", "declined"]


def test_two_letters_of_ones_own_are_not_taken_for_national_codes() -> None:
    own = code_values(values("AS", "BL", "CH", "MX"), "ethnicity")
    assert set(own.table["status"]) == {"invalid"}
    among_letters = code_values(values(A=90, B=5, CA=4, LB=1), "ethnicity")
    assert answers(among_letters)["CA"] == "White other"


def test_local_second_digits_point_to_the_nhs_list_and_police_codes_to_theirs() -> None:
    nhs = code_values(values(A1=90, B1=5, H1=3, Z1=2), "ethnicity")
    assert (nhs.code_list, answers(nhs)["A1"]) == (NHS, "White British")
    police = code_values(values(W1=80, A1=10, B9=5, O9=3, NS=2), "ethnicity")
    assert (police.code_list, answers(police)["A1"]) == (POLICE, "Indian")
    assert answers(police)["NS"] == "declined"


def test_the_retired_police_code_for_chinese_still_reads() -> None:
    coded = code_values(values("W1", "A1", "O1"), "ethnicity")
    assert answers(coded)["O1"] == "Chinese"
    assert coded.warnings == ("A withdrawn or retired code in 1 record.",)


def test_codes_that_two_lists_read_differently_are_invalid_until_the_list_is_named() -> None:
    digits = values("1", "2", "3", "4")
    unnamed = code_values(digits, "ethnicity")
    assert set(unnamed.table["status"]) == {"invalid"}
    assert unnamed.table["suggestion"].str.contains("name the code list").all()
    assert any("A code that two lists read differently in 4 records" in each for each in unnamed.warnings)
    census = code_values(digits, "ethnicity", code_list="census-2021-ethnic-group")
    assert list(census.table["category"]) == ["Bangladeshi", "Chinese", "Indian", "Pakistani"]
    hospital = code_values(digits, "ethnicity", code_list="hes-ethnicity-1995")
    assert list(hospital.table["category"])[:2] == ["Black Caribbean", "Black African"]


def test_codes_beyond_a_rival_decide_between_two_lists() -> None:
    coded = code_values(values("1", "2", "13", "17"), "ethnicity")
    assert coded.code_list == "census-2021-ethnic-group"
    assert answers(coded)["1"] == "Bangladeshi"


def test_two_code_lists_in_one_field_are_both_reported() -> None:
    coded = code_values(values(A=60, H=5, Z=5, **{"0": 25, "4": 3, "9": 2}), "ethnicity")
    assert coded.code_lists == {NHS: 72, "hes-ethnicity-1995": 28}
    assert coded.matched_share == pytest.approx(0.72)
    assert answers(coded)["0"] == "White (broad)"
    assert coded.warnings[0] == (
        "The values come from 2 code lists: nhs-ethnic-category-2001 (72 records), "
        "hes-ethnicity-1995 (28 records)."
    )


def test_a_named_list_is_the_only_list_that_codes_are_read_by() -> None:
    coded = code_values(values("A", "W1", "Roma"), "ethnicity", code_list=NHS)
    assert answers(coded) == {"A": "White British", "W1": "invalid", "Roma": "Roma"}
    roma = coded.table.set_index("value").loc["Roma"]
    assert (roma["matched_by"], roma["code_list"]) == ("synonym", "")


def test_a_traveller_letter_points_to_the_general_practice_list() -> None:
    coded = code_values(values("A", "C", "T", "W"), "ethnicity")
    assert coded.code_list == "gp-ethnic-category-19"
    assert (answers(coded)["T"], answers(coded)["W"]) == ("White Gypsy/Traveller", "Arab")


def test_united_states_race_words_are_never_mapped_silently() -> None:
    coded = code_values(values(Caucasian=70, AfricanAmerican=20, Hispanic=5, Asian=4, Other=1), "ethnicity")
    assert records_by(coded, "status") == {"invalid": 95, "known": 5}
    first = coded.table.iloc[0]
    assert "map it locally" in first["suggestion"]
    assert any(each.startswith("A United States race word in 95 records") for each in coded.warnings)


def test_a_misspelt_label_is_invalid_and_the_nearest_category_is_suggested() -> None:
    row = code_values(values("Bangladeshhi"), "ethnicity").table.iloc[0]
    assert (row["status"], row["suggestion"]) == ("invalid", "Nearest category: Bangladeshi.")


def test_warnings_and_suggestions_never_hold_a_value() -> None:
    coded = code_values(values("Zebediah Smith-Jones", "Bangladeshhi", "Caucasian", "1", "2"), "ethnicity")
    told = " ".join([*coded.warnings, *coded.table["suggestion"]])
    assert "Zebediah" not in told and "Bangladeshhi" not in told and "Caucasian" not in told


def test_the_2001_parent_of_chinese_or_other_is_warned_about() -> None:
    coded = code_values(values("Chinese or other"), "ethnicity")
    assert coded.warnings == ("The 2001 group Chinese or Other in 1 record: compare by the 2001 parents.",)


# ---------------------------------------------------------------- local words


def test_a_local_map_goes_first_and_may_name_a_category_a_code_or_a_status() -> None:
    coded = code_values(
        values("A", "WB", "K1", "RF", "Caucasian"),
        "ethnicity",
        code_list=NHS,
        local_map={
            "A": "Any other",
            "wb": "White British",
            "K1": "K",
            "RF": "declined",
            "Caucasian": "White",
        },
    )
    assert answers(coded) == {
        "A": "Any other",
        "WB": "White British",
        "K1": "Bangladeshi",
        "RF": "declined",
        "Caucasian": "White (broad)",
    }
    assert set(coded.table["matched_by"]) == {"local map"}


def test_a_local_map_that_leads_nowhere_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"(?s)\[characteristics\.ethnicity\] map.*Bangladeshi"):
        code_values(values("A"), "ethnicity", local_map={"A": "Bangladeshy"})


def test_a_local_map_to_a_code_of_two_lists_asks_for_the_list() -> None:
    with pytest.raises(ConfigError, match="Name the code list"):
        code_values(values("X1"), "ethnicity", local_map={"X1": "3"})
    named = code_values(
        values("X1"), "ethnicity", local_map={"X1": "3"}, code_list="census-2021-ethnic-group"
    )
    assert answers(named) == {"X1": "Indian"}


def test_further_words_may_mean_an_empty_cell() -> None:
    coded = code_values(values("A", "S"), "ethnicity", extra_missing=["s"])
    assert list(coded.table["status"]) == ["known", "missing"]


def test_unknown_names_are_refused() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'ethnicity'"):
        code_values(values("A"), "ethnicty")
    with pytest.raises(ConfigError, match=NHS):
        code_values(values("A"), "ethnicity", code_list="nhs-ethnic-category")


def test_a_users_own_list_is_read_in_canonical_categories() -> None:
    codes = pd.DataFrame(
        {
            "code": ["900000000000000101", "900000000000000102"],
            "label": ["Own term one", "Own term two"],
            "category": ["Asian or Asian British - Bangladeshi", "Our own group"],
            "status": "known",
            "notes": "",
        }
    )
    own = CodeList("own", "ethnicity", "own", "", "detailed", False, codes, "", "")
    coded = code_values(values("900000000000000101", "own term two", "A"), "ethnicity", code_list=own)
    assert answers(coded) == {
        "900000000000000101": "Bangladeshi",
        "own term two": "Our own group",
        "A": "invalid",
    }
    assert coded.code_lists == {"own": 2}


# ---------------------------------------------------------------- which list


def test_lists_are_ranked_by_the_records_they_name() -> None:
    found = detect_code_list(values(A=60, H=10, Z=10, **{"0": 15, "": 50, "Unknown": 5}), "ethnicity")
    best = found.iloc[0]
    assert (best["code_list"], best["matched_records"], best["values_matched"]) == (NHS, 80, 3)
    assert best["share"] == pytest.approx(80 / 95)
    assert found.set_index("code_list").loc["hes-ethnicity-1995", "matched_records"] == 15
    assert list(found["matched_records"]) == sorted(found["matched_records"], reverse=True)


def test_labels_are_counted_apart_from_codes() -> None:
    found = detect_code_list(values("1", "Male", "F"), "sex").iloc[0]
    assert (found["by_code"], found["by_label"]) == (1, 1)


def test_no_values_match_no_list() -> None:
    found = detect_code_list(values("", None), "ethnicity")
    assert set(found["matched_records"]) == {0}
    assert found["share"].isna().all()


# ---------------------------------------------------------------- other characteristics


@pytest.mark.parametrize(
    ("name", "written", "meaning"),
    [
        ("sex", "M", "Male"),
        ("sex", "female", "Female"),
        ("sex", "9", "Indeterminate"),
        ("sex", "X", "not_known"),
        ("sex", "0", "not_known"),
        ("sex", "Unknown/Invalid", "not_known"),
        ("religion", "None", "No religion"),
        ("religion", "Church of England", "Christian"),
        ("religion", "M", "declined"),
        ("ethnicity", "None", "missing"),
        ("marital_status", "N", "declined"),
        ("marital_status", "8", "not_applicable"),
        ("marital_status", "Cohabiting", "invalid"),
        ("sexual_orientation", "U", "unsure"),
        ("sexual_orientation", "Straight", "Heterosexual or straight"),
        ("disability", "NN", "No disability"),
        ("disability", "None", "No disability"),
        ("disability", "04", "Memory, concentration, learning or understanding"),
        ("disability", "N", "No"),
        ("employment", "1", "Employed"),
        ("employment", "01", "Employed"),
        ("employment", "UU", "unsure"),
        ("accommodation", "HM01", "Rough sleeper"),
        ("accommodation", "NFA", "No fixed abode"),
        ("accommodation", "Unknown", "not_known"),
        ("migrant_status", "P", "unsure"),
        ("migrant_status", "4", "To pay all fees"),
        ("migrant_status", "H", "UK resident"),
        ("country_of_birth", "Bangladesh", "Middle East and Asia"),
        ("country_of_birth", "Côte d'Ivoire", "Africa"),
        ("interpreter_needed", "Y", "Yes"),
        ("interpreter_needed", "false", "No"),
        ("interpreter_needed", "", "missing"),
        ("carer", "Unknown", "not_known"),
    ],
)
def test_values_of_other_characteristics(name: str, written: str, meaning: str) -> None:
    assert answers(code_values(values(written), name)) == {written: meaning}


# ---------------------------------------------------------------- language


@pytest.mark.parametrize(
    ("written", "meaning"),
    [
        ("en", "English"),
        ("EN", "English"),
        ("en-GB", "English"),
        ("eng", "English"),
        ("bn", "Bengali"),
        ("ben", "Bengali"),
        ("Bangla", "Bengali"),
        ("South Asian language: Bengali (with Sylheti and Chatgaya)", "Bengali"),
        ("syl", "Sylheti"),
        ("Sylheti", "Sylheti"),
        ("ger", "German"),
        ("deu", "German"),
        ("zh-Hans", "Chinese (variety not stated)"),
        ("Mandarin", "Mandarin Chinese"),
        ("Chinese, Yue", "Cantonese"),
        ("Punjabi", "Panjabi"),
        ("Pahari", "Pahari-Potwari"),
        ("Mirpuri", "Pahari-Potwari"),
        ("Farsi", "Persian"),
        ("Moldovan", "Romanian"),
        ("mo", "Romanian"),
        ("Ga", "invalid"),
        ("q4", "British Sign Language"),
        ("BSL", "British Sign Language"),
        ("Makaton", "Makaton"),
        ("q1", "not_known"),
        ("und", "not_known"),
        ("zz", "not_known"),
        ("99", "not_known"),
        ("unknown", "not_known"),
        ("na", "missing"),
        ("nan", "missing"),
        ("Min Nan Chinese", "Min Nan Chinese"),
        ("South Asian languages", "South Asian language (broad)"),
        ("African language: Any other Nigerian language", "Any other Nigerian language"),
        ("Other", "Other language (broad)"),
        ("Refused", "declined"),
        ("Qwertish", "invalid"),
    ],
)
def test_languages_by_code_name_and_census_label(written: str, meaning: str) -> None:
    assert answers(code_values(values(written), "language")) == {written: meaning}


def test_a_two_letter_name_is_a_name_among_names_and_a_code_among_codes() -> None:
    codes = code_values(values("en", "bn", "ga"), "language")
    assert answers(codes)["ga"] == "Irish (Gaelic)"
    names = code_values(values("English", "Sylheti", "Twi", "Ga"), "language")
    assert answers(names)["Ga"] == "Ga"


def test_two_letter_codes_stay_codes_among_three_letter_ones() -> None:
    mixed = code_values(values("eng", "ben", "syl", "en", "mo"), "language")
    assert (answers(mixed)["en"], answers(mixed)["mo"]) == ("English", "Romanian")


# ---------------------------------------------------------------- ages


@pytest.mark.parametrize(
    ("written", "years"),
    [("42", 42), ("42.0", 42), (" 7 ", 7), ("0", 0), ("120", 120), ("42.9", 42), ("42 years", 42),
     ("42y", 42), ("7001", 0), ("7007", 0), ("7005.0", 0), ("18 months", 1), ("11m", 0), ("3 weeks", 0),
     (35, 35), (35.0, 35)],
)  # fmt: skip
def test_single_ages_in_whole_years(written: object, years: int) -> None:
    row = code_ages(values(written)).table.iloc[0]
    assert (row["status"], row["years"], row["lower"], row["upper"]) == ("known", years, years, years)
    assert (row["category"], row["detail"]) == (str(years), "detailed")


@pytest.mark.parametrize(
    ("written", "lower", "upper"),
    [("25-34", 25, 34), ("25 to 34", 25, 34), ("[10-20)", 10, 19), ("(10,20]", 11, 20),
     ("under 10", 0, 9), ("<1", 0, 0), ("over 34", 35, None), ("85+", 85, None), ("85 and over", 85, None),
     ("90 years and over", 90, None), (">=65", 65, None), ("Aged 16 to 24", 16, 24), ("17 or under", 0, 17)],
)  # fmt: skip
def test_bands_keep_their_words_and_have_no_single_age(written: str, lower: int, upper: int | None) -> None:
    row = code_ages(values(written)).table.iloc[0]
    assert (row["status"], row["category"], row["detail"]) == ("known", written, "broad")
    assert pd.isna(row["years"])
    assert row["lower"] == lower
    assert pd.isna(row["upper"]) if upper is None else row["upper"] == upper


@pytest.mark.parametrize(
    "written", ["121", "150", "-5", "1985", "34-25", "under 0", "forty", "7008", "12/03/1980"]
)
def test_what_is_no_age_is_invalid(written: str) -> None:
    assert answers(code_ages(values(written))) == {written: "invalid"}


@pytest.mark.parametrize(
    ("written", "status"),
    [("", "missing"), ("Unknown", "not_known"), ("999", "not_known"), ("Refused", "declined")],
)
def test_ages_that_are_not_given(written: str, status: str) -> None:
    assert answers(code_ages(values(written))) == {written: status}


# ---------------------------------------------------------------- places and deprivation

LOOKUP = pd.DataFrame(
    {
        "lsoa_code": ["E01000001", "E01033583", "E01000002", "W01000001"],
        "vintage": ["both", "2021", "2011", "both"],
        "ltla22_code": ["E09000001", "E09000025", "E09000025", "W06000001"],
        "ltla22_name": ["City of London", "Newham", "Newham", "Isle of Anglesey"],
        "imd2019_decile": pd.array([9, None, 2, None], dtype="Int64"),
        "imd2025_decile": pd.array([8, 3, None, None], dtype="Int64"),
        "wimd2019_decile": pd.array([None, None, None, 5], dtype="Int64"),
    }
)


def test_areas_are_known_by_their_authority_and_fillers_are_not_known() -> None:
    coded = code_areas(
        values(
            "E01033583", " e01000001", "S01006506", "Z99999999", "E99999999", "Y", "E01999999", "", "E15 4LZ"
        ),
        LOOKUP,
    )
    assert list(coded.table["status"]) == [
        "known", "known", "known", "not_known", "not_known", "not_known", "invalid", "missing", "invalid"
    ]  # fmt: skip
    assert list(coded.table["category"])[:3] == ["Newham", "City of London", "Outside England and Wales"]
    assert list(coded.table["ltla"])[:2] == ["E09000025", "E09000001"]
    assert coded.table.loc[6, "suggestion"].startswith("Has the shape of an LSOA code")
    assert coded.table.loc[8, "suggestion"] == ""


def test_one_index_of_deprivation_serves_a_whole_column() -> None:
    newer = code_areas(values("E01000001", "E01033583", "W01000001", "Z99999999"), LOOKUP, as_decile=True)
    assert answers(newer) == {
        "E01000001": "8", "E01033583": "3", "W01000001": "not_known", "Z99999999": "not_known"
    }  # fmt: skip
    assert newer.code_lists == {"imd-2025": 3}
    assert newer.warnings[0].startswith(
        "No decile for 1 record in Wales or in areas of another year than imd-2025"
    )
    older = code_areas(values(E01000001=5, E01000002=9), LOOKUP, as_decile=True)
    assert answers(older) == {"E01000001": "9", "E01000002": "2"}
    assert list(older.table["imd_decile"]) == [9, 2]


@pytest.mark.parametrize(
    ("written", "meaning"),
    [
        ("E15 4LZ", "Postcode recorded"),
        ("e154lz", "Postcode recorded"),
        ("SW1A 1AA", "Postcode recorded"),
        ("GIR 0AA", "Postcode recorded"),
        ("E15", "Postcode recorded"),
        ("ZZ99 3VZ", "No fixed abode"),
        ("ZZ99 3WZ", "not_known"),
        ("ZZ99 6ZZ", "not_known"),
        ("E15 4", "invalid"),
        ("NOT A PLACE", "invalid"),
        ("-", "missing"),
    ],
)
def test_postcodes_by_their_shape(written: str, meaning: str) -> None:
    assert answers(code_postcodes(values(written))) == {written: meaning}


def test_half_a_postcode_is_broad_and_no_postcode_is_kept_as_a_category() -> None:
    table = code_postcodes(values("E15 4LZ", "E15")).table
    assert list(table["detail"]) == ["detailed", "broad"]
    assert set(table["category"]) == {"Postcode recorded"}


def test_deciles_by_number_and_by_hospital_label() -> None:
    coded = code_deciles(
        values("1", "01", "10.0", "Most deprived 10%", "Less deprived 40-50%", "11", "0", "")
    )
    assert list(coded.table["decile"].fillna(0)) == [1, 1, 10, 1, 6, 0, 0, 0]
    assert list(coded.table["status"])[-3:] == ["invalid", "invalid", "missing"]


# ---------------------------------------------------------------- cross-checks and real data


def test_spellings_of_government_tables_reach_the_right_category() -> None:
    file = SHARED / "code-lists" / "ethnicity_text_synonyms.csv"
    if not file.is_file():
        pytest.skip("CROSS-CHECK NOT RUN: ethnicity_text_synonyms.csv is not beside the repository")
    spelt = pd.read_csv(file, dtype=str, keep_default_na=False)
    coded = code_values(pd.DataFrame({"value": spelt["text"], "records": 1}), "ethnicity").table
    detailed = spelt["specificity"].eq("known_detailed")
    # Column names and table totals are no values of a record.
    written = detailed & ~spelt["text"].str.contains(r"^ethnicity_|total$", regex=True)
    right = coded["category"].eq(spelt["standard_name"])
    assert set(spelt.loc[written & ~right, "text"]) == {
        "mixed ethnic groups",  # a heading: read as broad here
        "mixed/ multiple ethnic groups",  # a heading: read as broad here
        "white non-british",  # holds Irish, Traveller and Roma people too: read as broad here
    }
    assert right[written].mean() > 0.97
    assert right[detailed].mean() > 0.84
    broad = spelt["standard_name"].isin(["Asian", "Black", "Mixed", "White"]) & spelt["specificity"].eq(
        "known_broad"
    )
    broad &= ~spelt["text"].str.contains(r"^ethnicity_|total$", regex=True)
    assert list(coded.loc[broad, "category"]) == [
        f"{name} (broad)" for name in spelt.loc[broad, "standard_name"]
    ]


def test_labels_of_the_nhs_language_list_reach_their_language() -> None:
    file = SHARED / "code-lists" / "language_nhs_iso639_1.csv"
    if not file.is_file():
        pytest.skip("CROSS-CHECK NOT RUN: language_nhs_iso639_1.csv is not beside the repository")
    listed = pd.read_csv(file, dtype=str, keep_default_na=False).query("iso639_3 != ''")
    first = listed["label"].str.split(";").str[0]
    coded = code_values(pd.DataFrame({"value": first, "records": 1}), "language").table
    iso = codelists.categories("language").set_index("category")["iso639_3"]
    right = coded["category"].map(iso).to_numpy() == listed["iso639_3"].to_numpy()
    assert right.mean() > 0.97


@pytest.mark.parametrize(
    ("force", "known", "declined", "missing"),
    [("leicestershire", 4505, 1021, 0), ("west-yorkshire", 17794, 3339, 22), ("durham", 2335, 59, 60)],
)
def test_self_defined_ethnicity_of_three_police_forces(
    force: str, known: int, declined: int, missing: int
) -> None:
    file = f"police-stop-search/{force}_2020-04_2021-03.csv"
    coded = code_values(counted(file, "Self-defined ethnicity"), "ethnicity")
    found = records_by(coded, "status")
    assert found == {k: v for k, v in {"declined": declined, "known": known, "missing": missing}.items() if v}
    assert set(coded.code_lists) == {"census-2011-ethnic-group"}
    assert coded.matched_share == 1
    assert coded.warnings == ()
    assert set(coded.table.loc[coded.table["status"] == "known", "detail"]) == {"detailed"}
    officer = code_values(counted(file, "Officer-defined ethnicity"), "ethnicity").table
    assert set(officer.loc[officer["status"] == "known", "detail"]) == {"broad"}
    assert "invalid" not in set(officer["status"])
    ages = code_ages(counted(file, "Age range")).table
    assert set(ages["status"]) <= {"known", "missing"}


def test_hospital_ethnicity_mixes_two_lists_and_every_value_is_coded() -> None:
    coded = code_values(
        counted("hes-artificial/artificial_hes_apc_0102_truncated.csv", "ETHNOS"), "ethnicity"
    )
    assert records_by(coded, "status") == {"declined": 684, "known": 1154, "not_known": 237}
    assert coded.code_lists == {NHS: 1726, "hes-ethnicity-1995": 349}
    by_value = coded.table.set_index("value")
    assert list(by_value.loc[["X", "9"], "status"]) == ["not_known", "not_known"]
    assert list(by_value.loc[["0", "1", "2", "8"], "category"]) == [
        "White (broad)",
        "Black Caribbean",
        "Black African",
        "Other (broad)",
    ]


def test_hospital_ages_and_sex_are_all_read() -> None:
    inpatient = "hes-artificial/artificial_hes_apc_0102_truncated.csv"
    assert records_by(code_ages(counted(inpatient, "STARTAGE")), "status") == {"known": 2075}
    assert records_by(code_values(counted(inpatient, "SEX"), "sex"), "status") == {
        "known": 2073,
        "not_known": 2,
    }
    emergency = "hes-artificial/artificial_hes_ae_0708_truncated.csv"
    assert set(code_ages(counted(emergency, "ARRIVALAGE")).table["status"]) <= {"known", "missing"}
    unknown = code_values(counted(emergency, "ETHNOS"), "ethnicity")
    assert records_by(unknown, "status") == {"not_known": 1000}


def test_united_states_encounters_are_not_read_as_ons_categories() -> None:
    coded = code_values(counted("diabetes-130/diabetic_data.csv.gz", "race"), "ethnicity")
    assert records_by(coded, "status") == {"invalid": 97346, "known": 2147, "missing": 2273}
    bands = code_ages(counted("diabetes-130/diabetic_data.csv.gz", "age")).table
    assert set(bands["status"]) == {"known"}
    assert (bands["upper"] - bands["lower"]).eq(9).all()


def test_na_is_a_code_where_other_letters_carry_the_same_local_letter_and_no_answer_elsewhere():
    local = pd.DataFrame({"value": ["AA", "CA", "HA", "NA", "A"], "records": [9, 9, 9, 9, 90]})
    coded = code_values(local, "ethnicity", code_list="nhs-ethnic-category-2001").table.set_index("value")
    assert (coded.loc["NA", "status"], coded.loc["NA", "category"]) == ("known", "Black African")
    exported = pd.DataFrame({"value": ["A", "C", "NA"], "records": [90, 9, 9]})
    coded = code_values(exported, "ethnicity", code_list="nhs-ethnic-category-2001").table.set_index("value")
    assert coded.loc["NA", "status"] == "missing"
