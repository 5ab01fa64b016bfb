"""Codes without factors: checked rows, and the covariance of their columns in one pass.

Blocks of rows are centred on their own means and merged (Chan, Golub & LeVeque 1983), which loses
no digits to a mean far from zero; rows on a memory map are never in memory at once. The blocks
and the order of their sums depend on the shape alone, so threads change no bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastdis._threads import parallel_for
from fastdis.metrics._counts.columns import column_range, real_columns, two_dimensional
from fastdis.metrics._evidence import Evidence

_BLOCK = 4096  # rows whose float64 copy stays in the cache
_PART = 1 << 16  # rows worth a part of the sums
_PARTS = 256
_CELLS = 1 << 24  # 128 MiB of products, over all parts

Matrix = NDArray[np.float64]
Note = Callable[[str], None]
Moments = tuple[int, Matrix, Matrix]  # rows, mean (D,), products (D, D) about the mean


@dataclass(frozen=True)
class Codes:
    """N rows of D codes, the ``span (2, D)`` of each, and the columns that notes name them by."""

    values: NDArray[Any]
    span: Matrix
    columns: NDArray[np.intp]

    @property
    def varying(self) -> NDArray[np.intp]:
        """The codes that are not constant."""
        return np.flatnonzero(self.span[0] < self.span[1])

    @property
    def unit(self) -> Matrix:
        """A power of two for each code, in which its range is 1 to 2: no square overflows."""
        result: Matrix = np.ldexp(1.0, np.frexp(self.span[1] - self.span[0])[1] - 1)
        return result


def read_codes(codes: Any, name: str = "codes") -> Codes:
    """Check codes: an array, a memory map or a torch tensor on any device.

    Rows of float32 or float64 are not copied.

    Raises
    ------
    TypeError, ValueError
        If they are not finite real numbers of two dimensions, or of fewer than two rows.
    """
    values = real_columns(name, two_dimensional(name, codes))
    if len(values) < 2:
        raise ValueError(f"{name} takes at least 2 rows, got {len(values)}")
    return Codes(values, column_range(name, values), np.arange(values.shape[1]))


def of_evidence(evidence: Evidence) -> Codes:
    """The codes that are scored, of what a formula reads."""
    return Codes(evidence.data.codes, evidence.data.code_range, evidence.columns)


def covariance(*tables: Codes) -> Matrix:
    """The covariance ``(D, D)`` of all columns side by side, each in its ``unit`` (ddof 1)."""
    rows, low, unit = len(tables[0].values), *_columns(tables)
    parts = int(np.clip(rows // _PART, 1, min(_PARTS, max(1, _CELLS // len(low) ** 2))))
    moments: list[Moments] = [(0, low, low)] * parts

    def work(first: int, last: int) -> None:
        for part in range(first, last):
            start, stop = rows * part // parts, rows * (part + 1) // parts
            starts = range(start, stop, _BLOCK)
            moments[part] = _merged(_block(tables, low, unit, a, stop) for a in starts)

    parallel_for(work, parts)
    return _merged(moments)[2] / (rows - 1)


def correlation(cov: Matrix) -> Matrix:
    """The correlations of columns that vary."""
    deviation = np.sqrt(np.diag(cov))
    result: Matrix = np.clip(cov / np.outer(deviation, deviation), -1.0, 1.0)
    np.fill_diagonal(result, 1.0)
    return result


def note_dead(codes: Codes, varying: NDArray[np.intp], note: Note) -> None:
    """Say which codes do not vary, and if none does."""
    dead = np.delete(codes.columns, varying)
    if len(dead):
        note(f"constant and left out: codes {', '.join(map(str, dead))}")
    if not len(varying):
        note("no code varies; the score counts as 0")


def _columns(tables: tuple[Codes, ...]) -> tuple[Matrix, Matrix]:
    low = np.concatenate([table.span[0] for table in tables])
    return low, np.concatenate([table.unit for table in tables])


def _block(tables: tuple[Codes, ...], low: Matrix, unit: Matrix, start: int, end: int) -> Moments:
    stop = min(start + _BLOCK, end)
    x = np.empty((len(low), stop - start))
    first = 0
    for table in tables:
        rows = x[first : first + table.values.shape[1]]
        rows[:] = table.values[start:stop].T
        first += len(rows)
    x -= low[:, None]
    x /= unit[:, None]
    mean = x.mean(axis=1)
    x -= mean[:, None]
    # Not a matrix product: BLAS would bring threads of its own.
    return stop - start, mean, np.einsum("in,jn->ij", x, x)


def _merged(parts: Iterable[Moments]) -> Moments:
    iterator = iter(parts)
    n, mean, products = next(iterator)
    for m, other, more in iterator:
        gap = other - mean
        products = products + more + np.outer(gap, gap) * (n * (m / (n + m)))
        mean = mean + gap * (m / (n + m))
        n += m
    return n, mean, products
