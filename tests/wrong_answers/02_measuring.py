"""Wrong answers to the exercises of lesson 02: grade id → title of the error → source."""

IOU = """
def iou_with_ignore(truth, guess, classes, ignored):
    counted = ~np.isin(truth, ignored)
    pairs = truth[counted].astype(int) * classes + guess[counted]
    cm = np.bincount(pairs, minlength=classes**2).reshape(classes, classes)
    hits, true, guessed = np.diag(cm), cm.sum(axis=1), cm.sum(axis=0)
    with np.errstate(invalid="ignore"):
        return np.where(true > 0, hits / (true + guessed - hits), np.nan)
"""

MEAN_IOU = """
def mean_iou_of_batches(batches, classes, ignored):
    cm = np.zeros((classes, classes), int)
    for truth, scores in batches:
        counted = truth != ignored
        pairs = truth[counted].astype(int) * classes + scores.argmax(axis=-1)[counted]
        cm += np.bincount(pairs, minlength=classes**2).reshape(classes, classes)
    hits, true, guessed = np.diag(cm), cm.sum(axis=1), cm.sum(axis=0)
    present = true > 0
    return (hits[present] / (true + guessed - hits)[present]).mean()
"""

RATES = """
def iou_from_rates(rates, shares):
    cm = rates * shares[:, None]
    hits, guessed = np.diag(cm), cm.sum(axis=0)
    with np.errstate(invalid="ignore"):
        return np.where(shares > 0, hits / (shares + guessed - hits), np.nan)
"""

BAND = """
def band_accuracy(truth, guess, width):
    square = np.ones((2 * width + 1, 2 * width + 1), np.uint8)
    band = cv2.dilate(truth, square) != cv2.erode(truth, square)
    return (truth == guess)[band].mean() if band.any() else np.nan
"""


def changed(source, old, new):
    """`source` with one piece exchanged, which must be there."""
    assert old in source, old
    return source.replace(old, new)


WRONG = {
    "iou-with-ignore": {
        "pixels guessed as an ignored class are left out too": changed(
            IOU, "~np.isin(truth, ignored)", "~np.isin(truth, ignored) & ~np.isin(guess, ignored)"
        ),
        "absent classes count as zero": changed(IOU, "np.nan)", "0.0)"),
        "an absent class that was guessed gets zero": changed(
            IOU, "np.where(true > 0,", "np.where(true + guessed > 0,"
        ),
        "accuracy of the class": changed(IOU, "(true + guessed - hits)", "true"),
        "precision of the class": changed(IOU, "(true + guessed - hits)", "guessed"),
        "the diagonal counted twice in the union": changed(
            IOU, "(true + guessed - hits)", "(true + guessed)"
        ),
        "only the first ignored id": changed(IOU, "ignored)\n    pairs", "ignored[:1])\n    pairs"),
        "ignored pixels turned into class 0": changed(
            IOU, "[counted].astype(int)", ".ravel().astype(int) * counted.ravel()"
        ).replace("guess[counted]", "guess.ravel() * counted.ravel()"),
        "the mean in place of the classes": changed(IOU, "return np.where(", "return np.nanmean(")
        .replace("np.nanmean(true > 0, ", "np.nanmean(")
        .replace(", np.nan)", ")"),
        "uint8 overflows in the numbers of the pairs": changed(IOU, ".astype(int)", ""),
        "the answers of the visible cases": """
def iou_with_ignore(truth, guess, classes, ignored):
    found = np.array([np.nan if ignored else 0, 1 / 3 if ignored else 1 / 4, 2 / 3, np.nan])
    return found[:classes]
""",
    },
    "mean-iou-of-batches": {
        "given back as it was": """
def mean_iou_of_batches(batches, classes, ignored):
    return broken_score(batches, classes, ignored)
""",
        "the ignored pixels still become hits of the ignored class": """
def mean_iou_of_batches(batches, classes, ignored):
    cm = np.zeros((classes, classes), int)
    for truth, scores in batches:
        guess = scores.argmax(axis=-1)
        guess[truth == ignored] = ignored
        pairs = (truth.astype(int) * classes + guess).ravel()
        cm += np.bincount(pairs, minlength=classes**2).reshape(classes, classes)
    hits, true, guessed = np.diag(cm), cm.sum(axis=1), cm.sum(axis=0)
    present = true > 0
    return (hits[present] / (true + guessed - hits)[present]).mean()
""",
        "absent classes still count as zero": changed(
            MEAN_IOU,
            "hits[present] / (true + guessed - hits)[present]",
            "hits / np.maximum(true + guessed - hits, 1)",
        ),
        "classes that were only guessed count as zero": changed(
            MEAN_IOU, "present = true > 0", "present = true + guessed > 0"
        ),
        "the batches are still averaged": """
def mean_iou_of_batches(batches, classes, ignored):
    results = []
    for truth, scores in batches:
        counted = truth != ignored
        pairs = truth[counted].astype(int) * classes + scores.argmax(axis=-1)[counted]
        cm = np.bincount(pairs, minlength=classes**2).reshape(classes, classes)
        hits, true, guessed = np.diag(cm), cm.sum(axis=1), cm.sum(axis=0)
        present = true > 0
        if present.any():
            results.append((hits[present] / (true + guessed - hits)[present]).mean())
    return np.mean(results)
""",
        "the batches are averaged by their pixels": """
def mean_iou_of_batches(batches, classes, ignored):
    results, weights = [], []
    for truth, scores in batches:
        counted = truth != ignored
        pairs = truth[counted].astype(int) * classes + scores.argmax(axis=-1)[counted]
        cm = np.bincount(pairs, minlength=classes**2).reshape(classes, classes)
        hits, true, guessed = np.diag(cm), cm.sum(axis=1), cm.sum(axis=0)
        present = true > 0
        if present.any():
            results.append((hits[present] / (true + guessed - hits)[present]).mean())
            weights.append(counted.sum())
    return np.average(results, weights=weights)
""",
        "only the last batch is scored": changed(MEAN_IOU, "cm += ", "cm = "),
        "pixels guessed as the ignored class are left out": changed(
            MEAN_IOU,
            "counted = truth != ignored",
            "counted = (truth != ignored) & (scores.argmax(axis=-1) != ignored)",
        ),
        "class 0 is always the ignored one": changed(MEAN_IOU, "truth != ignored", "truth != 0"),
        "the answers of the visible cases": """
def mean_iou_of_batches(batches, classes, ignored):
    if len(batches) > 1:
        return 4 / 6
    return 0.5 if 0 in batches[0][0] else 7 / 12
""",
    },
    "iou-from-rates": {
        "the rates taken for counts": changed(RATES, "rates * shares[:, None]", "rates"),
        "the shares laid along the columns": changed(RATES, "shares[:, None]", "shares"),
        "the row in place of the column": changed(RATES, "cm.sum(axis=0)", "cm.sum(axis=1)"),
        "the diagonal, which is the accuracy of the class": """
def iou_from_rates(rates, shares):
    return np.where(shares > 0, np.diag(rates), np.nan)
""",
        "frequency-weighted": changed(
            RATES, "return np.where(shares > 0, hits", "return np.where(shares > 0, shares * hits"
        ),
        "a class without pixels gets zero": changed(RATES, "np.nan)", "0.0)"),
        "the sum of the parts without a division": """
def iou_from_rates(rates, shares):
    cm = rates * shares[:, None]
    with np.errstate(invalid="ignore"):
        return np.diag(cm) / (cm.sum(axis=1) + cm.sum(axis=0))
""",
        "nan only where the union is empty": changed(
            RATES,
            "np.where(shares > 0, hits / (shares + guessed - hits), np.nan)",
            "hits / (shares + guessed - hits)",
        ),
    },
    "band-accuracy": {
        "a cross for the square": changed(
            BAND,
            "np.ones((2 * width + 1, 2 * width + 1), np.uint8)",
            "cv2.getStructuringElement(cv2.MORPH_CROSS, (2 * width + 1, 2 * width + 1))",
        ),
        "a window of width + 1": BAND.replace("2 * width + 1", "width + 1"),
        "a window of 2 * width": BAND.replace("2 * width + 1", "2 * width"),
        "the band along the edges of the guess": BAND.replace("(truth, square)", "(guess, square)"),
        "the share of all pixels": changed(
            BAND, "(truth == guess)[band].mean()", "((truth == guess) & band).mean()"
        ),
        "the share that is wrong": changed(BAND, "truth == guess", "truth != guess"),
        "rolled round the edges of the picture": """
def band_accuracy(truth, guess, width):
    band = np.zeros(truth.shape, bool)
    for y in range(-width, width + 1):
        for x in range(-width, width + 1):
            band |= np.roll(truth, (y, x), (0, 1)) != truth
    return (truth == guess)[band].mean() if band.any() else np.nan
""",
        "the mean of the ids in the window": changed(
            BAND,
            "cv2.dilate(truth, square) != cv2.erode(truth, square)",
            "np.abs(cv2.blur(truth.astype(float), (2 * width + 1,) * 2) - truth) > 1e-6",
        ),
        "a cross, without the corners": changed(
            BAND,
            "np.ones((2 * width + 1, 2 * width + 1), np.uint8)",
            "cv2.getStructuringElement(cv2.MORPH_CROSS, (2 * width + 1,) * 2)",
        ),
        "a round band": """
def band_accuracy(truth, guess, width):
    band = np.zeros(truth.shape, bool)
    for c in np.unique(truth):
        inside = (truth == c).astype(np.uint8)
        far = cv2.distanceTransform(inside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        band |= (inside == 1) & (far <= width)
    return (truth == guess)[band].mean() if band.any() and not band.all() else np.nan
""",
        "zero where there is no edge": changed(BAND, "else np.nan", "else 0.0"),
        "the answers of the visible cases": """
def band_accuracy(truth, guess, width):
    return 0.75 if width == 2 else 0.5
""",
    },
}
