"""What is seen of a run while it trains: its loss, the loss of held-out images, and samples. Nothing here changes the run."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ...errors import CourseError
from ..config import Config
from ..data import Dataset
from ..net_parts import told
from ..training import Trainer
from . import samples, trackers
from .validation import Validation
from .watch import Every, Watch

__all__ = ["Every", "Looks", "Validation", "Watch", "watch"]


@dataclass(frozen=True)
class Looks:
    """What to look at while a run trains: steps between two validation losses, between two pictures of samples; None for never.

    track: also for TensorBoard and Weights & Biases, where they are installed.
    """

    validate_every: int | None = None
    sample_every: int | None = None
    track: bool = False

    def check(self, config: Config) -> None:
        """Raise CourseError for samples of a network that draws none."""
        if self.sample_every and config.parametrisation is None:
            raise CourseError(f"--sample-every: {told(config.net)} draws no samples; leave it out")


def watch(
    looks: Looks,
    config: Config,
    trainer: Trainer,
    last: int,
    held_out: Dataset | None,
    folder: Path,
    say: Callable[[str], Any],
) -> Watch:
    """What a run into `folder` is watched with, from the trainer's step on to the step `last`. held_out: for the validation loss, where one is wanted."""
    tell: list[trackers.Tracker] = [trackers.Curve(folder / "curve.jsonl", trainer.step)]
    if looks.track:
        tell += trackers.found(folder, folder.name, config.as_dict(), trainer.step, say)
    validation = draw = None
    if looks.validate_every and held_out and trainer.loss:
        size = trainer.recipe.batch_size
        loss = Validation(trainer.loss, held_out.images, held_out.labels, trainer.device, size)
        validation = Every(looks.validate_every), loss
    if looks.sample_every:
        draw = Every(looks.sample_every), partial(samples.png, config)
    return Watch(trainer.ema, last, folder / "samples", tell, say, validation, draw)
