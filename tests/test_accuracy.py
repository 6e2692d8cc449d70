"""Accuracy at a fixed budget: how long each network is trained, and whose guesses are scored."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks import accuracy, recipe, results

TRUTH = np.ones((1, 4, 6), np.uint8)
TRUTH[:, :, 3:] = 2


def guesses(right):
    """The truth, but with class 1 alone where they are not right."""
    return TRUTH if right else np.ones_like(TRUTH)


def test_ours_are_trained_anew_for_the_epochs_that_fit_into_each_time(monkeypatch):
    timed, trained = [], []

    def seconds_an_epoch(recipes, dataset, seed):
        timed.append((*recipes, dataset, seed))
        return [5.0]

    def train(how, dataset, epochs, seed):
        trained.append((how, dataset, epochs, seed))
        return len(trained), {"epochs": epochs}

    monkeypatch.setattr(recipe, "seconds_an_epoch", seconds_an_epoch)
    monkeypatch.setattr(recipe, "train", train)
    monkeypatch.setattr(recipe, "guesses", lambda model, how, dataset: guesses(model == 2))
    rows = list(accuracy.our_rows("U-Net", "data", TRUTH, [2], [0.01, 1.04], rate=0.5, seed=7))
    how = replace(accuracy.OURS["U-Net"], rate=0.5, turn=False, zoom=1.0, light=0.0)
    assert timed == [(how, "data", 7)] * 2
    assert trained == [(how, "data", epochs, 7) for epochs in (1, 12)]  # one at least
    assert [(row["minutes"], row["epochs"]) for row in rows] == [(0.01, 1), (1.04, 12)]
    assert [row["accuracy"] for row in rows] == [0.5, 1]
    assert {row["seconds an epoch"] for row in rows} == {5}
    assert {row["rate"] for row in rows} == {0.5}


@pytest.mark.parametrize("scheduled", [False, True])
def test_a_peer_goes_on_to_the_longer_time_unless_its_rate_falls_over_the_run(
    scheduled, monkeypatch
):
    started = []

    def process(name, folder, minutes, rate, seed, augment):
        assert (Path(folder) / "pictures").exists()
        started.append((name, minutes, rate, seed, augment))
        for length in minutes:
            np.save(Path(folder) / f"{length:g}.npy", guesses(length == 30))
        return {"rate": rate, "runs": [{"minutes": length} for length in minutes]}

    def write_pictures(folder, dataset, peer):
        (Path(folder) / "pictures").touch()

    peer = replace(accuracy.PEERS["vgg_unet"], scheduled=scheduled)
    monkeypatch.setitem(accuracy.PEERS, "vgg_unet", peer)
    monkeypatch.setattr(accuracy, "peer_process", process)
    monkeypatch.setattr(accuracy, "write_pictures", write_pictures)
    rows = list(accuracy.peer_rows("vgg_unet", None, TRUTH, [2], [30, 10], None, 7, "flips"))
    runs = [[30], [10]] if scheduled else [[10, 30]]
    assert started == [("vgg_unet", minutes, peer.rate, 7, "flips") for minutes in runs]
    # Each length has the scores of what the network made of the pictures then.
    for row in rows:
        assert row["mIoU"] == results.scores(TRUTH, guesses(row["minutes"] == 30))["mIoU"]
        assert "runs" not in row
    assert sorted(row["minutes"] for row in rows) == [10, 30]
    assert {(row["source"], row["augment"], row["rate"]) for row in rows} == {
        (peer.source, "flips", peer.rate)
    }
