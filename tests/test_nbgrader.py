"""The same notebooks under nbgrader: the same release, the same points."""

import copy
import logging
import os
import sys
from itertools import zip_longest
from pathlib import Path

import nbformat
import pytest

from course import notebooks
from course.grading import author, box, kernels, session, submissions
from tests import exercises

ROOT = Path(__file__).resolve().parents[1]
ALL = sorted(path.stem for path in author.FOLDER.glob("*.ipynb"))
# Everything takes 20 minutes and more: COURSE_NBGRADER=all.
EVERYTHING = os.environ.get("COURSE_NBGRADER") == "all"
GRADED = ALL if EVERYTHING else ["02_measuring"]

pytest.importorskip("nbgrader", reason="nbgrader is not installed: pip install nbgrader")


def released_by_nbgrader(notebook):
    """What nbgrader's generate_assignment makes of a notebook, without its database."""
    from nbgrader import preprocessors

    resources = {"metadata": {}, "nbgrader": {}}
    for name in (
        "LockCells", "ClearSolutions", "ClearOutput", "CheckCellMetadata", "ComputeChecksums",
        "ClearHiddenTests", "ComputeChecksums", "CheckCellMetadata",
    ):  # fmt: skip
        notebook, resources = getattr(preprocessors, name)().preprocess(notebook, resources)
    return notebook


@pytest.mark.parametrize("name", ALL)
def test_the_same_release(name):
    notebook = notebooks.read(author.FOLDER / f"{name}.ipynb")
    ours = author.release(notebook)
    assert notebooks.canonical(ours) == notebooks.canonical(released_by_nbgrader(notebook))


def students(assignment):
    """Honest students by name: all, nothing, half, and one wrong answer to each task in turn.

    Every third of the last kind, unless all is wanted: nbgrader starts a kernel for each.
    """
    right, wrong = exercises.solutions(assignment), exercises.wrong_answers(assignment.name)
    half = dict(list(right.items())[: len(right) // 2])
    made = {"all": right, "nothing": {}, "half": half}
    one_each = list(zip_longest(*(answers.values() for answers in wrong.values())))
    for number, sources in list(enumerate(one_each))[:: 1 if EVERYTHING else 3]:
        chosen = {task: s for task, s in zip(wrong, sources, strict=True) if s is not None}
        made[f"wrong{number}"] = right | chosen
    return made


@pytest.mark.skipif(sys.platform != "linux", reason="the grader needs Linux")
@pytest.mark.slow
@pytest.mark.parametrize("name", GRADED)
def test_the_same_points(name, tmp_path, monkeypatch):
    assignment = author.read(author.FOLDER / f"{name}.ipynb")
    made = students(assignment)
    theirs = graded_by_nbgrader(name, assignment, made, tmp_path, monkeypatch)
    try:
        kind = box.choose()
    except box.NoBox:
        kind = "none"  # the answers are honest; tests/test_attacks.py insists on a box
    with kernels.Server(kind, warm=["keras", "course.environment"]) as server:
        settings = session.Settings(server, b"the key of this test")
        for student in made:
            path = tmp_path / "submitted" / student / name / f"{name}.ipynb"
            handed_in = submissions.Submission(student, name, path)
            graded = session.grade(handed_in, {name: assignment}, settings)
            ours = {task["task"]: task["points"] for task in graded["tasks"]}
            assert ours == theirs[student], (student, graded)
    assert sum(theirs["all"].values()) == assignment.points
    assert sum(theirs["nothing"].values()) == 0
    assert all(sum(theirs[s].values()) < assignment.points for s in made if s != "all")


def graded_by_nbgrader(name, assignment, made, folder, monkeypatch):
    """Points by student and grade id, from a course of nbgrader's in `folder`."""
    from nbgrader.api import Gradebook
    from nbgrader.apps import NbGraderAPI
    from traitlets.config import Config

    tools = Path(sys.executable).parent  # nbgrader calls alembic by name
    monkeypatch.setenv("PATH", os.pathsep.join([str(tools), os.environ["PATH"]]))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("COURSE_DATA", "synthetic")
    monkeypatch.setenv("COURSE_SCALE", "smoke")
    source = folder / "source" / name / f"{name}.ipynb"
    source.parent.mkdir(parents=True)
    source.write_bytes((author.FOLDER / source.name).read_bytes())
    config = Config()
    config.CourseDirectory.root = str(folder)
    config.CourseDirectory.course_id = "course"
    config.ExecutePreprocessor.timeout = 300
    config.Application.log_level = logging.ERROR
    api = NbGraderAPI(config=config)
    made_release = api.generate_assignment(name)
    assert made_release["success"], made_release
    release = nbformat.read(folder / "release" / name / f"{name}.ipynb", as_version=4)
    for student, answers in made.items():
        notebook = nbformat.from_dict(copy.deepcopy(release))
        for cell in notebook.cells:
            task = cell.metadata.get("nbgrader", {}).get("grade_id")
            cell.source = answers.get(task, cell.source)
        path = folder / "submitted" / student / name / f"{name}.ipynb"
        path.parent.mkdir(parents=True)
        nbformat.write(notebook, path)
        graded = api.autograde(name, student)
        assert graded["success"], graded
    points = {}
    with Gradebook(f"sqlite:///{folder / 'gradebook.db'}") as gradebook:
        for student in made:
            notebook = gradebook.find_submission_notebook(name, name, student)
            points[student] = {grade.name: grade.score for grade in notebook.grades}
    return points
