"""`bx.edit`: a Graph changed by operations, each of which says what its weights become."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from blox.schema import Graph
from blox.schema.graph import expect_graph

from .carry import carried
from .copies import copied
from .dequantize import dequantize
from .freezing import frozen
from .lora import has_lora, lora, merge_lora
from .nodes import Writer, headed, inserted, removed, replaced
from .plan import Plan, Step, plan_of, same_paths
from .quantize import quantize
from .renaming import Kind, renamed
from .rounding import Roundings, roundings


def edit(graph: Graph) -> Edit:
    """A Graph to be changed, by operations one after another:

        tuned = bx.edit(graph).replace("attention.query", writer).freeze("wte")
        print(tuned.plan)
        params = tuned.carry_over(params, key=jax.random.key(0))
        bx.save("tuned", tuned.graph, params)

    Raises:
        SpecError: the Graph is not sound.
    """
    expect_graph(graph)
    return Edit((Step(graph, graph, same_paths(graph, graph)),))


@dataclass(frozen=True, repr=False)
class Edit:
    """A Graph that was changed, and the plan of what that makes of its weights.

    It never changes: each operation gives another one.

    Args:
        steps: the operations so far, the first of which changes nothing.
    """

    steps: tuple[Step, ...]

    @property
    def graph(self) -> Graph:
        """The Graph as it is now."""
        return self.steps[-1].graph

    @cached_property
    def plan(self) -> Plan:
        """What becomes of every array, from the first Graph to this one."""
        return plan_of(self.steps)

    def carry_over(self, params: Mapping[str, Any], key: Any = None) -> dict[str, Any]:
        """Params of `graph`, of those of the Graph that was edited.

        Arrays that stay as they are stay the same objects; one that is new starts as
        `bx.init(edit.graph, key)` starts it.

        Args:
            params: of the Graph that was given to `bx.edit`.
            key: `jax.random.key(seed)`, where something is new.

        Raises:
            ModelError: params are not those of that Graph, or a key is missing.
        """
        return carried(self.steps, params, key)

    def roundings(self, params: Mapping[str, Any], key: Any = None) -> Roundings:
        """The error that int8 makes in each array that is quantised, as a table.

        Args:
            params: of the Graph that was given to `bx.edit`.
            key: as for `carry_over`.
        """
        return roundings(self.steps, params, key)

    def then(self, step: Step) -> Edit:
        """The Edit with one more operation, of `graph`."""
        return Edit((*self.steps, step))

    def __repr__(self) -> str:
        return f"<Edit {self.graph!r}; {self.plan!r}>"

    # Operations ----------------------------------------------------------------------

    def replace(self, nodes: str, writer: Writer) -> Edit:
        """Something else in place of nodes: `edit.replace("attention.query", writer)`.

            def writer(f: bx.F, node: bx.Node) -> bx.Value:
                return node() + f.linear(f"{node.name}_more", node.x, node.out_features)

        `node()` writes the node as it was, `node(x=y)` with something changed, and `node.x`
        and `node.out_features` are what it has. An array that is at the same path
        afterwards, in the same shape, is carried over.

        Args:
            nodes: a glob over `function.node`.
            writer: gives what the node gave: a value, or all of its outputs by name.

        Raises:
            SpecError: the glob matches no node, or what is written is not sound.
            ModelError: a node does not take the shapes that flow into it.
        """
        return self.then(replaced(self.graph, nodes, writer))

    def insert(
        self,
        writer: Writer,
        *,
        after: str | None = None,
        before: str | None = None,
        of: str | None = None,
    ) -> Edit:
        """Something more behind nodes, or before them: `edit.insert(writer, after="block.up")`.

            def writer(f: bx.F, x: bx.Value) -> bx.Value:
                return f.layer_norm("extra", x)

        Args:
            writer: gives what takes the place of the value `x`.
            after: a glob over `function.node`: x is what these nodes give.
            before: a glob: x is the first operand of these nodes.
            of: another operand, or argument of what the node runs, by name.

        Raises:
            SpecError, ModelError: as `replace`; a node has no such operand.
        """
        return self.then(inserted(self.graph, writer, after, before, of))

    def remove(self, *nodes: str, by: str | None = None) -> Edit:
        """Nodes left out; what used their value gets their first operand.

        Args:
            nodes: globs over `function.node`.
            by: another operand, or argument of what the node runs, by name.

        Raises:
            SpecError, ModelError: as `replace`; a node has no such operand, or gives
                several values: `replace` says what each of them is.
        """
        return self.then(removed(self.graph, nodes, by))

    def head(
        self, writer: Writer, output: str | None = None, *, entry: str | None = None
    ) -> Edit:
        """Something else in place of the node that gives an output, with new arrays:

            edit.head(lambda f, x: f.linear("head", x, 10))

        Args:
            writer: `writer(f, x)`, x being what flows into the node that was there.
            output: of the entry, by default its only one.
            entry: by default the first. Where several entries, or calls, run the function
                that the node is in, it is replaced in all of them.

        Raises:
            SpecError, ModelError: as `replace`; there is no such output.
        """
        return self.then(headed(self.graph, output, writer, entry))

    def rename(self, old: str, new: str, *, kind: Kind | None = None) -> Edit:
        """Another name for something, and in all that names it.

            edit.rename("block.up", "fc1")              # a node, with its arrays
            edit.rename("block", "layer")               # a function
            edit.rename("main.tokens", "ids")           # an input, or an output
            edit.rename("width", "features")            # an attribute
            edit.rename("encoder.h", "encoder.layers")  # arrays alone, by their path

        Keys are folded with names: a node that is renamed draws other numbers in training.

        Args:
            old: what there is.
            new: its name; of a path the whole of it.
            kind: what is meant where several things are called so: `node`, `function`,
                `input`, `output`, `attribute` or `path`.

        Raises:
            SpecError: nothing is called so, or several things; the new name is taken.
        """
        return self.then(renamed(self.graph, old, new, kind))

    def freeze(self, *globs: str) -> Edit:
        """Parameters that are never trained, said in the Graph: `edit.freeze("wte", "h.*")`.

        Args:
            globs: over the paths of arrays; a path stands for all below it. A function
                that runs at other paths too is copied.

        Raises:
            SpecError: a glob matches no parameter, or some copies of a repeat alone.
        """
        return self.then(frozen(self.graph, globs, freeze=True))

    def train(self, *globs: str) -> Edit:
        """Parameters that are trained again, as `freeze` takes them."""
        return self.then(frozen(self.graph, globs, freeze=False))

    def copies(
        self,
        path: str,
        copies: int | Sequence[int],
        *,
        new: Literal["init", "last"] = "init",
        entry: str | None = None,
    ) -> Edit:
        """Another number of copies of a repeat: `edit.copies("h", 4)`, or `[0, 2]`.

        Args:
            path: of the node from the entry; `h.inner` is meant in all copies of `h`.
            copies: so many, the first ones; or the numbers of those that stay, in order,
                one of them several times too.
            new: what more of them are: as `bx.init` makes them, or copies of the last.
            entry: by default the first.

        Raises:
            SpecError: there is no such repeat, or no such copy of it.
        """
        return self.then(copied(self.graph, path, copies, new, entry))

    def outputs(
        self,
        *paths: str,
        names: Sequence[str] | None = None,
        entry: str | None = None,
    ) -> Edit:
        """Inner values as further outputs, as `graph.with_outputs` gives them."""
        new = self.graph.with_outputs(*paths, names=names, entry=entry)
        return self.then(Step(self.graph, new, same_paths(self.graph, new)))

    def lora(
        self, *nodes: str, rank: int = 8, alpha: float = 16.0, freeze: bool = True
    ) -> Edit:
        """LoRA behind every `linear` that matches: `edit.lora("*.query", "*.value")`.

        `y + (x @ a) @ b * (alpha / rank)`, the op `lora`, with `NODE_lora.a` and `.b`, which
        starts with zeros, beside the arrays of the node, for each copy of a repeat.

        Args:
            nodes: globs over `function.node`, by default all; nodes of other ops stay.
            rank: the size between `a` and `b`.
            alpha: what is added is times alpha / rank.
            freeze: everything but LoRA is frozen in the Graph; `train` takes that back.

        Raises:
            SpecError: a glob matches no `linear`.
        """
        return self.then(lora(self.graph, nodes or ("*",), rank, alpha, freeze))

    def merge_lora(self) -> Edit:
        """All LoRA folded into the kernels: `kernel + a @ b * (alpha / rank)`.

        The Graph is again what it was without LoRA; what was frozen stays so.

        Raises:
            SpecError: there is no LoRA, or one that is of no kernel alone: of one that is
                quantised, or that other nodes use without.
        """
        edit = self.then(merge_lora(self.graph))
        while has_lora(edit.graph):  # one behind another
            edit = edit.then(merge_lora(edit.graph))
        return edit

    def quantize(self, *nodes: str) -> Edit:
        """Kernels and tables as int8, with a scale for each output: the op `dequantize`.

        An array at `up.kernel` becomes `up.kernel.values` and `up.kernel.scale`, of which
        none is trained. A table that several nodes have is quantised for all of them.

        Args:
            nodes: globs over `function.node`, by default all; nodes without such arrays,
                as norms, stay.

        Raises:
            SpecError: a glob matches no node with such an array.
        """
        return self.then(quantize(self.graph, nodes or ("*",)))

    def dequantize(self, *nodes: str) -> Edit:
        """What is stored as int8 as floats again, `values * scale`.

        The Graph is again what it was before `quantize`.

        Args:
            nodes: globs over `function.node`, by default all.

        Raises:
            SpecError: a glob matches no node with int8 arrays.
        """
        return self.then(dequantize(self.graph, nodes or ("*",)))
