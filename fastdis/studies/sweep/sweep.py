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
from fastdis.studies.sweep.cells import Row, Workplace, make
from fastdis.studies.sweep.plan import Cell, Plan, plan
from fastdis.training.config import with_tune

SWEEP = "sweep.json"
ENGINES = ("process", "dask")
# What of a sweep.json may change.
_FREE = ("metrics", "bootstrap", "tensorboard")


def run(
    asked: str | Path | Mapping[str, Any], path: str | Path, *, engine: str = "process",
    scheduler: str | None = None, device: str = "cpu", progress: bool = True,
    say: Callable[[str], None] = print,
) -> SweepResults:  # fmt: skip
    """Train and score every cell that is not finished; write the tables; goes on where it stopped.

    A cell that fails, as by a loss that is not finite, is a row with its error, and the others go
    on; the next run of the sweep tries it again.

    Parameters
    ----------
    asked
        The YAML file, or a mapping of what it holds.
    path
        The sweep's folder.
    engine
        ``"process"``: here, models in step. ``"dask"``: a cell a task on an existing Dask cluster,
        whose workers see ``path``, and the data set if it is one on disk, under the same names. A
        worker process makes one cell at a time on all its threads.
    scheduler
        Of ``"dask"``: its address; by default what ``DASK_SCHEDULER_ADDRESS`` holds.
    device, progress
        As in :class:`fastdis.TrainConfig`; the device is each worker's.
    say
        Called with a line at each step.

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
        If the device is not there.
    """
    told = plan(asked)
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
    place = Workplace(told.settings, str(folder), device, progress and engine == "process")
    with _files.only_writer(folder):
        _hold_against(folder, told)
        rows = _rows(place, told.cells, scheduler, say)
        results = SweepResults(
            title=f"Sweep on {told.settings.dataset['name']}", titles=objectives.TITLES,
            rows=rows, metrics=_metrics(rows), text=told.text, settings=_settings(told),
        )  # fmt: skip
        write_tables(results, folder)
    return results


def _rows(
    place: Workplace, cells: Sequence[Cell], scheduler: str | None, say: Callable[[str], None]
) -> list[Row]:
    """Of all cells in their order, after making those that are not finished."""
    before = {cell.label: place.recorded(cell) for cell in cells}
    rows = {label: row for label, row in before.items() if row is not None and not row["error"]}
    pending = [cell for cell in cells if cell.label not in rows]
    say(f"{len(cells)} cells, {len(rows)} of them finished")
    if pending and scheduler is not None:
        made = dask_cluster.make_on_cluster(place, pending, scheduler)
    else:
        made = _make_here(
            place, pending, {cell.label for cell in pending if before[cell.label]}, say
        )
    for cell, row in made:
        rows[cell.label] = row
        how = f"failed: {row['error']}" if row["error"] else "finished"
        say(f"{len(rows)} of {len(cells)}: {cell.label} {how}")
    return [rows[cell.label] for cell in cells]


def _make_here(
    place: Workplace, pending: Sequence[Cell], failing: set[str], say: Callable[[str], None]
) -> Iterator[tuple[Cell, Row]]:
    """A group at a time; those that failed before by themselves, lest they stop the others."""
    if not pending:
        return
    dataset = place.dataset()
    groups: dict[tuple[Any, ...], list[Cell]] = {}
    for cell in pending:
        alone = cell.label if cell.label in failing else ""
        groups.setdefault((alone, cell.group, cell.weights), []).append(cell)
    for (_, name, _), group in sorted(groups.items(), key=lambda each: each[0][0] != ""):
        say(f"training {name}: {len(group)} in step")
        yield from make(place, group, dataset)


def _hold_against(folder: Path, told: Plan) -> None:
    """Write what is asked for, or hold it against what is there.

    Raises
    ------
    ValueError
        If that is another sweep; the error names the first difference.
    """
    settings = asdict(told.settings)
    now = {**settings.pop("config"), **settings, "cells": [cell.label for cell in told.cells]}
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
    """Every score of any cell, in their order."""
    return list(dict.fromkeys(itertools.chain.from_iterable(row["scores"] for row in rows)))


def _settings(told: Plan) -> dict[str, str]:
    settings, cells = told.settings, told.cells
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
