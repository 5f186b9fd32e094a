"""Ops as nodes of a Graph, in the ways that decide the branches of their source."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from ops.rows import IMAGE, INTS, ROWS, Row, X

from blox.schema import Graph, op_class
from blox.schema.registry import definition

Case = tuple[str, dict[str, Any], tuple[Any, ...]]

# Attributes and operands that decide a branch otherwise than the row of the op does.
VARIANTS: list[Case] = [
    ("linear", {"in_features": 4, "out_features": 5, "use_bias": False}, (X,)),
    ("layer_norm", {"features": 4, "use_scale": False, "use_bias": False}, (X,)),
    ("layer_norm", {"features": 4, "use_bias": False}, (X,)),
    ("batch_norm", {"features": 4, "unbiased": True, "use_bias": False}, (IMAGE,)),
    ("batch_norm", {"features": 4, "use_scale": False}, (IMAGE,)),
    *(
        ("conv", {"in_features": 4, "out_features": 4, "kernel_size": [3, 3], **more}, (IMAGE,))
        for more in (
            {"padding": "CAUSAL", "use_bias": False, "groups": 2},
            {"padding": "SAME", "padding_mode": "circular", "strides": [2, 1]},
            {"padding": [[1, 0], [0, 2]], "padding_mode": "reflect", "dilation": 2},
            {"padding": "VALID", "dilation": [1, 2]},
        )
    ),
    ("rope_table", {"dim": 6, "scaling": "linear", "factor": 2.0}, (np.arange(4),)),
    ("rope", {"layout": "interleaved"}, ROWS["rope"].operands),
    ("sinusoidal", {"dim": 6, "layout": "interleaved"}, (np.arange(4),)),
    ("reshape", {"shape": [2, -1]}, (X,)),
    ("split", {"names": ["a", "b"], "axis": -1}, (X,)),
    ("split", {"names": ["only"], "axis": -1}, (X,)),
    ("pad", {"pad_width": [[1, 2]], "mode": "reflect"}, (X,)),
    ("arange", {"stop": 4}, ()),
    ("arange", {"stop": 4, "dtype": "float"}, ()),
    ("zeros", {"shape": [], "dtype": "bool"}, ()),
    ("flatten", {"start": -2, "stop": None}, (X,)),
    ("index", {"at": "-1"}, (X,)),
    ("index", {"at": "..., None, :, 1:-1:2"}, (X,)),
    ("sum", {"axis": None, "keepdims": False}, (X,)),
    ("sum", {"axis": [0, 1], "keepdims": False}, (X,)),
    ("logsumexp", {"axis": None, "keepdims": False}, (X,)),
    ("softmax", {"axis": [-1, -2]}, (X,)),
    ("squeeze", {"axis": [-1, -2]}, (X[:1, :1],)),
    ("flip", {"axis": None}, (X,)),
    ("clip", {}, (X, -1.0, None)),
    ("clip", {}, (X, -1, 1)),
    ("where", {}, (INTS > 1, 0.5, X)),
    ("one_hot", {"num_classes": 4, "axis": 0, "dtype": "int32"}, (INTS,)),
    ("astype", {"dtype": "bfloat16"}, (X,)),
    ("attention_mask", {"causal": False, "window": None}, (np.arange(3), np.arange(3))),
    (
        "attention_mask",
        {"causal": True, "window": None},
        (np.arange(3), np.arange(3), None, np.arange(3), np.arange(3)),
    ),
    *(
        ("dot_product_attention", {"heads_per_kv": n, "scale": scale}, tuple(operands))
        for n, scale, *operands in (
            (1, None, np.ones((3, 2, 6)), np.ones((5, 2, 6)), np.ones((5, 2, 7))),
            (1, 0.5, *(np.ones((3, 2, 6)),) * 3, None, np.ones((2, 3, 3))),
            (2, 0.5, np.ones((3, 4, 6)), *(np.ones((5, 2, 6)),) * 2, None, np.ones((4, 3, 5))),
            (2, None, np.ones((3, 4, 6)), *(np.ones((5, 2, 6)),) * 2, np.ones((4, 3, 5)) > 0),
        )
    ),
    ("dropout", {"rate": 0.5}, (X,)),
    ("dropout", {"rate": 0.0}, (X, jax.random.key(0))),
    ("dropout", {"rate": 0.5}, (X, jax.random.key(0))),
    ("random_normal", {"shape": [], "dtype": "float32"}, (jax.random.key(0),)),
    ("constant", {"value": 1.5, "dtype": "float"}, ()),
    ("constant", {"value": [True, False], "dtype": "bool"}, ()),
    ("max_pool", {"window": [2, 2], "padding": "SAME"}, (IMAGE,)),
    ("avg_pool", {"window": [2, 2], "strides": [1, 2], "count_include_pad": True}, (IMAGE,)),
    ("avg_pool", {"window": [3, 2], "strides": 2, "ceil_mode": True}, (IMAGE,)),
    ("norm", {"axis": -1, "keepdims": False, "ord": 1}, (X,)),
    ("add", {}, (X, 2)),
    ("subtract", {}, (2.0, X)),
    ("power", {}, (X, 2)),
    ("power", {}, (-2.0, X)),
    ("negative", {}, (X,)),
    ("minimum", {}, (X, 0)),
    ("take", {"axis": 0, "mode": "wrap"}, (X, 1)),
    ("dynamic_slice", {"size": [2], "axis": [-1]}, (X, [1])),
    ("dynamic_slice", {"size": [2, 1], "axis": [-1, 0]}, (X, [1, 0])),
    ("dynamic_update_slice", {"axis": [0, 1]}, (X, X[:1, :2], [1, 2])),
]  # fmt: skip


def add_node(
    functions_main: dict[str, Any],
    title: str,
    case: Case,
    optional: frozenset[str] = frozenset(),
) -> None:
    """A node of the entry, whose operands are inputs of the entry or numbers.

    `optional` names operands whose inputs may be left out.
    """
    name, attributes, operands = case
    cls = op_class(name)
    assert cls is not None
    node: dict[str, Any] = {"op": name, **attributes}
    inputs, outputs = functions_main["inputs"], functions_main["outputs"]

    def reference(field: str, value: Any) -> Any:
        if isinstance(value, (int, float)):
            return value
        dtype = jnp.asarray(value).dtype
        key = jnp.issubdtype(dtype, jax.dtypes.prng_key)
        kind = "key" if key else "float" if dtype == "float32" else dtype.name
        spec: dict[str, Any] = {"shape": list(np.shape(value)), "dtype": kind}
        if field in optional:
            spec["optional"] = True
        inputs[f"{title}_{field}"] = spec
        return f"{title}_{field}"

    fields = cls.fields().operands
    for (field, mark), value in zip(fields.items(), operands, strict=False):
        if mark.many:
            node[field] = [reference(f"x{i}", v) for i, v in enumerate(value)]
        elif value is not None:
            node[field] = reference(field, value)
    functions_main["nodes"][title] = node
    if name == "rng":
        drop = {"op": "dropout", "x": f"{title}_x", "key": title, "rate": 0.5}
        functions_main["nodes"][f"{title}_drop"] = drop
        inputs[f"{title}_x"] = {"shape": [3], "dtype": "float"}
        outputs[f"{title}_y"] = f"{title}_drop"
        return
    several = cls.OUTPUTS if len(cls.OUTPUTS) > 1 else [""]
    parts = node.get("names") or several
    outputs |= {f"{title}_{p or 'y'}": f"{title}.{p}".rstrip(".") for p in parts}


def python_name(key: str) -> str:
    """The name of an op where it has to be one of Python: `relu_v2`."""
    found = definition(key)
    assert found is not None
    return found.python_name


def new_main() -> dict[str, Any]:
    return {"inputs": {}, "nodes": {}, "outputs": {}}


def parsed(main: dict[str, Any], name: str) -> Graph:
    """A Graph of one entry; inputs that may be left out come last."""
    items = sorted(main["inputs"].items(), key=lambda item: "optional" in item[1])
    main["inputs"] = dict(items)
    return Graph.parse({"format": "blox/1", "name": name, "functions": {"main": main}})


def graph_of(name: str, attributes: dict[str, Any], operands: Sequence[Any]) -> Graph:
    """A Graph of one node."""
    main = new_main()
    add_node(main, "node", (name, attributes, tuple(operands)))
    return parsed(main, f"one_{python_name(name)}")


def case(name: str, row: Row) -> Case:
    return name, dict(row.attributes), row.operands


CASES = [*(case(name, row) for name, row in ROWS.items()), *VARIANTS]
IDS = [f"{i}-{name}" for i, (name, _, _) in enumerate(CASES)]
