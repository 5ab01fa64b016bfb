"""Files that commands are given: data sets opened, places to write checked before the work."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastdis.datasets import Dataset


def open_set(path: str, protocol: str | None = None) -> tuple[Dataset, str]:
    """A set on disk with the features of a protocol, by default its own; and that protocol."""
    from fastdis import datasets

    if not Path(path).is_dir():
        protocol = protocol or "published"
        return datasets.load_npz(path, variant=protocol), protocol
    if (Path(path) / "dataset.json").exists():
        raise ValueError(f"{path} holds sound for other tools; this takes an .npz file or shards")
    shards = datasets.open_shards(path)
    own = str(shards.source.options().get("variant", "sound"))
    if protocol not in (None, own):
        raise ValueError(f"{path} holds {own!r} features, the protocol is {protocol!r}")
    return shards, own


def check_writable(flag: str, file: Path) -> None:
    """Raise an OSError if ``file`` cannot be written, and leave one that is there as it is."""
    if file.is_dir():
        raise IsADirectoryError(f"{flag} takes a file, got the folder {file}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=file.parent).close()
    except OSError as error:
        reason = error.strerror or str(error)
        raise OSError(f"{flag} takes a file that can be written, got {file}: {reason}") from None
