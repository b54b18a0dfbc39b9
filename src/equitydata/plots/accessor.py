"""`result.plot`: every chart by its name, so that tab-completion leads the way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from equitydata.plots.chart import Charts

if TYPE_CHECKING:
    from equitydata.result import EquityResult


@dataclass(frozen=True)
class Plots:
    """The charts of a result. Each call gives a tuple of charts, empty where there is nothing to draw.

    A chart shows itself in a notebook, and has a `.figure` for matplotlib, a `.table` of its numbers and `.save(path)`.
    Charts of true counts are for inside use: release the result first to share them.
    """

    result: EquityResult

    def fall(self, *characteristics: str) -> Charts:
        """From all people to those with a usable value, for ethnicity and language or those named."""
        from equitydata.plots.completeness import fall

        return fall(self.result, *characteristics)

    def by_place(self, by: str = "site") -> Charts:
        """Heat map: how completely each field is recorded at each site, or by another dimension of the breakdown."""
        from equitydata.plots.completeness import by_place

        return by_place(self.result, by)

    def over_time(self) -> Charts:
        """Known ethnicity, language and both, month by month, with the 95% mark."""
        from equitydata.plots.completeness import over_time

        return over_time(self.result)

    def agreement(self, *characteristics: str) -> Charts:
        """How far independent recordings of a person agree, by group."""
        from equitydata.plots.verification import agreement

        return agreement(self.result, *characteristics)

    def points_of_care(self, *characteristics: str) -> Charts:
        """How completely each point of care records."""
        from equitydata.plots.verification import points_of_care

        return points_of_care(self.result, *characteristics)

    def sources(self) -> Charts:
        """Who gave the recorded values: the person, somebody for them, or another source."""
        from equitydata.plots.verification import sources

        return sources(self.result)

    def swaps(self, *characteristics: str) -> Charts:
        """Pairs of groups that the same people were recorded with, the most frequent first."""
        from equitydata.plots.verification import swaps

        return swaps(self.result, *characteristics)

    def observed(self, *characteristics: str) -> Charts:
        """The person's own group against the one that an observer recorded."""
        from equitydata.plots.verification import observed

        return observed(self.result, *characteristics)

    def representation(
        self, characteristic: str | None = None, *, of: str = "users", area_kind: str = "local"
    ) -> Charts:
        """Who is served beside who lives here, with ratio and limits."""
        from equitydata.plots.representation import representation

        return representation(self.result, characteristic, of=of, area_kind=area_kind)

    def pyramid(self, *, area_kind: str = "local") -> Charts:
        """Ages and sexes of users beside residents."""
        from equitydata.plots.pyramid import pyramid

        return pyramid(self.result, area_kind=area_kind)

    def standing(self) -> Charts:
        """Groups of users that are flagged against local residents, ranked."""
        from equitydata.plots.representation import standing

        return standing(self.result)

    def forest(
        self, measure: str | None = None, characteristic: str | None = None, level: str | None = None
    ) -> Charts:
        """Each group against the rest: ratios with limits, a chart for each measure."""
        from equitydata.plots.outcomes import forest

        return forest(self.result, measure=measure, characteristic=characteristic, level=level)

    def spine(self) -> Charts:
        """All measures at once: where the widest differences are."""
        from equitydata.plots.spine import spine

        return spine(self.result)

    def funnel(self, measure: str | None = None) -> Charts:
        """Places against the average of all, with 95% and 99.8% limits."""
        from equitydata.plots.funnel import funnel

        return funnel(self.result, measure=measure)

    def trend(self, measure: str | None = None, characteristic: str | None = None) -> Charts:
        """Each measure by period, for everyone and for flagged groups."""
        from equitydata.plots.trends import trend

        return trend(self.result, measure=measure, characteristic=characteristic)

    def gaps(self, measure: str | None = None) -> Charts:
        """Inequality over time: each group's gap to the rest in the first and the last period."""
        from equitydata.plots.gaps import gaps

        return gaps(self.result, measure=measure)

    def inequality(self, measure: str | None = None) -> Charts:
        """One figure for all groups of each characteristic, with limits."""
        from equitydata.plots.inequality import inequality

        return inequality(self.result, measure=measure)

    def unknowns(self, measure: str | None = None) -> Charts:
        """What people of unknown group could do to each difference."""
        from equitydata.plots.unknowns import unknowns

        return unknowns(self.result, measure=measure)

    def known_or_not(self, measure: str | None = None) -> Charts:
        """Outcome of people whose group is known, against people whose group is not."""
        from equitydata.plots.unknowns import known_or_not

        return known_or_not(self.result, measure=measure)

    def runs(self) -> Charts:
        """Progress over runs."""
        from equitydata.plots.runs import runs

        return runs(self.result)
