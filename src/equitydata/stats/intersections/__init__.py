"""Statistics of crossed characteristics: joint effects of two, many strata shrunk by a multilevel model."""

from equitydata.stats.intersections.interaction import JointEffect, joint_effect
from equitydata.stats.intersections.multilevel import Strata, StrataModel, intersectional_strata, strata_model

__all__ = [
    "JointEffect",
    "Strata",
    "StrataModel",
    "intersectional_strata",
    "joint_effect",
    "strata_model",
]
