"""The pictures of docs/show.md: `python tests/browser/screenshots.py`, with the extra
`browser`, Pillow, and Chromium installed."""

from __future__ import annotations

import io
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image
from playwright.sync_api import sync_playwright

from blox.io.spec import read_graph
from blox.show.page.html import page

ROOT = Path(__file__).resolve().parents[2]
MODELS = {
    "demo": ROOT / "blox" / "demo_data" / "graph.json",
    "minilm": ROOT / "tests" / "models" / "minilm.json",
    "resnet": ROOT / "tests" / "models" / "small_resnet.json",
}
SHOTS = [
    ("demo", "light", "blocks", ["ArrowRight", "ArrowRight", "ArrowDown"], "about"),
    ("demo", "dark", "wide", [], "code"),
    ("minilm", "light", "attention", ["ArrowRight", "ArrowRight"], "about"),
    ("minilm", "dark", "attention", ["ArrowRight", "ArrowRight"], "code"),
    ("resnet", "light", "stage_2", [], "about"),
    ("resnet", "dark", "stage_1", ["ArrowRight", "ArrowRight"], "spec"),
]
"""Model, theme, the row that is searched, keys behind that, the tab."""


def main() -> None:
    program = shutil.which("chromium") or shutil.which("google-chrome")
    with TemporaryDirectory() as folder, sync_playwright() as driver:
        pages = {name: Path(folder, f"{name}.html") for name in MODELS}
        for name, file in pages.items():
            file.write_text(page(read_graph(MODELS[name])), encoding="utf-8")
        browser = driver.chromium.launch(executable_path=program)
        for name, theme, row, keys, tab in SHOTS:
            context = browser.new_context(
                viewport={"width": 1360, "height": 820},
                color_scheme="dark" if theme == "dark" else "light",
            )
            opened = context.new_page()
            opened.goto(pages[name].as_uri())
            opened.keyboard.press("/")
            opened.keyboard.type(row)
            opened.keyboard.press("Enter")
            for key in keys:
                opened.keyboard.press(key)
            opened.locator(f"#tab-{tab}").click()
            opened.locator("#search").fill("")
            image = Image.open(io.BytesIO(opened.screenshot()))
            file = ROOT / "docs" / "images" / f"show-{name}-{theme}.png"
            image.convert("RGB").quantize(128).save(file, optimize=True)
            print(f"{file.relative_to(ROOT)}: {file.stat().st_size:,} bytes")
        browser.close()


if __name__ == "__main__":
    main()
