"""One training loop for every network of the course: seeded, with EMA, checkpoints and exact resume.

All randomness of step s comes from a generator seeded with (seed, s). So a resumed run needs only the weights and
the optimiser's state to go on exactly where the other stopped, in one process or several, in pieces of any size.
"""

import math
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor, nn

from ..errors import CourseError
from ..noise import Draws, mix
from . import checkpoints, places
from .batches import Batches
from .distributed import Processes
from .graphs import Replayed
from .guards import interrupt_held, memory_advice
from .optimizers import optimizer_of
from .pieces import Batch, Loss, Pieces, splits
from .precision import Precision, candidates, clock_of, fastest, usual
from .recipe import Recipe

TRIED = 32  # rows of a batch that a precision is tried with

Update = Callable[["Trainer", Tensor, Tensor], float]
"""(trainer, images (B, C, H, W), labels (B,)) -> the loss, after one step of its `net`, `optimizer` and `ema`, with its `lr`, `decay`
and `draws`."""


@dataclass(frozen=True)
class Progress:
    """After one step: steps done, that batch's loss, and seconds of training so far (over all resumed runs)."""

    step: int
    loss: float
    seconds: float


class Trainer:
    """Trains `net` on images and labels by `loss`. `ema` holds the averaged network, the one to use afterwards.

    loss: what the loop's own update minimises, a mean over rows. update: another update, written elsewhere; then loss is None.
    images: (N, C, H, W), or pixels in 0..255, uint8, which may be mapped from a file and are scaled to [-1, 1] batch by batch;
    labels: (N,). device: where to train. checkpoint: a file for exact resume,
    written every `checkpoint_seconds` and at the end or interruption; None for none.
    about: what else makes this run, by name (JSON values), e.g. the config of the network. A checkpoint that exists is resumed
    when recipe, images, labels and `about` are those it was made with. Raises CourseError when it is damaged or of another run.
    accumulate: pieces that a batch, or a process's share of it, is computed in; the gradient is the whole batch's. Where a
    GPU's memory is full they become more, and `say` takes a line on it. processes: those that train together, see `distributed`.
    compiled: compile the network (torch.compile) at its first call. precision: default the checkpoint's, else what the device usually
    trains in; `pick_precision` measures.
    """

    def __init__(
        self,
        net: nn.Module,
        loss: Loss | None,
        images: Tensor,
        labels: Tensor,
        recipe: Recipe,
        device: torch.device | str = "cpu",
        checkpoint: Path | str | None = None,
        checkpoint_seconds: float = 30.0,
        about: Mapping[str, Any] | None = None,
        update: Update | None = None,
        accumulate: int = 1,
        processes: Processes | None = None,
        compiled: bool = False,
        precision: Precision | None = None,
        say: Callable[[str], Any] = lambda line: print(line, file=sys.stderr),
    ):
        if (loss is None) == (update is None):
            raise CourseError("loss, update: got both or none, want one of them")
        self.pieces, self.processes = Pieces(accumulate, say, splits(loss)), processes or Processes()
        if accumulate * self.processes.count > 1 and not splits(loss):
            kind = "update" if update else "loss"
            raise CourseError(f"{kind}: takes whole batches; want accumulate=1 and one process")
        if recipe.batch_size < self.processes.count:
            raise CourseError(
                f"batch_size: got {recipe.batch_size}, want an image at least for each of {self.processes.count} processes"
            )
        if len(images) == 0:
            raise CourseError(f"images: got shape {tuple(images.shape)}, want at least one")
        if images.is_floating_point() and not bool(torch.isfinite(images).all()):
            raise CourseError("images: hold NaN or infinity; remove those samples before training")
        if labels.shape != (len(images),):
            raise CourseError(f"labels: got shape {tuple(labels.shape)}, want ({len(images)},)")
        self.device = torch.device(device)
        self.net = net.to(self.device).train()
        self.ema = deepcopy(net).eval().requires_grad_(False)
        self.precision = precision or usual(self.device, images.ndim)
        self.batches = Batches(images, labels, self.device, self.precision.layout)
        self._adopt(self.precision)
        self.compiled = compiled
        if compiled:
            self.net.compile()  # in place: the weights keep their names
        plain = update is None and accumulate * self.processes.count == 1 and not compiled
        self.replayed = Replayed(self.net, plain and self.device.type == "cuda", say)
        self.loss, self.update, self.recipe = loss, update, recipe
        self.optimizer = optimizer_of(recipe, net, self.device)
        self.step, self.seconds = 0, 0.0
        self.places: places.Places = []
        self.ahead: dict[int, Batch] = {}  # by its step: the next one, drawn while a GPU is busy
        self.half_done = False  # inside a step: what is in memory is then no state to resume from
        self.stopping = False  # one of several processes was told to
        self.checkpoint = Path(checkpoint) if checkpoint is not None else None
        self.checkpoint_seconds = checkpoint_seconds
        data = dict(zip(("images", "labels"), checkpoints.fingerprint(images, labels), strict=True))
        self.about = {**asdict(recipe), **data, **(about or {})}
        if self.checkpoint is not None:
            self._resume(self.checkpoint, asked=precision is not None)

    def pick_precision(self) -> None:
        """Before the first step: train in what is fastest here, see `precision.fastest`. The network stays as it is.

        Several processes take what the first one measured. An update from elsewhere, and a network that is compiled, keep the usual.
        """
        if self.step or self.loss is None or self.compiled:
            return
        among, found = candidates(self.device, self.batches.ndim), None
        if self.processes.main and len(among) > 1:
            try:
                found = fastest(self._trial, among, clock_of(self.device))
            except torch.OutOfMemoryError:  # the training itself makes its batches smaller
                found = None
        self._adopt(self.processes.from_main(found) or self.precision)

    def _trial(self, precision: Precision) -> Callable[[], Any]:
        """A pass of a copy of the network, forward and back, over some rows of the first batch."""
        net = deepcopy(self.net).to(memory_format=precision.layout)
        loss, batch = self.loss, self._batch(0)
        assert loss
        piece = batch.piece(0, min(len(batch), TRIED))
        images, labels = self.batches(piece.rows)
        images = images.to(memory_format=precision.layout)

        def trial() -> None:
            with torch.random.fork_rng(devices=[self.device] if self.device.type == "cuda" else []):
                with torch.autocast(self.device.type, precision.dtype, enabled=precision.dtype is not None):
                    value = piece.value(loss, net, images, labels)
                value.backward()
            net.zero_grad()
            if self.device.type == "cuda":
                torch.cuda.synchronize(self.device)

        return trial

    def _adopt(self, precision: Precision) -> None:
        """Train in a precision from here on."""
        self.precision = precision
        for net in (self.net, self.ema):
            net.to(memory_format=precision.layout)
        self.batches.layout = precision.layout
        # float16 gradients underflow without scaling; the scaler does nothing for the other dtypes.
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=precision.dtype == torch.float16)

    def run(
        self, progress: Callable[[range], Iterable] = iter, until: int | None = None
    ) -> Iterator[Progress]:
        """Train to the last step, yielding a `Progress` after each. progress: wraps the range of steps, e.g. tqdm.

        until: an earlier step to stop after; the learning rate is that of the whole run.

        Stops cleanly on an interrupt: the step is finished, the checkpoint is written, and a new Trainer goes on
        from there. Raises CourseError when the loss or gradient is not finite (the checkpoint stays as it was), or
        with advice when the GPU's memory is full.
        """
        last_save = time.monotonic()
        steps = range(self.step, self.recipe.steps if until is None else until)
        try:
            with self.processes.stopping_together():
                for _ in progress(steps):
                    started = time.perf_counter()
                    with interrupt_held(), memory_advice(self.recipe.batch_size):
                        loss = self._one_step()
                    self.seconds += time.perf_counter() - started
                    yield Progress(self.step, loss, self.seconds)
                    if self.stopping:
                        raise KeyboardInterrupt
                    if self.checkpoint is not None and time.monotonic() - last_save > self.checkpoint_seconds:
                        self.save()
                        last_save = time.monotonic()
        finally:
            if self.checkpoint is not None and not self.half_done:
                self.save()

    @property
    def lr(self) -> float:
        """The learning rate of the step to come."""
        return self.recipe.lr_at(self.step)

    @property
    def decay(self) -> float:
        """What `ema` keeps of itself in the step to come; less in the first ones, which would remember the untrained network."""
        return min(self.recipe.ema, (2 + self.step) / (11 + self.step))

    @property
    def draws(self) -> Draws:
        """Draws for the step to come, as float32 on the device."""
        return Draws(mix(mix(self.recipe.seed) + self.step), device=self.device)

    def _one_step(self) -> float:
        self.half_done = True
        batch = self.ahead.pop(self.step, None) or self._batch(self.step)
        # Dropout layers draw from the global generator; it is seeded for this step only, and given back after.
        gpus = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices=gpus):
            value = self._updated(batch) if self.update else self._minimised(batch)
        places.add(self.places, self.device, self.processes.count, self.precision)
        self.step += 1
        self.half_done = False
        return value

    def _batch(self, step: int) -> Batch:
        """What a step takes, from its seed alone: the rows, and what the loss draws for them."""
        seed = mix(mix(self.recipe.seed) + step)
        generator = Generator().manual_seed(seed)
        rows = torch.randint(len(self.batches), (self.recipe.batch_size,), generator=generator)
        return Batch.of(self.loss, self.net, self.batches, rows, seed, generator)

    def _minimised(self, batch: Batch) -> float:
        """The loop's own update."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.lr
        self.optimizer.zero_grad(set_to_none=True)
        low, high = self.processes.share(len(batch))
        loss = self.pieces.add_up(low, high, partial(self._piece, batch), self._forget)
        loss, stop = self.processes.add_up(self.net, loss)
        self.scaler.unscale_(self.optimizer)
        norm = nn.utils.clip_grad_norm_(self.net.parameters(), self.recipe.clip)
        if self.step + 1 < self.recipe.steps:
            self.ahead = {
                self.step + 1: self._batch(self.step + 1)
            }  # on the CPU, while a GPU computes what it was given
        # All in one copy: each look at a GPU's numbers waits until it has done all it was given.
        value, size, stopping = torch.stack([loss.double(), norm.double(), stop.double()]).tolist()
        # Stop before such numbers reach the weights. (The float16 scaler skips infinite gradients by itself.)
        self._finite("loss", value)
        if not self.scaler.is_enabled():
            self._finite("gradient", size)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self._update_ema(self.decay)
        self.replayed.after_step(self.precision.dtype)
        self.stopping = stopping > 0
        return value

    def _forget(self) -> None:
        """Undo the gradients of pieces that were too large; smaller ones are not what was recorded."""
        self.optimizer.zero_grad()
        self.replayed.undo()

    def _piece(self, batch: Batch, low: int, high: int) -> Tensor:
        """Add the gradient of some rows of a batch to the network's; their part of the loss, ()."""
        assert self.loss
        piece = batch.piece(low, high)
        images, labels = self.batches(piece.rows)
        torch.manual_seed(piece.seed)
        with torch.autocast(self.device.type, self.precision.dtype, enabled=self.precision.dtype is not None):
            loss = piece.value(self.loss, self.net, images, labels)
            loss = loss * (len(piece) / len(batch))
        self.scaler.scale(loss).backward()
        return loss.detach().reshape(())

    def _updated(self, batch: Batch) -> float:
        """An update that was written elsewhere. It scales no gradients, so float16 is not for it."""
        assert self.update
        images, labels = self.batches(batch.rows)
        torch.manual_seed(batch.seed)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision.dtype == torch.bfloat16):
            value = float(self.update(self, images, labels))
        self._finite("loss", value)
        return value

    def _finite(self, name: str, value: float) -> None:
        if not math.isfinite(value):
            raise CourseError(
                f"training: the {name} is {value} at step {self.step + 1}; lower lr (now {self.recipe.lr:g})"
            )

    @torch.no_grad()
    def _update_ema(self, decay: float) -> None:
        averages: list[Tensor] = list(self.ema.parameters())
        torch._foreach_lerp_(averages, [w.detach() for w in self.net.parameters()], 1 - decay)
        for average, buffer in zip(self.ema.buffers(), self.net.buffers(), strict=True):
            average.copy_(buffer)  # e.g. batch-norm statistics, which are averages already

    def save(self) -> None:
        """Write the checkpoint, in one of several processes. A crash at any moment leaves the old one or the new one, never half of one."""
        assert self.checkpoint is not None
        if self.processes.main:
            checkpoints.write(self.checkpoint, self._state())

    def _state(self) -> checkpoints.State:
        return {
            "run": self.about,
            "step": self.step,
            "seconds": self.seconds,
            "places": self.places,
            "net": self.net.state_dict(),
            "ema": self.ema.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "precision": [self.device.type, *self.precision.names()],
        }

    def _resume(self, path: Path, asked: bool) -> None:
        """asked: was the precision asked for? Else a run goes on in its own, unless it was another device's."""
        mine, state = self._state(), None
        if self.processes.main and path.exists():
            state = checkpoints.read(path, mine, self.optimizer.remembered(), self.recipe.steps)
        state = self.processes.from_main(state)  # another machine may not see the file
        if state is None:
            return
        where, *names = state["precision"]
        if not asked and where == self.device.type:
            self._adopt(Precision.of(*names))
        self.net.load_state_dict(state["net"])
        self.ema.load_state_dict(state["ema"])
        # The file's moments; the knobs are the recipe's.
        self.optimizer.load_state_dict({**mine["optimizer"], "state": state["optimizer"]["state"]})
        if self.scaler.is_enabled() and state["scaler"]:
            self.scaler.load_state_dict(state["scaler"])
        self.step, self.seconds, self.places = state["step"], state["seconds"], state["places"]
