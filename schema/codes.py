"""The registry of diagnostic codes: severity, meaning, and an example of each.

A `Diagnostic` takes no other code. `docs/diagnostics.md` is made of this table, and
`tests/test_diagnostics.py` makes every example yield its code.

An example is a node `n` of the function `main`, whose input is x, where it begins with
`{`; fields of the Graph, where it begins with `"`; else a call in words.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Code:
    """One kind of finding. `either` is an error or a warning, by where it is found."""

    name: str
    meaning: str
    example: str
    severity: Literal["error", "warning", "either"] = "error"


GROUPS: dict[str, tuple[Code, ...]] = {
    "The file of a Graph": (
        Code("file-model", "there is no model, or no Graph, at the path",
             'bx.load("nothing")'),
        Code("file-read", "the file can't be read: a link out of its folder, a FIFO, "
             "damaged, no permission", 'bx.load("model"), graph.json being a FIFO'),
        Code("file-disagree", "files that hold the Graph hold different ones",
             'bx.load("model"), graph.msgpack being that of another model'),
        Code("file-size", "more bytes than any Graph needs",
             'bx.load("model"), graph.json having 17 MiB'),
        Code("file-syntax", "neither JSON nor msgpack", "graph.json: {"),
        Code("file-encoding", "text that is no UTF-8", r"graph.json: {'\xff'"),
        Code("file-duplicate-key", "a key that its object has already",
             'graph.json: {"a": 1, "a": 2}'),
        Code("file-number", "a number that is not finite", 'graph.json: {"a": 1e999}'),
        Code("file-integer", "an integer beyond 64 bits",
             'graph.json: {"a": 18446744073709551616}'),
        Code("file-type", "msgpack of what is no plain data",
             "graph.msgpack with a timestamp"),
        Code("file-text", "a text of more than 65,536 characters",
             "graph.json with a `doc` of 65,537 characters"),
        Code("file-depth", "more than 24 objects and lists within each other",
             "graph.json: 25 times ["),
        Code("file-count", "more than 250,000 values and keys",
             "graph.json: 250,001 times [],"),
        Code("format-missing", "no `format`: perhaps no file of blox",
             'Graph.parse({"name": "model", "functions": {}})'),
        Code("format-version", "a format that this blox can't read",
             '"format": "blox/2"'),
    ),
    "Fields": (
        Code("field-missing", "a field that must be given", '{"op": "relu"}'),
        Code("field-unknown", "a field that its object doesn't have",
             '{"op": "relu", "x": "x", "inplace": true}'),
        Code("field-value", "a value of another type, or one that the field can't have",
             '{"op": "elu", "x": "x", "alpha": "big"}'),
        Code("op-unknown", "no op of that name, or of that version",
             '{"op": "rellu", "x": "x"}'),
        Code("op-unregistered", "an op that is no core op, and has neither a body in the "
             "Graph nor a registered function",
             '{"op": "acme:rope", "x": "x"}'),
        Code("op-register", "a class and a function that can't be registered as an op",
             'bx.register(Op, abs)'),
        Code("op-source", "a registered function whose source can't be carried over",
             "bx.generate of an op that was typed in at a prompt"),
        Code("op-body", "a body of an op that is no function, has state or keys, or "
             "other parameters than the op that is registered",
             '"ops": {"acme:rope": "other"}'),
        Code("op-body-untried", "a registered op and its body that can't be compared on "
             "small inputs",
             'bx.verify("model"), an input having 2,048 rows and columns at least',
             "warning"),
        Code("attribute", "attributes of an op that make no sense together or alone, or "
             "an attribute that the Graph doesn't have",
             '{"op": "transpose", "x": "x", "permutation": [0, 0]}'),
        Code("expression", "an expression that is none, has no value, or names what "
             "isn't there", '{"op": "elu", "x": "x", "alpha": "$width"}'),
    ),
    "Names and entries": (
        Code("name-reserved", "a name that generated files need, or a Python builtin",
             '"attributes": {"jnp": 1}'),
        Code("name-shadows", "a function or model named as an op of this file, or both "
             "named alike", '"name": "main"'),
        Code("name-twice", "one name for two things in one place",
             '"attributes": {"width": 8}, "dims": {"width": {"min": 1}}'),
        Code("entry-unknown", "an entry that is no function", '"entries": ["other"]'),
        Code("entry-twice", "an entry that is listed twice",
             '"entries": ["main", "main"]'),
        Code("entry-attributes", "an entry with attributes of its own, which nothing "
             "gives", '"functions": {"main": {"attributes": ["k"], '
             '"inputs": {"x": {"shape": [8], "dtype": "float"}}, '
             '"outputs": {"y": "x"}}}'),
        Code("entry-input", "an input of an entry without shape or dtype",
             '"functions": {"main": {"inputs": {"x": {"shape": [8]}}, '
             '"outputs": {"y": "x"}}}'),
        Code("input-order", "an input that is not optional after one that is",
             '"functions": {"main": {"inputs": {"x": {"shape": [8], "dtype": "float", '
             '"optional": true}, "y": {"shape": [8], "dtype": "float"}}, '
             '"outputs": {"z": "y"}}}'),
    ),
    "References": (
        Code("reference-unknown", "a reference to nothing", '{"op": "relu", "x": "y"}'),
        Code("reference-forward", "a reference to a node that comes later, or to itself",
             '{"op": "relu", "x": "n"}'),
        Code("reference-output", "an output that its node doesn't have, or a node of "
             "several without saying which", '{"op": "relu", "x": "x.first"}'),
        Code("reference-kind", "a key where a tensor is expected, or the reverse",
             '{"op": "dropout", "x": "x", "key": "x", "rate": 0.5}'),
        Code("reference-optional", "a value that may be absent where one is needed",
             '"functions": {"main": {"inputs": {"x": {"shape": [8], "dtype": "float", '
             '"optional": true}}, "nodes": {"n": {"op": "relu", "x": "x"}}, '
             '"outputs": {"y": "n"}}}'),
        Code("operand", "an op without an operand that it needs, or of numbers alone",
             '{"op": "add", "a": 1, "b": 2}'),
    ),
    "Calls": (
        Code("function-unknown", "a call of a function that isn't there",
             '{"op": "call", "function": "other"}'),
        Code("cycle", "functions that call each other in a circle",
             '{"op": "call", "function": "main", "inputs": {"x": "x"}}'),
        Code("call-depth", "more than 64 functions that call each other in a chain",
             "a chain of 65 functions, each of which calls the next"),
        Code("call-attributes", "a call that gives other attributes than its function "
             "has", '"functions": {"main": {"inputs": {"x": {"shape": [8], "dtype": '
             '"float"}}, "nodes": {"n": {"op": "call", "function": "inner", "inputs": '
             '{"x": "x"}, "attributes": {"k": 1}}}, "outputs": {"y": "n"}}, '
             '"inner": {"inputs": {"x": {}}, "outputs": {"y": "x"}}}'),
        Code("argument", "arguments that don't fit the inputs of the function",
             '"functions": {"main": {"inputs": {"x": {"shape": [8], "dtype": "float"}}, '
             '"nodes": {"n": {"op": "call", "function": "inner", "inputs": '
             '{"z": "x"}}}, "outputs": {"y": "n"}}, '
             '"inner": {"inputs": {"x": {}}, "outputs": {"y": "x"}}}'),
        Code("carry", "a loop whose function doesn't return the next carry",
             '"functions": {"main": {"inputs": {"x": {"shape": [8], "dtype": "float"}}, '
             '"nodes": {"n": {"op": "repeat", "function": "inner", "count": 2, "carry": '
             '{"x": "x"}}}, "outputs": {"y": "n"}}, '
             '"inner": {"inputs": {"x": {}}, "outputs": {"y": "x"}}}'),
        Code("unused-function", "a function that nothing calls",
             '"functions": {"main": {"inputs": {"x": {"shape": [8], "dtype": "float"}}, '
             '"outputs": {"y": "x"}}, "spare": {"inputs": {"x": {}}, '
             '"outputs": {"y": "x"}}}', "warning"),
        Code("unused-node", "a node that no output needs",
             '"functions": {"main": {"inputs": {"x": {"shape": [8], "dtype": "float"}}, '
             '"nodes": {"n": {"op": "relu", "x": "x"}}, "outputs": {"y": "x"}}}',
             "warning"),
    ),
    "Sizes and shapes": (
        Code("dim-unknown", "bounds of a dim that no entry's input binds",
             '"dims": {"seq": {"max": 8}}'),
        Code("dim-optional", "a dim that only optional inputs bind",
             '"functions": {"main": {"inputs": {"x": {"shape": ["n"], "dtype": "float", '
             '"optional": true}}, "nodes": {"n": {"op": "default", "x": "x", "default": '
             '1}}, "outputs": {"y": "n"}}}'),
        Code("bounds", "bounds of a dim that hold for no size",
             '"dims": {"batch": {"min": 2, "max": 1}}'),
        Code("constraint", "a constraint that attributes alone break",
             '"attributes": {"width": 8}, "constraints": ["width < 8"]'),
        Code("shape", "shapes that don't fit at some sizes within the bounds",
             '{"op": "reshape", "x": "x", "shape": ["$batch", 7]}'),
        Code("shape-undecided", "shapes that can't be decided for all sizes; those that "
             "were tried fit",
             'bx.validate("model") where JAX can\'t compare two products of dims',
             "warning"),
        Code("shape-skipped", "an entry whose shapes take more work than a file may",
             'bx.validate("model") with sizes that multiply without end', "warning"),
        Code("too-large", "more nodes, copies, arrays or elements than the limits of "
             "docs/format.md allow",
             '{"op": "param", "shape": [1099511627776, 1024]}'),
    ),
    "Parameters": (
        Code("parameter-size", "a size of parameters that isn't known, or that a dim "
             "decides", '{"op": "linear", "x": "x", "in_features": "$batch", '
             '"out_features": 8}'),
        Code("parameter-unknown", "`init`, `axes` or `frozen` of a parameter that the op "
             "doesn't have", '{"op": "linear", "x": "x", "in_features": 8, '
             '"out_features": 8, "frozen": ["scale"]}'),
        Code("parameter-axes", "another number of axes than the parameter has",
             '{"op": "linear", "x": "x", "in_features": 8, "out_features": 8, '
             '"axes": {"kernel": ["embed"]}}'),
        Code("parameter-init", "an initialiser that doesn't fit the parameter's axes or "
             "dtype", '{"op": "linear", "x": "x", "in_features": 8, "out_features": 8, '
             '"init": {"bias": {"name": "orthogonal"}}}'),
        Code("parameter-path", "an array at the scope of its function, `.`",
             '{"op": "param", "shape": [8], "params": "."}'),
        Code("parameter-conflict", "two arrays that differ at one path",
             '"functions": {"main": {"inputs": {"x": {"shape": [8], "dtype": "float"}}, '
             '"nodes": {"a": {"op": "linear", "x": "x", "in_features": 8, '
             '"out_features": 4}, "b": {"op": "linear", "x": "x", "in_features": 8, '
             '"out_features": 2, "params": "a"}}, "outputs": {"y": "a", "z": "b"}}}'),
    ),
    "Models": (
        Code("entry", "an entry that the Graph doesn't have",
             'bx.build(graph, "other")'),
        Code("inputs", "inputs of a call that the model doesn't take",
             "model(params, x, x), the model having one input"),
        Code("dims", "sizes of inputs that differ from each other, or lie out of bounds",
             "model(params, jnp.ones((0, 8))), the batch being at least 1"),
        Code("params", "Params that are not those of the Graph", "model({}, x)"),
        Code("dtype", "a dtype that is none, or not floating",
             'bx.build(graph, dtype="int32")'),
        Code("trace", "an op that fails on its operands", "model(params, x), where x has "
             "a shape that an op can't take"),
        Code("freeze", "a pattern of paths that matches no parameter",
             'bx.split(graph, params, freeze=["head.*"])'),
        Code("op", "an op that this blox has no function for",
             'blox.ops.library.op_function("nothing")'),
        Code("generate", "a Graph that no file can be generated for", "a file of ops "
             "whose source uses what generated files may not"),
    ),
    "Weights": (
        Code("weights-missing", "an array of the Graph is in no file",
             "bx.load(\"model\"), a shard lacking an array"),
        Code("weights-unexpected", "an array in a file that the Graph doesn't have",
             "bx.load(\"model\"), a shard having one more"),
        Code("weights-shape", "an array of another shape", "bx.save(\"model\", graph, "
             "params), an array being longer"),
        Code("weights-dtype", "an array of another dtype, or a dtype that can't be stored",
             "bx.save(\"model\", graph, params), an array being complex"),
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
    "The builder": (
        Code("builder", "a call of the builder that can't be meant",
             "f.relu(\"h\", x), h being the name of a node already"),
        Code("builder-closure", "a value of another function",
             "f.relu(\"h\", x), x being a value of g"),
        Code("builder-function", "a Python function that can't be one of a Graph",
             "@graph.function on one with *args"),
        Code("builder-shape", "a shape that is no list", 'bx.Input("batch")'),
        Code("builder-size", "a last axis whose size isn't known",
             "x.features, x being a scalar"),
        Code("builder-value", "Python's `if` or an operator on a value",
             "if x: or x + y in a function of the builder"),
    ),
    "Checkpoints of transformers": (
        Code("hf-config", "a config.json that is none, or sets what blox has no op for",
             "config.json with a negative hidden_size"),
        Code("hf-family", "a family that blox doesn't know",
             "config.json with model_type `nothing`"),
        Code("hf-architecture", "a head that blox doesn't know",
             "config.json with architectures [`BertForNothing`]"),
        Code("hf-name", "an array that transformers has no name for",
             "an array beside those of the family"),
        Code("hf-graph", "a Graph that isn't one of the family",
             "bx.to_hf of a Graph with another activation"),
        Code("hf-sentence", "files of sentence-transformers that are not sound",
             "modules.json with an unknown pooling"),
    ),
    "All": (
        Code("more", "how many more findings there are than are reported one by one",
             "a Graph of 200 nodes of unknown ops", "either"),
    ),
}  # fmt: skip
CODES = {code.name: code for group in GROUPS.values() for code in group}
