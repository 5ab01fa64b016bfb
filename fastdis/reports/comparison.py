"""The score table: a block a metric, a row a model, a column a way to train and score.

The columns stand in the order of the argument: the paper's figures, the same protocol repeated and
scored as published, the same models scored by the metrics' definitions, and the corrected protocol.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from fastdis import _validation
from fastdis.metrics._catalogue import CATALOGUE
from fastdis.reports.results import PROTOCOLS, Results, Score, protocols_of

MISSING = "–"
HIGHER_IS_BETTER = {"higher": True, "lower": False, "": None}
_DIRECTION = {True: "higher is better", False: "lower is better", None: ""}
ARROW = {True: " ↑", False: " ↓", None: ""}


@dataclass(frozen=True)
class Metric:
    """How a metric is shown: its title, whether more is better if either is, what it rewards."""

    key: str
    title: str
    higher_is_better: bool | None = True
    question: str = ""


METRICS = [
    Metric(entry.name, entry.title, HIGHER_IS_BETTER[entry.better], entry.rewards)
    for entry in CATALOGUE.values()
]
_KNOWN = {metric.key.replace("_", ""): metric for metric in METRICS}


@dataclass(frozen=True)
class Column:
    """A way to train and to score; ``protocol`` is None for the paper's own table."""

    title: str
    subtitle: str
    protocol: str | None
    convention: str
    meaning: str


@dataclass(frozen=True)
class Cell:
    """One score as text, and whether it is the best of its column."""

    mean: str
    deviation: str = ""
    best: bool = False

    @property
    def text(self) -> str:
        """The mean and, where there is one, its deviation: ``"0.912 ± 0.004"``."""
        return f"{self.mean} {self.deviation}".rstrip()


@dataclass(frozen=True)
class Block:
    """One metric's part of the table: ``rows`` of (model title, a cell for each column)."""

    metric: Metric
    rows: list[tuple[str, list[Cell]]]

    @property
    def direction(self) -> str:
        """Which scores are good, in words; empty where neither is."""
        return _DIRECTION[self.metric.higher_is_better]

    @property
    def arrow(self) -> str:
        """The same as an arrow."""
        return ARROW[self.metric.higher_is_better].strip()


def _plain(name: str) -> str:
    return "".join(c for c in name.lower() if c.isalnum())


def known_metric(name: str) -> Metric:
    """The metric of this name, however it is written: ``"MIG"``, ``"dci_completeness"``."""
    return _KNOWN.get(_plain(name), Metric(name, name))


def _columns(results: Results) -> list[Column]:
    trained = "trained as published"
    columns = [
        Column(results.reference_name, "as printed", None, "", "The figures of the paper."),
        Column(
            "Published protocol", "published scoring", "published", "published",
            f"The models of this run, {trained} and scored as published.",
        ),
        Column(
            "Published protocol", "standard scoring", "published", "standard",
            "The very same models, scored by the definitions of the metrics.",
        ),
        Column(
            "Corrected protocol", "standard scoring", "sound", "standard",
            "Models trained by the corrected protocol, scored by the definitions of the metrics.",
        ),
    ]  # fmt: skip
    columns += [
        Column(group, f"{convention} scoring", group, convention, f"The models of “{group}”.")
        for group in protocols_of(results)
        if group not in PROTOCOLS
        for convention in ("published", "standard")
    ]
    return [column for column in columns if _scores(results, column)]


def _scores(results: Results, column: Column) -> dict[str, dict[str, Score]]:
    """Model title -> plain metric name -> score, without models that have none here."""
    if column.protocol is None:
        found = results.reference_table
    else:
        found = {
            result.title: result.scores.get(column.convention, {})
            for result in results.models
            if result.protocol == column.protocol
        }
    return {
        title: {_plain(metric): score for metric, score in scores.items()}
        for title, scores in found.items()
        if scores
    }


def _metrics(results: Results) -> list[Metric]:
    """Every metric that has a score, known ones first and in their usual order."""
    names = [name for result in results.models for s in result.scores.values() for name in s]
    names += [name for scores in results.reference_table.values() for name in scores]
    found = {_plain(name): known_metric(name) for name in names}
    order = [plain for plain in _KNOWN if plain in found]
    return [found[plain] for plain in [*order, *(p for p in found if p not in _KNOWN)]]


def best_of(values: Sequence[float], higher_is_better: bool | None) -> float | None:
    """The best value as it reads, in three digits; None without a best, or two that differ."""
    read = {round(value, 3) for value in values if math.isfinite(value)}
    if len(read) < 2 or higher_is_better is None:
        return None
    return max(read) if higher_is_better else min(read)


def _cells(scores: list[Score | None], higher_is_better: bool | None) -> list[Cell]:
    """The cells of one column, the best marked; scores that read the same count as equal."""
    best = best_of([score[0] for score in scores if score is not None], higher_is_better)
    cells = []
    for score in scores:
        if score is None or not math.isfinite(score[0]):
            cells.append(Cell(MISSING))
            continue
        deviation = f"± {score[1]:.3f}" if math.isfinite(score[1]) else ""
        cells.append(Cell(f"{score[0]:.3f}", deviation, round(score[0], 3) == best))
    return cells


def score_blocks(results: Results) -> tuple[list[Column], list[Block]]:
    """The score table as the page and :func:`score_table` show it."""
    columns = _columns(results)
    by_column = [_scores(results, column) for column in columns]
    titles = list(dict.fromkeys([r.title for r in results.models] + list(results.reference_table)))
    blocks = []
    for metric in _metrics(results):
        key = _plain(metric.key)
        cells = [
            _cells([scores.get(title, {}).get(key) for title in titles], metric.higher_is_better)
            for scores in by_column
        ]
        rows = [
            (title, [column[i] for column in cells])
            for i, title in enumerate(titles)
            if any(key in scores.get(title, {}) for scores in by_column)
        ]
        blocks.append(Block(metric, rows))
    return columns, blocks


def has_missing(blocks: list[Block]) -> bool:
    """Whether a cell is without a score, so that :data:`MISSING_NOTE` is due."""
    return any(cell.mean == MISSING for block in blocks for _, row in block.rows for cell in row)


MISSING_NOTE = f"{MISSING} stands for a score that was not made or is not a finite number."


def score_table(results: Results, style: str = "text") -> str:
    """The score table of a report as text: mean ± deviation, the best of each column marked.

    Parameters
    ----------
    results
        What :func:`fastdis.reports.write` takes.
    style
        ``"text"`` for a terminal (the best is marked by ``*``), ``"markdown"`` for a file (bold).

    Returns
    -------
    str
        The table, ended by a newline; a score that is not finite is shown as ``–``.

    Raises
    ------
    ValueError
        If ``style`` is neither of the two.
    """
    _validation.choice("style", style, ["text", "markdown"])
    columns, blocks = score_blocks(results)
    if not blocks:
        return "No scores.\n"
    text = _markdown(columns, blocks) if style == "markdown" else _text(columns, blocks)
    return text + (f"\n{MISSING_NOTE}\n" if has_missing(blocks) else "")


def _text(columns: list[Column], blocks: list[Block]) -> str:
    lines: list[list[str]] = [
        ["", *(c.title for c in columns)],
        ["", *(c.subtitle for c in columns)],
    ]
    for block in blocks:
        lines.append([f"{block.metric.title} ({block.direction})".removesuffix(" ()")])
        lines += [
            [f"  {title}", *(cell.text + ("*" if cell.best else " ") for cell in cells)]
            for title, cells in block.rows
        ]
    widths = [max(len(line[i]) for line in lines if len(line) > 1) for i in range(len(columns) + 1)]
    aligned = []
    for line in lines:
        rest = [text.rjust(width) for text, width in zip(line[1:], widths[1:], strict=False)]
        aligned.append("  ".join([line[0].ljust(widths[0]), *rest]).rstrip())
    return "\n".join(aligned) + "\n\n* the best of its column\n"


def _markdown(columns: list[Column], blocks: list[Block]) -> str:
    def row(cells: list[str]) -> str:
        plain = (" ".join(cell.split()).replace("|", "\\|").replace("<", "&lt;") for cell in cells)
        return f"| {' | '.join(plain)} |"

    lines = [
        row(["Metric", "Model", *(f"{c.title}, {c.subtitle}" for c in columns)]),
        "|" + "---|" * 2 + "---:|" * len(columns),
    ]
    for block in blocks:
        name = block.metric.title + ARROW[block.metric.higher_is_better]
        for title, cells in block.rows:
            marked = [f"**{cell.text}**" if cell.best else cell.text for cell in cells]
            lines.append(row([name, title, *marked]))
    return (
        "\n".join(lines) + "\n\n↑ higher is better, ↓ lower is better; bold: best of its column.\n"
    )
