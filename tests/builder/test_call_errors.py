"""Wrong calls of methods and wrong functions are explained at the user's line."""

from __future__ import annotations

import functools
import traceback
from collections.abc import Callable
from typing import Any

import pytest

import blox as bx


def entry(main: Callable[..., Any]) -> None:
    bx.GraphBuilder("m").entry(main, x=bx.Input(["batch", 8]))


LINEAR = (
    "f.linear(name, x, out_features=None, *, kernel=None, bias=None, in_features=None, "
    "use_bias=True, params=None, init=None, axes=None, frozen=()): "
)


@pytest.mark.parametrize(
    ("act", "text"),
    [
        (
            lambda f, x: f.linear("l", x, 3, False),
            LINEAR + "takes from 3 to 4 positional arguments but 5 were given; what "
            "stands behind out_features goes by keyword",
        ),
        (
            lambda f, x: f.linear("l", x, 3, use_bais=False),
            LINEAR + "got an unexpected keyword argument 'use_bais'; did you mean "
            "use_bias?",
        ),
        (
            lambda f, x: f.dropout("d", x),
            "f.dropout(name, x, rate, *, key=None, broadcast_dims=()): missing 1 "
            "required positional argument: 'rate'",
        ),
    ],
)
def test_a_method_says_how_it_is_called(act: Callable[..., Any], text: str) -> None:
    def inner(f: bx.F, x: bx.Value) -> Any:
        return act(f, x)

    def main(f: bx.F, x: bx.Value) -> Any:
        return f.call("c", inner)(x)

    with pytest.raises(TypeError) as caught:
        entry(main)
    # Python 3.12 has a hint of its own.
    found = str(caught.value)
    assert found.startswith(text.partition(";")[0])
    assert found.endswith(text[-12:])
    frames = traceback.extract_tb(caught.value.__traceback__)
    assert [frame.name for frame in frames[-3:]] == ["main", "inner", "<lambda>"]


def test_an_op_that_is_none_has_a_short_traceback() -> None:
    def inner(f: bx.F, x: bx.Value) -> Any:
        return f.layernorm("l", x)  # type: ignore[attr-defined]

    def main(f: bx.F, x: bx.Value) -> Any:
        return f.call("c", inner)(x)

    with pytest.raises(AttributeError, match=r"did you mean f\.layer_norm") as caught:
        entry(main)
    frames = traceback.extract_tb(caught.value.__traceback__)
    assert [frame.name for frame in frames[-2:]] == ["main", "inner"]


def plain(f: bx.F, x: bx.Value) -> bx.Value:
    return x


async def awaits(f: bx.F, x: bx.Value) -> bx.Value:
    return x


def yields(f: bx.F, x: bx.Value) -> Any:
    yield x


def nested(f: bx.F, x: bx.Value) -> Any:
    return x, (x, x)


def builtin(f: bx.F, input: bx.Value) -> bx.Value:
    return input


class Called:
    __hash__ = None  # type: ignore[assignment]

    def __call__(self, f: bx.F, x: bx.Value) -> bx.Value:
        return x


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (
            functools.partial(plain),
            "main.c: expected a Python function with a name of its own, found 'partial'; "
            "give it the function, and the arguments at the call",
        ),
        (
            Called(),
            "main.c: expected a Python function with a name of its own, found 'Called'; "
            "write it with def; names have letters, digits and inner underscores",
        ),
        (
            awaits,
            "main.c: expected a plain function, found awaits, which yields or awaits; "
            "write it with def and return",
        ),
        (
            yields,
            "main.c: expected a plain function, found yields, which yields or awaits; "
            "write it with def and return",
        ),
        (
            nested,
            "main.c.outputs.out_1: expected a value of nested, found a tuple in what is "
            'returned; outputs have one level: return {"x": x, "k": k}',
        ),
        (
            builtin,
            "main.c.'input': expected an argument with a name that an input can have, "
            "found 'input'; names end in a letter or digit and hide no builtin of Python",
        ),
    ],
)
def test_what_is_no_function_of_a_graph(function: Any, text: str) -> None:
    def main(f: bx.F, x: bx.Value) -> Any:
        return f.call("c", function)(x)

    with pytest.raises(bx.SpecError) as caught:
        entry(main)
    assert str(caught.value) == text
