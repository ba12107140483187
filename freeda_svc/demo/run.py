"""The demonstration: every step is a job that goes through the queue and is done by the worker."""

import json
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from freeda_svc.artifacts import open_artifacts
from freeda_svc.captions import read_captions
from freeda_svc.demo.pictures import GeneratedExample, compose_gallery
from freeda_svc.demo.world import DemoPlan, LabelledScene, score_masks, write_captions, write_scenes, wrong_nouns
from freeda_svc.errors import FreedaError, InputError
from freeda_svc.jobs import JobState, JobSummary, export_results, result_totals, submit_ingest, submit_segment
from freeda_svc.miniature import NOUNS
from freeda_svc.settings import Settings, load_settings
from freeda_svc.whole_files import placed_whole, write_whole
from freeda_svc.workers import CeleryDispatcher, background_stack, bank_stats, search_bank

MARKER = ".freeda-demo"
FollowJob = Callable[[Settings, str, str], JobSummary]
Categories = list[dict[str, str | None]]

DENSE = {"superpixels": "none"}
LOCAL_ONLY = {"superpixels": "none", "beta": 1.0}
REFINED = {"refinement": "pamr", "refinement_dilations": [1, 2, 4]}
EXAMPLES_OF = ("ball", "boat", "flower", "sun", "tree", "water", "house", "fish")


class _Demonstration:
    """One run: its folders and its progress callback."""

    def __init__(self, out: Path, follow: FollowJob) -> None:
        self.out, self.follow = out, follow
        self.settings = load_settings(home=out / "home", pack="miniature", broker_url="", database_url="", device="cpu")
        self.dispatcher = CeleryDispatcher(self.settings)
        self.seconds: dict[str, float] = {}

    def _finish(self, job_id: str, label: str) -> None:
        started = time.perf_counter()
        job = self.follow(self.settings, job_id, label)
        self.seconds[label] = round(time.perf_counter() - started, 2)
        if job.state != JobState.DONE:
            raise FreedaError(f"{label}: job {job.id} ended as {job.state}; see `freeda jobs show {job.id}`")

    def ingest(self, captions: Sequence[str], name: str) -> int:
        """Ingest captions through a file, as anybody would; return how many images were generated."""
        path = self.out / f"{name.replace(' ', '-')}.txt"
        path.write_text("\n".join(captions) + "\n", encoding="utf-8")
        job_id = submit_ingest(self.settings, read_captions(path), source=path.name, dispatcher=self.dispatcher)
        self._finish(job_id, name)
        return result_totals(self.settings, job_id)["images"]

    def segment(
        self,
        scenes: Sequence[LabelledScene],
        name: str,
        overrides: dict[str, Any],
        categories: Categories | None = None,
    ) -> list[Path]:
        """Segment all scenes into all nouns, copy the results to ``masks/NAME``, and return the masks in order."""
        job_id = submit_segment(
            self.settings,
            [scene.path for scene in scenes],
            categories or [{"name": noun} for noun in NOUNS],
            overrides=overrides,
            source=name,
            dispatcher=self.dispatcher,
        )
        self._finish(job_id, name)
        exported = export_results(self.settings, job_id, self.out / "masks" / name.replace(" ", "-"))
        return [outcome.files["mask"] for outcome in exported]

    def generated_examples(self) -> list[GeneratedExample]:
        """Return, for some nouns, a generated image and where the noun was found in it."""
        examples = []
        for noun in EXAMPLES_OF:
            for found in search_bank(self.settings, noun, limit=5):
                if found["noun"] == noun:
                    artifacts = open_artifacts(self.settings)
                    image, attribution = artifacts.local(found["image"]), artifacts.local(found["attribution"])
                    examples.append(GeneratedExample(noun, image, attribution))
                    break
        return examples


def prepare_folder(out: Path) -> None:
    """Make the output folder, or empty one that an earlier demonstration made.

    Raises:
        InputError: the folder holds something else, or cannot be written.
    """
    try:
        if out.is_dir() and any(out.iterdir()) and not (out / MARKER).is_file():
            raise InputError(f"{out} is not empty and was not made by `freeda demo`; name another with --out")
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir(parents=True, exist_ok=True)
        (out / MARKER).touch()
    except OSError as error:
        raise InputError(f"{out} cannot be written: {error.strerror}; name another with --out") from error


def run_demo(plan: DemoPlan, out: Path, follow: FollowJob) -> dict[str, Any]:
    """Run the whole job on the miniature world and write pictures, masks and a report to ``out``.

    Args:
        plan: how much is done.
        out: an empty or new folder, or one of an earlier demonstration.
        follow: waits for a job, showing its progress, and returns how it ended.

    Returns:
        What ``report.json`` holds.

    Raises:
        FreedaError: a job failed, or the folder cannot be used.
    """
    started = time.perf_counter()
    prepare_folder(out)
    base, extension = write_captions(plan)
    scenes = write_scenes(out / "scenes", plan.scenes)
    demonstration = _Demonstration(out, follow)
    with background_stack(demonstration.settings):
        images = demonstration.ingest(base, "captions")
        before = demonstration.segment(scenes, f"before {plan.extension_noun}", {})
        images += demonstration.ingest(extension, f"captions of {plan.extension_noun}")
        full = demonstration.segment(scenes, "full", {})
        masks = {
            "local_only": demonstration.segment(scenes, "local only", LOCAL_ONLY),
            "with_global": demonstration.segment(scenes, "with global", DENSE),
            "full": full,
            "refined": demonstration.segment(scenes, "refined", REFINED),
            "random_prototypes": demonstration.segment(
                scenes,
                "random prototypes",
                {},
                [{"name": noun, "prototype_text": other} for noun, other in wrong_nouns().items()],
            ),
        }
        stats = bank_stats(demonstration.settings)
        examples = demonstration.generated_examples()
    scored = {name: score_masks(scenes, found) for name, found in masks.items()}
    known = score_masks(scenes, before)
    report = {
        "miou": scored["full"].mean_iou,
        "ablation": {name: score.mean_iou for name, score in scored.items()},
        "extension": {
            "noun": plan.extension_noun,
            "iou_before": known.iou[plan.extension_noun],
            "iou_after": scored["full"].iou[plan.extension_noun],
        },
        "prototypes": stats["prototypes"],
        "images_generated": images,
        "seconds": round(time.perf_counter() - started, 1),
        "iou": scored["full"].iou,
        "pixel_accuracy": scored["full"].pixel_accuracy,
        "test_scenes": len(scenes),
        "seconds_of_jobs": demonstration.seconds,
    }
    gallery = compose_gallery(scenes, before, full, plan.extension_noun, examples)
    with placed_whole(out / "gallery.png") as aside:
        gallery.save(aside, format="PNG")
    write_whole(out / "report.json", f"{json.dumps(report, indent=2, allow_nan=False)}\n".encode())
    return report
