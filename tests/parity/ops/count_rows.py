"""Prints how many rows the parity tables have, by table and by whose numbers they are.

python tests/parity/ops/count_rows.py     (extra `parity`)
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parents[3]))

from parity.ops.tables.all_rows import TABLES
from parity.ops.tables.row import Row
from safetensors import safe_open


def told(rows: list[Row]) -> str:
    """Their number, by peer."""
    peers = Counter(row.by for row in rows)
    return ", ".join(f"{count} of {peer}" for peer, count in peers.most_common())


def main() -> None:
    rows = {name: list(table()) for name, table in TABLES.items()}
    for name, own in rows.items():
        print(f"{name:42} {len(own):5}  {told(own)}")
    together = [row for own in rows.values() for row in own]
    ops = len({row.op for row in together})
    print(
        f"{'all, of ' + str(ops) + ' ops and layers':42} {len(together):5}  {told(together)}"
    )
    tests = Path(__file__).parents[2]
    committed = [
        *tests.glob("*/torch_*.safetensors"),
        *tests.glob("*/flax_*.safetensors"),
    ]
    for path in sorted(committed):
        with safe_open(path, framework="numpy") as file:
            count = len(file.metadata())
        print(f"{'committed, ' + path.name:42} {count:5}")


if __name__ == "__main__":
    main()
