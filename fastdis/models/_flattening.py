"""Maps of F x frames cells as sequences, cell after cell along a curve, and back."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from fastdis import _validation
from fastdis.features.flattening import ORDERS, flatten_order


class Flattening(nn.Module):
    """``(B, C, F, frames)`` -> ``(B, C, F * frames)`` in a fixed order, the same for every channel.

    Parameters
    ----------
    shape
        ``(C, F, frames)``.
    order
        ``"row"``, ``"column"`` or ``"hilbert"``, see :func:`fastdis.features.flatten_order`.

    Raises
    ------
    TypeError, ValueError
        If the order is unknown.
    """

    order: Tensor
    places: Tensor

    def __init__(self, shape: Sequence[int], order: str) -> None:
        super().__init__()
        self.shape, self.name = tuple(shape), _validation.choice("flatten", order, ORDERS)
        if order != "row":  # the order of the memory
            cells = torch.from_numpy(flatten_order(self.shape[1:], order).copy())
            # The options determine these, so checkpoints do not hold them.
            self.register_buffer("order", cells, persistent=False)
            self.register_buffer("places", torch.argsort(cells), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, C, F, frames)`` -> ``(B, C, F * frames)``."""
        rows = x.flatten(2)
        return rows if self.name == "row" else rows[:, :, self.order]

    def inverse(self, sequence: Tensor) -> Tensor:
        """``(B, C, F * frames)`` -> ``(B, C, F, frames)``."""
        rows = sequence if self.name == "row" else sequence[:, :, self.places]
        return rows.reshape(*rows.shape[:2], *self.shape[1:])
