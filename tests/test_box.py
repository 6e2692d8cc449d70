"""Which box there is, and what is said where there is none."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import wait_for

from course import doctor
from course.grading import box, confinement, kernels
from course.grading.confinement import Limits

ROOT = Path(confinement.__file__).parents[2]


def without(monkeypatch, *missing):
    """Make a machine that lacks some of "bwrap" and "landlock"."""
    if "bwrap" in missing:
        monkeypatch.setattr(shutil, "which", lambda name: None)
    if "landlock" in missing:
        monkeypatch.setattr(confinement, "landlock_version", lambda: 0)


def need(kind):
    found = box.probe(kind)
    if not found.works:
        if os.environ.get("CI") == "true":
            pytest.fail(f"{kind}: {found.why}. {found.remedy}")
        pytest.skip(found.why)


def test_the_best_box_is_taken_and_the_next_where_it_is_missing(monkeypatch):
    need("bubblewrap")
    assert box.choose() == "bubblewrap"
    assert box.choose("landlock") == "landlock"
    without(monkeypatch, "bwrap")
    assert box.choose() == "landlock"


def test_without_a_box_the_grader_refuses_and_says_what_to_do(monkeypatch):
    without(monkeypatch, "bwrap", "landlock")
    for wanted in ("auto", "bubblewrap", "landlock"):
        with pytest.raises(box.NoBox, match="--sandbox none"):
            box.choose(wanted)
    assert box.choose("none") == "none"


def test_other_systems_are_named(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(box.NoBox, match="only Linux"):
        box.choose()


def test_the_doctor_says_which_box_there_is(monkeypatch, capsys):
    need("bubblewrap")
    assert doctor.report(doctor.grading()) == 0
    assert "in bubblewrap" in capsys.readouterr().out
    without(monkeypatch, "bwrap")
    assert doctor.report(doctor.grading()) == 1
    said = capsys.readouterr().out
    assert "apt install bubblewrap" in said
    assert "in landlock" in said
    without(monkeypatch, "bwrap", "landlock")
    assert doctor.report(doctor.grading()) == 3
    assert "there is no box" in capsys.readouterr().out


def test_a_server_that_cannot_start_says_why(monkeypatch):
    monkeypatch.setattr(box, "enclose", lambda command, sockets: ["false"])
    with pytest.raises(box.NoBox, match="did not start"):
        kernels.Server("bubblewrap")


def test_pools_of_threads_do_not_grow_with_the_cores(monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda process: set(range(128)))
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    inside = box.environment("bubblewrap")
    assert {inside[name] for name in box.POOLS} == {"4"}
    monkeypatch.setattr("os.sched_getaffinity", lambda process: {0, 1})
    assert {box.environment("landlock")[name] for name in box.POOLS} == {"2"}
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # the instructor's choice
    assert box.environment("landlock")["OMP_NUM_THREADS"] == "1"


def test_the_instructors_environment_stays_outside(monkeypatch):
    monkeypatch.setenv("KAGGLE_KEY", "secret")
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    inside = box.environment("bubblewrap")
    assert "KAGGLE_KEY" not in inside
    assert inside["KERAS_BACKEND"] == "jax"


def running():
    """Command lines of the machine's processes."""
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    return listed.stdout.splitlines()


@pytest.mark.parametrize("kind", ["bubblewrap", "landlock"])
def test_nothing_of_a_server_is_left(kind):
    need(kind)
    sleeper = f"sleep 1234.{os.getpid()}"  # of no other run of this test
    with kernels.Server(kind) as server:
        kernel = kernels.BoxedKernel(server, Limits())
        program = f"import subprocess; subprocess.Popen({sleeper.split()})"
        kernel.await_reply(kernel.execute_cell_input(program))
        folder, process = Path(server.folder), server.process
        assert sleeper in running()
    assert not folder.exists()
    assert process.poll() is not None
    # What a killed namespace holds is killed by the system, a moment later.
    wait_for(lambda: sleeper not in running(), "the end of its process")


FORGOTTEN = """
import gc
from course.grading import kernels
from course.grading.confinement import Limits
gc.disable()
with kernels.Server("none") as server:
    for _ in range(3):
        kernel = kernels.BoxedKernel(server, Limits())
        kernel.itself = kernel
        del kernel
        gc.collect()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the grader needs Linux")
def test_a_kernel_that_was_never_stopped_does_not_stop_the_garbage_collector():
    """In a process of its own, for a context that waits for its sockets waits for ever."""
    subprocess.run([sys.executable, "-c", FORGOTTEN], cwd=ROOT, check=True, timeout=60)


# The user of a kernel has threads elsewhere, as the instructor's desktop has.
BUSY = """
import os, sys, threading
from course.grading import confinement
user, others = map(int, sys.argv[1:])
if os.geteuid() == 0:
    os.setresuid(user, user, user)
for _ in range(others):
    threading.Thread(target=threading.Event().wait, daemon=True).start()
kernel = os.fork()
if kernel == 0:
    confinement.limit_resources(confinement.Limits(processes=64))
    started = 0
    try:
        while started < 40:
            threading.Thread(target=threading.Event().wait, daemon=True).start()
            started += 1
    except RuntimeError as error:
        print(error)
    print(started, confinement.resource.getrlimit(confinement.resource.RLIMIT_NPROC), flush=True)
    os._exit(0)
os.waitpid(kernel, 0)
os._exit(0)
"""


def busy(user, others):
    """What a kernel of `user`, who has so many threads elsewhere, says of its own."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", BUSY, str(user), str(others)],
        cwd=ROOT, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert not done.stderr
    return done.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="the grader needs Linux")
def test_a_kernel_starts_its_threads_whatever_else_the_instructor_runs():
    """Where it has no user of its own, RLIMIT_NPROC counts the instructor's threads too."""
    assert busy(os.geteuid() or 4321, 200).startswith("40 ")


@pytest.mark.skipif(sys.platform != "linux", reason="the grader needs Linux")
def test_a_user_of_its_own_has_the_limit_alone():
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    assert busy(confinement.FIRST_USER, 0) == "40 (64, 64)\n"
    assert "can't start new thread" in busy(confinement.FIRST_USER, 200)


@pytest.mark.skipif(sys.platform != "linux", reason="the grader needs Linux")
def test_the_limit_of_threads_stays_below_what_the_instructor_may_have():
    program = """
from course.grading import confinement as c
c.resource.setrlimit(c.resource.RLIMIT_NPROC, (50, 50))
print(c.most_threads(c.Limits()))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "50\n"


def test_a_right_that_landlock_gives_is_the_only_one(tmp_path):
    """In a process of its own, since there is no way back."""
    need("landlock")
    (tmp_path / "open").mkdir()
    (tmp_path / "closed").mkdir()
    (tmp_path / "closed" / "key").write_text("secret")
    program = f"""
from course.grading import confinement
confinement.prctl(confinement.NO_NEW_PRIVILEGES, 1)
confinement.restrict_files(confinement.system_paths(), [{str(tmp_path / "open")!r}], [])
open({str(tmp_path / "open" / "mine")!r}, "w").write("written")
for path in ({str(tmp_path / "closed" / "key")!r}, "/etc/shadow"):
    try:
        open(path)
    except PermissionError:
        print("refused")
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == ["refused", "refused"], done.stderr
    assert (tmp_path / "open" / "mine").read_text() == "written"
