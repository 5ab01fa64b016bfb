"""VAEs of one-dimensional convolutions on raw audio, with strides and with dilations.

Bedoya, Grumiaux, Najnudel, Raibaud and Wetzel, "Disentangling variation factors in audio samples",
figure 14 (``conv1d`` before the code, its transpose after it) and, as its authors' next step,
dilations as in van den Oord et al., "WaveNet" (2016).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from fastdis import _validation
from fastdis.models._flattening import Flattening
from fastdis.models.mlp_vae import dense
from fastdis.models.vae import VAE, output_layer, sizes

# Audio has both signs, and a ReLU passes one. After 100 epochs of 684 clips of the additive toy set
# a ReLU left 0.88 of the variance unexplained, and this slope 0.47 (one seed).
NEGATIVE_SLOPE = 0.2


class Conv1dVAE(VAE):
    """A VAE of convolutions along a sequence: samples of audio, or cells of a flattened map.

    Convolutions with strides shorten the sequence; residual blocks with dilations, if there are
    any, then widen its receptive field; dense layers lead on to the code. All activations
    a(x) are leaky ReLUs of slope 0.2. The decoder mirrors it: dense layers, the blocks with their
    dilations in reverse, transposed convolutions that end at exactly the lengths that the encoder
    came from. Any ``input_shape`` will do: the channels of a map stay apart, and its cells follow
    each other in the order of ``flatten``, which matters here, as a kernel sees neighbours.

    A block is x + W2 a(W1 a(x)) with a dilated W1 and a W2 of one step. It looks both ways:
    WaveNet's filters see the past alone because they predict the next sample, which nothing here
    does; and its gates, which would double the work, are left out.

    By name there are ``"conv1d"``, whose steps before the dense layers see 169 samples each, and
    ``"conv1d_dilated"``, whose three blocks with dilations 1, 2 and 4 widen that to 1,877.

    Parameters
    ----------
    latent_dim
        Size D of the code.
    input_shape
        ``(C, F, frames)`` of one input; ``(1, 1, T)`` for audio.
    channels
        Output channels of each convolution with a stride.
    kernel_size
        Of all convolutions, odd and not below the largest stride, so that no sample is skipped.
    strides
        One for each of ``channels``. A sequence of n steps has ceil(n / stride) afterwards.
    dilations
        Of each residual block, such as 1, 2, 4, 8; none for no blocks.
    hidden
        Widths of the dense layers between the convolutions and the code.
    flatten
        ``"row"`` (frequency after frequency), ``"column"`` (frame after frame) or ``"hilbert"``
        (along a Hilbert curve). Of audio all three are the order of time.
    output
        ``"tanh"`` for waveforms, ``"sigmoid"`` for features in [0, 1], or ``"linear"``.

    Raises
    ------
    TypeError, ValueError
        If a size is not a positive integer, ``channels`` or ``hidden`` is empty, there is not one
        stride for each of ``channels``, the kernel is even or below a stride, or a name is unknown.

    Examples
    --------
    >>> import torch
    >>> model = Conv1dVAE(4, (1, 1, 2000), channels=(8,), strides=(4,), dilations=(1, 2, 4))
    >>> model.receptive_field  # samples that the last block's steps see: 9 + 4 * 8 * (1 + 2 + 4)
    233
    >>> tuple(model(torch.rand(2, 1, 1, 2000))[0].shape)
    (2, 1, 1, 2000)
    """

    name = "conv1d"

    def __init__(
        self, latent_dim: int, input_shape: Sequence[int], *,
        channels: Sequence[int] = (8, 16, 32), kernel_size: int = 9,
        strides: Sequence[int] = (4, 4, 4), dilations: Sequence[int] = (),
        hidden: Sequence[int] = (128,), flatten: str = "row", output: str = "tanh",
    ) -> None:  # fmt: skip
        super().__init__(latent_dim, input_shape)
        self.channels, self.hidden = sizes("channels", channels), sizes("hidden", hidden)
        self.strides, self.dilations = sizes("strides", strides), sizes("dilations", dilations, 0)
        if len(self.strides) != len(self.channels):
            raise ValueError(
                f"strides takes one for each of {len(self.channels)} channels, got {self.strides}"
            )
        self.kernel_size = _validation.integer("kernel_size", kernel_size, max(self.strides))
        if self.kernel_size % 2 == 0:
            raise ValueError(f"kernel_size takes an odd number, got {kernel_size}")
        self.flattening, self.output = Flattening(self.input_shape, flatten), output

        lengths = [self.input_shape[1] * self.input_shape[2]]
        for stride in self.strides:
            lengths.append(-(-lengths[-1] // stride))
        widths = (self.channels[-1] * lengths[-1], *self.hidden)
        around = (self.input_shape[0], *self.channels)
        # As maps of one row, (B, C, 1, T), which have a channels-last format: a third quicker here.
        self.encoder = nn.Sequential(
            *self._shortening(around),
            *[_Block(self.channels[-1], self.kernel_size, each) for each in self.dilations],
            nn.Flatten(),
            *dense(widths, _activation),
        )
        self.mean = nn.Linear(self.hidden[-1], self.latent_dim)
        self.logvar = nn.Linear(self.hidden[-1], self.latent_dim)
        self.decoder = nn.Sequential(
            *dense((self.latent_dim, *widths[::-1]), _activation),
            nn.Unflatten(1, (self.channels[-1], 1, lengths[-1])),
            *[_Block(self.channels[-1], self.kernel_size, each) for each in self.dilations[::-1]],
            *self._lengthening(around, lengths),
            output_layer(output),
        )

    @property
    def receptive_field(self) -> int:
        """Steps of the input sequence that one step before the dense layers depends on."""
        field, apart = 1, 1
        for stride in self.strides:
            field, apart = field + (self.kernel_size - 1) * apart, apart * stride
        return field + (self.kernel_size - 1) * apart * sum(self.dilations)

    def _shortening(self, channels: Sequence[int]) -> list[nn.Module]:
        layers: list[nn.Module] = []
        for (n_in, n_out), stride in zip(itertools.pairwise(channels), self.strides, strict=True):
            layers += [nn.Conv2d(n_in, n_out, **self._along(stride)), _activation()]
        return layers

    def _lengthening(self, channels: Sequence[int], lengths: Sequence[int]) -> list[nn.Module]:
        layers: list[nn.Module] = []
        for (n_out, n_in), stride, length in zip(
            reversed(list(itertools.pairwise(channels))), self.strides[::-1], lengths[-2::-1],
            strict=True,
        ):  # fmt: skip
            # Of n steps it makes (n - 1) stride + 1, and as many more as are missing.
            more = (0, (length - 1) % stride)
            layers += [
                nn.ConvTranspose2d(n_in, n_out, **self._along(stride), output_padding=more),
                _activation(),
            ]
        return layers[:-1]  # the output's own layer follows the last one

    def _along(self, stride: int) -> dict[str, Any]:
        around = (0, self.kernel_size // 2)
        return {"kernel_size": (1, self.kernel_size), "stride": (1, stride), "padding": around}

    def _own_options(self) -> dict[str, Any]:
        return {
            "channels": list(self.channels),
            "kernel_size": self.kernel_size,
            "strides": list(self.strides),
            "dilations": list(self.dilations),
            "hidden": list(self.hidden),
            "flatten": self.flattening.name,
            "output": self.output,
        }

    def _posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        hidden = self.encoder(self.flattening(x).unsqueeze(2))
        return self.mean(hidden), self.logvar(hidden)

    def decode(self, z: Tensor) -> Tensor:
        """``(B, D)`` -> the mean of p(x|z), ``(B, C, F, frames)``."""
        return self.flattening.inverse(self.decoder(z).squeeze(2))


def _activation() -> nn.Module:
    return nn.LeakyReLU(NEGATIVE_SLOPE)


class _Block(nn.Module):
    """x + W2 a(W1 a(x)) on ``(B, C, 1, T)``, with W1 dilated."""

    def __init__(self, channels: int, kernel_size: int, dilation: int) -> None:
        super().__init__()
        around = dilation * (kernel_size // 2)
        self.layers = nn.Sequential(
            _activation(),
            nn.Conv2d(
                channels, channels, (1, kernel_size), padding=(0, around), dilation=(1, dilation)
            ),
            _activation(),
            nn.Conv2d(channels, channels, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = x + self.layers(x)
        return y
