"""The files of `blox edit`: a model, its examples with it, or a spec alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blox.cli.init import WEIGHTS
from blox.cli.output import fail, say
from blox.cli.writing import write_atomically
from blox.show.printable import printable

if TYPE_CHECKING:
    from blox.io.examples import Example
    from blox.schema import Graph
    from blox.surgery.edit import Edit

SPECS = (".json", ".msgpack")
GRAPHS = ("graph.json", "graph.msgpack")


def is_spec(path: Path) -> bool:
    """True of the file of a Graph alone, by its name."""
    return path.name.endswith(SPECS)


def weights_of(place: Path) -> Path | None:
    """A file of weights that the Graph at a place is of, if there is one."""
    from blox.weights.log import LOG

    if is_spec(place) and place.name not in GRAPHS:
        return None
    folder = place.parent if is_spec(place) else place
    return next((f for name in (*WEIGHTS, LOG) for f in folder.glob(name)), None)


def write_spec(target: Path, graph: Graph) -> None:
    """Writes a Graph as a file, or into a folder."""
    from blox.schema import to_json, to_msgpack

    folder = target
    if not is_spec(target):
        target.mkdir(parents=True, exist_ok=True)
        target = target / "graph.json"
    packed = target.suffix == ".msgpack"
    data = to_msgpack(graph) if packed else to_json(graph).encode()
    write_atomically(target, data)
    if folder != target:
        (folder / "graph.msgpack").unlink(missing_ok=True)  # of the Graph before


def write_model(src: str, target: Path, edited: Edit, seed: int) -> None:
    """Writes what an Edit made of a model, and says what became of its examples."""
    import jax

    from blox.io.load import load
    from blox.io.save import save

    graph, params = load(src)
    if graph != edited.steps[0].before:
        fail(f"{src}: changed meanwhile; try again")
    roundings = edited.roundings(params)
    if roundings:
        say(str(roundings))
    params = edited.carry_over(params, jax.random.key(seed))
    examples = _examples(src, target, edited, params)
    save(target, edited.graph, params, examples=examples)


def _examples(
    src: str, target: Path, edited: Edit, params: dict[str, Any]
) -> Sequence[Example]:
    """The examples of SRC for the model that is written; says what became of them."""
    from blox.io.kept_examples import kept_examples
    from blox.io.model import read_model
    from blox.io.spec import is_single

    found = read_model(src, examples=True).examples
    if found is None:
        return ()
    headers, stored = found
    if is_single(target):
        say(f"examples {len(stored)} left out, as a single file has none")
        return ()
    kept = kept_examples(edited.steps[0].before, headers, stored, edited.graph, params)
    counts = {
        "hold": kept.held,
        "with new outputs": len(kept.examples) - kept.held,
        "left out": len(kept.left_out),
    }
    said = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
    reason = f" ({printable(kept.left_out[0])})" if kept.left_out else ""
    say(f"examples {said}{reason}")
    return kept.examples
