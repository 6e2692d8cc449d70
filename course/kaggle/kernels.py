"""Push lessons to Kaggle, ask how they are, fetch what they printed and compare it.

Kaggle calls a notebook with its machine a kernel. Each lesson is one of the user's, private.
"""

import contextlib
import json
import re
import shlex
import tempfile
from pathlib import Path
from typing import NamedTuple

from course import hints, notebooks
from course.data.dataset import KAGGLE_SLUG
from course.notebooks import replay

from . import account, files, folders, wheel

FOLDER = "build/kaggle"
STATES = {
    "QUEUED": "waiting",
    "NEW_SCRIPT": "waiting",
    "RUNNING": "running",
    "COMPLETE": "complete",
    "ERROR": "failed",
    "CANCEL_REQUESTED": "cancelled",
    "CANCEL_ACKNOWLEDGED": "cancelled",
}
OLDEST = 2  # releases of the kaggle package before cannot choose the machine
RENAME = "Rename or delete your other notebook of this title at https://www.kaggle.com/work/code."
# What Kaggle says of a push that it refuses, and what to do then.
REFUSALS = (
    (
        r"session count",
        f"Wait until one of your notebooks there has ended, which `{hints.command('kaggle', 'status')}` "
        "tells, or stop one on https://www.kaggle.com under View Active Events.",
    ),
    (
        r"quota",
        "https://www.kaggle.com/settings says when your hours on this kind of machine come back. "
        "Until then, push with --machine cpu.",
    ),
    (r"already in use", RENAME),
)
PHONE = (
    "A new account verifies a phone number at https://www.kaggle.com/settings before it gets a GPU or "
    "the internet, and a token may lack the right to write."
)


class State(NamedTuple):
    """How a lesson's last run is: one of the values of STATES, and why it failed, as Kaggle says."""

    word: str
    message: str


def push(numbers=(), run=folders.Run(), out=FOLDER):
    """Write lessons to ``<out>/<lesson>`` and push them; Kaggle then runs them.

    Parameters
    ----------
    numbers : sequence of str
        Lesson numbers; all lessons if there are none.
    run : folders.Run
        How Kaggle shall run them. Without the internet the wheel of the
        course goes first, as a private dataset.
    out : path

    Raises
    ------
    KaggleError
        Without valid credentials; if a folder in `out` holds what no earlier
        call has written, or cannot be written to; if Kaggle refuses the wheel
        or a lesson. The message then names what was pushed, and the command
        that goes on.
    ValueError
        If there is no such lesson or machine.
    """
    lessons = notebooks.find(numbers)
    folders.accelerator(run.machine)  # refused before anything is sent
    api, user = _sign_in()
    written = [folders.write(path, out, user, run) for path in lessons]
    if not run.internet:
        wheel.upload(api, wheel.write(out, user), user)
    for done, path in enumerate(lessons):
        try:
            page = _push(api, written[done], _page(user, path))
        except account.KaggleError as error:
            raise account.KaggleError(_how_to_go_on(error, lessons, done, run, out)) from None
        print(f"{path.stem} is pushed: {page}", flush=True)
    print(f"Kaggle runs them now. `{hints.command('kaggle', 'status')}` says how they are.")


def status(numbers=()):
    """Print a line for each lesson: name, state, address, and what Kaggle says of a failure.

    Returns how many runs failed. Raises KaggleError where Kaggle cannot be asked.
    """
    lessons = notebooks.find(numbers)
    api, user = _sign_in()
    width, failed = max(len(path.stem) for path in lessons), 0
    for path in lessons:
        state = _state(api, user, path)
        if state is None:
            print(f"{path.stem:{width}}  not pushed", flush=True)
            continue
        failed += state.word == "failed"
        message = f"  {state.message}" if state.message else ""
        print(f"{path.stem:{width}}  {state.word:9}  {_page(user, path)}{message}", flush=True)
    return failed


def fetch(numbers=(), out=FOLDER):
    """Fetch executed lessons to ``<out>/fetched/<lesson>`` and compare them with the stored ones.

    A run in stored mode must print what is stored; any other must end without
    an error. Without numbers, lessons that were never pushed are passed over.

    Returns
    -------
    int
        How many lessons failed, differ or could not be fetched.

    Raises
    ------
    KaggleError
        Without valid credentials, or where no lesson was ever pushed.
    """
    lessons = notebooks.find(numbers)
    api, user = _sign_in()
    outcomes = []
    for path in lessons:
        try:
            state = _state(api, user, path)
            if not (numbers or state):
                continue
            folder = Path(out) / "fetched" / path.stem
            good, verdict, reports = _fetch(api, user, path, state, folder)
        except account.KaggleError as error:
            good, verdict, reports = False, f"not fetched: {error}", []
        dots = "." * max(3, 32 - len(path.stem))
        print(f"{path.stem} {dots} {verdict}", *filter(None, reports), sep="\n", flush=True)
        outcomes.append(good)
    if not outcomes:
        raise account.KaggleError(
            f"{user} has no lesson on Kaggle yet. Push one first: {hints.command('kaggle', 'push', '06')}"
        )
    return outcomes.count(False)


def _sign_in():
    """The kaggle package's interface, and the name of the user."""
    api = account.ask(account.sign_in)
    if account.release() < OLDEST:
        raise account.KaggleError(
            f"This needs release {OLDEST} or newer of the kaggle package, which can choose the "
            "machine. Run: pip install --upgrade kaggle"
        )
    return api, account.ask(api.get_config_value, "username")


def _page(user, path):
    return f"https://www.kaggle.com/code/{user}/{folders.slug(path)}"


# Push


def _push(api, folder, page):
    """Push a folder; returns the notebook's address. Raises KaggleError if Kaggle refuses."""
    try:
        answer = account.ask(api.kernels_push, str(folder))
    except account.KaggleError as error:
        raise account.KaggleError(_explain(error.words, error.status) or str(error)) from None
    if words := account.tidy(answer.error):
        raise account.KaggleError(_explain(words) or f"Kaggle says: {words}")
    if answer.invalid_dataset_sources:  # the notebook is there, and runs without them
        raise account.KaggleError(_explain_datasets(answer.invalid_dataset_sources))
    return answer.url or page


def _explain(words, status=None):
    """What a refusal of a push means and what to do; "" if it is none that is known."""
    for pattern, remedy in REFUSALS:
        if re.search(pattern, words, re.I):
            return f"Kaggle says: {words.rstrip('.')}. {remedy}"
    if status == 409:
        return f"Kaggle has something of this name already (409). {RENAME}"
    if status == 403:
        said = f"403: {words}" if words else "403"
        return f"Kaggle does not let you do this ({said}). {PHONE}"
    return ""


def _explain_datasets(names):
    parts = [f"Kaggle runs it, but without {', '.join(names)}."]
    for name in names:
        page = f"https://www.kaggle.com/datasets/{name.removeprefix('datasets/')}"
        if name.endswith(KAGGLE_SLUG):
            parts.append(
                f"Open {page} in a browser, signed in with the account that your token belongs to, and "
                "accept the licence or rules shown there; or push with --stored, which does without "
                "the photographs."
            )
        else:
            parts.append(f"Wait until {page} shows the wheel.")
    return " ".join(parts)


def _how_to_go_on(error, lessons, done, run, out):
    """The message of a push that stopped before lesson number `done`."""
    names = [path.stem for path in lessons]
    command = [hints.command("kaggle", "push"), *(name[:2] for name in names[done:])]
    command += ["--stored"] * run.stored + ["--internet"] * run.internet
    command += [f"--machine {run.machine}"] * (run.machine != folders.GPU)
    command += [f"--out {shlex.quote(str(out))}"] * (str(out) != FOLDER)
    return (
        f"Stopped at {names[done]}. {error}\n"
        f"Pushed: {', '.join(names[:done]) or 'none'}. Still to push: {', '.join(names[done:])}. "
        f"To go on:\n    {' '.join(command)}"
    )


# Status


def _state(api, user, path):
    """The State of a lesson's last run; None if Kaggle knows no such notebook of the user's."""
    try:
        answer = account.ask(api.kernels_status, f"{user}/{folders.slug(path)}")
    except account.KaggleError as error:
        if error.status in (403, 404):  # 403 for what may be private
            return None
        raise
    word = STATES.get(answer.status.name, answer.status.name.lower())
    return State(word, account.tidy(answer.failure_message))


# Fetch


def _fetch(api, user, path, state, folder):
    """Fetch one lesson: whether it is as it should be, a verdict in words, reports of what is wrong."""
    if state is None:
        return False, f"not pushed: {hints.command('kaggle', 'push', path.stem[:2])}", []
    if state.word in ("waiting", "running"):
        return False, f"still {state.word}; fetch it later: {_page(user, path)}", []
    _download(api, f"{user}/{folders.slug(path)}", path.name, folder)
    verdict, reports = _compare(path, folder)
    if state.word != "complete":
        verdict = f"{state.word} ({state.message or _page(user, path)}); {verdict}"
    return state.word == "complete" and not reports, verdict, reports


@files.errors_explained()
def _download(api, name, file, folder):
    """Put the record `file` of a kernel's last run, and the run's log, into `folder`.

    They replace those of an earlier run, once they are here.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as arrived:
        pattern = rf"^{re.escape(file)}$"  # not the weights and pictures that a lesson writes
        account.ask(api.kernels_output, name, arrived, file_pattern=pattern, force=True)
        folder.mkdir(exist_ok=True)
        for old in file, f"{name.split('/')[1]}.log":
            (folder / old).unlink(missing_ok=True)  # a run may leave no record
        for new in Path(arrived).iterdir():
            new.replace(folder / new.name)


def _compare(path, folder):
    """(a verdict in words, reports of what is wrong) on the run of the lesson `path` in `folder`."""
    try:
        record = notebooks.read(folder / path.name)
    except FileNotFoundError:
        return "it left no record, and its log ends so:", [_last_words(folder) or "(no log)"]
    except ValueError:
        size = (folder / path.name).stat().st_size
        return f"its record has not come whole ({size} bytes)", ["Fetch it again."]
    about = record.metadata.get("course", {})
    mode = about.get("mode", "")
    where = ", ".join(f"{name} {about[name]}" for name in sorted(about) if name != "mode")
    failures = replay.compare(path, record, strict=mode == "stored")
    reports = [f"--- {path.stem}, cell {cell}\n{report.strip()}\n" for cell, report in failures]
    reached = [text for text in reports if replay.NOT_REACHED not in text]
    if len(reports) > len(reached):
        first = next(cell for cell, report in failures if replay.NOT_REACHED in report)
        missing = len(reports) - len(reached)
        reached.append(f"The run did not get to the last {missing} cells, from {first} on.")
    if failures:
        return f"NOT as it should be ({where}); it is in {folder}", reached
    verdict = "prints what is stored" if mode == "stored" else "ran without an error"
    return f"{verdict} ({where})", []


def _last_words(folder):
    """The end of a run's log, which Kaggle writes as JSON: a list of what was said and when."""
    with contextlib.suppress(StopIteration, OSError, ValueError, TypeError, KeyError):
        log = next(folder.glob("*.log")).read_text(encoding="utf-8", errors="replace")
        said = "".join(piece["data"] for piece in json.loads(log))
        return "\n".join(said.rstrip().splitlines()[-15:])
    return ""
