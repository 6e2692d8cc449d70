"""The sample class: who is in it, and what the grader says to each of them."""

import ast
import json
import shlex
import shutil
import sys
from pathlib import Path

import pytest

from course import __main__ as command_line
from course.grading import author, box, demo, kernels, session, submissions
from tests import exercises

FIRST, SECOND = "01_pixels_and_classes", "02_measuring"
# Of 11 points, by the tasks 3 + 2 + 3 + 3; None is not graded.
POINTS = {
    "ada-solved-all": 11,
    "ben-did-nothing": 0,
    "chen-did-half": 5,
    "dora-slipped-in-1": 8,
    "dora-slipped-in-2": 9,
    "dora-slipped-in-3": 8,
    "dora-slipped-in-4": 8,
    "emil-forgot-return": 0,
    "fatima-left-a-syntax-error": 8,
    "gus-loops-for-ever": 8,
    "hana-ends-the-kernel": 8,
    "ivan-deleted-a-task": 8,
    "jo-edited-the-checks": 0,
    "kim-pasted-a-cell-twice": 11,
    "lars-renamed-the-file": 11,
    "mia-sent-an-empty-file": None,
    "nils-sent-no-notebook": None,
    "olga-sent-a-text": None,
    "Zoë Ångström": 11,
}
LAST = {  # how the last task ended
    "ada-solved-all": "right",
    "ben-did-nothing": "not attempted",
    "dora-slipped-in-4": "wrong",
    "emil-forgot-return": "wrong",
    "fatima-left-a-syntax-error": "error",
    "gus-loops-for-ever": "stopped",
    "hana-ends-the-kernel": "stopped",
    "ivan-deleted-a-task": "missing",
    "jo-edited-the-checks": "not attempted",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("a class")
    demo.make(path)
    return path


@pytest.fixture(scope="module")
def found(folder):
    """Submissions by (student, assignment)."""
    known = author.find()
    return {(s.student, s.assignment): s for s in submissions.find(folder / "submitted", known)}


def test_the_grader_finds_everybody(found):
    assert {student for student, name in found if name == FIRST} == set(POINTS)
    assert {student for student, name in found if name == SECOND} == demo.TOOK_BOTH
    assert len(found) == len(POINTS) + len(demo.TOOK_BOTH)
    assert [student for (student, _), s in found.items() if s.problem] == ["olga-sent-a-text"]
    assert found["lars-renamed-the-file", FIRST].notebook == "Untitled1 (final)"


def test_it_is_the_same_class_every_time(folder, tmp_path):
    demo.make(tmp_path / "again" / "and deeper")
    files = sorted(path.relative_to(folder) for path in folder.rglob("*"))
    again = sorted((tmp_path / "again" / "and deeper").rglob("*"))
    assert [path.relative_to(tmp_path / "again" / "and deeper") for path in again] == files
    for path in again:
        if path.is_file():
            other = folder / path.relative_to(tmp_path / "again" / "and deeper")
            assert path.read_bytes() == other.read_bytes()


def test_nobody_hands_in_hidden_tests_or_marks(folder):
    for path in folder.rglob("*.ipynb"):
        text = path.read_text(encoding="utf-8")
        assert "HIDDEN TESTS" not in text
        assert "SOLUTION" not in text


def test_what_is_printed_is_the_command_that_grades(tmp_path, capsys):
    assert command_line.main(["demo-class", str(tmp_path / "my class")]) == 0
    said = capsys.readouterr().out
    assert all(student in said for student in POINTS)
    assert "19 students" in said
    line = said.splitlines()[-1]
    python, module, course, *arguments = shlex.split(line)
    assert Path(shutil.which(python)).samefile(sys.executable)
    assert [module, course] == ["-m", "course"]
    options = command_line._parser().parse_args(arguments)
    assert options.submissions == str(tmp_path / "my class" / "submitted")
    assert options.out == str(tmp_path / "my class" / "graded")


def test_nothing_is_overwritten(tmp_path, capsys):
    (tmp_path / "there").write_text("mine")
    for place in (tmp_path, tmp_path / "there"):
        assert command_line.main(["demo-class", str(place)]) == 1
        assert "is empty or does not exist yet" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["there"]
    assert (tmp_path / "there").read_text() == "mine"


def test_an_instructors_own_exercises(tmp_path, capsys):
    (tmp_path / "private").mkdir()
    for name in ("09_imbalance", "04_data_pipeline", "03_before_deep_learning"):
        text = (author.FOLDER / f"{name}.ipynb").read_bytes()
        (tmp_path / "private" / f"{name}.ipynb").write_bytes(text)
    demo.make(tmp_path / "class", author=tmp_path / "private")
    assert f"--author {tmp_path / 'private'}" in capsys.readouterr().out
    handed_in = {path.name for path in (tmp_path / "class" / "submitted").glob("*/*")}
    assert handed_in == {"03_before_deep_learning", "04_data_pipeline"}


def test_without_author_notebooks_it_says_so(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="no author notebooks"):
        demo.make(tmp_path / "class", author=tmp_path / "empty")
    assert not (tmp_path / "class").exists()


# The mistakes


@pytest.mark.parametrize(
    ("source", "wrong"),
    [
        ("def f(x):\n    return x.sum(axis=-1) + 1", "def f(x):\n    return x.sum(axis=0) + 1"),
        ("def f(x):\n    return x.sum(axis=0)", "def f(x):\n    return x.sum(axis=1)"),
        ("def f(a, b):\n    return a / b", "def f(a, b):\n    return a * b"),
        ("def f(a, b):\n    return a > b", "def f(a, b):\n    return b > a"),
        ("def f(a):\n    return g(a)", "def f(a):\n    answer = g(a)"),
    ],
)
def test_a_slip(source, wrong):
    assert demo.slip(source) == wrong


def test_a_return_that_is_forgotten():
    source = "def f(a):\n    if a:\n        return 1\n    else:\n        return\n    return 2"
    names = {}
    exec(demo.without_return(source), names)
    assert names["f"](0) is names["f"](1) is None
    assert "answer = 2" in demo.without_return(source)


def test_another_body_keeps_the_docstring():
    source = 'import os\n\ndef f(a):\n    """Says."""\n    return a'
    assert demo.body(source, "pass") == 'import os\n\ndef f(a):\n    """Says."""\n    pass'
    assert demo.body("def f(a):\n    return a", "pass") == "def f(a):\n    pass"


@pytest.mark.parametrize("name", sorted(author.find()))
def test_every_exercise_has_its_mistakes(name):
    """So that the class can be made of whatever exercises the course will have."""
    for source in demo.Exercise(author.FOLDER / f"{name}.ipynb").solved.values():
        for wrong in (demo.slip(source), demo.without_return(source)):
            assert ast.dump(ast.parse(wrong)) != ast.dump(ast.parse(source))
            assert author.bound(wrong) == author.bound(source)


@pytest.mark.parametrize("name", [FIRST, SECOND])
def test_a_slip_costs_its_task_and_no_other(name):
    assignment = author.read(author.FOLDER / f"{name}.ipynb")
    solved = demo.Exercise(author.FOLDER / f"{name}.ipynb").solved
    for task, source in solved.items():
        outcomes = exercises.run(assignment, solved | {task: demo.slip(source)})
        failed = {check for check, error in outcomes.items() if error}
        assert failed
        assert failed <= set(exercises.checks_of(assignment, task))


# What the grader says


@pytest.mark.skipif(sys.platform != "linux", reason="the grader needs Linux")
@pytest.mark.slow
def test_everybody_gets_the_points_that_their_names_tell(found):
    assignments = {FIRST: author.read(author.FOLDER / f"{FIRST}.ipynb")}
    try:
        kind = box.choose()
    except box.NoBox:
        kind = "none"  # nobody in this class means harm
    points, last, notes = {}, {}, {}
    with kernels.Server(kind) as server:
        settings = session.Settings(server, b"the key of this test", cell_seconds=5)
        for student in POINTS:
            graded = session.grade(found[student, FIRST], assignments, settings)
            json.dumps(graded)
            points[student] = graded["points"] if graded["status"] == "graded" else None
            last[student] = graded["tasks"][-1]["status"] if graded["tasks"] else None
            notes[student] = graded["notes"]
    assert points == POINTS
    assert {student: last[student] for student in LAST} == LAST
    assert "more than once" in notes["kim-pasted-a-cell-twice"][0]
    assert "missing" in notes["ivan-deleted-a-task"][0]
