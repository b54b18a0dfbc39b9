"""Residents of the service's area, region and nation in the categories that records are coded to.

Which table serves which characteristic and level is data (`rules/populations.toml`). A table of the analyst's own
(`own_reference.py` writes it) is looked at first. Nothing here sees a record.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from equitydata import codelists, reference
from equitydata.errors import ConfigError, InputError
from equitydata.rulebook import RULES_FOLDER
from equitydata.service import Service

LOCAL, REGION, NATION = "local", "region", "nation"
OLDEST = 999  # the highest age of an open band
CROSSING = " x "
CROSSED_CATEGORY = " × "
SPLIT_BY = ("age", "sex")
LEFT_OUT, KEPT = "left out", "kept"
OWN_CATALOGUE = "own_tables.csv"
OWN_COLUMNS = ("area_code", "category", "age_from", "age_to", "sex", "count")
OWN_ENTRY = (
    "name", "characteristic", "level", "title", "reference_date", "population_base", "from_age",
    "source", "licence", "notes", "file",
)  # fmt: skip
FRAME = ["category", "age_from", "age_to", "sex", "residents"]
SMALL_AREAS = "small_areas"
AUTHORITIES = "authorities"
CHECKS = "checks"
ESTIMATES = "population_mid2022_single_year"
LEAST_IN_COMMON = 0.5  # share of residents that the categories of both sides must cover
ENGLAND_AND_WALES = "K04000001"
# Census tables that stand in where the mid-2022 estimate does not hold an area: authorities joined in 2023.
CENSUS_OF = {"age": "age", "sex": "sex"}
# Why a category cannot be held against residents where groups of few people were put together.
NOT_ALL_COUNTED = "residents are not counted for all of this merged group ({})"
SOME_ELSEWHERE = "people whom the residents' table counts here are shown within: {}"
FITS, CLOSE = 500, 1e-6  # rounds of fitting to margins, and how near is near enough (people)


@dataclass(frozen=True)
class Place:
    """An area whose residents are compared with: local, region or nation.

    codes : census areas that are summed. wider : codes tried where a table does not hold these, with their name.
    authorities : local authorities inside it that the service serves; for `local` alone.
    """

    kind: str
    name: str
    codes: tuple[str, ...]
    wider: tuple[tuple[str, str], ...] = ()
    authorities: tuple[str, ...] = ()


@dataclass(frozen=True)
class PopulationRule:
    """How one characteristic and level is compared with residents: see the head of rules/populations.toml."""

    characteristic: str
    level: str
    topic: str
    reason: str
    source: str
    column: str = ""
    cells: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    rollup: str = ""
    from_: str = ""
    names: Mapping[str, str] = field(default_factory=dict)
    list: bool = False
    combined: Mapping[str, str] = field(default_factory=dict)
    unplaced: str = LEFT_OUT
    unanswered: tuple[str, ...] = ()
    by_age: str = ""
    by_age_cells: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    approximate: bool = False


@dataclass(frozen=True)
class OwnTable:
    """A table of residents that the analyst added.

    frame : area_code, category (ours), age_from, age_to (-1 where not split), sex ("" where not split), count.
    """

    name: str
    characteristic: str
    level: str
    title: str
    reference_date: str
    from_age: int
    source: str
    frame: pd.DataFrame


@dataclass(frozen=True)
class Population:
    """Residents of one place by the categories of one characteristic and level.

    residents : people by category of ours, in no order; only categories that can be compared.
    total : all residents that the shares are of. shares_only : the figures are no people (small areas).
    span : youngest and oldest age of the residents; exact : these are the eligible ages.
    folded : category of the residents that the list in use lacks -> the one it is counted in; folded_people.
    combined : category of ours -> the wider one that the residents are counted in.
    apart : category of ours that cannot be held against residents, since groups of few people were merged -> why.
    left_out : residents' categories that no category of ours stands for. unanswered : residents who gave no answer.
    by_age_sex : category, age_from, sex, residents; empty where not held. estimated : it was fitted, not counted.
    own : a table of the analyst's. by_list : code lists of the characteristic differ in their groups.
    """

    characteristic: str
    level: str
    place: Place
    reference: str
    date: str
    residents: Mapping[str, float]
    total: float
    span: tuple[int, int]
    exact: bool
    unplaced: str = LEFT_OUT
    folded: Mapping[str, str] = field(default_factory=dict)
    folded_people: float = 0.0
    combined: Mapping[str, str] = field(default_factory=dict)
    apart: Mapping[str, str] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    unanswered: float = 0.0
    by_age_sex: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=FRAME))
    estimated: bool = False
    approximate: bool = False
    shares_only: bool = False
    own: bool = False
    by_list: bool = False
    reason: str = ""


@dataclass(frozen=True)
class NoPopulation:
    """Why the residents of a place cannot be compared by one characteristic and level."""

    characteristic: str
    level: str
    place: Place
    reason: str


@cache
def population_rules() -> Mapping[tuple[str, str], PopulationRule]:
    """Every rule of rules/populations.toml by characteristic and level."""
    with (RULES_FOLDER / "populations.toml").open("rb") as file:
        entries: dict[str, dict[str, dict[str, Any]]] = tomllib.load(file)
    rules = {}
    for characteristic, levels in entries.items():
        if characteristic == CHECKS:
            continue
        for level, entry in levels.items():
            read = {("from_" if key == "from" else key): _tuples(value) for key, value in entry.items()}
            rules[characteristic, level] = PopulationRule(characteristic, level, **read)
    return MappingProxyType(rules)


@cache
def check_thresholds() -> Mapping[str, Mapping[str, Any]]:
    """Where each check of the comparison begins to speak, with its reason, by name."""
    with (RULES_FOLDER / "populations.toml").open("rb") as file:
        return MappingProxyType(tomllib.load(file)[CHECKS])


def _tuples(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(value)
    if isinstance(value, dict):
        return {key: _tuples(inner) for key, inner in value.items()}
    return value


# ---- places


def places(service: Service) -> tuple[Place, ...]:
    """The service's area, its region or regions and its nation or nations; empty without an area.

    An area that is itself a region or a nation has no narrower kind; a kind that would repeat the one before is
    left out. Raises ConfigError where the area means nothing.
    """
    areas = reference.resolve_areas(service.service.area) if service.service.area else ()
    if not areas:
        return ()
    codes = tuple(area.code for area in areas)
    found = [Place(LOCAL, _joined(area.name for area in areas), codes, authorities=codes)]
    regions = {
        area.region_code or area.code: area.region_name or area.name
        for area in areas
        if area.region_code or area.type == "region"
    }
    outside = [area for area in areas if not area.region_code and area.type == "ltla"]  # Wales has no regions
    if regions and not outside:
        found.append(Place(REGION, _joined(regions.values()), tuple(regions)))
    nations = {area.country_code or area.code: area.country_name or area.name for area in areas}
    both = (ENGLAND_AND_WALES, "England and Wales")
    if len(nations) > 1:
        nations = {both[0]: both[1]}
    wider = () if both[0] in nations else (both,)
    found.append(Place(NATION, _joined(nations.values()), tuple(nations), wider))
    kept = [found[0]]
    kept += [place for before, place in pairwise(found) if place.codes != before.codes]
    return tuple(kept)


def _joined(names: Iterable[str]) -> str:
    every = list(dict.fromkeys(names))
    return every[0] if len(every) == 1 else ", ".join(every[:-1]) + " and " + every[-1]


# ---- ages

_AGE_WORDS = (
    (r"(?:under|below|less than) (\d+)", lambda n: (0, n - 1)),
    (r"(\d+) (?:and|or) (?:under|below|younger|less)", lambda n: (0, n)),
    (r"(\d+)(?:\+| (?:and|or) (?:over|above|older|more)| plus)", lambda n: (n, OLDEST)),
    (r"(?:over|above) (\d+)", lambda n: (n + 1, OLDEST)),
)


def age_span(label: str) -> tuple[int, int] | None:
    """Youngest and oldest age that a label means, both included; None where it means no ages.

    Reads "18 to 24", "18-24", "85 and over", "85+", "Aged 4 years and under", "Aged under 1 year", "7".
    An open band ends at 999.
    """
    text = re.sub(r"\b(?:aged?|years?|yrs?|old|of)\b|:", " ", label.casefold())
    text = " ".join(text.replace("–", "-").replace("—", "-").split())
    band = re.fullmatch(r"(\d+) ?(?:-|to) ?(\d+)", text)
    if band:
        low, high = int(band[1]), int(band[2])
        return (low, high) if low <= high else None
    if re.fullmatch(r"\d+", text):
        return int(text), int(text)
    for pattern, ends in _AGE_WORDS:
        match = re.fullmatch(pattern, text)
        if match:
            low, high = ends(int(match[1]))
            return (low, high) if low <= high else None
    return None


# ---- tables of the analyst's own


def own_folder(service: Service) -> Path:
    """Folder of the analyst's own tables, which need not exist."""
    return service.folder / service.reference.folder


def own_tables(folder: Path) -> tuple[OwnTable, ...]:
    """Tables that `equitydata reference add` wrote, in the order of their catalogue; none without a folder.

    Raises InputError for a file that is gone or has been changed out of shape.
    """
    listing = folder / OWN_CATALOGUE
    if not listing.is_file():
        return ()
    entries = _read_csv(listing, OWN_ENTRY)
    return tuple(
        _own_table(folder, {str(key): str(text) for key, text in row.items()})
        for row in entries.to_dict("records")
    )


def _own_table(folder: Path, entry: Mapping[str, str]) -> OwnTable:
    file = folder / Path(entry["file"]).name
    frame = _read_csv(file, OWN_COLUMNS)
    numbers = {column: _whole(frame[column], file.name, column) for column in ("age_from", "age_to", "count")}
    return OwnTable(
        name=entry["name"],
        characteristic=entry["characteristic"],
        level=entry["level"],
        title=entry["title"],
        reference_date=entry["reference_date"],
        from_age=int(float(entry["from_age"] or 0)),
        source=entry["source"],
        frame=frame.assign(**numbers)[list(OWN_COLUMNS)],
    )


def _read_csv(path: Path, needed: Sequence[str]) -> pd.DataFrame:
    mend = "Add the table anew with `equitydata reference add`, or delete its line in the catalogue."
    try:
        frame = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (OSError, ValueError):
        raise InputError("This reference table cannot be read.", where=path.name, mend=mend) from None
    absent = [column for column in needed if column not in frame.columns]
    if absent:
        raise InputError(f"There is no column '{absent[0]}'.", where=path.name, mend=mend)
    return frame


def _whole(texts: pd.Series, file: str, column: str) -> pd.Series:
    numbers = pd.to_numeric(texts, errors="coerce")
    bad = np.flatnonzero(numbers.isna() | ~np.isfinite(numbers))
    if len(bad):
        raise InputError(
            f"Column '{column}' holds something that is no number.",
            where=f"{file}, line {bad[0] + 2}",
            mend="Add the table anew with `equitydata reference add`.",
        )
    return numbers


# ---- residents


def everyone_of(place: Place, ages: tuple[int, int] | None) -> tuple[float, str]:
    """All residents of a place at the eligible ages, and the table they are from; missing where none holds them."""
    table = _estimates(place, "age")
    if table is None:
        return float("nan"), ""
    return float(_cut(table.frame, ages, 0)[0]["residents"].sum()), table.reference


@dataclass(frozen=True)
class _Table:
    """Residents of one place in categories of ours (or of the table's, where ours are not known yet)."""

    frame: pd.DataFrame
    reference: str
    date: str
    from_age: int
    place: Place
    unanswered: float = 0.0
    left_out: tuple[str, ...] = ()
    own: bool = False
    shares_only: bool = False
    by_age: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=FRAME))
    estimated: bool = False


def population(
    characteristic: str,
    level: str,
    place: Place,
    *,
    categories: Mapping[str, bool],
    merged: Mapping[str, tuple[str, ...]] | None = None,
    ages: tuple[int, int] | None = None,
    code_lists: Sequence[str] = (),
    own: Sequence[OwnTable] = (),
) -> Population | NoPopulation:
    """Residents of a place by the categories of one characteristic and level, cut to the eligible ages if it can be.

    characteristic, level : as in the strata; of a crossing with age or sex "ethnicity x sex" and
        "detailed x detailed".
    categories : every category of ours at the level -> whether the list in use collects it.
    merged : of these, the groups of few people that are shown as one -> their categories, whose residents are summed.
    ages : youngest and oldest eligible age. code_lists : lists in use, which say the index of deprivation.
    own : the analyst's tables, looked at first.
    """
    merged = merged or {}
    categories = {part: used for name, used in categories.items() for part in merged.get(name, (name,))}
    main, main_level, split = _parted(characteristic, level)
    if main is None:
        return NoPopulation(characteristic, level, place, "No table counts residents by these two at once.")
    table = _table_of(main, main_level, place, own, code_lists, place_only=bool(split))
    if isinstance(table, str):
        return NoPopulation(characteristic, level, place, table)
    rule = population_rules().get((main, main_level))
    if split and not _holds(table.frame, split):
        words = f"No table counts residents by {main} and {split} here."
        return NoPopulation(characteristic, level, place, words)
    frame, span = _cut(table.frame, ages, table.from_age)
    eligible = (max(ages[0], table.from_age), ages[1]) if ages else (table.from_age, OLDEST)
    exact = _alike(span, eligible) and (ages is None or ages[0] >= table.from_age)
    frame = _own_categories(frame, characteristic, split, main, list(categories))
    by_age = _by_age_sex(frame, characteristic)
    if by_age.empty and len(table.by_age) and not split:
        by_age = _by_age_sex(_cut(table.by_age, ages, table.from_age)[0], characteristic)
    collected = {category for category, used in categories.items() if used}
    folds = _folds(frame, collected) if rule is not None and rule.list and not split else {}
    residents = _summed(frame.assign(category=frame["category"].replace(folds)))
    placed = {name: people for name, people in residents.items() if name in collected}
    everyone = float(sum(residents.values()))
    unplaced = rule.unplaced if rule is not None and not table.own else LEFT_OUT
    combined = dict(rule.combined) if rule is not None and not split else {}
    combined = {
        ours: wider
        for ours, wider in combined.items()
        if {ours, wider} <= collected and ours not in placed and wider in residents
    }
    together = _together_again(placed, combined, merged)
    placed, combined = together.placed, together.combined
    if everyone == 0 or not placed:
        return NoPopulation(
            characteristic, level, place, "No residents are counted in categories of the list in use."
        )
    if unplaced == LEFT_OUT and sum(placed.values()) < LEAST_IN_COMMON * everyone:
        return NoPopulation(
            characteristic, level, place,
            "The list in use and the table of residents have too few categories in common.",
        )  # fmt: skip
    folded_people = _summed(frame[frame["category"].isin(list(folds))])
    fits = by_age.assign(category=by_age["category"].replace(folds).replace(together.into))
    fits = _together(fits, "category", "age_from", "sex")
    return Population(
        characteristic=characteristic,
        level=level,
        place=table.place,
        reference=table.reference,
        date=table.date,
        residents=placed,
        total=everyone if unplaced == KEPT else float(sum(placed.values())),
        span=span,
        exact=exact,
        unplaced=unplaced,
        folded={ours: together.into.get(wider, wider) for ours, wider in folds.items()},
        folded_people=float(sum(folded_people.values())),
        combined=combined,
        apart=together.apart,
        left_out=tuple(
            name
            for name in (*residents, *table.left_out)
            if name and together.into.get(name, name) not in placed
        ),
        unanswered=table.unanswered,
        by_age_sex=fits[fits["category"].isin(list(placed))].reset_index(drop=True),
        estimated=table.estimated,
        approximate=rule is not None and rule.approximate and not table.own,
        shares_only=table.shares_only,
        own=table.own,
        by_list=rule is not None and rule.list,
        reason=rule.reason if rule is not None else "",
    )


@dataclass(frozen=True)
class _Together:
    """Residents by category once groups of few people are one; see Population for placed, combined and apart.

    into : category -> the merged group that its residents are counted in.
    """

    placed: dict[str, float]
    combined: dict[str, str]
    into: dict[str, str]
    apart: dict[str, str]


def _together_again(
    placed: Mapping[str, float], combined: Mapping[str, str], merged: Mapping[str, tuple[str, ...]]
) -> _Together:
    """Residents of merged groups: the sum of their categories, where residents are counted of each.

    A category that the residents' table counts within a wider one goes with it: both in the merged group, or all of
    the merged group within the wider one. Else neither the merged group nor the wider one has residents.
    """
    people, within = dict(placed), dict(combined)
    into: dict[str, str] = {}
    apart: dict[str, str] = {}
    torn: dict[str, str] = {}  # wider category -> the merged group that holds some of those counted within it
    inside: dict[str, str] = {}
    for name, parts in merged.items():
        wider = {combined[part] for part in parts if part in combined}
        if len(wider) == 1 and all(part in combined for part in parts):
            inside[name] = wider.pop()
        else:
            torn |= dict.fromkeys(wider - set(parts), name)
    for name, parts in merged.items():
        uncounted = [part for part in parts if part not in placed and combined.get(part) not in parts]
        counted = [part for part in parts if part in placed]
        for part in parts:
            people.pop(part, None)
            within.pop(part, None)
        if name in inside:
            within[name] = inside[name]
        elif uncounted:
            apart[name] = NOT_ALL_COUNTED.format(", ".join(uncounted))
        elif held := [part for part in parts if part in torn]:
            apart[name] = SOME_ELSEWHERE.format(torn[held[0]])
        else:
            people[name] = sum(placed[part] for part in counted)
            into |= dict.fromkeys(counted, name)
    for wider_one, name in torn.items():
        if people.pop(wider_one, None) is not None:
            apart[wider_one] = SOME_ELSEWHERE.format(name)
    for ours, wider_one in within.items():
        if into.get(wider_one, wider_one) not in people:
            apart[ours] = apart.get(wider_one, NOT_ALL_COUNTED.format(ours))
    within = {ours: into.get(wider_one, wider_one) for ours, wider_one in within.items() if ours not in apart}
    return _Together(placed=people, combined=within, into=into, apart=apart)


def _parted(characteristic: str, level: str) -> tuple[str | None, str, str]:
    """The characteristic that a table is of, its level, and the age or sex it is split by ('' for neither)."""
    names, levels = characteristic.split(CROSSING), level.split(CROSSING)
    if len(names) == 1:
        return characteristic, level, ""
    if len(names) != 2 or len(levels) != 2:
        return None, "", ""
    if set(names) == set(SPLIT_BY):
        return "age", levels[names.index("age")], "sex"
    for name in SPLIT_BY:
        if name in names:
            other = 1 - names.index(name)
            return names[other], levels[other], name
    return None, "", ""


def _holds(frame: pd.DataFrame, split: str) -> bool:
    return bool(frame["sex"].ne("").all() if split == "sex" else frame["age_from"].ge(0).all())


def _table_of(
    characteristic: str,
    level: str,
    place: Place,
    own: Sequence[OwnTable],
    code_lists: Sequence[str],
    *,
    place_only: bool,
) -> _Table | str:
    """The table that serves: the analyst's own, else the reference's; or why there is none.

    place_only : no wider place may stand in (for crossings).
    """
    rule = population_rules().get((characteristic, level))
    added = _own_source(characteristic, level, place, own, rule)
    if added is not None:
        return added
    if rule is None:
        return "The reference holds no residents by this characteristic."
    tried = [place] if place_only else [place, *(replace(place, name=n, codes=(c,)) for c, n in place.wider)]
    for each in tried:
        if rule.topic == AUTHORITIES:
            return _authorities(place) or rule.reason
        if rule.topic == SMALL_AREAS:
            found = _small_areas(each, rule, code_lists)
        elif rule.topic == ESTIMATES:
            found = _estimates(each, characteristic)
        else:
            if _entry(rule.topic)["unit"] != "person":
                return rule.reason
            found = _topic(each, rule)
        if found is not None:
            return found
    if rule.topic == SMALL_AREAS:
        return "Deciles of England and of Wales are not comparable, so an area of both has none."
    return "The reference does not hold this table for the area: " + _entry(rule.topic)["geography"] + "."


@cache
def _entries() -> dict[str, dict[str, Any]]:
    rows = reference.catalogue().to_dict("records")
    return {str(row["name"]): {str(key): value for key, value in row.items()} for row in rows}


def _entry(topic: str) -> dict[str, Any]:
    return _entries()[topic]


def _titled(topic: str) -> str:
    entry = _entry(topic)
    publisher = "Census 2021" if "Census 2021" in str(entry["source"]) else str(entry["source"]).split(",")[0]
    title = str(entry["title"])
    return (
        f"{title}, {entry['reference_date']}"
        if publisher in title
        else f"{publisher}: {title}, {entry['reference_date']}"
    )


@cache
def _people(
    topic: str, codes: tuple[str, ...], *, crossed: bool = False, leaves: bool = False
) -> pd.DataFrame | None:
    """Rows of a topic summed over areas, kept: not to be changed. None where it does not hold them all."""
    try:
        if crossed:
            found = reference.crossed_population(topic, codes)
        else:
            found = reference.population(topic, codes, leaves=leaves)
        return plain_texts(found)
    except ConfigError:
        return None


def plain_texts(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with its texts as plain objects: small tables are joined and looked up many times faster so."""
    texts = [name for name, kind in frame.dtypes.items() if isinstance(kind, pd.StringDtype)]
    return frame.astype(dict.fromkeys(texts, object))


def _unsplit(categories: pd.Series, residents: pd.Series) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "category": categories.to_numpy(),
            "age_from": -1,
            "age_to": -1,
            "sex": "",
            "residents": residents.to_numpy(dtype=float),
        }
    )


@cache
def _cells_of(characteristic: str, level: str) -> pd.DataFrame:
    """category (of ours), cell (of the table), each cell once. Kept: not to be changed."""
    rule = population_rules()[characteristic, level]
    if rule.column:
        listed = codelists.categories(rule.characteristic).astype(object)
        listed = listed[listed[rule.column].fillna("").ne("")]
        names = listed["category"] if not rule.rollup else listed[rule.rollup].replace(dict(rule.names))
        return pd.DataFrame({"category": names, "cell": listed[rule.column].astype(str)}, dtype=object)
    pairs = [(category, cell) for category, cells in rule.cells.items() for cell in cells]
    return pd.DataFrame(pairs, columns=["category", "cell"], dtype=object)


def _topic(place: Place, rule: PopulationRule) -> _Table | None:
    """Residents by cells of a census topic, in categories of ours; other cells keep the census's words."""
    census = _people(rule.topic, place.codes)
    if census is None:
        return None
    codes = census["category_code"].astype(str)
    cells = _cells_of(rule.characteristic, rule.level)
    counts = census.assign(cell=codes)[["cell", "count"]]
    counted = cells.merge(counts, on="cell", how="left", validate="one_to_one")
    if counted["count"].isna().any():
        return None  # a part of the cells would be a part of the people
    silent = census[codes.isin(rule.unanswered)]
    every = float(census.loc[census["category"].str.startswith("Total"), "count"].sum())
    rest = every - float(counted["count"].sum()) - float(silent["count"].sum())
    frame = _unsplit(counted["category"], counted["count"])
    if rest > 0.5:
        # Cells that none of our categories stands for: part of everyone, under the census's own words.
        frame = pd.concat([frame, _unsplit(pd.Series(["All others"]), pd.Series([rest]))], ignore_index=True)
    entry = _entry(rule.topic)
    by_age, estimated = _group_by_age(place, rule)
    return _Table(
        frame=_together(frame, *FRAME[:-1]),
        reference=_titled(rule.topic),
        date=str(entry["reference_date"]),
        from_age=int(entry["from_age"]),
        place=place,
        unanswered=float(silent["count"].sum()),
        by_age=by_age,
        estimated=estimated,
    )


def _group_by_age(place: Place, rule: PopulationRule) -> tuple[pd.DataFrame, bool]:
    """Residents by group and age where they are held; else fitted to the groups and the ages of the place.

    Fitted: the table of England and Wales, scaled by turns until it adds up to the place's own groups and ages
    (iterative proportional fitting). It keeps how groups differ in age from one another, and no more.
    Deming WE, Stephan FF (1940) Ann Math Stat 11:427-444; Purcell NJ, Kish L (1980) Int Stat Rev 48:3-18.
    """
    empty = pd.DataFrame(columns=FRAME)
    if not rule.by_age:
        return empty, False
    groups = {cell: category for category, cells in rule.by_age_cells.items() for cell in cells}
    exact = _people(rule.by_age, place.codes, crossed=True)
    held = exact if exact is not None else _people(rule.by_age, (ENGLAND_AND_WALES,), crossed=True)
    if held is None:
        return empty, False
    spans = [age_span(str(label)) for label in held["category_2"]]
    frame = pd.DataFrame(
        {
            "category": held["category_code"].map(groups),
            "age_from": [span[0] if span else -1 for span in spans],
            "age_to": [span[1] if span else -1 for span in spans],
            "sex": "",
            "residents": held["count"].astype(float),
        }
    )
    if exact is not None:
        return frame, False
    single, counted = _people("age", place.codes), _people(rule.topic, place.codes)
    if single is None or counted is None:
        return empty, False
    single = single[single["category_code"].astype(str).str.fullmatch(r"\d+")]
    starts = np.sort(frame["age_from"].unique())
    place_of = np.searchsorted(starts, single["category_code"].astype(int), side="right") - 1
    ages = single.groupby(starts[place_of])["count"].sum()
    of_cell = dict(
        zip(
            _cells_of(rule.characteristic, rule.level)["cell"],
            _cells_of(rule.characteristic, rule.level)["category"],
            strict=True,
        )
    )
    sizes = counted.groupby(counted["category_code"].astype(str).map(of_cell))["count"].sum()
    seed = frame.pivot(index="category", columns="age_from", values="residents")
    fitted = fit_margins(
        seed.to_numpy(),
        rows=sizes.reindex(seed.index).fillna(0).to_numpy(),
        columns=ages.reindex(seed.columns).fillna(0).to_numpy(),
    )
    wide = pd.DataFrame(fitted, index=seed.index, columns=seed.columns).reset_index()
    long = wide.melt(id_vars="category", var_name="age_from", value_name="residents")
    ends = frame.drop_duplicates("age_from").set_index("age_from")["age_to"]
    return long.assign(age_to=long["age_from"].map(ends), sex="")[FRAME], True


def fit_margins(seed: np.ndarray, *, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """A table with the association of the seed and the margins asked for: iterative proportional fitting.

    seed : shape (r, c), 0 or more. rows : shape (r,), columns : shape (c,), counts; where their sums differ (tables
    perturbed apart) the columns are scaled to the rows' sum. Returns shape (r, c); a zero stays zero.
    Deming WE, Stephan FF (1940) Ann Math Stat 11:427-444.
    """
    table = np.asarray(seed, dtype=float).copy()
    columns = columns * (rows.sum() / columns.sum()) if columns.sum() > 0 else columns
    for _ in range(FITS):
        table *= _ratio(rows, table.sum(axis=1))[:, np.newaxis]
        off = np.abs(table.sum(axis=0) - columns).max(initial=0.0)
        if off < CLOSE:
            break
        table *= _ratio(columns, table.sum(axis=0))[np.newaxis, :]
    return table


def _ratio(wanted: np.ndarray, found: np.ndarray) -> np.ndarray:
    return np.divide(wanted, found, out=np.zeros_like(found), where=found > 0)


def _estimates(place: Place, characteristic: str) -> _Table | None:
    """Residents by single year of age and sex, mid-2022; the census's, by one of the two, where areas changed."""
    codes = _codes_of_2023(place.codes)
    frame = _estimates_of(codes) if codes else None
    if frame is not None:
        return _Table(frame, _titled(ESTIMATES), str(_entry(ESTIMATES)["reference_date"]), 0, place)
    topic = CENSUS_OF[characteristic]
    census = _people(topic, place.codes, leaves=True)
    if census is None:
        return None
    if topic == "sex":
        frame = _unsplit(pd.Series([""] * len(census)), census["count"]).assign(
            sex=census["category"].to_numpy()
        )
    else:
        ages = census["category_code"].astype(int)
        frame = _unsplit(pd.Series([""] * len(census)), census["count"]).assign(
            age_from=ages.to_numpy(), age_to=ages.where(ages < ages.max(), OLDEST).to_numpy()
        )
    return _Table(frame, _titled(topic), str(_entry(topic)["reference_date"]), 0, place)


def _authorities(place: Place) -> _Table | None:
    """Residents of each local authority that is served, by age and sex; none where it is one, or for wider places."""
    codes = _codes_of_2023(place.codes)
    if place.kind != LOCAL or len(codes) < 2:
        return None
    names = reference.read_table("areas_2023").set_index("area_code")["area_name"]
    parts = [(str(names.get(code, code)), _estimates_of((code,))) for code in codes]
    if any(frame is None for _, frame in parts):
        return None
    frame = pd.concat(
        [part.assign(category=name) for name, part in parts if part is not None], ignore_index=True
    )
    return _Table(frame, _titled(ESTIMATES), str(_entry(ESTIMATES)["reference_date"]), 0, place)


def _estimates_of(codes: tuple[str, ...]) -> pd.DataFrame | None:
    """Residents by single year of age and sex, mid-2022, in boundaries of 2023."""
    found = _people(ESTIMATES, codes, crossed=True)
    if found is None:
        return None
    ages = found["category_code"].astype(int)
    return pd.DataFrame(
        {
            "category": "",
            "age_from": ages,
            "age_to": ages.where(ages < ages.max(), OLDEST),
            "sex": found["category_2"].astype(str),
            "residents": found["count"].astype(float),
        }
    )


def _codes_of_2023(codes: Sequence[str]) -> tuple[str, ...]:
    """The same areas in the boundaries of 2023; none where a joined authority is there in part only."""
    lookup = reference.read_table("ltla22_ltla23_region")[["ltla22_code", "ltla23_code"]]
    old = set(codes)
    local = lookup[lookup["ltla22_code"].isin(old)]
    whole = lookup[lookup["ltla23_code"].isin(set(local["ltla23_code"]))]
    if not set(whole["ltla22_code"]) <= old:
        return ()
    others = [code for code in codes if code not in set(lookup["ltla22_code"])]
    return (*others, *dict.fromkeys(local["ltla23_code"]))


def _small_areas(place: Place, rule: PopulationRule, code_lists: Sequence[str]) -> _Table | None:
    """Lower-layer areas of the place by decile of deprivation: an approximation of people."""
    areas = reference.lsoa_lookup()
    inside = authorities_in(place.codes)
    welsh = all(code.startswith("W") for code in inside)
    if not welsh and any(code.startswith("W") for code in inside):
        return None
    older = any("2019" in name for name in code_lists)
    index, vintages, title = (
        ("wimd2019_decile", ("2011", "both"), "Welsh Index of Multiple Deprivation 2019") if welsh
        else ("imd2019_decile", ("2011", "both"), "English Index of Multiple Deprivation 2019") if older
        else ("imd2025_decile", ("2021", "both"), "English Index of Multiple Deprivation 2025")
    )  # fmt: skip
    here = areas[areas["ltla22_code"].isin(inside) & areas["vintage"].isin(vintages) & areas[index].notna()]
    if here.empty:
        return None
    frame = _unsplit(here[index].astype(int).astype(str), pd.Series(np.ones(len(here))))
    if rule.rollup:
        frame = frame.assign(category=_rolled(frame["category"], rule))
    frame = _together(frame, *FRAME[:-1])
    year = title.rsplit(" ", 1)[-1]
    reference_text = f"{title}: small areas by decile, in place of people"
    return _Table(frame, reference_text, year, 0, place, shares_only=True)


def authorities_in(codes: Sequence[str]) -> tuple[str, ...]:
    """Codes of the local authorities of the census inside the areas."""
    table = reference.areas()
    local = table[table["area_type"].eq("ltla")]
    wanted = set(codes)
    inside = (
        local["area_code"].isin(wanted)
        | local["region_code"].isin(wanted)
        | local["country_code"].isin(wanted)
    )
    if ENGLAND_AND_WALES in wanted:
        inside = inside | True
    return tuple(local.loc[inside, "area_code"])


def _rolled(categories: pd.Series, rule: PopulationRule) -> pd.Series:
    """Categories of the finer level as groups of this one; what the list does not know stays as it is."""
    listed = codelists.categories(rule.characteristic)
    groups = listed[rule.rollup].astype(str).replace(dict(rule.names))
    rolled = categories.map(dict(zip(listed["category"], groups, strict=True)))
    if rule.characteristic == "language":
        # Groups of languages stand for their languages: English is a group of its own.
        named = dict(rule.names)
        rolled = rolled.fillna(
            categories.str.startswith("English (").map({True: named.get("1", ""), False: named.get("0", "")})
        )
    return rolled.fillna(categories)


def _own_source(
    characteristic: str, level: str, place: Place, own: Sequence[OwnTable], rule: PopulationRule | None
) -> _Table | None:
    """The analyst's table of the characteristic that holds every area of the place; split by age and sex first."""
    fitting = []
    for table in own:
        if table.characteristic != characteristic or not set(place.codes) <= set(table.frame["area_code"]):
            continue
        if table.level == level or (rule is not None and rule.rollup and table.level == rule.from_):
            fitting.append(table)
    if not fitting:
        return None
    best = max(fitting, key=lambda t: (_holds(t.frame, "age") + _holds(t.frame, "sex"), t.level == level))
    here = best.frame[best.frame["area_code"].isin(place.codes)]
    categories = here["category"]
    if best.level != level and rule is not None:
        categories = _rolled(categories, rule)
    frame = here.assign(category=categories, residents=here["count"].astype(float))
    frame = _together(frame, *FRAME[:-1])
    return _Table(
        frame=frame,
        reference=f"{best.title} (own table), {best.reference_date}",
        date=best.reference_date,
        from_age=best.from_age,
        place=place,
        own=True,
    )


def _cut(
    frame: pd.DataFrame, ages: tuple[int, int] | None, from_age: int
) -> tuple[pd.DataFrame, tuple[int, int]]:
    """Rows of the eligible ages, and the ages they cover; a band that lies across a limit stays whole."""
    split = bool(len(frame)) and bool(frame["age_from"].ge(0).all())
    if not split:
        return frame, (from_age, OLDEST)
    low, high = ages or (0, OLDEST)
    kept = frame[frame["age_to"].ge(low) & frame["age_from"].le(high)]
    if kept.empty:
        return kept, (low, high)
    return kept, (max(int(kept["age_from"].min()), from_age), int(kept["age_to"].max()))


def _alike(span: tuple[int, int], eligible: tuple[int, int]) -> bool:
    """The same ages; nobody is told apart beyond the last band that a table has."""
    oldest_alike = span[1] == eligible[1] or (span[1] == OLDEST and eligible[1] >= 100)
    return span[0] == eligible[0] and oldest_alike


def _own_categories(
    frame: pd.DataFrame, characteristic: str, split: str, main: str, categories: Sequence[str]
) -> pd.DataFrame:
    """The frame with the category of ours: for age and sex, and for crossings, from age and sex."""
    if main == "sex" and frame["category"].eq("").all():
        frame = frame.assign(category=frame["sex"])
    names = characteristic.split(CROSSING)
    if "age" in names:
        at = names.index("age")
        labels = [label.split(CROSSED_CATEGORY)[at] if split else label for label in categories]
        bands = _band_of(frame, list(dict.fromkeys(labels)))
        if not split:
            return frame.assign(category=bands)
        other = frame["sex"] if main == "age" else frame["category"]
        return frame.assign(category=_crossed(other, bands, first=at == 1))
    if split == "sex":
        return frame.assign(category=_crossed(frame["category"], frame["sex"], first=names.index("sex") == 1))
    return frame


def _crossed(one: pd.Series, two: pd.Series, *, first: bool) -> pd.Series:
    return one + CROSSED_CATEGORY + two if first else two + CROSSED_CATEGORY + one


def _band_of(frame: pd.DataFrame, labels: Sequence[str]) -> pd.Series:
    """The band of ours that holds each row's ages whole; the row's own ages where none does."""
    found = pd.Series("", index=frame.index)
    for label in labels:
        span = age_span(label)
        if span is None:
            continue
        inside = frame["age_from"].ge(span[0]) & frame["age_to"].le(span[1])
        # "85" for the last single year that a band names is open in the table.
        found = found.mask(inside, label)
    own = "aged " + frame["age_from"].astype(str) + " to " + frame["age_to"].astype(str)
    return found.where(found.ne(""), own)


def _by_age_sex(frame: pd.DataFrame, characteristic: str) -> pd.DataFrame:
    """category, age_from, sex, residents: what a standardised ratio needs; empty where there is no split left."""
    names = characteristic.split(CROSSING)
    ages = bool(len(frame)) and "age" not in names and bool(frame["age_from"].ge(0).all())
    sexes = bool(len(frame)) and "sex" not in names and bool(frame["sex"].ne("").all())
    if not (ages or sexes):
        return pd.DataFrame(columns=["category", "age_from", "sex", "residents"])
    split = frame.assign(age_from=frame["age_from"] if ages else -1, sex=frame["sex"] if sexes else "")
    return _together(split, "category", "age_from", "sex")


def _folds(frame: pd.DataFrame, collected: set[str]) -> dict[str, str]:
    """Residents' category that the list in use lacks -> the one that the list counts it in."""
    every = pd.Series(sorted(set(frame["category"])))
    folds: dict[str, str] = {}
    for scheme in ("census_2011", "nhs_2001"):
        for ours, older in zip(every, codelists.fold(every, scheme=scheme), strict=True):
            if ours not in collected and ours not in folds and older in collected:
                folds[ours] = older
    return folds


def _summed(frame: pd.DataFrame) -> dict[str, float]:
    return {str(name): float(people) for name, people in frame.groupby("category")["residents"].sum().items()}


def _together(frame: pd.DataFrame, *keys: str) -> pd.DataFrame:
    """Residents summed over rows that are alike in the keys, in the order they come."""
    return frame.groupby(list(keys), sort=False).agg(residents=("residents", "sum")).reset_index()
