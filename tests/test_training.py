"""Training: it learns, it repeats, it keeps the best, and it survives interruption."""

import _thread
import contextlib
import functools
import itertools
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from benchmarks import recipe
from course import metrics, training
from course.classes import UNLABELED
from course.data import FLIPS, Batches, Samples
from course.inference import confusion
from course.layers import upsample
from course.losses import CrossEntropy, SoftDice, Sum
from course.models.deeplab import deeplab_v3plus
from course.models.fcn import small_fcn
from course.models.mobile import mobile_unet
from course.models.unet import backbone_unet, small_unet
from course.training import History, fit, learning_rate_at, weighted_cross_entropy
from course.training.checks import _check_logits
from course.training.keeper import Keeper

ROOT = Path(__file__).resolve().parents[1]
CLASSES, EPOCHS = 4, 4
STUDENTS = ("unet.weights.h5", "best-model.weights.h5")  # files that fit must not touch


def make_samples(count=4):
    """Pictures of 16-pixel squares, each of its class's colour and a little noise."""
    rng = np.random.default_rng(count)
    ids = rng.integers(0, CLASSES, (count, 2, 3)).repeat(16, 1).repeat(16, 2).astype(np.uint8)
    colors = np.array([(0, 0, 0), (250, 30, 30), (30, 250, 30), (30, 30, 250)])
    images = (colors[ids] + rng.normal(0, 5, (*ids.shape, 3))).clip(0, 255).astype(np.uint8)
    return Samples(tuple(f"{i:03}" for i in range(count)), images, ids)


def make_model(width=8):
    """The smallest network with all that has a state: normalization, dropout, upsampling."""
    keras.utils.set_random_seed(1)
    images = keras.Input((32, 48, 3))
    x = layers.Rescaling(1 / 255)(images)
    x = layers.Conv2D(width, 8, strides=8, name="conv")(x)
    x = layers.BatchNormalization(momentum=0.5)(x)
    x = layers.Dropout(0.2)(layers.ReLU()(x))
    x = upsample(CLASSES, 8)(layers.Conv2D(CLASSES, 1)(x))
    return keras.Model(images, layers.Activation("linear", dtype="float32")(x))


def run(model=None, **changes):
    """Fit with the settings that all tests here share."""
    model = model or make_model()
    settings = {"epochs": EPOCHS, "batch_size": 2, "learning_rate": 1e-2} | changes
    return model, fit(model, make_samples(), make_samples(3), **settings)


@contextlib.contextmanager
def default_policy(name):
    """Layers made inside compute by this policy, as where a student has set it for all."""
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(policy)


class FromEpoch:
    """The usual augmentation, and from some epoch on (counted from 1) something that goes wrong."""

    def __init__(self, epoch, action):
        self.epoch, self.action = epoch, action

    def __call__(self, image, mask, rng):
        _seed, epoch, *_ = rng.bit_generator.seed_seq.entropy
        image, mask = FLIPS(image, mask, rng)
        if epoch >= self.epoch:  # Keras ends an epoch 0 before the first
            self.action(mask)
        return image, mask


def interrupt_once():
    """What presses the interrupt key, the first time it is called."""
    presses = iter([_thread.interrupt_main])
    return lambda mask: next(presses, lambda: None)()


def spoil(mask):
    mask[:] = 200  # no class: the loss becomes nan


def assert_same_weights(model, weights):
    for ours, theirs in zip(model.get_weights(), weights, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


def assert_same_curves(history, expected):
    assert history.curves.keys() == expected.curves.keys()
    for name, values in expected.curves.items():
        np.testing.assert_allclose(history.curves[name], values, atol=1e-4, err_msg=name)


@pytest.fixture(scope="module")
def uninterrupted():
    return run()


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder of a run of one epoch, with files of the student's in it."""
    folder = tmp_path_factory.mktemp("finished")
    for name in STUDENTS:
        (folder / name).write_text("mine")
    # Numbers as a loop over np.arange has them.
    run(folder=folder, epochs=np.int64(1), seed=np.int64(0))
    return folder


@pytest.fixture
def folder(finished, tmp_path):
    return Path(shutil.copytree(finished, tmp_path / "copy"))


@pytest.mark.slow
def test_four_pictures_are_learnt_by_heart(capsys):
    keras.utils.set_random_seed(1)
    model, four = small_fcn(8, classes=CLASSES, width=4, size=(32, 48)), make_samples()
    history = fit(model, four, epochs=40, batch_size=4, learning_rate=2e-2, augment=None)
    assert capsys.readouterr() == ("", "")  # no bar, no chatter
    assert history.curves["loss"][-1] < 0.3 * history.curves["loss"][0]
    assert metrics.pixel_accuracy(confusion(model, four)) > 0.9


def test_history_has_a_number_an_epoch(uninterrupted):
    _, history = uninterrupted
    assert {"loss", "mean_iou", "val_loss", "val_mean_iou"} == history.curves.keys()
    assert {len(values) for values in history.curves.values()} == {len(history)} == {EPOCHS}
    assert history.best_epoch == 1 + int(np.argmax(history.curves["val_mean_iou"]))
    assert f"{EPOCHS} epochs" in str(history)
    assert f"at epoch {history.best_epoch}" in str(history)
    assert history.seconds > 0


def test_the_same_seed_gives_the_same_history(uninterrupted):
    _, history = run()
    assert_same_curves(history, uninterrupted[1])


def test_the_best_weights_are_left_in_the_model(uninterrupted):
    model, history = uninterrupted
    best = max(history.curves["val_mean_iou"])
    assert metrics.mean_iou(confusion(model, make_samples(3))) == pytest.approx(best, abs=1e-4)
    logs = model.evaluate(Batches(make_samples(3), 2), return_dict=True, verbose=0)
    assert logs["mean_iou"] == pytest.approx(best, abs=1e-4)


# A process that kills itself as the third epoch begins.
KILLED = """
import os, signal, sys
from course import environment
environment.import_keras()
import test_training as t
crash = t.FromEpoch(3, lambda mask: os.kill(os.getpid(), signal.SIGKILL))
t.run(folder=sys.argv[1], augment=crash)
"""


@pytest.mark.slow
def test_a_killed_run_is_taken_up_where_it_was(tmp_path, capsys, uninterrupted):
    folder = tmp_path / "run"
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests"), *filter(None, sys.path)])
    process = subprocess.run(
        [sys.executable, "-c", KILLED, str(folder)],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert process.returncode == -signal.SIGKILL, process.stderr
    assert len(json.loads((folder / "history.json").read_text())["curves"]["loss"]) == 2

    model, history = run(folder=folder)
    assert f"after epoch 2 of {EPOCHS}" in capsys.readouterr().out
    assert_same_curves(history, uninterrupted[1])

    # Once more: there is nothing left to train, and the weights are the best.
    loaded, again = run(folder=folder)
    assert "finished" in capsys.readouterr().out
    assert_same_curves(again, history)
    assert_same_weights(loaded, model.get_weights())
    assert len(list(folder.glob("*.h5"))) <= 2


def test_the_best_weights_may_be_from_before_the_interruption(tmp_path):
    run(folder=tmp_path, augment=FromEpoch(3, interrupt_once()))
    note = json.loads((tmp_path / "history.json").read_text())
    scores = note["curves"]["val_mean_iou"]
    best = int(np.argmax(scores))
    scores[best] = 2.0  # that no later epoch can beat
    (tmp_path / "history.json").write_text(json.dumps(note))
    expected = make_model()
    expected.load_weights(tmp_path / f"best-{best + 1}.weights.h5")

    model, history = run(folder=tmp_path)
    assert len(history) == EPOCHS
    assert history.best_epoch == best + 1
    assert_same_weights(model, expected.get_weights())


@pytest.mark.parametrize("then", ["mixed_float16", "float32"])
def test_a_run_in_float16_goes_on_in_any_precision(then, tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_PRECISION", "mixed_float16")
    run(folder=tmp_path, augment=FromEpoch(3, interrupt_once()))
    monkeypatch.setenv("COURSE_PRECISION", then)
    with warnings.catch_warnings():
        # Keras warns where it cannot load an optimizer's state.
        warnings.simplefilter("error", UserWarning)
        model, history = run(folder=tmp_path)
    assert len(history) == EPOCHS
    adam = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    assert int(adam.iterations) == EPOCHS * 2


def test_a_policy_that_was_chosen_already_stays(monkeypatch):
    monkeypatch.setenv("COURSE_PRECISION", "mixed_bfloat16")
    with default_policy("mixed_float16"):
        model, _ = run(epochs=1)
    assert model.dtype_policy.name == model.get_layer("conv").dtype_policy.name == "mixed_float16"
    assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)


def constant(epoch, epochs, learning_rate):
    return learning_rate


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epochs": 6}, "epochs 1 there, 6 here"),
        ({"learning_rate": 0.5}, "learning rate 0.01 there, 0.5 here"),
        ({"schedule": constant}, "schedule learning_rate_at there, constant here"),
        ({"width": 16}, "parameters .* there, .* here"),
    ],
)
def test_a_folder_of_another_run_is_refused(finished, changes, message):
    model = make_model(changes.pop("width", 8))
    with pytest.raises(ValueError, match=rf"(?s){message}.*another folder"):
        run(model, **({"epochs": 1, "folder": finished} | changes))


@pytest.mark.parametrize("name", ["history.json", "last-1.weights.h5", "best-1.weights.h5"])
@pytest.mark.parametrize("content", [b"", None])
def test_a_damaged_state_is_reported_with_a_remedy(folder, name, content):
    file = folder / name
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2] if content is None else content)
    with pytest.raises(ValueError, match=r"(?s)cannot be read.*Delete this folder"):
        run(folder=folder, epochs=1)


def test_a_folder_without_a_state_starts_anew(folder, capsys):
    # As a process leaves it that was killed before its first epoch was saved.
    (folder / "history.json").unlink()
    _, history = run(folder=folder, epochs=1)
    assert len(history) == 1
    assert "Taking up" not in capsys.readouterr().out


def test_files_of_the_student_are_left_alone(finished):
    ours = {"history.json", "last-1.weights.h5", "best-1.weights.h5"}
    assert {file.name for file in finished.iterdir()} == ours | set(STUDENTS)


def test_interrupted_training_keeps_the_best(capsys):
    model, history = run(augment=FromEpoch(3, interrupt_once()))
    assert len(history) in {2, 3}  # the signal is heard when the running step ends
    out = capsys.readouterr().out
    assert f"Interrupted in epoch {len(history) + 1} of {EPOCHS}" in out
    assert f"the weights of epoch {history.best_epoch}, the best" in out
    score = metrics.mean_iou(confusion(model, make_samples(3)))
    assert score == pytest.approx(max(history.curves["val_mean_iou"]), abs=1e-4)
    _, history = run(model, epochs=1)  # the model can be trained further
    assert len(history) == 1


def test_interrupted_at_once_the_model_is_as_before(capsys):
    model = make_model()
    before = model.get_weights()
    _, history = run(model, augment=FromEpoch(1, interrupt_once()))
    assert len(history) == 0
    assert "as before" in capsys.readouterr().out
    assert_same_weights(model, before)


def test_a_loss_that_is_no_number_stops_training_and_keeps_the_best():
    model = make_model()
    with pytest.raises(
        FloatingPointError, match=r"nan in epoch 3; the weights of epoch \d.*below 0.01"
    ):
        run(model, augment=FromEpoch(3, spoil))
    assert all(np.isfinite(w).all() for w in model.get_weights())
    assert metrics.mean_iou(confusion(model, make_samples(3))) > 0


def test_a_loss_that_is_no_number_from_the_start_leaves_the_model_as_before():
    model = make_model()
    before = model.get_weights()
    with pytest.raises(FloatingPointError, match="epoch 1; the weights are as before"):
        run(model, augment=FromEpoch(1, spoil))
    assert_same_weights(model, before)


def test_mixed_precision():
    with default_policy("mixed_bfloat16"):
        model, history = run(epochs=3)
    assert model.get_layer("conv").compute_dtype == "bfloat16"
    assert np.isfinite(history.curves["val_loss"]).all()
    assert {w.dtype for w in model.get_weights()} == {np.dtype("float32")}


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_training_alone_computes_in_half_precision(policy, monkeypatch):
    monkeypatch.setenv("COURSE_PRECISION", policy)
    model = make_model()
    seen = {}

    class Look(keras.losses.Loss):
        def call(self, y_true, y_pred):
            seen.update({layer.name: layer.compute_dtype for layer in model.layers})
            seen["logits"] = keras.backend.standardize_dtype(y_pred.dtype)
            return keras.losses.sparse_categorical_crossentropy(y_true, y_pred, from_logits=True)

    history = fit(model, make_samples(), epochs=2, batch_size=2, loss=Look())
    assert seen["conv"] == policy.removeprefix("mixed_")
    assert seen["logits"] == "float32"
    assert history.curves["loss"][1] < history.curves["loss"][0]
    assert {layer.compute_dtype for layer in model.layers} == {"float32"}
    assert {w.dtype for w in model.get_weights()} == {np.dtype("float32")}
    assert model.dtype_policy.name == "float32"
    images = make_samples().images
    np.testing.assert_allclose(model.predict(images, verbose=0), model(images), atol=1e-5)


NETWORKS = {
    "FCN-8s": lambda: small_fcn(8, width=8, size=(64, 96)),
    "U-Net": lambda: small_unet(4, size=(64, 96)),
    "DeepLabV3+": lambda: deeplab_v3plus(
        "resnet", 8, channels=16, low_channels=8, rates=(2, 4, 6), size=(64, 96)
    ),
    "mobile U-Net": lambda: mobile_unet(4, size=(64, 96)),
    "U-Net over MobileNetV2": lambda: backbone_unet("mobilenet_v2", decoder_width=2, size=(64, 96)),
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "policy"),
    list(zip(NETWORKS, itertools.cycle(["mixed_float16", "mixed_bfloat16"]), strict=False)),
)
def test_each_network_trains_in_half_precision(name, policy, monkeypatch):
    monkeypatch.setenv("COURSE_PRECISION", policy)
    model = NETWORKS[name]()
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (2, 64, 96, 3)).astype(np.uint8)
    samples = Samples(("0", "1"), images, rng.integers(0, 24, (2, 64, 96)).astype(np.uint8))
    history = fit(model, samples, epochs=1, batch_size=2)
    assert np.isfinite(history.curves["loss"]).all()
    assert np.isfinite(model.predict(images, verbose=0)).all()


def test_half_precision_reaches_models_within_models(monkeypatch):
    monkeypatch.setenv("COURSE_PRECISION", "mixed_bfloat16")
    images = keras.Input((16, 24, 3))
    inner = keras.Sequential([keras.Input((16, 24, 3)), keras.layers.Conv2D(4, 1, name="inside")])
    model = keras.Model(images, keras.layers.Conv2D(CLASSES, 1)(inner(images)))
    with training.precision(model, "mixed_bfloat16"):
        assert inner.get_layer("inside").compute_dtype == "bfloat16"
        assert model.layers[-1].compute_dtype == "float32"
    assert inner.get_layer("inside").compute_dtype == "float32"


def test_a_trained_model_survives_saving(tmp_path, uninterrupted):
    model, _ = uninterrupted
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    images = make_samples().images
    np.testing.assert_allclose(
        loaded.predict_on_batch(images), model.predict_on_batch(images), atol=1e-5
    )
    assert loaded.loss.ignore == UNLABELED


def test_a_history_without_an_epoch():
    assert (len(History()), History().best_epoch, str(History())) == (0, None, "no epoch finished")


def test_one_epoch_is_no_epochs():
    assert str(History({"loss": [1.0]}, 3.0)) == "1 epoch in 3 s"
    assert str(History({"loss": [1.0, 0.5]}, 3.0)) == "2 epochs in 3 s"


def test_the_learning_rate_warms_up_and_falls():
    rates = [learning_rate_at(epoch, 10, 1.0) for epoch in range(10)]
    assert rates[0] == 0.25
    assert rates[1] == pytest.approx((1 + math.cos(math.pi / 10)) / 2)
    assert all(later < earlier for earlier, later in itertools.pairwise(rates[1:]))
    assert 0 < rates[-1] < 0.05


def test_every_step_is_taken_at_its_epochs_learning_rate(monkeypatch):
    rates = []

    def look(keeper, batch, logs=None):
        rates.append(float(keeper.model.optimizer.learning_rate))

    monkeypatch.setattr(Keeper, "on_train_batch_begin", look)
    fit(make_model(), make_samples(), epochs=4, batch_size=2, learning_rate=8e-3)
    root = math.sqrt(0.5)  # the cosine of an eighth of a turn
    expected = [8e-3 / 4, 4e-3 * (1 + root), 4e-3, 4e-3 * (1 - root)]
    assert rates[::2] == rates[1::2] == pytest.approx(expected, rel=1e-6)  # two steps an epoch


def test_a_schedule_of_ones_own_sets_the_rates(monkeypatch):
    rates = []

    def look(keeper, batch, logs=None):
        rates.append(float(keeper.model.optimizer.learning_rate))

    def halving(epoch, epochs, learning_rate):
        return learning_rate / 2**epoch

    monkeypatch.setattr(Keeper, "on_train_batch_begin", look)
    fit(
        *(make_model(), make_samples()),
        epochs=3,
        batch_size=2,
        learning_rate=8e-3,
        schedule=halving,
    )
    assert rates[::2] == rates[1::2] == pytest.approx([8e-3, 4e-3, 2e-3], rel=1e-6)


def test_without_validation_the_epoch_best_on_the_training_pictures_is_kept(monkeypatch):
    weights = []
    end = Keeper.on_epoch_end

    def note(keeper, epoch, logs=None):
        weights.append(keeper.model.get_weights())
        end(keeper, epoch, logs)

    def mislead(mask):
        mask[:] = (mask + 1) % CLASSES

    monkeypatch.setattr(Keeper, "on_epoch_end", note)
    model = make_model()
    settings = {"epochs": EPOCHS, "batch_size": 2, "learning_rate": 1e-2}
    history = fit(model, make_samples(), augment=FromEpoch(3, mislead), **settings)
    assert history.curves.keys() == {"loss", "mean_iou"}
    best = int(np.argmax(history.curves["mean_iou"]))
    assert best in (0, 1)
    assert history.best_epoch == best + 1
    assert_same_weights(model, weights[best])
    assert not np.allclose(model.get_weights()[0], weights[-1][0], atol=1e-4)


@pytest.mark.parametrize("part", ["train", "validation"])
def test_an_id_that_is_no_class_is_named_before_training(part):
    samples = {"train": make_samples(2), "validation": make_samples(3)}
    samples[part].masks[1, 2, 3] = 200
    model, name = make_model(), samples[part].names[1]
    with pytest.raises(ValueError, match=rf"mask of {name} holds the id 200.*{CLASSES} classes"):
        fit(model, samples["train"], samples["validation"], epochs=1)


def test_a_negative_id_is_named_before_training():
    samples = make_samples(2)
    masks = samples.masks.astype(np.int16)
    masks[1, 2, 3] = -1
    negative = Samples(samples.names, samples.images, masks)
    with pytest.raises(ValueError, match=f"mask of {samples.names[1]} holds the id -1"):
        fit(make_model(), negative, epochs=1)
    fit(make_model(), negative, epochs=1, loss=CrossEntropy(ignore=-1))


@pytest.mark.slow
def test_the_mean_iou_leaves_out_what_the_loss_ignores():
    samples = make_samples(1)
    samples.masks[:, 0] = 255
    sparse = functools.partial(keras.losses.SparseCategoricalCrossentropy, from_logits=True)
    for loss in (
        CrossEntropy(ignore=255),
        Sum([CrossEntropy(ignore=255)]),
        sparse(ignore_class=255),
        Sum([sparse(ignore_class=255)]),
    ):
        model = make_model()
        history = fit(model, samples, samples, epochs=1, loss=loss)
        expected = metrics.mean_iou(confusion(model, samples, ignore=255))
        assert history.curves["val_mean_iou"] == [pytest.approx(expected, abs=1e-4)]
    model, whole = make_model(), make_samples(1)
    history = fit(model, whole, whole, epochs=1, loss=sparse())
    expected = metrics.mean_iou(confusion(model, whole, ignore=None))
    assert history.curves["val_mean_iou"] == [pytest.approx(expected, abs=1e-4)]


@pytest.mark.parametrize("part", ["train", "validation"])
def test_an_empty_part_is_named(part):
    samples = {"train": make_samples(2), "validation": make_samples(2)}
    samples[part] = samples[part][:0]
    with pytest.raises(ValueError, match=f"There are no pictures in {part}"):
        fit(make_model(), samples["train"], samples["validation"], epochs=1)


@pytest.mark.parametrize("within", [lambda loss: loss, lambda loss: Sum([CrossEntropy(), loss])])
def test_a_loss_of_probabilities_is_refused_for_logits(within):
    loss = within(keras.losses.SparseCategoricalCrossentropy(ignore_class=0))
    samples = make_samples(2)
    with pytest.raises(ValueError, match="expects probabilities.*from_logits=True"):
        fit(make_model(), samples, epochs=1, loss=loss)


def test_a_loss_of_probabilities_goes_with_a_softmax_wherever_it_stands():
    loss = keras.losses.SparseCategoricalCrossentropy()
    logits = make_model()
    ends = [
        keras.layers.Softmax()(logits.output),
        keras.layers.Activation("softmax")(logits.output),
        keras.ops.softmax(logits.output),
        keras.layers.UpSampling2D(2)(
            keras.layers.Conv2D(3, 1, activation="softmax")(logits.output)
        ),
    ]
    for end in ends:
        inner = keras.Model(logits.inputs, end)
        _check_logits(loss, inner)
        _check_logits(loss, keras.Sequential([keras.Input(inner.input_shape[1:]), inner]))
    with pytest.raises(ValueError, match="it has no softmax"):
        _check_logits(loss, keras.Sequential([logits]))


def two_classes():
    """Squares of two classes, background 0 and road 1."""
    samples = make_samples()
    ids = (samples.masks > 1).astype(np.uint8)
    return Samples(samples.names, samples.images, ids)


def test_a_class_0_of_ones_own_is_learned_and_measured():
    """Without `ignore`, road everywhere would be right."""
    samples, model = two_classes(), make_model()
    with pytest.raises(
        ValueError, match=r"only one class counts, 1: .*If what is ignored, 0, .*ignore=None"
    ):
        fit(model, samples, epochs=1)
    with pytest.raises(ValueError, match="only one class"):
        fit(model, samples, epochs=1, loss=CrossEntropy())
    history = fit(model, samples, samples, epochs=1, ignore=None)
    assert (model.loss.class_weights[:2] > 0).all()
    expected = metrics.mean_iou(confusion(model, samples, ignore=None))
    assert history.curves["val_mean_iou"] == [pytest.approx(expected, abs=1e-4)]
    road = Samples(samples.names, samples.images, np.ones_like(samples.masks))
    with pytest.raises(ValueError, match="only one class counts, 1: .*Add pictures"):
        fit(model, road, epochs=1, ignore=None)
    with pytest.raises(ValueError, match="no pixel counts: all are ignored"):
        fit(model, road, epochs=1, ignore=1)


def test_ids_outside_of_the_classes_can_be_ignored_without_a_loss():
    samples = two_classes()
    samples.masks[:, 0] = 255
    model = make_model()
    history = fit(model, samples, samples, epochs=1, ignore=255)
    assert model.loss.ignore == 255
    expected = metrics.mean_iou(confusion(model, samples, ignore=255))
    assert history.curves["val_mean_iou"] == [pytest.approx(expected, abs=1e-4)]


def test_what_a_loss_ignores_is_not_overruled():
    samples = make_samples(1)
    with pytest.raises(ValueError, match="ignore is 255, but cross_entropy ignores 0"):
        fit(make_model(), samples, epochs=1, loss=CrossEntropy(), ignore=255)
    fit(make_model(), samples, epochs=1, loss=CrossEntropy(ignore=255), ignore=(255,))


def test_a_run_with_another_loss_is_another_run(tmp_path):
    samples = make_samples(1)
    fit(make_model(), samples, epochs=1, loss=CrossEntropy(), folder=tmp_path)
    with pytest.raises(ValueError, match="another run: loss cross_entropy there, soft_dice here"):
        fit(make_model(), samples, epochs=1, loss=SoftDice(), folder=tmp_path)
    with pytest.raises(ValueError, match="another run: settings of the loss"):
        fit(make_model(), samples, epochs=1, loss=CrossEntropy([0, 1, 2, 3]), folder=tmp_path)


def test_a_run_on_other_pictures_is_another_run(tmp_path):
    samples = make_samples(2)
    fit(make_model(), samples, epochs=1, folder=tmp_path)
    others = Samples(("a", "b"), samples.images, samples.masks)
    with pytest.raises(ValueError, match="another run: pictures' names"):
        fit(make_model(), others, epochs=1, folder=tmp_path)


def test_a_run_of_an_older_version_is_another_run(tmp_path):
    samples, state = make_samples(2), tmp_path / "history.json"
    fit(make_model(), samples, epochs=1, folder=tmp_path)
    saved = json.loads(state.read_text())
    del saved["run"]["ignored ids"]
    state.write_text(json.dumps(saved))
    with pytest.raises(ValueError, match=r"another run: ignored ids not known there, \[0\] here"):
        fit(make_model(), samples, epochs=1, folder=tmp_path)


def test_a_run_judged_on_other_pictures_is_another_run(tmp_path):
    samples = make_samples(2)
    fit(make_model(), samples, samples, epochs=1, folder=tmp_path)
    others = Samples(("a", "b"), samples.images, samples.masks)
    with pytest.raises(ValueError, match="another run: validation pictures' names"):
        fit(make_model(), samples, others, epochs=1, folder=tmp_path)


def test_scaled_masks_are_refused():
    samples = make_samples(1)
    scaled = Samples(samples.names, samples.images, samples.masks / np.float32(255))
    with pytest.raises(ValueError, match="Masks hold class ids.*float32"):
        fit(make_model(), scaled, epochs=1)


def test_one_picture_a_batch_is_refused_where_it_would_spoil_the_network():
    samples = make_samples(2)
    model = deeplab_v3plus("resnet", 4, channels=4, low_channels=2, rates=(1,), classes=CLASSES)
    with pytest.raises(ValueError, match="aspp_image_norm normalizes one number"):
        fit(model, samples, epochs=1, batch_size=1)
    with pytest.raises(ValueError, match="aspp_image_norm"):
        fit(model, samples[:1], epochs=1)
    fit(make_model(), samples, epochs=1, batch_size=1)


def test_a_sequential_model_trains_in_half_precision(monkeypatch):
    monkeypatch.setenv("COURSE_PRECISION", "mixed_bfloat16")
    convolution = keras.layers.Conv2D(CLASSES, 1)
    samples = make_samples(1)
    model = keras.Sequential([keras.Input((*samples.images.shape[1:3], 3)), convolution])
    with training.precision(model, "mixed_bfloat16"):
        assert convolution.compute_dtype == "float32"
    assert np.isfinite(fit(model, samples, epochs=1).curves["loss"]).all()


def test_rare_classes_weigh_more_but_not_without_limit():
    masks = np.full((2, 10, 10), 1, np.uint8)
    masks[:, :2], masks[0, 9, 9], masks[:, 5] = 2, 3, 0
    images = np.zeros((2, 10, 10, 3), np.uint8)
    loss = weighted_cross_entropy(Samples(("a", "b"), images, masks), 5, limit=3)
    unlabeled, common, rarer, rarest, absent = loss.class_weights
    assert (unlabeled, absent) == (0, 0)
    assert 0 < common < rarer < rarest == 3


def test_the_weights_of_the_default_loss_by_hand():
    masks = np.zeros((1, 8, 16), np.uint8)  # half of it unlabeled
    masks[0, :4] = [[1] * 9 + [2] * 4 + [3, 3, 4]] * 4
    train = Samples(("a",), np.zeros((*masks.shape, 3), np.uint8), masks)
    # Of 36, 16, 8 and 4 pixels the median is 12: the roots of 12/36, 12/16, 12/8 and 12/4.
    expected = [0, 3**-0.5, 0.75**0.5, 1.5**0.5, 3**0.5, 0]
    loss = weighted_cross_entropy(train, 6)
    np.testing.assert_allclose(loss.class_weights, expected, rtol=1e-6)
    assert loss.ignore == UNLABELED
    limited = weighted_cross_entropy(train, 6, limit=1.5, ignore=None).class_weights
    # The 64 of class 0 count here: of five classes, the middle one has 16.
    np.testing.assert_allclose(limited, [0.5, 2 / 3, 1, 2**0.5, 1.5, 0], rtol=1e-6)
    masks[:] = 1
    masks[0, 0, 0] = 2  # the root of (128 / 2) / 1 is 8
    assert weighted_cross_entropy(train, 3).class_weights[2] == 5


def test_the_recipe_weighs_as_training_does():
    masks = np.zeros((2, 4, 10), np.uint8)
    masks[0, :, 1:], masks[1, :2], masks[1, 2:, :3] = 1, 2, 3  # shares differ from those a picture
    train = Samples(("a", "b"), np.zeros((*masks.shape, 3), np.uint8), masks)
    ours, its = weighted_cross_entropy(train, 24), recipe._by_root(train.pixel_counts())
    assert its.ignore == ours.ignore
    np.testing.assert_array_equal(its.class_weights, ours.class_weights)
