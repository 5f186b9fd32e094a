"""What can't be included, and wrong calls of what is."""

from __future__ import annotations

from typing import Any

import pytest
from builder.including import (
    lambda_named,
    two_of_a_name,
)
from golden_models import graph_of
from sample_specs import spec

import blox as bx
from blox.schema import Graph


@pytest.mark.parametrize(
    ("include", "text"),
    [
        ({"name": "a b"}, "include: expected a new name for enc, found 'a b'; b.include"),
        ({"widht": 8}, "include.enc: expected attributes of enc (width), found 'widht'; "
                       "did you mean width?"),
        ({"width": "wide"}, "include.enc.width: expected a number, found 'wide'"),
        ({"around": {"layer.upp": len}}, "enc.around: expected a glob over function.node "
         "that matches one of enc, found 'layer.upp'; did you mean layer.up?"),
        ({"around": {"layer.up": 3}}, "enc.around.layer.up: expected a function, found 3"),
    ],
)  # fmt: skip
def test_what_can_not_be_included_is_refused(
    include: dict[str, Any], text: str
) -> None:
    b = bx.GraphBuilder("outer")
    with pytest.raises(bx.SpecError) as caught:
        b.include(two_of_a_name()[0], **include)
    assert text in str(caught.value)


def test_a_name_is_taken_once() -> None:
    b = bx.GraphBuilder("outer")
    left, right = two_of_a_name()
    b.include(left)
    with pytest.raises(
        bx.SpecError, match=r"found that of another; b.include\(graph, na"
    ):
        b.include(right)


def test_no_graph_is_included_behind_an_entry() -> None:
    b = bx.GraphBuilder("outer")
    b.entry(lambda_named(lambda f, x: f.relu(x)), x=bx.Input(["n"]))
    with pytest.raises(
        bx.SpecError, match="expected other Graphs before the first entry"
    ):
        b.include(two_of_a_name()[0])


def test_a_path_is_no_graph() -> None:
    with pytest.raises(TypeError, match=r"bx.load_graph\(path\)"):
        bx.GraphBuilder("outer").include("model")  # type: ignore[arg-type]


def test_functions_are_named_in_errors() -> None:
    base = bx.GraphBuilder("outer").include(two_of_a_name()[0])
    assert dir(base)[-2:] == ["layer", "main"]
    assert list(base) == ["main", "layer"]
    assert repr(base) == "<included enc: main, layer>"
    with pytest.raises(
        AttributeError, match=r"of enc \(main, layer\), found 'mian'; did"
    ):
        _ = base.mian
    with pytest.raises(bx.SpecError, match=r"did you mean layer\?"):
        _ = base["layers"]


@pytest.mark.parametrize(
    ("shape", "dtype", "text"),
    [
        (["batch", "seq", 9], "float", "main.enc.x: expected shape [batch, seq, $width], "
         "found [batch, seq, 9], as enc.main declares it"),
        (["batch", 8], "float", "main.enc.x: expected shape"),
        (["batch", "seq", 8], "int32", "main.enc.x: expected dtype float, found int32"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_said_at_the_call(
    shape: list[Any], dtype: str, text: str
) -> None:
    b = bx.GraphBuilder("outer")
    base = b.include(two_of_a_name()[0])
    with pytest.raises(bx.ModelError) as caught:
        b.entry(
            lambda_named(lambda f, x: f.call("enc", base.main)(x)),
            x=bx.Input(shape, dtype),
        )
    assert text in str(caught.value)


def test_an_op_that_nobody_knows_is_refused() -> None:
    inner = Graph.parse(spec({"r": {"op": "acme:nothing", "x": "x"}}))
    with pytest.raises(bx.SpecError, match="acme:nothing"):
        bx.GraphBuilder("outer").include(inner)


def test_wrong_arguments_are_refused() -> None:
    b = bx.GraphBuilder("outer")
    base = b.include(two_of_a_name()[0])
    with pytest.raises(
        bx.SpecError, match=r"enc_main\(f, /, x\), found others: there is"
    ):
        b.entry(
            lambda_named(lambda f, x: f.call("enc", base.main)(x=x, mask=x)),
            x=bx.Input(["batch", "seq", 8]),
        )


def test_a_run_that_is_given_up_leaves_nothing() -> None:
    """An entry that asks for bounds and then fails: the next one is written as first."""
    b = bx.GraphBuilder("outer")
    base = b.include(graph_of("tiny_gpt"), name="gpt")

    def broken(f: bx.F, x: bx.Value) -> bx.Value:
        return f.call("m", base.main)(x) + f.call("n", base.main)(x)[..., :3]

    with pytest.raises(bx.ModelError):
        b.entry(broken, x=bx.Input(["batch", "seq"], "int32"))
    b.entry(
        lambda_named(lambda f, x: f.call("m", base.main)(x)),
        x=bx.Input(["batch", "length"], "int32"),
    )
    graph = b.graph()
    assert next(iter(graph.functions)) == "main"
    assert graph.plain()["dims"] == {"length": {"max": "$gpt_context"}}


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda f, base, x: f.call("c", base)(x),
         "found 'Included'; call one of its functions, such as base.main"),
        (lambda f, base, x: f.call("c", two_of_a_name()[0])(x),
         "found 'Graph'; base = b.include(graph) has functions to call"),
        (lambda f, base, x: base.main(x), "expected the builder f before the inputs of "
         "main, found Value; call it by f.call(name, base.main)(...)"),
        (lambda f, base, x: f.call("c", base.main())(x), "found NoneType; call it by"),
    ],
)  # fmt: skip
def test_how_it_is_called_is_said(call: Any, text: str) -> None:
    b = bx.GraphBuilder("outer")
    base = b.include(two_of_a_name()[0])
    main = lambda_named(lambda f, x: call(f, base, x))
    with pytest.raises((bx.SpecError, TypeError)) as caught:
        b.entry(main, x=bx.Input(["batch", "seq", 8]))
    assert text in str(caught.value)
