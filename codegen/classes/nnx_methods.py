"""Methods of Flax NNX: they update state in place."""

from __future__ import annotations

import ast

from ...schema.parameters import Leaf
from ..nodes import call, clone, dotted, name, names_in
from ..plan import Plan
from ..printer import Remarks, remarks, set_remarks
from .entry_reads import read_at_entry
from .known import Classes
from .members import Blueprint, Layer
from .methods import Methods
from .nnx_layers import UNTYPED, library_layer, may_be_none
from .places import Place

STATE = "state"


def read(node: ast.expr) -> ast.expr:
    """The array of a variable."""
    return ast.Subscript(node, ast.Constant(...))


class NnxMethods(Methods):
    """Methods that update what they are of; in the loops of JAX state is handed on."""

    STATE = "Any"

    def __init__(self, classes: Classes, plan: Plan) -> None:
        super().__init__(classes, plan)
        self.pragma = ""
        """What type checkers are told of the statement."""
        self.gone: set[str] = set()
        """Locals that would hold state which is where it belongs."""
        self.copies: list[ast.expr] = []
        """The module of each loop over copies around a statement."""

    def write(self, function: ast.FunctionDef) -> ast.FunctionDef:
        assigned = {
            tuple(map(str, step.scope))
            for step in self.plan.steps
            if isinstance(step.tree, Leaf)
        }
        if assigned and self.plan.stateful:
            function = clone(function)
            read_at_entry(function, assigned)
        return super().write(function)

    def block(self, body: list[ast.stmt]) -> list[ast.stmt]:
        result: list[ast.stmt] = []
        for statement in body:
            self.pragma = ""
            new = super().block([statement])
            if self.pragma and new:
                said = Remarks(pragma=f"# type: ignore[{self.pragma}]")
                set_remarks(new[0], remarks(new[0]) | said)
            result += new
        self.pragma = ""
        return result

    def array(self, node: ast.expr, found: Place) -> ast.expr:
        layer = None if found.loose else found.layer
        if layer is not None and may_be_none(layer, node):
            self.pragma = "index"
        return read(node)

    def dtype(self, node: ast.Attribute, layer: Layer | None) -> ast.expr:
        if layer is not None and may_be_none(layer, node.value):
            self.pragma = "union-attr"
        return node

    def merged(self, module: ast.expr, state: ast.expr) -> ast.expr:
        if _root(state) == STATE:
            return module  # it has been updated
        return call("_with_arrays", [module, state])

    def kept(self, module: ast.expr, node: ast.Call) -> ast.expr:
        return call("nnx.state", [module, dotted("nnx.BatchStat")])

    def value(self, plan: Plan, of: Blueprint) -> ast.expr:
        if not plan.stateful:
            return super().value(plan, of)
        if not self.method(plan, of):
            return name("_with_state")
        return call("partial", [name("_method_with_state"), super().value(plan, of)])

    def call(
        self, plan: Plan, of: Blueprint, module: ast.expr, node: ast.Call
    ) -> ast.expr:
        if not plan.stateful or not self.depth:
            return super().call(plan, of, module, node)
        if isinstance(module, ast.Attribute) and self.method(plan, of):
            method = [super().value(plan, of), module.value]
            return call_with(
                name("_method_with_state"), [*method, *node.args[1:]], node
            )
        return call_with(name("_with_state"), [module, *node.args[1:]], node)

    def layer(self, layer: Layer, node: ast.Call) -> ast.Call:
        if library_layer(layer) is None:
            return node
        if layer.step.op.op in UNTYPED:
            self.untyped.add(id(node))
        for keyword in node.keywords:
            if keyword.arg == "train":
                keyword.arg = "use_running_average"
                keyword.value = ast.UnaryOp(ast.Not(), keyword.value)
        return node

    # State

    def returned(self, annotation: ast.expr | None) -> ast.expr | None:
        if self.plan.stateful and isinstance(annotation, ast.Subscript):
            assert isinstance(annotation.slice, ast.Tuple)
            annotation = annotation.slice.elts[0]
        return super().returned(annotation)

    def statement(self, node: ast.stmt) -> list[ast.stmt]:
        if self.depth or not self.plan.stateful:
            return super().statement(node)
        match node:
            case ast.AnnAssign(target=ast.Name(id="state")):
                return []
            case ast.AnnAssign(target=ast.Name(id=text), value=ast.List(elts=[])) if (
                "Params" in ast.unparse(node.annotation)
            ):
                self.gone.add(text)
                return []
            case ast.Assign(targets=[ast.Name(id="state")], value=ast.Call(args=args)):
                return self._update(ast.Name("params"), args[1])
            case ast.Assign(targets=[ast.Subscript() as target], value=value) if (
                _root(target) == STATE
            ):
                return self._update(_as_params(target), value)
            case ast.If(test=ast.Name(id="train")):
                return self._if_training(node)
            case ast.Assign(targets=[ast.Tuple() as target], value=value):
                return self._unpacked(target, value, node)
            case ast.Expr(
                value=ast.Call(func=ast.Attribute(attr="append"), args=[item])
            ):
                return self._appended(node, item)
            case ast.Return(value=ast.Tuple(elts=[value, ast.Name(id="state")])):
                return self.returns(self.visit(value))
            case ast.For():
                self.copies.append(_copy_of(node))
                new = super().statement(node)
                self.copies.pop()
                return new
        return super().statement(node)

    def _if_training(self, node: ast.If) -> list[ast.stmt]:
        """An update of state that happens only then."""
        orelse = [new for s in node.orelse for new in self.statement(s)]
        body = [new for s in node.body for new in self.statement(s)]
        return [ast.If(node.test, body, orelse)]

    def visit_Call(self, node: ast.Call) -> ast.expr:
        match node:
            case ast.Call(
                func=ast.Name(id="merge"),
                args=[ast.Call(func=ast.Name(id="kept")) as kept, ast.Call()],
            ):
                return self.visit_Call(kept)  # all state in one
        return super().visit_Call(node)

    def _appended(self, node: ast.Expr, item: ast.expr) -> list[ast.stmt]:
        """A copy's state that goes into a list of them."""
        assert isinstance(node.value, ast.Call)
        assert isinstance(node.value.func, ast.Attribute)
        holder = node.value.func.value
        if _root(holder) != STATE and _root(holder) not in self.gone:
            return super().statement(node)
        if isinstance(item, ast.Name) and item.id in self.gone:
            return []
        return [_updated(self.copies[-1], item)]

    def _unpacked(
        self, target: ast.Tuple, value: ast.expr, node: ast.Assign
    ) -> list[ast.stmt]:
        """Outputs and state of a call: state is updated in place, or handed on."""
        if self._is_direct(value):
            out, state = target.elts
            if isinstance(state, ast.Name):
                self.gone.add(state.id)
            made = self.visit(value)
            if id(made) in self.untyped:
                self.loose |= names_in(out) - self.arguments
            return [ast.Assign([out], made)]
        after: list[ast.stmt] = []
        new = self._named(target, after)
        self.loose |= names_in(target.elts[0]) - self.arguments
        return [ast.Assign([new], self.visit(value)), *after]

    def _named(self, node: ast.expr, after: list[ast.stmt]) -> ast.expr:
        """A target with locals for state, which goes where it belongs afterwards."""
        if isinstance(node, ast.Tuple):
            return ast.Tuple([self._named(e, after) for e in node.elts])
        if isinstance(node, ast.Subscript) and _root(node) == STATE:
            assert isinstance(node.slice, ast.Constant)
            local = name(f"{node.slice.value!s}_state")
            after += self._update(_as_params(node), local)
            return local
        return node

    def _update(self, place: ast.expr, value: ast.expr) -> list[ast.stmt]:
        """New state of what lies at a place of `params`."""
        found: list[ast.stmt]
        match value:
            case ast.List(elts=parts):
                found = []
                for i, part in enumerate(parts):
                    found += self._update(ast.Subscript(place, ast.Constant(i)), part)
                return found
            case ast.Dict(keys=keys, values=values):
                found = []
                for key, part in zip(keys, values, strict=True):
                    assert key is not None
                    found += self._update(ast.Subscript(place, key), part)
                return found
            case ast.Name(id=text) if text in self.gone:
                return []
        module = self.place(place)
        assert module is not None
        if module.is_array:
            return [ast.Assign([read(module.node)], self.visit(value))]
        return [_updated(module.node, self.visit(value))]

    def _is_direct(self, value: ast.expr) -> bool:
        """True of a call of a module or layer, and not of a loop over one."""
        if not isinstance(value, ast.Call) or not isinstance(value.func, ast.Name):
            return False
        title = value.func.id
        if title in self.classes.plans:
            plan = self.classes.plans[title]
            return plan.stateful and self.classes.blueprint(plan) is not None
        found = [self.place(k.value) for k in value.keywords if k.arg is None]
        if not found or found[0] is None or not isinstance(found[0].kind, Layer):
            return False
        return bool(found[0].kind.step.stateful)


def _copy_of(node: ast.For) -> ast.expr:
    """The module of each turn of a loop over copies: `layer` of `i, (layer, k)`."""
    target = node.target
    match node.iter, target:
        case ast.Call(func=ast.Name(id="enumerate")), ast.Tuple(elts=[_, target]):
            pass
    return target.elts[0] if isinstance(target, ast.Tuple) else target


def _updated(module: ast.expr, state: ast.expr) -> ast.stmt:
    return ast.Expr(call("nnx.update", [module, state]))


def call_with(function: ast.expr, args: list[ast.expr], node: ast.Call) -> ast.Call:
    """A call of another function, with the keywords of a call."""
    return ast.Call(function, args, node.keywords)


def _root(node: ast.expr) -> str:
    """The name of which an expression is a part."""
    while isinstance(node, ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _as_params(node: ast.expr) -> ast.expr:
    """`state["a"]["b"]` as `params["a"]["b"]`."""
    if isinstance(node, ast.Subscript):
        return ast.Subscript(_as_params(node.value), node.slice)
    return name("params")
