"""Published systems, one short file each: recipes that only compose the other stages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastdis import _files, _validation
from fastdis.reports import Results
from fastdis.studies import additive_toy, sweep, syntone
from fastdis.studies.recipe import STUDY, score
from fastdis.training.many import train_all, train_seeds

__all__ = [
    "additive_toy", "load", "module_of", "names", "score", "sweep", "syntone", "train_all",
    "train_seeds",
]  # fmt: skip

_STUDIES = {"syntone": syntone, "additive-toy": additive_toy}


def names() -> tuple[str, ...]:
    """The studies that :func:`module_of` takes."""
    return tuple(_STUDIES)


def module_of(name: str) -> Any:
    """The module of a study, with its ``run`` and ``load``.

    Raises
    ------
    ValueError
        If ``name`` is unknown.
    """
    return _STUDIES[_validation.choice("study", name, _STUDIES)]


def load(path: str | Path) -> Results:
    """What a report shows, from the folder of a finished run of any study.

    Raises
    ------
    FileNotFoundError
        If the folder holds no finished run.
    ValueError
        If its ``study.json`` is damaged.
    """
    file = Path(path) / STUDY
    with _files.reading(file, "a study", (KeyError, TypeError)):
        name = _files.read_json(file, "a study")["study"]
    results: Results = module_of(name).load(path)
    return results
