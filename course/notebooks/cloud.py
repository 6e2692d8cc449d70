"""How a notebook opens on Colab and Kaggle: its badges, and the lines that bring the course there.

Both name the repository, whose address stands in one place, ``pyproject.toml``.
"""

import copy
import re
import tomllib

from .execution import PACKAGE_ROOT

BRANCH = "main"
BADGES = (
    "[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]"
    "(https://colab.research.google.com/github/{repository}/blob/{branch}/{place}) "
    "[![Open in Kaggle](https://kaggle.com/static/images/open-in-kaggle.svg)]"
    "(https://kaggle.com/kernels/welcome?src=https://github.com/{repository}/blob/{branch}/{place})"
)
# Without --no-deps pip would put its own TensorFlow, Keras and numpy over those that the machine
# comes with, which fit its drivers. No `%pip`: these lines are parsed as Python elsewhere.
BRING = """\
try:
    import course
except ModuleNotFoundError:  # on Colab or Kaggle, where TensorFlow, Keras and numpy stay as they are
    import glob, sys
    wheels = glob.glob("/kaggle/input/**/segmentation_course-*.whl", recursive=True)
    source = max(wheels, default="{archive}")
    print("Adding the course from", source)
    get_ipython().system(f"{{sys.executable}} -m pip install --quiet --no-deps {{source}}")
    import course  # not found? On Kaggle, switch the internet on; at home, choose the kernel in .venv
"""


def repository(root=PACKAGE_ROOT):
    """``OWNER/REPO`` on GitHub, from the project's URL in ``pyproject.toml`` of the folder `root`."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return project["urls"]["Repository"].removeprefix("https://github.com/").strip("/")


def badges(place, repository):
    """Markdown that opens the notebook at `place` in the repository, notebooks/06_fcn.ipynb say."""
    return BADGES.format(repository=repository, branch=BRANCH, place=place)


def bring(repository):
    """Python source that installs the course where it cannot be imported."""
    return BRING.format(archive=f"https://github.com/{repository}/archive/{BRANCH}.zip")


def opened(notebook, path, root=PACKAGE_ROOT):
    """A copy of `notebook` (a NotebookNode) that opens on Colab and Kaggle.

    Its badges, the second paragraph of its first cell, name the file `path` in the repository
    whose checkout is `root`; those of an author notebook name what students get. Its first code
    cell begins with the lines of :func:`bring`. One without a title or without code is left as it is.
    """
    notebook, repository_ = copy.deepcopy(notebook), repository(root)
    cell = next((cell for cell in notebook.cells if cell.cell_type == "code"), None)
    if cell is None or notebook.cells[0].cell_type != "markdown":
        return notebook
    place = path.resolve().relative_to(root.resolve()).as_posix()
    place = place.replace("/solutions/", "/exercises/")
    first = notebook.cells[0]
    parts = first.source.split("\n\n")
    rest = parts[2:] if "colab-badge" in "".join(parts[1:2]) else parts[1:]
    first.source = "\n\n".join([parts[0], badges(place, repository_), *rest])
    cell.source = f"{bring(repository_)}\n{without_bringing(cell.source)}"
    return notebook


def without_bringing(source):
    """`source` of a first code cell without the lines of :func:`bring`, or of an older form of it."""
    begin = "".join(BRING.splitlines(keepends=True)[:2])
    return re.sub(rf"\A{re.escape(begin)}.*?\n\n+", "", source, flags=re.S)
