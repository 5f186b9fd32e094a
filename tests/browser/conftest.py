"""Chromium, and pages of models in it that remember all that they did."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import blox as bx
from blox.show.page.html import page

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")

STATE = """(() => {
  const row = document.querySelector('[role="treeitem"][aria-selected="true"]');
  return {
    name: row.querySelector('.name').textContent,
    path: row.querySelector('.main').title,
    closed: row.getAttribute('aria-expanded') === 'false',
    crumbs: [...document.querySelectorAll('#crumbs button')]
      .map(b => b.textContent).join('/'),
    boxes: [...document.querySelectorAll('.vertex')]
      .map(v => v.querySelector('text').textContent.replace(/\\s+/g, ' ')),
    lines: [...document.querySelectorAll('.edge')].map(e => e.textContent),
    width: document.documentElement.scrollWidth,
  };
})()"""


@dataclass
class Opened:
    """A page in the browser, and what happened there that should not."""

    page: Page
    url: str
    events: list[str] = field(default_factory=list)

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def ask(self, script: str) -> Any:
        return self.page.evaluate(script)

    @property
    def chosen(self) -> Any:
        """The row of the tree that is selected."""
        return self.page.locator('[role="treeitem"][aria-selected="true"]')

    @property
    def state(self) -> Any:
        """The selected row's name and path, whether it is closed, and the picture."""
        return self.ask(STATE)

    @property
    def name(self) -> Any:
        return self.state["name"]

    @property
    def closed(self) -> bool:
        return bool(self.state["closed"])

    @property
    def boxes(self) -> Any:
        """The titles of the boxes of the picture."""
        return self.state["boxes"]

    @property
    def here(self) -> Any:
        """The function that is pictured, by the last of the names above it."""
        return self.state["crumbs"].rpartition("/")[2]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    assert program, f"expected one of {', '.join(PROGRAMS)} to be installed"
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program)
        yield browser
        browser.close()


def _dismissed(dialog: Any, events: list[str]) -> None:
    events.append(f"dialog: {dialog.message}")
    dialog.dismiss()


@pytest.fixture
def show(chromium: Browser, tmp_path: Path) -> Iterator[Callable[..., Opened]]:
    """`show(graph, width=1440)` opens the page of a model; at the end nothing may have
    happened: no message, error, dialog, request or navigation."""
    opened: list[Opened] = []

    def run(
        graph: bx.Graph | str, *, width: int = 1440, height: int = 900, **more: Any
    ) -> Opened:
        file = tmp_path / f"page_{len(opened)}.html"
        text = graph if isinstance(graph, str) else page(graph)
        file.write_text(text, encoding="utf-8")
        context = chromium.new_context(
            viewport={"width": width, "height": height}, **more
        )
        found = Opened(context.new_page(), file.as_uri())
        opened.append(found)
        events = found.events
        found.page.on("console", lambda m: events.append(f"console: {m.text}"))
        found.page.on("pageerror", lambda e: events.append(f"error: {e}"))
        found.page.on("popup", lambda p: events.append(f"popup: {p.url}"))
        found.page.on("download", lambda d: events.append(f"download: {d.url}"))
        found.page.on("dialog", lambda d: _dismissed(d, events))
        found.page.on("request", lambda r: events.append(f"request: {r.url}"))
        found.page.on("framenavigated", lambda f: events.append(f"navigated: {f.url}"))
        found.page.goto(found.url)
        return found

    yield run
    for found in opened:
        own = {f"request: {found.url}", f"navigated: {found.url}"}
        assert [e for e in found.events if e not in own] == []
        assert found.page.url == found.url
        found.page.context.close()
