"""Windows of any length, fractions included, and their spectra on the lines of a period.

A window is a shape on [-1/2, 1/2] that each filter stretches to its own length. A sum of cosines
has a spectrum in closed form, a sum of Dirichlet kernels; any other is transformed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastdis import _validation

FAINTEST = 1e-5  # of its peak: where a filter's spectrum is cut off on either side

_STEPS = 2**12  # of the grid on which a window's shape is sampled
_COSINES = 6  # a window of so few cosines has a spectrum in closed form
_ALIKE = 1e-3  # of its peak: how much a window's shape may change with its length

FilterWindow = str | tuple[Any, ...] | Callable[[int], ArrayLike]


@dataclass(frozen=True, eq=False)
class Shape:
    """A window as a function of ``u`` from -1/2 to 1/2; ``cosines`` where it is a sum of those."""

    grid: NDArray[np.float64]
    cosines: NDArray[np.float64] | None

    def at(self, u: NDArray[np.float64]) -> NDArray[np.float64]:
        """Its values; ``|u|`` is at most 1/2."""
        if self.cosines is not None:
            each = np.cos(2 * np.pi * np.arange(len(self.cosines)) * u[:, None])
            values: NDArray[np.float64] = each @ self.cosines
            return values
        return np.interp(u, np.linspace(-0.5, 0.5, len(self.grid)), self.grid)

    @property
    def bandwidth(self) -> float:
        """The equivalent noise bandwidth in bins (Harris 1978, eq. 11)."""
        inner = self.grid[:-1]
        return float(len(inner) * (inner @ inner) / inner.sum() ** 2)


def _sampled(window: FilterWindow, length: int) -> NDArray[np.float64]:
    """A window of an odd length, symmetric."""
    if callable(window):
        values = _validation.array("window", window(length), 1, np.float64)
    else:
        from scipy.signal import get_window

        try:
            with np.errstate(all="ignore"):
                values = get_window(window, length, fftbins=False)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"window takes a name or tuple known to scipy.signal.get_window, got {window!r} "
                f"({error})"
            ) from None
    values = _validation.finite("window", values)
    if values.shape != (length,) or not np.abs(values).max() > 0 or not values.sum() > 0:
        raise ValueError(
            "window takes a function that gives as many values as it is asked for, of a sum above "
            f"0, got {_validation.describe(values)} when asked for {length}"
        )
    scaled: NDArray[np.float64] = values / np.abs(values).max()
    return scaled


@lru_cache(maxsize=32)
def shape_of(window: FilterWindow) -> Shape:
    """The shape of a window.

    Raises
    ------
    ValueError
        If there is no such window, or it is not symmetric, or not the same at all lengths.
    """
    if window == "hann":  # importing scipy.signal takes longer than a thousand clips
        grid = 0.5 + 0.5 * np.cos(2 * np.pi * np.linspace(-0.5, 0.5, 16 * _STEPS + 1))
        return Shape(grid, np.array([0.5, 0.5]))
    fine, coarse = _sampled(window, 16 * _STEPS + 1), _sampled(window, _STEPS + 1)
    if max(np.abs(fine[::16] - coarse).max(), np.abs(fine - fine[::-1]).max()) > _ALIKE:
        raise ValueError(
            "window takes one that is symmetric and of the same shape at every length, because the "
            f"filters differ in length, got {window!r}"
        )
    grid = 0.5 * (fine + fine[::-1])
    ends = np.append(0.5 * (grid[0] + grid[-1]), grid[1:-1])  # a period of it, the end once
    cosines = np.fft.rfft(np.roll(ends, -(len(ends) // 2))).real / len(ends)
    cosines[1:-1] *= 2
    few = cosines[:_COSINES]
    alike = np.abs(cosines[_COSINES:]).max() < 1e-12 and np.abs(few.sum() - grid.max()) < 1e-9
    return Shape(grid, few if alike else None)


def _dirichlet(theta: NDArray[np.float64], reach: int) -> NDArray[np.float64]:
    """The sum of ``exp(1j theta j)`` over ``|j| <= reach``."""
    half = 0.5 * theta
    below = np.sin(half)
    near = np.abs(below) < 1e-9
    ratio = np.sin((2 * reach + 1) * half) / np.where(near, 1, below)
    return np.where(near, 2.0 * reach + 1, ratio)


def norm_of(values: NDArray[np.float64], norm: float | None) -> float:
    """librosa's norms of a window."""
    sizes = np.abs(values)
    if norm is None:
        return 1.0
    if norm == 0:
        return float(np.count_nonzero(sizes))
    if norm == np.inf:
        return float(sizes.max())
    return float((sizes**norm).sum() ** (1 / norm))


def band(
    shape: Shape, radians: float, length: float, period: int
) -> tuple[int, NDArray[np.float64]]:
    """The first line, and the spectrum from it on, of a filter at ``radians`` per sample."""
    lines = period // 2 + 1
    middle, half = radians / (2 * np.pi) * period, 48 * period / length
    spare = 2 * period / length  # the two outermost side lobes have to be below the limit
    while shape.cosines is not None and half < lines / 4:
        first, last = max(0, int(middle - half)), min(lines, int(middle + half) + 1)
        values = _closed_form(shape.cosines, first, last, radians, length, period)
        begin, heard = _cut(values)
        from_zero, to_end = first == 0, last == lines
        if (from_zero or begin > spare) and (to_end or begin + len(heard) < len(values) - spare):
            return first + begin, heard
        half *= 4
    j = np.arange(-int(length // 2), int(length // 2) + 1)
    kernel = np.zeros(period, np.complex128)
    np.add.at(kernel, j % period, shape.at(j / length) * np.exp(1j * radians * j))
    return _cut(np.fft.fft(kernel)[:lines].real)


def _closed_form(
    cosines: NDArray[np.float64], first: int, last: int, radians: float, length: float, period: int
) -> NDArray[np.float64]:
    lines = np.arange(first, last, dtype=np.float64)
    theta = 2 * np.pi / period * lines - radians
    values = np.zeros(last - first)
    for p, share in enumerate(cosines):
        shift = 2 * np.pi * p / length
        pair = _dirichlet(theta - shift, int(length // 2))
        pair += _dirichlet(theta + shift, int(length // 2))
        values += 0.5 * share * pair
    return values


def _cut(values: NDArray[np.float64]) -> tuple[int, NDArray[np.float64]]:
    heard = np.flatnonzero(np.abs(values) >= FAINTEST * np.abs(values).max())
    return int(heard[0]), values[heard[0] : heard[-1] + 1]


def period_frames(hop: int, least: int) -> int:
    """The fewest frames of a period of at least ``least`` samples, even and fast to transform."""
    count = max(1, -(-least // hop))
    while hop * count % 2 or not _is_fast(count):
        count += 1
    return count


def _is_fast(n: int) -> bool:
    for factor in (2, 3, 5):
        while n % factor == 0:
            n //= factor
    return n == 1
