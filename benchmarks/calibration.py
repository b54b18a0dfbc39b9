"""Do the intervals hold what they say, and how often does chance alone raise a flag?

python benchmarks/calibration.py                                     every table, a minute or two
python benchmarks/calibration.py --seconds 10 --draws 2000 --seed 7  a quick look

Coverage of one proportion, one count and of two of them is worked out exactly, by summing the probability of each
outcome whose interval holds the truth. Standardised rates, means, models and flags are simulated, seeded, until
the draws are done or the seconds are up; the draws that were done are printed. A missing interval makes no
statement, so coverage is among the outcomes that have one.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy.stats import binom, poisson

from equitydata.stats.adjustment.adjusted import adjusted_risks
from equitydata.stats.judgement.flags import flag
from equitydata.stats.many_groups.multiplicity import adjust
from equitydata.stats.one_group.counts import count
from equitydata.stats.one_group.direct_standardisation import directly_standardised_rate
from equitydata.stats.one_group.means import mean
from equitydata.stats.one_group.proportions import proportion
from equitydata.stats.two_groups.means import mean_difference
from equitydata.stats.two_groups.part_and_whole import rest_of
from equitydata.stats.two_groups.proportions import (
    odds_ratio,
    risk_difference,
    risk_ratio,
    two_proportion_test,
)
from equitydata.stats.two_groups.rates import rate_difference, rate_ratio

# A truth that lies on a limit is held, whatever the last bit says.
ROUNDING = 1e-12

PROPORTIONS = np.arange(1, 200) / 200
SIZES = (10, 30, 100, 1000)
COUNTS = np.geomspace(0.5, 200, 150)
PAIRS = ((20, 20), (30, 100), (100, 100), (50, 200))
PAIRED = np.array([0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.95])
PAIRED_COUNTS = np.array([1, 3, 6, 10, 20, 40.0])
PERSON_TIMES = ((1.0, 1.0), (1.0, 4.0))
BATCH = 1000

PROPORTION_METHODS = ("wilson", "clopper_pearson", "jeffreys", "agresti_coull")
COUNT_METHODS = ("auto", "exact", "byar")


@dataclass(frozen=True)
class Held:
    """How often an interval held the truth. mean, least : over the true values tried. draws : 0 is exact."""

    interval: str
    size: str
    nominal: float
    mean: float
    least: float
    draws: int = 0


@dataclass(frozen=True)
class FalseFlags:
    """Reports on equal groups. flagged : share with a flag; evident : share with an adjusted p below 0.05."""

    groups: str
    risk: float
    flagged: float
    evident: float
    unadjusted: float
    draws: int


def _share_held(held: np.ndarray, known: np.ndarray, weights: np.ndarray) -> float:
    return float(np.sum(weights * (held & known)) / np.sum(weights * known))


def one_proportion(method: str, size: int, confidence: float) -> Held:
    """Exact coverage over true proportions 0.005, 0.01 ... 0.995."""
    x = np.arange(size + 1)
    limits = proportion(x, np.full(size + 1, size), confidence=confidence, method=method)
    lower, upper = limits.lower[:, None] - ROUNDING, limits.upper[:, None] + ROUNDING
    held = (lower <= PROPORTIONS) & (upper >= PROPORTIONS)
    coverage = np.sum(binom.pmf(x[:, None], size, PROPORTIONS) * held, axis=0)
    return Held(f"proportion, {method}", f"n {size}", confidence, coverage.mean(), coverage.min())


def one_count(method: str, confidence: float) -> Held:
    """Exact coverage over 150 true means from 0.5 to 200."""
    x = np.arange(int(poisson.ppf(1 - 1e-12, COUNTS.max())) + 1)
    limits = count(x, confidence=confidence, method=method)
    known = ~np.isnan(limits.lower)
    held = (limits.lower[:, None] <= COUNTS + ROUNDING) & (limits.upper[:, None] >= COUNTS - ROUNDING)
    likely = poisson.pmf(x[:, None], COUNTS)
    coverage = np.array([_share_held(held[:, k], known, likely[:, k]) for k in range(len(COUNTS))])
    return Held(f"count, {method}", "mean 0.5 to 200", confidence, coverage.mean(), coverage.min())


Measure = tuple[str, Callable[..., object], str, Callable[[float, float], float]]

TWO_PROPORTIONS: tuple[Measure, ...] = (
    ("risk difference, newcombe", risk_difference, "newcombe", lambda p, q: p - q),
    ("risk difference, miettinen_nurminen", risk_difference, "miettinen_nurminen", lambda p, q: p - q),
    ("risk ratio, koopman", risk_ratio, "koopman", lambda p, q: p / q),
    ("risk ratio, miettinen_nurminen", risk_ratio, "miettinen_nurminen", lambda p, q: p / q),
    ("risk ratio, katz", risk_ratio, "katz", lambda p, q: p / q),
    ("odds ratio, score", odds_ratio, "score", lambda p, q: p / (1 - p) / (q / (1 - q))),
)
TWO_RATES: tuple[Measure, ...] = (
    ("rate ratio, auto", rate_ratio, "auto", lambda a, b: a / b),
    ("rate ratio, score", rate_ratio, "score", lambda a, b: a / b),
    ("rate ratio, conditional_exact", rate_ratio, "conditional_exact", lambda a, b: a / b),
    ("rate ratio, mid_p", rate_ratio, "mid_p", lambda a, b: a / b),
    ("rate ratio, log_wald", rate_ratio, "log_wald", lambda a, b: a / b),
    ("rate difference, mover", rate_difference, "mover", lambda a, b: a - b),
    ("rate difference, score", rate_difference, "score", lambda a, b: a - b),
)


def two_proportions(measure: Measure, sizes: tuple[int, int], confidence: float) -> Held:
    """Exact coverage over all pairs of nine true proportions: every outcome of both groups is weighed."""
    name, function, method, truth = measure
    x1, x2 = (grid.ravel() for grid in np.meshgrid(*(np.arange(n + 1) for n in sizes), indexing="ij"))
    limits = function(
        numerator=x1,
        denominator=np.full(x1.shape, sizes[0]),
        comparator_numerator=x2,
        comparator_denominator=np.full(x2.shape, sizes[1]),
        confidence=confidence,
        method=method,
    )
    pairs = [(p, q) for p in PAIRED for q in PAIRED]
    likely = ((binom.pmf(x1, sizes[0], p) * binom.pmf(x2, sizes[1], q), truth(p, q)) for p, q in pairs)
    return _held_of_pairs(name, f"n {sizes[0]} and {sizes[1]}", confidence, limits, likely)


def two_rates(measure: Measure, times: tuple[float, float], confidence: float) -> Held:
    """Exact coverage (outcomes rarer than 1 in 10^10 left out) over all pairs of true counts from 1 to 40."""
    name, function, method, truth = measure
    top = int(poisson.ppf(1 - 1e-10, PAIRED_COUNTS.max())) + 1
    x1, x2 = (grid.ravel() for grid in np.meshgrid(np.arange(top), np.arange(top), indexing="ij"))
    limits = function(
        numerator=x1,
        denominator=np.full(x1.shape, times[0]),
        comparator_numerator=x2,
        comparator_denominator=np.full(x2.shape, times[1]),
        confidence=confidence,
        method=method,
    )
    pairs = [(a, b) for a in PAIRED_COUNTS for b in PAIRED_COUNTS]
    likely = ((poisson.pmf(x1, a) * poisson.pmf(x2, b), truth(a / times[0], b / times[1])) for a, b in pairs)
    return _held_of_pairs(name, f"person-time {times[0]:g} to {times[1]:g}", confidence, limits, likely)


def _held_of_pairs(name, size, confidence, limits, likely) -> Held:  # type: ignore[no-untyped-def]
    lower, upper = limits.lower, limits.upper
    known = ~(np.isnan(lower) | np.isnan(upper))
    slack = ROUNDING
    coverage = [
        _share_held((lower <= truth + slack) & (upper >= truth - slack), known, weights)
        for weights, truth in likely
    ]
    return Held(name, size, confidence, float(np.mean(coverage)), float(np.min(coverage)))


# Simulated


def simulated(
    name: str,
    draw: Callable[[np.random.Generator, int], tuple[np.ndarray, np.ndarray, float]],
    *,
    confidence: float,
    draws: int,
    seconds: float,
    seed: int,
    size: str,
    batch: int = BATCH,
) -> Held:
    """Coverage of the limits that `draw` gives for a number of samples, together with the truth."""
    draw(np.random.default_rng(seed), 1)  # what is imported on the way takes no time from the draws
    rng, until = np.random.default_rng(seed), time.monotonic() + seconds
    held = known = done = 0
    while done < draws and (done == 0 or time.monotonic() < until):
        lower, upper, truth = draw(rng, min(batch, draws - done))
        there = ~(np.isnan(lower) | np.isnan(upper))
        held += int(np.sum(there & (lower <= truth) & (truth <= upper)))
        known += int(np.sum(there))
        done += len(lower)
    return Held(name, size, confidence, held / known, held / known, known)


BANDS = np.array([20_000, 30_000, 25_000, 15_000, 8_000, 2_000.0])
STANDARD = np.array([22_000, 28_000, 26_000, 14_000, 7_500, 2_500.0])
SHAPE = np.array([1, 2, 4, 10, 30, 80.0])


def draw_standardised(expected: float, method: str, confidence: float):  # type: ignore[no-untyped-def]
    """Events of six age bands whose rates rise eighty-fold; `expected` events in all."""
    rates = SHAPE * expected / np.sum(SHAPE * BANDS)
    truth = float(np.sum(STANDARD * rates) / STANDARD.sum())

    def draw(rng: np.random.Generator, times: int) -> tuple[np.ndarray, np.ndarray, float]:
        rate = directly_standardised_rate(
            events=rng.poisson(rates * BANDS, (times, len(BANDS))).ravel(),
            person_time=np.tile(BANDS, times),
            weights=np.tile(STANDARD, times),
            group=np.repeat(np.arange(times), len(BANDS)),
            confidence=confidence,
            method=method,
        )
        return rate.estimates.lower, rate.estimates.upper, truth

    return draw


def draw_mean(size: int, skewed: bool, confidence: float):  # type: ignore[no-untyped-def]
    """Means of a normal measurement, or of an exponential one (a length of stay)."""

    def draw(rng: np.random.Generator, times: int) -> tuple[np.ndarray, np.ndarray, float]:
        y = rng.exponential(5, (times, size)) if skewed else rng.normal(5, 2, (times, size))
        answer = mean(
            n=np.full(times, size),
            total=y.sum(axis=1),
            total_squares=(y**2).sum(axis=1),
            confidence=confidence,
        )
        return answer.lower, answer.upper, 5.0

    return draw


def draw_mean_difference(sizes: tuple[int, int], confidence: float):  # type: ignore[no-untyped-def]
    """Two normal measurements of unequal spread; the smaller group varies more."""

    def draw(rng: np.random.Generator, times: int) -> tuple[np.ndarray, np.ndarray, float]:
        y, z = rng.normal(6, 4, (times, sizes[0])), rng.normal(5, 1, (times, sizes[1]))
        answer = mean_difference(
            size=np.full(times, sizes[0]),
            mean=y.mean(axis=1),
            variance=y.var(axis=1, ddof=1),
            comparator_size=np.full(times, sizes[1]),
            comparator_mean=z.mean(axis=1),
            comparator_variance=z.var(axis=1, ddof=1),
            confidence=confidence,
        )
        return answer.lower, answer.upper, 1.0

    return draw


GRID_GROUP = np.repeat([0, 1, 2], 4)
GRID_AGE = np.tile([0, 1, 2, 3], 3)
GRID_PEOPLE = np.array([400, 300, 200, 100, 40, 50, 60, 80, 30, 60, 90, 30])


def draw_adjusted(model: str, confidence: float):  # type: ignore[no-untyped-def]
    """Ratio of standardised risks of group 1 to group 0, age adjusted; the model is the true one."""
    effect, age = np.array([0, 0.5, -0.3]), np.array([0, 0.4, 0.8, 1.2])
    eta = effect[GRID_GROUP] + age[GRID_AGE]
    risks = 1 / (1 + np.exp(2 - eta)) if model == "logistic" else np.exp(eta - 2.3)
    as_if = [risks[g == GRID_GROUP][GRID_AGE] @ GRID_PEOPLE / GRID_PEOPLE.sum() for g in (0, 1)]

    def draw(rng: np.random.Generator, times: int) -> tuple[np.ndarray, np.ndarray, float]:
        limits = []
        for events in rng.binomial(GRID_PEOPLE, risks, (times, len(risks))):
            answer = adjusted_risks(
                group=GRID_GROUP,
                events=events,
                people=GRID_PEOPLE,
                categories={"age": GRID_AGE},
                reference=0,
                model=model,
                confidence=confidence,
            )
            limits.append((answer.ratio.lower[1], answer.ratio.upper[1]))
        lower, upper = np.array(limits).T
        return lower, upper, as_if[1] / as_if[0]

    return draw


# Flags


def false_flags(people: tuple[int, ...], risk: float, *, draws: int, seconds: float, seed: int) -> FalseFlags:
    """Share of reports with any flag when every group has the same risk: each against the rest, BH, joint rule."""
    rng, until = np.random.default_rng(seed), time.monotonic() + seconds
    sizes, groups = np.array(people), len(people)
    flagged = evident = unadjusted = done = 0
    while done < draws and (done == 0 or time.monotonic() < until):
        reports = min(BATCH, draws - done)
        x = rng.binomial(sizes, risk, (reports, groups))
        n = np.tile(sizes, (reports, 1))
        rest, rest_n = rest_of(
            numerator=x,
            denominator=n,
            total_numerator=np.tile(x.sum(axis=1, keepdims=True), groups),
            total_denominator=np.full(n.shape, sizes.sum()),
        )
        counts = {
            "numerator": x,
            "denominator": n,
            "comparator_numerator": rest,
            "comparator_denominator": rest_n,
        }
        flags, adjusted, p = _flags_of(counts, reports, groups)
        flagged += int(np.sum(flags.any(axis=1)))
        evident += int(np.sum((adjusted < 0.05).any(axis=1)))
        unadjusted += int(np.sum((p < 0.05).any(axis=1)))
        done += reports
    told = f"{groups} of {min(people):,} to {max(people):,}"
    return FalseFlags(told, risk, flagged / done, evident / done, unadjusted / done, done)


def _flags_of(
    counts: dict[str, np.ndarray], reports: int, groups: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Whether each group of each report is flagged, its adjusted p and its own."""
    n, rest_n = counts["denominator"], counts["comparator_denominator"]
    pooled = (counts["numerator"] + counts["comparator_numerator"]) / (n + rest_n)
    enough = (n >= 30) & (n * pooled >= 5) & (n * (1 - pooled) >= 5)
    p = two_proportion_test(**counts).p_value
    family = np.repeat(np.arange(reports), groups).reshape(n.shape)
    adjusted = adjust(p, family=family, tested=enough).adjusted
    ratio = risk_ratio(**counts)
    states = flag(
        ratio=ratio.value,
        lower=ratio.lower,
        upper=ratio.upper,
        adjusted_p=adjusted,
        people=n,
        expected_events=n * pooled,
        expected_non_events=n * (1 - pooled),
    ).state
    return np.isin(states, ("disproportionate_high", "disproportionate_low")), adjusted, p


EVEN = (200,) * 6
UNEVEN = (4000, 900, 400, 150, 80, 40)
MANY = (6000, 1500, 900, 600, 400, 300, 250, 200, 150, 120, 100, 80, 70, 60, 50, 45, 40, 35)
REPORTS = ((EVEN, 0.2), (UNEVEN, 0.05), (UNEVEN, 0.2), (UNEVEN, 0.5), (MANY, 0.2), (MANY, 0.8))


def exact_tables(confidence: float) -> Iterator[Held]:
    for method in PROPORTION_METHODS:
        for size in SIZES:
            yield one_proportion(method, size, confidence)
    for method in COUNT_METHODS:
        yield one_count(method, confidence)
    for measure in TWO_PROPORTIONS:
        for sizes in PAIRS:
            yield two_proportions(measure, sizes, confidence)
    for measure in TWO_RATES:
        # The coverage of a ratio depends on the expected counts alone, whatever the person-time.
        for times in PERSON_TIMES[: 1 if "ratio" in measure[0] else None]:
            yield two_rates(measure, times, confidence)


def simulated_tables(confidence: float, draws: int, seconds: float, seed: int) -> Iterator[Held]:
    samples: list[tuple[str, object, str]] = []
    for method in ("dobson", "fay_feuer"):
        for expected in (20, 50, 200):
            draw = draw_standardised(expected, method, confidence)
            samples.append((f"standardised rate, {method}", draw, f"{expected} events expected"))
    for skewed in (False, True):
        for size in (5, 30, 200):
            name = f"mean, t, {'exponential' if skewed else 'normal'} values"
            samples.append((name, draw_mean(size, skewed, confidence), f"n {size}"))
    for sizes in ((8, 30), (40, 200)):
        draw = draw_mean_difference(sizes, confidence)
        samples.append(("mean difference, welch_t", draw, f"n {sizes[0]} and {sizes[1]}"))
    for model in ("logistic", "poisson"):
        samples.append((f"adjusted risk ratio, {model}", draw_adjusted(model, confidence), "12 cells"))
    for name, draw, size in samples:
        slow = name.startswith("adjusted")
        yield simulated(
            name,
            draw,  # type: ignore[arg-type]
            confidence=confidence,
            draws=min(draws, 2000) if slow else draws,
            seconds=seconds / len(samples),
            seed=seed,
            size=size,
            batch=50 if slow else BATCH,
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=60, help="for all that is simulated")
    parser.add_argument("--draws", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--confidence", type=float, default=0.95)
    asked = parser.parse_args()
    print(f"Nominal {asked.confidence:g}. Coverage in per cent, seed {asked.seed}.\n")
    print("| interval | size | mean | least | draws |\n| --- | --- | ---: | ---: | ---: |")
    for held in exact_tables(asked.confidence):
        print(f"| {held.interval} | {held.size} | {held.mean:.1%} | {held.least:.1%} | exact |", flush=True)
    for held in simulated_tables(asked.confidence, asked.draws, asked.seconds / 2, asked.seed):
        print(f"| {held.interval} | {held.size} | {held.mean:.1%} | | {held.draws:,} |", flush=True)
    print("\n| groups | risk | any flag | any adjusted p < 0.05 | any p < 0.05 | draws |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for people, risk in REPORTS:
        seconds = asked.seconds / 2 / len(REPORTS)
        found = false_flags(people, risk, draws=asked.draws, seconds=seconds, seed=asked.seed)
        print(
            f"| {found.groups} | {found.risk:g} | {found.flagged:.1%} | {found.evident:.1%} "
            f"| {found.unadjusted:.1%} | {found.draws:,} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
