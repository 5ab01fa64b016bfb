"""White normal noise at an exact signal-to-noise ratio, one stream per clip.

Philox 4x32-10 (Salmon et al., SC 2011), keyed by the seed and counted by the clip's index and the
place in the clip, then the Box-Muller transform: any sample of any clip without those before it.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastdis import _kernels, _memory, _threads, _validation
from fastdis._validation import LOUDEST

_LOWEST = -np.finfo(np.float64).max  # dB; below it there is negative infinity alone
# Well below LOUDEST, by more than the least level that the normals of a clip can have: a normal
# is 0 or above 1e-10, and of `_SEVERAL` or more, one is not 0.
_SURELY_HELD, _SEVERAL = 1e12, 4


def add_noise(
    audio: ArrayLike,
    snr_db: ArrayLike,
    *,
    seed: int,
    index: ArrayLike | None = None,
    out: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """``audio`` plus white normal noise, at an exact ratio in every clip.

    The noise ``z`` of a clip is scaled by ``g = sqrt(mean(audio^2) / mean(z^2)) 10^(-snr_db / 20)``
    with sums over that very clip, in float64. So the ratio of the two powers, not only its
    expectation, is ``snr_db``, except for the rounding of the result to float32: less than 0.001 dB
    up to 100 dB, and 0.04 dB at 130 dB, for a clip of steady level.

    The noise depends on ``seed``, the clip's index and the place in the clip alone: a clip gets the
    same bits in any batch, with any number of threads and at any SIMD level, and a shorter clip
    gets the beginning of a longer one's. Noise of different seeds or indices is independent.

    Parameters
    ----------
    audio : array_like, shape (T,) or (B, T)
        Floating-point audio. A silent clip stays silent: it has no ratio.
    snr_db : float or array_like, shape (B,)
        Power of the clip over that of its noise, in dB; infinity adds none.
    seed : int
        From 0 to 2^64 - 1.
    index : int or array_like of int, shape (B,), optional
        Which stream each clip gets, from 0 to 2^64 - 1; ``arange(B)`` by default, 0 for one clip.
    out : ndarray of float32, shape (T,) or (B, T), optional
        C-contiguous; where to write. It may be ``audio`` itself, which takes longer. If it shares
        memory with ``audio``, all clips are checked before the first is changed: an error leaves
        ``audio`` as it was. Any other ``out`` may hold part of the result after an error.

    Returns
    -------
    ndarray of float32, shape (T,) or (B, T)
        ``out`` where it was given.

    Raises
    ------
    TypeError
        If ``audio`` is not floating-point, ``seed`` or ``index`` holds no integers, or ``out`` is
        no float32 array.
    ValueError
        If ``audio`` is empty, not finite or has a root mean square above 1e30, or its noise would;
        if ``snr_db`` is NaN or negative infinity, an integer out of its range, or a shape wrong;
        if all of a clip's normals are 0, as for one in eight million clips of one sample.
    MemoryError
        If there is no room for the result; nothing has been computed then.

    Notes
    -----
    Block ``j`` of clip ``i`` is the four 32-bit words w of Philox 4x32-10 with key ``(seed mod
    2^32, seed div 2^32)`` and counter ``(j mod 2^32, j div 2^32, i mod 2^32, i div 2^32)``. With
    ``u = (w[0] div 2^9 + 1/2) / 2^23`` and ``h = (w[1] div 2^8) / 2^23``, where w[1] is taken as
    signed, words 0 and 1 become ``sqrt(-2 ln u)`` times ``cos(pi h)`` and ``sin(pi h)``; so do
    words 2 and 3. Word ``w`` of block ``16 g + c`` is sample ``64 g + 16 w + c``. A sample is
    within 1.5e-6 of that, and its magnitude at most 5.8.

    References
    ----------
    J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw: Parallel random numbers: as easy as 1, 2, 3.
    SC 2011.

    Examples
    --------
    >>> clip = np.sin(np.arange(16000) / 9)
    >>> noise = add_noise(clip, 20.0, seed=0) - clip
    >>> round(float(10 * np.log10(np.mean(clip**2) / np.mean(noise**2))), 3)
    20.0
    """
    clips, single = _validation.clips("audio", audio)
    batch = len(clips)
    ratio = ratio_column(snr_db, batch)
    key = _validation.integer("seed", seed, 0, 2**64 - 1)
    stream = np.arange(batch, dtype=np.uint64)
    if index is not None:
        stream = _validation.unsigned("index", index)
        _check_length("index takes one integer per clip", stream, batch)
    result = _memory.result_array("add_noise", out, clips.shape[single:])
    overwrites = out is not None and np.may_share_memory(np.asarray(audio), result)
    noisy = result.reshape(clips.shape)
    if np.may_share_memory(clips, noisy) and clips.ctypes.data != noisy.ctypes.data:
        clips = clips.copy()  # out begins within audio, or audio within out

    def add(start: int, stop: int, into: NDArray[np.float32]) -> None:
        part = slice(start, stop)
        done = start + _add(clips[part], ratio[part], key, stream[part], into)
        if done < stop:
            _validation.finite("audio", clips[0] if single else clips)
            _refuse(clips[done], ratio[done], key, stream[done], done)

    def check(start: int, stop: int) -> None:
        for i in start + _doubtful(clips[start:stop], ratio[start:stop]):
            add(i, i + 1, np.empty_like(clips[i : i + 1]))

    grain = _threads.clips_per_task(clips.shape[1])
    if overwrites:
        _threads.parallel_for(check, batch, grain)
    _threads.parallel_for(lambda start, stop: add(start, stop, noisy[start:stop]), batch, grain)
    return result


def _add(
    clips: NDArray[np.float32],
    ratio: NDArray[np.float64],
    key: int,
    stream: NDArray[np.uint64],
    out: NDArray[np.float32],
) -> int:
    """How many clips are done: all, or those before the first that cannot be."""
    done: int = _kernels.get("add_noise")(clips, ratio, key, stream, LOUDEST, out)
    return done


def _doubtful(clips: NDArray[np.float32], ratio: NDArray[np.float64]) -> NDArray[np.int64]:
    """The clips that the kernel might refuse."""
    if clips.shape[1] < _SEVERAL:
        return np.arange(len(clips))
    with np.errstate(over="ignore", invalid="ignore"):
        peak = np.maximum(clips.max(axis=1), -clips.min(axis=1)).astype(np.float64)
        noise = peak * np.power(10.0, -ratio / 20)
        return np.flatnonzero(~(np.maximum(peak, noise) <= _SURELY_HELD))  # so for NaN, too


def ratio_column(snr_db: ArrayLike, batch: int, lowest: float = _LOWEST) -> NDArray[np.float64]:
    """``snr_db`` as a column of numbers of at least ``lowest``, one per clip."""
    ratio = np.atleast_1d(_validation.array("snr_db", snr_db, (0, 1), np.float64))
    bad = ~(ratio >= lowest)  # so for NaN, too
    if bad.any():
        i = int(np.argmax(bad))
        numbers = f"numbers >= {lowest:g}" if lowest > _LOWEST else "numbers"
        raise ValueError(f"snr_db takes {numbers} or infinity, got {ratio[i]} at index {i}")
    if np.ndim(snr_db) == 0:
        return np.repeat(ratio, batch)
    _check_length("snr_db takes one value or one per clip", ratio, batch)
    return ratio


def _check_length(takes: str, column: NDArray[Any], batch: int) -> None:
    if len(column) != batch:
        raise ValueError(f"{takes}, {batch} of them, got {len(column)}")


def _refuse(clip: NDArray[np.float32], ratio: float, key: int, index: np.uint64, i: int) -> None:
    """Say why the kernel stopped at clip ``i``, whose samples are finite.

    The kernel itself finds out, because another rounding of the level could name another cause.
    """
    stream, scratch = np.array([index]), np.empty((1, clip.size), np.float32)
    level = np.sqrt(np.mean(np.square(clip, dtype=np.float64)))
    if not _add(clip[None], np.array([np.inf]), key, stream, scratch):
        raise ValueError(
            f"audio takes clips with a root mean square up to {LOUDEST:g}, got {level:.3g} in "
            f"clip {i}"
        )
    if not _add(np.ones_like(clip)[None], np.zeros(1), key, stream, scratch):
        raise ValueError(
            f"index takes streams whose noise is not all zeros, got {index} for clip {i} of "
            f"{clip.size} sample(s) with seed {key}; take another index or seed"
        )
    raise ValueError(
        f"snr_db takes ratios that leave the noise a root mean square up to {LOUDEST:g}, got "
        f"{ratio:g} for clip {i}, whose own is {level:.3g}"
    )


def key(stream: tuple[int, ...]) -> int:
    """A seed of 64 bits that stands for several integers."""
    return int(np.random.SeedSequence(stream).generate_state(1, np.uint64)[0])


def normals(seed: int, index: int, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Standard normals: the beginning of the stream that :func:`add_noise` adds to clip ``index``.

    A function of the seed, the index and the place alone.
    """
    out = np.empty(math.prod(shape), np.float32)
    _kernels.get("normals")(seed, index, 0, out)
    return out.reshape(shape)
