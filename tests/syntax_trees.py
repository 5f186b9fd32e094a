"""Random syntax trees of the kinds that the printer supports."""

from __future__ import annotations

import ast
from collections.abc import Callable
from random import Random

LOAD, STORE = ast.Load(), ast.Store()
BINARY = [ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Pow, ast.MatMult]
BITS = [ast.Mod, ast.BitAnd, ast.BitOr, ast.BitXor, ast.LShift, ast.RShift]
COMPARE = [ast.Eq, ast.NotEq, ast.Lt, ast.GtE, ast.Is, ast.IsNot, ast.In, ast.NotIn]
SYLLABLES = ["at", "bi", "con", "dim", "em", "fi", "gel", "h", "in", "key", "lay", "x"]


class Trees:
    """Draws trees from `random`; about `long` of its names have 20 to 64 letters."""

    def __init__(self, random: Random, long: float) -> None:
        self.random = random
        self.long = long

    def name(self) -> str:
        size = self.random.randint(1, 9)
        if self.random.random() < self.long:
            size = self.random.randint(20, 64)
        text = "v_" if self.random.random() < 0.2 else "v"
        while len(text) < size:
            text += self.random.choice(SYLLABLES)
        return text[:size]

    def names(self, most: int = 4) -> list[str]:
        """Different names, at least one."""
        return sorted({self.name() for _ in range(self.random.randint(1, most))})

    def load(self) -> ast.expr:
        return ast.Name(self.name(), LOAD)

    def constant(self) -> ast.expr:
        texts = ["", "gelu", "it's", 'say "hi"', "a" * 30, "b\\c\n\x07é", "[" * 70]
        values = [None, True, ..., 0, 1, 768, 1e-05, 1e22, 0.5, *texts]
        return ast.Constant(self.random.choice(values))

    def many(
        self, make: Callable[[], ast.expr], least: int, most: int
    ) -> list[ast.expr]:
        return [make() for _ in range(self.random.randint(least, most))]

    def expression(self, depth: int) -> ast.expr:
        if depth == 0:
            return self.load() if self.random.random() < 0.8 else self.constant()

        def inner() -> ast.expr:
            return self.expression(self.random.randrange(depth))

        kind = self.random.choices(KINDS, WEIGHTS)[0]
        match kind:
            case "attribute":
                return ast.Attribute(inner(), self.name(), LOAD)
            case "call":
                return self.call(ast.Name(self.name(), LOAD), inner)
            case "method":
                return self.call(ast.Attribute(inner(), self.name(), LOAD), inner)
            case "called":
                return self.call(inner(), inner)
            case "subscript":
                return ast.Subscript(inner(), self.index(inner), LOAD)
            case "params":
                key = ast.Constant(self.name())
                return ast.Subscript(ast.Name("params", LOAD), key, LOAD)
            case "tuple":
                return ast.Tuple(self.many(inner, 0, 4), LOAD)
            case "list":
                return ast.List(self.many(inner, 0, 4), LOAD)
            case "starred":
                items = [inner(), ast.Starred(inner(), LOAD), *self.many(inner, 0, 2)]
                self.random.shuffle(items)
                return self.random.choice([ast.Tuple, ast.List])(items, LOAD)
            case "dict":
                values = self.many(inner, 0, 3)
                keys: list[ast.expr | None] = [
                    self.random.choice([None, inner(), ast.Constant(self.name())])
                    for _ in values
                ]
                return ast.Dict(keys, values)
            case "binary":
                op = self.random.choice(BINARY if self.random.random() < 0.8 else BITS)
                return ast.BinOp(inner(), op(), inner())
            case "sum":
                op = self.random.choice(BINARY)
                value = inner()
                for _ in range(self.random.randint(1, 4)):
                    value = ast.BinOp(value, op(), inner())
                return value
            case "unary":
                sign = self.random.choice([ast.USub, ast.Not, ast.Invert, ast.UAdd])
                return ast.UnaryOp(sign(), inner())
            case "bool":
                joint = self.random.choice([ast.And, ast.Or])
                return ast.BoolOp(joint(), self.many(inner, 2, 3))
            case "compare":
                values = self.many(inner, 1, 2)
                ops = [self.random.choice(COMPARE)() for _ in values]
                return ast.Compare(inner(), ops, values)
            case "if":
                return ast.IfExp(inner(), inner(), inner())
            case "lambda":
                return ast.Lambda(self.arguments(inner, annotated=False), inner())
            case "generator":
                return ast.GeneratorExp(inner(), self.loops(inner))
            case "list_of":
                return ast.ListComp(inner(), self.loops(inner))
            case "set_of":
                return ast.SetComp(inner(), self.loops(inner))
            case _:
                return ast.DictComp(inner(), inner(), self.loops(inner))

    def call(self, func: ast.expr, inner: Callable[[], ast.expr]) -> ast.expr:
        args = self.many(inner, 0, 3)
        if self.random.random() < 0.1:
            args.append(ast.Starred(inner(), LOAD))
        keywords = [
            ast.keyword(self.name() if self.random.random() < 0.7 else None, inner())
            for _ in range(self.random.choice([0, 0, 1, 2]))
        ]
        named = {word.arg: word for word in keywords}
        return ast.Call(func, args, list(named.values()))

    def index(self, inner: Callable[[], ast.expr]) -> ast.expr:
        def part() -> ast.expr:
            match self.random.randrange(7):
                case 0 | 1:
                    ends = [self.random.choice([None, inner()]) for _ in range(3)]
                    return ast.Slice(*ends)
                case 2:
                    return ast.UnaryOp(ast.USub(), ast.Constant(1))
                case 3:
                    return ast.Constant(self.random.choice([..., None, 0, "kernel"]))
                case _:
                    return inner()

        if self.random.random() < 0.6:
            return part()
        return ast.Tuple(self.many(part, 1, 4), LOAD)

    def loops(self, inner: Callable[[], ast.expr]) -> list[ast.comprehension]:
        tests = [inner()] if self.random.random() < 0.3 else []
        return [ast.comprehension(self.target(), inner(), tests, 0)]

    def target(self) -> ast.expr:
        names: list[ast.expr] = [ast.Name(name, STORE) for name in self.names(3)]
        return names[0] if len(names) == 1 else ast.Tuple(names, STORE)

    def arguments(
        self, inner: Callable[[], ast.expr], annotated: bool
    ) -> ast.arguments:
        names = sorted({self.name() for _ in range(self.random.randrange(7))})
        args = [
            ast.arg(name, inner() if annotated and self.random.random() < 0.4 else None)
            for name in names
        ]
        cuts = sorted(self.random.choices(range(len(args) + 1), k=2))
        if self.random.random() < 0.7:
            cuts[0] = 0
        before, plain, after = args[: cuts[0]], args[cuts[0] : cuts[1]], args[cuts[1] :]
        vararg = kwarg = None
        if after and self.random.random() < 0.2:
            vararg = after.pop()
        if after and self.random.random() < 0.2:
            kwarg = after.pop()
        defaults = [inner() for _ in range(self.random.randint(0, len(before + plain)))]
        given = [self.random.choice([None, inner()]) for _ in after]
        return ast.arguments(before, plain, vararg, after, given, kwarg, defaults)

    def statement(self, depth: int, blocks: int) -> ast.stmt:
        def inner() -> ast.expr:
            return self.expression(self.random.randint(0, depth))

        def annotation() -> ast.expr:
            node = inner()
            return self.load() if isinstance(node, ast.Lambda) else node

        def stored(node: ast.expr) -> ast.Name | ast.Attribute | ast.Subscript:
            if isinstance(node, ast.Name | ast.Attribute | ast.Subscript):
                node.ctx = STORE
                return node
            return ast.Name(self.name(), STORE)

        kinds = (
            ["assign"] * 6 + ["return"] * 4 + ["bare", "store", "annotate", "augment"]
        )
        kinds += ["expr", "raise", "pass"] + ["if", "for", "def"] * (blocks > 0)
        match self.random.choice(kinds):
            case "assign":
                return ast.Assign([self.target()], inner())
            case "bare":
                names = ast.Tuple([ast.Name(self.name(), STORE), self.target()], STORE)
                return ast.Assign([names], ast.Tuple(self.many(inner, 1, 3), LOAD))
            case "store":
                return ast.Assign([stored(inner())], inner())
            case "annotate":
                target = stored(inner())
                simple = int(isinstance(target, ast.Name))
                value = self.random.choice([None, inner(), inner()])
                return ast.AnnAssign(target, annotation(), value, simple=simple)
            case "augment":
                op = self.random.choice(BINARY)
                return ast.AugAssign(stored(inner()), op(), inner())
            case "return":
                if self.random.random() < 0.4:
                    return ast.Return(ast.Tuple(self.many(inner, 0, 3), LOAD))
                return ast.Return(self.random.choice([None, inner(), inner(), inner()]))
            case "expr":
                node = inner()
                if isinstance(node, ast.Constant):
                    return ast.Pass()
                return ast.Expr(node)
            case "raise":
                cause = self.random.choice([None, inner()])
                return ast.Raise(inner(), cause)
            case "if":
                other = self.random.choice([[], self.block(depth, blocks - 1)])
                return ast.If(inner(), self.block(depth, blocks - 1), other)
            case "for":
                nodes = self.block(depth, blocks - 1)
                return ast.For(self.target(), inner(), nodes, [])
            case "def":
                return self.function(depth, blocks - 1)
            case _:
                return ast.Pass()

    def block(self, depth: int, blocks: int) -> list[ast.stmt]:
        count = self.random.randint(1, 3)
        return [self.statement(depth, blocks) for _ in range(count)]

    def function(self, depth: int, blocks: int) -> ast.stmt:
        def inner() -> ast.expr:
            return self.expression(self.random.randrange(2))

        arguments = self.arguments(inner, annotated=True)
        returns = self.random.choice([None, inner()])
        nodes = self.block(depth, blocks)
        if self.random.random() < 0.2:
            nodes.insert(0, ast.Expr(ast.Constant("One line.")))
        [found] = ast.parse(f"def {self.name()}(): pass").body
        assert isinstance(found, ast.FunctionDef)
        found.args, found.body, found.returns = arguments, nodes, returns
        return found


KINDS = [
    "attribute",
    "call",
    "method",
    "called",
    "subscript",
    "params",
    "tuple",
    "list",
]
KINDS += [
    "starred",
    "dict",
    "binary",
    "sum",
    "unary",
    "bool",
    "compare",
    "if",
    "lambda",
]
KINDS += ["generator", "list_of", "set_of", "dict_of"]
WEIGHTS = [6, 12, 10, 2, 8, 8, 6, 3, 2, 5, 8, 6, 3, 2, 2, 3, 3, 1, 1, 1, 1]
