"""Shared parts of reading a pack's models: settings as JSON, one-line errors of libraries, checks of tensors."""

import freeda_svc.torchvision_operators  # noqa: F401  (before the model libraries)

# isort: split
import json
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from safetensors import SafetensorError
from transformers.utils import logging as transformers_logging

from freeda_svc.errors import FreedaError, InputError, one_line
from freeda_svc.text_files import read_text

P = ParamSpec("P")
R = TypeVar("R")

_LIBRARY_FAULTS = (
    OSError, ValueError, LookupError, RuntimeError, TypeError, AttributeError, AssertionError, SafetensorError,
)  # fmt: skip

# loading a model is a moment of a larger task, which reports its own progress; and the libraries warn of much that is
# as it should be: a small autoencoder, no accelerate, captions cut off (which are counted here)
transformers_logging.set_verbosity_error()
transformers_logging.disable_progress_bar()


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        InputError: the file is missing, no JSON or no object.
    """
    try:
        content = json.loads(read_text(path))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(content, dict):
        raise InputError(f"{path} must hold a JSON object")
    return content


def in_one_line(read: Callable[P, R]) -> Callable[P, R]:
    """Turn whatever a library raises over a folder it cannot read into one line that names the folder."""

    @wraps(read)
    def reading(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return read(*args, **kwargs)
        except FreedaError:
            raise
        except _LIBRARY_FAULTS as error:
            reason = one_line(error)[:300]
            raise InputError(f"{args[0]} cannot be loaded as a model: {type(error).__name__}: {reason}") from error

    return reading


def check_tensors(folder: Path, info: Mapping[str, Any]) -> None:
    """Refuse a checkpoint that has not exactly its model's tensors; the libraries would make up what it lacks.

    Old checkpoints carry positions, which are counted and not learned; those may be there.

    Args:
        folder: where the checkpoint lies.
        info: the loading info that ``from_pretrained`` of diffusers and transformers returns.

    Raises:
        InputError: tensors are missing, unknown or misshapen.
    """
    lacking = sorted(map(str, info["missing_keys"]))
    beyond = sorted(name for name in map(str, info["unexpected_keys"]) if not name.endswith("position_ids"))
    other = sorted(map(str, info["mismatched_keys"]))
    for names, what in ((lacking, "lacks the tensor"), (beyond, "has an unknown tensor"), (other, "has a misshapen")):
        if names:
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            raise InputError(f"the checkpoint in {folder} {what} {names[0]}{more}; fetch or copy the pack again")


def check_words(folder: Path, tokenizer: Any) -> None:  # noqa: ANN401  (of transformers, which has a type for each)
    """Refuse a tokenizer without its words: transformers makes one of special tokens alone where the files are missing.

    Args:
        folder: where its files lie.
        tokenizer: one of transformers.

    Raises:
        InputError: it gives two different letters the same tokens.
    """
    if tokenizer("a").input_ids == tokenizer("b").input_ids:
        raise InputError(
            f"the tokenizer in {folder} knows no words: its tokenizer.json or vocabulary is missing or of another model"
        )
