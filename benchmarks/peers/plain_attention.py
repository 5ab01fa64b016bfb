"""What the attention RNN runs against: the same function, one step of the sequence after the other.

As a PyTorch version of a Keras attention decoder has it: at every step the query, the scores of all
positions, their softmax, the context, the cell and the frame, in a Python loop.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from fastdis.models.attention_vae import LSTM, AttentionVAE

Cell = Callable[[LSTM, Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]


def cell_of_torch(lstm: LSTM, x: Tensor, state: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
    """A step as ``torch.nn.LSTMCell`` takes it."""
    weights = (lstm.weight_input, lstm.weight_state, lstm.bias, torch.zeros_like(lstm.bias))
    state, cell = torch.lstm_cell(x, (state, cell), *weights)
    return state, cell


def cell_of_gates(lstm: LSTM, x: Tensor, state: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
    """A step gate by gate, two products each, as the cell is written down."""
    take, keep, new, show = (
        functional.linear(x, of_input, bias) + functional.linear(state, of_state)
        for of_input, of_state, bias in zip(
            lstm.weight_input.chunk(4), lstm.weight_state.chunk(4), lstm.bias.chunk(4), strict=True
        )
    )
    cell = torch.sigmoid(keep) * cell + torch.sigmoid(take) * torch.tanh(new)
    return torch.sigmoid(show) * torch.tanh(cell), cell


class StepByStep(AttentionVAE):
    """The same parameters under the same names; every loop over time in Python."""

    cell: Cell = staticmethod(cell_of_torch)

    def _posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        state = cell = x.new_zeros(len(x), self.hidden)
        states = []
        for frame in self._steps_of(x):
            state, cell = self.cell(self.encoder, frame, state, cell)
            states.append(state)
        means, logvars = [], []
        for j in range(self.positions):
            first = j * self.steps // self.positions
            last = -(-(j + 1) * self.steps // self.positions)
            stretch = self.posterior(torch.stack(states[first:last]).mean(dim=0))
            means.append(stretch[:, : self.each])
            logvars.append(stretch[:, self.each :])
        return torch.cat(means, dim=1), torch.cat(logvars, dim=1)

    def decode(self, z: Tensor) -> Tensor:
        """``(B, D)`` -> the mean of p(x|z), ``(B, C, F, frames)``."""
        latents = z.reshape(len(z), self.positions, self.each)
        keys = self.key(latents) + self.key_positions[:, 0]
        begin = self.start(z)
        state, cell = torch.tanh(begin[:, : self.hidden]), begin[:, self.hidden :]
        frames = []
        for t in range(self.steps):
            query = self.query(z) + self.query_times[t, 0]
            energies = self.energy(torch.tanh(query.unsqueeze(1) + keys))
            weights = functional.softmax(energies, dim=1)  # (B, positions, 1)
            context = (weights * latents).sum(dim=1)
            state, cell = self.cell(self.decoder, context, state, cell)
            frame = self.writer(self.of_state(state) + self.of_context(context))
            frames.append(frame.reshape(len(z), *self.input_shape[:2], self.patch))
        return torch.cat(frames, dim=-1)[..., : self.input_shape[2]]

    def _steps_of(self, x: Tensor) -> list[Tensor]:
        """What is read at each step, ``(B, values)``; zeros after the last frame."""
        steps = []
        for t in range(self.steps):
            patch = x[..., t * self.patch : (t + 1) * self.patch].flatten(1, 2)
            missing = self.patch - patch.shape[-1]
            steps.append(functional.pad(patch, (0, missing)).flatten(1))
        return steps


def step_by_step(model: AttentionVAE, cell: Cell = cell_of_torch) -> StepByStep:
    """The twin of ``model``, with weights of its own that are equal."""
    options: dict[str, Any] = model.options()
    del options["name"]
    twin = StepByStep(**options)
    twin.load_state_dict(model.state_dict())
    twin.cell = cell
    return twin.to(next(model.parameters()).dtype)
