"""Run, refresh and format the course's notebooks."""

import os
import sys
import threading
import time
import warnings
from pathlib import Path

import nbformat

from course import hints

from . import cloud, pages
from .execution import PACKAGE_ROOT, execute, kernel_environment
from .formatting import canonical, heading
from .pages import duration

FOLDER = PACKAGE_ROOT / "notebooks"
NUMBERED = "[0-9][0-9]_*.ipynb"  # lessons, and author notebooks
# Stored outputs come from the synthetic data at the scale CI uses: the dataset's terms forbid
# passing on its pictures, and everybody can reproduce them.
REFRESH = {"COURSE_SCALE": "smoke", "COURSE_DATA": "synthetic", "COURSE_PROGRESS": "0"}


def find(numbers=(), folder=FOLDER):
    """Paths of the lessons in `folder`, all or those numbered `numbers`, in order.

    Raises
    ------
    FileNotFoundError
        If the folder has no lessons, as in an installation without the repository.
    ValueError
        If a number belongs to no lesson; the message lists the lessons there are.
    """
    folder = Path(folder).resolve()
    lessons = sorted(folder.glob(NUMBERED))
    if not lessons:
        raise FileNotFoundError(
            f"There are no lessons in {folder}. They come with the repository, not with the "
            "package: clone it and run `make lessons` there."
        )
    wanted = [str(number).zfill(2) for number in numbers] or [path.stem[:2] for path in lessons]
    for number in wanted:
        if not any(path.stem.startswith(f"{number}_") for path in lessons):
            names = ", ".join(path.stem for path in lessons)
            raise ValueError(f"There is no lesson {number}. The lessons are: {names}.")
    return [path for path in lessons if path.stem[:2] in wanted]


def read(path):
    """The notebook in the file `path`, as a NotebookNode of format 4.

    Raises ValueError, naming the file, where it does not parse.
    """
    try:
        with warnings.catch_warnings():  # of missing and repeated ids, which canonical() mends
            warnings.simplefilter("ignore")
            return nbformat.reads(Path(path).read_text(encoding="utf-8"), as_version=4)
    except (nbformat.reader.NotJSONError, nbformat.ValidationError, UnicodeDecodeError) as error:
        raise ValueError(
            f"{path} is not a notebook: {str(error).splitlines()[0][:200]} If a merge left "
            "conflict marks in it, resolve them first."
        ) from None


def run_lessons(numbers=(), out="build/lessons", folder=FOLDER):
    """Execute lessons and write notebooks, pages and an index to `out`.

    A lesson that fails does not stop the others. Pages of earlier runs stay in the index.

    Returns
    -------
    int
        How many lessons failed.
    """
    lessons, out = find(numbers, folder), Path(out).resolve()
    out.mkdir(parents=True, exist_ok=True)
    in_book = {path.name for path in lessons} | {path.name for path in out.glob("*.ipynb")}
    failed = 0
    try:
        for path, outcome in _run_each(lessons, kernel_environment()):
            failed += bool(outcome.failure)
            notebook = outcome.notebook
            notebook.metadata["course"] = {"seconds": outcome.seconds, "failure": outcome.failure}
            _write(out / path.name, nbformat.writes(notebook) + "\n")
            _write(out / f"{path.stem}.html", pages.render(notebook, path, out, in_book))
    finally:  # whoever stops after half the lessons can read that half
        copies = [out / path.name for path in find(folder=folder) if (out / path.name).exists()]
        listed = [(f"{copy.stem}.html", read(copy)) for copy in copies]
        _write(out / "index.html", pages.index(listed))
    if failed:
        print(f"{failed} of {len(lessons)} lessons failed; their pages end at the error.")
    print(f"Open {out / 'index.html'}")
    return failed


def refresh(numbers=(), folder=FOLDER):
    """Execute lessons on the synthetic data and store their outputs, formatted, in `folder`.

    A lesson that fails keeps the outputs it had. Returns how many failed.
    """
    failed = 0
    for path, outcome in _run_each(find(numbers, folder), kernel_environment(**REFRESH), _opened):
        failed += bool(outcome.failure)
        if not outcome.failure:
            _write(path, canonical(outcome.notebook))
    return failed


def format_notebooks(check=False, folder=FOLDER):
    """Bring every notebook in `folder` and below into the canonical form, badges and setup renewed.

    With `check`, only name those that are not. Returns how many were not.
    """
    changed = 0
    for path in sorted(Path(folder).rglob("*.ipynb")):
        if ".ipynb_checkpoints" in path.parts:
            continue
        text = path.read_text(encoding="utf-8")
        tidy = canonical(_opened(read(path), path))
        if tidy != text:
            changed += 1
            print(f"{'not formatted' if check else 'formatted'}: {path}")
            if not check:
                _write(path, tidy)
    if check and changed:
        print(f"Run `{hints.command('format')}` to mend that.")
    return changed


def _opened(notebook, path):
    """The notebook with its badges and setup renewed, where it is a lesson or an author notebook."""
    # Not exercises, which are written with checksums of their cells, nor what students put beside.
    ours = path.resolve().parent in (FOLDER, FOLDER / "solutions") and path.match(NUMBERED)
    return cloud.opened(notebook, path, FOLDER.parent) if ours else notebook


def _run_each(lessons, environment, change=lambda notebook, path: notebook):
    """Execute `lessons`, changed first, printing how far each is; yield pairs of path and Outcome."""
    width = max(len(path.stem) for path in lessons) + 12
    for path in lessons:
        with _Status(path.stem) as status:
            notebook = change(read(path), path)
            outcome = execute(notebook, path.parent, environment, status.cell)
        result = f"FAILED in {outcome.failure}" if outcome.failure else duration(outcome.seconds)
        print(f"{path.stem} {'.' * (width - len(path.stem))} {result}", flush=True)
        yield path, outcome


class _Status:
    """A line on the terminal that tells lesson, cell and time; nothing where there is none."""

    def __init__(self, name):
        self.name, self.text = name, "starting"
        self.begun, self.done = time.perf_counter(), threading.Event()
        self.thread = threading.Thread(target=self._draw, daemon=True)

    def cell(self, number, total):
        self.text = f"cell {number}/{total}"

    def _draw(self):
        while True:
            spent = duration(time.perf_counter() - self.begun)
            print(f"\r\x1b[K{self.name}  {self.text}  {spent}", end="", flush=True)
            if self.done.wait(0.5):
                break
        print("\r\x1b[K", end="", flush=True)

    def __enter__(self):
        if sys.stdout.isatty():
            self.thread.start()
        return self

    def __exit__(self, *error):
        self.done.set()
        if self.thread.is_alive():
            self.thread.join()


def _write(path, text):
    """Replace the file in one step, so that an interruption leaves the old one whole."""
    beside = path.with_name(f".{path.name}.part")
    beside.write_text(text, encoding="utf-8", newline="\n")
    os.replace(beside, path)
