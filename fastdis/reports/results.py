"""What a report is made of: trained models, their scores, the audits of the data, the words around.

Plain data beside the live models and datasets, from which the page draws pictures and sounds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastdis import _validation
from fastdis.reports.table import Answer, Table

if TYPE_CHECKING:
    import torch

    from fastdis.metrics import Scores

Score = tuple[float, float]  # mean, standard deviation over evaluation runs

PROTOCOLS = ("published", "sound")  # as stored; "corrected" is how the second is shown


@dataclass(frozen=True)
class ModelResult:
    """One trained model and how it scored.

    Parameters
    ----------
    name
        The name it is built by: ``"beta_vae"``.
    title
        The name it is shown by: ``"β-VAE"``. Unique within a protocol.
    protocol
        How it was trained and on which variant of the dataset: ``"published"``,
        ``"corrected"`` (kept as ``"sound"``, its former name), or any short text that names the
        group of models it is shown with.
    model
        ``encode(x) -> (mean, logvar)`` and ``decode(z) -> x_hat``, with ``x`` of shape
        ``(B, 1, F, frames)``, float32.
    dataset
        What it was trained on: ``batch``, ``audio``, ``to_audio``, ``describe``, ``sample_rate``,
        ``feature_shape`` and ``space``. With a ``sample_rate`` of 0 it is one of images, without
        sound; with features of one row, ``(1, 1, T)``, its spectrograms are drawn in their place.
    history
        One row an epoch: ``{"epoch": 1, "train": {term: value}, "validation": {term: value},
        "clips_per_second": ..., "seconds": ...}``.
    scores
        Scoring convention (``"published"`` or ``"standard"``) -> metric -> (mean, standard
        deviation over evaluation runs). May be empty.
    mutual_information
        ``(K, D)``: factors by codes, each row divided by the entropy of its factor, in [0, 1].
    panel
        Its scores by the whole panel (:func:`fastdis.metrics.panel`); None where there are none.
    """

    name: str
    title: str
    protocol: str
    model: torch.nn.Module
    dataset: Any
    history: list[dict[str, Any]]
    scores: dict[str, dict[str, Score]]
    mutual_information: NDArray[np.floating[Any]]
    panel: Scores | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "protocol", _stored(self.protocol))


@dataclass(frozen=True)
class Results:
    """Everything a report shows.

    Parameters
    ----------
    title, summary
        The heading and the opening paragraphs, plain text.
    settings
        The run's settings, as a table of key and value.
    models
        The trained models, in the order they are shown.
    audits
        Protocol, or another name of a variant of the dataset -> the audit of that variant.
    reference_table
        Title of a model -> metric -> (mean, standard deviation), as a paper printed them.
    reference_name
        Where that table stands: ``"SynTone, Table 1"``.
    explanation
        Paragraphs on why the columns of the score table differ.
    repeat
        Shell commands that repeat the run.
    seed
        Picks the clips shown and draws the samples from the prior.
    answers
        What was asked and found. They come first, and a section with nothing to show is left out.
    answers_title
        The heading above them.
    cells
        A table of every model, where more were trained than are shown.
    maps
        Whether to draw two codes of each model against each other, coloured by each factor.
    """

    title: str
    summary: list[str]
    settings: dict[str, str]
    models: list[ModelResult]
    audits: dict[str, Any]
    reference_table: dict[str, dict[str, Score]]
    reference_name: str
    explanation: list[str]
    repeat: list[str]
    seed: int = 0
    answers: Sequence[Answer] = ()
    answers_title: str = "Questions and answers"
    cells: Table | None = None
    maps: bool = False

    def __post_init__(self) -> None:
        audits = {_stored(group): audit for group, audit in self.audits.items()}
        object.__setattr__(self, "audits", audits)


def _stored(group: str) -> str:
    """A group of models as it is kept: the corrected protocol under its former name."""
    return "sound" if group == "corrected" else group


def in_order(groups: Iterable[str]) -> list[str]:
    """Groups in order of their first appearance, the two protocols first.

    >>> in_order(["noise", "sound", "clean", "published", "noise"])
    ['published', 'sound', 'noise', 'clean']
    """
    found = list(dict.fromkeys(groups))
    return sorted(found, key=lambda name: [*PROTOCOLS, name].index(name))


def protocols_of(results: Results) -> list[str]:
    """The groups of the models, in the order they are shown."""
    return in_order(result.protocol for result in results.models)


def check(results: Results) -> None:
    """Raise what would otherwise show up half way through a page.

    Raises
    ------
    ValueError
        If there is no model, a protocol has no name, two models of a protocol share a title, or
        a mutual information matrix is not factors by codes.
    """
    if not results.models:
        raise ValueError("results.models takes at least one ModelResult, got none")
    _validation.integer("results.seed", results.seed, minimum=0)
    seen = set()
    for result in results.models:
        if not isinstance(result.protocol, str) or not result.protocol.strip():
            raise ValueError(
                f"protocol of {result.title!r} takes a short text, got {result.protocol!r}"
            )
        key = (result.title, result.protocol)
        if key in seen:
            raise ValueError(f"results.models takes one model a title and protocol, got two {key}")
        seen.add(key)
        names, shape = result.dataset.space.names, np.shape(result.mutual_information)
        if len(shape) != 2 or shape[0] != len(names) or shape[1] == 0:
            raise ValueError(
                f"mutual_information of {result.title!r} takes shape ({len(names)}, codes), a row "
                f"for each of {', '.join(names)}; got shape {shape}"
            )
