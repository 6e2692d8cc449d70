"""Wrong answers to the exercises of lesson 13: grade id → title of the error → source."""

SHARES = """
def tile_shares(starts, tile, length, rim):
    weights = np.zeros((len(starts), length))
    for row, start in zip(weights, starts):
        up, down = np.arange(1, tile + 1) - rim, np.arange(tile, 0, -1) - rim
        if start == 0:
            up[:] = tile
        if start + tile == length:
            down[:] = tile
        row[start : start + tile] = np.minimum(up, down).clip(0)
    if not weights.sum(axis=0).all():
        raise ValueError("there are pixels for which no tile answers")
    return weights / weights.sum(axis=0)
"""

LOOKS = """
def eight_looks(network, image):
    total = 0
    for turns in range(4):
        for step in (1, -1):
            scores = network(np.rot90(image[:, ::step], turns)[None])[0]
            shares = np.exp(scores - scores.max(axis=-1, keepdims=True))
            shares /= shares.sum(axis=-1, keepdims=True)
            total = total + np.rot90(shares, -turns)[:, ::step]
    return total / 8
"""

BITS = """
def eight_bits(kernel, depthwise):
    largest = np.abs(kernel).max(axis=(0, 1) if depthwise else (0, 1, 2), keepdims=True)
    steps = np.where(largest > 0, largest / 127, 1.0)
    return np.round(kernel / steps).astype("int8"), steps
"""

RISK = """
def labels_at_risk(scores, gap):
    best = np.sort(scores, axis=-1)[..., -2:]
    return best[..., 1] - best[..., 0] < 2 * gap * np.ptp(scores)
"""


def changed(source, old, new):
    """`source` with one piece exchanged, which must be there."""
    assert old in source, old
    return source.replace(old, new)


WRONG = {
    "tile-shares": {
        "tiles fade at the ends of the picture too": changed(
            changed(SHARES, "start == 0", "False"), "start + tile == length", "False"
        ),
        "the rim is taken off at the ends of the picture too": changed(
            SHARES,
            "    if not weights",
            "        row[start : start + rim] = row[start + tile - rim : start + tile] = 0\n    if not weights",
        ),
        "nothing but the rim is made zero": changed(
            changed(
                SHARES,
                "np.arange(1, tile + 1) - rim, np.arange(tile, 0, -1) - rim",
                "np.arange(1, tile + 1), np.arange(tile, 0, -1)\n"
                "        up[:rim], down[tile - rim :] = 0, 0",
            ),
            ".clip(0)",
            "",
        ),
        "the rim is not taken off": SHARES.replace(" - rim", ""),
        "the product of both ends in place of the nearer": changed(
            SHARES, "np.minimum(up, down).clip(0)", "up.clip(0) * down.clip(0)"
        ),
        "the farther end in place of the nearer": changed(SHARES, "np.minimum", "np.maximum"),
        "weights begin at 0": changed(
            changed(SHARES, "np.arange(1, tile + 1)", "np.arange(tile)"),
            "np.arange(tile, 0, -1)",
            "np.arange(tile)[::-1]",
        ),
        "divided by the sum of each tile": changed(
            SHARES,
            "return weights / weights.sum(axis=0)",
            "return weights / weights.sum(axis=1)[:, None]",
        ),
        "infinity over infinity for a tile as long as the picture": SHARES.replace(
            ") - rim", ") - float(rim)"
        ).replace("[:] = tile", "[:] = np.inf"),
        "not divided": changed(SHARES, "return weights / weights.sum(axis=0)", "return weights"),
        "a gap gives shares of zero": """
def tile_shares(starts, tile, length, rim):
    weights = np.zeros((len(starts), length))
    for row, start in zip(weights, starts):
        up, down = np.arange(1, tile + 1) - rim, np.arange(tile, 0, -1) - rim
        if start == 0:
            up[:] = tile
        if start + tile == length:
            down[:] = tile
        row[start : start + tile] = np.minimum(up, down).clip(0)
    return weights / np.maximum(weights.sum(axis=0), 1)
""",
        "looks for gaps between tiles, not between their rims": changed(
            SHARES,
            "    if not weights.sum(axis=0).all():",
            "    covered = np.zeros(length)\n"
            "    for start in starts:\n"
            "        covered[start : start + tile] = 1\n"
            "    if not covered.all():",
        ).replace("weights / weights.sum(axis=0)", "weights / np.maximum(weights.sum(axis=0), 1)"),
        "the first and the last of the list are taken for the ends of the picture": changed(
            changed(SHARES, "start == 0", "start == starts[0]"),
            "start + tile == length",
            "start == starts[-1]",
        ),
        "rows in the order of the picture": changed(
            SHARES, "zip(weights, starts)", "zip(weights, sorted(starts))"
        ),
        "the lesson's window, with one overlap for all": """
def tile_shares(starts, tile, length, rim):
    overlap = tile - (starts[1] - starts[0]) if len(starts) > 1 else 0
    steps = overlap - 2 * rim
    ramp = np.arange(1, steps + 1) / (steps + 1)
    rise = np.concatenate([np.zeros(rim), ramp, np.ones(tile - rim - steps)])
    shares = np.zeros((len(starts), length))
    for row, start in zip(shares, starts):
        up = rise if start > 0 else np.ones(tile)
        down = rise[::-1] if start + tile < length else np.ones(tile)
        row[start : start + tile] = up * down
    return shares
""",
    },
    "eight-looks": {
        "turned answers are not turned back": changed(LOOKS, "np.rot90(shares, -turns)", "shares")
        .replace("total + ", "total + np.resize(")
        .replace("[:, ::step]\n    return", "[:, ::step], image.shape)\n    return"),
        "four turns, no mirror": changed(LOOKS, "in (1, -1)", "in (1, 1)"),
        "mirrors are not undone": changed(LOOKS, "-turns)[:, ::step]", "-turns)"),
        "undone in the order in which it was done": changed(
            LOOKS, "np.rot90(shares, -turns)[:, ::step]", "np.rot90(shares[:, ::step], -turns)"
        ),
        "turned on in place of back": changed(LOOKS, "-turns)[:", "turns)[:"),
        "the mean of scores": """
def eight_looks(network, image):
    total = 0
    for turns in range(4):
        for step in (1, -1):
            scores = network(np.rot90(image[:, ::step], turns)[None])[0]
            total = total + np.rot90(scores, -turns)[:, ::step]
    shares = np.exp(total / 8)
    return shares / shares.sum(axis=-1, keepdims=True)
""",
        "scores, no probabilities": """
def eight_looks(network, image):
    total = 0
    for turns in range(4):
        for step in (1, -1):
            scores = network(np.rot90(image[:, ::step], turns)[None])[0]
            total = total + np.rot90(scores, -turns)[:, ::step]
    return total / 8
""",
        "the softmax along the columns": LOOKS.replace("axis=-1", "axis=1"),
        "the softmax along the rows": LOOKS.replace("axis=-1", "axis=0"),
        "argmax too early": changed(
            LOOKS,
            "            total",
            "            shares = np.eye(shares.shape[-1])[shares.argmax(axis=-1)]\n            total",
        ),
        "four turns without mirrors": changed(
            changed(LOOKS, "(1, -1)", "(1,)"), "total / 8", "total / 4"
        ),
        "the lesson's four mirrored views": """
def eight_looks(network, image):
    total = 0
    for rows in (1, -1):
        for columns in (1, -1):
            scores = network(image[None, ::rows, ::columns])[0, ::rows, ::columns]
            shares = np.exp(scores - scores.max(axis=-1, keepdims=True))
            total = total + shares / shares.sum(axis=-1, keepdims=True)
    return total / 4
""",
        "the batch turned along with the rows": changed(
            LOOKS,
            "np.rot90(image[:, ::step], turns)[None]",
            "np.rot90(image[:, ::step][None], turns)",
        ),
        "the sum is not divided": changed(LOOKS, "total / 8", "total"),
        "large scores overflow": changed(
            LOOKS, "scores - scores.max(axis=-1, keepdims=True)", "scores"
        ),
        "the largest score of the whole picture is taken off": changed(
            LOOKS, "scores.max(axis=-1, keepdims=True)", "scores.max()"
        ),
        "half turns mirrored in place of quarter turns": """
def eight_looks(network, image):
    total = 0
    for turns in (0, 2):
        for step in (1, -1):
            for turned in (False, True):
                view = image[:, ::step].transpose(1, 0, 2) if turned else image[:, ::step]
                scores = network(np.rot90(view, turns)[None])[0]
                shares = np.exp(scores - scores.max(axis=-1, keepdims=True))
                shares = np.rot90(shares / shares.sum(axis=-1, keepdims=True), -turns)
                total = total + (shares.transpose(1, 0, 2) if turned else shares)
    return total / 8
""",
    },
    "eight-bits": {
        "given back as it was": """
def eight_bits(kernel, depthwise):
    return broken_eight_bits(kernel)
""",
        "one step for the whole kernel": changed(
            BITS, "axis=(0, 1) if depthwise else (0, 1, 2), ", ""
        ),
        "cut in place of rounded": changed(BITS, "np.round(kernel / steps)", "(kernel / steps)"),
        "rounded down": changed(BITS, "np.round", "np.floor"),
        "128 steps": changed(BITS, "/ 127", "/ 128"),
        "255 steps": changed(BITS, "/ 127", "/ 255"),
        "the largest without its sign taken off": changed(BITS, "np.abs(kernel).max", "kernel.max"),
        "a step for each input": changed(BITS, "else (0, 1, 2)", "else (0, 1, 3)"),
        "a step for each input and output": changed(
            BITS, "(0, 1) if depthwise else (0, 1, 2)", "(0, 1)"
        ),
        "depthwise like ordinary": changed(BITS, "(0, 1) if depthwise else (0, 1, 2)", "(0, 1, 2)"),
        "steps along one axis only": changed(BITS, '"int8"), steps', '"int8"), steps.ravel()'),
        "an empty channel divides by zero": changed(
            BITS, "np.where(largest > 0, largest / 127, 1.0)", "largest / 127"
        ),
        "the stored numbers are floats": changed(BITS, '.astype("int8")', ""),
        "the stored numbers take eight bytes": changed(BITS, '"int8"', "int"),
        "unsigned": changed(BITS, '"int8"', '"uint8"').replace(
            "np.round(kernel / steps)", "(np.round(kernel / steps) + 128)"
        ),
        "the kernel brought back": changed(
            BITS,
            'np.round(kernel / steps).astype("int8"), steps',
            "np.round(kernel / steps) * steps, steps",
        ),
    },
    "labels-at-risk": {
        "only one of the two scores moves": changed(RISK, "2 * gap", "gap"),
        "the gap taken for scores": changed(RISK, " * np.ptp(scores)", ""),
        "the range of each pixel": changed(RISK, "np.ptp(scores)", "np.ptp(scores, axis=-1)"),
        "the largest score for the range": changed(RISK, "np.ptp(scores)", "np.abs(scores).max()"),
        "the second class in place of the second best": changed(
            RISK, "np.sort(scores, axis=-1)", "scores"
        ),
        "the best against the worst": changed(RISK, "[..., -2:]", "[..., [0, -1]]"),
        "the best class against the mean of the others": """
def labels_at_risk(scores, gap):
    best = scores.max(axis=-1)
    others = (scores.sum(axis=-1) - best) / (scores.shape[-1] - 1)
    return best - others < 2 * gap * np.ptp(scores)
""",
        "sorted along the columns": changed(RISK, "axis=-1)", "axis=1)"),
        "the pixels that are safe": changed(RISK, "<", ">="),
        "only one random rounding is tried": """
def labels_at_risk(scores, gap):
    off = np.random.default_rng(0).uniform(-1, 1, scores.shape) * gap * np.ptp(scores)
    return (scores + off).argmax(axis=-1) != scores.argmax(axis=-1)
""",
        "numbers in place of booleans": changed(RISK, "return best", "return 1 * (best").replace(
            "np.ptp(scores)", "np.ptp(scores))"
        ),
    },
}
