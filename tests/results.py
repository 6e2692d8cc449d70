"""Invented results of grading, for the tests of what is made from results."""

IOU = """def masked_iou(truth, prediction, ignore=0):
    \"\"\"The IoU of each class, without the pixels to ignore.\"\"\"
    # every pixel that counts
    counted = truth != ignore
    hits = np.bincount(truth[counted & (truth == prediction)], minlength=24)
    return hits / union(truth, prediction, counted, 24.0)"""

CASE = {
    "case": "a class that is absent",
    "expected": "an array of shape (3,), float64: [0.5, 1. , nan]",
    "got": "an array of shape (3,), float64: [0.5, 1. , 0. ]; 1 of 3 entries differs, at "
    "[2]: nan expected, 0 got",
    "look": "what is 0 divided by 0 here, and which class has no pixel in the truth?",
    "hidden": False,
}
HIDDEN = {"case": "random masks with an absent class", "hidden": True}


def task(status="right", name="masked-iou-check", failure=None, **fields):
    """One entry of a result's tasks, worth three points."""
    entry = {
        "task": name,
        "title": f"Task 1: {name.replace('-', ' ')} (3 points)",
        "points": 3 if status == "right" else 0,
        "max_points": 3,
        "status": status,
        "failure": failure,
        "message": "",
        "source": IOU,
        "output": "",
    }
    return entry | fields


def result(student="ada", *tasks, assignment="02_measuring", **fields):
    """A submission that was graded in a sandbox."""
    return {
        "schema": 1,
        "student": student,
        "assignment": assignment,
        "status": "graded",
        "reason": "",
        "notes": [],
        "sandbox": "bubblewrap",
        "fingerprint": "sha256:0",
        "seconds": 1.5,
        "points": sum(entry["points"] for entry in tasks),
        "max_points": sum(entry["max_points"] for entry in tasks),
        "tasks": list(tasks),
    } | fields


def not_graded(student, reason, **fields):
    """A submission that could not be graded; the tasks of the assignment count as missing."""
    tasks = [task("missing", source="")] if fields.get("assignment", "x") else []
    return result(student, *tasks, status="not graded", reason=reason, sandbox="none", **fields)


def every_status(student="ada", **fields):
    """A result with a task of each kind."""
    return result(
        student,
        task("right", "confusion-check", output="3 classes\n[[4 0 0]\n [1 2 0]\n [0 0 5]]"),
        task("wrong", failure=CASE),
        task("wrong", "pixel-accuracy-check", failure=HIDDEN),
        task(
            "error",
            "band-accuracy-check",
            failure={
                "case": "after “the first call”",
                "expected": "a value",
                "got": "your code stopped with NameError: name 'cv' is not defined (line 3: "
                "`band = cv.dilate(truth)`)",
                "look": "the line named above; try it on its own",
                "hidden": False,
            },
        ),
        task(
            "not attempted",
            "rates-check",
            source="# YOUR CODE HERE\nraise NotImplementedError()",
            message="rates: not attempted yet. Write your answer in place of "
            "`raise NotImplementedError()`, run that cell, then this one.",
        ),
        task(
            "missing",
            "mean-check",
            source="",
            message="the cell of this task is not in what you handed in",
        ),
        task("stopped", "flood-check", message="stopped: it took longer than 60 seconds"),
        **fields,
    )


def a_class():
    """Two assignments, and a student for each fate."""
    right, wrong = task("right"), task("wrong", failure=CASE)
    second = task("wrong", "rates-check", failure=HIDDEN)
    other = {"assignment": "08_unet"}
    names = ["ben", "chen", "dora", "emil", "fatima", "Zoë Ørsted", "גדי"]
    return [
        every_status(notes=["The cell `masked-iou` is there twice: the first copy counts."]),
        *(result(name, right, second) for name in names[:4]),
        *(result(name, wrong, second) for name in names[4:]),
        *(result(name, task("right", "skip-check"), **other) for name in names[:5]),
        result("ada", task("error", "skip-check", message="ValueError: shapes"), **other),
        not_graded("gus", "The file is empty. Save the notebook in Jupyter and hand it in again."),
        not_graded(
            "hana",
            "There is no notebook in it. Hand in the file that ends in .ipynb.",
            assignment="",
        ),
    ]
