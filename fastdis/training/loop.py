"""The training loop, readable from top to bottom, for one model or for many in step.

A run folder holds ``config.json`` (what was trained, on what, how), ``plan.json`` (how the steps
are computed on this machine), ``log.jsonl`` (a row an epoch), ``best.safetensors`` (the weights of
the best validation loss), ``last.safetensors`` (everything needed to go on) and the one before it.
A run that was stopped goes on where it stopped and ends with the same weights.
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
from fastdis.training.batches import Clips, Indices, clips_of
from fastdis.training.config import MEASURE, TrainConfig
from fastdis.training.distributed import Processes, take_whole_batches
from fastdis.training.engines import Team, team
from fastdis.training.evaluation import mean_terms, step_on
from fastdis.training.loader import Feed, feed_of
from fastdis.training.prepare import near, seeded, start
from fastdis.training.process import keeping_large_blocks, stop_requests
from fastdis.training.run_folder import NonFiniteLossError, Progress, Run, RunFolder
from fastdis.training.trained import TrainResult

# Steps between two looks at the losses. A look waits for a GPU; on a CPU it costs nothing.
_READ_BACK = {"cpu": 1, "cuda": 20}


def train(
    model: Any,
    objective: objectives.Objective,
    dataset: Dataset,
    config: TrainConfig | None = None,
) -> TrainResult:
    """Train a model, or go on with a run that was stopped.

    Ctrl-C, SIGTERM, a kill or a full disk leave a run folder from which the same call goes on;
    on a CPU it ends with the weights of the unbroken run, bit for bit. Started by ``torchrun``,
    each process takes its part of every batch, and the first one writes the folder.

    Parameters
    ----------
    model
        As :func:`fastdis.models.build` makes it; trained in place.
    objective
        As :func:`fastdis.objectives.build` makes it.
    dataset
        Any data set of :mod:`fastdis.datasets`; ``dataset.in_memory()`` computes each feature once.
    config
        How; see :class:`TrainConfig`.

    Raises
    ------
    ValueError
        If the model does not fit the data set, a batch does not fit the training clips, or the
        run folder holds another run.
    OSError
        If the run folder cannot be written, or another process is at it.
    RuntimeError
        If the device is not there.
    NonFiniteLossError
        If a term of the loss stops being finite; the last good checkpoint stays.
    ImportError
        If ``tensorboard`` is wanted and missing.
    KeyboardInterrupt
        After Ctrl-C, once the checkpoint is written.
    """
    config = config or TrainConfig()
    return train_runs([Run(model, objective, config)], dataset, config, MEASURE)[0]


def train_runs(
    runs: list[Run], dataset: Dataset, config: TrainConfig, engine: str
) -> list[TrainResult]:
    device = device_of(check_device(config.device))
    processes = Processes(device)
    if len(runs) > 1 and processes.size > 1:
        raise ValueError(f"train_many takes one process, got {processes.size}")
    clips = clips_of(runs[0].model, runs[0].objective, dataset, config, processes.size)
    for run in runs:
        run.folder = RunFolder(
            run.config.path, writes=processes.first, tensorboard=config.tensorboard
        )
    with ExitStack() as held:
        for run in runs:
            held.enter_context(run.folder.locked())
        held.enter_context(torch.cuda.device(device) if device.type == "cuda" else nullcontext())
        held.enter_context(keeping_large_blocks())
        held.enter_context(seeded(config.seed, device))
        held.callback(take_whole_batches, runs)
        stop = held.enter_context(stop_requests())
        dataset = near(dataset, device)
        choice = start(runs, dataset, clips, device, engine, processes)
        feed = feed_of(runs[0], dataset, device, choice.plan, processes)

        together: Team | None = None
        held.callback(lambda: together.close() if together is not None else None)
        while pending := [run for run in runs if not run.done]:
            # Those behind go first, should a kill have struck between two checkpoints.
            first = min(run.place for run in pending)
            group = [run for run in pending if run.place == first]
            if together is None or together.trainees != group:
                if together is not None:
                    together.close()
                together = team(group, choice.plan, device, processes.join(group, stop))
            _epoch(together, group, feed, clips, processes, stop)
            _finish_epoch(together, group, feed, clips, processes)
            if processes.agreed_to_stop(stop):
                raise _why(stop)
        processes.wait()  # until the files are there for all
        if stop:  # asked for while a finished run was loading
            raise stop[0]
    return [
        TrainResult(run.model, run.objective, run.at.history, run.at.best_epoch, run.config, choice)
        for run in runs
    ]


def _epoch(
    together: Team, group: list[Run], feed: Feed, clips: Clips, processes: Processes,
    stop: Sequence[BaseException],
) -> None:  # fmt: skip
    """The rest of an epoch of a group in step."""
    at, config = group[0].at, group[0].config
    batches = [clips.epoch(run.config.seed, at.epoch) for run in group]
    steps, look = len(batches[0]), _READ_BACK.get(feed.device.type, 1)
    seeds = [run.config.seed for run in group]
    sums: list[Tensor] = []
    started, feed.waited = time.perf_counter(), 0.0
    together.train(True)
    with (
        _bar(sum(map(len, batches[0])), at, config, processes) as bar,
        closing(feed.training(batches, seeds, at.epoch, at.step)) as made,
    ):
        for number, batch in enumerate(made, at.step):
            done = at.epoch * steps + number
            together.set_rates(config.rate_share(done, config.epochs * steps))
            for run in group:
                processes.spread(run.objective, len(batch))
                run.at.step, run.at.clips = number + 1, run.at.clips + len(batch)
            told = together.step(batch.x, batch.noise, step_on(done, feed))
            sums.append(told * len(batch))
            bar.update(len(batch))
            last = number + 1 == steps
            if last or (number + 1) % look == 0 or (stop and processes.size == 1):
                _read_back(together.keys, sums, group, batches, bar)
                if processes.agreed_to_stop(stop) and not last:
                    _clock(group, feed, started)
                    for run in group:
                        run.folder.save_last(*run.state, run.at)
                    processes.wait()
                    raise _why(stop)
    _clock(group, feed, started)


def _why(stop: Sequence[BaseException]) -> BaseException:
    return stop[0] if stop else KeyboardInterrupt("another process was stopped")


def _clock(group: list[Run], feed: Feed, started: float) -> None:
    for run in group:
        run.at.seconds += time.perf_counter() - started
        run.at.waited += feed.waited


def _read_back(
    keys: Sequence[str],
    sums: list[Tensor],
    group: list[Run],
    batches: list[list[Indices]],
    bar: Any,
) -> None:
    """Move the terms to the host, hold them against infinity and NaN, add them up, show them."""
    told = torch.stack(sums).cpu().numpy()  # (steps, T, M)
    sums.clear()
    at = group[0].at
    bad = np.argwhere(~np.isfinite(told))
    if len(bad):
        back, term, m = bad[0].tolist()
        number = at.step - len(told) + back
        raise NonFiniteLossError(
            keys[term], float(told[back, term, m]), at.epoch + 1, number + 1,
            batches[m][number], group[m].config,
        )  # fmt: skip
    for m, run in enumerate(group):
        for key, total in zip(keys, told[:, :, m].sum(axis=0).tolist(), strict=True):
            run.at.sums[key] = run.at.sums.get(key, 0.0) + total
    shown = {key: f"{total / at.clips:.4g}" for key, total in at.sums.items()}
    bar.set_postfix(shown, refresh=False)


def _finish_epoch(
    together: Team, group: list[Run], feed: Feed, clips: Clips, processes: Processes
) -> None:
    """Hold the models against the held-out clips; keep what the epoch came to, and checkpoints."""
    seeds = [run.config.seed for run in group]
    done = (group[0].at.epoch + 1) * group[0].at.step
    validation = mean_terms(together, feed, clips.validation(), seeds, done, processes)
    for run, terms in zip(group, validation, strict=True):
        for term, value in terms.items():
            if not math.isfinite(value):
                place = run.at.epoch + 1, run.at.step
                raise NonFiniteLossError(
                    term, value, *place, clips.held_out, run.config, "validation"
                )
    for run, terms in zip(group, validation, strict=True):
        at = run.at
        row: dict[str, Any] = {
            "epoch": at.epoch + 1,
            "train": {key: value / at.clips for key, value in at.sums.items()},
            "validation": terms,
            "seconds": at.seconds,
            "waiting": at.waited / at.seconds,
            "clips_per_second": at.clips / at.seconds,
        }
        at.history.append(row)
        at.next_epoch()
        loss = (row["validation"] or row["train"])["loss"]
        if loss < at.best_loss:
            at.best_loss, at.best_epoch = loss, at.epoch
            run.folder.save_best(run.model, at)
        run.folder.save_last(*run.state, at)
        run.folder.log(row)


def _bar(total: int, at: Progress, config: TrainConfig, processes: Processes) -> Any:
    return tqdm(
        total=total, initial=at.clips, desc=f"epoch {at.epoch + 1}/{config.epochs}", unit=" clips",
        disable=not (config.progress and processes.first), mininterval=0.5,
    )  # fmt: skip
