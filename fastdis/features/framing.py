"""How a clip is cut into windowed frames, transformed block by block, and put together again.

Frame ``f`` covers samples ``f * hop - n_fft // 2`` onwards if centred, ``f * hop`` onwards if not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastdis import _kernels, _validation
from fastdis._kernels import fft

Window = str | tuple[Any, ...] | ArrayLike | Callable[[int], ArrayLike]

_FAINTEST_WINDOW, _LOUDEST_WINDOW = 1e-6, 1e6  # its square is scaled by in float32
_LONGEST = 2**24  # samples of a frame or a hop
LOUDEST = 1e12  # of audio whose squared spectrum float32 holds for any n_fft

PAD_MODES = ("constant", "edge", "linear_ramp", "reflect", "symmetric")


def _named_window(name: str | tuple[Any, ...], length: int) -> NDArray[np.float64]:
    """The periodic window of that name in `scipy.signal.get_window`."""
    if name == "hann":  # importing scipy.signal takes longer than a thousand clips
        hann: NDArray[np.float64] = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)
        return hann
    from scipy.signal import get_window

    try:
        with np.errstate(all="ignore"):  # the caller refuses a value that is not finite
            window: NDArray[np.float64] = get_window(name, length, fftbins=True)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"window takes a name or tuple known to scipy.signal.get_window, got {name!r} ({error})"
        ) from None
    return window


def _window(window: Window, win_length: int) -> NDArray[np.float64]:
    """The checked values of a window, ``(win_length,)``."""
    if isinstance(window, str | tuple):
        values = _named_window(window, win_length)
    else:
        made: Any = window(win_length) if callable(window) else window
        values = _validation.array("window", made, 1, np.float64)
    if values.shape != (win_length,):
        raise ValueError(f"window takes win_length = {win_length} values, got {len(values)}")
    peak = np.abs(_validation.finite("window", values)).max()
    if not _FAINTEST_WINDOW <= peak <= _LOUDEST_WINDOW:
        raise ValueError(
            f"window takes values whose largest is from {_FAINTEST_WINDOW:g} to "
            f"{_LOUDEST_WINDOW:g}, got {peak:g}"
        )
    return values


def check_level(clips: NDArray[np.float32], i: int) -> None:
    """Refuse NaN, infinity and overflow to come in clip ``i``."""
    clip = clips[i]
    if not (clip.min() >= -LOUDEST and clip.max() <= LOUDEST):  # not so for NaN
        _validation.finite("y", clips)
        raise ValueError(f"y takes audio up to {LOUDEST:g}, got {np.abs(clip).max():g}")


@dataclass(frozen=True, eq=False)
class Framing:
    """Checked framing parameters.

    ``window (n_fft,)``, centred in zeros, and ``taps``, the same in float32, are read-only.
    """

    n_fft: int
    hop: int
    window: NDArray[np.float64]
    taps: NDArray[np.float32]
    center: bool
    pad_mode: str

    @property
    def bins(self) -> int:
        """Frequencies from 0 to Nyquist."""
        return self.n_fft // 2 + 1

    @property
    def pad(self) -> int:
        """Samples of padding on either side of the clip."""
        return self.n_fft // 2 if self.center else 0

    def frames(self, samples: int) -> int:
        """How many frames a clip of that length has.

        Raises
        ------
        ValueError
            If the clip is too short to be framed or padded so.
        """
        if samples == 0:
            raise ValueError("y takes at least one sample per clip, got none")
        if not self.center and samples < self.n_fft:
            raise ValueError(
                f"n_fft takes at most the clip's {samples} samples where center=False, "
                f"got {self.n_fft}"
            )
        if self.center and self.pad_mode in ("reflect", "symmetric"):
            least = self.pad + (self.pad_mode == "reflect")
            if samples < least:
                raise ValueError(
                    f"pad_mode={self.pad_mode!r} with n_fft={self.n_fft} takes clips of at least "
                    f"{least} samples, got {samples}"
                )
        return 1 + (samples + 2 * self.pad - self.n_fft) // self.hop

    def samples(self, frames: int) -> int:
        """The length of the clip that ``frames`` frames are put together to."""
        return max(0, self.n_fft + self.hop * (frames - 1) - 2 * self.pad)

    def spectra(
        self, clip: NDArray[np.float32]
    ) -> Iterator[tuple[slice, fft.Transform, NDArray[np.float32]]]:
        """Transformed frames of ``clip (T,)``, block by block: ``(which, transform, gain)``.

        Both belong to the caller until the next block is asked for.
        """
        pack = _kernels.get("pack_frames")
        start = -self.pad
        frames = self.frames(len(clip))
        if self.center and self.pad_mode != "constant":
            clip, start = np.pad(clip, self.pad, mode=self.pad_mode), 0  # type: ignore[call-overload]
        for block in blocks(self.n_fft, frames):
            transform = fft.transform((block.stop - block.start + 1) // 2, self.n_fft)
            gain = np.empty(block.stop - block.start, np.float32)
            pack(clip, self.taps, self.hop, start + block.start * self.hop, transform.time, gain)
            transform.forward()
            yield block, transform, gain


def blocks(n_fft: int, frames: int) -> Iterator[slice]:
    """Split frames into runs that fit the cache; no pair of frames is ever split."""
    step = 2 * fft.block_rows(n_fft)
    for first in range(0, frames, step):
        yield slice(first, min(first + step, frames))


def framing(
    n_fft: int,
    hop_length: int | None,
    win_length: int | None,
    window: Window,
    center: bool,
    pad_mode: str = "constant",
) -> Framing:
    """Check the parameters that all transforms share and settle their defaults."""
    n_fft = _validation.integer("n_fft", n_fft, 2, _LONGEST)
    if win_length is None:
        win_length = n_fft
    win_length = _validation.integer("win_length", win_length, 1, n_fft)
    if hop_length is None:
        hop_length = max(1, win_length // 4)
    hop = _validation.integer("hop_length", hop_length, 1, _LONGEST)
    center = _validation.flag("center", center)
    _validation.choice("pad_mode", pad_mode, PAD_MODES)
    if not isinstance(window, str | tuple):  # its values may change between two calls
        return _framing(n_fft, hop, win_length, window, center, pad_mode)
    try:
        return _named_framing(n_fft, hop, win_length, window, center, pad_mode)
    except TypeError:  # the cache cannot look up a tuple that holds a list
        raise TypeError(
            f"window takes a name or a tuple of a name and numbers, got {window!r}"
        ) from None


def _framing(
    n_fft: int, hop: int, win_length: int, window: Window, center: bool, pad_mode: str
) -> Framing:
    left = (n_fft - win_length) // 2
    padded = np.zeros(n_fft)
    padded[left : left + win_length] = _window(window, win_length)
    taps = padded.astype(np.float32)
    for values in (padded, taps):
        values.setflags(write=False)
    return Framing(n_fft, hop, padded, taps, center, pad_mode)


_named_framing = lru_cache(maxsize=64)(_framing)


def framing_of(
    name: str,
    bins: int,
    n_fft: int | None,
    hop_length: int | None,
    win_length: int | None,
    window: Window,
    center: bool,
    pad_mode: str = "constant",
) -> Framing:
    """The framing behind spectra ``name`` of ``bins`` frequencies; ``n_fft`` even by default."""
    chosen = 2 * (bins - 1) if n_fft is None else n_fft
    result = framing(chosen, hop_length, win_length, window, center, pad_mode)
    if result.bins != bins:
        raise ValueError(
            f"n_fft takes a frame length whose 1 + n_fft // 2 frequencies are the {bins} of "
            f"{name}, got {n_fft}"
        )
    return result
