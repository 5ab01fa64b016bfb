"""Pictures of handwritten digits: MNIST from its own files, or scikit-learn's small ones.

LeCun, Cortes and Burges, "The MNIST database of handwritten digits"; its IDX files are a magic
number, the sizes as big-endian 32-bit integers, then bytes. A known set to check networks on.
"""

from __future__ import annotations

import gzip
import math
import os
import zlib
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastdis import _files, _memory, _validation
from fastdis.datasets.base import CHUNK, Dataset
from fastdis.datasets.registry import register
from fastdis.factors import Factor, FactorSpace, FactorTable

_SPLITS = {"train": "train", "test": "t10k"}  # split -> how its files' names begin
_TEXTS = tuple("0123456789")
_SIDE = 28
_BYTES, _IMAGES, _LABELS = 0x800, 3, 1  # a magic number says "bytes" and how many sizes follow


class Images(Dataset):
    """Grey pictures, each of one digit: features without a sound.

    Parameters
    ----------
    pixels : (N, m, n) of integers
        From 0, black, to ``white``.
    digits : (N,)
        From 0 to 9.
    white
        The largest grey there is; features are pixels over it.
    """

    sample_rate = 0  # there is no sound
    space = FactorSpace([Factor("digit", np.arange(10.0), "categorical", labels=_TEXTS)])

    def __init__(self, pixels: NDArray[Any], digits: NDArray[Any], white: int) -> None:
        self.pixels, self._digits = pixels, digits
        self._grey = (np.arange(white + 1) / white).astype(np.float32)
        self.feature_shape = (1, *pixels.shape[1:])

    def __len__(self) -> int:
        return len(self.pixels)

    def table(self, indices: ArrayLike | slice | None = None) -> FactorTable:
        """The digit of the pictures at ``indices``; of all by default."""
        rows = slice(None) if indices is None else indices
        digits = self._digits[_validation.indices("indices", rows, len(self))][:, None]
        return FactorTable(self.space, digits, digits)

    def features(self, indices: ArrayLike | slice) -> NDArray[np.float32]:
        """The pictures at ``indices``, ``(B, 1, m, n)`` in [0, 1]."""
        rows = _validation.indices("indices", indices, len(self))
        out = _memory.new_array("features", (len(rows), *self.feature_shape))
        for start in range(0, len(rows), CHUNK):
            out[start : start + CHUNK, 0] = self._grey[self.pixels[rows[start : start + CHUNK]]]
        return out

    def audio(self, indices: ArrayLike | slice) -> NDArray[np.float32]:
        """Raise a ValueError: images have no sound."""
        self._refuse("audio")

    def features_of(self, audio: ArrayLike) -> NDArray[np.float32]:
        """Raise a ValueError: images have no sound."""
        self._refuse("features_of")

    def to_audio(self, features: ArrayLike) -> NDArray[np.float32]:
        """Raise a ValueError: images have no sound."""
        self._refuse("to_audio")

    def _refuse(self, what: str) -> NoReturn:
        name = type(self).__name__
        raise ValueError(f"{what} takes a data set of sounds, got {name}: images have no sound")


@register("MNIST")
class MNIST(Images):
    """MNIST's handwritten digits, ``(1, 28, 28)``, from its IDX files in a local folder.

    Parameters
    ----------
    folder
        Where ``train-images-idx3-ubyte`` and ``train-labels-idx1-ubyte`` lie (``t10k-`` for the
        test split), plain or with ``.gz``; ``train-images.idx3-ubyte`` is accepted, too. Sets
        in the same format, such as Fashion-MNIST, can be read as well.
    split
        ``"train"`` or ``"test"``.
    checksum
        From the set's ``options()``: an error if the files have changed since.

    Raises
    ------
    FileNotFoundError
        If there is no such folder, or a file is not in it; the error says which names were tried.
    TypeError, ValueError
        If ``folder`` is no path, ``split`` is none of these, a file is truncated, has another magic
        number or other sizes, a label is outside 0 to 9, or images and labels differ in number.
    OSError
        If a file cannot be read.
    """

    def __init__(
        self, folder: str | Path, *, split: str = "train", checksum: str | None = None
    ) -> None:
        self.folder, self.split = _folder(folder), _validation.choice("split", split, _SPLITS)
        files = {kind: _find(self.folder, split, kind) for kind in ("images", "labels")}
        pixels = _read_idx(files["images"], _IMAGES)
        digits = _read_idx(files["labels"], _LABELS)
        if pixels.shape[1:] != (_SIDE, _SIDE):
            size = " x ".join(map(str, pixels.shape[1:]))
            raise ValueError(f"{files['images']} takes images of {_SIDE} x {_SIDE}, got {size}")
        if len(pixels) != len(digits):
            raise ValueError(
                f"{files['labels']} takes a label for each of the {len(pixels)} images in "
                f"{files['images'].name}, got {len(digits)}"
            )
        if digits.max() > 9:
            at = int(np.argmax(digits > 9))
            raise ValueError(
                f"{files['labels']} takes labels from 0 to 9, got {digits[at]} at index {at}"
            )
        self.checksum = "-".join(f"{zlib.crc32(part.data):08x}" for part in (pixels, digits))
        if checksum not in (None, self.checksum):
            raise ValueError(f"{files['images']} and its labels have changed since")
        super().__init__(pixels, digits, white=255)

    def options(self) -> dict[str, Any]:
        """Plain values from which :func:`fastdis.datasets.build` makes the same set again."""
        return {
            "name": "MNIST", "folder": str(self.folder), "split": self.split,
            "checksum": self.checksum,
        }  # fmt: skip


@register("Digits")
class Digits(Images):
    """The 1,797 handwritten digits that come with scikit-learn, ``(1, 8, 8)`` in 17 greys.

    A test set of Alpaydin and Kaynak's "Optical Recognition of Handwritten Digits" (1998).

    Examples
    --------
    >>> data = Digits()
    >>> features, factors = data.batch([0, 1, 2])
    >>> features.shape, factors.ravel()
    ((3, 1, 8, 8), array([0., 1., 2.]))
    """

    def __init__(self) -> None:
        from sklearn.datasets import load_digits

        data = load_digits()
        super().__init__(data.images.astype(np.uint8), data.target, white=16)

    def options(self) -> dict[str, Any]:
        """Plain values from which :func:`fastdis.datasets.build` makes the same set again."""
        return {"name": "Digits"}


def images(folder: str | Path | None = None) -> Images:
    """MNIST's training images if a folder has them, else scikit-learn's digits.

    Parameters
    ----------
    folder
        As for :class:`MNIST`; None for the digits.

    Returns
    -------
    MNIST or Digits
        The digits if neither MNIST's images nor its labels are in the folder.

    Raises
    ------
    FileNotFoundError, TypeError, ValueError
        As :class:`MNIST`, if the folder is missing, or holds only one file, or a wrong one.

    Examples
    --------
    >>> images().feature_shape
    (1, 8, 8)
    """
    if folder is None:
        return Digits()
    place = _folder(folder)
    names = [name for kind in ("images", "labels") for name in _names("train", kind)]
    return MNIST(place) if any((place / name).is_file() for name in names) else Digits()


def _folder(folder: str | Path) -> Path:
    if not isinstance(folder, str | os.PathLike):
        raise TypeError(f"folder takes a path, got {_validation.describe(folder)}")
    place = Path(folder)
    if not place.is_dir():
        raise FileNotFoundError(f"folder takes a folder with MNIST's files, got {place}")
    return place


def _names(split: str, kind: str) -> list[str]:
    """The possible names of a file."""
    stem = f"{_SPLITS[split]}-{kind}"
    idx = f"idx{_IMAGES if kind == 'images' else _LABELS}-ubyte"
    return [f"{stem}{dot}{idx}{end}" for end in ("", ".gz") for dot in "-."]


def _find(folder: Path, split: str, kind: str) -> Path:
    names = _names(split, kind)
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise FileNotFoundError(f"no MNIST {kind} in {folder}: looked for {', '.join(names)}")


def _read_idx(path: Path, ndim: int) -> NDArray[np.uint8]:
    """The bytes of an IDX file as an array."""
    what = f"an IDX file of bytes in {ndim} dimension{'s' if ndim > 1 else ''}"
    damage = (ValueError, gzip.BadGzipFile, zlib.error)
    opened = gzip.open if path.suffix == ".gz" else open
    with _files.reading(path, what, damage), opened(path, "rb") as file:
        data = file.read()
        start = 4 + 4 * ndim
        if len(data) < start:
            raise ValueError(
                f"it begins with {start} bytes of magic number and sizes, got {len(data)}"
            )
        magic, *sizes = np.frombuffer(data, ">u4", 1 + ndim).tolist()
        if magic != _BYTES + ndim:
            raise ValueError(f"its magic number has to be {_BYTES + ndim}, got {magic}")
        if not 0 < math.prod(sizes) == len(data) - start:
            said = " x ".join(map(str, sizes))
            raise ValueError(f"it says {said}, at least one byte, got {len(data) - start} bytes")
        return np.frombuffer(data, np.uint8, offset=start).reshape(sizes)
