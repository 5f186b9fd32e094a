"""Faults are reported where the node is written: path, expected, found, what to do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import blox as bx
from blox.builder.function import FunctionBuilder as F
from blox.builder.values import Value as V


def entry(function: Callable[..., Any], **inputs: bx.Input) -> None:
    b = bx.GraphBuilder("model", width=8, heads=2)
    b.dim("even", multiple_of=2, max=64)
    b.entry(function, **(inputs or {"x": bx.Input(["batch", "$width"])}))
    b.graph()


def narrow(f: bx.FunctionBuilder, x: bx.Value) -> bx.Value:
    return f.linear("l", x, out_features=3)


def sized(f: bx.FunctionBuilder, x: bx.Value, *, features: str) -> bx.Value:
    return f.linear("l", x, out_features=features)


def shapes(f: F, x: V) -> V:
    return f.add("s", x, f.linear("l", x, out_features=5))


def rows(f: F, x: V) -> V:
    return f.reshape("r", x, shape=[-1, 7])


def no_size(f: F, x: V) -> V:
    return f.linear("l", x)


def same_name(f: F, x: V) -> V:
    return f.relu("a", f.relu("a", x))


def of_input(f: F, x: V) -> V:
    return f.relu("x", x)


def no_name(f: F, x: V) -> V:
    return f.relu("a b", x)


def wrong_type(f: F, x: V) -> V:
    return f.linear("l", x, out_features="wide")


def unknown(f: F, x: V) -> V:
    return f.linear("l", x, out_features="$wide")


def no_value(f: F, x: V) -> V:
    return f.relu("r", "x")


def several(f: F, x: V) -> V:
    parts: Any = f.split("p", x, names=["a", "b"], axis=-1)
    return f.relu("r", parts)


def problem(f: F, x: V) -> V:
    return f.transpose("t", x, permutation=[0, 0])


def bare_tuple(f: F, x: V) -> Any:
    return x, x


def differs(f: F, x: V) -> V:
    return f.call("b", narrow, f.call("a", narrow, x))


def closure(f: F, x: V) -> V:
    def inner(f: bx.FunctionBuilder, y: bx.Value) -> bx.Value:
        return f.add("s", y, x)

    return f.call("c", inner, x)


def recursive(f: F, x: V) -> V:
    return f.call("c", recursive, x)


def no_attribute(f: F, x: V) -> V:
    return f.call("c", sized, x)


def value_for_attribute(f: F, x: V) -> V:
    return f.call("c", sized, x, features=x)


def no_input(f: F, x: V) -> V:
    return f.call("c", narrow)


def other_input(f: F, x: V) -> V:
    return f.call("c", narrow, x, z=x)


def many_inputs(f: F, x: V) -> V:
    return f.call("c", narrow, x, x)


def carry_shape(f: F, x: V) -> V:
    return f.repeat("h", narrow, count=2, carry={"x": x})


def carry_name(f: F, x: V) -> Any:
    def body(f: bx.FunctionBuilder, x: bx.Value) -> dict[str, bx.Value]:
        return {"y": f.relu("r", x)}

    return f.repeat("h", body, count=2, carry={"x": x})


def branch(f: F, x: V) -> V:
    return f.repeat("h", narrow, count=2, carry={"x": x}) if x else x


def one_branch(f: F, x: V) -> Any:
    given: Any = narrow
    return f.switch("s", f.arange("i", stop=1), given, inputs={"x": x})


def plus(f: F, x: Any) -> Any:
    return x + 1


def times(f: F, x: Any) -> Any:
    return 2 * x


def index(f: F, x: Any) -> Any:
    return x[0]


def bare_carry(f: F, x: V) -> V:
    given: Any = x
    return f.repeat("h", narrow, count=2, carry=given)


def ends_in_underscore(f: F, x: V) -> V:
    def inner_(f: bx.FunctionBuilder, x: bx.Value) -> bx.Value:
        return x

    return f.call("c", inner_, x)


def declared_as_text(f: F, x: V) -> V:
    shape: Any = "batch"
    f.declare(x, shape)
    return x


def dim_size(f: F, x: V) -> V:
    return f.linear("l", f.transpose("t", x, permutation=[1, 0]), out_features=2)


def declared(f: F, x: V) -> V:
    def inner(f: bx.FunctionBuilder, x: bx.Value) -> bx.Value:
        f.declare(x, ["batch", 5])
        return x

    return f.call("c", inner, x)


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (
            shapes,
            "shapes.s: add: add got incompatible shapes for broadcasting: (batch, 8), "
            "(batch, 5) (operands: a float32[batch, 8], b float32[batch, 5])",
        ),
        (
            no_size,
            "no_size.l: linear: expected out_features, found nothing, and what flows "
            "in does not tell; give out_features=",
        ),
        (
            dim_size,
            "dim_size.l: linear: expected in_features, found nothing, and what flows "
            "in does not tell; give in_features=",
        ),
        (same_name, "same_name.a: expected a new name, found that of a node"),
        (of_input, "of_input.x: expected a new name, found that of an input"),
        (
            no_name,
            "no_name.'a b': expected the name of a node: letters, digits and inner "
            "underscores, no keyword of Python",
        ),
        (
            wrong_type,
            "wrong_type.l.out_features: expected a 64-bit integer or an expression "
            "such as `$width`, found 'wide'",
        ),
        (
            unknown,
            "unknown.l.out_features: expected an attribute or a dim (width, heads, batch), "
            "found 'wide'; f.declare binds the dims of an input's shape",
        ),
        (
            no_value,
            "no_value.r.x: expected a Value, a number or an expression, found str 'x'",
        ),
        (
            several,
            "several.r.x: expected a Value, a number or an expression, found the "
            "outputs a, b; take one of them",
        ),
        (
            problem,
            "problem.t.permutation: expected each of 2 axes once, found [0, 0]",
        ),
        (
            bare_tuple,
            "bare_tuple: expected a Value, a dict or a named tuple of them to be "
            'returned, found tuple; return {"x": x, "k": k}',
        ),
        (
            differs,
            "narrow: expected the same nodes at every call, found l.in_features "
            "'$width' and 3; give what differs as an attribute of the function, a "
            "keyword-only parameter: def narrow(f, x, *, features); or write two "
            "functions of different names",
        ),
        (
            closure,
            "inner.s.b: expected a value of inner, found x of closure; functions close "
            "over nothing: pass it as an input",
        ),
        (
            recursive,
            "recursive: expected calls without a cycle, found recursive -> recursive",
        ),
        (
            no_attribute,
            "no_attribute.c: expected the attribute features of sized, found nothing",
        ),
        (
            value_for_attribute,
            "value_for_attribute.c.features: expected a number or an expression for an "
            "attribute, found 'x'",
        ),
        (no_input, "no_input.c: expected the input x of narrow, found nothing"),
        (
            other_input,
            "other_input.c.z: narrow has no such input; expected one of x",
        ),
        (many_inputs, "many_inputs.c: expected at most 1 inputs for narrow, found 2"),
        (
            carry_shape,
            "carry_shape.h.carry.x: expected the next carry to be as the one before, "
            "float32[batch, 8], found float32[batch, 3]",
        ),
        (
            carry_name,
            "carry_name.h.carry.x: expected the function to return the next x, found "
            "outputs y",
        ),
        (
            branch,
            "branch.x: expected a choice that the Graph can make, found an `if` on a "
            "value; use f.where or f.cond; an optional input goes to an operand that "
            "is optional, or to f.default",
        ),
        (
            one_branch,
            "one_branch.s.branches: expected a list of functions, found function",
        ),
        *(
            (
                function,
                f"{function.__name__}.x: expected an op, found an operator of Python; "
                'nodes have names: f.add("sum", x, y)',
            )
            for function in (plus, times, index)
        ),
        (
            bare_carry,
            "bare_carry.h.carry: expected values by input name, found Value; give "
            'carry={"x": x}',
        ),
        (
            ends_in_underscore,
            "'inner_': expected the name of a function: letters, digits and inner "
            "underscores, no keyword of Python, found 'inner_'",
        ),
        (
            declared_as_text,
            "declared_as_text.x: expected a list of sizes, found 'batch'; such as "
            '["batch", 3]; [] is the shape of a number',
        ),
        (declared, "inner.x: expected shape [batch, 5], found [batch, 8]"),
    ],
)
def test_one_line_that_helps(function: Callable[..., Any], text: str) -> None:
    with pytest.raises(bx.BloxError) as caught:
        entry(function)
    assert str(caught.value) == text


def test_a_shape_that_no_size_fits() -> None:
    with pytest.raises(bx.ModelError, match=r"^rows\.r: reshape: cannot reshape"):
        entry(rows)


def test_a_reshape_that_jax_lets_pass() -> None:
    def main(f: bx.FunctionBuilder, x: bx.Value) -> bx.Value:
        return f.reshape("r", x, shape=[3, 5])

    with pytest.raises(bx.ModelError, match=r"^main\.r: reshape: cannot reshape"):
        entry(main)


def test_optional_values_reach_optional_operands_only() -> None:
    def main(f: bx.FunctionBuilder, x: bx.Value, m: bx.Value) -> bx.Value:
        return f.add("a", x, m)

    with pytest.raises(bx.SpecError) as caught:
        entry(main, x=bx.Input(["batch"]), m=bx.Input(["batch"], optional=True))
    assert str(caught.value) == (
        "main.a.b: expected a value that is always there, found m, which is optional; "
        "give it a value by f.default"
    )


def test_entries_declare_their_inputs() -> None:
    with pytest.raises(bx.SpecError) as caught:
        entry(shapes, y=bx.Input(["batch"]))
    assert str(caught.value) == (
        'shapes.inputs.x: expected its declaration; b.entry(x=bx.Input(["batch", ...]))'
    )
    with pytest.raises(bx.SpecError, match="expected an entry without attributes"):
        entry(sized, x=bx.Input(["batch"]))
    with pytest.raises(bx.SpecError, match=r"inputs\.x\.dtype: expected .*'f3'"):
        entry(narrow, x=bx.Input(["batch", 2], "f3"))
    with pytest.raises(bx.SpecError, match=r"inputs\.x: expected a list of sizes"):
        entry(narrow, x=bx.Input("batch"))


def test_a_function_has_a_name_and_named_parameters() -> None:
    with pytest.raises(bx.SpecError, match="write it with def"):
        entry(lambda f, x: x)

    def main(f: bx.FunctionBuilder, *xs: bx.Value) -> bx.Value:
        return xs[0]

    with pytest.raises(bx.SpecError, match="expected named parameters only, found"):
        entry(main, x=bx.Input([2]))


def test_dims_come_first() -> None:
    b = bx.GraphBuilder("model")
    b.entry(narrow, x=bx.Input(["batch", 2]))
    with pytest.raises(bx.SpecError) as caught:
        b.dim("batch", max=3)
    assert str(caught.value) == (
        "dims.batch: expected dims and constraints before the first entry; sizes are "
        "inferred with them"
    )
    with pytest.raises(bx.SpecError, match="expected a new entry"):
        b.entry(narrow, x=bx.Input(["batch", 2]))


def test_a_failed_entry_leaves_nothing_behind() -> None:
    b = bx.GraphBuilder("model", width=8)
    with pytest.raises(bx.ModelError):
        b.entry(shapes, x=bx.Input(["batch", "$width"]))
    b.entry(narrow, x=bx.Input(["batch", "$width"]))
    assert list(b.graph().functions) == ["narrow"]
    with pytest.raises(bx.SpecError, match="at least one entry"):
        bx.GraphBuilder("empty").graph()


def test_an_input_that_is_no_declaration() -> None:
    given: Any = ["batch"]
    with pytest.raises(bx.SpecError) as caught:
        bx.GraphBuilder("model").entry(narrow, x=given)
    assert str(caught.value) == (
        "narrow.inputs.x: expected a bx.Input, found ['batch']; bx.Input([\"batch\", 8]), "
        "or of another shape"
    )
