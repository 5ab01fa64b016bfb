"""The cells of a sweep on a Dask cluster: one task per cell, in a folder that all workers share.

A worker process trains one cell at a time, on all its threads, because all threads of a process
share torch's generator, which draws the weights. Signals never reach a task: a worker that is
stopped leaves its last checkpoint, from which the next one resumes.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from fastdis import datasets
from fastdis._threads import get_num_threads, set_num_threads
from fastdis.studies.sweep.cells import Row, SweepContext, failed, make
from fastdis.studies.sweep.plan import SweepCell, SweepSettings

ADDRESS = "DASK_SCHEDULER_ADDRESS"
_RETRIES = 2  # of a task that raises; Dask itself reschedules a task whose worker is lost
_WAIT = 1.0  # seconds between two looks at a folder that another process writes to

_alone = threading.Lock()
_kept: list[tuple[SweepSettings, datasets.Dataset]] = []  # of the previous cell


def address(scheduler: str | None) -> str:
    """Where the scheduler is.

    Raises
    ------
    ImportError
        If Dask is missing.
    ValueError
        If neither ``scheduler`` nor the environment says.
    """
    try:
        import distributed  # noqa: F401
    except ImportError as error:
        raise ImportError("engine 'dask' needs: pip install 'fastdis[cluster]'") from error
    found = scheduler or os.environ.get(ADDRESS)
    if not found:
        raise ValueError(
            f"scheduler takes the address of a Dask scheduler for engine 'dask', or {ADDRESS} "
            "holds it, such as 'tcp://10.0.0.1:8786'; got none"
        )
    return found


def make_on_cluster(
    context: SweepContext, cells: Sequence[SweepCell], scheduler: str
) -> Iterator[tuple[SweepCell, Row]]:
    """Rows in the order in which tasks end; a task that raised three times is a row with its error.

    Raises
    ------
    OSError
        If the scheduler cannot be reached, or has gone.
    """
    from distributed import Client, as_completed

    with Client(scheduler, set_as_default=False) as client:  # type: ignore[no-untyped-call]
        futures = {
            client.submit(make_one, context, cell, retries=_RETRIES, pure=False): cell
            for cell in cells
        }
        try:
            for future in as_completed(list(futures), loop=client.loop):  # type: ignore[no-untyped-call]
                yield futures[future], _result(future, futures[future], scheduler)
        finally:  # a task that has started runs to its end
            client.cancel(list(futures))


def _result(future: Any, cell: SweepCell, scheduler: str) -> Row:
    if future.cancelled():
        raise ConnectionError(
            f"the scheduler at {scheduler} has gone; the same command resumes the sweep"
        )
    error = future.exception()
    row: Row = (
        future.result() if error is None else failed(cell, f"{type(error).__name__}: {error}")
    )
    return row


def make_one(context: SweepContext, cell: SweepCell) -> Row:
    """A worker's task. Waits while another process still writes to the folder of the cell."""
    from distributed import get_worker

    with _alone, _on_threads(get_worker().state.nthreads):
        while True:
            row = context.recorded(cell)
            if row is not None and row["error"] is None:
                return row
            try:
                return next(make(context, [cell], _dataset(context)))[1]
            except BlockingIOError:
                time.sleep(_WAIT)


def _dataset(context: SweepContext) -> datasets.Dataset:
    """The data set, kept for the next cell of this worker."""
    if not _kept or _kept[0][0].dataset != context.settings.dataset:
        _kept.clear()  # before there are two
        _kept.append((context.settings, context.dataset()))
    return _kept[0][1]


@contextmanager
def _on_threads(at_most: int) -> Iterator[None]:
    """Run torch and the kernels on the worker's threads, or on fewer if fewer were set."""
    before = get_num_threads(), torch.get_num_threads()
    threads = min(at_most, before[0])
    set_num_threads(threads)
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        set_num_threads(before[0])
        torch.set_num_threads(before[1])
