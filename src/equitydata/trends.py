"""Outcomes by group over time: every period of every group, and the change from the first period to the last.

A person may be seen in both periods. Their contacts then resemble each other, and the change is known better (or,
of outcomes that alternate, less well) than two samples of strangers would tell: the limits of a change allow for it
by the products of people's sums in the two periods. Absolute and relative change stand side by side, because they can
point in opposite directions when the overall level moves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from equitydata.errors import EquityDataError
from equitydata.rates.effective import effective
from equitydata.rulebook import Rulebook
from equitydata.service import Measure
from equitydata.stats.answers import NOBODY, FloatArray, TextArray, add_note, texts
from equitydata.stats.contracts import tails
from equitydata.stats.one_group import count_limits, wilson
from equitydata.strata import ALL, NOT_COLLECTED, SUMS, Strata
from equitydata.tables import CHANGES_TABLE, TRENDS_TABLE, empty, shape

# A quantile has no sums, and a rate against residents no residents of each period.
FOLLOWED = ("share", "rate", "mean")
KNOWN = "known"
LEVEL = ["measure", "characteristic", "level"]
STRATUM = [*LEVEL, "category", "status"]
PRODUCTS = ["n0n1", "n0x1", "x0n1", "x0x1"]
# Figures are read to three digits; a gap that moved by less has not moved.
DIGITS = 3

NO_CODE = "not in the code list in use"
ONE_PERSON = "one person: no limits"
ONE_PERIOD = "fewer than 2 periods: no change to work out"
NO_PAIRS = "people seen in both periods were not counted: no limits"
NEAR_ZERO = "no relative change: a value is not clearly above 0"
WHOLE = "the whole has no rest"
UNKNOWN_GROUP = "people of unknown group are held against no rest"
NO_REST = "no other known group: no gap to the rest"
OPPOSITE = "the absolute gap {} while the relative gap {}"
WITHIN_CHANCE = "either may be chance"


def trend_table(strata: Strata, measures: Mapping[str, Measure], rulebook: Rulebook) -> pd.DataFrame:
    """Every share, rate and mean by group and period. Shape: TRENDS_TABLE.

    strata : its `strata` name the groups, its `periods` hold the sums of each period.
    measures : by name. Measures with a quantile or a rate against residents are not followed over time.
    Every period from the first to the last is listed for every group, people of unknown group among them: where
    nobody was counted the value is missing, with a note, and never 0. Limits as in the outcomes of the whole time:
    Wilson (share), exact or Byar (rate) on counts divided by the design effect within the period, and Student's t
    between people (mean). A rate is events per unit of person-time.
    """
    grid = _every_period(strata, measures)
    if grid.empty:
        return empty(TRENDS_TABLE)
    found = effective(grid, measures)
    lower, upper = _limits(found, rulebook.value("confidence"))
    mean = found["statistic"] == "mean"
    of_people = found["measure"].map({name: each.counts == "people" for name, each in measures.items()})
    note = texts((len(found),))
    add_note(note, found["status"] == NOT_COLLECTED, NO_CODE)
    add_note(note, found["n"] == 0, NOBODY)
    add_note(note, mean & (found["n"] > 0) & (found["people"] == 1), ONE_PERSON)
    return shape(
        found.assign(
            measure_label=found["measure"].map({name: measure.label for name, measure in measures.items()}),
            numerator=found["x"].mask(mean),
            denominator=found["n"],
            lower=lower,
            upper=upper,
            # The squares of single values are not kept, so of their mean it is not known.
            design_effect=found["design_effect"].mask(mean & ~of_people.astype(bool)),
            note=note,
        ),
        TRENDS_TABLE,
    )


def change_table(strata: Strata, measures: Mapping[str, Measure], rulebook: Rulebook) -> pd.DataFrame:
    """The first period of each measure against its last, by group. Shape: CHANGES_TABLE.

    strata : its `periods` hold the sums of each period, its `pairs` the products between first and last.
    Change is last less first and relative change last over first; the gap is the group less the rest (the other
    known groups of the level), and its change is held both ways too. With r = x / n of each period, e = x - r n of
    each person, and m people seen in either period,
        variance of a change = v0 + v1 - 2 cov,  cov = sum of e0 e1 over people / (n0 n1) x m / (m - 1),
    v as for the value of one period (design effect of 1 or more); ratios on the log scale, where each term is
    divided by its values. The group and the rest are different people, so the variances of their changes add. Shares
    and rates have normal limits, means those of Student's t with the fewest people of a period less one.
    Missing, with the rule that says so, where there are fewer than two periods; where a period has fewer people
    than the rule `flag_least_people`; and for shares and rates where it has fewer events (for shares, or non-events)
    than `flag_least_expected`, repeated contacts divided by the design effect. A gap asks the same of the rest.
    `opposite` says that the absolute gap shrank while the relative one grew, or the other way round, each by more
    than rounding to 3 digits; it tells what the figures did, and the note adds where both may be chance.
    Cochran WG (1977) Sampling Techniques, section 6.4; Harper S, Lynch J (2005) Methods for Measuring Cancer
    Disparities, NCI.
    """
    grid = _every_period(strata, measures)
    if grid.empty:
        return empty(CHANGES_TABLE)
    last = grid.groupby("measure")["order"].transform("max")
    ends = grid[(grid["order"] == 1) | (grid["order"] == last)]
    ends = ends.assign(end=(ends["order"] > 1).astype(int))
    pairs = _pairs(strata, ends)

    group = _two_ends(ends, pairs, measures, rulebook)
    rest = _two_ends(
        _rest(ends, [*LEVEL, "end"], list(SUMS)),
        _rest(pairs, LEVEL, ["people", *PRODUCTS]),
        measures,
        rulebook,
    )
    both = group.merge(rest, on=STRATUM, how="left", suffixes=("", "_rest"), validate="one_to_one")
    found = _changes(both, rulebook.value("confidence"))
    return shape(
        found.assign(
            measure_label=found["measure"].map({name: measure.label for name, measure in measures.items()}),
            label=found["characteristic"].map(_labels(strata)),
        ),
        CHANGES_TABLE,
    )


# ---------------------------------------------------------------- periods


def _every_period(strata: Strata, measures: Mapping[str, Measure]) -> pd.DataFrame:
    """One row per group and period, none left out: the columns of STRATA with the sums of the period.

    Nobody counted in a period has sums of 0; a group that the code list in use does not have keeps missing ones.
    """
    followed = [name for name, measure in measures.items() if measure.statistic in FOLLOWED]
    periods = strata.periods[strata.periods["measure"].isin(followed)]
    counted = periods[[*STRATUM, "period", *SUMS]]
    groups = strata.strata.drop(columns=[*SUMS, "order"]).merge(
        periods[LEVEL].drop_duplicates(), on=LEVEL, validate="many_to_one"
    )
    grid = groups.merge(_calendar(periods), on="measure", validate="many_to_many").merge(
        counted, on=[*STRATUM, "period"], how="left", validate="one_to_one", indicator="found"
    )
    if (grid["found"] == "both").sum() != len(counted):
        raise EquityDataError(
            "Groups were counted by period that are not among the groups of the whole time."
        )
    nobody = (grid["found"] == "left_only") & (grid["status"] != NOT_COLLECTED)
    sums = {name: grid[name].astype(float).mask(nobody, 0.0) for name in SUMS}
    return grid.drop(columns="found").assign(**sums)


def _calendar(periods: pd.DataFrame) -> pd.DataFrame:
    """Every period of each measure, in order from 1: measure, period, order."""
    met = periods[["measure", "period", "order"]].drop_duplicates().sort_values("order", kind="stable")
    return met.assign(order=met.groupby("measure").cumcount() + 1)


def _limits(found: pd.DataFrame, confidence: float) -> tuple[FloatArray, FloatArray]:
    """Limits of values with their effective counts and standard errors, as `effective` gives them."""
    from scipy.special import stdtrit

    share, rate, mean = ((found["statistic"] == name).to_numpy() for name in FOLLOWED)
    x, n, value, error, people = (
        found[name].to_numpy(dtype=float) for name in ("effective_x", "effective_n", "value", "se", "people")
    )
    of_shares = wilson(np.where(share, x, np.nan), np.where(share, n, np.nan), confidence=confidence)
    of_counts = count_limits(np.where(rate & (n > 0), x, np.nan), confidence=confidence)
    with np.errstate(divide="ignore", invalid="ignore"):
        of_rates = [limit / n for limit in of_counts]
        reach = error * -stdtrit(np.where(mean & (people > 1), people - 1, np.nan), tails(confidence))
    of_means = (value - reach, value + reach)
    lower, upper = (
        np.select([share, rate], [of_shares[side], of_rates[side]], of_means[side]) for side in (0, 1)
    )
    return lower, upper


def _labels(strata: Strata) -> dict[str, str]:
    named = strata.strata.drop_duplicates("characteristic")
    return dict(zip(named["characteristic"], named["label"], strict=True))


# ---------------------------------------------------------------- first against last


def _pairs(strata: Strata, ends: pd.DataFrame) -> pd.DataFrame:
    """The products of every group of the ends; 0 where nobody was counted in either period, else as they are."""
    groups = ends.groupby(STRATUM, sort=False)["n"].sum(min_count=1).reset_index()
    pairs = groups.merge(
        strata.pairs[[*STRATUM, "people", *PRODUCTS]], on=STRATUM, how="left", validate="one_to_one"
    )
    nobody = pairs["n"] == 0
    return pairs.assign(
        **{name: pairs[name].astype(float).mask(nobody, 0.0) for name in ("people", *PRODUCTS)}
    ).drop(columns="n")


def _rest(frame: pd.DataFrame, within: list[str], sums: list[str]) -> pd.DataFrame:
    """The same rows with the sums of the rest: the known groups of the level, less the group itself.

    Rows of the whole and of unknown or not collected groups have no rest and are left out.
    """
    here = frame[(frame["status"] == KNOWN) & (frame["characteristic"] != ALL)]
    together = here.groupby(within, sort=False)[sums].transform("sum")
    return here.assign(**{name: together[name] - here[name] for name in sums})


def _two_ends(
    ends: pd.DataFrame, pairs: pd.DataFrame, measures: Mapping[str, Measure], rulebook: Rulebook
) -> pd.DataFrame:
    """One row per group with both ends side by side: _0 of the first period, _1 of the last.

    Columns value, variance, people and period of each end; covariance; people in either; short : the rule that
    keeps a change from being worked out, or ''.
    """
    worth = effective(ends, measures)
    share = worth["statistic"] == "share"
    non_events = (worth["effective_n"] - worth["effective_x"]).where(share)
    worth = worth.assign(
        variance=worth["se"] ** 2,
        events=worth["effective_x"].clip(upper=non_events).mask(worth["statistic"] == "mean", np.inf),
    )
    kept = [*STRATUM, "period", "value", "variance", "n", "people", "events"]
    first = worth.loc[worth["end"] == 0, [*kept, "statistic"]]
    last = worth.loc[worth["end"] == 1, kept]
    wide = first.merge(last, on=STRATUM, how="left", suffixes=("_0", "_1"), validate="one_to_one").merge(
        pairs, on=STRATUM, how="left", validate="one_to_one"
    )
    return wide.assign(covariance=_covariance(wide), short=_short(wide, rulebook))


def _covariance(wide: pd.DataFrame) -> FloatArray:
    """Covariance of the values of the two periods, from the people seen in both."""
    first, last, m = (wide[name].to_numpy(dtype=float) for name in ("value_0", "value_1", "people"))
    n0n1, n0x1, x0n1, x0x1 = (wide[name].to_numpy(dtype=float) for name in PRODUCTS)
    with np.errstate(divide="ignore", invalid="ignore"):
        products = x0x1 - last * x0n1 - first * n0x1 + first * last * n0n1
        covariance = products / (wide["n_0"] * wide["n_1"]).to_numpy() * m / (m - 1)
        # m / (m - 1) is of all people, the variances' of those of one period or none: no correlation passes 1.
        most = np.sqrt((wide["variance_0"] * wide["variance_1"]).to_numpy())
    return np.clip(covariance, -most, most)


def _short(wide: pd.DataFrame, rulebook: Rulebook) -> TextArray:
    """The rule that keeps a change from being worked out, or ''."""
    least_people = rulebook.value("flag_least_people")
    least_events = rulebook.value("flag_least_expected")
    short = texts((len(wide),))
    one_period = wide["period_1"].isna()
    add_note(short, one_period, ONE_PERIOD)
    for of, least, what in (
        ("people", least_people, "people"),
        ("events", least_events, "events, or of a share non-events,"),
    ):
        fewest = wide[[f"{of}_0", f"{of}_1"]].min(axis=1)
        add_note(
            short, ~one_period & (short == "") & (fewest < least), f"fewer than {least:g} {what} in a period"
        )
    return short


def _changes(both: pd.DataFrame, confidence: float) -> pd.DataFrame:
    """Changes of values, and of the gaps to the rest, with their limits and notes."""
    own, rest = _Ends.of(both, ""), _Ends.of(both, "_rest")
    told = (both["short"] == "").to_numpy() & np.isfinite(own.first + own.last)
    held = told & (both["short_rest"] == "").to_numpy() & np.isfinite(rest.first + rest.last)
    mean = (both["statistic"] == "mean").to_numpy()
    reach = _reach(own.people, mean, confidence)
    reach_gap = _reach(np.fmin(own.people, rest.people), mean, confidence)
    positive = told & own.above_zero(np.where(mean, reach, 0.0))
    both_positive = held & positive & rest.above_zero(np.where(mean, reach_gap, 0.0))

    with np.errstate(divide="ignore", invalid="ignore"):
        gap_first, gap_last = own.first - rest.first, own.last - rest.last
        ratio_first, ratio_last = own.first / rest.first, own.last / rest.last
        columns = {
            **_difference("change", own.last - own.first, own.variance, reach, told),
            **_ratio("relative_change", own.last / own.first, own.log_variance, reach, positive),
            "gap_first": np.where(held, gap_first, np.nan),
            "gap_last": np.where(held, gap_last, np.nan),
            **_difference("gap_change", gap_last - gap_first, own.variance + rest.variance, reach_gap, held),
            "ratio_first": np.where(both_positive, ratio_first, np.nan),
            "ratio_last": np.where(both_positive, ratio_last, np.nan),
            **_ratio(
                "ratio_change",
                ratio_last / ratio_first,
                own.log_variance + rest.log_variance,
                reach_gap,
                both_positive,
            ),
        }
    found = both.assign(
        first_period=both["period_0"],
        last_period=both["period_1"].fillna(""),
        first=own.first,
        last=own.last,
        people=both["people"].where(both["period_1"].notna(), both["people_0"]),
        **columns,
    )
    absolute, relative = (
        _moved(found["gap_first"], found["gap_last"]),
        _moved(np.log(found["ratio_first"]), np.log(found["ratio_last"])),
    )
    opposite = absolute * relative < 0
    note = both["short"].to_numpy(dtype=object).copy()
    add_note(note, both["status"] == NOT_COLLECTED, NO_CODE)
    add_note(note, told & np.isnan(own.variance), NO_PAIRS)
    add_note(note, told & ~positive, NEAR_ZERO)
    _note_rest(note, both, told)
    add_note(note, held & positive & ~both_positive, f"the rest: {NEAR_ZERO}")
    for sign, words in ((-1, ("shrank", "grew")), (1, ("grew", "shrank"))):
        add_note(note, opposite & (absolute == sign), OPPOSITE.format(*words))
    add_note(
        note, opposite & _holds(found, "gap_change", 0) & _holds(found, "ratio_change", 1), WITHIN_CHANCE
    )
    return found.assign(opposite=opposite, note=note)


@dataclass(frozen=True)
class _Ends:
    """Values of the first and the last period, their variances and covariance, and the fewer people of the two."""

    first: FloatArray
    last: FloatArray
    variances: tuple[FloatArray, FloatArray]
    covariance: FloatArray
    people: FloatArray

    @classmethod
    def of(cls, both: pd.DataFrame, suffix: str) -> _Ends:
        first, last, v0, v1, covariance, m0, m1 = (
            both[f"{name}{suffix}"].to_numpy(dtype=float)
            for name in (
                "value_0",
                "value_1",
                "variance_0",
                "variance_1",
                "covariance",
                "people_0",
                "people_1",
            )
        )
        return cls(first, last, (v0, v1), covariance, np.minimum(m0, m1))

    @property
    def variance(self) -> FloatArray:
        """Of the last value less the first."""
        return np.maximum(self.variances[0] + self.variances[1] - 2 * self.covariance, 0)

    @property
    def log_variance(self) -> FloatArray:
        """Of the logarithm of the last value over the first."""
        parts = self.variances[0] / self.first**2 + self.variances[1] / self.last**2
        return np.maximum(parts - 2 * self.covariance / (self.first * self.last), 0)

    def above_zero(self, reach: FloatArray) -> NDArray[np.bool_]:
        """Both values lie more than this many standard errors above 0."""
        return (self.first > np.sqrt(self.variances[0]) * reach) & (
            self.last > np.sqrt(self.variances[1]) * reach
        )


def _reach(people: FloatArray, mean: NDArray[np.bool_], confidence: float) -> FloatArray:
    """How many standard errors the limits lie away: normal, or Student's t for means."""
    from scipy.special import ndtri, stdtrit

    tail = tails(confidence)
    t = -stdtrit(np.where(people > 1, people - 1, np.nan), tail)
    return np.where(mean, t, -ndtri(tail))


def _difference(
    name: str, value: FloatArray, variance: FloatArray, reach: FloatArray, shown: NDArray[np.bool_]
) -> dict[str, FloatArray]:
    error = reach * np.sqrt(variance)
    three = {name: value, f"{name}_lower": value - error, f"{name}_upper": value + error}
    return {column: np.where(shown, values, np.nan) for column, values in three.items()}


def _ratio(
    name: str, value: FloatArray, log_variance: FloatArray, reach: FloatArray, shown: NDArray[np.bool_]
) -> dict[str, FloatArray]:
    factor = np.exp(reach * np.sqrt(log_variance))
    three = {name: value, f"{name}_lower": value / factor, f"{name}_upper": value * factor}
    return {column: np.where(shown, values, np.nan) for column, values in three.items()}


def _note_rest(note: TextArray, both: pd.DataFrame, told: NDArray[np.bool_]) -> None:
    """Why there is no gap to the rest. In place."""
    whole = (both["characteristic"] == ALL).to_numpy()
    unknown = (both["status"] != KNOWN).to_numpy() & (both["status"] != NOT_COLLECTED).to_numpy()
    group = ~whole & (both["status"] == KNOWN).to_numpy()
    alone = group & ~(both[["people_0_rest", "people_1_rest"]].max(axis=1) > 0).to_numpy()
    add_note(note, whole, WHOLE)
    add_note(note, unknown, UNKNOWN_GROUP)
    add_note(note, told & alone, NO_REST)
    for short in set(both["short_rest"].dropna()) - {""}:
        add_note(note, told & group & ~alone & (both["short_rest"] == short), f"the rest: {short}")


def _moved(first: pd.Series, last: pd.Series) -> FloatArray:
    """-1 where the last lies nearer to 0 than the first, 1 where farther off, 0 where neither to three digits."""
    before, after = (_rounded(np.abs(values.to_numpy(dtype=float))) for values in (first, last))
    return np.nan_to_num(np.sign(after - before))


def _rounded(values: FloatArray) -> FloatArray:
    """The values to DIGITS digits."""
    some = np.isfinite(values) & (values > 0)
    scale = 10.0 ** (DIGITS - 1 - np.floor(np.log10(np.where(some, values, 1.0))))
    return np.where(some, np.round(values * scale) / scale, values)


def _holds(found: pd.DataFrame, name: str, value: float) -> NDArray[np.bool_]:
    """The limits of this change hold the value of no change."""
    return ((found[f"{name}_lower"] <= value) & (found[f"{name}_upper"] >= value)).to_numpy()
