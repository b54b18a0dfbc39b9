"""The words of findings and profiles, from `rules/findings.toml`, and cells as text and numbers."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from equitydata.comparison.disproportionality import BENEFIT, HARM
from equitydata.findings.nesting import Place, Seen, Told, explain
from equitydata.rulebook import RULES_FOLDER, Rulebook, characteristics
from equitydata.service import Measure
from equitydata.strata import ALL, CROSS

Row = dict[str, Any]
Tables = Mapping[str, pd.DataFrame]


@cache
def finding_rules() -> Mapping[str, Any]:
    """What `rules/findings.toml` decides: classes, scores, words, next looks."""
    with (RULES_FOLDER / "findings.toml").open("rb") as file:
        return tomllib.load(file)


# ---------------------------------------------------------------- words


def words(*path: str, **values: str) -> str:
    """Words of rules/findings.toml under [words], filled in. KeyError for a name that it does not hold."""
    found: Any = finding_rules()["words"]
    for name in path:
        found = found[name]
    return str(found).format(**values)


def words_if_any(kind: str, name: str) -> str:
    """Words of one kind; '' where there are none under the name."""
    return str(finding_rules()["words"][kind].get(name, ""))


def who(stratum: Mapping[str, Any]) -> str:
    """A group as people read it: "Bangladeshi people", "People aged 18 to 34"."""
    name, level = text(stratum["characteristic"]), text(stratum["level"])
    category, label = text(stratum["category"]), text(stratum["label"])
    forms: Mapping[str, str] = finding_rules()["words"]["who"]
    if name == ALL:
        return forms["all"]
    yes_or_no = name in characteristics() and characteristics()[name].kind == "flag"
    fallback = forms["flag" if yes_or_no else "default"]
    at_level = forms.get(f"{name}.{level}")
    # "decile 9" but not "decile Deciles 9 and 10": a merged group has words of its own.
    if name == "deprivation" and level == "decile" and not category.isdigit():
        at_level = None
    form = forms["crossing"] if CROSS in name else at_level or forms.get(name, fallback)
    return form.format(category=category, lower=lower_first(category), label=lower_first(label))


def group_name(stratum: Mapping[str, Any]) -> str:
    """A group within a list of them: its category, with its level where it is a bare number ("decile 1")."""
    category = text(stratum["category"])
    return f"{text(stratum['level'])} {category}" if category.isdigit() else category


def named(names: list[str]) -> str:
    """Names in one phrase, the first few of them: "Asian, Black and 3 more"."""
    most = finding_rules()["listening"]["most_named"]
    shown, more = names[:most], len(names) - most
    if more > 0:
        return f"{', '.join(shown)} and {more} more"
    return " and ".join(filter(None, [", ".join(shown[:-1]), shown[-1]])) if shown else ""


def lower_first(words_: str) -> str:
    """The first letter small, unless the word is an abbreviation: "Ethnic group" -> "ethnic group"."""
    return (
        words_[:1].lower() + words_[1:] if not words_[1:2].isupper() and not words_[1:2].isdigit() else words_
    )


def joined(sentences: Iterable[str]) -> str:
    """Sentences in a row, empty ones left out."""
    return " ".join(sentence for sentence in sentences if sentence)


# ---------------------------------------------------------------- rows


def text(value: Any) -> str:
    """A cell as text, '' where it is missing."""
    return "" if value is None or value is pd.NA or value != value else str(value)


def number(value: Any) -> float:
    """A cell as a number, NaN where it is missing."""
    return math.nan if value is None or value is pd.NA or value == "" else float(value)


def numbers(values: pd.Series) -> np.ndarray:
    """A column as floats, NaN where a cell is missing or no number."""
    return np.asarray(pd.to_numeric(values, errors="coerce").to_numpy(dtype=float))


def rows_of(frame: pd.DataFrame) -> list[Row]:
    """Rows of a small table, one mapping each."""
    return [{str(key): value for key, value in row.items()} for row in frame.to_dict("records")]


def harm_of(measure: Measure | None, direction: int) -> str:
    """harm, benefit or '' for a value that is higher (1) or lower (-1), by the polarity of its measure."""
    if measure is None or measure.polarity == "neutral" or not direction:
        return ""
    return HARM if (direction > 0) == (measure.polarity == "adverse") else BENEFIT


def side_of_one(ratio: float) -> int:
    """1 above, -1 below, 0 at 1 or missing."""
    return 0 if math.isnan(ratio) else int(ratio > 1) - int(ratio < 1)


def crude_rest(comparisons: pd.DataFrame) -> pd.DataFrame:
    """The comparisons that flags rest on: crude, against the rest."""
    return comparisons[(comparisons["comparator"] == "rest") & (comparisons["adjustment"] == "crude")]


def stratum_of(row: Row) -> Row:
    """The columns that name a stratum, as text."""
    return {name: text(row[name]) for name in ("characteristic", "label", "level", "category")}


def group_of(row: Row) -> tuple[str, str, str]:
    """Characteristic, level and category."""
    return text(row["characteristic"]), text(row["level"]), text(row["category"])


def place_of(row: Row, key: str) -> Place:
    """The key of a row and its group: what `explain` knows a stratum by."""
    return (text(row[key]), *group_of(row))


def by_place_of(frame: pd.DataFrame, key: str) -> dict[Place, list[Row]]:
    """Rows by key and group."""
    found: dict[Place, list[Row]] = {}
    for row in rows_of(frame):
        found.setdefault(place_of(row, key), []).append(row)
    return found


# ---------------------------------------------------------------- strata


def listed_by_flag(seen: Iterable[Seen], rulebook: Rulebook) -> dict[Place, Told]:
    """Which flagged strata are listed, by the rules in force; see `nesting.explain`."""
    rules = finding_rules()
    return explain(
        seen,
        more=rules["crossings"]["more"],
        preferred=tuple(rules["levels"]["same_people_preferred"]),
        band=_band(rulebook),
    )


def _band(rulebook: Rulebook) -> tuple[float, float]:
    """The band of the flags in force."""
    return float(rulebook.value("flag_band_low")), float(rulebook.value("flag_band_high"))


def mark(value: float, base: float) -> tuple[float, ...]:
    """A value and its base, equal for the very same people; empty where either is missing."""
    return () if math.isnan(value) or math.isnan(base) else (round(value, 9), round(base, 6))


def told_words(told: Told) -> list[str]:
    """What is said of the relatives of a listed group, a sentence each."""
    said = []
    for name, key in (
        ("same", "others"),
        ("drives", "parents"),
        ("parts_all", "parts"),
        ("parts_some", "parts"),
    ):
        names = list(dict.fromkeys(getattr(told, name)))
        if names:
            said.append(words("levels", name, **{key: named(names)}))
    if told.crossing:
        said.append(words("levels", told.crossing))
    if told.within:
        said.append(words("levels", "within", crossings=named(list(dict.fromkeys(told.within)))))
    return said
