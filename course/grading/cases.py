"""Which case a check cell was at when a call of a student's function did not come back.

A check cell first calls, ``got = area(mask)``, and then judges, ``check.equal(got, 4, "one row",
look="…")``. If the call raises, the line that names its case never runs. This module finds that
line.
"""

import ast
import linecache

# For each check, the position of its argument `case`; None where it is not positional.
CASES = {"close": 2, "equal": 2, "shape": 2, "between": 3, "true": 1, "raises": None}


def frames(error):
    """Frames of `error` that hold source written in cells, as traceback objects, outermost first."""
    found, traceback = [], error.__traceback__
    while traceback:
        name = traceback.tb_frame.f_code.co_filename
        if "ipykernel_" in name or name.startswith(("<ipython-input", "<cell")):
            found.append(traceback)
        traceback = traceback.tb_next
    return found


def line(traceback):
    """The source line, without its indent, at which this frame of a traceback stands."""
    return linecache.getline(traceback.tb_frame.f_code.co_filename, traceback.tb_lineno).strip()


def tried(error):
    """Case and look (str) of the check that was to judge the call that `error` came from.

    That is the check in which the call stands, else the next one below it: in the same loop, if the
    call stands in a loop that has checks, else in the same function. A text is "" where it is not
    known: there is no such check, or the text needs a name that would have been bound in between.
    """
    found = frames(error)
    name = found[0].tb_frame.f_code.co_filename if found else ""
    try:
        tree = ast.parse("".join(linecache.getlines(name)))
    except (SyntaxError, ValueError):
        return "", ""
    for traceback in reversed(found):
        code = traceback.tb_frame.f_code
        scope = _function(tree, code.co_name, traceback.tb_lineno)
        judge = _next_check(scope, traceback.tb_lineno) if code.co_filename == name else None
        if judge:
            return _texts(judge, traceback, scope)
    return "", ""


def _function(tree, name, number):
    """The node of the function `name` around line `number`; for "<module>", the whole tree."""
    around = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))
    inner = (n for n in around if n.name == name and n.lineno <= number <= n.end_lineno)
    return tree if name == "<module>" else next(inner, None)


def _next_check(scope, number):
    """The first check in the node `scope` that ends at or below line `number`, or None.

    Inner loops around the line that have checks come before `scope`.
    """
    if scope is None:
        return None
    loops = [n for n in ast.walk(scope) if isinstance(n, ast.For | ast.While)]
    around = [n for n in loops if n.lineno <= number <= n.end_lineno]
    for part in [*sorted(around, key=lambda node: -node.lineno), scope]:
        checks = [node for node in ast.walk(part) if is_check(node)]
        if checks:
            below = [node for node in checks if node.end_lineno >= number]
            return min(below, key=lambda node: (node.lineno, node.col_offset), default=None)
    return None


def _texts(judge, traceback, scope):
    """Case and look of the check `judge`, whose call stopped where `traceback` stands."""
    between = range(traceback.tb_lineno, judge.lineno + 1)
    stored = (
        n for n in ast.walk(scope) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
    )
    stale = {node.id for node in stored if node.lineno in between}
    named = {keyword.arg: keyword.value for keyword in judge.keywords}
    place = CASES[judge.func.attr]
    if place is not None and len(judge.args) > place:
        named.setdefault("case", judge.args[place])
    return tuple(_text(named.get(key), traceback.tb_frame, stale) for key in ("case", "look"))


def is_check(node):
    """Whether an ast node is the call of a check: ``check.equal(…)``, say."""
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "check"
        and node.func.attr in CASES
    )


def _text(node, frame, stale):
    """The text that an expression of a check has in `frame`, or ""."""
    if node is None or any(isinstance(n, ast.Name) and n.id in stale for n in ast.walk(node)):
        return ""
    try:
        text = eval(
            compile(ast.Expression(node), "<case>", "eval"),
            dict(frame.f_globals),
            dict(frame.f_locals),
        )
    except Exception:  # a name that is not there yet, say
        return ""
    return text if isinstance(text, str) else ""
