"""The pictures of the additive toy study's answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fastdis.reports import data_uris
from fastdis.studies.additive_toy.grid import SHOWN_BETA, SYSTEMS


def loss_curves(
    rows: Sequence[Mapping[str, Any]], systems: Sequence[str], conditions: tuple[str, str]
) -> str:
    """Held-out losses over the epochs, a panel a system, a line a condition: a PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(2.2 * len(systems), 1.9), dpi=150, layout="constrained")
    panels = figure.subplots(1, len(systems), sharey=True)
    for axes, system in zip(panels, systems, strict=True):
        for condition, dashes in zip(conditions, ("-", "--"), strict=True):
            loss = next(
                np.array(row["validation"])
                for row in rows
                if (row["system"], row["condition"], row["beta"]) == (system, condition, SHOWN_BETA)
            )
            span = max(loss[0] - loss.min(), 1e-12)
            epochs = np.arange(1, len(loss) + 1)
            axes.plot(epochs, (loss - loss.min()) / span, dashes, label=condition, linewidth=1.3)
        axes.set_title(SYSTEMS[system].title, fontsize=8)
        axes.set_xlabel("epoch", fontsize=7)
        axes.tick_params(labelsize=7)
    panels[0].legend(fontsize=7, frameon=False)
    return data_uris.figure_uri(figure, colors=32)
