"""Wrong answers to the exercises of lesson 06; each must lose the points of its task."""

WRONG = {
    "map-loss": {
        "the probability, not its logarithm": """
def map_loss(logits, truth, ignored=255):
    counted = truth != ignored
    if not counted.any():
        return 0.0
    scores, ids = logits[counted], truth[counted]
    scores = scores - scores.max(axis=-1, keepdims=True)
    powers = np.exp(scores)
    p = powers / powers.sum(axis=-1, keepdims=True)
    of_truth = p[np.arange(len(ids)), ids]
    return float(of_truth.mean())
""",
        "the minus forgotten": """
def map_loss(logits, truth, ignored=255):
    counted = truth != ignored
    if not counted.any():
        return 0.0
    scores, ids = logits[counted], truth[counted]
    scores = scores - scores.max(axis=-1, keepdims=True)
    of_truth = scores[np.arange(len(ids)), ids]
    log_p = of_truth - np.log(np.exp(scores).sum(axis=-1))
    return float(log_p.mean())
""",
        "bits, not nats": """
def map_loss(logits, truth, ignored=255):
    counted = truth != ignored
    if not counted.any():
        return 0.0
    scores, ids = logits[counted], truth[counted]
    scores = scores - scores.max(axis=-1, keepdims=True)
    of_truth = scores[np.arange(len(ids)), ids]
    log_p = of_truth - np.log(np.exp(scores).sum(axis=-1))
    return float(-log_p.mean() / np.log(2))
""",
        "the sum, not the mean": """
def map_loss(logits, truth, ignored=255):
    counted = truth != ignored
    if not counted.any():
        return 0.0
    scores, ids = logits[counted], truth[counted]
    scores = scores - scores.max(axis=-1, keepdims=True)
    of_truth = scores[np.arange(len(ids)), ids]
    log_p = of_truth - np.log(np.exp(scores).sum(axis=-1))
    return float(-log_p.sum())
""",
        "the logarithm of the mean probability": """
def map_loss(logits, truth, ignored=255):
    counted = truth != ignored
    if not counted.any():
        return 0.0
    scores, ids = logits[counted], truth[counted]
    scores = scores - scores.max(axis=-1, keepdims=True)
    powers = np.exp(scores)
    p = powers / powers.sum(axis=-1, keepdims=True)
    of_truth = p[np.arange(len(ids)), ids]
    return float(-np.log(of_truth.mean()))
""",
        "the class that is guessed, not the true one": """
def map_loss(logits, truth, ignored=255):
    counted = truth != ignored
    if not counted.any():
        return 0.0
    scores = logits[counted]
    scores = scores - scores.max(axis=-1, keepdims=True)
    log_p = scores.max(axis=-1) - np.log(np.exp(scores).sum(axis=-1))
    return float(-log_p.mean())
""",
        "softmax over the rows": """
def map_loss(logits, truth, ignored=255):
    counted = truth != ignored
    if not counted.any():
        return 0.0
    scores = logits - logits.max(axis=0)
    log_p = (scores - np.log(np.exp(scores).sum(axis=0)))[counted]
    return float(-log_p[np.arange(len(log_p)), truth[counted]].mean())
""",
        "softmax over the whole map": """
def map_loss(logits, truth, ignored=255):
    counted = truth != ignored
    if not counted.any():
        return 0.0
    scores = logits - logits.max()
    log_p = (scores - np.log(np.exp(scores).sum()))[counted]
    return float(-log_p[np.arange(len(log_p)), truth[counted]].mean())
""",
        "averaged over the classes too": """
def map_loss(logits, truth, ignored=255):
    counted = truth != ignored
    if not counted.any():
        return 0.0
    scores, ids = logits[counted], truth[counted]
    scores = scores - scores.max(axis=-1, keepdims=True)
    log_p = scores - np.log(np.exp(scores).sum(axis=-1, keepdims=True))
    return float(-(log_p * np.eye(logits.shape[-1])[ids]).mean())
""",
        "255 looked up as a class": """
def map_loss(logits, truth, ignored=255):
    counted = truth != ignored
    if not counted.any():
        return 0.0
    scores = logits - logits.max(axis=-1, keepdims=True)
    of_truth = np.take_along_axis(scores, truth[..., None], axis=-1)[..., 0]
    log_p = of_truth - np.log(np.exp(scores).sum(axis=-1))
    return float(-log_p[counted].mean())
""",
        "ignored pixels cost nothing, but stay in the mean": """
def map_loss(logits, truth, ignored=255):
    counted = truth != ignored
    if not counted.any():
        return 0.0
    scores, ids = logits[counted], truth[counted]
    scores = scores - scores.max(axis=-1, keepdims=True)
    of_truth = scores[np.arange(len(ids)), ids]
    log_p = of_truth - np.log(np.exp(scores).sum(axis=-1))
    return float(-log_p.sum() / truth.size)
""",
        "ignored pixels taken for class 0": """
def map_loss(logits, truth, ignored=255):
    ids = np.where(truth == ignored, 0, truth)
    scores = logits - logits.max(axis=-1, keepdims=True)
    of_truth = np.take_along_axis(scores, ids[..., None], axis=-1)[..., 0]
    log_p = of_truth - np.log(np.exp(scores).sum(axis=-1))
    return float(-log_p.mean())
""",
        "scores of 1000 overflow": """
def map_loss(logits, truth, ignored=255):
    counted = truth != ignored
    if not counted.any():
        return 0.0
    scores, ids = logits[counted], truth[counted]
    powers = np.exp(scores)
    p = powers / powers.sum(axis=-1, keepdims=True)
    of_truth = p[np.arange(len(ids)), ids]
    return float(-np.log(of_truth).mean())
""",
        "largest score taken off, but p becomes 0": """
def map_loss(logits, truth, ignored=255):
    counted = truth != ignored
    if not counted.any():
        return 0.0
    scores, ids = logits[counted], truth[counted]
    scores = scores - scores.max(axis=-1, keepdims=True)
    powers = np.exp(scores)
    p = powers / powers.sum(axis=-1, keepdims=True)
    of_truth = p[np.arange(len(ids)), ids]
    return float(-np.log(of_truth).mean())
""",
        "the probability clipped": """
def map_loss(logits, truth, ignored=255):
    counted = truth != ignored
    if not counted.any():
        return 0.0
    scores, ids = logits[counted], truth[counted]
    scores = scores - scores.max(axis=-1, keepdims=True)
    powers = np.exp(scores)
    p = powers / powers.sum(axis=-1, keepdims=True)
    of_truth = p[np.arange(len(ids)), ids]
    return float(-np.log(np.clip(of_truth, 1e-7, 1)).mean())
""",
        "scores clipped, so that they do not overflow": """
def map_loss(logits, truth, ignored=255):
    counted = truth != ignored
    if not counted.any():
        return 0.0
    scores, ids = logits[counted], truth[counted]
    scores = np.clip(scores, -50, 50)
    of_truth = scores[np.arange(len(ids)), ids]
    log_p = of_truth - np.log(np.exp(scores).sum(axis=-1))
    return float(-log_p.mean())
""",
        "one largest score for the whole map (hidden tests only)": """
def map_loss(logits, truth, ignored=255):
    counted = truth != ignored
    if not counted.any():
        return 0.0
    scores, ids = logits[counted], truth[counted]
    scores = scores - scores.max()
    of_truth = scores[np.arange(len(ids)), ids]
    log_p = of_truth - np.log(np.exp(scores).sum(axis=-1))
    return float(-log_p.mean())
""",
        "nan where no pixel counts (hidden tests only)": """
def map_loss(logits, truth, ignored=255):
    counted = truth != ignored
    scores, ids = logits[counted], truth[counted]
    scores = scores - scores.max(axis=-1, keepdims=True)
    of_truth = scores[np.arange(len(ids)), ids]
    log_p = of_truth - np.log(np.exp(scores).sum(axis=-1))
    return float(-log_p.mean())
""",
        "255, whatever is ignored (hidden tests only)": """
def map_loss(logits, truth, ignored=255):
    counted = truth != 255
    if not counted.any():
        return 0.0
    scores, ids = logits[counted], truth[counted]
    scores = scores - scores.max(axis=-1, keepdims=True)
    of_truth = scores[np.arange(len(ids)), ids]
    log_p = of_truth - np.log(np.exp(scores).sum(axis=-1))
    return float(-log_p.mean())
""",
        "only ids that are no class ignored (hidden tests only)": """
def map_loss(logits, truth, ignored=255):
    counted = (truth >= 0) & (truth < logits.shape[-1])
    if not counted.any():
        return 0.0
    scores, ids = logits[counted], truth[counted]
    scores = scores - scores.max(axis=-1, keepdims=True)
    of_truth = scores[np.arange(len(ids)), ids]
    log_p = of_truth - np.log(np.exp(scores).sum(axis=-1))
    return float(-log_p.mean())
""",
        "places paired, not crossed (hidden tests only)": """
def map_loss(logits, truth, ignored=255):
    counted = truth != ignored
    if not counted.any():
        return 0.0
    height, width, _ = logits.shape
    scores = logits - logits.max(axis=-1, keepdims=True)
    ids = np.where(counted, truth, 0)
    of_truth = scores[np.arange(height), np.arange(width), ids]
    log_p = of_truth - np.log(np.exp(scores).sum(axis=-1))
    return float(-log_p[counted].mean())
""",
    },
    "stamped": {
        "a later stamp wipes the earlier": """
def transposed(x, stamp, stride):
    (height, width), (k, l) = x.shape, stamp.shape
    out = np.zeros((stride * (height - 1) + k, stride * (width - 1) + l))
    for row in range(height):
        for column in range(width):
            top, left = stride * row, stride * column
            out[top : top + k, left : left + l] = x[row, column] * stamp
    top, left = (k - stride) // 2, (l - stride) // 2
    return out[top : top + stride * height, left : left + stride * width]
""",
        "cut behind only": """
def transposed(x, stamp, stride):
    (height, width), (k, l) = x.shape, stamp.shape
    out = np.zeros((stride * (height - 1) + k, stride * (width - 1) + l))
    for row in range(height):
        for column in range(width):
            top, left = stride * row, stride * column
            out[top : top + k, left : left + l] += x[row, column] * stamp
    return out[: stride * height, : stride * width]
""",
        "the larger half cut in front": """
def transposed(x, stamp, stride):
    (height, width), (k, l) = x.shape, stamp.shape
    out = np.zeros((stride * (height - 1) + k, stride * (width - 1) + l))
    for row in range(height):
        for column in range(width):
            top, left = stride * row, stride * column
            out[top : top + k, left : left + l] += x[row, column] * stamp
    top, left = (k - stride + 1) // 2, (l - stride + 1) // 2
    return out[top : top + stride * height, left : left + stride * width]
""",
        "nothing cut": """
def transposed(x, stamp, stride):
    (height, width), (k, l) = x.shape, stamp.shape
    out = np.zeros((stride * (height - 1) + k, stride * (width - 1) + l))
    for row in range(height):
        for column in range(width):
            top, left = stride * row, stride * column
            out[top : top + k, left : left + l] += x[row, column] * stamp
    return out
""",
        "stride always 2 (hidden tests only)": """
def transposed(x, stamp, stride):
    (height, width), (k, l) = x.shape, stamp.shape
    out = np.zeros((2 * (height - 1) + k, 2 * (width - 1) + l))
    for row in range(height):
        for column in range(width):
            out[2 * row : 2 * row + k, 2 * column : 2 * column + l] += x[row, column] * stamp
    top, left = (k - 2) // 2, (l - 2) // 2
    return out[top : top + 2 * height, left : left + 2 * width]
""",
        "stamp transposed": """
def transposed(x, stamp, stride):
    (height, width), (l, k) = x.shape, stamp.shape
    out = np.zeros((stride * (height - 1) + k, stride * (width - 1) + l))
    for row in range(height):
        for column in range(width):
            top, left = stride * row, stride * column
            out[top : top + k, left : left + l] += x[row, column] * stamp.T
    top, left = (k - stride) // 2, (l - stride) // 2
    return out[top : top + stride * height, left : left + stride * width]
""",
        "a convolution that reads, with zeros between": """
def transposed(x, stamp, stride):
    (height, width), (k, l) = x.shape, stamp.shape
    spread = np.zeros((stride * height + k - 1, stride * width + l - 1))
    top, left = (k - 1) // 2, (l - 1) // 2
    spread[top : top + stride * height : stride, left : left + stride * width : stride] = x
    windows = np.lib.stride_tricks.sliding_window_view(spread, (k, l))
    return np.einsum("rcij,ij->rc", windows, stamp)
""",
    },
    "fused-scores": {
        "only the mean mended": """
def fuse(stride_32, stride_16, stride_8, size):
    def fitted(coarse, factor, like):
        return enlarge(coarse, factor)[-like[0] :, -like[1] :]

    fused = fitted(stride_32, 2, stride_16.shape) + stride_16
    fused = fitted(fused, 2, stride_8.shape) + stride_8
    guess = fused.argmax(axis=-1)[..., None].astype(float)
    return fitted(guess, 8, size)[..., 0].round().astype(int)
""",
        "still cropped in front": """
def fuse(stride_32, stride_16, stride_8, size):
    def fitted(coarse, factor, like):
        return enlarge(coarse, factor)[-like[0] :, -like[1] :]

    fused = fitted(stride_32, 2, stride_16.shape) + stride_16
    fused = fitted(fused, 2, stride_8.shape) + stride_8
    return fitted(fused, 8, size).argmax(axis=-1)
""",
        "still a mean": """
def fuse(stride_32, stride_16, stride_8, size):
    def fitted(coarse, factor, like):
        return enlarge(coarse, factor)[: like[0], : like[1]]

    fused = (fitted(stride_32, 2, stride_16.shape) + stride_16) / 2
    fused = (fitted(fused, 2, stride_8.shape) + stride_8) / 2
    return fitted(fused, 8, size).argmax(axis=-1)
""",
        "ids still interpolated": """
def fuse(stride_32, stride_16, stride_8, size):
    def fitted(coarse, factor, like):
        return enlarge(coarse, factor)[: like[0], : like[1]]

    fused = fitted(stride_32, 2, stride_16.shape) + stride_16
    fused = fitted(fused, 2, stride_8.shape) + stride_8
    guess = fused.argmax(axis=-1)[..., None].astype(float)
    return fitted(guess, 8, size)[..., 0].round().astype(int)
""",
        "argmax too early, ids repeated (hidden tests only)": """
def fuse(stride_32, stride_16, stride_8, size):
    def fitted(coarse, factor, like):
        return enlarge(coarse, factor)[: like[0], : like[1]]

    fused = fitted(stride_32, 2, stride_16.shape) + stride_16
    fused = fitted(fused, 2, stride_8.shape) + stride_8
    guess = fused.argmax(axis=-1).repeat(8, axis=0).repeat(8, axis=1)
    return guess[: size[0], : size[1]]
""",
        "the finest scores left out (hidden tests only)": """
def fuse(stride_32, stride_16, stride_8, size):
    def fitted(coarse, factor, like):
        return enlarge(coarse, factor)[: like[0], : like[1]]

    fused = fitted(stride_32, 2, stride_16.shape) + stride_16
    return fitted(fused, 16, size).argmax(axis=-1)
""",
        "highest score returned, not its class": """
def fuse(stride_32, stride_16, stride_8, size):
    def fitted(coarse, factor, like):
        return enlarge(coarse, factor)[: like[0], : like[1]]

    fused = fitted(stride_32, 2, stride_16.shape) + stride_16
    fused = fitted(fused, 2, stride_8.shape) + stride_8
    return fitted(fused, 8, size).max(axis=-1)
""",
    },
}
