"""Every code of `schema/codes` is found by an example; no other code exists."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import jax.numpy as jnp
import numpy as np
import pytest
from hf.checkpoints import copy
from sample_specs import RELU, spec

import blox as bx
from blox.codegen.allowlist import BASE as ALLOWED
from blox.codegen.allowlist import check
from blox.dev.diagnostic_docs import text
from blox.importers.hf.names import places
from blox.ops.library import function_of, op_function
from blox.schema import Diagnostic, Graph, from_bytes, registry
from blox.schema.codes import CODES, GROUPS, Code
from blox.schema.fields import Tensor
from blox.schema.op import Op
from blox.weights import commit, load_flat, loading, read_headers, save_flat

ROOT = Path(__file__).parents[1]
BASE: dict[str, Any] = spec({"n": RELU})
LINEAR = {"op": "linear", "x": "x", "in_features": 8, "out_features": 2}
MODEL = Graph.parse(spec({"n": LINEAR}))
PARAMS = {"n": {"kernel": jnp.ones((8, 2)), "bias": jnp.ones(2)}}
X = jnp.ones((3, 8))


def codes(call: Callable[[], Any]) -> set[str]:
    """The codes of what a call raises, or of the findings that it returns."""
    try:
        found = call()
        return set() if found is None else {d.code for d in found}
    except bx.BloxError as error:
        return {d.code for d in error.diagnostics}


def graph(data: dict[str, Any]) -> Iterator[Diagnostic]:
    yield from bx.validate(Graph.parse(data))


def of_text(example: str) -> set[str]:
    """The codes of an example that is part of a spec."""
    data = json.loads(json.dumps(BASE))
    if example.startswith('"'):
        data |= json.loads("{" + example + "}")
    else:
        data["functions"]["main"]["nodes"]["n"] = json.loads(example)
    return codes(lambda: graph(data))


def file(content: bytes | str) -> Callable[[Path], Any]:
    data = content if isinstance(content, bytes) else content.encode()
    return lambda path: from_bytes(data)


def saved(change: Callable[[Path], Any], **given: Any) -> Callable[[Path], Any]:
    """The load of a model whose folder was changed."""

    def load(path: Path) -> Any:
        bx.save(path, MODEL, PARAMS, **given)
        change(path)
        bx.load(path)

    return load


def in_turn(*calls: Callable[[Path], Any]) -> Callable[[Path], Any]:
    """Calls one after another; what the last one returns."""
    return lambda path: [call(path) for call in calls][-1]


def save(path: Path, params: Any = PARAMS, **given: Any) -> None:
    bx.save(path, MODEL, params, **given)


def edit(name: str, change: Callable[[Any], Any]) -> Callable[[Path], Any]:
    def write(path: Path) -> None:
        data = json.loads((path / name).read_text())
        change(data)
        (path / name).write_text(json.dumps(data))

    return write


def chain(functions: int) -> dict[str, Any]:
    made = {
        f"f{i}": {
            "inputs": {"x": {}},
            "nodes": {"n": {"op": "call", "function": f"f{i + 1}", "inputs": ["x"]}},
            "outputs": {"y": "n"},
        }
        for i in range(functions)
    }
    made[f"f{functions}"] = {"inputs": {"x": {}}, "outputs": {"y": "x"}}
    call = {"op": "call", "function": "f0", "inputs": ["x"]}
    return spec({"n": call}, functions=made)


def undecided() -> dict[str, Any]:
    """Rounding up in two ways is equal, but not to JAX."""
    nodes = {
        "a": {"op": "zeros", "shape": ["$-(-n // 2)"], "dtype": "float"},
        "b": {"op": "zeros", "shape": ["$(n - 1) // 2 + 1"], "dtype": "float"},
        "y": {"op": "add", "a": "a", "b": "b"},
    }
    return spec(nodes, inputs={"x": {"shape": ["n", 8], "dtype": "float"}})


def no_work(path: Path) -> list[Diagnostic]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("blox.shapes.check.WORK", -1e9)
        return list(graph(BASE))


def fifo(path: Path) -> None:
    (path / "graph.json").unlink()
    os.mkfifo(path / "graph.json")


def link(path: Path) -> None:
    weights = path / "params.safetensors"
    shutil.move(weights, path.parent / "elsewhere.safetensors")
    weights.symlink_to(path.parent / "elsewhere.safetensors")


def surplus(path: Path) -> None:
    bx.save(path, MODEL, PARAMS)
    headers = read_headers(path)
    arrays = dict(zip(("bias", "kernel"), load_flat(headers).values(), strict=True))
    more = {f"n.{k}": np.asarray(v) for k, v in arrays.items()} | {"m": np.ones(2)}
    save_flat(path, more, metadata={}, extra_files={})
    (path / "graph.json").write_text(json.dumps(MODEL.plain()))
    bx.load(path)


def shortened(path: Path) -> None:
    bx.save(path, MODEL, PARAMS)
    headers = read_headers(path)
    weights = path / "params.safetensors"
    os.truncate(weights, weights.stat().st_size - 8)
    load_flat(headers)


def wide(path: Path) -> None:
    fixed = spec({"n": {"op": "buffer", "shape": [2], "dtype": "int64"}})
    save_flat(path, {"n": np.ones(2, np.int64)}, metadata={})
    (path / "graph.json").write_text(json.dumps(fixed))
    bx.load(path)


def bools(path: Path) -> None:
    save_flat(path, {"a": np.ones(2, bool)}, metadata={})
    weights = path / "params.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x02")
    load_flat(read_headers(path))


def damaged(path: Path) -> Any:
    bx.save(path, MODEL, PARAMS)
    weights = path / "params.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    return bx.verify(path)


def full_disk(path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:

        def fail(*_: Any) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        patch.setattr(os, "fsync", fail)
        bx.save(path, MODEL, PARAMS)


def pending(path: Path) -> Any:
    bx.save(path, MODEL, PARAMS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(commit, "complete", lambda folder: False)
        bx.save(path, MODEL, PARAMS)
    return bx.validate(path)


def no_memory(path: Path) -> None:
    bx.save(path, MODEL, PARAMS)
    with pytest.MonkeyPatch.context() as patch:

        def fail(*_: Any) -> None:
            raise MemoryError

        patch.setattr(loading, "aligned_bytes", fail)
        bx.load(path, mmap=False)


def typed_in(path: Path) -> None:
    class Rope(Op):
        op: Literal["acme:rope"] = "acme:rope"
        x: Tensor

    space: dict[str, Any] = {"__name__": "prompt"}
    exec("def rope(x):\n    return x", space)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "_REGISTERED", {})
        bx.register(Rope, space["rope"])
        bx.generate(Graph.parse(spec({"n": {"op": "acme:rope", "x": "x"}})))


def doubled(x: Any) -> Any:
    return x + x


def untried(path: Path) -> Any:
    class Twice(Op):
        op: Literal["acme:twice"] = "acme:twice"
        x: Tensor

    body = {
        "inputs": {"x": {}},
        "nodes": {"n": {"op": "add", "a": "x", "b": "x"}},
        "outputs": {"out": "n"},
    }
    data = spec(
        {"n": {"op": "acme:twice", "x": "x"}},
        inputs={"x": {"shape": ["rows", "columns"], "dtype": "float"}},
        functions={"twice": body},
        dims={"rows": {"min": 2048}, "columns": {"min": 2049}},
        ops={"acme:twice": "twice"},
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "_REGISTERED", {})
        bx.register(Twice, doubled)
        bx.save(path, Graph.parse(data), {})
        return bx.verify(path)


def big_endian(path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "byteorder", "big")
        bx.save(path, MODEL, PARAMS)


def no_hub(path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "huggingface_hub", None)
        bx.load("hf://owner/name")


def unreachable_hub(path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:

        class Offline:
            @staticmethod
            def snapshot_download(*_: Any, **__: Any) -> None:
                raise OSError("offline")

        patch.setitem(sys.modules, "huggingface_hub", Offline)
        bx.load("hf://owner/name")


def no_function(path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.delattr("blox.ops.activations.relu6")
        function_of.cache_clear()
        op_function("relu6")


def built(
    function: Callable[..., Any], shape: Any = ("batch", 8)
) -> Callable[[Path], Any]:
    def build(path: Path) -> None:
        b = bx.GraphBuilder("model")
        b.entry(function, x=bx.Input(shape))
        b.graph()

    return build


def twice(f: bx.F, x: bx.Value) -> bx.Value:
    return f.relu(f.relu(x, name="a"), name="a")


def many(f: bx.F, *x: bx.Value) -> bx.Value:
    return x[0]


def closure(f: bx.F, x: bx.Value) -> bx.Value:
    def inner(f: bx.F, y: bx.Value) -> bx.Value:
        return f.add(y, x)

    return f.call("c", inner)(x)


def choice(f: bx.F, x: bx.Value) -> bx.Value:
    return x if x else f.relu(x)


def scalar(f: bx.F, x: bx.Value) -> bx.Value:
    return f.linear("l", x, x.sum().features)


def halved(width: int = 16) -> Graph:
    b = bx.GraphBuilder("model", width=width)

    @b.entry(x=bx.Input(["batch", b.width]))
    def main(f: bx.F, x: bx.Value) -> bx.Value:
        return f.linear("l", x, int(0.5 * b.width))

    return b.graph()


def hf(**config: Any) -> Callable[[Path], Any]:
    return lambda path: bx.from_hf(copy(path, config=lambda c: c.update(config)))


def changed_hf(change: Callable[[Any], Any]) -> Callable[[Path], Any]:
    def export(path: Path) -> None:
        found, params = bx.from_hf(copy(path / "in"), name="tiny")
        data = found.plain()
        change(data)
        bx.to_hf(path / "out", Graph.parse(data), params)

    return export


def other_norm(data: Any) -> None:
    data["functions"]["layer"]["nodes"]["output_norm"]["eps"] = 1e-3


def unknown_pooling(path: Path) -> None:
    folder = copy(path)
    (folder / "modules.json").write_text("[]")
    bx.from_hf(folder)


MODELS: dict[str, Callable[[Path], Any]] = {
    "op-register": lambda path: bx.register(Op, abs),
    "op-source": typed_in,
    "entry": lambda path: bx.build(MODEL, "other"),
    "inputs": lambda path: bx.build(MODEL)(PARAMS, X, X),
    "dims": lambda path: bx.build(
        Graph.parse(spec({"n": LINEAR}, dims={"batch": {"min": 4}}))
    )(PARAMS, X),
    "params": lambda path: bx.build(MODEL)({}, X),
    "dtype": lambda path: bx.build(MODEL, dtype="int32"),
    "trace": lambda path: bx.build(
        Graph.parse(spec({"n": {"op": "reshape", "x": "x", "shape": [7]}}))
    )({}, X),
    "freeze": lambda path: bx.split(MODEL, PARAMS, freeze=["head.*"]),
    "op": no_function,
    "generate": lambda path: check("import os", ALLOWED),
    "shape-undecided": lambda path: graph(undecided()),
    "shape-skipped": no_work,
    "call-depth": lambda path: graph(chain(65)),
    "more": lambda path: graph(spec({f"n{i}": {"op": "rellu"} for i in range(200)})),
    "builder": built(twice),
    "builder-attributes": lambda path: bx.check_attributes(halved, width=8),
    "builder-closure": built(closure),
    "builder-function": built(many),
    "builder-shape": built(choice, "batch"),
    "builder-size": built(scalar),
    "builder-value": built(choice),
}
FILES: dict[str, Callable[[Path], Any]] = {
    "file-model": lambda path: bx.load(path / "nothing"),
    "file-read": saved(fifo),
    "file-disagree": saved(
        lambda path: (path / "graph.msgpack").write_bytes(
            bx.schema.to_msgpack(Graph.parse(BASE))
        )
    ),
    "file-size": file(b" " * (16 * 2**20 + 1)),
    "file-syntax": file("{"),
    "file-encoding": file(b'{"\xff'),
    "file-duplicate-key": file('{"a": 1, "a": 2}'),
    "file-number": file('{"a": 1e999}'),
    "file-integer": file('{"a": 18446744073709551616}'),
    "file-type": file(b"\x81\xa1a\xd6\xff\0\0\0\0"),
    "file-text": file(json.dumps({"a": "a" * 65_537})),
    "file-depth": file("[" * 25 + "]" * 25),
    "file-count": file("[" + "[]," * 250_001 + "1]"),
    "format-missing": lambda path: Graph.parse({"name": "model", "functions": {}}),
    "example": lambda path: save(path, examples=[(X[:, :4],)]),
    "examples-none": in_turn(save, bx.verify),
    "op-body-untried": untried,
    "hub": unreachable_hub,
    "hub-name": lambda path: bx.load("hf://nothing"),
    "hub-missing": no_hub,
    "hf-config": hf(hidden_size=-1),
    "hf-family": hf(model_type="nothing"),
    "hf-architecture": hf(architectures=["BertForNothing"]),
    "hf-graph": changed_hf(other_norm),
    "hf-name": lambda path: places((), MODEL.program().leaves()),
    "hf-sentence": unknown_pooling,
}
WEIGHTS: dict[str, Callable[[Path], Any]] = {
    "weights-missing": lambda path: bx.save(path, MODEL, {"n": {"bias": X[0, :2]}}),
    "weights-unexpected": surplus,
    "weights-shape": lambda path: bx.save(
        path, MODEL, {"n": {**PARAMS["n"], "bias": jnp.ones(3)}}
    ),
    "weights-dtype": lambda path: bx.save(
        path, MODEL, {"n": {**PARAMS["n"], "bias": jnp.ones(2, "int32")}}
    ),
    "weights-kind": lambda path: bx.save(
        path, MODEL, {"n": {**PARAMS["n"], "bias": "text"}}
    ),
    "weights-value": bools,
    "weights-x64": wide,
    "weights-digest": in_turn(
        save, edit("graph.json", lambda g: g.update(name="other")), bx.validate
    ),
    "weights-checksum": damaged,
    "weights-file": saved(lambda path: (path / "params.safetensors").unlink()),
    "weights-link": saved(link),
    "weights-size": in_turn(
        lambda path: path.joinpath("params.safetensors.index.json").touch(),
        lambda path: os.truncate(path / "params.safetensors.index.json", 2**30),
        read_headers,
    ),
    "weights-changed": shortened,
    "weights-header": saved(
        lambda path: (path / "params.safetensors").write_bytes(b"\xff" * 8)
    ),
    "weights-index": saved(
        edit(
            "params.safetensors.index.json",
            lambda index: index.update(weight_map={"a": "nothing.safetensors"}),
        ),
        max_shard_size=1,
    ),
    "weights-log": saved(lambda path: (path / ".blox-commit.json").write_text("{}")),
    "weights-pending": pending,
    "weights-memory": no_memory,
    "weights-name": lambda path: save_flat(path, {"a\nb": X}, metadata={}),
    "weights-metadata": lambda path: save_flat(path, {}, metadata={"a": "\ud800"}),
    "weights-target": in_turn(
        lambda path: path.joinpath("file.txt").touch(),
        lambda path: save(path / "file.txt"),
    ),
    "weights-write": full_disk,
    "weights-host": big_endian,
}


def is_spec(example: str) -> bool:
    return example.startswith(("{", '"'))


EXAMPLES = {
    code: lambda path, example=row.example: of_text(example)
    for code, row in CODES.items()
    if is_spec(row.example)
} | {
    code: lambda path, call=call: codes(lambda: call(path))
    for table in (MODELS, FILES, WEIGHTS)
    for code, call in table.items()
}


def test_every_code_has_an_example() -> None:
    assert set(EXAMPLES) == set(CODES)


@pytest.mark.parametrize("code", CODES)
def test_the_example_yields_its_code(code: str, tmp_path: Path) -> None:
    assert code in EXAMPLES[code](tmp_path)


def test_codes_are_well_formed() -> None:
    rows = [row for group in GROUPS.values() for row in group]
    assert len(rows) == len(CODES)
    for row in rows:
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", row.name), row
        assert row.meaning.strip(".") == row.meaning, row


def test_other_codes_and_severities_are_refused() -> None:
    with pytest.raises(ValueError, match=r"schema/codes, found the error 'nothing'"):
        Diagnostic("nothing", "", "message")
    with pytest.raises(ValueError, match="found the warning 'cycle'"):
        Diagnostic("cycle", "", "message", severity="warning")
    with pytest.raises(ValueError, match="found the error 'unused-node'"):
        Diagnostic("unused-node", "", "message")
    assert Code("a", "b", "c").severity == "error"


def test_every_code_stands_in_the_source() -> None:
    """A row that nothing yields any more is removed."""
    sources = "".join(
        file.read_text(encoding="utf-8")
        for room in ("schema", "codegen", "blox")
        for file in (ROOT / room).rglob("*.py")
        if file.parent.name != "codes"
    )
    assert [code for code in CODES if f'"{code}"' not in sources] == []


def test_the_page_lists_them_all() -> None:
    page = (ROOT / "docs" / "diagnostics.md").read_text(encoding="utf-8")
    assert page == text(), "is stale; run python -m blox.dev.regenerate"
    for code in CODES:
        assert f"| `{code}` |" in page
