"""What the modules share: checks of tensors, constants, bounded memory, full-precision products.

A check looks at types and shapes alone; a look at a tensor's values would wait for the device.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from fastdis import _validation

# Temporaries of one chunk: on a CPU they should stay near its caches, on a GPU they should fill it.
_CHUNK_BYTES = {"cpu": 2**23}
_DEVICE_CHUNK_BYTES = 2**29


class Module(torch.nn.Module):
    """A module of constants that follow ``.to(device)`` and never change their precision."""

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Module:
        constants = dict(self._buffers)
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        for name, constant in constants.items():
            moved = self._buffers[name]
            if constant is not None and moved is not None and moved.dtype != constant.dtype:
                self._buffers[name] = constant.to(moved.device)
        return self


def describe(value: Any) -> str:
    """A short text for an error: type, shape and device of a tensor, else as for arrays."""
    if isinstance(value, Tensor):
        return f"a tensor of shape {tuple(value.shape)} and dtype {value.dtype} on {value.device}"
    return _validation.describe(value)


def clips(name: str, value: Any, device: torch.device | None = None) -> tuple[Tensor, bool]:
    """Floating-point audio as float32 ``(B, T)``; True if there was no batch axis.

    ``device`` is where the module's constants are, None for a module that has none.
    """
    takes = f"{name} takes a tensor of floating-point audio, full scale in [-1, 1]"
    if not isinstance(value, Tensor) or not value.is_floating_point():
        raise TypeError(f"{takes}, got {describe(value)}")
    if value.ndim not in (1, 2):
        raise ValueError(f"{name} takes 1 or 2 dimension(s), got shape {tuple(value.shape)}")
    if value.shape[-1] == 0:
        raise ValueError(f"{name} takes at least one sample per clip, got none")
    _on_device(name, value, device)
    audio = value.float()
    return (audio[None], True) if audio.ndim == 1 else (audio, False)


def from_host(values: NDArray[Any], device: torch.device) -> Tensor:
    """A copy of the array on ``device``, made without waiting for what runs there.

    The copy on the host is pageable, so that it may go before the device has got it.
    """
    return torch.tensor(values).to(device, non_blocking=True)


def real(name: str, value: Tensor, ndims: Sequence[int], device: torch.device) -> Tensor:
    """A tensor of real numbers as float64 on ``device``, where it is moved from the CPU."""
    if value.is_complex() or value.dtype == torch.bool:
        raise TypeError(f"{name} takes real numbers, got {describe(value)}")
    return _placed(name, value, ndims, device, torch.float64)


def integers(name: str, value: Tensor, device: torch.device) -> Tensor:
    """A tensor of one integer or of integers ``(B,)`` as int64 on ``device``."""
    if value.is_complex() or value.is_floating_point() or value.dtype == torch.bool:
        raise TypeError(f"{name} takes integers where it is a tensor, got {describe(value)}")
    return _placed(name, value, (0, 1), device, torch.int64)


def _placed(
    name: str, value: Tensor, ndims: Sequence[int], device: torch.device, dtype: torch.dtype
) -> Tensor:
    if value.ndim not in ndims:
        ranks = " or ".join(map(str, ndims))
        raise ValueError(f"{name} takes {ranks} dimension(s), got shape {tuple(value.shape)}")
    if value.device.type != "cpu":
        _on_device(name, value, device)
    return value.to(device, dtype)


def _on_device(name: str, value: Tensor, device: torch.device | None) -> None:
    if device is not None and value.device != device:
        raise ValueError(
            f"{name} takes a tensor on {device}, where this module is, got {describe(value)}"
        )


def in_chunks(
    function: Callable[..., Tensor],
    columns: Sequence[Tensor],
    shape: Sequence[int],
    dtype: torch.dtype,
    clip_bytes: tuple[int, int],
) -> Tensor:
    """``function(*columns)``, of that shape and dtype, a few clips at a time to bound its memory.

    ``clip_bytes`` are the temporaries of one clip without and with a graph for the gradient. Where
    there are several chunks, their graphs are not kept: each is computed again on the way back.
    """
    with_graph = torch.is_grad_enabled() and any(column.requires_grad for column in columns)
    device, batch = columns[0].device, shape[0]
    budget = _CHUNK_BYTES.get(device.type, _DEVICE_CHUNK_BYTES)
    rows = max(1, budget // max(1, clip_bytes[with_graph]))
    if with_graph and 0 < batch <= rows:
        return function(*columns).contiguous()
    chunks = [[column[i : i + rows] for column in columns] for i in range(0, batch, rows)]
    if with_graph and chunks:
        again = partial(checkpoint, function, use_reentrant=False, preserve_rng_state=False)
        return torch.cat([again(*chunk) for chunk in chunks])
    result = torch.empty(tuple(shape), dtype=dtype, device=device)
    for i, chunk in enumerate(chunks):
        result[i * rows : (i + 1) * rows] = function(*chunk)
    return result


def product(a: Tensor, b: Tensor) -> Tensor:
    """The float32 matrix product in full precision, whatever autocast or the user's settings say.

    Where torch is set to round float32 factors to TF32 or bfloat16, it is taken in float64.
    """
    try:
        full = torch.get_float32_matmul_precision() == "highest"
    except RuntimeError:  # set by the newer switches, which differ by backend
        full = False
    if full:
        with torch.autocast(a.device.type, enabled=False):
            return a @ b
    return (a.double() @ b.double()).float()
