"""A class that never was: sample submissions on which an instructor can try the grader.

Every student is named after what they did. The same author notebooks give the same class.
"""

import ast
import copy
import shlex
from pathlib import Path
from typing import NamedTuple

from course import hints, notebooks

from .author import FOLDER, SOLUTION, find, release

# Small ones, which run without Keras; of other author notebooks the first two.
PREFERRED = ["01_pixels_and_classes", "02_measuring"]
TOOK_BOTH = {
    "ada-solved-all",
    "ben-did-nothing",
    "chen-did-half",
    "dora-slipped-in-1",
    "Zoë Ångström",
}

ARITHMETIC = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mod,
}


class Sample(NamedTuple):
    """What one student handed in, and in words what is special about it."""

    student: str
    story: str
    text: str
    file: str = ""  # its name, if it is not the assignment's


def make(folder, author=FOLDER):
    """Write a class to ``folder/submitted/<student>/<assignment>/<assignment>.ipynb``.

    Prints who is in it, and the command that grades it.

    Parameters
    ----------
    folder : path
        Must be empty or not exist.
    author : path
        The folder of author notebooks.

    Raises
    ------
    ValueError
        If there is something in the folder, or an author notebook is not in the format.
    FileNotFoundError
        If there are no author notebooks.
    """
    folder = Path(folder)
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise ValueError(
            f"There is something in {folder} already, and demo-class overwrites nothing. Name a "
            "folder that is empty or does not exist yet."
        )
    found = find(author)
    first, *second = [name for name in PREFERRED if name in found] or sorted(found)[:2]
    samples = _write(folder, author, first, lambda sample: True)
    for name in second:
        _write(folder, author, name, lambda sample: sample.student in TOOK_BOTH)
    print(f"{len(samples)} students in {folder / 'submitted'}, all with {first}:\n")
    width = max(len(sample.student) for sample in samples)
    for sample in samples:
        print(f"  {sample.student:{width}}  {sample.story}")
    for name in second:
        print(f"\nFive of them handed in {name} too.")
    options = [] if author == FOLDER else ["--author", shlex.quote(str(author))]
    submitted, graded = (shlex.quote(str(folder / part)) for part in ("submitted", "graded"))
    command = hints.command("grade", submitted, *options, "--out", graded)
    print(f"\nGrade them with\n\n  {command}")


def _write(folder, author, name, wanted):
    samples = [
        sample for sample in a_class(Exercise(Path(author, f"{name}.ipynb"))) if wanted(sample)
    ]
    for sample in samples:
        path = folder / "submitted" / sample.student / name / (sample.file or f"{name}.ipynb")
        path.parent.mkdir(parents=True)
        path.write_text(sample.text, encoding="utf-8", newline="\n")
    return samples


class Exercise:
    """An author notebook, from which submissions in all sorts of states are made.

    Attributes: `solved`, grade id → solution, in the notebook's order; `released`, the notebook
    (NotebookNode) as students get it.
    """

    def __init__(self, path):
        notebook = notebooks.read(path)
        self.released = release(notebook)
        self.solved = {
            cell.metadata.nbgrader.grade_id: _without_marks(cell.source)
            for cell in notebook.cells
            if cell.metadata.get("nbgrader", {}).get("solution")
        }

    def handed_in(self, answers, change=lambda cells: None):
        """The file's text, with `answers` (grade id → source) in it.

        `change` may alter the list of cells.
        """
        notebook = copy.deepcopy(self.released)
        for cell in notebook.cells:
            name = grade_id(cell)
            cell.source = answers.get(name, cell.source)
        change(notebook.cells)
        return notebooks.canonical(notebook)


def _without_marks(source):
    lines = source.split("\n")
    return "\n".join(line for line in lines if not any(mark in line for mark in SOLUTION))


def grade_id(cell):
    return cell.metadata.get("nbgrader", {}).get("grade_id", "")


def a_class(exercise):
    """Everybody who hands in this exercise: a list of Sample."""
    solved, tasks = exercise.solved, list(exercise.solved)
    last = tasks[-1]
    half = {name: solved[name] for name in tasks[: len(tasks) // 2]}

    def but(name, source):
        return exercise.handed_in(solved | {name: source})

    def delete_last(cells):
        cells[:] = [cell for cell in cells if grade_id(cell) != last]

    def forge_checks(cells):
        for cell in cells:
            if cell.metadata.get("nbgrader", {}).get("grade"):
                cell.source = 'print("every check in this cell passes.")'

    def append_wrong_copy(cells):
        cells.append(copy.deepcopy(next(cell for cell in cells if grade_id(cell) == tasks[0])))
        cells[-1].source, cells[-1].id = "raise NotImplementedError()", "a-copy"

    everything = exercise.handed_in(solved)
    return [
        Sample("ada-solved-all", "solved everything", everything),
        Sample("ben-did-nothing", "handed in what was handed out", exercise.handed_in({})),
        Sample("chen-did-half", "solved the first half", exercise.handed_in(half)),
        *(
            Sample(
                f"dora-slipped-in-{number}",
                f"one slip, in task {number}",
                but(name, slip(solved[name])),
            )
            for number, name in enumerate(tasks, 1)
        ),
        Sample(
            "emil-forgot-return",
            "no function returns anything",
            exercise.handed_in({name: without_return(source) for name, source in solved.items()}),
        ),
        Sample(
            "fatima-left-a-syntax-error",
            "the last task has no colon after def",
            but(last, solved[last].replace("):\n", ")\n", 1)),
        ),
        Sample(
            "gus-loops-for-ever",
            "the last task never ends",
            but(last, body(solved[last], "while True:\n    pass")),
        ),
        Sample(
            "hana-ends-the-kernel",
            "the last task ends the process it runs in",
            but(last, body(solved[last], "import os\nos._exit(0)")),
        ),
        Sample(
            "ivan-deleted-a-task",
            "the cell of the last task is gone",
            exercise.handed_in(solved, delete_last),
        ),
        Sample(
            "jo-edited-the-checks",
            "no answer, but check cells that print success",
            exercise.handed_in({}, forge_checks),
        ),
        Sample(
            "kim-pasted-a-cell-twice",
            "all solved, the first task again at the end, undone",
            exercise.handed_in(solved, append_wrong_copy),
        ),
        Sample("lars-renamed-the-file", "solved everything", everything, "Untitled1 (final).ipynb"),
        Sample("mia-sent-an-empty-file", "nought bytes", ""),
        Sample(
            "nils-sent-no-notebook",
            "a text whose name ends in .ipynb",
            "Dear instructor, my notebook does not save. What can I do?\n",
        ),
        Sample(
            "olga-sent-a-text",
            "a text instead of a notebook",
            "See my repository.\n",
            "answers.txt",
        ),
        Sample("Zoë Ångström", "solved everything; a name with accents", everything),
    ]


# Mistakes, made in the source of a solution


def slip(source):
    """`source` with one thing wrong: an axis, a sign, a comparison, or else nothing returned."""
    tree = ast.parse(source)
    nodes = [node for node in ast.walk(tree) if not isinstance(node, ast.FunctionDef)]
    for change in (_other_axis, _other_sign, _other_comparison):
        if any(map(change, nodes)):
            return ast.unparse(ast.fix_missing_locations(tree))
    return without_return(source)


def _other_axis(node):
    if not (isinstance(node, ast.keyword) and node.arg == "axis"):
        return False
    node.value = ast.Constant(1 if ast.unparse(node.value) == "0" else 0)
    return True


def _other_sign(node):
    if not (isinstance(node, ast.BinOp) and type(node.op) in ARITHMETIC):
        return False
    node.op = ARITHMETIC[type(node.op)]()
    return True


def _other_comparison(node):
    if not (isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Gt | ast.Lt)):
        return False
    node.left, node.comparators[0] = node.comparators[0], node.left
    return True


def without_return(source):
    """`source` with functions that work out their answer and keep it to themselves."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        for field in ("body", "orelse"):
            block = getattr(node, field, None)
            if isinstance(block, list):
                setattr(node, field, [_kept(statement) for statement in block])
    return ast.unparse(ast.fix_missing_locations(tree))


def _kept(statement):
    if not (isinstance(statement, ast.Return) and statement.value):
        return statement
    return ast.Assign([ast.Name("answer", ast.Store())], statement.value)


def body(source, statements):
    """`source` with the body of its first function replaced, all but the docstring."""
    tree = ast.parse(source)
    function = next(node for node in tree.body if isinstance(node, ast.FunctionDef))
    kept = function.body[: ast.get_docstring(function) is not None]
    function.body = kept + ast.parse(statements).body
    return ast.unparse(ast.fix_missing_locations(tree))
