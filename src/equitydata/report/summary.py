"""Released result -> a summary of one page as Markdown, for a paper or an e-mail.

The words stand in `templates/summary.md.j2`. Words of the data may hold anything: they are written so that neither
Markdown nor HTML in them does anything.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from jinja2 import Environment
from markupsafe import Markup

from equitydata.rating import Rating
from equitydata.report.grid import symbols
from equitydata.report.page import environment
from equitydata.report.profile_page import frame_of, shown_finding
from equitydata.result import EquityResult
from equitydata.written import (
    FLAGGED,
    HIDDEN_CELL,
    NOT_APPLICABLE_CELL,
    SENTENCE_LIMIT,
    UNAVAILABLE_CELL,
    count,
    label,
    limits,
    percent,
    ratio,
    visible,
)

FINDINGS_SHOWN, SEEN_SHOWN, STEPS_SHOWN = 8, 8, 5
_SYMBOLS = (HIDDEN_CELL, UNAVAILABLE_CELL, NOT_APPLICABLE_CELL)
_MARKS = re.compile(r"([\\`*_{}\[\]#|~$])")
_ENTITY = re.compile(r"&(?=#|\w+;)")
# What begins a list or a quotation where a line begins with it, and what some readers make a link of.
_LIST = re.compile(r"^(\s*)([-+](?=\s|$)|=)")
_NUMBERED = re.compile(r"^(\s*\d{1,9})([.)])(?=\s|$)")
_LINK = re.compile(r"(?i)(:)(?=//)|(?<=www)(\.)")


def render_summary(released: EquityResult, rating: Rating) -> str:
    """The summary of a released result as Markdown, below 1,500 words.

    rating : as `make_rating` gives it for the same result.
    """
    view = summary_view(released)
    text = _markdown().get_template("summary.md.j2").render(page=frame_of(released), view=view, rating=rating)
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def summary_view(released: EquityResult) -> dict[str, Any]:
    """What the summary shows beside the rating: findings, and groups that stand out among people seen."""
    findings = symbols(released.table("findings")) if "findings" in released.tables else []
    profile = released.community_profile()
    held = symbols(profile.table("groups"))
    seen = {str(row["category"]): row for row in reversed(held) if row["flag"] in FLAGGED[:2]}
    rows = [_seen(row) for row in reversed(seen.values())]
    return {
        "threshold": float(released.choices["completeness_threshold"].value),
        "findings": [shown_finding(row) for row in findings[:FINDINGS_SHOWN]],
        "more_findings": max(len(findings) - FINDINGS_SHOWN, 0),
        "hidden_findings": released.hidden_cells.get("findings", 0),
        "compared": bool(len(released.tables.get("comparisons", []))),
        "seen": rows[:SEEN_SHOWN],
        "more_seen": max(len(rows) - SEEN_SHOWN, 0),
        "held": bool(held),
        "area": str(held[0]["area"]) if held else "",
        "steps_shown": STEPS_SHOWN,
    }


def _seen(row: dict[str, Any]) -> dict[str, str]:
    between = limits(row["ratio_lower"], row["ratio_upper"], ratio)
    people, known = count(row["numerator"]), count(row["denominator"])
    return {
        "category": label(str(row["category"])),
        "share": percent(row["share"]),
        "people": f"{people} of {known}",
        "residents": percent(row["residents_share"]),
        "ratio": f"{ratio(row['ratio'])} ({between})" if between else ratio(row["ratio"]),
    }


# ---------------------------------------------------------------- Markdown


@cache
def _markdown() -> Environment:
    """The templates of the page with the last gate of Markdown in the place of that of HTML."""
    made: Environment = environment().overlay(autoescape=False, finalize=_finalize)
    made.filters = {**made.filters, "written": Markup}
    return made


def _finalize(value: Any) -> Any:
    """The last gate of every expression: words that are not ours are made plain."""
    if isinstance(value, Markup) or not isinstance(value, str) or value in _SYMBOLS:
        return value
    return plain_markdown(value)


def plain_markdown(words: str) -> str:
    """Words that Markdown shows as they are: no emphasis, link, code, table, heading, list or HTML comes of them."""
    text = _ENTITY.sub("&amp;", visible(words, SENTENCE_LIMIT))
    text = _MARKS.sub(r"\\\1", text).replace("<", "&lt;").replace(">", "&gt;")
    text = _LINK.sub(lambda found: f"\\{found.group()}", text)
    return _NUMBERED.sub(r"\1\\\2", _LIST.sub(r"\1\\\2", text))
