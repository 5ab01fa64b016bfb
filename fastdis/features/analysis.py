"""From clips to spectra or mel bands: in one kernel for usual powers of two, else with FFTW.

Each call of the kernel takes a few clips, so that their result is in the cache when it is checked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from fastdis import _kernels
from fastdis._kernels.fft import LONGEST, SHORTEST
from fastdis.features.framing import LOUDEST, Framing, check_level
from fastdis.features.mel_filterbank import MelFilters

_SAMPLES_PER_CALL = 2**18


def spectra(
    frame: Framing,
    clips: NDArray[np.float32],
    chosen: slice,
    out: NDArray[np.complex64],
) -> None:
    """Spectra ``out (B, F, frames)`` of the ``chosen`` of ``clips (B, T)``."""
    if _is_fused(frame):
        kernel = _kernels.get("frames_to_spectra")
        for part, padded, start in _parts(frame, clips, chosen):
            done = kernel(padded, frame.taps, frame.hop, start, LOUDEST, out[part])
            _check_done(clips, part, done)
        return
    unpack = _kernels.get("unpack_spectrum")
    for i in range(chosen.start, chosen.stop):
        check_level(clips, i)
        for block, transform, gain in frame.spectra(clips[i]):
            unpack(transform.frequency, gain, out[i, :, block])


def mel(
    frame: Framing,
    bank: MelFilters,
    power: float,
    clips: NDArray[np.float32],
    chosen: slice,
    out: NDArray[np.float32],
    check: Callable[[NDArray[np.float32]], object],
) -> None:
    """Mel bands ``out (B, M, frames)`` of the ``chosen`` of ``clips (B, T)``.

    ``check`` gets each part of ``out`` once it is written, while it is in the cache.
    """
    if _is_fused(frame):
        kernel = _kernels.get("frames_to_mel")
        for part, padded, start in _parts(frame, clips, chosen):
            taps = frame.taps, frame.hop, start
            done = kernel(padded, *taps, LOUDEST, power, *bank.rows, out[part])
            _check_done(clips, part, done)
            check(out[part])
        return
    mel_from_packed = _kernels.get("mel_from_packed")
    for i in range(chosen.start, chosen.stop):
        check_level(clips, i)
        for block, transform, gain in frame.spectra(clips[i]):
            written = out[i, :, block]
            mel_from_packed(transform.frequency, gain, power, *bank.columns, written)
        check(out[i])


def _is_fused(frame: Framing) -> bool:
    return SHORTEST <= frame.n_fft <= LONGEST and frame.n_fft.bit_count() == 1


def _parts(
    frame: Framing, clips: NDArray[np.float32], chosen: slice
) -> Iterator[tuple[slice, NDArray[np.float32], int]]:
    """Some clips at a time: which, padded where zeros will not do, and where frame 0 begins."""
    step = max(1, _SAMPLES_PER_CALL // clips.shape[1])
    copied = frame.center and frame.pad_mode != "constant"
    for first in range(chosen.start, chosen.stop, step):
        part = slice(first, min(first + step, chosen.stop))
        if copied:
            width = ((0, 0), (frame.pad, frame.pad))
            yield part, np.pad(clips[part], width, mode=frame.pad_mode), 0  # type: ignore[call-overload]
        else:
            yield part, clips[part], -frame.pad


def _check_done(clips: NDArray[np.float32], part: slice, done: int) -> None:
    if part.start + done < part.stop:
        check_level(clips, part.start + done)
        raise RuntimeError("y was changed by another thread while it was transformed")


def check_mel(name: str, mels: NDArray[np.float32], power: float) -> None:
    """Raise where float32 does not hold the mel bands of the argument ``name``."""
    if not mels.max(initial=0) < np.inf:  # not so for NaN
        raise ValueError(
            f"{name} takes values whose mel spectrogram float32 holds, got larger ones at "
            f"power={power:g}"
        )
