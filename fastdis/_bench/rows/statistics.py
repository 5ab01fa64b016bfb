"""The rows of the statistics: the joint histogram of codes and factors, and what is read off it."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastdis import _kernels
from fastdis._bench.measure import Contestant, Row, Scale, Trial, pick
from fastdis.metrics import Scores, _bootstrap, evaluate, joint_histogram
from fastdis.metrics._evidence import gather

CODES, FACTORS, BINS = 10, 5, 20
LEVELS, FEW_CODES = (20, 20, 4), 8  # 32,000 rows are 20 of each combination
FOUR = ["mig", "jemmig", "dcimig", "modularity"]
_WRITTEN = 500_000  # rows at once

Floats = NDArray[np.float64]
Bins = list[NDArray[np.intp]]  # of each column


def columns(rows: int, codes: int = CODES) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Continuous factors ``(rows, 5)``, and codes that depend on them, float32."""
    rng = np.random.default_rng(0)
    factors = rng.standard_normal((rows, FACTORS), np.float32)
    z = rng.standard_normal((rows, codes), np.float32)
    z[:, :FACTORS] += factors[:, :codes]
    return factors, z


def write_columns(folder: str | Path, rows: int) -> None:
    """Such factors as ``v.npy`` and codes as ``z.npy``, repeated; an OSError on a full disk."""
    need, free = rows * 4 * (CODES + FACTORS), shutil.disk_usage(folder).free
    if need > free:
        raise OSError(f"{rows:,} rows take {need / 1e9:.1f} GB of disk, got {free / 1e9:.1f} GB")
    for name, part in zip("vz", columns(min(rows, _WRITTEN)), strict=True):
        header = {"descr": "<f4", "fortran_order": False, "shape": (rows, part.shape[1])}
        with Path(folder, f"{name}.npy").open("wb") as file:
            np.lib.format.write_array_header_1_0(file, header)
            for start in range(0, rows, _WRITTEN):
                part[: rows - start].tofile(file)


def _levels_and_codes(rows: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Factors of few levels ``(rows, 3)``, and 8 codes that depend on them."""
    rng = np.random.default_rng(1)
    levels = np.stack(np.unravel_index(np.arange(rows) % 1600, LEVELS), axis=1).astype(np.int32)
    mixed = (levels / np.array(LEVELS)) @ rng.standard_normal((3, FEW_CODES))
    return levels, (mixed + 0.3 * rng.standard_normal(mixed.shape)).astype(np.float32)


def _cut(x: NDArray[Any]) -> Bins:
    """Levels as they are; contiguous float64 columns, on which NumPy is fastest, in bins."""
    if x.dtype.kind == "i":
        return [column.astype(np.intp) for column in x.T]
    by_column = np.ascontiguousarray(x.T, np.float64)
    return [np.digitize(c, np.histogram_bin_edges(c, BINS)[1:-1]) for c in by_column]


@dataclass
class _Looped:
    """Mutual informations by scikit-learn, a pair at a time, and the four scores of them."""

    factors: Bins
    codes: Bins

    def __post_init__(self) -> None:
        from sklearn.metrics import mutual_info_score as information

        self.mutual: Floats = np.array(
            [[information(v, z) for z in self.codes] for v in self.factors]
        )
        self.factor_entropy, self.code_entropy = (
            np.array([information(x, x) for x in each]) for each in (self.factors, self.codes)
        )

    def four(self) -> list[float]:
        mutual, entropy = self.mutual, self.factor_entropy
        top = np.sort(mutual, axis=1)
        gap = top[:, -1] - top[:, -2]
        best = mutual.argmax(axis=1)
        joint = entropy + self.code_entropy[best] - top[:, -1]
        ranked = np.sort(mutual, axis=0)
        held = np.where(mutual == ranked[-1], ranked[-1] - ranked[-2], 0.0).max(axis=1)
        rest = (mutual**2).sum(axis=0) / ranked[-1] ** 2 - 1
        return [
            np.mean(gap / entropy),
            np.mean(1 - (joint - gap) / (entropy + np.log(BINS))),
            held.sum() / entropy.sum(),
            np.mean(1 - rest / (len(mutual) - 1)),
        ]  # fmt: skip

    def error_of(self, scores: Scores) -> float:
        """The largest difference from mutual informations and the four scores."""
        differences = np.abs(scores.mutual_information - self.mutual)
        four = [scores[name] for name in FOUR]
        return float(max(differences.max(), *np.abs(np.subtract(four, self.four()))))


def _numpy_counts(factors: NDArray[np.float32], codes: NDArray[np.float32]) -> Floats:
    """``(D, K, bins, bins)``, a pair at a time.

    Contiguous float64 columns are what it is fastest on; on float32 it also rounds its edges.
    """
    z_columns, v_columns = (np.ascontiguousarray(x.T, np.float64) for x in (codes, factors))
    pairs = [np.histogram2d(z, v, BINS)[0] for z in z_columns for v in v_columns]
    return np.stack(pairs).reshape(codes.shape[1], factors.shape[1], BINS, BINS)


def _counted(
    factors: NDArray[Any], codes: NDArray[Any], fewer: int, checked: int, keep: object = None
) -> Trial:
    """The joint histogram of all rows, against NumPy's of ``fewer``."""

    def error() -> float:
        some = factors[:checked], codes[:checked]
        counts = joint_histogram(*some, bins=BINS, discrete=False).counts
        return float((counts != _numpy_counts(*some)).sum())

    run = partial(joint_histogram, factors, codes, bins=BINS, discrete=False)
    return Trial(
        [Contestant(run, len(codes))],
        [Contestant(lambda: _numpy_counts(factors[:fewer], codes[:fewer]), fewer, "1 thread")],
        error,
        bytes_moved=2 * 4 * (CODES + FACTORS),  # read for the ranges, then for the counts
        multiply_adds=2 * (CODES + FACTORS) + CODES * FACTORS,
        keep=keep,
    )


def _histogram(scale: Scale) -> Trial:
    rows = pick(scale, 2000, 1_000_000, 1_000_000)
    # The peer's time is proportional to the rows; only the full form takes them all each time.
    return _counted(*columns(rows), fewer=pick(scale, 2000, 50_000, 1_000_000), checked=rows)


def _mapped(scale: Scale) -> Trial:
    rows, fewer = pick(scale, 2000, 1_000_000, 100_000_000), pick(scale, 2000, 50_000, 1_000_000)
    folder = tempfile.TemporaryDirectory(prefix="fastdis-bench-")
    write_columns(folder.name, rows)
    factors, codes = (np.load(Path(folder.name, f"{x}.npy"), mmap_mode="r") for x in "vz")
    return _counted(factors, codes, fewer, checked=fewer, keep=folder)


def _four_scores(scale: Scale) -> Trial:
    rows = pick(scale, 3200, 32_000, 32_000)
    factors, codes = _levels_and_codes(rows)

    def peer() -> _Looped:
        looped = _Looped(_cut(factors), _cut(codes))
        looped.four()
        return looped

    return Trial(
        [Contestant(lambda: evaluate(factors, codes, FOUR), rows)],
        [Contestant(peer, rows, "1 thread")],
        lambda: peer().error_of(evaluate(factors, codes, FOUR)),
        bytes_moved=2 * 4 * (FEW_CODES + len(LEVELS)),
        multiply_adds=2 * (FEW_CODES + len(LEVELS)) + FEW_CODES * len(LEVELS),
    )


def _all_scores(scale: Scale) -> Trial:
    rows, fewer = pick(scale, 2000, 1_000_000, 1_000_000), pick(scale, 2000, 20_000, 200_000)
    factors, codes = columns(rows)
    some = factors[:fewer], codes[:fewer]

    def peer() -> _Looped:
        looped = _Looped(_cut(some[0]), _cut(some[1]))
        looped.four()
        _Looped(looped.factors, looped.factors)  # which DMIG and DLIG need
        return looped

    return Trial(
        [Contestant(lambda: evaluate(factors, codes, ["histogram"]), rows)],
        [Contestant(peer, fewer, "1 thread")],
        lambda: peer().error_of(evaluate(*some, ["histogram"])),
        # Read for the ranges, then for the counts; and the factors once more for those of pairs.
        bytes_moved=4 * (2 * CODES + 3 * FACTORS),
        multiply_adds=2 * CODES + 3 * FACTORS + CODES * FACTORS + FACTORS**2,
    )


def _bootstrapped(scale: Scale) -> Trial:
    rows = pick(scale, 3200, 32_000, 32_000)
    resamples, fewer = pick(scale, 5, 1000, 1000), pick(scale, 2, 5, 20)
    factors, codes = _levels_and_codes(rows)

    def numpy_information(factors: Bins, codes: Bins, drawn: NDArray[np.intp]) -> Floats:
        """I ``(K, D)`` of the rows drawn: a pair at a time, as a joint bincount."""
        rows_of = [[column[drawn] for column in each] for each in (factors, codes)]
        result = np.empty((len(factors), len(codes)))
        for k, v in enumerate(rows_of[0]):
            for d, z in enumerate(rows_of[1]):
                p = np.bincount(v * BINS + z, minlength=BINS * LEVELS[k]).reshape(-1, BINS) / rows
                apart = p.sum(axis=1, keepdims=True) * p.sum(axis=0)
                some = p > 0
                result[k, d] = (p[some] * np.log(p[some] / apart[some])).sum()
        return result

    def peer() -> list[Floats]:
        rng, bins = np.random.default_rng(0), (_cut(factors), _cut(codes))
        draws = (rng.integers(0, rows, rows) for _ in range(fewer))
        return [numpy_information(*bins, drawn) for drawn in draws]

    def error() -> float:
        evidence, weights = gather(factors, codes), np.empty(rows, np.uint32)
        whole = evidence.histogram
        # The factors keep their levels, so that no edges of theirs are looked at.
        no_edges = np.zeros((len(LEVELS), BINS + 1))
        layout, blocks = _bootstrap.resampled_tables(evidence.data, whole.code_edges, no_edges, 1)
        found = _bootstrap.information(layout, next(blocks)).mutual[0]
        _kernels.get("resample")(np.uint64(0), np.uint64(0), weights)
        drawn = np.repeat(np.arange(rows), weights)
        return float(np.abs(found - numpy_information(_cut(factors), _cut(codes), drawn)).max())

    ours = partial(evaluate, factors, codes, ["histogram"], bootstrap=resamples)
    every = FEW_CODES + len(LEVELS)  # factors are counted against factors as well
    return Trial(
        [Contestant(ours, resamples)],
        [Contestant(peer, fewer, "1 thread, mutual information alone")],
        error,
        bytes_moved=4.0 * rows * (every + len(LEVELS)),  # the numbers of the cells
        multiply_adds=rows * (1.0 + every * len(LEVELS)),
    )


_COUNTERS = (
    "each row adds one to {} counters: {} loads, additions and stores of single words, which no "
    "vector instruction does at once"
)
_LOOP = "a loop over pairs: np.digitize, sklearn's mutual_info_score"

ROWS = (
    Row(
        "joint histogram, 10 codes x 5 factors, 20 bins, float32 in",
        "np.histogram2d over the pairs", _histogram, 120, 0.0, "cells that differ", "rows",
        held_back=_COUNTERS.format(50, 50),
    ),
    Row(
        "the same of .npy files that are mapped, 100,000,000 rows in the full run",
        "np.histogram2d over the pairs", _mapped, 100, 0.0, "cells that differ", "rows",
        held_back=_COUNTERS.format(50, 50),
    ),
    Row(
        "MIG, JEMMIG, DCIMIG and Modularity, 32,000 rows, 8 codes x 3 factors",
        _LOOP, _four_scores, 100, 1e-9, "of scores and nats", "rows", needs="sklearn",
        held_back="half the time goes into rows, each of which adds one to 24 counters, the rest "
        "into Python around arrays of a few numbers",
    ),
    Row(
        "all histogram metrics, 10 codes x 5 factors, 20 bins, float32 in",
        _LOOP, _all_scores, 100, 1e-9, "of scores and nats", "rows", needs="sklearn",
        held_back=_COUNTERS.format(75, 75),
    ),
    Row(
        "bootstrap of all histogram metrics, 32,000 rows, 8 codes x 3 factors",
        "NumPy: rows drawn, np.bincount over the pairs", _bootstrapped, 5, 1e-9, "nats",
        "resamples", held_back=_COUNTERS.format(33, 33),
    ),
)  # fmt: skip
