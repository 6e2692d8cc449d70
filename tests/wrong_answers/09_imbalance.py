"""Wrong answers to the exercises of lesson 09: each must lose the points of its task."""

WRONG = {
    "fair-weight": {
        "the share in place of the odds": """
def fair_weight(counts, index, most):
    own = counts[:, index]
    others = counts.sum(axis=1) - own
    shown = own > 0
    if not shown.any():
        return np.inf
    return float((others[shown] / own[shown]).min() * most)
""",
        "the highest of the limits": """
def fair_weight(counts, index, most):
    own = counts[:, index]
    others = counts.sum(axis=1) - own
    shown = own > 0
    if not shown.any():
        return np.inf
    return float((others[shown] / own[shown]).max() * most / (1 - most))
""",
        "all pictures taken as one": """
def fair_weight(counts, index, most):
    total = counts.sum(axis=0)
    own = total[index]
    if own == 0:
        return np.inf
    return float((total.sum() - own) / own * most / (1 - most))
""",
        "the class counted among the others": """
def fair_weight(counts, index, most):
    own = counts[:, index]
    shown = own > 0
    if not shown.any():
        return np.inf
    return float((counts.sum(axis=1)[shown] / own[shown]).min() * most / (1 - most))
""",
        "integer division (hidden tests only)": """
def fair_weight(counts, index, most):
    own = counts[:, index]
    others = counts.sum(axis=1) - own
    shown = own > 0
    if not shown.any():
        return np.inf
    return float((others[shown] // own[shown]).min() * most / (1 - most))
""",
        "no thought of a class that is nowhere (hidden tests only)": """
def fair_weight(counts, index, most):
    own = counts[:, index]
    others = counts.sum(axis=1) - own
    shown = own > 0
    return float((others[shown] / own[shown]).min() * most / (1 - most))
""",
        "the limit of the picture with most pixels of the class (hidden tests only)": """
def fair_weight(counts, index, most):
    row = counts[:, index].argmax()
    own = counts[row, index]
    if own == 0:
        return np.inf
    return float((counts[row].sum() - own) / own * most / (1 - most))
""",
    },
    "finite-focal": {
        "p clipped": """
def focal_loss(logits, ids, gamma=2.0, ignore=0):
    counted = ids != ignore
    if not counted.any():
        return 0.0
    scores, labels = logits[counted].astype("float64"), ids[counted]
    e = np.exp(scores - scores.max(axis=-1, keepdims=True))
    p = (e / e.sum(axis=-1, keepdims=True))[np.arange(len(labels)), labels]
    p = np.clip(p, 1e-7, 1 - 1e-7)
    return float(np.mean((1 - p) ** gamma * -np.log(p)))
""",
        "nan and infinity swept under the carpet": """
def focal_loss(logits, ids, gamma=2.0, ignore=0):
    counted = ids != ignore
    with np.errstate(all="ignore"):
        e = np.exp(logits[counted])
        p = (e / e.sum(axis=-1, keepdims=True))[np.arange(counted.sum()), ids[counted]]
        return float(np.nan_to_num(np.mean((1 - p) ** gamma * -np.log(p))))
""",
        "the mean over all pixels": """
def focal_loss(logits, ids, gamma=2.0, ignore=0):
    counted = ids != ignore
    scores, labels = logits[counted].astype("float64"), ids[counted]
    scores = scores - scores.max(axis=-1, keepdims=True)
    log_p = scores[np.arange(len(labels)), labels] - np.log(np.exp(scores).sum(axis=-1))
    return float(((1 - np.exp(log_p)) ** gamma * -log_p).sum() / ids.size)
""",
        "the easy pixels turned up": """
def focal_loss(logits, ids, gamma=2.0, ignore=0):
    counted = ids != ignore
    if not counted.any():
        return 0.0
    scores, labels = logits[counted].astype("float64"), ids[counted]
    scores = scores - scores.max(axis=-1, keepdims=True)
    log_p = scores[np.arange(len(labels)), labels] - np.log(np.exp(scores).sum(axis=-1))
    return float(np.mean(np.exp(log_p) ** gamma * -log_p))
""",
        "one largest score for all pixels (hidden tests only)": """
def focal_loss(logits, ids, gamma=2.0, ignore=0):
    counted = ids != ignore
    if not counted.any():
        return 0.0
    scores, labels = logits[counted].astype("float64"), ids[counted]
    scores = scores - scores.max()
    with np.errstate(divide="ignore"):
        log_p = scores[np.arange(len(labels)), labels] - np.log(np.exp(scores).sum(axis=-1))
    return float(np.mean((1 - np.exp(log_p)) ** gamma * -log_p))
""",
        "gamma is always 2 (hidden tests only)": """
def focal_loss(logits, ids, gamma=2.0, ignore=0):
    counted = ids != ignore
    if not counted.any():
        return 0.0
    scores, labels = logits[counted].astype("float64"), ids[counted]
    scores = scores - scores.max(axis=-1, keepdims=True)
    log_p = scores[np.arange(len(labels)), labels] - np.log(np.exp(scores).sum(axis=-1))
    return float(np.mean((1 - np.exp(log_p)) ** 2 * -log_p))
""",
        "labels looked up before the ignored are out (hidden tests only)": """
def focal_loss(logits, ids, gamma=2.0, ignore=0):
    counted = ids != ignore
    if not counted.any():
        return 0.0
    scores = logits - logits.max(axis=-1, keepdims=True)
    of_truth = np.take_along_axis(scores, ids[..., None], axis=-1)[..., 0]
    log_p = (of_truth - np.log(np.exp(scores).sum(axis=-1)))[counted]
    return float(np.mean((1 - np.exp(log_p)) ** gamma * -log_p))
""",
    },
    "tversky-loss": {
        "the weights swapped": """
def tversky_loss(p, ids, false_weight, missed_weight, ignore):
    counted = ids != ignore
    if not counted.any():
        return 0.0
    p, truth = p[counted], ids[counted][:, None] == np.arange(p.shape[-1])
    hits, false, missed = (p * truth).sum(0), (p * ~truth).sum(0), ((1 - p) * truth).sum(0)
    index = hits / (hits + missed_weight * false + false_weight * missed + 1e-12)
    return float(1 - index[truth.any(0)].mean())
""",
        "the mean over absent classes too": """
def tversky_loss(p, ids, false_weight, missed_weight, ignore):
    counted = ids != ignore
    if not counted.any():
        return 0.0
    p, truth = p[counted], ids[counted][:, None] == np.arange(p.shape[-1])
    hits, false, missed = (p * truth).sum(0), (p * ~truth).sum(0), ((1 - p) * truth).sum(0)
    index = hits / (hits + false_weight * false + missed_weight * missed + 1e-12)
    return float(1 - index.mean())
""",
        "ignored pixels count as false": """
def tversky_loss(p, ids, false_weight, missed_weight, ignore):
    truth = (ids[..., None] == np.arange(p.shape[-1])) & (ids != ignore)[..., None]
    axes = (0, 1, 2)
    hits, false, missed = (p * truth).sum(axes), (p * ~truth).sum(axes), ((1 - p) * truth).sum(axes)
    index = hits / (hits + false_weight * false + missed_weight * missed + 1e-12)
    present = truth.any(axes)
    return float(1 - index[present].mean()) if present.any() else 0.0
""",
        "argmax first": """
def tversky_loss(p, ids, false_weight, missed_weight, ignore):
    counted = ids != ignore
    if not counted.any():
        return 0.0
    truth = ids[counted][:, None] == np.arange(p.shape[-1])
    p = p[counted].argmax(-1)[:, None] == np.arange(p.shape[-1])
    hits, false, missed = (p & truth).sum(0), (p & ~truth).sum(0), (~p & truth).sum(0)
    index = hits / (hits + false_weight * false + missed_weight * missed + 1e-12)
    return float(1 - index[truth.any(0)].mean())
""",
        "the index, not the loss": """
def tversky_loss(p, ids, false_weight, missed_weight, ignore):
    counted = ids != ignore
    if not counted.any():
        return 0.0
    p, truth = p[counted], ids[counted][:, None] == np.arange(p.shape[-1])
    hits, false, missed = (p * truth).sum(0), (p * ~truth).sum(0), ((1 - p) * truth).sum(0)
    index = hits / (hits + false_weight * false + missed_weight * missed + 1e-12)
    return float(index[truth.any(0)].mean())
""",
        "one index a picture, then the mean (hidden tests only)": """
def tversky_loss(p, ids, false_weight, missed_weight, ignore):
    found = []
    for chance, labels in zip(p, ids):
        counted = labels != ignore
        if not counted.any():
            continue
        chance, truth = chance[counted], labels[counted][:, None] == np.arange(p.shape[-1])
        hits, false = (chance * truth).sum(0), (chance * ~truth).sum(0)
        missed = ((1 - chance) * truth).sum(0)
        index = hits / (hits + false_weight * false + missed_weight * missed + 1e-12)
        found.append(index[truth.any(0)].mean())
    return float(1 - np.mean(found)) if found else 0.0
""",
        "present where something was hit (hidden tests only)": """
def tversky_loss(p, ids, false_weight, missed_weight, ignore):
    counted = ids != ignore
    if not counted.any():
        return 0.0
    p, truth = p[counted], ids[counted][:, None] == np.arange(p.shape[-1])
    hits, false, missed = (p * truth).sum(0), (p * ~truth).sum(0), ((1 - p) * truth).sum(0)
    index = hits / (hits + false_weight * false + missed_weight * missed + 1e-12)
    return float(1 - index[hits > 0].mean())
""",
        "only class 0 is ever ignored (hidden tests only)": """
def tversky_loss(p, ids, false_weight, missed_weight, ignore):
    counted = ids > 0
    if not counted.any():
        return 0.0
    p, truth = p[counted], ids[counted][:, None] == np.arange(p.shape[-1])
    hits, false, missed = (p * truth).sum(0), (p * ~truth).sum(0), ((1 - p) * truth).sum(0)
    index = hits / (hits + false_weight * false + missed_weight * missed + 1e-12)
    return float(1 - index[truth.any(0)].mean())
""",
    },
    "changed-shares": {
        "logits multiplied by the ratio": """
def at_new_shares(logits, old, new):
    scores = logits * np.where(old > 0, new / np.maximum(old, 1e-12), 0)
    e = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)
""",
        "the ratio upside down": """
def at_new_shares(logits, old, new):
    scores = logits + np.log(old) - np.log(new)
    e = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)
""",
        "not scaled back to one": """
def at_new_shares(logits, old, new):
    e = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True) * new / old
""",
        "argmax too early": """
def at_new_shares(logits, old, new):
    return (logits + np.log(new) - np.log(old)).argmax(axis=-1)
""",
        "softmax over the first axis": """
def at_new_shares(logits, old, new):
    scores = logits + np.log(new) - np.log(old)
    e = np.exp(scores - scores.max(axis=0))
    return e / e.sum(axis=0)
""",
        "softmax over the second axis (hidden tests only)": """
def at_new_shares(logits, old, new):
    both = (old > 0) & (new > 0)
    scores = logits + np.log(np.where(both, new, 0) / np.where(both, old, 1) + 1e-300)
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)
""",
        "shares of zero give nan": """
def at_new_shares(logits, old, new):
    with np.errstate(all="ignore"):
        scores = logits + np.log(new / old)
        e = np.exp(scores - scores.max(axis=-1, keepdims=True))
        return e / e.sum(axis=-1, keepdims=True)
""",
        "one largest score for all pixels (hidden tests only)": """
def at_new_shares(logits, old, new):
    both = (old > 0) & (new > 0)
    scores = np.where(both, logits + np.log(np.where(both, new / np.where(both, old, 1), 1)), -np.inf)
    with np.errstate(invalid="ignore"):
        e = np.exp(scores - scores.max())
        return e / e.sum(axis=-1, keepdims=True)
""",
        "the largest score before the shift (hidden tests only)": """
def at_new_shares(logits, old, new):
    both = (old > 0) & (new > 0)
    e = np.exp(logits - logits.max(axis=-1, keepdims=True))
    e = e * np.where(both, new, 0) / np.where(both, old, 1)
    with np.errstate(invalid="ignore"):
        return e / e.sum(axis=-1, keepdims=True)
""",
    },
}
