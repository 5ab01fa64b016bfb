"""Set up a run: check its folder, choose the execution plan, resume its checkpoint."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from typing import Any

import torch

from fastdis.datasets import Dataset
from fastdis.training import autotune
from fastdis.training.autotune import Choice
from fastdis.training.batches import BatchPlan
from fastdis.training.distributed import ProcessGroup
from fastdis.training.loader import Batch, make_loader
from fastdis.training.run_folder import Progress, Run, describe
from fastdis.training.step import ExecutionPlan


def check_folders(
    runs: list[Run], dataset: Dataset, batches: BatchPlan, processes: ProcessGroup
) -> None:
    """Prepare the objectives; a ValueError if a folder or a process has another run."""
    for run in runs:
        torch.manual_seed(run.config.seed)
        run.objective.prepare(run.model.latent_dim, len(batches.training))
        description = describe(run.model, run.objective, dataset, run.config)
        processes.check_same(description)
        run.folder.check_same_run(description)


def choose_plan(
    runs: list[Run], dataset: Dataset, batches: BatchPlan, device: torch.device, engine: str,
    processes: ProcessGroup,
) -> Choice:  # fmt: skip
    """The plan of the runs so far; for new runs the default, or the fastest if that is asked for.

    A ValueError if the runs so far had different plans, or the engine cannot stack the models.
    """
    config = runs[0].config
    # The first process has checked the folder, and decides for all.
    saved = processes.broadcast_object(_saved_plan(runs, device))
    if saved is not None:
        return autotune.keep(Choice.from_dict(saved), runs, config, device, engine)
    first_epoch = batches.epoch(config.seed, 0)

    def sample(plan: ExecutionPlan) -> Batch:
        loader = make_loader(runs[0], dataset, device, plan, processes)
        per_model = [first_epoch] * len(runs), [config.seed] * len(runs)
        with closing(loader.training(*per_model, epoch=0, first=0)) as made:
            return next(made)

    steps = config.epochs * len(first_epoch)
    return autotune.choose(runs, config, device, engine, sample, steps, processes.size)


def resume(runs: list[Run], choice: Choice, device: torch.device, processes: ProcessGroup) -> None:
    """Move the models to the device, and load what the runs' checkpoints hold."""
    for run in runs:
        run.folder.save_plan(choice, device)
        run.move_to(choice.plan, device)
        torch.manual_seed(run.config.seed)
        run.progress = run.folder.resume(*run.parts, device) or Progress()
        if processes.size > 1:
            processes.broadcast_state(run)
            run.progress = Progress(**processes.broadcast_object(asdict(run.progress)))
    if choice.plan.engine == "stacked":
        _rewind_to_the_slowest(runs, device)


def _saved_plan(runs: list[Run], device: torch.device) -> dict[str, Any] | None:
    """How the steps of these runs were computed; an error if they differ."""
    saved = {run.folder.path: plan for run in runs if (plan := run.folder.plan(device)) is not None}
    if not saved:
        return None
    first_path, first = next(iter(saved.items()))
    for path, other in saved.items():
        for key in ("memory_format", "dtype", "compiled"):
            if first["plan"][key] != other["plan"][key]:
                raise ValueError(
                    f"train_many takes runs that are computed in the same way: {key} is "
                    f"{other['plan'][key]!r} in {path}, {first['plan'][key]!r} in {first_path}; "
                    "train the first by itself"
                )
    return first


def _rewind_to_the_slowest(runs: list[Run], device: torch.device) -> None:
    """After a kill between two checkpoints, load those that are ahead from their previous one.

    A stack of fewer models would round differently, and the run would not end with the same bits.
    """
    slowest = min((run.position for run in runs if not run.done), default=None)
    for run in runs:
        if slowest is not None and run.position > slowest:
            run.progress = run.folder.resume(*run.parts, device, slowest) or run.progress


def on_gpu_if_it_fits(dataset: Dataset, device: torch.device) -> Dataset:
    """On a GPU, the features in its memory if there is room; otherwise the data set as it is."""
    if device.type != "cuda":
        return dataset
    try:
        return dataset.on_device(device)
    except MemoryError:
        return dataset


@contextmanager
def seeded_generators(seed: int, device: torch.device) -> Iterator[None]:
    """Seed torch's generators, and restore their state afterwards."""
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices):
        torch.manual_seed(seed)
        yield
