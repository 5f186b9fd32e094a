"""Writes the generated files of the imported models of the libraries."""

from __future__ import annotations

import sys
from pathlib import Path

TESTS = Path(__file__).parents[2]
sys.path.insert(0, str(TESTS))

from parity.importers.stateful import KEPT, imported  # noqa: E402
from parity.importers.zoo import CASES  # noqa: E402

import blox as bx  # noqa: E402


def main() -> None:
    for name in sys.argv[1:] or [*CASES, *KEPT]:
        if name in KEPT:
            graph, _, _ = imported(name, KEPT[name](), check=False)
        else:
            graph, _, _ = CASES[name]().imported(name)
        place = TESTS / "golden" / "imported" / f"{name}.py"
        place.write_text(bx.generate(graph), encoding="utf-8")
        print(f"{place.name}: {len(graph.functions)} functions")


if __name__ == "__main__":
    main()
