"""Errors as a person reads them."""

import pytest

from freeda_svc.errors import InputError, one_line


@pytest.mark.parametrize(
    ("reason", "line"),
    [
        (InputError("two\n  lines\tand a tab "), "two lines and a tab"),
        (OSError(28, "No space left on device"), "[Errno 28] No space left on device"),
        (TimeoutError(), "TimeoutError"),
        ("  plain\r\ntext", "plain text"),
        ("", ""),
    ],
)
def test_a_reason_becomes_one_line(reason: object, line: str) -> None:
    assert one_line(reason) == line
