"""Measure the intervals on a million groups beside a plain Python loop and statsmodels, in one run.

python benchmarks/stats_speed.py                  a million groups
python benchmarks/stats_speed.py --rows 100_000 --sample 500

The loop, and what statsmodels has for one pair at a time only, run on a sample of the rows and are scaled up to all
of them. CPU seconds, the least of three rounds (one round for what runs row by row). The last columns hold the largest
difference of limits on the sample, relative where a limit is above 1. Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import math
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from scipy.special import betaincinv, gammaincinv, stdtrit
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint
from statsmodels.stats.rates import confint_poisson, confint_poisson_2indep

from equitydata.stats.one_group.counts import rate
from equitydata.stats.one_group.means import mean
from equitydata.stats.one_group.proportions import proportion
from equitydata.stats.two_groups.means import mean_difference
from equitydata.stats.two_groups.proportions import odds_ratio, risk_difference, risk_ratio
from equitydata.stats.two_groups.rates import rate_difference, rate_ratio

Z = 1.959963984540054
ROUNDS = 3
Row = tuple[float, ...]
Pair = tuple[float, float]


@dataclass(frozen=True)
class Contest:
    """One interval: ours on arrays, a loop's body for one row, statsmodels on arrays or for one row."""

    name: str
    columns: str
    ours: Callable[..., tuple[np.ndarray, np.ndarray]]
    loop: Callable[..., Pair] | None = None
    theirs: Callable[..., tuple] | None = None
    theirs_by_row: bool = False


# The bodies of the loop, as a user would write them


def loop_wilson(x: float, n: float) -> Pair:
    spread = Z * math.sqrt(Z * Z + 4 * x * (1 - x / n))
    return (2 * x + Z * Z - spread) / (2 * (n + Z * Z)), (2 * x + Z * Z + spread) / (2 * (n + Z * Z))


def loop_agresti_coull(x: float, n: float) -> Pair:
    larger = n + Z * Z
    centre = (x + Z * Z / 2) / larger
    spread = Z * math.sqrt(centre * (1 - centre) / larger)
    return max(0.0, centre - spread), min(1.0, centre + spread)


def loop_clopper_pearson(x: float, n: float) -> Pair:
    lower = float(betaincinv(x, n - x + 1, 0.025)) if x > 0 else 0.0
    return lower, float(betaincinv(x + 1, n - x, 0.975)) if x < n else 1.0


def loop_jeffreys(x: float, n: float) -> Pair:
    lower = float(betaincinv(x + 0.5, n - x + 0.5, 0.025)) if x > 0 else 0.0
    return lower, float(betaincinv(x + 0.5, n - x + 0.5, 0.975)) if x < n else 1.0


def loop_rate(x: float, t: float) -> Pair:
    if x < 10:
        return (float(gammaincinv(x, 0.025)) if x else 0.0) / t, float(gammaincinv(x + 1, 0.975)) / t
    lower = x * (1 - 1 / (9 * x) - Z / (3 * math.sqrt(x))) ** 3
    y = x + 1
    return lower / t, y * (1 - 1 / (9 * y) + Z / (3 * math.sqrt(y))) ** 3 / t


def loop_newcombe(x: float, n: float, y: float, m: float) -> Pair:
    (l1, u1), (l2, u2), p, q = loop_wilson(x, n), loop_wilson(y, m), x / n, y / m
    return p - q - math.hypot(p - l1, u2 - q), p - q + math.hypot(u1 - p, q - l2)


def loop_katz(x: float, n: float, y: float, m: float) -> Pair:
    ratio, factor = x / n / (y / m), math.exp(Z * math.sqrt(1 / x - 1 / n + 1 / y - 1 / m))
    return ratio / factor, ratio * factor


def loop_koopman(x: float, n: float, y: float, m: float) -> Pair:
    """Bisection of the score on the log of the ratio."""

    def score(log_ratio: float) -> float:
        ratio = math.exp(log_ratio)
        b = n * ratio + x + m + y * ratio
        q = (b - math.sqrt(b * b - 4 * (n + m) * ratio * (x + y))) / (2 * (n + m) * ratio)
        p = ratio * q
        variance = p * (1 - p) / n + ratio * ratio * q * (1 - q) / m
        return (x / n - ratio * y / m) / math.sqrt(variance)

    def bisect(wanted: float) -> float:
        low, high = math.log(x / n / (y / m)) - 6, math.log(x / n / (y / m)) + 6
        for _ in range(50):
            middle = (low + high) / 2
            low, high = (middle, high) if score(middle) > wanted else (low, middle)
        return math.exp(low)

    return bisect(Z), bisect(-Z)


def loop_woolf(x: float, n: float, y: float, m: float) -> Pair:
    odds, factor = (
        x * (m - y) / ((n - x) * y),
        math.exp(Z * math.sqrt(1 / x + 1 / (n - x) + 1 / y + 1 / (m - y))),
    )
    return odds / factor, odds * factor


def loop_log_wald(x: float, t: float, y: float, s: float) -> Pair:
    ratio, factor = x / t / (y / s), math.exp(Z * math.sqrt(1 / x + 1 / y))
    return ratio / factor, ratio * factor


def loop_rate_mover(x: float, t: float, y: float, s: float) -> Pair:
    (l1, u1), (l2, u2), a, b = loop_rate(x, t), loop_rate(y, s), x / t, y / s
    return a - b - math.hypot(a - l1, u2 - b), a - b + math.hypot(u1 - a, b - l2)


def loop_mean(n: float, total: float, squares: float) -> Pair:
    spread = float(stdtrit(n - 1, 0.975)) * math.sqrt((squares - total * total / n) / (n - 1) / n)
    return total / n - spread, total / n + spread


def loop_welch(n: float, mean: float, variance: float, m: float, other: float, spread: float) -> Pair:
    a, b = variance / n, spread / m
    reach = float(stdtrit((a + b) ** 2 / (a * a / (n - 1) + b * b / (m - 1)), 0.975)) * math.sqrt(a + b)
    return mean - other - reach, mean - other + reach


# Ours and statsmodels', from the same columns


def one(function: Callable, method: str):  # type: ignore[no-untyped-def]
    def limits(x: np.ndarray, n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        answer = function(x, n, method=method)
        return answer.lower, answer.upper

    return limits


def two(function: Callable, method: str):  # type: ignore[no-untyped-def]
    def limits(x: np.ndarray, n: np.ndarray, y: np.ndarray, m: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        answer = function(
            numerator=x, denominator=n, comparator_numerator=y, comparator_denominator=m, method=method
        )
        return answer.lower, answer.upper

    return limits


def our_mean(n: np.ndarray, total: np.ndarray, squares: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    answer = mean(n=n, total=total, total_squares=squares)
    return answer.lower, answer.upper


def our_welch(*columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    names = ("size", "mean", "variance", "comparator_size", "comparator_mean", "comparator_variance")
    answer = mean_difference(**dict(zip(names, columns, strict=True)))
    return answer.lower, answer.upper


def sm_rate(x: np.ndarray, t: np.ndarray) -> tuple:
    return confint_poisson(x, t, method="exact-c")


two_shares = partial(partial, confint_proportions_2indep)
two_counts = partial(partial, confint_poisson_2indep)
CONTESTS = (
    Contest(
        "proportion, wilson",
        "x n",
        one(proportion, "wilson"),
        loop_wilson,
        partial(proportion_confint, method="wilson"),
    ),
    Contest(
        "proportion, agresti_coull",
        "x n",
        one(proportion, "agresti_coull"),
        loop_agresti_coull,
        partial(proportion_confint, method="agresti_coull"),
    ),
    Contest(
        "proportion, clopper_pearson",
        "x n",
        one(proportion, "clopper_pearson"),
        loop_clopper_pearson,
        partial(proportion_confint, method="beta"),
    ),
    Contest(
        "proportion, jeffreys",
        "x n",
        one(proportion, "jeffreys"),
        loop_jeffreys,
        partial(proportion_confint, method="jeffreys"),
    ),
    Contest("rate, exact below 10 then byar", "x n", one(rate, "auto"), loop_rate, sm_rate),
    Contest("mean, t", "n total squares", our_mean, loop_mean),
    Contest(
        "risk difference, newcombe",
        "x n y m",
        two(risk_difference, "newcombe"),
        loop_newcombe,
        two_shares(compare="diff", method="newcomb"),
    ),
    Contest(
        "risk difference, miettinen_nurminen",
        "x n y m",
        two(risk_difference, "miettinen_nurminen"),
        None,
        two_shares(compare="diff", method="score", correction=True),
        True,
    ),
    Contest(
        "risk ratio, koopman",
        "x n y m",
        two(risk_ratio, "koopman"),
        loop_koopman,
        two_shares(compare="ratio", method="score", correction=False),
        True,
    ),
    Contest(
        "risk ratio, katz",
        "x n y m",
        two(risk_ratio, "katz"),
        loop_katz,
        two_shares(compare="ratio", method="log"),
    ),
    Contest(
        "odds ratio, score",
        "x n y m",
        two(odds_ratio, "score"),
        None,
        two_shares(compare="or", method="score", correction=False),
        True,
    ),
    Contest(
        "odds ratio, woolf",
        "x10 n y10 m",
        two(odds_ratio, "woolf"),
        loop_woolf,
        two_shares(compare="or", method="logit"),
    ),
    Contest(
        "rate ratio, log_wald",
        "x n y m",
        two(rate_ratio, "log_wald"),
        loop_log_wald,
        two_counts(compare="ratio", method="wald-log"),
    ),
    Contest(
        "rate ratio, score",
        "x n y m",
        two(rate_ratio, "score"),
        None,
        two_counts(compare="ratio", method="score"),
        True,
    ),
    Contest("rate ratio, conditional_exact", "x n y m", two(rate_ratio, "conditional_exact")),
    Contest(
        "rate difference, mover",
        "x n y m",
        two(rate_difference, "mover"),
        loop_rate_mover,
        two_counts(compare="diff", method="mover", method_mover="exact-c"),
    ),
    Contest(
        "rate difference, score",
        "x n y m",
        two(rate_difference, "score"),
        None,
        two_counts(compare="diff", method="score"),
        True,
    ),
    Contest("mean difference, welch_t", "n mean variance m mean2 variance2", our_welch, loop_welch),
)


def groups(rows: int, seed: int) -> dict[str, np.ndarray]:
    """Groups of 30 to 100,000 people with risks from 2% to 50%, their rest, and a measurement; no zero counts."""
    rng = np.random.default_rng(seed)
    n, m = (np.floor(10 ** rng.uniform(1.5, 5, rows)) for _ in range(2))
    x = np.clip(rng.binomial(n.astype(int), rng.uniform(0.02, 0.5, rows)), 1, n - 1).astype(float)
    y = np.clip(rng.binomial(m.astype(int), rng.uniform(0.02, 0.5, rows)), 1, m - 1).astype(float)
    middle, middle2 = rng.normal(50, 5, rows), rng.normal(50, 5, rows)
    variance, variance2 = rng.uniform(1, 100, rows), rng.uniform(1, 100, rows)
    measured = {"mean": middle, "mean2": middle2, "variance": variance, "variance2": variance2}
    tens = {"x10": np.clip(x, 10, n - 10), "y10": np.clip(y, 10, m - 10)}  # Woolf is for cells of 10 and more
    sums = {"total": n * middle, "squares": n * middle**2 + (n - 1) * variance}
    return {"x": x, "n": n, "y": y, "m": m, **tens, **measured, **sums}


def seconds(work: Callable[[], Any], rounds: int = 1) -> tuple[float, Any]:
    """Least CPU seconds of the rounds, and what the work gave: other work on the machine does not count."""
    least, result = math.inf, None
    for _ in range(rounds):
        started = time.process_time()
        result = work()
        least = min(least, time.process_time() - started)
    return least, result


def apart(ours: tuple[np.ndarray, np.ndarray], others: np.ndarray) -> float:
    """Largest difference of limits, relative for limits above 1."""
    mine = np.array(ours)
    return float(np.nanmax(np.abs(mine - others) / np.maximum(1, np.abs(mine))))


def _or_none(limits: Callable[..., Pair], row: Row) -> Pair:
    """Its root finding gives up on some rows."""
    try:
        return limits(*row)
    except ValueError:
        return math.nan, math.nan


def compete(contest: Contest, data: dict[str, np.ndarray], sample: int) -> str:
    """One line of the table."""
    columns = [data[name] for name in contest.columns.split()]
    few = [column[:sample] for column in columns]
    scale = len(columns[0]) / sample
    mine, _ = seconds(lambda: contest.ours(*columns), ROUNDS)
    ours_few = contest.ours(*few)
    cells = [contest.name, f"{mine:.2f}"]
    differences = ["–", "–"]
    if contest.loop is None:
        cells.append("–")
    else:
        rows = list(zip(*(column.tolist() for column in few), strict=True))
        body = contest.loop
        spent, results = seconds(lambda: [body(*row) for row in rows], ROUNDS)
        cells.append(f"{spent * scale / mine:,.1f}")
        differences[0] = f"{apart(ours_few, np.array(results).T):.0e}"
    if contest.theirs is None:
        cells.append("–")
    else:
        theirs, how = contest.theirs, ""
        if contest.theirs_by_row:
            rows = list(zip(*(column.tolist() for column in few), strict=True))[: max(sample // 20, 20)]
            spent, results = seconds(lambda: [_or_none(theirs, row) for row in rows])
            failed = sum(math.isnan(limit[0]) for limit in results)
            how = f" (by row{f', {failed} of {len(rows)} failed' if failed else ''})"
            ratio, others = spent * len(columns[0]) / len(rows) / mine, np.array(results, dtype=float).T
        else:
            spent, results = seconds(lambda: theirs(*columns), ROUNDS)
            ratio, others = spent / mine, np.array(theirs(*few), dtype=float)
        cells.append(f"{ratio:,.1f}{how}")
        differences[1] = f"{apart(tuple(limit[: others.shape[1]] for limit in ours_few), others):.0e}"
    return f"| {' | '.join(cells + differences)} |"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--sample", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    data = groups(asked.rows, asked.seed)
    print(
        f"{asked.rows:,} groups, loop on {min(asked.sample, asked.rows):,} of them and scaled; seed {asked.seed}\n"
    )
    print(
        "| interval | ours, CPU s | loop / ours | statsmodels / ours | differs, loop | differs, statsmodels |"
    )
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    warnings.simplefilter("ignore")  # statsmodels warns of divisions on the way to its limits
    with np.errstate(all="ignore"):
        for contest in CONTESTS:
            contest.ours(
                *(data[name][:10] for name in contest.columns.split())
            )  # imports take no time from ours
            print(compete(contest, data, min(asked.sample, asked.rows)), flush=True)


if __name__ == "__main__":
    main()
