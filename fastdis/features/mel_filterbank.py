"""Mel filters: triangles whose corners lie evenly on the mel scale, dense and sparse.

The scale is Slaney's (Auditory Toolbox, 1998: linear below 1 kHz, logarithmic above) or HTK's,
m = 2595 log10(1 + f / 700) (O'Shaughnessy, Speech Communication, 1987).
"""

from __future__ import annotations

import warnings
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastdis import _memory, _validation

_LINEAR_STEP = 200 / 3  # Hz a mel below the corner
_CORNER_HZ = 1000.0
_MOST_MELS = 2**16
_CORNER_MEL = _CORNER_HZ / _LINEAR_STEP
_LOG_STEP = np.log(6.4) / 27  # a mel above the corner multiplies the frequency by exp(_LOG_STEP)


class MelFilters(NamedTuple):
    """Read-only filters, dense and as the kernels take them.

    ``columns`` is ``first (F + 1,), band, weight``: bin ``k`` owns ``first[k]:first[k + 1]`` of the
    others. ``rows`` is ``first (M,), offset (M + 1,), weight``: filter ``b`` weighs the bins from
    ``first[b]`` on by ``weight[offset[b]:offset[b + 1]]``.
    """

    dense: NDArray[np.float32]
    columns: tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float32]]
    rows: tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float32]]
    empty: int


def _hz_to_mel(hz: float, htk: bool) -> float:
    if htk:
        return float(2595.0 * np.log10(1.0 + hz / 700.0))
    if hz < _CORNER_HZ:
        return hz / _LINEAR_STEP
    return float(_CORNER_MEL + np.log(hz / _CORNER_HZ) / _LOG_STEP)


def _mel_to_hz(mel: NDArray[np.float64], htk: bool) -> NDArray[np.float64]:
    if htk:
        return 700.0 * (10.0 ** (mel / 2595.0) - 1.0)
    above = _CORNER_HZ * np.exp(_LOG_STEP * (mel - _CORNER_MEL))
    return np.where(mel < _CORNER_MEL, mel * _LINEAR_STEP, above)


@lru_cache(maxsize=32)
def _build(
    sr: float,
    n_fft: int,
    n_mels: int,
    fmin: float,
    fmax: float,
    htk: bool,
    norm: str | float | None,
) -> MelFilters:
    corners = np.linspace(_hz_to_mel(fmin, htk), _hz_to_mel(fmax, htk), n_mels + 2)
    hz = _mel_to_hz(corners, htk)[:, None]
    if not (np.diff(hz, axis=0) > 0).all():
        raise ValueError(
            f"n_mels takes a number of filters whose corners differ, got {n_mels} from {fmin} to "
            f"{fmax} Hz"
        )
    bins = np.arange(n_fft // 2 + 1) * (sr / n_fft)
    rising = (bins - hz[:-2]) / (hz[1:-1] - hz[:-2])
    falling = (hz[2:] - bins) / (hz[2:] - hz[1:-1])
    filters = np.maximum(0, np.minimum(rising, falling))
    empty = int(np.sum((hz[:-2, 0] > 0) & ~filters.any(axis=1)))
    if norm == "slaney":
        filters *= 2 / (hz[2:] - hz[:-2])
    elif norm is not None:
        size = np.linalg.norm(filters, ord=float(norm), axis=1, keepdims=True)
        filters /= np.where(size > 0, size, 1)
    dense = filters.astype(np.float32)
    result = MelFilters(dense, _columns(dense), _rows(dense), empty)
    for part in (dense, *result.columns, *result.rows):
        part.setflags(write=False)
    return result


def _columns(
    dense: NDArray[np.float32],
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float32]]:
    column, band = np.nonzero(dense.T)
    first = np.searchsorted(column, np.arange(dense.shape[1] + 1))
    return first.astype(np.int32), band.astype(np.int32), dense[band, column]


def _rows(
    dense: NDArray[np.float32],
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float32]]:
    """A triangle has no zero within, so a row is one stretch of bins."""
    band, column = np.nonzero(dense)
    offset = np.searchsorted(band, np.arange(len(dense) + 1))
    first = np.zeros(len(dense), np.int32)
    filled = np.diff(offset) > 0
    first[filled] = column[offset[:-1][filled]]
    return first, offset.astype(np.int32), dense[band, column]


def filters(
    sr: float,
    n_fft: int,
    n_mels: int,
    fmin: float,
    fmax: float | None,
    htk: bool,
    norm: str | float | None,
) -> MelFilters:
    """Check the parameters of the filters and make or recall them."""
    sr = _validation.number("sr", sr, above=0)
    n_fft = _validation.integer("n_fft", n_fft, 2)
    n_mels = _validation.integer("n_mels", n_mels, 1, _MOST_MELS)
    fmax = _validation.number("fmax", sr / 2 if fmax is None else fmax, above=0, maximum=sr / 2)
    fmin = _validation.number("fmin", fmin, minimum=0)
    if fmin >= fmax:
        raise ValueError(f"fmin takes less than fmax = {fmax:g} Hz, got {fmin:g}")
    htk = _validation.flag("htk", htk)
    if isinstance(norm, str):
        _validation.choice("norm", norm, ("slaney",))
    elif norm is not None and norm != np.inf:
        norm = _validation.number("norm", norm, above=0)
    need = 44 * n_mels * (n_fft // 2 + 1)  # bytes, with what stands beside the result
    _memory.require(f"n_mels: {n_mels} filters of {n_fft // 2 + 1} bins", need, "take fewer")
    result = _build(sr, n_fft, n_mels, fmin, fmax, htk, norm)
    if result.empty:
        warnings.warn(
            f"{result.empty} of {n_mels} mel filters hold no frequency bin and will always give "
            "0; use fewer mels, a longer n_fft or a higher fmin",
            stacklevel=3,
        )
    return result
