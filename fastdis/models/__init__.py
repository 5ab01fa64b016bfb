"""Encoders, decoders and variational auto-encoders, one file a family.

Every VAE has ``encode(x) -> (mean, logvar)``, ``decode(z) -> x_hat`` and
``forward(x) -> (x_hat, mean, logvar, z)``; ``x`` is ``(B, C, F, frames)`` float32.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from fastdis import _validation
from fastdis.models._vae import VAE
from fastdis.models.conv_vae import ConvVAE

__all__ = ["VAE", "ConvVAE", "build", "names"]

# name -> its class and the defaults of its options
_REGISTRY: dict[str, tuple[type[VAE], dict[str, Any]]] = {
    "conv3": (ConvVAE, {"channels": (16, 32, 64), "hidden": (128, 64)}),
    "conv4": (ConvVAE, {"channels": (16, 32, 64, 128), "hidden": (256, 128)}),
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
        ``"conv3"``, the three-layer VAE of SynTone's reference code, or ``"conv4"``, the
        four-layer one that its paper describes (Brima et al. 2024, A.2).
    latent_dim
        Size D of the code.
    input_shape
        ``(C, F, frames)`` of one input, as ``dataset.feature_shape`` gives it.
    seed
        Fixes the initial weights and leaves torch's generator alone; None draws from it.
    **options
        Passed to the class.

    Raises
    ------
    ValueError
        If ``name`` is unknown, or ``input_shape`` does not fit the model.

    Examples
    --------
    >>> build("conv3", latent_dim=8, input_shape=(1, 128, 32)).latent_dim
    8
    """
    kind, defaults = _REGISTRY[_validation.choice("name", name, _REGISTRY)]
    with torch.random.fork_rng(devices=[], enabled=seed is not None):
        if seed is not None:
            torch.manual_seed(_validation.integer("seed", seed, 0))
        model = kind(latent_dim, input_shape, **{**defaults, **options})
    model.name = name
    return model
