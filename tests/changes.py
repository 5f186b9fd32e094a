"""Every way to change a list or a dict, and a spec that has lists and dicts of all kinds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sample_specs import spec

OTHER: dict[str, Any] = spec(
    {
        "fixed": {"op": "constant", "value": [[1, 2], [3, 4]], "dtype": "int32"},
        "conv": {"op": "conv", "x": "x", "kernel_size": [3], "padding": [[1, 1]],
                 "in_features": 8, "out_features": 8, "axes": {"bias": ["model"]},
                 "init": {"kernel": {"name": "ones"}}, "frozen": ["bias"]},
        "parts": {"op": "index", "x": "conv", "at": "..., 1:"},
    },
    constraints=["batch >= 1"],
    dims={"batch": {"min": 1}},
    metadata={"authors": ["a"], "tags": ["b"], "extra": {"c": 1}},
)  # fmt: skip
CHANGES: dict[type, list[Callable[[Any], Any]]] = {
    list: [
        lambda v: v.__init__([1]),
        lambda v: v.append(1),
        lambda v: v.extend([1]),
        lambda v: v.insert(0, 1),
        lambda v: v.remove(1),
        lambda v: v.pop(),
        lambda v: v.clear(),
        lambda v: v.sort(),
        lambda v: v.reverse(),
        lambda v: v.__setitem__(0, 1),
        lambda v: v.__setitem__(slice(None), []),
        lambda v: v.__delitem__(0),
        lambda v: v.__iadd__([1]),
        lambda v: v.__imul__(2),
    ],
    dict: [
        lambda v: v.__init__(a=1),
        lambda v: v.update(a=1),
        lambda v: v.setdefault("a", 1),
        lambda v: v.pop("a", 1),
        lambda v: v.popitem(),
        lambda v: v.clear(),
        lambda v: v.__setitem__("a", 1),
        lambda v: v.__delitem__("a"),
        lambda v: v.__ior__({"a": 1}),
    ],
}
