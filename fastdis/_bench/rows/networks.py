"""The rows of the networks: steps of the attention RNN against the same function step by step.

Both sides take the same optimisation steps (forward, ELBO, backward, Adam) from the same weights.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from fastdis._bench.measure import Contestant, Row, Scale, Trial, WrongPeerError, pick

if TYPE_CHECKING:  # torch comes with the rows, not with the list of them
    import torch
    from torch import Tensor

LATENT = 20
PEER_AT_MOST = 1e-3  # a gradient of another one's float32, over its length


@dataclass(frozen=True)
class Size:
    """One second or less of a CQT, and how many at once."""

    bins: int
    frames: int
    batch: int

    def __str__(self) -> str:
        return f"{self.bins} x {self.frames}, batches of {self.batch}"


STUDY, SECOND = Size(60, 16, 50), Size(60, 63, 64)


def model_of(size: Size) -> Any:
    """The attention RNN for this size."""
    from fastdis import models

    return models.build("attention_rnn", LATENT, (1, size.bins, size.frames), seed=0)


def batch_of(size: Size) -> tuple[Tensor, Tensor]:
    """Features in [0, 1], and noise for the codes."""
    import torch

    generator = torch.Generator().manual_seed(0)
    x = torch.rand(size.batch, 1, size.bins, size.frames, generator=generator)
    return x, torch.randn(size.batch, LATENT, generator=generator)


def loss_of(dtype: torch.dtype | None = None) -> Callable[[Any, Tensor, Tensor], Tensor]:
    """The ELBO's, of the Gaussian likelihood: of a model, features and noise."""
    import torch

    from fastdis import objectives

    objective, step = objectives.build("vae").to(dtype), torch.zeros((), dtype=torch.int64)

    def loss(model: Any, x: Tensor, noise: Tensor) -> Tensor:
        found: Tensor = objective(model, x, noise, step)["loss"]
        return found

    return loss


def steps_of(model: Any, size: Size, steps: int) -> Callable[[], None]:
    """Takes so many steps at each call, with the heap as training has it."""
    import torch

    from fastdis.training.heap_and_signals import keeping_large_blocks

    (x, noise), loss = batch_of(size), loss_of()
    optimizer = torch.optim.Adam(model.parameters(), fused=True)

    def run() -> None:
        with keeping_large_blocks():
            for _ in range(steps):
                optimizer.zero_grad()
                loss(model, x, noise).backward()  # type: ignore[no-untyped-call]
                optimizer.step()

    return run


def gradient_error(found: Any, exact: Any, size: Size) -> float:
    """How far a gradient is from the float64 one of ``exact``, over its length, at worst."""
    import copy

    import torch

    def gradients(model: Any, dtype: torch.dtype) -> list[Tensor]:
        model = copy.deepcopy(model).to(dtype)
        x, noise = (each.to(dtype) for each in batch_of(size))
        return list(torch.autograd.grad(loss_of(dtype)(model, x, noise), list(model.parameters())))

    pairs = zip(gradients(found, torch.float32), gradients(exact, torch.float64), strict=True)
    return max(float((a - b).norm() / b.norm()) for a, b in pairs)


def multiply_adds(model: Any) -> int:
    """Of a step, a clip: a product for each weight and step, of which two more on the way back."""
    values = model.input_shape[0] * model.input_shape[1] * model.patch
    state, wide, narrow = model.hidden, 4 * model.hidden, model.energy.in_features
    recurrent = 4 * state * state
    encoder = 4 * state * values + recurrent
    decoder = model.each * (4 * state + wide) + recurrent + state * wide + wide * values
    attention = model.positions * (narrow + model.each)
    codes = 2 * state * model.latent_dim + model.latent_dim * (2 * state + 2 * narrow)
    once = model.steps * (encoder + decoder + attention) + codes
    return int(3 * once - model.steps * 4 * state * values)  # nothing asks for the input's gradient


def _steps(size: Size, cell: str, scale: Scale) -> Trial:
    from benchmarks.peers import plain_attention

    steps = pick(scale, 1, 10, 20)
    model = model_of(size)
    twin = plain_attention.step_by_step(model, getattr(plain_attention, cell))

    def error() -> float:
        wrong = gradient_error(twin, twin, size)
        if not wrong < PEER_AT_MOST:
            raise WrongPeerError(f"not timed: the peer's gradient is off by {wrong:.1e}")
        return gradient_error(model, twin, size)

    weights = sum(weight.numel() for weight in model.parameters())
    return Trial(
        [Contestant(steps_of(model, size, steps), steps * size.batch)],
        [Contestant(steps_of(twin, size, steps), steps * size.batch)],
        error,
        # Features; and a clip's part of the weights and Adam's averages, read and written.
        bytes_moved=4 * size.bins * size.frames + 2 * 3 * 4 * weights / size.batch,
        multiply_adds=multiply_adds(model),
    )


_OF_GRADIENT = "of a weight's gradient"
_GATES, _CELL = "the same module step by step, gate by gate", "the same with torch's LSTMCell"
_HELD_BACK = (
    "each step of a recurrence is a product of 50 or 64 rows by 32 columns that waits for the one "
    "before; at 16 frames about half of the time goes to autograd's many small operations"
)


def _row(size: Size, peer: str, cell: str) -> Row:
    return Row(
        f"training the attention RNN on CQTs of {size}", peer, partial(_steps, size, cell), 5, 1e-4,
        _OF_GRADIENT, needs="torch", held_back=_HELD_BACK, own_peer=True,
    )  # fmt: skip


ROWS = tuple(
    _row(size, peer, cell)
    for size in (STUDY, SECOND)
    for peer, cell in ((_GATES, "cell_of_gates"), (_CELL, "cell_of_torch"))
)
