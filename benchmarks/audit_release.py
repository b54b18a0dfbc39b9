"""Measure the audit of a release on one large table: all margins of a table of three ways, under several rules.

python benchmarks/audit_release.py                    25 x 20 x 20: 11,466 cells, 1,533 sums
python benchmarks/audit_release.py --ways 40 20 20 --rules nhs opensafely

Counts are made up, with a fixed seed: groups of very different size, so that a few per cent of the cells are small.
Each cell stands in a row of its own. `narrow` is how many small counts could be worked out from what is left after the
first step, `second` how many rows are hidden besides. Prints a Markdown table; CPU seconds.
"""

from __future__ import annotations

import argparse
import time
from itertools import combinations

import numpy as np
from scipy.sparse import csr_matrix

from equitydata.release.feasible import too_narrow
from equitydata.release.protecting import Problem, known, protect, protected
from equitydata.rulebook import disclosure_rule

RULES = ("nhs", "opensafely", "under-5", "threshold-10", "hide-5-round-1")


def table(ways: list[int], *, mean: float = 60.0, unequal: float = 0.7, seed: int = 0) -> Problem:
    """A table of made-up counts with all its margins; hiding a cell costs by its size."""
    random = np.random.default_rng(seed)
    expected = np.ones(())
    for size in ways:
        expected = np.multiply.outer(expected, random.lognormal(0, unequal, size))
    counts = random.poisson(expected * mean / expected.mean())
    places, values = {}, []
    for kept in range(len(ways), -1, -1):
        for axes in combinations(range(len(ways)), kept):
            margin = counts.sum(axis=tuple(axis for axis in range(len(ways)) if axis not in axes))
            places[axes] = len(values) + np.arange(margin.size).reshape(margin.shape)
            values += margin.ravel().tolist()
    row, column, weight, rows = [], [], [], 0
    for axes, cells in places.items():
        for position, axis in enumerate(axes):
            parts = np.moveaxis(cells, position, -1).reshape(-1, ways[axis])
            lines = rows + np.arange(len(parts))
            rows += len(parts)
            row += [np.repeat(lines, ways[axis]), lines]
            column += [parts.ravel(), places[tuple(other for other in axes if other != axis)].ravel()]
            weight += [np.ones(parts.size), np.full(len(parts), -1.0)]
    cells = np.arange(len(values))
    entries = (np.concatenate(weight), (np.concatenate(row), np.concatenate(column)))
    return Problem(
        values=np.array(values, dtype=float),
        sums=csr_matrix(entries, shape=(rows, len(values))),
        exact=np.zeros(len(values), dtype=bool),
        sensitive=np.ones(len(values), dtype=bool),
        cell=cells,
        row=cells,
        rows=len(values),
        cost=1 + np.log2(1 + np.array(values, dtype=float)),
    )


def measure(problem: Problem, name: str) -> str:
    """One line of the table."""
    rule = disclosure_rule(name)
    small, nothing = protected(problem, rule), np.zeros(problem.rows, dtype=bool)
    first = nothing if rule.midpoint else np.isin(problem.row, small)
    start = time.process_time()
    narrow = too_narrow(problem.sums, problem.values, *known(problem, first, rule), small, rule.least_range)
    audited = time.process_time()
    found = protect(problem, nothing, rule, lambda hidden: hidden)
    done = time.process_time()
    counted = (len(problem.values), len(small), len(narrow), found.second, len(found.unsafe))
    return f"| {name} | {' | '.join(map(str, counted))} | {audited - start:.1f} | {done - audited:.1f} |"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--ways", type=int, nargs="+", default=[25, 20, 20])
    parser.add_argument("--rules", nargs="+", default=RULES)
    given = parser.parse_args()
    problem = table(given.ways)
    print("| rule | cells | small | narrow | second | unsafe | audit s | protect s |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for name in given.rules:
        print(measure(problem, name), flush=True)


if __name__ == "__main__":
    main()
