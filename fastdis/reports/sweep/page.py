"""A sweep's report: one HTML file with its tables and figures inside, which needs no network."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from fastdis.reports import page
from fastdis.reports.score_tables import ARROWS, MISSING_NOTE, direction
from fastdis.reports.sweep import figures
from fastdis.reports.sweep.results import SweepResults
from fastdis.reports.sweep.table import models_table, scores_of, sweep_table


def write(results: SweepResults, path: str | os.PathLike[str]) -> Path:
    """Write a sweep's report as one self-contained HTML page.

    The page holds the table over seeds, one figure per score, a table of every cell, and the
    settings.

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
    return page.write_file(path, lambda: render(results))


def render(results: SweepResults) -> str:
    """The page as text."""
    return page.render_template("sweep.html", **_context(results))


def _context(results: SweepResults) -> dict[str, Any]:
    subplots = figures.subplots_of(results)
    scores = scores_of(results)
    sections = [("scores", "Scores"), ("figures", "Figures"), ("cells", "Every cell"),
                ("repeat", "Repeat this sweep")]  # fmt: skip
    return {
        "results": results,
        "settings": results.settings,
        "sections": sections,
        "scores": scores,
        "table": sweep_table(results),
        "missing_note": MISSING_NOTE,
        "seeds": len({row["seed"] for row in results.rows}),
        "subplots": subplots,
        "levels": any(line.level for subplot in subplots for line in subplot.lines),
        "legend": figures.legend(subplots),
        "figures": [
            (score.title, f"{ARROWS[score.better]} {direction(score)}".strip(),
             figures.score_figure(results, subplots, score))
            for score in scores
        ],
        "notes": list(dict.fromkeys(note for row in results.rows for note in row["warnings"])),
        "cells": models_table(results),
    }  # fmt: skip
