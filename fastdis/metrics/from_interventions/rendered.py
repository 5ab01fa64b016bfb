"""Interventions on a data set: the clips that they ask for are rendered, and encoded once.

On the grid of all combinations a clip's index says its levels, so that the clips of a group need
never be listed; the clips of any other set are found in its table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastdis import _validation
from fastdis.metrics._counts.bins import Bins
from fastdis.metrics._counts.columns import Discrete, two_dimensional
from fastdis.metrics._counts.conventions import settled
from fastdis.metrics._evidence import gather
from fastdis.metrics._metric import Metric, Seeded
from fastdis.metrics.from_interventions.draws import (
    Draws,
    Groups,
    Plan,
    Rows,
    drawn,
    planned,
    points_of,
)

if TYPE_CHECKING:
    from fastdis.datasets import Dataset

_CLIPS = 256  # clips encoded at once


class GridGroups(Groups):
    """Clips of a grid, the last factor fastest, grouped by the level of factor ``k``.

    ``varied`` groups them by the levels of all other factors instead.
    """

    def __init__(self, shape: tuple[int, ...], k: int, varied: bool) -> None:
        self._varied = varied
        self._levels = shape[k]
        self._stride = int(np.prod(shape[k + 1 :], dtype=np.int64))
        others = int(np.prod(shape, dtype=np.int64)) // shape[k]
        number, self._size = (others, shape[k]) if varied else (shape[k], others)
        self.number = number if self._size > 1 else 0
        self.total = self.number * self._size

    def holding(self, place: Rows) -> Rows:
        """The group that holds the clip at ``place`` of all clips, group after group."""
        return place // self._size

    def size(self, group: Rows) -> Rows:
        """How many clips a group has."""
        return np.full(group.shape, self._size)

    def member(self, group: Rows, place: Rows) -> Rows:
        """The clip at ``place`` of its group."""
        level, other = (place, group) if self._varied else (group, place)
        before, after = np.divmod(other, self._stride)
        return np.asarray((before * self._levels + level) * self._stride + after)


def is_rendered(factors: Any, codes: Any) -> bool:
    """Whether the arguments are a data set and a function that encodes it, not arrays.

    Raises
    ------
    TypeError
        If they are one of each.
    """
    encodes = callable(codes) and not hasattr(codes, "shape")
    if not hasattr(factors, "batch"):
        if encodes:
            raise TypeError(
                "factors takes a data set where codes is a function that encodes its clips, got "
                f"{_validation.describe(factors)}"
            )
        return False
    if not encodes:
        raise TypeError(
            "codes takes a function (features -> codes) where factors is a data set, got "
            f"{_validation.describe(codes)}"
        )
    return True


def arguments(
    factors: Any, codes: Any, plan: Plan, *, bins: Any, discrete: Any, convention: str, seed: Any
) -> tuple[Any, Any, dict[str, Any]]:
    """Factors and codes as arrays, from either way in, and the options of a formula."""
    if not is_rendered(factors, codes):
        return factors, codes, {"plan": plan}
    dataset: Dataset = factors
    settled(bins, discrete, convention)  # a mistake is found before anything is rendered
    seed = _validation.integer("seed", seed, 0)
    keeps_levels = discrete is None or discrete is True
    draws = _drawn_of_grid(dataset, plan, seed) if keeps_levels else None
    if draws is None:
        table = dataset.table()
        stand_in = np.zeros((len(table), 1), np.float32)  # draws look at no codes
        evidence = gather(
            table, stand_in, bins=bins, discrete=discrete, convention=convention, seed=seed
        )
        draws = points_of(evidence, plan, None)
    clips = np.union1d(draws.rows, draws.spread)
    rows, spread = (np.searchsorted(clips, x) for x in (draws.rows, draws.spread))
    options = {"plan": plan, "draws": replace(draws, rows=rows, spread=spread)}
    return dataset.table(clips), encoded(dataset, codes, clips), options


class Interventions(Seeded, total=False):
    """The keywords of metrics of interventions: also sizes other than the convention's."""

    batch_size: int | None
    train_points: int | None
    test_points: int | None


SIZES = dict.fromkeys(("batch_size", "train_points", "test_points"))


def score_of(
    metric: Metric,
    plans: Mapping[str, Plan],
    factors: Any,
    codes: Any,
    *,
    bins: int | Bins | None = None,
    discrete: Discrete = None,
    convention: str = "standard",
    active: Any = None,
    seed: int = 0,
    **sizes: int | None,
) -> float:
    """The score of a metric whose convention has a plan, of arrays or of a data set."""
    plan = planned(metric, plans, convention, **sizes)
    if bins is not None:
        plan = replace(plan, bins=None)
    factors, codes, options = arguments(
        factors, codes, plan, bins=bins, discrete=discrete, convention=convention, seed=seed
    )
    return metric.value(
        factors, codes, bins=bins, discrete=discrete, convention=convention, active=active,
        seed=seed, **options,
    )  # fmt: skip


def encoded(dataset: Dataset, encode: Callable[..., Any], clips: Rows) -> NDArray[Any]:
    """The codes ``(B, D)`` of clips, rendered a batch at a time.

    Raises
    ------
    TypeError, ValueError
        If ``encode`` does not give every clip a row of as many codes.
    """
    parts: list[NDArray[Any]] = []
    for start in range(0, len(clips), _CLIPS):
        part = clips[start : start + _CLIPS]
        features, _ = dataset.batch(part)
        codes = two_dimensional("what the function codes gives", encode(features))
        if len(codes) != len(part) or (parts and codes.shape[1] != parts[0].shape[1]):
            raise ValueError(
                "codes takes a function that gives every clip one row of as many codes, got shape "
                f"{codes.shape} for {len(part)} clips"
            )
        parts.append(codes)
    return np.concatenate(parts)


def _drawn_of_grid(dataset: Dataset, plan: Plan, seed: int) -> Draws | None:
    """Interventions on a set that is the grid of its factors, in order; None if it is not."""
    space = dataset.space
    if any(factor.kind == "continuous" for factor in space.factors) or len(dataset) != space.size:
        return None
    varying = np.flatnonzero(np.array(space.shape) > 1)
    draws = drawn(
        lambda k: GridGroups(space.shape, k, plan.kind == "varied"),
        varying, space.size, plan, seed,
    )  # fmt: skip
    clips = np.union1d(draws.rows, draws.spread)
    same = np.array_equal(dataset.table(clips).levels, space.grid(clips).levels)
    return draws if same else None
