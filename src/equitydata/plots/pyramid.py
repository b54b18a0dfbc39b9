"""Ages and sexes of those who are seen, beside those of residents: each as shares of its own total."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from equitydata.plots.chart import Chart, Charts, chart_name, short
from equitydata.plots.represented import (
    HIGH,
    LOW,
    MOST_GROUPS,
    Compared,
    Group,
    against,
    below,
    compared_of,
    in_words,
    message,
    shares_table,
    source,
)
from equitydata.plots.style import COLOURS, SMALL, WIDTH
from equitydata.plots.words import population
from equitydata.strata import CROSS, CROSS_CATEGORY
from equitydata.written import percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from equitydata.plots.chart import Canvas
    from equitydata.result import EquityResult

CROSSED = (f"age{CROSS}sex", f"sex{CROSS}age")
# Inches: a band, the heads above, the key and the note below; the two halves with the ages between them.
ROW, HEAD, FOOT, KEY = 0.3, 0.42, 0.62, 0.22
HALVES = ((1.45, 3.3), (4.3, 6.15))
MIDDLE = 3.8
# Points from the outer edge to the right end of a column of numbers, of the left and the right half.
COLUMNS = ((-56, -6), (52, 102))
SIGNS = {HIGH: "▲ ", LOW: "▼ "}


@dataclass(frozen=True)
class _Half:
    """One side of a pyramid: a group for each age, None where there is none."""

    title: str
    groups: tuple[Group | None, ...]


@dataclass(frozen=True)
class _Pyramid:
    """ages : youngest first. halves : of two sexes, or one half twice where the data does not cross age by sex."""

    compared: Compared
    ages: tuple[str, ...]
    halves: tuple[_Half, _Half]
    crossed: bool


def pyramid(result: EquityResult, *, area_kind: str = "local") -> Charts:
    """Age by sex: users as bars, residents as outlines, shares of their own total. One chart, or none.

    area_kind : whose residents; the next wider area where the table has none.
    Where age by sex was not counted, users by age on the left and residents on the right.
    """
    frame = against(result, area_kind=area_kind)
    for name in CROSSED:
        crossed = compared_of(result, frame, name, most=len(frame))
        found = _by_sex(crossed, name) if crossed is not None else None
        if found is not None:
            return Charts([_chart(result, found)])
    ages = compared_of(result, frame, "age")
    return Charts() if ages is None else Charts([_chart(result, _by_age(ages))])


# ---------------------------------------------------------------- which bands


def _by_age(compared: Compared) -> _Pyramid:
    residents = f"Residents of {short(compared.area, 20)}"
    ages = tuple(group.name for group in compared.groups)
    return _Pyramid(
        compared, ages, (_Half(compared.key, compared.groups), _Half(residents, compared.groups)), False
    )


def _by_sex(compared: Compared, name: str) -> _Pyramid | None:
    """The two sexes with the most residents side by side; None where there are not two."""
    age_at = name.split(CROSS).index("age")
    cells: dict[tuple[str, str], Group] = {}
    for group in compared.groups:
        sides = group.name.split(CROSS_CATEGORY)
        if len(sides) == 2:
            cells[sides[age_at], sides[1 - age_at]] = group
    sexes = dict.fromkeys(sex for _, sex in cells)
    living = {
        sex: sum(_size(group.living) for (_, each), group in cells.items() if each == sex) for sex in sexes
    }
    most = sorted((sex for sex in sexes if living[sex] > 0), key=lambda sex: -living[sex])[:2]
    if len(most) < 2:
        return None
    shown = [sex for sex in sexes if sex in most]
    every = dict.fromkeys(age for age, _ in cells)
    ages = _largest(list(every), cells, shown)
    halves = [_Half(short(sex, 20), tuple(cells.get((age, sex)) for age in ages)) for sex in shown]
    drawn = tuple(group for group in compared.groups if any(group in half.groups for half in halves))
    part = replace(compared, label="Age and sex", groups=drawn, every=len(every))
    return _Pyramid(part, ages, (halves[0], halves[1]), True)


def _largest(
    ages: Sequence[str], cells: Mapping[tuple[str, str], Group], sexes: Sequence[str]
) -> tuple[str, ...]:
    """The ages of most residents, in their order: all of them, where there are not too many to draw."""
    living = {age: sum(_size(cells[age, sex].living) for sex in sexes if (age, sex) in cells) for age in ages}
    kept = sorted(ages, key=lambda age: -living[age])[:MOST_GROUPS]
    return tuple(age for age in ages if age in kept)


def _size(share: float) -> float:
    return 0.0 if math.isnan(share) else share


# ---------------------------------------------------------------- the chart


def _chart(result: EquityResult, found: _Pyramid) -> Chart:
    compared = found.compared
    what = "Age and sex" if found.crossed else "Ages alone (age by sex is not counted)"
    some = f" ({len(found.ages)} of {compared.every} ages; all in the table representation)"
    rest = some if len(found.ages) < compared.every else ""
    return Chart(
        name=chart_name("pyramid"),
        title=message(compared),
        subtitle=f"{what}{rest}, shares of each total; {population(result)}",
        source=source(result, [compared.reference]),
        alternative=in_words(compared, _picture(found)),
        table=shares_table(compared),
        csv="representation",
        height=_height(found),
        draw=lambda canvas: _draw(canvas, found),
    )


def _picture(found: _Pyramid) -> str:
    who, residents = found.compared.who, f"residents of {short(found.compared.area)}"
    left, right = (half.title for half in found.halves)
    if found.crossed:
        what = f"Age pyramid, {left} left and {right} right: bars are of {who}, outlines of {residents}"
    else:
        what = f"Ages of {who} left and of {residents} right"
    return f"{what}; both as shares of their own total."


def _height(found: _Pyramid) -> float:
    return ROW * len(found.ages) + HEAD + _foot(found)


def _foot(found: _Pyramid) -> float:
    return FOOT if found.crossed else FOOT - KEY


def _draw(canvas: Canvas, found: _Pyramid) -> None:
    every = [group for half in found.halves for group in half.groups if group is not None]
    longest = max([0.0, *(_size(share) for group in every for share in (group.users, group.living))]) or 1.0
    for side, half in enumerate(found.halves):
        axes = _half_axes(canvas, side, found)
        axes.set(xlim=(longest * 1.02, 0) if side == 0 else (0, longest * 1.02))
        axes.set_title(half.title, loc="center", size=SMALL, pad=8)
        if found.crossed:
            _draw_sex(axes, half.groups, side)
        else:
            _draw_age(axes, half.groups, side)
    for place, age in enumerate(found.ages):
        up = (_foot(found) + ROW * (place + 0.5)) / _height(found)
        canvas.text(MIDDLE / WIDTH, up, short(age, 17), size=SMALL, ha="center", va="center")
    if found.crossed:
        _draw_key(canvas, found)
    signs = " ▲ ▼ flagged as higher or lower." if any(group.flagged for group in every) else ""
    canvas.text(0.01, 0.06 / _height(found), f"{below(found.compared)}{signs}", size=SMALL - 1, va="bottom")


def _half_axes(canvas: Canvas, side: int, found: _Pyramid) -> Axes:
    left, right = HALVES[side]
    rows, height = len(found.ages), _height(found)
    axes = canvas.add_axes((left / WIDTH, _foot(found) / height, (right - left) / WIDTH, ROW * rows / height))
    axes.set(ylim=(-0.5, rows - 0.5), yticks=[], xticks=[])
    axes.spines["bottom"].set_visible(False)
    axes.spines[("right", "left")[side]].set_visible(True)
    return axes


def _draw_sex(axes: Axes, groups: Sequence[Group | None], side: int) -> None:
    """Bars of users, the outline of residents over them, and both shares at the outer edge."""
    _draw_bars(axes, [math.nan if group is None else group.users for group in groups], "blue")
    _draw_outline(axes, [0.0 if group is None else _size(group.living) for group in groups])
    for column, head in enumerate(("Users", "Residents")):
        _number(axes, len(groups) - 0.1, side, column, head)
    for place, group in enumerate(groups):
        if group is not None:
            _number(axes, place, side, 0, _signed(group), strong=group.flagged)
            _number(axes, place, side, 1, percent(group.living))


def _draw_age(axes: Axes, groups: Sequence[Group | None], side: int) -> None:
    """Bars of users on the left, of residents on the right."""
    known = [group for group in groups if group is not None]
    shares = [group.living if side else group.users for group in known]
    words = [percent(group.living) if side else _signed(group) for group in known]
    _draw_bars(axes, shares, ("blue", "teal")[side])
    for place, (word, group) in enumerate(zip(words, known, strict=True)):
        _number(axes, place, side, 1 - side, word, strong=not side and group.flagged)


def _signed(group: Group) -> str:
    return f"{SIGNS[group.state] if group.flagged else ''}{group.share_words}"


def _draw_bars(axes: Axes, shares: Sequence[float], colour: str) -> None:
    axes.barh(range(len(shares)), [_size(share) for share in shares], height=0.84, color=COLOURS[colour])


def _draw_outline(axes: Axes, shares: Sequence[float]) -> None:
    """Steps in ink on a white edge, so that they are seen on the bars as well as beside them."""
    across = [0.0, *(share for share in shares for _ in range(2)), 0.0]
    up = [-0.5, *(place + end for place in range(len(shares)) for end in (-0.5, 0.5)), len(shares) - 0.5]
    for colour, width in (("paper", 4.5), ("ink", 1.8)):
        axes.plot(across, up, color=COLOURS[colour], linewidth=width, solid_joinstyle="miter", clip_on=False)


def _number(axes: Axes, place: float, side: int, column: int, words: str, *, strong: bool = False) -> None:
    """Words in one of the two columns beyond the outer edge of a half."""
    axes.annotate(
        words,
        (side, place),
        (COLUMNS[side][column], 0),
        xycoords=axes.get_yaxis_transform(),
        textcoords="offset points",
        ha="right",
        va="center",
        size=SMALL - 1,
        weight="bold" if strong else "normal",
    )


def _draw_key(canvas: Canvas, found: _Pyramid) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    residents = f"Residents of {short(found.compared.area, 22)}"
    canvas.legend(
        handles=[
            Patch(color=COLOURS["blue"], label=found.compared.key),
            Line2D([], [], color=COLOURS["ink"], linewidth=1.8, label=residents),
        ],
        loc="center",
        bbox_to_anchor=(MIDDLE / WIDTH, (FOOT - 0.2) / _height(found)),
        ncols=2,
        frameon=False,
        fontsize=SMALL,
    )
