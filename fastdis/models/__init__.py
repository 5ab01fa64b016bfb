"""Encoders, decoders and variational auto-encoders, one file per family.

Every VAE has ``encode(x) -> (mean, logvar)``, ``decode(z) -> x_hat`` and
``forward(x) -> (x_hat, mean, logvar, z)``; ``x`` is ``(B, C, F, frames)`` float32.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import torch

from fastdis import _validation
from fastdis.models.attention_vae import AttentionVAE
from fastdis.models.cnn_vae import CNNVAE
from fastdis.models.conv1d_vae import Conv1dVAE
from fastdis.models.conv_vae import ConvVAE
from fastdis.models.mlp_vae import MLPVAE
from fastdis.models.vae import VAE

__all__ = ["CNNVAE", "MLPVAE", "VAE", "AttentionVAE", "Conv1dVAE", "ConvVAE", "build", "names"]

# name -> its class and the defaults of its options
_REGISTRY: dict[str, tuple[type[VAE], dict[str, Any]]] = {
    "conv3": (ConvVAE, {"channels": (16, 32, 64), "hidden": (128, 64)}),
    "conv4": (ConvVAE, {"channels": (16, 32, 64, 128), "hidden": (256, 128)}),
    "mlp": (MLPVAE, {}),
    "cnn": (CNNVAE, {}),
    "conv1d": (Conv1dVAE, {}),
    "conv1d_dilated": (
        Conv1dVAE,
        {"channels": (8, 16, 16), "kernel_size": 5, "strides": (4, 4, 4), "dilations": (1, 2, 4)},
    ),
    "attention_rnn": (AttentionVAE, {}),
}


def names() -> tuple[str, ...]:
    """The names that :func:`build` takes."""
    return tuple(_REGISTRY)


def build(
    name: str,
    latent_dim: int,
    input_shape: Sequence[int],
    *,
    seed: int | None = None,
    **options: Any,
) -> VAE:
    """A model by name.

    Parameters
    ----------
    name
        ``"conv3"``: the three-layer VAE of SynTone's reference code; ``"conv4"``: the four-layer
        one that its paper describes (Brima et al. 2024, A.2). Of the additive toy report:
        ``"mlp"``, dense layers on flattened frames; ``"cnn"``, two convolutions with batch
        normalisation and dropout; ``"conv1d"`` and ``"conv1d_dilated"``, convolutions along raw
        audio, with strides alone or with dilations after them; ``"attention_rnn"``, an LSTM to a
        sequence of latents, and a decoder that attends to it.
    latent_dim
        Size D of the code.
    input_shape
        ``(C, F, frames)`` of one input, as ``dataset.feature_shape`` gives it.
    seed
        Fixes the initial weights and leaves torch's generator alone; None draws from it.
    **options
        Passed to the class: :class:`ConvVAE`, :class:`MLPVAE`, :class:`CNNVAE`,
        :class:`Conv1dVAE` or :class:`AttentionVAE`.

    Raises
    ------
    TypeError, ValueError
        If ``name`` is unknown, or an option does not fit the model. Of input shapes, ``"conv3"``
        and ``"conv4"`` take only multiples of 8 and 16, the others any.

    Examples
    --------
    >>> build("conv3", latent_dim=8, input_shape=(1, 128, 32)).latent_dim
    8
    """
    kind, defaults = _REGISTRY[_validation.choice("name", name, _REGISTRY)]
    known = list(inspect.signature(kind).parameters)[2:]
    for option in options:
        _validation.choice(f"options of {name!r}", option, known)
    with torch.random.fork_rng(devices=[], enabled=seed is not None):
        if seed is not None:
            torch.manual_seed(_validation.integer("seed", seed, 0))
        model = kind(latent_dim, input_shape, **{**defaults, **options})
    model.name = name
    return model
