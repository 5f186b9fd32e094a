"""The ops that a name may mean: names of other libraries, and names with a slip."""

from __future__ import annotations

import difflib
import re
from functools import cache

from .registry import op_class, op_names, split_key

_LONGEST = 64


def ops_like(name: str) -> list[str]:
    """The ops that people may mean by a name; none where nothing is alike.

    `Dense` is `linear`, `conv2d` is `conv`, `soft_max` and `sofmax` are `softmax`.
    """
    wanted, known = plain_name(name[:_LONGEST]), _known()
    if wanted not in known:
        wanted = next(iter(difflib.get_close_matches(wanted, known, 1, 0.83)), "")
    return list(known.get(wanted, ()))


def ops_known_as(name: str) -> tuple[str, ...]:
    """The ops that are called so somewhere, but for case, underscores and `2d`."""
    return tuple(_known().get(plain_name(name), ()))


def plain_name(name: str) -> str:
    """A name without what libraries differ in: case, underscores, the number of axes; and
    without its version."""
    plain = split_key(name)[0].replace("_", "").lower()
    return re.sub(r"(?<=[a-z])[123]d$", "", plain)


@cache
def _known() -> dict[str, list[str]]:
    """The ops by every name that they have somewhere; their own names come first."""
    found = {plain_name(key): [key] for key in op_names()}
    own = frozenset(found)
    for key in op_names():
        for name in vars(op_class(key)).get("ALSO", ()):
            if plain_name(name) not in own:
                found.setdefault(plain_name(name), []).append(key)
    return found
