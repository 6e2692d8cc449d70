"""Which case a check cell was at when a call of a student's function did not come back.

A check cell calls, and then judges: ``got = area(mask)``, then ``check.equal(got, 4, "one row",
look="…")``. Where the call raises, the case that it was made for stands in a line that never ran.
"""

import ast
import linecache

CASES = {"close": 2, "equal": 2, "shape": 2, "between": 3, "true": 1}  # which argument it is


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

    It is the check in which the call stands, else the next one below. Each is "" where it cannot be
    told: where there is none, or where its text needs what was to be worked out in between.
    """
    outermost = next(iter(frames(error)), None)
    if outermost is None:
        return "", ""
    code = outermost.tb_frame.f_code
    try:
        tree = ast.parse("".join(linecache.getlines(code.co_filename)))
    except (SyntaxError, ValueError):
        return "", ""
    checks = [node for node in ast.walk(tree) if _is_check(node)]
    below = [node for node in checks if node.end_lineno >= outermost.tb_lineno]
    if not below:
        return "", ""
    judge = min(below, key=lambda node: (node.lineno, node.col_offset))
    between = range(outermost.tb_lineno, judge.lineno + 1)
    stale = {
        node.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.lineno in between
    }
    named = {keyword.arg: keyword.value for keyword in judge.keywords}
    place = CASES[judge.func.attr]
    case = named.get("case", judge.args[place] if len(judge.args) > place else None)
    return tuple(_text(node, outermost.tb_frame, stale) for node in (case, named.get("look")))


def _is_check(node):
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
