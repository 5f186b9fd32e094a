"""The points of the comparison: what is asked of every library.

A fact is the name of a function in each of the modules `with_blox.py`, `with_equinox.py`,
`with_nnx.py` and `with_jax_blox.py`, which observes it.
"""

from __future__ import annotations

from dataclasses import dataclass

LIBRARIES = {
    "blox": "blox",
    "equinox": "Equinox",
    "nnx": "Flax NNX",
    "jax_blox": "jax-blox",
}


@dataclass(frozen=True)
class Point:
    """A section of the page: what was done, and the facts with what each one asks."""

    title: str
    about: str
    facts: dict[str, str]


POINTS = [
    Point(
        "Plain `jax.jit`",
        "A function of the whole model is given to `jax.jit` and called in training, "
        "with nothing else done: `jax.jit(lambda model, tokens: ...)(model, tokens)`.",
        {
            "jit_whole": "`jax.jit` of a function of the model",
            "jit_other_leaves": "leaves of the model's tree that are no arrays",
            "jit_compilations": "programs compiled in three calls, by the library's way",
        },
    ),
    Point(
        "A training step",
        "Making the tagger, and its step in the way of each library's documentation: "
        "compiled, gradients of what is trained, new statistics, SGD with momentum of "
        "optax.",
        {
            "training_lines": "lines of it",
            "training_names": "calls that are not JAX's or optax's",
        },
    ),
    Point(
        "Where state lies",
        "The tagger is called once in training, without `jax.jit`.",
        {
            "state_statistics": "running statistics",
            "state_in_place": "does a call change what it was given, in place?",
            "state_keys": "keys for random numbers among the model's arrays",
        },
    ),
    Point(
        "Transforms to maintain",
        "Public names that are those of transforms and control flow in JAX, by "
        "themselves or after `filter_`, `static_`, `dynamic_`. Loops of blox are ops of "
        "the format, which `jax.lax` runs.",
        {"transforms": "of its own"},
    ),
    Point(
        "Random numbers",
        "Dropout at 0.5 of four equal rows: how many of the four masks differ. The first "
        "and third row do nothing about keys, the others what the library has for it. In "
        "the last, four layers run in one loop.",
        {
            "random_vmap": "`jax.vmap` over the rows",
            "random_vmap_own": "each row its own mask",
            "random_scan": "`jax.lax.scan` over the rows",
            "random_scan_own": "each step its own mask",
            "random_layers": "layers in a loop",
        },
    ),
    Point(
        "Trees over a training step",
        "What the step above takes and gives back: model, state, optimiser.",
        {
            "tree_step": "the same structure, shapes and dtypes",
            "tree_scan": "three steps in `jax.lax.scan`",
        },
    ),
    Point(
        "Tied weights",
        "An embedding and a linear layer without bias are given one array. Then a step "
        "downhill by `jax.grad` and `jax.tree.map`, and by what the library has for it. "
        "(The tagger has no such layer: its head reads the table of the embedding.)",
        {
            "tied_arrays": "arrays in the tree (`jax.tree.leaves`)",
            "tied_plain": "after a step",
            "tied_own": "after a step, its own way",
        },
    ),
    Point(
        "Statistics of batches",
        "`batch_norm` in training, alone, under transforms of JAX: is the running mean the "
        "one that NumPy gives of the whole batch? Where it is not, the library's own "
        "transform follows. `jax.vmap` runs over the rows with a named axis, "
        "`jax.shard_map` on two devices.",
        {
            "statistics_jit": "`jax.jit`",
            "statistics_grad": "`jax.grad`",
            "statistics_vmap": "`jax.vmap`",
            "statistics_scan": "`jax.lax.scan`, three batches",
            "statistics_shard_map": "`jax.shard_map`",
        },
    ),
    Point(
        "Initial values when a layer is added",
        "Three linear layers are made from a seed, then four: how many of the three "
        "kernels start otherwise.",
        {
            "init_inserted": "behind the first",
            "init_appended": "behind the last",
        },
    ),
    Point(
        "When settings change",
        "A compiled call of dropout, whose rate goes from 0.1 to 0.9, and a compiled "
        "tagger that is made a second time with the same settings, in the same process.",
        {
            "settings_changed": "another rate",
            "settings_same": "programs compiled for the same settings",
        },
    ),
    Point(
        "Saving, and loading without the code",
        "The tagger is saved. A new process that has the library, and not the Python that "
        "defines the tagger, loads and runs it.",
        {
            "save_files": "files",
            "save_run": "run it without its code",
            "save_names": "arrays found by name without its code",
            "save_settings": "of `heads`, `rate`, `gelu`, the files say",
            "save_export": "instead, as a compiled program of fixed shapes by `jax.export`",
        },
    ),
    Point(
        "Lines of a model",
        "The definition of the tagger, an embedding tied to the head, a convolution, "
        "`batch_norm` and blocks of attention with dropout, formatted alike: lines of code "
        "without imports and docstrings. Given the same arrays all four compute the same "
        "logits to 1e-4, which the stage `parity` holds.",
        {"model_lines": "lines"},
    ),
]

GLANCE = {
    "jit_whole": "`jax.jit` of a function of the model",
    "training_lines": "lines to make it and of a training step",
    "state_in_place": "does a call change what it was given, in place?",
    "transforms": "transforms of its own",
    "random_vmap": "dropout under plain `jax.vmap`: masks that differ",
    "random_vmap_own": "its way to masks of their own",
    "tree_scan": "three training steps in `jax.lax.scan`",
    "tied_plain": "tied layers after a step by `jax.grad`",
    "tied_own": "the same, its own way",
    "statistics_jit": "running statistics under `jax.jit`",
    "statistics_shard_map": "under `jax.shard_map`",
    "init_inserted": "initial values that change when a layer is inserted",
    "settings_changed": "another dropout rate",
    "settings_same": "programs compiled when the model is made again",
    "save_run": "a saved model runs without its code",
    "save_names": "names of arrays in the files",
    "save_settings": "settings in the files",
    "model_lines": "lines of the model",
}
"""The rows of the first table."""
NOTES = {
    "equinox": "a model is any Python; a call changes nothing; keys are arguments, as in "
    "JAX. `eqx.partition` makes arrays of a model for any transform, `eqx.filter_jit` "
    "does it by itself. A model that is made again with the same settings runs what was "
    "compiled. `eqx.nn.Shared` keeps ties.",
    "nnx": "the shortest training step, and no key in a signature. Modules are pytrees "
    "now: plain `jax.jit`, `jax.grad` and `jax.lax.scan` take them, and state is right "
    "where the function returns the model. A stream of keys that a mapped function "
    "closes over is an error, where the others give equal masks. Settings are changed in "
    "place, and what is compiled follows.",
    "jax_blox": "all arrays, state and keys lie in one container, so every transform of "
    "JAX applies as it is; statistics are right under all five. As the carry of a scan "
    "it gives each step its own mask.",
    "blox": "files are the model, with its settings; it loads and runs without the code "
    "that wrote it. Other layers start as before when one is added. The limit: what is "
    "no op is written as several, or registered; a model is not any Python.",
}
"""What speaks for each, by the facts."""
