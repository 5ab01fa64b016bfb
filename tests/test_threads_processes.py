"""Kernels and their threads in several processes: forks, spawned workers, loaders, the exit.

Each script runs in a process of its own, and has to answer within a time limit.
"""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SECONDS = 240  # many times what each takes on a busy machine; a hang fails here

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")


def run_script(body: str) -> str:
    """What a Python process of its own prints; a hang or an error there fails here."""
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(body)], cwd=ROOT, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        env=os.environ | {"FASTDIS_NUM_THREADS": "2"},
    )  # fmt: skip
    try:
        printed, errors = process.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)  # its children, too, hold the pipes
        printed, errors = process.communicate()
        pytest.fail(f"no end within {SECONDS} s; printed {printed!r} and {errors!r}")
    assert process.returncode == 0, errors
    assert not errors
    return printed.strip()


@needs_fork
def test_children_forked_among_concurrent_callers_work_and_exit():
    script = """
        import os, signal, threading, time, warnings
        import numpy as np
        from fastdis import _threads
        warnings.simplefilter("ignore")
        _threads.set_num_threads(3)

        def right():
            seen = np.zeros(200, int)
            def work(a, b):
                seen[a:b] += 1
            _threads.parallel_for(work, 200)
            return bool((seen == 1).all())

        stop = threading.Event()
        def hammer():
            while not stop.is_set():
                assert right()
        callers = [threading.Thread(target=hammer) for _ in range(4)]
        [c.start() for c in callers]
        codes = []
        for _ in range(30):
            pid = os.fork()
            if pid == 0:
                os._exit(0 if right() and right() else 3)
            limit = time.monotonic() + 60
            while (got := os.waitpid(pid, os.WNOHANG))[0] == 0 and time.monotonic() < limit:
                time.sleep(0.002)
            if got[0] == 0:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                codes.append("hang")
                break
            else:
                codes.append(os.waitstatus_to_exitcode(got[1]))
        stop.set()
        [c.join() for c in callers]
        print(set(codes), right())
    """
    assert run_script(script) == "{0} True"


@needs_fork
def test_worker_processes_make_the_same_clips():
    """As a data loader does: the parent has used its pool, then forks."""
    script = """
        import multiprocessing, warnings
        import numpy as np
        from fastdis import _threads
        from fastdis.synthesis import oscillator
        warnings.simplefilter("ignore")
        _threads.set_num_threads(2)

        def clips(seed):
            return oscillator("square", np.linspace(100, 900, 40) + seed, band_limited=True)

        if __name__ == "__main__":
            here = [clips(i) for i in range(6)]
            with multiprocessing.get_context("fork").Pool(3) as pool:
                there = pool.map_async(clips, range(6)).get(timeout=200)
            print(all(np.array_equal(a, b) for a, b in zip(here, there)))
    """
    assert run_script(script) == "True"


@needs_fork
def test_a_child_forked_inside_a_task_may_split_its_own_batch():
    script = """
        import os, warnings
        from fastdis import _threads
        warnings.simplefilter("ignore")
        _threads.set_num_threads(2)
        codes = []

        def fork(start, stop):
            pid = os.fork()
            if pid == 0:
                seen = []
                _threads.parallel_for(lambda a, b: seen.extend(range(a, b)), 20)
                os._exit(0 if sorted(seen) == list(range(20)) else 3)
            codes.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))

        _threads.parallel_for(fork, 4)
        print(codes)
    """
    assert run_script(script) == "[0, 0, 0, 0]"


def test_work_goes_on_while_the_interpreter_exits():
    """Python closes its thread pools before it calls what atexit holds."""
    script = """
        import atexit, threading
        import numpy as np
        from fastdis import _threads
        _threads.set_num_threads(2)
        seen = np.zeros(100, int)

        def work(start, stop):
            seen[start:stop] += 1

        atexit.register(lambda: print(seen.tolist() == [3] * 100))
        atexit.register(_threads.parallel_for, work, 100)
        _threads.parallel_for(work, 100)
        threading.Thread(target=_threads.parallel_for, args=(work, 100)).start()
    """
    assert run_script(script) == "True"


START = ["fork", "spawn", "forkserver"] if hasattr(os, "fork") else ["spawn"]


@pytest.mark.parametrize("start", START)
def test_processes_give_the_bits_of_every_kernel(start):
    """However they start, and though the parent has used its threads and its FFT plans."""
    script = f"""
        import multiprocessing, warnings
        from tests.kernels import every_kernel
        warnings.simplefilter("ignore")
        here = every_kernel.digests()
        with multiprocessing.get_context({start!r}).Pool(2) as pool:
            there = pool.map_async(every_kernel.digests, range(3), chunksize=1).get()
        print([digests == here for digests in there])
    """
    assert run_script(script) == "[True, True, True]"


@pytest.mark.parametrize("start", START)
def test_the_workers_of_a_data_loader_give_the_bits_of_the_parent(start):
    pytest.importorskip("torch")
    script = f"""
        import warnings
        warnings.simplefilter("ignore")
        import torch
        from torch.utils.data import DataLoader
        from tests.datasets.loader_data import Batches
        data = Batches()
        here = [data[i] for i in range(len(data))]
        loader = DataLoader(
            data, batch_size=None, num_workers=2, multiprocessing_context={start!r}, timeout=200
        )
        same = [
            all(torch.equal(a, b) for a, b in zip(found, known, strict=True))
            for found, known in zip(loader, here, strict=True)
        ]
        print(same)
    """
    assert run_script(script) == "[True, True, True, True]"


def test_the_first_calls_of_a_process_may_come_from_many_threads():
    """Each brings its imports, numba among them, and makes the pool and plans of its own."""
    script = """
        from concurrent.futures import ThreadPoolExecutor
        from tests.kernels import every_kernel
        calls = every_kernel.calls()
        names = [*calls] * 2
        with ThreadPoolExecutor(len(names)) as callers:
            found = list(callers.map(lambda name: every_kernel.digest(calls[name]()), names))
        known = every_kernel.digests()
        print(found == [known[name] for name in names])
    """
    assert run_script(script) == "True"


@pytest.mark.parametrize("daemon", [True, False])
def test_the_interpreter_exits_while_every_kernel_is_at_work(daemon):
    """Daemon threads are left where they are; the others end, though the pool is closed by then."""
    script = f"""
        import itertools, threading, time
        from tests.kernels import every_kernel
        calls = list(every_kernel.calls().values())

        def work(start):
            for _ in itertools.count() if {daemon} else range(1):
                for call in calls[start:] + calls[:start]:
                    call()

        for start in range(len(calls)):
            threading.Thread(target=work, args=(start,), daemon={daemon}).start()
        time.sleep(0.5)
        print("leaving")
    """
    assert run_script(script) == "leaving"


def test_the_interpreter_exits_while_a_daemon_thread_plans_a_transform():
    """It holds pyfftw's lock, and would be stopped with it; to free a plan takes that lock."""
    script = """
        import threading, time
        import numpy as np, pyfftw
        from fastdis import stft
        from fastdis._kernels import fft
        stft(np.ones(4000), n_fft=399)
        x = np.empty((2, 1 << 16), np.complex64)
        fft.Transform = lambda rows, n: pyfftw.FFTW(*x, flags=["FFTW_MEASURE"])  # takes its time
        threading.Thread(target=fft.transform, args=(1, 7), daemon=True).start()
        time.sleep(0.1)
        print("leaving")
    """
    assert run_script(script) == "leaving"


def test_the_exit_may_still_plan():
    script = """
        import atexit
        import numpy as np
        atexit.register(lambda: print(fastdis.stft(np.ones(4000), n_fft=301).shape))
        import fastdis
        fastdis.stft(np.ones(4000), n_fft=399)
    """
    assert run_script(script) == "(151, 54)"
