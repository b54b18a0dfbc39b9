"""An output folder -> its tables as numbers, and what its words, its JSON and its digits tell beyond them."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from attacker_tables import NHS, Key, Rule

# ---------------------------------------------------------------- a folder


def read_folder(folder: Path) -> dict[str, pd.DataFrame]:
    """The tables of an output folder, numbers as numbers; [c] and [x] are missing."""
    found = {}
    for path in sorted((folder / "tables").glob("*.csv")):
        frame = pd.read_csv(path, dtype=str, keep_default_na=False)
        found[path.stem] = frame.assign(**{column: _read(frame[column]) for column in frame})
    return found


def _read(cells: pd.Series) -> pd.Series:
    """A column as numbers where all that is not a mark is one; true and false as such; else text."""
    if set(cells) <= {"true", "false"} and len(cells):
        return cells == "true"
    blank = cells.isin(["[c]", "[x]"])
    numbers = pd.to_numeric(cells.mask(blank), errors="coerce")
    return numbers if (numbers.notna() | blank).all() and not blank.all() else cells.mask(cells == "[x]", "")


def exact_counts(folder: Path) -> dict[Key, float]:
    """Counts that the manifest writes as they are."""
    rows = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["rows"]
    return {("records used",): float(rows["used"])}


# ---------------------------------------------------------------- what words and digits tell

_COUNTED = re.compile(
    r"(?<![\d.,-])(\d[\d,]*) (?:people|persons?|users?|contacts|cases|records|known values)\b"
)
_OF = re.compile(
    r"(?<![\d.,])(\d[\d,]*) of (\d[\d,]*) (?:people|contacts|records|known values|recorded values)\b"
)
_SHARE_OF = re.compile(r"(\d+\.\d)%[ |.]+(\d[\d,]*) of (\d[\d,]*) (?:people|contacts|records)\b")
P_STEPS = {0.001, 0.01, 0.05, 0.1, 0.2, 0.5, 1.0}
# Columns that rest on true counts and so may have few digits only.
ESTIMATES = {
    "outcomes": ("design_effect", "standardised", "standardised_lower", "standardised_upper"),
    "comparisons": ("value", "comparator_value", "difference", "ratio", "detectable_low", "detectable_high"),
    "unknowns": ("ratio", "ratio_none", "ratio_all", "ratio_pro_rata", "lowest", "highest", "turns_at_most"),
    "known_or_not": ("known_value", "unknown_value", "difference", "ratio"),
    "changes": (
        "first",
        "last",
        "change",
        "relative_change",
        "gap_first",
        "gap_last",
        "ratio_first",
        "ratio_last",
    ),
    "places": ("value", "average", "lower_95", "upper_95", "lower_998", "upper_998", "dispersion", "between"),
    "inequality": ("value", "lower", "upper", "under_equality"),
    "tests": ("statistic_value", "effect_size"),
    "representation": ("ratio", "gap", "rate", "standardised_ratio", "gap_people"),
}
LIMITED = (
    "completeness",
    "breakdown",
    "categories",
    "points_of_care",
    "verification",
    "agreement",
    "figures",
    "criteria",
)


def words_of(folder: Path) -> Iterator[tuple[str, str]]:
    """Every text of an output folder that a person reads: file, and the text without its marks."""
    page = (folder / "index.html").read_text(encoding="utf-8")
    spoken = re.findall(r'(?:alt|aria-label|title|content|data-[a-z-]+)="([^"]*)"', page)
    plain = re.sub(r"<(script|style)[^>]*>.*?</\1>", " ", page, flags=re.DOTALL)
    yield "index.html", re.sub(r"\s*(?:<[^>]+>\s*)+", " | ", plain)
    yield from (("index.html", text) for text in spoken)
    for name in ("rating.json", "manifest.json"):
        content = json.loads((folder / name).read_text(encoding="utf-8"))
        yield from ((name, text) for _, text in _leaves(content) if isinstance(text, str))
    for path in sorted((folder / "tables").iterdir()):
        yield path.name, path.read_text(encoding="utf-8")


def _leaves(content: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(content, Mapping):
        for key, value in content.items():
            yield from _leaves(value, str(key))
    elif isinstance(content, list):
        for value in content:
            yield from _leaves(value, name)
    else:
        yield name, content


def told_in_words(folder: Path, rule: Rule = NHS) -> list[str]:
    """Counts of people or records in a sentence that are small or not rounded, and shares that contradict theirs."""
    found = []
    for file, raw in words_of(folder):
        text = html.unescape(raw)
        for match in (*_COUNTED.finditer(text), *_OF.finditer(text)):
            numbers = [int(number.replace(",", "")) for number in match.groups()]
            if any(0 < number <= rule.hide_up_to or number % rule.round_to for number in numbers):
                found.append(f"{file}: {text[max(0, match.start() - 60) : match.end() + 20]}")
        for match in _SHARE_OF.finditer(text):
            share, top, bottom = (float(number.replace(",", "")) for number in match.groups())
            if bottom and abs(share - 100 * top / bottom) > 0.0501:
                found.append(f"{file}: {match[0]}: the share is not that of the counts shown")
    return found


def told_in_rating(folder: Path, rule: Rule = NHS) -> list[str]:
    """Counts of rating.json that are small or not rounded, and numbers in rows that it calls hidden."""
    rating = json.loads((folder / "rating.json").read_text(encoding="utf-8"))
    return [words for name, rows in rating.items() for words in _told_in_rows(name, rows, rule)]


def _told_in_rows(name: str, content: Any, rule: Rule) -> Iterator[str]:
    if isinstance(content, list):
        for each in content:
            yield from _told_in_rows(name, each, rule)
    elif isinstance(content, Mapping):
        counts = ("people", "numerator", "denominator", "needed", "records")
        numbers = {key: value for key, value in content.items() if isinstance(value, (int, float))}
        if content.get("hidden") is True:
            told = [
                key for key in numbers if key not in ("hidden", "order") and not key.startswith("residents")
            ]
            yield from (f"rating.json {name}: a hidden row tells its {key}" for key in told)
        if content.get("unit") != "points of care":
            for key in counts:
                value = numbers.get(key)
                if value is not None and (0 < value <= rule.hide_up_to or value % rule.round_to):
                    yield f"rating.json {name}: {key} is {value}"
        for value in content.values():
            yield from _told_in_rows(name, value, rule)


def told_in_digits(tables: Mapping[str, pd.DataFrame]) -> list[str]:
    """Columns whose digits rest on true counts: p-values between the steps, long estimates, limits of other counts."""
    found = []
    for name, frame in tables.items():
        for column in {"p", "p_adjusted"} & set(frame.columns):
            values = set(pd.to_numeric(frame[column], errors="coerce").dropna()) - P_STEPS
            found += [f"{name}.{column} has {value}" for value in sorted(values)[:3]]
        for column in ESTIMATES.get(name, ()):
            long = [value for value in _numbers(frame, column) if not _few_digits(value)]
            found += [f"{name}.{column} has {value}" for value in long[:3]]
        if name in LIMITED:
            found += _other_limits(name, frame)
    return found


def _numbers(frame: pd.DataFrame, column: str) -> list[float]:
    if column not in frame:
        return []
    values = pd.to_numeric(frame[column], errors="coerce").dropna()
    return [float(value) for value in values[np.isfinite(values)].unique()]


def _few_digits(value: float, digits: int = 4) -> bool:
    return value == 0 or float(f"{value:.{digits - 1}e}") == value


def _other_limits(name: str, frame: pd.DataFrame) -> list[str]:
    """Rows whose share or Wilson limits are not those of the counts that stand beside them."""
    top, bottom, *shown = (
        pd.to_numeric(frame[column], errors="coerce").to_numpy(dtype=float)
        for column in ("numerator", "denominator", "value", "lower", "upper")
    )
    z = 1.959963984540054
    with np.errstate(divide="ignore", invalid="ignore"):
        share = top / bottom
        middle = (share + z * z / (2 * bottom)) / (1 + z * z / bottom)
        reach = z * np.sqrt(share * (1 - share) / bottom + z * z / (4 * bottom**2)) / (1 + z * z / bottom)
        wanted = (share, np.maximum(middle - reach, 0), np.minimum(middle + reach, 1))
        off = [np.abs(found - again) > 6e-5 for found, again in zip(shown, wanted, strict=True)]
    rows = np.flatnonzero(np.logical_or.reduce(off))
    return [f"{name} row {row}: share or limits of other counts than those shown" for row in rows[:3]]
