"""All inequality measures that apply to a set of groups, side by side.

Harper S, Lynch J (2005) Methods for measuring cancer disparities, NCI;
Schlotheuber A, Hosseinpoor AR (2022) Int J Environ Res Public Health 19:3697.
"""

from __future__ import annotations

from typing import Any

from equitydata.stats.contracts import Confidence
from equitydata.stats.inequality.answer import Inequality
from equitydata.stats.inequality.attributable import attributable_fraction, attributable_risk
from equitydata.stats.inequality.concentration import (
    absolute_concentration,
    relative_concentration,
)
from equitydata.stats.inequality.distances import (
    index_of_disparity,
    mean_difference_from_best,
    mean_difference_from_mean,
    mean_difference_from_reference,
)
from equitydata.stats.inequality.gaps import difference, ratio
from equitydata.stats.inequality.groups import Groups
from equitydata.stats.inequality.simulated import DRAWS, SEED
from equitydata.stats.inequality.slope_index import SLOPE_DRAWS, slope_index
from equitydata.stats.inequality.spreads import (
    between_group_sd,
    between_group_variance,
    coefficient_of_variation,
    mean_log_deviation,
    theil_index,
)


def summarise(
    groups: Groups, *, confidence: Confidence = 0.95, draws: int = DRAWS, seed: int = SEED
) -> tuple[Inequality, ...]:
    """All measures that apply to the groups, an absolute and a relative one always among them.

    Ordered groups: D, R, SII, RII, ACI, RCI, PAR, PAF. Others: D, R, BGV, BGSD, COV, MDM, MDB, MDR (with a
    reference), IDIS, Theil, MLD, PAR, PAF. draws : of each; SII and RII draw 100,000 times or more.
    """
    asked: dict[str, Any] = {"confidence": confidence, "draws": draws, "seed": seed}
    gaps = [measure(groups, **asked) for measure in (difference, ratio)]
    shares = [measure(groups, **asked) for measure in (attributable_risk, attributable_fraction)]
    if groups.ordered:
        slope = slope_index(groups, confidence=confidence, draws=max(draws, SLOPE_DRAWS), seed=seed)
        curves = [measure(groups, **asked) for measure in (absolute_concentration, relative_concentration)]
        return (*gaps, slope.sii, slope.rii, *curves, *shares)
    plain = (between_group_variance, between_group_sd, coefficient_of_variation, theil_index)
    spreads = [measure(groups, **asked) for measure in (*plain, mean_log_deviation)]
    distances = [mean_difference_from_mean, mean_difference_from_best, index_of_disparity]
    if groups.reference is not None:
        distances.append(mean_difference_from_reference)
    both = [
        measure(groups, weighted=weighted, **asked) for measure in distances for weighted in (False, True)
    ]
    return (*gaps, *spreads, *both, *shares)
