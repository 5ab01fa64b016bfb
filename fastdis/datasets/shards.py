"""Features on disk: a folder of ``.npy`` shards that can be memory-mapped, a table, a manifest.

``manifest.json`` lists every finished shard with its checksum, ``factors.parquet`` holds the
factors of every row, and ``shard-00000.npy`` ... hold a fixed number of rows each. A shard is
written beside and renamed; a killed run resumes where it stopped and ends with the same bytes.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastdis import _files, _memory, _validation
from fastdis.datasets._prefetch import ahead
from fastdis.datasets.base import CHUNK, Dataset, Stored
from fastdis.datasets.registry import build, register
from fastdis.factors import FactorSpace, FactorTable

FORMAT, VERSION = "fastdis-shards", 1
_BLOCKS_AHEAD = 8  # so that the kernels run while a shard is flushed to the disk
_BLOCK_BYTES = 2**23
MANIFEST, FACTORS = "manifest.json", "factors.parquet"


def write_shards(
    dataset: Dataset,
    path: str | Path,
    *,
    rows_per_shard: int = 4096,
    progress: Callable[[int], object] | None = None,
) -> Path:
    """Write the features of every clip as shards; resume where a killed run stopped.

    Another thread computes the features ahead of the writing.

    Parameters
    ----------
    dataset
        Any data set of this package.
    path
        The folder.
    rows_per_shard
        Clips per shard; the last shard may hold fewer.
    progress
        Called with the number of clips of each finished shard.

    Raises
    ------
    ValueError
        If the folder holds another data set, or shards of another size.
    OSError
        If the disk is full or cannot be written; finished shards stay, and a later call resumes.
    """
    folder = Path(path)
    rows_per_shard = _validation.integer("rows_per_shard", rows_per_shard)
    header = {
        "format": FORMAT, "version": VERSION, "rows": len(dataset),
        "rows_per_shard": rows_per_shard, "dtype": "float32",
        "feature_shape": list(dataset.feature_shape), "sample_rate": dataset.sample_rate,
        "dataset": dataset.options(), "space": dataset.space.to_dict(),
    }  # fmt: skip
    with _files.only_writer(folder):
        manifest: dict[str, Any] = {**header, "factors_sha256": None, "shards": []}
        if (folder / MANIFEST).exists():
            manifest = _read_manifest(folder)
            different = [key for key in header if manifest[key] != header[key]]
            if different:
                raise ValueError(f"path {folder} holds other shards; they differ in {different}")
        # Before any shard, so that the folder always says which set it holds.
        _files.write_json(folder / MANIFEST, manifest)
        _files.remove_partial(folder)
        if not _is_whole(folder / FACTORS, manifest["factors_sha256"]):
            dataset.table().to_parquet(folder / FACTORS)
            manifest["factors_sha256"] = _files.digest(folder / FACTORS)
            _files.write_json(folder / MANIFEST, manifest)
        shards = manifest["shards"]
        report = progress if progress is not None else (lambda rows: None)
        missing = []
        for number, start in enumerate(range(0, len(dataset), rows_per_shard)):
            stop = min(start + rows_per_shard, len(dataset))
            if _holds(folder, shards, number):
                report(stop - start)
            else:
                missing.append((number, start, stop))
        with closing(ahead(_blocks(dataset, missing), _BLOCKS_AHEAD)) as blocks:
            for number, start, stop in missing:
                file = _shard_file(folder, number)
                digest = _write_shard(blocks, file, (stop - start, *dataset.feature_shape))
                entry = {"file": file.name, "rows": stop - start, "sha256": digest}
                shards[number : number + 1] = [entry]  # replaces a damaged one, or appends
                _files.write_json(folder / MANIFEST, manifest)
                report(stop - start)
    return folder


def _shard_file(folder: Path, number: int) -> Path:
    return folder / f"shard-{number:05d}.npy"


def _holds(folder: Path, shards: list[dict[str, Any]], number: int) -> bool:
    sha256 = shards[number]["sha256"] if number < len(shards) else None
    return _is_whole(_shard_file(folder, number), sha256)


def _is_whole(file: Path, sha256: str | None) -> bool:
    return sha256 is not None and file.exists() and _files.digest(file) == sha256


def _blocks(dataset: Dataset, ranges: list[tuple[int, int, int]]) -> Iterator[NDArray[np.float32]]:
    """The features of those ranges of clips, one block at a time."""
    step = max(1, min(CHUNK, _BLOCK_BYTES // (4 * math.prod(dataset.feature_shape))))
    for _, start, stop in ranges:
        for a in range(start, stop, step):
            b = min(a + step, stop)
            block = np.ascontiguousarray(dataset.features(slice(a, b)), "<f4")
            if block.shape != (b - a, *dataset.feature_shape):
                raise ValueError(
                    f"dataset takes features of shape {(b - a, *dataset.feature_shape)} for clips "
                    f"{a} to {b - 1}, got {block.shape}"
                )
            yield block


def _write_shard(blocks: Iterator[NDArray[np.float32]], file: Path, shape: tuple[int, ...]) -> str:
    """Take blocks until the shard is full; returns its checksum."""
    checksum = hashlib.sha256()
    header = BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f4", "fortran_order": False, "shape": shape}
    )
    with _files.replacing(file) as partial, open(partial, "wb") as out:

        def append(part: bytes | memoryview) -> None:
            out.write(part)
            checksum.update(part)

        append(header.getvalue())
        rows = 0
        while rows < shape[0]:
            block = next(blocks)
            append(block.data.cast("B"))
            rows += len(block)
    return checksum.hexdigest()


def _read_manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    manifest = _files.read_json(path, "a manifest of shards")
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise ValueError(f"{path} is not a manifest of shards")
    if manifest.get("version") != VERSION:
        raise ValueError(f"{folder} has version {manifest.get('version')}, this reads {VERSION}")
    missing = {"rows", "rows_per_shard", "feature_shape", "sample_rate", "dataset", "space",
               "factors_sha256", "shards", "dtype"} - manifest.keys()  # fmt: skip
    if missing:
        raise ValueError(f"{path} lacks {sorted(missing)}")
    return manifest


class Shards(Stored):
    """Memory-mapped features; see :func:`open_shards`."""

    def __init__(self, folder: Path, manifest: dict[str, Any]) -> None:
        self.folder, self._manifest = folder, manifest
        channels, bands, frames = manifest["feature_shape"]
        self.feature_shape = (channels, bands, frames)
        self.sample_rate = int(manifest["sample_rate"])
        self.space = FactorSpace.from_dict(manifest["space"])
        self._rows_per_shard = int(manifest["rows_per_shard"])
        self._maps: dict[int, NDArray[np.float32]] = {}

    @cached_property
    def source(self) -> Dataset:  # type: ignore[override]
        """The set that the shards were made from, built when its sound is first needed."""
        return build(self._manifest["dataset"])

    @cached_property
    def _table(self) -> FactorTable:
        file = self.folder / FACTORS
        with _files.reading(file, "a table of factors", (ValueError,)):
            if _files.digest(file) != self._manifest["factors_sha256"]:
                raise ValueError("its checksum is not the manifest's")
            return FactorTable.from_parquet(file)

    def __len__(self) -> int:
        return int(self._manifest["rows"])

    def table(self, indices: ArrayLike | slice | None = None) -> FactorTable:
        """The factors of the clips at ``indices``; of all by default."""
        return self._table if indices is None else self._rows(self._table, indices)

    def features(self, indices: ArrayLike | slice) -> NDArray[np.float32]:
        """The features of the clips at ``indices``, ``(B, 1, F, frames)``."""
        rows = _validation.indices("indices", indices, len(self))
        out = _memory.new_array("features", (len(rows), *self.feature_shape))
        shard = rows // self._rows_per_shard
        for number in np.unique(shard):
            here = shard == number
            out[here] = self._map(int(number))[rows[here] - number * self._rows_per_shard]
        return out

    def options(self) -> dict[str, Any]:
        """Plain values from which :func:`fastdis.datasets.build` opens the same set again."""
        checksum = _files.digest(self.folder / MANIFEST)
        return {"name": "shards", "path": str(self.folder), "checksum": checksum}

    def _map(self, number: int) -> NDArray[np.float32]:
        """Shard ``number``; its checksum is verified when it is opened."""
        if number not in self._maps:
            entry = self._manifest["shards"][number]
            file = self.folder / entry["file"]
            with _files.reading(file, "a shard", (ValueError,)):
                if _files.digest(file) != entry["sha256"]:
                    raise ValueError("its checksum is not the manifest's")
                self._maps[number] = np.load(file, mmap_mode="r", allow_pickle=False)
        return self._maps[number]


@register("shards")
def open_shards(path: str | Path, *, checksum: str | None = None) -> Shards:
    """The data set that :func:`write_shards` wrote, memory-mapped.

    A shard's checksum is verified when its first row is read, the table's likewise.

    Parameters
    ----------
    path
        The folder.
    checksum
        From the set's ``options()``: an error if the folder has changed since.

    Raises
    ------
    FileNotFoundError
        If the manifest or a shard is missing.
    ValueError
        If the manifest is damaged or foreign, the set is not finished, or a checksum differs.
    """
    folder = Path(path)
    manifest = _read_manifest(folder)
    have = sum(entry["rows"] for entry in manifest["shards"])
    if have != manifest["rows"]:
        raise ValueError(
            f"{folder} is not finished: {have:,} of {manifest['rows']:,} rows; "
            "write_shards with the same options resumes"
        )
    if checksum not in (None, _files.digest(folder / MANIFEST)):
        raise ValueError(f"{folder} has changed since its options were read")
    return Shards(folder, manifest)
