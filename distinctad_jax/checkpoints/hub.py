"""From a name to a folder of weights: a folder on disk, or a model of the Hugging Face hub, fetched only when asked.

Without being asked nothing is ever sent or fetched; a model that other tools have fetched before is found in their
cache. Of a model only safetensors, JSON and text are fetched, never a pickle.
"""

from __future__ import annotations

import re
from pathlib import Path

from huggingface_hub import HfApi, snapshot_download
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, RepositoryNotFoundError

from distinctad_jax.checkpoints.containers import refuse_pickled
from distinctad_jax.errors import BadEnvironment, BadInput

ID = re.compile(r"[A-Za-z0-9][\w.-]{0,95}(/[A-Za-z0-9][\w.-]{0,95})?")
FETCHED = ("*.safetensors", "*.safetensors.index.json", "*.json", "merges.txt", "*.bpe")


def find_weights(source: str | Path, *, download: bool = False, revision: str | None = None) -> Path:
    """The folder that `source` names: a path, or the id of a model on the hub (`openai/clip-vit-base-patch16`).

    Args:
      download: whether the hub may be asked.
      revision: branch, tag or commit on the hub.
    Errors: BadInput if there is neither folder nor model, or the model has pickled weights only;
      BadEnvironment if the hub cannot be reached.
    """
    path, name = Path(source), str(source)
    if path.exists():
        return path
    if not ID.fullmatch(name):
        raise BadInput("no such folder of weights", where=path, mend="correct the path; nothing is downloaded")
    try:
        return Path(snapshot_download(name, revision=revision, allow_patterns=list(FETCHED), local_files_only=True))
    except LocalEntryNotFoundError:
        if not download:
            raise BadInput(
                "no such folder of weights, and no model of this name in the hub's cache",
                where=name,
                mend="correct the path; nothing is downloaded unless you ask for it (download)",
            ) from None
    return _fetched(name, revision)


def _fetched(name: str, revision: str | None) -> Path:
    try:
        files = HfApi().list_repo_files(name, revision=revision)
        if not any(file.endswith(".safetensors") for file in files):
            refuse_pickled(files, name)
            raise BadInput("this model has no safetensors", where=name, mend="choose another model")
        return Path(snapshot_download(name, revision=revision, allow_patterns=list(FETCHED)))
    except RepositoryNotFoundError:
        raise BadInput("the hub has no such model, or not for you", where=name, mend="correct the name") from None
    except (HfHubHTTPError, OSError) as error:
        told = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BadEnvironment(f"not fetched: {told}", where=name, mend="try again, or name a folder") from error
