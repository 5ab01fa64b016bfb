"""What the additive toy study says to the report's questions: rows of the grid in, answers out.

Nothing is computed from a model here: every number is a mean over rows that were measured before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastdis.reports import Answer, Table
from fastdis.studies.additive_toy import sound_answers as sounds
from fastdis.studies.additive_toy.grid import (
    ALL,
    BETAS,
    ENDS,
    FEW_LATENTS,
    IMAGES,
    LATENT_DIM,
    SHOWN_BETA,
    SHOWN_CAPTION,
    SYSTEMS,
    THEIRS,
)
from fastdis.studies.additive_toy.measure import ACTIVE as IN_USE
from fastdis.studies.additive_toy.tables import (
    ACTIVE,
    MEASURES,
    MIG,
    TOLD,
    Row,
    chosen,
    mean,
    means,
    title_of,
)

_AHEAD = 0.2  # of a factor's entropy, between its best code and the second
_CARRIED = 0.1  # of a factor's entropy; less in its best code is next to nothing
IMAGE_SETS = {"MNIST": "MNIST itself", "Digits": "scikit-learn's digits, 8 by 8 pixels"}


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
        for row in chosen(hard, system=system, beta=SHOWN_BETA):
            cells = [
                f"{share:.2f} (code {code}; gap {gap:.2f})" if share >= _CARRIED else f"{share:.2f}"
                for share, code, gap in zip(
                    row["information"], row["carriers"], row["gaps"], strict=True
                )
            ]
            lines.append([title_of(row), *cells])
    held, gaps, chance = (
        {name: _mean_of_factor(hard, name, key) for name in names}
        for key in ("information", "gaps", "chance_information")
    )
    (rnn,) = chosen(hard, system="rnn-cqt", beta=SHOWN_BETA)
    carried = [name for name in names if held[name] >= _CARRIED]
    best = max(names, key=lambda name: gaps[name])
    alone = [row for row in hard if max(row["gaps"]) > _AHEAD]
    alike = f"Single codes tell of {_listed(carried) or 'no factor'}"
    return Answer(
        "Which factor does each code carry?",
        f"{alike}; no code has a factor to itself beyond {gaps[best]:.2f} of its entropy on "
        f"average ({best})."
        if not alone
        else f"{alike}. In {len(alone)} of {len(hard)} models one code holds a factor clearly "
        f"ahead of all others (a gap above {_AHEAD:g}).",
        [
            "The mutual information of each factor with the code that tells most about it, as a "
            "share of the factor's entropy, and its gap to the second best code, on the sounds "
            f"with all six factors. A code tells of a factor if it has {_CARRIED:g} of its "
            "entropy; a disentangled one has a large share and a large gap. The report judged by "
            "eye and found codes for spread and amplitude, and none for the fundamental. One seed "
            "a model.",
        ],
        [
            Table(
                f"{SHOWN_CAPTION}, noise and decay", ["network", *names], lines,
                note=f"Of {hard[0]['clips']:,} clips, in 20 bins a code.",
            ),
            Table(
                f"Means over the {len(hard)} models with 20 codes, noise and decay",
                ["", *names],
                [["share in the best code", *held.values()],
                 ["the same by chance, codes dealt to other clips", *chance.values()],
                 ["gap to the second", *gaps.values()]],
            ),
            Table(
                f"{title_of(rnn)}, {SHOWN_CAPTION}, noise and decay: each code",
                ["code", "tells most of", "share of its entropy"],
                [[str(code), names[factor], share] for code, (factor, share)
                 in enumerate(zip(rnn["holds"], rnn["shares"], strict=True))],
            ),
        ],
    )  # fmt: skip


def _mean_of_factor(rows: Sequence[Row], name: str, key: str) -> float:
    return mean(rows, lambda row: row[key][row["names"].index(name)])


def _best(rows: Sequence[Row]) -> Answer:
    shared = chosen(rows, latent_dim=LATENT_DIM, condition=ENDS)
    measured = {system: means(chosen(shared, system=system)) for system in SYSTEMS}
    order = sorted(SYSTEMS, key=lambda system: -measured[system][TOLD])
    most = max(SYSTEMS, key=lambda system: measured[system][MIG])
    return Answer(
        "Does the attention RNN on CQTs do best?",
        f"It is number {order.index('rnn-cqt') + 1} of {len(order)} by what its codes tell of the "
        f"factors; first is {SYSTEMS[order[0]].title}. The highest MIG is that of "
        f"{SYSTEMS[most].title}, {measured[most][MIG]:.3f}.",
        [
            "The report's conclusion, from reconstructions. Means over β, of the sounds with and "
            "without both noise and decay; one seed a model. The probe is linear; of codes dealt "
            f"to other clips it makes {mean(shared, lambda row: row['chance']['probe']):.3f}.",
        ],
        [
            Table(
                f"{len(shared)} models with {LATENT_DIM} codes, by what their codes tell",
                ["network", *measured[most]],
                [[SYSTEMS[system].title, *measured[system].values()] for system in order],
                best=dict.fromkeys([title for title, _ in MEASURES], "high"),
            ),
            Table(
                "What β does, the same models",
                ["β", *measured[most]],
                [[f"{beta:g}", *means(chosen(shared, beta=beta)).values()] for beta in BETAS],
            ),
        ],
    )


def _sizes(rows: Sequence[Row]) -> Answer:
    many, few = (
        means(chosen(rows, latent_dim=size, system=THEIRS, condition=ALL))
        for size in (LATENT_DIM, FEW_LATENTS)
    )
    return Answer(
        "Are twenty codes too many?",
        f"Of {LATENT_DIM} codes {many[ACTIVE]:.1f} are active on average, of {FEW_LATENTS} "
        f"{few[ACTIVE]:.1f}; the few tell {few[TOLD]:.2f} of the factors where the many tell "
        f"{many[TOLD]:.2f}, with a MIG of {few[MIG]:.3f} against {many[MIG]:.3f}.",
        [
            "The report found that some of its twenty codes carry no meaning, and named as its "
            "goal as many codes as parameters. A code counts as active if the variance of its mean "
            f"over the clips is above {IN_USE:g}.",
        ],
        [
            Table(
                "The report's networks and the two it proposed, noise and decay, means over β",
                ["", *many],
                [[f"{LATENT_DIM} codes", *many.values()], [f"{FEW_LATENTS} codes", *few.values()]],
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
        [f"The report's check on MNIST, here on {IMAGE_SETS[these[0]['data']]}."],
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
            "and has seen sixteen other draws of its noise takes at most one clip in ten for its "
            "neighbour (it takes features for independent, so a better one would mistake fewer). "
            "Near that limit another draw of clips may decide otherwise. "
            "In brackets: the clips that it mistakes, of which a guess gets half. Beside it, what "
            "a simple predictor finds in clips that it has not seen.",
        ],
        [
            Table(
                "Of each factor: a held-out predictor (clips mistaken)", ["factor", *audits], lines
            )
        ],
    )


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
