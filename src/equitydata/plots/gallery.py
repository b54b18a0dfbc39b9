"""Which charts a report shows, by part of the page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from equitydata.plots.accessor import Plots
from equitydata.plots.chart import Chart, Charts

if TYPE_CHECKING:
    from equitydata.result import EquityResult

# A page shows figures of so many measures, and stays small whatever a service defines; the others are a call away.
MEASURES_SHOWN = 6
WHOLE: Mapping[str, tuple[Callable[[Plots], Charts], ...]] = MappingProxyType(
    {
        "completeness": (Plots.fall, Plots.over_time),
        "groups": (Plots.by_place,),
        "verification": (Plots.points_of_care, Plots.sources, Plots.agreement, Plots.swaps, Plots.observed),
        "outcomes": (Plots.spine,),
        "representation": (Plots.standing, Plots.representation, Plots.pyramid),
        "history": (Plots.runs,),
    }
)
# Part of the page -> table that a chart draws, and the chart of one of its measures.
OF_A_MEASURE: Mapping[str, tuple[tuple[str, Callable[[Plots, str], Charts]], ...]] = MappingProxyType(
    {
        "comparisons": (("comparisons", Plots.forest),),
        "inequality": (("inequality", Plots.inequality),),
        "unknowns": (("unknowns", Plots.unknowns), ("known_or_not", Plots.known_or_not)),
        "trends": (("trends", Plots.trend), ("changes", Plots.gaps)),
        "places": (("places", Plots.funnel),),
    }
)


def charts_by_section(result: EquityResult) -> dict[str, Charts]:
    """Every chart of a report, by part of the page; a part without charts has none."""
    plots = Plots(result)
    found = {
        section: Charts(chart for build in builders for chart in build(plots))
        for section, builders in WHOLE.items()
    }
    for section, each in OF_A_MEASURE.items():
        found[section] = Charts(
            chart
            for table, build in each
            for measure in _held(result, table)
            for chart in build(plots, measure)
        )
    return _with_own_names(found)


def measures_shown(result: EquityResult) -> list[str]:
    """Measures with figures and tables of their own on the page: the first ones of the service file."""
    outcomes = result.tables.get("outcomes")
    names = [] if outcomes is None else [str(name) for name in outcomes["measure"].unique()]
    return names[:MEASURES_SHOWN]


def _held(result: EquityResult, table: str) -> list[str]:
    """Measures shown of which a table has rows."""
    frame = result.tables.get(table)
    there = set() if frame is None else set(frame["measure"].astype(str))
    return [name for name in measures_shown(result) if name in there]


def _with_own_names(found: Mapping[str, Charts]) -> dict[str, Charts]:
    """The same charts, a number behind a name that another chart has: names begin ids, which a page has once."""
    seen: Counter[str] = Counter()

    def named(chart: Chart) -> Chart:
        seen[chart.name] += 1
        return chart if seen[chart.name] == 1 else replace(chart, name=f"{chart.name}-{seen[chart.name]}")

    return {section: Charts(map(named, charts)) for section, charts in found.items()}
