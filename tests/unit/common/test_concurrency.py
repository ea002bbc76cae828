"""Results in order, a bounded number ahead, and no work begun for a caller who no longer wants it."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from wakee_common.concurrency import map_ahead


def test_results_come_in_order():
    first_may_end = threading.Event()

    def double(number: int) -> int:
        if number:
            first_may_end.set()
        else:
            assert first_may_end.wait(10)  # the second is done before the first
        return 2 * number

    with ThreadPoolExecutor(2) as pool:
        assert list(map_ahead(pool, double, range(5), 3)) == [0, 2, 4, 6, 8]


@pytest.mark.parametrize("ahead", [1, 3])
def test_at_most_so_many_are_read_ahead(ahead):
    read, taken = [], 0
    with ThreadPoolExecutor(4) as pool:
        for _ in map_ahead(pool, str, (read.append(n) or n for n in range(20)), ahead):
            taken += 1
            assert len(read) - taken <= ahead
    assert taken == len(read) == 20


def test_a_failure_is_raised_and_cancels_what_has_not_begun():
    done = []

    def work(number: int) -> None:
        if number == 0:
            raise ConnectionError("gone")
        time.sleep(0.01)  # the failure is heard of while hundreds have not begun
        done.append(number)

    with ThreadPoolExecutor(1) as pool, pytest.raises(ConnectionError, match="gone"):
        list(map_ahead(pool, work, range(500), 500))
    assert len(done) < 499
