"""The one line that a call fails with."""

from __future__ import annotations

from typing import Any

import pytest

import blox as bx


def message(function: Any, *args: Any, **kwargs: Any) -> str:
    with pytest.raises(bx.ModelError) as error:
        function(*args, **kwargs)
    assert all("\n" not in str(d) for d in error.value.diagnostics)
    return str(error.value)
