"""The printer against ruff itself, on random trees, and against Python's parser."""

from __future__ import annotations

import ast
import inspect
import os
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from syntax_trees import LOAD, Trees

from blox.codegen.printer import LINE_WIDTH, render

TREES = int(os.environ.get("BLOX_PRINTER_TREES", "1500"))
"""Functions per shape; set it to 20000 for a long run."""


def ruff_format(text: str) -> str:
    found = shutil.which("ruff", path=Path(sys.executable).parent) or shutil.which(
        "ruff"
    )
    command = [found] if found else [sys.executable, "-m", "ruff"]
    arguments = ["format", "--isolated", "--target-version=py311", "-"]
    run = subprocess.run(
        [*command, *arguments], input=text, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


def printed(nodes: list[ast.stmt], width: int = LINE_WIDTH) -> str:
    return render(nodes, width=width) + "\n"


def assert_same_functions(found: str, expected: str) -> None:
    """Compare function by function, so that a failure shows only those that differ."""
    if found != expected:
        pairs = zip(
            found.split("\n\n\ndef "), expected.split("\n\n\ndef "), strict=True
        )
        differing = [pair for pair in pairs if pair[0] != pair[1]]
        found, expected = min(differing, key=lambda pair: len(pair[0]))
        assert found == expected, f"{len(differing)} functions differ; the shortest:"


def function(name: str, nodes: list[ast.stmt]) -> ast.stmt:
    [found] = ast.parse(f"def {name}(): pass").body
    assert isinstance(found, ast.FunctionDef)
    found.body = nodes
    return found


@pytest.mark.parametrize(
    ("depth", "long", "blocks"),
    [(1, 0.5, 0), (2, 0.05, 0), (2, 0.3, 0), (3, 0.1, 0), (4, 0.3, 0), (2, 0.3, 3)],
)
def test_random_trees_are_printed_as_ruff_formats_them(
    depth: int, long: float, blocks: int
) -> None:
    nodes = [
        function(f"f{seed}", [Trees(Random(seed), long).statement(depth, blocks)])
        for seed in range(1000 * depth, 1000 * depth + TREES)
    ]
    text = printed(nodes)

    assert text.isascii()
    for node, parsed in zip(nodes, ast.parse(text).body, strict=True):
        assert ast.dump(parsed) == ast.dump(node)
    assert_same_functions(text, ruff_format(text))

    unbroken = printed(nodes, width=1_000_000)
    # twice, since ruff takes a second run to settle on `x**y` in tuples
    assert_same_functions(text, ruff_format(ruff_format(unbroken)))


@pytest.mark.parametrize("seed", range(20))
def test_an_expression_is_one_line_that_parses_back(seed: int) -> None:
    for depth in range(5):
        node = Trees(Random(seed), 0.2).expression(depth)
        text = render(node)
        assert "\n" not in text
        assert ast.dump(ast.parse(text, mode="eval").body) == ast.dump(node)


GPT2 = '''\
"""GPT-2 as the issue wants it."""

EPSILON = 1e-05


def mlp(params, x):
    return linear(gelu(linear(x, **params["up"]), approximate=True), **params["down"])


def block(params, x, k, v, position, mask):
    """One block.

    Args:
        x: (batch, seq, width)
    """
    attn_x, attn_k, attn_v = attention(
        params["attn"], layer_norm(x, **params["ln_1"], eps=1e-05), k, v, position, mask
    )
    mid = x + attn_x
    return (
        mid + mlp(params["mlp"], layer_norm(mid, **params["ln_2"], eps=1e-05)),
        attn_k,
        attn_v,
    )


def step(
    params: dict[str, Any], tokens: Array, position: Array, *, k: Array, v: Array
) -> dict[str, Array]:
    positions = position + jnp.arange(tokens.shape[1])
    mask = attention_mask(positions, jnp.arange(k.shape[2]), causal=True, window=None)
    x = embed(tokens, **params["wte"]) + embed(positions, **params["wpe"])

    def h_step(x, xs):
        layer, k, v = xs
        x, k, v = block(layer, x, k, v, position, mask)
        return x, (k, v)

    h, (h_k, h_v) = jax.lax.scan(h_step, x, (params["h"], k, v))
    logits = unembed(layer_norm(h, **params["ln_f"], eps=1e-05), **params["wte"])
    if tokens.shape[1] > 1024:
        raise ValueError("step: expected seq <= 1024")
    elif x[..., -1:, :, None].ndim != 4 or not -(x.size**2) < y.size**-1:
        state["ln"]: Array = merge({**state, "a": [x, *xs]}, lambda p: norm(p, x)[0])
    return {
        "logits": logits,
        "k": dynamic_update_slice(k, h_k, position, axis=2),
        "v": dynamic_update_slice(v, h_v, position, axis=2),
    }


def gpt2(params, tokens):
    empty = jnp.zeros((12, *tokens.shape, 12, 64), params["wte"]["embedding"].dtype)
    return step(params, tokens, 0, empty, empty)["logits"]
'''


def test_code_as_a_person_writes_it_comes_back_byte_for_byte() -> None:
    assert printed(ast.parse(GPT2).body) == GPT2
    assert ruff_format(GPT2) == GPT2


def test_empty_lines_stand_around_functions_only() -> None:
    text = """\
if x:

    def f():
        def g():
            pass

        for y in x:
            pass
        if y:

            def h():
                pass
        else:

            def i():
                pass

        return 1


def j():
    pass


x = 1
y = 2
"""
    assert printed(ast.parse(text).body) == text == ruff_format(text)


def test_an_indented_statement_counts_its_indent() -> None:
    (node,) = ast.parse(
        "value = first_function(" + "a" * 32 + ", " + "b" * 29 + ")"
    ).body
    assert len(render([node])) == 87
    assert render([node]) == ast.unparse(node)
    assert render([node], 1).split("\n") == [
        "    value = first_function(",
        "        " + "a" * 32 + ", " + "b" * 29,
        "    )",
    ]


NASTY = st.text(
    st.sampled_from("\"'\\\n\r\t {}%#é\x00\x1b\x7f\u2028\U0001f600\ud800ab")
    | st.characters()
)


@settings(derandomize=True, max_examples=10, deadline=None)
@given(st.lists(NASTY, min_size=20, max_size=60))
def test_strings_are_inert_ascii_and_mean_the_same(texts: list[str]) -> None:
    nodes: list[ast.stmt] = [
        ast.Assign([ast.Name("x", ast.Store())], ast.Constant(text)) for text in texts
    ]
    source = printed(nodes)
    assert all(" " <= char <= "~" or char == "\n" for char in source)
    assert [ast.literal_eval(node.value) for node in ast.parse(source).body] == texts  # type: ignore[attr-defined]
    assert ruff_format(source) == source


@settings(derandomize=True, max_examples=10, deadline=None)
@given(st.lists(NASTY, min_size=20, max_size=60))
def test_docstrings_cannot_be_closed_from_inside(texts: list[str]) -> None:
    source = printed(
        [function("f", [ast.Expr(ast.Constant(t)), ast.Pass()]) for t in texts]
    )
    assert all(" " <= char <= "~" or char == "\n" for char in source)
    parsed = ast.parse(source).body
    for node, text in zip(parsed, texts, strict=True):
        assert isinstance(node, ast.FunctionDef)
        assert [type(child) for child in node.body] == [ast.Expr, ast.Pass]
        found = ast.get_docstring(node) or ""
        expected = [
            line.rstrip() for line in inspect.cleandoc(text).strip().split("\n")
        ]
        assert found.split("\n") == expected
    assert ruff_format(source) == source


@settings(derandomize=True, deadline=None)
@given(st.integers() | st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_keep_value_type_and_sign(value: float) -> None:
    text = render(ast.Constant(value))
    assert repr(ast.literal_eval(text)) == repr(value)
    power = ast.BinOp(ast.Constant(value), ast.Pow(), ast.Constant(2))
    assert render(power).startswith("(" if text.startswith("-") else text)


@pytest.mark.parametrize(
    "node",
    [
        ast.Constant(float("inf")),
        ast.Constant(float("nan")),
        ast.Constant(b"bytes"),
        ast.Constant(1j),
        ast.Name("x; import os", LOAD),
        ast.Name("lambda", LOAD),
        ast.Name("na\u00efve", LOAD),
        ast.Attribute(ast.Name("x", LOAD), "y\n", LOAD),
        ast.Call(ast.Name("f", LOAD), [], [ast.keyword("a b", ast.Constant(1))]),
        ast.Await(ast.Name("x", LOAD)),
        ast.Set([ast.Constant(1)]),
        ast.parse("[a async for a in b]", mode="eval").body,
    ],
    ids=ast.dump,
)
def test_what_the_printer_cannot_print_safely_is_refused(node: ast.expr) -> None:
    with pytest.raises(ValueError, match=r"no layout|no literal|no name"):
        render(node)


@pytest.mark.parametrize(
    "text",
    ["import os", "a = b = 1", "@f\ndef g(): pass", "while x: pass", "del x"],
)
def test_statements_outside_the_set_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no layout"):
        render(ast.parse(text).body)


def test_a_longer_line_is_never_chosen_where_a_break_would_fit() -> None:
    random = Random(0)
    for _ in range(50):
        names = [Trees(random, 0.5).name() for _ in range(9)]
        call = ast.Call(
            ast.Name("f", LOAD), [ast.Name(name, LOAD) for name in names], []
        )
        lines = render([ast.Return(call)], 2).split("\n")
        assert max(map(len, lines)) <= 88
        assert all(a != "" and b != "" for a, b in pairwise(lines))
