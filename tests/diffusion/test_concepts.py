# ruff: noqa: ANN401  (pipelines and their parts share no type)
"""ConceptAttention restated: the real blocks are called once more, with the concepts in the place of the text."""

from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from freeda_svc.diffusion import Generator
from freeda_svc.errors import InputError
from freeda_svc.parameters import AttributionParameters
from tests.diffusion.captions_of_tests import CAPTIONS, MENTIONED
from tests.diffusion.restated_attention import Kind
from tests.diffusion.test_generator import Settings
from tests.diffusion.tiny_transformers import tiny_pipeline
from tests.diffusion.transformer_kinds import KINDS

pytestmark = pytest.mark.usefixtures("one_thread")
MAKERS = ("flux", "flux_with_embedded_guidance", "sd3", "sd35_without_t5")
EVERY_KIND = pytest.mark.parametrize(
    "kind", [pytest.param(kind, id=kind.maker) for kind in KINDS if kind.maker in MAKERS]
)
STEPS = 2


def settings_of(kind: Kind, *, guided: bool, **chosen: tuple[int, ...]) -> Settings:
    return Settings(
        steps=STEPS,
        guidance_scale=3.0 if guided else 1.0,
        height=kind.side,
        width=kind.side * 3 // 2,
        attribution=AttributionParameters(method="concept", **chosen),
    )


def embedded(pipeline: Any, kind: Kind, word: str) -> torch.Tensor:
    """Return the mean embedding of a word's tokens: of T5's in FLUX, of CLIP's in SD 3."""
    if kind.maker.startswith("flux"):
        tokens = len(pipeline.tokenizer_2(word).input_ids) - 1  # without the end
        return pipeline.encode_prompt(prompt=[word], prompt_2=None)[0][0, :tokens].mean(dim=0)
    tokens = len(pipeline.tokenizer(word).input_ids) - 2
    embeddings = pipeline.encode_prompt([word], None, None, do_classifier_free_guidance=False)[0]
    return embeddings[0, 1 : 1 + tokens].mean(dim=0)


def outputs_of_attention(attention: Any, **given: Any) -> torch.Tensor:
    """Return what the layer's attention gives before the projection, (rows, positions, heads x d)."""
    kept: list[torch.Tensor] = []
    fused = functional.scaled_dot_product_attention

    def keeping(*args: Any, **others: Any) -> torch.Tensor:
        kept.append(fused(*args, **others))
        return kept[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(functional, "scaled_dot_product_attention", keeping)
        attention(**given)
    return kept[0].transpose(1, 2).flatten(2)


@torch.no_grad()
def restate(
    pipeline: Any, kind: Kind, calls: list[dict[str, Any]], *, image: int, words: list[str], chosen: Any
) -> Any:
    """Return the concepts' maps of one image, (N, H, W), from what each block was called with."""
    height, width = kind.side, kind.side * 3 // 2
    grid = (height // kind.token, width // kind.token)
    transformer, flux = pipeline.transformer, kind.maker.startswith("flux")
    maps = []
    stream = None
    for number, call in enumerate(calls):
        block_number = number % len(transformer.transformer_blocks)
        block = transformer.transformer_blocks[block_number]
        if block_number == 0:
            vectors = torch.stack([embedded(pipeline, kind, word) for word in words])
            stream = transformer.context_embedder(vectors)[None]
        first = len(call["temb"]) - len(call["temb"]) // call["halves"]  # of the conditional half, which is the second
        row = slice(first + image, first + image + 1)
        told, hidden, text = call["temb"][row], call["hidden_states"][row], call["encoder_hidden_states"][row]
        moment = call["zeroed"][row] if flux else told
        normed_image = block.norm1(hidden, emb=told)[0]
        last = getattr(block, "context_pre_only", False)
        if last:
            normed_text, normed = block.norm1_context(text, told), block.norm1_context(stream, moment)
        else:
            normed_text = block.norm1_context(text, emb=told)[0]
            normed, gate, shift, scale, gate_forward = block.norm1_context(stream, emb=moment)
        rotary = {"with_text": {}, "with_concepts": {}}
        if flux:
            ids = call["img_ids"]
            for name, length in (("with_text", text.shape[1]), ("with_concepts", len(words))):
                rotary[name] = {"image_rotary_emb": transformer.pos_embed(torch.cat([torch.zeros(length, 3), ids]))}
        of_image = outputs_of_attention(
            block.attn, hidden_states=normed_image, encoder_hidden_states=normed_text, **rotary["with_text"]
        )
        of_concepts = outputs_of_attention(
            block.attn, hidden_states=normed_image, encoder_hidden_states=normed, **rotary["with_concepts"]
        )
        tokens = grid[0] * grid[1]
        if flux:
            of_image, of_concepts = of_image[:, -tokens:], of_concepts[:, : len(words)]
        else:
            of_image, of_concepts = of_image[:, :tokens], of_concepts[:, tokens:]
        step = number // len(transformer.transformer_blocks)
        if (not chosen["blocks"] or block_number in chosen["blocks"]) and (
            not chosen["steps"] or step in chosen["steps"]
        ):
            maps.append((of_concepts @ of_image.transpose(1, 2)).reshape(1, len(words), *grid))
        if not last:
            stream = stream + gate[:, None] * block.attn.to_add_out(of_concepts)
            changed = block.norm2_context(stream) * (1 + scale[:, None]) + shift[:, None]
            stream = stream + gate_forward[:, None] * block.ff_context(changed)
    mean = torch.stack(maps).mean(dim=0)
    return functional.interpolate(mean, size=(height, width), mode="bilinear", align_corners=False)[0].numpy()


def blocks_called(pipeline: Any, kind: Kind, generator: Generator, images: int, *, guided: bool) -> Any:
    """Generate, and return the images with what each block was called with in the conditional part of each step."""
    transformer, calls, seen = pipeline.transformer, [], {}
    flux = kind.maker.startswith("flux")

    def see_transformer(module: Any, args: Any, given: dict[str, Any]) -> None:
        seen["number"] = seen.get("number", -1) + 1
        seen["img_ids"] = given.get("img_ids")

    def see_moment(module: Any, args: Any) -> None:
        seen["zeroed"] = module.forward(*args[:-1], torch.zeros_like(args[-1])) if flux else None

    def see_block(module: Any, args: Any, given: dict[str, Any]) -> None:
        passes = kind.passes if guided else 1
        if seen["number"] % passes == 0:
            halves = 2 if guided and kind.halves is not None else 1
            calls.append({**given, "zeroed": seen["zeroed"], "img_ids": seen["img_ids"], "halves": halves})

    hooks = [
        transformer.register_forward_pre_hook(see_transformer, with_kwargs=True),
        transformer.time_text_embed.register_forward_pre_hook(see_moment),
        *(block.register_forward_pre_hook(see_block, with_kwargs=True) for block in transformer.transformer_blocks),
    ]
    generated = generator.generate(CAPTIONS[:images], MENTIONED[:images])
    for hook in hooks:
        hook.remove()
    return generated, calls


@EVERY_KIND
@pytest.mark.parametrize("guided", [True, False])
@pytest.mark.parametrize("chosen", [{"blocks": (), "steps": ()}, {"blocks": (1,), "steps": (1,)}])
def test_maps_are_dot_products_of_attention_outputs(kind: Kind, guided: bool, chosen: Any) -> None:
    pipeline = tiny_pipeline(kind.maker)
    images = 1 if chosen["blocks"] else 4
    generator = Generator(pipeline, settings_of(kind, guided=guided, **chosen))
    generated, calls = blocks_called(pipeline, kind, generator, images, guided=guided)
    assert len(calls) == STEPS * len(pipeline.transformer.transformer_blocks)
    for index, image in enumerate(generated):
        words = [noun.text for noun in image.nouns]
        expected = restate(pipeline, kind, calls, image=index, words=words, chosen=chosen)
        assert image.attributions.shape == expected.shape
        assert np.ptp(expected, axis=(1, 2)).min() > 1e-3
        np.testing.assert_allclose(image.attributions, expected, atol=1e-4 * max(1.0, np.abs(expected).max()))


@EVERY_KIND
def test_the_image_is_the_same_as_without_concepts(kind: Kind) -> None:
    pipeline = tiny_pipeline(kind.maker)
    settings = settings_of(kind, guided=True)
    [with_concepts] = Generator(pipeline, settings).generate(CAPTIONS[1:2], MENTIONED[1:2])
    plain = Settings(settings.steps, settings.guidance_scale, settings.height, settings.width)
    [without] = Generator(pipeline, plain).generate(CAPTIONS[1:2], MENTIONED[1:2])
    assert np.array_equal(with_concepts.pixels, without.pixels)
    together = Generator(pipeline, settings).generate(CAPTIONS[:3], [[], *MENTIONED[1:3]])
    largest = np.abs(with_concepts.attributions).max()
    np.testing.assert_allclose(together[1].attributions, with_concepts.attributions, atol=1e-3 * largest)
    assert together[0].attributions.shape[0] == 0


def test_families_without_it_are_refused() -> None:
    kind = next(kind for kind in KINDS if kind.maker == "z_image")
    with pytest.raises(InputError, match=r"concepts is known for SD 3 and FLUX\.1, not for Z-Image; use attention"):
        Generator(tiny_pipeline("z_image"), settings_of(kind, guided=False))


def test_only_double_blocks_have_concepts() -> None:
    kind = next(kind for kind in KINDS if kind.maker == "flux")
    with pytest.raises(InputError, match="counts blocks 2, but the generator has 2, numbered from 0"):
        Generator(tiny_pipeline("flux"), settings_of(kind, guided=False, blocks=(2,)))
