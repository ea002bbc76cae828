"""A real browser (Debian's Chromium, driven by Playwright); a screenshot of every test lands in reports/browser."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

REPO = Path(__file__).parents[2]
SCREENSHOTS = REPO / "reports" / "browser"
SIZE = {"width": 1500, "height": 1000}


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    program = shutil.which("chromium")
    assert program, "apt-get install chromium (hack/test.sh does)"
    with sync_playwright() as playwright:
        # Pods and this machine are one trust domain, and root cannot have Chromium's own sandbox.
        chromium = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page of its own; errors on its console fail the test."""
    page = browser.new_page(viewport=SIZE)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    yield page
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{request.node.name}.png", full_page=True)
    page.close()
    assert errors == []
