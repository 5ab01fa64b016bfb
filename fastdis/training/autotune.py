"""Autotuning: time a few steps of each candidate plan on the real batch and keep the fastest.

A candidate counts only if its gradient agrees with that of plain float32. Which plan is the fastest
depends on the machine: on a CPU channels-last pays for most of these convolutions and
``torch.compile`` for few of them; on a GPU it is often the other way round.
"""

from __future__ import annotations

import copy
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import torch

from fastdis.training.config import MEASURE, TrainConfig
from fastdis.training.engines import can_be_stacked, make_engine, uses_torch_generator
from fastdis.training.loader import Batch
from fastdis.training.state import TrainState
from fastdis.training.step import ExecutionPlan

AUTO = "auto"  # an engine by a fixed rule; by measurement if the configuration is tuned
# A gradient of bfloat16 is off by about 1%, a hundredth of how much two batches' gradients differ.
_TOLERANCE = {"float32": 1e-3, "float64": 1e-6, "tf32": 2e-2, "bfloat16": 2e-2}
_SEARCH_SECONDS = {"cpu": 15.0, "cuda": 90.0}
# Shorter runs are not worth a search.
_MIN_RUN_SECONDS, _MIN_RUN_STEPS = 60.0, 50
_TIMED_STEPS, _TIMED_SECONDS = 5, 1.0  # per trial, whichever ends first
_FASTER = 0.97  # of the best time so far: a candidate that takes longer wins by noise alone


@dataclass
class Choice:
    """The plan of a run, why it was chosen, and what was tried.

    ``tried`` has seconds per step by plan, or the reason why a plan was not used.
    """

    plan: ExecutionPlan
    why: str
    tried: dict[str, float | str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The choice as JSON can hold it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, saved: Any) -> Choice:
        """The choice that :meth:`to_dict` gave; a ValueError for anything else."""
        try:
            plan = ExecutionPlan(**saved["plan"])
            return cls(plan, str(saved["why"]), dict(saved["tried"]))
        except (KeyError, TypeError) as error:
            raise ValueError(f"a run's plan.json is not one: {error}") from error


class _TimeLimitError(BaseException):
    """Not an Exception, so that no library catches it as one of its own."""


def choose(
    states: Sequence[TrainState], config: TrainConfig, device: torch.device, engine: str,
    sample: Callable[[ExecutionPlan], Batch], steps: int, processes: int,
) -> Choice:  # fmt: skip
    """The plan for a run of ``steps`` steps on batches such as ``sample`` makes.

    Copies of the models take the trial steps; ``states`` stay as they are.
    """
    default, others = _candidates(states, config, device, engine)
    if not any(others.values()):
        return Choice(default, "as asked for")
    if processes > 1:
        return Choice(default, "several processes must compute the same: nothing was measured")
    if steps <= _MIN_RUN_STEPS:
        return Choice(default, f"a run of {steps} steps is not worth a search")
    start = time.perf_counter()
    first = _time_plan(states, default, device, sample, math.inf)
    if first.seconds * steps < _MIN_RUN_SECONDS:
        seconds = max(1, round(first.seconds * steps))
        return Choice(default, f"a run of about {seconds} s is not worth a search")
    # Eager float32, or float64 for a plan of float64: what other plans must agree with.
    dtype = "float64" if default.dtype == "float64" else "float32"
    eager = ExecutionPlan("contiguous", dtype, False, "threads")
    reference = _time_plan(states, eager, device, sample, math.inf)
    plan, best = default, first.seconds
    tried: dict[str, float | str] = {str(default): best}
    for name, values in others.items():  # one choice after the other, each from the best so far
        found = plan
        for value in values:
            other = replace(plan, **{name: value})
            left = _SEARCH_SECONDS[device.type] - (time.perf_counter() - start)
            result = _measure_or_reason(states, other, device, sample, left, reference)
            tried[str(other)] = result
            if isinstance(result, float) and result < _FASTER * best:
                found, best = other, result
        plan = found
    return Choice(plan, "the fastest that agrees", tried)


def keep(
    choice: Choice, states: Sequence[TrainState], config: TrainConfig, device: torch.device,
    engine: str,
) -> Choice:  # fmt: skip
    """The choice of a run that goes on, with an engine for these models.

    A run that was trained with others may go on alone, and the other way round. A ValueError if the
    requested engine cannot stack the models.
    """
    engines = _engines(states, config, device, MEASURE if engine == AUTO else engine)
    if choice.plan.engine in engines:
        return choice
    return replace(choice, plan=replace(choice.plan, engine=engines[0]))


def _candidates(
    states: Sequence[TrainState], config: TrainConfig, device: torch.device, engine: str
) -> tuple[ExecutionPlan, dict[str, tuple[Any, ...]]]:
    """The default plan, and the values to try instead, in the order in which they are tried."""
    on_gpu = device.type == "cuda"
    dtypes = ("float32", "tf32", "bfloat16") if on_gpu else ("float32", "bfloat16")
    engines = {"engine": _engines(states, config, device, engine)}

    def options(name: str, measured: tuple[str, ...]) -> tuple[str, ...]:
        requested = config.requested(name)
        return measured if requested == MEASURE else (requested,)

    compiled = {"never": (False,), "always": (True,), MEASURE: (False, True)}
    values: dict[str, tuple[Any, ...]] = {
        **(engines if on_gpu else {}),  # what matters most comes first
        "memory_format": options("memory_format", ("channels_last", "contiguous")),
        "dtype": options("dtype", dtypes),
        **engines,
        "compiled": compiled[config.requested("compile")],  # the slowest trial comes last
    }
    default = ExecutionPlan(**{name: each[0] for name, each in values.items()})
    return default, {name: each[1:] for name, each in values.items()}


def _engines(
    states: Sequence[TrainState], config: TrainConfig, device: torch.device, engine: str
) -> tuple[str, ...]:
    """The engines to choose from, the default first.

    On a CPU threads are faster for convolutions, on a GPU a stack for models as small as these.
    """
    if len(states) == 1:
        return ("solo",)
    stackable = can_be_stacked(states)
    if engine == "stacked" and any(map(uses_torch_generator, states)):
        raise ValueError(
            "engine takes 'threads' for a model with dropout that draws from torch's generator, "
            "as a stack would draw other numbers than the model alone; got 'stacked'"
        )
    if engine == "stacked" and not stackable:
        raise ValueError(
            "engine takes 'threads' for runs that differ in an option that is no number of a "
            "term's weight, got 'stacked'"
        )
    if engine not in (AUTO, MEASURE):
        return (engine,)
    if not stackable:
        return ("threads",)
    both = ("stacked", "threads") if device.type == "cuda" else ("threads", "stacked")
    return both if MEASURE in (engine, config.tune) else both[:1]


@dataclass
class _Trial:
    """Seconds per step, and the gradients of the first step."""

    seconds: float
    gradients: list[torch.Tensor]


def _measure_or_reason(
    states: Sequence[TrainState], plan: ExecutionPlan, device: torch.device,
    sample: Callable[[ExecutionPlan], Batch], left: float, reference: _Trial,
) -> float | str:  # fmt: skip
    """Seconds per step, or the reason why this plan cannot be used."""
    if left <= 0:
        return "no time left to try it"
    try:
        trial = _time_plan(states, plan, device, sample, left)
    except _TimeLimitError:
        return f"not ready within {left:.0f} s"
    except Exception as failure:  # of any kind: a compiler or a kernel may be missing
        return " ".join(f"{type(failure).__name__}: {failure}".split())[:200]
    error = _relative_error(trial.gradients, reference.gradients)
    agrees = error <= _TOLERANCE[plan.dtype]  # False for NaN
    return trial.seconds if agrees else f"its gradient is off by {error:.1e}"


def _time_plan(
    states: Sequence[TrainState], plan: ExecutionPlan, device: torch.device,
    sample: Callable[[ExecutionPlan], Batch], limit: float,
) -> _Trial:  # fmt: skip
    """The first gradients of copies of the models, and the median time of later steps."""
    copies = [
        TrainState(copy.deepcopy(each.model), copy.deepcopy(each.objective), each.config)
        for each in states
    ]
    for each in copies:
        each.move_to(plan, device)
    batch = sample(plan)
    step = torch.zeros((), dtype=torch.int64, device=device)
    with _time_limit(limit if plan.compiled and device.type == "cpu" else math.inf):
        engine = make_engine(copies, plan, device)
        try:
            engine.train(True)
            engine.step(batch.x, batch.noise, step)
            gradients = [gradient.double() for gradient in engine.gradients()]
            seconds = _seconds_per_step(lambda: engine.step(batch.x, batch.noise, step), device)
        finally:
            engine.close()
    return _Trial(seconds, gradients)


def _seconds_per_step(step: Callable[[], object], device: torch.device) -> float:
    for _ in range(5 if device.type == "cuda" else 1):  # the third is captured
        step()
    times: list[float] = []
    while len(times) < _TIMED_STEPS and sum(times) < _TIMED_SECONDS:
        _synchronize(device)
        start = time.perf_counter()
        step()
        _synchronize(device)
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def _synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _relative_error(found: list[torch.Tensor], exact: list[torch.Tensor]) -> float:
    """The distance of the gradients over the length of the exact ones; of the worst model."""
    off = sum((a - b).square().sum(dim=1) for a, b in zip(found, exact, strict=True))
    size = sum(b.square().sum(dim=1) for b in exact)
    return float(torch.sqrt(torch.as_tensor(off) / torch.as_tensor(size)).max())


@contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    """Stop what takes longer, by SIGALRM: in the main thread, where signals arrive, and only there.

    An alarm that the caller has set still comes, at its time.
    """
    if math.isinf(seconds) or threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_: object) -> None:
        raise _TimeLimitError

    before, start = signal.signal(signal.SIGALRM, stop), time.monotonic()
    callers, interval = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    except _TimeLimitError:
        with suppress(Exception):
            torch._dynamo.reset()
        raise
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)
        if callers > 0:  # restore the caller's alarm; if its time is past, it comes at once
            left = max(callers - (time.monotonic() - start), 1e-6)
            signal.setitimer(signal.ITIMER_REAL, left, interval)
