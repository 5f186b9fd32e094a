"""The last look at generated files: what no model needs is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from blox.codegen.allowlist import GenerationError
from blox.codegen.allowlist import check as check_with
from blox.codegen.control import emitted
from blox.codegen.emit.tail import drawing_functions
from blox.codegen.library.allowed import Allowed
from blox.codegen.library.sources import Library
from blox.io.sources import read
from blox.schema import from_bytes
from blox.schema.op import ScopeOp
from blox.schema.registry import definition

HERE = Path(__file__).parents[1]
GOLDEN = (HERE / "golden" / "dropout_net.py").read_text(encoding="utf-8")


def ops_of(name: str) -> Allowed:
    """The names that the ops of a model of the tests speak of."""
    graph = from_bytes((HERE / "models" / f"{name}.json").read_bytes())
    library = Library(read)
    controls, drawn = set(), set()
    for function in graph.functions.values():
        for node in function.nodes.values():
            found = definition(node.op)
            assert found is not None
            drawn |= {init.name for init in getattr(node, "init", {}).values()}
            if isinstance(node, ScopeOp):
                controls.add(type(node))
            else:
                library.op(found)
    for home in ("keys", "state", "tail"):
        library.module(home)
    tail = {"init_params", "load_params", *drawing_functions(library, drawn)}
    return library.allowed({"fold_in", "merge", "kept", *tail}) | emitted(controls)


OPS = ops_of("dropout_net")


def check(source: str) -> None:
    check_with(source, OPS)


@pytest.mark.parametrize("file", sorted((HERE / "golden").glob("*.py")), ids=str)
def test_generated_files_pass(file: Path) -> None:
    check_with(file.read_text(encoding="utf-8"), ops_of(file.stem))


def test_what_another_op_does_is_refused() -> None:
    """A file may do what its own ops do, and no more."""
    text = "\n\ndef f(x: Any) -> Any:\n    return {}\n"
    pooled = Allowed(
        {"jnp": "import jax.numpy as jnp"},
        frozenset({"jnp.pad"}),
        frozenset({"at", "add"}),
        frozenset({"round"}),
    )
    for code in ("jnp.pad(x, 1)", "x.at[0].add(1)", "round(x)"):
        with pytest.raises(GenerationError, match="expected model code"):
            check(GOLDEN + text.format(code))
        check_with(GOLDEN + text.format(code), OPS | pooled)


@pytest.mark.parametrize(
    "line",
    [
        "import os",
        "import jax.numpy as np",
        "import jax, os",
        "from os import path",
        "from .jax import Array",
        "from jax import *",
        "from jax import Array as load_file",
        "x = 1\nimport subprocess",
    ],
)
def test_imports(line: str) -> None:
    with pytest.raises(GenerationError, match=r"line \d+: expected model code, found"):
        check(GOLDEN + line + "\n")


@pytest.mark.parametrize(
    "expression",
    [
        "eval('1')",
        "exec('1')",
        "open('x')",
        "compile('1', '', 'eval')",
        "getattr(x, 'y')",
        "setattr(x, 'y', 1)",
        "globals()",
        "vars(x)",
        "type(x)",
        "print(x)",
        "input()",
        "breakpoint()",
        "memoryview(x)",
        "__import__('os')",
        "__builtins__",
        "__file__",
        "x.__class__",
        "x._value",
        "().__class__.__bases__[0].__subclasses__()",
        "x.tofile('y')",
        "x.at[0].set(1)",
        "x.format(1)",
        "'{0.__class__}'.format(x)",
        "f'{x.__class__}'",
        "f'{eval(1)}'",
        "f'{x!r:{y()}}'",
        "jax.pure_callback(x, x, x)",
        "jax.debug.callback(x)",
        "jax.experimental.io_callback(x, x)",
        "jax.config.update('jax_enable_x64', True)",
        "jax.numpy.load('x')",
        "jnp.load('x')",
        "jnp.save('x', x)",
        "jax.lax._src",
        "jax.nn",
        "jax.image.resize(x, (1,), 'linear')",
        "jax.scipy.special.erf(x)",
        "jax.nn.initializers.__loader__",
        "Path.home()",
        "x.at[0].add(1)",
        "Array.mro()",
        "jax._src.core",
        "jnp.linalg.__loader__",
        "math.__spec__.loader",
        "zlib.__loader__",
        "(y := x)",
        "lambda: eval('1')",
        "(lambda f: f('1'))(eval)",
        "[open(p) for p in x]",
        "{**globals()}",
        "{eval('1')}",
        "not_defined(x)",
        "os.system('true')",
        "Path(x).unlink()",
        "Path(x).write_text(x)",
        "(yield x)",
        "await x",
        "b'bytes'.decode()",
    ],
)
def test_expressions(expression: str) -> None:
    with pytest.raises(GenerationError):
        check(f"{GOLDEN}\n\ndef f(x: Any, y: Any) -> Any:\n    return {expression}\n")
    with pytest.raises(GenerationError):
        check(
            f"{GOLDEN}\n\ndef f(x: Any, y: Any = {expression}) -> Any:\n    return x\n"
        )


@pytest.mark.parametrize(
    "statement",
    [
        "global Params",
        "nonlocal x",
        "del x",
        "assert eval('1')",
        "while x:\n        pass",
        "try:\n        pass\n    except ValueError:\n        pass",
        "with x:\n        pass",
        "class C:\n        pass",
        "async def g() -> None:\n        pass",
        "@jax.jit\n    def g() -> None:\n        return x",
        "x(1)",
        "x.shape",
        "x.y = 1",
        "jax.lax.scan = x",
        "jax.nn['relu'] = x",
        "jax.nn.relu[0] = x",
        "jax = x",
        "open = x",
        "sum = x",
        "__all__ = x",
        "def str(x: Any) -> Any:\n        return x",
        "def g(jnp: Any) -> Any:\n        return x",
        "type X = int",
        "import jax.numpy as jnp, os",
        "match x:\n        case 1:\n            pass",
    ],
)
def test_statements(statement: str) -> None:
    with pytest.raises(GenerationError):
        check(f"{GOLDEN}\n\ndef f(x: Any) -> Any:\n    {statement}\n    return x\n")


@pytest.mark.parametrize(
    "line",
    [
        "X = stored_arrays(Path())",
        "X = jnp.arange(3)",
        "X = [load_params(p) for p in ('a',)]",
        "stored_arrays(Path())",
        "def f() -> Any:\n    return load_params('a')\n\n\nX = f()",
        "def f() -> Any:\n    return f()\n\n\nX = f()",
        "X = f()\n\n\ndef f() -> Any:\n    return {}",
        "for i in ():\n    X = stored_arrays(Path())",
        "def f(x: Any = stored_arrays(Path())) -> Any:\n    return x",
        "def f(x: stored_arrays(Path())) -> Any:\n    return x",
        "def f(x: Any) -> stored_arrays(Path()):\n    return x",
    ],
)
def test_nothing_runs_at_import(line: str) -> None:
    with pytest.raises(GenerationError, match=r"a call at import|a bare"):
        check(f"{GOLDEN}{line}\n")


def test_a_function_of_one_expression_may_be_called_at_import() -> None:
    shapes = "def f(n: int) -> Params:\n    return {'a': [(n, 3) for _ in range(n)]}"
    check(f"{GOLDEN}\n\n{shapes}\n\n\nX = f(3)\n")


def test_what_does_not_parse() -> None:
    for text in ("def", "x = '", "\0", "(" * 1000):
        with pytest.raises(GenerationError, match="the file doesn't parse"):
            check(text)


def test_text_is_only_text() -> None:
    check('"""eval(open(__import__))"""\n\nX = "os.system(\'true\') {x} {{ y }}"\n')
