"""Everything before the first step: what is there, how steps are computed, where runs stand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from typing import Any

import torch

from fastdis.datasets import Dataset
from fastdis.training import autotune
from fastdis.training.autotune import Choice
from fastdis.training.batches import Clips
from fastdis.training.distributed import Processes
from fastdis.training.loader import Batch, feed_of
from fastdis.training.run_folder import Progress, Run, describe
from fastdis.training.step import Plan


def start(
    runs: list[Run], dataset: Dataset, clips: Clips, device: torch.device, engine: str,
    processes: Processes,
) -> Choice:  # fmt: skip
    """Objectives ready, the plan chosen, all in its place, and what was stopped where it was."""
    config = runs[0].config
    for run in runs:
        torch.manual_seed(run.config.seed)
        run.objective.prepare(run.model.latent_dim, len(clips.training))
        description = describe(run.model, run.objective, dataset, run.config)
        processes.hold_alike(description)
        run.folder.hold_against(description)
    known = processes.of_first(_plan_so_far(runs, device))  # the first is sure of the folder then
    if known is not None:
        choice = autotune.go_on(Choice.from_dict(known), runs, device, engine)
    else:
        first = clips.epoch(config.seed, 0)

        def sample(plan: Plan) -> Batch:
            feed = feed_of(runs[0], dataset, device, plan, processes)
            alike = [first] * len(runs), [config.seed] * len(runs)
            with closing(feed.training(*alike, epoch=0, first=0)) as made:
                return next(made)

        steps = config.epochs * len(first)
        choice = autotune.choose(runs, config, device, engine, sample, steps, processes.size)
    for run in runs:
        run.folder.save_plan({"device": device.type, **choice.to_dict()})
        run.place_on(choice.plan, device)
        torch.manual_seed(run.config.seed)
        run.at = run.folder.resume(*run.state, device) or Progress()
        if processes.size > 1:
            processes.follow_first(run)
            run.at = Progress(**processes.of_first(asdict(run.at)))
    if choice.plan.engine == "stacked":
        _stand_together(runs, device)
    return choice


def _plan_so_far(runs: list[Run], device: torch.device) -> dict[str, Any] | None:
    """How the steps of these runs were computed; an error if not all alike."""
    known = {run.folder.path: told for run in runs if (told := run.folder.plan(device)) is not None}
    for path, told in known.items():
        first, other = next(iter(known.values()))["plan"], told["plan"]
        for key in ("memory_format", "dtype", "compiled"):
            if first[key] != other[key]:
                raise ValueError(
                    f"train_many takes runs that are computed alike: {key} is {other[key]!r} in "
                    f"{path}, {first[key]!r} in {next(iter(known))}; train the first apart"
                )
    return next(iter(known.values()), None)


def _stand_together(runs: list[Run], device: torch.device) -> None:
    """After a kill between two checkpoints, those ahead back to where the others are.

    A stack of fewer models rounds otherwise, and the run would not end with the same bits.
    """
    behind = min((run.place for run in runs if not run.done), default=None)
    for run in runs:
        if behind is not None and run.place > behind:
            run.at = run.folder.resume(*run.state, device, behind) or run.at


def near(dataset: Dataset, device: torch.device) -> Dataset:
    """On a GPU the features in its memory, if there is room."""
    if device.type != "cuda":
        return dataset
    try:
        return dataset.on_device(device)
    except MemoryError:
        return dataset


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Torch's generators seeded inside, and afterwards as they were outside."""
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices):
        torch.manual_seed(seed)
        yield
