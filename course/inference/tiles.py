"""Pictures too large for one pass: overlapping tiles, blended, in memory that height does not raise.

The overlap-tile strategy is that of Ronneberger, Fischer, Brox, *U-Net:
Convolutional Networks for Biomedical Image Segmentation*, MICCAI 2015
(arXiv:1505.04597), figure 2.
"""

import numpy as np

from course import environment
from course.inference.logits import logits_of, stride_of

# A multiple of every stride in the course: the output strides of FCN and U-Nets divide it.
STRIDE = 32


def predict_tiles(model, image, tile=512, overlap=128, rim=0, stride=STRIDE):
    """Label a picture of any size, tile by tile.

    Parameters
    ----------
    model : keras.Model or callable
        Pictures ``(n, height, width, 3)`` to logits ``(n, height, width,
        classes)``; a network without padding may answer for the middle alone.
    image : (height, width, 3) array
        RGB, 0 to 255. A memory-mapped one is read tile by tile.
    tile : int or (height, width)
        Pixels that go into `model` at once. A smaller picture is mirrored up
        to it.
    overlap : int
        Pixels that the answers of neighbouring tiles share. There, the one
        fades linearly into the other.
    rim : int
        Pixels of each answer that are thrown away where it meets another. With
        a rim as wide as the network's padding reaches, the result is that of
        one pass over the whole picture.
    stride : int
        Tiles start at multiples of it. It must be a multiple of the network's
        total stride, or a pool would group other pixels than in one pass.

    Returns
    -------
    (height, width) uint8 array of class ids

    Raises
    ------
    ValueError
        For a picture of another shape, tiles that do not fit together, and logits that are nan,
        coarser than the picture, or of more than 256 classes.
    """
    mask = np.empty(np.shape(image)[:2], np.uint8)
    for top, logits in _strips(model, image, tile, overlap, rim, stride):
        for row, line in enumerate(logits, top):  # argmax of all would copy the strip
            mask[row] = np.argmax(line, axis=-1)
    return mask


def strips(model, image, tile=512, overlap=128, rim=0, stride=STRIDE):
    """Logits of a picture of any size, finished strip by finished strip from top to bottom.

    One row of tiles is in memory at a time, and the strip that is handed out: for
    24 classes and tiles of 512, 300 and 220 MB where the logits of a whole
    6000×4000 picture take 2.3 GB. Parameters and errors are
    :func:`predict_tiles`'s; errors come when the first strip is asked for.

    Yields
    ------
    top : int
        The strip's first row in the picture.
    logits : (rows, width, classes) float32 array
    """
    for top, logits in _strips(model, image, tile, overlap, rim, stride):
        yield top, logits.copy()


def _strips(model, image, tile, overlap, rim, stride):
    """As :func:`strips`, but each strip's logits are overwritten when the next is asked for."""
    image = np.asanyarray(image)
    if image.ndim != 3 or image.shape[-1] != 3:
        raise ValueError(
            f"Tiles are cut from one picture (height, width, 3); this has {image.shape}. For "
            "several small ones use course.inference.predict."
        )
    tile = (tile, tile) if np.ndim(tile) == 0 else tuple(tile)
    # Only an answer tells its size: the first tile's, which is its answer too where nothing is lost.
    known = {(0, 0): _logits(model, image, (0, 0), tile)}
    answer, classes = _answer(known[0, 0].shape, tile)
    downs, acrosses = (
        windows(length, size, overlap, rim, stride)
        for length, size in zip(image.shape[:2], answer, strict=True)
    )
    lost = np.subtract(tile, answer) // 2
    height, width = image.shape[:2]
    buffer = np.zeros((answer[0], acrosses[-1][0] + answer[1], classes), np.float32)
    ends = [start for start, _ in downs[1:]] + [height]
    with environment.progress(total=len(downs) * len(acrosses), what="tiles") as bar:
        for (top, down), end in zip(downs, ends, strict=True):
            for left, across in acrosses:
                start = (top - lost[0], left - lost[1])
                logits = known.pop(start, None)
                if logits is None:
                    logits = _logits(model, image, start, tile)
                share = down[:, None, None] * across[:, None]
                buffer[:, left : left + answer[1]] += logits * share
                bar.update()
            done = end - top
            yield top, buffer[:done, :width]
            # What the next row of tiles shares with this one moves up; below it, all is new.
            buffer[: answer[0] - done] = buffer[done:].copy()
            buffer[answer[0] - done :] = 0


def windows(length, size, overlap, rim=0, stride=STRIDE):
    """Where tiles start along one side of a picture, and how much each counts at each pixel.

    A window is 0 on its rim, climbs in a line over the rest of the overlap,
    and is 1 between; at the picture's ends it stays 1, for there is no
    neighbour. At every pixel the windows sum to one.

    Parameters
    ----------
    length : int
        Of the picture's side in pixels.
    size : int
        Of a tile's answer.
    overlap, rim, stride : int
        As for :func:`predict_tiles`.

    Returns
    -------
    list of (start, window)
        A window is a ``(size,)`` float32 array. The last tile is moved back
        until it overhangs by less than a stride; a picture shorter than a tile
        has one, that overhangs.

    Raises
    ------
    ValueError
        If windows of these sizes leave gaps, or start off the stride.
    """
    _check(size, overlap, rim, stride)
    last = max(0, -(-(length - size) // stride) * stride)
    starts = [*range(0, last, size - overlap), last]
    ramp = np.arange(1, overlap - 2 * rim + 1) / (overlap - 2 * rim + 1)
    rise = np.concatenate([np.zeros(rim), ramp, np.ones(size - rim - len(ramp))])
    shares = []
    total = np.zeros(last + size)
    for start in starts:
        share = np.ones(size)
        if start > 0:
            share = np.minimum(share, rise)
        if start < last:
            share = np.minimum(share, rise[::-1])
        shares.append(share)
        total[start : start + size] += share
    # Two ramps sum to one already; where the last tile was moved back, more than two may meet.
    return [
        (start, (share / total[start : start + size]).astype(np.float32))
        for start, share in zip(starts, shares, strict=True)
    ]


def _check(size, overlap, rim, stride):
    if not 0 <= overlap < size:
        raise ValueError(
            f"Tiles that answer for {size} pixels cannot overlap by {overlap}: take 0 to {size - 1}."
        )
    if not 0 <= 2 * rim <= overlap:
        raise ValueError(
            f"A rim of {rim} on both sides of a seam needs an overlap of at least {2 * rim} "
            f"pixels, not {overlap}: nobody would answer for what lies between."
        )
    if over := (size - overlap) % stride:
        fit = overlap + over
        raise ValueError(
            f"Tiles that answer for {size} pixels and overlap by {overlap} would start every "
            f"{size - overlap}, which is no multiple of the stride {stride}: a pool would group other "
            f"pixels than in one pass. {f'Overlap by {fit}' if fit < size else 'Take larger tiles'}, "
            "or name the network's own stride if it is smaller."
        )


def _answer(shape, tile):
    """Height, width and number of classes of the logits of a tile, by their shape."""
    *answer, classes = shape
    if any(n > t or (t - n) % 2 for n, t in zip(answer, tile, strict=True)):
        raise ValueError(
            f"For a tile of {tile} the network answers {tuple(answer)}: neither the whole tile nor "
            "its middle."
        )
    if stride := stride_of(tile, answer):
        raise ValueError(
            f"For a tile of {tile} the network answers {tuple(answer)}, one score every {stride} pixels, it "
            f"seems. Enlarge its last map to the picture: course.layers.upsample(classes, {stride}). If it "
            "has no padding and answers for the middle, take tiles of another size."
        )
    return answer, classes


def _logits(model, image, start, tile):
    """Logits of the tile that begins at `start`."""
    return logits_of(model, _cut(image, start, tile)[None])[0]


def _cut(image, start, size):
    """The window of `size` that begins at `start`; what lies outside of the picture is mirrored."""
    rows, columns = (
        _mirrored(np.arange(first, first + count), length)
        for first, count, length in zip(start, size, image.shape, strict=False)
    )
    top, left = rows.min(), columns.min()
    # A slice first: of a memory-mapped picture it reads no more than the tile.
    part = image[top : rows.max() + 1, left : columns.max() + 1]
    return part[np.ix_(rows - top, columns - left)]


def _mirrored(places, length):
    """Places on a line that may lie before or behind it, reflected into it: … 2 1 0 1 2 … n−1 n−2 …"""
    period = max(1, 2 * (length - 1))
    steps = places % period
    return np.minimum(steps, period - steps)
