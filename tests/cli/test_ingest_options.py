"""How commands that add to the bank end."""

import click
import pytest

from freeda_svc.cli import ingest_options
from freeda_svc.cli.backends.local import LocalBackend
from freeda_svc.diffusion import Unusable
from freeda_svc.settings import Settings


@pytest.mark.parametrize(
    ("totals", "hinted"),
    [({"images": 2, Unusable.NOT_FINITE.value: 1}, True), ({"images": 2, Unusable.FLAT.value: 1}, False)],
)
def test_images_that_are_not_finite_come_with_a_hint(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    totals: dict[str, int],
    hinted: bool,
) -> None:
    monkeypatch.setattr(ingest_options, "follow_submitted", lambda *_given, **_named: None)
    monkeypatch.setattr(ingest_options, "end_with", lambda *_given: None)
    backend = LocalBackend(Settings())
    monkeypatch.setattr(backend, "result_totals", lambda *_given: totals)
    context = click.Context(click.Command("ingest"))
    ingest_options.finish_ingest(context, backend, "j", "ingest", left_out={}, wait=True, quiet=True, as_json=False)
    said = capsys.readouterr()
    assert said.out == f"job j: {', '.join(f'{count} {name}' for name, count in totals.items())}\n"
    assert ("hint: a generator that overflows" in said.err) == hinted
