"""Known layers, and where functions begin and end."""

from __future__ import annotations

from blox.schema import op_class

from ...trace import Enter, Exit, Param, Path, Value
from ...views import View
from ..internals import Atom, JaxprEqn, Literal
from ..lines import call_of
from ..lower import Lowering, output_of, rule
from ..marks import Layer
from .through import through


@rule("blox_mark")
def mark(lower: Lowering, equation: JaxprEqn) -> list[View]:
    params = equation.params
    if params["mark"] == "exit":
        lower.modules.pop()
        lower.codes.pop()
        lower.items.append(Exit())
        return []
    count = len(params["paths"])
    scope: Path | None = None
    arguments: dict[str, Value] = {}
    inside = {id(atom) for atom in equation.invars[:count]}
    for place, atom in enumerate(equation.invars):
        source = _source(lower, atom)
        if place < count and isinstance(source, Param) and scope is None:
            own = params["paths"][place]
            scope = source.path[: len(source.path) - len(own)]
        elif isinstance(source, Param) and id(atom) in inside:
            continue  # an array of the module, and no argument
        elif place >= count and source is not None:
            arguments[params["arguments"][place - count]] = source
    name = params["name"]
    lower.modules.append(name)
    lower.codes.append(params.get("codes", ()))
    remat, doc = params.get("remat", ""), params.get("doc", "")
    line = call_of(equation, name)
    lower.items.append(Enter(name, scope, arguments, remat, doc, line))
    return []


def _source(lower: Lowering, atom: Atom) -> Value | None:
    """The array that an argument is, where the equations so far give one."""
    if isinstance(atom, Literal):
        return None
    view = lower.environment.get(atom)
    if not isinstance(view, View) or not isinstance(view.source, Value):
        return None
    return view.source


@rule("blox_layer")
def layer(lower: Lowering, equation: JaxprEqn) -> list[View]:
    static: Layer = equation.params["layer"]
    count = len(static.operands)
    operands = {
        name: lower.read(atom)
        for name, atom in zip(static.operands, equation.invars[:count], strict=True)
    }
    slots = {
        name: lower.slot(lower.read(atom))
        for name, atom in zip(static.slots, equation.invars[count:], strict=True)
    }
    if static.elementwise:
        shape, dtype = output_of(equation)
        attributes = static.attributes
        return [lower.elementwise(static.op, operands, shape, dtype, attributes)]
    params = [s for s in slots.values() if isinstance(s, Param)]
    flowing: dict[str, View | Value] = {**_small(static, operands, equation)}
    flowing |= _keys(lower, static)
    scope = params[0].path[:-1] if params else None
    if static.recognised and not _is_layer(slots):
        scope = None
    if static.of:
        lower.context.classes.add(static.of)
    if static.op == "embed" and params:
        lower.context.embedded.add(params[0].path)
    if static.op == "assign":
        return [_assigned(lower, static, operands)]
    outputs = [output_of(equation, i) for i in range(len(equation.outvars))]
    if len(outputs) == 1:
        ((shape, dtype),) = outputs
        kept = (static.op, operands, static.attributes, shape, dtype)
        if not slots and (found := through(lower, *kept)) is not None:
            return [found]
        return [
            lower.emit(
                static.op,
                flowing,
                static.attributes,
                shape,
                dtype,
                slots=slots,
                scope=scope,
            )
        ]
    cls = op_class(static.op)
    assert cls is not None
    named = [(n, *o) for n, o in zip(cls.OUTPUTS, outputs, strict=True)]
    return lower.emit_several(
        static.op, flowing, static.attributes, named, slots=slots, scope=scope
    )


def _assigned(lower: Lowering, layer: Layer, operands: dict[str, View]) -> View:
    """The next value of an array of the model, in training; one that is none stays."""
    to = lower.array(operands["to"])
    before = lower.made.get(to)
    if before is not None and before.op == "assign":
        to = before.operands["to"]  # the layer runs again
    if not isinstance(to, Param) or to.moves:
        lower.context.note(f"{layer.of}: it is not trained, as it is in a loop")
        return operands["to"]
    flowing = {"to": to, "x": operands["x"]}
    return lower.emit("assign", flowing, layer.attributes, to.shape, to.dtype)


def _is_layer(slots: dict[str, Value]) -> bool:
    """True where arrays lie together, under the names that the op gives them."""
    paths = [s.path for s in slots.values() if isinstance(s, Param)]
    places = {path[:-1] for path in paths}
    own = [path[-1] for path in paths if path[:-1]]
    return len(places) == 1 and own == list(slots)


def _keys(lower: Lowering, layer: Layer) -> dict[str, Value]:
    """The key that an op may have and the source's layer takes from elsewhere."""
    cls = op_class(layer.op)
    assert cls is not None
    wanted = [
        name
        for name, operand in cls.fields().operands.items()
        if operand.kind == "key" and name not in layer.operands
    ]
    return {name: lower.context.key() for name in wanted}


def _small(
    layer: Layer, operands: dict[str, View], equation: JaxprEqn
) -> dict[str, View]:
    """Operands without batch axes that are only broadcast, where the op gives the same."""
    wanted = [v.aval for v in equation.outvars]
    stored = [v.aval for v in equation.invars[len(operands) :]]
    found = dict(operands)
    for name, view in operands.items():
        lead = 0
        while lead < view.ndim and view.axes[lead] is None:
            lead += 1
        while lead:
            kept = View(view.source, view.axes[lead:], view.shape[lead:], view.dtype)
            if layer.gives({**found, name: kept}, stored, wanted):
                found[name] = kept
                break
            lead -= 1
    return found
