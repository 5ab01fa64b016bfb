"""Samples of a trained model: reconstructions, samples from the prior, traversals of each code.

Each is a pair of features and the audio computed from them. Deterministic by seed, without
gradients, in evaluation mode; the model stays on its device and returns to the mode it was in.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch

Array = NDArray[np.float32]

AUDIBLE_PEAK = 0.1


@dataclass(frozen=True)
class ClipPair:
    """Features ``(B, 1, F, frames)`` and audio ``(B, T)`` of the same clips; T = 0 for images."""

    features: Array
    audio: Array


@dataclass(frozen=True)
class Traversal:
    """Each code set to each of ``values`` (S,) while the others keep the values of clip ``index``.

    ``features`` is ``(D, S, 1, F, frames)``; ``audio`` maps each code with sound to ``(S, T)``.
    """

    index: int
    values: NDArray[np.float64]
    features: Array
    audio: dict[int, Array]


@contextmanager
def evaluating(model: torch.nn.Module) -> Iterator[torch.device]:
    """Evaluation mode without gradients; yields the device of ``model``.

    The mode of each module is restored: a part may have been frozen in evaluation mode on purpose.
    """
    import torch

    modes = [(module, module.training) for module in model.modules()]
    tensor = next(chain(model.parameters(), model.buffers()), None)
    model.eval()
    try:
        with torch.no_grad():
            yield torch.device("cpu") if tensor is None else tensor.device
    finally:
        for module, mode in modes:
            module.training = mode


def encode(model: Any, features: Array) -> Array:
    """Mean codes ``(B, D)`` of features ``(B, 1, F, frames)``.

    Raises
    ------
    FloatingPointError
        If a code is not finite.
    """
    import torch

    with evaluating(model) as device:
        mean = model.encode(torch.from_numpy(features).to(device))[0]
    return _finite("encoder", mean.float().cpu().numpy())


def decode(model: Any, codes: NDArray[np.floating[Any]]) -> Array:
    """Features ``(B, 1, F, frames)`` of codes ``(B, D)``.

    Raises
    ------
    FloatingPointError
        If a value is not finite.
    """
    import torch

    with evaluating(model) as device:
        x_hat = model.decode(torch.from_numpy(np.asarray(codes, np.float32)).to(device))
    return _finite("decoder", x_hat.float().cpu().numpy())


def _finite(source: str, values: Array) -> Array:
    if not np.isfinite(values).all():
        raise FloatingPointError(f"the {source} gave values that are not finite")
    return values


def sound(dataset: Any, features: Array) -> Array:
    """The audio ``(B, T)`` computed from features; ``(B, 0)`` for images, which have no rate.

    Raises
    ------
    FloatingPointError
        If a sample is not finite.
    """
    if not dataset.sample_rate:
        return np.zeros((len(features), 0), np.float32)
    audio = np.asarray(dataset.to_audio(features), dtype=np.float32)
    return _finite("inverse of the features", audio)


def pick(dataset: Any, count: int, seed: int) -> NDArray[np.int64]:
    """Indices of up to ``count`` distinct clips; the same for every model of a dataset and seed."""
    size = len(dataset)
    chosen = np.random.default_rng([seed, size]).choice(size, min(count, size), replace=False)
    return chosen.astype(np.int64)


def _features(dataset: Any, indices: NDArray[np.int64]) -> Array:
    """The features ``(B, 1, F, frames)`` of clips, as a model takes them."""
    return np.ascontiguousarray(dataset.batch(indices)[0], dtype=np.float32)


def original(dataset: Any, indices: NDArray[np.int64]) -> ClipPair:
    """The clips of the dataset itself."""
    features = _features(dataset, indices)
    if not dataset.sample_rate:
        return ClipPair(features, np.zeros((len(features), 0), np.float32))
    return ClipPair(features, np.asarray(dataset.audio(indices), dtype=np.float32))


def reconstruct(model: torch.nn.Module, dataset: Any, indices: NDArray[np.int64]) -> ClipPair:
    """ClipPair decoded from their own mean codes."""
    x_hat = decode(model, encode(model, _features(dataset, indices)))
    return ClipPair(x_hat, sound(dataset, x_hat))


def sample_prior(
    model: torch.nn.Module, dataset: Any, latent_dim: int, count: int, seed: int
) -> ClipPair:
    """ClipPair decoded from codes drawn from a standard normal, the same ones on every device."""
    codes = np.random.default_rng(seed).standard_normal((count, latent_dim))
    x_hat = decode(model, codes)
    return ClipPair(x_hat, sound(dataset, x_hat))


def traverse(
    model: torch.nn.Module,
    dataset: Any,
    index: int,
    values: NDArray[np.float64],
    with_sound: list[int],
) -> Traversal:
    """Set each code of clip ``index`` to each of ``values``; audio for the codes ``with_sound``."""
    base = encode(model, _features(dataset, np.array([index])))[0]
    latent_dim, steps = len(base), len(values)
    codes = np.tile(base, (latent_dim, steps, 1))
    for code in range(latent_dim):
        codes[code, :, code] = values
    x_hat = decode(model, codes.reshape(latent_dim * steps, latent_dim))
    features = x_hat.reshape(latent_dim, steps, *x_hat.shape[1:])
    audio: dict[int, Array] = {}
    if with_sound:
        chosen = features[with_sound].reshape(len(with_sound) * steps, *x_hat.shape[1:])
        sounds = sound(dataset, chosen).reshape(len(with_sound), steps, -1)
        audio = dict(zip(with_sound, sounds, strict=True))
    return Traversal(index, values, features, audio)


def gain(*audio: Array) -> float:
    """One factor for all sounds of a model: 1 where the sounds are audible and do not clip.

    Features without an absolute level (each frame divided by its maximum, say) are inverted to
    sounds of an arbitrary level, which may be inaudible.
    """
    peak = max((float(np.abs(a).max()) for a in audio if a.size), default=0.0)
    return 1.0 if peak == 0.0 or AUDIBLE_PEAK <= peak <= 1.0 else 0.8 / peak
