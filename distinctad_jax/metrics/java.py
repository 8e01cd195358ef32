"""Where the Java programs of METEOR and SPICE are, for those who have them: everything else here needs no Java.

The programs come with `pip install pycocoevalcap`, or are named by path; SPICE also needs the models of Stanford's
CoreNLP beside it.
"""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

from distinctad_jax.errors import BadEnvironment

PLACES = {"meteor": "meteor/meteor-1.5.jar", "spice": "spice/spice-1.0.jar"}


def find_jar(tool: str, path: Path | None = None) -> Path:
    """The program of `meteor` or `spice`: the one named, or that of an installed pycocoevalcap.

    Errors: BadEnvironment if there is no Java or no such program.
    """
    if shutil.which("java") is None:
        raise BadEnvironment("no Java", where=tool, mend="install a Java runtime, or leave this score out")
    if path is None:
        package = importlib.util.find_spec("pycocoevalcap")
        folders = list(package.submodule_search_locations or ()) if package else []
        path = Path(folders[0]) / PLACES[tool] if folders else Path(PLACES[tool])
    if not path.is_file():
        raise BadEnvironment("no such program", where=path, mend="pip install pycocoevalcap, or name the jar")
    return path.resolve()
