"""One population as pictures: its outcomes against everyone else's, its part of those seen, and over time."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from equitydata.plots.chart import Chart, Charts, chart_name, short
from equitydata.plots.style import COLOURS, SMALL
from equitydata.plots.words import extract_source, listed, population
from equitydata.profiles import Profile
from equitydata.strata import NOT_COLLECTED
from equitydata.tables import HIDDEN
from equitydata.written import (
    FLAGGED,
    HIDDEN_CELL,
    UNAVAILABLE_CELL,
    count,
    figure,
    limits,
    mark,
    percent,
    ratio,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from equitydata.plots.chart import Canvas
    from equitydata.result import EquityResult

Row = Mapping[str, Any]
ROWS_MOST = 30
ROW, ROOM = 0.29, 0.5  # inches for a line, and for the axis with its words
LEFT, RIGHT = 0.345, 0.625  # the axis of a forest, in parts of the width; words stand on both sides
LETTERS, WORDS = 31, 80  # of a label beside the axis, and of one in the words
TICKS = (0.1, 0.2, 0.33, 0.5, 0.67, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0)
# Behind words that may reach over the lines of the axis.
GROUND = {"facecolor": COLOURS["paper"], "edgecolor": "none", "pad": 0.8}
FARTHEST = math.log(10)
READINGS = {
    "disproportionate_high": "Higher",
    "disproportionate_low": "Lower",
    "uncertain": "Uncertain",
    "no_evidence": "No clear difference",
    "insufficient_data": "Not enough data",
}
EVIDENT = frozenset(FLAGGED)


# ---------------------------------------------------------------- outcomes against everyone else's


@dataclass(frozen=True)
class _Line:
    """A line of the forest: a measure of a group, written.

    under : heading that it stands below. words : beside the axis. place : logs of ratio and limits, None without one.
    """

    under: str
    words: str
    name: str
    value: str
    other: str
    ratio: str
    limits: str
    reading: str
    flag: str
    harm: bool
    place: tuple[float, float, float] | None


def profile_forest(result: EquityResult, profile: Profile) -> Charts:
    """Ratios of the population to everyone else, measures below one another; of the whole service its flagged groups.

    result : that the profile was made from. Empty where no measure was compared.
    """
    whole = not profile.stratum
    frame = profile.tables.get("flagged" if whole else "measures", pd.DataFrame())
    if frame.empty:
        return Charts()
    every = [_symbols(row) for row in frame.to_dict("records")]
    kept = _most_evident(every) if whole else _by_measure(every)[:ROWS_MOST]
    lines = [
        _line(row, whole=whole, groups=len({each["group"] for each in kept} if not whole else ()))
        for row in kept
    ]
    if not lines:
        return Charts()
    title = _title_of_service(kept, len(every)) if whole else _title_of_group(kept)
    left_out = len(every) - len(kept)
    beside = f"; {left_out} more in the table" if left_out else ""
    confidence = mark(float(result.choices["confidence"].value))
    headings = len(dict.fromkeys(line.under for line in lines if line.under))
    return Charts(
        [
            Chart(
                name=chart_name("profile", "forest"),
                title=title,
                subtitle=f"Ratio to everyone else, {confidence} limits, log scale{beside}; {population(result)}",
                source=extract_source(result),
                alternative=_in_words(lines, whole=whole),
                table=_forest_table(lines, whole=whole),
                csv="comparisons",
                height=ROW * (len(lines) + headings) + ROOM,
                draw=lambda canvas: _draw_forest(canvas, lines),
            )
        ]
    )


def _by_measure(rows: Sequence[Row]) -> list[Row]:
    """The groups of each measure below one another, both in the order of the table."""
    order = list(dict.fromkeys(row["measure"] for row in rows))
    return sorted(rows, key=lambda row: order.index(row["measure"]))


def _most_evident(rows: Sequence[Row]) -> list[Row]:
    """Of many flagged groups those whose limit nearest to 1 lies farthest from it; in the order of the table."""
    near = [_certainty(row) for row in rows]
    best = sorted(range(len(rows)), key=lambda place: (-near[place], place))[: ROWS_MOST - 6]
    return [rows[place] for place in sorted(best)]


def _certainty(row: Row) -> float:
    ends = [row["ratio_lower"], row["ratio_upper"]]
    logs = [_log(each) for each in ends if not isinstance(each, str)]
    return min((abs(each) for each in logs), default=-1.0)


def _line(row: Row, *, whole: bool, groups: int) -> _Line:
    measure, group = str(row["measure_label"]), str(row["category" if whole else "group"])
    statistic, flag = str(row["statistic"]), str(row["flag"])
    headed = whole or groups > 1
    return _Line(
        under=measure if headed else "",
        words=(_with_label(group, str(row["label"])) if whole else group) if headed else measure,
        name=f"{group}: {measure}" if not whole else f"{group} ({row['label']}): {measure}",
        value=figure(row["value"], statistic),
        other=figure(row["comparator_value"], statistic),
        ratio=ratio(row["ratio"]),
        limits=limits(row["ratio_lower"], row["ratio_upper"], ratio),
        reading=_reading(row),
        flag=flag,
        harm=str(row["harm"]) == "harm",
        place=_place(row),
    )


def _with_label(group: str, label: str) -> str:
    """A short category says little alone: "2, Deprivation"."""
    return f"{group}, {label}" if len(group) <= 10 else group


def _place(row: Row) -> tuple[float, float, float] | None:
    values = [row[name] for name in ("ratio", "ratio_lower", "ratio_upper")]
    if isinstance(values[0], str):
        return None
    middle = _log(values[0])
    lower, upper = (middle if isinstance(each, str) else _log(each) for each in values[1:])
    return middle, lower, upper


def _log(value: float) -> float:
    return math.log(value) if 0 < value < math.inf else (-math.inf if value <= 0 else math.inf)


def _reading(row: Row) -> str:
    """What the ratio lets one say, in two or three words."""
    flag = str(row["flag"])
    if row.get("status") == NOT_COLLECTED:
        return "Not collected"
    if HIDDEN_CELL in (flag, row["ratio"]):
        return "Hidden"
    if flag == "different_small":
        return "Slightly higher" if row["ratio"] > 1 else "Slightly lower"
    if flag == "no_evidence" and row["similar"] is True:
        return "Similar"
    return READINGS.get(flag, "Not compared")


def _title_of_group(rows: Sequence[Row]) -> str:
    """What stands out of the first group: of two groups that were crossed, the people who are in both."""
    group = str(rows[0]["group"])
    here = [row for row in rows if row["group"] == group]
    sides = {
        side: [
            str(row["measure_label"])
            for row in here
            if row["flag"] in EVIDENT and (row["ratio"] > 1) is (side == "higher")
        ]
        for side in ("higher", "lower")
    }
    said = [f"{listed(names)} {side} than everyone else’s" for side, names in sides.items() if names]
    if said:
        return f"{short(group)}: {'; '.join(said)}"
    readings = {_reading(row) for row in here}
    if readings <= {"Hidden"}:
        return f"{short(group)}: every comparison is hidden by the small-number rule"
    if readings <= {"Hidden", "Not enough data", "Not compared", "Not collected"}:
        return f"{short(group)}: not enough data to compare it with everyone else"
    partly = ", where there is enough data" if readings & {"Hidden", "Not enough data"} else ""
    return f"{short(group)}: no clear difference from everyone else{partly}"


def _title_of_service(rows: Sequence[Row], every: int) -> str:
    first = max(rows, key=_certainty)
    more = (
        f"{count(every)} groups stand out from everyone else"
        if every > 1
        else "One group stands out from everyone else"
    )
    if isinstance(first["ratio"], str):
        return more
    clearest = f"{short(first['category'])}, {short(first['measure_label'])}"
    return f"{more}; clearest: {clearest}, ratio {ratio(first['ratio'])}"


def _in_words(lines: Sequence[_Line], *, whole: bool) -> str:
    said = [f"{line.name} {_sized(line)} ({line.reading.lower()})" for line in lines[:8]]
    more = f" and {len(lines) - 8} more, all in the table below" if len(lines) > 8 else ""
    what = "flagged group" if whole else "measure"
    sides = "left of 1 where lower than everyone else, right where higher"
    return f"A mark with its limits for each {what}, {sides}: {'; '.join(said)}{more}."


def _sized(line: _Line) -> str:
    return f"{line.ratio} ({line.limits})" if line.limits else line.ratio


def _forest_table(lines: Sequence[_Line], *, whole: bool) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "Group and measure": [line.name for line in lines],
            "Value": [line.value for line in lines],
            "Everyone else": [line.other for line in lines],
            "Ratio": [line.ratio for line in lines],
            "Limits of the ratio": [
                line.limits or (HIDDEN_CELL if line.ratio == HIDDEN_CELL else UNAVAILABLE_CELL)
                for line in lines
            ],
            "Reading": [line.reading for line in lines],
        }
    )


def _draw_forest(canvas: Canvas, lines: Sequence[_Line]) -> None:
    rows: list[_Line | str] = []
    for line in lines:
        if line.under and line.under not in rows:
            rows.append(line.under)
        rows.append(line)
    height = ROW * len(rows) + ROOM
    axes: Axes = canvas.subplots()
    canvas.subplots_adjust(left=LEFT, right=RIGHT, top=1 - 0.04 / height, bottom=(ROOM - 0.04) / height)
    reach = _reach([line.place for line in lines if line.place])
    for place, row in enumerate(rows):
        if isinstance(row, str):
            _beside(axes, place, 0.005, short(row, 60), weight="bold", bbox=GROUND)
        else:
            _draw_line(axes, place, row, reach)
    axes.axvline(0, color=COLOURS["ink"], linewidth=1.0)
    ticks = _ticks(reach)
    axes.set(
        xlim=(-reach, reach),
        ylim=(len(rows) - 0.4, -0.6),
        yticks=[],
        xticks=[math.log(each) for each in ticks],
        xticklabels=[f"{each:g}" for each in ticks],
        xlabel="lower  ←  1 is the same as everyone else  →  higher",
    )
    axes.xaxis.grid(True)


def _reach(places: Sequence[tuple[float, float, float]]) -> float:
    """How far the axis goes on both sides of 1: to the farthest limit, from 1.6 times to 10 times."""
    ends = [abs(end) for place in places for end in place if math.isfinite(end)]
    return min(max([math.log(1.6), *(1.06 * end for end in ends)]), FARTHEST)


def _ticks(reach: float) -> list[float]:
    """Ratios to mark on the axis; fewer on a longer one."""
    crowded = {0.8, 1.25} if reach >= 0.75 else set()
    crowded |= {0.67, 1.5, 0.33, 3.0} if reach >= 1.2 else set()
    return [each for each in TICKS if abs(math.log(each)) <= reach and each not in crowded]


def _draw_line(axes: Axes, place: int, line: _Line, reach: float) -> None:
    _beside(
        axes,
        place,
        0.02 if line.under else 0.005,
        short(line.words, LETTERS if not line.under else LETTERS - 2),
    )
    _beside(axes, place, RIGHT + 0.015, _sized(line), weight="bold" if line.flag in EVIDENT else "normal")
    _beside(axes, place, RIGHT + 0.215, line.reading)
    if line.place is None:
        return
    middle, lower, upper = (min(max(each, -reach), reach) for each in line.place)
    colour = COLOURS["plum"] if line.harm else COLOURS["blue"]
    evident = line.flag in EVIDENT
    axes.plot([lower, upper], [place, place], color=colour, linewidth=1.8, solid_capstyle="butt")
    for end, side, shape in ((line.place[1], -reach, "<"), (line.place[2], reach, ">")):
        if abs(end) > reach:
            axes.plot(side, place, marker=shape, color=colour, markersize=5, clip_on=False)
    axes.plot(
        middle,
        place,
        marker=("D" if line.harm else "o") if evident else "s" if line.flag == "insufficient_data" else "o",
        markersize=6.5 if line.harm else 7.5,
        color=colour,
        markerfacecolor=colour if evident else COLOURS["paper"],
        markeredgewidth=1.6,
    )


def _beside(axes: Axes, place: int, across: float, words: str, **how: Any) -> None:
    """Words of a line beside the axis. across : from the left edge of the picture, in parts of its width."""
    where = (across - LEFT) / (RIGHT - LEFT)
    axes.text(where, place, words, transform=axes.get_yaxis_transform(), va="center", size=SMALL - 0.5, **how)


# ---------------------------------------------------------------- part of those seen, part of residents


def profile_residents(result: EquityResult, profile: Profile) -> Charts:
    """The population's part of those seen beside its part of the residents of each area, a bar each.

    result : that the profile was made from. Empty for the whole service, and where no table of residents holds it.
    """
    frame = profile.tables.get("who", pd.DataFrame())
    if frame.empty:
        return Charts()
    rows = [_symbols(row) for row in frame.to_dict("records")]
    rows = [row for row in rows if not isinstance(row["residents_share"], str)][: ROWS_MOST // 2]
    bars = _bars(rows)
    if not bars:
        return Charts()
    first = rows[0]
    said = [f"{name}, {words}: {written}" for name, words, written, _ in bars]
    return Charts(
        [
            Chart(
                name=chart_name("profile", "residents"),
                title=_title_of_residents(first),
                subtitle=f"Share of those whose group is known, and of residents; {population(result)}",
                source=f"{extract_source(result)}; residents: {short(first['reference'], 90)}",
                alternative=f"Bars: {'; '.join(said)}.",
                table=pd.DataFrame(
                    {
                        "Group and whom": [f"{name}: {words}" for name, words, _, _ in bars],
                        "Share": [written for _, _, written, _ in bars],
                    }
                ),
                csv="representation",
                height=ROW * (len(bars) + len({name for name, *_ in bars})) + 0.15,
                draw=lambda canvas: _draw_bars(canvas, bars),
            )
        ]
    )


def _title_of_residents(row: Row) -> str:
    """Both shares, and whether the part of those seen is clearly another than that of the residents."""
    seen, living = percent(row["share"]), percent(row["residents_share"])
    words = {
        "disproportionate_high": ", clearly more",
        "disproportionate_low": ", clearly less",
        "different_small": ", a small difference",
        "uncertain": ", which could be chance",
        "no_evidence": ", no clear difference",
        "insufficient_data": ", too few to judge",
    }
    clearly = words.get(str(row["flag"]), "")
    group, area = short(row["group"]), short(row["area"])
    return f"{group}: {seen} of people seen against {living} of residents of {area}{clearly}"


def _bars(rows: Sequence[Row]) -> list[tuple[str, str, str, float]]:
    """Group, whom the bar is of, its share written and as a number (NaN where hidden)."""
    bars: list[tuple[str, str, str, float]] = []
    for row in rows:
        name = str(row["group"])
        if name not in {each[0] for each in bars}:
            bars.append((name, "people seen", percent(row["share"]), _number(row["share"])))
        bars.append(
            (
                name,
                f"residents of {row['area']}",
                percent(row["residents_share"]),
                _number(row["residents_share"]),
            )
        )
    return bars


def _number(value: Any) -> float:
    return math.nan if isinstance(value, str) else float(value)


def _draw_bars(canvas: Canvas, bars: Sequence[tuple[str, str, str, float]]) -> None:
    rows: list[tuple[str, str, str, float] | str] = []
    for bar in bars:
        if bar[0] not in rows:
            rows.append(bar[0])
        rows.append(bar)
    height = ROW * len(rows) + 0.15
    axes: Axes = canvas.subplots()
    canvas.subplots_adjust(left=0.3, right=0.9, top=1 - 0.05 / height, bottom=0.05 / height)
    longest = max([value for *_, value in bars if value == value], default=1.0) or 1.0
    left = (0.005 - 0.3) / 0.6
    for place, row in enumerate(rows):
        if isinstance(row, str):
            axes.text(
                left,
                place,
                short(row, 60),
                transform=axes.get_yaxis_transform(),
                va="center",
                size=SMALL,
                weight="bold",
            )
            continue
        _, words, written, value = row
        seen = words == "people seen"
        width = 0.0 if value != value else value
        axes.barh(place, width, color=COLOURS["blue" if seen else "teal"], height=0.68)
        axes.text(
            left + 0.02,
            place,
            short(words, LETTERS),
            transform=axes.get_yaxis_transform(),
            va="center",
            size=SMALL,
        )
        axes.text(
            width + 0.012 * longest,
            place,
            written,
            va="center",
            size=SMALL,
            weight="bold" if seen else "normal",
        )
    axes.set(xlim=(0, longest), ylim=(len(rows) - 0.4, -0.6), yticks=[], xticks=[])
    axes.spines["bottom"].set_visible(False)
    axes.axvline(0, color=COLOURS["ink"], linewidth=1.0)


# ---------------------------------------------------------------- over time


def profile_trends(result: EquityResult, profile: Profile) -> Charts:
    """Each measure of the population by period, with limits; of several groups the first that is followed.

    result : that the profile was made from. Empty where fewer than two periods hold a value.
    """
    frame = profile.tables.get("trends", pd.DataFrame())
    if frame.empty:
        return Charts()
    group = str(frame["group"].iloc[0]) if "group" in frame else "Everyone"
    here = frame[frame["group"] == group] if "group" in frame else frame
    panels = _panels([_symbols(row) for row in here.to_dict("records")])
    if not panels:
        return Charts()
    first = panels[0]
    confidence = mark(float(result.choices["confidence"].value))
    written = [(row, figure(row["value"], str(row["statistic"]))) for each in panels for row in each]
    return Charts(
        [
            Chart(
                name=chart_name("profile", "trends"),
                title=_title_of_changes(profile, group, first),
                subtitle=f"{short(group)}: each measure by period, with {confidence} limits; {population(result)}",
                source=extract_source(result),
                alternative="A small line chart for each measure. " + " ".join(map(_periods, panels)),
                table=pd.DataFrame(
                    {
                        "Measure and period": [
                            f"{row['measure_label']}, {row['period']}" for row, _ in written
                        ],
                        "Value": [value for _, value in written],
                        "Limits": [
                            _between(row) or (HIDDEN_CELL if value == HIDDEN_CELL else UNAVAILABLE_CELL)
                            for row, value in written
                        ],
                    }
                ),
                csv="trends",
                height=1.6 * math.ceil(len(panels) / 2) + 0.1,
                draw=lambda canvas: _draw_trends(canvas, panels),
            )
        ]
    )


def _panels(rows: Sequence[Row]) -> list[list[Row]]:
    """The periods of each measure; measures of one period, or without any value, have no line."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(str(row["measure"]), []).append(row)
    shown = [each for each in found.values() if len(each) > 1]
    return [each for each in shown if any(not isinstance(row["value"], str) for row in each)][:8]


def _between(row: Row) -> str:
    statistic = str(row["statistic"])
    return limits(row["lower"], row["upper"], lambda cell: figure(cell, statistic))


def _periods(rows: Sequence[Row]) -> str:
    values = [f"{row['period']} {figure(row['value'], str(row['statistic']))}" for row in rows]
    return f"{rows[0]['measure_label']}: {', '.join(values)}."


def _title_of_changes(profile: Profile, group: str, periods: Sequence[Row]) -> str:
    """Which measures moved beyond chance from the first to the last period."""
    frame = profile.tables.get("changes", pd.DataFrame())
    between = f"from {periods[0]['period']} to {periods[-1]['period']}"
    if frame.empty:
        first, last = periods[0], periods[-1]
        values = [figure(row["value"], str(row["statistic"])) for row in (first, last)]
        then, now = f"{values[0]} in {first['period']}", f"{values[1]} in {last['period']}"
        return f"{short(group)}: {short(first['measure_label'])} {then}, {now}"
    rows = [_symbols(row) for row in frame.to_dict("records") if row.get("group") == group]
    known = [row for row in rows if not isinstance(row["change_lower"], str)]
    rose = [str(row["measure_label"]) for row in known if row["change_lower"] > 0]
    fell = [str(row["measure_label"]) for row in known if row["change_upper"] < 0]
    said = [f"{listed(names)} {verb}" for names, verb in ((rose, "rose"), (fell, "fell")) if names]
    if said:
        return f"{short(group)}: {' and '.join(said)} {between}"
    return f"{short(group)}: no change that is clear of chance {between}"


def _draw_trends(canvas: Canvas, panels: Sequence[Sequence[Row]]) -> None:
    down = math.ceil(len(panels) / 2)
    height = 1.6 * down + 0.1
    grid: Any = canvas.subplots(down, 2, squeeze=False)
    canvas.subplots_adjust(
        left=0.06, right=0.97, top=1 - 0.4 / height, bottom=0.32 / height, hspace=0.72, wspace=0.16
    )
    for axes, rows in zip(grid.flat, panels, strict=False):
        _draw_panel(axes, rows)
    for axes in list(grid.flat)[len(panels) :]:
        axes.set_axis_off()


def _draw_panel(axes: Axes, rows: Sequence[Row]) -> None:
    share = str(rows[0]["statistic"]) == "share"
    values = [_number(row["value"]) for row in rows]
    ends = [(_number(row["lower"]), _number(row["upper"])) for row in rows]
    places = list(range(len(rows)))
    for place, (lower, upper) in enumerate(ends):
        if lower == lower and upper == upper:
            axes.plot([place, place], [lower, upper], color=COLOURS["blue"], linewidth=1.2)
    axes.plot(places, values, color=COLOURS["blue"], marker="o", markersize=5)
    top = max(
        [end for pair in ends for end in pair if end == end] + [value for value in values if value == value]
        or [1.0]
    )
    unseen = [place for place in places if values[place] != values[place]]
    for place in sorted({0, len(rows) - 1, *unseen}):
        words = figure(rows[place]["value"], str(rows[place]["statistic"]))
        above = ends[place][1] if ends[place][1] == ends[place][1] else 0.0
        axes.text(place, above + 0.05 * top, words, ha="center", va="bottom", size=SMALL - 0.5, weight="bold")
    step = max(1, math.ceil(len(rows) / 4))
    shown = places[::step]
    axes.set(
        xlim=(-0.45, len(rows) - 0.55),
        ylim=(0, 1.3 * top if not share else min(1.3 * top, 1.2)),
        yticks=[],
        xticks=shown,
        xticklabels=[short(rows[place]["period"], 12) for place in shown],
    )
    axes.set_title(short(rows[0]["measure_label"], 38), size=SMALL)
    axes.spines["bottom"].set_color(COLOURS["ink"])


# ---------------------------------------------------------------- cells


def _symbols(row: Mapping[Any, Any]) -> dict[str, Any]:
    """A row whose words are harmless and cut, and whose empty cells say why: [c] hidden, [x] not available."""
    nothing = HIDDEN_CELL if row.get(HIDDEN) is True else UNAVAILABLE_CELL
    cells = {
        str(key): nothing if cell is None or cell is pd.NA or cell != cell else cell
        for key, cell in row.items()
    }
    return {key: short(cell, WORDS) if isinstance(cell, str) else cell for key, cell in cells.items()}
