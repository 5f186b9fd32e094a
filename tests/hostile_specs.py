"""Small specs that ask for much: of loops in ops, sizes, solvers, copies, calls."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sample_specs import Data, function, spec

X: Data = {"x": {"shape": ["batch", 8], "dtype": "float"}}
HUGE = 2**30


def chain(*nodes: Data, inputs: Data = X, first: str = "x", **more: Any) -> Data:
    """Nodes one after another."""
    made: Data = {}
    for i, node in enumerate(nodes):
        made[f"n{i}"] = {**node, "x": first if i == 0 else f"n{i - 1}"}
    return spec(made, inputs=inputs, **more)


def _ops() -> Iterator[tuple[str, Data]]:
    for mode in ("constant", "reflect", "wrap"):
        for before in (10**6, HUGE, "$batch * 1000000"):
            pad = {"op": "pad", "pad_width": [[before, before]], "mode": mode}
            yield f"pad {mode} {before}", chain(pad)
    image: Data = {"x": {"shape": ["batch", "h", "w", 8], "dtype": "float"}}
    conv = {"op": "conv", "in_features": 8, "out_features": 8, "kernel_size": [3, 3]}
    for mode in ("zeros", "reflect", "circular"):
        for name, value in (
            ("padding", [[HUGE, HUGE], [HUGE, 0]]),
            ("dilation", HUGE),
        ):
            node = {**conv, "padding_mode": mode, name: value}
            node.setdefault("padding", "CAUSAL")
            yield f"conv {mode} {name}", chain(node, inputs=image)
    up = {**conv, "op": "conv_transpose"}
    for name in ("strides", "dilation", "output_padding"):
        yield f"conv_transpose {name}", chain({**up, name: HUGE}, inputs=image)
    images: list[Data] = [
        {"op": "max_pool", "window": [3, 3], "dilation": HUGE},
        {"op": "lp_pool", "window": [HUGE, 2], "dilation": [2, HUGE]},
        {"op": "im2col", "window": [HUGE, 1], "padding": "SAME"},
        {"op": "im2col", "window": ["$h * 1000000", 2], "padding": [[HUGE, 0]] * 2},
        {"op": "im2col", "window": [1] * 3000},
        {"op": "resize", "sizes": [HUGE, 1], "method": "nearest", "antialias": False},
        {"op": "resize", "sizes": ["$h * 1000000", 5], "method": "cubic_edge"}
        | {"antialias": False},
        {"op": "resize", "sizes": [2] * 3000, "method": "linear", "antialias": True},
        {"op": "local_response_norm", "size": HUGE},
        {"op": "depth_to_space", "block": [HUGE, 1], "order": "DCR"},
        {"op": "window_partition", "window": ["$h", "$w", 1, 1, 1, 1]},
    ]
    for node in images:
        yield f"{node['op']} {list(node.values())[1:]}"[:60], chain(node, inputs=image)
    for kind in ("max_pool", "avg_pool"):
        for ceil in (False, True):
            node = {"op": kind, "window": [HUGE, HUGE], "ceil_mode": ceil}
            node |= {"padding": [[HUGE - 1, 0], [0, HUGE - 1]], "strides": 1}
            yield f"{kind} {ceil}", chain(node, inputs=image)
    pools = [{"op": "adaptive_avg_pool", "sizes": [200 - i, 1 + i]} for i in range(3)]
    yield "adaptive pools", chain(*pools, inputs=image)
    for sizes in ([HUGE, 1], ["$h * 1000000", 1], [1024, 1024]):
        node = {"op": "adaptive_max_pool", "sizes": sizes}
        yield f"adaptive {sizes}", chain(node, inputs=image)
    yield "roll far", chain({"op": "roll", "shift": 2**62, "axis": 0})
    many = {"op": "roll", "shift": [1] * 1000, "axis": [0] * 1000}
    yield "roll often", chain(many)
    for kind, much in (
        ("tril", {"k": 2**62}),
        ("trace", {"offset": -(2**62)}),
        ("cummax", {"axis": 2**62}),
        ("diff", {"n": "$batch * 1000000"}),
        ("matrix_power", {"n": "$-(batch * 1000000)"}),
        ("multigammaln", {"d": "$batch * 1000000"}),
        ("histogram", {"bins": 2**24, "low": 0.0, "high": 1e-9}),
        ("nanvar", {"ddof": 2**62}),
        ("quantile", {"q": 0.5, "axis": HUGE}),
    ):
        yield kind, chain({"op": kind, **much})
    wide: Data = {"x": {"shape": ["batch", 257], "dtype": "float"}}
    divided = {"op": "polydiv", "u": "x", "v": "x"}
    yield "polydiv", spec({"n": divided}, {"y": "n.quotient"}, inputs=wide)
    wide = {"x": {"shape": ["batch", 2**30], "dtype": "float"}}
    yield "roots", spec({"n": {"op": "roots", "p": "x"}}, inputs=wide)
    yield "tile", chain({"op": "tile", "reps": [2**31]})
    yield "tile ranks", chain({"op": "tile", "reps": [1] * 3000})
    yield "repeat", chain({"op": "repeat_elements", "repeats": 2**31, "axis": 0})
    repeats = {"op": "repeat_elements", "repeats": "$batch * 100000000", "axis": 0}
    yield "repeat dims", chain(repeats)
    yield "tiles of tiles", chain(*[{"op": "tile", "reps": [2**20]}] * 60)
    yield "many ranks", chain(*[{"op": "expand_dims", "axis": 0}] * 2000)
    names = [f"p{i}" for i in range(4000)]
    node = {"op": "split", "x": "x", "names": names, "axis": 1}
    made = spec(
        {"n": node, "y": {"op": "relu", "x": "n.p0"}},
        inputs={"x": {"shape": ["batch", 4000], "dtype": "float"}},
    )
    yield "many parts", made
    halves = [{"op": "max_pool", "window": [2], "padding": "SAME"}] * 60
    seq: Data = {"x": {"shape": ["batch", "seq", 8], "dtype": "float"}}
    yield "halves of halves", chain(*halves, inputs=seq)


def _transforms() -> Iterator[tuple[str, Data]]:
    for n in (HUGE, 2**40, "$batch * 1000000000"):
        yield f"fft {n}", chain({"op": "fft", "n": n, "norm": "ortho"})
    yield "irfft2", chain({"op": "irfft2", "s": [2**20, 2**20]})
    yield "fftn", chain({"op": "fftn", "axis": [0] * 3000})
    ranks = [{"op": "expand_dims", "axis": 0}] * 25
    yield "rfftn", chain(*ranks, {"op": "rfftn", "axis": [*range(27)]})
    yield "shifts", chain({"op": "fftshift", "axis": [*range(3000)]})
    for name, more in (
        ("n_fft", {"n_fft": HUGE, "hop": 1}),
        ("dims", {"n_fft": "$batch * 1000000000", "hop": "$batch"}),
        ("reflect", {"n_fft": 2**20, "hop": 1}),
        ("edge", {"n_fft": 2**20, "hop": 2**62, "pad_mode": "edge"}),
    ):
        window = {"op": "hanning", "size": 8, "periodic": True}
        node = {"op": "stft", "x": "x", "window": "w", **more}
        yield f"stft {name}", spec({"w": window, "n": node}, inputs=X)
    length = {"op": "istft", "x": "x", "window": "w", "n_fft": 14, "hop": HUGE}
    nodes = {"w": window, "n": {**length, "length": 2**40}}
    yield "istft length", spec(nodes, inputs=X)
    yield "istft hop", spec({"w": window, "n": length}, inputs=X)


def _sizes() -> Iterator[tuple[str, Data]]:
    letters = "abcdefgh"
    vectors = {d: {"shape": [d], "dtype": "float"} for d in letters}
    total = "+".join(letters)
    power = "*".join([f"({total})"] * 14)
    big = {"shape": [f"${power}"], "dtype": "float"}
    relu = {"n": {"op": "relu", "x": "x"}}
    yield "product of sums", spec(relu, inputs={**vectors, "x": big})
    zeros = {"n": {"op": "zeros", "shape": [f"${power}"], "dtype": "float"}}
    yield "product in an attribute", spec(zeros, inputs=vectors)
    dims = {f"x{i}": {"shape": [f"d{i}"], "dtype": "float"} for i in range(300)}
    joined = {"n": {"op": "concatenate", "xs": list(dims), "axis": 0}}
    joined["y"] = {"op": "reshape", "x": "n", "shape": [1, -1]}
    yield "a sum of many dims", spec(joined, inputs=dims)
    pairs: Data = {"n0": {"op": "concatenate", "xs": ["x0", "x1"], "axis": 0}}
    for i in range(1, 200):
        xs = [f"n{i - 1}", f"x{i + 1}"]
        pairs[f"n{i}"] = {"op": "concatenate", "xs": xs, "axis": 0}
    yield "sums of sums", spec(pairs, inputs=dims)
    box: Data = {"x": {"shape": list("abcdefghijklmnopqrstuvwxyz"), "dtype": "float"}}
    flat = [{"op": "flatten", "start": 0}, {"op": "expand_dims", "axis": 0}]
    yield "a product of many dims", chain(*flat, inputs=box)
    doubled: Data = {"n0": {"op": "concatenate", "xs": ["x", "x"], "axis": 0}}
    for i in range(1, 400):
        xs = [f"n{i - 1}"] * 2
        doubled[f"n{i}"] = {"op": "concatenate", "xs": xs, "axis": 0}
    yield "doubled and doubled", spec(doubled, inputs=X)
    seq: Data = {"x": {"shape": ["batch", "seq"], "dtype": "float"}}
    nodes: list[Data] = [
        {"op": "reshape", "shape": [f"$batch * {i} // {i}", f"$(seq + {i}) - {i}"]}
        for i in range(1, 200)
    ]
    yield "many expressions", chain(*nodes, inputs=seq)
    nodes = [{"op": "linear", "in_features": i, "out_features": 8} for i in range(300)]
    yield "many faults", chain(*nodes[9:])
    nodes = [{"op": "pad", "pad_width": [[0, i]]} for i in range(1, 300)]
    yield "many shapes", chain(*nodes)
    deep = "(" * 120 + "seq" + ")" * 120
    yield (
        "nested",
        chain({"op": "reshape", "shape": ["$batch", f"${deep}"]}, inputs=seq),
    )
    halves = "//2" * 80
    node = {"op": "zeros", "shape": [f"$seq{halves}"], "dtype": "float"}
    yield "divided and divided", spec({"n": node}, inputs=seq)
    rest = "seq"
    for i in range(2, 6):
        rest = f"min(({rest}+batch)%(batch+{i}),({rest})*2//{i})"
        node = {"op": "zeros", "shape": [f"${rest}"], "dtype": "float"}
        if len(rest) <= 255:
            yield f"choices {i} deep", spec({"n": node}, inputs=seq)
    nodes = [
        {"op": "reshape", "shape": ["$min(batch + 1, batch)", "$seq % (seq + 1)"]},
        {"op": "reshape", "shape": ["$max(batch, batch - 1)", "$seq % (2 * seq)"]},
    ]
    yield "choices of choices", chain(*nodes * 60, inputs=seq)
    for name, power in (
        ("power", "$seq ** 1000000000"),
        ("power of powers", "$((seq ** 60) ** 60) ** 60"),
        ("power of a sum", "$(seq + batch + 1) ** 60"),
        ("power of a dim", "$2 ** (seq * 1000000000)"),
    ):
        node = {"op": "zeros", "shape": [power], "dtype": "float"}
        yield name, spec({"n": node}, inputs=seq)


def _constraints() -> Iterator[tuple[str, Data]]:
    inputs = {f"x{i}": {"shape": [f"d{i}"], "dtype": "float"} for i in range(40)}
    nodes = {"n": {"op": "add", "a": "x0", "b": "x1"}}

    def related(*constraints: str, **more: Any) -> Data:
        return spec(nodes, inputs=inputs, constraints=list(constraints), **more)

    yield "bounds", related(*(f"d{i % 8} + {i} >= 1" for i in range(1000)))
    yield (
        "relations",
        related(*(f"d{i % 40} * {i} >= d{(i * 7 + 1) % 40}" for i in range(1, 300))),
    )
    yield "no sizes", related(*(f"d{i} * d{i + 1} == 1000003" for i in range(39)))
    yield "equal", related(*(f"d{i} == d{i + 1}" for i in range(39)))
    yield "below each other", related(*(f"d{i} < d{i + 1}" for i in range(39)))
    yield "in a circle", related(*(f"d{i} < d{(i + 1) % 40}" for i in range(40)))
    dims = {
        f"d{i}": {"min": i + 1, "max": 10**9, "multiple_of": i + 1} for i in range(40)
    }
    yield "multiples", related(dims=dims)


def _calls() -> Iterator[tuple[str, Data]]:
    linear = {"op": "linear", "x": "x", "in_features": 8, "out_features": 8}
    step = {"op": "repeat", "function": "f", "count": 50_000, "scan": False}
    step |= {"carry": {"x": "x"}}
    bodies: dict[str, Data] = {
        "alike": {"l": linear},
        "turning": {"l": {"op": "swapaxes", "x": "x", "axis1": 0, "axis2": 1}},
        "growing": {"l": {"op": "pad", "x": "x", "pad_width": [[0, 1]]}},
    }
    for name, nodes in bodies.items():
        f = function(nodes, {"x": "l"})
        yield f"copies {name}", spec({"a": step}, functions={"f": f})
    f = function({"l": {"op": "add", "a": "x", "b": "i"}}, {"x": "l"})
    f["inputs"] = {"x": {}, "i": {}}
    yield "copies counted", spec({"a": step | {"index": "i"}}, functions={"f": f})
    xs = {"i": [i + 0.5 for i in range(20_000)]}
    node = step | {"count": 20_000, "xs": xs}
    yield "copies of numbers", spec({"a": node}, functions={"f": f})
    own = X | {"k": {**X["x"], "copies": 20_000}}
    node = step | {"count": 20_000, "xs": {"i": "k"}, "listed": ["seen"]}
    f = {**f, "outputs": {"x": "l", "seen": "l"}}
    outputs = {"x": "a.x", "k": {"value": "a.seen", "next": "k"}}
    yield "copies of a list", spec({"a": node}, outputs, inputs=own, functions={"f": f})
    f = function({"l": linear}, {"x": "l"})
    shared = spec({"a": step | {"shared": True}}, functions={"f": f})
    yield "copies that share", shared
    functions: Data = {}
    for i in range(60):
        xs_ = ["x", "x"]
        join = {"op": "concatenate", "xs": xs_, "axis": 0}
        nodes = {"j": join}
        if i:
            below: Data = {"op": "call", "function": f"f{i - 1}"}
            nodes["a"] = below | {"inputs": {"x": "x"}}
            nodes["b"] = below | {"inputs": {"x": "j"}}
        functions[f"f{i}"] = function(nodes, {"y": "b" if i else "j"})
    for depth in (12, 59):
        call: Data = {"op": "call", "function": f"f{depth}", "inputs": {"x": "x"}}
        own = {f"f{i}": functions[f"f{i}"] for i in range(depth + 1)}
        yield f"calls {depth} deep", spec({"a": call}, functions=own)
    f = function({"l": {"op": "relu", "x": "x"}}, {"y": "l"})
    options = {f"o{i}": {"optional": True} for i in range(2000)}
    f["inputs"] = {"x": {}, **options}
    calls: Data = {}
    for i in range(1000):
        before = f"c{i - 1}" if i else "x"
        calls[f"c{i}"] = {"op": "call", "function": "f", "inputs": {"x": before}}
    yield "options", spec(calls, functions={"f": f})
    body = function({"l": {"op": "add", "a": "x", "b": 1.5}}, {"x": "l"})
    loops: Data = {"f0": body}
    for i in range(1, 50):
        nodes = {"s": {"op": "scan", "function": f"f{i - 1}", "carry": {"x": "x"}}}
        nodes["s"] |= {"length": 2}
        loops[f"f{i}"] = function(nodes, {"x": "s"})
    scan = {"op": "scan", "function": "f49", "carry": {"x": 1}, "length": 2}
    yield (
        "loops in loops",
        spec({"a": scan, "n": {"op": "add", "a": "x", "b": "a"}}, functions=loops),
    )


def _literals() -> Iterator[tuple[str, Data]]:
    """Infinite numbers, and lists of parameters with parts far away."""
    for text in ("$inf", "$-inf", "$nan"):
        nodes: list[Data] = [
            {"op": "pad", "pad_width": [[10**6, 0]], "constant_values": text},
            {"op": "clip", "min": text, "max": text},
            {"op": "astype", "dtype": "int32"},
            {"op": "full_like", "fill_value": text},
        ]
        yield f"literals {text}", chain(*nodes)
        nodes = [{"op": "clip", "min": text}] * 2000
        yield f"many {text}", chain(*nodes)
    linear = {"op": "linear", "in_features": 8, "out_features": 8}
    yield "part far away", chain({**linear, "params": "layers.999999999"})
    parts = [{**linear, "params": f"layers.{i}.rows.{i % 7}"} for i in range(700)]
    yield "lists with gaps", chain(*parts)
    yield "deep lists", chain({**linear, "params": "a" + ".0" * 31})
    parts = [{**linear, "params": f"layers.{i}"} for i in range(2000)]
    yield "many parts", chain(*parts)


SPECS: dict[str, Data] = {
    **dict(_ops()),
    **dict(_transforms()),
    **dict(_sizes()),
    **dict(_constraints()),
    **dict(_calls()),
    **dict(_literals()),
}
"""By what each asks for."""
