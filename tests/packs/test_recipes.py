import re
from pathlib import Path

import pytest

from freeda_svc.errors import InputError, NotFoundError
from freeda_svc.packs import load_pack, read_recipe
from freeda_svc.packs.recipes import bundled_recipes, kinds_of
from freeda_svc.parameters import CommercialUse


def test_the_papers_packs_have_the_papers_settings() -> None:
    for name in ("freeda-vit-b", "freeda-vit-l"):
        numbers = read_recipe(name).parameters
        assert (numbers.generation.steps, numbers.generation.guidance_scale) == (50, 7.5)
        assert (numbers.generation.height, numbers.generation.width) == (768, 768)
        assert (numbers.prototypes.gamma, numbers.prototypes.alpha) == (0.45, 0.9)
        assert (numbers.backbone_size, numbers.image_text_size) == (518, 224)
        assert (numbers.segmentation.k, numbers.segmentation.beta) == (350, 0.8)
        assert (numbers.segmentation.short_side, numbers.segmentation.long_side) == (448, 2048)
        assert (numbers.segmentation.window, numbers.segmentation.stride) == (448, 224)
        superpixels = numbers.segmentation.superpixels
        assert (superpixels.scale, superpixels.sigma, superpixels.min_size) == (100.0, 1.0, 20)
    turbo = read_recipe("freeda-vit-l-turbo").parameters.generation
    assert turbo.steps <= 4
    assert turbo.guidance_scale <= 1


@pytest.mark.parametrize("name", bundled_recipes())
def test_a_bundled_recipe_is_complete(name: str) -> None:
    recipe = read_recipe(name)
    assert recipe.name == name
    assert recipe.sources["image_text"].activation
    for source in recipe.sources.values():
        assert source.licence
        assert source.megabytes
        assert source.commercial_use
        assert (source.commercial_use == "free") == bool(re.match(r"(Apache-2\.0|MIT)", source.licence))
    encoders = sum(
        recipe.sources[part].megabytes for part in ("backbone", "image_text")
    )  # in full precision, all of it
    assert recipe.gpu_gigabytes.segmenting * 1000 > encoders
    assert recipe.gpu_gigabytes.generating > recipe.gpu_gigabytes.segmenting
    notice = (Path(__file__).parents[2] / "NOTICE").read_text(encoding="utf-8")
    assert all(source.repository in notice for source in recipe.sources.values())


def test_which_recipes_are_the_papers_free_and_fast() -> None:
    assert read_recipe("freeda-vit-b").kinds == read_recipe("freeda-vit-l").kinds == ("paper",)
    assert read_recipe("freeda-vit-l-turbo").kinds == ("fast",)
    assert read_recipe("free-klein").kinds == read_recipe("free-z-image").kinds == ("free", "fast")
    assert read_recipe("klein-dinov3").kinds == ("fast",)
    conditions = {part: source.commercial_use for part, source in read_recipe("klein-dinov3").sources.items()}
    assert conditions == {"generator": "free", "backbone": "conditions", "image_text": "free"}


def test_the_free_packs_have_the_same_encoders_and_so_fill_the_same_bank() -> None:
    first, second = read_recipe("free-klein"), read_recipe("free-z-image")
    for part in ("backbone", "image_text"):
        assert first.sources[part] == second.sources[part]
    for recipe in (first, second):
        assert (recipe.parameters.backbone_size, recipe.parameters.image_text_size) == (518, 384)
        assert recipe.parameters.prototypes.alpha == first.parameters.prototypes.alpha
    assert first.sources["generator"] != second.sources["generator"]


def test_sizes_are_covered_by_patches_and_both_backbones_give_the_papers_grid() -> None:
    for name, patches in (("free-klein", (14, 16)), ("free-z-image", (14, 16)), ("klein-dinov3", (16, 14))):
        numbers = read_recipe(name).parameters
        assert divmod(numbers.backbone_size, patches[0]) == (37, 0)
        assert numbers.image_text_size % patches[1] == 0


@pytest.mark.parametrize(
    ("uses", "steps", "paper", "kinds"),
    [
        (("free", "free", "free"), 50, False, ("free",)),
        (("free", "free", "free"), 10, True, ("paper", "free", "fast")),
        (("free", "conditions", "free"), 11, False, ()),
        (("free", "", "free"), 4, False, ("fast",)),
        (("restricted", "free", "free"), 11, True, ("paper",)),
    ],
)
def test_a_pack_is_free_where_all_its_parts_are(
    uses: tuple[CommercialUse, ...],
    steps: int,
    paper: bool,
    kinds: tuple[str, ...],
) -> None:
    assert kinds_of(uses, steps, paper=paper) == kinds


@pytest.mark.parametrize("name", bundled_recipes())
def test_a_pack_that_is_not_fetched_says_what_to_run(name: str, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=rf"^the pack {name} is not in {tmp_path}; run: freeda packs fetch {name}$"):
        load_pack(name, folder=tmp_path)
    with pytest.raises(NotFoundError, match=f"run: freeda packs fetch {name}$"):
        load_pack(name)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('name = "own"', "", r"toml: name is missing: give letters, digits"),
        ('name = "own"', 'name = "../own"', r"name is '\.\./own', but must be letters, digits"),
        ('name = "own"', 'name = "freeda-vit-b"', r"the name freeda-vit-b belongs to a bundled pack"),
        ('name = "own"', 'name = "miniature"', r"the name miniature belongs to a bundled pack"),
        ('name = "own"', "name = ", r"not valid TOML"),
        ("gamma = 0.45", "", r"parameters\.prototypes\.gamma is missing: give a number"),
        (
            "steps = 2",
            'steps = "2"',
            r"parameters\.generation\.steps is '2', but must be a whole number of at least 1$",
        ),
        (
            "[sources.backbone]",
            "[sources.spine]",
            r"there is no parameter 'sources\.spine'; known are generator, backbone, image_text, mask_generator$",
        ),
        (
            '"someone/backbone"',
            '"backbone"',
            r"sources\.backbone\.repository is 'backbone', but must be owner/name on the model hub$",
        ),
        (
            '"someone/backbone"',
            '"a/b"\nmegabytes = "many"',
            r"backbone\.megabytes is 'many', but must be a whole number",
        ),
        (
            '"someone/backbone"',
            '"a/b"\nactivation = "relu"',
            r"sources\.backbone\.activation is 'relu', but must be one of gelu, quick",
        ),
        (
            '"someone/backbone"',
            '"a/b"\ncolour = "red"',
            r"there is no parameter 'sources\.backbone\.colour'; known are",
        ),
        (
            '"someone/backbone"',
            '"a/b"\ncommercial_use = "maybe"',
            r"backbone\.commercial_use is 'maybe', but must be one of free, conditions, restricted$",
        ),
        ('name = "own"', 'name = "own"\npaper = 1', r"paper is 1, but must be true or false$"),
        ('name = "own"', 'name = "own"\ngpu_gigabytes = 16', r"gpu_gigabytes is 16, but must be a table$"),
        (
            'name = "own"',
            'name = "own"\ngpu_gigabytes = {generating = -1}',
            r"gpu_gigabytes\.generating is -1, but must",
        ),
        (
            '["config.json", "model.safetensors"]',
            '"config.json"',
            r"backbone\.files is 'config\.json', but must be a list of texts, at least 1",
        ),
        (
            '["config.json", "model.safetensors"]',
            "[1]",
            r"backbone\.files holds 1, but must be a list of texts, at least 1",
        ),
        ('["config.json", "model.safetensors"]', "[]", r"files is \[\], but must be a list of texts, at least 1"),
        ('["config.json", "model.safetensors"]', '["a.json", "a.json"]', r"list each file once"),
        ('"config.json", "model.safetensors"', '"../a.json"', r"but must hold paths in the repository"),
        ('"config.json", "model.safetensors"', '"/etc/a.json"', r"but must hold paths in the repository"),
        ('"config.json", "model.safetensors"', '".git/a.json"', r"but must hold paths in the repository"),
        ('"config.json", "model.safetensors"', '"pytorch_model.bin"', r"weights come as \.safetensors only"),
        ('"config.json", "model.safetensors"', '"modeling.py"', r"'modeling\.py', which is not fetched"),
    ],
)
def test_a_wrong_recipe_is_refused_with_one_line_that_names_file_and_key(
    recipe_file: Path, old: str, new: str, message: str
) -> None:
    text = recipe_file.read_text(encoding="utf-8")
    assert text.count(old) == 1
    recipe_file.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(InputError, match=message) as caught:
        read_recipe(str(recipe_file))
    assert str(caught.value).startswith(str(recipe_file))
    assert "\n" not in str(caught.value)


def test_a_recipe_from_windows_is_read_or_refused_by_its_encoding(recipe_file: Path) -> None:
    text = recipe_file.read_text(encoding="utf-8")
    recipe_file.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    assert read_recipe(str(recipe_file)).name
    for encoding in ("utf-16", "utf-16-le"):
        recipe_file.write_bytes(text.encode(encoding))
        with pytest.raises(InputError, match=r"toml is not UTF-8 text, it looks like UTF-16; save it as UTF-8$"):
            read_recipe(str(recipe_file))


def test_a_missing_recipe_is_reported(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="there is no recipe"):
        read_recipe(str(tmp_path / "none.toml"))
    with pytest.raises(NotFoundError, match="there is no recipe 'miniature'"):
        read_recipe("miniature")
