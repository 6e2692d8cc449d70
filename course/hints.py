"""How the course's own commands are written in what it prints: so that they work when copied."""

import shlex
import shutil
import sys
from pathlib import Path


def command(*words):
    """``python -m course`` and `words`, as a shell calls them with the Python that runs here.

    ``python`` is that Python only where PATH finds it first, as in an activated environment. Else its
    path is written, relative to the working directory if it lies below that.
    """
    python, found = Path(sys.executable), shutil.which("python")
    if found and Path(found).parent == python.parent:
        python = Path("python")
    elif python.is_relative_to(Path.cwd()):
        python = python.relative_to(Path.cwd())
    return " ".join([shlex.quote(str(python)), "-m", "course", *words])
