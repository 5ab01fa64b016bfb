"""Data sets by their names: from options, and from a path on disk."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from fastdis import _validation
from fastdis.datasets.additive_toy import AdditiveToy
from fastdis.datasets.base import Dataset
from fastdis.datasets.digits import MNIST, Digits
from fastdis.datasets.npz import load_npz
from fastdis.datasets.shards import open_shards
from fastdis.datasets.standardised import Standardised
from fastdis.datasets.syntone import SynTone

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


def open_set(path: str, protocol: str | None = None) -> tuple[Dataset, str]:
    """A stored set with the features of a protocol, by default its own; that protocol as stored."""
    if protocol is not None:
        protocol = _validation.protocol("protocol", protocol)
    if not Path(path).is_dir():
        protocol = protocol or "published"
        return load_npz(path, variant=protocol), protocol
    if (Path(path) / "dataset.json").exists():
        raise ValueError(f"{path} holds sound for other tools; this takes an .npz file or shards")
    shards = open_shards(path)
    own = str(shards.source.options().get("variant", "sound"))
    if protocol not in (None, own):
        held, asked = _validation.protocol_title(own), _validation.protocol_title(protocol)
        raise ValueError(f"{path} holds {held!r} features, the protocol is {asked!r}")
    return shards, own
