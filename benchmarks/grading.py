"""What grading costs: submissions a minute, and the time beside that of the bare cells.

::

    python -m benchmarks.grading [--lesson 08] [--submissions 12] [--kills 3] [--class 300]

One class is graded three times in one run: its cells in bare kernels, one fresh kernel a submission
as nbval starts it; by the grader with its kernel server; by the grader with a server that has
imported nothing. Then a class of 300 is graded in a process that is killed -9 three times on the
way; each submission must have one row at the end. With ``--class 0`` the stored result of that stays.
"""

import argparse
import csv
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat
from nbval.kernel import CURRENT_ENV_KERNEL_NAME, RunningKernel

from benchmarks import results
from course import notebooks
from course.grading import author, box, kernels, session, submissions


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lesson", default="08", help="number of the lesson (default: 08)")
    parser.add_argument("--submissions", type=int, default=8)
    parser.add_argument("--class", type=int, default=300, dest="size", help="to be killed; 0: none")
    parser.add_argument("--kills", type=int, default=3)
    options = parser.parse_args()
    assignments = author.find()
    name = next(n for n in assignments if n.startswith(options.lesson))
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        fast = speed(assignments[name], options.submissions, folder / "speed")
        of_class = killed(options.size, options.kills, folder / "killed") if options.size else None
    print(store(fast, of_class))


def store(fast, of_class=None):
    """Write what :func:`speed` and :func:`killed` found, each with the commit and command of its run.

    Without a class, the one that is stored stays. Returns the text of the file.
    """
    file, key = results.RESULTS / "grading.json", "a class, the grader killed"
    record = results.machine() | fast
    if of_class:
        record[key] = results.machine() | of_class
    elif file.exists() and key in (older := json.loads(file.read_text(encoding="utf-8"))):
        record[key] = older[key]
    text = json.dumps(record, indent=1, ensure_ascii=False) + "\n"
    results.RESULTS.mkdir(exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return text


def hand_in(assignment, folder, students):
    """Write a right submission for each of `students`; returns their Submissions."""
    released = author.release(notebooks.read(author.FOLDER / f"{assignment.name}.ipynb"))
    right = {cell.name: cell.source for cell in assignment.solutions}
    for cell in released.cells:
        task = cell.metadata.get("nbgrader", {}).get("grade_id")
        cell.source = right.get(task, cell.source)
    for student in students:
        path = folder / student / assignment.name / f"{assignment.name}.ipynb"
        path.parent.mkdir(parents=True)
        nbformat.write(released, path)
    return submissions.find(folder, [assignment.name])


def speed(assignment, number, folder):
    """Seconds a submission: bare, with a warm server, with a cold one; and the ratios."""
    handed_in = hand_in(assignment, folder, [f"student{i}" for i in range(number)])
    kind = box.choose()
    begun = time.perf_counter()
    for _ in handed_in:
        bare(assignment)
    seconds = {"bare": (time.perf_counter() - begun) / number}
    for label, warm in (("warm", author.modules([assignment])), ("cold", ["numpy"])):
        with kernels.Server(kind, warm=warm) as server:
            settings = session.Settings(server, b"benchmark" * 4)
            begun = time.perf_counter()
            for submission in handed_in:
                graded = session.grade(submission, {assignment.name: assignment}, settings)
                assert graded["points"] == assignment.points, graded
            seconds[label] = (time.perf_counter() - begun) / number
    return {
        "assignment": assignment.name,
        "box": kind,
        "seconds a submission": {key: round(value, 2) for key, value in seconds.items()},
        "warm over bare": round(seconds["warm"] / seconds["bare"], 2),
        "cold over bare": round(seconds["cold"] / seconds["bare"], 2),
        "submissions a minute, one after the other": round(60 / seconds["warm"], 1),
    }


def bare(assignment):
    """Run all cells of the author's notebook, checks included, in a kernel as nbval starts it."""
    kernel = RunningKernel(CURRENT_ENV_KERNEL_NAME, cwd=str(notebooks.PACKAGE_ROOT))
    try:
        for cell in assignment.cells:
            reply = kernel.kc.execute(cell.source, allow_stdin=False, reply=True, timeout=600)
            assert reply["content"]["status"] == "ok", reply["content"]
    finally:
        kernel.stop()


def killed(size, kills, folder):
    """Grade `size` submissions of lesson 02's exercise; kill -9 the grader `kills` times."""
    assignment = author.find()["02_measuring"]
    hand_in(assignment, folder / "submitted", [f"student{i:03}" for i in range(size)])
    out = folder / "graded"
    command = [sys.executable, "-m", "course", "grade", folder / "submitted", "--out", out]
    draw = random.Random(0)
    begun = time.perf_counter()
    for kill in range(kills):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        goal = draw.uniform(kill, kill + 1) * size / (kills + 1)
        while process.poll() is None and _done(out) < goal:
            time.sleep(0.1)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    seconds = time.perf_counter() - begun
    with open(out / "grades.csv", encoding="utf-8-sig", newline="") as file:
        rows = [(row["student"], row["task"], row["points"]) for row in csv.DictReader(file)]
    once = len(set(rows)) == len(rows) == size * len(assignment.checks)
    full = sum(float(points) for *_, points in rows) == size * assignment.points
    shutil.rmtree(folder)
    return {
        "class": size,
        "killed": kills,
        "one row each": once,
        "all points": full,
        "submissions a minute, with the kills": round(60 * size / seconds, 1),
        "workers": len(os.sched_getaffinity(0)),
    }


def _done(out):
    return sum(1 for _ in out.glob("results/*/*.json"))


if __name__ == "__main__":
    main()
