"""Files of classes, without their libraries: paths, text, what is refused.

That they compute the same is held by `tests/parity/classes`.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from class_files import TARGETS, tagger
from class_specs import REFUSED, WRITTEN, X, call, graph, linear, to_data, two_entries
from generated_files import assert_tidy
from golden_models import EACH, NAMES, graph_of
from random_programs import program
from sample_specs import function, spec

import blox as bx
from blox.codegen.allowlist import BASE, GenerationError, check
from blox.codegen.library.allowed import Allowed
from blox.schema import from_bytes

TESTS = Path(__file__).parents[1]
LAYERS = {
    "nnx.Linear": ["kernel", "bias"],
    "nnx.Conv": ["kernel", "bias"],
    "nnx.Embed": ["embedding"],
    "nnx.LayerNorm": ["scale", "bias"],
    "nnx.RMSNorm": ["scale"],
    "nnx.BatchNorm": ["scale", "bias", "mean", "var"],
}
"""The arrays of Flax's layers, where `use_bias=False` and the like take none away."""


def golden(name: str, target: str) -> str:
    return (TESTS / "golden" / target / f"{name}.py").read_text(encoding="utf-8")


class Paths:
    """Reads the paths of arrays off the constructors of a file."""

    def __init__(self, source: str) -> None:
        nodes = ast.parse(source).body
        self.classes = {n.name: n for n in nodes if isinstance(n, ast.ClassDef)}
        loads = (
            n for n in nodes if isinstance(n, ast.FunctionDef) and n.name == "load"
        )
        self.root = ast.unparse(next(loads).returns or ast.Constant(None))

    def of_class(self, title: str, keywords: dict[str, str]) -> Iterator[str]:
        (init,) = (
            n
            for n in self.classes[title].body
            if isinstance(n, ast.FunctionDef) and n.name == "__init__"
        )
        arguments = {a.arg for a in (*init.args.args, *init.args.kwonlyargs)}
        for statement in init.body:
            match statement:
                case (
                    ast.Assign(targets=[ast.Attribute(attr=attr)], value=value)
                    | ast.AnnAssign(
                        target=ast.Attribute(attr=attr), value=ast.expr() as value
                    )
                ):
                    if ast.unparse(value) in arguments:
                        continue  # an attribute of the function
                    match value:
                        case ast.IfExp(test=test, body=body):
                            if keywords.get(ast.unparse(test)) == "False":
                                continue
                            value = body
                    for rest in self.of(value):
                        yield f"{attr}.{rest}".rstrip(".")

    def of(self, node: ast.expr) -> Iterator[str]:
        """The paths below what an expression makes; a list's copies have no number."""
        match node:
            case ast.ListComp(elt=elt):
                yield from self.of(elt)
            case ast.List(elts=elts):
                for i, elt in enumerate(elts):
                    yield from (f"{i}.{rest}".rstrip(".") for rest in self.of(elt))
            case ast.Dict(keys=keys, values=values):
                for key, value in zip(keys, values, strict=True):
                    assert isinstance(key, ast.Constant)
                    yield from (f"{key.value!s}.{rest}" for rest in self.of(value))
            case ast.Call(func=ast.Call(args=[ast.Lambda(body=body)])):
                yield from self.of(body)  # eqx.filter_vmap(lambda key: ...)(keys)
            case ast.Call(func=func, args=args, keywords=given):
                title = ast.unparse(func)
                keywords = {str(k.arg): ast.unparse(k.value) for k in given}
                if title in ("nnx.List", "nnx.Dict"):
                    yield from self.of(args[0])
                elif title == "_stacked":
                    assert isinstance(args[0], ast.Lambda)
                    yield from self.of(args[0].body)
                elif title in LAYERS:
                    names = LAYERS[title]
                    yield from (n for n in names if keywords.get(f"use_{n}") != "False")
                elif title in self.classes and title != "Buffer":
                    yield from self.of_class(title, keywords)
                else:
                    yield ""
            case _:
                yield ""


def assert_paths(model: bx.Graph, source: str) -> None:
    reader = Paths(source)
    found = list(reader.of_class(reader.root, {}))
    assert len(found) == len({*found})
    assert {*map(_named, found)} == {*map(_named, model.program().leaves())}


def _named(path: str) -> str:
    """A path without numbers."""
    return ".".join(part for part in path.split(".") if not part.isdigit())


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", EACH)
def test_paths_are_those_of_the_weights(name: str, target: str) -> None:
    assert_paths(graph_of(name), golden(name, target))


@pytest.mark.parametrize("target", TARGETS)
def test_shared_paths_and_attributes(target: Any, tmp_path: Path) -> None:
    sources = {"tagger": bx.generate(tagger(), target=target)}
    assert_paths(tagger(), sources["tagger"])
    for name, nodes in WRITTEN.items():
        model = graph(nodes)
        source = bx.generate(model, target=target)
        assert source == bx.generate(model, target=target)
        assert_paths(model, source)
        sources[name.replace(" ", "_")] = source
    assert_tidy(sources, tmp_path)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", EACH)
def test_golden_file_is_what_the_generator_writes(name: str, target: Any) -> None:
    assert bx.generate(graph_of(name), target=target) == golden(name, target)


@pytest.mark.parametrize("target", TARGETS)
def test_random_programs(target: Any, tmp_path: Path) -> None:
    sources = {}
    for seed in range(8):
        model = program(seed)()
        sources[f"program_{seed}"] = bx.generate(model, target=target)
        assert_paths(model, sources[f"program_{seed}"])
    assert_tidy(sources, tmp_path)


@pytest.mark.parametrize("target", TARGETS)
def test_golden_files_are_tidy(target: str, tmp_path: Path) -> None:
    assert_tidy({name: golden(name, target) for name in NAMES}, tmp_path)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("what", REFUSED)
def test_what_classes_cannot_say(what: str, target: Any) -> None:
    nodes, text = REFUSED[what]
    model = graph(nodes)
    assert bx.generate(model)  # functions can
    with pytest.raises(GenerationError) as caught:
        bx.generate(model, target=target)
    assert str(caught.value).startswith(text)
    assert str(caught.value).endswith(
        "; generate functions (blox codegen without --target), or change the Graph"
    )


def test_entries_that_call_each_other() -> None:
    for target in TARGETS:
        assert "return self(self(x))" in bx.generate(
            two_entries("block"), target=target
        )
    assert "x = self(x, train=train)" in bx.generate(
        two_entries("normed"), target="nnx"
    )
    with pytest.raises(
        GenerationError, match=r"^main: expected an entry with state that"
    ):
        bx.generate(two_entries("normed"), target="equinox")


def test_names_of_methods_are_refused() -> None:
    model = graph({"train": linear()})
    assert "self.train" in bx.generate(model, target="equinox")
    with pytest.raises(
        GenerationError, match="train: expected a name that is no method"
    ):
        bx.generate(model, target="nnx")


def test_attributes_that_constructors_cannot_take_are_refused() -> None:
    for name in ("cls", "key", "rngs"):
        times: dict[str, Any] = {"op": "multiply", "a": "up", "b": f"${name}"}
        body = function(
            {"up": linear(), "times": times}, {"x": "times"}, attributes=[name]
        )
        node = {**call("own"), "attributes": {name: 2.0}}
        model = from_bytes(
            json.dumps(
                spec(
                    {"a": node, "b": {**node, "inputs": {"x": "a"}}},
                    inputs=X,
                    functions={"own": body},
                )
            ).encode()
        )
        for target in TARGETS:
            with pytest.raises(GenerationError, match=f"^own: .* found '{name}'; "):
                bx.generate(model, target=target)


def test_layers_of_the_library_are_used() -> None:
    """Those of Flax, where its arrays and numbers are the op's."""
    nnx, equinox = (golden("small_resnet", target) for target in ("nnx", "equinox"))
    for layer in ("Conv", "BatchNorm", "Linear"):
        assert f"nnx.{layer}(" in nnx
        assert f"class {layer}(nnx.Module)" not in nnx
        assert f"class {layer}(eqx.Module)" in equinox
    assert "class Conv(nnx.Module)" in golden("weight_norm", "nnx")  # a kernel is given


def test_other_targets_are_refused() -> None:
    model = graph({"a": linear()})
    with pytest.raises(ValueError, match="target: expected one of 'equinox', 'nnx'"):
        bx.generate(model, target="haiku")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="init: expected True"):
        bx.generate(model, target="nnx", init=False)


@pytest.mark.parametrize(
    ("source", "found"),
    [
        (
            "class A(nnx.Module):\n    def __del__(self) -> None:\n        pass",
            "__del__",
        ),
        ("class A(nnx.Module):\n    x = print(1)", "print"),
        ("@jax.jit\nclass A(nnx.Module):\n    pass", "ClassDef"),
        ("class A(nnx.Module, metaclass=max):\n    pass", "ClassDef"),
        ("def f(x: Array) -> None:\n    x.dtype = 1", "a new meaning of x.dtype"),
        ("def f() -> None:\n    nnx.reset()", "a bare nnx.reset()"),
    ],
)
def test_the_last_look_at_a_file(source: str, found: str) -> None:
    ops = Allowed(
        {**BASE.imports, "nnx": "from flax import nnx"},
        frozenset({"nnx.Module", "nnx.update", "jax.jit"}), frozenset(), frozenset(),
    )  # fmt: skip
    text = f"from flax import nnx\nimport jax\nfrom jax import Array\n{source}\n"
    with pytest.raises(GenerationError, match="expected model code") as caught:
        check(text, ops, classes=True)
    assert found in str(caught.value)
    with pytest.raises(GenerationError):
        check("from flax import nnx\nclass A(nnx.Module):\n    pass\n", ops)


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        ("block", "load", "load"),
        ("block", "eqx", "eqx"),
        ("width", "key", "scaled"),
        ("width", "rngs", "scaled"),
        ("up", "by", "by"),
    ],
)
def test_names_that_the_file_needs_are_refused(old: str, new: str, path: str) -> None:
    given = {"width": 3, "by": 0.5}
    nodes = {
        "a": call("block"),
        "b": call("scaled", "a", attributes=given),
        "c": call("scaled", "b", attributes={name: 2 * n for name, n in given.items()}),
    }
    text = json.dumps(to_data(nodes)).replace(f'"{old}"', f'"{new}"')
    model = from_bytes(text.replace(f'"${old}"', f'"${new}"').encode())
    assert bx.generate(model)
    for target in TARGETS:
        with pytest.raises(GenerationError, match=f"^{path}: expected") as caught:
            bx.generate(model, target=target)
        assert "blox codegen without --target" in str(caught.value)


def test_an_input_named_as_a_library_is_refused() -> None:
    data = spec({"a": linear("nnx")}, inputs={"nnx": X["x"]})
    model = from_bytes(json.dumps(data).encode())
    for target in TARGETS:
        with pytest.raises(GenerationError, match=r"^main: expected a name .* 'nnx'"):
            bx.generate(model, target=target)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("inner", [False, True], ids=["entry", "function"])
def test_what_a_class_is_made_for_is_called(inner: bool, target: Any) -> None:
    """The function that it calls at its own arrays is a method beside it."""
    own = call("dense", params=".")
    functions = {
        "dense": function({"up": linear()}, "up"),
        "outer": function({"d": own, "y": {"op": "relu", "x": "d"}}, "y"),
    }
    node = call("outer") if inner else own
    nodes = {"a": node, "y": {"op": "relu", "x": "a"}}
    data = spec(nodes, inputs=X, functions=functions)
    source = bx.generate(bx.Graph.parse(data), target=target)
    title = "Outer" if inner else "Model"
    (made,) = (
        n for n in ast.parse(source).body
        if isinstance(n, ast.ClassDef) and n.name == title
    )  # fmt: skip
    methods = {n.name: n for n in made.body if isinstance(n, ast.FunctionDef)}
    assert {"__call__", "dense"} <= methods.keys()
    assert "relu" in ast.unparse(methods["__call__"])
    assert "relu" not in ast.unparse(methods["dense"])
