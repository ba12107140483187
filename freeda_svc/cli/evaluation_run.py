"""Running one evaluation from the command line: its options, the bank, progress and the report."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from freeda_svc.cli.console import print_json, shown_progress
from freeda_svc.cli.evaluation_report import print_evaluation, write_report
from freeda_svc.cli.exit_codes import Interrupted
from freeda_svc.cli.options import bank_option, option_value
from freeda_svc.cli.segment_parameters import parameter_options, read_overrides
from freeda_svc.errors import BusyError
from freeda_svc.evaluation import Dataset, KeptCounts, check_dataset, evaluate
from freeda_svc.jobs import open_banks
from freeda_svc.packs import describe_encoders, read_pack_parameters
from freeda_svc.parameters import SegmentationOverrides, SegmentationParameters
from freeda_svc.settings import Settings, load_pack_of

if TYPE_CHECKING:
    from freeda_svc.bank import BankName, PrototypeStore
    from freeda_svc.images import DrawnOn

Command = TypeVar("Command", bound=Callable[..., Any])
MANY_IMAGES = 200
"""Checking fewer takes no time worth a line of progress."""

Adjust = Callable[[SegmentationParameters], SegmentationParameters]


@dataclass(frozen=True)
class EvaluationRun:
    """What the options of a command say of its evaluation.

    Attributes:
        bank: name of the bank; that of the settings when empty.
        out: folder for what is kept; nothing is kept when None.
        limit: how many images; all when None.
        overrides: parameters that are changed.
        identity: what else distinguishes this evaluation from others.
        drawn_on: on what the labels were drawn of images that have an EXIF orientation.
        quiet: show no progress.
        as_json: print JSON instead of a table.
    """

    bank: str
    out: Path | None
    limit: int | None
    overrides: SegmentationOverrides
    identity: Mapping[str, Any]
    drawn_on: "DrawnOn | None"
    quiet: bool
    as_json: bool


def evaluation_options(default: str) -> Callable[[Command], Command]:
    """Give a command the options of every evaluation; it gets them as keywords, for ``read_run``.

    Args:
        default: where parameters come from that no option changes, such as ``the pack``.
    """

    def add(command: Command) -> Command:
        for option in reversed(
            (
                bank_option,
                click.option(
                    "--out",
                    type=click.Path(path_type=Path, file_okay=False),
                    help="Folder that keeps the counts of every image and the result; the same command goes on there.",
                ),
                click.option("--limit", type=click.IntRange(min=1), help="Evaluate the first images only."),
                click.option(
                    "--drawn-on",
                    type=click.Choice(("upright", "stored")),
                    help="What was labelled of images that have an EXIF orientation: the upright picture, or their "
                    "pixels as stored.",
                ),
                parameter_options,
                click.option("--quiet", is_flag=True, help="No progress."),
                click.option("--json", "as_json", is_flag=True, help="Print the result as JSON."),
            )
        ):
            command = option(command)
        for option in getattr(command, "__click_params__", ()):
            option.help = option.help and option.help.replace("the pack's", f"{default}'s")
        return command

    return add


def read_run(given: Mapping[str, Any], identity: Mapping[str, Any]) -> EvaluationRun:
    """Read what the options of ``evaluation_options`` say.

    Args:
        given: their values by their names.
        identity: what else distinguishes this evaluation from others.

    Raises:
        UsageError: options do not go together.
        InputError: a parameter is not usable.
    """
    common = {name: given[name] for name in ("bank", "out", "limit", "drawn_on", "quiet", "as_json")}
    return EvaluationRun(**common, overrides=SegmentationOverrides.read(read_overrides(given)), identity=identity)


def run_evaluation(settings: Settings, open_dataset: Callable[[], Dataset], adjust: Adjust, run: EvaluationRun) -> None:
    """Evaluate a dataset with the pack and a bank of an installation, and print the result.

    Args:
        settings: the installation.
        open_dataset: finds the images.
        adjust: makes the parameters of the evaluation from the pack's.
        run: what the options say.

    Raises:
        BusyError: a worker, or another process, holds the bank.
        FreedaError: something is missing or not usable, or cannot be written.
    """
    from freeda_svc.segmentation import Segmenter  # noqa: PLC0415 - brings the models

    described = read_pack_parameters(settings.pack, settings.packs_folder)
    with option_value("--set"):
        parameters = run.overrides.over(adjust(described.parameters.segmentation))
    dataset = open_dataset()
    images = dataset.images[: run.limit]
    quickly = run if len(images) > MANY_IMAGES else replace(run, quiet=True)
    with _progress(f"check {dataset.name}", quickly) as report:
        true = check_dataset(dataset, images, run.drawn_on, report)
    remark = true.remark(dataset)
    if true.ignored and remark and not run.quiet:  # perhaps values mean something else than was said
        click.echo(f"{dataset.name}: {remark}", err=True)
    pack = load_pack_of(settings)
    with _opened_bank(settings, run.bank) as (name, store):
        identity = {
            "dataset": dataset.name,
            "classes": list(dataset.classes),
            "pack": pack.fingerprint,
            "encoders": describe_encoders(pack.computing),
            "bank": str(name),
            "bank_version": asdict(store.revision()),
            "parameters": parameters.model_dump(),
            **({} if run.drawn_on is None else {"drawn_on": run.drawn_on}),
            **run.identity,
        }
        kept = None if run.out is None else KeptCounts(run.out, identity)
        started = time.perf_counter()
        with _progress(f"eval {dataset.name}", run) as report:
            result = evaluate(
                Segmenter(pack, store, bank=str(name)),
                dataset,
                parameters,
                kept=kept,
                limit=run.limit,
                drawn_on=run.drawn_on,
                on_progress=report,
            )
        outcome = {
            **identity,
            **asdict(result),
            "ignored_pixels": true.ignored,
            "seconds": round(time.perf_counter() - started, 1),
        }
    if run.out is not None:
        write_report(run.out, outcome)
    print_json(outcome) if run.as_json else print_evaluation(result, remark)


@contextmanager
def _opened_bank(settings: Settings, wanted: str) -> "Iterator[tuple[BankName, PrototypeStore]]":
    from freeda_svc.workers import worker_pid  # noqa: PLC0415 - only where a bank is opened

    with closing(open_banks(settings)) as banks:
        name = banks.resolve(wanted or settings.bank)
        try:
            store = banks.open(name)
        except BusyError as error:
            worker = worker_pid(settings)
            if worker is None:
                raise
            raise BusyError(
                f"the bank {name} is in the hands of the worker of {settings.home} (process {worker}): stop it while "
                "you evaluate"
            ) from error
        with closing(store):
            yield name, store


@contextmanager
def _progress(label: str, run: EvaluationRun) -> Iterator[Callable[[int, int], None] | None]:
    """Show progress, and say at Ctrl-C what becomes of what was done."""
    try:
        if run.quiet:
            yield None
            return
        with shown_progress(label) as report:
            yield report
    except KeyboardInterrupt:
        if run.out is None:
            raise Interrupted(
                "Interrupted; with --out DIR the counts are kept, and the same command goes on."
            ) from None
        raise Interrupted(f"Interrupted; counts are kept in {run.out}: the same command goes on.") from None
