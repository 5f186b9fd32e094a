"""Loops and branches stay what they are: scan, for, vmap, cond, while_loop."""

from __future__ import annotations

import ast
from collections.abc import Container
from typing import TYPE_CHECKING, Any

from ..schema.expressions import ExpressionError, evaluate
from ..schema.fields import is_expression
from ..schema.ops.control import Cond, Map, Repeat, Scan, WhileLoop
from ..schema.program import Arg, Step, literal_dtype
from .calls import callee_attributes, callee_call
from .nodes import (
    annotated,
    assign,
    call,
    dotted,
    function,
    literal,
    name,
    names_in,
    subscript,
    tuple_of,
)
from .plan import Plan, dtype_node, state_paths
from .printer import expression

if TYPE_CHECKING:
    from .writer import FunctionWriter

Argument = tuple[str, str, ast.expr | None]


def write_control(writer: FunctionWriter, step: Step) -> None:
    """Writes a node that is a loop or a branch."""
    match step.op:
        case Repeat(scan=False):
            Unrolled(writer, step).write()
        case Repeat() | Scan():
            Scanned(writer, step).write()
        case Map():
            Mapped(writer, step).write()
        case Cond():
            Branch(writer, step).write()
        case WhileLoop():
            While(writer, step).write()


class Loop:
    """What loops share: a callee, a carry, xs, inputs that stay, keys by step."""

    shares_scope = False
    """True where the body has no scope of its own, so that its names stay behind."""

    def __init__(self, writer: FunctionWriter, step: Step) -> None:
        self.writer = writer
        self.step = step
        self.op: Any = step.op
        self.callee = step.callees[-1] if step.callees else None
        self.plan: Plan | None = None
        if self.callee is not None:
            self.plan = writer.module.plans[self.callee.name]
        self.carry = dict(step.args.get("carry", {}))
        self.xs = dict(step.args.get("xs", {}))
        self.inputs = dict(step.args.get("inputs", {}))
        self.keys = [n for n, a in self.inputs.items() if a.kind == "key"]
        self.index: str | None = getattr(self.op, "index", None)
        self.own: ast.expr = writer.params(step)
        self.fixed: dict[str, ast.expr] = {}
        self.outer = set(writer.taken)

    def fix(self) -> None:
        """The inputs that stay the same, as names outside of the loop."""
        for n, arg in self.inputs.items():
            value = self.writer.atom(arg, self.step.name)
            if n in self.keys:
                target = self.writer.fresh(f"{self.step.name}_{n}")
                self.writer.body.append(assign(target, value))
                value = name(target)
            self.fixed[n] = value

    def inner(self, text: str) -> str:
        """A name inside of the loop: it may hide no outer name that the loop uses."""
        used = set().union(*(names_in(v) for v in (*self.fixed.values(), self.own)))
        if self.shares_scope:
            used |= self.writer.taken
        while text in used or text in self.writer.module.globals or text in self._inner:
            text += "_"
        self._inner.add(text)
        return text

    @property
    def _inner(self) -> set[str]:
        inner: set[str] = self.__dict__.setdefault("_inner_names", set())
        return inner

    def first(self, n: str) -> ast.expr:
        """The first value of a carry: literals become arrays, as loops want types."""
        arg: Arg = self.carry[n]
        value = self.writer.atom(arg)
        return value if arg.is_reference else self.array(n, arg, value)

    def array(self, n: str, arg: Arg, value: ast.expr) -> ast.expr:
        """A literal of the input `n` as an array."""
        declared = self.callee.function.inputs[n].dtype if self.callee else None
        dtype = literal_dtype(self._sample(arg.value), declared)
        return call("jnp.asarray", [value, self.dtype(dtype)])

    def _sample(self, value: Any) -> Any:
        """A value of the kind that a literal has; expressions may speak of dims."""
        if isinstance(value, tuple):
            return tuple(self._sample(v) for v in value)
        if not is_expression(value):
            return value
        instance = self.writer.instance
        sizes = dict.fromkeys(instance.dims, 9973)  # seldom a zero of a denominator
        try:
            return evaluate(value, {**sizes, **instance.values}, "float")
        except ExpressionError:
            return 0.0

    def dtype(self, dtype: str) -> ast.expr:
        if dtype != "float":
            return dtype_node(dtype)
        if self.writer.plan.is_entry:
            return self.writer.module.float_dtype(self.writer.instance)
        return name("dtype")

    def call(
        self, own: ast.expr | None, given: dict[str, ast.expr], i: ast.expr | None,
        attributes: dict[str, ast.expr] | None = None, *, cse: bool = False,
    ) -> ast.expr:  # fmt: skip
        assert self.plan is not None and self.callee is not None
        inputs = dict(self.fixed)
        for n in self.keys:
            inputs[n] = call("fold_in", [self.fixed[n], i or literal(0)])
        inputs.update(given)
        if self.index is not None and i is not None:
            inputs[self.index] = i
        if attributes is None:
            attributes = callee_attributes(self.writer, self.step, self.plan)
        return callee_call(
            self.writer,
            self.plan,
            self.callee,
            own if self.plan.takes_params else None,
            inputs,
            attributes,
            getattr(self.op, "remat", None),
            cse=cse,
        )

    def results(
        self,
        value: ast.expr,
        outputs: list[str],
        given: dict[str, ast.expr],
        *,
        stateful: bool,
        idle: Container[str] = (),
    ) -> tuple[list[ast.stmt], dict[str, ast.expr], ast.expr | None]:
        """Statements that call the body, its outputs by name, its state.

        An output takes the name of the input that it is the next value of.
        """
        assert self.plan is not None
        names = {
            o: given[o]
            if isinstance(given.get(o), ast.Name)
            else name("_" if o in idle else self.inner(o))
            for o in outputs
        }
        state = name(self.inner("new_state")) if stateful else None
        if self.plan.returns_dict:
            out = name(self.inner("out"))
            target: ast.expr = out
            found: dict[str, ast.expr] = {o: subscript(out, o) for o in outputs}
        else:
            target = tuple_of(list(names.values()))
            found = dict(names)
        if state is not None:
            target = ast.Tuple([target, state])
        return [assign(target, value)], found, state

    def _body(
        self, role: str, arguments: list[Argument], returns: str, body: list[ast.stmt]
    ) -> ast.expr:
        """The body as a lambda where it is one short expression, else as a `def`."""
        if len(body) == 1 and isinstance(body[0], ast.Return) and body[0].value:
            thunk = ast.Lambda(_arguments([n for n, _, _ in arguments]), body[0].value)
            if len(expression(thunk)) <= 60:
                return thunk
        title = self.writer.fresh(f"{self.step.name}_{role}")
        self.writer.body.append(function(title, arguments, [], returns, body))
        return name(title)

    @property
    def others(self) -> list[str]:
        return [o for o in self.step.outputs if o not in self.carry]

    @property
    def uses_index(self) -> bool:
        return self.index is not None or bool(self.keys)

    def bind(self, targets: list[ast.expr], parts: list[ast.expr]) -> None:
        """Names the step's outputs."""
        self.writer.values[self.step.name] = targets
        del parts


class Scanned(Loop):
    """`jax.lax.scan` with parameters as xs (repeat) or shared by all steps (scan)."""

    def write(self) -> None:
        writer, step, op = self.writer, self.step, self.op
        assert self.plan is not None and self.callee is not None
        repeat = isinstance(op, Repeat)
        layered = repeat and bool(step.tree)
        carries_state = not repeat and step.stateful
        axis = 0 if repeat else op.axis
        self.fix()
        xs = {n: self._moved(n, a, axis) for n, a in self.xs.items()}
        carries = {n: self.inner(n) for n in self.carry}
        slices: list[tuple[str, ast.expr]] = []
        if layered:
            slices.append((self.inner("layer"), self.own))
        given: dict[str, ast.expr] = {n: name(c) for n, c in carries.items()}
        for n, value in xs.items():
            local = self.inner(n)
            slices.append((local, value))
            given[n] = name(local)
        i: ast.expr | None = None
        if self.uses_index:
            text = self.inner(self.index or "i")
            slices.append((text, call("jnp.arange", [self._length(xs, axis)])))
            i = name(text)
        body: list[ast.stmt] = []
        state = name(self.inner("state")) if carries_state else None
        own: ast.expr = name(slices[0][0]) if layered else self.own
        if state is not None:
            own = call("merge", [self.own, state])
        value = self.call(own, given, i)
        names = list(carries.values())
        carry_arg = self._argument(names, state, body, "carry")
        slice_arg = self._slices([n for n, _ in slices], layered, body)
        outputs = list(step.outputs)
        if (
            outputs == list(self.carry)
            and not step.stateful
            and not self.plan.returns_dict
        ):
            result: ast.expr = ast.Tuple([value, ast.Constant(None)])
        else:
            lines, found, new = self.results(
                value, outputs, given, stateful=step.stateful
            )
            body += lines
            after = [found[n] for n in self.carry]
            others = [found[o] for o in self.others]
            if new is not None and not carries_state:
                others.append(new)
            end = _packed(after)
            if carries_state:
                assert new is not None
                end = ast.Tuple([end, new])
            result = ast.Tuple([end, _packed(others)])
        body.append(ast.Return(result))
        title = self._body("step", [carry_arg, slice_arg], "tuple[Any, Any]", body)
        first = _packed([self.first(n) for n in self.carry])
        if carries_state:
            first = ast.Tuple([first, self._kept()])
        keywords: dict[str, ast.expr] = {}
        if not slices:
            keywords["length"] = self._length(xs, axis)
        if not repeat and op.reverse:
            keywords["reverse"] = literal(True)
        scanned = _packed([v for _, v in slices])
        self._finish(call("jax.lax.scan", [title, first, scanned], keywords), axis)

    def _moved(self, n: str, arg: Arg, axis: int) -> ast.expr:
        value = self.writer.atom(arg)
        if isinstance(arg.value, tuple):
            return self.array(n, arg, value)
        if axis == 0:
            return value
        target = self.writer.fresh(f"{self.step.name}_{n}")
        moved = call("jnp.moveaxis", [value, literal(axis), literal(0)])
        self.writer.body.append(assign(target, moved))
        return name(target)

    def _length(self, xs: dict[str, ast.expr], axis: int) -> ast.expr:
        original: Any = self.writer.instance.function.nodes[self.step.name]
        length = original.count if isinstance(self.op, Repeat) else original.length
        if length is not None:
            return self.writer.value(length, "int")
        return subscript(ast.Attribute(next(iter(xs.values())), "shape"), 0)

    def _kept(self) -> ast.expr:
        return kept(self.writer, self.own, self.step.tree)

    def _argument(
        self, names: list[str], state: ast.Name | None, body: list[ast.stmt], title: str
    ) -> Argument:
        if len(names) == 1 and state is None:
            return names[0], "Array", None
        if not names and state is None:
            return "_", "None", None
        target: ast.expr = ast.Tuple([name(n) for n in names])
        if not names:
            target = name("_")
        elif len(names) == 1:
            target = name(names[0])
        if state is not None:
            target = ast.Tuple([target, state])
        text = self.inner(title)
        body.append(assign(target, name(text)))
        return text, "Any", None

    def _slices(
        self, names: list[str], layered: bool, body: list[ast.stmt]
    ) -> Argument:
        if not names:
            return "_", "None", None
        if len(names) == 1:
            return names[0], "Params" if layered else "Array", None
        text = self.inner("xs")
        body.append(assign(ast.Tuple([name(n) for n in names]), name(text)))
        return text, "Any", None

    def _finish(self, value: ast.expr, axis: int) -> None:
        writer, step = self.writer, self.step
        targets = dict(zip(step.outputs, writer.locals_of(step), strict=True))
        carried: ast.expr = _packed([name(targets[n]) for n in self.carry], unused=True)
        others: list[ast.expr] = [name(targets[o]) for o in self.others]
        after: list[ast.stmt] = []
        if step.stateful:
            state, after = writer.state_target(step)
            if isinstance(self.op, Repeat):
                others.append(state)
            else:
                carried = ast.Tuple([carried, state])
        target = ast.Tuple([carried, _packed(others, unused=True)])
        writer.body += [assign(target, value), *after]
        for o in self.others:
            if axis != 0:
                moved = call(
                    "jnp.moveaxis", [name(targets[o]), literal(0), literal(axis)]
                )
                writer.body.append(assign(targets[o], moved))
        self.bind([name(t) for t in targets.values()], [])


class Unrolled(Loop):
    """A `for` over the list of the copies' parameters."""

    shares_scope = True

    def write(self) -> None:
        writer, step = self.writer, self.step
        self.fix()
        xs = {n: self._named(n, a) for n, a in self.xs.items()}
        targets = dict(zip(step.outputs, writer.locals_of(step), strict=True))
        for n in self.carry:  # it has a name even where only the next copy uses it
            if targets[n] == "_":
                targets[n] = writer.fresh(f"{step.name}_{n}")
            writer.body.append(assign(targets[n], self.first(n)))
        lists = {
            o: writer.fresh(f"{step.name}_{o}_list")
            for o in self.others
            if targets[o] != "_"
        }
        for text in lists.values():
            writer.body.append(_list(text, "list[Array]"))
        states = writer.fresh(f"{step.name}_states") if step.stateful else ""
        if states:
            writer.body.append(_list(states, "list[Params]"))
        if self.callee is not None:
            self._loop(targets, xs, lists, states)
        for o, text in lists.items():
            writer.body.append(assign(targets[o], call("jnp.stack", [name(text)])))
        if states:
            target, after = writer.state_target(step)
            writer.body += [assign(target, name(states)), *after]
        self.bind([name(t) for t in targets.values()], [])

    def _named(self, n: str, arg: Arg) -> ast.expr:
        value = self.writer.atom(arg)
        if isinstance(value, ast.Name):
            return value
        target = self.writer.fresh(f"{self.step.name}_{n}")
        self.writer.body.append(assign(target, value))
        return name(target)

    def _loop(
        self,
        targets: dict[str, str],
        xs: dict[str, ast.expr],
        lists: dict[str, str],
        states: str,
    ) -> None:
        writer, step = self.writer, self.step
        assert self.plan is not None
        original: Any = writer.instance.function.nodes[step.name]
        cycles = {
            n: v
            for n, v in original.attributes.items()
            if isinstance(v, list) and n in self.plan.needed and n in self.plan.varying
        }
        needs_i = self.uses_index or bool(xs) or bool(cycles)
        for t in targets.values():
            self._inner.add(t)
        i = name(self.inner("i")) if needs_i else None
        layer = name(self.inner("layer")) if step.tree else None
        count = writer.value(original.count, "int")
        if layer is None:
            target: ast.expr = i or name("_")
            source: ast.expr = call("range", [count])
        elif i is None:
            target, source = layer, self.own
        else:
            target, source = ast.Tuple([i, layer]), call("enumerate", [self.own])
        attributes = callee_attributes(writer, step, self.plan)
        for n, values in cycles.items():
            assert i is not None
            chosen = ast.BinOp(i, ast.Mod(), literal(len(values)))
            attributes[n] = ast.Subscript(writer.value(values), chosen)
        given: dict[str, ast.expr] = {n: name(targets[n]) for n in self.carry}
        for n, value in xs.items():
            assert i is not None
            given[n] = ast.Subscript(value, i)
        value = self.call(layer, given, i, attributes, cse=True)
        body: list[ast.stmt] = []
        if list(step.outputs) == list(self.carry) and not self.plan.returns_dict:
            result: ast.expr = tuple_of([name(targets[o]) for o in step.outputs])
            state = name(self.inner("new_state")) if states else None
            if state is not None:
                result = ast.Tuple([result, state])
            body.append(assign(result, value))
        else:
            lines, found, state = self.results(
                value,
                list(step.outputs),
                given,
                stateful=bool(states),
                idle={o for o in self.others if o not in lists},
            )
            body += lines
            for n in self.carry:
                if found[n] is not given[n]:
                    body.append(assign(targets[n], found[n]))
            for o, text in lists.items():
                body.append(ast.Expr(call(f"{text}.append", [found[o]])))
        if states and state is not None:
            body.append(ast.Expr(call(f"{states}.append", [state])))
        loop = ast.For(target, source, body, [])
        writer.body.append(loop)


class Mapped(Loop):
    """`jax.vmap` over an axis of xs, parameters stacked or shared."""

    def write(self) -> None:
        writer, step, op = self.writer, self.step, self.op
        assert self.plan is not None
        self.fix()
        count = self._count()
        layered = count is not None and bool(step.tree)
        xs = {n: writer.atom(a) for n, a in self.xs.items()}
        arguments: list[Argument] = []
        actual: list[ast.expr] = []
        axes: list[int] = []
        own: ast.expr = self.own
        if layered:
            own = name(self.inner("layer"))
            arguments.append((own.id, "Params", None))  # type: ignore[attr-defined]
            actual.append(self.own)
            axes.append(0)
        i: ast.expr | None = None
        if self.keys:
            text = self.inner("i")
            i = name(text)
            arguments.append((text, "Array", None))
            size = count
            if size is None:
                first = next(iter(xs.values()))
                size = subscript(ast.Attribute(first, "shape"), op.axis)
            actual.append(call("jnp.arange", [size]))
            axes.append(0)
        given: dict[str, ast.expr] = {}
        for n, value in xs.items():
            text = self.inner(n)
            arguments.append((text, "Array", None))
            actual.append(value)
            axes.append(op.axis)
            given[n] = name(text)
        value = self.call(own, given, i)
        lane = self._body("lane", arguments, "Any", [ast.Return(value)])
        keywords: dict[str, ast.expr] = {}
        if op.axis != 0:
            keywords["in_axes"] = literal(tuple(axes))
            out: Any = op.axis
            keywords["out_axes"] = literal((out, 0) if step.stateful else out)
        if not actual and count is not None:
            keywords["axis_size"] = count
        mapped = call(call("jax.vmap", [lane], keywords), actual)
        if self.plan.returns_dict:
            target = writer.fresh(step.name)
            writer.values[step.name] = [
                subscript(name(target), o) for o in step.outputs
            ]
            writer.body += writer.unpack(step, [name(target)], mapped)
        else:
            writer.statement(step, mapped)


    def _count(self) -> ast.expr | None:
        original: Any = self.writer.instance.function.nodes[self.step.name]
        count = original.count
        return None if count is None else self.writer.value(count, "int")


class Branch(Loop):
    """`jax.lax.cond` of two functions without operands."""

    def write(self) -> None:
        writer, step = self.writer, self.step
        self.fix()
        predicate = writer.atom(step.args["predicate"])
        branches: list[ast.expr] = []
        for taken, label in enumerate(("then", "else")):
            branches.append(self._call(taken, label))
        thunks = [ast.Lambda(_arguments([]), b) for b in branches]
        if step.stateful:
            thunks = [name(t) for t in self._thunks(branches)]  # type: ignore[misc]
        value = call("jax.lax.cond", [predicate, *thunks])
        if self.plan is not None and self.plan.returns_dict:
            target = writer.fresh(step.name)
            writer.values[step.name] = [
                subscript(name(target), o) for o in step.outputs
            ]
            writer.body += writer.unpack(step, [name(target)], value)
        else:
            writer.statement(step, value)

    def _call(self, taken: int, label: str) -> ast.expr:
        callee = self.step.callees[taken]
        plan = self.writer.module.plans[callee.name]
        own = subscript(self.own, label) if callee.tree else ast.Dict([], [])
        return callee_call(
            self.writer, plan, callee, own if plan.takes_params else None, self.fixed, {},
            None, cse=True,
        )  # fmt: skip

    def _thunks(self, values: list[ast.expr]) -> list[str]:
        """Branches that return (outputs, state of both)."""
        writer, step = self.writer, self.step
        outputs, new = name(self.inner("outputs")), name(self.inner("new"))
        titles = []
        for taken, label in enumerate(("then", "else")):
            callee = step.callees[taken]
            body: list[ast.stmt] = []
            if callee.stateful:
                body.append(assign(ast.Tuple([outputs, new]), values[taken]))
            else:
                body.append(assign(outputs, values[taken]))
            parts: dict[str, ast.expr] = {}
            for j, other in enumerate(("then", "else")):
                inner = step.callees[j]
                if not inner.stateful:
                    continue
                stored = subscript(self.own, other)
                parts[other] = new if j == taken else kept(writer, stored, inner.tree)
            state = ast.Dict([literal(k) for k in parts], list(parts.values()))
            body.append(ast.Return(ast.Tuple([outputs, state])))
            title = writer.fresh(f"{step.name}_{label}")
            writer.body.append(function(title, [], [], "Any", body))
            titles.append(title)
        return titles


class While(Loop):
    """`jax.lax.while_loop` over (carry, step, state), each where there is one."""

    def write(self) -> None:
        writer, step, op = self.writer, self.step, self.op
        assert self.plan is not None
        cond, body = step.callees
        test = writer.module.plans[cond.name]
        self.fix()
        counted = bool(self.keys) or op.max_steps is not None
        own = self._part("body", body)
        carries = {n: self.inner(n) for n in self.carry}
        i = name(self.inner("i")) if counted else None
        state = name(self.inner("state")) if step.stateful else None
        parts = [_packed([name(c) for c in carries.values()], unused=True)]
        parts += [p for p in (i, state) if p is not None]
        lead: list[ast.stmt] = []
        argument: Argument
        if len(parts) == 1 and len(carries) == 1:
            argument = (next(iter(carries.values())), "Array", None)
        else:
            text = self.inner("carry")
            lead.append(assign(tuple_of(parts), name(text)))
            argument = (text, "Any", None)
        given: dict[str, ast.expr] = {n: name(c) for n, c in carries.items()}
        inputs = {**self.fixed, **given}
        for n in self.keys:
            assert i is not None
            inputs[n] = call("fold_in", [self.fixed[n], i])
        goes: ast.expr = callee_call(
            writer, test, cond, self._part("cond", cond) if test.takes_params else None,
            inputs, {}, None, cse=True,
        )  # fmt: skip
        if cond.stateful:
            goes = ast.Subscript(goes, literal(0))
        if op.max_steps is not None:
            assert i is not None
            bound = ast.Compare(i, [ast.Lt()], [self._max_steps()])
            goes = ast.BinOp(goes, ast.BitAnd(), bound)
        tests = [*_only(lead, names_in(goes)), ast.Return(goes)]
        cond_title = writer.fresh(f"{step.name}_cond")
        writer.body.append(function(cond_title, [argument], [], "Any", tests))
        now: ast.expr = own if state is None else call("merge", [own, state])
        value = callee_call(
            writer, self.plan, body, now if self.plan.takes_params else None, inputs, {},
            None, cse=True,
        )  # fmt: skip
        lines = list(lead)
        direct = len(parts) == 1 and list(step.outputs) == list(self.carry)
        if direct and not self.plan.returns_dict:
            lines.append(ast.Return(value))
        else:
            called, found, new = self.results(
                value, list(step.outputs), given, stateful=step.stateful
            )
            lines += called
            after = [_packed([found[n] for n in self.carry])]
            if i is not None:
                after.append(ast.BinOp(i, ast.Add(), literal(1)))
            if new is not None:
                after.append(new)
            lines.append(ast.Return(tuple_of(after)))
        body_title = writer.fresh(f"{step.name}_body")
        writer.body.append(function(body_title, [argument], [], "Any", lines))
        first = [_packed([self.first(n) for n in self.carry])]
        if i is not None:
            zero = call("jnp.asarray", [literal(0), dotted("jnp.int32")])
            first.append(zero)
        if state is not None:
            first.append(kept(writer, own, body.tree))
        loop = call(
            "jax.lax.while_loop", [name(cond_title), name(body_title), tuple_of(first)]
        )
        self._finish(loop, counted=counted)

    def _max_steps(self) -> ast.expr:
        original: Any = self.writer.instance.function.nodes[self.step.name]
        return self.writer.value(original.max_steps, "int")

    def _part(self, label: str, callee: Any) -> ast.expr:
        return subscript(self.own, label) if callee.tree else ast.Dict([], [])

    def _finish(self, loop: ast.expr, *, counted: bool) -> None:
        writer, step = self.writer, self.step
        names = dict(zip(step.outputs, writer.locals_of(step), strict=True))
        parts = [_packed([name(names[n]) for n in self.carry], unused=True)]
        after: list[ast.stmt] = []
        if counted:
            parts.append(name("_"))
        if step.stateful:
            local = name(writer.fresh(f"{step.name}_state"))
            parts.append(local)
            target, after = writer.state_target(step)
            body = ast.Dict([literal("body")], [local])
            after = [assign(target, body), *after]
        writer.body += [assign(tuple_of(parts), loop), *after]
        self.bind([name(t) for t in names.values()], [])


def kept(writer: FunctionWriter, own: ast.expr, tree: Any) -> ast.expr:
    """The state of a part as it is, by the carried `kept`."""
    return call("kept", [own, state_paths(tree)], {"train": name("train")})


def _only(lead: list[ast.stmt], used: set[str]) -> list[ast.stmt]:
    """The unpacking of a carry, with `_` for what is not used."""

    def target(node: ast.expr) -> ast.expr:
        if isinstance(node, ast.Tuple):
            parts = [target(e) for e in node.elts]
            if all(isinstance(p, ast.Name) and p.id == "_" for p in parts):
                return name("_")
            return ast.Tuple(parts)
        return node if isinstance(node, ast.Name) and node.id in used else name("_")

    return [
        assign(target(s.targets[0]), s.value) for s in lead if isinstance(s, ast.Assign)
    ]


def _packed(items: list[ast.expr], *, unused: bool = False) -> ast.expr:
    """No item as None (or `_`), one as itself, several as a tuple."""
    if not items:
        return name("_") if unused else ast.Constant(None)
    return tuple_of(items)


def _list(text: str, annotation: str) -> ast.stmt:
    return annotated(text, annotation, ast.List([]))


def _arguments(names: list[str]) -> ast.arguments:
    return ast.arguments(
        posonlyargs=[],
        args=[ast.arg(n) for n in names],
        kwonlyargs=[],
        kw_defaults=[],
        defaults=[],
    )
