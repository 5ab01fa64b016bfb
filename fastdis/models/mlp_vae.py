"""The plain VAE of the additive toy report: a hidden layer down, a hidden layer up.

Bedoya, Grumiaux, Najnudel, Raibaud and Wetzel, "Disentangling variation factors in audio samples",
figure 3: linear, ReLU, linear; then linear, ReLU, linear, sigmoid.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor, nn

from fastdis.models._flattening import Flattening
from fastdis.models.vae import VAE, output_layer, sizes


class MLPVAE(VAE):
    """A VAE of dense layers with ReLU on flattened frames.

    The order of flattening cannot change what such a net is able to compute or to learn: a dense
    layer treats all its inputs alike, so a net on reordered cells is the net on the cells as they
    were with the columns of its first weight (and the rows of its last) reordered. From one seed
    two orders begin with other weights for a cell, and differ by that draw alone.

    Parameters
    ----------
    latent_dim
        Size D of the code.
    input_shape
        ``(C, F, frames)`` of one input.
    hidden
        Widths of the layers between the cells and the code; the decoder has them in reverse.
    flatten
        ``"row"`` (frequency after frequency), ``"column"`` (frame after frame) or ``"hilbert"``
        (along a Hilbert curve), channel after channel.
    output
        ``"sigmoid"`` for features in [0, 1], ``"tanh"`` for waveforms, or ``"linear"``.

    Raises
    ------
    TypeError, ValueError
        If a size is not a positive integer, ``hidden`` is empty, or a name is unknown.

    Examples
    --------
    >>> import torch
    >>> model = MLPVAE(4, (1, 60, 16), hidden=(400,))
    >>> x_hat, mean, logvar, z = model(torch.rand(2, 1, 60, 16))
    >>> tuple(x_hat.shape), tuple(z.shape)
    ((2, 1, 60, 16), (2, 4))
    """

    name = "mlp"

    def __init__(
        self, latent_dim: int, input_shape: Sequence[int], *, hidden: Sequence[int] = (400,),
        flatten: str = "row", output: str = "sigmoid",
    ) -> None:  # fmt: skip
        super().__init__(latent_dim, input_shape)
        self.hidden, self.output = sizes("hidden", hidden), output
        self.flattening = Flattening(self.input_shape, flatten)
        cells = math.prod(self.input_shape)
        self.encoder = nn.Sequential(*dense((cells, *self.hidden)))
        self.mean = nn.Linear(self.hidden[-1], self.latent_dim)
        self.logvar = nn.Linear(self.hidden[-1], self.latent_dim)
        self.decoder = nn.Sequential(
            *dense((self.latent_dim, *self.hidden[::-1])),
            nn.Linear(self.hidden[0], cells),
            output_layer(output),
        )

    def _own_options(self) -> dict[str, Any]:
        options = {"flatten": self.flattening.name, "output": self.output}
        return {"hidden": list(self.hidden), **options}

    def _posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        hidden = self.encoder(self.flattening(x).flatten(1))
        return self.mean(hidden), self.logvar(hidden)

    def decode(self, z: Tensor) -> Tensor:
        """``(B, D)`` -> the mean of p(x|z), ``(B, C, F, frames)``."""
        cells = self.decoder(z).unflatten(1, (self.input_shape[0], -1))
        return self.flattening.inverse(cells)


def dense(
    widths: Sequence[int], activation: Callable[[], nn.Module] = nn.ReLU
) -> list[nn.Module]:  # fmt: skip
    """A linear layer and an activation from each width to the next."""
    layers: list[nn.Module] = []
    for n_in, n_out in itertools.pairwise(widths):
        layers += [nn.Linear(n_in, n_out), activation()]
    return layers
