"""Run a notebook in a fresh kernel of this interpreter."""

import os
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError
from nbformat import NotebookNode

PACKAGE_ROOT = Path(__file__).resolve().parents[2]


class Outcome(NamedTuple):
    """What a run gave: the executed notebook, its wall time, and what failed ("" if nothing)."""

    notebook: NotebookNode
    seconds: float
    failure: str


class _ThisInterpreter(KernelSpecManager):
    """Starts the Python we run in, also where the user's own "python3" kernel is another one."""

    def get_kernel_spec(self, kernel_name):
        argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        return KernelSpec(argv=argv, display_name="Python 3", language="python")


def kernel_environment(**settings):
    """Environment variables for a lesson's kernel: ours, then `settings`.

    The kernel imports the `course` that runs it. It works in the notebook's folder, so a relative
    ``COURSE_DATA`` or ``COURSE_CACHE`` is made absolute here.
    """
    path = os.pathsep.join(filter(None, [str(PACKAGE_ROOT), os.environ.get("PYTHONPATH")]))
    environment = {"COURSE_PROGRESS": "0"} | os.environ | {"PYTHONPATH": path} | settings
    for name in ("COURSE_DATA", "COURSE_CACHE"):
        folder = environment.get(name, "").strip()
        if folder and (name, folder) != ("COURSE_DATA", "synthetic"):
            environment[name] = os.path.abspath(os.path.expanduser(folder))
    return environment


def execute(notebook, folder, environment, on_cell=lambda number, total: None):
    """Run all code cells of `notebook`, with `folder` as working directory.

    Parameters
    ----------
    notebook : NotebookNode
        Its outputs are replaced; after a failing cell the rest stays empty.
    environment : dict
        Environment variables of the kernel, see :func:`kernel_environment`.
    on_cell : callable
        Called as ``on_cell(number, total)`` before each code cell, counting from 1.

    Returns
    -------
    Outcome
        A lesson that fails is an outcome, not an exception.
    """
    code = [(i, c) for i, c in enumerate(notebook.cells) if c.cell_type == "code"]
    for _, cell in code:
        cell.outputs, cell.execution_count = [], None
    kernel = AsyncKernelManager(kernel_name="python3", kernel_spec_manager=_ThisInterpreter())
    client = NotebookClient(notebook, km=kernel, record_timing=False, coalesce_streams=True)
    start, number, failure = time.perf_counter(), 0, ""
    with tempfile.TemporaryFile() as log:
        try:
            with client.setup_kernel(cleanup_kc=True, cwd=str(folder), env=environment, stderr=log):
                for number, (index, cell) in enumerate(code, 1):
                    on_cell(number, len(code))
                    client.execute_cell(cell, index)
        except CellExecutionError as error:
            message = error.evalue.strip().splitlines() or [""]
            failure = f"cell {number}: {error.ename}: {message[0]}"
        except (DeadKernelError, RuntimeError):  # RuntimeError: the kernel never answered
            log.seek(0)
            last = log.read().decode(errors="replace").strip().splitlines()[-1:]
            failure = f"cell {number}: the kernel died (out of memory?) {' '.join(last)}".strip()
    return Outcome(notebook, time.perf_counter() - start, failure)
