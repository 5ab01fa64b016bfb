"""Several processes on one batch: each takes every W-th clip of it, and gradients are averaged.

``torchrun --nproc-per-node W -m fastdis train ...`` starts them. Terms that compare clips see the
codes of the whole batch, so the loss is that of one process with the same batch. One message a step
carries gradients, terms and the wish to stop: these models are small, and latency is what counts.
"""

from __future__ import annotations

import atexit
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, distributed

from fastdis import objectives
from fastdis.objectives import Rows
from fastdis.training.state import Trainee


class Processes:
    """Those that train together; one by itself where torchrun did not start more, or if ``alone``.

    The group of them is joined once and left when the process ends; one that the caller has made is
    taken as it is.

    Attributes
    ----------
    rank, size : int
        Which this is, and of how many.
    """

    def __init__(self, device: torch.device, *, alone: bool = False) -> None:
        self.rank, self.size = (0, 1) if alone else place()
        self.device = device
        self.stopping = torch.zeros((), device=device)
        if self.size > 1 and not _joined():
            on_gpu = device.type == "cuda"
            distributed.init_process_group(
                "nccl" if on_gpu else "gloo", device_id=device if on_gpu else None
            )
            atexit.register(_leave)

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

    def hold_alike(self, told: Mapping[str, Any]) -> None:
        """Compare what this process was told of the run with what the first one was.

        Raises
        ------
        ValueError
            If they differ; the error names the first difference.
        """
        if self.size == 1:
            return
        first, mine = (_flat(each) for each in (self.of_first(told), json.loads(json.dumps(told))))
        for key in sorted(first.keys() | mine.keys()):
            if first.get(key) != mine.get(key):
                raise ValueError(
                    f"process {self.rank} of {self.size} was given another run than the first: "
                    f"{key} is {mine.get(key)!r}, there {first.get(key)!r}"
                )

    def of_first(self, value: Any) -> Any:
        """What the first process has for ``value``: anything that JSON can hold."""
        if self.size == 1:
            return value
        data = torch.frombuffer(bytearray(json.dumps(value).encode()), dtype=torch.uint8)
        size = torch.tensor(len(data), device=self.device)
        distributed.broadcast(size, 0)
        data = data.to(self.device) if self.first else data.new_empty(int(size), device=self.device)
        distributed.broadcast(data, 0)
        return json.loads(bytes(data.tolist()))

    def follow_first(self, trainee: Trainee) -> None:
        """Take its weights, and the state of its optimizers."""
        if self.size == 1:
            return
        states = [state for each in trainee.optimizers for state in each.state.values()]
        with torch.no_grad():
            for tensor in (
                *trainee.model.state_dict().values(),
                *trainee.objective.state_dict().values(),
                *(value for state in states for value in state.values()),
            ):
                message = tensor.contiguous().to(self.device)
                distributed.broadcast(message, 0)
                tensor.copy_(message)

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
            wish = torch.full_like(terms[:1], float(bool(wants_to_stop)))  # no wait for a GPU
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


def _flat(told: Mapping[str, Any]) -> dict[str, Any]:
    """``{"config": {"seed": 0}}`` as ``{"config seed": 0}``."""
    result: dict[str, Any] = {}
    for key, value in told.items():
        if isinstance(value, Mapping):
            result |= {f"{key} {inner}": each for inner, each in value.items()}
        else:
            result[key] = value
    return result


def _joined() -> bool:
    return distributed.is_available() and distributed.is_initialized()


def _leave() -> None:
    if _joined():
        distributed.destroy_process_group()


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
        # In arithmetic progression, and so without a copy from the host.
        first = min((self.rank - self.whole.start) % self.size, len(self.whole))  # or none
        return torch.arange(first, len(self.whole), self.size, device=codes.device)


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


def take_whole_batches(runs: Iterable[Trainee]) -> None:
    for run in runs:
        run.objective.rows = objectives.Rows()


def place() -> tuple[int, int]:
    """Which process this is, and of how many: of the caller's group, or as torchrun says."""
    if _joined():
        return distributed.get_rank(), distributed.get_world_size()
    size = int(os.environ.get("WORLD_SIZE", "1"))
    return (int(os.environ.get("RANK", "0")), size) if size > 1 else (0, 1)
