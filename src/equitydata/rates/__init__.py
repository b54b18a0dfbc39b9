"""Strata -> the value of every measure in every group, with limits that allow for repeated contacts."""

from equitydata.rates.effective import effective
from equitydata.rates.outcomes import outcome_table, with_residents
from equitydata.rates.standardised import standardise

__all__ = ["effective", "outcome_table", "standardise", "with_residents"]
