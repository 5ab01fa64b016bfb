"""One optimisation step of one model or of a stack of them: eager, compiled, captured.

A step takes the features, the noise and the number of steps before it, and gives the terms of the
loss without waiting for the device.
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
from torch import Tensor

# Steps before a capture: what allocates or tunes itself lazily has then done so.
_BEFORE_CAPTURE = 3
TermsOf = Callable[[Tensor, Tensor, Tensor], dict[str, Tensor]]


@dataclass(frozen=True)
class Plan:
    """How the steps are computed; nothing of what they compute, but for rounding.

    Attributes
    ----------
    memory_format : "contiguous" or "channels_last"
    dtype : "float32", "float64", "bfloat16" or "tf32"
    compiled : bool
        By ``torch.compile``.
    engine : "solo", "threads" or "stacked"
        One model; several, each on a thread of its own; several as one batched model.
    """

    memory_format: str = "channels_last"
    dtype: str = "float32"
    compiled: bool = False
    engine: str = "solo"

    @property
    def format(self) -> torch.memory_format:
        """For torch."""
        last = self.memory_format == "channels_last"
        return torch.channels_last if last else torch.contiguous_format

    @property
    def kind(self) -> torch.dtype:
        """Of weights, features and noise."""
        return torch.float64 if self.dtype == "float64" else torch.float32

    def __str__(self) -> str:
        how = "compiled" if self.compiled else "eager"
        return ", ".join((self.engine, self.memory_format, self.dtype, how))


@contextmanager
def _tensor_cores(plan: Plan, device: torch.device) -> Iterator[None]:
    """TF32 where the plan has it, and the caller's choice again afterwards."""
    if device.type != "cuda":
        yield
        return
    flags: tuple[Any, ...] = (torch.backends.cudnn, torch.backends.cuda.matmul)
    before = [flag.allow_tf32 for flag in flags]
    try:
        for flag in flags:
            flag.allow_tf32 = plan.dtype in ("tf32", "bfloat16")
        yield
    finally:
        for flag, was in zip(flags, before, strict=True):
            flag.allow_tf32 = was


def _autocast(plan: Plan, device: torch.device) -> torch.autocast:
    return torch.autocast(device.type, torch.bfloat16, enabled=plan.dtype == "bfloat16")


class Step:
    """Forward, backward, update.

    Parameters
    ----------
    terms_of
        ``(x, noise, step) -> terms``, each a scalar or ``(M,)``.
    optimizers
        Of all that the terms depend on.
    plan, device
        How and where.
    join
        Called between backward and update with the terms ``(T,)``, where other processes have their
        part of the batch; returns the terms of the whole.
    """

    def __init__(
        self, terms_of: TermsOf, optimizers: Sequence[torch.optim.Optimizer], plan: Plan,
        device: torch.device, join: Callable[[Tensor], Tensor] | None = None,
    ) -> None:  # fmt: skip
        self.keys: list[str] = []
        self.raw, self.optimizers, self.plan, self.device = terms_of, optimizers, plan, device
        self.terms_of = torch.compile(terms_of, fullgraph=True) if plan.compiled else terms_of
        self.join = join
        # A stream of its own: graphs that were captured on one stream share the workspace of its
        # matrix products, and may not run at once.
        on_gpu = device.type == "cuda"
        self.stream: Any = torch.cuda.Stream(device) if on_gpu else None  # type: ignore[no-untyped-call]
        self.captures = on_gpu and join is None
        self._captured: dict[torch.Size, _Captured] = {}
        self._seen: Counter[torch.Size] = Counter()

    def __call__(self, x: Tensor, noise: Tensor, step: Tensor) -> Tensor:
        """The terms of the loss before the update, float64 ``(T,)`` or ``(T, M)``.

        On a GPU the work goes to the step's own stream; :meth:`wait` has the present one wait.
        """
        if self.stream is None:
            return self._run(x, noise, step)
        self.stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self.stream):
            if not self.captures:
                return self._run(x, noise, step)
            captured = self._captured.get(x.shape)
            if captured is None and self._seen[x.shape] >= _BEFORE_CAPTURE:
                captured = self._capture(x, noise, step)
            if captured is not None:
                return captured(x, noise, step)
            self._seen[x.shape] += 1
            return self._run(x, noise, step)

    def wait(self) -> None:
        """What comes next on the present stream comes after this step."""
        if self.stream is not None:
            torch.cuda.current_stream().wait_stream(self.stream)

    def close(self) -> None:
        """Let go of the graphs and their memory."""
        self._captured.clear()

    def _capture(self, *arguments: Tensor) -> _Captured | None:
        """The step as a graph; None, and a warning, where something in it cannot be captured."""
        try:
            captured = _Captured(self._run, self.stream, *arguments)
        except RuntimeError as error:  # nothing has been executed
            torch.cuda.synchronize()
            self.captures = False
            reason = str(error).splitlines()[0]
            warnings.warn(f"steps are not captured as a CUDA graph: {reason}", stacklevel=2)
            return None
        self._captured[arguments[0].shape] = captured
        return captured

    def _run(self, x: Tensor, noise: Tensor, step: Tensor) -> Tensor:
        for optimizer in self.optimizers:
            optimizer.zero_grad(set_to_none=True)
        with _tensor_cores(self.plan, self.device):
            with _autocast(self.plan, self.device):
                terms = self.terms_of(x, noise, step)
            total = terms["loss"]
            if "discriminator" in terms:
                total = total + terms["discriminator"]
            torch.autograd.backward(total.sum())
        self.keys = list(terms)
        told = torch.stack(list(terms.values())).detach().double()
        if self.join is not None:
            told = self.join(told)
        for optimizer in self.optimizers:
            optimizer.step()
        return told

    def terms(self, x: Tensor, noise: Tensor, step: Tensor) -> Tensor:
        """The same terms without an update."""
        flags, autocast = _tensor_cores(self.plan, self.device), _autocast(self.plan, self.device)
        with torch.no_grad(), flags, autocast:
            terms = self.raw(x, noise, step)
        self.keys = list(terms)
        return torch.stack(list(terms.values())).double()


class _Captured:
    """A step as one CUDA graph: one launch from the host instead of some hundreds."""

    def __init__(self, run: Callable[..., Tensor], stream: Any, *arguments: Tensor) -> None:
        self.inputs = [argument.clone() for argument in arguments]
        self.graph = torch.cuda.CUDAGraph()
        gc.collect()  # lest a graph of before be destroyed during the capture
        torch.cuda.synchronize()
        # Meanwhile another thread may make the next batch, and ask for memory.
        with torch.cuda.graph(self.graph, stream=stream, capture_error_mode="thread_local"):
            self.told = run(*self.inputs)

    def __call__(self, *arguments: Tensor) -> Tensor:
        for mine, given in zip(self.inputs, arguments, strict=True):
            mine.copy_(given, non_blocking=True)
        self.graph.replay()
        return self.told.clone()
