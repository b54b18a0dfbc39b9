"""Chart: a figure with everything that must stand beside it.

A picture alone is not a finding and is closed to many readers. A chart holds its message as a title, what it shows as a
subtitle, the source, the same content in words, and the numbers as a table, which are those of the result's tables.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import pandas as pd

from equitydata.plots.style import COLOURS, FONT_SIZE, SMALL, WIDTH, house_style
from equitydata.plots.svg import svg_of
from equitydata.written import visible

if TYPE_CHECKING:
    from matplotlib.figure import Figure, SubFigure

    Canvas: TypeAlias = Figure | SubFigure

# Inches for one line each of title and subtitle above a figure that stands alone, for more lines, and for the source.
HEAD, TITLE_LINE, WORDS_LINE, FOOT = 0.65, 0.22, 0.17, 0.35
TITLE_WIDE, WORDS_WIDE, SOURCE_WIDE = 62, 88, 98  # letters of a line
NAME_LETTERS = 60  # of a chart's name, which every id repeats


@dataclass(frozen=True)
class Chart:
    """One figure of a result, with its words and numbers.

    name : a to z, 0 to 9 and -, unique in a report; begins every id. title : the message, in plain words.
    subtitle : measure, population, place and period. source : of the numbers.
    alternative : what the picture shows, for who does not see it.
    table : the numbers drawn, written as people read them, text only; a row for each mark, with the words
    of the row in the first column. csv : table of the result with all of the numbers.
    height : inches. draw : draws on an empty canvas of 7.6 by `height` inches, in the house style.
    """

    name: str
    title: str
    subtitle: str
    source: str
    alternative: str
    table: pd.DataFrame
    csv: str
    height: float
    draw: Callable[[Canvas], None] = field(repr=False, compare=False)

    @cached_property
    def svg(self) -> str:
        """The picture as an SVG element with real text; title and subtitle stand beside it."""
        from matplotlib.figure import Figure

        with house_style(self.name):
            figure = Figure(figsize=(WIDTH, self.height))
            self.draw(figure)
            return svg_of(figure, name=self.name, title=self.title, description=self.alternative)

    @property
    def figure(self) -> Figure:
        """The picture with title, subtitle and source, as a matplotlib figure of its own: to change, save or paste."""
        from textwrap import fill

        from matplotlib.figure import Figure

        title, words = fill(self.title, TITLE_WIDE), fill(self.subtitle, WORDS_WIDE)
        source = fill(f"Source: {self.source}", SOURCE_WIDE)
        head_height = HEAD + TITLE_LINE * title.count("\n") + WORDS_LINE * words.count("\n")
        foot_height = FOOT + WORDS_LINE * source.count("\n")
        with house_style(self.name):
            whole = Figure(figsize=(WIDTH, self.height + head_height + foot_height))
            parts = whole.subfigures(3, 1, height_ratios=(head_height, self.height, foot_height))
            head, body, foot = parts  # type: ignore[misc]  # three rows are an array
            head.text(0.01, 0.95, title, va="top", weight="bold", size=FONT_SIZE + 2, color=COLOURS["blue"])
            head.text(0.01, 0.05, words, va="bottom", size=SMALL)
            foot.text(0.01, 0.5, source, va="center", size=SMALL - 1)
            self.draw(body)
            return whole

    def save(self, path: str | Path) -> Path:
        """Write the figure with its title; the kind follows the ending (.svg, .png, .pdf). Returns the path."""
        where = Path(path)
        with house_style(self.name):
            self.figure.savefig(where, metadata={"Date": None} if where.suffix == ".svg" else None, dpi=160)
        return where

    def _repr_html_(self) -> str:
        return (
            f"<figure><figcaption><strong>{escape(self.title)}</strong><br>{escape(self.subtitle)}</figcaption>"
            f"{self.svg}<small>Source: {escape(self.source)}</small></figure>"
        )

    def __repr__(self) -> str:
        return f"Chart({self.name!r}: {self.title})"


class Charts(tuple[Chart, ...]):
    """Charts that show themselves in a notebook, one below the other; empty where there is nothing to draw."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        return "\n".join(chart._repr_html_() for chart in self) or "<p>Nothing to draw.</p>"


def chart_name(*parts: str) -> str:
    """A name for a chart from words: "forest", "Did not attend" -> "forest-did-not-attend"."""
    words = "-".join(re.sub(r"[^a-z0-9]+", "-", part.lower()).strip("-") for part in parts if part)
    if len(words) > NAME_LETTERS:
        words = f"{words[:NAME_LETTERS]}-{hashlib.sha256(words.encode()).hexdigest()[:8]}"
    return f"figure-{words}"


def short(label: object, limit: int = 34) -> str:
    """A label of the data as a chart shows it: harmless, and cut with an ellipsis where it is long."""
    words = visible(str(label), limit + 1).split("… [cut]")[0]
    return words if len(words) <= limit else words[: limit - 1].rstrip() + "…"
