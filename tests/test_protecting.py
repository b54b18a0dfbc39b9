"""Rows hidden until no small count can be worked out, held against integer programming and the cheapest answer."""

import subprocess
import sys
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_matrix

from equitydata.release.equals import with_equals_as_one
from equitydata.release.feasible import tighten, too_narrow
from equitydata.release.protecting import Problem, known, protect, protected
from equitydata.rulebook import disclosure_rule

INF = np.inf
NHS = disclosure_rule("nhs")
EXACT = disclosure_rule("hide-5-round-1")
RULES = ("nhs", "opensafely", "under-5", "hide-5-round-1", "hide-7-round-10", "hide-4-round-1-zeros")


def array(*values):
    return np.array(values, dtype=float)


def flags(count, *where):
    found = np.zeros(count, dtype=bool)
    found[list(where)] = True
    return found


def alone(hidden):
    """Rows that are tied to no others."""
    return hidden


def problem(values, sums, cost=None, numbers=None, **more):
    """A problem of which each cell stands in a row of its own, unless numbers (cell, row) say otherwise."""
    cells = len(values)
    pairs = np.array(numbers if numbers is not None else [(cell, cell) for cell in range(cells)])
    rows = int(pairs[:, 1].max()) + 1
    given = {
        "values": np.asarray(values, dtype=float),
        "sums": csr_matrix(np.array(sums, dtype=float)),
        "exact": np.zeros(cells, dtype=bool),
        "sensitive": np.ones(cells, dtype=bool),
        "cell": pairs[:, 0],
        "row": pairs[:, 1],
        "rows": rows,
        "cost": np.ones(rows) if cost is None else np.asarray(cost, dtype=float),
    }
    return Problem(**given | more)


def table(counts, *, total_cost=INF, cost=None):
    """A table of any number of ways with all its margins, a row for each number."""
    counts = np.asarray(counts)
    margins = {}
    for kept in range(counts.ndim, -1, -1):
        for axes in combinations(range(counts.ndim), kept):
            margins[axes] = counts.sum(axis=tuple(set(range(counts.ndim)) - set(axes)))
    starts, values = {}, []
    for axes, margin in margins.items():
        starts[axes] = len(values) + np.arange(margin.size).reshape(margin.shape)
        values += margin.ravel().tolist()
    sums = []
    for axes, places in starts.items():
        for position, axis in enumerate(axes):
            parts = np.moveaxis(places, position, -1).reshape(-1, counts.shape[axis])
            wholes = starts[tuple(other for other in axes if other != axis)].reshape(-1)
            for some, whole in zip(parts, wholes, strict=True):
                line = np.zeros(len(values))
                line[some], line[whole] = 1, -1
                sums.append(line)
    costs = 1 + np.log2(1 + np.array(values, dtype=float)) if cost is None else np.full(len(values), cost)
    costs[-1] = total_cost
    return problem(values, sums, costs)


def nested(random):
    """Groups within groups within a whole."""
    sizes = [int(random.integers(2, 5)) for _ in range(int(random.integers(2, 5)))]
    leaves = [random.poisson(random.gamma(1.2, 20), size) for size in sizes]
    fine = np.concatenate(leaves)
    values = [*fine, *(each.sum() for each in leaves), fine.sum()]
    sums, start = [], 0
    for group, size in enumerate(sizes):
        line = np.zeros(len(values))
        line[start : start + size], line[len(fine) + group] = 1, -1
        sums.append(line)
        start += size
    line = np.zeros(len(values))
    line[len(fine) : -1], line[-1] = 1, -1
    return problem(values, [*sums, line], 1 + np.log2(1 + np.array(values)))


def two_way(random, shape=(4, 5), mean=12.0):
    return table(random.poisson(random.gamma(1.2, mean, shape)))


def spans(asked, hidden, rule):
    """From lowest to highest whole number of each protected count, by integer programming over all that is known."""
    lower, upper = known(asked, hidden, rule)
    nothing = np.zeros(asked.sums.shape[0])
    found = []
    for cell in protected(asked, rule):
        ends = []
        for sign in (1.0, -1.0):
            aim = np.zeros(len(lower))
            aim[cell] = sign
            answer = milp(
                aim,
                constraints=LinearConstraint(asked.sums, nothing, nothing),
                bounds=Bounds(lower, np.minimum(upper, 1e5)),
                integrality=np.ones(len(lower)),
            )
            assert answer.status == 0, answer.message
            ends.append(round(answer.x[cell]))
        found.append(ends[1] - ends[0])
    return np.array(found)


# ---------------------------------------------------------------- what a reader knows


def test_what_a_published_number_stands_for():
    values = array(0, 8, 12, 13, 17, 100)
    lower, upper = known(problem(values, [[0] * 6]), flags(6), NHS)
    assert lower.tolist() == [0, 8, 8, 13, 13, 98]
    assert upper.tolist() == [0, 12, 12, 17, 17, 102]


def test_halves_go_up_and_nothing_shown_is_small():
    values = array(0, 10, 14, 15, 24)
    lower, upper = known(problem(values, [[0] * 5]), flags(5), disclosure_rule("hide-9-round-10"))
    assert lower.tolist() == [0, 10, 10, 15, 15]
    assert upper.tolist() == [0, 14, 14, 24, 24]


def test_a_midpoint_stands_for_its_class():
    lower, upper = known(problem(array(0, 1, 6, 7), [[0] * 4]), flags(4), disclosure_rule("opensafely"))
    assert lower.tolist() == [0, 1, 1, 7]
    assert upper.tolist() == [0, 6, 6, 12]


def test_a_hidden_count_is_nobody_or_more():
    asked = problem(array(3, 30, 0, 3, 3), [[0] * 5], sensitive=flags(5, 0, 1, 2, 4), exact=flags(5, 4))
    lower, upper = known(asked, flags(5, *range(5)), NHS)
    assert lower.tolist() == [0, 0, 0, 0, 3]
    assert upper.tolist() == [INF, INF, INF, INF, 3]


def test_a_cell_is_published_while_any_of_its_rows_is_shown():
    asked = problem(array(30, 40), [[0, 0]], numbers=[(0, 0), (0, 1), (1, 2)])
    assert known(asked, flags(3, 0), NHS)[1].tolist() == [32, 42]
    assert known(asked, flags(3, 0, 1), NHS)[1].tolist() == [INF, 42]


def test_earlier_releases_add_what_they_tell():
    asked = problem(array(30, 3), [[0, 0]], lower=array(27, np.nan), upper=array(31, 5))
    lower, upper = known(asked, flags(2, 1), NHS)
    assert lower.tolist() == [28, 0]
    assert upper.tolist() == [31, 5]


def test_protected_are_small_counts_of_people_that_not_everyone_knows():
    asked = problem(array(0, 1, 7, 8, 2, 3, np.nan), [[0] * 7], sensitive=~flags(7, 4), exact=flags(7, 5))
    assert protected(asked, NHS).tolist() == [1, 2]
    assert protected(asked, disclosure_rule("hide-7-round-5-zeros")).tolist() == [0, 1, 2]
    assert protected(asked, disclosure_rule("none")).tolist() == []


# ---------------------------------------------------------------- by hand


def test_the_cheapest_other_part_is_hidden_beside_a_lone_one():
    asked = problem(array(3, 40, 20, 63), [[1, 1, 1, -1]], cost=[1, 4, 2, INF])
    found = protect(asked, flags(4), EXACT, alone)
    assert found.hidden.tolist() == [True, False, True, False]
    assert (found.first, found.second, len(found.unsafe)) == (1, 1, 0)
    assert found.rounds > 0


def test_nothing_more_is_hidden_where_rounding_protects():
    asked = problem(array(3, 40, 20, 63), [[1, 1, 1, -1]])
    found = protect(asked, flags(4, 0), NHS, alone)
    assert (found.first, found.second, found.rounds) == (1, 0, 0)
    # Nor where two small counts share what is left of the whole.
    asked = problem(array(3, 4, 20, 27), [[1, 1, 1, -1]])
    assert protect(asked, flags(4), EXACT, alone).second == 0


def test_a_part_of_nobody_does_not_protect():
    # Beside a hidden 0 the 3 would be 1 to 3.
    asked = problem(array(3, 0, 20, 23), [[1, 1, 1, -1]], cost=[1, 1, 1, INF])
    found = protect(asked, flags(4), EXACT, alone)
    assert found.hidden.tolist() == [True, False, True, False]


def test_what_cannot_be_protected_is_told():
    asked = problem(
        array(3, 40, 20, 63, 2, 30, 70, 102), [[1, 1, 1, -1, 0, 0, 0, 0], [0, 0, 0, 0, 1, 1, 1, -1]]
    )
    asked = replace(asked, cost=array(1, INF, INF, INF, 1, 1, 1, INF))
    found = protect(asked, flags(8), EXACT, alone)
    assert found.unsafe.tolist() == [0]
    assert found.hidden.tolist() == [True, False, False, False, True, True, False, False]


def test_a_small_count_in_a_row_that_must_be_shown_is_told():
    asked = problem(array(3, 40), [[0, 0]], cost=[INF, 1])
    found = protect(asked, flags(2), NHS, alone)
    assert found.unsafe.tolist() == [0]
    assert not found.hidden.any()


def test_rows_that_hide_with_others_cost_what_all_of_them_do():
    asked = problem(array(3, 20, 30, 53, 500, 600), [[1, 1, 1, -1, 0, 0]], cost=[1, 2, 3, INF, 5, 1])

    def with_the_fifth(hidden):
        return hidden | flags(6, 4) if hidden[1] else hidden

    found = protect(asked, flags(6), EXACT, with_the_fifth)
    assert np.flatnonzero(found.hidden).tolist() == [0, 2]

    def with_both(hidden):
        return hidden | flags(6, 4, 5) if hidden[1] or hidden[2] else hidden

    found = protect(asked, flags(6), EXACT, with_both)
    assert np.flatnonzero(found.hidden).tolist() == [0, 1, 4, 5]
    assert (found.first, found.second) == (1, 3)


def test_a_row_with_which_one_hides_that_must_be_shown_is_not_chosen():
    asked = problem(array(3, 20, 30, 53, 500), [[1, 1, 1, -1, 0]], cost=[1, 2, 3, INF, INF])

    def with_the_last(hidden):
        return hidden | flags(5, 4) if hidden[1] else hidden

    found = protect(asked, flags(5), EXACT, with_the_last)
    assert np.flatnonzero(found.hidden).tolist() == [0, 2]


def test_one_row_that_helps_two_counts_is_better_than_two():
    # Two columns of a table. Row 1 holds a cell of each and costs more than row 2 or row 3, which hold one.
    values = array(3, 20, 30, 53, 2, 40, 50, 92)
    numbers = [(0, 0), (4, 0), (1, 1), (5, 1), (2, 2), (6, 3), (3, 4), (7, 4)]
    asked = problem(
        values,
        [[1, 1, 1, -1, 0, 0, 0, 0], [0, 0, 0, 0, 1, 1, 1, -1]],
        cost=[1, 3, 2, 2, INF],
        numbers=numbers,
    )
    found = protect(asked, flags(5), EXACT, alone)
    assert np.flatnonzero(found.hidden).tolist() == [0, 1]


def test_a_cell_of_two_rows_is_hidden_in_both_or_another_is():
    asked = problem(
        array(3, 20, 30, 53),
        [[1, 1, 1, -1]],
        cost=[1, 2, 2, 3, INF],
        numbers=[(0, 0), (1, 1), (1, 2), (2, 3), (3, 4)],
    )
    assert np.flatnonzero(protect(asked, flags(5), EXACT, alone).hidden).tolist() == [0, 3]
    asked = replace(asked, cost=array(1, 2, 2, 5, INF))
    assert np.flatnonzero(protect(asked, flags(5), EXACT, alone).hidden).tolist() == [0, 1, 2]


def test_a_complement_that_no_row_shows_is_protected():
    # 48 of 50 met a measure: both are shown, and so is that 2 did not.
    asked = problem(array(48, 50, 2), [[1, -1, 1]], numbers=[(0, 0), (1, 1)], cost=[2, 3])
    found = protect(asked, flags(2), EXACT, alone)
    assert found.hidden.tolist() == [True, False]
    assert found.unsafe.tolist() == []


def test_numbers_of_an_earlier_release_are_held_beside():
    # All but one group were published before, to the last one: 20 and 30. Rounding now is no help.
    asked = problem(array(3, 20, 30, 53), [[1, 1, 1, -1]], cost=[1, 1, 1, INF])
    assert protect(asked, flags(4), NHS, alone).second == 0
    told = replace(asked, lower=array(0, 20, 30, 53), upper=array(INF, 20, 30, 53))
    found = protect(told, flags(4), NHS, alone)
    assert found.unsafe.tolist() == [0]


def test_an_earlier_number_without_a_value_now_is_anything_that_fits():
    # The last cell is of an earlier release, shown as 100 then; the first is what came since.
    asked = problem(
        array(3, 100, np.nan),
        [[1, -1, 1]],
        numbers=[(0, 0), (1, 1)],
        cost=[1, 1],
        sensitive=flags(3, 0, 1),
        lower=array(0, 0, 97),
        upper=array(INF, INF, 97),
    )
    found = protect(asked, flags(2), EXACT, alone)
    assert found.hidden.tolist() == [True, True]
    assert len(found.unsafe) == 0
    loose = replace(asked, lower=array(0, 0, 95), upper=array(INF, INF, 99))
    assert protect(loose, flags(2), EXACT, alone).hidden.tolist() == [True, False]


def test_contradictions_are_refused():
    asked = problem(array(3, 20, 30, 53), [[1, 1, 1, -1]])
    with pytest.raises(ValueError, match="do not hold"):
        protect(replace(asked, values=array(3, 20, 30, 54)), flags(4), NHS, alone)
    with pytest.raises(ValueError, match="outside"):
        protect(replace(asked, upper=array(INF, 10, INF, INF)), flags(4), NHS, alone)
    with pytest.raises(ValueError, match="without a value"):
        protect(replace(asked, values=array(3, np.nan, 30, 53)), flags(4), NHS, alone)


def test_a_rule_that_hides_nothing_asks_for_nothing():
    asked = problem(array(3, 20, 23), [[1, 1, -1]])
    found = protect(asked, flags(3, 1), disclosure_rule("none"), alone)
    assert (found.hidden.tolist(), found.first, found.second) == ([False, True, False], 1, 0)


def test_least_range_is_no_wider_than_small_counts_are():
    asked = problem(array(1, 20, 30, 51), [[1, 1, 1, -1]], cost=[1, 1, 2, INF])
    rule = replace(EXACT, hide_up_to=2, least_range=3)
    found = protect(asked, flags(4), rule, alone)
    assert len(found.unsafe) == 0
    assert found.hidden.tolist() == [True, True, False, False]


# ---------------------------------------------------------------- random tables, against integer programming


@pytest.mark.parametrize("name", RULES)
def test_random_tables_end_safe(name):
    rule = disclosure_rule(name)
    hidden_besides = 0
    for seed in range(8):
        random = np.random.default_rng(seed)
        for asked in (two_way(random), nested(random), table(random.poisson(random.gamma(1, 15, (3, 3, 2))))):
            found = protect(asked, flags(asked.rows), rule, alone)
            least = min(rule.least_range, rule.hide_up_to - (not rule.hide_zeros))
            narrow = protected(asked, rule)[spans(asked, found.hidden, rule) < least]
            assert set(narrow) <= set(found.unsafe), (name, seed)
            # A count in the only row that would help, or a table of nobody else, cannot be protected.
            assert set(found.unsafe) <= set(narrow) | set(np.flatnonzero(~np.isfinite(asked.cost))), (
                name,
                seed,
            )
            hidden_besides += found.second
    assert hidden_besides > 0 or rule.round_to > 1


@pytest.mark.parametrize("name", ["hide-5-round-1", "nhs"])
def test_no_row_of_the_second_step_could_be_shown_again(name):
    rule = disclosure_rule(name)
    for seed in range(6):
        asked = two_way(np.random.default_rng(100 + seed), (4, 4), 8.0)
        found = protect(asked, flags(asked.rows), rule, alone)
        first = np.isin(asked.row, protected(asked, rule))
        assert not len(found.unsafe)
        for row in np.flatnonzero(found.hidden & ~first):
            less = found.hidden.copy()
            less[row] = False
            assert len(narrow(asked, less, rule)), (seed, row)


def narrow(asked, hidden, rule):
    """Small counts that can be told by a reader who supposes of each, by itself, that it is small."""
    found = []
    for cell in protected(asked, rule):
        lower, upper = known(asked, hidden, rule)
        lower[cell], upper[cell] = max(lower[cell], 1), min(upper[cell], rule.hide_up_to)
        found += list(too_narrow(asked.sums, asked.values, lower, upper, np.array([cell]), rule.least_range))
    return found


def cheapest(asked, start, rule, most):
    """The least that hiding costs, of all ways that cost no more than `most`; up to five rows."""
    targets, best = protected(asked, rule), most
    rows = [row for row in range(asked.rows) if not start[row] and np.isfinite(asked.cost[row])]
    for count in range(6):
        for some in combinations(rows, count):
            cost = asked.cost[list(some)].sum()
            if cost >= best - 1e-9:
                continue
            hidden = start | flags(asked.rows, *some)
            low, high = tighten(asked.sums, asked.sums.tocsc(), *known(asked, hidden, rule))
            if (high - low)[targets].min() >= rule.least_range and not len(narrow(asked, hidden, rule)):
                best = cost
    return best


def test_little_more_is_hidden_than_must_be():
    spent = least = 0.0
    for seed in range(10):
        asked = two_way(np.random.default_rng(seed), (3, 4), 9.0)
        found = protect(asked, flags(asked.rows), EXACT, alone)
        start = flags(asked.rows, *protected(asked, EXACT))
        assert not len(found.unsafe)
        cost = asked.cost[found.hidden & ~start].sum()
        spent += cost
        least += cheapest(asked, start, EXACT, cost)
    assert least > 50
    assert spent <= 1.1 * least


def test_ties_and_shared_rows_end_safe():
    for seed in range(12):
        random = np.random.default_rng(seed)
        asked = two_way(random, (4, 5), 10.0)
        # Two cells to a row here and there, some cells in two rows, rows tied in pairs.
        row = random.integers(0, asked.rows, len(asked.row))
        row = np.where(random.random(len(row)) < 0.3, row, asked.row)
        asked = replace(
            asked,
            cell=np.concatenate([asked.cell, asked.cell[:6]]),
            row=np.concatenate([row, random.integers(0, asked.rows - 1, 6)]),
            cost=np.where(np.isfinite(asked.cost), asked.cost, 100.0),
        )
        leaders, followers = random.integers(0, asked.rows, (2, 8))

        def close(hidden, leaders=leaders, followers=followers):
            found = hidden.copy()
            for _ in range(9):
                found[followers[found[leaders]]] = True
            return found

        found = protect(asked, flags(asked.rows), EXACT, close)
        assert (close(found.hidden) == found.hidden).all()
        assert not len(found.unsafe)
        assert (spans(asked, found.hidden, EXACT) >= EXACT.least_range).all(), seed


def test_the_same_problem_has_the_same_answer():
    asked = two_way(np.random.default_rng(3), (6, 7), 10.0)
    first, again = (protect(asked, flags(asked.rows), EXACT, alone) for _ in range(2))
    assert (first.hidden == again.hidden).all()
    assert first.rounds == again.rounds


def test_hidden_rows_that_are_given_are_not_changed():
    asked, hidden = two_way(np.random.default_rng(3)), flags(30)
    protect(asked, hidden, EXACT, alone)
    assert not hidden.any()


# ---------------------------------------------------------------- size


def test_a_table_of_thousands_of_cells_with_all_margins():
    random = np.random.default_rng(0)
    sizes = [random.lognormal(0, 0.7, ways) for ways in (14, 12, 10)]
    asked = table(random.poisson(60 * np.einsum("i,j,k->ijk", *sizes) / 1.5))
    assert len(asked.values) > 2000
    found = protect(asked, flags(asked.rows), NHS, alone)
    assert found.first > 50
    assert not len(found.unsafe)
    assert not len(narrow(asked, found.hidden, NHS))


def test_importing_loads_no_scipy():
    code = "import sys, equitydata.release.protecting as p; print(sorted({'scipy', 'pandas'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "scipy" not in done.stdout


def test_counts_that_must_be_equal_are_one_cell():
    asked = problem(
        array(3, 3, 40, 43, np.nan),
        [[1, -1, 0, 0, 0], [0, 1, 1, -1, 0], [-1, 0, 0, 0, 1]],
        numbers=[(0, 0), (1, 1), (2, 2), (3, 3)],
        lower=array(0, 1, 0, 0, 0),
        upper=array(9, 8, INF, INF, INF),
        sensitive=np.array([True, False, True, True, False]),
    )
    one, place = with_equals_as_one(asked)
    assert place.tolist() == [0, 0, 1, 2, 0]
    assert one.values.tolist() == [3, 40, 43] and one.sensitive.all()
    assert one.sums.toarray().tolist() == [[1, 1, -1]]
    assert one.cell.tolist() == [0, 0, 1, 2] and one.row.tolist() == [0, 1, 2, 3]
    assert (one.lower[0], one.upper[0]) == (1, 8)


def test_an_equal_count_that_everyone_knows_stays_apart():
    asked = problem(array(3, 3), [[1, -1]], numbers=[(0, 0)], exact=np.array([False, True]))
    assert len(with_equals_as_one(asked)[0].values) == 2
    assert protect(asked, flags(2)[:1], NHS, alone).unsafe.tolist() == [0]


def test_equal_counts_that_contradict_each_other_are_refused():
    with pytest.raises(ValueError, match="do not hold"):
        protect(problem(array(3, 4), [[1, -1]]), flags(2), NHS, alone)


def test_every_one_of_equal_counts_is_told_where_none_is_safe():
    asked = problem(array(3, 3, 40, 43), [[1, -1, 0, 0], [0, 1, 1, -1]], cost=[1, 1, INF, INF])
    found = protect(asked, flags(4), EXACT, alone)
    assert found.unsafe.tolist() == [0, 1]
