"""Run a function over many items in a thread pool, with the results in order."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_ahead(
    pool: Executor, function: Callable[[Item], Result], items: Iterable[Item], ahead: int
) -> Iterator[Result]:
    """Yield the results in the order of the items, with at most `ahead` items in progress or not yet consumed.

    `Executor.map` would read all items at once. Pending items are cancelled when the caller stops or an item fails.
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
