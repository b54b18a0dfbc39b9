import csv
import itertools
from fractions import Fraction
from math import factorial, prod
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equitydata.stats.contracts import ContractError
from equitydata.stats.many_groups.exact_tables import fisher

pytestmark = pytest.mark.filterwarnings("error")
CASES = list(csv.DictReader((Path(__file__).parent / "known_answers" / "fisher.csv").open()))
JOB_SATISFACTION = "1 3 10 6;2 3 10 7;1 6 14 12;0 1 9 11"


def as_table(text):
    return [[float(count) for count in row.split()] for row in text.split(";")]


def by_hand(table):
    """Every table with the same margins, by trying all cells; exact fractions."""
    rows, columns = [sum(row) for row in table], [sum(column) for column in zip(*table, strict=True)]

    def weight(cells):
        return Fraction(1, prod(factorial(count) for row in cells for count in row))

    weights = []
    inner = [range(min(r, c) + 1) for r in rows[:-1] for c in columns[:-1]]
    for choice in itertools.product(*inner):
        cells = [
            list(choice[i * (len(columns) - 1) : (i + 1) * (len(columns) - 1)]) for i in range(len(rows) - 1)
        ]
        cells = [[*row, total - sum(row)] for row, total in zip(cells, rows[:-1], strict=True)]
        cells.append([c - sum(row[j] for row in cells) for j, c in enumerate(columns)])
        if min(count for row in cells for count in row) >= 0:
            weights.append(weight(cells))
    return float(sum(w for w in weights if w <= weight(table)) / sum(weights))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["table"])
def test_fisher_gives_the_known_p_value(case):
    test = fisher(as_table(case["table"]))
    known = float(case["p_value"])
    drawn = test.method == "fisher_monte_carlo"  # the four by four table of 104 people has too many to list
    near = 4 * np.sqrt(known * (1 - known) / test.draws) if drawn else 1e-9
    assert test.p_value == pytest.approx(known, abs=near), case["source"]
    assert drawn == (case["table"] == JOB_SATISFACTION)


TABLES = st.lists(st.lists(st.integers(0, 4), min_size=3, max_size=3), min_size=2, max_size=3)


@given(TABLES)
@settings(max_examples=40, deadline=None)
def test_fisher_equals_trying_every_table(table):
    test = fisher(table)
    held = [row for row in table if sum(row)]
    used = [column for column in zip(*held, strict=True) if sum(column)] if held else []
    if len(held) < 2 or len(used) < 2:
        assert np.isnan(test.p_value) and test.note
    else:
        assert test.p_value == pytest.approx(
            by_hand([list(row) for row in zip(*used, strict=True)]), abs=1e-9
        )


def test_a_table_and_its_transpose_agree():
    table = np.array([[3, 1, 4], [1, 5, 0]])
    assert fisher(table).p_value == pytest.approx(fisher(table.T).p_value, abs=1e-12)


def test_drawn_p_values_lie_near_the_exact_one_and_carry_draws_and_seed():
    table = as_table("3 7;1 11;5 4;0 12")
    exact, drawn = fisher(table), fisher(table, most_tables=10, draws=5000, seed=3)
    assert (drawn.method, drawn.draws, drawn.seed) == ("fisher_monte_carlo", 5000, 3)
    assert drawn.p_value == pytest.approx(exact.p_value, abs=4 * np.sqrt(0.25 / 5000))
    assert fisher(table, most_tables=10, draws=5000, seed=3).p_value == drawn.p_value
    assert fisher(table, most_tables=10, draws=5000, seed=4).p_value != drawn.p_value


def test_a_drawn_p_value_is_never_zero():
    table = [[60, 0, 0], [0, 60, 0], [0, 0, 60]]
    assert fisher(table, most_tables=10, draws=99).p_value == pytest.approx(0.01)


def test_a_thousand_million_people_with_few_events_stay_exact():
    rare = [[3, 10**9 - 3], [0, 2 * 10**9]]
    # Three events, each in the first group with probability 1/3: 1/27, and no other outcome is as improbable.
    assert fisher(rare).p_value == pytest.approx(1 / 27, rel=1e-5)


def test_equally_probable_tables_count_as_ties_for_a_thousand_million_people():
    # Two events in either of two equal groups: both tables are as probable as each other, half in all.
    assert fisher([[2, 10**9 - 2], [0, 10**9]]).p_value == pytest.approx(0.5, rel=1e-4)


def test_too_many_people_to_draw_from_say_so():
    test = fisher([[10**9, 10**9], [10**9, 10**9 + 5]])
    assert np.isnan(test.p_value) and "too many people" in test.note


@pytest.mark.parametrize(
    "table", [[[1, np.nan], [2, 3]], [[0, 0], [2, 3]], [[1, 0], [3, 0]], np.empty((0, 2))]
)
def test_no_table_to_test_gives_a_reason(table):
    test = fisher(table)
    assert np.isnan(test.p_value) and test.note


@pytest.mark.parametrize("table", [[[-1, 2], [2, 3]], [[1.5, 2], [2, 3]], [1, 2, 3]])
def test_tables_that_cannot_be_are_refused(table):
    with pytest.raises(ContractError):
        fisher(table)
