"""Exercises run in this process: cells of an author notebook, with some answers put in."""

import contextlib
import importlib.util
import io
import linecache
from pathlib import Path

from course.grading import author, checks

WRONG_ANSWERS = Path(__file__).parent / "wrong_answers"


def wrong_answers(name):
    """The dictionary WRONG of tests/wrong_answers/NAME.py: grade id → title → source."""
    path = WRONG_ANSWERS / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"wrong_{name}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.WRONG


def solutions(assignment):
    return {cell.name: cell.source for cell in assignment.solutions}


def stubs(assignment):
    return {cell.name: author.stub(cell.source) for cell in assignment.solutions}


def run(assignment, answers):
    """Run the cells one after the other as a notebook would.

    Parameters
    ----------
    answers : dict
        Grade id of a solution cell → source.

    Returns
    -------
    dict
        Grade id of a check cell → None if it passed, else the exception.
    """
    return dict(_outcomes(assignment.cells, answers))


def loses(assignment, answers, task):
    """Whether the answer to `task` loses points; only what that needs is run.

    That is no other task's check, and nothing after the first check that fails.
    """
    checks = checks_of(assignment, task)
    cells = [cell for cell in assignment.cells if cell.role != "check" or cell.name in checks]
    last = max(number for number, cell in enumerate(cells) if cell.name in checks)
    outcomes = _outcomes(cells[: last + 1], answers)
    return any(status(error) not in ("right", "not attempted") for _, error in outcomes)


def _outcomes(cells, answers):
    """Run cells; yields the grade id of each check cell and its exception or None."""
    names = {"__name__": "__main__"}
    for number, cell in enumerate(cells):
        error = None
        try:
            _execute(answers.get(cell.name, cell.source), f"<cell {number}>", names)
        except Exception as raised:
            if cell.role == "given":
                raise
            error = raised
        if cell.role == "check":
            yield cell.name, error


def checks_of(assignment, task):
    """Grade ids of the check cells that follow the solution cell `task`, up to the next one."""
    found, inside = [], False
    for cell in assignment.cells:
        if cell.role == "solution":
            inside = cell.name == task
        elif cell.role == "check" and inside:
            found.append(cell.name)
    return found


def status(error):
    """The status of a task that ended with `error`, None for right."""
    if error is None:
        return "right"
    return error.status if isinstance(error, checks.CheckFailed) else "error"


def _execute(source, name, names):
    linecache.cache[name] = len(source), None, source.splitlines(True), name
    with contextlib.redirect_stdout(io.StringIO()):
        exec(compile(source, name, "exec"), names)
