"""What people write in place of what a trace has."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

from .simplify import Tree, rewrite
from .trace import Param, Path, Step, Value
from .views import same_shape


@rewrite("where")
def chosen(step: Step, tree: Tree) -> Value | None:
    """where(c, True, False) -> c; where(n < 0, ..., n) -> n of an n that counts up."""
    given = step.operands
    condition, a, b = given["condition"], given["a"], given["b"]
    if isinstance(condition, Value) and _alike(condition, step.outputs[0]):
        if a is True and b is False:
            return condition
        if a is False and b is True:
            tree.turn(step, "logical_not", {"x": condition})
            return None
    below = tree.maker(condition, "less")
    if below is None or below.operands["a"] is not b or below.operands["b"] != 0:
        return None
    counted = tree.maker(b, "arange")
    if counted is None or not _alike(b, step.outputs[0]):
        return None
    sizes = [counted.attributes.get(name, default) for name, default in _COUNTS]
    upward = all(isinstance(s, int) and s >= 0 for s in sizes)
    return b if upward else None


_COUNTS = (("start", 0), ("step", 1))


@rewrite("maximum")
def unbounded(step: Step, tree: Tree) -> Value | None:
    """maximum(-inf, x) -> x"""
    for low, x in (("a", "b"), ("b", "a")):
        value = step.operands[x]
        if step.operands[low] == -math.inf and isinstance(value, Value):
            return value if _alike(value, step.outputs[0]) else None
    return None


@rewrite("astype")
def there_and_back(step: Step, tree: Tree) -> Value | None:
    """b.astype(float).astype(bool) -> b"""
    maker = tree.maker(step.operands["x"], "astype")
    if maker is None or step.outputs[0].dtype != "bool":
        return None
    first = maker.operands["x"]
    own = isinstance(first, Value) and _alike(first, step.outputs[0])
    return first if own else None


@rewrite("logical_and")
def allowed(step: Step, tree: Tree) -> Value | None:
    """True & m -> m"""
    for one, other in (("a", "b"), ("b", "a")):
        value = step.operands[other]
        if step.operands[one] is True and isinstance(value, Value):
            return value if _alike(value, step.outputs[0]) else None
    return None


@rewrite("multiply")
def squared(step: Step, tree: Tree) -> None:
    """x * x -> square(x)"""
    a, b = step.operands["a"], step.operands["b"]
    if isinstance(a, Value) and a is b:
        tree.turn(step, "square", {"x": a})


@rewrite("transpose", "swapaxes")
def turned(step: Step, tree: Tree) -> Value | None:
    """A transpose of what an einsum gives is in its letters."""
    x, rank = step.operands["x"], step.outputs[0].ndim
    maker = tree.lone(x, "einsum")
    if maker is None or "." in maker.attributes["equation"]:
        return None
    order = list(range(rank))
    if step.op == "transpose":
        order = [int(p) % rank for p in step.attributes["permutation"]]
    else:
        a, b = (step.attributes[name] % rank for name in ("axis1", "axis2"))
        order[a], order[b] = b, a
    given, _, letters = maker.attributes["equation"].partition("->")
    out = "".join(letters[i] for i in order)
    maker.attributes["equation"] = f"{given}->{out}"
    maker.outputs[0].shape = step.outputs[0].shape
    return maker.outputs[0]


@rewrite("multiply", "add")
def counted(step: Step, tree: Tree) -> None:
    """arange(n) * 2 -> arange(0, 2 * n, 2); arange(n) + 1 -> arange(1, n + 1)"""
    for x, number in (("a", "b"), ("b", "a")):
        value, by = step.operands.get(x), step.operands.get(number)
        maker = tree.maker(value, "arange")
        if maker is None or type(by) is not int or by < 1:
            continue
        output = step.outputs[0]
        if "int" not in output.dtype or not _alike(maker.outputs[0], output):
            continue
        start, pace = (maker.attributes.get(n, default) for n, default in _COUNTS)
        stop, own = maker.attributes["stop"], dict(maker.attributes)
        if step.op == "add":
            own |= {"start": start + by, "stop": stop + by}
        else:
            own |= {"start": start * by, "stop": stop * by, "step": pace * by}
        tree.turn(step, "arange", {}, **own)
        return


@rewrite("add")
def affine(step: Step, tree: Tree) -> None:
    """x @ w + b -> linear, where w and b are all that lies at their place."""
    if (found := _affine(step, tree)) is None:
        return
    product, kernel, bias = found
    pair = kernel.path, bias.path
    count = _affine_uses(tree)[pair]
    if any(tree.uses[path] != count for path in pair):
        return
    if tree.siblings[kernel.path[:-1]] != {*pair}:
        return
    step.slots = {"kernel": kernel, "bias": bias}
    step.scope = kernel.path[:-1]
    sizes = {"in_features": kernel.shape[0], "out_features": kernel.shape[1]}
    tree.turn(step, "linear", {"x": product.operands["a"]}, **sizes)


def _affine_uses(tree: Tree) -> Counter[tuple[Path, ...]]:
    """How often each pair of arrays is a linear map."""
    if "affine" not in tree.notes:
        adds = [_affine(step, tree) for step in tree.steps if step.op == "add"]
        pairs: list[Sequence[Value]] = [pair[1:] for pair in adds if pair]
        pairs += [[*s.slots.values()] for s in tree.steps if s.op == "linear"]
        tree.notes["affine"] = Counter(
            tuple(p.path for p in pair if isinstance(p, Param)) for pair in pairs
        )
    found: Counter[tuple[Path, ...]] = tree.notes["affine"]
    return found


def _affine(step: Step, tree: Tree) -> tuple[Step, Param, Param] | None:
    for x, b in (("a", "b"), ("b", "a")):
        product, bias = tree.lone(step.operands[x], "matmul"), step.operands[b]
        if product is None or not _is_trained(bias, 1):
            continue
        kernel, value = product.operands["b"], product.operands["a"]
        if not isinstance(value, Value) or not _is_trained(kernel, 2):
            continue
        if kernel.stacked != bias.stacked:
            continue
        if kernel.path[:-1] == bias.path[:-1] and bias.shape == kernel.shape[1:]:
            return product, kernel, bias
    return None


def _is_trained(value: Any, rank: int) -> bool:
    return (
        isinstance(value, Param)
        and (value.kind, value.moves) == ("param", ())
        and value.ndim == rank
    )


def _alike(a: Value, b: Value) -> bool:
    return a.dtype == b.dtype and same_shape(a, b)
