"""Audio to STFT, mel and decibels, and back; a batch of clips at a time, in float32.

    X[k, f] = sum_i w[i] y[f hop - n_fft // 2 + i] exp(-2j pi i k / n_fft)

Parameter names and defaults are librosa's (McFee et al., SciPy 2015); the batch axis is first.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastdis import _mel, _memory, _transforms, _validation
from fastdis._constant_q import cqt
from fastdis._decibels import db_to_power, power_to_db
from fastdis._flatten import flatten, flatten_order, unflatten
from fastdis._framing import Window, framing, framing_of
from fastdis._inverse import RandomState, find_phases, mel_magnitudes, synthesis
from fastdis._inverse_constant_q import griffinlim_cqt, icqt
from fastdis._partial_spectra import melspectrogram_of_partials
from fastdis._threads import parallel_for

__all__ = [
    "cqt",
    "db_to_power",
    "flatten",
    "flatten_order",
    "griffinlim",
    "griffinlim_cqt",
    "icqt",
    "istft",
    "mel_filters",
    "mel_to_audio",
    "melspectrogram",
    "melspectrogram_of_partials",
    "power_to_db",
    "stft",
    "unflatten",
]


def _check_mel(name: str, mels: NDArray[np.float32], power: float) -> None:
    if not mels.max(initial=0) < np.inf:  # not so for NaN
        raise ValueError(
            f"{name} takes values whose mel spectrogram float32 holds, got larger ones at "
            f"power={power:g}"
        )


def _result(
    name: str, out: NDArray[Any] | None, shape: tuple[int, ...], single: bool, dtype: Any
) -> tuple[NDArray[Any], NDArray[Any]]:
    """``out``, or a new array where it is None: as ``(B, ...)`` to write to, and as returned."""
    shape = shape[1:] if single else shape
    if out is None:
        out = _memory.new_array(name, shape, dtype)
    else:
        _validation.output("out", out, shape, dtype)
    return (out[None], out) if single else (out, out)


def stft(
    y: ArrayLike,
    *,
    n_fft: int = 2048,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: Window = "hann",
    center: bool = True,
    pad_mode: str = "constant",
    out: NDArray[np.complex64] | None = None,
) -> NDArray[np.complex64]:
    """Short-time Fourier transform.

    Parameters
    ----------
    y : array_like, shape (T,) or (B, T)
        Floating-point audio, full scale in [-1, 1].
    n_fft : int
        Samples of a frame, hence ``F = n_fft // 2 + 1`` frequencies.
    hop_length : int, optional
        Samples from one frame to the next; ``win_length // 4`` by default.
    win_length : int, optional
        Samples of the window, centred in zeros; ``n_fft`` by default.
    window : str, tuple, callable or array_like of shape (win_length,)
        A periodic window by its name in `scipy.signal.get_window`, a function of the length, or
        the values, of which the largest is from 1e-6 to 1e6.
    center : bool
        Frame ``f`` is centred on sample ``f * hop_length`` of the padded clip; else it begins
        there, without padding.
    pad_mode : {"constant", "edge", "linear_ramp", "reflect", "symmetric"}
        How `numpy.pad` extends a centred clip by ``n_fft // 2`` on either side.
    out : ndarray of complex64, shape (F, frames) or (B, F, frames), optional
        C-contiguous; where to write.

    Returns
    -------
    ndarray of complex64, shape (F, frames) or (B, F, frames)
        ``out`` where it was given. The error is about 2e-7 of each frame's peak, however loud
        its neighbours are. Unless ``n_fft`` is a power of two from 128 to 8,192, two frames share
        a transform: up to 1e-6 then in a frame of noise beside one of a steady tone, and 2e-6 for
        ``n_fft`` of 32,768.

    Raises
    ------
    TypeError, ValueError
        If ``y`` is not floating-point, not finite, empty, or too short for ``center=False`` or
        for ``pad_mode``; if a parameter is out of its range, or ``out`` of another kind.
    MemoryError
        If there is no room for the result; nothing has been computed then.

    Examples
    --------
    >>> stft(np.zeros((3, 16000)), n_fft=512).shape
    (3, 257, 126)
    """
    clips, single = _validation.clips("y", y)
    frame = framing(n_fft, hop_length, win_length, window, center, pad_mode)
    shape = (len(clips), frame.bins, frame.frames(clips.shape[1]))
    batch, result = _result("stft", out, shape, single, np.complex64)

    def work(start: int, stop: int) -> None:
        _transforms.spectra(frame, clips, slice(start, stop), batch)

    parallel_for(work, len(clips))
    return result


def istft(
    stft_matrix: ArrayLike,
    *,
    hop_length: int | None = None,
    win_length: int | None = None,
    n_fft: int | None = None,
    window: Window = "hann",
    center: bool = True,
    length: int | None = None,
) -> NDArray[np.float32]:
    """Audio whose STFT is nearest in the least squares sense (Griffin & Lim 1984, eq. 6).

    Parameters
    ----------
    stft_matrix : array_like of complex, shape (F, frames) or (B, F, frames)
    hop_length, win_length, window, center
        As :func:`stft` had them.
    n_fft : int, optional
        ``2 * (F - 1)`` by default; an odd ``n_fft`` has to be said.
    length : int, optional
        Samples of the result: cut, or zeros at the end. By default all that the frames cover.

    Returns
    -------
    ndarray of float32, shape (T,) or (B, T)
        Where all windows nearly vanish, as at the ends of ``center=False``, the division by
        their sum magnifies the rounding errors of ``stft_matrix``.

    Raises
    ------
    TypeError, ValueError
        If ``stft_matrix`` is not finite or too few frames, or a parameter is out of its range.
    MemoryError
        If there is no room for the result; nothing has been computed then.

    Examples
    --------
    >>> y = np.sin(np.arange(8000) / 9).astype(np.float32)
    >>> bool(np.allclose(istft(stft(y), length=8000), y, atol=1e-6))
    True
    """
    spectra, single = _validation.spectra("stft_matrix", stft_matrix, np.complex64)
    count, bins, frames = spectra.shape
    frame = framing_of("stft_matrix", bins, n_fft, hop_length, win_length, window, center)
    plan = synthesis(frame, "stft_matrix", frames, length)
    result = _memory.new_array("istft", (count, plan.samples))

    def work(start: int, stop: int) -> None:
        for i in range(start, stop):
            plan.invert(spectra[i], result[i])

    parallel_for(work, count)
    return result[0] if single else result


def mel_filters(
    *,
    sr: float,
    n_fft: int,
    n_mels: int = 128,
    fmin: float = 0.0,
    fmax: float | None = None,
    htk: bool = False,
    norm: str | float | None = "slaney",
) -> NDArray[np.float32]:
    """Triangular filters that lie evenly on the mel scale.

    Parameters
    ----------
    sr : float
        Sampling rate in Hz.
    n_fft : int
        Samples of an STFT frame.
    n_mels : int
        Number of filters.
    fmin, fmax : float
        Lowest and highest corner in Hz; 0 and ``sr / 2`` by default.
    htk : bool
        HTK's mel scale, logarithmic throughout; else Slaney's, linear below 1 kHz.
    norm : "slaney", float or None
        "slaney" gives each triangle area 1 in Hz, a number p an l^p norm of 1 over its bins
        (``np.inf`` a peak of 1), and None a height of 1.

    Returns
    -------
    ndarray of float32, shape (n_mels, n_fft // 2 + 1)

    Raises
    ------
    TypeError, ValueError
        If a parameter is out of its range: ``0 <= fmin < fmax <= sr / 2``.

    Warns
    -----
    UserWarning
        If filters are so narrow that they hold no frequency bin.

    Examples
    --------
    >>> mel_filters(sr=16000, n_fft=512, n_mels=40).shape
    (40, 257)
    """
    return _mel.filters(sr, n_fft, n_mels, fmin, fmax, htk, norm).dense.copy()


def melspectrogram(
    y: ArrayLike | None = None,
    *,
    sr: float = 22050,
    S: ArrayLike | None = None,
    n_fft: int = 2048,
    hop_length: int = 512,
    win_length: int | None = None,
    window: Window = "hann",
    center: bool = True,
    pad_mode: str = "constant",
    power: float = 2.0,
    n_mels: int = 128,
    fmin: float = 0.0,
    fmax: float | None = None,
    htk: bool = False,
    norm: str | float | None = "slaney",
    out: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """Mel spectrogram: :func:`mel_filters` times ``|stft(y)| ** power``.

    Parameters
    ----------
    y : array_like, shape (T,) or (B, T)
        Floating-point audio, full scale in [-1, 1].
    sr : float
        Sampling rate in Hz.
    S : array_like, shape (F, frames) or (B, F, frames), optional
        A spectrogram instead of ``y``, already raised to its power. Where its ``F`` does not
        belong to ``n_fft``, ``n_fft`` is ``2 * (F - 1)``.
    n_fft, hop_length, win_length, window, center, pad_mode
        As in :func:`stft`.
    power : float
        2 for energy, 1 for magnitude.
    n_mels, fmin, fmax, htk, norm
        As in :func:`mel_filters`.
    out : ndarray of float32, shape (n_mels, frames) or (B, n_mels, frames), optional
        C-contiguous; where to write.

    Returns
    -------
    ndarray of float32, shape (n_mels, frames) or (B, n_mels, frames)
        ``out`` where it was given. A clip's result is the same to the last bit in any batch and
        with any thread count. The relative error is below 1e-4 for values above 1e-5 of the
        clip's peak at ``power`` 2, and above 1e-2 of it at ``power`` 1, in clips that peak above
        1e-15: energies are computed in float32.

    Raises
    ------
    TypeError, ValueError
        If both or none of ``y`` and ``S`` are given, or as :func:`stft` and :func:`mel_filters`.
    MemoryError
        As :func:`stft`.

    Warns
    -----
    UserWarning
        As :func:`mel_filters`.

    Examples
    --------
    >>> melspectrogram(np.zeros((2, 16000)), sr=16000).shape
    (2, 128, 32)
    """
    if (y is None) == (S is None):
        raise ValueError("melspectrogram takes either y or S, got " + ("both", "none")[y is None])
    if y is None:
        spectra, single = _validation.spectra("S", S)
        n_fft = _validation.integer("n_fft", n_fft, 2)
        if spectra.shape[1] < 2:
            raise ValueError(f"S takes at least 2 frequencies, got {spectra.shape[1]}")
        if n_fft // 2 + 1 != spectra.shape[1]:
            n_fft = 2 * (spectra.shape[1] - 1)
        bank = _mel.filters(sr, n_fft, n_mels, fmin, fmax, htk, norm)
        shape = (len(spectra), len(bank.dense), spectra.shape[2])
        batch, result = _result("melspectrogram", out, shape, single, np.float32)
        np.matmul(bank.dense, spectra, out=batch)
        _check_mel("S", batch, power)
        return result
    clips, single = _validation.clips("y", y)
    power = _validation.number("power", power, above=0)
    frame = framing(n_fft, hop_length, win_length, window, center, pad_mode)
    bank = _mel.filters(sr, frame.n_fft, n_mels, fmin, fmax, htk, norm)
    shape = (len(clips), len(bank.dense), frame.frames(clips.shape[1]))
    batch, result = _result("melspectrogram", out, shape, single, np.float32)

    def work(start: int, stop: int) -> None:
        rows = slice(start, stop)
        for written in _transforms.mel(frame, bank, power, clips, rows, batch):
            _check_mel("y", written, power)

    parallel_for(work, len(clips))
    return result


def griffinlim(
    S: ArrayLike,
    *,
    n_iter: int = 32,
    hop_length: int | None = None,
    win_length: int | None = None,
    n_fft: int | None = None,
    window: Window = "hann",
    center: bool = True,
    length: int | None = None,
    pad_mode: str = "constant",
    momentum: float = 0.99,
    init: str | None = "random",
    random_state: RandomState = None,
) -> NDArray[np.float32]:
    """Audio from STFT magnitudes: fast Griffin-Lim (Perraudin, Balazs & Sondergaard 2013).

    Parameters
    ----------
    S : array_like, shape (F, frames) or (B, F, frames)
        Magnitudes.
    n_iter : int
        Iterations; each takes an inverse and a forward STFT.
    hop_length, win_length, n_fft, window, center, length
        As in :func:`istft`; a clip of that ``length`` must have as many frames as ``S``.
    pad_mode : str
        As in :func:`stft`.
    momentum : float
        From 0, the classical algorithm, to 1.
    init : "random" or None
        The first phases: random, or 0.
    random_state : int, RandomState, Generator or None
        Where random phases come from. An integer gives every clip the same ones, whatever its
        batch; a generator draws clip after clip; None takes new ones each time.

    Returns
    -------
    ndarray of float32, shape (T,) or (B, T)

    Raises
    ------
    TypeError, ValueError
        If ``S`` is negative, not finite or too few frames, or a parameter is out of its range.

    Examples
    --------
    >>> y = np.sin(np.arange(4096) / 9)
    >>> griffinlim(np.abs(stft(y)), random_state=0).shape
    (4096,)
    """
    magnitudes, single = _validation.spectra("S", S)
    frame = framing_of(
        "S", magnitudes.shape[1], n_fft, hop_length, win_length, window, center, pad_mode
    )
    plan = synthesis(frame, "S", magnitudes.shape[2], length)
    result = find_phases(plan, magnitudes, n_iter, momentum, init, random_state)
    return result[0] if single else result


def mel_to_audio(
    M: ArrayLike,
    *,
    sr: float = 22050,
    n_fft: int = 2048,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: Window = "hann",
    center: bool = True,
    pad_mode: str = "constant",
    power: float = 2.0,
    n_iter: int = 32,
    length: int | None = None,
    fmin: float = 0.0,
    fmax: float | None = None,
    htk: bool = False,
    norm: str | float | None = "slaney",
    random_state: RandomState = None,
) -> NDArray[np.float32]:
    """Audio from a mel spectrogram: non-negative least squares, then :func:`griffinlim`.

    The least squares take a fixed number of accelerated projected gradient steps (Beck &
    Teboulle 2009), so that they always end. With an integer ``random_state``, a clip's result
    does not depend on its batch.

    Parameters
    ----------
    M : array_like, shape (n_mels, frames) or (B, n_mels, frames)
        A mel spectrogram, as :func:`melspectrogram` gives it.
    sr, n_fft, window, center, pad_mode, power, fmin, fmax, htk, norm
        As :func:`melspectrogram` had them.
    hop_length, win_length : int, optional
        As :func:`stft` had them.
    n_iter, length, random_state
        As in :func:`griffinlim`.

    Returns
    -------
    ndarray of float32, shape (T,) or (B, T)

    Raises
    ------
    TypeError, ValueError
        If ``M`` is negative, not finite or too few frames, or a parameter is out of its range.

    Examples
    --------
    >>> M = melspectrogram(np.sin(np.arange(4096) / 9), sr=8000)
    >>> mel_to_audio(M, sr=8000, random_state=0).shape
    (4096,)
    """
    mels, single = _validation.spectra("M", M)
    power = _validation.number("power", power, above=0)
    frame = framing(n_fft, hop_length, win_length, window, center, pad_mode)
    plan = synthesis(frame, "M", mels.shape[2], length)
    bank = _mel.filters(sr, frame.n_fft, mels.shape[1], fmin, fmax, htk, norm)
    magnitudes = mel_magnitudes(bank, mels, power)
    result = find_phases(plan, magnitudes, n_iter, 0.99, "random", random_state)
    return result[0] if single else result
