"""The command line: ``python -m course``."""

import argparse
import os
import sys
import traceback
from pathlib import Path


def main(arguments=None):
    """Run one command; returns the exit status.

    An error that speaks to its reader, one that the course itself raised, is printed as its message
    alone; of others the traceback is what helps.
    """
    options = _parser().parse_args(arguments)
    try:
        return int(bool(options.run(options)))
    except (ValueError, FileNotFoundError) as error:
        if isinstance(error, ValueError) and not _is_ours(error):
            raise
        print(error, file=sys.stderr)
        return 1
    except BrokenPipeError:  # piped into head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        if error.filename is None:
            raise
        print(f"{error.filename}: {error.strerror}. Name another place.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted.", file=sys.stderr)
        return 130


def _is_ours(error):
    """Whether a line of the course raised `error`, not one of a library below it."""
    *_, innermost = traceback.extract_tb(error.__traceback__)
    return Path(innermost.filename).resolve().is_relative_to(Path(__file__).resolve().parent)


def _parser():
    parser = argparse.ArgumentParser(prog="python -m course", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser("lessons", help="run lessons, write build/lessons/index.html")
    command.add_argument(
        "numbers", nargs="*", metavar="N", help="lesson numbers, such as 06; all by default"
    )
    command.add_argument(
        "--out", default="build/lessons", help="where pages go (default: %(default)s)"
    )
    command.set_defaults(run=_lessons)

    command = commands.add_parser("refresh", help="re-execute lessons and store their outputs")
    command.add_argument("numbers", nargs="*", metavar="N")
    command.add_argument(
        "--solutions", action="store_true", help="the author notebooks of the exercises instead"
    )
    command.set_defaults(run=_refresh)

    command = commands.add_parser("format", help="bring notebooks into the one stored form")
    command.add_argument("--check", action="store_true", help="only name those that are not")
    command.set_defaults(run=_format)

    command = commands.add_parser("doctor", help="check this machine and say how to mend it")
    command.add_argument(
        "--grading", action="store_true", help="say only which box for students' code there is"
    )
    command.set_defaults(run=_doctor)

    command = commands.add_parser(
        "exercises", help="for authors: write notebooks/exercises/ from notebooks/solutions/"
    )
    command.add_argument("--author", help="folder of author notebooks (default: the course's own)")
    command.add_argument("--out", help="where to write to (default: notebooks/exercises)")
    command.add_argument("--check", action="store_true", help="only name those out of date")
    command.set_defaults(run=_exercises)

    command = commands.add_parser("grade", help="grade submissions, write grades and feedback")
    _add_grading(command)
    command.set_defaults(run=_grade)

    command = commands.add_parser("demo-class", help="write sample submissions to try `grade` on")
    command.add_argument("folder", metavar="FOLDER", help="where to; must be empty or not exist")
    command.set_defaults(run=_demo_class)

    command = commands.add_parser(
        "data", help="say which data lessons will use, or fetch the real pictures"
    )
    command.add_argument(
        "--kaggle", action="store_true", help="download the Semantic Drone Dataset (4 GB)"
    )
    command.add_argument(
        "--folder", help="where it is, or to download it to (default: data/ of the checkout)"
    )
    command.set_defaults(run=_data)

    command = commands.add_parser(
        "kaggle", help="run lessons on Kaggle's machines: push, status, fetch"
    )
    _add_kaggle(command)
    return parser


def _add_kaggle(parser):
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser("push", help="write build/kaggle/<lesson>/ and run it on Kaggle")
    command.add_argument(
        "numbers", nargs="*", metavar="N", help="lesson numbers, such as 06; all by default"
    )
    command.add_argument(
        "--stored",
        action="store_true",
        help="on the synthetic data at scale smoke, so that `fetch` can compare all outputs "
        "(default: on the real pictures)",
    )
    command.add_argument(
        "--internet",
        action="store_true",
        help="switch the internet on and take the course from GitHub (default: from a wheel of this "
        "checkout, which goes along as a private dataset)",
    )
    command.add_argument(
        "--machine",
        metavar="NAME",
        help="Kaggle's name of a machine, or cpu (default: NvidiaTeslaT4)",
    )
    _add_kaggle_folder(command)
    command.set_defaults(run=_kaggle_push)

    command = commands.add_parser("status", help="say how the runs are")
    command.add_argument("numbers", nargs="*", metavar="N")
    command.set_defaults(run=_kaggle_status)

    command = commands.add_parser("fetch", help="fetch executed lessons and compare their outputs")
    command.add_argument("numbers", nargs="*", metavar="N", help="all that were pushed by default")
    _add_kaggle_folder(command)
    command.set_defaults(run=_kaggle_fetch)


def _add_kaggle_folder(parser):
    parser.add_argument("--out", help="folder to write to (default: build/kaggle)")


# Each command returns how many things went wrong; none is success.


def _lessons(options):
    from course import notebooks

    return notebooks.run_lessons(options.numbers, options.out)


def _refresh(options):
    from course import notebooks

    if options.solutions:
        return notebooks.refresh(options.numbers, notebooks.FOLDER / "solutions")
    return notebooks.refresh(options.numbers)


def _format(options):
    from course import notebooks

    return notebooks.format_notebooks(check=options.check)


def _doctor(options):
    from course import doctor

    return doctor.report(doctor.grading() if options.grading else doctor.examine())


def _exercises(options):
    from course.grading import author

    if options.author and not options.out:
        raise ValueError("--author wants --out too: a folder for the students' notebooks.")
    source, target = options.author or author.FOLDER, options.out or author.EXERCISES
    changed = author.write_exercises(source, target, check=options.check)
    return changed if options.check else 0


def _add_grading(parser):
    from course.grading import command

    command.add_arguments(parser)


def _grade(options):
    from course.grading import command

    return command.run(options)


def _demo_class(options):
    from course.grading import demo

    demo.make(options.folder)
    return 0


def _data(options):
    from course import data, environment
    from course.data.download import DownloadError, download
    from course.data.errors import DataError, NoDatasetError
    from course.data.find import find

    if not options.kaggle:
        data.load(options.folder)
        return 0
    base = options.folder or environment.data_folder()
    if base is None:
        raise ValueError("Name a folder to download to: --folder DIR.")
    try:
        there = find(base)  # unpacked by hand, perhaps: a second one would be in its way
    except NoDatasetError:
        pass
    except DataError as error:
        raise ValueError(str(error)) from error
    else:
        print(f"The dataset is there already: {len(there.pairs)} pictures in {there.root}.")
        return 0
    try:
        download(os.path.join(base, "semantic-drone-dataset"))
    except DownloadError as error:
        raise ValueError(str(error)) from error
    return 0


def _kaggle_push(options):
    from course.kaggle import folders, kernels

    run = folders.Run(options.stored, options.internet, options.machine or folders.GPU)
    return _kaggle(kernels.push, options.numbers, run, options.out or kernels.FOLDER)


def _kaggle_status(options):
    from course.kaggle import kernels

    return _kaggle(kernels.status, options.numbers)


def _kaggle_fetch(options):
    from course.kaggle import kernels

    return _kaggle(kernels.fetch, options.numbers, options.out or kernels.FOLDER)


def _kaggle(command, *arguments):
    from course.kaggle.account import KaggleError

    try:
        return command(*arguments) or 0
    except KaggleError as error:
        raise ValueError(str(error)) from error


if __name__ == "__main__":
    sys.exit(main())
