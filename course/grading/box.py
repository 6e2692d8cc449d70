"""The box that a student's code runs in: which one this machine has, and how it is built.

=============  ==================================================================================
bubblewrap     namespaces without a network, a read-only system, small scratch folders; and inside
               them, for each kernel, everything that "landlock" has
landlock       Linux's own rules for files, TCP, signals and system calls; rlimits; where root
               grades, a user of its own for each kernel
none           rlimits alone: a student's code can read, write and send whatever you can
=============  ==================================================================================
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

# The module `confinement` can be imported on Linux only. Functions that need it import it, so that
# this module loads everywhere and can say NOT_LINUX.

KINDS = ("bubblewrap", "landlock", "none")
INSIDE = "/run/kernels"
# Nothing else of the instructor's environment is seen inside: it may hold tokens.
VARIABLES = ("LANG", "LC_ALL", "TZ", "KERAS_BACKEND", "LD_LIBRARY_PATH", "OMP_NUM_THREADS")
# Libraries start several thread pools, each of one thread per core. On a machine with many cores they
# would use up Limits.processes.
POOLS = (
    "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"
)  # fmt: skip
MOST_THREADS = 4  # in each pool
NOT_LINUX = "Grade on Linux: on Windows inside WSL 2, on a Mac in a container or virtual machine."
NO_SECCOMP = (
    f"Install libseccomp (Debian, Ubuntu: apt install libseccomp2), and pyseccomp: "
    f"{sys.executable} -m pip install pyseccomp."
)
NO_LANDLOCK = "Linux has it from 5.13 on; the boot option lsm= must list it."
NO_BWRAP = "Install it (Debian, Ubuntu: apt install bubblewrap)."
REFUSED = (
    "User namespaces are switched off: on Ubuntu 24.04 allow them with `sysctl -w "
    "kernel.apparmor_restrict_unprivileged_userns=0`, in a container start it with "
    "--privileged or with --security-opt seccomp=unconfined --cap-add SYS_ADMIN."
)


class NoBox(RuntimeError):
    """No box could be built; the message says why and what to do."""


class Found(NamedTuple):
    """Whether a kind of box works here, and if not why and what to do."""

    kind: str
    works: bool
    why: str = ""
    remedy: str = ""


def probe(kind):
    """Try the box `kind` with a small program. Returns Found."""
    if kind == "none":
        return Found(kind, True)
    if not sys.platform.startswith("linux"):
        return Found(kind, False, "only Linux has it", NOT_LINUX)
    from . import confinement

    try:
        import pyseccomp  # noqa: F401
    except (ImportError, RuntimeError, OSError) as error:
        return Found(kind, False, f"pyseccomp cannot be loaded: {error}", NO_SECCOMP)
    if not confinement.landlock_version():
        why = "this Linux kernel has no Landlock, or has it switched off"
        return Found(kind, False, why, NO_LANDLOCK)
    if kind == "landlock":
        return Found(kind, True)
    if shutil.which("bwrap") is None:
        return Found(kind, False, "bwrap is not installed", NO_BWRAP)
    program = "from course.grading import confinement as c; c.enter_namespaces()"
    command = enclose([sys.executable, "-P", "-c", program], "/tmp")
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment(kind), timeout=60
    )
    if done.returncode == 0:
        return Found(kind, True)
    return Found(kind, False, (done.stderr.strip().splitlines() or ["no message"])[-1], REFUSED)


def choose(wanted="auto"):
    """The kind of box to use: the best that works, or the one wanted.

    Raises NoBox if there is none. "none" is only ever chosen by name.
    """
    kinds = ("bubblewrap", "landlock") if wanted == "auto" else (wanted,)
    reasons = []
    for kind in kinds:
        found = probe(kind)
        if found.works:
            return kind
        reasons.append(f"{kind}: {found.why}. {found.remedy}")
    raise NoBox(
        "Students' code would run without a sandbox here, so nothing was graded.\n"
        + "\n".join(reasons)
        + "\nOr grade on a machine you can throw away, with --sandbox none: the reports will say so."
    )


def environment(kind):
    """Environment variables inside a box of this kind."""
    from .confinement import SCRATCH

    root = str(Path(__file__).resolve().parents[2])
    threads = str(min(MOST_THREADS, len(os.sched_getaffinity(0))))
    kept = dict.fromkeys(POOLS, threads)
    kept |= {name: os.environ[name] for name in VARIABLES if name in os.environ}
    return kept | {
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": root,
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
        "MPLBACKEND": "agg",
        "COURSE_DATA": "synthetic",
        "COURSE_SCALE": "smoke",
        "COURSE_PROGRESS": "0",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "CUDA_VISIBLE_DEVICES": "-1",
        **dict.fromkeys(("HOME", "TMPDIR"), SCRATCH if kind == "bubblewrap" else "/tmp"),
    }


def enclose(command, sockets):
    """`command` (a list) as bubblewrap runs it, with the folder `sockets` mounted at INSIDE.

    Building the namespaces of each kernel needs rights. Root keeps just these, and each kernel
    drops them. Any other user gets them inside a user namespace.
    """
    from . import confinement

    options = [
        "--unshare-net",
        "--unshare-ipc",
        "--unshare-uts",
        "--unshare-cgroup-try",
        "--unshare-pid",
    ]
    options += ["--die-with-parent", "--new-session"]
    if os.geteuid() == 0:
        options += ["--cap-drop", "ALL", "--dir", "/proc"]
        for right in ("SYS_ADMIN", "SETUID", "SETGID", "SETPCAP", "KILL"):
            options += ["--cap-add", f"CAP_{right}"]
    else:
        options += ["--unshare-user", "--proc", "/proc"]
    paths = [path for path in confinement.system_paths() if os.path.exists(path)]
    for folder in sorted(
        {str(p) for path in [*paths, INSIDE, "/sys/devices/system"] for p in Path(path).parents}
    ):
        options += ["--perms", "0755", "--dir", folder]  # bubblewrap would keep them to itself
    for path in paths:
        if os.path.islink(path):
            options += ["--symlink", os.readlink(path), path]
        else:
            options += ["--ro-bind", path, path]
    options += ["--ro-bind-try", "/sys/devices/system", "/sys/devices/system"]
    options += ["--dev", "/dev", "--remount-ro", "/dev"]
    options += ["--perms", "0755", "--tmpfs", confinement.SCRATCH]
    options += ["--bind", str(sockets), INSIDE, "--remount-ro", "/"]
    return ["bwrap", *options, "--", *command]
