"""Results -> plain values for a JSON file: scores, training time, versions."""

from __future__ import annotations

from typing import Any

from fastdis.reports.page import versions
from fastdis.reports.results import ModelResult, Results
from fastdis.reports.table import plain_answer, plain_table


def summary(results: Results) -> dict[str, Any]:
    """What a later run or another machine is compared with: no weights, no pictures, no sound.

    Parameters
    ----------
    results
        What :func:`fastdis.reports.write` takes.

    Returns
    -------
    dict
        ``title``, ``settings``, ``versions``, ``answers`` and ``cells`` (their tables with numbers
        as they are, None where not finite), ``audits`` and ``models``, as JSON takes them. A model
        has its ``name``, ``title``, ``protocol``, ``epochs``, training ``seconds``,
        ``clips_per_second`` (None without a history), last ``validation`` losses, ``scores`` as
        (mean, deviation), and the ``panel``: its scores, their confidence intervals and warnings
        (None without one).
    """
    return {
        "title": results.title,
        "settings": dict(results.settings),
        "versions": versions(),
        "answers": [plain_answer(answer) for answer in results.answers],
        "cells": None if results.cells is None else plain_table(results.cells),
        "audits": {name: audit.to_dict() for name, audit in results.audits.items()},
        "models": [_model(result) for result in results.models],
    }


def _model(result: ModelResult) -> dict[str, Any]:
    last = result.history[-1] if result.history else {}
    seconds = sum(row["seconds"] for row in result.history)
    clips = sum(row["seconds"] * row["clips_per_second"] for row in result.history)
    return {
        "name": result.name,
        "title": result.title,
        "protocol": result.protocol,
        "epochs": len(result.history),
        "seconds": round(seconds, 2),
        "clips_per_second": round(clips / seconds, 1) if seconds else None,
        "validation": last.get("validation", {}),
        "scores": result.scores,
        "panel": None if result.panel is None else _panel(result.panel.to_dict()),
    }


def _panel(told: dict[str, Any]) -> dict[str, Any]:
    """Without what each model's own scores.json holds: parts, matrices."""
    return {key: told[key] for key in ("scores", "intervals", "confidence", "warnings")}
