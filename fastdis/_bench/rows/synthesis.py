"""Rows of the synthesis stage: one-second clips at 16 kHz, written into an array used again.

The clips of a set are rendered part by part, as a training loop or a writer of shards does it, but
in parts far larger than the caches.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastdis._bench.measure import Contestant, Row, Scale, Trial, WrongPeerError, check_peer, pick
from fastdis._threads import get_num_threads
from fastdis.datasets import SynTone
from fastdis.synthesis import SHAPES, Partials, add_noise, additive, oscillator

RATE = 16000
CLIP_BYTES = 4 * RATE
GRID = 32_000  # clips of SynTone
Columns = tuple[NDArray[Any], NDArray[np.float64], NDArray[np.float64]]  # shape, Hz, amplitude
Peer = Callable[[Partials], tuple[list[Contestant], Callable[[], NDArray[Any]]]]
_PART = 2048  # clips rendered into one array: 131 MB
_SNR_ERROR = 0.01  # dB
_CHECKED = 80  # clips held to the oracle

# Float32 multiply-adds a sample, counted off the C code; an addition or product alone, of integers
# too, counts as one.
NAIVE = 8  # a phase in fixed point 4; sine 11, triangle 3, sawtooth and square 1
_DIRECT = 22  # a phase, sine and cosine, and Horner's steps where there are several harmonics
_CLOSED = 83  # a float64 phase, sine, cosine, sine integral and two polynomials
_PARTIAL = 2  # sine and cosine of a product of rows and columns
_NORMAL = 32  # Philox's wide products 10, Box-Muller 19, the power and the sum 3

_WAVES_HELD_BACK = (
    "phases are also converted, compared and selected, which does not count as multiply-adds, "
    "and every line of the result is read before it is written, which a large copy avoids"
)
_LOW_HELD_BACK = "phases are reduced in float64 without rounding, half as many to a vector"
_ADDITIVE_HELD_BACK = (
    "the tables of the products: sines and cosines of every partial for each row and each column"
)
_NOISE_HELD_BACK = (
    "the shuffles and exclusive-ors of Philox, and the shifts, square roots and selections of "
    "Box-Muller, are no multiply-adds"
)


def columns_of(dataset: SynTone, indices: NDArray[np.int64]) -> Columns:
    """Shape, frequency and amplitude of the clips at ``indices``."""
    table = dataset.table(indices)
    return table.levels[:, 2], table["frequency"], table["amplitude"]


def grid_columns(indices: NDArray[np.int64]) -> Columns:
    """Shape, frequency and amplitude of the published SynTone's clips at ``indices``."""
    return columns_of(SynTone(), indices)


def low_columns(indices: NDArray[np.int64]) -> Columns:
    """The same waveforms at 55 to 110 Hz: 72 to 145 harmonics."""
    place = indices / GRID
    return indices % len(SHAPES), 55.0 + 55.0 * place, 0.1 + 0.9 * place


def spread_over(count: int, size: int = GRID) -> NDArray[np.int64]:
    """``count`` indices over a set of ``size``, by an odd step, so that all waveforms occur."""
    return np.arange(count) * max(1, (size // count - 1) | 1) % size


def _in_parts(
    render: Callable[[slice, NDArray[np.float32]], object], count: int
) -> list[Contestant]:
    """Render ``count`` clips part by part into one array."""
    out = np.zeros((min(count, _PART), RATE), np.float32)

    def run() -> None:
        for start in range(0, count, len(out)):
            stop = min(start + len(out), count)
            render(slice(start, stop), out[: stop - start])

    return [Contestant(run, count)]


def _by_blas_threads(run: Callable[[], object], units: int) -> list[Contestant]:
    """``run`` with NumPy's linear algebra on one thread, and on all of them."""
    from threadpoolctl import ThreadpoolController

    blas = ThreadpoolController()

    def limited(threads: int) -> None:
        with blas.limit(limits=threads, user_api="blas"):
            run()

    counts = sorted({1, get_num_threads()})
    return [Contestant(partial(limited, n), units, f"BLAS on {n}") for n in counts]


def _oscillators(
    scale: Scale, columns_at: Callable[[NDArray[np.int64]], Columns], peer_clips: int,
    multiply_adds: int, band_limited: bool = True, time_axis: str = "sample",
) -> Trial:  # fmt: skip
    from benchmarks.peers import synthesis as peers

    t = np.linspace(0, 1, RATE) if time_axis == "linspace" else np.arange(RATE) / RATE

    def ours(columns: Columns, out: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
        return oscillator(
            *columns, sample_rate=RATE, band_limited=band_limited, time_axis=time_axis, out=out
        )

    def peer(columns: Columns, dtype: Any = np.float32) -> NDArray[Any]:
        if band_limited:
            return peers.harmonic_sum(columns, t, RATE, dtype)
        return peers.scipy_loop(columns, t, dtype)

    def error() -> float:
        columns = columns_at(spread_over(pick(scale, 16, _CHECKED, _CHECKED)))
        found = ours(columns)
        check_peer(peer(columns), found, at_most=1e-5)
        difference = np.abs(found - peer(columns, np.float64)).max(axis=1)
        return float((difference / columns[2]).max())

    count = pick(scale, 16, 2 * _PART, GRID)
    shape, frequency, amplitude = columns_at(spread_over(count))
    fewer = columns_at(spread_over(pick(scale, 16, peer_clips, 4 * peer_clips)))
    of_peer = partial(peer, fewer), len(fewer[0])
    return Trial(
        _in_parts(lambda at, out: ours((shape[at], frequency[at], amplitude[at]), out), count),
        _by_blas_threads(*of_peer) if band_limited else [Contestant(*of_peer)],
        error,
        bytes_moved=CLIP_BYTES,
        multiply_adds=multiply_adds * RATE,
    )


_naive = partial(
    _oscillators, columns_at=grid_columns, peer_clips=200, multiply_adds=NAIVE,
    band_limited=False, time_axis="linspace",
)  # fmt: skip
_band_limited = partial(
    _oscillators, columns_at=grid_columns, peer_clips=200, multiply_adds=_DIRECT
)
_band_limited_low = partial(
    _oscillators, columns_at=low_columns, peer_clips=20, multiply_adds=_CLOSED
)


def tones(count: int, partials: int = 40) -> Partials:
    """Inharmonic, decaying tones; all partials are below Nyquist, so that every one is summed."""
    rng = np.random.default_rng(0)
    k = np.arange(1, partials + 1)
    f0 = rng.uniform(0.5, 1.0, (count, 1)) * 0.9 * (RATE / 2) / (partials + 1)
    frequency = k * f0 * np.sqrt((1 + 1e-4 * k**2) / (1 + 1e-4 * partials**2))
    amplitude = np.broadcast_to(1 / k / (1 / k).sum(), frequency.shape).copy()
    decay = rng.uniform(1.0, 4.0, (count, 1)) + 0.1 * k
    return Partials(frequency, amplitude, decay, rng.uniform(0, 2 * np.pi, frequency.shape))


def _rows_of(partials: Partials, at: slice) -> Partials:
    return Partials(*(column[at] for column in partials))


def _additive(scale: Scale, peer: Peer, clips: tuple[int, int, int], peer_error: float) -> Trial:
    """``peer`` gives its settings, and what computes its result; that may be so far off."""
    from benchmarks.peers import synthesis as peers

    count = pick(scale, 4, 512, _PART)
    partials, fewer = tones(count), tones(pick(scale, *clips))
    contestants, peer_result = peer(fewer)

    def error() -> float:
        check_peer(peer_result(), additive(fewer, sample_rate=RATE), peer_error)
        some = _rows_of(partials, slice(pick(scale, 4, 16, _CHECKED)))
        exact = peers.additive_numpy(some, np.arange(RATE) / RATE)
        difference = np.abs(additive(some, sample_rate=RATE) - exact).max(axis=1)
        return float((difference / np.abs(exact).max(axis=1)).max())

    def ours(at: slice, out: NDArray[np.float32]) -> object:
        return additive(_rows_of(partials, at), sample_rate=RATE, out=out)

    return Trial(
        _in_parts(ours, count),
        contestants,
        error,
        bytes_moved=CLIP_BYTES,
        multiply_adds=_PARTIAL * 40 * RATE,
    )


def _numpy(partials: Partials) -> tuple[list[Contestant], Callable[[], NDArray[Any]]]:
    from benchmarks.peers import synthesis as peers

    run = partial(peers.additive_numpy, partials, np.arange(RATE) / RATE)
    return _by_blas_threads(run, len(partials.frequency)), run


def _torch(partials: Partials) -> tuple[list[Contestant], Callable[[], NDArray[Any]]]:
    """In float32 its phases, up to 2 pi 7000, round to 2e-3: it is off by 8e-5 of the peak."""
    import torch

    from benchmarks.peers import synthesis as peers

    clips, threads = len(partials.frequency), f"{torch.get_num_threads()} threads"
    columns = tuple(torch.from_numpy(column).float() for column in partials)
    run = partial(peers.additive_torch, columns, torch.arange(RATE) / RATE)
    contestants = [
        Contestant(partial(run, batch), clips, f"batches of {batch}, {threads}")
        for batch in (1, 4, 16)
        if batch <= clips
    ]
    return contestants, lambda: torch.cat(run(1)).numpy()


_additive_numpy = partial(_additive, peer=_numpy, clips=(2, 8, 32), peer_error=1e-5)
_additive_torch = partial(_additive, peer=_torch, clips=(2, 16, 64), peer_error=2e-4)


def _noise(scale: Scale) -> Trial:
    from threadpoolctl import ThreadpoolController

    from benchmarks.peers import synthesis as peers

    count = pick(scale, 16, _PART, 2 * _PART)
    rng = np.random.default_rng(0)
    audio = rng.uniform(-0.5, 0.5, (min(count, _PART), RATE)).astype(np.float32)
    snr_db = np.linspace(0.0, 40.0, len(audio))
    fewer = audio[: pick(scale, 16, 256, 1024)]

    def ours(at: slice, out: NDArray[np.float32]) -> object:
        rows = slice(0, len(out))
        return add_noise(audio[rows], snr_db[rows], seed=0, index=np.arange(at.start, at.stop),
                         out=out)  # fmt: skip

    def off_by(noisy: NDArray[np.float32], at: slice) -> float:
        clean = audio[at].astype(np.float64)
        power, noise_power = ((x**2).mean(axis=1) for x in (clean, noisy - clean))
        return float(np.abs(10 * np.log10(power / noise_power) - snr_db[at]).max())

    def error() -> float:
        peers.noise_numpy(fewer, snr_db[: len(fewer)], out, generators[0])
        peer_error = off_by(out, slice(len(fewer)))
        if not peer_error <= _SNR_ERROR:
            raise WrongPeerError(f"not timed: the peer's ratio is off by {peer_error:.1e} dB")
        some = slice(None, None, max(1, len(audio) // _CHECKED))
        wanted = snr_db[some]
        noisy = add_noise(audio[some], wanted, seed=0, index=np.arange(len(wanted)))
        return off_by(noisy, some)

    out = np.zeros_like(fewer)
    generators = [np.random.Generator(kind(0)) for kind in (np.random.PCG64, np.random.SFC64)]
    blas = ThreadpoolController()

    def on_one_thread(generator: np.random.Generator) -> None:
        with blas.limit(limits=1, user_api="blas"):
            peers.noise_numpy(fewer, snr_db[: len(fewer)], out, generator)

    return Trial(
        _in_parts(ours, count),
        [
            Contestant(partial(on_one_thread, g), len(fewer), type(g.bit_generator).__name__)
            for g in generators
        ],
        error,
        bytes_moved=2 * CLIP_BYTES,
        multiply_adds=_NORMAL * RATE,
    )


_SYNTONE = "SynTone waveforms"
_TONES = "additive, 40 partials, inharmonic, with decay"

_row = partial(Row, error_at_most=1e-5, own_peer=True)

ROWS = (
    _row(
        f"{_SYNTONE}, naive", "NumPy and SciPy, a clip at a time", _naive, 40,
        held_back=_WAVES_HELD_BACK,
    ),
    _row(
        f"{_SYNTONE}, band-limited", "harmonics summed in NumPy", _band_limited, 200,
        held_back=_WAVES_HELD_BACK,
    ),
    _row(
        "waveforms of 55 to 110 Hz, band-limited", "harmonics summed in NumPy", _band_limited_low,
        None, held_back=_LOW_HELD_BACK,
    ),
    _row(
        _TONES, "NumPy broadcast, float64", _additive_numpy, 200, held_back=_ADDITIVE_HELD_BACK
    ),
    _row(
        _TONES, "torch, float32, itself off by some 8e-5 of peak", _additive_torch, 40,
        needs="torch", held_back=_ADDITIVE_HELD_BACK,
    ),
    Row(
        "noise at an exact SNR", "NumPy's Generator, 1 thread", _noise, 3, _SNR_ERROR, "dB",
        held_back=_NOISE_HELD_BACK, own_peer=True,
    ),
)  # fmt: skip
