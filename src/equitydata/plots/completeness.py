"""Completeness as pictures: how values fall away from all people to usable ones, where, and over time."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from equitydata.completeness import JOINT, NOT_RECORDED, OWN_DIMENSION
from equitydata.plots.chart import Chart, Charts, chart_name, short
from equitydata.plots.style import COLOURS, SMALL, STEPS, WIDTH
from equitydata.plots.words import extract_source, listed, population
from equitydata.rulebook import disclosure_rule
from equitydata.tables import HIDDEN, SPECS
from equitydata.written import HIDDEN_CELL, UNAVAILABLE_CELL, count, day, label, limits, mark, percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from equitydata.plots.chart import Canvas
    from equitydata.result import EquityResult

CORE = ("ethnicity", "language")
# Each step lies inside the one before it.
FALL = {
    "populated": "Something is recorded",
    "valid": "It is a valid code",
    "asked": "The person was asked",
    "known": "The answer is known",
    "detailed": "It is detailed",
    "specific": "And no “other” group",
}
OWN_WORDS = "The person gave it"
BAR, ROOM = 0.36, 0.42  # inches for a bar, and for what stands above the bars
# Dimension of the breakdown -> its heading.
DIMENSIONS = {
    "site": "Site",
    "point_of_care": "Point of care",
    "age_band": "Age band",
    "sex": "Sex",
    "deprivation": "Fifth of deprivation",
    "month": "Month",
    "contacts": "Contacts of a person",
}
RANKED = ("site", "point_of_care")  # the others have an order of their own
AT_LATEST = ("site", "point_of_care", "month")  # where people stand by their latest contact
MOST_ROWS, MOST_COLUMNS = 30, 12
MOST_CELLS = 160  # of a heat map: more would be slow to draw and to load
BANDS = (0.5, 0.8)  # shares at which the colour of a heat map changes, beside the mark
SHADES = (STEPS[0], STEPS[1], STEPS[3], STEPS[4])
MOST_MONTHS, LEAST_MONTHS = 36, 2
TALL, SIDE, ROW, KEY = 2.5, 2.05, 0.3, 0.62  # inches: lines by month; names, rows and key of a heat map
HEADING = 31  # letters of the heading of a column
_MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])")


# ---------------------------------------------------------------- shares of a table, as numbers and as words


def shares_of(result: EquityResult, name: str, **where: str) -> pd.DataFrame:
    """Rows of a table of shares that have these values, with true numbers; empty where the table is not there.

    Adds the numbers as text: met, of, share and limits, each [c] where it is hidden and [x] where there is none.
    """
    frame = result.table(name) if name in result.tables else pd.DataFrame()
    if frame.empty:
        return pd.DataFrame(columns=[*SPECS[name].columns, "hidden", "met", "of", "share", "limits"])
    for column, value in where.items():
        frame = frame[frame[column] == value]
    for column in ("numerator", "denominator", "value", "lower", "upper"):
        frame[column] = pd.to_numeric(frame[column], errors="coerce").astype(float)
    needed = float(result.choices["completeness_threshold"].value)
    names = frame["label"].where(frame["label"].notna(), frame["characteristic"])
    return frame.assign(
        label=names.astype(str),
        hidden=hidden_rows(frame),
        met=_texts(frame, count, "numerator"),
        of=_texts(frame, count, "denominator"),
        share=_texts(frame, lambda value: percent(value, needed), "value"),
        limits=_texts(frame, _limits, "lower", "upper"),
    )


def hidden_rows(frame: pd.DataFrame) -> pd.Series:
    """Which rows the small-number rule hides; none of a true result."""
    if HIDDEN not in frame:
        return pd.Series(False, index=frame.index)
    return frame[HIDDEN].map(lambda cell: cell is True or cell is np.True_).astype(bool)


def flagged_rows(frame: pd.DataFrame) -> pd.Series:
    """Which rows are flagged; a hidden row is none of them."""
    return frame["flagged"].map(lambda cell: cell is True or cell is np.True_).astype(bool)


def wanted(rows: pd.DataFrame, characteristics: Sequence[str]) -> list[str]:
    """Characteristics to draw: those asked for that are there; by default ethnicity and language, or the first."""
    present = list(dict.fromkeys(rows["characteristic"]))
    asked = characteristics or [name for name in CORE if name in present] or present[:1]
    return [name for name in asked if name in present]


def _texts(frame: pd.DataFrame, form: Callable[..., str], *columns: str) -> list[str]:
    cells = zip(hidden_rows(frame), *(frame[column] for column in columns), strict=True)
    return [HIDDEN_CELL if hidden else form(*values) for hidden, *values in cells]


def _limits(lower: float, upper: float) -> str:
    return UNAVAILABLE_CELL if np.isnan(lower) else limits(lower, upper, percent)


def limits_heading(result: EquityResult) -> str:
    """The heading of a column of limits: "95% limits"."""
    return f"{mark(float(result.choices['confidence'].value))} limits"


# ---------------------------------------------------------------- drawing that several charts share


def margins(canvas: Canvas, height: float, *, left: float, right: float, top: float, bottom: float) -> None:
    """Room around the axes, in inches. height : of the canvas."""
    canvas.subplots_adjust(
        left=left / WIDTH, right=1 - right / WIDTH, top=1 - top / height, bottom=bottom / height
    )


def whiskers(axes: Axes, places: Sequence[float], rows: pd.DataFrame) -> None:
    """Limits as dark lines; none where they are hidden."""
    axes.hlines(list(places), rows["lower"], rows["upper"], color=COLOURS["ink"], linewidth=1.5)


def axis_start(lowest: float) -> float:
    """Where an axis of shares begins: the tenth below the lowest limit, 0 where that is under a half."""
    tenth = float(np.floor(lowest * 10 - 0.1) / 10)
    return tenth if tenth >= 0.5 else 0.0


def axis_ticks(start: float) -> list[float]:
    """Shares to name on an axis that begins there and ends at 1."""
    step = 0.1 if start > 0 else 0.2
    return [round(float(tick), 3) for tick in np.arange(start, 1.001, step)]


def mark_line(axes: Axes, share: float, words: str, *, to: float) -> None:
    """A threshold as a line from the top of the axes down to a place, with its words above. Places count downward."""
    axes.plot([share, share], [-0.5, to], color=COLOURS["plum"], linewidth=1.5, solid_capstyle="butt")
    side = "right" if share > 0.5 else "left"
    axes.text(share, -0.6, words, ha=side, va="bottom", size=SMALL, color=COLOURS["plum"])


# ---------------------------------------------------------------- from all people to usable values


def fall(result: EquityResult, *characteristics: str) -> Charts:
    """From all people to those with a usable value: a chart for ethnicity and one for language, or for those named.

    result : released or not. Empty where nothing was counted. Who gave the value is counted of records.
    """
    rows = shares_of(result, "completeness", unit="people")
    names = wanted(rows, characteristics)
    charts = (_fall(result, rows[rows["characteristic"] == name], name) for name in names)
    return Charts(chart for chart in charts if chart is not None)


def _fall(result: EquityResult, rows: pd.DataFrame, name: str) -> Chart | None:
    steps = pd.concat([rows[rows["measure"] == measure] for measure in FALL])
    if steps.empty:
        return None
    own = shares_of(result, "verification", measure="self_reported", unit="records")
    own = own[own["characteristic"] == name]
    counted, needed = result.about.counted, float(result.choices["completeness_threshold"].value)
    steps = steps.assign(words=steps["measure"].map(FALL), unit=counted)
    drawn = pd.concat([steps, own.assign(words=OWN_WORDS, unit="records with a known answer")])
    height = ROOM + BAR * len(steps) + (2 * BAR if len(own) else 0) + 0.05
    return Chart(
        name=chart_name("fall", name),
        title=_fall_title(steps, counted, needed, rounded_to(result)),
        subtitle=f"Share of {counted} whose value passes each step; {population(result)}",
        source=extract_source(result),
        alternative=_fall_words(steps, own, needed),
        table=pd.DataFrame(
            {
                "Step": drawn["words"],
                "Counted": drawn["unit"],
                "Number": drawn["met"],
                "Of": drawn["of"],
                "Share": drawn["share"],
                limits_heading(result): drawn["limits"],
            }
        ).reset_index(drop=True),
        csv="completeness",
        height=height,
        draw=lambda canvas: _draw_fall(canvas, height, steps, own, needed),
    )


def _fall_title(steps: pd.DataFrame, counted: str, needed: float, base: float) -> str:
    name = short(steps["label"].iloc[0])
    known = steps[steps["measure"] == "known"]
    if known.empty or np.isnan(known["value"].iloc[0]):
        return f"{name}: how many answers are known is not shown"
    words = f"{known['share'].iloc[0]} of {counted}"
    value, of = float(known["value"].iloc[0]), float(known["denominator"].iloc[0])
    # The rating compares true counts; of rounded ones a share this near may lie on either side.
    if abs(value - needed) * of < base:
        return f"{name}: known for {words}, at about the {mark(needed)} mark"
    return f"{name}: known for {words}, {against_mark(value, needed)}"


def rounded_to(result: EquityResult) -> float:
    """The base that counts of a result are rounded to; 0 of true counts."""
    return float(disclosure_rule(result.disclosure).round_to) if result.disclosure else 0.0


def against_mark(value: float, needed: float) -> str:
    """A share against a threshold, in words."""
    return f"{'at or above' if value >= needed else 'below'} the {mark(needed)} mark"


def _fall_words(steps: pd.DataFrame, own: pd.DataFrame, needed: float) -> str:
    shares = "; ".join(f"{word} {share}" for word, share in zip(steps["words"], steps["share"], strict=True))
    lost = -steps.set_index("words")["value"].diff()
    widest = f" The widest step down leads to “{lost.idxmax()}”." if (lost > 0).any() else ""
    given = (
        f" Of records with a known answer, {own['share'].iloc[0]} came from the person." if len(own) else ""
    )
    return f"Bars, one for each step, against a line at {mark(needed)}: {shares}.{widest}{given}"


def _draw_fall(canvas: Canvas, height: float, steps: pd.DataFrame, own: pd.DataFrame, needed: float) -> None:
    axes: Axes = canvas.subplots()
    margins(canvas, height, left=2.05, right=0.76, top=ROOM, bottom=0.05)
    drawn = pd.concat([steps, own.assign(words=OWN_WORDS)])
    # Records stand apart from people, below words of their own.
    places = [*range(len(steps)), *(len(steps) + 1 for _ in range(len(own)))]
    colours = {"known": COLOURS["blue"], "self_reported": COLOURS["orange"]}
    axes.barh(places, [1] * len(places), color=STEPS[0], edgecolor=COLOURS["grey"], linewidth=0.6, height=0.7)
    axes.barh(
        places,
        drawn["value"].fillna(0),
        color=[colours.get(measure, COLOURS["teal"]) for measure in drawn["measure"]],
        height=0.7,
    )
    whiskers(axes, places, drawn)
    for place, share in zip(places, drawn["share"], strict=True):
        axes.text(1.02, place, share, va="center", size=SMALL, weight="bold")
    if len(own):
        axes.text(0, len(steps) + 0.15, "Of the records with a known answer", va="center", size=SMALL)
    lowest = max(places) + 0.5
    axes.set(xlim=(0, 1), ylim=(lowest, -0.5), yticks=places, yticklabels=list(drawn["words"]), xticks=[])
    axes.spines["bottom"].set_visible(False)
    mark_line(axes, needed, f"{mark(needed)} mark", to=len(steps) - 0.5)


# ---------------------------------------------------------------- where


@dataclass(frozen=True)
class Cell:
    """A cell of a heat map. level : chooses its colour, NaN for none. flagged : marked with an outline."""

    words: str
    level: float
    flagged: bool = False


@dataclass(frozen=True)
class Grid:
    """A heat map: names of rows and columns as the data has them, and a cell for each pair.

    bands : from which level on a cell has which colour, called what; from low to high.
    """

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    cells: tuple[tuple[Cell, ...], ...]
    bands: tuple[tuple[float, str, str], ...]

    @property
    def height(self) -> float:
        """Inches, with the slanted headings above and the key below."""
        longest = max(len(short(name, HEADING)) for name in self.columns)
        return 0.25 + 0.047 * longest + ROW * len(self.rows) + KEY


def by_place(result: EquityResult, by: str = "site") -> Charts:
    """Heat map of the known share of each field at each site, or by another dimension of the table `breakdown`.

    by : site, point_of_care, age_band, sex, deprivation, month or contacts. Empty where it has fewer than two groups.
    Sites and points of care stand by their share of the first field, the lowest first; others in their own order.
    A characteristic says nothing within its own dimension and is left out there.
    """
    rows = shares_of(result, "breakdown", by=by, unit="people")
    rows = rows[~rows["characteristic"].isin(OWN_DIMENSION.get(by, ()))]
    # Places of few records have no names of their own in a release, and one row stands for all of them.
    rows = rows.drop_duplicates(["characteristic", "group"])
    if rows["group"].nunique() < 2:
        return Charts()
    groups = _groups(rows, by)
    fields = _fields(rows, most=min(MOST_COLUMNS, MOST_CELLS // len(groups)))
    whole = (rows["group"].nunique(), rows["characteristic"].nunique())
    return Charts((_place_chart(result, rows, groups, fields, by, cut=(len(groups), len(fields)) < whole),))


def _groups(rows: pd.DataFrame, by: str) -> list[str]:
    """Groups in the order of the picture, as many as it holds: the lowest shares, or the latest months."""
    lead = rows[rows["characteristic"] == _leading(rows)]
    ranked = lead.sort_values("order", kind="stable")
    if by in RANKED:
        last = (ranked["group"] == NOT_RECORDED) | ranked["value"].isna()
        ranked = ranked.assign(last=last).sort_values(["last", "value"], kind="stable")
    groups = list(dict.fromkeys(ranked["group"]))
    return groups[-MOST_ROWS:] if by == "month" else groups[:MOST_ROWS]


def _leading(rows: pd.DataFrame) -> str:
    """The field that matters most: ethnicity and language together, or the first there is."""
    present = list(dict.fromkeys(rows["characteristic"]))
    return str(next((name for name in (JOINT, *CORE) if name in present), present[0]))


def _fields(rows: pd.DataFrame, *, most: int) -> list[str]:
    """Fields in the order of the picture: the core ones, then others; of many the flagged ones are kept."""
    present = list(dict.fromkeys(rows["characteristic"]))
    flagged = set(rows.loc[flagged_rows(rows), "characteristic"])
    core = [name for name in (JOINT, *CORE) if name in present]
    ranked = sorted(set(present) - set(core), key=lambda name: (name not in flagged, present.index(name)))
    kept = {*core, *ranked[: max(most - len(core), 0)]}
    return [*core, *(name for name in present if name in kept and name not in core)]


def _place_chart(
    result: EquityResult, rows: pd.DataFrame, groups: list[str], fields: list[str], by: str, *, cut: bool
) -> Chart:
    heading = DIMENSIONS.get(by, short(by))
    needed = float(result.choices["completeness_threshold"].value)
    lead = rows[rows["characteristic"] == fields[0]].set_index("group")
    title = _place_title(rows, lead, heading, needed)
    lead = lead.reindex(groups)
    grid = _place_grid(rows, groups, fields, needed)
    latest = " of the latest contact" if by in AT_LATEST else ""
    more = "; the rest is in breakdown.csv" if cut else ""
    return Chart(
        name=chart_name("by-place", by),
        title=title,
        subtitle=f"Known share by {heading.lower()}{latest}{more}; {population(result)}",
        source=extract_source(result),
        alternative=_place_words(lead, grid, heading),
        table=_place_table(grid, lead, heading, result.about.counted),
        csv="breakdown",
        height=grid.height,
        draw=lambda canvas: draw_grid(canvas, grid),
    )


def _place_grid(rows: pd.DataFrame, groups: list[str], fields: list[str], needed: float) -> Grid:
    drawn = zip(
        rows["group"], rows["characteristic"], rows["share"], rows["value"], flagged_rows(rows), strict=True
    )
    cells = {(group, name): Cell(share, value, flagged) for group, name, share, value, flagged in drawn}
    labels = rows.drop_duplicates("characteristic").set_index("characteristic")["label"]
    absent = Cell(UNAVAILABLE_CELL, np.nan)
    return Grid(
        tuple(_group_words(group) for group in groups),
        tuple(labels[name] for name in fields),
        tuple(tuple(cells.get((group, name), absent) for name in fields) for group in groups),
        _bands(needed),
    )


def _bands(needed: float) -> tuple[tuple[float, str, str], ...]:
    ends = [share for share in BANDS if share < needed]
    lows, highs = [0.0, *ends], [*ends, needed]
    shades = SHADES[: len(lows)]
    bands = [
        (low, shade, f"{mark(low)} to under {mark(high)}" if low else f"under {mark(high)}")
        for low, high, shade in zip(lows, highs, shades, strict=True)
    ]
    return (*bands, (needed, SHADES[-1], f"{mark(needed)} or more"))


def _group_words(group: str) -> str:
    """A group as people read it: a month by its name."""
    return _month_words(group) if _MONTH.fullmatch(group) else group


def _place_title(rows: pd.DataFrame, lead: pd.DataFrame, heading: str, needed: float) -> str:
    """The message, of all groups and fields and not only of those that the picture holds. lead : by group."""
    flagged = rows[flagged_rows(rows)].sort_values("value", kind="stable")["group"].unique()
    field, each = short(lead["label"].iloc[0]), heading.lower()
    if len(flagged):
        names = listed([short(_group_words(str(group))) for group in flagged])
        return f"Values are known far less often than overall for {names}"
    named = lead[lead.index != NOT_RECORDED]["value"].dropna().sort_values(kind="stable")
    below = [short(_group_words(str(group))) for group in named.index[named < needed]]
    if not len(named):
        return f"{field}: the known share of each {each} is hidden"
    if len(below) in (0, len(named)):
        side = against_mark(float(named.iloc[0]), needed)
        return f"{field}: {side} for every {each} with a number; none is flagged"
    return f"{field}: below the {mark(needed)} mark for {listed(below)}; no {each} is flagged"


def _place_words(lead: pd.DataFrame, grid: Grid, heading: str) -> str:
    field = short(lead["label"].dropna().iloc[0])
    marked = [
        f"{short(row)} in {short(column)} ({cell.words})"
        for row, cells in zip(grid.rows, grid.cells, strict=True)
        for column, cell in zip(grid.columns, cells, strict=True)
        if cell.flagged
    ]
    spread = _spread(field, lead[lead.index != NOT_RECORDED])
    flags = (
        f" Flagged as far below the whole: {listed(marked, 6)}." if marked else " No cell shown is flagged."
    )
    table = f"A row for each {heading.lower()} and a column for each field, darker where more is known."
    return f"{table}{spread}{flags}"


def _spread(field: str, rows: pd.DataFrame) -> str:
    """Where the known share is lowest and highest; rows by group."""
    known = rows["value"].dropna()
    if known.empty:
        return f" {field} is hidden everywhere."
    low, high = str(known.idxmin()), str(known.idxmax())
    if rows["share"][low] == rows["share"][high]:
        return f" The known share of {field} is {rows['share'][low]} wherever it is shown."
    return (
        f" {field}: lowest {rows['share'][low]} ({short(_group_words(low))}), "
        f"highest {rows['share'][high]} ({short(_group_words(high))})."
    )


def _place_table(grid: Grid, lead: pd.DataFrame, heading: str, counted: str) -> pd.DataFrame:
    table = {heading: [label(row) for row in grid.rows]}
    table[counted.capitalize()] = lead["of"].fillna(UNAVAILABLE_CELL).tolist()
    for place, column in enumerate(grid.columns):
        name = short(column)
        cells = [row[place] for row in grid.cells]
        # Two labels may be cut to the same words.
        unique = name if name not in table else f"{name} ({place + 1})"
        table[unique] = [f"{cell.words}, flagged" if cell.flagged else cell.words for cell in cells]
    return pd.DataFrame(table)


# ---------------------------------------------------------------- a heat map


def draw_grid(canvas: Canvas, grid: Grid) -> None:
    """Cells with white gaps and their numbers, slanted headings above, a key below."""
    across, down = len(grid.columns), len(grid.rows)
    wide = min((WIDTH - SIDE - 0.1) / across, 1.1)
    axes = canvas.add_axes((SIDE / WIDTH, KEY / grid.height, wide * across / WIDTH, ROW * down / grid.height))
    axes.set(xlim=(0, across), ylim=(down, 0), xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    _draw_cells(axes, grid, size=SMALL if wide > 0.55 else 8.5, wide=wide)
    for place, name in enumerate(grid.rows):
        axes.text(-0.08 / wide, place + 0.5, short(name, 27), ha="right", va="center", size=SMALL)
    for place, name in enumerate(grid.columns):
        # Words that run down to their column need no room at the right.
        axes.text(
            *(place + 0.6, -0.15),
            short(name, HEADING),
            ha="right",
            va="bottom",
            size=SMALL,
            rotation=-40,
            rotation_mode="anchor",
        )
    _draw_key(canvas, grid)


def _draw_cells(axes: Axes, grid: Grid, *, size: float, wide: float) -> None:
    boxes: dict[str, list[tuple[int, int]]] = {}
    flagged: list[tuple[int, int]] = []
    for down, cells in enumerate(grid.cells):
        for across, cell in enumerate(cells):
            shade = next(
                (shade for low, shade, _ in reversed(grid.bands) if cell.level >= low), COLOURS["paper"]
            )
            ink = COLOURS["paper"] if shade in SHADES[2:] else COLOURS["ink"]
            boxes.setdefault(shade, []).append((across, down))
            if cell.flagged:
                flagged.append((across, down))
            axes.text(across + 0.5, down + 0.5, cell.words, ha="center", va="center", size=size, color=ink)
    for shade, places in boxes.items():
        edge = COLOURS["line"] if shade == COLOURS["paper"] else "none"
        _draw_boxes(axes, places, 0.02, wide, facecolor=shade, edgecolor=edge, linewidth=0.8)
    if flagged:
        # Around the cell, where the white gap is: inside it would touch the number.
        _draw_boxes(axes, flagged, 0.01, wide, facecolor="none", edgecolor=COLOURS["ink"], linewidth=2.6)


def _draw_boxes(
    axes: Axes, places: Sequence[tuple[int, int]], inset: float, wide: float, **look: Any
) -> None:
    """A box in each cell, as one path, which is small to load. inset : inches from the edge of the cell."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    x, y = inset / wide, inset / ROW
    corners = np.array([(x, y), (1 - x, y), (1 - x, 1 - y), (x, 1 - y), (x, y)])
    boxes = [Path(corners + place, closed=True) for place in places]
    axes.add_patch(PathPatch(Path.make_compound_path(*boxes), **look))


def _draw_key(canvas: Canvas, grid: Grid) -> None:
    axes = canvas.add_axes((0, 0, 1, KEY / grid.height))
    axes.set(xlim=(0, WIDTH), ylim=(0, KEY), xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    cells = [cell for row in grid.cells for cell in row]
    for place, (_, shade, words) in enumerate(grid.bands):
        _draw_entry(axes, 0.1 + 1.72 * place, 0.36, words, shade, 0.6)
    left = 0.1
    if any(cell.flagged for cell in cells):
        _draw_entry(axes, left, 0.08, "flagged: far below the whole", COLOURS["paper"], 1.6)
        left += 2.6
    if any(cell.words == HIDDEN_CELL for cell in cells):
        axes.text(left, 0.165, f"{HIDDEN_CELL} hidden, a small number", va="center", size=SMALL)


def _draw_entry(axes: Axes, left: float, low: float, words: str, shade: str, line: float) -> None:
    axes.fill(
        *([left, left + 0.2, left + 0.2, left], [low, low, low + 0.17, low + 0.17]),
        facecolor=shade,
        edgecolor=COLOURS["ink"],
        linewidth=line,
    )
    axes.text(left + 0.28, low + 0.085, words, va="center", size=SMALL)


# ---------------------------------------------------------------- over time


def over_time(result: EquityResult) -> Charts:
    """Known share of ethnicity, language and both together, month by month, with limits and the mark.

    Empty where fewer than two months have a number. People stand in the month of their latest contact.
    """
    rows = shares_of(result, "breakdown", by="month", unit="people")
    rows = rows[rows["characteristic"].isin((JOINT, *CORE))]
    rows = rows[rows["group"].astype(str).str.fullmatch(_MONTH.pattern)]
    months = _months(rows["group"])
    rows = rows[rows["group"].isin(months)]
    if rows.loc[rows["value"].notna(), "group"].nunique() < LEAST_MONTHS:
        return Charts()
    series = {
        name: rows[rows["characteristic"] == name].set_index("group").reindex(months)
        for name in (*CORE, JOINT)
        if (rows["characteristic"] == name).any()
    }
    return Charts((_time_chart(result, series, _leading(rows)),))


def _months(groups: pd.Series) -> list[str]:
    """The latest months without a gap: a month in which nobody was seen has its place."""
    numbers = [int(group[:4]) * 12 + int(group[5:]) - 1 for group in groups]
    span = range(min(numbers), max(numbers) + 1) if numbers else range(0)
    return [f"{number // 12:04d}-{number % 12 + 1:02d}" for number in span][-MOST_MONTHS:]


def _month_words(month: str) -> str:
    """A month as people write it: "2025-04" -> "April 2025"."""
    return day(datetime.date(int(month[:4]), int(month[5:]), 1)).split(" ", 1)[1]


def _time_chart(result: EquityResult, series: dict[str, pd.DataFrame], leading: str) -> Chart:
    needed = float(result.choices["completeness_threshold"].value)
    names = {name: short(rows["label"].dropna().iloc[0]) for name, rows in series.items()}
    lowest = min(needed, *(rows[["lower", "value"]].min().min() for rows in series.values()))
    floor = axis_start(lowest)
    note = "" if floor == 0 else "; axis not from 0"
    return Chart(
        name=chart_name("over-time"),
        title=_time_title(series[leading], names[leading]),
        subtitle=f"Known share by month of the latest contact, with "
        f"{limits_heading(result)}{note}; {population(result)}",
        source=extract_source(result),
        alternative=_time_words(series, names, needed),
        table=_time_table(series, names, limits_heading(result)),
        csv="breakdown",
        height=TALL,
        draw=lambda canvas: _draw_time(canvas, series, names, needed, floor),
    )


def _time_title(rows: pd.DataFrame, name: str) -> str:
    shown = rows[rows["value"].notna()]
    if len(shown) < LEAST_MONTHS:
        return f"{name}: too few months are shown to see a change"
    first, last = shown.iloc[0], shown.iloc[-1]
    change = "no clear change"
    # Limits that do not meet: a careful test, which calls little a change.
    if last["lower"] > first["upper"]:
        change = "which is higher"
    elif last["upper"] < first["lower"]:
        change = "which is lower"
    start, end = _month_words(str(first.name)), _month_words(str(last.name))
    ends = f"{first['share']} in {start} and {last['share']} in {end}"
    return f"{name}: known for {ends}, {change}"


def _time_words(series: dict[str, pd.DataFrame], names: dict[str, str], needed: float) -> str:
    told = "".join(
        f"{_spread(names[name], rows)}{_beside_mark(rows['value'].dropna(), needed)}"
        for name, rows in series.items()
    )
    return f"Lines by month against a line at {mark(needed)}.{told}"


def _beside_mark(known: pd.Series, needed: float) -> str:
    if known.empty:
        return ""
    below = known < needed
    months = "in every month" if below.all() else "in some months" if below.any() else "in no month"
    return f" It is below the mark {months} shown."


def _time_table(series: dict[str, pd.DataFrame], names: dict[str, str], heading: str) -> pd.DataFrame:
    months = next(iter(series.values())).index
    table = {"Month": [_month_words(month) for month in months]}
    for name, rows in series.items():
        table[names[name]] = rows["share"].fillna(UNAVAILABLE_CELL).tolist()
        table[f"{names[name]}, {heading}"] = rows["limits"].fillna(UNAVAILABLE_CELL).tolist()
    return pd.DataFrame(table)


def _draw_time(
    canvas: Canvas, series: dict[str, pd.DataFrame], names: dict[str, str], needed: float, floor: float
) -> None:
    panels = canvas.subplots(1, len(series), sharey=True, squeeze=False, gridspec_kw={"wspace": 0.1})[0]
    margins(canvas, TALL, left=0.8, right=0.05, top=0.5, bottom=0.3)
    ticks = [tick for tick in axis_ticks(floor) if abs(tick - needed) > 0.1 * (1 - floor)]
    for axes, (name, rows) in zip(panels, series.items(), strict=True):
        axes.set_title("\n".join(wrap(names[name], 24)), size=SMALL)
        _draw_months(axes, rows, floor)
        axes.axhline(needed, color=COLOURS["plum"], linewidth=1.2)
        axes.set_ylim(floor, 1.005)
        axes.set_yticks(ticks, [mark(tick) for tick in ticks])
        axes.grid(axis="y")
    first = panels[0]
    first.text(
        *(-0.03, (needed - floor) / (1.005 - floor)),
        f"{mark(needed)} mark",
        transform=first.transAxes,
        ha="right",
        va="center",
        size=SMALL,
        color=COLOURS["plum"],
    )


def _draw_months(axes: Axes, rows: pd.DataFrame, floor: float) -> None:
    places = np.arange(len(rows))
    axes.fill_between(
        *(places, rows["lower"], rows["upper"]), facecolor=STEPS[1], edgecolor=COLOURS["grey"], linewidth=0.6
    )
    axes.plot(places, rows["value"], color=COLOURS["blue"], marker="o", markersize=4)
    for place in np.flatnonzero(rows["share"] == HIDDEN_CELL):
        axes.text(float(place), floor, HIDDEN_CELL, ha="center", va="bottom", size=SMALL)
    if rows["value"].notna().any():
        last = int(np.flatnonzero(rows["value"].notna())[-1])
        row = rows.iloc[last]
        axes.annotate(
            row["share"],
            (last, row["value"]),
            (5, 0),
            textcoords="offset points",
            va="center",
            size=SMALL,
            weight="bold",
        )
    ends = [_month_words(month) for month in (rows.index[0], rows.index[-1])]
    axes.set_xticks([0, len(rows) - 1], [f"{words[:3]} {words[-4:]}" for words in ends])
    sides: tuple[Literal["left", "right"], ...] = ("left", "right")
    for tick, side in zip(axes.get_xticklabels(), sides, strict=True):
        tick.set_horizontalalignment(side)
    # Room at the right for the number of the last month.
    axes.set_xlim(-0.04 * len(rows), (len(rows) - 1) * 1.36)
