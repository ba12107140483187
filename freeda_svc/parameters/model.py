"""The base of all models of parameters: immutable, exact about types and names, refused in one sentence."""

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from freeda_svc.errors import InputError
from freeda_svc.parameters.sentences import sentence_of


class Model(BaseModel):
    """Values that are checked when they are made and never change.

    Types are strict: ``"3"`` and ``True`` are no numbers, and neither are infinity and NaN. Lists are taken for tuples.

    Raises:
        InputError: a value is missing, unknown, of another type or out of its range.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, validate_default=True, defer_build=True
    )

    def __init__(self, /, **values: Any) -> None:  # noqa: ANN401 - as pydantic has it; subclasses show their fields
        """Check and keep values by their names."""
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise InputError(sentence_of(error, type(self))) from error

    # With this mark, pydantic checks models inside of models without `__init__`, and errors keep their places.
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]

    @classmethod
    def read(cls, values: object, where: str = "", prefix: str = "") -> Self:
        """Make the model of plain values, such as those of a TOML or JSON document.

        Args:
            values: a mapping by the names of the fields, or the model itself.
            where: begins the sentence about what is wrong, such as the name of a file.
            prefix: comes before each name in it, such as ``parameters.``.

        Raises:
            InputError: a value is missing, unknown, of another type or out of its range.
        """
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            sentence = sentence_of(error, cls, prefix)
            raise InputError(f"{where}: {sentence}" if where else sentence) from error

    def replace(self, **changes: Any) -> Self:  # noqa: ANN401 - values of fields
        """Return the same with other values of some fields, which are checked.

        Raises:
            InputError: a value is unknown, of another type or out of its range.
        """
        return self.read({**{name: getattr(self, name) for name in type(self).model_fields}, **changes})
