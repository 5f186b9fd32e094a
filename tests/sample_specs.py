"""Specs as plain data, for tests: small ones by keyword, whole ones by name."""

from __future__ import annotations

import copy
from typing import Any

Data = dict[str, Any]
X: Data = {"x": {"shape": ["batch", 8], "dtype": "float"}}


def function(
    nodes: Data, outputs: Data | str, inputs: Data | None = None, **more: Any
) -> Data:
    """A function of one untyped input x, where nothing else is said."""
    outputs = {"y": outputs} if isinstance(outputs, str) else outputs
    given = {"x": {}} if inputs is None else inputs
    return {"inputs": given, "nodes": nodes, "outputs": outputs, **more}


def spec(
    nodes: Data,
    outputs: Data | str | None = None,
    inputs: Data | None = None,
    functions: Data | None = None,
    **more: Any,
) -> Data:
    """A graph whose entry `main` has these nodes; the last one is the output."""
    outputs = next(reversed(nodes)) if outputs is None else outputs
    main = function(nodes, outputs, copy.deepcopy(X) if inputs is None else inputs)
    return {
        "format": "blox/1",
        "name": "model",
        **more,
        "functions": {"main": main, **(functions or {})},
    }


RELU: Data = {"op": "relu", "x": "x"}
TINY: Data = spec({"relu": RELU})

GPT: Data = {
    "format": "blox/1",
    "name": "tiny_gpt",
    "attributes": {"vocab": 256, "width": 64, "depth": 4, "heads": 4, "context": 128},
    "dims": {"seq": {"max": "$context"}},
    "functions": {
        "main": {
            "inputs": {"tokens": {"shape": ["batch", "seq"], "dtype": "int32"}},
            "nodes": {
                "wte": {
                    "op": "embed",
                    "ids": "tokens",
                    "num_embeddings": "$vocab",
                    "features": "$width",
                },
                "h": {
                    "op": "repeat",
                    "function": "block",
                    "count": "$depth",
                    "scan": True,
                    "carry": {"x": "wte"},
                },
                "ln_f": {
                    "op": "layer_norm",
                    "x": "h",
                    "features": "$width",
                    "eps": 1e-05,
                },
                "head": {"op": "unembed", "x": "ln_f", "params": "wte"},
            },
            "outputs": {"logits": "head"},
        },
        "block": {
            "inputs": {"x": {}},
            "nodes": {
                "ln_2": {
                    "op": "layer_norm",
                    "x": "x",
                    "features": "$width",
                    "eps": 1e-05,
                },
                "mlp": {"op": "call", "function": "mlp", "inputs": {"x": "ln_2"}},
                "out": {"op": "add", "a": "x", "b": "mlp"},
            },
            "outputs": {"x": "out"},
        },
        "mlp": {
            "inputs": {"x": {}},
            "nodes": {
                "up": {
                    "op": "linear",
                    "x": "x",
                    "in_features": "$width",
                    "out_features": "$4 * width",
                },
                "gelu": {"op": "gelu", "x": "up", "approximate": True},
                "down": {
                    "op": "linear",
                    "x": "gelu",
                    "in_features": "$4 * width",
                    "out_features": "$width",
                },
            },
            "outputs": {"x": "down"},
        },
    },
    "metadata": {"license": "MIT", "source": "...", "citation": "..."},
}

CONTROL: Data = spec(
    {
        "rng": {"op": "rng"},
        "table": {"op": "constant", "value": [[1, 2], [3, 4]], "dtype": "int32"},
        "zero": {"op": "zeros", "shape": [], "dtype": "float"},
        "first": {
            "op": "call",
            "function": "stage",
            "inputs": {"x": "x"},
            "attributes": {"features": 8, "scale": 1},
        },
        "second": {
            "op": "call",
            "function": "stage",
            "inputs": ["first"],
            "attributes": {"features": "$width", "scale": 0.5},
            "params": "first",
            "remat": "nothing_saveable",
        },
        "loop": {
            "op": "repeat",
            "function": "layer",
            "count": 3,
            "scan": False,
            "carry": {"x": "second"},
            "xs": {"rate": [0.1, 0.2, 0.3]},
            "inputs": {"key": "rng"},
            "attributes": {"features": [8]},
        },
        "total": {
            "op": "scan",
            "function": "accumulate",
            "carry": {"total": "zero"},
            "xs": {"x": "loop"},
            "axis": 1,
        },
        "lanes": {
            "op": "map",
            "function": "shift",
            "xs": {"x": "loop"},
        },
        "even": {"op": "equal", "a": 2, "b": "zero"},
        "either": {
            "op": "cond",
            "predicate": "even",
            "then": "shift",
            "else": "same",
            "inputs": {"x": "lanes"},
        },
        "until": {
            "op": "while_loop",
            "cond": "small",
            "body": "grow",
            "carry": {"x": "total.total"},
            "max_steps": 9,
        },
        "halves": {"op": "split", "x": "either", "names": ["a", "b"], "axis": -1},
        "last": {"op": "index", "x": "halves.b", "at": "..., $width // 8 - 1:, None"},
    },
    outputs={"y": "last", "sums": "until", "parts": "total.parts", "table": "table"},
    functions={
        "stage": function(
            {
                "up": {
                    "op": "linear",
                    "x": "x",
                    "in_features": "$features",
                    "out_features": "$features",
                    "init": {"kernel": {"name": "normal", "stddev": 0.5}},
                    "axes": {"kernel": ["embed", None]},
                    "frozen": ["bias"],
                },
                "by": {"op": "multiply", "a": "up", "b": "$scale"},
            },
            "by",
            attributes=["features", "scale"],
        ),
        "layer": function(
            {
                "norm": {
                    "op": "batch_norm",
                    "x": "x",
                    "features": "$features",
                    "momentum": 0.9,
                    "eps": 1e-05,
                },
                "drop": {"op": "dropout", "x": "norm", "key": "key", "rate": 0.1},
                "scaled": {"op": "multiply", "a": "drop", "b": "rate"},
            },
            {"x": "scaled"},
            {"x": {}, "rate": {}, "key": {"dtype": "key", "optional": True}},
            attributes=["features"],
        ),
        "accumulate": function(
            {
                "part": {"op": "sum", "x": "x", "axis": None, "keepdims": False},
                "next": {"op": "add", "a": "total", "b": "part"},
            },
            {"total": "next", "parts": "part"},
            {"total": {}, "x": {}},
        ),
        "shift": function({"more": {"op": "add", "a": "x", "b": 1.5}}, "more"),
        "same": function({}, "x"),
        "small": function({"less": {"op": "less", "a": "x", "b": 10.0}}, "less"),
        "grow": function(
            {"twice": {"op": "multiply", "a": "x", "b": 2}}, {"x": "twice"}
        ),
    },
    attributes={"width": 8},
    metadata={"authors": ["a"], "tags": ["t"], "extra": {"one": 1, "half": 0.5}},
)
"""Every control op, state, keys, shared parameters, literals."""
