"""Batches of pictures and masks for Keras."""

import threading
from concurrent.futures import ThreadPoolExecutor

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
        Pictures a batch, at most as many as there are samples.
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

    Raises
    ------
    ValueError
        If there is no sample, or `batch_size` is below 1.
    """

    def __init__(self, samples, batch_size=8, augment=None, shuffle=False, seed=0, workers=2):
        if len(samples) == 0:
            raise ValueError("There are no pictures in these samples, so there are no batches.")
        if batch_size < 1:
            raise ValueError(f"batch_size is {batch_size}, but a batch holds at least one picture.")
        # Not Keras's own workers: their queue hands batches that were fetched before a reset on
        # to the next epoch, so what is trained on would depend on timing (JAX, PyTorch), and
        # stopping it costs a tenth of a second each epoch.
        super().__init__(workers=1)
        self.samples, self.augment, self.shuffle, self.seed = samples, augment, shuffle, seed
        self.batch_size = min(batch_size, len(samples))
        self.epoch = 0
        self._pool, self._lead = ThreadPoolExecutor(workers), 2 * workers
        self._coming, self._lock = {}, threading.Lock()

    def __len__(self):
        whole, rest = divmod(len(self.samples), self.batch_size)
        return whole + (rest > 0 and not self.shuffle)

    def __getitem__(self, index):
        if not 0 <= index < len(self):
            raise IndexError(f"There is no batch {index}; they are numbered 0 to {len(self) - 1}.")
        with self._lock:
            for i in range(index, min(index + 1 + self._lead, len(self))):
                if i not in self._coming:
                    self._coming[i] = self._pool.submit(self._batch, self.epoch, i)
            batch = self._coming.pop(index)
        return batch.result()

    def on_epoch_end(self):
        with self._lock:
            self.epoch += 1
            for batch in self._coming.values():
                batch.cancel()
            self._coming.clear()

    def _batch(self, epoch, index):
        # Chance comes from (seed, epoch, index), never from who asks first.
        rows = self._order(epoch)[index * self.batch_size : (index + 1) * self.batch_size]
        if self.augment is None:
            return self.samples.images[rows], self.samples.masks[rows]
        rng = np.random.default_rng([self.seed, epoch, 1, index])
        pairs = [self.augment(*self.samples[row], rng) for row in rows]
        images, masks = zip(*pairs, strict=True)
        return np.stack(images), np.stack(masks)

    def _order(self, epoch):
        order = np.arange(len(self.samples))
        if self.shuffle:
            np.random.default_rng([self.seed, epoch, 0]).shuffle(order)
        return order
