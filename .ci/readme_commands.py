"""Prints the command that README.md gives under a name, so that what CI runs and what people read are one text.

Run:  python3 .ci/readme_commands.py README.md demo

A command is a fenced block of one line, right below a comment `<!-- command: NAME -->`. There are two of them, `demo`
and `tests`; anything else ends with exit code 1.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

NAMES = ["demo", "tests"]
MARK = re.compile(r"^<!-- *command: *(\w+) *-->$", re.MULTILINE)
BLOCK = re.compile(r"^<!-- *command: *(\w+) *-->\n```(?:sh|bash)\n([^\n]+)\n```$", re.MULTILINE)


def commands(text: str) -> dict[str, str]:
    """The commands by name. Errors: ValueError if they are not those of NAMES, once each, in blocks of one line."""
    marks, blocks = MARK.findall(text), BLOCK.findall(text)
    if sorted(marks) != NAMES or [name for name, _ in blocks] != marks:
        raise ValueError(f"needed the commands {NAMES}, found the marks {marks} and the blocks {blocks}")
    return {name: command.strip() for name, command in blocks}


if __name__ == "__main__":
    path, name = sys.argv[1:]
    try:
        print(commands(Path(path).read_text(encoding="utf-8"))[name])
    except (KeyError, ValueError) as error:
        sys.exit(f"error: {path}: {error}; correct the marked commands")
