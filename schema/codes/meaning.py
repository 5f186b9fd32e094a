"""Codes of sizes, shapes and parameters of a Graph."""

from __future__ import annotations

from .code import Code

GROUPS: dict[str, tuple[Code, ...]] = {
    "Sizes and shapes": (
        Code("dim-unknown", "a dim that no input binds, in bounds or in the shape of an output",
             '"dims": {"seq": {"max": 8}}'),
        Code("dim-optional", "a dim that only optional inputs bind",
             '"functions": {"main": {"inputs": {"x": {"shape": ["n"], "dtype": "float", '
             '"optional": true}}, "nodes": {"n": {"op": "default", "x": "x", "default": '
             '1}}, "outputs": {"y": "n"}}}'),
        Code("bounds", "bounds of a dim that hold for no size",
             '"dims": {"batch": {"min": 2, "max": 1}}'),
        Code("constraint", "a constraint that attributes alone break, or that no sizes of "
             "an entry satisfy",
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
        Code("state-assign", "an `assign` to what is no node `state` of its function",
             '{"op": "assign", "to": "x", "x": "x"}'),
        Code("state-lost", "state that a function updates where it can't be kept: in a "
             "`map` without a count, or in what says whether a loop goes on",
             '"functions": {"main": {"inputs": {"x": {"shape": [4, 8], "dtype": "float"}}, '
             '"nodes": {"n": {"op": "map", "function": "inner", "xs": {"x": "x"}}}, '
             '"outputs": {"y": "n"}}, "inner": {"inputs": {"x": {}}, "nodes": {"norm": '
             '{"op": "batch_norm", "x": "x", "features": 8}}, "outputs": {"y": "norm"}}}'),
        Code("parameter-path", "an array at the scope of its function, `.`",
             '{"op": "param", "shape": [8], "params": "."}'),
        Code("parameter-list", "a list of parameters with a gap: `layers.0`, `layers.2`",
             '{"op": "linear", "x": "x", "in_features": 8, "out_features": 8, '
             '"params": "layers.1"}'),
        Code("parameter-conflict", "two arrays that differ at one path",
             '"functions": {"main": {"inputs": {"x": {"shape": [8], "dtype": "float"}}, '
             '"nodes": {"a": {"op": "linear", "x": "x", "in_features": 8, '
             '"out_features": 4}, "b": {"op": "linear", "x": "x", "in_features": 8, '
             '"out_features": 2, "params": "a"}}, "outputs": {"y": "a", "z": "b"}}}'),
    ),
}  # fmt: skip
