"""Several processes on one batch: each takes every W-th clip of it, and gradients are averaged.

``torchrun --nproc-per-node W -m fastdis train ...`` starts them. Terms that compare clips see the
codes of the whole batch, so the loss is that of one process with the same batch. One message per
step carries gradients, terms and the request to stop: the models are small, and latency dominates.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, distributed

from fastdis.objectives import Reduction
from fastdis.training.state import TrainState
from fastdis.training.step import Average


class ProcessGroup:
    """The processes that train one model together; a single one without torchrun or if ``alone``.

    ``rank`` is the number of this process, ``size`` how many there are. The group is initialised
    once and destroyed when the process ends; a group of the caller is used and left to the caller.
    """

    def __init__(self, device: torch.device, *, alone: bool = False) -> None:
        self.rank, self.size = (0, 1) if alone else rank_and_size()
        self.device = device
        self.stop_requests = torch.zeros((), device=device)
        if self.size > 1 and not _initialized():
            on_gpu = device.type == "cuda"
            distributed.init_process_group(
                "nccl" if on_gpu else "gloo", device_id=device if on_gpu else None
            )
            atexit.register(_destroy)

    @property
    def is_first(self) -> bool:
        """Whether this process writes files and shows progress."""
        return self.rank == 0

    @property
    def shard(self) -> slice:
        """The clips of a batch that this process takes."""
        return slice(self.rank, None, self.size)

    def barrier(self) -> None:
        """Wait until all processes are here."""
        if self.size > 1:
            distributed.barrier()

    def check_same(self, description: Mapping[str, Any]) -> None:
        """Raise a ValueError that names the first difference from the first process's run."""
        if self.size == 1:
            return
        first, own = (_flat(each) for each in (self.broadcast_object(description), description))
        for key in sorted(first.keys() | own.keys()):
            if first.get(key) != own.get(key):
                raise ValueError(
                    f"process {self.rank} of {self.size} was given another run than the first: "
                    f"{key} is {own.get(key)!r}, there {first.get(key)!r}"
                )

    def broadcast_object(self, value: Any) -> Any:
        """The first process's ``value``, in every process."""
        if self.size == 1:
            return value
        values = [value]
        distributed.broadcast_object_list(values, src=0, device=self.device)
        return values[0]

    def broadcast_state(self, state: TrainState) -> None:
        """Copy the first process's weights and the state of its optimizers to every process."""
        if self.size == 1:
            return
        of_optimizers = [values for each in state.optimizers for values in each.state.values()]
        with torch.no_grad():
            for tensor in (
                *state.model.state_dict().values(),
                *state.objective.state_dict().values(),
                *(value for values in of_optimizers for value in values.values()),
            ):
                message = tensor.contiguous().to(self.device)
                distributed.broadcast(message, 0)
                tensor.copy_(message)

    def shard_batch(self, objective: Any, clips: int) -> None:
        """Let an objective reduce over the processes, for a batch of so many clips in all."""
        if self.size > 1:
            objective.reduction = ShardedReduction(range(clips), self.rank, self.size)

    def sum(self, values: Tensor) -> Tensor:
        """Each value summed over the processes."""
        if self.size > 1:
            distributed.all_reduce(values)
        return values

    def gradient_average(self, state: TrainState, stop: Sequence[object]) -> Average | None:
        """What a step calls before its update: averages gradients and terms over the processes.

        The request to stop, a non-empty ``stop`` in any process, travels in the same message. None
        for a single process.
        """
        if self.size == 1:
            return None
        weights = [weight for part in state.weights() for weight in part]

        def average(terms: Tensor) -> Tensor:
            gradients = [weight.grad for weight in weights if weight.grad is not None]
            request = torch.full_like(terms[:1], float(bool(stop)))  # without waiting for a GPU
            parts = [*gradients, terms, request]
            dtype = gradients[0].dtype
            message = torch.cat([part.detach().reshape(-1).to(dtype) for part in parts])
            distributed.all_reduce(message)
            message /= self.size
            pieces = torch.split(message, [part.numel() for part in parts])
            for gradient, piece in zip(gradients, pieces, strict=False):
                gradient.copy_(piece.view(gradient.shape))
            self.stop_requests = pieces[-1]
            averaged: Tensor = pieces[-2].double()
            return averaged

        return average

    def any_stops(self, stop: Sequence[object]) -> bool:
        """Whether any process had a request to stop at the last step; the same answer in all."""
        return bool(stop) if self.size == 1 else bool(self.stop_requests > 0)


def rank_and_size() -> tuple[int, int]:
    """The number of this process and how many there are: of the caller's group, or torchrun's."""
    if _initialized():
        return distributed.get_rank(), distributed.get_world_size()
    size = int(os.environ.get("WORLD_SIZE", "1"))
    return (int(os.environ.get("RANK", "0")), size) if size > 1 else (0, 1)


def unshard_batches(states: Iterable[TrainState]) -> None:
    """Let objectives reduce over one process again: each batch is whole."""
    for state in states:
        state.objective.reduction = Reduction()


class ShardedReduction(Reduction):
    """The reduction over clips that several processes hold in turn.

    ``whole`` are the numbers of the clips in the batch: of all of it, or of a range of it.
    """

    def __init__(self, whole: range, rank: int, size: int) -> None:
        self.whole, self.rank, self.size = whole, rank, size
        self.own = [clip for clip in whole if clip % size == rank]

    def mean(self, costs: Tensor) -> Tensor:
        """A value whose mean over the processes is the mean over the clips."""
        return costs.sum(dim=0) * (self.size / len(self.whole))

    def sum(self, costs: Tensor) -> Tensor:
        """A value whose mean over the processes is the sum over the clips."""
        return costs.sum(dim=0) * self.size

    def gather(self, codes: Tensor) -> Tensor:
        """The codes of the whole range in its order; gradients flow back to every process."""
        empty = codes.new_zeros((len(self.whole), *codes.shape[1:]))
        whole: Tensor = _AllReduce.apply(empty.index_copy(0, self._places(codes), codes))  # type: ignore[no-untyped-call]
        return whole

    def share(self, codes: Tensor) -> Tensor:
        """This process's clips of the whole range's codes."""
        return codes[self._places(codes)]

    def halves(self, size: int) -> tuple[tuple[slice, Reduction], tuple[slice, Reduction]]:
        """Two halves of the range: where each lies among the clips here, and its reduction."""
        half = len(self.whole) // 2
        first, second = self.whole[:half], self.whole[half : 2 * half]
        parts = [ShardedReduction(part, self.rank, self.size) for part in (first, second)]
        here = [len(part.own) for part in parts]
        return (slice(0, here[0]), parts[0]), (slice(here[0], sum(here)), parts[1])

    def _places(self, codes: Tensor) -> Tensor:
        # In arithmetic progression, and so without a copy from the host.
        first = min((self.rank - self.whole.start) % self.size, len(self.whole))  # or none
        return torch.arange(first, len(self.whole), self.size, device=codes.device)


class _AllReduce(torch.autograd.Function):
    """A sum over the processes, whose gradient is one, too.

    Torch's own, ``torch.distributed.nn.functional.all_reduce``, is deprecated.
    """

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


def _flat(description: Mapping[str, Any]) -> dict[str, Any]:
    """``{"config": {"seed": 0}}`` as ``{"config seed": 0}``."""
    result: dict[str, Any] = {}
    for key, value in description.items():
        if isinstance(value, Mapping):
            result |= {f"{key} {inner}": each for inner, each in value.items()}
        else:
            result[key] = value
    return result


def _initialized() -> bool:
    return distributed.is_available() and distributed.is_initialized()


def _destroy() -> None:
    if _initialized():
        distributed.destroy_process_group()
