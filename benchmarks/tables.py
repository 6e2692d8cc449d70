"""The tables of ``README.md``, each made from the results: a name there, a function here."""

import json
import statistics

from benchmarks.results import RESULTS

TABLES = {}


def table(name):
    """Let a function that returns Markdown be the table called `name`."""

    def register(function):
        TABLES[name] = function
        return function

    return register


def stored(name):
    """All that one results file holds."""
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))


def rows(name, **wanted):
    """The rows of a results file that have these values."""
    return [r for r in stored(name)["rows"] if all(r[k] == v for k, v in wanted.items())]


def values(found, *path):
    """What the rows hold under the keys `path`, one in the other."""
    for key in path:
        found = [row[key] for row in found]
    return found


def score(value, digits=3):
    """``.123``; ``-.123``; ``1.000``."""
    text = f"{value:.{digits}f}"
    return text.replace("0.", ".", 1) if abs(float(text)) < 1 else text


def spread(found, digits=3):
    """``.123`` where all agree, else lowest and highest."""
    low, high = score(min(found), digits), score(max(found), digits)
    return low if low == high else f"{low} to {high}"


def mean(found):
    """The mean, with lowest and highest behind it where they differ."""
    middle, around = score(statistics.fmean(found)), spread(found)
    return middle if around == middle else f"{middle} ({around})"


def markdown(head, lines):
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *lines]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


@table("before deep learning")
def classical():
    methods = dict.fromkeys(values(rows("classical-synthetic-smoke"), "method"))
    lines = []
    for method in methods:
        found = [rows(f"classical-{data}-smoke", method=method) for data in ("synthetic", "real")]
        line = [spread(values(some, key)) for some in found for key in ("mIoU", "accuracy")]
        lines.append([method, *line])
    return markdown(["method", "mIoU, scenes", "accuracy", "mIoU, photographs", "accuracy"], lines)


@table("patches")
def patches():
    return markdown(
        [
            "seed",
            "mIoU",
            "accuracy",
            "mIoU with shares",
            "accuracy",
            "times faster",
            "gradient, plain",
            "with shortcuts",
        ],
        [
            [row["seed"]]
            + [
                score(row[way][k])
                for way in ("as trained", "with shares")
                for k in ("mIoU", "accuracy")
            ]
            + [round(row["times faster"]), round(row["gradient ratio, plain"])]
            + [round(row["gradient ratio, shortcuts"], 1)]
            for row in rows("patches-synthetic-smoke")
        ],
    )


def by_seed(name, key, kinds, scores, **wanted):
    """A line a seed, a column a score of each kind; `kinds` maps what `key` holds to its title."""
    found, head = rows(name, **wanted), []
    for text in scores:
        first, *others = kinds.values()
        head += [f"{text} {first}", *others]
    lines = []
    for seed in sorted(set(values(found, "seed"))):
        of = {row[key]: row for row in found if row["seed"] == seed}
        lines.append([seed, *(score(of[kind][text]) for text in scores for kind in kinds)])
    return markdown(["seed", *head], lines)


@table("fcn over seeds")
def fcn():
    kinds = {32: "32s", 16: "16s", 8: "8s"}
    return by_seed("fcn-synthetic-smoke", "stride", kinds, ["mIoU", "boundary F"])


@table("checkerboard")
def checkerboard():
    kernels = {
        "transposed, kernel 3": "k3",
        "transposed, kernel 4": "k4",
        "resize-convolution": "rc",
    }
    times = {
        "random": "random",
        "random, positive": "0 to 1:",
        "step 30": "30 steps:",
        "step 200": "200 steps:",
    }
    head = [
        f"{title} {short}" if short == "k3" else short
        for title in times.values()
        for short in kernels.values()
    ]
    lines = []
    for row in rows("upsampling-synthetic"):
        of = row["checkerboard"]
        scores = (score(of[time][kernel]) for time in times for kernel in kernels)
        lines.append([row["seed"], *scores])
    return markdown(["seed", *head], lines)


@table("unet over seeds")
def unet():
    kinds = {kind: kind for kind in ("U-Net", "no skips", "FCN-8s", "FCN-32s")}
    scores = ["mIoU", "boundary F", "boundary F, smoothed"]
    return by_seed("unet-synthetic-smoke", "model", kinds, scores, epochs=6)


@table("fcn on photographs")
def fcn_real():
    keys = ["mIoU", "fwIoU", "accuracy", "boundary F"]
    found = rows("fcn-real-laptop")
    lines = [[f"FCN-{row['stride']}s", *(score(row[k]) for k in keys)] for row in found]
    return markdown(["", *keys], lines)


@table("unet on photographs")
def unet_real():
    keys = ["mIoU", "fwIoU", "accuracy", "boundary F", "rare IoU"]
    return markdown(
        ["", "parameters", *keys, "seconds"],
        [
            [row["model"], f"{row['parameters']:,}", *(score(row[k]) for k in keys), row["seconds"]]
            for row in rows("unet-real-laptop", epochs=14)
        ],
    )


@table("imbalance")
def imbalance():
    keys = ["accuracy", "class accuracy", "mIoU", "rare IoU"]
    found = rows("imbalance-synthetic-smoke")
    lines = []
    for way in dict.fromkeys(values(found, "way")):
        some = [row for row in found if row["way"] == way]
        lines.append([way, *(mean(values(some, key)) for key in keys)])
    return markdown(["", "pixel accuracy", *keys[1:]], lines)


@table("crf")
def crf():
    keys = ["mIoU", "accuracy", "boundary F"]
    return markdown(
        ["seed", *(title for key in keys for title in (f"{key} v1", "with CRF"))],
        [
            [row["seed"], *(score(row[t][key]) for key in keys for t in ("before", "after"))]
            for row in rows("crf-synthetic-smoke")
        ],
    )


@table("deeplab")
def deeplab():
    found = rows("deeplab-synthetic-smoke", epochs=12)
    ways = [("v3", 16), ("v3", 8), ("v3+", 16), ("v3+", 8)]
    titles = ["V3 at 16", "at 8", "V3+ at 16", "at 8"]
    lines = []
    for seed in sorted(set(values(found, "seed"))):
        of = {(r["model"], r["output stride"]): r for r in found if r["seed"] == seed}
        lines.append([seed, *(score(of[w][key]) for key in ("mIoU", "boundary F") for w in ways)])
    return markdown(
        ["seed", f"mIoU {titles[0]}", *titles[1:], f"boundary F {titles[0]}", *titles[1:]], lines
    )


@table("pyramids")
def pyramids():
    keys, lines = ("mIoU", "accuracy", "boundary F"), []
    for model in ("rates 2, 4, 6", "rates 6, 12, 18", "no windows"):
        for stride in (16, 8):
            wanted = {"model": model, "output stride": stride}
            found = rows("deeplab-pyramids-synthetic-smoke", **wanted)
            scores = (mean(values(found, key)) for key in keys)
            lines.append([model, stride, f"{found[0]['parameters']:,}", len(found), *scores])
    return markdown(["V3 with", "output stride", "parameters", "seeds", *keys], lines)


@table("crf, other networks")
def crf_networks():
    keys, lines = ("mIoU", "accuracy", "boundary F"), []
    for network in ("v1", "v1, strided", "FCN-8s"):
        found = rows("crf-networks-synthetic-smoke", network=network)
        for when, title in (("before", network), ("after", "with CRF")):
            scores = (mean(values(found, when, key)) for key in keys)
            lines.append([title, len(found), *scores])
    return markdown(["", "seeds", *keys], lines)


@table("transfer, equal steps")
def transfer_equal_steps():
    """Twelve scenes and all of them, for 168 steps each: mean IoU, and the gain seed by seed."""
    scratch, tuned = "from scratch", "fine-tuned"
    lines = []
    for name, pictures in (("transfer-long", 12), ("transfer", 42)):
        found = {
            way: {
                row["seed"]: row["mIoU"]
                for row in rows(f"{name}-synthetic-smoke", pictures=pictures, method=way)
            }
            for way in (scratch, tuned)
        }
        gains = [found[tuned][seed] - found[scratch][seed] for seed in found[scratch]]
        scores = (mean(found[way].values()) for way in (scratch, tuned))
        lines.append([pictures, len(gains), *scores, mean(gains)])
    return markdown(["pictures", "seeds", scratch, tuned, "gain"], lines)


def transfer(data):
    found = rows(f"transfer-{data}-smoke")
    order = [
        "from scratch",
        "head only",
        "head only, all steps",
        "early stages frozen",
        "fine-tuned",
    ]
    order += ["fine-tuned, statistics kept", "all at once"]
    order += ["linear, random encoder", "linear, encoder", "linear, filters"]
    order += ["linear, encoder and filters", "forest, filters"]
    order += ["forest, encoder", "forest, encoder and filters"]
    keys = ["mIoU", "accuracy", "boundary F", "rare IoU"]
    lines = []
    for number in sorted(set(values(found, "pictures"))):
        for method in order:
            some = [r for r in found if (r["pictures"], r["method"]) == (number, method)]
            if some:
                learned = (
                    values(some, "training accuracy") if "training accuracy" in some[0] else []
                )
                line = [number, method, len(some), *(spread(values(some, key)) for key in keys)]
                lines.append([*line, spread(learned) if learned else ""])
    return markdown(["pictures", "", "seeds", *keys, "accuracy on its training pictures"], lines)


@table("transfer, scenes")
def transfer_scenes():
    return transfer("synthetic")


@table("transfer, photographs")
def transfer_photographs():
    return transfer("real")


RIVALS = ("FCN-8s", "U-Net", "DeepLabV3+")
FIRST, SECOND, EQUAL = "0.4 min", "0.4 min, second machine", "6 epochs"


@table("exercises")
def exercises():
    """Exercises: number, what was run, name of its file, rows wanted, the key of scores that lie one deeper."""
    six, twelve = {"epochs": 6}, {"epochs": 12, "output stride": 16}
    few = {"pictures": 12}
    runs = [
        ("05.3", "windows of equal shares, corrected", "patches", {}, "with shares"),
        ("", "windows as the pixels are", "patches-at-random", {}, "as trained"),
        ("06.3", "FCN-32s, 24 epochs", "fcn-start", {"model": "FCN-32s, twice"}),
        ("", "FCN-32s, 12 from an FCN-8s of 12", "fcn-start", {"model": "FCN-8s, then 32s"}),
        ("08.3", "U-Net, tiles of 64 that touch", "unet-seams", {"overlap": 0}),
        ("", "overlapping by 32", "unet-seams", {"overlap": 32}),
        ("08.4", "U-Net", "unet", {"model": "U-Net", **six}),
        ("", "no skips", "unet", {"model": "no skips", **six}),
        ("", "U-Net, bilinear", "unet-bilinear", {"model": "U-Net, bilinear", **six}),
        ("", "no skips, bilinear", "unet-bilinear", {"model": "no skips, bilinear", **six}),
        ("10.4", "CRF, θβ 3", "crf-colours", {"theta_beta": 3}, "after"),
        ("", "θβ 10", "crf-colours", {"theta_beta": 10}, "after"),
        ("", "θβ 200", "crf-colours", {"theta_beta": 200}, "after"),
        ("11.5", "V3", "deeplab", {"model": "v3", **twelve}),
        ("", "V3+", "deeplab", {"model": "v3+", **twelve}),
        ("", "V3+, full windows", "deeplab", {"model": "v3+, full", **twelve}),
        ("12.2", "head only, all steps", "transfer", {"method": "head only, all steps", **few}),
        ("", "early stages frozen", "transfer", {"method": "early stages frozen", **few}),
        ("", "all at once", "transfer", {"method": "all at once", **few}),
        ("13.4", "frames one by one", "deploy-flight", {"what": "each frame by itself"}),
        ("", "damped", "deploy-flight", {"what": "damped"}),
        ("13.5", "FCN-8s", "deploy-mobile", {"what": "FCN-8s"}),
        ("", "mobile U-Net", "deploy-mobile", {"what": "mobile U-Net"}),
    ]
    keys, lines = ("mIoU", "accuracy", "boundary F"), []
    for number, what, name, wanted, *of in runs:
        whole = rows(f"{name}-synthetic-smoke", **wanted)
        found = values(whole, *of)
        scores = [mean(values(found, key)) if key in found[0] else "" for key in keys]
        changed = mean(values(whole, "changed")) if "changed" in whole[0] else ""
        lines.append([number, what, len(found), *scores, changed])
    return markdown(["exercise", "", "seeds", *keys, "labels that change"], lines)


@table("deploy")
def deploy():
    lines = []
    for what in dict.fromkeys(values(rows("deploy-synthetic-smoke"), "what")):
        found = rows("deploy-synthetic-smoke", what=what)
        same = [row["same"] for row in found if row["same"] is not None]
        cuts = [row["edges at cuts"] for row in found if "edges at cuts" in row]
        lines.append(
            [
                what,
                mean(same) if same else "",
                mean(values(found, "mIoU")),
                mean(values(found, "boundary F")),
                f"{statistics.fmean(cuts):.1f}" if cuts else "",
            ]
        )
    head = ["predicted by", "labels as in one pass", "mIoU", "boundary F", "edges at cuts"]
    return markdown(head, lines)


@table("deploy, speed")
def deploy_speed():
    lines = []
    for row in rows("deploy-speed-synthetic-smoke"):
        size = f"{row['parameters']:,} parameters" if "parameters" in row else ""
        size = f"{row['bytes'] / 1000:,.0f} kB" if "bytes" in row else size
        lines.append([row["group"], row["what"], size, f"{row['times as fast']:.2f}"])
    return markdown(["", "", "size", "times as fast as the first"], lines)


@table("input")
def input_pipeline():
    lines = []
    for what, row in stored("input")["rows"].items():
        pairs = (("bare_ms", "cold_ms"), ("constant_ms", "pipeline_ms"))
        base, ours = next(pair for pair in pairs if pair[0] in row)
        lines.append(
            [what, f"{row[base]:.1f}", f"{row[ours]:.1f}", score(row["ratio"]), row["wanted"]]
        )
    return markdown(["", "bare or constant, ms", "ours, ms", "ratio", "wanted"], lines)


@table("showdown")
def showdown():
    head = ["machine", "", "parameters", "seconds a step", "epochs"]
    scores = ["mIoU", "boundary F", "boundary F, smoothed", "accuracy"]
    costs = ["ms a picture", "MB a picture", "MB a step"]
    lines = []
    for machine, budget in (("first", FIRST), ("second", SECOND)):
        for model in RIVALS:
            some = rows("showdown-synthetic-smoke", budget=budget, model=model)
            line = [machine, model, f"{some[0]['parameters']:,}"]
            line += [score(some[0]["seconds a step"]), spread(values(some, "epochs"), 0)]
            line += [mean(values(some, key)) for key in scores]
            lines.append(line + [round(some[0][key], 1) for key in costs])
    return markdown([*head, *scores, *costs], lines)


@table("showdown over seeds")
def showdown_seeds():
    shown = [
        ("mIoU", FIRST, "first"),
        ("boundary F", FIRST, "first"),
        ("mIoU", SECOND, "second"),
        ("boundary F", SECOND, "second"),
        ("mIoU", EQUAL, "6 epochs"),
    ]
    head, lines = ["seed"], []
    for text, _, title in shown:
        head += [f"{text}, {title}: {RIVALS[0]}", *RIVALS[1:]]
    found = rows("showdown-synthetic-smoke")
    for seed in sorted(set(values(found, "seed"))):
        of = {(r["model"], r["budget"]): r for r in found if r["seed"] == seed}
        scores = [of[model, budget][text] for text, budget, _ in shown for model in RIVALS]
        lines.append([seed, *map(score, scores)])
    return markdown(head, lines)


@table("showdown on photographs")
def showdown_real():
    keys = ["mIoU", "fwIoU", "accuracy", "boundary F"]
    lines = [
        [
            row["model"],
            row["seed"],
            row["budget"],
            f"{row['parameters']:,}",
            row["epochs"],
            round(row["seconds"]),
            *(score(row[key]) for key in keys),
            round(row["ms a picture"]),
            row["MB a picture"],
            row["MB a step"],
        ]
        for row in rows("showdown-real-laptop")
    ]
    return markdown(
        [
            "",
            "seed",
            "budget",
            "parameters",
            "epochs",
            "seconds",
            *keys,
            "ms a picture",
            "MB a picture",
            "MB a step",
        ],
        lines,
    )


@table("difficulty")
def difficulty():
    return markdown(
        ["scenes of seed", "forest", "U-Net", "ratio"],
        [
            [row["seed"], score(row["forest"]), score(row["unet"]), f"{row['ratio']:.2f}"]
            for row in rows("difficulty")
        ],
    )


@table("grading")
def grading():
    found = stored("grading")
    seconds = found["seconds a submission"]
    over = {"bare": "1", "warm": score(found["warm over bare"], 2)}
    over["cold"] = score(found["cold over bare"], 2)
    return markdown(
        ["", "seconds a submission", "over bare", "wanted"],
        [[w, f"{seconds[w]:.1f}", over[w], "≤ 1.3" if w == "warm" else ""] for w in seconds],
    )


@table("accuracy")
def accuracy():
    found = rows("accuracy-real-laptop")
    keys = ["mIoU", "fwIoU", "accuracy", "rare IoU"]
    found.sort(key=lambda row: (row["minutes"], -row["mIoU"]))
    lines = [
        [
            f"{row['minutes']:g}",
            row["network"],
            f"{row['parameters'] / 1000000.0:.1f} M",
            f"{row['rate']:.3g}",
            row["augment"],
            row["seed"],
            row["steps"] * row["batch"],
            round(row["seconds"]),
            *(score(row[key]) for key in keys),
            row.get("notes", ""),
        ]
        for row in found
    ]
    head = ["minutes", "network", "parameters", "rate", "augmentation", "seed", "pictures seen"]
    return markdown([*head, "seconds", *keys, "notes"], lines)


@table("recipe")
def recipe():
    found = rows("recipe-real-laptop")
    keys = ["mIoU", "fwIoU", "accuracy", "rare IoU"]
    runs = {}
    for row in found:
        runs.setdefault((row["base's epochs"], change_of(row)), []).append(row)
    lines = []
    for (epochs, change), some in sorted(runs.items(), key=_budget_and_score):
        line = [epochs, change, f"{some[0]['parameters'] / 1e6:.1f} M"]
        line += [spread(values(some, "cost of an epoch"), 2), spread(values(some, "epochs"), 0)]
        lines.append([*line, len(some), *(mean(values(some, key)) for key in keys)])
    head = ["base's epochs", "change", "parameters", "cost of an epoch", "epochs", "seeds", *keys]
    return markdown(head, lines)


def change_of(row):
    """What a row of the recipe changes, and whether its base was computed in float32 too."""
    both = row["precision"] == "float32" != row["change"]
    return row["change"] + " (all in float32)" * both


def _budget_and_score(run):
    (epochs, _), some = run
    return epochs, -statistics.fmean(values(some, "mIoU"))


def lessons():
    """The lessons and what they took at scale smoke on two CPU cores."""
    return rows("lessons-cpu-tensorflow-synthetic-smoke")


@table("lessons")
def lessons_table():
    found = lessons()
    lines = [[row["lesson"], round(row["seconds"])] for row in found]
    return markdown(
        ["lesson", "seconds"], [*lines, ["together", round(sum(values(found, "seconds")))]]
    )


@table("speed")
def speed():
    lines = []
    for row in rows("speed-real-laptop"):
        unit = "pictures a second" if "pictures a second" in row else "seconds"
        ours, theirs = row[unit]
        lines.append([row["group"], row["what"], unit, ours, theirs, f"{row['ratio']:.2f}"])
    return markdown(["", "ours / beside it", "", "ours", "beside it", "ratio"], lines)
