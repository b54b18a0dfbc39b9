"""How coarse each quasi-identifier must be: the levels that lose least, of those that make every group large enough.

Works on the distinct combinations of values and how many people have each; no record is seen here. A combination of
levels is a node. Whatever is raised from a node that holds, holds too: groups only grow. So

* levels that do not hold by themselves, or two by two with all else left out, are set aside first;
* the nodes that are left are looked at in the order of what they lose, and the first that hold are compared;
* where there are too many nodes, the search goes from neighbour to neighbour instead: up to a node that holds, then
  down again as far as that stays so. Its answer holds too, but may not be the one that loses least.

The loss of a level is the share of the information that it no longer holds (entropy; de Waal and Willenborg 1999,
Netherlands Official Statistics 14:17), weighted by characteristic; a column that is left out counts several times, and
people who are left out lose everything.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, product

import numpy as np
from numpy.typing import NDArray

from equitydata.records.deidentifying.levels import Attribute, Codes

Node = tuple[int, ...]
# So that of two levels which lose the same the finer one is taken: one value throughout loses nothing at any level.
TIE = 1e-6
# Keys up to here are counted in an array; above, they are sorted.
LARGEST_ARRAY = 2_000_000


@dataclass(frozen=True)
class Sensitive:
    """Which values of a sensitive column the people of each combination have: distinct pairs of row and value."""

    name: str
    row: Codes
    value: Codes


@dataclass(frozen=True)
class Combinations:
    """The distinct combinations of values. codes : shape (rows, attributes). people : who have each, shape (rows,)."""

    codes: Codes
    people: Codes
    sensitive: tuple[Sensitive, ...] = ()

    @property
    def total(self) -> int:
        """All people."""
        return int(self.people.sum())


@dataclass(frozen=True)
class Wanted:
    """What must hold. k, l : people in a group, values of each sensitive column. most : people who may be left out."""

    k: int
    l: int  # noqa: E741 (the letter that the literature has)
    most: int


@dataclass(frozen=True)
class Solution:
    """The levels that were chosen.

    node : level of each attribute. kept : which combinations stay, shape (rows,). loss : share of what could be lost,
    a fraction. every : every node was looked at that could be better; else the search went from neighbour to neighbour.
    """

    node: Node
    kept: NDArray[np.bool_]
    suppressed: int
    loss: float
    every: bool
    looked_at: int


def level_losses(attribute: Attribute, people: Codes) -> tuple[float, ...]:
    """Share of the information that each level no longer holds, from 0 at the finest to 1 where it is left out.

    people : by value of the attribute.
    """
    most = _entropy(people)
    if most == 0:
        return tuple(0.0 for _ in attribute.levels)
    held = [
        _entropy(np.bincount(level.fold, weights=people, minlength=1)) / most for level in attribute.levels
    ]
    return tuple(1 - share for share in held)


def _entropy(people: NDArray[np.float64] | Codes) -> float:
    shares = people[people > 0] / people.sum() if people.sum() else np.array([])
    return float(-(shares * np.log2(shares)).sum())


class Search:
    """One search; holds how each node did."""

    def __init__(
        self,
        attributes: Sequence[Attribute],
        combinations_: Combinations,
        wanted: Wanted,
        *,
        coarsest: Sequence[int],
        most_nodes: int,
        left_out_counts: float,
    ) -> None:
        self.attributes = tuple(attributes)
        self.given = combinations_
        self.wanted = wanted
        self.coarsest = tuple(coarsest)
        self._most_nodes, self._left_out_counts = most_nodes, left_out_counts
        self._done: dict[Node, int] = {}
        self._losses = [
            [attribute.weight * (loss + TIE * place) for place, loss in enumerate(self._own_losses(number))]
            for number, attribute in enumerate(self.attributes)
        ]

    def _own_losses(self, number: int) -> tuple[float, ...]:
        attribute = self.attributes[number]
        people = np.bincount(
            self.given.codes[:, number], weights=self.given.people, minlength=len(attribute.values)
        )
        losses = level_losses(attribute, people)
        return (*losses[:-1], losses[-1] * self._left_out_counts)

    @cached_property
    def top(self) -> Node:
        """The coarsest node that is allowed."""
        return self.coarsest

    def find(self) -> Solution | None:
        """The levels that lose least; None where even the coarsest do not hold."""
        if self.suppressed(self.top) > self.wanted.most:
            return None
        levels = self._levels_left()
        nodes = np.prod([len(each) for each in levels], dtype=float)
        every = bool(nodes <= self._most_nodes)
        node = self._best_of(levels) if every else self._neighbour_by_neighbour(levels)
        kept = self._kept(node)
        return Solution(
            node=node,
            kept=kept,
            suppressed=self.suppressed(node),
            loss=self._loss(node) / max(self._everything, TIE),
            every=every,
            looked_at=len(self._done),
        )

    # ------------------------------------------------------------ what a node loses and whom

    @cached_property
    def _everything(self) -> float:
        return self._left_out_counts * sum(attribute.weight for attribute in self.attributes)

    def _coarser(self, node: Node) -> float:
        return sum(self._losses[number][place] for number, place in enumerate(node))

    def _loss(self, node: Node) -> float:
        """What the levels lose for those who stay, and everything for those who are left out."""
        share = self.suppressed(node) / max(self.given.total, 1)
        return self._coarser(node) * (1 - share) + self._everything * share

    def suppressed(self, node: Node) -> int:
        """People in groups that are too small, or hold too few values of a sensitive column."""
        if node not in self._done:
            self._done[node] = int(self.given.people[~self._kept(node)].sum())
        return self._done[node]

    def _kept(self, node: Node) -> NDArray[np.bool_]:
        group, groups = self._groups(node)
        people = np.bincount(group, weights=self.given.people, minlength=groups)
        holds = people >= self.wanted.k
        if int(people[~holds].sum()) <= self.wanted.most:
            for each in self.given.sensitive:
                holds &= _distinct(group[each.row], each.value, groups) >= self.wanted.l
        return np.asarray(holds[group])

    def _groups(self, node: Node) -> tuple[Codes, int]:
        """Number of each combination's group, and how many numbers there are."""
        key = np.zeros(len(self.given.people), dtype=np.int64)
        size = 1
        for number, place in enumerate(node):
            level = self.attributes[number].levels[place]
            if len(level.labels) == 1:
                continue
            if size * len(level.labels) > LARGEST_ARRAY:
                key, size = _renumbered(key)
            key = key * len(level.labels) + level.fold[self.given.codes[:, number]]
            size *= len(level.labels)
        return (key, size) if size <= LARGEST_ARRAY else _renumbered(key)

    # ------------------------------------------------------------ which nodes are looked at

    def _levels_left(self) -> list[list[int]]:
        """Levels of each attribute that could hold, told by looking at them alone and two by two."""
        left = [list(range(top + 1)) for top in self.top]
        for number, places in enumerate(left):
            left[number] = [place for place in places if self._holds(self._raised({number: place}))]
        return left

    def _raised(self, places: dict[int, int]) -> Node:
        return tuple(places.get(number, top) for number, top in enumerate(self.top))

    def _holds(self, node: Node) -> bool:
        return self.suppressed(node) <= self.wanted.most

    def _best_of(self, levels: Sequence[Sequence[int]]) -> Node:
        """The node that loses least. No node loses less than its levels do, so the order tells when to stop."""
        best, least = self.top, self._loss(self.top)
        for node in sorted(product(*levels), key=self._coarser):
            if self._coarser(node) >= least:
                break
            if all(self._holds(pair) for pair in self._pairs(node)) and self._holds(node):
                loss = self._loss(node)
                best, least = (node, loss) if loss < least else (best, least)
        return best

    def _pairs(self, node: Node) -> Iterator[Node]:
        """Nodes above this one in which only two attributes are as fine: quick to look at, and many share them."""
        if len(node) > 2:
            for pair in combinations(range(len(node)), 2):
                yield self._raised({number: node[number] for number in pair})

    def _neighbour_by_neighbour(self, levels: Sequence[Sequence[int]]) -> Node:
        """Up from the finest, always the step that keeps most people for what it loses; then down as far as it goes."""
        node: Node = tuple(min(places) for places in levels)
        while not self._holds(node):
            node = max(self._above(node), key=lambda raised: self._gain(node, raised))
        while True:
            lower = [each for each in self._below(node, levels) if self._holds(each)]
            better = [each for each in lower if self._loss(each) < self._loss(node)]
            if not better:
                return node
            node = min(better, key=self._loss)

    def _gain(self, node: Node, raised: Node) -> float:
        kept = self.suppressed(node) - self.suppressed(raised)
        return (kept + TIE) / (self._coarser(raised) - self._coarser(node) + TIE)

    def _above(self, node: Node) -> Iterator[Node]:
        for number, place in enumerate(node):
            if place < self.top[number]:
                yield (*node[:number], place + 1, *node[number + 1 :])

    def _below(self, node: Node, levels: Sequence[Sequence[int]]) -> Iterator[Node]:
        for number, place in enumerate(node):
            if place > min(levels[number]):
                yield (*node[:number], place - 1, *node[number + 1 :])


def _renumbered(key: Codes) -> tuple[Codes, int]:
    """Keys numbered from 0 without gaps."""
    found, numbers = np.unique(key, return_inverse=True)
    return numbers.astype(np.int64).reshape(-1), len(found)


def _distinct(group: Codes, value: Codes, groups: int) -> Codes:
    """Distinct values of each group, shape (groups,)."""
    if not len(group):
        return np.zeros(groups, dtype=np.int64)
    pairs = np.unique(group * (int(value.max()) + 1) + value)
    return np.bincount(pairs // (int(value.max()) + 1), minlength=groups)
