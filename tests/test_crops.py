"""Crops by class: one window for picture and mask, each class as often as it should be, repeatable."""

import numpy as np
import pytest

from course.data import Batches, ClassCrops, RandomCrops, Samples


def rng(seed=0):
    return np.random.default_rng(seed)


def coded(mask):
    """A picture whose pixels tell where they are from."""
    rows, columns = np.indices(mask.shape)
    return np.dstack([rows, columns, mask]).astype(np.uint8)


def spotted(size=(40, 60)):
    """Class 1 all over, some of it unlabeled, with one pixel each of classes 5 and 9."""
    mask = np.ones(size, np.uint8)
    mask[:5] = 0
    mask[11, 7], mask[33, 52] = 5, 9
    return mask


@pytest.mark.parametrize("kind", [RandomCrops, ClassCrops])
@pytest.mark.parametrize("size", [(8, 12), (1, 1), (40, 60), (40, 12)])
def test_one_window_for_picture_and_mask(kind, size):
    mask = spotted()
    for seed in range(30):
        image, ids = kind(size, augment=None)(coded(mask), mask, rng(seed))
        assert image.shape == (*size, 3)
        assert ids.shape == size
        np.testing.assert_array_equal(image[..., 2], ids)
        rows, columns = image[..., 0], image[..., 1]
        assert (np.diff(rows, axis=0) == 1).all()
        assert (np.diff(columns, axis=1) == 1).all()
        np.testing.assert_array_equal(mask[rows, columns], ids)


def test_random_windows_lie_anywhere():
    mask = np.ones((4, 5), np.uint8)
    crops = RandomCrops((3, 2), augment=None)
    corners = [crops(coded(mask), mask, rng(seed))[0][0, 0, :2] for seed in range(2000)]
    _, times = np.unique(corners, axis=0, return_counts=True)
    assert len(times) == 2 * 4
    np.testing.assert_allclose(times / 2000, 1 / 8, atol=0.03)


def test_every_class_is_looked_for_alike():
    """Windows of one pixel show the class drawn: a third each, though two have one pixel in 2400."""
    crops, mask = ClassCrops((1, 1), augment=None), spotted()
    drawn = [crops(coded(mask), mask, rng(seed))[1].item() for seed in range(3000)]
    ids, times = np.unique(drawn, return_counts=True)
    assert ids.tolist() == [1, 5, 9]
    np.testing.assert_allclose(times / 3000, 1 / 3, atol=0.03)


def test_the_pixel_may_lie_anywhere_in_the_window():
    mask = np.ones((30, 30), np.uint8)
    mask[14, 15] = 9
    crops = ClassCrops((5, 3), augment=None, ignore=1)
    places = [np.argwhere(crops(coded(mask), mask, rng(s))[1] == 9)[0] for s in range(3000)]
    _, times = np.unique(places, axis=0, return_counts=True)
    assert len(times) == 15
    np.testing.assert_allclose(times / 3000, 1 / 15, atol=0.02)


def test_several_ids_are_not_looked_for():
    mask = np.zeros((8, 8), np.uint8)
    mask[:2], mask[5, 6] = 1, 9
    crops = ClassCrops((1, 1), augment=None, ignore=(0, 1, 2))
    assert all(crops(coded(mask), mask, rng(s))[1] == 9 for s in range(20))


def test_a_rare_class_gets_a_larger_share_of_pixels():
    """As computed for a row of 1000 pixels, one of them rare, and windows of 10.

    The rare pixel is drawn in one case of two. In the other, one of the 999 is,
    and its window holds the rare pixel too in some 4.5 of 999 (on average
    (10 - d) / 10 for a pixel at distance d, on both sides).
    """
    mask = np.ones((1, 1000), np.uint8)
    mask[0, 500] = 9
    crops = ClassCrops((1, 10), augment=None)
    shares = [(crops(coded(mask), mask, rng(seed))[1] == 9).mean() for seed in range(4000)]
    near = 2 * sum((10 - d) / 10 for d in range(1, 10)) / 999
    assert np.mean(shares) == pytest.approx((1 / 2 + near / 2) / 10, abs=0.0025)
    assert np.mean(shares) > 40 / 1000


def test_at_the_edges_windows_stay_inside():
    mask = np.ones((20, 20), np.uint8)
    mask[0, 0] = mask[19, 19] = 9
    crops = ClassCrops((6, 6), augment=None, ignore=1)
    corners = {tuple(crops(coded(mask), mask, rng(s))[0][0, 0, :2].tolist()) for s in range(50)}
    assert corners == {(0, 0), (14, 14)}


def test_a_picture_of_ignored_pixels_only():
    mask = np.zeros((9, 9), np.uint8)
    image, ids = ClassCrops((4, 4), augment=None)(coded(mask), mask, rng())
    assert image.shape == (4, 4, 3)
    assert not ids.any()


@pytest.mark.parametrize("kind", [RandomCrops, ClassCrops])
def test_a_window_too_large_is_refused(kind):
    mask = np.ones((10, 20), np.uint8)
    with pytest.raises(ValueError, match=r"\(8, 24\) does not fit .* \(10, 20\)"):
        kind((8, 24))(coded(mask), mask, rng())


@pytest.mark.parametrize("size", [64, (-5, 64), (64, 64, 3)])
def test_a_size_that_is_none(size):
    with pytest.raises(ValueError, match=r"size is \(height, width\)"):
        RandomCrops(size)


def test_augments_the_window():
    mask = spotted()
    cut, cut_ids = ClassCrops((16, 16), augment=None)(coded(mask), mask, rng(3))
    seen = set()
    for seed in range(20):
        image, ids = ClassCrops((16, 16))(coded(mask), mask, rng(seed))
        np.testing.assert_array_equal(image[..., 2], ids)
        seen.add(int(image[0, 1, 1]) - int(image[0, 0, 1]))  # columns run up, or mirrored down
    assert seen == {1, -1}
    assert (cut[..., 2] == cut_ids).all()


def test_batches_draw_the_same_crops_again():
    masks = np.stack([spotted(), np.roll(spotted(), 9, axis=1), spotted().T.reshape(40, 60)])
    samples = Samples(tuple("abc"), np.stack([coded(m) for m in masks]), masks)

    def epochs(workers):
        batches = Batches(samples, 2, ClassCrops((8, 8)), shuffle=True, seed=4, workers=workers)
        found = []
        for _ in range(3):
            found += [batches[i] for i in range(len(batches))]
            batches.on_epoch_end()
        return found

    first, again = epochs(1), epochs(3)
    assert first[0][0].shape == (2, 8, 8, 3)
    for (images, ids), (images2, ids2) in zip(first, again, strict=True):
        np.testing.assert_array_equal(images, images2)
        np.testing.assert_array_equal(ids, ids2)
    assert not np.array_equal(first[0][0], first[1][0])
