"""What the lessons cost, one by one: ``python -m benchmarks.lessons [N …] [--scale SCALE …]``.

Each lesson runs in a fresh kernel, as students run it. A line tells its wall time, the best mean IoU
on validation pictures that its trainings report, and what nbval says: at scale smoke, on the
synthetic scenes, every output must be the stored one; otherwise the lesson must not fail. With
``--accelerator`` a machine without one is refused. The table goes to the results, by device and backend.
"""

import argparse
import json
import os
import re
import subprocess
import sys
from pathlib import Path

from course import notebooks
from course.environment import SCALES
from course.notebooks import replay
from course.notebooks.execution import execute, kernel_environment
from course.notebooks.formatting import slug

RESULTS = Path(__file__).parent / "results"
# In a process of its own: whoever imports Keras on a GPU takes most of its memory.
ABOUT = """
import json, sys
from course import environment
keras = environment.import_keras()
library = environment.backend()
print(json.dumps({
    "device": environment.device_name(), "accelerator": environment.device() != "cpu",
    "precision": environment.precision(), "backend": library, "keras": keras.__version__,
    library: sys.modules[library].__version__,
}))
"""
REPORTED = re.compile(r"best validation mIoU (\d\.\d+)")


def about():
    """What the lessons will run on: a dictionary."""
    command = [sys.executable, "-c", ABOUT]
    done = subprocess.run(command, env=kernel_environment(), capture_output=True, text=True)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        raise ValueError(f"No lesson can start here. {last}")
    return json.loads(done.stdout.splitlines()[-1])


def run(path, scale, data):
    """Run the lesson in the file `path`; a row for the table, and the failures in words."""
    strict = scale == "smoke" and data == "synthetic"
    settings = {"COURSE_SCALE": scale, "COURSE_DATA": data, "COURSE_PROGRESS": "0"}
    outcome = execute(notebooks.read(path), path.parent, kernel_environment(**settings))
    failures = [outcome.failure] if outcome.failure else []
    if not failures:
        failures = [f"{f.cell}: {f.report}" for f in replay.compare(path, outcome.notebook, strict)]
    scores = [
        float(score) for text in printed(outcome.notebook) for score in REPORTED.findall(text)
    ]
    row = {
        "lesson": path.stem,
        "seconds": round(outcome.seconds, 1),
        "best mIoU": max(scores, default=None),
        "failures": len(failures),
    }
    return row, failures


def printed(notebook):
    """The texts that the cells of an executed notebook printed."""
    outputs = [o for c in notebook.cells if c.cell_type == "code" for o in c.outputs]
    return [output.text for output in outputs if output.output_type == "stream"]


def main():
    """Run all lessons at each scale; returns how many failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("numbers", nargs="*", metavar="N", help="lesson numbers; all by default")
    parser.add_argument("--scale", nargs="+", choices=SCALES, default=["smoke"])
    parser.add_argument("--accelerator", action="store_true", help="refuse to run on a CPU")
    options = parser.parse_args()
    machine, failed = about(), 0
    accelerator = machine.pop("accelerator")
    if options.accelerator and not accelerator:
        print(
            "Keras sees no accelerator here. With TensorFlow on an NVIDIA GPU: "
            "make setup REQUIREMENTS='-r requirements.txt tensorflow[and-cuda]'. "
            "On JAX or PyTorch: KERAS_BACKEND=jax make test-gpu."
        )
        return 1
    print(", ".join(f"{name} {value}" for name, value in machine.items()))
    data = os.environ.get("COURSE_DATA", "synthetic")
    for scale in options.scale:
        print(f"\n{scale}:\nlesson                    seconds  best mIoU  nbval")
        rows = []
        for path in notebooks.find(options.numbers):
            row, failures = run(path, scale, data)
            rows.append(row)
            score = f"{row['best mIoU']:.3f}" if row["best mIoU"] is not None else ""
            verdict = f"{len(failures)} FAILED" if failures else "agrees"
            print(f"{row['lesson']:25s} {row['seconds']:7.0f} {score:>10s}  {verdict}", flush=True)
            print("\n".join(failures), end="\n" if failures else "")
            failed += bool(failures)
        print(f"{'together':25s} {sum(row['seconds'] for row in rows):7.0f}")
        if not options.numbers:
            kind = "synthetic" if data == "synthetic" else "real"
            where = f"{slug(machine['device'])}-{machine['backend']}"
            file = RESULTS / f"lessons-{where}-{kind}-{scale}.json"
            file.write_text(json.dumps(machine | {"rows": rows}, indent=1) + "\n", encoding="utf-8")
    return failed


if __name__ == "__main__":
    try:
        sys.exit(min(main(), 1))
    except (ValueError, FileNotFoundError) as error:
        sys.exit(str(error))
