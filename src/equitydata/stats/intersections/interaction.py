"""Two binary characteristics together: is their joint effect more than the sum, or more than the product, of both?

The two questions can have different answers, so both scales stand in one answer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from equitydata.stats.answers import (
    MISSING_COUNT,
    NOBODY,
    WEIGHTED,
    Estimates,
    FloatArray,
    TextArray,
    add_note,
    texts,
)
from equitydata.stats.contracts import (
    Confidence,
    ContractError,
    as_asked,
    as_counts,
    beside,
    count_notes,
    tails,
)

Limits = tuple[FloatArray, FloatArray]

SCALES = ("risk", "odds")
KINDS_OF_LIMITS = ("delta", "bootstrap")

NO_REFERENCE_EVENTS = "no events among people with neither: ratios are not defined"
ALL_EVENTS = "every person in a group has the event: odds are not defined"
NO_JOINT_EVENTS = "no events among people with both: the share is not defined"
NO_SINGLE_EVENTS = "no events among people with one of the two: the product is not defined"
EMPTY_CELL = "a group has no events (or, for odds, only events): no limits by the delta method"
NO_SYNERGY = "joint excess and sum of single excesses differ in sign, or one is 0: synergy is not defined"
PROTECTIVE = "a single characteristic lowers the risk: take the group with the lowest risk as the reference"
SOME_DRAWS_LOST = "some bootstrap draws are not defined and left out"
TOO_MANY_LOST = "more than 5% of bootstrap draws are not defined: no limits"
MOST_LOST = 0.05


@dataclass(frozen=True)
class JointEffect:
    """The joint effect of two characteristics; group 00 has neither and is the reference of every ratio.

    ratio_10, ratio_01, ratio_11 : ratios of risk or odds (by `scale`) of the groups with the first, the second
        and both characteristics.
    reri : relative excess risk due to interaction; above 0, more than the sum. attributable_proportion : the
        share of the risk of those with both that is due to interaction; above 0, more than the sum.
    synergy : joint excess over the sum of the single ones; above 1, more than the sum.
    multiplicative : ratio_11 / (ratio_10 ratio_01); above 1, more than the product.
    Each holds values of shape S and limits. draws, seed : 0 and None unless limits are bootstrapped.
    """

    ratio_10: Estimates
    ratio_01: Estimates
    ratio_11: Estimates
    reri: Estimates
    attributable_proportion: Estimates
    synergy: Estimates
    multiplicative: Estimates
    scale: str
    draws: int
    seed: int | None


def joint_effect(
    *,
    events: ArrayLike,
    people: ArrayLike,
    scale: str = "risk",
    confidence: Confidence = 0.95,
    limits: str = "delta",
    draws: int = 10_000,
    seed: int = 20260101,
) -> JointEffect:
    """RERI, attributable proportion, synergy index and multiplicative interaction, with limits.

    events, people : shape S + (2, 2); [..., a, b] counts those who have (1) or lack (0) the first and the second
        characteristic. In a case-control study people are cases and controls, and the scale is odds.
    limits : delta (the logs of the groups' risks are independent; synergy on its log) or bootstrap (persons drawn
        again within each group, percentiles). Those of the single ratios and of the product are on the log.
    A missing or empty group gives missing results. Raises ContractError for counts that cannot be.
    Rothman KJ (1986) Modern Epidemiology; Hosmer DW, Lemeshow S (1992) Epidemiology 3:452-456;
    Assmann SF et al. (1996) Epidemiology 7:286-290.
    """
    for asked, known, what in ((scale, SCALES, "scale"), (limits, KINDS_OF_LIMITS, "kind of limits")):
        if asked not in known:
            raise ContractError(f"no {what} {asked!r}; one of {', '.join(known)}")
    x, n = as_counts(events=events, people=people)
    if x.shape[-2:] != (2, 2):
        raise ContractError(f"events and people have shape (..., 2, 2), not {x.shape}")
    cells = _cells(x, n, scale)
    measures, notes = _measures(cells), _notes(x, n, cells, scale)
    if limits == "delta":
        bounds = _delta(x, n, cells, measures, scale, confidence, notes)
    else:
        bounds = _bootstrap(x, n, scale, confidence, draws, seed, notes)
    answers = {}
    for name, value in measures.items():
        lower, upper = bounds[name]
        unknown = beside(np.isnan(value), tails(confidence))
        lower, upper = np.where(unknown, np.nan, lower), np.where(unknown, np.nan, upper)
        method = texts(value.shape, limits)
        answers[name] = Estimates(value, lower, upper, as_asked(confidence), method, notes[name])
    drawn = (0, None) if limits == "delta" else (draws, seed)
    return JointEffect(**answers, scale=scale, draws=drawn[0], seed=drawn[1])


def _cells(x: FloatArray, n: FloatArray, scale: str) -> FloatArray:
    """Risk or odds of each group; NaN for an infinite odds or an empty group."""
    with np.errstate(invalid="ignore", divide="ignore"):
        cells = x / n if scale == "risk" else x / (n - x)
    return np.where(np.isfinite(cells), cells, np.nan)


def _measures(cells: FloatArray) -> dict[str, FloatArray]:
    """Every measure from the risks or odds of the four groups; NaN where it is not defined."""
    with np.errstate(invalid="ignore", divide="ignore"):
        whole = np.isnan(cells).any(axis=(-2, -1)) | (cells[..., 0, 0] == 0)
        base = np.where(whole, np.nan, cells[..., 0, 0])
        r10, r01, r11 = (cells[..., a, b] / base for a, b in ((1, 0), (0, 1), (1, 1)))
        reri = r11 - r10 - r01 + 1
        synergy = (r11 - 1) / (r10 + r01 - 2)
        product = r10 * r01
        return {
            "ratio_10": r10,
            "ratio_01": r01,
            "ratio_11": r11,
            "reri": reri,
            "attributable_proportion": np.where(r11 > 0, reri / r11, np.nan),
            "synergy": np.where((synergy > 0) & np.isfinite(synergy), synergy, np.nan),
            "multiplicative": np.where(product > 0, r11 / product, np.nan),
        }


def _gradients(measures: dict[str, FloatArray]) -> dict[str, tuple[bool, tuple[ArrayLike, ...]]]:
    """For each measure: is its limit taken on the log, and its slopes in the logs of groups 00, 10, 01, 11."""
    r10, r01, r11 = measures["ratio_10"], measures["ratio_01"], measures["ratio_11"]
    with np.errstate(invalid="ignore", divide="ignore"):
        single, joint = r10 + r01 - 2, r11 - 1
        return {
            "ratio_10": (True, (-1, 1, 0, 0)),
            "ratio_01": (True, (-1, 0, 1, 0)),
            "ratio_11": (True, (-1, 0, 0, 1)),
            "reri": (False, (r10 + r01 - r11, -r10, -r01, r11)),
            "attributable_proportion": (False, (1 / r11, -r10 / r11, -r01 / r11, (r10 + r01 - 1) / r11)),
            "synergy": (True, (2 / single - 1 / joint, -r10 / single, -r01 / single, r11 / joint)),
            "multiplicative": (True, (1, -1, -1, 1)),
        }


def _delta(
    x: FloatArray,
    n: FloatArray,
    cells: FloatArray,
    measures: dict[str, FloatArray],
    scale: str,
    confidence: Confidence,
    notes: dict[str, TextArray],
) -> dict[str, Limits]:
    """Limits from the variances of the logs of the groups' risks or odds."""
    from scipy.special import ndtri

    tail = tails(confidence)
    with np.errstate(invalid="ignore", divide="ignore"):
        variance = 1 / x - 1 / n if scale == "risk" else 1 / x + 1 / (n - x)
    empty = ~np.isfinite(variance).all(axis=(-2, -1))
    bounds = {}
    for name, (on_log, slopes) in _gradients(measures).items():
        value = measures[name]
        parts = zip(slopes, ((0, 0), (1, 0), (0, 1), (1, 1)), strict=True)
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            total = sum(np.square(slope) * variance[..., a, b] for slope, (a, b) in parts)
            error = beside(np.where(empty, np.nan, np.sqrt(total)), tail) * ndtri(1 - tail)
            middle = beside(np.log(value) if on_log else value, tail)
            lower, upper = middle - error, middle + error
            bounds[name] = (np.exp(lower), np.exp(upper)) if on_log else (lower, upper)
        add_note(notes[name], empty & ~np.isnan(value), EMPTY_CELL)
    return bounds


def _bootstrap(
    x: FloatArray,
    n: FloatArray,
    scale: str,
    confidence: Confidence,
    draws: int,
    seed: int,
    notes: dict[str, TextArray],
) -> dict[str, Limits]:
    """Percentile limits. Each entry starts from the seed anew, so that its limits do not depend on the others."""
    if draws < 100:
        raise ContractError("draws is at least 100")
    if any((counts != np.floor(counts))[~np.isnan(counts)].any() for counts in (x, n)):
        raise ContractError("the bootstrap draws persons again: counts are whole numbers")
    tail = tails(confidence)
    probabilities = np.concatenate([np.atleast_1d(tail), 1 - np.atleast_1d(tail)])
    shape, levels = x.shape[:-2], probabilities.size // 2
    bounds = {
        name: (np.full(shape + tail.shape, np.nan), np.full(shape + tail.shape, np.nan)) for name in notes
    }
    for entry in np.ndindex(shape):
        events, people = x[entry], n[entry]
        if np.isnan(events).any() or not (people > 0).all():
            continue
        drawn = np.random.default_rng(seed).binomial(people.astype(int), events / people, size=(draws, 2, 2))
        for name, values in _measures(_cells(drawn.astype(float), people, scale)).items():
            known = values[~np.isnan(values)]
            lost, here = 1 - len(known) / draws, np.zeros(shape, dtype=bool)
            here[entry] = True
            if lost > MOST_LOST:
                add_note(notes[name], here, TOO_MANY_LOST)
                continue
            add_note(notes[name], here & (lost > 0), SOME_DRAWS_LOST)
            cut = np.quantile(known, probabilities)
            lower, upper = (cut[:levels], cut[levels:]) if tail.ndim else (cut[0], cut[1])
            bounds[name][0][entry], bounds[name][1][entry] = lower, upper
    return bounds


def _notes(x: FloatArray, n: FloatArray, cells: FloatArray, scale: str) -> dict[str, TextArray]:
    """Why each measure is missing, or what to keep in mind, for each entry."""
    by_cell, shared = count_notes(x, n), texts(x.shape[:-2])
    for reason in (MISSING_COUNT, NOBODY, WEIGHTED):
        add_note(shared, (by_cell == reason).any(axis=(-2, -1)), reason)
    counted = (n > 0).all(axis=(-2, -1)) & ~np.isnan(x).any(axis=(-2, -1))
    full = counted & (scale == "odds") & (x == n).any(axis=(-2, -1))
    add_note(shared, full, ALL_EVENTS)
    no_reference = counted & ~full & (x[..., 0, 0] == 0)
    add_note(shared, no_reference, NO_REFERENCE_EVENTS)
    defined = counted & ~full & ~no_reference
    measures = _measures(cells)
    notes = {name: shared.copy() for name in measures}
    with np.errstate(invalid="ignore"):
        protective = (measures["ratio_10"] < 1) | (measures["ratio_01"] < 1)
    for name in ("reri", "attributable_proportion", "synergy"):
        add_note(notes[name], defined & protective, PROTECTIVE)
    add_note(notes["synergy"], defined & np.isnan(measures["synergy"]), NO_SYNERGY)
    add_note(notes["attributable_proportion"], defined & (x[..., 1, 1] == 0), NO_JOINT_EVENTS)
    single = (x[..., 1, 0] == 0) | (x[..., 0, 1] == 0)
    add_note(notes["multiplicative"], defined & single, NO_SINGLE_EVENTS)
    return notes
