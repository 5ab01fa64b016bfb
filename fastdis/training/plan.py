"""How the steps of a run are computed: memory format, arithmetic, compilation, engine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch


@dataclass(frozen=True)
class ExecutionPlan:
    """How the steps are computed. Plans differ in speed and in rounding, not in the mathematics.

    Attributes
    ----------
    memory_format : "contiguous" or "channels_last"
        Of weights and features.
    dtype : "float32", "float64", "bfloat16" or "tf32"
        Of the arithmetic; weights are float64 for ``"float64"`` and float32 otherwise.
    compiled : bool
        Whether ``torch.compile`` compiles the loss.
    engine : "solo", "threads" or "stacked"
        One model; several, each on a thread of its own; several as one batched model.
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
