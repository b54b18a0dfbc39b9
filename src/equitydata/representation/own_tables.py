"""A population table of the analyst's own -> a checked tidy table that the comparison with residents looks at first.

Three layouts are read. Tidy: one row per area and category, with area_code, category and count, and age and sex where
the table has them. Custom: the same as the Office for National Statistics writes it ("Create a custom dataset"), with
a code and a label for each dimension and the count under Observation. Wide: a download of Nomis, with title rows above,
one column per category, footnotes below, and several blocks where ages or sexes were chosen.

No row of a person is ever here: these are published counts. A message names file, line and column.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from equitydata import codelists, reference
from equitydata.errors import ConfigError, InputError, OutputError, nearest
from equitydata.representation.populations import (
    ESTIMATES,
    OLDEST,
    OWN_CATALOGUE,
    OWN_COLUMNS,
    OWN_ENTRY,
    SMALL_AREAS,
    age_span,
    own_tables,
    population_rules,
)
from equitydata.rulebook import characteristic as known_characteristic
from equitydata.rulebook import stratum_levels

TIDY, CUSTOM, WIDE = "tidy", "custom", "wide"
MOST_BYTES = 50_000_000
OFF_BY = 0.02  # share by which the categories may differ from a total beside them: counts are perturbed
AREA_WORDS = ("area_code", "area code", "geography code", "gss code", "mnemonic", "area", "local authority")
CATEGORY_WORDS = ("category", "group")
COUNT_WORDS = ("count", "observation", "people", "persons", "population", "residents", "value", "obs_value")
AGE_WORDS, SEX_WORDS = ("age", "age band", "age group"), ("sex", "gender")
TOTAL = re.compile(
    r"(?:total|all categories|all usual residents|all persons|all people|all ages|both sexes)\b.*|all|persons|people"
)
SILENT = re.compile(r"(?:not answered|not stated)\b.*")
NO_ONE = re.compile(r"does not apply\b.*")
SEXES = {
    "male": "Male",
    "males": "Male",
    "female": "Female",
    "females": "Female",
    "men": "Male",
    "women": "Female",
}
LSOA = re.compile(r"[EW]01\d{6}")
DECILES = ("imd2025_decile", "imd2019_decile", "wimd2019_decile")
VINTAGES = {"imd2025_decile": "2021", "imd2019_decile": "2011", "wimd2019_decile": "2011"}
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,60}")
CHECK_LAYOUT = (
    "Give area_code, category and count in columns, or the download of Nomis or of the census as it came."
)


@dataclass(frozen=True)
class AddedTable:
    """What was added: the tidy table, where it was written, and what to know of it.

    table : area_code, category, age_from, age_to (-1 where not split; 999 is open), sex ("" where not split), count.
    """

    name: str
    characteristic: str
    level: str
    layout: str
    title: str
    reference_date: str
    file: Path
    table: pd.DataFrame
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Cell:
    """One count of the file, with where it stands."""

    line: int
    column: str
    area: str
    category: str
    age: str
    sex: str
    count: str


@dataclass(frozen=True)
class _Sheet:
    """The counts of a file, and what its title rows say."""

    layout: str
    cells: tuple[_Cell, ...]
    about: Mapping[str, str]
    notes: tuple[str, ...] = ()


def add_table(
    path: str | Path,
    *,
    characteristic: str,
    folder: str | Path,
    name: str = "",
    title: str = "",
    date: str = "",
    source: str = "",
    licence: str = "",
    base: str = "",
    from_age: int | None = None,
    replace: bool = False,
) -> AddedTable:
    """Read a table of residents, check it, and write it to the folder with its line in the catalogue.

    characteristic : of which the categories are ("ethnicity"); "age" or "sex" where there are no others.
    folder : `reference` beside the service file. name : short, for the file; from the file's name when left out.
    title, date (ISO 8601, a day or a year), source, licence, base : taken from title rows where left out.
    from_age : youngest age in the table; read from the base ("aged 3 years and over") where left out.
    replace : a table of the same name is written over.
    Raises ConfigError for an unknown characteristic or a name that is taken, InputError with line and column for a
    table that does not hold, OutputError where it cannot be written.
    """
    known_characteristic(characteristic)
    file = Path(path)
    sheet = _read(file, characteristic)
    told = {
        "title": title or sheet.about.get("title", ""),
        "date": date or sheet.about.get("date", ""),
        "source": source or sheet.about.get("source", ""),
        "base": base or sheet.about.get("population", ""),
    }
    for key in ("date", "source"):
        if not told[key]:
            raise ConfigError(
                f"The table does not say its {key}.",
                where=file.name,
                mend=f"Give {key}: residents without it cannot be cited.",
            )
    if not re.fullmatch(r"\d{4}(-\d{2}(-\d{2})?)?", told["date"]):
        raise ConfigError(
            "The date is no year and no day.", where=f"{file.name}, date", mend="Write 2021 or 2021-03-21."
        )
    named = name or re.sub(r"[^a-z0-9]+", "_", file.stem.casefold()).strip("_")[:40]
    if not NAME.fullmatch(named):
        raise ConfigError(
            f"'{named}' is no name of a table.",
            where="name",
            mend="Use small letters, digits and underscores.",
        )
    table, level, notes = _tidied(sheet, characteristic, file.name)
    youngest = from_age if from_age is not None else _from_age(told["base"])
    words = told["title"] or f"{known_characteristic(characteristic).label} ({named})"
    written = _write(
        table,
        folder=Path(folder),
        replace=replace,
        entry={
            "name": named,
            "characteristic": characteristic,
            "level": level,
            "title": words,
            "reference_date": told["date"],
            "population_base": told["base"],
            "from_age": str(youngest),
            "source": told["source"],
            "licence": licence,
            "notes": "; ".join(notes),
            "file": f"{named}.csv",
        },
    )
    return AddedTable(
        named,
        characteristic,
        level,
        sheet.layout,
        words,
        told["date"],
        written,
        table,
        (*sheet.notes, *notes),
    )


# ---- reading


def _read(path: Path, characteristic: str) -> _Sheet:
    rows = _rows(path)
    if not rows:
        raise InputError("The file is empty.", where=path.name, mend=CHECK_LAYOUT)
    for reader in (_custom, _tidy, _wide):
        sheet = reader(rows, characteristic, path.name)
        if sheet is not None and sheet.cells:
            return sheet
    raise InputError("No table of residents was found in the file.", where=path.name, mend=CHECK_LAYOUT)


def _rows(path: Path) -> list[tuple[int, list[str]]]:
    """Filled lines with their number, cells trimmed."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise InputError("The file is too large to be a table of residents.", where=path.name)
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"The file could not be opened ({error.strerror}).", where=path.name) from None
    if content[:2] == b"PK":
        raise InputError("This is a workbook.", where=path.name, mend="Save the sheet as 'CSV UTF-8'.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("cp1252", errors="replace")
    head = text[:20_000]
    delimiter = max((",", "\t", ";"), key=head.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        rows = [(reader.line_num, [cell.strip() for cell in row]) for row in reader]
    except csv.Error:
        raise InputError("The file is not a CSV.", where=path.name, mend="Save it as 'CSV UTF-8'.") from None
    return [(line, row) for line, row in rows if any(row)]


def _place(header: Sequence[str], words: Iterable[str]) -> int | None:
    folded = [cell.casefold() for cell in header]
    return next((folded.index(word) for word in words if word in folded), None)


def _tidy(rows: Sequence[tuple[int, list[str]]], characteristic: str, file: str) -> _Sheet | None:
    """One row a count, under a header with area, category and count."""
    own = (characteristic, known_characteristic(characteristic).label.casefold(), *CATEGORY_WORDS)
    line, header = rows[0]
    at = {
        "area": _place(header, AREA_WORDS),
        "category": _place(header, own),
        "count": _place(header, COUNT_WORDS),
        "age": _place(header, AGE_WORDS),
        "sex": _place(header, SEX_WORDS),
    }
    if at["area"] is None or at["count"] is None:
        return None
    small = characteristic == "deprivation" and at["category"] is None
    if at["category"] is None and characteristic not in ("age", "sex") and not small:
        raise InputError(
            "There is no column 'category'.", where=f"{file}, line {line}", mend=nearest("category", header)
        )
    return _Sheet(TIDY, _long(rows[1:], header, at, file), {})


def _custom(rows: Sequence[tuple[int, list[str]]], characteristic: str, file: str) -> _Sheet | None:
    """A custom dataset of the census: pairs of code and label, and Observation."""
    _, header = rows[0]
    count = _place(header, ("observation",))
    coded = [cell.removesuffix(" Code") for cell in header if cell.endswith(" Code")]
    if count is None or not coded or coded[0] not in header:
        return None
    labels = [name for name in coded if name in header]
    at: dict[str, int | None] = {
        "area": header.index(f"{labels[0]} Code"),
        "count": count,
        "age": None,
        "sex": None,
    }
    others = []
    for name in labels[1:]:
        first = name.casefold().split(" ")[0].strip("(")
        if first == "age":
            at["age"] = header.index(name)
        elif first == "sex":
            at["sex"] = header.index(name)
        else:
            others.append(name)
    if len(others) > 1:
        raise InputError(
            f"The table is split by two dimensions besides age and sex: {others[0]}, {others[1]}.",
            where=f"{file}, line {rows[0][0]}",
            mend="Download it with one of them.",
        )
    at["category"] = header.index(others[0]) if others else None
    return _Sheet(CUSTOM, _long(rows[1:], header, at, file), {"title": ", ".join(labels[1:])})


def _long(
    rows: Sequence[tuple[int, list[str]]], header: Sequence[str], at: Mapping[str, int | None], file: str
) -> tuple[_Cell, ...]:
    cells = []
    for line, row in rows:
        if len(row) < len(header):
            if len([cell for cell in row if cell]) <= 1:
                break  # footnotes begin
            raise InputError("The line has fewer cells than the header.", where=f"{file}, line {line}")
        found = {key: (row[place] if place is not None else "") for key, place in at.items()}
        column = header[at["count"]] if at["count"] is not None else ""
        cells.append(_Cell(line, column, **found))
    return tuple(cells)


def _wide(rows: Sequence[tuple[int, list[str]]], characteristic: str, file: str) -> _Sheet | None:
    """Blocks of areas by categories, each under title rows and a header, as Nomis writes them."""
    cells: list[_Cell] = []
    about: dict[str, str] = {}
    split: dict[str, str] = {}
    notes: list[str] = []
    header: list[str] = []
    area = inside = 0
    for line, row in rows:
        filled = [cell for cell in row if cell]
        here = _area_cell(row)
        numbers = [place for place, cell in enumerate(row) if _number(cell) is not None]
        if here is not None and header and numbers:
            area, inside = here, 1
            for place in range(area + 1, len(header)):
                if not header[place] or place >= len(row) or header[place].casefold() in AREA_WORDS:
                    continue
                if "%" in header[place] or "percent" in header[place].casefold():
                    notes = notes or ["Percentages were left out: counts are enough."]
                    continue
                cells.append(_of_block(characteristic, line, header[place], row[area], row[place], split))
            continue
        if inside:
            header, split, inside = [], {}, 0  # a block has ended: footnotes, or the titles of the next
        if len(filled) == 1 and not about:
            about["title"] = filled[0]
        elif len(filled) == 1 and "nomis" in filled[0].casefold():
            about["source"] = filled[0]
        elif len(filled) == 2 and row[0]:
            key, value = filled[0].casefold().rstrip(":"), filled[1]
            about.setdefault(key, value)
            if key in ("age", "sex"):
                split[key] = value
        if len(filled) >= 2:
            header = row
    if "nomis" in about.get("title", "").casefold():
        about["source"] = about.pop("title")
    if about.get("date", "") and not re.fullmatch(r"\d{4}(-\d{2}-\d{2})?", about["date"]):
        year = re.search(r"\d{4}", about["date"])
        about["date"] = year[0] if year else ""
    return _Sheet(WIDE, tuple(cells), about, tuple(notes))


def _of_block(
    characteristic: str, line: int, heading: str, area: str, count: str, split: Mapping[str, str]
) -> _Cell:
    """A cell of a wide block: its heading is a category, an age or a sex."""
    label = re.sub(r"; measures: .*$", "", heading)
    age, sex, category = split.get("age", ""), split.get("sex", ""), label
    if characteristic == "age":
        category, age = "", label
    elif characteristic == "sex":
        category, sex = "", label
    return _Cell(line, heading, area, category, age, sex, count)


def _area_cell(row: Sequence[str]) -> int | None:
    """Where a row of counts names its area: a code if there is one, else the first cell."""
    code = next((place for place, cell in enumerate(row[:3]) if re.fullmatch(r"[A-Z]\d{8}", cell)), None)
    if code is not None:
        return code
    return 0 if row[0] and _census_code(row[0]) else None


def _number(text: str) -> float | None:
    plain = text.replace(",", "").replace(" ", "")
    if not re.fullmatch(r"\d+(\.\d+)?", plain):
        return None
    return float(plain)


# ---- checking


def _tidied(sheet: _Sheet, characteristic: str, file: str) -> tuple[pd.DataFrame, str, list[str]]:
    """The table in categories of ours, its level, and what was left out."""
    frame = pd.DataFrame([vars(cell) for cell in sheet.cells])
    frame["number"] = [_count_of(cell, file) for cell in sheet.cells]
    notes: list[str] = []
    if characteristic == "deprivation" and frame["area"].str.fullmatch(LSOA).all():
        people = frame["category"].map(_fold)
        frame = frame[people.eq("") | people.str.fullmatch(TOTAL)]
        if frame.empty:
            raise InputError(
                "There is no count of all people of a small area.", where=file, mend=CHECK_LAYOUT
            )
        frame, level = _small_areas(frame, file), "decile"
    else:
        frame["area_code"] = _area_codes(frame, file)
        frame, level = _with_categories(frame, characteristic, file, notes)
    frame = _with_ages(frame, file, notes)
    frame = _with_sexes(frame, file, notes)
    keys = ["area_code", "category", "age_from", "age_to", "sex"]
    # Codes of one census area (a district and its successor) would otherwise be taken for one another.
    twice = frame[frame.duplicated([*keys, "label"], keep=False)]
    if len(twice):
        raise InputError(
            "The same area, category, age and sex stands twice.",
            where=f"{file}, line {int(twice['line'].iloc[-1])}",
            mend="Keep one of the two.",
        )
    _refuse_overlap(frame, file)
    table = frame.groupby(keys, sort=False).agg(count=("number", "sum")).reset_index()
    return table[list(OWN_COLUMNS)], level, notes


def _count_of(cell: _Cell, file: str) -> float:
    number = _number(cell.count)
    if number is None:
        raise InputError(
            f"Column '{cell.column}' holds no count.",
            where=f"{file}, line {cell.line}",
            mend="Counts are whole numbers, 0 or more. Leave out areas whose counts are not published.",
        )
    return number


@cache
def _census_code(text: str) -> str:
    """Code of the one census area that a code or name means; '' where there is none, or several."""
    try:
        return reference.find_area(text).code
    except ConfigError:
        return ""


def _area_codes(frame: pd.DataFrame, file: str) -> list[str]:
    codes = [_census_code(text) for text in frame["area"]]
    for line, area, code in zip(frame["line"], frame["area"], codes, strict=True):
        if not code:
            kind = (
                "a small area" if re.fullmatch(r"[EW]0[0125]\d{6}", area) else "no area of the census tables"
            )
            raise InputError(
                f"This is {kind}.",
                where=f"{file}, line {line}",
                mend="Give local authorities, regions or countries, by code or name: those are what a service serves.",
            )
    return codes


def _small_areas(frame: pd.DataFrame, file: str) -> pd.DataFrame:
    """People by lower-layer area -> by decile of deprivation, for every authority, region and country around them."""
    lookup = reference.lsoa_lookup().set_index("lsoa_code")
    unknown = ~frame["area"].isin(lookup.index)
    if unknown.any():
        raise InputError(
            "This is no lower-layer area (LSOA) of 2011 or 2021.",
            where=f"{file}, line {int(frame.loc[unknown, 'line'].iloc[0])}",
            mend="Give people by LSOA, or by decile with area_code, category and count.",
        )
    here = lookup.reindex(frame["area"]).reset_index(drop=True)
    # The newest index that holds every area: deciles of two indices are not comparable.
    index = next((each for each in DECILES if here[each].notna().all()), None)
    if index is None:
        raise InputError(
            "No one index of deprivation has a decile for every area.",
            where=file,
            mend="Give areas of 2021 or of 2011, of England or of Wales, and not both.",
        )
    frame = frame.assign(
        category=here[index].astype(int).astype(str).to_numpy(),
        label=frame["area"].to_numpy(),
        ltla=here["ltla22_code"].to_numpy(),
    )
    areas = reference.areas().set_index("area_code")
    indexed = lookup[lookup[index].notna() & lookup["vintage"].isin([VINTAGES[index], "both"])]
    missing = indexed[~indexed.index.isin(set(frame["area"]))]
    parts = []
    for column in ("ltla", "region_code", "country_code"):
        around = frame["ltla"] if column == "ltla" else frame["ltla"].map(areas[column])
        lacking = missing["ltla22_code"] if column == "ltla" else missing["ltla22_code"].map(areas[column])
        # A part of an area's people would pass for the whole.
        parts.append(frame.assign(area_code=around)[~around.isin(set(lacking))])
    every = pd.concat(parts, ignore_index=True)
    every = every[every["area_code"].fillna("").ne("")]
    if every.empty:
        raise InputError(
            "No local authority has all its small areas in the file.",
            where=file,
            mend="Give every LSOA of the authorities that the service serves.",
        )
    return every


def _fold(text: str) -> str:
    """A label as compared: case, dashes and spaces make no difference, nor does the title before a 2011 label."""
    plain = text.casefold().replace("–", "-")
    plain = re.sub(r"\s*/\s*", "/", plain)
    plain = re.sub(r"^(?:ethnic group|main language|religion|sex|age)\s*:\s*", "", plain)
    return " ".join(plain.split())


def _vocabularies(characteristic: str) -> list[tuple[str, dict[str, str]]]:
    """(level, label -> category of ours), finest first."""
    listed = codelists.categories(characteristic)
    levels = list(stratum_levels(characteristic)) or ["detailed"]
    found: list[tuple[str, dict[str, str]]] = []
    if characteristic == "language":
        found.append(("groups", _pairs(listed["census_label"], listed["group"])))
        found.append(("groups", _pairs(listed["group"], listed["group"])))
    else:
        detailed = listed[listed["detail"].eq("detailed")]
        spelt = codelists.spellings(characteristic)
        words = spelt[spelt["category"].isin(set(detailed["category"]))]
        known = _pairs(words["text"], words["category"]) | _labels_of_lists(
            characteristic, set(detailed["category"])
        )
        known |= _pairs(detailed["category"], detailed["category"])
        first = "decile" if characteristic == "deprivation" else "detailed"
        found.append((first, known))
        if "groups" in levels:
            of_group = dict(zip(listed["category"], listed["group"], strict=True))
            broad = spelt[spelt["category"].isin(set(listed["category"]) - set(detailed["category"]))]
            names = _pairs(broad["text"], broad["category"].map(of_group))
            names |= {
                label: of_group[category]
                for label, category in _labels_of_lists(characteristic, set(broad["category"])).items()
            }
            found.append(("groups", names | _pairs(listed["group"], listed["group"])))
    for (name, level), rule in population_rules().items():
        if name == characteristic and rule.cells and rule.topic not in (SMALL_AREAS, ESTIMATES):
            labels = reference.read_table(rule.topic).drop_duplicates("category_code")
            label_of = dict(zip(labels["category_code"].astype(str), labels["category"], strict=True))
            cells = {
                _fold(label_of[cell]): category
                for category, several in rule.cells.items()
                for cell in several
                if cell in label_of
            }
            same = next((words for at, words in found if at == level), None)
            if same is None:
                found.append((level, cells))
            else:
                for label, category in cells.items():
                    same.setdefault(label, category)
    return found


def _pairs(labels: Iterable[str], categories: Iterable[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for label, category in zip(labels, categories, strict=True):
        found.setdefault(_fold(str(label)), str(category))
    return found


def _labels_of_lists(characteristic: str, wanted: set[str]) -> dict[str, str]:
    """Labels of the code lists of a characteristic, as published tables print them."""
    lists = codelists.catalogue()
    names = lists.loc[lists["characteristic"].eq(characteristic), "code_list"]
    found: dict[str, str] = {}
    for name in names:
        if name.startswith(("nhs-language", "iso-639")):
            continue
        codes = codelists.load(name).codes
        here = codes[codes["category"].isin(wanted)]
        found |= {
            label: each
            for label, each in _pairs(here["label"], here["category"]).items()
            if label not in found
        }
    return found


def _with_categories(
    frame: pd.DataFrame, characteristic: str, file: str, notes: list[str]
) -> tuple[pd.DataFrame, str]:
    """The frame with our category beside the label; totals, headings and people without an answer are taken out."""
    frame = frame.assign(label=frame["category"].map(_fold))
    if characteristic in ("age", "sex"):
        level = next(iter(stratum_levels(characteristic)), "detailed")
        return frame.assign(category=""), level
    total = frame["label"].str.fullmatch(TOTAL) & ~frame["label"].isin(_every_label(characteristic))
    silent = frame["label"].str.fullmatch(SILENT)
    nobody = frame["label"].str.fullmatch(NO_ONE)
    rest = frame[~(total | silent | nobody)]
    if rest.empty:
        raise InputError("There is no category besides a total.", where=file, mend=CHECK_LAYOUT)
    level, words = _vocabulary(rest, characteristic, file)
    kept = rest[rest["label"].isin(list(words))]
    headings = sorted(set(rest["label"]) - set(words))
    if headings:
        notes.append(f"{len(headings)} headings were left out, since the groups under them are counted")
    if silent.any():
        notes.append("residents who did not answer were left out")
    if nobody.any() and frame.loc[nobody, "number"].sum() > 0:
        notes.append("people to whom the question does not apply were left out")
    _refuse_gap(kept, frame[total], frame[silent], file)
    return kept.assign(category=kept["label"].map(words)), level


def _every_label(characteristic: str) -> set[str]:
    return {label for _, words in _vocabularies(characteristic) for label in words}


def _vocabulary(rest: pd.DataFrame, characteristic: str, file: str) -> tuple[str, dict[str, str]]:
    """The level that holds every label; else the finest that holds several, the others being headings."""
    vocabularies = _vocabularies(characteristic)
    labels = set(rest["label"])
    for level, words in vocabularies:
        if labels <= set(words):
            return level, words
    every = {label for _, words in vocabularies for label in words}
    strange = rest[~rest["label"].isin(every)]
    if len(strange):
        first = strange.iloc[0]
        known = sorted(set(codelists.categories(characteristic)["category"].head(200)))
        raise InputError(
            f"'{first['category'] or first['column']}' is no category of {characteristic}.",
            where=f"{file}, line {int(first['line'])}, column '{first['column']}'",
            mend=nearest(str(first["category"]), known),
        )
    return next((level, words) for level, words in vocabularies if len(labels & set(words)) > 1)


def _refuse_gap(kept: pd.DataFrame, totals: pd.DataFrame, silent: pd.DataFrame, file: str) -> None:
    """Stop where the categories do not add up to the total that stands beside them."""
    keys = ["area_code", "age", "sex"]
    if totals.empty:
        return
    parts = pd.concat([kept, silent]).groupby(keys)["number"].sum()
    whole = totals.groupby(keys).agg(number=("number", "max"), line=("line", "first"))
    both = whole.join(parts.rename("parts"), how="inner")
    off = (both["parts"] - both["number"]).abs() > OFF_BY * both["number"] + 25
    if off.any():
        row = both[off].iloc[0]
        more = "more" if row["parts"] > row["number"] else "less"
        raise InputError(
            f"The categories add up to {more} than the total of the same area.",
            where=f"{file}, line {int(row['line'])}",
            mend="A category is missing, or a heading is counted beside its groups.",
        )


def _with_ages(frame: pd.DataFrame, file: str, notes: list[str]) -> pd.DataFrame:
    """Ages as their youngest and oldest; a total over ages is taken out where ages stand beside it."""
    folded = frame["age"].map(_fold)
    total = folded.eq("") | folded.str.fullmatch(TOTAL)
    if total.all():
        return frame.assign(age_from=-1, age_to=-1)
    if total.any():
        notes.append("totals over all ages were left out")
    kept = frame[~total]
    spans = [age_span(text) for text in kept["age"]]
    for line, column, span in zip(kept["line"], kept["column"], spans, strict=True):
        if span is None:
            raise InputError(
                "This is no age.",
                where=f"{file}, line {line}, column '{column}'",
                mend="Write 18 to 24, 85 and over, or a single year.",
            )
    read = [span for span in spans if span is not None]
    return kept.assign(age_from=[span[0] for span in read], age_to=[span[1] for span in read])


def _with_sexes(frame: pd.DataFrame, file: str, notes: list[str]) -> pd.DataFrame:
    folded = frame["sex"].map(_fold)
    total = folded.eq("") | folded.str.fullmatch(TOTAL)
    if total.all():
        return frame.assign(sex="")
    if total.any():
        notes.append("totals over both sexes were left out")
    kept = frame[~total]
    sexes = folded[~total].map(SEXES)
    if sexes.isna().any():
        bad = kept[sexes.isna()].iloc[0]
        raise InputError(
            "This is no sex of the table.",
            where=f"{file}, line {int(bad['line'])}, column '{bad['column']}'",
            mend="Write Female or Male.",
        )
    return kept.assign(sex=sexes)


def _refuse_overlap(frame: pd.DataFrame, file: str) -> None:
    """Stop where two age bands hold the same age: people would count twice."""
    bands = frame[["age_from", "age_to"]].drop_duplicates().sort_values(["age_from", "age_to"])
    lower, upper = bands["age_from"].to_numpy()[1:], bands["age_to"].to_numpy()[:-1]
    across = np.flatnonzero(lower <= upper)
    if len(across) and len(bands) > 1:
        low, high = int(bands["age_from"].iloc[across[0] + 1]), int(bands["age_to"].iloc[across[0] + 1])
        line = frame.loc[frame["age_from"].eq(low) & frame["age_to"].eq(high), "line"].iloc[0]
        raise InputError(
            "Two age bands hold the same ages.",
            where=f"{file}, line {int(line)}",
            mend="Keep bands that follow one another: 0 to 15, 16 to 24, 25 and over.",
        )


def _from_age(base: str) -> int:
    """Youngest age of a base in words: 3 of "All usual residents aged 3 years and over"; 0 where it names none."""
    found = re.search(r"aged (\d+) (?:years )?and over", base.casefold())
    return int(found[1]) if found else 0


# ---- writing


def _write(table: pd.DataFrame, *, folder: Path, replace: bool, entry: Mapping[str, str]) -> Path:
    """The table and its line in the catalogue of the folder; both or neither change."""
    listing = folder / OWN_CATALOGUE
    kept: list[dict[str, str]] = []
    if listing.is_file():
        own_tables(folder)  # a catalogue that does not hold is not written into
        with listing.open(encoding="utf-8-sig", newline="") as file:
            kept = list(csv.DictReader(file))
    if any(row["name"] == entry["name"] for row in kept) and not replace:
        raise ConfigError(
            f"There is a table '{entry['name']}' already.",
            where=OWN_CATALOGUE,
            mend="Give another name, or replace it.",
        )
    kept = [row for row in kept if row["name"] != entry["name"]]
    path = folder / entry["file"]
    whole = table["count"].eq(table["count"].round()).all()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        out = table.assign(age_to=table["age_to"].astype(int), age_from=table["age_from"].astype(int))
        out = out.assign(count=out["count"].astype("int64")) if whole else out
        path.write_text(out.to_csv(index=False, lineterminator="\n"), encoding="utf-8")
        text = io.StringIO()
        writer = csv.DictWriter(text, fieldnames=list(OWN_ENTRY), extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows([*kept, dict(entry)])
        listing.write_text(text.getvalue(), encoding="utf-8")
    except OSError as error:
        raise OutputError(f"The table could not be written ({error.strerror}).", where=folder.name) from None
    return path


__all__ = ["CUSTOM", "OLDEST", "TIDY", "WIDE", "AddedTable", "add_table"]
