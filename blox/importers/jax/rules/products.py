"""Products of matrices and tensors."""

from __future__ import annotations

from ...trace import Param
from ...views import View, same
from ..internals import JaxprEqn
from ..lower import Lowering, output_of, rule


@rule("dot_general")
def dot_general(lower: Lowering, equation: JaxprEqn) -> View:
    shape, dtype = output_of(equation)
    a, b = map(lower.read, equation.invars)
    contract, batch = equation.params["dimension_numbers"]
    (ca, cb), (ba, bb) = (
        tuple(tuple(int(i) for i in side) for side in pair)
        for pair in (contract, batch)
    )
    if not ba and b.ndim == 2 and ca == (a.ndim - 1,):
        if (head := _head(lower, a, b, cb[0], shape, dtype)) is not None:
            return head
        if cb == (0,):
            return lower.emit("matmul", {"a": a, "b": b}, {}, shape, dtype)
    stacked = ba == bb == tuple(range(len(ba))) and a.ndim == b.ndim == len(ba) + 2
    plain = stacked and a.is_plain and b.is_plain
    if plain and ca == (a.ndim - 1,) and cb == (b.ndim - 2,):
        return lower.emit("matmul", {"a": a, "b": b}, {}, shape, dtype)
    letters = iter("bnijklmopqrstuvwxyz")
    summed = iter("cdefgh")
    of_a: dict[int, str] = {}
    of_b: dict[int, str] = {}
    for i, j in zip(ba, bb, strict=True):
        of_a[i] = of_b[j] = next(letters)
    for i, j in zip(ca, cb, strict=True):
        of_a[i] = of_b[j] = next(summed)
    free_a = [i for i in range(a.ndim) if i not in of_a]
    free_b = [i for i in range(b.ndim) if i not in of_b]
    of_a |= {i: next(letters) for i in free_a}
    of_b |= {i: next(letters) for i in free_b}
    left, a_given = _lettered(lower, a, of_a)
    right, b_given = _lettered(lower, b, of_b)
    out = "".join(
        [*(of_a[i] for i in ba), *(of_a[i] for i in free_a), *(of_b[i] for i in free_b)]
    )
    return lower.emit(
        "einsum",
        {"xs": [a_given, b_given]},
        {"equation": f"{left},{right}->{out}"},
        shape,
        dtype,
    )


def _lettered(lower: Lowering, x: View, letters: dict[int, str]) -> tuple[str, View]:
    """The letters of the axes of the array that x is made of: an einsum transposes."""
    if not x.is_arranged or len(x.axes) != len(getattr(x.source, "shape", ())):
        x = View.of(lower.array(x))
    order = sorted(range(x.ndim), key=lambda i: x.axes[i] or 0)
    return "".join(letters[i] for i in order), View.of(x.source)  # type: ignore[arg-type]


def _head(
    lower: Lowering, a: View, b: View, contracted: int, shape: object, dtype: str
) -> View | None:
    """The product with the table of an embedding, transposed."""
    slot = lower.slot(b.transpose([1 - contracted, contracted]))
    if (
        not isinstance(slot, Param)
        or slot.moves
        or slot.path not in lower.context.embedded
    ):
        return None
    assert same(slot.shape[1], a.shape[-1])
    attributes = {"num_embeddings": slot.shape[0], "features": slot.shape[1]}
    return lower.emit(
        "unembed",
        {"x": a},
        attributes,
        shape,  # type: ignore[arg-type]
        dtype,
        slots={"embedding": slot},
        scope=slot.path[:-1],
    )
