"""The gradebook of a class: tables and reports for people, spreadsheets, nbgrader and CI.

``grades.csv``     one row per task; begins with a byte order mark, without which Excel misreads accents
``nbgrader.csv``   one row per submission, in the columns of ``nbgrader export``
``grades.json``    everything but the students' code and what it printed
``junit.xml``      one suite per submission, one case per task
"""

import csv
import io
import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path

from .results import page_of, write_file

COLUMNS = (
    "student", "assignment", "task", "points", "max_points", "total", "status", "reason", "page"
)  # fmt: skip
# nbgrader/plugins/export.py
NBGRADER_COLUMNS = (
    "assignment", "duedate", "timestamp", "student_id", "last_name", "first_name", "email",
    "raw_score", "late_submission_penalty", "score", "max_score",
)  # fmt: skip
STARTS_A_FORMULA = re.compile(r"\s*[=+\-@＝＋－＠]|\t")
NOT_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
NOT_GRADED = "not graded"
BYTE_ORDER_MARK = "\ufeff"


def write(results, out):
    """Write all four files of `results` (an iterable of dict) to the folder `out`."""
    results, out = list(results), Path(out)
    write_file(out / "grades.csv", BYTE_ORDER_MARK + _csv(COLUMNS, rows(results)))
    write_file(out / "nbgrader.csv", _csv(NBGRADER_COLUMNS, nbgrader_rows(results)))
    write_file(out / "grades.json", json.dumps(summary(results), indent=1) + "\n")
    write_file(out / "junit.xml", junit(results))


def rows(results):
    """Dictionaries for ``grades.csv``, one per task.

    A submission that was not graded has the same rows, with the reason and without points. If its
    assignment is not known, it has a single row.
    """
    for result in results:
        graded = result["status"] == "graded"
        about = {
            "student": result["student"],
            "assignment": result["assignment"],
            "total": result["points"],
            "reason": result["reason"],
            "page": page_of(result),
        }
        for task in result["tasks"]:
            yield about | {
                "task": task["task"],
                "points": task["points"],
                "max_points": task["max_points"],
                "status": task["status"] if graded else NOT_GRADED,
                "reason": _reason(task) if graded else result["reason"],
            }
        if not result["tasks"]:
            nothing = {"task": "", "points": 0, "max_points": 0, "status": result["status"]}
            yield about | nothing


def nbgrader_rows(results):
    """Dictionaries for ``nbgrader.csv``, one per submission whose assignment is known."""
    for result in results:
        if result["tasks"]:
            yield dict.fromkeys(NBGRADER_COLUMNS, "") | {
                "assignment": result["assignment"],
                "timestamp": result.get("when", ""),
                "student_id": result["student"],
                "raw_score": result["points"],
                "late_submission_penalty": 0,
                "score": result["points"],
                "max_score": result["max_points"],
            }


def summary(results):
    """What ``grades.json`` holds."""
    left_out = ("source", "output")
    return {
        "schema": 1,
        "submissions": [
            result
            | {
                "tasks": [
                    {key: value for key, value in task.items() if key not in left_out}
                    for task in result["tasks"]
                ]
            }
            for result in results
        ],
    }


def junit(results):
    """``junit.xml`` as text: what did not earn its points is a failure, or an error."""
    root = ET.Element("testsuites", name="grades")
    counts = {"tests": 0, "failures": 0, "errors": 0}
    for result in results:
        suite = _suite(result)
        for key in counts:
            counts[key] += int(suite.get(key))
        root.append(suite)
    root.attrib.update({key: str(count) for key, count in counts.items()})
    ET.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, "unicode") + "\n"


def _suite(result):
    name = _xml(f"{result['student']} {result['assignment']}".strip())
    suite = ET.Element("testsuite", name=name)
    if result["status"] != "graded":
        case = ET.SubElement(suite, "testcase", classname=name, name=NOT_GRADED)
        ET.SubElement(case, "error", type=NOT_GRADED, message=_xml(result["reason"]))
    else:
        for task in result["tasks"]:
            case = ET.SubElement(suite, "testcase", classname=name, name=_xml(task["task"]))
            if task["status"] != "right":
                kind = (
                    "error" if task["status"] in ("error", "stopped", "not checked") else "failure"
                )
                about = {"type": task["status"], "message": _xml(_reason(task) or task["status"])}
                ET.SubElement(case, kind, about).text = _xml(_explained(task))
    suite.attrib.update(
        tests=str(len(suite)),
        failures=str(len(suite.findall("testcase/failure"))),
        errors=str(len(suite.findall("testcase/error"))),
        skipped="0",
        time=f"{result['seconds']:.3f}",
    )
    return suite


def _reason(task):
    """Why a task has no points, in a line."""
    failure = task["failure"]
    if failure and failure["hidden"]:
        return f"hidden case: {failure['case']}"
    return failure["case"] if failure else task["message"].strip().split("\n")[0]


def _explained(task):
    failure, lines = task["failure"], []
    if failure:
        lines.append(f"case: {failure['case']}{' (hidden)' if failure['hidden'] else ''}")
        lines += [
            f"{key}: {failure[key]}" for key in ("expected", "got", "look") if failure.get(key)
        ]
    return "\n".join([*lines, task["message"]]).strip()


def _xml(text):
    """Text without the characters that XML cannot hold."""
    return NOT_XML.sub("�", text)


def _csv(columns, records):
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: _harmless(value) for key, value in row.items()} for row in records)
    return file.getvalue()


def _harmless(value):
    """A cell that no spreadsheet takes for a formula: an apostrophe before it keeps it text."""
    if not isinstance(value, str):
        return int(value) if value == int(value) else value
    # A lone carriage return would end the line, and csv does not quote it.
    value = value.replace("\0", "�").replace("\r\n", "\n").replace("\r", "\n")
    return f"'{value}" if STARTS_A_FORMULA.match(value) else value
