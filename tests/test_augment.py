"""Augmentation: picture and mask move as one, ids stay ids, and chance has one source."""

import numpy as np
import pytest
from conftest import NAMES, a_mask, picture_of

from course.data import FLIPS, Augmentation, find
from course.data.cache import load_samples, scaled

SIZES = [(48, 72), (72, 48), (48, 48), (47, 71), (128, 192)]


def rng(seed):
    return np.random.default_rng(seed)


def coded(mask):
    """A picture whose every channel is ten times the id."""
    return np.dstack([mask * 10] * 3)


def doubled(mask):
    """At twice its size, each pixel four times."""
    return mask.repeat(2, 0).repeat(2, 1)


def away_from_edges(mask):
    """Pixels with one id all around, as far as interpolation mixes where it enlarges."""
    padded = np.pad(mask, 2, constant_values=255)
    height, width = mask.shape
    around = [padded[y : y + height, x : x + width] for y in range(5) for x in range(5)]
    return np.all([part == mask for part in around], axis=0)


@pytest.mark.parametrize("to_half", [False, True])
@pytest.mark.parametrize("size", SIZES)
def test_picture_and_mask_stay_aligned(size, to_half):
    mask, augment = a_mask(1, size), Augmentation()
    if to_half:
        mask, augment = doubled(mask), Augmentation(size=size)
    image = coded(mask)
    checked = 0
    for seed in range(60):
        moved, ids = augment.move(image, mask, rng(seed))
        assert ids.shape == size
        inner = away_from_edges(ids)
        checked += inner.sum()
        assert (moved[inner] == ids[inner][:, None] * 10).all(), seed
    assert checked > 60 * ids.size * 0.4


@pytest.mark.parametrize("to_half", [False, True])
@pytest.mark.parametrize("size", SIZES)
def test_alignment_is_true_to_half_a_pixel(size, to_half):
    """Edges of the picture lie where the mask has them, not beside it."""
    mask, augment = np.zeros(size, np.uint8), Augmentation()
    mask[size[0] // 3 :, size[1] // 4 :] = 20
    if to_half:
        mask, augment = doubled(mask), Augmentation(size=size)
    offsets = []
    for seed in range(40):
        moved, ids = augment.move(coded(mask), mask, rng(seed))
        offsets.append((moved[..., 0] / 200).sum() - (ids == 20).sum())
    # Interpolation blurs an edge to both sides alike; a shift would add up along its length.
    assert abs(np.mean(offsets)) < 0.1 * sum(size)


def the_eight(array):
    """Every flip and quarter turn of a square."""
    return [np.rot90(flipped, k) for flipped in (array, array[:, ::-1]) for k in range(4)]


def test_flips_and_turns_of_a_square_are_exact():
    mask = rng(0).integers(0, 24, (32, 32), np.uint8)
    image = rng(1).integers(0, 256, (32, 32, 3), np.uint8)
    seen = set()
    for seed in range(200):
        moved, ids = Augmentation(zoom=1).move(image, mask, rng(seed))
        (which,) = [i for i, turned in enumerate(the_eight(mask)) if (turned == ids).all()]
        assert (the_eight(image)[which] == moved).all()
        seen.add(which)
    assert seen == set(range(8))


@pytest.mark.parametrize("size", [(32, 48), (48, 32), (31, 47)])
def test_flips_and_half_turns_of_an_oblong_are_exact(size):
    mask = rng(0).integers(0, 24, size, np.uint8)
    image = rng(1).integers(0, 256, (*size, 3), np.uint8)
    exact = 0
    for seed in range(80):
        moved, ids = Augmentation(zoom=1).move(image, mask, rng(seed))
        for turned, expected in zip(the_eight(mask), the_eight(image), strict=True):
            if turned.shape == ids.shape and (turned == ids).all():
                assert (expected == moved).all()
                exact += 1
    # Quarter turns, one case of two, must be enlarged to fill the frame.
    assert 25 <= exact <= 55


def test_nothing_changes_if_nothing_may():
    mask = a_mask()
    image = picture_of(mask)
    augment = Augmentation(flip=False, turn=False, zoom=1, light=0, color=0)
    for seed in range(10):
        same_image, same_mask = augment(image, mask, rng(seed))
        assert (same_image == image).all()
        assert (same_mask == mask).all()


def test_zoom_crops_a_window_of_the_right_size():
    """A picture of coordinates tells which part of it is seen."""
    height, width = 96, 144
    rows, columns = np.indices((height, width))
    image = np.dstack([rows, columns, rows * 0]).astype(np.uint8)
    spans = []
    for seed in range(200):
        moved, _ = Augmentation(flip=False, turn=False, zoom=2).move(
            image, a_mask(0, (height, width)), rng(seed)
        )
        spans.append([np.ptp(moved[..., 0]) / (height - 1), np.ptp(moved[..., 1]) / (width - 1)])
    spans = np.array(spans)
    assert np.abs(spans[:, 0] - spans[:, 1]).max() < 0.04  # the same in both directions
    assert 0.47 < spans.min() < 0.53
    assert spans.max() > 0.95


@pytest.mark.parametrize("size", SIZES)
def test_beyond_the_edge_nothing_is_made_up(size):
    """No black corners, no unlabeled rim: what is one class stays one class."""
    mask = np.full(size, 7, np.uint8)
    image = np.full((*size, 3), 50, np.uint8)
    for seed in range(40):
        moved, ids = Augmentation(zoom=2).move(image, mask, rng(seed))
        assert (moved == 50).all()
        assert (ids == 7).all()


def test_ids_shapes_and_types():
    for size in SIZES:
        mask = a_mask(3, size) // 5 * 5
        image = picture_of(mask)
        for seed in range(20):
            new_image, new_mask = Augmentation()(image, mask, rng(seed))
            assert (new_image.shape, new_image.dtype) == (image.shape, np.uint8)
            assert (new_mask.shape, new_mask.dtype) == (mask.shape, np.uint8)
            assert set(new_mask.flat) <= set(mask.flat)


def test_inputs_are_never_changed(make_dataset):
    samples = load_samples(find(make_dataset()).pairs, (48, 72))
    assert isinstance(samples.images, np.memmap)
    before = samples.images.copy(), samples.masks.copy()
    for augment in (
        Augmentation(),
        Augmentation(flip=False, turn=False, zoom=1),
        Augmentation(light=0, color=0),
    ):
        for i in range(len(NAMES)):
            image, mask = augment(*samples[i], rng(i))
            assert image.flags.writeable
            assert mask.flags.writeable
            assert not np.shares_memory(image, samples.images)
            assert not np.shares_memory(mask, samples.masks)
    assert (before[0] == samples.images).all()
    assert (before[1] == samples.masks).all()


def test_reproducible_and_various():
    mask = a_mask()
    image = picture_of(mask)
    results = [Augmentation()(image, mask, rng(seed)) for seed in range(12)]
    again = [Augmentation()(image, mask, rng(seed)) for seed in range(12)]
    for one, two in zip(results, again, strict=True):
        assert (one[0] == two[0]).all()
        assert (one[1] == two[1]).all()
    assert len({result[0].tobytes() for result in results}) == 12


def test_numpys_global_chance_is_left_alone():
    np.random.seed(3)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    Augmentation()(picture_of(a_mask()), a_mask(), rng(0))
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002


def test_light_touches_the_picture_alone_and_within_bounds():
    mask = a_mask()
    image = np.full((*mask.shape, 3), 128, np.uint8)
    means = []
    for seed in range(300):
        lit, same = Augmentation(flip=False, turn=False, zoom=1)(image, mask, rng(seed))
        assert (same == mask).all()
        means.append(lit[0, 0])
    means = np.array(means) / 128
    assert means.min() >= 0.75 * 0.9 - 0.01
    assert means.max() <= 1.25 * 1.1 + 0.01
    assert means.std() > 0.08
    assert abs(means.mean() - 1) < 0.05


def test_flips_mirror_every_other_pair_and_nothing_else():
    mask = a_mask()
    image = picture_of(mask)
    pair, mirrored = (image, mask), (image[:, ::-1], mask[:, ::-1])
    seen = []
    for seed in range(200):
        got = FLIPS(image, mask, rng(seed))
        seen.append(all(np.array_equal(a, b) for a, b in zip(got, mirrored, strict=True)))
        assert seen[-1] or all(np.array_equal(a, b) for a, b in zip(got, pair, strict=True))
    assert 70 < sum(seen) < 130


def test_light_agrees_with_the_formula():
    """Contrast about mid-grey, then brightness, then balance; brute force against the table."""
    image = rng(0).integers(0, 256, (9, 11, 3), np.uint8)
    augment = Augmentation(light=0.4, color=0.2)
    chance = rng(5)
    contrast, brightness = 1 + chance.uniform(-0.4, 0.4, 2)
    balance = 1 + chance.uniform(-0.2, 0.2, 3)
    expected = np.zeros_like(image)
    for y, x, c in np.ndindex(image.shape):
        value = ((int(image[y, x, c]) - 128) * contrast + 128 * brightness) * balance[c]
        expected[y, x, c] = min(255, max(0, round(value)))
    assert (augment.relight(image, rng(5)) == expected).all()


def test_colors_are_scaled_each_by_its_own():
    image = np.full((4, 4, 3), 128, np.uint8)
    lit = Augmentation(light=0, color=0.3).relight(image, rng(1))
    assert len(set(lit[0, 0].tolist())) == 3


@pytest.mark.parametrize("whole", [(24, 36), (48, 72), (80, 120)])
def test_a_smaller_size_is_the_same_view_scaled_down(whole):
    # A gradient looks alike at every scale: what comes out is the picture, scaled, up to its edges.
    rows, columns = np.mgrid[: whole[0], : whole[1]]
    image = np.dstack([rows * 240 / whole[0], columns * 240 / whole[1], 0 * rows]).astype(np.uint8)
    mask = (rows > whole[0] // 2).astype(np.uint8)
    still = Augmentation(flip=False, turn=False, zoom=1, light=0, color=0, size=(24, 36))
    small, ids = still(image, mask, rng(0))
    wanted, truth = scaled(image, mask, (24, 36))
    assert small.shape == (24, 36, 3)
    assert ids.shape == (24, 36)
    assert np.abs(small.astype(int) - wanted).max() <= 8
    assert (ids == truth).mean() > 0.97


def test_a_zoom_into_a_larger_picture_shows_details_that_the_small_one_has_lost():
    stripes = np.zeros((48, 72, 3), np.uint8)
    stripes[:, ::2] = 255  # one pixel wide: gone at half the size
    mask = np.zeros((48, 72), np.uint8)
    zoomed = {"flip": False, "turn": False, "zoom": 4, "light": 0, "color": 0}
    few, many = Augmentation(**zoomed), Augmentation(**zoomed, size=(24, 36))
    small = scaled(stripes, mask, (24, 36))[0]
    seed = next(seed for seed in range(50) if rng(seed).uniform(-1, 1) > 0.8)  # zooms by 3 or more
    assert few(small, mask[::2, ::2], rng(seed))[0].std() < 1
    assert many(stripes, mask, rng(seed))[0].std() > 50


@pytest.mark.parametrize("zoom", [0, 0.8, -1, np.inf, np.nan])
def test_a_zoom_that_is_none(zoom):
    with pytest.raises(ValueError, match=r"zoom is .* 1 or more"):
        Augmentation(zoom=zoom)


@pytest.mark.parametrize("name", ["light", "color"])
@pytest.mark.parametrize("share", [-0.1, 1, 3, np.nan])
def test_a_share_that_is_none(name, share):
    with pytest.raises(ValueError, match=f"{name} is a share"):
        Augmentation(**{name: share})


def test_a_scaled_picture_is_refused():
    with pytest.raises(ValueError, match=r"uint8 from 0 to 255, but this one is float32"):
        FLIPS(np.zeros((4, 6, 3), np.float32), np.zeros((4, 6), np.uint8), rng(0))


@pytest.mark.parametrize("mask", [np.zeros((2, 3), np.uint8), np.zeros((4, 6), np.int64)])
def test_a_mask_of_another_size_or_type_is_refused(mask):
    with pytest.raises(
        ValueError, match=r"mask of a picture of \(4, 6\) has that shape and is uint8"
    ):
        FLIPS(np.zeros((4, 6, 3), np.uint8), mask, rng(0))


def test_mirroring_alone_leaves_chance_where_all_changes_leave_it():
    # Else a picture of a batch would hang on what was done to the one before it.
    image, mask = np.zeros((4, 6, 3), np.uint8), np.zeros((4, 6), np.uint8)
    one, other = rng(3), rng(3)
    FLIPS(image, mask, one)
    Augmentation(turn=False, zoom=1, light=0.2, color=0.2, size=(4, 6))(image, mask, other)
    assert one.random() == other.random()


@pytest.mark.parametrize("size", [192, (192,), (0, 192), (192, 288, 3), (19.2, 28.8)])
def test_a_size_that_is_none(size):
    with pytest.raises(ValueError, match=r"size is \(height, width\)"):
        Augmentation(size=size)
