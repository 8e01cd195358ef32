"""METEOR through its own Java program."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Sequence
from pathlib import Path

from distinctad_jax.errors import BadEnvironment

MEMORY = "-Xmx2G"


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
