"""How good is a network after so many steps from scratch? python benchmarks/quality.py [--config NAME] [--steps N] [--seeds K]

For each number of steps and each seed a network of the config is trained in memory, its learning rate falling to the end of the
run. 500 samples at guidance 2 are judged: the share recognised, and the Fréchet distance in the judge's 64 features beside what as
many real images score. A line is one training run: the spread over seeds stands in the last line of each number of steps.
"""

import statistics
import time
from dataclasses import replace
from typing import Annotated

import torch
import typer
from tqdm import tqdm

from diffusion_course.devices import choose
from diffusion_course.experiments import data
from diffusion_course.experiments.config import Config, read_config
from diffusion_course.experiments.drawing import draw
from diffusion_course.experiments.models import finished, network
from diffusion_course.experiments.objectives import objective
from diffusion_course.experiments.quality import quality
from diffusion_course.experiments.training import Trainer
from diffusion_course.samplers import heun
from diffusion_course.schedules import karras


def main(
    config: Annotated[str, typer.Option(help="A config of class-conditional images.")] = "mnist-edm-quick",
    steps: Annotated[list[int] | None, typer.Option(help="Steps of a run. Default: 300 and 820.")] = None,
    batch: Annotated[int, typer.Option(min=1, help="Images a step.")] = 128,
    seeds: Annotated[int, typer.Option(min=1, help="Training runs for each number of steps.")] = 3,
    samples: Annotated[int, typer.Option(min=20, help="Samples that are judged.")] = 500,
    device: Annotated[str | None, typer.Option(help="cpu or cuda. Default: CUDA if present.")] = None,
) -> None:
    """Train from scratch, and print how good the samples are."""
    plan, where = read_config(config), choose(device)
    for count in steps or [300, 820]:
        found = []
        for seed in range(seeds):
            recipe = replace(plan.recipe, steps=count, batch_size=batch, seed=seed)
            model, seconds = trained(replace(plan, recipe=recipe), where)
            drawn = draw(model, samples, 2.0, karras(18), heun, device=where)
            found.append(quality(drawn.images, drawn.labels, plan.data, where))
            low, high = found[-1]["recognised"]["wilson 95 %"]
            print(
                f"{count} steps of {batch}, seed {seed}: {seconds:.0f} s; recognised {found[-1]['recognised']['share']:.3f} "
                f"({low:.3f} to {high:.3f}), Fréchet {found[-1]['frechet']:.2f} ± {found[-1]['frechet standard error']:.2f} "
                f"(real images {found[-1]['floor']:.2f})",
                flush=True,
            )
        shares, distances = ([pick(one) for one in found] for pick in (share, distance))
        print(
            f"{count} steps, {seeds} seeds: recognised {spread(shares)}, Fréchet {spread(distances)}",
            flush=True,
        )


def trained(config: Config, device: torch.device) -> tuple[torch.nn.Module, float]:
    """The averaged network of a run of the config, and the seconds that its steps took."""
    images = data.load(config.data)
    torch.manual_seed(config.recipe.seed)
    trainer = Trainer(network(config), objective(config), images.images, images.labels, config.recipe, device)
    trainer.pick_precision()
    start = time.perf_counter()
    for _ in trainer.run(tqdm):
        pass
    return finished(trainer.ema.eval(), config).to(device), time.perf_counter() - start


def share(one: dict) -> float:
    return one["recognised"]["share"]


def distance(one: dict) -> float:
    return one["frechet"]


def spread(values: list[float]) -> str:
    return f"{statistics.mean(values):.3f} ({min(values):.3f} to {max(values):.3f})"


if __name__ == "__main__":
    typer.run(main)
