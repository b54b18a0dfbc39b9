"""What a comparison lets one say: flags, power, equivalence, and what the unknown could do."""

from equitydata.stats.judgement.equivalence import Equivalence, equivalence, two_one_sided_tests
from equitydata.stats.judgement.flags import Flags, flag
from equitydata.stats.judgement.power import Detectable, detectable_rate_ratio, detectable_ratio
from equitydata.stats.judgement.unknowns import Bounds, outcome_bounds, representation_bounds

__all__ = [
    "Bounds",
    "Detectable",
    "Equivalence",
    "Flags",
    "detectable_rate_ratio",
    "detectable_ratio",
    "equivalence",
    "flag",
    "outcome_bounds",
    "representation_bounds",
    "two_one_sided_tests",
]
