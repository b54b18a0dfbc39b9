import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equitydata.stats.contracts import ContractError
from equitydata.stats.one_group.quantile_groups import quantile_groups

pytestmark = pytest.mark.filterwarnings("error")


def test_ten_units_fall_into_fifths_of_two():
    answer = quantile_groups([5, 3, 8, 1, 9, 2, 10, 4, 7, 6], groups=5, first="lowest")
    assert answer.group.tolist() == [3, 2, 4, 1, 5, 1, 5, 2, 4, 3]
    assert (answer.first, answer.groups) == ("lowest", 5)


def test_the_other_end_can_be_group_one():
    values = [5, 3, 8, 1, 9, 2, 10, 4, 7, 6]
    lowest, highest = (quantile_groups(values, groups=5, first=end).group for end in ("lowest", "highest"))
    assert (lowest + highest == 6).all()


def test_which_end_is_group_one_must_be_said():
    with pytest.raises(TypeError):
        quantile_groups([1, 2, 3], groups=2)


def test_equal_values_share_the_lower_rank():
    # Ranks 1, 2, 2, 2, 5, 6: the three equal ones stay together in the first third.
    answer = quantile_groups([1, 2, 2, 2, 3, 4], groups=3, first="lowest")
    assert answer.group.tolist() == [1, 1, 1, 1, 3, 3]


def test_all_equal_are_all_in_the_first_group():
    assert quantile_groups([7] * 10, groups=5, first="highest").group.tolist() == [1] * 10


def test_a_missing_value_is_not_ranked_and_says_so():
    answer = quantile_groups([1, np.nan, 2, 3, 4], groups=2, first="lowest")
    assert np.array_equal(answer.group, [1, np.nan, 1, 2, 2], equal_nan=True)
    assert answer.note.tolist() == ["", "the value is missing", "", "", ""]
    assert answer.ranked.tolist() == [4] * 5


def test_fewer_units_than_groups_have_none():
    answer = quantile_groups([1, 2, 3, np.nan], groups=4, first="lowest")
    assert np.isnan(answer.group).all()
    assert answer.note.tolist() == ["fewer units than groups"] * 3 + ["the value is missing"]


def test_as_many_units_as_groups_have_one_each():
    assert quantile_groups([3, 1, 2], groups=3, first="lowest").group.tolist() == [3, 1, 2]


def test_units_are_ranked_within_their_area():
    values, area = [1, 2, 3, 4, 9, 8, 7, 6, 5], [0, 0, 0, 0, 5, 5, 5, 5, 2]
    answer = quantile_groups(values, groups=2, first="lowest", within=area)
    assert np.array_equal(answer.group, [1, 1, 2, 2, 2, 2, 1, 1, np.nan], equal_nan=True)
    assert answer.ranked.tolist() == [4] * 8 + [1]


def test_nothing_asked_gives_nothing():
    assert quantile_groups([], groups=5, first="lowest").group.shape == (0,)
    assert np.isnan(quantile_groups([np.nan], groups=5, first="lowest").group).all()


@pytest.mark.parametrize(
    "changed",
    [
        {"first": "most deprived"},
        {"groups": 1},
        {"groups": 2.5},
        {"groups": 0},
        {"within": [0, 0]},
        {"within": [0, 0, -1]},
        {"within": [0, 0, np.nan]},
        {"values": [[1, 2, 3]]},
        {"values": [1, 2, np.inf]},
    ],
)
def test_input_that_cannot_be_is_refused(changed):
    asked = {"values": [1, 2, 3], "groups": 2, "first": "lowest", **changed}
    with pytest.raises(ContractError):
        quantile_groups(asked.pop("values"), **asked)


VALUES = st.lists(st.one_of(st.integers(0, 30), st.none()), min_size=1, max_size=60)


@settings(max_examples=100, deadline=None)
@given(VALUES, st.integers(2, 12), st.sampled_from(["lowest", "highest"]))
def test_groups_equal_those_of_the_formula_in_exact_fractions(values, groups, first):
    known = [value if first == "lowest" else -value for value in values if value is not None]
    answer = quantile_groups([np.nan if v is None else v for v in values], groups=groups, first=first)
    for value, group in zip(values, answer.group, strict=True):
        if value is None or len(known) < groups:
            assert np.isnan(group)
            continue
        rank = 1 + sum(other < (value if first == "lowest" else -value) for other in known)
        share = (len(known) + 1 - rank) * Fraction(groups, len(known))
        assert group == max(math.floor(groups + 1 - math.ceil(share)), 1)


@settings(max_examples=100, deadline=None)
@given(st.integers(2, 12), st.integers(12, 200), st.randoms(use_true_random=False))
def test_without_ties_sizes_differ_by_one_at_most_and_order_does_not_matter(groups, units, random):
    values = random.sample(range(10_000), units)
    answer = quantile_groups(values, groups=groups, first="lowest").group
    sizes = np.bincount(answer.astype(int), minlength=groups + 1)[1:]
    assert sizes.max() - sizes.min() <= 1
    assert (np.diff(answer[np.argsort(values)]) >= 0).all()
    assert np.array_equal(quantile_groups(values[::-1], groups=groups, first="lowest").group, answer[::-1])
