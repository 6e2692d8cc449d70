"""A pytest plugin over nbval: an author's notebook with a student's cells in it, judged outside.

nbval runs the given cells and the student's cells in a boxed kernel, one pytest item a cell. Check
cells are items too, but they run here: first what students see of them, each where it stands, and
after the last cell the hidden parts. From the first hidden call on, nothing that the kernel says
reaches a report.

Of nbval's habits, none is left to a student: no tag and no comment of theirs is obeyed, no output
of theirs is compared, and the end of a kernel is noticed when it happens.
"""

import ast
import contextlib
import io
import linecache
import time
from collections import defaultdict

import pytest
from nbval.plugin import IPyNbCell, IPyNbFile

from . import author, checks, kernels, remote

STOPPED = {
    "time": "stopped: it took longer than {seconds:g} seconds",
    "memory": "stopped: it needed more memory than there is",
    "output": "stopped: it printed more than anybody would read",
    "disk": "stopped: it wrote more files than there is room for",
    "processes": "stopped: it started more processes than it may",
    "forged": "stopped: it sent messages that no kernel sends",
    "died": "stopped: the kernel died",
    "stopped": "stopped: the kernel died",
}
SHOWN = 4000


class Plugin:
    """Grades one notebook in one pytest run.

    Parameters
    ----------
    path : pathlib.Path
        The grafted notebook.
    assignment : Assignment
        The author notebook.
    answers : dict
        Grade id of a solution cell → the student's source. Missing ones are missing.
    check : Check
        Draws this student's random numbers.
    start_kernel : callable
        ``start_kernel()`` gives a fresh BoxedKernel.
    cell_seconds, notebook_seconds : float
        Wall time for a cell or a call, and for everything.

    Attributes
    ----------
    verdicts : dict
        Grade id of a check cell → dictionary with "status", "failure" and "message".
    outputs : dict
        Grade id of a solution cell → what it printed.
    """

    def __init__(
        self, path, assignment, answers, check, start_kernel, cell_seconds, notebook_seconds
    ):
        self.path, self.assignment, self.answers, self.check = path, assignment, answers, check
        self.start_kernel, self.cell_seconds = start_kernel, cell_seconds
        self.notebook_seconds, self.until = notebook_seconds, None
        self.verdicts, self.outputs = {}, {}

    def pytest_collect_file(self, file_path, parent):
        if file_path == self.path:
            return GradedNotebook.from_parent(parent, path=file_path, plugin=self)
        return None

    def seconds(self):
        """Wall time for what comes next."""
        left = self.until - time.monotonic()
        if left <= 0:
            raise kernels.KernelEnded("time")
        return min(self.cell_seconds, left)

    def explain(self, ended):
        return STOPPED[ended.reason].format(seconds=self.cell_seconds)


class GradedNotebook(IPyNbFile):
    """nbval's file, with check cells run here."""

    def __init__(self, *arguments, plugin, **named):
        super().__init__(*arguments, **named)
        self.plugin, self.ran, self.failed = plugin, [], {}
        self.given = _Given(plugin.assignment, plugin.check)
        self.spaces = {}  # grade id of a check cell whose visible part passed → its names

    def collect(self):
        cells = {item.cell_num: item for item in super().collect()}
        hidden = []
        for number, cell in enumerate(self.plugin.assignment.cells):
            about = {"name": f"{number} {cell.name}".strip(), "cell": cell}
            if cell.role == "check":
                yield VisibleCheck.from_parent(self, **about)
                hidden.append(about)
            else:
                options = defaultdict(bool)
                yield SourceCell.from_parent(
                    self, name=about["name"], cell_num=number, cell=cells[number].cell,
                    options=options, role=cell.role, grade_id=cell.name,
                )  # fmt: skip
        for about in hidden:
            yield HiddenCheck.from_parent(self, **about | {"name": f"{about['name']} (hidden)"})

    def setup(self):
        self.plugin.until = time.monotonic() + self.plugin.notebook_seconds
        self.kernel = self.student = None
        self.revive()

    def revive(self):
        """A kernel in the state of the cells that ran; a new one where the last has ended.

        Raises KernelEnded if there is no time for that, or these cells do not run again.
        """
        if self.kernel is not None and self.kernel.is_alive():
            return
        self.teardown()
        self.plugin.seconds()
        self.kernel = self.plugin.start_kernel()
        self.student = remote.Student(self.kernel, self.given.functions(), self.plugin.seconds)
        for source in self.ran:
            self.kernel.within(self.plugin.seconds())
            message = self.kernel.execute_cell_input(source, allow_stdin=False)
            self.kernel.await_reply(message, timeout=None)

    def teardown(self):
        if self.kernel is not None:
            self.kernel.stop()


class SourceCell(IPyNbCell):
    """A given cell, or a student's, run by nbval."""

    def __init__(self, *arguments, role, grade_id, **named):
        super().__init__(*arguments, **named)
        self.role, self.grade_id = role, grade_id

    def runtest(self):
        if self.role == "solution" and self.grade_id not in self.parent.plugin.answers:
            pytest.skip("not in the submission")
        try:
            self.parent.revive()
            self.parent.kernel.within(self.parent.plugin.seconds())
            super().runtest()
        except kernels.KernelEnded as ended:
            self.parent.failed[self.grade_id] = "stopped", self.parent.plugin.explain(ended)
            raise _Reported(str(ended)) from None
        except Exception:
            self.parent.failed[self.grade_id] = "error", self._raised()
            self.parent.ran.append(self.cell.source)
            raise
        else:
            self.parent.ran.append(self.cell.source)
        finally:
            self.parent.plugin.outputs[self.grade_id] = self._printed()

    def _raised(self):
        """The exception that the cell ended with, in a line."""
        for output in reversed(self.test_outputs or []):
            with contextlib.suppress(KeyError, TypeError, AttributeError):
                name, value = remote.clean(output["ename"], 60), remote.clean(output["evalue"], 300)
                return f"{name}: {value}" if value else name
        return "an error"

    def _printed(self):
        texts = []
        for output in self.test_outputs or []:
            with contextlib.suppress(KeyError, TypeError, AttributeError):
                texts.append(str(output["text"]))
        return "".join(texts)[:SHOWN].encode("utf-8", "replace").decode()


class _Check(pytest.Item):
    """A check cell, or the hidden part of it, run outside the student's kernel."""

    def __init__(self, *arguments, cell, **named):
        super().__init__(*arguments, **named)
        self.cell = cell
        self.plugin = self.parent.plugin
        self.task = self.plugin.assignment.task_of(cell)
        self.obj = None

    def judge(self, source, names, hidden):
        """Run `source` among `names`; note the verdict where it is not "right"."""
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                run(source, f"<cell {self.cell.name}>", names)
        except checks.CheckFailed as error:
            self.note(error.status, error, hidden)
            raise
        except kernels.KernelEnded as ended:
            self.note("stopped", None, hidden, self.plugin.explain(ended))
            raise _Reported(str(ended)) from None
        except RecursionError as error:
            self.note("error", None, hidden, "what your code returns is nested too deeply")
            raise _Reported(str(error)) from None

    def note(self, status, error, hidden, message=""):
        failure = None
        if error is not None and error.case:
            failure = {"case": error.case, "hidden": hidden}
            if hidden and isinstance(error, checks.CodeStopped):
                failure["case"] = "a call that you do not see"  # theirs names the inputs
            if not hidden:
                failure |= {"expected": error.expected, "got": error.got, "look": error.look}
        if status == "not attempted":
            failure, message = None, str(error)
        if hidden:
            status = "wrong" if status == "not attempted" else status
            message = ""
        self.plugin.verdicts[self.cell.name] = {
            "status": status, "failure": failure, "message": message
        }  # fmt: skip

    def repr_failure(self, excinfo):
        return str(excinfo.value)

    def reportinfo(self):
        return self.path, 0, f"check of {self.task.name}"


class VisibleCheck(_Check):
    def runtest(self):
        name, plugin = self.task.name, self.plugin
        if name not in plugin.answers:
            self.note("missing", None, False, "the cell of this task is not in what you handed in")
            raise _Reported("missing")
        try:
            self.parent.revive()
            names = self.parent.given.names() | self.parent.student.look(_asked(self))
        except kernels.KernelEnded as ended:
            self.note("stopped", None, False, plugin.explain(ended))
            raise _Reported(str(ended)) from None
        except checks.StudentError as error:  # their side of the boundary is not as it was
            self.note("error", None, False, str(error))
            raise _Reported(str(error)) from None
        status, message = self.parent.failed.get(name, ("", ""))
        unbound = not set(author.bound(self.task.source)) & set(names)
        if unbound and status and not message.startswith("NotImplementedError"):
            if status == "error":
                message = f"your cell stopped with {message}"
            self.note(status, None, False, message)
            raise _Reported(message)
        self.judge(author.visible(self.cell.source), names, hidden=False)
        self.parent.spaces[self.cell.name] = names, self.parent.kernel


class HiddenCheck(_Check):
    def runtest(self):
        if self.cell.name not in self.parent.spaces:
            pytest.skip("the visible part did not pass")
        source = author.hidden(self.cell.source)
        names, kernel = self.parent.spaces[self.cell.name]
        try:
            self.parent.revive()
            if self.parent.kernel is not kernel:  # what the names stood for went with the old one
                names |= self.parent.student.look(_asked(self))
        except kernels.KernelEnded as ended:
            self.note("stopped", None, True)
            raise _Reported(str(ended)) from None
        except checks.StudentError as error:
            self.note("error", None, True)
            raise _Reported(str(error)) from None
        if source:
            body = "\n".join("    " + line for line in source.split("\n"))
            source = f"with check({self.task.name!r}):\n{body}"
            self.judge(source, names, hidden=True)
        self.plugin.verdicts[self.cell.name] = {"status": "right", "failure": None, "message": ""}


class _Reported(AssertionError):
    """A verdict that stands in the report already."""


class _Given:
    """What given cells define, on this side: as much of it as check cells need.

    Statements that bind nothing (seeding, plotting) and names that no check needs are left out,
    so a notebook that imports Keras for its students does not import it here.
    """

    def __init__(self, assignment, check):
        self._check, self._functions = check, {}
        statements = []
        for number, cell in enumerate(assignment.cells):
            if cell.role == "given":
                name = f"<cell {number}>"
                statements += [(name, cell.source, node) for node in ast.parse(cell.source).body]
        needed = set().union(*(author.used(cell.source) for cell in assignment.checks))
        self._kept = []
        for name, source, node in reversed(statements):
            bound = set(author.statement_names(node))
            if bound & needed:
                needed |= author.used(ast.unparse(node))
                self._kept.insert(0, (name, source, node))
        self._names = None

    def names(self):
        """A new dictionary of them, `check` in it."""
        if self._names is None:
            self._names = {"__name__": "__main__"}
            for name, source, node in self._kept:
                linecache.cache[name] = len(source), None, source.splitlines(True), name
                code = compile(ast.Module([node], []), name, "exec")
                with contextlib.redirect_stdout(io.StringIO()):
                    exec(code, self._names)
        return dict(self._names) | {"check": self._check}

    def functions(self):
        """Functions that given cells define themselves, by name."""
        return {
            name: value
            for name, value in self.names().items()
            if getattr(value, "__module__", None) == "__main__" and callable(value)
        }


def _asked(item):
    """Names of students' cells that a check cell reads."""
    theirs = set().union(*(author.bound(c.source) for c in item.plugin.assignment.solutions))
    return sorted(theirs & author.used(item.cell.source))


def run(source, name, names):
    """Execute `source` among `names`, so that tracebacks can show its lines."""
    linecache.cache[name] = len(source), None, source.splitlines(True), name
    exec(compile(source, name, "exec"), names)
