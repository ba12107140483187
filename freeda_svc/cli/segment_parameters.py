"""Options that change how images are segmented, for this one command; made from the parameters' declarations."""

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar, get_args

import click
from click.shell_completion import CompletionItem

from freeda_svc.cli.options import option_value
from freeda_svc.errors import InputError
from freeda_svc.parameters import (
    PLACES,
    Model,
    RegionWay,
    SegmentationOverrides,
    SegmentationParameters,
    field_schema,
    limits,
    unknown_name,
    wrong_value,
)

Command = TypeVar("Command", bound=Callable[..., Any])

FLAGS: Mapping[str, str] = {
    "k": "--k",
    "beta": "--beta",
    "superpixels": "--superpixels",
    "window_way": "--windows",
    "local_similarity": "--local",
    "aggregation": "--aggregation",
    "synonyms": "--synonyms",
    "appearance_weight": "--appearance-weight",
    "unknown": "--unknown",
    "unknown_threshold": "--unknown-threshold",
    "refinement": "--refine",
    "fill_transparent": "--fill-transparent",
    "origins": "--origin",
    "exemplar_share": "--exemplar-share",
}
"""The parameters that have options of their own; ``--set`` takes all others."""
_DEFAULT = "the pack's"


class ParameterType(click.ParamType[Any]):
    """The type of an option that is declared as a parameter; it refuses values as every other way does."""

    def __init__(self, parameter: str, model: type[Model] = SegmentationOverrides) -> None:
        """Take the parameter's name, and the model that declares it, whose other fields have defaults."""
        self.parameter = parameter
        self._model = model
        self._schema = field_schema(model, parameter)
        self.repeated = self._schema.get("type") == "array"
        kind = self._schema["items"] if self.repeated else self._schema
        self.choices = [value.replace("_", "-") for value in kind.get("enum", ())]
        self.name = str(kind["type"])

    @property
    def description(self) -> str:
        """What the parameter means, and its range where it has one."""
        limited = limits(self._schema)
        return f"{self._schema['description']}{f'  [{limited}]' if limited else ''}"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:  # noqa: ANN401, ARG002
        """Return the value of its parameter; a list's with one entry.

        Raises:
            BadParameter: it is none; the message is that of the parameter.
        """
        read = _read_value(value) if self.name in {"integer", "number"} else value
        if self.choices:
            read = value.replace("-", "_")
        try:
            self._model.read({self.parameter: [read] if self.repeated else read})
        except InputError as error:
            raise click.BadParameter(str(error)) from error
        return read

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str | None:  # noqa: ARG002
        """Show choices, as click does."""
        return f"[{'|'.join(self.choices)}]" if self.choices else None

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG002
        """Complete choices."""
        return [CompletionItem(choice) for choice in self.choices if choice.startswith(incomplete)]


def _option(parameter: str, flag: str) -> Callable[[Command], Command]:
    kind = ParameterType(parameter)
    more = "  May be repeated." if kind.repeated else ""
    return click.option(
        flag,
        parameter,
        type=kind,
        multiple=kind.repeated,
        metavar="COLOUR" if parameter == "fill_transparent" else None,
        help=f"{kind.description}{more}  [default: {_DEFAULT}]",
    )


def parameter_options(command: Command) -> Command:
    """Give a command the options that change parameters; it gets them as keywords, for ``read_overrides``."""
    others = ", ".join(name for name in PLACES if name not in FLAGS)
    command = click.option(
        "--set",
        "settings_of_parameters",
        multiple=True,
        metavar="NAME=VALUE",
        help=f"Any parameter by its name, such as short_side=336; may be repeated. Without options of their own are "
        f"{others}.",
    )(command)
    for parameter, flag in reversed([*FLAGS.items()]):
        command = _option(parameter, flag)(command)
    return command


def read_overrides(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the options of ``parameter_options`` change, as ``SegmentationOverrides`` reads it.

    Raises:
        UsageError: a threshold for unknown pixels without a way of finding them; ``--set`` names no parameter, or one
            that has an option that is given, too; or a value is not of its parameter's kind.
    """
    changes = {name: given[name] for name in FLAGS if given[name] not in {None, ()}}
    with option_value("--set"):
        for typed in given["settings_of_parameters"]:
            name, value = _read_setting(typed)
            if name in changes:
                raise InputError(f"the parameter {name} is given twice; leave one of them out")
            changes[name] = value
        read: dict[str, Any] = SegmentationOverrides.read(changes).given()
    if given["unknown_threshold"] is not None and "unknown" not in read:
        raise click.UsageError("--unknown-threshold goes with --unknown; name a way, such as --unknown channel.")
    return read


def read_regions(changes: dict[str, Any], given: str | None) -> tuple[dict[str, Any], Path | None]:
    """Return what ``--regions`` means: the parameters with the way that it names, or the folder of regions.

    Args:
        changes: what other options change.
        given: a way, or a folder; None where the option is not given.

    Raises:
        UsageError: the way is given by ``--set``, too, or there is no such folder.
    """
    if given is None:
        return changes, None
    if "regions" in changes:
        raise click.UsageError("the parameter regions is given twice; leave --set regions or --regions out.")
    ways = get_args(RegionWay)
    if given in ways:
        return {**changes, "regions": given}, None
    folder = Path(given).expanduser()
    if not folder.is_dir():
        raise click.BadParameter(
            f"there is no folder {given}; give {', '.join(ways)} or a folder with a file for each image",
            param_hint="'--regions'",
        )
    return changes, folder


def check_with_pack(overrides: Mapping[str, Any], parameters: SegmentationParameters) -> None:
    """See that parameters go together with those of the pack that the command does not change.

    Raises:
        BadParameter: they do not, such as a stride that is larger than the pack's window.
    """
    with option_value("--set"):
        SegmentationOverrides.read(overrides).over(parameters)


def _read_setting(typed: str) -> tuple[str, Any]:
    name, equals, value = (part.strip() for part in typed.partition("="))
    if not equals:
        raise InputError(wrong_value("--set", typed, "NAME=VALUE, such as short_side=336"))
    if name not in PLACES:
        raise InputError(unknown_name(name, PLACES))
    return name, _read_value(value)


def _read_value(typed: str) -> Any:  # noqa: ANN401 - of any kind
    """Read a typed value: a number, what else JSON has, or a text."""
    for read in (int, float, json.loads):
        with suppress(ValueError):
            return read(typed)
    return typed
