"""Wrong answers to the exercises of lesson 00: grade id → title of the error → source."""

GROUND = """
def ground_below(mask, row, column, reach):
    rows = slice(max(row - reach, 0), row + reach + 1)
    columns = slice(max(column - reach, 0), column + reach + 1)
    ids, counts = np.unique(mask[rows, columns], return_counts=True)
    return classes.NAMES[ids[np.argmax(counts)]]
"""

HIGHLIGHT = """
def highlight(image, mask, id):
    grey = image.mean(axis=-1, keepdims=True).astype(np.uint8)
    return np.where((mask == id)[..., None], image, grey)
"""

REFUSED = """
def refused(masks):
    found = []
    for place, mask in enumerate(masks):
        try:
            classes.check_ids(mask)
        except ValueError as error:
            found.append((place, str(error)))
    return found
"""


def changed(source, old, new):
    """`source` with one piece exchanged, which must be there."""
    assert old in source, old
    return source.replace(old, new)


WRONG = {
    "ground-below": {
        "the last row and column left out": GROUND.replace(" + 1", ""),
        "a slice that begins below 0": changed(
            changed(GROUND, "max(row - reach, 0)", "row - reach"),
            "max(column - reach, 0)",
            "column - reach",
        ),
        "rows and columns exchanged": changed(GROUND, "mask[rows, columns]", "mask[columns, rows]"),
        "the id in place of the name": changed(
            GROUND, "classes.NAMES[ids[np.argmax(counts)]]", "ids[np.argmax(counts)]"
        ),
        "the place in the list of ids taken for the id": changed(
            GROUND, "ids[np.argmax(counts)]", "np.argmax(counts)"
        ),
        "the class of the pixel alone": """
def ground_below(mask, row, column, reach):
    return classes.NAMES[mask[row, column]]
""",
        "the commonest class of the whole mask": changed(GROUND, "mask[rows, columns]", "mask"),
        "a window cut short at the far edges": changed(
            changed(GROUND, "row + reach + 1", "min(row + reach, len(mask) - 1) + (reach == 0)"),
            "column + reach + 1",
            "min(column + reach + 1, mask.shape[1])",
        ),
        "the id in the middle of the sorted window": """
def ground_below(mask, row, column, reach):
    rows = slice(max(row - reach, 0), row + reach + 1)
    columns = slice(max(column - reach, 0), column + reach + 1)
    return classes.NAMES[int(np.median(mask[rows, columns]))]
""",
        "a tie goes to the class met first": """
from collections import Counter

def ground_below(mask, row, column, reach):
    rows = slice(max(row - reach, 0), row + reach + 1)
    columns = slice(max(column - reach, 0), column + reach + 1)
    return classes.NAMES[Counter(mask[rows, columns].ravel().tolist()).most_common(1)[0][0]]
""",
        "the answers of the visible cases": """
def ground_below(mask, row, column, reach):
    return "grass" if column < 2 else "paved-area" if reach else "person"
""",
    },
    "highlight": {
        "a sum of uint8 that overflows": changed(
            HIGHLIGHT,
            "image.mean(axis=-1, keepdims=True).astype(np.uint8)",
            "((image[..., 0] + image[..., 1] + image[..., 2]) // 3)[..., None]",
        ),
        "thirds added up, and cut off below a whole number": changed(
            HIGHLIGHT,
            "image.mean(axis=-1, keepdims=True)",
            "(image / 3).sum(axis=-1, keepdims=True)",
        ),
        "the mean down the columns": changed(HIGHLIGHT, "axis=-1", "axis=0"),
        "the mean along the rows": changed(HIGHLIGHT, "axis=-1", "axis=1"),
        "the mean of the whole picture": changed(HIGHLIGHT, "axis=-1, ", ""),
        "a float picture": changed(HIGHLIGHT, ".astype(np.uint8)", ""),
        "the class in grey and the rest in colour": changed(HIGHLIGHT, "mask == id", "mask != id"),
        "no third axis for the comparison": changed(
            HIGHLIGHT, "(mask == id)[..., None]", "mask == id"
        ),
        "a picture without colours": """
def highlight(image, mask, id):
    return np.where(mask == id, image[..., 0], image.mean(axis=-1)).astype(np.uint8)
""",
        "the weights of a television": changed(
            HIGHLIGHT,
            "image.mean(axis=-1, keepdims=True)",
            "(image @ [0.299, 0.587, 0.114])[..., None]",
        ),
        "rounded to the nearest": changed(
            HIGHLIGHT,
            "image.mean(axis=-1, keepdims=True)",
            "image.mean(axis=-1, keepdims=True).round()",
        ),
        "rounded up": changed(HIGHLIGHT, "image.mean(", "np.ceil(image.mean(").replace(
            "keepdims=True)", "keepdims=True))"
        ),
        "always the people": changed(HIGHLIGHT, "mask == id", "mask == 15"),
        "the class cut out": changed(HIGHLIGHT, "image, grey", "image, np.uint8(230)"),
    },
    "refused": {
        "the loop inside the try": """
def refused(masks):
    found = []
    try:
        for place, mask in enumerate(masks):
            classes.check_ids(mask)
    except ValueError as error:
        found.append((place, str(error)))
    return found
""",
        "back after the first": changed(
            REFUSED, "    return found", "            return found\n    return found"
        ),
        "counted from one": changed(REFUSED, "enumerate(masks)", "enumerate(masks, 1)"),
        "repr of the error": changed(REFUSED, "str(error)", "repr(error)"),
        "the error in place of its message": changed(REFUSED, "str(error)", "error"),
        "the places alone": changed(REFUSED, "(place, str(error))", "place"),
        "only ids above 23 are looked at": changed(
            REFUSED,
            "        try:\n",
            "        if mask.max() <= 23:\n            continue\n        try:\n",
        ),
        "a message of one's own": """
def refused(masks):
    return [(i, "bad mask") for i, mask in enumerate(masks) if mask.max() > 23 or mask.min() < 0]
""",
        "the answers of the visible cases": """
def refused(masks):
    message = ("Class id 30 is none of the 24 classes: 1 pixel has it, the first at row 0, "
               "column 1. Expected ids 0 to 23.")
    return [(i, message) for i, mask in enumerate(masks) if mask.max() > 23]
""",
        "printed and not returned": changed(REFUSED, "return found", "print(found)"),
        "a list that outlives the call": REFUSED.replace("(masks)", "(masks, found=[])").replace(
            "    found = []\n", ""
        ),
    },
}
