"""What an appearance tells of its region, by how it is made: whether the region's own noun is the nearest text.

Regions are the weak masks of generated images, as a bank gets them, and the true masks of painted scenes, as a person
draws them; neither took part in any training. ``own_noun`` is the share of regions whose own noun, of the world's
fourteen, is nearest; ``margin`` the mean of its cosine less the best other one's; ``alike`` the share of painted
regions whose own noun most of the fifteen nearest appearances of the generated ones have.
"""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
import torch
from torch.nn import functional

from benchmarks.results import Result
from benchmarks.validation import validation_captions, validation_scenes
from freeda_svc.captions import NounParser
from freeda_svc.diffusion import weak_mask
from freeda_svc.encoders import ImageTextModel
from freeda_svc.miniature import NOUNS
from freeda_svc.packs import Pack, load_pack
from freeda_svc.prototypes import Region, embed_regions, make_photo, window_around

LEAST_PIXELS = 40
NEIGHBOURS = 15
AT_ONCE = 64

Regions: TypeAlias = Sequence[tuple[str, Region]]
Embed: TypeAlias = Callable[[ImageTextModel, Sequence[Region]], torch.Tensor]


def _generated(pack: Pack) -> list[tuple[str, Region]]:
    captions = validation_captions()
    nouns = NounParser().parse([caption.text for caption in captions])
    size = pack.parameters.generation.batch_size
    regions: list[tuple[str, Region]] = []
    for start in range(0, len(captions), size):
        for image in pack.generator.generate(captions[start : start + size], nouns[start : start + size]):
            masks = [weak_mask(one, pack.parameters.prototypes.gamma) for one in image.attributions]
            found = zip(image.nouns, masks, strict=True)
            regions += [(noun.text, (image.pixels, mask)) for noun, mask in found if mask.any() and noun.text in NOUNS]
    return regions


def _painted() -> list[tuple[str, Region]]:
    regions: list[tuple[str, Region]] = []
    for scene in validation_scenes():
        masks = [(noun, scene.labels == index) for index, noun in enumerate(NOUNS)]
        regions += [(noun, (scene.image, mask)) for noun, mask in masks if mask.sum() >= LEAST_PIXELS]
    return regions


def _embed(model: ImageTextModel, views: Sequence[torch.Tensor]) -> torch.Tensor:
    chunks = [torch.stack(list(views[start : start + AT_ONCE])) for start in range(0, len(views), AT_ONCE)]
    return functional.normalize(torch.cat([model.embed_images(chunk) for chunk in chunks]), dim=-1)


def _photos(model: ImageTextModel, regions: Sequence[Region]) -> list[torch.Tensor]:
    return [make_photo(pixels, model.size) for pixels, _ in regions]


def _greyed(model: ImageTextModel, region: Region) -> Region:
    pixels, mask = region
    grey = np.round(255 * np.asarray(model.mean_colour)).astype(np.uint8)
    return np.where(mask[..., np.newaxis], pixels, grey), mask


def _whole(model: ImageTextModel, regions: Sequence[Region]) -> torch.Tensor:
    return _embed(model, _photos(model, regions))


def _whole_greyed(model: ImageTextModel, regions: Sequence[Region]) -> torch.Tensor:
    return _whole(model, [_greyed(model, region) for region in regions])


def _window(model: ImageTextModel, regions: Sequence[Region]) -> torch.Tensor:
    return _embed(model, [make_photo(window_around(mask).cut(pixels), model.size) for pixels, mask in regions])


def _window_greyed(model: ImageTextModel, regions: Sequence[Region]) -> torch.Tensor:
    return _window(model, [_greyed(model, region) for region in regions])


def _box(model: ImageTextModel, regions: Sequence[Region]) -> torch.Tensor:
    boxes = [(pixels, np.nonzero(mask)) for pixels, mask in regions]
    cut = [pixels[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1] for pixels, (rows, columns) in boxes]
    return _embed(model, [make_photo(pixels, model.size) for pixels in cut])


def _box_greyed(model: ImageTextModel, regions: Sequence[Region]) -> torch.Tensor:
    return _box(model, [_greyed(model, region) for region in regions])


def _mean(*ways: Embed) -> Embed:
    def embed(model: ImageTextModel, regions: Sequence[Region]) -> torch.Tensor:
        return torch.stack([way(model, regions) for way in ways]).mean(dim=0)

    return embed


def _used(model: ImageTextModel, regions: Sequence[Region]) -> torch.Tensor:
    return torch.from_numpy(embed_regions(model, regions))


def _values(model: ImageTextModel, regions: Sequence[Region]) -> torch.Tensor:
    """Pool the values of the last attention layer, projected, under the mask (MaskCLIP, Zhou et al., ECCV 2022)."""
    visual = model._model.visual  # noqa: SLF001 (no part of the product looks inside)
    block = visual.transformer.resblocks[-1]
    entering: list[torch.Tensor] = []
    hook = block.register_forward_pre_hook(lambda _, given: entering.append(given[0]))
    try:
        _embed(model, _photos(model, regions))
    finally:
        hook.remove()
    states = block.ln_1(torch.cat(entering)[:, 1:])
    width = states.shape[-1]
    values = states @ block.attn.in_proj_weight[2 * width :].T + block.attn.in_proj_bias[2 * width :]
    tokens = visual.ln_post(block.attn.out_proj(values)) @ visual.proj
    side = round(tokens.shape[1] ** 0.5)
    masks = torch.stack([torch.from_numpy(mask).float() for _, mask in regions])
    weights = functional.interpolate(masks[:, None], size=(side, side), mode="area").flatten(1)
    pooled: torch.Tensor = (tokens * weights[..., None]).sum(dim=1)
    return pooled


WAYS: dict[str, Embed] = {
    "whole_image": _whole,
    "box": _box,
    "box_greyed": _box_greyed,
    "box_and_greyed": _mean(_box, _box_greyed),
    "window": _window,
    "window_greyed": _window_greyed,
    "window_and_greyed": _used,
    "whole_image_and_greyed": _mean(_whole, _whole_greyed),
    "whole_image_and_window_greyed": _mean(_whole, _window_greyed),
    "last_values": _values,
}


@torch.no_grad()
def run() -> list[Result]:
    """Measure all ways on one thread."""
    torch.set_num_threads(1)
    pack = load_pack("miniature")
    model = pack.image_text
    texts = model.embed_nouns(NOUNS)
    sets: dict[str, Regions] = {"generated": _generated(pack), "painted": _painted()}
    truth = {name: torch.tensor([NOUNS.index(noun) for noun, _ in regions]) for name, regions in sets.items()}
    results = [Result(f"{name}_regions", len(regions), "") for name, regions in sets.items()]
    for way, embed in WAYS.items():
        seen = {
            name: functional.normalize(embed(model, [region for _, region in regions]), dim=-1)
            for name, regions in sets.items()
        }
        for name, rows in seen.items():
            cosines = rows @ texts.T
            own = cosines.gather(1, truth[name][:, None])[:, 0]
            best = cosines.scatter(1, truth[name][:, None], -1.0).amax(dim=1)
            results += [
                Result(f"{way}_{name}_own_noun", float((own > best).float().mean()), ""),
                Result(f"{way}_{name}_margin", float((own - best).mean()), ""),
            ]
        nearest = (seen["painted"] @ seen["generated"].T).topk(NEIGHBOURS, dim=1).indices
        votes = functional.one_hot(truth["generated"][nearest], len(NOUNS)).sum(dim=1).argmax(dim=1)
        results.append(Result(f"{way}_alike", float((votes == truth["painted"]).float().mean()), ""))
    return results
