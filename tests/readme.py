"""Fill the README's output blocks from the commands that they name: ``uv run python -m tests.readme``.

A block is a comment that names the command, and a fenced text below it::

    <!-- output of: uv run forecast run -->
    ```text
    ...
    ```

The command is run in the repository and its standard output replaces the text. ``; rows A .. B`` behind the command
keeps the lines from the first one that starts with A up to, and without, the next one that starts with B. With words
behind it, ``python -m tests.readme backtest`` fills only the blocks whose command contains one of them.

``python -m tests.readme --check "uv run forecast run" < output.txt`` fails where a command prints other words than the
README shows; numbers may differ, as they do from one kind of processor to another.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"
BLOCK = re.compile(
    r"<!-- output of: (?P<command>[^;>]+?)(?:; rows (?P<first>.+?) \.\. (?P<last>.*?))? -->\n"
    r"```text\n(?P<text>.*?)```\n",
    re.DOTALL,
)


def blocks(text: str) -> list[re.Match[str]]:
    """Return the output blocks of a README, in order."""
    return list(BLOCK.finditer(text))


def rows(output: str, first: str | None, last: str | None) -> str:
    """Return the lines from one that starts with ``first`` up to the next one that starts with ``last``."""
    if first is None:
        return output
    lines = output.splitlines(keepends=True)
    start = next(i for i, line in enumerate(lines) if line.startswith(first))
    end = next((i for i in range(start + 1, len(lines)) if last and lines[i].startswith(last)), len(lines))
    return "".join(lines[start:end]).rstrip() + "\n"


def filled(text: str, outputs: dict[str, str]) -> str:
    """Return the README with the outputs of the commands in ``outputs``; other blocks stay as they are."""

    def one(block: re.Match[str]) -> str:
        command = block["command"]
        if command not in outputs:
            return block[0]
        kept = rows(outputs[command], block["first"], block["last"])
        return block[0].replace(f"```text\n{block['text']}```", f"```text\n{kept}```")

    return BLOCK.sub(one, text)


def words_of(text: str) -> list[str]:
    """Return the words of a text, in order, without its numbers."""
    return re.findall(r"[^\W\d_]{2,}", text)


def check(command: str, output: str) -> None:
    """Exit with a sentence where the README shows other words than ``output`` for a command."""
    for block in blocks(README.read_text(encoding="utf-8")):
        if block["command"] == command:
            shown, printed = words_of(block["text"]), words_of(rows(output, block["first"], block["last"]))
            if shown != printed:
                place = next((i for i, pair in enumerate(zip(shown, printed, strict=False)) if len(set(pair)) > 1), 0)
                near = " ".join(shown[max(place - 3, 0) : place + 5])
                sys.exit(f"README: the output of {command!r} is another one, near {near!r}: run python -m tests.readme")
            return
    sys.exit(f"README: there is no output of {command!r}")


def main(words: list[str]) -> None:
    """Run the commands whose text contains one of ``words`` (all, if there is none) and rewrite the README."""
    text = README.read_text(encoding="utf-8")
    commands = dict.fromkeys(block["command"] for block in blocks(text))
    wanted = [c for c in commands if not words or any(word in c for word in words)]
    outputs = {}
    for command in wanted:
        print(f"$ {command}", flush=True)
        done = subprocess.run(shlex.split(command), cwd=README.parent, stdout=subprocess.PIPE, text=True, check=True)
        outputs[command] = "\n".join(line.rstrip() for line in done.stdout.splitlines()) + "\n"
    README.write_text(filled(text, outputs), encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--check"]:
        check(sys.argv[2], sys.stdin.read())
    else:
        main(sys.argv[1:])
