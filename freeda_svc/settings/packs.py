"""Opening the pack that an installation names, computing as its settings say."""

from typing import TYPE_CHECKING

from freeda_svc.settings.model import Settings

if TYPE_CHECKING:
    from freeda_svc.packs import Pack, Precision


def load_pack_of(
    settings: Settings, *, pack: str | None = None, device: str | None = None, precision: "Precision | None" = None
) -> "Pack":
    """Open the pack of an installation; its models are read at their first use.

    Args:
        settings: the installation.
        pack: another pack than its own.
        device: another device.
        precision: another precision.

    Raises:
        NotFoundError: there is no such pack, or it was not fetched yet.
        InputError: its ``pack.toml`` is not valid, or device, precision or runtime cannot be used here.
    """
    from freeda_svc.packs import load_pack  # noqa: PLC0415 - most commands do without

    return load_pack(
        settings.pack if pack is None else pack,
        device or settings.device,
        precision or settings.precision,
        folder=settings.packs_folder,
        runtime=settings.encoder_runtime,
        channels_last=settings.channels_last,
        windows_at_once=settings.windows_at_once,
    )
