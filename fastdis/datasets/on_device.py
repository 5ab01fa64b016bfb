"""Features in the memory of a device, so that a training step need not wait for the host.

Each data set's own ``_fill`` puts them there: rendered and analysed on the device, or copied.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastdis import _memory, _validation
from fastdis.datasets.base import CHUNK, Dataset, Stored

if TYPE_CHECKING:
    import torch
    from torch import Tensor

_DEVICES = "'cpu', 'cuda' or 'cuda:N'"
_COPIED = 2**25  # bytes per copy: one piece is copied while the next is computed
_LEFT_FREE = 1 / 8  # of a GPU's free memory: for rendering, then for training
_INSTEAD = "train from host memory, or from disk with datasets.open_shards"


class OnDevice(Stored):
    """Features in one tensor on a device; made by :meth:`fastdis.datasets.Dataset.on_device`.

    Attributes
    ----------
    tensor : tensor of float32 (N, 1, F, frames)
        The features of all clips.
    """

    def __init__(self, source: Dataset, tensor: Tensor) -> None:
        self._follow(source)
        self.tensor = tensor

    def take(self, rows: Tensor) -> Tensor:
        """Features ``(B, 1, F, frames)`` on the device; the host does not wait for them.

        Parameters
        ----------
        rows : tensor of int64 (B,)
            Indices of clips, on the same device. Only the GPU sees their values: an index beyond
            the data set is a CUDA error there, as in any indexing.

        Raises
        ------
        TypeError, ValueError
            If ``rows`` is not such a tensor, or is elsewhere.
        IndexError
            If a row is beyond the data set, on a CPU.
        """
        import torch

        takes = "rows takes a tensor of int64 of shape (B,)"
        if not isinstance(rows, torch.Tensor):
            raise TypeError(f"{takes}, got {_validation.describe(rows)}")
        if rows.dtype != torch.int64 or rows.ndim != 1:
            raise TypeError(f"{takes}, got shape {tuple(rows.shape)} and dtype {rows.dtype}")
        if rows.device != self.tensor.device:
            raise ValueError(
                f"{takes} on {self.tensor.device}, where the features are, got one on {rows.device}"
            )
        return self.tensor.index_select(0, rows)

    def features(self, indices: ArrayLike | slice) -> NDArray[np.float32]:
        """The features of the clips at ``indices``, ``(B, 1, F, frames)``, back on the host."""
        import torch

        rows = _validation.indices("indices", indices, len(self))
        out = _memory.new_array("features", (len(rows), *self.feature_shape))
        for start in range(0, len(rows), CHUNK):
            part = torch.tensor(rows[start : start + CHUNK], device=self.tensor.device)
            out[start : start + CHUNK] = self.take(part).cpu().numpy()
        return out

    def _fill(self, tensor: Tensor) -> None:
        tensor.copy_(self.tensor)


def on_device(dataset: Dataset, device: str | torch.device) -> OnDevice:
    """See :meth:`fastdis.datasets.Dataset.on_device`."""
    import torch

    place = _place(device)
    if isinstance(dataset, OnDevice) and dataset.tensor.device == place:
        return dataset
    shape = (len(dataset), *dataset.feature_shape)
    _require(place, 4 * prod(shape))
    try:
        # Not inference_mode: a gradient could not flow through what is made in it.
        with torch.no_grad():
            tensor = torch.empty(shape, dtype=torch.float32, device=place)
            dataset._fill(tensor)
        if place.type == "cuda":  # from now on any stream may read it
            torch.cuda.synchronize(place)
    except torch.OutOfMemoryError as error:
        raise MemoryError(
            f"on_device takes {4 * prod(shape) / 1e9:,.1f} GB on {place} and some to work in, "
            f"which is not free; {_INSTEAD}"
        ) from error
    return OnDevice(dataset.source if isinstance(dataset, OnDevice) else dataset, tensor)


def _place(device: str | torch.device) -> torch.device:
    """``device`` with its number."""
    import torch

    if not isinstance(device, str | torch.device):
        raise TypeError(f"device takes {_DEVICES}, got {_validation.describe(device)}")
    try:
        place = torch.device(device)
    except RuntimeError:
        place = torch.device("meta")  # none of ours
    if place.type not in ("cpu", "cuda"):
        raise ValueError(f"device takes {_DEVICES}, got {str(device)!r}")
    if place.type == "cpu":
        return torch.device("cpu")
    count = torch.cuda.device_count()
    index = place.index if place.index is not None else count and torch.cuda.current_device()
    if index >= count:
        raise RuntimeError(f"device {str(device)!r} was asked for; there are {count} CUDA devices")
    return torch.device("cuda", index)


def _require(place: torch.device, need: int) -> None:
    """Raise MemoryError unless the device has room for that many bytes."""
    import torch

    if place.type == "cpu":
        _memory.require("on_device", need, _INSTEAD)
        return
    free = torch.cuda.mem_get_info(place)[0]
    # Memory that torch has reserved and no longer uses counts as free, too.
    free += torch.cuda.memory_reserved(place) - torch.cuda.memory_allocated(place)
    if need > (1 - _LEFT_FREE) * free:
        raise MemoryError(
            f"on_device takes {need / 1e9:,.1f} GB of memory on {place} with {_LEFT_FREE:.1%} of "
            f"it left free, got {free / 1e9:,.1f} GB; {_INSTEAD}"
        )


def copy(blocks: Callable[[int, int], NDArray[np.float32]], tensor: Tensor) -> None:
    """Fill the tensor from the host: ``blocks(start, stop)`` are the features of those clips."""
    import torch

    step = max(1, _COPIED // (4 * prod(tensor.shape[1:])))
    for start in range(0, len(tensor), step):
        stop = min(start + step, len(tensor))
        piece = tensor[start:stop]
        host = torch.empty(piece.shape, dtype=piece.dtype, pin_memory=piece.is_cuda)
        np.copyto(host.numpy(), blocks(start, stop))
        piece.copy_(host, non_blocking=True)  # torch keeps pinned memory until the copy is done
