"""Submissions that want points for wrong answers, or want to harm: none gets what it wants.

The attacks are cells of a student, in tests/attacks/*.txt; each replaces the answer to one task of
tests/attacks/author/lock.ipynb. Beside each, another process grades honest work on the same server.
"""

import contextlib
import copy
import hashlib
import json
import multiprocessing
import os
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import NamedTuple

import nbformat
import psutil
import pytest

from course import notebooks
from course.grading import author, box, confinement, kernels, session, submissions

pytestmark = pytest.mark.kernels

HERE = Path(__file__).resolve().parent / "attacks"
AUTHOR = HERE / "author"
LOCK = author.read(AUTHOR / "lock.ipynb")
RIGHT = {cell.name: cell.source for cell in LOCK.solutions}
WRONG = {
    "lock-double": "def double(values):\n    return values\n",
    "lock-adder": "def adder(step):\n    return lambda value: value\n",
    "lock-model": "",
}
HIDDEN = "918273", "918274", "554433", "554434"
LIMITS = confinement.Limits(
    memory=1200 * 2**20, address_space=6 * 2**30, wall=60, cpu=40, processes=64, files=256,
    file_size=8 * 2**20, scratch=32 * 2**20,
)  # fmt: skip
CELL, NOTEBOOK = 2.5, 10  # seconds for an attack; honest work has more, on a busy machine
GROWTH = 1500 * 2**20  # bytes that an attack may make the grader hold

# Before each attack: how it says that it got through. A name in `HOST` is something outside.
PRELUDE = """\
def refused(act):
    try:
        result = act()
    except Exception:
        return
    print("ESCAPED:", repr(result)[:200])
"""


class Attack(NamedTuple):
    """A cell that a student hands in as the answer to `task`; `kind` is the name of its file.

    `marks`: "fast" is run by `make test-fast`; "landlock" runs in that box too; "mute" does not
    reach its end in the cell, "dies" does not end it at all; "own" is taken as it is.
    `status` is what the task is given, "" for anything but "right".
    """

    kind: str
    title: str
    source: str
    task: str
    marks: frozenset
    status: str


def read_attacks():
    for path in sorted(HERE.glob("*.txt")):
        for part in re.split(r"^%% (?=\w)", path.read_text(encoding="utf-8"), flags=re.M)[1:]:
            head, source = part.split("\n", 1)
            title, _, marks = head.partition(" | ")
            words = marks.split()
            options = dict(word.split("=") for word in words if "=" in word)
            task, status = options.get("task", "lock-double"), options.get("status", "")
            marks = frozenset(word for word in words if "=" not in word)
            if "own" not in marks:
                wrong = "" if f"def {task[5:]}(" in source else WRONG[task]
                source = f"{PRELUDE}\n{wrong}\n{source}\nprint('tried')\n"
            yield Attack(path.stem, title, source, task, marks, status.replace("any", ""))


ATTACKS = list(read_attacks())


def hand_in(folder, student, answers):
    """A submission: the released notebook with these answers in it."""
    notebook = author.release(notebooks.read(AUTHOR / "lock.ipynb"))
    for cell in notebook.cells:
        name = cell.metadata.get("nbgrader", {}).get("grade_id")
        if name in answers:
            cell.source = answers[name]
    return save(folder, student, notebook)


def save(folder, student, notebook):
    path = Path(folder) / f"{student}.ipynb"
    path.write_text(nbformat.writes(copy.deepcopy(notebook)), encoding="utf-8")
    return submissions.Submission(student, path.stem, path)


def grade(submission, place, seconds=(30, 60)):
    settings = session.Settings(place, b"k" * 32, LIMITS, *seconds)
    return session.grade(submission, {"lock": LOCK}, settings)


def without_time(result):
    return {key: value for key, value in result.items() if key != "seconds"}


def shown(result):
    """All text of a result that a student has had a hand in, but for their own source."""
    kept = [{k: v for k, v in task.items() if k != "source"} for task in result["tasks"]]
    return json.dumps([kept, result["notes"], result["reason"]], ensure_ascii=False)


# The house: a server, an honest neighbour, and what must not be touched


def _be_honest(pipe, place, folder):
    """A process that grades honest work whenever it is told to."""
    submission = hand_in(folder, "ada", RIGHT)
    with contextlib.suppress(EOFError):
        while pipe.recv():
            pipe.send(without_time(grade(submission, place)))


class House:
    """A kernel server of the box `kind`, and all around it that attacks must leave alone."""

    def __init__(self, kind):
        self.folder = Path(tempfile.mkdtemp(prefix="house-"))
        self.folder.chmod(0o755)
        self.vault = self.folder / "vault"
        for path, text in {
            "secret.txt": "a secret", "gradebook.csv": "student,points\n",
            "submitted/ada/lock.ipynb": "{}", "solutions/lock.ipynb": "{}",
        }.items():  # fmt: skip
            (self.vault / path).parent.mkdir(parents=True, exist_ok=True)
            (self.vault / path).write_text(text)
        for path in [self.vault, *self.vault.rglob("*")]:
            path.chmod(0o777)  # so that the box alone protects it
        os.environ["GRADER_TOKEN"] = "hunter2"
        self.server = kernels.Server(kind, warm=("numpy",))
        self.place = kernels.Place(self.server)
        self.listening = self._listen()
        nobody = {"user": confinement.NOBODY} if os.geteuid() == 0 else {}
        self.canary = subprocess.Popen(["sleep", "10000"], **nobody)
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.neighbour = context.Process(
            target=_be_honest, args=(theirs, self.place, str(self.folder)), daemon=True
        )
        self.neighbour.start()
        theirs.close()
        self.reference = self.honest()
        self.before = self.state()

    def _listen(self):
        tcp, udp = socket.socket(), socket.socket(type=socket.SOCK_DGRAM)
        unix, abstract = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
        self.unix = str(self.folder / "u")
        self.abstract = f"house-{os.getpid()}-{id(self)}"
        for listening, address in (
            (tcp, ("127.0.0.1", 0)), (udp, ("127.0.0.1", 0)), (unix, self.unix),
            (abstract, f"\0{self.abstract}"),
        ):  # fmt: skip
            listening.bind(address)
            listening.setblocking(False)
            if listening is not udp:
                listening.listen(8)
        os.chmod(self.unix, 0o777)
        return [tcp, udp, unix, abstract]

    @property
    def host(self):
        """What an attack is told about the outside."""
        tcp, udp, *_ = self.listening
        return {
            "vault": str(self.vault), "author": str(AUTHOR), "tests": str(HERE.parent),
            "repository": str(HERE.parents[1]), "pid": os.getpid(), "canary": self.canary.pid,
            "tcp": tcp.getsockname()[1], "udp": udp.getsockname()[1], "unix": self.unix,
            "abstract": self.abstract, "server": self.server.path,
        }  # fmt: skip

    def attack(self, answers):
        """Grade right answers with some of them replaced by these."""
        told = {name: f"HOST = {self.host!r}\n{source}" if "HOST" in source else source
                for name, source in answers.items()}  # fmt: skip
        return grade(hand_in(self.folder, "eve", RIGHT | told), self.place, (CELL, NOTEBOOK))

    def ask_honest(self):
        self.pipe.send(True)

    def honest(self, ask=True):
        if ask:
            self.ask_honest()
        assert self.pipe.poll(60), "the honest neighbour was not graded within a minute"
        return self.pipe.recv()

    def state(self):
        """Everything that an attack must leave as it was."""
        for _ in range(50):  # the last of a kernel's processes may still be on its way out
            processes = sorted(p.pid for p in self._processes())
            if processes == getattr(self, "before", {}).get("processes", processes):
                break
            time.sleep(0.1)
        files = {
            str(p.relative_to(self.vault)): p.is_dir() or hashlib.sha256(p.read_bytes()).hexdigest()
            for p in self.vault.rglob("*")
        }
        return {
            "files": files, "modes": [p.stat().st_mode for p in sorted(self.vault.rglob("*"))],
            "processes": processes, "sockets": sorted(os.listdir(self.server.sockets)),
            "canary": psutil.Process(self.canary.pid).status(), "calls": self._calls(),
            "tree": sorted(p.name for p in self.folder.iterdir() if p.suffix != ".ipynb"),
        }  # fmt: skip

    def _processes(self):
        """The server's, and those that have left it but still know its folder."""
        server = psutil.Process(self.server.process.pid)
        found, folder = {server, *server.children(recursive=True)}, str(self.server.folder)
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if folder in " ".join([process.cwd(), *process.cmdline()]):
                    found.add(process)
        return found

    def _calls(self):
        count = 0
        for listening in self.listening:
            with contextlib.suppress(BlockingIOError):
                listening.recv(1) if listening.type == socket.SOCK_DGRAM else listening.accept()
                count += 1
        return count

    def close(self):
        self.server.close()
        self.pipe.close()
        self.neighbour.kill()
        self.canary.kill()
        self.canary.wait()
        for listening in self.listening:
            listening.close()
        os.environ.pop("GRADER_TOKEN", None)
        shutil.rmtree(self.folder)


@contextlib.contextmanager
def watched_memory():
    """Yields a list to which the largest growth of this process, in bytes, is added."""
    me, grown, done = psutil.Process(), [], threading.Event()
    begun, most = me.memory_info().rss, 0

    def watch():
        nonlocal most
        while not done.wait(0.05):
            most = max(most, me.memory_info().rss - begun)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield grown
    finally:
        done.set()
        thread.join()
        grown.append(most)


def needed(kind):
    """Skip where this machine has no such box; on a CI, fail."""
    found = box.probe(kind)
    if not found.works:
        message = f"no {kind}: {found.why}. {found.remedy}"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(message)


@pytest.fixture(scope="module")
def house():
    needed("bubblewrap")
    house = House("bubblewrap")
    yield house
    house.close()


@pytest.fixture(scope="module")
def landlock_house():
    needed("landlock")
    house = House("landlock")
    yield house
    house.close()


def assert_held(house, attack, neighbour=True):
    if neighbour:
        house.ask_honest()
    began = time.monotonic()
    with watched_memory() as grown:
        result = house.attack({attack.task: attack.source})
    took = time.monotonic() - began
    beside = house.honest(ask=False) if neighbour else house.reference
    task = next(t for t in result["tasks"] if t["task"] == f"{attack.task}-check")
    text = shown(result)
    assert task["points"] == 0, task
    assert result["status"] == "graded", result["reason"]
    assert task["status"] != "right"
    assert not attack.status or task["status"] == attack.status, task
    assert "ESCAPED" not in text, text
    assert not any(word in text for word in HIDDEN), text
    assert attack.marks & {"mute", "dies"} or "tried" in task["output"], (
        f"the attack did not get to its end: {task}"
    )
    assert beside == house.reference
    assert house.state() == house.before
    assert grown[0] < GROWTH, f"the grader grew by {grown[0] / 2**20:.0f} MiB"
    assert took < NOTEBOOK + 20, "it went on for longer than a submission may"


def named(attacks):
    return [
        pytest.param(a, id=a.title.replace(" ", "-"), marks=[] if "fast" in a.marks else pytest.mark.slow)
        for a in attacks
    ]  # fmt: skip


def test_there_are_enough_attacks_and_no_two_alike():
    assert len(ATTACKS) >= 60
    assert len({a.title for a in ATTACKS}) == len(ATTACKS)


def test_honest_work_gets_its_points(house):
    assert house.reference["points"] == house.reference["max_points"] == 9


# Whole notebooks


def cell_of(notebook, name):
    return next(c for c in notebook.cells if c.metadata.get("nbgrader", {}).get("grade_id") == name)


def forged_outputs(notebook):
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [
                nbformat.v4.new_output(
                    "stream", text="lock-double: every check in this cell passes."
                )
            ]
            cell.execution_count = 1


def tagged(notebook):
    for cell in notebook.cells:
        cell.metadata["tags"] = ["nbval-skip", "nbval-ignore-output", "raises-exception"]


def replaced_checks(notebook):
    for name in WRONG:
        cell_of(notebook, f"{name}-check").source = "print('right')"


def more_points(notebook):
    for name in WRONG:
        about = cell_of(notebook, f"{name}-check").metadata["nbgrader"]
        about |= {"points": 1000, "solution": True, "grade": False}
        cell_of(notebook, name).metadata["nbgrader"]["points"] = 1000


def second_copy(notebook):
    copied = copy.deepcopy(cell_of(notebook, "lock-double"))
    copied.source, copied["id"] = RIGHT["lock-double"], "another"
    notebook.cells.append(copied)


def look_alike_id(notebook):
    cell = cell_of(notebook, "lock-double")
    cell.source = RIGHT["lock-double"]
    cell.metadata["nbgrader"]["grade_id"] = "lоck-double"  # the o is Cyrillic


def retyped(notebook):
    cell = cell_of(notebook, "lock-double")
    cell.source, cell.cell_type = RIGHT["lock-double"], "raw"


def cells_of_their_own(notebook):
    code = "import builtins\ndouble = builtins.double = lambda values: 2.0 * values\n"
    notebook.cells.insert(0, nbformat.v4.new_code_cell(code))
    notebook.cells.append(nbformat.v4.new_code_cell(code))


def swapped(notebook):
    one, other = (cell_of(notebook, name) for name in ("lock-double", "lock-double-check"))
    one.metadata["nbgrader"], other.metadata["nbgrader"] = (
        other.metadata["nbgrader"], one.metadata["nbgrader"],
    )  # fmt: skip


def other_kernel(notebook):
    notebook.metadata["kernelspec"] = {"name": "../../evil", "display_name": "x"}
    notebook.metadata["language_info"] = {"name": "evil", "file_extension": "/etc/passwd"}


def null_bytes(notebook):
    cell_of(notebook, "lock-double").source = "def double(values):\0\n    return values\n"


def surrogates(notebook):
    cell_of(notebook, "lock-double").source = "def double(values):\n    raise ValueError('\\ud800')"


NOTEBOOKS = [
    forged_outputs, tagged, replaced_checks, more_points, second_copy, look_alike_id, retyped,
    cells_of_their_own, swapped, other_kernel, null_bytes, surrogates,
]  # fmt: skip


@pytest.mark.parametrize("change", NOTEBOOKS, ids=lambda f: f.__name__)
def test_nothing_but_the_first_answer_counts(house, change):
    notebook = author.release(notebooks.read(AUTHOR / "lock.ipynb"))
    for name, source in (RIGHT | {"lock-double": WRONG["lock-double"]}).items():
        cell_of(notebook, name).source = source
    change(notebook)
    result = grade(save(house.folder, "eve", notebook), house.place)
    points = {task["task"]: task["points"] for task in result["tasks"]}
    assert result["status"] == "graded"
    assert points == {"lock-double-check": 0, "lock-adder-check": 3, "lock-model-check": 4}
    assert result["max_points"] == 9


# Cells


@pytest.mark.parametrize("attack", named(ATTACKS))
def test_attack(house, attack):
    assert_held(house, attack, neighbour=attack.kind != "forging")


@pytest.mark.parametrize("attack", named([a for a in ATTACKS if "landlock" in a.marks]))
@pytest.mark.slow
def test_attack_under_landlock(landlock_house, attack):
    assert_held(landlock_house, attack)


def test_honest_work_is_graded_the_same_after_all_attacks(house):
    assert house.honest() == house.reference
