"""The training recipe, two steps of it: the same code trains, resumes, writes and scores the packs of both worlds."""

from pathlib import Path

import numpy as np
import pytest
import torch

from freeda_svc.captions import NounParser, make_caption
from freeda_svc.miniature import SMALL, WIDE, World, paint_scene
from freeda_svc.miniature.training import generator
from freeda_svc.miniature.training.backbone import PatchNaming, build
from freeda_svc.miniature.training.image_text import _soft_targets
from freeda_svc.miniature.training.pack import write_pack
from freeda_svc.miniature.training.plans import PLANS, SMALL_PLAN, WIDE_PLAN
from freeda_svc.miniature.training.pool import paint_pool
from freeda_svc.miniature.training.scores import named_exactly, score_pack
from freeda_svc.packs import BUNDLED, load_pack, read_pack_parameters
from tests.tiny_wide_pack import STEPS, TINY_WIDE_PLAN, make_tiny_wide_pack, train_tiny_wide_models


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("wide")
    make_tiny_wide_pack(made)
    return made


def test_the_pack_knows_the_words_of_the_image_text_model(folder: Path) -> None:
    description = read_pack_parameters(str(folder / "pack"))
    assert description.name == "miniature-wide"
    assert {"sailing boat", "yacht", "boat", "lighthouse", "snow"} <= description.nouns
    assert not {"crab", "kite", "rocket", "cactus", "tent"} & description.nouns
    assert "make miniature-wide" in description.sources["generator"].origin


def test_every_part_of_the_pack_can_be_used(folder: Path) -> None:
    pack = load_pack(str(folder / "pack"))
    pack.try_out(generator=True)
    caption = make_caption("a red lorry beside a sailing boat on the snow")
    assert caption is not None
    (image,) = pack.generator.generate([caption], NounParser().parse([caption.text]))
    assert image.pixels.shape == (64, 64, 3)
    assert {"lorry", "sailing boat", "snow"} <= {noun.text for noun in image.nouns}


def test_finished_models_are_read_not_trained_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {path: path.stat().st_mtime_ns for path in (folder / "build").glob("*.pt")}
    assert len(before) == 4
    monkeypatch.setattr("freeda_svc.miniature.training.generator.paint_pool", None)  # nothing is painted for it
    train_tiny_wide_models(folder / "build")
    assert {path: path.stat().st_mtime_ns for path in (folder / "build").glob("*.pt")} == before
    assert all(torch.load(path, weights_only=True)["step"] == STEPS for path in before)


def test_a_pack_is_scored_by_its_own_world(folder: Path) -> None:
    scores = score_pack(folder / "pack", TINY_WIDE_PLAN, captions_each=1)
    assert set(scores["patch_iou"]) == set(WIDE.nouns)
    assert set(scores["drawn"]) <= {word.concept for word in WIDE.vocabulary("generator")}
    assert 0 <= scores["drawn_mean"] <= 1


@pytest.mark.parametrize(
    ("named", "exactly"),
    [
        ("sailing boat, sky", True),
        ("boat, sky", True),
        ("rowing boat, sky", False),
        ("sky", False),
        ("boat, tree, sky", False),
    ],
)
def test_a_general_word_names_exactly_what_it_is_the_word_for(named: str, exactly: bool) -> None:
    shown = {"sailing boat", "boat", "sky"}  # a scene shows the kinds of its things, too
    rows = [[[concept in some for concept in WIDE.concepts]] for some in (shown, named.split(", "))]
    assert named_exactly(WIDE, np.array(rows[0]), np.array(rows[1])).tolist() == [exactly]


@pytest.mark.parametrize("world", [SMALL, WIDE])
def test_captions_of_scenes_name_exactly_what_these_show(world: World) -> None:
    pool = paint_pool(world.easy, 40, split=0, world=world, reader="image_text")
    assert named_exactly(world, pool.shown, pool.named).all()
    others = named_exactly(world, pool.shown, np.roll(pool.named, 1, axis=0))
    if world is SMALL:  # where every thing has one name, that is to say the same
        assert (others == (pool.shown == np.roll(pool.named, 1, axis=0)).all(axis=1)).all()
    assert not others.all()


def test_the_bundled_pack_is_what_the_recipe_describes(tmp_path: Path) -> None:
    for path in BUNDLED["miniature"].rglob("*"):
        if path.is_file() and path.name != "pack.toml":
            target = tmp_path / path.relative_to(BUNDLED["miniature"])
            target.parent.mkdir(parents=True, exist_ok=True)
            target.hardlink_to(path) if path.stat().st_dev == tmp_path.stat().st_dev else target.write_bytes(
                path.read_bytes()
            )
    write_pack(tmp_path, SMALL_PLAN)
    written, shipped = read_pack_parameters(str(tmp_path)), read_pack_parameters("miniature")
    assert (written.nouns, written.files, written.sources) == (shipped.nouns, shipped.files, shipped.sources)
    assert (written.description, written.fingerprint) == (shipped.description, shipped.fingerprint)
    assert written.parameters == shipped.parameters


def test_no_autoencoder_begins_by_chance() -> None:
    from freeda_svc.miniature.training import autoencoder  # noqa: PLC0415

    torch.manual_seed(1)
    first = autoencoder.build().state_dict()
    torch.manual_seed(2)
    second = autoencoder.build().state_dict()
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_general_words_are_true_of_every_thing_of_their_kind() -> None:
    pool = paint_pool(WIDE.hard, 60, split=0, world=WIDE, reader="image_text")
    vehicle = WIDE.concepts.index("vehicle")
    members = [WIDE.concepts.index(noun) for noun in WIDE.kinds["vehicle"]]
    assert np.array_equal(pool.shown[:, vehicle], pool.shown[:, members].any(axis=1))
    assert pool.named[:, vehicle].any()
    asked = np.zeros((1, len(WIDE.concepts)), dtype=bool)
    asked[0, vehicle] = True
    assert np.array_equal(_soft_targets(pool.shown, asked).numpy()[:, 0] == 1, pool.shown[:, vehicle])


def test_the_backbone_is_never_told_of_what_no_caption_names() -> None:
    unseen = set(WIDE_PLAN.backbone.unseen)
    assert {"ship", "crab", "cactus"} <= unseen
    assert {thing.noun for thing in WIDE.things if thing.known_by != "captions"} <= unseen
    assert PatchNaming(build(TINY_WIDE_PLAN.backbone), len(WIDE.nouns)).names.out_features == 39


def test_the_small_worlds_models_keep_their_sizes(tiny_tokenizer: object) -> None:
    from freeda_svc.miniature.training import image_text  # noqa: PLC0415

    with torch.random.fork_rng(devices=[]):
        unet = generator.build(tiny_tokenizer).unet  # type: ignore[arg-type]
        clip = image_text.build(tiny_tokenizer)  # type: ignore[arg-type]
    assert unet.config.block_out_channels == (48, 96)
    assert clip.visual.transformer.width == 96
    assert [plan.world for plan in PLANS.values()] == [SMALL, WIDE]


def test_captions_fit_the_context(folder: Path) -> None:
    from transformers import CLIPTokenizer  # noqa: PLC0415

    tokenizer = CLIPTokenizer.from_pretrained(folder / "build" / "tokenizer")
    scenes = [paint_scene((1, number), WIDE.hard, world=WIDE, reader="image_text") for number in range(200)]
    assert max(len(tokenizer(scene.caption).input_ids) for scene in scenes) <= WIDE_PLAN.context_length
