"""Read the course: lab, progress, doctor."""

import os
from pathlib import Path
from typing import Annotated

import typer

from ..errors import CourseError
from .program import JSON, PATH, READ, app, as_json, examples, say, tell

START = ("notebooks/00_start_here.ipynb", "00_start_here.ipynb")  # in a checkout, in a folder of copies


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    rich_help_panel=READ,
    epilog=examples("lab", "lab --folder ~/diffusion", "lab --no-browser --port 8899"),
)
def lab(
    ctx: typer.Context,
    folder: Annotated[
        Path | None,
        typer.Option(
            help="Where an installed course puts its notebooks. [default: ./diffusion-course]", **PATH
        ),
    ] = None,
) -> None:
    """Open the course in JupyterLab. What is not an option of this command is passed on to JupyterLab."""
    root = notebooks(folder)
    start = next((name for name in START if (root / name).exists()), None)
    say(f"Starting JupyterLab on {root / start if start else root}")
    try:
        from jupyterlab.labapp import LabApp
    except ImportError:
        raise CourseError("JupyterLab is not installed: pip install 'diffusion-course[lab]'") from None
    options = [
        f"--ServerApp.root_dir={root}",
        f"--LabApp.default_url=/lab/tree/{start}" if start else "",
        # Nothing is fetched from the net: no news, no search for updates, no list of extensions.
        "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.handlers.announcements.NeverCheckForUpdate",
        "--LabApp.extension_manager=readonly",
        # Jupyter refuses to start as root, which is who one is in most containers. Its token still guards the server.
        "--allow-root" if hasattr(os, "geteuid") and os.geteuid() == 0 else "",
    ]
    LabApp.launch_instance([*filter(None, options), *ctx.args])


def notebooks(folder: Path | None) -> Path:
    """The folder JupyterLab opens: the checkout, or a folder with copies of the notebooks that came with the package."""
    from ..classroom import copies, handout

    source = handout.folder()
    if folder is None and source.parent != handout.PACKAGE:
        return source.parent
    target = (folder or Path("diffusion-course")).resolve()
    try:
        copies.put(target, tell)
    except CourseError as error:
        raise CourseError(f"--folder: cannot put the notebooks into {target}: {error}") from None
    return target


@app.command(
    rich_help_panel=READ,
    epilog=examples("progress", "progress ~/diffusion", "progress --page progress.html", "progress --json"),
)
def progress(
    folder: Annotated[
        Path | None,
        typer.Argument(help="The folder of the notebooks. [default: this one, or one near by]", **PATH),
    ] = None,
    page: Annotated[
        Path | None,
        typer.Option(help="Write it as a page to print, an .html.", show_default=False, **PATH),
    ] = None,
    json: JSON = False,
) -> None:
    """Show which exercises the checks in the notebooks have accepted, over all chapters."""
    from ..classroom import progress as own

    place = own.place(folder)
    found = own.chapters(place)
    if page:
        own.write_page(page, place, found)
    if json:
        as_json(own.report(found))
        return
    for line in own.lines(found):
        say(line)
    tell(f"of {place / own.NAME}" + (f"; the page to print: {page}" if page else ""))


@app.command(rich_help_panel=READ, epilog=examples("doctor", "doctor --json"))
def doctor(json: JSON = False) -> None:
    """Say what the course finds on this machine: Python, torch, GPU, packages, data, weights, browser."""
    from ..classroom import doctor as looking

    facts = looking.facts()
    if json:
        as_json({fact.name: {"found": fact.found, "do": fact.do} for fact in facts})
        return
    for line in looking.page(facts):
        say(line)
