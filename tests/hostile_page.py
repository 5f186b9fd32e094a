"""A Graph whose every free text means harm to the page that shows it."""

from __future__ import annotations

from typing import Any

from blox.schema import Graph

EVIL = (
    "</script></style></title><script>window.harmed = 1; alert(1)</script>"
    "<img src=x onerror='window.harmed = 1'><svg onload=alert(1)>"
    '<!--<script>--><a href="javascript:window.harmed=1">here</a>'
    "<iframe src=https://example.invalid/></iframe>"
    "<meta http-equiv=refresh content='0;url=https://example.invalid/'>"
    "<base href=https://example.invalid/> {{ 7 * 7 }} {% raw %} &lt;script&gt; "
    "\u202ereversed\u2066 \x1b[31m \r\n \u2028 ]]> ${1} \\u003c/script\\u003e \ud800 "
    "__proto__ constructor javascript:alert(1)"
)
LONG = "W" * 60_000


def hostile() -> Graph:
    """Sound as a model; its docs and metadata are `EVIL` or `LONG`."""
    evil = EVIL.replace("\ud800", "")
    depth = 16
    functions: dict[str, Any] = {
        "constructor": _function({"relu": {"op": "relu", "x": "x"}}, "relu", evil)
    }
    for i in range(1, depth):
        below = "constructor" if i == 1 else f"f{i - 1}"
        call = {"op": "call", "function": below, "inputs": {"x": "x"}}
        functions[f"f{i}"] = _function({"constructor": call}, "constructor", LONG)
    main = _function(
        {
            "toString": {"op": "linear", "x": "x", "in_features": 4, "out_features": 4},
            "deep": {
                "op": "call",
                "function": f"f{depth - 1}",
                "inputs": {"x": "toString"},
            },
        },
        "deep",
        evil,
    )
    main["inputs"]["x"] = {"shape": ["batch", 4], "dtype": "float", "doc": evil}
    main["outputs"]["y"] = {"value": "deep", "doc": evil}
    return Graph.parse(
        {
            "format": "blox/1",
            "name": "hostile",
            "functions": {**functions, "main": main},
            "metadata": {
                "description": evil,
                "license": LONG,
                "source": "javascript:alert(1)",
                "citation": evil,
                "authors": [evil, LONG],
                "tags": [evil],
                "extra": {evil[:60]: evil, "__proto__": evil, "n": 1e308}
                | {"nested": [{evil[:60]: [evil, None, {"__proto__": evil}]}]},
            },
        }
    )


def _function(nodes: dict[str, Any], output: str, doc: str) -> dict[str, Any]:
    return {
        "doc": doc,
        "inputs": {"x": {"doc": doc}},
        "nodes": nodes,
        "outputs": {"y": output},
    }
