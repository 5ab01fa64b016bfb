"""scikit-learn's fits in one thread, and its trees cut at every depth.

The matrices here are small: BLAS loses by splitting them, a hundredfold where the cores are busy.
Trees are grown from the root down, and no split looks at those below it: a tree cut at some depth
is a tree that was grown to that depth, so that one fit gives a predictor of each depth.
"""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

_lock = threading.Lock()
_running = 0
_of_process = ExitStack()  # what holds for all threads, while any of them fits


@contextmanager
def fitting() -> Iterator[None]:
    """While a predictor is fitted; also a decorator.

    The first thread to come sets what the whole process shares, and the last to go restores it.
    OpenMP is each thread's own. It gets no team, which a forked child would wait for in vain.
    """
    global _running
    import sklearn.linear_model  # noqa: F401  the limits are of libraries that are loaded
    from sklearn.exceptions import ConvergenceWarning
    from threadpoolctl import ThreadpoolController

    controller = ThreadpoolController()
    with _lock:
        _running += 1
        if _running == 1:
            _of_process.enter_context(_blas_in_one_thread(controller))
            _of_process.enter_context(warnings.catch_warnings())
            warnings.simplefilter("ignore", ConvergenceWarning)
            warnings.filterwarnings("ignore", "The number of unique classes", UserWarning)
    try:
        with controller.select(user_api="openmp").limit(limits=1):
            yield
    finally:
        with _lock:
            _running -= 1
            if _running == 0:
                _of_process.close()


@contextmanager
def _blas_in_one_thread(controller: Any) -> Iterator[None]:
    """May be left by another thread than it was entered by."""
    libraries = controller.select(user_api="blas").lib_controllers
    before = [library.num_threads for library in libraries]
    for library in libraries:
        _set_threads(library, 1)
    try:
        yield
    finally:
        for library, number in zip(libraries, before, strict=True):
            _set_threads(library, number)


def _set_threads(library: Any, number: int) -> None:
    """threadpoolctl lets one thread set OpenBLAS and ignores all others while it lives."""
    release = getattr(library, "clear_controlling_thread", lambda force: None)
    release(force=True)
    library.set_num_threads(number)
    release(force=True)


def _forget() -> None:
    """In a forked child, the threads that fit and the one that held the lock do not exist."""
    global _lock, _running
    _lock, _running = threading.Lock(), 0
    _of_process.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


Matrix = NDArray[np.float64]


def nodes_by_depth(tree: Any, x: NDArray[np.float32], deepest: int) -> Iterator[NDArray[np.intp]]:
    """The node of each row of ``x (N, D)`` in the tree cut at depth 0, 1, ..., ``deepest``."""
    rows, node = np.arange(len(x)), np.zeros(len(x), np.intp)
    yield node
    for depth in range(deepest):
        if depth < tree.max_depth:
            inner = tree.children_left[node] >= 0
            left = x[rows, np.maximum(tree.feature[node], 0)] <= tree.threshold[node]
            below = np.where(left, tree.children_left[node], tree.children_right[node])
            node = np.where(inner, below, node)
        yield node


def predictions(trees: Sequence[Any], x: NDArray[np.float32], depths: Sequence[int]) -> Matrix:
    """The mean of the trees' values, ``(depths, N, values)``, cut at each of ``depths``."""
    result = np.zeros((len(depths), len(x), trees[0].value.shape[2]))
    for tree in trees:
        for depth, node in enumerate(nodes_by_depth(tree, x, max(depths))):
            if depth in depths:
                result[depths.index(depth)] += tree.value[node, 0]
    return result / len(trees)


def importances(trees: Sequence[Any], columns: int, depths: Sequence[int]) -> Matrix:
    """The impurity that splits above each of ``depths`` save, ``(depths, columns)``, in shares.

    As scikit-learn's ``feature_importances_``: the mean over trees of each tree's shares.
    """
    total = np.zeros((len(depths), columns))
    for tree in trees:
        saved = np.cumsum(_saved(tree, columns), axis=0)
        each = saved[np.minimum(depths, len(saved)) - 1]
        total += each / np.maximum(each.sum(axis=1, keepdims=True), np.finfo(float).tiny)
    result: Matrix = total / np.maximum(total.sum(axis=1, keepdims=True), np.finfo(float).tiny)
    return result


def _saved(tree: Any, columns: int) -> Matrix:
    """The impurity that splits save by their depth and column, ``(depths, columns)``."""
    weighted = tree.weighted_n_node_samples * tree.impurity
    result = np.zeros((max(tree.max_depth, 1), columns))
    nodes = np.zeros(1, np.intp)
    for row in result:
        nodes = nodes[tree.children_left[nodes] >= 0]
        left, right = tree.children_left[nodes], tree.children_right[nodes]
        saved = weighted[nodes] - weighted[left] - weighted[right]
        row += np.bincount(tree.feature[nodes], saved, columns)
        nodes = np.concatenate([left, right])
    return result
