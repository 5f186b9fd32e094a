"""Codes of where a Graph comes from: the builder, checkpoints of others."""

from __future__ import annotations

from .code import Code

GROUPS: dict[str, tuple[Code, ...]] = {
    "The builder": (
        Code("builder", "a call of the builder that can't be meant",
             "f.linear(\"h\", x, 4), h being the name of a node already"),
        Code("builder-attributes",
             "a size of the Graph that doesn't follow the attributes as the code does",
             "bx.check_attributes(make, width=8), a size being int(0.5 * width)"),
        Code("builder-closure", "a value of another function",
             "f.relu(x), x being a value of g"),
        Code("builder-function", "a Python function that can't be one of a Graph",
             "f.call(\"c\", g)(x), g having *args"),
        Code("builder-shape", "a shape that is no list", 'bx.Input("batch")'),
        Code("builder-size", "a last axis whose size isn't known",
             "x.features, x being a scalar"),
        Code("builder-value", "what Python can't ask a value while one writes",
             "if x:, x in [y] or x[y], x and y being values"),
    ),
    "Checkpoints of transformers": (
        Code("hf-config", "a config.json that is none, or sets what blox has no op for",
             "config.json with a negative hidden_size"),
        Code("hf-family", "a family that blox doesn't know",
             "config.json with model_type `nothing`"),
        Code("hf-architecture", "a head that blox doesn't know",
             "config.json with architectures [`BertForNothing`]"),
        Code("hf-graph", "a Graph that isn't one of the family",
             "bx.to_hf of a Graph with another activation"),
        Code("hf-sentence", "files of sentence-transformers that are not sound",
             "modules.json with an unknown pooling"),
    ),
    "Generation of text": (
        Code("generation-config", "a setting that is out of range, or isn't known",
             "bx.GenerationConfig(top_p=2)"),
        Code("generation-input", "prompts that can't be continued",
             "bx.generate_tokens(graph, params, [[1]], max_new_tokens=10**6)"),
        Code("generation-model", "a Graph that writes no text token by token",
             "bx.generate_tokens(graph, params, [[1]]), the Graph having no entry step"),
    ),
    "Models of JAX": (
        Code("import-code", "a model whose own code fails, or can't be traced by JAX",
             "bx.from_jax of a function with `if x.sum() > 0`"),
        Code("import-derivative", "a derivative of a function's own, which no Graph has",
             "bx.from_jax of a function under jax.custom_vjp", "warning"),
        Code("import-model", "what can't be imported, or not in this way",
             "bx.from_jax(3, inputs={})"),
        Code("import-numbers", "a Graph that doesn't give the numbers of its source",
             "bx.from_jax of a function that draws numbers of its own in each call"),
        Code("import-origin", "an origin beside a model that is none, or none at all",
             '`bx.load_origin("model")` of one saved without `origin=`'),
        Code("import-part", "a part of a model that it does not have",
             'bx.from_jax(..., partial="decoder") of a model without such a function'),
        Code("import-primitive", "what JAX computes and no op of blox does",
             "bx.from_jax of a function that calls back to Python"),
        Code("import-size", "a size that the code decides by, and that was given a name",
             "bx.from_jax of a function with `for i in range(x.shape[0])`"),
    ),
    "All": (
        Code("more", "how many more findings there are than are reported one by one",
             "a Graph of 200 nodes of unknown ops", "either"),
    ),
}  # fmt: skip
