"""Mel spectrograms of a batch of clips, and audio from them, in float32.

Parameter names and defaults are librosa's (McFee et al., SciPy 2015); the batch axis is first.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastdis import _memory, _validation
from fastdis._threads import parallel_for
from fastdis.features import analysis, mel_filterbank
from fastdis.features.framing import Window, framing
from fastdis.features.griffin_lim import find_phases
from fastdis.features.overlap_add import RandomState, mel_magnitudes, overlap_add_of


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
    return mel_filterbank.filters(sr, n_fft, n_mels, fmin, fmax, htk, norm).dense.copy()


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
        bank = mel_filterbank.filters(sr, n_fft, n_mels, fmin, fmax, htk, norm)
        shape = (len(spectra), len(bank.dense), spectra.shape[2])
        result = _memory.result_array("melspectrogram", out, shape[single:])
        np.matmul(bank.dense, spectra, out=result.reshape(shape))
        analysis.check_mel("S", result, power)
        return result
    clips, single = _validation.clips("y", y)
    power = _validation.number("power", power, above=0)
    frame = framing(n_fft, hop_length, win_length, window, center, pad_mode)
    bank = mel_filterbank.filters(sr, frame.n_fft, n_mels, fmin, fmax, htk, norm)
    shape = (len(clips), len(bank.dense), frame.frames(clips.shape[1]))
    result = _memory.result_array("melspectrogram", out, shape[single:])
    batch = result.reshape(shape)

    def check(mels: NDArray[np.float32]) -> None:
        analysis.check_mel("y", mels, power)

    def work(start: int, stop: int) -> None:
        analysis.mel(frame, bank, power, clips, slice(start, stop), batch, check)

    parallel_for(work, len(clips))
    return result


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
    plan = overlap_add_of(frame, "M", mels.shape[2], length)
    bank = mel_filterbank.filters(sr, frame.n_fft, mels.shape[1], fmin, fmax, htk, norm)
    magnitudes = mel_magnitudes(bank, mels, power)
    result = find_phases(plan, magnitudes, n_iter, 0.99, "random", random_state)
    return result[0] if single else result
