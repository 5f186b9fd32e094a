"""`bx.Checkpoints`: the checkpoints of a training in a folder, by Orbax."""

from __future__ import annotations

import json
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from blox.schema import Graph, to_json
from blox.schema.diagnostics import quote
from blox.schema.graph import expect_graph
from blox.schema.write.canonical import plain
from blox.weights.commit import FolderCommit
from blox.weights.faults import typed_faults
from blox.weights.files import refuse, shown
from blox.weights.names import BLOX

from . import hub
from .spec import GRAPH_JSON, PathLike, difference, read_graph

State = TypeVar("State")


class Checkpoints:
    """The checkpoints of one training, with its spec beside them.

        with bx.Checkpoints("run", graph) as checkpoints:
            start, state, record = checkpoints.restore(state, {"losses": []})
            for step in range(start, steps):
                state, loss = update(state, batch(step))
                record["losses"].append(float(loss))
                checkpoints.save(step + 1, state, record)

    The folder has `graph.json` and, for each checkpoint, a folder that is named by the
    number of steps done. Saving takes place in the background; a checkpoint is there
    whole or not at all, so that a process may be killed at any moment. Entering waits
    for nothing, leaving for what is being written.

    Attributes:
        manager: the `orbax.checkpoint.CheckpointManager`, for all else that it can do.
    """

    def __init__(
        self, path: PathLike, graph: Graph, *, keep: int | None = 2, every: int = 1
    ) -> None:
        """Open the folder; `graph.json` is written where there is none.

        Args:
            path: a folder of this training alone, made if absent.
            graph: the Graph that is trained.
            keep: how many checkpoints stay, the last ones; None for all.
            every: `save` writes the first checkpoint, and those at multiples of it.

        Raises:
            WeightsError: the folder holds the training of another Graph, or can't be
                written.
            SpecError: its `graph.json` can't be read.
            ImportError: Orbax is not installed.
        """
        expect_graph(graph)
        try:
            import orbax.checkpoint as ocp
        except ImportError:
            text = "bx.Checkpoints needs Orbax: pip install 'blox-format[train]'"
            raise ImportError(text) from None
        self._args = ocp.args
        folder = hub.target(path).absolute()
        options = ocp.CheckpointManagerOptions(
            max_to_keep=keep, save_interval_steps=every
        )
        with typed_faults(folder, "weights-write", "written"):
            folder.mkdir(parents=True, exist_ok=True)
            _claim(folder, graph)
        self.manager = ocp.CheckpointManager(folder, options=options)

    def restore(
        self, state: State, record: dict[str, Any]
    ) -> tuple[int, State, dict[str, Any]]:
        """(steps done, state, record) of the last checkpoint; 0 and what is given if none.

        Args:
            state: a tree as it was saved: arrays, keys, tuples, states of optimisers. It
                says structure, shapes, dtypes and shardings.
            record: plain data as it is before the first step.

        Raises:
            ValueError: of Orbax, where a checkpoint is of another structure or shape.
        """
        import jax

        step = self.manager.latest_step()
        if step is None:
            return 0, state, record
        like = jax.tree.map(_abstract, state)
        found = self.manager.restore(
            step,
            args=self._args.Composite(
                state=self._args.StandardRestore(like), record=self._args.JsonRestore()
            ),
        )
        return step, found["state"], found["record"]

    def save(self, step: int, state: Any, record: dict[str, Any]) -> bool:
        """True if a checkpoint of `step` is being written: of the first, and each `every`.

        Both are copied before this returns: `record` may be filled further, and buffers of
        `state` be donated.

        Args:
            step: the number of steps done.
            state: a tree of arrays: parameters, state of the optimiser, averages, keys.
            record: plain data (JSON): metrics, the position in the data.

        Raises:
            TypeError: what can't be written as JSON.
        """
        args = self._args
        # Orbax writes it out in the background, while the caller goes on filling it.
        record = json.loads(json.dumps(record))
        return bool(
            self.manager.save(
                step,
                args=args.Composite(
                    state=args.StandardSave(state), record=args.JsonSave(record)
                ),
            )
        )

    def close(self) -> None:
        """Wait for what is being written, and let go of the folder."""
        self.manager.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _abstract(leaf: Any) -> Any:
    from orbax.checkpoint import utils

    return utils.to_shape_dtype_struct(leaf)


def _claim(folder: Path, graph: Graph) -> None:
    """Writes the Graph into `folder`, or refuses the one that is there."""
    file = folder / GRAPH_JSON
    if not file.exists():
        with FolderCommit(folder, BLOX) as commit:
            commit.add(GRAPH_JSON, to_json(graph).encode())
            commit.commit()
        return
    there = read_graph(file)
    if there.digest == graph.digest:
        return
    where = difference(plain(there), plain(graph))
    refuse(
        "weights-digest",
        shown(file),
        f"expected the checkpoints of {quote(graph.name)}, found those of the Graph "
        f"{quote(there.name)}, which differs at {where}",
        "another Graph is trained in a folder of its own",
    )
