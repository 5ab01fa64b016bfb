"""Data sets by name: each registers itself, and is built from options or from a path on disk."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from fastdis import _validation
from fastdis.datasets.base import Dataset

Builder = TypeVar("Builder", bound=Callable[..., Dataset])

_BUILDERS: dict[str, Callable[..., Dataset]] = {}


def register(name: str) -> Callable[[Builder], Builder]:
    """Decorate the class or function that :func:`build` calls for options of this name."""

    def decorate(builder: Builder) -> Builder:
        _BUILDERS[name] = builder
        return builder

    return decorate


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


def open_stored(path: str, protocol: str | None = None) -> tuple[Dataset, str]:
    """The set in an ``.npz`` file or a folder of shards, and the protocol of its features.

    Clips of an ``.npz`` file get the features of any protocol, by default ``"published"``; shards
    hold those of one. The protocol is returned as it is stored: ``"sound"`` for ``"corrected"``.

    Raises
    ------
    FileNotFoundError
        If there is no such file or folder.
    ValueError
        If it holds something else, or shards of another protocol.
    """
    if protocol is not None:
        protocol = _validation.protocol("protocol", protocol)
    if not Path(path).is_dir():
        protocol = protocol or "published"
        return build({"name": "npz", "path": path, "variant": protocol}), protocol
    if (Path(path) / "dataset.json").exists():
        raise ValueError(f"{path} holds sound for other tools; this takes an .npz file or shards")
    shards: Any = build({"name": "shards", "path": path})
    own = str(shards.source.options().get("variant", "sound"))
    if protocol not in (None, own):
        held, asked = _validation.protocol_title(own), _validation.protocol_title(protocol)
        raise ValueError(f"{path} holds {held!r} features, the protocol is {asked!r}")
    return shards, own
