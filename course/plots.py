"""Every picture of the course. Functions take data and return matplotlib Axes.

End a plotting cell with :func:`show`, which gives the figure its alt text.
"""

import io
import itertools

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Patch, Rectangle

from course.classes import (
    CLASSES,
    COLORS,
    NAMES,
    NUM_CLASSES,
    UNLABELED,
    check_ids,
    check_names,
    decode,
)

# Okabe and Ito's palette, told apart with any colour vision.
PALETTE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#000000", "#F0E442")
DPI = 90
LEGEND_LINE = 0.17  # inches


def show(alt):
    """Display the current figures with `alt` as their text, and close them.

    The text serves readers who cannot see the picture, and stands in the
    notebook's stored output where nbval compares it. Outside a notebook the
    figures open as windows instead.
    """
    from IPython import get_ipython
    from IPython.display import display

    if get_ipython() is None:
        plt.show()
        return
    alt = " ".join(alt.split())
    for number in plt.get_fignums():
        figure = plt.figure(number)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=DPI, bbox_inches="tight", facecolor="white")
        display(
            {"image/png": buffer.getvalue(), "text/plain": alt},
            raw=True,
            metadata={"image/png": {"alt": alt}, "alt": alt},
        )
        plt.close(figure)


def picture(image, ax=None, title=None, vmin=None, vmax=None):
    """Show a picture, ``(height, width, 3)`` or ``(height, width)``, without ticks.

    Of ``(height, width)``, `vmin` is black and `vmax` white. By default these are its own
    least and largest value: give several that are to be compared the same two.
    """
    ax = ax or plt.subplots(layout="constrained")[1]
    gray = {"cmap": "gray", "vmin": vmin, "vmax": vmax} if np.ndim(image) == 2 else {}
    ax.imshow(image, interpolation="nearest", **gray)
    ax.set(xticks=[], yticks=[])
    if title:
        ax.set_title(title, fontsize=10)
    return ax


def mask(ids, ax=None, title=None):
    """Show a mask, ``(height, width)`` class ids, in the classes' colours."""
    return picture(decode(ids), ax, title)


def overlay(image, ids, ax=None, title=None, opacity=0.5):
    """Show a picture, uint8, with its mask laid over it; unlabeled pixels stay clear."""
    ids, image = check_ids(ids), np.asarray(image)
    if image.shape != (*ids.shape, 3):
        remedy = (
            "Show both at one size: course.data.scaled(image, mask, (height, width)) scales a pair."
            if image.shape[:2] != ids.shape
            else "It is RGB: image[..., :3] of RGBA, np.stack([image] * 3, axis=-1) of grey."
        )
        raise ValueError(
            f"The picture under a mask of {ids.shape} has shape {(*ids.shape, 3)}, but this one {image.shape}. "
            f"{remedy}"
        )
    if image.dtype != np.uint8:
        raise ValueError(
            f"A picture under a mask is uint8, 0 to 255, but this one is {image.dtype}. If it goes from 0 to "
            "1, pass (255 * image).astype(np.uint8)."
        )
    share = np.where(ids == UNLABELED, 0, opacity)[..., None]
    return picture((image * (1 - share) + decode(ids) * share).astype(np.uint8), ax, title)


def legend(ids, ax, columns=1, most=NUM_CLASSES):
    """A legend of the classes present in `ids`, the commonest first, beside `ax`."""
    style = _legend_style(ids, most)
    ax.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), ncols=columns, **style)
    return ax


def legend_of_figure(figure, ids, columns=1):
    """A legend of the classes present in `ids`, the commonest first, at the figure's right edge."""
    figure.legend(loc="outside right center", ncols=columns, **_legend_style(ids))


def _legend_style(ids, most=NUM_CLASSES):
    counts = np.bincount(np.ravel(ids), minlength=NUM_CLASSES)
    present = [i for i in np.argsort(-counts, kind="stable") if counts[i]][:most]
    handles = [Patch(facecolor=COLORS[i] / 255, edgecolor="0.4", label=NAMES[i]) for i in present]
    return {
        "handles": handles,
        "fontsize": 8,
        "frameon": False,
        "handlelength": 1.2,
        "handleheight": 1.0,
    }


def panels(columns, names=None, width=2.6):
    """Pictures and masks side by side, one row a sample, with a legend of the classes that occur.

    Parameters
    ----------
    columns : dict
        Title to array: ``(n, height, width, 3)`` are pictures,
        ``(n, height, width)`` are masks.
    names : sequence of str, optional
        One a row.
    width : float
        Of a panel, in inches.

    Returns
    -------
    (n, len(columns)) array of Axes

    Raises
    ------
    ValueError
        If the columns hold different numbers of samples.
    """
    arrays = [np.asarray(array) for array in columns.values()]
    if len({len(array) for array in arrays}) > 1:
        lengths = ", ".join(
            f"{title}: {len(array)}" for title, array in zip(columns, arrays, strict=True)
        )
        raise ValueError(f"Each column shows the same samples, but these have {lengths}.")
    rows, (height, wide) = len(arrays[0]), arrays[0].shape[1:3]
    tall = width * height / wide * rows + 0.3
    masks = [array.ravel() for array in arrays if array.ndim == 3]
    present = np.unique(np.concatenate(masks)) if masks else []
    legends = -(-len(present) * LEGEND_LINE // tall)  # columns that the legend needs
    figure, axes = plt.subplots(
        rows,
        len(columns),
        figsize=(width * len(columns) + 1.3 * legends, tall),
        squeeze=False,
        layout="constrained",
    )
    for title, array, column in zip(columns, arrays, axes.T, strict=True):
        for row, ax in enumerate(column):
            draw = mask if array.ndim == 3 else picture
            draw(array[row], ax, title if row == 0 else None)
    for row, name in enumerate(names or []):
        axes[row, 0].set_ylabel(name, fontsize=9)
    if masks:
        legend_of_figure(figure, np.concatenate(masks), columns=int(legends))
    return axes


def confusion(cm, ax=None, title="Confusion matrix, rows sum to 1", names=NAMES):
    """Show a confusion matrix, each row as shares of the true class.

    Classes neither true nor predicted are left out. A class that was only
    predicted has a column, and a row without colour: of it there are no shares.
    Raises ValueError for an empty matrix, or one of other classes than `names`.
    """
    cm = np.asarray(cm, float)
    check_names(names, len(cm))
    present = np.flatnonzero(cm.sum(0) + cm.sum(1))
    if not len(present):
        raise ValueError("This confusion matrix has counted no pixel: there is nothing to show.")
    cm = cm[np.ix_(present, present)]
    total = cm.sum(1, keepdims=True)
    shares = np.divide(cm, total, out=np.full_like(cm, np.nan), where=total > 0)
    size = 1.5 + 0.27 * len(present)
    ax = ax or plt.subplots(figsize=(size + 1, size), layout="constrained")[1]
    shown = ax.imshow(shares, cmap="cividis", vmin=0, vmax=1)
    labels = [names[i] for i in present]
    ax.set_xticks(range(len(present)), labels, rotation=90, fontsize=8)
    ax.set_yticks(range(len(present)), labels, fontsize=8)
    ax.set(xlabel="predicted", ylabel="true")
    ax.set_title(title, fontsize=10)
    ax.figure.colorbar(shown, ax=ax, shrink=0.8, label="share of the true class")
    return ax


def class_bars(scores, ax=None, xlabel="IoU", title=None, names=NAMES):
    """Horizontal bars a class, one colour a model.

    Parameters
    ----------
    scores : dict
        Model's name to ``(classes,)`` array. The first one's order, best
        first, is the order of the rows; a class of which it has nan is left
        out, and where another has nan its bar is missing.

    Raises
    ------
    ValueError
        If a model has scores of other classes than `names`.
    """
    for values in scores.values():
        check_names(names, len(values))
    first = np.asarray(next(iter(scores.values())), float)
    shown = [
        i
        for i in np.argsort(-np.nan_to_num(first, nan=-1), kind="stable")
        if not np.isnan(first[i])
    ]
    ax = (
        ax
        or plt.subplots(
            figsize=(7, 1 + 0.2 * len(shown) * max(1, len(scores) * 0.7)), layout="constrained"
        )[1]
    )
    thick = 0.8 / len(scores)
    rows = np.arange(len(shown))
    for k, ((label, values), color) in enumerate(
        zip(scores.items(), itertools.cycle(PALETTE), strict=False)
    ):
        lengths = np.asarray(values, float)[shown]
        ax.barh(
            rows + (k - (len(scores) - 1) / 2) * thick, lengths, thick, color=color, label=label
        )
    ax.set_yticks(rows, [names[i] for i in shown], fontsize=8)
    ax.set(xlabel=xlabel, ylim=(len(shown) - 0.4, -0.6))
    if title:
        ax.set_title(title, fontsize=10)
    if len(scores) > 1:
        ax.legend(fontsize=8, frameon=False)
    return ax


def learning_curves(histories, curves=("loss", "val_loss", "mean_iou", "val_mean_iou")):
    """Loss and mean IoU over epochs: training dashed, validation solid, one colour a model.

    Parameters
    ----------
    histories : dict
        Model's name to :class:`course.training.History`.

    Returns
    -------
    (2,) array of Axes: loss, mean IoU
    """
    _, axes = plt.subplots(1, 2, figsize=(9, 3), layout="constrained")
    for (label, history), color in zip(histories.items(), itertools.cycle(PALETTE), strict=False):
        for curve in curves:
            values = history.curves.get(curve)
            if values:
                ax = axes[0 if curve.endswith("loss") else 1]
                validation = curve.startswith("val_")
                ax.plot(
                    range(1, len(values) + 1),
                    values,
                    "-" if validation else "--",
                    color=color,
                    label=f"{label}, {'validation' if validation else 'training'}",
                )
    for ax, what in zip(axes, ("loss", "mean IoU"), strict=True):
        ax.set(xlabel="epoch", ylabel=what)
        ax.set_title(f"{what[0].upper()}{what[1:]} over training", fontsize=10)
        ax.grid(alpha=0.3)
    if axes[0].lines:  # none where training was interrupted in its first epoch
        axes[0].legend(fontsize=7, frameon=False)
    return axes


def network(model, maps, skips=(), ax=None, title=None):
    """Draw a network as the maps it computes, from left to right, and its skips as arrows.

    A block is as tall as the square root of its map's height, and thicker for more channels.

    Parameters
    ----------
    model : keras.Model
        Built for pictures of one fixed size.
    maps : dict
        What to write under a block, to the name of the layer whose output it is.
    skips : sequence of (from, to)
        Two of those labels each.
    """
    unknown = {label for skip in skips for label in skip} - set(maps)
    if unknown:
        raise ValueError(f"Skips join two of {list(maps)}; {sorted(unknown)} is not there.")
    shapes = {label: model.get_layer(layer).output.shape[1:] for label, layer in maps.items()}
    if any(None in shape for shape in shapes.values()):
        raise ValueError("The maps have no fixed size: build the model with size=(height, width).")
    ax = ax or plt.subplots(figsize=(0.5 + 0.78 * len(maps), 3), layout="constrained")[1]
    tallest = max(height for height, *_ in shapes.values())
    tops = {}
    for x, (label, (height, width, channels)) in enumerate(shapes.items()):
        tall, thick = (height / tallest) ** 0.5, 0.08 + 0.06 * np.log2(channels + 1)
        ax.add_patch(Rectangle((x - thick / 2, -tall / 2), thick, tall, fc=PALETTE[5], ec="black"))
        ax.text(
            x, -0.56, f"{label}\n{height}×{width}\n{channels}", ha="center", va="top", fontsize=8
        )
        tops[label] = (x, tall / 2 + 0.02)
    for start, end in skips:
        arrow = {"arrowstyle": "->", "color": PALETTE[4], "connectionstyle": "arc3,rad=-0.3"}
        ax.annotate("", tops[end], tops[start], arrowprops=arrow)
    ax.set(xlim=(-0.6, len(maps) - 0.4), ylim=(-1, 1))
    ax.axis("off")
    if title:
        ax.set_title(title, fontsize=10)
    return ax


def class_shares(shares, ax=None, title=None, log=True):
    """Bars of each class's share, in its own colour; `shares` is ``(classes,)``, zero is left out."""
    shares = np.asarray(shares, float)
    shown = [c for c in sorted(CLASSES, key=lambda c: -shares[c.id]) if shares[c.id] > 0]
    ax = ax or plt.subplots(figsize=(8, 3), layout="constrained")[1]
    ax.bar(
        [c.name for c in shown],
        [100 * shares[c.id] for c in shown],
        color=[np.array(c.color) / 255 for c in shown],
        edgecolor="0.4",
    )
    ax.tick_params(axis="x", rotation=90, labelsize=8)
    ax.set_ylabel("share of pixels, %")
    if log:
        ax.set_yscale("log")
    if title:
        ax.set_title(title, fontsize=10)
    return ax
