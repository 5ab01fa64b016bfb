"""Audio from STFT magnitudes: the phases of fast Griffin-Lim (Perraudin et al. 2013)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastdis import _memory, _validation
from fastdis._threads import parallel_for
from fastdis.features.framing import Window, framing_of
from fastdis.features.overlap_add import (
    CLIPS_DRAWN,
    OverlapAdd,
    RandomState,
    Turns,
    overlap_add_of,
)


def griffinlim(
    S: ArrayLike,
    *,
    n_iter: int = 32,
    hop_length: int | None = None,
    win_length: int | None = None,
    n_fft: int | None = None,
    window: Window = "hann",
    center: bool = True,
    length: int | None = None,
    pad_mode: str = "constant",
    momentum: float = 0.99,
    init: str | None = "random",
    random_state: RandomState = None,
) -> NDArray[np.float32]:
    """Audio from STFT magnitudes: fast Griffin-Lim (Perraudin, Balazs & Sondergaard 2013).

    Parameters
    ----------
    S : array_like, shape (F, frames) or (B, F, frames)
        Magnitudes.
    n_iter : int
        Iterations; each takes an inverse and a forward STFT.
    hop_length, win_length, n_fft, window, center, length
        As in :func:`istft`; a clip of that ``length`` must have as many frames as ``S``.
    pad_mode : str
        As in :func:`stft`.
    momentum : float
        From 0, the classical algorithm, to 1.
    init : "random" or None
        The first phases: random, or 0.
    random_state : int, RandomState, Generator or None
        Where random phases come from. An integer gives every clip the same ones, whatever its
        batch; a generator draws clip after clip; None takes new ones each time.

    Returns
    -------
    ndarray of float32, shape (T,) or (B, T)

    Raises
    ------
    TypeError, ValueError
        If ``S`` is negative, not finite or too few frames, or a parameter is out of its range.

    Examples
    --------
    >>> from fastdis.features import stft
    >>> y = np.sin(np.arange(4096) / 9)
    >>> griffinlim(np.abs(stft(y)), random_state=0).shape
    (4096,)
    """
    magnitudes, single = _validation.spectra("S", S)
    frame = framing_of(
        "S", magnitudes.shape[1], n_fft, hop_length, win_length, window, center, pad_mode
    )
    plan = overlap_add_of(frame, "S", magnitudes.shape[2], length)
    result = find_phases(plan, magnitudes, n_iter, momentum, init, random_state)
    return result[0] if single else result


def first_phases(
    random_state: RandomState, shape: tuple[int, ...]
) -> Callable[[int], NDArray[np.float64]]:
    """Draws turns for the next so many clips; an integer gives every clip the same ones."""
    if random_state is None:
        random_state = np.random.default_rng()
    if isinstance(random_state, np.random.RandomState | np.random.Generator):
        rng = random_state
        return lambda clips: rng.random((clips, *shape))
    seed = _validation.integer("random_state", random_state, 0, 2**32 - 1)
    turns = np.random.RandomState(seed).random(shape)
    return lambda clips: np.broadcast_to(turns, (clips, *shape))


def find_phases(
    plan: OverlapAdd,
    magnitudes: NDArray[np.float32],
    n_iter: int,
    momentum: float,
    init: str | None,
    random_state: RandomState,
) -> NDArray[np.float32]:
    """Fast Griffin-Lim over ``magnitudes (B, F, frames)``: audio ``(B, samples)``."""
    n_iter = _validation.integer("n_iter", n_iter, 0)
    momentum = _validation.number("momentum", momentum, 0, 1)
    if init is not None:
        _validation.choice("init", init, ("random",))
    if plan.framing.frames(plan.samples) != plan.frames:
        raise ValueError(
            f"length takes a clip of {plan.frames} frames, got {plan.samples} samples, which "
            f"have {plan.framing.frames(plan.samples)}"
        )
    draw = first_phases(random_state, magnitudes.shape[1:])
    result = _memory.new_array("griffinlim", (len(magnitudes), plan.samples))
    for first in range(0, len(magnitudes), CLIPS_DRAWN):
        chosen = range(first, min(first + CLIPS_DRAWN, len(magnitudes)))
        turns = None if init is None else draw(len(chosen))

        def work(start: int, stop: int, chosen: range = chosen, turns: Turns = turns) -> None:
            for j in range(start, stop):
                begun = None if turns is None else turns[j]
                i = chosen[j]
                plan.find_phase(magnitudes[i], begun, n_iter, momentum, result[i])

        parallel_for(work, len(chosen))
    return result
