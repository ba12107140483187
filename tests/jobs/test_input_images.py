import os
from collections.abc import Callable
from pathlib import Path

import pytest

from freeda_svc.errors import InputError
from freeda_svc.jobs.input_images import keep_image
from freeda_svc.settings import Settings, load_settings

ImageFile = Callable[..., Path]


def test_nothing_is_copied_from_outside(image_file: ImageFile, tmp_path: Path, described_pack: str) -> None:
    (tmp_path / "allowed").mkdir()
    settings = load_settings(home=tmp_path / "home", pack=described_pack, input_roots=str(tmp_path / "allowed"))
    with pytest.raises(InputError, match="lies outside"):
        keep_image(settings, image_file("a.png"), settings.input_rules)
    assert not settings.artifacts_folder.exists()


def test_an_image_that_is_kept_is_not_written_again(
    image_file: ImageFile, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = image_file("a.png", 1)
    kept = settings.artifacts_folder / keep_image(settings, image, settings.input_rules)
    assert kept.read_bytes() == image.read_bytes()
    os.utime(kept, (1000, 1000))
    before = kept.stat()
    monkeypatch.setattr(os, "fsync", lambda _descriptor: pytest.fail("it waits for the disk"))
    assert settings.artifacts_folder / keep_image(settings, image, settings.input_rules) == kept
    after = kept.stat()
    assert after.st_ino == before.st_ino
    assert after.st_mtime > before.st_mtime + 1000  # or it would be pruned with the job that it was first kept for
    assert list(kept.parent.iterdir()) == [kept]


def test_a_copy_that_is_not_whole_is_written_again(image_file: ImageFile, settings: Settings) -> None:
    image = image_file("a.png", 1)
    kept = settings.artifacts_folder / keep_image(settings, image, settings.input_rules)
    kept.write_bytes(b"")
    keep_image(settings, image, settings.input_rules)
    assert kept.read_bytes() == image.read_bytes()
    assert list(kept.parent.iterdir()) == [kept]
