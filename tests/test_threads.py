"""The thread pool within one process: every item once, errors, nesting, concurrent callers."""

import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from fastdis import _kernels, _threads
from fastdis._threads import get_num_threads, parallel_for, set_num_threads
from tests.kernels import every_kernel

SECONDS = 240  # many times what each takes on a busy machine; a deadlock fails here
pytestmark = pytest.mark.timeout(SECONDS)


@pytest.fixture(autouse=True)
def two_threads():
    """Two threads, whatever this machine has; afterwards as before."""
    before = _threads._num_threads
    set_num_threads(2)
    yield
    set_num_threads(before or 1)
    _threads._num_threads = before


def counted(count: int, grain: int = 1) -> np.ndarray:
    """How often each item was worked on."""
    seen = np.zeros(count, np.int64)

    def work(start, stop):
        seen[start:stop] += 1

    parallel_for(work, count, grain)
    return seen


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("count", [1, 2, 3, 7, 8, 9, 1000])
@pytest.mark.parametrize("grain", [0, 1, 3, 10_000])
def test_every_item_is_worked_on_once(threads, count, grain):
    set_num_threads(threads)
    assert (counted(count, grain) == 1).all()


def test_an_empty_batch_is_not_worked_on():
    parallel_for(lambda start, stop: pytest.fail("called"), 0)


def test_no_task_is_smaller_than_the_grain():
    sizes = []
    parallel_for(lambda start, stop: sizes.append(stop - start), 100, grain=30)
    assert sum(sizes) == 100
    assert min(sizes) >= 30


def test_two_threads_work_at_the_same_time():
    meet = threading.Barrier(2, timeout=SECONDS)  # one thread alone would wait here in vain
    names = set()

    def work(start, stop):
        if start < 2:
            meet.wait()
        names.add(threading.current_thread().name)

    parallel_for(work, 8)
    assert len(names) == 2


def test_a_nested_call_runs_on_its_own_thread():
    set_num_threads(3)  # of which the outer call leaves one idle
    seen = np.zeros((2, 50), np.int64)
    strays = []

    def outer(start, stop):
        for i in range(start, stop):
            here = threading.get_ident()

            def inner(a, b, row=seen[i], here=here):
                row[a:b] += 1
                threading.Event().wait(0.005)  # time for an idle thread to come
                if threading.get_ident() != here:
                    strays.append(row)

            parallel_for(inner, 50)

    parallel_for(outer, 2)
    assert (seen == 1).all()
    assert not strays
    assert (counted(100) == 1).all()  # the calling thread splits again afterwards


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_the_first_error_is_raised_when_all_started_tasks_have_ended(error):
    begun, ended = [], []
    meet = threading.Barrier(2, timeout=SECONDS)

    def work(start, stop):
        begun.append(start)
        if start < 2:  # the first two tasks run side by side and both fail
            meet.wait()
            if start == 0:
                threading.Event().wait(0.05)  # the later one fails first
            ended.append(start)
            raise error(f"task {start}")
        ended.append(start)

    with pytest.raises(error, match="task 0"):
        parallel_for(work, 8)
    assert sorted(begun) == sorted(ended) == [0, 1]  # none is begun after a failure
    assert (counted(100) == 1).all()  # neither the pool nor this thread has suffered


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="cannot interrupt a thread")
def test_an_interrupted_caller_waits_for_the_task_of_its_helper(monkeypatch):
    """The signal comes when the caller waits; the helper ends when the caller waits once more."""
    caller = threading.main_thread()
    helping, waiting, waiting_again = (threading.Event() for _ in range(3))
    begun, ended, interrupted = [], [], []

    class Split(_threads._Split):
        def wait(self):
            (waiting_again if waiting.is_set() else waiting).set()
            super().wait()

    def work(start, stop):
        if threading.current_thread() is caller:
            helping.wait(SECONDS)
            return
        begun.append(start)
        helping.set()
        waiting.wait(SECONDS)
        while not waiting_again.wait(0.02):  # one that comes just before a sleep ends none
            signal.pthread_kill(caller.ident, signal.SIGINT)
        threading.Event().wait(0.05)  # a caller that does not wait returns meanwhile
        ended.append(start)

    def interrupt_once(*_):
        if not interrupted:
            interrupted.append(True)
            raise KeyboardInterrupt

    monkeypatch.setattr(_threads, "_Split", Split)
    before = signal.signal(signal.SIGINT, interrupt_once)
    try:
        with pytest.raises(KeyboardInterrupt):
            parallel_for(work, 8)
    finally:
        signal.signal(signal.SIGINT, before)
    assert len(begun) == 1
    assert begun == ended
    assert (counted(100) == 1).all()


def test_many_python_threads_call_at_once():
    def caller(i):
        return all((counted(1 + (i * 37 + k) % 90) == 1).all() for k in range(60))

    with ThreadPoolExecutor(16) as callers:
        assert all(callers.map(caller, range(32)))


def test_every_kernel_is_called(monkeypatch):
    """So that a new kernel finds its way into the tests below."""
    called = set()
    get = _kernels.get

    def noted(name):
        called.add(name)
        return get(name)

    monkeypatch.setattr(_kernels, "get", noted)
    every_kernel.digests()
    assert called == set(_kernels.NATIVE)


@pytest.mark.parametrize("threads", [1, 3])
def test_every_kernel_gives_the_same_bits_with_any_number_of_threads(threads):
    expected = every_kernel.digests()
    set_num_threads(threads)
    assert every_kernel.digests() == expected


def test_every_kernel_gives_the_same_bits_to_many_callers_at_once():
    expected = every_kernel.digests()
    calls = list(every_kernel.calls().items())

    def caller(i):  # each begins with another kernel, so that all sorts run side by side
        turn = calls[i % len(calls) :] + calls[: i % len(calls)]
        return {name: every_kernel.digest(call()) for name, call in turn}

    with ThreadPoolExecutor(8) as callers:
        for found in callers.map(caller, range(16)):
            assert found == expected


def test_the_number_of_threads_may_change_under_running_calls():
    stop = threading.Event()
    wrong = []

    def caller():
        while not stop.is_set():
            if not (counted(64) == 1).all():
                wrong.append(1)

    callers = [threading.Thread(target=caller) for _ in range(4)]
    for thread in callers:
        thread.start()
    for n in [1, 3, 2, 4] * 25:
        set_num_threads(n)
    stop.set()
    for thread in callers:
        thread.join()
    assert not wrong


def test_the_caller_does_it_all_where_no_thread_can_be_started(monkeypatch):
    def refuse(*arguments, **options):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert (counted(100) == 1).all()


def test_finished_work_lets_go_of_its_arrays():
    import weakref

    class Data:
        pass

    def fail(start, stop, data):
        raise ValueError("no")

    data = Data()
    gone = weakref.ref(data)
    with pytest.raises(ValueError, match="no"):
        parallel_for(lambda start, stop, data=data: fail(start, stop, data), 8)
    del data
    _threads._pool.submit(int).result()  # then the one thread of the pool is done with all before
    assert gone() is None


def test_how_many_threads(monkeypatch):
    assert get_num_threads() == 2
    monkeypatch.setattr(_threads, "_num_threads", None)
    monkeypatch.setenv("FASTDIS_NUM_THREADS", "7")
    assert get_num_threads() == 7
    monkeypatch.setenv("FASTDIS_NUM_THREADS", "")
    assert get_num_threads() == _threads._available_cores()
    for text in ("0", "-1", "two", "1.5"):
        monkeypatch.setenv("FASTDIS_NUM_THREADS", text)
        with pytest.raises(ValueError, match="FASTDIS_NUM_THREADS takes an integer >= 1, got"):
            get_num_threads()


@pytest.mark.parametrize(("n", "error"), [(0, ValueError), (1.0, TypeError), (True, TypeError)])
def test_a_number_of_threads_that_is_none(n, error):
    with pytest.raises(error, match="n takes an integer >= 1"):
        set_num_threads(n)
    assert get_num_threads() == 2
