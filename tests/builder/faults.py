"""Functions of users with one fault each, and the line that helps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import blox as bx


def entry(function: Callable[..., Any], **inputs: bx.Input) -> None:
    b = bx.GraphBuilder("model", width=8, heads=2)
    b.entry(function, **(inputs or {"x": bx.Input(["batch", b.width])}))
    b.graph()


def narrow(f: bx.F, x: bx.Value) -> bx.Value:
    return f.linear("l", x, 3)


def sized(f: bx.F, x: bx.Value, *, features: int) -> bx.Value:
    return f.linear("l", x, features)


def shapes(f: bx.F, x: bx.Value) -> bx.Value:
    return x + f.linear("l", x, 5)


def no_size(f: bx.F, x: bx.Value) -> bx.Value:
    return f.linear("l", x)


def dim_size(f: bx.F, x: bx.Value) -> bx.Value:
    return f.linear("l", x.T, 2)


def same_name(f: bx.F, x: bx.Value) -> bx.Value:
    return f.linear("a", f.linear("a", x, 2), 2)


def of_input(f: bx.F, x: bx.Value) -> bx.Value:
    return f.relu(x, name="x")


def no_name(f: bx.F, x: bx.Value) -> bx.Value:
    return f.linear("a b", x, 3)


def value_first(f: bx.F, x: Any) -> bx.Value:
    return f.linear(x, 3)


def wrong_type(f: bx.F, x: bx.Value) -> bx.Value:
    return f.linear("l", x, "wide")


def slot_as_choice(f: bx.F, x: bx.Value) -> bx.Value:
    return f.linear("l", x, 3, bias=False)  # type: ignore[arg-type]


def one_for_a_list(f: bx.F, x: bx.Value) -> bx.Value:
    return f.dynamic_slice(x, 0, [2], [0])  # type: ignore[arg-type]


def unknown(f: bx.F, x: bx.Value) -> bx.Value:
    return f.linear("l", x, "$wide")


def no_value(f: bx.F, x: bx.Value) -> bx.Value:
    return f.relu("x")


def several(f: bx.F, x: bx.Value) -> bx.Value:
    parts: Any = f.split(x, 2, axis=-1, names=["a", "b"])
    return f.relu(parts)


def problem(f: bx.F, x: bx.Value) -> bx.Value:
    return x.transpose(0, 0)


def value_for_number(f: bx.F, x: Any) -> bx.Value:
    return f.linear("l", x, x)


def nothing(f: bx.F, x: bx.Value) -> Any:
    x.sum()


def number(f: bx.F, x: bx.Value) -> Any:
    return {"a": x, "b": 3}


def closure(f: bx.F, x: bx.Value) -> bx.Value:
    def inner(f: bx.F, y: bx.Value) -> bx.Value:
        return y + x

    return f.call("c", inner)(x)


def endless(f: bx.F, x: bx.Value) -> bx.Value:
    return f.call("c", endless)(x)


def no_attribute(f: bx.F, x: bx.Value) -> Any:
    given: Any = sized
    return f.call("c", given)(x)


def other_attribute(f: bx.F, x: bx.Value) -> Any:
    given: Any = sized
    return f.call("c", given)(x, feature=3)


def carry_shape(f: bx.F, x: bx.Value) -> bx.Value:
    return f.repeat("h", narrow, count=2)(x)


def uncarried(f: bx.F, x: bx.Value) -> Any:
    def body(f: bx.F, h: bx.Value, x: bx.Value) -> dict[str, bx.Value]:
        return {"h": h, "x": x}

    return f.scan("s", body)(f.zeros([8]), bx.slices(x))


def next_by_place(f: bx.F, x: bx.Value) -> Any:
    def cell(f: bx.F, h: bx.Value, x: bx.Value) -> Any:
        return h, h + x

    return f.scan("s", cell)(x, bx.slices(x))


def value_of_the_caller(f: bx.F, x: bx.Value) -> Any:
    def inner(f: bx.F) -> bx.Value:
        return x

    return f.call("c", inner)()


def while_name(f: bx.F, x: bx.Value) -> Any:
    def test(f: bx.F, x: bx.Value) -> bx.Value:
        return x.sum() > 0

    def body(f: bx.F, x: bx.Value) -> dict[str, bx.Value]:
        return {"y": x}

    return f.while_loop("w", test, body)(x)


def each_of_a_call(f: bx.F, x: bx.Value) -> Any:
    return f.call("c", sized)(x, features=bx.each([1, 2]))


def odd_list(f: bx.F, x: bx.Value) -> Any:
    def body(f: bx.F, x: bx.Value, rate: bx.Value) -> bx.Value:
        return x * rate

    rates: Any = bx.each([0.1, 0.2, 0.3])
    return f.repeat("h", body, count=4)(x, rates)


def copies_that_differ(f: bx.F, x: bx.Value) -> Any:
    def body(f: bx.F, x: bx.Value, *, act: str) -> bx.Value:
        value: bx.Value = getattr(f, act)(x)
        return value

    acts = bx.each(["relu", "tanh"])
    return f.repeat("h", body, count=2, scan=False)(x, act=acts)


def other_inputs(f: bx.F, x: bx.Value) -> Any:
    def one(f: bx.F, x: bx.Value) -> bx.Value:
        return x

    def two(f: bx.F, y: bx.Value) -> bx.Value:
        return y

    branches: Any = (one, two)
    return f.cond("c", x.sum() > 0, *branches)(x)


def one_branch(f: bx.F, x: bx.Value) -> Any:
    given: Any = narrow
    return f.switch("s", f.zeros([], "int32"), given)(x)


def ends_in_underscore(f: bx.F, x: bx.Value) -> bx.Value:
    def inner_(f: bx.F, x: bx.Value) -> bx.Value:
        return x

    return f.call("c", inner_)(x)


def star(f: bx.F, x: bx.Value) -> Any:
    def inner(f: bx.F, *xs: bx.Value) -> bx.Value:
        return xs[0]

    return f.call("c", inner)(x)


def number_of_another(f: bx.F, x: bx.Value) -> Any:
    kept: list[int] = []

    def one(f: bx.F, x: bx.Value, *, n: int) -> bx.Value:
        kept.append(n)
        return x

    f.call("a", one)(x, n=3)
    return f.linear("l", x, kept[0])


FAULTS: list[tuple[Callable[..., Any], str]] = [
    (
        shapes,
        "shapes.add_1: add: add got incompatible shapes for broadcasting: (batch, 8), "
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
    (
        next_by_place,
        "next_by_place.s: expected cell to return what it gives by name, found a tuple, "
        'which does not say what is carried on; return {"h": ..., "y": ...}: an output '
        "named as an argument is its next value, others are stacked",
    ),
    (
        value_of_the_caller,
        "value_of_the_caller.c.outputs.out: expected a value of inner, found "
        "Value(value_of_the_caller.x: float32[batch, 8]); functions close over nothing: "
        "pass it as an input",
    ),
    (same_name, "same_name.a: expected a new name, found that of a node"),
    (of_input, "of_input.x: expected a new name, found that of an input"),
    (
        no_name,
        "no_name.'a b': expected the name of a node: letters, digits and inner "
        "underscores, no keyword of Python",
    ),
    (
        value_first,
        "value_first.x: expected the name of the node first, found a value; its "
        'parameters lie under it: f.linear("up", x, 64)',
    ),
    (
        slot_as_choice,
        "slot_as_choice.l.bias: expected a Value, found False; use_bias=False says "
        "whether it has one",
    ),
    (
        one_for_a_list,
        "one_for_a_list.dynamic_slice_1.start: expected a list of values, found one "
        "value; [x] is one",
    ),
    (
        wrong_type,
        "wrong_type.l.out_features: expected a 64-bit integer or an expression "
        "such as `$width`, found 'wide'",
    ),
    (
        unknown,
        "unknown.l.out_features: expected an attribute or a dim (batch, width, "
        "heads), found '$wide'",
    ),
    (
        no_value,
        "no_value.relu_1.x: expected a Value, a number, a boolean or an expression, found "
        "str 'x'",
    ),
    (
        several,
        "several.relu_1.x: expected a Value, a number, a boolean or an expression, found "
        "the outputs a, b; take one of them",
    ),
    (
        problem,
        "problem.transpose_1.permutation: expected each of 2 axes once, found [0, 0]",
    ),
    (
        value_for_number,
        "value_for_number.l.out_features: expected a number or a text, found the "
        "value x; an operand takes values; an attribute is known when one writes",
    ),
    (
        nothing,
        "nothing: expected a Value, a dict or a tuple of them to be returned, found "
        "NoneType; return what comes of it",
    ),
    (number, "number.outputs.b: expected a value of number, found 3"),
    (
        closure,
        "closure.c.add_1.b: expected a value of inner, found x of closure; functions "
        "close over nothing: pass it as an input",
    ),
    (
        no_attribute,
        "no_attribute.c: expected the arguments of sized(f, x, *, features), found "
        "others: missing a required argument: 'features'",
    ),
    (
        other_attribute,
        "other_attribute.c: expected the arguments of sized(f, x, *, features), "
        "found others: there is no feature; did you mean features?",
    ),
    (
        carry_shape,
        "carry_shape.h.carry.x: expected the next carry to be as the one before, "
        "float32[batch, 8], found float32[batch, 3]",
    ),
    (
        uncarried,
        "uncarried.s.x: expected another name for the output x of body, which is an "
        'input that isn\'t carried; return it as {"y": ...}',
    ),
    (
        while_name,
        "while_name.w: expected body to return its next arguments by name (x), found y",
    ),
    (
        each_of_a_call,
        "each_of_a_call.c.features: expected bx.each in a repeat, found it here",
    ),
    (
        odd_list,
        "odd_list.h.rate: expected numbers that go into 4 copies, found 3",
    ),
    (
        copies_that_differ,
        "copies_that_differ.h: expected copies that write the same nodes, found "
        "other ones of body (written at faults.py:LINE); call the function in a "
        "Python loop, or use two repeats",
    ),
    (
        other_inputs,
        "other_inputs.c: expected functions with inputs of the same names, found x "
        "beside y",
    ),
    (
        one_branch,
        "one_branch.s.branches: expected a list of functions, found function",
    ),
    (
        ends_in_underscore,
        "ends_in_underscore.c: expected a Python function with a name of its own, "
        "found 'inner_'; write it with def; names have letters, digits and inner "
        "underscores",
    ),
    (
        star,
        "star.c: expected named parameters of inner only, found *xs; its inputs have "
        "names in the Graph",
    ),
    (
        number_of_another,
        "number_of_another.l.out_features: expected a number of number_of_another or "
        "of a caller, found n of another function; pass it as an argument",
    ),
]
