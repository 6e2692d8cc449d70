"""Kernels for students' code: a server that forks them, and nbval's interface to one of them."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import uuid
import weakref
from pathlib import Path
from queue import Empty

import zmq
from jupyter_client import BlockingKernelClient
from nbval.kernel import RunningKernel

from . import box
from .confinement import Limits, claim_user
from .values import LARGEST

# The longest message that is read, in bytes: on "shell" an answer in base64, on "iopub" a picture.
LARGEST_MESSAGE = {"iopub": 16 * 2**20, "shell": LARGEST * 4 // 3 + 2**20}
MOST = 500_000  # lists and dictionaries in a message
GROWTH = 2**30  # bytes that this process may grow by while it waits for a message
TICK = 0.1


class KernelEnded(BaseException):
    """The kernel is gone. `reason` is a key of plugin.STOPPED.

    Not an Exception, so that no check takes it for one that a student's function raised.
    """

    def __init__(self, reason):
        self.reason = reason
        super().__init__(f"the kernel ended: {reason}")


class Server:
    """A running kernel server. A context manager; leaving it ends all its kernels.

    Parameters
    ----------
    kind : str
        The box, one of ``box.KINDS``, as :func:`box.choose` gives it.
    warm : sequence of str
        Modules to import before any kernel is forked.
    start_seconds : float
        How long these imports may take.

    Raises
    ------
    box.NoBox
        If the server does not start; the message holds the server's output.
    """

    def __init__(self, kind, warm=("numpy",), start_seconds=180):
        self.kind = kind
        self.folder = Path(tempfile.mkdtemp(prefix="grade-"))
        self.sockets = self.folder / "k"
        self.sockets.mkdir()
        for folder in (self.folder, self.sockets):
            folder.chmod(0o711)
        inside = box.INSIDE if kind == "bubblewrap" else str(self.sockets)
        with socket.socket(socket.AF_UNIX) as listening:
            self.path = str(self.folder / "server")
            listening.bind(self.path)
            os.chmod(self.path, 0o600)
            listening.listen(64)
            number = listening.fileno()
            command = [sys.executable, "-P", "-m", "course.grading.server", kind, inside]
            command += [str(number), "ipykernel.kernelapp", "course.grading.boundary", *warm]
            if kind == "bubblewrap":
                command = box.enclose(command, self.sockets)
            self.log = tempfile.TemporaryFile(dir=self.folder)  # noqa: SIM115
            self.process = subprocess.Popen(
                command, env=box.environment(kind), pass_fds=[number], start_new_session=True,
                stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
            )  # fmt: skip
        self._await(start_seconds)

    def _await(self, seconds):
        """Start one kernel and stop it, so that a server that cannot start any is noticed at once."""
        try:
            BoxedKernel(self, Limits(), seconds).stop()
        except (Exception, KernelEnded) as error:
            self.log.seek(0)
            said = self.log.read().decode(errors="replace").strip()[-2000:]
            self.close()
            raise box.NoBox(f"The box {self.kind!r} did not start: {said or error}") from None

    def close(self):
        if self.kind != "bubblewrap":  # no namespace ends with it: it must end its kernels
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(10)
        self.process.kill()
        self.process.wait()
        self.log.close()
        remove(self.folder)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()


class Place:
    """How to reach a server from a process other than the one that started it."""

    def __init__(self, server):
        self.kind, self.path, self.sockets = server.kind, server.path, Path(server.sockets)


class BoxedKernel(RunningKernel):
    """nbval's kernel, forked by a server. Its end is noticed at once, its output is bounded.

    Parameters
    ----------
    server : Server or Place
    limits : Limits
    start_seconds : float
    output : int
        Characters of iopub messages that it may send between two calls of :meth:`within`.
    """

    def __init__(self, server, limits, start_seconds=60, output=8 * 2**20):
        self.km = None  # nbval's kernel manager; the server is ours
        self.limits, self.output, self.left, self.deadline = limits, output, output, None
        self.end = None  # the KernelEnded that :meth:`ended` gives, once there is one
        self.name = uuid.uuid4().hex[:12]
        self.folder = server.sockets / self.name
        self.user, self.claim, self.grown = os.geteuid(), None, _resident() + GROWTH
        if self.user == 0 and server.kind != "none":
            self.user, self.claim = claim_user()
        self._make_folder(server.kind)
        self.kc = BlockingKernelClient()
        # A zmq context that is garbage-collected waits forever for sockets that were collected before.
        self._close_channels = weakref.finalize(self, _close_channels, self.kc)
        self.kc.load_connection_info(self._connection(str(self.folder)))
        self.kc.session.unpack = unpack
        self.control = socket.socket(socket.AF_UNIX)
        try:
            for channel, most in LARGEST_MESSAGE.items():
                self.kc.context.setsockopt(zmq.MAXMSGSIZE, most)
                getattr(self.kc, f"{channel}_channel")
            self.control.connect(server.path)
            request = {"name": self.name, "limits": list(limits), "user": self.user}
            self.control.sendall(json.dumps(request).encode() + b"\n")
            self.control.setblocking(False)
            self.kc.start_channels(hb=False, stdin=False)
            self.deadline = time.monotonic() + start_seconds
            self._ensure_iopub_up()
        except BaseException:
            self.stop()
            raise

    def _make_folder(self, kind):
        self.folder.mkdir(mode=0o750)
        scratch = self.folder / "scratch"
        inside = box.INSIDE if kind == "bubblewrap" else str(self.folder)
        connection = self.folder / "c"
        connection.write_text(json.dumps(self._connection(inside)))
        if kind != "bubblewrap":
            scratch.mkdir()
        if self.claim:  # the group stays root: the server may be root without rights over files
            for path in (self.folder, connection, scratch):
                with contextlib.suppress(FileNotFoundError):
                    os.chown(path, self.user, -1)

    def _connection(self, folder):
        names = ("shell", "iopub", "stdin", "control", "hb")
        ports = {f"{name}_port": number for number, name in enumerate(names, 1)}
        self.key = getattr(self, "key", uuid.uuid4().hex)
        return ports | {
            "transport": "ipc", "ip": f"{folder}/s", "key": self.key, "signature_scheme": "hmac-sha256"
        }  # fmt: skip

    def _ensure_iopub_up(self):
        """As nbval's, but faster: that waits a second for each message sent before iopub was connected."""
        while True:
            message = self.kc.kernel_info()
            self.await_reply(message, timeout=None)
            with contextlib.suppress(Empty):
                return self.await_idle(message, 0.05)

    def is_alive(self):
        return self.ended() is None

    def ended(self):
        """None while the kernel lives, else a KernelEnded that says why it ended.

        The server says why only once, so the answer is kept.
        """
        if self.end is None and self.control.fileno() < 0:
            self.end = KernelEnded("stopped")
        if self.end is not None:
            return self.end
        try:
            said = self.control.recv(4096)
        except BlockingIOError:
            return None
        except OSError:
            said = b""
        self.control.close()
        self.end = KernelEnded(json.loads(said)["ended"] if said else "died")
        return self.end

    def within(self, seconds):
        """Give the kernel this many seconds for what comes next, and reset its output allowance."""
        self.deadline, self.left = time.monotonic() + seconds, self.output
        self.grown = _resident() + GROWTH

    def get_message(self, stream, timeout=None):
        """The next message of `stream`, "iopub" or "shell".

        Raises Empty after `timeout` seconds. Raises KernelEnded if the kernel is gone, has used up
        the time of :meth:`within`, has sent more than it may, or has sent something that is not a
        Jupyter message.
        """
        until = time.monotonic() + (1e9 if timeout is None else timeout)
        while True:
            try:
                message = super().get_message(stream, timeout=min(TICK, timeout or TICK))
            except Empty:
                ended = self.ended()
                if ended:
                    raise ended from None
                if time.monotonic() > until:
                    raise
            except Exception:  # student code knows the key, so a signed message may hold anything
                self._overrun("forged")
            else:
                if not all(type(message.get(key)) is dict for key in ("parent_header", "content")):
                    self._overrun("forged")
                if stream == "iopub":
                    self.left -= len(str(message["content"]))
                if self.left < 0:
                    self._overrun("output")
                return message
            finally:
                if _resident() > self.grown:  # unread messages pile up
                    self._overrun("output")
                if self.deadline and time.monotonic() > self.deadline:
                    self._overrun("time")

    def await_reply(self, message, timeout=None):
        """As nbval's, without a look at what the reply says."""
        while self.get_message("shell", timeout)["parent_header"].get("msg_id") != message:
            pass

    def _overrun(self, reason):
        ended = self.ended() or KernelEnded(reason)  # the server may have ended it first
        self.stop()
        self.end = ended
        raise ended

    def interrupt(self):
        self._order(b"INT\n")

    def _order(self, order):
        with contextlib.suppress(OSError):
            self.control.setblocking(True)
            self.control.sendall(order)
            self.control.setblocking(False)

    def stop(self):
        """End the kernel and all that it started; wait until it is gone."""
        if self.control.fileno() >= 0:
            self._order(b"KILL\n")
            self.control.setblocking(True)
            self.control.settimeout(10)
            with contextlib.suppress(OSError):
                while self.control.recv(4096):
                    pass
            self.control.close()
        self._close_channels()
        remove(self.folder)
        if self.claim:
            self.claim.close()


def _close_channels(client):
    client.stop_channels()
    client.context.destroy(linger=0)


def unpack(data):
    """A part of a message, parsed as JSON. Raises ValueError if that would take far more memory."""
    data = bytes(data)
    if data.count(b"[") + data.count(b"{") > MOST or data.count(b",") > 20 * MOST:
        raise ValueError("a message of too many parts")
    return json.loads(data)


def remove(folder):
    """Delete a folder that a student's code has written to; no depth and no mode stops it."""
    for command in (["chmod", "-R", "u+rwx"], ["rm", "-rf"]):
        subprocess.run([*command, "--", str(folder)], stderr=subprocess.DEVNULL)


def _resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
