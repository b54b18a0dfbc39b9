"""Who lives here: the one door to the reference tables, each with its source and date.

The tables stand in `reference/` of the repository and travel inside the wheel; they are made by
`tools/build_reference.py` and described, one row each, by `catalogue()`. Every table is read when first
asked for and kept; what is handed out is a copy, the caller's to change.

Areas are those of the 2021 census: 331 local authorities, 9 regions, England, Wales, England and Wales.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from pathlib import Path

import pandas as pd

from equitydata.errors import ConfigError, InputError, nearest

CENSUS_YEAR = 2021
POPULATION, CROSSED = "population", "crossed_population"
_GSS_CODE = re.compile(r"[a-z]\d{8}", re.IGNORECASE)
# Sums over areas that are kept: a run asks for the same few again and again.
KEPT = 200
_SHOWN = 5  # names of areas in one message
_OTHER_YEARS = " resolve_areas turns names and codes of other years into census codes."
# Countries that an area lies inside, smallest first, by the first letter of its code: E92000001 England,
# W92000004 Wales, S92000003 Scotland, N92000002 Northern Ireland, K04000001 England and Wales,
# K03000001 Great Britain, K02000001 United Kingdom. Source: ONS GSS coding and naming policy.
_NATIONS: dict[str, tuple[str, ...]] = {
    "E": ("E92000001", "K04000001", "K03000001", "K02000001"),
    "W": ("W92000004", "K04000001", "K03000001", "K02000001"),
    "S": ("S92000003", "K03000001", "K02000001"),
    "N": ("N92000002", "K02000001"),
    "K": ("K04000001", "K03000001", "K02000001"),
}


@dataclass(frozen=True)
class Area:
    """A place that the census tables know.

    code : GSS code of the census boundaries.
    type : "ltla" (local authority), "region" or "country".
    region_code, region_name : empty for Wales, its authorities, and for countries.
    note : what to know when the place was asked for by an earlier or later code; does not tell areas apart.
    """

    code: str
    name: str
    type: str
    region_code: str
    region_name: str
    country_code: str
    country_name: str
    note: str = field(default="", compare=False)


# ---- the tables


def reference_folder() -> Path:
    """Folder of the reference tables: inside an installed package, else of the checkout.

    Raises InputError where neither holds a catalogue.
    """
    return _data_folder("reference", "catalogue.csv", mend="run tools/build_reference.py in the checkout")


def sample_folder() -> Path:
    """Folder of the synthetic sample: inside an installed package, else of the checkout.

    Raises InputError where neither holds its service file.
    """
    return _data_folder("sample_data", "service.toml", mend="run sample_data/make_sample.py in the checkout")


def _data_folder(name: str, mark: str, *, mend: str) -> Path:
    here = Path(__file__).resolve()
    for folder in (here.parent / f"_{name}", here.parents[2] / name):
        if (folder / mark).is_file():
            return folder
    raise InputError(
        f"The folder {name} was not found, neither inside the package nor in a checkout.",
        mend=f"Install equitydata anew, or {mend}.",
    )


def catalogue() -> pd.DataFrame:
    """What is held: one row per table.

    Columns: name, kind (population, crossed_population, deprivation, lookup, standard, codebook, criteria),
    title, rows, reference_date (ISO 8601, a day or a year), population_base, from_age (youngest age in the
    base, years), unit, geography, source, licence, notes, file (below `reference_folder()`).
    """
    return _catalogue().copy()


def read_table(name: str) -> pd.DataFrame:
    """One table by its name in the catalogue, as a copy.

    Population tables share one shape: topic, area_code, category_code, category, category_2_code and
    category_2 (empty unless crossed), parent_code, level (0 = total), is_leaf, count, derivation. Text that
    is empty in the source is empty here, not missing. Raises ConfigError for an unknown name.
    """
    return _table(name).copy()


def criteria(level: str | None = None) -> pd.DataFrame:
    """Criteria of the maturity matrices: level, step, area, tier, criterion_id, criterion and how measured.

    level : "organisation" (117 rows), "service" (111), or None for both. Raises ConfigError for another.
    Newham Council Public Health (2022), Newham Health Equity Route Maps.
    """
    table = _table("criteria")
    if level is None:
        return table.copy()
    levels = table["level"].unique()
    if level not in levels:
        raise ConfigError(f"No criteria for the level '{level}'.", mend=nearest(level, levels))
    return table[table["level"].eq(level)].reset_index(drop=True)


def standard_population() -> pd.DataFrame:
    """European Standard Population 2013, summing to 100,000: order, age_band, standard_population.

    age_band is "00-04", "05-09" .. "90+". Eurostat (2013), Revision of the European Standard Population.
    """
    return read_table("european_standard_population_2013")


# ---- areas


def areas() -> pd.DataFrame:
    """Areas of the census tables: area_code, area_name, area_type, region_code, country_code.

    area_type is ltla, region or country; region_code is empty for Wales and for countries.
    """
    return read_table("areas")


def find_area(text: str) -> Area:
    """The one census area that a code or a name means.

    text : GSS code of the census boundaries; a local authority's code or name of any year from 2016 on; or
    a name in any letter case, "&" for "and". An earlier district that the census counts as part of a larger
    authority gives that authority, with a note. Raises ConfigError where it means no area, or several.
    """
    found = _matching_areas(text)
    if len(found) > 1:
        raise ConfigError(
            f"'{text}' is {len(found)} areas of the {CENSUS_YEAR} census: {_naming(found)}.",
            mend="Name one of them, or use resolve_areas, which gives all of them.",
        )
    return found[0]


def resolve_areas(texts: Iterable[str] | str) -> tuple[Area, ...]:
    """Census areas of several codes or names, in the order given, each once.

    A newer authority that was several in 2021 (Cumberland) gives all of them. Raises ConfigError where a
    text means nothing, or where one area lies inside another and its people would count twice.
    """
    asked = (texts,) if isinstance(texts, str) else tuple(texts)
    found = tuple(dict.fromkeys(area for text in asked for area in _matching_areas(text)))
    _refuse_overlap([area.code for area in found])
    return found


def lsoa_lookup() -> pd.DataFrame:
    """Lower-layer areas (LSOA) of England and Wales, one row per distinct code of 2011 or 2021, by code.

    Columns: lsoa_code; vintage ("2011", "2021" or "both"; a code of both names the same area); ltla22_code,
    ltla22_name; imd2019_decile (England, 2011 codes), imd2025_decile (England, 2021 codes), wimd2019_decile
    (Wales, 2011 codes): nullable integers, 1 = most deprived, missing where the index does not hold the code.
    English and Welsh deciles are not comparable.
    """
    return _lsoa_lookup().copy()


# ---- who lives there


def population(topic: str, area_codes: Iterable[str] | str, *, leaves: bool = True) -> pd.DataFrame:
    """People (or households: see the catalogue's unit) by category, summed over the areas.

    topic : a table of kind "population", such as "ethnic_group".
    area_codes : codes that the table holds; `resolve_areas` gives them for names and for other years' codes.
    leaves : the finest categories that every area has, which add up to the total; False gives headings and
    the total as well.
    Returns category_code, category, count, in the order of the census. Raises ConfigError for an unknown or
    crossed topic, for an area without figures, and for areas that lie inside one another.
    """
    return _population(topic, _as_codes(area_codes), leaves).copy()


def crossed_population(topic: str, area_codes: Iterable[str] | str) -> pd.DataFrame:
    """People by two categories at once, summed over the areas: age by sex, ethnic group by age.

    topic : a table of kind "crossed_population", such as "population_mid2022" (areas of 2023, the whole UK).
    Returns category_code, category, category_2_code, category_2, count. Errors as `population`,
    but a district inside a county is not noticed.
    """
    return _crossed_population(topic, _as_codes(area_codes)).copy()


# ---- private


def _as_codes(area_codes: Iterable[str] | str) -> tuple[str, ...]:
    return tuple(dict.fromkeys([area_codes] if isinstance(area_codes, str) else area_codes))


@lru_cache(maxsize=KEPT)
def _population(topic: str, codes: tuple[str, ...], leaves: bool) -> pd.DataFrame:
    rows = _rows_of(topic, codes, kind=POPULATION)
    held = rows.groupby("category_code")["area_code"].transform("nunique")
    shared = rows[held.eq(rows["area_code"].nunique())]
    if leaves:
        shared = shared[~shared["category_code"].isin(shared["parent_code"])]
    return _summed(shared, ["category_code", "category"])


@lru_cache(maxsize=KEPT)
def _crossed_population(topic: str, codes: tuple[str, ...]) -> pd.DataFrame:
    rows = _rows_of(topic, codes, kind=CROSSED)
    return _summed(rows, ["category_code", "category", "category_2_code", "category_2"])


@cache
def _catalogue() -> pd.DataFrame:
    return _read(reference_folder() / "catalogue.csv")


@cache
def _table(name: str) -> pd.DataFrame:
    """One table, read once; callers copy it before it leaves this module."""
    held = _catalogue()
    row = held[held["name"].eq(name)]
    if row.empty:
        raise ConfigError(f"No reference table named '{name}'.", mend=nearest(name, held["name"]))
    return _read(reference_folder() / row["file"].iloc[0])


def _read(path: Path) -> pd.DataFrame:
    """One file of the folder; codes and labels stay text, and empty text stays empty."""
    try:
        if path.suffix == ".parquet":
            return pd.read_parquet(path)
        return pd.read_csv(path, keep_default_na=False)
    except (OSError, ValueError, ImportError):
        raise InputError(
            "This reference table cannot be read.",
            where=path.name,
            mend="Install equitydata anew, or run tools/build_reference.py in the checkout.",
        ) from None


def _rows_of(topic: str, codes: tuple[str, ...], *, kind: str) -> pd.DataFrame:
    """Rows of a topic for the areas, every one of which must be there."""
    _require_topic(topic, kind)
    if not codes:
        raise ConfigError(f"No area was named for '{topic}'.", mend="Give at least one area code.")
    table = _table(topic)
    absent = sorted(set(codes) - set(table["area_code"].unique()))
    if absent:
        where = _catalogue().set_index("name")["geography"][topic]
        raise ConfigError(
            f"'{topic}' has no figures for {len(absent)} of {len(codes)} areas: {_named_codes(absent)}.",
            mend=f"It holds: {where}." + (_OTHER_YEARS if kind == POPULATION else ""),
        )
    _refuse_overlap(codes)
    return table[table["area_code"].isin(codes)]


def _require_topic(topic: str, kind: str) -> None:
    """Stop where the topic is not of the kind, naming the function that fits."""
    kinds = _catalogue().set_index("name")["kind"]
    if topic in kinds.index and kinds[topic] == kind:
        return
    if topic in kinds.index and kinds[topic] in (POPULATION, CROSSED):
        one, two = "population", "crossed_population"
        fits = one if kinds[topic] == POPULATION else two
        crossing = "one category" if fits == one else "two categories"
        raise ConfigError(f"'{topic}' counts people by {crossing}.", mend=f"Use {fits}('{topic}', ...).")
    raise ConfigError(
        f"No population table named '{topic}'.", mend=nearest(topic, kinds[kinds.eq(kind)].index)
    )


def _summed(rows: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """Counts summed over areas, categories in the order of the table."""
    return rows.groupby(list(keys), sort=False)["count"].sum().reset_index()


def _named_codes(codes: Sequence[str]) -> str:
    """Codes with their names where known; a few, then how many more."""
    known = pd.concat([_table("areas_2023"), _table("areas")]).drop_duplicates("area_code", keep="last")
    names = known.set_index("area_code")["area_name"]
    shown = [f"{names[code]} ({code})" if code in names.index else code for code in codes[:_SHOWN]]
    more = f" and {len(codes) - _SHOWN} more" if len(codes) > _SHOWN else ""
    return ", ".join(shown) + more


def _naming(found: Sequence[Area]) -> str:
    return ", ".join(f"{area.name} ({area.code})" for area in found)


def _refuse_overlap(codes: Sequence[str]) -> None:
    """Stop where one of the areas lies inside another: its people would be counted twice."""
    for code in codes:
        around = _areas_around(code)
        larger = [other for other in codes if other in around]
        if larger:
            raise ConfigError(
                f"{_named_codes([code])} lies inside {_named_codes(larger)}: its people would count twice.",
                mend="Name the larger area or the smaller ones, not both.",
            )


def _areas_around(code: str) -> set[str]:
    """Codes of the region and the countries that an area lies inside, itself not among them."""
    nations = _NATIONS.get(code[:1], ())
    wider = nations[nations.index(code) + 1 :] if code in nations else nations
    area = _census_areas().get(code)
    return {*wider, area.region_code if area else ""} - {code, ""}


@cache
def _census_areas() -> dict[str, Area]:
    table = _table("areas")
    names = table.set_index("area_code")["area_name"].to_dict() | {"": ""}
    table = table.assign(
        region_name=table["region_code"].map(names), country_name=table["country_code"].map(names)
    )
    rows = table.rename(columns=lambda column: column.removeprefix("area_")).to_dict("records")
    return {row["code"]: Area(**{str(key): value for key, value in row.items()}) for row in rows}


def _matching_areas(text: str) -> tuple[Area, ...]:
    """All census areas that a code or name means; ConfigError where there is none."""
    found = _area_index().get(_folded(text))
    if found:
        return found
    if found is not None:
        raise ConfigError(
            f"'{text}' is outside England and Wales, which are all that the census tables cover.",
            mend="Name areas of England or Wales; 'population_mid2022' covers the whole UK.",
        )
    column = "code" if _GSS_CODE.fullmatch(text.strip()) else "name"
    known = [getattr(area, column) for area in _census_areas().values()]
    changes = _table("ltla_code_changes")
    covered = changes[changes["ltla22_code"].isin(list(_census_areas()))]
    raise ConfigError(
        f"No area '{text}' in the {CENSUS_YEAR} census tables.",
        mend=nearest(text.strip(), [*known, *covered[f"ltla_{column}"]]),
    )


@cache
def _area_index() -> dict[str, tuple[Area, ...]]:
    """Folded code or name -> census areas; none for a UK authority outside England and Wales.

    The census's own codes and names come first, so that they mean what they meant then.
    """
    index: dict[str, tuple[Area, ...]] = {}
    for area in _census_areas().values():
        for known in (area.code, area.name, *_short_names(area.name)):
            index.setdefault(_folded(known), (area,))
    for key, (name, codes) in _authorities_of_other_years().items():
        index.setdefault(key, _changed_areas(name, codes))
    return index


def _authorities_of_other_years() -> dict[str, tuple[str, list[str]]]:
    """Folded code or name of every authority since 2016 -> its name and its census authorities."""
    changes = _table("ltla_code_changes")[["ltla_code", "ltla_name", "ltla22_code"]]
    links: dict[str, tuple[str, list[str]]] = {}
    for code, name, census_code in changes.itertuples(index=False, name=None):
        for key in (code, name):
            links.setdefault(_folded(key), (name, []))[1].append(census_code)
    return links


def _changed_areas(name: str, census_codes: Sequence[str]) -> tuple[Area, ...]:
    """Census areas of an authority of another year, each with a note that says what it is to that one."""
    held = _census_areas()
    found = [held[code] for code in dict.fromkeys(census_codes) if code in held]
    if len(found) > 1:
        return tuple(replace(area, note=f"One of {len(found)} census areas of {name}.") for area in found)
    if found and found[0].code in _merged_before_census():
        note = f"The census counts {name} as part of {found[0].name}: figures are of the whole."
        return (replace(found[0], note=note),)
    return tuple(found)


@cache
def _merged_before_census() -> frozenset[str]:
    """Census authorities that were several until a merger before the census."""
    changes = _table("ltla_code_changes")
    earlier = changes[changes["last_year"].lt(CENSUS_YEAR)].groupby("ltla22_code")["ltla_code"].nunique()
    return frozenset(str(code) for code in earlier[earlier.gt(1)].index)


def _folded(text: str) -> str:
    """A code or name as compared: letter case, punctuation, "the" and "&" make no difference."""
    plain = re.sub(r"['’.]", "", text.casefold()).replace("&", " and ")
    return " ".join(word for word in re.findall(r"\w+", plain) if word != "the")


def _short_names(name: str) -> tuple[str, ...]:
    """Everyday forms of names such as "Bristol, City of": "Bristol" and "City of Bristol"."""
    place, comma, kind = name.partition(", ")
    return (place, f"{kind} {place}") if comma and kind.endswith(" of") else ()


@cache
def _lsoa_lookup() -> pd.DataFrame:
    """Both vintages, their authority and deciles.

    A 2011 area that was re-cut across authorities takes the one in whose name it was: "Gateshead 024C".
    """
    pairs = _table("lsoa11_lsoa21_ltla22")
    place = ["lsoa_code", "ltla22_code", "ltla22_name"]
    newer = pairs.rename(columns={"lsoa21_code": "lsoa_code"})[place].drop_duplicates("lsoa_code")
    own = pairs["lsoa11_name"].str.slice(stop=-5).eq(pairs["ltla22_name"])
    older = pairs.assign(other=~own).sort_values(["lsoa11_code", "other"], kind="stable")
    older = older.rename(columns={"lsoa11_code": "lsoa_code"})[place].drop_duplicates("lsoa_code")
    both = pd.concat([newer.assign(vintage="2021"), older.assign(vintage="2011")], ignore_index=True)
    both["vintage"] = both["vintage"].mask(both["lsoa_code"].duplicated(keep=False), "both")
    both = both.drop_duplicates("lsoa_code").sort_values("lsoa_code", ignore_index=True)
    return both[["lsoa_code", "vintage", "ltla22_code", "ltla22_name"]].assign(
        imd2019_decile=_deciles("imd2019_lsoa11", both["lsoa_code"]),
        imd2025_decile=_deciles("imd2025_lsoa21", both["lsoa_code"]),
        wimd2019_decile=_deciles("wimd2019_lsoa11", both["lsoa_code"]),
    )


def _deciles(name: str, codes: pd.Series) -> pd.Series:
    """Deciles of an index in the order of the codes, missing where it does not hold the code."""
    table = _table(name)
    return codes.map(table.set_index(table.columns[0])["imd_decile"]).astype("Int64")
