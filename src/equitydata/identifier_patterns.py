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
NAME, ADDRESS = "name", "address"
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
