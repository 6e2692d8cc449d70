"""Signing in to Kaggle, late; where credentials are; what its refusals mean.

Nothing here shows a secret: credentials are named by the place they lie in, and errors of the
kaggle package are not chained, for they can quote signed addresses.
"""

import contextlib
import importlib.metadata
import io
import os

HOW_TO_SIGN_IN = (
    "Make a token at https://www.kaggle.com/settings under API, and put it into the environment variable "
    "KAGGLE_API_TOKEN or the file ~/.kaggle/access_token. Then run this again."
)
# Where the kaggle package looks for credentials, in its order.
CREDENTIAL_VARIABLES = ("KAGGLE_API_TOKEN", "KAGGLE_KEY")
CREDENTIAL_FILES = (
    "~/.kaggle/access_token",
    "~/.kaggle/access_token.txt",
    "~/.kaggle/kaggle.json",
    "~/.config/kaggle/kaggle.json",
    "~/.kaggle/credentials.json",
)


class KaggleError(RuntimeError):
    """Kaggle could not be used, or refused; the message says why and what to do.

    `status` is the HTTP status that it answered, `words` what it said, where it did.
    """

    def __init__(self, message, status=None, words=""):
        super().__init__(message)
        self.status, self.words = status, words


def sign_in():
    """The interface of the kaggle package, signed in.

    Raises
    ------
    KaggleError
        If the package cannot be imported. Any other trouble comes as the
        package has it, a SystemExit included: see :func:`ask`.
    """
    try:
        import kaggle  # signs in at once, and may end the process: not before it is needed
    except ImportError as error:
        raise KaggleError(
            f"The kaggle package cannot be imported ({error}). Run: pip install --upgrade kaggle"
        ) from error
    kaggle.api.authenticate()
    return kaggle.api


def release():
    """The number that the installed kaggle package's version begins with: releases 1 and 2 differ."""
    return int(importlib.metadata.version("kaggle").split(".")[0])


def places():
    """The variables and files that hold Kaggle credentials here, as text; never what they hold."""
    variables = [name for name in CREDENTIAL_VARIABLES if os.environ.get(name)]
    files = [name for name in CREDENTIAL_FILES if os.path.exists(os.path.expanduser(name))]
    return " and ".join(variables + files)


def ask(function, *arguments, said=None, meaning=None, **options):
    """Call a function of the kaggle package, and hold back what it prints.

    Its own words are not for students, and with VERBOSE set they hold the token. They go to
    `said`, an io.StringIO, where one is given. Progress bars, on stderr, are seen. `meaning`, a
    function, says what an error out of there means, where it is not what it mostly means.

    Raises
    ------
    KaggleError
        For whatever goes wrong in there; not chained.
    """
    with contextlib.redirect_stdout(said or io.StringIO()):
        try:
            return function(*arguments, **options)
        except KaggleError:
            raise
        except (Exception, SystemExit) as error:
            status, words = answer(error)
            raise KaggleError((meaning or _meaning)(error), status, words) from None


def answer(error):
    """(HTTP status, words) of Kaggle's answer behind an error of the package; (None, "") if none."""
    # For some refusals the package raises a ValueError with a guess, and the refusal behind it.
    while getattr(error, "response", None) is None and isinstance(error, ValueError):
        error = error.__context__
    response = getattr(error, "response", None)
    status = getattr(response, "status_code", None) or getattr(error, "status", None)
    words = ""
    with contextlib.suppress(AttributeError, ValueError):  # no answer, or not what Kaggle writes
        content = response.json()
        words = content.get("error", content).get("message")
    return status, tidy(words or "")


def tidy(words):
    """Kaggle's words in one line of bearable length."""
    return " ".join(str(words).split())[:300]


def explain(error):
    """What an error out of the package means for credentials or rates; None if it is another."""
    status, _ = answer(error)
    # Without credentials, release 2 ends the process and release 1 raises a bare OSError. A token
    # with a line break in it makes a bad header.
    if isinstance(error, SystemExit) or (type(error) is OSError and error.errno is None):
        return _explain_credentials()
    if isinstance(error, ValueError) and "header" in str(error):
        return _explain_credentials()
    if status == 401:
        return f"Kaggle does not accept the credentials in {places()} (401). {HOW_TO_SIGN_IN}"
    if status == 429:
        return (
            "Kaggle has had too many requests from you (429). Wait ten minutes and run this again."
        )
    return None


def _explain_credentials():
    if not places():
        return f"There are no Kaggle credentials on this machine. {HOW_TO_SIGN_IN}"
    if release() < 2:
        return (
            f"The installed release of the kaggle package cannot use the credentials in {places()}. "
            "Run: pip install --upgrade kaggle"
        )
    return f"Kaggle does not accept the credentials in {places()}. {HOW_TO_SIGN_IN}"


def _meaning(error):
    """What an error out of the package mostly means."""
    if common := explain(error):
        return common
    status, words = answer(error)
    said = f"{status}: {words}" if words else f"{status}"
    if status is not None and status >= 500:
        return f"Kaggle is in trouble ({said}). Wait ten minutes and run this again."
    if status is not None:
        return f"Kaggle refuses this ({said})."
    if isinstance(error, OSError) and error.strerror and not isinstance(error, ConnectionError):
        return f"{error.filename or 'A file'} cannot be read or written ({error.strerror})."
    if isinstance(error, OSError):  # as all errors of requests are
        return (
            f"Kaggle was not reached ({type(error).__name__}). Check that this machine reaches "
            "https://www.kaggle.com, then run this again."
        )
    if type(error) is ValueError:  # the package's own check of what it was given
        return f"The kaggle package refuses this ({tidy(error)})."
    return f"The kaggle package failed ({type(error).__name__}). Run: pip install --upgrade kaggle"
