"""Code lists, canonical categories and words: what a code means, and what folds into what."""

from pathlib import Path

import pandas as pd
import pytest

from equitydata import codelists
from equitydata.errors import ConfigError, InputError
from equitydata.model import STATUSES
from equitydata.rulebook import characteristics

SHARED = Path(__file__).parents[2] / "shared"
LISTS = list(codelists.catalogue()["code_list"])


def shared(name: str) -> pd.DataFrame:
    file = SHARED / name
    if not file.is_file():
        pytest.skip(f"CROSS-CHECK NOT RUN: {name} is not beside the repository")
    return pd.read_csv(file, dtype=str, keep_default_na=False)


def write(path: Path, text: str) -> Path:
    path.write_text("\n".join(line.strip() for line in text.strip().splitlines()) + "\n", encoding="utf-8")
    return path


# ---- every list


@pytest.mark.parametrize("name", LISTS)
def test_every_list_has_one_status_per_code_and_a_category_exactly_where_it_is_known(name: str) -> None:
    codes = codelists.load(name).codes
    assert list(codes.columns) == ["code", "label", "category", "status", "notes"]
    assert set(codes["status"]) <= set(STATUSES)
    assert (codes["category"].ne("") == codes["status"].eq("known")).all()
    assert not codes.loc[codes["code"].ne(""), "code"].duplicated().any()
    assert codes["label"].ne("").all()


@pytest.mark.parametrize("name", LISTS)
def test_every_list_leads_to_canonical_categories_and_names_its_source(name: str) -> None:
    code_list = codelists.load(name)
    if code_list.characteristic not in ("*", "age", "geography", "postcode"):
        known = set(codelists.categories(code_list.characteristic)["category"])
        assert set(code_list.codes["category"]) - {""} <= known
    assert code_list.source and code_list.licence


def test_every_list_that_a_characteristic_names_is_there() -> None:
    named = {name for each in characteristics().values() for name in each.code_lists}
    assert named <= set(LISTS)


def test_an_unknown_list_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'yes-no'"):
        codelists.load("yes_no")


def test_a_loaded_list_is_a_copy() -> None:
    codes = codelists.load("yes-no").codes
    codes.loc[0, "category"] = "changed"
    assert codelists.load("yes-no").codes.loc[0, "category"] == "Yes"


def test_ons_lists_of_ethnicity_and_their_years() -> None:
    entries = codelists.catalogue().set_index("code_list")
    ethnic = entries[entries["characteristic"] == "ethnicity"]
    assert ethnic.loc[ethnic["ons"] == "yes", "year"].to_dict() == {
        "nhs-ethnic-category-2001": "2001",
        "gp-ethnic-category-19": "2011",
        "census-2021-ethnic-group": "2021",
        "census-2011-ethnic-group": "2011",
        "self-defined-ethnicity-18-plus-1": "2011",
    }


@pytest.mark.parametrize(
    ("name", "code", "status"),
    [
        ("nhs-ethnic-category-2001", "Z", "declined"),
        ("nhs-ethnic-category-2001", "99", "not_known"),
        ("nhs-ethnic-category-2001", "X", "not_known"),
        ("nhs-ethnic-category-2001", "9", "not_known"),
        ("self-defined-ethnicity-18-plus-1", "NS", "declined"),
        ("person-stated-gender", "X", "not_known"),
        ("person-stated-gender", "9", "known"),
        ("person-gender-current", "0", "not_known"),
        ("gender-identity", "Z", "declined"),
        ("sexual-orientation", "U", "unsure"),
        ("sexual-orientation", "9", "not_known"),
        ("religion-group", "L", "known"),
        ("religion-group", "M", "declined"),
        ("religion-group", "N", "not_known"),
        ("marital-status", "N", "declined"),
        ("marital-status", "8", "not_applicable"),
        ("disability", "ZZ", "declined"),
        ("disability", "NN", "known"),
        ("employment-status", "UU", "unsure"),
        ("settled-accommodation", "Z", "declined"),
        ("overseas-visitor-status", "8", "known"),
        ("overseas-visitor-charging-category", "P", "unsure"),
        ("nhs-language", "q1", "not_known"),
        ("iso-639-3", "und", "not_known"),
    ],
)
def test_declined_not_known_and_unsure_stand_apart(name: str, code: str, status: str) -> None:
    codes = codelists.load(name).codes.set_index("code")
    assert codes.loc[code, "status"] == status


# ---- categories and folding


def test_ethnicity_has_nineteen_detailed_categories_and_five_residuals_of_2021() -> None:
    table = codelists.categories("ethnicity")
    detailed = table[table["detail"] == "detailed"]
    assert sorted(detailed["census_2021_code"].astype(int)) == list(range(1, 20))
    residual = detailed[detailed["residual"] == 1]
    assert sorted(residual["census_2021_code"].astype(int)) == [5, 8, 12, 17, 19]
    assert set(table["group"]) == {"Asian", "Black", "Mixed", "White", "Other"}


def test_categories_are_unique_and_in_order_in_every_characteristic() -> None:
    for name in characteristics():
        table = codelists.categories(name)
        assert table["category"].is_unique, name
        assert table["order"].is_monotonic_increasing, name
        assert {"category", "order", "detail", "residual", "group"} <= set(table.columns), name


def test_folding_to_2001_moves_roma_traveller_and_arab_into_residuals() -> None:
    categories = pd.Series(
        ["Roma", "White Gypsy/Traveller", "Arab", "Chinese", "Indian"], index=list("abcde")
    )
    folded = codelists.fold(categories, scheme="nhs_2001")
    assert folded.to_dict() == {
        "a": "White other", "b": "White other", "c": "Any other", "d": "Chinese", "e": "Indian"
    }  # fmt: skip


def test_folding_to_2011_moves_roma_alone() -> None:
    categories = pd.Series(["Roma", "White Gypsy/Traveller", "Arab"])
    assert list(codelists.fold(categories, scheme="census_2011")) == [
        "White other",
        "White Gypsy/Traveller",
        "Arab",
    ]


def test_chinese_has_another_parent_in_2001() -> None:
    chinese = pd.Series(["Chinese", "Arab", "Asian (broad)"])
    assert list(codelists.fold(chinese, scheme="five_groups")) == ["Asian", "Other", "Asian"]
    assert list(codelists.fold(chinese, scheme="five_groups_2001")) == [
        "Chinese or Other",
        "Chinese or Other",
        "Asian",
    ]


def test_folding_keeps_what_the_scheme_does_not_know_and_changes_no_input() -> None:
    categories = pd.Series(["Our own group", "Roma"])
    assert list(codelists.fold(categories, scheme="nhs_2001")) == ["Our own group", "White other"]
    assert list(categories) == ["Our own group", "Roma"]


def test_an_unknown_scheme_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="census_2021"):
        codelists.fold(pd.Series(["Roma"]), scheme="census2021")


def test_languages_fold_to_the_lines_and_groups_of_the_census() -> None:
    languages = pd.Series(["Sylheti", "Standard Arabic", "Twi", "Irish Sign Language", "Zulu", "Esperanto"])
    assert list(codelists.fold(languages, scheme="ts024")) == [
        "South Asian language: Bengali (with Sylheti and Chatgaya)",
        "Arabic",
        "African language: Akan",
        "Sign language: Any other sign language",
        "African language: Any other African language",
        "Other language",
    ]
    assert codelists.fold(languages, scheme="main_language_22").iloc[0] == "South Asian languages"


def test_english_is_the_one_language_that_is_english() -> None:
    table = codelists.categories("language")
    assert list(table.loc[table["is_english"] == "1", "category"]) == ["English"]


def test_what_a_2001_list_cannot_collect() -> None:
    detailed = codelists.categories("ethnicity").query("detail == 'detailed'")["category"]
    not_collected = set(detailed) - codelists.collected_by(["nhs-ethnic-category-2001"])
    assert not_collected == {"Roma", "White Gypsy/Traveller", "Arab"}
    assert set(detailed) <= codelists.collected_by(["census-2021-ethnic-group"])
    assert codelists.collected_by(["a list of one's own"]) == set()


# ---- words


def test_a_words_own_row_goes_before_the_general_one() -> None:
    words = codelists.missing_words("ethnicity").set_index("text")["status"]
    assert words.index.is_unique
    assert words["nr"] == "not_known"
    assert words["not stated"] == "declined"
    assert words["null"] == "not_known"
    assert words["prefer not to say"] == "declined"
    assert "nr" not in set(codelists.missing_words("religion")["text"])


def test_every_known_synonym_leads_to_a_canonical_category() -> None:
    for name in characteristics():
        words = codelists.synonyms(name)
        known = words[words["status"] == "known"]
        assert set(known["category"]) <= set(codelists.categories(name)["category"]), name
        assert words.loc[words["status"] == "invalid", "notes"].ne("").all(), name


# ---- a user's own files


def test_a_snomed_list_is_read_by_a_named_grouping(tmp_path: Path) -> None:
    file = write(
        tmp_path / "own_list.csv",
        """
        code,term,grouping_16,grouping_6
        1001,Term of the Bangladeshi group,10,3
        1002,Term of another group,15,5
        1003,Term without a category,,
        """,
    )
    sixteen = codelists.read_opencodelists(
        file, characteristic="ethnicity", grouping_column="grouping_16", grouping="opensafely-16"
    )
    assert list(sixteen.codes["category"]) == ["Bangladeshi", "Chinese", ""]
    assert list(sixteen.codes["status"]) == ["known", "known", "not_known"]
    five = codelists.read_opencodelists(
        file, characteristic="ethnicity", grouping_column="grouping_6", grouping="opensafely-5"
    )
    assert list(five.codes["category"]) == ["Asian (broad)", "Chinese or Other (broad)", ""]


def test_a_grouping_may_be_the_codes_of_a_list_or_a_mapping(tmp_path: Path) -> None:
    file = write(tmp_path / "own.csv", "code,term,letter\n1,a,K\n2,b,A")
    by_list = codelists.read_opencodelists(
        file, characteristic="ethnicity", grouping_column="letter", grouping="nhs-ethnic-category-2001"
    )
    assert list(by_list.codes["category"]) == ["Bangladeshi", "White British"]
    by_mapping = codelists.read_opencodelists(
        file, characteristic="ethnicity", grouping_column="letter", grouping={"K": "Bangladeshi"}
    )
    assert list(by_mapping.codes["status"]) == ["known", "not_known"]
    with pytest.raises(ConfigError, match="opensafely-16"):
        codelists.read_opencodelists(
            file, characteristic="ethnicity", grouping_column="letter", grouping="opensafely-61"
        )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("kode,term\n1,a", "no column 'code'"),
        ("code,term\n1,a\n1,b", "more than once"),
        ("", "not a CSV"),
    ],
)
def test_a_list_that_cannot_be_used_is_refused_without_quoting_it(
    tmp_path: Path, text: str, told: str
) -> None:
    file = tmp_path / "own.csv"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=told):
        codelists.read_opencodelists(file, characteristic="ethnicity")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.csv"):
        codelists.read_local_map(tmp_path / "nowhere.csv")


def test_a_local_map_takes_the_first_of_category_code_and_status(tmp_path: Path) -> None:
    file = write(
        tmp_path / "map.csv", "value,category,code,status\nWB,White British,,\nBB,,K,\nRF,,,declined"
    )
    assert codelists.read_local_map(file).to_dict("list") == {
        "value": ["WB", "BB", "RF"],
        "category": ["White British", "K", "declined"],
    }


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("value\nWB", "needs a column"),
        ("value,category\nWB,", "line 2: 1 rows lead nowhere"),
        ("value,category\nWB,Roma\nWB,Arab", "line 3: 1 rows repeat"),
    ],
)
def test_a_local_map_that_is_not_whole_is_refused(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "map.csv"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=told) as caught:
        codelists.read_local_map(file)
    assert "WB" not in str(caught.value)


# ---- cross-checks with lists gathered apart from these


def test_2001_letters_and_2021_codes_agree_with_the_map_between_them() -> None:
    pairs = shared("code-lists/ethnicity_map_2001_2021.csv")
    letters = codelists.load("nhs-ethnic-category-2001").codes.set_index("code")["category"]
    numbers = codelists.load("census-2021-ethnic-group").codes.set_index("code")["category"]
    up = pairs[pairs["direction"] == "2001_to_2021"]
    assert list(up["from_code"].map(letters)) == list(up["to_code"].map(numbers))
    down = pairs[pairs["direction"] == "2021_to_2001"]
    folded = codelists.fold(down["from_code"].map(numbers), scheme="nhs_2001")
    assert list(folded) == list(down["to_code"].map(letters))
    parents = codelists.fold(down["from_code"].map(numbers), scheme="five_groups_2001")
    assert list(parents) == list(down["parent_2001"])


@pytest.mark.parametrize(
    ("file", "name", "checked"),
    [
        ("ethnic_category_2001_nhs", "nhs-ethnic-category-2001", 20),
        ("ethnic_category_gp_extract_19", "gp-ethnic-category-19", 19),
        ("ethnicity_self_defined_18plus1", "self-defined-ethnicity-18-plus-1", 20),
        ("ethnic_group_census2021", "census-2021-ethnic-group", 20),
        ("ethnicity_hes_legacy_pre2001", "hes-ethnicity-1995", 6),
        ("person_stated_gender", "person-stated-gender", 4),
        ("person_gender_current", "person-gender-current", 4),
        ("gender_identity", "gender-identity", 6),
        ("sexual_orientation", "sexual-orientation", 7),
        ("religion_group", "religion-group", 14),
        ("marital_status", "marital-status", 12),
        ("disability", "disability", 13),
        ("employment_status", "employment-status", 10),
        ("accommodation_status", "accommodation-status", 31),
        ("settled_accommodation", "settled-accommodation", 4),
        ("overseas_visitor_status", "overseas-visitor-status", 6),
        ("overseas_visitor_charging_category", "overseas-visitor-charging-category", 8),
        ("residential_status", "residential-status", 2),
        ("imd_decile", "imd-decile", 10),
        ("language_census2021_main23", "census-2021-main-language-22", 23),
        ("postcode_pseudo", "pseudo-postcode", 6),
    ],
)
def test_codes_and_statuses_agree_with_the_list_gathered_apart(file: str, name: str, checked: int) -> None:
    theirs = shared(f"code-lists/{file}.csv").set_index("code")["status"]
    codes = codelists.load(name).codes
    ours = codes[codes["code"].ne("")].set_index("code")["status"]
    assert len(theirs) == checked
    assert theirs.to_dict() == ours[ours.index.isin(theirs.index)].to_dict()


def test_census_2021_codes_lead_to_the_census_labels_and_groups() -> None:
    theirs = shared("code-lists/ethnic_group_census2021.csv").query("status == 'known'").set_index("code")
    ours = codelists.categories("ethnicity").query("detail == 'detailed'").set_index("census_2021_code")
    assert theirs["short_name"].to_dict() == ours["category"].to_dict()
    assert theirs["label"].to_dict() == ours["census_2021_label"].to_dict()
    assert theirs["group5"].to_dict() == ours["group"].to_dict()


def test_police_codes_lead_to_the_same_2021_category() -> None:
    theirs = shared("code-lists/ethnicity_self_defined_18plus1.csv").query("status == 'known'")
    ours = codelists.load("self-defined-ethnicity-18-plus-1").codes.set_index("code")["category"]
    numbers = codelists.load("census-2021-ethnic-group").codes.set_index("code")["category"]
    assert list(theirs["code"].map(ours)) == list(theirs["census2021_code"].map(numbers))


def test_homeless_marks_agree_with_the_list_gathered_apart() -> None:
    ours = codelists.categories("accommodation").set_index("category")["homeless"]
    theirs = shared("code-lists/accommodation_status.csv").set_index("code")["homeless"]
    codes = codelists.load("accommodation-status").codes.set_index("code")["category"]
    assert codes.map(ours).to_dict() == theirs.to_dict()
    theirs = shared("code-lists/accommodation_asc_cld.csv").query("status == 'known'")
    labels = codelists.load("accommodation-client-level").codes.set_index("label")["category"]
    assert list(theirs["label"].map(labels).map(ours)) == list(theirs["homeless"])


def test_nhs_language_codes_lead_to_the_same_iso_code() -> None:
    theirs = shared("code-lists/language_nhs_iso639_1.csv").query("status == 'known'").set_index("code")
    codes = codelists.load("nhs-language").codes.set_index("code")
    table = codelists.categories("language").set_index("category")
    # q1 is a format and names no language; na is far more often an empty cell than Nauru; bih has no 639-3.
    checked = theirs.drop(index=["q1", "na", "bh"])
    iso = checked.index.map(codes["category"]).map(table["iso639_3"])
    assert list(iso) == list(checked["iso639_3"])
    assert len(checked) == 187


def test_languages_that_the_census_names_stand_on_the_same_line_and_group() -> None:
    theirs = shared("code-lists/language_nhs_iso639_1.csv").query("ts024_label != ''")
    lines = shared("code-lists/language_census2021_main23.csv").set_index("code")["label"]
    table = codelists.categories("language").query("iso639_3 != ''").set_index("iso639_3")
    named = theirs[theirs["iso639_3"] != ""]
    assert list(named["iso639_3"].map(table["census_label"])) == list(named["ts024_label"])
    assert list(named["iso639_3"].map(table["group"])) == list(named["main23_code"].map(lines))


def test_every_line_of_the_census_language_table_has_a_category() -> None:
    codebook = shared("reference-data/census2021_codebook_england_wales_totals.csv")
    labels = set(codebook.loc[codebook["dataset_id"] == "ts024", "category"])
    ours = set(codelists.categories("language")["census_label"])
    heading_of_one_line = "Other European language (EU and non-EU)"
    assert labels - ours == {"Total: All usual residents aged 3 years and over", heading_of_one_line}
    assert ours <= labels


def test_ts024_leaves_lead_to_their_iso_codes() -> None:
    leaves = shared("code-lists/language_census2021_ts024.csv").query("iso639_3 != ''")
    table = codelists.categories("language").query("iso639_3 != ''").set_index("iso639_3")["census_label"]
    pairs = leaves.assign(iso=leaves["iso639_3"].str.split(";")).explode("iso")
    assert list(pairs["iso"].map(table)) == list(pairs["label"])
