"""Work of many threads, handed over in order."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_ahead(
    pool: Executor, function: Callable[[Item], Result], items: Iterable[Item], ahead: int
) -> Iterator[Result]:
    """The results in the order of the items, of which at most `ahead` are in work or done and not yet taken.

    `Executor.map` would read all items at once. What has not begun is cancelled when the caller stops, or one fails.
    """
    flying = deque[Future[Result]]()
    try:
        for item in items:
            if len(flying) == ahead:
                yield flying.popleft().result()
            flying.append(pool.submit(function, item))
        while flying:
            yield flying.popleft().result()
    finally:
        for future in flying:
            future.cancel()
