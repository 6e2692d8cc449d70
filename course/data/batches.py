"""Batches of pictures and masks for Keras."""

import keras
import numpy as np


class Batches(keras.utils.PyDataset):
    """Feed :class:`~course.data.cache.Samples` to ``model.fit``, ``evaluate`` and ``predict``.

    A batch is ``(images, masks)``: ``(batch, height, width, 3)`` and
    ``(batch, height, width)``, both uint8. Models scale the pictures
    themselves; masks stay class ids.

    Parameters
    ----------
    samples : Samples
    batch_size : int
    augment : callable(image, mask, rng) -> (image, mask), optional
        For example :class:`~course.data.augment.Augmentation`.
    shuffle : bool
        Draw a new order each epoch, and leave out the last, smaller batch
        (every backend then compiles one step, not two).
    seed : int
        With the same seed, epoch e and batch i are the same on every machine,
        however many workers fetch them.
    workers : int
        Threads that prepare batches while the device computes.
    """

    def __init__(self, samples, batch_size=8, augment=None, shuffle=False, seed=0, workers=2):
        if len(samples) == 0:
            raise ValueError("There are no pictures in these samples, so there are no batches.")
        super().__init__(workers=workers, max_queue_size=8)
        self.samples, self.augment, self.shuffle, self.seed = samples, augment, shuffle, seed
        self.batch_size = min(batch_size, len(samples))
        self.epoch = 0

    def __len__(self):
        whole, rest = divmod(len(self.samples), self.batch_size)
        return whole + (rest > 0 and not self.shuffle)

    def __getitem__(self, index):
        # Chance comes from (seed, epoch, index), never from who asks first.
        rows = self._order()[index * self.batch_size : (index + 1) * self.batch_size]
        if self.augment is None:
            return self.samples.images[rows], self.samples.masks[rows]
        rng = np.random.default_rng([self.seed, self.epoch, 1, index])
        pairs = [self.augment(*self.samples[row], rng) for row in rows]
        images, masks = zip(*pairs, strict=True)
        return np.stack(images), np.stack(masks)

    def _order(self):
        order = np.arange(len(self.samples))
        if self.shuffle:
            np.random.default_rng([self.seed, self.epoch, 0]).shuffle(order)
        return order

    def on_epoch_end(self):
        self.epoch += 1
