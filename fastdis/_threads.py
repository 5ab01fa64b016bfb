"""The one thread pool. Kernels are single-threaded and release the GIL; this splits a batch.

No OpenMP and no TBB: their runtimes hang or abort after a fork and under concurrent callers.
The pool is made on first use and made anew in a forked child.
"""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from fastdis import _validation

_SAMPLES_PER_TASK = 2**17  # about 100 us of work where a sample takes a few operations

_lock = threading.Lock()
_pool: ThreadPoolExecutor | None = None
_local = threading.local()
_num_threads: int | None = None


def _available_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def get_num_threads() -> int:
    """How many threads a batch is split over.

    It is what :func:`set_num_threads` was given, else the environment variable
    ``FASTDIS_NUM_THREADS``, else the number of cores this process may use.

    Raises
    ------
    ValueError
        If ``FASTDIS_NUM_THREADS`` is not a whole number of at least 1.
    """
    return _threads_and_why()[0]


def explain_num_threads() -> str:
    """How many threads a batch is split over, and what says so."""
    number, why = _threads_and_why()
    return f"{number} ({why})"


def _threads_and_why() -> tuple[int, str]:
    if _num_threads is not None:
        return _num_threads, "set_num_threads"
    text = os.environ.get("FASTDIS_NUM_THREADS", "")
    if not text:
        return _available_cores(), "the cores that this process may use"
    if not text.isdecimal() or int(text) < 1:
        raise ValueError(f"FASTDIS_NUM_THREADS takes an integer >= 1, got {text!r}")
    return int(text), f"FASTDIS_NUM_THREADS={text}"


def set_num_threads(n: int) -> None:
    """Split every later batch over ``n`` threads.

    Raises
    ------
    TypeError, ValueError
        If ``n`` is not an integer of at least 1.
    """
    global _num_threads, _pool
    n = _validation.integer("n", n)
    with _lock:
        _num_threads, old, _pool = n, _pool, None
    if old is not None:
        old.shutdown(wait=False)  # work already given to it still ends


def _forget_pool() -> None:
    """In a forked child the pool's threads do not exist, and the lock may be held by one."""
    global _pool, _lock
    _pool, _lock = None, threading.Lock()
    _local.inside = False


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_pool)


class _Split:
    """A batch cut into pieces, each given once to whichever thread comes for one next.

    The caller takes pieces too. So the batch gets done even if the pool has no thread to spare,
    cannot start one, or is closed because the interpreter exits; and a helper that comes late
    finds nothing left to write to.
    """

    def __init__(self, work: Callable[[int, int], None], bounds: list[int]) -> None:
        self._work = work
        self._pieces = list(itertools.pairwise(bounds))[::-1]  # the first is taken from the end
        self._busy: set[int] = set()  # threads that work on a piece
        self._changed = threading.Condition()
        self._errors: dict[int, BaseException] = {}

    def run(self) -> None:
        """Work on pieces until none is left."""
        outer = getattr(_local, "inside", False)
        _local.inside = True  # a piece that splits its own batch does so on its own thread
        try:
            while piece := self._take():
                try:
                    self._work(*piece)
                except BaseException as error:
                    self._end(piece, error)
                else:
                    self._end(piece, None)
        finally:
            _local.inside = outer

    def _take(self) -> tuple[int, int] | None:
        with self._changed:
            if not self._pieces:
                return None
            self._busy.add(threading.get_ident())
            return self._pieces.pop()

    def _end(self, piece: tuple[int, int], error: BaseException | None) -> None:
        with self._changed:
            if error is not None:
                self._errors[piece[0]] = error
                self._pieces.clear()
            self._busy.discard(threading.get_ident())
            self._changed.notify_all()

    def wait(self) -> None:
        """Return when no other thread works on a piece."""
        caller = threading.get_ident()
        with self._changed:
            self._changed.wait_for(lambda: self._busy <= {caller})

    def stop(self) -> None:
        """Give out no further piece, and wait for those begun."""
        with self._changed:
            self._pieces.clear()
        self.wait()

    def check(self) -> None:
        """Raise the error of the first piece that failed."""
        if self._errors:
            error = self._errors[min(self._errors)]
            self._errors.clear()
            try:
                raise error
            finally:
                del error  # its traceback holds this frame: a cycle would keep the arrays alive


def _ask_for_help(split: _Split, helpers: int) -> None:
    global _pool
    with _lock:
        if _pool is None:
            _pool = ThreadPoolExecutor(max(1, get_num_threads() - 1), thread_name_prefix="fastdis")
        for _ in range(helpers):
            try:
                _pool.submit(split.run)
            except RuntimeError:  # no thread can be started, or the interpreter exits
                return


def parallel_for(work: Callable[[int, int], None], count: int, grain: int = 1) -> None:
    """Call ``work(start, stop)`` over ``range(count)``, split over the pool and this thread.

    ``grain`` is the fewest items worth a task. The first exception of a task is raised here,
    after every started task has ended, so that no task writes to memory the caller has let go.
    """
    threads = min(get_num_threads(), max(1, count // max(1, grain)))
    if threads == 1 or getattr(_local, "inside", False):
        if count:
            work(0, count)
        return
    # More tasks than threads, so that a slow core does not hold up the rest.
    tasks = min(threads * 4, max(threads, count // max(1, grain)))
    split = _Split(work, [count * i // tasks for i in range(tasks + 1)])
    _ask_for_help(split, threads - 1)
    try:
        split.run()
        split.wait()
    except BaseException:  # Ctrl-C on this thread: the helpers still write
        split.stop()
        raise
    split.check()


def clips_per_task(samples: int) -> int:
    """The ``grain`` of :func:`parallel_for` for rendered clips of so many samples."""
    return max(1, _SAMPLES_PER_TASK // samples)
