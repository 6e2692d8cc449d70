"""The recipe's benchmark: what it trains on, for how long, and that each change is one."""

import json
from dataclasses import asdict, replace
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from benchmarks import accuracy, recipe, speed
from benchmarks.peers import Peer
from course import environment
from course.classes import NUM_CLASSES
from course.data import PARTS, Samples, part_of
from course.data.cache import scaled
from course.models.backbones.vgg import vgg

NAMES = tuple(f"{number:03d}" for number in range(20))


class Tiny:
    """A dataset of noise at any size."""

    title = "Noise"
    synthetic = True

    def at(self, size):
        rng = np.random.default_rng(0)
        images = rng.integers(0, 256, (len(NAMES), *size, 3)).astype(np.uint8)
        masks = rng.integers(0, NUM_CLASSES, (len(NAMES), *size)).astype(np.uint8)
        return Samples(NAMES, images, masks)


def test_all_that_is_not_for_validation_is_trained_on():
    train, validation = recipe.pictures(Tiny(), (8, 12))
    assert {part_of(name) for name in NAMES} == set(PARTS)
    assert set(train.names) | set(validation.names) == set(NAMES)
    assert {part_of(name) for name in validation.names} == {"validation"}
    assert len(train) + len(validation) == len(NAMES)


def test_every_change_is_of_the_base_and_changes_something():
    base = asdict(recipe.BASE)
    for name, change in recipe.CHANGES.items():
        changed = asdict(replace(recipe.BASE, **change))
        assert (changed == base) == (name == "base")
        assert changed["network"] in recipe.NETWORKS
        assert changed["loss"] in recipe.LOSSES
        assert changed["schedule"] in recipe.SCHEDULES


SMALL = replace(recipe.BASE, width=2, size=(32, 48), pictures=None)


def test_a_run_is_as_its_recipe_says(monkeypatch):
    fitted = {}

    def fit(model, samples, **options):
        fitted.update(options, precision=environment.precision())
        return SimpleNamespace(seconds=1.0, curves={"loss": [2.0]})

    monkeypatch.setattr(recipe.training, "fit", fit)
    before = environment.precision()
    train, _ = recipe.pictures(Tiny(), SMALL.size)
    _, told = recipe.train(SMALL, Tiny(), epochs=3, seed=0)
    assert told["epochs"] == fitted["epochs"] == 3
    assert told["steps"] == 3 * (len(train) // SMALL.batch)
    assert (fitted["learning_rate"], fitted["batch_size"]) == (SMALL.rate, SMALL.batch)
    assert fitted["precision"] == SMALL.precision != before
    assert environment.precision() == before  # what is trained next in this process is not touched


@pytest.mark.slow
def test_an_epoch_is_all_its_batches(monkeypatch):
    # A clock that only training moves: a second a step of the first recipe, three of the second.
    clock = [0.0]
    monkeypatch.setattr(recipe.time, "perf_counter", lambda: clock[0])
    step = keras.Model.train_on_batch

    def timed(model, images, masks):
        clock[0] += 1.0 if len(images) == SMALL.batch else 3.0
        return step(model, images, masks)

    monkeypatch.setattr(keras.Model, "train_on_batch", timed)
    train, _ = recipe.pictures(Tiny(), SMALL.size)
    larger = replace(SMALL, batch=8)
    seconds = recipe.seconds_an_epoch([SMALL, larger], Tiny(), seed=0)
    assert seconds == [len(train) // 4 * 1.0, len(train) // 8 * 3.0]


def test_a_change_is_trained_for_as_long_as_the_base(monkeypatch, tmp_path):
    monkeypatch.setattr(recipe.results, "RESULTS", tmp_path)
    monkeypatch.setattr(recipe.data, "load", lambda: Tiny())
    monkeypatch.setattr(recipe, "TRUTH", SMALL.size)
    monkeypatch.setattr(recipe, "BASE", SMALL)
    monkeypatch.setattr(recipe, "seconds_an_epoch", lambda recipes, *of: [1.5, 1.0])
    trained = []

    def train(how, dataset, epochs, seed):
        trained.append((how, epochs))
        return recipe.NETWORKS[how.network](how), {"epochs": epochs, "seconds": 1.0}

    monkeypatch.setattr(recipe, "train", train)
    changes = ["base", "scored on four views", "twice the rate"]
    monkeypatch.setattr("sys.argv", ["recipe", *changes, "--epochs", "6"])
    recipe.main()
    # Four views are of the base that has been trained.
    assert trained == [(SMALL, 6), (replace(SMALL, rate=2 * SMALL.rate), 4)]
    (file,) = tmp_path.iterdir()
    rows = {row["change"]: row for row in json.loads(file.read_text())["rows"]}
    assert list(rows) == changes
    assert [row["cost of an epoch"] for row in rows.values()] == [1.0, 1.0, 1.5]


@pytest.mark.parametrize("change", ["base", "flips and zoom", "flips alone", "no augmentation"])
def test_what_is_changed_at_random(change):
    how = replace(SMALL, size=(8, 12), pictures=(16, 24), **recipe.CHANGES[change])
    samples, _, _, batches = recipe.materials(how, Tiny(), seed=0)
    # Only a zoom can show what a larger copy has more.
    zooms = change in ("base", "flips and zoom")
    assert samples.images.shape[1:3] == ((16, 24) if zooms else (8, 12))
    images, masks = batches[0]
    assert images.shape[1:3] == masks.shape[1:3] == (8, 12)
    small = [
        scaled(image, mask, (8, 12))[0]
        for image, mask in zip(samples.images, samples.masks, strict=True)
    ]
    as_they_are = {image.tobytes() for image in small}
    mirrored = {image[:, ::-1].tobytes() for image in small}
    found = [image.tobytes() for i in range(3) for image in batches[i][0]]
    if zooms:
        # A zoom close to 1 rounds to none.
        untouched = [image for image in found if image in as_they_are | mirrored]
        assert len(untouched) < len(found) / 2
    else:
        assert set(found) <= as_they_are | mirrored
        assert bool(set(found) - as_they_are) == (change == "flips alone")


def test_the_rate_stays_where_it_is_constant(monkeypatch):
    rates = []

    def fit(model, samples, *, epochs, learning_rate, schedule, **options):
        rates.append([schedule(epoch, epochs, learning_rate) for epoch in range(epochs)])
        return SimpleNamespace(seconds=1.0, curves={"loss": [2.0]})

    monkeypatch.setattr(recipe.training, "fit", fit)
    for schedule in recipe.SCHEDULES:
        recipe.train(replace(SMALL, schedule=schedule), Tiny(), epochs=4, seed=0)
    falling, constant = rates
    assert constant == [SMALL.rate] * 4
    assert falling[0] == SMALL.rate / 4
    assert falling[1] > falling[2] > falling[3] > 0


def test_a_strided_stem_is_all_that_differs():
    plain = recipe.NETWORKS["FCN-8s"](SMALL)
    strided = recipe.NETWORKS["FCN-8s, strided stem"](SMALL)
    assert [layer.name for layer in strided.layers] == [layer.name for layer in plain.layers]
    assert strided.count_params() == plain.count_params()
    images = keras.Input((32, 48, 3))
    maps = {}
    for name, model in (("plain", plain), ("strided", strided)):
        inner = keras.Model(
            model.inputs, [model.get_layer("conv1_1").output, model.get_layer("pool1").output]
        )
        maps[name] = [shape.shape[1:3] for shape in inner(images)]
    assert maps == {"plain": [(32, 48), (16, 24)], "strided": [(16, 24), (16, 24)]}
    frozen = [layer.name for layer in strided.layers if layer.weights and not layer.trainable]
    assert frozen == [layer.name for layer in plain.layers if layer.weights and not layer.trainable]


@pytest.mark.slow
def test_averaged_weights_are_what_is_scored():
    last, _ = recipe.train(SMALL, Tiny(), epochs=1, seed=0)
    model, _ = recipe.train(replace(SMALL, average=0.5), Tiny(), epochs=1, seed=0)
    first = (one.trainable_variables[0].numpy() for one in (last, model))
    assert not np.array_equal(*first)
    optimizers = [one.optimizer for one in (last, model)]
    assert [optimizer.use_ema for optimizer in optimizers] == [False, True]
    average = optimizers[1]._model_variables_moving_average[0]
    assert np.array_equal(model.trainable_variables[0], average)


@pytest.mark.parametrize("views", [False, True])
def test_labels_are_as_large_as_the_truth(monkeypatch, views):
    monkeypatch.setattr(recipe, "TRUTH", (16, 24))
    how = replace(SMALL, views=views)
    model = recipe.NETWORKS[how.network](how)
    labels = recipe.guesses(model, how, Tiny())
    _, validation = recipe.pictures(Tiny(), how.size)
    assert labels.shape == (len(validation), 16, 24)


@pytest.mark.parametrize(
    ("size", "augment", "comes"),
    [
        ((8, 12), "all", (16, 24)),
        ((4, 4), "all", (16, 16)),
        ((8, 12), "flips and zoom", (16, 24)),
        ((8, 12), "flips", (8, 12)),
        ((8, 12), "none", (8, 12)),
    ],
)
def test_what_a_peer_is_given(size, augment, comes, tmp_path, monkeypatch):
    monkeypatch.setattr(accuracy, "TRUTH", (16, 24))
    peer = Peer(None, "here", 2, 0.1, size, augment=augment)
    accuracy.write_pictures(tmp_path, Tiny(), peer)
    train, _ = recipe.pictures(Tiny(), comes)
    _, validation = recipe.pictures(Tiny(), size)
    with np.load(tmp_path / "pictures.npz") as stored:
        # Never the truth that it is scored on.
        assert sorted(stored) == ["images", "masks", "truth_size", "unseen"]
        assert np.array_equal(stored["masks"], train.masks)
        assert np.array_equal(stored["unseen"], validation.images)


def test_multiply_adds_are_those_that_are_published():
    # VGG-16's convolutions on 224×224: 15.3 thousand million.
    images = keras.Input((224, 224, 3))
    model = keras.Model(images, vgg(images)[32])
    assert speed.multiply_adds(model) == 15_346_630_656
