"""Grading one submission: from bytes to a dictionary, the same one for the same bytes."""

import contextlib
import hmac
import io
import json
import os
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from . import checks, kernels, submissions
from .confinement import Limits
from .plugin import Plugin

SCHEMA = 1
QUIET = ["-q", "--color=no", "--noconftest", "-p", "no:cacheprovider", "-p", "nbval.plugin"]


class Settings(NamedTuple):
    """How to grade.

    Parameters
    ----------
    server : kernels.Place or kernels.Server
        Where kernels come from; its `kind` is the box.
    key : bytes
        The secret from which each student's random numbers come.
    limits : Limits
        Of each kernel.
    cell_seconds, notebook_seconds : float
        Wall time for a cell or a call, and for a submission.
    """

    server: object
    key: bytes
    limits: Limits = Limits()
    cell_seconds: float = 60
    notebook_seconds: float = 300


def grade(submission, assignments, settings):
    """Grade one submission.

    Parameters
    ----------
    submission : Submission
    assignments : dict
        Name → Assignment, as :func:`author.find` gives them.
    settings : Settings

    Returns
    -------
    dict
        Ready for JSON: student, assignment, status ("graded" or "not graded"), reason, notes,
        sandbox, seconds, points, max_points, and a dictionary for each check cell in "tasks".
    """
    begun = time.monotonic()
    result = {
        "schema": SCHEMA, "student": submission.student, "assignment": submission.assignment,
        "status": "not graded", "reason": "", "notes": [], "sandbox": settings.server.kind,
        "points": 0, "max_points": 0, "tasks": [],
    }  # fmt: skip
    try:
        cells = submissions.read_cells(submissions.read(submission))
        ids = {name: [c.name for c in found.solutions] for name, found in assignments.items()}
        name = submissions.assignment_of(cells, ids, submission.assignment or submission.notebook)
        if not name:
            raise submissions.NotANotebook(
                f"{submission.notebook}.ipynb has no cell of these exercises: "
                f"{', '.join(sorted(assignments))}."
            )
    except submissions.NotANotebook as error:
        return result | {"reason": str(error)}
    assignment = assignments[name]
    answers, notes = pick(cells, assignment)
    with tempfile.TemporaryDirectory(prefix="graft-") as folder:
        verdicts, outputs = _judge(assignment, answers, Path(folder), submission.student, settings)
    tasks = [_task(assignment, check, answers, verdicts, outputs) for check in assignment.checks]
    return result | {
        "assignment": name, "status": "graded", "notes": notes, "tasks": tasks,
        "points": sum(task["points"] for task in tasks), "max_points": assignment.points,
        "seconds": round(time.monotonic() - begun, 2),
    }  # fmt: skip


def pick(cells, assignment):
    """Of a student's cells, the sources that count, by grade id; and notes about the others."""
    answers, notes = {}, []
    wanted = {cell.name for cell in assignment.solutions}
    for cell in cells:
        if cell.grade_id not in wanted:
            continue
        if cell.cell_type != "code":
            notes.append(
                f"The cell {cell.grade_id} is not a code cell any more; it counts for nothing."
            )
        elif cell.grade_id in answers:
            notes.append(f"The cell {cell.grade_id} is there more than once; the first one counts.")
        else:
            answers[cell.grade_id] = cell.source
    notes += [f"The cell {name} is missing." for name in sorted(wanted - set(answers))]
    return answers, list(dict.fromkeys(notes))


def _judge(assignment, answers, folder, student, settings):
    """Run pytest on the author's notebook with the student's cells in it."""
    notebook = new_notebook(cells=[_graft(cell, answers) for cell in assignment.cells])
    path = folder / f"{assignment.name}.ipynb"
    nbformat.write(notebook, path)
    (folder / "pytest.ini").write_text("[pytest]\n")

    plugin = Plugin(
        path, assignment, answers, checks.Check(_seeds(settings.key, student, assignment.name)),
        lambda: kernels.BoxedKernel(settings.server, settings.limits),
        settings.cell_seconds, settings.notebook_seconds,
    )  # fmt: skip
    options = [str(path), "-c", str(folder / "pytest.ini"), "--rootdir", str(folder), *QUIET]
    options.append(f"--nbval-cell-timeout={10 * settings.notebook_seconds}")
    with _undisturbed(), contextlib.redirect_stdout(io.StringIO()) as said:
        code = pytest.main(options, plugins=[plugin])
    missing = {check.name for check in assignment.checks} - set(plugin.verdicts)
    if missing or code not in (0, 1):
        raise RuntimeError(
            f"pytest ended with {code!r} before all checks were judged: {said.getvalue()[-2000:]}"
        )
    return plugin.verdicts, plugin.outputs


def _seeds(key, student, assignment):
    """A function from a task to the seed of this student's random inputs."""

    def seed(task):
        message = json.dumps([student, assignment, task]).encode()
        return int.from_bytes(hmac.digest(key, message, "sha256")[:8], "big")

    return seed


def _graft(cell, answers):
    """A cell of the notebook that nbval reads. A check's source is of no use there."""
    source = {"given": cell.source, "solution": answers.get(cell.name, ""), "check": ""}[cell.role]
    return new_code_cell(source)


@contextlib.contextmanager
def _undisturbed():
    """Keep plugins and options of the instructor's own pytest out of the run."""
    kept = {name: os.environ.pop(name, None) for name in ("PYTEST_ADDOPTS", "PYTEST_PLUGINS")}
    kept["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = os.environ.get("PYTEST_DISABLE_PLUGIN_AUTOLOAD")
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    try:
        yield
    finally:
        for name, value in kept.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def _task(assignment, check, answers, verdicts, outputs):
    solution = assignment.task_of(check)
    verdict = verdicts[check.name]
    return {
        "task": check.name,
        "title": check.title,
        "points": check.points if verdict["status"] == "right" else 0,
        "max_points": check.points,
        **verdict,
        "source": answers.get(solution.name, ""),
        "output": outputs.get(solution.name, ""),
    }
