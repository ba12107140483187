"""``freeda doctor``: every part looked at, and what to do about it."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict

import click

from freeda_svc.cli.console import print_json
from freeda_svc.cli.doctor.api import look_at_api
from freeda_svc.cli.doctor.findings import Check, Finding, Verdict, run_checks, wrong
from freeda_svc.cli.doctor.installed import look_at_packages, look_at_python, look_at_settings
from freeda_svc.cli.doctor.models import look_at_bank, look_at_device, look_at_pack
from freeda_svc.cli.doctor.places import look_at_disk, look_at_home
from freeda_svc.cli.doctor.services import look_at_artifacts, look_at_broker, look_at_clock, look_at_database
from freeda_svc.cli.doctor.working import look_at_metrics_port, look_at_worker
from freeda_svc.cli.exit_codes import EXIT_FAILED
from freeda_svc.cli.options import json_option
from freeda_svc.cli.session import given_options, read_settings
from freeda_svc.cli.setting_sources import named_home
from freeda_svc.errors import FreedaError, one_line
from freeda_svc.settings import Settings

CHECKS = (
    Check("python", look_at_python),
    Check("packages", look_at_packages),
    Check("settings", look_at_settings),
    Check("home", look_at_home),
    Check("disk", look_at_disk),
    Check("artifacts", look_at_artifacts, "", ("home",)),
    Check("database", look_at_database, "start it, or correct database_url", ("home",)),
    Check("broker", look_at_broker, "", ("home",)),
    Check("clock", look_at_clock, "", ("database", "broker")),
    Check("worker", look_at_worker, "", ("home", "database", "broker")),
    Check("metrics", look_at_metrics_port),
    Check("api", look_at_api, "", ("home", "database")),
    Check("models", look_at_pack),
    Check("bank", look_at_bank, "", ("home",)),
    Check("device", look_at_device, "", ("models",)),
)
_COLOURS = {Verdict.OK: "green", Verdict.NOTE: "yellow", Verdict.WRONG: "red"}


@click.command()
@json_option
@click.pass_context
def doctor(context: click.Context, *, as_json: bool) -> None:
    """Check every part of the installation, and suggest fixes.

    Versions, settings, home, disk, artifacts, database, broker, clocks, worker, ports, API, models, bank and device are
    looked at: a database is read through, a bank opened and searched, the models compute one small image, a bucket of
    artifacts takes and gives back a small object. Nothing is changed. The exit code is 1 when something is wrong; a
    note is worth knowing and does no harm now.

    \b
    Examples:
      freeda doctor
      FREEDA_DEVICE=cuda:1 freeda doctor --json
    """
    found: list[Finding] = []
    for finding in _examine(context):
        found.append(finding)
        if not as_json:
            _print(finding)
    count = sum(finding.verdict is Verdict.WRONG for finding in found)
    if as_json:
        print_json({"ok": not count, "findings": [asdict(finding) for finding in found]})
    else:
        click.echo(f"\n{count} of {len(found)} findings are wrong." if count else "\nNothing is wrong.")
    context.exit(EXIT_FAILED if count else 0)


def _examine(context: click.Context) -> Iterator[Finding]:
    """Look at all parts; where the settings cannot be read, with the defaults in their place."""
    checks: Sequence[Check] = CHECKS
    try:
        settings = read_settings(context, anywhere=True)
    except FreedaError as error:
        yield wrong("settings", one_line(error), "correct it; what follows holds for the defaults")
        settings = Settings.model_construct(home=named_home(given_options(context)))
        checks = [check for check in checks if check.part != "settings"]
    yield from run_checks(checks, settings)


def _print(finding: Finding) -> None:
    verdict = click.style(f"{finding.verdict:6}", fg=_COLOURS[finding.verdict])
    click.echo(f"{verdict}{finding.part:10}{finding.found}")
    if finding.advice:
        click.echo(f"{'':16}-> {finding.advice}")
