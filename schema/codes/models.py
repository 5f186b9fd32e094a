"""Codes of models as a whole: arrays, examples, the Hub."""

from __future__ import annotations

from .code import Code

GROUPS: dict[str, tuple[Code, ...]] = {
    "Models": (
        Code("entry", "an entry that the Graph doesn't have",
             'bx.build(graph, "other")'),
        Code("part", "a part that the Graph doesn't have", 'graph.extract("h[99]")'),
        Code("inputs", "inputs of a call that the model doesn't take",
             "model(params, x, x), the model having one input"),
        Code("dims", "sizes of inputs that differ from each other, or lie out of bounds",
             "model(params, jnp.ones((0, 8))), the batch being at least 1"),
        Code("params", "Params that are not those of the Graph", "model({}, x)"),
        Code("dtype", "a dtype that is none, not floating, or complex where an op takes real "
             "numbers",
             'bx.build(graph, dtype="int32")'),
        Code("trace", "an op that fails on its operands", "model(params, x), where x has "
             "a shape that an op can't take"),
        Code("freeze", "a pattern of paths that matches no parameter",
             'bx.split(graph, params, freeze=["head.*"])'),
        Code("op", "an op that this blox has no function for",
             'blox.ops.library.op_function("nothing")'),
        Code("generate", "a Graph that no file can be generated for", "a file of ops "
             "whose source uses what generated files may not"),
        Code("mapping-rule", "a rule that maps no arrays: a pattern or a layout that is none",
             'bx.Rule("up.kernel", "{a}{b}.weight")'),
    ),
    "Weights": (
        Code("weights-missing", "an array of the Graph is in no file",
             "bx.load(\"model\"), a shard lacking an array"),
        Code("weights-unexpected", "an array in a file that the Graph doesn't have",
             "bx.load(\"model\"), a shard having one more"),
        Code("weights-shape", "an array of another shape", "bx.save(\"model\", graph, "
             "params), an array being longer"),
        Code("weights-dtype", "an array of another dtype, or a dtype that can't be stored",
             "bx.save(\"model\", graph, params), an array being complex128"),
        Code("weights-value", "bytes that are no value of their dtype",
             "a bool that is 2"),
        Code("weights-x64", "a 64-bit array without `jax_enable_x64`",
             "bx.load(\"model\") of int64", "either"),
        Code("weights-digest", "the Graph was changed since the weights were saved",
             "bx.load(\"model\"), graph.json having been edited", "either"),
        Code("weights-checksum", "damaged bytes; a warning where no checksum is known",
             "bx.verify(\"model\"), a byte having been changed", "either"),
        Code("weights-file", "a weight file that isn't there, can't be read, or is one of "
             "several sets", "bx.load(\"model\") without params.safetensors"),
        Code("weights-link", "a link that leads out of the model's folder",
             "bx.load(\"model\"), params.safetensors being a link to /"),
        Code("weights-size", "a file or a header larger than any model needs",
             "bx.load(\"model\"), an index having 1 GB"),
        Code("weights-changed", "a file that was changed while it was read",
             "a file cut off while it is loaded"),
        Code("weights-header", "a safetensors header that is damaged or not sound",
             "params.safetensors: 8 bytes of 0xff"),
        Code("weights-index", "an index of shards that doesn't fit its shards",
             "an index that names a shard that isn't there"),
        Code("weights-log", "the log of an interrupted save that is not one of blox",
             ".blox-commit.json: {}"),
        Code("weights-pending", "a save that was interrupted: what it wrote is read from "
             "hidden files", "bx.load(\"model\"), a save having been killed at its end",
             "warning"),
        Code("weights-memory", "a model that is larger than the memory that is left",
             "bx.load(\"model\", mmap=False) of 1 TB"),
        Code("weights-name", "a name that no file or array can have",
             "an array named with a line break"),
        Code("weights-metadata", "metadata that are not texts, or that blox itself writes",
             "metadata with a lone surrogate"),
        Code("weights-kind", "Params that hold something other than arrays",
             "bx.save(\"model\", graph, params), an array being a text"),
        Code("weights-target", "a place where no model can be saved",
             "bx.save(\"file.txt\", graph, params)"),
        Code("weights-write", "a file that can't be written",
             "bx.save(\"model\", graph, params) on a full disk"),
        Code("weights-host", "a machine whose bytes are in another order",
             "a big-endian machine"),
    ),
    "Examples of a model": (
        Code("example", "an example that does not hold, or is none",
             "bx.verify(\"model\"), the weights having been changed"),
        Code("examples-none", "a model without examples",
             "bx.verify(\"model\") of one saved without `examples=`", "warning"),
    ),
    "The Hub": (
        Code("hub", "the Hub can't be reached, or has no such model",
             "bx.load(\"hf://owner/nothing\")"),
        Code("hub-name", "no name of a model", "bx.load(\"hf://nothing\")"),
        Code("hub-missing", "`huggingface_hub` is not installed",
             "bx.load(\"hf://owner/name\") without it"),
    ),
}  # fmt: skip
