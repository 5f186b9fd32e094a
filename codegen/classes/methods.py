"""Functions over `params` as methods: what every library has in common."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from typing import ClassVar

from ..allowlist import GenerationError
from ..nodes import clone, name, renamed
from ..plan import Plan
from .annotations import Annotations, LocalModules
from .heads import put_self
from .known import Classes
from .layers import attributes_of
from .members import Blueprint, Layer
from .places import Place, place_of
from .typed import TypedReturns, given_names


class Methods(TypedReturns):
    """One function as a method of its class, or as it is where it takes no `params`."""

    STATE: ClassVar[str] = "State"
    """The type of state."""

    def __init__(self, classes: Classes, plan: Plan) -> None:
        super().__init__()
        self.classes = classes
        self.plan = plan
        self.own = classes.blueprint(plan)
        self.read: set[str] = set()
        """The attributes of the function that the method reads."""
        self.depth = 0
        self.modules: dict[str, Blueprint] = {}
        """Locals that are modules."""
        self.loops: dict[str, Blueprint] = {}
        """The class of the modules that a variable of a `for` is, by its name."""
        self.hidden: list[set[str]] = []
        """The names that functions within the function give something of their own."""
        self.inner: dict[int, dict[str, Blueprint]] = {}
        """Those of functions within the function."""

    def write(self, function: ast.FunctionDef) -> ast.FunctionDef:
        """The method; its name is that of the function."""
        node = clone(function)
        self.start(node)
        self.modules = LocalModules(self.classes).of(node)
        if self.own is not None:
            put_self(node, self.plan.varying)
        node.body = self.block(node.body)
        annotations = Annotations(self.inner, self.STATE)
        for part in (node.args, *node.body):
            annotations.visit(part)
        node.returns = self.returned(node.returns)
        return node

    def block(self, body: list[ast.stmt]) -> list[ast.stmt]:
        """Statements, each of which may become several or none."""
        result: list[ast.stmt] = []
        for statement in body:
            result += self.statement(statement)
        return result

    def statement(self, node: ast.stmt) -> list[ast.stmt]:
        if isinstance(node, ast.For):
            return [self._loop(node)]
        if isinstance(node, ast.Return) and not (self.depth or self.plan.stateful):
            assert node.value is not None
            return self.returns(self.visit(node.value))
        return [self.visit(node)]

    def returned(self, annotation: ast.expr | None) -> ast.expr | None:
        if annotation is None:
            return None
        new: ast.expr = Annotations(self.inner, self.STATE).visit(annotation)
        return new

    # What libraries differ in

    def array(self, node: ast.expr, found: Place) -> ast.expr:
        """How the array of a place is read."""
        return node

    def dtype(self, node: ast.Attribute, layer: Layer | None) -> ast.expr:
        """How the dtype or shape of an array is read."""
        return node

    def call(
        self, plan: Plan, of: Blueprint, module: ast.expr, node: ast.Call
    ) -> ast.expr:
        """The call of a module, or of a method of it."""
        return ast.Call(module, node.args[1:], node.keywords)

    def layer(self, layer: Layer, node: ast.Call) -> ast.Call:
        """The call of a layer, which is `node` but for its arrays and attributes."""
        return node

    def value(self, plan: Plan, of: Blueprint) -> ast.expr:
        """A method as a function of its module and arguments."""
        title = self.method(plan, of)
        return ast.Attribute(name(of.title), title or "__call__")

    def merged(self, module: ast.expr, state: ast.expr) -> ast.expr:
        """A module with other state."""
        raise NotImplementedError

    def kept(self, module: ast.expr, node: ast.Call) -> ast.expr:
        """The state that a module has."""
        raise NotImplementedError

    # Common to all

    def method(self, plan: Plan, of: Blueprint) -> str:
        """The name of a function among the methods, nothing for that which is called."""
        first = of.plans[0]
        if of.is_root:
            entries = self.classes.module.program.graph.entries
            first = self.classes.module.plans[entries[0]]
        return "" if plan is first else plan.title

    def place(self, node: ast.expr) -> Place | None:
        """The place that an expression is, of a class whose arrays it speaks of."""
        if self.own is None:
            return None
        found = place_of(node, self.own, self.modules)
        if (
            found is None
            and isinstance(node, ast.Call)
            and _is_name(node.func, "merge")
        ):
            inner = self.place(node.args[0])
            if inner is not None and not isinstance(inner.kind, Layer):
                state = self.visit(node.args[1])
                return Place(self.merged(inner.node, state), inner.kind)
        return found

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if self._is_field(node.id):
            self.read.add(node.id)
            return ast.Attribute(name("self"), node.id)
        if node.id == "params" and self.own is not None:
            return name("self")
        plan = self._function(node.id)
        if plan is not None and (of := self.classes.blueprint(plan)) is not None:
            return self.value(plan, of)
        return node

    visit_Keyword = visit_Name

    def _function(self, text: str) -> Plan | None:
        """The function of a name, which no argument hides."""
        own = text in self.arguments or any(text in hidden for hidden in self.hidden)
        return None if own else self.classes.plans.get(text)

    def _is_field(self, text: str) -> bool:
        """True of an attribute of the function, unless something inside has its name."""
        known = self.own is not None and text in self.plan.varying
        return known and not any(text in hidden for hidden in self.hidden)

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        found = self.place(node)
        if found is None:
            self.generic_visit(node)
            return node
        return self.array(found.node, found) if found.is_array else found.node

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        found = self.place(node.value)
        if found is not None and node.attr in ("dtype", "shape"):
            layer = None if found.loose else found.layer
            return self.dtype(ast.Attribute(found.node, node.attr), layer)
        self.generic_visit(node)
        return node

    def visit_Call(self, node: ast.Call) -> ast.expr:
        if not isinstance(node.func, ast.Name):
            self.generic_visit(node)
            return node
        title = node.func.id
        plan = self._function(title)
        if plan is not None and (of := self.classes.blueprint(plan)) is not None:
            return self._call(plan, of, node)
        if title == "partial" and isinstance(node.args[0], ast.Name):
            return self._partial(node)
        if title == "kept" and (found := self.place(node.args[0])) is not None:
            return self.kept(found.node, node)
        if title == "merge" and (found := self.place(node)) is not None:
            return found.node
        for keyword in node.keywords:
            if keyword.arg is None and (found := self.place(keyword.value)):
                return self._op(title, found, node)
        self.generic_visit(node)
        return node

    def _call(self, plan: Plan, of: Blueprint, node: ast.Call) -> ast.expr:
        found = self.place(node.args[0])
        if found is None:
            wanted = "expected a function to have arrays at every call, or at none"
            raise GenerationError.one("generate", plan.first.name, wanted)
        method = self.method(plan, of)
        node.keywords = self._without_fields(plan, node.keywords)
        node.args = [node.args[0], *map(self.visit, node.args[1:])]
        node.keywords = [self.visit(k) for k in node.keywords]
        module = ast.Attribute(found.node, method) if method else found.node
        made = self.call(plan, of, module, node)
        if found.loose:
            self.untyped.add(id(made))
        return made

    def _without_fields(
        self, plan: Plan, keywords: list[ast.keyword]
    ) -> list[ast.keyword]:
        return [k for k in keywords if k.arg not in plan.varying]

    def _partial(self, node: ast.Call) -> ast.expr:
        """`partial` of a function: what its module knows is not given."""
        assert isinstance(node.args[0], ast.Name)
        plan = self._function(node.args[0].id)
        if plan is not None and self.classes.blueprint(plan) is not None:
            node.keywords = self._without_fields(plan, node.keywords)
        self.generic_visit(node)
        match node.args:
            case [ast.Call(func=ast.Name(id="partial"), args=args), *rest]:
                node.args = [*args, *rest]
        return node if node.keywords or len(node.args) > 1 else node.args[0]

    def _op(self, title: str, found: Place, node: ast.Call) -> ast.expr:
        """An op over the arrays of a place: its layer, or a function of them."""
        layer, rest = found.kind, [k for k in node.keywords if k.arg is not None]
        op = self.classes.ops.get(title, title)
        node.args = [self.visit(a) for a in node.args]
        if isinstance(layer, Layer) and layer.use.source.name == op:
            gone = attributes_of(layer)
            node.keywords = [self.visit(k) for k in rest if k.arg not in gone]
            node.func = found.node
            if found.loose:
                self.untyped.add(id(node))
            return self.layer(layer, node)
        function = self.classes.module.carried.cut(op).function
        taken = {a.arg for a in (*function.args.args, *function.args.kwonlyargs)}
        members: Iterable[str] = ()
        if isinstance(layer, Layer):
            members = layer.leaves
        elif isinstance(layer, Blueprint):
            members = layer.members
        own = next(k.value for k in node.keywords if k.arg is None)
        given = [
            ast.keyword(n, self.visit(ast.Subscript(own, ast.Constant(n))))
            for n in members
            if n in taken
        ]
        node.keywords = [*given, *(self.visit(k) for k in rest)]
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.stmt:
        outer, self.modules = self.modules, LocalModules(self.classes).of(node)
        self.inner[id(node)] = self.modules
        self.depth += 1
        self.hidden.append(given_names(node))
        node.body = self.block(node.body)
        self.hidden.pop()
        self.depth -= 1
        self.modules = outer
        return node

    def visit_Lambda(self, node: ast.Lambda) -> ast.expr:
        self.depth += 1
        self.hidden.append(given_names(node))
        self.generic_visit(node)
        self.hidden.pop()
        self.depth -= 1
        return node

    def _loop(self, node: ast.For) -> ast.stmt:
        """A loop over copies, which counts them where it has to."""
        own = LocalModules(self.classes).of(node)
        for text, of in own.items():
            if self.loops.setdefault(text, of) is not of:  # a local has one type
                other = self.fresh(of.plans[0].title)
                node = renamed(node, {text: other})
                self.modules[other] = self.loops[other] = of
        node.iter = self.visit(node.iter)
        node.body = self.block(node.body)
        match node:
            case ast.For(
                target=ast.Tuple(elts=[ast.Name(id=i), module]),
                iter=ast.Call(func=ast.Name(id="enumerate"), args=[copies]),
            ) if not any(_speaks_of(s, i) for s in node.body):
                node.target, node.iter = module, copies
        return node


def _is_name(node: ast.expr, text: str) -> bool:
    return isinstance(node, ast.Name) and node.id == text


def _speaks_of(node: ast.AST, text: str) -> bool:
    return any(isinstance(n, ast.Name) and n.id == text for n in ast.walk(node))
