"""HTTP with services that may answer anything: every exchange ends in time, and every answer fits into memory.

For the images that have httpx; the other modules of this package do without.
"""

import asyncio
import os
from typing import Any, Self

import httpx

from wakee_common.startup import retry_refused

MOST_REDIRECTS = 10


class UnreadableAnswerError(httpx.HTTPError):
    """The answer is larger, or of another kind, than anybody should read."""


class BoundedClient:
    """Sends requests, one at a time, over connections that are kept.

    An ordinary timeout is for one read: a server that sends a byte now and then keeps its client for ever. Here the
    whole exchange has its time, redirects included. Bodies are read up to a limit, those of redirects not at all;
    nothing is unpacked, and no decoder of the server's choice is used for texts. Headers of ours that hold a token do
    not follow a redirect to another origin (httpx sees to that).

    Args:
        largest_answer: Bytes.
        headers: Sent with every request.
        follow_redirects: Whether to go where the server points.
    """

    def __init__(
        self, *, largest_answer: int, headers: dict[str, str] | None = None, follow_redirects: bool = False
    ) -> None:
        self._largest, self._follow = largest_answer, follow_redirects
        self._client = httpx.AsyncClient(headers={"accept-encoding": "identity"} | (headers or {}))
        self._runner = asyncio.Runner()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections back."""
        with self._runner as runner:
            runner.run(self._client.aclose())

    def request(self, method: str, url: str, seconds: float, **content: Any) -> httpx.Response:
        """One request and its whole answer, within `seconds` altogether.

        While the process is young, a refused request is sent again (see `startup`), each time with all `seconds`. So
        `content` holds no streams: a second request must send the same.

        Raises:
            httpx.TimeoutException: it takes longer.
            UnreadableAnswerError: too large, compressed unasked, or a redirect to no http address.
            httpx.TooManyRedirects: it leads in circles.
            httpx.HTTPError: anything else; and `httpx.InvalidURL`, which is none.
        """
        return retry_refused(lambda: self._runner.run(self._exchange(method, url, seconds, content)))

    async def _exchange(self, method: str, url: str, seconds: float, content: dict[str, Any]) -> httpx.Response:
        try:
            async with asyncio.timeout(seconds):
                return await self._answer(self._client.build_request(method, url, timeout=seconds, **content))
        except TimeoutError:
            raise httpx.ReadTimeout(f"no whole answer within {seconds:g} s") from None
        except httpx.ConnectError as error:
            raise httpx.ConnectError(_told(error)) from error

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        """The answer at the end of all redirects."""
        for _ in range(MOST_REDIRECTS + 1):
            response = await self._client.send(request, stream=True)
            try:
                following = response.next_request if self._follow else None
                if following is None:
                    return await self._whole(response)
            finally:
                await response.aclose()
            if following.url.scheme not in ("http", "https"):
                raise UnreadableAnswerError(f"a redirect to {following.url.scheme[:20]!r}, which is no http")
            request = following
        raise httpx.TooManyRedirects(f"more than {MOST_REDIRECTS} redirects", request=request)

    async def _whole(self, response: httpx.Response) -> httpx.Response:
        """A copy that is in memory, with its kind as the only header."""
        if (packing := response.headers.get("content-encoding", "identity")) != "identity":
            raise UnreadableAnswerError(f"the answer is compressed, unasked: {packing[:20]!r}")
        body = bytearray()
        async for chunk in response.aiter_raw():
            body += chunk
            if len(body) > self._largest:
                raise UnreadableAnswerError(f"the answer is too long: more than {self._largest} bytes")
        kind = response.headers.get("content-type", "").partition(";")[0][:80]
        return httpx.Response(response.status_code, headers={"content-type": kind}, content=bytes(body))


def _told(error: BaseException) -> str:
    """What the system said, which the layers above it hide."""
    while cause := error.__cause__ or error.__context__:
        error = cause
    if isinstance(error, ConnectionError) and error.errno:
        return f"[Errno {error.errno}] {os.strerror(error.errno)}"  # asyncio puts a text of its own there
    return str(error)
