"""The folder that `distinctad describe --model` names: where stage 2 was trained, and which parts of it are used."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from distinctad_jax.errors import BadInput, BadResume
from distinctad_jax.files import read_json

_MADE = "python -m distinctad_jax.main --config=configs/demo.py --config.workdir=FOLDER"


@dataclasses.dataclass(frozen=True)
class Shelf:
    """Where the parts of a drafter lie: the folders of stage 2 and of the tower that made its features."""

    narrator: Path
    tower: Path
    trained: Mapping[str, Any]


def find(folder: Path | None) -> Shelf:
    """The parts in a workdir in which stage 2 was finished, or of one narrator of it, `workdir/stage2/KEY`.

    Of the narrators of a demo, its own is taken, not those that lack a part; `workdir/demo` names it too.

    Errors: BadResume, telling how one is made, if no folder is given; BadInput if it is missing, holds none or
      several, or a part of it is gone. Nothing is ever fetched.
    """
    if folder is None:
        raise BadResume(
            "no model is given, and none comes with the program",
            where="--model",
            mend=f"train one ({_MADE}) and give --model FOLDER; --dry-run needs none",
        )
    if not folder.is_dir():
        raise BadInput("no such model folder", where=folder, mend=f"correct --model, or make one: {_MADE}")
    if folder.parent.name == "stage2" and (folder / "artefact.json").is_file():
        workdir, narrators = folder.parent.parent, [folder]
    elif (own := _of_demo(folder)) is not None:
        workdir, narrators = own.parent.parent, [own]
    else:
        workdir, narrators = folder, sorted(path.parent for path in folder.glob("stage2/*/artefact.json"))
        own = _of_demo(folder / "demo")
        narrators = [own] if len(narrators) > 1 and own in narrators else narrators
    if not narrators:
        raise BadInput("holds no finished narrator (stage2/KEY)", where=folder, mend=f"make one: {_MADE}")
    if len(narrators) > 1:
        names = ", ".join(f"stage2/{path.name}" for path in narrators[:5])
        raise BadInput(f"holds {len(narrators)} narrators: {names}", where=folder, mend="give the folder of one")
    about = _about(narrators[0])
    extract = _about(workdir / "extract" / _key(about, "extract", narrators[0]))
    tower = str(extract.get("settings", {}).get("tower", "stage1"))
    trained = about.get("results", {}).get("settings")
    if not isinstance(trained, dict) or not {"clips", "frames", "prompt_length", "names"} <= set(trained):
        raise BadInput("does not say how it was trained", where=narrators[0] / "artefact.json", mend="train it again")
    if tower not in ("stage1", "pretrain"):
        raise BadInput(f"its features are of {tower[:20]!r}", where=narrators[0], mend="train it again")
    return Shelf(narrators[0], workdir / tower / _key(extract, "tower", workdir / "extract"), trained)


def _of_demo(folder: Path) -> Path | None:
    """The narrator that a finished demo speaks of, if this is the folder of one."""
    if not (folder / "artefact.json").is_file():
        return None
    needs = _about(folder).get("needs", {})
    key = needs.get("stage2 full")
    narrator = folder.parent / "stage2" / str(key)
    return narrator if isinstance(key, str) and key.isalnum() and (narrator / "artefact.json").is_file() else None


def _about(folder: Path) -> dict[str, Any]:
    about = read_json(folder / "artefact.json")
    if not isinstance(about, dict) or not isinstance(about.get("needs", {}), dict):
        raise BadInput("is no account of an artefact", where=folder / "artefact.json", mend="make it again")
    return about


def _key(about: dict[str, Any], name: str, where: Path) -> str:
    key = about.get("needs", {}).get(name)
    if not isinstance(key, str) or not key.isalnum():
        raise BadInput(f"does not say which {name} it was made with", where=where, mend="make it again")
    return key
