"""A small course, submissions for it, and stand-ins for the grader that do what they are told."""

import functools
import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import nullcontext
from pathlib import Path
from typing import NamedTuple

from course.grading import batch, submissions

KEY = bytes(range(32))


class Cell(NamedTuple):
    name: str
    points: int
    title: str = "A task"


class Assignment(NamedTuple):
    """What a batch needs of course.grading.author.Assignment, without importing Jupyter."""

    name: str
    solutions: list
    checks: list
    digest: str


def assignments(folder):
    """As course.grading.author.find."""
    found = {}
    for path in Path(folder).glob("*.ipynb"):
        about = [cell["metadata"]["nbgrader"] for cell in json.loads(path.read_text())["cells"]]
        cells = [Cell(it["grade_id"], it.get("points", 0)) for it in about]
        checks = [cell for cell in cells if cell.points]
        solutions = [cell for cell in cells if not cell.points]
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        found[path.stem] = Assignment(path.stem, solutions, checks, digest)
    return found


def author_cell(name, points=0):
    about = {
        "grade_id": name, "schema_version": 3, "grade": points > 0, "solution": points == 0,
        "locked": points > 0, "task": False,
    }  # fmt: skip
    if points:
        about["points"] = points
    return {
        "cell_type": "code", "id": name, "metadata": {"nbgrader": about},
        "source": "assert answer" if points else "pass", "outputs": [], "execution_count": None,
    }  # fmt: skip


def student_cells(*names, source="answer"):
    return [
        {"cell_type": "code", "metadata": {"nbgrader": {"grade_id": name}}, "source": source}
        for name in names
    ]


def notebook(cells):
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


def make_author(folder):
    """Two assignments: 07_losses with one task, 08_unet with two."""
    folder = Path(folder)
    folder.mkdir(exist_ok=True)
    loss = [author_cell("loss"), author_cell("loss-check", 2)]
    unet = [author_cell(name, p) for name, p in zip("aAbB", (0, 1, 0, 3), strict=True)]
    (folder / "07_losses.ipynb").write_text(notebook(loss))
    (folder / "08_unet.ipynb").write_text(notebook(unet))
    return folder


def hand_in(folder, student, assignment="08_unet", source="answer", name=None):
    names = {"08_unet": "ab", "07_losses": ["loss"]}[assignment]
    path = Path(folder, student, assignment, f"{name or assignment}.ipynb")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(notebook(student_cells(*names, source=source)))
    return path


def result(submission, author_folder, points=1):
    """What a grader would return: the first task right."""
    checks = assignments(author_folder)[submission.assignment].checks
    tasks = [
        {
            "task": cell.name, "title": cell.title, "points": cell.points * points * (i == 0),
            "max_points": cell.points, "status": "right" if i == 0 else "wrong",
            "failure": None if i == 0 else {"case": "random", "hidden": True},
            "message": "", "source": "", "output": "",
        }
        for i, cell in enumerate(checks)
    ]  # fmt: skip
    return {
        "schema": 1, "student": submission.student, "assignment": submission.assignment,
        "status": "graded", "reason": "", "notes": [], "sandbox": "landlock",
        "points": sum(task["points"] for task in tasks),
        "max_points": sum(task["max_points"] for task in tasks), "tasks": tasks,
    }  # fmt: skip


def fake(submission, author_folder, log=None, seconds=0):
    """Grade by doing what the first cell of the submission says."""
    if log:
        with open(log, "a") as file:
            file.write(f"{submission.student} {submission.assignment}\n")
    time.sleep(seconds)
    done = result(submission, author_folder)
    todo = submissions.read_cells(submissions.read(submission))[0].source
    return BEHAVIOURS.get(todo, lambda it: it)(done)


def behaving(submission, author_folder, how):
    """Grade by doing what `how` says, whatever was handed in."""
    return BEHAVIOURS[how](result(submission, author_folder))


def _raise(done):
    raise RuntimeError("hidden test: the answer is 42")


def _threads(done):
    threading.Thread(target=time.sleep, args=(1000,)).start()
    return done


def _child(done):
    """Leave a process behind."""
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"])
    return done | {"notes": [str(process.pid)]}


def _flood(done):
    for _ in range(2000):
        print("x" * 10_000)
        print("y" * 10_000, file=sys.stderr)
        os.write(1, b"z" * 10_000)
    return done


STOPPED = {
    "status": "stopped", "points": 0, "failure": None,
    "message": "stopped: it took longer than 60 seconds",
}  # fmt: skip
BEHAVIOURS = {
    "raise": _raise,
    "exit": lambda done: sys.exit(0),
    "interrupt": lambda done: signal.raise_signal(signal.SIGINT),
    "os._exit": lambda done: os._exit(0),
    "kill": lambda done: os.kill(os.getpid(), signal.SIGKILL),
    "segfault": lambda done: os.kill(os.getpid(), signal.SIGSEGV),
    "group": lambda done: os.killpg(0, signal.SIGKILL),
    "stop": lambda done: os.kill(os.getpid(), signal.SIGSTOP),
    "hang": lambda done: time.sleep(1000),
    "flood": _flood,
    "threads": _threads,
    "child": _child,
    "stdin": lambda done: done | {"notes": [sys.stdin.read() + "end"]},
    "None": lambda done: None,
    "text": lambda done: "graded",
    "object": lambda done: object(),
    "deep": lambda done: functools.reduce(lambda inner, _: [inner], range(100_000), []),
    "huge": lambda done: done | {"notes": ["x" * 40_000_000]},
    "nan": lambda done: done | {"points": float("nan")},
    "more": lambda done: done | {"points": done["points"] + 1},
    "other": lambda done: done | {"student": "somebody else"},
    "no tasks": lambda done: done | {"tasks": [], "points": 0, "max_points": 0},
    "other tasks": lambda done: done | {"tasks": [t | {"task": "x"} for t in done["tasks"]]},
    "too many points": lambda done: (
        done | {"points": 100, "tasks": [done["tasks"][0] | {"points": 100}, *done["tasks"][1:]]}
    ),
    "surrogate": lambda done: done | {"notes": ["\ud800"]},
    "not graded": lambda done: (
        done
        | {"status": "not graded", "reason": "because", "points": 0, "max_points": 0, "tasks": []}
    ),
    "hidden": lambda done: (
        done
        | {
            "tasks": [
                *done["tasks"][:-1],
                done["tasks"][-1]
                | {"failure": {"case": "c", "hidden": True, "expected": "secret", "got": "secret"}},
            ]
        }
    ),
    "stopped": lambda done: done | {"tasks": [t | STOPPED for t in done["tasks"]], "points": 0},
    "last stopped": lambda done: (
        done | {"tasks": [*done["tasks"][:-1], done["tasks"][-1] | STOPPED]}
    ),
    "unboxed": lambda done: done | {"sandbox": "none"},
}


def run(handed_in, author_folder, out, function=None, key=KEY, **options):
    """Grade a folder of submissions with the stand-in."""
    function = function or functools.partial(fake, author_folder=author_folder)
    known = assignments(author_folder)
    found = submissions.find(handed_in, known)
    return batch.grade_all(found, known, out, key, grade=nullcontext(function), **options)


def main(handed_in, author_folder, out, log, seconds, shard):
    """A run as a program of its own."""
    function = functools.partial(fake, author_folder=author_folder, log=log, seconds=float(seconds))
    part = tuple(map(int, shard.split("/")))
    run(handed_in, author_folder, out, function, shard=part, workers=2)
