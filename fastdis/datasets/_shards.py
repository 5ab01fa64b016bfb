"""Features on disk: a folder of ``.npy`` shards that can be memory-mapped, a table, a manifest.

``manifest.json`` lists every finished shard with its checksum, ``factors.parquet`` holds the
factors of every row, and ``shard-00000.npy`` ... hold a fixed number of rows each. A shard is
written beside and renamed; a killed run goes on where it stopped and ends with the same bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastdis import _files, _validation
from fastdis.datasets._base import CHUNK, Dataset, Stored
from fastdis.factors import FactorTable

FORMAT, VERSION = "fastdis-shards", 1
MANIFEST, FACTORS = "manifest.json", "factors.parquet"


def write_shards(
    dataset: Dataset,
    path: str | Path,
    *,
    rows_per_shard: int = 4096,
    progress: Callable[[int], object] | None = None,
) -> Path:
    """Write the features of every clip as shards; go on where a killed run stopped.

    Parameters
    ----------
    dataset
        Any data set of this package.
    path
        The folder.
    rows_per_shard
        Rows of a shard; the last one may hold fewer.
    progress
        Called with the number of rows each time some are done.

    Raises
    ------
    ValueError
        If the folder holds another data set, or shards of another size.
    OSError
        If the disk is full or cannot be written; finished shards stay, and a later call goes on.
    """
    folder = Path(path)
    rows_per_shard = _validation.integer("rows_per_shard", rows_per_shard)
    header = {
        "format": FORMAT, "version": VERSION, "rows": len(dataset),
        "rows_per_shard": rows_per_shard, "dtype": "float32",
        "feature_shape": list(dataset.feature_shape), "dataset": dataset.options(),
        "space": dataset.space.to_dict(),
    }  # fmt: skip
    shards: list[dict[str, Any]] = []
    if (folder / MANIFEST).exists():
        manifest = _files.read_json(folder / MANIFEST, "a manifest of shards")
        shards = manifest.pop("shards")
        if manifest != header:
            different = [key for key in header if manifest.get(key) != header[key]]
            raise ValueError(f"path {folder} holds other shards; they differ in {different}")
    folder.mkdir(parents=True, exist_ok=True)
    _files.remove_partial(folder)
    if not (folder / FACTORS).exists():
        dataset.table().to_parquet(folder / FACTORS)
    for number, start in enumerate(range(0, len(dataset), rows_per_shard)):
        stop = min(start + rows_per_shard, len(dataset))
        file = folder / f"shard-{number:05d}.npy"
        done = number < len(shards) and file.exists() and _digest(file) == shards[number]["sha256"]
        if not done:
            digest = _write_shard(dataset, file, start, stop)
            entry = {"file": file.name, "rows": stop - start, "sha256": digest}
            shards[number : number + 1] = [entry]  # replaces a damaged one, or appends
            _files.write_json(folder / MANIFEST, {**header, "shards": shards})
        if progress is not None:
            progress(stop - start)
    return folder


def _write_shard(dataset: Dataset, file: Path, start: int, stop: int) -> str:
    with _files.replacing(file) as partial:
        with open(partial, "wb") as out:
            shape = (stop - start, *dataset.feature_shape)
            header = {"descr": "<f4", "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(out, header)
            for a in range(start, stop, CHUNK):
                out.write(dataset.features(slice(a, min(a + CHUNK, stop))).tobytes())
        return _digest(partial)


def _digest(file: Path) -> str:
    with open(file, "rb") as data:
        return hashlib.file_digest(data, "sha256").hexdigest()


class Shards(Stored):
    """Memory-mapped features; see :func:`open_shards`."""

    def __init__(self, folder: Path, manifest: dict[str, Any]) -> None:
        from fastdis.datasets import build

        self.folder, self._manifest = folder, manifest
        self._follow(build(manifest["dataset"]))
        self._rows_per_shard = int(manifest["rows_per_shard"])
        self._maps: dict[int, NDArray[np.float32]] = {}
        self._table: FactorTable | None = None

    def __len__(self) -> int:
        return int(self._manifest["rows"])

    def table(self, indices: ArrayLike | slice | None = None) -> FactorTable:
        """The factors of the clips at ``indices``; of all by default."""
        if self._table is None:
            self._table = FactorTable.from_parquet(self.folder / FACTORS)
        if indices is None:
            return self._table
        rows: FactorTable = self._table[_validation.indices("indices", indices, len(self))]
        return rows

    def features(self, indices: ArrayLike | slice) -> NDArray[np.float32]:
        """The features of the clips at ``indices``, ``(B, 1, F, frames)``."""
        rows = _validation.indices("indices", indices, len(self))
        out = np.empty((len(rows), *self.feature_shape), np.float32)
        shard = rows // self._rows_per_shard
        for number in np.unique(shard):
            here = shard == number
            out[here] = self._map(int(number))[rows[here] - number * self._rows_per_shard]
        return out

    def options(self) -> dict[str, Any]:
        """Plain values from which :func:`fastdis.datasets.build` opens the same set again."""
        return {"name": "shards", "path": str(self.folder)}

    def _map(self, number: int) -> NDArray[np.float32]:
        """Shard ``number``, its checksum held against the manifest the first time."""
        if number not in self._maps:
            entry = self._manifest["shards"][number]
            file = self.folder / entry["file"]
            with _files.reading(file, "a shard", (ValueError,)):
                if _digest(file) != entry["sha256"]:
                    raise ValueError("its checksum is not the manifest's")
                self._maps[number] = np.load(file, mmap_mode="r", allow_pickle=False)
        return self._maps[number]


def open_shards(path: str | Path) -> Shards:
    """The data set that :func:`write_shards` wrote, memory-mapped.

    A shard's checksum is verified when its first row is read.

    Raises
    ------
    FileNotFoundError
        If there is no manifest, or a shard has gone.
    ValueError
        If the manifest is damaged or foreign, the set is not finished, or a checksum is off.
    """
    folder = Path(path)
    manifest = _files.read_json(folder / MANIFEST, "a manifest of shards")
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise ValueError(f"{folder / MANIFEST} is not a manifest of shards")
    if manifest["version"] != VERSION:
        raise ValueError(f"{folder} has version {manifest['version']}, this reads {VERSION}")
    have = sum(entry["rows"] for entry in manifest["shards"])
    if have != manifest["rows"]:
        raise ValueError(
            f"{folder} is not finished: {have:,} of {manifest['rows']:,} rows; "
            "write_shards with the same options goes on"
        )
    return Shards(folder, manifest)
