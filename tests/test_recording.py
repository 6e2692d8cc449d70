"""A kernel that keeps what its cells print: the same as those see who look on."""

import copy
import json
import platform
import subprocess
import sys
from types import SimpleNamespace

import nbformat
import pytest
from IPython.core.events import EventManager
from jupyter_client import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import DeadKernelError
from nbformat.v4 import new_code_cell, new_notebook

from course import notebooks
from course.kaggle import folders, recording
from course.notebooks import formatting
from course.notebooks.execution import _ThisInterpreter, kernel_environment
from course.version import __version__

pytestmark = pytest.mark.kernels

START = 'from course.kaggle import recording\nrecording.start("record.ipynb", mode="stored")'
CELLS = [
    "import sys\nprint('out')\nprint('err', file=sys.stderr)\n1 + 1",
    "from IPython.display import display, clear_output\n"
    "shown = display('a', display_id='x')\nprint('b')",
    "shown.update('c')\nfor i in range(3):\n    clear_output(wait=True)\n    print(i)",
    "print('gone')\nclear_output()\n'stays'",
    "import matplotlib.pyplot as plt\nfrom course import plots\n"
    "plt.plot([1, 2])\nplots.show('A line that rises from one to two, for this test.')",
    "import asyncio\nawait asyncio.sleep(0.01)\nprint('later')",
    "import threading\nthread = threading.Thread(target=lambda: print('beside'))\n"
    "thread.start()\nthread.join()",
    "get_ipython().run_cell('print(5)')\n7",
    "!echo shell",
    "print(1, end='')\nprint(2, end='', flush=True)\nprint(3)",
    "def broken(:",
    "print('half')\nraise ValueError('too small')",
    "'after the error'",
    "",
]


def run(folder, *sources):
    """Execute cells in a kernel that works in `folder`, errors or not; the executed notebook."""
    notebook = new_notebook(cells=[new_code_cell(source) for source in sources])
    kernel = AsyncKernelManager(kernel_name="python3", kernel_spec_manager=_ThisInterpreter())
    client = NotebookClient(notebook, km=kernel, allow_errors=True, coalesce_streams=True)
    with client.setup_kernel(cleanup_kc=True, cwd=str(folder), env=kernel_environment()):
        for index, cell in enumerate(notebook.cells):
            client.execute_cell(cell, index)
    return notebook


def recorded(folder):
    notebook = nbformat.read(folder / "record.ipynb", as_version=4)
    nbformat.validate(notebook)
    return notebook


def comparable(cell):
    """Source, execution count and outputs; pictures in one line, as nbformat leaves them here."""
    outputs = copy.deepcopy(cell.outputs)
    for output in outputs:
        if "image/png" in output.get("data", {}):
            output.data["image/png"] = output.data["image/png"].replace("\n", "")
    return cell.source, cell.execution_count, outputs


def test_the_record_is_what_others_see(tmp_path):
    executed = run(tmp_path, START, *CELLS)
    record = recorded(tmp_path)
    ran = [cell for cell in executed.cells if cell.source]  # an empty one is not sent
    assert [cell.source for cell in record.cells] == [cell.source for cell in ran]
    for mine, theirs in zip(record.cells, ran, strict=True):
        assert comparable(mine) == comparable(theirs)
    about = {"course": __version__, "python": platform.python_version(), "mode": "stored"}
    assert record.metadata["course"] == about, "versions of what no cell has loaded"
    assert record.metadata["kernelspec"] == formatting.KERNEL
    assert not list(tmp_path.glob(".*")), "a part was left behind"


def test_the_cell_that_starts_it_is_in_it(tmp_path):
    run(tmp_path, f"print('before', flush=True)\n{START}\nprint('after')\n3")
    (cell,) = recorded(tmp_path).cells
    assert cell.source.endswith("print('after')\n3")
    assert "after\n" in "".join(output.get("text", "") for output in cell.outputs)
    assert cell.outputs[-1].data["text/plain"] == "3"
    assert cell.execution_count == 1


def test_a_kernel_that_dies_leaves_the_cell_it_died_in(tmp_path):
    with pytest.raises((DeadKernelError, RuntimeError)):
        run(tmp_path, START, "print(1)", "import os\nos._exit(1)", "print(2)")
    cells = recorded(tmp_path).cells
    assert [cell.execution_count for cell in cells] == [1, 2, None]
    assert cells[2].source == "import os\nos._exit(1)"


def test_a_second_start_begins_anew(tmp_path):
    run(tmp_path, START, "print(1)", START, "print(2)")
    assert [cell.source for cell in recorded(tmp_path).cells] == [START, "print(2)"]


def test_a_record_that_cannot_be_written_stops_nothing(tmp_path):
    executed = run(
        tmp_path,
        "import os\nos.mkdir('here')\n" + START.replace('"record', '"here/record'),
        "os.remove('here/record.ipynb')\nos.rmdir('here')\nprint('one')",
        "print('two')",
        "1 / 0",
        START.replace('"record', '"nowhere/record'),
    )
    first, second, third, fourth, fifth = (
        "".join(output.get("text", "") for output in cell.outputs) for cell in executed.cells
    )
    assert first == ""
    assert second.startswith("one\nrecord.ipynb is not recorded further (FileNotFoundError: ")
    assert second.count("\n") == 2
    assert (third, fourth) == ("two\n", "")
    assert executed.cells[3].outputs[0].ename == "ZeroDivisionError"
    assert fifth.startswith("record.ipynb is not recorded further (FileNotFoundError: ")


@pytest.fixture
def recorder(tmp_path):
    """A recorder of a shell that does nothing."""
    session = SimpleNamespace(send=lambda *arguments: None)
    events = EventManager(None, ["pre_run_cell", "post_run_cell"])
    shell = SimpleNamespace(kernel=SimpleNamespace(session=session), events=events)
    return recording._Recorder(tmp_path / "record.ipynb", "", shell)


def test_a_thread_that_fails_after_another_has_said_so_says_nothing(recorder, capsys):
    def fail():
        recorder.stop()  # as the other thread does, between our check and our step
        raise OSError("disk full")

    recorder._guarded(fail)
    assert capsys.readouterr().out == ""


def test_a_write_that_is_overtaken_by_the_end_does_not_fail(recorder, capsys):
    def write():
        recorder.stop()
        recorder._write()

    recorder._guarded(write)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("missing", ["nbformat", "course.kaggle.recording"])
def test_a_lesson_runs_where_the_recorder_cannot_be_imported(tmp_path, missing):
    (path,) = notebooks.find(["06"])
    source = folders.to_push(notebooks.read(path), path, folders.Run(stored=True)).cells[1].source
    without = f"import sys\nsys.modules['{missing}'] = None"
    executed = run(tmp_path, without, source, "import os\nos.environ['COURSE_DATA']")
    (said,) = executed.cells[1].outputs
    assert said.text.startswith("06_fcn.ipynb is not recorded (")
    assert missing in said.text
    assert said.text.count("\n") == 1
    assert executed.cells[2].outputs[0].data["text/plain"] == "'synthetic'"


def test_nothing_is_imported_for_it(tmp_path):
    heavy = {"keras", "tensorflow", "jax", "torch", "kaggle"}
    heavy |= {"course.notebooks", "nbconvert", "bs4", "nbclient"}  # may be missing on Kaggle
    executed = run(tmp_path, START, f"import sys\nsorted({heavy} & {{*sys.modules}})")
    assert executed.cells[1].outputs[0].data["text/plain"] == "[]"


@pytest.mark.parametrize("first", ["", "import IPython; "])
def test_plain_python_is_refused(tmp_path, first):
    code = first + START.replace("\n", "; ")
    process = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path, env=kernel_environment(), capture_output=True, text=True,
    )  # fmt: skip
    assert process.returncode == 1
    assert "RuntimeError: Only the kernel of a notebook can be recorded" in process.stderr
    assert list(tmp_path.iterdir()) == []


def test_what_is_said_of_the_machine(monkeypatch):
    monkeypatch.setattr(recording.environment, "device", lambda: "gpu")
    monkeypatch.setattr(recording.environment, "backend", lambda: "json")
    monkeypatch.setitem(sys.modules, "keras", json)
    loaded = type("Loaded", (), {"cache_info": lambda: type("Info", (), {"currsize": 1})})
    monkeypatch.setattr(recording.environment, "import_keras", loaded)
    found = recording.machine()
    assert found["device"] == "gpu"
    assert found["keras"] == found["json"] == json.__version__
