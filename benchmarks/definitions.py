"""Lines of a model's definition, in blox's builder and in Flax NNX.

    python benchmarks/definitions.py

`definitions/` has each model twice, in `NAME_blox.py` and `NAME_nnx.py`: the same parts,
hyper-parameters and options, with what either library has (nnx.MultiHeadAttention and
nnx.RNN, bx.recipes), arguments typed, formatted by ruff at 88 columns. Layers that are
scanned in one are scanned in the other. Counted are lines of code: no blank lines,
comments, docstrings and imports. `before` is the builder of before calls were plain
Python: tiny_gpt with fixed sizes, bert with all options of the importer.
`tests/parity/test_definitions.py` holds that both compute the same.
"""

from __future__ import annotations

import ast
import io
import tokenize
from pathlib import Path

FOLDER = Path(__file__).parent / "definitions"
BEFORE = {"crepe": 46, "tiny_gpt": 19, "resnet50": 144, "lstm": None, "bert": 114}
"""Model -> lines in the old builder, None where it had not been written."""
MODELS = tuple(BEFORE)


def source(model: str, library: str) -> str:
    """The text of a definition; `library` is `blox` or `nnx`."""
    return (FOLDER / f"{model}_{library}.py").read_text(encoding="utf-8")


def lines_of_code(text: str) -> int:
    """Lines with code in Python text, but for docstrings and imports."""
    skipped = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT}
    skipped |= {tokenize.DEDENT, tokenize.ENDMARKER}
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in skipped:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Import() | ast.ImportFrom() | ast.Expr(ast.Constant(str())):
                last = node.end_lineno or node.lineno
                lines.difference_update(range(node.lineno, last + 1))
    return len(lines)


def counts() -> dict[str, tuple[int, int]]:
    """Model -> lines in NNX, lines in blox."""
    return {
        model: (
            lines_of_code(source(model, "nnx")),
            lines_of_code(source(model, "blox")),
        )
        for model in MODELS
    }


def main() -> None:
    print(f"{'model':10}{'NNX':>6}{'before':>8}{'blox':>6}{'ratio':>7}")
    rows = counts()
    for model, (nnx, blox) in rows.items():
        before = BEFORE[model] or "-"
        print(f"{model:10}{nnx:6}{before:>8}{blox:6}{blox / nnx:7.2f}")
    nnx, blox = (sum(column) for column in zip(*rows.values(), strict=True))
    print(f"{'sum':10}{nnx:6}{'':8}{blox:6}{blox / nnx:7.2f}")


if __name__ == "__main__":
    main()
