"""The nodes of random Graphs that call no function, and what draws them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any, TypeVar

T = TypeVar("T")
Data = dict[str, Any]
WIDTH, ROWS = 4, 3
NAMES = [
    *("x", "y", "z", "h", "a", "b", "out", "outputs", "new", "layer", "i", "xs"),
    *("carry", "key", "body", "lane", "new_state", "h_step", "h_x", "relu", "linear"),
    *("add", "merge", "jnp", "state", "sum", "max", "params", "path", "shape", "f"),
    *("g", "h_then", "train", "y_0"),
]
FUNCTIONS = [
    *("f", "g", "layer", "step", "out", "new", "x", "i", "xs", "path", "flat", "tree"),
    *("block_x", "lane", "h_step"),
]
TYPES: dict[str, Data] = {
    "key": {"dtype": "key", "optional": True},
    "v?": {"optional": True},
}
UNARY: list[Data] = [
    {"op": "relu"},
    {"op": "tanh"},
    {"op": "negative"},
    {"op": "square"},
    {"op": "gelu", "approximate": True},
    {"op": "softmax"},
    {"op": "cumsum", "axis": -1},
    {"op": "index", "at": "..., ::-1"},
    {"op": "astype", "dtype": "float"},
    {"op": "linear", "in_features": WIDTH, "out_features": WIDTH},
    {"op": "linear", "in_features": "$width", "out_features": 4, "use_bias": False},
    {"op": "layer_norm", "features": WIDTH, "eps": 1e-5},
    {"op": "layer_norm", "features": WIDTH, "use_scale": False, "use_bias": False},
    {"op": "batch_norm", "features": WIDTH},
]
PLAIN = 9
"""The first ones of `UNARY` own no arrays."""
BINARY = ("add", "subtract", "multiply", "divide", "maximum", "minimum")


class Writer:
    """Draws the functions of one Graph."""

    def __init__(self, seed: int, body: type[Nodes]) -> None:
        self.body = body
        self.random = Random(seed)
        self.functions: dict[str, Data] = {}
        self.signatures: dict[str, tuple[Any, ...]] = {}
        self.budget = 14

    def pick(self, items: Sequence[T]) -> T:
        return self.random.choice(items)

    def chance(self, one_in: int) -> bool:
        return self.random.randrange(one_in) == 0

    def unused(self, names: list[str], taken: Any) -> str:
        free = [n for n in names if n not in taken]
        return self.pick(free) if free else f"n{len(taken)}"

    def function(
        self, inputs: dict[str, str], outputs: dict[str, str], depth: int, plain: bool
    ) -> tuple[str, list[str]]:
        """A function of these kinds, an old one or a new one, and its attributes."""
        signature = (tuple(inputs.items()), tuple(outputs.items()), depth, plain)
        old = [n for n, s in self.signatures.items() if s == signature]
        if old and self.chance(2):
            name = self.pick(old)
            return name, self.functions[name].get("attributes", [])
        name = self.unused(FUNCTIONS, {*self.functions, "model"})
        attributes = ["gain"] if "gain" not in inputs and self.chance(3) else []
        self.functions[name] = {}  # the name is taken
        body = self.body(self, inputs, attributes, depth, plain)
        self.functions[name] = body.write(outputs)
        self.signatures[name] = signature
        return name, attributes


class Nodes:
    """Draws the nodes of one function, but for calls."""

    second = False
    """True where another entry has arrays beside these."""

    def __init__(
        self,
        writer: Writer,
        inputs: dict[str, str],
        attributes: list[str],
        depth: int,
        plain: bool,
    ) -> None:
        self.writer = writer
        self.pick, self.chance = writer.pick, writer.chance
        self.inputs, self.attributes = inputs, attributes
        self.depth, self.plain = depth, plain
        self.nodes: Data = {}
        self.values: dict[str, list[str]] = {"x": [], "s": [], "v": [], "key": []}
        self.linear: list[str] = []
        for name, kind in inputs.items():
            self.values[kind.removesuffix("?")].append(name)
        if "v?" in inputs.values():
            maybe = next(n for n, k in inputs.items() if k == "v?")
            self.values["v"].remove(maybe)
            self.node({"op": "default", "x": maybe, "default": 1.5}, "v")

    def write(self, outputs: dict[str, str]) -> Data:
        for _ in range(self.writer.random.randint(1, 5)):
            self.step()
        given: Data = {n: self.value(kind) for n, kind in outputs.items()}
        for name in given if self.chance(4) else ():
            about = {"shape": ["..."], "doc": 'What """ it is.'}
            given[name] = {"value": given[name], **about}
        return {
            "inputs": {n: dict(TYPES.get(k, {})) for n, k in self.inputs.items()},
            "attributes": self.attributes,
            "nodes": self.nodes,
            "outputs": given,
        }

    # Values

    def value(self, kind: str) -> str:
        """A reference to a value of a kind, the latest ones more often."""
        if kind == "v":
            kind = self.pick([k for k in ("v", "s", "x") if self.values[k]])
        if kind == "s" and not self.values["s"]:
            self.node({"op": "sum", "x": self.value("x"), "axis": None}, "s")
        known = self.values[kind]
        return known[-1] if self.chance(2) else self.pick(known)

    def operand(self, kind: str = "v") -> Any:
        """A reference, a number, or an expression."""
        match self.writer.random.randrange(10):
            case 0:
                some = ["$inf", "$-inf", "$nan", True] if self.chance(4) else []
                numbers = [0.5, 2.0, -0.25] if kind == "s" else [2, -1, 0.5]
                return self.pick(some or numbers)
            case 1:
                texts = ["$width ** -0.5", "$width * 0.5"]
                texts += ["$width", "$width // 3"] if kind == "v" else []
                texts += ["$width % 3", "$max(width, 5) ** 2"] if kind == "v" else []
                texts += [
                    *("$gain / 2", "$gain ** 2", "$-gain * 0.5"),
                    *("$gain % 2", "$min(gain, gain * 2, gain ** 2)"),
                ] * len(self.attributes)
                return self.pick(texts)
        return self.value(kind)

    def node(self, data: Data, *kinds: str, outputs: list[str] | None = None) -> str:
        names = [f"{n}_2" for n in NAMES] if self.second else NAMES
        name = self.writer.unused(names, {*self.inputs, *self.nodes})
        self.nodes[name] = data
        for kind, output in zip(kinds, outputs or [""], strict=False):
            self.values[kind].append(f"{name}.{output}".rstrip("."))
        return name

    # Nodes

    def step(self) -> None:
        self.writer.budget -= 1
        self.pick(self.kinds())()

    def kinds(self) -> list[Callable[[], None]]:
        """The kinds of nodes that fit here, some of them more often."""
        return [self.unary] * 3 + [self.binary] * 4 + [self.other]

    def unary(self) -> None:
        data = dict(self.pick(UNARY[:PLAIN] if self.plain else UNARY))
        if data["op"] == "linear" and self.linear and self.chance(2):
            data |= self.nodes[self.linear[0]] | {"params": self.linear[0]}
        data["x"] = self.value("x")
        name = self.node(data, "x")
        if data["op"] == "linear" and "params" not in data:
            self.linear.append(name)
        elif data["op"] == "batch_norm" and self.chance(3):
            data["params"] = self.pick(["shared.norm", "norms.0", "norms.0"])
        elif data["op"] == "layer_norm" and self.chance(3):
            data["params"] = "scales.0.inner"

    def state(self) -> None:
        """A number that is read and assigned: later, or under another name, too."""
        if self.plain:
            return
        state: Data = {"op": "state", "shape": []}
        if self.chance(3):
            state["params"] = self.pick(["shared.number", "number"])
        name = self.node(state)
        if self.chance(3):
            self.unary()
        data = {"op": "assign", "to": name, "x": self.value("s")}
        new = self.node(data | {"training": self.chance(2)})
        read = self.pick([name, new])
        self.node({"op": "astype", "x": read, "dtype": "float"}, "s")

    def binary(self) -> None:
        a, b = self.value("x"), self.operand()
        if self.chance(2):
            a, b = b, a
        self.node({"op": self.pick(BINARY), "a": a, "b": b}, "x")

    def other(self) -> None:
        match self.writer.random.randrange(10):
            case 8:
                self.state()
            case 0:
                data = {"op": "split", "x": self.value("x"), "axis": -1}
                name = self.node(data | {"names": ["a", "b"]})
                xs = [f"{name}.{n}" for n in self.pick(["ab", "ba"])]
                self.node({"op": "concatenate", "xs": xs, "axis": -1}, "x")
            case 1:
                data = {"op": "reshape", "x": self.value("x"), "shape": ["...", 2, 2]}
                name = self.node(data)
                self.node({"op": "flatten", "x": name, "start": -2}, "x")
            case 2:
                test = self.node({"op": "greater", "a": self.value("x"), "b": 0})
                data = {"op": "where", "condition": test, "a": self.value("x")}
                self.node(data | {"b": self.operand()}, "x")
            case 3:
                last = self.pick([4.5, 4, "$-inf"])
                self.node({"op": "constant", "value": [1, 2, 3, last]}, "v")
            case 4 if not self.plain:
                self.node({"op": "param", "shape": [WIDTH]}, "v")
            case 5 if not self.plain:
                raw = self.node({"op": "param", "shape": [WIDTH, WIDTH]})
                data = {"op": "linear", "x": self.value("x"), "kernel": raw}
                data |= {"use_bias": self.chance(2)}
                self.node(data | {"in_features": WIDTH, "out_features": WIDTH}, "x")
            case 6:
                data = {"op": "mean", "x": self.value("x"), "axis": -1}
                self.node(data | {"keepdims": True}, "v")
            case 7:
                self.complex_numbers()
            case _:
                data = {"op": "dropout", "x": self.value("x"), "rate": 0.5}
                if self.values["key"]:
                    data["key"] = self.pick(self.values["key"])
                self.node(data, "x")

    def complex_numbers(self) -> None:
        """There and back again, perhaps with an array of them."""
        data: Data = {"op": "complex", "real": self.value("x"), "imag": self.value("x")}
        name = self.node(data)
        if not self.plain and self.chance(2):
            param = {"op": "param", "shape": [WIDTH], "dtype": "complex64"}
            name = self.node({"op": "multiply", "a": self.node(param), "b": name})
        turned = [{"op": "conj"}, {"op": "fft", "norm": "ortho"}, {"op": "tanh"}]
        name = self.node({**self.pick(turned), "x": name})
        part = self.node({"op": self.pick(["real", "imag"]), "x": name})
        self.node({"op": "astype", "x": part, "dtype": "float"}, "x")

    def arguments(self, wanted: dict[str, str]) -> Data:
        """References for inputs of these kinds; what is optional not always."""
        given: Data = {}
        for name, kind in wanted.items():
            if kind == "key":
                if self.values["key"] and not self.chance(3):
                    given[name] = self.pick(self.values["key"])
            elif kind != "v?" or self.chance(2):
                given[name] = self.value("x") if kind == "x" else self.operand(kind[0])
        return given

    def extras(self) -> dict[str, str]:
        extras = {"v?": "bias", "key": "key"}
        kinds = [k for k in extras if self.chance(3)]
        return {extras[k]: k for k in kinds}

    def attribute(self, names: list[str], *, cycle: bool = False) -> Data:
        values: list[Any] = [2, 0.5, 3, "$width * 2"]
        if cycle and self.chance(2):
            return {n: [self.pick(values), self.pick(values)] for n in names}
        return {n: self.pick(values) for n in names}
