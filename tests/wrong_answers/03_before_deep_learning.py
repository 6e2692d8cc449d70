"""Wrong answers to the exercises of lesson 03: grade id → title of the error → source."""

TWO_CUTS = """
def two_cuts(counts):
    values, k = np.arange(len(counts)), len(counts)
    mean = (counts * values).sum() / counts.sum()

    def part(low, high):
        n = counts[low:high].sum()
        return n * ((counts * values)[low:high].sum() / n - mean) ** 2 if n else 0.0

    pairs = {pairs}
    best = {choose}(pairs, key=lambda p: part(0, p[0] + 1) + part(p[0] + 1, p[1] + 1) + part(p[1] + 1, k))
    return {answer}
"""


ALL_PAIRS = "[(s, t) for s in range(k - 2) for t in range(s + 1, k - 1)]"


def two_cuts(pairs, choose="max", answer="best"):
    return TWO_CUTS.format(pairs=pairs, choose=choose, answer=answer)


WRONG = {
    "two-cuts": {
        "one cut by Otsu, then the best second cut beside it": """
def two_cuts(counts):
    def spread(cuts):
        values, total = np.arange(len(counts)), 0.0
        mean = (counts * values).sum() / counts.sum()
        for low, high in zip([0, *[c + 1 for c in cuts]], [*[c + 1 for c in cuts], len(counts)]):
            n = counts[low:high].sum()
            if n:
                total += n * ((counts * values)[low:high].sum() / n - mean) ** 2
        return total

    places = range(len(counts) - 1)
    first = max(places, key=lambda t: spread([t]))
    second = max((t for t in places if t != first), key=lambda t: spread(sorted([first, t])))
    return tuple(sorted((first, second)))
""",
        "groups are not weighed by their share": """
def two_cuts(counts):
    values = np.arange(len(counts))
    mean = (counts * values).sum() / counts.sum()

    def part(low, high):
        n = counts[low:high].sum()
        return ((counts * values)[low:high].sum() / n - mean) ** 2 if n else 0.0

    k = len(counts)
    pairs = [(s, t) for s in range(k - 2) for t in range(s + 1, k - 1)]
    return max(pairs, key=lambda p: part(0, p[0] + 1) + part(p[0] + 1, p[1] + 1) + part(p[1] + 1, k))
""",
        "cuts are the first values above, one too high": two_cuts(
            ALL_PAIRS,
            answer="best[0] + 1, best[1] + 1",
        ),
        "groups of equal size": """
def two_cuts(counts):
    below = np.cumsum(counts) / counts.sum()
    return int(np.searchsorted(below, 1 / 3)), int(np.searchsorted(below, 2 / 3))
""",
        "the smallest variance between, not the largest": two_cuts(ALL_PAIRS, choose="min"),
        "the last value never a group by itself": two_cuts(
            "[(s, t) for s in range(k - 2) for t in range(s + 1, k - 2)] or [(0, 1)]"
        ),
        "the middle group of two values at least": two_cuts(
            "[(s, t) for s in range(k - 2) for t in range(s + 2, k - 1)]"
        ),
        "an empty group makes NaN, which argmax takes": """
def two_cuts(counts):
    values, k = np.arange(len(counts)), len(counts)
    mean = (counts * values).sum() / counts.sum()
    pairs = [(s, t) for s in range(k - 2) for t in range(s + 1, k - 1)]
    spread = []
    with np.errstate(all="ignore"):
        for s, t in pairs:
            total = 0.0
            for group in slice(0, s + 1), slice(s + 1, t + 1), slice(t + 1, k):
                n = counts[group].sum()
                total += n * ((counts * values)[group].sum() / n - mean) ** 2
            spread.append(total)
    return pairs[int(np.argmax(spread))]
""",
        "hard-coded for the visible counts (hidden only)": """
def two_cuts(counts):
    return {4: (0, 2), 7: (1, 4), 8: (3, 4)}.get(len(counts), (0, 2) if counts[0] == 8 else (2, 3))
""",
        "an empty group counts as one pixel": two_cuts(ALL_PAIRS).replace(
            "n = counts[low:high].sum()", "n = max(counts[low:high].sum(), 1)"
        ),
        "one cut after the other, until neither moves": """
def two_cuts(counts):
    values, last = np.arange(len(counts)), len(counts)
    mean = (counts * values).sum() / counts.sum()

    def between(s, t):
        total = 0.0
        for low, high in (0, s + 1), (s + 1, t + 1), (t + 1, last):
            pixels = counts[low:high].sum()
            if pixels:
                total += pixels * ((counts * values)[low:high].sum() / pixels - mean) ** 2
        return total

    s, t = 0, last - 2
    for _ in range(20):
        s = max(range(t), key=lambda first: between(first, t))
        t = max(range(s + 1, last - 1), key=lambda second: between(s, second))
    return s, t
""",
    },
    "piece-ceiling": {
        "the mean of the pieces' accuracies": """
def ceiling(pieces, truth, ignored):
    shares = []
    for piece in np.unique(pieces):
        inside = truth[(pieces == piece) & (truth != ignored)]
        if inside.size:
            shares.append(np.bincount(inside).max() / inside.size)
    return np.mean(shares)
""",
        "ignored pixels stay in the denominator": """
def ceiling(pieces, truth, ignored):
    right = 0
    for piece in np.unique(pieces):
        inside = truth[(pieces == piece) & (truth != ignored)]
        if inside.size:
            right += np.bincount(inside).max()
    return right / truth.size
""",
        "ignored pixels vote": """
def ceiling(pieces, truth, ignored):
    right = 0
    for piece in np.unique(pieces):
        inside = truth[pieces == piece]
        name = np.bincount(inside).argmax()
        right += ((inside == name) & (inside != ignored)).sum()
    return right / (truth != ignored).sum()
""",
        "only class 0 is ever ignored": """
def ceiling(pieces, truth, ignored):
    right = 0
    for piece in np.unique(pieces):
        inside = truth[(pieces == piece) & (truth != 0)]
        if inside.size:
            right += np.bincount(inside).max()
    return right / (truth != 0).sum()
""",
        "the median id as name": """
def ceiling(pieces, truth, ignored):
    right = 0
    for piece in np.unique(pieces):
        inside = truth[(pieces == piece) & (truth != ignored)]
        if inside.size:
            right += (inside == int(np.median(inside))).sum()
    return right / (truth != ignored).sum()
""",
        "pieces are numbered without gaps (hidden only)": """
def ceiling(pieces, truth, ignored):
    right = 0
    for piece in range(len(np.unique(pieces))):
        inside = truth[(pieces == piece) & (truth != ignored)]
        if inside.size:
            right += np.bincount(inside).max()
    return right / (truth != ignored).sum()
""",
        "a piece with no counted pixel stops it (hidden only)": """
def ceiling(pieces, truth, ignored):
    right = 0
    for piece in np.unique(pieces):
        right += np.bincount(truth[(pieces == piece) & (truth != ignored)]).max()
    return right / (truth != ignored).sum()
""",
        "products of uint8 run over": """
def ceiling(pieces, truth, ignored):
    count = int(truth.max()) + 1
    pairs = pieces.astype(truth.dtype) * truth.dtype.type(min(count, 255)) + truth
    table = np.zeros((int(pieces.max()) + 1) * count + 1, int)
    np.add.at(table, pairs[truth != ignored].astype(int), 1)
    right = table[:-1].reshape(-1, count).max(axis=1).sum()
    return right / (truth != ignored).sum()
""",
        "numbers of pieces as uint8 (hidden only)": """
def ceiling(pieces, truth, ignored):
    pieces, counted, right = pieces.astype(np.uint8), truth != ignored, 0
    for piece in np.unique(pieces):
        inside = truth[counted & (pieces == piece)]
        if inside.size:
            right += np.bincount(inside).max()
    return right / counted.sum()
""",
    },
    "same-grey": {
        "the baseline: nearest mean grey": """
def segment(pictures, masks, new):
    one, two = pictures[masks == 1].mean(), pictures[masks == 2].mean()
    return np.where(abs(new - one) < abs(new - two), 1, 2)
""",
        "the answers are averaged with their signs": """
def segment(pictures, masks, new):
    kernel = np.array([[[0, -1, 0], [-1, 4, -1], [0, -1, 0]]])

    def energy(grey):
        return ndimage.uniform_filter(ndimage.convolve(grey.astype(float), kernel), (0, 9, 9))

    one, two = (energy(pictures)[masks == c].mean() for c in (1, 2))
    return np.where(abs(energy(new) - one) < abs(energy(new) - two), 1, 2)
""",
        "absolute answers without an average": """
def segment(pictures, masks, new):
    kernel = np.array([[[0, -1, 0], [-1, 4, -1], [0, -1, 0]]])

    def energy(grey):
        return abs(ndimage.convolve(grey.astype(float), kernel))

    one, two = (energy(pictures)[masks == c].mean() for c in (1, 2))
    return np.where(abs(energy(new) - one) < abs(energy(new) - two), 1, 2)
""",
        "the filter runs in uint8": """
def segment(pictures, masks, new):
    def energy(grey):
        right = np.abs(grey - np.roll(grey, 1, axis=2)) + np.abs(grey - np.roll(grey, 1, axis=1))
        return ndimage.uniform_filter(right, (0, 9, 9)).astype(float)

    one, two = (energy(pictures)[masks == c].mean() for c in (1, 2))
    return np.where(abs(energy(new) - one) < abs(energy(new) - two), 1, 2)
""",
        "labels 0 and 1": """
def segment(pictures, masks, new):
    kernel = np.array([[[0, -1, 0], [-1, 4, -1], [0, -1, 0]]])

    def energy(grey):
        return ndimage.uniform_filter(abs(ndimage.convolve(grey.astype(float), kernel)), (0, 9, 9))

    one, two = (energy(pictures)[masks == c].mean() for c in (1, 2))
    return (abs(energy(new) - one) > abs(energy(new) - two)).astype(int)
""",
        "the masks of the pictures it learned from": """
def segment(pictures, masks, new):
    return masks[: len(new)]
""",
        "ground 1 is taken for the fine one": """
def segment(pictures, masks, new):
    kernel = np.array([[[0, -1, 0], [-1, 4, -1], [0, -1, 0]]])

    def energy(grey):
        return ndimage.uniform_filter(abs(ndimage.convolve(grey.astype(float), kernel)), (0, 9, 9))

    cut = energy(pictures).mean()
    return np.where(energy(new) > cut, 1, 2)
""",
        "the size of the visible pictures written in (hidden only)": """
def segment(pictures, masks, new):
    kernel = np.array([[[0, -1, 0], [-1, 4, -1], [0, -1, 0]]])

    def energy(grey):
        answers = abs(ndimage.convolve(grey.astype(float), kernel))
        return ndimage.uniform_filter(answers.reshape(4, 48, 64), (0, 9, 9))

    one, two = (energy(pictures)[masks == c].mean() for c in (1, 2))
    return np.where(abs(energy(new) - one) < abs(energy(new) - two), 1, 2)
""",
        "a threshold tuned by hand": """
def segment(pictures, masks, new):
    kernel = np.array([[[0, -1, 0], [-1, 4, -1], [0, -1, 0]]])

    def energy(grey):
        return ndimage.uniform_filter(abs(ndimage.convolve(grey.astype(float), kernel)), (0, 9, 9))

    fine = 1 if energy(pictures)[masks == 1].mean() > energy(pictures)[masks == 2].mean() else 2
    return np.where(energy(new) > 25, fine, 3 - fine)
""",
    },
}
