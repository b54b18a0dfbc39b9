import csv
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equitydata.stats.contracts import ContractError
from equitydata.stats.one_group.life_expectancy import life_expectancy

pytestmark = pytest.mark.filterwarnings("error")

CASES = list(csv.DictReader((Path(__file__).parent / "known_answers" / "life_expectancy.csv").open()))


def numbers(text):
    return np.array([float("nan" if word == "withheld" else word) for word in text.split()])


DEATHS, POPULATION, AGES = (numbers(CASES[0][name]) for name in ("deaths", "population", "ages"))


def with_band(band, *, deaths=None, population=None):
    d, n = DEATHS.copy(), POPULATION.copy()
    if deaths is not None:
        d[band] = deaths
    if population is not None:
        n[band] = population
    return life_expectancy(deaths=d, population=n, ages=AGES)


@pytest.mark.parametrize("case", CASES, ids=["a whole table", "intervals too wide"])
def test_years_and_limits_are_those_of_the_reference(case):
    answer = life_expectancy(
        deaths=numbers(case["deaths"]),
        population=numbers(case["population"]),
        ages=numbers(case["ages"]),
        confidence=float(case["confidence"]),
    )
    # The reference takes z as 1.96, which is 2 parts in 100,000 of the width.
    near = {"rel": 1e-9, "abs": 1e-5, "nan_ok": True}
    assert answer.value == pytest.approx(numbers(case["value"]), abs=1e-7, nan_ok=True), case["source"]
    assert answer.estimates.lower == pytest.approx(numbers(case["lower"]), **near), case["source"]
    assert answer.estimates.upper == pytest.approx(numbers(case["upper"]), **near), case["source"]


def plain_life_table(deaths, population, ages):
    """Years still to live and their variance at each age, one band after the other."""
    bands = len(ages)
    alive, dying, fraction = [1.0], [], []
    for i in range(bands):
        a = 0.1 if i == 0 else 0.5
        rate = deaths[i] / population[i]
        width = ages[i + 1] - ages[i] if i + 1 < bands else math.inf
        q = min(width * rate / (1 + (1 - a) * width * rate), 1) if i + 1 < bands else 1
        fraction.append(a)
        dying.append(q)
        alive.append(alive[-1] * (1 - q))
    last_rate = deaths[-1] / population[-1]
    years, variances = [1 / last_rate], [1 / (deaths[-1] * last_rate**2)]
    for i in reversed(range(bands - 1)):
        width = ages[i + 1] - ages[i]
        q, a, after = dying[i], fraction[i], years[0]
        # Those who die live a share a of the band; the others all of it, and then what comes after.
        years.insert(0, q * a * width + (1 - q) * (width + after))
        own = q**2 * (1 - q) / deaths[i] if deaths[i] else 0
        variances.insert(0, own * ((1 - a) * width + after) ** 2 + (1 - q) ** 2 * variances[0])
    return years, variances


TABLES = st.lists(
    st.integers(500, 50_000).flatmap(lambda n: st.tuples(st.integers(0, n // 8), st.just(n))),
    min_size=20,
    max_size=20,
).filter(lambda rows: rows[-1][0] > 0)


@settings(max_examples=100, deadline=None)
@given(TABLES)
def test_the_life_table_equals_one_worked_out_band_by_band(rows):
    deaths, population = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    answer = life_expectancy(deaths=deaths, population=population, ages=AGES)
    years, variances = plain_life_table(deaths, population, AGES)
    shown = ~np.isnan(answer.value)
    assert answer.value[shown] == pytest.approx(np.array(years)[shown])
    assert answer.variance[shown] == pytest.approx(np.array(variances)[shown])
    wide = 2 * 1.959964 * np.sqrt(variances) > 20
    assert shown.tolist() == (~wide).tolist()


def test_the_variance_is_that_of_life_tables_drawn_again():
    rng = np.random.default_rng(11)
    drawn = rng.poisson(DEATHS, (4000, 20))
    again = life_expectancy(deaths=drawn, population=np.tile(POPULATION, (4000, 1)), ages=AGES)
    stated = life_expectancy(deaths=DEATHS, population=POPULATION, ages=AGES).variance
    # Deaths drawn as Poisson vary a little more than the binomial of the formula allows at old ages.
    assert again.value.var(axis=0)[[0, 5, 13]] == pytest.approx(stated[[0, 5, 13]], rel=0.08)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"population": 0}, "a band has no people: withheld"),
        ({"population": -3}, "a band has no people: withheld"),
        ({"deaths": -5}, "a band has a negative number of deaths: withheld"),
        ({"deaths": 10**6}, "a band has more deaths than people: withheld"),
        ({"deaths": np.nan}, "a count is missing"),
        ({"population": np.nan}, "a count is missing"),
    ],
)
def test_one_bad_band_withholds_the_group_with_its_reason(change, reason):
    answer = with_band(3, **change)
    assert np.isnan(answer.value).all() and np.isnan(answer.variance).all()
    assert np.isnan(answer.estimates.lower).all() and np.isnan(answer.estimates.upper).all()
    assert set(answer.estimates.note) == {reason}


def test_no_death_in_the_last_band_withholds_the_group():
    assert set(with_band(-1, deaths=0).estimates.note) == {"nobody died in the last band: withheld"}


def test_five_thousand_people_are_too_few_and_one_more_is_not():
    population = np.full(20, 250.0)
    deaths = np.full(20, 10.0)
    few = life_expectancy(deaths=deaths, population=population, ages=AGES)
    assert set(few.estimates.note) == {"5,000 people or fewer: withheld"}
    population[0] += 1
    enough = life_expectancy(deaths=deaths, population=population, ages=AGES)
    assert np.isfinite(enough.value[0])


def test_a_band_without_deaths_is_no_reason_to_withhold():
    answer = with_band(4, deaths=0)
    assert np.isfinite(answer.value).all()
    assert answer.value[0] > with_band(4).value[0]


def test_ages_that_nobody_reaches_have_no_years():
    answer = with_band(12, deaths=46_000)
    assert np.isfinite(answer.value[:13]).all()
    assert np.isnan(answer.value[13:]).all()
    assert set(answer.estimates.note[13:]) == {"nobody survives to this age: withheld"}
    assert 50 < answer.value[0] < 60


def test_groups_in_one_call_are_each_as_alone():
    both = life_expectancy(
        deaths=[DEATHS, DEATHS * 2, DEATHS], population=[POPULATION, POPULATION, POPULATION * 0], ages=AGES
    )
    assert both.value.shape == (3, 20)
    assert np.array_equal(both.value[0], with_band(0).value)
    double = life_expectancy(deaths=DEATHS * 2, population=POPULATION, ages=AGES)
    assert np.array_equal(both.estimates.upper[1], double.estimates.upper)
    assert np.isnan(both.value[2]).all()


def test_several_confidence_levels_stand_in_a_last_axis_and_withhold_by_95_per_cent():
    wide = CASES[1]
    asked = {name: numbers(wide[name]) for name in ("deaths", "population", "ages")}
    answer = life_expectancy(**asked, confidence=(0.95, 0.998)).estimates
    assert answer.lower.shape == (20, 2)
    assert np.isfinite(answer.lower[:9]).all() and np.isnan(answer.lower[9:]).all()
    # Wider than 20 years at 99.8%, and shown: the rule looks at 95%.
    assert answer.upper[8, 1] - answer.lower[8, 1] > 20


def test_no_groups_give_no_answers():
    answer = life_expectancy(deaths=np.zeros((0, 20)), population=np.zeros((0, 20)), ages=AGES)
    assert answer.value.shape == answer.estimates.lower.shape == (0, 20)


def test_a_huge_population_has_close_limits():
    answer = life_expectancy(deaths=DEATHS * 1e6, population=POPULATION * 1e6, ages=AGES)
    assert answer.value == pytest.approx(with_band(0).value)
    assert (answer.estimates.upper - answer.estimates.lower < 0.001).all()


@pytest.mark.parametrize(
    "changed",
    [
        {"ages": AGES + 1},
        {"ages": AGES[::-1]},
        {"ages": [0]},
        {"ages": AGES[:-1]},
        {"ages": np.where(AGES == 5, np.nan, AGES)},
        {"deaths": DEATHS[:-1]},
        {"deaths": np.where(DEATHS == 17, np.inf, DEATHS)},
        {"confidence": 95},
    ],
)
def test_input_that_cannot_be_is_refused(changed):
    with pytest.raises(ContractError):
        life_expectancy(**{"deaths": DEATHS, "population": POPULATION, "ages": AGES, **changed})


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 18), st.integers(1, 200))
def test_more_deaths_in_a_band_never_lengthen_life(band, more):
    assert with_band(band, deaths=DEATHS[band] + more).value[0] < with_band(band).value[0]


def test_constant_rates_give_nearly_the_exponential_length_of_life():
    # With the same death rate at every age the mean length of life is one over the rate.
    ages = np.append(np.arange(0, 100, 1.0), 100)
    population = np.full(101, 1e6)
    answer = life_expectancy(deaths=population * 0.02, population=population, ages=ages)
    assert answer.value == pytest.approx(np.full(101, 50), rel=2e-3)
