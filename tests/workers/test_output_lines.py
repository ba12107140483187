import io
import logging

import click
import pytest

from freeda_svc.workers.output_lines import OutputLines


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO)
    return caplog


def test_lines_are_reported_when_they_are_whole(told: pytest.LogCaptureFixture) -> None:
    stream = OutputLines(io.StringIO(), logging.WARNING)
    print("half a", end="", file=stream)
    assert told.messages == []
    print(" line\nand \x1b[31mred\x1b[0m\n\n  ", end="", file=stream)
    assert told.messages == ["half a line", "and red"]
    print("10%\r20%\r", end="", file=stream)
    assert told.messages[2:] == ["10%", "20%"]
    stream.write("the rest")
    stream.close()
    assert told.messages[-1] == "the rest"
    assert {record.levelname for record in told.records} == {"WARNING"}


def test_click_prints_to_it(told: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    real = io.StringIO()
    monkeypatch.setattr("sys.stderr", OutputLines(real, logging.WARNING))
    click.echo("Error: too bad", err=True)
    click.ClickException("even worse").show()
    assert told.messages == ["Error: too bad", "Error: even worse"]
    assert real.getvalue() == ""


def test_what_is_reported_in_turn_of_telling_does_not_come_round() -> None:
    stream = OutputLines(io.StringIO(), logging.INFO)

    class Broken(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            print("--- Logging error ---", file=stream)

    logger = logging.getLogger("output")
    handler = Broken()
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        print("once", file=stream)
    finally:
        logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)


def test_one_in_place_of_another_prints_to_the_same() -> None:
    real = io.StringIO()
    first = OutputLines(real, logging.INFO)
    assert OutputLines(first, logging.INFO).original is OutputLines.beneath(first) is real
