"""The root of an increasing function, for a whole array of functions at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from equitydata.stats.answers import FloatArray

STEPS = 200  # plain halving alone needs about 60; the method below takes about 8
FINEST = 1e-25  # of the width between the bounds: only matters to a root next to 0


def increasing_root(
    function: Callable[[FloatArray], FloatArray], low: FloatArray, high: FloatArray
) -> FloatArray:
    """Where an increasing function crosses zero between low and high, entry by entry, to machine precision.

    function : takes and gives an array of the shape of low and high.
    Gives low where the function is above zero already there, high where it is below zero still there, and NaN
    where a bound or the function is NaN. Raises ArithmeticError where no root is found, never a guess.
    Chandrupatla TR (1997). Adv Eng Softw 28:145-149: inverse quadratic steps where they are safe, else halving.
    """
    with np.errstate(all="ignore"):
        a, b = np.array(high, dtype=float), np.array(low, dtype=float)
        f_a, f_b = function(a), function(b)
        at_end = (f_b >= 0) | ~(f_a > 0) | ~(a > b)
        ends = np.where(np.isnan(f_a + f_b + a + b), np.nan, np.where(f_b >= 0, b, a))
        c, f_c = a.copy(), f_a.copy()
        share = np.full(a.shape, 0.5)
        finest = FINEST * np.abs(a - b)
        for _ in range(STEPS):
            new = a + share * (b - a)
            f_new = function(new)
            same = np.sign(f_new) == np.sign(f_a)
            c, f_c = np.where(same, a, b), np.where(same, f_a, f_b)
            b, f_b = np.where(same, b, a), np.where(same, f_b, f_a)
            a, f_a = new, f_new
            best = np.where(np.abs(f_a) < np.abs(f_b), a, b)
            nearest = (2 * np.finfo(float).eps * np.abs(best) + finest) / np.abs(b - a)
            done = at_end | (nearest > 0.5) | (f_a == 0) | (f_b == 0) | (a == b)
            if done.all():
                return np.where(at_end, ends, best)
            share = _next_share(a, b, c, f_a, f_b, f_c, nearest)
            share = np.where(done, 0.5, share)
    raise ArithmeticError(f"no root found in {STEPS} steps")


def _next_share(
    a: FloatArray,
    b: FloatArray,
    c: FloatArray,
    f_a: FloatArray,
    f_b: FloatArray,
    f_c: FloatArray,
    nearest: FloatArray,
) -> FloatArray:
    """How far from a to b the next point lies: by inverse quadratic interpolation where that is safe, else half."""
    position, height = (a - b) / (c - b), (f_a - f_b) / (f_c - f_b)
    safe = (height**2 < position) & ((1 - height) ** 2 < 1 - position)
    curved = f_a / (f_b - f_a) * f_c / (f_b - f_c) + (c - a) / (b - a) * f_a / (f_c - f_a) * f_b / (f_c - f_b)
    return np.clip(np.where(safe & np.isfinite(curved), curved, 0.5), nearest, 1 - nearest)
