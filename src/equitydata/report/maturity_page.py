"""Released result -> the board's page: ten areas, both levels of the matrix, what would lift them, progress over runs.

The words stand in `templates/maturity.html.j2`; here are the rows that it shows and the form of their numbers. A count
of criteria or of services is no count of people; every other number is a cell of a table of the released result.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import pandas as pd

from equitydata import reference
from equitydata.history.log import progress_table, run_of, with_run
from equitydata.model import TIERS
from equitydata.plots.accessor import Plots
from equitydata.rating import AreaRating, CriterionRating, Rating
from equitydata.report.charts import shown_charts
from equitydata.report.grid import Cell, Column, Grid, Row, make_grid, symbols
from equitydata.report.page import environment
from equitydata.report.profile_page import frame_of
from equitydata.result import EquityResult
from equitydata.tables import HIDDEN, RUNS_TABLE, empty
from equitydata.written import HIDDEN_CELL, UNAVAILABLE_CELL, count, day, label, percent

TIER_NAMES = TIERS[1:]
OTHER_LEVEL = {"service": "organisation", "organisation": "service"}
RESTS_ON_WORDS = {
    "measured": "measured",
    "run log": "shown by the log of runs",
    "register": "shown by the register of listening",
    "services": "shown by its services",
    "attested": "attested",
}
PARTS = (
    ("tier", "Tier of the data domain"),
    ("areas", "The ten areas"),
    ("matrix", "Tier by tier"),
    ("next", "Next steps"),
    ("headline", "Known ethnicity and language"),
    ("progress", "Progress over runs"),
    ("services", "Services in scope"),
    ("criteria", "Every criterion"),
    ("other", "The other level"),
    ("method", "Method and limits"),
)


def render_maturity(released: EquityResult, rating: Rating, runs: pd.DataFrame | None = None) -> str:
    """The board's page of a released result as HTML: self-contained, without script.

    rating : as `make_rating` gives it for the same result. runs : shape RUNS_TABLE, the earlier runs of the log; those
    of the result when left out. The run of this result is added to them as the last.
    """
    template = environment().get_template("maturity.html.j2")
    view = maturity_view(released, rating, runs)
    return template.render(page=_page(released), view=view, rating=rating) + "\n"


def maturity_view(released: EquityResult, rating: Rating, runs: pd.DataFrame | None = None) -> dict[str, Any]:
    """What each part of the page shows beside the rating."""
    every = _with_this_run(released, runs)
    other = OTHER_LEVEL[rating.about.level]
    return {
        "areas": [_area(area, rating) for area in rating.areas],
        "tiers": TIER_NAMES,
        "threshold": float(released.choices["completeness_threshold"].value),
        "levels": _levels(rating, other),
        "progress": _progress(every),
        "charts": shown_charts(Plots(replace(released, tables={**released.tables, "runs": every})).runs()),
        "services": _services(released),
        "in_the_way": _in_the_way(released),
        "other": other,
        "asked": _asked(other),
    }


def _page(released: EquityResult) -> dict[str, Any]:
    name = label(released.about.name)
    return {
        **frame_of(released),
        "title": f"Maturity of health equity – {name}",
        "product": "Maturity of health equity: the board’s page",
        "heading": name,
        "contents": PARTS,
    }


# ---------------------------------------------------------------- areas and tiers


@dataclass(frozen=True)
class AreaShown:
    """An area with its criteria by tier. sure : what the criteria that are met rest on, in words."""

    rating: AreaRating
    sure: str
    tiers: tuple[TierShown, ...]

    @property
    def not_applicable(self) -> int:
        """Criteria that do not apply."""
        return self.rating.criteria - self.rating.met - self.rating.not_met - self.rating.not_assessed


@dataclass(frozen=True)
class TierShown:
    """The criteria of one tier of one area."""

    name: str
    reached: bool
    criteria: tuple[CriterionRating, ...]

    @property
    def core(self) -> tuple[CriterionRating, ...]:
        """Criteria that block the tier."""
        return tuple(each for each in self.criteria if each.required == "core")

    @property
    def tally(self) -> str:
        """How many of the core criteria stand where, in words."""
        counted = Counter(each.outcome for each in self.core)
        asked = len(self.core) - counted["not applicable"]
        said = [
            f"{counted[name]} {name}"
            for name in ("not met", "not assessed", "not applicable")
            if counted[name]
        ]
        return "; ".join([f"{counted['met']} of {asked} met", *said]) if self.core else "nothing is asked"

    @property
    def parts(self) -> tuple[tuple[str, int], ...]:
        """Class of the style and number of core criteria, for the bar."""
        counted = Counter(each.outcome for each in self.core)
        shares = (("met", counted["met"]), ("unmet", counted["not met"]))
        rest = len(self.core) - counted["met"] - counted["not met"]
        return tuple((name, number) for name, number in (*shares, ("open", rest)) if number)


def _area(area: AreaRating, rating: Rating) -> AreaShown:
    here = [each for each in rating.criteria if each.area == area.area]
    reached = TIERS.index(area.tier) if area.tier in TIERS else 0
    tiers = tuple(
        TierShown(name, place <= reached, tuple(each for each in here if each.tier == name))
        for place, name in enumerate(TIER_NAMES, start=1)
    )
    met = Counter(str(each.rests_on) for each in here if each.outcome == "met")
    sure = [f"{met[name]} {words}" for name, words in RESTS_ON_WORDS.items() if met[name]]
    return AreaShown(area, ", ".join(sure), tiers)


def _levels(rating: Rating, other: str) -> Grid:
    """The ten areas at both levels: what this level reached, and what the other is asked."""
    asked = reference.criteria(other)
    core = asked[asked["required"] == "core"].groupby(["area", "tier"], sort=False).size().to_dict()
    columns = [
        Column("Area", lambda row: row["area"].area),
        Column(f"{rating.about.level.capitalize()}: tier", lambda row: row["area"].tier),
        Column("Met", lambda row: f"{row['area'].met} of {row['area'].criteria}", number=True),
        Column("Not met", lambda row: count(row["area"].not_met), number=True),
        Column("Not assessed", lambda row: count(row["area"].not_assessed), number=True),
        Column(f"{other.capitalize()}: tier", lambda row: "Not assessed here"),
        Column("Core criteria asked there", _asked_there, number=True),
    ]
    rows = [
        {"area": area, "core": {name: core.get((area.area, name), 0) for name in TIER_NAMES}}
        for area in rating.areas
    ]
    return make_grid(
        "levels-table", f"The ten areas at both levels: {rating.about.level} and {other}", rows, columns
    )


def _asked_there(row: Row) -> Cell:
    core = row["core"]
    return count(sum(core.values())), ", ".join(f"{core[name]} {name}" for name in TIER_NAMES)


def _asked(level: str) -> list[Grid]:
    """The criteria of the other level by area, as what would be asked there."""
    every = reference.criteria(level)
    columns = [
        Column("Criterion", lambda row: f"{row['criterion_id']} {row['criterion']}"),
        Column("Tier", lambda row: str(row["tier"])),
        Column("What it takes", lambda row: str(row["how_measured"])),
    ]
    return [
        make_grid(f"asked-{place}", str(area), rows.fillna("").to_dict("records"), columns)  # type: ignore[arg-type]
        for place, (area, rows) in enumerate(every.groupby("area", sort=False), start=1)
    ]


# ---------------------------------------------------------------- runs


def _with_this_run(released: EquityResult, runs: pd.DataFrame | None) -> pd.DataFrame:
    """The earlier runs and the present one, the oldest first; of one day the last."""
    held = released.tables.get("runs", empty(RUNS_TABLE)) if runs is None else runs
    earlier = held.assign(measures=held["measures"].map(str))
    about = released.about
    every = with_run(earlier, run_of(released.tables, about, date=about.as_of, tier=released.maturity.tier))
    # The log leaves the people out where the small-number rule hides them, and only there.
    return every.assign(**{HIDDEN: every["people"].isna()})


def _progress(runs: pd.DataFrame) -> Grid:
    columns = [
        Column("Day", lambda row: _day(row["date"])),
        Column("Tier of the data domain", lambda row: label(str(row["tier"]))),
        Column("Against the run before", lambda row: TURNS.get(str(row["tier_change"]), "First run")),
        Column("People", lambda row: _people(row["people"]), number=True),
        Column("Ethnicity and language known", lambda row: percent(row["joint_known"]), number=True),
        Column("Change", lambda row: _points(row["joint_change"]), number=True),
        Column("Since the first run", lambda row: _points(row["joint_since_first"]), number=True),
    ]
    rows = symbols(progress_table(runs).iloc[::-1])
    return make_grid(
        "progress-table",
        "Runs of the log and this one, the latest first",
        rows,
        columns,
        most=24,
        file="runs",
    )


TURNS = {"up": "↑ Higher", "down": "↓ Lower", "same": "= The same"}


def _day(text: Any) -> str:
    return day(date.fromisoformat(str(text)))


def _people(people: Any) -> str:
    return HIDDEN_CELL if people == UNAVAILABLE_CELL else count(people)


def _points(change: Any) -> str:
    return "" if isinstance(change, str) else f"{change * 100:+.1f} points"


# ---------------------------------------------------------------- services


def _service_rows(released: EquityResult) -> list[dict[str, Any]]:
    return symbols(released.table("services")) if "services" in released.tables else []


def _services(released: EquityResult) -> Grid:
    """A row for each service in scope: how many of the criteria that roll up it meets."""
    found: dict[str, Counter[str]] = {}
    days: dict[str, str] = {}
    for row in _service_rows(released):
        found.setdefault(str(row["service"]), Counter())[str(row["outcome"])] += 1
        days[str(row["service"])] = str(row["as_of"])
    rows = [{"service": name, "outcomes": tally, "as_of": days[name]} for name, tally in found.items()]

    def number(outcome: str) -> Column:
        return Column(outcome.capitalize(), lambda row: count(row["outcomes"][outcome]), number=True)

    columns = [
        Column("Service", lambda row: label(row["service"])),
        Column("Rated on", lambda row: _day(row["as_of"])),
        *map(number, ("met", "not met", "not assessed", "not applicable")),
    ]
    return make_grid(
        "services-table",
        "Services in scope, and the criteria that roll up from them",
        rows,
        columns,
        file="services",
    )


def _in_the_way(released: EquityResult) -> Grid:
    columns = [
        Column("Criterion", lambda row: label(str(row["criterion_id"]))),
        Column("Service", lambda row: label(str(row["service"]))),
        Column("Outcome", lambda row: str(row["outcome"]).capitalize()),
        Column("Met it", _counted, number=True),
        Column("Share", lambda row: _share(row), number=True),
        Column("Reason", lambda row: "" if row["reason"] == UNAVAILABLE_CELL else str(row["reason"])),
    ]
    rows = [row for row in _service_rows(released) if str(row["in_the_way"]) == "True"]
    return make_grid(
        "in-the-way-table",
        "Services that keep the organisation from a criterion",
        rows,
        columns,
        file="services",
    )


def _counted(row: Row) -> str:
    if row["counts_are"] == "hidden":
        return HIDDEN_CELL
    numerator, denominator = count(row["numerator"]), count(row["denominator"])
    return numerator if UNAVAILABLE_CELL in (numerator, denominator) else f"{numerator} of {denominator}"


def _share(row: Row) -> str:
    if row["counts_are"] == "hidden":
        return HIDDEN_CELL
    threshold = row["threshold"]
    return percent(row["value"], None if isinstance(threshold, str) or threshold > 1 else float(threshold))
