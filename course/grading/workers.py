"""Call a function many times, side by side, each time in a process of its own.

A call may raise, hang, kill its process or print without end. Each gives an :class:`End`, and the
others go on. When a call ends, its whole process group is killed; when this process dies, all are.
"""

import contextlib
import functools
import json
import multiprocessing
import multiprocessing.connection
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
import traceback
from multiprocessing import forkserver
from pathlib import Path
from typing import Any, NamedTuple

from .results import LARGEST


class End(NamedTuple):
    """How a call ended: what it returned, or the failure in words, with a log if there is one."""

    value: Any = None
    failure: str = ""
    log: str = ""


class _Run(NamedTuple):
    item: Any
    process: Any
    target: Path
    deadline: float


class Pool:
    """Runs ``function(argument)`` in up to `workers` processes at once.

    Parameters
    ----------
    function : callable
        It is pickled, so it must be a function of a module, or a :func:`functools.partial` of one.
        What it returns crosses as JSON.
    workers : int
    limit : float
        Seconds after which a call is killed.
    """

    def __init__(self, function, workers, limit):
        self.function, self.workers, self.limit = function, workers, limit
        self.folder = Path(tempfile.mkdtemp(prefix="course-grade-"))
        self.running, self.count = [], 0
        self.context = multiprocessing.get_context("forkserver")
        plain = function.func if isinstance(function, functools.partial) else function
        _start_server([plain.__module__, __name__])

    def map(self, items, argument=lambda item: item):
        """Call the function with ``argument(item)`` of each; yields (item, End) as they end."""
        waiting = list(reversed(items))
        while waiting or self.running:
            while waiting and len(self.running) < self.workers:
                item = waiting.pop()
                try:
                    self._start(item, argument(item))
                except (OSError, EOFError) as error:
                    yield item, End(failure=f"its process could not be started ({error})")
            if self.running:
                yield from self._ended()

    def _start(self, item, argument):
        self.count += 1
        target = self.folder / str(self.count)
        process = self.context.Process(
            target=_call, args=(self.function, argument, target, dict(os.environ))
        )
        process.start()
        self.running.append(_Run(item, process, target, time.monotonic() + self.limit))

    def _ended(self):
        """Wait until a call ends or runs out of time; (item, End) of all such calls."""
        first = min(run.deadline for run in self.running) - time.monotonic()
        sentinels = [run.process.sentinel for run in self.running]
        ready = multiprocessing.connection.wait(sentinels, max(first, 0))
        now = time.monotonic()
        over = [run for run in self.running if run.process.sentinel in ready or run.deadline <= now]
        self.running = [run for run in self.running if run not in over]
        return [(run.item, self._end(run, run.process.sentinel in ready)) for run in over]

    def _end(self, run, in_time):
        code = _kill(run.process)
        try:
            if run.target.stat().st_size > LARGEST:
                return End(failure=f"its result is larger than {LARGEST // 2**20} MB")
            return End(*json.loads(run.target.read_bytes()))
        except FileNotFoundError:
            late = f"it took longer than {self.limit:g} seconds"
            return End(failure=_death(code) if in_time else late)
        except (ValueError, RecursionError):
            return End(failure="what it gave cannot be read")
        finally:
            run.target.unlink(missing_ok=True)

    def close(self):
        """Kill what is still running."""
        for run in self.running:
            _kill(run.process)
        self.running = []
        shutil.rmtree(self.folder, ignore_errors=True)


def _start_server(modules):
    """Start the process that the others are forked from, with `modules` imported already.

    PYTHONPATH tells it where the modules are. Before Python 3.13.1 it does not take over sys.path, so
    it would import nothing, and every call would pay for the imports.
    """
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(path or os.getcwd() for path in sys.path)
    try:
        forkserver.set_forkserver_preload(modules)
        forkserver.ensure_running()
    finally:
        del os.environ["PYTHONPATH"]
        if before is not None:
            os.environ["PYTHONPATH"] = before


def _kill(process):
    """End a process with its group; returns the exit code."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.kill()  # it may not have made its group yet
    process.join()
    code = process.exitcode
    process.close()
    return code


def _death(code):
    if code is not None and code < 0:
        name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
        hint = " (out of memory?)" if -code == signal.SIGKILL else ""
        return f"its process was ended by {name}{hint}"
    return f"its process ended without a result (exit status {code})"


def _call(function, argument, target, environment):
    """What the new process does: write how the call ended to the file `target`, then end."""
    os.setsid()
    os.environ.clear()
    os.environ.update(environment)
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):
        os.dup2(null, descriptor)
    threading.Thread(target=_die_with_parent, daemon=True).start()
    try:
        text = json.dumps(End(function(argument)))
    except BaseException as error:
        log = "".join(traceback.format_exception(error))
        text = json.dumps(End(failure=f"it failed with {type(error).__name__}", log=log))
    part = target.with_suffix(".part")
    part.write_text(text, encoding="ascii")
    os.replace(part, target)
    os._exit(0)  # whatever threads it has left


def _die_with_parent():
    multiprocessing.parent_process().join()
    os.killpg(0, signal.SIGKILL)
