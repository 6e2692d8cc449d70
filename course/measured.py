"""What the course has measured on its own machines: the tables that lessons read.

A benchmark in ``benchmarks/`` takes minutes to hours, and some want a GPU or the real photographs.
Their results are stored, and come with the package.
"""

import json
from pathlib import Path

# In a wheel the files lie in the package, in a checkout where the benchmarks write them.
FOLDERS = (
    Path(__file__).parent / "results",
    Path(__file__).parents[1] / "benchmarks" / "results",
)


def rows(name):
    """The rows of one stored result.

    Parameters
    ----------
    name : str
        BENCHMARK-DATA-SCALE, for example "showdown-synthetic-smoke".

    Returns
    -------
    list of dict
        One a run, from names of columns to what was measured.

    Raises
    ------
    FileNotFoundError
        If there is no such result; the message lists those there are.
    """
    for folder in FOLDERS:
        file = folder / f"{name}.json"
        if file.exists():
            return json.loads(file.read_text(encoding="utf-8"))["rows"]
    known = sorted(file.stem for folder in FOLDERS for file in folder.glob("*-*.json"))
    raise FileNotFoundError(f"There is no result {name!r}. There are: {', '.join(known)}.")
