"""Restate the official figures as the compact tables of reference/. A maintainer's tool, run by hand.

python tools/build_reference.py --source ../shared/reference-data --criteria ../shared/criteria.csv

Writes to the folder reference/ unless --out names another. Reads only files whose SHA-256 stands in the
source's MANIFEST.csv. The same input gives the same bytes (for one version of pyarrow, which writes its
own version into a Parquet file). What each table is, is said in reference_tables.toml beside this file;
README.md, code_lists/ and categories/ of the output folder are written by other hands and left alone.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

TABLES = Path(__file__).with_name("reference_tables.toml")
TOPIC_COLUMNS = (
    "topic", "area_code", "category_code", "category", "category_2_code", "category_2",
    "parent_code", "level", "is_leaf", "count", "derivation",
)  # fmt: skip
CATALOGUE_COLUMNS = (
    "name", "kind", "title", "rows", "reference_date", "population_base", "from_age", "unit", "geography",
    "source", "licence", "notes", "file",
)  # fmt: skip
ENGLAND, WALES, ENGLAND_AND_WALES = "E92000001", "W92000004", "K04000001"
COUNTRY_NAMES = {ENGLAND: "England", WALES: "Wales", ENGLAND_AND_WALES: "England and Wales"}
DOMAINS_2019 = (
    "income", "employment", "education", "health", "crime", "housing_and_access", "environment",
)  # fmt: skip
DOMAINS_2025 = (
    "income", "employment", "education", "health", "crime", "housing_and_services", "environment",
)  # fmt: skip
DOMAINS_WALES = (
    "income", "employment", "health", "education", "housing", "access", "environment", "crime",
)  # fmt: skip


@dataclass(frozen=True)
class Source:
    """The folder that is restated, and what is decided about it.

    folder : holds MANIFEST.csv and the files that it names.
    criteria : the file of both maturity matrices.
    decided : reference_tables.toml as read.
    """

    folder: Path
    criteria: Path
    decided: dict[str, Any]

    def read(self, name: str) -> pd.DataFrame:
        """One file of the folder as it stands; blanks stay blanks, and nothing is read as missing."""
        return pd.read_csv(self.folder / name, keep_default_na=False)

    def rows(self, table: dict[str, Any]) -> pd.DataFrame:
        """The file that a table restates, its geography under the name that all topics use."""
        return self.read(table["input"]).rename(columns={"geography_code": "area_code"})

    def codebook(self, dataset: str = "") -> pd.DataFrame:
        """Cells of all census topic tables, or of one ("ts021"), in their published order."""
        cells = self.read("census2021_codebook_england_wales_totals.csv")
        return cells[cells["dataset_id"].eq(dataset)] if dataset else cells


Builder = Callable[[Source, dict[str, Any]], pd.DataFrame]


# ---- what every topic shares


def is_total(labels: pd.Series) -> pd.Series:
    return labels.str.startswith("Total")


def with_parents(cells: pd.DataFrame) -> pd.DataFrame:
    """Add parent_code and level, read from labels such as "White: Irish"; cells: category_code, category.

    The total has no parent and level 0; a label's parent is the label before its last ": ", else the total.
    """
    total = cells.loc[is_total(cells["category"]), "category_code"].iloc[0]
    codes = cells.set_index("category")["category_code"]
    parent = cells["category"].str.rpartition(": ")[0].map(codes).fillna(total)
    parent = parent.mask(is_total(cells["category"]), "")
    level = (cells["category"].str.count(": ") + 1).mask(is_total(cells["category"]), 0)
    return cells.assign(parent_code=parent, level=level)


def with_headings(rows: pd.DataFrame, codebook: pd.DataFrame) -> pd.DataFrame:
    """Add the headings that the source leaves out ("Owned"), each the sum of its categories, area by area."""
    heading = rows["category"].where(~is_total(rows["category"]), "").str.rpartition(": ")[0]
    codes = codebook.set_index("category")["category_code"]
    absent = heading.isin(set(codes.index) - set(rows["category"]))
    below = rows[absent].assign(category=heading[absent])
    sums = below.groupby(["area_code", "category"], as_index=False)["count"].sum()
    sums = sums.assign(category_code=sums["category"].map(codes), derivation="sum_of_leaves")
    return pd.concat([rows, sums], ignore_index=True)


def finish(rows: pd.DataFrame, cells: pd.DataFrame, topic: str) -> pd.DataFrame:
    """Rows (area_code, category_code, count, derivation) as a table of topics, ordered by area and cell.

    cells : category_code, category, parent_code, level, one row each, in the order to show them.
    A cell is a leaf of its area where the area has no cell below it: some areas are published in less detail.
    """
    order = cells.assign(order=range(len(cells)))
    table = rows[["area_code", "category_code", "count", "derivation"]].merge(
        order, on="category_code", how="left", validate="many_to_one"
    )
    parents = pd.MultiIndex.from_frame(table[["area_code", "parent_code"]])
    own = pd.MultiIndex.from_frame(table[["area_code", "category_code"]])
    table = table.assign(topic=topic, category_2_code="", category_2="", is_leaf=~own.isin(parents))
    return table.sort_values(["area_code", "order"])[list(TOPIC_COLUMNS)]


def with_sums(rows: pd.DataFrame, areas: pd.DataFrame, *, of: Sequence[str]) -> pd.DataFrame:
    """Add larger areas as sums of their local authorities; of: which of "region" and "country"."""
    place = areas.set_index("area_code")
    local = rows[rows["area_code"].map(place["area_type"]).eq("ltla")]
    added: list[pd.DataFrame] = []
    for size in of:
        larger = local["area_code"].map(place[f"{size}_code"])
        inside = local.assign(area_code=larger)[larger.ne("")]
        sums = inside.groupby(["area_code", "category_code"])["count"].sum().reset_index()
        added.append(sums.assign(derivation="sum_of_ltla"))
    return pd.concat([rows, *added], ignore_index=True)


def with_total(rows: pd.DataFrame) -> pd.DataFrame:
    """Add the total of every area as the sum of its cells; its code is "total"."""
    sums = rows.groupby("area_code", as_index=False)["count"].sum()
    sums = sums.assign(category_code="total", derivation="sum_of_leaves")
    return pd.concat([sums, rows], ignore_index=True)


def flat_cells(codes: Sequence[str], labels: Sequence[str], *, total_label: str) -> pd.DataFrame:
    """Cells of one level under a total whose code is "total"."""
    cells = pd.DataFrame({"category_code": ["total", *codes], "category": [total_label, *labels]})
    return cells.assign(parent_code=["", *["total"] * len(codes)], level=[0, *[1] * len(codes)])


def crossed(rows: pd.DataFrame, topic: str) -> pd.DataFrame:
    """Rows of a crossed topic (area_code, both categories and codes, count) in the shape of all topics."""
    table = rows.assign(topic=topic, parent_code="", level=1, is_leaf=True)
    return table[list(TOPIC_COLUMNS)]


def band_label(code: str) -> str:
    """Say "00-04" as "Aged 0 to 4 years", and "90+" as "Aged 90 years and over"."""
    if code.endswith("+"):
        return f"Aged {code[:-1]} years and over"
    first, last = code.split("-")
    return f"Aged {int(first)} to {int(last)} years"


def year_labels() -> pd.Series:
    """Labels of single years, by age 0 to 100; the last year of a table is said to be open by its builder."""
    ages = pd.RangeIndex(101)
    labels = ["Aged under 1 year", "Aged 1 year", *[f"Aged {age} years" for age in ages[2:]]]
    return pd.Series(labels, index=ages)


# ---- census topics, one builder per shape of source


def build_cells(source: Source, table: dict[str, Any]) -> pd.DataFrame:
    """A topic whose source already has the Nomis cell and label of every row."""
    rows = source.rows(table)
    codebook = source.codebook(rows["category_code"].iloc[0][:5])
    rows = with_headings(rows, codebook)
    present = codebook[codebook["category_code"].isin(rows["category_code"])]
    return finish(rows, with_parents(present[["category_code", "category"]]), table["name"])


def build_ethnic_group(source: Source, table: dict[str, Any]) -> pd.DataFrame:
    rows = source.rows(table)
    rows["category_code"] = rows["category_code"].astype(str)
    codebook = source.codebook("ts021")
    census_code = rows.drop_duplicates("nomis_code").set_index("nomis_code")["category_code"]
    code = codebook["category_code"].map(census_code).fillna(codebook["category_code"])
    cells = with_parents(codebook.assign(category_code=code)[["category_code", "category"]])
    return finish(with_headings(rows, codebook), cells, table["name"])


def build_age(source: Source, table: dict[str, Any]) -> pd.DataFrame:
    rows = source.rows(table)
    labels = year_labels().replace({"Aged 100 years": "Aged 100 years and over"})
    cells = flat_cells(
        [str(age) for age in labels.index], list(labels), total_label="Total: All usual residents"
    )
    rows = rows.assign(category_code=rows["age"].astype(str))
    return finish(with_total(rows), cells, table["name"])


def build_age_five_year(source: Source, table: dict[str, Any]) -> pd.DataFrame:
    rows = source.rows(table).rename(columns={"age_band": "category_code"})
    bands = sorted(rows["category_code"].unique())
    cells = flat_cells(bands, [band_label(band) for band in bands], total_label="Total: All usual residents")
    return finish(with_total(rows), cells, table["name"])


def build_sex(source: Source, table: dict[str, Any]) -> pd.DataFrame:
    whole = "Total: All usual residents"
    codes = {"All persons": "total", whole: "total", "Female": "female", "Male": "male"}
    rows = source.rows(table)
    published = source.codebook("ts008")[["category", "england_and_wales_count"]].set_axis(
        ["sex", "count"], axis=1
    )
    published = published.assign(area_code=ENGLAND_AND_WALES, derivation="published_ew")
    rows = pd.concat([rows, published], ignore_index=True)
    rows = rows.assign(category_code=rows["sex"].map(codes))
    rows = with_sums(rows, build_areas(source, {}), of=("region", "country"))
    cells = flat_cells(["female", "male"], ["Female", "Male"], total_label=whole)
    return finish(rows, cells, table["name"])


def build_main_language(source: Source, table: dict[str, Any]) -> pd.DataFrame:
    """Total and English from TS029, the 20 languages, and what is left over: the other languages."""
    cells = language_cells(source)
    codes = cells.set_index("category")["category_code"]
    languages = source.rows(table)
    languages = languages.assign(category_code=languages["main_language"].map(codes))
    derivation = languages["geography_type"].map({"ltla": "published_ltla", "country": "published"})
    derivation = derivation.mask(languages["area_code"].eq(ENGLAND_AND_WALES), "published_ew")
    languages = languages.assign(derivation=derivation)
    languages = with_sums(languages, build_areas(source, {}), of=("region",))
    proficiency = source.read("census2021_ts029_proficiency_in_english.csv")
    proficiency = proficiency.rename(columns={"geography_code": "area_code"})
    named = proficiency[proficiency["category_code"].isin(["ts0290001", "ts0290002"])]
    rows = pd.concat([named, languages], ignore_index=True)
    signed = rows["count"].where(rows["category_code"].eq("ts0290001"), -rows["count"])
    rest = rows.assign(count=signed).groupby("area_code", as_index=False)["count"].sum()
    rest = rest.assign(category_code="other", derivation="residual")
    return finish(pd.concat([rows, rest], ignore_index=True), cells, table["name"])


def language_cells(source: Source) -> pd.DataFrame:
    """Cells of main_language: languages carry their TS024 cell, joined by + where they are several."""
    detailed = source.codebook("ts024")
    short = detailed["category"].str.rpartition(": ")[2]
    cell = dict(zip(short, detailed["category_code"], strict=True))
    joined = source.decided["main_language"]["cells"]
    names = sorted(source.read("census2021_selected_main_languages.csv")["main_language"].unique())
    codes = ["+".join(joined[name]) if name in joined else cell[name] for name in names]
    total = source.codebook("ts029").set_index("category_code")["category"]["ts0290001"]
    english, others = "English (English or Welsh in Wales)", "All other languages"
    return pd.DataFrame(
        {
            "category_code": ["ts0290001", "ts0290002", *codes, "other"],
            "category": [total, english, *names, others],
            "parent_code": ["", *["ts0290001"] * (len(names) + 2)],
            "level": [0, *[1] * (len(names) + 2)],
        }
    )


def build_gender_identity(source: Source, table: dict[str, Any]) -> pd.DataFrame:
    """Estimates of local authorities and their sums; the published cells for England and Wales."""
    decided = source.decided["gender_identity"]
    cells = gender_cells(source)
    known = {entry["source"]: entry["code"] for entry in decided["categories"] if "source" in entry}
    rows = source.rows(table)
    known |= {"total_aged_16_and_over": decided["total"]}
    rows = rows.assign(category_code=rows["category_code"].map(known))
    signs = rows["category_code"].map({decided["total"]: 1, "different": -1}).fillna(0).astype("int64")
    rest = rows.assign(count=rows["count"] * signs).groupby("area_code", as_index=False)["count"].sum()
    rest = rest.assign(category_code="same_or_not_answered", derivation="residual")
    rows = with_sums(pd.concat([rows, rest]), build_areas(source, {}), of=("region", "country"))
    published = source.codebook("ts078").set_index("category_code")["england_and_wales_count"]
    held = [[decided["total"]], *[entry["cells"] for entry in decided["categories"]]]
    counts = [published[codes].sum() for codes in held]
    both = pd.DataFrame({"category_code": cells["category_code"], "count": counts})
    both = both.assign(area_code=ENGLAND_AND_WALES, derivation="published_ew")
    return finish(pd.concat([rows, both], ignore_index=True), cells, table["name"])


def gender_cells(source: Source) -> pd.DataFrame:
    decided = source.decided["gender_identity"]
    total, entries = decided["total"], decided["categories"]
    label = source.codebook("ts078").set_index("category_code")["category"][total]
    return pd.DataFrame(
        {
            "category_code": [total, *[entry["code"] for entry in entries]],
            "category": [label, *[entry["label"] for entry in entries]],
            "parent_code": ["", *[entry["parent"] or total for entry in entries]],
            "level": [0, *[2 if entry["parent"] else 1 for entry in entries]],
        }
    )


def build_age_by_sex(source: Source, table: dict[str, Any]) -> pd.DataFrame:
    rows = source.rows(table).rename(columns={"age_category": "category"})
    rows = rows.assign(
        category_code=rows["category"].map(census_bands(rows["category"])),
        category_2_code=rows["sex"].str.lower(),
        category_2=rows["sex"],
        derivation="published_ew",
    )
    return crossed(rows.sort_values(["area_code", "age_code", "sex_code"]), table["name"])


def build_ethnic_group_by_age(source: Source, table: dict[str, Any]) -> pd.DataFrame:
    rows = source.rows(table).rename(columns={"group": "category"})
    groups = source.codebook("ts021").set_index("category")["category_code"]
    rows = rows.assign(
        category_code=rows["category"].map(groups),
        category_2_code=rows["age_category"].map(census_bands(rows["age_category"])),
        category_2=rows["age_category"],
        derivation="published_ew",
    )
    return crossed(rows.sort_values(["area_code", "group_code", "age_code"]), table["name"])


def census_bands(labels: pd.Series) -> dict[str, str]:
    """Codes of the census's own labels: "Aged 4 years and under" is 00-04, "Aged 85 years and over" 85+."""
    distinct = pd.Series(labels.unique())
    years = distinct.str.extract(r"Aged (\d+)(?: to (\d+))?").astype("Float64")
    first, last = years[0], years[1]
    youngest, oldest = distinct.str.contains("and under"), distinct.str.contains("and over")
    first, last = first.mask(youngest, 0), last.mask(youngest, first)
    code = first.map("{:02.0f}".format) + "-" + last.fillna(0).map("{:02.0f}".format)
    code = code.mask(oldest, first.map("{:02.0f}+".format))
    return dict(zip(distinct, code, strict=True))


# ---- estimates, deprivation, lookups and the rest


def build_estimates(source: Source, table: dict[str, Any]) -> pd.DataFrame:
    rows = source.rows(table)
    if "age_band" in rows:
        code, derivation = rows["age_band"], "sum_of_single_years"
        label = code.map({band: band_label(band) for band in code.unique()})
    else:
        code, derivation = rows["age"].astype(str), "published"
        label = rows["age"].map(year_labels().replace({"Aged 90 years": "Aged 90 years and over"}))
    rows = rows.assign(category_code=code, category=label, category_2_code=rows["sex"].str.lower())
    order = code.str.extract(r"(\d+)")[0].astype(int)
    rows = rows.assign(category_2=rows["sex"], derivation=derivation, order=order)
    return crossed(rows.sort_values(["area_code", "order", "category_2_code"]), table["name"])


def build_deciles(code: str, domains: Sequence[str]) -> Builder:
    """A table of small areas: score, rank and decile of the index, deciles of its domains."""

    def build(source: Source, table: dict[str, Any]) -> pd.DataFrame:
        columns = [code, "imd_score", "imd_rank", "imd_decile", *[f"{domain}_decile" for domain in domains]]
        return source.read(table["input"])[columns].sort_values(code)

    return build


def build_imd2019_ltla19(source: Source, table: dict[str, Any]) -> pd.DataFrame:
    rows = source.read(table["input"])
    names = {"score": "average_score", "proportion": "proportion_most_deprived_10_percent"}
    return rows.rename(columns=names)[["ltla19_code", "ltla19_name", *names.values(), "extent"]]


def build_imd2025_ltla24(source: Source, table: dict[str, Any]) -> pd.DataFrame:
    most_deprived = "proportion_of_lso_as_in_most_deprived_10_percent_nationally"
    names = {
        "imd_average_score": "average_score",
        "imd_rank_of_average_score": "rank_of_average_score",
        "imd_average_rank": "average_rank",
        "imd_rank_of_average_rank": "rank_of_average_rank",
        f"imd_{most_deprived}": "proportion_most_deprived_10_percent",
        f"imd_rank_of_{most_deprived}": "rank_of_proportion_most_deprived_10_percent",
        "imd25_extent": "extent",
        "imd25_rank_of_extent": "rank_of_extent",
        "imd25_local_concentration": "local_concentration",
        "imd25_rank_of_local_concentration": "rank_of_local_concentration",
    }
    rows = source.read(table["input"]).rename(columns=names)[["ltla24_code", "ltla24_name", *names.values()]]
    return rows.astype({column: "int64" for column in rows.columns if column.startswith("rank_of_")})


def build_areas(source: Source, table: dict[str, Any]) -> pd.DataFrame:
    """All areas of the census tables: authorities, then regions, then countries."""
    lookup = source.read("lookup_ltla22_ltla23_region.csv")
    country = lookup["ltla22_code"].str[0].map({"E": ENGLAND, "W": WALES})
    local = lookup.rename(columns={"ltla22_code": "area_code", "ltla22_name": "area_name"})
    local = local.assign(area_type="ltla", country_code=country).sort_values("area_code")
    regions = lookup[lookup["region_code"].ne("")].drop_duplicates("region_code").sort_values("region_code")
    regions = regions.assign(area_code=regions["region_code"], area_name=regions["region_name"])
    regions = regions.assign(area_type="region", country_code=ENGLAND)
    countries = pd.DataFrame({"area_code": list(COUNTRY_NAMES), "area_name": list(COUNTRY_NAMES.values())})
    countries = countries.assign(area_type="country", region_code="", country_code=countries["area_code"])
    columns = ["area_code", "area_name", "area_type", "region_code", "country_code"]
    return pd.concat([local[columns], regions[columns], countries[columns]], ignore_index=True)


def build_areas_2023(source: Source, table: dict[str, Any]) -> pd.DataFrame:
    """Areas of the mid-2022 estimates; those in capitals take the name of the region lookup, or lose them."""
    rows = source.read(table["input"])[["geography_code", "geography_name"]].drop_duplicates()
    rows.columns = pd.Index(["area_code", "area_name"])
    regions = source.read("lookup_ltla22_ltla23_region.csv").drop_duplicates("region_code")
    known = regions.set_index("region_code")["region_name"]
    spelled = rows["area_name"].str.title().str.replace(" And ", " and ")
    name = rows["area_name"].mask(rows["area_name"].str.isupper(), spelled)
    name = rows["area_code"].map(known).fillna(name)
    kinds = {"E10": "county", "E11": "county", "E12": "region", "E92": "country", "W92": "country"}
    kinds |= {"S92": "country", "N92": "country", "K02": "country", "K03": "country", "K04": "country"}
    kind = rows["area_code"].str[:3].map(kinds).fillna("ltla")
    return rows.assign(area_name=name, area_type=kind).sort_values("area_code")


def build_code_changes(source: Source, table: dict[str, Any]) -> pd.DataFrame:
    """One row per code, name and census authority, with first and last year of the lookups that hold it."""
    wide = source.read(table["input"])
    keys = ["ltla_code", "ltla_name", "ltla22_code", "ltla22_name"]
    years = [
        wide[[f"ltla{year}_code", f"ltla{year}_name", "ltla22_code", "ltla22_name"]]
        .set_axis(keys, axis=1)
        .assign(year=2000 + year)
        for year in range(16, 25)
    ]
    rows = pd.concat([*years, pd.DataFrame(source.decided["later_code"])], ignore_index=True)
    held = rows.groupby(keys)["year"].agg(first_year="min", last_year="max")
    return held.reset_index().sort_values(keys)


def build_sorted(*keys: str) -> Builder:
    """The source's own columns, ordered by its keys."""

    def build(source: Source, table: dict[str, Any]) -> pd.DataFrame:
        return source.read(table["input"]).sort_values(list(keys))

    return build


def build_codebook(source: Source, table: dict[str, Any]) -> pd.DataFrame:
    rows = source.codebook().rename(columns={"dataset_id": "table_id", "dataset_title": "table_title"})
    rows = rows.rename(columns={"england_and_wales_count": "count"})
    return rows.astype({"is_leaf": "bool"})


def build_criteria(source: Source, table: dict[str, Any]) -> pd.DataFrame:
    return pd.read_csv(source.criteria, dtype="str", keep_default_na=False)


BUILDERS: dict[str, Builder] = {
    "ethnic_group": build_ethnic_group,
    "age": build_age,
    "age_five_year": build_age_five_year,
    "sex": build_sex,
    "main_language": build_main_language,
    "gender_identity": build_gender_identity,
    "age_by_sex": build_age_by_sex,
    "ethnic_group_by_age": build_ethnic_group_by_age,
    "population_mid2022": build_estimates,
    "population_mid2022_single_year": build_estimates,
    "imd2019_lsoa11": build_deciles("lsoa11_code", DOMAINS_2019),
    "imd2025_lsoa21": build_deciles("lsoa21_code", DOMAINS_2025),
    "wimd2019_lsoa11": build_deciles("lsoa11_code", DOMAINS_WALES),
    "imd2019_ltla19": build_imd2019_ltla19,
    "imd2025_ltla24": build_imd2025_ltla24,
    "areas": build_areas,
    "areas_2023": build_areas_2023,
    "ltla_code_changes": build_code_changes,
    "ltla22_ltla23_region": build_sorted("ltla22_code"),
    "lsoa11_lsoa21_ltla22": build_sorted("lsoa11_code", "lsoa21_code"),
    "lsoa21_msoa21_ward24_ltla24_icb24": build_sorted("lsoa21_code"),
    "european_standard_population_2013": build_sorted("order"),
    "census_codebook": build_codebook,
    "criteria": build_criteria,
}


# ---- reading what is decided, writing what comes out


def described_tables(decided: dict[str, Any]) -> list[dict[str, Any]]:
    """Tables with their defaults filled in; the notes of the defaults follow the table's own."""
    tables = []
    for table in decided["table"]:
        defaults = decided["defaults"][table["defaults"]]
        notes = " ".join(part for part in (table.get("notes", ""), defaults["notes"]) if part)
        tables.append(defaults | table | {"notes": notes})
    return tables


def check_manifest(folder: Path) -> None:
    """Stop where a file of the source is not the one that was checked."""
    manifest = pd.read_csv(folder / "MANIFEST.csv")
    for name, wanted in zip(manifest["file"], manifest["sha256"], strict=True):
        if hashlib.sha256((folder / name).read_bytes()).hexdigest() != wanted:
            raise SystemExit(f"{name} is not the file that MANIFEST.csv names: its SHA-256 differs")


def write_table(frame: pd.DataFrame, path: Path) -> None:
    """Write Parquet or CSV by the name; the schema holds types alone, nothing of the library that made it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".csv":
        path.write_text(frame.to_csv(index=False, lineterminator="\n"), encoding="utf-8", newline="\n")
        return
    arrow = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
    plain = [
        pa.field(field.name, pa.string() if pa.types.is_large_string(field.type) else field.type)
        for field in arrow.schema
    ]
    arrow = arrow.cast(pa.schema(plain))
    pq.write_table(arrow, path, compression="zstd", compression_level=19, store_schema=False)


def build_reference(source_folder: Path, criteria: Path, out: Path) -> pd.DataFrame:
    """Write every table and the catalogue under out; gives the catalogue back."""
    check_manifest(source_folder)
    decided = tomllib.loads(TABLES.read_text(encoding="utf-8"))
    source = Source(folder=source_folder, criteria=criteria, decided=decided)
    entries = []
    for table in described_tables(decided):
        frame = BUILDERS.get(table["name"], build_cells)(source, table)
        if frame.isna().any(axis=None):
            raise SystemExit(f"Table {table['name']} has missing values")
        write_table(frame, out / table["file"])
        entries.append(table | {"rows": len(frame)})
    catalogue = pd.DataFrame(entries)[list(CATALOGUE_COLUMNS)]
    write_table(catalogue, out / "catalogue.csv")
    return catalogue


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Restate the official figures as the tables of reference/.")
    parser.add_argument("--source", type=Path, default=Path("../shared/reference-data"))
    parser.add_argument("--criteria", type=Path, default=Path("../shared/criteria.csv"))
    parser.add_argument("--out", type=Path, default=Path("reference"))
    options = parser.parse_args(arguments)
    catalogue = build_reference(options.source, options.criteria, options.out)
    size = sum(path.stat().st_size for path in options.out.rglob("*") if path.is_file())
    rows = catalogue["rows"].sum()
    sys.stdout.write(f"{len(catalogue)} tables, {rows:,} rows; the folder holds {size / 1e6:.1f} MB\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
