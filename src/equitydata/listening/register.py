"""The register of listening: how a service listens to people, and what it heard. Read into frozen models.

`qualitative.toml` beside the service file, or the same as a CSV (`qualitative.csv`). Unknown keys, methods,
formats, languages, characteristics and categories are refused with the nearest known one, so that nothing in
the register is silently left uncounted. Errors name file and line.
"""

from __future__ import annotations

import csv
import datetime
import io
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pydantic
from pydantic import BaseModel, ConfigDict, Field

from equitydata import codelists
from equitydata.errors import ConfigError, nearest
from equitydata.identifier_patterns import identifiers_in
from equitydata.rulebook import RULES_FOLDER, characteristics
from equitydata.service import Service

REGISTER_NAMES = ("qualitative.toml", "qualitative.csv")
MAX_REGISTER_BYTES = 2_000_000
EVERYONE = "all"
ENGLISH = "English"
LISTS, BETWEEN = ";", "|"
_YES = {"yes": True, "y": True, "true": True, "no": False, "n": False, "false": False}


class _Model(BaseModel):
    # Deciles may be written as numbers.
    model_config = ConfigDict(
        extra="forbid", frozen=True, str_strip_whitespace=True, coerce_numbers_to_str=True
    )


class Way(_Model):
    """One way in which the service listens to people, over all its rounds."""

    label: str = Field(min_length=1, description="Name that people read.")
    method: str = Field(description="Survey, interview, focus_group ...: a name in rules/listening.toml.")
    groups: dict[str, tuple[str, ...]] = Field(
        {}, description="Groups that were reached: characteristic -> categories."
    )
    communities: tuple[str, ...] = Field(
        (), description="Communities that were reached and that no characteristic describes, in words."
    )
    languages: tuple[str, ...] = Field((), description="Languages in which people could take part.")
    formats: tuple[str, ...] = Field((), description="Inclusive formats: a name in rules/listening.toml.")
    co_designed: bool | None = Field(None, description="true: the questions were designed with people asked.")
    tested: bool | None = Field(None, description="true: the questions were tested.")
    rounds: tuple[datetime.date, ...] = Field((), description="The day of each round.")
    people: int | None = Field(None, ge=0, description="People who took part, over all rounds.")
    used_for: str = Field("", description="What it was used for.")
    owner: str = Field("", description="Role that answers for it.")
    link: str = Field("", description="Where it is kept.")


class Heard(_Model):
    """Something that was heard: one theme, from one group, in one round."""

    theme: str = Field(min_length=1, description="The theme in a few words.")
    words: str = Field(min_length=1, description="What was heard, in words that single nobody out.")
    way: str = Field(description="Name of the way of listening where it was heard.")
    date: datetime.date = Field(description="Day it was heard.")
    measure: str = Field("", description="Measure of the service file that it bears on.")
    characteristic: str = Field(EVERYONE, description="Characteristic of the group that said it.")
    category: str = Field("", description="The group that said it.")
    used_for: str = Field("", description="What was done with it.")

    @pydantic.model_validator(mode="after")
    def _names_a_group_whole(self) -> Heard:
        if (self.characteristic == EVERYONE) != (self.category == ""):
            raise ValueError("a group is named by characteristic and category together")
        return self


class Reviewed(_Model):
    """That someone has read the free text of the register for what could identify a person."""

    date: datetime.date = Field(description="Day it was read.")
    owner: str = Field(min_length=1, description="Role that read it.")


class Register(_Model):
    """The ways of listening, what was heard, and who has read it.

    Categories are canonical ("African" is read as "Black African").
    file : name of the file, "" where there is no register.
    lines : first line of each entry, by ("ways", name) or ("heard", number from 1), for findings.
    """

    ways: dict[str, Way] = Field({}, description="Ways of listening, by name.")
    heard: tuple[Heard, ...] = Field((), description="What was heard.")
    reviewed: Reviewed | None = Field(None, description="Who has read the free text, and when.")
    file: str = Field("", exclude=True)
    lines: dict[tuple[str, str], int] = Field({}, exclude=True)

    @property
    def is_given(self) -> bool:
        """True where there is a register, even one without an entry."""
        return bool(self.file)


NO_REGISTER = Register()


@dataclass(frozen=True)
class Method:
    """A kind of listening; see the head of rules/listening.toml."""

    name: str
    label: str
    questions: bool
    survey: bool
    active: bool


@cache
def listening_rules() -> Mapping[str, Any]:
    """rules/listening.toml: methods, formats and checks."""
    with (RULES_FOLDER / "listening.toml").open("rb") as file:
        return tomllib.load(file)


@cache
def methods() -> Mapping[str, Method]:
    """Every method of listening by name."""
    return {name: Method(name=name, **entry) for name, entry in listening_rules()["methods"].items()}


def accessible_formats() -> frozenset[str]:
    """Formats that let people take part whom print in English would leave out."""
    return frozenset(name for name, entry in listening_rules()["formats"].items() if entry["accessible"])


# ---------------------------------------------------------------- reading


def service_register(service: Service) -> Register:
    """The register that a service file names, or the one beside it; NO_REGISTER where there is none.

    Raises ConfigError where the named file is missing, two stand beside the service file, or one does not hold.
    """
    named = service.listening.path
    if named is not None:
        return read_register(service.folder / named, measures=service.measures)
    beside = [service.folder / name for name in REGISTER_NAMES if (service.folder / name).is_file()]
    if len(beside) > 1:
        raise ConfigError(
            "There are two registers of listening.",
            where=" and ".join(REGISTER_NAMES),
            mend="Keep one, or name it: [listening] path = ...",
        )
    return read_register(beside[0], measures=service.measures) if beside else NO_REGISTER


def read_register(path: str | Path, *, measures: Iterable[str] | None = None) -> Register:
    """Read a register of listening, TOML or CSV by its ending.

    measures : names of the service's measures, that what was heard may bear on; unchecked when left out.
    Raises ConfigError with file, line and the nearest known name where it does not hold.
    """
    path = Path(path)
    text = _read_text(path)
    content, places = (_from_csv if path.suffix.casefold() == ".csv" else _from_toml)(text, path.name)
    try:
        register = Register.model_validate({**content, "file": path.name, "lines": places.entries})
    except pydantic.ValidationError as error:
        raise _explain(error, places) from None
    return _checked(register, places, None if measures is None else tuple(measures))


@dataclass(frozen=True)
class _Places:
    """Where each entry and key of a register stands.

    entries : (part, name or number from 1) -> first line.
    keys : (part, name or number, key) -> line; in a CSV the line of its row.
    """

    file: str
    entries: dict[tuple[str, str], int]
    keys: dict[tuple[str, str, str], int]

    def where(self, part: str = "", entry: str = "", key: str = "") -> str:
        line = self.keys.get((part, entry, key)) or self.entries.get((part, entry))
        words = f", {key}" if key else ""
        return f"{self.file}, line {line}{words}" if line else f"{self.file}{words}"


def _read_text(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_REGISTER_BYTES:
            raise ConfigError("The file is too large to be a register of listening.", where=path.name)
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        beside = [file.name for file in path.parent.glob("*") if file.suffix in {".toml", ".csv"}]
        raise ConfigError(
            "There is no such register of listening.",
            where=path.name,
            mend=f"[listening] path is relative to the service file. {nearest(path.name, beside)}",
        ) from None
    except UnicodeDecodeError:
        raise ConfigError(
            "Not a text file in UTF-8.", where=path.name, mend="Save it as UTF-8; in Excel as CSV UTF-8."
        ) from None
    except OSError as error:
        raise ConfigError(f"Cannot be read ({error.strerror}).", where=path.name) from None


def _from_toml(text: str, name: str) -> tuple[dict[str, Any], _Places]:
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"\(at line (\d+)", str(error))
        reason = re.sub(r"\s*\(at .*\)$", "", str(error))
        raise ConfigError(
            f"Not valid TOML: {reason}.",
            where=f"{name}, line {place[1]}" if place else name,
            mend='Text stands in quotes: label = "..."',
        ) from None
    return content, _toml_places(text, name)


def _toml_places(text: str, name: str) -> _Places:
    places = _Places(name, {}, {})
    part, entry, heard = "", "", 0
    for number, line in enumerate(text.splitlines(), start=1):
        if found := re.match(r"\s*\[\[\s*heard\s*\]\]", line):
            heard += 1
            part, entry = "heard", str(heard)
        elif found := re.match(r"\s*\[\s*ways\s*\.\s*(?:\"([^\"]+)\"|'([^']+)'|([\w-]+))", line):
            part, entry = "ways", next(group for group in found.groups() if group)
        elif found := re.match(r"\s*\[\s*([\w-]+)\s*\]", line):
            part, entry = found[1], ""
        elif found := re.match(r"\s*\"?([\w-]+)\"?\s*=", line):
            places.keys.setdefault((part, entry, found[1]), number)
            continue
        else:
            continue
        places.entries.setdefault((part, entry), number)
    return places


# ---------------------------------------------------------------- CSV

_CSV_LISTS = ("communities", "languages", "formats", "rounds")
_CSV_COLUMNS = ("entry", "name", *dict.fromkeys((*Way.model_fields, *Heard.model_fields)))
_CSV_OWN = {
    "way": ("name", *Way.model_fields),
    "heard": tuple(Heard.model_fields),
    "reviewed": tuple(Reviewed.model_fields),
}


def _from_csv(text: str, name: str) -> tuple[dict[str, Any], _Places]:
    """The same content as a TOML register: one row per entry, column `entry` says which kind it is.

    Lists are parted by ";", groups are written "ethnicity: Bangladeshi | Indian; sex: Female".
    """
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    places = _Places(name, {}, {})
    ways: dict[str, Any] = {}
    heard: list[dict[str, Any]] = []
    content: dict[str, Any] = {"ways": ways, "heard": heard}
    try:
        header = [cell.strip().casefold() for cell in next(reader, [])]
        _check_header(header, name)
        line = reader.line_num + 1
        for cells in reader:
            where, line = f"{name}, line {line}", reader.line_num + 1
            if any(cell.strip() for cell in cells):
                _take_row(cells, header, where, content, places)
    except csv.Error as error:
        raise ConfigError(f"Not a valid CSV: {error}.", where=f"{name}, line {reader.line_num}") from None
    return content, places


def _check_header(header: list[str], name: str) -> None:
    for column in header:
        if column not in _CSV_COLUMNS:
            raise ConfigError(
                f"Unknown column '{column}'.", where=f"{name}, line 1", mend=nearest(column, _CSV_COLUMNS)
            )
    if "entry" not in header or len(set(header)) < len(header):
        raise ConfigError(
            "The header needs the column entry, and each column once.",
            where=f"{name}, line 1",
            mend="Columns: " + ", ".join(_CSV_COLUMNS) + ".",
        )


def _take_row(
    cells: list[str], header: list[str], where: str, content: dict[str, Any], places: _Places
) -> None:
    if len(cells) > len(header):
        raise ConfigError(
            f"The row has {len(cells)} cells, the header {len(header)}.",
            where=where,
            mend="Put text that holds a comma in double quotes.",
        )
    row = {column: cell.strip() for column, cell in zip(header, cells, strict=False) if cell.strip()}
    kind, line = row.pop("entry", "").casefold(), int(where.rsplit(" ", 1)[1])
    if kind not in _CSV_OWN:
        raise ConfigError(
            "The column entry says way, heard or reviewed.", where=where, mend=nearest(kind, _CSV_OWN)
        )
    for column in row:
        if column not in _CSV_OWN[kind]:
            raise ConfigError(
                f"A row '{kind}' has no '{column}'.", where=where, mend=nearest(column, _CSV_OWN[kind])
            )
    values = {column: _csv_value(column, cell, where) for column, cell in row.items()}
    if kind == "way":
        named = values.pop("name", "")
        if not named or named in content["ways"]:
            raise ConfigError("Each way of listening has a name of its own.", where=where)
        content["ways"][named] = values
        places.entries["ways", named] = line
    elif kind == "heard":
        content["heard"].append(values)
        places.entries["heard", str(len(content["heard"]))] = line
    elif "reviewed" in content:
        raise ConfigError("There are two rows 'reviewed'.", where=where, mend="Keep the later one.")
    else:
        content["reviewed"] = values
        places.entries["reviewed", ""] = line


def _csv_value(column: str, cell: str, where: str) -> Any:
    if column in _CSV_LISTS:
        parts = [part.strip() for part in cell.split(LISTS) if part.strip()]
        return [_iso(part) for part in parts] if column == "rounds" else parts
    if column == "groups":
        return _csv_groups(cell, where)
    if column in {"co_designed", "tested"}:
        return _YES.get(cell.casefold(), cell)
    return _iso(cell) if column == "date" else cell


def _csv_groups(cell: str, where: str) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for part in filter(None, (each.strip() for each in cell.split(LISTS))):
        name, colon, categories = part.partition(":")
        if not colon:
            raise ConfigError(
                "Groups are written as characteristic: category | category; characteristic: category.",
                where=f"{where}, groups",
                mend="For example ethnicity: Bangladeshi | Indian; sex: Female.",
            )
        listed = [category.strip() for category in categories.split(BETWEEN) if category.strip()]
        groups[name.strip()] = [*groups.get(name.strip(), []), *listed]
    return groups


def _iso(text: str) -> str:
    """A British day (31/03/2026) as ISO 8601; anything else as it stands, to be judged as a date."""
    found = re.fullmatch(r"(\d{1,2})/(\d{1,2})/(\d{4})", text)
    return f"{found[3]}-{int(found[2]):02d}-{int(found[1]):02d}" if found else text


# ---------------------------------------------------------------- checks of what was read


# What pydantic found -> in our words, with the mend.
_KINDS = {
    "tuple": ("A list is wanted.", 'Write [...], for example ["English", "Bengali"].'),
    "dict": ("A table of keys is wanted.", 'For example groups = { ethnicity = ["Bangladeshi"] }.'),
    "model": ("A table of keys is wanted.", "Write [ways.NAME], [[heard]] or [reviewed]."),
    "date": ("A day is wanted.", "Write 2026-03-31; in a CSV 31/03/2026 will do, too."),
    "bool": ("Yes or no is wanted.", "Write true or false; in a CSV yes or no."),
    "int": ("A whole number is wanted.", "For example people = 23."),
    "string_type": ("Text is wanted.", 'Text stands in quotes: label = "...".'),
    "string_too_short": ("The text is empty.", "Say it in a few words."),
}


def _explain(error: pydantic.ValidationError, places: _Places) -> ConfigError:
    found = error.errors(include_url=False, include_input=False)
    # A misspelt key shows up twice, as unknown and as missing: the unknown one says what to mend.
    first = next((each for each in found if each["type"] == "extra_forbidden"), found[0])
    place = [str(part) for part in first["loc"]]
    part = place[0] if place else ""
    has_entry = part in {"ways", "heard"} and len(place) > 1
    entry = place[1] if has_entry else ""
    if part == "heard" and entry.isdigit():
        entry = str(int(entry) + 1)
    rest = place[2:] if has_entry else place[1:]
    if first["type"] == "extra_forbidden":
        models: Mapping[str, type[BaseModel]] = {"ways": Way, "heard": Heard, "reviewed": Reviewed}
        known = list(models[part].model_fields) if rest and part in models else ["ways", "heard", "reviewed"]
        key = rest[-1] if rest else part
        return ConfigError(
            f"Unknown key '{_shown(key)}'.",
            where=places.where(part, entry, key if rest else ""),
            mend=nearest(key, known),
        )
    key = rest[0] if rest else ""
    if first["type"] == "missing":
        return ConfigError(f"The key '{key}' is missing.", where=places.where(part, entry))
    where = places.where(part, entry, key)
    for start, (what, mend) in _KINDS.items():
        if first["type"].startswith(start):
            return ConfigError(what, where=where, mend=mend)
    message = first["msg"].removeprefix("Value error, ")
    return ConfigError(f"{message[:1].upper()}{message[1:]}.", where=where)


def _shown(word: str) -> str:
    """A word of the register that an error may repeat: not if it looks like an identifier, nor a long one."""
    return "…" if identifiers_in(word) or len(word) > 60 else word


def _checked(register: Register, places: _Places, measures: tuple[str, ...] | None) -> Register:
    """The register with canonical names. Raises ConfigError at the first name that nobody knows."""
    ways = {
        name: way.model_copy(
            update={
                "method": _known(
                    way.method.casefold().replace(" ", "_").replace("-", "_"),
                    methods(),
                    "method",
                    places.where("ways", name, "method"),
                ),
                "groups": _canonical_groups(way.groups, places.where("ways", name, "groups")),
                "languages": tuple(
                    canonical("language", each, places.where("ways", name, "languages"))
                    for each in way.languages
                ),
                "formats": tuple(
                    _known(
                        each.casefold().replace("_", " "),
                        listening_rules()["formats"],
                        "format",
                        places.where("ways", name, "formats"),
                    )
                    for each in way.formats
                ),
                "rounds": tuple(sorted(set(way.rounds))),
            }
        )
        for name, way in register.ways.items()
    }
    heard = []
    for number, each in enumerate(register.heard, start=1):
        entry = ("heard", str(number))
        _known(each.way, register.ways, "way of listening", places.where(*entry, "way"))
        if each.measure and measures is not None:
            _known(each.measure, measures, "measure", places.where(*entry, "measure"))
        category = each.category
        if each.characteristic != EVERYONE:
            _known(
                each.characteristic,
                characteristics(),
                "characteristic",
                places.where(*entry, "characteristic"),
            )
            category = canonical(each.characteristic, category, places.where(*entry, "category"))
        heard.append(each.model_copy(update={"category": category}))
    return register.model_copy(update={"ways": ways, "heard": tuple(heard)})


def _known(word: str, known: Iterable[str], what: str, where: str) -> str:
    names = tuple(known)
    if word not in names:
        raise ConfigError(f"No {what} named '{_shown(word)}'.", where=where, mend=nearest(word, names))
    return word


def _canonical_groups(groups: Mapping[str, tuple[str, ...]], where: str) -> dict[str, tuple[str, ...]]:
    found = {}
    for name, categories in groups.items():
        _known(name, characteristics(), "characteristic", where)
        found[name] = tuple(dict.fromkeys(canonical(name, each, where) for each in categories))
    return found


# ---------------------------------------------------------------- categories

# Characteristics whose groups are places or ages: any words, read when they are compared.
_FREE_KINDS = ("area", "postcode", "age", "birth_date")


@cache
def levels(characteristic: str) -> Mapping[str, Mapping[str, str]]:
    """Level -> category -> the group that it stands in there (rules/strata.toml; `groups` where it says nothing)."""
    with (RULES_FOLDER / "strata.toml").open("rb") as file:
        described = tomllib.load(file).get(characteristic, {})
    listed = codelists.categories(characteristic)
    found = {}
    for level, entry in {"groups": {"column": "group"}, **described}.items():
        if "column" not in entry:
            continue
        names = entry.get("names", {})
        values = [names.get(value, value) for value in listed[entry["column"]].fillna("").astype(str)]
        found[level] = {
            category: group for category, group in zip(listed["category"], values, strict=True) if group
        }
    return found


@cache
def _spellings(characteristic: str) -> tuple[Mapping[str, str], tuple[str, ...]]:
    """Every way to write a group, in lower case -> its canonical name; and the names worth suggesting."""
    listed = codelists.categories(characteristic)
    # A broad category ("Asian (broad)") is a group of a coarser level under another name.
    broad = {
        category: group
        for category, group, detail in zip(listed["category"], listed["group"], listed["detail"], strict=True)
        if detail == "broad" and group
    }
    groups = {group for level in levels(characteristic).values() for group in level.values()}
    spelt = codelists.spellings(characteristic)
    words = {
        text.casefold(): category
        for text, category in zip(spelt["text"][::-1], spelt["category"][::-1], strict=True)
    }
    words |= {category.casefold(): category for category in listed["category"]}
    canonical_words = {word: broad.get(category, category) for word, category in words.items()}
    canonical_words |= {group.casefold(): group for group in groups if group.casefold() not in words}
    canonical_words |= {group.casefold(): group for group in groups if group in broad.values()}
    # Not the nearly 8,000 languages of ISO 639-3: the ones that people meet.
    common = listed["category"].head(400)
    return canonical_words, tuple(dict.fromkeys([*common, *groups]))


def canonical(characteristic: str, word: str, where: str) -> str:
    """The canonical name of a group, whether of a detailed category or of a coarser level.

    Places and ages are taken as they stand. Raises ConfigError with the nearest name.
    """
    if characteristics()[characteristic].kind in _FREE_KINDS:
        return word
    words, suggested = _spellings(characteristic)
    if word.casefold() not in words:
        raise ConfigError(
            f"No category '{_shown(word)}' of {characteristic}.", where=where, mend=nearest(word, suggested)
        )
    return words[word.casefold()]
