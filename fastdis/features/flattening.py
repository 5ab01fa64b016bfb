"""Pictures as rows of cells and back: along rows, along columns, or along a Hilbert curve.

The curve is Hilbert's (Math. Ann. 38, 1891) for any rectangle: cells that are near on it are near
in the picture, which rows promise in one direction only. ``csrc/curve/curve.c`` derives it;
:mod:`fastdis.features` is where users find the functions.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastdis import _kernels, _memory, _validation

ORDERS = ("row", "column", "hilbert")
_KEPT = 64  # shapes whose orders are kept


def flatten_order(shape: Sequence[int], order: str = "row") -> NDArray[np.int64]:
    """The flat indices of the cells of a picture, in the order in which a curve visits them.

    Parameters
    ----------
    shape : (m, n)
        Rows and columns, each at least 1.
    order
        ``"row"``: as the cells lie in memory. ``"column"``: down each column. ``"hilbert"``: along
        a Hilbert curve, from the first cell along the longer side (along the first row of a
        square) to the other end of that side.

    Returns
    -------
    ndarray of int64 (m * n,), read-only
        ``x.reshape(-1)[flatten_order(x.shape, order)]`` is ``flatten(x, order)``. It is kept: the
        next call with these arguments returns the same array.

    Raises
    ------
    TypeError, ValueError
        If ``shape`` is not two integers of at least 1, or ``order`` is none of these.
    MemoryError
        If there is no room for it.

    Notes
    -----
    Every step of the curve goes to one of the four cells beside, but for a single diagonal one
    where the longer side is odd and the shorter is even: coloured as a chessboard, a path of single
    steps over an even number of cells ends on the other colour than it began, and the two ends of
    an odd side have the same. (With two rows or columns it ends one cell before that corner
    instead.)

    In a picture of 129 x 16 cells, those at most 15 places apart on the curve are 2.9 cells apart
    on average, row by row 5.7, column by column 14.3. Rows are as good from 64 places on, 6.0 cells
    on average both, for a row of 16 comes back below itself; in 2,049 x 201 cells it is 6.0 and 51.

    Examples
    --------
    >>> flatten_order((2, 4), "column")
    array([0, 4, 1, 5, 2, 6, 3, 7])
    >>> flatten_order((4, 4), "hilbert")
    array([ 0,  1,  5,  4,  8, 12, 13,  9, 10, 14, 15, 11,  7,  6,  2,  3])
    """
    rows, columns = _sides(shape)
    return _order(rows, columns, _validation.choice("order", order, ORDERS))


def flatten(x: ArrayLike, order: str = "row") -> NDArray[Any]:
    """Pictures as rows of their cells, in the order of :func:`flatten_order`.

    Parameters
    ----------
    x : array_like, shape (..., m, n)
        Numbers of any kind, at least one cell a picture.
    order
        ``"row"``, ``"column"`` or ``"hilbert"``.

    Returns
    -------
    ndarray, shape (..., m * n), the dtype of ``x``
        For ``"row"`` a view of ``x`` where NumPy can make one, else a new array.

    Raises
    ------
    TypeError, ValueError
        If ``x`` is no array of numbers with two dimensions or more, or has no cells, or ``order``
        is none of these.

    Examples
    --------
    >>> flatten([[1.0, 2.0], [3.0, 4.0]], "hilbert")
    array([1., 3., 4., 2.])
    """
    cells = _numbers("x", x)
    if cells.ndim < 2 or 0 in cells.shape[-2:]:
        raise ValueError(f"x takes shape (..., m, n) with at least one cell, got {cells.shape}")
    _validation.choice("order", order, ORDERS)
    m, n = cells.shape[-2:]
    rows = cells.reshape(*cells.shape[:-2], m * n)
    return rows if order == "row" else np.take(rows, _order(m, n, order), axis=-1)


def unflatten(v: ArrayLike, shape: Sequence[int], order: str = "row") -> NDArray[Any]:
    """Rows of cells as pictures again: the exact inverse of :func:`flatten`.

    Parameters
    ----------
    v : array_like, shape (..., m * n)
        Numbers of any kind, in the order of :func:`flatten_order`.
    shape : (m, n)
        Rows and columns of the pictures.
    order
        ``"row"``, ``"column"`` or ``"hilbert"``.

    Returns
    -------
    ndarray, shape (..., m, n), the dtype of ``v``
        For ``"row"`` a view of ``v`` where NumPy can make one, else a new array.

    Raises
    ------
    TypeError, ValueError
        If ``v`` is no array of numbers, or its last dimension is not ``m * n``, or another argument
        is wrong as in :func:`flatten_order`.

    Examples
    --------
    >>> unflatten(flatten([[1, 2, 3], [4, 5, 6]], "hilbert"), (2, 3), "hilbert")
    array([[1, 2, 3],
           [4, 5, 6]])
    """
    rows, columns = _sides(shape)
    cells = _numbers("v", v)
    if cells.ndim < 1 or cells.shape[-1] != rows * columns:
        raise ValueError(
            f"v takes shape (..., {rows * columns}) for pictures of {rows} x {columns}, "
            f"got {cells.shape}"
        )
    if _validation.choice("order", order, ORDERS) != "row":
        cells = np.take(cells, _places(rows, columns, order), axis=-1)
    return cells.reshape(*cells.shape[:-1], rows, columns)


def _sides(shape: Sequence[int]) -> tuple[int, int]:
    takes = "shape takes two integers (m, n)"
    if isinstance(shape, str | bytes) or not isinstance(shape, Sequence | np.ndarray):
        raise TypeError(f"{takes}, got {_validation.describe(shape)}")
    if len(shape) != 2:
        raise ValueError(f"{takes}, got {_validation.describe(shape)}")
    rows, columns = (_validation.integer(f"shape[{i}]", side) for i, side in enumerate(shape))
    return rows, columns


def _numbers(name: str, value: ArrayLike) -> NDArray[Any]:
    cells = _validation.regular(name, value)
    if cells.dtype.kind not in "fciub":
        raise TypeError(f"{name} takes numbers, got dtype {cells.dtype}")
    return cells


@lru_cache(_KEPT)
def _order(rows: int, columns: int, order: str) -> NDArray[np.int64]:
    """What :func:`flatten_order` returns."""
    if order == "hilbert":
        cells = hilbert_order(rows, columns)
    else:
        cells = _indices(rows * columns)
        cells[:] = np.arange(rows * columns)
        if order == "column":
            cells = cells.reshape(rows, columns).ravel("F")
    cells.flags.writeable = False
    return cells


@lru_cache(_KEPT)
def _places(rows: int, columns: int, order: str) -> NDArray[np.int64]:
    """Where each cell, row by row, stands in the order."""
    cells = _order(rows, columns, order)
    places = _indices(len(cells))
    places[cells] = np.arange(len(cells))
    return places


def hilbert_order(rows: int, columns: int) -> NDArray[np.int64]:
    """The order ``"hilbert"``, made anew."""
    cells = _indices(rows * columns)
    _kernels.get("hilbert_order")(rows, columns, cells)
    return cells


def _indices(count: int) -> NDArray[np.int64]:
    return _memory.new_array("flatten_order", (count,), np.int64, "take a smaller shape")
