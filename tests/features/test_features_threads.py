"""Features with other libraries, in many threads and in forked children."""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest

from fastdis._kernels import fft
from fastdis.features import istft, melspectrogram, stft

pytestmark = [
    pytest.mark.filterwarnings("ignore:n_fft=.* is too large"),
    pytest.mark.filterwarnings("ignore:.*mel filters hold no"),
    pytest.mark.filterwarnings("ignore:Empty filters detected"),
]


def test_scipy_takes_over_without_pyfftw(rng, monkeypatch, threads):
    y = rng.standard_normal((2, 3001)).astype(np.float32)
    assert fft.fft_library().startswith("pyfftw")
    expected = stft(y, n_fft=511)
    monkeypatch.setattr(fft, "_pyfftw", lambda: None)
    monkeypatch.setattr(fft, "_plans", {})
    threads(1)
    assert fft.fft_library().startswith("scipy")
    found = stft(y, n_fft=511)
    np.testing.assert_allclose(found, expected, atol=1e-6 * np.abs(expected).max())
    np.testing.assert_allclose(istft(found, n_fft=511, length=3001), y, atol=2e-6)


def test_plans_are_kept_within_bounds(rng):
    y = rng.standard_normal(300).astype(np.float32)
    for n_fft in range(32, 80):
        stft(y, n_fft=n_fft)
    assert len(fft._plans[threading.current_thread()]) <= fft._PLANS_PER_THREAD
    assert fft.transform(3, 40) is fft.transform(3, 40)


def test_the_plans_of_an_ended_thread_are_freed_under_the_planners_lock(monkeypatch):
    held = []

    class Plan:
        def __init__(self, rows, n):
            pass

        def __del__(self):
            held.append(fft._planner._is_owned())

    monkeypatch.setattr(fft, "Transform", Plan)
    monkeypatch.setattr(fft, "_plans", {})
    for _ in range(3):
        thread = threading.Thread(target=fft.transform, args=(1, 8))
        thread.start()
        thread.join()
    assert held == [True, True]


def test_concurrent_callers_get_their_own_result(rng):
    clips = rng.standard_normal((8, 20, 16000)).astype(np.float32)
    expected = np.array([melspectrogram(y, sr=16000) for y in clips])
    found = np.empty_like(expected)

    def call(i):
        for clip, out in zip(clips[i], found[i], strict=True):  # a single clip stays in its thread
            out[:] = melspectrogram(clip, sr=16000)

    callers = [threading.Thread(target=call, args=(i,)) for i in range(len(clips))]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(60)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_works():
    code = """
import os, threading, warnings
warnings.simplefilter("ignore")
import numpy as np
from fastdis import _threads, stft
_threads.set_num_threads(2)
y = np.sin(np.arange(32000.0)).reshape(8, 4000)
expected = stft(y)
stop = threading.Event()
def plan():  # keeps the planner busy while the process forks
    n = 64
    while not stop.is_set():
        n = n % 500 + 64
        stft(y[:2, :2000], n_fft=n)
        _threads.set_num_threads(2 + n % 2)  # whose threads end, and leave plans behind
busy = threading.Thread(target=plan)
busy.start()
for _ in range(20):
    child = os.fork()
    if child == 0:
        same = np.array_equal(stft(y), expected) and stft(y, n_fft=96).shape[1] == 49
        os._exit(0 if same else 1)
    assert os.waitpid(child, 0)[1] == 0
stop.set()
busy.join()
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=240)


def test_features_import_nothing_heavy():
    code = (
        "import sys, fastdis.features as f;"
        "print([m for m in ('torch', 'numba', 'scipy', 'pyfftw', 'librosa') if m in sys.modules]);"
        "f.mel_filters(sr=8000, n_fft=512, n_mels=9); print('scipy.signal' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=240
    )
    assert done.stdout.split("\n")[:2] == ["[]", "False"]
