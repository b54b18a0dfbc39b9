"""Statistics of a group beside its comparator: differences and ratios with limits, tests, strata."""

from equitydata.stats.two_groups.means import mean_and_variance, mean_difference, mean_test
from equitydata.stats.two_groups.mover import mover_difference
from equitydata.stats.two_groups.part_and_whole import (
    difference_to_overall,
    naive_z_factor,
    ratio_to_overall,
    rest_of,
)
from equitydata.stats.two_groups.proportions import (
    odds_ratio,
    risk_difference,
    risk_ratio,
    two_proportion_test,
)
from equitydata.stats.two_groups.rates import rate_difference, rate_ratio, two_rate_test
from equitydata.stats.two_groups.standardised_rates import (
    standardised_rate_difference,
    standardised_rate_difference_wald,
    standardised_rate_ratio,
)
from equitydata.stats.two_groups.stratified import (
    Stratified,
    stratified_odds_ratio,
    stratified_rate_difference,
    stratified_rate_ratio,
    stratified_risk_difference,
    stratified_risk_ratio,
)
from equitydata.stats.two_groups.stratified_tests import (
    Homogeneity,
    cochran_mantel_haenszel_test,
    homogeneity,
    mantel_haenszel_rate_test,
)

__all__ = [
    "Homogeneity",
    "Stratified",
    "cochran_mantel_haenszel_test",
    "difference_to_overall",
    "homogeneity",
    "mantel_haenszel_rate_test",
    "mean_and_variance",
    "mean_difference",
    "mean_test",
    "mover_difference",
    "naive_z_factor",
    "odds_ratio",
    "rate_difference",
    "rate_ratio",
    "ratio_to_overall",
    "rest_of",
    "risk_difference",
    "risk_ratio",
    "standardised_rate_difference",
    "standardised_rate_difference_wald",
    "standardised_rate_ratio",
    "stratified_odds_ratio",
    "stratified_rate_difference",
    "stratified_rate_ratio",
    "stratified_risk_difference",
    "stratified_risk_ratio",
    "two_proportion_test",
    "two_rate_test",
]
