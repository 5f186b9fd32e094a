"""blox: models as data. A Graph, a clean tree of arrays, and pure JAX functions of both.

    import blox as bx

    graph, params = bx.load("model")
    model = bx.build(graph)
    outputs, state = jax.jit(model)(params, x)

Names are imported when they are first used, so that `import blox.schema` needs no JAX.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from blox.builder import recipes as recipes
    from blox.builder.arguments import each as each
    from blox.builder.arguments import index as index
    from blox.builder.arguments import slices as slices
    from blox.builder.attributes import check_attributes as check_attributes
    from blox.builder.function import F as F
    from blox.builder.graph import GraphBuilder as GraphBuilder
    from blox.builder.original import Node as Node
    from blox.builder.sizes import max as max
    from blox.builder.sizes import min as min
    from blox.builder.values import Input as Input
    from blox.builder.values import Operand as Operand
    from blox.builder.values import Value as Value
    from blox.builder.values import output as output
    from blox.generation.config import GenerationConfig as GenerationConfig
    from blox.generation.public import generate_tokens as generate_tokens
    from blox.generation.text import generate_text as generate_text
    from blox.importers.hf import from_hf as from_hf
    from blox.importers.hf import to_hf as to_hf
    from blox.io.checkpoints import Checkpoints as Checkpoints
    from blox.io.examples import Example as Example
    from blox.io.generate import generate as generate
    from blox.io.load import load as load
    from blox.io.load import load_graph as load_graph
    from blox.io.save import save as save
    from blox.io.validate import validate as validate
    from blox.io.verify import verify as verify
    from blox.mapping import layouts as layouts
    from blox.mapping.conventions import layer_rules as layer_rules
    from blox.mapping.public import leaves as leaves
    from blox.mapping.public import map_params as map_params
    from blox.mapping.public import unmap_params as unmap_params
    from blox.mapping.rules import Ignored as Ignored
    from blox.mapping.rules import New as New
    from blox.mapping.rules import Rule as Rule
    from blox.mapping.suggest import suggest_rules as suggest_rules
    from blox.ops.register import register as register
    from blox.runtime.build import build as build
    from blox.runtime.params import init as init
    from blox.runtime.params import merge as merge
    from blox.runtime.params import split as split
    from blox.schema import BloxError as BloxError
    from blox.schema import Diagnostic as Diagnostic
    from blox.schema import Graph as Graph
    from blox.schema import ModelError as ModelError
    from blox.schema import Report as Report
    from blox.schema import SpecError as SpecError
    from blox.schema import WeightsError as WeightsError
    from blox.schema.version import __version__ as __version__
    from blox.show.summary import summary as summary
    from blox.surgery.edit import Edit as Edit
    from blox.surgery.edit import edit as edit
    from blox.surgery.matching import carry_over as carry_over
    from blox.surgery.matching import plan as plan

_HOME = {
    "BloxError": "blox.schema",
    "Checkpoints": "blox.io.checkpoints",
    "Diagnostic": "blox.schema",
    "Edit": "blox.surgery.edit",
    "Example": "blox.io.examples",
    "F": "blox.builder.function",
    "GenerationConfig": "blox.generation.config",
    "Graph": "blox.schema",
    "GraphBuilder": "blox.builder.graph",
    "Ignored": "blox.mapping.rules",
    "Input": "blox.builder.values",
    "ModelError": "blox.schema",
    "New": "blox.mapping.rules",
    "Node": "blox.builder.original",
    "Operand": "blox.builder.values",
    "Report": "blox.schema",
    "Rule": "blox.mapping.rules",
    "SpecError": "blox.schema",
    "Value": "blox.builder.values",
    "WeightsError": "blox.schema",
    "build": "blox.runtime.build",
    "carry_over": "blox.surgery.matching",
    "check_attributes": "blox.builder.attributes",
    "each": "blox.builder.arguments",
    "edit": "blox.surgery.edit",
    "from_hf": "blox.importers.hf",
    "from_jax": "blox.importers.jax.public",
    "generate": "blox.io.generate",
    "generate_text": "blox.generation.text",
    "generate_tokens": "blox.generation.public",
    "index": "blox.builder.arguments",
    "init": "blox.runtime.params",
    "layer_rules": "blox.mapping.conventions",
    "layouts": "blox.mapping",
    "leaves": "blox.mapping.public",
    "load": "blox.io.load",
    "load_graph": "blox.io.load",
    "load_origin": "blox.importers.loaded",
    "map_params": "blox.mapping.public",
    "max": "blox.builder.sizes",
    "merge": "blox.runtime.params",
    "min": "blox.builder.sizes",
    "output": "blox.builder.values",
    "plan": "blox.surgery.matching",
    "recipes": "blox.builder",
    "register": "blox.ops.register",
    "save": "blox.io.save",
    "slices": "blox.builder.arguments",
    "split": "blox.runtime.params",
    "suggest_rules": "blox.mapping.suggest",
    "summary": "blox.show.summary",
    "to_hf": "blox.importers.hf",
    "unmap_params": "blox.mapping.public",
    "validate": "blox.io.validate",
    "verify": "blox.io.verify",
    "__version__": "blox.schema.version",
}
# `from blox import *` leaves Python's own functions alone.
__all__ = [  # pyright: ignore[reportUnsupportedDunderAll]
    name for name in _HOME if name not in ("min", "max")
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'blox' has no attribute {name!r}")
    from blox.schema.pause import uncollected

    with uncollected():
        value = getattr(import_module(_HOME[name]), name)
    _provide()
    globals()[name] = value
    return value


def _provide() -> None:
    """Graphs check their shapes from here on, and notebooks show them; JAX is imported
    when one does."""
    from blox.schema import graph as graphs
    from blox.schema.resolve import extract, replace

    def known_at(graph: Any, entry: str, route: Any) -> Any:
        from blox.shapes.table import known_at

        return known_at(graph, entry, route)

    def check_shapes(graph: Any, report: Any) -> None:
        from blox.shapes.check import check_shapes

        check_shapes(graph, report)

    def notebook_html(graph: Any) -> str:
        from blox.show.page.html import notebook_html

        return notebook_html(graph)

    replace.check_shapes = check_shapes
    extract.known_at = known_at
    graphs.notebook_html = notebook_html


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
