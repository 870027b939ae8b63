"""What all commands share: the program and its groups, how an option is read, and how a command speaks and fails.

A command is a thin function: it turns words into arguments and hands over. Heavy imports stand inside the commands, so that `--help`
does not wait for torch.
"""

import errno
import json
import math
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from ..errors import CourseError, printable
from ..files import user_path

DAY = 24 * 3600


class _Commands(TyperGroup):
    """A mistake of the user is one line and exit code 2, Ctrl-C one line and exit code 130; never a traceback."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except CourseError as error:
            _fail(str(error))
        except MemoryError:
            _fail("out of memory")
        except (
            OSError
        ) as error:  # a disk, a folder, a file: what the machine refuses is no fault of the program
            if error.errno == errno.EPIPE:
                raise  # whoever read this has enough: typer ends in silence
            _fail(f"{error.strerror or error}: {error.filename}" if error.filename else str(error))
        except KeyboardInterrupt as where:
            typer.echo(f"\nstopped {where}".rstrip(" "), err=True)
            raise typer.Exit(130) from None

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The commands in their groups, with summaries that are wrapped and never cut."""
        rows: dict[str, list[tuple[str, str]]] = {group: [] for group in GROUPS}
        for name in self.list_commands(ctx):
            command: Any = self.commands[name]
            rows[command.rich_help_panel].append((name, command.get_short_help_str(limit=sys.maxsize)))
        for group in GROUPS:
            with formatter.section(group):
                formatter.write_dl(rows[group])


def _fail(message: str) -> None:
    typer.echo(f"error: {printable(message, ' ')}", err=True)
    raise typer.Exit(2) from None


def path(text: str | Path) -> Path:
    try:
        return user_path(text)
    except CourseError as error:
        raise typer.BadParameter(str(error)) from None


def finite(text: str | float) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise typer.BadParameter(f"{text!r} is not a finite number.")
    return number


def examples(*lines: str) -> str:
    return "\b\nExamples:\n" + "\n".join(f"  diffusion-course {line}" for line in lines)


Device = Annotated[str | None, typer.Option(help="cpu, cuda or cuda:N. [default: cuda if there is one]")]
JSON = Annotated[bool, typer.Option("--json", help="As JSON, for a script.")]
PATH: dict[str, Any] = {"parser": path, "metavar": "PATH"}
GROUPS = READ, TRAIN, TEACH, WRITE = "Read the course", "Train, sample, measure", "Teach it", "Write it"

app = typer.Typer(
    cls=_Commands,
    help="A Jupyter course on diffusion models.",
    epilog=examples(
        "lab", "sample mnist-flow --guidance 3 --out digits.png", "grade submissions --out grades"
    )
    + "\n\n`diffusion-course COMMAND --help` tells more of each.",
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def say(line: str) -> None:
    """A line of results."""
    typer.echo(printable(line))


def as_json(found: Any) -> None:
    """What a command found, on the standard output, for `--json`."""
    typer.echo(json.dumps(found, indent=1, ensure_ascii=False))


def tell(line: str) -> None:
    """A line on what is going on; results alone go to the standard output."""
    typer.echo(printable(line), err=True)


def _version(wanted: bool) -> None:
    if wanted:
        from .. import __version__

        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """A Jupyter course on diffusion models."""
