"""HTTP requests with errors that name the request and its outcome."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from wakee_common.errors import ConfigurationError, UnavailableError, one_line
from wakee_common.http import BoundedClient, UnreadableAnswerError

from wakee_health.errors import WrongAnswerError
from wakee_health.probes.timing import Stopwatch

LARGEST_EXCERPT = 80
LARGEST_ANSWER = 4 << 20


class Site:
    """Client of one service. Paths are relative to its base address, and every call is timed.

    Args:
        name: Readable name, with which every message starts.
        url: Base address.
        timeout_seconds: For one exchange, from the request to the last byte of the response.
        headers: Sent with every request.
    """

    def __init__(self, name: str, url: str, timeout_seconds: float, headers: dict[str, str] | None = None) -> None:
        self.name, self.url, self._timeout = name, url.rstrip("/"), timeout_seconds
        self.watch = Stopwatch()
        self._client = BoundedClient(largest_answer=LARGEST_ANSWER, headers=headers, follow_redirects=True)

    def __enter__(self) -> "Site":
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def ask(self, method: str, path: str, expected: int | tuple[int, ...] = 200, **content: Any) -> httpx.Response:
        """Send one request and return the response.

        Raises:
            UnavailableError: no response, a timeout, or a server error (5xx).
            WrongAnswerError: the status is not the expected one, or the response is too large.
            ConfigurationError: the address is invalid.
        """
        what = f"{self.name}: {method} {path}"
        with self._translated(what), self.watch.measured():
            response = self._client.request(method, f"{self.url}{path}", self._timeout, **content)
        if response.status_code in (allowed := expected if isinstance(expected, tuple) else (expected,)):
            return response
        if response.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
            raise UnavailableError(f"{what} answers {response.status_code}: {_excerpt(response)}")
        raise WrongAnswerError(f"{what} answers {response.status_code}, not {allowed[0]}: {_excerpt(response)}")

    def ask_json(self, method: str, path: str, expected: int | tuple[int, ...] = 200, **content: Any) -> dict[str, Any]:
        """Send one request and return the JSON object of the response. Raises the same errors as `ask`."""
        response = self.ask(method, path, expected, **content)
        try:
            answer = json.loads(response.content)
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict):
            raise WrongAnswerError(
                f"{self.name}: {method} {path} did not answer with a JSON object: {_excerpt(response)}"
            )
        return answer

    @contextmanager
    def _translated(self, what: str) -> Iterator[None]:
        try:
            yield
        except httpx.TimeoutException as error:
            raise UnavailableError(f"{what}: no answer within {self._timeout:g} s") from error
        except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
            raise ConfigurationError(f"{self.name}: {self.url!r} is not a valid address: {one_line(error)}") from error
        except UnreadableAnswerError as error:
            raise WrongAnswerError(f"{what}: {one_line(error)}") from error
        except httpx.HTTPError as error:
            raise UnavailableError(f"{what}: cannot be reached at {self.url}: {one_line(error)}") from error


def _excerpt(response: httpx.Response) -> str:
    return repr(one_line(response.text, LARGEST_EXCERPT))
