import csv
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equitydata.stats.contracts import ContractError
from equitydata.stats.units.funnels import proportion_funnel
from equitydata.stats.units.overdispersion import (
    NO_EVENTS_NO_LOG,
    NO_UNITS,
    POORLY_KNOWN,
    SCALES,
    overdispersed_funnel,
    overdispersed_limits,
    overdispersion,
)

CASES = list(csv.DictReader((Path(__file__).parent / "known_answers" / "overdispersion.csv").open()))
X = np.array([12, 30, 25, 60, 44, 9, 71, 38, 20, 55, 16, 47.0])
N = np.array([60, 90, 130, 150, 210, 80, 190, 120, 75, 140, 95, 160.0])
Z95, Z998 = 1.959963984540054, 3.090232306167813


@pytest.fixture(autouse=True)
def no_warnings(recwarn):
    yield
    assert not recwarn.list


def numbers(text):
    return [float(part) for part in text.split(";")]


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c['scale']}-{c['source'][:20]}")
def test_phi_and_tau_squared_are_those_of_r(case):
    found = overdispersion(
        numerator=numbers(case["numerator"]),
        denominator=numbers(case["denominator"]),
        scale=case["scale"],
        average=float(case["average"]) if case["average"] else None,
        winsorise=float(case["winsorise"]),
    )
    assert found.tau_squared == pytest.approx(float(case["tau_squared"]), abs=2e-8), case["source"]
    if case["phi"]:
        assert found.phi == pytest.approx(float(case["phi"]), rel=1e-7), case["source"]


def plain(x, n, scale):
    """phi and tau squared of whole counts, written out one unit at a time."""
    average = sum(x) / sum(n)
    z, w = [], []
    for events, size in zip(x, n, strict=True):
        expected = size * average
        y, target, s = {
            "arcsine": (
                math.asin(math.sqrt(min(events / size, 1))),
                math.asin(math.sqrt(min(average, 1))),
                0.5 / size**0.5,
            ),
            "root": (math.sqrt(events / expected), 1, 0.5 / expected**0.5),
            "log": (math.log(max(events, 1e-300) / expected), 0, 1 / expected**0.5),
            "count_ratio": (
                math.log((events + 0.5) / (size + 0.5)),
                math.log(average),
                math.sqrt(events / (events + 0.5) ** 2 + size / (size + 0.5) ** 2),
            ),
        }[scale]
        z.append((y - target) / s)
        w.append(1 / s**2)
    ordered, k = sorted(z), len(z)

    def quantile(share):
        at = share * (k - 1)
        low = math.floor(at)
        return ordered[low] + (at - low) * (ordered[min(low + 1, k - 1)] - ordered[low])

    low, high = quantile(0.1), quantile(0.9)
    phi = sum(min(max(value, low), high) ** 2 for value in z) / k
    tau = (k * phi - (k - 1)) / (sum(w) - sum(v * v for v in w) / sum(w))
    return phi, max(tau, 0)


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.integers(1, 90), st.integers(100, 3000)), min_size=2, max_size=15),
    st.sampled_from(SCALES),
)
def test_phi_and_tau_squared_equal_a_slow_second_writing(units, scale):
    x, n = zip(*units, strict=True)
    found = overdispersion(numerator=x, denominator=n, scale=scale)
    phi, tau = plain(x, n, scale)
    assert found.phi == pytest.approx(phi, rel=1e-9)
    assert found.tau_squared == pytest.approx(tau, rel=1e-7, abs=1e-12)


@pytest.mark.parametrize("scale", SCALES)
def test_equal_units_show_no_overdispersion(scale):
    found = overdispersion(numerator=[30] * 12, denominator=[100] * 12, scale=scale)
    # count_ratio adds a half to each count, which leaves a trace.
    assert found.phi == pytest.approx(0, abs=5e-3) and found.tau_squared == 0 and found.remark == ""


def test_limits_are_worked_on_the_scale_and_transformed_back_in_full():
    found = overdispersion(numerator=X, denominator=N, scale="arcsine")
    lower, upper = overdispersed_limits(found, denominator=[100, 10_000], confidence=(0.95, 0.998))
    target = math.asin(math.sqrt(X.sum() / N.sum()))
    for row, n in enumerate((100, 10_000)):
        for column, z in enumerate((Z95, Z998)):
            spread = z * math.sqrt(1 / (4 * n) + found.tau_squared)
            assert lower[row, column] == pytest.approx(math.sin(max(target - spread, 0)) ** 2)
            assert upper[row, column] == pytest.approx(math.sin(target + spread) ** 2)


def test_limits_on_root_and_log_are_of_the_ratio_times_the_average():
    for scale, back in (("root", lambda v: max(1 + v, 0) ** 2), ("log", math.exp)):
        found = overdispersion(numerator=X, denominator=N, scale=scale)
        s = (0.5 if scale == "root" else 1) / math.sqrt(150 * found.average)
        spread = Z95 * math.sqrt(s**2 + found.tau_squared)
        lower, upper = overdispersed_limits(found, denominator=150, confidence=0.95)
        assert (lower, upper) == pytest.approx((back(-spread) * found.average, back(spread) * found.average))


def test_a_limit_of_a_count_ratio_lies_z_from_the_average_when_put_back_on_the_scale():
    found = overdispersion(numerator=X, denominator=N, scale="count_ratio")
    funnel = overdispersed_funnel(found, confidence=0.95)
    y = np.log((funnel.upper * N + 0.5) / (N + 0.5))
    s = np.sqrt(X / (X + 0.5) ** 2 + N / (N + 0.5) ** 2)
    assert (y - math.log(found.average)) / np.sqrt(s**2 + found.tau_squared) == pytest.approx(Z95)


@pytest.mark.parametrize("form", ["additive", "multiplicative"])
def test_a_widened_funnel_calls_no_more_units_different(form):
    found = overdispersion(numerator=X, denominator=N, scale="arcsine")
    assert found.tau_squared > 0
    wide, narrow = overdispersed_funnel(found, form=form), proportion_funnel(numerator=X, denominator=N)
    assert (wide.upper > narrow.upper).all()
    assert (wide.label != "not_different").sum() < (narrow.label != "not_different").sum()


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("form", ["additive", "multiplicative"])
def test_labels_agree_with_the_limits_of_the_same_funnel(scale, form):
    found = overdispersed_funnel(overdispersion(numerator=X * 1.0, denominator=N, scale=scale), form=form)
    assert ((found.value > found.upper[:, 0]) == np.isin(found.label, ["high_0.025", "high_0.001"])).all()
    assert ((found.value < found.lower[:, 1]) == (found.label == "low_0.001")).all()


def test_without_tau_the_additive_and_multiplicative_limits_are_the_same():
    found = overdispersion(numerator=[30, 31, 29], denominator=[100] * 3, scale="root")
    assert found.tau_squared == 0 and found.phi < 1
    both = [overdispersed_limits(found, denominator=[50, 90], form=f) for f in ("additive", "multiplicative")]
    assert np.allclose(*both)


def test_fewer_than_10_units_are_said_to_tell_little_of_tau():
    assert overdispersion(numerator=X[:9], denominator=N[:9], scale="arcsine").remark == POORLY_KNOWN
    assert overdispersion(numerator=X[:10], denominator=N[:10], scale="arcsine").remark == ""


def test_a_unit_without_events_has_no_log_but_has_a_root():
    log = overdispersion(numerator=[0, *X], denominator=[50, *N], scale="log")
    assert log.note[0] == NO_EVENTS_NO_LOG and math.isnan(log.z[0]) and log.units == 12
    assert overdispersed_funnel(log).label[0] == "not_assessed"
    root = overdispersion(numerator=[0, *X], denominator=[50, *N], scale="root")
    assert root.note[0] == "" and root.units == 13


def test_missing_and_empty_units_are_left_out_and_say_so():
    found = overdispersion(numerator=[np.nan, 0, *X], denominator=[50, 0, *N], scale="arcsine")
    assert found.units == 12 and found.note.tolist()[:2] == ["a count is missing", "nobody counted"]
    assert found.phi == overdispersion(numerator=X, denominator=N, scale="arcsine").phi
    funnel = overdispersed_funnel(found)
    assert np.isnan(funnel.lower[:2]).all() and funnel.label[:2].tolist() == ["not_assessed"] * 2


@pytest.mark.parametrize("scale", SCALES)
def test_too_few_units_give_no_phi_and_say_so(scale):
    for x, n in (([], []), ([5], [20]), ([np.nan, 5], [20, 20])):
        found = overdispersion(numerator=x, denominator=n, scale=scale)
        assert math.isnan(found.phi) and math.isnan(found.tau_squared) and found.remark == NO_UNITS
        funnel = overdispersed_funnel(found)
        assert (funnel.label == "not_assessed").all() and funnel.upper.shape == (len(x), 2)
        assert all(funnel.note)


@pytest.mark.parametrize("scale", SCALES)
def test_no_events_at_all_give_no_phi_and_say_so(scale):
    found = overdispersion(numerator=[0, 0, 0], denominator=[10, 20, 30], scale=scale)
    assert found.remark and (found.tau_squared == 0 or math.isnan(found.tau_squared))
    assert set(overdispersed_funnel(found).label) <= {"not_assessed", "not_different"}


def test_huge_units_work():
    found = overdispersion(numerator=[4e8, 5e8, 6e8], denominator=[1e9] * 3, scale="arcsine", winsorise=0)
    spread = np.arcsin(np.sqrt([0.4, 0.5, 0.6]))
    assert found.tau_squared == pytest.approx(((spread - math.pi / 4) ** 2).sum() / 2, rel=1e-6)


@settings(max_examples=40)
@given(st.permutations(range(12)), st.sampled_from(SCALES))
def test_the_order_of_units_changes_nothing(order, scale):
    there = overdispersion(numerator=X, denominator=N, scale=scale)
    back = overdispersion(numerator=X[list(order)], denominator=N[list(order)], scale=scale)
    assert back.phi == pytest.approx(there.phi) and back.tau_squared == pytest.approx(there.tau_squared)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: overdispersion(numerator=[1], denominator=[2], scale="plain"),
        lambda: overdispersion(numerator=[3], denominator=[2], scale="arcsine"),
        lambda: overdispersion(numerator=[-3], denominator=[2], scale="root"),
        lambda: overdispersion(numerator=[1, 2], denominator=[2], scale="root"),
        lambda: overdispersion(numerator=[1], denominator=[2], scale="root", winsorise=0.5),
        lambda: overdispersion(numerator=[1], denominator=[2], scale="arcsine", average=2),
        lambda: overdispersed_limits(
            overdispersion(numerator=X, denominator=N, scale="root"), denominator=[-1]
        ),
        lambda: overdispersed_funnel(overdispersion(numerator=X, denominator=N, scale="root"), form="other"),
        lambda: overdispersed_funnel(overdispersion(numerator=X, denominator=N, scale="root"), confidence=95),
    ],
)
def test_what_cannot_be_is_refused(wrong):
    with pytest.raises(ContractError):
        wrong()
