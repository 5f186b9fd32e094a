"""Ops with state as methods that update it where it lies."""

from __future__ import annotations

import ast

from ..nodes import name


def is_pair(node: ast.expr | None) -> bool:
    """True of `tuple[X, dict[...]]`, which ops with state return."""
    return node is not None and "dict[str, Array]]" in ast.unparse(node)


class InPlace(ast.NodeTransformer):
    """An op with state as a method that updates it: `state["mean"] = x` is
    `self.mean[...] = x`.
    """

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        self.generic_visit(node)
        assert isinstance(node.returns, ast.Subscript)
        assert isinstance(node.returns.slice, ast.Tuple)
        node.returns = node.returns.slice.elts[0]
        node.body = self._block(node.body)
        return node

    def _block(self, body: list[ast.stmt]) -> list[ast.stmt]:
        result: list[ast.stmt] = []
        for statement in body:
            match statement:
                case ast.AnnAssign(target=ast.Name(id="state")):
                    continue
                case ast.Assign(
                    targets=[
                        ast.Subscript(
                            value=ast.Name(id="state"), slice=ast.Constant(value=n)
                        )
                    ],
                    value=value,
                ):
                    result.append(_set(str(n), value))
                case ast.Return(value=ast.Tuple(elts=[value, ast.Dict() as new])):
                    pairs = zip(new.keys, new.values, strict=True)
                    updates = [
                        _set(str(k.value), v)
                        for k, v in pairs
                        if isinstance(k, ast.Constant)
                        and ast.dump(v) != ast.dump(_own(str(k.value)))
                    ]
                    if updates and not isinstance(value, ast.Name | ast.Constant):
                        kept = name("key")
                        result.append(ast.Assign([kept], value))
                        value = kept
                    result += [*updates, ast.Return(value)]
                case ast.Return(value=ast.Tuple(elts=[value, ast.Name(id="state")])):
                    result.append(ast.Return(value))
                case ast.If():
                    statement.body = self._block(statement.body)
                    statement.orelse = self._block(statement.orelse)
                    result.append(statement)
                case _:
                    result.append(statement)
        return result


def _own(n: str) -> ast.expr:
    return _read(ast.Attribute(name("self"), n))


def _set(n: str, value: ast.expr) -> ast.stmt:
    return ast.Assign([_own(n)], value)


def _read(node: ast.expr) -> ast.expr:
    return ast.Subscript(node, ast.Constant(...))
