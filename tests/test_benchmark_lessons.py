"""What the benchmarks take out of lessons, and what they put in its place."""

import ast
import json
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from benchmarks import (
    classical,
    crf,
    deploy,
    fcn,
    patches,
    results,
    tables,
    transfer,
    unet,
    upsampling,
)
from course import inference
from course.data import Samples
from course.models.fcn import small_fcn
from course.notebooks import read
from tests.models import randomise

pytestmark = pytest.mark.slow
LESSON_13 = Path(deploy.__file__).parents[1] / "notebooks" / "13_full_resolution.ipynb"


def code(lesson):
    return {cell.id: cell.source for cell in read(lesson).cells if cell.cell_type == "code"}


@pytest.mark.parametrize("line", ["SEED, WINDOW, REACH = 0,", patches.EQUAL_SHARES])
def test_what_is_changed_in_the_lesson_on_patches_is_there_once(line):
    assert sum(line in source for source in code(patches.LESSON).values()) == 1


def test_cells_and_rate_of_the_lesson_on_upsampling_are_there():
    cells = code(upsampling.LESSON)
    assert set(upsampling.CELLS) <= set(cells)
    assert cells["race"].count(f"learning_rate = {upsampling.RATE}") == 1


def test_the_lesson_without_networks_is_run_with_another_seed_or_not_at_all(monkeypatch):
    label = transfer.lesson_03(7)["learn_groups"]
    assert 7 in label.__code__.co_consts
    monkeypatch.setitem(classical.SEEDED, "forest", ("random_state=5",))
    for run in (classical.run, transfer.lesson_03):
        with pytest.raises(ValueError, match="no longer has random_state=5"):
            run(7)


def test_the_encoder_is_tried_in_one_network_alone(monkeypatch):
    monkeypatch.setattr(transfer.results, "prepare", lambda: pytest.fail("it went on"))
    monkeypatch.setattr("sys.argv", ["transfer", "--model", "U-Net"])
    with pytest.raises(SystemExit):  # its rows would mix with those of DeepLabV3+
        transfer.main()
    for name in ("transfer-synthetic-smoke", "transfer-real-smoke"):
        assert {row["model"] for row in tables.rows(name)} == {transfer.MODEL, "none"}


def test_a_seed_of_the_lesson_on_upsampling_leaves_the_others_stored(monkeypatch, tmp_path):
    monkeypatch.setattr(results, "RESULTS", tmp_path)
    lesson = SimpleNamespace(dataset=SimpleNamespace(title="scenes", synthetic=True))
    for seeds, value in (([0, 1], 0.5), ([1], 0.25)):
        rows = [{"seed": seed, "checkerboard": value} for seed in seeds]
        upsampling.store("upsampling", lesson, rows)
    stored = json.loads((tmp_path / "upsampling-synthetic.json").read_text(encoding="utf-8"))
    assert [(r["seed"], r["checkerboard"]) for r in stored["rows"]] == [(0, 0.5), (1, 0.25)]


def test_an_fcn_begins_with_the_layers_of_another():
    trained = randomise(small_fcn(8, width=2, size=(32, 32)))
    model = fcn.begin_with(small_fcn(32, width=2, size=(32, 32)), trained)
    for name in ("conv1_1", "fc6", "score_fr"):
        for one, other in zip(
            *(m.get_layer(name).get_weights() for m in (model, trained)), strict=True
        ):
            np.testing.assert_array_equal(one, other)


def test_rules_read_filters_and_maps_of_the_encoder():
    image = np.random.default_rng(0).integers(0, 256, (32, 48, 3)).astype(np.uint8)
    filters, maps, both = (
        transfer.features_of(sources)(image)
        for sources in (["filters"], ["scenes"], ["scenes", "filters"])
    )
    assert (filters.shape, maps.shape) == ((32, 48, 18), (32, 48, 192))
    np.testing.assert_allclose(both, np.dstack([maps, filters]), rtol=1e-5)


def test_early_stages_of_the_encoder_are_frozen_and_no_others():
    network = transfer.build(weights=None, size=(32, 32))
    transfer.freeze(network, transfer.early_stages)
    stages = {n: network.get_layer(f"stage{n}_block1_conv1").trainable for n in (2, 3, 4, 5)}
    assert stages == {2: False, 3: False, 4: True, 5: True}
    assert network.get_layer("score").trainable


def test_a_strided_deeplab_v1_differs_from_v1_in_nothing_that_has_weights():
    scale = SimpleNamespace(size=(64, 64), width=2)
    one, other = crf.v1(scale), crf.strided_v1(scale)
    assert [w.shape for w in one.weights] == [w.shape for w in other.weights]
    assert one.output_shape == other.output_shape
    rates = {layer.dilation_rate for layer in other.layers if hasattr(layer, "dilation_rate")}
    assert rates == {(1, 1)}


def test_distances_to_the_seams_of_tiles():
    distance = unet.near_seams((128, 192), 64)
    assert (distance[63, 100], distance[64, 100], distance[10, 63], distance[10, 128]) == (0,) * 4
    assert (distance[0, 0], distance[20, 96]) == (63, 31)


def test_pixels_are_near_a_seam_or_far_from_it_only_where_tiles_touch(monkeypatch):
    masks = np.ones((2, 128, 192), np.uint8)
    validation = Samples(("a", "b"), np.zeros((*masks.shape, 3), np.uint8), masks)
    spoilt = masks[0].copy()
    spoilt[:, 60:64] = 2  # four columns beside a seam, from top to bottom

    def in_tiles(model, image, tile, overlap):
        return spoilt

    monkeypatch.setattr(unet.inference, "predict", lambda model, images: masks)
    monkeypatch.setattr(unet.inference, "predict_tiles", in_tiles)
    model = unet.small_unet(2, size=(128, 192))
    touching, overlapping = unet.in_tiles(model, SimpleNamespace(width=2), validation)
    assert touching["changed"] == round(4 / 192, 4)
    assert (touching["changed far"], touching["changed near"] > 4 / 192) == (0, True)
    assert not {"changed near", "changed far"} & set(overlapping)
    for row in tables.rows("unet-seams-synthetic-smoke"):
        assert ("changed far" in row) == (row["overlap"] == 0)


@pytest.fixture
def small_photograph(monkeypatch):
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (64, 96, 3)).astype(np.uint8)
    truth = rng.integers(1, 24, (64, 96)).astype(np.uint8)
    monkeypatch.setattr(deploy, "photograph", lambda: (picture, truth))


@pytest.mark.parametrize(
    ("tiling", "columns"),
    [
        ((64, 0, 0), [64, 128, 192, 256, 320]),
        ((64, 32, 0), []),
        ((128, 0, 0), [128, 256]),
        ((128, 64, 0), []),
        ((128, 64, 32), [96, 160, 224, 288]),
    ],
)
def test_cuts_are_where_one_tile_takes_over_from_another(tiling, columns):
    """A network that answers each tile with a class of its own shows where its labels end."""
    assert deploy.cuts(384, *tiling) == columns
    classes = iter(range(100))

    def one_class_a_tile(tiles):
        return np.broadcast_to(np.eye(100, dtype="float32")[next(classes)], (*tiles.shape[:3], 100))

    picture = np.zeros((tiling[0], 384, 3), np.uint8)
    mask = inference.predict_tiles(of_frames(one_class_a_tile), picture, *tiling)
    if columns:
        assert (np.flatnonzero(np.diff(mask[0])) + 1).tolist() == columns
        assert deploy.edges(mask[None], columns) == 1


def test_edges_are_counted_at_cuts_and_not_counted_where_there_are_none(monkeypatch):
    assert deploy.cuts(576, 128, 0, 0) == [
        128,
        256,
        384,
    ]  # the fourth tile shares half with the last
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (1, 128, 384, 3)).astype(np.uint8)
    masks = rng.integers(1, 24, images.shape[:3]).astype(np.uint8)
    model = of_frames(lambda images: images.astype("float32"))  # of single pixels: no seams
    monkeypatch.setattr(
        deploy.inference, "augmented", lambda model, **options: model.predict_on_batch
    )
    monkeypatch.setattr(deploy.environment, "backend", lambda: "another")
    monkeypatch.setattr(deploy, "at_heights", lambda model: [])
    rows = {row["what"]: row for row in deploy.scores(model, Samples(("a",), images, masks), None)}
    counted = {name: row["edges at cuts"] for name, row in rows.items() if "edges at cuts" in row}
    hard = ("64, no overlap", "128, no overlap", "128, overlap 64, rim 32")
    assert counted == {f"tiles of {name}": 1 for name in hard}


def test_the_large_scene_is_labelled_as_the_lesson_labels_it():
    """By the lesson's own function: a network that depends on where its tile ends would show a difference."""
    rng = np.random.default_rng(0)
    picture = cv2.resize(rng.integers(0, 256, (80, 120, 3)).astype(np.uint8), (1500, 1000))
    model = of_frames(lambda tiles: tiles - tiles.mean(axis=(1, 2), keepdims=True))
    names = {"cv2": cv2, "inference": inference, "model": model, "photograph": picture}
    names["truth"] = np.zeros((500, 750), np.uint8)
    cells = code(LESSON_13)
    (function,) = (
        node for node in ast.parse(cells["resolution"]).body if isinstance(node, ast.FunctionDef)
    )
    exec(compile(ast.Module([function], []), "resolution", "exec"), names)
    for height in (600, 1000):
        theirs = names["at_height"](height)
        ours = deploy.label_at(height, model, picture, (500, 750))
        assert len(np.unique(theirs)) == 3
        np.testing.assert_array_equal(ours, theirs)
    assert "cv2.resize(picture, (6000, 4000), interpolation=cv2.INTER_CUBIC)" in cells["photograph"]
    assert "tile=512, overlap=64" in cells["large"]  # at its full height


def test_the_large_scene_is_enlarged_as_the_lesson_enlarges_it(small_photograph, monkeypatch):
    seen = []
    monkeypatch.setattr(
        deploy, "label_at", lambda *args: seen.append(args) or deploy.photograph()[1]
    )
    (row,) = deploy.at_heights("a network", heights=(128,), size=(128, 192))
    (height, model, picture, size), (drawn, truth) = seen[0], deploy.photograph()
    assert (height, model, size) == (128, "a network", truth.shape)
    enlarged = cv2.resize(drawn, (192, 128), interpolation=cv2.INTER_CUBIC)
    np.testing.assert_array_equal(picture, enlarged)
    assert (row["what"], row["mIoU"]) == ("a scene 128 high", 1)


def of_frames(function):
    return SimpleNamespace(predict_on_batch=function)


def test_a_network_of_single_pixels_never_flickers(small_photograph):
    model = of_frames(lambda frames: frames.astype(np.float32))
    for row in deploy.flight(model, (32, 48), frames=3, step=(2, 3)):
        assert row["changed"] == 0


def test_damping_keeps_labels_that_a_noisy_network_would_change(small_photograph):
    rng = np.random.default_rng(0)
    model = of_frames(lambda frames: frames / 128 + rng.normal(size=frames.shape))
    each, damped = deploy.flight(model, (32, 48), frames=6, step=(2, 3))
    assert damped["changed"] < 0.8 * each["changed"]
