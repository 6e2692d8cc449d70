"""The plots of ``README.md``, made from the same results as its tables; :mod:`benchmarks.page` calls them."""

from pathlib import Path

import matplotlib
import numpy as np

from benchmarks import tables

FOLDER = Path(__file__).with_name("plots")
# Okabe and Ito's, which colour-blind readers can tell apart.
OURS, THEIRS, SPARE = "#0072B2", "#D55E00", "#999999"


def draw():
    """Write every plot, SVG, without what changes from run to run: a date, random ids."""
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    FOLDER.mkdir(exist_ok=True)
    settings = {"svg.hashsalt": "course", "svg.fonttype": "none", "font.size": 9}
    with matplotlib.rc_context(settings):
        for name, plot in PLOTS.items():
            figure, axes = plt.subplots(figsize=(7, 3.6), layout="constrained")
            plot(axes)
            figure.savefig(FOLDER / f"{name}.svg", metadata={"Date": None})
            plt.close(figure)


def accuracy(axes):
    """Mean IoU of every network and augmentation by its minutes; of several rates and runs, the best.

    Of one seed: few have been run with two, and the better of two would be no fair rival of one.
    """
    found = [row for row in tables.rows("accuracy-real-laptop") if row["seed"] == 0]
    best = {}
    for row in found:
        key = f"{row['network']}, {row['augment']}", row["minutes"]
        best[key] = max(best.get(key, 0), row["mIoU"])
    shortest = min(minutes for _, minutes in best)
    names = sorted(
        {name for name, _ in best},
        key=lambda name: max(s for (n, _), s in best.items() if n == name),
    )
    ours = {f"{r['network']}, {r['augment']}" for r in found if r["source"] == "the course"}
    top, ticks = 0, []
    for name in names:
        runs = sorted((minutes, score) for (n, minutes), score in best.items() if n == name)
        for i, (minutes, score) in enumerate(runs):
            color = OURS if name in ours else THEIRS
            alpha = 0.7 if minutes == shortest else 1
            bar = axes.barh(top + 0.4 * i, score, height=0.36, color=color, alpha=alpha)
            axes.bar_label(bar, [f"{tables.score(score)} · {minutes:g} min"], padding=3)
        ticks.append(top + 0.2 * (len(runs) - 1))
        top += 0.4 * len(runs) + 0.35
    axes.figure.set_figheight(1 + 0.45 * top)
    axes.set_yticks(ticks, names)
    axes.set_xlim(0, 1.35 * max(best.values()))
    axes.set_xlabel("mean IoU on 60 photographs, the best of its rates and runs (seed 0)")
    axes.set_title("From scratch on two cores: ours blue, others orange")


def recipe(axes):
    """Mean IoU of the base recipe and of each change, one dot a seed."""
    found = tables.rows("recipe-real-laptop")
    epochs = min(row["base's epochs"] for row in found)
    found = [row for row in found if row["base's epochs"] == epochs]
    middle = {}
    for row in found:
        middle.setdefault(tables.change_of(row), []).append(row["mIoU"])
    names = sorted(middle, key=lambda name: np.mean(middle[name]))
    for place, name in enumerate(names):
        color = OURS if name.startswith("base") else SPARE
        axes.plot(middle[name], [place] * len(middle[name]), "o", color=color)
    axes.figure.set_figheight(1 + 0.2 * len(names))
    (base,) = (row["mIoU"] for row in found if tables.change_of(row) == "base" and row["seed"] == 0)
    axes.axvline(base, color=OURS, linewidth=0.8)  # the changes have this seed
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel("mean IoU on 60 photographs")
    axes.set_title(f"One change at a time, each in the time of {epochs} epochs of the base")


def lessons(axes):
    """Wall time of each lesson under nbval's kernel."""
    found = tables.lessons()
    axes.barh([row["lesson"] for row in found], [row["seconds"] for row in found], color=OURS)
    axes.invert_yaxis()
    axes.set_xlabel("seconds, set-up of the kernel included")
    axes.set_title("Each lesson, smoke scale, synthetic scenes, two CPU cores")


PLOTS = {"accuracy": accuracy, "recipe": recipe, "lessons": lessons}
