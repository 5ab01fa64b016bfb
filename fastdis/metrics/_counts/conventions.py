"""What each convention does to factors and codes before they are counted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastdis.metrics._counts.bins import Bins, read_bins
from fastdis.metrics._counts.columns import Data, Discrete
from fastdis.metrics._counts.histogram import edges_of
from fastdis.metrics._counts.scaled_edges import unit_edges

CONVENTIONS = ("standard", "disentanglement_lib", "ubisoft", "published")
SCALED = ("ubisoft", "published")  # which scale columns to 0 to 1 before they cut them
PUBLISHED_BINS = 10

Edges = NDArray[np.float64]


def settled(bins: Any, discrete: Discrete, convention: str) -> tuple[Bins, Discrete]:
    """Bins and ``discrete`` as the convention has them where the user left them open.

    Raises
    ------
    TypeError, ValueError
        If the convention does not leave a choice.
    """
    scaled = convention in SCALED
    if bins is None and scaled:
        bins = PUBLISHED_BINS
    result = read_bins(bins)
    if convention == "standard":
        return result, discrete
    if isinstance(bins, Bins) and (scaled or bins.kind != "equal_width"):
        raise ValueError(f"bins takes a number for the {convention} convention, got {bins}")
    if convention == "disentanglement_lib":
        return result, True if discrete is None else discrete
    if convention == "published":
        if result.count != PUBLISHED_BINS:
            raise ValueError(
                f"bins takes {PUBLISHED_BINS} for the published convention, got {bins}"
            )
        if discrete is not None and discrete is not False:
            raise ValueError(
                "discrete takes None or False for the published convention, which bins every "
                f"factor, got {discrete!r}"
            )
    return result, discrete


def counted_as(data: Data, bins: Bins, convention: str) -> tuple[Data, Edges, Edges]:
    """The rows, with the factor kinds of the convention, and the edges of codes and factors.

    Ubisoft's code scales each column to 0 to 1, as scikit-learn does it, and cuts it at 0.1, 0.2,
    ..., 0.9; the published evaluation did so with every factor.
    """
    if convention not in SCALED:
        code_edges, factor_edges = edges_of(data, bins)
        return data, code_edges, factor_edges
    if convention == "published":
        data = replace(data, kinds=("continuous",) * len(data.kinds))
    code_edges = unit_edges(data.code_range, bins.count, data.codes.dtype)
    return data, code_edges, unit_edges(data.factor_range, bins.count, np.float64)
