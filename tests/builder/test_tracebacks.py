"""Where the builder says a fault is: the line of the user that made it."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Any

import pytest
from builder.faults import entry, shapes

import blox as bx


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
    assert f"(written at test_tracebacks.py:{line})" in str(caught.value)
    assert str(caught.value).startswith("main.reshape_1: cannot reshape")
