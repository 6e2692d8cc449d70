"""What a process of the kernel server does to itself before a student's code may run in it.

In order: namespaces of its own inside the box (where the box is bubblewrap's), another user, no
capabilities, rlimits, a Landlock ruleset for files, signals and TCP, a seccomp filter for the
system calls that a notebook has no use for. Each layer is the kernel's own; see user_namespaces(7),
landlock(7), seccomp(2), setrlimit(2).
"""

import contextlib
import ctypes
import os
import random
import resource
import signal
import site
import socket
import struct
import sys
import sysconfig
from pathlib import Path
from typing import NamedTuple

NOBODY = 65534
FIRST_USER, LAST_USER = 61184, 65519  # systemd keeps these for users that come and go
SCRATCH = "/scratch"  # not /tmp: a Python environment may lie below that
LANDLOCK_CREATE, LANDLOCK_ADD, LANDLOCK_RESTRICT = 444, 445, 446  # alike on all machines
NEWNS, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET = (
    0x20000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000,
)  # fmt: skip
MS_PRIVATE, MS_BIND, MS_RECURSIVE, MS_NOSUID_NODEV = 1 << 18, 1 << 12, 1 << 14, 6
SUBREAPER, PARENT_DEATH, DUMPABLE, KEEP_CAPABILITIES, NO_NEW_PRIVILEGES = 36, 1, 4, 8, 38
DAC_READ_SEARCH = 1 << 2
# Landlock's rights on files, by bit; see linux/landlock.h.
READ = 1 << 0 | 1 << 2 | 1 << 3
FILE_ONLY = 1 << 0 | 1 << 1 | 1 << 2 | 1 << 14 | 1 << 15
DEVICES = 1 << 6 | 1 << 11
MAKE_SOCKET, REMOVE_FILE = 1 << 9, 1 << 5
NEWEST_LANDLOCK_FILES = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}

# System calls that a notebook never needs: those that past escapes from sandboxes used; those that
# connect to other processes' sockets, which Landlock does not control; those that allocate memory
# that no limit counts or that outlives its process; and those that could slow down other processes of
# the same user.
REFUSED = [
    "ptrace", "process_vm_readv", "process_vm_writev", "kcmp", "pidfd_getfd", "mount", "umount2",
    "pivot_root", "chroot", "move_mount", "open_tree", "fsopen", "fsmount", "fsconfig", "fspick",
    "mount_setattr", "unshare", "setns", "keyctl", "add_key", "request_key", "bpf",
    "perf_event_open", "userfaultfd", "io_uring_setup", "io_uring_enter", "io_uring_register",
    "open_by_handle_at", "name_to_handle_at", "kexec_load", "kexec_file_load", "init_module",
    "finit_module", "delete_module", "swapon", "swapoff", "reboot", "acct", "quotactl", "iopl",
    "ioperm", "settimeofday", "clock_settime", "sethostname", "setdomainname", "syslog",
    "lookup_dcookie", "nfsservctl", "vhangup", "modify_ldt", "connect", "memfd_create",
    "memfd_secret", "shmget", "shmat", "shmctl", "shmdt", "semget", "semop", "semtimedop",
    "semctl", "msgget", "msgsnd", "msgrcv", "msgctl", "mq_open", "mq_unlink", "migrate_pages",
    "move_pages", "setpriority", "sched_setparam", "sched_setattr",
    "ioprio_set",
]  # fmt: skip

_libc = ctypes.CDLL(None, use_errno=True)


class Limits(NamedTuple):
    """What one submission may use. Bytes, seconds, numbers.

    `memory` is the resident memory of all its processes together, which the server watches.
    `address_space` is that of each process (TensorFlow alone maps about 3 GiB). `processes` counts
    every thread, as setrlimit(2) does.
    """

    memory: int = 6 * 2**30
    address_space: int = 16 * 2**30
    wall: float = 600
    cpu: int = 1200
    processes: int = 256
    files: int = 512
    file_size: int = 64 * 2**20
    scratch: int = 256 * 2**20


def check(result, what):
    """Raise OSError where a call into the C library failed."""
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def prctl(option, value=0):
    check(_libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0), f"prctl {option}")


def mount(source, target, kind=None, flags=0, options=""):
    encoded = [None if text is None else str(text).encode() for text in (source, target, kind)]
    check(_libc.mount(*encoded, ctypes.c_ulong(flags), options.encode()), f"mount {target}")


def enter_namespaces():
    """Enter new namespaces for mounts, processes, network and IPC; the next fork is process 1.

    Root gets no new user namespace: its kernel changes to another user later (drop_privileges).
    """
    flags = NEWNS | NEWPID | NEWIPC | NEWUTS | NEWNET
    user, group = os.geteuid(), os.getegid()
    check(_libc.unshare(flags if user == 0 else flags | NEWUSER), "unshare")
    if user:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    mount("none", "/", flags=MS_PRIVATE | MS_RECURSIVE)


def own_files(sockets, limits):
    """Mount fresh scratch folders, and hide the sockets of all kernels but this one."""
    mount(sockets, os.path.dirname(sockets), flags=MS_BIND)
    for folder in (SCRATCH, "/dev/shm"):
        mount("tmpfs", folder, "tmpfs", MS_NOSUID_NODEV, f"size={limits.scratch},mode=1777")
    mount("proc", "/proc", "proc", MS_NOSUID_NODEV)


def claim_user():
    """A user id that no other kernel on this machine has now, and the socket that holds the claim.

    Processes of one user share a process limit, may signal each other, and may read each other's
    files. So no two kernels run as the same user.
    """
    users = list(range(FIRST_USER, LAST_USER + 1))
    random.SystemRandom().shuffle(users)
    for user in users:
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind(f"\0course-grading-{user}")
        except OSError:
            claim.close()
        else:
            return user, claim
    raise OSError("every user id for kernels is taken")


def drop_privileges(user, keep_search=False):
    """Become `user` if root; drop all capabilities, and never gain one again.

    `keep_search` keeps CAP_DAC_READ_SEARCH, for a Python under /root. Landlock alone then says
    what may be read.
    """
    if os.geteuid() == 0:
        if keep_search:
            prctl(KEEP_CAPABILITIES, 1)
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
    kept = DAC_READ_SEARCH if keep_search else 0
    header = struct.pack("=Ii", 0x20080522, 0)  # _LINUX_CAPABILITY_VERSION_3, this thread
    sets = struct.pack("=6I", kept, kept, 0, 0, 0, 0)
    check(_libc.capset(header, sets), "capset")
    prctl(NO_NEW_PRIVILEGES, 1)


def most_threads(limits):
    """What to set RLIMIT_NPROC to, which counts all threads of a user, whatever started them.

    A kernel with a user or with namespaces of its own is counted alone. Elsewhere the kernel runs as
    the instructor. The limit then has room for the threads that they run already and for as many
    kernels as there are cores, and the server watches that no kernel has more threads than it may.
    """
    user = os.getuid()
    if FIRST_USER <= user <= LAST_USER or os.getpid() == 1:
        return limits.processes
    most = _threads_of(user) + limits.processes * (os.cpu_count() or 1)
    hard = resource.getrlimit(resource.RLIMIT_NPROC)[1]
    return most if hard == resource.RLIM_INFINITY else min(most, hard)


def _threads_of(user):
    """How many threads the user's processes have together."""
    total = 0
    for path in Path("/proc").glob("[0-9]*/status"):
        with contextlib.suppress(OSError):  # it has ended since
            lines = path.read_text(errors="replace").split("\n")
            about = dict(line.split(":", 1) for line in lines if ":" in line)
            if int(about["Uid"].split()[0]) == user:  # the real one, which is the one counted
                total += int(about["Threads"])
    return total


def limit_resources(limits):
    for which, value in (
        (resource.RLIMIT_AS, limits.address_space),
        (resource.RLIMIT_CPU, limits.cpu),
        (resource.RLIMIT_NPROC, most_threads(limits)),
        (resource.RLIMIT_NOFILE, limits.files),
        (resource.RLIMIT_FSIZE, limits.file_size),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MEMLOCK, 0),
    ):
        resource.setrlimit(which, (value, value))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # an error where they write, not a death


def landlock_version():
    """Version of Landlock in this kernel; 0 where there is none."""
    return max(0, _libc.syscall(LANDLOCK_CREATE, None, ctypes.c_size_t(0), 1))


def restrict_files(readable, writable, sockets):
    """Allow reading below the paths `readable`, everything below `writable`, sockets in `sockets`.

    Paths that do not exist are left out. Where Landlock is new enough, TCP is refused too, and so are
    signals to processes outside. Raises OSError where there is no Landlock.
    """
    version = landlock_version()
    everything = (1 << NEWEST_LANDLOCK_FILES.get(version, 16)) - 1
    attributes = struct.pack("=QQQ", everything, 3 if version >= 4 else 0, 3 if version >= 6 else 0)
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    ruleset = check(
        _libc.syscall(LANDLOCK_CREATE, attributes, ctypes.c_size_t(size), 0), "Landlock"
    )
    rules = [(path, READ) for path in readable]
    rules += [(path, everything & ~DEVICES) for path in writable]
    rules += [(path, READ | MAKE_SOCKET | REMOVE_FILE) for path in sockets]
    for path, allowed in rules:
        try:
            opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            continue
        if not os.path.isdir(path):
            allowed &= FILE_ONLY
        rule = struct.pack("=Qi", allowed & everything, opened)
        check(_libc.syscall(LANDLOCK_ADD, ruleset, 1, rule, 0), f"Landlock, {path}")
        os.close(opened)
    check(_libc.syscall(LANDLOCK_RESTRICT, ruleset, 0), "Landlock")
    os.close(ruleset)


def refuse_calls():
    """Load the seccomp filter. It leaves Unix stream sockets and netlink sockets, as libzmq needs them."""
    import pyseccomp as seccomp

    refuse = seccomp.ERRNO(1)  # EPERM
    rules = seccomp.SyscallFilter(seccomp.ALLOW)
    for name in REFUSED:
        try:
            rules.add_rule(refuse, name)
        except (OSError, RuntimeError, ValueError):  # this architecture has no such call
            continue
    for family in {*range(2, 16)}:
        rules.add_rule(refuse, "socket", seccomp.Arg(0, seccomp.EQ, family))
    rules.add_rule(refuse, "socket", seccomp.Arg(0, seccomp.GT, 16))
    for name in ("socket", "socketpair"):  # datagrams reach other processes without `connect`
        unix = seccomp.Arg(0, seccomp.EQ, 1), seccomp.Arg(1, seccomp.MASKED_EQ, 0xF, 2)
        rules.add_rule(refuse, name, *unix)
    for name in ("prlimit64", "sched_setaffinity"):  # allowed for oneself (0), not for others
        rules.add_rule(refuse, name, seccomp.Arg(0, seccomp.NE, 0))
    rules.add_rule(refuse, "sched_setscheduler", seccomp.Arg(1, seccomp.NE, 0))  # libzmq sets 0
    for flag in (NEWNS, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET):
        rules.add_rule(refuse, "clone", seccomp.Arg(0, seccomp.MASKED_EQ, flag, flag))
    rules.add_rule(seccomp.ERRNO(38), "clone3")  # ENOSYS: glibc then calls clone
    if landlock_version() < 6:  # then Landlock does not restrict signals
        mine = os.getpid()
        for name in ("kill", "tkill", "tgkill", "pidfd_send_signal", "rt_sigqueueinfo"):
            rules.add_rule(refuse, name, seccomp.Arg(0, seccomp.NE, mine))
    rules.load()


def system_paths():
    """Files of the system and of this Python that a notebook may read, and no others."""
    # Not sys.path: PYTHONPATH or a script's folder may hold anything.
    python = {sys.prefix, sys.base_prefix, sys.exec_prefix, *sysconfig.get_paths().values()}
    python |= {*site.getsitepackages(), site.getusersitepackages()}
    python |= set(map(os.path.realpath, python))
    package = str(Path(__file__).resolve().parents[1])
    root = str(Path(package).parent)
    python = {path for path in python if os.path.isdir(path) and path not in (root, "/")}
    etc = "ld.so.cache localtime fonts ssl passwd group nsswitch.conf hosts alternatives mime.types"
    return [
        *("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/opt/conda"),
        *(f"/etc/{name}" for name in etc.split()),
        *sorted(python),
        package,
    ]
