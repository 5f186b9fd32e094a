"""How strongly operators bind, and so which operands must stand in parentheses."""

from __future__ import annotations

import ast
import math
from typing import Final, TypeAlias

OPERATORS: Final[dict[type[ast.AST], tuple[str, int]]] = {
    ast.Or: ("or", 3),
    ast.And: ("and", 4),
    ast.BitOr: ("|", 7),
    ast.BitXor: ("^", 8),
    ast.BitAnd: ("&", 9),
    ast.LShift: ("<<", 10),
    ast.RShift: (">>", 10),
    ast.Add: ("+", 11),
    ast.Sub: ("-", 11),
    ast.Mult: ("*", 12),
    ast.MatMult: ("@", 12),
    ast.Div: ("/", 12),
    ast.FloorDiv: ("//", 12),
    ast.Mod: ("%", 12),
    ast.Pow: ("**", 14),
    ast.Eq: ("==", 6),
    ast.NotEq: ("!=", 6),
    ast.Lt: ("<", 6),
    ast.LtE: ("<=", 6),
    ast.Gt: (">", 6),
    ast.GtE: (">=", 6),
    ast.Is: ("is", 6),
    ast.IsNot: ("is not", 6),
    ast.In: ("in", 6),
    ast.NotIn: ("not in", 6),
    ast.Not: ("not ", 5),
    ast.USub: ("-", 13),
    ast.UAdd: ("+", 13),
    ast.Invert: ("~", 13),
}
"""Each operator's text and how strongly it binds."""

ANY, CONDITION, NO_CONDITION, BIT_OR, FACTOR, PRIMARY, ATOM = 1, 2, 3, 7, 13, 16, 17

Operand: TypeAlias = tuple[ast.expr, bool]
"""A node, and whether it stands in parentheses."""
Postfix: TypeAlias = ast.Attribute | ast.Call | ast.Subscript
Comprehended: TypeAlias = ast.GeneratorExp | ast.ListComp | ast.SetComp | ast.DictComp
POSTFIX = (ast.Attribute, ast.Call, ast.Subscript)


def strength(node: ast.expr) -> int:
    """How strongly the outermost operator of `node` binds."""
    match node:
        case ast.Constant(value) if is_negative(value):
            return FACTOR
        case ast.BinOp(op=op) | ast.BoolOp(op=op) | ast.UnaryOp(op=op):
            return OPERATORS[type(op)][1]
        case ast.Compare():
            return 6
        case ast.Lambda():
            return ANY
        case ast.IfExp():
            return CONDITION
        case ast.Attribute() | ast.Call() | ast.Subscript():
            return PRIMARY
        case _:
            return ATOM


def break_strength(operator: ast.AST) -> int:
    """The order in which lines break at operators: `and`, `or` at the same time."""
    return OPERATORS[type(ast.And() if isinstance(operator, ast.Or) else operator)][1]


def operands(node: ast.expr) -> list[Operand]:
    """The operands of an operation, in order of the source."""
    match node:
        case ast.BinOp(left, op, right):
            own = OPERATORS[type(op)][1]
            power = isinstance(op, ast.Pow)
            least = (PRIMARY, FACTOR) if power else (own, own + 1)
            return [
                (left, strength(left) < least[0]),
                (right, strength(right) < least[1]),
            ]
        case ast.BoolOp(op, values):
            return [(value, strength(value) <= strength(node)) for value in values]
        case ast.Compare(left, _, comparators):
            return [(value, strength(value) < BIT_OR) for value in (left, *comparators)]
        case ast.UnaryOp(op, operand):
            # ruff never leaves a power bare behind a sign
            power = isinstance(operand, ast.BinOp) and isinstance(operand.op, ast.Pow)
            return [(operand, power or strength(operand) < strength(node))]
        case ast.IfExp(test, body, orelse):
            return [
                (body, strength(body) < NO_CONDITION),
                (test, strength(test) < NO_CONDITION),
                (orelse, False),
            ]
        case ast.Attribute(value) | ast.Subscript(value) | ast.Call(value):
            number = isinstance(node, ast.Attribute) and is_number(value)
            return [(value, number or strength(value) < PRIMARY)]
        case _:
            return []


def is_negative(value: object) -> bool:
    """True where a constant is written with a sign; -0.0 is."""
    match value:
        case float():
            return math.copysign(1, value) < 0
        case _:
            return isinstance(value, int) and value < 0


def is_number(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and type(node.value) in (int, float)


def flattened(node: ast.expr) -> tuple[list[Operand], list[ast.AST]]:
    """The operands of nested operations without parentheses, and what joins them."""
    match node:
        case ast.BinOp(op=op):
            symbols: list[ast.AST] = [op]
        case ast.BoolOp(op=op, values=values):
            symbols = [op] * (len(values) - 1)
        case ast.Compare(ops=ops):
            symbols = list(ops)
        case _:
            return [(node, False)], []
    flat: list[Operand] = []
    joints: list[ast.AST] = []
    for index, (operand, wrapped) in enumerate(operands(node)):
        joints += symbols[index - 1 : index]
        inner = ([(operand, True)], []) if wrapped else flattened(operand)
        flat += inner[0]
        joints += inner[1]
    return flat, joints


def is_simple(node: ast.expr) -> bool:
    """True where a power hugs this operand: names, numbers, attributes, signs."""
    match node:
        case ast.UnaryOp(op, value):
            return not isinstance(op, ast.Not) and is_simple(value)
        case ast.Attribute(value):
            return is_simple(value)
        case ast.Constant(value):
            return not isinstance(value, str) and value is not ...
        case _:
            return isinstance(node, ast.Name)


def hugs_colon(node: ast.expr | None) -> bool:
    """True where a bound of a slice has no space beside the colon."""
    match node:
        case ast.UnaryOp(ast.USub() | ast.UAdd() | ast.Invert(), operand):
            return hugs_colon(operand)
        case _:
            return node is None or isinstance(node, ast.Constant | ast.Name)
