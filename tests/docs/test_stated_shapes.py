"""The shapes that pages of ops state, `(..., n) -> (...)`, are those of the shape engine."""

from __future__ import annotations

import inspect
import re
from typing import Any

import pytest
from ops.rows import ROWS
from sample_specs import spec

from blox.schema import Graph, op_class, op_names
from blox.schema.op import Op, ScopeOp
from blox.show.flops import measure

GROUP = r"\(([^()]*)\)(?: (integer|bool|float32))?"
STATED = re.compile(
    rf"((?:^|[.:;,]? )(?:\w+ )?{GROUP}(?:,? (?:and )?(?:\w+ )?{GROUP})*)"
    rf" -> ({GROUP}(?:, {GROUP})*)"
)
LEAD = [5]
SIZES = {"in_features": 4, "features": 6, "out_features": 10, "num_embeddings": 7,
         "num_classes": 9, "dim": 8, "a": 2, "b": 3, "c": 5, "n": 12, "m": 4, "k": 7,
         "q": 11, "r": 2, "i": 3, "time": 3, "heads": 2, "head_dim": 8, "kv_heads": 2,
         "groups": 1, "value_dim": 6, "size": 3, "repeats": 2, "before": 1,
         "after": 2, "n_fft": 4, "hop": 2}  # fmt: skip
SEVERAL = ("...", "i...", "spatial...", "places...", "sizes...")
"""Axes, any number of them; a text that has others is read by people alone."""
AXES = {"keepdims": False, "axis": -1, "start": -3, "axis1": -2, "axis2": -1}
"""Those of the statements: "for axis -1", "with start -3"."""
FIXED: dict[str, dict[str, Any]] = {
    "tile": {"reps": [2]},
    "fftn": {"axis": [-1]},
    "ifftn": {"axis": [-1]},
    "rfftn": {"axis": [-2, -1]},
    "irfftn": {"axis": [-2, -1]},
    "fftshift": {"axis": [-1]},
    "ifftshift": {"axis": [-1]},
    "reshape": {"shape": ["...", 4, 16]},
    "stack": {"axis": 0, "xs": ["x0"] * 12},
    "conv": {"strides": 1},
    "max_pool": {"strides": 1, "padding": "SAME"},
    "min_pool": {"strides": 1, "padding": "SAME"},
    "avg_pool": {"strides": 1, "padding": "SAME"},
    "lp_pool": {"strides": 1, "padding": "SAME"},
    "max_pool_with_indices": {"strides": 1, "padding": "SAME"},
    "conv_transpose": {"strides": 1},
    "prelu": {"features": 12},
    "im2col": {"window": [6], "padding": "SAME"},
    "col2im": {"window": [6], "padding": "SAME", "sizes": [13]},
    "depth_to_space": {"block": [2, 3]},
    "space_to_depth": {"block": [2, 3]},
    "window_partition": {"window": [2, 3]},
    "window_merge": {"window": [2, 3], "sizes": [12, 18]},
    "split": {"names": ["u", "v", "w"], "sections": None},
}


class _Sizes(dict[str, int]):
    def __missing__(self, name: str) -> int:
        return 6


def docs(name: str) -> str:
    return " ".join((inspect.getdoc(op_class(name) or Op) or "").split())


def sizes(text: str) -> list[Any]:
    """The sizes of `..., 2 * n`, with numbers in place of names."""
    found: list[Any] = []
    for part in text.split(","):
        part = part.strip()
        if part in SEVERAL:
            found += [13] if part in ("spatial...", "places...") else LEAD
        elif part:
            found.append(int(eval(part, {"__builtins__": {}}, _Sizes(SIZES))))
    return found


def _dtype(operand: Any) -> str:
    """That of the row, where the text leaves it open."""
    dtype = str(getattr(operand, "dtype", "float"))
    return "float" if dtype.startswith("float") else dtype


def _each(operand: Any) -> list[Any]:
    return operand if isinstance(operand, list) else [operand]


def case(name: str) -> tuple[dict[str, Any], list[tuple[list[int], str]]] | None:
    """A Graph of the op as its text has it, and what it says that the op gives."""
    cls = op_class(name)
    assert cls is not None
    stated = STATED.search(docs(name))  # groups 1 and 6: what goes in, what comes out
    if issubclass(cls, ScopeOp) or stated is None or name not in ROWS:
        return None
    if not {*re.findall(r"\w*\.\.\.", stated[0])} <= {*SEVERAL}:
        return None
    given = re.findall(GROUP, stated[1])
    fields = cls.fields()
    operands = [f for f, o in fields.operands.items() if o.kind != "key"]
    many = len(operands) == 1 and fields.operands[operands[0]].many == "list"
    keyed = any(o.kind == "key" and not o.optional for o in fields.operands.values())
    if keyed or (len(given) != len(operands) and not many):
        return None
    row = ROWS[name][0]
    node: dict[str, Any] = {"op": name, **row.attributes}
    said = set(re.findall(r"\w+", stated[0]))
    node |= {f: _Sizes(SIZES)[f] for f in fields.minima if f in said and f != "sizes"}
    node |= {"sizes": LEAD} if "sizes..." in stated[0] else {}
    node |= {f: v for f, v in AXES.items() if f in fields.attributes}
    kinds = [_dtype(o) for of in row.operands for o in _each(of)]
    kinds += kinds[-1:] * len(given)
    inputs = {}
    for i, (text, dtype) in enumerate(given):
        kind = {"": kinds[i], "integer": "int32"}.get(dtype, dtype)
        inputs[f"x{i}"] = {"shape": sizes(text), "dtype": kind}
    taken = {operands[0]: list(inputs)} if many else zip(operands, inputs, strict=True)
    node = {**node, **dict(taken), **FIXED.get(name, {})}
    node = {k: v for k, v in node.items() if v is not None}
    outputs = [(sizes(s), t) for s, t in re.findall(GROUP, stated[6])]
    given_out = node.get("names") or (cls.OUTPUTS if len(cls.OUTPUTS) > 1 else None)
    read = {n: f"node.{n}" for n in given_out} if given_out else {"y": "node"}
    return spec({"node": node}, read, inputs), outputs


CASES = {name: found for name in op_names() if (found := case(name)) is not None}


@pytest.mark.parametrize("name", CASES)
def test_shapes_are_as_stated(name: str) -> None:
    data, stated = CASES[name]
    graph = Graph.parse(data)
    table = measure(graph).shapes
    found = table[graph.program().entries["main"]]["node"]
    for known, (shape, dtype) in zip(found, stated, strict=True):
        assert known is not None
        assert known.shape is not None
        assert list(known.shape) == shape
        assert str(known.dtype).startswith(dtype.removesuffix("eger"))


def test_most_ops_are_held_to_their_text() -> None:
    """The others say it in words: what an equation gives, what a mask is made of."""
    assert len(CASES) > 110
