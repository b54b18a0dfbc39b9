"""The flag and what it rests on, tests over all groups, and what chance alone does."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.oneway import anova_oneway

from equitydata.comparison import disproportionality
from equitydata.comparison.contrast import against_rest, contrast, known_groups
from equitydata.comparison.disproportionality import judged, thresholds
from equitydata.errors import ConfigError
from equitydata.rulebook import load_rulebook
from equitydata.service import AnalysisSettings, Measure
from equitydata.strata import SUMS, Strata
from equitydata.tables import TESTS_TABLE
from plain_strata import measure, strata_from

RULES = load_rulebook()
FLAGGED = ["disproportionate_high", "disproportionate_low"]
NO_VALUES = pd.DataFrame(
    columns=["measure", "characteristic", "level", "category", "status", "value", "people"]
)


def strata_of(x, n, *, xx=None, nn=None, nx=None, people=None, ordered=False, level="groups") -> Strata:
    """Groups of one characteristic for one or (rows of x and n) many measures m0, m1, ...; contacts or people."""
    x, n = np.atleast_2d(np.asarray(x, dtype=float)), np.atleast_2d(np.asarray(n, dtype=float))
    measures, groups = x.shape
    sums = {
        "people": n if people is None else people,
        "cases": x,
        "n": n,
        "x": x,
        "nn": n if nn is None else nn,
        "nx": x if nx is None else nx,
        "xx": x if xx is None else xx,
    }
    frame = pd.DataFrame(
        {
            "measure": np.repeat([f"m{i}" for i in range(measures)], groups),
            "characteristic": "ethnicity",
            "label": "Ethnicity",
            "level": level,
            "ordered": ordered,
            "category": np.tile([f"group {i}" for i in range(groups)], measures),
            "order": np.tile(np.arange(groups), measures),
            "status": "known",
            **{name: np.broadcast_to(np.atleast_2d(sums[name]), x.shape).ravel() for name in SUMS},
        }
    )
    nothing = pd.DataFrame()
    return Strata(frame, nothing, NO_VALUES, nothing, nothing, nothing, {"ethnicity": "Ethnicity"})


def measures_of(strata: Strata, **more) -> dict[str, Measure]:
    one = measure(**more)["seen"]
    return dict.fromkeys(strata.strata["measure"].unique(), one)


def verdicts(
    strata: Strata, *, rules=RULES, analysis: AnalysisSettings | None = None, **more
) -> pd.DataFrame:
    """Groups with their contrast to the rest and the verdict on it."""
    measures = measures_of(strata, **more)
    groups = known_groups(strata, measures, confidence=0.95)
    compared = against_rest(groups, strata, measures, confidence=0.95)
    found = compared.join(contrast(compared, confidence=0.95).drop(columns="note"))
    return found.join(judged(found, measures, analysis or AnalysisSettings(), rules))


def test_each_state_needs_its_own_answers():
    cases = {
        "disproportionate_high": ([60, 100], [200, 1000]),
        "disproportionate_low": ([10, 200], [200, 1000]),
        "different_small": ([1100, 10000], [10000, 100000]),
        "uncertain": ([7, 100], [50, 1000]),
        "no_evidence": ([52, 100], [500, 1000]),
        "insufficient_data": ([9, 100], [20, 1000]),
    }
    for state, (x, n) in cases.items():
        row = verdicts(strata_of(x, n)).iloc[0]
        assert row["flag"] == state
        outside = not 0.8 <= row["ratio"] <= 1.25
        assert row["size"] == outside and row["information"] == (state != "insufficient_data")
        assert row["evidence"] == (row["information"] and row["p_adjusted"] < 0.05)


def test_only_an_interval_inside_the_band_is_similar():
    assert verdicts(strata_of([1000, 10000], [10000, 100000])).iloc[0]["similar"]
    assert not verdicts(strata_of([52, 100], [500, 1000])).iloc[0]["similar"]


@pytest.mark.parametrize(
    ("polarity", "high", "low"),
    [("adverse", "harm", "benefit"), ("favourable", "benefit", "harm"), ("neutral", "", "")],
)
def test_harm_is_direction_held_against_polarity(polarity, high, low):
    found = verdicts(strata_of([60, 100], [200, 1000]), polarity=polarity)
    assert found["harm"].tolist() == [high, low]


def test_the_smaller_side_decides_whether_there_is_enough():
    found = verdicts(strata_of([12, 400], [20, 2000]))
    assert (found["flag"] == "insufficient_data").all()
    assert found["note"].tolist() == [
        "people: fewer than 30; expected events: fewer than 5",
        "people in the comparator: fewer than 30; expected events in the comparator: fewer than 5",
    ]
    assert found["p"].notna().all() and found["p_adjusted"].isna().all() and not found["evidence"].any()


def test_a_share_also_needs_expected_non_events():
    row = verdicts(strata_of([40, 990], [40, 1000])).iloc[0]
    assert row["flag"] == "insufficient_data" and "non-events" in row["note"]
    assert verdicts(strata_of([40, 990], [40, 1000]), counts="contacts", person_time="t").iloc[0][
        "information"
    ]


def test_the_other_preset_counts_events_on_both_sides():
    strata = strata_of([9, 100], [100, 1000])
    assert verdicts(strata).iloc[0]["information"]
    row = verdicts(strata, rules=load_rulebook({"flag_preset": "idea"})).iloc[0]
    assert row["flag"] == "insufficient_data" and "events: fewer than 10" in row["note"]


def test_the_band_and_the_adjustment_are_choices():
    strata = strata_of([115, 1000, 98], [1000, 10000, 1000])
    assert verdicts(strata).iloc[0]["flag"] == "no_evidence"
    wide = verdicts(strata, rules=load_rulebook({"flag_band_high": 1.1})).iloc[0]
    assert wide["flag"] == "uncertain"
    plain = verdicts(strata, rules=load_rulebook({"flag_adjustment": "bonferroni"}))
    assert plain["p_adjusted"].tolist() == pytest.approx(np.minimum(1, 3 * plain["p"]).tolist())


@pytest.mark.parametrize(
    "changes",
    [
        {"flag_band_low": 1.0},
        {"flag_band_high": 0.9},
        {"flag_alpha": 0.7},
        {"detectable_power": 0.3},
        {"flag_least_people": -1},
    ],
)
def test_thresholds_that_cannot_be_are_told_by_their_key(changes):
    with pytest.raises(ConfigError, match=next(iter(changes))):
        thresholds(load_rulebook(changes))


def test_the_detectable_ratio_would_have_been_found():
    """Simulated power at the detectable ratio is about that asked for."""
    row = verdicts(strata_of([30, 200], [200, 2000])).iloc[0]
    chance = np.random.default_rng(1)
    for ratio in (row["detectable_low"], row["detectable_high"]):
        x1, x2 = chance.binomial(200, 0.1 * ratio, 4000), chance.binomial(2000, 0.1, 4000)
        pooled = (x1 + x2) / 2200
        z = (x1 / 200 - x2 / 2000) / np.sqrt(pooled * (1 - pooled) * (1 / 200 + 1 / 2000))
        assert (np.abs(z) > 1.96).mean() == pytest.approx(
            0.8, abs=0.06
        )  # the closed form is off by some points


def test_the_detectable_ratio_of_means_follows_their_spread():
    n, mean, spread = np.array([100.0, 900.0]), np.array([20.0, 20.0]), 8.0
    x = n * mean
    strata = strata_of(x, n, nn=n, nx=x, xx=(n - 1) * spread**2 + n * mean**2)
    row = verdicts(strata, value="wait").iloc[0]
    error = spread * np.sqrt(1 / 100 + 1 / 900)
    assert row["detectable_high"] == pytest.approx(1 + (1.959964 + 0.841621) * error / 20, rel=1e-5)
    assert row["information"]


def test_repeated_contacts_ask_for_more():
    """Everyone has four contacts, all alike: counts are worth a quarter, less the factor m / (m - 1)."""
    people = np.array([50.0, 450.0])
    x, n = 4 * np.array([20.0, 90.0]), 4 * people
    once = verdicts(strata_of([20, 90], people)).iloc[0]
    four = verdicts(strata_of(x, n, people=people, nn=4 * n, nx=4 * x, xx=4 * x), counts="contacts").iloc[0]
    assert four["p"] == pytest.approx(once["p"], rel=0.15) and four["ratio"] == pytest.approx(once["ratio"])
    assert four["detectable_high"] == pytest.approx(once["detectable_high"], rel=0.05)


# ---------------------------------------------------------------- laws


GROUPS = st.lists(
    st.integers(0, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), min_size=2, max_size=6
)


@settings(deadline=None, max_examples=30)
@given(GROUPS)
def test_states_follow_from_their_answers_and_from_nothing_else(groups):
    x, n = zip(*groups, strict=True)
    found = verdicts(strata_of(x, n))
    assert (found["evidence"] <= found["information"]).all()
    flagged = found["flag"].isin(FLAGGED)
    assert (flagged == (found["evidence"] & found["size"])).all()
    assert (found.loc[found["flag"] == "disproportionate_high", "ratio"] > 1.25).all()
    assert (found["p_adjusted"].dropna() >= found["p"][found["p_adjusted"].notna()] - 1e-12).all()


@settings(deadline=None, max_examples=30)
@given(GROUPS, st.randoms(use_true_random=False))
def test_groups_in_another_order_get_the_same_flags(groups, chance):
    order = list(range(len(groups)))
    chance.shuffle(order)
    first, second = (
        verdicts(strata_of(*zip(*each, strict=True))) for each in (groups, [groups[i] for i in order])
    )
    columns = ["flag", "evidence", "size", "information", "similar", "harm"]
    assert first[columns].iloc[order].to_numpy().tolist() == second[columns].to_numpy().tolist()


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 9), st.lists(st.integers(1, 100), min_size=2, max_size=6))
def test_equal_groups_are_never_flagged(tenths, sizes):
    n = np.array(sizes) * 10
    found = verdicts(strata_of(n * tenths / 10, n))
    assert not found["flag"].isin([*FLAGGED, "different_small", "uncertain"]).any()
    assert found["ratio"].to_numpy() == pytest.approx(1.0)


# ---------------------------------------------------------------- chance


@pytest.mark.parametrize("share", [0.03, 0.15, 0.5])
def test_chance_seldom_raises_a_flag_on_people(share):
    """The same share in every group: of 1,000 analyses about 5% or fewer have any flag at all."""
    chance = np.random.default_rng(20)
    n = np.tile([5000, 1200, 900, 400, 250, 120, 60, 35, 20], (1000, 1))
    found = verdicts(strata_of(chance.binomial(n, share), n))
    flagged = found["flag"].isin(FLAGGED).groupby(found["measure"]).any()
    assert flagged.mean() <= 0.065
    assert (found["evidence"].groupby(found["measure"]).any()).mean() <= 0.065


def clustered(seed: int, measures: int) -> Strata:
    """Contacts of people who differ from each other but not by group; 1 to 8 contacts each."""
    chance = np.random.default_rng(seed)
    sizes = [600, 300, 150, 80, 40]
    group = np.repeat(np.arange(5), sizes)
    n = chance.integers(1, 9, (measures, len(group)))
    x = chance.binomial(n, chance.beta(0.5, 1.5, n.shape))
    sums = {"people": np.ones(n.shape), "n": n, "x": x, "nn": n**2, "nx": n * x, "xx": x**2}
    member = group[:, np.newaxis] == np.arange(5)
    return strata_of(**{name: np.asarray(values, dtype=float) @ member for name, values in sums.items()})


def test_chance_seldom_raises_a_flag_on_repeated_contacts():
    strata = clustered(3, 500)
    found = verdicts(strata, counts="contacts")
    flagged = found["evidence"].groupby(found["measure"]).any()
    assert flagged.mean() <= 0.065
    naive = strata.strata.assign(nn=strata.strata["n"], nx=strata.strata["x"], xx=strata.strata["x"])
    independent = verdicts(dataclasses.replace(strata, strata=naive), counts="contacts")
    assert independent["evidence"].groupby(independent["measure"]).any().mean() > 0.15


@pytest.mark.parametrize("spread", [0.5, 1.0])
def test_chance_seldom_raises_a_flag_on_skewed_waits(spread):
    """Welch's test alone calls a small group certain that is low by chance: here it would in up to a fifth."""
    chance = np.random.default_rng(5)
    sizes = np.array([3000, 900, 400, 150, 80, 50, 40, 35, 30])
    waits = chance.lognormal(2.5, spread, (600, sizes.sum()))
    starts = np.cumsum(sizes) - sizes
    x, xx = (np.add.reduceat(waits**power, starts, axis=1) for power in (1, 2))
    n = np.tile(sizes, (600, 1))
    found = verdicts(strata_of(x, n, nn=n, nx=x, xx=xx), value="wait")
    assert found["flag"].isin(FLAGGED).groupby(found["measure"]).any().mean() <= 0.05


def test_a_true_difference_in_skewed_waits_is_still_found():
    chance = np.random.default_rng(9)
    sizes = np.array([2000, 300, 100])
    waits = chance.exponential(20, (200, sizes.sum()))
    waits[:, -100:] *= 1.6
    starts = np.cumsum(sizes) - sizes
    x, xx = (np.add.reduceat(waits**power, starts, axis=1) for power in (1, 2))
    n = np.tile(sizes, (200, 1))
    found = verdicts(strata_of(x, n, nn=n, nx=x, xx=xx), value="wait")
    assert (found.loc[found["category"] == "group 2", "flag"] == "disproportionate_high").mean() > 0.8


def test_chance_seldom_raises_a_flag_on_rates():
    chance = np.random.default_rng(6)
    time = np.tile([50_000.0, 9_000, 4_000, 1_500, 600, 300], (800, 1))
    found = verdicts(
        strata_of(chance.poisson(time * 0.02), time, people=time / 10), counts="contacts", person_time="days"
    )
    assert found["flag"].isin(FLAGGED).groupby(found["measure"]).any().mean() <= 0.06


# ---------------------------------------------------------------- tests over all groups


def omnibus(strata: Strata, **more) -> pd.DataFrame:
    table = disproportionality.tests_table(strata, measures_of(strata, **more), RULES)
    assert list(table.columns) == list(TESTS_TABLE.columns)
    return table


def test_shares_are_tested_by_chi_square_with_its_effect():
    table = np.array([[30, 170], [45, 105], [80, 570]])
    (row,) = omnibus(strata_of(table[:, 0], table.sum(axis=1))).to_dict("records")
    expected = stats.chi2_contingency(table, correction=False)
    assert (row["statistic_value"], row["df"], row["p"]) == pytest.approx(
        (expected.statistic, 2, expected.pvalue)
    )
    assert row["effect"] == "Cramér's V"
    assert row["effect_size"] == pytest.approx(stats.contingency.association(table, method="cramer"))
    assert row["groups"] == 3


def test_sparse_shares_are_tested_exactly():
    (row,) = omnibus(strata_of([3, 0, 4], [5, 9, 10])).to_dict("records")
    assert "fisher" in row["test"] and np.isnan(row["df"])


def test_rates_means_and_medians_have_their_own_tests():
    (row,) = omnibus(strata_of([30, 45, 80], [200, 150, 650]), counts="contacts", person_time="days").to_dict(
        "records"
    )
    expected = stats.chisquare([30, 45, 80], 155 * np.array([200, 150, 650]) / 1000)
    assert row["p"] == pytest.approx(expected.pvalue)
    chance = np.random.default_rng(1)
    records = pd.DataFrame({"person": range(300), "n": 1.0, "eth": chance.choice(list("ABC"), 300)})
    records["x"] = chance.integers(1, 50, 300) + (records["eth"] == "C") * 5.0
    strata = strata_from(records, characteristics={("ethnicity", "groups"): "eth"})
    table = disproportionality.tests_table(strata, measure(value="wait"), RULES)
    welch = anova_oneway(records["x"], records["eth"], use_var="unequal")
    assert table.loc[0, "p"] == pytest.approx(welch.pvalue)
    middle = disproportionality.tests_table(strata, measure(value="wait", quantile=0.5), RULES)
    mood = stats.median_test(*(records.loc[records["eth"] == g, "x"] for g in "ABC"), correction=False)
    assert middle.loc[0, "p"] == pytest.approx(mood.pvalue)


def test_ordered_groups_have_a_trend_and_what_it_leaves():
    x, n = np.array([10, 15, 22, 30]), np.array([100, 100, 100, 100])
    table = omnibus(strata_of(x, n, ordered=True))
    assert table["test"].str.split(" ").str[0].tolist() == ["all", "trend", "departure"]
    trend = table.iloc[1]
    d = np.arange(4) - 1.5
    share = x.sum() / 400
    z = (d * x).sum() / np.sqrt(share * (1 - share) * (n * d**2).sum())
    assert trend["statistic_value"] == pytest.approx(z)
    assert trend["effect_size"] == pytest.approx((d * x).sum() / (n * d**2).sum())
    assert table.loc[0, "statistic_value"] == pytest.approx(z**2 + table.loc[2, "statistic_value"])
    assert len(omnibus(strata_of(x, n))) == 1


def test_a_trend_in_means_is_weighted_least_squares():
    import statsmodels.api as sm

    n, mean, spread = np.array([50.0, 80, 60, 70]), np.array([10.0, 11, 13, 13.5]), np.array([4.0, 5, 3, 6])
    x = n * mean
    strata = strata_of(x, n, nn=n, nx=x, xx=(n - 1) * spread**2 + n * mean**2, ordered=True)
    row = omnibus(strata, value="wait").iloc[1]
    weights = n / spread**2
    fitted = sm.WLS(mean, sm.add_constant(np.arange(4.0)), weights=weights).fit(cov_type="fixed scale")
    assert row["effect_size"] == pytest.approx(fitted.params[1])
    assert row["statistic_value"] == pytest.approx(fitted.params[1] / fitted.bse[1])


def test_no_groups_and_one_group_say_so():
    (row,) = omnibus(strata_of([5], [50])).to_dict("records")
    assert np.isnan(row["p"]) and row["note"]
    (row,) = omnibus(strata_of([0, 0], [50, 60])).to_dict("records")
    assert np.isnan(row["p"]) and row["note"]
    nobody = dataclasses.replace(strata_of([5], [50]), strata=strata_of([5], [50]).strata.iloc[:0])
    assert disproportionality.tests_table(nobody, measure(), RULES).empty
