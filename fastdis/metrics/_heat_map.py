"""A matrix of factors by codes as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from fastdis import _files, _validation

FORMATS = ("png", "svg", "pdf")
_MOST_NUMBERS = 24  # columns beyond which the cells have no room for their values


def picture_format(path: str | Path) -> str:
    """The format that the suffix of ``path`` asks for.

    Raises
    ------
    ValueError
        If the suffix is not .png, .svg or .pdf.
    """
    suffix = Path(path).suffix.lower().removeprefix(".")
    return _validation.choice(f"the suffix of {path}", suffix, FORMATS)


def draw(
    path: str | Path, matrix: NDArray[Any], names: Sequence[str], codes: Sequence[int], title: str
) -> None:
    """Write ``matrix (K, D)`` with the name of every row and the code's number of every column.

    Raises
    ------
    ValueError
        If the suffix of ``path`` is not .png, .svg or .pdf.
    """
    from matplotlib.figure import Figure

    picture = picture_format(path)
    rows, columns = matrix.shape
    figure = Figure(
        figsize=(1.6 + 0.55 * min(columns, 40), 1.0 + 0.45 * rows), layout="constrained"
    )
    axes = figure.subplots()
    top = max(float(matrix.max()), 1e-12)
    image = axes.imshow(matrix, cmap="viridis", vmin=0, vmax=top, aspect="auto")
    axes.set(xlabel="code", title=title, yticks=range(rows))
    shown = range(0, columns, -(-columns // 40))
    axes.set_xticks(shown, [str(codes[d]) for d in shown])
    axes.set_yticklabels(names)
    if columns <= _MOST_NUMBERS:
        for k in range(rows):
            for d in range(columns):
                value = float(matrix[k, d])
                axes.text(d, k, f"{value:.2f}", ha="center", va="center", fontsize=7,
                          color="black" if value > 0.6 * top else "white")  # fmt: skip
    figure.colorbar(image, ax=axes)
    with _files.replacing(path) as partial:
        figure.savefig(partial, format=picture, dpi=150)
