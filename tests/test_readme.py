"""What the README tells users to type in Python."""

import re
from pathlib import Path

import numpy as np
import pytest

README = Path(__file__).resolve().parents[1] / "README.md"


@pytest.mark.slow
def test_own_pictures_of_two_classes_are_learned(capsys):
    (snippet,) = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    rng = np.random.default_rng(0)
    masks = rng.integers(0, 2, (44, 2, 3), np.uint8).repeat(16, 1).repeat(16, 2)
    images = (masks[..., None] * 100 + rng.integers(0, 50, (*masks.shape, 3))).astype(np.uint8)
    given = {"names": [f"{i:03d}" for i in range(44)], "images": images, "masks": masks}
    exec(snippet, given)
    assert given["matrix"].sum() == masks[-20:].size
    # One class everywhere has at most half of the pixels, and a mean IoU of a quarter.
    assert given["metrics"].mean_iou(given["matrix"]) > 0.5
    assert "28 epochs" in capsys.readouterr().out
