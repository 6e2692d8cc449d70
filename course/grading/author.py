"""Author notebooks: exercises with their solutions and hidden tests, in nbgrader's cell format.

A solution cell holds ``### BEGIN SOLUTION`` and ``### END SOLUTION``, a check cell may hold
``### BEGIN HIDDEN TESTS`` and ``### END HIDDEN TESTS``. Students do not get what stands between
these marks. The other cells, the *given* ones, are the same for everybody.

https://nbgrader.readthedocs.io/en/stable/contributor_guide/metadata.html
"""

import ast
import copy
import hashlib
import itertools
import math
import re
import shlex
import textwrap
from pathlib import Path
from typing import NamedTuple

from course import hints, notebooks

from . import cases

FOLDER = notebooks.FOLDER / "solutions"
EXERCISES = notebooks.FOLDER / "exercises"
SCHEMA = 3
STUB = "# YOUR CODE HERE\nraise NotImplementedError()"
SOLUTION = "### BEGIN SOLUTION", "### END SOLUTION"
HIDDEN = "### BEGIN HIDDEN TESTS", "### END HIDDEN TESTS"


class Cell(NamedTuple):
    """A code cell of an author notebook.

    `role` is "given", "solution" or "check"; `name` the grade id ("" for given cells without one);
    `points` the points of a check cell, else 0; `title` the heading above it.
    """

    role: str
    name: str
    source: str
    points: float = 0
    title: str = ""


class Assignment(NamedTuple):
    """An author notebook: its name (the file's stem), its code cells, and a digest of them."""

    name: str
    cells: tuple
    digest: str

    @property
    def solutions(self):
        return [cell for cell in self.cells if cell.role == "solution"]

    @property
    def checks(self):
        return [cell for cell in self.cells if cell.role == "check"]

    def task_of(self, check):
        """The solution cell that the check cell `check` judges: the last one before it."""
        before = self.cells[: self.cells.index(check)]
        return [cell for cell in before if cell.role == "solution"][-1]

    @property
    def points(self):
        return sum(cell.points for cell in self.checks)


def find(folder=FOLDER):
    """The author notebooks in `folder` by name: a dictionary of Assignment.

    Raises FileNotFoundError if there is none, ValueError (naming file and cell) where one is not
    in the format, or where two cells of the folder have one grade id.
    """
    paths = sorted(Path(folder).glob("*.ipynb"))
    if not paths:
        raise FileNotFoundError(
            f"There are no author notebooks (*.ipynb) in {folder}. Name the folder that has them "
            "with --author DIR; the course's own lie in notebooks/solutions/ of the repository."
        )
    found, owner = {}, {}
    for path in paths:
        found[path.stem] = read(path)
        if not found[path.stem].checks:
            raise ValueError(
                f"{path} has no check cell, so it is no author notebook. Move it away."
            )
        for cell in found[path.stem].cells:
            if cell.name in owner and cell.name:
                where = (
                    "twice in it" if owner[cell.name] == path.name else f"in {owner[cell.name]} too"
                )
                raise ValueError(
                    f"{path}: the grade id {cell.name!r} is {where}. Jupyter copies it with the cell; "
                    "give each cell one of its own, in the cell's metadata."
                )
            owner[cell.name] = path.name
    return found


def read(path):
    """The author notebook in the file `path` as an Assignment.

    Raises ValueError, naming file and cell, where it is not in the format.
    """
    path, cells, title, headed = Path(path), [], "", []
    notebook = notebooks.read(path)
    for number, cell in enumerate(notebook.cells, 1):
        if cell.cell_type == "markdown" and (heading := notebooks.heading(cell.source)):
            title = heading
            headed.append((title, []))
        about = cell.metadata.get("nbgrader", {})
        try:
            _must_not_be_graded_by_hand(cell, about)
            if cell.cell_type != "code":
                continue
            cells.append(_code_cell(cell, about, title, cells))
        except ValueError as error:
            where = about.get("grade_id") or cell.get("id", number)
            raise ValueError(f"{path}, cell {where!r}: {error}.") from None
        if headed:
            headed[-1][1].append(cells[-1].points)
    if cells and next((c.role for c in cells if c.role != "given"), "") == "check":
        raise ValueError(f"{path}: a check cell stands before the first solution cell.")
    _must_be_checked(path, cells)
    for title, points in headed:
        _must_add_up(path, title, sum(points))
    digest = hashlib.sha256(repr(cells).encode()).hexdigest()
    return Assignment(path.stem, tuple(cells), digest)


def _code_cell(cell, about, title, above):
    """The Cell of a notebook's code cell below the Cells `above`; `about` is its metadata.

    Raises ValueError where it is not in the format.
    """
    name, role = about.get("grade_id", ""), role_of(about)
    points = _points(about) if role == "check" else 0
    _must_not_be_handed_out(cell.source, role)
    stripped(cell.source, *SOLUTION)
    for source in (cell.source, visible(cell.source), hidden(cell.source)):
        _must_be_python(source)
    if about and (about.get("schema_version") != SCHEMA or not name):
        raise ValueError(f"nbgrader metadata of schema {SCHEMA} with a grade_id is needed")
    if role == "check" and not points > 0:
        raise ValueError("a check cell needs points above zero, as a number")
    if role == "check" and (tasks := [c.name for c in above if c.role == "solution"]):
        _must_check(cell.source, tasks[-1])
        _must_judge(cell.source)
    return Cell(role, name, cell.source, points, title)


def _points(metadata):
    """The points of a check cell, 0 where they are no number."""
    points = metadata.get("points", 0)
    return float(points) if isinstance(points, int | float) else 0.0


def _must_not_be_handed_out(source, role):
    """Raise ValueError where a mark stands in a cell from which it is not taken out."""
    wanted = {
        "solution": (SOLUTION, '"solution": true'),
        "check": (HIDDEN, '"grade": true, "points": …'),
    }
    for kind, (marks, keys) in wanted.items():
        found = next((mark for mark in marks if mark in source), None)
        if found and role != kind:
            raise ValueError(
                f"{found!r} stands in a cell that is no {kind} cell, so students would get what it "
                f'marks. The cell\'s metadata needs "nbgrader": {{"schema_version": {SCHEMA}, '
                f'"grade_id": "…", {keys}}}; copy them from a {kind} cell of another task, and give '
                "the cell a grade_id of its own"
            )


def _must_not_be_graded_by_hand(cell, about):
    """Raise ValueError for a cell to be graded by hand: its points would be in no gradebook."""
    answered = about.get("solution") or cell.cell_type != "code"
    if about.get("task") or (about.get("grade") and answered):
        raise ValueError(
            "it is to be graded by hand, which this grader cannot do, so its points would be in no "
            'gradebook. Take "grade" (or "task") and "points" out of its metadata, put a check cell '
            "below a solution cell, or keep what is to be read in another folder"
        )


def _must_be_checked(path, cells):
    """Raise ValueError where a solution cell has no check cell: its task would be in no gradebook."""
    judged = [cell for cell in cells if cell.role != "given"]
    for cell, below in itertools.pairwise([*judged, None]):
        if cell.role == "solution" and (below is None or below.role == "solution"):
            raise ValueError(
                f"{path}, cell {cell.name!r}: no check cell stands below this solution cell, before "
                "the next one or the end, so its task would be in no gradebook. If there is a cell that is "
                f'meant as one, its metadata needs "nbgrader": {{"schema_version": {SCHEMA}, '
                '"grade_id": "…", "grade": true, "points": …}; copy them from another check cell, '
                "and give the cell a grade_id of its own. If it is one task with the next solution "
                "cell, merge them."
            )


def _must_check(source, task):
    """Raise ValueError where a check cell's ``with check("…")`` names another task than `task`."""
    for node in ast.walk(ast.parse(source)):
        called = (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id == "check"
        )
        name = getattr(node.args[0], "value", None) if called and node.args else None
        if isinstance(name, str) and name != task:
            raise ValueError(
                f"it judges the solution cell above it, {task!r}, and says check({name!r}). Write "
                f"check({task!r}), and put each check behind its solution cell"
            )


def _must_judge(source):
    """Raise ValueError where a check cell judges nothing, or a constant in place of an answer."""
    nodes = list(ast.walk(ast.parse(source)))
    if not any(map(_judges, nodes)):
        raise ValueError(
            "it calls no check and asserts nothing, so everybody would get its points. Call "
            "check.equal, check.close or another check in it"
        )
    for call in filter(cases.is_check, nodes):
        given = [*call.args[:1], *(k.value for k in call.keywords if k.arg == "got")]
        if given and call.func.attr != "true" and _is_constant(given[0]):
            raise ValueError(
                f"line {call.lineno} judges the constant {ast.unparse(given[0])}. What the student's "
                "function gave comes first, what was expected behind it"
            )


def _judges(node):
    """Whether an ast node may fail an answer: a check, an assert, a raise, a helper named like one."""
    if not isinstance(node, ast.Call):
        return isinstance(node, ast.Assert | ast.Raise)
    name = ast.unparse(node.func)
    return cases.is_check(node) or "assert" in name or "check_" in name


def _is_constant(node):
    try:
        ast.literal_eval(node)
    except ValueError:
        return False
    return True


def _must_add_up(path, title, points):
    """Raise ValueError where a heading and the checks below it both give points, but differ."""
    promised = re.search(r"\((\d+(?:\.\d+)?) points?\)", title)
    if promised and points and not math.isclose(float(promised[1]), points):
        raise ValueError(
            f"{path}: the heading {title!r} promises other points than the checks below it have "
            f"({points:g}). Students read the heading, the gradebook takes the metadata; mend one."
        )


def _must_be_python(source):
    """Raise ValueError, naming the line and what to do, where `source` does not parse.

    A student's kernel would run a magic, but the grader parses the cells without a kernel.
    """
    try:
        ast.parse(source)
    except (SyntaxError, ValueError) as error:  # ValueError: a null byte, in Python 3.11
        lines = source.split("\n")
        number = min(getattr(error, "lineno", None) or 1, len(lines))
        line, said = lines[number - 1].strip(), f" ({getattr(error, 'msg', error)})"
        if line.startswith(("%", "!")):
            said = (
                ". Leave magics (%) and shell commands (!) out, or write them as calls: "
                'get_ipython().run_line_magic("matplotlib", "inline")'
            )
        raise ValueError(
            f"line {number}, `{line}`, is not Python, as the grader needs it{said}"
        ) from None


def role_of(metadata):
    """ "given", "solution" or "check", from a cell's nbgrader metadata (a dictionary)."""
    if metadata.get("solution"):
        return "solution"
    return "check" if metadata.get("grade") else "given"


def stripped(source, begin, end, stub=None):
    """`source` without the lines from a `begin` to its `end`; `stub` stands in for them, if given.

    Raises ValueError where the marks do not pair.
    """
    lines, inside = [], False
    for line in source.split("\n"):
        if begin in line:
            if inside:
                raise ValueError(f"{begin!r} inside another")
            inside = True
            if stub is not None:
                indent = re.match(r"\s*", line)[0]
                lines += [indent + text for text in stub.split("\n")]
        elif end in line:
            if not inside:
                raise ValueError(f"{end!r} without {begin!r}")
            inside = False
        elif not inside:
            lines.append(line)
    if inside:
        raise ValueError(f"{begin!r} without {end!r}")
    return "\n".join(lines)


def visible(source):
    """A check cell as students have it."""
    return stripped(source, *HIDDEN)


def hidden(source):
    """The hidden tests of a check cell, as a block of its own; "" if there are none."""
    blocks, inside = [], False
    visible(source)
    for line in source.split("\n"):
        if HIDDEN[0] in line:
            inside = True
            blocks.append([])
        elif HIDDEN[1] in line:
            inside = False
        elif inside:
            blocks[-1].append(line)
    return "\n".join(textwrap.dedent("\n".join(block)) for block in blocks)


def stub(source):
    """A solution cell as students get it."""
    return stripped(source, *SOLUTION, stub=STUB) if SOLUTION[0] in source else STUB


def bound(source):
    """Names that the statements of `source` bind at the top level, in order."""
    names = []
    for statement in ast.parse(source).body:
        names += statement_names(statement)
    return list(dict.fromkeys(names))


def answers(source):
    """Names that `source` binds at the top level other than by an import: a set."""
    statements = ast.parse(source).body
    others = (node for node in statements if not isinstance(node, ast.Import | ast.ImportFrom))
    return set().union(*map(statement_names, others))


def statement_names(statement):
    """Names that one top-level statement (an ast node) binds."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [statement.name]
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return [(a.asname or a.name).split(".")[0] for a in statement.names]
    stored = (ast.Store,)
    return [
        n.id for n in ast.walk(statement) if isinstance(n, ast.Name) and isinstance(n.ctx, stored)
    ]


def free(definition):
    """Names that a function or class (an ast node) reads and does not bind itself: a set."""
    names = [node for node in ast.walk(definition) if isinstance(node, ast.Name)]
    own = {node.arg for node in ast.walk(definition) if isinstance(node, ast.arg)}
    own |= {node.id for node in names if not isinstance(node.ctx, ast.Load)}
    return {node.id for node in names} - own


def changed(statement):
    """Names whose values one top-level statement (an ast node) may change in place: two sets.

    The first holds names that it stores into (``mask[0] = 1``), and names whose method it calls
    for its effect alone (``names.append(1)``, ``np.random.seed(0)``). The second holds names whose
    method it calls for the value; that may have an effect too (``x = rng.normal()``).
    """
    for_effect, for_value = set(), set()
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return for_effect, for_value
    dropped = {node.value for node in ast.walk(statement) if isinstance(node, ast.Expr)}
    for node in ast.walk(statement):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            (for_effect if node in dropped else for_value).add(_root(node.func))
        elif isinstance(node, ast.Subscript | ast.Attribute) and not isinstance(node.ctx, ast.Load):
            for_effect.add(_root(node))
    return for_effect - {""}, for_value - {""}


def _root(node):
    """The name in front of subscripts and attributes: "a" of ``a.b[0].c``; "" if there is none."""
    while isinstance(node, ast.Subscript | ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def used(source):
    """Names that `source` reads anywhere, a set."""
    tree = ast.parse(source)
    return {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}


def release(notebook):
    """The student's copy of an author notebook (NotebookNode): the same as nbgrader's.

    Solutions become stubs, hidden tests and outputs go, cells are locked and check-summed.
    """
    notebook = copy.deepcopy(notebook)
    for cell in notebook.cells:
        about = cell.metadata.get("nbgrader")
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
            for tag in ("collapsed", "scrolled"):
                cell.metadata.pop(tag, None)
        if not about:
            continue
        if about.get("solution"):
            cell.source = stub(cell.source).rstrip("\n")  # as it is stored: the checksum must fit
        elif about.get("grade"):
            cell.source = visible(cell.source)
        if any(about.get(key) for key in ("solution", "grade", "locked")):
            cell.metadata["deletable"] = False
            if not about.get("solution"):
                cell.metadata["editable"] = False
            about["checksum"], about["cell_type"] = checksum(cell), cell.cell_type
    return notebook


def checksum(cell):
    """The MD5 by which nbgrader knows whether a cell was changed."""
    about = cell.metadata.nbgrader
    grade, solution, locked = (str(bool(about.get(key))) for key in ("grade", "solution", "locked"))
    parts = [cell.source, cell.cell_type, grade, solution, locked, about["grade_id"]]
    if about.get("grade"):
        parts.append(str(float(about["points"])))
    return hashlib.md5("".join(parts).encode()).hexdigest()


def write_exercises(source=FOLDER, target=EXERCISES, check=False):
    """Write the students' notebooks of all author notebooks in `source` to `target`.

    With `check`, only name those that are out of date. Returns how many were.

    Raises
    ------
    ValueError
        If a notebook there holds somebody's answer; nothing is written then.
    """
    changed = 0
    target = Path(target)
    find(source)
    wanted = {path.name: path for path in sorted(Path(source).glob("*.ipynb"))}
    there_already = sorted(target.glob("*.ipynb"))
    for there in [] if check else there_already:
        if name := _answered(there):
            raise ValueError(
                f"{there} holds an answer, in the cell {name}; nothing was written. Move the "
                "notebook elsewhere, or put that cell back as it was handed out."
            )
    for name, path in wanted.items():
        text = notebooks.canonical(release(notebooks.read(path)))
        there = target / name
        if there.exists() and there.read_text(encoding="utf-8") == text:
            continue
        changed += 1
        if not check:
            target.mkdir(parents=True, exist_ok=True)
            there.write_text(text, encoding="utf-8", newline="\n")
        print(f"{'out of date' if check else 'written'}: {there}")
    for there in there_already:
        if there.name not in wanted and _tasks(there):  # a student's own notes are none of ours
            changed += 1
            print(f"{'left over' if check else 'deleted'}: {there}")
            if not check:
                there.unlink()
    if check and changed:
        print(f"Run `{_to_write(source, target)}` to mend that.")
    return changed


def _to_write(source, target):
    """The command that writes the students' notebooks of the folder `source` to `target`."""
    if (Path(source), Path(target)) == (FOLDER, EXERCISES):
        return "make exercises"
    source, target = (shlex.quote(str(folder)) for folder in (source, target))
    return hints.command("exercises", "--author", source, "--out", target)


def _tasks(path):
    """The cells of a notebook that are students' to write."""
    cells = notebooks.read(path).cells
    return [cell for cell in cells if cell.metadata.get("nbgrader", {}).get("solution")]


def _answered(path):
    """The grade id of the first solution cell that is not as it was released; None if all are.

    The checksum decides, not today's author notebook, which may have a new stub or be gone.
    """
    for cell in _tasks(path):
        if cell.metadata.nbgrader.get("checksum") != checksum(cell):
            return cell.metadata.nbgrader.grade_id
    return None


def modules(assignments):
    """Names of the modules that the code cells of some Assignments import, sorted."""
    found = set()
    for assignment in assignments:
        for cell in assignment.cells:
            for node in ast.walk(ast.parse(cell.source)):
                if isinstance(node, ast.Import):
                    found |= {alias.name for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module:
                    found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return sorted(found)
