"""The heap keeps large blocks while models train, and only then."""

import pytest

from fastdis.training import heap_and_signals


class _Libc:
    def __init__(self):
        self.calls = []

    def mallopt(self, option, value):
        self.calls.append((option, value))

    def malloc_trim(self, pad):
        self.calls.append(("trim", pad))


def test_both_thresholds_rise_together_and_fall_after_an_error(monkeypatch):
    libc = _Libc()
    monkeypatch.setattr(heap_and_signals, "_glibc", lambda: libc)

    def fails():
        with heap_and_signals.keeping_large_blocks():
            assert libc.calls == [(-1, 2**30), (-3, 2**30)]
            raise KeyError

    with pytest.raises(KeyError):
        fails()
    assert libc.calls[2:] == [(-1, 2**26), (-3, 2**25), ("trim", 0)]


def test_another_c_library_is_left_alone(monkeypatch):
    monkeypatch.setattr(heap_and_signals.ctypes, "CDLL", lambda _: object())
    with heap_and_signals.keeping_large_blocks():
        pass


@pytest.mark.skipif(heap_and_signals._glibc() is None, reason="the C library is not glibc")
def test_glibc_takes_the_thresholds(monkeypatch):
    """Its mallopt returns 1 where it takes a value."""
    libc, taken = heap_and_signals._glibc(), []

    class Recorded:
        def mallopt(self, option, value):
            taken.append(libc.mallopt(option, value))

        def malloc_trim(self, pad):
            libc.malloc_trim(pad)

    monkeypatch.setattr(heap_and_signals, "_glibc", Recorded)
    with heap_and_signals.keeping_large_blocks():
        assert taken == [1, 1]
    assert taken == [1, 1, 1, 1]
