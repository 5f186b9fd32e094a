"""The page of a model: its policy, its data, and that text of a file is text in it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import jax
import pytest
from golden_models import EACH, graph_of
from hostile_page import hostile
from large_models import experts, unrolled

import blox as bx
from blox.demo_data import read
from blox.schema import from_bytes, to_json
from blox.show.page.html import _file, is_page, page

POLICY = "Content-Security-Policy"


@cache
def model(name: str) -> bx.Graph:
    made = {"hostile": hostile, "experts": lambda: experts(126, 128)}
    if name in made:
        make: Callable[[], bx.Graph] = made[name]
        return make()
    if name == "demo":
        return from_bytes(read("graph.json"))
    return graph_of(name)


@cache
def page_of(name: str) -> str:
    return page(model(name))


class Parsed(HTMLParser):
    """What a browser makes of a page: its tags in order, and the text of each kind."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[int, str] = {}  # by the number of the tag that it follows
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style", "title"):
            self.tags.append((f"/{tag}", {}))

    def handle_data(self, data: str) -> None:
        last = len(self.tags) - 1
        self.texts[last] = self.texts.get(last, "") + data  # it comes in pieces

    def text(self, kind: str) -> list[str]:
        """What stands in each tag of a name, or in that of an id."""
        return [
            self.texts[i]
            for i, (tag, given) in enumerate(self.tags)
            if (given.get("id") or tag) == kind
        ]

    @property
    def data(self) -> Any:
        return json.loads("".join(self.text("data")))

    @property
    def policy(self) -> str:
        metas = [given for tag, given in self.tags if tag == "meta"]
        return next(m["content"] or "" for m in metas if m.get("http-equiv") == POLICY)


@pytest.mark.parametrize("name", [*EACH, "demo", "hostile"])
def test_all_pages_are_the_same_but_for_their_data(name: str) -> None:
    found, other = Parsed(page_of(name)), Parsed(page_of("demo"))
    assert found.tags == other.tags
    assert found.policy == other.policy
    assert found.text("title")[0] == model(name).name
    for kind in ("script", "style"):
        assert found.text(kind) == other.text(kind)


def test_the_policy_names_what_the_page_runs_and_nothing_else() -> None:
    found = Parsed(page_of("demo"))

    def digest(text: str) -> str:
        sha = hashlib.sha256(text.encode()).digest()
        return f"'sha256-{base64.b64encode(sha).decode()}'"

    rules = dict(rule.strip().split(" ", 1) for rule in found.policy.split(";"))
    assert rules.pop("default-src") == "'none'"
    assert rules.pop("script-src").split() == [digest(t) for t in found.text("script")]
    assert rules.pop("style-src").split() == [digest(t) for t in found.text("style")]
    assert rules == {
        "base-uri": "'none'",
        "form-action": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }


def test_a_page_points_nowhere_and_has_no_handlers() -> None:
    for tag, given in Parsed(page_of("demo")).tags:
        assert tag not in {"a", "link", "img", "iframe", "object", "embed", "base"}
        assert not {"src", "href", "srcset", "style", "action"} & given.keys()
        assert not [name for name in given if name.startswith("on")]


def test_the_script_makes_no_markup_and_reaches_nothing() -> None:
    script = _file("assets/page.js")
    forbidden = (
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function"
        r"|fetch\(|XMLHttpRequest|WebSocket|import\(|location|open\(|\.href|\.src\b"
    )
    assert re.findall(forbidden, script) == []


def test_the_library_is_the_one_that_was_published() -> None:
    # @dagrejs/dagre 3.1.3, dist/dagre.min.js of the package on npm.
    digest = hashlib.sha256(_file("dagre/dagre.min.js").encode()).hexdigest()
    assert digest == DAGRE
    for text in Parsed(page_of("demo")).text("script"):
        assert "</script" not in text.lower()
        assert "sourceMappingURL" not in text
    assert _file("dagre/LICENSE").strip() in page_of("demo")
    assert "--" not in _file("dagre/LICENSE")  # it stands in a comment


DAGRE = "54a503e346f93ca0bb10abe7999587e037262935687aca45eb4e4b0f64bbb578"


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, dict)):
        for part in [*value.values(), *value] if isinstance(value, dict) else value:
            yield from texts(part)


def test_text_of_a_file_is_inert() -> None:
    assert "<img" not in page_of("hostile")
    data = Parsed(page_of("hostile")).data
    found = list(texts(data))
    assert any("{{ 7" in text and "<img src=x" in text for text in found)
    assert [t for t in found if not all(n.isprintable() for n in t.split("\n"))] == []
    about = dict(data["about"])
    assert about["nested"].startswith(r"[{")
    assert r"\u202e" in about["nested"]
    assert about["nested"].isprintable()
    assert r"\u202ereversed\u2066 \x1b[31m" in about["description"]


def test_long_texts_are_cut() -> None:
    assert len(page_of("hostile")) < len(page_of("demo")) + 60_000 * 2 * 45
    assert len(dict(Parsed(page_of("hostile")).data["about"])["license"]) < 3_000


def test_a_page_is_the_same_each_time() -> None:
    again = page(from_bytes(to_json(model("tiny_gpt")).encode()))
    assert again == page_of("tiny_gpt")


def test_sizes() -> None:
    assert len(page_of("demo")) < 1_500_000
    assert len(page_of("experts")) < 200_000
    folder = Path(page.__code__.co_filename).parent
    assert sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()) < 1_000_000


@pytest.mark.parametrize("name", [*EACH, "demo"])
def test_counts_are_those_of_the_arrays(name: str) -> None:
    data = Parsed(page_of(name)).data
    params = jax.eval_shape(lambda: bx.init(model(name), jax.random.key(0)))
    leaves = jax.tree.leaves(params)
    totals = data["totals"]
    assert totals["parameters"] + totals["state"] == sum(a.size for a in leaves)
    assert data["bytes"] == sum(a.size * a.dtype.itemsize for a in leaves)
    assert data["arrays"] == len(leaves)


@pytest.mark.parametrize("name", [*EACH, "demo"])
def test_every_function_node_and_edge_is_there(name: str) -> None:
    """Against the JSON of the file, which knows nothing of how it is resolved."""
    data = Parsed(page_of(name)).data
    functions = json.loads(to_json(model(name)))["functions"]
    for part in data["parts"]:
        spec = functions[part["name"]]
        assert [n["name"] for n in part.get("nodes", [])] == list(spec["nodes"])
        assert [i["name"] for i in part.get("inputs", [])] == list(spec["inputs"])
        for node in part.get("nodes", []):
            written = {
                k: v
                for k, v in spec["nodes"][node["name"]].items()
                if k not in ("params", "names")
            }
            given = json.dumps(written)
            sources = {t[1] for t in node.get("takes", []) if t[1]}
            assert node["op"] == spec["nodes"][node["name"]]["op"]
            assert all(f'"{source}' in given for source in sources)
            known = {*spec["nodes"], *spec["inputs"]}
            texts = re.findall(r'"([A-Za-z]\w*)(?:\.\w+)?"', given)
            fields = re.findall(r'"(\w+)":', given)
            assert sources >= {t for t in texts if t in known and t not in fields} - {
                node["op"], *functions
            }  # fmt: skip


@pytest.mark.parametrize("name", EACH)
def test_the_json_in_pieces_is_that_of_the_file(name: str) -> None:
    spec = Parsed(page_of(name)).data["spec"]
    data = json.loads(spec["head"])
    data["functions"] = {
        function: {
            **{key: json.loads(text) for key, text in found["before"]},
            "nodes": {key: json.loads(text) for key, text in found["nodes"].items()},
            **{key: json.loads(text) for key, text in found["after"]},
        }
        for function, found in spec["functions"].items()
    }
    assert data == json.loads(to_json(model(name)))


@pytest.mark.parametrize("name", ["demo", "tiny_gpt", "minilm"])
def test_the_code_is_the_generated_file_and_its_functions(name: str) -> None:
    code = Parsed(page_of(name)).data["code"]
    assert code["text"] == bx.generate(model(name))
    lines = code["text"].split("\n")
    assert {"main", *model(name).functions} <= {*code["functions"]}
    for function, (first, last) in code["functions"].items():
        title = model(name).name if function == "main" else function
        head = next(n for n in lines[first - 1 : last] if not n.startswith("@"))
        assert head.startswith(f"def {title}(")
        assert last == len(lines) or not lines[last].startswith(" ")


def test_code_of_a_large_model_is_left_out_and_the_page_says_so() -> None:
    data = Parsed(page(unrolled(700))).data
    assert data["code"] == {"note": "Left out: 2,100 nodes. `blox codegen` writes it."}
    assert len(data["parts"][0]["nodes"]) == 2_100


@pytest.mark.parametrize(
    ("dtype", "size"), [("bfloat16", 2), ("float32", 4), ("float64", 8)]
)
def test_types_are_those_of_the_weights(dtype: str, size: int) -> None:
    graph = model("demo")
    leaves = graph.program().leaves()
    data = Parsed(page(graph, dict.fromkeys(leaves, dtype))).data
    assert data["floats"] == dtype
    totals = data["totals"]  # its state is float32 in any model
    assert data["bytes"] == size * totals["parameters"] + 4 * totals["state"]
    (main,) = [p for p in data["parts"] if p["name"] == "main"]
    types = {n["name"]: n["gives"][0][1] for n in main["nodes"]}
    assert types["stem"] == f"{dtype}[batch, 8, 8, 16]"


def test_a_type_that_no_model_has_is_none_of_its() -> None:
    graph = model("demo")
    wrong = dict.fromkeys(graph.program().leaves(), "complex64")
    assert Parsed(page(graph, wrong)).data["floats"] == "float32"


def test_notebooks_show_the_page_in_a_frame_that_reaches_nothing() -> None:
    shown = model("demo")._repr_html_()
    assert shown is not None
    ((_, given),) = [t for t in Parsed(shown).tags if t[0] == "iframe"]
    assert given["sandbox"] == "allow-scripts"
    assert given["srcdoc"] == page_of("demo")


def test_a_faulty_graph_is_shown_with_its_faults() -> None:
    data = model("demo").plain()
    data["functions"]["main"]["nodes"]["stem"]["x"] = "nowhere"
    shown = bx.Graph.parse(data)._repr_html_()
    assert shown is not None
    assert "iframe" not in shown
    assert "main.stem.x" in shown


def test_pages_are_known() -> None:
    assert is_page(page_of("demo").encode())
    assert not is_page(b"<!DOCTYPE html><title>mine</title>")
