"""What a reader can work out of counts that add up, held against every assignment of whole numbers."""

from itertools import product

import numpy as np
import pytest
from scipy.optimize import OptimizeResult
from scipy.sparse import csr_matrix, hstack

from equitydata.release import feasible
from equitydata.release.feasible import ranges, tighten, too_narrow
from equitydata.release.worlds import Walker, apart, ground, holds

INF = np.inf


def sums(*rows):
    return csr_matrix(np.array(rows, dtype=float))


def array(*values):
    return np.array(values, dtype=float)


def everything(matrix, lower, upper):
    """Every assignment of whole numbers that keeps the sums and limits: (assignments, cells)."""
    grids = [np.arange(low, high + 1) for low, high in zip(lower, upper, strict=True)]
    points = np.array(list(product(*grids)))
    return points[(points @ matrix.toarray().T == 0).all(axis=1)]


def random_problem(seed):
    """A few cells that add up at random, mostly with weights 1, and limits around the truth."""
    random = np.random.default_rng(seed)
    while True:
        cells = int(random.integers(3, 8))
        weights = random.choice([-2, -1, 0, 0, 1, 1], size=(int(random.integers(1, 4)), cells)).astype(float)
        points = random.integers(0, 7, size=(4000, cells))
        kept = points[(points @ weights.T == 0).all(axis=1)]
        if len(kept) and np.abs(weights).sum(axis=1).all():
            values = kept[int(random.integers(len(kept)))].astype(float)
            lower = np.maximum(values - random.integers(0, 4, cells), 0)
            upper = values + random.integers(0, 4, cells)
            return csr_matrix(weights), values, lower, upper


# ---------------------------------------------------------------- by hand


def test_two_small_counts_of_a_known_whole_leave_each_other_a_range():
    whole = sums([1, 1, -1])  # 2 + 3 = 5
    lower, upper = array(1, 1, 5), array(5, 5, 5)
    low, high = ranges(whole, lower, upper, np.array([0, 1, 2]))
    assert low.tolist() == [1, 1, 5]
    assert high.tolist() == [4, 4, 5]
    assert too_narrow(whole, array(2, 3, 5), lower, upper, np.array([0, 1]), 3).tolist() == []
    assert too_narrow(whole, array(2, 3, 5), lower, upper, np.array([1, 0]), 4).tolist() == [1, 0]


def test_one_hidden_part_of_a_known_whole_is_known():
    whole = sums([1, 1, 1, -1])
    lower, upper = array(1, 20, 30, 53), array(7, 20, 30, 53)
    low, high = ranges(whole, lower, upper, np.array([0]))
    assert (low[0], high[0]) == (3, 3)
    assert too_narrow(whole, array(3, 20, 30, 53), lower, upper, np.array([0]), 3).tolist() == [0]


def test_rounding_of_the_rest_keeps_a_lone_hidden_part_apart():
    whole = sums([1, 1, 1, -1])  # 20, 30 and 55 as shown
    lower, upper = array(1, 18, 28, 53), array(7, 22, 32, 57)
    assert too_narrow(whole, array(3, 20, 30, 53), lower, upper, np.array([0]), 3).tolist() == []
    low, high = ranges(whole, lower, upper, np.array([0]))
    assert (low[0], high[0]) == (1, 7)


def test_a_range_that_is_wide_in_fractions_and_narrow_in_whole_numbers_is_too_narrow():
    # x + y = 1, y + z = 1, x + z = w: with w at least 1, only y = 0.5 makes w = 1.
    triangle = sums([1, 1, 0, -1, 0, 0], [0, 1, 1, 0, -1, 0], [1, 0, 1, 0, 0, -1])
    values = array(1, 0, 1, 1, 1, 2)
    lower, upper = array(0, 0, 0, 1, 1, 1), array(1, 1, 1, 1, 1, 3)
    low, high = ranges(triangle, lower, upper, np.array([5]))
    assert (low[0], high[0]) == (1, 2)
    assert len(everything(triangle, lower, upper)) == 1
    assert too_narrow(triangle, values, lower, upper, np.array([5]), 1).tolist() == [5]


def test_a_cell_of_no_sum_has_the_range_of_its_limits():
    alone = sums([1, -1, 0])
    lower, upper = array(4, 4, 1), array(4, 4, 7)
    low, high = ranges(alone, lower, upper, np.array([2, 0]))
    assert (low.tolist(), high.tolist()) == ([1, 4], [7, 4])
    assert too_narrow(alone, array(4, 4, 2), lower, upper, np.array([2]), 3).tolist() == []
    assert too_narrow(alone, array(4, 4, 2), lower, upper, np.array([2]), 7).tolist() == [2]


def test_a_range_may_have_no_end():
    low, high = ranges(sums([1, 1, -1]), array(1, 0, 0), array(7, INF, INF), np.array([1, 2]))
    assert low.tolist() == [0, 1]
    assert high.tolist() == [INF, INF]


def test_blocks_do_not_touch_each_other():
    two = sums([1, 1, -1, 0, 0, 0], [0, 0, 0, 1, 1, -1])
    lower, upper = array(1, 1, 5, 1, 9, 12), array(5, 5, 5, 5, 9, 12)
    values = array(2, 3, 5, 3, 9, 12)
    assert too_narrow(two, values, lower, upper, np.array([0, 1, 3]), 3).tolist() == [3]


def test_no_targets_are_no_narrow_ones():
    assert (
        len(too_narrow(sums([1, -1]), array(3, 3), array(1, 1), array(5, 5), np.array([], dtype=int), 3)) == 0
    )


# ---------------------------------------------------------------- every assignment


@pytest.mark.parametrize("block", range(6))
def test_narrow_cells_are_those_of_all_assignments_of_whole_numbers(block):
    for seed in range(block * 50, block * 50 + 50):
        matrix, values, lower, upper = random_problem(seed)
        points = everything(matrix, lower, upper)
        spans = points.max(axis=0) - points.min(axis=0)
        cells = np.arange(len(values))
        for least in (1, 2, 3):
            narrow = too_narrow(matrix, values, lower, upper, cells, least)
            # Neither called safe that is not, nor the other way round.
            assert narrow.tolist() == np.flatnonzero(spans < least).tolist(), (seed, least)


def test_the_linear_programme_alone_decides_the_same(monkeypatch):
    monkeypatch.setattr(Walker, "pair", lambda *_, **__: None)
    for seed in range(60):
        matrix, values, lower, upper = random_problem(seed)
        points = everything(matrix, lower, upper)
        spans = points.max(axis=0) - points.min(axis=0)
        narrow = too_narrow(matrix, values, lower, upper, np.arange(len(values)), 2)
        assert narrow.tolist() == np.flatnonzero(spans < 2).tolist(), seed


def test_ranges_hold_all_assignments_and_are_those_of_a_table():
    for seed in range(60):
        matrix, _, lower, upper = random_problem(seed)
        points = everything(matrix, lower, upper)
        low, high = ranges(matrix, lower, upper, np.arange(len(lower)))
        assert (low <= points.min(axis=0)).all()
        assert (high >= points.max(axis=0)).all()
        assert (low >= lower).all()
        assert (high <= upper).all()
    # In a table of two ways a linear programme ends at whole numbers.
    table = sums(
        [1, 1, 0, 0, -1, 0, 0, 0],
        [0, 0, 1, 1, 0, -1, 0, 0],
        [1, 0, 1, 0, 0, 0, -1, 0],
        [0, 1, 0, 1, 0, 0, 0, -1],
    )
    lower, upper = array(0, 0, 0, 0, 3, 4, 2, 3), array(4, 4, 4, 4, 5, 6, 4, 5)
    points = everything(table, lower, upper)
    low, high = ranges(table, lower, upper, np.arange(8))
    assert (low == points.min(axis=0)).all()
    assert (high == points.max(axis=0)).all()


def test_tightening_never_cuts_an_assignment_off():
    for seed in range(100):
        matrix, _, lower, upper = random_problem(seed)
        points = everything(matrix, lower, upper)
        low, high = tighten(matrix, matrix.tocsc(), lower, upper)
        assert (low <= points.min(axis=0)).all()
        assert (high >= points.max(axis=0)).all()


def test_every_walk_ends_at_whole_numbers_that_keep_the_sums():
    for seed in range(40):
        matrix, values, lower, upper = random_problem(seed)
        base = ground(matrix, values, lower, upper)
        walker = Walker(base)
        walker.limit(lower - values, upper - values)
        for cell in range(len(values)):
            pair = walker.pair(cell, 2)
            if pair is not None:
                assert apart(pair, cell) >= 2
                assert all(holds(world, base, lower - values, upper - values) for world in pair)


# ---------------------------------------------------------------- what is not known, or contradicts


def test_an_unknown_value_gets_whole_numbers_that_fit():
    # What is shown of the second part tells of it alone; the third has no value, and takes what is left.
    whole = sums([1, 1, 1, -1])
    values, lower, upper = array(3, 20, np.nan, 60), array(1, 18, 0, 58), array(7, 22, INF, 62)
    assert too_narrow(whole, values, lower, upper, np.array([0]), 3).tolist() == []
    upper[2] = lower[2] = 37
    lower[1] = upper[1] = 20
    lower[3] = upper[3] = 60
    assert too_narrow(whole, values, lower, upper, np.array([0]), 3).tolist() == [0]


def test_unknown_values_do_not_make_a_narrow_range_wide():
    for seed in range(60):
        matrix, values, lower, upper = random_problem(seed)
        points = everything(matrix, lower, upper)
        spans = points.max(axis=0) - points.min(axis=0)
        hidden = values.copy()
        hidden[np.random.default_rng(seed).random(len(values)) < 0.4] = np.nan
        narrow = too_narrow(matrix, hidden, lower, upper, np.arange(len(values)), 2)
        assert narrow.tolist() == np.flatnonzero(spans < 2).tolist(), seed


def test_time_that_runs_out_leaves_a_cell_too_narrow(monkeypatch):
    def no_time(*_, **__):
        return OptimizeResult(x=None, status=1)

    whole = sums([1, 1, 1, -1])
    lower, upper = array(1, 18, 0, 58), array(7, 22, INF, 62)
    target = np.array([0])
    with monkeypatch.context() as patch:
        patch.setattr("scipy.optimize.milp", no_time)
        unknown = array(3, 20, np.nan, 60)
        assert too_narrow(whole, unknown, lower, upper, target, 3).tolist() == [0]
        patch.setattr(Walker, "pair", lambda *_, **__: None)
        assert too_narrow(whole, array(3, 20, 37, 60), lower, upper, target, 3).tolist() == [0]
    assert too_narrow(whole, array(3, 20, 37, 60), lower, upper, target, 3).tolist() == []


def test_what_is_found_is_checked_in_whole_numbers(monkeypatch):
    # A programme that answers wrongly proves nothing.
    right = feasible.nearest_worlds

    def lies(*args, **kwargs):
        found = right(*args, **kwargs)
        return found and type(found)(({0: 2}, {0: -2}), found.rows)

    monkeypatch.setattr(Walker, "pair", lambda *_, **__: None)
    base = ground(sums([1, 1, -1]), array(3, 9, 12), array(1, 9, 12), array(7, 9, 12))
    assert not holds({0: 2}, base, array(-2, 0, 0), array(4, 0, 0))
    assert holds({}, base, array(-2, 0, 0), array(4, 0, 0))
    # It keeps the sum, and one count would be more than it can be.
    assert holds({0: 4, 2: 4}, base, array(-2, 0, 0), array(4, 0, 4))
    assert not holds({0: 5, 2: 5}, base, array(-2, 0, 0), array(4, 0, 5))
    monkeypatch.setattr(feasible, "nearest_worlds", lies)
    narrow = too_narrow(sums([1, 1, -1]), array(3, 9, 12), array(1, 9, 12), array(7, 9, 12), np.array([0]), 3)
    assert narrow.tolist() == [0]


@pytest.mark.parametrize(
    ("values", "lower", "upper", "message"),
    [
        (array(3, 9, 13), array(1, 0, 0), array(7, INF, INF), "1 sums do not hold"),
        (array(3, 9, 12), array(4, 0, 0), array(7, INF, INF), "outside what the reader is said to know"),
        (array(3, 9, 12), array(1, 0, 0), array(2, INF, INF), "outside what the reader is said to know"),
        (array(3, 9.5, 12.5), array(1, 0, 0), array(7, INF, INF), "whole numbers"),
        (array(3, 9, np.nan), array(1, 0, 0), array(7, INF, 11), "No whole numbers fit"),
        (array(3, 9), array(1, 0), array(7, INF), "must agree in cells"),
    ],
)
def test_contradictions_are_refused(values, lower, upper, message):
    with pytest.raises(ValueError, match=message):
        too_narrow(sums([1, 1, -1]), values, lower, upper, np.array([0]), 3)


def test_ranges_of_what_cannot_be_are_refused():
    with pytest.raises(ValueError, match="No counts fit"):
        ranges(sums([1, 1, -1]), array(1, 1, 20), array(5, 5, 20), np.array([0]))
    # One sum after the other narrows both by one at a time, and gives up before it sees that they contradict.
    twice = sums([1, 1, -1, 0], [1, 1, 0, -1])
    with pytest.raises(ValueError, match="No counts fit"):
        ranges(twice, array(0, 0, 100, 101), array(INF, INF, 100, 101), np.array([0]))


def test_the_same_question_has_the_same_answer():
    matrix, values, lower, upper = random_problem(3)
    large = hstack([matrix] * 20).tocsr()
    many = np.tile(values, 20)
    cells = np.arange(len(many))
    first = too_narrow(large, many, np.tile(lower, 20), np.tile(upper, 20), cells, 3)
    assert (first == too_narrow(large, many, np.tile(lower, 20), np.tile(upper, 20), cells, 3)).all()
