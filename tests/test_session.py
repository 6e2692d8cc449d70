"""Grading one submission, in a box: verdicts, what students read, and what they must not."""

import copy
import json

import nbformat
import pytest

from course import notebooks
from course.grading import author, results, session, submissions
from tests import exercises

pytestmark = pytest.mark.kernels

NAME = "02_measuring"
TASK = "iou-with-ignore"
LIMITS = session.Limits(wall=120, cpu=120)


@pytest.fixture(scope="module")
def settings(server):
    return session.Settings(server, b"the key of these tests", LIMITS, 5, 60)


@pytest.fixture(scope="module")
def assignment():
    return author.read(author.FOLDER / f"{NAME}.ipynb")


@pytest.fixture(scope="module")
def right(assignment):
    return exercises.solutions(assignment)


@pytest.fixture
def grade(settings, assignment, tmp_path):
    """A function from answers by grade id (None: no such cell) to the result."""
    released = author.release(notebooks.read(author.FOLDER / f"{NAME}.ipynb"))

    def run(answers, change=lambda notebook: None, student="ada"):
        notebook = copy.deepcopy(released)
        for cell in list(notebook.cells):
            task = cell.metadata.get("nbgrader", {}).get("grade_id")
            cell.source = answers.get(task, cell.source) or ""
            if task in answers and answers[task] is None:
                notebook.cells.remove(cell)
        change(notebook)
        path = tmp_path / f"{NAME}.ipynb"
        path.write_text(nbformat.writes(notebook), encoding="utf-8")
        submission = submissions.Submission(student, NAME, path)
        return session.grade(submission, {NAME: assignment}, settings)

    return run


def task_of(result, name=f"{TASK}-check"):
    return next(task for task in result["tasks"] if task["task"] == name)


def cell_of(notebook, task=TASK):
    return next(c for c in notebook.cells if c.metadata.get("nbgrader", {}).get("grade_id") == task)


def test_all_none_and_half(grade, assignment, right):
    assert grade(right)["points"] == assignment.points == grade(right)["max_points"]
    nothing = grade({})
    assert nothing["points"] == 0
    assert {task["status"] for task in nothing["tasks"]} == {"not attempted"}
    half = grade({TASK: right[TASK]})
    assert half["points"] == task_of(half)["max_points"]


def test_same_input_same_grade_and_other_students_other_numbers(grade, right):
    def without_time(result):
        return {key: value for key, value in result.items() if key != "seconds"}

    assert without_time(grade(right)) == without_time(grade(right))
    seeds = {student: session._seeds(b"k" * 32, student, NAME)(TASK) for student in ("ada", "ben")}
    assert seeds["ada"] != seeds["ben"]
    assert seeds["ada"] != session._seeds(b"j" * 32, "ada", NAME)(TASK)


@pytest.mark.parametrize(
    ("answer", "status", "said"),
    [
        ("def iou_with_ignore(:", "error", "SyntaxError"),
        ("1 / 0", "error", "ZeroDivisionError"),
        ("raise NotImplementedError()", "not attempted", "Write your answer"),
        ("def something_else(): pass", "not attempted", "is not defined"),
        ("import os; os._exit(0)", "stopped", "died"),
        ("while True: pass", "stopped", "5 seconds"),
        (None, "missing", "not in what you handed in"),
    ],
)
def test_one_bad_cell_costs_its_own_task_alone(grade, assignment, right, answer, status, said):
    result = grade(right | {TASK: answer})
    task = task_of(result)
    assert task["status"] == status
    assert task["points"] == 0
    assert said in task["message"]
    assert result["points"] == assignment.points - task["max_points"]


def test_a_wrong_answer_is_told_what_was_expected_and_where_it_looked(grade, right):
    name = author.bound(right[TASK])[0]
    failure = task_of(grade(right | {TASK: f"def {name}(*a, **k): return None"}))["failure"]
    assert failure["hidden"] is False
    assert "None" in failure["got"]
    assert failure["expected"]
    assert failure["case"]
    raising = task_of(grade(right | {TASK: f"def {name}(*a, **k):\n    raise KeyError('roof')"}))
    assert raising["status"] == "error"
    assert "KeyError: 'roof' (line 2: `raise KeyError('roof')`)" in raising["failure"]["got"]
    assert raising["failure"]["case"] == failure["case"]
    assert f"{name}(" in raising["failure"]["look"]


@pytest.mark.slow
def test_of_a_hidden_case_only_the_name_is_told(grade):
    wrong = exercises.wrong_answers(NAME)[TASK]
    seen = [task_of(grade({TASK: source})) for source in wrong.values()]  # alone: the rest is left
    hidden = [task for task in seen if task["failure"] and task["failure"]["hidden"]]
    assert hidden, "no wrong answer of this task needs a hidden test"
    for task in hidden:
        assert set(task["failure"]) == {"case", "hidden"}
        assert task["message"] == ""


@pytest.mark.slow
def test_a_kernel_that_ends_in_a_call_costs_that_task_alone(grade, assignment, right):
    name = author.bound(right[TASK])[0]
    for body in ("import os; os._exit(1)", "while True: pass"):
        result = grade(right | {TASK: f"def {name}(*a, **k):\n    {body}"})
        assert task_of(result)["status"] == "stopped"
        assert result["points"] == assignment.points - task_of(result)["max_points"]


def test_only_the_first_code_cell_of_an_id_counts(grade, assignment, right):
    def again(notebook):
        copied = cell_of(notebook) | {"source": "1 / 0", "id": "again"}
        notebook.cells.append(nbformat.from_dict(copied))

    result = grade(right, again)
    assert result["points"] == assignment.points
    assert any("more than once" in note for note in result["notes"])

    def retyped(notebook):
        for cell in notebook.cells:
            if cell.metadata.get("nbgrader", {}).get("grade_id") == TASK:
                cell.cell_type = "markdown"
                cell.pop("outputs", None), cell.pop("execution_count", None)

    result = grade(right, retyped)
    assert task_of(result)["status"] == "missing"
    assert any("not a code cell" in note for note in result["notes"])


def test_both_halves_of_a_split_cell_count(grade, assignment, right):
    """JupyterLab's Split Cell gives both the metadata, the grade id with it."""

    def split(notebook):
        first = cell_of(notebook)
        top, bottom = first.source.split("\n", 1)
        first.source = top
        half = nbformat.from_dict(first | {"source": bottom, "id": "half"})
        notebook.cells.insert(notebook.cells.index(first) + 1, half)

    result = grade(right, split)
    assert result["points"] == assignment.points
    assert task_of(result)["source"] == right[TASK]
    assert result["notes"] == [f"The cell {TASK} was split; its parts count as one cell."]


def test_an_unfinished_copy_below_a_cell_takes_nothing_from_it(grade, assignment, right):
    def copied(notebook):
        first = cell_of(notebook)
        copy = nbformat.from_dict(first | {"source": "def (", "id": "copy"})
        notebook.cells.insert(notebook.cells.index(first) + 1, copy)

    result = grade(right, copied)
    assert result["points"] == assignment.points
    assert result["notes"] == [f"The cell {TASK} is there more than once; the first one counts."]


SPLIT = ["def area(mask):\n    s = mask.sum()", "    return s"]


@pytest.mark.parametrize(
    ("parts", "whole"),
    [
        (SPLIT, True),
        ([SPLIT[0], SPLIT[1] + "\n%timeit area(x)"], True),
        ([SPLIT[0] + "\n    !ls", SPLIT[1] + "\narea?"], True),
        (["%matplotlib inline\n" + SPLIT[0], "def ("], False),
        (["%matplotlib inline\n" + SPLIT[0], "%timeit area(x)"], True),
        (["\n".join(SPLIT), "%%timeit\narea(x)"], False),
        (["%%time\n" + SPLIT[0], SPLIT[1]], True),
        (["a = 1\n" + "#" * 5000, "def ("], False),
    ],
)  # fmt: skip
def test_a_split_cell_is_told_from_a_copy(parts, whole):
    """By whether it is complete, for a kernel that knows magics."""
    cells = [submissions.Cell("task", "code", source) for source in parts]
    made = author.Assignment("own", (author.Cell("solution", "task", ""),), "")
    answers, notes = session.pick(cells, made)
    assert answers["task"] == ("\n".join(parts) if whole else parts[0])
    assert ("was split" in notes[0]) is whole


def test_a_cell_of_more_magics_than_ipython_reads_is_read_without(monkeypatch):
    monkeypatch.setattr("IPython.core.inputtransformer2.TRANSFORM_LOOP_LIMIT", 2)
    assert session._parses("%who\n")
    assert not session._parses("%who\n" * 3)


def own_cell(source):
    """A change that puts a cell of the student's own above the first task."""

    def change(notebook):
        own = nbformat.v4.new_code_cell(source)
        notebook.cells.insert(notebook.cells.index(cell_of(notebook, TASK)), own)

    return change


def in_the_first_cell(source):
    """A change that puts code of the student's own into the author's set-up cell."""

    def change(notebook):
        first = next(cell for cell in notebook.cells if cell.cell_type == "code")
        first.source += f"\n{source}"

    return change


def test_code_outside_the_cells_of_the_tasks_does_not_count_and_the_student_is_told(
    grade, assignment, right
):
    name = author.bound(right[TASK])[0]
    helped = right | {TASK: f"def {name}(*a, **k):\n    return helper(*a, **k)"}
    helper = right[TASK].replace(f"def {name}(", "def helper(")
    result = grade(helped, own_cell(helper))
    assert "NameError" in task_of(result)["failure"]["got"]
    assert result["notes"] == [session.OWN_CODE]
    assert grade(helped, in_the_first_cell(helper))["notes"] == [session.OWN_CODE]
    # Nobody is told who lost nothing, or whose other cells are the author's or empty.
    assert grade(right, own_cell(helper))["notes"] == []
    assert grade(helped)["notes"] == []
    assert grade(helped, own_cell("  \n"))["notes"] == []


@pytest.mark.parametrize(
    ("cells", "own"),
    [
        ([{"cell_type": "code", "source": "a = 1\r\nb = 2\r\n"}], False),
        ([{"cell_type": "code", "source": ["a = 1\n", "b = 3"]}], True),
        (
            [{"cell_type": "markdown", "source": "Mine"}, {"cell_type": "code", "source": " \n"}],
            False,
        ),
        ([3, [], {}, {"cell_type": "code"}, {"cell_type": "code", "source": []}], False),
        (None, False),
    ],
)
def test_what_is_taken_for_code_of_the_students_own(cells, own):
    data = b'{"more": %s, "cells": %s}' % (b"1" * 5000, json.dumps(cells).encode())
    assert session.has_own_code(session.code_of(data)[1], ["a = 1\nb = 2"]) is own


def test_a_check_that_was_mended_after_it_was_handed_out_is_no_code_of_theirs(
    grade, assignment, right, settings, tmp_path
):
    def older(notebook):
        """As an author's notebook of before had it: another source, and the checksum of that."""
        cell = cell_of(notebook, f"{TASK}-check")
        cell.source += "\n    print('an older check')"
        cell.metadata.nbgrader.checksum = author.checksum(cell)

    assert grade(right | {TASK: "masked = 1"}, older)["notes"] == [results.OTHER_CELLS]
    assert grade(right, older)["notes"] == [results.OTHER_CELLS]

    def own(notebook):
        """A line that the student wrote into the check."""
        cell_of(notebook, f"{TASK}-check").source += "\n    print('mine')"

    assert grade(right | {TASK: "masked = 1"}, own)["notes"] == [session.OWN_CODE]


@pytest.mark.parametrize(
    "about",
    [3, {}, {"nbgrader": []}, {"nbgrader": {"checksum": "0"}}, {"nbgrader": {"checksum": {}}},
     {"nbgrader": {"checksum": "0", "grade_id": ["a"], "grade": True, "points": "many"}}],
)  # fmt: skip
def test_metadata_that_is_none_of_ours_locks_nothing(about):
    cell = {"cell_type": "code", "source": "a = 1", "metadata": about}
    assert session.code_of(json.dumps({"cells": [cell]}).encode()) == ({}, ["a = 1"])


def test_tags_and_comments_that_nbval_obeys_are_not_obeyed(grade, right):
    def skip(notebook):
        for cell in notebook.cells:
            cell.metadata["tags"] = ["nbval-skip", "nbval-raises-exception"]

    result = grade(right | {TASK: "# NBVAL_SKIP\n1 / 0"}, skip)
    assert task_of(result)["status"] == "error"


def test_what_is_no_submission_says_so(settings, assignment, tmp_path):
    path = tmp_path / "notes.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1")]), path)
    submission = submissions.Submission("ada", "notes", path)
    result = session.grade(submission, {NAME: assignment}, settings)
    assert result["status"] == "not graded"
    assert NAME in result["reason"]
    path.write_text("{")
    assert session.grade(submission, {NAME: assignment}, settings)["status"] == "not graded"
