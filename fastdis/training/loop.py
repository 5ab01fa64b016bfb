"""The training loop, for one model or for several at once.

A run folder holds ``config.json`` (model, objective, data set and TrainConfig), ``plan.json`` (how
the steps are computed on this machine), ``log.jsonl`` (one row per epoch), ``best.safetensors``
(the weights of the best validation loss), ``last.safetensors`` (all that is needed to go on) and
``previous.safetensors`` (the checkpoint before it). A run that was stopped goes on where it
stopped and ends with the same weights.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing, nullcontext
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from fastdis import objectives
from fastdis._devices import check_device, device_of
from fastdis.datasets import Dataset
from fastdis.training.autotune import AUTO
from fastdis.training.batches import BatchPlan, Indices, plan_batches
from fastdis.training.config import TrainConfig
from fastdis.training.distributed import ProcessGroup, unshard_batches
from fastdis.training.engines import Engine, make_engine
from fastdis.training.evaluation import mean_terms, step_tensor
from fastdis.training.heap_and_signals import keeping_large_blocks, stop_requests
from fastdis.training.loader import Loader, make_loader
from fastdis.training.prepare import (
    check_folders,
    choose_plan,
    on_gpu_if_it_fits,
    resume,
    seeded_generators,
)
from fastdis.training.run_folder import NonFiniteLossError, Progress, Run, RunFolder
from fastdis.training.trained import TrainResult

# Steps between two transfers of the losses to the host: on a GPU a transfer waits for the step.
_STEPS_PER_TRANSFER = {"cpu": 1, "cuda": 20}


def train(
    model: Any,
    objective: objectives.Objective,
    dataset: Dataset,
    config: TrainConfig | None = None,
) -> TrainResult:
    """Train a model, or go on with a run that was stopped.

    Ctrl-C, SIGTERM, a kill or a full disk leave a run folder from which the same call goes on; on
    a CPU the run ends with the weights of an uninterrupted run, bit for bit. Started by
    ``torchrun``, each process takes its part of every batch, and the first one writes the folder.
    In the main thread, Ctrl-C and SIGTERM wait for the end of the step, and a search for the
    fastest plan (``config.tune``) uses SIGALRM.

    Parameters
    ----------
    model
        A model of :func:`fastdis.models.build`; trained in place.
    objective
        An objective of :func:`fastdis.objectives.build`.
    dataset
        Any data set of :mod:`fastdis.datasets`; ``dataset.in_memory()`` computes each feature once.
    config
        See :class:`TrainConfig`.

    Raises
    ------
    ValueError
        If the model does not fit the data set, a batch does not fit the training clips, or the
        run folder holds another run.
    OSError
        If the run folder cannot be written, or another process writes to it.
    RuntimeError
        If there is no such device.
    NonFiniteLossError
        If a term of the loss is infinite or NaN; the last good checkpoint stays.
    ImportError
        If ``tensorboard`` is asked for and missing.
    KeyboardInterrupt
        After Ctrl-C, once the checkpoint is written.
    """
    config = config or TrainConfig()
    return train_runs([Run(model, objective, config)], dataset, config, AUTO)[0]


def train_runs(
    runs: list[Run], dataset: Dataset, config: TrainConfig, engine_name: str
) -> list[TrainResult]:
    """Train several runs at once, which share the data set and all of ``config`` but the seed."""
    device = device_of(check_device(config.device))
    processes = ProcessGroup(device)
    if len(runs) > 1 and processes.size > 1:
        raise ValueError(f"train_many takes one process, got {processes.size}")
    batches = plan_batches(runs[0].model, runs[0].objective, dataset, config, processes.size)
    for run in runs:
        run.folder = RunFolder(
            run.config.path, writes=processes.is_first, tensorboard=config.tensorboard
        )
    with ExitStack() as stack:
        for run in runs:
            stack.enter_context(run.folder.locked())
        stack.enter_context(torch.cuda.device(device) if device.type == "cuda" else nullcontext())
        stack.enter_context(keeping_large_blocks())
        stack.enter_context(seeded_generators(config.seed, device))
        stack.callback(unshard_batches, runs)
        stop = stack.enter_context(stop_requests())

        dataset = on_gpu_if_it_fits(dataset, device)
        check_folders(runs, dataset, batches, processes)
        choice = choose_plan(runs, dataset, batches, device, engine_name, processes)
        resume(runs, choice, device, processes)
        loader = make_loader(runs[0], dataset, device, choice.plan, processes)

        engine: Engine | None = None
        stack.callback(lambda: engine.close() if engine is not None else None)
        while pending := [run for run in runs if not run.done]:
            # After a kill between two checkpoints some runs are ahead: the others go first.
            position = min(run.position for run in pending)
            group = [run for run in pending if run.position == position]
            if engine is None or engine.states != group:
                if engine is not None:
                    engine.close()
                average = processes.gradient_average(group[0], stop)
                engine = make_engine(group, choice.plan, device, average)
            _train_epoch(engine, group, loader, batches, processes, stop)
            _finish_epoch(engine, group, loader, batches, processes)
            if processes.any_stops(stop):
                raise _stop_reason(stop)
        processes.barrier()  # the files are written when any process returns
        if stop:  # requested while a finished run was loading
            raise stop[0]
    return [
        TrainResult(
            run.model, run.objective, run.progress.history, run.progress.best_epoch, run.config,
            choice,
        )
        for run in runs
    ]  # fmt: skip


def _train_epoch(
    engine: Engine, group: list[Run], loader: Loader, batches: BatchPlan, processes: ProcessGroup,
    stop: Sequence[BaseException],
) -> None:  # fmt: skip
    """Train the rest of an epoch of runs that are at the same step."""
    progress, config = group[0].progress, group[0].config
    per_run = [batches.epoch(run.config.seed, progress.epoch) for run in group]
    steps, seeds = len(per_run[0]), [run.config.seed for run in group]
    transfer = _STEPS_PER_TRANSFER[loader.device.type]
    sums: list[Tensor] = []
    started, loader.waited = time.perf_counter(), 0.0
    engine.train(True)
    with (
        _progress_bar(sum(map(len, per_run[0])), progress, config, processes) as bar,
        closing(loader.training(per_run, seeds, progress.epoch, progress.step)) as made,
    ):
        for number, batch in enumerate(made, progress.step):
            step = progress.epoch * steps + number
            engine.set_rates(config.rate_share(step, config.epochs * steps))
            for run in group:
                processes.shard_batch(run.objective, len(batch))
                run.progress.step, run.progress.clips = number + 1, run.progress.clips + len(batch)
            terms = engine.step(batch.x, batch.noise, step_tensor(step, loader))
            sums.append(terms * len(batch))
            bar.update(len(batch))
            last = number + 1 == steps
            if last or (number + 1) % transfer == 0 or (stop and processes.size == 1):
                _add_losses(engine.keys, sums, group, per_run, bar)
                if processes.any_stops(stop) and not last:
                    _add_times(group, loader, started)
                    for run in group:
                        run.folder.save_last(*run.parts, run.progress)
                    processes.barrier()
                    raise _stop_reason(stop)
    _add_times(group, loader, started)


def _stop_reason(stop: Sequence[BaseException]) -> BaseException:
    return stop[0] if stop else KeyboardInterrupt("another process was stopped")


def _add_times(group: list[Run], loader: Loader, started: float) -> None:
    for run in group:
        run.progress.seconds += time.perf_counter() - started
        run.progress.waited += loader.waited


def _add_losses(
    keys: Sequence[str], sums: list[Tensor], group: list[Run], batches: list[list[Indices]],
    bar: Any,
) -> None:  # fmt: skip
    """Move the losses of the last steps to the host, check that they are finite, add them up."""
    losses = torch.stack(sums).cpu().numpy()  # (steps, T, M)
    sums.clear()
    progress = group[0].progress
    bad = np.argwhere(~np.isfinite(losses))
    if len(bad):
        back, term, m = bad[0].tolist()
        number = progress.step - len(losses) + back
        raise NonFiniteLossError(
            keys[term], float(losses[back, term, m]), progress.epoch + 1, number + 1,
            batches[m][number], group[m].config,
        )  # fmt: skip
    for m, run in enumerate(group):
        for key, total in zip(keys, losses[:, :, m].sum(axis=0).tolist(), strict=True):
            run.progress.sums[key] = run.progress.sums.get(key, 0.0) + total
    means = {key: f"{total / progress.clips:.4g}" for key, total in progress.sums.items()}
    bar.set_postfix(means, refresh=False)


def _finish_epoch(
    engine: Engine, group: list[Run], loader: Loader, batches: BatchPlan, processes: ProcessGroup
) -> None:
    """Validate the models on the held-out clips; write the history and the checkpoints."""
    seeds = [run.config.seed for run in group]
    step = (group[0].progress.epoch + 1) * group[0].progress.step
    validation = mean_terms(engine, loader, batches.validation(), seeds, step, processes)
    for run, terms in zip(group, validation, strict=True):
        for term, value in terms.items():
            if not math.isfinite(value):
                epoch, step = run.progress.epoch + 1, run.progress.step
                raise NonFiniteLossError(
                    term, value, epoch, step, batches.held_out, run.config, "validation"
                )
    for run, terms in zip(group, validation, strict=True):
        progress = run.progress
        row: dict[str, Any] = {
            "epoch": progress.epoch + 1,
            "train": {key: value / progress.clips for key, value in progress.sums.items()},
            "validation": terms,
            "seconds": progress.seconds,
            "waiting": progress.waited / progress.seconds,
            "clips_per_second": progress.clips / progress.seconds,
        }
        progress.history.append(row)
        progress.next_epoch()
        loss = (row["validation"] or row["train"])["loss"]
        if loss < progress.best_loss:
            progress.best_loss, progress.best_epoch = loss, progress.epoch
            run.folder.save_best(run.model, progress)
        run.folder.save_last(*run.parts, progress)
        run.folder.log(row)


def _progress_bar(
    total: int, progress: Progress, config: TrainConfig, processes: ProcessGroup
) -> Any:
    return tqdm(
        total=total, initial=progress.clips, desc=f"epoch {progress.epoch + 1}/{config.epochs}",
        unit=" clips", disable=not (config.progress and processes.is_first), mininterval=0.5,
    )  # fmt: skip
