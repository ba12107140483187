"""The offline stage: what attribution costs, how fast nouns get their keys, and prototypes from end to end.

Attribution is measured on a pipeline whose U-Net has the blocks, head size and text length of Stable Diffusion 2.1,
with fewer channels and random weights: its time beside the same pipeline without attribution, and its memory beside
one that keeps every layer's probabilities, which stands here only to be measured. Fewer channels make attribution
look worse: its cost falls with them, that of everything else with their square. Keys are measured on the text encoder
of CLIP ViT-B/16 with random weights. These have the shapes that decide time and memory; values do not matter.
"""

import logging
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter, process_time

import torch

import freeda_svc.torchvision_operators  # noqa: F401  (before diffusers and open_clip)

# isort: split
import open_clip
from diffusers import AutoencoderTiny, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from torch.nn import functional

from benchmarks.results import Result
from benchmarks.stages import ingest_stages, scene_captions
from freeda_svc.bank import make_or_open_folder
from freeda_svc.captions import Noun, NounParser
from freeda_svc.diffusion import AttentionRecorder, TokenColumns, cross_attention_layers, recording
from freeda_svc.encoders import TEMPLATES, ImageTextModel, fill
from freeda_svc.packs import load_pack
from freeda_svc.prototypes import PrototypeBuilder, make_keys

LATENTS, TOKENS, TEXT_WIDTH, HEAD_SIZE = 64, 77, 1024, 64
CHANNELS = (64, 128, 256, 256)  # of 320, 640, 1280, 1280
IMAGES, STEPS, ROUNDS = 2, 2, 10
COLUMNS = TokenColumns(
    nouns=tuple(Noun(name, ((0, 1),)) for name in ("dog", "frisbee", "park")), columns=((2,), (5, 6), (9,)), cut_off=()
)
# fmt: off
WORDS = (
    "person", "bicycle", "car", "bus", "train", "boat", "bench", "bird", "cat", "dog", "horse", "sheep", "cow",
    "elephant", "bear", "zebra", "giraffe", "umbrella", "suitcase", "kite", "surfboard", "bottle", "cup", "bowl",
    "banana", "apple", "sandwich", "pizza", "cake", "chair", "bed", "table", "laptop", "clock", "vase", "tree",
)
# fmt: on
CAPTIONS, MINIATURE_CAPTIONS = 60, 48
ALPHA = 0.9


class StoringRecorder(AttentionRecorder):
    """Keeps each layer's probabilities, summed over steps, as an attribution does that reads them at the end."""

    def __init__(self, layers: int) -> None:
        super().__init__([COLUMNS] * IMAGES, TOKENS, (LATENTS, LATENTS))
        self._layers = layers
        self._calls = 0
        self._kept: list[torch.Tensor] = []

    @torch.no_grad()
    def add(self, query: torch.Tensor, key: torch.Tensor, scale: float) -> None:
        """Keep one layer's probabilities, or add them to those of earlier steps."""
        probabilities = torch.softmax(query[-IMAGES:] @ key[-IMAGES:].transpose(-1, -2) * scale, dim=-1)
        layer = self._calls % self._layers
        self._calls += 1
        if layer == len(self._kept):
            self._kept.append(probabilities)
        else:
            self._kept[layer] += probabilities


def _pipeline() -> StableDiffusionPipeline:
    torch.manual_seed(0)
    crossed, plain = ["CrossAttnDownBlock2D"] * 3, ["CrossAttnUpBlock2D"] * 3
    pipeline = StableDiffusionPipeline(
        vae=AutoencoderTiny(
            encoder_block_out_channels=(8,) * 4, decoder_block_out_channels=(8,) * 4
        ),  # asked for by the pipeline, and not used: what is measured ends with the latents
        text_encoder=None,
        tokenizer=None,
        unet=UNet2DConditionModel(
            sample_size=LATENTS,
            block_out_channels=CHANNELS,
            down_block_types=(*crossed, "DownBlock2D"),
            up_block_types=("UpBlock2D", *plain),
            attention_head_dim=tuple(channels // HEAD_SIZE for channels in CHANNELS),
            cross_attention_dim=TEXT_WIDTH,
            use_linear_projection=True,
        ).eval(),
        scheduler=DDIMScheduler(steps_offset=1, clip_sample=False),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def _recorder() -> AttentionRecorder:
    return AttentionRecorder([COLUMNS] * IMAGES, TOKENS, (LATENTS, LATENTS))


class _Generation:
    """One batch under guidance, always the same, with or without a recorder."""

    def __init__(self) -> None:
        self.pipeline = _pipeline()
        self.layers = len(cross_attention_layers(self.pipeline.unet))
        noise = torch.Generator().manual_seed(1)
        self._latents = torch.randn(IMAGES, 4, LATENTS, LATENTS, generator=noise)
        self._texts, self._nothing = (torch.randn(IMAGES, TOKENS, TEXT_WIDTH, generator=noise) for _ in range(2))

    def plainly(self) -> None:
        self.pipeline(
            prompt_embeds=self._texts,
            negative_prompt_embeds=self._nothing,
            latents=self._latents,
            num_inference_steps=STEPS,
            output_type="latent",
        )

    def attributed(self) -> None:
        self.observed(_recorder()).attributions(8 * LATENTS, 8 * LATENTS)

    def stored(self) -> None:
        self.observed(StoringRecorder(self.layers))

    def observed(self, recorder: AttentionRecorder) -> AttentionRecorder:
        with recording(self.pipeline.unet, recorder):
            self.plainly()
        return recorder


def _seconds(work: Callable[[], object]) -> float:
    started = perf_counter()
    work()
    return perf_counter() - started


def processor_seconds(work: Callable[[], object]) -> float:
    """Time one thread's own work, whatever else the machine does meanwhile."""
    started = process_time()
    work()
    return process_time() - started


def peak_bytes(work: Callable[[], object]) -> int:
    """Return how far the memory of torch's allocator rises at most above where it was."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        work()
    events = profile.profiler.kineto_results.events()
    taken = sorted((event.start_ns(), event.nbytes()) for event in events if event.name() == "[memory]")
    held = most = 0
    for _, size in taken:
        held += size
        most = max(most, held)
    return most


def _attribution() -> list[Result]:
    generation = _Generation()
    generation.plainly()
    seconds: dict[str, list[float]] = {"plainly": [], "attributed": []}
    for number in range(ROUNDS):  # in turns, and each first as often as second
        for name in sorted(seconds, reverse=bool(number % 2)):
            seconds[name].append(processor_seconds(getattr(generation, name)))
    plain, attributed = seconds["plainly"], seconds["attributed"]
    ratio = statistics.median(one / other for one, other in zip(attributed, plain, strict=True))
    recorder = _recorder()
    positions, heads = LATENTS**2, CHANNELS[0] // HEAD_SIZE
    query, key = (torch.randn(IMAGES, heads, length, HEAD_SIZE) for length in (positions, TOKENS))
    working = peak_bytes(lambda: recorder.add(query, key, HEAD_SIZE**-0.5))
    base, ours, all_kept = (peak_bytes(work) for work in (generation.plainly, generation.attributed, generation.stored))
    share = (ours - base) / (all_kept - base)
    return [
        Result("capture_time_over_plain", ratio, "", "the same pipeline without attribution", ratio),
        Result("generation_plain_s", statistics.median(plain), "s"),
        Result("generation_attributed_s", statistics.median(attributed), "s"),
        Result("capture_memory_over_store_all", share, "", "keeping every layer's probabilities", share),
        Result("generation_plain_peak_mib", base / 2**20, "MiB"),
        Result("attribution_extra_peak_mib", (ours - base) / 2**20, "MiB"),
        Result("attribution_working_mib", working / 2**20, "MiB"),
        Result("store_all_extra_peak_mib", (all_kept - base) / 2**20, "MiB"),
    ]


def _image_text() -> ImageTextModel:
    name = "ViT-B-16-quickgelu"
    logging.getLogger().addHandler(logging.NullHandler())  # open_clip logs through the root logger
    torch.manual_seed(0)
    model = open_clip.create_model(name)
    return ImageTextModel(model, open_clip.get_tokenizer(name), 224, (0.5,) * 3, (0.5,) * 3)


def _keys() -> list[Result]:
    model = _image_text()
    mentioned = [[WORDS[(5 * number + step * step) % len(WORDS)] for step in range(3)] for number in range(CAPTIONS)]
    captions = [
        f"a {first} beside a {second} and a {third}, number {at}" for at, (first, second, third) in enumerate(mentioned)
    ]
    model.embed_texts(captions[:2])

    def once_a_pack() -> list[torch.Tensor]:
        said = functional.normalize(model.embed_texts(captions), dim=-1)
        named = model.embed_nouns([noun for nouns in mentioned for noun in nouns]).view(CAPTIONS, 3, -1)
        return [make_keys(names, text, ALPHA) for names, text in zip(named, said, strict=True)]

    def once_a_caption() -> list[torch.Tensor]:
        keys = []
        for caption, nouns in zip(captions, mentioned, strict=True):
            said = functional.normalize(model.embed_texts([caption]), dim=-1)[0]
            filled = model.embed_texts([fill(template, noun) for noun in nouns for template in TEMPLATES])
            names = functional.normalize(filled.view(3, len(TEMPLATES), -1).mean(dim=1), dim=-1)
            keys.append(make_keys(names, said, ALPHA))
        return keys

    mentions = 3 * CAPTIONS
    slow = mentions / _seconds(once_a_caption)
    fast = mentions / _seconds(once_a_pack)
    known = mentions / _seconds(once_a_pack)
    return [
        Result("nouns_per_second", fast, "nouns/s", "templates embedded once a caption", fast / slow),
        Result("nouns_per_second_all_known", known, "nouns/s", "templates embedded once a caption", known / slow),
    ]


def _end_to_end() -> list[Result]:
    pack, parser = load_pack("miniature"), NounParser()
    captions = scene_captions(MINIATURE_CAPTIONS)
    builder = PrototypeBuilder(pack, parser)
    builder.build(captions[:1])  # reads the models
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        dimensions = (pack.image_text.dimension, pack.backbone.dimension)
        store = make_or_open_folder(place / "bank", pack.fingerprint, *dimensions)
        try:
            started = perf_counter()
            built = builder.build(captions, artifacts=place / "artifacts")
            store.add(built.prototypes)
            seconds = perf_counter() - started
        finally:
            store.close()
        store = make_or_open_folder(place / "stages", pack.fingerprint, *dimensions)
        try:
            shares = ingest_stages(pack, store, captions)
        finally:
            store.close()
    return [Result("prototypes_per_second", len(built.prototypes) / seconds, "prototypes/s"), *shares]


def run() -> list[Result]:
    """Measure all three on one thread."""
    torch.set_num_threads(1)
    return [*_attribution(), *_keys(), *_end_to_end()]
