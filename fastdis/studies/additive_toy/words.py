"""What the additive toy study's page says around its answers: what was done, how, and how again."""

from __future__ import annotations

import shlex
from typing import Any

from fastdis.studies.additive_toy.grid import (
    BETAS,
    FEW_LATENTS,
    LATENT_DIM,
    PRESETS,
    SYSTEMS,
    Preset,
)
from fastdis.studies.additive_toy.measure import LEARNING_RATE, NATS


def summary(size: Preset, rows: list[dict[str, Any]]) -> list[str]:
    """What was done, in two paragraphs."""
    return [
        f"{len(rows)} beta-VAEs on sums of partials and on images: {len(SYSTEMS)} "
        f"networks on representations, beta {', '.join(f'{beta:g}' for beta in BETAS)}, with and "
        "without noise and decay, "
        f"{size.clips:,} labelled clips of a quarter second each and {size.epochs} epochs.",
        "The authors of the report left the noise out, did not label their clips, and judged codes "
        "by eye. Here every clip has its labels, so each of their questions has a number for an "
        "answer.",
    ]


def settings(size: Preset, seed: int, images: str | None) -> dict[str, str]:
    """The run's settings."""
    return {
        "clips": f"{size.clips:,} a condition, drawn from the grid; 2,000 samples at 8 kHz",
        "epochs": str(size.epochs),
        "batch": str(size.batch_size),
        "code sizes": f"{LATENT_DIM}, as in the report's figures; {FEW_LATENTS}, one a factor",
        "features": "standardised by one mean and one deviation for all",
        "objective": "beta-VAE, Gaussian likelihood whose variance makes all that can be explained "
        f"worth {NATS:g} nats",
        "optimizer": f"Adam, learning rate {LEARNING_RATE:g}",
        "held out": "20% of the clips, on which reconstructions are measured",
        "images": "scikit-learn's digits" if images is None else images,
        "seed": str(seed),
    }


def repeat(size: Preset, seed: int, images: str | None) -> list[str]:
    """What repeats the run."""
    named = [name for name, preset in PRESETS.items() if preset == size]
    if not named:
        code = (
            "from fastdis.studies import additive_toy as s; "
            f's.run("again", preset=s.{size!r}, seed={seed}, images={images!r})'
        )
        return [f"python -c {shlex.quote(code)}"]
    folder = "" if images is None else f" --images {shlex.quote(images)}"
    return [f"fastdis run additive-toy --preset {named[0]} --seed {seed}{folder}"]
