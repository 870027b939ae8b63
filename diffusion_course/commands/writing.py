"""Write it: build, site."""

from pathlib import Path
from typing import Annotated

import typer

from . import completion
from .program import DAY, PATH, WRITE, app, examples, say


@app.command(rich_help_panel=WRITE, epilog=examples("build", "build 03 04", "build --text", "build --check"))
def build(
    chapters: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NN", help="Chapters, by number. [default: all]", autocompletion=completion.chapters
        ),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; exit 1 if a notebook is out of step.")
    ] = False,
    text: Annotated[
        bool,
        typer.Option("--text", help="Run only chapters whose code has changed; others keep their outputs."),
    ] = False,
    root: Annotated[
        Path | None, typer.Option(help="The checkout that holds solutions/.", show_default=False, **PATH)
    ] = None,
    timeout: Annotated[int, typer.Option(help="Seconds that one cell may take.", min=1, max=DAY)] = 600,
) -> None:
    """Run solutions/NN_name.py and write both editions of the notebook."""
    from ..classroom import build as building

    if not check:
        building.build(chapters, root, timeout, text)
    elif not building.check(chapters, root):
        raise typer.Exit(1)


@app.command(rich_help_panel=WRITE, epilog=examples("site", "site 01 06 --out pages"))
def site(
    chapters: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NN", help="Chapters, by number. [default: all]", autocompletion=completion.chapters
        ),
    ] = None,
    out: Annotated[
        Path, typer.Option(help="The folder of the pages: a new one, or an older site.", **PATH)
    ] = Path("build/site"),
    root: Annotated[
        Path | None, typer.Option(help="The checkout that holds solutions/.", show_default=False, **PATH)
    ] = None,
    timeout: Annotated[int, typer.Option(help="Seconds that one cell may take.", min=1, max=DAY)] = 600,
) -> None:
    """Write the course as web pages that need no kernel and no network. A chapter is run when what it runs has changed."""
    from ..classroom.site import command

    command.build(out, say, chapters, root, timeout)
