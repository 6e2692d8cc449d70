"""A pytest plugin over nbval: an author's notebook with a student's cells in it, judged outside.

nbval runs the given cells and the student's cells in a boxed kernel, one pytest item per cell;
reports show what they print there. Check cells are items too and come after them, but they run in
this process. Each calls a kernel that has run the cells above the check and no others: first for the
part that students see, then for the hidden part. After a hidden part, that kernel gets no more
calls. A later check, whose report may be shown, gets a kernel that has met no hidden input.

A student cannot use nbval's features: no tag or comment of theirs is obeyed, and no output of theirs
is compared. And unlike in nbval, the end of a kernel is noticed when it happens.
"""

import ast
import contextlib
import io
import linecache
import time
from collections import defaultdict

import pytest
from nbval.plugin import IPyNbCell, IPyNbFile

from . import author, cases, checks, kernels, remote

STOPPED = {
    "time": "stopped: it took longer than {seconds:g} seconds",
    "notebook": "stopped: the {all:g} seconds of the whole notebook were used up",
    "memory": "stopped: it needed more memory than there is",
    "output": "stopped: it printed more than anybody would read",
    "disk": "stopped: it wrote more files than there is room for",
    "processes": "stopped: it started more processes than it may",
    "forged": "stopped: it sent messages that no kernel sends",
    "died": "stopped: the kernel died",
    "stopped": "stopped: the kernel died",
}
CHANGED = (
    "Your function changed a list or an array that it was given. That costs no points, but whoever calls "
    "it may still need it as it was: work on a copy"
)
# Errors of ordinary mistakes. Reports on hidden cases name no others: the choice among all classes of
# exceptions could tell much about a hidden input, the choice among these tells little.
HONEST = (
    "AttributeError", "IndexError", "KeyError", "NameError", "TypeError", "ValueError",
    "ZeroDivisionError",
)  # fmt: skip
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
        Grade id of a solution cell → the student's source. Cells not handed in have no entry.
    check : Check
        Draws this student's random numbers.
    start_kernel : callable
        ``start_kernel()`` gives a fresh BoxedKernel.
    cell_seconds, notebook_seconds : float
        Wall time for a cell or a call, and for everything. Where cells run again, for a check, that
        takes at most `notebook_seconds` more each time, and twice `cell_seconds` for each cell.

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
        self.notebook_seconds, self.until, self.again_until = notebook_seconds, None, None
        self.verdicts, self.outputs = {}, {}

    def pytest_collect_file(self, file_path, parent):
        if file_path == self.path:
            return GradedNotebook.from_parent(parent, path=file_path, plugin=self)
        return None

    def start_clock(self):
        self.until = time.monotonic() + self.notebook_seconds

    @contextlib.contextmanager
    def running_again(self):
        """A context in which cells run again; this time does not count as the student's."""
        self.seconds()
        begun = time.monotonic()
        self.again_until = begun + self.notebook_seconds
        try:
            yield
        finally:
            self.until += time.monotonic() - begun

    def seconds(self, again=False):
        """How long what comes next may take; `again` says that it has run before.

        Raises KernelEnded if no time is left.
        """
        left = (self.again_until if again else self.until) - time.monotonic()
        if left <= 0:
            raise kernels.KernelEnded("notebook")
        return min(2 * self.cell_seconds if again else self.cell_seconds, left)

    def explain(self, ended):
        """What to tell students about the KernelEnded `ended`."""
        late = time.monotonic() >= self.until  # so it had less than cell_seconds
        reason = "notebook" if ended.reason == "time" and late else ended.reason
        return STOPPED[reason].format(seconds=self.cell_seconds, all=self.notebook_seconds)


class GradedNotebook(IPyNbFile):
    """nbval's file, with check cells run here."""

    def __init__(self, *arguments, plugin, **named):
        super().__init__(*arguments, **named)
        self.plugin, self.failed = plugin, {}
        self.ran = {}  # number of a cell that is to run in every kernel → its source
        self.lost = {}  # number of a given cell that ended a new kernel → why
        self.given = _Given(plugin.assignment, plugin.check)

    def collect(self):
        cells = {item.cell_num: item for item in super().collect()}
        judged = []
        for number, cell in enumerate(self.plugin.assignment.cells):
            name = f"{number} {cell.name}".strip()
            if cell.role == "check":
                judged.append(CheckCell.from_parent(self, name=name, number=number, cell=cell))
            else:
                options = defaultdict(bool)
                yield SourceCell.from_parent(
                    self, name=name, cell_num=number, cell=cells[number].cell,
                    options=options, role=cell.role, grade_id=cell.name,
                )  # fmt: skip
        yield from judged

    def setup(self):
        self.plugin.start_clock()
        self.kernel = self.student = None
        self.start()

    def start(self):
        """A new kernel, in which nothing has run."""
        self.teardown()
        self.kernel = self.plugin.start_kernel()
        self.student = remote.Student(self.kernel, {}, self.plugin.seconds)
        self.at = 0  # cells before this number have run in it
        self.told = False  # whether it has met hidden inputs

    def go_to(self, number):
        """Have a kernel that has run the cells before `number`, no others, and met no hidden input.

        Raises KernelEnded if there is no time for that.
        """
        with self.plugin.running_again():
            while not self._reach(number):
                pass

    def _reach(self, number):
        """Run the cells before `number` again that the kernel lacks; whether it survived that.

        Starts a new kernel where the present one cannot be used.
        """
        new = self.told or self.at > number or not self.kernel.is_alive()
        if new:
            self.plugin.seconds(again=True)
            self.start()
        for at in range(self.at, number):
            self.at = at + 1
            try:
                self._run_again(self.ran.get(at))
            except kernels.KernelEnded as ended:
                if new:  # no check or call came before, so this cell is at fault: leave it out
                    del self.ran[at]
                    cell, why = self.plugin.assignment.cells[at], self.plugin.explain(ended)
                    self.failed[cell.name] = "stopped", why
                    if cell.role == "given":
                        self.lost[at] = why
                return False
        return True

    def _run_again(self, source):
        if source is not None:
            self.kernel.within(self.plugin.seconds(again=True))
            message = self.kernel.execute_cell_input(source, allow_stdin=False)
            self.kernel.await_reply(message, timeout=None)
            self.student.drain(message)  # or its output would count as that of the next call

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
            self.parent.go_to(self.cell_num)
            self.parent.kernel.within(self.parent.plugin.seconds())
            self.parent.at = self.cell_num + 1
            super().runtest()
        except kernels.KernelEnded as ended:
            self.parent.failed[self.grade_id] = "stopped", self.parent.plugin.explain(ended)
            if self.role == "given":  # not the student's fault: tried once more
                self.parent.ran[self.cell_num] = self.cell.source
            raise _Reported(str(ended)) from None
        except Exception:
            self.parent.failed[self.grade_id] = "error", self._raised()
            self.parent.ran[self.cell_num] = self.cell.source
            raise
        else:
            self.parent.ran[self.cell_num] = self.cell.source
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


class CheckCell(pytest.Item):
    """A check cell, run outside the student's kernel."""

    def __init__(self, *arguments, number, cell, **named):
        super().__init__(*arguments, **named)
        self.number, self.cell = number, cell
        self.plugin = self.parent.plugin
        self.task = self.plugin.assignment.task_of(cell)
        self.obj = None

    def runtest(self):
        if self.task.name not in self.plugin.answers:
            self.note("missing", None, False, "the cell of this task is not in what you handed in")
            raise _Reported("missing")
        names = self.names()
        self.parent.student.changed = False
        self.judge(author.visible(self.cell.source), names, hidden=False)
        changed = self.parent.student.changed  # read before the hidden part, which it would reveal
        hidden = author.hidden(self.cell.source)
        if hidden:
            self.parent.told = True
            self.judge(hidden, names, hidden=True)
        message = CHANGED if changed else ""
        self.plugin.verdicts[self.cell.name] = {
            "status": "right", "failure": None, "message": message
        }  # fmt: skip

    def names(self):
        """The names that the check finds at its place in the notebook: a dictionary.

        Where there is nothing to check, notes the verdict and raises.
        """
        try:
            self.parent.go_to(self.number)
            names = self.parent.given.names(self.number)
            self.parent.student.given = _functions(names)
            names |= self.parent.student.look(self.asked())
        except kernels.KernelEnded as ended:
            self.note("stopped", None, False, self.plugin.explain(ended))
            raise _Reported(str(ended)) from None
        except checks.AuthorError as error:
            self.refuse(error)
        except checks.StudentError as error:  # their side of the boundary is not as it was
            self.note("error", None, False, str(error))
            raise _Reported(str(error)) from None
        lost = next((why for at, why in self.parent.lost.items() if at < self.number), "")
        if lost:
            self.note("stopped", None, False, lost)
            raise _Reported(lost)
        if not author.answers(self.task.source) & set(names):
            self.tell_failed()
        return names

    def tell_failed(self):
        """If the task's cell stopped, note that as the verdict, and raise.

        The name that the check misses would have been bound below the line that stopped it.
        """
        status, message = self.parent.failed.get(self.task.name, ("", ""))
        if not status or message == "NotImplementedError":
            return
        if status == "error":
            message = f"your cell stopped with {message}"
        self.note(status, None, False, message)
        raise _Reported(message) from None

    def asked(self):
        """Names from students' cells that the check, or a function of a given cell, reads."""
        read = author.used(self.cell.source) & _theirs(self.plugin.assignment)
        return sorted(read | self.parent.given.asks)

    def judge(self, source, names, hidden):
        """Run `source` among `names`; note the verdict where it is not "right".

        What is raised above `with check(...)` is judged like what is raised in it.
        """
        code = compiled(source, f"<cell {self.cell.name}>")
        try:
            with contextlib.redirect_stdout(io.StringIO()), self.plugin.check(self.task.name):
                exec(code, names)
        except checks.CheckFailed as error:
            name = error.undefined
            if name and name not in _theirs(self.plugin.assignment):
                self.refuse(
                    f"`{name}` is not defined in it. Import or define it there, or in a "
                    "given cell above"
                )
            if name in author.answers(self.task.source):
                self.tell_failed()
            if name:  # read by the check, or by a function of a given cell that it calls
                error = checks.NotAttempted(self.task.name, f"`{name}` is not defined", name)
            self.note(error.status, error, hidden)
            raise error from None
        except kernels.KernelEnded as ended:
            case, look = cases.tried(ended)
            failed = checks.CheckFailed(self.task.name, case, look=look)
            self.note("stopped", failed, hidden, self.plugin.explain(ended))
            raise _Reported(str(ended)) from None
        except checks.AuthorError as error:
            self.refuse(error)

    def refuse(self, error):
        """Note that the check itself is at fault.

        The message holds nothing that a student's code chose, so it may be shown in any case.
        """
        message = f"the check of this task is at fault, not your answer: {error}"
        self.note("not checked", None, False, message)
        raise _Reported(message) from None

    def note(self, status, error, hidden, message=""):
        failure = None
        if error is not None and hidden:
            failure = {"case": _hidden_case(status, error, message), "hidden": True}
        elif error is not None and error.case:
            shown = {key: getattr(error, key) for key in ("case", "expected", "got", "look")}
            failure = shown | {"hidden": False}
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


def _hidden_case(status, error, message):
    """The name of a hidden case; where the student's code did not come back, also how it ended.

    A line of the check would reveal the inputs. So might the messages of the student's code, and
    the names of its exceptions.
    """
    why = message.removeprefix("stopped: ")
    if status == "error":
        kind = next((name for name in error.error.names if name in HONEST), "")
        why = f"it stopped with {kind}" if kind else ""
    case = error.case if error.named and error.case else "a call that you do not see"
    return f"{case}: {why}" if why else case


class _Reported(AssertionError):
    """Raised to fail a pytest item whose verdict is noted already."""


class _Given:
    """Runs on this side the statements of given cells that check cells need.

    Those are statements that bind a name that a check needs, or that change its value in place. The
    rest (plotting, an example) is left out, so a notebook that imports Keras for its students does
    not import it here.

    Attributes
    ----------
    asks : set of str
        Names from students' cells that functions of given cells read. These functions look them
        up in the dictionary that :meth:`names` returns.
    """

    def __init__(self, assignment, check):
        self._check, self._theirs = check, _theirs(assignment)
        given = [
            (n, cell.source) for n, cell in enumerate(assignment.cells) if cell.role == "given"
        ]
        nodes = [(n, source, node) for n, source in given for node in ast.parse(source).body]
        imports = [node for _, _, node in nodes if isinstance(node, ast.Import | ast.ImportFrom)]
        self._imported = set().union(*map(author.statement_names, imports))
        gives = [set(author.statement_names(node)) | self._changed(node) for _, _, node in nodes]
        needed = set().union(*(author.used(cell.source) for cell in assignment.checks))
        kept = set()
        while more := {i for i, names in enumerate(gives) if names & needed} - kept:
            kept |= more
            needed |= set().union(*(author.used(ast.unparse(nodes[i][2])) for i in more))
        self._kept = [nodes[i] for i in sorted(kept)]
        definitions = ast.FunctionDef | ast.ClassDef
        kept = [node for _, _, node in self._kept if isinstance(node, definitions)]
        self.asks = self._theirs & set().union(*map(author.free, kept))

    def _changed(self, node):
        """Names that a statement changes in place, as far as its source tells.

        A function of a module (``np.zeros``) counts only where its value is dropped. So does any
        method in a statement that reads a student's name: such a statement cannot run here, and is
        left out where it may well change nothing.
        """
        for_effect, for_value = author.changed(node)
        if author.used(ast.unparse(node)) & self._theirs:
            return for_effect - self._imported
        return for_effect | (for_value - self._imported)

    def names(self, number):
        """The names as the cells before `number` leave them: a new dictionary, with `check`.

        Raises AuthorError where one of these cells stops.
        """
        names = {"__name__": "__main__", "check": self._check}
        for at, source, node in self._kept:
            if at >= number:
                break
            name = f"<cell {at}>"
            linecache.cache[name] = len(source), None, source.splitlines(True), name
            code = compile(ast.Module([node], []), name, "exec")
            try:
                with contextlib.redirect_stdout(io.StringIO()):
                    exec(code, names)
            except Exception as error:
                raise checks.AuthorError(
                    f"a given cell of the notebook stopped with {checks.student_error(error)}"
                ) from None
        names["check"] = self._check  # whatever `check` a given cell imports
        return names


def _functions(names):
    """Of the dictionary `names`, the functions and classes that given cells define."""
    return {
        name: value
        for name, value in names.items()
        if getattr(value, "__module__", None) == "__main__" and callable(value)
    }


def _theirs(assignment):
    """Names that students are to define. Imports are none: a check has its own, or given cells'."""
    return set().union(*(author.answers(cell.source) for cell in assignment.solutions))


def compiled(source, name):
    """`source` as code to execute, of which tracebacks can show the lines."""
    linecache.cache[name] = len(source), None, source.splitlines(True), name
    return compile(source, name, "exec")
