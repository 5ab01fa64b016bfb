"""The panel as the page shows it: a table a protocol, a row a score, a column a model.

Groups, titles, ranges and directions are those of :mod:`fastdis.metrics._catalogue`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastdis.metrics._catalogue import CATALOGUE, Entry
from fastdis.reports.comparison import ARROW, HIGHER_IS_BETTER, MISSING, best_of
from fastdis.reports.results import ModelResult, Results, protocols_of

if TYPE_CHECKING:
    from fastdis.metrics import Scores

# What a group measures, as the catalogue begins to say it; its title; the question it answers.
GROUPS = [
    ("modularity", "Modularity", "does a code hold one factor at most?"),
    ("compactness", "Compactness", "is a factor held by one code?"),
    ("explicitness", "Explicitness", "do the codes tell the factors, and simply?"),
    ("holistic", "Holistic", "several of these at once"),
    ("none", "Without factors", "are the codes independent, and in use?"),
]


@dataclass(frozen=True)
class PanelCell:
    """One model's score as text, the ends of its confidence interval, whether it is the best."""

    value: str
    interval: tuple[str, ...] = ()
    best: bool = False


@dataclass(frozen=True)
class PanelRow:
    """One score of all models; ``arrow`` is empty where neither more nor less is better."""

    entry: Entry
    arrow: str
    cells: list[PanelCell]


@dataclass(frozen=True)
class PanelGroup:
    """The scores that measure one thing."""

    title: str
    question: str
    rows: list[PanelRow]


@dataclass(frozen=True)
class Panel:
    """One protocol's models.

    ``parts`` are (title of the score, for each model the value of each factor); ``notes`` are
    (models, what their scores leave out).
    """

    protocol: str
    about: str
    models: list[str]
    factors: tuple[str, ...]
    groups: list[PanelGroup]
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


def shown(panels: Sequence[Panel]) -> list[Entry]:
    """What is known of every score in ``panels``, in their order."""
    rows = [row for panel in panels for group in panel.groups for row in group.rows]
    return list({row.entry.name: row.entry for row in rows}.values())


def _panel(protocol: str, models: Sequence[ModelResult], scores: Sequence[Scores]) -> Panel:
    first, titles = scores[0], [model.title for model in models]
    factors = tuple(dict.fromkeys(name for one in scores for name in one.names))
    names = dict.fromkeys(name for one in scores for name in one)
    entries = [entry for name, entry in CATALOGUE.items() if name in names]
    entries += [_unknown(name) for name in names if name not in CATALOGUE]
    groups = [
        PanelGroup(title, question, rows)
        for key, title, question in GROUPS
        if (rows := [_row(e, scores) for e in entries if e.measures.startswith(key)])
    ]
    parts = [
        (row.entry.title, cells)
        for group in groups
        for row in group.rows
        if (cells := _parts(row.entry.name, factors, scores))
    ]
    about = f"{first.n:,} clips, {first.binning}, {first.convention} convention"
    if any(one.intervals for one in scores):
        about += f"; small type: {first.confidence:.0%} confidence intervals"
    return Panel(protocol, about, titles, factors, groups, parts, _notes(titles, scores))


def _unknown(name: str) -> Entry:
    """A score of another version."""
    return Entry(name, name, "", "none", "", "", low=None, high=None, better="")


def _row(entry: Entry, scores: Sequence[Scores]) -> PanelRow:
    better = HIGHER_IS_BETTER[entry.better]
    values = [one.get(entry.name, math.nan) for one in scores]
    best = best_of(values, better)
    cells = [
        PanelCell(
            _text(value, entry),
            tuple(_text(end, entry) for end in one.intervals.get(entry.name, ())),
            not math.isnan(value) and round(value, 3) == best,
        )
        for value, one in zip(values, scores, strict=True)
    ]
    return PanelRow(entry, ARROW[better].strip(), cells)


def _text(value: float, entry: Entry) -> str:
    if math.isnan(value):
        return MISSING
    return f"{value:g}" if not entry.better else f"{value:.3f}".replace("-", "−")


def _parts(name: str, factors: Sequence[str], scores: Sequence[Scores]) -> list[list[str]]:
    """The value of each factor under each model; nothing if no model has any."""
    parts = [one.details[name].per_factor if name in one else {} for one in scores]
    if not any(parts):
        return []
    return [[f"{part[k]:.3f}" if k in part else MISSING for k in factors] for part in parts]


def _notes(titles: Sequence[str], scores: Sequence[Scores]) -> list[tuple[str, str]]:
    """Each warning once, and whose it is."""
    whose: dict[str, list[str]] = {}
    for title, one in zip(titles, scores, strict=True):
        for text in one.warnings:
            whose.setdefault(text, []).append(title)
    return [
        ("All models" if len(told) == len(titles) > 1 else ", ".join(told), text)
        for text, told in whose.items()
    ]
