"""The generated methods: up to date, complete, typed for an editor."""

from __future__ import annotations

import inspect

import pytest

from blox.builder.control import ControlMethods
from blox.builder.function import FunctionBuilder
from blox.builder.op_methods import OpMethods
from blox.dev import regenerate
from blox.schema import op_class, op_names
from blox.schema.op import ScopeOp

POSITIONAL = inspect.Parameter.POSITIONAL_OR_KEYWORD
PYTHON = [p for p, _ in regenerate.GENERATED if p.endswith(".py") and "golden" not in p]


@pytest.mark.parametrize("path", PYTHON)
def test_generated_files_are_not_stale(path: str) -> None:
    function = dict(regenerate.GENERATED)[path]
    text = regenerate.formatted(function(), path)
    assert (regenerate.ROOT / path).read_text(encoding="utf-8") == text


@pytest.mark.parametrize("name", op_names())
def test_every_op_has_a_method_with_its_fields(name: str) -> None:
    cls = op_class(name)
    assert cls is not None
    control = issubclass(cls, ScopeOp)
    method = getattr(ControlMethods if control else OpMethods, name)
    assert inspect.getdoc(method)
    taken = inspect.signature(method).parameters
    assert all(p.annotation is not p.empty for n, p in taken.items() if n != "self")
    if not control:
        wanted = {*cls.model_fields, "name", "self"} - {"op"}
        assert set(taken) == wanted
        fields, model = cls.fields(), cls.model_fields
        must = any(model[n].is_required() for n in fields.attributes)
        for field, mark in fields.operands.items():
            late = mark.kind == "key" or (must and not model[field].is_required())
            by_name = mark.optional and late
            kind = inspect.Parameter.KEYWORD_ONLY if by_name else POSITIONAL
            assert taken[field].kind is kind


def test_no_helper_stands_in_the_way_of_an_op() -> None:
    public = {n for n in dir(FunctionBuilder) if not n.startswith("_")}
    assert public - {*op_names()} == {"op"}


@pytest.mark.parametrize(
    ("name", "positional"),
    [
        ("linear", ["name", "x", "out_features"]),
        ("embed", ["name", "ids", "num_embeddings", "features"]),
        ("conv", ["name", "x", "out_features", "kernel_size"]),
        ("layer_norm", ["name", "x"]),
        ("dropout", ["name", "x", "rate"]),
        ("relu", ["x"]),
        ("gelu", ["x"]),
        ("softmax", ["x", "axis"]),
        ("mean", ["x", "axis"]),
        ("reshape", ["x", "shape"]),
        ("split", ["x", "sections"]),
        ("zeros", ["shape", "dtype"]),
        ("take", ["x", "indices", "axis"]),
        ("max_pool", ["x", "window", "strides"]),
        ("param", ["name", "shape"]),
        ("random_normal", ["name", "key", "shape", "dtype"]),
    ],
)
def test_main_attributes_go_by_position(name: str, positional: list[str]) -> None:
    taken = inspect.signature(getattr(OpMethods, name)).parameters
    found = [n for n, p in taken.items() if p.kind is POSITIONAL and n != "self"]
    assert found == positional


def test_check_tells_by_its_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        regenerate, "GENERATED", [("schema/ops/index.py", lambda: "x = 1\n")]
    )
    before = (regenerate.ROOT / "schema/ops/index.py").read_bytes()
    assert regenerate.main(["--check"]) == 1
    assert "schema/ops/index.py: is stale" in capsys.readouterr().out
    assert (regenerate.ROOT / "schema/ops/index.py").read_bytes() == before
