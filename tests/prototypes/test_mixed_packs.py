"""Two packs with other generators and the same encoders, from captions to one bank and to masks."""

import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import load_file, save_file

from freeda_svc.bank import make_or_open_folder
from freeda_svc.captions.caption import make_caption
from freeda_svc.errors import InputError
from freeda_svc.packs import Pack, load_pack, read_pack_parameters, write_pack_manifest
from freeda_svc.prototypes.builder import PrototypeBuilder
from freeda_svc.segmentation import Segmenter

WEIGHTS = {"generator": "unet/diffusion_pytorch_model.safetensors", "backbone": "model.safetensors"}
MakePack = Callable[[str], Pack]


@pytest.fixture
def with_another(tiny_pack_folder: Path, tmp_path: Path) -> MakePack:
    """Loads a copy of the tiny pack in which one part has other weights."""

    def make(part: str) -> Pack:
        folder = Path(shutil.copytree(tiny_pack_folder, tmp_path / part))
        weights = folder / part / WEIGHTS[part]
        changed = {name: value * 1.1 for name, value in load_file(weights).items()}
        save_file(changed, weights, metadata={"format": "pt"})
        had = read_pack_parameters(str(tiny_pack_folder))
        words = {"name": f"other-{part}", "version": "1", "description": "x", "parameters": had.parameters}
        write_pack_manifest(folder, sources=had.sources, **words)
        return load_pack(str(folder))

    return make


def test_packs_with_the_same_encoders_fill_one_bank_that_both_ask(
    tiny_pack_folder: Path, with_another: MakePack, tmp_path: Path
) -> None:
    first, second = load_pack(str(tiny_pack_folder)), with_another("generator")
    caption = make_caption("A ball on the grass.")
    assert caption is not None
    store = make_or_open_folder(
        tmp_path / "bank", first.encoders_fingerprint, first.image_text.dimension, first.backbone.dimension
    )
    with closing(store):
        for pack in (first, second):
            made = PrototypeBuilder(pack).build([caption], artifacts=tmp_path).prototypes
            assert store.add(made) == len(made) == 2
        held = [one for page in store.scan() for one in page]
        assert {(one.noun, one.generator, one.pack) for one in held} == {
            (noun, pack.name, pack.fingerprint) for noun in ("ball", "grass") for pack in (first, second)
        }
        pictures = [np.asarray(Image.open(tmp_path / image)) for image in {one.image for one in held}]
        assert len(pictures) == 2  # each prototype keeps the picture that it was pooled from
        assert (pictures[0] != pictures[1]).any()
        keys = {one.noun: [] for one in held}
        for one in held:
            keys[one.noun].append(one.key)
        for same in keys.values():  # keys follow from the words alone
            np.testing.assert_allclose(same[0], same[1], atol=1e-5)
        photo = np.full((64, 64, 3), 90, dtype=np.uint8)
        labels = [Segmenter(pack, store).segment(photo, ["ball", "grass"]).labels for pack in (first, second)]
        assert (labels[0] == labels[1]).all()
        with pytest.raises(InputError, match=r"the bank was made with pack .*, but other-backbone is .*, with the"):
            Segmenter(with_another("backbone"), store)
