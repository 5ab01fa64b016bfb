"""Tensors on a device as evidence: they are counted there, and no row is copied to the host."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from fastdis.metrics._counts.bins import _MOST_SORTED, Bins, outside
from fastdis.metrics._counts.columns import Data, Discrete, assembled
from fastdis.metrics._counts.conventions import SCALED, counted_as
from fastdis.metrics._counts.histogram import JointHistogram, counted_on

if TYPE_CHECKING:
    import torch

# The CPU's kernels are faster than torch, and a device without float64 would move edges.
_ON_HOST = ("cpu", "mps")


def stay(factors: Any, codes: Any) -> bool:
    """Whether both are tensors on one device, on which they are counted."""
    if not all(callable(getattr(x, "detach", None)) for x in (factors, codes)):
        return False
    return factors.device == codes.device and factors.device.type not in _ON_HOST


def read_tensors(factors: Any, codes: Any, bins: int, discrete: Discrete) -> Data:
    """As :func:`~fastdis.metrics._counts.columns.read`, but with tensors for rows.

    Raises
    ------
    TypeError, ValueError
        As there.
    """
    factors, codes = _columns("factors", factors), _columns("codes", codes)
    kind = "f" if factors.is_floating_point() else "i"
    return assembled(factors, codes, (None,) * factors.shape[1], kind, None, bins, discrete)


def counted_tensors(
    data: Data, bins: Bins, convention: str, pairs: bool = False
) -> tuple[Data, JointHistogram, list[str]]:
    """A summary of the data without rows, their histogram, and what to say about them."""
    few, *edges = counted_as(_rows_for_edges(data, bins), bins, convention)
    counted = replace(data, kinds=few.kinds)
    result = counted_on(counted, *edges, pairs=pairs)
    notes = [] if convention in SCALED else outside(data, *edges)
    return replace(data, factors=few.factors[:0], codes=few.codes[:0]), result, notes


def _rows_for_edges(data: Data, bins: Bins) -> Data:
    """On the host, as many rows as edges are taken from: one in 2^j for quantiles, else a first."""
    step = len(data.codes)
    if bins.kind == "quantile":
        step = 1
        while len(data.codes) > step * _MOST_SORTED:
            step *= 2
    tensors: tuple[Any, Any] = data.factors, data.codes
    factors, codes = (x[::step].cpu().numpy() for x in tensors)
    return replace(data, factors=factors, codes=codes)


def _columns(name: str, x: torch.Tensor) -> torch.Tensor:
    """Rows and columns of real numbers, of the types that arrays are cast to."""
    import torch

    if x.ndim != 2 or 0 in x.shape:
        raise ValueError(f"{name} takes rows and columns, at least one each, got {tuple(x.shape)}")
    if x.is_complex():
        raise TypeError(f"{name} takes real numbers, got dtype {x.dtype}")
    x = x.detach()
    if x.is_floating_point():
        return x if x.element_size() >= 4 else x.float()
    if name == "codes":
        return x.double()
    # torch knows little arithmetic of the other types.
    known = x.dtype in (torch.int8, torch.int16, torch.int32, torch.uint8)
    return x if known else x.to(torch.int64)
