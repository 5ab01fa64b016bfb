"""Data sets: factors, synthesis and features joined into batches, on disk and off it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fastdis import _validation
from fastdis.datasets._audit import audit
from fastdis.datasets._audit_result import Audit, FactorAudit
from fastdis.datasets._base import Dataset, InMemory
from fastdis.datasets._export import export_audio
from fastdis.datasets._images import MNIST, Digits, images
from fastdis.datasets._npz import load_npz, save_npz
from fastdis.datasets._on_device import OnDevice
from fastdis.datasets._pairs import Pairs
from fastdis.datasets._shards import open_shards, write_shards
from fastdis.datasets._standardised import Standardised
from fastdis.datasets.additive_toy import AdditiveToy
from fastdis.datasets.syntone import SynTone

__all__ = [
    "MNIST", "AdditiveToy", "Audit", "Dataset", "Digits", "FactorAudit", "InMemory", "OnDevice",
    "Pairs", "Standardised", "SynTone", "audit", "build", "export_audio", "images", "load_npz",
    "open_shards", "save_npz", "write_shards",
]  # fmt: skip

_BUILDERS: dict[str, Callable[..., Dataset]] = {
    "AdditiveToy": AdditiveToy,
    "SynTone": SynTone,
    "MNIST": MNIST,
    "Digits": Digits,
    "Standardised": Standardised,
    "npz": load_npz,
    "shards": open_shards,
}


def build(options: Mapping[str, Any]) -> Dataset:
    """The data set that ``dataset.options()`` described.

    Raises
    ------
    ValueError
        If its ``"name"`` is unknown.
    """
    rest = dict(options)
    name = _validation.choice("options['name']", rest.pop("name", None), _BUILDERS)
    return _BUILDERS[name](**rest)
