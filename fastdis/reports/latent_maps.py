"""Latent maps: scatter plots of two mean codes, one picture per factor, coloured by its values.

The axes are the two codes with most mutual information with the factor. A factor held by one code
shows as a gradient along one axis, a factor shared by two codes as a gradient along both.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastdis.reports import data_uris, model_samples
from fastdis.reports.figures import INK, plain_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

    from fastdis.factors import Factor
    from fastdis.reports.results import ModelResult

CLIPS = 1500
BATCH = 250  # clips encoded at once, so that the activations of large networks fit the memory
# Of a categorical factor: Okabe and Ito (2008) without yellow, invisible on white, then grey, wine
# and olive. A factor of more levels is coloured on a continuous scale.
COLORS = (
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000", "#999999",
    "#882255", "#808000",
)  # fmt: skip
SCALE, BRIGHTEST = "viridis", 0.9  # without its last yellows, invisible on white
SIZE, DPI = (2.6, 2.25), 130  # inches


@dataclass(frozen=True)
class LatentMap:
    """The picture of one factor; ``unit`` may be empty, ``axes`` names the codes plotted."""

    factor: str
    unit: str
    axes: str
    picture: str


def latent_maps(result: ModelResult, seed: int) -> list[LatentMap]:
    """One map per factor, of up to 1,500 clips.

    Raises
    ------
    FloatingPointError
        If a code is not finite.
    """
    from matplotlib.figure import Figure

    dataset, information = result.dataset, np.nan_to_num(result.mutual_information, nan=0.0)
    indices = model_samples.pick(dataset, CLIPS, seed)
    codes, values = encoded(result.model, dataset, indices)
    figure = Figure(figsize=SIZE, dpi=DPI)
    maps = []
    for k, factor in enumerate(dataset.space.factors):
        # A stable sort, so that maps of a model without information have the same axes.
        across, up = (*np.argsort(-information[k], kind="stable")[:2].tolist(), None)[:2]
        figure.clear()
        _draw(figure, codes, values[:, k], factor, across, up)
        against = f"code {across} against " + ("the factor" if up is None else f"code {up}")
        maps.append(LatentMap(factor.name, factor.unit, against, data_uris.figure_uri(figure)))
    return maps


def encoded(
    model: Any, dataset: Any, indices: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Mean codes ``(N, D)`` and factor values ``(N, K)``."""
    codes, values = [], []
    for start in range(0, len(indices), BATCH):
        features, factors = dataset.batch(indices[start : start + BATCH])
        codes.append(model_samples.encode(model, np.ascontiguousarray(features, np.float32)))
        values.append(factors)
    return np.concatenate(codes), np.concatenate(values)


def _draw(
    figure: Figure, codes: NDArray[np.float32], values: NDArray[np.float64], factor: Factor,
    across: int, up: int | None,
) -> None:  # fmt: skip
    axes = figure.add_axes((0.17, 0.17, 0.6, 0.79))
    plain_axes(axes)
    axes.locator_params(nbins=5, steps=[1, 2, 5, 10])
    heights = values if up is None else codes[:, up]
    axes.set_xlabel(f"code {across}", fontsize=7, color=INK, labelpad=1)
    axes.set_ylabel(factor.name if up is None else f"code {up}", fontsize=7, color=INK, labelpad=1)
    dots: dict[str, Any] = {"s": 5.0, "linewidths": 0.0, "marker": "o"}
    if factor.kind == "categorical" and len(factor.values) <= len(COLORS):
        levels = np.abs(values[:, None] - factor.values).argmin(axis=1)
        axes.scatter(codes[:, across], heights, c=np.array(COLORS)[levels], **dots)
        _legend(axes, factor)
        return
    drawn = axes.scatter(codes[:, across], heights, c=values, cmap=_scale(), **dots)
    scale = figure.colorbar(drawn, cax=figure.add_axes((0.81, 0.17, 0.04, 0.79)))
    scale.outline.set_visible(False)
    scale.ax.tick_params(labelsize=6.5, length=2, color=INK, labelcolor=INK)
    scale.ax.locator_params(nbins=5)
    scale.ax.yaxis.set_major_formatter(lambda value, _: f"{value:g}".replace("-", "−"))


@cache
def _scale() -> Colormap:
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap

    return ListedColormap(colormaps[SCALE](np.linspace(0.0, BRIGHTEST, 128)))


def _legend(axes: Axes, factor: Factor) -> None:
    for i, value in enumerate(factor.values):
        axes.scatter([], [], s=14.0, c=COLORS[i], linewidths=0.0, label=factor.text(value))
    axes.legend(
        loc="upper left", bbox_to_anchor=(1.0, 1.02), fontsize=6.5, frameon=False, labelcolor=INK,
        handletextpad=0.1, borderpad=0.2,
    )  # fmt: skip
