"""How well one code alone predicts a factor: what SAP compares.

Lines and thresholds are scored exactly, on all samples; the classifiers that libraries use are
scikit-learn's.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastdis import _kernels
from fastdis._threads import parallel_for
from fastdis.metrics._counts.columns import Data, block
from fastdis.metrics._fits.fitting import nodes_by_depth
from fastdis.metrics._fits.problems import solved

Matrix = NDArray[np.float64]
Labels = NDArray[np.int32]

_ROWS = 4096  # whose columns stay in the cache
_MOST_SHIFTED = 4096  # whole numbers closer together are numbered without a sort
_LARGEST = 1e30  # of a code; beyond 1e75, where squares of squares overflow, liblinear never ends
_TREE_DEPTH = 9
_FOLDS = 10


def r_squared(data: Data) -> Matrix:
    """The squared correlation of every factor with every code, ``(K, D)``; 0 for a constant.

    Columns are scaled by their range, so that squares of very large and very small values stay
    finite. Rows are read once, in blocks: sums and products are those of deviations from the mean
    of the first block. It is at most sqrt(N / samples of the block) standard deviations from the
    mean, so the correction for it costs few digits. Blocks are added in order: no thread changes a
    bit.
    """
    kernel = _kernels.get("scaled_products")
    rows, (factors, codes) = len(data.codes), (len(data.names), data.codes.shape[1])
    low, high = np.concatenate([data.factor_range, data.code_range], axis=1)
    span = np.where(high > low, high - low, 1.0)
    starts = range(0, rows, _ROWS)
    sums, squares = np.zeros((2, len(starts), factors + codes))
    products = np.zeros((len(starts), factors, codes))

    def columns(start: int) -> Matrix:
        parts = [block(x, start, min(start + _ROWS, rows)) for x in (data.factors, data.codes)]
        result: Matrix = np.concatenate(parts, axis=1, dtype=np.float64)
        return result

    def add(first: int, last: int) -> None:
        for i in range(first, last):
            kernel(columns(starts[i]), centre, span, sums[i], squares[i], products[i])

    centre = low + span * ((columns(0) - low) / span).mean(axis=0)
    parallel_for(add, len(starts))
    mean = sums.sum(axis=0) / rows
    variance = squares.sum(axis=0) / rows - mean**2
    covariance = products.sum(axis=0) / rows - mean[:factors, None] * mean[factors:]
    norm = np.sqrt(np.where(high > low, variance, np.inf))
    correlation: Matrix = covariance / norm[:factors, None] / norm[factors:]
    return np.minimum(correlation**2, 1.0)


def labels_of(column: NDArray[Any]) -> tuple[Labels, int]:
    """The levels of a factor as 0, 1, ..., in rising order, and how many there are."""
    low, high = column.min(), column.max()
    if high - low < _MOST_SHIFTED and low + np.floor(high - low) == high:
        shifted = column - low
        place = shifted.astype(np.int32)
        if (place == shifted).all():
            occurs = np.bincount(place) > 0
            return (np.cumsum(occurs, dtype=np.int32) - np.int32(1))[place], int(occurs.sum())
    levels, labels = np.unique(column, return_inverse=True)
    return labels.astype(np.int32), len(levels)


def threshold_accuracy(labels: Labels, code: NDArray[Any]) -> float:
    """The largest balanced accuracy of cutting ``code (N,)`` into one interval a label.

    The labels, 0, 1, ..., stand in the order of their mean rank, or in the opposite one: with two
    labels those are all orders there are.
    """
    return _by_thresholds([(labels.astype(np.int32), int(labels.max()) + 1)], code)[0]


def threshold_accuracies(codes: NDArray[Any], targets: list[tuple[Labels, int]]) -> Matrix:
    """:func:`threshold_accuracy` of the labels by every code; a code is sorted once for all."""
    result = np.empty((len(targets), codes.shape[1]))

    def score(first: int, last: int) -> None:
        for d in range(first, last):
            result[:, d] = _by_thresholds(targets, codes[:, d].copy())

    parallel_for(score, codes.shape[1])
    return result


def svm_accuracies(codes: NDArray[Any], targets: list[Labels], train: int) -> Matrix:
    """The accuracy of a linear SVM of one code on the samples from ``train`` on, ``(K, D)``.

    A balanced one of C = 0.01, one level against the rest, as disentanglement_lib fits it.
    """
    from sklearn.svm import LinearSVC

    def accuracy(labels: Labels, x: Matrix) -> float:
        if (labels[:train] == labels[0]).all():  # which a classifier need not be fitted to say
            return float(np.mean(labels[train:] == labels[0]))
        model = LinearSVC(C=0.01, class_weight="balanced", random_state=0)
        return float(model.fit(x[:train], labels[:train]).score(x[train:], labels[train:]))

    def score(code: NDArray[Any]) -> list[float]:
        x = code[:, None].astype(np.float64)
        x /= max(1.0, np.abs(x).max() / _LARGEST)
        return [accuracy(labels, x) for labels in targets]

    return np.array(solved(list(codes.T), score)).T


def tree_accuracies(codes: NDArray[Any], targets: list[Labels]) -> Matrix:
    """The accuracy of a decision tree of one code on the samples it was fitted on, ``(K, D)``.

    Its depth, 1 to 9, is the one of the best accuracy in ten folds, as Ubisoft's code has it.
    """

    def score(code: NDArray[Any]) -> list[float]:
        return [_by_tree(labels, code[:, None].astype(np.float32)) for labels in targets]

    return np.array(solved(list(codes.T), score)).T


def _by_thresholds(targets: list[tuple[Labels, int]], code: NDArray[Any]) -> list[float]:
    kernel = _kernels.get("interval_accuracy")
    order = _order(code)
    in_order = code[order]
    return [float(kernel(in_order, labels[order], levels)) for labels, levels in targets]


def _order(code: NDArray[Any]) -> NDArray[np.intp]:
    """What sorts a code; single values are sorted together with their samples, which is faster."""
    if code.dtype != np.float32 or len(code) >= 1 << 32:
        return np.argsort(code)
    # As numbers, the bits rise with the value if those of negative ones are all turned over.
    turned = (code.view(np.int32) >> 31).view(np.uint32) | np.uint32(1 << 31)
    both = np.empty((len(code), 2), np.uint32)
    row, rising = (0, 1) if sys.byteorder == "little" else (1, 0)
    both[:, row] = np.arange(len(code), dtype=np.uint32)
    np.bitwise_xor(code.view(np.uint32), turned, out=both[:, rising])
    both.view(np.uint64).sort(axis=0)
    return both[:, row].astype(np.intp)


def _by_tree(labels: Labels, x: NDArray[np.float32]) -> float:
    from sklearn.model_selection import StratifiedKFold
    from sklearn.tree import DecisionTreeClassifier

    def right(fitted: NDArray[np.intp], asked: NDArray[np.intp]) -> Matrix:
        """The accuracy of a tree fitted on some samples, asked others, cut at each depth."""
        model = DecisionTreeClassifier(max_depth=_TREE_DEPTH, random_state=0)
        tree = model.fit(x[fitted], labels[fitted]).tree_
        said = model.classes_[tree.value[:, 0].argmax(axis=1)]
        nodes = nodes_by_depth(tree, x[asked], _TREE_DEPTH)
        return np.array([np.mean(said[node] == labels[asked]) for node in nodes][1:])

    everything = np.arange(len(x))
    folds = min(_FOLDS, int(np.bincount(labels).max()))
    if folds < 2:  # every row has a level of its own, which no other row teaches
        return float(right(everything, everything)[0])
    parts = StratifiedKFold(folds).split(x, labels)
    best = np.mean([right(*part) for part in parts], axis=0).argmax()
    return float(right(everything, everything)[best])
