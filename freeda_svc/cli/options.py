"""Options that most commands share."""

import click

json_option = click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
outcome_option = click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
quiet_option = click.option("--quiet", is_flag=True, help="No progress, and no advice.")
