"""The contents of a report: models, their scores, audits of the data, questions with answers.

Plain data beside the live models and datasets, from which the page makes pictures and sounds;
and their numbers as plain values for a JSON file.
"""

from __future__ import annotations

import platform
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastdis import __version__, _validation
from fastdis.reports.table import Table

if TYPE_CHECKING:
    import torch

    from fastdis.metrics import Scores

MeanAndDeviation = tuple[float, float]  # over evaluation runs

# Of a panel in a summary: its parts and matrices are in each model's own scores.json.
_PANEL = ("scores", "intervals", "confidence", "warnings")
PROTOCOLS = ("published", "sound")  # as stored; "corrected" is how the second is shown


@dataclass(frozen=True)
class Figure:
    """A line drawing on white; a page in dark mode inverts its lightness and keeps its hues.

    Parameters
    ----------
    caption
        What it shows.
    uri
        The picture itself, ``data:image/...``, as ``reports.data_uris`` makes it.
    alt
        What can be seen in it, for screen readers.

    Raises
    ------
    ValueError
        If ``uri`` is no picture, so that the page would need another file, or ``alt`` is empty.
    """

    caption: str
    uri: str
    alt: str

    def __post_init__(self) -> None:
        if not self.uri.startswith("data:image/"):
            raise ValueError(f"uri takes a picture as data:image/..., got {self.uri[:40]!r}")
        if not self.alt.strip():
            raise ValueError(f"alt of figure {self.caption!r} takes a text that is not empty")


@dataclass(frozen=True)
class Answer:
    """A question, its answer in a sentence, and the evidence for the answer.

    Parameters
    ----------
    question, answer
        Plain text; the answer is shown in bold below the question.
    paragraphs, tables, figures
        Shown below the answer, in this order.
    """

    question: str
    answer: str
    paragraphs: Sequence[str] = ()
    tables: Sequence[Table] = ()
    figures: Sequence[Figure] = ()


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
        The data it was trained on: ``batch``, ``audio``, ``to_audio``, ``describe``,
        ``sample_rate``, ``feature_shape`` and ``space``. A ``sample_rate`` of 0 means images,
        without sound. Of waveforms, features of shape ``(1, 1, T)``, spectrograms are drawn.
    history
        One entry per epoch: ``{"epoch": 1, "train": {term: value}, "validation": {term: value},
        "clips_per_second": ..., "seconds": ...}``.
    scores
        Scoring convention (``"published"`` or ``"standard"``) -> metric -> (mean, standard
        deviation over evaluation runs). May be empty.
    mutual_information
        ``(K, D)``: factors by codes, each row divided by the entropy of its factor, in [0, 1].
    panel
        The scores of the model by all metrics (:func:`fastdis.metrics.panel`); None without them.
    """

    name: str
    title: str
    protocol: str
    model: torch.nn.Module
    dataset: Any
    history: list[dict[str, Any]]
    scores: dict[str, dict[str, MeanAndDeviation]]
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
        The settings of the run, name -> value.
    models
        The trained models, in the order they are shown.
    audits
        Protocol, or another name of a variant of the dataset -> the audit of that variant.
    reference_table
        Title of a model -> metric -> (mean, standard deviation), as a paper printed them.
    reference_name
        The source of that table: ``"SynTone, Table 1"``.
    explanation
        Paragraphs on why the columns of the score table differ.
    repeat
        Shell commands that repeat the run.
    seed
        Picks the clips shown and draws the samples from the prior.
    answers
        Questions and their answers, the first section of the page. With answers, sections without
        content are left out.
    answers_title
        The heading of that section.
    cells
        A table with one row per trained model, where more were trained than are shown.
    maps
        Whether to plot two codes of each model against each other, coloured by each factor.
    """

    title: str
    summary: list[str]
    settings: dict[str, str]
    models: list[ModelResult]
    audits: dict[str, Any]
    reference_table: dict[str, dict[str, MeanAndDeviation]]
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
    """Check that the parts of ``results`` fit each other, before the work of making a page.

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
            raise ValueError(
                f"results.models takes one model per title and protocol, got two {key}"
            )
        seen.add(key)
        names, shape = result.dataset.space.names, np.shape(result.mutual_information)
        if len(shape) != 2 or shape[0] != len(names) or shape[1] == 0:
            raise ValueError(
                f"mutual_information of {result.title!r} takes shape ({len(names)}, codes), a row "
                f"for each of {', '.join(names)}; got shape {shape}"
            )


def versions() -> dict[str, str]:
    """The versions of what computes and writes a report."""
    found = {"Python": platform.python_version()}
    for name in ("numpy", "torch"):
        found[name] = metadata.version(name)
    return found | {"fastdis": __version__}


def summary(results: Results) -> dict[str, Any]:
    """The numbers to compare a run with: no weights, no pictures, no sound.

    Parameters
    ----------
    results
        What :func:`fastdis.reports.write` takes.

    Returns
    -------
    dict
        ``title``, ``settings``, ``versions``, ``answers`` and ``cells`` (their tables with numbers
        as they are, None where not finite), ``audits`` and ``models``, as JSON takes them. A model
        has its ``name``, ``title``, ``protocol``, ``epochs``, training ``seconds``,
        ``clips_per_second`` (None without a history), last ``validation`` losses, ``scores`` as
        (mean, deviation), and the ``panel``: its scores, their confidence intervals and warnings
        (None without one).
    """
    return {
        "title": results.title,
        "settings": dict(results.settings),
        "versions": versions(),
        "answers": [_answer(answer) for answer in results.answers],
        "cells": None if results.cells is None else results.cells.to_dict(),
        "audits": {name: audit.to_dict() for name, audit in results.audits.items()},
        "models": [_model(result) for result in results.models],
    }


def _model(result: ModelResult) -> dict[str, Any]:
    panel = None if result.panel is None else result.panel.to_dict()
    last = result.history[-1] if result.history else {}
    seconds = sum(row["seconds"] for row in result.history)
    clips = sum(row["seconds"] * row["clips_per_second"] for row in result.history)
    return {
        "name": result.name,
        "title": result.title,
        "protocol": result.protocol,
        "epochs": len(result.history),
        "seconds": round(seconds, 2),
        "clips_per_second": round(clips / seconds, 1) if seconds else None,
        "validation": last.get("validation", {}),
        "scores": result.scores,
        "panel": None if panel is None else {key: panel[key] for key in _PANEL},
    }


def _answer(answer: Answer) -> dict[str, Any]:
    """Without its figures."""
    return {
        "question": answer.question,
        "answer": answer.answer,
        "paragraphs": list(answer.paragraphs),
        "tables": [table.to_dict() for table in answer.tables],
    }
