"""Power to decibels and back: L = 10 log10(S / ref), kept within top_db of each clip's maximum.

Names and defaults are librosa's; :mod:`fastdis.features` is where users find both functions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastdis import _memory, _validation
from fastdis._threads import parallel_for


def power_to_db(
    S: ArrayLike,
    *,
    ref: float | Callable[[NDArray[np.float32]], Any] = 1.0,
    amin: float = 1e-10,
    top_db: float | None = 80.0,
) -> NDArray[np.float32]:
    """Power to decibels: ``10 log10(max(S, amin) / max(ref, amin))``.

    Parameters
    ----------
    S : array_like, shape (F, frames), or (..., F, frames) for a batch
        Power, such as a mel spectrogram.
    ref : float or callable
        The power of 0 dB, or a function that finds it in a clip, such as ``np.max``.
    amin : float
        The least power that is distinguished from silence.
    top_db : float, optional
        Values further below a clip's maximum are raised to that. None leaves them.

    Returns
    -------
    ndarray of float32, the shape of ``S``
        ``ref`` and ``top_db`` look at each clip, the last two axes, by itself, so that a clip
        does not depend on its batch.

    Raises
    ------
    TypeError, ValueError
        If ``S`` is not finite or negative anywhere, or a parameter is out of its range.

    Examples
    --------
    >>> power_to_db(np.array([[1.0, 0.1, 1e-30]]))
    array([[  0., -10., -80.]], dtype=float32)
    """
    power = _validation.array("S", S, (1, 2, 3, 4))
    amin = _validation.number("amin", amin, minimum=float(np.finfo(np.float32).tiny))
    if top_db is not None:
        top_db = _validation.number("top_db", top_db, minimum=0)
    if not callable(ref):
        ref = _level("ref", ref)
    result = _memory.new_array("power_to_db", power.shape)
    if power.size == 0:
        return result
    clip_shape = (1,) * (2 - power.ndim) + power.shape[-2:]
    clips, decibels = power.reshape(-1, *clip_shape), result.reshape(-1, *clip_shape)

    def work(start: int, stop: int) -> None:
        part, out = clips[start:stop], decibels[start:stop]
        _check_power(power, part)
        np.maximum(part, np.float32(amin), out=out)
        np.log10(out, out=out)
        out *= 10
        if callable(ref):
            found = [ref(clip) if power.ndim > 1 else ref(clip[0]) for clip in part]
            levels = np.array([[[_level("ref(S)", x)]] for x in found], np.float32)
        else:
            levels = np.array(ref, np.float32)
        out -= 10 * np.log10(np.maximum(levels, np.float32(amin)))
        if top_db is not None:
            np.maximum(out, out.max(axis=(1, 2), keepdims=True) - np.float32(top_db), out=out)

    parallel_for(work, len(clips), grain=8)
    return result


def _level(name: str, value: Any) -> float:
    return _validation.number(name, value, 0, float(np.finfo(np.float32).max))


def _check_power(power: NDArray[np.float32], part: NDArray[np.float32]) -> None:
    if not (part.min() >= 0 and part.max() < np.inf):  # not so for NaN
        _validation.finite("S", power)
        raise ValueError(f"S takes values >= 0, got {part.min():g}")


def db_to_power(S_db: ArrayLike, *, ref: float = 1.0) -> NDArray[np.float32]:
    """Decibels to power: ``ref * 10 ** (S_db / 10)``.

    Parameters
    ----------
    S_db : array_like, of any shape with 1 to 4 axes
    ref : float
        The power of 0 dB.

    Returns
    -------
    ndarray of float32, the shape of ``S_db``

    Raises
    ------
    TypeError, ValueError
        If ``S_db`` is not finite, or so large that its power is beyond float32.

    Examples
    --------
    >>> db_to_power([0.0, -10.0])
    array([1. , 0.1], dtype=float32)
    """
    decibels = _validation.finite("S_db", _validation.array("S_db", S_db, (1, 2, 3, 4)))
    ref = _level("ref", ref)
    result: NDArray[np.float32] = _memory.new_array("db_to_power", decibels.shape)
    np.multiply(decibels, np.float32(0.1), out=result)
    with np.errstate(over="ignore"):
        np.power(np.float32(10), result, out=result)
        result *= np.float32(ref)
    if not result.max(initial=0) < np.inf:
        raise ValueError(f"S_db takes values below 385 dB at ref=1, got {decibels.max():g}")
    return result
