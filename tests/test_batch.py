"""The batch: every submission has its row, whatever happens to it or to the batch itself."""

import argparse
import functools
import json
import os
import shlex
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import batches
import psutil
import pytest
from batches import hand_in, run
from conftest import wait_for

from course.grading import author, batch, box, command, results, submissions
from course.grading.results import BadResult, checked, path_of
from tests.results import result, task

pytestmark = pytest.mark.kernels

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def authors(tmp_path):
    return batches.make_author(tmp_path / "author")


@pytest.fixture
def handed_in(tmp_path):
    folder = tmp_path / "submitted"
    for student in ("ada", "bob", "cid"):
        hand_in(folder, student)
    return folder


@pytest.fixture
def counting(authors, tmp_path):
    """The stand-in, with a function that says whom it has graded since it was last asked."""
    log = tmp_path / "log"

    def graded():
        lines = log.read_text().splitlines() if log.exists() else []
        log.unlink(missing_ok=True)
        return sorted(lines)

    return functools.partial(batches.fake, author_folder=authors, log=log), graded


def table(found):
    return {(r["student"], r["assignment"]): (r["status"], r["points"]) for r in found}


def test_the_stand_in_is_like_an_author_notebook(authors):
    known = author.find(authors)
    assert sorted(known) == ["07_losses", "08_unet"]
    for name, it in batches.assignments(authors).items():
        for part in ("solutions", "checks"):
            cells = [(cell.name, cell.points) for cell in getattr(known[name], part)]
            assert cells == [(cell.name, cell.points) for cell in getattr(it, part)]
        assert all(cell.title is not None for cell in known[name].checks)
        assert known[name].digest


# One run


def test_a_run(handed_in, authors, tmp_path, capsys):
    hand_in(handed_in, "ada", "07_losses")
    (handed_in / "dan").mkdir()
    found = run(handed_in, authors, tmp_path / "out")
    assert table(found) == {
        ("ada", "07_losses"): ("graded", 2),
        ("ada", "08_unet"): ("graded", 1),
        ("bob", "08_unet"): ("graded", 1),
        ("cid", "08_unet"): ("graded", 1),
        ("dan", ""): ("not graded", 0),
    }
    out = capsys.readouterr().out
    assert "ada  07_losses  2/2\n" in out
    assert "bob  08_unet  1/4\n" in out
    assert "dan  ?  not graded: There is no notebook in it." in out
    stored = json.loads((tmp_path / "out/results/ada/08_unet.json").read_text())
    assert stored in found
    for name in ("grades.csv", "nbgrader.csv", "grades.json", "junit.xml", "index.html"):
        assert (tmp_path / "out" / name).stat().st_size
    assert (tmp_path / "out/feedback/ada/08_unet.html").exists()
    assert not list((tmp_path / "out").rglob("*.part"))
    assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == 0o700


FAILURES = {
    "raise": "failed with RuntimeError",
    "exit": "failed with SystemExit",
    "interrupt": "failed with KeyboardInterrupt",
    "os._exit": "without a result",
    "kill": "SIGKILL",
    "segfault": "SIGSEGV",
    "group": "SIGKILL",
    "stop": "longer than 3 seconds",
    "hang": "longer than 3 seconds",
    "None": "no dictionary",
    "text": "no dictionary",
    "object": "failed with TypeError",
    "deep": "failed with RecursionError",
    "huge": "larger than 32 MB",
    "nan": "points is no number",
    "more": "not the sum",
    "other": "somebody else's",
    "no tasks": "not those of the assignment",
    "other tasks": "not those of the assignment",
    "too many points": "more points than there are",
}
FINE = ("answer", "flood", "threads", "child", "stdin", "surrogate", "hidden", "not graded")


def test_a_check_at_fault_is_named_once_for_all():
    faulty = task("not checked", message="`wanted` is not defined in it")
    lines = command.faults([result("ada", faulty), result("ben", faulty), result("cem", task())])
    assert lines == [
        "Mend this check (2 without points): 02_measuring, cell masked-iou-check: `wanted` is not "
        "defined in it"
    ]


def test_notebooks_that_were_handed_out_elsewhere_are_counted():
    other = result("ada", task()) | {"notes": [results.OTHER_CELLS]}
    (line,) = command.faults([other, result("ben", task()), other | {"student": "cem"}])
    assert line.startswith("02_measuring: 2 handed out with other cells")
    assert line.endswith("Is --author the right folder?")


def test_whatever_a_grader_does_the_others_are_graded(authors, tmp_path):
    handed_in, endless = tmp_path / "submitted", tmp_path / "endless"
    for name in (*FAILURES, *FINE):
        hand_in(endless if name in ("stop", "hang") else handed_in, name, source=name)
    # Only those that never end have little time: the others share two cores, and may need more.
    rows = run(handed_in, authors, tmp_path / "out", workers=8, limit=60)
    rows += run(endless, authors, tmp_path / "out-endless", limit=3)
    found = {r["student"]: r for r in rows}
    assert sorted(found) == sorted([*FAILURES, *FINE])
    for name, reason in FAILURES.items():
        assert found[name]["status"] == "not graded", name
        assert reason in found[name]["reason"], name
        assert "Running it again tries once more" in found[name]["reason"]
        # Rows for its tasks all the same.
        assert [t["task"] for t in found[name]["tasks"]] == ["A", "B"]
        assert found[name]["max_points"] == 4
    for name in FINE[:-1]:
        assert found[name]["status"] == "graded", (name, found[name]["reason"])
        assert found[name]["points"] == 1
    assert found["not graded"]["reason"] == "because"
    assert found["not graded"]["max_points"] == 4
    assert found["stdin"]["notes"] == ["end"]
    assert found["surrogate"]["notes"] == ["?"]
    assert not psutil.pid_exists(int(found["child"]["notes"][0]))
    assert "secret" not in path_of(tmp_path / "out", "hidden", "08_unet").read_text()

    # What the grader said when it failed is for the instructor alone.
    log = (tmp_path / "out/errors/raise/08_unet.txt").read_text()
    assert "Traceback" in log
    assert "42" in log
    assert "42" not in found["raise"]["reason"]
    for name in ("grades.csv", "grades.json", "junit.xml", "feedback/raise/08_unet.html"):
        assert "the answer is 42" not in (tmp_path / "out" / name).read_text()

    # Those that failed are tried again, the others are not.
    handed_in_again = run(handed_in, authors, tmp_path / "out", workers=8, limit=60,
                          function=functools.partial(batches.result, author_folder=authors))  # fmt: skip
    handed_in_again += run(endless, authors, tmp_path / "out-endless", limit=60,
                           function=functools.partial(batches.result, author_folder=authors))  # fmt: skip
    assert {r["student"] for r in handed_in_again} == {*FAILURES, *FINE}
    assert all(r["status"] == "graded" for r in handed_in_again if r["student"] in FAILURES)
    assert not (tmp_path / "out/errors/raise/08_unet.txt").exists()


def test_no_process_is_left(handed_in, authors, tmp_path):
    hand_in(handed_in, "hang", source="hang")
    hand_in(handed_in, "threads", source="threads")
    run(handed_in, authors, tmp_path / "out", limit=1)
    # Of the whole tree only the fork server stays, for the next run; nothing is forked from it.
    assert not [
        process
        for child in psutil.Process().children()
        if "forkserver" in " ".join(child.cmdline())
        for process in child.children(recursive=True)
    ]


# Again


def test_only_what_changed_is_graded_again(handed_in, authors, tmp_path, counting, capsys):
    grade, graded = counting
    everything = ["ada 08_unet", "bob 08_unet", "cid 08_unet"]
    out = tmp_path / "out"
    first = run(handed_in, authors, out, grade)
    assert graded() == everything
    assert run(handed_in, authors, out, grade) == first
    assert graded() == []
    assert "3 of 3 were graded before and did not change" in capsys.readouterr().out

    hand_in(handed_in, "bob", source="another answer")
    run(handed_in, authors, out, grade)
    assert graded() == ["bob 08_unet"]

    hand_in(handed_in, "dan")
    run(handed_in, authors, out, grade)
    assert graded() == ["dan 08_unet"]

    text = (authors / "08_unet.ipynb").read_text()
    (authors / "08_unet.ipynb").write_text(text.replace('"pass"', '"pass # changed"'))
    run(handed_in, authors, out, grade)
    assert graded() == [*everything, "dan 08_unet"]

    run(handed_in, authors, out, grade, key=bytes(32))
    assert graded() == [*everything, "dan 08_unet"]


def test_another_version_of_the_course_grades_again(
    handed_in, authors, tmp_path, counting, monkeypatch
):
    grade, graded = counting
    run(handed_in, authors, tmp_path / "out", grade)
    graded()
    monkeypatch.setattr(batch, "__version__", "99")
    run(handed_in, authors, tmp_path / "out", grade)
    assert len(graded()) == 3


def test_what_was_graded_without_a_sandbox_is_graded_again_in_one(authors, tmp_path, counting):
    grade, graded = counting
    hand_in(tmp_path / "s", "ada", source="unboxed")
    hand_in(tmp_path / "s", "bob")
    for sandbox, expected in (("none", ["ada", "bob"]), ("none", []), ("landlock", ["ada"])):
        run(tmp_path / "s", authors, tmp_path / "out", grade, sandbox=sandbox)
        assert [line.split()[0] for line in graded()] == expected


def test_what_was_stopped_is_graded_again(authors, tmp_path, counting, capsys):
    """The clock stops a right answer too where the machine is busy."""
    grade, graded = counting
    hand_in(tmp_path / "s", "ada", source="stopped")
    hand_in(tmp_path / "s", "bob")
    run(tmp_path / "s", authors, tmp_path / "out", grade)
    assert graded() == ["ada 08_unet", "bob 08_unet"]
    calm = functools.partial(batches.result, author_folder=authors)
    for function, expected in ((grade, ["ada 08_unet"]), (calm, []), (grade, [])):
        found = run(tmp_path / "s", authors, tmp_path / "out", function)
        assert graded() == expected
    assert table(found)["ada", "08_unet"] == ("graded", 1)
    assert "2 of 2 were graded before" in capsys.readouterr().out


def test_the_server_is_not_started_for_nothing(handed_in, authors, tmp_path):
    entered = []

    @contextmanager
    def server():
        entered.append(True)
        yield functools.partial(batches.fake, author_folder=authors)

    assignments = batches.assignments(authors)
    for expected in (1, 1):
        found = submissions.find(handed_in, assignments)
        batch.grade_all(found, assignments, tmp_path / "out", batches.KEY, grade=server())
        assert len(entered) == expected


@pytest.mark.parametrize(
    "damage", [b"", b"{", b"[]", b"{}", b'{"schema": 1}', b"\xff", b"[" * 100_000]
)
def test_a_damaged_result_is_graded_again(damage, handed_in, authors, tmp_path, counting, capsys):
    grade, graded = counting
    out = tmp_path / "out"
    first = run(handed_in, authors, out, grade)
    graded()
    path_of(out, "bob", "08_unet").write_bytes(damage)
    assert table(batch.report(out)) == {k: v for k, v in table(first).items() if k[0] != "bob"}
    assert "damaged" in capsys.readouterr().err
    assert table(run(handed_in, authors, out, grade)) == table(first)
    assert graded() == ["bob 08_unet"]


def test_a_row_without_an_assignment_goes_when_the_student_mends_it(authors, tmp_path):
    (tmp_path / "s/ada").mkdir(parents=True)
    hand_in(tmp_path / "s", "bob")
    assert ("ada", "") in table(run(tmp_path / "s", authors, tmp_path / "out"))
    pages = tmp_path / "out/feedback/ada"
    assert [page.name for page in pages.iterdir()] == ["submission.html"]
    hand_in(tmp_path / "s", "ada")
    assert table(run(tmp_path / "s", authors, tmp_path / "out")) == {
        ("ada", "08_unet"): ("graded", 1),
        ("bob", "08_unet"): ("graded", 1),
    }
    assert [page.name for page in pages.iterdir()] == ["08_unet.html"]


def test_results_of_another_assignment_stay(authors, tmp_path):
    hand_in(tmp_path / "week7", "ada", "07_losses")
    hand_in(tmp_path / "week8", "ada", "08_unet")
    run(tmp_path / "week7", authors, tmp_path / "out")
    found = run(tmp_path / "week8", authors, tmp_path / "out")
    assert [r["assignment"] for r in found] == ["07_losses", "08_unet"]


# Which file counts


def rows(handed_in, authors, tmp_path):
    """Points or reason, and notes, by student and assignment."""
    found = run(handed_in, authors, tmp_path / "out")
    return {
        (r["student"], r["assignment"]): (r["reason"] or r["points"], r["notes"]) for r in found
    }


def test_a_copy_beside_the_notebook_is_a_note(authors, tmp_path):
    hand_in(tmp_path / "s", "ada")
    hand_in(tmp_path / "s", "ada", name="08_unet-Copy1", source="raise")
    hand_in(tmp_path / "s", "ada", name="00_first_try", source="raise")
    (tmp_path / "s/ada/08_unet/zzz.ipynb").symlink_to(authors)
    ((points, notes),) = rows(tmp_path / "s", authors, tmp_path).values()
    assert points == 1
    assert notes == [
        "00_first_try.ipynb was handed in too. 08_unet.ipynb counts.",
        "08_unet-Copy1.ipynb was handed in too. 08_unet.ipynb counts.",
        "zzz.ipynb was handed in too. zzz.ipynb is a link. Hand in the file itself.",
    ]


def test_the_resubmission_counts(authors, tmp_path):
    for name, source in (("", "raise"), ("-2", "raise"), ("-10", "answer")):
        path = tmp_path / f"s/ada_1_100_08_unet{name}.ipynb"
        path.parent.mkdir(exist_ok=True)
        path.write_text(batches.notebook(batches.student_cells("a", "b", source=source)))
    ((key, (points, notes)),) = rows(tmp_path / "s", authors, tmp_path).items()
    assert key == ("ada", "08_unet")
    assert points == 1
    assert len(notes) == 2


def lesson(path):
    """A notebook that holds no task, whatever it is called."""
    path.write_text(batches.notebook([{"cell_type": "code", "metadata": {}, "source": "1"}]))


def test_a_lesson_of_the_same_name_takes_no_points(authors, tmp_path):
    exercise = hand_in(tmp_path / "s", "ada", name="08_unet (1)")
    lesson(exercise.with_name("08_unet.ipynb"))
    note = (
        "08_unet.ipynb was handed in too. It holds none of the tasks, so 08_unet (1).ipynb counts."
    )
    assert rows(tmp_path / "s", authors, tmp_path) == {("ada", "08_unet"): (1, [note])}


def test_a_lesson_alone_is_told_apart(authors, tmp_path):
    lesson(hand_in(tmp_path / "s", "ada"))
    grade = functools.partial(batches.result, author_folder=authors)
    (found,) = run(tmp_path / "s", authors, tmp_path / "out", grade)
    (note,) = found["notes"]
    assert note.startswith("08_unet.ipynb holds none of the tasks. Is it the lesson of the same")


def test_answers_in_other_places_of_a_clone(authors, tmp_path):
    """What was handed out lies where it was; the answer elsewhere. Lessons are not handed in."""
    for student in ("ada", "bob"):
        clone = tmp_path / "s" / student
        for folder in ("notebooks/exercises", "mine", "notebooks/solutions"):
            (clone / folder).mkdir(parents=True)
        for name in ("07_losses", "08_unet"):
            lesson(clone / f"notebooks/{name}.ipynb")
        text = batches.notebook(batches.student_cells("a", "b"))
        (clone / "mine/08_unet.ipynb").write_text(text)
        (clone / "notebooks/solutions/08_unet.ipynb").write_text(text)
    lesson(tmp_path / "s/bob/notebooks/exercises/08_unet.ipynb")
    (tmp_path / "s/bob/notebooks/exercises/07_losses.ipynb").write_text("{")
    (tmp_path / "s/ada/notebooks/exercises/08_unet.ipynb").write_text(text)
    found = rows(tmp_path / "s", authors, tmp_path)
    assert sorted(found) == [("ada", "08_unet"), ("bob", "07_losses"), ("bob", "08_unet")]
    assert found["ada", "08_unet"][1] == [
        "mine/08_unet.ipynb was handed in too. notebooks/exercises/08_unet.ipynb counts."
    ]
    assert found["bob", "08_unet"][1] == [
        "notebooks/exercises/08_unet.ipynb was handed in too. It holds none of the tasks, so "
        "mine/08_unet.ipynb counts."
    ]


def test_the_notebook_of_one_assignment_in_the_folder_of_another(authors, tmp_path):
    wrong = tmp_path / "s/ada/08_unet/08_unet.ipynb"
    hand_in(tmp_path / "s", "ada", "07_losses").rename(tmp_path / "x.ipynb")
    wrong.parent.mkdir(parents=True)
    (tmp_path / "x.ipynb").rename(wrong)
    (tmp_path / "s/ada/07_losses").rmdir()
    found = rows(tmp_path / "s", authors, tmp_path)
    said = "08_unet.ipynb, handed in for 08_unet, holds the tasks of 07_losses."
    assert found == {("ada", "07_losses"): (2, [said]), ("ada", "08_unet"): (said, [])}


def test_a_second_student_of_one_name_is_said(authors, tmp_path, capsys):
    text = batches.notebook(batches.student_cells("a", "b"))
    for number in (123, 124):
        folder = tmp_path / f"s/Ada L_{number}_assignsubmission_file_"
        folder.mkdir(parents=True)
        (folder / "08_unet.ipynb").write_text(text)
        found = rows(tmp_path / "s", authors, tmp_path)
        said = capsys.readouterr().out
        assert ("Several students are called Ada L" in said) == (number == 124)
    assert [student for student, _ in found] == ["Ada L", "Ada L 123", "Ada L 124"]
    assert "they are Ada L 123, Ada L 124. The rows of Ada L are of an earlier run" in said
    assert found["Ada L", "08_unet"][1] == []
    for student in ("Ada L 123", "Ada L 124"):
        assert "Several students are called Ada L, so" in found[student, "08_unet"][1][0]

    shutil.rmtree(path_of(tmp_path / "out", "Ada L", "08_unet").parent)
    assert len(rows(tmp_path / "s", authors, tmp_path)) == 2
    assert "Several students" not in capsys.readouterr().out


def test_files_of_no_assignment_have_a_row_each(authors, tmp_path):
    hand_in(tmp_path / "s", "ada")
    for number in (1, 2):
        path = tmp_path / f"s/ada/part{number}/work.ipynb"
        path.parent.mkdir()
        path.write_text(batches.notebook(batches.student_cells("other")))
    (tmp_path / "s/ada/work (2).ipynb").write_text("{")
    found = rows(tmp_path / "s", authors, tmp_path)
    assert sorted(found) == [("ada", n) for n in ("08_unet", "work", "work (2)", "work (2) (2)")]
    assert "none of the tasks of 07_losses, 08_unet" in found["ada", "work"][0]


ODD = [
    "Ada",
    "ADA",
    "é",
    "e\u0301",
    "../x",
    "=1+1",
    "\x1b[2J",
    "a" * 200,
    "\u202eada",
    "con",
    "名前",
]


def test_odd_students(authors, tmp_path, capsys):
    found = []
    for student in [*ODD, "ada"]:
        path = hand_in(tmp_path / "s", "ada")
        found.append(submissions.Submission(student, "08_unet", path, assignment="08_unet"))
    assignments = batches.assignments(authors)
    grade = functools.partial(batches.fake, author_folder=authors)
    done = batch.grade_all(
        found, assignments, tmp_path / "out", batches.KEY, grade=batches.nullcontext(grade)
    )
    assert sorted(r["student"] for r in done) == sorted([*ODD, "ada"])
    files = [p for p in (tmp_path / "out/results").rglob("*") if p.is_file()]
    assert len({str(p).lower() for p in files}) == len(ODD) + 1
    assert {p.parent.parent for p in files} == {tmp_path / "out/results"}
    assert "\x1b" not in capsys.readouterr().out


# Killed


def start(handed_in, authors, out, log, seconds=0.05, shard="1/1"):
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    arguments = map(str, (handed_in, authors, out, log, seconds, shard))
    return subprocess.Popen(
        [sys.executable, "-c", "import batches, sys; batches.main(*sys.argv[1:])", *arguments],
        env=os.environ | {"PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def stored(out):
    return len(results.files(out))


@pytest.mark.slow
def test_kill_minus_9_three_times(authors, tmp_path):
    handed_in, out, log = tmp_path / "submitted", tmp_path / "out", tmp_path / "log"
    for number in range(60):
        hand_in(handed_in, f"student{number:02}")
    for so_far in (8, 20, 35):
        process = start(handed_in, authors, out, log)
        wait_for(lambda so_far=so_far: stored(out) >= so_far, "the next results")
        children = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        process.wait()
        _, alive = psutil.wait_procs(children, timeout=10)
        assert not alive
    assert stored(out) < 60
    assert start(handed_in, authors, out, log).wait(120) == 0
    found = results.read_all(out)
    assert len(found) == 60
    assert {r["student"] for r in found} == {f"student{i:02}" for i in range(60)}
    assert all(r["points"] == 1 for r in found)
    # What was done was not done again: at most the two that were under way at each kill.
    assert 60 <= len(log.read_text().splitlines()) <= 60 + 3 * 2


def same(found):
    """Results without what may differ from run to run."""
    return [{k: v for k, v in r.items() if k not in ("when", "seconds")} for r in found]


@pytest.mark.slow
@pytest.mark.parametrize("shared", [False, True])
def test_four_shards_side_by_side_of_which_one_is_killed(shared, authors, tmp_path):
    handed_in, log = tmp_path / "submitted", tmp_path / "log"
    for number in range(24):
        hand_in(handed_in, f"student{number:02}")
    (handed_in / "nobody").mkdir()
    outs = [tmp_path / ("out" if shared else f"out{i}") for i in range(4)]
    shards = [start(handed_in, authors, out, log, 0.2, f"{i}/4") for i, out in enumerate(outs, 1)]
    wait_for(lambda: stored(outs[2]) >= 1, "a first result")
    shards[2].kill()
    assert [s.wait(120) for s in shards] == [0, 0, -signal.SIGKILL, 0]
    assert start(handed_in, authors, outs[2], log, 0, "3/4").wait(120) == 0
    merged = results.read_all(outs[0]) if shared else batch.merge(outs, tmp_path / "merged")
    single = run(handed_in, authors, tmp_path / "single")
    assert same(merged) == same(single)
    assert len(merged) == 25
    name = outs[0] if shared else tmp_path / "merged"
    csv = (name / "grades.csv").read_text()
    assert csv == (tmp_path / "single/grades.csv").read_text()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_leaves_no_process(number, handed_in, authors, tmp_path):
    process = start(handed_in, authors, tmp_path / "out", tmp_path / "log", seconds=60)
    wait_for((tmp_path / "log").exists, "the log")
    children = psutil.Process(process.pid).children(recursive=True)
    assert len(children) > 2
    process.send_signal(number)
    assert process.wait(20) != 0
    assert not psutil.wait_procs(children, timeout=20)[1]
    assert len(run(handed_in, authors, tmp_path / "out")) == 3


def test_processes_that_cannot_be_started(handed_in, authors, tmp_path, monkeypatch):
    def full(self):
        raise BlockingIOError(11, "Resource temporarily unavailable")

    with monkeypatch.context() as patch:
        patch.setattr("multiprocessing.context.ForkServerProcess.start", full)
        found = run(handed_in, authors, tmp_path / "out")
    assert all("could not be started" in r["reason"] for r in found)
    assert all(r["status"] == "graded" for r in run(handed_in, authors, tmp_path / "out"))


def test_a_full_disk_is_said(handed_in, authors, tmp_path, monkeypatch):
    def full(*arguments):
        raise OSError(28, "No space left on device", "x.json")

    monkeypatch.setattr(command, "_grade", full)
    with pytest.raises(ValueError, match=r"x\.json: No space left on device\. What was graded"):
        command.run(parse("work"))


def test_an_error_without_a_number_is_said_too(monkeypatch):
    def broken(*arguments):
        raise OSError("something broke")

    monkeypatch.setattr(command, "_grade", broken)
    with pytest.raises(ValueError, match=r"^graded: something broke\. What was graded so far"):
        command.run(parse("work"))


def test_a_folder_for_temporary_files_that_is_too_deep_for_sockets(
    handed_in, authors, tmp_path, monkeypatch
):
    deep = tmp_path / ("d" * 110)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    given = ("--author", str(authors), "--out", str(tmp_path / "out"), "--sandbox", "none")
    with pytest.raises(ValueError, match=r"/d+, has too long a path.* Set TMPDIR to a shorter one"):
        command.run(parse(str(handed_in), *given))
    # The server's own socket may fit, and a kernel's not.
    said = "The box 'none' did not start: File name too long (addr='ipc:///d/grade-0/k/0/s-1')"
    assert "Set TMPDIR" in command._no_socket(box.NoBox(said))


def test_shards_are_disjoint_and_complete():
    students = [f"student{i}" for i in range(300)]
    for parts in (1, 4, 7):
        where = [batch.part_of(s, "08_unet", parts) for s in students]
        assert set(where) == set(range(1, parts + 1))
        assert max(map(where.count, set(where))) < 2 * len(students) / parts
    # The same on every machine and in every version, or shards would miss some.
    assert [batch.part_of(s, "08_unet", 4) for s in students[:8]] == PARTS


PARTS = [4, 4, 3, 4, 3, 2, 4, 4]


# Locks


def test_what_a_grader_prints_goes_nowhere(authors, tmp_path):
    hand_in(tmp_path / "s", "ada", source="flood")
    process = start(tmp_path / "s", authors, tmp_path / "out", tmp_path / "log", 0)
    said = process.communicate(timeout=60)[0].decode()
    assert said == "ada  08_unet  1/4\n"


def test_two_runs_on_one_folder(handed_in, authors, tmp_path):
    out = tmp_path / "out"
    process = start(handed_in, authors, out, tmp_path / "log", seconds=60)
    try:
        wait_for((tmp_path / "log").exists, "the log")
        with pytest.raises(ValueError, match=f"in use by process {process.pid} on"):
            run(handed_in, authors, out)
        run(handed_in, authors, tmp_path / "elsewhere")
    finally:
        process.kill()
        process.wait()
    assert len(run(handed_in, authors, out)) == 3  # the lock of the dead is nobody's


# Merging


def shards(handed_in, authors, tmp_path, n=2):
    outs = [tmp_path / f"shard{i}" for i in range(1, n + 1)]
    for i, out in enumerate(outs, 1):
        run(handed_in, authors, out, shard=(i, n))
    return outs


def test_merging(handed_in, authors, tmp_path, capsys):
    (handed_in / "dan").mkdir()
    outs = shards(handed_in, authors, tmp_path)
    merged = batch.merge(outs, tmp_path / "merged")
    assert len(merged) == 4
    assert same(merged) == same(run(handed_in, authors, tmp_path / "single"))
    assert (tmp_path / "merged/index.html").exists()
    capsys.readouterr()
    # Again, and into one of the shards: nothing new.
    assert batch.merge(outs, tmp_path / "merged") == merged
    assert "0 results taken" in capsys.readouterr().out
    assert len(batch.merge(outs, outs[0])) == 4


def test_the_newer_of_two_that_differ_counts(handed_in, authors, tmp_path, capsys):
    old, new = tmp_path / "old", tmp_path / "new"
    run(handed_in, authors, old)
    hand_in(handed_in, "bob", source="not graded")
    time.sleep(0.01)
    run(handed_in, authors, new)
    for order in ((old, new), (new, old)):
        target = tmp_path / order[0].name[:1]
        merged = batch.merge(order, target)
        assert table(merged)["bob", "08_unet"] == ("not graded", 0)
        said = capsys.readouterr().out
        assert said.count("bob 08_unet: two results that differ") == 1
        assert f"the one in {tmp_path / 'new' if order[0] == old else target} counts" in said


def test_a_failure_of_the_grader_gives_way(handed_in, authors, tmp_path):
    run(handed_in, authors, tmp_path / "good")
    time.sleep(0.01)
    broken = functools.partial(batches.fake, author_folder="nowhere")
    run(handed_in, authors, tmp_path / "bad", broken)
    for order in (["good", "bad"], ["bad", "good"]):
        merged = batch.merge([tmp_path / n for n in order], tmp_path / "-".join(order))
        assert all(r["status"] == "graded" for r in merged)


@pytest.mark.parametrize("then", ["stopped", "kill", "raise"])
def test_a_busier_machine_takes_no_points_away(authors, tmp_path, then):
    hand_in(tmp_path / "s", "ada")
    for how in ("last stopped", then):
        grade = functools.partial(batches.behaving, author_folder=authors, how=how)
        found = run(tmp_path / "s", authors, tmp_path / "out", grade)
        assert table(found)["ada", "08_unet"] == ("graded", 1)
    calm = functools.partial(batches.result, author_folder=authors)
    (found,) = run(tmp_path / "s", authors, tmp_path / "out", calm)
    assert [task["status"] for task in found["tasks"]] == ["right", "wrong"]


def test_what_was_stopped_gives_way_to_what_was_not(authors, tmp_path, capsys):
    hand_in(tmp_path / "s", "ada", source="stopped")
    calm = functools.partial(batches.result, author_folder=authors)
    run(tmp_path / "s", authors, tmp_path / "calm", calm)
    time.sleep(0.01)
    run(tmp_path / "s", authors, tmp_path / "busy")
    for order in (["calm", "busy"], ["busy", "calm"]):
        merged = batch.merge([tmp_path / n for n in order], tmp_path / "-".join(order))
        assert table(merged) == {("ada", "08_unet"): ("graded", 1)}
    assert "two results that differ" not in capsys.readouterr().out
    # A later answer counts, stopped or not.
    path = hand_in(tmp_path / "s", "ada", source="stopped")
    path.write_text(path.read_text() + "\n")
    run(tmp_path / "s", authors, tmp_path / "later")
    for order in (["calm", "later"], ["later", "calm"]):
        merged = batch.merge([tmp_path / n for n in order], tmp_path / "-".join(order))
        assert table(merged)["ada", "08_unet"] == ("graded", 0)


def test_merging_what_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="no results folder in"):
        batch.merge([tmp_path], tmp_path / "out")


def test_merging_a_shard_that_had_nothing_to_do(handed_in, authors, tmp_path):
    outs = shards(handed_in, authors, tmp_path, 9)
    empty = next(out for out in outs if not results.files(out))
    (empty / "results").rmdir()  # as archives lose it
    assert len(batch.merge(outs, tmp_path / "merged")) == 3


def test_merging_what_is_damaged(handed_in, authors, tmp_path, capsys):
    (out,) = shards(handed_in, authors, tmp_path, 1)
    path_of(out, "ada", "08_unet").write_text("{")
    assert len(batch.merge([out], tmp_path / "merged")) == 2
    assert "damaged" in capsys.readouterr().err


# The key


def test_the_key_is_made_once(tmp_path):
    key = batch.key_of(None, tmp_path / "out")
    assert len(key) == 32
    assert batch.key_of(None, tmp_path / "out") == key
    assert batch.key_of(None, tmp_path / "other") != key
    path = tmp_path / "out/grading.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert batch.key_of(path, tmp_path / "other") == key
    batch._make_key(path)  # as another shard that came too late
    assert path.read_bytes() == key
    assert [p.name for p in (tmp_path / "out").iterdir() if "key" in p.name] == ["grading.key"]


def test_of_many_that_make_the_key_all_have_the_same(tmp_path):
    code = "import sys; from course.grading import batch; print(batch.key_of(None, sys.argv[1]))"
    command = [sys.executable, "-c", code, str(tmp_path / "out")]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) for _ in range(6)]
    assert len({process.communicate()[0] for process in running}) == 1


def test_a_key_that_is_none(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"cannot be read.*Make one with.*token_bytes"):
        batch.key_of(tmp_path / "key", tmp_path / "out")
    (tmp_path / "key").write_bytes(b"short")
    with pytest.raises(ValueError, match="has 5 bytes; it needs 32"):
        batch.key_of(tmp_path / "key", tmp_path / "out")


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match=r"cannot be made or written to.*--out"):
        batch.open_folder(tmp_path / "file")


# Results


def a_result():
    return results.not_graded("ada", "08_unet", "why")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"schema": 2}, "schema is 2"),
        ({"student": 3}, "student is no string"),
        ({"status": "perfect"}, "status is 'perfect'"),
        ({"sandbox": "cardboard"}, "sandbox"),
        ({"notes": "n"}, "notes are no list"),
        ({"notes": [1]}, "note is no string"),
        ({"points": -1}, "points is no number"),
        ({"points": True}, "points is no number"),
        ({"points": float("inf")}, "points is no number"),
        ({"points": 1}, "not the sum"),
        ({"tasks": {}}, "tasks are no list"),
        ({"tasks": [3]}, "a task is no dictionary"),
    ],
)
def test_bad_results(change, reason):
    with pytest.raises(BadResult, match=reason):
        checked(a_result() | change)
    assert checked(a_result() | {"more": "of it"}) == checked(a_result())


def test_an_interrupted_write_leaves_the_old_result(tmp_path, monkeypatch):
    results.write(tmp_path, a_result())

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        results.write(tmp_path, a_result() | {"reason": "another"})
    (found,) = results.read_all(tmp_path)
    assert found["reason"] == "why"
    assert len(list(tmp_path.rglob("*.*"))) == 1


def test_unfinished_files_of_the_dead_are_deleted(tmp_path):
    results.write(tmp_path, a_result())
    for name, age in ((".x.json.1.part", 4000), (".y.json.2.part", 10)):
        path = tmp_path / "results/ada" / name
        path.write_text("{")
        os.utime(path, (time.time() - age,) * 2)
    results.clean(tmp_path)
    assert sorted(p.name for p in (tmp_path / "results/ada").iterdir()) == [
        ".y.json.2.part",
        "08_unet.json",
    ]
    assert len(results.read_all(tmp_path)) == 1


# The command's options


def parse(*arguments):
    parser = argparse.ArgumentParser(prog="grade", exit_on_error=False)
    command.add_arguments(parser)
    return parser.parse_args(arguments)


def test_options():
    options = parse("work", "--shard", "2/4", "--workers", "3", "--key", "k", "--out", "o")
    assert (options.submissions, options.shard, options.workers) == ("work", (2, 4), 3)
    assert parse("work").shard == (1, 1)
    assert parse("--merge", "a", "b", "--out", "o").merge == ["a", "b"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--shard", "0/4"],
        ["--shard", "5/4"],
        ["--shard", "2"],
        ["--shard", "1/0"],
        ["--workers", "0"],
        ["--workers", "many"],
        ["--sandbox", "cardboard"],
    ],
)
def test_bad_options(arguments):
    with pytest.raises(argparse.ArgumentError):
        parse("work", *arguments)


def test_nothing_to_grade():
    with pytest.raises(ValueError, match="Name what to grade"):
        command.run(parse())
    with pytest.raises(ValueError, match="--merge grades nothing"):
        command.run(parse("work", "--merge", "a"))


def test_the_command_says_what_to_name_instead(authors, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for student in ("ada", "bob"):
        path = hand_in(tmp_path, "x").rename(tmp_path / f"{student}.ipynb")
        path.rename(tmp_path / "x" / path.name)
    (tmp_path / "x/08_unet").rmdir()
    (tmp_path / "x").rename(tmp_path / "08_unet")
    Path("my class").mkdir()
    Path("08_unet").rename("my class/08_unet")
    given = ("--author", str(authors), "--shard", "1/2", "--sandbox", "none")
    with pytest.raises(ValueError, match="not of students") as raised:
        command.run(parse("my class", *given))
    words = shlex.split(str(raised.value).split("\n")[-1])
    assert words[1:5] == ["-m", "course", "grade", "my class/08_unet"]
    assert vars(parse(*words[4:])) == vars(parse("my class/08_unet", *given))
    assert not Path("graded").exists()

    subprocess.run([sys.executable, "-m", "zipfile", "-c", "hw.zip", "my class"], check=True)
    with pytest.raises(ValueError, match="one student, but there seem to be several") as raised:
        command.run(parse("hw.zip", *given))
    unpack, again = str(raised.value).split("\n")[1:]
    subprocess.run(shlex.split(unpack), check=True)
    assert Path(shlex.split(again)[4], "ada.ipynb").is_file()


def test_the_command_names_what_it_passed_over(authors, tmp_path, monkeypatch, capsys):
    hand_in(tmp_path, "s").rename(tmp_path / "s/ada.ipynb")
    (tmp_path / "s/08_unet").rmdir()
    (tmp_path / "s/ben.pdf").write_text("")

    def nothing(found, *arguments, **options):
        assert [it.student for it in found] == ["ada"]
        return []

    monkeypatch.setattr(batch, "grade_all", nothing)
    given = ("--author", str(authors), "--out", str(tmp_path / "out"), "--sandbox", "none")
    command.run(parse(str(tmp_path / "s"), *given))
    assert "count in a folder of files: ben.pdf.\n" in capsys.readouterr().out


def test_the_command_merges(handed_in, authors, tmp_path, capsys):
    outs = [str(out) for out in shards(handed_in, authors, tmp_path)]
    assert command.run(parse("--merge", *outs, "--out", str(tmp_path / "merged"))) == 0
    said = capsys.readouterr().out
    assert "3 submissions, 3 graded, 0 not graded." in said
    assert str(tmp_path / "merged/index.html") in said
