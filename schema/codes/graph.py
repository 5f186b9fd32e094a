"""Codes of the file of a Graph, its fields, names and references."""

from __future__ import annotations

from .code import Code

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
             "bx.generate of an op that was typed in at a prompt, or that reads a constant "
             "of its module"),
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
        Code("output-next", "an output that is the next value of no input, or of one that "
             "another output is the next value of",
             '"functions": {"main": {"inputs": {"x": {"shape": [8], "dtype": "float"}}, '
             '"outputs": {"y": {"value": "x", "next": "k"}}}}'),
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
}  # fmt: skip
