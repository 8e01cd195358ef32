"""METEOR and SPICE through their own Java programs, for those who have them: everything else here needs no Java.

The programs come with `pip install pycocoevalcap`, or are named by path; SPICE also needs the models of Stanford's
CoreNLP beside it. Sentences reach them as data on their standard input or in a file, never on a command line.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from distinctad_jax.errors import BadEnvironment

MEMORY = "-Xmx2G"
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


def meteor(said: Sequence[str], wanted: Sequence[Sequence[str]], jar: Path) -> tuple[float, list[float]]:
    """METEOR of the whole set and of each row; the first is no mean of the others.

    Args:
      said, wanted: words parted by blanks, as `tokenise.tokenised` gives them.
    Units:  fractions 0..1.
    Errors: BadEnvironment if the program fails.
    Source: METEOR 1.5 (Denkowski and Lavie, 2014) with `-l en -norm`, as the COCO caption tools run it.
    """
    command = ["java", "-jar", MEMORY, str(jar), "-", "-", "-stdio", "-l", "en", "-norm"]
    with subprocess.Popen(
        command,
        cwd=jar.parent,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        encoding="utf-8",
    ) as program:
        assert program.stdin and program.stdout

        def ask(line: str) -> str:
            assert program.stdin and program.stdout
            program.stdin.write(line + "\n")
            program.stdin.flush()
            answer = program.stdout.readline()
            if not answer:
                raise BadEnvironment("the program ended early", where=jar, mend="run it by hand to see why")
            return answer.strip()

        try:
            statistics = [
                ask(" ||| ".join(["SCORE", *map(_plain, each), _plain(text)]))
                for text, each in zip(said, wanted, strict=True)
            ]
            program.stdin.write(" ||| ".join(["EVAL", *statistics]) + "\n")
            program.stdin.flush()
            scores = [float(program.stdout.readline()) for _ in statistics]
            return float(program.stdout.readline()), scores
        except (ValueError, BrokenPipeError) as error:
            raise BadEnvironment(f"no score in its answer ({error})", where=jar, mend="try METEOR 1.5") from None
        finally:
            program.kill()
            with contextlib.suppress(BrokenPipeError):  # what it had no time to read
                program.stdin.close()


def _plain(text: str) -> str:
    return " ".join(text.replace("|||", " ").split())


def spice(predictions: Sequence[str], references: Sequence[Sequence[str]], jar: Path) -> tuple[float, list[float]]:
    """SPICE, the mean over rows, and of each row.

    Units:  fractions 0..1.
    Errors: BadEnvironment if the program fails, as it does without CoreNLP's models in `lib/` beside it.
    Source: SPICE 1.0 (Anderson et al., arXiv 1607.08822).
    """
    with tempfile.TemporaryDirectory() as folder:
        asked, answered = Path(folder) / "asked.json", Path(folder) / "answered.json"
        items = [
            {"image_id": row, "test": text, "refs": list(each)}
            for row, (text, each) in enumerate(zip(predictions, references, strict=True))
        ]
        asked.write_text(json.dumps(items), encoding="utf-8")
        command = ["java", "-jar", "-Xmx8G", str(jar), str(asked), "-out", str(answered), "-silent"]
        done = subprocess.run(command, cwd=jar.parent, capture_output=True, text=True, check=False)
        if done.returncode or not answered.is_file():
            last = (done.stderr.strip().splitlines() or ["no output"])[-1]
            mend = "put CoreNLP 3.6.0 and its models into lib/ beside the jar"
            raise BadEnvironment(f"the program failed: {last[:200]}", where=jar, mend=mend)
        found = {one["image_id"]: one["scores"]["All"]["f"] for one in json.loads(answered.read_text("utf-8"))}
    rows = [float(found[row]) for row in range(len(items))]
    return sum(rows) / len(rows), rows
