"""What the benchmarks take out of lessons, and what they put in its place."""

import numpy as np
import pytest

from benchmarks import fcn, patches, transfer, upsampling
from course.models.fcn import small_fcn
from course.notebooks import read
from tests.models import randomise


def code(lesson):
    return {cell.id: cell.source for cell in read(lesson).cells if cell.cell_type == "code"}


@pytest.mark.parametrize("line", ["SEED, WINDOW, REACH = 0,", patches.EQUAL_SHARES])
def test_what_is_changed_in_the_lesson_on_patches_is_there_once(line):
    assert sum(line in source for source in code(patches.LESSON).values()) == 1


def test_cells_and_rate_of_the_lesson_on_upsampling_are_there():
    cells = code(upsampling.LESSON)
    assert set(upsampling.CELLS) <= set(cells)
    assert cells["race"].count(f"learning_rate = {upsampling.RATE}") == 1


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
