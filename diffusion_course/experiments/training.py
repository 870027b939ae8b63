"""One training loop for every network of the course: seeded, with EMA, checkpoints and exact resume.

All randomness of step s comes from a generator seeded with (seed, s). So a resumed run needs only the weights and
the optimiser's state to go on exactly where the other stopped.
"""

import io
import math
import platform
import time
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Generator, Tensor, nn

from ..errors import CourseError, check_integer
from ..files import write_atomically
from ..noise import mix
from .guards import interrupt_held, memory_advice

Loss = Callable[[nn.Module, Tensor, Tensor, Generator], Tensor]
"""(network, images (B, C, H, W), labels (B,), generator) -> scalar to minimise. Draws come from the generator."""


@dataclass(frozen=True)
class Recipe:
    """The knobs of a run. The learning rate warms up linearly, then falls to 0 along a cosine."""

    steps: int
    batch_size: int = 128
    lr: float = 2e-3
    warmup: int = 50
    weight_decay: float = 0.0
    clip: float = 1.0
    ema: float = 0.999
    seed: int = 0

    def __post_init__(self) -> None:
        for name, low in {"steps": 1, "batch_size": 1, "warmup": 0, "seed": 0}.items():
            check_integer(name, getattr(self, name), low)
        # A config file's 2e-3 is text to YAML (2.0e-3 is a number), so the type is worth a look.
        for name, fits, want in (
            ("lr", lambda v: 0 < v < math.inf, "> 0"),
            ("clip", lambda v: v > 0, "> 0"),
            ("weight_decay", lambda v: 0 <= v < math.inf, ">= 0"),
            ("ema", lambda v: 0 <= v < 1, "in 0..1, below 1"),
        ):
            value = getattr(self, name)
            if not isinstance(value, int | float) or not fits(value):
                raise CourseError(f"{name}: got {value!r}, want a number {want}")

    def lr_at(self, step: int) -> float:
        """Learning rate of step 0..steps-1."""
        warm = min(1.0, (step + 1) / (self.warmup + 1))
        return self.lr * warm * 0.5 * (1 + math.cos(math.pi * step / self.steps))


@dataclass(frozen=True)
class Progress:
    """After one step: steps done, that batch's loss, and seconds of training so far (over all resumed runs)."""

    step: int
    loss: float
    seconds: float


class Trainer:
    """Trains `net` on images and labels by `loss`. `ema` holds the averaged network, the one to use afterwards.

    images: (N, C, H, W) in memory; labels: (N,). device: where to train. checkpoint: a file for exact resume,
    written every `checkpoint_seconds` and at the end or interruption; None for none.
    A checkpoint that exists is resumed. Raises CourseError when it is damaged or belongs to another run.
    """

    def __init__(
        self,
        net: nn.Module,
        loss: Loss,
        images: Tensor,
        labels: Tensor,
        recipe: Recipe,
        device: torch.device | str = "cpu",
        checkpoint: Path | str | None = None,
        checkpoint_seconds: float = 30.0,
    ):
        if len(images) == 0:
            raise CourseError(f"images: got shape {tuple(images.shape)}, want at least one")
        if not bool(torch.isfinite(images).all()):
            raise CourseError("images: hold NaN or infinity; remove those samples before training")
        if labels.shape != (len(images),):
            raise CourseError(f"labels: got shape {tuple(labels.shape)}, want ({len(images)},)")
        self.device = torch.device(device)
        # Convolutions with the channels innermost: measured 1.2 to 1.5 times faster on CPUs, and faster on GPUs.
        self.layout = torch.channels_last if images.ndim == 4 else torch.contiguous_format
        self.net = net.to(self.device).to(memory_format=self.layout).train()
        self.ema = deepcopy(net).eval().requires_grad_(False)
        self.loss, self.recipe = loss, recipe
        self.images, self.labels = images, labels
        self.optimizer = torch.optim.AdamW(
            net.parameters(), lr=recipe.lr, betas=(0.9, 0.99), weight_decay=recipe.weight_decay
        )
        self.amp_dtype = amp_dtype(self.device)
        # float16 gradients underflow without scaling; the scaler does nothing for the other dtypes.
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.amp_dtype == torch.float16)
        self.step, self.seconds = 0, 0.0
        self.half_done = False  # inside a step: what is in memory is then no state to resume from
        self.checkpoint = Path(checkpoint) if checkpoint is not None else None
        self.checkpoint_seconds = checkpoint_seconds
        if self.checkpoint is not None and self.checkpoint.exists():
            self._resume(self.checkpoint)

    def run(self, progress: Callable | None = None) -> Iterator[Progress]:
        """Train to the last step, yielding a `Progress` after each. progress: wraps the range of steps, e.g. tqdm.

        Stops cleanly on an interrupt: the step is finished, the checkpoint is written, and a new Trainer goes on
        from there. Raises CourseError when the loss or gradient is not finite (the checkpoint stays as it was), or
        with advice when the GPU's memory is full.
        """
        last_save = time.monotonic()
        steps = range(self.step, self.recipe.steps)
        try:
            for _ in steps if progress is None else progress(steps):
                started = time.perf_counter()
                with interrupt_held(), memory_advice(self.recipe.batch_size):
                    loss = self._one_step()
                self.seconds += time.perf_counter() - started
                yield Progress(self.step, loss, self.seconds)
                if self.checkpoint is not None and time.monotonic() - last_save > self.checkpoint_seconds:
                    self.save()
                    last_save = time.monotonic()
        finally:
            if self.checkpoint is not None and not self.half_done:
                self.save()

    def _one_step(self) -> float:
        r, s = self.recipe, self.step
        self.half_done = True
        generator = Generator().manual_seed(mix(mix(r.seed) + s))
        rows = torch.randint(len(self.images), (r.batch_size,), generator=generator)
        images = self.images[rows].to(self.device, memory_format=self.layout)
        labels = self.labels[rows].to(self.device)
        for group in self.optimizer.param_groups:
            group["lr"] = r.lr_at(s)
        # Dropout layers draw from the global generator; seed it for this step only, and give it back after.
        gpus = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices=gpus):
            torch.manual_seed(mix(mix(r.seed) + s))
            with torch.autocast(self.device.type, self.amp_dtype, enabled=self.amp_dtype is not None):
                loss = self.loss(self.net, images, labels, generator)
            self.optimizer.zero_grad(set_to_none=True)
            self.scaler.scale(loss).backward()
            self.scaler.unscale_(self.optimizer)
            norm = nn.utils.clip_grad_norm_(self.net.parameters(), r.clip)
            value = loss.item()
            # Stop before such numbers reach the weights. (The float16 scaler skips infinite gradients by itself.)
            watched = (
                {"loss": value} if self.scaler.is_enabled() else {"loss": value, "gradient": norm.item()}
            )
            for name, got in watched.items():
                if not math.isfinite(got):
                    raise CourseError(
                        f"training: the {name} is {got} at step {s + 1}; lower lr (now {r.lr:g})"
                    )
            self.scaler.step(self.optimizer)
            self.scaler.update()
        self.step += 1
        self._update_ema(min(r.ema, (1 + self.step) / (10 + self.step)))
        self.half_done = False
        return value

    @torch.no_grad()
    def _update_ema(self, decay: float) -> None:
        averages: list[Tensor] = list(self.ema.parameters())
        torch._foreach_lerp_(averages, [w.detach() for w in self.net.parameters()], 1 - decay)
        for average, buffer in zip(self.ema.buffers(), self.net.buffers(), strict=True):
            average.copy_(buffer)  # e.g. batch-norm statistics, which are averages already

    def save(self) -> None:
        """Write the checkpoint. A crash at any moment leaves the old one or the new one, never half of one."""
        assert self.checkpoint is not None
        state = {
            "recipe": asdict(self.recipe),
            "step": self.step,
            "seconds": self.seconds,
            "net": self.net.state_dict(),
            "ema": self.ema.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
        }
        write_atomically(self.checkpoint, lambda file: torch.save(state, file))

    def _resume(self, path: Path) -> None:
        mine = asdict(self.recipe)
        try:
            content = (
                path.read_bytes()
            )  # apart, since torch.load raises OSError for some damaged files as well
        except OSError as error:
            raise CourseError(f"checkpoint {path}: cannot be read ({error.strerror})") from None
        try:
            state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
            theirs, step, seconds = state["recipe"], state["step"], state["seconds"]
            changed = sorted(k for k in mine.keys() | theirs.keys() if mine.get(k) != theirs.get(k))
            shapes = {name: tensor.shape for name, tensor in state["net"].items()}
        except Exception:  # torch.load raises many kinds for a damaged file, and its advice is to trust it
            raise CourseError(
                f"checkpoint {path}: damaged, or no checkpoint of this course; delete it to start afresh"
            ) from None
        if changed:
            raise CourseError(
                f"checkpoint {path}: its run had another {', '.join(changed)}; use a new folder"
            )
        if shapes != {name: tensor.shape for name, tensor in self.net.state_dict().items()}:
            raise CourseError(f"checkpoint {path}: belongs to another architecture; use a new folder")
        self.net.load_state_dict(state["net"])
        self.ema.load_state_dict(state["ema"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scaler.load_state_dict(state["scaler"])
        self.step, self.seconds = step, seconds


def amp_dtype(device: torch.device) -> torch.dtype | None:
    """The mixed-precision dtype that pays on this device, or None for float32.

    GPU: bfloat16 where the hardware has it, else float16. CPU: bfloat16 only with AMX or AVX-512 bf16
    instructions; without them it is emulated, and was measured 17 times slower than float32.
    """
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.get_device_capability(device)[0] >= 8 else torch.float16
    if device.type == "cpu":
        for feature in ("_is_amx_tile_supported", "_is_avx512_bf16_supported"):
            if getattr(torch.cpu, feature, lambda: False)():
                return torch.bfloat16
    return None


def device_name(device: torch.device) -> str:
    """The GPU's name, or the number of CPU threads and the machine's kind."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{torch.get_num_threads()} CPU threads, {platform.machine()}"
