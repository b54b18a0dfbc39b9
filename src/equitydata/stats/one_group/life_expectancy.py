"""Life expectancy from deaths and people by age band: an abridged life table of each group."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equitydata.stats.answers import MISSING_COUNT, Estimates, FloatArray, TextArray, add_note, texts
from equitydata.stats.contracts import Confidence, ContractError, as_asked, as_floats, beside, tails

FEWEST_PEOPLE = 5_000
WIDEST_INTERVAL = 20.0
WITHHELD_CONFIDENCE = 0.95

# Of the years of a band, the share lived by those who die in it: infants die early in their first year.
FIRST_BAND_FRACTION = 0.1
BAND_FRACTION = 0.5

EMPTY_BAND = "a band has no people: withheld"
NEGATIVE_DEATHS = "a band has a negative number of deaths: withheld"
MORE_DEATHS = "a band has more deaths than people: withheld"
FEW_PEOPLE = f"{FEWEST_PEOPLE:,} people or fewer: withheld"
NO_LAST_DEATHS = "nobody died in the last band: withheld"
NO_SURVIVORS = "nobody survives to this age: withheld"
WIDE_INTERVAL = f"the 95% interval is wider than {WIDEST_INTERVAL:g} years: withheld"


@dataclass(frozen=True)
class LifeExpectancies:
    """Years still to live, of those who reach the start of each age band.

    estimates : shape of the input, (bands,) or (groups, bands); the first band is life expectancy at birth.
    variance : of the years, same shape; NaN where the value is withheld.
    ages : shape (bands,), the age at which each band starts.
    """

    estimates: Estimates
    variance: FloatArray
    ages: FloatArray

    @property
    def value(self) -> FloatArray:
        """The years still to live."""
        return self.estimates.value


def life_expectancy(
    *, deaths: ArrayLike, population: ArrayLike, ages: ArrayLike, confidence: Confidence = 0.95
) -> LifeExpectancies:
    """Life expectancy at the start of each age band, by Chiang's abridged life table.

    deaths, population : shape (bands,) for one group or (groups, bands), youngest first; population is
        person-years over the same time as the deaths.
    ages : shape (bands,), where each band starts: 0, 1, 5, 10 ... 90. The last band is open.
    It is the mean length of life if the death rates of today held for ever: a summary of these rates, not a
    forecast for anyone. Limits are normal, with the variance of Silcocks, which includes the last band.
    Withheld, with the reason, for a whole group: 5,000 people or fewer, a band with no people, with more
    deaths than people or a negative number, no death in the last band, a missing entry. Withheld for one
    age: an interval (at 95%) wider than 20 years, or nobody surviving to it.
    Raises ContractError for ages that do not start at 0 and ascend, and for shapes that do not fit.
    Chiang CL (1984) The Life Table and its Applications; Silcocks PBS et al. (2001) J Epidemiol Community
    Health 55:38-43.
    """
    from scipy.special import ndtri

    d, n, starts = _bands(deaths, population, ages)
    tail = tails(confidence)
    notes = _group_notes(d, n)
    good = notes == ""
    years, variance = _life_table(
        np.where(good[..., np.newaxis], d, np.nan), np.where(good[..., np.newaxis], n, np.nan), starts
    )
    by_age = texts(d.shape)
    by_age[...] = notes[..., np.newaxis]
    years, variance = _withhold(years, variance, by_age)
    reach = -ndtri(tail) * beside(np.sqrt(variance), tail)
    middle = beside(years, tail)
    named = texts(d.shape, "Chiang, Silcocks")
    estimates = Estimates(years, middle - reach, middle + reach, as_asked(confidence), named, by_age)
    return LifeExpectancies(estimates, variance, starts)


def _bands(
    deaths: ArrayLike, population: ArrayLike, ages: ArrayLike
) -> tuple[FloatArray, FloatArray, FloatArray]:
    (starts,) = as_floats(ages=ages)
    d, n = as_floats(deaths=deaths, population=population)
    if starts.ndim != 1 or len(starts) < 2 or starts[0] != 0 or not (np.diff(starts) > 0).all():
        raise ContractError("ages are where at least two bands start: from 0, ascending")
    if d.ndim not in (1, 2) or d.shape[-1] != len(starts):
        raise ContractError(f"one entry for each of {len(starts)} ages in the last axis: deaths {d.shape}")
    return d, n, starts


def _group_notes(d: FloatArray, n: FloatArray) -> TextArray:
    """Why a whole group is withheld: '' where it is not."""
    notes = texts(d.shape[:-1])
    missing = np.isnan(d + n)
    add_note(notes, missing.any(axis=-1), MISSING_COUNT)
    add_note(notes, (n <= 0).any(axis=-1), EMPTY_BAND)
    add_note(notes, (d < 0).any(axis=-1), NEGATIVE_DEATHS)
    add_note(notes, ((d > n) & (n > 0)).any(axis=-1), MORE_DEATHS)
    add_note(notes, d[..., -1] == 0, NO_LAST_DEATHS)
    add_note(notes, ~missing.any(axis=-1) & (n.sum(axis=-1) <= FEWEST_PEOPLE), FEW_PEOPLE)
    return notes


def _life_table(d: FloatArray, n: FloatArray, starts: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Years still to live at the start of each band, and their variance."""
    width = np.append(np.diff(starts), np.nan)
    fraction = np.where(np.arange(len(starts)) == 0, FIRST_BAND_FRACTION, BAND_FRACTION)
    with np.errstate(invalid="ignore", divide="ignore"):
        rate = d / n
        dying = np.minimum(width * rate / (1 + (1 - fraction) * width * rate), 1.0)
        dying[..., -1] = 1.0
        alive = np.cumprod(1 - dying, axis=-1)
        # Those alive at the start of each band, out of 1 born.
        reaching = np.concatenate([np.ones((*alive.shape[:-1], 1)), alive[..., :-1]], axis=-1)
        lived = width * (reaching * (1 - dying) + fraction * reaching * dying)
        lived[..., -1] = reaching[..., -1] / rate[..., -1]
        years = np.where(reaching > 0, _from_last(lived) / reaching, np.nan)
        later = np.append(years[..., 1:], np.full((*years.shape[:-1], 1), np.nan), axis=-1)
        # A band where nobody died adds no variance; nobody left later adds none either.
        spread = np.where(d > 0, dying**2 * (1 - dying) / d, 0.0)
        reach = (1 - fraction) * width + np.nan_to_num(later)
        terms = spread * (reaching * reach) ** 2
        terms[..., -1] = reaching[..., -1] ** 2 / (d[..., -1] * rate[..., -1] ** 2)
        variance = np.where(np.isnan(years), np.nan, _from_last(terms) / reaching**2)
    return years, variance


def _from_last(values: FloatArray) -> FloatArray:
    """The sum from each band to the last."""
    return np.cumsum(values[..., ::-1], axis=-1)[..., ::-1]


def _withhold(years: FloatArray, variance: FloatArray, notes: TextArray) -> tuple[FloatArray, FloatArray]:
    """Blank the ages that nobody reaches or that are known too poorly, and note why."""
    from scipy.special import ndtri

    add_note(notes, np.isnan(years) & (notes == ""), NO_SURVIVORS)
    with np.errstate(invalid="ignore"):
        width = -2 * ndtri(tails(WITHHELD_CONFIDENCE)) * np.sqrt(variance)
        wide: NDArray = width > WIDEST_INTERVAL
    add_note(notes, wide, WIDE_INTERVAL)
    return np.where(wide, np.nan, years), np.where(wide, np.nan, variance)
