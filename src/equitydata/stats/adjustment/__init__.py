"""Groups compared with other things held equal: models on grouped counts."""

from equitydata.stats.adjustment.adjusted import adjusted_means, adjusted_rates, adjusted_risks
from equitydata.stats.adjustment.answers import AdjustedGroups

__all__ = [
    "AdjustedGroups",
    "adjusted_means",
    "adjusted_rates",
    "adjusted_risks",
]
