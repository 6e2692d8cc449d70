"""What students and instructors look at: a page for each submission, and one for the class.

Every page is one file. It requests nothing from the network, needs no script, follows the reader's
light or dark theme, and can be printed. Whatever a student wrote is text on it and never markup:
Jinja2 escapes it. Should something slip through, a content security policy forbids scripts and
requests.
"""

import re
import unicodedata
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import jinja2
import pygments
from markupsafe import Markup, escape
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from .results import page_of, write_file

LONGEST_SOURCE = 20_000  # characters of a cell on a page; nobody writes more by hand
FAILURES_SHOWN = 5

ANSI = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")
OVERWRITTEN = re.compile(r"^.*\r(?!\n)", re.MULTILINE)  # what a progress bar drew over
NOT_ASCII_TEXT = re.compile(r"[^\n\t -~]")
JOINERS = "\u200c\u200d"  # invisible too, but Persian, Hindi and families of emoji need them


class Status(NamedTuple):
    """How a task ended, in words."""

    label: str
    sentence: str


STATUSES = {
    "right": Status("Right", "All checks of this task passed."),
    "wrong": Status("Wrong", "Your code ran, but a check expected something else."),
    "error": Status("Error", "Your code stopped with an error, so there was nothing to check."),
    "stopped": Status("Stopped", "Your code was stopped before it came to an end."),
    "not checked": Status(
        "Not checked", "The check of this task failed by itself. Tell your teacher."
    ),
    "not attempted": Status("Not attempted", "There is no answer in your cell yet."),
    "missing": Status("Missing", "Your cell is not in the notebook that you handed in."),
}


def write(results, out):
    """Write the feedback pages and the overview of the class.

    Parameters
    ----------
    results : iterable of dict
        One a submission, as :func:`course.grading.session.grade` returns them.
    out : path
        ``feedback/<student>/<assignment>.html`` and ``index.html`` go in there. Pages that are
        there already are replaced one by one, each in one step.

    Returns
    -------
    pathlib.Path
        The overview.
    """
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    results = sorted(
        (_public(result) for result in results),
        key=lambda result: (result["student"].casefold(), result["student"], result["assignment"]),
    )
    environment = _environment()
    page = environment.get_template("student.html.j2")
    for result in results:
        path = out / page_of(result)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_file(path, page.render(result=result))
    page = environment.get_template("overview.html.j2")
    write_file(out / "index.html", page.render(overview=_overview(results)))
    return out / "index.html"


def visible(text):
    """`text` with every character that hides or reorders others written out: ``⟦U+202E⟧``.

    Those are control and formatting characters (bidirectional overrides among them), lone
    surrogates and code points that are no characters. Letters of every script stay as they are.
    """
    return NOT_ASCII_TEXT.sub(_visible_character, text)


def highlight(source):
    """Python source as safe HTML, its parts in spans of Pygments' classes."""
    cut = source[:LONGEST_SOURCE].replace("\r\n", "\n").replace("\r", "\n")
    lines = pygments.highlight(visible(cut), PythonLexer(stripnl=False), HtmlFormatter(nowrap=True))
    more = len(source) - LONGEST_SOURCE
    note = f"\n… and {more} characters more" if more > 0 else ""
    return Markup(lines.rstrip("\n") + note)


def printed(text):
    """What a cell printed, as a terminal shows it: no colour codes, no overwritten lines."""
    return OVERWRITTEN.sub("", ANSI.sub("", text).replace("\r\n", "\n")).strip("\n")


def prose(text):
    """A sentence as safe HTML, in which what stands between backticks is code."""
    return Markup(re.sub(r"`([^`\n]+)`", r"<code>\1</code>", str(_finalize(text))))


def sentence(text):
    """What a check says, with a capital letter in front unless it starts with a name in code."""
    return re.sub(r"^[a-z]+(?=[,;:?!]| [\w`“(])", lambda match: match[0].capitalize(), text)


def set_off(text):
    """The description of an array, with its values on lines of their own."""
    text = re.sub(r"^(an array of shape [^:]*): \[", r"\1:\n[", text)
    return re.sub(r"\]; (?=\d+ of \d+ entries)", "]\n", text)


def _visible_character(match):
    character = match[0]
    code, category = ord(character), unicodedata.category(character)
    no_character = code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF
    hides = category in ("Cc", "Cf", "Cs", "Zl", "Zp") and character not in JOINERS
    return f"⟦U+{code:04X}⟧" if hides or no_character else character


def _finalize(value):
    """Make what a template prints visible and escaped, unless it is HTML of our own already."""
    return value if hasattr(value, "__html__") else escape(visible(str(value)))


def _environment():
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("course.grading"),
        autoescape=True,
        finalize=_finalize,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "highlight": highlight,
        "number": _number,
        "printed": printed,
        "prose": prose,
        "sentence": sentence,
        "set_off": set_off,
        "plural": _plural,
    }
    environment.globals |= {"address": page_of, "statuses": STATUSES}
    return environment


def _public(result):
    """The result as pages show it. Of a hidden case only its name is kept, whatever is in the result.

    Where several check cells judge one task, their titles get numbers, and the student's cell is
    shown once.
    """
    titles = [_without_points(task["title"]) for task in result["tasks"]]
    tasks, shown = [], []
    for index, (task, title) in enumerate(zip(result["tasks"], titles, strict=True)):
        cell, part = (title, task["source"]), titles[:index].count(title) + 1
        message, failure = _message(task), task["failure"]
        if failure and failure.get("hidden"):
            message, failure = "", {"case": failure["case"], "hidden": True}
        tasks.append(
            task
            | {
                "title": f"{title}, part {part}" if titles.count(title) > 1 else title,
                "above": cell in shown,
                "message": message,
                "failure": failure,
            }
        )
        shown.append(cell)
    return result | {"tasks": tasks}


def _without_points(title):
    """A task's heading without "(3 points)", which the pages show in a place of its own."""
    return re.sub(r"\s*\([\d.]+ points?\)\s*$", "", title)


def _message(task):
    """What a task's message says beyond the sentence of its status."""
    if task["status"] == "not attempted":
        name = re.search(r"`[^`]+` is not defined", task["message"])
        return f"The checks look for it, and {name[0]}" if name else ""
    return "" if task["status"] == "missing" else task["message"].removeprefix("stopped: ")


# The overview


class Bar(NamedTuple):
    """One bar of a chart: what it counts, how many, and the share of all."""

    label: str
    count: int
    share: float


class TaskSummary(NamedTuple):
    """How a class fared in one task."""

    title: str
    task: str
    points: list  # Bar, from none to all points
    statuses: list  # (status, count)
    failures: list  # Bar, most frequent first
    more: int  # cases that failed beyond those in `failures`


class AssignmentSummary(NamedTuple):
    """How a class fared in one assignment."""

    name: str
    graded: int
    max_points: float
    mean: float
    tasks: list  # TaskSummary


class Row(NamedTuple):
    """A student in the table: for each assignment a result or None, and the sum of points."""

    student: str
    entries: list
    points: float


class Overview(NamedTuple):
    """Everything the overview page says."""

    submissions: int
    graded: int
    students: int
    unboxed: int  # graded without a sandbox
    not_graded: list  # results
    assignments: list  # AssignmentSummary
    max_points: float
    rows: list  # Row


def _overview(results):
    graded = [result for result in results if result["status"] == "graded"]
    assignments = [
        _assignment_summary([result for result in results if result["assignment"] == name])
        for name in sorted({result["assignment"] for result in results if result["tasks"]})
    ]
    names = [assignment.name for assignment in assignments]
    students = list(dict.fromkeys(result["student"] for result in results))
    by_place = {(result["student"], result["assignment"]): result for result in results}
    rows = []
    for student in students:
        entries = [by_place.get((student, name)) for name in names]
        points = sum(entry["points"] for entry in entries if entry)
        rows.append(Row(student, entries, points))
    return Overview(
        submissions=len(results),
        graded=len(graded),
        students=len(students),
        unboxed=sum(result["sandbox"] == "none" for result in graded),
        not_graded=[result for result in results if result["status"] != "graded"],
        assignments=assignments,
        max_points=sum(assignment.max_points for assignment in assignments),
        rows=rows,
    )


def _assignment_summary(results):
    graded = [result for result in results if result["status"] == "graded"]
    tasks = {}
    for result in graded:
        for task in result["tasks"]:
            tasks.setdefault(task["task"], []).append(task)
    return AssignmentSummary(
        results[0]["assignment"],
        len(graded),
        max(result["max_points"] for result in results),
        sum(result["points"] for result in graded) / max(len(graded), 1),
        [_task_summary(entries) for entries in tasks.values()],
    )


def _task_summary(entries):
    """Sum up one task; `entries` holds one dict for each student."""
    total = len(entries)
    points = Counter(entry["points"] for entry in entries)
    counts = Counter(entry["status"] for entry in entries)
    scale = {0, *points, *(entry["max_points"] for entry in entries)}
    failures = Counter(name for entry in entries if (name := _failure_name(entry)))
    return TaskSummary(
        title=entries[0]["title"],
        task=entries[0]["task"],
        points=[
            Bar(_plural(value, "point"), points[value], points[value] / total)
            for value in sorted(scale)
        ],
        statuses=[(status, counts[status]) for status in STATUSES if counts[status]],
        failures=[
            Bar(name, count, count / total) for name, count in failures.most_common(FAILURES_SHOWN)
        ],
        more=max(len(failures) - FAILURES_SHOWN, 0),
    )


def _failure_name(entry):
    """The name that a failure is counted under, from its error and its case; "" if none failed."""
    if entry["status"] not in ("wrong", "error", "stopped", "not checked"):
        return ""
    failure = entry["failure"] or {}
    said = f"{entry['message']} {failure.get('got', '')}"
    kind = re.search(r"\b[A-Z]\w*(?:Error|Exception|Interrupt|Exit)\b", said)
    names = [kind[0] if kind and entry["status"] == "error" else "", failure.get("case", "")]
    return " ".join(filter(None, names)) or STATUSES[entry["status"]].label


def _number(value):
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _plural(count, noun):
    return f"{_number(count)} {noun}{'' if count == 1 else 's'}"
