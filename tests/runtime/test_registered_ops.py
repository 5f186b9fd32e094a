"""Functions of registered ops: what a file can carry over, and what they return."""

from __future__ import annotations

import importlib
import sys
import textwrap
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from generated_files import executed
from sample_specs import Data, spec

import blox as bx
from blox.codegen.allowlist import GenerationError
from blox.schema import Graph, ModelError, SpecError
from blox.schema.fields import Int, Tensor
from blox.schema.op import Op

X = np.ones((3, 4), np.float32)
INPUTS: Data = {"x": {"shape": ["batch", 4], "dtype": "float"}}


@pytest.fixture(autouse=True)
def own_path(nothing_registered: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])


def op_class(key: str, **more: Any) -> type[Op]:
    """The class of an op that takes x alone."""
    body = {"__annotations__": {"op": Literal[key], "x": Tensor}, "op": key, **more}
    return type("Made", (Op,), {"__module__": __name__, "__doc__": "Made.", **body})


def register(folder: Path, key: str, source: str, **more: Any) -> None:
    """Registers `f` of a module with this source."""
    name = "made_" + "".join(c if c.isalnum() else "_" for c in key)
    head = "from __future__ import annotations\nimport jax\n"
    text = head + textwrap.dedent(source)
    (folder / f"{name}.py").write_text(text, encoding="utf-8")
    sys.path.insert(0, str(folder))
    sys.modules.pop(name, None)
    importlib.invalidate_caches()
    bx.register(op_class(key, **more), importlib.import_module(name).f)


def chain(*ops: str) -> Graph:
    nodes = {
        f"n{i}": {"op": op, "x": f"n{i - 1}" if i else "x"} for i, op in enumerate(ops)
    }
    return Graph.parse(spec(nodes, inputs=INPUTS))


def both(graph: Graph) -> tuple[Any, Any]:
    """One number of what the loaded model and the file give."""
    assert bx.validate(graph).ok
    loaded, _ = bx.build(graph)({}, X)
    return loaded[0, 0], executed(bx.generate(graph))["model"]({}, X)[0, 0]


def test_helpers_of_one_name_in_two_modules(tmp_path: Path) -> None:
    """Each op calls its own: nothing of one module takes the place of another's."""
    for name, factor in (("one", 2.0), ("two", 5.0)):
        source = f"""
            def f(x):
                return _bent(x) + bent(x)
            def _bent(x):
                return {factor} * x
            def bent(x):
                return {factor} * x * 10.0
        """
        register(tmp_path, f"acme:{name}", source)
    assert both(chain("acme:one", "acme:two")) == (22.0 * 55.0, 22.0 * 55.0)
    assert both(chain("acme:two", "acme:one", "acme:two"))[1] == 55.0 * 22.0 * 55.0


def test_helpers_that_call_each_other(tmp_path: Path) -> None:
    source = """
        def f(x):
            return down(x, 3)
        def down(x, n):
            return x if n == 0 else up(x, n)
        def up(x, n):
            return down(2 * x, n - 1)
    """
    register(tmp_path, "acme:turns", source)
    assert both(chain("acme:turns")) == (8.0, 8.0)


def test_locals_that_are_called_as_a_constant_of_the_file(tmp_path: Path) -> None:
    source = """
        def f(x, *, n: int):
            N = x + n
            return N * n
    """
    kinds = {"op": Literal["acme:more"], "x": Tensor, "n": Int}
    register(tmp_path, "acme:more", source, n=1, __annotations__=kinds)
    nodes = {"y": {"op": "acme:more", "x": "x", "n": "$n"}}
    graph = Graph.parse(spec(nodes, inputs=INPUTS, attributes={"n": 3}))
    assert "\nN = 3\n" in bx.generate(graph)
    assert both(graph) == (12.0, 12.0)


DECORATED = """
    def twice(f):
        return lambda x: 2 * f(x)
    def f(x):
        return helper(x)
    @twice
    def helper(x):
        return x
"""
BODIES = {
    "a decorator in _acme_helper": DECORATED,
    "a decorator": """
        def f(x):
            @jax.jit
            def inner(y):
                return y
            return inner(x)
    """,
    "Import": """
        def f(x):
            import math
            return x * math.pi
    """,
    "NamedExpr": """
        def f(x):
            return (y := x) + y
    """,
    "Try": """
        def f(x):
            try:
                return x
            finally:
                x = None
    """,
    "Assert": """
        def f(x):
            assert x.ndim
            return x
    """,
    "Match": """
        def f(x):
            match x.ndim:
                case _:
                    return x
    """,
}


@pytest.mark.parametrize("found", BODIES)
def test_what_no_file_holds_is_reported(found: str, tmp_path: Path) -> None:
    register(tmp_path, "acme:made", BODIES[found])
    graph = chain("acme:made")
    assert bx.build(graph)({}, X)[0].shape == X.shape
    with pytest.raises(GenerationError) as raised:
        bx.generate(graph)
    (diagnostic,) = raised.value.diagnostics
    assert diagnostic.path == "acme:made"
    assert f"found {found}" in diagnostic.message


CONSTANTS = """
    from jax.numpy import pi
    SCALE, SHIFT, UNUSED = 2.0, 1.0, 0.0
    class Half:
        value = 0.5
    def f(x):
        return pi * _bent(x) * SCALE + sum(x * s for s in (Half.value, SHIFT))
    def _bent(x):
        UNUSED = len(x.shape)
        return (lambda y: y + SHIFT * UNUSED)(x)
"""


def test_what_is_read_of_a_module_is_named(tmp_path: Path) -> None:
    """Each constant, with the op, the function that reads it, and the way out."""
    register(tmp_path, "acme:made", CONSTANTS)
    graph = chain("acme:made")
    assert bx.build(graph)({}, X)[0].shape == X.shape
    with pytest.raises(ModelError) as raised:
        bx.generate(graph)
    found = raised.value.diagnostics
    assert {(d.code, d.path) for d in found} == {("op-source", "acme:made")}
    assert [d.message.rpartition("found ")[2] for d in found] == [
        "Half in f",
        "SCALE in f",
        "SHIFT in f",
        "SHIFT in _bent",
    ]
    assert (
        found[1].hint == "make SCALE an attribute of the op, or write its value there"
    )


@pytest.mark.parametrize(
    ("returned", "outputs", "text"),
    [
        ("None", ("out",), "an array, found NoneType"),
        ("(x, x)", ("out",), "an array, found tuple of 2"),
        ("[x]", ("out",), "an array, found list"),
        ("x", ("a", "b"), "a tuple of 2 arrays, found"),
        ("(x, x, x)", ("a", "b"), "a tuple of 2 arrays, found tuple of 3"),
        ("(x, None)", ("a", "b"), "an array, found NoneType"),
    ],
)
def test_what_a_function_returns(
    returned: str, outputs: tuple[str, ...], text: str, tmp_path: Path
) -> None:
    source = f"def f(x):\n    return {returned}\n"
    register(tmp_path, "acme:made", source, OUTPUTS=outputs)
    output = "n" if outputs == ("out",) else "n.a"
    graph = Graph.parse(spec({"n": {"op": "acme:made", "x": "x"}}, output, INPUTS))
    (found,) = bx.validate(graph).errors
    assert found.path == "main.n"
    assert text in found.message
    with pytest.raises(ModelError, match=f"main.n: expected the function .* {text}"):
        bx.build(graph)({}, X)


def test_names_that_files_have_for_core_ops(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="expected another name than log_softmax"):
        register(tmp_path, "log:softmax", "def f(x):\n    return x\n")


def test_functions_without_a_name_or_a_module(tmp_path: Path) -> None:
    space: dict[str, Any] = {}
    exec("def f(x):\n    return x\n", space)
    for function in (space["f"], eval("lambda x: x")):
        with pytest.raises(SpecError, match="a function at the top of a module"):
            bx.register(op_class("acme:made"), function)
