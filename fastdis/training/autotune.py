"""Which plan: the fastest, measured on the real batch, whose gradient is the plain one's.

On a CPU channels-last pays for most of these convolutions and ``torch.compile`` for few of them; on
a GPU it is often the other way round. It depends on the machine, so it is tried, within seconds.
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
from fastdis.training.engines import can_be_stacked, draws_its_own, team
from fastdis.training.loader import Batch
from fastdis.training.state import Trainee
from fastdis.training.step import Plan

# A gradient of bfloat16 is off by about 1%, a hundredth of how much two batches' gradients differ.
_AGREES = {"float32": 1e-3, "float64": 1e-6, "tf32": 2e-2, "bfloat16": 2e-2}
_BUDGET = {"cpu": 15.0, "cuda": 90.0}  # seconds of search
_WORTH = 60.0  # seconds that a run takes at least for a search to pay
_FEW_STEPS = 50
_REPEATS, _LONG_ENOUGH = 5, 1.0  # timed steps of a trial, or seconds of them
_BETTER = 0.97  # of the best so far, lest noise choose


@dataclass
class Choice:
    """The plan, and what was tried: seconds a step by plan, or why there are none."""

    plan: Plan
    why: str
    tried: dict[str, float | str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, told: Any) -> Choice:
        """What :meth:`to_dict` gave.

        Raises
        ------
        ValueError
            If it is something else.
        """
        try:
            return cls(Plan(**told["plan"]), str(told["why"]), dict(told["tried"]))
        except (KeyError, TypeError) as error:
            raise ValueError(f"a run's plan.json is not one: {error}") from error


class _TooLongError(BaseException):
    """Not an Exception, lest a library take it for its own."""


def choose(
    trainees: Sequence[Trainee], config: TrainConfig, device: torch.device, engine: str,
    sample: Callable[[Plan], Batch], steps: int, processes: int,
) -> Choice:  # fmt: skip
    """The plan for a run of ``steps`` steps on batches such as ``sample`` makes.

    The trainees are left as they are: copies take the steps.
    """
    plain, others = _ways(trainees, config, device, engine)
    if not any(others.values()):
        return Choice(plain, "as asked for")
    if processes > 1:
        return Choice(plain, "several processes have to compute alike: nothing was measured")
    if steps <= _FEW_STEPS:
        return Choice(plain, f"a run of {steps} steps is not worth a search")
    start = time.perf_counter()
    first = _try(trainees, plain, device, sample, math.inf)
    if first.seconds * steps < _WORTH:
        told = f"a run of about {max(1, round(first.seconds * steps))} s is not worth a search"
        return Choice(plain, told)
    exact = _try(trainees, _exact(plain), device, sample, math.inf)
    plan, best = plain, first.seconds
    tried: dict[str, float | str] = {str(plain): best}
    for name, values in others.items():  # one choice after the other, each beside the best so far
        found = plan
        for value in values:
            other = replace(plan, **{name: value})
            left = _BUDGET[device.type] - (time.perf_counter() - start)
            tried[str(other)] = result = _told(trainees, other, device, sample, left, exact)
            if isinstance(result, float) and result < _BETTER * best:
                found, best = other, result
        plan = found
    return Choice(plan, "the fastest that agrees", tried)


def go_on(choice: Choice, trainees: Sequence[Trainee], device: torch.device, engine: str) -> Choice:
    """The choice of a run so far, with an engine that these trainees can have.

    A run that was one of many may go on alone, one that was alone beside others.

    Raises
    ------
    ValueError
        If the engine that was asked for cannot stack them.
    """
    engines = _engines(trainees, device.type == "cuda", engine)
    if choice.plan.engine in engines:
        return choice
    return replace(choice, plan=replace(choice.plan, engine=engines[0]))


def _ways(
    trainees: Sequence[Trainee], config: TrainConfig, device: torch.device, engine: str
) -> tuple[Plan, dict[str, tuple[Any, ...]]]:
    """The plain plan, and what the configuration lets be tried instead, cheap trials first."""
    on_gpu = device.type == "cuda"
    fast = ("float32", "tf32", "bfloat16") if on_gpu else ("float32", "bfloat16")
    engines = {"engine": _engines(trainees, on_gpu, engine)}
    ways: dict[str, tuple[Any, ...]] = {
        **(engines if on_gpu else {}),  # what matters most first; on a CPU the others do
        "memory_format": _options(config.memory_format, ("channels_last", "contiguous")),
        "dtype": _options(config.dtype, fast),
        **engines,
        "compiled": {"never": (False,), "always": (True,)}.get(config.compile, (False, True)),
    }
    plain = Plan(**{name: values[0] for name, values in ways.items()})
    return plain, {name: values[1:] for name, values in ways.items()}


def _told(
    trainees: Sequence[Trainee], plan: Plan, device: torch.device,
    sample: Callable[[Plan], Batch], left: float, exact: _Trial,
) -> float | str:  # fmt: skip
    """Seconds a step, or why this plan is out of the question."""
    if left <= 0:
        return "no time left to try it"
    try:
        trial = _try(trainees, plan, device, sample, left)
    except _TooLongError:
        return f"not ready within {left:.0f} s"
    except Exception as failure:  # of a compiler or a kernel that is not there, of any kind
        return " ".join(f"{type(failure).__name__}: {failure}".split())[:200]
    off = _distance(trial.gradients, exact.gradients)
    agrees = off <= _AGREES[plan.dtype]  # not so for NaN
    return trial.seconds if agrees else f"its gradient is off by {off:.1e}"


def _engines(trainees: Sequence[Trainee], on_gpu: bool, engine: str) -> tuple[str, ...]:
    if len(trainees) == 1:
        return ("solo",)
    stackable = can_be_stacked(trainees)
    if engine == "stacked" and any(map(draws_its_own, trainees)):
        raise ValueError(
            "engine takes 'threads' for a model with dropout that draws from torch's generator, "
            "as a stack would draw other numbers than the model alone; got 'stacked'"
        )
    if engine == "stacked" and not stackable:
        raise ValueError(
            "engine takes 'threads' for runs that differ in an option that is no number of a "
            "term's weight, got 'stacked'"
        )
    if engine != MEASURE:
        return (engine,)
    if not stackable:
        return ("threads",)
    return ("stacked", "threads") if on_gpu else ("threads", "stacked")


def _options(asked: str, measured: tuple[str, ...]) -> tuple[str, ...]:
    return measured if asked == MEASURE else (asked,)


def _exact(plan: Plan) -> Plan:
    """The plan's arithmetic in float32 at least, eagerly: what the others have to agree with."""
    dtype = "float64" if plan.dtype == "float64" else "float32"
    return Plan("contiguous", dtype, False, "threads")


@dataclass
class _Trial:
    seconds: float
    gradients: list[torch.Tensor]


def _try(
    trainees: Sequence[Trainee], plan: Plan, device: torch.device,
    sample: Callable[[Plan], Batch], at_most: float,
) -> _Trial:  # fmt: skip
    """Steps of copies: the first gradient, and the median time of later steps."""
    copies = [
        Trainee(copy.deepcopy(each.model), copy.deepcopy(each.objective), each.config)
        for each in trainees
    ]
    for each in copies:
        each.place_on(plan, device)
    batch = sample(plan)
    step = torch.zeros((), dtype=torch.int64, device=device)
    with _deadline(at_most if plan.compiled and device.type == "cpu" else math.inf):
        taken = team(copies, plan, device)
        try:
            taken.train(True)
            taken.step(batch.x, batch.noise, step)
            gradients = [gradient.double() for gradient in taken.gradients()]
            seconds = _seconds_a_step(lambda: taken.step(batch.x, batch.noise, step), device)
        finally:
            taken.close()
    return _Trial(seconds, gradients)


def _seconds_a_step(step: Callable[[], object], device: torch.device) -> float:
    for _ in range(5 if device.type == "cuda" else 1):  # the third is captured
        step()
    times: list[float] = []
    while len(times) < _REPEATS and sum(times) < _LONG_ENOUGH:
        _wait(device)
        start = time.perf_counter()
        step()
        _wait(device)
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _distance(found: list[torch.Tensor], exact: list[torch.Tensor]) -> float:
    """Of the gradients of all weights, over their length, of the model that is worst."""
    off = sum((a - b).square().sum(dim=1) for a, b in zip(found, exact, strict=True))
    size = sum(b.square().sum(dim=1) for b in exact)
    return float(torch.sqrt(torch.as_tensor(off) / torch.as_tensor(size)).max())


@contextmanager
def _deadline(seconds: float) -> Iterator[None]:
    """Break off what takes longer; in the main thread, where signals arrive, and nowhere else."""
    if math.isinf(seconds) or threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_: object) -> None:
        raise _TooLongError

    before, start = signal.signal(signal.SIGALRM, stop), time.monotonic()
    callers, interval = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    except _TooLongError:
        with suppress(Exception):
            torch._dynamo.reset()
        raise
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)
        if callers > 0:  # the caller's own alarm, at its time or, if that is past, at once
            left = max(callers - (time.monotonic() - start), 1e-6)
            signal.setitimer(signal.ITIMER_REAL, left, interval)
