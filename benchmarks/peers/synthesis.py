"""What the synthesis rows run against, written as a user of NumPy, SciPy or torch would, well.

The float64 ones are also what results are held to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastdis._bench.rows.synthesis import Columns
from fastdis.synthesis import SHAPES

if TYPE_CHECKING:  # only the rows of torch import it
    import torch


def scipy_loop(columns: Columns, t: NDArray[np.float64], dtype: Any = np.float32) -> NDArray[Any]:
    """SynTone's published generator: a clip at a time in float64."""
    from scipy import signal

    waves = (np.sin, lambda x: signal.sawtooth(x, 0.5), signal.sawtooth, signal.square)
    audio = np.empty((len(columns[0]), len(t)), dtype)
    for clip, s, f, a in zip(audio, *columns, strict=True):
        clip[:] = a * waves[s](2 * np.pi * f * t)
    return audio


def harmonic_sum(
    columns: Columns, t: NDArray[np.float64], sample_rate: float, dtype: Any = np.float32
) -> NDArray[Any]:
    """A clip at a time in float64: its sines below Nyquist in one broadcast, then a product."""
    audio = np.empty((len(columns[0]), len(t)), dtype)
    for clip, s, f, a in zip(audio, *columns, strict=True):
        shape = SHAPES[s]
        below_nyquist = int(np.ceil(sample_rate / 2 / f * (1 - 1e-12))) - 1
        h = np.arange(1, below_nyquist + 1, 1 if shape == "sawtooth" else 2)
        if shape == "sine":
            h = h[:1]
        x = h[:, None] * (2 * np.pi * f * t)
        if shape == "triangle":
            clip[:] = -8 * a / (np.pi * h) ** 2 @ np.cos(x)
        else:
            scale = {"sine": 1.0, "sawtooth": -2 / np.pi, "square": 4 / np.pi}[shape]
            clip[:] = scale * a / h @ np.sin(x)
    return audio


def additive_numpy(
    partials: tuple[NDArray[np.float64], ...], t: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Partials ``(B, P)`` as one float64 broadcast a clip, so that it stays near the cache."""
    audio = np.empty((len(partials[0]), len(t)))
    for clip, frequency, amplitude, decay, phase in zip(audio, *partials, strict=True):
        x = np.sin(2 * np.pi * frequency[:, None] * t + phase[:, None])
        x *= np.exp(-decay[:, None] * t)
        clip[:] = amplitude @ x
    return audio


def additive_torch(
    partials: tuple[torch.Tensor, ...], t: torch.Tensor, batch: int
) -> list[torch.Tensor]:
    """The same in torch, float32, ``batch`` clips at a time, each step in place."""
    import torch

    audio = []
    for start in range(0, len(partials[0]), batch):
        frequency, amplitude, decay, phase = (column[start : start + batch] for column in partials)
        x = (2 * torch.pi * frequency[:, :, None] * t).add_(phase[:, :, None]).sin_()
        x.mul_((-decay[:, :, None] * t).exp_())
        audio.append(torch.matmul(amplitude[:, None, :], x)[:, 0])
    return audio


def noise_numpy(
    audio: NDArray[np.float32],
    snr_db: NDArray[np.float64],
    out: NDArray[np.float32],
    generator: np.random.Generator,
) -> None:
    """Normal noise at an exact ratio, float32 throughout; a clip at a time stays in cache."""
    for noisy, clip, ratio in zip(out, audio, snr_db, strict=True):
        generator.standard_normal(dtype=np.float32, out=noisy)
        noisy *= np.sqrt(np.vdot(clip, clip) / np.vdot(noisy, noisy)) * 10.0 ** (-ratio / 20.0)
        noisy += clip
