"""A whole training run from a config: data in, a folder out with the whole config, checkpoint, weights and a measured card.

`diffusion-course train mnist-flow --out runs/mnist-flow` is this module. Run it again to resume.
"""

import datetime
import json
import shlex
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import nn

from ..denoisers import Preconditioned
from ..errors import CourseError, check_integer, check_known
from ..files import alone, check_writable, write_json, write_text
from ..nets.autoencoder import Autoencoder
from ..nets.classifier import Classifier, NoisyClassifier
from ..nets.clip import ImageTextModel
from ..nets.token_transformer import TokenTransformer
from ..samplers import edm
from ..schedules import karras
from ..texted import Texted
from . import data, latents, own_pictures, places, resume, tokens, zoo
from .captioned import GRAMMARS
from .config import Config, read_config
from .distributed import joined
from .drawing import draw
from .guards import compiler_advice, memory_advice
from .latents import LatentSpace
from .metrics import count_recognised
from .models import network
from .objectives import objective
from .precision import DTYPES, usual
from .quality import noisy_accuracy, quality, reconstruction, share
from .text_quality import caption_accuracy, text_quality
from .token_quality import token_quality
from .training import Trainer
from .watching import Looks, Watch, watch

NOT_TRAINING = (
    "experiments/studies/",
    "experiments/metrics/",
    "experiments/intervals.py",
    "experiments/fid/",
    "experiments/quality.py",
    "experiments/token_quality.py",
    "experiments/drawing.py",
    "experiments/noise_ahead.py",
    "experiments/snapshots.py",
    "experiments/watching/",
    "experiments/text_quality.py",
)
NO_LOOKS = Looks()


def train(
    source: str,
    out: Path,
    steps: int | None = None,
    device: str | None = None,
    progress: Callable[[range], Iterable] = iter,
    say: Callable[[str], Any] = lambda line: None,
    data_name: str | None = None,
    seed: int | None = None,
    looks: Looks = NO_LOOKS,
    accumulate: int = 1,
    compiled: bool = False,
    precision: str | None = None,
    until: int | None = None,
) -> dict[str, Any] | None:
    """Train as the config `source` says, into the folder `out`; resumes what it finds there. Returns the card.

    steps: instead of the config's, e.g. for a trial. device: default CUDA if present, else CPU.
    progress: wraps the range of steps, e.g. tqdm. say: takes a line on where the run begins, and that it measures.
    data_name: a data set or the path of pictures, instead of the config's. seed: instead of the config's.
    looks: at what, and how often. accumulate: pieces that each process's share of a batch is computed in. compiled: by torch.compile.
    precision: "float32", "bfloat16" or "float16", instead of what is measured to be fastest.
    until: stop after this step, with weights and a card of what is there; the learning rate is that of the whole run, which goes on from there.
    Started by accelerate's launcher, several processes train together; the first alone writes; the others return None.
    Raises CourseError for a bad config, device, folder (one where another run writes, too), data or checkpoint, before any step; KeyboardInterrupt, with a line
    that says at which step, when it is stopped.
    """
    if precision is not None:
        check_known("--precision", precision, DTYPES)
    config = read_config(source, steps, data_name)
    if seed is not None:
        config = replace(config, recipe=replace(config.recipe, seed=seed))
    looks.check(config)
    if until is not None:
        check_integer("until", until, 1, config.recipe.steps, ", the steps of the run")
    recipe, name = config.recipe, run_name(source, seed)
    processes, where = joined(device)
    aside = say
    if not processes.main:  # what all would say, one says
        progress, say, aside = iter, lambda line: None, processes.aside
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        net = network(config)
    if processes.main:
        check_writable(out / "checkpoint.pt")
    with alone_in(out) if processes.main else nullcontext():
        space = zoo.latent_space(config.latents, where) if config.latents else None
        if space:
            latents.check_fit(space, net, data.describe(config.data))
        taken = space.autoencoder if space else net  # what takes the images
        watched = looks.validate_every and processes.main
        held_out = _held_out(taken, config.data, say) if watched else None
        training_set = _data(taken, config.data, "train", say)
        own = not isinstance(taken, TokenTransformer) and data.describe(config.data).read is None
        if own:
            say(own_pictures.summary(training_set.images, training_set.labels, training_set.classes))
        if space:
            config, training_set = _in_latents(config, space, training_set)
            held_out = held_out and replace(held_out, images=space.encode(held_out.images))
        about = {k: v for k, v in config.as_dict().items() if k != "recipe"} | resume.code(*NOT_TRAINING)
        wanted = None
        if precision is not None:
            wanted = replace(usual(where, training_set.images.ndim), dtype=DTYPES[precision])
        trainer = Trainer(
            net,
            objective(config),
            training_set.images,
            training_set.labels,
            recipe,
            where,
            out / "checkpoint.pt",
            about=about,
            accumulate=accumulate,
            processes=processes,
            compiled=compiled,
            precision=wanted,
            say=aside,
        )
        if wanted is None:
            trainer.pick_precision()
        if until is not None and trainer.step > until:
            raise CourseError(f"until: got {until}, and the run is at step {trainer.step:,} already")
        last = until or recipe.steps
        if not processes.main:
            _trained(trainer, last, progress)
            return None
        write_text(out / "config.yaml", yaml.safe_dump(config.as_dict(), sort_keys=False, allow_unicode=True))
        weights = out / f"{name}.safetensors"
        if trainer.step == last and (card := _finished(weights, config, last)):
            processes.end()
            say(
                f"finished before: all {last:,} steps are done"
                if last == recipe.steps
                else f"was at step {last:,} of {recipe.steps:,} before; without --until it goes on"
            )
            return card
        say(
            f"resumed at step {trainer.step:,} of {recipe.steps:,}"
            if trainer.step
            else f"training in {trainer.precision}"
        )
        _trained(trainer, last, progress, watch(looks, config, trainer, last, held_out, out, say))
        zoo.write(weights, trainer.ema, config, training_set.classes if own else ())
        short = f" to step {last:,} of {recipe.steps:,}" if last < recipe.steps else ""
        say(f"trained{short}; measuring what was written")
        shipped = zoo.read(weights, where)  # what is measured is what was written, in half precision
        card = {
            "name": name,
            "command": " ".join(
                _command(
                    source, steps, seed, data_name, accumulate, compiled, processes.count, precision, until
                )
            ),
            "config": config.as_dict(),
            "data": f"{training_set.name}, {len(training_set):,} {'images' if training_set.classes else 'windows'}",
            "parameters": sum(w.numel() for w in trainer.ema.parameters()),
            "seed": recipe.seed,
            "steps": trainer.step,
            "seconds": round(trainer.seconds, 1),
            **places.for_card(trainer.places),
            "date": datetime.date.today().isoformat(),
            "metrics": measure(shipped, config.data, where, read_config(source).data),
        }
        write_json(weights.with_suffix(".json"), card, indent=2)
        return card


def alone_in(out: Path) -> AbstractContextManager[None]:
    """Held by the one run that writes to a folder. Raises CourseError where another holds it."""
    busy = f"--out {out}: another run is writing there; wait for its end, or take another folder"
    return alone(out / ".lock", taken=busy)


def _data(net: nn.Module, name: str, split: str, say: Callable[[str], Any]) -> data.Dataset:
    """The data as the network takes them: pixels, or tokens."""
    if isinstance(net, TokenTransformer):
        return tokens.load(name, split, net.shape, net.states)
    size, channels = (getattr(net, key, None) for key in ("image_size", "channels"))
    return data.stream(name, split, size=size, channels=channels or 3, say=say)


def _held_out(net: nn.Module, name: str, say: Callable[[str], Any]) -> data.Dataset:
    """The test images, for the validation loss. Raises CourseError for data that have none."""
    try:
        return _data(net, name, "test", say)
    except CourseError as error:
        raise CourseError(f"--validate-every: {error}; or leave the option out") from None


def _trained(
    trainer: Trainer,
    last: int,
    progress: Callable[[range], Iterable],
    look: Watch | None = None,
) -> None:
    """Train to the step `last`, and look at every step. Raises KeyboardInterrupt, with a line, where that is stopped."""
    try:
        with compiler_advice():
            for done in trainer.run(progress, last):
                if look:
                    with memory_advice(trainer.recipe.batch_size):
                        look(done)
    except KeyboardInterrupt:
        again = "the same command goes on from there"
        raise KeyboardInterrupt(f"at step {trainer.step:,} of {trainer.recipe.steps:,}; {again}") from None
    finally:
        trainer.processes.end()
        if look:
            look.close()


def _command(
    source: str,
    steps: int | None,
    seed: int | None,
    data_name: str | None,
    accumulate: int,
    compiled: bool,
    processes: int,
    precision: str | None,
    until: int | None,
) -> list[str]:
    """What to type for the same run."""
    launch = f"accelerate launch --num_processes {processes} -m diffusion_course.cli"
    words = [launch if processes > 1 else "diffusion-course", "train", source]
    words += ["--steps", str(steps)] if steps else []
    words += ["--seed", str(seed)] if seed is not None else []
    words += ["--data", shlex.quote(data_name)] if data_name else []
    words += ["--accumulate", str(accumulate)] if accumulate > 1 else []
    words += ["--precision", precision] if precision else []
    words += ["--until", str(until)] if until else []
    return words + (["--compile"] if compiled else [])


def run_name(source: str, seed: int | None = None) -> str:
    """What a run of the config `source`, with a seed in place of the config's, is called: its folder, its weights, its card."""
    return Path(source).stem + (f"-seed-{seed}" if seed is not None else "")


def _in_latents(config: Config, space: LatentSpace, images: data.Dataset) -> tuple[Config, data.Dataset]:
    """The data set encoded, once, and the config with the scale, which space has from here on, and the autoencoder's digest."""
    assert config.latents
    encoded = space.encode(images.images)
    if config.latents.scale is None:
        space.scale = float(f"{latents.latent_scale(encoded):.4g}")
        encoded *= space.scale
    named = replace(config.latents, scale=space.scale, digest=zoo.digest(config.latents))
    return replace(config, latents=named), replace(images, images=encoded)


def _finished(weights: Path, config: Config, steps: int) -> dict[str, Any] | None:
    """The card of a run that was measured before, after so many steps; None where it is not there, or of another config."""
    try:
        card = json.loads(weights.with_suffix(".json").read_text(encoding="utf-8"))
        whole = (
            weights.is_file()
            and Config.of(card["config"]) == config
            and card["steps"] == steps
            and isinstance(card["metrics"], dict)
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return card if whole else None


def measure(
    model: nn.Module, data_name: str, device: torch.device, kind: str | None = None
) -> dict[str, Any]:
    """What goes on a card: a classifier's test accuracy, or what the judge says of a denoiser's samples, if there is one.

    kind: the data set whose judge is asked, where data_name is a path of the same pictures.
    """
    kind = kind or data_name
    if isinstance(model, Autoencoder):
        return reconstruction(model, data_name, device)
    if isinstance(model, TokenTransformer):
        return token_quality(model, data_name, device)
    if isinstance(model, NoisyClassifier):
        test = data.load(data_name, "test", size=model.image_size, channels=model.channels)
        return {
            f"test accuracy at sigma {s:g}": noisy_accuracy(model, test, s) for s in (0.1, 0.5, 1.0, 2.0, 5.0)
        }
    if isinstance(model, ImageTextModel):
        return caption_accuracy(model, data_name)
    if isinstance(model, Texted):
        judged = f"{GRAMMARS[data_name][0]}-judge" in zoo.names()
        return text_quality(model, data_name, device) if judged else {}
    if not isinstance(model, Preconditioned):
        assert isinstance(model, Classifier)
        test = data.load(data_name, "test", size=model.image_size, channels=model.channels)
        right = count_recognised(model, test.images.to(device), test.labels.to(device))
        return {"test accuracy": share(right, len(test))}
    if f"{kind}-judge" not in zoo.names() or getattr(model.net, "num_classes", 0) == 0:
        return {}  # no judge ships for this data set, or the network knows no classes to ask for
    report: dict[str, Any] = {}
    for w in (1.0, 2.0):
        drawn = draw(model, 1000, w, karras(20), edm(), device=device)
        report[f"guidance {w:g}"] = quality(
            drawn.images, drawn.labels, kind, device, data_name if data_name != kind else None
        )
    report["how"] = (
        "1,000 samples, 100 a class, EDM (Heun) sampler, 20 steps = 39 evaluations, judged by the shipped judge; "
        "Fréchet distance in its features against the test set"
    )
    return report
