"""Between the steps: show progress, keep the best weights, save the state."""

import time

import keras
import numpy as np

from course import environment
from course.training.history import History
from course.training.random_states import get_random_states
from course.training.saved_run import SavedRun


class Keeper(keras.callbacks.Callback):
    """Shows progress, keeps the history and the best weights, and saves the state each epoch.

    Parameters
    ----------
    model : keras.Model
        Compiled, before its first step.
    batches : course.data.Batches
    run : dict
        As :func:`course.training.saved_run.describe` makes it.
    folder : path or None
        Where the state is saved; None for nowhere.

    Attributes
    ----------
    history : History
    best : list of arrays
        The weights of the best epoch so far.
    lost : float or None
        The loss that was no number, and ended the training.
    random : list
        Where dropout stood before the first step.
    """

    def __init__(self, model, batches, run, folder):
        super().__init__()
        self.batches, self.epochs = batches, run["epochs"]
        self.saved = SavedRun(folder, run) if folder else None
        self.history, self.best, self.lost = History(), model.get_weights(), None
        self.random = get_random_states(model)
        self.started = time.monotonic()
        self.bar = environment.progress(total=self.epochs * len(batches), what="training")

    @property
    def kept(self):
        """Which weights the model is left with, in words."""
        best = self.history.best_epoch
        return (
            f"the weights of epoch {best}, the best, are kept"
            if best
            else "the weights are as before"
        )

    def resume(self, model):
        """Take up the run saved in the folder, if there is one."""
        found = self.saved and self.saved.load(model)
        if not found:
            return
        self.history, self.best = found
        done = len(self.history)
        self.started -= self.history.seconds
        self.batches.epoch = done
        self.bar.update(done * len(self.batches))
        if done < self.epochs:
            print(f"Taking up the run in {self.saved.folder} after epoch {done} of {self.epochs}.")
        else:
            print(f"The run in {self.saved.folder} is finished: its best weights are loaded.")

    def on_train_batch_end(self, batch, logs=None):
        self.bar.update()

    def on_epoch_end(self, epoch, logs=None):
        logs = {name: float(value) for name, value in (logs or {}).items()}
        if not np.isfinite(logs["loss"]):
            self.lost = logs["loss"]
            self.model.stop_training = True
            return
        for name, value in logs.items():
            self.history.curves.setdefault(name, []).append(value)
        self.history.seconds = time.monotonic() - self.started
        self.bar.set_postfix({name: f"{value:.3f}" for name, value in logs.items()})
        if self.history.best_epoch == len(self.history):
            self.best = self.model.get_weights()
        if self.saved:
            self.saved.save(self.model, self.history)
