"""backends() says what each kernel runs on: built, missing and why, chosen by hand."""

import sys

import numpy as np
import pytest

import fastdis as fd
from fastdis import _kernels, cli


@pytest.fixture
def missing(monkeypatch):
    """Makes a native module fail to load, and forgets what was loaded before and after."""

    def lose(module):
        monkeypatch.setitem(sys.modules, f"fastdis._kernels.{module}", None)
        _kernels._load.cache_clear()

    yield lose
    monkeypatch.undo()
    _kernels._load.cache_clear()


def test_every_kernel_and_its_twin_exist():
    from fastdis._kernels import reference

    for kernel, module in _kernels.NATIVE.items():
        assert callable(getattr(_kernels.native_module(module), kernel))
        assert callable(getattr(reference, kernel))


def test_backends_lists_all_that_runs():
    found = fd.backends()
    assert set(found) == {*_kernels.NATIVE, "simd", "fft", "threads"}
    for kernel, module in _kernels.NATIVE.items():
        assert found[kernel] == ("C" if module.startswith("_") else "numba")
    assert found["simd"].split()[0] in ("baseline", "x86-64-v3", "x86-64-v4")
    assert "pyfftw" in found["fft"]


def test_what_says_how_many_threads(threads, monkeypatch):
    monkeypatch.setattr("fastdis._threads._num_threads", None)
    monkeypatch.setenv("FASTDIS_NUM_THREADS", "7")
    assert fd.backends()["threads"] == "7 (FASTDIS_NUM_THREADS=7)"
    threads(3)
    assert fd.backends()["threads"] == "3 (set_num_threads)"


def test_a_missing_extension_is_listed_with_the_reason(missing, monkeypatch, capsys):
    missing("_oscillator")
    found = fd.backends()
    why = "fastdis._kernels._oscillator cannot be loaded: import of fastdis._kernels._oscillator"
    assert found["oscillator"].startswith(f"NumPy ({why}")
    assert found["simd"] == "none (no C kernel runs)"
    assert found["joint_counts"] == "numba"
    assert np.abs(fd.oscillator("sine", 440.0)).max() > 0.99  # by the twin
    assert cli.main(["info"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert f"NumPy ({why}" in shown
    monkeypatch.setenv("FASTDIS_BACKEND", "native")
    assert fd.backends()["oscillator"].startswith(f"nothing (FASTDIS_BACKEND=native, but {why}")
    with pytest.raises(RuntimeError, match=r"FASTDIS_BACKEND=native, but fastdis\._kernels\._osc"):
        fd.oscillator("sine", 440.0)


def test_the_twins_by_choice(monkeypatch):
    monkeypatch.setenv("FASTDIS_BACKEND", "numpy")
    found = fd.backends()
    assert {found[kernel] for kernel in _kernels.NATIVE} == {"NumPy (FASTDIS_BACKEND=numpy)"}
    assert found["simd"] == "none (no C kernel runs)"


def test_a_backend_that_does_not_exist(monkeypatch):
    monkeypatch.setenv("FASTDIS_BACKEND", "nativ")
    for call in (fd.backends, lambda: fd.oscillator("sine", 440.0)):
        with pytest.raises(ValueError, match=r"FASTDIS_BACKEND takes.*did you mean 'native'"):
            call()


def test_info_names_every_kernel_once(capsys):
    assert cli.main(["info"]) == 0
    words = capsys.readouterr().out.replace(",", " ").replace(":", " ").split()
    for kernel in _kernels.NATIVE:
        assert words.count(kernel) == 1
