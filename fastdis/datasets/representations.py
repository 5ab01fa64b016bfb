"""Representations of sound as features: the waveform, or log magnitudes in [0, 1].

x = clip(1 + 10 log10(P / P_full) / 80, 0, 1): P is the power in a cell, P_full the power that
reaches 1, the same for every clip of every set. SynTone's published features are no log magnitude:
each frame of its mel power is divided by its maximum.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastdis import _validation, features
from fastdis.datasets.base import Dataset
from fastdis.factors import FactorTable
from fastdis.features.constant_q.plan import ConstantQSettings
from fastdis.features.constant_q.transform import analysis_of

if TYPE_CHECKING:
    from torch import Tensor

Array = NDArray[np.float32]

N_FFT, HOP_LENGTH, N_MELS = 256, 128, 64  # of the additive toy
N_BINS, FMIN = 60, 100.0
DYNAMIC_RANGE_DB = 80.0
AMPLITUDE = 0.5  # of the sine that reaches 1
_FAINTEST = 1e-10  # power, below which decibels stop falling; librosa's default
_FILTERS: dict[str, Any] = {"hop_length": HOP_LENGTH, "fmin": FMIN, "bins_per_octave": 12}
# librosa's defaults, which SynTone's reference code uses.
SYNTONE_MEL = {"n_fft": 2048, "hop_length": 512, "n_mels": 128}


def _sine_power(amplitude: float, n_fft: int) -> float:
    """The power of a sine in its bin: a Hann window of length N lifts its peak by N / 4."""
    return float((amplitude * n_fft / 4) ** 2)


class Representation(ABC):
    """Sound ``(B, T)`` to features ``(B, 1, F, frames)`` and back.

    Attributes
    ----------
    shape
        ``(1, F, frames)``.
    frequencies : (F,) float64
        The middle of each row in Hz; empty for the waveform.
    """

    shape: tuple[int, int, int]
    frequencies: NDArray[np.float64]

    @abstractmethod
    def of(self, audio: ArrayLike) -> Array:
        """The features ``(B, 1, F, frames)`` of sound ``(B, T)``."""

    @abstractmethod
    def to_audio(self, x: Array) -> Array:
        """An estimate of the sound ``(B, T)`` that has features ``(B, 1, F, frames)``."""


class RepresentedDataset(Dataset):
    """A data set whose features are one representation of its sound.

    Its clips are those of ``_table``, or where that is None the whole grid of ``space``.
    """

    _table: FactorTable | None = None

    def __init__(self, shown: Representation, sample_rate: int) -> None:
        self._shown, self.sample_rate = shown, sample_rate
        self.feature_shape = shown.shape

    def __len__(self) -> int:
        return self.space.size if self._table is None else len(self._table)

    def table(self, indices: ArrayLike | slice | None = None) -> FactorTable:
        """The factors of the clips at ``indices``; of all by default."""
        if self._table is None:
            return self.space.grid(indices)
        return self._table if indices is None else self._rows(self._table, indices)

    def features_of(self, audio: ArrayLike) -> Array:
        """Sound ``(B, T)`` -> features ``(B, 1, F, frames)``."""
        return self._shown.of(audio)

    def to_audio(self, features: ArrayLike) -> Array:
        """Features ``(B, 1, F, frames)`` -> an estimate of the sound, ``(B, T)`` in [-1, 1].

        Griffin-Lim finds the phases of all but the waveform. Features of SynTone as published have
        lost the level: every clip gets a peak of 0.5.
        """
        x = _validation.array("features", features, 4)
        if x.shape[1:] != self.feature_shape:
            _, rows, frames = self.feature_shape
            raise ValueError(f"features takes shape (B, 1, {rows}, {frames}), got {x.shape}")
        return np.clip(self._shown.to_audio(x), -1.0, 1.0)


class Waveform(Representation):
    """The samples themselves, as one row."""

    def __init__(self, sample_rate: int, samples: int) -> None:
        self.shape, self.frequencies = (1, 1, samples), np.zeros(0)

    def of(self, audio: ArrayLike) -> Array:
        """The sound itself, ``(B, 1, 1, T)``."""
        return _validation.clips("audio", audio)[0][:, None, None]

    def to_audio(self, x: Array) -> Array:
        """The features themselves."""
        return x[:, 0, 0]


class LogMagnitude(Representation):
    """Decibels below full scale, scaled to [0, 1].

    Parameters
    ----------
    samples, hop_length
        Samples of a clip, and between frames.
    frequencies
        Of the rows, in Hz.
    full_scale
        The power that reaches 1.
    """

    def __init__(
        self, samples: int, hop_length: int, frequencies: NDArray[np.float64], full_scale: float
    ) -> None:
        self.samples, self.hop_length = samples, hop_length
        self.frequencies, self.full_scale = frequencies, full_scale
        self.shape = (1, len(frequencies), 1 + samples // hop_length)

    @abstractmethod
    def _power(self, audio: ArrayLike) -> Array:
        """Power ``(B, F, frames)`` in each cell."""

    @abstractmethod
    def _invert(self, power: Array) -> Array:
        """Sound ``(B, T)`` of that power, its phases found by Griffin-Lim."""

    def _scaled(self, decibel: Array) -> Array:
        """-80 to 0 dB as 0 to 1, in place."""
        decibel *= np.float32(1.0 / DYNAMIC_RANGE_DB)
        decibel += np.float32(1.0)
        return decibel

    def of(self, audio: ArrayLike) -> Array:
        """The features ``(B, 1, F, frames)`` of sound ``(B, T)``."""
        # top_db=None: a floor relative to each clip's own peak would depend on its level.
        decibel = features.power_to_db(
            self._power(audio), ref=self.full_scale, amin=_FAINTEST, top_db=None
        )
        x = self._scaled(decibel)
        return np.clip(x, 0.0, 1.0, out=x)[:, None]

    def to_audio(self, x: Array) -> Array:
        """An estimate of the sound ``(B, T)``; what is 0 was silent."""
        decibel = (np.clip(x[:, 0], 0.0, 1.0) - 1.0) * DYNAMIC_RANGE_DB
        power = features.db_to_power(decibel, ref=self.full_scale)
        power[x[:, 0] <= 0.0] = 0.0
        return self._invert(power)


class Spectrogram(LogMagnitude):
    """The power of a short-time Fourier transform: 256 samples, a Hann window, hop 128."""

    def __init__(self, sample_rate: int, samples: int) -> None:
        bins = np.arange(1.0 + N_FFT // 2) * (sample_rate / N_FFT)
        super().__init__(samples, HOP_LENGTH, bins, _sine_power(AMPLITUDE, N_FFT))

    def _power(self, audio: ArrayLike) -> Array:
        return _power_of(features.stft(audio, n_fft=N_FFT, hop_length=HOP_LENGTH))

    def _invert(self, power: Array) -> Array:
        return features.griffinlim(
            np.sqrt(power), hop_length=HOP_LENGTH, length=self.samples, random_state=0
        )


class Mel(LogMagnitude):
    """Mel bands of that power; 1 is the most that a sine of amplitude 1/2 has in any band."""

    def __init__(
        self, sample_rate: int, samples: int, *, n_fft: int = N_FFT, hop_length: int = HOP_LENGTH,
        n_mels: int = N_MELS, full_scale: float | None = None,
    ) -> None:  # fmt: skip
        self.settings: dict[str, Any] = {
            "sr": sample_rate, "n_fft": n_fft, "hop_length": hop_length, "n_mels": n_mels
        }  # fmt: skip
        filters = features.mel_filters(sr=sample_rate, n_fft=n_fft, n_mels=n_mels)
        bins = np.arange(1.0 + n_fft // 2) * (sample_rate / n_fft)
        weight = filters.astype(np.float64)
        centre = weight @ bins / np.maximum(weight.sum(axis=1), 1e-30)
        if full_scale is None:
            full_scale = float(filters.max()) * _sine_power(AMPLITUDE, n_fft)
        super().__init__(samples, hop_length, centre, full_scale)

    def _power(self, audio: ArrayLike) -> Array:
        return features.melspectrogram(audio, **self.settings)

    def _invert(self, power: Array) -> Array:
        settings = {key: value for key, value in self.settings.items() if key != "n_mels"}
        return features.mel_to_audio(power, length=self.samples, random_state=0, **settings)


class CQT(LogMagnitude):
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
        self.sample_rate = sample_rate
        full_scale = float((AMPLITUDE / 2) ** 2 * plan.lengths.max())
        super().__init__(samples, HOP_LENGTH, plan.frequencies, full_scale)

    def _power(self, audio: ArrayLike) -> Array:
        return _power_of(features.cqt(audio, sr=self.sample_rate, n_bins=N_BINS, **_FILTERS))

    def _invert(self, power: Array) -> Array:
        return features.griffinlim_cqt(
            np.sqrt(power), sr=self.sample_rate, length=self.samples, random_state=0, **_FILTERS
        )


class SynToneLogMel(Mel):
    """SynTone's mel power in decibels, scaled once for the whole set.

    1 is the most that the fundamental of any waveform of amplitude 1 reaches, which is that of a
    square: a sine of amplitude 4 / pi.
    """

    def __init__(self, sample_rate: int, samples: int) -> None:
        filters = features.mel_filters(
            sr=sample_rate, n_fft=SYNTONE_MEL["n_fft"], n_mels=SYNTONE_MEL["n_mels"]
        )
        peak = 4.0 / np.pi * SYNTONE_MEL["n_fft"] / 4.0
        full_scale = float(filters.max() * peak**2)
        super().__init__(sample_rate, samples, **SYNTONE_MEL, full_scale=full_scale)

    def _scaled(self, decibel: Array) -> Array:
        decibel /= np.float32(DYNAMIC_RANGE_DB)  # keeps the last bit of the features on disk
        decibel += np.float32(1.0)
        return decibel

    def of_tensor(self, mel: Tensor) -> Tensor:
        """The features of mel power ``(B, 128, frames)``, on any device."""
        decibel = 10.0 * (mel.clamp(min=_FAINTEST).log10() - float(np.log10(self.full_scale)))
        return (1.0 + decibel / DYNAMIC_RANGE_DB).clamp(0.0, 1.0)[:, None]


class SynTonePublished(SynToneLogMel):
    """SynTone's mel power, each frame over its maximum, as in the reference code."""

    def of(self, audio: ArrayLike) -> Array:
        """The features ``(B, 1, 128, frames)``; a silent frame stays as it is."""
        mel = self._power(audio)
        largest = mel.max(axis=1, keepdims=True, initial=0.0)
        largest[largest < np.finfo(np.float32).tiny] = 1.0  # as librosa's normalize
        mel /= largest
        return mel[:, None]

    def of_tensor(self, mel: Tensor) -> Tensor:
        """The features of mel power ``(B, 128, frames)``, on any device."""
        largest = mel.amax(dim=1, keepdim=True)
        silent = largest < float(np.finfo(np.float32).tiny)
        return (mel / largest.masked_fill(silent, 1.0))[:, None]

    def to_audio(self, x: Array) -> Array:
        """An estimate of the sound ``(B, T)``, with a peak of 0.5, as the level is lost."""
        audio = self._invert(np.maximum(x[:, 0], 0.0))
        peak = np.abs(audio).max(axis=1, keepdims=True)
        audio *= 0.5 / np.where(peak > 0.0, peak, 1.0)
        return audio


def _power_of(spectra: NDArray[np.complex64]) -> Array:
    power: Array = np.square(spectra.real)
    power += np.square(spectra.imag)
    return power


REPRESENTATIONS: dict[str, type[Waveform] | type[Spectrogram] | type[Mel] | type[CQT]] = {
    "waveform": Waveform, "spectrogram": Spectrogram, "mel": Mel, "cqt": CQT,
}  # fmt: skip
_SYNTONE = {"published": SynTonePublished, "sound": SynToneLogMel}


def representation(name: str, sample_rate: int, samples: int) -> Representation:
    """The additive toy's representation of that name, for clips of so many samples."""
    chosen = _validation.choice("representation", name, REPRESENTATIONS)
    return REPRESENTATIONS[chosen](sample_rate, samples)


def syntone_features(variant: str, sample_rate: int, samples: int) -> SynToneLogMel:
    """SynTone's features of that variant, as stored, for clips of so many samples."""
    samples = _validation.integer("duration * sample_rate", samples)
    return _SYNTONE[variant](_validation.integer("sample_rate", sample_rate), samples)
