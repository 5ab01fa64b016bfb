"""One model as the page shows it: numbers as text, pictures and sounds as data URIs."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastdis.reports import figures
from fastdis.reports.figures import Kind
from fastdis.reports.gallery import Gallery, gallery_of
from fastdis.reports.latent_maps import LatentMap, latent_maps
from fastdis.reports.results import ModelResult
from fastdis.reports.table import MISSING

_DCI = "dci_disentanglement"  # the score with the matrix of importances


@dataclass(frozen=True)
class HeatCell:
    """An entry of a heat map as text, its shade from 0 to 100, and whether it is the row's best."""

    text: str
    percent: int
    best: bool


@dataclass(frozen=True)
class ModelView:
    """``importances`` are empty without a panel; ``problem`` says why there is no gallery."""

    title: str
    protocol: str
    facts: list[str]
    factors: list[tuple[str, list[HeatCell]]]
    importances: list[tuple[str, list[HeatCell]]]
    curves: list[tuple[str, str]]
    kind: Kind
    gallery: Gallery | None
    maps: list[LatentMap]
    problem: str = ""
    codes: list[int] = field(default_factory=list)


def number(value: Any, digits: int = 3) -> str:
    """A number for a reader: a dash where it is not finite."""
    return f"{value:.{digits}f}" if math.isfinite(value) else MISSING


def significant(value: float) -> str:
    """A number of unknown size: three significant digits, or whole where it is large."""
    if not math.isfinite(value):
        return MISSING
    return f"{value:,.0f}" if 1e3 <= abs(value) < 1e9 else f"{value:.3g}"


def heat_rows(
    names: tuple[str, ...], information: NDArray[Any]
) -> list[tuple[str, list[HeatCell]]]:
    """Rows of the map of factors by codes; the best code of each factor is marked."""
    rows = []
    for name, values in zip(names, information, strict=True):
        finite = values[np.isfinite(values)]
        best = finite.max() if finite.size and finite.max() > 0.0 else None
        rows.append((name, [_heat_cell(float(value), best) for value in values]))
    return rows


def _heat_cell(value: float, best: float | None) -> HeatCell:
    percent = round(100 * min(1.0, max(0.0, value))) if math.isfinite(value) else 0
    return HeatCell(number(value, 2), percent, value == best)


def training_facts(history: list[dict[str, Any]]) -> list[str]:
    """Epochs, the last loss and the speed of a run, each as a phrase."""
    if not history:
        return []
    facts = [f"{len(history)} epoch{'s' if len(history) > 1 else ''}"]
    for part in ("train", "validation"):
        loss = (history[-1].get(part) or {}).get("loss")
        if loss is not None:
            facts.append(f"last {part} loss {significant(loss)}")
    speeds = [row["clips_per_second"] for row in history if row.get("clips_per_second") is not None]
    if speeds and math.isfinite(speed := float(np.median(speeds))):
        facts.append(f"{speed:,.0f} clips per second")
    seconds = sum(row.get("seconds") or 0.0 for row in history)
    if seconds > 0.0 and math.isfinite(seconds):
        facts.append(f"{seconds:,.{0 if seconds >= 10 else 1}f} s of training")
    return facts


def model_view(result: ModelResult, models: int, seed: int, maps: bool = False) -> ModelView:
    """Everything the page shows of one of ``models`` models, with or without latent maps."""
    names = tuple(result.dataset.space.names)
    information = np.asarray(result.mutual_information)
    shown, drawn, problem = None, list[LatentMap](), ""
    try:
        shown = gallery_of(result, information, names, models, seed)
        drawn = latent_maps(result, seed) if maps else []
    except FloatingPointError as error:
        problem = f"Nothing can be shown or heard of this model: {error}."
    dci = result.panel.details.get(_DCI) if result.panel else None
    return ModelView(
        title=result.title,
        protocol=result.protocol,
        facts=training_facts(result.history),
        factors=heat_rows(names, information),
        importances=[] if dci is None or dci.matrix is None else heat_rows(names, dci.matrix),
        curves=figures.loss_curves(result.history),
        kind=figures.kind_of(result.dataset),
        gallery=shown,
        maps=drawn,
        problem=problem,
        codes=list(range(information.shape[1])),
    )
