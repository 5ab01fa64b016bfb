"""Engines take the steps of one model, of several on threads, or of several as one batched model.

Whatever the engine, each model sees its own clips, its own noise and its own weights; engines
differ in speed and in rounding alone. Between steps every model, objective and optimizer is whole,
as if it had been trained alone.
"""

from __future__ import annotations

import copy
import operator
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state
from torch.nn.modules.dropout import _DropoutNd

from fastdis._threads import get_num_threads
from fastdis.training.state import TrainState, optimizers_of, set_rates
from fastdis.training.step import (
    Average,
    CapturedStep,
    ExecutionPlan,
    LossFunction,
    LossTerms,
    Step,
    Terms,
)


class Engine(ABC):
    """Takes one step of each of M models at once; ``x`` and ``noise`` are ``(M, ...)``."""

    states: list[TrainState]
    keys: Sequence[str] = ()  # the names of the T terms that `step` and `terms` returned last

    @abstractmethod
    def step(self, x: Tensor, noise: Tensor, step: Tensor) -> Tensor:
        """Take a step; returns the terms before the update, ``(T, M)``."""

    @abstractmethod
    def terms(self, x: Tensor, noise: Tensor, step: Tensor) -> Tensor:
        """The terms ``(T, M)`` without an update."""

    @abstractmethod
    def close(self) -> None:
        """Free threads and CUDA graphs."""

    def set_rates(self, share: float) -> None:
        """Set every learning rate to a share of its full value."""
        for state in self.states:
            set_rates(state.optimizers, share)

    def train(self, mode: bool) -> None:
        """Switch dropout and batch statistics on or off."""
        for state in self.states:
            state.model.train(mode)

    def gradients(self) -> list[Tensor]:
        """The gradients of the last step: one tensor ``(M, n)`` per weight."""
        per_model = [[w for part in state.weights() for w in part] for state in self.states]
        return [
            torch.stack([_flat(weight.grad, weight) for weight in same])
            for same in zip(*per_model, strict=True)
        ]


class ThreadedEngine(Engine):
    """One or several models, each by itself: on threads of a CPU, on streams of a GPU.

    One model is on the caller's own thread. On a CPU two models on one thread each are faster than
    two in turn on two threads: no thread waits at the end of every operation.
    """

    def __init__(
        self, states: Sequence[TrainState], plan: ExecutionPlan, device: torch.device,
        average: Average | None = None,
    ) -> None:  # fmt: skip
        self.states = list(states)
        self.steps = [
            _step_class(device)(
                LossTerms(state.model, state.objective), state.optimizers, plan, device, average
            )
            for state in states
        ]
        workers = min(len(self.steps), get_num_threads())
        if device.type != "cpu" or any(map(uses_torch_generator, states)):
            workers = 1
        self.threads = torch.get_num_threads()
        self.pool: ThreadPoolExecutor | None = None
        if workers > 1:
            self.pool = ThreadPoolExecutor(workers, "fastdis-model", torch.set_num_threads, (1,))

    def step(self, x: Tensor, noise: Tensor, step: Tensor) -> Tensor:
        """Take a step of each model; returns the terms before the updates, ``(T, M)``."""
        return self._for_each(operator.call, x, noise, step)

    def terms(self, x: Tensor, noise: Tensor, step: Tensor) -> Tensor:
        """The terms ``(T, M)`` without an update."""
        return self._for_each(Step.terms, x, noise, step)

    def _for_each(
        self, method: Callable[..., Tensor], x: Tensor, noise: Tensor, step: Tensor
    ) -> Tensor:
        parts = (self.steps, x, noise, [step] * len(x))
        terms = list(self.pool.map(method, *parts) if self.pool else map(method, *parts))
        for each in self.steps:  # a GPU runs the models' streams side by side
            each.wait()
        self.keys = self.steps[0].keys
        return torch.stack(terms, dim=1)

    def close(self) -> None:
        """Free threads and CUDA graphs, and restore torch's number of threads."""
        for each in self.steps:
            each.close()
        if self.pool is not None:
            self.pool.shutdown()
            self.pool = None
            torch.set_num_threads(self.threads)


class StackedEngine(Engine):
    """Several models as one model with a leading axis, by ``torch.func.vmap``.

    Until the engine is closed, the weights of each model are views of the stack's, so that saving
    and encoding need nothing more.
    """

    def __init__(
        self, states: Sequence[TrainState], plan: ExecutionPlan, device: torch.device
    ) -> None:
        self.states = list(states)
        pairs = [LossTerms(state.model, state.objective) for state in states]
        weights, buffers = stack_module_state(pairs)
        self.base = copy.deepcopy(pairs[0]).to("meta")
        for m, pair in enumerate(pairs):
            for name, weight in pair.named_parameters():
                weight.data = weights[name].data[m]
            for name, buffer in pair.named_buffers():
                buffer.data = buffers[name].data[m]
        first = self.states[0]
        names = {id(weight): name for name, weight in pairs[0].named_parameters()}
        model, objective, adversary = (
            [weights[names[id(weight)]] for weight in part] for part in first.weights()
        )
        self.optimizers = optimizers_of(model, objective, adversary, first.config, device)
        for number, optimizer in enumerate(self.optimizers):
            self._share_state(number, optimizer)
        # This function does not refer to the engine: a circle would keep CUDA graphs alive.
        stacked_terms = _batched(self.base, weights, buffers)
        self.all = _step_class(device)(stacked_terms, self.optimizers, plan, device)

    def _share_state(self, number: int, optimizer: torch.optim.Optimizer) -> None:
        """Copy the state of each model's optimizer into the stack's, and make it a view of that."""
        stacks = [weight for group in optimizer.param_groups for weight in group["params"]]
        for m, state in enumerate(self.states):
            of_model = state.optimizers[number]
            own = [weight for group in of_model.param_groups for weight in group["params"]]
            for stack, weight in zip(stacks, own, strict=True):
                before, views = of_model.state[weight], {}
                for key, value in optimizer.state[stack].items():
                    # All models have taken the same number of steps.
                    views[key] = value if key == "step" else value[m]
                    views[key].copy_(before[key])
                of_model.state[weight] = views

    def step(self, x: Tensor, noise: Tensor, step: Tensor) -> Tensor:
        """Take a step of each model; returns the terms before the updates, ``(T, M)``."""
        terms = self.all(x, noise, step)
        self.all.wait()
        self.keys = self.all.keys
        return terms

    def terms(self, x: Tensor, noise: Tensor, step: Tensor) -> Tensor:
        """The terms ``(T, M)`` without an update."""
        terms = self.all.terms(x, noise, step)
        self.keys = self.all.keys
        return terms

    def set_rates(self, share: float) -> None:
        """Set every learning rate to a share of its full value."""
        set_rates(self.optimizers, share)

    def train(self, mode: bool) -> None:
        """Switch dropout and batch statistics on or off."""
        super().train(mode)
        self.base.model.train(mode)

    def gradients(self) -> list[Tensor]:
        """The gradients of the last step: one tensor ``(M, n)`` per weight."""
        return [
            _flat(weight.grad, weight).reshape(len(weight), -1)
            for optimizer in self.optimizers
            for group in optimizer.param_groups
            for weight in group["params"]
        ]

    def close(self) -> None:
        """Free CUDA graphs, and give each model memory of its own in place of its views."""
        self.all.close()
        for state in self.states:
            for module in (state.model, state.objective):
                for each in (*module.parameters(), *module.buffers()):
                    each.data = each.data.clone()
            for optimizer in state.optimizers:
                for values in optimizer.state.values():
                    values.update({key: value.clone() for key, value in values.items()})


def make_engine(
    states: Sequence[TrainState], plan: ExecutionPlan, device: torch.device,
    average: Average | None = None,
) -> Engine:  # fmt: skip
    """The engine that the plan names; ``average`` is for one model in a group of processes."""
    if plan.engine == "stacked":
        return StackedEngine(states, plan, device)
    return ThreadedEngine(states, plan, device, average)


def can_be_stacked(states: Sequence[TrainState]) -> bool:
    """Whether models differ in weights and buffers alone, and depend on nothing else."""
    first = states[0]
    weighing = dict(first.objective.named_buffers()).keys()
    return not any(map(uses_torch_generator, states)) and all(
        state.model.options() == first.model.options()
        and type(state.objective) is type(first.objective)
        and dict(state.objective.named_buffers()).keys() == weighing
        and state.objective.protocol == first.objective.protocol
        and all(
            value == first.objective.options[key] or key in weighing
            for key, value in state.objective.options.items()
        )
        for state in states
    )


def uses_torch_generator(state: TrainState) -> bool:
    """Whether the model draws from torch's generator, as ``torch.nn.Dropout`` does.

    Threads would draw in another order than one model alone, and a stack would draw other numbers.
    """
    return any(
        isinstance(module, _DropoutNd) or (isinstance(module, nn.RNNBase) and module.dropout > 0)
        for module in state.model.modules()
    )


def _step_class(device: torch.device) -> type[Step]:
    return CapturedStep if device.type == "cuda" else Step


def _batched(base: nn.Module, weights: Any, buffers: Any) -> LossFunction:
    """``base`` over a leading axis of weights, buffers, features and noise."""

    def one(weights: Any, buffers: Any, x: Tensor, noise: Tensor, step: Tensor) -> Any:
        return functional_call(base, (weights, buffers), (x, noise, step))

    every = torch.vmap(one, in_dims=(0, 0, 0, 0, None), randomness="different")

    def stacked_terms(x: Tensor, noise: Tensor, step: Tensor) -> Terms:
        terms: Terms = every(weights, buffers, x, noise, step)
        return terms

    return stacked_terms


def _flat(gradient: Tensor | None, weight: Tensor) -> Tensor:
    return (torch.zeros_like(weight) if gradient is None else gradient).contiguous().flatten()
