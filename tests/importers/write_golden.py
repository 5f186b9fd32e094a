"""Writes the generated files of the imported models."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from importers.models.plain import MODELS

import blox as bx


def main() -> None:
    for name, model in MODELS.items():
        graph, _, _ = bx.from_jax(
            model.function, model.inputs, model.params, name=name, check=False
        )
        place = Path(__file__).parents[1] / "golden" / "imported" / f"{name}.py"
        place.write_text(bx.generate(graph), encoding="utf-8")
        print(f"{place.name}: {len(graph.functions)} functions")


if __name__ == "__main__":
    main()
