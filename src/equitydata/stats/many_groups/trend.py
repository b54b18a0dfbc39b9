"""Ordered groups: does the outcome rise or fall along them?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from equitydata.stats.answers import FloatArray, TextArray, add_note, texts
from equitydata.stats.contracts import ContractError, as_counts, as_floats, refuse_where
from equitydata.stats.many_groups.answers import (
    LEFT_OUT_EMPTY,
    LEFT_OUT_MISSING,
    NO_CONTRAST,
    NO_EVENTS,
    SOME_MISSING,
    TOO_FEW_GROUPS,
)

NEWTON_STEPS, CLOSE = 200, 1e-11
FEW_EVENTS = "fewer than 10 events or non-events: the p-value is rough"
LEAST_EVENTS = 10


@dataclass(frozen=True)
class Trend:
    """A trend along ordered groups.

    statistic : z, positive when the outcome rises with the score. p_value : two-sided.
    slope : change per unit of score; of the share for proportions, of the log rate for rates (exp(slope) is the
        ratio of the rates one unit apart). Infinite when all events lie at one end of the scores.
    departure, departure_df, departure_p : chi-square of what the trend does not explain, with k - 2 df; a small
        p-value says that the pattern is not a line. NaN with fewer than three groups.
    method, note : of the test; group_note : for each group, '' or why it is left out.
    """

    statistic: float
    p_value: float
    slope: float
    departure: float
    departure_df: float
    departure_p: float
    method: str
    note: str
    group_note: TextArray


def cochran_armitage(
    *, numerator: ArrayLike, denominator: ArrayLike, scores: ArrayLike | None = None
) -> Trend:
    """Test for a linear trend in proportions over ordered groups.

    numerator, denominator : people with the outcome and all people by group, in order, shape (k,).
    scores : positions of the groups, by default 0, 1, 2, ...; only their relative spacing matters for the test.
    slope : least squares line through the shares, weighted by people.
    Groups without people or with a missing count are left out and keep their place in the order. Missing, with
    the reason, when nobody or everybody has the outcome or fewer than two scores are left.
    Raises ContractError for impossible counts and missing scores.
    Cochran WG (1954) Biometrics 10:417-451; Armitage P (1955) Biometrics 11:375-386.
    """
    from scipy.special import chdtrc, ndtr

    x, n = as_counts(numerator=numerator, denominator=denominator)
    d, held, notes = _ordered(x, n, scores)
    x, n, d = x[held], n[held], d[held]
    method = "cochran_armitage"
    if len(np.unique(d)) < 2:
        return _none(method, TOO_FEW_GROUPS, notes)
    total, events = n.sum(), x.sum()
    if events in (0, total):
        return _none(method, NO_CONTRAST, notes)
    share = events / total
    centred = d - (n * d).sum() / total
    slope = float((centred * x).sum() / (n * centred**2).sum())
    z = float((centred * x).sum() / np.sqrt(share * (1 - share) * (n * centred**2).sum()))
    pearson = float(((x - n * share) ** 2 / (n * share * (1 - share))).sum())
    departure, df = _left(pearson, z, len(d))
    rough = FEW_EVENTS if min(events, total - events) < LEAST_EVENTS else ""
    return Trend(
        z, float(2 * ndtr(-abs(z))), slope, departure, df, float(chdtrc(df, departure)), method,
        _note(notes, rough), notes,
    )  # fmt: skip


def poisson_trend(*, numerator: ArrayLike, denominator: ArrayLike, scores: ArrayLike | None = None) -> Trend:
    """Test for a log-linear trend in rates over ordered groups.

    numerator : events; denominator : person-time or people, by group in order, shape (k,).
    scores, groups left out and errors as in `cochran_armitage`; events without person-time are an error too.
    The test is the score test of Poisson regression on the score; slope is its maximum likelihood estimate.
    Missing, with the reason, without events.
    Breslow NE, Day NE (1987) IARC vol II, chapter 3.
    """
    from scipy.special import chdtrc, ndtr

    x, t = as_counts(at_most=False, numerator=numerator, denominator=denominator)
    refuse_where((t == 0) & (x > 0), "events without person-time")
    d, held, notes = _ordered(x, t, scores)
    x, t, d = x[held], t[held], d[held]
    if len(np.unique(d)) < 2:
        return _none("poisson_trend", TOO_FEW_GROUPS, notes)
    events = x.sum()
    if events == 0:
        return _none("poisson_trend", NO_EVENTS, notes)
    expected = events * t / t.sum()
    centred = d - (t * d).sum() / t.sum()
    z = float((centred * x).sum() / np.sqrt((expected * centred**2).sum()))
    departure, df = _left(float(((x - expected) ** 2 / expected).sum()), z, len(d))
    slope, reached = _log_slope(x, t, d)
    rough = FEW_EVENTS.replace(" or non-events", "") if events < LEAST_EVENTS else ""
    rough = "; ".join(part for part in (rough, "" if reached else "the slope did not settle") if part)
    return Trend(
        z, float(2 * ndtr(-abs(z))), slope, departure, df, float(chdtrc(df, departure)), "poisson_trend",
        _note(notes, rough), notes,
    )  # fmt: skip


def _ordered(
    x: FloatArray, n: FloatArray, scores: ArrayLike | None
) -> tuple[FloatArray, np.ndarray, TextArray]:
    """Scores, which groups take part, and the notes of all groups."""
    if x.ndim != 1:
        raise ContractError("numerator and denominator have one axis")
    (d,) = as_floats(scores=np.arange(len(x)) if scores is None else scores)
    if d.shape != x.shape:
        raise ContractError(f"arrays of unequal shape: scores {d.shape}, numerator {x.shape}")
    refuse_where(np.isnan(d), "scores is missing")
    missing = np.isnan(x) | np.isnan(n)
    notes = texts(x.shape)
    add_note(notes, missing, LEFT_OUT_MISSING)
    add_note(notes, ~missing & (n == 0), LEFT_OUT_EMPTY)
    return d, ~missing & (n > 0), notes


def _left(pearson: float, z: float, groups: int) -> tuple[float, float]:
    """Chi-square that the trend leaves unexplained, and its degrees of freedom."""
    if groups < 3:
        return float("nan"), float("nan")
    return max(0.0, pearson - z**2), groups - 2.0


def _log_slope(x: FloatArray, t: FloatArray, d: FloatArray) -> tuple[float, bool]:
    """Maximum likelihood slope of the log rate, by Newton's method; and whether it settled.

    Given the total of events, their mean score under the fitted slope must equal the observed mean score, which
    has no finite solution when every event lies at the lowest or the highest score.
    """
    # Distance of each score from the observed mean score, free of the rounding of a difference of two means.
    gap = (d[:, None] - d[None, :]) @ (x / x.sum())
    if gap.max() <= 0:
        return float("inf"), True
    if gap.min() >= 0:
        return float("-inf"), True
    slope, log_t = 0.0, np.log(t / t.sum())
    reach = 2.0 / (d.max() - d.min())  # a step longer than this could overshoot for good
    for _ in range(NEWTON_STEPS):
        logs = log_t + slope * gap
        weight = np.exp(logs - logs.max())
        weight /= weight.sum()
        mean = float((weight * gap).sum())
        variance = float((weight * (gap - mean) ** 2).sum())
        step = float(np.clip(-mean / variance, -reach, reach))
        slope += step
        if abs(step) <= CLOSE * max(1.0, abs(slope)):
            return slope, True
    return float("nan"), False


def _none(method: str, reason: str, notes: TextArray) -> Trend:
    nan = float("nan")
    return Trend(nan, nan, nan, nan, nan, nan, method, reason, notes)


def _note(notes: TextArray, rough: str) -> str:
    """What to know of the whole test."""
    missing = SOME_MISSING if LEFT_OUT_MISSING in notes.tolist() else ""
    return "; ".join(part for part in (missing, rough) if part)
