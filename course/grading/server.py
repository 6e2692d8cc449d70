"""The kernel server: imports TensorFlow once, then forks a confined kernel for each submission.

:mod:`course.grading.kernels` starts it inside the box, as ``python -m course.grading.server``. It
runs no student's code itself and knows no test and no solution. Each connection to its socket stands
for one kernel. The client asks for it by a line of JSON, and may then send lines ``INT`` and
``KILL``. When the kernel has ended, the server answers with JSON that says why. When a client goes
away, its kernel is ended.
"""

import contextlib
import gc
import importlib
import json
import os
import select
import selectors
import signal
import socket
import sys
import tempfile
import time

from . import confinement

TICK = 0.2


class _Kernel:
    """A kernel's guardian process, and the client that asked for it."""

    def __init__(self, client, guardian, limits, folder):
        self.client, self.guardian, self.limits, self.folder = client, guardian, limits, folder
        self.pidfd = os.pidfd_open(guardian)
        self.deadline, self.reason = time.monotonic() + limits.wall, ""

    def stop(self, reason):
        self.reason = self.reason or reason
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.guardian, signal.SIGTERM)

    def watch(self):
        """Stop the kernel if it exceeds its time, memory, processes or disk."""
        processes = _descendants(self.guardian)
        if time.monotonic() > self.deadline:
            self.stop("time")
        elif _memory(processes) > self.limits.memory:
            self.stop("memory")
        elif _threads(processes) > self.limits.processes:
            self.stop("processes")
        elif _disk(self.folder) + _deleted(processes, self.folder) > self.limits.scratch:
            self.stop("disk")


def serve(listening, box, folder):
    """Answer connections on the socket `listening` until the process is killed.

    `box` is "bubblewrap", "landlock" or "none". `folder` holds a folder of sockets for each kernel.
    """
    chooser, kernels = selectors.DefaultSelector(), {}
    chooser.register(listening, selectors.EVENT_READ, "new")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    try:
        _loop(listening, box, folder, chooser, kernels)
    finally:
        for kernel in kernels.values():
            kernel.stop("stopped")
        for kernel in kernels.values():
            os.waitpid(kernel.guardian, 0)


def _loop(listening, box, folder, chooser, kernels):
    while True:
        for key, _ in chooser.select(TICK):
            if key.data == "new":
                client = listening.accept()[0]
                chooser.register(client, selectors.EVENT_READ, "client")
            elif key.data == "client":
                client = key.fileobj
                order = _receive(client)
                kernel = kernels.get(client)
                if kernel is None and order.startswith(b"{"):
                    request = json.loads(order)
                    limits = confinement.Limits(*request["limits"])
                    guardian = _fork(listening, kernels, box, folder, request, limits)
                    sockets = os.path.join(folder, request["name"])
                    kernels[client] = kernel = _Kernel(client, guardian, limits, sockets)
                    chooser.register(kernel.pidfd, selectors.EVENT_READ, kernel)
                elif order == b"INT" and kernel:
                    os.kill(kernel.guardian, signal.SIGINT)
                elif kernel:
                    kernel.stop("stopped")
                if order == b"":
                    chooser.unregister(client)
                    client.close()
            else:
                _end(key.data, chooser, kernels)
        for kernel in list(kernels.values()):
            kernel.watch()


def _receive(client):
    """The next line from a client; empty when it is gone."""
    data = b""
    with contextlib.suppress(OSError):
        while not data.endswith(b"\n"):
            piece = client.recv(65536)
            if not piece:
                return b""
            data += piece
    return data.strip()


def _end(kernel, chooser, kernels):
    os.waitpid(kernel.guardian, 0)
    chooser.unregister(kernel.pidfd)
    os.close(kernel.pidfd)
    kernels.pop(kernel.client, None)
    with contextlib.suppress(OSError):
        kernel.client.sendall(json.dumps({"ended": kernel.reason or "died"}).encode())
        kernel.client.shutdown(socket.SHUT_RDWR)


def _descendants(guardian):
    """Process ids of a guardian and of all its descendants."""
    found, waiting = [], [guardian]
    while waiting:
        found.append(waiting.pop())
        with contextlib.suppress(OSError, ValueError):
            for thread in os.listdir(f"/proc/{found[-1]}/task"):
                with open(f"/proc/{found[-1]}/task/{thread}/children") as file:
                    waiting += map(int, file.read().split())
    return found


def _threads(processes):
    total = 0
    for process in processes:
        with contextlib.suppress(OSError):
            total += len(os.listdir(f"/proc/{process}/task"))
    return total


def _memory(processes):
    """Resident bytes without pages of files; shared memory counts once for each process."""
    total = 0
    for process in processes:
        with contextlib.suppress(OSError), open(f"/proc/{process}/status") as file:
            for line in file:
                if line.startswith(("RssAnon:", "RssShmem:")):
                    total += int(line.split()[1]) * 1024
    return total


def _disk(folder):
    """Bytes below a folder, and 4096 for each entry; infinite where it may not be read."""
    total, waiting = 0, [folder]
    while waiting and total < 2**32:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    total += 4096 + entry.stat(follow_symlinks=False).st_blocks * 512
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
        except PermissionError:
            return float("inf")
        except OSError:  # gone since, or too deep for a path
            continue
    return total


def _deleted(processes, folder):
    """Bytes of deleted files on the folder's device that are still open."""
    total = 0
    with contextlib.suppress(OSError):
        device = os.stat(folder).st_dev
        for process in processes:
            with contextlib.suppress(OSError):
                for number in os.listdir(f"/proc/{process}/fd"):
                    about = os.stat(f"/proc/{process}/fd/{number}")
                    if about.st_dev == device and about.st_nlink == 0:
                        total += about.st_blocks * 512
    return total


def _fork(listening, kernels, box, folder, request, limits):
    """Fork the guardian of a new kernel; returns its process id."""
    gc.freeze()  # what is imported stays shared between all kernels
    guardian = os.fork()
    if guardian:
        return guardian
    try:
        listening.close()
        for kernel in kernels.values():
            kernel.client.close()
        _close_all_but(2)
        _guard(box, folder, request, limits)
    finally:
        os._exit(70)


def _close_all_but(last):
    for name in os.listdir("/proc/self/fd"):
        if int(name) > last:
            with contextlib.suppress(OSError):
                os.close(int(name))


def _guard(box, folder, request, limits):
    """Confine a child that becomes the kernel, wait for its end, leave nothing behind."""
    sockets = os.path.join(folder, request["name"])
    confinement.prctl(confinement.PARENT_DEATH, signal.SIGKILL)
    confinement.prctl(confinement.SUBREAPER, 1)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    if box == "bubblewrap":
        confinement.enter_namespaces()
    kernel = os.fork()
    if kernel == 0:
        try:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM, signal.SIGINT})
            scratch = _confine(box, sockets, folder, limits, request["user"])
            null = os.open(os.devnull, os.O_RDWR)  # the server's log is shared by all
            for descriptor in range(3):
                os.dup2(null, descriptor)
            os.close(null)
            _run_kernel(os.path.join(folder if box == "bubblewrap" else sockets, "c"), scratch)
        except BaseException as error:
            print(f"kernel: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
        finally:
            os._exit(71)
    pidfd = os.pidfd_open(kernel)
    while not select.select([pidfd], [], [], 0.02)[0]:
        pending = signal.sigtimedwait({signal.SIGTERM, signal.SIGINT}, 0.02)
        if pending and pending.si_signo == signal.SIGINT:
            os.kill(kernel, signal.SIGINT)
        elif pending:
            os.kill(kernel, signal.SIGKILL)
    os.waitpid(kernel, 0)
    if box != "bubblewrap":  # with bubblewrap, all processes ended with process 1
        _reap(request["user"])
    os._exit(0)


def _reap(user):
    """Kill all processes that the kernel has left behind, until there are none."""
    if user >= confinement.FIRST_USER and os.geteuid() == 0:  # all at once, so that none can fork
        killer = os.fork()
        if killer == 0:
            os.setresuid(user, user, user)
            os.kill(-1, signal.SIGKILL)
            os._exit(0)
        os.waitpid(killer, 0)
    while True:
        with open("/proc/thread-self/children") as file:
            children = list(map(int, file.read().split()))
        if not children:
            return
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(-1, 0)


def _confine(box, sockets, folder, limits, user):
    """Close the box around this process. Returns the folder where it may write."""
    devices = [f"/dev/{name}" for name in ("null", "zero", "full", "random", "urandom", "tty")]
    confinement.prctl(confinement.PARENT_DEATH, signal.SIGKILL)
    os.setsid()
    if box == "bubblewrap":
        confinement.own_files(sockets, limits)
        confinement.drop_privileges(user)
        confinement.limit_resources(limits)
        confinement.restrict_files(["/"], [confinement.SCRATCH, "/dev/shm", *devices], [folder])
        confinement.refuse_calls()
        scratch = confinement.SCRATCH
    elif box == "landlock":
        scratch = os.path.join(sockets, "scratch")
        process = os.path.realpath("/proc/self")
        system = ["/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/sys/devices/system", process]
        confinement.drop_privileges(user, keep_search=os.geteuid() == 0)
        confinement.limit_resources(limits)
        confinement.restrict_files(
            [*confinement.system_paths(), *system], [scratch, *devices], [sockets]
        )
        confinement.refuse_calls()
    else:
        scratch = os.path.join(sockets, "scratch")
        confinement.limit_resources(limits)
    # A change of user clears the signal for a parent's death and the dumpable flag. Without that
    # flag, which main() clears too, no process of ours may look inside.
    confinement.prctl(confinement.PARENT_DEATH, signal.SIGKILL)
    confinement.prctl(confinement.DUMPABLE, 1)
    return scratch


def _run_kernel(connection, scratch):
    """Become an IPython kernel that talks over the sockets named in the file `connection`."""
    os.environ |= {"HOME": scratch, "TMPDIR": scratch, "IPYTHONDIR": f"{scratch}/.ipython"}
    os.chdir(scratch)
    tempfile.tempdir = None  # an import in the server may have cached another folder
    random_bytes = os.urandom(8)
    import random

    random.seed(random_bytes)
    from ipykernel.kernelapp import IPKernelApp

    application = IPKernelApp.instance()
    application.initialize(
        ["-f", connection, "--HistoryManager.enabled=False", "--IPKernelApp.log_level=50"]
    )
    application.start()


def main():
    box, folder, descriptor, *warm = sys.argv[1:]
    confinement.prctl(confinement.DUMPABLE, 0)
    if box != "bubblewrap":  # bubblewrap itself dies with its parent, and so does all inside
        confinement.prctl(confinement.PARENT_DEATH, signal.SIGTERM)
    if box == "bubblewrap" and os.geteuid() == 0:
        confinement.mount("proc", "/proc", "proc", confinement.MS_NOSUID_NODEV)
    for module in warm if box == "none" else ("pyseccomp", *warm):
        with contextlib.suppress(ImportError):  # some names are not modules
            importlib.import_module(module)
    listening = socket.socket(fileno=int(descriptor))
    serve(listening, box, folder)


if __name__ == "__main__":
    main()
