"""Batches, one ahead of the step that takes them: features, noise, and the time spent waiting.

What a step is given is a function of the seed, the epoch and the number of the batch, and of
nothing else: not of the steps before it, the device, or the models and processes beside it.
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
from fastdis.training.distributed import Processes
from fastdis.training.state import Trainee
from fastdis.training.step import Plan

# Streams apart from each other and from the noise of data sets, which a seed alone names.
_TRAINING, _VALIDATION = 1, 2


@dataclass(frozen=True)
class Batch:
    """What one step takes: a part ``(M, ...)`` for each model of a team.

    ``indices (M, B)`` are the clips of the whole batch, of which another process may have a part.
    """

    indices: Indices
    x: Tensor
    noise: Tensor

    def __len__(self) -> int:
        return int(self.indices.shape[1])


class Feed:
    """Makes batches in a thread of its own, one before its turn.

    Attributes
    ----------
    waited : float
        Seconds for which the taker had to wait.
    """

    def __init__(
        self, dataset: Dataset, device: torch.device, plan: Plan, shape: tuple[int, int],
        part: slice = slice(None),
    ) -> None:  # fmt: skip
        """``shape`` is the noise's (draws, D); ``part`` the clips of a batch that are for here."""
        self.dataset, self.device, self.plan, self.shape, self.part = (
            dataset, device, plan, shape, part,
        )  # fmt: skip
        self.waited = 0.0
        self._place = torch.empty(0, device=device).device  # with its number
        self.pins = device.type == "cuda"
        self.copies: Any = torch.cuda.Stream(device) if self.pins else None  # type: ignore[no-untyped-call]

    def training(
        self, batches: Sequence[Sequence[Indices]], seeds: Sequence[int], epoch: int, first: int
    ) -> Generator[Batch, None, None]:
        """From batch number ``first`` on; ``batches[m]`` are those of model m."""
        streams = [(seed, _TRAINING, epoch) for seed in seeds]
        return self._one_ahead(batches, streams, range(first, len(batches[0])), self.part)

    def validation(
        self, batches: Sequence[Indices], seeds: Sequence[int]
    ) -> Generator[Batch, None, None]:
        """The same clips for every model, and the same noise in every epoch.

        Whole batches go to each process in turn.
        """
        streams = [(seed, _VALIDATION) for seed in seeds]
        numbers = range(*self.part.indices(len(batches)))
        return self._one_ahead([batches] * len(seeds), streams, numbers, slice(None))

    def _one_ahead(
        self, batches: Sequence[Sequence[Indices]], streams: Sequence[tuple[int, ...]],
        numbers: range, part: slice,
    ) -> Generator[Batch, None, None]:  # fmt: skip
        keys = [philox_noise.key(stream) for stream in streams]
        with closing(ahead((self._make(batches, keys, n, part) for n in numbers), 1)) as made:
            for _ in numbers:
                start = time.perf_counter()
                batch, ready = next(made)
                if ready is not None:  # the copy to the device; the step waits for it, not the host
                    taker = torch.cuda.current_stream(self.device)
                    taker.wait_event(ready)
                    for tensor in (batch.x, batch.noise):  # not to be overwritten while it reads
                        tensor.record_stream(taker)
                self.waited += time.perf_counter() - start
                yield batch

    def _make(
        self, batches: Sequence[Sequence[Indices]], keys: Sequence[int], number: int, part: slice
    ) -> tuple[Batch, Any]:
        indices = np.stack([mine[number] for mine in batches])
        draws, size = self.shape
        shape = (draws, indices.shape[1], size)
        noise = np.stack([philox_noise.normals(key, number, shape) for key in keys])
        here = indices[:, part]
        host = torch.from_numpy(noise[:, :, part])
        if not self.pins:
            return Batch(indices, self._kind(self._features(here)), self._kind(host)), None
        with torch.cuda.stream(self.copies):
            x = self._kind(self._features(here))
            batch = Batch(indices, x, self._kind(self._send(host.contiguous())))
            ready = self.copies.record_event()
        return batch, ready

    def _features(self, indices: Indices) -> Tensor:
        """``(M, B, C, F, frames)``; one look at a clip that several models take at once."""
        flat = indices.reshape(-1)
        alike = len(indices) > 1 and bool((indices == indices[0]).all())
        if alike:
            flat = indices[0]
        x: Tensor
        if isinstance(self.dataset, OnDevice) and self.dataset.tensor.device == self._place:
            x = self.dataset.take(self._send(torch.from_numpy(np.ascontiguousarray(flat))))
        else:
            x = self._send(torch.from_numpy(self.dataset.features(flat)))
        if alike:
            return x.expand(len(indices), *x.shape)
        return x.reshape(*indices.shape, *x.shape[1:])

    def _send(self, host: Tensor) -> Tensor:
        return host.pin_memory().to(self.device, non_blocking=True) if self.pins else host

    def _kind(self, values: Tensor) -> Tensor:
        return values.to(self.plan.kind)


def feed_of(
    run: Trainee, dataset: Dataset, device: torch.device, plan: Plan, processes: Processes
) -> Feed:
    shape = (run.objective.draws, run.model.latent_dim)
    return Feed(dataset, device, plan, shape, processes.part)
