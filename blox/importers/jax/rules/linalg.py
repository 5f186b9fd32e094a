"""Factors of matrices, and systems with triangular ones."""

from __future__ import annotations

from ...trace import Step, Value
from ...views import View
from ..context import Missing
from ..internals import JaxprEqn
from ..lower import Lowering, output_of, rule


@rule("cholesky")
def cholesky(lower: Lowering, equation: JaxprEqn) -> View:
    shape, dtype = output_of(equation)
    x = whole(lower, lower.read(equation.invars[0]), below=True)
    return lower.emit("cholesky", {"x": x}, {}, shape, dtype)


@rule("eigh")
def eigh(lower: Lowering, equation: JaxprEqn) -> list[View]:
    params = equation.params
    if params.get("subset_by_index") or not params.get("sort_eigenvalues", True):
        raise Missing("eigh: of some eigenvalues, or in no order")
    vectors, values = output_of(equation, 0), output_of(equation, 1)
    x = whole(lower, lower.read(equation.invars[0]), below=bool(params["lower"]))
    outputs = [("eigenvalues", *values), ("eigenvectors", *vectors)]
    return lower.emit_several("eigh", {"x": x}, {}, outputs)[::-1]


def whole(lower: Lowering, x: View, *, below: bool) -> View:
    """A symmetric matrix of which a primitive reads one half. The op takes the mean of
    both, so what is such a mean already is given to it without."""
    if (mean := halves_of(lower, x)) is not None:
        return mean
    half, rest = ("tril", -1) if below else ("triu", 1)
    array = lower.array(x)
    kept = lower.emit(half, {"x": array}, {}, x.shape, x.dtype)
    strict = lower.emit(half, {"x": array}, {"k": rest}, x.shape, x.dtype)
    axes = [*range(x.ndim - 2), x.ndim - 1, x.ndim - 2]
    mirrored = strict.transpose(axes)
    if x.dtype.startswith("complex"):
        mirrored = lower.elementwise("conj", {"x": mirrored}, x.shape, x.dtype)
    operands = {"a": kept, "b": mirrored}
    return lower.elementwise("add", operands, x.shape, x.dtype)


def halves_of(lower: Lowering, x: View) -> View | None:
    """The matrix whose mean with its transpose x is."""
    half = _step(lower, x.source, "divide") if x.is_plain else None
    total = None if half is None else _step(lower, half.operands["a"], "add")
    if half is None or total is None or half.operands["b"] != 2:
        return None
    for one, other in ("ab", "ba"):
        turned = _step(lower, total.operands[other], "swapaxes")
        last = turned is not None and set(turned.attributes.values()) == {-1, -2}
        if turned and last and turned.operands["x"] is total.operands[one]:
            return View.of(total.operands[one])
    return None


def _step(lower: Lowering, value: object, op: str) -> Step | None:
    """The step of an op that gives a value."""
    for item in reversed(lower.items):
        if isinstance(item, Step) and any(o is value for o in item.outputs):
            return item if item.op == op and isinstance(value, Value) else None
    return None


@rule("qr")
def qr(lower: Lowering, equation: JaxprEqn) -> list[View]:
    if equation.params.get("pivoting"):
        raise Missing("qr: with pivots")
    x = lower.read(equation.invars[0])
    outputs = [("q", *output_of(equation, 0)), ("r", *output_of(equation, 1))]
    mode = "complete" if equation.params["full_matrices"] else "reduced"
    return lower.emit_several("qr", {"x": x}, {"mode": mode}, outputs)


@rule("svd")
def svd(lower: Lowering, equation: JaxprEqn) -> list[View]:
    params = equation.params
    if params.get("subset_by_index"):
        raise Missing("svd: of some singular values")
    x = lower.read(equation.invars[0])
    values = output_of(equation)
    if not params["compute_uv"]:
        return [lower.emit("svdvals", {"x": x}, {}, *values)]
    u, vh = output_of(equation, 1), output_of(equation, 2)
    outputs = [("u", *u), ("s", *values), ("vh", *vh)]
    attributes = {"full_matrices": bool(params["full_matrices"])}
    made = lower.emit_several("svd", {"x": x}, attributes, outputs)
    return [made[1], made[0], made[2]]


@rule("eig")
def eig(lower: Lowering, equation: JaxprEqn) -> list[View]:
    params = equation.params
    if params["compute_left_eigenvectors"]:
        raise Missing("eig: eigenvectors of the left")
    x = lower.read(equation.invars[0])
    if not params["compute_right_eigenvectors"]:
        return [lower.emit("eigvals", {"x": x}, {}, *output_of(equation))]
    names = ("eigenvalues", "eigenvectors")
    outputs = [(n, *output_of(equation, i)) for i, n in enumerate(names)]
    return lower.emit_several("eig", {"x": x}, {}, outputs)


@rule("triangular_solve")
def triangular_solve(lower: Lowering, equation: JaxprEqn) -> View:
    """a @ x = b; or x @ a = b, which is a.T @ x.T = b.T."""
    _, dtype = output_of(equation)
    params = equation.params
    a, b = map(lower.read, equation.invars)
    if params["conjugate_a"] and dtype.startswith("complex"):
        a = lower.elementwise("conj", {"x": a}, a.shape, dtype)
    left = bool(params["left_side"])
    turn = [*range(b.ndim - 2), b.ndim - 1, b.ndim - 2]
    attributes = {
        "lower": bool(params["lower"]),
        "transpose": bool(params["transpose_a"]) == left,
        "unit_diagonal": bool(params["unit_diagonal"]),
    }
    given = b if left else b.transpose(turn)
    operands = {"a": a, "b": given}
    solved = lower.emit("solve_triangular", operands, attributes, given.shape, dtype)
    return solved if left else solved.transpose(turn)


@rule("lu")
def lu(lower: Lowering, equation: JaxprEqn) -> list[View | Missing]:
    """Both factors in one matrix, and the order of rows; the diagonal of the first is 1."""
    (shape, dtype), _, order = (output_of(equation, i) for i in range(3))
    *batch, rows, columns = shape
    x = lower.read(equation.invars[0])
    if not isinstance(rows, int) or not isinstance(columns, int):
        raise Missing("lu: of a matrix whose sizes are symbols")
    least = min(rows, columns)
    sizes = {"p": (rows, rows), "l": (rows, least), "u": (least, columns)}
    outputs = [(name, (*batch, *size), dtype) for name, size in sizes.items()]
    p, left, right = lower.emit_several("lu", {"x": x}, {}, outputs)
    below = lower.emit("tril", {"x": left}, {"k": -1}, left.shape, dtype)
    around = [[0, 0]] * len(batch)
    if columns > least:
        width = {"pad_width": [*around, [0, 0], [0, columns - least]]}
        below = lower.emit("pad", {"x": below}, width, shape, dtype)
    if rows > least:
        width = {"pad_width": [*around, [0, rows - least], [0, 0]]}
        right = lower.emit("pad", {"x": right}, width, shape, dtype)
    both = lower.elementwise("add", {"a": below, "b": right}, shape, dtype)
    places = lower.emit("argmax", {"x": p}, {"axis": -2}, order[0], order[1])
    return [both, Missing("lu: the swaps of rows, one by one"), places]
