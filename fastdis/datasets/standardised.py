"""Features standardised by one mean and one standard deviation.

One number each for the whole set keeps all differences between clips, bins and frames.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastdis import _validation
from fastdis.datasets.base import CHUNK, Dataset, Stored
from fastdis.datasets.registry import build, register

Array = NDArray[np.float32]


@register("Standardised")
class Standardised(Stored):
    """A set with features ``(x - mean) / scale`` and the sound and factors of another.

    Parameters
    ----------
    source
        Any data set, or the options of one (:meth:`Dataset.options`).
    mean, scale
        By default those of all values of all its features.

    Raises
    ------
    TypeError, ValueError
        If ``source`` is neither, one of the two numbers is given without the other, ``scale`` is
        not above 0, or all features have the same value.

    Examples
    --------
    >>> from fastdis import datasets
    >>> data = Standardised(datasets.Digits())
    >>> x = data.features(slice(None))
    >>> bool(abs(x.mean()) < 1e-4), bool(abs(x.std() - 1.0) < 1e-4)
    (True, True)
    """

    def __init__(
        self, source: Dataset | Mapping[str, Any], mean: float | None = None,
        scale: float | None = None,
    ) -> None:  # fmt: skip
        if isinstance(source, Mapping):
            source = build(source)
        if not isinstance(source, Dataset):
            raise TypeError(
                f"source takes a data set or its options, got {_validation.describe(source)}"
            )
        self._follow(source)
        if (mean is None) != (scale is None):
            raise ValueError("mean and scale go together, got one of them")
        if mean is None:
            mean, scale = _moments(source)
        self.mean = _validation.number("mean", mean)
        self.scale = _validation.number("scale", scale, above=0.0)

    def standardise(self, features: Array) -> Array:
        """Features of the source as this set has them."""
        return (features - np.float32(self.mean)) * np.float32(1.0 / self.scale)

    def features(self, indices: ArrayLike | slice) -> Array:
        """The features of the clips at ``indices``, ``(B, C, F, frames)``."""
        return self.standardise(self.source.features(indices))

    def features_of(self, audio: ArrayLike) -> Array:
        """Sound ``(B, T)`` -> features ``(B, 1, F, frames)``."""
        return self.standardise(self.source.features_of(audio))

    def to_audio(self, features: ArrayLike) -> Array:
        """Features ``(B, 1, F, frames)`` -> an estimate of the sound, ``(B, T)``."""
        x = _validation.array("features", features, 4)
        return self.source.to_audio(x * np.float32(self.scale) + np.float32(self.mean))

    def alias_free_features(self, indices: ArrayLike | slice) -> Array | None:
        """The features the clips would have without aliasing; None if unknown."""
        clean = self.source.alias_free_features(indices)
        return None if clean is None else self.standardise(clean)

    def options(self) -> dict[str, Any]:
        """Plain values from which :func:`fastdis.datasets.build` makes the same set again."""
        return {
            "name": "Standardised", "source": self.source.options(),
            "mean": self.mean, "scale": self.scale,
        }  # fmt: skip


def _moments(source: Dataset) -> tuple[float, float]:
    """Mean and standard deviation of all values, in float64, in two passes over the clips."""
    parts = [slice(a, min(a + CHUNK, len(source))) for a in range(0, len(source), CHUNK)]
    if not parts:
        raise ValueError("source takes a data set with clips, got none")
    count = len(source) * int(np.prod(source.feature_shape))
    mean = sum(float(source.features(part).sum(dtype=np.float64)) for part in parts) / count
    squares = (
        float(np.square(source.features(part) - mean, dtype=np.float64).sum()) for part in parts
    )
    deviation = float(np.sqrt(sum(squares) / count))
    if not deviation > 0.0:
        raise ValueError(f"source takes features that differ, got {mean:g} in all of them")
    return mean, deviation
