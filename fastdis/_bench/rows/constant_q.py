"""Rows of the constant-Q transform: 60 bins from C1, hop 512, one-second clips at 16 kHz.

Clips are those of the mel spectrograms' rows. Results are held to sums over the filters' samples in
float64. The peers cut corners of their own, each another one, so that theirs are looked at more
roughly; nnAudio is given librosa's Q.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastdis._bench.measure import Contestant, Row, Scale, Trial, check_peer, of_peak, pick
from fastdis._bench.rows.features import FRAMES, HOP, Peer, batches, clips, in_torch
from fastdis._bench.rows.synthesis import CLIP_BYTES, RATE
from fastdis.features import cqt
from fastdis.features.constant_q.plan import C1, ConstantQ, ConstantQSettings, plan_for

BINS, PER_OCTAVE = 60, 12
_OPTIONS: dict[str, Any] = {"sr": RATE, "hop_length": HOP, "n_bins": BINS}
_ROUGHLY = 0.08  # of the peak: librosa's first and last frames of noise, at its lowered rates


def _filters() -> ConstantQ:
    return plan_for(ConstantQSettings(**_OPTIONS), RATE, padded=False)


def _multiply_adds() -> float:
    """A clip: a real transform, its lines, every filter's weights, and the frames' transforms."""
    filters = _filters()
    frames = 2.5 * BINS * filters.folded * np.log2(filters.folded)
    weights = 2 * filters.width.sum()
    return float(1.25 * filters.period * np.log2(filters.period) + weights + frames)


def exact(audio: NDArray[np.floating[Any]]) -> NDArray[np.complex128]:
    """The transform in float64, ``(B, BINS, FRAMES)``: sums over each filter's samples."""
    filters = _filters()
    reach = filters.reach + 1
    padded = np.pad(audio.astype(np.float64), ((0, 0), (reach, reach)))
    result = np.empty((len(audio), BINS, FRAMES), np.complex128)
    of_bins = zip(filters.frequencies, filters.lengths, strict=True)
    for k, (frequency, length) in enumerate(of_bins):
        j = np.arange(-int(length // 2), int(length // 2) + 1)
        window = 0.5 + 0.5 * np.cos(2 * np.pi * j / length)
        taps = np.exp(-2j * np.pi * frequency / RATE * j) * window * np.sqrt(length) / window.sum()
        rows = padded[:, reach + HOP * np.arange(FRAMES)[:, None] + j]
        result[:, k] = rows @ taps
    return result


def _cqt(scale: Scale, make_peer: Peer, peer_clips: tuple[int, int, int]) -> Trial:
    """``make_peer`` gives its settings, and its result for the first of the clips it is given."""
    audio = clips(pick(scale, 8, 512, 1024))
    fewer = audio[: pick(scale, *peer_clips)]
    contestants, found = make_peer(fewer)
    out = np.zeros((len(audio), BINS, FRAMES), np.complex64)

    def ours(y: NDArray[np.float32]) -> object:
        return cqt(y, out=out[: len(y)], **_OPTIONS)

    def error() -> float:
        noise = slice(0, len(found), 2)  # of a tone above all filters there is only what leaks
        check_peer(np.abs(found[noise]), np.abs(cqt(fewer[noise], **_OPTIONS)), _ROUGHLY)
        some = audio[: pick(scale, 2, 8, 16)]
        return of_peak(cqt(some, **_OPTIONS), exact(some))

    return Trial(
        batches(ours, audio, (64, 256, 1024)), contestants, error,
        bytes_moved=CLIP_BYTES + 8 * BINS * FRAMES, multiply_adds=_multiply_adds(),
    )  # fmt: skip


def _librosa(audio: NDArray[np.float32]) -> tuple[list[Contestant], NDArray[Any]]:
    import librosa

    def run() -> list[NDArray[np.complex64]]:
        return [librosa.cqt(y, **_OPTIONS) for y in audio]

    return [Contestant(run, len(audio), "a clip at a time")], np.stack(run())


def _librosa_batch(audio: NDArray[np.float32]) -> tuple[list[Contestant], NDArray[Any]]:
    import librosa

    def run(y: NDArray[np.float32]) -> Any:
        return librosa.cqt(y, **_OPTIONS)

    return batches(run, audio, (8, 32, 128)), run(audio[:4])


def _nnaudio(audio: NDArray[np.float32]) -> tuple[list[Contestant], NDArray[Any]]:
    import torch
    from nnAudio.features import CQT1992v2

    ratio = 2 ** (1 / PER_OCTAVE)
    longer = (ratio - 1) * (ratio**2 + 1) / (ratio**2 - 1)  # its Q to librosa's
    layer = CQT1992v2(
        fmin=C1, filter_scale=longer, bins_per_octave=PER_OCTAVE, pad_mode="constant",
        output_format="Complex", verbose=False, **_OPTIONS,
    )  # fmt: skip
    contestants, found = in_torch(torch.inference_mode()(layer), audio, (1, 4, 16, 64))
    return contestants, found[..., 0] + 1j * found[..., 1]


_HELD_BACK = (
    "half of the time is FFTW's, in one transform of a clip's 20,480 samples in zeros, for whose "
    "length it has only an estimated plan with vectors of 32 bytes at most; a quarter goes to "
    "61,548 weighted lines, which are loaded for one multiply-add each"
)


def _row(
    peer: str, make_peer: Peer, peer_clips: tuple[int, int, int], at_least: float, needs: str
) -> Row:
    prepare = partial(_cqt, make_peer=make_peer, peer_clips=peer_clips)
    return Row("cqt of 60 bins", peer, prepare, at_least, 5e-4, needs=needs, held_back=_HELD_BACK)


ROWS = (
    _row("librosa, a clip at a time", _librosa, (2, 16, 32), 20, "librosa"),
    _row("librosa, in batches", _librosa_batch, (2, 128, 128), 20, "librosa"),
    _row("nnAudio's CQT1992v2", _nnaudio, (2, 64, 128), 3, "nnAudio"),
)
