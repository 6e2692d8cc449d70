"""Grade all submissions, side by side, none of them lost.

A run may be killed at any moment. The same command then resumes it: it grades only what is
missing, has changed or was stopped. Results and reports lie in one folder, *OUT*. Several machines
can each grade a part (a *shard*), into one folder or into folders that are merged afterwards.
"""

import contextlib
import fcntl
import hashlib
import hmac
import json
import os
import secrets
import shutil
import socket
import sys
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from course import environment
from course.version import __version__

from . import gradebook, results
from .submissions import NotANotebook, Submission, assignment_of, printable, read, read_cells
from .workers import Pool

LIMIT = 3600  # seconds for one submission; the limits inside should end it long before
KEY_BYTES = 32


class Job(NamedTuple):
    """One result to produce: what to grade for whom, or the problem that prevents it.

    `fingerprint` is a digest of everything that the result depends on.
    """

    student: str
    assignment: str
    submission: Submission
    problem: str
    notes: list
    fingerprint: str


def grade_all(
    submissions, author, out, key, *, grade, workers=None, shard=(1, 1), limit=LIMIT, sandbox=""
):
    """Grade what has not been graded yet, then write the reports of all results in `out`.

    Parameters
    ----------
    submissions : list of Submission
        All of them, whatever the shard; see :func:`course.grading.submissions.find`.
    author : dict of str to Assignment
        See :func:`course.grading.author.find`.
    out : path
        The folder of results and reports; made if need be, for its owner alone.
    key : bytes
        The secret from which each student's random inputs come; see :func:`key_of`.
    grade : context manager
        Gives a function; ``function(submission)`` returns a result and runs in a process of its
        own (see :class:`course.grading.workers.Pool`). Entered only if there is something to grade.
    workers : int, optional
        How many processes at once; by default one for each core.
    shard : (int, int)
        ``(i, n)`` grades the i-th of n parts.
    limit : float
        Seconds after which a submission is given up.
    sandbox : str
        The sandbox in use. If there is one, what was graded without one is graded again.

    Returns
    -------
    list of dict
        All results in `out`, those of other runs and shards among them.

    Raises
    ------
    ValueError
        If another process is at work on this shard in this folder.
    """
    out = open_folder(out)
    with _locked(out / f".lock-{shard[0]}-of-{shard[1]}"):
        results.clean(out)
        jobs = plan(submissions, author, key)
        _drop_outdated(jobs, out)
        _say_who_shares_a_row(submissions, out)
        mine = [job for job in jobs if part_of(job.student, job.assignment, shard[1]) == shard[0]]
        todo = [job for job in mine if not _is_done(job, out, sandbox)]
        if len(todo) < len(mine):
            print(f"{len(mine) - len(todo)} of {len(mine)} were graded before and did not change.")
        _run_all(todo, author, out, grade, workers or cores(), limit)
    return report(out)


def cores():
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def part_of(student, assignment, parts):
    """Which of `parts` shards a submission belongs to, from 1; the same on every machine."""
    text = json.dumps([student, assignment]).encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:8]) % parts + 1


# What there is to do


class _Candidate(NamedTuple):
    """A submission that has been looked at: which assignment it answers, what is wrong with it.

    `has_tasks` is whether it holds a cell of one of that assignment's tasks.
    """

    submission: Submission
    assignment: str
    digest: str
    problem: str
    has_tasks: bool = False

    @property
    def counts(self):
        """Whether it may be an answer. A lesson in a clone, say, is none: nobody handed it in."""
        answers = self.has_tasks or (self.problem and self.assignment)
        return bool(answers or not self.submission.spare)

    def rank(self):
        """The one that counts sorts first."""
        it = self.submission
        # Lessons have the names of their exercises, so tasks count for more than a name.
        worse = bool(self.problem), not self.has_tasks, it.spare
        return *worse, -it.again, it.notebook != self.assignment, it.notebook, it.place


def plan(submissions, author, key):
    """A Job for each student and assignment, and for every file that belongs to no assignment.

    Where a student handed in an assignment more than once, one file counts. Files that hold tasks of
    it come first; among those, the one that the LMS numbers highest, else the one that is named like
    the assignment. The job's notes name the others.
    """
    ids = {name: [cell.name for cell in it.solutions] for name, it in author.items()}
    groups, jobs = {}, {}
    for submission in submissions:
        candidate = _look(submission, ids)
        if candidate.counts:
            groups.setdefault((submission.student, candidate.assignment), []).append(candidate)
    for (student, assignment), group in sorted(groups.items()):
        group.sort(key=_Candidate.rank)
        if assignment:
            _add(jobs, assignment, group[0], author, key, _notes(assignment, group))
            for candidate in group:
                hint = candidate.submission.assignment
                if (student, hint) not in groups and hint:
                    wrong = f"{_file(candidate)}, handed in for {hint}, holds the tasks of {assignment}."
                    _add(jobs, hint, candidate._replace(problem=wrong), author, key)
        else:
            for candidate in group:
                _add(jobs, candidate.submission.notebook, candidate, author, key)
    return list(jobs.values())


def _look(submission, ids):
    digest, hint = "", submission.assignment
    try:
        data = read(submission)
        digest = hashlib.sha256(data).hexdigest()
        cells = read_cells(data)
    except NotANotebook as error:
        return _Candidate(submission, hint, digest, str(error))
    assignment = assignment_of(cells, ids, hint)
    has_tasks = any(cell.grade_id in ids.get(assignment, ()) for cell in cells)
    unknown = (
        f"{submission.notebook}.ipynb holds none of the tasks of {', '.join(sorted(ids))}. "
        "Was the notebook that was handed out handed in?"
    )
    return _Candidate(submission, assignment, digest, "" if assignment else unknown, has_tasks)


def _file(candidate):
    it = candidate.submission
    return it.inside or (f"{it.notebook}.ipynb" if it.notebook else "An empty folder")


def _notes(assignment, group):
    first, *rest = group
    hint = first.submission.assignment
    notes = [f"{_file(other)} was handed in too. {_why_not(other, first)}" for other in rest]
    if not (first.problem or first.has_tasks):
        lesson = (
            f"{_file(first)} holds none of the tasks. Is it the lesson of the same name? The exercise "
            "counts, in the notebook that was handed out."
        )
        notes.insert(0, lesson)
    if first.submission.namesake:
        notes.append(
            f"Several students are called {first.submission.namesake}, so the number that your course "
            "platform gave stands behind the name."
        )
    if hint not in ("", assignment):
        notes.append(f"{_file(first)}, handed in for {hint}, holds the tasks of {assignment}.")
    return notes


def _why_not(other, first):
    """Why the file that is `first` counts, and not this one."""
    if other.problem:
        return other.problem
    if first.has_tasks and not other.has_tasks:
        return f"It holds none of the tasks, so {_file(first)} counts."
    return f"{_file(first)} counts."


def _add(jobs, name, candidate, author, key, notes=()):
    """Add a job to the dictionary `jobs`; where its name is taken, a number is added to it."""
    student, label, number = candidate.submission.student, name, 1
    while (student, label) in jobs:
        number += 1
        label = f"{name} ({number})"
    known = author[label].digest if label in author else ""
    submission = candidate.submission._replace(assignment=label if known else "")
    about = [results.SCHEMA, __version__, student, label, candidate.digest, candidate.problem]
    text = json.dumps([*about, list(notes), known]).encode()
    fingerprint = hmac.new(key, text, "sha256").hexdigest()
    jobs[student, label] = Job(
        student, label, submission, candidate.problem, list(notes), fingerprint
    )


def _is_done(job, out, sandbox):
    result = results.read(results.path_of(out, job.student, job.assignment))
    if result is None or result["fingerprint"] != job.fingerprint:
        return False
    if _was_stopped(result):
        return False
    unboxed = result["status"] == "graded" and result["sandbox"] == "none"
    return not (unboxed and sandbox not in ("", "none"))


def _was_stopped(result):
    """Whether a task did not come to its end: a busy machine may be at fault, not the answer."""
    return any(task["status"] == "stopped" for task in result["tasks"])


def _worth(result):
    """A sort key: of two results for the same input the greater counts, as busy machines stop tasks."""
    return result["points"], not _was_stopped(result)


def _not_worse(result, job, out):
    """The result, or the one already there for the same input, where that is better."""
    there = results.read(results.path_of(out, job.student, job.assignment))
    if there is None or there["fingerprint"] != job.fingerprint or there["sandbox"] == "none":
        return result
    return there if _worth(there) > _worth(result) else result


def _drop_outdated(jobs, out):
    """Delete rows and pages of files that belonged to no assignment and are no longer there."""
    wanted = {results.path_of(out, job.student, job.assignment) for job in jobs}
    for folder in {path.parent for path in wanted}:
        for path in set(folder.glob("*.json")) - wanted:
            result = results.read(path)
            if result and result["status"] == "not graded" and not result["tasks"]:
                path.unlink(missing_ok=True)
                Path(out, results.page_of(result)).unlink(missing_ok=True)


def _say_who_shares_a_row(submissions, out):
    """Warn where an earlier run had only one of several students who now share a name."""
    numbered = {}
    for it in submissions:
        if it.namesake:
            numbered.setdefault(it.namesake, set()).add(printable(it.student))
    for name, students in sorted(numbered.items()):
        folder = results.path_of(out, name, "").parent
        if any(folder.glob("*.json")):
            print(
                f"Several students are called {printable(name)}; from now on they are "
                f"{', '.join(sorted(students))}. The rows of {printable(name)} are of an earlier run, "
                f"which had only one of them. Delete {folder} and "
                f"{Path(out, 'feedback', folder.name)} when nothing of theirs is needed."
            )


# Doing it


def _run_all(jobs, author, out, grade, workers, limit):
    """Grade the jobs; write each result as it comes, and say so."""
    width = max((len(printable(job.student)) for job in jobs), default=0)
    quiet = environment.quiet() or not sys.stderr.isatty()
    with tqdm(total=len(jobs), file=sys.stderr, disable=quiet, dynamic_ncols=True) as bar:

        def done(job, result):
            result = _not_worse(result, job, out)
            with tqdm.external_write_mode(file=sys.stdout):
                print(_line(results.write(out, result), width), flush=True)
            bar.update()

        for job in jobs:
            if job.problem:
                result = _not_graded(job, author, job.problem)
                done(job, result | {"fingerprint": job.fingerprint})
        waiting = [job for job in jobs if not job.problem]
        if not waiting:
            return
        with grade as function, contextlib.closing(Pool(function, workers, limit)) as pool:
            for job, end in pool.map(waiting, lambda job: job.submission):
                _keep_log(job, end.log, out)
                done(job, _judged(job, end, author))


def _judged(job, end, author):
    """The result of a job whose process has ended.

    A failure of the grader gives a result without a fingerprint, so the next run tries again.
    """
    if end.failure:
        return _failed(job, end.failure, author)
    try:
        defaults = {"fingerprint": "", "seconds": 0}
        result = results.checked(defaults | end.value if isinstance(end.value, dict) else None)
        names = [task["task"] for task in result["tasks"]]
        if (result["student"], result["assignment"]) != (job.student, job.assignment):
            raise results.BadResult("it is somebody else's")
        if result["status"] == "not graded":
            rows = _not_graded(job, author, result["reason"])
            result |= {key: rows[key] for key in ("points", "max_points", "tasks")}
        elif names != [cell.name for cell in author[job.assignment].checks]:
            raise results.BadResult("its tasks are not those of the assignment")
    except results.BadResult as error:
        return _failed(job, f"it gave something that is no result ({error})", author)
    notes = [*job.notes, *result["notes"]]
    return result | {"notes": notes, "fingerprint": job.fingerprint}


def _failed(job, failure, author):
    text = (
        f"The grader could not grade it: {failure}. Running it again tries once more; where there is "
        "a log of it, it is in the folder errors beside the gradebook."
    )
    return _not_graded(job, author, text)


def _not_graded(job, author, reason):
    checks = author[job.assignment].checks if job.assignment in author else ()
    result = results.not_graded(job.student, job.assignment, reason, checks)
    return result | {"notes": job.notes}


def _keep_log(job, log, out):
    """Keep the traceback of a failure of ours where the instructor finds it."""
    path = results.path_of(out, job.student, job.assignment)
    path = out / "errors" / path.parent.name / f"{path.stem}.txt"
    path.unlink(missing_ok=True)
    if log:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(log, encoding="utf-8", errors="replace")


def _line(result, width):
    points = f"{result['points']:g}/{result['max_points']:g}"
    end = points if result["status"] == "graded" else f"not graded: {result['reason']}"
    student = f"{printable(result['student']):{width}}"
    return f"{student}  {printable(result['assignment'] or '?')}  {printable(end)}"


# Reports


def report(out):
    """Write the gradebook and the feedback pages of all results in `out`; returns them."""
    from . import feedback  # Jinja2 and Pygments, which nothing before needs

    out = open_folder(out)
    with _locked(out / ".lock-reports", wait=True):  # the last of several shards sees all results
        for path in results.files(out):
            if results.read(path) is None:
                print(f"{path} is damaged and left out. Grade again to mend that.", file=sys.stderr)
        found = results.read_all(out)
        gradebook.write(found, out)
        feedback.write(found, out)
    return found


def merge(folders, out):
    """Bring the results of several folders together in `out`, then write its reports.

    Of two results for one submission with the same fingerprint, the better counts. Of two with
    different fingerprints, the newer counts, but one that a failure of the grader ended gives way to
    the other; a line says which counts.

    Returns
    -------
    list of dict
        All results in `out`.

    Raises
    ------
    FileNotFoundError
        If one of `folders` holds no results.
    """
    out = open_folder(out)
    for folder in folders:
        # A shard without a submission has reports, but its empty folder gets lost in an archive.
        if not Path(folder, "results").is_dir() and not Path(folder, "grades.csv").is_file():
            raise FileNotFoundError(
                f"There is no results folder in {folder}. Name the folders that were --out of the "
                "shards."
            )
    with _locked(out / ".lock-merge"):
        for folder in map(Path, folders):
            if folder.resolve() != out.resolve():
                _merge_one(folder, out)
    return report(out)


def _merge_one(folder, out):
    new = 0
    for path in results.files(folder):
        result = results.read(path)
        if result is None:
            print(f"{path} is damaged and left out. Grade that shard again.", file=sys.stderr)
            continue
        there = results.read(results.path_of(out, result["student"], result["assignment"]))
        same = there and there["fingerprint"] == result["fingerprint"]
        if same and _worth(result) <= _worth(there):
            continue
        if there and not same:
            newer = _counts_over(result, there)
            name = f"{printable(result['student'])} {printable(result['assignment'])}".strip()
            print(f"{name}: two results that differ; the one in {folder if newer else out} counts.")
            if not newer:
                continue
        results.write(out, result)
        new += 1
    print(f"{new} results taken from {folder}.")


def _counts_over(result, other):
    return (bool(result["fingerprint"]), result["when"]) > (
        bool(other["fingerprint"]),
        other["when"],
    )


# The folder


def open_folder(out):
    """Make the folder `out` if need be: what is in there is for its owner alone."""
    out = Path(out)
    try:
        out.mkdir(parents=True, mode=0o700, exist_ok=True)
        (out / "results").mkdir(exist_ok=True)
    except OSError as error:
        raise ValueError(
            f"{out} cannot be made or written to: {error.strerror}. Name another folder with --out."
        ) from error
    return out


def key_of(path, out):
    """The key from which random inputs are drawn: the bytes of the file `path`, or of OUT/grading.key.

    The latter is used without a `path`. It is made once: 32 random bytes that only their owner can
    read.

    Raises
    ------
    ValueError, FileNotFoundError
        If there is no file `path`, or it is too short to be a key.
    """
    own = open_folder(out) / "grading.key"
    if path is None and not own.exists():
        _make_key(own)
    path = Path(path or own)
    try:
        key = path.read_bytes()
    except OSError as error:
        raise FileNotFoundError(
            f"The key {path} cannot be read: {error.strerror}. Make one with: "
            f"python -c \"import secrets; open('{path}', 'xb').write(secrets.token_bytes(32))\""
        ) from error
    if len(key) < KEY_BYTES:
        raise ValueError(f"The key {path} has {len(key)} bytes; it needs {KEY_BYTES} random ones.")
    return key


def _make_key(path):
    """Write the file once, though several shards may try."""
    beside = path.with_name(f".{path.name}.{socket.gethostname()}.{os.getpid()}.part")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "wb") as file:
        file.write(secrets.token_bytes(KEY_BYTES))
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(beside, path)
    except FileExistsError:
        pass  # another one was first
    except OSError:  # a file system without links
        with contextlib.suppress(OSError):
            shutil.copy2(beside, path)
    finally:
        beside.unlink()


@contextlib.contextmanager
def _locked(path, wait=False):
    """Hold a lock on the file `path`, which is released when the process ends, however it ends."""
    with open(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            holder = file.read(200).strip() or "another process"
            raise ValueError(
                f"{path.parent} is in use by {printable(holder)}, which grades into it. Wait for "
                "it, end it, or name another folder with --out."
            ) from None
        except OSError as error:
            print(f"{path.parent} cannot be locked ({error.strerror}).", file=sys.stderr)
        file.truncate(0)
        file.seek(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
        file.flush()
        yield
