"""What a column of a torch tensor holds: its range and its distinct values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fastdis import _validation

if TYPE_CHECKING:
    import torch

_VALUES = 1 << 24  # looked at together: 128 MiB where they are float64


def column_facts(name: str, x: torch.Tensor) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The ranges ``(2, C)`` and which columns hold whole numbers alone.

    Raises
    ------
    ValueError
        If a value is not finite.
    """
    import torch

    parts = []
    for rows in blocks(x):
        block = x[rows]
        low, high = torch.aminmax(block, dim=0)
        whole = (block == torch.floor(block)).all(dim=0)
        finite = torch.isfinite(block).all().expand_as(whole)
        parts.append(torch.stack([y.double() for y in (low, high, whole, finite)]))
    facts: NDArray[np.float64] = torch.stack(parts).cpu().numpy()
    for rows, fine in zip(blocks(x), facts[:, 3], strict=True):
        if not fine.all():
            _validation.finite(name, x[rows].cpu().numpy(), first_row=rows.start)
    ends = np.stack([facts[:, 0].min(axis=0), facts[:, 1].max(axis=0)])
    return ends, facts[:, 2].min(axis=0) == 1.0


def distinct_columns(
    x: torch.Tensor, columns: Sequence[int], limit: int
) -> list[NDArray[np.float64] | None]:
    """The distinct values of some columns in rising order; None of one with over ``limit``."""
    import torch

    result: list[NDArray[np.float64] | None] = []
    for c in columns:
        known = x[:0, c]
        for rows in blocks(x[:, :1]):
            known = torch.unique(torch.cat([known, x[rows, c] + 0]))  # -0.0 + 0 is 0.0
            if len(known) > limit:
                break
        result.append(known.double().cpu().numpy() if len(known) <= limit else None)
    return result


def blocks(*tensors: torch.Tensor) -> Iterator[slice]:
    rows = max(1, _VALUES // sum(x.shape[1] for x in tensors))
    for start in range(0, len(tensors[0]), rows):
        yield slice(start, min(start + rows, len(tensors[0])))
