"""Representation: a group's share of those counted against its share of the population.

A ratio above 1 is over-representation. The population share is a fraction, taken as known (a census) unless a
sample is given for it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from equitydata.stats.answers import Estimates, FloatArray, Tests, TextArray, add_note, texts
from equitydata.stats.contracts import (
    Confidence,
    ContractError,
    as_asked,
    as_counts,
    as_floats,
    beside,
    count_notes,
    refuse_where,
    tails,
)
from equitydata.stats.many_groups.binomial_tails import at_least_tail, at_most_tail
from equitydata.stats.one_group.proportions import wilson

TEST_METHODS = ("exact", "mid_p", "minlike", "score")
NO_SHARE = "the population share is missing"
SHARE_ZERO = "the population share is 0"
NO_DISPERSION = "the dispersion is missing"
ROUNDING = 1e-7  # as R's binom.test does: outcomes this close in probability are equally probable


def representation_ratio(
    *,
    numerator: ArrayLike,
    denominator: ArrayLike,
    share: ArrayLike,
    confidence: Confidence = 0.95,
    dispersion: ArrayLike = 1.0,
) -> Estimates:
    """Representation ratio: share of the group among those counted, over its share of the population.

    numerator : those counted in the group; denominator : all counted; share : population share, a fraction taken
        as known. All of one shape S, or single numbers. Limits are Wilson limits of the share over share.
    dispersion : variance over binomial variance where events repeat (`repeat_dispersion`); counts are divided by it.
    Missing, with the reason, when nobody is counted, an entry is missing, or share is 0.
    Raises ContractError for impossible counts and shares outside 0 to 1.
    """
    x, n, pi, lower, upper, method, notes = _share_limits(
        numerator, denominator, share, confidence, dispersion
    )
    add_note(notes, pi == 0, SHARE_ZERO)
    with np.errstate(invalid="ignore", divide="ignore"):
        over = np.where(pi > 0, pi, np.nan)
        value = np.where(n > 0, x / n, np.nan) / over
    levels = beside(over, tails(confidence))
    return Estimates(value, lower / levels, upper / levels, as_asked(confidence), method, notes)


def representation_gap(
    *,
    numerator: ArrayLike,
    denominator: ArrayLike,
    share: ArrayLike,
    confidence: Confidence = 0.95,
    dispersion: ArrayLike = 1.0,
) -> Estimates:
    """Share of the group among those counted less its share of the population, from -1 to 1.

    Times 100 it is in percentage points. Arguments, missing entries and errors as in `representation_ratio`; a
    population share of 0 is allowed.
    """
    x, n, pi, lower, upper, method, notes = _share_limits(
        numerator, denominator, share, confidence, dispersion
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        value = np.where(n > 0, x / n, np.nan) - pi
    levels = beside(pi, tails(confidence))
    return Estimates(value, lower - levels, upper - levels, as_asked(confidence), method, notes)


def share_test(
    *,
    numerator: ArrayLike,
    denominator: ArrayLike,
    share: ArrayLike,
    method: str = "exact",
    dispersion: ArrayLike = 1.0,
) -> Tests:
    """Test that a group's share of those counted is its population share. Two-sided.

    method : exact (twice the smaller binomial tail, in step with Clopper-Pearson limits), mid_p (the same with half
        the probability of the observed count), minlike (all counts no more probable than the observed one, as R's
        binom.test), or score (normal).
    statistic : z, (x - n share) / sqrt(dispersion n share (1 - share)), whatever the method. Entries with a
        dispersion other than 1 have no exact test: they are answered by score, and their method says quasi_score.
    Missing entries and errors as in `representation_ratio`; minlike refuses counts that are not whole. A share of
    0 or 1 has no z; its p-value is 1 when the counts agree with it and 0 when they cannot.
    """
    from scipy.special import ndtr

    if method not in TEST_METHODS:
        raise ContractError(f"no test {method!r}; one of {', '.join(TEST_METHODS)}")
    x, n = as_counts(numerator=numerator, denominator=denominator)
    x, n, pi, phi = _with_share(x, n, share, dispersion)
    notes = _notes(x, n, pi, phi)
    with np.errstate(invalid="ignore", divide="ignore"):
        z = (x - n * pi) / np.sqrt(phi * n * pi * (1 - pi))
        normal = np.where((pi == 0) | (pi == 1), np.where(x == n * pi, 1.0, 0.0), 2 * ndtr(-np.abs(z)))
    usable = (n > 0) & ~np.isnan(x + pi + phi)
    exactly = usable & (phi == 1) & (method != "score")
    p_value = np.where(usable, normal, np.nan)
    if exactly.any():
        p_value[exactly] = _binomial_p(x[exactly], n[exactly], pi[exactly], method)
    named = texts(x.shape, method)
    named[usable & (phi != 1)] = "quasi_score"
    return Tests(np.where(usable & np.isfinite(z), z, np.nan), p_value, named, notes)


def repeat_dispersion(
    *, events: ArrayLike, squares: ArrayLike, all_events: ArrayLike, all_squares: ArrayLike
) -> FloatArray:
    """Variance of a group's share of events over its binomial variance, when people have several events each.

    events : events of the group; squares : sum over its people of their number of events squared; all_events,
        all_squares : the same over everybody. Shape S. 1 when nobody has more than one event.
    The share is a ratio of totals over people, so its variance is [(1 - s)² Q + s² (Q_all - Q)] / X², Q the squares.
    Where the group has no or all events it is Q_all / X, which holds under no difference.
    NaN without events or with a missing entry. Raises ContractError for totals that cannot be.
    Cochran WG (1977) Sampling Techniques, chapter 6, for the variance of a ratio.
    """
    x, q, total, q_all = as_floats(
        events=events, squares=squares, all_events=all_events, all_squares=all_squares
    )
    refuse_where((x < 0) | (total < 0), "events are negative")
    refuse_where(q < x, "squares are below events")
    refuse_where((x > total) | (q > q_all) | (q_all - q < total - x), "the group has more than everybody")
    with np.errstate(invalid="ignore", divide="ignore"):
        s = x / total
        own = ((1 - s) ** 2 * q + s**2 * (q_all - q)) / (total * s * (1 - s))
        return np.where((s == 0) | (s == 1), q_all / total, own)


def sampled_ratio(
    *,
    numerator: ArrayLike,
    denominator: ArrayLike,
    sample_numerator: ArrayLike,
    sample_denominator: ArrayLike,
    confidence: Confidence = 0.95,
) -> Estimates:
    """Representation ratio when the population share is itself estimated from a sample.

    sample_numerator, sample_denominator : people of the group and all people in an independent simple random
        sample. Koopman score limits of a ratio of two proportions; zero counts as in `comparing.risk_ratio`.
    """
    from equitydata.stats.two_groups.proportions import risk_ratio

    return risk_ratio(
        numerator=numerator,
        denominator=denominator,
        comparator_numerator=sample_numerator,
        comparator_denominator=sample_denominator,
        confidence=confidence,
    )


def _share_limits(
    numerator: ArrayLike,
    denominator: ArrayLike,
    share: ArrayLike,
    confidence: Confidence,
    dispersion: ArrayLike,
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray, TextArray, TextArray]:
    """Counts, population share, Wilson limits of the counted share, their names and notes."""
    x, n = as_counts(numerator=numerator, denominator=denominator)
    x, n, pi, phi = _with_share(x, n, share, dispersion)
    lower, upper = wilson(x / phi, n / phi, confidence=confidence)
    method = texts(x.shape, "wilson")
    method[phi != 1] = "quasi_wilson"
    return x, n, pi, lower, upper, method, _notes(x, n, pi, phi)


def _with_share(
    x: FloatArray, n: FloatArray, share: ArrayLike, dispersion: ArrayLike
) -> tuple[FloatArray, ...]:
    x, n, pi, phi = as_floats(counts=x, denominator=n, share=share, dispersion=dispersion)
    refuse_where((pi < 0) | (pi > 1), "share lies outside 0 to 1")
    refuse_where(phi <= 0, "dispersion is not above 0")
    return x, n, pi, phi


def _notes(x: FloatArray, n: FloatArray, pi: FloatArray, phi: FloatArray) -> TextArray:
    notes = count_notes(x, n)
    add_note(notes, np.isnan(pi), NO_SHARE)
    add_note(notes, np.isnan(phi), NO_DISPERSION)
    return notes


def _binomial_p(x: FloatArray, n: FloatArray, pi: FloatArray, method: str) -> FloatArray:
    if method == "minlike":
        return _minlike(x, n, pi)
    at_most, at_least = at_most_tail(x, n, pi), at_least_tail(x, n, pi)
    if method == "mid_p":
        # Half of each pair keeps small tails exact, where a difference of large ones would not.
        at_most = (at_most + at_most_tail(x - 1, n, pi)) / 2
        at_least = (at_least + at_least_tail(x + 1, n, pi)) / 2
    return np.minimum(1.0, 2 * np.minimum(at_most, at_least))


def _minlike(x: FloatArray, n: FloatArray, pi: FloatArray) -> FloatArray:
    """Probability of every count no more probable than x: its own tail, and one found by halving beyond the mean."""
    refuse_where((x != np.floor(x)) | (n != np.floor(n)), "minlike needs whole counts")
    swap = x > n * pi  # so that the observed count always lies at or below the mean
    x, pi = np.where(swap, n - x, x), np.where(swap, 1 - pi, pi)
    least = _log_mass(x, n, pi) + ROUNDING
    inside, outside = np.ceil(n * pi) - 1, n + 1  # the first count beyond is sought between these two
    while (moving := outside - inside > 1).any():
        middle = np.floor((inside + outside) / 2)
        probable = _log_mass(middle, n, pi) > least
        inside = np.where(moving & probable, middle, inside)
        outside = np.where(moving & ~probable, middle, outside)
    p_value = at_most_tail(x, n, pi) + at_least_tail(outside, n, pi)
    return np.where(x == n * pi, 1.0, np.minimum(1.0, p_value))


def _log_mass(x: FloatArray, n: FloatArray, pi: FloatArray) -> FloatArray:
    from scipy.special import gammaln, xlog1py, xlogy

    with np.errstate(invalid="ignore", divide="ignore"):
        ways = gammaln(n + 1) - gammaln(x + 1) - gammaln(n - x + 1)
        return np.where((x < 0) | (x > n), -np.inf, ways + xlogy(x, pi) + xlog1py(n - x, -pi))
