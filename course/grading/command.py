"""``python -m course grade``: from what students handed in to a gradebook and feedback."""

import argparse
import contextlib
import functools
import re
import shlex
import sys
import tempfile
from pathlib import Path

from course import hints

PUBLIC = (
    "the course's own, whose solutions and hidden tests everybody can read (for an exam, name yours "
    "with --author)"
)
NAMED = 20  # files that a message names
EPILOG = """\
SUBMISSIONS is nbgrader's submitted/<student>/<assignment>/ tree, a folder of notebooks (ada.ipynb,
ada_08_unet.ipynb), the zip that Moodle or Canvas gave, a folder of GitHub Classroom clones, or one
notebook. Run the same command again after an interruption, or when more was handed in: only what is
missing, has changed or was stopped, by the clock say, is graded.
"""


def add_arguments(parser):
    """Give an argparse parser the options of the command."""
    parser.epilog = EPILOG
    parser.add_argument(
        "submissions", nargs="?", metavar="SUBMISSIONS", help="what students handed in"
    )
    parser.add_argument(
        "--author",
        metavar="DIR",
        help="folder of author notebooks (default: notebooks/solutions of the course)",
    )
    parser.add_argument(
        "--out", default="graded", metavar="DIR", help="where all goes (default: %(default)s)"
    )
    parser.add_argument("--workers", type=_count, metavar="N", help="at once (default: the cores)")
    parser.add_argument(
        "--key",
        metavar="FILE",
        help="secret from which random inputs are drawn (default: DIR/grading.key, made once)",
    )
    parser.add_argument(
        "--sandbox",
        choices=("auto", "bubblewrap", "landlock", "none"),
        default="auto",
        help="what students' code is shut into (default: the best there is; never none)",
    )
    parser.add_argument(
        "--shard", type=_shard, default=(1, 1), metavar="I/N", help="grade the I-th of N parts"
    )
    parser.add_argument(
        "--merge",
        nargs="+",
        metavar="DIR",
        help="grade nothing; bring together what shards wrote to these folders, and report",
    )
    parser.set_defaults(run=run)


def run(options):
    """Grade, or merge what was graded. Returns 0 even if submissions were not graded.

    Raises ValueError or FileNotFoundError, which say what to do, if nothing can be graded.
    """
    if not sys.platform.startswith("linux"):
        from .box import NOT_LINUX

        raise ValueError(NOT_LINUX)
    from .submissions import WrongFolder

    try:
        results = _results(options)
    except WrongFolder as error:
        raise ValueError("\n  ".join([str(error), *_instead(error, options)])) from error
    except FileNotFoundError:
        raise
    except OSError as error:
        why = _no_socket(error) or (
            f"{error.filename or options.out}: {error.strerror or error}. What was graded so far is "
            "kept; mend that and run the same command again."
        )
        raise ValueError(why) from error
    lost = sum(result["status"] != "graded" for result in results)
    print(
        f"{len(results)} submissions, {len(results) - lost} graded, {lost} not graded.\n"
        f"Gradebook: {Path(options.out, 'grades.csv')}\n"
        f"Overview:  {Path(options.out, 'index.html')}"
    )
    print("".join(f"{fault}\n" for fault in faults(results)), end="")
    return 0


def faults(results):
    """What the instructor should look at, one line each: faulty checks, notebooks of other versions."""
    from .results import OTHER_CELLS

    found = {}
    for result in results:
        for task in result["tasks"]:
            if task["status"] == "not checked":
                key = f"{result['assignment']}, cell {task['task']}: {task['message']}"
                found[key] = found.get(key, 0) + 1
    lines = [f"Mend this check ({count} without points): {key}" for key, count in found.items()]
    elsewhere = [r["assignment"] for r in results if OTHER_CELLS in r["notes"]]
    for name in sorted(set(elsewhere)):
        lines.append(
            f"{name}: {elsewhere.count(name)} handed out with other cells than today's author "
            "notebook has. Is --author the right folder?"
        )
    return lines


def _instead(error, options):
    """The commands to paste after a WrongFolder."""
    lines = []
    if error.unpack:
        python = hints.command().removesuffix(" -m course")
        lines.append(" ".join([python, "-m zipfile -e", *map(_quoted, error.unpack)]))
    return lines + [_again(options, folder) for folder in error.instead]


def _again(options, submissions):
    """The command as it was given, but with other SUBMISSIONS."""
    if submissions.is_relative_to(Path.cwd()):
        submissions = submissions.relative_to(Path.cwd())
    given = {name: getattr(options, name) for name in ("author", "out", "workers", "key")}
    if options.sandbox != "auto":
        given["sandbox"] = options.sandbox
    if options.shard != (1, 1):
        given["shard"] = "{}/{}".format(*options.shard)
    words = [f"--{name} {_quoted(value)}" for name, value in given.items() if value is not None]
    return hints.command("grade", _quoted(submissions), *words)


def _quoted(text):
    from .submissions import printable

    return printable(shlex.quote(str(text)))


def _results(options):
    from . import batch

    if options.merge:
        if options.submissions:
            raise ValueError("--merge grades nothing: leave SUBMISSIONS out, or leave --merge out.")
        return batch.merge(options.merge, options.out)
    if options.submissions:
        return _grade(options)
    raise ValueError(f"Name what to grade: {hints.command('grade', 'SUBMISSIONS')}.")


def _grade(options):
    from . import author, batch, box, session, submissions

    assignments = author.find(options.author or author.FOLDER)
    passed_over = []
    found = submissions.find(options.submissions, assignments, passed_over)
    if passed_over:
        print(_passed_over(passed_over))
    print(
        f"Grading with the author notebooks in {options.author or f'{author.FOLDER}, {PUBLIC}'}.",
        flush=True,
    )
    key = batch.key_of(options.key, options.out)
    try:
        kind = box.choose(options.sandbox)
        return batch.grade_all(
            found,
            assignments,
            options.out,
            key,
            grade=_grader(kind, assignments, key),
            workers=options.workers,
            shard=options.shard,
            limit=_longest(assignments) * session.Settings._field_defaults["notebook_seconds"],
            sandbox=kind,
        )
    except box.NoBox as error:
        raise ValueError(_no_socket(error) or str(error)) from error


def _passed_over(names):
    from .submissions import printable

    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    shown = ", ".join(printable(name) for name in sorted(names)[:NAMED])
    return f"Passed over, since only notebooks count in a folder of files: {shown}{more}."


def _longest(assignments):
    """How many times notebook_seconds a submission may take.

    Once, once more before each cell, since cells may run again for it, and once as slack.
    """
    return 2 + max(len(found.cells) for found in assignments.values())


@contextlib.contextmanager
def _grader(kind, assignments, key):
    """Run the kernel server; gives the function that grades one submission with it."""
    from . import author, kernels, session

    with kernels.Server(kind, warm=author.modules(assignments.values())) as server:
        settings = session.Settings(kernels.Place(server), key)
        yield functools.partial(session.grade, assignments=assignments, settings=settings)


def _no_socket(error):
    """What to do where the path of a socket is longer than Linux allows, "" for other errors."""
    if not re.search("AF_UNIX path too long|File name too long .*ipc:", str(error)):
        return ""
    return (
        f"The folder for temporary files, {tempfile.gettempdir()}, has too long a path for the "
        "grader's sockets. Set TMPDIR to a shorter one, such as TMPDIR=/tmp, and run the same command "
        "again."
    )


def _count(text):
    if not re.fullmatch(r"[1-9]\d{0,3}", text):
        raise argparse.ArgumentTypeError(f"expected a number from 1 up, not {text!r}")
    return int(text)


def _shard(text):
    match = re.fullmatch(r"(\d{1,4})/(\d{1,4})", text)
    if not match or not 1 <= int(match[1]) <= int(match[2]):
        raise argparse.ArgumentTypeError(f"expected I/N such as 2/4, I from 1 to N, not {text!r}")
    return int(match[1]), int(match[2])
