"""`diffusion-course sample`: words become a network, a sampler and a grid, and states become a picture, a film or text."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .. import devices, samplers, unmasking
from ..errors import CourseError, check_known, printable
from ..files import check_writable, write_bytes
from ..noise import Noise
from ..schedules import NoiseSchedule, by_name, karras, loglinear, trailing_timesteps
from . import prose, tokens, zoo
from .asked import asked, asked_classes, check_guidance, class_names, never_without
from .drawing import draw_paths
from .parts import MaskedLoss

SAMPLERS: dict[str, samplers.Step] = {
    "euler": samplers.euler,
    "heun": samplers.heun,
    "dpmpp-2m": samplers.dpmpp_2m(),
    "ddpm": samplers.ddpm,
    "ddpm-large": samplers.ddpm_large,
    # The churn of Karras et al. 2022, table 5, for images of 32 x 32.
    "edm": samplers.edm(30, 0.01, 1, 1.007),
}
GRIDS: dict[str, Callable[[int], Tensor]] = {
    "karras": karras,
    "loglinear": loglinear,
    "linear": lambda num_steps: _of_schedule("linear", num_steps),
    "cosine": lambda num_steps: _of_schedule("cosine", num_steps),
}
STRIP = (10, 5, 2.5, 1.3, 0.7, 0.35, 0.15)  # noise levels of a film strip: where most of the change happens
T = 1000


@dataclass(frozen=True)
class Options:
    """What was typed; the help of the command says what each is."""

    weights: str
    out: Path
    count: int = 40
    seed: int = 0
    guidance: float | None = None
    classes: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    sampler: str = "euler"
    grid: str = "karras"
    steps: int = 30
    film: bool = False
    columns: int = 10
    device: str | None = None


def run(options: Options, say: Callable[[str], Any], tell: Callable[[str], Any]) -> None:
    """say: takes the results. tell: takes lines on what is going on. Raises CourseError for what is wrong, before anything is drawn."""
    from tqdm import tqdm

    from ..figures import films, grids

    form = options.out.suffix.lower()
    if form not in (".png", *films.FORMATS):
        raise CourseError(f"--out: got {options.out}, want a name that ends in .png, .gif or .webp")
    if form != ".png" and not options.film:
        raise CourseError(f"--out: a {form} is a film; add --film, or want a name that ends in .png")
    most = grids.MOST // (len(STRIP) + 2)
    if options.film and form == ".png" and options.count > most:
        times = len(STRIP) + 2
        raise CourseError(
            f"--count: got {options.count}, want at most {most} with --film, which shows each {times} times;"
            " or --out with a name that ends in .gif"
        )
    check_known("--sampler", options.sampler, SAMPLERS)
    check_known("--grid", options.grid, GRIDS)
    if options.grid in ("linear", "cosine") and options.steps > T:
        raise CourseError(f"--steps: got {options.steps}, want at most {T} on the grid of a schedule")
    check_writable(options.out)
    device = devices.choose(options.device)
    tell(f"reading {options.weights}")
    config = zoo.config(options.weights)
    if config is not None and isinstance(config.loss, MaskedLoss):
        _run_tokens(options, device, tqdm, say)
        return
    model = zoo.load(options.weights, device)
    names = class_names(options.weights)
    wanted, heads = asked(model, options.count, options.classes, options.texts, names)
    guided = wanted is not None and not never_without(config)
    guidance = options.guidance if options.guidance is not None else (2.0 if guided else 1.0)
    if wanted is None and guidance != 1:
        raise CourseError(f"--guidance: got {guidance:g}; this network has no classes, want 1")
    check_guidance(guidance, config)
    path = draw_paths(
        model,
        options.count,
        guidance,
        device,
        options.seed,
        tqdm,
        GRIDS[options.grid](options.steps),
        SAMPLERS[options.sampler],
        wanted,
    )
    shown = sorted({0, len(path.sigma) - 1, *(int((path.sigma - sigma).abs().argmin()) for sigma in STRIP)})
    told = f"{printable(options.weights)}, guidance {guidance:g}, seed {options.seed}"
    named = heads if options.classes or options.texts else []
    _write(options, path.grey.cpu(), [f"σ = {path.sigma[i]:.2g}" for i in shown], shown, told, named)
    say(_told(options))


def _run_tokens(
    options: Options, device: torch.device, progress: Callable[..., Any], say: Callable[[str], Any]
) -> None:
    """Samples of masked diffusion: pictures as of the others; of a text, its lines."""
    model = zoo.token_model(options.weights, device)
    for name, given in (("--guidance", options.guidance), ("--text", options.texts or None)):
        if given is not None:
            raise CourseError(f"{name}: a model of tokens takes none")
    config = zoo.config(options.weights)
    assert config is not None
    asking: unmasking.Model = model
    named: list[str] = []
    if model.num_classes:
        labels, named = asked_classes(model, options.count, options.classes, class_names(options.weights))
        asking = model.given(labels.to(device))
    elif options.classes:
        raise CourseError("--class: this network has no classes")
    start = unmasking.hidden(options.count, *model.shape, K=model.states, device=device)
    times = unmasking.even_grid(options.steps)
    states = list(
        unmasking.states(unmasking.parallel_step(), asking, start, times, Noise(options.seed), progress)
    )
    if config.data == tokens.TEXT:
        for row in range(options.count):
            for state in states if options.film else states[-1:]:
                say(prose.decode(state[row : row + 1])[0])
        return
    pictures = torch.stack([tokens.pictures(state.cpu(), model.states) for state in states])
    shown = sorted({round(i * (len(states) - 1) / (len(STRIP) + 1)) for i in range(len(STRIP) + 2)})
    heads = [f"t = {times[i]:.2g}" for i in shown]
    told = f"{printable(options.weights)}, seed {options.seed}"
    _write(options, pictures, heads, shown, told, named if options.classes else [])
    say(_told(options))


def _write(
    options: Options, states: Tensor, heads: list[str], shown: list[int], told: str, named: list[str]
) -> None:
    """The picture of states (K, N, C, H, W): the last one, a strip of those that are shown, or all of them as a film."""
    from ..figures import films, grids, pictures

    form = options.out.suffix.lower()
    if form != ".png":
        write_bytes(options.out, films.film(list(states), form, columns=options.columns))
        return
    if options.film:
        figure = grids.filmstrip(states[shown], heads, title="From noise to data")
    else:
        title = told.replace("$", r"\$")  # a dollar would begin a formula
        short = named if all(len(name) <= 12 for name in named) else []
        figure = grids.images(states[-1], title=title, titles=short or None, columns=options.columns)
    write_bytes(options.out, pictures.to_png(figure))


def _told(options: Options) -> str:
    return f"{options.count} sample{'s' if options.count > 1 else ''}: {options.out}"


def _of_schedule(name: str, num_steps: int) -> Tensor:
    schedule = NoiseSchedule.from_betas(by_name(name, T))
    return schedule.grid(trailing_timesteps(T, num_steps))
