"""A sweep's report: one HTML file with its table and figures inside, which needs no network."""

from __future__ import annotations

import errno
import os
from importlib import resources
from pathlib import Path
from typing import Any

from fastdis import _files
from fastdis.reports.page import _naming, versions
from fastdis.reports.sweep import figures
from fastdis.reports.sweep import table as sweep_table
from fastdis.reports.sweep.results import SweepResults, in_words


def write(results: SweepResults, path: str | os.PathLike[str]) -> Path:
    """Write a sweep's report as one self-contained HTML page.

    The page holds the table over seeds, a figure a score, every cell, and what was asked for.

    Parameters
    ----------
    results
        As :func:`fastdis.studies.sweep.run` gives them.
    path
        The file to write; one that is there is replaced, in one step.

    Raises
    ------
    OSError
        If ``path`` cannot be written. The error names it, and no partial file stays behind.
    """
    target = Path(path)
    html = render(results)
    with _naming(target):
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, "it is a folder")
        with _files.replacing(target) as partial:
            partial.write_text(html, encoding="utf-8")
    return target


def render(results: SweepResults) -> str:
    """The page as text."""
    import jinja2
    from markupsafe import Markup

    files = resources.files("fastdis.reports").joinpath("templates")
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(lambda name: files.joinpath(name).read_text(encoding="utf-8")),
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    css = files.joinpath("page.css").read_text(encoding="utf-8")
    return environment.get_template("sweep.html").render(css=Markup(css), **_context(results))


def _context(results: SweepResults) -> dict[str, Any]:
    table = sweep_table.sweep_table(results)
    panels = figures.panels_of(results)
    seeds = {row["seed"] for row in results.rows}
    return {
        "results": results,
        "table": table,
        "seeds": len(seeds),
        "panels": panels,
        "levels": any(line.level for panel in panels for line in panel.lines),
        "legend": figures.legend(panels),
        "figures": [
            (metric, figures.score_figure(results, panels, metric)) for metric in table.columns
        ],
        "notes": list(dict.fromkeys(note for row in results.rows for note in row["warnings"])),
        "cells": [_cell(row, results) for row in results.rows],
        "versions": versions(),
    }


def _cell(row: dict[str, Any], results: SweepResults) -> dict[str, Any]:
    """A line of the table of all cells, as text."""
    scores = [row["scores"].get(name) for name in results.metrics]
    loss = row["validation"].get("loss", row["train"].get("loss"))
    return {
        "title": results.titles.get(row["objective"], row["objective"]),
        "options": in_words(row["options"]),
        "latent_dim": row["latent_dim"],
        "seed": row["seed"],
        "epochs": row["epochs"],
        "loss": "–" if loss is None else f"{loss:,.2f}",
        "scores": ["–" if score is None else f"{score:.3f}" for score in scores],
        "error": row["error"],
    }
