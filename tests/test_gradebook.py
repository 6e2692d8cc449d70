"""The gradebook's files: complete, harmless in a spreadsheet, and taken by what they are for."""

import argparse
import csv
import json
import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import yaml

from course.grading import command, gradebook
from course.grading.results import checked

EXAMPLES = Path(gradebook.__file__).parent / "examples"


def a_task(name, points=0, max_points=3, status="right", failure=None, message="", **more):
    return {
        "task": name, "title": "A task", "points": points, "max_points": max_points,
        "status": status, "failure": failure, "message": message, "source": "secret code",
        "output": "printed",
    } | more  # fmt: skip


def a_result(student="ada", *tasks, assignment="08_unet", **more):
    result = {
        "schema": 1, "student": student, "assignment": assignment, "status": "graded",
        "reason": "", "notes": [], "sandbox": "bubblewrap", "fingerprint": "f", "seconds": 1.5,
        "when": "2026-01-02T03:04:05.678+00:00", "points": sum(t["points"] for t in tasks),
        "max_points": sum(t["max_points"] for t in tasks), "tasks": list(tasks),
    }  # fmt: skip
    return checked(result | more)


SHOWN = {
    "case": "a class that is absent",
    "expected": "0.5, a float",
    "got": "nan, a float",
    "look": "what is 0 / 0?",
    "hidden": False,
}
CLASS = [
    a_result(
        "ada",
        a_task("iou", 3.0),
        a_task("dice", 0.0, 2, "wrong", failure=SHOWN),
        a_task("loss", 0, 1, "wrong", failure={"case": "random masks", "hidden": True}),
    ),
    a_result(
        "bob",
        a_task("iou", 0, 3, "not attempted"),
        a_task("dice", 0, 2, "error", message="ZeroDivisionError: division by zero\nline 3"),
        a_task("loss", 0.5, 1, "right"),
    ),
    a_result(
        "cid",
        a_task("iou", 0, 3, "missing"),
        a_task("dice", 0, 2, "missing"),
        a_task("loss", 0, 1, "missing"),
        status="not graded",
        reason="08_unet.ipynb is too large.",
    ),
    a_result("dan", assignment="", status="not graded", reason="There is no notebook in it."),
]


def read_csv(path):
    with open(path, encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_grades(tmp_path):
    gradebook.write(CLASS, tmp_path)
    assert (tmp_path / "grades.csv").read_text("utf-8-sig").splitlines() == [
        "student,assignment,task,points,max_points,total,status,reason,page",
        "ada,08_unet,iou,3,3,3,right,,feedback/ada/08_unet.html",
        "ada,08_unet,dice,0,2,3,wrong,a class that is absent,feedback/ada/08_unet.html",
        "ada,08_unet,loss,0,1,3,wrong,hidden case: random masks,feedback/ada/08_unet.html",
        "bob,08_unet,iou,0,3,0.5,not attempted,,feedback/bob/08_unet.html",
        "bob,08_unet,dice,0,2,0.5,error,ZeroDivisionError: division by zero,feedback/bob/08_unet.html",
        "bob,08_unet,loss,0.5,1,0.5,right,,feedback/bob/08_unet.html",
        "cid,08_unet,iou,0,3,0,not graded,08_unet.ipynb is too large.,feedback/cid/08_unet.html",
        "cid,08_unet,dice,0,2,0,not graded,08_unet.ipynb is too large.,feedback/cid/08_unet.html",
        "cid,08_unet,loss,0,1,0,not graded,08_unet.ipynb is too large.,feedback/cid/08_unet.html",
        "dan,,,0,0,0,not graded,There is no notebook in it.,feedback/dan/submission.html",
    ]


def test_only_what_people_open_has_a_byte_order_mark(tmp_path):
    gradebook.write(CLASS, tmp_path)
    marked = [path.name for path in tmp_path.iterdir() if path.read_bytes()[:3] == b"\xef\xbb\xbf"]
    assert marked == ["grades.csv"]


def test_no_results_at_all(tmp_path):
    gradebook.write([], tmp_path)
    assert read_csv(tmp_path / "grades.csv") == read_csv(tmp_path / "nbgrader.csv") == []
    assert json.loads((tmp_path / "grades.json").read_text())["submissions"] == []
    assert ET.parse(tmp_path / "junit.xml").getroot().get("tests") == "0"


def test_nbgrader(tmp_path):
    gradebook.write(CLASS, tmp_path)
    rows = read_csv(tmp_path / "nbgrader.csv")
    # `nbgrader export` of 0.9.5 writes this heading.
    assert (tmp_path / "nbgrader.csv").read_text().splitlines()[0] == (
        "assignment,duedate,timestamp,student_id,last_name,first_name,email,raw_score,"
        "late_submission_penalty,score,max_score"
    )
    assert [(r["student_id"], r["assignment"], r["score"], r["max_score"]) for r in rows] == [
        ("ada", "08_unet", "3", "6"),
        ("bob", "08_unet", "0.5", "6"),
        ("cid", "08_unet", "0", "6"),
    ]


def test_json_holds_no_code(tmp_path):
    gradebook.write(CLASS, tmp_path)
    text = (tmp_path / "grades.json").read_text()
    assert "secret code" not in text
    stored = json.loads(text)["submissions"]
    assert [s["student"] for s in stored] == ["ada", "bob", "cid", "dan"]
    assert stored[0]["tasks"][1]["failure"] == SHOWN
    assert stored[0]["tasks"][2]["failure"] == {"case": "random masks", "hidden": True}


def test_junit(tmp_path):
    gradebook.write(CLASS, tmp_path)
    root = ET.parse(tmp_path / "junit.xml").getroot()
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("8", "3", "3")
    ada, bob, cid, dan = root
    assert [c.get("name") for c in ada] == ["iou", "dice", "loss"]
    assert len(ada[0]) == 0
    wrong = ada[1].find("failure")
    assert wrong.get("message") == "a class that is absent"
    assert wrong.text == (
        "case: a class that is absent\nexpected: 0.5, a float\ngot: nan, a float\nlook: what is 0 / 0?"
    )
    assert ada[2].find("failure").text == "case: random masks (hidden)"
    assert bob[0].find("failure").get("type") == "not attempted"
    assert "line 3" in bob[1].find("error").text
    assert cid[0].find("error").get("message") == "08_unet.ipynb is too large."
    assert dan.get("name") == "dan"
    assert ada.get("time") == "1.500"


NASTY = [
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-2",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    " =1",
    "＝1+1",
    'a"b,c\nd',
    "\x00\x01\x1b[31m",
    "\ud800\udfff \ufffe",
    "<script>alert(1)</script> & ]]>",
    "\u202eada",
    "名前 é 😀",
]


@pytest.mark.parametrize("text", NASTY)
def test_what_students_write_harms_nobody(text, tmp_path):
    failure = {"case": text, "expected": text, "got": text, "look": text, "hidden": False}
    tasks = [
        a_task(text, 0, 1, "wrong", failure=failure),
        a_task("b", 0, 1, "error", message=text),
    ]
    result = a_result(text, *tasks, assignment=text)
    gradebook.write([result, a_result(text, status="not graded", reason=text)], tmp_path)
    for name in ("grades.csv", "nbgrader.csv"):
        rows = read_csv(tmp_path / name)
        assert rows
        for row in rows:
            for cell in row.values():
                assert not re.match(r"\s*[=+\-@＝]", cell), cell
                assert "\0" not in cell
        kept = rows[0]["student" if "student" in rows[0] else "student_id"].removeprefix("'")
        assert kept == result["student"].replace("\0", "�").replace("\r", "\n")
    root = ET.parse(tmp_path / "junit.xml").getroot()
    assert root.get("tests") == "3"
    assert len(json.loads((tmp_path / "grades.json").read_text())["submissions"]) == 2


def test_negative_and_plain_text_stay_as_they_are(tmp_path):
    gradebook.write([a_result("o'neil-smith", a_task("iou", 1))], tmp_path)
    assert read_csv(tmp_path / "grades.csv")[0]["student"] == "o'neil-smith"


# nbgrader


@pytest.mark.slow
def test_nbgrader_takes_the_grades(tmp_path, monkeypatch, capsys):
    pytest.importorskip("nbgrader")
    from nbgrader.api import Gradebook
    from nbgrader.plugins.export import CsvExportPlugin

    # nbgrader calls the program alembic.
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    database = tmp_path / "gradebook.db"
    with Gradebook(f"sqlite:///{database}") as book:
        book.add_assignment("08_unet")
        book.add_notebook("08_unet", "08_unet")
        for name, points in (("iou", 3), ("dice", 2), ("loss", 1)):
            book.add_grade_cell(name, "08_unet", "08_unet", max_score=points, cell_type="code")
        book.add_student("ada")
        book.add_submission("08_unet", "ada")
        book.find_grade("loss", "08_unet", "08_unet", "ada").manual_score = 0.75
        book.db.commit()

    other = a_result("eve", a_task("x", 1), assignment="99_other")
    gradebook.write([*CLASS, other], tmp_path)
    recipe = runpy.run_path(str(EXAMPLES / "nbgrader_import.py"))
    for _ in range(2):
        assert recipe["bring"](tmp_path / "grades.json", database) == 2
        said = capsys.readouterr().out
        assert "'cid' '08_unet' was not graded: 08_unet.ipynb is too large." in said
        assert "'99_other' is not in the gradebook" in said

    with Gradebook(f"sqlite:///{database}") as book:
        CsvExportPlugin(to=str(tmp_path / "export.csv")).export(book)
        grade = book.find_grade("iou", "08_unet", "08_unet", "ada")
        assert (grade.auto_score, grade.needs_manual_grade) == (3, False)
    rows = {row["student_id"]: row for row in read_csv(tmp_path / "export.csv")}
    assert sorted(rows) == ["ada", "bob"]
    assert float(rows["ada"]["score"]) == 3.75  # what a person gave stays
    assert float(rows["bob"]["score"]) == 0.5
    ours = read_csv(tmp_path / "nbgrader.csv")
    assert list(ours[0]) == list(rows["ada"])
    assert float(ours[0]["max_score"]) == float(rows["ada"]["max_score"])


# The ready files


def commands(path):
    """The ``python -m course grade`` commands in a file, as lists of words."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".yml":
        jobs = yaml.safe_load(text)["jobs"].values()
        text = "\n".join(step.get("run", "") for job in jobs for step in job["steps"])
    text = re.sub(r"\$\{\{.*?\}\}", "1", text.replace("\\\n", " "))
    text = text.replace("$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT", "1/4")
    text = text.replace("$SLURM_CPUS_PER_TASK", "4")
    return [
        shlex.split(line.split("course grade", 1)[1])
        for line in text.splitlines()
        if "python -m course grade" in line and not line.lstrip().startswith("#")
    ]


READY = ("slurm.sh", "github-actions.yml", "github-classroom.yml")


@pytest.mark.parametrize(
    ("name", "count"), [("slurm.sh", 2), ("github-actions.yml", 2), ("github-classroom.yml", 1)]
)
def test_ready_files_use_options_that_there_are(name, count):
    parser = argparse.ArgumentParser(exit_on_error=False)
    command.add_arguments(parser)
    found = commands(EXAMPLES / name)
    assert len(found) == count
    for words in found:
        options = parser.parse_args(words)
        assert options.submissions or options.merge


@pytest.mark.parametrize("name", READY)
def test_ready_files_say_how_to_use_them(name):
    comment = (EXAMPLES / name).read_text().split("\n\n")[0]
    assert len([line for line in comment.splitlines() if line.startswith("#")]) > 4


@pytest.mark.parametrize("name", [n for n in READY if n.endswith(".yml")])
def test_workflows(name):
    workflow = yaml.safe_load((EXAMPLES / name).read_text())
    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        for step in job["steps"]:
            assert ("uses" in step) != ("run" in step)
            script = step.get("run", "")
            # What a stranger can name goes into a script as a variable only.
            assert not re.search(r"\$\{\{\s*(github|secrets|inputs)", script)
            done = subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True)
            assert done.returncode == 0, done.stderr
    if name == "github-actions.yml":
        shards = workflow["jobs"]["grade"]["strategy"]["matrix"]["shard"]
        assert shards == list(range(1, 5))
        assert f'matrix.shard }}}}/{len(shards)}"' in (EXAMPLES / name).read_text()
    else:
        assert workflow["name"] == "Autograding Tests"
        assert list(workflow["jobs"]) == ["run-autograding-tests"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["work", "author", "out"], "work --author author --out out --shard 3/4 --workers 8"),
        (["--merge", "out"], "--merge out --out out"),
    ],
)
def test_the_job_of_a_cluster(arguments, expected, tmp_path):
    (tmp_path / "python").write_text('#!/bin/sh\necho "$@"\n')
    (tmp_path / "python").chmod(0o755)
    slurm = {"SLURM_ARRAY_TASK_ID": "3", "SLURM_ARRAY_TASK_COUNT": "4", "SLURM_CPUS_PER_TASK": "8"}
    done = subprocess.run(
        ["bash", str(EXAMPLES / "slurm.sh"), *arguments],
        env=os.environ | slurm | {"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
    )
    assert done.stdout == f"-m course grade {expected}\n", done.stderr


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the grader needs Linux")
def test_the_checkout_of_classroom_does_not_hide_the_course(tmp_path):
    """A folder `course` beside the command is a package to Python, but not the one installed."""
    path = EXAMPLES / "github-classroom.yml"
    steps = yaml.safe_load(path.read_text())["jobs"]["run-autograding-tests"]["steps"]
    checkout = next(s["with"]["path"] for s in steps if "repository" in s.get("with", {}))
    assert any(f'pip install --editable "./{checkout}[' in s.get("run", "") for s in steps)
    (tmp_path / checkout).symlink_to(Path(__file__).resolve().parents[1])
    (words,) = commands(path)
    done = subprocess.run(
        [sys.executable, "-m", "course", "grade", *words],
        cwd=tmp_path,
        env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"},  # the checkout is installed
        capture_output=True,
        text=True,
    )
    assert "There is nothing at work." in done.stderr  # so it has read the author notebooks


@pytest.mark.parametrize(("points", "status"), [([1, 2], 1), ([3, 3], 0)])
def test_the_notices_of_classroom(points, status, tmp_path):
    if not shutil.which("jq"):
        pytest.skip("needs jq")
    steps = yaml.safe_load((EXAMPLES / "github-classroom.yml").read_text())["jobs"]
    script = steps["run-autograding-tests"]["steps"][-1]["run"]
    (tmp_path / "graded").mkdir()
    gradebook.write([a_result("a", *(a_task("t", p) for p in points))], tmp_path / "graded")
    done = subprocess.run(
        ["bash", "-e", "-c", script], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == status
    first, second = done.stdout.splitlines()
    assert first == f"::notice title=Autograding complete::Points {sum(points)}/6"
    report = json.loads(second.split("::", 2)[2])
    assert report == {"totalPoints": sum(points), "maxPoints": 6}
