"""What a Graph declares before its functions run: inputs of entries, bounds of dims."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from blox.schema import Graph, SpecError
from blox.schema.diagnostics import Diagnostic, quote
from blox.schema.expressions import ExpressionError
from blox.shapes.binding import input_dtype
from blox.shapes.declared import Declared, bounds_of, relations_of
from blox.shapes.kinds import FLOAT
from blox.shapes.op_engine import OpEngine
from blox.shapes.samples import symbolic
from blox.shapes.symbolic import Symbols

from .python_function import signature_of
from .sizes import Dim, Size, numbered, tree_of_number
from .trace import Trace
from .trees import symbols, text_of, tree_of, value_of
from .values import Input, Value


def engine_of(graph: Graph) -> OpEngine:
    """The engine of a Graph that is being written, with its bounds and constraints."""
    bounds, relations = bounds_of(graph), relations_of(graph)
    named = [*bounds, *(n for r in relations for n in r.names)]
    dims = dict.fromkeys(n for n in named if n not in graph.attributes)
    symbols = Symbols(iter(dims), bounds, relations, graph.attributes)
    return OpEngine(symbols, math.inf)  # whoever writes a model may write a large one


def input_names(trace: Trace, inputs: Mapping[str, Input]) -> list[str]:
    """The inputs of an entry, in its own order.

    Raises:
        SpecError: one is not declared, or it has attributes.
    """
    _, *parameters = signature_of(trace.function).parameters.values()
    for parameter in parameters:
        if parameter.kind is parameter.KEYWORD_ONLY:
            trace.fault(
                parameter.name,
                f"expected an entry without attributes, found {parameter.name}",
                "attributes of the graph are its hyper-parameters",
            )
    names = [parameter.name for parameter in parameters]
    for name in {**dict.fromkeys(names), **inputs}:
        where = f"inputs.{name}"
        if name not in names:
            have = ", ".join(names) or "none"
            trace.fault(where, f"expected an input of {trace.name} ({have})")
        if not isinstance(inputs.get(name), Input):
            found = quote(inputs[name]) if name in inputs else "nothing"
            hint = f'b.entry({name}=bx.Input(["batch", ...]))'
            trace.fault(where, f"expected a bx.Input, found {found}", hint)
    return names


def declaration(trace: Trace, name: str, given: Input) -> dict[str, Any]:
    """The declaration of an input as a file has it.

    Raises:
        SpecError: its shape is no list of sizes.
    """
    where = f"{trace.name}.inputs.{name}"
    shape, attributes = given.shape, trace.session.attribute_symbols
    if isinstance(shape, str) or not isinstance(shape, Sequence):
        raise SpecError.one(
            "builder-shape",
            where,
            f"expected a list of sizes, found {quote(shape)}",
            'such as ["batch", 3]; [] is the shape of a number',
        )
    for size in shape:
        if isinstance(size, str) and size in attributes:
            fail(
                where,
                f"expected a dim with a name of its own, found {size}, which is an "
                "attribute of the Graph",
                f"b.{size} is the attribute",
            )
    declared: dict[str, Any] = {
        "shape": [written_size(where, size) for size in shape],
        "dtype": given.dtype,
    }
    if given.copies is not None:
        declared["copies"] = written_size(where, given.copies)
    declared |= {"optional": True} if given.optional else {}
    return declared | ({"doc": given.doc} if given.doc else {})


def declare(trace: Trace, given: Mapping[str, Input], graph: Graph) -> None:
    """Gives the inputs of an entry to its trace.

    Args:
        graph: declares them as a file does.

    Raises:
        SpecError: a shape has no value.
    """
    inputs, engine = graph.functions[trace.name].inputs, trace.session.engine
    trace.declaration = inputs
    known = Declared(inputs, graph.attributes)
    sizes = symbolic(known, list(inputs), engine.symbols)
    for name, declared in given.items():
        try:
            shape = sizes.shape(name, inputs[name].shape or [], graph.attributes)
        except ExpressionError as error:
            trace.fault(f"inputs.{name}", str(error))
        dtype = input_dtype(inputs[name].dtype, FLOAT)
        value = engine.values.array(shape, dtype)
        trace.inputs[name] = _input(trace, name, declared, value)


def _input(trace: Trace, name: str, given: Input, known: Any) -> Value:
    """An input of an entry, its sizes as they are declared."""
    if given.dtype == "key":
        return Value(name, trace, known, (), "key", given.optional)
    leads = "..." in given.shape
    shape = [s for s in given.shape if s != "..."]
    sizes: list[Any] = []
    offset = len(known.shape) - len(shape) if leads else 0
    for axis, size in enumerate(known.shape):
        stated = shape[axis - offset] if axis >= offset else "_"
        if type(size) is not int:
            dim = given.dim_at(axis, len(known.shape))
            if dim:
                trace.bind_dim(dim, size, (name, axis), None, dim)
            sizes.append(trace.dim(size))
        elif isinstance(stated, str) and stated.startswith("$"):
            tree = tree_of(stated, trace.session.attribute_symbols.__getitem__)
            sizes.append(numbered(size, tree))
        else:
            sizes.append(stated if isinstance(stated, Size) else size)
    if given.copies is None:
        return Value(name, trace, known, tuple(sizes), optional=given.optional)
    copies = trace.number(f"inputs.{name}.copies", given.copies)
    return Value(name, trace, known, tuple(sizes), "list", given.optional, copies)


def described(
    trace: Trace, name: str, reference: str, shape: list[Any] | None = None
) -> Any:
    """An output as a file has it, with what an entry says of it.

    Args:
        shape: as a file has it, where that is known.
    """
    said = trace.described.get(name)
    if said is None:
        return reference
    where = f"{trace.name}.outputs.{name}"
    if shape is None and said.shape is not None:
        shape = [written_size(where, s) for s in said.shape]
    return {
        "value": reference,
        "shape": shape,
        "dtype": said.dtype,
        "next": said.next,
        "doc": said.doc,
    }


def written_size(path: str, size: Any) -> int | str:
    """A size as a file has it.

    Raises:
        SpecError: it belongs to a function.
    """
    tree = tree_of_number(size)
    if isinstance(size, Dim) or any(s.trace is not None for s in symbols(tree)):
        fail(path, f"expected a size of the Graph, found {size!r} of a function")
    written: int | str = size if size is tree else f"${text_of(tree)}"
    return written


def written_bound(path: str, value: Any, attributes: Mapping[str, Any]) -> int | str:
    """A bound of a dim as a file has it, checked to be a number.

    Args:
        attributes: those of the Graph, as symbols by name.
    """
    if not isinstance(value, str):
        return written_size(path, value)
    try:
        value_of(tree_of(value, attributes.__getitem__))
    except KeyError as error:
        fail(path, f"expected an attribute of the Graph, found {error}")
    except ExpressionError as error:
        fail(path, str(error))
    return value


def fail(path: str, message: str, hint: str = "") -> NoReturn:
    raise SpecError(Diagnostic("builder", path, message, hint))
