"""Features as pictures: a spectrogram as it is, an image upright, a waveform as its STFT."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastdis.reports import model_samples

Array = NDArray[np.float32]

RANGE_DB = 80.0  # of the spectrogram of a waveform
FRAMES = 32  # of that spectrogram, about
IMAGE_SIZE = 112  # pixels; smaller images are enlarged by a whole factor
SAMPLED = 64  # clips that determine the colour scale


@dataclass(frozen=True)
class Kind:
    """``name`` is what the page calls the pictures of a dataset; ``sound`` whether it has sound."""

    name: str
    sound: bool = True


FEATURES, WAVEFORM, IMAGE = Kind("Features"), Kind("Spectrogram"), Kind("Image", sound=False)


def kind_of(dataset: Any) -> Kind:
    """Images have no sample rate; waveforms have features of one row."""
    if not dataset.sample_rate:
        return IMAGE
    return WAVEFORM if dataset.feature_shape[1] == 1 else FEATURES


def pictures(dataset: Any, features: Array) -> Array:
    """Features ``(B, 1, F, frames)`` -> pictures ``(B, height, width)``, lowest row first."""
    kind = kind_of(dataset)
    if kind is WAVEFORM:
        return spectrogram(model_samples.sound(dataset, features))
    if kind is IMAGE:
        factor = max(1, IMAGE_SIZE // max(features.shape[2:]))
        return features[:, 0, ::-1].repeat(factor, axis=1).repeat(factor, axis=2)
    return features[:, 0]


def spectrogram(audio: Array) -> Array:
    """Levels in dB of sounds ``(B, T)``, ``(B, F, frames)``; 0 is a sine of full scale."""
    from fastdis import features

    samples = audio.shape[1]
    n_fft = 2 ** int(np.clip(np.round(np.log2(max(2, samples) / 8)), 5, 10))
    spectra = features.stft(audio, n_fft=n_fft, hop_length=max(1, samples // FRAMES))
    # The Hann window sums to n_fft / 2; a sine has half its amplitude at its positive frequency.
    levels = 20.0 * np.log10(np.maximum(np.abs(spectra) * (4.0 / n_fft), 1e-10))
    return np.asarray(levels, np.float32)


def color_range(dataset: Any, seed: int) -> tuple[float, float]:
    """The values drawn darkest and brightest: the extremes of the pictures of some clips."""
    shown = pictures(dataset, dataset.batch(model_samples.pick(dataset, SAMPLED, seed))[0])
    low, high = float(np.min(shown)), float(np.max(shown))
    return (max(low, high - RANGE_DB) if kind_of(dataset) is WAVEFORM else low), high
