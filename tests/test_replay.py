"""Comparing a run that happened elsewhere: what nbval would find, found without a kernel."""

import copy
import os

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from course import notebooks
from course.notebooks import replay

pytestmark = pytest.mark.kernels

TRACEBACK = ["\x1b[31mValueError\x1b[39m", "Traceback", "ValueError: too small"]


def printed(text, name="stdout"):
    return new_output("stream", name=name, text=text)


def code(source, *outputs, id, tags=(), count=1):
    return new_code_cell(
        source, id=id, outputs=list(outputs), metadata={"tags": list(tags)}, execution_count=count
    )


def failed(name="ValueError"):
    return new_output("error", ename=name, evalue="too small", traceback=TRACEBACK)


def result(text, **more):
    return new_output("execute_result", data={"text/plain": text, **more}, execution_count=1)


def lesson():
    return new_notebook(
        cells=[
            new_markdown_cell("# A lesson", id="title"),
            code("setup()", printed("Ready: local\n"), id="setup", tags=["nbval-ignore-output"]),
            code("print(1)", printed("1\n"), id="one"),
            code("1 + 1", result("2"), id="sum"),
            new_markdown_cell("Look.", id="look"),
            code(
                "draw()",
                new_output("display_data", data={"image/png": "AAAA", "text/plain": "A plot"}),
                id="figure",
            ),
            code("check()", printed("fine\n"), id="check", tags=["nbval-check-output"]),
            code("fall()", failed(), id="fall", tags=["nbval-raises-exception"]),
        ]
    )


@pytest.fixture
def stored(tmp_path):
    path = tmp_path / "02_measuring.ipynb"
    nbformat.write(lesson(), path)
    return path


@pytest.fixture
def ran():
    """The lesson as a run leaves it: the recorder's cell in front, other ids, no tags."""
    notebook = copy.deepcopy(lesson())
    for number, cell in enumerate(notebook.cells):
        cell.metadata, cell.id = {}, f"random-{number}"
    notebook.cells.insert(1, code("recording.start()", printed("Adding\n"), id="kaggle-run"))
    return notebook


def cell(notebook, source):
    return next(cell for cell in notebook.cells if cell.source.startswith(source))


def ids(failures):
    return [failure.cell for failure in failures]


def test_the_same_outputs_are_no_failure(stored, ran, capsys):
    assert replay.compare(stored, ran) == []
    assert replay.compare(stored, ran, strict=False) == []
    assert capsys.readouterr().out == "", "pytest's own words are not for those who fetch"


def test_a_changed_output_is_reported_with_its_cell(stored, ran):
    cell(ran, "print(1)").outputs = [printed("7\n")]
    (failure,) = replay.compare(stored, ran)
    assert failure.cell == "one"
    for words in ("Cell outputs differ", "print(1)", "- 7", "+ 1"):
        assert words in failure.report


@pytest.mark.parametrize(
    "outputs",
    [
        [result("3")],
        [],
        [result("2"), printed("a warning\n", "stderr")],
        [result("2", **{"text/html": "<b>2</b>"})],
    ],
    ids=["another value", "nothing", "stderr", "another kind"],
)
def test_what_nbval_takes_for_different_is_different(stored, ran, outputs):
    cell(ran, "1 + 1").outputs = outputs
    assert ids(replay.compare(stored, ran)) == ["sum"]


def test_what_nbval_does_not_compare_is_not_compared(stored, ran):
    cell(ran, "setup").outputs = [printed("Ready: kaggle\n")]
    cell(ran, "draw").outputs[0].data["image/png"] = "BBBB"
    cell(ran, "1 + 1").outputs[0].execution_count = 9
    cell(ran, "print(1)").outputs = [printed("0\r"), printed("1\n")]
    assert replay.compare(stored, ran) == []


def test_a_lax_comparison_looks_at_errors_and_chosen_cells(stored, ran):
    cell(ran, "print(1)").outputs = [printed("7\n")]
    assert replay.compare(stored, ran, strict=False) == []
    cell(ran, "check").outputs = [printed("broken\n")]
    cell(ran, "1 + 1").outputs = [failed()]
    assert ids(replay.compare(stored, ran, strict=False)) == ["sum", "check"]


def test_an_error_is_reported_with_its_traceback(stored, ran):
    cell(ran, "setup").outputs = [printed("half\n"), failed()]
    (failure,) = replay.compare(stored, ran)
    assert failure.cell == "setup"
    assert "Cell execution caused an exception" in failure.report
    assert "ValueError: too small" in failure.report
    assert "\x1b" not in failure.report


def test_an_error_that_is_expected_must_be_the_same(stored, ran):
    cell(ran, "fall").outputs = [failed("KeyError")]
    assert ids(replay.compare(stored, ran)) == ["fall"]


def test_a_run_that_stopped_early(stored, ran):
    cell(ran, "1 + 1").outputs = [failed()]
    del ran.cells[ran.cells.index(cell(ran, "draw")) :]
    failures = replay.compare(stored, ran)
    assert ids(failures) == ["sum", "figure", "check", "fall"]
    assert "exception" in failures[0].report
    for failure in failures[1:]:
        assert "The run ended before this cell." in failure.report


def test_a_run_whose_kernel_died(stored, ran):
    last = cell(ran, "1 + 1")
    last.outputs, last.execution_count = [], None
    del ran.cells[ran.cells.index(last) + 1 :]
    failures = replay.compare(stored, ran)
    assert ids(failures) == ["sum", "figure", "check", "fall"]
    assert "The run ended in this cell." in failures[0].report


@pytest.mark.parametrize("source", ["print(1)", "fall()"])
def test_a_lesson_that_changed_since(stored, ran, source):
    cell(ran, source).source += "  # as it was"
    (failure,) = replay.compare(stored, ran)
    assert failure.cell == cell(lesson(), source).id
    assert "the lesson has changed since it was pushed" in failure.report


def test_a_cell_that_came_after_a_complete_run(stored, ran):
    notebook = lesson()
    notebook.cells[-1] = code("print(2)", printed("2\n"), id="new")
    nbformat.write(notebook, stored)
    ran.cells.remove(cell(ran, "fall"))
    (failure,) = replay.compare(stored, ran)
    assert failure.cell == "new"
    assert "the lesson has changed since it was pushed" in failure.report


def test_a_record_without_cells(stored):
    failures = replay.compare(stored, new_notebook())
    assert all("The run ended before this cell." in failure.report for failure in failures)
    assert ids(failures) == ["setup", "one", "sum", "figure", "check", "fall"]


def test_blanks_at_ends_of_lines_are_no_change(stored, ran):
    cell(ran, "print(1)").source = "\nprint(1)  \n"
    assert replay.compare(stored, ran) == []


def test_skipped_cells_need_no_run(stored, ran):
    notebook = lesson()
    cell(notebook, "1 + 1").metadata["tags"] = ["nbval-skip"]
    nbformat.write(notebook, stored)
    ran.cells.remove(cell(ran, "1 + 1"))
    assert replay.compare(stored, ran) == []


def test_cells_of_one_source_are_matched_in_order(stored):
    notebook = new_notebook(cells=[code("n()", printed(f"{i}\n"), id=f"n{i}") for i in range(3)])
    nbformat.write(notebook, stored)
    assert replay.compare(stored, notebook) == []
    other = copy.deepcopy(notebook)
    other.cells[1].outputs = [printed("7\n")]
    assert ids(replay.compare(stored, other)) == ["n1"]


def test_pytest_options_of_the_user_are_kept_out(stored, ran, monkeypatch):
    monkeypatch.setenv("PYTEST_ADDOPTS", "--collect-only")
    monkeypatch.setenv("PYTEST_PLUGINS", "no_such_plugin")
    cell(ran, "print(1)").outputs = [printed("7\n")]
    assert ids(replay.compare(stored, ran)) == ["one"]
    assert os.environ["PYTEST_ADDOPTS"] == "--collect-only"
    assert "PYTEST_DISABLE_PLUGIN_AUTOLOAD" not in os.environ


def test_a_stored_notebook_that_does_not_parse(stored, ran):
    stored.write_text("<<<<<<< ours")
    with pytest.raises(ValueError, match="is not a notebook"):
        replay.compare(stored, ran)


def test_every_fifth_lesson_agrees_with_itself():
    for path in notebooks.find()[::5]:
        assert replay.compare(path, notebooks.read(path)) == []
