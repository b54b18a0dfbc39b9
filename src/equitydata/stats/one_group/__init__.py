"""Statistics of one group: a proportion, count, rate, mean, quantile or standardised rate, with limits."""

from equitydata.stats.one_group.counts import byar, count, count_limits, poisson_exact, rate
from equitydata.stats.one_group.direct_standardisation import (
    StandardisedRates,
    directly_standardised_rate,
    repeat_sums,
)
from equitydata.stats.one_group.indirect_standardisation import (
    expected_events,
    indirectly_standardised_rate,
    standardised_ratio,
)
from equitydata.stats.one_group.life_expectancy import LifeExpectancies, life_expectancy
from equitydata.stats.one_group.means import mean, median, quantile
from equitydata.stats.one_group.proportions import (
    agresti_coull,
    clopper_pearson,
    jeffreys,
    proportion,
    wilson,
)
from equitydata.stats.one_group.quantile_groups import QuantileGroups, quantile_groups

__all__ = [
    "LifeExpectancies",
    "QuantileGroups",
    "StandardisedRates",
    "agresti_coull",
    "byar",
    "clopper_pearson",
    "count",
    "count_limits",
    "directly_standardised_rate",
    "expected_events",
    "indirectly_standardised_rate",
    "jeffreys",
    "life_expectancy",
    "mean",
    "median",
    "poisson_exact",
    "proportion",
    "quantile",
    "quantile_groups",
    "rate",
    "repeat_sums",
    "standardised_ratio",
    "wilson",
]
