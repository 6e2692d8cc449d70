"""What the benchmarks share: scores by hand, and results that keep what other runs stored."""

import json
import re
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks import grading, imbalance, lessons, results, showdown, tables
from course.data import Samples
from course.training import History

SCENES = SimpleNamespace(synthetic=True)
TINY = SimpleNamespace(name="tiny")


@pytest.fixture
def folder(monkeypatch, tmp_path):
    monkeypatch.setattr(results, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(results, "commit", lambda: "abc")
    monkeypatch.setattr(results, "command", lambda: "python -m benchmarks.some")
    return tmp_path / "results"


def test_scores_by_hand():
    truth = np.ones((2, 4, 6), np.uint8)
    truth[:, :, 3:] = 2
    truth[0, 0, 0] = 0
    guesses = truth.copy()
    guesses[0] = 1  # 23 of 23 labelled pixels of class 1 are found, 12 of 24 of class 2
    found = results.scores(truth, guesses, rare=[2, 7])
    half_way = found.pop("boundary F")
    assert found == {
        "mIoU": round((23 / 35 + 12 / 24) / 2, 4),
        "fwIoU": round((23 * 23 / 35 + 24 * 12 / 24) / 47, 4),
        "accuracy": round(35 / 47, 4),
        "rare IoU": 0.5,  # class 7 is nowhere in the truth
    }
    assert 0 < half_way < 1 == results.scores(truth, truth)["boundary F"]
    assert "rare IoU" not in results.scores(truth, truth)


def test_smoothing_takes_a_weave_out_of_boundary_f():
    truth = np.ones((1, 20, 30), np.uint8)
    truth[:, :, 15:] = 2
    woven = truth.copy()
    woven[:, ::3, ::3] = 2  # single pixels, each with an outline, where all is of class 1
    assert (results.smoothed(woven)[:, :, :12] == 1).all()
    score = results.scores(truth, woven)["boundary F"]
    smooth = results.smoothed_boundary_f(truth, woven)["boundary F, smoothed"]
    assert score < 0.9 < smooth
    assert results.smoothed_boundary_f(truth, truth) == {"boundary F, smoothed": 1.0}


def test_rare_are_less_than_one_labelled_training_pixel_in_a_hundred():
    masks = np.zeros((2, 30, 10), np.uint8)  # mostly unlabeled, which no share counts
    masks[0, :20] = 1
    masks[0, 0, :2] = 5  # 2 of 200
    masks[0, 0, 2] = 6
    train = Samples(("a", "b"), np.zeros((*masks.shape, 3), np.uint8), masks)
    assert results.rare_classes(train) == [6]
    masks[0, 20, 0] = 1  # 2 of 201
    assert results.rare_classes(train) == [5, 6]


def test_rare_classes_are_stored_as_ids(monkeypatch):
    masks = np.ones((1, 20, 30), np.uint8)
    masks[0, 0, 0] = 6
    samples = Samples(("a",), np.zeros((*masks.shape, 3), np.uint8), masks)
    dataset = SimpleNamespace(title="scenes", synthetic=True)
    headers = []
    monkeypatch.setattr(results, "prepare", lambda: (dataset, TINY, samples, samples))
    monkeypatch.setattr(results, "update", lambda *args: headers.append(args[3]))
    monkeypatch.setattr(imbalance, "rows_of", lambda *args: [])
    monkeypatch.setattr("sys.argv", ["imbalance", "0"])
    imbalance.main()
    assert [about["rare classes"] for about in headers] == [[6]]
    for file in results.RESULTS.glob("*.json"):
        about = tables.stored(file.stem)
        assert isinstance(about.get("rare classes", []), list), file.name


def test_a_stored_race_is_run_again_with_its_epochs_and_costs(folder):
    assert showdown.stored("1 min", SCENES, TINY) == ({}, {})
    cost = dict.fromkeys(showdown.COSTS, 0.5)
    races = [("1 min", "U-Net", 7), ("1 min", "FCN-8s", 9), ("2 min", "U-Net", 14)]
    rows = [
        {"budget": budget, "model": model, "seed": seed, "epochs": epochs, "mIoU": 0.1, **cost}
        for budget, model, epochs in races
        for seed in (0, 1)
    ]
    results.update("showdown", SCENES, TINY, {}, rows, ("budget", "model", "seed"))
    costs, epochs = showdown.stored("1 min", SCENES, TINY)
    assert costs == {"U-Net": cost, "FCN-8s": cost}
    assert epochs == {"U-Net": 7, "FCN-8s": 9}


def test_a_race_against_time_has_the_epochs_that_fit():
    scale = SimpleNamespace(batch=4)
    cost = {"seconds a step": 0.5, "ms a picture": 100}
    # Two steps and five looks: a second and a half.
    assert showdown.epochs_in(2, cost, range(11), range(5), scale) == 80
    assert showdown.epochs_in(0.04, cost, range(11), range(5), scale) == 2  # 1.6, rounded
    assert showdown.epochs_in(0.001, cost, range(11), range(5), scale) == 1


def test_an_update_replaces_the_same_run_and_keeps_the_others(folder):
    def row(seed, model, score):
        return {
            "commit": "abc",
            "command": "python -m benchmarks.some",
            "seed": seed,
            "model": model,
            "mIoU": score,
        }

    run = ("seed", "model")
    for rows in ([row(1, "a", 0.1)], [row(0, "b", 0.2), row(0, "a", 0.3)], [row(1, "a", 0.4)]):
        rows = [{key: row[key] for key in ("seed", "model", "mIoU")} for row in rows]
        results.update("some", SCENES, TINY, {"data": "Lovász", "commit": "abc"}, rows, run)
    stored = json.loads((folder / "some-synthetic-tiny.json").read_text(encoding="utf-8"))
    assert stored == {
        "data": "Lovász",
        "rows": [row(0, "a", 0.3), row(0, "b", 0.2), row(1, "a", 0.4)],
    }


def test_a_row_keeps_the_machine_it_was_measured_on(folder):
    for seed, device in ((0, "CPU"), (1, "GPU")):
        about = {"data": "scenes", "device": device, "keras": f"3.{seed}"}
        row = {"seed": seed, "precision": "float32"}
        results.update("some", SCENES, TINY, about | {"precision": "bfloat16"}, [row])
    stored = json.loads((folder / "some-synthetic-tiny.json").read_text(encoding="utf-8"))
    assert [(row["device"], row["keras"]) for row in stored["rows"]] == [
        ("CPU", "3.0"),
        ("GPU", "3.1"),
    ]
    assert {row["precision"] for row in stored["rows"]} == {
        "float32"
    }  # a row's own, where it has one
    assert "device" not in stored


def test_every_word_about_a_machine_is_of_a_run():
    assert set(results.machine()) <= set(results.OF_A_RUN)


def test_an_update_of_a_seed_replaces_all_its_rows_and_keeps_their_order(folder):
    def rows(seed, *ways):
        same = {"commit": "abc", "command": "python -m benchmarks.some"}
        return [{**same, "seed": seed, "way": way} for way in ways]

    for fresh in (rows(1, "plain"), rows(0, "plain", "focal", "crops"), rows(0, "plain", "Dice")):
        results.update("some", SCENES, TINY, {}, fresh)
    stored = json.loads((folder / "some-synthetic-tiny.json").read_text(encoding="utf-8"))
    assert stored["rows"] == rows(0, "plain", "Dice") + rows(1, "plain")


def test_the_stored_class_that_was_graded_keeps_its_own_commit(folder, monkeypatch):
    grading.store({"assignment": "02"}, {"class": 300})
    monkeypatch.setattr(results, "commit", lambda: "def")
    grading.store({"assignment": "08"})
    stored = json.loads((folder / "grading.json").read_text(encoding="utf-8"))
    assert (stored["commit"], stored["assignment"]) == ("def", "08")
    of_class = stored["a class, the grader killed"]
    assert (of_class["commit"], of_class["class"]) == ("abc", 300)


def test_no_class_is_stored_under_the_command_of_another_run():
    stored = tables.stored("grading")
    assert "class" not in stored
    assert stored["a class, the grader killed"]["class"] == 300


def test_the_real_data_has_a_file_of_its_own(folder):
    results.write("some", SimpleNamespace(synthetic=False), TINY, {}, [])
    assert [file.name for file in folder.iterdir()] == ["some-real-tiny.json"]


def test_the_table_of_lessons_reads_what_training_says():
    said = str(History({"loss": [1.0, 0.5], "val_mean_iou": [0.1234, 0.25]}, seconds=3))
    assert lessons.REPORTED.findall(said) == ["0.250"]


def test_results_say_what_they_were_measured_with():
    machine = results.machine()
    assert machine["cores"] >= 1
    assert machine["instructions"] in ("avx512_vnni", "avx512f", "avx2", None)
    assert machine[machine["backend"]].count(".") >= 1  # the backend's own version
    for package in ("python", "keras", "numpy", "opencv", "course"):
        assert machine[package]
    assert machine["commit"] is None or re.fullmatch(r"[0-9a-f]{7,}\+?", machine["commit"])


def test_without_git_there_is_no_commit(monkeypatch):
    def missing(*command, **options):
        raise FileNotFoundError("git")

    monkeypatch.setattr(results.subprocess, "run", missing)
    assert results.commit() is None
