"""A Graph can't be changed: not itself, not its parts, not the lists and dicts in it."""

from __future__ import annotations

import copy
import gc
import json
import pickle
import weakref
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest
from changes import CHANGES, OTHER
from pydantic import BaseModel, ValidationError
from sample_specs import CONTROL, GPT, RELU, TINY, spec

from blox.schema import Function, Graph, Metadata, Output, SpecError
from blox.schema.ops.indexing import Index
from blox.schema.ops.linear import Linear


def containers(part: Any) -> Iterator[tuple[str, Any]]:
    """Every list and dict below a part, and every part itself, by path."""
    if isinstance(part, BaseModel):
        yield "", part
        inner: Any = {name: getattr(part, name) for name in type(part).model_fields}
    elif isinstance(part, dict):
        yield "", part
        inner = part
    elif isinstance(part, list):
        yield "", part
        inner = dict(enumerate(part))
    else:
        return
    for name, value in inner.items():
        for path, found in containers(value):
            yield f"{name}.{path}", found


@pytest.mark.parametrize("data", [GPT, CONTROL, OTHER], ids=["gpt", "control", "other"])
def test_nothing_in_it_can_be_changed(data: dict[str, Any]) -> None:
    graph = Graph.parse(data)
    before = json.dumps(graph.plain())
    seen = list(containers(graph))
    assert len(seen) > 30
    for _, part in seen:
        if isinstance(part, BaseModel):
            for name in type(part).model_fields:
                with pytest.raises(TypeError, match=r"a Graph can't be changed"):
                    setattr(part, name, 1)
                with pytest.raises(TypeError, match=r"a Graph can't be changed"):
                    delattr(part, name)
            continue
        kind = list if isinstance(part, list) else dict
        for change in CHANGES[kind]:
            with pytest.raises(TypeError, match=r"a Graph can't be changed"):
                change(part)
    assert json.dumps(graph.plain()) == before


def test_every_way_of_changing_is_refused() -> None:
    """Methods that a list or dict gains some day are noticed here."""
    reads = {
        list: {"copy", "count", "index"},
        dict: {"copy", "fromkeys", "get", "items", "keys", "values"},
    }
    graph = Graph.parse(GPT)
    for kind, value in ((list, graph.entries), (dict, graph.functions)):
        public = {n for n in vars(kind) if not n.startswith("_")}
        for name in public - reads[kind]:
            assert vars(type(value))[name] is vars(type(value))["clear"], name


def test_what_it_was_made_of_is_not_shared() -> None:
    data = copy.deepcopy(OTHER)
    graph = Graph.parse(data)
    before = graph.plain()
    nodes = data["functions"]["main"]["nodes"]
    nodes["fixed"]["value"][0][0] = 7
    nodes["conv"]["padding"][0].append(1)
    nodes.clear()
    data["metadata"]["extra"].clear()
    assert graph.plain() == before
    plain = graph.plain()
    plain["functions"]["main"]["nodes"]["fixed"]["value"][0][0] = 7
    assert graph.plain() == before
    assert all(type(v) in (list, dict) for _, v in containers(plain))


def test_resolved_ops_can_not_be_changed_either() -> None:
    op = Index(op="index", x="x", at="..., 1:$n").resolve({"n": 4})
    assert op.at == ["...", [1, 4, None]]  # type: ignore[attr-defined]
    for _, part in containers(op):
        if isinstance(part, list):
            with pytest.raises(TypeError):
                part.append(1)
    hash(op)


@pytest.mark.parametrize(
    "twin",
    [
        copy.copy,
        copy.deepcopy,
        lambda g: g.model_copy(),
        lambda g: g.model_copy(deep=True),
        lambda g: pickle.loads(pickle.dumps(g)),
        lambda g: Graph.parse(json.loads(json.dumps(g.plain()))),
        lambda g: Graph.model_validate(g.model_dump(by_alias=True)),
        lambda g: Graph.model_validate(dict(g)),
        lambda g: Graph(**dict(g)),
    ],
)
@pytest.mark.parametrize("data", [GPT, CONTROL, OTHER], ids=["gpt", "control", "other"])
def test_copies_are_equal_and_as_frozen(
    data: dict[str, Any], twin: Callable[[Graph], Graph]
) -> None:
    graph = Graph.parse(data)
    graph.program()
    other = twin(graph)
    assert other == graph
    assert hash(other) == hash(graph)
    assert other.plain() == graph.plain()
    for _, part in containers(other):
        if not isinstance(part, BaseModel):
            with pytest.raises(TypeError):
                part.clear()
    assert other.program().graph is other


def test_a_copy_with_changes_is_another_graph() -> None:
    graph = Graph.parse(GPT)
    program, digest = graph.program(), graph.digest
    other = graph.model_copy(update={"attributes": {**graph.attributes, "depth": 2}})
    assert other != graph
    assert other.digest != digest
    assert other.program() is not program
    assert other.program().leaves()["h.mlp.up.kernel"].full_shape[0] == 2
    with pytest.raises(TypeError):
        other.attributes["depth"] = 3
    assert graph.program() is program


FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"name": "not a name"}, "name: expected a name"),
    ({"functions": {"main": 3}}, "main: expected an object"),
    ({"attributes": {"depth": [1]}}, "attributes.depth: expected a finite number"),
    ({"more": 1}, "more: expected no such field"),
    ({"entries": [], "dims": 3}, "entries: expected at least one item"),
    ({"format": "blox/2"}, "this blox reads 'blox/1'"),
]


@pytest.mark.parametrize(("update", "text"), FAULTS)
def test_a_copy_is_checked_as_a_new_one(update: dict[str, Any], text: str) -> None:
    graph = Graph.parse(GPT)
    for copied in (graph.model_copy, graph.copy):
        with pytest.raises(SpecError) as caught:
            copied(update=update)
        assert any(text in str(d) for d in caught.value.diagnostics)


def test_copies_of_parts_are_checked() -> None:
    block = Graph.parse(GPT).functions["block"]
    faults: list[dict[str, Any]] = [{"outputs": {}}, {"nodes": {"a": 1}}, {"doc": 3}]
    for update in faults:
        for copied in (block.model_copy, block.copy):
            with pytest.raises(ValidationError):
                copied(update=update)
    other = block.model_copy(update={"doc": "Another."})
    assert (other.doc, other.nodes) == ("Another.", block.nodes)


@pytest.mark.parametrize("kind", [Graph, Function, Linear])
def test_nothing_is_made_without_checks(kind: Any) -> None:
    with pytest.raises(TypeError, match="expected values to check"):
        kind.model_construct(name="no name")


def test_equal_by_content() -> None:
    def of(value: float, **more: Any) -> Graph:
        return Graph.parse(spec({"relu": RELU}, attributes={"n": value}, **more))

    assert of(1) == of(1)
    assert len({of(1), of(1)}) == 1
    assert of(1) != of(1.0)
    assert len({of(1), of(1.0)}) == 2
    assert of(0.0) != of(-0.0)
    assert of(1) != of(1, metadata={"license": "MIT"})
    assert of(1) == of(1, metadata={"license": ""})
    assert cast(Any, of(1)) != TINY


def test_parts_are_equal_by_content_and_hashable() -> None:
    def linear(**more: Any) -> Linear:
        return Linear.model_validate({"op": "linear", "x": "x", **more})

    assert linear(in_features=1) == linear(in_features=1)
    assert hash(linear(frozen=["bias"])) == hash(linear(frozen=["bias"]))
    assert linear(x=1) != linear(x=1.0)
    assert linear(x=1) != linear(x=2)
    assert linear(x=0.0) != linear(x=-0.0)
    assert linear(axes={"bias": ["a"]}) != linear(axes={"bias": ["b"]})
    function = Graph.parse(GPT).functions["block"]
    assert function == Graph.parse(GPT).functions["block"]
    assert hash(function) == hash(Graph.parse(GPT).functions["block"])
    assert Metadata(extra={"a": 1}) != Metadata(extra={"a": 1.0})


def test_parts_of_a_graph_make_another() -> None:
    graph = Graph.parse(GPT)
    functions = {**graph.functions, "more": graph.functions["mlp"]}
    other = Graph(name="other", attributes=graph.attributes, functions=functions)
    assert other.functions["more"] == graph.functions["mlp"]
    function = Function(
        nodes=graph.functions["mlp"].nodes, outputs={"y": Output(value="up")}
    )
    assert function.nodes == graph.functions["mlp"].nodes
    assert Graph.model_validate(graph) is graph


def test_a_program_goes_with_its_graph() -> None:
    graph = Graph.parse(GPT)
    assert graph.program() is graph.program()
    seen = weakref.ref(graph)
    del graph
    gc.collect()
    assert seen() is None


def test_a_fault_is_found_again() -> None:
    graph = Graph.parse(spec({"relu": {"op": "relu", "x": "nothing"}}))
    for _ in range(2):
        with pytest.raises(SpecError, match="nothing"):
            graph.program()


def test_it_is_shown_on_one_line() -> None:
    graph = Graph.parse(GPT)
    nodes = sum(len(function["nodes"]) for function in GPT["functions"].values())
    counts = f"{len(GPT['functions'])} functions, {nodes} nodes"
    entry = "main(tokens) -> logits"
    found = f"<Graph 'tiny_gpt': {counts}; {entry}; {graph.digest[:19]}>"
    assert (repr(graph), str(graph)) == (found, found)
    block = graph.functions["block"]
    assert repr(block) == f"<Function (x) -> x; {len(block.nodes)} nodes>"
    program = graph.program()
    step = program.entries["main"].steps[0]
    assert repr(step) == f"<Step main.{step.name}: {step.op.op}>"
    assert repr(program) == f"<Program of {found}: {len(program.instances)} instances>"


def test_a_large_one_is_shown_in_a_line_too() -> None:
    given = {"shape": [8], "dtype": "float"}
    inputs = {f"a_long_name_of_an_input_{i}": given for i in range(100)}
    nodes = {f"n{i}": {"op": "relu", "x": next(iter(inputs))} for i in range(100)}
    functions = {"main": {"inputs": inputs, "nodes": nodes, "outputs": {"y": "n0"}}}
    graph = Graph.parse({"format": "blox/1", "name": "m" * 64, "functions": functions})
    program = graph.program()
    things = [graph, graph.functions["main"], program.instances[0], program.entries]
    for thing in things:
        assert len(repr(thing)) <= 140
        assert "\n" not in repr(thing)
    assert repr(graph).endswith(f"...; {graph.digest[:19]}>")
    no_such = Graph.parse({**graph.plain(), "entries": ["nothing"]})
    assert "nothing" not in repr(no_such)


def test_what_is_made_is_not_made_again() -> None:
    """`__init__` and `__setstate__` are for new objects."""
    graph, other = Graph.parse(GPT), Graph.parse(CONTROL)
    digest, text = graph.digest, json.dumps(graph.plain())
    block = graph.functions["block"]
    cases: list[Callable[[], Any]] = [
        lambda: cast(Any, graph).__init__(**dict(other)),
        lambda: graph.__setstate__(other.__getstate__()),
        lambda: cast(Any, block).__init__(outputs={"x": "x"}),
        lambda: block.__setstate__(other.functions["same"].__getstate__()),
    ]
    for change in cases:
        with pytest.raises(TypeError, match="a Graph can't be changed"):
            change()
    assert (graph.digest, json.dumps(graph.plain())) == (digest, text)
