"""Every registered model, small enough that a step of it takes a millisecond."""

from __future__ import annotations

import torch

from fastdis import models

SHAPE = (1, 8, 8)
D = 4
SMALL = {
    "conv3": {"channels": (4,), "hidden": (8,)},
    "conv4": {"channels": (4, 5), "hidden": (8,)},
    "mlp": {"hidden": (8,), "flatten": "hilbert"},
    "cnn": {"channels": (4, 5), "hidden": (8,), "dropout": 0.3},
    "conv1d": {"channels": (4, 5), "kernel_size": 5, "strides": (4, 2), "hidden": (8,)},
    "conv1d_dilated": {
        "channels": (4,), "kernel_size": 5, "strides": (4,), "dilations": (1, 2), "hidden": (8,),
        "flatten": "column",
    },
    "attention_rnn": {"hidden": 6},
}  # fmt: skip
NAMES = models.names()
ANY_SHAPE = [name for name in NAMES if name not in ("conv3", "conv4")]


def small(name, seed=0, shape=SHAPE, **options):
    """A model by its name."""
    return models.build(name, D, shape, seed=seed, **{**SMALL[name], **options})


def inputs(batch=3, shape=SHAPE, dtype=torch.float64):
    """Features in [0, 1)."""
    return torch.rand(batch, *shape, dtype=dtype, generator=torch.Generator().manual_seed(1))
