"""Ids and colours: the table, the translation both ways, and what is refused."""

import re

import numpy as np
import pytest
from conftest import a_mask

from course.classes import (
    CLASSES,
    COLORS,
    NAMES,
    NUM_CLASSES,
    UNLABELED,
    check_ids,
    decode,
    encode,
    id_of,
)

# As in the dataset's own class_dict_seg.csv, copied by hand.
SOURCE = """\
unlabeled 0 0 0; paved-area 128 64 128; dirt 130 76 0; grass 0 102 0; gravel 112 103 87;
water 28 42 168; rocks 48 41 30; pool 0 50 89; vegetation 107 142 35; roof 70 70 70;
wall 102 102 156; window 254 228 12; door 254 148 12; fence 190 153 153; fence-pole 153 153 153;
person 255 22 96; dog 102 51 0; car 9 143 150; bicycle 119 11 32; tree 51 51 0;
bald-tree 190 250 190; ar-marker 112 150 146; obstacle 2 135 115; conflicting 255 0 0"""


def test_table_is_the_datasets():
    rows = [row.split() for row in SOURCE.replace("\n", " ").split(";")]
    assert [(c.name, *map(str, c.color)) for c in CLASSES] == [tuple(row) for row in rows]
    assert [c.id for c in CLASSES] == list(range(24))
    assert NUM_CLASSES == 24
    assert UNLABELED == 0


def test_real_class_file_agrees(real_data):
    lines = (real_data / "class_dict_seg.csv").read_text().splitlines()[1:]
    rows = [[field.strip() for field in line.split(",")] for line in lines]
    # Some copies leave out the class that never occurs.
    assert rows == [[c.name, *map(str, c.color)] for c in CLASSES][: len(rows)]
    assert len(rows) >= 23


def test_id_of():
    assert [id_of(name) for name in NAMES] == list(range(24))
    with pytest.raises(ValueError, match="no class called 'Person'.*person"):
        id_of("Person")


def test_colors_cannot_be_changed_by_accident():
    with pytest.raises(ValueError, match="read-only"):
        COLORS[0] = 1


def test_decode_agrees_with_a_loop():
    mask = a_mask()
    rgb = decode(mask)
    assert (rgb.shape, rgb.dtype) == ((*mask.shape, 3), np.uint8)
    for y, x in np.ndindex(mask.shape):
        assert tuple(rgb[y, x]) == CLASSES[mask[y, x]].color


def test_round_trip():
    mask = np.random.default_rng(0).integers(0, 24, (31, 17), np.uint8)
    assert set(mask.flat) == set(range(24))
    ids = encode(decode(mask))
    np.testing.assert_array_equal(ids, mask)
    assert ids.dtype == np.uint8


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int64"])
def test_ids_of_any_integer_type(dtype):
    mask = check_ids(a_mask().astype(dtype))
    assert mask.dtype == np.uint8
    np.testing.assert_array_equal(mask, a_mask())


@pytest.mark.parametrize(
    ("bad", "dtype"), [(24, "uint8"), (255, "uint8"), (-1, "int32"), (256, "uint16")]
)
@pytest.mark.parametrize("function", [check_ids, decode])
def test_unknown_id_is_named_with_count_and_place(function, bad, dtype):
    mask = a_mask().astype(dtype)
    mask[7, 30:35] = bad
    mask[40, 2] = bad
    with pytest.raises(ValueError, match=rf"Class id {bad} .*6 pixels have it.*row 7, column 30\b"):
        function(mask)


def test_one_unknown_pixel_is_counted_as_one():
    mask = a_mask()
    mask[-1, -1] = 200
    with pytest.raises(ValueError, match=r"1 pixel has it, the first at row 47, column 71\b"):
        check_ids(mask)


def test_count_is_of_the_first_unknown_value_only():
    mask = a_mask()
    mask[3, 3], mask[4, 4] = 99, 77
    with pytest.raises(ValueError, match="Class id 99 .*1 pixel has it"):
        check_ids(mask)


def test_unknown_color_is_named_with_count_and_place():
    rgb = decode(a_mask())
    rgb[5, 9] = rgb[6, 0] = (128, 64, 129)  # one off paved-area
    expected = (
        re.escape("Colour (128, 64, 129)") + ".*2 pixels have it.*row 5, column 9.*interpolation"
    )
    with pytest.raises(ValueError, match=expected):
        encode(rgb)


@pytest.mark.parametrize("color", [(255, 255, 255), (0, 0, 1), (1, 0, 0), (255, 0, 1)])
def test_no_color_is_guessed(color):
    with pytest.raises(ValueError, match="none of the 24 classes"):
        encode(np.full((2, 2, 3), color, np.uint8))


def test_channels_in_the_wrong_order_are_refused():
    with pytest.raises(ValueError, match="Colour"):
        encode(decode(a_mask())[..., ::-1])


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((4, 4, 3), np.uint8), r"\(4, 4, 3\).*encode"),
        (np.zeros((4, 4, 4), np.uint8), r"encode\(mask\[..., :3\]\)"),
        (np.zeros((4,), np.uint8), r"\(4,\)"),
        (np.zeros((4, 4), np.float32), "float32.*integer|integer.*float32"),
        (np.zeros((4, 4), bool), "bool"),
    ],
)
def test_what_is_no_mask(array, message):
    with pytest.raises(ValueError, match=message):
        check_ids(array)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((4, 4), np.uint8), r"\(4, 4\)"),
        (np.zeros((4, 4, 4), np.uint8), r"\(4, 4, 4\).*transparency"),
        (np.zeros((4, 4, 3), np.float32), "float32"),
    ],
)
def test_what_is_no_color_mask(array, message):
    with pytest.raises(ValueError, match=message):
        encode(array)
