"""Stored results, as lessons read them."""

import json

import pytest

from course import measured


def test_rows_of_a_stored_result():
    rows = measured.rows("showdown-synthetic-smoke")
    assert {row["model"] for row in rows} == {"FCN-8s", "U-Net", "DeepLabV3+"}


def test_the_package_comes_before_the_checkout(tmp_path, monkeypatch):
    for number in (1, 2):
        (tmp_path / str(number)).mkdir()
        content = {"data": "none", "rows": [{"seed": number}]}
        (tmp_path / str(number) / "some-real-gpu.json").write_text(json.dumps(content))
    monkeypatch.setattr(measured, "FOLDERS", (tmp_path / "0", tmp_path / "1", tmp_path / "2"))
    assert measured.rows("some-real-gpu") == [{"seed": 1}]


def test_a_result_that_is_not_there():
    with pytest.raises(FileNotFoundError, match="no result 'nothing'.*showdown-synthetic-smoke"):
        measured.rows("nothing")
