"""Author notebooks: what is read, what students get, what is refused."""

import copy
import shlex

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from course import __main__ as command_line
from course import notebooks
from course.grading import author

SOLUTION = '''def double(x):
    """Twice x."""
    ### BEGIN SOLUTION
    return 2 * x
    ### END SOLUTION'''
CHECK = """with check("double"):
    check.equal(double(2), 4, "two")
    ### BEGIN HIDDEN TESTS
    secret = 21
    check.equal(double(secret), 42, "another number")
    ### END HIDDEN TESTS"""

# Parts of one statement cannot be run one after the other.
ELSE_HIDDEN = """if double(2) == 4:
    pass
### BEGIN HIDDEN TESTS
else:
    check.equal(double(2), 4)
### END HIDDEN TESTS"""


def about(grade_id, **kind):
    plain = {"grade": False, "solution": False, "locked": False, "task": False}
    return {"nbgrader": plain | {"schema_version": 3, "grade_id": grade_id} | kind}


def notebook(
    solution=SOLUTION, check=CHECK, points=3, grade_id="double-check", title="Doubling (3 points)"
):
    return new_notebook(
        cells=[
            new_code_cell("from course.grading import check", id="setup"),
            new_markdown_cell(f"### Task 1: {title}", id="task"),
            new_code_cell(solution, metadata=about("double", solution=True), id="double"),
            new_code_cell(
                check,
                metadata=about(grade_id, grade=True, locked=True, points=points),
                id="double-check",
                outputs=[nbformat.v4.new_output("stream", text="secret 21")],
                execution_count=3,
            ),
        ]
    )


def write(folder, made, name="99_doubling"):
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.ipynb"
    path.write_text(nbformat.writes(made), encoding="utf-8")
    return path


def test_a_notebook_is_read_into_its_cells(tmp_path):
    read = author.read(write(tmp_path, notebook()))
    assert [cell.role for cell in read.cells] == ["given", "solution", "check"]
    assert (read.name, read.points) == ("99_doubling", 3)
    (check,) = read.checks
    assert check.title == "Task 1: Doubling (3 points)"
    assert read.task_of(check).name == "double"
    assert author.bound(read.solutions[0].source) == ["double"]


def test_its_digest_changes_with_every_cell_and_with_nothing_else(tmp_path):
    digest = author.read(write(tmp_path, notebook())).digest
    with_output = notebook()
    with_output.cells[0].outputs = [nbformat.v4.new_output("stream", text="ready")]
    assert author.read(write(tmp_path, with_output)).digest == digest
    for changed in (
        notebook(solution=SOLUTION.replace("2 *", "2.0 *")),
        notebook(check=CHECK.replace("21", "22")),
        notebook(points=2, title="Doubling (2 points)"),
    ):
        assert author.read(write(tmp_path, changed)).digest != digest


def test_students_get_the_stub_and_the_visible_checks():
    released = author.release(notebook())
    text = nbformat.writes(released)
    assert released.cells[2].source == (
        'def double(x):\n    """Twice x."""\n    # YOUR CODE HERE\n    raise NotImplementedError()'
    )
    assert released.cells[3].source.endswith('check.equal(double(2), 4, "two")')
    assert not any(secret in text for secret in ("21", "42", "HIDDEN", "BEGIN SOLUTION", "2 * x"))
    assert released.cells[3].metadata["editable"] is False
    assert "editable" not in released.cells[2].metadata


def test_hidden_tests_run_as_a_block_of_their_own():
    hidden = author.hidden(CHECK)
    assert hidden.startswith("secret = 21\n")
    compile(hidden, "hidden", "exec")
    assert author.hidden(author.visible(CHECK)) == ""
    with pytest.raises(ValueError, match="without"):
        author.hidden("### BEGIN HIDDEN TESTS\n1")


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (notebook(solution=SOLUTION.replace("    ### END SOLUTION", "")), "END SOLUTION"),
        (notebook(check=CHECK.replace("    ### BEGIN HIDDEN TESTS\n", "")), "BEGIN HIDDEN"),
        (notebook(points=0), "points above zero"),
        (notebook(grade_id=""), "grade_id"),
        (
            notebook(solution=SOLUTION + "\n%timeit double(2)"),
            "cell 'double': line 6, `%timeit dou",
        ),
        (notebook(check="!ls\n" + CHECK), "cell 'double-check': line 1, `!ls`, is not Python"),
        (notebook(check=ELSE_HIDDEN), "cell 'double-check': line 1, `else:`, is not Python"),
        (notebook(solution="double = '\0'"), "not Python"),
        (notebook(solution="double = ((2"), r"not Python, as the grader needs it \('\(' was never"),
        (notebook(points="two"), "points above zero, as a number"),
        (notebook(points=None), "points above zero, as a number"),
        (notebook(solution=CHECK), r"'### BEGIN HIDDEN TESTS' stands in a cell that is no check"),
        (notebook(check=SOLUTION), r"'### BEGIN SOLUTION' stands in a cell that is no solution"),
        (
            notebook(check=CHECK.replace('"double"', '"duoble"')),
            r"'double', and says check\('duoble'\)",
        ),
        (
            notebook(check='with check("double"):\n    double(2)'),
            "cell 'double-check': it calls no check",
        ),
        (notebook(check='with check("double"):\n    checkerboard(2)'), "it calls no check"),
        (
            notebook(check=CHECK.replace('double(2), 4, "two"', '4, double(2), "two"')),
            "cell 'double-check': line 2 judges the constant 4. What the student's function gave",
        ),
        (
            notebook(
                check='with check("double"):\n    check.equal(got=[-4], expected=double(2), case="x")'
            ),
            r"line 2 judges the constant \[-4\]",
        ),
        (notebook(points=2), r"'Task 1: Doubling \(3 points\)' promises other .* have \(2\)"),
    ],
)
def test_what_is_not_in_the_format_is_refused_by_file_and_cell(tmp_path, made, said):
    path = write(tmp_path, made)
    with pytest.raises(ValueError, match=said) as caught:
        author.read(path)
    assert str(path) in str(caught.value)


def without_a_check(notebook, last=False):
    """`notebook` with a task more whose check cell was added in Jupyter, without metadata."""
    more = copy.deepcopy(notebook.cells[1:])
    more[0].id, more[1].id = "task-2", "triple"
    more[1].metadata.nbgrader.grade_id = "triple"
    more[2] = new_code_cell('with check("triple"):\n    check.equal(triple(2), 6, "two")')
    notebook.cells[1:1] = [] if last else more
    notebook.cells += more if last else []
    return notebook


@pytest.mark.parametrize("last", [False, True])
def test_a_task_that_no_check_cell_judges_is_refused(tmp_path, last):
    """It would be in no gradebook."""
    path = write(tmp_path, without_a_check(notebook(), last))
    with pytest.raises(
        ValueError, match=r"cell 'triple': no check cell .* \"grade\": true"
    ) as caught:
        author.read(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("cell", "kind"),
    [
        (new_code_cell, {"grade": True, "solution": True}),
        (new_markdown_cell, {"grade": True, "solution": True}),
        (new_markdown_cell, {"grade": True}),
        (new_markdown_cell, {"task": True}),
    ],
)
def test_what_is_to_be_graded_by_hand_is_refused(tmp_path, cell, kind):
    """Its points would be in no gradebook."""
    made = notebook()
    made.cells.insert(2, cell("1", metadata=about("why", points=2, **kind), id="why"))
    with pytest.raises(ValueError, match=r"99_doubling.ipynb, cell 'why': .* graded by hand"):
        author.read(write(tmp_path, made))


def test_a_text_that_is_locked_and_a_task_with_two_checks_are_read(tmp_path):
    made = notebook(points=1)
    made.cells[1].metadata = about("text", locked=True)
    more = copy.deepcopy(made.cells[3])
    more.id = more.metadata.nbgrader.grade_id = "double-again"
    more.metadata.nbgrader.points = 2
    made.cells.append(more)
    assert author.read(write(tmp_path, made)).points == 3


def test_points_of_several_checks_below_a_heading_are_added_up(tmp_path):
    made = notebook(points=1)
    more = copy.deepcopy(made.cells[3])
    more.id = "double-again"
    more.metadata.nbgrader.grade_id, more.metadata.nbgrader.points = "double-again", 2
    made.cells += [new_markdown_cell("No heading."), more]
    assert author.read(write(tmp_path, made)).points == 3
    made.cells[1].source = "### Task 1: Doubling"  # promises nothing
    made.cells[3].metadata.nbgrader.points = 0.5
    assert author.read(write(tmp_path, made)).points == 2.5


def test_headings_without_checks_promise_nothing(tmp_path):
    made = notebook(points=0.3, title="Doubling (0.3 points)")
    more = copy.deepcopy(made.cells[3])
    more.id = more.metadata.nbgrader.grade_id = "double-again"
    made.cells[3].metadata.nbgrader.points, more.metadata.nbgrader.points = 0.1, 0.2
    made.cells.insert(0, new_markdown_cell("# The sheet (8 points)"))
    made.cells += [more, new_markdown_cell("#### A hint (1 point)")]
    assert author.read(write(tmp_path, made)).points == pytest.approx(0.3)


@pytest.mark.parametrize(
    "line",
    ["assert double(2) == 4", "np.testing.assert_array_equal(double(2), 4)", "check_double(2)"],
)
def test_an_assert_and_a_helper_are_checks(tmp_path, line):
    made = notebook(check=f'with check("double"):\n    {line}')
    assert author.read(write(tmp_path, made)).checks


def test_a_magic_in_a_given_cell_is_refused_with_what_to_do(tmp_path):
    """Jupyter knows `%matplotlib inline`; the grader, which reads the cell too, does not."""
    made = notebook()
    made.cells[0].source = "import numpy as np\n%matplotlib inline"
    path = write(tmp_path, made)
    with pytest.raises(ValueError, match="is not Python") as caught:
        author.find(tmp_path)
    assert str(caught.value) == (
        f"{path}, cell 'setup': line 2, `%matplotlib inline`, is not Python, as the grader needs "
        "it. Leave magics (%) and shell commands (!) out, or write them as calls: "
        'get_ipython().run_line_magic("matplotlib", "inline").'
    )
    made.cells[0].source = 'get_ipython().run_line_magic("matplotlib", "inline")'
    assert author.read(write(tmp_path, made)).checks
    made.nbformat_minor = 4  # of a Jupyter that gave cells no ids yet
    made.cells[0].source = "%matplotlib inline"
    for cell in made.cells:
        cell.pop("id")
    with pytest.raises(ValueError, match=r"cell 1: line 1"):
        author.read(write(tmp_path, made))


def test_what_is_marked_in_a_cell_without_metadata_is_not_handed_out(tmp_path):
    """A task that was added in Jupyter: its solution would go to every student."""
    made = notebook()
    for cell in made.cells:
        cell.metadata.pop("nbgrader", None)
    write(tmp_path, made)
    with pytest.raises(ValueError, match='"solution": true') as caught:
        author.write_exercises(tmp_path, tmp_path / "out")
    assert "students would get what it marks" in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_metadata_may_leave_out_what_is_false():
    made = notebook()
    for cell in made.cells:
        about = cell.metadata.get("nbgrader", {})
        for key in [key for key, value in about.items() if value is False]:
            del about[key]
    assert "BEGIN" not in nbformat.writes(author.release(made))


def test_one_grade_id_in_two_notebooks_is_refused(tmp_path):
    write(tmp_path, notebook(), "98_one")
    write(tmp_path, notebook(), "99_two")
    with pytest.raises(ValueError, match=r"99_two.*'double' is in 98_one"):
        author.find(tmp_path)
    empty = tmp_path / "without-tasks"
    write(empty, new_notebook(cells=[new_code_cell("1")]))
    with pytest.raises(ValueError, match="no check cell"):
        author.find(empty)
    with pytest.raises(FileNotFoundError, match="--author DIR"):
        author.find(tmp_path / "nothing")


def test_exercises_are_written_checked_and_cleared_away(tmp_path, capsys):
    write(tmp_path / "source", notebook())
    target = tmp_path / "target"
    assert author.write_exercises(tmp_path / "source", target) == 1
    assert author.write_exercises(tmp_path / "source", target, check=True) == 0
    written = target / "99_doubling.ipynb"
    assert "NotImplementedError" in notebooks.read(written).cells[2].source
    write(tmp_path / "source", notebook(solution=SOLUTION.replace("Twice", "Two times")))
    write(target, author.release(notebook()), "97_left_over")
    write(target, new_notebook(cells=[new_code_cell("1")]), "notes")
    assert author.write_exercises(tmp_path / "source", target, check=True) == 2
    assert author.write_exercises(tmp_path / "source", target) == 2
    assert {path.name for path in target.iterdir()} == {"99_doubling.ipynb", "notes.ipynb"}
    mends = f"exercises --author {tmp_path / 'source'} --out {target}` to mend that."
    assert mends in capsys.readouterr().out


def test_the_command_that_mends_what_is_out_of_date_leaves_other_folders_alone(tmp_path):
    assert author._to_write(author.FOLDER, author.EXERCISES) == "make exercises"
    for folders in ((tmp_path, author.EXERCISES), (author.FOLDER, tmp_path / "to hand out")):
        words = shlex.split(author._to_write(*map(str, folders)))
        options = command_line._parser().parse_args(words[3:])
        assert (options.author, options.out) == tuple(map(str, folders))


def test_a_stub_is_no_answer_however_its_cell_ends(tmp_path):
    write(tmp_path / "source", notebook(solution=SOLUTION + "\n\n"))
    assert author.write_exercises(tmp_path / "source", tmp_path / "target") == 1
    assert author.write_exercises(tmp_path / "source", tmp_path / "target") == 0


@pytest.mark.parametrize(
    "answer",
    [
        "def double(x):\n    return x + x",
        # The line is left below the answer, or in another function that waits for its own.
        "def double(x):\n    return 2 * x\n    raise NotImplementedError()",
        "def half(x):\n    return x / 2\n\n\ndef double(x):\n    raise NotImplementedError()",
        "",
    ],
)
def test_an_answer_is_never_written_over(tmp_path, answer):
    write(tmp_path / "source", notebook())
    target = tmp_path / "target"
    answered = author.release(notebook())
    solution = next(c for c in answered.cells if c.metadata.get("nbgrader", {}).get("solution"))
    solution.source = answer
    path = write(target, answered)
    before = path.read_bytes()
    assert author.write_exercises(tmp_path / "source", target, check=True) == 1
    with pytest.raises(
        ValueError, match=r"holds an answer, in the cell double; nothing was written"
    ):
        author.write_exercises(tmp_path / "source", target)
    assert path.read_bytes() == before


def test_an_answer_is_never_deleted_with_a_notebook_that_is_left_over(tmp_path):
    write(tmp_path / "source", notebook())
    left = author.release(notebook())
    left.cells[2].source += "  # what now?"
    path = write(tmp_path / "target", left, "97_left_over")
    with pytest.raises(ValueError, match="97_left_over.ipynb holds an answer"):
        author.write_exercises(tmp_path / "source", tmp_path / "target")
    assert path.exists()


def test_modules_that_notebooks_import(tmp_path):
    read = author.read(write(tmp_path, notebook()))
    assert author.modules([read]) == ["course.grading", "course.grading.check"]
