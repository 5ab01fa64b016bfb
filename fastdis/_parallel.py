"""Several processes on one batch: each takes every W-th clip of it, and gradients are averaged.

``torchrun --nproc-per-node W -m fastdis train ...`` starts them. Terms that compare clips see the
codes of the whole batch, so the loss is that of one process with the same batch. One message a step
carries gradients, terms and the wish to stop: these models are small, and latency is what counts.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, distributed

from fastdis._teams import Trainee
from fastdis.objectives import Rows


class Processes:
    """Those that train together; one by itself where torchrun did not start more.

    Attributes
    ----------
    rank, size : int
        Which this is, and of how many.
    """

    def __init__(self, device: torch.device) -> None:
        self.size = int(os.environ.get("WORLD_SIZE", "1"))
        self.rank = int(os.environ.get("RANK", "0")) if self.size > 1 else 0
        self.stopping = torch.zeros((), device=device)
        if self.size > 1 and not distributed.is_initialized():
            distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")

    @property
    def first(self) -> bool:
        """Whether this one writes, and talks."""
        return self.rank == 0

    @property
    def part(self) -> slice:
        """The clips of a batch that are for this process."""
        return slice(self.rank, None, self.size)

    def wait(self) -> None:
        """Until all are here."""
        if self.size > 1:
            distributed.barrier()

    def spread(self, objective: Any, clips: int) -> None:
        """Tell an objective how a batch of so many clips in all lies."""
        if self.size > 1:
            objective.rows = SplitRows(range(clips), self.rank, self.size)

    def sum(self, values: Tensor) -> Tensor:
        """Each value summed over the processes."""
        if self.size > 1:
            distributed.all_reduce(values)
        return values

    def join(
        self, trainees: Sequence[Trainee], wants_to_stop: Sequence[object]
    ) -> Callable[[Tensor], Tensor] | None:
        """What a step calls before its update, to average gradients and terms; None if alone."""
        if self.size == 1:
            return None
        weights = [w for trainee in trainees for part in trainee.weights() for w in part]

        def average(terms: Tensor) -> Tensor:
            gradients = [weight.grad for weight in weights if weight.grad is not None]
            wish = terms.new_tensor([float(bool(wants_to_stop))])
            parts = [*gradients, terms, wish]
            kind = gradients[0].dtype
            message = torch.cat([part.detach().reshape(-1).to(kind) for part in parts])
            distributed.all_reduce(message)
            message /= self.size
            pieces = torch.split(message, [part.numel() for part in parts])
            for gradient, piece in zip(gradients, pieces, strict=False):
                gradient.copy_(piece.view(gradient.shape))
            self.stopping = pieces[-1]
            joined: Tensor = pieces[-2].double()
            return joined

        return average

    def agreed_to_stop(self, wants_to_stop: Sequence[object]) -> bool:
        """Whether any process wanted to at the last step; all get the same answer."""
        return bool(wants_to_stop) if self.size == 1 else bool(self.stopping > 0)


def device_of(device: torch.device) -> torch.device:
    """A GPU of its own for each process of a machine, where ``"cuda"`` was asked for."""
    if device.type == "cuda" and device.index is None and "LOCAL_RANK" in os.environ:
        return torch.device("cuda", int(os.environ["LOCAL_RANK"]))
    return device


class SplitRows(Rows):
    """Rows of a batch, or of a range of it, that lie in several processes in turn."""

    def __init__(self, whole: range, rank: int, size: int) -> None:
        self.whole, self.rank, self.size = whole, rank, size
        self.mine = [row for row in whole if row % size == rank]

    def mean(self, costs: Tensor) -> Tensor:
        """Such that the mean over the processes is that over the clips."""
        return costs.sum(dim=0) * (self.size / len(self.whole))

    def sum(self, costs: Tensor) -> Tensor:
        """Such that the mean over the processes is the sum over the clips."""
        return costs.sum(dim=0) * self.size

    def gather(self, codes: Tensor) -> Tensor:
        """The codes of the whole range in its order; gradients find their way back."""
        empty = codes.new_zeros((len(self.whole), *codes.shape[1:]))
        whole: Tensor = _Sum.apply(empty.index_copy(0, self._places(codes), codes))  # type: ignore[no-untyped-call]
        return whole

    def share(self, codes: Tensor) -> Tensor:
        """What of the whole range's codes is this process's."""
        return codes[self._places(codes)]

    def halves(self, size: int) -> tuple[tuple[slice, Rows], tuple[slice, Rows]]:
        """Two halves of the range: where each lies among the clips here, and its rows."""
        half = len(self.whole) // 2
        first, second = self.whole[:half], self.whole[half : 2 * half]
        rows = [SplitRows(part, self.rank, self.size) for part in (first, second)]
        ours = [len(part.mine) for part in rows]
        return (slice(0, ours[0]), rows[0]), (slice(ours[0], sum(ours)), rows[1])

    def _places(self, codes: Tensor) -> Tensor:
        return torch.tensor([row - self.whole.start for row in self.mine], device=codes.device)


class _Sum(torch.autograd.Function):
    """A sum over the processes, whose gradient is one, too."""

    @staticmethod
    def forward(_: Any, values: Tensor) -> Tensor:
        values = values.clone()
        distributed.all_reduce(values)
        return values

    @staticmethod
    def backward(_: Any, gradient: Tensor) -> Tensor:
        gradient = gradient.contiguous().clone()
        distributed.all_reduce(gradient)
        return gradient
