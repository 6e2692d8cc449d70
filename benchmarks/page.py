"""Write the tables and plots of ``README.md`` anew from the results: ``python -m benchmarks.page``.

A table stands between ``<!-- NAME -->`` and ``<!-- end -->``, where NAME is that of a function in
:mod:`benchmarks.tables`; what is said about it stands around it and is written by hand. With ``--check``
nothing is written, and a table that is not what the results say is an error.
"""

import argparse
import re
import sys
from pathlib import Path

from benchmarks import plots, tables

README = Path(__file__).with_name("README.md")
BLOCK = re.compile(r"<!-- (?P<name>[a-z, -]+) -->\n.*?<!-- end -->", re.DOTALL)


def filled(text):
    """The page with its tables made anew."""

    def fill(block):
        name = block["name"]
        return f"<!-- {name} -->\n\n{tables.TABLES[name]()}\n\n<!-- end -->"

    return BLOCK.sub(fill, text)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing, compare")
    options = parser.parse_args()
    old = README.read_text(encoding="utf-8")
    new = filled(old)
    if options.check:
        return 0 if new == old else "benchmarks/README.md is old: run python -m benchmarks.page."
    README.write_text(new, encoding="utf-8")
    plots.draw()
    return 0


if __name__ == "__main__":
    sys.exit(main())
