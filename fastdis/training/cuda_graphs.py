"""A step on a GPU: on a CUDA stream of its own, and captured as one CUDA graph.

A graph is one launch from the host instead of some hundreds.
"""

from __future__ import annotations

import gc
import warnings
from collections import Counter
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from fastdis.training.step import Step

# Steps before a capture: what allocates or tunes itself lazily has then done so.
_STEPS_BEFORE_CAPTURE = 3


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
