"""Token by token, as transformers writes: see parity/hf/make_tiny_llama.py."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

import blox as bx
from blox.generation.scores import warped
from blox.generation.stepping import Stepper

TINY = Path(__file__).parents[1] / "hf" / "tiny_llama"
EXPECTED: dict[str, Any] = json.loads((TINY / "expected.json").read_text())
PROMPTS: list[list[int]] = EXPECTED["prompts"]
Made = tuple[bx.Graph, Any]


@pytest.fixture(scope="module")
def tiny() -> Made:
    return bx.from_hf(TINY)


def name(case: Any) -> str:
    return ",".join(f"{n}={v}" for n, v in case["settings"].items()).replace(" ", "")


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(
            case, id=name(case), marks=[] if i in (1, 3, 6) else pytest.mark.slow
        )
        for i, case in enumerate(EXPECTED["expected"])
    ],
)
def test_ids_are_those_of_transformers(case: Any, tiny: Made) -> None:
    """Prompts of unequal lengths in one batch, each as alone in transformers."""
    found = bx.generate_tokens(*tiny, PROMPTS, **case["settings"])
    assert found == case["rows"]


def test_tokens_come_one_by_one_and_a_text_can_be_stopped(tiny: Made) -> None:
    heard: list[tuple[int, int]] = []
    wanted = [row[:3] for row in EXPECTED["expected"][1]["rows"]]
    found = bx.generate_tokens(
        *tiny,
        PROMPTS,
        max_new_tokens=24,
        repetition_penalty=1.7,
        on_token=lambda row, token: heard.append((row, token)),
        stop=lambda row, ids: len(ids) == 3,
    )
    assert found == wanted
    assert [[t for r, t in heard if r == row] for row in range(3)] == wanted
    assert [row for row, _ in heard] == [0, 1, 2] * 3


def test_a_text_beyond_the_caches_is_refused_before_it_runs(tiny: Made) -> None:
    with pytest.raises(bx.ModelError) as caught:
        bx.generate_tokens(*tiny, PROMPTS, max_new_tokens=42)
    assert str(caught.value) == (
        "max_new_tokens: expected at most 41 after 7 ids, as there are 48 places, found 42"
    )


def test_there_is_one_compilation_for_a_bucket(tiny: Made) -> None:
    from blox.generation.tasks import _loop

    graph, params = tiny
    config = bx.GenerationConfig.of(graph)
    bx.generate_tokens(graph, params, [[3, 4]], config, max_new_tokens=6)
    loop = _loop(Stepper(graph), config.replace(max_new_tokens=6))
    before = loop._cache_size()
    for prompt in ([3], [3] * 9, [5] * 10):
        bx.generate_tokens(graph, params, [prompt], config, max_new_tokens=6)
    assert loop._cache_size() == before


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"prompts": []}, "prompts: expected at least one id for each, found none"),
        ({"prompts": [[]]}, "prompts: expected at least one id for each, found none"),
        ({}, "prompts: expected ids, found none"),
        (
            {"prompts": [[3]], "do_sample": True},
            "key: expected a key to draw with, found none; jax.random.key(0)",
        ),
        (
            {"prompts": [[3]], "num_beams": 2, "on_token": print},
            "num_beams: expected 1 with do_sample, on_token or stop, found more",
        ),
        (
            {"prompts": [[3]], "top_p": 2},
            "top_p: expected a number above 0, at most 1, found 2",
        ),
    ],
)
def test_what_is_refused(given: Any, message: str, tiny: Made) -> None:
    with pytest.raises(bx.BloxError) as caught:
        bx.generate_tokens(*tiny, **given)
    assert str(caught.value) == message


def test_a_model_without_steps_is_refused() -> None:
    b = bx.GraphBuilder("plain")

    @b.entry(x=bx.Input(["batch", 3]))
    def main(f: bx.F, x: bx.Value) -> bx.Value:
        return f.relu(x)

    with pytest.raises(bx.ModelError, match="expected an entry 'step' with caches"):
        bx.generate_tokens(b.graph(), {}, [[1]])


def test_settings_of_a_file() -> None:
    data = json.loads((TINY / "generation_config.json").read_text())
    config = bx.GenerationConfig.read(data)
    assert (config.eos_token_id, config.pad_token_id) == ((2,), 0)
    drawn = bx.GenerationConfig.read({**data, "do_sample": True, "top_p": 0.5})
    assert (drawn.top_k, drawn.top_p) == (50, 0.5)
    with pytest.raises(bx.SpecError) as caught:
        bx.GenerationConfig.read(
            {"guidance_scale": 2.0, "novel": 1, "top_k": 3}, "file"
        )
    assert str(caught.value).splitlines() == [
        "file.guidance_scale: expected 1.0, found 2.0",
        "file.novel: expected a known setting, found 1",
    ]


def numpy_warped(scores: Any, k: int, p: float, least: float) -> Any:
    """Top k, then the nucleus of p, then those above a part of the most likely."""
    kept = scores >= np.sort(scores)[-k]
    order = np.argsort(-np.where(kept, scores, -np.inf))
    likely = np.where(kept, np.exp(scores - scores.max()), 0)
    likely = likely / likely.sum()
    nucleus = np.cumsum(likely[order]) - likely[order] < p
    kept &= np.isin(np.arange(len(scores)), order[nucleus])
    likely = np.where(kept, likely, 0) / likely[kept].sum()
    return kept & (likely >= least * likely.max())


@pytest.mark.parametrize(
    ("k", "p", "least"), [(5, 1.0, 0.0), (20, 0.6, 0.0), (20, 1.0, 0.2), (9, 0.8, 0.1)]
)
def test_what_can_be_drawn(k: int, p: float, least: float) -> None:
    scores = np.random.default_rng(0).normal(size=(3, 20)).astype(np.float32) * 2
    config = bx.GenerationConfig(
        do_sample=True, top_k=k, top_p=p, min_p=least, temperature=0.5
    )
    found = np.isfinite(np.asarray(warped(jax.numpy.asarray(scores), config)))
    for row, one in zip(found, scores / 0.5, strict=True):
        np.testing.assert_array_equal(row, numpy_warped(one, k, p, least))


def test_draws_follow_the_key(tiny: Made) -> None:
    def drawn(seed: int) -> Any:
        return bx.generate_tokens(
            *tiny, [[3, 4]], do_sample=True, max_new_tokens=8, key=jax.random.key(seed)
        )

    assert drawn(0) == drawn(0) != drawn(1)


class Letters:
    """A tokenizer of letters: id 3 is a."""

    class _Ids:
        def __init__(self, ids: list[int]) -> None:
            self.ids = ids

    def encode(self, text: str) -> Any:
        return self._Ids([ord(c) - 94 for c in text])

    def decode(self, ids: list[int]) -> str:
        return "".join(chr(i + 94) for i in ids)


def test_texts(tiny: Made) -> None:
    [whole] = bx.generate_text(*tiny, ["ab"], Letters(), max_new_tokens=9)
    assert len(whole) == 9
    heard: list[str] = []
    [cut] = bx.generate_text(
        *tiny,
        ["ab"],
        Letters(),
        stop_strings=[whole[4:6]],
        on_text=lambda row, text: heard.append(text),
        max_new_tokens=9,
    )
    assert cut == whole[: whole.index(whole[4:6])]
    assert "".join(heard).startswith(cut)
