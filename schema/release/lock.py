"""What the ops of a release mean, in a form that can be compared: the folder `locked`.

An op is locked by its fields, their types and their defaults, and by its outputs. Once
released, none of that changes under the same name: another meaning is `op@2`.
"""

from __future__ import annotations

import json
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from .. import dtypes, fields, initializers, literals
from ..names import Name
from ..op import ParamOp, ScopeOp
from ..op_fields import MODIFIERS
from ..ops.index import FAMILIES
from ..registry import op_class
from ..strict import Strict

FOLDER = Path(__file__).parent / "locked"
INITIALIZERS = "initializers"

_TYPES: list[tuple[str, Any]] = [
    ("dtype", dtypes.DType),
    ("real dtype", dtypes.RealDType),
    ("stored dtype", dtypes.StoredDType),
    ("initializer", initializers.Initializer),
    ("literal", literals.LiteralArray),
    ("tensor", fields.Tensor),
    ("optional tensor", fields.OptionalTensor),
    ("tensors", fields.Tensors),
    ("arguments", fields.TensorMap),
    ("key", fields.Key),
    ("optional key", fields.OptionalKey),
    ("slot", fields.ParamSlot),
    ("size", fields.Size),
    ("count", fields.Count),
    ("int", fields.Int),
    ("float", fields.Float),
    ("scalar", fields.Scalar),
    ("fill", fields.Fill),
    ("name", Name),
]
_INITIALIZERS = get_args(get_args(initializers.Initializer)[0])


def names() -> list[str]:
    """The names of the files: a family of ops each, and the initialisers."""
    return [*FAMILIES, INITIALIZERS]


def text(name: str) -> str:
    """The text of `locked/NAME.json`: ops or initialisers by name, one line a field."""
    if name == INITIALIZERS:
        data = {
            cls.model_fields["name"].default: _fields(cls, {"name"})
            for cls in _INITIALIZERS
        }
    else:
        data = {key: locked(key) for key in FAMILIES[name]}
    return json.dumps(data, indent=1) + "\n"


def changes(old: str, new: str) -> list[str]:
    """What was locked in `old` and is another thing in `new`, one line each.

    A new op is no change, but a new field of an old one is: what old files mean must
    not depend on it, and a person has to judge that.
    """
    before, after = json.loads(old), json.loads(new)
    found = []
    for name, fields_ in before.items():
        now = after.get(name)
        if now is None:
            found.append(f"{name}: expected it to stay, found none")
            continue
        for part in dict.fromkeys((*fields_, *now)):
            was, is_ = fields_.get(part), now.get(part)
            if was != is_:
                found.append(f"{name}.{part}: expected {was}, found {is_}")
    return found


def locked(key: str) -> dict[str, str]:
    """What is locked of an op: its kind, its outputs, and a line a field."""
    cls = op_class(key)
    assert cls is not None
    kind = (
        "parameters"
        if issubclass(cls, ParamOp)
        else "calls"
        if issubclass(cls, ScopeOp)
        else "function"
    )
    words = [kind, *(["train"] if cls.TRAIN else []), *(["state"] * cls.STATEFUL)]
    words += ["assigns"] if cls.ASSIGNS else []
    outputs = ", ".join(cls.OUTPUTS)
    head = {"(kind)": " ".join(words), "(outputs)": outputs}
    return {**head, **_fields(cls, MODIFIERS - {"names"})}


def _fields(cls: type[Strict], hidden: Any) -> dict[str, str]:
    hints = get_type_hints(cls, include_extras=True)
    found = {}
    for name, info in cls.model_fields.items():
        if name in hidden:
            continue
        line = _type(hints[name])
        if not info.is_required():
            default = info.get_default(call_default_factory=True)
            line += f" = {json.dumps(default)}"
        found[info.alias or name] = line
    return found


def _type(hint: Any) -> str:
    """A type as a word that stays the same whatever Pydantic makes of it."""
    for word, known in _TYPES:
        if hint == known:
            return word
    origin, parts = get_origin(hint), get_args(hint)
    if origin is Annotated and any(isinstance(m, fields.Hint) for m in parts[1:]):
        kept = [m for m in parts[1:] if not isinstance(m, fields.Hint)]
        return _type(Annotated[(parts[0], *kept)] if kept else parts[0])
    if origin is Annotated:
        return _type(parts[0])
    if origin in (Union, UnionType):
        return " | ".join(_type(part) for part in parts)
    if origin is Literal:
        return " | ".join(json.dumps(part) for part in parts)
    if origin in (list, dict):
        return f"{origin.__name__}[{', '.join(_type(part) for part in parts)}]"
    if hint is NoneType:
        return "null"
    return str(hint.__name__)
