"""A bias that is added to what a convolution gives is one of its arrays."""

from __future__ import annotations

from collections import Counter

from .simplify import Tree, rewrite
from .trace import Param, Path, Step, Value
from .views import same_shape

CONVOLUTIONS = ("conv", "conv_transpose")


@rewrite("add")
def biased(step: Step, tree: Tree) -> None:
    """conv(x, kernel) + bias -> conv(x, kernel, bias), where both are all that lies at
    their place."""
    if (found := _biased(step, tree)) is None:
        return
    conv, kernel, bias = found
    pair = kernel.path, bias.path
    count = _pairs(tree)[pair]
    if any(tree.uses[path] != count for path in pair):
        return
    if tree.siblings[kernel.path[:-1]] != {*pair}:
        return
    step.slots = {"kernel": kernel, "bias": bias}
    step.scope, step.hint = conv.scope, conv.hint
    attributes = {n: a for n, a in conv.attributes.items() if n != "use_bias"}
    tree.turn(step, conv.op, dict(conv.operands), **attributes)


def _pairs(tree: Tree) -> Counter[tuple[Path, ...]]:
    """How often each kernel is used with each bias."""
    if "biased" not in tree.notes:
        adds = [_biased(step, tree) for step in tree.steps if step.op == "add"]
        pairs: list[list[Value]] = [[*found[1:]] for found in adds if found]
        pairs += [[*s.slots.values()] for s in tree.steps if s.op in CONVOLUTIONS]
        tree.notes["biased"] = Counter(
            tuple(p.path for p in pair if isinstance(p, Param)) for pair in pairs
        )
    found: Counter[tuple[Path, ...]] = tree.notes["biased"]
    return found


def _biased(step: Step, tree: Tree) -> tuple[Step, Param, Param] | None:
    """A convolution without a bias, its kernel, and what is added to it alone."""
    for x, b in (("a", "b"), ("b", "a")):
        conv, bias = (
            tree.lone(step.operands.get(x), *CONVOLUTIONS),
            step.operands.get(b),
        )
        if conv is None or not isinstance(bias, Param) or bias.ndim != 1:
            continue
        kernel = conv.slots.get("kernel")
        if (
            not isinstance(kernel, Param)
            or conv.attributes.get("use_bias") is not False
        ):
            continue
        kinds = [(p.kind, p.stacked, p.dtype) for p in (kernel, bias)]
        own = kernel.path[:-1] == bias.path[:-1] == conv.scope
        sized = bias.shape == (conv.attributes["out_features"],)
        kept = same_shape(conv.outputs[0], step.outputs[0])
        if own and sized and kept and not bias.moves and kinds[0] == kinds[1]:
            return conv, kernel, bias
    return None
