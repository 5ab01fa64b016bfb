"""What the additive toy study says of sounds: representations, noise, flattening, partials."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import getitem, itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastdis.reports import Answer, Figure, Table
from fastdis.studies.additive_toy.figures import loss_curves
from fastdis.studies.additive_toy.grid import (
    CLEAN,
    DECAY,
    ENDS,
    LATENT_DIM,
    MODELS,
    NOISE,
    SHOWN_CAPTION,
    SYSTEMS,
    THEIRS,
)
from fastdis.studies.additive_toy.tables import (
    EXPLAINED,
    EXPLAINED_KEY,
    MEASURES,
    Row,
    chosen,
    compared,
    mean,
    pairs,
    title_of,
)

_SAME = 0.05  # of the variance explained; less is one picture for all
MEAN = "one picture for all"
_CLOSED = 0.5  # nats of KL, below which nothing comes through


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
            "is in the same unit for both. One seed a model: other initial weights alone move the "
            f"MLP's variance explained by about {_by_chance(twenty):.3f}.",
        ],
        [
            compared(twenty, couples, ("spectrogram", "CQT")),
            compared(twenty, [("MLP", "mlp-spectrogram", "mlp-mel")], ("spectrogram", "mel")),
        ],
    )


def noise(rows: Sequence[Row]) -> Answer:
    """Does noise stop convergence? Losses, and what comes through of the sound."""
    twenty = chosen(rows, latent_dim=LATENT_DIM, system=THEIRS)
    learned = {
        condition: [
            row for row in chosen(twenty, condition=condition) if row[EXPLAINED_KEY] >= _SAME
        ]
        for condition in (CLEAN, NOISE)
    }
    within, without = len(learned[NOISE]), len(learned[CLEAN])
    count = len(chosen(twenty, condition=NOISE))
    word = "Yes" if not within else "No" if within >= without else "In part"
    cells = [(system, condition) for system in THEIRS for condition in (CLEAN, NOISE)]
    return Answer(
        "Does noise stop convergence?",
        f"{word}: {within} of {count} models learn more than the mean picture with noise, "
        f"{without} without. {'; '.join(_with_and_without(twenty, system) for system in THEIRS)}.",
        [
            "The report's first net did not converge with noise, and the noise was taken out. A "
            "reconstruction cannot follow the noise itself: the ceiling is what the factors "
            "determine of the features, and the variance explained is a share of that. One seed a "
            "model.",
        ],
        [
            Table(
                f"{LATENT_DIM} codes, means over β; no decay",
                ["network, sounds", "of the clip", "its ceiling", "variance explained",
                 "share of the loss's gain in the last epoch"],
                [_noise_line(chosen(twenty, system=system, condition=condition))
                 for system, condition in cells],
            )
        ],
        [
            Figure(
                f"Held-out loss, from its first epoch (1) to its least (0); {SHOWN_CAPTION}",
                loss_curves(rows, THEIRS, (CLEAN, NOISE)),
                "Loss of the report's networks over the epochs, with and without noise",
            )
        ],
    )  # fmt: skip


def _with_and_without(rows: Sequence[Row], system: str) -> str:
    clean, noisy = (
        mean(chosen(rows, system=system, condition=condition), EXPLAINED[1])
        for condition in (CLEAN, NOISE)
    )
    return f"{SYSTEMS[system].title} explains {noisy:.2f} with noise and {clean:.2f} without"


def _noise_line(rows: Sequence[Row]) -> list[str | float]:
    last = mean(rows, lambda row: _last_share(row["validation"]))
    values = (mean(rows, itemgetter(key)) for key in ("explained", "ceiling", EXPLAINED_KEY))
    return [f"{title_of(rows[0])}, {rows[0]['condition']}", *values, f"{last:.0%}"]


def _last_share(losses: Sequence[float]) -> float:
    """The share of all improvement that the last epoch brought."""
    whole = losses[0] - min(losses)
    return (losses[-2] - losses[-1]) / whole if whole > 0.0 else 0.0


def hilbert(rows: Sequence[Row]) -> Answer:
    """Does Hilbert flattening help the MLP, or a network that sees the order?"""
    twenty = chosen(rows, latent_dim=LATENT_DIM)
    both = pairs(twenty, "mlp-spectrogram", "mlp-spectrogram-hilbert")
    change = np.array([EXPLAINED[1](right) - EXPLAINED[1](left) for left, right in both])
    local = pairs(twenty, "conv1d-spectrogram", "conv1d-spectrogram-hilbert")
    gain, told = (
        np.array([of(right) - of(left) for left, right in local]) for _, of in MEASURES[:2]
    )
    return Answer(
        "Does Hilbert flattening help the MLP?",
        f"Its order moves the MLP's variance explained by {change.mean():+.3f} ± "
        f"{change.std():.3f} over {len(change)} pairs, as other initial weights do: it cannot "
        f"help. The 1-D CNN, which reads the curve as a sequence, {_gains(gain)}; what its codes "
        f"tell moves by {told.mean():+.3f} ± {told.std():.3f}.",
        [
            "The report hoped that a space-filling curve would keep neighbours together. A dense "
            "layer multiplies every input by a weight of its own, so a fixed reordering of the "
            "inputs is undone by the same reordering of its weights: an MLP can compute the same "
            "functions and starts from the same distribution of them. What differences remain are "
            "those of other initial weights. A convolution along the curve looks at neighbours "
            "alone; there the order can matter, for better or worse. One seed a model.",
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


def _by_chance(rows: Sequence[Row]) -> float:
    """How far the order of its inputs moves an MLP, for which it is another draw of weights."""
    both = pairs(rows, "mlp-spectrogram", "mlp-spectrogram-hilbert")
    return float(np.mean([abs(EXPLAINED[1](b) - EXPLAINED[1](a)) for a, b in both]))


def _gains(change: NDArray[np.float64]) -> str:
    """What a change of the variance explained comes to, held against its own deviation."""
    mean, deviation = change.mean(), change.std()
    word = "gains by it" if mean > deviation else "loses" if mean < -deviation else "does not gain"
    return f"{word}: variance explained {mean:+.3f} ± {deviation:.3f} over {len(change)} pairs"


def same_picture(rows: Sequence[Row]) -> Answer:
    """Does the CNN give back one picture? Where its codes are closed."""
    these = chosen(rows, system=("cnn-cqt", "cnn-spectrogram"), latent_dim=LATENT_DIM)
    flat = [row for row in these if row[EXPLAINED_KEY] < _SAME]
    closed = sum(row["kl"] < _CLOSED for row in flat)
    where = sorted({f"β = {row['beta']:g}, {title_of(row)}" for row in flat})
    why = (
        f"In {closed} of those {len(flat)} the KL divergence is below {_CLOSED:g} nats: closed "
        "codes, which give the decoder nothing to tell one clip from another by."
    )
    return Answer(
        "Does the CNN give back the same picture all the time?",
        (f"In {len(flat)} of {len(these)} models ({'; '.join(where)}). " if flat
         else f"In none of {len(these)} models. ")
        + "A picture for all would explain nothing; the CNN explains "
        f"{mean(these, EXPLAINED[1]):.2f} on average.",
        [
            "The report's redesigned net, with batch normalisation and dropout, did well on MNIST "
            "and gave one picture for all sounds; there was no time left to find out why.",
            *([why] if flat else []),
        ],
        [
            Table(
                f"{LATENT_DIM} codes",
                ["network", "sounds", "β", "variance explained", "active codes", "KL, nats"],
                [[title_of(row), row["condition"], f"{row['beta']:g}", row[EXPLAINED_KEY],
                  row["active"], row["kl"]] for row in these],
            )
        ],
    )  # fmt: skip


def partials(rows: Sequence[Row]) -> Answer:
    """Are the partials lost, and quick decays? Errors in dB, beside those of the mean picture."""
    ends = chosen(rows, latent_dim=LATENT_DIM, condition=ENDS)
    names = [name for name, of in SYSTEMS.items() if of.representation == "cqt"]
    lowest, others = (
        {name: _errors(ends, name, (key,)) for name in [*names, MEAN]}
        for key in ("fundamental", "partials")
    )
    fading = chosen(rows, condition=DECAY)
    rates = list(chosen(fading, system="rnn-cqt")[0]["by_decay"])
    decays = {
        name: [_errors(fading, name, ("by_decay", rate)) for rate in rates]
        for name in THEIRS if SYSTEMS[name].representation != "waveform"
    }  # fmt: skip
    slow, quick = decays["rnn-cqt"][0], decays["rnn-cqt"][-1]
    return Answer(
        "Are the partials lost, and quick decays?",
        f"The attention RNN is off by {lowest['rnn-cqt']:.1f} dB at the lowest partial and by "
        f"{others['rnn-cqt']:.1f} at the others, where one picture for all is off by "
        f"{lowest[MEAN]:.1f} and {others[MEAN]:.1f}; by {slow:.1f} dB where nothing decays and by "
        f"{quick:.1f} at {rates[-1]} per second.",
        [
            "The report's RNN drew the fundamentals and missed the partials, and followed slow "
            "decays better than quick ones. Here the bins of the CQT that hold a clip's lowest "
            "sounding partial are measured apart from those that hold another one: root mean "
            "square errors, of what the factors determine.",
        ],
        [
            Table(
                f"Errors in dB; CQT, {LATENT_DIM} codes, means over β, with and without both noise "
                "and decay",
                ["network", "lowest partial", "other partials"],
                [[SYSTEMS[name].title if name in SYSTEMS else name, lowest[name], others[name]]
                 for name in lowest],
            ),
            Table(
                "Errors in dB by decay rate in 1/s; no noise, means over β",
                ["network", *rates],
                [[SYSTEMS[name].title, *each] for name, each in decays.items()],
            ),
        ],
    )  # fmt: skip


def _errors(rows: Sequence[Row], system: str, keys: Sequence[str]) -> float:
    """The mean error of a system's models in dB; or of the mean picture, which is beside each."""
    own = chosen(rows, system="rnn-cqt" if system == MEAN else system)
    found: list[Any] = [reduce(getitem, keys, row) for row in own]
    return float(np.mean([each[1 if system == MEAN else 0] for each in found]))
