"""Compare a notebook that was executed elsewhere with the stored one, as nbval compares them.

nbval runs a cell and reads what the kernel says. Here the kernel is a stand-in that says what the
executed notebook holds, so what counts as equal, which tags are obeyed and how a difference is
reported are nbval's own.
"""

import contextlib
import io
import os
import tempfile
import uuid
from collections import deque
from pathlib import Path
from queue import Empty
from typing import NamedTuple
from unittest import mock

import pytest
from nbval.plugin import IPyNbCell, IPyNbFile

from . import read
from .formatting import ANSI

# Of a pytest run inside a program; see also undisturbed().
QUIET = ["-q", "--color=no", "--noconftest", "-p", "no:cacheprovider", "-p", "nbval.plugin"]
NOT_REACHED = "The run ended before this cell."
NOT_ENDED = "The run ended in this cell."
NOT_THE_SAME = "No such cell was run: the lesson has changed since it was pushed. Push it again."


class Failure(NamedTuple):
    """A cell that is not as it should be: its id in the stored notebook, and nbval's report."""

    cell: str
    report: str


def compare(path, executed, strict=True):
    """Compare an executed notebook with the stored one.

    Cells are matched by their source, in order. What only the executed notebook has is passed over.

    Parameters
    ----------
    path : path
        The stored notebook.
    executed : NotebookNode
        The same one after a run; a cell without an execution count has begun and not ended.
    strict : bool
        Whether outputs must be those stored, as with ``--nbval``; else only errors count, and
        cells tagged ``nbval-check-output``, as with ``--nbval-lax``.

    Returns
    -------
    list of Failure
        In the order of the cells; empty if nothing differs.

    Raises
    ------
    ValueError
        If the stored notebook does not parse.
    """
    plugin = _Plugin(Path(path).resolve(), match(read(path), executed), strict)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "pytest.ini").write_text("[pytest]\n")
        options = [str(plugin.path), "-c", f"{folder}/pytest.ini", "--rootdir", folder, *QUIET]
        with undisturbed(), contextlib.redirect_stdout(io.StringIO()) as said:
            code = pytest.main(options, plugins=[plugin])
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        raise RuntimeError(f"pytest ended with {code!r} on {path}: {said.getvalue()[-2000:]}")
    return plugin.failures


def match(stored, executed):
    """For each code cell of `stored`, the cell of `executed` that ran it, or why there is none."""
    ran = [cell for cell in executed.cells if cell.cell_type == "code"]
    matched, after = [], 0
    for cell in (cell for cell in stored.cells if cell.cell_type == "code"):
        same = (i for i, other in enumerate(ran[after:], after) if _text(other) == _text(cell))
        found = next(same, None)
        if found is not None:
            after = found + 1
            matched.append(ran[found])
        else:
            matched.append(NOT_REACHED if after == len(ran) and _broke_off(ran) else NOT_THE_SAME)
    return matched


def _broke_off(ran):
    """Whether a run ended in the last of its cells: with an error, or with its kernel."""
    if not ran:
        return True
    failed = any(output.output_type == "error" for output in ran[-1].outputs)
    return failed or ran[-1].execution_count is None


def _text(cell):
    return "\n".join(line.rstrip() for line in cell.source.strip().splitlines())


@contextlib.contextmanager
def undisturbed():
    """Keep plugins and options of the user's own pytest out of the run."""
    with mock.patch.dict(os.environ, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1"):
        for name in ("PYTEST_ADDOPTS", "PYTEST_PLUGINS"):
            os.environ.pop(name, None)
        yield


class _Plugin:
    """Compares one notebook in one pytest run."""

    def __init__(self, path, matched, strict):
        self.path, self.matched, self.strict = path, matched, strict
        self.failures = []

    def pytest_collect_file(self, file_path, parent):
        if file_path == self.path:
            return _Notebook.from_parent(parent, path=file_path, plugin=self)
        return None


class _Notebook(IPyNbFile):
    """nbval's file, over a kernel that repeats."""

    def __init__(self, *arguments, plugin, **named):
        super().__init__(*arguments, **named)
        self.plugin, self.compare_outputs = plugin, plugin.strict

    def collect(self):
        for item, ran in zip(super().collect(), self.plugin.matched, strict=True):
            yield _Cell.from_parent(
                self, name=item.name, cell_num=item.cell_num, cell=item.cell,
                options=item.options, ran=ran,
            )  # fmt: skip

    def setup(self):
        self.kernel = _Repeater()


class _Cell(IPyNbCell):
    """nbval's cell, and what its run gave: the executed cell, or why there is none."""

    def __init__(self, *arguments, ran, **named):
        super().__init__(*arguments, **named)
        self.ran = ran

    def runtest(self):
        if self.options["skip"]:
            pytest.skip()
        if isinstance(self.ran, str):
            self.raise_cell_error(self.ran)
        if self.ran.execution_count is None:
            self.raise_cell_error(NOT_ENDED)
        self.parent.kernel.outputs = self.ran.outputs
        super().runtest()

    def repr_failure(self, excinfo):
        report = ANSI.sub("", super().repr_failure(excinfo))
        self.parent.plugin.failures.append(Failure(self.cell.get("id", self.name), report))
        return report


class _Repeater:
    """What nbval asks of a kernel, answered from outputs of a run that is over."""

    def __init__(self):
        self.outputs, self.messages = [], deque()

    def execute_cell_input(self, source, allow_stdin=None):
        request = uuid.uuid4().hex
        shown = [(output.output_type, dict(output)) for output in self.outputs]
        self.messages = deque(
            {"msg_type": kind, "content": content, "parent_header": {"msg_id": request}}
            for kind, content in [*shown, ("status", {"execution_state": "idle"})]
        )
        return request

    def get_message(self, stream, timeout=None):
        if not self.messages:
            raise Empty
        return self.messages.popleft()

    def await_reply(self, request, timeout=None):
        """It ran long ago."""

    def await_idle(self, request, timeout):
        self.messages.clear()

    def is_alive(self):
        return True

    def interrupt(self):
        """There is nothing to interrupt."""

    def stop(self):
        """There is nothing to stop."""
