"""The one form in which notebooks are stored: same content, same bytes.

What a run leaves behind by chance (timings, random cell ids, widget state, the order of keys) is
dropped, so that a diff shows only what somebody changed.
"""

import base64
import copy
import io
import re

import nbformat
from PIL import Image

KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
NOTEBOOK_METADATA = {"accelerator"}  # Colab starts a GPU machine for "accelerator": "GPU"
CELL_METADATA = {"tags", "nbgrader", "deletable", "editable"}
IMAGE_METADATA = {"alt", "width", "height", "unconfined", "needs_background"}
RANDOM_ID = re.compile(r"(?=[a-f]*\d)[0-9a-f]{8}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
ANSI = re.compile(r"\x1b\[[0-9;]*m")


def canonical(notebook):
    """The text of `notebook` (a NotebookNode, format 4) as it is stored in a file.

    ``canonical(read(canonical(n))) == canonical(n)``. The argument is left as it was.
    """
    notebook = copy.deepcopy(notebook)
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    notebook.metadata = nbformat.from_dict(
        {key: value for key, value in notebook.metadata.items() if key in NOTEBOOK_METADATA}
        | {"kernelspec": KERNEL, "language_info": {"name": "python"}}
    )
    _name_cells(notebook.cells)
    count = 0
    for cell in notebook.cells:
        cell.source = cell.source.rstrip("\n")
        _keep(cell.metadata, CELL_METADATA)
        if not cell.metadata.get("tags"):
            cell.metadata.pop("tags", None)
        if cell.cell_type == "code":
            if cell.execution_count is not None:
                count += 1
                cell.execution_count = count
            cell.outputs = _merge_streams(cell.outputs)
            for output in cell.outputs:
                _clean_output(output, cell.execution_count)
    return nbformat.writes(notebook) + "\n"


def slug(text, limit=40):
    """`text` as lower-case words joined by hyphens, at most `limit` characters."""
    words = re.findall(r"[a-z0-9]+", re.sub(r"\]\([^)]*\)", "", text).lower())
    while len("-".join(words)) > limit and len(words) > 1:
        words.pop()
    return "-".join(words)[:limit] or "cell"


def heading(source):
    """The text of the first heading in a Markdown source, or None."""
    prose = re.sub(r"^(```|~~~).*?^\1", "", source, flags=re.M | re.S)
    found = re.search(r"^#{1,6}\s+(.+?)\s*#*$", prose, re.M)
    return found and found[1]


def _name_cells(cells):
    """Give every cell a readable id; the ones that have one keep it."""
    taken, unnamed = set(), []
    for cell in cells:
        name = cell.get("id", "")
        if SLUG.fullmatch(name) and not RANDOM_ID.fullmatch(name) and name not in taken:
            taken.add(name)
        else:
            unnamed.append(cell)
    section = "cell"
    for cell in cells:
        title = heading(cell.source) if cell.cell_type == "markdown" else None
        section = slug(title) if title else section
        if not any(cell is other for other in unnamed):
            continue
        first_line = next((line for line in cell.source.splitlines() if line.strip()), "")
        base = section if title or cell.cell_type == "code" else slug(first_line)
        name, number = base, 2
        while name in taken:
            name, number = f"{base}-{number}", number + 1
        taken.add(name)
        cell.id = name


def _keep(metadata, keys):
    for key in set(metadata) - keys:
        del metadata[key]


def _merge_streams(outputs):
    """Join neighbouring pieces of one stream: where they were cut depends on timing."""
    merged = []
    for output in outputs:
        if (
            output.output_type == "stream"
            and merged
            and merged[-1].output_type == "stream"
            and merged[-1].name == output.name
        ):
            merged[-1].text += output.text
        else:
            merged.append(output)
    return merged


def _clean_output(output, count):
    if output.output_type == "stream":
        # What a carriage return overwrote was only ever a progress bar.
        output.text = re.sub(r"^.*\r(?!\n)", "", output.text, flags=re.M)
    elif output.output_type == "error":
        # Frames outside the notebook carry paths of the machine that ran it.
        output.traceback = [
            frame for frame in output.traceback if not ANSI.sub("", frame).startswith("File ")
        ]
    else:
        if output.output_type == "execute_result":
            output.execution_count = count
        for mime, value in list(output.metadata.items()):
            if mime.startswith("image/"):
                _keep(value, IMAGE_METADATA)
        _keep(output.metadata, {"alt", *(mime for mime in output.metadata if "image/" in mime)})
        if "image/png" in output.data:
            output.data["image/png"] = _small_png(output.data["image/png"])


def _small_png(encoded):
    """A base64 PNG with at most 256 colours where that is smaller, else the one given.

    A picture that has a palette already stays as it is, so a second pass changes nothing.
    """
    encoded = "".join(encoded.split())
    original = base64.b64decode(encoded)
    with Image.open(io.BytesIO(original)) as image:
        if image.mode == "P":
            return encoded
        page = Image.new("RGBA", image.size, "white")
        page.alpha_composite(image.convert("RGBA"))
    buffer = io.BytesIO()
    # The octree keeps the flat colours of masks within one step; dithering would speckle them.
    flat = page.convert("RGB").quantize(256, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    flat.save(buffer, "PNG", optimize=True)
    small = buffer.getvalue()
    return base64.b64encode(small).decode() if len(small) < len(original) else encoded
