"""The interface of data sets, batch first: factors, features, sound. Nothing is stored."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastdis import _memory, _threads, _validation
from fastdis.factors import FactorSpace, FactorTable

if TYPE_CHECKING:
    import torch

    from fastdis.datasets.on_device import OnDevice

# Clips rendered at once in a pass over a whole set: bounds the memory at any size.
CHUNK = 512
_FEW = 64  # clips rendered at once by one thread, so that their sound stays in the cache
_ON_DISK = "write it to disk with datasets.write_shards and open it with datasets.open_shards"


class Dataset(ABC):
    """A set of labelled clips, addressed by index. Clip i depends on the options and i alone.

    Attributes
    ----------
    space : FactorSpace
        What varies.
    sample_rate : int
        In Hz.
    feature_shape : (1, F, frames)
        The shape of one clip's features.
    """

    space: FactorSpace
    sample_rate: int
    feature_shape: tuple[int, int, int]

    @abstractmethod
    def __len__(self) -> int:
        """The number of clips."""

    @abstractmethod
    def table(self, indices: ArrayLike | slice | None = None) -> FactorTable:
        """The factors of the clips at ``indices``; of all by default."""

    @abstractmethod
    def audio(self, indices: ArrayLike | slice) -> NDArray[np.float32]:
        """The sound of the clips at ``indices``, ``(B, T)`` in [-1, 1]."""

    @abstractmethod
    def features_of(self, audio: ArrayLike) -> NDArray[np.float32]:
        """Sound ``(B, T)`` -> features ``(B, 1, F, frames)``."""

    @abstractmethod
    def to_audio(self, features: ArrayLike) -> NDArray[np.float32]:
        """Features ``(B, 1, F, frames)`` -> an estimate of the sound, ``(B, T)`` in [-1, 1]."""

    @abstractmethod
    def options(self) -> dict[str, Any]:
        """Plain values from which :func:`fastdis.datasets.build` makes the same set again."""

    def features(self, indices: ArrayLike | slice) -> NDArray[np.float32]:
        """The features of the clips at ``indices``, ``(B, 1, F, frames)``.

        Raises
        ------
        MemoryError
            If there is no room for them; nothing has been computed then.
        """
        rows = _validation.indices("indices", indices, len(self))
        out = _memory.new_array("features", (len(rows), *self.feature_shape))

        def work(start: int, stop: int) -> None:
            for a in range(start, stop, _FEW):
                b = min(a + _FEW, stop)
                out[a:b] = self.features_of(self.audio(rows[a:b]))

        _threads.parallel_for(work, len(rows), _FEW)
        return out

    def batch(self, indices: ArrayLike | slice) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """``(features (B, 1, F, frames), factor values (B, K))`` of the clips at ``indices``.

        Raises
        ------
        IndexError, TypeError
            If ``indices`` is not made of integers from 0 to ``len - 1``.
        """
        rows = _validation.indices("indices", indices, len(self))
        return self.features(rows), self.table(rows).values

    def alias_free_features(self, indices: ArrayLike | slice) -> NDArray[np.float32] | None:
        """The features the clips would have without aliasing; None if unknown."""
        return None

    def _rows(self, table: FactorTable, indices: ArrayLike | slice) -> FactorTable:
        rows: FactorTable = table[_validation.indices("indices", indices, len(self))]
        return rows

    def describe(self, index: int) -> str:
        """One clip in words, such as ``"square, 1,234 Hz, amplitude 0.43"``."""
        row = self.table([index]).values[0]
        texts = []
        for factor, value in zip(self.space.factors, row, strict=True):
            text = factor.text(value)
            texts.append(text if factor.unit or factor.labels else f"{factor.name} {text}")
        return ", ".join(texts)

    def in_memory(self) -> InMemory:
        """The same set with every feature computed once and kept.

        Raises
        ------
        MemoryError
            If there is no room for them; nothing has been computed then.
        """
        shape = (len(self), *self.feature_shape)
        features = _memory.new_array("in_memory", shape, instead=_ON_DISK)
        for start in range(0, len(self), CHUNK):
            stop = min(start + CHUNK, len(self))
            features[start:stop] = self.features(slice(start, stop))
        return InMemory(self, features)

    def on_device(self, device: str | torch.device) -> OnDevice:
        """The same set with every feature in the memory of a device.

        :class:`SynTone` is rendered and analysed there, in float32: its features are within 1e-5
        of those of the kernels for ``"published"``, 1e-4 (of 80 dB) for ``"corrected"``. Features
        of other sets are copied, bit for bit.

        Parameters
        ----------
        device
            ``"cpu"``, ``"cuda"`` or ``"cuda:N"``.

        Raises
        ------
        MemoryError
            If there is no room for them, with an eighth of a GPU's free memory left; nothing has
            been computed then.
        RuntimeError
            If there is no such CUDA device.
        TypeError, ValueError
            If ``device`` is none of these.
        """
        from fastdis.datasets import on_device as _on_device

        return _on_device.on_device(self, device)

    def _fill(self, tensor: torch.Tensor) -> None:
        """Write the features of all clips into ``(N, 1, F, frames)`` on any device."""
        from fastdis.datasets import on_device as _on_device

        _on_device.copy(lambda start, stop: self.features(slice(start, stop)), tensor)


class Stored(Dataset):
    """Stored features; sound and everything else come from ``source``, rendered again."""

    source: Dataset

    def _follow(self, source: Dataset) -> None:
        self.source = source
        self.space, self.sample_rate = source.space, source.sample_rate
        self.feature_shape = source.feature_shape

    def __len__(self) -> int:
        return len(self.source)

    def table(self, indices: ArrayLike | slice | None = None) -> FactorTable:
        """The factors of the clips at ``indices``; of all by default."""
        return self.source.table(indices)

    def audio(self, indices: ArrayLike | slice) -> NDArray[np.float32]:
        """The sound of the clips at ``indices``, ``(B, T)``."""
        return self.source.audio(indices)

    def features_of(self, audio: ArrayLike) -> NDArray[np.float32]:
        """Sound ``(B, T)`` -> features ``(B, 1, F, frames)``."""
        return self.source.features_of(audio)

    def to_audio(self, features: ArrayLike) -> NDArray[np.float32]:
        """Features ``(B, 1, F, frames)`` -> an estimate of the sound, ``(B, T)``."""
        return self.source.to_audio(features)

    def alias_free_features(self, indices: ArrayLike | slice) -> NDArray[np.float32] | None:
        """The features the clips would have without aliasing; None if unknown."""
        return self.source.alias_free_features(indices)

    def options(self) -> dict[str, Any]:
        """The options of the set whose features these are."""
        return self.source.options()


class InMemory(Stored):
    """Features in one array.

    Raises
    ------
    TypeError, ValueError
        If ``features`` is not float32, or has another shape than ``source`` says.
    """

    def __init__(self, source: Dataset, features: NDArray[np.float32]) -> None:
        if features.dtype != np.float32:
            raise TypeError(f"features takes float32, got {features.dtype}")
        if features.shape != (len(source), *source.feature_shape):
            raise ValueError(
                f"features takes shape {(len(source), *source.feature_shape)}, got {features.shape}"
            )
        self._follow(source)
        self.array = features

    def features(self, indices: ArrayLike | slice) -> NDArray[np.float32]:
        """The features of the clips at ``indices``, ``(B, 1, F, frames)``."""
        return self.array[_validation.indices("indices", indices, len(self))]

    def _fill(self, tensor: torch.Tensor) -> None:
        from fastdis.datasets import on_device as _on_device

        _on_device.copy(lambda start, stop: self.array[start:stop], tensor)
