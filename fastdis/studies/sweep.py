"""A sweep: objectives x their options x latent sizes x seeds, to one table and one report page.

What to sweep stands in a YAML file::

    dataset: {name: SynTone, variant: sound, num_freqs: 30, num_amps: 8}  # or a path
    model: conv3
    protocol: sound            # of the objectives; by default the data set's own
    objectives:
      - vae
      - {name: beta_vae, beta: [1, 4, 16]}         # any option may be a list
      - {name: beta_tcvae, beta: [4, 8], estimator: [mss, mws]}
    latent_dim: [4, 8]
    seeds: 5                   # 0 to 4, or a list
    metrics: [mig, dci, modularity, sap, jemmig]   # names or groups; these are the default
    bootstrap: 0               # resamples for confidence intervals
    epochs: 16                 # and anything else that a fastdis.TrainConfig takes
    batch_size: 16

Cells that differ in seeds and in weights of terms alone are trained in step by
:func:`fastdis.training.train_many`, and FactorVAE gets twice the epochs and batch, as in the other
studies. Each cell is a run folder below ``cells``; finished ones are left as they are when the
sweep is run again. In the folder of a sweep, cells may be added, and epochs where the learning
rate is constant; metrics and bootstrap may change. Anything else is another sweep.

``results.json`` holds a row a cell and a summary over seeds, ``results.csv`` and ``summary.csv``
the same as tables.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fastdis import _files, _validation, objectives, training
from fastdis.reports.sweep.results import SweepResults, write_tables
from fastdis.studies import _sweep_dask
from fastdis.studies._sweep_cells import Row, Workplace, make
from fastdis.studies._sweep_plan import Cell, Plan, plan

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
        scheduler = _sweep_dask.address(scheduler)
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
        made = _sweep_dask.make_on_cluster(place, pending, scheduler)
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
            before = dict(_files.read_json(file, "a sweep"))
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
