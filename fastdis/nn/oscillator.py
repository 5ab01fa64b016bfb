"""Waveforms as a module: exact phases in float64, then naive waveforms or their Fourier series.

With x = 2 pi frequency t + phase, reduced to u in [-1, 1] half turns without rounding, so that
every sample lies on the same side of a jump as scipy.signal has it.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from fastdis import _validation
from fastdis.nn._series import closed_series, direct_series
from fastdis.nn._tensors import Module, from_host, in_chunks, integers, real
from fastdis.synthesis import waveforms

_SINE, _TRIANGLE, _SAWTOOTH, _SQUARE = range(len(waveforms.SHAPES))
_DIRECT_TERMS = 11  # beyond them the closed form is within 1e-6
# Of temporaries, naive or a series, without and with a graph for the gradient.
_SAMPLE_BYTES = {False: (48, 112), True: (128, 400)}


class Oscillator(Module):
    """Clips of one waveform each: :func:`fastdis.synthesis.oscillator` as a module.

    Differentiable in ``frequency``, ``amplitude`` and ``phase``; a jump of a naive waveform counts
    as having no slope, so that the gradient of a square in frequency and phase is zero.

    Parameters
    ----------
    sample_rate, duration, band_limited, time_axis
        As in :func:`fastdis.synthesis.oscillator`.

    Raises
    ------
    TypeError, ValueError
        If a parameter is out of its range.

    Examples
    --------
    >>> osc = Oscillator(duration=0.0005)
    >>> osc("square", torch.tensor([4000.0]), 0.5)
    tensor([[ 0.5000,  0.5000, -0.5000, -0.5000,  0.5000,  0.5000, -0.5000, -0.5000]])
    """

    t: Tensor

    def __init__(
        self,
        *,
        sample_rate: float = 16000,
        duration: float = 1.0,
        band_limited: bool = False,
        time_axis: str = "sample",
    ) -> None:
        super().__init__()
        rate = _validation.number("sample_rate", sample_rate, 0.0, _validation.FASTEST_RATE, 0.0)
        seconds = _validation.number("duration", duration, above=0.0)
        self.sample_rate = rate
        self.band_limited = _validation.flag("band_limited", band_limited)
        t, self.effective_rate = waveforms.times_and_rate(time_axis, rate, seconds)
        self.register_buffer("t", torch.tensor(t), persistent=False)

    def forward(
        self,
        shape: ArrayLike | Tensor,
        frequency: ArrayLike | Tensor,
        amplitude: ArrayLike | Tensor = 1.0,
        phase: ArrayLike | Tensor = 0.0,
    ) -> Tensor:
        """Audio of these columns.

        Numbers, arrays and tensors on the CPU are taken to the module's device.

        Parameters
        ----------
        shape : str, sequence of str, or integers [shape=(B,)]
            Names from :data:`fastdis.synthesis.SHAPES`, or indices into it.
        frequency : number, array or tensor [shape=(B,)]
            In Hz, from 0 to ``sample_rate / 2``. A float32 tensor holds a frequency to 1 part in
            10^7, which moves the end of a long clip; float64 keeps it.
        amplitude : number, array or tensor [shape=(B,)]
            From 0 to 1.
        phase : number, array or tensor [shape=(B,)]
            In radians.

        Returns
        -------
        tensor of float32 [shape=(B, T)]
            Within 1e-6 of the amplitude for naive waveforms and 5e-6 for series. A clip is NaN
            where a tensor holds NaN, infinity or the index of no shape.

        Raises
        ------
        TypeError, ValueError
            As :func:`fastdis.synthesis.oscillator` for numbers and arrays; for a tensor, if its
            type or shape is wrong, or if it is on another device than the module.
        """
        columns: dict[str, Any] = {
            "shape": self._shape(shape),
            "frequency": self._column("frequency", frequency),
            "amplitude": self._column("amplitude", amplitude),
            "phase": self._column("phase", phase),
        }
        batch = _validation.batch_size(columns)
        samples = len(self.t)
        without, with_graph = _SAMPLE_BYTES[self.band_limited]
        return in_chunks(
            self._series if self.band_limited else self._naive,
            [column.expand(batch)[:, None] for column in columns.values()],
            (batch, samples),
            torch.float32,
            (samples * without, samples * with_graph),
        )

    def _shape(self, shape: ArrayLike | Tensor) -> Tensor:
        if not isinstance(shape, Tensor):
            indices = _validation.choice_indices("shape", shape, waveforms.SHAPES)
            return from_host(indices, self.t.device)
        return integers("shape", shape, self.t.device).reshape(-1)

    def _column(self, name: str, value: ArrayLike | Tensor) -> Tensor:
        if isinstance(value, Tensor):
            return real(name, value, (0, 1), self.t.device).reshape(-1)
        if name == "frequency":
            column = waveforms.frequency_column(value, self.sample_rate, self.band_limited)
        else:
            limits = (0.0, 1.0) if name == "amplitude" else ()
            column = _validation.column(name, value, *limits)
        return from_host(column, self.t.device)

    def _half_turns(self, frequency: Tensor, phase: Tensor, shift: float) -> Tensor:
        """The phase over pi, in [-1, 1]; with a ``shift`` of pi, half a turn further on.

        ``fmod`` is exact, and the steps are those of the kernel, so that the signs are, too.
        """
        x = 2 * math.pi * frequency * self.t
        x = x + phase
        rest = torch.fmod(x, 2 * math.pi)
        rest = torch.where(rest >= math.pi, rest - 2 * math.pi, rest)
        rest = torch.where(rest < -math.pi, rest + 2 * math.pi, rest)
        if shift:
            rest = torch.where(rest < 0, rest + shift, rest - shift)
        return rest * (1 / math.pi)

    def _naive(self, shape: Tensor, frequency: Tensor, amplitude: Tensor, phase: Tensor) -> Tensor:
        u = self._half_turns(frequency, phase, math.pi).float()
        wave = torch.where(shape == _SAWTOOTH, u, (u < 0).float() * 2 - 1)
        wave = torch.where(shape == _TRIANGLE, 1 - 2 * u.abs(), wave)
        wave = torch.where(shape == _SINE, -torch.sin(math.pi * u), wave)
        return wave * _gain(shape, frequency, amplitude, phase)

    def _series(self, shape: Tensor, frequency: Tensor, amplitude: Tensor, phase: Tensor) -> Tensor:
        u = self._half_turns(frequency, phase, 0.0)
        # Just short of the limit, so that rounding lets in no harmonic at the limit.
        ratio = self.effective_rate / 2 / frequency.detach().abs() * (1 - 1e-12)
        harmonics = (ratio.ceil() - 1).clamp(0, waveforms.MOST_HARMONICS)
        sawtooth, triangle = shape == _SAWTOOTH, shape == _TRIANGLE
        terms = torch.where(sawtooth, harmonics, ((harmonics + 1) / 2).floor())
        terms = torch.where(shape == _SINE, harmonics.clamp(max=1), terms)
        few = direct_series(u, _DIRECT_TERMS, terms, shape == _SINE, triangle, sawtooth)
        many = closed_series(u, terms.clamp(min=_DIRECT_TERMS + 1), triangle, sawtooth)
        wave = torch.where(terms <= _DIRECT_TERMS, few, many)
        return wave * _gain(shape, frequency, amplitude, phase)

    def extra_repr(self) -> str:
        return (
            f"sample_rate={self.sample_rate:g}, samples={len(self.t)}, "
            f"band_limited={self.band_limited}"
        )


def _gain(shape: Tensor, frequency: Tensor, amplitude: Tensor, phase: Tensor) -> Tensor:
    """The amplitude, and NaN for a clip whose values make no waveform."""
    faults = frequency.detach() * 0 + phase.detach() * 0  # 0, or NaN
    unknown = (shape < 0) | (shape >= len(waveforms.SHAPES))
    return (amplitude + faults).masked_fill(unknown, np.nan).float()
