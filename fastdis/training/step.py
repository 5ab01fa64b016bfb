"""One optimisation step: the terms of the loss, their gradients, the update of the weights.

A step takes the features, the noise and the number of steps before it, and returns the terms of the
loss without waiting for the device. An :class:`ExecutionPlan` says how it is computed: memory
format, arithmetic, compilation, engine. On a GPU a step runs on a CUDA stream of its own, and is
captured as one CUDA graph: one launch from the host instead of some hundreds.
"""

from __future__ import annotations

import gc
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

Terms = dict[str, Tensor]
LossFunction = Callable[[Tensor, Tensor, Tensor], Terms]
Average = Callable[[Tensor], Tensor]
# Steps before a capture: what allocates or tunes itself lazily has then done so.
_STEPS_BEFORE_CAPTURE = 3


@dataclass(frozen=True)
class ExecutionPlan:
    """How the steps are computed. Plans differ in speed and in rounding, not in the mathematics.

    ``memory_format`` ("contiguous" or "channels_last") is of weights and features; ``dtype``
    ("float32", "float64", "bfloat16" or "tf32") of the arithmetic: weights are float64 for
    "float64" and float32 otherwise. ``compiled``: whether ``torch.compile`` compiles the loss.
    ``engine`` is "solo" (one model), "threads" (several, each on a thread of its own) or "stacked"
    (several as one batched model).
    """

    memory_format: str = "channels_last"
    dtype: str = "float32"
    compiled: bool = False
    engine: str = "solo"

    @property
    def torch_memory_format(self) -> torch.memory_format:
        """``memory_format`` for torch."""
        last = self.memory_format == "channels_last"
        return torch.channels_last if last else torch.contiguous_format

    @property
    def torch_dtype(self) -> torch.dtype:
        """The dtype of weights, features and noise."""
        return torch.float64 if self.dtype == "float64" else torch.float32

    def __str__(self) -> str:
        how = "compiled" if self.compiled else "eager"
        return ", ".join((self.engine, self.memory_format, self.dtype, how))


@contextmanager
def tensor_cores(plan: ExecutionPlan, device: torch.device) -> Iterator[None]:
    """On a GPU, allow TF32 where the plan asks for it; restore torch's settings afterwards."""
    if device.type != "cuda":
        yield
        return
    settings: tuple[Any, ...] = (torch.backends.cudnn, torch.backends.cuda.matmul)
    before = [each.allow_tf32 for each in settings]
    try:
        for each in settings:
            each.allow_tf32 = plan.dtype in ("tf32", "bfloat16")
        yield
    finally:
        for each, was in zip(settings, before, strict=True):
            each.allow_tf32 = was


def autocast(plan: ExecutionPlan, device: torch.device) -> torch.autocast:
    """Mixed precision where the plan's dtype is bfloat16; no change otherwise."""
    return torch.autocast(device.type, torch.bfloat16, enabled=plan.dtype == "bfloat16")


class LossTerms(nn.Module):
    """A model and its objective as one module: ``(x, noise, step)`` to the terms of the loss."""

    def __init__(self, model: nn.Module, objective: nn.Module) -> None:
        super().__init__()
        self.model, self.objective = model, objective

    def forward(self, x: Tensor, noise: Tensor, step: Tensor) -> Terms:
        """The terms of one batch."""
        terms: Terms = self.objective(self.model, x, noise, step)
        return terms


class Step:
    """Forward pass, backward pass and update of all weights of ``optimizers``.

    ``loss_terms`` maps ``(x, noise, step)`` to terms, each a scalar or ``(M,)``; ``keys`` are their
    names in the last step. In a group of processes, ``average`` averages the gradients over the
    group before the update, and maps the terms ``(T,)`` of this process to those of the batch.
    """

    def __init__(
        self, loss_terms: LossFunction, optimizers: Sequence[torch.optim.Optimizer],
        plan: ExecutionPlan, device: torch.device, average: Average | None = None,
    ) -> None:  # fmt: skip
        self.keys: list[str] = []
        self.optimizers, self.plan, self.device, self.average = optimizers, plan, device, average
        self.eager = loss_terms
        self.loss_terms = torch.compile(loss_terms, fullgraph=True) if plan.compiled else loss_terms

    def __call__(self, x: Tensor, noise: Tensor, step: Tensor) -> Tensor:
        """Take a step; returns the terms before the update, float64 ``(T,)`` or ``(T, M)``."""
        for optimizer in self.optimizers:
            optimizer.zero_grad(set_to_none=True)
        with tensor_cores(self.plan, self.device):
            with autocast(self.plan, self.device):
                terms = self.loss_terms(x, noise, step)
            total = terms["loss"]
            if "discriminator" in terms:
                total = total + terms["discriminator"]
            torch.autograd.backward(total.sum())
        self.keys = list(terms)
        values = torch.stack(list(terms.values())).detach().double()
        if self.average is not None:
            values = self.average(values)
        for optimizer in self.optimizers:
            optimizer.step()
        return values

    def terms(self, x: Tensor, noise: Tensor, step: Tensor) -> Tensor:
        """The same terms without an update."""
        with torch.no_grad(), tensor_cores(self.plan, self.device), autocast(
            self.plan, self.device
        ):  # fmt: skip
            terms = self.eager(x, noise, step)
        self.keys = list(terms)
        return torch.stack(list(terms.values())).double()

    def wait(self) -> None:
        """Let later work on the present CUDA stream wait for this step; nothing on a CPU."""

    def close(self) -> None:
        """Free what the step keeps on the device; nothing on a CPU."""


class CapturedStep(Step):
    """A step as a CUDA graph for each shape of batch, and on a stream of its own.

    Graphs that were captured on one stream share the workspace of its matrix products and may not
    run at once; hence one stream per step. In a group of processes a step is not captured.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.stream: Any = torch.cuda.Stream(self.device)  # type: ignore[no-untyped-call]
        self.can_be_captured = self.average is None
        self.graphs: dict[torch.Size, _Graph] = {}
        self._taken: Counter[torch.Size] = Counter()

    def __call__(self, x: Tensor, noise: Tensor, step: Tensor) -> Tensor:
        """As :meth:`Step.__call__`, on the step's own stream; see :meth:`wait`."""
        self.stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self.stream):
            if not self.can_be_captured:
                return super().__call__(x, noise, step)
            graph = self.graphs.get(x.shape)
            if graph is None and self._taken[x.shape] >= _STEPS_BEFORE_CAPTURE:
                graph = self._capture(x, noise, step)
            if graph is not None:
                return graph(x, noise, step)
            self._taken[x.shape] += 1
            return super().__call__(x, noise, step)

    def wait(self) -> None:
        """Let later work on the present stream wait for this step."""
        torch.cuda.current_stream().wait_stream(self.stream)

    def close(self) -> None:
        """Free the graphs and their memory."""
        self.graphs.clear()

    def _capture(self, *arguments: Tensor) -> _Graph | None:
        """The step as a graph; None, and a warning, where something in it cannot be captured."""
        try:
            graph = _Graph(super().__call__, self.stream, *arguments)
        except RuntimeError as error:  # nothing has been executed
            torch.cuda.synchronize()
            self.can_be_captured = False
            reason = str(error).splitlines()[0]
            warnings.warn(f"steps are not captured as a CUDA graph: {reason}", stacklevel=2)
            return None
        self.graphs[arguments[0].shape] = graph
        return graph


class _Graph:
    """A captured step with the memory of its inputs and outputs."""

    def __init__(self, run: Callable[..., Tensor], stream: Any, *arguments: Tensor) -> None:
        self.inputs = [argument.clone() for argument in arguments]
        self.graph = torch.cuda.CUDAGraph()
        gc.collect()  # an earlier graph must not be destroyed during the capture
        torch.cuda.synchronize()
        # The loader's thread may allocate memory meanwhile.
        with torch.cuda.graph(self.graph, stream=stream, capture_error_mode="thread_local"):
            self.terms = run(*self.inputs)

    def __call__(self, *arguments: Tensor) -> Tensor:
        for own, given in zip(self.inputs, arguments, strict=True):
            own.copy_(given, non_blocking=True)
        self.graph.replay()
        return self.terms.clone()
