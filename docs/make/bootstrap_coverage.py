"""How often bootstrap intervals of histogram metrics hold what they should, on made-up codes.

    python docs/make/bootstrap_coverage.py

The share of repeated draws whose nominal 95 % interval holds (a) the mean score of such draws, (b)
the score of 2,000,000 rows; over 13 scores, by kind of interval and estimator. Some minutes.
"""

from __future__ import annotations

import warnings
from collections import defaultdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastdis.metrics import Bins, MetricWarning, _bootstrap
from fastdis.metrics._catalogue import GROUPS
from fastdis.metrics._evidence import Evidence, gather
from fastdis.metrics._information import ArrayFormula

DRAWS, RESAMPLES, MANY = 60, 300, 2_000_000
ROWS, STRENGTHS = (500, 4000), (0.5, 1.5, 6.0)
BINS = Bins.equal_width(20, low=-6, high=6)


def draw(rows: int, strength: float, seed: Any, estimator: str) -> Evidence:
    """Three factors, and six codes: three pure ones, a mixture, a weak one, noise."""
    rng = np.random.default_rng(seed)
    v = np.stack([rng.integers(0, levels, rows) for levels in (20, 10, 4)], axis=1)
    weights = [[1, 0, 0, 0.5, 0, 0], [0, 1, 0, 0.5, 0, 0], [0, 0, 1, 0, 0.3, 0]]
    z = strength * (v - v.mean(axis=0)) / v.std(axis=0) @ weights + rng.normal(size=(rows, 6))
    return gather(v, z, bins=BINS, estimator=estimator, seed=int(rng.integers(2**31)))


def formulas() -> dict[str, ArrayFormula]:
    """Those of the histogram metrics with one score."""
    found = {metric.name: metric.formula("standard") for metric in GROUPS["histogram"]}
    return {k: f for k, f in found.items() if isinstance(f, ArrayFormula) and k != "edi"}


def intervals(drawn: NDArray[np.float64], score: float) -> dict[str, tuple[float, float]]:
    """The ends of each kind of interval."""
    low, high = np.quantile(drawn, [0.025, 0.975])
    moved = score - drawn.mean()
    return {
        "moved (used)": (low + moved, high + moved),
        "percentile": (low, high),
        "basic": (2 * score - high, 2 * score - low),
    }


def coverage(estimator: str) -> dict[str, NDArray[np.float64]]:
    """By kind of interval: the shares that hold the mean score, and that of many rows."""
    held: dict[str, list[tuple[bool, bool]]] = defaultdict(list)
    known = formulas()
    for strength in STRENGTHS:
        many = draw(MANY, strength, 99, estimator)
        truth = {name: formula(many).value for name, formula in known.items()}
        for rows in ROWS:
            found: dict[str, list[Any]] = defaultdict(list)
            for i in range(DRAWS):
                evidence = draw(rows, strength, (i, rows), estimator)
                drawn = _bootstrap.resampled_scores(evidence, known, RESAMPLES)
                for name, formula in known.items():
                    score = formula(evidence).value
                    found[name].append((score, intervals(drawn[name], score)))
            for name, each in found.items():
                mean = np.mean([score for score, _ in each])
                for _, ends in each:
                    for kind, (low, high) in ends.items():
                        held[kind].append((low <= mean <= high, low <= truth[name] <= high))
    return {kind: np.mean(pairs, axis=0) for kind, pairs in held.items()}


def main() -> None:
    """Print a table."""
    warnings.simplefilter("ignore", MetricWarning)
    print("estimator     interval      holds the mean score  holds that of many rows")
    for estimator in ("plugin", "miller_madow"):
        for kind, (mean, many) in coverage(estimator).items():
            print(f"{estimator:<14}{kind:<14}{mean:>19.0%}{many:>24.0%}")


if __name__ == "__main__":
    main()
