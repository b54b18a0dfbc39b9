"""Released result -> what the page shows of the equity analysis: findings, outcomes, comparisons and the rest.

Rows are chosen and numbers written as people read them; nothing is worked out anew. Long tables show the first level
of each characteristic and what is flagged, and say where all of them are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from equitydata.plots.changes import slacks
from equitydata.plots.gallery import measures_shown
from equitydata.release.naming_outcomes import SHARE
from equitydata.report.writing import with_symbols
from equitydata.result import EquityResult
from equitydata.strata import ALL, CROSS, USERS
from equitydata.tables import EQUITY_TABLES, SPECS, empty
from equitydata.written import (
    FLAG_MEANINGS,
    FLAG_WORDS,
    FLAGGED,
    HIDDEN_CELL,
    UNAVAILABLE_CELL,
    count,
    figure,
    flag_words,
    gap,
    limits,
    number,
    p_value,
    percent,
    ratio,
)

FINDINGS_SHOWN = 5
SUMMARIES_SHOWN = ("D", "R", "SII", "RII", "BGV", "IDIS", "MLD", "T", "PAR", "PAF", "ACI", "RCI")
Cell = Any
Shown = list[dict[str, Cell]]


def equity_view(result: EquityResult, excerpt: Callable[..., Any]) -> dict[str, Any]:
    """Everything that the page shows of the equity analysis, by part.

    excerpt : how the page cuts a long table; as `page._excerpt`.
    """
    frames = {spec.name: _symbols(result, spec.name) for spec in EQUITY_TABLES}
    made = [name for name, frame in frames.items() if len(frame)]
    outcomes = frames["outcomes"]
    labels = dict(zip(outcomes["measure"], outcomes["measure_label"], strict=True))
    shown = {name: labels[name] for name in measures_shown(result)}
    return {
        "made": made,
        "measures": _measures(outcomes),
        "findings": _findings(frames["findings"], result.hidden_cells.get("findings", 0)),
        "outcomes": [
            {
                "name": name,
                "label": label,
                "tables": _by_characteristic(outcomes, name, _outcome, excerpt, "outcomes"),
            }
            for name, label in shown.items()
        ],
        "measures_left_out": len(labels) - len(shown),
        "comparisons": _comparisons(frames, shown, excerpt),
        "flag_words": {FLAG_WORDS[name]: meaning for name, meaning in FLAG_MEANINGS.items()},
        "inequality": excerpt(_rows(_main_level(frames["inequality"]), _summary), "inequality"),
        "tests": excerpt(_rows(_main_level(frames["tests"]), _test), "tests"),
        "unknowns": excerpt(
            _rows(_only(frames["unknowns"], "robustness", ("turns at a bound", "fragile")), _unknown),
            "unknowns",
        ),
        "known_or_not": excerpt(_rows(frames["known_or_not"], _known_or_not), "known_or_not"),
        "trends": excerpt(_rows(_trend_rows(frames["trends"]), _trend), "trends"),
        "changes": excerpt(_rows(_change_rows(frames["changes"], result), _change), "changes"),
        "places": excerpt(_rows(_place_rows(frames["places"]), _place), "places"),
        "representation": _representation(frames["representation"], excerpt),
        "checks": excerpt(
            _rows(
                frames["population_checks"][frames["population_checks"]["severity"] != "passed"],
                lambda row: {**row, "severity": str(row["severity"]).capitalize()},
            ),
            "population_checks",
        ),
        "listening": excerpt(_rows(frames["listening"], _way), "listening"),
        "listening_gaps": excerpt(
            _rows(
                frames["listening_gaps"][~frames["listening_gaps"]["gap"].isin(["", UNAVAILABLE_CELL])],
                lambda row: {
                    **row,
                    "residents": count(row["residents"]),
                    "residents_share": percent(row["residents_share"]),
                },
            ),
            "listening_gaps",
        ),
        "themes": excerpt(_rows(frames["themes"], dict), "themes"),
        "services": excerpt(_rows(_short_services(result), _service), "services"),
        "runs": excerpt(_rows(frames["runs"].iloc[::-1], _run), "runs"),
        "cannot_say": _cannot_say(result) if outcomes.size or frames["representation"].size else (),
    }


def headline_of_representation(released: EquityResult) -> list[str]:
    """Groups of users that are flagged against the nearest residents, as sentences without hidden numbers."""
    frame = _users(_symbols(released, "representation"))
    lines = []
    for row in frame[frame["flag"].isin(FLAGGED[:2])].to_dict("records"):
        lines.append(
            f"{row['category']}: {percent(row['share'])} of users, {percent(row['residents_share'])} of residents "
            f"of {row['area']} (ratio {ratio(row['ratio'])})"
        )
    return lines


def _symbols(result: EquityResult, name: str) -> pd.DataFrame:
    """A released table with its symbols; empty where the run did not make it."""
    frame = result.table(name) if name in result.tables else empty(SPECS[name])
    return with_symbols(frame, SPECS[name])


# ---------------------------------------------------------------- which rows


def _only(frame: pd.DataFrame, column: str, values: Iterable[str]) -> pd.DataFrame:
    return frame[frame[column].isin(list(values))]


def _main_level(frame: pd.DataFrame, *, crossings: bool = False) -> pd.DataFrame:
    """Rows of the first level of each characteristic, without crossings unless asked for."""
    if frame.empty:
        return frame
    here = (
        frame if crossings else frame[~frame["characteristic"].astype(str).str.contains(CROSS, regex=False)]
    )
    first = here.drop_duplicates("characteristic").set_index("characteristic")["level"]
    return here[here["level"] == here["characteristic"].map(first)]


def _rows(frame: pd.DataFrame, form: Callable[[dict[str, Cell]], Mapping[str, Cell]]) -> pd.DataFrame:
    """A frame whose cells are written as the page shows them, row by row of a small table."""
    return pd.DataFrame(
        [dict(form({str(key): cell for key, cell in row.items()})) for row in frame.to_dict("records")]
    )


def _by_characteristic(
    frame: pd.DataFrame,
    measure: str,
    form: Callable[[dict[str, Cell]], Mapping[str, Cell]],
    excerpt: Callable[..., Any],
    table: str,
) -> list[dict[str, Any]]:
    here = _main_level(frame[(frame["measure"] == measure) & (frame["characteristic"] != ALL)])
    return [
        {"name": name, "label": rows["label"].iloc[0], "rows": excerpt(_rows(rows, form), table)}
        for name, rows in here.groupby("characteristic", sort=False)
    ]


def _measures(outcomes: pd.DataFrame) -> Shown:
    """Each measure with its value for everyone."""
    whole = outcomes[outcomes["characteristic"] == ALL]
    return [_outcome({str(key): cell for key, cell in row.items()}) for row in whole.to_dict("records")]


def _findings(frame: pd.DataFrame, hidden: int) -> dict[str, Any]:
    rows = [_finding({str(key): cell for key, cell in row.items()}) for row in frame.to_dict("records")]
    return {"first": rows[:FINDINGS_SHOWN], "more": rows[FINDINGS_SHOWN:], "hidden": hidden}


def _comparisons(
    frames: Mapping[str, pd.DataFrame], labels: Mapping[str, str], excerpt: Callable[..., Any]
) -> dict[str, Any]:
    """Groups against the rest: what is flagged, how many were judged, and every group of the first levels."""
    every = frames["comparisons"]
    rest = every[every["comparator"] == "rest"]
    crude = rest[rest["adjustment"] == "crude"]
    keys = ["measure", "characteristic", "level", "category"]
    others = {
        kind: _lookup(rest[rest["adjustment"] == kind], keys, _estimate("ratio", ratio))
        for kind in ("standardised", "adjusted")
    }
    robust = _lookup(
        frames["unknowns"][frames["unknowns"]["of"] == "outcome"], keys, lambda row: row["robustness"]
    )

    def form(row: dict[str, Cell]) -> Mapping[str, Cell]:
        key = tuple(row[name] for name in keys)
        beside = {kind: found.get(key, "–") for kind, found in others.items()}
        return {**_comparison(row), **beside, "robustness": robust.get(key) or "–"}

    flagged = crude[crude["flag"].isin(FLAGGED)]
    order = flagged["flag"].map({name: place for place, name in enumerate(FLAGGED)})
    flagged = flagged.loc[order.sort_values(kind="stable").index]
    disagree = _rows(crude[crude["disagrees"].map(lambda cell: cell is True or str(cell) == "True")], form)
    return {
        "flagged": excerpt(_rows(flagged, form), "comparisons"),
        "tally": excerpt(_tally(crude), "comparisons"),
        "disagree": excerpt(disagree, "comparisons"),
        "measures": [
            {
                "name": name,
                "label": label,
                # The figure above holds the groups to look at, and the file all of them.
                "tables": _by_characteristic(crude, name, form, excerpt, "comparisons")[:1],
            }
            for name, label in labels.items()
        ],
        "judged": int(crude["flag"].isin(list(FLAG_WORDS)).sum()),
    }


def _tally(crude: pd.DataFrame) -> pd.DataFrame:
    """Per measure, in how many groups each flag stands; groups of all levels, hidden ones apart."""
    if crude.empty:
        return pd.DataFrame()
    counts = crude.groupby("measure_label", sort=False)["flag"].value_counts().unstack(fill_value=0)
    names = [*FLAG_WORDS, HIDDEN_CELL]
    return counts.reindex(columns=names, fill_value=0).rename(columns={HIDDEN_CELL: "hidden"}).reset_index()


def _lookup(
    frame: pd.DataFrame, keys: Sequence[str], value: Callable[[dict[Any, Cell]], Cell]
) -> dict[tuple[Any, ...], Cell]:
    return {tuple(row[key] for key in keys): value(row) for row in frame.to_dict("records")}


def _trend_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """Everyone, period by period; the groups are in the file."""
    return frame[frame["characteristic"] == ALL]


def _change_rows(frame: pd.DataFrame, result: EquityResult) -> pd.DataFrame:
    """Everyone, and groups whose gap to the rest has moved beyond chance, and beyond what rounding may have moved."""
    if frame.empty:
        return frame
    slack = slacks(result)
    room = np.array(
        [slack({str(key): cell for key, cell in row.items()}).gap for row in frame.to_dict("records")]
    )
    lower, upper = (pd.to_numeric(frame[f"gap_change_{end}"], errors="coerce") for end in ("lower", "upper"))
    opposite = frame["opposite"].map(lambda cell: cell is True)
    return frame[(frame["characteristic"] == ALL) | (lower > room) | (upper < -room) | opposite]


def _place_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """Places outside their limits first."""
    outside = frame["position"].isin(["much lower", "lower", "higher", "much higher"])
    return pd.concat([frame[outside], frame[~outside]])


def _short_services(result: EquityResult) -> pd.DataFrame:
    """Services in the way of a criterion of their organisation; none but for ratings that were combined."""
    frame = _symbols(result, "services")
    return frame[frame["in_the_way"].map(lambda cell: cell is True or str(cell) == "True")]


def _users(frame: pd.DataFrame) -> pd.DataFrame:
    """Users against the nearest residents that there are, first levels only."""
    here = frame[frame["of"] == USERS]
    kinds = [kind for kind in ("local", "region", "nation") if (here["area_kind"] == kind).any()]
    return _main_level(here[here["area_kind"] == kinds[0]]) if kinds else here


def _representation(frame: pd.DataFrame, excerpt: Callable[..., Any]) -> dict[str, Any]:
    users = _users(frame)
    flagged = frame[frame["flag"].isin(FLAGGED)]
    return {
        "area": str(users["area"].iloc[0]) if len(users) else "",
        "reference": sorted({str(name) for name in users["reference"]} - {UNAVAILABLE_CELL, ""}),
        "tables": [
            {
                "name": name,
                "label": rows["label"].iloc[0],
                "rows": excerpt(_rows(rows, _represented), "representation"),
            }
            for name, rows in users.groupby("characteristic", sort=False)
        ],
        "flagged": excerpt(_rows(flagged, _represented), "representation"),
    }


def _cannot_say(result: EquityResult) -> tuple[str, ...]:
    from equitydata.profiles import make_community_profile

    return tuple(make_community_profile(result).cannot_say)


# ---------------------------------------------------------------- the form of a cell


def _estimate(name: str, form: Callable[[Cell], str]) -> Callable[[Mapping[Any, Cell]], str]:
    """The estimate of a row with its limits: "1.35 (1.20 to 1.52)"."""

    def written(row: Mapping[Any, Cell]) -> str:
        between = limits(row.get(f"{name}_lower", ""), row.get(f"{name}_upper", ""), form)
        return f"{form(row[name])}{f' ({between})' if between else ''}"

    return written


def _valued(row: Mapping[str, Cell]) -> dict[str, Cell]:
    statistic = str(row["statistic"])
    between = limits(row.get("lower", ""), row.get("upper", ""), lambda cell: figure(cell, statistic))
    return {"value": figure(row["value"], statistic), "value_limits": between}


def _counted(row: Mapping[str, Cell]) -> str:
    """What the value rests on: "30 of 120"; of means the number of values."""
    numerator, denominator = count(row["numerator"]), count(row["denominator"])
    if HIDDEN_CELL in (numerator, denominator):
        return HIDDEN_CELL
    return denominator if numerator == UNAVAILABLE_CELL else f"{numerator} of {denominator}"


def _outcome(row: dict[str, Cell]) -> dict[str, Cell]:
    statistic = str(row["statistic"])
    standardised = limits(
        row["standardised_lower"], row["standardised_upper"], lambda cell: figure(cell, statistic)
    )
    category = str(row["category"])
    return {
        **row,
        **_valued(row),
        "category": f"{category} (not collected by this code list)"
        if row["status"] == "not collected"
        else category,
        "people": count(row["people"]),
        "counted": _counted(row),
        "standardised": figure(row["standardised"], statistic),
        "standardised_limits": standardised,
        "note": row["note"] or "–",
    }


def _comparison(row: dict[str, Cell]) -> dict[str, Cell]:
    statistic = str(row["statistic"])
    low, high = row["detectable_low"], row["detectable_high"]
    seen = " or ".join(ratio(cell) for cell in (low, high) if not isinstance(cell, str))
    return {
        **row,
        **_valued(row),
        "comparator_value": figure(row["comparator_value"], statistic),
        "difference": gap(row["difference"], statistic),
        "difference_limits": _gap_limits(row, "difference", statistic),
        "ratio": ratio(row["ratio"]),
        "ratio_limits": limits(row["ratio_lower"], row["ratio_upper"], ratio),
        "p_adjusted": p_value(row["p_adjusted"]),
        "detectable": seen or (HIDDEN_CELL if low == HIDDEN_CELL else "–"),
        "flag": flag_words(row["flag"], similar=row["similar"], harm=row["harm"]),
    }


def equity_sizes(row: Mapping[Any, Cell]) -> str:
    """The size of a finding: value against its comparator, difference and ratio with limits, people of the group."""
    here = {str(key): UNAVAILABLE_CELL if cell is None or cell != cell else cell for key, cell in row.items()}
    statistic = str(here["statistic"])
    sizes = []
    if not isinstance(here["value"], str):
        other = here["comparator_value"]
        against = "" if isinstance(other, str) else f" against {figure(other, statistic)}"
        sizes.append(f"{figure(here['value'], statistic)}{against}")
    if not isinstance(here["difference"], str):
        limits = _gap_limits(here, "difference", statistic)
        sizes.append(f"difference {gap(here['difference'], statistic)}{f' ({limits})' if limits else ''}")
    if not isinstance(here["ratio"], str):
        sizes.append(f"ratio {_estimate('ratio', ratio)(here)}")
    if not isinstance(here["people"], str):
        sizes.append(f"{count(here['people'])} people in the group")
    return "; ".join(sizes)


def _gap_limits(row: Mapping[str, Cell], name: str, statistic: str) -> str:
    """Limits of a difference, the unit said once by the difference itself."""

    def form(cell: Cell) -> str:
        return (
            f"{cell * 100:+.1f}" if statistic == SHARE and not isinstance(cell, str) else gap(cell, statistic)
        )

    return limits(row[f"{name}_lower"], row[f"{name}_upper"], form)


def _finding(row: dict[str, Cell]) -> dict[str, Cell]:
    robustness = (
        ""
        if row["robustness"] in ("", UNAVAILABLE_CELL)
        else f"If the unknown were known: {row['robustness']}."
    )
    return {
        **{key: "" if cell == UNAVAILABLE_CELL else cell for key, cell in row.items()},
        # The first sentence says what was found; the others, how to read it.
        "title": str(row["finding"]).partition(". ")[0].rstrip(".") + ".",
        "more": str(row["finding"]).partition(". ")[2],
        "heard": "" if row["heard"] == UNAVAILABLE_CELL else str(row["heard"]).rstrip("."),
        "size": equity_sizes(row),
        "robust": robustness,
    }


def _summary(row: dict[str, Cell]) -> dict[str, Cell]:
    return {
        **row,
        "value": number(row["value"]),
        "value_limits": limits(row["lower"], row["upper"], number),
        "compared": row["compared"] or "–",
        "note": row["note"] or "–",
    }


def _test(row: dict[str, Cell]) -> dict[str, Cell]:
    effect = "–" if isinstance(row["effect_size"], str) else f"{row['effect']} {number(row['effect_size'])}"
    return {**row, "p": p_value(row["p"]), "effect": effect, "groups": count(row["groups"])}


def _unknown(row: dict[str, Cell]) -> dict[str, Cell]:
    numbers = ("ratio", "ratio_none", "ratio_all", "ratio_pro_rata", "lowest", "highest")
    return {**row, "unknown": count(row["unknown"]), **{name: ratio(row[name]) for name in numbers}}


def _known_or_not(row: dict[str, Cell]) -> dict[str, Cell]:
    statistic = str(row["statistic"])
    return {
        **row,
        "people": count(row["people"]),
        "unknown": count(row["unknown"]),
        "known_value": figure(row["known_value"], statistic),
        "unknown_value": figure(row["unknown_value"], statistic),
        "ratio": ratio(row["ratio"]),
        "ratio_limits": limits(row["ratio_lower"], row["ratio_upper"], ratio),
        "p": p_value(row["p"]),
        "note": row["note"] or "–",
    }


def _trend(row: dict[str, Cell]) -> dict[str, Cell]:
    return {**row, **_valued(row), "people": count(row["people"]), "counted": _counted(row)}


def _change(row: dict[str, Cell]) -> dict[str, Cell]:
    names = ("first", "last", "change", "gap_first", "gap_last", "gap_change")
    between = {
        f"{name}_limits": limits(row[f"{name}_lower"], row[f"{name}_upper"], number)
        for name in ("change", "gap_change")
    }
    return {
        **row,
        **{name: number(row[name]) for name in names},
        **between,
        "ratio_change": ratio(row["ratio_change"]),
        "opposite": "opposite ways" if row["opposite"] is True else "–",
        "note": row["note"] or "–",
    }


def _place(row: dict[str, Cell]) -> dict[str, Cell]:
    statistic = str(row["statistic"])

    def form(cell: Cell) -> str:
        return figure(cell, statistic)

    return {
        **row,
        "value": form(row["value"]),
        "average": form(row["average"]),
        "counted": _counted(row),
        "limits_998": limits(row["lower_998"], row["upper_998"], form) or UNAVAILABLE_CELL,
        "position": str(row["position"]).capitalize() if row["position"] != HIDDEN_CELL else HIDDEN_CELL,
        "position_overdispersed": row["position_overdispersed"] or "–",
    }


def _represented(row: dict[str, Cell]) -> dict[str, Cell]:
    category = str(row["category"])
    return {
        **row,
        "category": f"{category} (not collected by this code list)"
        if row["status"] == "not collected"
        else category,
        "people": count(row["numerator"]),
        "share": percent(row["share"]),
        "share_limits": limits(row["share_lower"], row["share_upper"], percent),
        "residents_share": percent(row["residents_share"]),
        "ratio": ratio(row["ratio"]),
        "ratio_limits": limits(row["ratio_lower"], row["ratio_upper"], ratio),
        "gap_people": row["gap_people"]
        if isinstance(row["gap_people"], str)
        else f"{row['gap_people']:+,.0f}",
        "rate": row["rate"] if isinstance(row["rate"], str) else f"{row['rate']:,.1f}",
        "standardised_ratio": ratio(row["standardised_ratio"]),
        "standardised_ratio_limits": limits(
            row["standardised_ratio_lower"], row["standardised_ratio_upper"], ratio
        ),
        "flag": flag_words(row["flag"], similar=row["similar"]),
        "robustness": row["robustness"] or "–",
    }


def _way(row: dict[str, Cell]) -> dict[str, Cell]:
    words = {
        name: row[name] or "–" for name in ("method", "groups", "languages", "formats", "last", "used_for")
    }
    return {**row, **words, "people": count(row["people"])}


def _run(row: dict[str, Cell]) -> dict[str, Cell]:
    return {
        **row,
        "people": count(row["people"]),
        "measures": row["measures"] or "–",
        "joint_known": percent(row["joint_known"]),
        "compared": _yes(row["compared"]),
        "profile": _yes(row["profile"]),
        "audience": row["audience"] or "–",
    }


def _service(row: dict[str, Cell]) -> dict[str, Cell]:
    return {**row, "counted": _counted(row), "value": percent(row["value"]), "reason": row["reason"] or "–"}


def _yes(value: Cell) -> str:
    if value is True or value == 1:
        return "Yes"
    return "No" if value is False or value == 0 else str(value)
