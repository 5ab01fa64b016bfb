"""The additive toy study's grid: networks, representations, sounds and sizes.

The report is that of :mod:`fastdis.datasets.additive_toy`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from fastdis import datasets

BETAS = (1.0, 4.0, 8.0)  # the report's
LATENT_DIM = 20  # of all the report's figures
FEW_LATENTS = 6  # "the same dimension as the parameters", its aim
LEARNING_RATE = 2e-3
# What a reconstruction of all that the factors determine gains over the mean feature, in every
# representation, with and without noise: so one beta has the same weight everywhere.
NATS = 500.0
SHOWN_BETA = 4.0  # of the models that are shown by themselves
SHOWN_CAPTION = f"β = {SHOWN_BETA:g}, {LATENT_DIM} codes"


@dataclass(frozen=True)
class System:
    """A network on a representation."""

    representation: str
    model: str
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """Its name in tables."""
        shown = {"cqt": "CQT"}.get(self.representation, self.representation)
        return f"{MODELS[self.model]}, {shown}{ORDERS[self.options.get('flatten', 'row')]}"


MODELS = {
    "mlp": "MLP",
    "cnn": "CNN",
    "attention_rnn": "attention RNN",
    "conv1d": "1-D CNN",
    "conv1d_dilated": "dilated 1-D CNN",
}
ORDERS = {"row": "", "column": " by column", "hilbert": " by Hilbert's curve"}
# What the report tried or proposed, and what its questions need for an answer.
SYSTEMS = {
    "mlp-spectrogram": System("spectrogram", "mlp"),
    "mlp-spectrogram-hilbert": System("spectrogram", "mlp", {"flatten": "hilbert"}),
    "mlp-mel": System("mel", "mlp"),
    "mlp-cqt": System("cqt", "mlp"),
    "mlp-waveform": System("waveform", "mlp"),
    "cnn-spectrogram": System("spectrogram", "cnn", {"channels": (8, 16)}),
    "cnn-cqt": System("cqt", "cnn", {"channels": (8, 16)}),
    "rnn-spectrogram": System("spectrogram", "attention_rnn"),
    "rnn-cqt": System("cqt", "attention_rnn"),
    "conv1d-waveform": System("waveform", "conv1d"),
    "dilated-waveform": System("waveform", "conv1d_dilated"),
    "conv1d-spectrogram": System("spectrogram", "conv1d"),
    "conv1d-spectrogram-column": System("spectrogram", "conv1d", {"flatten": "column"}),
    "conv1d-spectrogram-hilbert": System("spectrogram", "conv1d", {"flatten": "hilbert"}),
}
# The report's own: its first net, its redesigned one, its best one, and the two it proposed.
THEIRS = ("mlp-spectrogram", "cnn-cqt", "rnn-cqt", "conv1d-waveform", "dilated-waveform")
# The networks above, on the pixels of images.
IMAGE_SYSTEMS = {
    "mlp-images": System("pixels", "mlp"),
    "cnn-images": System("pixels", "cnn", {"channels": (8, 16)}),
    "rnn-images": System("pixels", "attention_rnn"),
    "conv1d-images": System("pixels", "conv1d"),
}
# Which factors are fixed. The report left out the noise and the choice of harmonics.
REPORTED, CLEAN, DECAY, NOISE, ALL = "as reported", "clean", "decay", "noise", "noise and decay"
CONDITIONS: dict[str, dict[str, Any]] = {
    REPORTED: {"snr_db": math.inf, "decay": 0.0, "harmonics": "all"},
    CLEAN: {"snr_db": math.inf, "decay": 0.0},
    DECAY: {"snr_db": math.inf},
    NOISE: {"decay": 0.0},
    ALL: {},
}
ENDS = (CLEAN, ALL)  # where every system is
IMAGES = "images"


@dataclass(frozen=True)
class Preset:
    """The size of a run."""

    clips: int
    epochs: int
    batch_size: int = 50  # the report's


PRESETS = {"quick": Preset(clips=2000, epochs=7), "paper": Preset(clips=20000, epochs=10)}


@dataclass(frozen=True)
class Group:
    """The models of a system on the sounds of a condition, one per beta."""

    system: str
    condition: str
    latent_dim: int = LATENT_DIM

    @property
    def label(self) -> str:
        """The name of its folder."""
        return f"{self.condition.replace(' ', '-')}/{self.system}/latent_dim={self.latent_dim}"

    @property
    def of(self) -> System:
        """The network and the representation."""
        return (IMAGE_SYSTEMS if self.condition == IMAGES else SYSTEMS)[self.system]


def groups() -> list[Group]:
    """The whole grid: the report's systems in all conditions, the others in ``ENDS``."""
    found = [Group(system, REPORTED) for system in THEIRS]
    for condition in (CLEAN, DECAY, NOISE, ALL):
        found += [Group(name, condition) for name in (SYSTEMS if condition in ENDS else THEIRS)]
    found += [Group(system, ALL, FEW_LATENTS) for system in THEIRS]
    return found + [Group(system, IMAGES) for system in IMAGE_SYSTEMS]


def make_dataset(
    representation: str, condition: str, clips: int, seed: int, images: str | None
) -> datasets.Dataset:
    """The clips of a condition in a representation; MNIST or scikit-learn's digits for images."""
    if condition == IMAGES:
        return datasets.images(images)
    return datasets.AdditiveToy(representation, clips=clips, seed=seed, **CONDITIONS[condition])


def settings(size: Preset, seed: int, images: str | None) -> dict[str, str]:
    """The settings of a run, as its report shows them."""
    return {
        "clips": f"{size.clips:,} per condition, drawn from the grid; 2,000 samples at 8 kHz",
        "epochs": str(size.epochs),
        "batch": str(size.batch_size),
        "code sizes": f"{LATENT_DIM}, as in the report's figures; {FEW_LATENTS}, one per factor",
        "features": "standardised by one mean and one deviation for the whole set",
        "objective": "β-VAE, Gaussian likelihood; its variance makes what the factors determine "
        f"worth {NATS:g} nats",
        "optimizer": f"Adam, learning rate {LEARNING_RATE:g}",
        "held out": "20% of the clips, on which reconstructions are measured",
        "images": "scikit-learn's digits" if images is None else images,
        "seed": str(seed),
    }
