"""A fully connected CRF: all pixels of a picture vote on each other's labels.

Krähenbühl, Koltun, *Efficient Inference in Fully Connected CRFs with Gaussian
Edge Potentials*, NeurIPS 2011 (arXiv:1210.5644), as DeepLab v1 uses it. A
labelling x of a picture has the energy ::

    E(x) = Σᵢ uᵢ(xᵢ) + Σ_{i<j} kᵢⱼ [xᵢ ≠ xⱼ]

The unary u is −log of the network's probability. By the Potts term each pair of
pixels pays kᵢⱼ if their labels differ: much if they are near and of like colour
(the appearance kernel), or just near (the smoothness kernel). :func:`mean_field`
seeks independent distributions q, one a pixel, that together are close to
exp(−E); :func:`free_energy` is what it brings down.

The paper sums over the pairs on a permutohedral lattice, approximately. Here the
sums are exact, and only some of the pixels vote, to keep them affordable. All of
it is numpy, whatever the backend of the network.
"""

import numbers
from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from course.inference.logits import softmax
from course.inference.pictures import check_pictures

CHUNK = 256  # pixels that listen at a time


@dataclass(frozen=True)
class DenseCRF:
    """What a network says of a picture, revised by what its pixels say to each other.

    ``DenseCRF()(images, logits)`` gives probabilities.

    Parameters
    ----------
    theta_alpha, theta_beta : float
        Appearance kernel: standard deviations of the distance, in pixels, and
        of the difference in colour, in levels of 0 to 255.
    theta_gamma : float
        Smoothness kernel: standard deviation of the distance, in pixels.
    appearance, smoothness : float
        Weights of the kernels, 0 or more. The kernels are normalised (see
        :meth:`pairwise`): they mean the same at any size and stride.
    iterations : int
        Rounds of mean field, 1 or more.
    stride : int
        In every `stride`-th row every `stride`-th pixel votes; the last round
        is for all pixels. 1 is the exact model. With m voters, memory is
        8·m² bytes (61 MB for 43×64), and time grows with m² for each round
        but the last and with m·height·width for the last.
    ignore : int or tuple of int, optional
        Class ids that no pixel shall get.

    Raises
    ------
    ValueError
        If a θ is not above 0, a weight is below 0, or iterations or stride
        is not a whole number of 1 or more.
    """

    theta_alpha: float = 40.0
    theta_beta: float = 10.0
    theta_gamma: float = 3.0
    appearance: float = 10.0
    smoothness: float = 2.0
    iterations: int = 5
    stride: int = 3
    ignore: int | tuple[int, ...] | None = None

    def __post_init__(self):
        for name in ("theta_alpha", "theta_beta", "theta_gamma"):
            if not getattr(self, name) > 0:
                raise ValueError(
                    f"{name} is a standard deviation and must be above 0, not "
                    f"{getattr(self, name)}. To do without a kernel, set its weight (appearance or "
                    "smoothness) to 0."
                )
        for name in ("appearance", "smoothness"):
            if not getattr(self, name) >= 0:
                raise ValueError(
                    f"{name} is a weight and must be 0 or more, not {getattr(self, name)}."
                )
        for name in ("iterations", "stride"):
            value = getattr(self, name)
            if value < 1 or not isinstance(value, numbers.Integral):
                raise ValueError(f"{name} must be a whole number of 1 or more, not {value}.")

    def __call__(self, images, logits):
        """Probabilities of the classes at every pixel.

        Parameters
        ----------
        images : (n, height, width, 3) array, or one picture (height, width, 3)
            RGB, 0 to 255.
        logits : (n, height, width, classes) array, or (height, width, classes)
            The network's scores at the pictures' size; log-probabilities do
            as well.

        Returns
        -------
        Array of the logits' shape
            float64 for float64 logits, else float32. The argmax over the last
            axis is the mask.

        Raises
        ------
        ValueError
            If the shapes do not fit each other, a logit is not finite, `ignore` names no class or
            leaves none, or the picture is so small that at this stride no pixel votes.
        """
        images, logits = np.asarray(images), np.asarray(logits)
        _check(images, logits)
        revised = np.empty(logits.shape, "float64" if logits.dtype == "float64" else "float32")
        if images.ndim == 3:
            revised[...] = self._revise(images, logits.astype(revised.dtype))
        else:
            for row, (image, scores) in enumerate(zip(images, logits, strict=True)):
                revised[row] = self._revise(image, scores.astype(revised.dtype))
        return revised

    def pairwise(self, image):
        """The cost kᵢⱼ of different labels, for every pair of pixels of a small picture.

        Each kernel is divided by the square roots of both pixels' row sums
        (Krähenbühl, Koltun, ICML 2013). Its rows then sum to about its weight,
        and what a pixel hears does not depend on how many others are like it.

        Parameters
        ----------
        image : (height, width, 3) array
            RGB, 0 to 255.

        Returns
        -------
        (height·width, height·width) float64 array
            Symmetric, with zeros on the diagonal: a pixel is no pair. It takes
            16 bytes a pair to compute: 190 MB for 48×72 pixels.
        """
        image = np.asarray(image)
        everyone = np.arange(image.shape[0] * image.shape[1])
        return _added(self._kernels(image, everyone, np.float64))

    # On a busy machine, threads that wait for each other in many small products cost ten times what
    # they save.
    @threadpool_limits.wrap(limits=1, user_api="blas")
    def _revise(self, image, logits):
        height, width, classes = logits.shape
        unary = unary_energy(logits, self.ignore).reshape(-1, classes)
        pixels, first = np.arange(height * width).reshape(height, width), self.stride // 2
        voters = pixels[first :: self.stride, first :: self.stride].ravel()
        if not len(voters):
            raise ValueError(
                f"In a picture of {height}×{width} no pixel votes at a stride of {self.stride}. "
                "Choose a smaller stride."
            )
        kernels = self._kernels(image, voters, unary.dtype)
        q = mean_field(unary[voters], _added(kernels), self.iterations - 1)
        q = softmax(sum(kernel.heard_by_all(q) for kernel in kernels) - unary)
        return q.reshape(logits.shape)

    def _kernels(self, image, voters, dtype):
        # Around their means, so that their differences lose no digits.
        places = np.indices(image.shape[:2]).reshape(2, -1).T
        places, colours = (x - x.mean(axis=0) for x in (places, image.reshape(-1, 3)))
        alike = np.hstack([places / self.theta_alpha, colours / self.theta_beta])
        kinds = [(alike, self.appearance), (places / self.theta_gamma, self.smoothness)]
        kinds = [kind for kind in kinds if kind[1]] or kinds[:1]  # one must be there to be added
        return [_Kernel(features.astype(dtype), voters, weight) for features, weight in kinds]


def unary_energy(logits, ignore=None):
    """−log softmax of logits (…, classes) over the last axis; infinite for the class ids in `ignore`.

    Same shape and dtype. Raises a ValueError where `ignore` names no class, or leaves none.
    """
    logits = np.array(logits)
    if ignore is not None:
        ids, classes = np.atleast_1d(ignore), logits.shape[-1]
        if not np.isin(ids, np.arange(classes)).all():
            raise ValueError(f"ignore is {ignore}, but the logits have classes 0 to {classes - 1}.")
        logits[..., ids] = -np.inf
        if np.isneginf(logits).all():
            raise ValueError(f"ignore is {ignore}, which leaves no class for any pixel.")
    logits -= logits.max(axis=-1, keepdims=True)
    return np.log(np.exp(logits).sum(axis=-1, keepdims=True)) - logits


def mean_field(unary, kernel, iterations):
    """Distributions q, one a pixel, after so many rounds in which all pixels hear all others.

    Starts from the unary alone. In a round, a pixel adds up the distributions
    of the others, each times the pair's cost, and takes the softmax of that
    sum minus its unary. All do so at once.

    Parameters
    ----------
    unary : (pixels, classes) array
    kernel : (pixels, pixels) array
        As from :meth:`DenseCRF.pairwise`.
    iterations : int
        0 gives the softmax of −unary.

    Returns
    -------
    (pixels, classes) array
    """
    q = softmax(-unary)
    for _ in range(iterations):
        q = softmax(kernel @ q - unary)
    return q


def free_energy(q, unary, kernel):
    """Mean energy of labellings drawn from `q`, less q's entropy: what mean field brings down.

    It differs from the Kullback-Leibler divergence of q from exp(−E) by a
    constant, and is lowest where q is closest. Updating one pixel after
    another cannot raise it. Updating all at once cannot either, if the kernel
    has no eigenvalue below −2: for normalised Gaussian kernels, if the
    diagonal that :meth:`DenseCRF.pairwise` sets to zero was at most 2 before.
    A pixel whose colour hardly any other shares may exceed that.
    """
    differ = kernel.sum() - np.sum(q * (kernel @ q))  # Σᵢⱼ kᵢⱼ (1 − qᵢ·qⱼ), each pair twice
    known = q > 0
    return float(np.sum(q[known] * (unary[known] + np.log(q[known]))) + differ / 2)


class _Kernel:
    """One Gaussian kernel among voters, and from them to all pixels.

    features   (pixels, dimensions), already divided by the θs
    voters     numbers of the pixels that vote
    """

    def __init__(self, features, voters, weight):
        self.features, self.voters, self.weight = features, voters, weight
        matrix = _gaussian(features[voters], features[voters])
        self.scale = 1 / np.sqrt(matrix.sum(axis=1, keepdims=True))
        matrix *= weight * self.scale
        matrix *= self.scale.T
        np.fill_diagonal(matrix, 0)
        self.matrix = matrix

    def heard_by_all(self, q):
        """(pixels, classes): what every pixel hears if voters have the distributions `q`."""
        heard = np.empty((len(self.features), q.shape[1]), q.dtype)
        votes = self.weight * self.scale * q
        with_count = np.hstack([votes, np.ones_like(self.scale)])
        for start in range(0, len(heard), CHUNK):
            rows = slice(start, start + CHUNK)
            sums = _gaussian(self.features[rows], self.features[self.voters]) @ with_count
            total = np.maximum(sums[:, -1:], np.finfo(q.dtype).tiny)
            heard[rows] = sums[:, :-1] / np.sqrt(total)
        heard[self.voters] -= self.scale * votes  # nobody hears itself
        return heard


def _added(kernels):
    """The sum of their matrices, in the place of the first one's: each takes hundreds of megabytes."""
    first, *others = (kernel.matrix for kernel in kernels)
    for other in others:
        first += other
    return first


def _gaussian(a, b):
    """exp(−|a − b|² / 2) of all pairs of rows."""
    # As a·b − |a|²/2 − |b|²/2, in one product.
    ones_a, ones_b = np.ones_like(a[:, :1]), np.ones_like(b[:, :1])
    half_a, half_b = (-np.sum(x**2, axis=1, keepdims=True) / 2 for x in (a, b))
    exponent = np.hstack([a, half_a, ones_a]) @ np.hstack([b, ones_b, half_b]).T
    return np.exp(exponent, out=exponent)


def _check(images, logits):
    check_pictures(images)
    if logits.ndim != images.ndim or logits.shape[:-1] != images.shape[:-1]:
        expected = ", ".join(map(str, images.shape[:-1]))
        raise ValueError(
            f"Logits for pictures of shape {images.shape} have shape ({expected}, classes), but "
            f"these have {logits.shape}. Enlarge them to the pictures' size, and give scores, not "
            "class ids."
        )
    if not np.isfinite(logits).all():
        raise ValueError(
            "The logits hold nan or infinite values. To rule a class out, name it with ignore."
        )
