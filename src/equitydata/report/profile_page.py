"""Released result and a profile of it -> one page: a population across every table, or the whole service.

The words stand in `templates/profile.html.j2`; here are the rows that it shows and the form of their numbers. Every
number is a cell of a table of the profile.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, TypeAlias

from equitydata.plots.accessor import Plots
from equitydata.plots.profile import profile_forest, profile_residents, profile_trends
from equitydata.profiles import Profile
from equitydata.report.charts import ShownChart, shown_charts
from equitydata.report.grid import Cell, Column, Grid, Row, make_grid, symbols
from equitydata.report.page import environment
from equitydata.report.page_equity import equity_sizes
from equitydata.result import EquityResult
from equitydata.rulebook import disclosure_rule
from equitydata.strata import NOT_COLLECTED
from equitydata.tables import HIDDEN
from equitydata.written import (
    FLAG_MEANINGS,
    FLAG_WORDS,
    HIDDEN_CELL,
    UNAVAILABLE_CELL,
    count,
    day,
    figure,
    flag_words,
    gap,
    label,
    limits,
    mark,
    percent,
    ratio,
)

PARTS = (
    ("glance", "At a glance"),
    ("who", "Who is seen, and who lives there"),
    ("completeness", "How completely things are recorded"),
    ("outcomes", "Outcomes"),
    ("trends", "Over time"),
    ("findings", "Findings"),
    ("heard", "What was heard"),
    ("cannot-say", "What the data cannot say"),
    ("method", "How the figures were made"),
)
_Rows: TypeAlias = list[dict[str, Any]]
_SYMBOLS = (HIDDEN_CELL, UNAVAILABLE_CELL)
SEVERITIES = ("strong warning", "warning", "note")
SHOWN = 50


def render_profile(released: EquityResult, profile: Profile) -> str:
    """The page of a profile as HTML: self-contained, without script.

    released : the result that the profile was made from. profile : of one population or of the whole service.
    """
    template = environment().get_template("profile.html.j2")
    return template.render(page=_page(released, profile), view=profile_view(released, profile)) + "\n"


def profile_view(released: EquityResult, profile: Profile) -> dict[str, Any]:
    """What each part of the page shows."""
    rows = {name: symbols(frame) for name, frame in profile.tables.items()}
    whole = not profile.stratum
    charts = _charts(released, profile)
    return {
        "whole": whole,
        "whom": "the service" if whole else label(profile.title),
        "messages": [label(chart.title) for each in charts.values() for chart in each[:1]],
        "facts": _facts(released, rows, whole=whole),
        "charts": charts,
        "who": _who(rows, whole=whole),
        "checks": _checks(rows.get("checks", [])),
        "completeness": _completeness(rows.get("completeness", []), whole=whole),
        "measures": _measures(rows.get("measures", []), whole=whole),
        "flagged": _flagged(rows.get("flagged", [])),
        "changes": _changes(rows.get("changes", [])),
        "trends": _trends(rows.get("trends", [])),
        "findings": [shown_finding(row) for row in rows.get("findings", [])],
        "themes": _themes(rows.get("themes", [])),
        "listening_gaps": _listening_gaps(rows.get("listening_gaps", [])),
        "cannot_say": profile.cannot_say[:SHOWN],
        "notes": profile.notes[:SHOWN],
        "flag_words": [(FLAG_WORDS[name], meaning) for name, meaning in FLAG_MEANINGS.items()],
    }


def _page(released: EquityResult, profile: Profile) -> dict[str, Any]:
    whole = not profile.stratum
    return {
        **frame_of(released),
        "title": f"{label(profile.title)} – {label(released.about.name)}",
        "product": "Community profile" if whole else "Population profile",
        "heading": label(released.about.name if whole else profile.title),
        "contents": PARTS,
    }


def frame_of(released: EquityResult) -> dict[str, Any]:
    """What every page of a released result says of itself: whose data, for when, under which small-number rule."""
    about, rule = released.about, disclosure_rule(released.disclosure or "none")
    period = (
        f", {day(about.period_from)} to {day(about.period_to)}"
        if about.period_from or about.period_to
        else ""
    )
    ages = f", ages {about.ages[0]} to {about.ages[1]}" if about.ages else ""
    people = _people_of(released)
    areas = ", ".join(label(area) for area in about.areas[:10])
    more = f" and {len(about.areas) - 10} more areas" if len(about.areas) > 10 else ""
    return {
        "version": about.version,
        "true_counts": not rule.hide_up_to,
        "rule": rule.label,
        "confidence": mark(float(released.choices["confidence"].value)),
        "lines": [
            f"{label(about.name)}: {people}{period}{ages}.",
            f"{f'Serves {areas}{more}. ' if areas else ''}Analysed on {day(about.as_of)}.",
        ],
    }


def _people_of(released: EquityResult) -> str:
    if not released.intake.rows_read:
        return "no extract was audited"
    people = released.about.people
    return f"{HIDDEN_CELL if people is None else count(people)} {released.about.counted}"


def _charts(released: EquityResult, profile: Profile) -> dict[str, tuple[ShownChart, ...]]:
    """The charts of each part; of the whole service, those that the report has of who is seen."""
    plots = Plots(released)
    who = profile_residents(released, profile) if profile.stratum else (*plots.standing(), *plots.pyramid())
    made = {
        "who": who,
        "outcomes": profile_forest(released, profile),
        "trends": profile_trends(released, profile),
    }
    return {part: shown_charts(charts) for part, charts in made.items()}


# ---------------------------------------------------------------- at a glance


def _facts(released: EquityResult, rows: Mapping[str, _Rows], *, whole: bool) -> list[tuple[str, str]]:
    if whole:
        everyone = [(label(str(row["measure_label"])), _written(row)) for row in rows.get("measures", [])]
        return [("People", _people_of(released)), *everyone[:7]]
    first: dict[str, dict[str, Any]] = {}
    for row in rows.get("who", []):
        first.setdefault(str(row["group"]), row)
    facts = []
    for name, row in first.items():
        facts.append((f"{label(name)}: seen", f"{count(row['numerator'])} people, {percent(row['share'])}"))
        facts.append((f"Of residents of {label(str(row['area']))}", percent(row["residents_share"])))
        facts.append(("Ratio of the two", f"{_with_limits(row, 'ratio')}. {_flag(row)}"))
    return facts


def _written(row: Row) -> str:
    value, between = _estimate(row, "value", "lower", "upper")
    return f"{value} ({between})" if between else value


def _with_limits(row: Row, name: str) -> str:
    between = limits(row[f"{name}_lower"], row[f"{name}_upper"], ratio)
    return f"{ratio(row[name])} ({between})" if between else ratio(row[name])


# ---------------------------------------------------------------- cells


def _estimate(row: Row, name: str, lower: str, upper: str) -> tuple[str, str]:
    """A value of a measure with its limits, in the form of its statistic."""
    statistic = str(row["statistic"])
    return figure(row[name], statistic), limits(row[lower], row[upper], lambda cell: figure(cell, statistic))


def _gap(row: Row, name: str) -> Cell:
    """A difference with its limits; the unit is said once."""
    statistic = str(row["statistic"])
    said = gap(row[name], statistic)
    between = limits(row[f"{name}_lower"], row[f"{name}_upper"], lambda cell: gap(cell, statistic))
    return said, between.replace(" points", "").replace(" per 1,000", "")


def _ratio(row: Row, name: str = "ratio") -> Cell:
    return ratio(row[name]), limits(row[f"{name}_lower"], row[f"{name}_upper"], ratio)


def _flag(row: Row) -> str:
    if row.get("status") == NOT_COLLECTED:
        return "Not collected by the code list in use"
    return flag_words(row["flag"], similar=row.get("similar", False), harm=row.get("harm", ""))


def _flag_and_robustness(row: Row) -> Cell:
    """A flag, and below it what the people of unknown group could do to it."""
    robust = str(row["robustness"])
    return _flag(row), f"If the unknown were known: {robust}" if robust not in ("", *_SYMBOLS) else ""


def _of(row: Row) -> Cell:
    """A count and what it is of."""
    numerator, denominator = count(row["numerator"]), count(row["denominator"])
    known = not {HIDDEN_CELL, UNAVAILABLE_CELL} & {numerator, denominator}
    return numerator, f"of {denominator}" if known else ""


def _share(row: Row, name: str, lower: str, upper: str) -> Cell:
    return percent(row[name]), limits(row[lower], row[upper], percent)


def _plain(name: str) -> Callable[[Row], Cell]:
    """A column of labels, harmless and cut."""
    return lambda row: label(str(row[name])) if row[name] != UNAVAILABLE_CELL else ""


def _both(name: str, below: str) -> Callable[[Row], Cell]:
    """A column of two labels, the second below the first."""
    return lambda row: (label(str(row[name])), label(str(row[below])))


def _day(row: Row) -> str:
    try:
        return day(date.fromisoformat(str(row["date"])))
    except ValueError:
        return label(str(row["date"]))


# ---------------------------------------------------------------- tables


def _who(rows: Mapping[str, _Rows], *, whole: bool) -> list[Grid]:
    if not whole:
        here = rows.get("who", [])
        first = [Column("Group, against residents of", _both("group", "area"))]
        grid = make_grid(
            "who-table",
            "This group among people seen and among residents",
            here,
            [*first, *WHO],
            file="representation",
        )
        return [grid] if here else []
    every = [*rows.get("age_sex", []), *rows.get("groups", [])]
    kinds: dict[tuple[str, str], _Rows] = {}
    for row in every:
        kinds.setdefault((str(row["characteristic"]), str(row["level"])), []).append(row)
    several = Counter(name for name, _ in kinds)
    return [
        make_grid(
            f"who-table-{place}",
            f"{label(str(here[0]['label']))}{f' ({level})' if several[name] > 1 else ''}: "
            f"people seen and residents of {label(str(here[0]['area']))}",
            here,
            [Column("Group", _plain("category")), *WHO],
            file="representation",
        )
        for place, ((name, level), here) in enumerate(_ethnicity_first(kinds).items(), start=1)
    ]


def _ethnicity_first(kinds: Mapping[tuple[str, str], _Rows]) -> dict[tuple[str, str], _Rows]:
    """Groups by characteristic and level, ethnicity first, as in the report; the others in their order."""
    return {key: kinds[key] for key in sorted(kinds, key=lambda key: key[0] != "ethnicity")}


WHO = (
    Column("People seen", _of, number=True),
    Column("Of people seen", lambda row: _share(row, "share", "share_lower", "share_upper"), number=True),
    Column("Of residents", lambda row: percent(row["residents_share"]), number=True),
    Column("Ratio", _ratio, number=True),
    Column("Ratio at the same age and sex", lambda row: _ratio(row, "standardised_ratio"), number=True),
    Column("Flag", _flag_and_robustness),
)


def _checks(rows: _Rows) -> Grid:
    order = {name: place for place, name in enumerate(SEVERITIES)}
    ranked = sorted(rows, key=lambda row: order.get(str(row["severity"]), len(order)))
    columns = [
        Column("Characteristic", _plain("label")),
        Column("How grave", lambda row: label(str(row["severity"]).capitalize())),
        Column("What was found", lambda row: str(row["finding"])),
    ]
    return make_grid(
        "checks-table",
        "How far users and residents can be compared, the gravest first",
        ranked,
        columns,
        file="population_checks",
    )


def _completeness(rows: _Rows, *, whole: bool) -> Grid:
    flag = Column(
        "Flag",
        lambda row: "Far below the whole" if row["flagged"] is True else _symbol(row["flagged"]) or "No",
    )
    columns = [
        Column("What is recorded", _plain("label")),
        *([] if whole else [Column("Among", _plain("group"))]),
        Column("Known", _of, number=True),
        Column("Share known", lambda row: _share(row, "value", "lower", "upper"), number=True),
        *([] if whole else [flag]),
    ]
    return make_grid(
        "completeness-table",
        "Share of people of whom it is known",
        rows,
        columns,
        file="completeness" if whole else "breakdown",
    )


def _symbol(cell: Any) -> str:
    return cell if isinstance(cell, str) else ""


def _measures(rows: _Rows, *, whole: bool) -> Grid:
    value = Column("Value", lambda row: _estimate(row, "value", "lower", "upper"), number=True)
    people = Column("People", lambda row: count(row["people"]), number=True)
    if whole:
        return make_grid(
            "measures-table",
            "Each measure, for everyone",
            rows,
            [Column("Measure", _plain("measure_label")), people, value],
            file="outcomes",
        )
    ordered = sorted(
        rows, key=lambda row: list(dict.fromkeys(each["measure"] for each in rows)).index(row["measure"])
    )
    columns = [
        Column("Measure and group", _both("measure_label", "group")),
        people,
        value,
        Column(
            "Everyone else", lambda row: figure(row["comparator_value"], str(row["statistic"])), number=True
        ),
        Column("Difference", lambda row: _gap(row, "difference"), number=True),
        Column("Ratio", _ratio, number=True),
        Column("Ratio, age and sex standardised", lambda row: _ratio(row, "standardised_ratio"), number=True),
        Column("Ratio, adjusted by model", lambda row: _ratio(row, "adjusted_ratio"), number=True),
        Column("Flag", _flag_and_robustness),
    ]
    return make_grid(
        "measures-table",
        "Each measure, against everyone else whose group is known",
        ordered,
        columns,
        file="comparisons",
    )


def _flagged(rows: _Rows) -> Grid:
    columns = [
        Column("Group", _plain("category")),
        Column("Characteristic", _plain("label")),
        Column("Measure", _plain("measure_label")),
        Column("Flag", _flag),
        Column("People", lambda row: count(row["people"]), number=True),
        Column("Value", lambda row: figure(row["value"], str(row["statistic"])), number=True),
        Column(
            "Everyone else", lambda row: figure(row["comparator_value"], str(row["statistic"])), number=True
        ),
        Column("Difference", lambda row: _gap(row, "difference"), number=True),
        Column("Ratio", _ratio, number=True),
    ]
    return make_grid(
        "flagged-table", "Groups that are flagged against everyone else", rows, columns, file="comparisons"
    )


def _changes(rows: _Rows) -> Grid:
    columns = [
        Column("Measure", _plain("measure_label")),
        Column("Group", _plain("group")),
        Column("First period", lambda row: _at(row, "first"), number=True),
        Column("Last period", lambda row: _at(row, "last"), number=True),
        Column("Change", lambda row: _gap(row, "change"), number=True),
        Column("Change of the gap to everyone else", lambda row: _gap(row, "gap_change"), number=True),
    ]
    return make_grid(
        "changes-table", "Change from the first to the last period", rows, columns, file="changes"
    )


def _at(row: Row, name: str) -> Cell:
    return figure(row[name], str(row["statistic"])), label(str(row[f"{name}_period"]))


def _trends(rows: _Rows) -> Grid:
    columns = [
        Column("Measure", _plain("measure_label")),
        Column("Group", _plain("category")),
        Column("Period", _plain("period")),
        Column("People", lambda row: count(row["people"]), number=True),
        Column("Value", lambda row: _estimate(row, "value", "lower", "upper"), number=True),
    ]
    return make_grid("trends-table", "Every measure, period by period", rows, columns, file="trends")


def shown_finding(row: dict[str, Any]) -> dict[str, str]:
    """A finding for the page; of a hidden one nothing but that it is hidden."""
    words = {name: "" if row[name] in _SYMBOLS else str(row[name]) for name in ("adjustment", "look")}
    said = str(row["finding"])
    if row.get(HIDDEN) is True and said in (HIDDEN_CELL, ""):
        return {
            **words,
            "title": f"{HIDDEN_CELL} Hidden by the small-number rule.",
            "more": "",
            "size": "",
            "order": count(row["order"]),
        }
    title, _, more = said.partition(". ")
    return {
        **words,
        "title": f"{title.rstrip('.')}.",
        "more": more,
        "size": equity_sizes(row),
        "order": count(row["order"]),
    }


def _themes(rows: _Rows) -> Grid:
    columns = [
        Column("Theme", _plain("theme")),
        Column("From", _plain("category")),
        Column("What was heard", lambda row: str(row["heard"])),
        Column("Times", lambda row: count(row["times"]), number=True),
        Column("Last heard", _day),
        Column("What was done with it", lambda row: str(row["used_for"])),
    ]
    return make_grid(
        "themes-table", "What was heard, from the register of listening", rows, columns, file="themes"
    )


def _listening_gaps(rows: _Rows) -> Grid:
    columns = [
        Column("Group", _plain("category")),
        Column("Characteristic", _plain("label")),
        Column("Residents", lambda row: count(row["residents"]), number=True),
        Column("Of residents", lambda row: percent(row["residents_share"]), number=True),
        Column("Who listened", lambda row: label(str(row["gap"]).capitalize())),
    ]
    return make_grid(
        "listening-gaps-table",
        "Groups of residents whom nobody has listened to, or not for a while",
        rows,
        columns,
        file="listening_gaps",
    )
