"""A group against the rest and other comparators: differences, ratios, tests, flags, and what the unknown could do."""

from equitydata.comparison.disproportionality import tests_table
from equitydata.comparison.table import comparison_table
from equitydata.comparison.unknowns import known_or_not_table, unknowns_table

__all__ = ["comparison_table", "known_or_not_table", "tests_table", "unknowns_table"]
