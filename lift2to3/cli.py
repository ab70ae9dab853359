"""The command line: gathers `lift2to3.commands`, and says in a line what the user can put right."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from importlib.metadata import version

import tyro

from lift2to3.commands.calibrate import calibrate
from lift2to3.commands.doctor import doctor
from lift2to3.commands.evaluate import evaluate
from lift2to3.commands.export import export
from lift2to3.commands.feet import feet
from lift2to3.commands.lift import demo, lift
from lift2to3.commands.view import view
from lift2to3.quoting import message

COMMANDS = {
    "calibrate": calibrate, "demo": demo, "doctor": doctor, "eval": evaluate, "export": export, "feet": feet,
    "lift": lift, "view": view,
}  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line (``sys.argv`` by default); returns the exit code: 2 for what the user can mend."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if arguments == ["--version"]:
        print(f"lift2to3 {version('lift2to3')}")
        return 0
    try:
        _refuse_repeated(arguments)
        tyro.extras.subcommand_cli_from_dict(
            COMMANDS,
            prog="lift2to3",
            description="2D keypoints and a camera in, absolute 3D motion out; --version prints the version.",
            args=arguments,
        )
    except (ValueError, OSError) as error:
        print(f"lift2to3: error: {_one_line(error)}", file=sys.stderr)
        return 2
    return 0


def _refuse_repeated(arguments: Sequence[str]) -> None:
    """Of a flag given twice only the last would count."""
    flags = Counter(word.split("=")[0].replace("_", "-") for word in arguments if word.startswith("--"))
    for flag, count in flags.items():
        if count > 1:
            raise ValueError(f"{flag} is given {count} times; wanted it once (a clip has one of each)")


def _one_line(error: ValueError | OSError) -> str:
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return message(where + error.strerror[:1].lower() + error.strerror[1:])
    return message(str(error))
