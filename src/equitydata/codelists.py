"""Code lists and the categories they lead to: what a code means, from which list, and what folds into what.

Every list is a CSV file in `reference/code_lists/` with its source in `catalogue.csv`; the canonical
categories of a characteristic stand in `reference/categories/`. Languages beyond the Census are read from
ISO 639 (package iso639-lang). No record is seen here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import iso639
import pandas as pd

from equitydata.errors import ConfigError, InputError, nearest
from equitydata.model import STATUSES, Status
from equitydata.reference import reference_folder

CODE_COLUMNS = ["code", "label", "category", "status", "notes"]
MISSING_WORDS = Path(__file__).parent / "rules" / "missing_words.csv"
# ISO 639-3 knows neither the region of a language nor its family: what a macrolanguage or the name does not
# place stands in the Census group "Any other languages".
UNPLACED = {"group": "Any other languages", "census_label": "Other language", "census_basis": "unplaced"}
SIGNED = {
    "group": "Sign and supported languages",
    "census_label": "Sign language: Any other sign language",
    "census_basis": "sign",
}
# scheme -> (characteristic, column of its categories)
SCHEMES: Mapping[str, tuple[str, str]] = {
    "census_2021": ("ethnicity", "category"),
    "census_2011": ("ethnicity", "fold_2011"),
    "nhs_2001": ("ethnicity", "fold_2001"),
    "five_groups": ("ethnicity", "group"),
    "five_groups_2001": ("ethnicity", "group_2001"),
    "main_language_22": ("language", "group"),
    "ts024": ("language", "census_label"),
}


@dataclass(frozen=True)
class CodeList:
    """One code list.

    year : of the census or standard it follows, "" where it follows none.
    level : "detailed", or "broad" where it holds groups only.
    ons : True for a list of the ONS, or one that an ONS census list stands behind.
    codes : code, label, category, status, notes (text; category is empty unless the status is known).
    """

    name: str
    characteristic: str
    title: str
    year: str
    level: str
    ons: bool
    codes: pd.DataFrame
    source: str
    licence: str


# ---------------------------------------------------------------- lists


def catalogue() -> pd.DataFrame:
    """The lists there are, one row each.

    Columns: code_list, characteristic ("*" for any), title, year, level, ons ("yes" or "no"), scheme (of
    `fold`, or where ISO 639 completes the list), source, licence, notes.
    """
    return _read_reference("code_lists/catalogue.csv").copy()


def load(name: str) -> CodeList:
    """One code list by name. Raises ConfigError naming the nearest."""
    loaded = _load(name)
    return CodeList(**{**vars(loaded), "codes": loaded.codes.copy()})


@cache
def _load(name: str) -> CodeList:
    entries = _read_reference("code_lists/catalogue.csv").set_index("code_list")
    if name not in entries.index:
        raise ConfigError(f"No code list named '{name}'.", mend=nearest(name, entries.index))
    entry: dict[str, str] = {str(column): str(text) for column, text in entries.loc[name].items()}
    codes = _read_reference(f"code_lists/{name}.csv")
    if entry["scheme"].startswith("iso639"):
        codes = _with_iso_codes(codes, parts=entry["scheme"].removeprefix("iso639-"))
    return CodeList(
        name=name,
        characteristic=entry["characteristic"],
        title=entry["title"],
        year=entry["year"],
        level=entry["level"],
        ons=entry["ons"] == "yes",
        codes=codes,
        source=entry["source"],
        licence=entry["licence"],
    )


def collected_by(code_list_names: Iterable[str]) -> set[str]:
    """Canonical categories that at least one of the lists can record.

    What is not among them is "not collected by this code list" and not a count of 0: Roma has no 2001 code.
    Names that are not in the catalogue (a user's own list) add nothing.
    """
    names = set(code_list_names) & set(catalogue()["code_list"])
    return {category for name in names for category in _load(name).codes["category"]} - {""}


def groupings() -> pd.DataFrame:
    """Numbered groupings of published SNOMED CT lists: grouping, value, category, notes."""
    return _read_reference("code_lists/opencodelists_groupings.csv").copy()


def read_opencodelists(
    path: str | Path,
    *,
    characteristic: str,
    code_column: str = "code",
    term_column: str = "term",
    grouping_column: str | None = None,
    grouping: str | Mapping[str, str] | None = None,
) -> CodeList:
    """A user's own list (SNOMED CT, CTV3, local) in the CSV form of OpenCodelists.

    grouping_column : column whose values lead to a category; without it the term itself is the category.
    grouping : value of that column -> canonical category, or a name: one of `groupings` (opensafely-16,
        opensafely-5), or a code list whose codes the column holds. None: the values are the categories.
    Rows whose group is blank or leads nowhere name no category: their status is not_known.
    Raises InputError for a file that cannot be read or has a code twice, ConfigError for a wrong name.
    """
    table = _read_user_file(path, [code_column, term_column, *([grouping_column] if grouping_column else [])])
    if table[code_column].duplicated().any():
        raise InputError(
            f"The column '{code_column}' holds the same code more than once.",
            where=Path(path).name,
            mend="Keep one row per code.",
        )
    groups = table[grouping_column or term_column]
    category = groups if grouping is None else groups.map(_grouping(grouping)).fillna("")
    codes = pd.DataFrame({"code": table[code_column], "label": table[term_column], "category": category})
    codes["status"] = category.ne("").map({True: str(Status.KNOWN), False: str(Status.NOT_KNOWN)})
    title = Path(path).stem
    return CodeList(
        name=title,
        characteristic=characteristic,
        title=title,
        year="",
        level="detailed",
        ons=False,
        codes=codes.assign(notes="")[CODE_COLUMNS],
        source="A file of the user",
        licence="",
    )


def _grouping(grouping: str | Mapping[str, str]) -> dict[str, str]:
    if not isinstance(grouping, str):
        return {str(value): category for value, category in grouping.items()}
    numbered = groupings()
    if grouping in set(numbered["grouping"]):
        chosen = numbered[numbered["grouping"] == grouping]
        return dict(zip(chosen["value"], chosen["category"], strict=True))
    names = [*numbered["grouping"].unique(), *catalogue()["code_list"]]
    if grouping not in names:
        raise ConfigError(f"No grouping named '{grouping}'.", mend=nearest(grouping, names))
    codes = _load(grouping).codes
    return dict(zip(codes["code"], codes["category"], strict=True))


def read_local_map(path: str | Path) -> pd.DataFrame:
    """A user's own words, from a CSV with the columns value and category (or code, or status).

    Returns value and category, one row per value, text; category holds what the word leads to: a category,
    a code of the list in use, or a status. Raises InputError for a file without these columns, a value
    given twice, or a row that leads nowhere.
    """
    table = _read_user_file(path, ["value"])
    targets = [column for column in ("category", "code", "status") if column in table.columns]
    if not targets:
        raise InputError("A local map needs a column 'category', 'code' or 'status'.", where=Path(path).name)
    leads_to = table[targets].replace("", pd.NA).bfill(axis=1).iloc[:, 0].fillna("")
    faults = {"lead nowhere": leads_to.eq(""), "repeat a value": table["value"].duplicated()}
    for fault, rows in faults.items():
        if rows.any():
            lines = ", ".join(str(line + 2) for line in rows.index[rows][:5])
            raise InputError(f"{int(rows.sum())} rows {fault}.", where=f"{Path(path).name}, line {lines}")
    return pd.DataFrame({"value": table["value"], "category": leads_to})


# ---------------------------------------------------------------- categories


def categories(characteristic: str) -> pd.DataFrame:
    """Canonical categories of a characteristic, in reading order.

    Columns in every case: category, order, detail ("detailed" or "broad"), residual (1 for "any other"),
    group. Ethnicity adds the parents and codes of other schemes, language its ISO 639-3 code and place in
    the Census, deprivation core20, accommodation homeless and settled.
    Language has a row for each of the nearly 8,000 languages of ISO 639-3: show those that are met.
    A characteristic without a list of its own (pregnancy, carer) has Yes and No.
    """
    return _categories(characteristic).copy()


@cache
def _categories(characteristic: str) -> pd.DataFrame:
    file = reference_folder() / "categories" / f"{characteristic}.csv"
    if file.is_file():
        listed = _read_reference(f"categories/{characteristic}.csv")
    else:
        listed = _categories_of_lists(characteristic)
    if characteristic == "language":
        listed = _with_iso_languages(listed)
    return listed.astype({"order": "int64", "residual": "int64"})


def _categories_of_lists(characteristic: str) -> pd.DataFrame:
    """Categories in the order of the lists, then those that only a synonym leads to."""
    entries = catalogue()
    own = entries[entries["characteristic"] == characteristic]
    own = own if len(own) else entries[entries["characteristic"] == "*"]
    lists = [_load(name) for name in own["code_list"]]
    frames = [each.codes.assign(level=each.level) for each in lists]
    spelt = synonyms(characteristic).assign(level="detailed")
    every = pd.concat([*frames, spelt], ignore_index=True)
    known = every[every["status"] == Status.KNOWN].drop_duplicates("category").reset_index(drop=True)
    return pd.DataFrame(
        {
            "category": known["category"],
            "order": known.index + 1,
            "detail": known["level"],
            "residual": known["category"].str.startswith("Other").astype("int64"),
            "group": known["category"],
        }
    )


def fold(categories: pd.Series, *, scheme: str) -> pd.Series:
    """Categories as an older or broader scheme has them; the index is kept.

    scheme : census_2021, census_2011, nhs_2001 (names stay canonical: Roma becomes White other), five_groups
        (2011 and 2021 parents), five_groups_2001 (Chinese or Other is a parent), main_language_22, ts024.
    Folding goes one way: nothing is split up. A category that the scheme does not know stays as it is.
    Raises ConfigError for an unknown scheme.
    """
    if scheme not in SCHEMES:
        raise ConfigError(f"No scheme named '{scheme}'.", mend=nearest(scheme, SCHEMES))
    characteristic, column = SCHEMES[scheme]
    listed = _categories(characteristic)
    folded = categories.map(dict(zip(listed["category"], listed[column], strict=True)))
    return folded.where(folded.notna(), categories)


# ---------------------------------------------------------------- words


def missing_words(characteristic: str) -> pd.DataFrame:
    """Words that give no answer: text (lower case), status.

    A word listed for the characteristic itself goes before the same word listed for all ("*").
    """
    words = _read_table(MISSING_WORDS)
    own = words[words["characteristic"] == characteristic]
    general = words[words["characteristic"] == "*"]
    both = pd.concat([own, general], ignore_index=True).drop_duplicates("text", ignore_index=True)
    return both[["text", "status"]]


def synonyms(characteristic: str) -> pd.DataFrame:
    """Further words of a characteristic: text, category, status, notes.

    An invalid one says in its notes why it is no category ("BAME") and what to do.
    """
    words = _read_reference("code_lists/synonyms.csv")
    own = words[words["characteristic"] == characteristic]
    return own[["text", "category", "status", "notes"]].reset_index(drop=True)


def spellings(characteristic: str) -> pd.DataFrame:
    """Names of each canonical category: text, category, rank.

    rank : 0 for a name of its own, 1 for a heading and a name ("Asian or Asian British - Indian"), 2 for a
    language that only ISO 639-3 names. Where two rows agree in text, the earlier one holds.
    """
    listed = _categories(characteristic)
    frames = [_exploded(listed[["category"]].assign(text=listed["category"]))]
    if "names" in listed.columns:
        frames.append(_exploded(listed[["category"]].assign(text=listed["names"])))
    if "census_label" in listed.columns:
        named = listed[listed["census_basis"].isin(["named", "group"])].drop_duplicates("census_label")
        frames.append(_exploded(named[["category"]].assign(text=named["census_label"])))
    if "headings" in listed.columns:
        frames.append(_headed(listed))
    every = pd.concat(frames, ignore_index=True)
    if characteristic == "language":
        kept = every["category"].isin(_read_reference("categories/language.csv")["category"])
        every["rank"] = every["rank"].where(kept, 2)
        # A name of two letters from the tail of ISO 639-3 ("En") is far more often a code ("en").
        every = every[every["text"].str.len().gt(2) | kept]
    return every.sort_values("rank", kind="stable", ignore_index=True)


def _exploded(table: pd.DataFrame) -> pd.DataFrame:
    """One row per name of a cell that parts its names by '|'."""
    parted = table.assign(text=table["text"].str.split("|")).explode("text")
    return parted.loc[parted["text"].ne(""), ["text", "category"]].assign(rank=0)


def _headed(listed: pd.DataFrame) -> pd.DataFrame:
    """Every heading of a group with every name of its detailed categories, by either parent scheme."""
    headings = listed.assign(heading=listed["headings"].str.split("|")).explode("heading")
    headings = headings[headings["heading"].ne("")]
    detailed = listed[listed["detail"] == "detailed"]
    leaves = detailed.assign(leaf=(detailed["names"] + "|" + detailed["names_under_heading"]).str.split("|"))
    leaves = leaves.explode("leaf").loc[lambda t: t["leaf"].ne("")]
    pairs = [
        leaves.merge(headings[[parent, "heading"]], on=parent, how="inner", validate="many_to_many")
        for parent in ("group", "group_2001")
    ]
    both = pd.concat(pairs, ignore_index=True)
    both["text"] = both["heading"] + " - " + both["leaf"]
    return both[["text", "category"]].drop_duplicates().assign(rank=1)


# ---------------------------------------------------------------- ISO 639


@cache
def _iso_languages() -> pd.DataFrame:
    """Every language of ISO 639-3: iso639_3, part1, part2b, name, other_names ('|' between), macro."""
    every = [language for language in iso639.iter_langs() if language.pt3]
    macros = [language for language in every if language.scope() == "Macrolanguage"]
    macro = {member.pt3: whole.pt3 for whole in macros for member in whole.individuals()}
    return pd.DataFrame(
        {
            "iso639_3": [language.pt3 for language in every],
            "part1": [language.pt1 for language in every],
            "part2b": [language.pt2b for language in every],
            "name": [language.name for language in every],
            "other_names": ["|".join(language.other_names()) for language in every],
            "macro": [macro.get(language.pt3, "") for language in every],
            "special": [language.scope() == "Special" for language in every],
        }
    ).sort_values("iso639_3", ignore_index=True)


def _with_iso_languages(listed: pd.DataFrame) -> pd.DataFrame:
    """The kept rows with ISO names added, then a derived row for every other language of ISO 639-3.

    A member of a macrolanguage stands where the macrolanguage stands (Standard Arabic with Arabic), a sign
    language with "any other sign language"; the rest are unplaced.
    """
    iso = _iso_languages()
    iso = iso[~iso["special"]]
    spelt = iso.set_index("iso639_3")
    kept_iso = listed["iso639_3"]
    names = listed["names"]
    for column in ("name", "other_names"):
        names = names + "|" + kept_iso.map(spelt[column]).fillna("")
    kept = listed.assign(names=names)
    rest = iso[~iso["iso639_3"].isin(kept_iso)].reset_index(drop=True)
    placed = listed[kept_iso.ne("")].set_index("iso639_3")[["group", "census_label"]]
    place = placed.assign(census_basis="macrolanguage").reindex(rest["macro"]).reset_index(drop=True)
    place.loc[rest["name"].str.contains("Sign Language", regex=False), list(SIGNED)] = list(SIGNED.values())
    derived = place.fillna(UNPLACED).assign(
        category=rest["name"],
        order=len(listed) + 1 + rest.index,
        detail="detailed",
        residual=0,
        iso639_3=rest["iso639_3"],
        is_english="0",
        names=rest["other_names"],
    )
    return pd.concat([kept, derived[listed.columns]], ignore_index=True)


def _with_iso_codes(codes: pd.DataFrame, *, parts: str) -> pd.DataFrame:
    """A language list of the special codes in its file, completed from ISO 639.

    parts : "1" for the two-letter codes, "3" for three letters (ISO 639-3, and the other forms of ISO 639-2).
    """
    iso = _iso_languages()
    iso = iso[~iso["special"]]
    listed = _categories("language")
    category = dict(zip(listed["iso639_3"], listed["category"], strict=True))
    columns = ["part1"] if parts == "1" else ["iso639_3", "part2b"]
    frames = [iso[["iso639_3", "name"]].assign(code=iso[column]) for column in columns]
    added = pd.concat(frames, ignore_index=True).drop_duplicates("code")
    rows = pd.DataFrame({"code": added["code"], "label": added["name"]}).assign(
        category=added["iso639_3"].map(category), status=str(Status.KNOWN), notes=""
    )
    # What people write for another language, as a label ("Pahari" for Pahari-Potwari) or in place of a code
    # ("BSL", which is also Basa-Gumna), must not lead to this one.
    spelt = spellings("language")
    meant = dict(zip(spelt["text"][::-1], spelt["category"][::-1], strict=True))
    usual = {text.casefold(): meant[text] for text in spelt.loc[spelt["rank"].lt(2), "text"]}
    other = rows["label"].map(meant).ne(rows["category"])
    rows["label"] = rows["label"].mask(other, rows["label"] + " (ISO 639)")
    taken = rows["code"].map(usual).fillna(rows["category"]).ne(rows["category"])
    empty = rows["code"].isin(["", *codes["code"], *missing_words("language")["text"]])
    return pd.concat([codes, rows[~(taken & rows["code"].str.len().eq(3)) & ~empty]], ignore_index=True)


# ---------------------------------------------------------------- files


@cache
def _read_reference(name: str) -> pd.DataFrame:
    table = _read_table(reference_folder() / name)
    if "status" in table.columns and not table["status"].isin(STATUSES).all():
        raise InputError("A status is none of: " + ", ".join(STATUSES) + ".", where=name)
    return table


def _read_table(path: Path) -> pd.DataFrame:
    """A CSV of this project as text, nothing read as missing."""
    return pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8")


def _read_user_file(path: str | Path, needed: list[str]) -> pd.DataFrame:
    """A CSV of the user's as trimmed text. Raises InputError; the message holds no value of the file."""
    file = Path(path)
    try:
        table = pd.read_csv(file, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except OSError as error:
        raise InputError(f"The file could not be opened ({error.strerror}).", where=file.name) from None
    except (ValueError, UnicodeError):
        raise InputError(
            "The file is not a CSV in UTF-8.", where=file.name, mend="Save it as 'CSV UTF-8'."
        ) from None
    for column in needed:
        if column not in table.columns:
            raise InputError(
                f"There is no column '{column}'.", where=file.name, mend=nearest(column, table.columns)
            )
    return table.apply(lambda column: column.str.strip())
