"""The command line: diffusion-course lab | train | sample | study | build | release | grade | doctor.

A command is a thin function: it turns words into arguments and hands over. Heavy imports stand inside the
commands, so that `--help` does not wait for torch.
"""

import os
import shutil
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from .errors import CourseError, printable

START = ("notebooks/00_start_here.ipynb", "00_start_here.ipynb")  # in a checkout, in a folder of copies


class _Commands(TyperGroup):
    """A mistake of the user is one line and exit code 2, Ctrl-C one line and exit code 130; never a traceback."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except CourseError as error:
            typer.echo(f"error: {printable(str(error), ' ')}", err=True)
            raise typer.Exit(2) from None
        except KeyboardInterrupt:
            typer.echo("\nstopped", err=True)
            raise typer.Exit(130) from None


app = typer.Typer(
    cls=_Commands,
    help="A Jupyter course on diffusion models.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def main() -> None:
    """The entry point of the `diffusion-course` script."""
    app()


def _version(wanted: bool) -> None:
    if wanted:
        from . import __version__

        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """A Jupyter course on diffusion models."""


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def lab(
    ctx: typer.Context,
    folder: Annotated[
        Path | None,
        typer.Option(help="Where an installed course puts its notebooks. [default: ./diffusion-course]"),
    ] = None,
) -> None:
    """Open the course in JupyterLab. What is not an option of this command is passed on to JupyterLab."""
    root = _notebooks(folder)
    start = next((name for name in START if (root / name).exists()), None)
    typer.echo(f"Starting JupyterLab on {root / start if start else root}")
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


def _notebooks(folder: Path | None) -> Path:
    """The folder JupyterLab opens: the checkout, or a folder with copies of the notebooks that came with the package.

    A copy that is there is kept: it may hold a student's answers.
    """
    from .classroom import handout

    source = handout.folder()
    if folder is None and source.parent != handout.PACKAGE:
        return source.parent
    target = (folder or Path("diffusion-course")).resolve()
    try:
        target.mkdir(parents=True, exist_ok=True)
        for notebook in sorted(source.glob("*.ipynb")):
            if not (target / notebook.name).exists():
                shutil.copyfile(notebook, target / notebook.name)
    except OSError as error:
        raise CourseError(f"--folder: cannot put the notebooks into {target}: {error.strerror}") from None
    return target


@app.command()
def train(
    config: Annotated[
        str, typer.Argument(help="A config that ships, e.g. mnist-flow, or the path of a YAML file.")
    ],
    out: Annotated[Path | None, typer.Option(help="The run's folder. [default: runs/CONFIG]")] = None,
    steps: Annotated[int | None, typer.Option(help="Instead of the config's number of steps.", min=1)] = None,
    device: Annotated[str | None, typer.Option(help="cpu or cuda. [default: cuda if there is one]")] = None,
) -> None:
    """Train a network. Stop it with Ctrl-C and start it again: it goes on where it was."""
    from tqdm import tqdm

    from .experiments import runs

    folder = out or Path("runs") / Path(config).stem
    card = runs.train(config, folder, steps, device, progress=tqdm)
    for name, value in card["metrics"].items():
        typer.echo(f"{name}: {value}")
    typer.echo(f"weights and card: {folder}")


@app.command()
def sample(
    weights: Annotated[
        str, typer.Argument(help="Shipped weights, e.g. mnist-flow, or the path of a .safetensors file.")
    ],
    out: Annotated[Path, typer.Option(help="The picture to write.")] = Path("samples.png"),
    guidance: Annotated[float, typer.Option(help="Guidance scale; 1 is none.")] = 2.0,
    count: Annotated[
        int, typer.Option(help="How many samples; the classes take turns.", min=1, max=400)
    ] = 40,
    seed: Annotated[int, typer.Option(help="Seed of the noise.", min=0)] = 0,
    film: Annotated[bool, typer.Option("--film", help="One row per sample, from noise to image.")] = False,
) -> None:
    """Draw samples and write them as a PNG picture."""
    from .experiments.drawing import draw_paths
    from .experiments.runs import read_weights
    from .figures import grids, pictures
    from .files import write_atomically

    model = read_weights(weights)
    path = draw_paths(model, count, guidance, seed=seed)
    if film:
        # Most of the change happens between sigma = 10 and 0.1.
        middle = [int((path.sigma - sigma).abs().argmin()) for sigma in (10, 5, 2.5, 1.3, 0.7, 0.35, 0.15)]
        shown = [0, *middle, len(path.sigma) - 1]
        heads = [f"σ = {path.sigma[i]:.2g}" for i in shown]
        figure = grids.filmstrip(path.grey[shown], heads, title="From noise to data")
    else:
        figure = grids.images(path.grey[-1], title=f"{weights}, guidance {guidance:g}, seed {seed}")
    picture = pictures.to_png(figure)
    write_atomically(out, lambda file: file.write(picture))
    typer.echo(f"{count} samples: {out}")


@app.command()
def study(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAME", help="Studies. [default: list them]")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="The folder to write to. [default: the package's results]", show_default=False),
    ] = None,
    device: Annotated[str | None, typer.Option(help="cpu or cuda. [default: cuda if present]")] = None,
) -> None:
    """Measure a table of results that the course shows, and write it as JSON. Run it again to resume."""
    from tqdm import tqdm

    from .experiments import studies

    for name in names or []:
        studies.get(name)  # a wrong name is told before the first study has run
    for name in names or []:
        result = studies.run(name, out or studies.RESULTS, device, tqdm)
        typer.echo(f"{name}: {len(result.rows)} rows, {result.seconds:.0f} s")
    if not names:
        for name in studies.names():
            typer.echo(f"{name}: {studies.get(name).what}")


@app.command()
def build(
    chapters: Annotated[
        list[str] | None, typer.Argument(metavar="NN", help="Chapters, by number. [default: all]")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; exit 1 if a notebook is out of step.")
    ] = False,
    root: Annotated[
        Path | None, typer.Option(help="The checkout that holds solutions/.", show_default=False)
    ] = None,
    timeout: Annotated[int, typer.Option(help="Seconds that one cell may take.", min=1)] = 600,
) -> None:
    """Run solutions/NN_name.py and write both editions of the notebook."""
    from .classroom import build as building

    if not check:
        building.build(chapters, root, timeout)
    elif not building.check(chapters, root):
        raise typer.Exit(1)


@app.command()
def release(
    out: Annotated[
        Path, typer.Option(help="The folder to write: a new one, or one with an earlier release.")
    ],
    chapters: Annotated[
        list[str] | None, typer.Argument(metavar="NN", help="Chapters, by number or name. [default: all]")
    ] = None,
    points: Annotated[
        Path | None,
        typer.Option(help="A YAML file with lines like '01-diffuse: 5'.", show_default=False),
    ] = None,
    hide: Annotated[
        list[str] | None,
        typer.Option(metavar="EXERCISE", help="Give this function to the students. May be repeated."),
    ] = None,
    nbgrader: Annotated[
        bool, typer.Option("--nbgrader", help="Write nbgrader's source assignments, with solutions.")
    ] = False,
) -> None:
    """Write an edition of the student notebooks: chosen chapters and exercises, points of your own."""
    from .classroom import release as releasing

    releasing.release(chapters, points, hide or [], out, nbgrader, typer.echo)


@app.command()
def grade(
    submissions: Annotated[
        Path, typer.Argument(help="A folder or a .zip of .ipynb files, flat or in a folder per student.")
    ],
    out: Annotated[Path, typer.Option(help="Where the gradebook and the pages go.")] = Path("grades"),
    release: Annotated[
        Path | None, typer.Option(help="The folder that `release` made. [default: the installed notebooks]")
    ] = None,
    roster: Annotated[
        Path | None,
        typer.Option(
            help="A CSV (file,student,name,id) that says whose a file or folder is.",
            show_default=False,
        ),
    ] = None,
    jobs: Annotated[int, typer.Option(help="How many to grade at a time.", min=1)] = 1,
    form: Annotated[
        str, typer.Option("--format", help="Columns of gradebook.csv: plain, moodle or canvas.")
    ] = "plain",
    secret: Annotated[
        str,
        typer.Option(
            envvar="DIFFUSION_COURSE_SECRET",
            help="The hidden seeds are made of it. [default: made once, kept in OUT/secret.txt]",
        ),
    ] = "",
    library: Annotated[
        str, typer.Option(help="An answer that calls the course's own function: flag, zero or allow.")
    ] = "flag",
    cell_seconds: Annotated[int, typer.Option(help="Seconds that one cell may take.", min=1)] = 60,
    require_sandbox: Annotated[
        bool, typer.Option("--require-sandbox", help="Refuse to run without a sandbox.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be graded; run nothing, write nothing.")
    ] = False,
    backend: Annotated[str, typer.Option(help="loky (this machine) or dask.")] = "loky",
    scheduler: Annotated[str, typer.Option(help="The dask scheduler, e.g. tcp://host:8786.")] = "",
) -> None:
    """Grade a folder of notebooks: a gradebook, a feedback page per file, and a summary. Run it again to resume."""
    from .classroom.grading import command

    options = command.Options(
        release=release,
        roster=roster,
        jobs=jobs,
        form=form,
        secret=secret,
        library=library,
        cell_seconds=cell_seconds,
        require_sandbox=require_sandbox,
        dry_run=dry_run,
        backend=backend,
        scheduler=scheduler,
    )
    command.run(submissions, out, options, typer.echo)


@app.command()
def doctor() -> None:
    """Say what the course finds on this machine: Python, torch, GPU, packages, data, weights, browser."""
    from .classroom.doctor import report

    typer.echo(report())


if __name__ == "__main__":
    main()
