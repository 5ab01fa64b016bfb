"""Each factor as a problem for a model that sees all codes: inputs, target, samples held out."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from fastdis._threads import parallel_for
from fastdis.metrics._evidence import Evidence
from fastdis.metrics._fits.fitting import fitting
from fastdis.metrics._fits.predictors import Mask, Matrix, Target, explained, held_out, targets

MIN_ROWS = 8

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Problem:
    """One factor to be predicted from codes ``(N, D)`` between 0 and 1, none of them constant."""

    codes: Matrix
    target: Target
    test: Mask
    seed: int

    @property
    def classes(self) -> int:
        """How many; 0 for numbers."""
        return int(self.target.values.max()) + 1 if self.target.classified else 0

    @property
    def state(self) -> int:
        """The seed as scikit-learn takes it."""
        return self.seed % 2**32

    def thinned(self, most: int) -> Problem:
        """The problem on at most ``most`` samples, drawn by the seed."""
        if len(self.codes) <= most:
            return self
        # Not the stream that drew the rows held out: that would keep these alone.
        rows = np.random.default_rng((self.seed, 1)).permutation(len(self.codes))[:most]
        target = replace(self.target, values=self.target.values[rows])
        return Problem(self.codes[rows], target, self.test[rows], self.seed)

    def fitted(self) -> tuple[Matrix, NDArray[Any]]:
        """Codes and target of the samples that are not held out."""
        return self.codes[~self.test], self.target.values[~self.test]

    def score(self, predicted: NDArray[Any]) -> float:
        """The accuracy, or R^2 (at least 0), of what is said of the samples held out."""
        truth = self.target.values[self.test]
        if self.target.classified:
            return float(np.mean(truth == predicted))
        return explained(truth, predicted, float(truth.mean()))


def problems(
    evidence: Evidence, most: int, classified: tuple[str, ...]
) -> tuple[list[Problem], NDArray[np.intp]]:
    """A problem for each factor that can be predicted, and which codes its columns are.

    Factors of the ``classified`` kinds are classes. At most ``most`` samples are drawn, a quarter
    of which is held out; codes that are constant on them are left out. There may be no codes left.

    Raises
    ------
    ValueError
        If there are fewer than 8 samples, or no factor can be predicted.
    """
    rows = len(evidence.data.codes)
    if rows < MIN_ROWS:
        raise ValueError(f"factors and codes take at least {MIN_ROWS} rows, got {rows}")
    data = evidence.sample(most)
    low, high = (end(data.codes, axis=0).astype(np.float64) for end in (np.min, np.max))
    alive = np.flatnonzero(low < high)
    x = (data.codes[:, alive] - low[alive]) / (high - low)[alive]
    # Equal splits are decided by the order of the columns: one that does not depend on theirs.
    order = np.array(sorted(range(len(alive)), key=lambda d: x[:, d].tobytes()), np.intp)
    x = np.ascontiguousarray(x[:, order])
    result = []
    for target in targets(evidence, data, classified):
        test = held_out(len(x), target.values if target.classified else None, evidence.seed)
        result.append(Problem(x, target, test, evidence.seed))
    return result, alive[order]


def solved(each: Sequence[Item], model: Callable[[Item], Result]) -> list[Result]:
    """What ``model``, of scikit-learn, makes of each problem; several at a time."""
    results: dict[int, Result] = {}

    def solve(first: int, last: int) -> None:
        for i in range(first, last):
            results[i] = model(each[i])

    with fitting(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on classes of few rows
        parallel_for(solve, len(each))
    return [results[i] for i in range(len(each))]
