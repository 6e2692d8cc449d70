"""The same course without TensorFlow: tests and a lesson on JAX."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
# Processes of their own, and what compiles longest beside cases of the same code that stay. All are
# run on TensorFlow, and of these modules none but gradients has code for JAX alone: it stays whole.
LEFT_OUT = (
    # networks
    *("other_backends", "small_backbone", "papers_network", "dropout_stands", "googlenet"),
    *("inception", "saved_and_loaded", "one_output_stride_fit", "ends_early", "mobilenet_v2-size"),
    *("small_unet_equals_the_numpy_implementation[size0", "every_variable[True]"),
    *("smaller_output_stride", "output_stride_8_sees", "v3-8", "v3plus-8"),
    # training
    *("learnt_by_heart", "goes_on_in_any_precision[float32]", "one_picture_a_batch"),
    *("from_before_the_interruption", "leaves_out_what_the_loss_ignores", "from_the_start"),
    *("half_precision[mixed_bfloat16]", "chosen_already_stays", "is_another_run", "float32-False"),
)
pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("jax") is None,
    reason="JAX is not installed: pip install jax, to check that the course runs without TensorFlow",
)

# Python runs a module of this name as it starts, kernels and grandchildren included.
BLOCKER = """
import sys

class NoTensorFlow:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("tensorflow", "tensorflow_cpu", "tf_keras"):
            raise ModuleNotFoundError(f"{name} is blocked by tests/test_jax.py", name=name)

sys.meta_path.insert(0, NoTensorFlow())
"""
# As it is, the trainings of lesson 06 take minutes. What comes of them is compared on TensorFlow.
SMALLER = """
import dataclasses
from course import environment

smoke = environment.SCALES["smoke"]
environment.SCALES["smoke"] = dataclasses.replace(smoke, size=(64, 96), epochs=2)
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

    def run(*arguments, **settings):
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=ROOT,
            env=environment | settings,
            capture_output=True,
            text=True,
            timeout=900,
        )

    return run


@pytest.mark.slow
def test_tensorflow_is_blocked_and_jax_at_work(without_tensorflow):
    process = without_tensorflow(
        "-c", "from course import environment; environment.setup(); import tensorflow"
    )
    assert "JAX" in process.stdout
    assert "tensorflow is blocked" in process.stderr


class OfThePackage:
    """Tests of some modules; each group is a class, for pytest-xdist gives a whole one to a worker."""

    modules = ()

    def test_its_tests_pass(self, without_tensorflow):
        files = [f"tests/test_{name}.py" for name in self.modules]
        process = without_tensorflow(
            *("-m", "pytest", "-q", "-m", "not slow", "-k", f"not ({' or '.join(LEFT_OUT)})"),
            *("-p", "no:cacheprovider", "-p", "no:xdist", *files),
            # Most of the time goes into compiling; lesson 06 is compiled as always.
            JAX_DISABLE_MOST_OPTIMIZATIONS="1",
        )
        assert process.returncode == 0, process.stdout[-5000:] + process.stderr[-2000:]
        assert " passed" in process.stdout


@pytest.mark.slow
class TestNetworks(OfThePackage):
    modules = ("layers", "fcn", "unet", "backbones", "deeplab", "mobile", "shipped_weights")


@pytest.mark.slow
class TestTraining(OfThePackage):
    modules = (
        *("metrics", "losses", "batches", "crops", "training", "gradients"),
        *("inference", "inference_augmentation", "tiles"),
    )


@pytest.mark.slow
class TestLesson:
    def test_lesson_06_runs(self, without_tensorflow, tmp_path):
        with (tmp_path / "blocker" / "sitecustomize.py").open("a") as file:
            file.write(SMALLER)
        process = without_tensorflow(
            "-m", "course", "lessons", "06", "--out", str(tmp_path / "lessons")
        )
        assert process.returncode == 0, process.stdout[-3000:] + process.stderr[-3000:]
        lesson = (tmp_path / "lessons" / "06_fcn.ipynb").read_text(encoding="utf-8")
        assert "on JAX" in lesson
        assert "2 epochs in" in lesson
