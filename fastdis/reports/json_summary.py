"""Results -> plain values for a JSON file: scores, training time, versions."""

from __future__ import annotations

import math
from numbers import Integral
from typing import Any

from fastdis.reports.page import versions
from fastdis.reports.results import Answer, ModelResult, Results
from fastdis.reports.table import Cell, Table, Value


def summary(results: Results) -> dict[str, Any]:
    """The numbers to compare a run with: no weights, no pictures, no sound.

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
        "answers": [_answer(answer) for answer in results.answers],
        "cells": None if results.cells is None else _table(results.cells),
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


def _panel(scores: dict[str, Any]) -> dict[str, Any]:
    """Without the parts and matrices, which each model's own scores.json holds."""
    return {key: scores[key] for key in ("scores", "intervals", "confidence", "warnings")}


def _table(table: Table) -> dict[str, Any]:
    titles = [heading.text for heading in table.headings]
    rows = [[_value(value) for value in row] for row in table.rows]
    return {"caption": table.title.text, "columns": titles, "rows": rows, "note": table.note}


def _answer(answer: Answer) -> dict[str, Any]:
    """Without its figures."""
    return {
        "question": answer.question,
        "answer": answer.answer,
        "paragraphs": list(answer.paragraphs),
        "tables": [_table(table) for table in answer.tables],
    }


def _value(value: Value) -> str | float | int | bool | None:
    """None for a number that is not finite."""
    if isinstance(value, Cell):
        return value.text
    if value is None or isinstance(value, (str, bool)):
        return value
    if not math.isfinite(value):
        return None
    return int(value) if isinstance(value, Integral) else float(value)
