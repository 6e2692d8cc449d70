"""Grading one submission: from bytes to a dictionary, the same for the same bytes but for the time."""

import ast
import contextlib
import hmac
import io
import itertools
import json
import re
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import nbformat
import pytest
from IPython.core.inputtransformer2 import TransformerManager
from nbformat.v4 import new_code_cell, new_notebook

from course.notebooks import replay

from . import author, checks, kernels, results, submissions
from .confinement import Limits
from .plugin import Plugin

LONGEST = 4000  # characters of a cell in which magics are read: each takes a pass over the cell
OWN_CODE = (
    "There is code outside the cells of the tasks, which does not count. If an answer needs it, an "
    "import or a helper perhaps, put it into the cell of that answer."
)


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
        Wall time for a cell or a call, and for a submission. The time of cells that run again for a
        check is added; see :class:`course.grading.plugin.Plugin`.
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
        Ready for JSON: schema, student, assignment, status ("graded" or "not graded"), reason,
        notes, sandbox, points, max_points, a dictionary for each check cell in "tasks" and, if it
        was graded, seconds.
    """
    begun = time.monotonic()
    result = {
        "schema": results.SCHEMA, "student": submission.student, "assignment": submission.assignment,
        "status": "not graded", "reason": "", "notes": [], "sandbox": settings.server.kind,
        "points": 0, "max_points": 0, "tasks": [],
    }  # fmt: skip
    try:
        data = submissions.read(submission)
        cells = submissions.read_cells(data)
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
    handed_out, others = code_of(data)
    if handed_out_elsewhere(handed_out, assignment):
        notes.append(results.OTHER_CELLS)
    lost = any(task["status"] != "right" for task in tasks)
    if lost and has_own_code(others, _sources_with_a_place(cells, assignment)):
        notes.append(OWN_CODE)
    return result | {
        "assignment": name, "status": "graded", "notes": notes, "tasks": tasks,
        "points": sum(task["points"] for task in tasks), "max_points": assignment.points,
        "seconds": round(time.monotonic() - begun, 2),
    }  # fmt: skip


def pick(cells, assignment):
    """The sources of a student's cells that count, by grade id; and notes about the others.

    Adjacent cells of one id are taken for one cell that was split in Jupyter, if together they are
    complete code or the first alone is not. Otherwise, the first cell of an id counts.
    """
    answers, notes = {}, []
    wanted = {cell.name for cell in assignment.solutions}
    for name, together in itertools.groupby(cells, key=lambda cell: cell.grade_id):
        if name not in wanted:
            continue
        parts = list(together)
        sources = [cell.source for cell in parts if cell.cell_type == "code"]
        if len(sources) < len(parts):
            notes.append(f"The cell {name} is not a code cell any more; it counts for nothing.")
        if sources and name in answers:
            notes.append(f"The cell {name} is there more than once; the first one counts.")
        elif sources:
            whole = "\n".join(sources)
            split = len(sources) > 1 and (_parses(whole) or not _parses(sources[0]))
            answers[name] = whole if split else sources[0]
            if split:
                notes.append(f"The cell {name} was split; its parts count as one cell.")
            elif len(sources) > 1:
                notes.append(f"The cell {name} is there more than once; the first one counts.")
    notes += [f"The cell {name} is missing." for name in sorted(wanted - set(answers))]
    return answers, list(dict.fromkeys(notes))


def _parses(source):
    """Whether a cell is complete, magics and shell commands read as the kernel reads them."""
    # A cell magic can stand only at the top of a cell. One further down begins another cell.
    if re.search(r"\n\s*%%", source.lstrip()):
        return False
    if len(source) < LONGEST:
        with contextlib.suppress(SyntaxError, RuntimeError):  # IPython gives up on a few hundred
            source = TransformerManager().transform_cell(source)
    try:
        ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return False
    return True


def _sources_with_a_place(cells, assignment):
    """Sources of the author's given and check cells, and of the student's task cells."""
    ids = {cell.name for cell in assignment.solutions}
    others = (cell for cell in assignment.cells if cell.role != "solution")
    own = [cell.source for cell in cells if cell.grade_id in ids]
    return [author.visible(cell.source) for cell in others] + own


def code_of(data):
    """The code of a student's notebook, divided by who wrote it.

    Parameters
    ----------
    data : bytes
        A notebook that :func:`submissions.read_cells` has accepted.

    Returns
    -------
    handed_out : dict of str to str
        By grade id, the cells that students were not to write and that are as they were handed out:
        their checksum fits.
    others : list of str
        Sources of the other code cells.
    """
    handed_out, others = {}, []
    notebook = json.loads(data, parse_int=str, parse_float=str)  # no number is too long
    for cell in notebook.get("cells") or []:
        if isinstance(cell, dict) and cell.get("cell_type") == "code":
            source = cell.get("source", "")
            text = "".join(map(str, source)) if isinstance(source, list) else str(source)
            if name := _locked(cell, text):
                handed_out[name] = text
            else:
                others.append(text)
    return handed_out, others


def _locked(cell, text):
    """The grade id of a locked cell whose checksum fits its source `text`, else ""."""
    try:
        about = cell["metadata"]["nbgrader"]
        made = nbformat.from_dict(
            {"cell_type": "code", "source": text, "metadata": cell["metadata"]}
        )
        fits = about["checksum"] == author.checksum(made)
        return about["grade_id"] if fits and author.role_of(about) != "solution" else ""
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        return ""  # a student may have written anything there


def handed_out_elsewhere(handed_out, assignment):
    """Whether a cell that was handed out is not in the author notebook, or differs there."""
    today = {cell.name: author.visible(cell.source).split() for cell in assignment.cells}
    return any(text.split() != today.get(name) for name, text in handed_out.items())


def has_own_code(sources, known):
    """Whether one of `sources` (a student's code cells) is not among the sources `known`."""
    seen = {tuple(source.split()) for source in known} | {()}  # spaces and empty cells do not count
    return any(tuple(source.split()) not in seen for source in sources)


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
    options = [str(path), "-c", str(folder / "pytest.ini"), "--rootdir", str(folder), *replay.QUIET]
    options.append(f"--nbval-cell-timeout={10 * settings.notebook_seconds}")
    with replay.undisturbed(), contextlib.redirect_stdout(io.StringIO()) as said:
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
    """A cell of the notebook that nbval reads; that of a check is empty, as nbval does not run it."""
    source = {"given": cell.source, "solution": answers.get(cell.name, ""), "check": ""}[cell.role]
    return new_code_cell(source)


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
