"""The pictures of a report: features as pictures, loss curves, waveforms and spectra.

A spectrogram is drawn as it is, an image upright, a waveform as its short-time Fourier transform.
Line drawings are matplotlib figures on the Agg canvas (pyplot's global state is never touched);
pictures of features are palette images made directly from the arrays.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastdis.reports import data_uris, model_samples

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from PIL.Image import Image

Array = NDArray[np.float32]

# Two colours that colour-blind readers can distinguish (Okabe and Ito 2008).
FIRST, SECOND = "#0072b2", "#d55e00"
INK, FAINT = "#333333", "#dddddd"
COLOR_MAP = "magma"
SHADES = 64  # of the colour map: enough for a thumbnail, and LZW compresses them well
GAP = SHADES  # the transparent palette entry, between thumbnails
LEAST = 48  # pixels of the width and height of a thumbnail, about
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


@cache
def _palette() -> bytes:
    from matplotlib import colormaps

    colors = colormaps[COLOR_MAP](np.linspace(0.0, 1.0, SHADES))[:, :3]
    return np.rint(colors * 255.0).astype(np.uint8).tobytes() + b"\0\0\0"


def _shades(features: NDArray[Any], low: float, high: float) -> NDArray[np.uint8]:
    scaled = (features - low) / (high - low if high > low else 1.0)
    return np.rint(np.clip(scaled, 0.0, 1.0) * (SHADES - 1)).astype(np.uint8)


def _palette_image(shades: NDArray[np.uint8]) -> Image:
    from PIL import Image

    image = Image.fromarray(np.ascontiguousarray(shades))
    image.putpalette(_palette())
    if (shades == GAP).any():
        image.info["transparency"] = GAP
    return image


def _fewer_bins(features: NDArray[Any], height: int) -> NDArray[Any]:
    """``(..., F, frames)``, about ``height`` bins high.

    Neighbours are merged by their maximum, so no line is lost.
    """
    merge = max(1, round(features.shape[-2] / height))
    starts = np.arange(0, features.shape[-2], merge)
    return np.maximum.reduceat(features, starts, axis=-2)


def _enlarged(shades: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """``(S, F, frames)`` with pixels repeated: a browser would blur small pictures and the gaps."""
    rows, columns = (max(1, LEAST // count) for count in shades.shape[1:])
    return shades.repeat(rows, axis=1).repeat(columns, axis=2)


def strip(features: Array, low: float, high: float, height: int = 64) -> str:
    """Thumbnails side by side, ``(S, F, frames)``, low frequencies at the bottom: a PNG."""
    shades = _enlarged(_shades(_fewer_bins(features, height)[:, ::-1], low, high))
    apart = np.pad(shades, ((0, 0), (0, 0), (0, 1)), constant_values=GAP)
    return data_uris.png_uri(_palette_image(np.concatenate(list(apart), axis=1)[:, :-1]))


def animation(features: Array, low: float, high: float, height: int = 128) -> tuple[str, str]:
    """``(S, F, frames)`` forward and backward as a GIF, and its middle frame as a PNG.

    A marker under the picture shows the value of the code.
    """
    shades = _shades(_fewer_bins(features, height)[:, ::-1], low, high)
    shades = shades.repeat(max(1, 128 // shades.shape[2]), axis=2)
    steps, _, width = shades.shape
    track, knob = 6, max(2, width // steps)
    frames = []
    for step, picture in enumerate(shades):
        line = np.full((track, width), SHADES // 4, np.uint8)
        start = round(step * (width - knob) / max(1, steps - 1))
        line[:, start : start + knob] = SHADES - 1
        gap = np.zeros((2, width), np.uint8)
        frames.append(_palette_image(np.concatenate([picture, gap, line])))
    still = data_uris.png_uri(frames[steps // 2])
    return data_uris.gif_uri(frames + frames[-2:0:-1], milliseconds=220), still


def plain_axes(axes: Axes) -> None:
    """Small grey ticks, and no frame on the right and above."""
    axes.tick_params(labelsize=7, length=2, color=INK, labelcolor=INK)
    for name, spine in axes.spines.items():
        spine.set_visible(name in ("left", "bottom"))
        spine.set_color(INK)
        spine.set_linewidth(0.6)


def _curve(history: list[dict[str, Any]], part: str, term: str) -> tuple[list[int], list[float]]:
    """Epochs and values of a term, where it was recorded and is finite."""
    epochs, values = [], []
    for i, row in enumerate(history):
        value = (row.get(part) or {}).get(term)
        if value is not None and math.isfinite(value):
            epochs.append(int(row.get("epoch", i + 1)))
            values.append(float(value))
    return epochs, values


def loss_terms(history: list[dict[str, Any]]) -> list[str]:
    """Every named term of the loss, the loss itself first."""
    names = [name for row in history for p in ("train", "validation") for name in row.get(p) or {}]
    return sorted(dict.fromkeys(names), key=lambda name: name != "loss")


def loss_curves(history: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """One small figure per term of the loss, training and validation: (term, PNG)."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(2.1, 1.35), dpi=170, layout="constrained")
    panels = []
    for term in loss_terms(history):
        figure.clear()
        axes = figure.add_subplot()
        for part, color, dashes in (("train", FIRST, "-"), ("validation", SECOND, "--")):
            epochs, values = _curve(history, part, term)
            marker = "o" if len(values) == 1 else ""
            axes.plot(epochs, values, dashes, color=color, linewidth=1.4, marker=marker, ms=3)
        plain_axes(axes)
        axes.grid(axis="y", color=FAINT, linewidth=0.5)
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        axes.yaxis.set_major_locator(MaxNLocator(4))
        axes.set_xlabel("epoch", fontsize=7, color=INK)
        panels.append((term, data_uris.figure_uri(figure, colors=32)))
    return panels


def _spectrum(audio: Array, sample_rate: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Frequency in kHz and level in dB relative to the strongest line, the maximum of each bin."""
    magnitude = np.abs(np.fft.rfft(audio * np.hanning(len(audio))))
    merge = max(1, len(magnitude) // 500)
    starts = np.arange(0, len(magnitude), merge)
    magnitude = np.maximum.reduceat(magnitude, starts)
    peak = magnitude.max()
    level = 20.0 * np.log10(np.maximum(magnitude / (peak if peak > 0.0 else 1.0), 1e-4))
    return starts * (sample_rate / len(audio)) / 1000.0, level


def sound_figures(
    audio: Array, sample_rate: int, limits: NDArray[Any], color: str, window: float = 0.008
) -> list[str]:
    """Waveform and spectrum of each sound ``(B, T)``: one PNG per sound.

    The waveform is the ``window`` seconds in the middle, short enough to see its shape; ``limits``
    (B,) are the ends of its scale, so that two sounds can be drawn on one scale.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.0, 1.05), dpi=190, layout="constrained")
    left, right = figure.subplots(1, 2)
    for axes, title in ((left, "waveform, ms"), (right, "spectrum in dB, kHz")):
        plain_axes(axes)
        axes.set_title(title, fontsize=7, color=INK, loc="left", pad=3)
    count = min(audio.shape[1], max(2, round(window * sample_rate)))
    start = (audio.shape[1] - count) // 2
    (wave,) = left.plot(
        np.arange(count) * 1000.0 / sample_rate, np.zeros(count), color=color, lw=0.9
    )
    (spectrum,) = right.plot([], [], color=color, linewidth=0.8)
    left.set_xlim(0, count * 1000.0 / sample_rate)
    right.set(xlim=(0, sample_rate / 2000.0), ylim=(-84, 4), yticks=[-80, -40, 0])
    figures = []
    for sound, limit in zip(audio, limits, strict=True):
        left.set_ylim(-limit, limit)
        wave.set_ydata(sound[start : start + count])
        spectrum.set_data(*_spectrum(sound, sample_rate))
        figures.append(data_uris.figure_uri(figure, colors=32))
    return figures
