"""The reference tables and their one door.

Known figures are from the Office for National Statistics unless a test says otherwise; the table that each
one stands in is named beside it.
"""

from pathlib import Path

import pandas as pd
import pytest

from equitydata import reference
from equitydata.errors import ConfigError, InputError

CATALOGUE = reference.catalogue()
TOPICS = CATALOGUE.loc[CATALOGUE["kind"].eq("population"), "name"].tolist()
CROSSED = CATALOGUE.loc[CATALOGUE["kind"].eq("crossed_population"), "name"].tolist()
LONDON_ONLY = CATALOGUE.loc[CATALOGUE["geography"].str.startswith("33 London boroughs"), "name"].tolist()
OWN_CODES = ["age", "age_five_year", "sex"]  # topics whose cells carry plain codes, none of Nomis
KEY = ["area_code", "category_code", "category_2_code"]
NEWHAM, LEEDS, LONDON = "E09000025", "E08000035", "E12000007"
ENGLAND, WALES, ENGLAND_AND_WALES = "E92000001", "W92000004", "K04000001"


def total(topic: str, area: str) -> int:
    table = reference.read_table(topic)
    return int(table.loc[table["area_code"].eq(area) & table["level"].eq(0), "count"].item())


# ---- the catalogue and the folder


def test_the_catalogue_counts_the_rows_that_are_there():
    held = {name: len(reference.read_table(name)) for name in CATALOGUE["name"]}
    assert held == CATALOGUE.set_index("name")["rows"].to_dict()


@pytest.mark.parametrize(
    "column", ["title", "reference_date", "population_base", "unit", "geography", "source", "licence", "file"]
)
def test_every_table_says_its(column):
    assert CATALOGUE[column].str.strip().ne("").all()


def test_dates_are_days_or_years():
    assert CATALOGUE["reference_date"].str.fullmatch(r"\d{4}(-\d{2}-\d{2})?").all()


def test_names_and_files_are_unique():
    assert CATALOGUE["name"].is_unique
    assert CATALOGUE["file"].is_unique


def test_every_data_file_of_the_folder_is_in_the_catalogue():
    folder = reference.reference_folder()
    written = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    others = {name for name in written if name.startswith(("code_lists/", "categories/"))}
    assert written - others == {*CATALOGUE["file"], "catalogue.csv", "README.md"}


def test_the_folder_is_small_enough_to_travel_in_a_wheel():
    folder = reference.reference_folder()
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < 9_000_000


@pytest.mark.parametrize(
    ("name", "credited"),
    [
        ("imd2019_lsoa11", "mySociety, CC BY 4.0"),
        ("gender_identity", "House of Commons Library"),
        ("ethnic_group", "Open Government Licence v3.0"),
        ("ltla_code_changes", "OS data"),
    ],
)
def test_those_who_must_be_credited_are(name, credited):
    assert credited in CATALOGUE.set_index("name").loc[name, "licence"]


def test_the_caution_for_gender_identity_travels_with_it():
    assert "official statistics in development" in CATALOGUE.set_index("name").loc["gender_identity", "notes"]


def test_tables_of_an_installed_package_come_first(tmp_path: Path, monkeypatch):
    module = tmp_path / "site" / "equitydata" / "reference.py"
    (module.parent / "_reference").mkdir(parents=True)
    (module.parent / "_reference" / "catalogue.csv").write_text("name\n")
    monkeypatch.setattr(reference, "__file__", str(module))
    assert reference.reference_folder() == (module.parent / "_reference").resolve()


def test_absent_tables_are_refused_with_a_mend(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(reference, "__file__", str(tmp_path / "a" / "b" / "reference.py"))
    with pytest.raises(InputError, match="not found") as caught:
        reference.reference_folder()
    assert "build_reference" in caught.value.mend


def test_a_damaged_table_is_refused_by_its_name(tmp_path: Path):
    (tmp_path / "sex.parquet").write_bytes(b"not a table")
    with pytest.raises(InputError, match="cannot be read") as caught:
        reference._read(tmp_path / "sex.parquet")
    assert caught.value.where == "sex.parquet"
    assert caught.value.__suppress_context__


def test_what_is_handed_out_is_the_callers_to_change():
    for hand_out in (reference.catalogue, reference.areas, reference.lsoa_lookup, reference.criteria):
        first = hand_out()
        before = first.copy()
        first.iloc[:, 0] = "changed"
        pd.testing.assert_frame_equal(hand_out(), before)


def test_an_unknown_table_names_the_nearest():
    with pytest.raises(ConfigError, match="Did you mean 'ethnic_group'"):
        reference.read_table("ethnic_groups")


# ---- laws of every population table


@pytest.mark.parametrize("name", [*TOPICS, *CROSSED])
def test_keys_are_unique_and_counts_whole(name):
    table = reference.read_table(name)
    assert not table.duplicated(KEY).any()
    assert not table.isna().any(axis=None)
    assert table["count"].dtype == "int64"
    assert table["count"].ge(0).all()
    assert table["topic"].eq(name).all()
    assert table["derivation"].ne("").all()


@pytest.mark.parametrize("name", TOPICS)
def test_leaves_add_up_to_the_total_of_every_area(name):
    table = reference.read_table(name)
    leaves = table[table["is_leaf"]].groupby("area_code")["count"].sum()
    totals = table[table["level"].eq(0)].set_index("area_code")["count"]
    assert leaves.to_dict() == totals.to_dict()
    assert totals.index.is_unique


@pytest.mark.parametrize("name", TOPICS)
def test_every_heading_is_the_sum_of_the_cells_below_it(name):
    table = reference.read_table(name)
    below = table[table["parent_code"].ne("")].groupby(["area_code", "parent_code"])["count"].sum()
    headings = table[~table["is_leaf"]].set_index(["area_code", "category_code"])["count"]
    assert below.to_dict() == headings.to_dict()


@pytest.mark.parametrize("name", TOPICS)
def test_a_label_means_one_code_and_a_code_one_label(name):
    cells = reference.read_table(name)[["category_code", "category"]].drop_duplicates()
    assert cells["category_code"].is_unique
    assert cells["category"].is_unique


@pytest.mark.parametrize("name", TOPICS)
def test_areas_of_a_topic_are_those_that_the_catalogue_says(name):
    held = set(reference.read_table(name)["area_code"])
    areas = reference.areas()
    if name in LONDON_ONLY:
        boroughs = areas.loc[areas["region_code"].eq(LONDON) & areas["area_type"].eq("ltla"), "area_code"]
        assert len(boroughs) == 33
        assert held == {*boroughs, LONDON, ENGLAND_AND_WALES}
    else:
        assert held == set(areas["area_code"])


@pytest.mark.parametrize("name", [topic for topic in TOPICS if topic not in LONDON_ONLY])
def test_regions_sum_to_england_and_the_nations_to_both(name):
    """Perturbation parts the levels of a published table by a few people: 100 in 56 million is allowed."""
    totals = reference.read_table(name).query("level == 0").set_index("area_code")["count"]
    regions = totals[totals.index.str.startswith("E12")]
    assert len(regions) == 9
    assert abs(regions.sum() - totals[ENGLAND]) <= 100
    assert abs(totals[ENGLAND] + totals[WALES] - totals[ENGLAND_AND_WALES]) <= 350


@pytest.mark.parametrize("name", [topic for topic in TOPICS if topic not in OWN_CODES])
def test_counts_for_england_and_wales_are_those_of_the_codebook(name):
    """Cells that carry a Nomis code must hold the published count, exactly; languages up to the residual."""
    table = reference.read_table(name)
    book = reference.read_table("census_codebook").set_index("category_code")["count"]
    published = table[table["area_code"].eq(ENGLAND_AND_WALES) & table["category_code"].isin(book.index)]
    assert len(published) > 0
    assert published["count"].tolist() == book[published["category_code"]].tolist()


def test_the_codebook_has_73_tables_whose_leaves_make_the_total():
    book = reference.read_table("census_codebook")
    assert book["table_id"].nunique() == 73
    leaves = book[book["is_leaf"]].groupby("table_id")["count"].sum()
    totals = book[book["category"].str.startswith("Total")].groupby("table_id")["count"].max()
    assert leaves.to_dict() == totals.to_dict()


# ---- known figures


@pytest.mark.parametrize(
    ("topic", "area", "published"),
    [
        ("ethnic_group", NEWHAM, 351_030),  # TS021, and the ONS bulletin's own data download
        ("ethnic_group", ENGLAND_AND_WALES, 59_597_542),  # TS021
        ("ethnic_group", ENGLAND, 56_490_065),  # TS021, sum of local authorities
        ("age", NEWHAM, 351_039),  # TS007
        ("age", LONDON, 8_799_723),  # TS007
        ("age", ENGLAND, 56_490_045),  # TS007
        ("sex", NEWHAM, 351_029),  # TS009
        ("sex", ENGLAND_AND_WALES, 59_597_542),  # TS008
        ("country_of_birth", NEWHAM, 351_036),  # TS004
        ("general_health", NEWHAM, 351_036),  # TS037
        ("disability", NEWHAM, 351_036),  # TS038
    ],
)
def test_totals_are_the_published_ones(topic, area, published):
    assert total(topic, area) == published


def test_children_and_older_people_of_newham_are_those_of_ts007():
    ages = reference.population("age", NEWHAM).set_index("category_code")["count"]
    ages.index = ages.index.astype(int)
    assert ages[ages.index < 16].sum() == 74_863
    assert ages[ages.index >= 65].sum() == 25_167


def test_bands_are_the_single_years_they_hold():
    ages = reference.population("age", NEWHAM)
    band = (ages["category_code"].astype(int) // 5).clip(upper=18)
    bands = reference.population("age_five_year", NEWHAM)
    assert ages.groupby(band)["count"].sum().tolist() == bands["count"].tolist()
    assert bands["category_code"].iloc[[0, -1]].tolist() == ["00-04", "90+"]


def test_newham_in_mid_2022_is_the_published_estimate():
    """358,645: ONS mid-2022 population estimates, first release."""
    assert reference.crossed_population("population_mid2022", NEWHAM)["count"].sum() == 358_645
    assert reference.crossed_population("population_mid2022_single_year", NEWHAM)["count"].sum() == 358_645


def test_estimates_by_band_are_the_single_years_by_band():
    years = reference.read_table("population_mid2022_single_year")
    band = (years["category_code"].astype(int) // 5).clip(upper=18).rename("band")
    summed = years.groupby(["area_code", band, "category_2_code"])["count"].sum()
    bands = reference.read_table("population_mid2022").sort_values(
        ["area_code", "category_code"], kind="stable"
    )
    assert summed.tolist() == bands["count"].tolist()


def test_age_by_sex_is_within_perturbation_of_the_tables_of_age_and_of_sex():
    crossed = reference.crossed_population("age_by_sex", ENGLAND_AND_WALES)
    assert abs(crossed["count"].sum() - total("age", ENGLAND_AND_WALES)) <= 10
    female = crossed.loc[crossed["category_2_code"].eq("female"), "count"].sum()
    assert abs(female - 30_420_202) <= 10  # TS008 Female
    assert crossed["category_code"].nunique() == 18


def test_ethnic_group_by_age_is_within_one_of_the_five_groups():
    crossed = reference.crossed_population("ethnic_group_by_age", ENGLAND_AND_WALES)
    groups = crossed.groupby("category_code")["count"].sum()
    known = reference.population("ethnic_group", ENGLAND_AND_WALES, leaves=False).set_index("category_code")
    assert len(groups) == 5
    assert (groups - known.loc[groups.index, "count"]).abs().max() <= 1


def test_other_languages_are_what_the_total_leaves_over():
    languages = reference.population("main_language", NEWHAM).set_index("category_code")["count"]
    assert len(languages) == 22
    proficiency = reference.population("english_proficiency", NEWHAM, leaves=False)
    not_english = proficiency.set_index("category_code")["count"]["ts0290003"]
    assert languages.drop("ts0290002").sum() == not_english
    table = reference.read_table("main_language")
    assert table.loc[table["category_code"].eq("other"), "derivation"].eq("residual").all()


def test_other_languages_of_england_and_wales_are_those_of_ts024():
    """TS024 in full stands in the codebook: its total less English and the 20 languages, within 10."""
    languages = reference.population("main_language", ENGLAND_AND_WALES).set_index("category_code")["count"]
    book = reference.read_table("census_codebook").set_index("category_code")["count"]
    listed = [cell for code in languages.index.drop(["other", "ts0290002"]) for cell in code.split("+")]
    assert len(listed) == 22  # 20 languages, Chinese being three cells
    expected = book["ts0240001"] - book["ts0240002"] - book[listed].sum()
    assert abs(languages["other"] - expected) <= 10


def test_gender_identity_of_england_and_wales_is_that_of_ts078():
    counts = reference.population("gender_identity", ENGLAND_AND_WALES).set_index("category_code")["count"]
    assert counts.to_dict() == {
        "same_or_not_answered": 45_389_635 + 2_914_625,
        "different_no_specific": 117_775,
        "trans_woman_or_trans_man": 96_007,
        "all_other": 48_330,
    }


def test_headings_that_the_source_left_out_are_sums():
    """Nomis cell of TS054: Owned, England and Wales."""
    tenure = reference.population("tenure", ENGLAND_AND_WALES, leaves=False).set_index("category")["count"]
    assert tenure["Owned"] == 15_258_981


def test_the_standard_population_has_19_bands_and_sums_to_100_000():
    standard = reference.standard_population()
    assert len(standard) == 19
    assert standard["standard_population"].sum() == 100_000
    assert (
        standard["age_band"].tolist()
        == reference.population("age_five_year", NEWHAM)["category_code"].tolist()
    )


def test_there_are_117_organisation_and_111_service_criteria():
    assert len(reference.criteria()) == 228
    assert len(reference.criteria("organisation")) == 117
    assert len(reference.criteria("service")) == 111
    assert reference.criteria()["criterion_id"].is_unique
    assert reference.criteria("service")["criterion_id"].str.startswith("S-").all()


def test_criteria_of_an_unknown_level_are_refused():
    with pytest.raises(ConfigError, match="Did you mean 'service'"):
        reference.criteria("services")


# ---- population()


def test_population_sums_the_areas():
    newham = reference.population("ethnic_group", NEWHAM)
    leeds = reference.population("ethnic_group", [LEEDS])
    both = reference.population("ethnic_group", [NEWHAM, LEEDS])
    assert both.columns.tolist() == ["category_code", "category", "count"]
    assert both["count"].tolist() == (newham["count"] + leeds["count"]).tolist()


def test_population_keeps_the_order_of_the_census():
    assert reference.population("ethnic_group", NEWHAM)["category_code"].tolist() == [
        str(n) for n in range(1, 20)
    ]


def test_an_area_named_twice_counts_once():
    once = reference.population("sex", [NEWHAM])
    pd.testing.assert_frame_equal(reference.population("sex", [NEWHAM, NEWHAM]), once)


def test_areas_published_in_less_detail_are_summed_at_the_detail_they_share():
    alone = reference.population("disability", NEWHAM)
    shared = reference.population("disability", [NEWHAM, LEEDS])
    assert len(alone) == 4
    assert shared["category"].tolist() == [
        "Disabled under the Equality Act",
        "Not disabled under the Equality Act",
    ]
    assert shared["count"].sum() == total("disability", NEWHAM) + total("disability", LEEDS)


def test_an_area_without_figures_is_named_and_never_zero():
    with pytest.raises(ConfigError, match=r"1 of 2 areas: Leeds \(E08000035\)") as caught:
        reference.population("economic_activity", [NEWHAM, LEEDS])
    assert "33 London boroughs" in caught.value.mend


def test_an_area_inside_another_is_refused():
    with pytest.raises(ConfigError, match="count twice"):
        reference.population("sex", [NEWHAM, LONDON])
    with pytest.raises(ConfigError, match="count twice"):
        reference.crossed_population("population_mid2022", ["E06000063", ENGLAND])


def test_no_area_is_refused():
    with pytest.raises(ConfigError, match="No area was named"):
        reference.population("sex", [])


def test_an_unknown_topic_names_the_nearest():
    with pytest.raises(ConfigError, match="Did you mean 'religion'"):
        reference.population("religions", NEWHAM)


def test_a_table_that_counts_nobody_is_no_topic():
    with pytest.raises(ConfigError, match="No population table"):
        reference.population("criteria", NEWHAM)


def test_a_topic_of_the_other_kind_names_the_function_that_fits():
    with pytest.raises(ConfigError, match="Use crossed_population"):
        reference.population("age_by_sex", ENGLAND_AND_WALES)
    with pytest.raises(ConfigError, match="Use population"):
        reference.crossed_population("sex", NEWHAM)


# ---- areas


def test_there_are_331_authorities_9_regions_and_3_countries():
    assert reference.areas()["area_type"].value_counts().to_dict() == {"ltla": 331, "region": 9, "country": 3}
    assert reference.areas()["area_code"].is_unique
    english = reference.areas().query("area_type == 'ltla' and country_code == @ENGLAND")
    assert len(english) == 309
    assert english["region_code"].ne("").all()


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("E09000025", NEWHAM),
        (" e09000025 ", NEWHAM),
        ("NEWHAM", NEWHAM),
        ("Barking & Dagenham", "E09000002"),
        ("yorkshire and the humber", "E12000003"),
        ("Bristol", "E06000023"),
        ("City of London", "E09000001"),
        ("London", LONDON),
        ("England & Wales", ENGLAND_AND_WALES),
        ("St Helens", "E08000013"),
        ("Shepway", "E07000112"),  # renamed Folkestone and Hythe in 2018
        ("E08000038", "E08000016"),  # Barnsley, recoded in 2025
        ("E07000205", "E07000244"),  # Suffolk Coastal, part of East Suffolk since 2019
        ("Dorset", "E06000059"),
    ],
)
def test_an_area_is_found_by(text, code):
    assert reference.find_area(text).code == code


def test_an_area_knows_its_region_and_country():
    newham = reference.find_area("Newham")
    assert (newham.type, newham.region_name, newham.country_name) == ("ltla", "London", "England")
    cardiff = reference.find_area("Cardiff")
    assert (cardiff.region_code, cardiff.country_code) == ("", WALES)


def test_an_earlier_district_gives_the_whole_authority_and_says_so():
    found = reference.find_area("E06000028")
    assert found.name == "Bournemouth, Christchurch and Poole"
    assert "Bournemouth as part of" in found.note
    assert reference.find_area("E06000058").note == ""
    assert found == reference.find_area("E06000058")


def test_every_authority_since_2016_is_found_or_known_to_be_outside():
    changes = reference.read_table("ltla_code_changes")
    for code in changes["ltla_code"].unique():
        if code[0] in "EW":
            assert reference.resolve_areas(code)
        else:
            with pytest.raises(ConfigError, match="outside England and Wales"):
                reference.find_area(code)


def test_a_merged_authority_is_several_census_areas():
    found = reference.resolve_areas(["Cumberland"])
    assert [area.name for area in found] == ["Allerdale", "Carlisle", "Copeland"]
    with pytest.raises(ConfigError, match="3 areas of the 2021 census: Allerdale"):
        reference.find_area("E06000063")


def test_areas_resolved_twice_are_given_once_in_the_order_asked():
    found = reference.resolve_areas(["Newham", "E06000028", "E06000029", "E09000025"])
    assert [area.code for area in found] == [NEWHAM, "E06000058"]


def test_areas_inside_one_another_are_not_resolved():
    with pytest.raises(ConfigError, match="lies inside London"):
        reference.resolve_areas(["Newham", "London"])
    with pytest.raises(ConfigError, match=r"England .* lies inside England and Wales"):
        reference.resolve_areas(["England", "England and Wales"])


def test_an_unknown_area_names_the_nearest():
    with pytest.raises(ConfigError, match=r"No area 'E09000099'[^$]*Did you mean 'E090000\d\d'"):
        reference.find_area("E09000099")
    with pytest.raises(ConfigError, match="Did you mean 'Newham'"):
        reference.find_area("Newhamm")


def test_names_of_census_areas_are_told_apart_when_folded():
    names = reference.areas()["area_name"]
    assert names.map(reference._folded).is_unique


# ---- deprivation and small areas


def test_indices_hold_every_small_area_of_their_vintage():
    lookup = reference.read_table("lsoa11_lsoa21_ltla22")
    older, newer = set(lookup["lsoa11_code"]), set(lookup["lsoa21_code"])
    in_2019 = reference.read_table("imd2019_lsoa11")["lsoa11_code"]
    in_2025 = reference.read_table("imd2025_lsoa21")["lsoa21_code"]
    in_wales = reference.read_table("wimd2019_lsoa11")["lsoa11_code"]
    assert (len(in_2019), len(in_2025), len(in_wales)) == (32_844, 33_755, 1_909)
    assert set(in_2019) == {code for code in older if code.startswith("E")}
    assert set(in_2025) == {code for code in newer if code.startswith("E")}
    assert set(in_wales) == {code for code in older if code.startswith("W")}


@pytest.mark.parametrize("name", ["imd2019_lsoa11", "imd2025_lsoa21"])
def test_deciles_follow_from_ranks(name):
    table = reference.read_table(name)
    assert table.iloc[:, 0].is_unique
    assert table["imd_decile"].tolist() == (-(-10 * table["imd_rank"] // len(table))).tolist()
    assert table.filter(like="_decile").isin(range(1, 11)).all(axis=None)


def test_ranks_of_2025_are_a_permutation_and_the_score_falls_with_them():
    table = reference.read_table("imd2025_lsoa21").sort_values("imd_rank")
    assert table["imd_rank"].tolist() == list(range(1, 33_756))
    assert table["imd_score"].is_monotonic_decreasing


def test_the_most_deprived_tenth_of_each_authority_is_the_published_share():
    """File 10 of the indices of 2025, which gives the share to 4 decimals."""
    places = reference.read_table("lsoa21_msoa21_ward24_ltla24_icb24")[["lsoa21_code", "ltla24_code"]]
    areas = reference.read_table("imd2025_lsoa21").merge(places, on="lsoa21_code", validate="one_to_one")
    share = areas["imd_decile"].eq(1).groupby(areas["ltla24_code"]).mean()
    published = reference.read_table("imd2025_ltla24").set_index("ltla24_code")
    assert len(published) == 296
    assert (share - published["proportion_most_deprived_10_percent"]).abs().max() < 0.0001
    assert share[NEWHAM] == 10 / 185


def test_authority_summaries_of_2019_cover_the_317_authorities():
    table = reference.read_table("imd2019_ltla19")
    assert len(table) == 317
    assert table["ltla19_code"].is_unique
    assert table["proportion_most_deprived_10_percent"].between(0, 1).all()


def test_the_small_area_lookup_has_each_code_of_either_vintage_once():
    lookup = reference.lsoa_lookup()
    assert lookup["lsoa_code"].is_unique
    assert lookup["vintage"].value_counts().to_dict() == {"both": 33_647, "2021": 2_025, "2011": 1_106}
    assert lookup["imd2019_decile"].notna().sum() == 32_844
    assert lookup["imd2025_decile"].notna().sum() == 33_755
    assert {str(lookup[f"imd{year}_decile"].dtype) for year in (2019, 2025)} == {"Int64"}


def test_deciles_stand_beside_codes_of_their_own_vintage_alone():
    lookup = reference.lsoa_lookup()
    assert (
        lookup.loc[lookup["vintage"].eq("2021"), ["imd2019_decile", "wimd2019_decile"]].isna().all(axis=None)
    )
    assert lookup.loc[lookup["vintage"].eq("2011"), "imd2025_decile"].isna().all()


def test_newham_has_164_small_areas_of_2011_and_185_of_2021():
    """152 of them unchanged; 40 middle-layer areas; 24 wards; one integrated care board."""
    lookup = reference.lsoa_lookup()
    newham = lookup[lookup["ltla22_code"].eq(NEWHAM)]["vintage"].value_counts()
    assert (newham["both"], newham["both"] + newham["2011"], newham["both"] + newham["2021"]) == (
        152,
        164,
        185,
    )
    places = reference.read_table("lsoa21_msoa21_ward24_ltla24_icb24").query("ltla24_code == @NEWHAM")
    assert (places["msoa21_code"].nunique(), places["ward24_code"].nunique()) == (40, 24)
    assert places["icb24_code"].unique().tolist() == ["E54000029"]


def test_a_small_area_cut_across_authorities_takes_the_one_in_its_name():
    """Gateshead 024C was re-cut between Gateshead and Northumberland."""
    lookup = reference.lsoa_lookup().set_index("lsoa_code")
    assert lookup.loc["E01008187", "ltla22_name"] == "Gateshead"
    assert lookup.loc["E01027506", "ltla22_name"] == "Northumberland"


def test_lookups_lead_from_census_authorities_to_those_of_2023():
    lookup = reference.read_table("ltla22_ltla23_region")
    assert (lookup["ltla22_code"].nunique(), lookup["ltla23_code"].nunique()) == (331, 318)
    assert set(lookup["ltla22_code"]) == set(reference.areas().query("area_type == 'ltla'")["area_code"])


def test_areas_of_2023_name_every_area_of_the_estimates():
    areas = reference.read_table("areas_2023").set_index("area_code")
    assert set(reference.read_table("population_mid2022")["area_code"]) == set(areas.index)
    assert areas.loc[["E12000006", "N92000002"], "area_name"].tolist() == [
        "East of England",
        "Northern Ireland",
    ]
    assert not areas["area_name"].str.isupper().any()
