"""One training run, looked at on its way: its averaged weights after some epochs, for the study "churn-and-quality".

python -m diffusion_course.experiments.snapshots mnist-edm --seed 0 --out runs/mnist-edm-epochs-seed-0
"""

import argparse
import math
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from .. import devices
from ..errors import CourseError, check_integer
from ..files import check_writable
from . import data, resume, zoo
from .config import Config, read_config
from .models import network
from .objectives import objective
from .runs import alone_in
from .training import Trainer

EPOCHS = (1, 3, 10, 25)


def train(
    name: str,
    out: Path,
    epochs: Sequence[int] = EPOCHS,
    seed: int = 0,
    batch_size: int | None = None,
    device: str | None = None,
    progress: Callable[[range], Iterable] = iter,
) -> list[Path]:
    """Train the config `name` to the last of the epochs, and write NAME-01-epochs.safetensors and so on into `out`; resumes.

    The recipe is the config's, with as many steps as the epochs take: its learning rate falls towards the end of the last one.
    batch_size: instead of the recipe's. Raises CourseError as `runs.train` does, for a folder where another run writes, too, and for epochs that do not rise.
    """
    for one in epochs:
        check_integer("epochs", one, 1)
    if not epochs or list(epochs) != sorted(set(epochs)):
        raise CourseError(f"epochs: got {list(epochs)}, want rising numbers")
    config, where = read_config(name), devices.choose(device)
    images = data.stream(config.data)
    config = _longer(config, len(images), epochs[-1], seed, batch_size)
    paths = {one: out / f"{Path(name).stem}-{one:02d}-epochs.safetensors" for one in epochs}
    check_writable(out / "checkpoint.pt")
    with alone_in(out):
        trainer = _trainer(config, images, where, out)
        at = {_steps(one, len(images), config.recipe.batch_size): one for one in epochs}
        lost = [paths[one] for step, one in at.items() if step <= trainer.step and not paths[one].is_file()]
        if lost:
            raise CourseError(
                f"{lost[0]}: is not there, and the run is past it; delete {out / 'checkpoint.pt'} to start afresh"
            )
        for _ in trainer.run(progress):
            if trainer.step in at:
                zoo.write(paths[at[trainer.step]], trainer.ema, config)
    return list(paths.values())


def _trainer(config: Config, images: data.Dataset, where: torch.device, out: Path) -> Trainer:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.recipe.seed)
        net = network(config)
    about = {k: v for k, v in config.as_dict().items() if k != "recipe"} | resume.code("experiments/studies/")
    trainer = Trainer(
        net,
        objective(config),
        images.images,
        images.labels,
        config.recipe,
        where,
        out / "checkpoint.pt",
        about=about,
    )
    trainer.pick_precision()
    return trainer


def _longer(config: Config, images: int, epochs: int, seed: int, batch_size: int | None) -> Config:
    recipe = replace(config.recipe, seed=seed, batch_size=batch_size or config.recipe.batch_size)
    return replace(config, recipe=replace(recipe, steps=_steps(epochs, images, recipe.batch_size)))


def _steps(epochs: int, images: int, batch_size: int) -> int:
    return math.ceil(epochs * images / batch_size)


def main(arguments: Sequence[str] | None = None) -> Any:
    """The command of the module's top."""
    from tqdm import tqdm

    parser = argparse.ArgumentParser(
        prog="python -m diffusion_course.experiments.snapshots", description=__doc__
    )
    parser.add_argument("name", help="a config, e.g. mnist-edm")
    parser.add_argument("--out", type=Path, required=True, help="the folder to write to")
    parser.add_argument("--epochs", type=int, nargs="+", default=list(EPOCHS))
    parser.add_argument("--seed", type=int, default=0, help="of the training")
    parser.add_argument("--batch-size", type=int, help="instead of the config's")
    parser.add_argument("--device", help="cpu, cuda or cuda:N")
    held = parser.parse_args(arguments)
    try:
        paths = train(held.name, held.out, held.epochs, held.seed, held.batch_size, held.device, tqdm)
    except CourseError as error:
        sys.exit(f"error: {error}")
    for path in paths:
        print(path)


if __name__ == "__main__":
    main()
