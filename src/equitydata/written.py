"""How words and numbers are written for people: labels made harmless, counts, shares, ratios and limits.

What comes from outside (labels, column and file names) may hold anything: control and direction characters,
spreadsheet formulas, forty thousand letters. What leaves through here shows such things and runs none.
"""

from __future__ import annotations

import datetime
import math
import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

HIDDEN_CELL, UNAVAILABLE_CELL, NOT_APPLICABLE_CELL = "[c]", "[x]", "[z]"
LABEL_LIMIT, SENTENCE_LIMIT = 200, 600
CUT_MARK = "… [cut]"
# Columns whose text is a sentence of ours or of an attestation; all other text is a label.
SENTENCES = frozenset(
    {
        *("criterion", "reason", "evidence", "action", "finding", "why", "note", "meaning"),
        *("adjustment", "heard", "look", "used_for", "groups"),
    }
)

# Invisible, but part of ordinary words in Persian, Urdu, Bengali and other scripts.
_JOINERS = "\u200c\u200d"
_UNSEEN = ("Cc", "Cf", "Cs", "Zl", "Zp")
_FORMULA_STARTS = tuple("=+-@\t\r＝＋－＠")
_NUMBER = re.compile(r"[+-]?[0-9]{1,15}(\.[0-9]+)?")
# A finding that age had hidden shows the values of the model.
SHARES = ("share", "adjusted share")
FLAGGED = ("disproportionate_high", "disproportionate_low", "different_small")
FLAG_WORDS: Mapping[str, str] = {
    "disproportionate_high": "Disproportionately high",
    "disproportionate_low": "Disproportionately low",
    "different_small": "Different, but small",
    "uncertain": "Uncertain",
    "no_evidence": "No evidence of a difference",
    "insufficient_data": "Not enough data",
}
FLAG_MEANINGS: Mapping[str, str] = {
    "disproportionate_high": "evident, outside the band, and on enough people; higher than the others",
    "disproportionate_low": "evident, outside the band, and on enough people; lower than the others",
    "different_small": "evident, but inside the band",
    "uncertain": "outside the band, but it could be chance",
    "no_evidence": "inside the band and not evident; called similar only where the whole interval lies in the band",
    "insufficient_data": "too few people or events to judge, which is no sign that all is well",
}
HARM_WORDS: Mapping[str, str] = {"harm": "to the group’s disadvantage", "benefit": "to its advantage"}
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


# ---------------------------------------------------------------- words


def visible(text: str, limit: int = LABEL_LIMIT) -> str:
    """Text with every control, direction and unprintable character spelt out, cut at a limit with a mark.

    limit : characters of the text itself. A character U+202E reads "[U+202E]".
    """
    kept = text[:limit]
    if not kept.isascii() or not kept.isprintable():
        kept = "".join(f"[U+{ord(char):04X}]" if _unseen(char) else char for char in kept)
    return kept + (CUT_MARK if len(text) > limit else "")


def _unseen(char: str) -> bool:
    number = ord(char)
    outside = number & 0xFFFE == 0xFFFE or 0xFDD0 <= number <= 0xFDEF  # no characters, by the standard
    return outside or (unicodedata.category(char) in _UNSEEN and char not in _JOINERS)


def without_formula(text: str, limit: int = LABEL_LIMIT) -> str:
    """Text that a spreadsheet shows and does not calculate: a leading apostrophe where it would.

    A plain number stays as it is. OWASP, CSV Injection.
    """
    start = text.lstrip(" \u00a0\u3000\ufeff\n\x0b\x0c")
    live = start.startswith(_FORMULA_STARTS) and not _NUMBER.fullmatch(text)
    return ("'" if live else "") + visible(text, limit)


# ---------------------------------------------------------------- the form of a number


def count(value: Any) -> str:
    """A count with thousands separators: "12,345"; a symbol stays, None reads [x]."""
    if isinstance(value, str):
        return value
    return UNAVAILABLE_CELL if _absent(value) else f"{value:,.0f}"


def percent(value: Any, against: float | None = None) -> str:
    """A fraction as per cent with one decimal: "93.1%"; a symbol stays, None reads [x].

    against : a threshold. A share below it is never rounded up to it: 0.9496 against 0.95 is "94.96%".
    """
    if isinstance(value, str):
        return value
    if _absent(value):
        return UNAVAILABLE_CELL
    places = 1
    while (
        against is not None and value < against and round(value * 100, places) >= against * 100 and places < 4
    ):
        places += 1
    return f"{value * 100:.{places}f}%"


def mark(value: float) -> str:
    """A threshold as it is said: 0.95 is "95%"."""
    return f"{round(value * 100, 6):g}%"


def shown(value: Any, hidden: bool) -> Any:
    """A value of the rating, or the symbol for why there is none."""
    return HIDDEN_CELL if hidden else UNAVAILABLE_CELL if _absent(value) else value


def day(value: datetime.date | None) -> str:
    """A day as people write it: "1 April 2025"; None is empty."""
    return f"{value.day} {_MONTHS[value.month - 1]} {value.year}" if value else ""


def setting(value: Any) -> str:
    """A rule's value as it is written in a service file: true, 0.95, "nhs", [0, 1, 5]."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (tuple, list)):
        return f"[{', '.join(map(setting, value))}]"
    return f'"{value}"' if isinstance(value, str) else f"{value:g}"


def width(value: Any) -> str:
    """A fraction as the width of a bar in per cent, two decimals; 0 where there is none."""
    return f"{0.0 if isinstance(value, str) or _absent(value) else min(max(value, 0.0), 1.0) * 100:.2f}"


def label(value: str) -> str:
    """A label of the data, made visible and cut."""
    return visible(value, LABEL_LIMIT)


def _absent(value: Any) -> bool:
    return value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value))


def _endless(value: Any) -> bool:
    return isinstance(value, float) and math.isinf(value)


def ratio(value: Any) -> str:
    """A ratio with two decimals; "no limit" where it is endless."""
    if isinstance(value, str):
        return value
    return "no limit" if _endless(value) else f"{value:.2f}"


def number(value: Any) -> str:
    """Three significant digits, without the letter e where it can be helped."""
    if isinstance(value, str):
        return value
    if _endless(value):
        return "no limit"
    rounded = float(f"{value:.3g}")
    return f"{rounded:,.0f}" if abs(rounded) >= 100 else f"{rounded:g}"


def p_value(value: Any) -> str:
    """A p-value with three decimals, "<0.001" below."""
    if isinstance(value, str):
        return value
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def figure(value: Any, statistic: str) -> str:
    """A value as its kind is read: a share in per cent, a rate of residents per 1,000, a mean as a number."""
    if isinstance(value, str):
        return value
    if statistic in SHARES:
        return percent(value)
    return f"{value * 1000:,.1f} per 1,000" if statistic == "population_rate" else number(value)


def gap(value: Any, statistic: str) -> str:
    """A difference with its sign: of shares in percentage points."""
    if isinstance(value, str):
        return value
    if statistic in SHARES:
        return f"{value * 100:+.1f} points".replace("-0.0 ", "0.0 ").replace("+0.0 ", "0.0 ")
    if statistic == "population_rate":
        return f"{value * 1000:+,.1f} per 1,000"
    return f"{'+' if value > 0 else ''}{number(value)}"


def flag_words(flag: Any, *, similar: Any = False, harm: Any = "") -> str:
    """A flag in words: "Disproportionately high, to the group's disadvantage"."""
    if not flag:
        return "–"
    if str(flag) == "no_evidence" and similar is True:
        return "Similar"
    words = FLAG_WORDS.get(str(flag), str(flag))
    direction = HARM_WORDS.get(str(harm), "") if flag in FLAGGED else ""
    return f"{words}, {direction}" if direction else words


def limits(lower: Any, upper: Any, form: Callable[[Any], str]) -> str:
    """ "a to b"; "" where there are none."""
    if isinstance(lower, str) and isinstance(upper, str):
        return ""
    return f"{form(lower)} to {form(upper)}"
