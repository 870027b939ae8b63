"""Train, sample, measure: train, sample, fid, study."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from . import completion
from .program import JSON, PATH, TRAIN, Device, app, as_json, examples, finite, say, tell


@app.command(
    rich_help_panel=TRAIN,
    epilog=examples(
        "train mnist-flow",
        "train my.yaml --steps 100 --out runs/trial",
        "train my.yaml --data holiday.zip --device cuda:1",
        "train mnist-flow --seed 1",
    ),
)
def train(
    config: Annotated[
        str,
        typer.Argument(
            help="A config that ships, e.g. mnist-flow, or the path of a YAML file.",
            autocompletion=completion.configs,
        ),
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
            metavar="SET",
            help="Instead of the config's data: a data set, or a folder or zip of pictures. A set's image_size and channels, and"
            " the number of its or the pictures' classes, replace those that the config says; num_classes: 0 stays, and attention at a resolution that is not left falls away.",
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(metavar="K", help="Instead of the config's seed.", min=0, max=2**32 - 1)
    ] = None,
    device: Device = None,
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
    precision: Annotated[
        str | None,
        typer.Option(
            metavar="DTYPE",
            help="float32, bfloat16 or float16. Default: what is fastest here, measured at the start.",
            autocompletion=completion.one_of("float32", "bfloat16", "float16"),
        ),
    ] = None,
    until: Annotated[
        int | None,
        typer.Option(
            metavar="STEP",
            help="Stop after this step, with weights and a card of what is there. Without it, the same command goes on.",
            min=1,
        ),
    ] = None,
    validate_every: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="Every N steps, the loss of the data's test images, on the same noise.", min=1
        ),
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

    from ..experiments import runs
    from ..experiments.watching import Looks

    def bar(steps: range) -> Any:
        return tqdm(steps, initial=steps.start, total=steps.stop, unit="step")

    folder = out or Path("runs") / runs.run_name(config, seed)
    looks = Looks(validate_every, sample_every, track)
    card = runs.train(
        config, folder, steps, device, bar, tell, data, seed, looks, accumulate, compiled, precision, until
    )
    if card is None:
        return  # another of several processes speaks
    for name, value in card["metrics"].items():
        say(f"{name}: {without_marks(value)}")
    say(f"weights and card: {folder}")


def without_marks(value: Any) -> Any:
    """What a card has measured, without the mark of every sample and the values of every tenth, which pairs are compared by."""
    if not isinstance(value, dict):
        return value
    left = {key: without_marks(one) for key, one in value.items()}
    return {key: one for key, one in left.items() if key not in ("each", "frechet without each tenth")}


@app.command(
    rich_help_panel=TRAIN,
    epilog=examples(
        "sample mnist-flow",
        "sample fashion-mnist-edm --class dress,bag --guidance 3 --count 100 --seed 1",
        "sample mnist-edm-long --sampler dpmpp-2m --steps 10 --grid loglinear",
        "sample mnist-text --text 'a thin seven' --text 'a thick three leaning left'",
        "sample mnist-flow --film --count 5",
        "sample mnist-flow --film --count 30 --out digits.gif",
    ),
)
def sample(
    weights: Annotated[
        str,
        typer.Argument(
            help="Shipped weights, e.g. mnist-flow, the folder of a run or its .safetensors file, or others' checkpoints.",
            autocompletion=completion.weights,
        ),
    ],
    out: Annotated[
        Path, typer.Option(help="The picture to write: a .png, or with --film also a .gif or .webp.", **PATH)
    ] = Path("samples.png"),
    classes: Annotated[
        list[str] | None,
        typer.Option(
            "--class",
            metavar="CLASS",
            help="Classes by number or name, e.g. 3 or dress,bag, that take turns. [default: all]",
        ),
    ] = None,
    texts: Annotated[
        list[str] | None,
        typer.Option(
            "--text",
            metavar="TEXT",
            help="What a network that reads is to draw; may be repeated, to take turns.",
        ),
    ] = None,
    count: Annotated[int, typer.Option(help="How many samples.", min=1, max=400)] = 40,
    guidance: Annotated[
        float | None,
        typer.Option(
            help="Guidance scale; 1 is none. [default: 2, or 1 where training left out no label]",
            parser=finite,
            metavar="NUMBER",
            show_default=False,
        ),
    ] = None,
    sampler: Annotated[
        str,
        typer.Option(
            help="euler (which is DDIM), heun, dpmpp-2m, ddpm, ddpm-large or edm (with churn).",
            autocompletion=completion.one_of("euler", "heun", "dpmpp-2m", "ddpm", "ddpm-large", "edm"),
        ),
    ] = "euler",
    steps: Annotated[
        int, typer.Option(help="Steps of the sampler; of tokens, parallel steps.", min=1, max=10_000)
    ] = 30,
    grid: Annotated[
        str,
        typer.Option(
            help="Noise levels: karras, loglinear, or a schedule's: linear, cosine.",
            autocompletion=completion.one_of("karras", "loglinear", "linear", "cosine"),
        ),
    ] = "karras",
    seed: Annotated[int, typer.Option(help="Seed of the noise.", min=0, max=2**32 - 1)] = 0,
    film: Annotated[
        bool,
        typer.Option(
            "--film",
            help="From noise to image: one row per sample, or a film where --out ends in .gif or .webp.",
        ),
    ] = False,
    columns: Annotated[int, typer.Option(help="Samples in a row of the picture.", min=1, max=100)] = 10,
    device: Device = None,
) -> None:
    """Draw samples and write them as a picture or a film; a model of text prints them."""
    from ..experiments import sample_command

    named = [one.strip() for several in classes or [] for one in several.split(",") if one.strip()]
    sample_command.run(
        sample_command.Options(
            weights=weights,
            out=out,
            count=count,
            seed=seed,
            guidance=guidance,
            classes=tuple(named),
            texts=tuple(texts or ()),
            sampler=sampler,
            grid=grid,
            steps=steps,
            film=film,
            columns=columns,
            device=device,
        ),
        say,
        tell,
    )


@app.command(
    rich_help_panel=TRAIN,
    epilog=examples(
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
            help="Pictures of A at most, at random; samples that a network draws, A or B. [default: all; 2000]",
            min=2,
            max=10**9,
            show_default=False,
        ),
    ] = None,
    guidance: Annotated[
        float, typer.Option(help="Guidance scale of samples; 1 is none.", parser=finite, metavar="NUMBER")
    ] = 1.0,
    seed: Annotated[int, typer.Option(help="Seed of the samples' noise.", min=0, max=2**32 - 1)] = 0,
    floor: Annotated[
        str | None, typer.Option(metavar="C", help="Real pictures for the floor. [default: some of B's]")
    ] = None,
    save_stats: Annotated[
        bool, typer.Option("--save-stats", help="Write the statistics of A to the .npz B; compare nothing.")
    ] = False,
    device: Device = None,
    json: JSON = False,
) -> None:
    """Compare two sets of pictures: FID, KID, precision, recall, density, coverage, each beside its floor.

    A, B and C: a folder, a zip, an .npz (of pytorch-fid's statistics, or of pictures), a data set (mnist-5k, mnist-5k:test),
    a network, from which samples are drawn: shipped weights, the folder of a run or its .safetensors file, or others' checkpoints.
    A folder or zip that is compared with a network's samples or a data set is cropped and scaled to their size.
    """
    from ..experiments.fid import command

    command.run(
        command.Options(a, b, dims, weights, judge, count, guidance, seed, floor, save_stats, device),
        say,
        tell,
        as_json if json else None,
    )


@app.command(
    rich_help_panel=TRAIN,
    epilog=examples(
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
    device: Device = None,
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
    json: JSON = False,
) -> None:
    """Measure a table of results that the course shows, and write it as JSON. Run it again to resume.

    Rows whose network is not there are left out, with the command that trains it.
    """
    from tqdm import tqdm

    from .. import devices
    from ..experiments import studies

    for name in names or []:
        studies.get(name, preset)  # a wrong name is told before the first study has run
    lab = studies.Lab(devices.choose(device), runs, cifar10)
    for name in names or []:
        result = studies.run(name, out or studies.RESULTS, lab, tqdm, tell, preset, only or (), count)
        if json:
            as_json(asdict(result))
        else:
            say(f"{name}: {len(result.rows)} rows, {result.seconds:.0f} s")
    if names:
        return
    listed = {name: studies.get(name).what for name in studies.names()}
    if json:
        as_json(listed)
        return
    for name, what in listed.items():
        say(f"{name}: {what}")
