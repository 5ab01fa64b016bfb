"""The additive toy study's questions: one table each, and a line that states its main numbers.

Nothing is computed from a model here: every number is a mean over cells that were measured before.
What follows from the numbers is written in ``docs/additive_toy.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from operator import itemgetter
from typing import Any

import numpy as np

from fastdis.datasets import Audit
from fastdis.reports import Answer, Table
from fastdis.studies.additive_toy import grid
from fastdis.studies.additive_toy.grid import LATENT_DIM, SYSTEMS
from fastdis.studies.additive_toy.tables import (
    ACTIVE,
    COMPARED,
    EXPLAINED,
    MEASURES,
    MIG,
    PROBE,
    Row,
    changes,
    chosen,
    compared,
    loss_curves,
    mean,
    means,
    pairs,
    title_of,
)

INFORMATIVE = 0.1  # I(z; v) / H(v) from which a code counts as informative about a factor
LEADS = 0.2  # of H(v), between the most informative code and the second
COLLAPSED = 0.05  # of the variance explained; below it a model gives the mean image
CLOSED = 0.5  # nats of KL, below which the codes hold next to nothing of a clip
MEAN_IMAGE = "mean image"
_DEFINED = "Variance explained: share of what the factors determine. One seed per model."


def answers(rows: Sequence[Row], audits: Mapping[str, Audit]) -> list[Answer]:
    """Every question with its table, in the order in which they come up."""
    twenty = chosen(rows, latent_dim=LATENT_DIM)
    ends = chosen(twenty, condition=grid.ENDS)
    return [
        codes(chosen(twenty, condition=grid.ALL)), cqt(twenty), noise(twenty), hilbert(twenty),
        collapse(twenty), ranking(ends), beta(ends), partials(ends), decays(twenty),
        code_sizes(chosen(rows, condition=grid.ALL)), images(rows), representations(audits),
    ]  # fmt: skip


def _answer(
    question: str, line: str, caption: str, columns: Sequence[str], lines: Sequence[Any], **of: Any
) -> Answer:
    return Answer(question, line, tables=[Table(caption, columns, lines, **of)])


def codes(rows: Sequence[Row]) -> Answer:
    """Each factor's mutual information with the code that is most informative about it."""
    names = rows[0]["names"]
    lines = [[title_of(row), *_best_codes(row)] for row in chosen(rows, beta=grid.SHOWN_BETA)]
    average = {}
    for key, title in (
        ("information", f"mean of {len(rows)} models, all β"),
        ("gaps", "mean gap to the second code"),
        ("chance_information", "chance: codes permuted across clips"),
    ):
        of = np.mean([row[key] for row in rows], axis=0).tolist()
        average[key] = dict(zip(names, of, strict=True))
        lines.append([title, *(f"{value:.3f}" for value in of)])
    found = [name for name, share in average["information"].items() if share >= INFORMATIVE]
    leading = sum(max(row["gaps"]) > LEADS for row in rows)
    return _answer(
        "Which factor does each code carry?",
        f"Single codes are informative, on average, about {' and '.join(found) or 'no factor'}; "
        f"a code leads the second by over {LEADS:g} of H(v) in {leading} of {len(rows)} models.",
        f"I(z; v) / H(v) of each factor v and its most informative code z; {grid.SHOWN_CAPTION}, "
        "noise and decay",
        ["network", *names], lines,
        note=f"Code and gap to the second code from {INFORMATIVE:g} on. Mutual information of "
        f"{rows[0]['clips']:,} clips, 20 bins per code. One seed per model.",
    )  # fmt: skip


def _best_codes(row: Row) -> list[str]:
    return [
        f"{share:.2f}" + (f" (code {code}, gap {gap:.2f})" if share >= INFORMATIVE else "")
        for share, code, gap in zip(row["information"], row["carriers"], row["gaps"], strict=True)
    ]


def cqt(rows: Sequence[Row]) -> Answer:
    """The same networks on spectrograms and on CQTs; on mel, the MLP."""
    couples = [
        (f"{grid.MODELS[SYSTEMS[f'{name}-cqt'].model]}, spectrogram → CQT", f"{name}-spectrogram",
         f"{name}-cqt") for name in ("mlp", "cnn", "rnn")
    ]  # fmt: skip
    both = [pair for _, first, second in couples for pair in pairs(rows, first, second)]
    found = []
    for measure in COMPARED:
        change = changes(both, measure)
        higher = int((change > 0).sum())
        found.append(f"{measure} {change.mean():+.3f} (higher in {higher} of {len(both)})")
    mel = ("MLP, spectrogram → mel", "mlp-spectrogram", "mlp-mel")
    return Answer(
        "Does the CQT beat the spectrogram?", f"CQT instead of spectrogram: {', '.join(found)}.",
        tables=[compared(rows, [*couples, mel])],
    )  # fmt: skip


def noise(rows: Sequence[Row]) -> Answer:
    """Losses, and the variance explained, with and without noise."""
    lines, learned, count = [], {grid.CLEAN: 0, grid.NOISE: 0}, 0
    for system in grid.THEIRS:
        for condition in learned:
            these = chosen(rows, system=system, condition=condition)
            learned[condition] += sum(MEASURES[EXPLAINED](row) >= COLLAPSED for row in these)
            values = [mean(these, itemgetter(key))
                      for key in ("explained", "ceiling", "explained_expected")]  # fmt: skip
            last = mean(these, lambda row: last_share(row["validation"]))
            lines.append([f"{title_of(these[0])}, {condition}", *values, f"{last:.0%}"])
        count += len(these)
    answer = _answer(
        "Does noise stop convergence?",
        f"{learned[grid.NOISE]} of {count} models explain at least {COLLAPSED:.0%} of the variance "
        f"with noise, {learned[grid.CLEAN]} without.",
        f"{LATENT_DIM} codes, means over β; no decay",
        ["network, sounds", "variance explained, with noise", "ceiling", EXPLAINED,
         "last epoch's share of the loss decrease"], lines,
        note="Ceiling: what the factors determine of the variance with noise; the variance "
        "explained is a share of it.",
    )  # fmt: skip
    return replace(answer, figures=[loss_curves(rows)])


def last_share(losses: Sequence[float]) -> float:
    """The share of the whole decrease of a loss that the last epoch brought."""
    whole = losses[0] - min(losses)
    return (losses[-2] - losses[-1]) / whole if whole > 0.0 else 0.0


def hilbert(rows: Sequence[Row]) -> Answer:
    """Spectrograms flattened by row, by column and along the Hilbert curve."""
    couples = [
        ("MLP, row → Hilbert", "mlp-spectrogram", "mlp-spectrogram-hilbert"),
        ("1-D CNN, row → Hilbert", "conv1d-spectrogram", "conv1d-spectrogram-hilbert"),
        ("1-D CNN, row → column", "conv1d-spectrogram", "conv1d-spectrogram-column"),
    ]
    found = []
    for name, first, second in couples:
        change = changes(pairs(rows, first, second), EXPLAINED)
        found.append(f"{name} {change.mean():+.3f} ± {change.std():.3f}")
    return Answer(
        "Does Hilbert flattening help?", f"Variance explained: {'; '.join(found)}.",
        tables=[compared(rows, couples)],
    )  # fmt: skip


def collapse(rows: Sequence[Row]) -> Answer:
    """Whether the CNN gives the mean image for every clip."""
    these = chosen(rows, system=("cnn-cqt", "cnn-spectrogram"))
    collapsed = [row for row in these if MEASURES[EXPLAINED](row) < COLLAPSED]
    closed = sum(row["kl"] < CLOSED for row in collapsed)
    return _answer(
        "Does the CNN collapse to the mean image?",
        f"{len(collapsed)} of {len(these)} models explain less than {COLLAPSED:.0%} of the "
        f"variance; in {closed} of these the KL divergence is below {CLOSED:g} nats.",
        f"{LATENT_DIM} codes", ["network", "sounds", "β", EXPLAINED, ACTIVE, "KL, nats"],
        [[title_of(row), row["condition"], f"{row['beta']:g}", MEASURES[EXPLAINED](row),
          row["active"], row["kl"]] for row in these],
        note=_DEFINED,
    )  # fmt: skip


def ranking(rows: Sequence[Row]) -> Answer:
    """All networks, on sounds with and without both noise and decay."""
    measured = {system: means(chosen(rows, system=system)) for system in SYSTEMS}
    order = sorted(SYSTEMS, key=lambda system: -measured[system][PROBE])
    most = max(SYSTEMS, key=lambda system: measured[system][MIG])
    chance = mean(rows, lambda row: row["chance"]["probe"])
    return _answer(
        "Does the attention RNN on CQTs do best?",
        f"It is number {order.index('rnn-cqt') + 1} of {len(order)} by the linear probe; first is "
        f"{SYSTEMS[order[0]].title}. First by MIG is {SYSTEMS[most].title}.",
        f"{len(rows)} models with {LATENT_DIM} codes, means over β and sounds",
        ["network", *MEASURES], [[SYSTEMS[s].title, *measured[s].values()] for s in order],
        best=dict.fromkeys(COMPARED, "high"),
        note=f"{_DEFINED} Chance of the probe (codes permuted across clips): {chance:.3f}.",
    )  # fmt: skip


def beta(rows: Sequence[Row]) -> Answer:
    """The same models, by beta."""
    measured = {f"{value:g}": means(chosen(rows, beta=value)) for value in grid.BETAS}
    explained, mig = (", ".join(f"{line[title]:.3f}" for line in measured.values())
                      for title in (EXPLAINED, MIG))  # fmt: skip
    return _answer(
        "What does β change?",
        f"For β = {', '.join(measured)}: variance explained {explained}; MIG {mig}.",
        f"{len(rows)} models with {LATENT_DIM} codes, means over networks and sounds",
        ["β", *MEASURES], [[value, *line.values()] for value, line in measured.items()],
    )  # fmt: skip


def partials(rows: Sequence[Row]) -> Answer:
    """Errors in the bins of the CQT that hold a clip's lowest partial, and another one."""
    names = [name for name, of in SYSTEMS.items() if of.representation == "cqt"]
    errors = {name: [_error(rows, name, itemgetter(key)) for key in ("fundamental", "partials")]
              for name in [*names, MEAN_IMAGE]}  # fmt: skip
    (low, high), (low_mean, high_mean) = errors["rnn-cqt"], errors[MEAN_IMAGE]
    return _answer(
        "Are the partials lost?",
        f"Attention RNN: {low:.1f} dB at the lowest partial, {high:.1f} dB at the others; "
        f"{MEAN_IMAGE}: {low_mean:.1f} and {high_mean:.1f} dB.",
        f"Root mean square errors in dB; CQT, {LATENT_DIM} codes, means over β, with and without "
        "both noise and decay", ["network", "lowest partial", "other partials"],
        [[SYSTEMS[n].title if n in SYSTEMS else n, *each] for n, each in errors.items()],
    )  # fmt: skip


def decays(rows: Sequence[Row]) -> Answer:
    """Errors by the decay rate of the clips."""
    these = chosen(rows, condition=grid.DECAY)
    rates = list(chosen(these, system="rnn-cqt")[0]["by_decay"])

    def of(rate: str) -> Callable[[Row], Sequence[float]]:
        return lambda row: row["by_decay"][rate]

    errors = {
        name: [_error(these, name, of(rate)) for rate in rates]
        for name in grid.THEIRS
        if SYSTEMS[name].representation != "waveform"
    }
    slow, fast = errors["rnn-cqt"][0], errors["rnn-cqt"][-1]
    return _answer(
        "Are fast decays lost?",
        f"Attention RNN: {slow:.1f} dB at {rates[0]} 1/s, {fast:.1f} dB at {rates[-1]} 1/s.",
        "Root mean square errors in dB by decay rate in 1/s; no noise, means over β",
        ["network", *rates], [[SYSTEMS[name].title, *each] for name, each in errors.items()],
    )  # fmt: skip


def _error(rows: Sequence[Row], system: str, of: Callable[[Row], Sequence[float]]) -> float:
    """The mean error of a system's models in dB, or of the mean image of the same clips."""
    own = chosen(rows, system="rnn-cqt" if system == MEAN_IMAGE else system)
    return mean(own, lambda row: of(row)[int(system == MEAN_IMAGE)])


def code_sizes(rows: Sequence[Row]) -> Answer:
    """The report's twenty codes against one for each factor."""
    sizes = (LATENT_DIM, grid.FEW_LATENTS)
    measured = {
        str(size): means(chosen(rows, system=grid.THEIRS, latent_dim=size)) for size in sizes
    }
    found = [f"{size} codes: {line[ACTIVE]:.1f} active, {PROBE} {line[PROBE]:.3f}, MIG "
             f"{line[MIG]:.3f}" for size, line in measured.items()]  # fmt: skip
    return _answer(
        "Are twenty codes too many?", f"{'; '.join(found)}.",
        "The report's networks and the two it proposed, noise and decay, means over β",
        ["codes", *MEASURES], [[size, *line.values()] for size, line in measured.items()],
        note="Active: the variance of the code's mean over the clips is above 0.01.",
    )  # fmt: skip


def images(rows: Sequence[Row]) -> Answer:
    """The same networks on MNIST, or on scikit-learn's digits."""
    these = chosen(rows, condition=grid.IMAGES)
    every = [row["explained"] for row in these]
    explained = {value: mean(chosen(these, beta=value), lambda row: row["explained"])
                 for value in grid.BETAS}  # fmt: skip
    best = max(explained, key=lambda value: explained[value])
    return _answer(
        "Do the same networks work on images?",
        f"Variance explained: {min(every):.2f} to {max(every):.2f}, highest on average at "
        f"β = {best:g}.",
        f"{these[0]['data']}, {LATENT_DIM} codes",
        ["network", "β", EXPLAINED, ACTIVE, "accuracy of nearest neighbours", MIG],
        [[title_of(row), f"{row['beta']:g}", row["explained"], row["active"],
          row["scores"]["knn_accuracy"], row["scores"]["mig"]] for row in these],
    )  # fmt: skip


def representations(audits: Mapping[str, Audit]) -> Answer:
    """What each representation keeps of each factor, by its audit."""
    found = {title: {f.name: f for f in audit.factors} for title, audit in audits.items()}
    names = list(next(iter(found.values())))
    kept = [f"{title} {sum(f.carried for f in of.values())}" for title, of in found.items()]
    passed = [f"{title} {sum(f.passes for f in of.values())}" for title, of in found.items()]
    return _answer(
        "Which factors can a representation carry at all?",
        f"Of {len(names)} factors the features keep: {', '.join(kept)}; a held-out predictor "
        f"detects: {', '.join(passed)}.",
        "Score of the held-out predictor (neighbouring levels confused), outcome",
        ["factor", *found],
        [[name, *(f"{f.measure} {f.accuracy:.2f} ({f.confused or 0.0:.0%}), {f.outcome}"
                  for f in (of[name] for of in found.values()))] for name in names],
        note="Confused: by a naive-Bayes (Student-t) classifier that is given all other factors "
        "(chance 50%). Above 10% a factor counts as hidden by noise.",
    )  # fmt: skip
