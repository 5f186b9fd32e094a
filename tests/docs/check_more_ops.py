"""Run in the copy: the ops of `more_ops.md` in builder, loader, generated file and docs."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import blox as bx
from blox.schema import Graph, to_json

ROOT = Path(__file__).parents[2]

b = bx.GraphBuilder("adapted", width=4, units=6)


@b.entry(x=bx.Input(["batch", b.width]), h=bx.Input(["batch", b.units]))
def main(f: bx.F, x: bx.Value, h: bx.Value) -> dict[str, bx.Value]:
    y = f.linear("base", x, 2 * b.width)
    y = f.low_rank("adapter", x, y, rank=2)  # type: ignore[attr-defined]
    cell = f.memory_cell("cell", y, h, h)  # type: ignore[attr-defined]
    out = f.linear("out", f.relu(cell.c, name="act"), b.width)
    return {"h": cell.h, "out": out}


graph = b.graph()
nodes = graph.functions["main"].nodes
written = json.loads(to_json(graph))["functions"]["main"]["nodes"]
assert written["adapter"]["in_features"] == "$width", written["adapter"]
assert written["adapter"]["out_features"] == "$2 * width"
assert written["cell"]["in_features"] == "$2 * width", written["cell"]
assert written["cell"]["units"] == "$units"
assert written["out"]["in_features"] == "$units", written["out"]
assert written["act"]["op"] == "relu@2"  # the newest version is the method's

leaves = graph.program().leaves()
assert leaves["cell.input_kernel"].shape == (8, 24)

# A file of old means what it did; a function may have the name of the op.
data = json.loads(to_json(graph))
old = {"op": "relu", "x": "act"}
data["functions"]["main"]["nodes"]["old"] = old
data["functions"]["main"]["nodes"]["special"] = {"op": "gammasgn", "x": "x"}
data["functions"]["main"]["outputs"]["old"] = "old"
data["functions"]["main"]["outputs"]["special"] = "special"
both = Graph.parse(data)
assert Graph.parse(json.loads(to_json(both))) == both
model = bx.build(both)
params = bx.init(both, jax.random.key(0))
x, h = jnp.ones((3, 4)) / 2, jnp.ones((3, 6))
wanted = model(params, x, h)

source = bx.generate(both)
assert "jnp.maximum(" in source  # one call: the expression of relu@2 itself
assert "jax.nn.relu(" in source
assert "from jax.scipy import special" in source, source
space: dict[str, object] = {"__name__": "generated"}
exec(compile(source, "generated", "exec"), space)
found = space["adapted"](params, x, h)  # type: ignore[operator]
for a, c in zip(jax.tree.leaves(wanted), jax.tree.leaves(found), strict=True):
    np.testing.assert_array_equal(a, c)

page = (ROOT / "docs" / "ops" / "linear.md").read_text(encoding="utf-8")
assert "`(in_features, 4 * units)`" in page
assert "`(units, units * 4)`" in page
locked = json.loads(
    (ROOT / "schema" / "release" / "locked" / "activations.json").read_text("utf-8")
)
assert {"relu", "relu@2"} <= locked.keys()

# An initialiser and a dtype.
layer = {"op": "linear", "x": "x", "in_features": 4, "out_features": 4}
started = layer | {"init": {"kernel": {"name": "he_normal"}}}
stored = {"op": "buffer", "shape": [4], "dtype": "float8_e4m3fn"}
small_nodes = {"layer": started, "stored": stored}
outputs = {"y": "layer", "stored": "stored"}
inputs = {"x": {"shape": ["batch", 4], "dtype": "float"}}
main_ = {"inputs": inputs, "nodes": small_nodes, "outputs": outputs}
small = Graph.parse({"format": "blox/1", "name": "small", "functions": {"main": main_}})
own = bx.init(small, jax.random.key(1))
drawn = jax.nn.initializers.he_normal()(
    jax.random.fold_in(jax.random.key(1), zlib.crc32(b"layer.kernel")), (4, 4)
)
np.testing.assert_array_equal(own["layer"]["kernel"], drawn)
space = {"__name__": "generated"}
exec(compile(bx.generate(small), "generated", "exec"), space)
made = space["init_params"](jax.random.key(1))  # type: ignore[operator]
np.testing.assert_array_equal(made["layer"]["kernel"], drawn)
assert made["stored"].dtype == own["stored"].dtype == jnp.float8_e4m3fn

# A version that this library has not yet.
data["functions"]["main"]["nodes"]["old"] = old | {"op": "relu@3"}
with pytest.raises(bx.SpecError, match="`relu` at version 1 or 2, found version 3"):
    Graph.parse(data)
print("more ops: all agree")
