"""What a group's counts are worth when one person stands behind several contacts.

Ten contacts of one person tell less than one contact of ten. How much less is the design effect: the variance of
the share between people over the variance were all contacts independent. Counts divided by it (effective counts)
go into the ordinary interval or test, which is then right for repeated contacts (Rao and Scott 1992). All of it
comes from sums over people that the engine has already made, so no record is looked at again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from equitydata.errors import EquityDataError
from equitydata.service import Measure
from equitydata.strata import SUMS, USERS

POOL_BY = ("measure", "characteristic", "level")
# Below this a group's own design effect is more noise than knowledge, and that of its neighbours is borrowed.
LEAST_PEOPLE = 30


def effective(
    frame: pd.DataFrame, measures: Mapping[str, Measure], *, pool_by: Sequence[str] = POOL_BY
) -> pd.DataFrame:
    """The frame with each row's value, design effect, effective counts and standard error.

    frame : one row a stratum, with `measure`, the sums people, cases, n, x, nn, nx, xx, and the columns pool_by;
        rows whose `status` is known (all, where there is no status) are pooled. STRATA, CELLS, PERIODS and PLACES
        (pool_by measure and by) all will do.
    measures : by name; the rows of `users` need none.
    Adds statistic; value (share, rate or mean; missing for a quantile and where n is 0); design_effect (1 or more,
    never missing; 1 where people are counted, and where nothing can be said); effective_x and effective_n; se, the
    standard error of the value.
    - share, rate: the group's own design effect from LEAST_PEOPLE people on; that of the known groups of the
      same pool_by where there are fewer, or where the share is 0 or 1 and so has no variance to compare.
    - population_rate: n is what residents were attached, known people of the area and not drawn, so that only the
      events per person are dispersed: the sum of their squares over their sum.
    - mean: se is between people, with people - 1 degrees of freedom; effective_n is people, so that
      se * sqrt(effective_n) is the standard deviation that a Welch test wants. Its design effect is not known,
      as the squares of single values are not kept: it stands at 1.
    Rao JNK, Scott AJ (1992) Biometrics 48:577-585; Cochran WG (1977) Sampling Techniques, section 6.4, with the
    factor m / (m - 1) for m people.
    """
    statistic, of_people = _statistics(frame, measures)
    people, cases, n, x, nn, nx, xx = (frame[name].to_numpy(dtype=float) for name in SUMS)
    share, mean, residents = statistic == "share", statistic == "mean", statistic == "population_rate"
    quantile = statistic == "quantile"
    repeats = ~of_people & ~mean & ~quantile
    persons = np.where(residents, cases, people)

    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.where((n > 0) & ~quantile, x / n, np.nan)
        # Sum over people of (x_i - value * n_i)²; rounding can push a sum of nothing below 0.
        squares = np.maximum(xx - 2 * value * nx + value**2 * nn, 0.0)
        correction = np.where(people > 1, people / (people - 1), np.nan)
        independent = np.where(share, n * value * (1 - value), n * value)

        squares, independent = np.where(residents, xx, squares), np.where(residents, x, independent)
        correction = np.where(residents, 1.0, correction)
        enough = persons >= LEAST_PEOPLE
        own = np.where(enough & (independent > 0), squares * correction / independent, np.nan)

    pooled = _pooled(frame, squares, independent, persons, residents=residents, pool_by=pool_by)
    effect = np.where(np.isfinite(own), own, pooled)
    # One contact a person is no repeat, whatever the factor m / (m - 1) makes of it.
    effect = np.where(repeats & ~(share & (nn == n)) & np.isfinite(effect), np.maximum(effect, 1.0), 1.0)

    with np.errstate(divide="ignore", invalid="ignore"):
        by_count = np.sqrt(value * np.where(share, 1 - value, 1.0) / n * effect)
        by_people = np.sqrt(squares * correction) / n
        error = np.where(mean, by_people, np.where(quantile, np.nan, by_count))
    return frame.assign(
        statistic=statistic,
        value=value,
        design_effect=effect,
        effective_x=np.where(mean, value * people, x / effect),
        effective_n=np.where(mean, people, n / effect),
        se=error,
    )


def _statistics(frame: pd.DataFrame, measures: Mapping[str, Measure]) -> tuple[np.ndarray, np.ndarray]:
    """Per row the statistic, and whether people are counted, so that nobody is counted twice."""
    kinds = {USERS: "share"} | {name: measure.statistic for name, measure in measures.items()}
    people = {USERS: True} | {name: measure.counts == "people" for name, measure in measures.items()}
    unknown = sorted(set(frame["measure"]) - set(kinds))
    if unknown:
        raise EquityDataError(f"Rows of '{unknown[0]}' were counted, which is no measure.")
    statistic = frame["measure"].map(kinds).to_numpy(dtype=object)
    return statistic, frame["measure"].map(people).to_numpy(dtype=bool)


def _pooled(
    frame: pd.DataFrame,
    squares: np.ndarray,
    independent: np.ndarray,
    people: np.ndarray,
    *,
    residents: np.ndarray,
    pool_by: Sequence[str],
) -> np.ndarray:
    """Design effect of the known groups together, each about its own value; missing without any variance."""
    known = np.ones(len(frame), dtype=bool)
    if "status" in frame:
        known = (frame["status"] == "known").to_numpy(dtype=bool)
    known = known & np.isfinite(squares) & np.isfinite(independent) & (people > 0)
    parts = pd.DataFrame(
        {
            "squares": np.where(known, squares, 0.0),
            "independent": np.where(known, independent, 0.0),
            "people": np.where(known, people, 0.0),
            "groups": known.astype(float),
        },
        index=frame.index,
    )
    keys = [frame[key] for key in pool_by]
    total = parts.groupby(keys, sort=False, dropna=False).transform("sum")
    free = (total["people"] - total["groups"]).to_numpy()
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = np.where(residents, 1.0, np.where(free > 0, total["people"].to_numpy() / free, np.nan))
        found = total["squares"].to_numpy() * factor / total["independent"].to_numpy()
    return np.where(total["independent"].to_numpy() > 0, found, np.nan)
