"""The shape in which a test over several groups answers, and the words of its notes."""

from __future__ import annotations

from dataclasses import dataclass

from equitydata.stats.answers import FloatArray, Test, TextArray

TOO_FEW_GROUPS = "fewer than two groups can be compared"
NO_CONTRAST = "nobody or everybody has the outcome"
NO_EVENTS = "no events"
LEFT_OUT_MISSING = "left out: a count is missing"
LEFT_OUT_EMPTY = "left out: nobody counted"
SOME_MISSING = "groups with a missing count are left out"
ROUGH = "expected counts are small and counts are not whole numbers: the p-value is rough"


@dataclass(frozen=True)
class GroupsTest:
    """One test over several groups, how large the difference is, and which groups carry it.

    test : the omnibus test. effect : its size, named by effect_name (cramers_v, or cohens_w where there is no
        second side to the table); 0 when all groups are equal; NaN where the test is.
    expected : counts under no difference, in the shape of the groups or the table.
    residual : adjusted standardised residuals in the same shape; about standard normal under no difference,
        so beyond -2 or 2 marks a group (or cell) that carries the difference.
    note : for each group (or row of the table), '' or why it is left out.
    """

    test: Test
    effect: float
    effect_name: str
    expected: FloatArray
    residual: FloatArray
    note: TextArray


def no_test(method: str, reason: str) -> Test:
    """A test that cannot be had, with the reason."""
    return Test(float("nan"), float("nan"), float("nan"), method, reason)
