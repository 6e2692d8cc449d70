"""Finding the dataset: every layout, from every folder at or above it, and what is refused."""

import os
import shutil

import pytest
from conftest import LAYOUTS, NAMES, a_mask, class_file, ordinary_user, picture_of, write

from course.classes import CLASSES
from course.data import DataError, NoDatasetError, find, read_pair


def holding(folder, file):
    """`file`'s folder and those above it, up to and with `folder`."""
    yield folder
    here = folder
    for part in file.split("/"):
        here = here / part
        yield here


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_from_every_folder(layout, tmp_path, make_dataset):
    drone = make_dataset(tmp_path / "a" / "b" / "drone", layout)
    images, masks, _, kind = LAYOUTS[layout]
    # Above it, at it, and inside it: whichever a student names.
    for folder in [tmp_path / "a", tmp_path / "a" / "b", *holding(drone, images)]:
        found = find(folder)
        assert [pair.name for pair in found.pairs] == list(NAMES), folder
        for pair in found.pairs:
            assert pair.image == drone / images / f"{pair.name}.jpg"
            assert pair.mask == drone / masks / f"{pair.name}.png"
            assert pair.colored == (kind == "colors")
        assert found.images_without_mask == found.masks_without_image == ()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_reads_as_the_same_ids(layout, make_dataset):
    for pair in find(make_dataset(layout=layout)).pairs:
        assert (read_pair(pair)[1] == a_mask(int(pair.name))).all()


@pytest.mark.parametrize(
    "mount", ["semantic-drone-dataset", "datasets/bulentsiyah/semantic-drone-dataset"]
)
def test_kaggle_mounts(mount, tmp_path, make_dataset):
    make_dataset(tmp_path / "input" / mount)
    assert len(find(tmp_path / "input").pairs) == len(NAMES)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("above", ["images", "gt"])
def test_a_folder_above_may_be_called_as_one_of_pictures(above, layout, tmp_path, make_dataset):
    make_dataset(tmp_path / "mine" / above / "drone", layout)
    assert len(find(tmp_path / "mine").pairs) == len(NAMES)


def test_kagglehub_cache_from_its_top(tmp_path, make_dataset):
    hub = tmp_path / "kagglehub"
    make_dataset(hub / "datasets/bulentsiyah/semantic-drone-dataset/versions/1", "doubled")
    assert len(find(hub).pairs) == len(NAMES)


def test_ids_are_preferred_to_colors(tmp_path, make_dataset):
    make_dataset(layout="kaggle, colours only")
    found = find(make_dataset(layout="kaggle"))
    assert not any(pair.colored for pair in found.pairs)


def test_train_and_test_folders_are_one_dataset(make_dataset):
    make_dataset(layout="train", names=("000", "002"))
    found = find(make_dataset(layout="test", names=("001",)))
    assert [pair.name for pair in found.pairs] == ["000", "001", "002"]


def test_relative_folders(make_dataset, monkeypatch):
    drone = make_dataset()
    monkeypatch.chdir(drone)
    assert len(find(".").pairs) == len(NAMES)
    monkeypatch.chdir(drone / "dataset" / "semantic_drone_dataset" / "original_images")
    assert len(find("..").pairs) == len(find(".").pairs) == len(NAMES)


def test_home_folder_is_expanded(make_dataset, monkeypatch):
    monkeypatch.setenv("HOME", str(make_dataset().parent))
    assert len(find("~/drone").pairs) == len(NAMES)


def test_symbolic_links(tmp_path, make_dataset):
    drone = make_dataset()
    (tmp_path / "link").symlink_to(drone)
    (drone / "loop").symlink_to(tmp_path)
    assert len(find(tmp_path / "link").pairs) == len(NAMES)
    assert len(find(tmp_path).pairs) == len(NAMES)


def test_endings_and_clutter(make_dataset):
    drone = make_dataset(ending=".JPG")
    images = drone / LAYOUTS["kaggle"][0]
    (images / "._000.jpg").write_bytes(b"left by an archiver")
    (images / "Thumbs.db").write_bytes(b"left by a file browser")
    found = find(drone)
    assert len(found.pairs) == len(NAMES)
    assert found.images_without_mask == ()


def test_what_has_no_partner_is_reported(make_dataset):
    drone = make_dataset()
    images, masks = (drone / path for path in LAYOUTS["kaggle"][:2])
    (images / "001.jpg").unlink()
    (masks / "003.png").unlink()
    (masks / "004.png").unlink()
    found = find(drone)
    assert [pair.name for pair in found.pairs] == ["000", "002", "005"]
    assert found.images_without_mask == (images / "003.jpg", images / "004.jpg")
    assert found.masks_without_image == (masks / "001.png",)


def test_no_pair_at_all(make_dataset):
    drone = make_dataset(names=("000", "001"))
    for file in (drone / LAYOUTS["kaggle"][1]).iterdir():
        file.rename(file.with_name(f"mask-{file.name}"))
    with pytest.raises(DataError, match=r"2 pictures, 2 masks.*000\.jpg and 000\.png"):
        find(drone)


def test_missing_folder(tmp_path):
    with pytest.raises(NoDatasetError, match=r"nowhere does not exist.*spelling"):
        find(tmp_path / "nowhere")


def test_empty_folder(tmp_path):
    with pytest.raises(NoDatasetError, match="is empty"):
        find(tmp_path)


def test_file_for_a_folder(tmp_path):
    (tmp_path / "archive.zip").write_bytes(b"PK")
    with pytest.raises(DataError, match=r"archive\.zip is a file.*unpacked"):
        find(tmp_path / "archive.zip")
    with pytest.raises(DataError, match=r"is a file"):
        find(tmp_path / "archive.zip" / "dataset")


def test_folder_of_something_else(tmp_path):
    (tmp_path / "holiday").mkdir()
    with pytest.raises(
        NoDatasetError, match=r"original_images.*label_images_semantic[\s\S]*COURSE_DATA"
    ):
        find(tmp_path)


@pytest.mark.parametrize(
    "locked", [".", "dataset", "dataset/semantic_drone_dataset/original_images"]
)
@pytest.mark.parametrize("mode", [0o000, 0o444])
def test_unreadable_folder(locked, mode, open_folder, make_dataset):
    drone = make_dataset(open_folder / "drone")
    (drone / locked).chmod(mode)
    folder = (drone / locked).resolve()
    try:
        with ordinary_user():
            if mode == 0o444 and locked.endswith("images"):
                found = find(drone)  # names can be listed; reading the pictures will complain
                assert len(found.pairs) == len(NAMES)
            else:
                with pytest.raises(DataError) as caught:
                    find(drone)
                assert mode == 0o444 or str(folder) in str(caught.value)
                assert "read" in str(caught.value) or "no drone dataset" in str(caught.value)
    finally:
        (drone / locked).chmod(0o755)


def test_unreadable_folder_elsewhere_does_not_hinder(open_folder, make_dataset):
    make_dataset(open_folder / "drone")
    (open_folder / "lost+found").mkdir(mode=0o000)
    with ordinary_user():
        assert len(find(open_folder).pairs) == len(NAMES)
    (open_folder / "lost+found").chmod(0o755)


@pytest.mark.parametrize("name", ["dataset", "images", "train"])
def test_what_lies_beside_the_named_folder_is_not_taken_for_it(name, tmp_path, make_dataset):
    make_dataset(tmp_path / "elsewhere")
    (tmp_path / name).mkdir()
    (tmp_path / name / "notes.txt").touch()
    with pytest.raises(NoDatasetError, match=f"at or below {tmp_path / name}"):
        find(tmp_path / name)


def test_two_datasets(tmp_path, make_dataset):
    make_dataset(tmp_path / "old")
    make_dataset(tmp_path / "new")
    with pytest.raises(DataError, match=r"2 datasets[\s\S]*new[\s\S]*old[\s\S]*Name one"):
        find(tmp_path)


def test_two_pictures_of_one_name(make_dataset):
    drone = make_dataset()
    mask = a_mask()
    write(drone / LAYOUTS["kaggle"][0] / "002.png", picture_of(mask))
    with pytest.raises(DataError, match=r"002\.png.*002\.jpg|002\.jpg.*002\.png"):
        find(drone)


def test_one_name_in_train_and_test(make_dataset):
    make_dataset(layout="train", names=("000", "001"))
    with pytest.raises(DataError, match="called 001"):
        find(make_dataset(layout="test", names=("001", "002")))


# Class files


def shifted():
    return CLASSES[1:]


def swapped():
    rows = list(CLASSES)
    rows[2], rows[3] = rows[3], rows[2]
    return rows


@pytest.mark.parametrize(
    ("rows", "row", "name"), [(shifted, 2, "paved-area"), (swapped, 4, "grass")]
)
def test_class_file_with_other_ids(rows, row, name, make_dataset):
    drone = make_dataset()
    file = class_file(drone / "class_dict_seg.csv", rows())
    inside = drone / "dataset" / "semantic_drone_dataset"
    for folder in (drone, drone.parent, inside, inside / "original_images"):
        with pytest.raises(DataError) as caught:
            find(folder)
        assert str(file) in str(caught.value)
        assert f"row {row}" in str(caught.value)
        assert f"is {name}," in str(caught.value)
        assert "Restore" in str(caught.value)


def test_class_file_of_graz_is_checked_too(make_dataset):
    drone = make_dataset(layout="graz")
    class_file(drone / "training_set/gt/semantic/class_dict.csv", shifted())
    with pytest.raises(DataError, match=r"class_dict\.csv, row 2"):
        find(drone)


def test_class_file_without_the_class_that_never_occurs(make_dataset):
    drone = make_dataset()
    class_file(drone / "class_dict_seg.csv", CLASSES[:-1])
    assert len(find(drone).pairs) == len(NAMES)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "lists 0 classes"),
        (b"name, r, g, b\nunlabeled, 0, 0, 0\n", "lists 1 class"),
        (b"\xff\xfe\x00", "as text"),
    ],
)
def test_damaged_class_file(content, message, make_dataset):
    drone = make_dataset()
    (drone / "class_dict_seg.csv").write_bytes(content)
    with pytest.raises(DataError, match=rf"class_dict_seg\.csv.*{message}.*Restore"):
        find(drone)


def test_byte_order_mark_and_windows_line_ends(make_dataset):
    file = make_dataset() / "class_dict_seg.csv"
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes().replace(b"\n", b"\r\n"))
    assert len(find(file.parent).pairs) == len(NAMES)


def test_class_file_of_another_dataset_above_is_no_concern(tmp_path, make_dataset):
    drone = make_dataset()
    (tmp_path / "class_dict.csv").write_text("name, r, g, b\nAnimal, 64, 128, 64\n")
    assert len(find(drone).pairs) == len(NAMES)


def test_real_data_from_every_folder(real_data):
    for folder in holding(real_data, LAYOUTS["kaggle"][0]):
        found = find(folder)
        assert len(found.pairs) == 300
        assert found.images_without_mask == found.masks_without_image == ()


def test_moved_away_while_working(make_dataset):
    drone = make_dataset()
    pair = find(drone).pairs[0]
    shutil.rmtree(drone)
    with pytest.raises(DataError, match=f"{pair.name}.jpg cannot be read"):
        read_pair(pair)
    assert not os.path.exists(drone)
