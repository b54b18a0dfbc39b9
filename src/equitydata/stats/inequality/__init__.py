"""Inequality over a whole population: one number for how far its groups lie apart.

Every measure takes `Groups`, made by `as_groups`, and answers with an `Inequality`; `summarise` gives those that apply.
"""

from equitydata.stats.inequality.answer import Inequality, rescale
from equitydata.stats.inequality.attributable import attributable_fraction, attributable_risk
from equitydata.stats.inequality.change import Changes, change, changes
from equitydata.stats.inequality.change_resampled import ResampledChange, resampled_change
from equitydata.stats.inequality.concentration import (
    absolute_concentration,
    erreygers_index,
    relative_concentration,
    wagstaff_index,
)
from equitydata.stats.inequality.distances import (
    index_of_disparity,
    mean_difference_from_best,
    mean_difference_from_mean,
    mean_difference_from_reference,
)
from equitydata.stats.inequality.gaps import difference, ratio
from equitydata.stats.inequality.groups import Groups, as_groups
from equitydata.stats.inequality.slope_from_counts import slope_index_from_counts
from equitydata.stats.inequality.slope_index import SlopeIndex, lack_of_fit, slope_index
from equitydata.stats.inequality.spreads import (
    between_group_sd,
    between_group_variance,
    coefficient_of_variation,
    mean_log_deviation,
    theil_index,
)
from equitydata.stats.inequality.summary import summarise

__all__ = [
    "Changes",
    "Groups",
    "Inequality",
    "ResampledChange",
    "SlopeIndex",
    "absolute_concentration",
    "as_groups",
    "attributable_fraction",
    "attributable_risk",
    "between_group_sd",
    "between_group_variance",
    "change",
    "changes",
    "coefficient_of_variation",
    "difference",
    "erreygers_index",
    "index_of_disparity",
    "lack_of_fit",
    "mean_difference_from_best",
    "mean_difference_from_mean",
    "mean_difference_from_reference",
    "mean_log_deviation",
    "ratio",
    "relative_concentration",
    "resampled_change",
    "rescale",
    "slope_index",
    "slope_index_from_counts",
    "summarise",
    "theil_index",
    "wagstaff_index",
]
