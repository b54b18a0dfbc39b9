"""Charts as a page shows them: words, picture, and numbers as a table."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from markupsafe import Markup

from equitydata.plots.chart import Chart
from equitydata.report.grid import Cell, Column, Grid, Row, make_grid, symbols
from equitydata.written import label


@dataclass(frozen=True)
class ShownChart:
    """A chart as a page shows it; svg is safe, its words are escaped where they are written."""

    name: str
    title: str
    subtitle: str
    source: str
    alternative: str
    csv: str
    svg: Markup
    grid: Grid


def shown_charts(charts: Iterable[Chart]) -> tuple[ShownChart, ...]:
    """Charts as a page shows them, each with its numbers as a table."""
    return tuple(map(_shown_chart, charts))


def _shown_chart(chart: Chart) -> ShownChart:
    heads = [str(name) for name in chart.table]
    columns = [Column(head, _text_of(head), number=place > 0) for place, head in enumerate(heads)]
    caption = f"Numbers of the figure: {label(chart.title)}"
    return ShownChart(
        name=chart.name,
        title=chart.title,
        subtitle=chart.subtitle,
        source=chart.source,
        alternative=chart.alternative,
        csv=chart.csv,
        svg=Markup(chart.svg),  # noqa: S704 - made by svg_of, which writes all words as XML
        grid=make_grid(f"{chart.name}-numbers", caption, symbols(chart.table), columns, file=chart.csv),
    )


def _text_of(head: str) -> Callable[[Row], Cell]:
    return lambda row: str(row[head])
