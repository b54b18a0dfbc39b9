"""Verification as pictures: who gave the values, where they are asked for, and how far recordings agree."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from equitydata.plots.chart import Chart, Charts, chart_name, short
from equitydata.plots.completeness import (
    CORE,
    SHADES,
    Cell,
    Grid,
    against_mark,
    axis_start,
    axis_ticks,
    draw_grid,
    flagged_rows,
    hidden_rows,
    limits_heading,
    margins,
    mark_line,
    shares_of,
    wanted,
    whiskers,
)
from equitydata.plots.style import COLOURS, SMALL, STEPS, WIDTH
from equitydata.plots.words import extract_source, listed, population
from equitydata.tables import SPECS
from equitydata.verification import NOT_KNOWN_LABEL
from equitydata.written import HIDDEN_CELL, UNAVAILABLE_CELL, count, label, mark

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from equitydata.plots.chart import Canvas
    from equitydata.result import EquityResult

EVERYONE = "Everyone compared"
MOST_ROWS = 30
NAME = 28  # letters of the name of a row
MOST_GROUPS = 12
AGREEMENT_BANDS = ((0.0, SHADES[0], "none"), (1.0, SHADES[1], "they differ"), (2.0, SHADES[3], "they agree"))
LINE, ROOM = 0.32, 0.42  # inches of a row, and for what stands above the rows
# Part of a stacked bar -> its words, colour and pattern; from the person outward.
PARTS = {
    "self_reported": ("The person", COLOURS["blue"], ""),
    "proxy": ("Somebody for them", STEPS[1], ""),
    "other_source": ("Another source", COLOURS["plum"], ""),
    "no_source": ("Not recorded", COLOURS["paper"], "////"),
}


# ---------------------------------------------------------------- agreement


def agreement(result: EquityResult, *characteristics: str, level: str = "group") -> Charts:
    """How far independent recordings of the same person agree, by group of the person's value, with limits.

    level : group, or detailed where the categories themselves are compared. Ethnicity and language, or those named.
    Empty where nobody was recorded twice independently.
    """
    rows = shares_of(result, "agreement", level=level)
    names = wanted(rows, characteristics)
    return Charts(_agreement(result, rows[rows["characteristic"] == name], name, level) for name in names)


def _agreement(result: EquityResult, rows: pd.DataFrame, name: str, level: str) -> Chart:
    whole = shares_of(result, "verification", measure=f"agree_{level}")
    whole = whole[whole["characteristic"] == name].assign(group=EVERYONE, flagged=False)
    floor, least = (float(result.choices[rule].value) for rule in ("agreement_floor", "minimum_people"))
    drawn = _lowest(rows)
    drawn = pd.concat([whole, drawn]).assign(few=lambda frame: frame["denominator"] < least)
    drawn = drawn.assign(flagged=flagged_rows(drawn), reading=lambda frame: _readings(frame))
    compared = "groups" if level == "group" else "categories"
    height = ROOM + LINE * len(drawn) + 0.3
    cut = "; the lowest are shown, all are in agreement.csv" if len(rows) > MOST_ROWS else ""
    note = f". {_note(whole)}" if _note(whole) else ""
    return Chart(
        name=chart_name("agreement", name, level),
        title=_agreement_title(whole, drawn, short(rows["label"].iloc[0]), floor, result.about.counted),
        subtitle=f"Share of {result.about.counted} recorded independently whose {compared} agree, with "
        f"{limits_heading(result)}{cut}; {population(result)}{note}",
        source=extract_source(result),
        alternative=_agreement_words(drawn, floor),
        table=pd.DataFrame(
            {
                "Group": [label(str(group)) for group in drawn["group"]],
                "Agree": drawn["met"],
                "Compared": drawn["of"],
                "Share": drawn["share"],
                limits_heading(result): drawn["limits"],
                "Reading": drawn["reading"],
            }
        ).reset_index(drop=True),
        csv="agreement",
        height=height,
        draw=lambda canvas: _draw_agreement(canvas, height, drawn, floor),
    )


def _lowest(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows in their own order, the lowest shares of them where they are too many for a picture."""
    if len(rows) <= MOST_ROWS:
        return rows
    kept = rows.sort_values("value", kind="stable", na_position="last").index[:MOST_ROWS]
    return rows[rows.index.isin(kept)]


def _readings(rows: pd.DataFrame) -> list[str]:
    """What may be said of each row: flagged, hidden, or few people."""
    words = []
    for hidden, flagged, few in zip(rows["hidden"], rows["flagged"], rows["few"], strict=True):
        words.append(
            "hidden, a small number"
            if hidden
            else "flagged: clearly below the floor"
            if flagged
            else "not enough people to judge"
            if few
            else "not flagged"
        )
    return words


def _agreement_title(whole: pd.DataFrame, rows: pd.DataFrame, name: str, floor: float, counted: str) -> str:
    low = [short(group) for group in rows.loc[rows["flagged"], "group"]]
    judged = rows[(rows["group"] != EVERYONE) & ~rows["hidden"] & ~rows["few"]]
    end = (
        f"no group is clearly below {mark(floor)}" if len(judged) else "not enough people to judge any group"
    )
    if low:
        end = f"clearly below {mark(floor)} for {listed(low)}"
    if whole.empty or np.isnan(whole["value"].iloc[0]):
        return f"{name}, agreement of independent recordings: {end}"
    lower = judged[judged["upper"] < whole["lower"].iloc[0]].sort_values("value", kind="stable")
    fewer = f", lower for {short(lower['group'].iloc[0])} ({lower['share'].iloc[0]})" if len(lower) else ""
    return f"{name}: independent recordings agree for {whole['share'].iloc[0]} of {counted}{fewer}; {end}"


def _note(whole: pd.DataFrame) -> str:
    """What the agreement can and cannot say, of the table of verification."""
    note = whole["note"].iloc[0] if len(whole) else ""
    return note if isinstance(note, str) else ""


def _agreement_words(rows: pd.DataFrame, floor: float) -> str:
    groups = rows[(rows["group"] != EVERYONE) & rows["value"].notna()].sort_values("value", kind="stable")
    told = " Every group is hidden."
    if len(groups):
        low, high = groups.iloc[0], groups.iloc[-1]
        told = f" It runs from {low['share']} ({short(low['group'])}) to {high['share']} ({short(high['group'])})."
    few = " Hollow marks rest on too few people to judge." if rows["few"].any() else ""
    return f"A mark with limits for each group, against a floor at {mark(floor)}.{told}{few}"


def _draw_agreement(canvas: Canvas, height: float, rows: pd.DataFrame, floor: float) -> None:
    axes: Axes = canvas.subplots()
    margins(canvas, height, left=2.35, right=1.75, top=ROOM, bottom=0.3)
    lowest = min(floor, rows["lower"].min() if rows["lower"].notna().any() else floor)
    start = axis_start(lowest)
    places = np.arange(len(rows))
    whiskers(axes, places.tolist(), rows)
    for place, (_, row) in enumerate(rows.iterrows()):
        _draw_mark(axes, place, row)
        words = {"flagged": "flagged", "not enough": "few people"}
        more = next((f", {said}" for start_, said in words.items() if row["reading"].startswith(start_)), "")
        axes.text(
            1 + 0.03 * (1 - start), place, f"{row['share']}{more}", va="center", size=SMALL, weight="bold"
        )
    axes.set(xlim=(start, 1.005), ylim=(len(rows) - 0.5, -0.5))
    axes.set_yticks(places, [short(group, NAME) for group in rows["group"]])
    axes.set_xticks(axis_ticks(start), [mark(tick) for tick in axis_ticks(start)])
    axes.grid(axis="x")
    mark_line(axes, floor, f"{mark(floor)} floor", to=len(rows) - 0.5)


def _draw_mark(axes: Axes, place: int, row: pd.Series) -> None:
    shape, colour = ("D", COLOURS["plum"]) if row["flagged"] else ("o", COLOURS["blue"])
    fill = COLOURS["paper"] if row["few"] else colour
    axes.plot(row["value"], place, marker=shape, markersize=7, color=colour, markerfacecolor=fill)


# ---------------------------------------------------------------- points of care


def points_of_care(result: EquityResult, *characteristics: str) -> Charts:
    """Share of the people seen at each point of care who have a known value recorded there, filled or not.

    People seen at two points count at both. Ethnicity and language, or those named.
    """
    rows = shares_of(result, "points_of_care")
    names = wanted(rows, characteristics)
    return Charts(_points(result, rows[rows["characteristic"] == name], name) for name in names)


def _points(result: EquityResult, rows: pd.DataFrame, name: str) -> Chart:
    needed = float(result.choices["point_of_care_share"].value)
    drawn = _lowest(rows).assign(group=lambda frame: frame["point_of_care"].replace("", "Not recorded"))
    drawn = drawn.assign(filled=flagged_rows(drawn.assign(flagged=drawn["filled"])))
    drawn = drawn.assign(reading=_filled_words(drawn, needed))
    height = ROOM + LINE * len(drawn) + 0.05
    cut = "; the lowest are shown, all are in points_of_care.csv" if len(rows) > MOST_ROWS else ""
    return Chart(
        name=chart_name("points-of-care", name),
        title=_points_title(drawn, short(rows["label"].iloc[0]), needed),
        subtitle=f"Share of {result.about.counted} seen with a known answer recorded there, with "
        f"{limits_heading(result)}{cut}; {population(result)}",
        source=extract_source(result),
        alternative=f"A bar for each point of care, against a line at {mark(needed)}: "
        + listed([f"{short(row.group)} {row.share}" for row in drawn.itertuples()], 8)
        + ".",
        table=pd.DataFrame(
            {
                "Point of care": [label(str(group)) for group in drawn["group"]],
                "Known": drawn["met"],
                "Seen": drawn["of"],
                "Share": drawn["share"],
                limits_heading(result): drawn["limits"],
                "Reading": drawn["reading"],
            }
        ).reset_index(drop=True),
        csv="points_of_care",
        height=height,
        draw=lambda canvas: _draw_points(canvas, height, drawn, needed),
    )


def _filled_words(rows: pd.DataFrame, needed: float) -> list[str]:
    """The table's verdict, which rests on true counts; rounded ones may lie on the other side of the mark."""
    words = []
    for hidden, filled, value in zip(rows["hidden"], rows["filled"], rows["value"], strict=True):
        verdict = "filled" if filled else "not filled"
        other = ", before rounding" if filled != (value >= needed) else ""
        words.append("hidden, a small number" if hidden else f"{verdict}{other}")
    return words


def _points_title(rows: pd.DataFrame, name: str, needed: float) -> str:
    shown = rows[~rows["hidden"]]
    filled = [short(group) for group in shown.loc[shown["filled"], "group"]]
    bare = [short(group) for group in shown.loc[~shown["filled"], "group"]]
    share = f"for {mark(needed)} or more of the people seen"
    if shown.empty:
        return f"{name}: how far points of care record it is hidden"
    if not bare:
        return f"{name}: every point of care shown records it {share}"
    if not filled:
        return f"{name}: no point of care shown records it {share}"
    return f"{name}: recorded {share} at {listed(filled)}, and not at {listed(bare)}"


def _draw_points(canvas: Canvas, height: float, rows: pd.DataFrame, needed: float) -> None:
    axes: Axes = canvas.subplots()
    margins(canvas, height, left=2.35, right=1.55, top=ROOM, bottom=0.05)
    places = list(range(len(rows)))
    colours = [COLOURS["blue"] if filled else COLOURS["paper"] for filled in rows["filled"]]
    axes.barh(
        places, rows["value"].fillna(0), color=colours, edgecolor=COLOURS["blue"], linewidth=1.2, height=0.62
    )
    whiskers(axes, places, rows)
    for place, share, reading in zip(places, rows["share"], rows["reading"], strict=True):
        more = ", not filled" if reading.startswith("not filled") else ""
        axes.text(1.02, place, f"{share}{more}", va="center", size=SMALL, weight="bold")
    axes.set(xlim=(0, 1), ylim=(len(rows) - 0.5, -0.5), xticks=[])
    axes.set_yticks(places, [short(group, NAME) for group in rows["group"]])
    axes.spines["bottom"].set_visible(False)
    axes.spines["left"].set_visible(True)
    mark_line(axes, needed, f"{mark(needed)} mark", to=len(rows) - 0.5)


# ---------------------------------------------------------------- who gave the values


def sources(result: EquityResult) -> Charts:
    """Who gave the known values, as one stacked bar for each characteristic: the person, somebody for them, another.

    Counts records. Empty where the extract does not say who gave any value.
    """
    rows = shares_of(result, "verification", unit="records")
    rows = rows[rows["measure"].isin(list(PARTS))]
    names = list(dict.fromkeys([*wanted(rows, ()), *rows["characteristic"]]))[:MOST_ROWS]
    if not names:
        return Charts()
    parts = {
        name: rows[rows["characteristic"] == name].set_index("measure").reindex(list(PARTS)) for name in names
    }
    labels = {name: short(part["label"].dropna().iloc[0]) for name, part in parts.items()}
    needed = float(result.choices["self_report_threshold"].value)
    height = 0.55 + 0.42 * len(names) + 0.05
    cut = "; others are in verification.csv" if rows["characteristic"].nunique() > MOST_ROWS else ""
    chart = Chart(
        name=chart_name("sources"),
        title=_sources_title(parts, labels, needed),
        subtitle=f"Who gave the value, share of records with a known value{cut}; {population(result)}",
        source=extract_source(result),
        alternative="One bar for each field, parted by who gave the value. "
        + " ".join(_sources_words(labels[name], part) for name, part in parts.items()),
        table=_sources_table(parts, labels),
        csv="verification",
        height=height,
        draw=lambda canvas: _draw_sources(canvas, height, parts, labels),
    )
    return Charts((chart,))


def _sources_title(parts: dict[str, pd.DataFrame], labels: dict[str, str], needed: float) -> str:
    core = [name for name in CORE if name in parts] or list(parts)[:1]
    own = {name: float(parts[name]["value"]["self_reported"]) for name in core}
    shown = {name: value for name, value in own.items() if not np.isnan(value)}
    if not shown:
        return "How many values the person gave is hidden"
    told = listed([f"{labels[name]} {parts[name]['share']['self_reported']}" for name in shown])
    below = [labels[name] for name, value in shown.items() if value < needed]
    if len(below) in (0, len(shown)):
        return f"Given by the person: {told}; {against_mark(min(shown.values()), needed)}"
    return f"Given by the person: {told}; below the {mark(needed)} mark for {listed(below)}"


def _sources_words(name: str, part: pd.DataFrame) -> str:
    shares = part["share"].fillna(UNAVAILABLE_CELL)
    return f"{name}: {'; '.join(f'{PARTS[key][0].lower()} {shares[key]}' for key in PARTS)}."


def _sources_table(parts: dict[str, pd.DataFrame], labels: dict[str, str]) -> pd.DataFrame:
    rows = []
    for name, part in parts.items():
        known = next((of for of in part["of"].dropna() if of != HIDDEN_CELL), HIDDEN_CELL)
        shares = part["share"].fillna(UNAVAILABLE_CELL)
        rows.append({"Field": labels[name], "Records": known} | {PARTS[key][0]: shares[key] for key in PARTS})
    return pd.DataFrame(rows)


def _draw_sources(
    canvas: Canvas, height: float, parts: dict[str, pd.DataFrame], labels: dict[str, str]
) -> None:
    """Bars with a column of numbers for each part at their right, below the words and the colour of the part."""
    axes: Axes = canvas.subplots()
    margins(canvas, height, left=2.05, right=3.05, top=0.55, bottom=0.05)
    step = 0.74 / (WIDTH - 5.1)  # from column to column, in widths of the axes
    columns = [1.06 + step * place for place in range(len(PARTS))]
    for at, (words, colour, pattern) in zip(columns, PARTS.values(), strict=True):
        axes.text(at, -0.72, words.replace(" ", "\n", 1), va="bottom", size=SMALL - 0.5)
        axes.barh(-0.6, 0.12, left=at, height=0.18, **_look(colour, pattern), clip_on=False)
    for place, part in enumerate(parts.values()):
        _draw_parts(axes, place, part)
        for at, share in zip(columns, part["share"].fillna(UNAVAILABLE_CELL), strict=True):
            axes.text(at, place, share, va="center", size=SMALL, weight="bold")
    places = list(range(len(parts)))
    axes.set(xlim=(0, 1), ylim=(len(parts) - 0.5, -0.5), xticks=[])
    axes.set_yticks(places, [short(labels[name], 26) for name in parts])
    axes.spines["bottom"].set_visible(False)


def _draw_parts(axes: Axes, place: int, part: pd.DataFrame) -> None:
    left = 0.0
    axes.barh(place, 1, height=0.62, facecolor=COLOURS["paper"], edgecolor=COLOURS["grey"], linewidth=0.7)
    for key, (_, colour, pattern) in PARTS.items():
        value = part["value"][key]
        if value > 0:
            axes.barh(place, value, left=left, height=0.62, **_look(colour, pattern))
            left += value


def _look(colour: str, pattern: str) -> dict[str, Any]:
    return {"facecolor": colour, "edgecolor": COLOURS["ink"], "hatch": pattern, "linewidth": 0.7}


# ---------------------------------------------------------------- counts of pairs: one group and another


def counts_of(result: EquityResult, name: str, column: str) -> pd.DataFrame:
    """A table of counts without shares, with value as a number and said as text, [c] where it is hidden."""
    frame = result.table(name) if name in result.tables else pd.DataFrame()
    if frame.empty:
        return pd.DataFrame(columns=[*SPECS[name].columns, "hidden", "value", "said"])
    hidden, value = hidden_rows(frame), pd.to_numeric(frame[column], errors="coerce").astype(float)
    return frame.assign(
        hidden=hidden,
        label=frame["label"].where(frame["label"].notna(), frame["characteristic"]).astype(str),
        value=value,
        said=[HIDDEN_CELL if hid else count(n) for hid, n in zip(hidden, value, strict=True)],
    )


# ---------------------------------------------------------------- the person's own value and the observer's


def observed(result: EquityResult, *characteristics: str) -> Charts:
    """Matrix of the person's own group against the one that an observer recorded, in records.

    Empty where the extract has no observer's value. Of many groups those with the most records are drawn.
    """
    rows = counts_of(result, "observed", "records")
    names = wanted(rows, characteristics)
    return Charts(_observed(result, rows[rows["characteristic"] == name], name) for name in names)


def _observed(result: EquityResult, rows: pd.DataFrame, name: str) -> Chart:
    grid = Grid(
        own := _most_met(rows, "own"),
        seen := _most_met(rows, "observed"),
        tuple(tuple(_matrix_cell(rows, mine, theirs) for theirs in seen) for mine in own),
        AGREEMENT_BANDS,
    )
    whole = shares_of(result, "verification", measure="observed_agrees", unit="records")
    whole = whole[whole["characteristic"] == name]
    share = whole["share"].iloc[0] if len(whole) else UNAVAILABLE_CELL
    cut = "; all pairs are in observed.csv" if rows["own"].nunique() > len(own) else ""
    table = {"The person’s own": [label(group) for group in own]}
    for place, group in enumerate(seen):
        heading = f"Observed: {short(group)}"
        table[heading if heading not in table else f"{heading} ({place + 1})"] = [
            cells[place].words for cells in grid.cells
        ]
    known = len(whole) and not np.isnan(whole["value"].iloc[0])
    return Chart(
        name=chart_name("observed", name),
        title=f"{short(rows['label'].iloc[0])}: "
        + (
            f"an observer’s group agrees with the person’s own for {share} of records"
            if known
            else "how far an observer’s group agrees with the person’s own is not shown"
        ),
        subtitle=f"Records by the person’s own group (rows) and the observed one (columns){cut}; "
        f"{population(result)}",
        source=extract_source(result),
        alternative="A matrix of records: a row for each own group, a column for each observed one. "
        f"Both agree in {share} of the records that have both.",
        table=pd.DataFrame(table),
        csv="observed",
        height=grid.height,
        draw=lambda canvas: draw_grid(canvas, grid),
    )


def _most_met(rows: pd.DataFrame, column: str) -> tuple[str, ...]:
    """Groups by name, those with the most records where there are many; people of unknown group last."""
    met = rows.groupby(column, sort=True)["value"].sum().sort_values(ascending=False, kind="stable")
    return tuple(
        sorted(met.index[:MOST_GROUPS].astype(str), key=lambda group: (group == NOT_KNOWN_LABEL, group))
    )


def _matrix_cell(rows: pd.DataFrame, own: str, seen: str) -> Cell:
    here = rows[(rows["own"] == own) & (rows["observed"] == seen)]
    if here.empty:
        return Cell("–", 0)  # the table holds every pair that was met
    row = here.iloc[0]
    if row["hidden"]:
        return Cell(HIDDEN_CELL, np.nan)
    agree = own == seen and own != NOT_KNOWN_LABEL
    return Cell(row["said"], 2 if agree else min(row["value"], 1))


# ---------------------------------------------------------------- which groups are recorded as which


def swaps(result: EquityResult, *characteristics: str) -> Charts:
    """Pairs of groups that the same people were recorded with, the most frequent first.

    The table holds the most frequent pairs and says nothing of the others, so the picture is a list and no matrix.
    """
    rows = counts_of(result, "swaps", "people")
    names = wanted(rows, characteristics)
    return Charts(_swaps(result, rows[rows["characteristic"] == name], name) for name in names)


def _swaps(result: EquityResult, rows: pd.DataFrame, name: str) -> Chart:
    rows = rows.sort_values("value", ascending=False, kind="stable").head(MOST_ROWS)
    pairs = [
        (short(first, 24), short(second, 24))
        for first, second in zip(rows["first"], rows["second"], strict=True)
    ]
    height = 0.05 + LINE * len(rows) + 0.05
    counted, told = (
        result.about.counted,
        [f"{first} and {second} {said}" for (first, second), said in zip(pairs, rows["said"], strict=True)],
    )
    return Chart(
        name=chart_name("swaps", name),
        title=_swaps_title(rows, pairs, counted),
        subtitle=f"{counted.capitalize()} recorded with both of two groups and no third, the most frequent pairs; "
        f"{population(result)}",
        source=extract_source(result),
        alternative=f"A bar for each pair of groups, the longest first: {listed(told, 6)}.",
        table=pd.DataFrame(
            {
                "Recorded as": [label(str(first)) for first in rows["first"]],
                "And as": [label(str(second)) for second in rows["second"]],
                counted.capitalize(): rows["said"].tolist(),
            }
        ),
        csv="swaps",
        height=height,
        draw=lambda canvas: _draw_swaps(canvas, height, rows, pairs),
    )


def _swaps_title(rows: pd.DataFrame, pairs: Sequence[tuple[str, str]], counted: str) -> str:
    name, most = short(rows["label"].iloc[0]), rows["value"].max()
    if not most > 0:
        return f"{name}: which groups the same {counted} are recorded with is hidden"
    # Rounded counts are often equal.
    first = [f"{one} and {other}" for (one, other), n in zip(pairs, rows["value"], strict=True) if n == most]
    said = rows.loc[rows["value"] == most, "said"].iloc[0]
    return f"{name}: the same {counted} are recorded most often as both {'; or '.join(first[:3])} ({said} {counted})"


def _draw_swaps(canvas: Canvas, height: float, rows: pd.DataFrame, pairs: Sequence[tuple[str, str]]) -> None:
    axes: Axes = canvas.subplots()
    margins(canvas, height, left=3.9, right=0.7, top=0.05, bottom=0.05)
    places = list(range(len(rows)))
    longest = max(rows["value"].fillna(0).max(), 1)
    axes.barh(places, rows["value"].fillna(0), color=COLOURS["blue"], height=0.62)
    for place, (value, said) in enumerate(zip(rows["value"].fillna(0), rows["said"], strict=True)):
        axes.text(value + 0.015 * longest, place, said, va="center", size=SMALL, weight="bold")
    axes.set(xlim=(0, longest), ylim=(len(rows) - 0.5, -0.5), xticks=[])
    axes.set_yticks(places, [f"{first} and {second}" for first, second in pairs])
    axes.spines["bottom"].set_visible(False)
    axes.spines["left"].set_visible(True)
