"""Wrong answers to the exercises of lesson 07; each must lose the points of its task."""

WRONG = {
    "even-stamp": {
        "the whole stamp shifted by one number": """
def evened(stamp, stride):
    return stamp + (stride**2 - stamp.sum()) / stamp.size
""",
        "the surplus not shared among the weights": """
def evened(stamp, stride):
    result = stamp.copy()
    for i in range(stride):
        for j in range(stride):
            result[i::stride, j::stride] += 1 - stamp[i::stride, j::stride].sum()
    return result
""",
        "phases scaled instead of shifted": """
def evened(stamp, stride):
    result = stamp.copy()
    for i in range(stride):
        for j in range(stride):
            result[i::stride, j::stride] /= max(stamp[i::stride, j::stride].sum(), 1e-9)
    return result
""",
        "columns alone make phases": """
def evened(stamp, stride):
    result = stamp.copy()
    for j in range(stride):
        phase = stamp[:, j::stride]
        result[:, j::stride] += (1 - phase.sum()) / phase.size
    return result
""",
        "phases as blocks that lie together": """
def evened(stamp, stride):
    result = stamp.copy()
    for i in range(0, stamp.shape[0], stride):
        for j in range(0, stamp.shape[1], stride):
            block = stamp[i : i + stride, j : j + stride]
            result[i : i + stride, j : j + stride] += (1 - block.sum()) / block.size
    return result
""",
        "two phases each way, whatever the stride": """
def evened(stamp, stride):
    result = stamp.copy()
    for i in range(2):
        for j in range(2):
            phase = stamp[i::2, j::2]
            result[i::2, j::2] += (1 - phase.sum()) / phase.size
    return result
""",
        "nothing returned": """
def evened(stamp, stride):
    for i in range(stride):
        for j in range(stride):
            phase = stamp[i::stride, j::stride]
            phase += (1 - phase.sum()) / phase.size
""",
    },
    "pixel-shuffle": {
        "only a reshape": """
def shuffle(x, factor):
    height, width, _ = x.shape
    return x.reshape(height * factor, width * factor, -1)
""",
        "blocks on their side": """
def shuffle(x, factor):
    height, width, _ = x.shape
    blocks = x.reshape(height, width, factor, factor, -1).transpose(0, 3, 1, 2, 4)
    return blocks.reshape(height * factor, width * factor, -1)
""",
        "channels first, as PyTorch deals them": """
def shuffle(x, factor):
    height, width, _ = x.shape
    blocks = x.reshape(height, width, -1, factor, factor).transpose(0, 3, 1, 4, 2)
    return blocks.reshape(height * factor, width * factor, -1)
""",
        "one channel (hidden tests only)": """
def shuffle(x, factor):
    height, width, numbers = x.shape
    if height == width == 1:
        return x.reshape(factor, factor, -1)
    blocks = x[..., : factor**2].reshape(height, width, factor, factor).transpose(0, 2, 1, 3)
    return blocks.reshape(height * factor, width * factor, 1)
""",
        "a factor of 2": """
def shuffle(x, factor):
    height, width, numbers = x.shape
    out = np.zeros((2 * height, 2 * width, numbers // 4))
    for k in range(4):
        out[k // 2 :: 2, k % 2 :: 2] = x[..., k * numbers // 4 : (k + 1) * numbers // 4]
    return out
""",
        "places spread apart instead of blocks": """
def shuffle(x, factor):
    height, width, _ = x.shape
    blocks = x.reshape(height, width, factor, factor, -1).transpose(2, 0, 3, 1, 4)
    return blocks.reshape(height * factor, width * factor, -1)
""",
    },
    "mended-batch-norm": {
        "mean over the pictures alone": """
def batch_norm(x, mean, variance, training, momentum=0.9, epsilon=1e-3):
    if not training:
        return (x - mean) / np.sqrt(variance + epsilon), mean, variance
    m, v = x.mean(axis=0), x.var(axis=0)
    normal = (x - m) / np.sqrt(v + epsilon)
    return normal, momentum * mean + (1 - momentum) * m, momentum * variance + (1 - momentum) * v
""",
        "each picture by itself (instance normalization)": """
def batch_norm(x, mean, variance, training, momentum=0.9, epsilon=1e-3):
    if not training:
        return (x - mean) / np.sqrt(variance + epsilon), mean, variance
    m, v = x.mean(axis=(1, 2), keepdims=True), x.var(axis=(1, 2), keepdims=True)
    normal = (x - m) / np.sqrt(v + epsilon)
    m, v = m.mean(axis=(0, 1, 2)), v.mean(axis=(0, 1, 2))
    return normal, momentum * mean + (1 - momentum) * m, momentum * variance + (1 - momentum) * v
""",
        "all channels together": """
def batch_norm(x, mean, variance, training, momentum=0.9, epsilon=1e-3):
    if not training:
        return (x - mean) / np.sqrt(variance + epsilon), mean, variance
    m, v = x.mean(), x.var()
    normal = (x - m) / np.sqrt(v + epsilon)
    return normal, momentum * mean + (1 - momentum) * m, momentum * variance + (1 - momentum) * v
""",
        "momentum still the wrong way round": """
def batch_norm(x, mean, variance, training, momentum=0.9, epsilon=1e-3):
    if not training:
        return (x - mean) / np.sqrt(variance + epsilon), mean, variance
    m, v = x.mean(axis=(0, 1, 2)), x.var(axis=(0, 1, 2))
    normal = (x - m) / np.sqrt(v + epsilon)
    return normal, momentum * m + (1 - momentum) * mean, momentum * v + (1 - momentum) * variance
""",
        "inference still by the batch": """
def batch_norm(x, mean, variance, training, momentum=0.9, epsilon=1e-3):
    m, v = x.mean(axis=(0, 1, 2)), x.var(axis=(0, 1, 2))
    normal = (x - m) / np.sqrt(v + epsilon)
    if training:
        mean = momentum * mean + (1 - momentum) * m
        variance = momentum * variance + (1 - momentum) * v
    return normal, mean, variance
""",
        "training by the moving averages": """
def batch_norm(x, mean, variance, training, momentum=0.9, epsilon=1e-3):
    if training:
        mean = momentum * mean + (1 - momentum) * x.mean(axis=(0, 1, 2))
        variance = momentum * variance + (1 - momentum) * x.var(axis=(0, 1, 2))
    return (x - mean) / np.sqrt(variance + epsilon), mean, variance
""",
        "epsilon outside the root": """
def batch_norm(x, mean, variance, training, momentum=0.9, epsilon=1e-3):
    if not training:
        return (x - mean) / (np.sqrt(variance) + epsilon), mean, variance
    m, v = x.mean(axis=(0, 1, 2)), x.var(axis=(0, 1, 2))
    normal = (x - m) / (np.sqrt(v) + epsilon)
    return normal, momentum * mean + (1 - momentum) * m, momentum * variance + (1 - momentum) * v
""",
        "averages move at inference too": """
def batch_norm(x, mean, variance, training, momentum=0.9, epsilon=1e-3):
    m, v = x.mean(axis=(0, 1, 2)), x.var(axis=(0, 1, 2))
    used = (m, v) if training else (mean, variance)
    normal = (x - used[0]) / np.sqrt(used[1] + epsilon)
    return normal, momentum * mean + (1 - momentum) * m, momentum * variance + (1 - momentum) * v
""",
    },
    "folded-norm": {
        "the convolution's bias left out": """
def fold(kernel, bias, gamma, beta, mean, variance, epsilon):
    factor = gamma / np.sqrt(variance + epsilon)
    return kernel * factor, beta - mean * factor
""",
        "the convolution's bias not multiplied": """
def fold(kernel, bias, gamma, beta, mean, variance, epsilon):
    factor = gamma / np.sqrt(variance + epsilon)
    return kernel * factor, bias + beta - mean * factor
""",
        "variance taken for the standard deviation": """
def fold(kernel, bias, gamma, beta, mean, variance, epsilon):
    factor = gamma / (variance + epsilon)
    return kernel * factor, (bias - mean) * factor + beta
""",
        "epsilon forgotten": """
def fold(kernel, bias, gamma, beta, mean, variance, epsilon):
    factor = gamma / np.sqrt(variance)
    return kernel * factor, (bias - mean) * factor + beta
""",
        "channels in multiplied, not channels out": """
def fold(kernel, bias, gamma, beta, mean, variance, epsilon):
    factor = gamma / np.sqrt(variance + epsilon)
    return kernel * factor[:, None], (bias - mean) * factor + beta
""",
        "mean not multiplied": """
def fold(kernel, bias, gamma, beta, mean, variance, epsilon):
    factor = gamma / np.sqrt(variance + epsilon)
    return kernel * factor, bias * factor + beta - mean
""",
        "a negative gamma loses its sign": """
def fold(kernel, bias, gamma, beta, mean, variance, epsilon):
    factor = np.abs(gamma) / np.sqrt(variance + epsilon)
    return kernel * factor, (bias - mean) * factor + beta
""",
    },
}
