"""When to look at a run, and whom to tell: see the package."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import nn

from ...files import write_bytes
from ..training import Progress
from .trackers import Tracker, error_line

LOSSES = 50  # steps whose mean loss is one point of the curve


@dataclass(frozen=True)
class Every:
    """Something to look at every `steps` steps and after the last."""

    steps: int

    def due(self, step: int, last: int) -> bool:
        return step % self.steps == 0 or step == last


@dataclass
class Watch:
    """Called with each `Progress` of a run of `last` steps; tells `trackers`, and writes pictures of samples into `folder`.

    validation: of a network, its loss on held-out images, and how often to ask. samples: of a network at a step, a PNG, likewise.
    ema: the network that both look at. say: takes a line on a tracker that fails, which is then left out: a run is worth more.
    """

    ema: nn.Module
    last: int
    folder: Path
    trackers: Sequence[Tracker]
    say: Callable[[str], Any]
    validation: tuple[Every, Callable[[nn.Module], float]] | None = None
    samples: tuple[Every, Callable[[nn.Module, int], bytes]] | None = None
    losses: list[float] = field(default_factory=list)

    def __call__(self, done: Progress) -> None:
        self.losses.append(done.loss)
        seen: dict[str, float] = {}
        if Every(LOSSES).due(done.step, self.last):
            seen["training loss"] = sum(self.losses) / len(self.losses)
            self.losses.clear()
        if self.validation and self.validation[0].due(done.step, self.last):
            seen["validation loss"] = self.validation[1](self.ema)
        if seen:
            self._tell(lambda tracker: tracker.numbers(done.step, seen | {"seconds": done.seconds}))
        if self.samples and self.samples[0].due(done.step, self.last):
            path = self.folder / f"step-{done.step:07d}.png"
            write_bytes(path, self.samples[1](self.ema, done.step))
            self._tell(lambda tracker: tracker.picture(done.step, path))

    def close(self) -> None:
        """Let the trackers write what they hold."""
        self._tell(lambda tracker: tracker.close())

    def _tell(self, one: Callable[[Tracker], None]) -> None:
        working = []
        for tracker in self.trackers:
            try:
                one(tracker)
                working.append(tracker)
            except (
                Exception
            ) as error:  # a full disk, a server that is gone, whatever another's code may raise
                self.say(f"from here without {type(tracker).__name__}: {error_line(error)}")
        self.trackers = working
