"""Figures, analyses and attestations -> criteria, tiers, and what would lift them."""

from equitydata.maturity.tiers import Maturity, rate_maturity

__all__ = ["Maturity", "rate_maturity"]
