"""Run a sweep: plan its cells, train and score those that are not finished, write the tables."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fastdis import _files, _validation, objectives, training
from fastdis.reports.sweep.results import SweepResults, write_tables
from fastdis.studies.sweep import dask_cluster
from fastdis.studies.sweep.cells import Row, SweepContext, make
from fastdis.studies.sweep.plan import SweepCell, SweepPlan, plan
from fastdis.training.config import with_tune

SWEEP = "sweep.json"
ENGINES = ("process", "dask")
# Keys of a sweep.json that may change.
_FREE = ("metrics", "bootstrap", "tensorboard")


def run(
    asked: str | Path | Mapping[str, Any], path: str | Path, *, engine: str = "process",
    scheduler: str | None = None, device: str = "cpu", progress: bool = True,
    say: Callable[[str], None] = print,
) -> SweepResults:  # fmt: skip
    """Train and score every cell that is not finished, and write the tables.

    A later call resumes a sweep that was stopped. A cell that fails, for instance by a loss that is
    not finite, is a row with its error, and the others continue; the next call tries it again.

    Parameters
    ----------
    asked
        The YAML file, or a mapping of what it holds.
    path
        The sweep's folder.
    engine
        ``"process"``: in this process, several models concurrently. ``"dask"``: one task per cell
        on an existing Dask cluster, whose workers find ``path``, and a data set on disk, under the
        same names. A worker process trains one cell at a time on all its threads.
    scheduler
        Address of the Dask scheduler; by default the environment's ``DASK_SCHEDULER_ADDRESS``.
    device, progress
        As in :class:`fastdis.TrainConfig`; the device is each worker's own.
    say
        Called with one line of text at each step.

    Raises
    ------
    TypeError, ValueError
        If a key, option or value is unknown (nothing has been trained then, and the error names the
        near miss), or the folder holds another sweep.
    OSError
        If a file cannot be read or written, another process is at the folder, or the scheduler
        cannot be reached.
    ImportError
        If Dask is asked for and missing.
    RuntimeError
        If the device is not available.
    """
    planned = plan(asked)
    _validation.choice("engine", engine, ENGINES)
    if engine == "dask":
        scheduler = dask_cluster.address(scheduler)
    else:
        training.check_device(device)
        if scheduler is not None:
            raise ValueError(
                f"scheduler goes with engine 'dask', got {scheduler!r} with {engine!r}"
            )
    folder = Path(path).resolve()
    context = SweepContext(planned.settings, str(folder), device, progress and engine == "process")
    with _files.only_writer(folder):
        _check_folder(folder, planned)
        rows = _rows(context, planned.cells, scheduler, say)
        results = SweepResults(
            title=f"Sweep on {planned.settings.dataset['name']}", titles=objectives.TITLES,
            rows=rows, metrics=_metrics(rows), text=planned.text, settings=_settings(planned),
        )  # fmt: skip
        write_tables(results, folder)
    return results


def _rows(
    context: SweepContext,
    cells: Sequence[SweepCell],
    scheduler: str | None,
    say: Callable[[str], None],
) -> list[Row]:  # fmt: skip
    """The rows of all cells in order; cells that are not finished are trained first."""
    before = {cell.label: context.recorded(cell) for cell in cells}
    rows = {label: row for label, row in before.items() if row is not None and not row["error"]}
    pending = [cell for cell in cells if cell.label not in rows]
    say(f"{len(cells)} cells, {len(rows)} of them finished")
    if pending and scheduler is not None:
        made = dask_cluster.make_on_cluster(context, pending, scheduler)
    else:
        made = _make_here(
            context, pending, {cell.label for cell in pending if before[cell.label]}, say
        )
    for cell, row in made:
        rows[cell.label] = row
        how = f"failed: {row['error']}" if row["error"] else "finished"
        say(f"{len(rows)} of {len(cells)}: {cell.label} {how}")
    return [rows[cell.label] for cell in cells]


def _make_here(
    context: SweepContext,
    pending: Sequence[SweepCell],
    failing: set[str],
    say: Callable[[str], None],
) -> Iterator[tuple[SweepCell, Row]]:  # fmt: skip
    """One group at a time; cells that failed before are trained last, each alone."""
    if not pending:
        return
    dataset = context.dataset()
    groups: dict[tuple[Any, ...], list[SweepCell]] = {}
    for cell in pending:
        alone = cell.label if cell.label in failing else ""
        groups.setdefault((alone, cell.group, cell.weights), []).append(cell)
    for (_, name, _), group in sorted(groups.items(), key=lambda each: each[0][0] != ""):
        say(f"training {name}: {len(group)} concurrently")
        yield from make(context, group, dataset)


def _check_folder(folder: Path, planned: SweepPlan) -> None:
    """Write the sweep's settings to its folder, or compare them with those there.

    Raises
    ------
    ValueError
        If the folder holds another sweep; the error names the first difference.
    """
    settings = asdict(planned.settings)
    now = {**settings.pop("config"), **settings, "cells": [cell.label for cell in planned.cells]}
    file = folder / SWEEP
    if file.exists():
        with _files.reading(file, "a sweep", (AttributeError, TypeError, KeyError)):
            before = with_tune(_files.read_json(file, "a sweep"), now)
            _compare(folder, before, now)
    _files.write_json(file, now)


def _compare(folder: Path, before: dict[str, Any], now: dict[str, Any]) -> None:
    other = f"path {folder} holds another sweep"
    for cell in before["cells"]:
        if cell not in now["cells"]:
            raise ValueError(f"{other}, with the cell {cell}; a sweep may only get more of them")
    if now["schedule"] == "constant":
        if now["epochs"] < before["epochs"]:
            was, asked = before["epochs"], now["epochs"]
            raise ValueError(
                f"epochs takes at least the {was} of the sweep in {folder}, got {asked}"
            )
        before["epochs"] = now["epochs"]
    for key in sorted((before.keys() | now.keys()) - {"cells", *_FREE}):
        if before.get(key) != now.get(key):
            raise ValueError(f"{other}: {key} was {before.get(key)!r}, is {now.get(key)!r}")


def _metrics(rows: Sequence[Row]) -> list[str]:
    """Every score that any cell has, in order."""
    return list(dict.fromkeys(itertools.chain.from_iterable(row["scores"] for row in rows)))


def _settings(planned: SweepPlan) -> dict[str, str]:
    settings, cells = planned.settings, planned.cells
    config = training.TrainConfig(**settings.config, path="")
    hidden = ("name", "checksum")
    data = [f"{key} {value}" for key, value in settings.dataset.items() if key not in hidden]
    twice = any(cell.objective == "factor_vae" for cell in cells)
    return {
        "data set": f"{settings.dataset['name']}: {', '.join(data)}",
        "model": settings.model,
        "protocol": settings.protocol,
        "cells": str(len(cells)),
        "seeds": ", ".join(map(str, dict.fromkeys(cell.seed for cell in cells))),
        "epochs": f"{config.epochs}" + f" (FactorVAE {2 * config.epochs})" * twice,
        "batch": f"{config.batch_size}" + f" (FactorVAE {2 * config.batch_size})" * twice,
        "optimizer": f"{config.optimizer}, learning rate {config.learning_rate:g}",
        "held out": f"{config.validation:.0%} of the clips",
    }
