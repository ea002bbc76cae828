"""A real browser (Debian's Chromium, driven by Playwright); a screenshot of every test lands in reports/browser."""

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Error, Page, expect, sync_playwright

from support.cluster import airflow, model_in_production, query, retraining_paused, seed, store

__all__ = ["airflow", "model_in_production", "query", "retraining_paused", "seed", "store"]

AIRFLOW = "http://localhost:8080"
SCREENSHOTS = Path(__file__).parents[2] / "reports" / "browser"
NETWORK_CHANGED = "ERR_NETWORK_CHANGED"
NOT_OURS = re.compile(rf"{NETWORK_CHANGED}|/favicon\.ico|/mlflow/users/current")
"""Chromium drops its connections when a network interface comes or goes on this machine, as every pod's does, and asks
the object store for an icon; MLflow's page asks for a user, whom its server without logins does not know."""
VISITS = 8

expect.set_options(timeout=15_000)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    program = shutil.which("chromium")
    assert program, "apt-get install chromium (make test does)"
    with sync_playwright() as playwright:
        # Root cannot have Chromium's own sandbox.
        chromium = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def logged_in(browser: Browser) -> Iterator[BrowserContext]:
    """A context that has been through Airflow's login form."""
    context = browser.new_context(viewport={"width": 1500, "height": 1000})
    page = context.new_page()
    page.goto(AIRFLOW)
    page.locator("input[name=username]").fill("airflow")
    page.locator("input[name=password]").fill("airflow")
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{AIRFLOW}/")
    page.close()
    yield context
    context.close()


@pytest.fixture
def console() -> list[str]:
    """The errors on the page's console, but for those of visits that the network disturbed."""
    return []


@pytest.fixture
def page(logged_in: BrowserContext, console: list[str], request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page of its own; errors on its console fail the test."""
    page = logged_in.new_page()
    page.on("pageerror", lambda error: console.append(str(error)))
    page.on("console", lambda m: console.append(f"{m.text} {m.location.get('url')}") if m.type == "error" else None)
    yield page
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{request.node.name}.png", full_page=True)
    page.close()
    assert [error for error in console if not NOT_OURS.search(error)] == []


@pytest.fixture
def visit(page: Page, console: list[str]) -> Callable[[str, str], None]:
    """Open an address and wait for a text; again when the network changed meanwhile, which leaves half a page."""

    def open_page(address: str, text: str) -> None:
        before = len(console)
        for last in [False] * (VISITS - 1) + [True]:
            del console[before:]
            try:
                page.goto(address)
                expect(page.get_by_text(text).first).to_be_visible(timeout=8_000)
            except (Error, AssertionError):
                if last:
                    raise
            else:
                if not any(NETWORK_CHANGED in error for error in console[before:]):
                    return
        pytest.fail(f"{address}: the network changed during each of {VISITS} visits")

    return open_page
