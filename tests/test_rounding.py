"""Counts as they are written, and what a reader can make of them: each against a count over all numbers."""

import numpy as np
import pytest

from equitydata.release.rounding import as_rounded, range_of, small
from equitydata.rulebook import disclosure_rule

NUMBERS = np.arange(0.0, 60.0)
RULES = (
    "nhs",
    "opensafely",
    "under-5",
    "threshold-10",
    "none",
    "hide-9-round-10",
    "hide-2-round-10",
    "hide-2-round-10-zeros",
)


@pytest.mark.parametrize("name", RULES)
def test_the_range_behind_a_number_is_of_all_counts_that_are_shown_as_it(name):
    rule = disclosure_rule(name)
    shown = as_rounded(NUMBERS, rule)
    hidden = small(NUMBERS, rule) if not rule.midpoint else np.zeros(len(NUMBERS), dtype=bool)
    low, high = range_of(shown, rule)
    # The last class is cut off by the end of the numbers.
    for number in np.unique(shown[~hidden & (shown < 45)]):
        alike = NUMBERS[(shown == number) & ~hidden]
        place = np.flatnonzero(shown == number)[-1]
        assert (low[place], high[place]) == (alike.min(), alike.max()), number


def test_missing_numbers_stay_missing():
    low, high = range_of(np.array([np.nan]), disclosure_rule("nhs"))
    assert np.isnan(low).all() and np.isnan(high).all()
