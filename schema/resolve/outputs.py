"""What functions promise of their outputs, as far as the file alone tells it."""

from __future__ import annotations

from collections.abc import Container

from ..content import Content, Function
from ..diagnostics import Report, listing, quote
from .dims import is_dim_name


def check_outputs(
    graph: Content,
    name: str,
    dims: Container[str],
    lists: Container[str],
    report: Report,
) -> None:
    """Reports shapes of unknown dims, and next values of what can't have one.

    Args:
        graph: the Graph.
        name: one of its functions.
        dims: those that its inputs bind; outputs bind none.
        lists: the outputs that are lists.
        report: where findings go.
    """
    function = graph.functions[name]
    nexts: dict[str, str] = {}
    for output_name, output in function.outputs.items():
        path = f"{name}.outputs.{output_name}"
        shape = output.shape or []
        if shape.count("...") > 1:
            report.error("shape", f"{path}.shape", "expected `...` at most once")
        for dim in dict.fromkeys(d for d in shape if is_dim_name(d)):
            if dim in dims:
                continue
            known = dim in graph.attributes or dim in function.attributes
            report.error(
                "dim-unknown",
                f"{path}.shape",
                f"expected a dim that an input of {name} binds, found {quote(dim)}",
                f"write {quote('$' + dim)} for its value" if known else "",
            )
        if output.next is not None:
            is_list = output_name in lists
            fault = _next_fault(function, output.next, nexts, is_list=is_list)
            if fault:
                report.error("output-next", f"{path}.next", fault)
            nexts.setdefault(output.next, output_name)


def _next_fault(
    function: Function, wanted: str, nexts: dict[str, str], *, is_list: bool
) -> str:
    """What is wrong with an output that is the next value of the input `wanted`."""
    given = function.inputs.get(wanted)
    if given is None:
        return f"expected an input ({listing(function.inputs)}), found {quote(wanted)}"
    if given.dtype == "key":
        return f"expected an input that is an array, found the key {wanted}"
    if is_list != (given.copies is not None):
        one = "a list" if is_list else "an array"
        other = "an array" if is_list else "a list"
        return f"expected an input that is {one}, as the output is, found {other}"
    if wanted in nexts:
        return f"expected one next value of {wanted}, found {nexts[wanted]} before"
    return ""
