from collections.abc import Callable
from pathlib import Path

import pytest

from freeda_svc.errors import InputError
from freeda_svc.jobs.input_images import keep_image
from freeda_svc.settings import load_settings

ImageFile = Callable[..., Path]


def test_nothing_is_copied_from_outside(image_file: ImageFile, tmp_path: Path, described_pack: str) -> None:
    (tmp_path / "allowed").mkdir()
    settings = load_settings(home=tmp_path / "home", pack=described_pack, input_roots=str(tmp_path / "allowed"))
    with pytest.raises(InputError, match="lies outside"):
        keep_image(settings, image_file("a.png"), settings.input_rules)
    assert not settings.artifacts_folder.exists()
