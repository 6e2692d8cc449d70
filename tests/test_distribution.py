"""Several devices train as one does: the choice, the curves, interruption, the metric."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from course import distribution, environment

ROOT = Path(__file__).resolve().parents[1]
GPUS = ["gpu:0", "gpu:1", "gpu:2", "gpu:3"]


@pytest.fixture
def machine(monkeypatch):
    """A function that pretends to be on a machine with these GPUs."""
    monkeypatch.delenv("COURSE_DEVICES", raising=False)

    def pretend(gpus):
        monkeypatch.setattr(environment, "device", lambda: "gpu" if gpus else "cpu")
        monkeypatch.setattr(
            keras.distribution,
            "list_devices",
            lambda kind: {"gpu": gpus, "cpu": ["cpu:0", "cpu:1"], "tpu": []}[kind],
        )

    return pretend


@pytest.mark.parametrize(
    ("gpus", "batch", "expected"),
    [(0, 8, 0), (1, 8, 1), (2, 8, 2), (2, 3, 1), (4, 6, 3), (4, 8, 4), (4, 1, 1)],
)
def test_as_many_accelerators_as_divide_the_batch(machine, gpus, batch, expected):
    machine(GPUS[:gpus])
    assert distribution.devices(batch) == GPUS[:expected]


@pytest.mark.parametrize(("limit", "expected"), [("1", 1), (" 2 ", 2), ("9", 4), ("", 4)])
def test_the_environment_limits_their_number(machine, monkeypatch, limit, expected):
    machine(GPUS)
    monkeypatch.setenv("COURSE_DEVICES", limit)
    assert distribution.devices(8) == GPUS[:expected]


@pytest.mark.parametrize("limit", ["0", "-1", "two"])
def test_a_limit_that_is_no_number_of_devices_is_refused(machine, monkeypatch, limit):
    machine(GPUS)
    monkeypatch.setenv("COURSE_DEVICES", limit)
    with pytest.raises(ValueError, match=f"COURSE_DEVICES is '{limit}'"):
        distribution.devices(8)


def test_named_devices_are_taken_as_they_are(machine, capsys):
    machine(GPUS[:2])
    assert distribution.devices(4, ("cpu:0", "cpu:1")) == ["cpu:0", "cpu:1"]
    assert distribution.devices(3, ["gpu:0"]) == ["gpu:0"]
    assert not capsys.readouterr().out


def test_fewer_devices_than_were_named_are_told(machine, capsys):
    machine(GPUS[:2])
    assert distribution.devices(3, GPUS[:2]) == ["gpu:0"]
    assert "on gpu:0 of the 2 devices named: a batch of 3" in capsys.readouterr().out


@pytest.mark.skipif(environment.choose_backend() == "torch", reason="PyTorch lists no devices")
@pytest.mark.parametrize("name", ["gpu:7", "GPU 0", "cpu:2"])
def test_a_device_that_is_not_there_is_refused(machine, name):
    machine(GPUS[:2])
    with pytest.raises(ValueError, match=f"{name}.*gpu:0, gpu:1, cpu:0, cpu:1"):
        distribution.devices(4, ["gpu:0", name])


@pytest.mark.skipif(environment.choose_backend() == "torch", reason="PyTorch lists no devices")
@pytest.mark.parametrize("name", ["gpu:1", "cpu:0"])
def test_one_device_that_keras_would_not_use_is_refused(machine, name):
    machine(GPUS[:2])
    with pytest.raises(ValueError, match="on one device Keras trains on 'gpu:0'"):
        distribution.devices(4, [name])
    with pytest.raises(ValueError, match=f"'{name}' alone would train"):
        distribution.devices(3, [name, "gpu:0"])  # which three pictures cannot be shared by


def test_one_device_needs_no_list(machine):
    machine(GPUS[:2])
    assert distribution.devices(4, "gpu:0") == ["gpu:0"]


def test_one_device_trains_the_model_itself():
    model = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Conv2D(2, 1)])
    with distribution.spread(model, ["cpu:0"]) as trained:
        assert trained is model


# Two devices from one processor, and what happens on them as JSON.
TWO_DEVICES = """
import _thread, contextlib, io, json, os, sys, tempfile
from course import environment
if environment.choose_backend() == "tensorflow":
    import tensorflow as tf
    processor = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(processor, 2 * [tf.config.LogicalDeviceConfiguration()])
import keras, numpy as np
from keras import layers
from course import inference, metrics
from course.data import Samples
from course.layers import upsample
from course.losses import CrossEntropy, SoftDice, Sum
from course.training import fit

CLASSES, TWO = 4, ("cpu:0", "cpu:1")

def samples(count):
    rng = np.random.default_rng(count)
    ids = rng.integers(0, CLASSES, (count, 2, 3)).repeat(16, 1).repeat(16, 2).astype(np.uint8)
    colors = np.array([(0, 0, 0), (250, 30, 30), (30, 250, 30), (30, 30, 250)])
    images = (colors[ids] + rng.normal(0, 5, (*ids.shape, 3))).clip(0, 255).astype(np.uint8)
    return Samples(tuple(f"{i:03}" for i in range(count)), images, ids)

def network(*more):
    keras.utils.set_random_seed(1)
    images = keras.Input((32, 48, 3))
    x = layers.Conv2D(8, 8, strides=8)(layers.Rescaling(1 / 255)(images))
    for layer in more:
        x = layer(x)
    x = upsample(CLASSES, 8)(layers.Conv2D(CLASSES, 1)(layers.ReLU()(x)))
    return keras.Model(images, layers.Activation("linear", dtype="float32")(x))

def run(devices, *more, validation=7, epochs=4, **settings):
    model = network(*more)
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        history = fit(model, samples(9), samples(validation), epochs=epochs, batch_size=4,
                      learning_rate=1e-2, devices=devices, **settings)
    score = metrics.mean_iou(inference.confusion(model, samples(validation)))
    weights = [float(np.abs(w).sum()) for w in model.get_weights()]
    return {"curves": history.curves, "said": said.getvalue(), "score": score, "weights": weights}

class InterruptedInEpoch3:
    def __call__(self, image, mask, rng):
        _seed, epoch, *_ = rng.bit_generator.seed_seq.entropy
        if epoch >= InterruptedInEpoch3.at:
            InterruptedInEpoch3.at = 99
            _thread.interrupt_main()
        return image, mask

class Mean(keras.losses.Loss):  # as a student writes a loss: Keras takes the mean of its pixels
    def call(self, y_true, y_pred):
        y_pred = y_pred + 0 * y_true[..., None]  # of two types, this would be an error
        return keras.losses.sparse_categorical_crossentropy(y_true, y_pred, from_logits=True)

class SquaredMean(Mean):  # of the whole batch: no mean is left for Keras to take
    def call(self, y_true, y_pred):
        return keras.ops.mean(super().call(y_true, y_pred)) ** 2

found = {}
for name, devices in ("one", None), ("two", TWO):
    state = tempfile.mkdtemp()
    InterruptedInEpoch3.at = 3
    found[name] = {
        "whole": run(devices),
        "dice": run(devices, validation=6, loss=SoftDice()),
        "sum": run(devices, epochs=2, loss=Sum([CrossEntropy(ignore=None), Mean(), SquaredMean()], [1, 2, 3])),
        "first": run(devices, augment=InterruptedInEpoch3(), folder=state),
        "resumed": run(devices, augment=InterruptedInEpoch3(), folder=state),
        "normalized": run(devices, layers.BatchNormalization(momentum=0.5)),
    }
# On two devices dropout draws other numbers than on one: there is nothing to compare.
normalization, dropout = layers.BatchNormalization(momentum=0.5), layers.Dropout(0.2)
found["two"]["stateful"] = run(TWO, normalization, dropout)
json.dump(found, sys.stdout)
"""


@pytest.fixture(scope="module", params=["tensorflow", "jax"])
def found(request):
    """What training on one and on two devices gave, by backend."""
    if importlib.util.find_spec(request.param) is None:
        pytest.skip(f"{request.param} is not installed")
    settings = {
        "KERAS_BACKEND": request.param,
        "XLA_FLAGS": "--xla_force_host_platform_device_count=2",
        "JAX_PLATFORMS": "cpu",
        "CUDA_VISIBLE_DEVICES": "-1",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "COURSE_PROGRESS": "0",
        "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",  # most of the time goes into compiling
    }
    process = subprocess.run(
        [sys.executable, "-c", TWO_DEVICES],
        cwd=ROOT,
        env=os.environ | settings,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert process.returncode == 0, process.stderr[-3000:]
    return json.loads(process.stdout)


@pytest.mark.slow
@pytest.mark.parametrize("run", ["whole", "dice", "sum"])
def test_two_devices_have_the_curves_and_weights_of_one(found, run):
    one, two = found["one"][run], found["two"][run]
    assert one["curves"].keys() == {"loss", "mean_iou", "val_loss", "val_mean_iou"}
    for name, values in one["curves"].items():
        np.testing.assert_allclose(two["curves"][name], values, rtol=1e-4, err_msg=name)
    np.testing.assert_allclose(two["weights"], one["weights"], rtol=1e-3)
    assert one["curves"]["loss"][-1] < one["curves"]["loss"][0]


@pytest.mark.slow
def test_batch_normalization_sees_the_whole_batch(found):
    # Looser: small differences grow, as the statistics divide by small numbers.
    one, two = (found[name]["normalized"]["curves"] for name in ("one", "two"))
    np.testing.assert_allclose(two["loss"], one["loss"], rtol=1e-3)
    np.testing.assert_allclose(two["val_loss"], one["val_loss"], rtol=5e-3)


@pytest.mark.slow
def test_training_says_on_how_many_devices(found):
    assert found["one"]["whole"]["said"] == ""
    assert found["two"]["whole"]["said"] == "Training on 2 CPUs.\n"


@pytest.mark.slow
@pytest.mark.parametrize("run", ["whole", "dice", "normalized", "stateful"])
def test_the_metric_counts_the_pictures_of_all_devices_once(found, run):
    # The model that is left has the best epoch's weights, and predicts on one device.
    two = found["two"][run]
    assert two["score"] == pytest.approx(max(two["curves"]["val_mean_iou"]), abs=1e-5)


@pytest.mark.slow
def test_interrupted_training_keeps_the_best_weights_and_is_taken_up(found):
    for name in ("one", "two"):
        first, resumed = found[name]["first"], found[name]["resumed"]
        assert "Interrupted in epoch" in first["said"]
        done = len(first["curves"]["val_mean_iou"])
        assert 1 <= done < 4
        assert first["score"] == pytest.approx(max(first["curves"]["val_mean_iou"]), abs=1e-5)
        assert f"after epoch {done} of 4" in resumed["said"]
        assert len(resumed["curves"]["loss"]) == 4
        assert resumed["curves"]["loss"][:done] == first["curves"]["loss"]
    np.testing.assert_allclose(
        found["two"]["resumed"]["curves"]["val_loss"],
        found["one"]["resumed"]["curves"]["val_loss"],
        rtol=1e-4,
    )


@pytest.mark.slow
def test_dropout_trains_on_two_devices(found):
    curves = found["two"]["stateful"]["curves"]
    assert np.isfinite(curves["loss"]).all()
    assert curves["loss"][-1] < curves["loss"][0]
