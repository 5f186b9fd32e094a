"""Faults are reported where the node is written: path, expected, found, what to do."""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable
from typing import Any

import pytest

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


@pytest.mark.parametrize(
    ("function", "text"),
    [
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
            "no_value.relu_1.x: expected a Value, a number or an expression, found str "
            "'x'",
        ),
        (
            several,
            "several.relu_1.x: expected a Value, a number or an expression, found the "
            "outputs a, b; take one of them",
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
            "while_name.w: expected body to return its next arguments by name (x), found "
            "y",
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
            "other ones of body (written at test_errors.py:LINE); call the function in a "
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
    ],
)
def test_one_line_that_helps(function: Callable[..., Any], text: str) -> None:
    with pytest.raises(bx.BloxError) as caught:
        entry(function)
    # Which line it is, a test of its own says.
    assert re.sub(r"\.py:\d+", ".py:LINE", str(caught.value)) == text


def test_a_function_that_calls_itself_without_an_end() -> None:
    with pytest.raises(bx.SpecError, match="expected at most 64 calls within calls"):
        entry(endless)


def in_a_function(f: bx.F, x: bx.Value) -> bx.Value:
    return f.call("c", shapes)(x)


def in_a_loop(f: bx.F, x: bx.Value) -> bx.Value:
    return f.repeat("h", in_a_function, count=3)(x)


def by_an_op(f: bx.F, x: bx.Value) -> Any:
    return f.op("nobody:knows", x)


def by_a_name(f: bx.F, x: bx.Value) -> Any:
    given: Any = f
    return given.soft_max(x)


def by_arguments(f: bx.F, x: bx.Value) -> Any:
    given: Any = f
    return given.linear("l", x, 3, 4)


def by_a_truth(f: bx.F, x: bx.Value) -> Any:
    return x if x.sum() > 0 else -x


def by_what_it_returns(f: bx.F, x: bx.Value) -> Any:
    return None


@pytest.mark.parametrize(
    ("function", "names"),
    [
        (shapes, ["shapes"]),
        (in_a_function, ["in_a_function", "shapes"]),
        (in_a_loop, ["in_a_loop", "in_a_function", "shapes"]),
        (by_an_op, ["by_an_op"]),
        (by_a_name, ["by_a_name"]),
        (by_arguments, ["by_arguments"]),
        (by_a_truth, ["by_a_truth"]),
        (by_what_it_returns, []),
    ],
)
def test_the_traceback_has_the_users_own_frames(
    function: Callable[..., Any], names: list[str]
) -> None:
    b = bx.GraphBuilder("model", width=8)
    ways: list[Callable[[], Any]] = [
        lambda: b.entry(function, x=bx.Input(["batch", b.width])),
        lambda: b.entry(x=bx.Input(["batch", b.width]))(function),
    ]
    for add in ways:
        with pytest.raises((bx.BloxError, TypeError, AttributeError)) as caught:
            add()
        frames = traceback.extract_tb(caught.value.__traceback__)
        test = "test_the_traceback_has_the_users_own_frames"
        assert [frame.name for frame in frames] == [test, "<lambda>", *names]
        shown = "".join(traceback.format_exception(caught.value))
        assert "During handling" not in shown
        assert "direct cause" not in shown


def test_the_traceback_of_what_is_no_entry() -> None:
    def main(f: bx.F, x: bx.Value) -> bx.Value:
        return x.reshape(-1, 6)

    def make(width: int = 4) -> bx.Graph:
        b = bx.GraphBuilder("model", width=width)
        b.entry(main, x=bx.Input(["batch", 3]))
        return b.graph()

    b = bx.GraphBuilder("model")
    b.entry(main, x=bx.Input(["batch", 3]))
    ways: list[Callable[[], Any]] = [
        lambda: b.graph(),
        lambda: b.graph(entries=["other"]),
        lambda: b.dim("batch", max=3),
        lambda: b.constraint("batch > 3"),
        lambda: b.width,
    ]
    for wrong in ways:
        with pytest.raises((bx.BloxError, AttributeError)) as caught:
            wrong()
        frames = traceback.extract_tb(caught.value.__traceback__)
        assert [frame.filename for frame in frames] == [__file__] * 2
    with pytest.raises(bx.ModelError) as fault:
        bx.check_attributes(make, width=8)
    assert [f.name for f in traceback.extract_tb(fault.value.__traceback__)][1:] == [
        "make"
    ]


def test_the_users_own_errors_stay_as_they_are() -> None:
    numbers: dict[str, int] = {}

    def main(f: bx.F, x: bx.Value) -> bx.Value:
        return x + numbers["a"]

    with pytest.raises(KeyError) as caught:
        entry(main)
    assert traceback.extract_tb(caught.value.__traceback__)[-1].name == "main"


def test_a_fault_that_only_the_whole_graph_shows_names_the_line() -> None:
    """JAX can't decide it while the node is written: it holds for even sizes."""

    def main(f: bx.F, x: bx.Value) -> bx.Value:
        return x.reshape(-1, 6)

    b = bx.GraphBuilder("model")
    b.entry(main, x=bx.Input(["batch", 3]))
    with pytest.raises(bx.ModelError) as caught:
        b.graph()
    line = main.__code__.co_firstlineno + 1
    assert f"(written at test_errors.py:{line})" in str(caught.value)
    assert str(caught.value).startswith("main.reshape_1: cannot reshape")


NO_OP = "bx.recipes has what takes several ops, bx.register adds your own"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("topk", NO_OP),
        ("group_norm", NO_OP),
        ("soft_max", "did you mean f.softmax?"),
        ("layernorm", "did you mean f.layer_norm?"),
        ("addd", "did you mean f.add?"),
        ("dense", "did you mean f.linear?"),
        ("Dense", "did you mean f.linear?"),
        ("conv2d", "did you mean f.conv?"),
        ("BatchNorm2d", "did you mean f.batch_norm?"),
        ("gather", "did you mean f.take or f.take_along_axis?"),
    ],
)
def test_an_op_that_is_none(name: str, hint: str) -> None:
    def main(f: bx.F, x: bx.Value) -> Any:
        return getattr(f, name)(x)

    with pytest.raises(AttributeError) as caught:
        entry(main)
    assert str(caught.value) == f"expected the name of an op, found {name!r}; {hint}"


def test_an_op_that_is_none_by_text() -> None:
    def main(f: bx.F, x: bx.Value) -> Any:
        return f.op("Dense", "d", x)

    with pytest.raises(bx.SpecError) as caught:
        entry(main)
    assert str(caught.value) == (
        "main.Dense: expected an op that is registered here, found 'Dense'; did you mean "
        "'linear'?"
    )


@pytest.mark.parametrize("init", [{"name": "zeros"}, "zeros"])
def test_an_initializer_without_its_parameter(init: Any) -> None:
    def main(f: bx.F, x: bx.Value) -> bx.Value:
        return x + f.param("p", [8], init=init)

    with pytest.raises(
        bx.SpecError, match=r"init.*parameter: {'value': {'name': \.\.\.}}"
    ):
        entry(main)


def test_optional_values_reach_optional_operands_only() -> None:
    def main(f: bx.F, x: bx.Value, m: bx.Value) -> bx.Value:
        return x + m

    with pytest.raises(bx.SpecError) as caught:
        entry(main, x=bx.Input(["batch"]), m=bx.Input(["batch"], optional=True))
    assert str(caught.value) == (
        "main.add_1.b: expected a value that is always there, found m, which is "
        "optional; give it a value by f.default"
    )


def test_entries_declare_their_inputs() -> None:
    with pytest.raises(bx.SpecError) as caught:
        entry(shapes, y=bx.Input(["batch"]))
    assert str(caught.value) == (
        "shapes.inputs.x: expected a bx.Input, found nothing; "
        'b.entry(x=bx.Input(["batch", ...]))'
    )
    with pytest.raises(bx.SpecError, match="expected an entry without attributes"):
        entry(sized, x=bx.Input(["batch"]))
    with pytest.raises(bx.SpecError, match=r"inputs\.x\.dtype: expected .*'f3'"):
        entry(narrow, x=bx.Input(["batch", 2], "f3"))
    with pytest.raises(bx.SpecError, match=r"inputs\.x: expected a list of sizes"):
        entry(narrow, x=bx.Input("batch"))
    given: Any = ["batch"]
    with pytest.raises(bx.SpecError, match=r"expected a bx.Input, found \['batch'\]"):
        entry(narrow, x=given)


def test_a_dim_that_is_named_like_an_attribute() -> None:
    with pytest.raises(bx.SpecError) as caught:
        entry(narrow, x=bx.Input(["batch", "width"]))
    assert str(caught.value) == (
        "narrow.inputs.x: expected a dim with a name of its own, found width, which is "
        "an attribute of the Graph; b.width is the attribute"
    )


def test_a_function_has_a_name_and_named_parameters() -> None:
    with pytest.raises(bx.SpecError, match="write it with def"):
        entry(lambda f, x: x)

    def main(f: bx.F, *xs: bx.Value) -> bx.Value:
        return xs[0]

    with pytest.raises(bx.SpecError, match="named parameters of main only, found"):
        entry(main, x=bx.Input([2]))


def test_sizes_that_are_rounded_differ() -> None:
    def main(f: bx.F, image: bx.Value) -> bx.Value:
        small = f.max_pool(f.max_pool(image, [2, 2]), [2, 2])
        back = small.repeat(4, 1).repeat(4, 2)
        return f.concatenate([back, image], axis=-1)

    image = bx.Input(["batch", "height", "breadth", 3])
    text = r"\(batch, height, breadth, 3\).*; where only some sizes fit, dims say .*"
    with pytest.raises(bx.ModelError, match=text + "multiple_of=2"):
        entry(main, image=image)
    b = bx.GraphBuilder("m")
    for dim in ("height", "breadth"):
        b.dim(dim, multiple_of=4)
    b.entry(main, image=image)
    assert b.graph().functions["main"].outputs


def test_a_size_that_no_input_has() -> None:
    """Whether `update` fits isn't known, so the result has no size that one can name."""

    def main(f: bx.F, x: bx.Value, update: bx.Value) -> bx.Value:
        y = f.dynamic_update_slice(x, update, [0], [1])
        return f.zeros([y.shape[1]])

    inputs = {
        "x": bx.Input(["batch", "cached"]),
        "update": bx.Input(["batch", "seq"]),
    }
    with pytest.raises(bx.SpecError, match=r"main.zeros_1.shape: .* b\.constraint\("):
        entry(main, **inputs)
    b = bx.GraphBuilder("m")
    b.constraint("seq <= cached")
    b.entry(main, **inputs)
    zeros = b.graph().plain()["functions"]["main"]["nodes"]["zeros_1"]
    assert zeros["shape"] == ["$cached"]


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
        b.entry(shapes, x=bx.Input(["batch", b.width]))
    b.entry(narrow, x=bx.Input(["batch", b.width]))
    assert list(b.graph().functions) == ["narrow"]
    with pytest.raises(bx.SpecError, match="at least one entry"):
        bx.GraphBuilder("empty").graph()
