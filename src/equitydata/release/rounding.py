"""True numbers -> numbers as they are written: counts to a base, estimates to few digits, p-values in steps."""

from __future__ import annotations

import numpy as np
import pandas as pd

from equitydata.release.book import Flags, Numbers
from equitydata.rulebook import DisclosureRule
from equitydata.tables import TableSpec

DIGITS, LIMIT_DIGITS = 3, 2
# Limits that rest on so many events keep all digits: with fewer, the digits would tell the events to the last one.
MANY = 100
# A p-value is written as the next of these: its digits would tell the four counts behind it.
P_STEPS = (0.001, 0.01, 0.05, 0.1, 0.2, 0.5, 1.0)
P_VALUES = ("p", "p_adjusted")


def with_few_digits(shown: pd.DataFrame, spec: TableSpec) -> pd.DataFrame:
    """Estimates to three digits, limits that rest on few events to two, p-values as the next step above them."""
    few = np.zeros(len(shown), dtype=bool)
    for column in {"numerator", "comparator_numerator", "people"} & set(spec.counts):
        few |= floats(shown[column]) < MANY
    if "statistic" in shown:
        # Sums of values stand behind the limits of means, and no count.
        values = np.array(shown["statistic"].isin(["mean", "quantile"]), dtype=bool)
    else:
        values = np.zeros(len(shown), dtype=bool)
    found = shown.copy()
    for column in spec.estimates:
        if column in P_VALUES:
            found[column] = next_step(shown[column])
        elif column.endswith(("lower", "upper")):
            exact = significant(shown[column])
            coarse = significant(shown[column], digits=LIMIT_DIGITS)
            keeps = values & (not column.startswith("ratio"))
            found[column] = coarse.where(few & ~keeps, exact)
        else:
            found[column] = significant(shown[column])
    return found


def next_step(p: pd.Series) -> pd.Series:
    """Each p-value as the smallest of P_STEPS that is not below it; missing stays missing."""
    numbers = floats(p)
    place = np.searchsorted(P_STEPS, np.where(np.isnan(numbers), 1.0, numbers) - 1e-12)
    return pd.Series(
        np.where(np.isnan(numbers), np.nan, np.asarray(P_STEPS)[np.minimum(place, 6)]), index=p.index
    )


def significant(values: pd.Series, *, digits: int = DIGITS) -> pd.Series:
    """Numbers to so many significant digits; 0, missing and infinite ones stay."""
    numbers = pd.to_numeric(values, errors="coerce").to_numpy(dtype=float)
    usable = np.isfinite(numbers) & (numbers != 0)
    # Below 1e-300 the power itself would overflow, and nobody reads the digits.
    exponent = np.clip(np.floor(np.log10(np.abs(np.where(usable, numbers, 1.0)))), -300, 300)
    # Divided and not multiplied by 10 to a negative power: 0.123 stays the nearest number to 0.123.
    up, down = 10.0 ** np.maximum(digits - 1 - exponent, 0), 10.0 ** np.maximum(exponent - digits + 1, 0)
    with np.errstate(over="ignore", invalid="ignore"):
        rounded = np.round(numbers * up / down) / up * down
    return pd.Series(np.where(usable, rounded, numbers), index=values.index)


def small(counts: Numbers, rule: DisclosureRule) -> Flags:
    """Which counts a rule calls small: from 1 to its limit, and 0 where it says so. Missing is not small."""
    if not rule.hide_up_to:
        return np.zeros(len(counts), dtype=bool)
    lowest = 0 if rule.hide_zeros else 1
    flags: Flags = (counts >= lowest) & (counts <= rule.hide_up_to)
    return flags


def as_rounded(counts: Numbers, rule: DisclosureRule) -> Numbers:
    """Counts to the nearest multiple of the rule's base, halves up, or to the middle of their class; missing stays."""
    base = rule.round_to
    if rule.midpoint:
        return np.ceil(counts / base) * base - np.where(counts > 0, base / 2, 0.0)
    return np.floor(counts / base + 0.5) * base


def range_of(shown: Numbers, rule: DisclosureRule) -> tuple[Numbers, Numbers]:
    """The lowest and highest counts that a rule shows as these numbers; a small one is not shown. Missing stays."""
    half = rule.round_to / 2
    if rule.midpoint:
        nobody = shown == 0
        return np.where(nobody, 0.0, shown - half + 1), np.where(nobody, 0.0, shown + half)
    lowest, highest = np.ceil(shown - half), np.ceil(shown + half) - 1
    may_be_nobody = (shown == 0) & (not rule.hide_zeros)
    lowest = np.where(may_be_nobody, 0.0, np.maximum(lowest, rule.hide_up_to + 1 if rule.hide_up_to else 0))
    return lowest, np.where(may_be_nobody & (highest <= rule.hide_up_to), 0.0, highest)


def round_counts(values: pd.Series, rule: DisclosureRule) -> pd.Series:
    """A column of counts as `as_rounded` gives them."""
    return pd.Series(as_rounded(floats(values), rule), index=values.index)


def round_count(value: int | None, rule: DisclosureRule) -> int | None:
    """One count as `as_rounded` gives it; None for a small one, which is hidden."""
    if value is None:
        return None
    count = np.array([value], dtype=float)
    if small(count, rule)[0] and not rule.midpoint:
        return None
    return int(as_rounded(count, rule)[0])


def floats(values: pd.Series) -> Numbers:
    """A column as numbers, missing where it holds none. Shape as given."""
    numbers: Numbers = pd.to_numeric(values, errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    return numbers
