"""The panel: one table per protocol, a row per score in groups, a column per model.

The groups, titles, ranges and directions of the scores are those of
:mod:`fastdis.metrics._catalogue`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastdis.metrics._catalogue import CATALOGUE, Entry
from fastdis.reports.results import ModelResult, Results, protocols_of
from fastdis.reports.score_tables import ARROWS, unknown_metric
from fastdis.reports.table import MISSING, Cell, Table, compared, decimals

if TYPE_CHECKING:
    from fastdis.metrics import Scores

# How the catalogue's ``measures`` begins; the title of the group; the question it answers.
GROUPS = [
    ("modularity", "Modularity", "does each code hold at most one factor?"),
    ("compactness", "Compactness", "is each factor held by a single code?"),
    ("explicitness", "Explicitness", "can the factors be predicted from the codes, and simply?"),
    ("holistic", "Holistic", "several of these properties at once"),
    ("none", "Without factors", "are the codes independent, and active?"),
]


@dataclass(frozen=True)
class Panel:
    """The scores of one protocol's models.

    ``entries`` are the scores in the order of the rows of ``table``; ``parts`` are (title of the
    score, for each model the value of each of ``factors``); ``notes`` are (models, warning about
    their scores).
    """

    protocol: str
    table: Table
    entries: list[Entry]
    models: list[str]
    factors: tuple[str, ...]
    parts: list[tuple[str, list[list[str]]]]
    notes: list[tuple[str, str]]


def panels(results: Results) -> list[Panel]:
    """The panel of each protocol that has one."""
    found = []
    for protocol in protocols_of(results):
        scored = [(r, r.panel) for r in results.models if r.protocol == protocol and r.panel]
        if scored:
            models, scores = zip(*scored, strict=True)
            found.append(_panel(protocol, models, scores))
    return found


def entries_of(panels: Sequence[Panel]) -> list[Entry]:
    """The catalogue's entry of each score in ``panels``, in their order."""
    return list({entry.name: entry for panel in panels for entry in panel.entries}.values())


def _panel(protocol: str, models: Sequence[ModelResult], scores: Sequence[Scores]) -> Panel:
    titles = [model.title for model in models]
    factors = tuple(dict.fromkeys(name for one in scores for name in one.names))
    names = dict.fromkeys(name for one in scores for name in one)
    known = [entry for name, entry in CATALOGUE.items() if name in names]
    known += [unknown_metric(name) for name in names if name not in CATALOGUE]
    entries: list[Entry] = []
    groups: dict[int, Cell] = {}
    for key, title, question in GROUPS:
        if members := [entry for entry in known if entry.measures.startswith(key)]:
            groups[len(entries)] = Cell(title, question)
            entries += members
    columns = [Cell("Score", hidden=True), *map(Cell, titles)]
    rows = [[_heading(entry), *_cells(entry, scores)] for entry in entries]
    table = Table(Cell("", _about(scores)), columns, rows, groups=groups)
    parts = [(e.title, cells) for e in entries if (cells := _parts(e.name, factors, scores))]
    return Panel(protocol, table, entries, titles, factors, parts, _notes(titles, scores))


def _about(scores: Sequence[Scores]) -> str:
    first = scores[0]
    about = f"{first.n:,} clips, {first.binning}, {first.convention} convention"
    if any(one.intervals for one in scores):
        about += f"; small type: {first.confidence:.0%} confidence intervals"
    return about


def _heading(entry: Entry) -> Cell:
    span = entry.span.replace("inf", "∞").replace("-", "−")
    return Cell(entry.title, f"{ARROWS[entry.better]} {span}".strip(), entry.rewards)


def _cells(entry: Entry, scores: Sequence[Scores]) -> list[Cell]:
    """The score of each model with its confidence interval, where one was made."""

    def text(value: float) -> str:
        return decimals(value) if entry.better else f"{value:g}"

    values = [one.get(entry.name, math.nan) for one in scores]
    intervals = ["–".join(map(text, one.intervals.get(entry.name, ()))) for one in scores]
    return compared(values, entry.better, text, intervals)


def _parts(name: str, factors: Sequence[str], scores: Sequence[Scores]) -> list[list[str]]:
    """The value of each factor under each model; nothing if no model has any."""
    parts = [one.details[name].per_factor if name in one else {} for one in scores]
    if not any(parts):
        return []
    return [[decimals(part[k]) if k in part else MISSING for k in factors] for part in parts]


def _notes(titles: Sequence[str], scores: Sequence[Scores]) -> list[tuple[str, str]]:
    """(models, warning), each warning once."""
    models: dict[str, list[str]] = {}
    for title, one in zip(titles, scores, strict=True):
        for text in one.warnings:
            models.setdefault(text, []).append(title)
    return [
        ("All models" if len(warned) == len(titles) > 1 else ", ".join(warned), text)
        for text, warned in models.items()
    ]
