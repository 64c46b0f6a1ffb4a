"""Which small faults a piece of code can have: a check left out, a bound that is off by one, a step not taken.

Not changed: the words of errors, docstrings, annotations, and what runs once, when the module is imported.
"""

import ast
import copy
from collections.abc import Iterator
from types import CodeType
from typing import Any, NamedTuple

__all__ = ["Key", "Mutant", "codes", "mutants"]

Key = tuple[str, int, int]  # a function's qualified name, its first line, and the how manieth it is of these

_OTHER: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
}
_FUNCTION = (ast.FunctionDef, ast.Lambda)


class Mutant(NamedTuple):
    """One fault: where, what becomes of what, and the module's code with it."""

    line: int
    column: int
    was: str
    becomes: str
    code: CodeType


def mutants(source: str, path: str) -> Iterator[Mutant]:
    """Yield every fault that a module's functions can have, in order; those that change no bytecode are left out."""
    tree = ast.parse(source)
    original = compile(tree, path, "exec")
    for parent, field, place, node in _places(tree, inside=False):
        for other in _others(node):
            _put(parent, field, place, ast.copy_location(other, node))
            code = compile(ast.fix_missing_locations(tree), path, "exec")
            if code != original:
                yield Mutant(node.lineno, node.col_offset, ast.unparse(node), ast.unparse(other), code)
        _put(parent, field, place, node)


def codes(code: CodeType) -> dict[Key, CodeType]:
    """Return the code of every function in a module's, at any depth."""
    found: dict[Key, CodeType] = {}
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            for one in (inner, *codes(inner).values()):
                same = sum((one.co_qualname, one.co_firstlineno) == key[:2] for key in found)
                found[one.co_qualname, one.co_firstlineno, same] = one
    return found


def _places(node: ast.AST, inside: bool) -> Iterator[tuple[ast.AST, str, int | None, Any]]:
    """Yield what can be replaced: its parent, the field of that, the place there if it is a list, and the node."""
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns", "decorator_list", "args" if isinstance(node, _FUNCTION) else "docstring"):
            continue
        for place, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if not isinstance(child, ast.AST) or isinstance(child, ast.JoinedStr) or _is_docstring(child):
                continue
            if inside and hasattr(child, "lineno"):
                yield node, field, place, child
            if not isinstance(child, ast.Raise):  # its words; whether it is raised at all is tried
                yield from _places(child, inside or isinstance(node, _FUNCTION))


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _put(parent: ast.AST, field: str, place: int | None, node: ast.AST) -> None:
    if place is None:
        setattr(parent, field, node)
    else:
        getattr(parent, field)[place] = node


def _others(node: Any) -> Iterator[Any]:
    """Yield what a node may wrongly be."""
    match node:
        case ast.Raise() | ast.Expr(value=ast.Call()) | ast.AugAssign():
            yield ast.Pass()
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript(), *_]):
            yield ast.Pass()
        case ast.Return(value=ast.AST() as value) if not (isinstance(value, ast.Constant) and value.value is None):
            yield ast.Return(ast.Constant(None))
        case ast.Continue():
            yield ast.Break()
        case ast.Break():
            yield ast.Continue()
        case ast.Compare(ops=[operator, *_]):
            yield _with(node, "ops", [_OTHER[type(operator)](), *node.ops[1:]])
            if len(node.ops) > 1:
                yield _with(node, "ops", [*node.ops[:-1], _OTHER[type(node.ops[-1])]()])
        case ast.BoolOp(values=values):
            for left_out in range(len(values)):
                kept = values[:left_out] + values[left_out + 1 :]
                yield kept[0] if len(kept) == 1 else _with(node, "values", kept)
        case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=operand):
            yield operand
        case ast.BinOp(op=operator) if type(operator) in _OTHER:
            yield _with(node, "op", _OTHER[type(operator)]())
        case ast.IfExp(body=body, orelse=orelse):
            yield from (body, orelse)
        case ast.Constant(value=bool() as flag):
            yield ast.Constant(not flag)
        case ast.Constant(value=int() as number):
            yield ast.Constant(number + 1)
        case ast.Constant(value=str() as text):
            yield ast.Constant(text + "X")
        case ast.Constant(value=bytes() as data):
            yield ast.Constant(data + b"X")
        case ast.Call(keywords=[_, *_]):
            for left_out in range(len(node.keywords)):
                yield _with(node, "keywords", node.keywords[:left_out] + node.keywords[left_out + 1 :])
        case ast.If(test=ast.Name() | ast.Attribute() | ast.Call() | ast.NamedExpr() as test):
            yield _with(node, "test", ast.UnaryOp(ast.Not(), test))
    if isinstance(node, ast.AugAssign) and type(node.op) in _OTHER:
        yield _with(node, "op", _OTHER[type(node.op)]())


def _with(node: ast.AST, field: str, value: object) -> Any:
    changed = copy.copy(node)
    setattr(changed, field, value)
    return changed
