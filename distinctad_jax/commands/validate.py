"""Say what is wrong with tracks and subtitles: what a player or the W3C's suites would reject, and what is risky.

FILE is .vtt, .srt, .dapt.ttml, .csv, .json or .jsonl, or a folder of them. Exit code 3 if a file is wrong; a risk is
a warning, and an error with --strict.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from distinctad_jax.commands.batch import each, films
from distinctad_jax.commands.voice import Voice
from distinctad_jax.errors import BadInput, SomeSkipped, printable
from distinctad_jax.tracks.formats import FORMATS
from distinctad_jax.tracks.verdict import CHECKED, Verdict, judge

SUFFIXES = tuple(end for name in CHECKED for end in FORMATS[name].suffixes if end.count(".") == 1)


def arguments(parser: argparse.ArgumentParser) -> None:
    """The files."""
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE")
    parser.add_argument("--encoding", default="utf-8", help="of files that are not UTF-8; default utf-8")


def run(given: argparse.Namespace, voice: Voice) -> dict[str, Any]:
    """Prints each fault with its place; returns what was found. Errors: BadInput if a file is wrong."""

    def one(path: Path) -> dict[str, Any]:
        verdict = judge(path, encoding=given.encoding)
        for fault in verdict.faults:
            grave = "error" if fault.grave or given.strict else "warning"
            print(printable(f"{path}:{fault.place}: {grave}: {fault.what}"))
        return told(verdict, strict=given.strict)

    found, failed = each(films(given.files, SUFFIXES), one, voice)
    wrong = [each_ for each_ in found if not each_["valid"]]
    facts = found[0] if len(given.files) == len(found) == 1 else {"files": found, "wrong": len(wrong)}
    if failed:
        what = f"{len(failed)} of {len(found) + len(failed)} files could not be read"
        raise SomeSkipped(what, mend="see above", found=facts)
    if wrong:
        what = f"{len(wrong)} of {len(found)} files are wrong"
        if len(found) == 1:
            fault = wrong[0]["errors"][0]
            raise BadInput(
                f"{fault['what']}{_more(len(wrong[0]['errors']))}",
                where=f"{wrong[0]['file']}:{fault['place']}",
                mend="correct the file",
                found=facts,
            )
        raise BadInput(what, mend="see the lines above", found=facts)
    voice.say(f"{len(found)} valid, {sum(len(each_['warnings']) for each_ in found)} warnings")
    return facts


def _more(count: int) -> str:
    return f" (and {count - 1} more)" if count > 1 else ""


def told(verdict: Verdict, *, strict: bool = False) -> dict[str, Any]:
    """What `--json` says of a file; with `strict`, warnings stand among the errors."""
    errors = [fault for fault in verdict.faults if fault.grave or strict]
    warnings = [fault for fault in verdict.faults if fault not in errors]
    named = {name: getattr(verdict, name) for name in ("first", "last", "rows", "people")}
    return {
        "file": str(verdict.path),
        "format": verdict.format,
        "valid": not errors,
        "cues": verdict.cues,
        **{name: value for name, value in named.items() if value is not None},
        "errors": [{"place": fault.place, "what": fault.what} for fault in errors],
        "warnings": [{"place": fault.place, "what": fault.what} for fault in warnings],
    }
