"""What is pushed to Kaggle, as folders that its package takes: a lesson's notebook and metadata."""

import posixpath
import re
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import nbformat
from nbformat.v4 import new_code_cell

from course import notebooks
from course.data.dataset import KAGGLE_MOUNT, KAGGLE_SLUG
from course.notebooks import cloud
from course.notebooks.execution import PACKAGE_ROOT

from . import files, wheel

GPU = "NvidiaTeslaT4"
# Progress bars would fill the log. Named by COURSE_DATA, the photographs cannot be missing in
# silence: a lesson that does not find them fails.
REAL = {"COURSE_DATA": KAGGLE_MOUNT, "COURSE_PROGRESS": "0"}
RECORD = """\
{bring}
# Keeps what each cell prints in {name}, for `python -m course kaggle fetch`.
import os

os.environ.update({settings})
try:
    from course.kaggle import recording
except ImportError as error:  # the lesson runs without
    print(f"{name} is not recorded ({{error}}).")
else:
    recording.start("{name}", mode="{mode}")"""
PICTURES = (".gif", ".jpeg", ".jpg", ".png", ".svg")
CODE = re.compile(r"(^ *(?:```|~~~).*?^ *(?:```|~~~)|`[^`\n]+`)", re.M | re.S)


class Run(NamedTuple):
    """How Kaggle shall run a lesson.

    Parameters
    ----------
    stored : bool
        On the synthetic scenes at the smallest scale, as the stored outputs were made, so that
        they can be compared; else on the real photographs.
    internet : bool
        With the internet on, and the course taken from GitHub; else from the wheel.
    machine : str
        Kaggle's name of a machine, or ``"cpu"``.
    """

    stored: bool = False
    internet: bool = False
    machine: str = GPU

    @property
    def mode(self):
        return "stored" if self.stored else "real"


def slug(path):
    """What the lesson in the file `path` is called on Kaggle, behind the user's name."""
    return f"segmentation-course-{path.stem.replace('_', '-')}"


def write(path, out, user, run):
    """Write the folder that pushes a lesson.

    Parameters
    ----------
    path : Path
        The stored lesson.
    out : path
        The folder is ``<out>/<lesson>``; what an earlier call left there goes.
    user : str
        Whose notebook it becomes on Kaggle.
    run : Run

    Returns
    -------
    Path
        The folder: the notebook and ``kernel-metadata.json``.

    Raises
    ------
    ValueError
        If the machine cannot be one of Kaggle's, or the lesson does not parse.
    KaggleError
        If the folder holds what no earlier call has written, or cannot be written to.
    """
    about = metadata(path, user, run)
    notebook = to_push(notebooks.read(path), path, run)
    folder = Path(out) / path.stem
    with files.errors_explained():
        files.begin(folder, "kernel-metadata.json", about)
        nbformat.write(notebook, folder / path.name)
    return folder


def metadata(path, user, run):
    """The ``kernel-metadata.json`` of a lesson, as a dictionary."""
    kind = accelerator(run.machine)
    datasets = [] if run.stored else [KAGGLE_SLUG]
    return {
        "id": f"{user}/{slug(path)}",
        "title": slug(path).replace("-", " ").capitalize(),  # Kaggle makes the id's slug of it
        "code_file": path.name,
        "language": "python",
        "kernel_type": "notebook",
        "is_private": True,
        "machine_shape": run.machine if kind else "",
        "enable_gpu": kind == "gpu",  # deprecated, and read where there is no machine
        "enable_tpu": kind == "tpu",
        "enable_internet": run.internet,
        "dataset_sources": datasets if run.internet else [*datasets, f"{user}/{wheel.SLUG}"],
        "competition_sources": [],
        "kernel_sources": [],
        "model_sources": [],
        "docker_image_pinning_type": "latest",
    }


def accelerator(machine):
    """What a machine of Kaggle's computes on, by its name: ``"gpu"``, ``"tpu"`` or ``""``.

    Raises ValueError for a name that cannot be one.
    """
    if machine == "cpu":
        return ""
    for prefix, kind in ("Nvidia", "gpu"), ("Tpu", "tpu"):
        if machine.startswith(prefix):
            return kind
    raise ValueError(
        f"{machine!r} is no machine of Kaggle's. Expected cpu, or a name that `kaggle kernels push "
        f"--help` gives, such as {GPU} or TpuV5E8."
    )


def to_push(notebook, path, run, root=PACKAGE_ROOT):
    """A lesson, a NotebookNode from the file `path`, made ready to run far from its repository.

    Its outputs go; its links to files of the repository become links to GitHub; a cell after the
    title brings the course, sets the environment and starts the record.
    """
    repository = cloud.repository(root)
    place = path.resolve().relative_to(root.resolve()).parent.as_posix()
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
        elif cell.cell_type == "markdown":
            cell.source = link_to_github(cell.source, place, repository)
    settings = notebooks.REFRESH if run.stored else REAL
    source = RECORD.format(
        bring=cloud.bring(repository), name=path.name, settings=settings, mode=run.mode
    )
    notebook.cells.insert(1, new_code_cell(source, id="kaggle-run"))
    return notebook


def link_to_github(source, place, repository):
    """Markdown with its relative links, seen from the folder `place`, made absolute.

    Anchors in the page, links that are absolute and whatever stands in code stay.
    """

    def absolute(link):
        parts = urlsplit(link[1])
        if parts.scheme or parts.netloc or not parts.path:
            return link[0]
        target = posixpath.normpath(posixpath.join(place, parts.path))
        kind = "raw" if target.lower().endswith(PICTURES) else "blob"
        there = f"https://github.com/{repository}/{kind}/{cloud.BRANCH}/{target}"
        rest = link[1][len(parts.path) :]
        return f"]({there}{rest}"

    parts = CODE.split(source)  # text and code by turns
    parts[::2] = [re.sub(r"\]\(([^)\s]+)", absolute, text) for text in parts[::2]]
    return "".join(parts)
