"""The two mel pipelines of SynTone: features from sound, and sound from features."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastdis import _validation
from fastdis.datasets.base import Dataset
from fastdis.features import db_to_power, mel_filters, mel_to_audio, melspectrogram, power_to_db

if TYPE_CHECKING:
    from torch import Tensor

N_FFT, HOP_LENGTH, N_MELS = 2048, 512, 128  # librosa's defaults, which the reference uses
DYNAMIC_RANGE_DB = 80.0
_FAINTEST = 1e-10  # power, below which decibels stop falling; librosa's default


class MelDataset(Dataset):
    """A data set whose features are SynTone's: ``"published"`` or ``"corrected"``.

    ``"published"`` divides each column of the power mel spectrogram by its maximum, as the
    reference code does. ``"corrected"`` takes the logarithm, scaled once for the whole set, so
    that 1 is the most a waveform of amplitude 1 can reach and 0 is 80 dB below it. The attribute
    ``variant`` and files hold ``"sound"`` for it, its former name.
    """

    def __init__(self, variant: str, sample_rate: int, samples: int) -> None:
        self.variant = _validation.protocol("variant", variant)
        self.sample_rate = _validation.integer("sample_rate", sample_rate)
        self.samples = _validation.integer("duration * sample_rate", samples)
        self.feature_shape = (1, N_MELS, 1 + samples // HOP_LENGTH)

    @cached_property
    def full_scale(self) -> float:
        """The most mel power that the fundamental of any waveform of amplitude 1 can reach.

        A Hann window of length N lifts the peak of a sine of amplitude A to A N / 4, and the
        fundamental of a square has A = 4 / pi.
        """
        peak = 4.0 / np.pi * N_FFT / 4.0
        return float(mel_filters(sr=self.sample_rate, n_fft=N_FFT, n_mels=N_MELS).max() * peak**2)

    def features_of(self, audio: ArrayLike) -> NDArray[np.float32]:
        """Sound ``(B, T)`` -> features ``(B, 1, 128, frames)`` in [0, 1]."""
        mel = melspectrogram(
            audio, sr=self.sample_rate, n_fft=N_FFT, hop_length=HOP_LENGTH, n_mels=N_MELS
        )
        if self.variant == "published":
            features = _divide_columns(mel)
        else:
            # top_db=None: a floor relative to each clip's own peak would depend on the amplitude.
            decibel = power_to_db(mel, ref=self.full_scale, amin=_FAINTEST, top_db=None)
            features = np.clip(1.0 + decibel / DYNAMIC_RANGE_DB, 0.0, 1.0).astype(np.float32)
        return features[:, None]

    def _features_of_mel(self, mel: Tensor) -> Tensor:
        """The same from mel power ``(B, 128, frames)``, on any device."""
        if self.variant == "published":
            largest = mel.amax(dim=1, keepdim=True)
            silent = largest < float(np.finfo(np.float32).tiny)
            return (mel / largest.masked_fill(silent, 1.0))[:, None]
        decibel = 10.0 * (mel.clamp(min=_FAINTEST).log10() - float(np.log10(self.full_scale)))
        return (1.0 + decibel / DYNAMIC_RANGE_DB).clamp(0.0, 1.0)[:, None]

    def to_audio(self, features: ArrayLike) -> NDArray[np.float32]:
        """Features ``(B, 1, 128, frames)`` -> sound ``(B, T)`` by Griffin-Lim.

        As published the level is lost; every clip then comes out with a peak of 0.5.
        """
        x = _validation.array("features", features, 4)[:, 0]
        if self.variant == "published":
            mel = np.maximum(x, 0.0)
        else:
            decibel = (np.clip(x, 0.0, 1.0) - 1.0) * DYNAMIC_RANGE_DB
            mel = np.where(x > 0.0, db_to_power(decibel, ref=self.full_scale), 0.0)
        audio = mel_to_audio(
            mel.astype(np.float32), sr=self.sample_rate, n_fft=N_FFT, hop_length=HOP_LENGTH,
            length=self.samples, random_state=0,
        )  # fmt: skip
        if self.variant == "published":
            peak = np.abs(audio).max(axis=1, keepdims=True)
            audio *= 0.5 / np.where(peak > 0.0, peak, 1.0)
        return np.clip(audio, -1.0, 1.0)


def _divide_columns(mel: NDArray[np.float32]) -> NDArray[np.float32]:
    """In place, each frame over its largest value, a silent one as it is (librosa's normalize)."""
    largest = mel.max(axis=1, keepdims=True, initial=0.0)
    largest[largest < np.finfo(np.float32).tiny] = 1.0
    mel /= largest
    return mel
