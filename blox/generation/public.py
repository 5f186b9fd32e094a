"""`bx.generate_tokens`: what a model writes after prompts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax

from blox.schema import Graph
from blox.schema.graph import expect_graph

from .config import GenerationConfig
from .stepping import Stepper
from .tasks import OnToken, Stop, Task, refuse


def generate_tokens(
    graph: Graph,
    params: Any,
    prompts: Sequence[Sequence[int]] | None = None,
    config: GenerationConfig | None = None,
    *,
    key: jax.Array | None = None,
    encode: Mapping[str, Any] | None = None,
    on_token: OnToken | None = None,
    stop: Stop | None = None,
    prefill_chunk: int = 512,
    **settings: Any,
) -> list[list[int]]:
    """What a model writes after each of some prompts, as ids.

        ids = bx.generate_tokens(graph, params, [[1, 5, 9]], max_new_tokens=20)

    Prompts of other lengths than the longest are padded on the left. There is one
    compilation for each bucket of prompt lengths and of capacities, powers of two.

    Args:
        graph: with an entry `step` whose caches are outputs with `next`, as `bx.from_hf`
            makes it of a causal language model, or of one with an encoder.
        params: of it.
        prompts: ids, one list for each text. A model with an encoder takes none: each of
            its texts begins with `decoder_start_token_id`.
        config: how tokens are chosen; by default greedily, with the ids of the Graph.
        key: for `do_sample`.
        encode: the inputs of the entry `encode`, by name, where there is one.
        on_token: called with each token when it is there; not with beams.
        stop: called with the number of a prompt and its new ids: True where that text is
            to end; not with beams.
        prefill_chunk: prompts are read so many tokens at once.
        settings: of `config`, by name: `temperature=0.7`.

    Returns:
        The new ids of each text, the one that ends it included.

    Raises:
        ModelError: no such entry; prompts that with `max_new_tokens` need more places than
            the caches may have; no ids, no key to draw with.
        SpecError: settings that are out of range.
    """
    expect_graph(graph)
    config = (config or GenerationConfig.of(graph)).replace(**settings)
    task = Task(Stepper(graph), params, config, encode or {})
    rows = task.prompts(prompts)
    if config.do_sample and key is None:
        refuse("key", "expected a key to draw with, found none", "jax.random.key(0)")
    if config.num_beams > 1:
        if on_token is not None or stop is not None or config.do_sample:
            refuse(
                "num_beams", "expected 1 with do_sample, on_token or stop, found more"
            )
        return task.search(rows, prefill_chunk)
    key = jax.random.key(0) if key is None else key
    return list(task.write(rows, prefill_chunk, key, on_token, stop))
