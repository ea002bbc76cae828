"""`test-app-sourcing`: check the page on which people correct the scores."""

from urllib.parse import urlsplit

from wakee_health.errors import WrongAnswerError
from wakee_health.probes.timing import slowness
from wakee_health.probes.tls import days_left, expiry_warning
from wakee_health.probes.web import Site
from wakee_health.results import Latency, ProbeResult
from wakee_health.settings import ProbeSettings, SourcingSettings

NAME = "the sourcing page"


def probe(sourcing: SourcingSettings, settings: ProbeSettings, calls: int, slow_ms: float) -> ProbeResult:
    """Request the page a few times, and Streamlit's health endpoint.

    Raises:
        UnavailableError: no response, or a server error.
        WrongAnswerError: the response is not a page, or Streamlit's health is not `ok`.
    """
    days = days_left(sourcing.url, settings.timeout_seconds)
    with Site(NAME, sourcing.url, settings.timeout_seconds) as site:
        sizes = [_page(site) for _ in range(calls)]
        state = site.ask("GET", "/_stcore/health").text.strip()
        seconds = site.watch.seconds
    if state != "ok":
        raise WrongAnswerError(f"{NAME}: Streamlit's health is {state[:60]!r}, not 'ok'")
    facts = {"page_bytes": sizes[-1], "streamlit": state}
    facts |= {} if days is None else {"certificate_days_left": f"{days:.1f}"}
    warnings = slowness(NAME, Latency.of(seconds).p95_ms, slow_ms)
    return ProbeResult.of(seconds, facts, warnings + expiry_warning(urlsplit(sourcing.url).netloc, days))


def _page(site: Site) -> int:
    response = site.ask("GET", "/")
    kind = response.headers.get("content-type", "").partition(";")[0]
    if kind != "text/html" or "<html" not in response.text.lower() or "<title" not in response.text.lower():
        raise WrongAnswerError(
            f"{NAME}: GET / is not a web page but {kind or 'of unknown type'}: {response.text[:60]!r}"
        )
    return len(response.content)
