from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from supervisor.api.access import Access, digest
from tests.chromium import chromium
from tests.contract.dashboard.served import Dashboard, Loop, served
from tests.contract.dashboard.visitor import Visitor


@pytest.fixture(scope="package")
def loop() -> Iterator[Loop]:
    """The loop of everything but the browser."""
    loop = Loop()
    yield loop
    loop.stop()


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Headless Chromium."""
    found = chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox", "--enable-precise-memory-info"])
        yield browser
        browser.close()


@pytest.fixture
def dashboard(loop: Loop, tmp_path: Path) -> Iterator[Dashboard]:
    """A dashboard of twenty agents."""
    with served(loop, tmp_path) as dashboard:
        loop.run(dashboard.fill(20, trades=3))
        yield dashboard


@pytest.fixture
def guarded(loop: Loop, tmp_path: Path) -> Iterator[Dashboard]:
    """A dashboard whose token is s3cret."""
    with served(loop, tmp_path, Access(token_digest=digest("s3cret"))) as dashboard:
        yield dashboard


@pytest.fixture
def visitor(browser: Browser, dashboard: Dashboard) -> Iterator[Visitor]:
    """Somebody with a browser, whose page must report no error and ask no other host for anything."""
    visitor = Visitor(browser, dashboard.url)
    yield visitor
    visitor.leave()
