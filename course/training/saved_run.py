"""Save the state of a training in a folder, and resume an interrupted training from it."""

import contextlib
import json
import os
import shutil
import zlib
from pathlib import Path

from course.losses.pixels import ignored_ids
from course.training.history import History
from course.training.random_states import get_random_states, set_random_states


def describe(model, batches, validation, epochs, learning_rate, schedule, loss, ignore):
    """Return what tells one run from another: a dict of named values, in types that JSON holds."""
    train, checks = batches.samples, () if validation is None else validation.names
    settings = loss.get_config() if hasattr(loss, "get_config") else 0
    return {
        "epochs": int(epochs),  # which may be numpy's, as may others: JSON takes none
        "pictures": len(train),
        "pictures' size": list(train.images.shape[1:3]),
        "pictures' names": _fingerprint(train.names),
        "validation pictures": len(checks),
        "validation pictures' names": _fingerprint(checks),
        "batch size": int(batches.batch_size),
        "learning rate": float(learning_rate),
        "schedule": getattr(schedule, "__name__", str(schedule)),
        "loss": getattr(loss, "name", str(loss)),
        "settings of the loss": _fingerprint(settings),
        "ignored ids": sorted(set(ignored_ids(ignore))),
        "seed": int(batches.seed),
        "parameters": model.count_params(),
    }


def _fingerprint(content):
    """Eight digits that tell one content from another, for what is too long to be shown."""
    return f"{zlib.crc32(json.dumps(content, default=str, sort_keys=True).encode()):08x}"


class SavedRun:
    """One run in one folder.

    There lie ``history.json``, which names the run and its curves, and the
    weights, with the optimizer's state, after the last and the best epoch.

    Parameters
    ----------
    folder : path
        Made when there is something to save.
    run : dict
        As :func:`describe` makes it: the state of one that differs is not taken up.
    """

    def __init__(self, folder, run):
        self.folder, self.run = Path(folder).expanduser(), run

    def load(self, model):
        """Leave `model` as it was after the last epoch saved.

        Returns
        -------
        (History, list of arrays), or None
            What was reported until then, and the best weights; None where nothing was saved.

        Raises
        ------
        ValueError
            If the folder holds another run, or a state that cannot be read.
        """
        note = self.folder / "history.json"
        if not note.exists():
            return None
        try:
            saved = json.loads(note.read_text())
            if saved["run"] == self.run:
                return self._load(model, saved)
            differences = [
                f"{name} {saved['run'].get(name, 'not known')} there, {here} here"
                for name, here in self.run.items()
                if saved["run"].get(name, "not known") != here
            ]
        except (OSError, LookupError, TypeError, ValueError, AttributeError) as error:
            raise ValueError(
                f"The state of training in {self.folder} cannot be read: {error}\n"
                "Delete this folder to start over, or name another."
            ) from error
        raise ValueError(
            f"{self.folder} holds another run: {'; '.join(differences)}. "
            "Name another folder, or delete this one."
        )

    def _load(self, model, saved):
        history = History(saved["curves"], saved["seconds"])
        with _without_loss_scale(model):
            model.load_weights(self._file("best", history.best_epoch))
            best = model.get_weights()
            model.load_weights(self._file("last", len(history)))
        set_random_states(model, saved["random"])
        return history, best

    def save(self, model, history):
        """Write new files, then the note that names them, then drop the old: no moment without a state."""
        self.folder.mkdir(parents=True, exist_ok=True)
        last = self._file("last", len(history))
        best = self._file("best", history.best_epoch)
        with _without_loss_scale(model):
            model.save_weights(last)
        if history.best_epoch == len(history):
            shutil.copyfile(last, best)
        note = {
            "run": self.run,
            "curves": history.curves,
            "seconds": history.seconds,
            "random": get_random_states(model),
        }
        aside = self.folder / "history.json.new"
        aside.write_text(json.dumps(note, indent=1))
        os.replace(aside, self.folder / "history.json")
        for kind, current in (("last", last), ("best", best)):
            # Our numbered files only: what else lies in the folder is the student's.
            for old in self.folder.glob(f"{kind}-[0-9]*.weights.h5"):
                if old != current:
                    old.unlink()

    def _file(self, kind, epoch):
        return self.folder / f"{kind}-{epoch}.weights.h5"


@contextlib.contextmanager
def _without_loss_scale(model):
    """Leave out of what is saved the factor that training in float16 puts before the loss.

    So a run that stopped on one GPU goes on where another precision is chosen.
    """
    optimizer = model.optimizer
    model.optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    try:
        yield
    finally:
        model.optimizer = optimizer
