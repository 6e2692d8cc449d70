"""The dense CRF against loops over pairs of pixels, and on pictures with a known answer."""

import itertools

import numpy as np
import pytest

from course.inference import DenseCRF
from course.inference.crf import free_energy, mean_field, unary_energy

IMAGE = np.random.default_rng(0).integers(0, 256, (6, 8, 3)).astype(np.uint8)
LOGITS = np.random.default_rng(1).normal(size=(6, 8, 4))
SETTINGS = {
    "theta_alpha": 5.0,
    "theta_beta": 80.0,
    "theta_gamma": 2.0,
    "appearance": 3.0,
    "smoothness": 2.0,
}


def probabilities(logits):
    return np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)


def similarity(i, j, image, appearance):
    """The formula of the paper for two places."""
    distance = (i[0] - j[0]) ** 2 + (i[1] - j[1]) ** 2
    if not appearance:
        return np.exp(-distance / (2 * SETTINGS["theta_gamma"] ** 2))
    colours = np.sum((image[i].astype(float) - image[j].astype(float)) ** 2)
    return np.exp(
        -distance / (2 * SETTINGS["theta_alpha"] ** 2) - colours / (2 * SETTINGS["theta_beta"] ** 2)
    )


def looped(image, logits, iterations, stride):
    """Mean field, pixel by pixel and pair by pair."""
    height, width, _ = image.shape
    places = list(itertools.product(range(height), range(width)))
    first = stride // 2
    voters = [(y, x) for y, x in places if y % stride == first and x % stride == first]
    if stride == 1:
        voters = places
    weights = {True: SETTINGS["appearance"], False: SETTINGS["smoothness"]}
    sums = {
        (i, which): sum(similarity(i, j, image, which) for j in voters)
        for i in places
        for which in weights
    }
    q = probabilities(logits)
    for round in range(iterations):
        updated = q.copy()
        for i in places if round == iterations - 1 else voters:
            heard = 0
            for j in voters:
                if j != i:
                    cost = sum(
                        weight
                        * similarity(i, j, image, which)
                        / np.sqrt(sums[i, which] * sums[j, which])
                        for which, weight in weights.items()
                    )
                    heard = heard + cost * q[j]
            scores = probabilities(logits)[i] * np.exp(heard)
            updated[i] = scores / scores.sum()
        q = updated
    return q


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("iterations", [1, 3])
def test_equal_to_a_loop_over_pairs(stride, iterations):
    crf = DenseCRF(**SETTINGS, iterations=iterations, stride=stride)
    expected = looped(IMAGE, LOGITS, iterations, stride)
    np.testing.assert_allclose(crf(IMAGE, LOGITS), expected, atol=1e-12)
    single = crf(IMAGE, LOGITS.astype("float32"))
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, expected, atol=1e-5)


def test_pairwise_costs_against_the_formula():
    crf = DenseCRF(**SETTINGS)
    kernel = crf.pairwise(IMAGE)
    places = list(itertools.product(range(6), range(8)))
    expected = np.zeros_like(kernel)
    for which, weight in ((True, crf.appearance), (False, crf.smoothness)):
        raw = np.array([[similarity(i, j, IMAGE, which) for j in places] for i in places])
        expected += weight * raw / np.sqrt(np.outer(raw.sum(0), raw.sum(1)))
    np.fill_diagonal(expected, 0)
    np.testing.assert_allclose(kernel, expected, atol=1e-12)
    np.testing.assert_allclose(kernel, kernel.T, atol=1e-15)


def labelling_energy(labels, unary, kernel):
    pairs = itertools.combinations(range(len(labels)), 2)
    return sum(unary[i, x] for i, x in enumerate(labels)) + sum(
        kernel[i, j] for i, j in pairs if labels[i] != labels[j]
    )


def test_free_energy_is_the_divergence_but_for_a_constant():
    """For 2×3 pixels all 2**6 labellings can be written down."""
    unary = unary_energy(LOGITS[:2, :3, :2]).reshape(6, 2)
    kernel = DenseCRF(**SETTINGS).pairwise(IMAGE[:2, :3])
    labellings = list(itertools.product(range(2), repeat=6))
    energies = np.array([labelling_energy(x, unary, kernel) for x in labellings])
    log_partition = np.log(np.exp(-energies).sum())
    for iterations in (0, 1, 5):
        q = mean_field(unary, kernel, iterations)
        chances = np.array([np.prod([q[i, x] for i, x in enumerate(xs)]) for xs in labellings])
        divergence = np.sum(chances * (np.log(chances) + energies + log_partition))
        assert free_energy(q, unary, kernel) == pytest.approx(divergence - log_partition)


@pytest.mark.parametrize("seed", range(5))
def test_no_round_raises_the_free_energy(seed):
    rng = np.random.default_rng(seed)
    smooth = np.linspace(0, 255, 6 * 8 * 3).reshape(6, 8, 3)
    crf = DenseCRF(**SETTINGS)
    kernel = crf.pairwise(smooth)
    assert np.linalg.eigvalsh(kernel).min() > -2  # the condition that free_energy states
    unary = unary_energy(rng.normal(size=(48, 4)))
    values = [free_energy(mean_field(unary, kernel, n), unary, kernel) for n in range(8)]
    assert np.diff(values).max() <= 1e-9
    assert values[-1] < values[0] - 0.1


def test_beyond_the_stated_condition_a_round_can_raise_it():
    """Two pixels that want to agree swap their labels for ever, if both move at once."""
    unary = np.array([[0.0, 0.1], [0.1, 0.0]])
    kernel = np.array([[0.0, 10.0], [10.0, 0.0]])
    values = [free_energy(mean_field(unary, kernel, n), unary, kernel) for n in range(8)]
    assert np.diff(values).max() > 1


def two_colours():
    """Left half dark, right half bright, with a little noise; a tenth of the scores are wrong."""
    truth = np.zeros((24, 36), int)
    truth[:, 18:] = 1
    rng = np.random.default_rng(1)
    image = 60 + 120 * truth[..., None] + rng.integers(-5, 6, (24, 36, 3))
    said = np.where(rng.random(truth.shape) < 0.1, 1 - truth, truth)
    return image.astype(np.uint8), truth, np.eye(2)[said] * 2.0


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_repairs_noise_and_keeps_the_edge(stride):
    image, truth, logits = two_colours()
    assert (logits.argmax(-1) != truth).sum() > 50
    assert (DenseCRF(stride=stride)(image, logits).argmax(-1) == truth).all()


def test_moves_a_misplaced_edge_to_where_the_colours_change():
    image, truth, _ = two_colours()
    ramp = (np.arange(36) - 20.5) / 10  # the network puts the edge three pixels too far right
    logits = np.broadcast_to(np.stack([-ramp, ramp], -1), (24, 36, 2))
    assert (logits.argmax(-1) != truth).sum() == 24 * 3
    assert (DenseCRF()(image, logits).argmax(-1) == truth).all()


def test_without_weights_it_is_the_softmax():
    crf = DenseCRF(appearance=0, smoothness=0)
    np.testing.assert_allclose(crf(IMAGE, LOGITS), probabilities(LOGITS), atol=1e-12)


@pytest.mark.parametrize("kernel", ["appearance", "smoothness"])
def test_a_kernel_without_weight_says_nothing(kernel):
    """As if it were there with next to none, and it is not even computed."""
    without, hardly = DenseCRF(**{kernel: 0}), DenseCRF(**{kernel: 1e-12})
    np.testing.assert_allclose(without(IMAGE, LOGITS), hardly(IMAGE, LOGITS), atol=1e-9)
    np.testing.assert_allclose(without.pairwise(IMAGE), hardly.pairwise(IMAGE), atol=1e-9)
    everyone = np.arange(48)
    assert len(without._kernels(IMAGE, everyone, "float64")) == 1
    assert len(hardly._kernels(IMAGE, everyone, "float64")) == 2


@pytest.mark.parametrize(("ignore", "message"), [(4, "classes 0 to 3"), ((0, 1, 2, 3), "no class")])
def test_what_cannot_be_ignored(ignore, message):
    with pytest.raises(ValueError, match=message):
        DenseCRF(ignore=ignore)(IMAGE, LOGITS)


def test_a_picture_in_which_no_pixel_votes_is_refused():
    with pytest.raises(ValueError, match=r"2×8 no pixel votes at a stride of 4"):
        DenseCRF(stride=4)(IMAGE[:2], LOGITS[:2])


def test_in_one_colour_only_distance_counts():
    """Appearance is then a smoothness kernel of θα."""
    flat = np.full((6, 8, 3), 77, np.uint8)
    one = DenseCRF(theta_alpha=2, appearance=3, smoothness=0, stride=1)
    other = DenseCRF(theta_gamma=2, appearance=0, smoothness=3, stride=1)
    np.testing.assert_allclose(one(flat, LOGITS), other(IMAGE, LOGITS), atol=1e-12)


def test_a_batch_is_its_pictures():
    rng = np.random.default_rng(2)
    images = rng.integers(0, 256, (3, 7, 5, 3)).astype(np.uint8)
    logits = rng.normal(size=(3, 7, 5, 24)).astype("float16")
    crf = DenseCRF()
    batch = crf(images, logits)
    assert batch.shape == logits.shape
    assert batch.dtype == np.float32
    np.testing.assert_allclose(batch.sum(-1), 1, atol=1e-5)
    for image, scores, revised in zip(images, logits, batch, strict=True):
        np.testing.assert_array_equal(crf(image, scores), revised)
    assert crf(images[:0], logits[:0]).shape == (0, 7, 5, 24)


@pytest.mark.parametrize("ignore", [1, (1, 3)])
def test_ignored_classes_are_given_to_no_pixel(ignore):
    ids = list(np.atleast_1d(ignore))
    revised = DenseCRF(ignore=ignore)(IMAGE, LOGITS)
    assert (revised[..., ids] == 0).all()
    kept = [i for i in range(4) if i not in ids]
    np.testing.assert_allclose(revised[..., kept], DenseCRF()(IMAGE, LOGITS[..., kept]), atol=1e-12)


def test_inputs_stay_as_they_are():
    image, logits = IMAGE.copy(), LOGITS.copy()
    DenseCRF(ignore=0)(image, logits)
    unary_energy(logits, ignore=0)
    np.testing.assert_array_equal(image, IMAGE)
    np.testing.assert_array_equal(logits, LOGITS)


@pytest.mark.parametrize(
    ("images", "logits", "message"),
    [
        ((6, 8), (6, 8, 4), r"these have \(6, 8\)"),
        ((6, 8, 4), (6, 8, 4), r"these have \(6, 8, 4\)"),
        ((6, 8, 3), (3, 4, 4), r"\(6, 8, classes\)"),
        ((6, 8, 3), (6, 8), "not class ids"),
        ((2, 6, 8, 3), (6, 8, 4), r"\(2, 6, 8, classes\)"),
        ((2, 6, 8, 3), (3, 6, 8, 4), r"\(2, 6, 8, classes\)"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(images, logits, message):
    with pytest.raises(ValueError, match=message):
        DenseCRF()(np.zeros(images), np.zeros(logits))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_logit_that_is_no_number_is_refused(value):
    logits = LOGITS.copy()
    logits[3, 4, 1] = value
    with pytest.raises(ValueError, match="ignore"):
        DenseCRF()(IMAGE, logits)


@pytest.mark.parametrize(
    "setting",
    [
        {"theta_alpha": 0},
        {"theta_beta": -1.0},
        {"theta_gamma": 0.0},
        {"theta_gamma": float("nan")},
        {"appearance": -1},
        {"smoothness": -0.5},
        {"iterations": 0},
        {"iterations": 2.5},
        {"iterations": 2.0},
        {"stride": 0},
        {"stride": 1.5},
    ],
)
def test_settings_out_of_range_are_refused_by_name(setting):
    with pytest.raises(ValueError, match=next(iter(setting))):
        DenseCRF(**setting)
