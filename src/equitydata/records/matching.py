"""How a raw value finds its meaning: keys that spellings share, and what each code list makes of a key.

Pure pandas on distinct values; no record is seen here. `coding` puts these pieces in order.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache

import pandas as pd

from equitydata import codelists
from equitydata.codelists import CodeList
from equitydata.model import Status
from equitydata.rulebook import characteristic as read_characteristic

COLUMNS = ["value", "records", "status", "category", "detail", "code_list", "matched_by", "suggestion"]
# The national ethnic category field is two characters: the second is for local use (NHS Data Dictionary).
TWO_CHARACTER_LISTS = frozenset({"nhs-ethnic-category-2001"})
FEWEST_CARRIERS = 3
# Words that headings and labels hold or leave out at will.
_FILLERS = re.compile(r"\b(?:and|or|the|ethnic|ethnicity|groups?|backgrounds?)\b")
_INVISIBLE = re.compile(r"[\u0300-\u036f\u200b-\u200f\u2060\ufeff\u00ad]")
_WHOLE = re.compile(r"^([+-]?\d+)\.0+$")
_LETTER_OR_DIGIT = re.compile(r"[^\W_]")
_NEGATIVE = re.compile(r"-\d+")
_INNER_APOSTROPHE = re.compile(r"(?<=\w)['’`](?=\w)")
_NOT_WORD = re.compile(r"[\W_]+")
_REPEATED = re.compile(r"(.)\1+")
_BLANKS = re.compile(r"\s+")
_DIGITS = re.compile(r"\d{1,9}", re.ASCII)
# A language tag of BCP 47: language, perhaps a script, perhaps a region ("en-GB", "zh-Hans").
LANGUAGE_TAG = re.compile(
    r"([a-z]{2,3})(?=[-_])(?:[-_](?:hans|hant|latn|cyrl|arab|guru|deva|beng))?(?:[-_][a-z]{2})?",
    re.IGNORECASE,
)

Answer = tuple[str, str]  # category ("" unless known), status
# An answer frame has one row per row of work, each a Found: category, status, matched_by ("" where nothing
# was found) and exact (the list's own code or label).
Found = tuple[str, str, str, bool]
FOUND = ["category", "status", "matched_by", "exact"]
NOTHING: Found = ("", "", "", False)


@dataclass(frozen=True)
class CodedValues:
    """What the distinct values of one column mean.

    table : one row per row given, in its order: value, records, status, category ("" unless known), detail
        ("detailed" or "broad", "" unless known), code_list (the list that names it, or ""), matched_by
        (local map, code, label, synonym, missing word, none), suggestion (for what is invalid).
    code_list : the list that the values are read by first, "" where none fits.
    code_lists : every list met -> records it names, the most used first.
    matched_share : records that `code_list` names / records with a value, leaving out words that give no
        answer and that the list has no code for; NaN where there are none. A fraction.
    """

    table: pd.DataFrame
    code_list: str = ""
    code_lists: Mapping[str, int] = field(default_factory=dict)
    matched_share: float = float("nan")
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reading:
    """What one code list makes of a key.

    numbers : codes that are numbers, without their leading zeros: "1" finds "01" and the other way round.
    withdrawn : keys of codes that the list no longer has.
    refused : keys of words that are no category ("Mixed and other"), however close to a spelling of one.
    """

    name: str
    codes: Mapping[str, Answer]
    numbers: Mapping[str, Answer]
    labels: Mapping[str, Answer]
    spellings: Mapping[str, Answer]
    withdrawn: frozenset[str]
    refused: frozenset[str]

    @property
    def answers(self) -> frozenset[Answer]:
        """Every category and status that the list can give."""
        return frozenset(self.codes.values()) | frozenset(self.labels.values())

    def read(self, key: str, number: str, words: str) -> Found:
        """Its codes, its labels, then other spellings of its categories."""
        if key in self.codes:
            return (*self.codes[key], "code", True)
        if number in self.numbers:
            return (*self.numbers[number], "code", False)
        if words in self.labels:
            return (*self.labels[words], "label", True)
        if words in self.spellings and key not in self.refused:
            return (*self.spellings[words], "label", False)
        return NOTHING


# ---------------------------------------------------------------- keys


def normalise(values: pd.Series) -> pd.Series:
    """Keys for matching: what two spellings of one code or word share. The index is kept.

    Case, accents, blanks around (also non-breaking and zero-width ones), a leading apostrophe, and the kind
    and number of dashes and punctuation marks make no difference; "1.0" is "1". A value of punctuation alone
    keeps one mark ("--" is "-"); a null or blank one is "". Leading zeros are kept.
    """
    texts = values.astype("string").fillna("").astype(object)
    return pd.Series([_key(text) for text in texts], index=values.index, dtype=object).astype(str)


def _key(text: str) -> str:
    """The key of one distinct value. Plain Python: on a few hundred short texts it is far quicker than pandas."""
    if not text.isascii():
        text = _INVISIBLE.sub("", unicodedata.normalize("NFKD", text))
    text = _WHOLE.sub(r"\1", text.casefold().strip())
    if not _LETTER_OR_DIGIT.search(text):
        return _REPEATED.sub(r"\1", _BLANKS.sub("", text))
    if _NEGATIVE.fullmatch(text):
        return text
    words = _INNER_APOSTROPHE.sub("", text.replace("&", " and "))
    return _NOT_WORD.sub(" ", words).strip()


def short_words(keys: pd.Series) -> pd.Series:
    """Keys without the words that labels hold or leave out at will: "other Asian background"."""
    return pd.Series([_short(key) for key in keys], index=keys.index, dtype=object).astype(str)


def _short(key: str) -> str:
    return _BLANKS.sub(" ", _FILLERS.sub(" ", key)).strip() or key


def without_zeros(keys: pd.Series) -> pd.Series:
    """Keys that are whole numbers without leading zeros; others are ""."""
    found = [str(int(key)) if _DIGITS.fullmatch(key) else "" for key in keys]
    return pd.Series(found, index=keys.index, dtype=object).astype(str)


def keyed(values: pd.DataFrame, name: str) -> pd.DataFrame:
    """value and records with key, number and words, and an answer that is still open (status "").

    disputed : True where two lists read a value differently and fit equally well: no list may read it.
    """
    key = normalise(values["value"])
    if name == "language":
        key = _primary_subtags(values["value"], key)
    return pd.DataFrame(
        {
            "value": values["value"].to_numpy(),
            "records": values["records"].to_numpy(),
            "key": key.to_numpy(),
            "number": without_zeros(key).to_numpy(),
            "words": short_words(key).to_numpy(),
            "category": "",
            "status": "",
            "code_list": "",
            "matched_by": "none",
            "suggestion": "",
            "disputed": False,
        }
    )


def _primary_subtags(values: pd.Series, keys: pd.Series) -> pd.Series:
    """Keys of language tags without script and region, unless they spell a language ("Aka-Bo")."""
    tags = [LANGUAGE_TAG.fullmatch(text) for text in values.astype("string").fillna("").str.strip()]
    spelt = spelling_answers("language")
    plain = [
        tag[1].casefold() if tag and key not in spelt else key for tag, key in zip(tags, keys, strict=True)
    ]
    return pd.Series(plain, index=keys.index, dtype="string").astype(str)


# ---------------------------------------------------------------- what words and lists say


def _answers(keys: pd.Series, category: pd.Series, status: pd.Series) -> dict[str, Answer]:
    """Key -> answer; the first of two equal keys holds."""
    found: dict[str, Answer] = {}
    for key, *answer in zip(keys, category, status, strict=True):
        found.setdefault(key, (answer[0], answer[1]))
    found.pop("", None)
    return found


@cache
def missing_answers(name: str) -> Mapping[str, Answer]:
    """Words that give no answer, less those that are one for this characteristic (religion: none)."""
    words = codelists.missing_words(name)
    own = set(short_words(normalise(codelists.synonyms(name)["text"])))
    found = _answers(short_words(normalise(words["text"])), pd.Series("", index=words.index), words["status"])
    return {key: answer for key, answer in found.items() if key not in own}


@cache
def spelling_answers(name: str) -> Mapping[str, Answer]:
    """Every spelling of every category of a characteristic, less words that give no answer."""
    spelt = codelists.spellings(name)
    known = pd.Series(str(Status.KNOWN), index=spelt.index)
    found = _answers(short_words(normalise(spelt["text"])), spelt["category"], known)
    return {key: answer for key, answer in found.items() if key not in missing_answers(name)}


@cache
def synonym_answers(name: str) -> Mapping[str, Answer]:
    """Further words of a characteristic, and what is no category of it."""
    words = codelists.synonyms(name)
    return _answers(short_words(normalise(words["text"])), words["category"], words["status"])


def read_with(code_list: CodeList, name: str) -> Reading:
    """What a code list makes of values of a characteristic, in its canonical categories."""
    spelt, empty = spelling_answers(name), missing_answers(name)
    codes = code_list.codes
    listed = short_words(normalise(codes["category"]))
    category = pd.Series(
        [spelt.get(key, (own,))[0] for key, own in zip(listed, codes["category"], strict=True)], dtype=object
    )
    keys, labels = normalise(codes["code"]), short_words(normalise(codes["label"]))
    held = set(category)

    def answers(of: pd.Series) -> dict[str, Answer]:
        found = _answers(of, category, codes["status"])
        return {key: answer for key, answer in found.items() if key not in empty or not answer[0]}

    return Reading(
        name=code_list.name,
        codes=answers(keys),
        numbers=answers(without_zeros(keys)),
        labels=answers(labels),
        spellings={key: answer for key, answer in spelt.items() if answer[0] in held},
        withdrawn=frozenset(keys[codes["notes"].str.startswith(("Withdrawn", "Retired"))]),
        refused=_refused(name),
    )


@cache
def _refused(name: str) -> frozenset[str]:
    words = codelists.synonyms(name)
    return frozenset(normalise(words.loc[words["status"].eq(Status.INVALID), "text"]))


@cache
def _listed_reading(code_list: str, name: str) -> Reading:
    return read_with(codelists.load(code_list), name)


def readings(name: str, code_list: str | CodeList | None) -> list[Reading]:
    """The list named, or those of the characteristic in their order. Raises ConfigError for unknown names."""
    if isinstance(code_list, CodeList):
        return [read_with(code_list, name)]
    names = read_characteristic(name).code_lists if code_list is None else (code_list,)
    return [_listed_reading(each, name) for each in names]


# ---------------------------------------------------------------- looking up


def _frame(rows: Iterable[Found], index: pd.Index) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=FOUND, index=index).astype(dict.fromkeys(FOUND[:3], object))


def answered(keys: pd.Series, answers: Mapping[str, Answer], how: str) -> pd.DataFrame:
    """The answer frame of keys."""
    return _frame(((*answers[key], how, False) if key in answers else NOTHING for key in keys), keys.index)


def only(found: pd.DataFrame, rows: pd.Series) -> pd.DataFrame:
    """The answer frame with nothing said on the other rows."""
    kept = zip(found.itertuples(index=False, name=None), rows, strict=True)
    return _frame((each if keep else NOTHING for each, keep in kept), found.index)


def first_of(found: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
    """Each row from the first answer frame, or from the other where the first says nothing."""
    pairs = zip(
        found.itertuples(index=False, name=None), other.itertuples(index=False, name=None), strict=True
    )
    return _frame((first if first[1] else second for first, second in pairs), found.index)


def look_up(work: pd.DataFrame, reading: Reading) -> pd.DataFrame:
    """What a list makes of each open row that is not disputed."""
    rows = zip(work["key"], work["number"], work["words"], work["status"], work["disputed"], strict=True)
    return _frame(
        (
            NOTHING if status or disputed else reading.read(key, number, words)
            for key, number, words, status, disputed in rows
        ),
        work.index,
    )


def by_first_letter(work: pd.DataFrame, reading: Reading, *, named: bool) -> pd.DataFrame:
    """A national letter with a local second character: "A1" is A. Words that give no answer are left alone.

    A second character that is a letter is believed where the list was named, or where plain letters are at
    least as common: two letters may as well be somebody's own abbreviation.
    """
    if reading.name not in TWO_CHARACTER_LISTS:
        return answered(work["key"], {}, "code")
    letters = {code: answer for code, answer in reading.codes.items() if re.fullmatch("[a-z]", code)}
    found = answered(work["key"].str.slice(0, 1), letters, "code")
    two = work["key"].str.fullmatch("[a-z][a-z0-9]") & work["status"].eq("") & found["status"].ne("")
    two &= ~work["disputed"]
    lettered = two & work["key"].str.fullmatch("[a-z]{2}")
    plain = work.loc[work["key"].isin(list(letters)), "records"].sum()
    if not named and plain < work.loc[lettered, "records"].sum():
        two &= ~lettered
    return only(found, two.astype(bool))


def by_local_letter(work: pd.DataFrame, reading: Reading, empty: Mapping[str, Answer]) -> pd.DataFrame:
    """Words for no answer that are codes here: "NA" is N where AA, CA and HA stand in the same column.

    A local second letter is believed where three other national letters carry it too.
    """
    if reading.name not in TWO_CHARACTER_LISTS:
        return answered(work["key"], {}, "code")
    letters = {code: answer for code, answer in reading.codes.items() if re.fullmatch("[a-z]", code)}
    first, second = work["key"].str.slice(0, 1), work["key"].str.slice(1)
    two = work["key"].str.fullmatch("[a-z]{2}") & first.isin(list(letters)) & work["status"].eq("")
    word = two & work["key"].isin(list(empty))
    carriers = first[two & ~word].groupby(second[two & ~word]).nunique()
    local = set(carriers.index[carriers >= FEWEST_CARRIERS])
    return only(answered(first, letters, "code"), (word & second.isin(local)).astype(bool))


def fill(work: pd.DataFrame, found: pd.DataFrame, code_list: str = "") -> pd.DataFrame:
    """Rows still open take the answer found for them."""
    rows = work["status"].eq("") & found["status"].ne("")
    if not rows.any():
        return work
    columns = ["category", "status", "matched_by"]
    filled = work.copy()
    filled.loc[rows, columns] = found.loc[rows, columns]
    filled.loc[rows, "code_list"] = code_list
    return filled


def fill_words(
    work: pd.DataFrame, answers: Mapping[str, Answer], how: str, reading: Reading | None
) -> pd.DataFrame:
    """Rows still open take the answer of a word; it counts as the list's where the list has that answer."""
    found = answered(work["words"], answers, how)
    held = reading.answers if reading is not None else frozenset()
    in_list = [pair in held for pair in zip(found["category"], found["status"], strict=True)]
    rows = pd.Series(in_list, index=work.index, dtype=bool)
    listed = fill(work, only(found, rows), reading.name if reading is not None else "")
    return fill(listed, found)


def fill_blank(work: pd.DataFrame, words: Iterable[str] = ()) -> pd.DataFrame:
    """Rows still open that are blank, or one of the words that this extract uses for blank, are missing."""
    blank = dict.fromkeys(("", *normalise(pd.Series(list(words), dtype="string"))), ("", str(Status.MISSING)))
    return fill(work, answered(work["key"], blank, "missing word"))


def close(work: pd.DataFrame) -> pd.DataFrame:
    """What nothing names is invalid."""
    return work.assign(status=work["status"].mask(work["status"].eq(""), str(Status.INVALID)))


def describe_records(work: pd.DataFrame, rows: pd.Series) -> str:
    """How many records some rows stand for, in words."""
    records = int(work.loc[rows, "records"].sum())
    return f"{records:,} record{'' if records == 1 else 's'}"
