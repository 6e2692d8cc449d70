"""What the README tells users to type in Python."""

import re
from pathlib import Path

import numpy as np
import pytest

from course.grading import author, check
from course.grading.checks import CheckFailed

README = Path(__file__).resolve().parents[1] / "README.md"


def snippet(start):
    """The one block of Python in the README that begins with `start`."""
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    (found,) = (block for block in blocks if block.startswith(start))
    return found


def test_the_sample_of_a_check_judges():
    source = snippet("with check(")
    for part in author.visible(source), author.hidden(source):
        exec(part, {"check": check, "double": lambda x: 2 * x})
    with pytest.raises(CheckFailed, match="some below zero"), check("double"):
        exec(author.hidden(source), {"check": check, "double": lambda x: 2 * abs(x)})


@pytest.mark.slow
def test_own_pictures_of_two_classes_are_learned(capsys):
    rng = np.random.default_rng(0)
    masks = rng.integers(0, 2, (44, 2, 3), np.uint8).repeat(16, 1).repeat(16, 2)
    images = (masks[..., None] * 100 + rng.integers(0, 50, (*masks.shape, 3))).astype(np.uint8)
    given = {"names": [f"{i:03d}" for i in range(44)], "images": images, "masks": masks}
    exec(snippet("from course import"), given)
    assert given["matrix"].sum() == masks[-20:].size
    # One class everywhere has at most half of the pixels, and a mean IoU of a quarter.
    assert given["metrics"].mean_iou(given["matrix"]) > 0.5
    assert "28 epochs" in capsys.readouterr().out
