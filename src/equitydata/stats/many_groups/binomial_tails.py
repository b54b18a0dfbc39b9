"""Tails of the binomial distribution for whole arrays, exact also far out and for very many people."""

from __future__ import annotations

import numpy as np

from equitydata.stats.answers import FloatArray


def at_most_tail(x: FloatArray, n: FloatArray, share: FloatArray) -> FloatArray:
    """P(X <= x) of a count out of n; 0 below 0 and 1 from n upward. Arrays that broadcast."""
    from scipy.special import betainc

    inside = (x >= 0) & (x < n)
    tail = betainc(np.where(inside, n - x, 1.0), np.where(inside, x + 1, 1.0), 1 - share)
    return np.where(inside, tail, np.where(x < 0, 0.0, 1.0))


def at_least_tail(x: FloatArray, n: FloatArray, share: FloatArray) -> FloatArray:
    """P(X >= x) of a count out of n; 1 down from 0 and 0 above n. Arrays that broadcast."""
    from scipy.special import betainc

    inside = (x > 0) & (x <= n)
    tail = betainc(np.where(inside, x, 1.0), np.where(inside, n - x + 1, 1.0), share)
    return np.where(inside, tail, np.where(x > n, 0.0, 1.0))
