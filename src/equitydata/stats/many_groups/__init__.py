"""Statistics of several groups at once: tests, trend, multiplicity, shares against a population."""

from equitydata.stats.many_groups.answers import GroupsTest
from equitydata.stats.many_groups.exact_tables import fisher
from equitydata.stats.many_groups.goodness_of_fit import goodness_of_fit
from equitydata.stats.many_groups.multiplicity import Adjusted, adjust
from equitydata.stats.many_groups.omnibus import (
    MeansTest,
    chi_square,
    chi_square_table,
    rate_homogeneity,
    welch_anova,
)
from equitydata.stats.many_groups.representation import (
    repeat_dispersion,
    representation_gap,
    representation_ratio,
    sampled_ratio,
    share_test,
)
from equitydata.stats.many_groups.trend import Trend, cochran_armitage, poisson_trend

__all__ = [
    "Adjusted",
    "GroupsTest",
    "MeansTest",
    "Trend",
    "adjust",
    "chi_square",
    "chi_square_table",
    "cochran_armitage",
    "fisher",
    "goodness_of_fit",
    "poisson_trend",
    "rate_homogeneity",
    "repeat_dispersion",
    "representation_gap",
    "representation_ratio",
    "sampled_ratio",
    "share_test",
    "welch_anova",
]
