"""What to report: IoU, accuracy and Dice from a confusion matrix, and the boundary F-score.

The course's headline metric is the mean IoU over the classes present in the
ground truth of a split, with pixels pooled over the whole split and class 0
(`unlabeled`) left out::

    cm = sum(confusion_matrix(truth, guess, ignore=UNLABELED) for truth, guess in pairs)
    mean_iou(cm)

:class:`MeanIoU` is the same number for ``model.compile(metrics=[...])``.
Averaging the IoUs of single pictures instead gives another figure, higher or lower.
"""

import cv2
import keras
import numpy as np
from keras import ops

from course.classes import NAMES, NUM_CLASSES, UNLABELED, check_names
from course.losses.pixels import aligned, ignored_ids, whole_ids


def confusion_matrix(truth, guess, classes=NUM_CLASSES, ignore=None):
    """Count the pixels of every true class that were given every class.

    Parameters
    ----------
    truth, guess : integer array-likes of one shape, whichever it is
        Class ids.
    classes : int
    ignore : int or tuple of int, optional
        Pixels whose *truth* is this id are not counted.

    Returns
    -------
    (classes, classes) int64
        True classes on rows, guessed classes on columns. Add the matrices of
        several pictures to pool them.

    Raises
    ------
    ValueError
        If the shapes differ, an array does not hold integers, or an id is
        outside 0 to classes - 1.
    """
    truth, guess = _pair(truth, guess, classes)
    keep = ~np.isin(truth, ignored_ids(ignore))
    for name, ids in (("truth", truth), ("guess", guess)):
        _check_range(name, ids, keep, classes)
    index = truth[keep].astype(np.intp) * classes + guess[keep]
    return np.bincount(index, minlength=classes**2).reshape(classes, classes).astype(np.int64)


def iou(cm):
    """Intersection over union of each class: hits / (true + guessed - hits).

    Takes a confusion matrix, returns (classes,) float64: 0 for a class that
    was guessed but is nowhere in the truth, nan for one that is in neither.
    Everingham et al. 2015, https://doi.org/10.1007/s11263-014-0733-5
    """
    hits, true, guessed = _parts(cm)
    return _ratio(hits, true + guessed - hits)


def mean_iou(cm):
    """Mean of :func:`iou` over the classes present in the truth; nan for an empty matrix."""
    return _mean_of_present(iou(cm), cm)


def frequency_weighted_iou(cm):
    """Mean of :func:`iou` weighted by each class's share of the true pixels.

    Long et al. 2015, https://arxiv.org/abs/1411.4038
    """
    _, true, _ = _parts(cm)
    return float(_ratio(np.nansum(true * iou(cm)), true.sum()))


def pixel_accuracy(cm):
    """Share of the counted pixels that got the right class; nan for an empty matrix."""
    hits, true, _ = _parts(cm)
    return float(_ratio(hits.sum(), true.sum()))


def class_accuracy(cm):
    """Share of each class's pixels that were found (its recall).

    Takes a confusion matrix, returns (classes,) float64, nan for a class
    absent from the truth.
    """
    hits, true, _ = _parts(cm)
    return _ratio(hits, true)


def dice(cm):
    """Dice coefficient (F1) of each class: 2 hits / (true + guessed).

    Takes a confusion matrix, returns (classes,) float64; 0 and nan as in :func:`iou`.
    """
    hits, true, guessed = _parts(cm)
    return _ratio(2 * hits, true + guessed)


def mean_dice(cm):
    """Mean of :func:`dice` over the classes present in the truth; nan for an empty matrix."""
    return _mean_of_present(dice(cm), cm)


def report(cm, names=NAMES):
    """The headline numbers and one row for each class present in the truth, as text to print.

    `pixels %` is the class's share of the counted pixels, `accuracy` its
    recall. All other numbers lie between 0 and 1.
    """
    _, true, _ = _parts(cm)
    check_names(names, len(true))
    heads = {
        "mean IoU": mean_iou(cm),
        "frequency-weighted IoU": frequency_weighted_iou(cm),
        "pixel accuracy": pixel_accuracy(cm),
        "mean Dice": mean_dice(cm),
    }
    width = max(map(len, [*heads, *names]))
    lines = [f"{name:<{width}} {value:8.3f}" for name, value in heads.items()]
    lines += ["", f"{'class':<{width}} {'pixels %':>8} {'IoU':>8} {'accuracy':>8} {'Dice':>8}"]
    columns = (100 * _ratio(true, true.sum()), iou(cm), class_accuracy(cm), dice(cm))
    for i in np.flatnonzero(true):
        lines.append(f"{names[i]:<{width}}" + "".join(f" {column[i]:8.3f}" for column in columns))
    return "\n".join(lines)


class BoundaryF:
    """Boundary F-score, pooled over pictures: how well do the outlines agree?

    A boundary pixel of a class has a 4-neighbour of another class; the edge of
    the picture is no boundary. It is matched if the other mask has a boundary
    pixel *of the same class* within `tolerance`. Precision is the matched
    share of the guess's boundary pixels, recall that of the truth's, F their
    harmonic mean. Counts are pooled over all pictures, like those of the IoU;
    the papers average over pictures instead.

    An object has an outline towards ignored pixels too. What the guess draws
    *on* ignored pixels counts where it matches, and not where it does not.

    Csurka et al. 2013, "What is a good evaluation measure for semantic
    segmentation?", https://doi.org/10.5244/C.27.32; Perazzi et al. 2016 (DAVIS).

    Parameters
    ----------
    tolerance : float
        Euclidean distance in pixels.
    ignore : int or tuple of int, optional
        Ids of the truth to leave out.
    classes : int
    """

    def __init__(self, tolerance=2, ignore=None, classes=NUM_CLASSES):
        if tolerance < 0:
            raise ValueError(
                f"The tolerance is a distance in pixels, 0 or more, but it is {tolerance}."
            )
        self.tolerance, self.ignore, self.classes = tolerance, ignored_ids(ignore), classes
        self._counts = np.zeros((4, classes), np.int64)

    def update(self, truth, guess):
        """Add one picture or several.

        Parameters
        ----------
        truth, guess : integer array-likes of one shape, (height, width) or (pictures, height, width)
            Class ids.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If the shapes differ or are others than these, an array does not
            hold integers, or an id is outside 0 to classes - 1. Nothing is
            added then.
        """
        truth, guess = _pair(truth, guess, self.classes)
        if truth.ndim not in (2, 3):
            raise ValueError(
                "Outlines are of masks (height, width) or (pictures, height, width), "
                f"but truth and guess have {truth.shape}."
            )
        ignored = np.isin(truth, self.ignore)
        _check_range("truth", truth, ~ignored, self.classes)
        _check_range("guess", guess, ~ignored, self.classes)
        if truth.ndim == 2:
            self._add(truth, guess, ignored)
        else:
            for picture in zip(truth, guess, ignored, strict=True):
                self._add(*picture)
        return self

    def _add(self, truth, guess, ignored):
        """Count the boundary pixels of one picture; all three arguments are (height, width)."""
        drawn, drawn_guess = _boundary(truth), _boundary(guess)
        for c in np.setdiff1d(np.union1d(truth[~ignored], guess[~ignored]), self.ignore):
            true, guessed = drawn & (truth == c), drawn_guess & (guess == c)
            found, right = true & self._near(guessed), guessed & self._near(true)
            held = right | (guessed & ~ignored)
            self._counts[:, c] += [np.count_nonzero(of) for of in (true, found, held, right)]

    def per_class(self):
        """(classes,) float64 F-scores, nan for a class without a boundary in the truth."""
        true, found, guessed, right = self._counts.astype(np.float64)
        recall = _ratio(found, true)
        precision = np.where(guessed > 0, _ratio(right, guessed), 0.0)
        f = np.where(
            precision + recall > 0, _ratio(2 * precision * recall, precision + recall), 0.0
        )
        return np.where(true > 0, f, np.nan)

    def result(self):
        """Mean F-score over the classes with a boundary in the truth; nan if there is none."""
        return _nanmean(self.per_class())

    def _near(self, boundary):
        """Where a pixel of `boundary` lies within the tolerance."""
        reach = int(self.tolerance)
        y, x = np.ogrid[-reach : reach + 1, -reach : reach + 1]
        disk = (x**2 + y**2 <= self.tolerance**2).astype(np.uint8)
        return cv2.dilate(boundary.astype(np.uint8), disk).astype(bool)


def boundary_f(truth, guess, tolerance=2, ignore=None, classes=NUM_CLASSES):
    """The boundary F-score of one pair of masks, or pooled over several; see :class:`BoundaryF`.

    `truth` and `guess` are integer ids (height, width) or (pictures, height, width).
    Returns a float.
    """
    return BoundaryF(tolerance, ignore, classes).update(truth, guess).result()


@keras.saving.register_keras_serializable(package="course")
class MeanIoU(keras.metrics.Metric):
    """Mean IoU over the classes present in the truth, for ``model.compile(metrics=[...])``.

    Accumulates one confusion matrix over all batches, so its result is that of
    :func:`mean_iou` over the whole split: 0 before the first counted pixel, nan
    once an id outside 0 to classes - 1 was met.

    ``update_state`` takes `y_true`, ids (batch, height, width) or (batch,
    height, width, 1), and `y_pred`, logits (batch, height, width, classes) or
    integer ids (batch, height, width). A pixel with `sample_weight` 0 is not
    counted; any other weight counts it once. Shapes that do not fit raise a
    ValueError; a true id that is no whole number is no class.

    Parameters
    ----------
    classes : int
    ignore : int or tuple of int, optional
        Pixels whose truth is this id are not counted.
    """

    # Counts are kept in two halves, `low + high * _BASE`. A float32 stops counting
    # at 2**24, and JAX has no 64-bit integers unless asked for them.
    _BASE = 2**20

    def __init__(self, classes=NUM_CLASSES, ignore=UNLABELED, name="mean_iou", dtype=None):
        super().__init__(name=name, dtype=dtype)
        self.classes, self.ignore = classes, ignored_ids(ignore)
        # One more bin than the matrix has, for ids that are no class.
        self._counts = self.add_variable(
            (2, classes**2 + 1), initializer="zeros", dtype="int", name="counts"
        )

    def update_state(self, y_true, y_pred, sample_weight=None):
        truth, guess = self._as_ids(ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred))
        counted = ops.ones_like(truth, dtype="bool")
        for id in self.ignore:
            counted = ops.logical_and(counted, truth != id)
        if sample_weight is not None:
            counted = ops.logical_and(counted, aligned(sample_weight, len(truth.shape)) != 0)
        valid = (truth >= 0) & (truth < self.classes) & (guess >= 0) & (guess < self.classes)
        bins = ops.where(valid, truth * self.classes + guess, self.classes**2)
        new = ops.segment_sum(
            ops.cast(ops.reshape(counted, (-1,)), "int32"),
            ops.reshape(bins, (-1,)),
            num_segments=self.classes**2 + 1,
        )
        low = self._counts[0] + ops.cast(new, self._counts.dtype)
        high = self._counts[1] + low // self._BASE
        self._counts.assign(ops.stack([low % self._BASE, high]))

    def result(self):
        counts = ops.cast(self._counts, "float32")
        counts = counts[0] + counts[1] * self._BASE
        cm = ops.reshape(counts[:-1], (self.classes, self.classes))
        hits, true, guessed = ops.diagonal(cm), ops.sum(cm, axis=1), ops.sum(cm, axis=0)
        scores = hits / ops.maximum(true + guessed - hits, 1)  # hits are 0 where the union is
        present = ops.cast(true > 0, "float32")
        mean = ops.sum(scores * present) / ops.maximum(ops.sum(present), 1)
        return ops.where(counts[-1] > 0, float("nan"), mean)

    def confusion_matrix(self):
        """What was counted so far: (classes, classes) int64, true classes on rows.

        Raises ValueError if any pixel held an id that is no class.
        """
        low, high = ops.convert_to_numpy(self._counts).astype(np.int64)
        counts = low + high * self._BASE
        if counts[-1]:
            raise ValueError(
                f"{counts[-1]} pixels had an id outside 0 to {self.classes - 1}, in the truth or the "
                "prediction. Check the masks with course.classes.check_ids()."
            )
        return counts[:-1].reshape(self.classes, self.classes)

    def get_config(self):
        return {**super().get_config(), "classes": self.classes, "ignore": list(self.ignore)}

    def _as_ids(self, y_true, y_pred):
        """Both as int32 ids of one shape."""
        if len(y_true.shape) == 4 and y_true.shape[-1] == 1:
            y_true = ops.squeeze(y_true, -1)
        truth = whole_ids(y_true)
        ranks, sizes = (len(y_true.shape), len(y_pred.shape)), (y_true.shape, y_pred.shape[:3])
        fits = all(a == b or None in (a, b) for a, b in zip(*sizes, strict=False))
        if fits and ranks == (3, 4) and y_pred.shape[-1] == self.classes:
            return truth, ops.cast(ops.argmax(y_pred, axis=-1), "int32")
        if fits and ranks == (3, 3) and "int" in keras.backend.standardize_dtype(y_pred.dtype):
            return truth, ops.cast(y_pred, "int32")
        raise ValueError(
            "MeanIoU takes ids (batch, height, width) and, of the same size, logits (batch, height, width, "
            f"{self.classes}) or integer ids (batch, height, width), but got y_true {tuple(y_true.shape)} and "
            f"y_pred {tuple(y_pred.shape)} {keras.backend.standardize_dtype(y_pred.dtype)}."
        )


def _pair(truth, guess, classes):
    """Both as arrays of integers of one shape, or an error that says which is not."""
    truth, guess = np.asarray(truth), np.asarray(guess)
    if truth.shape != guess.shape:
        hint = ""
        if guess.shape == (*truth.shape, classes):
            hint = " These are scores for each class: take guess.argmax(-1) first."
        raise ValueError(f"truth has shape {truth.shape}, but guess has {guess.shape}.{hint}")
    for name, array in (("truth", truth), ("guess", guess)):
        if array.dtype.kind not in "iu":
            raise ValueError(f"{name} holds {array.dtype}, but class ids are integers.")
    # With other integers, numpy computes in floats for the sake of uint64.
    return tuple(x.astype(np.int64) if x.dtype == np.uint64 else x for x in (truth, guess))


def _check_range(name, ids, keep, classes):
    """Raise for the first kept id that is no class."""
    bad = keep & ((ids < 0) | (ids >= classes))
    if bad.any():
        place = np.unravel_index(bad.argmax(), bad.shape)
        value = ids[place]
        hint = f" Pass ignore={value} if it marks pixels to leave out." if name == "truth" else ""
        raise ValueError(
            f"{name} holds the id {value} in {np.count_nonzero(bad & (ids == value))} places, the first at "
            f"{tuple(map(int, place))}, but the {classes} classes have ids 0 to {classes - 1}."
            f"{hint}"
        )


def _parts(cm):
    """Hits, true pixels and guessed pixels of each class, float64."""
    cm = np.asarray(cm, dtype=np.float64)
    if cm.ndim != 2 or cm.shape[0] != cm.shape[1]:
        raise ValueError(
            f"A confusion matrix is square, (classes, classes), but this array has {cm.shape}."
        )
    return cm.diagonal(), cm.sum(axis=1), cm.sum(axis=0)


def _ratio(part, whole):
    """``part / whole``, nan where both are 0, without numpy's warning."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.true_divide(part, whole)


def _mean_of_present(scores, cm):
    _, true, _ = _parts(cm)
    return _nanmean(np.where(true > 0, scores, np.nan))


def _nanmean(scores):
    return float(_ratio(np.nansum(scores), np.count_nonzero(~np.isnan(scores))))


def _boundary(mask):
    """Where a pixel has a 4-neighbour of another class."""
    edge = np.zeros(mask.shape, bool)
    down, right = mask[1:] != mask[:-1], mask[:, 1:] != mask[:, :-1]
    edge[1:] |= down
    edge[:-1] |= down
    edge[:, 1:] |= right
    edge[:, :-1] |= right
    return edge
