"""joint_histogram(): codes counted against factors, from arrays, maps, tensors or chunks."""

from __future__ import annotations

import warnings
from typing import Any

from fastdis import _validation
from fastdis.metrics._counts.bins import Bins, edges_of, outside, read_bins
from fastdis.metrics._counts.columns import Data, Discrete, read
from fastdis.metrics._counts.histogram import JointHistogram, MetricWarning, counted_on
from fastdis.metrics._counts.stream import counted_stream, stream_of
from fastdis.metrics._counts.torch_rows import counted_tensors, read_tensors, stay


def joint_histogram(
    factors: Any,
    codes: Any = None,
    *,
    bins: int | Bins | None = None,
    discrete: Discrete = None,
    like: JointHistogram | None = None,
    pairs: bool = False,
) -> JointHistogram:
    """Count every code against every factor in one pass over the rows.

    Codes are cut into ``bins``, the last one closed, as :func:`numpy.histogram` does; a number of
    bins has equal widths over each code's own range. A discrete factor keeps its levels; a
    continuous one is cut like a code.

    Parameters
    ----------
    factors
        ``(N, K)`` numbers or text, a torch tensor, or a :class:`fastdis.FactorTable`. Without
        ``codes``, chunks: an iterable of pairs ``(factors, codes)``, or a function that returns
        one, whose first pair decides which factors are discrete. The rows are not kept. Chunks are
        gone through twice unless ``bins`` states the ranges; then once.
    codes
        ``(N, D)`` numbers or a torch tensor; an iterator of arrays if ``factors`` is one.
    bins
        The number of bins, 2 to 65,536; None is 20; or :class:`Bins`: on a stated range, of
        equally many rows, or between given edges.
    discrete
        Which factors keep their levels: True or False for all, or one bool per factor. With None
        the kinds of a FactorTable decide: ``"continuous"`` factors are cut, and so are ordinal
        ones of more levels than ``bins``, as no binned code could tell them all. For a plain
        array its columns do: integers, bools and text are discrete, and so is a float column of
        at most ``bins`` distinct values. A discrete factor is categorical if it holds text or
        whole numbers, else ordinal.
    like
        Count on the bins of this histogram (``bins`` and ``discrete`` are then its own), so that
        the two can be added. What lies beyond its edges is counted in the end bins, with a
        warning; so it is with bins on a stated range.
    pairs
        Count the factors against each other, too, as DMIG and DLIG want to know of a histogram.

    Raises
    ------
    TypeError, ValueError
        If the arrays are not finite real numbers (factors also text) of two dimensions and equal
        length, or if the counts would take more than 512 MiB.

    Examples
    --------
    >>> import numpy as np
    >>> v = np.arange(8)[:, None] % 4
    >>> histogram = joint_histogram(v, v * 0.5, bins=4)
    >>> histogram.counts[0, 0].tolist()
    [[2, 0, 0, 0], [0, 2, 0, 0], [0, 0, 2, 0], [0, 0, 0, 2]]
    >>> print(f"{histogram.mutual_information[0, 0] / np.log(2):.3f} bits")
    2.000 bits
    """
    if like is not None and not isinstance(like, JointHistogram):
        raise TypeError(f"like takes a JointHistogram, got {_validation.describe(like)}")
    cut = read_bins(bins) if like is None else like.cut
    if like is not None:
        discrete = like.discrete
    stream = stream_of(factors, codes)
    if stream is not None:
        _, result, notes = counted_stream(stream, cut, discrete, "standard", pairs)
    elif stay(factors, codes):
        data = read_tensors(factors, codes, cut.count, discrete)
        if like is not None:
            _check_like(data, like)
        _, result, notes = counted_tensors(data, cut, "standard", pairs)
    else:
        data = read(factors, codes, cut.count, discrete)
        if like is not None:
            _check_like(data, like)
        edges = edges_of(data, cut)
        result, notes = counted_on(data, *edges, pairs=pairs), outside(data, *edges)
    for text in notes:
        warnings.warn(text, MetricWarning, stacklevel=2)
    return result


def _check_like(data: Data, like: JointHistogram) -> None:
    if (data.names, data.codes.shape[1]) != (like.names, len(like.table)):
        raise ValueError(
            f"like takes a histogram of the same factors and codes: {data.names} and "
            f"{data.codes.shape[1]} codes, got {like.names} and {len(like.table)}"
        )
