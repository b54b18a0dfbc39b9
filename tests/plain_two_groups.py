"""Score limits and exact tails of two groups once more: plain, slow, one table at a time, from the definitions."""

import math
from fractions import Fraction

HALVINGS = 200


def crossing(function, low, high):
    """Where a falling function passes zero, by halving."""
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if function(middle) > 0:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def slope(x, n, p):
    """How the log-likelihood of x out of n rises with p."""
    return (x / p if x else 0.0) - ((n - x) / (1 - p) if n > x else 0.0)


def restricted_difference(x1, n1, x2, n2, difference):
    low, high = max(0.0, -difference), min(1.0, 1 - difference)
    edge = (high - low) * 1e-13
    p2 = crossing(lambda p: slope(x1, n1, p + difference) + slope(x2, n2, p), low + edge, high - edge)
    return p2 + difference, p2


def restricted_ratio(x1, n1, x2, n2, ratio):
    high = min(1.0, 1 / ratio)
    p2 = crossing(
        lambda p: ratio * slope(x1, n1, ratio * p) + slope(x2, n2, p), high * 1e-13, high * (1 - 1e-13)
    )
    return ratio * p2, p2


def restricted_odds(x1, n1, x2, n2, odds_ratio):
    def other(p):
        return p * odds_ratio / (1 - p + p * odds_ratio)

    p2 = crossing(lambda p: x1 + x2 - n1 * other(p) - n2 * p, 0.0, 1.0)
    return other(p2), p2


def z_difference(x1, n1, x2, n2, value):
    p1, p2 = restricted_difference(x1, n1, x2, n2, value)
    gap = x1 / n1 - x2 / n2 - value
    return gap / math.sqrt(p1 * (1 - p1) / n1 + p2 * (1 - p2) / n2)


def z_ratio(x1, n1, x2, n2, value):
    p1, p2 = restricted_ratio(x1, n1, x2, n2, value)
    gap = x1 / n1 - value * x2 / n2
    return gap / math.sqrt(p1 * (1 - p1) / n1 + value**2 * p2 * (1 - p2) / n2)


def z_odds(x1, n1, x2, n2, value):
    p1, p2 = restricted_odds(x1, n1, x2, n2, value)
    return (x1 - n1 * p1) * math.sqrt(1 / (n1 * p1 * (1 - p1)) + 1 / (n2 * p2 * (1 - p2)))


def z_rate_difference(x1, t1, x2, t2, value):
    low = max(0.0, -value)

    def slope_of_rate(rate):
        first = x1 / (rate + value) if x1 else 0.0
        return first - t1 + (x2 / rate if x2 else 0.0) - t2

    high = low + (x1 + x2 + 1) * (1 / t1 + 1 / t2) + 1
    rate2 = crossing(slope_of_rate, low + 1e-15, high)
    return (x1 / t1 - x2 / t2 - value) / math.sqrt((rate2 + value) / t1 + rate2 / t2)


def score_limits(z_of, table, z, low, high, *, log):
    """Both values at which |z| is reached; low and high are the ends of what is possible."""
    to_value = math.exp if log else (lambda value: value)
    lower = crossing(lambda v: z_of(*table, to_value(v)) - z, low, high)
    upper = crossing(lambda v: z_of(*table, to_value(v)) + z, low, high)
    return to_value(lower), to_value(upper)


def exact_table_probabilities(n1, n2, cases):
    """Every possible first cell with its exact probability when the odds ratio is 1."""
    cells = range(max(0, cases - n2), min(n1, cases) + 1)
    total = math.comb(n1 + n2, cases)
    return {cell: Fraction(math.comb(n1, cell) * math.comb(n2, cases - cell), total) for cell in cells}


def fisher(x1, n1, x2, n2, kind):
    chances = exact_table_probabilities(n1, n2, x1 + x2)
    seen = chances[x1]
    half = seen / 2 if kind.endswith("mid_p") else 0
    if kind.startswith("fisher"):
        return float(sum(chance for chance in chances.values() if chance <= seen) - half)
    below = sum(chance for cell, chance in chances.items() if cell <= x1)
    above = sum(chance for cell, chance in chances.items() if cell >= x1)
    return float(min(1, 2 * (min(below, above) - half)))


def binomial_tails(x1, t1, x2, t2, *, mid_p):
    """Twice the smaller tail of x1 out of x1 + x2 in whole times t1 and t2."""
    share, n = Fraction(t1, t1 + t2), x1 + x2
    chances = [math.comb(n, k) * share**k * (1 - share) ** (n - k) for k in range(n + 1)]
    half = chances[x1] / 2 if mid_p else 0
    return float(min(1, 2 * (min(sum(chances[: x1 + 1]), sum(chances[x1:])) - half)))
