"""``freeda eval miniature``: the paper's tables in small, on the painted world and without any download."""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from freeda_svc.cli.console import print_json, shown_progress
from freeda_svc.cli.evaluation_report import print_ablation, print_evaluation, write_report
from freeda_svc.cli.exit_codes import Interrupted
from freeda_svc.errors import UnavailableError

if TYPE_CHECKING:
    from freeda_svc.bank import PrototypeStore
    from freeda_svc.evaluation import Ablated, Dataset, Variant
    from freeda_svc.packs import Pack

Report = Callable[[int, int], None] | None


@click.command()
@click.option("--ablate", is_flag=True, help="Try the method without its parts, and with others in their place.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder that keeps scenes, bank, counts and result; the same command goes on there.",
)
@click.option("--captions", type=click.IntRange(min=15), default=280, show_default=True, help="Captions for the bank.")
@click.option("--scenes", type=click.IntRange(min=1), default=100, show_default=True, help="Scenes to segment.")
@click.option("--quiet", is_flag=True, help="No progress.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def miniature(out: Path | None, captions: int, scenes: int, *, ablate: bool, quiet: bool, as_json: bool) -> None:
    """Evaluate on the miniature world, with a bank made for it.

    Captions of its validation set become prototypes, its validation scenes are segmented. With --ablate the paper's
    tables 3 and 5 are made in small: the parts of the method, superpixel algorithms, aggregation, K, and curation.
    No bank of the installation is touched.

    \b
    Examples:
      freeda eval miniature
      freeda eval miniature --ablate --out ablation
    """
    started = time.perf_counter()
    with _interruptible(out), _place(out) as folder:
        outcome = _run(folder, captions, scenes, ablated=ablate, quiet=quiet)
    results = [
        {
            "group": result.variant.group,
            "name": result.variant.name,
            "keep": result.variant.keep,
            "parameters": result.variant.parameters.model_dump(),
            **asdict(result.evaluation),
        }
        for result in outcome
    ]
    report = {"captions": captions, "scenes": scenes, "results": results}
    report["seconds"] = round(time.perf_counter() - started, 1)
    if out is not None:
        write_report(out, report)
    if as_json:
        print_json(report)
    elif ablate:
        print_ablation(outcome)
    else:
        print_evaluation(outcome[0].evaluation)


def _run(folder: Path, captions: int, scenes: int, *, ablated: bool, quiet: bool) -> "list[Ablated]":
    from freeda_svc.bank import make_or_open_folder  # noqa: PLC0415 - brings the engine
    from freeda_svc.evaluation import (  # noqa: PLC0415 - brings much
        SUPERPIXEL_NUMBERS,
        Variant,
        ablate,
        list_variants,
        with_encoder_cache,
        write_validation_set,
    )
    from freeda_svc.packs import load_pack  # noqa: PLC0415 - as above
    from freeda_svc.segmentation import Segmenter  # noqa: PLC0415 - as above

    pack = load_pack("miniature")
    given = pack.parameters.segmentation
    variants: tuple[Variant, ...] = (Variant("parts", "full", given),)
    if ablated:
        variants = tuple(filter(_possible, list_variants(given, SUPERPIXEL_NUMBERS)))
    dataset: Dataset = write_validation_set(folder / "scenes", scenes)
    sizes = pack.image_text.dimension, pack.backbone.dimension
    with closing(make_or_open_folder(folder / "bank", pack.fingerprint, *sizes)) as store:
        with _shown("captions", quiet=quiet) as report:
            _fill(store, pack, captions, report)
        with _shown("ablation" if ablated else "scenes", quiet=quiet) as report:
            return ablate(
                Segmenter(with_encoder_cache(pack), store),
                store,
                dataset,
                variants,
                folder=folder / "counts",
                identity={"pack": pack.fingerprint, "captions": captions},
                on_progress=report,
            )


def _fill(store: "PrototypeStore", pack: "Pack", captions: int, report: Report) -> None:
    from freeda_svc.evaluation import fill_bank, validation_captions  # noqa: PLC0415 - brings much
    from freeda_svc.prototypes import PrototypeBuilder  # noqa: PLC0415 - brings the models

    fill_bank(
        store,
        PrototypeBuilder(pack),
        validation_captions(captions),
        pack.parameters.generation.batch_size,
        on_progress=report,
    )


def _possible(variant: "Variant") -> bool:
    """Leave SEEDS out where its library is not installed, and say so."""
    if variant.parameters.superpixels.algorithm != "seeds" or find_spec("cv2") is not None:
        return True
    click.echo("SEEDS superpixels are left out: they need pip install 'freeda-svc[seeds]'.", err=True)
    return False


@contextmanager
def _place(out: Path | None) -> Iterator[Path]:
    """Give the folder to work in: the one that was named, or one that goes afterwards."""
    if out is None:
        with tempfile.TemporaryDirectory(prefix="freeda-eval-") as folder:
            yield Path(folder)
        return
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UnavailableError(f"{out} cannot be written: {error.strerror}; name another with --out") from error
    yield out


@contextmanager
def _shown(label: str, *, quiet: bool) -> Iterator[Any]:
    if quiet:
        yield None
        return
    with shown_progress(label) as report:
        yield report


@contextmanager
def _interruptible(out: Path | None) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        kept = "with --out DIR the work is kept, and" if out is None else f"what was done is kept in {out}:"
        raise Interrupted(f"Interrupted; {kept} the same command goes on.") from None
