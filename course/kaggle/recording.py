"""Keep what the cells of a running notebook print, from inside its kernel.

Kaggle runs a notebook that is pushed to it and gives back the files that the run wrote, but not
the executed notebook. So the run writes that itself: every message that the kernel sends to those
who look on passes through here, and after each cell the record is a whole notebook on disk.

A lesson never fails for its record: where the recorder fails, it says so in one line and stops.
What a forked process prints is not in the record, for the fork sends it.
"""

import collections
import os
import platform
import sys
import threading
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_notebook, output_from_msg

from course import environment
from course.version import __version__

# As course.notebooks.formatting has it, whose imports a machine of Kaggle's may lack.
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
KINDS = {
    "clear_output", "display_data", "error", "execute_result", "stream", "update_display_data"
}  # fmt: skip
_running = None


def start(path, mode=""):
    """Record the cell that calls this and all that run after it.

    What the calling cell printed before the call is left out. A second call ends the first record.

    Parameters
    ----------
    path : path
        The notebook to write. It is replaced in one step, at the start and the end of each cell;
        a cell that has begun and not ended has no execution count.
    mode : str
        Kept in the notebook's metadata, under ``course.mode``.

    Raises
    ------
    RuntimeError
        Outside a notebook.
    """
    global _running
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if not hasattr(shell, "kernel"):
        raise RuntimeError(
            "Only the kernel of a notebook can be recorded, and this is plain Python. Call "
            "recording.start() in a notebook's cell."
        )
    if _running:
        _running.stop()
    _running = _Recorder(Path(path).absolute(), mode, shell)
    _running.start()


class _Recorder:
    def __init__(self, path, mode, shell):
        self.path, self.mode, self.shell = path, mode, shell
        self.running = True
        self.session = shell.kernel.session
        self.cells = {}  # id of the request that runs a cell → the cell
        self.shown = collections.defaultdict(list)  # display id → outputs
        self.to_clear = set()  # cells whose outputs go when the next one comes
        # Streams are sent from a thread of the kernel's own.
        self.lock, self.process = threading.Lock(), os.getpid()

    def start(self):
        self.send, self.session.send = self.session.send, self._sent
        self.shell.events.register("pre_run_cell", self._begun)
        self.shell.events.register("post_run_cell", self._ended)
        self._begun()

    def stop(self):
        """End the record; returns whether it had not been ended before, from another thread say."""
        with self.lock:
            running, self.running = self.running, False
        if self.session.send == self._sent:  # else somebody has hooked in after us
            self.session.send = self.send
        for event, function in ("pre_run_cell", self._begun), ("post_run_cell", self._ended):
            if function in self.shell.events.callbacks[event]:
                self.shell.events.unregister(event, function)
        return running

    def _guarded(self, step, *arguments):
        if not self.running:
            return
        try:
            step(*arguments)
        except Exception as error:
            why = " ".join(str(error).split())[:200]
            if self.stop():
                print(f"{self.path.name} is not recorded further ({type(error).__name__}: {why}).")

    # What the kernel calls

    def _begun(self, info=None):
        self._guarded(self._begin)

    def _ended(self, result):
        self._guarded(self._end, result)

    def _sent(self, *arguments, **options):
        message = self.send(*arguments, **options)
        if os.getpid() == self.process and message:  # a fork may have got the lock locked
            self._guarded(self._take, message)
        return message

    # What is done then

    def _begin(self):
        request = self.shell.get_parent()
        with self.lock:  # a cell may run code as a cell itself: that belongs to it
            self.cells.setdefault(
                request["header"]["msg_id"], new_code_cell(request["content"]["code"])
            )
        self._write()

    def _end(self, result):
        for stream in sys.stdout, sys.stderr:  # what waits there belongs to this cell
            stream.flush()
        cell = self.cells[self.shell.get_parent()["header"]["msg_id"]]
        cell.execution_count = result.execution_count or len(self.cells)
        self._write()

    def _take(self, message):
        """Add what a message shows to its cell's outputs, as a front end would."""
        kind, cell = message["header"]["msg_type"], message["parent_header"].get("msg_id")
        if cell not in self.cells or kind not in KINDS:
            return
        # As it arrives: pictures are bytes here, and text there.
        content = self.session.unpack(self.session.pack(message["content"]))
        with self.lock:
            if kind == "clear_output":
                self.to_clear.add(cell)
                if not content.get("wait"):
                    self._clear(cell)
            elif kind == "update_display_data":
                for output in self.shown[content["transient"]["display_id"]]:
                    output.update(data=content["data"], metadata=content["metadata"])
            else:
                self._clear(cell)
                output = output_from_msg({"header": message["header"], "content": content})
                self._add(self.cells[cell].outputs, output, content)

    def _clear(self, cell):
        if cell in self.to_clear:
            self.to_clear.remove(cell)
            self.cells[cell].outputs = []

    def _add(self, outputs, output, content):
        last = outputs[-1] if outputs else None
        if last and output.output_type == last.output_type == "stream" and output.name == last.name:
            last.text += output.text
            return
        outputs.append(output)
        if display := content.get("transient", {}).get("display_id"):
            self.shown[display].append(output)

    def _write(self):
        with self.lock:
            metadata = {"kernelspec": KERNEL, "course": {"mode": self.mode} | machine()}
            notebook = new_notebook(cells=list(self.cells.values()), metadata=metadata)
            text = nbformat.writes(notebook)
        beside = self.path.with_name(f".{self.path.name}.part")
        beside.write_text(text + "\n", encoding="utf-8")
        os.replace(beside, self.path)


def machine():
    """Versions and device, as far as they are loaded: nothing is imported or started for this."""
    found = {"course": __version__, "python": platform.python_version()}
    if not environment.import_keras.cache_info().currsize:  # the setup has not searched the device
        return found
    found["device"], backend = environment.device(), environment.backend()
    return found | {name: sys.modules[name].__version__ for name in ("keras", backend)}
