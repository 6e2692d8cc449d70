"""Every exercise: its form, its solutions, its stubs, and wrong answers that must lose points."""

import ast

import nbformat
import pytest

from course import notebooks
from course.grading import author
from tests import exercises

LESSONS = sorted(path.stem for path in notebooks.find())
WRITTEN = sorted(path.stem for path in author.FOLDER.glob("*.ipynb"))


@pytest.fixture(scope="module")
def assignments():
    return author.find()


def test_every_lesson_has_its_exercises():
    assert WRITTEN == LESSONS


def test_what_students_get_is_up_to_date(capsys):
    assert author.write_exercises(check=True) == 0, capsys.readouterr().out


@pytest.mark.parametrize("name", WRITTEN)
def test_form(name):
    assignment = author.read(author.FOLDER / f"{name}.ipynb")
    assert 2 <= len(assignment.solutions) <= 4
    for solution in assignment.solutions:
        assert author.SOLUTION[0] in solution.source, (
            "mark what to write, leave the rest to students"
        )
        assert exercises.checks_of(assignment, solution.name)
        ast.parse(author.stub(solution.source))
    for cell in assignment.checks:
        assert author.hidden(cell.source), f"{cell.name} has no hidden tests"
        ast.parse(author.visible(cell.source))
        ast.parse(author.hidden(cell.source))
        task = cell.name.rpartition("-check")[0]
        assert f'with check("{task}")' in cell.source
        assert task in [solution.name for solution in assignment.solutions]


@pytest.mark.parametrize("name", WRITTEN)
def test_students_get_no_solution_and_no_hidden_test(name):
    """Not in a cell, an output or the metadata; lines that the stub shares with it are allowed."""
    assignment = author.read(author.FOLDER / f"{name}.ipynb")
    text = (author.EXERCISES / f"{name}.ipynb").read_text(encoding="utf-8")
    notebook = nbformat.reads(text, as_version=4)
    assert "BEGIN SOLUTION" not in text
    assert "HIDDEN" not in text
    shown = {line.strip() for cell in notebook.cells for line in cell.source.split("\n")}
    assert not any(cell.get("outputs") for cell in notebook.cells)
    secret = set()
    for cell in assignment.checks:
        visible = {line.strip() for line in author.visible(cell.source).split("\n")}
        secret |= {line.strip() for line in author.hidden(cell.source).split("\n")} - visible
    for cell in assignment.solutions:
        stub = {line.strip() for line in author.stub(cell.source).split("\n")}
        secret |= {line.strip() for line in cell.source.split("\n")} - stub
    told = {line for line in secret & shown if len(line) > 32}  # shorter ones are like each other
    assert not told, "written in another cell too"


@pytest.mark.slow
@pytest.mark.parametrize("name", WRITTEN)
def test_solutions_win_stubs_and_wrong_answers_lose(name):
    assignment = author.read(author.FOLDER / f"{name}.ipynb")
    right = exercises.solutions(assignment)
    lost = {k: error for k, error in exercises.run(assignment, right).items() if error}
    assert not lost, "\n".join(map(str, lost.values()))

    for check, error in exercises.run(assignment, exercises.stubs(assignment)).items():
        assert exercises.status(error) == "not attempted", check

    wrong = exercises.wrong_answers(name)
    assert set(wrong) == set(right), "wrong answers for every task, and no other"
    won = []
    for task, answers in wrong.items():
        assert len(answers) >= 3, f"{task}: at least three plausible wrong answers"
        for title, source in answers.items():
            assert author.bound(source), f"{task}, {title}: binds nothing"
            if not exercises.loses(assignment, right | {task: source}, task):
                won.append(f"{task}: {title}")
    assert not won, "These wrong answers keep their points:\n" + "\n".join(won)
