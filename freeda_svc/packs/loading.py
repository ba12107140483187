"""Loading a pack: each of its models is verified and read at its first use."""

from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from freeda_svc.errors import InputError
from freeda_svc.packs.description import PackDescription, read_pack_parameters
from freeda_svc.packs.manifest import check_files, verify_part
from freeda_svc.packs.precision import Computing, Precision, Runtime, choose_computing
from freeda_svc.parameters import MASK_GENERATOR, PackParameters

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from freeda_svc.diffusion import Generator
    from freeda_svc.encoders import DenseBackbone, ImageTextModel, MaskGenerator


class Pack:
    """Three models with their parameters, perhaps with a fourth that finds masks.

    Segmentation never touches ``generator``, so it never pays for it.

    Attributes:
        description: what ``pack.toml`` says.
        computing: on which device and in which precision the models compute.
    """

    def __init__(self, description: PackDescription, computing: Computing) -> None:
        self.description = description
        self.computing = computing

    @property
    def device(self) -> str:
        """Torch's name of the device the models compute on."""
        return self.computing.device

    @property
    def name(self) -> str:
        """What the pack is called."""
        return self.description.name

    @property
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits; packs that make the same prototypes and keys have the same."""
        return self.description.fingerprint

    @property
    def encoders_fingerprint(self) -> str:
        """Sixteen hexadecimal digits; packs whose prototypes can stand in one bank have the same."""
        return self.description.encoders_fingerprint

    @property
    def parameters(self) -> PackParameters:
        """All numbers of the pack."""
        return self.description.parameters

    @cached_property
    def generator(self) -> "Generator":
        """The text-to-image model (raises InputError when its files are not as listed)."""
        from freeda_svc.packs.generator_model import read_generator  # noqa: PLC0415  (brings model libraries with it)

        return read_generator(self._verified("generator"), self.parameters.generation, self.computing)

    @cached_property
    def backbone(self) -> "DenseBackbone":
        """The dense backbone (raises InputError when its files are not as listed)."""
        from freeda_svc.packs.backbone_model import read_backbone  # noqa: PLC0415

        return read_backbone(self._verified("backbone"), self.parameters.backbone_size, self.computing)

    @cached_property
    def image_text(self) -> "ImageTextModel":
        """The image-text model (raises InputError when its files are not as listed)."""
        from freeda_svc.packs.image_text_model import read_image_text  # noqa: PLC0415

        source = self.description.sources["image_text"]
        size = self.parameters.image_text_size
        return read_image_text(self._verified("image_text"), size, self.computing, source)

    @cached_property
    def masks(self) -> "MaskGenerator":
        """The mask generator (raises InputError when the pack has none, or its files are not as listed)."""
        if MASK_GENERATOR not in self.description.sources:
            raise InputError(
                f"the pack {self.name} has no mask generator (SAM 2, SAM 3), so that its regions cannot be masks: take "
                "superpixels, give regions of your own, or use a pack with one"
            )
        from freeda_svc.packs.mask_model import read_mask_generator  # noqa: PLC0415

        return read_mask_generator(self._verified(MASK_GENERATOR), self.computing)

    def try_out(self, *, generator: bool = False) -> None:
        """Compute next to nothing with each model, to see that its files and the device are usable.

        Args:
            generator: read it and try it, too; otherwise its files are only looked at, unless it was read before.

        Raises:
            InputError: files are missing or not as listed, or values come out that are not finite.
            RuntimeError: the device does not compute, in the words of torch.
        """
        import numpy as np  # noqa: PLC0415  (what only describes a pack does without it)

        if not generator and "generator" not in self.__dict__:
            check_files(self.description, "generator")
        self._check_values("image-text model", np.asarray(self.image_text.embed_texts(["a"])))
        self._check_values("backbone", np.asarray(self.backbone.try_out()))
        if self.parameters.segmentation.regions.way == "masks":
            self._check_values("mask generator", np.asarray(self.masks.try_out()))
        if generator:
            self._check_values("generator", self.generator.try_out())

    def _check_values(self, part: str, values: "npt.NDArray[np.floating]") -> None:
        import numpy as np  # noqa: PLC0415  (as above)

        if not np.isfinite(values).all():
            raise InputError(
                f"the {part} of pack {self.name} gives values that are not finite on {self.device}: "
                "use another precision or device"
            )

    def _verified(self, part: str) -> Path:
        verify_part(self.description, part)
        return self.description.folder / part


def load_pack(
    name_or_path: str,
    device: str = "cpu",
    precision: Precision = "auto",
    *,
    folder: Path | None = None,
    runtime: Runtime = "torch",
    channels_last: bool = False,
    windows_at_once: int = 0,
) -> Pack:
    """Open a pack.

    Args:
        name_or_path: ``miniature``, the name or the recipe of a pack that was fetched, or the path of a folder with a
            ``pack.toml``.
        device: ``auto``, or torch's name of a device, such as ``cpu`` or ``cuda``.
        precision: ``auto``, or that of all the models: ``float32``, ``bfloat16`` or ``float16``.
        folder: holds the packs that were fetched; None when there is none.
        runtime: ``torch``, or ``openvino`` for the encoders on a processor.
        channels_last: whether convolutions of the generator read pixels before channels.
        windows_at_once: how many windows go through the encoders together; 0 is by their sizes and the device.

    Returns:
        The pack; its models are read, after their checksums, at their first use.

    Raises:
        NotFoundError: there is no such pack, or it was not fetched yet.
        InputError: its ``pack.toml`` is not valid, or device, precision or runtime cannot be used here.
    """
    description = read_pack_parameters(name_or_path, folder)
    computing = choose_computing(device, precision, runtime)
    return Pack(description, replace(computing, channels_last=channels_last, windows_at_once=windows_at_once))
