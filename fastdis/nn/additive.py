"""Sums of damped partials as a module: one small matrix product a clip.

With t = t0 + t1, a partial is the imaginary part of a product of two phasors,

    amplitude exp(-decay t) sin(2 pi frequency t + phase) = Im(Z(t0) W(t1)),
    Z = amplitude exp(-decay t0 + i (2 pi frequency t0 + phase)),  W = exp((2 pi i f - decay) t1),

so that the samples of a clip, laid out with one block per row, are [Re Z, Im Z] [Im W; Re W]: the
sum over the partials is the inner dimension, and sines are only taken at the blocks' ends.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from fastdis import _validation
from fastdis._validation import LOUDEST
from fastdis.nn._tensors import Module, describe, from_host, in_chunks, product, real
from fastdis.synthesis.partials import Partials

_PHASOR_BYTES = 64  # of temporaries for one phasor, with or without a graph

# What numbers and arrays may hold, in the order of Partials.
_LIMITS = {"frequency": (0.0,), "amplitude": (-LOUDEST, LOUDEST), "decay": (0.0,), "phase": ()}


class Additive(Module):
    """Sums of damped sines: :func:`fastdis.synthesis.additive` as a module.

    Differentiable in all four parts of the partials. Batches are worked through in chunks of whole
    clips; memory beyond input and output grows with the partials and samples of one clip, by about
    ``128 P sqrt(T)`` bytes: 16 KB a partial for clips of 16,000 samples.

    Parameters
    ----------
    sample_rate : float
        In Hz.
    duration : float
        In seconds.

    Raises
    ------
    TypeError, ValueError
        If a parameter is out of its range.

    Examples
    --------
    >>> from fastdis import synthesis
    >>> partials = synthesis.harmonic_partials([220.0, 440.0], n_partials=8)
    >>> Additive()(partials).shape
    torch.Size([2, 16000])
    """

    block: Tensor
    offset: Tensor

    def __init__(self, *, sample_rate: float = 16000, duration: float = 1.0) -> None:
        super().__init__()
        rate = _validation.number("sample_rate", sample_rate, 0.0, _validation.FASTEST_RATE, 0.0)
        seconds = _validation.number("duration", duration, above=0.0)
        self.sample_rate = rate
        self.samples = _validation.clip_length(rate, seconds)
        # Blocks about as long as there are blocks, in whole vectors where that pays.
        length = math.isqrt(self.samples - 1) + 1
        length = -(-length // 16) * 16 if self.samples > 256 else length
        block, offset = np.arange(0, self.samples, length) / rate, np.arange(length) / rate
        self.register_buffer("block", torch.from_numpy(block), persistent=False)
        self.register_buffer("offset", torch.from_numpy(offset), persistent=False)

    def forward(
        self, partials: Partials | Sequence[ArrayLike | Tensor] | NDArray[Any] | Tensor
    ) -> Tensor:
        """Audio of these partials.

        Numbers, arrays and tensors on the CPU are taken to the module's device.

        Parameters
        ----------
        partials : Partials, or a sequence, array or tensor (frequency, amplitude, decay, phase)
            Each a number, an array or a tensor [shape=(B, P)]: frequencies in Hz, of which those
            at or above ``sample_rate / 2`` are silent; linear amplitudes; decays in 1/s; phases
            in radians. A float32 tensor holds a frequency to 1 part in 10^7, which moves the end
            of a long clip; float64 keeps it.

        Returns
        -------
        tensor of float32, shape (B, T)
            Within 1e-6 of the sum of the clip's amplitudes.

        Raises
        ------
        TypeError, ValueError
            As :func:`fastdis.synthesis.additive`, whose look at the values tensors are spared; if
            a tensor is on another device than the module.
        """
        try:
            frequency, amplitude, decay, phase = partials
        except (TypeError, ValueError):
            raise TypeError(
                "partials takes a Partials or a sequence (frequency, amplitude, decay, phase), got "
                f"{describe(partials)}"
            ) from None
        columns = (frequency, amplitude, decay, phase)
        parts = [self._part(*pair) for pair in zip(_LIMITS, columns, strict=True)]
        shapes = {name: tuple(p.shape) for name, p in zip(_LIMITS, parts, strict=True) if p.ndim}
        if len(set(shapes.values())) > 1:
            got = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
            raise ValueError(
                "frequency, amplitude, decay and phase take one value or one shape (B, P), got "
                + got
            )
        batch, count = next(iter(shapes.values()), (1, 1))
        clip_bytes = _PHASOR_BYTES * count * (len(self.block) + len(self.offset))
        return in_chunks(
            self._sum,
            [part.expand(batch, count) for part in parts],
            (batch, self.samples),
            torch.float32,
            (clip_bytes, clip_bytes),
        )

    def _sum(self, frequency: Tensor, amplitude: Tensor, decay: Tensor, phase: Tensor) -> Tensor:
        # Just short of the limit, so that rounding lets in no partial at the limit.
        muted = frequency >= self.sample_rate / 2 * (1 - 1e-12)
        amplitude = amplitude.masked_fill(muted, 0).float()[:, :, None]
        real_part, imaginary = _phasors(frequency, decay, phase / (2 * math.pi), self.block)
        blocks = torch.cat([amplitude * real_part, amplitude * imaginary], dim=1)
        real_part, imaginary = _phasors(frequency, decay, 0.0, self.offset)
        within = torch.cat([imaginary, real_part], dim=1)
        return product(blocks.transpose(1, 2), within).flatten(1)[:, : self.samples]

    def _part(self, name: str, value: ArrayLike | Tensor) -> Tensor:
        if isinstance(value, Tensor):
            return real(name, value, (0, 2), self.block.device)
        return from_host(_validation.table(name, value, *_LIMITS[name]), self.block.device)

    def extra_repr(self) -> str:
        return f"sample_rate={self.sample_rate:g}, samples={self.samples}"


def _phasors(
    frequency: Tensor, decay: Tensor, phase: Tensor | float, t: Tensor
) -> tuple[Tensor, Tensor]:
    """Real and imaginary parts at the times ``t``, ``(B, P, len(t))``; ``phase`` is in turns."""
    turns = frequency[:, :, None] * t
    if isinstance(phase, Tensor):
        turns = turns + phase[:, :, None]
    rest = (2 * math.pi * (turns - turns.round())).float()
    envelope = (-decay[:, :, None] * t).float().exp()
    return envelope * rest.cos(), envelope * rest.sin()
