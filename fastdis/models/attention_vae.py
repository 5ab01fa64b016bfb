"""The attention RNN: an LSTM to a sequence of latents, additive attention, a gated decoder.

e_tj = v^T tanh(W s_t + U h_j), a_t = softmax_j(e_t), c_t = sum_j a_tj z_j, after Bahdanau, Cho and
Bengio, "Neural Machine Translation by Jointly Learning to Align and Translate" (2015), A.1.2. All
scores are one expression: none depends on an earlier context.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from fastdis import _validation
from fastdis.models.vae import VAE, output_layer

MOST_STEPS = 64  # of a sequence whose patches are chosen here
MOST_POSITIONS = 4  # of a latent sequence whose length is chosen here


class AttentionVAE(VAE):
    r"""A VAE over the frames of its input as a sequence, with a sequence of latents.

    The encoder is an LSTM over the frames. Its states are averaged over ``positions`` equal
    stretches of time, and each average leads to ``latent_dim / positions`` means and
    log-variances. Side by side they are the code ``(B, D)``: code ``j * D / positions + i`` is
    latent i of stretch j.

    For each frame the decoder attends to that sequence,

    .. math:: e_{tj} = v^\top \tanh(W s_t + U h_j), \quad a_t = \mathrm{softmax}_j(e_t), \quad
              c_t = \sum_j a_{tj} z_j

    with h_j = (z_j, which j) and s_t = (the whole code, which t), so that W and U hold a learned
    vector for every t and every j. An LSTM, whose first state is made of the code, reads the
    contexts c_t; two layers make frame t of its state and of c_t (the deep output of Bahdanau et
    al., A.2.2).

    It is after the attention RNN of Bedoya, Grumiaux, Najnudel, Raibaud and Wetzel, "Disentangling
    variation factors in audio samples", section 5, a PyTorch version of a Keras attention decoder.
    The cell there asks with its own state, s_t = what the contexts of all frames before t made of
    it: attention and recurrence have to be computed step by step. Here the query depends on the
    time and the code, not on what has been decoded, so that all scores are one expression, and both
    recurrences are one call each. What that costs: attention cannot react to the decoder's state.
    As the decoder is deterministic given the code, that state is itself a function of the code and
    of t; but of another form.

    Weights are initialised as in Keras: Glorot's uniform for inputs, orthogonal for the recurrence,
    1 for the forget gates' biases.

    Parameters
    ----------
    latent_dim
        Size D of the code.
    input_shape
        ``(C, F, frames)`` of one input; a step of the sequence is ``patch`` frames, ``C F patch``
        values.
    hidden
        Size of both LSTMs' states. The layer between state and frame, which is one product for all
        frames, is four times as wide; attention's v is a quarter of it long, but at least 8.
    positions
        Length of the latent sequence, a divisor of ``latent_dim`` and at most the number of steps;
        by default the largest such up to 4.
    patch
        Frames in one step, the last one padded by zeros; by default as few as lead to 64 steps at
        most, which is 1 for up to 64 frames.
    output
        ``"sigmoid"`` for features in [0, 1], ``"tanh"`` for waveforms, or ``"linear"``.

    Raises
    ------
    TypeError, ValueError
        If a size is not a positive integer, ``positions`` does not divide ``latent_dim`` or
        exceeds the steps, ``patch`` exceeds the frames, or ``output`` is unknown.

    Examples
    --------
    >>> model = AttentionVAE(20, (1, 60, 16))
    >>> model.positions, model.patch, model.decode(torch.zeros(2, 20)).shape
    (4, 1, torch.Size([2, 1, 60, 16]))
    """

    name = "attention_rnn"

    def __init__(
        self,
        latent_dim: int,
        input_shape: Sequence[int],
        *,
        hidden: int = 32,
        positions: int | None = None,
        patch: int | None = None,
        output: str = "sigmoid",
    ) -> None:
        super().__init__(latent_dim, input_shape)
        channels, bins, frames = self.input_shape
        self.hidden = _validation.integer("hidden", hidden)
        self.patch = _patch(patch, frames)
        self.steps = -(-frames // self.patch)
        self.positions = _positions(positions, self.latent_dim, self.steps)
        self.output = output
        self.each = self.latent_dim // self.positions  # latents of a position
        values = channels * bins * self.patch  # of a step
        wide, narrow = 4 * self.hidden, max(8, self.hidden // 4)

        self.encoder = LSTM(values, self.hidden)
        self.posterior = nn.Linear(self.hidden, 2 * self.each)
        self.register_buffer("stretches", _stretches(self.positions, self.steps), persistent=False)

        self.query = nn.Linear(self.latent_dim, narrow)  # W s_t = query(z) + query_times[t]
        self.query_times = nn.Parameter(torch.empty(self.steps, 1, 1, narrow))
        self.key = nn.Linear(self.each, narrow, bias=False)  # U h_j = key(z_j) + key_positions[j]
        self.key_positions = nn.Parameter(torch.empty(self.positions, 1, narrow))
        self.energy = nn.Linear(narrow, 1, bias=False)  # v; a bias would change no softmax
        for vectors in (self.query_times, self.key_positions):
            nn.init.normal_(vectors, std=narrow**-0.5)

        self.start = nn.Linear(self.latent_dim, 2 * self.hidden)
        self.decoder = LSTM(self.each, self.hidden)
        self.of_state = nn.Linear(self.hidden, wide)
        self.of_context = nn.Linear(self.each, wide, bias=False)
        self.writer = nn.Sequential(nn.ReLU(), nn.Linear(wide, values), output_layer(output))

    stretches: Tensor

    def _own_options(self) -> dict[str, Any]:
        return {
            "hidden": self.hidden,
            "positions": self.positions,
            "patch": self.patch,
            "output": self.output,
        }

    def _posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        states = self.encoder(self._sequence(x))
        members = self.stretches.to(states)
        means = members / members.sum(dim=1, keepdim=True)
        of_stretches = torch.tensordot(means, states, dims=1)  # (positions, B, hidden)
        mean, logvar = self.posterior(of_stretches.transpose(0, 1)).chunk(2, dim=-1)
        return mean.flatten(1), logvar.flatten(1)

    def decode(self, z: Tensor) -> Tensor:
        """``(B, D)`` -> the mean of p(x|z), ``(B, C, F, frames)``."""
        latents = self._latents(z)
        contexts = (self._weights(z, latents).unsqueeze(-1) * latents).sum(dim=1)
        state, cell = self.start(z).chunk(2, dim=-1)
        states = self.decoder(contexts, (torch.tanh(state), cell))
        return self._frames(self.writer(self.of_state(states) + self.of_context(contexts)))

    def attention(self, z: Tensor) -> Tensor:
        """``(B, D)`` -> a_tj ``(B, steps, positions)``: where each step looks; sums to 1 over j."""
        return self._weights(z, self._latents(z)).permute(2, 0, 1)

    def _weights(self, z: Tensor, latents: Tensor) -> Tensor:
        """a_tj ``(steps, positions, B)``, in whose layout a softmax over few positions is fast."""
        keys = self.key(latents) + self.key_positions
        queries = self.query(z) + self.query_times  # (steps, 1, B, narrow)
        energies: Tensor = self.energy(torch.tanh(queries + keys)).squeeze(-1)
        return functional.softmax(energies, dim=1)

    def _latents(self, z: Tensor) -> Tensor:
        """``(B, D)`` -> z_j ``(positions, B, D / positions)``."""
        return z.reshape(z.shape[0], self.positions, self.each).transpose(0, 1).contiguous()

    def _sequence(self, x: Tensor) -> Tensor:
        """``(B, C, F, frames)`` -> ``(steps, B, values of a step)``."""
        padded = functional.pad(x, (0, self.steps * self.patch - x.shape[-1]))
        patches = padded.reshape(
            x.shape[0], self.input_shape[0] * self.input_shape[1], self.steps, self.patch
        )
        return patches.permute(2, 0, 1, 3).flatten(2)

    def _frames(self, sequence: Tensor) -> Tensor:
        """The way back."""
        channels, bins, frames = self.input_shape
        patches = sequence.reshape(self.steps, sequence.shape[1], channels, bins, self.patch)
        whole = patches.permute(1, 2, 3, 0, 4).flatten(3)
        return whole[..., :frames]


class LSTM(nn.Module):
    """One layer, time first, as torch's own but in plain parameters.

    So it can be exported, compiled and batched over models: ``torch.nn.LSTM`` keeps a second list
    of its weights, and neither vmap nor compilers have a rule for it.

    Parameters
    ----------
    inputs, hidden
        Sizes of the input and of the state.
    """

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.inputs, self.hidden = inputs, hidden
        self.weight_input = nn.Parameter(torch.empty(4 * hidden, inputs))
        self.weight_state = nn.Parameter(torch.empty(4 * hidden, hidden))
        self.bias = nn.Parameter(torch.zeros(4 * hidden))  # input, forget, cell, output gate
        nn.init.xavier_uniform_(self.weight_input)
        nn.init.orthogonal_(self.weight_state)
        with torch.no_grad():
            self.bias[hidden : 2 * hidden] = 1.0

    def forward(self, x: Tensor, start: tuple[Tensor, Tensor] | None = None) -> Tensor:
        """``(T, B, inputs)``, and the first state and cell ``(B, hidden)``, zero by default.

        Returns the state after each step, ``(T, B, hidden)``.
        """
        if start is None:
            zeros = x.new_zeros(x.shape[1], self.hidden)
            start = zeros, zeros
        if torch.compiler.is_dynamo_compiling() or _batched(x) or _batched(self.weight_state):
            return self._by_steps(x, *start)
        weights = [self.weight_input, self.weight_state, self.bias, torch.zeros_like(self.bias)]
        first = [part.unsqueeze(0).contiguous() for part in start]
        kept = torch.is_grad_enabled()  # what the way back needs; not a matter of train or eval
        states, _, _ = torch.lstm(x, first, weights, True, 1, 0.0, kept, False, False)
        return states

    def _by_steps(self, x: Tensor, state: Tensor, cell: Tensor) -> Tensor:
        """The same in plain operations: vmap and compilers have no rule for the whole."""
        states = []
        for of_input in functional.linear(x, self.weight_input, self.bias).unbind(0):
            gates = of_input + functional.linear(state, self.weight_state)
            take, keep, new, show = gates.chunk(4, dim=-1)
            cell = torch.sigmoid(keep) * cell + torch.sigmoid(take) * torch.tanh(new)
            state = torch.sigmoid(show) * torch.tanh(cell)
            states.append(state)
        return torch.stack(states)


def _batched(x: Tensor) -> bool:
    """Whether ``torch.vmap`` has hidden an axis of it."""
    return bool(torch._C._functorch.is_batchedtensor(x))


def _patch(patch: int | None, frames: int) -> int:
    if patch is None:
        return math.ceil(frames / MOST_STEPS)
    return _validation.integer("patch", patch, 1, frames)


def _positions(positions: int | None, latent_dim: int, steps: int) -> int:
    fits = [n for n in range(1, min(latent_dim, steps) + 1) if latent_dim % n == 0]
    if positions is None:
        return max(n for n in fits if n <= MOST_POSITIONS)
    count = _validation.integer("positions", positions)
    if count not in fits:
        raise ValueError(
            f"positions takes one of {', '.join(map(str, fits))}, the divisors of latent_dim "
            f"{latent_dim} up to the {steps} steps, got {count}"
        )
    return count


def _stretches(positions: int, steps: int) -> Tensor:
    """``(positions, steps)``: 1 for the steps of a stretch, whose ends are rounded outwards."""
    members = torch.zeros(positions, steps)
    for j in range(positions):
        members[j, j * steps // positions : -(-(j + 1) * steps // positions)] = 1.0
    return members
