"""A resolved Graph: every function per set of attribute values, every reference bound.

The loader interprets it, the generator writes it out, `init` and the weight checks read
its tree of leaves: what is decided once about a model is decided here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from ..callee import Callee
from ..content import Content, Function
from ..diagnostics import cut
from ..frozen import EMPTY, Sealable, frozen
from ..op import Op
from ..parameters import Leaf
from .trees import Tree, flatten


@dataclass(frozen=True, slots=True)
class Arg:
    """What an operand is: output `output` of `source`, a number, or an expression."""

    source: str | None = None
    output: int = 0
    value: Any = None
    kind: str = "tensor"
    """`key` for one that is folded with the name of the node that gets it, `list` for one
    that has an array for each copy."""
    optional: bool = False
    text: str | None = None
    """The expression whose value `value` is."""

    @property
    def is_reference(self) -> bool:
        return self.source is not None


Args: TypeAlias = dict[str, Arg | list[Arg]]
"""What operands and given slots are, by field."""
Groups: TypeAlias = dict[str, dict[str, Arg]]
"""What functions are given, by field (`inputs`, `carry`, `xs`) and input."""


def flat(args: Args) -> Iterator[Arg]:
    """Every Arg, in order."""
    for value in args.values():
        if isinstance(value, Arg):
            yield value
        else:
            yield from value


@dataclass(frozen=True, slots=True)
class Called:
    """A function that a step runs: as its op declares it, and the instances of it."""

    declared: Callee
    cycle: tuple[Instance, ...]
    """One, or where copies are calls of their own those that they take in turn."""

    @property
    def instance(self) -> Instance:
        """What all copies have in common: inputs, outputs, nodes."""
        return self.cycle[0]

    def copy(self, i: int) -> Instance:
        """The instance of copy `i`."""
        return self.cycle[i % len(self.cycle)]

    @property
    def copies(self) -> int:
        """How many calls of its own the step makes of it: one, or one a copy."""
        count = self.declared.copies if self.declared.unrolled else 1
        return count if isinstance(count, int) and not self.declared.empty else 0

    @property
    def calls(self) -> tuple[Instance, ...]:
        """The instance of each of these calls."""
        rounds, more = divmod(self.copies, len(self.cycle))
        return self.cycle * rounds + self.cycle[:more]

    @property
    def instances(self) -> tuple[Instance, ...]:
        """The instances that a run visits, each once."""
        return () if self.declared.empty else self.cycle

    def total(self, of: Callable[[Instance], int]) -> int:
        """The sum over all calls."""
        rounds, more = divmod(self.copies, len(self.cycle))
        counts = [of(instance) for instance in self.cycle]
        return rounds * sum(counts) + sum(counts[:more])


@dataclass(eq=False, slots=True, repr=False)
class Step(Sealable):
    """A node of an instance, its expressions replaced by values where they are known.

    `callees` are the functions that it runs. The resolver fills it in and seals it.
    """

    name: str
    path: str
    op: Op
    scope: tuple[str, ...]
    args: Args
    groups: Groups
    outputs: tuple[str, ...]
    callees: tuple[Called, ...] = ()
    tree: Tree = EMPTY
    stateful: bool = False
    uses_train: bool = False
    needs_float: bool = False
    merges: bool = False
    """True where an earlier step may have updated state that lies under its scope."""
    live: bool = True
    used: frozenset[int] = frozenset()
    """The outputs that something uses."""
    copies: dict[int, int] = EMPTY
    """How many arrays each output has that is a list."""

    def __repr__(self) -> str:
        return f"<Step {self.path}: {self.op.op}>"

    def callee(self, role: str | None = None) -> Called:
        """The function in a role that the op declares."""
        return next(c for c in self.callees if c.declared.role == role)

    @property
    def instances(self) -> Iterator[Instance]:
        """The instances that a run visits."""
        return (i for called in self.callees for i in called.instances)

    def group(self, name: str) -> dict[str, Arg]:
        """What the step gives to functions by `inputs`, `carry` or `xs`, by input name."""
        return self.groups.get(name) or {}

    def operand(self, name: str) -> Arg:
        """An operand of its own."""
        found = self.args[name]
        assert isinstance(found, Arg), name
        return found

    def passes(self, name: str) -> bool:
        """True for an input that decides something in a function that gets it."""
        return any(name in instance.reads for instance in self.instances)

    def reads(self) -> Iterator[Arg]:
        """The arguments, less the inputs that no callee reads."""
        inputs = self.group("inputs") if self.callees else {}
        idle = {id(arg) for name, arg in inputs.items() if not self.passes(name)}
        return (arg for arg in self.arguments() if id(arg) not in idle)

    def arguments(self) -> Iterator[Arg]:
        """Every Arg of the step, in the order of the operands."""
        yield from flat(self.args)
        for group in self.groups.values():
            yield from group.values()


@dataclass(eq=False, slots=True, repr=False)
class Instance(Sealable):
    """A function with the values of its attributes."""

    name: str
    function: Function
    own: dict[str, Any]
    values: Mapping[str, Any]
    dims: dict[str, tuple[str, int]]
    """Where each dim is bound: an input and an axis of it."""
    steps: list[Step]
    outputs: dict[str, Arg]
    tree: dict[str, Tree]
    traced: int
    """How many nodes a trace of it visits, unrolled copies each."""
    ran: int
    """How many nodes a run of it visits at least, every step of every loop."""
    input_copies: dict[str, int] = EMPTY
    """How many arrays each input has that is a list."""
    output_copies: dict[str, int] = EMPTY
    """How many arrays each output has that is a list."""

    live_steps: list[Step] = field(init=False)
    stateful: bool = field(init=False)
    uses_train: bool = field(init=False)
    needs_float: bool = field(init=False)
    reads: frozenset[str] = field(init=False)
    """The inputs that decide something, here or in a function that gets them."""

    def __post_init__(self) -> None:
        live = self.live_steps = frozen([s for s in self.steps if s.live])
        self.stateful = any(s.stateful for s in live)
        self.uses_train = any(s.uses_train for s in live)
        self.needs_float = any(s.needs_float for s in live)
        read = [*self.outputs.values(), *(a for s in live for a in s.reads())]
        self.reads = frozenset(a.source for a in read if a.source is not None)
        self.seal()

    @property
    def lists(self) -> dict[str, dict[int, int]]:
        """How many arrays inputs and outputs of steps have that are lists."""
        inputs = {n: {0: count} for n, count in self.input_copies.items()}
        return inputs | {s.name: s.copies for s in self.steps if s.copies}

    def declared_of(self, arg: Arg) -> dict[str, Any]:
        """What an input declares that gets an argument, less its shape."""
        declared: dict[str, Any] = {"dtype": "key"} if arg.kind == "key" else {}
        if arg.kind == "list":
            declared["copies"] = self.lists[arg.source or ""][arg.output]
        return declared | ({"optional": True} if arg.optional else {})

    def __repr__(self) -> str:
        own = "".join(f" {name}={value}" for name, value in self.own.items())
        return cut(f"<Instance {self.name}{own}: {len(self.steps)} steps", ">")

    def float_path(self) -> str | None:
        """The path of the first parameter that has the model's floating type."""
        return next(self.float_paths(), None)

    def float_paths(self) -> Iterator[str]:
        """The paths of all parameters that have it, frozen or not."""
        for path, leaf in flatten(self.tree):
            if leaf.kind == "param" and leaf.dtype == "float":
                yield path

    def float_inputs(self) -> list[str]:
        """The inputs that are cast to it, were this an entry."""
        inputs = self.function.inputs.items()
        floats = [name for name, given in inputs if given.dtype == "float"]
        return floats if self.float_path() is not None else []


@dataclass(eq=False, slots=True, repr=False)
class Program(Sealable):
    """The entries of a Graph and the tree of its parameters.

    It can't be changed, nor can what it holds: it is kept with its Graph.
    """

    graph: Content
    entries: dict[str, Instance]
    instances: list[Instance]
    """All instances, callees before callers."""
    tree: dict[str, Tree]
    built: dict[Any, Any] = field(default_factory=dict, init=False, repr=False)
    """The functions that were built of it, by entry and options."""

    def __post_init__(self) -> None:
        self.seal()

    def __repr__(self) -> str:
        return f"<Program of {self.graph!r}: {len(self.instances)} instances>"

    def live_instances(self) -> list[Instance]:
        """The instances that a call of an entry runs, callees before callers."""
        found: set[int] = set()
        todo = list(self.entries.values())
        while todo:
            instance = todo.pop()
            if id(instance) not in found:
                found.add(id(instance))
                todo += [i for step in instance.live_steps for i in step.instances]
        return [i for i in self.instances if id(i) in found]

    def leaves(self) -> dict[str, Leaf]:
        """The leaves by graph path, in the order of the program."""
        return dict(flatten(self.tree))


def literal_dtype(value: Any, declared: str | None) -> str:
    """The dtype of a literal as carry or xs of a loop, which wants types that stay.

    That of the function's input, else by the kind of the number, or of the numbers.
    """
    if declared is not None:
        return declared
    parts = value if isinstance(value, tuple) else (value,)
    if all(isinstance(part, bool) for part in parts):
        return "bool"
    return "float" if any(isinstance(part, float) for part in parts) else "int32"
