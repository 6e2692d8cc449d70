"""The cells of a lesson, run outside of a notebook, so that a benchmark measures what students run."""

import contextlib
import io
from unittest import mock

import matplotlib.pyplot as plt

from course import plots


def run(cells):
    """The names that code cells leave behind; what they print and draw is thrown away.

    `cells` is a dictionary of each cell's id and its source, in their order.
    """
    names = {}
    with (
        contextlib.redirect_stdout(io.StringIO()),
        mock.patch.object(plots, "show", side_effect=lambda _: plt.close("all")),
    ):
        for cell, source in cells.items():
            exec(compile(source, f"cell {cell}", "exec"), names)
    return names
