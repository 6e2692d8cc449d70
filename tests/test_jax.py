"""The same course without TensorFlow: tests and a lesson on JAX."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CORE = (
    *("layers", "fcn", "unet", "backbones", "metrics", "losses"),
    *("batches", "crops", "training", "inference"),
)
LATER = ("deeplab", "mobile", "gradients", "tiles", "inference_augmentation", "shipped_weights")
# Processes of their own, and what compiles longest beside cases of the same code that stay.
LEFT_OUT = (
    *("other_backends", "small_backbone", "papers_network", "dropout_stands"),
    *("googlenet", "inception", "saved_and_loaded", "one_output_stride_fit"),
)
LESSON = next(iter(sorted(ROOT.glob("notebooks/06_*.ipynb"))), None)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        importlib.util.find_spec("jax") is None,
        reason="JAX is not installed: pip install jax, to check that the course runs without TensorFlow",
    ),
]

# Python runs a module of this name as it starts, kernels and grandchildren included.
BLOCKER = """
import sys

class NoTensorFlow:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("tensorflow", "tensorflow_cpu", "tf_keras"):
            raise ModuleNotFoundError(f"{name} is blocked by tests/test_jax.py", name=name)

sys.meta_path.insert(0, NoTensorFlow())
"""


@pytest.fixture
def without_tensorflow(tmp_path):
    """A function that runs Python on JAX where TensorFlow cannot be imported."""
    (tmp_path / "blocker").mkdir()
    (tmp_path / "blocker" / "sitecustomize.py").write_text(BLOCKER)
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(tmp_path / "blocker"), str(ROOT)]),
        "KERAS_BACKEND": "jax",
        "JAX_PLATFORMS": "cpu",
        "COURSE_SCALE": "smoke",
        "COURSE_DATA": "synthetic",
        "COURSE_PROGRESS": "0",
    }
    for name in [name for name in environment if name.startswith("PYTEST_")]:
        del environment[name]  # the inner pytest is no worker of this one

    def run(*arguments):
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=900,
        )

    return run


def test_tensorflow_is_blocked_and_jax_at_work(without_tensorflow):
    process = without_tensorflow(
        "-c", "from course import environment; environment.setup(); import tensorflow"
    )
    assert "JAX" in process.stdout
    assert "tensorflow is blocked" in process.stderr


@pytest.mark.parametrize("modules", [CORE, LATER], ids=["core", "later"])
def test_the_tests_of_the_package_pass(without_tensorflow, modules):
    files = [f"tests/test_{name}.py" for name in modules]
    process = without_tensorflow(
        *("-m", "pytest", "-q", "-m", "not slow", "-k", f"not ({' or '.join(LEFT_OUT)})"),
        *("-p", "no:cacheprovider", "-p", "no:xdist", *files),
    )
    assert process.returncode == 0, process.stdout[-5000:] + process.stderr[-2000:]
    assert " passed" in process.stdout


@pytest.mark.skipif(LESSON is None, reason="lesson 06 is not in this checkout")
def test_lesson_06_runs(without_tensorflow, tmp_path):
    process = without_tensorflow(
        "-m", "course", "lessons", "06", "--out", str(tmp_path / "lessons")
    )
    assert process.returncode == 0, process.stdout[-3000:] + process.stderr[-3000:]
    assert "on JAX" in (tmp_path / "lessons" / LESSON.name).read_text(encoding="utf-8")
