"""Backbones with a smaller output stride: the same weights give the same values, and more between them."""

import math

import keras
import pytest
from models import assert_close, calm, narrow, pictures, unallocated

from course.models.backbones import BACKBONES, backbone

THEIRS = BACKBONES[4:]


def trunk(name, output_stride, size=(None, None), width=4):
    """The model from pictures to all maps of a backbone."""
    images = keras.Input((*size, 3))
    maps = backbone(name, images, narrow(name, width), output_stride=output_stride)
    return keras.Model(images, maps)


# At 32, and at sizes that need no rounding, test_backbones.py and the tests below have it.
@pytest.mark.parametrize("size", [(45, 71), (33, 1)])
@pytest.mark.parametrize("output_stride", [8, 16])
@pytest.mark.parametrize("name", BACKBONES)
@unallocated()
def test_maps_end_at_the_output_stride(name, output_stride, size):
    maps = trunk(name, output_stride, size).output
    assert tuple(maps) == tuple(s for s in (2, 4, 8, 16, 32) if s <= output_stride)
    for stride, level in maps.items():
        assert level.shape[1:3] == tuple(math.ceil(n / stride) for n in size)


@pytest.mark.parametrize("name", BACKBONES)
@unallocated()
def test_the_output_stride_changes_no_weight_and_no_name(name):
    models = [trunk(name, stride, width=8) for stride in (8, 16, 32)]
    paths = [[(w.path, w.shape) for w in model.weights] for model in models]
    assert paths[0] == paths[1] == paths[2]


def assert_same_and_denser(name, size):
    keras.utils.set_random_seed(0)
    strided = calm(trunk(name, 32))
    weights, images = strided.get_weights(), pictures(1, *size)
    maps = strided(images)  # not traced: each model answers only once
    for output_stride in (16, 8):
        model = trunk(name, output_stride)
        model.set_weights(weights)
        dense = model(images)
        for stride in (2, 4, 8, 16):
            if stride < output_stride:
                assert_close(dense[stride], maps[stride], rounding=1e-3)
        step = 32 // output_stride
        assert_close(dense[output_stride][:, ::step, ::step], maps[32], rounding=1e-3)


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("alexnet", (64, 96)),
        ("vgg", (64, 96)),
        pytest.param("googlenet", (64, 96), marks=pytest.mark.slow),
        ("resnet", (45, 71)),  # its windows stand on even places of any map; the others' do not
    ],
)
def test_every_kth_place_of_the_dense_map_is_the_strided_map(name, size):
    assert_same_and_denser(name, size)


@pytest.mark.slow
@pytest.mark.parametrize("name", THEIRS)
def test_every_kth_place_of_the_dense_map_is_the_strided_map_of_published_ones(name):
    assert_same_and_denser(name, (64, 96))


@pytest.mark.parametrize("output_stride", [4, 64, None, "16"])
def test_another_output_stride_is_refused(output_stride):
    with pytest.raises(ValueError, match="8, 16 or 32"):
        backbone("vgg", keras.Input((32, 32, 3)), output_stride=output_stride)
