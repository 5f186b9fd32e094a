"""Products of matrices and tensors."""

from __future__ import annotations

from collections.abc import Sequence
from string import ascii_lowercase

from ...trace import Param, Size, Value
from ...views import View, same
from ..context import Missing
from ..internals import JaxprEqn
from ..lower import Lowering, output_of, rule
from ..numbers import said_dtype

BATCH, SUMMED = "bhgnm", "dcefv"
FIRST = "btsuac"
"""Letters of what is multiplied, but for the last axis, where nothing is a batch."""
LEFT, RIGHT = "qijlp", "khomnr"


@rule("dot_general")
def dot_general(lower: Lowering, equation: JaxprEqn) -> View:
    shape, dtype = output_of(equation)
    a, b = (_cast(lower, lower.read(v), dtype) for v in equation.invars)
    contract, batch = equation.params["dimension_numbers"]
    (ca, cb), (ba, bb) = (
        tuple(tuple(int(i) for i in side) for side in pair)
        for pair in (contract, batch)
    )
    last = not ba and ca == (a.ndim - 1,)
    head = _head(lower, a, b, cb[0], shape, dtype) if last and b.ndim == 2 else None
    if head is not None:
        return head
    a, b = lower.current(a), lower.current(b)
    straight = _is_straight(lower, a) and _is_straight(lower, b)
    if last and cb == (0,) and b.ndim <= 2 and straight:
        return lower.emit("matmul", {"a": a, "b": b}, {}, shape, dtype)
    a, b = lower.arranged(a), lower.arranged(b)
    stacked = ba == bb == tuple(range(len(ba))) and a.ndim == b.ndim == len(ba) + 2
    plain = stacked and a.is_plain and b.is_plain
    if plain and ca == (a.ndim - 1,) and cb == (b.ndim - 2,):
        return lower.emit("matmul", {"a": a, "b": b}, {}, shape, dtype)
    of_a, of_b = _letters(a.ndim, b.ndim, (ca, cb), (ba, bb))
    out = [of_a[i] for i in ba]
    out += [of_a[i] for i in range(a.ndim) if i not in (*ba, *ca)]
    out += [of_b[i] for i in range(b.ndim) if i not in (*bb, *cb)]
    return _einsum(lower, (a, b), (of_a, of_b), out, shape, dtype)


def _is_straight(lower: Lowering, x: View) -> bool:
    """True where the array of a View costs nothing, or an einsum could not spare it."""
    source = x.source
    return (
        x.is_plain
        or isinstance(source, Param)
        or not x.is_arranged
        or (
            isinstance(source, Value)
            and source in lower.again
            and not lower.used[source]
        )
    )


def _cast(lower: Lowering, x: View, dtype: str) -> View:
    """What is added up in another dtype is that before it is multiplied."""
    if x.dtype == dtype:
        return x
    return lower.elementwise(
        "astype", {"x": x}, x.shape, dtype, {"dtype": said_dtype(dtype)}
    )


Pair = tuple[tuple[int, ...], tuple[int, ...]]


def _letters(
    rank_a: int, rank_b: int, contract: Pair, batch: Pair
) -> tuple[dict[int, str], dict[int, str]]:
    """A letter for each axis of both: `bhqd,bhkd` for attention, `btd,dk` for a map."""
    used: set[str] = set()

    def fresh(wanted: str) -> str:
        letter = next(x for x in wanted + ascii_lowercase if x not in used)
        used.add(letter)
        return letter

    of_a: dict[int, str] = {}
    of_b: dict[int, str] = {}
    for i, j in zip(*batch, strict=True):
        of_a[i] = of_b[j] = fresh(BATCH)
    summed = dict(zip(*contract, strict=True))
    for i in range(rank_a):
        if i not in of_a:
            last = i == rank_a - 1 or (batch[0] and i in summed)
            of_a[i] = fresh(SUMMED if last else LEFT if batch[0] else FIRST)
        if i in summed:
            of_b[summed[i]] = of_a[i]
    free = rank_b - len(of_b)
    for i in range(rank_b):
        if i not in of_b:
            of_b[i] = fresh(RIGHT if free == 1 else RIGHT[1:])
    return of_a, of_b


def _einsum(
    lower: Lowering,
    views: tuple[View, View],
    letters: tuple[dict[int, str], dict[int, str]],
    out: Sequence[str],
    shape: Sequence[Size],
    dtype: str,
) -> View:
    """An einsum, which transposes what it takes, and gives any order of axes."""
    given: list[Value] = []
    texts: list[str] = []
    for x, of in zip(views, letters, strict=True):
        assert isinstance(x.source, Value)
        order = sorted(range(x.ndim), key=lambda i, x=x: x.axes[i])  # type: ignore[misc]
        texts.append("".join(of[i] for i in order))
        given.append(x.source)

    def written(order: Sequence[int]) -> View:
        said = "".join(out[i] for i in order)
        attributes = {"equation": f"{','.join(texts)}->{said}"}
        sizes = [shape[i] for i in order]
        return lower.emit("einsum", {"xs": given}, attributes, sizes, dtype)

    def again(axes: Sequence[int | None]) -> View | None:
        own = [a for a in axes if a is not None]
        if len(own) != len(out) or own == list(range(len(out))):
            return None
        made = written(own)
        places = tuple(None if a is None else own.index(a) for a in axes)
        sizes = tuple(1 if a is None else shape[a] for a in axes)
        return View(made.source, places, sizes, dtype)

    made = written(range(len(out)))
    assert isinstance(made.source, Value)
    lower.again[made.source] = again
    return made


def _head(
    lower: Lowering,
    a: View,
    b: View,
    contracted: int,
    shape: Sequence[Size],
    dtype: str,
) -> View | None:
    """The product with the table of an embedding, transposed."""
    if not isinstance(b.source, Param) or b.source.path not in lower.context.embedded:
        return None
    slot = lower.slot(b.transpose([1 - contracted, contracted]))
    if not isinstance(slot, Param) or slot.moves:
        return None
    assert same(slot.shape[1], a.shape[-1])
    attributes = {"num_embeddings": slot.shape[0], "features": slot.shape[1]}
    return lower.emit(
        "unembed",
        {"x": a},
        attributes,
        shape,
        dtype,
        slots={"embedding": slot},
        scope=slot.path[:-1],
    )


@rule("ragged_dot_general")
def ragged_dot_general(lower: Lowering, equation: JaxprEqn) -> View:
    shape, dtype = output_of(equation)
    lhs, rhs, sizes = map(lower.read, equation.invars)
    numbers = equation.params["ragged_dot_dimension_numbers"]
    (contract, batch) = numbers.dot_dimension_numbers
    said = (*map(tuple, contract), *map(tuple, batch))
    usual = said == ((1,), (1,), (), ()) and (lhs.ndim, rhs.ndim, sizes.ndim) == (
        2,
        3,
        1,
    )
    rows = tuple(numbers.lhs_ragged_dimensions) == (0,)
    groups = tuple(numbers.rhs_group_dimensions) == (0,)
    offset = equation.params["group_offset"]
    if not (usual and rows and groups and offset is None):
        raise Missing("ragged_dot: of other axes than (rows, k), (groups, k, n)")
    operands = {
        "lhs": _cast(lower, lhs, dtype),
        "rhs": _cast(lower, rhs, dtype),
        "group_sizes": sizes,
    }
    attributes = {"method": "ragged_dot"}
    return lower.emit("ragged_dot", operands, attributes, shape, dtype)
