"""SynTone's ``.npz`` file: keys ``x``, ``y``, ``metadata``, ``classes``, written and read.

``metadata`` is a pickled dict of arrays, read without trusting it (see ``_unpickle``).
"""

from __future__ import annotations

import pickle
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import ArrayLike, NDArray

from fastdis import _files, _validation
from fastdis.datasets import _unpickle
from fastdis.datasets.base import CHUNK, Dataset
from fastdis.datasets.registry import register
from fastdis.datasets.representations import RepresentedDataset, syntone_features
from fastdis.factors import Factor, FactorSpace, FactorTable

KEYS = ("x", "y", "metadata", "classes")
_COLUMNS = {"frequency": "freqs", "amplitude": "amps", "waveform": "waveforms"}
# Fixed, so that the same options give the same bytes.
_DATE = (1980, 1, 1, 0, 0, 0)


class NpzDataset(RepresentedDataset):
    """The clips of one ``.npz`` file, held in memory; see :func:`load_npz`."""

    def __init__(
        self, path: Path, x: NDArray[Any], table: FactorTable, variant: str, sample_rate: int,
        checksum: str,
    ) -> None:  # fmt: skip
        self.variant, self.samples = _validation.protocol("variant", variant), x.shape[1]
        self._mel = syntone_features(self.variant, sample_rate, self.samples)
        super().__init__(self._mel, sample_rate)
        self.path, self.x, self._table, self.checksum = path, x, table, checksum
        self.space = table.space

    def audio(self, indices: ArrayLike | slice) -> NDArray[np.float32]:
        """The sound of the clips at ``indices``, ``(B, T)``."""
        rows = _validation.indices("indices", indices, len(self))
        return _validation.audio("x", self.x[rows])[0]

    @property
    def full_scale(self) -> float:
        """The mel power that the corrected features scale to 1."""
        return self._mel.full_scale

    def options(self) -> dict[str, Any]:
        """Plain values from which :func:`fastdis.datasets.build` makes the same set again."""
        return {
            "name": "npz", "path": str(self.path), "variant": self.variant,
            "sample_rate": self.sample_rate, "checksum": self.checksum,
        }  # fmt: skip


def save_npz(
    dataset: Dataset, path: str | Path, *, progress: Callable[[int], object] | None = None
) -> Path:
    """Write a SynTone as the reference's compressed ``.npz`` file, one chunk at a time.

    ``x`` is ``(N, T)`` float32 (float64 in the reference: twice the size for the same clips), ``y``
    the class of each clip, ``metadata`` a dict of ``freqs``, ``amps`` and ``waveforms``, and
    ``classes`` the names of the waveforms. The same data set gives the same bytes.

    Raises
    ------
    ValueError
        If the data set has other factors than frequency, amplitude and waveform.
    OSError
        If the file cannot be written; what was there before stays.
    """
    if set(dataset.space.names) != set(_COLUMNS):
        raise ValueError(f"dataset takes factors {tuple(_COLUMNS)}, got {dataset.space.names}")
    table = dataset.table()
    classes = dataset.space.factors[dataset.space.names.index("waveform")].labels
    y = table["waveform"].astype(np.int64)
    metadata = {
        "freqs": table["frequency"], "amps": table["amplitude"], "waveforms": np.array(classes)[y]
    }  # fmt: skip
    rest = {"y": y, "metadata": np.array(metadata, dtype=object), "classes": np.array(classes)}
    samples = dataset.audio([0]).shape[1]
    _files.remove_partial(Path(path).parent, Path(path).name)
    with (
        _files.replacing(path) as partial,
        zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
    ):
        with _member(archive, "x") as member:
            shape = (len(dataset), samples)
            header = {"descr": "<f4", "fortran_order": False, "shape": shape}
            npy.write_array_header_2_0(member, header)
            for start in range(0, len(dataset), CHUNK):
                stop = min(start + CHUNK, len(dataset))
                member.write(dataset.audio(slice(start, stop)).tobytes())
                if progress is not None:
                    progress(stop - start)
        for key, value in rest.items():
            with _member(archive, key) as member:
                npy.write_array(member, value, allow_pickle=True)
    return Path(path)


def _member(archive: zipfile.ZipFile, key: str) -> IO[bytes]:
    info = zipfile.ZipInfo(f"{key}.npy", date_time=_DATE)
    info.compress_type = zipfile.ZIP_DEFLATED
    return archive.open(info, "w", force_zip64=True)


@register("npz")
def load_npz(
    path: str | Path,
    *,
    variant: str = "published",
    sample_rate: int | None = None,
    checksum: str | None = None,
) -> NpzDataset:
    """Read an ``.npz`` file of the reference's generator, or of :func:`save_npz`.

    Parameters
    ----------
    path
        The file.
    variant
        The features of its clips: ``"published"`` or ``"corrected"``, as in
        :class:`fastdis.datasets.SynTone`.
    sample_rate
        In Hz. The file does not hold it; by default the clips last one second, as in the
        reference.
    checksum
        From the set's ``options()``: an error if the file has changed since.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is truncated or foreign, lacks a key, its columns differ in length, or its metadata
        holds anything other than arrays, dicts, lists and text (refused, never executed).
    """
    path = Path(path)
    damage = (
        zipfile.BadZipFile, zlib.error, pickle.UnpicklingError, NotImplementedError,
        KeyError, TypeError, ValueError, OSError,
    )  # fmt: skip
    with _files.reading(path, f"an .npz file with the keys {', '.join(KEYS)}", damage):
        with zipfile.ZipFile(path) as archive:
            found = _checksum(archive)
            if checksum not in (None, found):
                raise ValueError("its clips have changed since")
            x, y, metadata, classes = (_read_member(archive, key) for key in KEYS)
        table = _table_of(x, y, metadata, classes)
    rate = x.shape[1] if sample_rate is None else sample_rate
    return NpzDataset(path, x, table, variant, rate, found)


def _checksum(archive: zipfile.ZipFile) -> str:
    """The members' own CRC-32s, which the archive's directory holds."""
    return "-".join(f"{info.CRC:08x}" for info in archive.infolist())


def _read_member(archive: zipfile.ZipFile, key: str) -> Any:
    name = f"{key}.npy"
    if name not in archive.namelist():
        raise ValueError(f"the key {key!r} is missing; there are {archive.namelist()}")
    with archive.open(name) as member:
        version = npy.read_magic(member)
        reader = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, fortran_order, dtype = reader(member)
        if dtype.hasobject:
            return _unpickle.load(member)
        count = int(np.prod(shape, dtype=np.int64))
        if count * dtype.itemsize > archive.getinfo(name).file_size:
            raise ValueError(f"{name} says shape {shape}, more than it holds")
        data = np.empty(count, dtype)
        # In pieces, as a read of all at once would hold the bytes twice.
        view = memoryview(data.data).cast("B")
        done = 0
        while done < len(view):
            n = member.readinto(view[done : done + (1 << 24)])  # type: ignore[attr-defined]
            if not n:
                raise EOFError(f"{name} ends after {done:,} of {len(view):,} bytes")
            done += n
    return data.reshape(shape, order="F" if fortran_order else "C")


def _table_of(x: Any, y: Any, metadata: Any, classes: Any) -> FactorTable:
    """The factors of the clips, from the file's own columns."""
    if not isinstance(x, np.ndarray) or x.ndim != 2 or x.dtype.kind != "f" or not x.size:
        raise ValueError(f"x takes floats of shape (N, T), got {_validation.describe(x)}")
    if not isinstance(metadata, dict) or not set(_COLUMNS.values()) <= set(metadata):
        raise ValueError(f"metadata takes a dict with {tuple(_COLUMNS.values())}")
    labels = [str(label) for label in np.asarray(classes)]
    columns = {key: np.asarray(metadata[key]) for key in _COLUMNS.values()}
    for key, column in {"y": np.asarray(y), **columns}.items():
        if column.shape != (len(x),):
            raise ValueError(f"{key} takes one value per clip, {len(x)}, got shape {column.shape}")
    unknown = set(map(str, np.unique(columns["waveforms"]))) - set(labels)
    if unknown:
        raise ValueError(f"classes takes every waveform, {sorted(unknown)} missing")
    order = {label: k for k, label in enumerate(labels)}
    waveforms = np.array([order[str(name)] for name in columns["waveforms"]])
    levels, factors = [], []
    for name, unit in (("frequency", "Hz"), ("amplitude", "")):
        column = columns[_COLUMNS[name]].astype(np.float64)
        values, level = np.unique(column, return_inverse=True)
        factors.append(Factor(name, values, unit=unit))
        levels.append(level)
    factors.append(
        Factor("waveform", np.arange(float(len(labels))), "categorical", "", tuple(labels))
    )
    levels.append(waveforms)
    values = np.stack([f.values[level] for f, level in zip(factors, levels, strict=True)], axis=1)
    return FactorTable(FactorSpace(factors), values, np.stack(levels, axis=1))
