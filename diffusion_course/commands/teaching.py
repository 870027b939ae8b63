"""Teach it: plan, exam, mistakes, release, grade."""

from pathlib import Path
from typing import Annotated

import typer

from . import completion
from .program import DAY, PATH, TEACH, app, examples, finite, say


@app.command(
    rich_help_panel=TEACH,
    epilog=examples("plan", "plan --weeks 7", "plan --hours 6", "plan --weeks 4 1 2 3 4"),
)
def plan(
    chapters: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NN",
            help="Chapters, by number or name. [default: all]",
            autocompletion=completion.chapters,
        ),
    ] = None,
    weeks: Annotated[int | None, typer.Option(help="Divide them into so many weeks.", min=1, max=99)] = None,
    hours: Annotated[
        float | None,
        typer.Option(help="What fits into a day, with easy exercises.", parser=finite, metavar="NUMBER"),
    ] = None,
) -> None:
    """Say what each chapter needs and gives, or plan a course of a day or of weeks, as Markdown."""
    from ..classroom import handout
    from ..classroom.desk import overview
    from ..classroom.ids import chosen

    names = chosen(chapters, handout.names())
    every = overview.outlines(handout.edition(handout.folder()), names)
    if weeks is None and hours is None:
        typer.echo(overview.chapters_table(every))
    if hours is not None:
        typer.echo(overview.day_plan(every, hours))
    if weeks is not None:
        typer.echo(overview.weeks_plan(every, weeks))


@app.command(
    rich_help_panel=TEACH, epilog=examples("exam --seed autumn", "exam --seed autumn --out exam 1 2 3")
)
def exam(
    seed: Annotated[
        str, typer.Option(metavar="WORD", help="Draws the numbers; whoever knows it has the solutions.")
    ],
    chapters: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NN",
            help="Chapters, by number or name. [default: all]",
            autocompletion=completion.chapters,
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="The folder to write to.", **PATH)] = Path("exam"),
) -> None:
    """Write exam questions with numbers of their own, questions.md, and the solutions beside them, solutions.md."""
    from ..classroom import handout
    from ..classroom.desk import exam as writing
    from ..classroom.ids import chapter_of, chosen

    numbers = [chapter_of(name) for name in chosen(chapters, handout.names())]
    count = writing.write(out, seed, numbers)
    say(f"{count} questions: {out / writing.FILES[0]}; solutions: {out / writing.FILES[1]}")


@app.command(rich_help_panel=TEACH, epilog=examples("mistakes", "mistakes 03", "mistakes 01-snr 03-eps_loss"))
def mistakes(
    exercises: Annotated[
        list[str] | None, typer.Argument(metavar="EXERCISE", help="Exercises, or chapters. [default: all]")
    ] = None,
) -> None:
    """List the mistakes that the checks know, by the hints that students get, as Markdown."""
    from ..classroom.desk import overview

    typer.echo(overview.mistakes(exercises or []))


@app.command(
    rich_help_panel=TEACH,
    epilog=examples(
        "release --out handout 01 02", "release --out handout --points points.yaml --hide 01-snr"
    ),
)
def release(
    out: Annotated[
        Path, typer.Option(help="The folder to write: a new one, or one with an earlier release.", **PATH)
    ],
    chapters: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NN",
            help="Chapters, by number or name. [default: all]",
            autocompletion=completion.chapters,
        ),
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
    from ..classroom import release as releasing

    releasing.release(chapters, points, hide or [], out, nbgrader, say, variant)


@app.command(
    rich_help_panel=TEACH,
    epilog=examples(
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
    from ..classroom.grading import command

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
    command.run(submissions, out, options, say)
