"""The pages of `docs/ops`: every op, from its spec class and its JAX function."""

from __future__ import annotations

import ast
import inspect
import json
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from importlib.resources import files

from blox.ops.symbolic import flags, symbolic
from blox.schema.initializers import KeyData
from blox.schema.op import Op, ScopeOp
from blox.schema.ops.index import FAMILIES
from blox.schema.parameters import Leaf
from blox.schema.registry import definition, op_class
from blox.schema.release import lock
from blox.schema.start import Start

from . import callee_docs
from .markdown import prose

HEAD = """# The ops

Written by `python -m blox.dev.regenerate` from the spec classes in `schema/ops/` and the
JAX functions in `blox/ops/`; how to add one is in
[CONTRIBUTING.md](../../CONTRIBUTING.md#how-to-add-an-op).

A node of [the format](../format.md) is `{"op": "linear", "x": "h", ...}`: the fields of
the op by name; those without a default are required. The builder has a method of the
same name for each op. `op@2` is another version of an op, with a meaning of its own; the
builder writes the newest.

| type of a field | takes |
|---|---|
| `tensor` | a reference, a number, or an expression that is a number |
| `optional tensor`, `optional key` | the same, or absent |
| `tensors` | a list of them |
| `key` | a reference to a key |
| `arguments` | values by input name, or in a list |
| `slot` | a parameter: stored, unless a reference is given here |
| `size`, `count` | an integer of at least 1, of at least 0, or an expression |
| `int`, `float` | a number of that kind, or an expression |
| `scalar` | an integer or a float, or an expression |
| `dtype` | `"float"`, the model's floating type, or the name of a concrete one |
| `stored dtype`, `real dtype` | the same but for `complex128`, but for complex ones |
| `name` | a name of the Graph |
| `literal` | numbers or booleans in nested lists of equal length |
| `str` | a text that the op describes |

A size that is `null` is taken from other nodes at the same path; the builder takes it
from what flows in. Ops with parameters also take `params`, `init`, `axes` and `frozen`
([section 9](../format.md#9-parameters-state-keys)), those that call functions `params`.
In shapes, `...` stands for any axes; dtypes are kept unless it is said otherwise.
*Elsewhere* names what other libraries call the op.
"""

_WIDTH = 88


def index_text() -> str:
    """`docs/ops/index.md`: what is true of all ops, and where each stands."""
    parts = [HEAD, "\n## Contents\n\n"]
    for family, keys in FAMILIES.items():
        links = ", ".join(f"[{k}]({family}.md#{_anchor(k)})" for k in keys)
        parts.append(f"- [{family}]({family}.md): {links}\n\n")
    return "".join(parts).removesuffix("\n")


def family_text(family: str) -> str:
    """`docs/ops/FAMILY.md`."""
    module = import_module(f"blox.schema.ops.{family}")
    head = f"# Ops: `{family}`\n\n{prose(inspect.getdoc(module) or '')}\n"
    note = "Fields and their types are those of [all ops](index.md).\n"
    return head + note + "".join(_op(family, key) for key in FAMILIES[family])


def _anchor(key: str) -> str:
    return key.replace("@", "")


def _op(family: str, name: str) -> str:
    cls = op_class(name)
    assert cls is not None
    parts = [f"## {name}\n\n{prose(inspect.getdoc(cls) or '')}"]
    if names := vars(cls).get("ALSO"):
        parts.append(f"Elsewhere: {', '.join(f'`{n}`' for n in names)}.\n")
    if cls.COMPLEX and cls.fields().operands:
        parts.append("Takes complex numbers.\n")
    parts.append(f"```text\n{_signature(cls, name)}\n```\n")
    if cls.TRAIN:
        parts.append(
            "It does something else in training, and updates its state there.\n"
        )
    if table := "\n".join(_parameters(name)):
        parts.append(f"{table}\n")
    if issubclass(cls, ScopeOp):
        parts.append("\n".join((*callee_docs.table(cls), "")))
    else:
        parts.append(_function(family, name))
    return "\n" + "\n".join(parts)


def _signature(cls: type[Op], name: str) -> str:
    """`relu(x: tensor) -> out`, a field a line where that is long."""
    locked = lock.locked(name)
    fields = [f"{k}: {v}" for k, v in locked.items() if not k.startswith("(")]
    outputs = "key" if cls.OUTPUT_KIND == "key" else locked["(outputs)"]
    if "names" in locked:
        outputs = "one for each of names"
    elif issubclass(cls, ScopeOp):
        outputs = "those of the function"
    if len(line := f"{name}({', '.join(fields)}) -> {outputs}") <= _WIDTH:
        return line
    return f"{name}(\n" + "".join(f"    {f},\n" for f in fields) + f") -> {outputs}"


# --- Parameters ----------------------------------------------------------------------


def shape(leaf: Leaf) -> str:
    """`(in_features, out_features)`."""
    sizes = ", ".join(_size(str(size)) for size in leaf.shape)
    return (
        f"({sizes},)" if len(leaf.shape) == 1 and "..." not in sizes else f"({sizes})"
    )


def _size(text: str) -> str:
    """A size as it is; `prod(2 * window - 1)` where it is calculated from a list."""
    plain = text.replace("...", "")
    return text if plain.isidentifier() or plain == text else f"prod({plain})"


def _parameters(name: str) -> Iterator[str]:
    """A table of the arrays that an op owns: its lines, if it owns any."""
    cls = op_class(name)
    assert cls is not None
    op = symbolic(cls)
    leaves = op.parameters()
    if not leaves:
        return
    yield "| array | shape | dtype | kind | [starts as](../initializers.md) |"
    yield "|---|---|---|---|---|"
    deciding = flags(op)
    for array, leaf in leaves.items():
        label = f"`{array}`" if array else "the node itself, `value` in `init`"
        for flag, arrays in deciding.items():
            if array in arrays:
                label += f", if `{flag}`"
        start = _start(op, array)
        cells = (label, f"`{shape(leaf)}`", f"`{leaf.dtype}`", leaf.kind, start)
        yield f"| {' | '.join(cells)} |"


def _start(op: Op, array: str) -> str:
    """The initialiser as `init` would say it; both where floats start otherwise."""
    chosen = op.fields().dtypes
    starts = {
        dtype: op.unchecked_copy(**dict.fromkeys(chosen, dtype))
        .parameters()[array]
        .init
        for dtype in ("float", "int32")
    }
    text = _initializer(starts["float"])
    if starts["float"] == starts["int32"]:
        return text
    names = " and ".join(f"`{name}`" for name in sorted(chosen))
    return f"{text}; {_initializer(starts['int32'])} where {names} is no float"


def _initializer(start: Start) -> str:
    if isinstance(start, KeyData):
        return "data of a key of its own"
    data = {"name": start.name, **start.model_dump(exclude_defaults=True)}
    return f"`{json.dumps(data)}`"


# --- Functions -----------------------------------------------------------------------


def _function(family: str, name: str) -> str:
    """What stands in JAX for an op: the function that it is, or its source."""
    source, statements = _module(family)
    found = definition(name)
    assert found is not None
    function = found.python_name
    node = statements.get(function) or statements[f"{function}_"]
    if isinstance(node, ast.Assign):
        return f"In JAX it is `{_full_name(source, node.value)}`.\n"
    lines = source.splitlines()[node.lineno - 1 : node.end_lineno]
    inlined = any(ast.unparse(d) == "inline" for d in node.decorator_list)
    how = "In generated code its expression stands in place:" if inlined else "In JAX:"
    return f"{how}\n\n```python\n" + "\n".join(lines) + "\n```\n"


def _full_name(source: str, value: ast.expr) -> str:
    """`special.erfinv` as what it is where `from jax.scipy import special` stands."""
    text = ast.unparse(value)
    first, _, rest = text.partition(".")
    for node in ast.parse(source).body:
        if isinstance(node, ast.ImportFrom) and not node.level:
            for alias in node.names:
                if (alias.asname or alias.name) == first:
                    return f"{node.module}.{alias.name}.{rest}"
    return text


@cache
def _module(family: str) -> tuple[str, dict[str, ast.Assign | ast.FunctionDef]]:
    source = (files("blox.ops") / f"{family}.py").read_text(encoding="utf-8")
    found: dict[str, ast.Assign | ast.FunctionDef] = {}
    for node in ast.parse(source).body:
        match node:
            case ast.FunctionDef(name=name):
                found[name] = node
            case ast.Assign(targets=[ast.Name(id=name)]):
                found[name] = node
    return source, found
