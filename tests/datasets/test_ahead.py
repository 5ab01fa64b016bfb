"""Items made ahead: order, errors at their turn, no more than asked for, and an early end."""

import threading
import time
from contextlib import closing

import pytest

from fastdis.datasets._prefetch import ahead


@pytest.mark.parametrize("count", [1, 3, 100])
def test_the_same_items_in_the_same_order(count):
    assert list(ahead(range(20), count)) == list(range(20))
    assert list(ahead([], count)) == []
    assert list(ahead([None, 0], count)) == [None, 0]


def test_another_thread_makes_them_before_their_turn():
    made = []

    def items():
        for i in range(10):
            made.append((i, threading.get_ident()))
            yield i

    with closing(ahead(items(), 3)) as waiting:
        assert next(waiting) == 0
        deadline = time.monotonic() + 60
        while len(made) < 4 and time.monotonic() < deadline:
            time.sleep(0.001)
        time.sleep(0.02)
        assert [i for i, _ in made] == [0, 1, 2, 3]  # the one in hand, and three ahead
        assert {thread for _, thread in made}.isdisjoint({threading.get_ident()})


def test_an_error_comes_at_its_turn():
    def items():
        yield 1
        raise ValueError("no second one")

    got = ahead(items(), 5)
    assert next(got) == 1
    with pytest.raises(ValueError, match="no second one"):
        next(got)


def test_an_early_end_stops_the_other_thread():
    before = threading.active_count()
    with closing(ahead(iter(int, 1), 4)) as endless:
        assert next(endless) == 0
    assert threading.active_count() == before
