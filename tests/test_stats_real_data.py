"""The statistics on public records, against other libraries that see the same records one by one."""

import csv
import gzip
import io
from collections import Counter

import numpy as np
import pytest
from scipy.stats import chi2_contingency
from statsmodels.genmod.families import Poisson
from statsmodels.genmod.generalized_linear_model import GLM
from statsmodels.stats.proportion import proportions_ztest

from equitydata.stats.adjustment import adjusted_risks
from equitydata.stats.many_groups import chi_square
from equitydata.stats.two_groups import rest_of, risk_difference, risk_ratio, two_proportion_test
from test_real_data import source_file

pytestmark = pytest.mark.filterwarnings("error")
RACES = ("Caucasian", "AfricanAmerican", "Hispanic", "Asian", "Other")


@pytest.fixture(scope="module")
def stays():
    """(race, age band, sex, readmitted within 30 days) of every hospital stay with a known race and sex."""
    path = source_file("diabetes-130", "diabetic_data.csv.gz")
    with gzip.open(path, "rb") as file:
        rows = list(csv.DictReader(io.TextIOWrapper(file, encoding="utf-8", newline="")))
    found = [(row["race"], row["age"], row["gender"], row["readmitted"] == "<30") for row in rows]
    kept = [each for each in found if each[0] in RACES and each[2] in ("Female", "Male")]
    assert (len(rows), len(kept)) == (101_766, 99_492)
    return kept


def by_race(stays):
    people, events = Counter(), Counter()
    for race, _, _, readmitted in stays:
        people[race] += 1
        events[race] += readmitted
    return np.array([events[race] for race in RACES]), np.array([people[race] for race in RACES])


def test_readmission_by_race_against_the_rest_is_that_of_a_pooled_test_of_single_records(stays):
    events, people = by_race(stays)
    rest_events, rest_people = rest_of(
        numerator=events,
        denominator=people,
        total_numerator=events.sum(),
        total_denominator=people.sum(),
    )
    counts = {
        "numerator": events,
        "denominator": people,
        "comparator_numerator": rest_events,
        "comparator_denominator": rest_people,
    }
    ratio, gap, test = risk_ratio(**counts), risk_difference(**counts), two_proportion_test(**counts)
    for k, race in enumerate(RACES):
        own = [readmitted for name, _, _, readmitted in stays if name == race]
        others = [readmitted for name, _, _, readmitted in stays if name != race]
        z, p = proportions_ztest([sum(own), sum(others)], [len(own), len(others)])
        assert ratio.value[k] == pytest.approx(np.mean(own) / np.mean(others))
        assert gap.value[k] == pytest.approx(np.mean(own) - np.mean(others))
        assert (test.statistic[k], test.p_value[k]) == pytest.approx((z, p))
        assert (ratio.lower[k] > 1 or ratio.upper[k] < 1) == (p < 0.05)


def test_the_omnibus_test_is_that_of_scipy(stays):
    events, people = by_race(stays)
    found = chi_square(numerator=events, denominator=people).test
    theirs = chi2_contingency([events, people - events], correction=False)
    assert (found.statistic, found.p_value) == pytest.approx((theirs.statistic, theirs.pvalue))


def test_adjusted_for_age_and_sex_on_cells_is_the_robust_model_of_single_records(stays):
    ages, sexes = sorted({age for _, age, _, _ in stays}), ("Female", "Male")
    people, events = Counter(), Counter()
    for race, age, sex, readmitted in stays:
        people[race, age, sex] += 1
        events[race, age, sex] += readmitted
    cells = sorted(people)
    found = adjusted_risks(
        group=[RACES.index(race) for race, _, _ in cells],
        events=[events[cell] for cell in cells],
        people=[people[cell] for cell in cells],
        categories={"age": [age for _, age, _ in cells], "sex": [sex for _, _, sex in cells]},
        reference=0,
        model="poisson",
        errors="hc0",
    )
    design = np.array(
        [
            [1, *(race == each for each in RACES[1:]), *(age == each for each in ages[1:]), sex == sexes[1]]
            for race, age, sex, _ in stays
        ],
        dtype=float,
    )
    outcome = np.array([readmitted for *_, readmitted in stays], dtype=float)
    fitted = GLM(outcome, design, family=Poisson()).fit(cov_type="HC0")
    low, high = np.exp(fitted.conf_int()[1:5]).T
    assert found.effect.value[1:] == pytest.approx(np.exp(fitted.params[1:5]), rel=1e-6)
    assert found.effect.lower[1:] == pytest.approx(low, rel=1e-6)
    assert found.effect.upper[1:] == pytest.approx(high, rel=1e-6)
