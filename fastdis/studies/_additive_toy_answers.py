"""What the additive toy study says to the report's questions: rows of the grid in, answers out.

Nothing is computed from a model here: every number is a mean over rows that were measured before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastdis.reports import Answer, Table
from fastdis.studies import _additive_toy_sounds as sounds
from fastdis.studies._additive_toy_grid import (
    ALL,
    BETAS,
    ENDS,
    FEW_LATENTS,
    IMAGES,
    LATENT_DIM,
    SYSTEMS,
    THEIRS,
)
from fastdis.studies._additive_toy_tables import (
    MEASURES,
    Row,
    chosen,
    mean,
    title_of,
)

_CARRIED = 0.1  # of a factor's entropy; less in its best code is next to nothing


def answers(rows: Sequence[Row], audits: Mapping[str, Any]) -> list[Answer]:
    """The report's questions, in the order in which they come up."""
    return [
        _carriers(rows),
        sounds.cqt(rows),
        sounds.noise(rows),
        sounds.hilbert(rows),
        sounds.same_picture(rows),
        _best(rows),
        sounds.partials(rows),
        _sizes(rows),
        _images(rows),
        _carried_at_all(audits),
    ]


def _carriers(rows: Sequence[Row]) -> Answer:
    """Which factor each code carries."""
    hard = chosen(rows, condition=ALL, latent_dim=LATENT_DIM)
    names = hard[0]["names"]
    lines = []
    for system in dict.fromkeys(row["system"] for row in hard):
        for row in chosen(hard, system=system, beta=4.0):
            cells = [
                f"{share:.2f} (code {code}; gap {gap:.2f})"
                for share, code, gap in zip(
                    row["information"], row["carriers"], row["gaps"], strict=True
                )
            ]
            lines.append([title_of(row), *cells])
    held = {name: _mean_of_factor(hard, name, "information") for name in names}
    gaps = {name: _mean_of_factor(hard, name, "gaps") for name in names}
    carried = [name for name in names if held[name] >= _CARRIED]
    best = max(names, key=lambda name: gaps[name])
    alone = [row for row in hard if max(row["gaps"]) > 0.2]
    return Answer(
        "Which factor does each code carry?",
        f"{_listed(carried) or 'No factor'} can be read from single codes; no code has a factor "
        f"to itself beyond {gaps[best]:.2f} of its entropy on average ({best})."
        if not alone
        else f"{_listed(carried)} can be read from single codes. In {len(alone)} of {len(hard)} "
        "models one code holds a factor clearly ahead of all others (a gap above 0.2).",
        [
            "The mutual information of each factor with the code that tells most about it, as a "
            "share of the factor's entropy, and its gap to the second best code, on the sounds "
            "with all six factors. A disentangled code has a large share and a large gap. The "
            "report judged by eye and found codes for spread and amplitude, and none for the "
            "fundamental.",
        ],
        [
            Table("β = 4, 20 codes, noise and decay", ["network", *names], lines),
            Table(
                f"Means over the {len(hard)} models with 20 codes, noise and decay",
                ["", *names],
                [["share in the best code", *held.values()],
                 ["gap to the second", *gaps.values()]],
            ),
        ],
    )  # fmt: skip


def _mean_of_factor(rows: Sequence[Row], name: str, key: str) -> float:
    return mean(rows, lambda row: row[key][row["names"].index(name)])


def _best(rows: Sequence[Row]) -> Answer:
    shared = chosen(rows, latent_dim=LATENT_DIM, condition=ENDS)
    lines: list[list[str | float]] = []
    for system, of in SYSTEMS.items():
        these = chosen(shared, system=system)
        lines.append(
            [of.title, *(mean(these, measure) for _, measure in MEASURES),
             mean(these, lambda row: row["active"]), mean(these, lambda row: row["seconds"])]
        )  # fmt: skip
    lines.sort(key=lambda line: -float(line[2]))
    rank = [line[0] for line in lines].index(SYSTEMS["rnn-cqt"].title) + 1
    by_mig = max(lines, key=lambda line: float(line[3]))
    return Answer(
        "Does the attention RNN on CQTs do best?",
        f"It is number {rank} of {len(lines)} by what its codes tell of the factors; first is "
        f"{lines[0][0]}. The highest MIG is that of {by_mig[0]}, {float(by_mig[3]):.3f}.",
        ["The report's conclusion, from reconstructions. Means over β, of the sounds with and "
            "without both noise and decay."],
        [
            Table(
                f"{len(shared)} models with 20 codes, by what their codes tell",
                ["network", *(title for title, _ in MEASURES), "active codes", "seconds"],
                lines,
            ),
            Table(
                "What β does, the same models",
                ["β", *(title for title, _ in MEASURES), "active codes"],
                [[f"{beta:g}", *(mean(chosen(shared, beta=beta), of) for _, of in MEASURES),
                  mean(chosen(shared, beta=beta), lambda row: row["active"])] for beta in BETAS],
            ),
        ],
    )  # fmt: skip


def _sizes(rows: Sequence[Row]) -> Answer:
    lines: list[list[str | float]] = []
    for size in (LATENT_DIM, FEW_LATENTS):
        these = chosen(rows, latent_dim=size, system=THEIRS, condition=ALL)
        lines.append([f"{size} codes", *(mean(these, of) for _, of in MEASURES),
                      mean(these, lambda row: row["active"])])  # fmt: skip
    return Answer(
        "Are twenty codes too many?",
        f"Of 20 codes {float(lines[0][4]):.1f} are active on average, of 6 "
        f"{float(lines[1][4]):.1f}; six tell {float(lines[1][2]):.2f} of the factors where twenty "
        f"tell {float(lines[0][2]):.2f}, with a MIG of {float(lines[1][3]):.3f} against "
        f"{float(lines[0][3]):.3f}.",
        [
            "The report found that some of its twenty codes carry no meaning, and named as its "
            "goal as many codes as parameters.",
        ],
        [
            Table(
                "The report's networks, noise and decay, means over β",
                ["", *(title for title, _ in MEASURES), "active codes"],
                lines,
            )
        ],
    )


def _images(rows: Sequence[Row]) -> Answer:
    these = chosen(rows, condition=IMAGES)
    best = max(BETAS, key=lambda beta: mean(chosen(these, beta=beta), lambda r: r["explained"]))
    return Answer(
        "Do the same networks work on images?",
        f"They explain {min(r['explained'] for r in these):.2f} to "
        f"{max(r['explained'] for r in these):.2f} of the pixels' variance. β = {best:g} "
        "reconstructs best; the report preferred β = 8 by eye.",
        ["The report's check on MNIST, here on scikit-learn's digits where there is no MNIST."],
        [
            Table(
                "20 codes",
                ["network", "β", "variance explained", "active codes",
                 "the digit by nearest neighbours", "MIG"],
                [[title_of(row), f"{row['beta']:g}", row["explained"], row["active"],
                  row["scores"]["knn_accuracy"], row["scores"]["mig"]] for row in these],
            )
        ],
    )  # fmt: skip


def _carried_at_all(audits: Mapping[str, Any]) -> Answer:
    names = [factor.name for factor in next(iter(audits.values())).factors]
    lines = []
    for name in names:
        found = [{f.name: f for f in audit.factors}[name] for audit in audits.values()]
        lines.append(
            [name, *(f"{f.measure} {f.accuracy:.2f} ({f.confused or 0.0:.0%})"
                     f"{'' if f.passes else ', not found'}{'' if f.carried else ', in doubt'}"
                     for f in found)]
        )  # fmt: skip
    told = []
    for title, audit in audits.items():
        doubtful = [f.name for f in audit.factors if not f.carried]
        missed = [f.name for f in audit.factors if f.carried and not f.passes]
        text = f"{title} carries {'all but ' + _listed(doubtful) if doubtful else 'all six'}"
        told.append(text + (f" (a simple predictor misses {_listed(missed)})" if missed else ""))
    return Answer(
        "Which factors can a representation carry at all?",
        "; ".join(told) + ".",
        [
            "Asked before any training, with noise and decay on. A factor is carried if clips of "
            "neighbouring levels have other features, and an observer who knows all else of a clip "
            "and the noise's distribution takes at most one clip in ten for its neighbour. In "
            "brackets: the clips that it mistakes, of which a guess gets half. Beside it, what a "
            "simple predictor finds in clips that it has not seen.",
        ],
        [
            Table(
                "Of each factor: a held-out predictor (clips mistaken)", ["factor", *audits], lines
            )
        ],
    )


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
