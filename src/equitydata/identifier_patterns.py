"""What direct identifiers look like, in one place: patterns for columns of values and for free text.

A finding names the kind and never the text. A scan helps a reader and does not replace one: a name without
a title, or a story that only one person could tell, is not seen.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

import nhs_number

NHS_NUMBER, POSTCODE, EMAIL, PHONE, BIRTH_DATE = "NHS number", "postcode", "e-mail", "phone", "date of birth"
NAME, ADDRESS, LOCAL_NUMBER = "name", "address", "local number"
# What stands in a table in place of a text that seems to hold one.
WITHHELD = "[withheld: it looks as if it could identify someone]"

TEN_DIGITS = r"\d{3}[ -]?\d{3}[ -]?\d{4}"
# Full postcodes: BS 7666 as restated in the Royal Mail programmer's guide, with one or no space.
POSTCODE_PATTERN = (
    r"(?:GIR\s*0AA|(?:[A-PR-UWYZ][0-9]{1,2}|[A-PR-UWYZ][A-HK-Y][0-9]{1,2}|[A-PR-UWYZ][0-9][A-HJKPSTUW]|"
    r"[A-PR-UWYZ][A-HK-Y][0-9][ABEHMNPRVWXY])\s*[0-9][ABD-HJLNP-UW-Z]{2})"
)
EMAIL_PATTERN = r"[^@\s]+@[^@\s]+\.[A-Za-z]{2,}"
# Eleven digits from 01, 02, 03, 07 or 08, or the same after +44 (Ofcom National Telephone Numbering Plan).
PHONE_PATTERN = r"(?:(?:\+|00)44\(?0?\)?|0)[12378][0-9]{9}"

# ---------------------------------------------------------------- columns
#
# For values that are trimmed and in lower case, one a cell, as the engine reads them: what DuckDB (RE2), Java and
# PostgreSQL all understand, so no look-around, no \\b and no inline flags.

_START, _END = r"(?:^|[\s,;:(/-])", r"(?:$|[\s,;:)/-])"
NHS_DIGITS = r"^(?:nhs)?(?:number|no|num)?:?([0-9]{10})$"
# Scottish numbers (CHI) begin with a day of birth.
SCOTTISH_NUMBERS = "0100000000", "3112999999"
BEGINS_WITH_A_DAY = r"^(?:0[1-9]|[12][0-9]|3[01])(?:0[1-9]|1[0-2])"
POSTCODE_ALONE = rf"^{POSTCODE_PATTERN.lower()}$"
EMAIL_WITHIN = rf"(?:^|[\s<,;:(]){EMAIL_PATTERN}"
# Once blanks, brackets, full stops and hyphens are taken out.
PHONE_ALONE = (
    rf"^(?:(?:tel|telephone|phone|mob|mobile|home|work|[thmw]):?)?{PHONE_PATTERN}(?:(?:x|ext|ext:)[0-9]{{1,6}})?"
    rf"(?:[,;/&]{PHONE_PATTERN})?$"
)
PHONE_WITHOUT_ITS_ZERO = r"^7[1-9][0-9]{8}$"

_DAY_NUMBER, _MONTH_NUMBER = "(?:0?[1-9]|[12][0-9]|3[01])", "(?:0?[1-9]|1[0-2])"
_TIME = r"(?:(?:t|\s+|:)[0-9].*)?"
_MONTH_WORD = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
_DAY_WORD = r"(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*[.,]?\s+)?"
_YEAR = "[12][0-9]{3}"
# A day as people and programs write it; its year is found by one of the patterns below.
DAY_WRITTEN = (
    rf"^(?:{_YEAR}[-/. ]{_MONTH_NUMBER}[-/. ]{_DAY_NUMBER}{_TIME}"
    rf"|{_DAY_NUMBER}[-/. ]{_DAY_NUMBER}[-/. ](?:{_YEAR}|[0-9]{{2}}){_TIME}"
    rf"|{_DAY_WORD}{_DAY_NUMBER}(?:st|nd|rd|th)?(?:\s+of)?[-/., ]*{_MONTH_WORD}[-/., ]*(?:{_YEAR}|[0-9]{{2}}){_TIME}"
    rf"|{_DAY_WORD}{_MONTH_WORD}[-/., ]*{_DAY_NUMBER}(?:st|nd|rd|th)?,?[-/. ]+{_YEAR}{_TIME}"
    r"|[12][0-9]{3}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])"
    r"|(?:0[1-9]|[12][0-9]|3[01])(?:0[1-9]|1[0-2])(?:1[89]|20)[0-9]{2})$"
)
YEAR_APART = rf"(?:^|[^0-9])({_YEAR})(?:$|[^0-9])"
YEAR_BEFORE = r"^((?:1[89]|20)[0-9]{2})(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])$"
YEAR_AFTER = r"^[0-9]{4}([12][0-9]{3})$"
YEAR_SHORT = r"^(?:[0-9]{1,2}[-/. ][0-9]{1,2}[-/. ]|[^0-9]*[0-9]{1,2}[^0-9]+)([0-9]{2})(?:\s.*)?$"

# Letters of any script, with what may stand inside a name.
_WORD = r"[^0-9\s,;:/\\&()@_+*#!?<>=|{}%\[\]\"]+"
_TITLE = r"(?:mr|mrs|ms|miss|mx|dr|prof|professor|sir|dame|rev|reverend|master)"
TITLED = rf"^{_TITLE}[. ]\s*{_WORD}(?:\s+{_WORD}){{0,4}}$"
SEVERAL_WORDS = rf"^{_WORD}(?:\s+{_WORD}){{1,4}}(?:\s*\({_TITLE}\.?\))?$"
FAMILY_NAME_FIRST = (
    rf"^{_WORD}(?:\s+{_WORD}){{0,2}}\s*,\s*{_WORD}(?:\s+{_WORD}){{0,3}}(?:\s*\(?{_TITLE}\.?\)?)?$"
)
ONE_WORD = r"^[^0-9\s,;:/\\&()@_+*#!?<>=|{}%\[\]\".]{2,}$"
# What is called by several words and is no person.
NO_PERSON = (
    rf"{_START}(?:hospital|clinic|surgery|practice|centre|center|ward|unit|team|service|services|school|college|road|"
    rf"street|house|health|healthcare|medical|nhs|trust|group|care|department|church|library|and|of|or|the|not|other|any)"
    rf"{_END}"
)

STREET_WORDS = (
    "street|st|road|rd|avenue|ave|av|lane|ln|close|cl|drive|dr|court|ct|gardens|gdns|terrace|terr?|crescent|cres|square|"
    "sq|grove|gr|place|pl|way|walk|row|rise|hill|park|mews|parade|view|green|gate|yard|wharf|quay|broadway|crossing|"
    "highway|mount|vale|villas|estate|buildings|mansions|house|tower|heights|lodge|path|passage|embankment|circus"
)
# A number, then up to five words, the last of which is one for a street.
STREET_WITH_NUMBER = (
    rf"(?:^|[\s,])(?:[0-9]{{1,4}}(?:\s?[a-z])?(?:\s?[-/]\s?[0-9]{{1,4}}[a-z]?)?)[,\s]\s*"
    rf"(?:[a-z'’.-]+\s+){{0,4}}(?:{STREET_WORDS})\.?(?:$|[\s,])"
)
POSTCODE_AFTER_WORDS = rf"[^\s,].*[\s,]{POSTCODE_PATTERN.lower()}\.?$"

# Codes that everyone knows: statistical geographies (ONS), cells of Census tables, concepts and descriptions of
# SNOMED CT.
KNOWN_CODE = (
    r"^(?:[ewsnkljm][0-9]{8}|(?:ts|rm|ks|qs|ct|lc|dc)[0-9]{3}[a-z]{0,3}[0-9]{4}"
    r"|[1-9][0-9]{3,14}(?:00|01|10|11)[0-9])$"
)
# Sixteen or more letters and digits: a hash, or a key made by a program.
LONG_KEY = r"^[0-9a-z]{16,128}$"
UUID = r"^\{?[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}\}?$"

# ---------------------------------------------------------------- free text

_GAP = r"[\s().-]{0,3}"
_NHS_IN_TEXT = re.compile(r"(?<![\d])\d{3}[ .-]?\d{3}[ .-]?\d{4}(?!\d)")
_POSTCODE_IN_TEXT = re.compile(rf"(?<![A-Z0-9]){POSTCODE_PATTERN}(?![A-Z0-9])", re.IGNORECASE)
_EMAIL_IN_TEXT = re.compile(r"[^@\s<>(),;:]+\s?@\s?[^@\s<>(),;:]+\.[A-Za-z]{2,}")
_PHONE_IN_TEXT = re.compile(
    rf"(?<![\d])(?:(?:\+|00)44{_GAP}(?:\(?0\)?{_GAP})?|\(?0{_GAP})[12378](?:{_GAP}\d){{9}}(?!\d)"
)
_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
_DAY = (
    rf"(?:\d{{1,2}}(?P<mark>[-/. ])(?:\d{{1,2}})(?P=mark)(?P<dmy>\d{{4}}|\d{{2}})"
    rf"|(?P<ymd>\d{{4}})[-/.]\d{{1,2}}[-/.]\d{{1,2}}"
    rf"|\d{{1,2}}(?:st|nd|rd|th)?(?:\s+of)?\s+{_MONTH},?\s+(?P<worded>\d{{4}})"
    rf"|{_MONTH}\s+\d{{1,2}}(?:st|nd|rd|th)?,?\s+(?P<month_first>\d{{4}}))"
)
_DAY_IN_TEXT = re.compile(rf"(?<!\d){_DAY}(?!\d)", re.IGNORECASE)
_BIRTH_WORD = re.compile(r"\b(?:d\.?\s?o\.?\s?b\b|date of birth|born|birth ?date|birthday)", re.IGNORECASE)
# How far a birth word may stand from its date.
_NEAR = 30
# Registers of listening are of recent years: a whole day of an earlier year is taken for a day of birth.
OWN_DAYS_FROM = 2010
_CAPITAL = r"[^\W\d_a-zà-öø-ÿ]"
_NAMED = (
    # In capitals a title alone is not enough of a sign: "MISS APPOINTMENTS".
    re.compile(
        rf"\b(?:Mr|Mrs|Ms|Miss|Mx|Dr|Prof|Professor|Sir|Dame|Rev|Reverend)\b\.?\s+(?:{_CAPITAL}\.?\s+){{0,3}}"
        rf"{_CAPITAL}[\w'’-]+"
    ),
    re.compile(rf"\b(?:MR|MRS|MS|DR)\b\.?\s+{_CAPITAL}[\w'’-]+"),
    re.compile(rf"\b[Mm]y name(?:'s|’s| is)\s+{_CAPITAL}[\w'’-]+"),
    re.compile(rf"\b(?:[Nn]ame|[Pp]atient|[Ss]urname)\s*:\s*{_CAPITAL}[\w'’-]+"),
)
_ADDRESS = re.compile(
    rf"\b\d{{1,4}}[A-Za-z]?,?\s+(?:{_CAPITAL}[\w'’-]+\s+){{1,3}}"
    r"(?:Street|Road|Avenue|Lane|Close|Drive|Court|Gardens|Terrace|Crescent|Square|Grove|St|Rd|Ave)\b"
)


def is_identifier(text: str) -> bool:
    """Whether a text is, as a whole, an NHS number, a postcode, an e-mail address or a phone number."""
    plain = unicodedata.normalize("NFKC", text).strip().lower()
    bare = re.sub(r"[\s().-]", "", plain)
    number = re.match(NHS_DIGITS, bare)
    return bool(
        (number and nhs_number.is_valid(number[1]))
        or re.match(POSTCODE_ALONE, plain)
        or re.match(PHONE_ALONE, bare)
        or re.fullmatch(EMAIL_PATTERN, plain)
    )


def identifiers_in(text: str) -> tuple[str, ...]:
    """Kinds of direct identifier that a free text seems to hold, each once, in a fixed order.

    text : of any length; forms of digits and letters are made alike first (Unicode NFKC).
    NHS numbers must have a right check digit (modulus 11); a title must stand before a name; a day counts as
    of birth near a word for it, or when its year is before OWN_DAYS_FROM. Empty where nothing was seen.
    """
    plain = unicodedata.normalize("NFKC", text)
    return tuple(dict.fromkeys(_kinds(plain)))


def _kinds(text: str) -> Iterator[str]:
    if any(nhs_number.is_valid(re.sub(r"\D", "", found)) for found in _NHS_IN_TEXT.findall(text)):
        yield NHS_NUMBER
    if _POSTCODE_IN_TEXT.search(text):
        yield POSTCODE
    if _EMAIL_IN_TEXT.search(text):
        yield EMAIL
    # "01.02.2025 10.30" has eleven digits, too.
    if _PHONE_IN_TEXT.search(_DAY_IN_TEXT.sub(" / ", text)):
        yield PHONE
    if _birth_date(text):
        yield BIRTH_DATE
    if any(pattern.search(text) for pattern in _NAMED):
        yield NAME
    if _ADDRESS.search(text):
        yield ADDRESS


def _birth_date(text: str) -> bool:
    for day in _DAY_IN_TEXT.finditer(text):
        around = text[max(0, day.start() - _NEAR) : day.end() + _NEAR]
        if _BIRTH_WORD.search(around):
            return True
        year = next((part for part in day.group("dmy", "ymd", "worded", "month_first") if part), "")
        if len(year) == 4 and 1880 <= int(year) < OWN_DAYS_FROM:
            return True
    return False
