"""The data loader: makes batches of features and noise one ahead of the step that takes them.

A batch is a function of the seed, the epoch and the number of the batch, and of nothing else: not
of the steps before it, the device, or the models and processes that train at the same time.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fastdis.datasets import Dataset, OnDevice
from fastdis.datasets._prefetch import ahead
from fastdis.synthesis import noise as philox_noise
from fastdis.training.batches import Indices
from fastdis.training.distributed import ProcessGroup
from fastdis.training.state import TrainState
from fastdis.training.step import ExecutionPlan

# Noise streams, distinct from each other and from those of data sets, whose key is a seed alone.
_TRAINING, _VALIDATION = 1, 2


@dataclass(frozen=True)
class Batch:
    """What one step of M models takes."""

    indices: Indices  # (M, B): the clips of the whole batch, over all processes
    x: Tensor  # (M, b, C, F, frames): the features of this process's clips
    noise: Tensor  # (M, draws, b, D): standard normal numbers

    def __len__(self) -> int:
        return int(self.indices.shape[1])


class Loader:
    """Makes batches of ``dataset`` in a thread of its own, one ahead, in the plan's dtype.

    ``noise_shape`` is ``(draws per clip, size of the code)``; ``shard`` are the clips of a batch
    that this process takes; ``waited`` counts the seconds spent waiting for a batch.
    """

    def __init__(
        self, dataset: Dataset, device: torch.device, plan: ExecutionPlan,
        noise_shape: tuple[int, int], shard: slice = slice(None),
    ) -> None:  # fmt: skip
        self.dataset, self.device, self.plan = dataset, device, plan
        self.noise_shape, self.shard = noise_shape, shard
        self.waited = 0.0
        self._numbered_device = torch.empty(0, device=device).device
        self.pins = device.type == "cuda"
        self.copies: Any = torch.cuda.Stream(device) if self.pins else None  # type: ignore[no-untyped-call]

    def training(
        self, batches: Sequence[Sequence[Indices]], seeds: Sequence[int], epoch: int, first: int
    ) -> Generator[Batch, None, None]:
        """The batches of an epoch from number ``first`` on; ``batches[m]`` are those of model m."""
        streams = [(seed, _TRAINING, epoch) for seed in seeds]
        return self._one_ahead(batches, streams, range(first, len(batches[0])), self.shard)

    def validation(
        self, batches: Sequence[Indices], seeds: Sequence[int]
    ) -> Generator[Batch, None, None]:
        """Held-out batches: the same clips for every model, the same noise in every epoch.

        The processes take whole batches in turn.
        """
        streams = [(seed, _VALIDATION) for seed in seeds]
        numbers = range(*self.shard.indices(len(batches)))
        return self._one_ahead([batches] * len(seeds), streams, numbers, slice(None))

    def _one_ahead(
        self, batches: Sequence[Sequence[Indices]], streams: Sequence[tuple[int, ...]],
        numbers: range, shard: slice,
    ) -> Generator[Batch, None, None]:  # fmt: skip
        keys = [philox_noise.key(stream) for stream in streams]
        with closing(ahead((self._make(batches, keys, n, shard) for n in numbers), 1)) as made:
            for _ in numbers:
                start = time.perf_counter()
                batch, ready = next(made)
                if ready is not None:  # the step waits for the copy to the device, not the host
                    stream = torch.cuda.current_stream(self.device)
                    stream.wait_event(ready)
                    for tensor in (batch.x, batch.noise):  # keep the memory until the step has read
                        tensor.record_stream(stream)
                self.waited += time.perf_counter() - start
                yield batch

    def _make(
        self, batches: Sequence[Sequence[Indices]], keys: Sequence[int], number: int, shard: slice
    ) -> tuple[Batch, Any]:
        indices = np.stack([of_model[number] for of_model in batches])
        draws, size = self.noise_shape
        shape = (draws, indices.shape[1], size)
        noise = np.stack([philox_noise.normals(key, number, shape) for key in keys])
        here = indices[:, shard]
        host = torch.from_numpy(noise[:, :, shard])
        if not self.pins:
            return Batch(indices, self._cast(self._features(here)), self._cast(host)), None
        with torch.cuda.stream(self.copies):
            x = self._cast(self._features(here))
            batch = Batch(indices, x, self._cast(self._send(host.contiguous())))
            ready = self.copies.record_event()
        return batch, ready

    def _features(self, indices: Indices) -> Tensor:
        """``(M, b, C, F, frames)``; batches that are the same for every model are made once."""
        flat = indices.reshape(-1)
        shared = len(indices) > 1 and bool((indices == indices[0]).all())
        if shared:
            flat = indices[0]
        x: Tensor
        data = self.dataset
        if isinstance(data, OnDevice) and data.tensor.device == self._numbered_device:
            x = data.take(self._send(torch.from_numpy(np.ascontiguousarray(flat))))
        else:
            x = self._send(torch.from_numpy(data.features(flat)))
        if shared:
            return x.expand(len(indices), *x.shape)
        return x.reshape(*indices.shape, *x.shape[1:])

    def _send(self, host: Tensor) -> Tensor:
        return host.pin_memory().to(self.device, non_blocking=True) if self.pins else host

    def _cast(self, values: Tensor) -> Tensor:
        return values.to(self.plan.torch_dtype)


def make_loader(
    state: TrainState, dataset: Dataset, device: torch.device, plan: ExecutionPlan,
    processes: ProcessGroup,
) -> Loader:  # fmt: skip
    """The loader for a model and its objective."""
    noise_shape = (state.objective.draws, state.model.latent_dim)
    return Loader(dataset, device, plan, noise_shape, processes.shard)
