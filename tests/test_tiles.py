"""Tiles against one pass over the whole picture, and windows against loops."""

import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from course.inference import predict, predict_tiles, strips, windows
from course.models.unet import output_size, small_unet, unet

REACH = 24  # of a padded U-Net of depth 2: 20 pixels, and up to 3 for the place in a group of four


def picture(height, width):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3)).astype(np.uint8)


def joined(*arguments, **options):
    """The logits of all strips."""
    tops, parts = zip(*strips(*arguments, **options), strict=True)
    assert list(tops) == [0, *np.cumsum([len(part) for part in parts])[:-1]]
    return np.concatenate(parts)


@pytest.fixture(scope="module")
def padded():
    keras.utils.set_random_seed(0)
    return unet(padding="same", width=4, depth=2)


@pytest.fixture(scope="module")
def unpadded(padded):
    model = unet(padding="valid", width=4, depth=2)
    model.set_weights(padded.get_weights())
    return model


# -- windows -----------------------------------------------------------------------------------

CASES = [
    (100, 32, 0, 0, 4),
    (100, 32, 8, 0, 8),
    (100, 32, 8, 4, 8),
    (100, 32, 16, 3, 4),
    (101, 32, 24, 5, 8),  # more than two tiles meet
    (97, 33, 1, 0, 32),
    (64, 64, 32, 0, 32),
    (65, 64, 32, 16, 32),
    (20, 64, 32, 8, 32),  # one tile, larger than the picture
    (1, 8, 0, 0, 8),
]


@pytest.mark.parametrize(("length", "size", "overlap", "rim", "stride"), CASES)
def test_windows_sum_to_one_and_start_on_the_stride(length, size, overlap, rim, stride):
    total = np.zeros(length + size)
    tiles = windows(length, size, overlap, rim, stride)
    for start, window in tiles:
        assert start % stride == 0
        assert window.shape == (size,)
        assert window.min() >= 0
        for i in range(size):
            total[start + i] += window[i]
    np.testing.assert_allclose(total[:length], 1, atol=1e-6)
    last = tiles[-1][0]
    assert length <= last + size
    assert last == 0 or last + size < length + stride


@pytest.mark.parametrize(("length", "size", "overlap", "rim", "stride"), CASES)
def test_rims_count_for_nothing_but_at_the_ends(length, size, overlap, rim, stride):
    tiles = windows(length, size, overlap, rim, stride)
    for start, window in tiles:
        assert start == 0 or not window[:rim].any()
        assert start == tiles[-1][0] or not window[size - rim :].any()
    assert tiles[0][1][0] == 1
    assert tiles[-1][1][-1] == 1


def test_a_window_by_hand():
    (first, falling), (second, rising) = windows(8, size=5, overlap=2, stride=1)
    assert (first, second) == (0, 3)
    np.testing.assert_allclose(falling, [1, 1, 1, 2 / 3, 1 / 3], rtol=1e-6)
    np.testing.assert_allclose(rising, [1 / 3, 2 / 3, 1, 1, 1], rtol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"overlap": 64}, "cannot overlap by 64: take 0 to 63"),
        ({"overlap": -32}, "cannot overlap by -32"),
        ({"overlap": 32, "rim": 17}, "overlap of at least 34"),
        ({"overlap": 32, "rim": -1}, "rim of -1"),
        ({"overlap": 20}, "no multiple of the stride 32.*Overlap by 32"),
        ({"overlap": 40}, "no multiple of the stride 32.*Take larger tiles"),
    ],
)
def test_tiles_that_do_not_fit_are_refused(padded, options, message):
    with pytest.raises(ValueError, match=message):
        predict_tiles(padded, picture(100, 100), tile=64, **options)


# -- against one pass --------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(96, 144), (100, 148), (97, 131), (64, 64), (65, 64)])
def test_a_padded_network_answers_as_in_one_pass(padded, size):
    """Also where 4 divides no side: the tiles mirror the border as the network does."""
    image = picture(*size)
    tiled = joined(padded, image, tile=64, overlap=52, rim=REACH, stride=4)
    whole = padded.predict(image[None], verbose=0)[0]
    assert tiled.shape == whole.shape
    np.testing.assert_allclose(tiled, whole, atol=1e-3)


@pytest.mark.parametrize("overlap", [0, 16])
@pytest.mark.parametrize("size", [(96, 144), (100, 147), (40, 60), (13, 90)])
def test_an_unpadded_network_answers_as_in_one_pass(unpadded, size, overlap):
    """Any overlap will do, for such a network answers only where it needs no padding."""
    image = picture(*size)
    rim = 20
    # One pass wants a size that fits, so the picture is mirrored on at the bottom and right.
    more = [next(k for k in range(4) if (n + k) % 4 == 0) for n in size]
    mirrored = np.pad(image, [*((rim, rim + k) for k in more), (0, 0)], mode="reflect")
    assert output_size(mirrored.shape[:2], depth=2) == tuple(np.add(size, more))
    whole = unpadded.predict(mirrored[None], verbose=0)[0, : size[0], : size[1]]
    tiled = joined(unpadded, image, tile=88, overlap=overlap, stride=4)
    np.testing.assert_allclose(tiled, whole, atol=1e-3)


def test_a_picture_smaller_than_a_tile_is_mirrored_on(padded):
    """One pass sees zeros behind its last row: the answers differ there, and nowhere else."""
    image = picture(40, 200)
    tiled = joined(padded, image, tile=64, overlap=52, rim=REACH, stride=4)
    whole = padded.predict(image[None], verbose=0)[0]
    assert tiled.shape == whole.shape
    np.testing.assert_allclose(tiled[: 40 - REACH], whole[: 40 - REACH], atol=1e-3)
    assert joined(padded, picture(3, 5), tile=64, overlap=32, stride=4).shape == (3, 5, 24)


def test_without_a_rim_the_seams_show_and_far_from_them_nothing_does(padded):
    image = picture(128, 192)
    whole = padded.predict(image[None], verbose=0)[0]
    tiled = joined(padded, image, tile=64, overlap=0, stride=4)
    difference = abs(tiled - whole).max(axis=-1)
    near = np.abs(np.arange(192) + 0.5 - 64) < 2
    far = np.abs(np.arange(64) + 0.5 - 32) < 32 - REACH
    assert difference[:, near].mean() > 0.05
    assert difference[:64, :64][far][:, far].max() < 1e-3
    blended = joined(padded, image, tile=64, overlap=32, stride=4)
    assert abs(blended - whole).mean() < abs(tiled - whole).mean()


def test_off_the_stride_the_answer_is_another(padded):
    image = picture(128, 128)
    whole = padded.predict(image[None], verbose=0)[0]
    wrong = joined(padded, image, tile=66, overlap=52, rim=REACH, stride=2)
    assert abs(wrong - whole).max() > 0.05


def test_labels_are_those_of_one_pass():
    keras.utils.set_random_seed(0)
    model = small_unet(4, depth=2)
    image = picture(100, 148)
    mask = predict_tiles(model, image, tile=64, overlap=52, rim=REACH, stride=4)
    assert mask.dtype == np.uint8
    assert (mask == predict(model, image)).mean() > 0.999


def test_a_tile_need_not_be_square(padded):
    image = picture(90, 150)
    tiled = joined(padded, image, tile=(56, 80), overlap=52, rim=REACH, stride=4)
    whole = padded.predict(image[None], verbose=0)[0]
    np.testing.assert_allclose(tiled, whole, atol=1e-3)


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
def test_any_function_of_pictures_and_a_memory_map(tmp_path, dtype):
    """Colours sorted into three classes, pixel by pixel: tiles cannot matter."""
    image = picture(70, 90).astype(dtype)
    np.save(tmp_path / "image.npy", image)
    mapped = np.load(tmp_path / "image.npy", mmap_mode="r")
    mask = predict_tiles(lambda x: x.astype("float32"), mapped, tile=32, overlap=16, stride=8)
    np.testing.assert_array_equal(mask, image.argmax(axis=-1))


@pytest.mark.parametrize(("size", "tiles"), [((40, 40), 1), ((64, 96), 2), ((128, 128), 9)])
def test_no_tile_is_labelled_for_nothing(size, tiles):
    calls = []

    def network(images):
        calls.append(len(images))
        return images.astype("float32")

    predict_tiles(network, picture(*size), tile=64, overlap=32)
    assert calls == [1] * tiles


def test_pictures_of_another_shape_and_odd_answers_are_refused():
    with pytest.raises(
        ValueError, match=r"one picture \(height, width, 3\); this has \(2, 8, 8, 3\)"
    ):
        predict_tiles(None, np.zeros((2, 8, 8, 3), np.uint8))
    images = keras.Input((None, None, 3))
    halved = keras.Model(images, layers.Conv2D(3, 2)(images))
    with pytest.raises(ValueError, match=r"\(64, 64\).*\(63, 63\): neither the whole tile nor"):
        predict_tiles(halved, picture(100, 100), tile=64, overlap=32)


@pytest.mark.parametrize("stride", [2, 8])
def test_coarse_logits_are_not_taken_for_the_middle(stride):
    def coarse(images):
        return images[:, ::stride, ::stride].astype("float32")

    with pytest.raises(ValueError, match=f"one score every {stride} pixels"):
        predict_tiles(coarse, picture(200, 200), tile=64, overlap=0)


def test_strips_can_be_kept():
    image = picture(100, 70)
    options = {"tile": 32, "overlap": 16, "stride": 8}
    _, parts = zip(*strips(lambda x: x.astype("float32"), image, **options), strict=True)
    np.testing.assert_allclose(np.concatenate(parts), image, atol=1e-3)


# -- memory ------------------------------------------------------------------------------------

PEAK = """
import re
from pathlib import Path
import numpy as np
from course import environment
environment.setup()
from course.inference import predict_tiles
from course.models.unet import small_unet

block = np.random.default_rng(0).integers(0, 256, (500, 500, 3)).astype(np.uint8)
image = np.tile(block, (8, 12, 1))
assert image.shape == (4000, 6000, 3)
mask = predict_tiles(small_unet(4, depth=1), image)
assert mask.shape == (4000, 6000)
# Not ru_maxrss: on Linux a child starts with the peak of the process that forked it.
status = Path("/proc/self/status").read_text()
print("peak", re.search(r"VmHWM:\\s+(\\d+)", status)[1])
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_24_megapixel_photograph_takes_less_than_3_gib(tmp_path):
    """The whole process, TensorFlow included: 1.5 GiB measured. All logits would add 2.3 GB."""
    process = subprocess.run(
        [sys.executable, "-c", PEAK],
        cwd=Path(__file__).resolve().parents[1],
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert process.returncode == 0, process.stderr[-3000:]
    kibibytes = int(process.stdout.rpartition("peak ")[2])
    assert kibibytes < 3 * 1024**2, f"{kibibytes / 1024**2:.2f} GiB"
