"""The gallery of a model: pictures and sounds of its samples, as data URIs for the page."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastdis.reports import data_uris, figures, model_samples
from fastdis.reports.model_samples import ClipPair
from fastdis.reports.results import ModelResult

RECONSTRUCTIONS, SAMPLES = 3, 6
STEPS = np.linspace(-3.0, 3.0, 10)
STEP_SECONDS = 0.3
MOST_WITH_SOUND = 10  # codes of a model; the page needs room for pictures, too
# Bytes of base64 for all sounds of the page. Where clips are long or codes are many, fewer sounds
# are offered: a lower sample rate would lose the very tones the data is about.
CLIP_BYTES, TRAVERSAL_BYTES = 5_000_000, 8_500_000


@dataclass(frozen=True)
class Shown:
    """A picture of features, a player of their sound and a figure of its waveform; data URIs.

    ``player`` and ``figure`` are empty where there is none.
    """

    title: str
    picture: str
    player: str
    figure: str = ""


@dataclass(frozen=True)
class TraversalRow:
    """``holds`` is the factor with most mutual information with the code, and its amount."""

    code: int
    holds: str
    picture: str
    sound: str


@dataclass(frozen=True)
class Gallery:
    """Reconstructions are (title of the clip, [the original, its reconstruction]).

    ``louder`` is the gain of the generated sounds in dB, 0 if they are played as they are.
    """

    reconstructions: list[tuple[str, list[Shown]]]
    samples: list[Shown]
    start: str
    rows: list[TraversalRow]
    moving: str
    animation: str
    still: str
    louder: float


def _informative(information: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """For each code its most informative factor, and the information (0 where none is finite)."""
    values = np.nan_to_num(np.asarray(information, np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    return values.argmax(axis=0), values.max(axis=0)


def _fewer(count: int, each: int, models: int, budget: int) -> int:
    """How many of ``count`` sounds of ``each`` bytes a model may have within the budget."""
    return max(1, min(count, budget // max(1, each * models)))


def _sound_bytes(samples: int) -> int:
    return (44 + 2 * samples) * 4 // 3


@dataclass(frozen=True)
class _Media:
    """Encodes pictures of one dataset's features on one colour scale, and its sounds if any."""

    dataset: Any
    limits: tuple[float, float]

    def strip(self, features: NDArray[np.float32], height: int = 64) -> str:
        """A PNG of ``(S, 1, F, frames)``, side by side; images keep their height."""
        drawn = figures.pictures(self.dataset, features)
        height = drawn.shape[1] if figures.kind_of(self.dataset) is figures.IMAGE else height
        return figures.strip(drawn, *self.limits, height)

    def animation(self, features: NDArray[np.float32]) -> tuple[str, str]:
        """A GIF and a PNG of ``(S, 1, F, frames)``."""
        return figures.animation(figures.pictures(self.dataset, features), *self.limits)

    def player(self, audio: NDArray[np.float32]) -> str:
        """A WAV of ``(T,)``; empty for images."""
        return data_uris.wav_uri(audio, int(self.dataset.sample_rate)) if audio.size else ""

    def waves(self, audio: NDArray[np.float32], scale: NDArray[Any], color: str) -> list[str]:
        """One figure per sound ``(B, T)``; empty for images."""
        if not audio.size:
            return [""] * len(audio)
        return figures.sound_figures(audio, int(self.dataset.sample_rate), scale, color)


def gallery_of(
    result: ModelResult, information: NDArray[Any], names: tuple[str, ...], models: int, seed: int
) -> Gallery:
    """The samples of one of ``models`` models, as the page shows them.

    Raises
    ------
    FloatingPointError
        If a code, a feature or a sample is not finite.
    ValueError
        If ``information`` does not have one column per code.
    """
    model, dataset = result.model, result.dataset
    media, codes = _Media(dataset, figures.color_range(dataset, seed)), information.shape[1]
    indices = model_samples.pick(dataset, RECONSTRUCTIONS, seed)
    before = model_samples.original(dataset, indices)
    latent_dim = model_samples.encode(model, before.features[:1]).shape[1]
    if latent_dim != codes:
        raise ValueError(
            f"mutual_information of {result.title!r} takes one column per code of the model, "
            f"{latent_dim}, got {codes}"
        )
    each = _sound_bytes(before.audio.shape[1])
    kept = _fewer(RECONSTRUCTIONS, 2 * each, models, CLIP_BYTES // 2)
    indices, before = indices[:kept], ClipPair(before.features[:kept], before.audio[:kept])
    after = model_samples.reconstruct(model, dataset, indices)
    count = _fewer(SAMPLES, each, models, CLIP_BYTES // 2)
    prior = model_samples.sample_prior(model, dataset, codes, count, seed)
    factor, amount = _informative(information)
    with_sound = _with_sound(amount, before.audio.shape[1], int(dataset.sample_rate), models)
    moved = model_samples.traverse(model, dataset, int(indices[0]), STEPS, with_sound)

    louder = model_samples.gain(after.audio, prior.audio, *moved.audio.values())
    after = ClipPair(after.features, after.audio * np.float32(louder))
    titles = [str(dataset.describe(int(i))) for i in indices]
    holds = [
        f"{names[k]} {value:.2f}" if value >= 0.005 else "no factor"
        for k, value in zip(factor, amount, strict=True)
    ]
    moving = int(amount.argmax())
    animation, still = media.animation(moved.features[moving])
    return Gallery(
        reconstructions=_reconstructions(media, titles, before, after),
        samples=[
            Shown(f"sample {i + 1}", media.strip(x[None], 128), media.player(a))
            for i, (x, a) in enumerate(zip(prior.features, prior.audio * louder, strict=True))
        ],
        start=titles[0],
        rows=_traversal_rows(media, moved, holds, louder),
        moving=f"Code {moving}, the most informative one ({holds[moving]})",
        animation=animation,
        still=still,
        louder=20.0 * math.log10(louder),
    )


def _with_sound(amount: NDArray[np.float64], samples: int, rate: int, models: int) -> list[int]:
    """The most informative codes, as many as the page has room for sounds."""
    each = _sound_bytes(len(STEPS) * min(samples, round(STEP_SECONDS * rate)))
    count = _fewer(min(len(amount), MOST_WITH_SOUND), each, models, TRAVERSAL_BYTES)
    return sorted(np.argsort(-amount, kind="stable")[:count].tolist())


def _traversal_rows(
    media: _Media, moved: model_samples.Traversal, holds: list[str], louder: float
) -> list[TraversalRow]:
    rows = []
    for code, features in enumerate(moved.features):
        sound = ""
        if code in moved.audio:
            rate = int(media.dataset.sample_rate)
            sound = media.player(data_uris.in_steps(moved.audio[code] * louder, rate, STEP_SECONDS))
        rows.append(TraversalRow(code, holds[code], media.strip(features), sound))
    return rows


def _reconstructions(
    media: _Media, titles: list[str], before: ClipPair, after: ClipPair
) -> list[tuple[str, list[Shown]]]:
    peaks = [np.abs(clips.audio).max(axis=1, initial=0.0) for clips in (before, after)]
    scale = 1.1 * np.maximum(np.maximum(*peaks), 1e-3)
    sides = [
        [
            Shown(name, media.strip(x[None]), media.player(a), figure)
            for x, a, figure in zip(
                clips.features, clips.audio, media.waves(clips.audio, scale, color), strict=True
            )
        ]
        for name, clips, color in (
            ("original", before, figures.FIRST),
            ("reconstruction", after, figures.SECOND),
        )
    ]
    return [(title, list(both)) for title, *both in zip(titles, *sides, strict=True)]
