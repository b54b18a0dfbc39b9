"""Who is seen beside who lives there: bars of both shares with their ratio, and the groups that are flagged."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from equitydata.plots.chart import Chart, Charts, chart_name, short
from equitydata.plots.represented import (
    HIGH,
    LOW,
    NEED_NOT_MIRROR,
    SMALL_ONE,
    TOO_FEW,
    Compared,
    Group,
    against,
    below,
    compared_of,
    distance,
    in_words,
    message,
    shares_table,
    source,
    standing_table,
)
from equitydata.plots.style import COLOURS, SMALL, STEPS, WIDTH
from equitydata.plots.words import listed, population
from equitydata.strata import CROSS, USERS
from equitydata.written import percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from equitydata.plots.chart import Canvas
    from equitydata.result import EquityResult

CORE = ("ethnicity", "language", "deprivation")
MOST_STANDING = 20
# State -> marker, its fill and its line: told apart by shape, and by words beside them.
MARKERS: Mapping[str, tuple[str, str, str]] = {
    HIGH: ("^", COLOURS["blue"], COLOURS["blue"]),
    LOW: ("v", COLOURS["plum"], COLOURS["plum"]),
    SMALL_ONE: ("D", COLOURS["grey"], COLOURS["ink"]),
    TOO_FEW: ("o", COLOURS["paper"], COLOURS["ink"]),
    "": ("s", COLOURS["paper"], COLOURS["ink"]),
}
PLAIN_MARKER = ("o", COLOURS["ink"], COLOURS["ink"])
# Those first named stand first; a tick closer to one that stands than a part of the axis is left out.
TICKS = (1.0, 0.5, 2.0, 0.25, 4.0, 0.125, 8.0, 0.8, 1.25, 0.67, 1.5)
TICK_ROOM = 0.19
FARTHEST = 10.0  # ratios beyond 1/10 and 10 stand at the edge; their numbers stand beside
EDGE = 0.06  # part of the axis that is kept for marks at the edge
# Inches: a row, the heads above the rows, the axis and the note below them.
ROW, HEAD, FOOT = 0.39, 0.52, 0.62
HEAD_ROW = -0.5 - (HEAD - 0.27) / ROW  # middle of the heads, in rows
BAR = 0.36  # of a row
LETTERS, LINES = 23, 2  # of a label
KEY_LETTERS = 28


# ---------------------------------------------------------------- charts


def representation(
    result: EquityResult,
    characteristic: str | None = None,
    *,
    of: str = USERS,
    area_kind: str = "local",
    level: str | None = None,
) -> Charts:
    """Users beside residents: bars of both shares, and their ratio with limits.

    characteristic : one; ethnicity, language and deprivation when left out. of : users, a measure, or a grade of staff.
    area_kind : whose residents; the next wider area where the table has none. level : the first when left out.
    Empty where nothing is compared.
    """
    frame = against(result, of=of, area_kind=area_kind)
    names = [characteristic] if characteristic else list(CORE)
    found = [compared_of(result, frame, name, level) for name in names]
    return Charts(_paired(result, each) for each in found if each is not None)


def standing(result: EquityResult) -> Charts:
    """Every group of users that is flagged against local residents, ranked by ratio: one chart, or none.

    First levels, without crossings; of more than 20 those furthest from 1.
    """
    frame = against(result)
    names = [name for name in dict.fromkeys(frame["characteristic"]) if CROSS not in str(name)]
    found = [each for each in (compared_of(result, frame, name) for name in names) if each is not None]
    flagged = [group for each in found for group in each.groups if group.flagged]
    if not flagged:
        return Charts()
    kept = sorted(flagged, key=lambda group: -distance(group.ratio))[:MOST_STANDING]
    ranked = tuple(sorted(kept, key=lambda group: (-group.ratio, group.living)))
    return Charts([_ranked(result, found, ranked, flagged=len(flagged))])


# ---------------------------------------------------------------- paired bars with a ratio


def _paired(result: EquityResult, compared: Compared) -> Chart:
    some = f" ({len(compared.groups)} of {compared.every} groups; all in the table representation)"
    rest = some if len(compared.groups) < compared.every else ""
    return Chart(
        name=chart_name("representation", short(compared.of), short(compared.characteristic)),
        title=message(compared),
        subtitle=f"Share of {compared.who} beside share of residents{rest}; {population(result)}",
        source=source(result, [compared.reference]),
        alternative=in_words(
            compared,
            f"Bars for {len(compared.groups)} groups: share of {compared.who} beside share of residents of "
            f"{short(compared.area)}, and the ratio of the two with {compared.confidence} limits.",
        ),
        table=shares_table(compared),
        csv="representation",
        height=_height(len(compared.groups)),
        draw=lambda canvas: _draw_paired(canvas, compared),
    )


def _draw_paired(canvas: Canvas, compared: Compared) -> None:
    groups = compared.groups
    bars = _panel(canvas, (1.92, 3.72), len(groups))
    for place, group in enumerate(groups):
        _write(bars, (0, place), -5, _in_lines(group.name), size=SMALL)
    _write(bars, (0, HEAD_ROW), -5, _in_lines(compared.label), size=SMALL)
    _draw_bars(bars, groups)
    _draw_keys(bars, short(compared.key, KEY_LETTERS), short(f"Residents of {compared.area}", KEY_LETTERS))
    ratios = _panel(canvas, (4.32, 6.02), len(groups))
    _draw_ratios(ratios, groups, compared.band)
    head = ("Ratio of the two shares,", f"with {compared.confidence} limits")
    _write(ratios, (0, HEAD_ROW), 0, head, size=SMALL)
    for place, group in enumerate(groups):
        _beside(ratios, place, group)
    _note(canvas, groups, below(compared))


def _draw_bars(axes: Axes, groups: Sequence[Group]) -> None:
    """Users above residents in each row, with their shares at the end of the bars."""
    users = [(group.users, group.share_words) for group in groups]
    living = [(group.living, percent(group.living)) for group in groups]
    longest = max((share for share, _ in users + living if not math.isnan(share)), default=0.0) or 1.0
    axes.set(xlim=(0, longest * 1.02), xticks=[])
    axes.spines["bottom"].set_visible(False)
    axes.spines["left"].set_visible(True)
    for shift, colour, shares in ((-BAR / 2, "blue", users), (BAR / 2, "teal", living)):
        places = [place + shift for place in range(len(groups))]
        ends = [0.0 if math.isnan(share) else share for share, _ in shares]
        axes.barh(places, ends, height=BAR, color=COLOURS[colour])
        for place, end, (_, words), group in zip(places, ends, shares, groups, strict=True):
            # Of a group that is not collected there is no number on either side: the words on the right say so.
            if group.collected:
                _at(axes, (end, place), (3, 0), words, va="center_baseline", size=SMALL - 1)


def _draw_keys(axes: Axes, users: str, residents: str) -> None:
    """Names of the two bars above them, each behind a square of its colour."""
    for line, (colour, words) in enumerate((("blue", users), ("teal", residents))):
        row = HEAD_ROW + (line - 0.5) * 0.5
        axes.plot(
            [0.03], [row], "s", color=COLOURS[colour], transform=axes.get_yaxis_transform(), clip_on=False
        )
        _write(axes, (0, row), 10, [words], size=SMALL)


# ---------------------------------------------------------------- flagged groups, ranked


def _ranked(
    result: EquityResult, found: Sequence[Compared], groups: tuple[Group, ...], *, flagged: int
) -> Chart:
    first = found[0]
    above = sum(group.state == HIGH for group in groups)
    rest = f", the {len(groups)} furthest from 1 of {flagged}" if len(groups) < flagged else ""
    drawn = [each for each in found if set(each.groups) & set(groups)]
    tables = listed(list(dict.fromkeys(short(each.reference.split(":")[0], 60) for each in drawn)), 4)
    areas = listed(list(dict.fromkeys(short(each.area) for each in drawn)))
    ends = " ".join(f"Most {side}: {group.sentence}." for side, group in _ends(groups))
    return Chart(
        name=chart_name("standing"),
        title=_ranked_message(groups, flagged),
        subtitle=f"Share of {first.who} over share of residents{rest}; {population(result)}",
        source=source(result, [tables]),
        alternative=f"Ratios with {first.confidence} limits of {len(groups)} groups, the highest first: {above} above "
        f"their share of residents of {areas} and {len(groups) - above} below. {ends} {NEED_NOT_MIRROR}",
        table=standing_table(groups, first),
        csv="representation",
        height=_height(len(groups)),
        draw=lambda canvas: _draw_ranked(canvas, groups, first),
    )


def _ends(groups: Sequence[Group]) -> list[tuple[str, Group]]:
    """The first group above and the last below, of groups ranked from the highest ratio."""
    ends = (("above", groups[0], HIGH), ("below", groups[-1], LOW))
    return [(side, group) for side, group, state in ends if group.state == state]


def _ranked_message(groups: Sequence[Group], flagged: int) -> str:
    words = [
        f"{short(group.characteristic, 18)}, {short(group.name, 22)} most {side} (ratio {group.ratio_words})"
        for side, group in _ends(groups)
    ]
    stand = "group stands" if flagged == 1 else "groups stand"
    return f"{flagged} {stand} out from residents: {'; '.join(words)}"


def _draw_ranked(canvas: Canvas, groups: Sequence[Group], first: Compared) -> None:
    axes = _panel(canvas, (2.3, 4.6), len(groups))
    for place, group in enumerate(groups):
        _write(axes, (0, place), -8, (short(group.name, 28), short(group.characteristic, 29)), strong=0)
        _beside(axes, place, group)
        shares = (
            f"{group.share_words} of {short(first.who, 15)}",
            f"{percent(group.living)} of residents",
        )
        _write(axes, (1, place), 112, shares)
    _draw_ratios(axes, groups, first.band)
    head = ("Ratio of share of users to share", f"of residents, with {first.confidence} limits")
    _write(axes, (0, HEAD_ROW), 0, head, size=SMALL)
    _note(canvas, groups, NEED_NOT_MIRROR)


# ---------------------------------------------------------------- ratios


def _draw_ratios(axes: Axes, groups: Sequence[Group], band: tuple[float, float]) -> None:
    """Ratios with limits on a log axis with 1 and the band marked; an arrow where a limit lies beyond the axis."""
    low, high = _span(groups)
    axes.set(xscale="log", xlim=(low, high))
    ticks = _ticks(low, high)
    axes.set_xticks(ticks, labels=[f"{tick:g}" for tick in ticks])
    axes.set_xticks([], minor=True)
    axes.axvspan(*band, color=STEPS[0], linewidth=0)
    axes.axvline(1, color=COLOURS["ink"], linewidth=1)
    axes.set_xlabel(f"shaded: small, {band[0]:g} to {band[1]:g}", size=SMALL - 1)
    for place, group in enumerate(groups):
        if group.compared:
            _draw_ratio(axes, place, group, (low, high))


def _span(groups: Sequence[Group]) -> tuple[float, float]:
    """Lowest and highest ratio of the axis: all ratios and limits, within a tenth and ten, and some around 1."""
    ends = [end for group in groups if group.compared for end in (group.lower, group.ratio, group.upper)]
    near = [min(max(end, 1 / FARTHEST), FARTHEST) for end in ends]
    low, high = min([0.6, *near]), max([1.7, *near])
    margin = (high / low) ** EDGE
    return low / margin, high * margin


def _ticks(low: float, high: float) -> list[float]:
    """Ticks of the axis, none over another."""
    whole = math.log(high / low)
    kept: list[float] = []
    for tick in TICKS:
        room = min((abs(math.log(tick / other)) for other in kept), default=whole)
        if low < tick < high and room >= TICK_ROOM * whole:
            kept.append(tick)
    return sorted(kept)


def _draw_ratio(axes: Axes, place: int, group: Group, edges: tuple[float, float]) -> None:
    marker, fill, line = MARKERS.get(group.state, PLAIN_MARKER)
    low, high = edges
    ends = [min(max(end, low), high) for end in (group.lower, group.upper)]
    axes.plot(ends, [place, place], color=line, linewidth=1.6, solid_capstyle="butt")
    for beyond, edge, arrow in ((group.lower < low, low, "<"), (group.upper > high, high, ">")):
        if beyond:
            axes.plot([edge], [place], arrow, color=line, markersize=5, clip_on=False)
    at = min(max(group.ratio, 1 / FARTHEST), FARTHEST)
    axes.plot([at], [place], marker, markerfacecolor=fill, markeredgecolor=line, clip_on=False)


def _beside(axes: Axes, place: int, group: Group) -> None:
    """The ratio and the word of a group, right of the ratios."""
    if not group.compared:
        _write(axes, (1, place), 8, (group.word,))
        return
    lines = (f"{group.ratio_words} ({group.limits_words})", group.word)
    colour = MARKERS[group.state][1] if group.flagged else COLOURS["ink"]
    _write(axes, (1, place), 8, lines, strong=1 if group.flagged else None, colour=colour)


# ---------------------------------------------------------------- panels and words


def _height(rows: int) -> float:
    return ROW * rows + HEAD + FOOT


def _panel(canvas: Canvas, across: tuple[float, float], rows: int) -> Axes:
    """Axes between two places (inches from the left), a row for each group, the first one on top."""
    height = _height(rows)
    left, right = across
    axes = canvas.add_axes((left / WIDTH, FOOT / height, (right - left) / WIDTH, ROW * rows / height))
    axes.set(ylim=(rows - 0.5, -0.5), yticks=[])
    return axes


def _in_lines(name: str) -> list[str]:
    lines = wrap(short(name, LETTERS * LINES), LETTERS) or [""]
    return [*lines[: LINES - 1], lines[LINES - 1] + "…"] if len(lines) > LINES else lines


def _at(
    axes: Axes,
    at: tuple[float, float],
    shift: tuple[float, float],
    words: str,
    *,
    va: str = "center",
    **how: Any,
) -> None:
    """Words at a place of the axes, moved by points."""
    axes.annotate(words, at, shift, textcoords="offset points", va=va, **how)


def _write(
    axes: Axes,
    at: tuple[float, float],
    shift: float,
    lines: Sequence[str],
    *,
    size: float = SMALL - 1,
    strong: int | None = None,
    colour: str = COLOURS["ink"],
) -> None:
    """One or two lines beside a row, each a text of its own: the font of the page has other widths.

    at : side of the axes, 0 or 1, and row. shift : points from there, to the left where negative.
    strong : line in bold, in the colour given.
    """
    for line, words in enumerate(lines):
        _at(
            axes,
            at,
            (shift, (5.5 - 11 * line) if len(lines) > 1 else 0),
            words,
            xycoords=axes.get_yaxis_transform(),
            ha="right" if shift < 0 else "left",
            size=size,
            weight="bold" if line == strong else "normal",
            color=colour if line == strong else COLOURS["ink"],
        )


def _note(canvas: Canvas, groups: Sequence[Group], words: str) -> None:
    ends = [end for group in groups if group.compared for end in (group.lower, group.upper)]
    beyond = any(not 1 / FARTHEST <= end <= FARTHEST for end in ends)
    arrows = " An arrow points beyond the axis." if beyond else ""
    canvas.text(0.01, 0.06 / _height(len(groups)), f"{words}{arrows}", size=SMALL - 1, va="bottom")
