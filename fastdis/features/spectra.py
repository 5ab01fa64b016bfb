"""Short-time Fourier transform of a batch of clips, and its inverse, in float32.

    X[k, f] = sum_i w[i] y[f hop - n_fft // 2 + i] exp(-2j pi i k / n_fft)

Parameter names and defaults are librosa's (McFee et al., SciPy 2015); the batch axis is first.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastdis import _memory, _validation
from fastdis._threads import parallel_for
from fastdis.features import analysis
from fastdis.features.framing import Window, framing, framing_of
from fastdis.features.overlap_add import overlap_add_of


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
    result = _memory.result_array("stft", out, shape[single:], np.complex64)
    batch = result.reshape(shape)

    def work(start: int, stop: int) -> None:
        analysis.spectra(frame, clips, slice(start, stop), batch)

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
    plan = overlap_add_of(frame, "stft_matrix", frames, length)
    result = _memory.new_array("istft", (count, plan.samples))

    def work(start: int, stop: int) -> None:
        for i in range(start, stop):
            plan.invert(spectra[i], result[i])

    parallel_for(work, count)
    return result[0] if single else result
