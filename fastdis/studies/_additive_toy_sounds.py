"""What the additive toy study says of sounds: representations, noise, flattening, partials."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter

import numpy as np

from fastdis.reports import Answer, Figure, Table
from fastdis.studies._additive_toy_figures import loss_curves
from fastdis.studies._additive_toy_grid import (
    ALL,
    CLEAN,
    DECAY,
    ENDS,
    LATENT_DIM,
    MODELS,
    NOISE,
    SYSTEMS,
    THEIRS,
)
from fastdis.studies._additive_toy_tables import (
    EXPLAINED,
    MEASURES,
    Row,
    chosen,
    compared,
    mean,
    pairs,
    title_of,
)

_REGIONS = ("fundamental", "partials")  # of the CQT
_SAME = 0.05  # of the variance explained; less is one picture for all
_LATE = 4  # the last quarter of the epochs


def cqt(rows: Sequence[Row]) -> Answer:
    """Does the CQT beat the spectrogram? The same networks on both."""
    twenty = chosen(rows, latent_dim=LATENT_DIM)
    couples = [
        (MODELS[SYSTEMS[f"{name}-cqt"].model], f"{name}-spectrogram", f"{name}-cqt")
        for name in ("mlp", "cnn", "rnn")
    ]
    both = [pair for _, first, second in couples for pair in pairs(twenty, first, second)]
    verdicts = []
    for title, of in MEASURES:
        change = np.array([of(right) - of(left) for left, right in both])
        verdicts.append(
            f"{title} {change.mean():+.3f}, higher in {int((change > 0).sum())} of {len(both)}"
        )
    return Answer(
        "Does the CQT beat the spectrogram?",
        f"CQT against spectrogram, the same networks: {'; '.join(verdicts)}.",
        [
            "The report changed the representation and the network in one step, so its better "
            "pictures could be either's. Here three networks learn both. The variance explained is "
            "of each representation's own features (what the factors determine of them), so it "
            "says how well a network learns a representation; what the codes tell of the factors "
            "is in the same unit for both.",
        ],
        [
            compared(twenty, couples, ("spectrogram", "CQT")),
            compared(twenty, [("MLP", "mlp-spectrogram", "mlp-mel")], ("spectrogram", "mel")),
        ],
    )


def noise(rows: Sequence[Row]) -> Answer:
    """Does noise stop convergence? Losses, and what comes through of the sound."""
    lines: list[list[str | float]] = []
    told = []
    for system in THEIRS:
        for condition in (CLEAN, NOISE):
            these = chosen(rows, system=system, condition=condition, latent_dim=LATENT_DIM)
            late = mean(these, lambda row: _late_share(row["validation"]))
            lines.append(
                [f"{title_of(these[0])}, {condition}", mean(these, lambda r: r["explained"]),
                 mean(these, lambda r: r["ceiling"]), mean(these, EXPLAINED[1]), f"{late:.0%}"]
            )  # fmt: skip
        without, within = (
            mean(chosen(rows, system=system, condition=c, latent_dim=LATENT_DIM), EXPLAINED[1])
            for c in (CLEAN, NOISE)
        )
        told.append((system, without, within))
    falls = [
        row for row in chosen(rows, condition=(NOISE, ALL))
        if row["validation"][-1] < row["validation"][0]
    ]  # fmt: skip
    noisy = chosen(rows, condition=(NOISE, ALL))
    return Answer(
        "Does noise stop convergence?",
        ("No: " if len(falls) == len(noisy) else "Mostly not: ")
        + f"the held-out loss falls in {len(falls)} of {len(noisy)} models that learn with noise; "
        + ", ".join(f"{SYSTEMS[s].title} explains {n:.2f} with noise and "
                    f"{c:.2f} without" for s, c, n in told) + ".",
        [
            "The report's first net did not converge with noise, and the noise was taken out. A "
            "reconstruction cannot follow the noise itself: what the mean over other draws of the "
            "noise explains is its ceiling. Held against that mean, one sees whether the "
            "partials come through.",
        ],
        [
            Table(
                "20 codes, means over β; no decay",
                ["network, sounds", "of the clip", "its ceiling", "of what the factors determine",
                 "gain of the last quarter of the epochs"],
                lines,
            )
        ],
        [
            Figure(
                "Held-out loss, from its first epoch (1) to its least (0); β = 4, 20 codes",
                loss_curves(rows, THEIRS, (CLEAN, NOISE)),
                "Loss of the report's four networks over the epochs, with and without noise",
            )
        ],
    )  # fmt: skip


def _late_share(losses: Sequence[float]) -> float:
    """The share of all improvement that the last quarter of the epochs brought."""
    whole = losses[0] - min(losses)
    before = losses[-1 - max(1, len(losses) // _LATE)] if len(losses) > 1 else losses[0]
    return (before - losses[-1]) / whole if whole > 0 else 0.0


def hilbert(rows: Sequence[Row]) -> Answer:
    """Does Hilbert flattening help the MLP, or a network that sees the order?"""
    twenty = chosen(rows, latent_dim=LATENT_DIM)
    both = pairs(twenty, "mlp-spectrogram", "mlp-spectrogram-hilbert")
    change = np.array([EXPLAINED[1](right) - EXPLAINED[1](left) for left, right in both])
    local = pairs(twenty, "conv1d-spectrogram", "conv1d-spectrogram-hilbert")
    gain = np.array([EXPLAINED[1](right) - EXPLAINED[1](left) for left, right in local])
    return Answer(
        "Does Hilbert flattening help the MLP?",
        f"No, and it cannot: variance explained {change.mean():+.3f} ± {change.std():.3f} over "
        f"{len(both)} pairs. A network that reads the curve as a sequence does see its order: the "
        f"1-D CNN {gain.mean():+.3f} ± {gain.std():.3f}.",
        [
            "The report hoped that a space-filling curve would keep neighbours together. A dense "
            "layer multiplies every input by a weight of its own, so a fixed reordering of the "
            "inputs is undone by the same reordering of its weights: an MLP can compute the same "
            "functions and starts from the same distribution of them. What differences remain are "
            "those of other initial weights. A convolution along the curve looks at neighbours "
            "alone; there the order matters.",
        ],
        [
            compared(
                twenty,
                [("MLP", "mlp-spectrogram", "mlp-spectrogram-hilbert"),
                 ("1-D CNN", "conv1d-spectrogram", "conv1d-spectrogram-hilbert")],
                ("by row", "Hilbert"),
            ),
            compared(
                twenty, [("1-D CNN", "conv1d-spectrogram", "conv1d-spectrogram-column")],
                ("by row", "by column"),
            ),
        ],
    )  # fmt: skip


def same_picture(rows: Sequence[Row]) -> Answer:
    """Does the CNN give back one picture? Where its codes are closed."""
    these = chosen(rows, system=("cnn-cqt", "cnn-spectrogram"), latent_dim=LATENT_DIM)
    flat = [row for row in these if row["explained_expected"] < _SAME]
    where = sorted({f"β = {row['beta']:g}, {SYSTEMS[row['system']].title}" for row in flat})
    return Answer(
        "Does the CNN give back the same picture all the time?",
        (f"In {len(flat)} of {len(these)} models ({'; '.join(where)})." if flat
         else f"In none of {len(these)} models.")
        + " The same picture for every clip would explain nothing; the CNN explains "
        f"{mean(these, EXPLAINED[1]):.2f} of what the factors determine on average.",
        [
            "The report's redesigned net, with batch normalisation and dropout, did well on MNIST "
            "and gave one picture for all sounds; there was no time left to find out why. It is "
            "what a closed code looks like: where the KL divergence falls to zero, the decoder has "
            "nothing to tell one clip from another by, and gives their mean.",
        ],
        [
            Table(
                "20 codes",
                ["network", "sounds", "β", "variance explained", "active codes", "KL, nats"],
                [[title_of(row), row["condition"], f"{row['beta']:g}", row["explained_expected"],
                  row["active"], row["kl"]] for row in these],
            )
        ],
    )  # fmt: skip


def partials(rows: Sequence[Row]) -> Answer:
    """Are the partials lost, and quick decays?"""
    lines: list[list[str | float]] = []
    for system in (name for name, of in SYSTEMS.items() if of.representation == "cqt"):
        these = chosen(rows, system=system, latent_dim=LATENT_DIM, condition=ENDS)
        lines.append(
            [SYSTEMS[system].title, *(mean(these, itemgetter(region)) for region in _REGIONS)]
        )  # fmt: skip
    fading = chosen(rows, system="rnn-cqt", condition=DECAY, latent_dim=LATENT_DIM)
    rates = list(fading[0]["by_decay"])
    slow, quick = (_at_decay(fading, rate) for rate in (rates[0], rates[-1]))
    first, other = (float(v) for v in lines[-1][1:])
    return Answer(
        "Are the partials lost, and quick decays?",
        f"The attention RNN explains {first:.2f} of the variance at the lowest partial and "
        f"{other:.2f} at the others; {slow:.2f} where nothing decays and {quick:.2f} at "
        f"{rates[-1]} per second.",
        [
            "The report's RNN drew the fundamentals and missed the partials, and followed slow "
            "decays better than quick ones. Here the bins of the CQT that hold a clip's lowest "
            "sounding partial are measured apart from those that hold another one.",
        ],
        [
            Table("CQT, 20 codes, means over β, with and without both noise and decay",
                  ["network", "lowest partial", "other partials"], lines),
            Table(
                "Variance explained by decay rate in 1/s, no noise, means over β",
                ["network", *rates],
                [[SYSTEMS[system].title,
                  *(_at_decay(chosen(rows, system=system, condition=DECAY), rate)
                    for rate in rates)] for system in THEIRS],
            ),
        ],
    )  # fmt: skip


def _at_decay(rows: Sequence[Row], rate: str) -> float:
    return mean(rows, lambda row: row["by_decay"][rate])
