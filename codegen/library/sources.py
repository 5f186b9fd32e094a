"""The sources of the ops: functions of JAX by alias, functions of ours as trees."""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field
from functools import cached_property, partial

from ...schema.registry import Definition
from ...schema.syntax import parsed
from ..allowlist import GenerationError, unwritable
from ..nodes import Known, is_atom, names_in, names_in_order
from .allowed import Allowed, imports_of
from .fold import Folder

Reader = Callable[[str], str]
"""The text of a module of `blox.ops`, by its name."""


@dataclass
class OpSource:
    """How an op is written: an alias (`jax.nn.silu`) or a function of ours."""

    name: str
    alias: ast.expr | None = None
    function: ast.FunctionDef | None = None
    inline: bool = False
    decorated: bool = False
    """True of a function with a decorator that changes what it does."""
    _templates: dict[object, ast.expr | None] = field(default_factory=dict)

    @property
    def tree(self) -> ast.AST:
        tree = self.alias if self.function is None else self.function
        assert tree is not None
        return tree

    @cached_property
    def parameters(self) -> dict[str, ast.expr | None]:
        """The parameters of a function and their defaults."""
        assert self.function is not None
        a = self.function.args
        positional: list[ast.expr | None] = [None] * (len(a.args) - len(a.defaults))
        both = zip(a.args, positional + list(a.defaults), strict=True)
        keyword = zip(a.kwonlyargs, a.kw_defaults, strict=True)
        return {p.arg: d for p, d in (*both, *keyword)}

    def expression(
        self, operands: Mapping[str, ast.expr], others: Mapping[str, ast.expr]
    ) -> ast.expr | None:
        """The op's one expression over these values, None where a call of it is written.

        Operands that compute something have to stand there once and in order.
        """
        if not self._may_be_one:
            return None
        values = {**operands, **others}
        held = {
            k: v if _decides(v) and (k in others or is_atom(v)) else ast.Name(f"@{k}")
            for k, v in values.items()
        }
        template = self._template(held)
        if template is None:
            return None
        computed = [f"@{k}" for k, v in operands.items() if not is_atom(v)]
        if [n for n in names_in_order(template) if n in computed] != computed:
            return None
        put = {f"@{k}": v for k, v in values.items()}
        result: ast.expr = Folder(put).visit(copy.deepcopy(template))
        return result

    @cached_property
    def _may_be_one(self) -> bool:
        """True of a function that may turn out to be one expression."""
        if self.function is None:
            return False
        has_branch = any(isinstance(s, ast.If) for s in self.function.body)
        changed = assigned(self.function) & {*self.parameters}
        return (self.inline or has_branch) and not changed

    def _template(self, held: Mapping[str, ast.expr]) -> ast.expr | None:
        """The one expression over these values, which is the same for many nodes."""
        assert self.function is not None
        key = tuple((k, ast.dump(v)) for k, v in held.items())
        if key not in self._templates:
            defaults = {k: d for k, d in self.parameters.items() if d is not None}
            body = [s for s in self.function.body if not _is_docstring(s)]
            folder = Folder({**defaults, **held})
            match folder.block(copy.deepcopy(body)):
                case [ast.Return(value=ast.expr() as value)]:
                    self._templates[key] = value
                case _:
                    self._templates[key] = None
        return self._templates[key]


_DECIDING = (
    ast.Constant, ast.UnaryOp, ast.BinOp, ast.Tuple, ast.List, ast.Attribute, Known
)  # fmt: skip


def _decides(value: ast.expr) -> bool:
    """True of a value that may decide a branch: a number, a text, a tuple of sizes."""
    return isinstance(value, _DECIDING)


class Library:
    """The sources of all ops, read module by module when they are asked for.

    Args:
        read: gives the text of a module, by its name in `blox.ops`, or by the name of
            an op that is no core op.
        taken: names of the user that an import of a module must not hide; it gets
            another one.
    """

    def __init__(self, read: Reader, taken: Set[str] = frozenset()) -> None:
        self._read = read
        self._taken = taken
        self._modules: dict[str, OpModule] = {}
        self._used: dict[tuple[str, str], None] = {}
        self._helpers: dict[str, tuple[str, str]] = {}

    def op(self, definition: Definition) -> OpSource:
        home, name = definition.home, definition.python_name
        if home not in self._modules and definition.function is not None:
            titles = partial(self._title, definition)
            self._modules[home] = OpModule.of(self._read(home), self._taken, titles)
        module = self.module(home)
        source = module.get(name) or module.get(f"{name}_")
        if source is None:
            raise GenerationError.one(
                "generate",
                definition.key,
                f"expected the function {name} in the text of its module",
            )
        if definition.function is not None and (home, source.name) not in self._used:
            for used in self._modules[home].reached(source.name):
                # What runs of the op itself is what was registered, not decorated.
                if problem := _problem(used, of_its_own=used.name == name):
                    raise GenerationError.one(
                        "generate",
                        definition.key,
                        "expected functions of expressions, `if` and `for`, found "
                        f"{problem} in {used.name}",
                    )
        self._used[home, source.name] = None
        return source

    def _title(self, definition: Definition, name: str) -> str:
        """The name in a file of a function beside that of an op that is no core op.

        Other modules of its maker may have another function of that name.
        """
        function = definition.function
        assert function is not None
        if name == function.__name__:
            return definition.python_name
        maker = definition.name.partition(":")[0]
        title, owner = f"_{maker}_{name.strip('_')}", (function.__module__, name)
        while self._helpers.setdefault(title, owner) != owner:
            title += "_"
        return title

    def module(self, home: str) -> dict[str, OpSource]:
        return self._module(home).sources

    def _module(self, home: str) -> OpModule:
        if home not in self._modules:
            self._modules[home] = OpModule.of(self._read(home), self._taken)
        return self._modules[home]

    def names(self) -> set[str]:
        """What the modules so far import, by the names that a file has for it."""
        return {name for module in self._modules.values() for name in module.imports}

    def allowed(self, names: Set[str]) -> Allowed:
        """What the sources of all ops so far, and those of `names`, speak of."""
        found = Allowed({}, frozenset(), frozenset(), frozenset())
        wanted = dict(self._used)
        for home, module in self._modules.items():
            wanted |= {(home, n): None for n in module.sources if n in names}
        for home, name in wanted:
            module = self._modules[home]
            found |= Allowed.of(module.closure(name), module.imports)
        return found


@dataclass(frozen=True)
class OpModule:
    """A module of ops: its functions and aliases by name, and what it imports."""

    sources: dict[str, OpSource]
    imports: dict[str, str]

    @classmethod
    def of(
        cls, text: str, taken: Set[str], title: Callable[[str], str] | None = None
    ) -> OpModule:
        """A module from its text; `title` gives the functions of a module that is not
        ours names that nobody else's have.
        """
        tree = parsed(text)
        imports = imports_of(tree)
        other = {}
        if title is not None:
            for node in tree.body:
                if isinstance(node, ast.FunctionDef):
                    node.name, old = title(node.name), node.name
                    other[old] = node.name
        for name in imports.keys() & taken:
            other[name] = f"{name}_"  # no name of a graph ends so
            imports[other[name]] = _bound_as(imports.pop(name), other[name])
        sources = _sources(_Renamed(other).visit(tree) if other else tree)
        return cls(sources, imports)

    def closure(self, name: str) -> list[ast.AST]:
        """The source of a name, and those of the functions that it calls."""
        return [source.tree for source in self.reached(name)]

    def reached(self, name: str) -> list[OpSource]:
        """A source, and those of the functions that it calls."""
        found: dict[str, OpSource] = {}
        todo = [name]
        while todo:
            source = self.sources[todo.pop()]
            if source.name not in found:
                found[source.name] = source
                todo += names_in(source.tree) & self.sources.keys()
        return list(found.values())


def _problem(source: OpSource, *, of_its_own: bool) -> str:
    """What a file can't hold of a source that is not ours."""
    if source.decorated and not of_its_own:
        return "a decorator"
    return "" if source.function is None else unwritable(source.function)


class _Renamed(ast.NodeTransformer):
    """Imported names by their names in the file, where no local has them."""

    def __init__(self, other: Mapping[str, str]) -> None:
        self.other = other

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        own = {a.arg for a in ast.walk(node) if isinstance(a, ast.arg)}
        hidden = own | assigned(node)
        inner = _Renamed({k: v for k, v in self.other.items() if k not in hidden})
        inner.generic_visit(node)
        return node

    def visit_Name(self, node: ast.Name) -> ast.Name:
        return ast.copy_location(
            ast.Name(self.other.get(node.id, node.id), node.ctx), node
        )


def _bound_as(line: str, name: str) -> str:
    """An import line that binds another name."""
    (node,) = parsed(line).body
    assert isinstance(node, ast.Import | ast.ImportFrom)
    node.names[0].asname = name
    return ast.unparse(node)


def _sources(tree: ast.Module) -> dict[str, OpSource]:
    result: dict[str, OpSource] = {}
    for node in tree.body:
        match node:
            case ast.FunctionDef(name=name, decorator_list=marks):
                inline = [isinstance(m, ast.Name) and m.id == "inline" for m in marks]
                node.decorator_list = []
                result[name] = OpSource(
                    name,
                    function=node,
                    inline=any(inline),
                    decorated=not all(inline),
                )
            case ast.Assign(
                targets=[ast.Name(id=name)], value=ast.Attribute() as value
            ):
                result[name] = OpSource(name, alias=value)
    return result


def assigned(function: ast.FunctionDef) -> set[str]:
    """The names that a function gives a value to."""
    return {
        n.id
        for n in ast.walk(function)
        if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
    }


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
