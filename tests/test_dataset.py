"""Loading: which data is taken, what is said, and what is never replaced in silence."""

import shutil

import cv2
import numpy as np
import pytest
from conftest import LAYOUTS, NAMES, a_mask, write

from course import data, environment
from course.data import DataError, NoDatasetError, dataset, synthetic
from course.data.read import read_image


@pytest.fixture(autouse=True)
def nothing_around(no_choice, monkeypatch, tmp_path):
    """No checkout and no Kaggle: only what a test puts there."""
    monkeypatch.setattr(environment, "data_folder", lambda: None)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


@pytest.fixture
def few_scenes(monkeypatch):
    """Synthetic data that is drawn in no time."""
    real = synthetic.write
    drawn = []

    def few(folder, progress):
        drawn.append(folder)
        return real(folder, scenes=2, size=(48, 72), progress=progress)

    monkeypatch.setattr(synthetic, "write", few)
    return drawn


def test_folder_given(make_dataset, capsys):
    drone = make_dataset()
    loaded = data.load(drone)
    assert loaded.names == NAMES
    assert len(loaded) == len(NAMES)
    assert not loaded.synthetic
    said = capsys.readouterr().out
    assert said.count("\n") == 1
    assert "Semantic Drone Dataset: 6 pictures" in said
    assert "72×48" in said
    assert str(drone) in said


def test_pairs_at_full_size(make_dataset):
    loaded = data.load(make_dataset())
    image, mask = loaded["003"]
    assert (mask == a_mask(3)).all()
    assert image.shape == (*mask.shape, 3)
    with pytest.raises(KeyError, match=r"'777'.*000.*005"):
        loaded["777"]


def test_names_as_of_a_dictionary(make_dataset):
    loaded = data.load(make_dataset())
    assert list(loaded) == list(NAMES)
    assert "003" in loaded
    assert "777" not in loaded


def test_samples_of_all(make_dataset):
    samples = data.load(make_dataset()).at([24, 36])
    assert sorted(samples.names) == list(NAMES)
    assert samples.images.shape == (6, 24, 36, 3)


def test_names_of_a_part(make_dataset):
    loaded = data.load(make_dataset(names=[f"{i:03}" for i in range(60)], size=(12, 12)))
    names = {part: loaded.names_of(part) for part in data.PARTS}
    assert [len(names[part]) for part in data.PARTS] == [42, 12, 6]
    samples = loaded.at((12, 12))
    for part, of_part in names.items():
        assert samples.split(part).names == of_part
    with pytest.raises(ValueError, match="'training'.*train"):
        loaded.names_of("training")


def test_course_data(make_dataset, monkeypatch):
    monkeypatch.setenv("COURSE_DATA", str(make_dataset()))
    assert data.load().names == NAMES


def test_argument_before_environment(make_dataset, monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_DATA", str(make_dataset(tmp_path / "one")))
    assert data.load(make_dataset(tmp_path / "two", names=("001",))).names == ("001",)


def test_data_folder_of_the_checkout(make_dataset, monkeypatch, tmp_path):
    make_dataset(tmp_path / "data" / "semantic-drone-dataset")
    monkeypatch.setattr(environment, "data_folder", lambda: tmp_path / "data")
    assert data.load().names == NAMES


def test_newest_version_of_a_kagglehub_cache(make_dataset, monkeypatch, tmp_path):
    versions = tmp_path / "hub" / "datasets" / "bulentsiyah" / "semantic-drone-dataset" / "versions"
    for version, name in ((2, "002"), (10, "010"), (9, "009")):
        make_dataset(versions / str(version), names=(name,))
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path / "hub"))
    assert data.load().names == ("010",)


def test_kagglehub_cache_at_home(make_dataset, tmp_path):
    path = ".cache/kagglehub/datasets/bulentsiyah/semantic-drone-dataset/versions/1"
    make_dataset(tmp_path / "home" / path)
    assert data.load().names == NAMES


def test_kaggle_mount(make_dataset, monkeypatch, tmp_path):
    drone = make_dataset(tmp_path / "input" / "semantic-drone-dataset")
    real = dataset.Path
    monkeypatch.setattr(
        dataset, "Path", lambda path: tmp_path / "input" if path == "/kaggle/input" else real(path)
    )
    assert data.load().root.is_relative_to(drone)


def test_else_synthetic(few_scenes, capsys, cache):
    loaded = data.load()
    assert loaded.synthetic
    assert len(loaded) == 2
    assert "Synthetic drone scenes: 2 pictures of 72×48" in capsys.readouterr().out
    assert loaded.root.is_relative_to(cache)
    again = data.load()
    assert again.pairs == loaded.pairs
    assert len(few_scenes) == 1


def test_synthetic_by_name(make_dataset, few_scenes, monkeypatch, tmp_path):
    make_dataset(tmp_path / "data")
    monkeypatch.setattr(environment, "data_folder", lambda: tmp_path / "data")
    assert not data.load().synthetic
    monkeypatch.setenv("COURSE_DATA", "synthetic")
    assert data.load().synthetic
    assert data.load("synthetic").synthetic


def test_data_folder_with_a_readme_only(few_scenes, monkeypatch, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "README.md").write_text("Put it here.")
    monkeypatch.setattr(environment, "data_folder", lambda: tmp_path / "data")
    assert data.load().synthetic


@pytest.mark.parametrize("how", ["argument", "environment"])
def test_what_is_asked_for_is_never_replaced(how, tmp_path, monkeypatch, few_scenes):
    wanted = str(tmp_path / "not-there")
    if how == "environment":
        monkeypatch.setenv("COURSE_DATA", wanted)
    with pytest.raises(NoDatasetError, match="not-there does not exist"):
        data.load(wanted if how == "argument" else None)
    assert few_scenes == []


def test_broken_data_in_the_usual_place_is_not_passed_over(
    make_dataset, monkeypatch, tmp_path, few_scenes
):
    drone = make_dataset(tmp_path / "data")
    shutil.rmtree(drone / LAYOUTS["kaggle"][1])
    (drone / LAYOUTS["kaggle"][1]).mkdir()
    monkeypatch.setattr(environment, "data_folder", lambda: drone)
    with pytest.raises(DataError, match="6 pictures, 0 masks"):
        data.load()
    assert few_scenes == []


def test_what_has_no_partner_is_said(make_dataset, capsys):
    drone = make_dataset()
    images, masks = (drone / path for path in LAYOUTS["kaggle"][:2])
    (masks / "001.png").unlink()
    for i in range(7):
        write(masks / f"10{i}.png", a_mask())
    assert len(data.load(drone)) == 5
    said = capsys.readouterr().out
    assert "no mask: 001.jpg.\n" in said
    assert "no picture: 100.png, 101.png, 102.png, 103.png, 104.png and 2 more.\n" in said
    assert images.exists()


def test_lfs_pointers_are_found_out_at_once(make_dataset):
    drone = make_dataset()
    for image in (drone / LAYOUTS["kaggle"][0]).iterdir():
        image.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    with pytest.raises(DataError, match=r"000\.jpg is a Git LFS pointer"):
        data.load(drone)


def test_no_folder_can_take_the_scenes(cache, monkeypatch, tmp_path):
    cache.write_text("in the way")
    with pytest.raises(DataError, match="COURSE_CACHE to a folder you can write to") as caught:
        data.load()
    assert str(cache) in str(caught.value)


def test_scenes_go_to_the_next_folder(monkeypatch, tmp_path, few_scenes):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setattr(
        environment, "cache_folders", lambda: [tmp_path / "file", tmp_path / "free"]
    )
    assert data.load().root.is_relative_to(tmp_path / "free")


def test_scenes_of_older_code_are_not_taken(monkeypatch, few_scenes):
    first = data.load().root
    monkeypatch.setattr(dataset, "_drawing_version", lambda: "changed")
    assert data.load().root != first
    assert len(few_scenes) == 2


def test_real_photographs(real_data, capsys):
    loaded = data.load(real_data)
    assert [len(loaded.names_of(part)) for part in data.PARTS] == [210, 60, 30]
    assert "300 pictures, the first of 600×400" in capsys.readouterr().out
    small = loaded.at((40, 60))
    name = loaded.names_of("test")[0]
    expected = cv2.resize(
        read_image(loaded.pairs[loaded.names.index(name)].image),
        (60, 40),
        interpolation=cv2.INTER_AREA,
    )
    assert np.abs(small[name][0].astype(int) - expected).max() == 0
