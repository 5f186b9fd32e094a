"""The calls, loops and branches of random Graphs."""

from __future__ import annotations

from collections.abc import Callable

from random_nodes import FUNCTIONS, ROWS, TYPES, WIDTH, Data, Nodes


class Body(Nodes):
    """Draws the nodes of one function."""

    top = False
    """True where an x has rows: in entries."""

    def step(self) -> None:
        if self.second and self.chance(4):
            self.writer.budget -= 1
            return self.entry()
        return super().step()

    def kinds(self) -> list[Callable[[], None]]:
        kinds = super().kinds()
        if self.depth and self.writer.budget > 0:
            kinds += [self.call] * 2 + [self.repeat] * 2 + [self.branch, self.loop]
            kinds += [self.lanes] * (not self.plain)
            kinds += [self.prefixes] * self.top
        return kinds

    def call(self) -> None:
        inputs = {"x": "x"} | ({"other": "v"} if self.chance(3) else {}) | self.extras()
        outputs = self.pick([{"x": "x"}, {"y": "x"}, {"x": "x", "z": "s"}])
        name, names = self.writer.function(inputs, outputs, self.depth - 1, self.plain)
        data: Data = {"op": "call", "function": name, "inputs": self.arguments(inputs)}
        data["attributes"] = self.attribute(names)
        if not names and self.chance(3):
            data["remat"] = self.pick(["nothing_saveable", "dots_saveable"])
        self.add(data, outputs)

    def add(self, data: Data, outputs: dict[str, str]) -> None:
        self.node(data, *outputs.values(), outputs=list(outputs))

    def repeat(self) -> None:
        carry = {"x": "x"} | ({"total": "s"} if self.chance(3) else {})
        xs = {"rate": "s"} if self.chance(3) else {}
        index = {"i": "v"} if self.chance(3) else {}
        fixed = ({"other": "v"} if self.chance(3) else {}) | self.extras()
        others = {"y": "x"} if self.chance(3) else {}
        outputs = self.pick([carry | others, others | carry])
        scan = self.chance(2)
        count = 0 if self.chance(8) else ROWS
        inputs = carry | xs | index | fixed
        name, names = self.writer.function(inputs, outputs, self.depth - 1, self.plain)
        data: Data = {"op": "repeat", "function": name, "count": count, "scan": scan}
        data["shared"] = not scan and self.chance(2)
        first: Data = {n: self.value(k) for n, k in carry.items()}
        if "total" in carry and self.chance(2):
            first["total"] = 0.0
        data["carry"] = first
        some = "$gain * 0.5" if self.attributes else 0.5
        data["xs"] = {n: [some, 1.0, 2.0][:count] for n in xs}
        data["inputs"] = self.arguments(fixed)
        data["attributes"] = self.attribute(names, cycle=not scan)
        data["index"] = "i" if index else None
        if not names and self.chance(3):
            data["remat"] = "nothing_saveable"
        # What is stacked has one axis more, and so is no x: its mean is.
        listed = bool(others) and not scan and count > 0 and self.chance(2)
        data["listed"] = ["y"] if listed else []
        node = self.node(data, *carry.values(), outputs=list(carry))
        if listed:
            self.through(f"{node}.y", count)
        elif others and count and self.chance(2):
            self.node({"op": "mean", "x": f"{node}.y", "axis": None}, "s")

    def through(self, given: str, count: int) -> None:
        """Copies that get the arrays of a list."""
        inputs = {"x": "x", "y": "x"}
        name, names = self.writer.function(
            inputs, {"x": "x"}, self.depth - 1, self.plain
        )
        data: Data = {"op": "repeat", "function": name, "count": count, "scan": False}
        data |= {"carry": {"x": self.value("x")}, "xs": {"y": given}}
        self.add(data | {"attributes": self.attribute(names, cycle=True)}, {"x": "x"})

    def branch(self) -> None:
        inputs = {"x": "x"} | self.extras()
        outputs = self.pick([{"x": "x"}, {"x": "x", "z": "s"}])
        test = self.node({"op": "greater", "a": self.value("s"), "b": 0.5})
        sides: list[str] = []
        several = self.chance(3)
        while len(sides) < 2 + several:
            name, names = self.writer.function(
                inputs, outputs, self.depth - 1, self.plain
            )
            if names:  # branches get no attributes
                name, _ = self.without(name)
            sides.append(name)
        data: Data = {"op": "cond", "predicate": test}
        data |= {"then": sides[0], "else": sides[1]}
        if several:
            index = self.node({"op": "astype", "x": test, "dtype": "int32"})
            data = {"op": "switch", "index": index, "branches": sides}
        self.add(data | {"inputs": self.arguments(inputs)}, outputs)

    def without(self, name: str) -> tuple[str, list[str]]:
        """A function that calls another one and has no attributes."""
        inner = self.writer.functions[name]
        new = self.writer.unused(FUNCTIONS, {*self.writer.functions, "model"})
        inputs = {n: n for n in inner["inputs"]}
        node = {
            "op": "call",
            "function": name,
            "inputs": inputs,
            "attributes": {"gain": 2},
        }
        several = len(inner["outputs"]) > 1
        outputs = {o: f"inner.{o}" if several else "inner" for o in inner["outputs"]}
        self.writer.functions[new] = {
            "inputs": inner["inputs"], "nodes": {"inner": node}, "outputs": outputs,
        }  # fmt: skip
        return new, []

    def loop(self) -> None:
        carry = {"x": "x", "n": "s"}
        fixed = {"limit": "s"} if self.chance(2) else {}
        inputs = carry | fixed | ({"key": "key"} if self.chance(3) else {})
        test = self.writer.unused(FUNCTIONS, {*self.writer.functions, "model"})
        less = {"op": "less", "a": "n", "b": "limit" if fixed else 3.0}
        self.writer.functions[test] = {
            "inputs": {n: dict(TYPES.get(k, {})) for n, k in inputs.items()},
            "nodes": {"less": less},
            "outputs": {"go": "less"},
        }
        body, names = self.writer.function(inputs, carry, self.depth - 1, self.plain)
        if names:
            body, _ = self.without(body)
        data: Data = {"op": "while_loop", "cond": test, "body": body}
        data["carry"] = {"x": self.value("x"), "n": self.pick([self.value("s"), 0.0])}
        data["inputs"] = self.arguments(
            {n: k for n, k in inputs.items() if n not in carry}
        )
        data["max_steps"] = self.pick([None, 3, "$width"])
        self.add(data, carry)

    def lanes(self) -> None:
        """A scan or a map over the rows, which an entry's x has, or shared by all."""
        fixed = ({"other": "s"} if self.chance(3) else {}) | self.extras()
        plain = self.plain
        if self.chance(2):
            outputs: dict[str, str] = {"x": "x"}
            inputs = {"x": "x"} | fixed
            count = {"count": 2} if self.chance(2) else {}
            # Lanes without a count update no state.
            name, names = self.writer.function(
                inputs, outputs, self.depth - 1, plain or not count
            )
            data: Data = {
                "op": "map",
                "function": name,
                "inputs": self.arguments(fixed),
                **count,
            }
            if count:
                data["inputs"]["x"] = self.value("x")
                node = self.node(data | {"attributes": self.attribute(names)})
                self.node({"op": "mean", "x": node, "axis": 0}, "x")
                return
            data["xs"] = {"x": self.value("x")}
            data["axis"] = -1 if plain and self.chance(2) else 0
            if self.top:
                self.node(data | {"attributes": self.attribute(names)}, "x")
            return
        inputs = {"total": "s", "x": "x"} | fixed
        outputs = {"total": "s", "y": "x"}
        name, names = self.writer.function(inputs, outputs, self.depth - 1, plain)
        data = {"op": "scan", "function": name, "xs": {"x": self.value("x")}}
        data |= {"carry": {"total": self.pick([0.0, self.value("s")])}}
        data |= {"inputs": self.arguments(fixed), "reverse": self.chance(2)}
        if self.top:
            self.add(data | {"attributes": self.attribute(names)}, outputs)

    def prefixes(self) -> None:
        """An associative scan over the rows: its function updates no state."""
        both = {"x": "x", "other": "x"} | ({"rate": "s"} if self.chance(3) else {})
        pair = {"x": "x", "total": "s"}
        outputs = {"x": "x"}
        if self.chance(3):
            both, outputs = pair | {"other": "x", "more": "s"}, pair
        name, names = self.writer.function(both, outputs, self.depth - 1, True)
        if not self.top:
            return
        data: Data = {
            "op": "associative_scan",
            "function": name,
            "xs": {"x": self.value("x")},
        }
        data["right"] = {"x": "other"}
        if outputs is pair:
            rows = {"op": "sum", "x": self.value("x"), "axis": -1}
            data["xs"]["total"] = self.node(rows)
            data["right"]["total"] = "more"
        data["inputs"] = self.arguments({n: "s" for n in both if n == "rate"})
        data |= {"attributes": self.attribute(names), "reverse": self.chance(2)}
        if outputs is pair:
            self.node(data, "x", outputs=["x"])
        else:
            self.node(data, "x")

    def entry(self) -> None:
        """A call of the other entry."""
        main = self.writer.functions["main"]
        kinds = {"x": "x", "y": "x", "bias": "v?", "key": "key"}
        given = self.arguments({n: kinds[n] for n in main["inputs"]})
        outputs = {n: "s" if n == "sum" else "x" for n in main["outputs"]}
        if "bias" in given:
            given["bias"] = self.node({"op": "param", "shape": [WIDTH]}, "v")
        data = {"op": "call", "function": "main", "inputs": given}
        if self.chance(3):
            data["params"] = "."
        self.add(data, outputs)
