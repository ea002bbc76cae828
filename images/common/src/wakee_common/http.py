"""HTTP client for untrusted services, with a time limit per exchange and a size limit per response.

Only for images that have httpx. The other modules of this package do not need it.
"""

import asyncio
import os
from typing import Any, Self

import httpx

from wakee_common.startup import retry_refused

MOST_REDIRECTS = 10


class UnreadableAnswerError(httpx.HTTPError):
    """The response is too large, compressed although not requested, or a redirect to a scheme other than HTTP(S)."""


class BoundedClient:
    """Send requests, one at a time, over persistent connections.

    An ordinary timeout applies to a single read, so a server that sends a byte now and then blocks its client forever.
    Here the timeout applies to the whole exchange, including redirects. Bodies are read up to a size limit, and bodies
    of redirects are not read. Nothing is decompressed, and texts are not decoded with a charset that the server chose.
    On a redirect to another origin, httpx removes the Authorization header.

    Args:
        largest_answer: Maximum size of a response body, in bytes.
        headers: Sent with every request.
        follow_redirects: Whether to follow redirects.
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
        """Close the connections."""
        with self._runner as runner:
            runner.run(self._client.aclose())

    def request(self, method: str, url: str, seconds: float, **content: Any) -> httpx.Response:
        """Send a request and return the whole response, within `seconds` in total.

        During startup a refused request is retried (see `startup`), with `seconds` for each attempt. `content` must not
        contain streams, because a retry sends it again.

        Raises:
            httpx.TimeoutException: the exchange takes longer.
            UnreadableAnswerError: the response is too large, compressed, or a redirect to a scheme other than HTTP(S).
            httpx.TooManyRedirects: there are more than `MOST_REDIRECTS` redirects.
            httpx.HTTPError: any other failure of the exchange.
            httpx.InvalidURL: the URL is invalid. This is not an `HTTPError`.
        """
        return retry_refused(lambda: self._runner.run(self._exchange(method, url, seconds, content)))

    async def _exchange(self, method: str, url: str, seconds: float, content: dict[str, Any]) -> httpx.Response:
        try:
            async with asyncio.timeout(seconds):
                return await self._answer(self._client.build_request(method, url, timeout=seconds, **content))
        except TimeoutError:
            raise httpx.ReadTimeout(f"no complete answer within {seconds:g} s") from None
        except httpx.ConnectError as error:
            raise httpx.ConnectError(_told(error)) from error

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        """Return the response at the end of all redirects."""
        for _ in range(MOST_REDIRECTS + 1):
            response = await self._client.send(request, stream=True)
            try:
                following = response.next_request if self._follow else None
                if following is None:
                    return await self._whole(response)
            finally:
                await response.aclose()
            if following.url.scheme not in ("http", "https"):
                raise UnreadableAnswerError(f"redirect to {following.url.scheme[:20]!r}, which is not HTTP")
            request = following
        raise httpx.TooManyRedirects(f"more than {MOST_REDIRECTS} redirects", request=request)

    async def _whole(self, response: httpx.Response) -> httpx.Response:
        """Return a copy of the response in memory, with the content type as its only header."""
        if (packing := response.headers.get("content-encoding", "identity")) != "identity":
            raise UnreadableAnswerError(f"the answer is compressed, which was not requested: {packing[:20]!r}")
        body = bytearray()
        async for chunk in response.aiter_raw():
            body += chunk
            if len(body) > self._largest:
                raise UnreadableAnswerError(f"the answer is too long: more than {self._largest} bytes")
        kind = response.headers.get("content-type", "").partition(";")[0][:80]
        return httpx.Response(response.status_code, headers={"content-type": kind}, content=bytes(body))


def _told(error: BaseException) -> str:
    """Return the operating system's message, which the layers above it hide."""
    while cause := error.__cause__ or error.__context__:
        error = cause
    if isinstance(error, ConnectionError) and error.errno:
        return f"[Errno {error.errno}] {os.strerror(error.errno)}"  # asyncio replaces the system's message
    return str(error)
