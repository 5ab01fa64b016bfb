"""Long clips in overlapping pieces, whose frames fade in and out and sum to what they were.

The inverse is linear, and hardly goes beyond the filters' reach from a frame: so the inverses of
the pieces sum to that of the whole.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_PIECE = 2**16  # samples from the middle of a fade to that of the next, at least
_PER_FADE = 4  # fades' lengths in a piece, at least


@dataclass(frozen=True, eq=False)
class Piece:
    """Frames from ``first`` on, times ``weight``, as a clip of ``samples``."""

    first: int
    samples: int
    weight: NDArray[np.float64]


def pieces(samples: int, hop: int, reach: int) -> list[Piece]:
    """Pieces of a clip, in order, of which only neighbours overlap.

    A fade is as long as the longest filter, ``2 reach``, and half of that in silence follows.
    """
    frames, half = 1 + samples // hop, max(1, -(-reach // hop))
    count = max(1, frames // max(_PIECE // hop, _PER_FADE * 2 * half))
    bounds = [frames * i // count for i in range(count + 1)]
    rise = np.sin(np.pi / (4 * half) * (np.arange(2 * half) + 0.5)) ** 2
    made = []
    for i in range(count):
        start = bounds[i] - 2 * half if i > 0 else 0
        stop = bounds[i + 1] + 2 * half if i + 1 < count else frames
        weight = np.ones(stop - start)
        if i > 0:
            weight[:half], weight[half : 3 * half] = 0, rise
        if i + 1 < count:
            weight[-half:], weight[-3 * half : -half] = 0, rise[::-1]
        last = samples if i + 1 == count else hop * stop - 1
        made.append(Piece(start, last - start * hop, weight))
    return made
