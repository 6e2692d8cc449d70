"""Wrong answers to the exercises of lesson 06; each must lose the points of its task."""

WRONG = {
    "dense-to-window": {
        "channels taken to run slowest": """
def slide_dense(feature_map, weights, bias, window):
    channels = feature_map.shape[-1]
    kernel = weights.reshape(channels, *window, -1).transpose(1, 2, 0, 3)
    windows = np.lib.stride_tricks.sliding_window_view(feature_map, window, axis=(0, 1))
    return np.einsum("rcmij,ijmo->rco", windows, kernel) + bias
""",
        "columns before rows": """
def slide_dense(feature_map, weights, bias, window):
    kernel = weights.reshape(*window[::-1], feature_map.shape[-1], -1).transpose(1, 0, 2, 3)
    windows = np.lib.stride_tricks.sliding_window_view(feature_map, window, axis=(0, 1))
    return np.einsum("rcmij,ijmo->rco", windows, kernel) + bias
""",
        "window flipped": """
def slide_dense(feature_map, weights, bias, window):
    kernel = weights.reshape(*window, feature_map.shape[-1], -1)[::-1, ::-1]
    windows = np.lib.stride_tricks.sliding_window_view(feature_map, window, axis=(0, 1))
    return np.einsum("rcmij,ijmo->rco", windows, kernel) + bias
""",
        "bias forgotten": """
def slide_dense(feature_map, weights, bias, window):
    kernel = weights.reshape(*window, feature_map.shape[-1], -1)
    windows = np.lib.stride_tricks.sliding_window_view(feature_map, window, axis=(0, 1))
    return np.einsum("rcmij,ijmo->rco", windows, kernel)
""",
        "the last place forgotten": """
def slide_dense(feature_map, weights, bias, window):
    (h, w), (height, width, _) = window, feature_map.shape
    scores = np.zeros((height - h, width - w, len(bias)))
    for r in range(height - h):
        for c in range(width - w):
            scores[r, c] = feature_map[r : r + h, c : c + w].reshape(-1) @ weights + bias
    return scores
""",
        "down by a whole window (hidden tests only)": """
def slide_dense(feature_map, weights, bias, window):
    (h, w), (height, width, _) = window, feature_map.shape
    rows = range(0, height - h + 1, h)
    return np.array([[feature_map[r : r + h, c : c + w].reshape(-1) @ weights + bias
                      for c in range(width - w + 1)] for r in rows])
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
