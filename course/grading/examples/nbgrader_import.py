"""Bring grades into nbgrader's gradebook, task by task.

    python nbgrader_import.py graded/grades.json COURSE/gradebook.db

Run it where the command `nbgrader` works, after `nbgrader generate_assignment` has made the
assignments there. Students who are not there yet are added. What you have graded by hand stays;
running it again brings in what is new.
"""

import json
import sys

from nbgrader.api import Gradebook, MissingEntry


def bring(grades, database):
    """Write the points in the file `grades` to the gradebook at `database`, say what was left out.

    Returns how many submissions were brought in.
    """
    with open(grades, encoding="utf-8") as file:
        submissions = json.load(file)["submissions"]
    count = 0
    with Gradebook(f"sqlite:///{database}") as book:
        for submission in submissions:
            student, assignment = submission["student"], submission["assignment"]
            if submission["status"] != "graded":
                print(f"{student!r} {assignment!r} was not graded: {submission['reason']}")
                continue
            try:
                notebook = _notebook(book, assignment, submission["tasks"])
            except MissingEntry:
                print(f"{assignment!r} is not in the gradebook: run nbgrader generate_assignment.")
                continue
            book.update_or_create_student(student)
            book.update_or_create_submission(
                assignment, student, timestamp=submission["when"].removesuffix("+00:00")
            )
            for task in submission["tasks"]:
                grade = book.find_grade(task["task"], notebook, assignment, student)
                grade.auto_score = task["points"]
                grade.needs_manual_grade = task["status"] == "not checked"
            book.db.commit()
            count += 1
    return count


def _notebook(book, assignment, tasks):
    """The notebook of the assignment that has these tasks; an assignment may have several."""
    for notebook in book.find_assignment(assignment).notebooks:
        if {task["task"] for task in tasks} <= {cell.name for cell in notebook.grade_cells}:
            return notebook.name
    raise MissingEntry(f"{assignment}: no notebook with these tasks")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    print(f"{bring(*sys.argv[1:])} submissions are in the gradebook.")
