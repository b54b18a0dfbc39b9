"""Statistics of many units, such as points of care: funnels, overdispersion, shrinkage, control charts."""

from equitydata.stats.units.control_charts import XmR, xmr
from equitydata.stats.units.funnels import (
    DiscoveryLine,
    Funnel,
    false_discovery_line,
    proportion_funnel,
    proportion_limits,
    rate_funnel,
    rate_limits,
    standardised_rate_funnel,
    tail_labels,
)
from equitydata.stats.units.overdispersion import (
    Overdispersion,
    overdispersed_funnel,
    overdispersed_limits,
    overdispersion,
)
from equitydata.stats.units.shrinkage import Shrunk, shrink_proportions, shrink_rates

__all__ = [
    "DiscoveryLine",
    "Funnel",
    "Overdispersion",
    "Shrunk",
    "XmR",
    "false_discovery_line",
    "overdispersed_funnel",
    "overdispersed_limits",
    "overdispersion",
    "proportion_funnel",
    "proportion_limits",
    "rate_funnel",
    "rate_limits",
    "shrink_proportions",
    "shrink_rates",
    "standardised_rate_funnel",
    "tail_labels",
    "xmr",
]
