"""Results on disk: ``OUT/results/<student>/<assignment>.json``, one for each submission.

A result is written to another file, flushed and renamed, so there is a whole one or none. It is
checked when it comes from a worker and again when it is read: reports are made from these files
alone.
"""

import contextlib
import datetime
import json
import math
import os
import time
from pathlib import Path

from .submissions import file_name

SCHEMA = 1
LARGEST = 32 * 2**20
OTHER_CELLS = (
    "Its check cells, or cells around them, are not those of the author notebook that it is graded "
    "with: it was handed out in another version."
)
TASK_STATUSES = ("right", "wrong", "not attempted", "error", "missing", "stopped", "not checked")
SANDBOXES = ("bubblewrap", "landlock", "none")
ABANDONED = 3600  # seconds after which the writer of an unfinished file is taken to be dead


class BadResult(ValueError):
    """A result is not what a result must be; the message says where."""


def path_of(out, student, assignment):
    """Where the result of a submission lies."""
    return Path(out, "results", file_name(student), f"{file_name(assignment)}.json")


def page_of(result):
    """The path of a result's feedback page, relative to the folder of the gradebook."""
    assignment = result["assignment"] or "submission"
    return f"feedback/{file_name(result['student'])}/{file_name(assignment)}.html"


def not_graded(student, assignment, reason, checks=()):
    """The result of a submission that could not be graded: no points, and the reason.

    `checks` are the check cells of the author notebook, if that is known.
    """
    tasks = [
        {
            "task": cell.name,
            "title": cell.title,
            "points": 0,
            "max_points": cell.points,
            "status": "missing",
            "failure": None,
            "message": "",
            "source": "",
            "output": "",
        }
        for cell in checks
    ]
    return {
        "schema": SCHEMA,
        "student": student,
        "assignment": assignment,
        "status": "not graded",
        "reason": reason,
        "notes": [],
        "sandbox": "none",
        "fingerprint": "",
        "seconds": 0,
        "points": 0,
        "max_points": sum(cell.points for cell in checks),
        "tasks": tasks,
    }


def checked(result):
    """`result` rebuilt from its known parts alone.

    Of a hidden case only the name is kept. Raises BadResult where something is missing, has the
    wrong type, or does not add up.
    """
    result = _dictionary(result, "the result")
    if result.get("schema") != SCHEMA:
        raise BadResult(f"its schema is {result.get('schema')!r}, not {SCHEMA}")
    tasks = [_task(task) for task in _list(result, "tasks")]
    whole = {
        "schema": SCHEMA,
        **{key: _string(result, key) for key in ("student", "assignment", "status", "reason")},
        "notes": [_string({"note": note}, "note") for note in _list(result, "notes")],
        "sandbox": _one_of(result, "sandbox", SANDBOXES),
        "fingerprint": _string(result, "fingerprint"),
        "seconds": _number(result, "seconds"),
        "when": _string({"when": ""} | result, "when"),
        "points": _number(result, "points"),
        "max_points": _number(result, "max_points"),
        "tasks": tasks,
    }
    _one_of(whole, "status", ("graded", "not graded"))
    for key in ("points", "max_points"):
        if not math.isclose(whole[key], sum(task[key] for task in tasks), abs_tol=1e-9):
            raise BadResult(f"its {key} are not the sum of its tasks'")
    return whole


def _task(task):
    task = _dictionary(task, "a task")
    whole = {
        "task": _string(task, "task"),
        "title": _string(task, "title"),
        "points": _number(task, "points"),
        "max_points": _number(task, "max_points"),
        "status": _one_of(task, "status", TASK_STATUSES),
        "failure": _failure(task.get("failure")),
        **{key: _string(task, key) for key in ("message", "source", "output")},
    }
    if whole["points"] > whole["max_points"]:
        raise BadResult(f"{whole['task']!r} has more points than there are")
    return whole


def _failure(failure):
    if failure is None:
        return None
    failure = _dictionary(failure, "a failure")
    if failure.get("hidden"):
        return {"case": _string(failure, "case"), "hidden": True}
    shown = {key: _string(failure, key) for key in ("case", "expected", "got", "look")}
    return shown | {"hidden": False}


def _dictionary(value, what):
    if not isinstance(value, dict):
        raise BadResult(f"{what} is no dictionary")
    return value


def _list(holder, key):
    if not isinstance(holder.get(key), list):
        raise BadResult(f"its {key} are no list")
    return holder[key]


def _string(holder, key):
    if not isinstance(holder.get(key), str):
        raise BadResult(f"its {key} is no string")
    return holder[key].encode("utf-8", "replace").decode()


def _number(holder, key):
    value = holder.get(key)
    if type(value) not in (int, float) or not math.isfinite(value) or value < 0:
        raise BadResult(f"its {key} is no number from zero up")
    return value


def _one_of(holder, key, known):
    if _string(holder, key) not in known:
        raise BadResult(f"its {key} is {holder[key]!r}, which is none of {', '.join(known)}")
    return holder[key]


def write(out, result):
    """Check a result, add the time if it has none, and put it into its place; returns it."""
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
    result = checked(result if result.get("when") else result | {"when": now})
    path = path_of(out, result["student"], result["assignment"])
    path.parent.mkdir(parents=True, exist_ok=True)
    write_file(path, json.dumps(result, indent=1))
    return result


def write_file(path, text):
    """Replace a file in one step, and wait until it is on the disk."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with open(beside, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    with contextlib.suppress(OSError):  # some file systems cannot
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def read(path):
    """The result in a file; None if there is no file, or it holds no valid result."""
    try:
        if path.stat().st_size > LARGEST:
            return None
        return checked(json.loads(path.read_bytes()))
    except (OSError, ValueError, RecursionError):
        return None


def read_all(out):
    """All results in the folder `out`, sorted by student and assignment."""
    found = [result for path in files(out) if (result := read(path))]
    return sorted(found, key=lambda result: (result["student"], result["assignment"]))


def files(out):
    """The files that should be results."""
    return sorted(path for path in Path(out, "results").glob("*/*.json") if path.name[0] != ".")


def clean(out):
    """Delete the unfinished files of writers that were killed long ago."""
    for path in Path(out).glob("results/*/.*.part"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > ABANDONED:
                path.unlink()
