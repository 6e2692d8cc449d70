"""The lines that bring the course to Colab and Kaggle, run where it is missing.

The machine is a virtual environment of its own: all the packages of this one, and no course.
"""

import http.server
import importlib.metadata
import json
import os
import shutil
import site
import subprocess
import sys
import threading
import zipfile
from functools import partial
from pathlib import Path

import nbformat
import pytest
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from course import notebooks
from course.kaggle import wheel
from course.notebooks import cloud, replay
from course.notebooks.formatting import ANSI

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]
ARCHIVE = f"https://github.com/{cloud.repository()}/archive/{cloud.BRANCH}.zip"
MOUNT = "/kaggle/input"
NOWHERE = "http://127.0.0.1:9"
STAYS = ("tensorflow", "keras", "numpy", "opencv-python-headless")


class Machine:
    """A rented machine: its Python, what is mounted, and how far its network reaches."""

    def __init__(self, folder):
        self.folder, self.mount = folder, folder / "input"
        self.mount.mkdir()
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
        self.python = folder / "venv" / "bin" / "python"
        (own,) = (folder / "venv").glob("lib/python*/site-packages")
        # .pth files in a folder that a .pth file names are not read: the course stays unseen.
        (own / "others.pth").write_text("\n".join(site.getsitepackages()))
        self.own = own

    def installed(self):
        """Names of the packages that are this machine's alone."""
        return sorted(path.name.split("-")[0] for path in self.own.glob("*.dist-info"))

    def run(self, notebook, **variables):
        """Execute `notebook` as Colab or Kaggle would."""
        for cell in notebook.cells:
            if cell.cell_type == "code" and cell.source.startswith("try:\n    import course"):
                assert MOUNT in cell.source
                cell.source = cell.source.replace(MOUNT, str(self.mount))
                for old, new in variables.pop("replace", {}).items():
                    assert old in cell.source
                    cell.source = cell.source.replace(old, new)
        ours = ("PYTHONPATH", "COURSE_CACHE", "CI")
        environment = {name: value for name, value in os.environ.items() if name not in ours}
        environment |= {
            "HOME": str(self.folder),
            "COURSE_SCALE": "smoke",
            "COURSE_DATA": "synthetic",
        }
        manager = AsyncKernelManager(
            kernel_name="python3", kernel_spec_manager=_Kernel(self.python)
        )
        client = NotebookClient(notebook, km=manager, timeout=300)
        client.execute(env=environment | variables, cwd=str(self.folder))
        return notebook


class _Kernel(KernelSpecManager):
    def __init__(self, python):
        super().__init__()
        self.python = str(python)

    def get_kernel_spec(self, kernel_name):
        argv = [self.python, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        return KernelSpec(argv=argv, display_name="Python 3", language="python")


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The course's wheel."""
    return wheel.build(tmp_path_factory.mktemp("wheel"))


def without_network():
    return {name: NOWHERE for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")}


def setup_of(lesson, then=""):
    """A notebook of the lesson's setup cell alone, and a cell that says what there is."""
    cell = next(c for c in notebooks.read(lesson).cells if c.cell_type == "code")
    cells = [nbformat.v4.new_code_cell(cell.source)]
    return nbformat.v4.new_notebook(
        cells=[*cells, nbformat.v4.new_code_cell(then)] if then else cells
    )


LESSON = notebooks.find(["00"])[0]
SAY = f"""
import importlib.metadata, json
print(json.dumps([course.__file__, {{n: importlib.metadata.version(n) for n in {STAYS!r}}}]))"""


def test_from_an_attached_wheel_without_a_network(machine, built):
    folder = machine.mount / "datasets" / "somebody" / "segmentation-course-wheel"
    folder.mkdir(parents=True)
    shutil.copy(built, folder)
    before = {name: importlib.metadata.version(name) for name in STAYS}
    ran = machine.run(setup_of(LESSON, SAY), **without_network())
    said = "".join(output.text for output in ran.cells[0].outputs)
    assert f"Adding the course from {folder / built.name}" in said
    assert "Ready: local" in said
    where, versions = json.loads(ran.cells[1].outputs[0].text)
    assert Path(where).is_relative_to(machine.own)
    assert versions == before
    assert machine.installed() == ["segmentation_course"]


def test_from_the_repository(machine, tmp_path):
    """pip builds what GitHub packs; the package index is within reach, as on Colab."""
    (tmp_path / "web").mkdir()
    with zipfile.ZipFile(tmp_path / "web" / "main.zip", "w") as archive:
        for name in wheel.SOURCES:
            paths = [ROOT / name] if (ROOT / name).is_file() else (ROOT / name).rglob("*")
            for path in paths:
                if path.is_file() and "__pycache__" not in path.parts:
                    archive.write(path, Path("repository-main", path.relative_to(ROOT)))
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=tmp_path / "web")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/main.zip"
        ran = machine.run(setup_of(LESSON, SAY), replace={ARCHIVE: address})
        server.shutdown()
    assert Path(json.loads(ran.cells[1].outputs[0].text)[0]).is_relative_to(machine.own)
    assert machine.installed() == ["segmentation_course"]


def test_without_network_and_wheel_it_says_what_to_do(machine):
    with pytest.raises(CellExecutionError) as caught:
        machine.run(setup_of(LESSON), **without_network())
    said = ANSI.sub("", str(caught.value))
    assert "ModuleNotFoundError: No module named 'course'" in said
    assert "switch the internet on; at home, choose the kernel" in said.partition("Traceback")[2]


def test_where_the_course_is_nothing_happens(machine, built):
    shutil.copytree(ROOT / "course", machine.folder / "course")
    ran = machine.run(setup_of(LESSON), **without_network())
    assert "Adding" not in ran.cells[0].outputs[0].text
    assert machine.installed() == []


@pytest.mark.parametrize("place", ["14_showdown", "exercises/02_measuring"])
def test_what_needs_files_of_the_repository_finds_them_in_the_wheel(machine, built, place):
    """A lesson's cells that read stored results; an exercise whose stubs are not attempted."""
    shutil.copy(built, machine.mount)
    path = notebooks.FOLDER / f"{place}.ipynb"
    notebook = notebooks.read(path)
    if place.startswith("14"):
        notebook.cells = [cell for cell in notebook.cells if cell.id in ("setup", "larger")]
        ran = machine.run(notebook, **without_network())
        failed = {failure.cell for failure in replay.compare(path, ran)}
        assert "larger" not in failed
        return
    with pytest.raises(CellExecutionError, match="iou_with_ignore"):  # its task is not attempted
        notebook.cells = [c for c in notebook.cells if not c.source.startswith("def ")]
        machine.run(notebook, **without_network())
    assert machine.installed() == ["segmentation_course"]
