"""Interventions: batches of rows that agree in one factor, or in all but one.

Whole batches are drawn at once: rows are put in groups that agree, a group is drawn, and then
places in it. The draws look at no codes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastdis import _validation
from fastdis.metrics._counts.bins import Bins
from fastdis.metrics._counts.conventions import counted_as
from fastdis.metrics._evidence import Evidence, constant_factors
from fastdis.metrics._metric import Metric, Score

Rows = NDArray[np.intp]
Matrix = NDArray[np.float64]

_SPREAD_ROWS = 10_000  # rows that the variances of codes are estimated from
_BLOCK = 1 << 18  # values gathered at once, so that they stay in the cache


@dataclass(frozen=True)
class Plan:
    """How interventions are drawn, and what a convention makes of them.

    A point is one batch. It holds ``batch`` ``"pairs"`` of rows that agree in a factor, each pair
    at a level of its own; or ``batch`` rows at one level of the factor (``"fixed"``), or at one
    level of every other factor (``"varied"``).
    """

    kind: str
    batch: int
    train: int
    test: int
    equal_levels: bool = False  # every group is as likely, however many rows it has
    bins: int | None = None  # of factors that are cut; None for those of the evidence
    least_deviation: float = 0.0  # codes of a smaller standard deviation are left out
    rescaled: bool = False  # so that chance is 0

    def score(self, accuracy: float, factors: int) -> float:
        """The accuracy of telling so many factors apart, on the scale of the convention."""
        chance = 1 / factors
        return (accuracy - chance) / (1 - chance) if self.rescaled else accuracy


def planned(
    metric: Metric,
    plans: Mapping[str, Plan],
    convention: Any,
    batch_size: Any = None,
    train_points: Any = None,
    test_points: Any = None,
) -> Plan:
    """The plan of a convention, with the sizes that a user stated.

    Raises
    ------
    TypeError, ValueError
        If the metric has no such convention, or a size is out of its range.
    """
    metric.formula(convention)
    plan = plans[convention]
    if batch_size is not None:
        least = 1 if plan.kind == "pairs" else 2
        plan = replace(plan, batch=_validation.integer("batch_size", batch_size, least))
    if train_points is not None:
        plan = replace(plan, train=_validation.integer("train_points", train_points, 2))
    if test_points is not None:
        plan = replace(plan, test=_validation.integer("test_points", test_points, 1))
    return plan


class Groups(ABC):
    """Rows in groups of at least two: those that may be in one batch."""

    number: int
    total: int  # rows in all groups

    @abstractmethod
    def holding(self, place: Rows) -> Rows:
        """The group that holds the row at ``place`` of all rows, group after group."""

    @abstractmethod
    def size(self, group: Rows) -> Rows:
        """How many rows a group has."""

    @abstractmethod
    def member(self, group: Rows, place: Rows) -> Rows:
        """The row at ``place`` of its group."""


class ListedGroups(Groups):
    """The rows of an array, grouped by a label each; of the groups, those that are useful."""

    def __init__(self, labels: Rows, useful: NDArray[np.bool_] | None = None) -> None:
        sizes = np.bincount(labels)
        keep = sizes > 1 if useful is None else useful
        self._order = np.argsort(labels, kind="stable")
        self._start, self._sizes = (np.cumsum(sizes) - sizes)[keep], sizes[keep]
        self._ends = np.cumsum(self._sizes)
        self.number, self.total = len(self._sizes), int(self._sizes.sum())

    def holding(self, place: Rows) -> Rows:
        """The group that holds the row at ``place`` of all rows, group after group."""
        return np.searchsorted(self._ends, place, side="right")

    def size(self, group: Rows) -> Rows:
        """How many rows a group has."""
        return np.asarray(self._sizes[group])

    def member(self, group: Rows, place: Rows) -> Rows:
        """The row at ``place`` of its group."""
        return np.asarray(self._order[self._start[group] + place])


@dataclass(frozen=True)
class Draws:
    """The rows of every point, and the factor that it stands for.

    Attributes
    ----------
    rows : (P, batch) or (P, batch, 2)
        The points of the training set first.
    factor : (P,)
        A position in ``factors``, which take turns.
    factors : (F,)
        The columns of the factors that allow interventions.
    spread : (V,)
        Rows drawn from all, to estimate the variance of a code.
    """

    rows: Rows
    factor: Rows
    factors: Rows
    spread: Rows


def levels_of(evidence: Evidence, bins: int | None = None) -> list[Rows]:
    """The level, or the bin, of every row in each factor."""
    data = evidence.all_data
    edges = np.empty(0)
    if not all(data.discrete):
        cut = evidence.cut if bins is None else Bins.equal_width(bins)
        data, _, edges = counted_as(data, cut, evidence.convention)
    return [
        np.unique(column, return_inverse=True)[1]
        if kept
        else np.searchsorted(edges[k, 1:-1], column, side="right")
        for k, (column, kept) in enumerate(zip(data.factors.T, data.discrete, strict=True))
    ]


def points_of(evidence: Evidence, plan: Plan, draws: Draws | None) -> Draws:
    """The draws that were made on a data set, or else draws among the rows of the evidence.

    Raises
    ------
    ValueError
        If no factor varies, or no two rows agree as the plan asks.
    """
    varying = evidence.varying
    evidence.note(*constant_factors(evidence))
    if draws is not None:
        return draws
    levels = levels_of(evidence, plan.bins)

    def groups(k: int) -> Groups:
        if plan.kind != "varied":
            return ListedGroups(levels[k])
        labels = _combinations([levels[j] for j in varying if j != k], len(levels[k]))
        return ListedGroups(labels, _spans(labels, levels[k]))

    draws = drawn(groups, varying, len(levels[0]), plan, evidence.seed)
    left_out = np.setdiff1d(varying, draws.factors)
    if left_out.size:
        agree = "all factors but" if plan.kind == "varied" else "a level of"
        evidence.note(
            f"no two rows agree in {agree} {evidence.named(left_out)}: no intervention, left out"
        )
    return draws


def drawn(
    groups_of: Callable[[int], Groups], varying: Rows, total: int, plan: Plan, seed: int
) -> Draws:
    """Points of every factor in turn, drawn in its groups."""
    groups = {int(k): groups_of(int(k)) for k in varying}
    factors = np.array([k for k in groups if groups[k].number], np.intp)
    if not factors.size:
        agree = "all factors but one" if plan.kind == "varied" else "a level of a factor"
        raise ValueError(
            f"factors takes rows of which some agree in {agree}, got none; take fewer bins, or "
            "discrete=False for a factor of many levels"
        )
    if plan.train < len(factors):
        raise ValueError(
            f"train_points takes at least one per factor, here {len(factors)}, got {plan.train}"
        )
    points = plan.train + plan.test
    pair = (2,) if plan.kind == "pairs" else ()
    rows = np.empty((points, plan.batch, *pair), np.intp)
    for turn, k in enumerate(factors):
        rng = np.random.default_rng([seed, turn])
        count = len(range(turn, points, len(factors)))
        rows[turn :: len(factors)] = _batches(groups[k], count, plan, rng)
    spread = np.empty(0, np.intp)
    if plan.kind != "pairs":
        rng = np.random.default_rng([seed, len(factors)])
        spread = some_of(total, _SPREAD_ROWS, rng)
    return Draws(rows, np.arange(points) % len(factors), factors, spread)


def some_of(total: int, limit: int, rng: np.random.Generator) -> Rows:
    """At most ``limit`` of so many rows, in order."""
    if total <= limit:
        return np.arange(total)
    return np.sort(rng.choice(total, limit, replace=False))


def of_points(evidence: Evidence, rows: Rows, summary: Callable[[Matrix], Matrix]) -> Matrix:
    """The ``summary`` of the codes of every point, ``(P, D)``; each code scaled to 0 to 1."""
    codes, (low, high) = evidence.data.codes, evidence.data.code_range
    span = np.where(high > low, high - low, 1.0)
    result = np.empty((len(rows), codes.shape[1]))
    step = max(1, _BLOCK // (rows[0].size * codes.shape[1]))
    for start in range(0, len(rows), step):
        x = np.take(codes, rows[start : start + step], axis=0).astype(np.float64)
        x -= low
        x /= span
        result[start : start + step] = summary(x)
    return result


def trivial(evidence: Evidence, draws: Draws, alive: Rows) -> Score | None:
    """The score where nothing is left to tell: no code that is ``alive``, or one factor alone."""
    names = [evidence.data.names[k] for k in draws.factors]
    if not alive.size:
        evidence.note("every code is constant, or as good as; the score counts as 0")
        return Score(0.0, dict.fromkeys(names, 0.0))
    if len(names) == 1:
        evidence.note(f"{names[0]!r} is the only factor, which any guess names; the score is 1")
        return Score(1.0, {names[0]: 1.0})
    return None


def scored(
    evidence: Evidence,
    draws: Draws,
    plan: Plan,
    right: Matrix,
    per_code: dict[int, float],
    matrix: Matrix,
) -> Score:
    """The score of the test points, of each of which the share ``right (P,)`` is correct."""
    number = len(draws.factors)
    factor = draws.factor[plan.train :]
    per_factor = {
        evidence.data.names[k]: plan.score(float(right[factor == turn].mean()), number)
        for turn, k in enumerate(draws.factors)
        if turn in factor
    }
    return Score(plan.score(float(right.mean()), number), per_factor, per_code, matrix)


def _batches(groups: Groups, count: int, plan: Plan, rng: np.random.Generator) -> Rows:
    """The rows of ``count`` points of one factor."""
    pairs = plan.kind == "pairs"
    shape = (count, plan.batch)

    def below(limit: Any, size: tuple[int, ...]) -> Rows:
        places: Rows = (rng.random(size) * limit).astype(np.intp)
        return places

    drawn = below(
        groups.number if plan.equal_levels else groups.total, shape if pairs else (count, 1)
    )
    group = drawn if plan.equal_levels else groups.holding(drawn)
    sizes = groups.size(group)
    place = below(sizes, shape)
    if not pairs:
        return groups.member(group, place)
    other = (place + 1 + below(sizes - 1, shape)) % sizes  # any but the first
    return np.stack([groups.member(group, place), groups.member(group, other)], axis=-1)


def _combinations(levels: list[Rows], rows: int) -> Rows:
    """One label for each combination of levels that occurs."""
    labels = np.zeros(rows, np.intp)
    for level in levels:
        # Numbered anew each time, so that no product of level counts overflows.
        labels = np.unique(labels * (level.max() + 1) + level, return_inverse=True)[1]
    return labels


def _spans(labels: Rows, level: Rows) -> NDArray[np.bool_]:
    """Which groups hold more than one level."""
    some = np.empty(labels.max() + 1, np.intp)
    some[labels] = level
    return np.asarray(np.bincount(labels, level != some[labels]) > 0)
