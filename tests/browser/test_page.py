"""The page in Chromium: tree, picture, search, details, by keyboard, in any width."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from browser.conftest import Opened
from hostile_page import hostile
from large_models import experts, unrolled

import blox as bx
from blox.demo_data import read
from blox.schema import from_bytes
from blox.show.page.content import content

pytestmark = pytest.mark.browser

Show = Callable[..., Opened]
MODELS = Path(__file__).parents[1] / "models"
NAMES = sorted(p.stem for p in MODELS.glob("*.json"))
READY = "document.documentElement.dataset.ready"


def model(name: str) -> bx.Graph:
    if name == "demo":
        return from_bytes(read("graph.json"))
    return from_bytes((MODELS / f"{name}.json").read_bytes())


# --- All of a model ------------------------------------------------------------------


@pytest.mark.parametrize("name", [*NAMES, "demo"])
def test_every_row_has_its_picture_and_details(show: Show, name: str) -> None:
    """Opens all that can be opened; pictures have every node, lines their types."""
    graph = model(name)
    opened = show(graph)
    opened.page.locator("#tree").focus()
    parts, lines = {}, []
    last = None
    while (state := opened.state)["path"] != last:
        last = state["path"]
        if state["closed"]:
            opened.press("ArrowRight")
            state = opened.state
        parts[state["crumbs"]] = len(state["boxes"])
        lines += state["lines"]
        opened.press("ArrowDown")
    data = content(graph)
    for place, part in enumerate(data["parts"]):
        if reached(data, place):
            boxes = [len(part.get(kind, [])) for kind in ("inputs", "nodes", "outputs")]
            assert sum(boxes) in parts.values(), part["name"]
    assert lines
    assert [line for line in lines if "[" not in line and "key" not in line] == []


def reached(data: Any, place: int) -> bool:
    """True for a function that an entry runs."""
    todo, seen = [part for _, part in data["entries"]], set()
    while todo:
        at = todo.pop()
        if at not in seen:
            seen.add(at)
            nodes = data["parts"][at].get("nodes", [])
            todo += [c["part"] for n in nodes for c in n.get("calls", [])]
    return place in seen


# --- Keyboard ------------------------------------------------------------------------


def test_the_tree_folds_by_keyboard(show: Show) -> None:
    opened = show(model("demo"))
    opened.page.locator("#tree").focus()
    assert opened.name == "digits"
    opened.press("ArrowDown", "ArrowDown")
    assert opened.name == "multiply_1"
    assert opened.chosen.get_attribute("aria-level") == "3"
    opened.press("ArrowDown", "ArrowDown", "ArrowDown", "ArrowDown")
    assert (opened.name, opened.closed) == ("blocks", True)
    assert opened.chosen.get_attribute("aria-setsize") == "13"
    assert "blocks \u00d7 2" in opened.boxes
    opened.press("ArrowRight")
    assert not opened.closed
    assert opened.here == "blocks \u00d7 2"
    opened.press("ArrowRight")
    assert opened.chosen.get_attribute("aria-posinset") == "1"
    opened.press("ArrowLeft", "ArrowLeft")
    assert (opened.name, opened.closed) == ("blocks", True)
    opened.press("Enter", "Enter", "End")
    assert opened.name == "head"
    opened.press("Home")
    assert opened.name == "digits"
    active = opened.page.locator("#tree").get_attribute("aria-activedescendant")
    assert active == opened.chosen.get_attribute("id")


def test_an_entry_folds_too(show: Show) -> None:
    opened = show(model("demo"))
    opened.page.locator("#tree").focus()
    opened.press("ArrowDown", "ArrowLeft")
    assert (opened.name, opened.closed) == ("main", True)
    assert "stem" in " ".join(opened.boxes)
    assert opened.page.locator('[role="treeitem"]').count() == 2


@pytest.mark.parametrize("name", ["tiny_gpt", "control_flow", "small_resnet"])
def test_no_order_of_keys_is_a_fault(show: Show, name: str) -> None:
    """`show` holds that the page said nothing."""
    opened = show(model(name))
    opened.page.locator("#tree").focus()
    drawn = random.Random(name)
    keys = "ArrowDown ArrowUp ArrowLeft ArrowRight Home End Enter * PageDown Escape Tab"
    for _ in range(150):
        opened.press(drawn.choice([*keys.split(), "Shift+Tab", "Space", "/", "a"]))
    assert opened.boxes


def test_everything_is_reached_by_tab_and_seen(show: Show) -> None:
    opened = show(model("demo"))
    found = []
    for _ in range(16):
        opened.press("Tab")
        found.append(opened.ask("document.activeElement.id"))
    wanted = ["search", "theme", "measure", "tree", "out", "fit", "in", "picture"]
    assert [name for name in found if name in wanted][:8] == wanted
    assert {"tab-about", "panel"} <= set(found)
    opened.page.locator("#search").focus()
    assert opened.ask(
        "getComputedStyle(document.activeElement).outlineStyle !== 'none'"
    )


def test_search_finds_names_ops_and_paths(show: Show) -> None:
    opened = show(model("minilm"))
    opened.press("/")
    opened.page.keyboard.type("query")
    hits = opened.page.locator("#found [role=option]")
    assert hits.first.inner_text().startswith("query")
    opened.press("Enter")
    assert opened.name == "query"
    assert opened.page.locator(".panel .path").inner_text().endswith("attention.query")
    assert opened.ask("document.activeElement.id") == "tree"
    opened.press("/")
    opened.page.keyboard.type("layer_norm encoder")
    assert hits.count() >= 2
    opened.press("ArrowDown")
    assert hits.nth(1).get_attribute("aria-selected") == "true"
    opened.press("Escape")
    assert opened.page.locator("#found").is_hidden()
    opened.press("/")
    opened.page.keyboard.type("nothing of that name")
    assert hits.count() == 0
    assert opened.page.locator("#count").inner_text() == "0 found"


# --- What is selected ----------------------------------------------------------------


def test_details_json_and_code_of_a_node(show: Show) -> None:
    graph = model("demo")
    opened = show(graph)
    opened.press("/")
    opened.page.keyboard.type("wide")
    opened.press("Enter", "ArrowRight")  # open or not, it is the node
    assert not opened.closed
    panel = opened.page.locator("#panel")
    assert "float32[3, 3, 16, 32]" in panel.inner_text()
    assert "4,608" in panel.inner_text()
    assert "of the model\n24 %" in panel.inner_text()
    opened.page.locator("#tab-about").focus()
    opened.press("ArrowRight")
    text = json.loads(f"{{{panel.inner_text()}}}")
    assert text["wide"] == graph.plain()["functions"]["main"]["nodes"]["wide"]
    opened.press("ArrowRight")
    code = panel.inner_text()
    assert "def digits(" in code
    assert 'params["wide"]' in panel.locator(".marked").first.inner_text()
    opened.page.locator("#crumbs button").first.click()
    assert panel.inner_text().strip() == bx.generate(graph).strip()


def test_boxes_and_sources_lead_to_their_rows(show: Show) -> None:
    opened = show(model("demo"))
    opened.page.locator(".vertex", has_text="stem_norm").click()
    assert opened.name == "stem_norm"
    opened.page.locator("#panel button", has_text="stem").click()
    assert opened.name == "stem"
    assert opened.page.locator(".vertex.chosen").text_content() == "stemconv  ·  144"
    opened.page.locator(".vertex", has_text="blocks").dblclick()
    assert opened.here == "blocks \u00d7 2"


def test_the_last_column_shows_what_is_asked_for(show: Show) -> None:
    opened = show(model("demo"))
    row = opened.page.locator('[role="treeitem"]').nth(4).locator(".count")
    assert row.inner_text() == "144"
    opened.page.locator("#measure").select_option("bytes")
    assert row.inner_text() == "576 B"
    opened.page.locator("#measure").select_option("flops")
    assert "·batch" in row.inner_text()


# --- Colours and widths --------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_are_those_of_the_system_until_changed(show: Show, scheme: str) -> None:
    opened = show(model("demo"), color_scheme=scheme)
    ground = "getComputedStyle(document.body).backgroundColor"
    colours = {"light": "rgb(246, 247, 248)", "dark": "rgb(18, 21, 24)"}
    other = {"light": "dark", "dark": "light"}[scheme]
    assert opened.ask(ground) == colours[scheme]
    opened.page.locator("#theme").click()
    assert opened.ask(ground) == colours[other]
    opened.page.reload()
    assert opened.ask(ground) == colours[other]


@pytest.mark.parametrize("name", ["demo", "minilm", "small_resnet"])
@pytest.mark.parametrize("width", [320, 480, 800, 1100, 1920])
def test_no_width_scrolls_the_page_sideways(show: Show, name: str, width: int) -> None:
    """320 pixels are 1280 at a zoom of 400 %."""
    opened = show(model(name), width=width, height=256 if width == 320 else 800)
    for tab in ("about", "spec", "code"):
        opened.page.locator(f"#tab-{tab}").click()
        assert opened.state["width"] <= width
    for control in ("search", "theme", "tree", "picture", "panel"):
        found = opened.page.locator(f"#{control}").bounding_box()
        assert found is not None
        assert found["x"] >= 0
        assert found["x"] + found["width"] <= width
        assert found["height"] > 20


# --- Large, hostile, in a notebook ---------------------------------------------------


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("126 layers x 128 experts", lambda: experts(126, 128)),
        ("9,000 nodes in one function", lambda: unrolled(3000)),
    ],
)
def test_large_models_open(
    show: Show, capsys: pytest.CaptureFixture[str], name: str, make: Any
) -> None:
    """What is made at once is bounded; how long it took is printed."""
    opened = show(make())
    first = opened.ask(READY)
    opened.page.reload()
    with capsys.disabled():
        print(f"\n{name}: open after {first} ms, again after {opened.ask(READY)} ms")
    opened.page.locator("#tree").focus()
    opened.press("*", "End")
    assert opened.page.locator('[role="treeitem"]').count() < 70
    assert 1 <= len(opened.boxes) <= 220


def test_a_large_function_is_shown_around_what_is_chosen(show: Show) -> None:
    opened = show(unrolled(400))
    assert "of 1,202 boxes" in opened.page.locator("#note").inner_text()
    opened.page.locator("#tree").focus()
    opened.press("End")
    assert {"sum_399", "y"} <= {*opened.boxes}
    opened.press("ArrowUp")
    assert opened.page.locator(".vertex.chosen").text_content() == "act_399gelu"


def test_a_hostile_file_stays_inert(show: Show) -> None:
    """Every row and tab is visited; `show` holds that nothing happened meanwhile."""
    opened = show(hostile(), width=900)
    before = opened.ask("document.querySelectorAll('script, style, meta').length")
    opened.page.locator("#tree").focus()
    for _ in range(24):
        for tab in ("about", "spec", "code"):
            opened.page.locator(f"#tab-{tab}").click()
            assert opened.state["width"] <= 900
        opened.page.locator("#tree").focus()
        opened.press("ArrowRight" if opened.closed else "ArrowDown")
    opened.press("/")
    opened.page.keyboard.type("<img src=x onerror=alert(1)> __proto__ constructor")
    opened.press("Escape")
    assert opened.ask("window.harmed") is None
    forbidden = "img, iframe, a, object, embed, base, link, form, svg svg"
    assert opened.ask(f"document.querySelectorAll('{forbidden}').length") == 0
    again = opened.ask("document.querySelectorAll('script, style, meta').length")
    assert again == before


def test_the_policy_stops_what_text_alone_would_not(show: Show) -> None:
    """Were a fault to write markup, it would not run."""
    opened = show(model("demo"))
    said = opened.ask(
        "(() => { try { document.body.innerHTML = '<b>x</b>'; return 'written' }"
        " catch (error) { return error.name } })()"
    )
    assert said == "TypeError"
    opened.events[:] = [e for e in opened.events if "TrustedHTML" not in e]


def test_a_notebook_shows_it_in_a_frame(show: Show) -> None:
    html = bx.Graph.parse(model("demo").plain())._repr_html_()
    assert html is not None
    opened = show(f"<!DOCTYPE html><title>notebook</title>{html}")
    frame = opened.page.frame_locator("iframe")
    assert frame.locator('[role="treeitem"]').count() > 5
    frame.locator("#theme").click()  # the frame has no storage
    frame.locator("#tree").focus()
    opened.press("End")
    text = frame.locator('[aria-selected="true"] .name').first.inner_text()
    assert text == "head"
    opened.events[:] = [e for e in opened.events if "about:srcdoc" not in e]
