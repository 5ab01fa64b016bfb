"""Models that take their steps together: one, several on threads, or several as one batched model.

However it is done, model m of a team sees its own clips, its own noise and its own weights; a team
changes nothing but the time. Between steps every model, objective and optimizer is whole, as if it
had been trained alone.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state
from torch.nn.modules.dropout import _DropoutNd

from fastdis._threads import get_num_threads
from fastdis.training.optimizers import optimizers_of, set_rates
from fastdis.training.state import Trainee
from fastdis.training.step import Plan, Step

Join = Callable[[Tensor], Tensor]
Terms = Callable[[Tensor, Tensor, Tensor], dict[str, Tensor]]


class Team:
    """Trainees in step. ``x`` and ``noise`` hold a part a trainee, ``(M, ...)``."""

    trainees: list[Trainee]
    keys: Sequence[str] = ()

    def step(self, x: Tensor, noise: Tensor, step: Tensor) -> Tensor:
        """Take a step each; the terms before it, ``(T, M)``."""
        raise TypeError("a team is abstract")

    def terms(self, x: Tensor, noise: Tensor, step: Tensor) -> Tensor:
        """The terms ``(T, M)`` without a step."""
        raise TypeError("a team is abstract")

    def set_rates(self, share: float) -> None:
        """Every learning rate at a share of its full value."""
        for trainee in self.trainees:
            set_rates(trainee.optimizers, share)

    def train(self, mode: bool) -> None:
        """Dropout and batch statistics on, or off."""
        for trainee in self.trainees:
            trainee.train(mode)

    def gradients(self) -> list[Tensor]:
        """Of each weight of each trainee, ``(M, n)``; of the last step."""
        each = [[w for part in trainee.weights() for w in part] for trainee in self.trainees]
        return [
            torch.stack([_flat(weight.grad, weight) for weight in same])
            for same in zip(*each, strict=True)
        ]

    def close(self) -> None:
        """Let go of threads."""


class OnThreads(Team):
    """Each trainee by itself, several at once: on threads of a CPU, on streams of a GPU.

    On a CPU two models on a thread each are faster than two in turn on two threads: nothing waits
    at the end of every operation. A team of one is on the caller's own thread or stream.
    """

    def __init__(
        self, trainees: Sequence[Trainee], plan: Plan, device: torch.device,
        join: Join | None = None,
    ) -> None:  # fmt: skip
        self.trainees = list(trainees)
        self.steps = [
            Step(_alone(trainee), trainee.optimizers, plan, device, join) for trainee in trainees
        ]
        workers = min(len(self.steps), get_num_threads())
        if device.type != "cpu" or any(map(draws_its_own, trainees)):
            workers = 1
        self.threads = torch.get_num_threads()
        self.pool: ThreadPoolExecutor | None = None
        if workers > 1:
            self.pool = ThreadPoolExecutor(workers, "fastdis-model", torch.set_num_threads, (1,))

    def step(self, x: Tensor, noise: Tensor, step: Tensor) -> Tensor:
        """Take a step each; the terms before it, ``(T, M)``."""
        return self._each(Step.__call__, x, noise, step)

    def terms(self, x: Tensor, noise: Tensor, step: Tensor) -> Tensor:
        """The terms ``(T, M)`` without a step."""
        return self._each(Step.terms, x, noise, step)

    def _each(self, call: Callable[..., Tensor], x: Tensor, noise: Tensor, step: Tensor) -> Tensor:
        parts = (self.steps, x, noise, [step] * len(x))
        results = list(self.pool.map(call, *parts) if self.pool else map(call, *parts))
        for each in self.steps:  # which a GPU has done side by side
            each.wait()
        self.keys = self.steps[0].keys
        return torch.stack(results, dim=1)

    def close(self) -> None:
        """Let go of threads, and of the number of threads that they were given."""
        for each in self.steps:
            each.close()
        if self.pool is not None:
            self.pool.shutdown()
            self.pool = None
            torch.set_num_threads(self.threads)


class Stacked(Team):
    """All trainees as one model with a leading axis, by ``torch.func.vmap``.

    Until it is closed, the weights of each trainee are views of the stack's, so that saving and
    encoding need nothing more.
    """

    def __init__(self, trainees: Sequence[Trainee], plan: Plan, device: torch.device) -> None:
        self.trainees = list(trainees)
        pairs = [_Pair(trainee.model, trainee.objective) for trainee in trainees]
        weights, buffers = stack_module_state(pairs)
        self.base = copy.deepcopy(pairs[0]).to("meta")
        self.weights, self.buffers = weights, buffers
        for m, pair in enumerate(pairs):
            for name, weight in pair.named_parameters():
                weight.data = weights[name].data[m]
            for name, buffer in pair.named_buffers():
                buffer.data = buffers[name].data[m]
        first = self.trainees[0]
        names = {id(weight): name for name, weight in pairs[0].named_parameters()}
        model, own, theirs = ([weights[names[id(w)]] for w in part] for part in first.weights())
        self.optimizers = optimizers_of(model, own, theirs, first.config, device)
        for number, optimizer in enumerate(self.optimizers):
            self._share_state(number, optimizer)
        # Nothing that refers to self: it goes when the last reference does, with its graphs.
        terms_of = _stacked_terms(self.base, weights, buffers)
        self.inner = Step(terms_of, self.optimizers, plan, device)

    def _share_state(self, number: int, optimizer: torch.optim.Optimizer) -> None:
        """Take the state of the trainees' optimizers, and make theirs views of it."""
        stacks = [weight for group in optimizer.param_groups for weight in group["params"]]
        for m, trainee in enumerate(self.trainees):
            alone = trainee.optimizers[number]
            mine = [weight for group in alone.param_groups for weight in group["params"]]
            for stack, weight in zip(stacks, mine, strict=True):
                state, views = alone.state[weight], {}
                for key, value in optimizer.state[stack].items():
                    # In step, all have taken as many.
                    views[key] = value if key == "step" else value[m]
                    views[key].copy_(state[key])
                alone.state[weight] = views

    def step(self, x: Tensor, noise: Tensor, step: Tensor) -> Tensor:
        """Take a step each; the terms before it, ``(T, M)``."""
        told = self.inner(x, noise, step)
        self.inner.wait()
        self.keys = self.inner.keys
        return told

    def terms(self, x: Tensor, noise: Tensor, step: Tensor) -> Tensor:
        """The terms ``(T, M)`` without a step."""
        told = self.inner.terms(x, noise, step)
        self.keys = self.inner.keys
        return told

    def set_rates(self, share: float) -> None:
        """Every learning rate at a share of its full value."""
        set_rates(self.optimizers, share)

    def train(self, mode: bool) -> None:
        """Dropout and batch statistics on, or off."""
        super().train(mode)
        self.base.model.train(mode)

    def gradients(self) -> list[Tensor]:
        """Of each weight of each trainee, ``(M, n)``; of the last step."""
        return [
            _flat(weight.grad, weight).reshape(len(weight), -1)
            for optimizer in self.optimizers
            for group in optimizer.param_groups
            for weight in group["params"]
        ]

    def close(self) -> None:
        """Let go of the graphs; each trainee gets memory of its own, lest one keep the stack's."""
        self.inner.close()
        for trainee in self.trainees:
            for module in (trainee.model, trainee.objective):
                for each in (*module.parameters(), *module.buffers()):
                    each.data = each.data.clone()
            for optimizer in trainee.optimizers:
                for state in optimizer.state.values():
                    state.update({key: value.clone() for key, value in state.items()})


def can_be_stacked(trainees: Sequence[Trainee]) -> bool:
    """Whether they differ in nothing but weights and buffers, and these are all they depend on."""
    first = trainees[0]
    weighing = dict(first.objective.named_buffers()).keys()
    return not any(map(draws_its_own, trainees)) and all(
        trainee.model.options() == first.model.options()
        and type(trainee.objective) is type(first.objective)
        and dict(trainee.objective.named_buffers()).keys() == weighing
        and trainee.objective.protocol == first.objective.protocol
        and all(
            value == first.objective.options[key] or key in weighing
            for key, value in trainee.objective.options.items()
        )
        for trainee in trainees
    )


def draws_its_own(trainee: Trainee) -> bool:
    """Whether it takes numbers from torch's generator, as torch's own dropout does.

    Threads would not keep their order, and a stack would draw others than each of its models alone.
    """
    return any(
        isinstance(module, _DropoutNd) or (isinstance(module, nn.RNNBase) and module.dropout > 0)
        for module in trainee.model.modules()
    )


def team(
    trainees: Sequence[Trainee], plan: Plan, device: torch.device, join: Join | None = None
) -> Team:  # fmt: skip
    """The team that the plan names."""
    if plan.engine == "stacked":
        return Stacked(trainees, plan, device)
    return OnThreads(trainees, plan, device, join)


def _stacked_terms(base: nn.Module, weights: Any, buffers: Any) -> Terms:
    def one(weights: Any, buffers: Any, x: Tensor, noise: Tensor, step: Tensor) -> Any:
        return functional_call(base, (weights, buffers), (x, noise, step))

    every = torch.vmap(one, in_dims=(0, 0, 0, 0, None), randomness="different")

    def terms(x: Tensor, noise: Tensor, step: Tensor) -> dict[str, Tensor]:
        result: dict[str, Tensor] = every(weights, buffers, x, noise, step)
        return result

    return terms


class _Pair(nn.Module):
    """A model and its objective as one module, for one dictionary of weights."""

    def __init__(self, model: nn.Module, objective: nn.Module) -> None:
        super().__init__()
        self.model, self.objective = model, objective

    def forward(self, x: Tensor, noise: Tensor, step: Tensor) -> Any:
        return self.objective(self.model, x, noise, step)


def _alone(trainee: Trainee) -> Terms:
    def terms(x: Tensor, noise: Tensor, step: Tensor) -> dict[str, Tensor]:
        result: dict[str, Tensor] = trainee.objective(trainee.model, x, noise, step)
        return result

    return terms


def _flat(gradient: Tensor | None, weight: Tensor) -> Tensor:
    return (torch.zeros_like(weight) if gradient is None else gradient).contiguous().flatten()
