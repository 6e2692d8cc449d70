"""Every plot on made-up data, and what show() leaves in a notebook."""

import base64
import os
import warnings
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest

from course import plots
from course.classes import COLORS
from course.models.fcn import small_fcn
from course.training import History

RNG = np.random.default_rng(0)
IMAGE = RNG.integers(0, 256, (8, 12, 3)).astype(np.uint8)
MASK = np.array([[3] * 12] * 5 + [[1] * 12] * 2 + [[15] * 12], np.uint8)
GRASS = np.full((8, 12), 3, np.uint8)


@pytest.fixture(autouse=True)
def strict_and_tidy():
    plt.close("all")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", DeprecationWarning)  # of matplotlib's own dependencies
        yield
        for number in plt.get_fignums():
            plt.figure(number).savefig(
                os.devnull, format="png"
            )  # draws: layout can fail as late as here
    plt.close("all")


def texts(legend):
    return [text.get_text() for text in legend.get_texts()]


def drawn(ax):
    return np.asarray(ax.images[0].get_array())


def test_picture_and_gray_picture():
    ax = plots.picture(IMAGE, title="a garden")
    np.testing.assert_array_equal(drawn(ax), IMAGE)
    assert ax.get_title() == "a garden"
    assert list(ax.get_xticks()) == []
    assert plots.picture(IMAGE[..., 0]).images[0].get_cmap().name == "gray"
    own, shared = (
        plots.picture(IMAGE[:2, :2, 0], **limits) for limits in ({}, {"vmin": 0, "vmax": 255})
    )
    assert own.images[0].get_clim() == (IMAGE[:2, :2, 0].min(), IMAGE[:2, :2, 0].max())
    assert shared.images[0].get_clim() == (0, 255)


def test_it_draws_into_the_axes_it_is_given():
    _, ax = plt.subplots()
    assert plots.picture(IMAGE, ax) is ax
    assert plots.class_shares(np.ones(24), ax) is ax
    assert len(plt.get_fignums()) == 1


def test_mask_has_the_colours_of_the_classes():
    np.testing.assert_array_equal(drawn(plots.mask(MASK)), COLORS[MASK])
    with pytest.raises(ValueError, match="Class id 24"):
        plots.mask(np.full((2, 2), 24))


def test_overlay_leaves_unlabeled_pixels_clear():
    ids = MASK.copy()
    ids[0] = 0
    shown = drawn(plots.overlay(IMAGE, ids, opacity=0.5)).astype(int)
    np.testing.assert_array_equal(shown[0], IMAGE[0])
    expected = (IMAGE[1:].astype(int) + COLORS[ids[1:]]) / 2
    assert np.abs(shown[1:] - expected).max() <= 1


def test_overlay_refuses_a_scaled_picture():
    with pytest.raises(ValueError, match="uint8, 0 to 255, but this one is float64"):
        plots.overlay(IMAGE / 255, MASK)


def test_overlay_refuses_a_mask_of_another_size():
    with pytest.raises(ValueError, match=r"mask of \(4, 6\).*\(8, 12, 3\).*course.data.scaled"):
        plots.overlay(IMAGE, MASK[::2, ::2])
    with pytest.raises(ValueError, match=r"this one \(8, 12\)\. It is RGB"):
        plots.overlay(IMAGE[..., 0], MASK)


def test_legend_names_what_is_there_the_commonest_first():
    ax = plots.legend(MASK, plots.mask(MASK))
    assert texts(ax.get_legend()) == ["grass", "paved-area", "person"]
    np.testing.assert_allclose(
        ax.get_legend().get_patches()[2].get_facecolor()[:3], COLORS[15] / 255
    )
    assert texts(plots.legend(MASK, plots.mask(MASK), most=2).get_legend()) == [
        "grass",
        "paved-area",
    ]
    assert texts(plots.legend(GRASS, plots.mask(GRASS)).get_legend()) == ["grass"]


def test_panels_are_rows_of_samples_with_one_legend():
    axes = plots.panels(
        {
            "picture": [IMAGE, IMAGE],
            "truth": np.stack([MASK, GRASS]),
            "guess": np.stack([GRASS, GRASS]),
        },
        names=["001", "002"],
    )
    assert axes.shape == (2, 3)
    assert [ax.get_title() for ax in axes[0]] == ["picture", "truth", "guess"]
    assert [ax.get_ylabel() for ax in axes[:, 0]] == ["001", "002"]
    (legend,) = axes[0, 0].figure.legends
    assert texts(legend) == ["grass", "paved-area", "person"]
    np.testing.assert_array_equal(drawn(axes[1, 1]), COLORS[GRASS])


def test_panels_refuse_columns_of_different_lengths():
    with pytest.raises(ValueError, match="picture: 2, truth: 1"):
        plots.panels({"picture": [IMAGE, IMAGE], "truth": MASK[None]})


def test_panels_of_pictures_alone_have_no_legend():
    axes = plots.panels({"picture": IMAGE[None]})
    assert axes.shape == (1, 1)
    assert axes[0, 0].figure.legends == []


def test_confusion_rows_are_shares_of_the_true_class():
    cm = np.zeros((24, 24), int)
    cm[3, 3], cm[3, 1], cm[15, 3] = 6, 2, 5  # 1 is guessed and never true
    ax = plots.confusion(cm)
    assert [label.get_text() for label in ax.get_xticklabels()] == ["paved-area", "grass", "person"]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["paved-area", "grass", "person"]
    shares = np.ma.filled(ax.images[0].get_array(), np.nan)
    np.testing.assert_allclose(shares, [[np.nan] * 3, [0.25, 0.75, 0], [0, 1, 0]])
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("predicted", "true")
    assert ax.get_title()


def test_confusion_of_one_class():
    cm = np.zeros((24, 24), int)
    cm[3, 3] = 1
    np.testing.assert_allclose(np.ma.filled(plots.confusion(cm).images[0].get_array()), [[1]])


def test_confusion_of_nothing_says_so():
    with pytest.raises(ValueError, match="no pixel"):
        plots.confusion(np.zeros((24, 24)))


def test_class_bars_leave_absent_classes_out():
    scores = np.full(24, np.nan)
    scores[[3, 1, 15]] = 0.9, 0.5, 0.0
    other = np.full(24, np.nan)
    other[3] = 0.7
    ax = plots.class_bars({"FCN-8s": scores, "FCN-32s": other}, title="IoU by class")
    assert [label.get_text() for label in ax.get_yticklabels()] == ["grass", "paved-area", "person"]
    assert texts(ax.get_legend()) == ["FCN-8s", "FCN-32s"]
    assert [round(bar.get_width(), 3) for bar in ax.patches] == [0.9, 0.5, 0, 0.7] + 2 * [
        pytest.approx(np.nan, nan_ok=True)
    ]
    assert (ax.get_xlabel(), ax.get_title()) == ("IoU", "IoU by class")
    top, bottom = ax.patches[0], ax.patches[2]
    assert ax.transData.transform(top.get_xy())[1] > ax.transData.transform(bottom.get_xy())[1]


def test_classes_of_ones_own_do_not_get_the_names_of_others():
    scores = np.array([0.5, 0.25])
    for plot in (plots.confusion, lambda cm, **names: plots.class_bars({"FCN": scores}, **names)):
        with pytest.raises(ValueError, match="There are 2 classes, but 24 names"):
            plot(np.eye(2))
        ax = plot(np.eye(2), names=("ground", "road"))
        assert [label.get_text() for label in ax.get_yticklabels()] == ["ground", "road"]


def test_learning_curves_of_a_training_without_an_epoch_are_empty(recwarn):
    axes = plots.learning_curves({"interrupted": History()})
    assert not any(ax.lines for ax in axes)
    assert not recwarn.list


def test_learning_curves_validation_solid_training_dashed():
    full = History(
        {"loss": [2, 1], "mean_iou": [0.1, 0.2], "val_loss": [2, 1.5], "val_mean_iou": [0.1, 0.3]}
    )
    left, right = plots.learning_curves({"FCN": full, "no validation": History({"loss": [3.0]})})
    assert [line.get_linestyle() for line in left.lines] == ["--", "-", "--"]
    assert [line.get_linestyle() for line in right.lines] == ["--", "-"]
    np.testing.assert_array_equal(right.lines[1].get_data(), [[1, 2], [0.1, 0.3]])
    assert left.lines[0].get_color() == left.lines[1].get_color() != left.lines[2].get_color()
    assert texts(left.get_legend()) == [
        "FCN, training",
        "FCN, validation",
        "no validation, training",
    ]
    assert [ax.get_xlabel() for ax in (left, right)] == ["epoch", "epoch"]
    assert [ax.get_ylabel() for ax in (left, right)] == ["loss", "mean IoU"]
    assert all(ax.get_title() for ax in (left, right))


def test_class_shares_in_the_colours_of_the_classes():
    shares = np.zeros(24)
    shares[[1, 3]] = 0.25, 0.75
    ax = plots.class_shares(shares, title="what there is")
    assert [label.get_text() for label in ax.get_xticklabels()] == ["grass", "paved-area"]
    assert [bar.get_height() for bar in ax.patches] == [75, 25]
    np.testing.assert_allclose(ax.patches[0].get_facecolor()[:3], COLORS[3] / 255)
    assert ax.get_ylabel() == "share of pixels, %"


def test_palette_colours_differ_for_every_reader():
    # In lightness alone, as in print, neighbours in the palette stay apart.
    rgb = np.array([matplotlib.colors.to_rgb(color) for color in plots.PALETTE])
    light = rgb @ [0.2126, 0.7152, 0.0722]
    assert (np.abs(np.diff(light)) > 0.05).all()


def test_show_in_a_notebook(monkeypatch):
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    cells = [
        "%matplotlib inline\nfrom course import plots\nimport numpy as np, matplotlib.pyplot as plt",
        "plots.mask(np.full((4, 6), 3))\nplots.show('A lawn,\\n    all of it.')",
        "print(plt.get_fignums())",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    root = str(Path(__file__).resolve().parents[1])
    monkeypatch.setenv(
        "PYTHONPATH", os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    )
    monkeypatch.delenv("MPLBACKEND", raising=False)
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    (output,) = notebook.cells[1].outputs
    assert base64.b64decode(output.data["image/png"]).startswith(b"\x89PNG")
    assert output.data["text/plain"] == "A lawn, all of it."
    assert output.metadata["image/png"]["alt"] == output.metadata["alt"] == "A lawn, all of it."
    assert notebook.cells[2].outputs[0].text == "[]\n"


def test_show_outside_a_notebook_opens_windows(monkeypatch):
    shown = []
    monkeypatch.setattr(plt, "show", lambda: shown.append(plt.get_fignums()))
    plots.mask(MASK)
    plots.show("a garden")
    assert shown == [[1]]


def test_names_are_those_of_the_matrix():
    ax = plots.confusion(np.eye(2), names=("sky", "ground"))
    assert [label.get_text() for label in ax.get_yticklabels()] == ["sky", "ground"]


@pytest.fixture(scope="module")
def fcn_8s():
    return small_fcn(8, width=2, size=(64, 96))


def test_network_draws_the_maps_of_the_model(fcn_8s):
    maps = {"picture": "images", "pool3": "pool3", "+ pool3": "fuse_8", "logits": "logits"}
    ax = plots.network(fcn_8s, maps, skips=[("pool3", "+ pool3")])
    assert [text.get_text() for text in ax.texts if text.get_text()] == [
        "picture\n64×96\n3",
        "pool3\n8×12\n8",
        "+ pool3\n8×12\n24",
        "logits\n64×96\n24",
    ]
    tall = [block.get_height() for block in ax.patches[:4]]
    assert tall == pytest.approx([1, 8**-0.5, 8**-0.5, 1])


def test_network_names_what_it_cannot_draw(fcn_8s):
    with pytest.raises(ValueError, match="pool9"):
        plots.network(fcn_8s, {"pool3": "pool3"}, skips=[("pool3", "pool9")])
    with pytest.raises(ValueError, match="fixed size"):
        plots.network(small_fcn(8, width=2), {"pool3": "pool3"})
