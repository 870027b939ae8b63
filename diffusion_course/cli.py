"""The command line: diffusion-course lab | progress | train | sample | fid | study | build | site | release | grade | doctor.

A command is a thin function: it turns words into arguments and hands over. Heavy imports stand inside the
commands, so that `--help` does not wait for torch.
"""

import errno
import math
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from .errors import CourseError, printable
from .files import check_writable, user_path

START = ("notebooks/00_start_here.ipynb", "00_start_here.ipynb")  # in a checkout, in a folder of copies
FILM = (
    10,
    5,
    2.5,
    1.3,
    0.7,
    0.35,
    0.15,
)  # noise levels between the first and the last: where most of the change happens
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


def _path(text: str | Path) -> Path:
    try:
        return user_path(text)
    except CourseError as error:
        raise typer.BadParameter(str(error)) from None


def _finite(text: str | float) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise typer.BadParameter(f"{text!r} is not a finite number.")
    return number


def _examples(*lines: str) -> str:
    return "\b\nExamples:\n" + "\n".join(f"  diffusion-course {line}" for line in lines)


PATH: dict[str, Any] = {"parser": _path, "metavar": "PATH"}
GROUPS = READ, TRAIN, TEACH, WRITE = "Read the course", "Train, sample, measure", "Teach it", "Write it"

app = typer.Typer(
    cls=_Commands,
    help="A Jupyter course on diffusion models.",
    epilog=_examples(
        "lab", "sample mnist-flow --guidance 3 --out digits.png", "grade submissions --out grades"
    )
    + "\n\n`diffusion-course COMMAND --help` tells more of each.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def main() -> None:
    """The entry point of the `diffusion-course` script."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a terminal or file of an old encoding has no sigma
            stream.reconfigure(errors="backslashreplace")
    app()


def _say(line: str) -> None:
    typer.echo(printable(line))


def _tell(line: str) -> None:
    """A line on what is going on; results alone go to the standard output."""
    typer.echo(printable(line), err=True)


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


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    rich_help_panel=READ,
    epilog=_examples("lab", "lab --folder ~/diffusion", "lab --no-browser --port 8899"),
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
    root = _notebooks(folder)
    start = next((name for name in START if (root / name).exists()), None)
    _say(f"Starting JupyterLab on {root / start if start else root}")
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
    """The folder JupyterLab opens: the checkout, or a folder with copies of the notebooks that came with the package."""
    from .classroom import copies, handout

    source = handout.folder()
    if folder is None and source.parent != handout.PACKAGE:
        return source.parent
    target = (folder or Path("diffusion-course")).resolve()
    try:
        copies.put(target, _tell)
    except CourseError as error:
        raise CourseError(f"--folder: cannot put the notebooks into {target}: {error}") from None
    return target


@app.command(
    rich_help_panel=READ,
    epilog=_examples("progress", "progress ~/diffusion", "progress --page progress.html"),
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
) -> None:
    """Show which exercises the checks in the notebooks have accepted, over all chapters."""
    from .classroom import progress as own

    place = own.place(folder)
    found = own.chapters(place)
    if page:
        own.write_page(page, place, found)
    for line in own.lines(found):
        _say(line)
    _tell(f"of {place / own.NAME}" + (f"; the page to print: {page}" if page else ""))


@app.command(
    rich_help_panel=TRAIN,
    epilog=_examples(
        "train mnist-flow",
        "train my.yaml --steps 100 --out runs/trial",
        "train my.yaml --data holiday.zip --device cuda:1",
        "train mnist-flow --seed 1",
    ),
)
def train(
    config: Annotated[
        str, typer.Argument(help="A config that ships, e.g. mnist-flow, or the path of a YAML file.")
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="The run's folder. [default: runs/CONFIG, or runs/CONFIG-seed-K]", **PATH),
    ] = None,
    steps: Annotated[
        int | None, typer.Option(help="Instead of the config's number of steps.", min=1, max=10**9)
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            metavar="SET", help="Instead of the config's data: a data set, or a folder or zip of pictures."
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(metavar="K", help="Instead of the config's seed.", min=0, max=2**32 - 1)
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="cpu, cuda or cuda:N. [default: cuda if there is one]")
    ] = None,
    accumulate: Annotated[
        int,
        typer.Option(
            metavar="N",
            help="Compute each batch in N pieces, for less memory; the gradient is the same.",
            min=1,
        ),
    ] = 1,
    compiled: Annotated[
        bool,
        typer.Option("--compile", help="Compile the network first (torch.compile): minutes, then faster."),
    ] = False,
    validate_every: Annotated[
        int | None,
        typer.Option(metavar="N", help="Every N steps, the loss of test images, on the same noise.", min=1),
    ] = None,
    sample_every: Annotated[
        int | None,
        typer.Option(metavar="N", help="Every N steps, a picture of samples, into samples/.", min=1),
    ] = None,
    track: Annotated[
        bool,
        typer.Option(
            help="Tell TensorBoard and Weights & Biases too, where installed; curve.jsonl is written always."
        ),
    ] = True,
) -> None:
    """Train a network. Stop it with Ctrl-C and start it again: it goes on where it was.

    On several GPUs or machines: accelerate launch -m diffusion_course.cli train CONFIG. It is the run of one process.
    """
    from tqdm import tqdm

    from .experiments import runs
    from .experiments.watching import Looks

    def bar(steps: range) -> Any:
        return tqdm(steps, initial=steps.start, total=steps.stop, unit="step")

    folder = out or Path("runs") / runs.run_name(config, seed)
    looks = Looks(validate_every, sample_every, track)
    card = runs.train(config, folder, steps, device, bar, _tell, data, seed, looks, accumulate, compiled)
    if card is None:
        return  # another of several processes speaks
    for name, value in card["metrics"].items():
        _say(f"{name}: {_without_marks(value)}")
    _say(f"weights and card: {folder}")


def _without_marks(value: Any) -> Any:
    """What a card has measured, without the mark of every sample and the values of every tenth, which pairs are compared by."""
    if not isinstance(value, dict):
        return value
    left = {key: _without_marks(one) for key, one in value.items()}
    return {key: one for key, one in left.items() if key not in ("each", "frechet without each tenth")}


@app.command(
    rich_help_panel=TRAIN,
    epilog=_examples(
        "sample mnist-flow",
        "sample fashion-mnist-edm --guidance 3 --count 100 --seed 1",
        "sample mnist-flow --film --count 5",
    ),
)
def sample(
    weights: Annotated[
        str, typer.Argument(help="Shipped weights, e.g. mnist-flow, or the path of a .safetensors file.")
    ],
    out: Annotated[Path, typer.Option(help="The picture to write, a .png.", **PATH)] = Path("samples.png"),
    guidance: Annotated[
        float, typer.Option(help="Guidance scale; 1 is none.", parser=_finite, metavar="NUMBER")
    ] = 2.0,
    count: Annotated[
        int, typer.Option(help="How many samples; the classes take turns.", min=1, max=400)
    ] = 40,
    seed: Annotated[int, typer.Option(help="Seed of the noise.", min=0, max=2**32 - 1)] = 0,
    film: Annotated[bool, typer.Option("--film", help="One row per sample, from noise to image.")] = False,
) -> None:
    """Draw samples and write them as a PNG picture."""
    if out.suffix.lower() != ".png":
        raise CourseError(f"--out: got {out}, want a name that ends in .png")
    check_writable(out)
    _tell(f"reading {weights}")
    from tqdm import tqdm

    from .experiments import zoo
    from .experiments.drawing import draw_paths
    from .figures import grids, pictures
    from .files import write_bytes

    most = grids.MOST // (len(FILM) + 2)
    if film and count > most:
        raise CourseError(
            f"--count: got {count}, want at most {most} with --film, which shows each {len(FILM) + 2} times"
        )
    path = draw_paths(zoo.load(weights), count, guidance, seed=seed, progress=tqdm)
    if film:
        shown = [0, *(int((path.sigma - sigma).abs().argmin()) for sigma in FILM), len(path.sigma) - 1]
        heads = [f"σ = {path.sigma[i]:.2g}" for i in shown]
        figure = grids.filmstrip(path.grey[shown], heads, title="From noise to data")
    else:
        name = printable(weights).replace("$", r"\$")  # a dollar would begin a formula
        figure = grids.images(path.grey[-1], title=f"{name}, guidance {guidance:g}, seed {seed}")
    write_bytes(out, pictures.to_png(figure))
    _say(f"{count} sample{'s' if count > 1 else ''}: {out}")


@app.command(
    rich_help_panel=TRAIN,
    epilog=_examples(
        "fid samples real.zip",
        "fid mnist-flow mnist-5k --judge mnist --count 1000",
        "fid real statistics.npz --save-stats",
        "fid samples statistics.npz --floor more-real --weights pt_inception.pth",
    ),
)
def fid(
    a: Annotated[str, typer.Argument(metavar="A", help="What is judged.")],
    b: Annotated[str, typer.Argument(metavar="B", help="What is real.")],
    dims: Annotated[int, typer.Option(help="Features of Inception: 64, 192, 768 or 2048.")] = 2048,
    weights: Annotated[
        Path | None,
        typer.Option(
            help="pytorch-fid's file of weights. [default: downloaded once]", show_default=False, **PATH
        ),
    ] = None,
    judge: Annotated[
        str | None,
        typer.Option(
            metavar="SET", help="Take the features of a shipped judge, e.g. mnist, in place of Inception's."
        ),
    ] = None,
    count: Annotated[
        int | None,
        typer.Option(
            help="Pictures of A at most, at random; how many samples are drawn. [default: all; 2000]",
            min=2,
            max=10**9,
            show_default=False,
        ),
    ] = None,
    guidance: Annotated[
        float, typer.Option(help="Guidance scale of samples; 1 is none.", parser=_finite, metavar="NUMBER")
    ] = 1.0,
    seed: Annotated[int, typer.Option(help="Seed of the samples' noise.", min=0, max=2**32 - 1)] = 0,
    floor: Annotated[
        str | None, typer.Option(metavar="C", help="Real pictures for the floor. [default: some of B's]")
    ] = None,
    save_stats: Annotated[
        bool, typer.Option("--save-stats", help="Write the statistics of A to the .npz B; compare nothing.")
    ] = False,
    device: Annotated[
        str | None, typer.Option(help="cpu, cuda or cuda:N. [default: cuda if there is one]")
    ] = None,
) -> None:
    """Compare two sets of pictures: FID, KID, precision, recall, density, coverage, each beside its floor.

    A, B and C: a folder, a zip, an .npz (of pytorch-fid's statistics, or of pictures), a data set (mnist-5k, mnist-5k:test),
    a network, from which samples are drawn: shipped weights, a .safetensors file, or others' checkpoints.
    """
    from .experiments.fid import command

    command.run(
        command.Options(a, b, dims, weights, judge, count, guidance, seed, floor, save_stats, device),
        _say,
        _tell,
    )


@app.command(
    rich_help_panel=TRAIN,
    epilog=_examples(
        "study",
        "study solvers --cifar10 cifar10-jpeg.zip",
        "study ddim guidance --out measured --device cuda --runs runs",
        "study solvers --preset paper",
        "study ddim-steps --only denoiser=exact --only steps=5,10 --count 8 --out my-study",
    ),
)
def study(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAME", help="Studies. [default: list them]")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="The folder to write to. [default: the package's results]", show_default=False, **PATH
        ),
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="cpu, cuda or cuda:N. [default: cuda if there is one]")
    ] = None,
    runs: Annotated[
        Path,
        typer.Option(
            envvar="DIFFUSION_COURSE_RUNS",
            help="The folder with the networks of other training seeds, as `train NAME --seed 1` writes them.",
            **PATH,
        ),
    ] = Path("runs"),
    cifar10: Annotated[
        str | None,
        typer.Option(
            envvar="DIFFUSION_COURSE_CIFAR10",
            help="CIFAR-10's pictures, for an exact denoiser: a zip or folder; or cifar10, which is downloaded.",
        ),
    ] = None,
    preset: Annotated[
        str | None, typer.Option(help="paper: with others' weights and the FID, where they are at hand.")
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE,VALUE",
            help="The rows with these settings alone, e.g. steps=5,10; may be repeated. Wants --out.",
        ),
    ] = None,
    count: Annotated[
        int | None, typer.Option(help="So many samples a row, for a smaller budget. Wants --out.")
    ] = None,
) -> None:
    """Measure a table of results that the course shows, and write it as JSON. Run it again to resume.

    Rows whose network is not there are left out, with the command that trains it.
    """
    from tqdm import tqdm

    from . import devices
    from .experiments import studies

    for name in names or []:
        studies.get(name, preset)  # a wrong name is told before the first study has run
    lab = studies.Lab(devices.choose(device), runs, cifar10)
    for name in names or []:
        result = studies.run(name, out or studies.RESULTS, lab, tqdm, _tell, preset, only or (), count)
        _say(f"{name}: {len(result.rows)} rows, {result.seconds:.0f} s")
    if not names:
        for name in studies.names():
            _say(f"{name}: {studies.get(name).what}")


@app.command(rich_help_panel=WRITE, epilog=_examples("build", "build 03 04", "build --check"))
def build(
    chapters: Annotated[
        list[str] | None, typer.Argument(metavar="NN", help="Chapters, by number. [default: all]")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; exit 1 if a notebook is out of step.")
    ] = False,
    root: Annotated[
        Path | None, typer.Option(help="The checkout that holds solutions/.", show_default=False, **PATH)
    ] = None,
    timeout: Annotated[int, typer.Option(help="Seconds that one cell may take.", min=1, max=DAY)] = 600,
) -> None:
    """Run solutions/NN_name.py and write both editions of the notebook."""
    from .classroom import build as building

    if not check:
        building.build(chapters, root, timeout)
    elif not building.check(chapters, root):
        raise typer.Exit(1)


@app.command(rich_help_panel=WRITE, epilog=_examples("site", "site 01 06 --out pages"))
def site(
    chapters: Annotated[
        list[str] | None, typer.Argument(metavar="NN", help="Chapters, by number. [default: all]")
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
    from .classroom.site import command

    command.build(out, _say, chapters, root, timeout)


@app.command(
    rich_help_panel=TEACH,
    epilog=_examples("plan", "plan --weeks 7", "plan --hours 6", "plan --weeks 4 1 2 3 4"),
)
def plan(
    chapters: Annotated[
        list[str] | None, typer.Argument(metavar="NN", help="Chapters, by number or name. [default: all]")
    ] = None,
    weeks: Annotated[int | None, typer.Option(help="Divide them into so many weeks.", min=1, max=99)] = None,
    hours: Annotated[
        float | None,
        typer.Option(help="What fits into a day, with easy exercises.", parser=_finite, metavar="NUMBER"),
    ] = None,
) -> None:
    """Say what each chapter needs and gives, or plan a course of a day or of weeks, as Markdown."""
    from .classroom import handout
    from .classroom.desk import overview
    from .classroom.ids import chosen

    names = chosen(chapters, handout.names())
    every = overview.outlines(handout.edition(handout.folder()), names)
    if weeks is None and hours is None:
        typer.echo(overview.chapters_table(every))
    if hours is not None:
        typer.echo(overview.day_plan(every, hours))
    if weeks is not None:
        typer.echo(overview.weeks_plan(every, weeks))


@app.command(
    rich_help_panel=TEACH, epilog=_examples("exam --seed autumn", "exam --seed autumn --out exam 1 2 3")
)
def exam(
    seed: Annotated[
        str, typer.Option(metavar="WORD", help="Draws the numbers; whoever knows it has the solutions.")
    ],
    chapters: Annotated[
        list[str] | None, typer.Argument(metavar="NN", help="Chapters, by number or name. [default: all]")
    ] = None,
    out: Annotated[Path, typer.Option(help="The folder to write to.", **PATH)] = Path("exam"),
) -> None:
    """Write exam questions with numbers of their own, questions.md, and the solutions beside them, solutions.md."""
    from .classroom import handout
    from .classroom.desk import exam as writing
    from .classroom.ids import chapter_of, chosen

    numbers = [chapter_of(name) for name in chosen(chapters, handout.names())]
    count = writing.write(out, seed, numbers)
    _say(f"{count} questions: {out / writing.FILES[0]}; solutions: {out / writing.FILES[1]}")


@app.command(
    rich_help_panel=TEACH, epilog=_examples("mistakes", "mistakes 03", "mistakes 01-snr 03-eps_loss")
)
def mistakes(
    exercises: Annotated[
        list[str] | None, typer.Argument(metavar="EXERCISE", help="Exercises, or chapters. [default: all]")
    ] = None,
) -> None:
    """List the mistakes that the checks know, by the hints that students get, as Markdown."""
    from .classroom.desk import overview

    typer.echo(overview.mistakes(exercises or []))


@app.command(
    rich_help_panel=TEACH,
    epilog=_examples(
        "release --out handout 01 02", "release --out handout --points points.yaml --hide 01-snr"
    ),
)
def release(
    out: Annotated[
        Path, typer.Option(help="The folder to write: a new one, or one with an earlier release.", **PATH)
    ],
    chapters: Annotated[
        list[str] | None, typer.Argument(metavar="NN", help="Chapters, by number or name. [default: all]")
    ] = None,
    points: Annotated[
        Path | None,
        typer.Option(help="A YAML file with lines like '01-diffuse: 5'.", show_default=False, **PATH),
    ] = None,
    hide: Annotated[
        list[str] | None,
        typer.Option(metavar="EXERCISE", help="Give this function to the students. May be repeated."),
    ] = None,
    nbgrader: Annotated[
        bool, typer.Option("--nbgrader", help="Write nbgrader's source assignments, with solutions.")
    ] = False,
    variant: Annotated[
        str,
        typer.Option(
            metavar="SEED",
            help="Draw other slips and numbers for a class, so that the public solution answers none of them.",
        ),
    ] = "",
) -> None:
    """Write an edition of the student notebooks: chosen chapters and exercises, points of your own."""
    from .classroom import release as releasing

    releasing.release(chapters, points, hide or [], out, nbgrader, _say, variant)


@app.command(
    rich_help_panel=TEACH,
    epilog=_examples(
        "grade submissions --dry-run",
        "grade export.zip --out grades --jobs 4",
        "grade submissions --format moodle --roster roster.csv",
    ),
)
def grade(
    submissions: Annotated[
        Path,
        typer.Argument(help="A folder or a .zip of .ipynb files, flat or in a folder per student.", **PATH),
    ],
    out: Annotated[Path, typer.Option(help="Where the gradebook and the pages go.", **PATH)] = Path("grades"),
    release: Annotated[
        Path | None,
        typer.Option(help="The folder that `release` made. [default: the installed notebooks]", **PATH),
    ] = None,
    points: Annotated[
        Path | None,
        typer.Option(
            help="The points file of the release: rubrics, shares for known mistakes, open tasks.",
            show_default=False,
            **PATH,
        ),
    ] = None,
    roster: Annotated[
        Path | None,
        typer.Option(
            help="A CSV (file,student,name,id) that says whose a file or folder is.",
            show_default=False,
            **PATH,
        ),
    ] = None,
    jobs: Annotated[int, typer.Option(help="How many to grade at a time.", min=1, max=1000)] = 1,
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
    cell_seconds: Annotated[int, typer.Option(help="Seconds that one cell may take.", min=1, max=DAY)] = 60,
    require_sandbox: Annotated[
        bool, typer.Option("--require-sandbox", help="Refuse to run without a sandbox.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be graded; run nothing, write nothing.")
    ] = False,
    similar: Annotated[
        bool, typer.Option("--similar", help="Also write OUT/similar.html: wrong answers that are alike.")
    ] = False,
    defence: Annotated[
        bool,
        typer.Option("--defence", help="Also write OUT/defence: a question a chapter about one's own code."),
    ] = False,
    backend: Annotated[str, typer.Option(help="loky (this machine) or dask.")] = "loky",
    scheduler: Annotated[str, typer.Option(help="The dask scheduler, e.g. tcp://host:8786.")] = "",
) -> None:
    """Grade a folder of notebooks: a gradebook, a feedback page per file, and a summary. Run it again to resume."""
    from .classroom.grading import command

    options = command.Options(
        release=release,
        points=points,
        roster=roster,
        jobs=jobs,
        form=form,
        secret=secret,
        library=library,
        cell_seconds=cell_seconds,
        require_sandbox=require_sandbox,
        dry_run=dry_run,
        similar=similar,
        defence=defence,
        backend=backend,
        scheduler=scheduler,
    )
    command.run(submissions, out, options, _say)


@app.command(rich_help_panel=READ, epilog=_examples("doctor"))
def doctor() -> None:
    """Say what the course finds on this machine: Python, torch, GPU, packages, data, weights, browser."""
    from .classroom.doctor import report

    for line in report().splitlines():
        _say(line)


if __name__ == "__main__":
    main()
