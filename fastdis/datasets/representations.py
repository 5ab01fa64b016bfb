"""What the additive toy is shown as: its waveform, or one of three log magnitudes in [0, 1].

x = clip(1 + 10 log10(P / P_full) / 80, 0, 1): P is the power in a cell, P_full the most that a sine
of amplitude 1/2 has in any, the same for every clip of every set.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastdis import _validation, features
from fastdis.features import power_to_db
from fastdis.features.constant_q.plan import ConstantQSettings
from fastdis.features.constant_q.transform import analysis_of

Array = NDArray[np.float32]

N_FFT, HOP_LENGTH, N_MELS = 256, 128, 64
N_BINS, FMIN = 60, 100.0
DYNAMIC_RANGE_DB = 80.0
FULL_SCALE = 0.5  # amplitude of the sine that reaches 1
_FAINTEST = 1e-10  # power, far below the range of any of them
_FILTERS: dict[str, Any] = {"hop_length": HOP_LENGTH, "fmin": FMIN, "bins_per_octave": 12}


class Representation(ABC):
    """Sound ``(B, T)`` to features ``(B, 1, F, frames)`` and back.

    Attributes
    ----------
    shape
        ``(1, F, frames)``.
    frequencies : (F,) float64
        The middle of each row in Hz; none for the waveform.
    """

    shape: tuple[int, int, int]
    frequencies: NDArray[np.float64]

    @abstractmethod
    def of(self, audio: ArrayLike) -> Array:
        """The features ``(B, 1, F, frames)`` of sound ``(B, T)``."""

    @abstractmethod
    def to_audio(self, x: Array) -> Array:
        """An estimate of the sound ``(B, T)`` that has features ``(B, 1, F, frames)``."""


class Waveform(Representation):
    """The samples as they are, as one row."""

    def __init__(self, sample_rate: int, samples: int) -> None:
        self.shape, self.frequencies = (1, 1, samples), np.zeros(0)

    def of(self, audio: ArrayLike) -> Array:
        """The sound itself, ``(B, 1, 1, T)``."""
        return _validation.clips("audio", audio)[0][:, None, None]

    def to_audio(self, x: Array) -> Array:
        """The features themselves."""
        return x[:, 0, 0]


def _power_of(spectra: NDArray[np.complex64]) -> Array:
    power: Array = np.square(spectra.real)
    power += np.square(spectra.imag)
    return power


class _LogMagnitude(Representation):
    """Decibels below full scale, scaled to [0, 1]."""

    full_scale: float  # power that reaches 1

    def __init__(self, sample_rate: int, samples: int) -> None:
        self.sample_rate, self.samples = sample_rate, samples
        self.shape = (1, len(self.frequencies), 1 + samples // HOP_LENGTH)

    @abstractmethod
    def _power(self, audio: ArrayLike) -> Array:
        """Power ``(B, F, frames)`` in each cell."""

    @abstractmethod
    def _invert(self, power: Array) -> Array:
        """Sound ``(B, T)`` of that power, its phases found by Griffin-Lim."""

    def of(self, audio: ArrayLike) -> Array:
        """The features ``(B, 1, F, frames)`` of sound ``(B, T)``."""
        # top_db=None: a floor relative to each clip's own peak would depend on its level.
        x = power_to_db(self._power(audio), ref=self.full_scale, amin=_FAINTEST, top_db=None)
        x *= np.float32(1.0 / DYNAMIC_RANGE_DB)
        x += np.float32(1.0)
        return np.clip(x, 0.0, 1.0, out=x)[:, None]

    def to_audio(self, x: Array) -> Array:
        """An estimate of the sound ``(B, T)``; what is 0 was silent."""
        decibel = (np.clip(x[:, 0], 0.0, 1.0) - 1.0) * DYNAMIC_RANGE_DB
        power = features.db_to_power(decibel, ref=self.full_scale)
        power[x[:, 0] <= 0.0] = 0.0
        return self._invert(power)


class Spectrogram(_LogMagnitude):
    """The power of a short-time Fourier transform: 256 samples, a Hann window, hop 128."""

    full_scale = (FULL_SCALE * N_FFT / 4) ** 2  # a Hann window lifts the peak of a sine by N / 4

    @cached_property
    def frequencies(self) -> NDArray[np.float64]:  # type: ignore[override]
        """The middle of each bin in Hz."""
        bins: NDArray[np.float64] = np.arange(1.0 + N_FFT // 2) * (self.sample_rate / N_FFT)
        return bins

    def _power(self, audio: ArrayLike) -> Array:
        return _power_of(features.stft(audio, n_fft=N_FFT, hop_length=HOP_LENGTH))

    def _invert(self, power: Array) -> Array:
        return features.griffinlim(
            np.sqrt(power), hop_length=HOP_LENGTH, length=self.samples, random_state=0
        )


class Mel(_LogMagnitude):
    """64 mel bands of that power."""

    @cached_property
    def _filters(self) -> NDArray[np.float32]:
        return features.mel_filters(sr=self.sample_rate, n_fft=N_FFT, n_mels=N_MELS)

    @cached_property
    def full_scale(self) -> float:  # type: ignore[override]
        """The most that a sine has in any band."""
        return float(self._filters.max()) * Spectrogram.full_scale

    @cached_property
    def frequencies(self) -> NDArray[np.float64]:  # type: ignore[override]
        """The centre of gravity of each band in Hz."""
        bins = np.arange(1.0 + N_FFT // 2) * (self.sample_rate / N_FFT)
        weight = self._filters.astype(np.float64)
        centre: NDArray[np.float64] = weight @ bins / np.maximum(weight.sum(axis=1), 1e-30)
        return centre

    def _power(self, audio: ArrayLike) -> Array:
        return features.melspectrogram(
            audio, sr=self.sample_rate, n_fft=N_FFT, hop_length=HOP_LENGTH, n_mels=N_MELS
        )

    def _invert(self, power: Array) -> Array:
        return features.mel_to_audio(
            power, sr=self.sample_rate, n_fft=N_FFT, hop_length=HOP_LENGTH, length=self.samples,
            random_state=0,
        )  # fmt: skip


class CQT(_LogMagnitude):
    """The power of a constant-Q transform: 60 bins from 100 Hz, 12 an octave, hop 128.

    It is scaled as librosa has it: a sine of amplitude A has A / 2 times the root of its filter's
    length, so that white noise is as loud in all bins; the longest filter sets the full scale.
    """

    def __init__(self, sample_rate: int, samples: int) -> None:
        least, most = ConstantQSettings(n_bins=N_BINS, **_FILTERS).rates  # of whatever rate itself
        if not least <= sample_rate <= most:
            raise ValueError(
                f"sample_rate takes {math.ceil(least)} to {math.floor(most)} Hz for representation "
                f"'cqt', got {sample_rate}"
            )
        settings = ConstantQSettings(sr=sample_rate, n_bins=N_BINS, **_FILTERS)
        plan = analysis_of(settings, samples, "constant").plan
        self.frequencies = plan.frequencies
        self.full_scale = float((FULL_SCALE / 2) ** 2 * plan.lengths.max())
        super().__init__(sample_rate, samples)

    def _power(self, audio: ArrayLike) -> Array:
        return _power_of(features.cqt(audio, sr=self.sample_rate, n_bins=N_BINS, **_FILTERS))

    def _invert(self, power: Array) -> Array:
        return features.griffinlim_cqt(
            np.sqrt(power), sr=self.sample_rate, length=self.samples, random_state=0, **_FILTERS
        )


REPRESENTATIONS: dict[str, type[Waveform] | type[Spectrogram] | type[Mel] | type[CQT]] = {
    "waveform": Waveform, "spectrogram": Spectrogram, "mel": Mel, "cqt": CQT,
}  # fmt: skip


def representation(name: str, sample_rate: int, samples: int) -> Representation:
    """The representation of that name, for clips of so many samples."""
    chosen = _validation.choice("representation", name, REPRESENTATIONS)
    return REPRESENTATIONS[chosen](sample_rate, samples)
