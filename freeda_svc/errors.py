"""The errors a person can act on: each message is one line that says what was wrong, expected, and to do."""


class FreedaError(Exception):
    """A failure with a message for the person who asked; the command line prints it without a traceback."""


class InputError(FreedaError):
    """Something given from outside is not usable: a file, a category list, a parameter."""


class NotFoundError(FreedaError):
    """Something named from outside does not exist: a job, a pack, a bank."""


class BusyError(FreedaError):
    """Something is in use by another process."""


class UnavailableError(FreedaError):
    """A part that is needed does not answer: the broker, the database, a directory that cannot be written."""


def one_line(reason: object) -> str:
    """Return an error's message, or any text, on one line: stretches of blanks and line ends become single blanks.

    Args:
        reason: for an exception without a message, the name of its class is returned.
    """
    line = " ".join(str(reason).split())
    return line or (type(reason).__name__ if isinstance(reason, BaseException) else "")
