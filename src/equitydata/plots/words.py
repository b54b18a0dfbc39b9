"""Words that several charts share: of what, whom, where and when."""

from __future__ import annotations

from typing import TYPE_CHECKING

from equitydata.plots.chart import short
from equitydata.written import count, day

if TYPE_CHECKING:
    from equitydata.result import EquityResult

NAME_LETTERS, AREA_LETTERS = 80, 40


def population(result: EquityResult) -> str:
    """Who is counted, where and when: "12,000 people of Clinic, Newham, 1 April 2025 to 31 March 2026"."""
    about = result.about
    who = f"{count(about.people)} {about.counted}" if about.people is not None else f"[c] {about.counted}"
    where = f", {', '.join(short(area, AREA_LETTERS) for area in about.areas[:3])}" if about.areas else ""
    return (
        f"{who} of {short(about.name, NAME_LETTERS)}{where}{f', {period(result)}' if period(result) else ''}"
    )


def period(result: EquityResult) -> str:
    """The time analysed: "1 April 2025 to 31 March 2026"; empty where it is not known."""
    about = result.about
    if about.period_from is None and about.period_to is None:
        return ""
    return f"{day(about.period_from)} to {day(about.period_to)}"


def extract_source(result: EquityResult) -> str:
    """Where numbers of the service come from."""
    return f"extract of {short(result.about.name, NAME_LETTERS)}, analysed {day(result.about.as_of)}"


def number_rule(result: EquityResult) -> str:
    """What the small-number rule did to the numbers of a chart; empty for true counts."""
    from equitydata.rulebook import disclosure_rule

    return disclosure_rule(result.disclosure).label if result.disclosure else ""


def listed(words: list[str], most: int = 3) -> str:
    """Words as a list: "A, B and C"; of many the first ones and how many more."""
    if len(words) > most:
        return f"{', '.join(words[:most])} and {len(words) - most} more"
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]])) if words else ""
