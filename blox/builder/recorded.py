"""Functions of another Graph as Python functions."""

from __future__ import annotations

import inspect
from typing import Any

from blox.schema.content import Function
from blox.schema.content import Input as Content
from blox.schema.names import MAX_NAME, name_of

from .replay import Replay
from .source import Source
from .values import Input, Outputs


class Recorded:
    """A function of an included Graph, as a Python function.

    Args:
        returns_named: True where nodes of the same Graph call it, which name its
            outputs whether there is one or several.
    """

    is_recorded = True
    """Its attributes stay attributes, though all calls may give the same."""

    def __init__(self, source: Source, name: str, *, returns_named: bool) -> None:
        self.source, self.own_name = source, name
        function = source.graph.functions[name]
        self.returns_named = returns_named
        self.__name__ = name_of(f"{source.prefix}{name}"[:MAX_NAME])
        self.doc = function.doc
        self.__signature__ = _signature(function)
        source.declared[self] = {n: _declared(i) for n, i in function.inputs.items()}

    def __repr__(self) -> str:
        return f"<function {self.own_name} of {self.source.name}>"

    def __call__(self, f: Any = None, /, *args: Any, **kwargs: Any) -> Any:
        if not hasattr(f, "_trace"):
            raise TypeError(
                f"expected the builder f before the inputs of {self.own_name}, found "
                f"{type(f).__name__}; call it by f.call(name, base.{self.own_name})(...)"
            )
        given = self.__signature__.bind(f, *args, **kwargs).arguments
        found = Replay(self.source, self.own_name, f._trace, given).outputs()
        return found if self.returns_named else Outputs(found, found.values())


def _signature(function: Function) -> inspect.Signature:
    kinds = inspect.Parameter
    first = "f" if "f" not in [*function.inputs, *function.attributes] else "f_"
    parameters = [kinds(first, kinds.POSITIONAL_ONLY)]
    for name, given in function.inputs.items():
        default = None if given.optional else kinds.empty
        parameters.append(kinds(name, kinds.POSITIONAL_OR_KEYWORD, default=default))
    parameters += [kinds(name, kinds.KEYWORD_ONLY) for name in function.attributes]
    return inspect.Signature(parameters)


def _declared(given: Content) -> Input:
    shape = ["..."] if given.shape is None else given.shape
    kind = given.dtype or "float"
    return Input(shape, kind, given.optional, given.doc, given.copies)
