"""The report: one HTML file with its pictures and sounds inside, which needs no network.

A page is written beside its place and renamed into it, so that a reader never meets half a page.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any

from fastdis import _files, _validation
from fastdis.reports import gallery, latent_maps, model_view, panel, score_tables
from fastdis.reports import results as results_module
from fastdis.reports.results import PROTOCOLS, Results, versions

SECTIONS = [
    ("answers", ""),
    ("scores", "Scores"),
    ("cells", "Every model"),
    ("panel", "The panel"),
    ("audit", "The data, audited"),
    ("models", "Information in the codes"),
    ("maps", "Latent maps"),
    ("reconstructions", "Reconstructions"),
    ("prior", "Samples from the prior"),
    ("traversals", "Traversals"),
    ("repeat", "Repeat this run"),
]
MANY_CODES = 10  # their map needs the whole width of the page


def write(results: Results, path: str | os.PathLike[str]) -> Path:
    """Write a report as one self-contained HTML page.

    The page holds questions and answers, the scores beside a paper's table, the panel of all
    metrics, the audit of the data, and for each model the mutual information of its codes and the
    factors, its loss curves, latent maps, reconstructions, samples from the prior and latent
    traversals, with sounds. It opens from a disk without a network.

    Parameters
    ----------
    results
        Models, scores, audits, and the text of the page.
    path
        The file to write; one that is there is replaced, in one step.

    Returns
    -------
    Path
        ``path``.

    Raises
    ------
    ValueError
        If ``results`` has no models, or its parts do not fit each other.
    OSError
        If ``path`` cannot be written. The error names it, and no partial file stays behind.
    """
    results_module.check(results)
    return write_file(path, lambda: render(results))


def write_file(path: str | os.PathLike[str], make: Callable[[], str]) -> Path:
    """Write the page that ``make`` gives; ``path`` is checked before the minutes of work."""
    target = Path(path)
    with _naming(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, "it is a folder")
        if not os.access(target.parent, os.W_OK):
            raise PermissionError(errno.EACCES, "its folder is not writable")
    html = make()
    with _naming(target), _files.replacing(target) as partial:
        partial.write_text(html, encoding="utf-8")
    return target


@contextmanager
def _naming(target: Path) -> Iterator[None]:
    """Let an OSError name the report rather than its partial file or its folder."""
    try:
        yield
    except OSError as error:
        message = f"cannot write the report: {error.strerror}"
        raise OSError(error.errno, message, str(target)) from error


def render_template(name: str, **context: Any) -> str:
    """A page as text: a template with the style sheet, the versions and ``context``."""
    import jinja2
    from markupsafe import Markup

    files = resources.files("fastdis.reports").joinpath("templates")
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(lambda file: files.joinpath(file).read_text(encoding="utf-8")),
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    css = files.joinpath("page.css").read_text(encoding="utf-8")
    template = environment.get_template(name)
    return template.render(css=Markup(css), versions=versions(), **context)


def render(results: Results) -> str:
    """The page as text."""
    return render_template("page.html", **_context(results))


def _more(audit: Any) -> bool:
    """Whether the factors' verdicts say more than the paragraph that sums them up."""
    return any(factor.verdict not in audit.verdict for factor in audit.factors)


def _sections(results: Results, filled: dict[str, bool]) -> list[tuple[str, str]]:
    """The sections of a page: those with content, or that say that their content is missing."""
    left_out = {anchor for anchor in ("answers", "cells", "maps") if not filled[anchor]}
    if results.answers:
        left_out |= {anchor for anchor, has_content in filled.items() if not has_content}
    titles = dict(SECTIONS) | {"answers": results.answers_title}
    return [(anchor, title) for anchor, title in titles.items() if anchor not in left_out]


def group_name(protocol: str) -> str:
    """A group of models in words: ``"published protocol"``; names of no protocol stand alone."""
    shown = _validation.protocol_title(protocol)
    return f"{shown} protocol" if protocol in PROTOCOLS else protocol


def _context(results: Results) -> dict[str, Any]:
    columns, tables = score_tables.score_tables(results)
    order = results_module.protocols_of(results)
    models = sorted(results.models, key=lambda result: order.index(result.protocol))
    panels = panel.panels(results)
    variants = results_module.in_order(results.audits)
    sections = _sections(
        results,
        {
            "answers": bool(results.answers), "cells": results.cells is not None,
            "scores": bool(tables or results.explanation), "panel": bool(panels),
            "audit": bool(variants), "maps": results.maps,
        },
    )  # fmt: skip
    views = [
        model_view.model_view(model, len(models), results.seed, results.maps) for model in models
    ]
    missing = any(table.has_missing for _, table in tables)
    return {
        "results": results,
        "settings": {"seed": None, **results.settings} | {"seed": results.seed},
        "sections": sections,
        "anchors": [anchor for anchor, _ in sections],
        "columns": columns,
        "tables": [table for _, table in tables],
        "missing_note": score_tables.MISSING_NOTE if missing else "",
        "panels": panels,
        "entries": panel.entries_of(panels),
        "audits": [(p, results.audits[p], _more(results.audits[p])) for p in variants],
        "models": views,
        "many_codes": any(len(view.codes) > MANY_CODES for view in views),
        "map_clips": latent_maps.CLIPS,
        "kinds": {view.kind.name for view in views},
        "images_alone": not any(view.kind.sound for view in views),
        "steps": [f"{value:+.1f}".replace("-", "−") for value in gallery.STEPS],
        "number": model_view.number,
        "significant": model_view.significant,
        "group_name": group_name,
        "protocols": PROTOCOLS,
    }
