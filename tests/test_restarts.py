"""Lessons taken up in the middle, where they say that it may be done."""

import copy

import pytest

from course import notebooks
from course.notebooks import replay
from course.notebooks.execution import execute, kernel_environment


def restarting():
    """Pairs of a lesson's file and the id of a cell to go on at; of the ones that take seconds."""
    for path in notebooks.find(["00", "05", "12", "14"]):
        for cell in notebooks.read(path).cells:
            if "restart" in cell.metadata.get("tags", []):
                yield pytest.param(path, cell.id, id=f"{path.stem}-{cell.id}")


def test_there_are_cells_to_go_on_at():
    assert list(restarting()), "pytest would skip the next test without a word"


@pytest.mark.slow
@pytest.mark.parametrize(("path", "start"), list(restarting()))
def test_a_lesson_goes_on_after_a_restart(path, start):
    notebook = notebooks.read(path)
    number = [cell.id for cell in notebook.cells].index(start)
    before = [
        c
        for c in notebook.cells[:number]
        if c.id == "setup" or "data" in c.metadata.get("tags", [])
    ]
    rest = copy.deepcopy(notebook)
    rest.cells = before + notebook.cells[number:]
    outcome = execute(rest, path.parent, kernel_environment(**notebooks.REFRESH))
    assert not outcome.failure
    later = {cell.id for cell in notebook.cells[number:]}
    failures = replay.compare(path, outcome.notebook)
    assert not [failure for failure in failures if failure.cell in later]
